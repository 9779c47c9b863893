//! What the pages show: values for the templates, in words.

use alter_domain::{
    Result,
    flow::connect::{ConnectError, FieldProblem, PublicUrl, Visit, VisitedProvider},
    model::{App, Progress},
    oauth::{AccountInfo, Provider, Shape, VariableSource, requested_scopes},
    web,
};
use askama::Template;
use http::StatusCode;
use url::Url;

use crate::{
    assets::{SCRIPT_NAME, STYLE_NAME},
    brand::{Mark, sheet_name},
};

/// What every page has.
pub(crate) struct Frame {
    /// The path before `/sdk`.
    pub(crate) base: String,
    pub(crate) style: &'static str,
    pub(crate) script: &'static str,
    /// The style sheet of the app's colours.
    pub(crate) brand: Option<String>,
}

/// The page that takes the token out of the link.
#[derive(Template)]
#[template(path = "arrival.html")]
pub(crate) struct ArrivalPage {
    pub(crate) frame: Frame,
}

/// The page that leads to the provider's, at once.
#[derive(Template)]
#[template(path = "leaving.html")]
pub(crate) struct LeavingPage {
    frame: Frame,
    target: String,
    host: String,
}

#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct MessagePage {
    frame: Frame,
    title: &'static str,
    text: String,
}

/// The session's page while it is open.
#[derive(Template)]
#[template(path = "session.html")]
pub(crate) struct SessionPage {
    frame: Frame,
    app: String,
    mark: Mark,
    session: String,
    form_token: String,
    title: String,
    cards: Vec<Card>,
    /// What the button that ends the visit says, and whether it is the thing to do.
    finish: &'static str,
    finish_is_primary: bool,
    /// The provider to go to at once.
    straight_to: Option<String>,
    repair: bool,
}

struct Card {
    id: String,
    name: String,
    monogram: String,
    /// One of six colours.
    tile: u8,
    state: State,
    permissions: Vec<Permission>,
    fields: Vec<Field>,
}

enum State {
    Waiting,
    Connected { account: String },
    Declined,
    Failed { message: String },
    Unavailable,
}

struct Permission {
    text: String,
    /// Nobody has described it: shown as the provider spells it.
    verbatim: bool,
}

struct Field {
    name: String,
    label: String,
    example: String,
    value: String,
    options: Vec<String>,
    required: bool,
    error: Option<String>,
}

impl Frame {
    pub(crate) fn new(url: &PublicUrl) -> Self {
        let base = url.path().to_owned();
        Self { base, style: STYLE_NAME.as_str(), script: SCRIPT_NAME.as_str(), brand: None }
    }

    /// Of a page that is about an app.
    pub(crate) fn of(url: &PublicUrl, app: &App) -> Self {
        Self { brand: sheet_name(&app.branding), ..Self::new(url) }
    }
}

impl LeavingPage {
    pub(crate) fn new(url: &PublicUrl, target: &Url) -> Self {
        let host = target.host_str().unwrap_or_default().to_owned();
        Self { frame: Frame::new(url), target: target.as_str().to_owned(), host }
    }
}

impl MessagePage {
    pub(crate) fn new(url: &PublicUrl, title: &'static str, text: String) -> Self {
        Self { frame: Frame::new(url), title, text }
    }

    pub(crate) fn of_managed_secret(url: &PublicUrl) -> Self {
        let text = "This vault does not take keys on this page yet. Ask the app's operator to store the key for you.";
        Self::new(url, "Not possible here", text.to_owned())
    }

    /// What a refusal says to the person in front of it.
    pub(crate) fn of(url: &PublicUrl, error: &ConnectError) -> (StatusCode, Self) {
        let (status, title, text) = match error {
            ConnectError::NoSession => (
                StatusCode::NOT_FOUND,
                "This link does not work",
                "It may be incomplete or very old. Go back to the app and start again.",
            ),
            ConnectError::Expired => (
                StatusCode::GONE,
                "This link has expired",
                "A link works for 10 minutes. Go back to the app and start again.",
            ),
            ConnectError::Finished => (
                StatusCode::GONE,
                "This link was used already",
                "A link works once. Go back to the app to see what is connected, or to start again.",
            ),
            ConnectError::OtherBrowser => (
                StatusCode::FORBIDDEN,
                "Opened somewhere else",
                "This link belongs to the browser that opened it first. Go on there, with cookies allowed, or go back to the \
                 app and start again. Nothing was connected here.",
            ),
            ConnectError::Forged => (
                StatusCode::FORBIDDEN,
                "This form is out of date",
                "Go back, load the page again and repeat what you did. Nothing was changed.",
            ),
            ConnectError::NotOffered | ConnectError::Fields(_) => (
                StatusCode::NOT_FOUND,
                "Not part of this link",
                "The app did not ask for this service. Nothing was changed.",
            ),
            ConnectError::UnknownState => (
                StatusCode::BAD_REQUEST,
                "This sign-in was used already, or is too old",
                "Go back to the app and start again. Nothing was connected.",
            ),
            ConnectError::Mismatch(_) => (
                StatusCode::BAD_REQUEST,
                "This answer does not fit",
                "What came back is not the answer to what was asked, so it was thrown away. Nothing was connected. Go back to \
                 the app and start again.",
            ),
            ConnectError::Vault(error) => {
                tracing::warn!(%error, code = web::code(error), "a page of Connect was refused");
                (web::status(error), "Something went wrong", "It is not your fault. Try again in a while.")
            }
        };
        (status, Self::new(url, title, text.to_owned()))
    }
}

