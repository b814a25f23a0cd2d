//! Numbered fields of bytes: the frame that every stored value is written in.
//!
//! ```text
//! format 1 | kind 1 | number of fields 1 | fields
//! field: tag 1 | length 4 | value
//! ```
//!
//! Tags ascend, so that a value has exactly one encoding. The highest bit of a tag is set if a
//! reader must know the field. A later version adds a field without a new format: with a tag below
//! 128 if an earlier version may skip it, and above if skipping it would change the meaning. The
//! number of fields at the front makes a value that was cut short unreadable, wherever the cut is.
//! Integers are little-endian.

use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

/// Marks a field that a reader must know.
pub(super) const REQUIRED: u8 = 0x80;

/// The format of this frame. Version 1 began with its kind, 0 or 1, and had no fields.
const FORMAT: u8 = 2;
const HEADER: usize = 3;
/// Bytes of a field beside its value.
const FIELD_HEADER: usize = 5;

/// Writes the fields of one value, in ascending order of their numbers.
pub(super) struct FieldWriter(Zeroizing<Vec<u8>>);

impl FieldWriter {
    /// Begins a value. `fields` and `bytes` are the most it will have: the buffer must not grow,
    /// because growing leaves a copy of a secret behind.
    pub(super) fn new(kind: u8, fields: usize, bytes: usize) -> Self {
        let mut out = Vec::with_capacity(HEADER + fields * FIELD_HEADER + bytes);
        out.extend([FORMAT, kind, 0]);
        Self(Zeroizing::new(out))
    }

    pub(super) fn bytes(&mut self, tag: u8, value: &[u8]) -> Option<()> {
        let length = u32::try_from(value.len()).ok()?;
        let count = self.0.get_mut(HEADER - 1)?;
        *count = count.checked_add(1)?;
        self.0.push(tag);
        self.0.extend(length.to_le_bytes());
        self.0.extend(value);
        Some(())
    }

    pub(super) fn string(&mut self, tag: u8, value: &str) -> Option<()> {
        self.bytes(tag, value.as_bytes())
    }

    pub(super) fn optional_string(&mut self, tag: u8, value: Option<&str>) -> Option<()> {
        value.map_or(Some(()), |value| self.string(tag, value))
    }

    /// Writes a time after 1970.
    pub(super) fn time(&mut self, tag: u8, time: SystemTime) -> Option<()> {
        self.bytes(tag, &time_bytes(time)?)
    }

    /// Writes a value's position in its list.
    pub(super) fn choice<T: PartialEq>(&mut self, tag: u8, list: &[T], value: &T) -> Option<()> {
        let position = list.iter().position(|one| one == value)?;
        self.bytes(tag, &[u8::try_from(position).ok()?])
    }

    pub(super) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

/// The fields of one value. Getters return `None` for a field that is absent or malformed.
pub(super) struct Fields<'a>(Vec<(u8, &'a [u8])>);

impl<'a> Fields<'a> {
    /// Reads a value of this kind; `None` if it is damaged, of another kind or format, or has a
    /// required field that is not among `known`.
    pub(super) fn read(bytes: &'a [u8], kind: u8, known: &[u8]) -> Option<Self> {
        let ([format, found, count], mut rest) = bytes.split_first_chunk::<HEADER>()?;
        if *format != FORMAT || *found != kind {
            return None;
        }
        let mut fields: Vec<(u8, &[u8])> = Vec::with_capacity(usize::from(*count));
        for _ in 0..*count {
            let (&tag, after) = rest.split_first()?;
            let (length, after) = after.split_first_chunk()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let (value, after) = after.split_at_checked(length)?;
            let ascends = fields.last().is_none_or(|(last, _)| number(*last) < number(tag));
            let is_known = known.contains(&tag);
            if !ascends || (!is_known && tag & REQUIRED != 0) {
                return None;
            }
            fields.push((tag, value));
            rest = after;
        }
        rest.is_empty().then_some(Self(fields))
    }

