//! What the pages of a sign-in show, in words.

use alter_domain::{
    flow::{
        connect::{ConnectError, PublicUrl},
        identity::sign_in::SignInVisit,
    },
    model::{App, SignInProgress},
    web,
};
use askama::Template;
use http::StatusCode;

use crate::{
    brand::Mark,
    draw::{Frame, MessagePage},
};

/// Asks whether to go on.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct ConfirmPage {
    frame: Frame,
    app: String,
    mark: Mark,
    start_key: String,
}

/// What came of it.
#[derive(Template)]
#[template(path = "signed_in.html")]
pub(crate) struct ResultPage {
    frame: Frame,
    app: String,
    outcome: Outcome,
}

enum Outcome {
    SignedIn {
        /// What the identity provider calls them, as far as it told.
        name: String,
        address: Option<String>,
    },
    Failed {
        message: String,
    },
    Expired,
    /// The user came here instead of signing in.
    Waiting,
}

impl ConfirmPage {
    pub(super) fn new(url: &PublicUrl, app: &App, start_key: String) -> Self {
        Self { frame: Frame::of(url, app), app: app.name.clone(), mark: Mark::of(url, app), start_key }
    }
}

impl ResultPage {
    pub(super) fn new(url: &PublicUrl, visit: &SignInVisit) -> (StatusCode, Self) {
        let (status, outcome) = match &visit.sign_in.progress {
            SignInProgress::Completed { profile, .. } => {
                let named = profile.name.as_ref().or(profile.email.as_ref()).unwrap_or(&profile.sub).clone();
                let address = profile.email.clone().filter(|email| *email != named);
                (StatusCode::OK, Outcome::SignedIn { name: named, address })
            }
            SignInProgress::Failed { message, .. } => {
                (StatusCode::OK, Outcome::Failed { message: message.clone() })
            }
            SignInProgress::Waiting if visit.expired => (StatusCode::GONE, Outcome::Expired),
            SignInProgress::Waiting => (StatusCode::OK, Outcome::Waiting),
        };
        (status, Self { frame: Frame::of(url, &visit.app), app: visit.app.name.clone(), outcome })
    }
}

/// What a refusal says to the person in front of it.
pub(super) fn refusal(url: &PublicUrl, error: &ConnectError) -> (StatusCode, MessagePage) {
    let (status, title, text) = match error {
        // A link is a link.
        ConnectError::NoSession | ConnectError::Expired => return MessagePage::of(url, error),
        ConnectError::Finished => (
            StatusCode::GONE,
            "This link was used already",
            "A link signs in once. Go back to the app to go on, or to start again.",
        ),
        ConnectError::OtherBrowser => (
            StatusCode::FORBIDDEN,
            "Opened somewhere else",
            "This sign-in belongs to the browser that opened it first. Go on there, with cookies allowed, or go back to the app \
             and start again. Nobody was signed in here.",
        ),
        ConnectError::Forged => (
            StatusCode::FORBIDDEN,
            "This form is out of date",
            "Go back, load the page again and repeat what you did. Nobody was signed in.",
        ),
        ConnectError::UnknownState => (
            StatusCode::BAD_REQUEST,
            "This sign-in was used already, or is too old",
            "Go back to the app and start again. Nobody was signed in.",
        ),
        ConnectError::Mismatch(_) | ConnectError::NotOffered | ConnectError::Fields(_) => (
            StatusCode::BAD_REQUEST,
            "This answer does not fit",
            "What came back is not the answer to what was asked, so it was thrown away. Nobody was signed in. Go back to the app \
             and start again.",
        ),
        ConnectError::Vault(error) => {
            tracing::warn!(%error, code = web::code(error), "a page of a sign-in was refused");
            (web::status(error), "Something went wrong", "It is not your fault. Try again in a while.")
        }
    };
    (status, MessagePage::new(url, title, text.to_owned()))
}
