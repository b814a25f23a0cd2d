//! The timer of a pool: one task that refreshes due tokens and removes expired and idle ones.
//!
//! A pool has up to a million entries with a deadline each. The requirements: a deadline that is set
//! or changed must cost nothing beyond the update of the entry, because a token is replaced once per
//! lifetime and per identity; an idle pool must not wake the machine more than twice a minute; and
//! refreshes must not take all permits, because callers wait for the others.
//!
//! Deadlines form a hierarchy of minima: each chunk of 64 entries stores its earliest deadline, each
//! shard the minimum over its chunks, and the task sleeps until the minimum over the shards. Setting
//! a deadline lowers three numbers. A sweep visits the shards and chunks that are due, classifies
//! all 64 entries of such a chunk, and writes the minima again. A minimum may be too early, after
//! its entry was removed or postponed, and then costs one useless sweep; the invariant is that it is
//! never too late. All deadlines are ticks of the boot clock, which continues during suspend.
//!
//! Rejected: a tokio timer or task per entry (some 200 bytes each, and a million wake-ups after a
//! suspend), a binary heap (16 to 24 bytes per entry, and stale elements for every replaced token),
//! and a timing wheel (its lists need two links per entry, and a step of the clock would move every
//! element; here it sets each minimum to zero).
//!
//! The task sleeps 30 s at most, because the runtime's clock stops during suspend and no event
//! reports a step of the wall clock. After each sleep it compares the clocks: if they have moved
//! apart, every entry is due once. If there is no permit for a refresh, the sweep ends there, and
//! the next released permit wakes the task, which continues with the same shard. The task ends when
//! the pool is empty, and holds a weak reference only, so that it never keeps a pool alive.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::entry::{Due, PoolEntry, from_ticks, ticks};
use super::flights::{RefreshCandidate, RefreshPermits};
use super::shard::{Shard, SweepAction};
use super::shared::Shared;
use crate::policy::Moment;

/// The longest sleep, and so the time in which a resume from suspend is noticed.
const MAX_SLEEP: Duration = Duration::from_secs(30);
/// The shortest sleep: entries that come due together are swept together.
const MIN_SLEEP: Duration = Duration::from_millis(50);
/// How often idle failures are removed.
const FAILURE_SWEEP_INTERVAL: Duration = Duration::from_secs(30);
/// How far the clocks may drift apart between two sweeps. More means that the wall clock was set or
/// the machine was suspended.
const TIMER_TOLERANCE: Duration = Duration::from_millis(500);

/// The outcome of one sweep.
struct SweepResult {
    candidates: Vec<RefreshCandidate>,
    dropped: usize,
}

/// Marks the timer as stopped when its task ends or is dropped.
struct RunningTimer {
    shared: Weak<Shared>,
    number: u64,
}

impl RunningTimer {
    fn finish(&self, shared: &Shared) {
        let running = &shared.timer.running;
        let _ = running.compare_exchange(self.number, 0, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Marks the task as running again; false if another task was started.
    fn should_continue(&self, shared: &Shared) -> bool {
        let running = &shared.timer.running;
        running.compare_exchange(0, self.number, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

impl Drop for RunningTimer {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            self.finish(&shared);
        }
    }
}

fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|negative| negative.duration())
}

async fn run_timer(running: RunningTimer, notify: Arc<Notify>) {
    let (mut swept, mut failures) = (None, None);
    while let Some(shared) = running.shared.upgrade() {
        let now = shared.now();
        let monotonic = shared.clock.coarse().map_or(now.boot, Duration::from_nanos);
        if swept.replace((now.wall(), monotonic)).is_some_and(|(wall, since)| {
            let expected = wall + monotonic.saturating_sub(since);
            apart(now.wall(), expected) > TIMER_TOLERANCE
        }) {
            shared.mark_all_due();
        }
        if failures.is_none_or(|last| now.since(last) >= FAILURE_SWEEP_INTERVAL) {
            failures = Some(now);
            shared.shards.iter().for_each(|shard| shared.drop_idle_failures(shard, now));
        }
        let sleep = shared.tick(now);
        if shared.is_idle() {
            running.finish(&shared);
            // A caller may have added an entry while it saw this task running.
            if shared.is_idle() || !running.should_continue(&shared) {
                return;
            }
        }
        drop(shared);
        let _ = timeout(sleep, notify.notified()).await;
    }
}

impl Shared {
    /// Makes sure that the timer's task runs and wakes at `due`.
    pub(super) fn schedule_timer(self: &Arc<Self>, due: u64) {
        self.run_timer();
        self.timer.wake_if_earlier(due);
    }