    pub(super) fn bytes(&self, tag: u8) -> Option<&'a [u8]> {
        self.0.iter().find(|(found, _)| *found == tag).map(|(_, value)| *value)
    }

    pub(super) fn string(&self, tag: u8) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(tag)?).ok()
    }

    /// Reads a field that may be absent; the outer `None` means that it is malformed.
    pub(super) fn optional_string(&self, tag: u8) -> Option<Option<&'a str>> {
        match self.bytes(tag) {
            Some(_) => self.string(tag).map(Some),
            None => Some(None),
        }
    }

    pub(super) fn array<const N: usize>(&self, tag: u8) -> Option<[u8; N]> {
        self.bytes(tag)?.try_into().ok()
    }

    /// Reads an integer that may be absent; the outer `None` means that it is malformed.
    pub(super) fn optional_array<const N: usize>(&self, tag: u8) -> Option<Option<[u8; N]>> {
        match self.bytes(tag) {
            Some(_) => self.array(tag).map(Some),
            None => Some(None),
        }
    }

    pub(super) fn time(&self, tag: u8) -> Option<SystemTime> {
        read_time(self.bytes(tag)?)
    }

    pub(super) fn choice<T: Copy>(&self, tag: u8, list: &[T]) -> Option<T> {
        let [position] = self.array(tag)?;
        list.get(usize::from(position)).copied()
    }
}

/// A time as seconds and nanoseconds since 1970.
pub(super) fn time_bytes(time: SystemTime) -> Option<[u8; 12]> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let mut bytes = [0; 12];
    bytes.first_chunk_mut::<8>()?.copy_from_slice(&since.as_secs().to_le_bytes());
    bytes.last_chunk_mut::<4>()?.copy_from_slice(&since.subsec_nanos().to_le_bytes());
    Some(bytes)
}

/// Reads what [`time_bytes`] returns, and no other spelling of the same time.
pub(super) fn read_time(bytes: &[u8]) -> Option<SystemTime> {
    let bytes: &[u8; 12] = bytes.try_into().ok()?;
    let seconds = u64::from_le_bytes(*bytes.first_chunk()?);
    let nanos = u32::from_le_bytes(*bytes.last_chunk()?);
    if nanos >= 1_000_000_000 {
        return None;
    }
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
}

fn number(tag: u8) -> u8 {
    tag & !REQUIRED
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: u8 = 7;
    const NEEDED: u8 = REQUIRED | 1;
    const NOTE: u8 = 3;

    fn value(fields: &[(u8, &[u8])]) -> Zeroizing<Vec<u8>> {
        let mut out = FieldWriter::new(KIND, fields.len(), 100);
        for (tag, value) in fields {
            out.bytes(*tag, value).unwrap();
        }
        out.finish()
    }

    fn read(bytes: &[u8]) -> Option<Fields<'_>> {
        Fields::read(bytes, KIND, &[NEEDED, NOTE])
    }

    #[test]
    fn unknown_optional_field_is_skipped() {
        let bytes = value(&[(NEEDED, b"a"), (2, b"of a later version"), (NOTE, b"b")]);
        let fields = read(&bytes).unwrap();
        assert_eq!((fields.string(NEEDED), fields.string(NOTE)), (Some("a"), Some("b")));
    }

    #[test]
    fn unknown_required_field_is_a_miss() {
        assert!(read(&value(&[(NEEDED, b"a"), (REQUIRED | 2, b"")])).is_none());
        // The same number with the other meaning is another field.
        assert!(read(&value(&[(REQUIRED | 3, b"")])).is_none());
    }

    #[test]
    fn fields_out_of_order_are_a_miss() {
        for fields in [[(NOTE, b"b"), (NEEDED, b"a")], [(NOTE, b"b"), (NOTE, b"b")]] {
            let fields: Vec<(u8, &[u8])> =
                fields.iter().map(|(tag, value)| (*tag, value.as_slice())).collect();
            assert!(read(&value(&fields)).is_none());
        }
    }

    #[test]
    fn cut_or_extended_value_is_a_miss() {
        let bytes = value(&[(NEEDED, b"a"), (NOTE, b"b")]);
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_none(), "{length} of {}", bytes.len());
        }
        assert!(read(&[&bytes[..], &[0]].concat()).is_none());
    }

    #[test]
    fn another_format_or_kind_is_a_miss() {
        for at in [0, 1] {
            let mut bytes = value(&[(NEEDED, b"a")]);
            bytes[at] += 1;
            assert!(read(&bytes).is_none());
        }
    }

    #[test]
    fn time_has_one_spelling() {
        let time = SystemTime::UNIX_EPOCH + Duration::new(5, 999_999_999);
        assert_eq!(read_time(&time_bytes(time).unwrap()), Some(time));
        let mut bytes = time_bytes(time).unwrap();
        bytes[8..].copy_from_slice(&1_000_000_000_u32.to_le_bytes());
        assert_eq!(read_time(&bytes), None);
        assert_eq!(time_bytes(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), None);
    }
}
