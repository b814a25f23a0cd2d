//! A record as bytes, before it is sealed. The bytes hold the token: they are cleared when dropped.

use std::time::{Duration, SystemTime};

use gatepass_core::{ErrorKind, Expiry, Hint, HintArg, Retry, Secret, Token};
use zeroize::Zeroizing;

use crate::store::{FailureRecord, Record};

/// A value's number is its place in its list: add at the end only.
const EXPIRIES: &[Expiry] = &[Expiry::Vendor, Expiry::Jwt, Expiry::Configured, Expiry::Assumed];
const RETRIES: &[Retry] = &[Retry::Never, Retry::Once, Retry::Later];
const KINDS: &[ErrorKind] = &[
    ErrorKind::Config,
    ErrorKind::Denied,
    ErrorKind::LoginRequired,
    ErrorKind::Throttled,
    ErrorKind::Unavailable,
    ErrorKind::Protocol,
    ErrorKind::UnsafeToken,
    ErrorKind::Internal,
];

const TOKEN: u8 = 0;
const FAILURE: u8 = 1;

/// The bytes of a record; `None` for one of a sort that this version does not know.
pub(super) fn encode(record: &Record) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Writer::default();
    match record {
        Record::Token(token) => {
            let text = token.expose_secret();
            // What grows leaves copies behind.
            out.0.reserve_exact(64 + text.len() + token.scope().map_or(0, str::len));
            out.byte(TOKEN);
            out.time(token.issued_at())?;
            out.time(token.expires_at())?;
            out.place(EXPIRIES, token.expiry())?;
            out.optional(token.scope())?;
            out.text(text)?;
        }
        Record::Failure(failure) => {
            out.byte(FAILURE);
            put_failure(&mut out, failure)?;
        }
    }
    Some(out.0)
}

/// The record of these bytes, if they are one from beginning to end.
pub(super) fn decode(bytes: &[u8]) -> Option<Record> {
    let mut from = Reader(bytes);
    let record = match from.byte()? {
        TOKEN => {
            let (issued_at, expires_at) = (from.time()?, from.time()?);
            let expiry = from.place(EXPIRIES)?;
            let scope = from.optional()?;
            let token = Token::builder(Secret::from(from.text()?), issued_at).scope(scope);
            Record::Token(token.build_with_expiry(expires_at, expiry).ok()?)
        }
        FAILURE => Record::Failure(failure(&mut from)?),
        _ => return None,
    };
    from.0.is_empty().then_some(record)
}

pub(super) fn put_failure(out: &mut Writer, failure: &FailureRecord) -> Option<()> {
    out.time(failure.failed_at)?;
    out.time(failure.until)?;
    out.place(KINDS, failure.kind)?;
    out.place(RETRIES, failure.retry)?;
    out.0.extend(failure.status.unwrap_or_default().to_le_bytes());
    out.text(&failure.message)?;
    out.optional(encode_hints(&failure.hints).as_deref())?;
    out.optional(failure.vendor_code.as_deref())?;
    out.optional(failure.vendor_text.as_deref())
}

pub(super) fn failure(from: &mut Reader<'_>) -> Option<FailureRecord> {
    let (failed_at, until) = (from.time()?, from.time()?);
    let (kind, retry) = (from.place(KINDS)?, from.place(RETRIES)?);
    let status = u16::from_le_bytes(from.array()?);
    Some(FailureRecord {
        kind,
        retry,
        status: (status != 0).then_some(status),
        message: from.text()?.to_owned(),
        hints: from.optional()?.map_or_else(Vec::new, decode_hints),
        vendor_code: from.optional()?.map(str::to_owned),
        vendor_text: from.optional()?.map(str::to_owned),
        failed_at,
        until: until.min(failed_at.checked_add(FailureRecord::MAX_COOLDOWN)?),
    })
}

/// The characters between hints, between a hint's text and the arguments of its command, and in the
/// position of `--config`. No other control character is stored.
const HINT_END: char = '\u{1e}';
const ARGUMENT: char = '\u{1f}';
const CONFIG: &str = "\u{1d}";

fn encode_hints(hints: &[Hint]) -> Option<String> {
    let plain = |text: &str| text.replace(char::is_control, " ");
    let encoded = hints.iter().map(|hint| {
        let mut encoded = plain(hint.text());
        for argument in hint.command().unwrap_or_default() {
            encoded.push(ARGUMENT);
            match argument {
                HintArg::Text(text) => encoded.push_str(&plain(text)),
                _ => encoded.push_str(CONFIG),
            }
        }
        encoded
    });
    let encoded: Vec<_> = encoded.collect();
    (!encoded.is_empty()).then(|| encoded.join(&String::from(HINT_END)))
}

