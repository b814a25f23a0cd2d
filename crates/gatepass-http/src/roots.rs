//! The check of `SSL_CERT_FILE` and `SSL_CERT_DIR`, which replace the platform's root certificates.
//!
//! The crate that loads the roots skips a file that it cannot read. The error
//! would then be that the server's CA is not trusted. So each variable is checked before the roots
//! are loaded.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use gatepass_core::{Error, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Returns the variables that name root certificates, each with its value.
pub(crate) fn variables(get: impl Fn(&str) -> Option<OsString>) -> Vec<(&'static str, PathBuf)> {
    if !ARE_OBEYED {
        return Vec::new();
    }
    let set = [FILE, DIRECTORY].map(|name| Some((name, PathBuf::from(get(name)?))));
    // The loader of the roots treats an empty list of directories as unset, but not an empty path.
    let counts = |(name, value): &(&str, PathBuf)| *name == FILE || !value.as_os_str().is_empty();
    set.into_iter().flatten().filter(counts).collect()
}

/// `Config` if one of the variables names a file or directory that cannot be read, or if they
/// have no certificate.
pub(crate) fn check(get: impl Fn(&str) -> Option<OsString>) -> Result<()> {
    let variables = variables(get);
    let mut has_certificate = false;
    for (name, value) in &variables {
        if *name == FILE {
            has_certificate |= has_certificates(value).map_err(|error| unreadable(name, &error))?;
            continue;
        }
        for directory in std::env::split_paths(value).filter(|path| !path.as_os_str().is_empty()) {
            let entries = fs::read_dir(&directory).map_err(|error| unreadable(name, &error))?;
            for entry in entries {
                let path = entry.map_err(|error| unreadable(name, &error))?.path();
                // A directory may have other files, and links whose target is gone.
                has_certificate |= path.is_file() && has_certificates(&path).unwrap_or(false);
            }
        }
    }
    match variables.as_slice() {
        [(name, _), ..] if !has_certificate => {
            let names: Vec<&str> = variables.iter().map(|(name, _)| *name).collect();
            let plural = if names.len() == 1 { "names" } else { "name" };
            let message = format!("{} {plural} no root certificate", names.join(" and "));
            Err(Error::config(message).hint(hint(name)))
        }
        _ => Ok(()),
    }
}

fn has_certificates(path: &Path) -> io::Result<bool> {
    // A directory can be opened, and fails only when it is read.
    if fs::metadata(path)?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    drop(File::open(path)?);
    let mut found = CertificateDer::pem_file_iter(path).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(found.any(|certificate| certificate.is_ok()))
}

fn unreadable(name: &str, error: &io::Error) -> Error {
    if let Some(error) = Error::machine_limit(&format!("cannot read {name}"), error) {
        return error;
    }
    let reason = match error.kind() {
        io::ErrorKind::NotFound => String::from("no such file or directory"),
        kind => kind.to_string(),
    };
    let what = if name == FILE { "file" } else { "directory" };
    Error::config(format!("the {what} of root certificates that {name} names: {reason}"))
        .hint(hint(name))
}

fn hint(name: &str) -> String {
    format!(
        "{name} replaces the system's root certificates: correct it, or unset it to use the \
         system's"
    )
}

const FILE: &str = "SSL_CERT_FILE";
const DIRECTORY: &str = "SSL_CERT_DIR";

/// Other platforms have a verifier of their own, which does not read the variables.
const ARE_OBEYED: bool = cfg!(all(unix, not(any(target_os = "android", target_vendor = "apple"))));

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    fn check_with(file: Option<&Path>, directory: Option<&str>) -> Result<()> {
        check(|name| match name {
            FILE => file.map(Into::into),
            _ => directory.map(Into::into),
        })
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn each_variable_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        fs::create_dir(path("good")).unwrap();
        fs::write(path("good/a.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(path("good/README"), "other").unwrap();
        std::os::unix::fs::symlink(path("gone"), path("good/link.pem")).unwrap();
        fs::create_dir(path("empty")).unwrap();
        fs::write(path("empty.pem"), "").unwrap();
        let (good, bad) = (path("good/a.pem"), path("gone.pem"));
        let directory = |names: &[&str]| {
            names.iter().map(|name| path(name).display().to_string()).collect::<Vec<_>>().join(":")
        };

        check_with(None, None).unwrap();
        check_with(None, Some("")).unwrap();
        check_with(Some(&good), None).unwrap();
        check_with(None, Some(&directory(&["good"]))).unwrap();
        check_with(Some(&path("empty.pem")), Some(&directory(&["empty", "good"]))).unwrap();
        for (file, directories, name) in [
            (Some(bad.as_path()), None, FILE),
            (Some(bad.as_path()), Some(directory(&["good"])), FILE),
            (Some(folder.path()), None, FILE),
            (Some(Path::new("")), None, FILE),
            (Some(path("empty.pem").as_path()), None, FILE),
            (None, Some(directory(&["gone"])), DIRECTORY),
            (None, Some(directory(&["good", "gone"])), DIRECTORY),
            (None, Some(directory(&["good/a.pem"])), DIRECTORY),
            (None, Some(directory(&["empty"])), DIRECTORY),
        ] {
            let error = check_with(file, directories.as_deref()).unwrap_err();
            assert!(error.message().contains(name), "{error}");
            assert!(error.hints()[0].text().contains(name), "{error:?}");
        }
    }
}
