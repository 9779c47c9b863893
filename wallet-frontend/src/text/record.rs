//! Words of the activity and of a grant's own page. `{app}` and the like are slots.

/// Puts values into a template's slots, each once and from left to right: a value that looks like a slot stays a value.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, tail)) = rest.split_once('{') {
        filled.push_str(before);
        let slot = tail.split_once('}').and_then(|(name, after)| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((*value, after))
        });
        match slot {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = tail;
            }
        }
    }
    filled.push_str(rest);
    filled
}

// Who is spoken of, where the name is not known.
pub const SOME_APP: &str = "an app";
pub const SOME_AGENT: &str = "an agent";
pub const SOME_PROVIDER: &str = "a provider";

// What happened.
pub const CONNECTED: &str = "You connected {provider} to {app}";
pub const CONNECTED_AGAIN: &str = "You connected {provider} to {app} again";
pub const OPERATOR_GAVE: &str = "The operator of {app} gave it access to {provider}";
pub const AGENT_GIVEN: &str = "{app} gave the agent {agent} access to {provider}";
pub const APP_GOT: &str = "{app} was given access to {provider}";
pub const YOU_ENDED: &str = "You ended {app}'s access to {provider}";
pub const YOU_ENDED_AGENT: &str = "You ended the access of the agent {agent} to {provider}";
pub const OPERATOR_ENDED: &str = "{app}'s operator ended its access to {provider}";
pub const ACCOUNT_ENDED: &str = "{app}'s access to {provider} ended because your account was closed";
pub const VAULT_ENDED: &str = "The vault ended {app}'s access to {provider}";
pub const APP_ENDED: &str = "{app} gave up its access to {provider}";
pub const APP_ENDED_AGENT: &str = "{app} ended the access of the agent {agent} to {provider}";
pub const EXTENDED: &str = "You gave {app} more time with {provider}";
pub const ASKED_TO_CONNECT: &str = "{app} asked you to connect an account";
pub const DECLINED: &str = "You declined to connect {provider} to {app}";
pub const NOT_CONNECTED: &str = "Connecting {provider} to {app} did not work";
pub const REFRESHED: &str = "The vault renewed its access to {provider}";
pub const NOT_REFRESHED: &str = "The vault could not renew its access to {provider}";
pub const BROKEN: &str = "{provider} no longer accepts the connection";
pub const PROVIDER_TOLD: &str = "{provider} was told that access has ended";
pub const PROVIDER_NOT_TOLD: &str = "{provider} could not be told that access has ended";
pub const USER_CREATED: &str = "You were added to {app}";
pub const USER_SUSPENDED: &str = "Your account was suspended";
pub const USER_REACTIVATED: &str = "Your account was reactivated";
pub const USER_LEFT: &str = "Your account was closed";
pub const USER_LEFT_DONE: &str = "Everything that had access for you was ended";
pub const SESSIONS_ENDED: &str = "Your sign-in service ended your sessions";
pub const USER_UPDATED: &str = "Your profile was updated";
pub const GROUPS_CHANGED: &str = "Your groups changed";
pub const SIGNED_IN: &str = "You signed in to {app}";
pub const SIGNED_IN_WALLET: &str = "You signed in to the Wallet";
pub const SIGN_IN_FAILED: &str = "A sign-in to {app} did not work";

// How a call went.
pub const SUCCEEDED: &str = "Succeeded";
pub const NO_RESULT: &str = "Started; no result is recorded";
pub const REFUSED: &str = "Refused by the vault";
pub const TIMED_OUT: &str = "{provider} did not answer in time";
pub const BROKE_OFF: &str = "{provider}'s answer broke off";
pub const UNREACHABLE: &str = "{provider} could not be reached";
pub const VAULT_ERROR: &str = "Not sent: the vault had a problem";
pub const ABORTED: &str = "Stopped by the app before the answer ended";

/// By the API's error code.
pub const REFUSALS: [(&str, &str); 15] = [
    ("grant_revoked", "Refused: access had been revoked"),
    ("grant_expired", "Refused: access had expired"),
    ("grant_not_found", "Refused: there was no such access"),
    ("no_delegated_grant", "Refused: the agent had no access"),
    ("ambiguous_grant", "Refused: the app did not say which account"),
    ("credential_revoked", "Refused: the account has to be connected again"),
    ("insufficient_scope", "Refused: the app's key does not allow it"),
    ("blocked_destination", "Refused: the address is not allowed"),
    ("forbidden_header", "Refused: the app tried to set a header that it may not"),
    ("provider_disabled", "Refused: the app's operator switched this provider off"),
    ("user_suspended", "Refused: your account is suspended"),
    ("user_deprovisioned", "Refused: your account is closed"),
    ("agent_inactive", "Refused: the agent is paused"),
    ("agent_revoked", "Refused: the agent was revoked"),
    ("key_revoked", "Refused: the app's key was revoked"),
];

