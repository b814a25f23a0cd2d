//! The signals that end a command.

use crate::error::{CommandError, internal};

/// Catches the signals that ask this process to stop, and returns a future that is ready when one
/// arrives. A hang-up is left alone if it is ignored, as under `nohup`.
pub(crate) fn stop() -> Result<impl Future<Output = ()>, CommandError> {
    let signal = stop_signal()?;
    Ok(async {
        signal.await;
    })
}

/// Catches the same signals as [`stop`], and returns a future of the one that arrives.
pub(crate) fn stop_signal() -> Result<impl Future<Output = StopSignal>, CommandError> {
    #[cfg(unix)]
    {
        use rustix::process::Signal;
        use tokio::signal::unix::{SignalKind, signal};
        let caught = |kind| signal(kind).map_err(|error| internal("cannot catch signals", &error));
        let (mut interrupt, mut quit, mut terminate) = (
            caught(SignalKind::interrupt())?,
            caught(SignalKind::quit())?,
            caught(SignalKind::terminate())?,
        );
        let hangup = match is_ignored(Signal::HUP.as_raw(), ignored_signals()) {
            true => None,
            false => Some(caught(SignalKind::hangup())?),
        };
        let hung_up = async {
            match hangup {
                Some(mut hangup) => drop(hangup.recv().await),
                None => std::future::pending().await,
            }
        };
        Ok(async move {
            StopSignal(tokio::select! {
                _ = interrupt.recv() => Signal::INT.as_raw(),
                _ = quit.recv() => Signal::QUIT.as_raw(),
                _ = terminate.recv() => Signal::TERM.as_raw(),
                () = hung_up => Signal::HUP.as_raw(),
            })
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        // Without a handler, Ctrl-C ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        StopSignal()
    })
}

/// A signal that asked this process to stop.
pub(crate) struct StopSignal(#[cfg(unix)] i32);

/// Ends this process by the signal, as if it had not been caught: a shell then stops a script too.
/// Returns if the system cannot do that.
pub(crate) fn end_by(signal: StopSignal) {
    #[cfg(unix)]
    let _ = signal_hook::low_level::emulate_default_handler(signal.0);
    #[cfg(not(unix))]
    drop(signal);
}

/// Returns the signals that this process was started with as ignored, one bit each. Without `/proc`,
/// returns none.
#[cfg(unix)]
pub(crate) fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    ignored.unwrap_or_default()
}

/// Returns whether a signal is among the ignored ones.
#[cfg(unix)]
pub(crate) fn is_ignored(number: i32, ignored: u64) -> bool {
    ignored >> (number - 1) & 1 == 1
}
