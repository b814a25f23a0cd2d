//! The bytes of records and history entries, before a store seals them.
//!
//! The bytes of a token contain its secret: they are cleared when dropped.

mod entry;
mod fields;

use gatepass_core::{ErrorKind, Expiry, Hint, HintArg, Retry, Secret, Token};
use zeroize::Zeroizing;

#[cfg(all(feature = "file-store", unix))]
pub(super) use self::entry::step_from;
use self::fields::{FieldWriter, Fields, REQUIRED};
use super::{Circumstances, CredentialRecord, FailureRecord, Record};

const TOKEN: u8 = 0;
const FAILURE: u8 = 1;
const HISTORY_ENTRY: u8 = 2;
const CREDENTIALS: u8 = 3;

/// A value's number is its position in its list: add at the end only.
pub(super) const EXPIRIES: &[Expiry] =
    &[Expiry::Vendor, Expiry::Jwt, Expiry::Configured, Expiry::Assumed];
pub(super) const RETRIES: &[Retry] = &[Retry::Never, Retry::Once, Retry::Later];
pub(super) const KINDS: &[ErrorKind] = &[
    ErrorKind::Config,
    ErrorKind::Denied,
    ErrorKind::LoginRequired,
    ErrorKind::Throttled,
    ErrorKind::Unavailable,
    ErrorKind::Protocol,
    ErrorKind::UnsafeToken,
    ErrorKind::Internal,
];

/// The fields of a token.
mod token_field {
    use super::REQUIRED;

    pub(super) const ISSUED_AT: u8 = REQUIRED | 1;
    pub(super) const EXPIRES_AT: u8 = REQUIRED | 2;
    pub(super) const EXPIRY: u8 = REQUIRED | 3;
    pub(super) const SECRET: u8 = REQUIRED | 4;
    pub(super) const SCOPE: u8 = 5;

    pub(super) const ALL: &[u8] = &[ISSUED_AT, EXPIRES_AT, EXPIRY, SECRET, SCOPE];
}

/// The fields of a failure.
mod failure_field {
    use super::REQUIRED;

    pub(super) const FAILED_AT: u8 = REQUIRED | 1;
    pub(super) const UNTIL: u8 = REQUIRED | 2;
    pub(super) const KIND: u8 = REQUIRED | 3;
    pub(super) const RETRY: u8 = REQUIRED | 4;
    pub(super) const MESSAGE: u8 = REQUIRED | 5;
    pub(super) const STATUS: u8 = 6;
    pub(super) const HINTS: u8 = 7;
    pub(super) const VENDOR_CODE: u8 = 8;
    pub(super) const VENDOR_TEXT: u8 = 9;
    pub(super) const SETTING: u8 = 10;
    pub(super) const CIRCUMSTANCES: u8 = 11;
    pub(super) const LASTING: u8 = 12;

    pub(super) const ALL: &[u8] = &[
        FAILED_AT,
        UNTIL,
        KIND,
        RETRY,
        MESSAGE,
        STATUS,
        HINTS,
        VENDOR_CODE,
        VENDOR_TEXT,
        SETTING,
        CIRCUMSTANCES,
        LASTING,
    ];
}

/// The fields of a record of credentials.
mod credentials_field {
    use super::REQUIRED;

    pub(super) const AT: u8 = REQUIRED | 1;
    pub(super) const REFUSALS: u8 = REQUIRED | 2;
    pub(super) const WORKED: u8 = 3;
    pub(super) const REFUSED: u8 = 4;
    pub(super) const REPLACED_AT: u8 = 5;

    pub(super) const ALL: &[u8] = &[AT, REFUSALS, WORKED, REFUSED, REPLACED_AT];
}

impl Record {
    /// Encodes the record in the format that all stores share. It is versioned: a store may keep
    /// the bytes across updates of this crate.
    ///
    /// The bytes contain the token in clear text. A store that others can read
    /// [seals](super::SealingKeys::seal) them. `None` if the record has a time before 1970 or a
    /// value without a number in this format.
    pub fn encode(&self) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Token(token) => encode_token(token),
            Self::Failure(failure) => encode_failure(failure),
            Self::Credentials(record) => encode_credentials(record),
        }
    }

    /// Decodes a record; `None` if the bytes are not a record, or are one of a version that this
    /// one cannot read. A store treats both as missing.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match *bytes.get(1)? {
            TOKEN => decode_token(bytes).map(Self::Token),
            CREDENTIALS => decode_credentials(bytes).map(Self::Credentials),
            _ => decode_failure(bytes).map(Self::Failure),
        }
    }
}

