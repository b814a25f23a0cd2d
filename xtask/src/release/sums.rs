//! SHA-256, as `sha256sum` writes and checks it.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The sum of some bytes, in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The lines of `SHA256SUMS`, by name.
pub(super) fn lines<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut lines: Vec<String> =
        files.into_iter().map(|(name, bytes)| format!("{}  {name}\n", sha256(bytes))).collect();
    // Every sum is as long as the next.
    lines.sort_by(|a, b| a.split_at(64).1.cmp(b.split_at(64).1));
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_sha256sum() {
        // FIPS 180-2, appendix B.1
        let abc = sha256(b"abc");
        assert!(abc.starts_with("ba7816bf8f01") && abc.ends_with("b410ff61f20015ad"), "{abc}");
        assert_eq!(abc.len(), 64);
        let lines = lines([("b", &b""[..]), ("a", &b"abc"[..])]);
        assert!(lines.starts_with(&format!("{abc}  a\n")) && lines.ends_with("  b\n"), "{lines}");
    }
}
