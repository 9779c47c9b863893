//! `alter connect`: an end user connects an account, from a terminal. The link is printed; the grants follow when the user is done.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use alter_domain::auth::{key_text::KeyKind, sign_request::Content, signature::Labelled};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    context::Context,
    error::{CliError, Exit, Result},
    http::{HttpClient, read_all},
    input,
    json::Json,
    sign::Caller,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  alter connect github --key-file shop.key
  alter connect github slack --key-file shop.key --label 'Ada, at work'
  alter connect github --key-file shop.key --user-token-file ada.jwt

The link is good for ten minutes and for one browser. The grants belong to the user whose token is
given; without one they belong to the app, because a terminal says nothing of who its user is.";

const SESSION: &str = "/sdk/oauth/connect/session";
const POLL: &str = "/sdk/oauth/connect/session/poll";
const POLL_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ConnectArgs {
    /// Providers to offer; all of the app's without one
    #[arg(value_name = "PROVIDER")]
    providers: Vec<String>,
    /// The file that holds the API key; - is standard input
    #[arg(long, env = "ALTER_KEY_FILE", hide_env_values = true, value_name = "FILE")]
    key_file: PathBuf,
    /// What the grant is called in lists
    #[arg(long)]
    label: Option<String>,
    /// The file that holds the user's token (a JWT of the app's identity provider); - is standard input
    #[arg(long, value_name = "FILE")]
    user_token_file: Option<PathBuf>,
    /// Renews this grant's connection in place
    #[arg(long, value_name = "GRANT", conflicts_with = "label")]
    repair: Option<String>,
    /// Seconds to wait for the user
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

/// A session that was created.
pub(crate) struct Session {
    pub(crate) token: String,
    pub(crate) url: String,
}

/// Creates a session as an application does.
pub(crate) async fn create_session(
    http: &HttpClient,
    caller: &Caller,
    ask: &serde_json::Value,
) -> Result<Session> {
    let answer = post(http, caller, SESSION, ask).await?;
    let field = |name: &str| {
        let missing = || CliError::failure("invalid_answer", format!("The vault's answer has no {name}."));
        answer.text(name).map(str::to_owned).ok_or_else(missing)
    };
    Ok(Session { token: field("session_token")?, url: field("connect_url")? })
}

/// How the session stands.
pub(crate) async fn poll_session(http: &HttpClient, caller: &Caller, session: &Session) -> Result<Json> {
    post(http, caller, POLL, &json!({ "session_token": session.token })).await
}

pub(super) async fn run(context: &Context, args: &ConnectArgs) -> Result<()> {
    const KINDS: [KeyKind; 2] = [KeyKind::App, KeyKind::Agent];
    let http = context.http()?;
    let from_stdin = |file: &Path| file == Path::new("-");
    if from_stdin(&args.key_file) && args.user_token_file.as_deref().is_some_and(from_stdin) {
        return Err(CliError::usage("Standard input cannot be both the key and the user's token."));
    }
    let key = input::key_file(&args.key_file, &KINDS, "API key", &context.printer)?;
    let user_token = args.user_token_file.as_deref();
    let user_token = user_token.map(|file| input::user_token_file(file, &context.printer)).transpose()?;
    let caller = Caller::new(&key).ok_or_else(|| CliError::usage("This is not an API key."))?;
    let mut ask = json!({
        "allowed_providers": if args.providers.is_empty() { None } else { Some(&args.providers) },
        "return_url": null, "allowed_origin": null, "metadata": null,
    });
    if let Some(object) = ask.as_object_mut() {
        object
            .extend(args.label.iter().map(|label| ("requested_grant".to_owned(), json!({ "label": label }))));
        object.extend(
            user_token.iter().map(|token| ("user_token".to_owned(), json!(input::on_the_wire(token)))),
        );
        object.extend(args.repair.iter().map(|grant| ("repair_grant_id".to_owned(), json!(grant))));
    }
    let session = create_session(&http, &caller, &ask).await?;
    context.printer.remark(&format!("Open this link in a browser:\n\n  {}\n", session.url));
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    loop {
        let standing = poll_session(&http, &caller, &session).await?;
        match standing.text("status") {
            Some("pending") if Instant::now() < deadline => sleep(POLL_EVERY).await,
            Some("pending") => {
                return Err(CliError::failure("connect_timeout", "Nobody finished connecting in time."));
            }
            Some("completed") => return context.printer.show(&standing),
            Some("expired") => {
                return Err(CliError::failure(
                    "connect_expired",
                    "The link has expired without being finished.",
                ));
            }
            _ => {
                let error = standing.get("error");
                let text = |name: &str| error.and_then(|error| error.text(name)).map(str::to_owned);
                let message = text("error_message").unwrap_or_else(|| "Connecting failed.".to_owned());
                let code = text("error_code").unwrap_or_else(|| "connect_failed".to_owned());
                return Err(CliError::new(Exit::Failure, &code, message));
            }
        }
    }
}

async fn post(
    http: &HttpClient,
    caller: &Caller,
    path: &'static str,
    body: &serde_json::Value,
) -> Result<Json> {
    let body = Bytes::from(body.to_string());
    let mut request = Request::new(body.clone());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static(path);
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in caller.sign("POST", path, Content::Bytes(&body), Labelled::default())? {
        let value = HeaderValue::from_str(&value).map_err(|error| CliError::usage(error.to_string()))?;
        request.headers_mut().insert(HeaderName::from_static(name), value);
    }
    let response = http.send(request).await?;
    let status = response.status();
    let body = read_all(response.into_body()).await?;
    if !status.is_success() {
        return Err(CliError::from_answer(status, &body));
    }
    serde_json::from_slice(&body)
        .map_err(|_| CliError::failure("invalid_answer", "The vault's answer is not JSON.".to_owned()))
}
