//! Texts with `{name}` in them, and where a value may stand in a URL.
//!
//! A value can come from a stranger: a parameter of the redirect, a field of a reply, what somebody typed. Rendering a URL
//! therefore goes by position. In a host only checked shapes stand; in a path a value is one segment (or several, where its
//! shape says so) and never `..`; in a query it is one value. Nothing that is put in can change what is around it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Shape;
use crate::egress::HostPattern;

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template<'t> {
    parts: Vec<Part<'t>>,
}

/// Why a template cannot be read or filled. Names variables, never their values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("a brace is not closed, or what is between braces is not a name of a-z, 0-9 and _")]
    Syntax,
    #[error("{{{0}}} is not a variable of the entry nor known to any step")]
    Unknown(String),
    #[error("{{{0}}} is not known in this step")]
    NotHere(String),
    #[error("{{{0}}} has no value")]
    Missing(String),
    /// The variable is optional: what uses it is left out.
    #[error("{{{0}}} is optional and has no value, where one is needed")]
    Absent(String),
    #[error("the value of {{{0}}} does not have the shape that the entry demands")]
    Shape(String),
    #[error("{{{0}}} may not stand where it stands in the host")]
    InHost(String),
    #[error("{{{0}}} may not stand in an address")]
    InUrl(String),
    #[error(
        "the host ends in what a value gives: it needs two fixed labels at its end that are no public suffix"
    )]
    OpenHost,
    #[error("not an absolute http or https URL without fragment")]
    NotAUrl,
    #[error("the path would hold a dot segment")]
    DotSegment,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound<'a> {
    /// A variable of the entry, whose value has been checked against the shape.
    Variable { value: &'a str, shape: &'a Shape },
    /// Something that the step provides, of any form. It never stands in a host.
    Given(&'a str),
}

/// Finds what a name stands for.
pub type Resolve<'f, 'a> = &'f dyn Fn(&str) -> Result<Bound<'a>, TemplateError>;

impl<'t> Template<'t> {
    pub fn parse(text: &'t str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(TemplateError::Syntax)?;
            if before.contains('}') || !is_name(name) {
                return Err(TemplateError::Syntax);
            }
            if !before.is_empty() {
                parts.push(Part::Text(before));
            }
            parts.push(Part::Name(name));
            rest = after;
        }
        if rest.contains('}') {
            return Err(TemplateError::Syntax);
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest));
        }
        Ok(Self { parts })
    }

    /// The names, in order, as often as they stand there.
    pub fn names(&self) -> impl Iterator<Item = &'t str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Name(name) => Some(*name),
            Part::Text(_) => None,
        })
    }

    /// [`Self::text`] for a lookup that knows nothing of shapes. Not for a host or URL.
    pub fn render<'a>(&self, lookup: impl Fn(&str) -> Option<&'a str>) -> Result<String, TemplateError> {
        self.text(&|name| {
            lookup(name).map(Bound::Given).ok_or_else(|| TemplateError::Missing(name.to_owned()))
        })
    }

    /// For a parameter or header: values as they are.
    pub fn text(&self, lookup: Resolve<'_, '_>) -> Result<String, TemplateError> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Name(name) => text.push_str(lookup(name)?.value()),
            }
        }
        Ok(text)
    }

    /// For an address. The result is not yet checked against the egress rules.
    pub fn url(&self, lookup: Resolve<'_, '_>) -> Result<String, TemplateError> {
        let (scheme, [host, path, query]) = self.split()?;
        let mut url = scheme.to_owned();
        url.push_str(&render_host(&host, lookup)?);
        let path = render_path(&path, lookup)?;
        // Names in braces may not make a dot segment together, nor with the text around them.
        if path.split('/').any(is_dot_segment) {
            return Err(TemplateError::DotSegment);
        }
        url.push_str(&path);
        for part in query {
            match part {
                Part::Text(literal) => url.push_str(literal),
                Part::Name(name) => url.extend(utf8_percent_encode(for_url(name, lookup)?.value(), QUERY)),
            }
        }
        Ok(url)
    }

    /// For a host pattern: a name, or `*.` and a name.
    pub fn host(&self, lookup: Resolve<'_, '_>) -> Result<String, TemplateError> {
        render_host(&self.parts, lookup)
    }

    /// Scheme with `://`, then the parts of authority, path (from its `/`) and query (from its `?`).
    fn split(&self) -> Result<(&'static str, [Vec<Part<'t>>; 3]), TemplateError> {
        let mut parts = self.parts.iter().copied();
        let Some(Part::Text(first)) = parts.next() else { return Err(TemplateError::NotAUrl) };
        let found = SCHEMES.into_iter().find_map(|scheme| Some((scheme, first.strip_prefix(scheme)?)));
        let (scheme, first) = found.ok_or(TemplateError::NotAUrl)?;
        let (mut host, mut path, mut query) = (Vec::new(), Vec::new(), Vec::new());
        let mut place = Place::Host;
        for part in std::iter::once(Part::Text(first)).chain(parts) {
            let Part::Text(mut text) = part else {
                match place {
                    Place::Host => host.push(part),
                    Place::Path => path.push(part),
                    Place::Query => query.push(part),
                }
                continue;
            };
            if text.contains('#') {
                return Err(TemplateError::NotAUrl);
            }
            if place == Place::Host {
                let (here, rest) = cut(text, &['/', '?']);
                host.push(Part::Text(here));
                text = rest;
                place = if rest.is_empty() { Place::Host } else { Place::Path };
            }
            if place == Place::Path {
                let (here, rest) = cut(text, &['?']);
                path.push(Part::Text(here));
                text = rest;
                place = if rest.is_empty() { Place::Path } else { Place::Query };
            }
            if place == Place::Query {
                query.push(Part::Text(text));
            }
        }
        Ok((scheme, [host, path, query]))
    }
}

