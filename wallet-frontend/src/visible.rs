//! Text that somebody outside chose (an app, an agent, a provider, an identity provider), made honest: what is not seen, or
//! makes other text look different, is shown as what it is.

use std::fmt::Write as _;

/// The text with every character that hides or reorders spelt out, as in `[U+202E]`. Line breaks and tabs stay.
///
/// Isolation from the text around it is the element's work: [`crate::ui::Foreign`] puts it into `<bdi>`.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\r' => {}
            '\n' | '\t' => shown.push(c),
            '\u{2028}' | '\u{2029}' => shown.push('\n'),
            c if hides(c) => {
                let _ = write!(shown, "[U+{:04X}]", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    shown
}

/// As [`visible`], on one line: for names, labels and accounts.
pub fn visible_line(text: &str) -> String {
    let shown = visible(text);
    let mut line = String::with_capacity(shown.len());
    for word in shown.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// One or two letters that stand for a name where there is no picture.
pub fn initials(name: &str) -> String {
    let mut words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let first = words.next().and_then(|word| word.chars().next());
    let second = words.next().and_then(|word| word.chars().next());
    let letters: String = first.into_iter().chain(second).flat_map(char::to_uppercase).take(2).collect();
    if letters.is_empty() { "?".to_owned() } else { letters }
}

/// A number that is always the same for a name: which of `of` colours stands behind its initials.
pub fn slot(name: &str, of: u32) -> u32 {
    let hash =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.checked_rem(of).unwrap_or(0)
}

/// Controls (Unicode Cc), what orders text (UAX #9), what has no width, and tags. The two joiners stay: scripts need them.
fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reorders_or_hides_is_spelt_out() {
        assert_eq!(visible("pay \u{202e}001"), "pay [U+202E]001");
        assert_eq!(visible("a\u{2066}b\u{2069}c"), "a[U+2066]b[U+2069]c");
        assert_eq!(visible("a\u{0}\u{1b}\u{7f}\u{85}"), "a[U+0000][U+001B][U+007F][U+0085]");
        assert_eq!(visible("ad\u{200b}min\u{feff}"), "ad[U+200B]min[U+FEFF]");
        assert_eq!(visible("tag\u{e0041}"), "tag[U+E0041]");
        assert_eq!(visible("a\u{2800}b\u{1bca0}\u{1d173}"), "a[U+2800]b[U+1BCA0][U+1D173]");
    }

    #[test]
    fn markup_and_other_scripts_stay_as_they_are() {
        for text in ["<img src=x onerror=alert(1)>", "שלום", "می‌خواهم", "日本語", "👩‍💻", "a\n\tb"]
        {
            assert_eq!(visible(text), text);
        }
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(visible_line("  a\r\n b\u{2028}c\td "), "a b c d");
        assert_eq!(visible_line("\n\t "), "");
    }

    #[test]
    fn initials_are_letters_of_the_first_two_words() {
        assert_eq!(initials("Travel planner"), "TP");
        assert_eq!(initials("acme"), "A");
        assert_eq!(initials("<b>hi</b> there"), "BH");
        assert_eq!(initials("\u{202e}"), "?");
        assert_eq!(initials(""), "?");
        assert_eq!(initials("ßeta"), "SS");
    }

    #[test]
    fn a_name_always_has_the_same_slot() {
        assert_eq!(slot("google", 6), slot("google", 6));
        assert!((0..50).all(|n| slot(&format!("p{n}"), 6) < 6));
        assert_eq!(slot("any", 0), 0);
    }
}