    /// Wakes the timer's task, because a caller has seen a token that is due for refresh.
    #[cold]
    pub(super) fn wake_timer(self: &Arc<Self>) {
        let is_woken = &self.timer.is_woken;
        if is_woken.load(Ordering::Relaxed) || is_woken.swap(true, Ordering::Relaxed) {
            return;
        }
        self.run_timer();
        if !self.timer.is_blocked.load(Ordering::SeqCst) {
            self.timer.notify.notify_one();
        }
    }

    /// Starts the timer's task if it does not run and there is a runtime.
    pub(super) fn run_timer(self: &Arc<Self>) {
        let timer = &self.timer;
        if timer.running.load(Ordering::SeqCst) != 0 {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let mut task = timer.task();
        if timer.running.load(Ordering::SeqCst) != 0 || self.is_closed.load(Ordering::SeqCst) {
            return;
        }
        let number = timer.started.fetch_add(1, Ordering::SeqCst) + 1;
        timer.running.store(number, Ordering::SeqCst);
        let running = RunningTimer { shared: Arc::downgrade(self), number };
        // A runtime that shuts down drops the task at once; the drop takes no lock.
        let spawned = runtime.spawn(run_timer(running, timer.notify.clone()));
        *task = Some(spawned.abort_handle());
    }

    /// Returns whether the timer has no work.
    fn is_idle(&self) -> bool {
        let count = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        count(&self.counts.entries) == 0 && count(&self.counts.active) == 0
    }

    /// Sweeps all due shards, as far as there are permits, and returns how long to sleep.
    fn tick(self: &Arc<Self>, now: Moment) -> Duration {
        let timer = &self.timer;
        timer.is_woken.store(false, Ordering::Relaxed);
        timer.is_blocked.store(false, Ordering::SeqCst);
        let (tick, first_shard) = (ticks(now.boot), timer.first_shard.load(Ordering::Relaxed));
        let mut next = u64::MAX;
        for number in 0..self.shards.len() {
            let number = (first_shard + number) & (self.shards.len() - 1);
            let shard = &self.shards[number];
            if shard.due() <= tick {
                self.sweep_shard(shard, now);
                if timer.is_blocked.load(Ordering::SeqCst) {
                    timer.first_shard.store(number, Ordering::Relaxed);
                    break;
                }
            }
            next = next.min(shard.due());
        }
        timer.planned.store(next, Ordering::SeqCst);
        if timer.is_blocked.load(Ordering::SeqCst) {
            // The next released permit wakes the task.
            return MAX_SLEEP;
        }
        // An entry may have become due before `planned` was set.
        let next = self.shards.iter().map(Shard::due).min().unwrap_or(next);
        from_ticks(next.saturating_sub(tick)).clamp(MIN_SLEEP, MAX_SLEEP)
    }

    fn sweep_shard(self: &Arc<Self>, shard: &Shard, now: Moment) {
        let (tick, mut result) =
            (ticks(now.boot), SweepResult { candidates: Vec::new(), dropped: 0 });
        let mut entries = shard.write();
        let due = entries.sweep(&self.hasher, tick, |entry| self.classify(entry, now, &mut result));
        shard.set_deadline(due);
        drop(entries);
        self.count_removed(result.dropped, &self.counts.dropped);
        for candidates in result.candidates {
            if !self.refresh(candidates) {
                self.timer.permit_released();
            }
        }
    }

    fn classify(
        &self,
        entry: &mut PoolEntry,
        now: Moment,
        result: &mut SweepResult,
    ) -> SweepAction {
        let tick = ticks(now.boot);
        match entry.due(now, self.idle) {
            Due::After(wait) => SweepAction::Keep(tick + wait),
            Due::Drop => {
                result.dropped += 1;
                SweepAction::Remove
            }
            Due::Refresh => {
                let Some(permits) = self.refresh_permits().or_else(|| {
                    // A permit that is released after this wakes the timer: try once more.
                    self.timer.is_blocked.store(true, Ordering::SeqCst);
                    self.refresh_permits()
                }) else {
                    return SweepAction::Stop;
                };
                let (key, token) = (entry.key.clone(), entry.token.clone());
                result.candidates.push(RefreshCandidate {
                    key,
                    token,
                    validity: entry.validity(now),
                    permits,
                });
                entry.suppress_refresh();
                match entry.due(now, self.idle) {
                    Due::After(wait) => SweepAction::Keep(tick + wait),
                    _ => SweepAction::Keep(tick + 1),
                }
            }
        }
    }

    /// Takes the permits for a refresh, if they are free.
    fn refresh_permits(&self) -> Option<RefreshPermits> {
        let refresh = self.refreshes.clone().try_acquire_owned().ok()?;
        Some((refresh, self.exchanges.clone().try_acquire_owned().ok()?))
    }

    /// Makes every entry due, because a clock has jumped.
    fn mark_all_due(&self) {
        for shard in &self.shards {
            shard.write().mark_all_due();
            shard.set_deadline(0);
        }
    }
}
