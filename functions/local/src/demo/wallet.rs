//! The end of the story: the Wallet, in which the app's users see what it may do for them and what it did, and end it. It goes on
//! for as long as the demo stays up: each line on standard input is another call.

use alter_domain::{
    api::portal::{PrincipalView, UpdateApp},
    secret::Secret,
};

use super::{
    identity::{ALICE, SUPPORT},
    people::Known,
    stage::{By, Stage, broken, text},
    story::Narrator,
};
use crate::cli::{Json, Result, id_of};

/// The app's logo: a bag on its colour.
const LOGO: &[u8] = include_bytes!("shop.png");

/// The calls that follow, for Alice.
pub(super) struct Encore {
    key: Secret<String>,
    grant: String,
}

/// How an app looks in the Wallet and on Connect's pages.
pub(super) struct Looks {
    color: &'static str,
    color_dark: &'static str,
    logo: Option<&'static [u8]>,
}

pub(super) const SHOP: Looks = Looks { color: "#1f4fd1", color_dark: "#8fb0ff", logo: Some(LOGO) };
const INVOICES: Looks = Looks { color: "#0f766e", color_dark: "#5eead4", logo: None };

/// Two apps of one identity provider, in one Wallet.
pub(super) async fn tell(
    narrator: &mut Narrator<'_>,
    stage: &Stage,
    (app, secret): (&str, &Json),
    key: Secret<String>,
    known: Known,
) -> Result<Encore> {
    stage.dress(app, &SHOP).await?;
    stage.issue_grant_to(app, secret, support(&known.identity_provider)?, "Support").await?;
    let invoices = text(&stage.create_app("Invoices").await?, "app_id")?;
    stage.dress(&invoices, &INVOICES).await?;
    stage.add_identity_provider(&invoices).await?;
    let bank = stage.store_secret(&invoices, "Acme Bank").await?;
    let alice = PrincipalView::User { user_id: id_of(&stage.user(app, &ALICE).await?, "user_id")? };
    stage.issue_grant_to(&invoices, &bank, alice, "Alice's invoices").await?;

    let url = stage.wallet_url(app);
    narrator.scene(
        "Alice and Bob see for themselves, in the Wallet: every app, every call, and how to end it.",
        &format!("open {url}"),
    )?;
    narrator.fact("sign in", "as Alice or as Bob, with a click: Acme ID asks for no password")?;
    narrator
        .fact("Alice sees", "Shop and Invoices, what each may do for her, and each call with its reason")?;
    narrator.fact("Bob sees", "that nobody may do anything for him")?;
    Ok(Encore { key, grant: known.grant })
}

impl Encore {
    /// The app calls Acme Notes for Alice. In words, whatever comes of it.
    pub(super) async fn again(&self, stage: &Stage) -> Result<String> {
        match stage.call(&self.key, By::Grant(&self.grant), "/notes/api/notes", "look for what is new").await
        {
            Ok(reply) => Ok(format!("{} {}", reply.status, reply.body)),
            Err(error) if ENDED.contains(&error.code.as_str()) => Ok(error.to_string()),
            Err(other) => Err(other),
        }
    }
}

/// What a call is answered with that Alice does not want any more.
const ENDED: [&str; 3] = ["grant_revoked", "grant_expired", "user_deprovisioned"];

impl Stage {
    /// Where people sign in to the Wallet through this app.
    pub(super) fn wallet_url(&self, app: &str) -> String {
        format!("{}/sign-in?app={app}", self.base_url())
    }

    pub(super) async fn dress(&self, app: &str, looks: &Looks) -> Result<()> {
        let some = |text: &str| Some(Some(text.to_owned()));
        let change = UpdateApp {
            color: some(looks.color),
            color_dark: some(looks.color_dark),
            support_email: some("help@shop.example"),
            wallet_listed: Some(true),
            ..UpdateApp::default()
        };
        let (portal, path) = (self.portal(None), format!("/apps/{app}"));
        portal.patch(&path, &Vec::new(), &change).await?;
        if let Some(logo) = looks.logo {
            let shown = portal.put_bytes(&format!("{path}/logo"), "image/png", logo.into()).await?;
            shown.path("logo.url").ok_or_else(|| broken("the app has no logo"))?;
        }
        Ok(())
    }
}

/// Everybody in the group that Alice is in.
pub(super) fn support(identity_provider: &Json) -> Result<PrincipalView> {
    let idp_id = id_of(identity_provider, "idp_id")?;
    Ok(PrincipalView::Group { idp_id, external_group_id: SUPPORT.to_owned() })
}
