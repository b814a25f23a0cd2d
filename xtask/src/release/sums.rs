//! SHA-256 checksums in the format of `sha256sum`.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Returns the checksum of the bytes in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the lines of `SHA256SUMS`, sorted by name.
pub(super) fn lines<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut lines: Vec<String> =
        files.into_iter().map(|(name, bytes)| format!("{}  {name}\n", sha256(bytes))).collect();
    // All checksums have 64 digits.
    lines.sort_by(|a, b| a.split_at(64).1.cmp(b.split_at(64).1));
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_have_the_format_of_sha256sum() {
        // FIPS 180-2, appendix B.1
        let abc = sha256(b"abc");
        assert!(abc.starts_with("ba7816bf8f01") && abc.ends_with("b410ff61f20015ad"), "{abc}");
        assert_eq!(abc.len(), 64);
        let lines = lines([("b", &b""[..]), ("a", &b"abc"[..])]);
        assert!(lines.starts_with(&format!("{abc}  a\n")) && lines.ends_with("  b\n"), "{lines}");
    }
}
