//! The items of `src/rt.rs` on shuttle's locks and tasks. Time does not pass, so no timeout ends.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use shuttle::future::{JoinError, JoinHandle, spawn, yield_now};

pub(crate) use shuttle::future::AbortHandle;
pub(crate) use shuttle::sync::{Mutex, MutexGuard};

/// An `ArcSwapOption` in which each load and each store is a scheduling point.
pub(crate) struct ArcSwapOption<T>(Mutex<Option<Arc<T>>>);

/// The result of a load.
pub(crate) struct Loaded<T>(Option<Arc<T>>);

impl<T> ArcSwapOption<T> {
    pub(crate) fn empty() -> Self {
        Self(Mutex::new(None))
    }

    pub(crate) fn load(&self) -> Loaded<T> {
        Loaded(locked(&self.0).clone())
    }

    pub(crate) fn store(&self, next: Option<Arc<T>>) {
        let before = std::mem::replace(&mut *locked(&self.0), next);
        drop(before);
    }
}

impl<T> Deref for Loaded<T> {
    type Target = Option<Arc<T>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> fmt::Debug for ArcSwapOption<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArcSwapOption")
    }
}

/// The only runtime.
pub(crate) struct Handle;

impl Handle {
    pub(crate) fn try_current() -> Result<Self, Infallible> {
        Ok(Self)
    }

    pub(crate) fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        spawn(task)
    }
}

/// Tasks that are aborted when the set is dropped.
pub(crate) struct JoinSet<T>(VecDeque<JoinHandle<T>>);

/// A task was aborted.
pub(crate) struct Aborted;

impl Aborted {
    /// Returns false: a panic in a task ends the test.
    pub(crate) fn is_panic(&self) -> bool {
        false
    }
}

impl<T: Send + 'static> JoinSet<T> {
    pub(crate) fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(crate) fn spawn(&mut self, task: impl Future<Output = T> + Send + 'static) {
        self.0.push_back(spawn(task));
    }

    /// Waits for the first task; the engine never has more.
    pub(crate) async fn join_next(&mut self) -> Option<Result<T, Aborted>> {
        let outcome: Result<T, JoinError> = self.0.front_mut()?.await;
        self.0.pop_front();
        Some(outcome.map_err(|_| Aborted))
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// The error of a timeout, which never ends here.
#[derive(Debug)]
pub(crate) struct Elapsed;

pub(crate) struct Timeout<F>(Pin<Box<F>>);

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

pub(crate) fn timeout<F: Future>(_: Duration, future: F) -> Timeout<F> {
    Timeout(Box::pin(future))
}

pub(crate) async fn sleep(_: Duration) {
    yield_now().await;
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A watch channel: a value, and the tasks that wait for its next version.
pub(crate) mod watch {
    use std::future::poll_fn;
    use std::marker::PhantomData;
    use std::task::Waker;

    use super::{Arc, Deref, Mutex, Poll, fmt, locked};

    struct Shared<T> {
        value: T,
        version: u64,
        is_closed: bool,
        wakers: Vec<Waker>,
    }

    pub(crate) struct Sender<T>(Arc<Mutex<Shared<T>>>);

    pub(crate) struct Receiver<T> {
        shared: Arc<Mutex<Shared<T>>>,
        seen: u64,
    }

    /// A received value.
    pub(crate) struct Ref<'a, T>(T, PhantomData<&'a T>);

    pub(crate) mod error {
        /// The sender was dropped.
        #[derive(Debug)]
        pub(crate) struct RecvError;
    }

    pub(crate) fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
        let (version, is_closed, wakers) = (0, false, Vec::new());
        let shared = Arc::new(Mutex::new(Shared { value, version, is_closed, wakers }));
        (Sender(shared.clone()), Receiver { shared, seen: 0 })
    }

    impl<T> Sender<T> {
        pub(crate) fn subscribe(&self) -> Receiver<T> {
            Receiver { shared: self.0.clone(), seen: locked(&self.0).version }
        }

        pub(crate) fn send_replace(&self, value: T) {
            self.change(|shared| {
                shared.value = value;
                shared.version += 1;
            });
        }

        fn change(&self, change: impl FnOnce(&mut Shared<T>)) {
            let mut shared = locked(&self.0);
            change(&mut shared);
            let wakers = std::mem::take(&mut shared.wakers);
            drop(shared);
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    impl<T> Drop for Sender<T> {
        fn drop(&mut self) {
            self.change(|shared| shared.is_closed = true);
        }
    }

    impl<T: Clone> Receiver<T> {
        pub(crate) async fn wait_for(
            &mut self,
            is_so: impl Fn(&T) -> bool,
        ) -> Result<Ref<'_, T>, error::RecvError> {
            poll_fn(|cx| {
                let mut shared = locked(&self.shared);
                if is_so(&shared.value) {
                    return Poll::Ready(Ok(Ref(shared.value.clone(), PhantomData)));
                }
                if shared.is_closed {
                    return Poll::Ready(Err(error::RecvError));
                }
                shared.wakers.push(cx.waker().clone());
                Poll::Pending
            })
            .await
        }

        pub(crate) async fn changed(&mut self) -> Result<(), error::RecvError> {
            poll_fn(|cx| {
                let mut shared = locked(&self.shared);
                if shared.version != self.seen {
                    self.seen = shared.version;
                    return Poll::Ready(Ok(()));
                }
                if shared.is_closed {
                    return Poll::Ready(Err(error::RecvError));
                }
                shared.wakers.push(cx.waker().clone());
                Poll::Pending
            })
            .await
        }

        pub(crate) fn mark_unchanged(&mut self) {
            self.seen = locked(&self.shared).version;
        }
    }

    impl<T> Clone for Receiver<T> {
        fn clone(&self) -> Self {
            Self { shared: self.shared.clone(), seen: self.seen }
        }
    }

    impl<T> Deref for Ref<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0
        }
    }

    impl<T> fmt::Debug for Sender<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Sender")
        }
    }

    impl<T> fmt::Debug for Receiver<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Receiver")
        }
    }
}
