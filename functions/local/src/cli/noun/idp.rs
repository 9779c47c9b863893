//! `alter idp`.

use std::path::{Path, PathBuf};

use alter_domain::api::{
    SecretText,
    portal::{
        AddIdentityProvider, ClaimsInput, DiscoverIdentityProvider, IdpType, SetSignInClient, SetWebhook,
        UpdateIdentityProvider,
    },
};
use clap::{ArgGroup, Args, Subcommand};

use super::secret::confirm;
use crate::cli::{
    context::Context,
    error::{CliError, Result},
    input::{Source, on_the_wire},
    json::Json,
    output::Listing,
    portal::Portal,
    table::Column,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  alter idp discover https://acme.eu.auth0.com
  alter idp add https://acme.eu.auth0.com --audience https://api.acme.example
  alter idp show
  pass show auth0-client | alter idp client set --client-id x9Kc --client-secret -
  alter idp webhook list
  alter idp webhook enable auth0 --save auth0-token.txt
  alter idp webhook enable clerk --secret @whsec.txt
  alter idp webhook rotate auth0
  alter idp remove --yes

Enter the redirect URIs and the logout URI that `add` and `show` print at the identity provider, exactly so.
An app has one identity provider at a time.";

#[derive(Subcommand)]
pub(crate) enum IdpCommand {
    /// Asks an issuer what it is, and proposes claims; nothing is stored
    Discover {
        /// The issuer itself, not the address of its discovery document
        issuer: String,
    },
    /// Gives the app its identity provider
    #[command(after_help = EXAMPLES)]
    Add {
        /// The issuer itself, not the address of its discovery document
        issuer: String,
        #[command(flatten)]
        terms: TermArgs,
        /// What a token must be for; by default anything
        #[arg(long, value_name = "AUDIENCE")]
        audience: Option<String>,
    },
    /// Shows the app's identity provider, and what to enter there
    Show,
    /// Changes it; what is not named stays. Claims are locked once somebody has signed in
    Update {
        #[command(flatten)]
        terms: TermArgs,
        /// What a token must be for
        #[arg(long, value_name = "AUDIENCE", conflicts_with = "no_audience")]
        audience: Option<String>,
        /// Accepts tokens for any audience
        #[arg(long)]
        no_audience: bool,
        /// Reads the issuer's discovery document again
        #[arg(long)]
        rediscover: bool,
    },
    /// Takes it away, with its secrets; users and what was granted to them stay, and are denied
    Remove {
        /// Does not ask
        #[arg(long)]
        yes: bool,
    },
    /// The vault's own registration there, for sign-in
    #[command(subcommand)]
    Client(ClientCommand),
    /// How the identity provider tells that somebody has left
    #[command(subcommand)]
    Webhook(WebhookCommand),
}

#[derive(Subcommand)]
pub(crate) enum ClientCommand {
    /// Sets the registration, all of it: a secret that was stored is replaced
    #[command(group = ArgGroup::new("proof").args(["client_secret", "public"]))]
    Set {
        #[arg(long, value_name = "ID")]
        client_id: String,
        /// The client secret: @FILE, or - for standard input; by default it is asked for
        #[arg(long, value_name = "@FILE|-", allow_hyphen_values = true)]
        client_secret: Option<String>,
        /// A public client, which has no secret
        #[arg(long)]
        public: bool,
    },
    /// Removes it: nobody can sign in through the vault any more
    Remove {
        /// Does not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum WebhookCommand {
    /// Lists the webhooks, on and off, with the addresses to enter at the identity provider
    List,
    /// Switches a webhook on. A token that the vault makes is shown this once
    Enable {
        #[command(flatten)]
        webhook: WebhookArgs,
    },
    /// Replaces a webhook's secret: the old one is refused at once
    Rotate {
        #[command(flatten)]
        webhook: WebhookArgs,
    },
    /// Switches a webhook off, and deletes its secret
    Disable {
        #[arg(value_parser = KINDS)]
        kind: String,
    },
}

const WEBHOOKS: &str = "/identity-provider/webhooks";
const KINDS: [&str; 6] = ["auth0", "clerk", "workos", "okta", "ssf", "backchannel-logout"];
const TYPES: [&str; 7] = ["auth0", "clerk", "okta", "keycloak", "workos", "entra", "custom_oidc"];

#[derive(Args)]
pub(crate) struct TermArgs {
    /// The product, whose usual claims are filled in: auth0, clerk, okta, keycloak, workos, entra or custom_oidc. Auth0 and
    /// Clerk are recognised without it
    #[arg(long = "type", value_name = "TYPE", value_parser = TYPES, hide_possible_values = true)]
    idp_type: Option<String>,
    /// The claim that tells users apart
    #[arg(long, value_name = "CLAIM")]
    user_id_claim: Option<String>,
    /// The claim with the user's groups
    #[arg(long, value_name = "CLAIM", conflicts_with = "no_groups_claim")]
    groups_claim: Option<String>,
    /// Reads no groups
    #[arg(long)]
    no_groups_claim: bool,
    /// The claim with the user's roles
    #[arg(long, value_name = "CLAIM", conflicts_with = "no_roles_claim")]
    roles_claim: Option<String>,
    /// Reads no roles
    #[arg(long)]
    no_roles_claim: bool,
}

impl TermArgs {
    fn read(self) -> Result<(Option<IdpType>, ClaimsInput)> {
        let idp_type = self.idp_type.map(|text| {
            serde_json::from_value(text.into()).map_err(|_| CliError::usage("There is no such type."))
        });
        let claims = ClaimsInput {
            user_id: self.user_id_claim,
            groups: self.groups_claim.map(Some).or(self.no_groups_claim.then_some(None)),
            roles: self.roles_claim.map(Some).or(self.no_roles_claim.then_some(None)),
        };
        Ok((idp_type.transpose()?, claims))
    }
}

#[derive(Args)]
pub(crate) struct WebhookArgs {
    #[arg(value_parser = KINDS)]
    kind: String,
    /// clerk and workos: the signing secret that they show: @FILE, or - for standard input; by default it is asked for
    #[arg(long, value_name = "@FILE|-", allow_hyphen_values = true)]
    secret: Option<String>,
    /// ssf: the transmitter's issuer
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// ssf: what its tokens are for; by default the webhook's address
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// auth0 and okta: writes the token into a new file instead of showing it
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

pub(crate) async fn run(context: &Context, command: IdpCommand) -> Result<()> {
    let portal = context.portal()?;
    let none = Vec::new();
    let path = async |rest: &str| portal.in_app(&format!("/identity-provider{rest}")).await;
    let answer = match command {
        IdpCommand::Discover { issuer } => {
            portal.post(&path("/discover").await?, &none, &DiscoverIdentityProvider { issuer }).await?
        }
        IdpCommand::Add { issuer, terms, audience } => {
            let (idp_type, claims) = terms.read()?;
            let add = AddIdentityProvider { issuer, idp_type, claims, audience };
            let added = portal.post(&path("").await?, &none, &add).await?;
            context.printer.show(&added)?;
            to_enter(context, &added);
            return Ok(());
        }
        IdpCommand::Show => portal.get(&path("").await?, &none).await?,
        IdpCommand::Update { terms, audience, no_audience, rediscover } => {
            let (idp_type, claims) = terms.read()?;
            let audience = audience.map(Some).or(no_audience.then_some(None));
            let update = UpdateIdentityProvider { idp_type, claims, audience, rediscover };
            portal.patch(&path("").await?, &none, &update).await?
        }
        IdpCommand::Remove { yes } => {
            if !yes {
                let idp = portal.get(&path("").await?, &none).await?;
                confirm(idp.text("issuer").unwrap_or_default(), "its secrets")?;
            }
            portal.delete(&path("").await?, &none).await?
        }
        IdpCommand::Client(command) => return client(context, &portal, command).await,
        IdpCommand::Webhook(command) => return webhook(context, &portal, command).await,
    };
    context.printer.show(&answer)
}

async fn client(context: &Context, portal: &Portal, command: ClientCommand) -> Result<()> {
    let path = async || portal.in_app("/identity-provider/client").await;
    let answer = match command {
        ClientCommand::Set { client_id, client_secret, public } => {
            let source = client_secret.or((!public).then(|| "-".to_owned()));
            let client_secret = secret(context, "--client-secret", source, "Client secret")?;
            portal.put(&path().await?, &Vec::new(), &SetSignInClient { client_id, client_secret }).await?
        }
        ClientCommand::Remove { yes } => {
            if !yes {
                confirm("client", "its secret")?;
            }
            portal.delete(&path().await?, &Vec::new()).await?
        }
    };
    context.printer.show(&answer)
}

async fn webhook(context: &Context, portal: &Portal, command: WebhookCommand) -> Result<()> {
    match command {
        WebhookCommand::List => {
            let mut answer = portal.get(&portal.in_app(WEBHOOKS).await?, &Vec::new()).await?;
            let Some(Json::List(items)) = answer.take("items") else {
                return Err(CliError::failure("invalid_answer", "The vault's answer has no items."));
            };
            let columns = [
                Column::new("WEBHOOK", "kind"),
                Column::new("ON", "enabled"),
                Column::new("PROPOSED", "proposed"),
                Column::new("SECRET FROM", "secret_source"),
                Column::new("SECRET SET", "rotated_at"),
                Column::flexible("URL", "url"),
            ];
            context.printer.list(&Listing { items, next_cursor: None }, &columns)
        }
        WebhookCommand::Enable { webhook } => set(context, portal, webhook, false).await,
        WebhookCommand::Rotate { webhook } => set(context, portal, webhook, true).await,
        WebhookCommand::Disable { kind } => {
            let path = portal.in_app(&format!("{WEBHOOKS}/{kind}")).await?;
            context.printer.show(&portal.delete(&path, &Vec::new()).await?)
        }
    }
}

async fn set(context: &Context, portal: &Portal, webhook: WebhookArgs, rotate: bool) -> Result<()> {
    let WebhookArgs { kind, secret: source, issuer, audience, save } = webhook;
    let asks = matches!(kind.as_str(), "clerk" | "workos");
    let source = source.or(asks.then(|| "-".to_owned()));
    let secret = secret(context, "--secret", source, "Signing secret")?;
    let body = SetWebhook { secret, issuer, audience, rotate };
    let made = matches!(kind.as_str(), "auth0" | "okta");
    if save.is_some() && !made {
        return Err(CliError::usage("The vault makes no token for this webhook: there is nothing to save."));
    }
    let path = portal.in_app(&format!("{WEBHOOKS}/{kind}")).await?;
    let put = async || portal.put(&path, &Vec::new(), &body).await.map_err(explained);
    if !made {
        return context.printer.show(&put().await?.take("webhook").unwrap_or(Json::Null));
    }
    // A place is made before the token is, so that it is never lost for want of one.
    let save = context.place_for_secret(save.as_deref())?;
    context.show_once(put().await?, "secret", save)
}

/// Reads a secret from where it is said to be.
fn secret(
    context: &Context,
    option: &'static str,
    source: Option<String>,
    prompt: &str,
) -> Result<Option<SecretText>> {
    let Some(source) = source.map(|text| Source::parse(option, &text)).transpose()? else { return Ok(None) };
    if source == Source::Stdin && context.global.token_file.as_deref() == Some(Path::new("-")) {
        return Err(
            CliError::usage("Standard input can give one thing only.").hint("Use files for the others.")
        );
    }
    source.secret(&context.printer, prompt).map(|text| Some(on_the_wire(&text)))
}

fn to_enter(context: &Context, idp: &Json) {
    let text = |name| idp.text(name).unwrap_or_default();
    context.printer.remark(&format!(
        "Enter these at the identity provider: redirect URIs {} and {}; logout URI {}",
        text("sdk_redirect_uri"),
        text("wallet_redirect_uri"),
        text("wallet_logout_uri"),
    ));
}

fn explained(error: CliError) -> CliError {
    match error.code.as_str() {
        "webhook_enabled" => error.hint("`alter idp webhook rotate` replaces its secret."),
        "webhook_not_found" => error.hint("`alter idp webhook enable` switches it on."),
        "sign_in_client_required" => error.hint("`alter idp client set` sets it."),
        _ => error,
    }
}
