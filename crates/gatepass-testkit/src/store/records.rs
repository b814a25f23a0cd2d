//! Checks of the records that a store saves, replaces and forgets.

use gatepass_core::{Error, ErrorKind, Expiry, Hint, MAX_TOKEN, Retry, Token};
use gatepass_engine::{FailureRecord, Record, SaveOutcome};

use super::{HOUR, OpenStore, SECOND, Store, check, failure, key, provider_key, text, token};
use crate::{canary, find_leak};

/// Checks that every property of a token is stored, except its extra fields.
pub fn saved_token_is_loaded_unchanged(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let (key, sent) = (key("prod", "s-1"), store.now());
        for expiry in [Expiry::Vendor, Expiry::Jwt, Expiry::Configured, Expiry::Assumed] {
            let saved = Token::builder("t-1".into(), sent)
                .scope(Some("a b"))
                .extra("refresh_token", Some("r-1".into()))
                .extra("id_token", Some("i-1".into()))
                .build_with_expiry(sent + HOUR, expiry)
                .expect("a token");
            store.save_new(&key, &Record::Token(saved.clone())).await;
            let Some(Record::Token(loaded)) = store.store.load(&key).await.expect("a record")
            else {
                panic!("the token is not loaded");
            };
            assert_eq!(loaded.authorization(), saved.authorization());
            assert_eq!(loaded.issued_at(), saved.issued_at());
            assert_eq!(loaded.expires_at(), saved.expires_at());
            assert_eq!((loaded.expiry(), loaded.scope()), (expiry, Some("a b")));
            assert!(loaded.extra("refresh_token").is_none() && loaded.extra("id_token").is_none());
        }
    });
}

/// Checks that every property of a failure is stored and that the failure ends on time.
pub fn saved_failure_is_loaded_unchanged(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let (key, now) = (key("prod", "s-1"), store.now());
        let error = Error::throttled("too many requests")
            .hint("wait")
            .hint(Hint::gatepass("or log in", ["login", "a b"]))
            .with_status(429)
            .with_vendor_code("slow_down")
            .with_vendor_text("come back later");
        let saved = FailureRecord::new(&error, now, now + 30 * SECOND);
        store.save_new(&key, &Record::Failure(saved.clone())).await;
        let Some(Record::Failure(loaded)) = store.store.load(&key).await.expect("a record") else {
            panic!("the failure is not loaded");
        };
        assert_eq!(loaded, saved);
        let again = loaded.error(now + 10 * SECOND);
        assert_eq!(again.to_string(), error.to_string());
        assert_eq!((again.kind(), again.retry()), (ErrorKind::Throttled, Retry::Later));
        assert_eq!((again.hints(), again.retry_after()), (error.hints(), Some(20 * SECOND)));
        store.clock.advance(30 * SECOND);
        assert_eq!(store.load_text(&key).await, "none");
    });
}

/// Checks that the longest token that core accepts can be stored.
pub fn longest_token_is_stored(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let (key, long) = (key("prod", "s-1"), "t".repeat(MAX_TOKEN));
        let token = Token::builder(long.as_str().into(), store.now()).scope(Some(&long));
        let token = token.expires_in(HOUR.into()).build().expect("a token");
        store.save_new(&key, &Record::Token(token)).await;
        assert_eq!(store.load_text(&key).await, long);
    });
}

/// Checks that each part of a key selects another record.
pub fn changed_secret_profile_or_provider_is_a_miss(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        store.save_new(&key("prod", "s-1"), &token("t-1", store.now())).await;
        assert_eq!(store.load_text(&key("prod", "s-1")).await, "t-1");
        let others = [key("prod", "s-2"), key("test", "s-1"), provider_key("prod", "other", "s-1")];
        for other in others {
            assert_eq!(store.load_text(&other).await, "none");
        }
    });
}

/// Checks that a slow process cannot overwrite a newer token, but may write one of the same age.
pub fn older_record_never_replaces_a_newer_one(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let (key, now) = (key("prod", "s-1"), store.now());
        store.save_new(&key, &token("newer", now)).await;
        let older = now - SECOND / 100;
        assert_eq!(store.save(&key, &token("older", older)).await, SaveOutcome::Older);
        assert_eq!(store.load_text(&key).await, "newer");
        store.save_new(&key, &token("as-new", now)).await;
        assert_eq!(store.load_text(&key).await, "as-new");
        // A newer failure no longer prevents saving a token after the failure's end.
        let other = self::key("prod", "s-2");
        store.save_new(&other, &failure(now + SECOND, SECOND)).await;
        assert_eq!(store.save(&other, &token("older", now)).await, SaveOutcome::Older);
        store.clock.advance(2 * SECOND);
        store.save_new(&other, &token("older", now)).await;
        assert_eq!(store.load_text(&other).await, "older");
    });
}

