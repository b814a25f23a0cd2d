//! Protects this process's memory from other programs of the same user and from core dumps.

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, setrlimit};

/// Disables core dumps, and on Linux also reading of this process's memory and environment by other
/// programs of the same user.
///
/// Best effort: if the system call fails, file permissions still protect the secrets.
pub(crate) fn disable_dumps() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};

        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    #[cfg(unix)]
    {
        let Some(limits) = core_limits() else { return };
        let _ = SAVED_LIMITS.set(limits);
        // Only the soft limit: an unprivileged process cannot raise the hard limit again.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..limits });
    }
}

/// Returns the limits on core dumps. rustix's function for it assumes that the system call cannot
/// fail, but a sandbox may deny it.
#[cfg(target_os = "linux")]
fn core_limits() -> Option<Rlimit> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size"))?;
    let mut values = line.split_whitespace().map(|value| match value {
        "unlimited" => Some(None),
        bytes => bytes.parse().ok().map(Some),
    });
    Some(Rlimit { current: values.next()??, maximum: values.next()?? })
}

#[cfg(all(unix, not(target_os = "linux")))]
fn core_limits() -> Option<Rlimit> {
    Some(rustix::process::getrlimit(Resource::Core))
}

/// Makes a write beyond the limit on the size of files an error, and not the end of the process.
///
/// The signal is caught and not ignored, so that programs that are started get their default.
pub(crate) fn survive_file_size_limit() {
    #[cfg(unix)]
    {
        let caught = std::sync::Arc::default();
        // If it cannot be caught, the process ends at the limit as before.
        let _ = signal_hook::flag::register(rustix::process::Signal::XFSZ.as_raw(), caught);
    }
}

/// Restores the user's rlimits before spawning a child. `PR_SET_DUMPABLE` resets on exec; rlimits
/// are inherited.
pub(crate) fn with_user_limits<T>(start: impl FnOnce() -> T) -> T {
    #[cfg(unix)]
    {
        let Some(saved) = SAVED_LIMITS.get() else { return start() };
        let _ = setrlimit(Resource::Core, *saved);
        let started = start();
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..*saved });
        started
    }
    #[cfg(not(unix))]
    start()
}

/// The limits that this process started with.
#[cfg(unix)]
static SAVED_LIMITS: std::sync::OnceLock<Rlimit> = std::sync::OnceLock::new();
