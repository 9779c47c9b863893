//! Colours that operators choose, and the contrast that people need to read them (WCAG 2.2, success criteria 1.4.3 and 1.4.11).
//!
//! Whoever draws with an operator's colour draws with what [`accent_on`] makes of it, and writes on it in [`Color::text`].

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The contrast that text needs with what it stands on (WCAG 1.4.3, level AA).
pub const TEXT_CONTRAST: f64 = 4.5;
/// The contrast that a control's edge or a sign needs with what it stands on (WCAG 1.4.11).
pub const UI_CONTRAST: f64 = 3.0;

/// An opaque sRGB colour; its text is `#rrggbb` in lowercase, and nothing else is read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Color {
    pub red: u8,
    pub green: u8,
    pub blue: u8,
}

/// The text is not `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAColor;

/// The colour itself where it has at least this contrast with the background, else the one nearest to it that has, on the way
/// to black or to white: the one that contrasts more with the background. Of every background at least one of the two has 4.58, so
/// that [`TEXT_CONTRAST`] is always reached.
pub fn accent_on(background: Color, color: Color, contrast: f64) -> Color {
    let far = background.text();
    let reached = |mixed: &Color| mixed.contrast(background) >= contrast;
    (0..=u8::MAX).map(|share| color.mixed(far, share)).find(reached).unwrap_or(far)
}

impl Color {
    pub const BLACK: Self = Self::new(0, 0, 0);
    pub const WHITE: Self = Self::new(255, 255, 255);

    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// Black or white: the one that reads better on this colour, always with at least [`TEXT_CONTRAST`].
    pub fn text(self) -> Self {
        if self.contrast(Self::BLACK) >= self.contrast(Self::WHITE) { Self::BLACK } else { Self::WHITE }
    }

    /// From 1 (none) to 21 (black and white).
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// WCAG 2.2, "relative luminance": 0 is black, 1 is white.
    pub fn luminance(self) -> f64 {
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }

    /// This colour with so many 255ths of another in it.
    pub fn mixed(self, other: Self, share: u8) -> Self {
        let mix = |from, to| mix(from, to, share);
        Self::new(mix(self.red, other.red), mix(self.green, other.green), mix(self.blue, other.blue))
    }
}

fn linear(channel: u8) -> f64 {
    let value = f64::from(channel) / 255.0;
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

fn mix(from: u8, to: u8, share: u8) -> u8 {
    let sum = u32::from(from) * u32::from(u8::MAX - share) + u32::from(to) * u32::from(share);
    u8::try_from((sum + 127) / 255).unwrap_or(u8::MAX)
}

impl FromStr for Color {
    type Err = NotAColor;

    fn from_str(text: &str) -> Result<Self, NotAColor> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(NotAColor)?;
        if !digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(NotAColor);
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).map_err(|_| NotAColor)?.to_be_bytes();
        Ok(Self::new(red, green, blue))
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

impl fmt::Debug for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for NotAColor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a colour is # and six lowercase hexadecimal digits")
    }
}

impl std::error::Error for NotAColor {}

impl TryFrom<String> for Color {
    type Error = NotAColor;

    fn try_from(text: String) -> Result<Self, NotAColor> {
        text.parse()
    }
}

impl From<Color> for String {
    fn from(color: Color) -> Self {
        color.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn color(text: &str) -> Color {
        text.parse().unwrap()
    }

    /// Every third value of each channel that matters, the edges among them.
    fn many() -> impl Iterator<Item = Color> {
        let steps = || (0..=u8::MAX).step_by(15);
        steps().flat_map(move |r| steps().flat_map(move |g| steps().map(move |b| Color::new(r, g, b))))
    }

    #[test]
    fn its_text_is_six_lowercase_digits() {
        assert_eq!(color("#0a1b2c"), Color::new(10, 27, 44));
        assert_eq!(color("#0a1b2c").to_string(), "#0a1b2c");
        assert_eq!(serde_json::to_string(&Color::WHITE).unwrap(), "\"#ffffff\"");
        for bad in
            ["", "#fff", "ffffff", "#FFFFFF", "#ggggg0", "#+fffff", "#ffffff ", "#ffffff;", "#éfff", "red"]
        {
            assert!(bad.parse::<Color>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn contrast_is_as_wcag_defines_it() {
        let near = |found: f64, expected: f64| (found - expected).abs() < 0.005;
        assert!(near(Color::BLACK.contrast(Color::WHITE), 21.0));
        assert!(near(Color::WHITE.contrast(Color::WHITE), 1.0));
        assert!(near(color("#767676").contrast(Color::WHITE), 4.54));
        assert!(near(color("#777777").contrast(Color::WHITE), 4.48));
        assert!(near(color("#0000ff").contrast(Color::WHITE), 8.59));
        assert!(near(color("#ff0000").contrast(Color::WHITE), 4.0));
    }

    #[test]
    fn text_is_readable_on_every_colour() {
        for color in many() {
            assert!(color.text().contrast(color) >= TEXT_CONTRAST, "{color}");
        }
    }

    #[test]
    fn an_accent_is_readable_on_every_background_and_changes_no_more_than_it_must() {
        let backgrounds =
            ["#ffffff", "#f6f7f9", "#0f1115", "#1b1e24", "#000000", "#767676", "#808080"].map(color);
        for background in backgrounds {
            for color in many() {
                for contrast in [UI_CONTRAST, TEXT_CONTRAST] {
                    let accent = accent_on(background, color, contrast);
                    assert!(accent.contrast(background) >= contrast, "{color} on {background}: {accent}");
                    assert_eq!(accent_on(background, accent, contrast), accent);
                    if color.contrast(background) >= contrast {
                        assert_eq!(accent, color);
                    }
                }
            }
        }
    }

    #[test]
    fn a_hue_stays_recognizable() {
        let yellow = accent_on(Color::WHITE, color("#ffd500"), TEXT_CONTRAST);
        assert!(yellow.red > yellow.green && yellow.green > yellow.blue, "{yellow}");
        let navy = accent_on(color("#0f1115"), color("#000080"), TEXT_CONTRAST);
        assert!(navy.blue > navy.red && navy.red == navy.green, "{navy}");
    }
}