fn encode_token(token: &Token) -> Option<Zeroizing<Vec<u8>>> {
    let secret = token.expose_secret();
    let bytes = 25 + secret.len() + token.scope().map_or(0, str::len);
    let mut out = FieldWriter::new(TOKEN, token_field::ALL.len(), bytes);
    out.time(token_field::ISSUED_AT, token.issued_at())?;
    out.time(token_field::EXPIRES_AT, token.expires_at())?;
    out.choice(token_field::EXPIRY, EXPIRIES, &token.expiry())?;
    out.string(token_field::SECRET, secret)?;
    out.optional_string(token_field::SCOPE, token.scope())?;
    Some(out.finish())
}

fn decode_token(bytes: &[u8]) -> Option<Token> {
    let fields = Fields::read(bytes, TOKEN, token_field::ALL)?;
    let secret = Secret::from(fields.string(token_field::SECRET)?);
    let token = Token::builder(secret, fields.time(token_field::ISSUED_AT)?)
        .scope(fields.optional_string(token_field::SCOPE)?);
    let expires_at = fields.time(token_field::EXPIRES_AT)?;
    token.build_with_expiry(expires_at, fields.choice(token_field::EXPIRY, EXPIRIES)?).ok()
}

fn encode_failure(failure: &FailureRecord) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = FieldWriter::new(FAILURE, failure_field::ALL.len(), 256);
    out.time(failure_field::FAILED_AT, failure.failed_at)?;
    out.time(failure_field::UNTIL, failure.until)?;
    out.choice(failure_field::KIND, KINDS, &failure.kind)?;
    out.choice(failure_field::RETRY, RETRIES, &failure.retry)?;
    out.string(failure_field::MESSAGE, &failure.message)?;
    if let Some(status) = failure.status {
        out.bytes(failure_field::STATUS, &status.to_le_bytes())?;
    }
    if !failure.hints.is_empty() {
        out.bytes(failure_field::HINTS, &encode_hints(&failure.hints)?)?;
    }
    out.optional_string(failure_field::VENDOR_CODE, failure.vendor_code.as_deref())?;
    out.optional_string(failure_field::VENDOR_TEXT, failure.vendor_text.as_deref())?;
    out.optional_string(failure_field::SETTING, failure.field.as_deref())?;
    if let Some(circumstances) = &failure.circumstances {
        out.bytes(failure_field::CIRCUMSTANCES, circumstances.as_bytes())?;
    }
    if failure.is_lasting {
        out.bytes(failure_field::LASTING, &[])?;
    }
    Some(out.finish())
}

fn decode_failure(bytes: &[u8]) -> Option<FailureRecord> {
    let fields = Fields::read(bytes, FAILURE, failure_field::ALL)?;
    let failed_at = fields.time(failure_field::FAILED_AT)?;
    let is_lasting = fields.bytes(failure_field::LASTING).is_some();
    let latest = failed_at.checked_add(match is_lasting {
        true => FailureRecord::LASTING_COOLDOWN,
        false => FailureRecord::MAX_COOLDOWN,
    })?;
    let owned = |tag| Some(fields.optional_string(tag)?.map(str::to_owned));
    Some(FailureRecord {
        kind: fields.choice(failure_field::KIND, KINDS)?,
        retry: fields.choice(failure_field::RETRY, RETRIES)?,
        message: fields.string(failure_field::MESSAGE)?.to_owned(),
        hints: fields.bytes(failure_field::HINTS).map_or(Some(Vec::new()), decode_hints)?,
        status: fields.optional_array(failure_field::STATUS)?.map(u16::from_le_bytes),
        vendor_code: owned(failure_field::VENDOR_CODE)?,
        vendor_text: owned(failure_field::VENDOR_TEXT)?,
        field: owned(failure_field::SETTING)?,
        failed_at,
        until: fields.time(failure_field::UNTIL)?.min(latest),
        circumstances: fields.optional_array(failure_field::CIRCUMSTANCES)?.map(Circumstances::new),
        is_lasting,
    })
}