impl<'a> Bound<'a> {
    pub fn value(self) -> &'a str {
        match self {
            Bound::Variable { value, .. } | Bound::Given(value) => value,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'t> {
    Text(&'t str),
    Name(&'t str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Host,
    Path,
    Query,
}

const SCHEMES: [&str; 2] = ["https://", "http://"];

/// Everything but RFC 3986's unreserved characters.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// A colon belongs to a segment (RFC 3986 section 3.3), and identifiers are made of it.
const SEGMENT: &AsciiSet = &QUERY.remove(b':');

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The text before the first of the delimiters, and the rest from it on.
fn cut<'t>(text: &'t str, delimiters: &[char]) -> (&'t str, &'t str) {
    text.find(delimiters).and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""))
}

fn render_host(parts: &[Part<'_>], lookup: Resolve<'_, '_>) -> Result<String, TemplateError> {
    let mut host = String::new();
    // Where the last value ends that anybody could have chosen.
    let mut free_end = None;
    let mut whole = None;
    for part in parts {
        match part {
            Part::Text("") => continue,
            // A host that was checked against suffixes must keep its end.
            _ if whole.is_some() => return Err(TemplateError::InHost(whole.unwrap_or_default())),
            Part::Text(literal) => host.push_str(literal),
            Part::Name(name) => {
                let in_host = || TemplateError::InHost((*name).to_owned());
                let Bound::Variable { value, shape } = lookup(name)? else { return Err(in_host()) };
                if host.contains(':') {
                    return Err(in_host());
                }
                if !is_host_text(value) {
                    return Err(TemplateError::Shape((*name).to_owned()));
                }
                host.push_str(value);
                match shape {
                    Shape::DnsLabel | Shape::Digits => free_end = Some(host.len()),
                    Shape::OneOf(_) => {}
                    Shape::Host(_) => whole = Some((*name).to_owned()),
                    Shape::Word | Shape::Path | Shape::Text => return Err(in_host()),
                }
            }
        }
    }
    if let Some(fixed) = free_end.and_then(|end| host.get(end..)) {
        let suffix = fixed.split(':').next().and_then(|name| name.find('.').and_then(|dot| name.get(dot..)));
        let closed = suffix.is_some_and(|suffix| format!("*{suffix}").parse::<HostPattern>().is_ok());
        if !closed {
            return Err(TemplateError::OpenHost);
        }
    }
    Ok(host)
}

/// Labels of lower-case letters, digits and dashes with single dots between.
fn is_host_text(value: &str) -> bool {
    value.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    })
}

fn for_url<'a>(name: &str, lookup: Resolve<'_, 'a>) -> Result<Bound<'a>, TemplateError> {
    match lookup(name)? {
        Bound::Variable { shape: Shape::Text, .. } => Err(TemplateError::InUrl(name.to_owned())),
        bound => Ok(bound),
    }
}

fn render_path(parts: &[Part<'_>], lookup: Resolve<'_, '_>) -> Result<String, TemplateError> {
    let mut path = String::new();
    for part in parts {
        match part {
            Part::Text(literal) => path.push_str(literal),
            Part::Name(name) => {
                let bound = for_url(name, lookup)?;
                if bound.value().is_empty() {
                    return Err(TemplateError::Missing((*name).to_owned()));
                }
                if let Bound::Variable { value, shape: Shape::Path } = bound {
                    for (position, segment) in value.split('/').enumerate() {
                        if position > 0 {
                            path.push('/');
                        }
                        path.extend(utf8_percent_encode(segment, SEGMENT));
                    }
                } else {
                    path.extend(utf8_percent_encode(bound.value(), SEGMENT));
                }
            }
        }
    }
    Ok(path)
}

/// In every spelling that the URL parser takes for one.
fn is_dot_segment(segment: &str) -> bool {
    segment.len() <= 6 && matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}
