//! The patterns of one call's secrets and the search for them.
//!
//! A secret becomes five patterns: its bytes, its hex digits, and its base64 characters at three alignments. Matching
//! reads the text unit by unit ([`unit`]), so that one pattern covers all escaped spellings. Two tables of 256 masks
//! (which patterns may begin with this byte, which may go on with that) keep the search at a load or two per byte and
//! cost next to nothing to build, unlike an automaton; the plaintext may not outlive the call, so nothing is cached.

use zeroize::{Zeroize as _, Zeroizing};

use super::unit::{self, Unit};

/// What may begin at a place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) start: usize,
    /// Length in bytes of the longest whole match; 0 if there is none.
    pub(super) matched: usize,
    /// The text ends inside a match.
    pub(super) unfinished: bool,
    /// It ends when half of the pattern has been read, or more.
    pub(super) half: bool,
}

/// What a pass over a buffer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pass {
    /// How many bytes are final; a match may begin behind them.
    pub(super) settled: usize,
    /// How many bytes behind `settled` are already known to be part of a match.
    pub(super) zone: usize,
    pub(super) hits: usize,
}

pub(super) struct Patterns {
    /// The characters of all patterns, one after the other, in the spelling of [`Alphabet::fold`].
    characters: Zeroizing<Vec<u8>>,
    list: Vec<Pattern>,
    /// By the first and the second byte of a match: the patterns that may begin so.
    first: [u32; 256],
    second: [u32; 256],
}

impl Patterns {
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut patterns = Self {
            characters: Zeroizing::new(Vec::new()),
            list: Vec::new(),
            first: [0; 256],
            second: [ESCAPE; 256],
        };
        for secret in secrets {
            patterns.reserve(secret.len() * 8);
            patterns.add(Alphabet::Raw, secret.iter().copied());
            patterns.add(Alphabet::Hex, secret.iter().flat_map(|byte| hex_digits(*byte)));
            for shift in 0..3 {
                patterns.add(Alphabet::Base64, base64_characters(secret, shift));
            }
        }
        for byte in (0..=u8::MAX).filter(|byte| unit::family(*byte) != 0) {
            mark(&mut patterns.first, byte, ESCAPE);
            mark(&mut patterns.second, byte, u32::MAX);
        }
        patterns
    }

    /// The first place at or behind `from` where a match begins, or may begin if the text went on.
    pub(super) fn next_hit(&self, text: &[u8], from: usize) -> Option<Hit> {
        let rest = text.get(from..)?;
        for (offset, pair) in rest.windows(2).enumerate() {
            if let [first, second] = pair {
                let mask = look(&self.first, *first) & look(&self.second, *second);
                if mask != 0
                    && let Some(hit) = self.examine(text, from + offset, mask)
                {
                    return Some(hit);
                }
            }
        }
        let last = rest.last()?;
        match look(&self.first, *last) {
            0 => None,
            mask => self.examine(text, text.len() - 1, mask),
        }
    }

    /// Overwrites all matches; `zone` bytes at the front are part of one already. Unless the text is `complete`, stops
    /// where a match may begin that the text does not finish, and leaves what follows untouched to be searched again.
    pub(super) fn overwrite(&self, text: &mut [u8], zone: usize, complete: bool) -> Pass {
        // Matches may overlap: a byte is overwritten only when no match can begin at it any more.
        let (mut at, mut until, mut hits) = (0, zone, 0);
        while let Some(hit) = self.next_hit(text, at) {
            star(text, at, hit.start.min(until));
            // Half a secret is still worth stealing when the end cut the echo short; its first few characters are often
            // public (`sk_live_`).
            let matched = if complete && hit.half { text.len() - hit.start } else { hit.matched };
            if matched > 0 {
                until = until.max(hit.start + matched);
                hits += 1;
            }
            if !complete && hit.unfinished {
                return Pass { settled: hit.start, zone: until.saturating_sub(hit.start), hits };
            }
            at = hit.start + 1;
            star(text, hit.start, at.min(until));
        }
        star(text, at, until);
        Pass { settled: text.len(), zone: until.saturating_sub(text.len()), hits }
    }

    fn examine(&self, text: &[u8], start: usize, mask: u32) -> Option<Hit> {
        let here = text.get(start..)?;
        let mask = if mask & ESCAPE == 0 { mask } else { self.behind_escape(here) };
        let mut hit = Hit { start, matched: 0, unfinished: false, half: false };
        for (index, pattern) in self.list.iter().enumerate().filter(|(index, _)| mask & bit(*index) != 0) {
            let characters = self.characters.get(pattern.start..pattern.end).unwrap_or_default();
            debug_assert!(!characters.is_empty(), "pattern {index} is empty");
            // An upstream that escapes in one way escapes all through. A secret that holds what looks like an escape may
            // stand there escaped or as it is, so it is read both ways, family by family.
            let mut plain = pattern.families;
            loop {
                hit.note(pattern.alphabet.compare(characters, here, unit::ALL_FAMILIES & !plain));
                if plain == 0 {
                    break;
                }
                plain = (plain - 1) & pattern.families;
            }
        }
        (hit.matched > 0 || hit.unfinished).then_some(hit)
    }

    /// The patterns that may begin with the escape at the beginning of the text, read as one or as plain bytes.
    fn behind_escape(&self, text: &[u8]) -> u32 {
        let plain = text.first().map_or(0, |byte| look(&self.first, *byte));
        match unit::read(text, unit::ALL_FAMILIES) {
            Some(Unit::Escaped(byte, _)) => plain | look(&self.first, byte),
            Some(Unit::Plain(_)) | None => plain,
            Some(Unit::Cut) => u32::MAX,
        }
    }

    fn add(&mut self, alphabet: Alphabet, characters: impl Iterator<Item = u8>) {
        let start = self.characters.len();
        self.characters.extend(characters);
        let added = self.characters.get(start..).unwrap_or_default();
        let (Some(first), Some(second)) = (added.first(), added.get(1)) else { return };
        let mine = bit(self.list.len());
        alphabet.spellings(*first, |byte| mark(&mut self.first, byte, mine));
        alphabet.spellings(*second, |byte| mark(&mut self.second, byte, mine));
        if alphabet == Alphabet::Base64 {
            mark(&mut self.second, b'\r', mine);
            mark(&mut self.second, b'\n', mine);
        }
        let families = added.iter().fold(0, |families, byte| families | unit::family(*byte));
        self.list.push(Pattern { alphabet, families, start, end: self.characters.len() });
    }

    /// Grows by moving into a new buffer and zeroing the old one; `Vec` would leave a copy behind.
    fn reserve(&mut self, more: usize) {
        if self.characters.capacity() - self.characters.len() < more {
            let mut grown = Zeroizing::new(Vec::with_capacity(self.characters.len() + more));
            grown.extend_from_slice(&self.characters);
            self.characters = grown;
        }
    }
}