/// Checks that other processes can use a valid token after a failed refresh.
pub fn failure_never_hides_a_usable_token(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let (key, now) = (key("prod", "s-1"), store.now());
        store.save_new(&key, &token("t-1", now)).await;
        let outcome = store.save(&key, &failure(now + SECOND, HOUR)).await;
        assert!(matches!(outcome, SaveOutcome::Older | SaveOutcome::Beside), "{outcome:?}");
        assert_eq!(store.load_text(&key).await, "t-1");
        // A failure replaces an expired token, and a newer token replaces a failure.
        store.clock.advance(HOUR);
        store.save_new(&key, &failure(store.now(), HOUR)).await;
        assert_eq!(store.load_text(&key).await, "failure");
        store.save_new(&key, &token("t-2", store.now() + SECOND)).await;
        assert_eq!(store.load_text(&key).await, "t-2");
    });
}

/// Checks that a record is neither loaded nor saved from the moment of its expiry on.
pub fn expired_record_is_neither_loaded_nor_saved(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let (key, record) = (key("prod", "s-1"), token("t-1", store.now()));
        store.save_new(&key, &record).await;
        store.clock.advance(HOUR - SECOND);
        assert_eq!(store.load_text(&key).await, "t-1");
        store.clock.advance(SECOND);
        assert_eq!(store.load_text(&key).await, "none");
        assert_eq!(store.save(&key, &record).await, SaveOutcome::Older);
        assert_eq!(store.load_text(&key).await, "none");
    });
}

/// Checks that a record from the future is a miss, except after a small clock correction.
pub fn clock_set_back_never_extends_validity(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let key = key("prod", "s-1");
        store.save_new(&key, &token("tomorrow", store.now())).await;
        store.clock.jump_wall(-24 * 3600);
        assert_eq!(store.load_text(&key).await, "none");
        // The record from the future does not prevent saving a current one.
        store.save_new(&key, &token("today", store.now())).await;
        assert_eq!(store.load_text(&key).await, "today");
        store.clock.jump_wall(-5);
        assert_eq!(store.load_text(&key).await, "today");
    });
}

/// Checks that `forget` counts and removes all records of a profile, for all credentials.
pub fn forget_removes_one_profile_only(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        for (profile, secret) in [("prod", "s-1"), ("prod", "s-2"), ("test", "s-1")] {
            store.save_new(&key(profile, secret), &token(secret, store.now())).await;
        }
        store.save_new(&key("prod", "s-3"), &failure(store.now(), HOUR)).await;
        let prod = key("prod", "any");
        assert_eq!(store.store.forget(prod.profile()).await.expect("a count"), 3);
        for secret in ["s-1", "s-2", "s-3"] {
            assert_eq!(store.load_text(&key("prod", secret)).await, "none");
        }
        assert_eq!(store.load_text(&key("test", "s-1")).await, "s-1");
        assert_eq!(store.store.forget(prod.profile()).await.expect("a count"), 0);
    });
}

/// Checks that a token request that was in flight during `forget` cannot store its token.
pub fn save_after_forget_is_refused(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let [prod, test] = ["prod", "test"].map(|profile| key(profile, "s-1"));
        let lease = store.lease(&prod, SECOND).await.expect("the lease is free");
        let other = store.lease(&test, SECOND).await.expect("the lease is free");
        store.store.forget(prod.profile()).await.expect("the store works");
        let outcome = lease.save(&token("t-1", store.now())).await.expect("the store works");
        assert_eq!(outcome, SaveOutcome::Forgotten);
        let outcome = other.save(&token("t-2", store.now())).await.expect("the store works");
        assert_eq!(outcome, SaveOutcome::Kept);
        drop((lease, other));
        assert_eq!(store.load_text(&prod).await, "none");
        store.save_new(&prod, &token("t-3", store.now())).await;
        assert_eq!(store.load_text(&prod).await, "t-3");
    });
}

/// Checks that a store lists either no records or all current records of the profile.
pub fn records_are_listed_latest_first(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let now = store.now();
        store.save_new(&key("prod", "s-1"), &token("t-1", now - SECOND)).await;
        store.save_new(&key("prod", "s-2"), &failure(now, 60 * SECOND)).await;
        store.save_new(&key("other", "s-1"), &token("t-2", now)).await;
        let prod = key("prod", "any");
        let listed = async || {
            let records = store.store.records(prod.profile()).await.expect("the store works");
            records.iter().map(|record| text(Some(record))).collect::<Vec<_>>()
        };
        let all = listed().await;
        if all.is_empty() {
            return;
        }
        assert_eq!(all, ["failure", "t-1"]);
        store.clock.advance(60 * SECOND);
        assert_eq!(listed().await, ["t-1"]);
    });
}

/// Checks that `Debug` output of the store, keys, leases and records shows no secret.
pub fn debug_output_shows_no_secret(open: OpenStore<'_>) {
    check(open, async |store: Store| {
        let [secret, value] = ["secret", "token"].map(canary);
        let key = key("prod", secret.text());
        store.save_new(&key, &token(value.text(), store.now())).await;
        let lease = store.lease(&key, SECOND).await.expect("the lease is free");
        let record = store.store.load(&key).await.expect("the store works");
        let all = format!("{:?} {lease:?} {record:?} {key:?} {:?}", store.store, key.profile());
        let pretty = format!("{:#?} {lease:#?} {record:#?}", store.store);
        if let Some(leak) = find_leak(&format!("{all} {pretty}"), &[secret, value]) {
            panic!("the debug output shows {leak}");
        }
    });
}
