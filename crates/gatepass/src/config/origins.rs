//! Origins: where a secret may go that gatepass has stored. They are kept beside it, where no config
//! can change them: `NAME.origins` for the file `NAME`, and for an entry of the keyring another one.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gatepass_core::{Endpoint, Error, Result};

use super::file::read_text;

/// What stands behind a secret's name in the name of its origins.
pub(crate) const SUFFIX: &str = ".origins";

/// Schemes, hosts and ports.
#[derive(Clone, Default)]
pub(crate) struct Origins(Vec<Endpoint>);

impl Origins {
    pub(crate) fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        let mut origins = Self::default();
        for endpoint in endpoints {
            // Of an address only this counts.
            if let Ok(origin) = Endpoint::parse_plain_http(endpoint.origin())
                && !origins.has(&origin)
            {
                origins.0.push(origin);
            }
        }
        origins
    }

    /// Reads one of each line. Of what is no origin no line is taken.
    fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().filter(|line| !line.is_empty());
        let read = |line| Endpoint::parse_plain_http(line).ok().filter(|it| it.origin() == line);
        lines.map(read).collect::<Option<Vec<_>>>().map(Self)
    }

    /// What the keyring keeps beside the entry of this name.
    #[cfg(feature = "keyring")]
    pub(crate) fn of_entry(key: &str, entry: &str, text: &str) -> Result<Self> {
        Self::parse(text).ok_or_else(|| damaged(key, &format!("the keyring's {entry}{SUFFIX}")))
    }

    /// What stands beside this file; nothing beside one that gatepass has not written.
    pub(crate) fn of_file(key: &str, path: &Path) -> Result<Option<Self>> {
        // A link has no origins; what it leads to may.
        let Ok(path) = fs::canonicalize(path).map(beside) else { return Ok(None) };
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
            let shown = path.display();
            Error::config(format!("`{key}`: cannot read {shown}: {}", error.kind()))
                .with_hint(format!("it says where the secret may go: {AGAIN}"))
        })?;
        let Some(bytes) = bytes else { return Ok(None) };
        let origins = std::str::from_utf8(&bytes).ok().and_then(Self::parse);
        origins.map(Some).ok_or_else(|| damaged(key, &path.display().to_string()))
    }

    /// Those of `others` that are none of these.
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

/// Where the origins of this file stand.
pub(crate) fn beside(path: PathBuf) -> PathBuf {
    let mut path = path.into_os_string();
    path.push(SUFFIX);
    PathBuf::from(path)
}

fn damaged(key: &str, what: &str) -> Error {
    Error::config(format!("`{key}`: {what} is not a list of origins"))
        .with_hint(format!("it says where the secret may go: {AGAIN}"))
}

const AGAIN: &str = "write the profile anew with `gatepass profile add --force`";

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(text: &str) -> Origins {
        Origins::parse(text).unwrap()
    }

    #[test]
    fn a_line_that_is_no_origin_spoils_the_list() {
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
    fn an_origin_is_its_scheme_host_and_port() {
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
