//! The keyring of this machine: the secrets that profiles refer to with `{ keyring = "…" }`, to
//! write, read and delete.
//!
//! It is the Secret Service (GNOME Keyring, KWallet, KeePassXC) on Linux and the BSDs, and the
//! keychain on macOS. An entry is named `service/account`: what stands
//! before the first `/` is the service. A name without a `/` is an account of the service `gatepass`.
//!
//! ```no_run
//! use gatepass::{Secret, keyring};
//!
//! # fn main() -> gatepass::Result<()> {
//! keyring::store("cisco-prod", &Secret::from("hunter2"))?; // client_secret = { keyring = "cisco-prod" }
//! let secret = keyring::read("gatepass/cisco-prod")?; // the same entry, by its whole name
//! keyring::delete("cisco-prod")?;
//! # Ok(())
//! # }
//! ```
//!
//! Each function blocks, for 60 s at most, since a locked keyring may ask for its password: call it
//! from `spawn_blocking` in async code. Every failure is `Config`, and none shows a value. Nothing is
//! connected to before the first call, and no connection is kept after it.

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

/// Writes an entry, in place of what it held. An empty secret is refused.
///
/// `Config` for an empty secret, and where no keyring can be reached, is locked or does not answer
/// within a minute.
pub fn store(name: &str, secret: &Secret) -> Result<()> {
    let text = Zeroizing::new(secret.expose_secret().to_owned());
    if text.is_empty() {
        return Err(Error::config("an empty secret is not written to the keyring"));
    }
    with_entry(&KeyringEntry::parse(name)?, move |entry| entry.set_password(&text))
}

/// Reads an entry.
///
/// `Config` if there is no such entry, and as for [`store`].
pub fn read(name: &str) -> Result<Secret> {
    let text = read_entry(&KeyringEntry::parse(name)?)?;
    Ok(Secret::from(text.as_str()))
}

/// Reads an entry, if there is one.
///
/// Errors as for [`store`]; an entry that is not there is none.
pub fn find(name: &str) -> Result<Option<Secret>> {
    let found = find_entry(&KeyringEntry::parse(name)?)?;
    Ok(found.map(|text| Secret::from(text.as_str())))
}

/// Deletes an entry, and says whether there was one.
///
/// Errors as for [`store`].
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

/// Reads an entry, and another one if there is one, while the keyring is open once.
pub(crate) fn read_both(
    entry: &KeyringEntry,
    other: &KeyringEntry,
) -> Result<(Zeroizing<String>, Option<Zeroizing<String>>)> {
    let (entry, other) = (entry.clone(), other.clone());
    within(KEYRING_TIMEOUT, move || {
        let store = Store::new().map_err(unreachable)?;
        let open = |named: &KeyringEntry| store.build(&named.service, &named.account, None);
        let text = open(&entry).and_then(|entry| entry.get_password().map(Zeroizing::new));
        let text = text.map_err(|failure| refused(&entry, failure))?;
        let other_text = open(&other).and_then(|entry| text_of(&entry));
        Ok((text, other_text.map_err(|failure| refused(&other, failure))?))
    })
}

fn text_of(entry: &Entry) -> Result<Option<Zeroizing<String>>, Failure> {
    match entry.get_password() {
        Err(Failure::NoEntry) => Ok(None),
        found => found.map(|text| Some(Zeroizing::new(text))),
    }
}

/// Opens the keyring for one act. The crate `keyring` would keep a connection for the whole process,
/// which is of no use any more once the service has started anew.
fn with_entry<T: Send + 'static>(
    entry: &KeyringEntry,
    act: impl FnOnce(&Entry) -> Result<T, Failure> + Send + 'static,
) -> Result<T> {
    let named = entry.clone();
    within(KEYRING_TIMEOUT, move || {
        let store = Store::new().map_err(unreachable)?;
        let entry = store.build(&named.service, &named.account, None);
        entry.and_then(|entry| act(&entry)).map_err(|failure| refused(&named, failure))
    })
}

/// Does it on a thread of its own: it blocks, perhaps forever, and brings its own event loop, which a
/// thread of tokio's would not take.
fn within<T: Send + 'static>(
    limit: Duration,
    act: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (done, outcome) = mpsc::channel();
    let thread = thread::Builder::new().name(String::from("gatepass-keyring")).spawn(move || {
        // Nobody listens any more when the time is up.
        let _ = done.send(act());
    });
    thread.map_err(|error| Error::internal("no thread can be started").with_source(error))?;
    match outcome.recv_timeout(limit) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout) => {
            let seconds = limit.as_secs();
            Err(Error::config(format!("the keyring did not answer within {seconds} s"))
                .hint("is a window open that asks for its password? unlock it, then try again"))
        }
        Err(RecvTimeoutError::Disconnected) => Err(Error::internal("reading the keyring failed")),
    }
}

