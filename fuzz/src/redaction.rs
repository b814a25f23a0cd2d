//! A vendor's message that repeats the secret of the request, in any encoding.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use gatepass_core::{Credential, Error};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The first line is the secret, the rest is the vendor's message, with `{SECRET}` in its place.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some((secret, message)) = text.split_once('\n') else { return };
    let length = secret.chars().count();
    // A longer message is cut when it is shown.
    if message.len() > 1024
        || !message.contains("{SECRET}")
        || !(8..=80).contains(&length)
        || secret.to_lowercase().contains("redact")
        || !is_varied(secret)
    {
        return;
    }
    let credential = Credential::client("someone", secret);
    for form in forms(secret) {
        let text = message.replace("{SECRET}", &form);
        let error = Error::denied("refused").with_vendor_text(&text).with_vendor_code(&form);
        let error = error.redacted(&credential);
        let shown = error.vendor_text().unwrap_or_default();
        assert!(shown.len() <= 1024 && shown.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        let all = format!("{shown}\n{}\n{error}\n{error:?}", error.vendor_code().unwrap_or(""));
        for part in all.split("[redacted]") {
            for read in readings(part) {
                let left = shared(&read, secret);
                assert!(left < MIN_MATCH, "{left} characters of the secret are shown for {form:?}");
            }
        }
    }
}

/// Returns whether the secret has enough different characters; `aaaaaaaaaaaa` would match in every
/// repetition of the letter.
fn is_varied(secret: &str) -> bool {
    let mut letters: Vec<char> = secret.to_lowercase().chars().collect();
    letters.sort_unstable();
    letters.dedup();
    letters.len() >= 6
}

/// Returns the encodings of the secret that a vendor's message may contain.
fn forms(secret: &str) -> Vec<String> {
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let json = serde_json::to_string(secret).unwrap_or_default();
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![
        secret.to_owned(),
        secret.to_uppercase(),
        percent.replace("%20", "+"),
        utf8_percent_encode(&percent, NON_ALPHANUMERIC).to_string(),
        percent,
        json.trim_matches('"').to_owned(),
        STANDARD.encode(secret),
        URL_SAFE.encode(secret),
        STANDARD.encode(format!("someone:{secret}")),
        STANDARD_NO_PAD.encode(format!("x{secret}yz")),
        hex.to_uppercase(),
        hex,
        secret.chars().rev().collect(),
    ]
}

/// Returns the text in the decodings that an attacker would try.
fn readings(text: &str) -> Vec<String> {
    let plus = text.replace('+', " ");
    let once = percent_decode_str(&plus).decode_utf8_lossy().into_owned();
    let twice = percent_decode_str(&once).decode_utf8_lossy().into_owned();
    let backwards = text.chars().rev().collect();
    let mut all = vec![text.to_owned(), once, twice, backwards];
    for run in text.split(|c: char| !(c.is_ascii_alphanumeric() || "+/-_".contains(c))) {
        let run: String = run.replace('-', "+").replace('_', "/");
        for from in 0..4.min(run.len()) {
            let run = &run.as_bytes()[from..];
            let whole = run.len() - run.len() % 4;
            if let Ok(bytes) = STANDARD_NO_PAD.decode(&run[..whole]) {
                all.push(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        for from in 0..2.min(run.len()) {
            let digits: Vec<u32> = run[from..].chars().map_while(|c| c.to_digit(16)).collect();
            let pairs = digits.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8);
            all.push(String::from_utf8_lossy(&pairs.collect::<Vec<_>>()).into_owned());
        }
    }
    all
}

/// Returns the length of the longest common part of a text and the secret, ignoring case.
fn shared(text: &str, secret: &str) -> usize {
    let lower = |text: &str| text.to_lowercase().chars().collect::<Vec<char>>();
    let (text, secret) = (lower(text), lower(secret));
    let mut longest = 0;
    for at in 0..text.len() {
        for of in 0..secret.len() {
            let pairs = text[at..].iter().zip(&secret[of..]);
            longest = longest.max(pairs.take_while(|(a, b)| a == b).count());
        }
    }
    longest
}

/// Shorter common parts may be coincidental.
const MIN_MATCH: usize = 12;
