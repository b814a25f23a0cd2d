//! Checks of the history of token requests.
//!
//! The history is optional: a store that returns no entry after an append passes all checks.

use std::time::Duration;

use gatepass_core::{Credential, Error};
use gatepass_engine::{HistoryEntry, NextStep, ProfileKey};

use super::{HOUR, OpenStore, SECOND, Store, check};

impl Store {
    async fn append(&self, profile: &ProfileKey, entry: &HistoryEntry) {
        self.store.append_history(profile, entry).await.expect("the store works");
    }

    async fn history(&self, profile: &ProfileKey) -> Vec<HistoryEntry> {
        self.store.history(profile).await.expect("the store works")
    }

    /// Returns the numbers of the stored entries, which [`entry`](Self::entry) assigned.
    async fn numbers(&self, profile: &ProfileKey) -> Vec<u128> {
        self.history(profile).await.iter().map(|entry| entry.took().as_millis()).collect()
    }

    /// Creates an entry with a number, which is stored as its duration.
    fn entry(&self, number: u64) -> HistoryEntry {
        let took = Duration::from_millis(number);
        HistoryEntry::new("example", self.now(), took, Ok(self.now() + HOUR))
            .with_credential(&Credential::client("client", "secret"))
            .with_origin("https://vendor.example.com")
    }

    /// Returns whether the store has a history, by appending an entry and removing it.
    async fn has_history(&self) -> bool {
        let profile = ProfileKey::new("probe");
        self.append(&profile, &self.entry(0)).await;
        let has_history = !self.history(&profile).await.is_empty();
        self.store.clear_history(&profile).await.expect("the store works");
        has_history
    }
}

fn prod() -> ProfileKey {
    ProfileKey::new("prod")
}

/// Checks that every property of an entry is stored, with a fingerprint of the credential.
pub fn history_entries_are_returned_unchanged(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        if !store.has_history().await {
            return;
        }
        let at = store.now();
        let error = Error::denied("refused").with_status(401).with_vendor_code("invalid_client");
        let error = error.with_vendor_text("no such client").hint("act");
        let saved = HistoryEntry::new("example", at, 7 * SECOND, Err(&error))
            .with_next_step(NextStep::Denied(at + HOUR))
            .with_process(4711, "token");
        store.append(&prod(), &saved).await;
        store.append(&prod(), &store.entry(2)).await;
        let [first, second]: [HistoryEntry; 2] =
            store.history(&prod()).await.try_into().expect("two entries");
        assert_eq!(format!("{first:?}"), format!("{saved:?}"));
        assert_eq!(first.error().map(|error| error.to_string()), Some(error.to_string()));
        assert_eq!((first.expires_at(), first.fingerprint()), (None, None));
        assert_eq!(second.expires_at(), Some(at + HOUR));
        assert_eq!(second.origin(), Some("https://vendor.example.com"));
        assert_eq!(second.fingerprint().map(str::len), Some(8));
        assert!(second.error().is_none());
    });
}

/// Checks that the latest entries of each profile are stored, oldest first.
pub fn history_keeps_the_latest_entries(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        if !store.has_history().await {
            return;
        }
        let other = ProfileKey::new("other");
        store.append(&other, &store.entry(7)).await;
        let limit = HistoryEntry::MAX_ENTRIES as u64;
        for number in 0..limit + 8 {
            store.append(&prod(), &store.entry(number)).await;
        }
        let latest: Vec<u128> = (8..u128::from(limit) + 8).collect();
        assert_eq!(store.numbers(&prod()).await, latest);
        assert_eq!(store.numbers(&other).await, [7]);
    });
}

/// Checks that `clear_history` counts and removes the entries of one profile.
pub fn clear_history_removes_one_profile_only(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        if !store.has_history().await {
            return;
        }
        let other = ProfileKey::new("other");
        store.append(&other, &store.entry(7)).await;
        for number in 0..3 {
            store.append(&prod(), &store.entry(number)).await;
        }
        assert_eq!(store.store.clear_history(&prod()).await.expect("a count"), 3);
        assert_eq!(store.store.clear_history(&prod()).await.expect("a count"), 0);
        assert!(store.history(&prod()).await.is_empty());
        assert_eq!(store.numbers(&other).await, [7]);
        store.append(&prod(), &store.entry(4)).await;
        assert_eq!(store.numbers(&prod()).await, [4]);
    });
}

/// Checks that `forget` keeps the history, which explains why a token was forgotten.
pub fn forget_keeps_the_history(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        if !store.has_history().await {
            return;
        }
        store.append(&prod(), &store.entry(1)).await;
        assert_eq!(store.store.forget(&prod()).await.expect("a count"), 0);
        assert_eq!(store.numbers(&prod()).await, [1]);
    });
}

/// Checks that equal credentials have equal fingerprints and different ones have different ones.
pub fn different_secrets_have_different_fingerprints(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        if !store.has_history().await {
            return;
        }
        for secret in ["s-1", "s-2", "s-1"] {
            let credential = Credential::client("client", secret);
            store.append(&prod(), &store.entry(0).with_credential(&credential)).await;
        }
        let entries = store.history(&prod()).await;
        let fingerprints: Vec<_> = entries.iter().map(HistoryEntry::fingerprint).collect();
        assert!(fingerprints[0].is_some());
        assert_eq!(fingerprints[0], fingerprints[2]);
        assert_ne!(fingerprints[0], fingerprints[1]);
        let unkeyed = store.entry(0).with_credential(&Credential::client("client", "s-1"));
        assert_eq!(unkeyed.fingerprint(), None);
    });
}

/// Checks that all entries of tasks that append at the same time are stored.
pub fn concurrent_appends_lose_no_entry(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        if !store.has_history().await {
            return;
        }
        let tasks = (0..20).map(|number| {
            let (entry, store) = (store.entry(number), store.store.clone());
            tokio::spawn(async move { store.append_history(&prod(), &entry).await })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("the task does not panic").expect("the store works");
        }
        let mut numbers = store.numbers(&prod()).await;
        numbers.sort_unstable();
        assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    });
}
