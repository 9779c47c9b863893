//! Every English text of the Wallet, in one file: a translation is this file in another language. The pages hold none, and
//! the API's own texts are shown only where there are no better words here.
//!
//! Words: an *app* acts for a person; a *connection* is its access to an account at a provider; people *revoke* access,
//! and what is revoked or expired has *ended*; an *agent* is a program of an app that has a name of its own.

use alter_api_types::{portal::Surface, wallet::ScopeCard};

use crate::{
    format,
    span::Left,
    visible::{visible, visible_line},
};

/// Those of a grant's page and of the activity.
pub mod grant;
pub mod record;

/// What the texts are written in (BCP 47); dates and numbers follow the browser's region in this language.
pub const LANGUAGE: &str = "en";

pub const WALLET: &str = "Wallet";

/// The browser's title of a page.
pub fn title(page: &str) -> String {
    format!("{page} · {WALLET}")
}

/// One or many of something.
pub fn count(n: usize, one: &str, many: &str) -> String {
    let number = format::number(u64::try_from(n).unwrap_or(u64::MAX));
    format!("{number} {}", if n == 1 { one } else { many })
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// What is left of a time; empty when nothing is.
pub fn left(left: Left) -> String {
    let Left { days, hours, minutes, seconds } = left;
    if left.is_over() {
        String::new()
    } else if days >= 2 {
        format!("{days} days")
    } else if days == 1 {
        format!("1 day {hours} h")
    } else if hours > 0 {
        format!("{hours} h {minutes:02} min")
    } else if minutes > 0 {
        format!("{minutes} min {seconds:02} s")
    } else {
        format!("{seconds} s")
    }
}

/// What happened and what to do. `code` is the API's, or ours where no answer came (`status` 0); `said` is the API's text.
pub fn error(status: u16, code: &str, said: &str) -> String {
    let words = match code {
        "offline" => "The Wallet cannot be reached. Check your connection, then try again.",
        "timeout" => "This takes longer than it should. Try again in a moment.",
        "unreadable" => {
            "The answer could not be read. Reload the page; a newer version of the Wallet may be there."
        }
        "wallet_session_required" => "You have been signed out. Sign in again to go on.",
        "csrf_failed" => {
            "This page is out of date, perhaps because you signed in again in another tab. Reload it, then try again."
        }
        "user_suspended" => {
            "Your account is suspended, so nothing can be shown or changed here. Ask the people who manage your account."
        }
        "user_deprovisioned" => "Your account has been removed. No app can act for it any more.",
        "grant_not_found" => "There is no such connection, or it is not one of yours.",
        "approval_not_found" => {
            "This request is no longer there. It may have been decided elsewhere, or its time ran out."
        }
        _ => match status {
            0 => "That did not work. Try again.",
            401 => "You have been signed out. Sign in again to go on.",
            403 => "You are not allowed to do this.",
            404 => "This is not there, or it is not yours.",
            409 => "Something changed in the meantime. Reload the page, then try again.",
            429 => "That was too often in a short time. Wait a minute, then try again.",
            500.. => "The Wallet has a problem on its side. Try again in a moment.",
            _ if !said.is_empty() => return visible_line(said),
            _ => "That did not work. Reload the page, then try again.",
        },
    };
    words.to_owned()
}

/// How something was ended or done.
pub fn surface(from: Surface) -> &'static str {
    match from {
        Surface::Sdk => "by the app",
        Surface::Portal => "by the app's operator",
        Surface::Wallet => "here in the Wallet",
        Surface::Webhook => "on the identity provider's word",
        Surface::Connect => "when the account was connected anew",
        Surface::Vault => "automatically",
    }
}

/// What an app may do, from the scopes that have words: `It can read your calendar and send mail.`
pub fn scopes(scopes: &[ScopeCard]) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    for scope in scopes {
        if let Some(known) = scope.words.as_deref().map(visible)
            && !words.contains(&known)
        {
            words.push(known);
        }
    }
    (!words.is_empty()).then(|| format!("It can {}.", list(&words)))
}

/// Shared by all pages.
pub mod common {
    pub const RETRY: &str = "Try again";
    pub const CLOSE: &str = "Close";
    pub const CANCEL: &str = "Cancel";
    pub const LOADING: &str = "Loading";
    pub const ERROR_TITLE: &str = "That did not work";
    pub const NEVER_USED: &str = "Not used yet";
    pub const REFRESH: &str = "Refresh";
    pub const NEW_WINDOW: &str = "opens in a new window";

    pub fn agent(name: &str) -> String {
        format!("Agent {name}")
    }

    /// What is shown is older than it should be.
    pub fn stale(time: &str) -> String {
        format!("Could not be refreshed. You see what was known at {time}.")
    }
}

