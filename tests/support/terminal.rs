//! Runs the command in a pseudo terminal.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::marker::PhantomData;
use std::os::fd::AsFd;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::open;
use rustix::termios::{LocalModes, tcgetattr};

use crate::home::Home;

/// A command at a terminal of 24 rows. Drop kills the command.
#[derive(Debug)]
pub struct Terminal<'home> {
    child: Child,
    home: PhantomData<&'home Home>,
    keyboard: File,
    output: Receiver<Vec<u8>>,
    screen: Vec<u8>,
    deadline: Instant,
}

impl Terminal<'_> {
    pub(crate) fn new(mut command: Command, columns: u16, limit: Duration) -> Self {
        let (pty, inner) = open().unwrap();
        pty.resize(Size::new(24, columns)).unwrap();
        let keyboard = File::from(pty.as_fd().try_clone_to_owned().unwrap());
        let output = read_pieces(File::from(pty.as_fd().try_clone_to_owned().unwrap()));
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            command.env("TERM", "xterm-256color");
        }
        let child = pty_process::blocking::Command::from(command).spawn(inner).unwrap();
        let (home, screen, deadline) = (PhantomData, Vec::new(), Instant::now() + limit);
        Self { child, home, keyboard, output, screen, deadline }
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the terminal's output so far, echoed input included.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen).into_owned()
    }

    /// Waits until the screen shows `text` and returns the screen's content.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        while !self.screen().contains(text) {
            let piece = self.output.recv_timeout(self.remaining());
            let piece = piece.unwrap_or_else(|_| panic!("no {text:?} in {:?}", self.screen()));
            self.screen.extend(piece);
        }
        self.screen()
    }

    /// Waits until the terminal's echo is off.
    #[track_caller]
    pub fn wait_until_hidden(&mut self) {
        while tcgetattr(&self.keyboard).unwrap().local_modes.contains(LocalModes::ECHO) {
            assert!(
                self.remaining() > Duration::ZERO,
                "the terminal still shows input: {:?}",
                self.screen()
            );
            match self.output.recv_timeout(Duration::from_millis(10)) {
                Ok(piece) => self.screen.extend(piece),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("ended: {:?}", self.screen()),
            }
        }
    }

    /// Types these keys.
    pub fn keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Types a line.
    pub fn line(&mut self, text: &str) {
        self.keys(&format!("{text}\r"));
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&mut self) {
        self.keys("\x03");
    }

    /// Waits for the command's end and returns its exit code (`None` if a signal ended it) and the
    /// terminal's output.
    pub fn finish(mut self) -> (Option<i32>, String) {
        loop {
            match self.output.recv_timeout(self.remaining()) {
                Ok(piece) => self.screen.extend(piece),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("still running: {:?}", self.screen()),
            }
        }
        (self.child.wait().unwrap().code(), self.screen())
    }

    fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        // No effect on a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_pieces(mut screen: File) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut piece = [0; 4096];
        loop {
            match screen.read(&mut piece) {
                Ok(length @ 1..) => {
                    if sender.send(piece[..length].to_vec()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Linux reports an error when the other end is closed.
                _ => return,
            }
        }
    });
    receiver
}
