//! The last page of a visit: what came of it, for the user, and for the page or server that sent the user here (wire protocol
//! section 6).

use alter_api_types::connect::{ConnectMessage, MessageGrant, MessageMetadata};
use alter_domain::{
    flow::connect::{PublicUrl, Visit},
    model::{ConnectSession, Connected, DENIED, SessionOutcome},
};
use askama::Template;
use jiff::Timestamp;
use url::Url;

use crate::draw::{Frame, account_text};

#[derive(Template)]
#[template(path = "done.html")]
pub(crate) struct DonePage {
    frame: Frame,
    app: String,
    connected: Vec<Line>,
    /// What to say when nothing was connected.
    ended: String,
    /// JSON for the page that opened this one.
    message: String,
    /// The one origin that it may go to.
    origin: Option<String>,
    /// Where the visit goes back to, with the result.
    return_to: Option<String>,
}

struct Line {
    name: String,
    account: String,
}

impl DonePage {
    pub(crate) fn new(url: &PublicUrl, visit: &Visit, now: Timestamp) -> Self {
        let session = &visit.session;
        let connected: Vec<Line> = session
            .connected()
            .map(|(id, connected)| Line {
                name: name_of(visit, id),
                account: account_text(connected.account.as_ref()),
            })
            .collect();
        let ended = match session.outcome(now) {
            SessionOutcome::Ended { code: DENIED, .. } => format!("{} was given no access.", visit.app.name),
            SessionOutcome::Ended { message, .. } => message.to_owned(),
            _ => "A link works for 10 minutes. Go back to the app and start again.".to_owned(),
        };
        Self {
            frame: Frame::of(url, &visit.app),
            app: visit.app.name.clone(),
            connected,
            ended,
            message: serde_json::to_string(&message(visit, now)).unwrap_or_default(),
            origin: session.allowed_origin.clone(),
            return_to: session.return_url.as_deref().and_then(|url| returned(url, visit, now)),
        }
    }
}

fn message(visit: &Visit, now: Timestamp) -> ConnectMessage {
    match visit.session.outcome(now) {
        SessionOutcome::Completed => ConnectMessage::AlterConnectSuccess {
            grants: visit.session.connected().map(|(id, connected)| grant(visit, id, connected)).collect(),
        },
        other => {
            let (error, error_description) = failure(other);
            ConnectMessage::AlterConnectError { error, error_description }
        }
    }
}

fn grant(visit: &Visit, id: &str, connected: &Connected) -> MessageGrant {
    let account = connected.account.as_ref();
    MessageGrant {
        grant_id: connected.grant_id,
        provider: id.to_owned(),
        provider_name: name_of(visit, id),
        account_identifier: identifier(connected),
        timestamp: connected.at,
        operation: connected.operation.as_str().to_owned(),
        scopes: connected.scopes.clone(),
        status: "active".to_owned(),
        metadata: MessageMetadata {
            account_display_name: account.and_then(|account| account.display_name.clone()),
            account_email: account.and_then(|account| account.email.clone()),
        },
    }
}

/// The return address with the result behind its own query. The published client reads one grant, the first; the poll and the
/// listing have them all.
fn returned(url: &str, visit: &Visit, now: Timestamp) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    add_result(&mut url, &visit.session, visit, now);
    Some(url.into())
}

fn add_result(url: &mut Url, session: &ConnectSession, visit: &Visit, now: Timestamp) {
    let mut query = url.query_pairs_mut();
    if let Some((id, connected)) = session.connected().next() {
        query
            .append_pair("alter_connect_success", "true")
            .append_pair("grant_id", &connected.grant_id.to_string())
            .append_pair("provider", id)
            .append_pair("provider_name", &name_of(visit, id))
            .append_pair("account_identifier", &identifier(connected))
            .append_pair("timestamp", &connected.at.to_string())
            .append_pair("operation", connected.operation.as_str())
            .append_pair("scopes", &connected.scopes.join(","))
            .append_pair("status", "active");
    } else {
        let (code, message) = failure(session.outcome(now));
        query
            .append_pair("alter_connect_error", &code)
            .append_pair("error_code", &code)
            .append_pair("error_description", &message);
    }
}

/// Code and message of a visit that made no grant.
fn failure(outcome: SessionOutcome<'_>) -> (String, String) {
    match outcome {
        SessionOutcome::Ended { code, message } => (code.to_owned(), message.to_owned()),
        SessionOutcome::Pending | SessionOutcome::Completed | SessionOutcome::Expired => {
            ("session_expired".to_owned(), "The session expired before an account was connected.".to_owned())
        }
    }
}

/// The published client drops a result without one.
fn identifier(connected: &Connected) -> String {
    connected.account.as_ref().map_or_else(|| "unknown".to_owned(), |account| account.identifier.clone())
}

fn name_of(visit: &Visit, id: &str) -> String {
    let config = visit.providers.iter().find(|provider| provider.offered.provider_id == id);
    let config = config.and_then(|provider| provider.config.as_ref());
    let name = config.and_then(|config| config.definition().ok()).map(|provider| provider.brand().to_owned());
    name.unwrap_or_else(|| id.to_owned())
}
