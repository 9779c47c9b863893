//! The bytes of a segment.
//!
//! A segment is a row of frames, then zeros (the file is extended ahead of the data, which makes a sync cheaper). A frame is
//! what one write put there, one record or a group:
//!
//! ```text
//! length of payload: u32 | CRC-32C of (segment: u64, offset: u64, payload): u32 | payload
//! payload: records, each  length: u32 | kind: u8 | bytes        (all little-endian)
//! ```
//!
//! The checksum covers where the frame lies, so bytes that were copied or moved are not taken for a frame.

use bytes::Bytes;

pub(super) const HEADER: usize = 8;
const RECORD_HEADER: usize = 5;
/// Payload after which a frame takes no further record.
pub(super) const FULL_PAYLOAD: usize = 1 << 20;
/// The largest record: an audit row is an item of the table, at most 400 KB.
pub(super) const MAX_RECORD: usize = 1 << 20;
/// A frame that is not full takes one record and one nonce more.
const MAX_PAYLOAD: usize = FULL_PAYLOAD + RECORD_HEADER + MAX_RECORD + RECORD_HEADER + NONCE_BYTES;

const NONCE_BYTES: usize = 16;

const AUDIT: u8 = 1;
const NONCE: u8 = 2;

/// One nonce, remembered until `forget_at` (Unix seconds).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) fingerprint: u64,
    pub(super) forget_at: i64,
}

/// What a record holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Audit(Bytes),
    Nonce(Used),
}

impl Entry {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Audit(bytes) => bytes.len(),
            Self::Nonce(_) => NONCE_BYTES,
        }
    }
}

/// A frame being filled; the header is written when its place is known.
#[derive(Debug)]
pub(super) struct Frame(Vec<u8>);

impl Frame {
    pub(super) fn new(entries: &[Entry]) -> Self {
        let bytes: usize = entries.iter().map(|entry| RECORD_HEADER + entry.len()).sum();
        let mut frame = Self(Vec::with_capacity(HEADER + bytes));
        frame.0.extend([0; HEADER]);
        entries.iter().for_each(|entry| frame.push(entry));
        frame
    }

    pub(super) fn push(&mut self, entry: &Entry) {
        // MAX_RECORD, checked by the journal, keeps the length within 32 bits.
        let length = u32::try_from(entry.len()).unwrap_or(u32::MAX).to_le_bytes();
        self.0.extend(length);
        match entry {
            Entry::Audit(bytes) => {
                self.0.push(AUDIT);
                self.0.extend_from_slice(bytes);
            }
            Entry::Nonce(used) => {
                self.0.push(NONCE);
                self.0.extend(used.fingerprint.to_le_bytes());
                self.0.extend(used.forget_at.to_le_bytes());
            }
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= HEADER + FULL_PAYLOAD
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The frame's bytes for exactly this place.
    pub(super) fn seal(&mut self, segment: u64, offset: u64) -> &[u8] {
        if let Some((header, payload)) = self.0.split_first_chunk_mut::<HEADER>() {
            let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
            let checksum = checksum(segment, offset, payload).to_le_bytes();
            for (byte, value) in header.iter_mut().zip(length.into_iter().chain(checksum)) {
                *byte = value;
            }
        }
        &self.0
    }
}

/// What lies at the start of some bytes of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<'b> {
    /// A frame with this payload; it takes [`HEADER`] and the payload's length.
    Frame(&'b [u8]),
    /// A plausible header; the frame needs this many bytes in all.
    Need(usize),
    /// No frame begins here.
    Nothing,
}

pub(super) fn parse(segment: u64, offset: u64, bytes: &[u8]) -> Parsed<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else { return Parsed::Need(HEADER) };
    let [l0, l1, l2, l3, c0, c1, c2, c3] = *header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if !(RECORD_HEADER..=MAX_PAYLOAD).contains(&length) {
        return Parsed::Nothing;
    }
    match rest.get(..length) {
        None => Parsed::Need(HEADER + length),
        Some(payload) if checksum(segment, offset, payload) == u32::from_le_bytes([c0, c1, c2, c3]) => {
            Parsed::Frame(payload)
        }
        Some(_) => Parsed::Nothing,
    }
}

/// The records of a payload whose checksum held. `None` in place of a record this program does not understand.
pub(super) fn entries(payload: &Bytes) -> impl Iterator<Item = Option<Entry>> {
    let mut rest = payload.clone();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = next_entry(&mut rest);
        if entry.is_none() {
            rest.clear();
        }
        Some(entry)
    })
}

fn next_entry(rest: &mut Bytes) -> Option<Entry> {
    let (&[l0, l1, l2, l3, kind], _) = rest.split_first_chunk::<RECORD_HEADER>()?;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if rest.len() < RECORD_HEADER + length {
        return None;
    }
    let mut record = rest.split_to(RECORD_HEADER + length);
    let body = record.split_off(RECORD_HEADER);
    match kind {
        AUDIT => Some(Entry::Audit(body)),
        NONCE => {
            let (fingerprint, forget_at) = body.split_first_chunk::<8>()?;
            Some(Entry::Nonce(Used {
                fingerprint: u64::from_le_bytes(*fingerprint),
                forget_at: i64::from_le_bytes(forget_at.try_into().ok()?),
            }))
        }
        _ => None,
    }
}

fn checksum(segment: u64, offset: u64, payload: &[u8]) -> u32 {
    let mut place = [0; 16];
    for (byte, value) in place.iter_mut().zip(segment.to_le_bytes().into_iter().chain(offset.to_le_bytes())) {
        *byte = value;
    }
    crc32c::crc32c_append(crc32c::crc32c(&place), payload)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry() -> impl Strategy<Value = Entry> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| Entry::Audit(bytes.into())),
            (any::<u64>(), any::<i64>())
                .prop_map(|(fingerprint, forget_at)| Entry::Nonce(Used { fingerprint, forget_at })),
        ]
    }

    proptest! {
        #[test]
        fn what_was_pushed_is_read(pushed in proptest::collection::vec(entry(), 1..20), segment: u64, offset: u64) {
            let mut frame = Frame::new(&pushed[..1]);
            pushed[1..].iter().for_each(|entry| frame.push(entry));
            let bytes = frame.seal(segment, offset).to_vec();
            let Parsed::Frame(payload) = parse(segment, offset, &bytes) else { panic!("no frame") };
            prop_assert_eq!(payload.len() + HEADER, bytes.len());
            let read: Option<Vec<_>> = entries(&Bytes::copy_from_slice(payload)).collect();
            prop_assert_eq!(read, Some(pushed));
        }

        #[test]
        fn bytes_of_strangers_are_no_frame(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(!matches!(parse(1, 0, &bytes), Parsed::Frame(_)));
            let read: Vec<_> = entries(&bytes.into()).collect();
            prop_assert!(read.len() <= 40);
        }
    }

    #[test]
    fn a_flipped_bit_or_another_place_is_no_frame() {
        let mut frame = Frame::new(&[Entry::Audit("hello".into())]);
        let bytes = frame.seal(3, 77).to_vec();
        assert_eq!(parse(4, 77, &bytes), Parsed::Nothing);
        assert_eq!(parse(3, 78, &bytes), Parsed::Nothing);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(parse(3, 77, &flipped), Parsed::Frame(_)), "bit {bit}");
        }
    }
}
