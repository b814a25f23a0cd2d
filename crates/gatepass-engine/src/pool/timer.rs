//! Timer: the one task that refreshes a pool's tokens and drops those that nobody wants.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::entry::{Due, Entry, length, ticks};
use super::flights::{Aging, Turn};
use super::shard::{Shard, Verdict};
use super::shared::Shared;
use crate::policy::Moment;

/// The longest sleep: a machine that wakes from suspend is noticed after this time at the latest.
const LONGEST: Duration = Duration::from_secs(30);
/// The shortest: what comes due together is looked at together.
const SHORTEST: Duration = Duration::from_millis(50);
/// How often failures are looked at that nobody asks about any more.
const FAILURES: Duration = Duration::from_secs(30);
/// A wall clock that has moved by more, beside the other one, was set; or there was a suspend.
const SET: u64 = 500_000_000;

/// It runs only while there is something to wait for.
#[derive(Debug, Default)]
pub(super) struct Timer {
    task: Mutex<Option<AbortHandle>>,
    /// The number of the task that runs; none is 0.
    running: AtomicU64,
    started: AtomicU64,
    /// What it sleeps until, in ticks of the boot clock.
    planned: AtomicU64,
    wake: Arc<Notify>,
    is_nudged: AtomicBool,
    /// Whether something is due that waits for others to end.
    is_held_up: AtomicBool,
    /// The shard that is looked at first: where the last look was cut short.
    first: AtomicUsize,
}

/// What one look leads to.
struct Round {
    aging: Vec<Aging>,
    dropped: usize,
}

impl Timer {
    /// Makes sure that it wakes at `due`.
    pub(super) fn due_by(&self, shared: &Arc<Shared>, due: u64) {
        self.run(shared);
        self.sooner(due);
    }

