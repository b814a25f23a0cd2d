//! Protects this process's memory from other programs of the same user and from core dumps.

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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
        let limits = getrlimit(Resource::Core);
        let _ = SAVED_LIMITS.set(limits);
        // Only the soft limit: an unprivileged process cannot raise the hard limit again.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..limits });
    }
}

/// Restores the user's rlimits before spawning a child. `PR_SET_DUMPABLE` resets on exec; rlimits
/// are inherited.
pub(crate) fn with_user_limits<T>(start: impl FnOnce() -> T) -> T {
    #[cfg(unix)]
    {
        let ours = getrlimit(Resource::Core);
        if let Some(saved) = SAVED_LIMITS.get() {
            let _ = setrlimit(Resource::Core, *saved);
        }
        let started = start();
        let _ = setrlimit(Resource::Core, ours);
        started
    }
    #[cfg(not(unix))]
    start()
}

/// The limits that this process started with.
#[cfg(unix)]
static SAVED_LIMITS: std::sync::OnceLock<Rlimit> = std::sync::OnceLock::new();
