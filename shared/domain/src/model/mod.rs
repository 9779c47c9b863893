//! The values of the domain: a singular noun each. States are enums; a transition consumes the value that it changes.

mod agent;
mod api_key;
mod app;
mod event;
mod grant;
mod managed_secret;
mod operator;
mod scope;

pub use agent::{Agent, AgentName, AgentState};
pub use api_key::{ApiKey, KeyHolder, KeyProblem, KeyState};
pub use app::{App, AppState, Org, name};
pub use event::{Actor, ActorKind, AuditEvent, CallFacts, EventKind, GrantRef, Outcome, OutcomeKind, Phase};
pub use grant::{Grant, GrantPolicy, GrantState, GrantStatus, Principal, PrincipalType, Surface, label};
pub use managed_secret::{ManagedSecret, SealedCredential, slug_from_name};
pub use operator::{OperatorToken, Permission};
pub use scope::{Scope, Scopes, UnknownScope};
