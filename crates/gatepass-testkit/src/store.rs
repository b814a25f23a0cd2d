//! The contract of [`TokenStore`] as one test per rule.
//!
//! In a crate with a store:
//!
//! ```
//! use gatepass_engine::MemoryStore;
//! use gatepass_testkit::TestClock;
//! use gatepass_testkit::store::StoreFixture;
//!
//! fn open(clock: TestClock) -> StoreFixture {
//!     StoreFixture::new(MemoryStore::new().with_clock(clock))
//! }
//!
//! #[cfg(test)]
//! gatepass_testkit::store_contract!(super::open);
//! ```

mod acquiring;
mod history;
mod leases;
mod records;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatepass_core::{CacheKey, Endpoint, Error, Request, Token};
use gatepass_engine::{
    FailureRecord, Lease, ProfileKey, Record, SaveOutcome, StoreKey, TokenStore,
};
use tokio::runtime::Builder;

use crate::TestClock;

pub use self::acquiring::{
    accepted_record_is_found_without_waiting, acquire_on_an_empty_store_takes_the_lease,
    acquire_returns_busy_after_its_wait, failure_satisfies_every_requirement_except_fresh,
    fresh_requirement_ignores_every_record, record_stored_during_the_wait_is_found,
    stopped_holder_has_one_successor_at_most, twenty_callers_of_acquire_send_one_token_request,
    unaccepted_record_yields_the_lease,
};
pub use self::history::{
    clear_history_removes_one_profile_only, concurrent_appends_lose_no_entry,
    different_secrets_have_different_fingerprints, forget_keeps_the_history,
    history_entries_are_returned_unchanged, history_keeps_the_latest_entries,
};
pub use self::leases::{
    abandoned_wait_takes_no_lease, dropped_lease_is_free, lease_excludes_others_of_its_key,
    twenty_tasks_send_one_token_request, waiter_gets_the_released_lease,
    waiting_for_a_lease_is_bounded,
};
pub use self::records::{
    changed_secret_profile_or_provider_is_a_miss, clock_set_back_never_extends_validity,
    debug_output_shows_no_secret, expired_record_is_neither_loaded_nor_saved,
    failure_never_hides_a_usable_token, forget_removes_one_profile_only, longest_token_is_stored,
    older_record_never_replaces_a_newer_one, records_are_listed_latest_first,
    save_after_forget_is_refused, saved_failure_is_loaded_unchanged,
    saved_token_is_loaded_unchanged,
};

/// An empty store under test and the resources that it needs.
pub struct StoreFixture {
    store: Arc<dyn TokenStore>,
    resources: Vec<Box<dyn Any>>,
}

/// A function that opens an empty store, which reads the time from the clock.
pub type OpenStore<'a> = &'a dyn Fn(TestClock) -> StoreFixture;

/// A check of the contract, which panics if the store violates it.
pub type StoreCheck = fn(OpenStore<'_>);

impl StoreFixture {
    /// Creates a fixture with this store.
    pub fn new(store: impl TokenStore + 'static) -> Self {
        Self { store: Arc::new(store), resources: Vec::new() }
    }

    /// Keeps a resource until the check ends, such as a temporary directory or a server process.
    pub fn keep(mut self, resource: impl Any) -> Self {
        self.resources.push(Box::new(resource));
        self
    }
}

impl fmt::Debug for StoreFixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreFixture").field("store", &self.store).finish_non_exhaustive()
    }
}

