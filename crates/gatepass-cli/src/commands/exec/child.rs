//! The program beside us: its signals, its end, its exit code.

use std::convert::Infallible;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::{Child, ExitCode, ExitStatus};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Origin;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::signal::is_ignored;

/// What somebody who sends it to us means for the program. The signals of job control are not
/// among them: Ctrl-Z stops us as it stops the program, and `fg` wakes both.
const PASSED_ON: [Signal; 7] = [
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::TERM,
    Signal::USR1,
    Signal::USR2,
    Signal::WINCH,
];

/// The signals that this process gets, each with who sent it.
pub(super) struct Signals(UnboundedReceiver<Origin>);

impl Signals {
    /// Catches them from now on. Those that are ignored stay so: `nohup` means the program too,
    /// which inherits what is ignored but not what is caught.
    pub(super) fn catch() -> io::Result<Self> {
        let caught = PASSED_ON.iter().map(|signal| signal.as_raw());
        let caught = caught.filter(|number| !is_ignored(*number));
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

/// Waits for the program's end, passing signals on, while `keeping` goes on.
pub(super) async fn wait(
    mut child: Child,
    mut signals: Signals,
    keeping: impl Future<Output = Infallible>,
) -> io::Result<ExitStatus> {
    let program = Pid::from_child(&child);
    let mut keeping = pin!(keeping);
    loop {
        let origin = tokio::select! {
            origin = signals.0.recv() => origin,
            never = &mut keeping => match never {},
        };
        let Some(origin) = origin else { return child.wait() };
        // Asked first: until then its number is nobody else's.
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let signal = PASSED_ON.iter().find(|signal| signal.as_raw() == origin.signal);
        if let Some(signal) = signal.filter(|_| is_for_us_alone(&origin, program)) {
            // It may be another user's by now (su, sudo): then that is for its owner to decide.
            let _ = kill_process(program, *signal);
        }
    }
}

/// Whether somebody sent it to this process. What a terminal sends goes to the whole foreground,
/// and a program that sends it has it from itself: passed on, it would come twice.
fn is_for_us_alone(origin: &Origin, program: Pid) -> bool {
    origin.process.is_some_and(|sender| sender.pid != program.as_raw_pid())
}

/// The program's exit code; 128 and the signal's number if a signal ended it.
pub(super) fn exit_code(status: ExitStatus) -> ExitCode {
    let signal = || status.signal().map(|number| 128 + number);
    let code = status.code().or_else(signal).and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}