/// The frame around every page.
pub mod frame {
    pub const SKIP: &str = "Skip to content";
    pub const NAVIGATION: &str = "Main";
    pub const APPS: &str = "Apps";
    pub const CONNECTIONS: &str = "Connections";
    pub const ACTIVITY: &str = "Activity";
    pub const APPROVALS: &str = "Approvals";
    pub const ACCOUNT: &str = "Your account";
    pub const THEME: &str = "Appearance";
    pub const THEME_SYSTEM: &str = "System";
    pub const THEME_LIGHT: &str = "Light";
    pub const THEME_DARK: &str = "Dark";
    pub const SIGN_OUT: &str = "Sign out";
    pub const SIGNING_OUT: &str = "Signing out …";
    pub const PRIVACY: &str = "The Wallet never shows or holds the keys to your accounts.";

    pub fn signed_in_through(issuer: &str) -> String {
        format!("Signed in through {issuer}")
    }

    pub fn waiting(n: u32) -> String {
        format!("{n} waiting")
    }
}

/// How a grant stands.
pub mod status {
    pub const ACTIVE: &str = "Active";
    pub const EXPIRED: &str = "Expired";
    pub const REVOKED: &str = "Revoked";
    pub const RECONNECT: &str = "Not working";
}

pub mod apps {
    pub const TITLE: &str = "Apps";
    pub const NONE_ACTIVE: &str = "No app can act for you right now.";
    pub const EMPTY_TITLE: &str = "No app has access";
    pub const EMPTY: &str = "When you connect an account to an app, the app appears here: what it may do, what it did and \
                             why, and a button that ends it.";
    pub const EMPTY_STEPS: [&str; 3] = [
        "An app asks you to connect an account, such as your calendar.",
        "You agree at the provider. The app never gets your password or a key.",
        "Each thing that it does is written down here, with its reason.",
    ];
    pub const ENDED: &str = "No access any more";
    pub const TRUNCATED: &str = "You have more connections than fit here. The newest are shown.";

    /// The page's answer in one sentence.
    pub fn summary(apps: usize, connections: usize) -> String {
        let apps = super::count(apps, "app can act for you", "apps can act for you");
        format!("{apps}, through {}.", super::count(connections, "connection", "connections"))
    }

    pub fn connections(n: usize) -> String {
        super::count(n, "connection", "connections")
    }

    pub fn agents(n: usize) -> String {
        super::count(n, "agent", "agents")
    }

    pub fn reconnect(n: usize) -> String {
        super::count(n, "connection does not work", "connections do not work")
    }

    pub const LAST_USED: &str = "Last used";
}

pub mod connections {
    pub const TITLE: &str = "Connections";
    pub const LEDE: &str = "The accounts and services that apps can use for you, by provider.";
    pub const APP: &str = "App";
    pub const STATUS: &str = "Status";
    pub const ALL_APPS: &str = "All apps";
    pub const ALL: &str = "All";
    pub const ACTIVE: &str = "Active";
    pub const NEEDS_YOU: &str = "Not working";
    pub const ENDED: &str = "Ended";
    pub const CREATED: &str = "Connected";
    pub const EXPIRES: &str = "Ends";
    pub const EXPIRED: &str = "Expired";
    pub const REVOKED: &str = "Revoked";
    pub const NO_END: &str = "No end set";
    pub const USED: &str = "Last used";
    pub const AGENTS: &str = "Agents";
    pub const NO_AGENTS: &str = "None, only the app itself";
    pub const SCOPES: &str = "Exact permissions";
    pub const NO_WORDS: &str = "This provider describes its permissions in its own terms:";
    pub const SECRET: &str =
        "The app uses its own key to this service for you. Your accounts are not involved.";
    pub const DETAILS: &str = "Details and history";
    pub const INACTIVE: &str = "switched off";
    pub const EMPTY_TITLE: &str = "Nothing is connected";
    pub const EMPTY: &str = "When you connect an account to an app, you see here which account it is, what the app may do \
                             with it and until when.";
    pub const NO_MATCH_TITLE: &str = "Nothing matches";
    pub const NO_MATCH: &str = "No connection fits these filters.";
    pub const CLEAR: &str = "Clear filters";
    pub const RECONNECT_TITLE: &str = "This connection does not work";
    pub const RECONNECT_DO: &str =
        "Open the app and connect the account again. What you allowed stays as it is.";

    pub const USED_BY: &str = "Used by";
    pub const SINCE: &str = "Since";

    pub fn for_group(group: &str) -> String {
        format!("For everybody in {group}. Only the people who manage the group can end it.")
    }

    pub fn for_agent(agent: &str) -> String {
        format!("Only for the agent {agent}, on your account.")
    }

    pub fn ended(n: usize) -> String {
        super::count(n, "ended connection", "ended connections")
    }

    pub fn shown(n: usize) -> String {
        super::count(n, "connection shown", "connections shown")
    }

    pub fn left(time: &str) -> String {
        format!("in {time}")
    }

    pub fn details_of(provider: &str, app: &str) -> String {
        format!("Details and history: {provider} for {app}")
    }

