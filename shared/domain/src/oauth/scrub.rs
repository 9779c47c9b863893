//! Texts of a provider's made fit for logs, audit rows and pages: short, plain, and without a secret that was sent.

use percent_encoding::percent_decode_str;

use super::{ExchangeError, Provider, document::Document, names::Names};
use crate::inject::MIN_SECRET_BYTES;

/// What nothing that is kept or shown may repeat: the tokens in replies, and the client's secret.
pub(super) struct Secrets<'a>(Vec<&'a str>);

impl<'a> Secrets<'a> {
    /// Wherever the entry says that a token may stand, and the ID token.
    pub(super) fn of(provider: &Provider, replies: &'a [Document]) -> Self {
        let reply = &provider.token.reply;
        let places = reply.access_token.iter().chain(&reply.refresh_token).map(String::as_str);
        let places: Vec<_> = places.chain([ID_TOKEN]).collect();
        let all =
            replies.iter().flat_map(|reply| places.iter().filter_map(|place| reply.at(place)?.as_str()));
        Self(all.filter(|token| token.len() >= MIN_SECRET_BYTES).collect())
    }

    /// With those that a request carries.
    pub(super) fn and(mut self, names: &'a Names<'_>) -> Self {
        self.0.extend(names.secrets().filter(|secret| secret.len() >= MIN_SECRET_BYTES));
        self
    }

    /// Refuses a text, as it came, that holds one of them whole. Shorter parts may well be shared: tokens hold ids.
    pub(super) fn refuse_in(&self, text: &str, place: &str) -> Result<(), ExchangeError> {
        if self.are_in(text) {
            return Err(ExchangeError::Reply(format!("in the {place}: it repeats a secret")));
        }
        Ok(())
    }

    pub(super) fn are_in(&self, text: &str) -> bool {
        self.0.iter().any(|secret| text.contains(secret))
    }
}

/// OpenID Connect Core, section 3.1.3.3.
pub(super) const ID_TOKEN: &str = "id_token";

/// An error code. One that repeats a secret, or is none, becomes `error`.
pub(super) fn clean_code(code: &str, names: &Names<'_>) -> String {
    let code = bounded(code, MAX_CODE_CHARS);
    if code.is_empty() || repeats_a_secret(&code, names) { "error".to_owned() } else { code }
}

/// An error's description. One that repeats a secret, whole or in part, is dropped: what else it says may be made of it.
pub(super) fn clean_description(text: &str, names: &Names<'_>) -> Option<String> {
    if repeats_a_secret(text, names) {
        return None;
    }
    Some(bounded(text, MAX_DESCRIPTION_CHARS)).filter(|text| !text.is_empty())
}

/// A text to show: no control characters, nothing that turns the direction of writing or cannot be seen, no blanks outside.
pub(super) fn bounded(text: &str, max_chars: usize) -> String {
    let shown = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !is_unseen(*c));
    let text: String = shown.take(max_chars).collect();
    text.trim().to_owned()
}

const MAX_CODE_CHARS: usize = 100;
const MAX_DESCRIPTION_CHARS: usize = 300;

/// So much of a secret in a row is no accident.
const WINDOW: usize = 12;

fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn repeats_a_secret(text: &str, names: &Names<'_>) -> bool {
    // As it was written, and as it would read after percent or form decoding.
    let percent = percent_decode_str(text).decode_utf8_lossy();
    let form = text.replace('+', " ");
    let form = percent_decode_str(&form).decode_utf8_lossy();
    let texts = [text.as_bytes(), percent.as_bytes(), form.as_bytes()];
    names.secrets().map(str::as_bytes).any(|secret| {
        let window = secret.len().min(WINDOW);
        window > 0 && secret.windows(window).any(|part| texts.iter().any(|text| contains(text, part)))
    })
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
