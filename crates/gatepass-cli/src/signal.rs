//! The signals that end a command.

use crate::error::{CommandError, internal};

/// Catches the signals that ask this process to stop, and returns a future that is ready when one
/// arrives. A hang-up is left alone if it is ignored, as under `nohup`.
pub(crate) fn stop() -> Result<impl Future<Output = ()>, CommandError> {
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
        let hangup = match is_ignored(Signal::HUP.as_raw()) {
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
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = quit.recv() => {}
                _ = terminate.recv() => {}
                () = hung_up => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        // Without a handler, Ctrl-C ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// Returns whether this process was started with the signal ignored. Without `/proc`, returns
/// `false`.
#[cfg(unix)]
pub(crate) fn is_ignored(number: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    ignored.unwrap_or_default() >> (number - 1) & 1 == 1
}
