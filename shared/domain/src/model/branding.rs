//! How an app looks to the people who use it: colours and a logo, the same in the Wallet and on Connect's pages.

use alter_api_types::Color;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::image;
use crate::{
    crypto::sha256,
    error::{Error, Result},
};

/// The largest logo, in bytes: with it an item of the table stays far below its limit.
pub const MAX_LOGO_BYTES: usize = 64 * 1024;
/// The longest side of a logo, in pixels: more is more work for each browser than a picture of this size is worth.
const MAX_LOGO_SIDE: u32 = 1024;

/// What an operator chose. Whoever draws with it sees to the contrast ([`alter_api_types::color`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branding {
    /// The picture itself is an item of its own, which [`crate::repo::Apps::logo`] reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<LogoRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
    /// For dark backgrounds; absent: `color`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color_dark: Option<Color>,
}

/// Which picture an app's logo is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoRef {
    /// SHA-256 in lowercase hexadecimal digits; part of the picture's address, which may therefore be kept for good.
    pub digest: String,
    pub content_type: ImageType,
}

/// The pictures that every browser shows and that can hold no script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageType {
    #[serde(rename = "image/png")]
    Png,
    #[serde(rename = "image/jpeg")]
    Jpeg,
    #[serde(rename = "image/webp")]
    Webp,
}

/// A picture that was looked at: one of three kinds, by its first bytes and whatever it was called, and not too large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo {
    bytes: Bytes,
    content_type: ImageType,
}

impl Branding {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl ImageType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }
}

impl Logo {
    /// `invalid_logo` for what is none.
    pub fn parse(bytes: Bytes) -> Result<Self> {
        if bytes.len() > MAX_LOGO_BYTES {
            return Err(invalid("A logo has at most 64 KiB."));
        }
        let Some((content_type, (width, height))) = image::look_at(&bytes) else {
            return Err(invalid("A logo is a PNG, JPEG or WebP picture."));
        };
        let fits = |side| (1..=MAX_LOGO_SIDE).contains(&side);
        if !fits(width) || !fits(height) {
            return Err(invalid("A logo has 1 to 1024 pixels on each side."));
        }
        Ok(Self { bytes, content_type })
    }

    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub fn content_type(&self) -> ImageType {
        self.content_type
    }

    pub fn to_ref(&self) -> LogoRef {
        LogoRef { digest: hex::encode(sha256(&self.bytes)), content_type: self.content_type }
    }
}

fn invalid(message: &str) -> Error {
    Error::field("invalid_logo", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32, len: usize) -> Bytes {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.resize(len, 0);
        bytes.into()
    }

    #[test]
    fn a_logo_is_a_picture_of_a_sensible_size() {
        for (width, height, len) in [(1, 1, 64), (1024, 1024, MAX_LOGO_BYTES)] {
            let logo = Logo::parse(png(width, height, len)).unwrap();
            assert_eq!(logo.content_type(), ImageType::Png);
            assert_eq!(logo.to_ref().digest.len(), 64);
        }
        for (width, height, len) in
            [(0, 1, 64), (1, 0, 64), (1025, 1, 64), (1, u32::MAX, 64), (1, 1, MAX_LOGO_BYTES + 1)]
        {
            assert!(Logo::parse(png(width, height, len)).is_err(), "{width} by {height} in {len}");
        }
        for no_picture in
            [&b""[..], b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a\x01\0\x01\0", b"<html>"]
        {
            assert!(Logo::parse(Bytes::from_static(no_picture)).is_err());
        }
    }

    #[test]
    fn apps_of_before_have_no_branding_and_colours_are_text() {
        let stored: Branding = serde_json::from_str("{}").unwrap();
        assert!(stored.is_empty());
        let branding = Branding { color: Some(Color::new(1, 2, 255)), ..Branding::default() };
        assert_eq!(serde_json::to_string(&branding).unwrap(), r##"{"color":"#0102ff"}"##);
    }
}
