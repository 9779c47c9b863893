//! A provider's secret, scopes, variables and definition, as options.

use std::path::Path;

use alter_domain::api::{SecretText, portal::ScopesInput};
use clap::Args;
use serde_json::Value;

use crate::cli::{
    context::Context,
    error::{CliError, Result},
    input::{Source, data, on_the_wire},
};

/// What proves the app to the provider. Literal values are refused.
#[derive(Clone, Default, Args)]
pub(crate) struct ClientSecretArgs {
    /// The client secret: @FILE, or - for standard input
    #[arg(long, value_name = "@FILE|-", allow_hyphen_values = true)]
    client_secret: Option<String>,
    /// For a provider that takes a signed assertion in the secret's place, the key (PEM): @FILE, or - for standard input
    #[arg(long, value_name = "@FILE|-", allow_hyphen_values = true)]
    private_key: Option<String>,
}

impl ClientSecretArgs {
    /// With nothing given, the client secret is asked for.
    pub(crate) fn or_asked(self) -> Self {
        match (&self.client_secret, &self.private_key) {
            (None, None) => Self { client_secret: Some("-".to_owned()), private_key: None },
            _ => self,
        }
    }

    pub(crate) fn read(&self, context: &Context) -> Result<(Option<SecretText>, Option<SecretText>)> {
        let parse = |option: &'static str, value: &Option<String>| {
            value.as_deref().map(|text| Source::parse(option, text)).transpose()
        };
        let secret = parse("--client-secret", &self.client_secret)?;
        let key = parse("--private-key", &self.private_key)?;
        let from_stdin = [&secret, &key].into_iter().filter(|source| **source == Some(Source::Stdin)).count();
        let token_too = context.global.token_file.as_deref() == Some(Path::new("-"));
        if from_stdin + usize::from(token_too) > 1 {
            return Err(
                CliError::usage("Standard input can give one thing only.").hint("Use files for the others.")
            );
        }
        let read = |source: Option<Source>, prompt: &str| {
            source
                .map(|source| source.secret(&context.printer, prompt).map(|text| on_the_wire(&text)))
                .transpose()
        };
        Ok((read(secret, "Client secret")?, read(key, "Private key")?))
    }
}

#[derive(Clone, Args)]
pub(crate) struct ScopeArgs {
    /// A scope that connections may ask for; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    allowed: Vec<String>,
    /// A scope that connections ask for when they name none; may be repeated
    #[arg(long = "default-scope", value_name = "SCOPE")]
    default: Vec<String>,
    /// A scope without which a connection is flagged; may be repeated
    #[arg(long = "required-scope", id = "required", value_name = "SCOPE")]
    required: Vec<String>,
}

impl ScopeArgs {
    pub(crate) fn input(self) -> ScopesInput {
        let given = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
        ScopesInput {
            allowed: given(self.allowed),
            default: given(self.default),
            required: given(self.required),
        }
    }
}

#[derive(Clone, Args)]
pub(crate) struct SetArgs {
    /// A variable of the provider, such as a tenant; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_pair)]
    pub(crate) values: Vec<(String, String)>,
}

/// Reads a definition from a file, or from standard input.
pub(crate) fn definition(file: &str) -> Result<Value> {
    let name = if file == "-" { file.to_owned() } else { format!("@{file}") };
    let bytes = data(&name)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        CliError::usage(format!("{file} is not JSON: {error}.")).hint("`alter provider check` says more.")
    })
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a variable is written NAME=VALUE".to_owned()),
    }
}
