//! The story of one credential, scene by scene. Every scene checks that what it shows is true.

use alter_domain::secret::Secret;

use super::{
    notes::{ADA, FIRST_TTL},
    people,
    stage::{By, Stage, broken, text},
    wallet::{self, Encore},
};
use crate::cli::{Column, Context, Json, Paging, Result, Style, plain, render};

/// Writes the story as it goes.
pub(super) struct Narrator<'a> {
    context: &'a Context,
    scenes: u8,
}

impl Narrator<'_> {
    fn paint(&self, style: Style, text: &str) -> String {
        style.paint(self.context.printer.terminal.color, text).into_owned()
    }

    fn line(&self, text: &str) -> Result<()> {
        self.context.printer.write(&format!("{text}\n"))
    }

    pub(super) fn scene(&mut self, title: &str, command: &str) -> Result<()> {
        self.scenes += 1;
        let number = self.paint(Style::Green, &self.scenes.to_string());
        self.line(&format!("\n  {number}  {}", self.paint(Style::Bold, title)))?;
        self.line(&format!("     {} {}", self.paint(Style::Dim, "$"), self.paint(Style::Cyan, command)))
    }

    pub(super) fn fact(&self, name: &str, value: &str) -> Result<()> {
        let name = format!("{name:<19}");
        self.line(&format!("     {} {}", self.paint(Style::Dim, &name), plain(value)))
    }
}

/// Returns what goes on after it.
pub(super) fn tell(context: &Context, stage: &Stage, once: bool) -> Result<Encore> {
    let mut narrator = Narrator { context, scenes: 0 };
    stage.play(async {
        overture(&narrator, stage)?;
        let (app, key) = prepare(&mut narrator, stage).await?;
        let secret = stored(&mut narrator, stage, &app).await?;
        let grant = call(&mut narrator, stage, &app, &key, &secret).await?;
        echo(&mut narrator, stage, &key, &grant).await?;
        record(&mut narrator, stage, &app).await?;
        revoke(&mut narrator, stage, &app, &key, &grant).await?;
        connection(&mut narrator, stage, &app, &key).await?;
        let known = people::tell(&mut narrator, stage, &app, &key).await?;
        let fresh = text(&stage.issue_grant(&app, &secret, "Shop backend, again").await?, "grant_id")?;
        let encore = wallet::tell(&mut narrator, stage, (&app, &secret), key, known).await?;
        if !once {
            your_turn(&narrator, stage, &app, &fresh)?;
        }
        Ok(encore)
    })
}

fn overture(narrator: &Narrator<'_>, stage: &Stage) -> Result<()> {
    let title = narrator.paint(Style::Bold, "Alter Vault");
    narrator.line(&format!("\n  {title}  applications call APIs with credentials that they never see\n"))?;
    narrator.line(&format!("  The vault runs at {}.", narrator.paint(Style::Cyan, &stage.base_url())))?;
    narrator.line(&format!(
        "  The API of Acme Bank, which the demo plays too, runs at {}.\n  It wants the bank's own token with every call.",
        narrator.paint(Style::Cyan, &stage.upstream.url())
    ))
}

async fn prepare(narrator: &mut Narrator<'_>, stage: &Stage) -> Result<(String, Secret<String>)> {
    narrator.scene("The operator makes an app.", "alter app create Shop")?;
    let app = text(&stage.create_app("Shop").await?, "app_id")?;
    narrator.fact("app", &app)?;

    narrator.scene("It gets a key to sign its calls with.", "alter key mint backend --save shop.key")?;
    let (minted, key) = stage.mint_key(&app, "backend").await?;
    let prefix = minted.path("key.key_prefix").and_then(Json::as_text).unwrap_or_default();
    narrator.fact("public part", prefix)?;
    narrator.fact("the rest", "is in shop.key and nowhere else; the vault cannot show it again")?;
    Ok((app, key))
}

async fn stored(narrator: &mut Narrator<'_>, stage: &Stage, app: &str) -> Result<Json> {
    let command = format!(
        "alter secret create 'Acme Bank' --type bearer --host {} --value @acme.token",
        stage.upstream.addr
    );
    narrator.scene("The operator stores the bank's token. From now on nobody can read it.", &command)?;
    let secret = stage.store_secret(app, "Acme Bank").await?;
    check(!stage.gives_away(&format!("{secret:?}")), "the answer to storing a token must not hold it")?;
    narrator.fact("provider", &text(&secret, "slug")?)?;
    narrator.fact("may be sent to", &format!("{} and nowhere else", stage.upstream.addr))?;
    Ok(secret)
}

