//! Scripted connections: the actions of a test server as data.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// An action of a server. The connection is closed after the last step.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// Reads a complete request and counts it.
    Request,
    /// Reads this number of bytes.
    Read(usize),
    /// Sends bytes.
    Send(Vec<u8>),
    /// Sends the same bytes repeatedly, or until the client disconnects.
    Flood(Vec<u8>, u64),
    /// Sends one byte per pause until the client disconnects.
    Drip(u8, Duration),
    /// Shuts down the sending side and waits until the client disconnects.
    Finish,
    /// Waits until the client disconnects.
    Stall,
    /// Resets the connection.
    Reset,
}

impl Step {
    /// Returns a step that sends these bytes.
    pub fn send(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Send(bytes.into())
    }
}

/// The server side of a connection.
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> Self {
        match tls {
            None => Self::Plain(stream),
            Some(config) => {
                let session = ServerConnection::new(config).unwrap();
                Self::Tls(Box::new(StreamOwned::new(session, stream)))
            }
        }
    }

    /// Runs a step; returns false if the client has disconnected.
    pub(crate) fn run(&mut self, step: Step) -> bool {
        match step {
            Step::Request => true,
            Step::Read(length) => self.read_exact(&mut vec![0; length]).is_ok(),
            Step::Send(bytes) => self.put(&bytes),
            Step::Flood(bytes, times) => (0..times).all(|_| self.put(&bytes)),
            Step::Drip(byte, pause) => loop {
                thread::sleep(pause);
                if !self.put(&[byte]) {
                    return false;
                }
            },
            Step::Finish => {
                let _ = self.socket().shutdown(Shutdown::Write);
                self.wait_for_close()
            }
            Step::Stall => self.wait_for_close(),
            Step::Reset => {
                set_socket_linger(self.socket(), Some(Duration::ZERO)).unwrap();
                false
            }
        }
    }

    fn put(&mut self, bytes: &[u8]) -> bool {
        self.write_all(bytes).and_then(|()| self.flush()).is_ok()
    }

    fn wait_for_close(&mut self) -> bool {
        let _ = std::io::copy(self, &mut std::io::sink());
        false
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
