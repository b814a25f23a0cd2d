//! Keeps this process's memory from other programs of the same user, and out of core dumps.

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// From here on this process leaves no core dump, and where the system can do it (Linux), no other
/// program of the same user reads its memory or its environment.
///
/// A system that refuses is no reason to refuse work: there the file's permissions are what is left.
pub(crate) fn disable_dumps() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};

        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    #[cfg(unix)]
    {
        let before = getrlimit(Resource::Core);
        let _ = SAVED_LIMITS.set(before);
        // The soft limit alone: whoever lowers the hard one cannot give it back.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..before });
    }
}

/// Starts a program that is not ours under the limits that the user gave us: what is not readable
/// is so until a program takes the process over, but limits are inherited.
pub(crate) fn with_user_limits<T>(start: impl FnOnce() -> T) -> T {
    #[cfg(unix)]
    {
        let ours = getrlimit(Resource::Core);
        if let Some(before) = SAVED_LIMITS.get() {
            let _ = setrlimit(Resource::Core, *before);
        }
        let started = start();
        let _ = setrlimit(Resource::Core, ours);
        started
    }
    #[cfg(not(unix))]
    start()
}

/// The limits that this process began with.
#[cfg(unix)]
static SAVED_LIMITS: std::sync::OnceLock<Rlimit> = std::sync::OnceLock::new();