impl SessionPage {
    pub(crate) fn new(
        url: &PublicUrl,
        visit: &Visit,
        form_token: &str,
        problems: &[FieldProblem],
        typed: &[(String, String)],
    ) -> Result<Self> {
        let repair = visit.session.repair.is_some();
        let cards = visit
            .providers
            .iter()
            .map(|provider| card(provider, repair, problems, typed))
            .collect::<Result<Vec<_>>>()?;
        let connected = cards.iter().any(|card| matches!(card.state, State::Connected { .. }));
        let left = cards.iter().any(|card| matches!(card.state, State::Waiting | State::Failed { .. }));
        let title = match (cards.as_slice(), repair) {
            ([only], false) => format!("Connect {} to {}", only.name, visit.app.name),
            ([only], true) => format!("Reconnect {} to {}", only.name, visit.app.name),
            _ => format!("Connect your accounts to {}", visit.app.name),
        };
        let straight_to = match cards.as_slice() {
            [only]
                if visit.session.direct && only.fields.is_empty() && matches!(only.state, State::Waiting) =>
            {
                Some(only.id.clone())
            }
            _ => None,
        };
        Ok(Self {
            frame: Frame::of(url, &visit.app),
            app: visit.app.name.clone(),
            mark: Mark::of(url, &visit.app),
            session: visit.session.id.to_string(),
            form_token: form_token.to_owned(),
            title,
            finish: match (connected, left) {
                (true, true) => "Done for now",
                (true, false) => "Done",
                (false, _) => "Cancel",
            },
            finish_is_primary: connected && !left,
            straight_to,
            repair,
            cards,
        })
    }
}

fn card(
    visited: &VisitedProvider,
    repair: bool,
    problems: &[FieldProblem],
    typed: &[(String, String)],
) -> Result<Card> {
    let offered = &visited.offered;
    let id = offered.provider_id.clone();
    let state = match &offered.progress {
        Progress::Connected(connected) => {
            State::Connected { account: account_text(connected.account.as_ref()) }
        }
        Progress::Declined { .. } => State::Declined,
        Progress::Failed { message, .. } => State::Failed { message: message.clone() },
        Progress::Waiting => State::Waiting,
    };
    let tile = id.bytes().fold(0u8, u8::wrapping_add) % 6;
    let Some(config) = &visited.config else {
        let monogram: String = id.chars().take(2).collect::<String>().to_uppercase();
        let state = if matches!(state, State::Connected { .. }) { state } else { State::Unavailable };
        return Ok(Card {
            name: id.clone(),
            id,
            monogram,
            tile,
            state,
            permissions: Vec::new(),
            fields: Vec::new(),
        });
    };
    let provider = config.definition()?;
    let here: Vec<&FieldProblem> = problems.iter().filter(|problem| problem.provider_id == id).collect();
    let fields = if repair {
        Vec::new()
    } else {
        // What was typed comes back into the form that it was typed into.
        let typed = if here.is_empty() { &[] } else { typed };
        fields(provider, &here, typed)
    };
    Ok(Card {
        name: provider.brand().to_owned(),
        monogram: provider.monogram.clone(),
        tile,
        state,
        permissions: permissions(provider, &offered.scopes),
        fields,
        id,
    })
}

/// Scopes that mean the same at every provider (OpenID Connect Core, sections 5.4 and 11), for entries that do not describe them.
const STANDARD_SCOPES: [(&str, &str); 5] = [
    ("openid", "know who you are there"),
    ("profile", "see your name and picture"),
    ("email", "see your email address"),
    ("offline_access", "keep this access while you are away"),
    ("offline", "keep this access while you are away"),
];

fn permissions(provider: &Provider, scopes: &[String]) -> Vec<Permission> {
    let asked = requested_scopes(provider, scopes).into_iter();
    let worded = asked.map(|scope| match provider.scopes.known.iter().find(|known| known.scope == scope) {
        Some(known) => Permission { text: known.description.clone(), verbatim: false },
        None => match STANDARD_SCOPES.iter().find(|(name, _)| *name == scope) {
            Some((_, words)) => Permission { text: (*words).to_owned(), verbatim: false },
            None => Permission { text: scope.to_owned(), verbatim: true },
        },
    });
    let mut permissions: Vec<Permission> = Vec::new();
    for permission in worded {
        if !permissions.iter().any(|known| known.text == permission.text) {
            permissions.push(permission);
        }
    }
    permissions
}

fn fields(provider: &Provider, problems: &[&FieldProblem], typed: &[(String, String)]) -> Vec<Field> {
    let asked = provider.variables.iter().filter(|variable| variable.source == VariableSource::User);
    asked
        .map(|variable| {
            let given = typed.iter().find(|(name, _)| *name == variable.name).map(|(_, value)| value.clone());
            Field {
                name: variable.name.clone(),
                label: variable.label.clone(),
                example: variable.example.clone().unwrap_or_default(),
                value: given.or_else(|| variable.default.clone()).unwrap_or_default(),
                options: match &variable.shape {
                    Shape::OneOf(options) => options.clone(),
                    _ => Vec::new(),
                },
                required: !variable.optional && variable.default.is_none(),
                error: problems
                    .iter()
                    .find(|problem| problem.name == variable.name)
                    .map(|problem| problem.message.clone()),
            }
        })
        .collect()
}

/// How a person would call the account.
pub(crate) fn account_text(account: Option<&AccountInfo>) -> String {
    account.map_or_else(String::new, |account| {
        let named = account.display_name.as_ref().or(account.email.as_ref());
        named.unwrap_or(&account.identifier).clone()
    })
}
