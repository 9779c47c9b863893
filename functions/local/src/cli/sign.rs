//! `alter sign`: a signed call as a curl configuration. And the signing itself, which `alter call` shares.

use std::path::{Path, PathBuf};

use alter_domain::{
    auth::{
        key_text::{KeyKind, PublicPart, parse},
        sign_request::{Content, Request, Signer, sign_request},
        signature::Labelled,
    },
    crypto::SigningKey,
    port::{Clock as _, Rng as _, SystemClock, SystemRng},
    secret::Secret,
};

use super::{
    context::Context,
    error::{CliError, Result},
    input,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  export ALTER_KEY_FILE=shop.key
  curl -K <(alter sign GET https://api.stripe.com/v1/balance --grant GRANT)
  curl -N -K <(alter sign POST https://api.openai.com/v1/responses --grant GRANT --data @ask.json)
  curl -T big.bin -K <(alter sign PUT https://a.example/big --grant GRANT --unsigned-payload)

A signed call is good once, for five minutes. The key itself stays on this machine.";

/// The route that passes calls on.
pub(crate) const FORWARD: &str = "/v1/forward";

/// What is called, with whose credential, and why.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TargetArgs {
    /// GET, POST, PUT, PATCH, DELETE, HEAD …
    #[arg(value_name = "METHOD")]
    pub(crate) method: String,
    /// The API's own URL
    #[arg(value_name = "URL")]
    pub(crate) target: String,
    /// The grant to call with
    #[arg(long, value_name = "GRANT", required_unless_present = "provider")]
    pub(crate) grant: Option<String>,
    /// The OAuth provider, or the managed secret's slug: the vault finds the one grant on it that the user, or the agent,
    /// has
    #[arg(long, value_name = "PROVIDER", conflicts_with = "grant")]
    pub(crate) provider: Option<String>,
    /// One of several grants on the same provider: by the account that is connected
    #[arg(long, requires = "provider")]
    pub(crate) account: Option<String>,
    /// One of several grants on the same provider: by its label
    #[arg(long, requires = "provider")]
    pub(crate) label: Option<String>,
    /// The file that holds the user's token (a JWT of the app's identity provider), for whom the call is made; - is
    /// standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) user_token_file: Option<PathBuf>,
    /// The file that holds the API key; - is standard input
    #[arg(long, env = "ALTER_KEY_FILE", hide_env_values = true, value_name = "FILE")]
    pub(crate) key_file: PathBuf,
    /// Why: kept on the record, word for word
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Who or what makes the call, for the record
    #[arg(long, value_name = "NAME")]
    pub(crate) caller: Option<String>,
    /// A header for the API, "Name: value"; may be repeated
    #[arg(long = "header", short = 'H', value_name = "HEADER")]
    pub(crate) headers: Vec<String>,
    /// The body: @FILE, - for standard input, or the text itself
    #[arg(long, short, value_name = "DATA")]
    pub(crate) data: Option<String>,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SignArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Leaves the body out of the signature, for one that curl streams
    #[arg(long, conflicts_with = "data")]
    unsigned_payload: bool,
}

/// An API key, ready to sign. It does not keep the key itself.
pub(crate) struct Caller {
    public_part: PublicPart,
    signing_key: SigningKey,
}

impl Caller {
    pub(crate) fn new(key: &Secret<String>) -> Option<Self> {
        let public_part = parse(key.expose_secret()).filter(|key| key.kind != KeyKind::Pat)?.public_part;
        Some(Self { public_part, signing_key: SigningKey::derive(key) })
    }

    /// The headers that carry a call through `/v1/forward`: who, when, where to, and the signature over it all.
    pub(crate) fn headers(
        &self,
        call: &TargetArgs,
        user_token: Option<&Secret<String>>,
        content: Content<'_>,
    ) -> Result<Vec<(&'static str, String)>> {
        let text = |value: &'_ Option<String>| value.clone().unwrap_or_default();
        let (grant, provider) = (text(&call.grant), text(&call.provider));
        let (account, label) = (text(&call.account), text(&call.label));
        let (reason, caller) = (text(&call.reason), text(&call.caller));
        for (name, value) in [
            ("--reason", &reason),
            ("--caller", &caller),
            ("URL", &call.target),
            ("--account", &account),
            ("--label", &label),
        ] {
            if value.contains(char::is_control) || value.trim_matches([' ', '\t']) != value {
                return Err(CliError::usage(format!("{name} must be one line without spaces around it.")));
            }
        }
        let labelled = Labelled {
            caller: &caller,
            caller_type: if caller.is_empty() { "" } else { "service" },
            target: &call.target,
            grant: &grant,
            provider: &provider,
            account: &account,
            label: &label,
            user_token: user_token.map_or("", |token| token.expose_secret()),
            reason: &reason,
            ..Labelled::default()
        };
        self.sign(&call.method, FORWARD, content, labelled)
    }

    /// The headers of a request to any signed route.
    pub(crate) fn sign(
        &self,
        method: &str,
        path_and_query: &str,
        content: Content<'_>,
        labelled: Labelled<'_>,
    ) -> Result<Vec<(&'static str, String)>> {
        let mut nonce = [0; 16];
        SystemRng::new().fill(&mut nonce).map_err(|error| CliError::failure("random", error.to_string()))?;
        let signer = Signer::KeyId { public_part: &self.public_part, signing_key: &self.signing_key };
        Ok(sign_request(
            signer,
            &Request {
                method,
                path_and_query,
                content,
                timestamp: SystemClock.now().as_second(),
                nonce: &hex::encode(nonce),
                constraints: None,
                labelled,
            },
        ))
    }
}

impl TargetArgs {
    /// The caller's own headers, with a content type when there is a body and none was given.
    pub(crate) fn own_headers(&self, body: Option<&[u8]>) -> Result<Vec<(String, String)>> {
        let mut headers = Vec::with_capacity(self.headers.len() + 1);
        for header in &self.headers {
            let (name, value) = header
                .split_once(':')
                .ok_or_else(|| CliError::usage("A header is written \"Name: value\"."))?;
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        if let Some(body) = body
            && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            let json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
            let kind = if json { "application/json" } else { "application/octet-stream" };
            headers.push(("content-type".to_owned(), kind.to_owned()));
        }
        Ok(headers)
    }

    pub(crate) fn caller(&self, context: &Context) -> Result<Caller> {
        const KINDS: [KeyKind; 2] = [KeyKind::App, KeyKind::Agent];
        let from_stdin = [
            self.data.as_deref() == Some("-"),
            self.key_file.as_os_str() == "-",
            self.user_token_file.as_deref() == Some(Path::new("-")),
        ];
        if from_stdin.into_iter().filter(|stdin| *stdin).count() > 1 {
            return Err(CliError::usage(
                "Standard input can be one of the key, the user's token and the body.",
            ));
        }
        let key = input::key_file(&self.key_file, &KINDS, "API key", &context.printer)?;
        Caller::new(&key).ok_or_else(|| CliError::usage("This is not an API key."))
    }

    /// The token of the user for whom the call is made.
    pub(crate) fn user_token(&self, context: &Context) -> Result<Option<Secret<String>>> {
        let file = self.user_token_file.as_deref();
        file.map(|file| input::user_token_file(file, &context.printer)).transpose()
    }
}

/// Prints the call for `curl -K`.
pub(super) fn run(context: &Context, args: &SignArgs) -> Result<()> {
    let call = &args.target;
    let url = context.http()?.base.join(FORWARD);
    let caller = call.caller(context)?;
    let user_token = call.user_token(context)?;
    let body = call.data.as_deref().map(input::data).transpose()?;
    let content = match (&body, args.unsigned_payload) {
        (_, true) => Content::Unsigned,
        (body, false) => Content::Bytes(body.as_deref().unwrap_or_default()),
    };
    let signed = caller.headers(call, user_token.as_ref(), content)?;

    let mut out = String::from("# One call, good for five minutes: curl -K <this file>\n");
    option(&mut out, "url", &url);
    match call.method.to_uppercase().as_str() {
        // curl would wait for a body that HEAD never has.
        "HEAD" => out.push_str("head\n"),
        method => option(&mut out, "request", method),
    }
    let own = call.own_headers(body.as_deref())?;
    let own = own.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in signed.iter().map(|(name, value)| (*name, value.as_str())).chain(own) {
        option(&mut out, "header", &format!("{name}: {value}"));
    }
    if let (Some(body), Some(data)) = (body, &call.data) {
        match data.strip_prefix('@') {
            Some(path) => {
                let path = std::fs::canonicalize(path)
                    .map_err(|error| CliError::file("Cannot read", path, &error))?;
                option(&mut out, "data-binary", &format!("@{}", path.display()));
            }
            None => {
                let text = String::from_utf8(body).ok().filter(|text| !text.contains('\0'));
                let text = text.ok_or_else(|| {
                    CliError::usage("A body that is not text has to come from a file.")
                        .hint("Use --data @FILE.")
                })?;
                option(&mut out, "data-raw", &text);
            }
        }
    }
    context.printer.write(&out)
}

/// A line of a curl configuration, quoted as curl's manual says under `--config`.
fn option(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str(" = \"");
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c => out.push(c),
        }
    }
    out.push_str("\"\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curl_reads_back_what_was_written() {
        let mut out = String::new();
        option(&mut out, "data-raw", "{\"a\":\"b\\c\"}\n\tx\r\u{b}");
        assert_eq!(out, "data-raw = \"{\\\"a\\\":\\\"b\\\\c\\\"}\\n\\tx\\r\\v\"\n");
    }

    #[test]
    fn only_api_keys_sign_and_the_secret_is_in_no_header() {
        let secret = "0123456789abcdefghijk-_Z";
        assert!(Caller::new(&Secret::new(format!("alter_pat_{}", "a".repeat(48)))).is_none());
        let caller = Caller::new(&Secret::new(format!("alter_key_app_AbCdEfGhIjKl{secret}"))).unwrap();
        let call = TargetArgs {
            method: "GET".into(),
            target: "https://api.example.com/".into(),
            grant: Some("018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90".into()),
            provider: None,
            account: None,
            label: None,
            user_token_file: None,
            key_file: "-".into(),
            reason: Some("März".into()),
            caller: None,
            headers: vec!["X-A: b:c".into()],
            data: None,
        };
        let headers = caller.headers(&call, None, Content::Bytes(b"")).unwrap();
        assert!(headers.iter().any(|(name, value)| *name == "alter-reason" && value == "März"));
        assert!(headers.iter().all(|(_, value)| !value.contains(secret)));
        assert_eq!(call.own_headers(Some(b"{}")).unwrap()[1].1, "application/json");
        assert_eq!(call.own_headers(None).unwrap(), [("X-A".to_owned(), "b:c".to_owned())]);

        let twice = TargetArgs { reason: Some("a\nalter-grant: x".into()), ..call };
        assert_eq!(caller.headers(&twice, None, Content::Unsigned).unwrap_err().exit as u8, 2);
    }
}
