//! A sandbox in this process, for tests without an async runtime.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use gatepass_sandbox::Sandbox;
use tokio::runtime::Runtime;

use crate::home::Home;

/// A running sandbox; drop stops it.
#[derive(Debug)]
pub struct Vendors {
    /// The sandbox.
    pub sandbox: Sandbox,
    runtime: Runtime,
}

impl Vendors {
    /// Starts a sandbox on a free port.
    pub fn start() -> Self {
        let runtime = runtime();
        let sandbox = runtime.block_on(Sandbox::start()).unwrap();
        Self { sandbox, runtime }
    }

    /// Returns a home whose config has a profile for each vendor.
    pub fn home(&self) -> Home {
        Home::with_config(&self.sandbox.config_toml())
    }

    /// Sends bytes and returns the data received until the connection ends.
    pub fn raw(&self, request: &str) -> String {
        raw(self.sandbox.port(), request)
    }

    /// Stops the sandbox.
    pub fn stop(self) {
        self.runtime.block_on(self.sandbox.shutdown());
    }
}

/// Sends bytes to a local port and returns the data received until the connection ends.
pub fn raw(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    String::from_utf8(response).unwrap()
}

/// Returns a single-threaded runtime for tests that are not async functions.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
