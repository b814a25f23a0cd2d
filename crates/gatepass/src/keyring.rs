//! The keyring of this machine, for secrets that profiles refer to as `{ keyring = "…" }`.
//!
//! On Linux and the BSDs it is the Secret Service (GNOME Keyring, KWallet, KeePassXC), on macOS the
//! keychain. An entry is named `service/account`; the service ends at the first `/`. A name without a
//! `/` is an account of the service `gatepass`.
//!
//! ```no_run
//! use gatepass::{Secret, keyring};
//!
//! # fn main() -> gatepass::Result<()> {
//! keyring::store("cisco-prod", &Secret::from("hunter2"))?; // client_secret = { keyring = "cisco-prod" }
//! let secret = keyring::read("gatepass/cisco-prod")?; // the same entry, by its full name
//! keyring::delete("cisco-prod")?;
//! # Ok(())
//! # }
//! ```
//!
//! Each function blocks for up to 60 s, because a locked keyring may ask for its password. In async
//! code, call it from `spawn_blocking`. All errors are of kind `Config`, and none shows a value. No
//! connection is opened before the first call or kept after it.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use gatepass_core::{Error, Hint, Result, Secret};
use keyring_core::api::CredentialStoreApi;
use keyring_core::{Entry, Error as Failure};
use zeroize::Zeroizing;

#[cfg(target_os = "macos")]
use apple_native_keyring_store::keychain::Store;
#[cfg(windows)]
use windows_native_keyring_store::Store;
#[cfg(all(unix, not(target_vendor = "apple"), not(target_os = "android")))]
use zbus_secret_service_keyring_store::Store;

use crate::config::{KEYRING_TIMEOUT, KeyringEntry};

/// Writes an entry, and replaces its value if it exists.
///
/// `Config` for an empty secret, and if the keyring cannot be reached, is locked or does not respond
/// within a minute.
pub fn store(name: &str, secret: &Secret) -> Result<()> {
    let text = Zeroizing::new(secret.expose_secret().to_owned());
    if text.is_empty() {
        return Err(Error::config("an empty secret cannot be stored in the keyring"));
    }
    with_entry(&KeyringEntry::parse(name)?, move |entry| entry.set_password(&text))
}

/// Reads an entry.
///
/// `Config` if the entry does not exist, and as of [`store`].
pub fn read(name: &str) -> Result<Secret> {
    let text = read_entry(&KeyringEntry::parse(name)?)?;
    Ok(Secret::from(text.as_str()))
}

/// Reads an entry; `None` if it does not exist.
///
/// Errors as of [`store`].
pub fn find(name: &str) -> Result<Option<Secret>> {
    let found = find_entry(&KeyringEntry::parse(name)?)?;
    Ok(found.map(|text| Secret::from(text.as_str())))
}

/// Deletes an entry, and returns whether it existed.
///
/// Errors as of [`store`].
pub fn delete(name: &str) -> Result<bool> {
    with_entry(&KeyringEntry::parse(name)?, |entry| match entry.delete_credential() {
        Err(Failure::NoEntry) => Ok(false),
        done => done.map(|()| true),
    })
}

pub(crate) fn find_entry(entry: &KeyringEntry) -> Result<Option<Zeroizing<String>>> {
    with_entry(entry, text_of)
}

fn read_entry(entry: &KeyringEntry) -> Result<Zeroizing<String>> {
    with_entry(entry, |entry| entry.get_password().map(Zeroizing::new))
}

/// Reads an entry, and another one if it exists, in one session: the user is asked once.
pub(crate) fn read_both(
    entry: &KeyringEntry,
    other: &KeyringEntry,
) -> Result<(Zeroizing<String>, Option<Zeroizing<String>>)> {
    let (entry, other) = (entry.clone(), other.clone());
    within(KEYRING_TIMEOUT, move || {
        let store = Store::new().map_err(no_keyring)?;
        let open = |named: &KeyringEntry| store.build(&named.service, &named.account, None);
        let text = open(&entry).and_then(|entry| entry.get_password().map(Zeroizing::new));
        let text = text.map_err(|failure| entry_error(&entry, failure))?;
        let other_text = open(&other).and_then(|entry| text_of(&entry));
        Ok((text, other_text.map_err(|failure| entry_error(&other, failure))?))
    })
}

fn text_of(entry: &Entry) -> Result<Option<Zeroizing<String>>, Failure> {
    match entry.get_password() {
        Err(Failure::NoEntry) => Ok(None),
        found => found.map(|text| Some(Zeroizing::new(text))),
    }
}

/// Opens the keyring for one operation. The crate `keyring` would keep one connection for the whole
/// process, which breaks when the service restarts.
fn with_entry<T: Send + 'static>(
    entry: &KeyringEntry,
    operation: impl FnOnce(&Entry) -> Result<T, Failure> + Send + 'static,
) -> Result<T> {
    let named = entry.clone();
    within(KEYRING_TIMEOUT, move || {
        let store = Store::new().map_err(no_keyring)?;
        let entry = store.build(&named.service, &named.account, None);
        entry.and_then(|entry| operation(&entry)).map_err(|failure| entry_error(&named, failure))
    })
}

