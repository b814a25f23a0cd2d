//! Step: what a server does on a connection, byte for byte, as data.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// One thing that a server does. A connection is closed after its last step.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// Reads a whole request and counts it.
    Request,
    /// Reads this many bytes, whatever they are.
    Read(usize),
    /// Sends bytes.
    Send(Vec<u8>),
    /// Sends the same bytes so many times, or until the client leaves.
    Flood(Vec<u8>, u64),
    /// Sends a byte after each pause until the client leaves.
    Drip(u8, Duration),
    /// Says that nothing more will come, and waits until the client leaves.
    Finish,
    /// Does nothing until the client leaves.
    Stall,
    /// Ends the connection with a reset.
    Reset,
}

impl Step {
    /// Sends these bytes.
    pub fn send(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Send(bytes.into())
    }
}

/// A connection, as the server has it.
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

    /// Plays a step; false if the client has left.
    pub(crate) fn play(&mut self, step: Step) -> bool {
        match step {
            Step::Request => true,
            Step::Read(most) => self.read_exact(&mut vec![0; most]).is_ok(),
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
                self.until_left()
            }
            Step::Stall => self.until_left(),
            Step::Reset => {
                set_socket_linger(self.socket(), Some(Duration::ZERO)).unwrap();
                false
            }
        }
    }

    fn put(&mut self, bytes: &[u8]) -> bool {
        self.write_all(bytes).and_then(|()| self.flush()).is_ok()
    }

    fn until_left(&mut self) -> bool {
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
