//! An app's accent colour, made readable. Whatever an operator chose, text in it has a contrast of at least 4.5:1 (WCAG 2.2,
//! 1.4.3) on every ground of the site, and so has text on it; what is not text needs 3:1 and has it with that.

use alter_api_types::wallet::Branding;

/// The darkest ground under an accent in light, and the lightest in dark; `style/00-base.css` has them as `--sunk` and
/// `--raised`.
const LIGHT_GROUND: Rgb = Rgb(0xec, 0xee, 0xf2);
const DARK_GROUND: Rgb = Rgb(0x22, 0x27, 0x2f);

const TEXT: f64 = 4.5;

/// `#rrggbb`, for light and for dark grounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accent {
    pub light: String,
    pub dark: String,
}

/// The accent of an app that has one.
pub fn accent(branding: &Branding) -> Option<Accent> {
    let light = branding.color.as_deref().and_then(Rgb::parse);
    let dark = branding.color_dark.as_deref().and_then(Rgb::parse).or(light);
    let (light, dark) = (light.or(dark)?, dark?);
    Some(Accent {
        light: light.until(Rgb(0, 0, 0), LIGHT_GROUND).hex(),
        dark: dark.until(Rgb(255, 255, 255), DARK_GROUND).hex(),
    })
}

/// The picture of an app, if its address is on the Wallet's own origin: nothing else is ever asked for.
pub fn logo(branding: &Branding) -> Option<&str> {
    branding.logo_url.as_deref().filter(|url| url.starts_with("/wallet/api/logos/"))
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Rgb(u8, u8, u8);

impl Rgb {
    fn parse(text: &str) -> Option<Self> {
        let digits =
            text.strip_prefix('#').filter(|it| it.len() == 6 && it.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let [_, r, g, b] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Self(r, g, b))
    }

    fn hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }

    /// The nearest mixture with `end` that can be read on `ground`.
    fn until(self, end: Self, ground: Self) -> Self {
        (0..=100)
            .map(|percent| self.mixed(end, percent))
            .find(|it| it.contrast(ground) >= TEXT)
            .unwrap_or(end)
    }

    /// In linear light, so that the hue stays when it darkens.
    fn mixed(self, end: Self, percent: u8) -> Self {
        let part = f64::from(percent) / 100.0;
        let mix = |a: u8, b: u8| encoded(linear(a) * (1.0 - part) + linear(b) * part);
        Self(mix(self.0, end.0), mix(self.1, end.1), mix(self.2, end.2))
    }

    /// WCAG 2.2, "contrast ratio".
    fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// WCAG 2.2, "relative luminance".
    fn luminance(self) -> f64 {
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }
}

fn linear(channel: u8) -> f64 {
    let value = f64::from(channel) / 255.0;
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

fn encoded(light: f64) -> u8 {
    let value = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
    let channel = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    channel
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branding(color: Option<&str>, color_dark: Option<&str>) -> Branding {
        Branding { logo_url: None, color: color.map(Into::into), color_dark: color_dark.map(Into::into) }
    }

    #[test]
    fn every_colour_becomes_one_that_can_be_read() {
        let steps = [0_u8, 17, 51, 102, 119, 153, 187, 204, 238, 255];
        for r in steps {
            for g in steps {
                for b in steps {
                    let chosen = Rgb(r, g, b).hex();
                    let accent = accent(&branding(Some(&chosen), None)).unwrap();
                    let (light, dark) =
                        (Rgb::parse(&accent.light).unwrap(), Rgb::parse(&accent.dark).unwrap());
                    assert!(light.contrast(LIGHT_GROUND) >= TEXT, "{chosen} in light is {}", accent.light);
                    assert!(light.contrast(Rgb(255, 255, 255)) >= TEXT, "white on {chosen}");
                    assert!(dark.contrast(DARK_GROUND) >= TEXT, "{chosen} in dark is {}", accent.dark);
                    assert!(dark.contrast(Rgb(0x0b, 0x0e, 0x12)) >= TEXT, "dark text on {chosen}");
                }
            }
        }
    }

    #[test]
    fn a_colour_that_can_be_read_stays_as_it_was_chosen() {
        let accent = accent(&branding(Some("#1f4fd1"), Some("#8FB0FF"))).unwrap();
        assert_eq!((accent.light.as_str(), accent.dark.as_str()), ("#1f4fd1", "#8fb0ff"));
    }

    #[test]
    fn one_colour_serves_for_both() {
        assert_eq!(accent(&branding(None, Some("#222222"))).unwrap().light, "#222222");
        assert!(accent(&branding(Some("#222222"), None)).is_some());
    }

    #[test]
    fn what_is_no_colour_gives_no_accent() {
        for text in ["red", "#fff", "#12345g", "#1234567", "", "#+12345", "url(//x)", "#ffff\u{ff11}"] {
            assert_eq!(accent(&branding(Some(text), None)), None, "{text}");
        }
        assert_eq!(accent(&branding(None, None)), None);
    }

    #[test]
    fn contrast_is_that_of_the_standard() {
        assert!((Rgb(0, 0, 0).contrast(Rgb(255, 255, 255)) - 21.0).abs() < 1e-9);
        assert!((Rgb(0x76, 0x76, 0x76).contrast(Rgb(255, 255, 255)) - 4.54).abs() < 0.01);
    }

    #[test]
    fn only_the_wallets_own_pictures_are_asked_for() {
        let with = |url: &str| Branding { logo_url: Some(url.into()), ..Branding::default() };
        assert!(logo(&with("/wallet/api/logos/a/b")).is_some());
        for url in [
            "https://evil.example/x.png",
            "//evil.example/x",
            "javascript:alert(1)",
            "data:image/png,x",
            "/other",
        ] {
            assert_eq!(logo(&with(url)), None, "{url}");
        }
    }
}