/// Runs a blocking operation on its own thread, with a time limit. It may block forever, and it runs
/// its own event loop, which is not allowed on a thread of tokio.
fn within<T: Send + 'static>(
    limit: Duration,
    operation: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (done, outcome) = mpsc::channel();
    let thread = thread::Builder::new().name(String::from("gatepass-keyring")).spawn(move || {
        // After the time limit the receiver is gone.
        let _ = done.send(operation());
    });
    thread.map_err(|error| {
        let action = "cannot start a thread for the keyring";
        Error::process_limit(action, &error)
            .unwrap_or_else(|| Error::internal(action).with_source(error))
    })?;
    match outcome.recv_timeout(limit) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout) => {
            let seconds = limit.as_secs();
            Err(Error::config(format!("the keyring did not respond within {seconds} s"))
                .hint("if a window asks for its password, unlock it and try again"))
        }
        Err(RecvTimeoutError::Disconnected) => Err(Error::internal("reading the keyring failed")),
    }
}

fn no_keyring(failure: Failure) -> Error {
    let hint = if cfg!(any(target_os = "macos", windows)) {
        ALTERNATIVES.to_owned()
    } else {
        format!(
            "it requires a D-Bus session with GNOME Keyring, KWallet or KeePassXC; without a desktop \
             {ALTERNATIVES}"
        )
    };
    Error::config("the keyring cannot be reached").hint(hint).with_source(failure)
}

/// Makes the error of a failed operation. Failures that carry the value are dropped here.
fn entry_error(entry: &KeyringEntry, failure: Failure) -> Error {
    match failure {
        Failure::NoEntry => Error::config(format!("the keyring has no entry {entry}"))
            .hint(Hint::run("store it", store_command(entry))),
        Failure::NoStorageAccess(_) => Error::config("the keyring is locked")
            .hint(format!("unlock it; in unattended use {ALTERNATIVES}"))
            .with_source(failure),
        Failure::Ambiguous(_) => {
            Error::config(format!("the keyring has more than one entry {entry}"))
                .hint("delete all but one of them")
        }
        Failure::BadEncoding(bytes) | Failure::BadDataFormat(bytes, _) => {
            drop(Zeroizing::new(bytes));
            Error::config(format!("the keyring entry {entry} is not UTF-8"))
                .hint(Hint::run("store it again", store_command(entry)))
        }
        Failure::TooLong(what, most) => {
            Error::config(format!("the keyring limits the {what} to {most} characters"))
                .hint(ALTERNATIVES)
        }
        failure => Error::config(format!("the keyring failed for the entry {entry}"))
            .hint(ALTERNATIVES)
            .with_source(failure),
    }
}

/// Returns the platform's own command that asks for a secret and stores it.
fn store_command(entry: &KeyringEntry) -> Vec<String> {
    let (service, account) = (entry.service.as_str(), entry.account.as_str());
    let (generic, user) = (format!("/generic:{account}.{service}"), format!("/user:{account}"));
    let label = format!("--label={service}");
    let words: &[&str] = if cfg!(target_os = "macos") {
        &["security", "add-generic-password", "-s", service, "-a", account, "-w"]
    } else if cfg!(windows) {
        &["cmdkey", &generic, &user, "/pass"]
    } else {
        &["secret-tool", "store", &label, "service", service, "username", account]
    };
    words.iter().copied().map(String::from).collect()
}

const ALTERNATIVES: &str = "use { file = … }, { command = … } or { env = … }";

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> KeyringEntry {
        KeyringEntry::parse(name).unwrap()
    }

    #[test]
    fn unresponsive_keyring_times_out() {
        let (hold, held) = mpsc::channel::<()>();
        let error = within(Duration::from_millis(20), move || {
            // Ends with the test.
            let _ = held.recv();
            Ok(())
        });
        let error = error.unwrap_err();
        assert!(error.message().contains("did not respond within"), "{error}");
        assert!(error.hints()[0].text().contains("unlock"));
        drop(hold);
        assert_eq!(within(Duration::from_secs(60), || Ok(7)).unwrap(), 7);
    }

    #[test]
    fn errors_never_show_the_value() {
        let value = b"unsaid-\xff".to_vec();
        let cause = || Box::new(std::io::Error::other("unsaid-cause"));
        for failure in [
            Failure::BadEncoding(value.clone()),
            Failure::BadDataFormat(value.clone(), cause()),
            Failure::NoStorageAccess(cause()),
            Failure::PlatformFailure(cause()),
        ] {
            let error = entry_error(&entry("cisco"), failure);
            assert!(!format!("{error} {error:?}").contains("unsaid"), "{error:?}");
            assert!(!error.hints().is_empty(), "{error:?}");
        }
        let coded = entry_error(&entry("cisco"), Failure::BadEncoding(value));
        assert!(std::error::Error::source(&coded).is_none());
    }

    #[test]
    fn hint_for_missing_entry_is_a_shell_command() {
        let plain = entry_error(&entry("cisco/prod-1"), Failure::NoEntry);
        assert_eq!(plain.message(), "the keyring has no entry cisco/prod-1");
        let odd = entry_error(&entry("it's; rm/a b"), Failure::NoEntry);
        if cfg!(target_os = "linux") {
            let (plain, odd) = (plain.hints()[0].to_string(), odd.hints()[0].to_string());
            assert!(plain.ends_with("--label=cisco service cisco username prod-1"), "{plain}");
            assert!(odd.ends_with("service 'it'\\''s; rm' username 'a b'"), "{odd}");
        }
    }

    #[test]
    fn empty_secrets_and_names_need_no_keyring() {
        let error = store("cisco", &Secret::from("")).unwrap_err();
        assert!(error.message().contains("empty"), "{error}");
        for name in ["", "/", "a/", "/a", "a\nb"] {
            assert!(read(name).is_err() && delete(name).is_err(), "{name:?}");
        }
    }
}
