//! `alter demo`: a vault with a temporary data directory, a small API for it to call, and the story of one credential. Each
//! step is made with the command line's own code.

mod cast;
mod identity;
mod notes;
mod people;
mod stage;
mod story;
mod upstream;
mod visitor;
mod wallet;
mod web;

use std::{
    io::{BufRead as _, Read as _},
    os::unix::fs::FileTypeExt as _,
    path::PathBuf,
};

use clap::Args;
use serde::Serialize;

use crate::cli::{CliError, Context, DurabilityArg, Event, Result, Signals};
use cast::Cast;
use stage::{NOTES, Stage};
use wallet::Encore;

#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  alter demo
  alter demo --json

With --json there is no story: one line of JSON says where everything is (the key and the token of
this throw-away vault included), and the demo stays up until it is stopped or, when standard input
is a pipe, until that closes.")]
pub(crate) struct DemoArgs {
    /// One line of JSON instead of the story, for scripts
    #[arg(long)]
    json: bool,
    /// What an answered write survives: full, a power loss; process, the death of the process
    #[arg(long, value_enum, default_value = "process")]
    durability: DurabilityArg,
    /// The port of the vault; by default a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Threads that serve calls; by default one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// The folder with the Wallet's site, as cargo xtask wallet makes it
    #[arg(long, env = "ALTER_WALLET_DIR", hide_env_values = true, value_name = "DIR")]
    wallet_dir: Option<PathBuf>,
    /// Tells the story and stops, instead of staying up
    #[arg(long, conflicts_with = "json")]
    once: bool,
}

/// Everything that a script needs to use the demo.
#[derive(Serialize)]
struct Ready<'a> {
    base_url: &'a str,
    app_key: &'a str,
    app_key_file: &'a str,
    app_id: &'a str,
    grant_id: &'a str,
    revocable_grant_id: &'a str,
    provider: &'a str,
    /// An OAuth provider that is configured for the app, and a grant on a connection with it.
    oauth: Oauth<'a>,
    upstream_url: &'a str,
    /// The token of a user of the app, Alice: on `provider` she has a grant by her group, with `oauth.provider` a connection of
    /// her own. It is good for a day.
    user_jwt: &'a str,
    /// The same of Bob, who has no grants.
    user_jwt_empty: &'a str,
    /// Who signs the two: Acme ID, an OpenID provider that asks for no password.
    idp_issuer: &'a str,
    /// Where people sign in to the Wallet, in which they see what was granted for them, and end it.
    wallet_url: String,
    operator_token: &'a str,
    operator_token_file: &'a str,
    data_dir: &'a str,
}

/// The demo's OAuth provider, Acme Notes.
#[derive(Serialize)]
struct Oauth<'a> {
    provider: &'a str,
    grant_id: &'a str,
    /// Answers to the provider's own access tokens only.
    api_url: String,
}

pub(crate) fn run(context: &Context, args: &DemoArgs) -> Result<()> {
    let signals = Signals::listen()?;
    let stage = Stage::set(args)?;
    let result = play(context, args, &stage, &signals);
    stage.clear();
    result
}

fn play(context: &Context, args: &DemoArgs, stage: &Stage, signals: &Signals) -> Result<()> {
    if args.json {
        script(context, stage, signals)?;
        signals.wait();
        return Ok(());
    }
    let encore = story::tell(context, stage, args.once)?;
    if args.once {
        return Ok(());
    }
    go_on(context, stage, signals, &encore)?;
    context.printer.remark("\nStopping. The vault and its data are gone.");
    Ok(())
}

/// Makes another call for each line on standard input, until it is time to stop.
fn go_on(context: &Context, stage: &Stage, signals: &Signals, encore: &Encore) -> Result<()> {
    let sender = signals.sender();
    in_background(move || {
        for line in std::io::stdin().lock().lines() {
            if line.is_err() || sender.send(Event::Line).is_err() {
                break;
            }
        }
    })?;
    while signals.next() == Event::Line {
        let told = stage.play(encore.again(stage))?;
        context.printer.write(&format!("  {told}\n"))?;
    }
    Ok(())
}

fn script(context: &Context, stage: &Stage, signals: &Signals) -> Result<()> {
    let cast = stage.play(Cast::assemble(stage))?;
    let ready = Ready {
        base_url: &stage.base_url(),
        app_key: cast.app_key.expose_secret(),
        app_key_file: &stage.key_file().display().to_string(),
        app_id: &cast.app_id,
        grant_id: &cast.grant_id,
        revocable_grant_id: &cast.revocable_grant_id,
        provider: &cast.provider,
        oauth: Oauth {
            provider: NOTES,
            grant_id: &cast.oauth_grant_id,
            api_url: format!("{}/notes/api/notes", stage.upstream.url()),
        },
        upstream_url: &stage.upstream.url(),
        user_jwt: cast.user_jwt.expose_secret(),
        user_jwt_empty: cast.user_jwt_empty.expose_secret(),
        idp_issuer: stage.upstream.identity.issuer(),
        wallet_url: stage.wallet_url(&cast.app_id),
        operator_token: stage.operator_token.expose_secret(),
        operator_token_file: &stage.operator_token_file().display().to_string(),
        data_dir: &stage.data_dir().display().to_string(),
    };
    let line =
        serde_json::to_string(&ready).map_err(|error| CliError::failure("output", error.to_string()))?;
    context.printer.write(&format!("{line}\n"))?;
    stop_with_stdin(signals)
}

/// Stops when the other end of standard input goes away, so that a demo never outlives the script that started it. Only a
/// pipe or a socket has another end: `/dev/null` and a terminal do not count.
fn stop_with_stdin(signals: &Signals) -> Result<()> {
    let kind = std::fs::metadata("/dev/stdin").map(|metadata| metadata.file_type());
    if !kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket()) {
        return Ok(());
    }
    let sender = signals.sender();
    in_background(move || {
        let mut sink = [0; 256];
        while matches!(std::io::stdin().lock().read(&mut sink), Ok(count) if count > 0) {}
        // When nobody waits any more the process is ending anyway.
        let _ = sender.send(Event::Stop);
    })
}

/// Reading cannot be called off: the thread ends with the process.
fn in_background(read: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().name("stdin".to_owned()).spawn(read);
    thread.map(drop).map_err(|error| CliError::failure("demo", error.to_string()))
}
