//! The values of a secret, and how they enter a request, as options.

use std::{collections::BTreeMap, io::IsTerminal as _, path::Path};

use alter_domain::api::{
    SecretText,
    portal::{CredentialType, HeaderView, InjectionRule, RuleTarget},
};
use clap::{Args, ValueEnum};

use crate::cli::{
    context::Context,
    error::{CliError, Result},
    input::{Source, on_the_wire},
};

/// The values. Literal ones are refused.
#[derive(Clone, Args)]
pub(crate) struct ValueArgs {
    /// The value of a secret with one field: @FILE, or - for standard input
    #[arg(long, value_name = "@FILE|-", conflicts_with = "fields_in", allow_hyphen_values = true)]
    value: Option<String>,
    /// One field of several: NAME=@FILE or NAME=-; may be repeated
    #[arg(long = "field", id = "fields_in", value_name = "NAME=@FILE|-")]
    fields: Vec<String>,
}

impl ValueArgs {
    /// Reads the values. `single` is asked for the name of the one field only when `--value` needs it.
    pub(crate) async fn read(
        &self,
        context: &Context,
        single: impl AsyncFnOnce() -> Result<String>,
    ) -> Result<BTreeMap<String, SecretText>> {
        let mut sources = Vec::new();
        if let Some(value) = &self.value {
            // Before anything is asked of the vault: a literal value is refused at once.
            let source = Source::parse("--value", value)?;
            sources.push((single().await?, source));
        }
        for field in &self.fields {
            // Without a name the text may be the secret itself, so it is not repeated.
            let (name, value) = field
                .split_once('=')
                .ok_or_else(|| CliError::usage("--field takes NAME=@FILE, or NAME=-."))?;
            sources.push((name.to_owned(), Source::parse("--field NAME=", value)?));
        }
        if sources.is_empty() {
            return Err(CliError::usage("The secret's value is missing.")
                .hint("Give it with --value @FILE, --value - or, for several fields, --field NAME=@FILE."));
        }
        let from_stdin = sources.iter().filter(|(_, source)| *source == Source::Stdin).count();
        if from_stdin > 1 && !std::io::stdin().is_terminal() {
            return Err(
                CliError::usage("Standard input can give one field only.").hint("Use files for the others.")
            );
        }
        if from_stdin > 0 && context.global.token_file.as_deref() == Some(Path::new("-")) {
            return Err(CliError::usage("Standard input cannot give both the token and a value."));
        }
        let mut values = BTreeMap::new();
        for (name, source) in sources {
            let secret = source.secret(&context.printer, &format!("Value of {name}"))?;
            if values.insert(name.clone(), on_the_wire(&secret)).is_some() {
                return Err(CliError::usage(format!("Field {name} is given twice.")));
            }
        }
        Ok(values)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TypeArg {
    Bearer,
    ApiKey,
    Basic,
    AwsSigv4,
    Custom,
}

impl From<TypeArg> for CredentialType {
    fn from(kind: TypeArg) -> Self {
        match kind {
            TypeArg::Bearer => CredentialType::Bearer,
            TypeArg::ApiKey => CredentialType::ApiKey,
            TypeArg::Basic => CredentialType::Basic,
            TypeArg::AwsSigv4 => CredentialType::AwsSigv4,
            TypeArg::Custom => CredentialType::Custom,
        }
    }
}

/// Where the credential goes in a request, and where it may go at all.
#[derive(Clone, Args)]
pub(crate) struct PlaceArgs {
    /// A host that the credential may be sent to: api.example.com, *.example.com, 127.0.0.1:8080; may be repeated
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// Where the credential goes: header:NAME, query:NAME, or with a format header:NAME=FORMAT such as
    /// 'header:Authorization=Token {token}'; may be repeated
    #[arg(long = "inject", value_name = "PLACE", value_parser = parse_rule)]
    rules: Vec<InjectionRule>,
    /// A header that is no secret and always sent, "Name: value"; may be repeated
    #[arg(long = "default-header", value_name = "HEADER", value_parser = parse_header)]
    default_headers: Vec<HeaderView>,
}

impl PlaceArgs {
    pub(crate) fn hosts(&self) -> Option<Vec<String>> {
        given(&self.hosts)
    }

    pub(crate) fn rules(&self) -> Option<Vec<InjectionRule>> {
        given(&self.rules)
    }

    pub(crate) fn default_headers(&self) -> Option<Vec<HeaderView>> {
        given(&self.default_headers)
    }
}

fn given<T: Clone>(items: &[T]) -> Option<Vec<T>> {
    (!items.is_empty()).then(|| items.to_vec())
}

fn parse_rule(text: &str) -> Result<InjectionRule, String> {
    let wrong = || "a place is header:NAME, query:NAME, or one of them with =FORMAT".to_owned();
    let (target, rest) = text.split_once(':').ok_or_else(wrong)?;
    let target = match target {
        "header" => RuleTarget::Header,
        "query" => RuleTarget::Query,
        _ => return Err(wrong()),
    };
    let (name, format) = match rest.split_once('=') {
        Some((name, format)) => (name, Some(format.to_owned())),
        None => (rest, None),
    };
    if name.is_empty() {
        return Err(wrong());
    }
    Ok(InjectionRule { target, name: name.to_owned(), format })
}

fn parse_header(text: &str) -> Result<HeaderView, String> {
    let (name, value) = text.split_once(':').ok_or("a header is written \"Name: value\"")?;
    Ok(HeaderView { name: name.trim().to_owned(), value: value.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_in_one_word() {
        let rule = |target, name: &str, format: Option<&str>| InjectionRule {
            target,
            name: name.into(),
            format: format.map(Into::into),
        };
        assert_eq!(parse_rule("header:X-Api-Key"), Ok(rule(RuleTarget::Header, "X-Api-Key", None)));
        assert_eq!(parse_rule("query:key={api_key}"), Ok(rule(RuleTarget::Query, "key", Some("{api_key}"))));
        let basic = "header:Authorization=Basic {basic(username:password)}";
        let expected = rule(RuleTarget::Header, "Authorization", Some("Basic {basic(username:password)}"));
        assert_eq!(parse_rule(basic), Ok(expected));
        for bad in ["", "header", "cookie:x", "header:", "header:=x"] {
            assert!(parse_rule(bad).is_err(), "{bad}");
        }
    }
}
