//! Calls with a user's token.

use alter_domain::{Error, model::Actor};
use alter_tests::{TestIdp, TestVault};

#[tokio::test]
async fn a_token_of_the_apps_identity_provider_names_its_user() {
    let app = TestVault::new().await.app().await;
    let idp = TestIdp::start().await;
    app.identity_provider(&idp).await;
    let identity = app.vault.identity();
    for token in [idp.claims("alice").group("eng").sign(), idp.claims("alice").group("eng").rs256().sign()] {
        let known = identity.identify(app.id, &token, &Actor::of_vault()).await.unwrap();
        assert_eq!(known.user_id(), app.user_of(&idp, "alice"));
        assert!(known.membership.groups.contains("eng"));
    }
    let bad = idp.claims("alice").signed_by(&TestIdp::start().await).sign();
    let refused = identity.identify(app.id, &bad, &Actor::of_vault()).await;
    assert_eq!(refused.map(|known| known.user_id()), Err(Error::JwtValidation));
    assert_eq!(idp.key_fetches(), 1);
}
