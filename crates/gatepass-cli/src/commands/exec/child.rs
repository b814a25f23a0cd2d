//! The child process of `exec --file` or PID 1: forwards signals and returns its exit code.

use std::convert::Infallible;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::{Child, ExitCode, ExitStatus};
use std::thread;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Origin;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::signal::{ignored_signals, is_ignored};

/// The signals that are forwarded to the program. The signals of job control are not: Ctrl-Z stops
/// this process and the program, and `fg` continues both.
const FORWARDED: [Signal; 8] = [
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::TERM,
    Signal::ALARM,
    Signal::USR1,
    Signal::USR2,
    Signal::WINCH,
];

/// The signals that this process receives, each with its sender.
pub(super) struct Signals(UnboundedReceiver<Origin>);

impl Signals {
    /// Starts to catch the signals. A signal that is ignored stays ignored: `nohup` applies to the
    /// program too, which inherits ignored signals but not caught ones.
    pub(super) fn catch() -> io::Result<Self> {
        let ignored = ignored_signals();
        let caught = FORWARDED.iter().map(|signal| signal.as_raw());
        let caught = caught.filter(|number| !is_ignored(*number, ignored));
        let mut signals = SignalsInfo::<WithOrigin>::new(caught.chain([Signal::CHILD.as_raw()]))?;
        let (sender, receiver) = unbounded_channel();
        thread::Builder::new().name(String::from("signals")).spawn(move || {
            for origin in signals.forever() {
                if sender.send(origin).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self(receiver))
    }
}

/// Waits for the program's exit and forwards signals, while `refreshing` runs.
pub(super) async fn wait(
    child: Child,
    signals: Signals,
    refreshing: impl Future<Output = Infallible>,
) -> io::Result<ExitStatus> {
    forward_until(child, signals, refreshing, Child::try_wait).await
}

/// Waits for the program's exit as [`wait`] does, and also reaps every other child of this process.
pub(super) async fn wait_as_init(
    child: Child,
    signals: Signals,
    running: impl Future<Output = Infallible>,
) -> io::Result<ExitStatus> {
    forward_until(child, signals, running, |child| reap(Pid::from_child(child))).await
}

async fn forward_until(
    mut child: Child,
    mut signals: Signals,
    running: impl Future<Output = Infallible>,
    mut ended: impl FnMut(&mut Child) -> io::Result<Option<ExitStatus>>,
) -> io::Result<ExitStatus> {
    let program = Pid::from_child(&child);
    let mut running = pin!(running);
    loop {
        let origin = tokio::select! {
            origin = signals.0.recv() => origin,
            never = &mut running => match never {},
        };
        let Some(origin) = origin else { return child.wait() };
        // Before a signal is sent: after this check the process id may belong to another program.
        if let Some(status) = ended(&mut child)? {
            return Ok(status);
        }
        let signal = FORWARDED.into_iter().find(|signal| signal.as_raw() == origin.signal);
        if let Some(signal) = signal.filter(|_| was_sent_to_us(&origin, program)) {
            // This fails if the program now runs as another user (su, sudo).
            let _ = kill_process(program, signal);
        }
    }
}

/// Reaps every child that has exited, and returns the status of the program if it is among them.
fn reap(program: Pid) -> io::Result<Option<ExitStatus>> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((id, status))) if id == program => {
                return Ok(Some(ExitStatus::from_raw(status.as_raw())));
            }
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Returns whether a process other than the program sent the signal to this process. A signal of the
/// terminal reaches the whole foreground group, so forwarding it would deliver it twice.
fn was_sent_to_us(origin: &Origin, program: Pid) -> bool {
    origin.process.is_some_and(|sender| sender.pid != program.as_raw_pid())
}

/// Returns the program's exit code, or 128 plus the number of the signal that ended it.
pub(super) fn exit_code(status: ExitStatus) -> ExitCode {
    let signal = || status.signal().map(|number| 128 + number);
    let code = status.code().or_else(signal).and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}
