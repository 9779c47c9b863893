//! Words of a grant's page, and of ending and extending it. `{app}` and the like are slots.

// Ending it.
pub const REVOKE: &str = "Revoke access";
pub const REVOKING: &str = "Revoking …";
pub const REVOKE_OF: &str = "Revoke access of {who} to {provider}";
pub const REVOKE_TITLE: &str = "Revoke {who}'s access to {provider}?";
pub const YOUR_ACCOUNT: &str = "your account";
pub const NEXT_FAILS: &str =
    "The next time {app} uses {provider} for you, it fails. This takes effect at once.";
pub const AGENT_FAILS: &str =
    "The next time the agent {agent} of {app} uses {provider} for you, it fails. This takes effect at once.";
pub const ONLY_AGENT: &str = "Only this agent loses access. {app} itself keeps it.";
pub const AGENT_TOO: &str = "{n} agent loses access with it: {agents}.";
pub const AGENTS_TOO: &str = "{n} agents lose access with it: {agents}.";
pub const TOKENS_GO: &str = "The vault's tokens for {account} are deleted.";
pub const AND_TOLD: &str = "{provider} is told, if it has a way to be told.";
pub const TOKENS_STAY: &str =
    "The tokens stay in the vault as long as something else uses the same connection.";
pub const SECRET_STAYS: &str =
    "The key to {provider} itself belongs to {app} and stays; only its use for you ends.";
pub const IN_FLIGHT: &str = "A call that is on its way at this moment still finishes.";
pub const FINAL: &str =
    "It cannot be undone. If you want it back, connect anew from {app}; that makes a new connection.";
pub const FINAL_AGENT: &str = "It cannot be undone. {app} can ask you to let the agent in again.";
pub const FINAL_SECRET: &str = "It cannot be undone. Only {app}'s operator can give it anew.";
pub const WHY: &str = "Reason (optional, kept on the record)";

// The receipt.
pub const ENDED_TITLE: &str = "{who} no longer has access to {provider}";
pub const ALREADY_TITLE: &str = "This access had already ended";
pub const ENDED_LEDE: &str = "Access has ended. This is what was done:";
pub const GONE_LEDE: &str = "There is no such access any more. Nothing is left to end.";
pub const ENDED_AT: &str = "Ended";
pub const TOKENS: &str = "Tokens";
pub const AGENTS: &str = "Agents";
pub const REASON: &str = "Reason";
pub const TOKENS_DELETED: &str = "Deleted from the vault";
pub const TOKENS_KEPT: &str = "Kept, because something else uses the same connection";
pub const SECRET_KEPT: &str = "None: the key is the app's own and stays with it";
pub const AGENTS_ENDED: &str = "{n} lost access with it";
pub const TELLING: &str = "{provider} is being told …";
pub const TOLD: &str = "{provider} confirmed at {time} that access has ended";
pub const CANNOT_BE_TOLD: &str =
    "{provider} has no way to be told. You can also remove the app in your account's settings there.";
pub const SUPERSEDED: &str =
    "{provider} was not told, because you had connected the account again: that would have been cut off";
pub const NOT_TOLD: &str =
    "{provider} could not be told. To be sure, remove the app in your account's settings there.";
pub const RECONNECT_LATER: &str = "If you want it back later, connect anew from the app.";
pub const DONE: &str = "Done";

// More time.
pub const EXTEND: &str = "Extend";
pub const EXTEND_OF: &str = "Extend access to {provider}";
pub const EXTEND_TITLE: &str = "Extend access to {provider}";
pub const EXTEND_LEDE: &str = "It ends on {date}. You can end it earlier at any time.";
pub const UNTIL: &str = "Until";
pub const DAYS_FROM_NOW: &str = "{n} days from now";
pub const MOST: &str = "As long as allowed";
pub const OWN_DAY: &str = "End of a day";
pub const EXTENDED_TO: &str = "Extended until {date}.";

// The page.
pub const TITLE: &str = "{provider} for {app}";
pub const BACK: &str = "All connections";
pub const WHAT: &str = "What it can do";
pub const NO_WORDS: &str = "The provider describes these permissions in its own terms only.";
pub const RAW: &str = "Exact permissions";
pub const FACTS: &str = "About it";
pub const PROVIDER: &str = "Provider";
pub const ACCOUNT: &str = "Account";
pub const APP: &str = "App";
pub const HOLDER: &str = "For";
pub const YOU: &str = "You";
pub const EVERYBODY_IN: &str = "Everybody in {group}; only the people who manage the group can end it";
pub const AN_AGENT: &str = "The agent {agent}, on your account";
pub const NAME: &str = "Name";
pub const CREATED: &str = "Connected";
pub const EXPIRES: &str = "Ends";
pub const EXPIRED: &str = "Expired";
pub const NO_END: &str = "No end set";
pub const LAST_USED: &str = "Last used";
pub const ID: &str = "Grant id";
pub const WHO: &str = "Who may use it";
pub const APP_ITSELF: &str = "The app itself";
pub const NO_AGENTS: &str = "No agent has access of its own on this connection.";
pub const SWITCHED_OFF: &str = "switched off";
pub const RECEIPT: &str = "How it ended";
pub const HISTORY: &str = "History";
pub const BROKEN: &str = "This connection does not work";
pub const SINCE: &str = "Since {date}.";
pub const AGAIN_FROM: &str = "Connect again from {app}. What you allowed stays as it is.";
pub const LEFT: &str = "{time} left";

// Copying.
pub const COPY: &str = "Copy";
pub const COPY_ID: &str = "Copy grant id";
pub const COPIED: &str = "Copied";
pub const SELECTED: &str = "Selected: copy it with your keyboard";

// A concern.
pub const CONCERN: &str = "Something wrong?";
pub const CONCERN_LEDE: &str = "If this is not what you agreed to, stop it first and then tell somebody.";
pub const CONCERN_FIRST: &str = "Revoke the access. Nothing more can happen with it from then on.";
pub const CONCERN_FIRST_DONE: &str = "The access has ended. Nothing more can happen with it.";
pub const CONCERN_GROUP: &str = "Only the people who manage the group can end this access: ask them to.";
pub const CONCERN_COPY: &str = "Copy the grant id. With it, everything that was done can be found.";
pub const CONCERN_TELL: &str = "Send it to the people who run the app, with what you noticed.";
pub const CONCERN_MAIL: &str = "Write to {address}";
pub const CONCERN_SITE: &str = "Website of {app}";
pub const CONCERN_NOBODY: &str = "No contact is set here; the app's own help pages name one.";
pub const CONCERN_SUBJECT: &str = "Concern about grant {id}";
