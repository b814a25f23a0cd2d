//! The origins that a stored secret may be sent to.
//!
//! They are stored beside the secret, where a changed config cannot change them: in `NAME.origins`
//! for the file `NAME`, and in another keyring entry for a keyring entry.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gatepass_core::{Endpoint, Error, Hint, Result};

use super::file::{describe_io, read_text};

/// The suffix of a secret's name that makes the name of its origins.
pub(crate) const SUFFIX: &str = ".origins";

/// Schemes, hosts and ports.
#[derive(Clone, Default)]
pub(crate) struct Origins(Vec<Endpoint>);

impl Origins {
    pub(crate) fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        let mut origins = Self::default();
        for endpoint in endpoints {
            if let Ok(origin) = Endpoint::parse_plain_http(endpoint.origin())
                && !origins.has(&origin)
            {
                origins.0.push(origin);
            }
        }
        origins
    }

    /// Parses one origin per line; `None` if any line is not an origin.
    fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().filter(|line| !line.is_empty());
        let read = |line| Endpoint::parse_plain_http(line).ok().filter(|it| it.origin() == line);
        lines.map(read).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Parses the origins that the keyring has for the entry of this name.
    #[cfg(feature = "keyring")]
    pub(crate) fn from_entry(entry: &str, text: &str) -> Result<Self> {
        Self::parse(text).ok_or_else(|| malformed(&format!("the keyring entry {entry}{SUFFIX}")))
    }

    /// Reads the origins beside this file; `None` for a file that gatepass did not write.
    pub(crate) fn from_file(path: &Path) -> Result<Option<Self>> {
        // The origins are beside the file that a symbolic link points to, not beside the link.
        let Ok(path) = fs::canonicalize(path).map(companion_path) else { return Ok(None) };
        let read = || {
            let meta = match fs::symlink_metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                meta => meta?,
            };
            let us = rustix::process::geteuid().as_raw();
            let is_ours = meta.uid() == us || meta.uid() == 0;
            if !meta.is_file() || !is_ours || meta.mode() & 0o022 != 0 {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            read_text(&path).map(Some)
        };
        let bytes = read().map_err(|error| {
            Error::config(format!("cannot read {}: {}", path.display(), describe_io(&error)))
                .hint(store_again())
        })?;
        let Some(bytes) = bytes else { return Ok(None) };
        let origins = std::str::from_utf8(&bytes).ok().and_then(Self::parse);
        origins.map(Some).ok_or_else(|| malformed(&path.display().to_string()))
    }

    /// Returns these origins except those in `others`.
    pub(crate) fn without(&self, others: &Self) -> Self {
        Self(self.0.iter().filter(|origin| !others.has(origin)).cloned().collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn has(&self, origin: &Endpoint) -> bool {
        self.0.iter().any(|one| one.is_same_origin_as(origin))
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.0.iter().map(|origin| origin.as_str().to_owned()).collect()
    }
}

impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.texts().join(", "))
    }
}

/// Returns the path of the origins of the secret in the file `path`.
pub(crate) fn companion_path(path: PathBuf) -> PathBuf {
    let mut path = path.into_os_string();
    path.push(SUFFIX);
    PathBuf::from(path)
}

fn malformed(source: &str) -> Error {
    Error::config(format!("{source} is not a list of origins")).hint(store_again())
}

fn store_again() -> Hint {
    Hint::gatepass(
        "the list limits where the secret may be sent; write the profile again",
        ["profile", "add", "--force"],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(text: &str) -> Origins {
        Origins::parse(text).unwrap()
    }

    #[test]
    fn list_with_malformed_line_is_rejected() {
        assert_eq!(origins("").texts().len(), 0);
        assert_eq!(origins("https://a.example\n\nhttp://127.0.0.1:80\n").texts().len(), 2);
        for bad in ["a.example", "https://a.example/", "https://a.example/x", "https://A.example"] {
            assert!(Origins::parse(&format!("https://b.example\n{bad}\n")).is_none(), "{bad}");
        }
        for bad in ["https://u@a.example", "ftp://a.example", "https://", " ", "\0", "*"] {
            assert!(Origins::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn origins_compare_by_scheme_host_and_port() {
        let kept = origins("https://a.example\nhttp://127.0.0.1:8480");
        let is_kept = |text| {
            let asked = Origins::new([Endpoint::parse_plain_http(text).unwrap()]);
            asked.without(&kept).is_empty()
        };
        for good in ["https://A.example:443/x", "http://127.0.0.1:8480/cisco"] {
            assert!(is_kept(good), "{good}");
        }
        for bad in [
            "http://a.example",
            "https://a.example:8443",
            "https://a.example.evil.example",
            "https://b.a.example",
            "http://127.0.0.1:8481",
        ] {
            assert!(!is_kept(bad), "{bad}");
        }
    }
}
