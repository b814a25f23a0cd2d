//! Wrong engines, for tests only: each has one fault, which the tests must find.
//!
//! Without the feature `__wrong-engines` there is none, and asking costs nothing.

#![cfg_attr(
    not(feature = "__wrong-engines"),
    expect(dead_code, unreachable_pub, reason = "only the feature lets anybody choose")
)]

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wrong {
    /// Who finds no token does not look again once it has the lock.
    NoSecondLook,
    /// Who comes during a flight starts another.
    NobodyJoins,
    /// A flight's end wakes one waiter.
    OneIsTold,
    /// A flight ends with any of its waiters.
    LeaderFlies,
    /// A life counts from when the answer came.
    LifeFromReceipt,
    /// Only the wall clock counts.
    WallClockOnly,
    /// Only the boot clock counts.
    BootClockOnly,
    /// A changed secret is taken for the one that was refused.
    KeyWithoutSecret,
    /// The first secret is used for ever.
    SecretIsKept,
    /// A refused secret is sent again.
    RefusedIsSentAgain,
    /// What was invalidated during a flight may come with it.
    InvalidationUnfenced,
    /// A late report takes the newer token.
    LateReportCounts,
    /// An aging token is not served.
    RefreshIsWaitedFor,
    /// A token is refreshed from the start.
    RefreshesFresh,
    /// A failed refresh forgets the token.
    FailureForgets,
    /// A failure is not rested after.
    RestForgotten,
    /// What the vendor says about when to come again is not heard.
    RetryAfterIgnored,
    /// After a panic nothing is told to anybody.
    PanicPoisons,
    /// The third token is the first.
    GoesBack,
    /// The next token of one source is another's.
    Crosses,
    /// Closing leaves the flight alone.
    CloseLetsFly,
    /// Chance does not begin where the seed says.
    SeedIgnored,
}

/// Whether the engine has this fault.
#[inline]
pub(crate) fn is(wrong: Wrong) -> bool {
    #[cfg(feature = "__wrong-engines")]
    return chosen::is(wrong);
    #[cfg(not(feature = "__wrong-engines"))]
    {
        let _ = wrong;
        false
    }
}

/// What a source holds next instead of `next`. `key` says which source it is.
#[cfg(feature = "__wrong-engines")]
pub(crate) fn next<T: Send + Sync + 'static>(
    key: usize,
    next: std::sync::Arc<T>,
) -> std::sync::Arc<T> {
    let before = chosen::shelve(key, &next);
    let mut of = before.iter().filter(|(of, _)| (*of == key) != is(Wrong::Crosses));
    let earlier = match (is(Wrong::GoesBack), is(Wrong::Crosses)) {
        (true, _) if of.clone().count() >= 2 => of.next(),
        (_, true) => of.next_back(),
        _ => None,
    };
    earlier.and_then(|(_, held)| held.clone().downcast().ok()).unwrap_or(next)
}

/// What is read: the first of its kind, if that is kept.
#[cfg(feature = "__wrong-engines")]
pub(crate) fn read<T: Clone + Send + Sync + 'static>(key: usize, read: T) -> T {
    if !is(Wrong::SecretIsKept) {
        return read;
    }
    let read = std::sync::Arc::new(read);
    let before = chosen::shelve(key, &read);
    let first = before.into_iter().find(|(of, kept)| *of == key && kept.is::<T>());
    let first = first.and_then(|(_, kept)| kept.downcast().ok()).unwrap_or(read);
    T::clone(&first)
}

/// What ends a flight when one of its waiters goes, if that is the fault.
#[cfg(feature = "__wrong-engines")]
pub(crate) struct Leader(std::sync::Weak<crate::cache::Cache>, u64);

#[cfg(feature = "__wrong-engines")]
pub(crate) fn leader(cache: &std::sync::Arc<crate::cache::Cache>, flight: u64) -> Option<Leader> {
    is(Wrong::LeaderFlies).then(|| Leader(std::sync::Arc::downgrade(cache), flight))
}

#[cfg(feature = "__wrong-engines")]
impl Drop for Leader {
    fn drop(&mut self) {
        if let Some(cache) = self.0.upgrade() {
            cache.end_flight(self.1, None);
        }
    }
}

#[cfg(feature = "__wrong-engines")]
pub use self::chosen::{begin, with};

#[cfg(feature = "__wrong-engines")]
mod chosen {
    use std::any::Any;
    use std::cell::{Cell, RefCell};
    use std::sync::Arc;

    use super::Wrong;

    type Shelf = Vec<(usize, Arc<dyn Any + Send + Sync>)>;

    thread_local! {
        static CHOSEN: Cell<Option<Wrong>> = const { Cell::new(None) };
        static SHELF: RefCell<Shelf> = const { RefCell::new(Vec::new()) };
    }

    /// Runs `test` while the engines of this thread have this fault.
    pub fn with<T>(wrong: Wrong, test: impl FnOnce() -> T) -> T {
        struct Right;
        impl Drop for Right {
            fn drop(&mut self) {
                CHOSEN.set(None);
                begin();
            }
        }
        let _right = Right;
        CHOSEN.set(Some(wrong));
        test()
    }

    /// A case begins: what the one before left is gone.
    pub fn begin() {
        SHELF.take();
    }

    pub(super) fn is(wrong: Wrong) -> bool {
        CHOSEN.get() == Some(wrong)
    }

    /// What is on the shelf so far; this is put there, too.
    pub(super) fn shelve<T: Any + Send + Sync>(key: usize, next: &Arc<T>) -> Shelf {
        if CHOSEN.get().is_none() {
            return Shelf::new();
        }
        let before = SHELF.with_borrow(Clone::clone);
        SHELF.with_borrow_mut(|shelf| shelf.push((key, next.clone())));
        before
    }
}

#[cfg(not(feature = "__wrong-engines"))]
pub(crate) fn next<T>(_: usize, next: T) -> T {
    next
}

#[cfg(not(feature = "__wrong-engines"))]
pub(crate) fn read<T>(_: usize, read: T) -> T {
    read
}
