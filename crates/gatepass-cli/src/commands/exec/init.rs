//! The first process of a container (PID 1), which adopts the orphans of all others.
//!
//! An orphan that exits stays a zombie until PID 1 waits for it. A process that waits for any child
//! would also take the exit status of children that other code of gatepass started, such as the
//! command of a secret. So PID 1 only starts the same command again, as its child, forwards signals
//! to it and waits for everything.

use std::future::pending;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use super::child::{Signals, exit_code, wait_as_init};
use crate::error::{CommandError, internal};
use crate::hardening::with_user_limits;
use crate::output::Output;

/// If this process is PID 1, runs the command in a child and returns its exit code.
pub(crate) async fn run_in_child(output: &Output) -> Result<Option<ExitCode>, CommandError> {
    if std::process::id() != 1 || !cfg!(target_os = "linux") {
        return Ok(None);
    }
    let mut arguments = std::env::args_os();
    let mut command = Command::new("/proc/self/exe");
    command.arg0(arguments.next().unwrap_or_default()).args(arguments);
    let signals = Signals::catch().map_err(|error| internal("cannot catch signals", &error))?;
    let child = match with_user_limits(|| command.spawn()) {
        Ok(child) => child,
        Err(error) => {
            output.warn(&format!("orphans stay zombies: cannot start a child: {}", error.kind()));
            return Ok(None);
        }
    };
    let status = wait_as_init(child, signals, pending()).await;
    Ok(Some(exit_code(status.map_err(|error| internal("cannot wait for the child", &error))?)))
}