fn encode_credentials(record: &CredentialRecord) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = FieldWriter::new(CREDENTIALS, credentials_field::ALL.len(), 60);
    out.time(credentials_field::AT, record.at)?;
    out.bytes(credentials_field::REFUSALS, &record.rejections.to_le_bytes())?;
    for (tag, fingerprint) in
        [(credentials_field::WORKED, &record.worked), (credentials_field::REFUSED, &record.refused)]
    {
        if let Some(fingerprint) = fingerprint {
            out.bytes(tag, fingerprint)?;
        }
    }
    if let Some(at) = record.replaced_at {
        out.time(credentials_field::REPLACED_AT, at)?;
    }
    Some(out.finish())
}

fn decode_credentials(bytes: &[u8]) -> Option<CredentialRecord> {
    let fields = Fields::read(bytes, CREDENTIALS, credentials_field::ALL)?;
    Some(CredentialRecord {
        at: fields.time(credentials_field::AT)?,
        worked: fields.optional_array(credentials_field::WORKED)?,
        refused: fields.optional_array(credentials_field::REFUSED)?,
        rejections: u32::from_le_bytes(fields.array(credentials_field::REFUSALS)?),
        replaced_at: match fields.bytes(credentials_field::REPLACED_AT) {
            Some(_) => Some(fields.time(credentials_field::REPLACED_AT)?),
            None => None,
        },
    })
}

/// Encodes hints, each as `text | number of arguments 1 | arguments`. An argument is a string, and
/// the position of `--config` a string that no argument can be.
fn encode_hints(hints: &[Hint]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let put = |out: &mut Vec<u8>, string: &str| {
        out.extend(u32::try_from(string.len()).ok()?.to_le_bytes());
        out.extend(string.as_bytes());
        Some(())
    };
    for hint in hints {
        put(&mut out, hint.text())?;
        let arguments = hint.command().unwrap_or_default();
        out.push(u8::try_from(arguments.len()).ok()?);
        for argument in arguments {
            match argument {
                HintArg::Text(text) => put(&mut out, text)?,
                _ => put(&mut out, CONFIG_POSITION)?,
            }
        }
    }
    Some(out)
}

fn decode_hints(mut bytes: &[u8]) -> Option<Vec<Hint>> {
    fn string<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
        let (length, rest) = from.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (string, rest) = rest.split_at_checked(length)?;
        *from = rest;
        std::str::from_utf8(string).ok()
    }
    let mut hints = Vec::new();
    while !bytes.is_empty() {
        let text = string(&mut bytes)?.to_owned();
        let count = *bytes.split_off_first()?;
        let mut arguments = Vec::new();
        for _ in 0..count {
            arguments.push(match string(&mut bytes)? {
                CONFIG_POSITION => HintArg::Config,
                text => HintArg::from(text),
            });
        }
        hints.push(match count {
            0 => Hint::new(text),
            _ => Hint::run(text, arguments),
        });
    }
    Some(hints)
}