fn decode_hints(encoded: &str) -> Vec<Hint> {
    let argument = |text: &str| match text {
        CONFIG => HintArg::Config,
        text => HintArg::from(text),
    };
    let hint = |encoded: &str| match encoded.split_once(ARGUMENT) {
        Some((text, command)) => Hint::run(text.to_owned(), command.split(ARGUMENT).map(argument)),
        None => Hint::new(encoded.to_owned()),
    };
    encoded.split(HINT_END).map(hint).collect()
}

#[derive(Default)]
pub(super) struct Writer(pub(super) Zeroizing<Vec<u8>>);

impl Writer {
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn place<T: PartialEq>(&mut self, list: &[T], value: T) -> Option<()> {
        let place = list.iter().position(|one| *one == value)?;
        self.byte(u8::try_from(place).ok()?);
        Some(())
    }

    pub(super) fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    /// A time of after 1970.
    pub(super) fn time(&mut self, time: SystemTime) -> Option<()> {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        self.0.extend(since.as_secs().to_le_bytes());
        self.0.extend(since.subsec_nanos().to_le_bytes());
        Some(())
    }

    pub(super) fn text(&mut self, text: &str) -> Option<()> {
        self.0.extend(u32::try_from(text.len()).ok()?.to_le_bytes());
        self.0.extend(text.as_bytes());
        Some(())
    }

    pub(super) fn optional(&mut self, text: Option<&str>) -> Option<()> {
        self.byte(text.is_some().into());
        text.map_or(Some(()), |text| self.text(text))
    }
}

pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn place<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        list.get(usize::from(self.byte()?)).copied()
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn time(&mut self) -> Option<SystemTime> {
        let seconds = u64::from_le_bytes(self.array()?);
        let nanos = u32::from_le_bytes(self.array()?);
        let since = Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanos.into()))?;
        SystemTime::UNIX_EPOCH.checked_add(since)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(u32::from_le_bytes(self.array()?)).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    pub(super) fn optional(&mut self) -> Option<Option<&'a str>> {
        match self.byte()? {
            0 => Some(None),
            1 => self.text().map(Some),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use gatepass_core::Error;
    use proptest::prelude::*;

    use super::*;

    fn records() -> Vec<Record> {
        let sent = SystemTime::UNIX_EPOCH + Duration::new(1_800_000_000, 123_456_789);
        let until = sent + Duration::from_secs(60);
        let error = Error::denied("refused").hint("act").with_status(401);
        let error = error.hint(Hint::gatepass("log in", ["login", "a b", "--", "x"]));
        let error = error.with_vendor_code("invalid_client").with_vendor_text("no such client");
        let mut records = vec![
            Record::Failure(FailureRecord::new(&error, sent, until)),
            Record::Failure(FailureRecord::new(&Error::unavailable("down"), sent, until)),
        ];
        for &expiry in EXPIRIES {
            let token = Token::builder("t-1".into(), sent).scope(Some("a b"));
            records.push(Record::Token(token.build_with_expiry(until, expiry).unwrap()));
        }
        records
    }

    #[test]
    fn what_is_encoded_is_decoded_and_nothing_shorter_or_longer() {
        for record in records() {
            let bytes = encode(&record).unwrap();
            assert_eq!(format!("{:?}", decode(&bytes).unwrap()), format!("{record:?}"));
            for length in 0..bytes.len() {
                assert!(decode(&bytes[..length]).is_none(), "{length} of {}", bytes.len());
            }
            assert!(decode(&[&bytes[..], &[0]].concat()).is_none());
        }
    }

    #[test]
    fn every_kind_has_a_number() {
        for (at, kind) in KINDS.iter().enumerate() {
            let mut out = Writer::default();
            out.place(KINDS, *kind).unwrap();
            assert_eq!(out.0.as_slice(), [u8::try_from(at).unwrap()]);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_record_or_not(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            decode(&bytes);
            if let Some(first) = bytes.first_mut() {
                *first %= 2;
            }
            decode(&bytes);
        }

        #[test]
        fn a_record_with_another_byte_is_a_record_or_not(at in 0..100usize, byte: u8, n in 0..6usize) {
            let mut bytes = encode(&records()[n]).unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            decode(&bytes);
        }
    }
}
