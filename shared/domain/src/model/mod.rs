//! The values of the domain: a singular noun each. States are enums; a transition consumes the value that it changes.

mod agent;
mod api_key;
mod app;
mod branding;
mod connect_session;
mod connection;
mod deprovision;
mod event;
mod grant;
pub(crate) mod identity_provider;
mod image;
pub(crate) mod lease;
mod managed_secret;
mod notice;
mod operator;
mod provider_config;
mod revocation;
mod scope;
mod sign_in;
mod user;
mod wallet_session;
mod wallet_sign_in;

pub use agent::{Agent, AgentName, AgentState};
pub use api_key::{ApiKey, KeyHolder, KeyProblem, KeyState};
pub use app::{App, AppState, Org, name};
pub use branding::{Branding, ImageType, Logo, LogoRef, MAX_LOGO_BYTES};
pub use connect_session::{
    AUTHORIZATION_LIFETIME, ConnectSession, Connected, DENIED, Operation, PendingAuthorization, Progress,
    RESULT_KEPT, SESSION_LIFETIME, SessionOutcome, SessionProvider, SessionTerms,
};
pub use connection::{
    ACCESS_TOKEN, Connection, ConnectionState, Delivery, REFRESH_TOKEN, Receipt, TokenFacts, origin,
};
pub use deprovision::{Deprovision, Finished, SETTLE, TURN};
pub use event::{Actor, ActorKind, AuditEvent, CallFacts, EventKind, GrantRef, Outcome, OutcomeKind, Phase};
pub use grant::{
    Grant, GrantPolicy, GrantSource, GrantState, GrantStatus, Principal, PrincipalType, Surface, label,
};
pub use identity_provider::{
    IdentityProvider, IdpEndpoints, SealedWebhookSecret, SignInClient, Webhook, WebhookKind, WebhookProof,
};
pub use lease::{Attempt, Claim, Deposit, EXPIRED, Ended, Lease, Refusal, resend_is_safe};
pub use managed_secret::{ManagedSecret, SealedCredential, slug_from_name};
pub use notice::{Left, Notice, keeps_out, leave};
pub use operator::{OperatorToken, Permission};
pub use provider_config::{ClientSecret, ConfiguredScopes, ProviderConfig, ProviderState};
pub use revocation::Revocation;
pub use scope::{Scope, Scopes, UnknownScope};
pub use sign_in::{SIGN_IN_LIFETIME, SIGN_IN_TOLD, SignIn, SignInProfile, SignInProgress};
pub use user::{Identity, Membership, User, UserState};
pub use wallet_session::{WALLET_IDLE, WALLET_LIFETIME, WalletSession};
pub use wallet_sign_in::{WALLET_SIGN_IN_LIFETIME, WalletSignIn};