/// A command's argument cannot contain a zero.
const CONFIG_POSITION: &str = "\0";

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use gatepass_core::{Credential, Error};
    use proptest::prelude::*;

    use super::*;
    use crate::store::{HistoryEntry, NextStep};

    fn sent() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::new(1_800_000_000, 123_456_789)
    }

    fn denied() -> Error {
        let error = Error::denied("refused").hint("act").with_status(401).with_field("scope");
        let error = error.hint(Hint::gatepass("log in", ["login", "a b", "--", "x"]));
        error.with_vendor_code("invalid_client").with_vendor_text("no such client")
    }

    fn records() -> Vec<Record> {
        let until = sent() + Duration::from_secs(60);
        let failure = FailureRecord::new(&Error::unavailable("down"), sent(), until);
        let bound = failure.clone().with_circumstances(Circumstances::new([7; 32]));
        let mut records = vec![
            Record::Failure(FailureRecord::new(&denied(), sent(), until)),
            Record::Failure(failure),
            Record::Failure(bound.lasting()),
            Record::Credentials(CredentialRecord::new(sent(), Some([1; 16]), Some([2; 16]), 3)),
            Record::Credentials(CredentialRecord::new(sent(), None, None, 0)),
        ];
        for &expiry in EXPIRIES {
            let token = Token::builder("t-1".into(), sent()).scope(Some("a b"));
            records.push(Record::Token(token.build_with_expiry(until, expiry).unwrap()));
        }
        records
    }

    fn entries() -> Vec<HistoryEntry> {
        let until = sent() + Duration::from_secs(60);
        let took = Duration::from_millis(112);
        let token = HistoryEntry::new("cisco", sent(), took, Ok(until));
        let failed = HistoryEntry::new("cisco", sent(), took, Err(&denied()))
            .with_process(7, "token")
            .with_credential(&Credential::client("a", "b"))
            .with_fingerprint_key(&[1; 32]);
        let mut entries = vec![token.clone()];
        for step in [NextStep::TokenStored, NextStep::TokenNotStored] {
            entries.push(token.clone().with_origin("https://a.example").with_next_step(step));
        }
        for step in [
            NextStep::PreviousTokenKept,
            NextStep::Denied(until),
            NextStep::CooledDown(until),
            NextStep::Retried,
            NextStep::NotCached,
        ] {
            entries.push(failed.clone().with_next_step(step));
        }
        entries
    }

    #[test]
    fn decoded_record_equals_encoded_one() {
        for record in records() {
            let bytes = record.encode().unwrap();
            assert_eq!(format!("{:?}", Record::decode(&bytes).unwrap()), format!("{record:?}"));
            for length in 0..bytes.len() {
                assert!(Record::decode(&bytes[..length]).is_none(), "{length}");
            }
            assert!(Record::decode(&[&bytes[..], &[0]].concat()).is_none());
            assert!(HistoryEntry::decode(&bytes).is_none());
        }
    }

    #[test]
    fn decoded_failure_is_bound_to_its_circumstances() {
        let Some(Record::Failure(failure)) = records().into_iter().nth(2) else {
            panic!("no failure")
        };
        let bytes = Record::Failure(failure.clone()).encode().unwrap();
        let Some(Record::Failure(decoded)) = Record::decode(&bytes) else { panic!("no failure") };
        assert_eq!(decoded, failure);
        assert_eq!(decoded.until(), sent() + FailureRecord::LASTING_COOLDOWN);
        assert!(
            decoded.is_bound_to(Some(&Circumstances::new([7; 32]))) && decoded.is_bound_to(None)
        );
        assert!(!decoded.is_bound_to(Some(&Circumstances::new([8; 32]))));
    }

    #[test]
    fn decoded_entry_equals_encoded_one() {
        for entry in entries() {
            let bytes = entry.encode().unwrap();
            assert_eq!(
                format!("{:?}", HistoryEntry::decode(&bytes).unwrap()),
                format!("{entry:?}")
            );
            for length in 0..bytes.len() {
                assert!(HistoryEntry::decode(&bytes[..length]).is_none(), "{length}");
            }
            assert!(Record::decode(&bytes).is_none());
        }
    }

    #[test]
    fn encoding_a_token_never_grows_the_buffer() {
        let long = "t".repeat(5000);
        let token = Token::builder(long.as_str().into(), sent()).scope(Some(&long));
        let token = token.build_with_expiry(sent() + Duration::from_secs(60), Expiry::Vendor);
        let bytes = encode_token(&token.unwrap()).unwrap();
        assert_eq!(bytes.len(), bytes.capacity());
    }

    #[test]
    fn first_format_is_not_decoded() {
        for kind in [TOKEN, FAILURE] {
            assert!(Record::decode(&[&[kind], [0_u8; 64].as_slice()].concat()).is_none());
        }
    }

    #[test]
    fn numbers_of_kinds_are_stable() {
        for (at, kind) in KINDS.iter().enumerate() {
            let mut out = FieldWriter::new(FAILURE, 1, 1);
            out.choice(failure_field::KIND, KINDS, kind).unwrap();
            assert_eq!(out.finish().last(), Some(&u8::try_from(at).unwrap()));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_without_a_panic(
            mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            for head in
                [&[][..], &[2, TOKEN], &[2, FAILURE], &[2, HISTORY_ENTRY], &[2, CREDENTIALS]]
            {
                bytes.splice(..bytes.len().min(head.len()), head.iter().copied());
                Record::decode(&bytes);
                HistoryEntry::decode(&bytes);
            }
        }

        #[test]
        fn changed_byte_is_decoded_without_a_panic(at in 0..200usize, byte: u8, n in 0..17usize) {
            let mut bytes = match records().get(n) {
                Some(record) => record.encode().unwrap().to_vec(),
                None => entries()[n - 9].encode().unwrap(),
            };
            let at = at % bytes.len();
            bytes[at] = byte;
            Record::decode(&bytes);
            HistoryEntry::decode(&bytes);
        }
    }
}