/// By the provider's HTTP status.
pub fn provider_error(status: u16) -> &'static str {
    match status {
        401 => "{provider} did not accept the credential",
        403 => "{provider} did not allow it",
        404 | 410 => "{provider} found nothing there",
        409 | 412 => "{provider} refused it as out of date",
        429 => "{provider} had too many requests",
        400..500 => "{provider} refused the request",
        _ => "{provider} had a problem",
    }
}

pub const BYTES: &str = "{n} bytes";

// A row.
pub const AGENT: &str = "agent {agent}";
pub const HTTP: &str = "HTTP {status}";
pub const NO_ADDRESS: &str = "(no address)";
pub const NO_REASON: &str = "No reason was given.";
pub const SHOW_ALL: &str = "Show all";
pub const SHOW_LESS: &str = "Show less";
pub const DETAILS_OF: &str = "Details: {what}, {time}";
pub const TIME: &str = "Time";
pub const ADDRESS: &str = "Address";
pub const CODE: &str = "Code";
pub const SENT: &str = "Sent";
pub const RECEIVED: &str = "Received";
pub const CALLER: &str = "Called by";
pub const CONTEXT: &str = "Context";
pub const LABEL: &str = "Name";
pub const RECORD_ID: &str = "Entry";
pub const CONNECTION: &str = "Connection";
pub const OPEN_GRANT: &str = "Open details and history";

// The feed.
pub const TODAY: &str = "Today";
pub const YESTERDAY: &str = "Yesterday";
pub const END: &str = "That is everything. Entries are kept for 400 days.";
pub const FULL: &str = "This page goes no further. For older entries choose dates, or download them.";
pub const PAUSED: &str = "Nothing was found among the newer entries. Older ones have not been searched yet.";
pub const FURTHER: &str = "Search older entries";
pub const NOTHING_TITLE: &str = "Nothing was done yet";
pub const NOTHING: &str = "Each time an app acts for you, it is written down here: what it did, when, and the reason that it \
                           gave, in its own words.";
pub const NO_MATCH: &str = "Nothing on the record fits this search and these filters.";

pub fn all(rows: &str) -> String {
    fill("All entries are shown: {n}", &[("n", rows)])
}

pub fn newest(rows: &str) -> String {
    fill("Newest entries shown: {n}; more follow further down", &[("n", rows)])
}

// The page.
pub const LEDE: &str = "What apps and agents did for you, and the reason that they gave.";
pub const ENTRIES: &str = "Entries";
pub const SEARCH_LABEL: &str = "Activity";
pub const SEARCH: &str = "Search reasons, addresses and providers";
pub const SEARCH_HINT: &str = "Search";
pub const FILTERS: &str = "Filters";
pub const DOWNLOAD: &str = "Download ";
pub const CSV: &str = "CSV";
pub const FROM: &str = "From";
pub const TO: &str = "To";
pub const APP: &str = "App";
pub const PROVIDER: &str = "Provider";
pub const AGENT_FIELD: &str = "Agent";
pub const OUTCOME: &str = "Outcome";
pub const SHOW: &str = "Show";
pub const ALL_PROVIDERS: &str = "All providers";
pub const ALL_AGENTS: &str = "All agents";
pub const ALL_OUTCOMES: &str = "All outcomes";
pub const EVERYTHING: &str = "Everything";
pub const ONLY_CALLS: &str = "Calls only";
/// In the order of the API's names.
pub const OUTCOMES: [&str; 6] =
    ["Succeeded", "Refused by the vault", "Provider's error", "No answer", "Vault's error", "Stopped"];

// The chart.
pub const CHART: &str = "Calls per day";
pub const CHART_LABEL: &str = "Calls per day over the last 30 days. Arrow keys go from day to day.";
pub const NOT_SUCCEEDED: &str = "Did not succeed";
pub const AS_TABLE: &str = "As a table";
pub const DAY: &str = "Day";
pub const ALL_CALLS: &str = "Calls";
pub const CALL: &str = "call";
pub const CALLS: &str = "calls";
pub const CALLS_FAILED: &str = "{calls}, {failed} did not succeed";
pub const DAY_WHOLE: &str = "{day}: {calls}";
pub const DAY_PARTLY: &str = "{day}: at least {calls}";
pub const SHOW_DAY: &str = "{day}. Show this day.";
pub const NOT_COUNTED: &str = "not counted";
pub const NOT_COUNTED_ANY: &str = "The calls could not be counted.";
pub const AT_LEAST: &str = "at least {n}";
pub const COUNTING: &str = "Counting: {calls} so far";
pub const COUNTED: &str = "In 30 days: {calls}";
pub const COUNTED_SINCE: &str = "Since {day}: {calls}. Earlier days have too many to count here.";