    /// Why a connection is broken, from the provider's or the vault's code.
    pub fn cause(provider: &str, code: &str) -> String {
        match code {
            "invalid_grant" => format!(
                "{provider} no longer accepts it. Access may have been withdrawn there, the password changed, or it was \
                 not used for a long time."
            ),
            "access_denied" | "consent_required" | "interaction_required" | "login_required" => {
                format!("{provider} wants you to agree again.")
            }
            "invalid_scope" | "insufficient_scope" => {
                format!("{provider} took back some of what you had allowed.")
            }
            "invalid_client" | "unauthorized_client" => {
                format!("{provider} no longer accepts the app. Its operator has to mend that first.")
            }
            "no_refresh_token" | "refresh_token_missing" | "not_refreshable" => {
                format!("{provider} gave access for a limited time, and that is over.")
            }
            "account_removed" | "user_removed" => format!("The account at {provider} is no longer there."),
            code => format!("{provider} refused it (code {}).", super::visible_line(code)),
        }
    }
}

pub mod approvals {
    pub const TITLE: &str = "Approvals";
    pub const LEDE: &str = "Calls that wait for your word before they are made.";
    pub const EMPTY_TITLE: &str = "Nothing waits for you";
    pub const EMPTY: &str = "Some actions can be set so that an app has to ask you first, such as a payment or a mail to \
                             many people. They wait here, with what exactly would be sent, until you approve or deny.";
    pub const EMPTY_NOTE: &str = "If you do nothing, a request runs out and the call is not made.";
    pub const APPROVE: &str = "Approve";
    pub const DENY: &str = "Deny";
    pub const ASKED: &str = "Asked";
    pub const REASON: &str = "Reason given";
    pub const NO_REASON: &str = "No reason was given.";
    pub const PAYLOAD: &str = "What would be sent";
    pub const APPROVED: &str = "Approved. The call goes ahead.";
    pub const DENIED: &str = "Denied. The call is not made.";
    pub const OVER: &str = "Time ran out. The call is not made.";

    pub fn asks(app: &str) -> String {
        format!("{app} asks")
    }

    pub fn agent_asks(agent: &str, app: &str) -> String {
        format!("{agent}, an agent of {app}, asks")
    }

    pub fn left(time: &str) -> String {
        format!("{time} left to decide")
    }
}

pub mod sign_in {
    pub const TITLE: &str = "Sign in";
    /// On the page.
    pub const HEADLINE: &str = "See what has access to your data";
    pub const LEDE: &str = "Which apps can act for you, what they did and why, and one click to end it.";
    pub const HOW: &str = "You sign in where the app signs you in. The Wallet has no password of its own.";
    pub const GO: &str = "Continue";
    pub const SWITCH: &str = "Use another account";
    pub const CHOOSE: &str = "Choose an app that you use";
    pub const OTHER_APP: &str = "Use another app";
    pub const APP_ID: &str = "App id";
    pub const APP_ID_HELP: &str =
        "The app shows a link to the Wallet in its settings. If it shows only an id, enter it here.";
    pub const APP_ID_WRONG: &str = "An app id has 36 characters, as in 0198c2f4-7b1e-7c3a-9d52-1f0a6b7c8d9e.";
    pub const NO_APP_TITLE: &str = "Open the Wallet from your app";
    pub const NO_APP: &str = "Each app that uses the Wallet links to it, usually in its settings. The link knows where you sign in.";
    pub const UNKNOWN_APP: &str =
        "Nobody can sign in through this app. Check the link, or ask the people who run the app.";
    pub const SIGNED_OUT: &str = "You are signed out.";
    pub const SESSION_OVER: &str = "Your session is over. Sign in again to go on.";

    pub fn through(app: &str) -> String {
        format!("Continue with {app}")
    }

    /// Why a sign-in did not work, from the code in the address.
    pub fn error(code: &str) -> &'static str {
        match code {
            "sign_in_denied" => {
                "The sign-in was not finished. Nothing was changed. Try again when you are ready."
            }
            "sign_in_expired" => "The sign-in took too long, or was used already. Start it again.",
            "sign_in_other_browser" => {
                "The sign-in was begun in another browser, or cookies are blocked here. Start it again here."
            }
            "user_suspended" => "Your account is suspended. Ask the people who manage it.",
            "user_deprovisioned" => "Your account has been removed, and no app can act for it any more.",
            "too_many_requests" => "That was too often in a short time. Wait a minute, then try again.",
            "identity_provider_unavailable" => {
                "The sign-in service does not answer at the moment. Try again in a few minutes."
            }
            "idp_signin_misconfigured" | "idp_signin_not_configured" => {
                "The app's sign-in is not set up as it should be. Tell the people who run the app."
            }
            "identity_provider_changed" => {
                "The app's sign-in was set up anew in the meantime. Start it again."
            }
            "identity_provider_refused" | "code_refused" | "id_token_invalid" => {
                "The sign-in service gave an answer that cannot be used. Try again; if it keeps failing, tell the people who run \
                 the app."
            }
            "app_not_found" => self::UNKNOWN_APP,
            _ => "The sign-in did not work. Try again; if it keeps failing, tell the people who run the app.",
        }
    }
}

pub mod not_found {
    pub const TITLE: &str = "This page is not there";
    pub const BODY: &str = "The address may be mistyped, or the page has moved.";
    pub const HOME: &str = "Go to your apps";
}

#[cfg(test)]
mod tests;