#[doc(hidden)]
#[macro_export]
macro_rules! __for_each_store_check {
    ($then:ident $($arguments:tt)*) => {
        $crate::$then! {
            [
                saved_token_is_loaded_unchanged
                saved_failure_is_loaded_unchanged
                longest_token_is_stored
                changed_secret_profile_or_provider_is_a_miss
                older_record_never_replaces_a_newer_one
                failure_never_hides_a_usable_token
                expired_record_is_neither_loaded_nor_saved
                clock_set_back_never_extends_validity
                forget_removes_one_profile_only
                save_after_forget_is_refused
                records_are_listed_latest_first
                debug_output_shows_no_secret
                lease_excludes_others_of_its_key
                waiting_for_a_lease_is_bounded
                dropped_lease_is_free
                waiter_gets_the_released_lease
                abandoned_wait_takes_no_lease
                twenty_tasks_send_one_token_request
                acquire_on_an_empty_store_takes_the_lease
                accepted_record_is_found_without_waiting
                unaccepted_record_yields_the_lease
                failure_satisfies_every_requirement_except_fresh
                fresh_requirement_ignores_every_record
                acquire_returns_busy_after_its_wait
                record_stored_during_the_wait_is_found
                stopped_holder_has_one_successor_at_most
                twenty_callers_of_acquire_send_one_token_request
                history_entries_are_returned_unchanged
                history_keeps_the_latest_entries
                clear_history_removes_one_profile_only
                forget_keeps_the_history
                different_secrets_have_different_fingerprints
                concurrent_appends_lose_no_entry
            ]
            $($arguments)*
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_tests {
    ([$($check:ident)*] $open:expr) => {
        mod store_contract {
            $(
                #[test]
                fn $check() {
                    $crate::store::$check(&$open);
                }
            )*
        }
    };
}

/// Generates a module with one test per check of [`store`](crate::store).
///
/// The argument opens an empty store: a `Fn(TestClock) -> StoreFixture`. Each check calls it at
/// least once. The tests run on a multi-threaded tokio runtime.
#[macro_export]
macro_rules! store_contract {
    ($open:expr $(,)?) => {
        $crate::__for_each_store_check! { __store_tests $open }
    };
}

/// All checks with their names.
pub const ALL: &[(&str, StoreCheck)] = crate::__for_each_store_check!(__table);

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
/// The time by which a call may exceed its wait on a busy machine.
const WAIT_TOLERANCE: Duration = Duration::from_secs(5);

/// A store under test with its clock.
struct Store {
    store: Arc<dyn TokenStore>,
    clock: TestClock,
    _fixture: StoreFixture,
}

/// Runs a check on a new store.
fn check<F: Future>(open: OpenStore<'_>, check: impl FnOnce(Store) -> F) {
    let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build();
    runtime.expect("the runtime builds").block_on(async {
        let clock = TestClock::new();
        let fixture = open(clock.clone());
        check(Store { store: fixture.store.clone(), clock, _fixture: fixture }).await;
    });
}

impl Store {
    fn now(&self) -> SystemTime {
        use gatepass_core::Clock;
        self.clock.wall()
    }

    async fn lease(&self, key: &StoreKey, wait: Duration) -> Option<Box<dyn Lease>> {
        self.store.lease(key, wait).await.expect("the store works")
    }

    /// Saves a record under a lease of its own.
    async fn save(&self, key: &StoreKey, record: &Record) -> SaveOutcome {
        let lease = self.lease(key, HOUR).await.expect("the lease is free");
        lease.save(record).await.expect("the store works")
    }

    async fn save_new(&self, key: &StoreKey, record: &Record) {
        assert_eq!(self.save(key, record).await, SaveOutcome::Kept, "{record:?}");
    }

    /// Loads the record of a key: the token's value, `failure` or `none`.
    async fn load_text(&self, key: &StoreKey) -> String {
        text(self.store.load(key).await.expect("the store works").as_ref())
    }
}

fn text(record: Option<&Record>) -> String {
    match record {
        Some(Record::Token(token)) => token.expose_secret().to_owned(),
        Some(Record::Failure(_)) => "failure".to_owned(),
        _ => "none".to_owned(),
    }
}

fn key(profile: &str, secret: &str) -> StoreKey {
    provider_key(profile, "example", secret)
}

fn provider_key(profile: &str, provider: &str, secret: &str) -> StoreKey {
    let endpoint = Endpoint::parse("https://vendor.example.com/token").expect("an endpoint");
    let form = [("client_id", "client"), ("client_secret", secret)];
    let cache_key = CacheKey::from_request(&Request::post(endpoint).form(form));
    StoreKey::new(&ProfileKey::new(profile), provider, &cache_key)
}

/// Returns a token record that is valid for an hour.
fn token(text: &str, issued_at: SystemTime) -> Record {
    let token = Token::builder(text.into(), issued_at).scope(Some("read write"));
    Record::Token(token.expires_in(HOUR.into()).build().expect("a token"))
}

fn failure(failed_at: SystemTime, cooldown: Duration) -> Record {
    let error = Error::denied("the vendor refused the credential");
    Record::Failure(FailureRecord::new(&error, failed_at, failed_at + cooldown))
}
