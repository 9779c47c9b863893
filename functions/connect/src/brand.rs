//! An app's looks on the pages: its logo, and a style sheet of its colours. The sheet's name holds the colours, so that it is made
//! of its name alone and may be kept for good; the pages' policy allows no style but from a file.

use alter_api_types::{
    Color,
    color::{TEXT_CONTRAST, accent_on},
};
use alter_domain::{
    crypto::sha256,
    flow::{connect::PublicUrl, wallet::app_card},
    model::{App, Branding},
};

/// The backgrounds of `connect.css` that an accent has the least contrast with: the page in light, the card in dark.
const LIGHT: Color = Color::new(0xf3, 0xf4, 0xf6);
const DARK: Color = Color::new(0x19, 0x1d, 0x23);
/// How much stronger a button is under the pointer, in 255ths.
const STRONGER: u8 = 40;

/// What stands for the app beside its name.
pub(crate) struct Mark {
    /// The logo's address.
    pub(crate) logo: Option<String>,
    /// The name's first letter, where there is none.
    pub(crate) initial: String,
}

impl Mark {
    pub(crate) fn of(url: &PublicUrl, app: &App) -> Self {
        let initial = app.name.chars().take(1).collect();
        Self { logo: app_card(url, app).branding.logo_url, initial }
    }
}

/// The name of the app's style sheet, if it has colours.
pub(crate) fn sheet_name(branding: &Branding) -> Option<String> {
    let light = branding.color.or(branding.color_dark)?;
    Some(named(light, branding.color_dark.unwrap_or(light)))
}

/// The style sheet of this name. A name of before a new version is none.
pub(crate) fn sheet(name: &str) -> Option<String> {
    let mut colors = name.strip_prefix("brand-")?.split('-').map(|digits| format!("#{digits}").parse());
    let (Some(Ok(light)), Some(Ok(dark))) = (colors.next(), colors.next()) else { return None };
    (named(light, dark) == name).then(|| drawn(light, dark))
}

fn named(light: Color, dark: Color) -> String {
    let digest = hex::encode(sha256(drawn(light, dark).as_bytes()));
    let [light, dark] = [light, dark].map(|color| color.to_string().replace('#', ""));
    format!("brand-{light}-{dark}-{}.css", digest.get(..16).unwrap_or_default())
}

fn drawn(light: Color, dark: Color) -> String {
    let (light, dark) = (accents(LIGHT, light), accents(DARK, dark));
    format!(
        ":root {{ {light} }}\n\
         @media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n\
         .tile.own {{ background: var(--accent); color: var(--on-accent); }}\n"
    )
}

/// An accent that is read on the background and can be written on, and a stronger one that is both still more.
fn accents(background: Color, color: Color) -> String {
    let accent = accent_on(background, color, TEXT_CONTRAST);
    let strong = stronger(background, accent);
    let text = accent.text();
    format!("--accent: {accent}; --accent-strong: {strong}; --on-accent: {text};")
}

/// Away from the background, and so from the text on it, which is the background's side of black and white.
fn stronger(background: Color, accent: Color) -> Color {
    accent.mixed(background.text(), STRONGER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many() -> impl Iterator<Item = Color> {
        let steps = || (0..=u8::MAX).step_by(17);
        steps().flat_map(move |r| steps().flat_map(move |g| steps().map(move |b| Color::new(r, g, b))))
    }

    #[test]
    fn b123_every_colour_becomes_one_that_can_be_read_on_the_page_and_written_on() {
        let style = include_str!("../assets/connect.css");
        let (white, ground) = (Color::WHITE, Color::new(0x10, 0x13, 0x17));
        for known in [
            format!("--ground: {LIGHT};"),
            format!("--card: {DARK};"),
            format!("--card: {white};"),
            format!("--ground: {ground};"),
        ] {
            assert!(style.contains(&known), "{known}");
        }
        for (near, far) in [(LIGHT, white), (DARK, ground)] {
            for color in many() {
                let accent = accent_on(near, color, TEXT_CONTRAST);
                for shown in [accent, stronger(near, accent)] {
                    for behind in [near, far] {
                        assert!(shown.contrast(behind) >= TEXT_CONTRAST, "{color}: {shown} on {behind}");
                    }
                    assert!(shown.contrast(accent.text()) >= TEXT_CONTRAST, "{color}: text on {shown}");
                }
            }
        }
    }

    #[test]
    fn a_sheet_is_made_of_its_name_alone_and_of_no_other() {
        let yellow = Branding { color: Some(Color::new(0xff, 0xd5, 0)), ..Branding::default() };
        let name = sheet_name(&yellow).unwrap();
        assert!(name.starts_with("brand-ffd500-ffd500-"), "{name}");
        let text = sheet(&name).unwrap();
        assert!(text.contains("--accent: #ffd500; "), "as it is where it is dark: {text}");
        assert_eq!(sheet_name(&Branding::default()), None);
        let dark_only = Branding { color_dark: yellow.color, ..Branding::default() };
        assert_eq!(sheet_name(&dark_only), Some(name.clone()));
        for wrong in [
            name.replace("ffd500-f", "ffd501-f"),
            name.to_uppercase(),
            format!("{name}x"),
            "brand-ffd500-ffd500.css".to_owned(),
            "brand-ffd500-}*{-0.css".to_owned(),
            "brand-".to_owned(),
            String::new(),
        ] {
            assert_eq!(sheet(&wrong), None, "{wrong}");
        }
    }
}
