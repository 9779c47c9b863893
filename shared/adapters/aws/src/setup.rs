//! The first run on AWS. `alter serve` writes the first operator token into a file; here the operator finds it in Secrets
//! Manager, where it was before anything else: the template has Secrets Manager generate 48 random letters and digits, and
//! the first operator token is `alter_pat_` and those.
//!
//! ```text
//! echo "alter_pat_$(aws secretsmanager get-secret-value --secret-id … --query SecretString --output text)"
//! ```
//!
//! Nothing is written back and nothing has to be kept in step: whichever process sets the installation up, however often it
//! is cut short, it is this token or none. The vault reads the secret only while there is no organization; once the operator
//! has minted a token of their own and revoked the first, the secret opens nothing.

use std::sync::Arc;

use alter_domain::{Error, Result, flow::install_from, secret::Secret, state::Ports};
use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use tokio::sync::OnceCell;

use crate::{Account, SettingError};

/// Sets an empty installation up before the first request of a process is answered. Of many processes at once one wins
/// and the others find it set up. A failure answers that request and is tried again by the next.
pub struct SetUp {
    ports: Ports,
    client: aws_sdk_secretsmanager::Client,
    secret_id: String,
    organization: String,
    done: OnceCell<()>,
}

impl SetUp {
    pub fn new(account: &Account) -> Result<Self, SettingError> {
        let (client, secret_id) = account.settings_secret()?;
        let ports = account.ports()?;
        Ok(Self { ports, client, secret_id, organization: account.organization(), done: OnceCell::new() })
    }

    /// One read when the installation exists; nothing after the first success.
    pub async fn ensure(&self) -> Result<()> {
        self.done
            .get_or_try_init(|| async {
                let installed = install_from(&self.ports, &self.organization, self.random()).await?;
                if let Some(installed) = installed {
                    tracing::info!(org_id = %installed.org_id, token = installed.token_prefix, "set up");
                }
                Ok(())
            })
            .await
            .copied()
    }

    /// The routes, each of which waits for the set-up first.
    pub fn before(self, routes: Router) -> Router {
        let set_up = Arc::new(self);
        routes.layer(middleware::from_fn_with_state(set_up, ensured))
    }

    async fn random(&self) -> Result<Secret<String>> {
        let request = self.client.get_secret_value().secret_id(&self.secret_id);
        let value = request.send().await.map_err(|error| {
            Error::StoreUnavailable(format!(
                "the secret of the first operator token: {}",
                crate::failure(&error)
            ))
        })?;
        Ok(Secret::new(value.secret_string.unwrap_or_default()))
    }
}

async fn ensured(State(set_up): State<Arc<SetUp>>, request: Request, next: Next) -> Response {
    match set_up.ensure().await {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}
