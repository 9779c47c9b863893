//! What a script finds in the demo.

use alter_domain::secret::Secret;

use super::{
    identity::{ALICE, BOB},
    notes,
    stage::{Stage, text},
    wallet::{SHOP, support},
};
use crate::cli::Result;

/// Who plays in the scripted demo.
pub(super) struct Cast {
    pub(super) app_id: String,
    pub(super) app_key: Secret<String>,
    pub(super) provider: String,
    pub(super) grant_id: String,
    pub(super) revocable_grant_id: String,
    pub(super) oauth_grant_id: String,
    /// Alice's: for the app's first provider by her group, for Acme Notes of her own.
    pub(super) user_jwt: Secret<String>,
    /// Bob's, who has nothing.
    pub(super) user_jwt_empty: Secret<String>,
}

impl Cast {
    pub(super) async fn assemble(stage: &Stage) -> Result<Self> {
        let app = stage.create_app("Shop").await?;
        let app_id = text(&app, "app_id")?;
        let (_, app_key) = stage.mint_key(&app_id, "backend").await?;
        let secret = stage.store_secret(&app_id, "Acme Bank").await?;
        let grant = stage.issue_grant(&app_id, &secret, "Shop backend").await?;
        let revocable = stage.issue_grant(&app_id, &secret, "To be revoked").await?;
        stage.add_provider(&app_id).await?;
        let connected = stage.connect(&app_key, &notes::ADA, None, |_| Ok(())).await?;

        let identity_provider = stage.add_identity_provider(&app_id).await?;
        let (alice, bob) = (stage.sign_in(&ALICE)?, stage.sign_in(&BOB)?);
        stage.connect(&app_key, &notes::ALICE, Some(&alice), |_| Ok(())).await?;
        stage.issue_grant_to(&app_id, &secret, support(&identity_provider)?, "Support").await?;
        stage.dress(&app_id, &SHOP).await?;
        Ok(Self {
            app_id,
            app_key,
            provider: text(&secret, "slug")?,
            grant_id: text(&grant, "grant_id")?,
            revocable_grant_id: text(&revocable, "grant_id")?,
            oauth_grant_id: text(&connected, "grant_id")?,
            user_jwt: alice,
            user_jwt_empty: bob,
        })
    }
}