    /// Wakes it if it would sleep past `due`.
    pub(super) fn sooner(&self, due: u64) {
        if due < self.planned.load(Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    /// Somebody has seen a token that is to be refreshed.
    #[cold]
    pub(super) fn nudge(&self, shared: &Arc<Shared>) {
        if self.is_nudged.load(Ordering::Relaxed) || self.is_nudged.swap(true, Ordering::Relaxed) {
            return;
        }
        self.run(shared);
        if !self.is_held_up.load(Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    /// An exchange has ended: another may begin.
    pub(super) fn turn_is_free(&self) {
        if self.is_held_up.load(Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    pub(super) fn stop(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }

    /// Starts it, if it does not run and there is a runtime to run in.
    pub(super) fn run(&self, shared: &Arc<Shared>) {
        if self.running.load(Ordering::SeqCst) != 0 {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if self.running.load(Ordering::SeqCst) != 0 || shared.is_closed.load(Ordering::SeqCst) {
            return;
        }
        let number = self.started.fetch_add(1, Ordering::SeqCst) + 1;
        self.running.store(number, Ordering::SeqCst);
        let running = Running { shared: Arc::downgrade(shared), number };
        // A runtime that shuts down drops it here and now; that takes no lock.
        let spawned = runtime.spawn(tick_on(running, self.wake.clone()));
        *task = Some(spawned.abort_handle());
    }
}

/// Says that no task runs once this one ends, however it does.
struct Running {
    shared: Weak<Shared>,
    number: u64,
}

impl Running {
    fn over(&self, shared: &Shared) {
        let running = &shared.timer.running;
        let _ = running.compare_exchange(self.number, 0, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// False if another one runs by now.
    fn goes_on(&self, shared: &Shared) -> bool {
        let running = &shared.timer.running;
        running.compare_exchange(0, self.number, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            self.over(&shared);
        }
    }
}

async fn tick_on(running: Running, wake: Arc<Notify>) {
    let (mut ahead, mut failures) = (None, None);
    while let Some(shared) = running.shared.upgrade() {
        let now = shared.now();
        let offset = shared.clock.coarse().ahead();
        let was = ahead.replace(offset).unwrap_or(offset);
        if offset.wrapping_sub(was).wrapping_add(SET) > 2 * SET {
            shared.rouse();
        }
        if failures.is_none_or(|last| now.since(last) >= FAILURES) {
            failures = Some(now);
            shared.shards.iter().for_each(|shard| shared.drop_idle_failures(shard, now));
        }
        let sleep = shared.tick(now);
        if shared.is_idle() {
            running.over(&shared);
            // Whoever came meanwhile saw this one running.
            if shared.is_idle() || !running.goes_on(&shared) {
                return;
            }
        }
        drop(shared);
        let _ = timeout(sleep, wake.notified()).await;
    }
}

impl Shared {
    /// Whether there is nothing to wait for.
    fn is_idle(&self) -> bool {
        let count = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        count(&self.counts.entries) == 0 && count(&self.counts.active) == 0
    }

    /// Does all that is due, as far as there are places for it, and says how long there is nothing.
    fn tick(self: &Arc<Self>, now: Moment) -> Duration {
        let timer = &self.timer;
        timer.is_nudged.store(false, Ordering::Relaxed);
        timer.is_held_up.store(false, Ordering::SeqCst);
        let (tick, first) = (ticks(now.boot), timer.first.load(Ordering::Relaxed));
        let mut next = u64::MAX;
        for number in 0..self.shards.len() {
            let number = (first + number) & (self.shards.len() - 1);
            let shard = &self.shards[number];
            if shard.due() <= tick {
                self.look_at(shard, now);
                if timer.is_held_up.load(Ordering::SeqCst) {
                    timer.first.store(number, Ordering::Relaxed);
                    break;
                }
            }
            next = next.min(shard.due());
        }
        timer.planned.store(next, Ordering::SeqCst);
        if timer.is_held_up.load(Ordering::SeqCst) {
            // Whatever ends, wakes it.
            return LONGEST;
        }
        // Something may have come due while it was not yet planned for.
        let next = self.shards.iter().map(Shard::due).min().unwrap_or(next);
        length(next.saturating_sub(tick)).clamp(SHORTEST, LONGEST)
    }

    fn look_at(self: &Arc<Self>, shard: &Shard, now: Moment) {
        let (tick, mut round) = (ticks(now.boot), Round { aging: Vec::new(), dropped: 0 });
        let mut entries = shard.write();
        let due = entries.sweep(&self.hasher, tick, |entry| self.judge(entry, now, &mut round));
        shard.due_at(due);
        drop(entries);
        self.gone(round.dropped, &self.counts.dropped);
        for aging in round.aging {
            if !self.refresh(aging) {
                self.timer.turn_is_free();
            }
        }
    }

    fn judge(&self, entry: &mut Entry, now: Moment, round: &mut Round) -> Verdict {
        let tick = ticks(now.boot);
        match entry.due(now, self.idle) {
            Due::In(wait) => Verdict::Keep(tick + wait),
            Due::Drop => {
                round.dropped += 1;
                Verdict::Remove
            }
            Due::Refresh => {
                let Some(turn) = self.turn().or_else(|| {
                    // Whoever ends after this wakes the timer, so look once more.
                    self.timer.is_held_up.store(true, Ordering::SeqCst);
                    self.turn()
                }) else {
                    return Verdict::Stop;
                };
                let (key, token) = (entry.key.as_str().into(), entry.token.clone());
                round.aging.push(Aging { key, token, life: entry.life(now), turn });
                entry.be_quiet();
                match entry.due(now, self.idle) {
                    Due::In(wait) => Verdict::Keep(tick + wait),
                    _ => Verdict::Keep(tick + 1),
                }
            }
        }
    }

    /// A place for a refresh, if there is one now.
    fn turn(&self) -> Option<Turn> {
        let refresh = self.refreshes.clone().try_acquire_owned().ok()?;
        Some((refresh, self.exchanges.clone().try_acquire_owned().ok()?))
    }

    /// Makes everything due: a clock has moved.
    fn rouse(&self) {
        for shard in &self.shards {
            shard.write().rouse();
            shard.due_at(0);
        }
    }
}
