//! One character of a text, escaped or not.

/// What stands at the beginning of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// The byte itself.
    Plain(u8),
    /// The byte that an escape of this many bytes stands for.
    Escaped(u8, usize),
    /// The text ends inside what may become an escape.
    Cut,
}

/// The families of escapes that begin with this byte, as bits: 0 for a byte that begins none.
pub(super) fn family(byte: u8) -> u8 {
    match byte {
        b'%' => 1,
        b'\\' => 2,
        b'&' => 4,
        _ => 0,
    }
}

/// All families of escapes.
pub(super) const ALL_FAMILIES: u8 = 7;

/// Reads one unit; `None` at the end. Understands `%41` (RFC 3986 §2.1), `\/`, `\n`, `\u0041` (RFC 8259 §7), `\x41`,
/// `&amp;`, `&#65;`, `&#x41;` (HTML), as far as their families are among those asked for. What only looks like an escape
/// is a plain byte.
#[inline]
pub(super) fn read(text: &[u8], families: u8) -> Option<Unit> {
    let (first, rest) = text.split_first()?;
    Some(match *first {
        plain if family(plain) & families == 0 => Unit::Plain(plain),
        b'%' => hex_escape(b'%', rest, 1, 2),
        b'\\' => backslash(rest),
        b'&' => entity(rest),
        plain => Unit::Plain(plain),
    })
}

/// `digits` hex digits behind an introduction of `length` bytes, `starter` being its first.
fn hex_escape(starter: u8, rest: &[u8], length: usize, digits: usize) -> Unit {
    let mut value: u32 = 0;
    for position in 0..digits {
        let Some(byte) = rest.get(position) else { return Unit::Cut };
        let Some(digit) = char::from(*byte).to_digit(16) else { return Unit::Plain(starter) };
        value = value << 4 | digit;
    }
    byte_of(value).map_or(Unit::Plain(starter), |byte| Unit::Escaped(byte, length + digits))
}

fn backslash(rest: &[u8]) -> Unit {
    let Some((kind, digits)) = rest.split_first() else { return Unit::Cut };
    let byte = match *kind {
        b'u' => return ascii_only(hex_escape(b'\\', digits, 2, 4), b'\\'),
        b'x' => return hex_escape(b'\\', digits, 2, 2),
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        same @ (b'/' | b'"' | b'\'' | b'\\') => same,
        _ => return Unit::Plain(b'\\'),
    };
    Unit::Escaped(byte, 2)
}

fn entity(rest: &[u8]) -> Unit {
    const NAMED: [(&[u8], u8); 5] =
        [(b"amp;", b'&'), (b"lt;", b'<'), (b"gt;", b'>'), (b"quot;", b'"'), (b"apos;", b'\'')];
    for (name, byte) in NAMED {
        if rest.starts_with(name) {
            return Unit::Escaped(byte, 1 + name.len());
        }
        if name.starts_with(rest) {
            return Unit::Cut;
        }
    }
    match rest {
        [b'#'] | [b'#', b'x' | b'X'] => Unit::Cut,
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16, 3),
        [b'#', digits @ ..] => number(digits, 10, 2),
        _ => Unit::Plain(b'&'),
    }
}

/// Digits up to a semicolon, behind an introduction of `length` bytes.
fn number(digits: &[u8], radix: u32, length: usize) -> Unit {
    /// Leading zeros are legal; nobody writes more than these.
    const MAX_DIGITS: usize = 7;
    let mut value: u32 = 0;
    for (position, byte) in digits.iter().take(MAX_DIGITS + 1).enumerate() {
        match char::from(*byte).to_digit(radix) {
            Some(digit) if position < MAX_DIGITS => value = value * radix + digit,
            None if *byte == b';' && position > 0 => {
                let unit = byte_of(value)
                    .map_or(Unit::Plain(b'&'), |byte| Unit::Escaped(byte, length + position + 1));
                return ascii_only(unit, b'&');
            }
            _ => return Unit::Plain(b'&'),
        }
    }
    Unit::Cut
}

/// A code point above 127 is several bytes of UTF-8; such an escape stands for no single byte.
fn ascii_only(unit: Unit, starter: u8) -> Unit {
    match unit {
        Unit::Escaped(byte, _) if !byte.is_ascii() => Unit::Plain(starter),
        unit => unit,
    }
}

fn byte_of(value: u32) -> Option<u8> {
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_whole_cut_or_plain() {
        use Unit::*;
        for (text, unit) in [
            ("a", Plain(b'a')),
            ("%41b", Escaped(b'A', 3)),
            ("%c3", Escaped(0xc3, 3)),
            ("%", Cut),
            ("%4", Cut),
            ("%4g", Plain(b'%')),
            ("%g", Plain(b'%')),
            (r"\/", Escaped(b'/', 2)),
            (r"\n", Escaped(b'\n', 2)),
            (r"\u0041", Escaped(b'A', 6)),
            (r"\u00e9", Plain(b'\\')),
            (r"\u1041", Plain(b'\\')),
            (r"\u004", Cut),
            (r"\x4a", Escaped(b'J', 4)),
            ("\\", Cut),
            (r"\q", Plain(b'\\')),
            ("&amp;", Escaped(b'&', 5)),
            ("&am", Cut),
            ("&", Cut),
            ("&#65;", Escaped(b'A', 5)),
            ("&#x0041;", Escaped(b'A', 8)),
            ("&#X2f;", Escaped(b'/', 6)),
            ("&#6", Cut),
            ("&#", Cut),
            ("&#x", Cut),
            ("&#;", Plain(b'&')),
            ("&#233;", Plain(b'&')),
            ("&#300;", Plain(b'&')),
            ("&#00000065;", Plain(b'&')),
            ("&b=1", Plain(b'&')),
        ] {
            assert_eq!(read(text.as_bytes(), ALL_FAMILIES), Some(unit), "{text}");
            let first = text.as_bytes()[0];
            assert_eq!(read(text.as_bytes(), ALL_FAMILIES & !family(first)), Some(Plain(first)), "{text}");
        }
        assert_eq!(read(b"", ALL_FAMILIES), None);
    }
}
