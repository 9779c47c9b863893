//! What the command line knows of the terminal, and how text from elsewhere is made safe to show on one.

use std::{borrow::Cow, io::IsTerminal as _};

/// What kind of place the output goes to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Terminal {
    /// Whether standard output is a terminal.
    pub(crate) stdout: bool,
    /// Whether standard output may carry colour.
    pub(crate) color: bool,
    /// Whether standard error may carry colour.
    pub(crate) error_color: bool,
    /// The width of the terminal in columns, when standard output is one.
    pub(crate) width: Option<usize>,
}

impl Terminal {
    /// `no_color`: the variable `NO_COLOR` is set and not empty (no-color.org), or the terminal is a dumb one.
    pub(crate) fn detect(no_color: bool) -> Self {
        let stdout = std::io::stdout().is_terminal();
        let width = stdout.then(terminal_size::terminal_size).flatten();
        Self {
            stdout,
            color: stdout && !no_color,
            error_color: std::io::stderr().is_terminal() && !no_color,
            width: width.map(|(width, _)| usize::from(width.0)),
        }
    }
}

/// A few styles, as the SGR parameters of ECMA-48, section 8.3.117.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

impl Style {
    pub(crate) fn paint<'a>(self, color: bool, text: &'a str) -> Cow<'a, str> {
        if !color || text.is_empty() {
            return Cow::Borrowed(text);
        }
        let code = match self {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Red => "31",
            Style::Green => "32",
            Style::Yellow => "33",
            Style::Cyan => "36",
        };
        Cow::Owned(format!("\x1b[{code}m{text}\x1b[0m"))
    }
}

/// Shows what could move the cursor, colour the screen or turn the reading direction as an escape: names and reasons
/// come from others.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(steers_terminal) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match steers_terminal(c) {
            true => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Control characters (C0, DEL, C1) and the bidirectional controls of Unicode (UAX #9, section 2).
fn steers_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The same for lines of text that keep their line breaks and tabs.
pub(crate) fn plain_lines(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| steers_terminal(c) && c != '\n' && c != '\t') {
        return Cow::Borrowed(text);
    }
    let lines: Vec<String> =
        text.split('\n').map(|line| line.split('\t').map(plain).collect::<Vec<_>>().join("\t")).collect();
    Cow::Owned(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_shown_and_not_obeyed() {
        assert_eq!(plain("\x1b[2Jgone"), "\\u001b[2Jgone");
        assert_eq!(plain("a\u{9b}31m\u{202e}b\nc"), "a\\u009b31m\\u202eb\\u000ac");
        assert!(matches!(plain("Zürich 東京"), Cow::Borrowed(_)));
        assert_eq!(plain_lines("a\tb\n\x07c"), "a\tb\n\\u0007c");
    }

    #[test]
    fn without_colour_text_stays_as_it_is() {
        assert_eq!(Style::Red.paint(false, "x"), "x");
        assert_eq!(Style::Red.paint(true, "x"), "\x1b[31mx\x1b[0m");
    }
}
