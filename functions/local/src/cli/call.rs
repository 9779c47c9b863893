//! `alter call`: one call through `/v1/forward`. The reply goes to standard output as it comes.

use std::io::Write as _;

use alter_domain::{auth::sign_request::Content, secret::Secret};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::{
    context::Context,
    error::{CliError, Exit, Result},
    http::{HttpClient, read_all},
    input,
    sign::{Caller, FORWARD, TargetArgs},
    terminal::plain_lines,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  export ALTER_KEY_FILE=shop.key
  alter call GET https://api.stripe.com/v1/balance --grant GRANT --reason 'daily report'
  alter call POST https://api.openai.com/v1/responses --grant GRANT --data @ask.json
  alter call GET https://api.github.com/user --provider github --user-token-file ada.jwt
  jq -n '{text: \"hi\"}' | alter call POST https://hooks.example.com/x --grant GRANT --data -

The reply's body goes to standard output. What the vault refuses is an error; what the API answers
is a reply, also when it is a 404: --fail turns that into exit code 1.";

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CallArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Shows status and headers of the reply above its body
    #[arg(long, short)]
    include: bool,
    /// Exit code 1 when the API answers 400 or above
    #[arg(long)]
    fail: bool,
}

/// The API's answer to a call.
pub(crate) type Answer = Response<Incoming>;

/// Makes a call. An error is the vault's own; the API's answer is an answer, whatever its status.
pub(crate) async fn perform(
    http: &HttpClient,
    caller: &Caller,
    call: &TargetArgs,
    user_token: Option<&Secret<String>>,
    body: Option<Vec<u8>>,
) -> Result<Answer> {
    let body = body.map(Bytes::from);
    let method = Method::from_bytes(call.method.to_uppercase().as_bytes())
        .map_err(|_| CliError::usage("The method is not an HTTP method."))?;
    let mut request = Request::new(body.clone().unwrap_or_default());
    *request.method_mut() = method;
    *request.uri_mut() = http::Uri::from_static(FORWARD);
    let mut add = |name: &str, value: &str| {
        let wrong = || CliError::usage(format!("{name:?} is not a header that can be sent."));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| wrong())?;
        request.headers_mut().append(name, value);
        Ok::<_, CliError>(())
    };
    let content = Content::Bytes(body.as_deref().unwrap_or_default());
    for (name, value) in caller.headers(call, user_token, content)? {
        add(name, &value)?;
    }
    for (name, value) in call.own_headers(body.as_deref())? {
        add(&name, &value)?;
    }
    let response = http.send(request).await?;
    if response.headers().contains_key("alter-error") {
        let status = response.status();
        return Err(CliError::from_answer(status, &read_all(response.into_body()).await?));
    }
    if !response.headers().contains_key("alter-call-id") {
        let message = format!("The server answered {} and is not a vault.", response.status());
        return Err(CliError::failure("not_a_vault", message).hint("Check --url and what stands between."));
    }
    Ok(response)
}

/// Runs the command; the exit code may speak of the API's answer.
pub(super) async fn run(context: &Context, args: &CallArgs) -> Result<u8> {
    let http = context.http()?;
    let caller = args.target.caller(context)?;
    let user_token = args.target.user_token(context)?;
    let body = args.target.data.as_deref().map(input::data).transpose()?;
    let response = perform(&http, &caller, &args.target, user_token.as_ref(), body).await?;
    let status = response.status();
    if args.include {
        context.printer.write(&head(&response))?;
    }
    copy(response.into_body(), context.printer.terminal.stdout).await?;
    let failed = status.is_client_error() || status.is_server_error();
    if failed {
        context.printer.remark(&format!("The API answered {status}."));
    }
    Ok(if failed && args.fail { Exit::Failure as u8 } else { 0 })
}

fn head(response: &Answer) -> String {
    let mut out = format!("HTTP {}\n", response.status());
    for (name, value) in response.headers() {
        out.push_str(&format!("{name}: {}\n", plain_lines(&String::from_utf8_lossy(value.as_bytes()))));
    }
    out.push('\n');
    out
}

/// Passes the body on, piece by piece; what could steer a terminal is made visible when there is one.
async fn copy(mut body: Incoming, to_terminal: bool) -> Result<()> {
    let broken =
        |error| CliError::new(Exit::Failure, "reply_broken", format!("The reply broke off: {error}."));
    let mut shown = Shown::default();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        let mut out = std::io::stdout().lock();
        match to_terminal {
            true => out.write_all(shown.push(&data).as_bytes())?,
            false => out.write_all(&data)?,
        }
        out.flush()?;
    }
    if to_terminal {
        let mut out = std::io::stdout().lock();
        out.write_all(shown.finish().as_bytes())?;
        out.flush()?;
    }
    Ok(())
}

/// Makes a stream of bytes fit for a terminal; a character may be cut between two pieces.
#[derive(Default)]
struct Shown {
    rest: Vec<u8>,
    last: Option<char>,
}

impl Shown {
    fn push(&mut self, data: &[u8]) -> String {
        self.rest.extend_from_slice(data);
        let whole = match std::str::from_utf8(&self.rest) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.rest.len(),
        };
        let bytes: Vec<u8> = self.rest.drain(..whole).collect();
        self.show(&bytes)
    }

    /// What is left, and a line break when the body had none at its end.
    fn finish(mut self) -> String {
        let rest = std::mem::take(&mut self.rest);
        let mut text = self.show(&rest);
        if !matches!(self.last, None | Some('\n')) {
            text.push('\n');
        }
        text
    }

    fn show(&mut self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        self.last = text.chars().last().or(self.last);
        plain_lines(&text.replace("\r\n", "\n")).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_cannot_steer_the_terminal_even_when_cut() {
        let whole = "é\x1b[31m\u{9b}x\n".as_bytes();
        for cut in 0..whole.len() {
            let mut shown = Shown::default();
            let mut text = shown.push(&whole[..cut]);
            text.push_str(&shown.push(&whole[cut..]));
            text.push_str(&shown.finish());
            assert_eq!(text, "é\\u001b[31m\\u009bx\n", "{cut}");
        }
        let mut shown = Shown::default();
        assert_eq!(shown.push(b"\xffa"), "\u{fffd}a");
        assert_eq!(shown.finish(), "\n");
    }
}
