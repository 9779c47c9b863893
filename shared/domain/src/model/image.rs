//! What kind of picture some bytes are, and how large: read from their headers, without decoding a pixel. Bytes that end too early
//! or say something else are no picture.

use super::ImageType;

type Size = (u32, u32);

/// The kind, and width and height in pixels.
pub(super) fn look_at(bytes: &[u8]) -> Option<(ImageType, Size)> {
    if let Some(rest) = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n") {
        Some((ImageType::Png, png(rest)?))
    } else if let Some(rest) = bytes.strip_prefix(b"\xff\xd8") {
        Some((ImageType::Jpeg, jpeg(rest)?))
    } else {
        let rest = bytes.strip_prefix(b"RIFF")?.get(4..)?.strip_prefix(b"WEBP")?;
        Some((ImageType::Webp, webp(rest)?))
    }
}

/// The first chunk is the header (PNG third edition, section 11.2.1).
fn png(chunks: &[u8]) -> Option<Size> {
    let header = chunks.strip_prefix(b"\0\0\0\x0dIHDR")?;
    let (width, rest) = header.split_first_chunk()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*rest.first_chunk()?)))
}

/// Segments up to the first frame header (ITU-T T.81, sections B.1.1 and B.2.2).
fn jpeg(mut segments: &[u8]) -> Option<Size> {
    loop {
        let [0xff, marker, rest @ ..] = segments else { return None };
        segments = match marker {
            // A fill byte before the marker.
            0xff => segments.get(1..)?,
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => return frame(rest),
            // Without length: the restart markers, TEM. After SOS (da) or EOI (d9) there is no frame header any more.
            0x01 | 0xd0..=0xd7 => rest,
            0xd8..=0xda => return None,
            _ => {
                let length = u16::from_be_bytes(*rest.first_chunk()?);
                rest.get(usize::from(length).max(2)..)?
            }
        };
    }
}

/// Length, precision, then lines before samples per line.
fn frame(header: &[u8]) -> Option<Size> {
    let [_, _, _, h1, h0, w1, w0, ..] = header else { return None };
    Some((u16::from_be_bytes([*w1, *w0]).into(), u16::from_be_bytes([*h1, *h0]).into()))
}

/// The first chunk is the picture itself, or says how large the canvas is (RFC 9649, section 2).
fn webp(chunks: &[u8]) -> Option<Size> {
    let (kind, rest) = chunks.split_first_chunk::<4>()?;
    let data = rest.get(4..)?;
    match kind {
        b"VP8 " => {
            // RFC 6386, section 9.1: a key frame has a clear first bit, and its start code after three bytes.
            let [tag, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = data else { return None };
            let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
            (tag & 1 == 0).then(|| (side(*w0, *w1), side(*h0, *h1)))
        }
        b"VP8L" => {
            let [0x2f, b0, b1, b2, b3, ..] = data else { return None };
            let bits = u32::from_le_bytes([*b0, *b1, *b2, *b3]);
            Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
        }
        b"VP8X" => {
            let [_, _, _, _, w0, w1, w2, h0, h1, h2, ..] = data else { return None };
            let side = |b0, b1, b2| u32::from_le_bytes([b0, b1, b2, 0]) + 1;
            Some((side(*w0, *w1, *w2), side(*h0, *h1, *h2)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x10\0\0\x01\0\x08";
    /// An application segment, a fill byte, a progressive frame.
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc2\0\x11\x08\x01\0\0\x10\x03";
    const LOSSY: &[u8] = b"RIFF\x1a\0\0\0WEBPVP8 \x0e\0\0\0\x10\0\0\x9d\x01\x2a\x10\x40\0\x01";
    const LOSSLESS: &[u8] = b"RIFF\x1a\0\0\0WEBPVP8L\x0e\0\0\0\x2f\x0f\xc0\x3f\0";
    const EXTENDED: &[u8] = b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x0f\0\0\xff\0\0";

    #[test]
    fn each_kind_says_how_large_it_is() {
        let cases = [
            (PNG, ImageType::Png),
            (JPEG, ImageType::Jpeg),
            (LOSSY, ImageType::Webp),
            (LOSSLESS, ImageType::Webp),
            (EXTENDED, ImageType::Webp),
        ];
        for (bytes, kind) in cases {
            assert_eq!(look_at(bytes), Some((kind, (16, 256))), "{kind:?} {bytes:?}");
        }
    }

    #[test]
    fn what_ends_too_early_or_comes_too_late_is_no_picture() {
        for bytes in [PNG, JPEG, LOSSY, LOSSLESS, EXTENDED] {
            // The last byte of two of them comes after what is read.
            for end in 0..bytes.len() - 1 {
                assert_eq!(look_at(&bytes[..end]), None, "{bytes:?} up to {end}");
            }
        }
        let without_frame = [&b"\xff\xd8\xff\xda\0\x02"[..], &JPEG[2..]].concat();
        assert_eq!(look_at(&without_frame), None);
        let interframe = [&LOSSY[..20], b"\x11", &LOSSY[21..]].concat();
        assert_eq!(look_at(&interframe), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_at_to_their_end(head in 0_usize..5, bytes: Vec<u8>) {
            let head = [PNG, JPEG, LOSSY, LOSSLESS, EXTENDED][head];
            for at in [2, 4, 8, 12, 16] {
                look_at(&[&head[..at], &bytes].concat());
            }
        }
    }
}
