//! The second half of the story: users of the app, told apart by their own tokens. No grant id is in it.

use alter_domain::secret::Secret;

use super::{
    identity::{ALICE, BOB, CAROL},
    notes,
    stage::{By, Stage, broken, text},
    story::{Narrator, check, short},
};
use crate::cli::{Json, Result};

/// What the story goes on with.
pub(super) struct Known {
    pub(super) identity_provider: Json,
    /// Alice's.
    pub(super) grant: String,
}

pub(super) async fn tell(
    narrator: &mut Narrator<'_>,
    stage: &Stage,
    app: &str,
    key: &Secret<String>,
) -> Result<Known> {
    let issuer = stage.upstream.identity.issuer();
    let command = format!("alter idp add {issuer} --groups-claim groups");
    narrator.scene("The operator names the identity provider of the app's users.", &command)?;
    let added = stage.add_identity_provider(app).await?;
    narrator.fact("issuer", &text(&added, "issuer")?)?;
    narrator.fact("from now on", "its tokens say who a user is; the vault has nobody's password")?;

    let (alice, bob) = (stage.sign_in(&ALICE)?, stage.sign_in(&BOB)?);
    let grant = connect(narrator, stage, key, &alice).await?;
    call(narrator, stage, key, &alice, &bob).await?;
    leave(narrator, stage, app, key).await?;
    Ok(Known { identity_provider: added, grant })
}

async fn connect(
    narrator: &mut Narrator<'_>,
    stage: &Stage,
    key: &Secret<String>,
    alice: &Secret<String>,
) -> Result<String> {
    narrator.scene(
        "Alice connects her account, for herself.",
        "alter connect acme-notes --key-file shop.key --user-token-file alice.jwt",
    )?;
    let granted = stage.connect(key, &notes::ALICE, Some(alice), |_| Ok(())).await?;
    let grant = text(&granted, "grant_id")?;
    narrator
        .fact("grant", &format!("{}, hers alone; the app does not have to remember it", short(&grant)))?;
    Ok(grant)
}

async fn call(
    narrator: &mut Narrator<'_>,
    stage: &Stage,
    key: &Secret<String>,
    alice: &Secret<String>,
    bob: &Secret<String>,
) -> Result<()> {
    narrator.scene("The app calls with Alice's token.", &call_for(stage, "alice"))?;
    let reply = stage.call(key, By::UserOnNotes(alice), NOTES_PATH, "show the notes").await?;
    check(reply.status.is_success(), "Alice's token must find her grant")?;
    check(reply.body.contains("order a cake"), "the notes must be hers")?;
    narrator.fact("the app received", &format!("{} {}", reply.status, reply.body))?;

    narrator.scene("With Bob's token it finds nothing.", &call_for(stage, "bob"))?;
    let refused = refusal(stage, key, bob, "grant_not_found").await?;
    narrator.fact("the vault answered", &refused)
}

async fn leave(narrator: &mut Narrator<'_>, stage: &Stage, app: &str, key: &Secret<String>) -> Result<()> {
    let before = stage.upstream.notes.ledger().live;
    let carol = stage.sign_in(&CAROL)?;
    let grant = text(&stage.connect(key, &notes::CAROL, Some(&carol), |_| Ok(())).await?, "grant_id")?;
    let command = format!("alter idp webhook enable ssf --issuer {}", stage.upstream.identity.issuer());
    narrator.scene("It may tell the vault who has left.", &command)?;
    let webhook = stage.enable_webhook(app).await?;
    narrator.fact("to enter there", &webhook)?;

    let command =
        format!("curl {webhook} -H 'Content-Type: application/secevent+jwt' -d @account-purged.jwt");
    narrator.scene("Carol, who has connected hers too, leaves, and Acme ID tells it.", &command)?;
    let taken = stage.leaves(&CAROL, &webhook).await?;
    let user = stage.user(app, &CAROL).await?;
    check(user.text("status") == Some("deprovisioned"), "she must be gone")?;
    narrator.fact("the vault answered", &taken.to_string())?;
    narrator.fact("Carol", "deprovisioned: what she had is being ended")?;

    narrator.scene(
        "Her token is good until tomorrow. The very next call with it fails.",
        &call_for(stage, "carol"),
    )?;
    let refused = refusal(stage, key, &carol, "user_deprovisioned").await?;
    narrator.fact("the vault answered", &refused)?;
    let told = stage.provider_was_told(app, &grant).await?;
    let portal = stage.portal(Some(app));
    let view = portal.get(&portal.in_app(&format!("/grants/{grant}")).await?, &Vec::new()).await?;
    let status = text(&view, "status")?;
    check(status == "deprovisioned" || status == "revoked", "her grant must have ended")?;
    check(stage.upstream.notes.ledger().live == before, "the provider must have forgotten her tokens")?;
    narrator.fact("her grant", &status)?;
    narrator.fact("Acme Notes", &format!("has no token of hers left; the receipt says {told}"))
}

const NOTES_PATH: &str = "/notes/api/notes";

/// The command that makes the call with this person's token.
fn call_for(stage: &Stage, person: &str) -> String {
    format!(
        "alter call GET {}{NOTES_PATH} --provider acme-notes --key-file shop.key --user-token-file {person}.jwt",
        stage.upstream.url()
    )
}

/// What the vault says to a call that it must refuse.
async fn refusal(stage: &Stage, key: &Secret<String>, user: &Secret<String>, code: &str) -> Result<String> {
    match stage.call(key, By::UserOnNotes(user), NOTES_PATH, "one more time").await {
        Err(error) if error.code == code => Ok(error.to_string()),
        Err(other) => Err(other),
        Ok(_) => Err(broken("this token must find nothing")),
    }
}