async fn call(
    narrator: &mut Narrator<'_>,
    stage: &Stage,
    app: &str,
    key: &Secret<String>,
    secret: &Json,
) -> Result<String> {
    narrator.scene(
        "A grant lets the app use it.",
        "alter grant issue acme-bank --system --label 'Shop backend'",
    )?;
    let grant = text(&stage.issue_grant(app, secret, "Shop backend").await?, "grant_id")?;
    narrator.fact("grant", &grant)?;

    let url = format!("{}/v1/balance", stage.upstream.url());
    let command = format!(
        "alter call GET {url} --grant {} --key-file shop.key --reason 'show the balance'",
        short(&grant)
    );
    narrator.scene("The app calls the bank through the vault.", &command)?;
    let reply = stage.call(key, By::Grant(&grant), "/v1/balance", "show the balance").await?;
    let seen = stage.upstream.seen();
    let last = seen.last().filter(|seen| seen.authenticated);
    check(reply.status.is_success(), "the bank must answer")?;
    let last = last.ok_or_else(|| broken("the bank must have received its token"))?;
    check(!stage.gives_away(&reply.body), "the reply must not hold the token")?;
    narrator.fact("the bank answered", &format!("{} {}", reply.status, reply.body))?;
    narrator.fact("the app sent", "its key's public part and a signature: no key, no token")?;
    let token = last.token.as_deref().unwrap_or_default();
    narrator.fact(
        "the bank received",
        &format!("Authorization: Bearer acme_live_{token}, put there by the vault"),
    )?;
    Ok(grant)
}

async fn echo(narrator: &mut Narrator<'_>, stage: &Stage, key: &Secret<String>, grant: &str) -> Result<()> {
    let command = format!(
        "alter call GET {}/echo-auth --grant {} --key-file shop.key",
        stage.upstream.url(),
        short(grant)
    );
    narrator.scene("A malicious route sends the token back. It does not get past the vault.", &command)?;
    let reply = stage.call(key, By::Grant(grant), "/echo-auth", "try to see the token").await?;
    check(!stage.gives_away(&reply.body), "an echoed token must not come through")?;
    narrator.fact("the app received", &format!("{} {}", reply.status, reply.body))
}

async fn record(narrator: &mut Narrator<'_>, stage: &Stage, app: &str) -> Result<()> {
    narrator.scene("Who did what, when and why is on the record.", "alter audit list --event call")?;
    let portal = stage.portal(Some(app));
    let query = vec![("event", Some("call".to_owned()))];
    let events = portal.list(&portal.in_app("/audit").await?, &query, &Paging::everything()).await?;
    let succeeded = events.items.iter().filter(|event| event.text("outcome") == Some("success"));
    check(succeeded.count() == 2, "both calls must be on the record")?;
    check(!stage.gives_away(&format!("{:?}", events.items)), "the record must not hold the token")?;
    let columns = ["created_at", "outcome", "status", "method", "path", "reason"].map(Column::of);
    for line in render(&events.items, &columns, narrator.context.printer.terminal).lines() {
        narrator.line(&format!("     {line}"))?;
    }
    Ok(())
}

async fn revoke(
    narrator: &mut Narrator<'_>,
    stage: &Stage,
    app: &str,
    key: &Secret<String>,
    grant: &str,
) -> Result<()> {
    narrator.scene("The operator revokes the grant.", &format!("alter grant revoke {}", short(grant)))?;
    let portal = stage.portal(Some(app));
    let revoked = portal.act(&portal.in_app(&format!("/grants/{grant}/revoke")).await?).await?;
    narrator.fact("status", &text(&revoked, "status")?)?;

    let before = stage.upstream.seen().len();
    let command = format!(
        "alter call GET {}/v1/balance --grant {} --key-file shop.key",
        stage.upstream.url(),
        short(grant)
    );
    narrator.scene("The very next call fails.", &command)?;
    let refused = match stage.call(key, By::Grant(grant), "/v1/balance", "one more time").await {
        Err(error) if error.code == "grant_revoked" => error,
        Err(other) => return Err(other),
        Ok(_) => return Err(broken("a revoked grant must not work")),
    };
    check(stage.upstream.seen().len() == before, "the bank must not be reached")?;
    narrator.fact("the vault answered", &refused.to_string())?;
    narrator.fact("the bank", "was not called")
}

