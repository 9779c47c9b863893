//! Users as their tokens leave them behind.

use alter_api_types::{AppId, UserId};
use alter_domain::{
    model::{Deprovision, Identity, IdentityProvider, Membership, User, UserState},
    repo::{Deprovisions, IdentityProviders, Stored, Users},
};
use jiff::Timestamp;
use serde_json::json;

use super::Vault;

impl Vault {
    /// The app's identity provider as it is stored.
    pub(crate) async fn stored_idp(&self, app: AppId) -> Stored<IdentityProvider> {
        IdentityProviders(self.ports.table.as_ref()).get(app).await.unwrap()
    }

    /// Gives the app an identity provider with a client and a webhook, and somebody who came with a token.
    pub(crate) async fn with_people(&self, app: &str, issuer: &str) -> String {
        self.issuers.add(issuer);
        let (admin, idp) = (self.admin(), format!("/apps/{app}/identity-provider"));
        admin.post(&idp, json!({ "issuer": issuer })).await.expect(201);
        let client = json!({ "client_id": "c", "client_secret": super::CANARY });
        admin.put(&format!("{idp}/client"), client).await.expect(200);
        admin.put(&format!("{idp}/webhooks/auth0"), json!({})).await.expect(200);
        self.arrives(app.parse().unwrap(), "ada", &[]).await.to_string()
    }

    /// Somebody comes to the app with a token, for the first time.
    pub(crate) async fn arrives(&self, app: AppId, subject: &str, groups: &[&str]) -> UserId {
        self.clock.advance(1);
        let now = self.ports.clock.now();
        let idp = self.stored_idp(app).await;
        let identity = Identity {
            issuer: idp.value.issuer.clone(),
            claim: idp.value.claims.user_id.clone(),
            subject: subject.to_owned(),
        };
        let id = identity.user_id(self.org);
        let user = User {
            id,
            org_id: self.org,
            identity,
            sub: subject.to_owned(),
            email: Some(format!("{subject}@example.com")),
            name: Some(subject.to_uppercase()),
            profile_as_of: now.as_second(),
            state: UserState::Active,
            state_as_of: Timestamp::UNIX_EPOCH,
            tokens_valid_after: None,
            signed_out_at: None,
            reinstated_at: None,
            created_at: now,
            updated_at: now,
        };
        // As it is stored: what a token does not say is left out.
        let membership = json!({ "user_id": id, "app_id": app, "idp_id": idp.value.id, "groups": groups,
            "claims": idp.value.claims, "as_of": now.as_second(), "created_at": now, "updated_at": now });
        let membership: Membership = serde_json::from_value(membership).unwrap();
        let mut ops = Users::create_membership_ops(&membership).unwrap().to_vec();
        if self.user(id).await.is_none() {
            ops.push(Users::create_op(&user).unwrap());
        }
        if idp.value.first_sign_in_at.is_none() {
            let locked = idp.try_map(|idp| Ok(IdentityProvider { first_sign_in_at: Some(now), ..idp }));
            ops.push(IdentityProviders::put(&locked.unwrap()).unwrap());
        }
        self.ports.table.transact(ops).await.unwrap();
        id
    }

    pub(crate) async fn user(&self, id: UserId) -> Option<Stored<User>> {
        Users(self.ports.table.as_ref()).find(id).await.unwrap()
    }

    pub(crate) async fn departure_of(&self, id: UserId) -> Option<Stored<Deprovision>> {
        Deprovisions(self.ports.table.as_ref()).find(id).await.unwrap()
    }

    /// The worker has ended all that a user who has left had.
    pub(crate) async fn departure_is_over(&self, id: UserId) {
        let task = self.departure_of(id).await.unwrap();
        self.ports.table.transact(vec![Deprovisions::finish_op(&task)]).await.unwrap();
    }
}
