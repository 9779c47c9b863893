//! What every command needs: where the vault is, who asks, and how to answer.

use std::{future::Future, path::Path};

use alter_domain::{
    auth::key_text::KeyKind,
    port::{Clock as _, SystemClock},
    secret::Secret,
};
use jiff::Timestamp;

use super::{
    Global,
    error::{CliError, Exit, Result},
    http::{BaseUrl, HttpClient},
    input::{self, SaveFile},
    json::Json,
    output::{Format, Printer},
    portal::Portal,
    terminal::Terminal,
};
use crate::server;

/// What the process was started with beside its arguments. Read once, in `main`.
#[derive(Default)]
pub(crate) struct Environment {
    /// `ALTER_PAT`: an operator's token. It is no option, because options are seen in the list of processes.
    pub(crate) pat: Option<Secret<String>>,
    pub(crate) terminal: Terminal,
}

pub(crate) struct Context {
    pub(crate) printer: Printer,
    pub(crate) global: Global,
    pat: Option<Secret<String>>,
}

/// Where `serve` keeps its data unless told otherwise.
pub(crate) const DEFAULT_DATA_DIR: &str = "alter-data";

impl Context {
    pub(crate) fn new(global: Global, environment: Environment) -> Self {
        let printer =
            Printer { format: global.output, fields: global.fields.clone(), terminal: environment.terminal };
        Self { printer, global, pat: environment.pat }
    }

    pub(crate) fn http(&self) -> Result<HttpClient> {
        HttpClient::new(BaseUrl::parse(&self.global.url)?, self.global.ca_file.as_deref())
    }

    /// The operator's API with the operator's token.
    pub(crate) fn portal(&self) -> Result<Portal> {
        let http = self.http()?;
        let token = self.token(&http.base)?;
        Ok(Portal::new(http, Some(token), self.global.app.clone()))
    }

    /// Now, by this machine's clock.
    pub(crate) fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    /// Makes the file for a fresh key or token, if it goes into one. Called before anything is minted, so that a key is
    /// never lost because it could not be kept or shown.
    pub(crate) fn place_for_secret(&self, save: Option<&Path>) -> Result<Option<SaveFile>> {
        if self.printer.fields.is_some() {
            return Err(CliError::usage(
                "--fields is not for what is shown only once: it might leave out the key.",
            ));
        }
        save.map(SaveFile::create).transpose()
    }

    /// Shows a fresh key or token this once, or writes it into `save` and shows the rest only.
    pub(crate) fn show_once(&self, mut answer: Json, name: &str, save: Option<SaveFile>) -> Result<()> {
        let Some(Json::Text(secret)) = answer.take(name) else {
            return Err(CliError::failure("invalid_answer", format!("The vault's answer has no {name}.")));
        };
        let lost = "It was made and could not be kept: revoke it and make another.";
        let remark = match save {
            Some(save) => {
                let path = save.keep(&Secret::new(secret)).map_err(|error| error.hint(lost))?;
                format!("Written to {}.", path.display())
            }
            None => {
                answer.put_first(name, Json::Text(secret));
                "It is shown this once: store it now.".to_owned()
            }
        };
        if self.printer.format == Format::Table {
            // For people there is one thing, whose fields need no prefix.
            answer.inline("key");
            answer.inline("token");
            answer.inline("webhook");
        }
        self.printer.show(&answer).map_err(|error| match error.is_broken_pipe() {
            true => CliError::failure("output", error.message).hint(lost),
            false => error.hint(lost),
        })?;
        self.printer.remark(&remark);
        Ok(())
    }

    /// The operator's API without a token, for what anybody may read.
    pub(crate) fn anonymous(&self) -> Result<Portal> {
        Ok(Portal::new(self.http()?, None, None))
    }

    /// The token file wins over `ALTER_PAT`, which wins over the data directory. The data directory that nobody named is
    /// looked at only when the vault is on this machine: its token is for no other.
    fn token(&self, base: &BaseUrl) -> Result<Secret<String>> {
        const WHAT: &str = "operator token";
        if let Some(path) = &self.global.token_file {
            return input::key_file(path, &[KeyKind::Pat], WHAT, &self.printer);
        }
        if let Some(pat) = &self.pat {
            input::check_key(pat, &[KeyKind::Pat], WHAT, "ALTER_PAT")?;
            return Ok(pat.clone());
        }
        if let Some(dir) = &self.global.data_dir {
            return input::key_file(&server::token_file(dir), &[KeyKind::Pat], WHAT, &self.printer);
        }
        let here = server::token_file(Path::new(DEFAULT_DATA_DIR));
        if base.is_loopback() && here.exists() {
            return input::key_file(&here, &[KeyKind::Pat], WHAT, &self.printer);
        }
        Err(CliError::new(Exit::Auth, "not_signed_in", "No operator token was given.").hint(
            "Name its file with --token-file or ALTER_TOKEN_FILE, put it into ALTER_PAT, or name a local vault's \
             --data-dir.",
        ))
    }
}

/// Runs a command to its end on one thread.
pub(crate) fn block_on<T>(command: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::failure("runtime", error.to_string()))?;
    runtime.block_on(command)
}
