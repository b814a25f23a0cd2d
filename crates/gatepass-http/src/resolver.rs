//! The resolver of host names: the system's, on a thread that the machine may refuse.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use gatepass_core::__private::on_thread;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::oneshot;

/// Resolves names like reqwest's own resolver, which panics if no thread can be started.
pub(crate) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let (done, outcome) = oneshot::channel();
            on_thread(move || {
                // The request may have been dropped.
                let _ = done.send(look_up(&host));
            });
            let found = outcome.await??;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn look_up(host: &str) -> io::Result<Vec<SocketAddr>> {
    // reqwest replaces the port.
    let found = (host, 0).to_socket_addrs();
    found.map(Iterator::collect).map_err(|error| {
        // The system's resolver reports a missing file descriptor as an unknown name.
        match std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)) {
            Err(limit) if gatepass_core::Error::machine_limit("", &limit).is_some() => limit,
            _ => error,
        }
    })
}