/// An end user's account: connected, used, renewed and revoked at the provider, without a token in sight.
async fn connection(
    narrator: &mut Narrator<'_>,
    stage: &Stage,
    app: &str,
    key: &Secret<String>,
) -> Result<()> {
    let notes = stage.upstream.notes.as_ref();
    narrator.scene(
        "The operator registers the app at an OAuth provider.",
        "alter provider add --definition acme-notes.json --client-id shop --client-secret @notes.secret",
    )?;
    let added = stage.add_provider(app).await?;
    narrator.fact("to enter there", &text(&added, "redirect_uri")?)?;

    narrator.scene("An end user connects her account.", "alter connect acme-notes --key-file shop.key")?;
    let granted = stage
        .connect(key, &ADA, None, |link| {
            narrator.fact("her link", &format!("{}…", link.split("#session=").next().unwrap_or(link)))
        })
        .await?;
    let grant = text(&granted, "grant_id")?;
    let account = granted.text("account_identifier").unwrap_or("unknown");
    narrator.fact("she allowed", "read your notes")?;
    narrator.fact("grant", &format!("{grant}, for the account {account}"))?;

    let command = format!(
        "alter call GET {}/notes/api/notes --grant {} --key-file shop.key",
        stage.upstream.url(),
        short(&grant)
    );
    narrator.scene("Her access token has expired. The app does not notice.", &command)?;
    tokio::time::sleep(FIRST_TTL).await;
    let reply = stage.call(key, By::Grant(&grant), "/notes/api/notes", "show the notes").await?;
    check(reply.status.is_success(), "a call with an expired token must be renewed")?;
    check(notes.ledger().refreshed == 1, "the token must have been renewed once")?;
    narrator.fact("the app received", &format!("{} {}", reply.status, reply.body))?;
    narrator.fact("the vault", "renewed the token and stored the new pair before it was used")?;

    narrator.scene("Revoking reaches the provider.", &format!("alter grant revoke {}", short(&grant)))?;
    let portal = stage.portal(Some(app));
    portal.act(&portal.in_app(&format!("/grants/{grant}/revoke")).await?).await?;
    let told = stage.provider_was_told(app, &grant).await?;
    check(notes.ledger().live == 0, "the provider must have forgotten the tokens")?;
    narrator.fact("Acme Notes", &format!("has no token left; the receipt says {told}"))
}

/// Lines to copy. A fresh grant, because access comes back only as a new one.
fn your_turn(narrator: &Narrator<'_>, stage: &Stage, app: &str, grant: &str) -> Result<()> {
    let bank = stage.upstream.url();
    let vault = stage.base_url();
    let binary = std::env::current_exe().ok();
    let path = binary
        .as_deref()
        .and_then(std::path::Path::parent)
        .map(|dir| format!("PATH='{}':\"$PATH\" ", dir.display()));
    let blocks = [
        (
            "In another terminal (bash or zsh), say where the demo is:",
            format!(
                "export {}ALTER_URL={vault} ALTER_TOKEN_FILE='{}' ALTER_KEY_FILE='{}' ALTER_APP_ID={app} GRANT={grant}",
                path.unwrap_or_default(),
                stage.operator_token_file().display(),
                stage.key_file().display()
            ),
        ),
        (
            "The command line:",
            format!(
                "alter call GET {bank}/v1/balance --grant $GRANT --reason 'my first call'\nalter audit list"
            ),
        ),
        (
            "curl, signed here so that the key does not travel; the reply streams:",
            format!("curl -sN -K <(alter sign GET {bank}/stream --grant $GRANT)"),
        ),
        (
            "The published Python client (python3 -m pip install alter-sdk==0.29.0):",
            format!(
                "ALTER_BASE_URL=$ALTER_URL python3 - <<'EOF'\n\
                 import asyncio, os\n\
                 from alter_sdk import App\n\
                 async def main():\n    \
                     key = open(os.environ[\"ALTER_KEY_FILE\"]).read().strip()\n    \
                     async with App(api_key=key, caller=\"python-demo\") as app:\n        \
                         reply = await app.proxy_request(\"GET\", \"{bank}/v1/balance\", grant_id=os.environ[\"GRANT\"])\n        \
                         print(reply.status_code, reply.body_json())\n\
                 asyncio.run(main())\n\
                 EOF"
            ),
        ),
        ("And the end of it, after which all of the above fail:", "alter grant revoke $GRANT".to_owned()),
    ];
    narrator.line(&format!("\n  {}", narrator.paint(Style::Bold, "Your turn.")))?;
    for (title, lines) in blocks {
        narrator.line(&format!("\n  {title}\n"))?;
        for line in lines.lines() {
            // Not indented: a here-document has to be copied as it is.
            narrator.line(&narrator.paint(Style::Cyan, line))?;
        }
    }
    narrator.line(&format!(
        "\n  In the Wallet: {}\n  Enter makes the app call Acme Notes for Alice once more. Revoke it there, and press Enter again.",
        narrator.paint(Style::Cyan, &stage.wallet_url(app))
    ))?;
    let directory = stage.directory().display();
    narrator.line(&format!("\n  The demo stays up. Ctrl-C stops it and removes {directory}."))
}

/// The beginning of an id is enough to recognise it in a story.
pub(super) fn short(id: &str) -> String {
    format!("{}…", id.get(..8).unwrap_or(id))
}

pub(super) fn check(holds: bool, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(broken(what)) }
}