fn unreachable(failure: Failure) -> Error {
    let hint = if cfg!(any(target_os = "macos", windows)) {
        ELSEWHERE.to_owned()
    } else {
        format!(
            "it takes a D-Bus session with GNOME Keyring, KWallet or KeePassXC in it; \
             without a desktop {ELSEWHERE}"
        )
    };
    Error::config("no keyring can be reached").hint(hint).with_source(failure)
}

/// What went wrong with this entry. A failure that carries the value itself ends here.
fn refused(entry: &KeyringEntry, failure: Failure) -> Error {
    match failure {
        Failure::NoEntry => Error::config(format!("the keyring has no entry {entry}"))
            .hint(Hint::run("store it", store_command(entry))),
        Failure::NoStorageAccess(_) => Error::config("the keyring is locked")
            .hint(format!("unlock it; where nobody is there to do it {ELSEWHERE}"))
            .with_source(failure),
        Failure::Ambiguous(_) => {
            Error::config(format!("the keyring has more than one entry {entry}"))
                .hint("delete all of them but one")
        }
        Failure::BadEncoding(bytes) | Failure::BadDataFormat(bytes, _) => {
            drop(Zeroizing::new(bytes));
            Error::config(format!("the keyring entry {entry} is not UTF-8"))
                .hint(Hint::run("store it again", store_command(entry)))
        }
        Failure::TooLong(what, most) => {
            Error::config(format!("the keyring takes no {what} of more than {most} characters"))
                .hint(ELSEWHERE)
        }
        failure => Error::config(format!("the keyring failed to act on {entry}"))
            .hint(ELSEWHERE)
            .with_source(failure),
    }
}

/// Returns the platform's own command that asks for a secret and stores it.
fn store_command(entry: &KeyringEntry) -> Vec<String> {
    let (service, account) = (entry.service.as_str(), entry.account.as_str());
    let words = if cfg!(target_os = "macos") {
        vec!["security", "add-generic-password", "-s", service, "-a", account, "-w"]
    } else if cfg!(windows) {
        let generic = format!("/generic:{account}.{service}");
        return vec!["cmdkey".into(), generic, format!("/user:{account}"), "/pass".into()];
    } else {
        let label = format!("--label={service}");
        return ["secret-tool", "store", &label, "service", service, "username", account]
            .map(String::from)
            .to_vec();
    };
    words.into_iter().map(String::from).collect()
}

const ELSEWHERE: &str = "use { file = … }, { command = … } or { env = … }";

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> KeyringEntry {
        KeyringEntry::parse(name).unwrap()
    }

    #[test]
    fn a_keyring_that_never_answers_is_given_up() {
        let (hold, held) = mpsc::channel::<()>();
        let error = within(Duration::from_millis(20), move || {
            // Ends with the test.
            let _ = held.recv();
            Ok(())
        });
        let error = error.unwrap_err();
        assert!(error.message().contains("did not answer within"), "{error}");
        assert!(error.hints()[0].text().contains("unlock"));
        drop(hold);
        assert_eq!(within(Duration::from_secs(60), || Ok(7)).unwrap(), 7);
    }

    #[test]
    fn a_failure_never_shows_the_value_it_carries() {
        let value = b"unsaid-\xff".to_vec();
        let cause = || Box::new(std::io::Error::other("unsaid-cause"));
        for failure in [
            Failure::BadEncoding(value.clone()),
            Failure::BadDataFormat(value.clone(), cause()),
            Failure::NoStorageAccess(cause()),
            Failure::PlatformFailure(cause()),
        ] {
            let error = refused(&entry("cisco"), failure);
            assert!(!format!("{error} {error:?}").contains("unsaid"), "{error:?}");
            assert!(error.hints().first().is_some(), "{error:?}");
        }
        let coded = refused(&entry("cisco"), Failure::BadEncoding(value));
        assert!(std::error::Error::source(&coded).is_none());
    }

    #[test]
    fn the_hint_for_a_missing_entry_can_be_pasted_into_a_shell() {
        let plain = refused(&entry("cisco/prod-1"), Failure::NoEntry);
        assert_eq!(plain.message(), "the keyring has no entry cisco/prod-1");
        let odd = refused(&entry("it's; rm/a b"), Failure::NoEntry);
        if cfg!(target_os = "linux") {
            let (plain, odd) = (plain.hints()[0].to_string(), odd.hints()[0].to_string());
            assert!(plain.ends_with("--label=cisco service cisco username prod-1"), "{plain}");
            assert!(odd.ends_with("service 'it'\\''s; rm' username 'a b'"), "{odd}");
        }
    }

    #[test]
    fn an_empty_secret_and_an_empty_name_are_refused_without_a_keyring() {
        let error = store("cisco", &Secret::from("")).unwrap_err();
        assert!(error.message().contains("empty"), "{error}");
        for name in ["", "/", "a/", "/a", "a\nb"] {
            assert!(read(name).is_err() && delete(name).is_err(), "{name:?}");
        }
    }
}