impl Drop for Patterns {
    fn drop(&mut self) {
        self.first.zeroize();
        self.second.zeroize();
    }
}

impl Hit {
    fn note(&mut self, found: Found) {
        match found {
            Found::No => {}
            Found::Partial { half } => {
                self.unfinished = true;
                self.half |= half;
            }
            Found::Whole(length) => self.matched = self.matched.max(length),
        }
    }
}

/// An escape begins a match: any pattern may.
const ESCAPE: u32 = 1 << 31;

struct Pattern {
    alphabet: Alphabet,
    /// The families of escapes that the pattern's own characters look like.
    families: u8,
    start: usize,
    end: usize,
}

/// How a pattern's characters may be spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    Raw,
    /// Either case; held in lower case.
    Hex,
    /// Standard or URL-safe; held in standard spelling. Line breaks inside do not count.
    Base64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    No,
    Partial { half: bool },
    Whole(usize),
}

impl Alphabet {
    fn fold(self, byte: u8) -> u8 {
        match (self, byte) {
            (Alphabet::Hex, _) => byte.to_ascii_lowercase(),
            (Alphabet::Base64, b'-') => b'+',
            (Alphabet::Base64, b'_') => b'/',
            _ => byte,
        }
    }

    /// Whether a byte of the text stands for a character of the pattern; a form writes a blank as `+`.
    fn accepts(self, character: u8, byte: u8) -> bool {
        self.fold(byte) == character || (self == Alphabet::Raw && character == b' ' && byte == b'+')
    }

    fn spellings(self, character: u8, mut each: impl FnMut(u8)) {
        each(character);
        match (self, character) {
            (Alphabet::Hex, _) => each(character.to_ascii_uppercase()),
            (Alphabet::Base64, b'+') => each(b'-'),
            (Alphabet::Base64, b'/') => each(b'_'),
            (Alphabet::Raw, b' ') => each(b'+'),
            _ => {}
        }
    }

    /// Matches at the beginning of the text, reading escapes of the given families as what they stand for.
    fn compare(self, characters: &[u8], text: &[u8], families: u8) -> Found {
        let mut at = 0;
        for (position, character) in characters.iter().enumerate() {
            loop {
                let (byte, length) = match text.get(at..).and_then(|rest| unit::read(rest, families)) {
                    Some(Unit::Plain(byte)) => (byte, 1),
                    Some(Unit::Escaped(byte, length)) => (byte, length),
                    Some(Unit::Cut) | None => {
                        return Found::Partial { half: position * 2 >= characters.len() };
                    }
                };
                if self.accepts(*character, byte) {
                    at += length;
                    break;
                }
                if self != Alphabet::Base64 || position == 0 || !matches!(byte, b'\r' | b'\n') {
                    return Found::No;
                }
                at += length;
            }
        }
        Found::Whole(at)
    }
}

/// Patterns beyond the 31st share bits; a mask only says where to look closer.
fn bit(index: usize) -> u32 {
    1 << (index % 31)
}

fn look(table: &[u32; 256], byte: u8) -> u32 {
    table.get(usize::from(byte)).copied().unwrap_or(u32::MAX)
}

fn mark(table: &mut [u32; 256], byte: u8, mask: u32) {
    if let Some(entry) = table.get_mut(usize::from(byte)) {
        *entry |= mask;
    }
}

fn star(text: &mut [u8], from: usize, until: usize) {
    if let Some(span) = text.get_mut(from..until) {
        span.fill(b'*');
    }
}

fn hex_digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|nibble| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
}

/// The base64 characters (RFC 4648 §4) that depend on the secret alone when `shift` unknown bytes stand before it in
/// their group of three, and any bytes after it. Those at the edges that mix in neighbours are left out.
fn base64_characters(secret: &[u8], shift: usize) -> impl Iterator<Item = u8> + '_ {
    // Character n holds the bits 6n..6n+6; the secret's own begin at 8·shift.
    let first = (shift * 8).div_ceil(6);
    let end = (shift + secret.len()) * 8 / 6;
    (first..end).map(move |index| {
        let bit = index * 6 - shift * 8;
        let high = secret.get(bit / 8).copied().unwrap_or_default();
        let low = secret.get(bit / 8 + 1).copied().unwrap_or_default();
        let sextet = u16::from_be_bytes([high, low]) >> (10 - bit % 8) & 0x3f;
        match sextet as u8 {
            value @ 0..=25 => b'A' + value,
            value @ 26..=51 => b'a' + value - 26,
            value @ 52..=61 => b'0' + value - 52,
            62 => b'+',
            _ => b'/',
        }
    })
}
