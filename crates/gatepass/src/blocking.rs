//! Work that blocks, beside an event loop.

use gatepass_core::__private::on_thread;
use tokio::sync::oneshot;

/// Runs work that blocks on a thread of its own, or here if this machine starts no thread. `None` if
/// the work panics.
///
/// tokio's own function panics if no thread can be started.
pub(crate) async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, outcome) = oneshot::channel();
    on_thread(move || {
        // The caller may have stopped waiting.
        let _ = done.send(work());
    });
    outcome.await.ok()
}
