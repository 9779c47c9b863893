//! `alter serve`: the vault on this machine, until it is told to stop.

use std::{net::SocketAddr, path::PathBuf, sync::mpsc};

use alter_adapter_local::Durability;
use alter_domain::flow::connect::PublicUrl;
use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::{
    context::{Context, DEFAULT_DATA_DIR},
    error::{CliError, Result},
    http::BaseUrl,
    output::Format,
    terminal::Style,
};
use crate::server::{self, ServeError, ServeOptions, TrustedProxy};

#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  alter serve
  alter serve --data-dir /var/lib/alter --listen 0.0.0.0:8420 --log-format json
  alter serve --durability process --allow-loopback-http        for development

An empty data directory is set up at the first start: a key file, an empty store, and an operator
token in a file that only you can read. Whoever has the whole directory has everything: keep it,
and back it up, as one.
The vault speaks plain HTTP; put a TLS proxy in front of it before others use it, and name it with
--trusted-proxy: otherwise everybody has its address, and shares its limits.")]
pub(crate) struct ServeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8420", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// What an answered write survives: full, a power loss; process, the death of the process
    #[arg(long, value_enum, default_value_t)]
    durability: DurabilityArg,
    /// Lets credentials go to this machine, also over plain http: for development
    #[arg(long)]
    allow_loopback_http: bool,
    /// Threads that serve calls; by default one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// The name of the organization that an empty data directory is set up with
    #[arg(long, default_value = "My organization", value_name = "NAME")]
    organization: String,
    /// The https address at which browsers and OAuth providers reach the vault, when that is not the one it listens on
    #[arg(long, env = "ALTER_PUBLIC_URL", hide_env_values = true, value_name = "URL")]
    public_url: Option<String>,
    /// The folder with the Wallet's site, as cargo xtask wallet makes it; it is read once, at the start
    #[arg(long, env = "ALTER_WALLET_DIR", hide_env_values = true, value_name = "DIR")]
    wallet_dir: Option<PathBuf>,
    /// A network of proxies in front of the vault: what they add to X-Forwarded-For is the caller's address. Repeatable
    #[arg(
        long = "trusted-proxy",
        env = "ALTER_TRUSTED_PROXIES",
        hide_env_values = true,
        value_delimiter = ',',
        value_name = "CIDR"
    )]
    trusted_proxies: Vec<TrustedProxy>,
    /// Form of the log, which goes to standard error
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
    /// How much is logged: error, warn, info, debug or trace, also by part: info,alter_proxy=debug
    #[arg(long, env = "ALTER_LOG", hide_env_values = true, default_value = "info", value_name = "LEVEL")]
    log_level: Targets,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum DurabilityArg {
    #[default]
    Full,
    Process,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

impl From<DurabilityArg> for Durability {
    fn from(durability: DurabilityArg) -> Self {
        match durability {
            DurabilityArg::Full => Durability::Full,
            DurabilityArg::Process => Durability::Process,
        }
    }
}

/// What `serve` says when it is ready.
#[derive(Serialize)]
struct Ready<'a> {
    base_url: &'a str,
    data_dir: &'a str,
    operator_token_file: &'a str,
    set_up: bool,
}

/// An origin, perhaps with a path; https, or http for this machine.
fn public_url(text: &str) -> Result<PublicUrl> {
    let url = BaseUrl::parse(text)?.join("");
    PublicUrl::parse(&url).map_err(|error| CliError::usage(format!("--public-url is {error}.")))
}

pub(super) fn serve(context: &Context, args: &ServeArgs) -> Result<()> {
    start_log(args.log_format, args.log_level.clone(), context.printer.terminal.error_color);
    let stop = Signals::listen()?;
    let options = ServeOptions {
        listen: args.listen,
        data_dir: context.global.data_dir.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR)),
        durability: args.durability.into(),
        allow_loopback_http: args.allow_loopback_http,
        threads: args.threads.map(usize::from),
        organization: args.organization.clone(),
        public_url: args.public_url.as_deref().map(public_url).transpose()?,
        extra_roots: context.global.ca_file.clone(),
        wallet_dir: args.wallet_dir.clone(),
        trusted_proxies: args.trusted_proxies.iter().copied().collect(),
    };
    let running = server::start(&options)?;
    let ready = Ready {
        base_url: &running.base_url(),
        data_dir: &options.data_dir.display().to_string(),
        operator_token_file: &running.operator_token_file.display().to_string(),
        set_up: running.set_up,
    };
    announce(context, &ready)?;
    stop.wait();
    tracing::info!("stopping");
    running.stop();
    Ok(())
}

fn announce(context: &Context, ready: &Ready<'_>) -> Result<()> {
    if context.printer.format != Format::Table {
        let text =
            serde_json::to_string(ready).map_err(|error| CliError::failure("output", error.to_string()))?;
        return context.printer.write(&format!("{text}\n"));
    }
    let paint = |style: Style, text: &str| style.paint(context.printer.terminal.color, text).into_owned();
    let mut text = format!(
        "{} listens on {}\nData directory: {}\n",
        paint(Style::Bold, "Alter Vault"),
        paint(Style::Cyan, ready.base_url),
        ready.data_dir
    );
    if ready.set_up {
        text.push_str(&format!(
            "It was set up just now. The first operator token lies in {} (mode 0600).\nTry: {}\n",
            ready.operator_token_file,
            paint(
                Style::Cyan,
                &format!("alter --url {} --token-file {} whoami", ready.base_url, ready.operator_token_file)
            ),
        ));
    }
    context.printer.write(&text)
}

/// The log goes to standard error; standard output is for what a script reads.
fn start_log(format: LogFormat, level: Targets, color: bool) {
    let registry = tracing_subscriber::registry().with(level);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => registry.with(layer.with_ansi(color).with_target(false)).init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).init(),
    }
}

/// SIGINT, SIGTERM and SIGHUP, heard from the moment this is made. The first asks for an orderly stop; a second one, of
/// somebody who does not want to wait, ends the process.
pub(crate) struct Signals {
    events: mpsc::Receiver<Event>,
    sender: mpsc::Sender<Event>,
}

/// What a command that stays up waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Stop,
    /// Somebody wrote a line; nobody but the demo listens for any.
    Line,
}

impl Signals {
    pub(crate) fn listen() -> Result<Self> {
        let failed = |error: std::io::Error| CliError::failure("signals", error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (mut interrupt, mut terminate, mut hangup) = {
            let _inside = runtime.enter();
            let on = |kind| signal(kind).map_err(failed);
            (on(SignalKind::interrupt())?, on(SignalKind::terminate())?, on(SignalKind::hangup())?)
        };
        let (sender, events) = mpsc::channel();
        let told = sender.clone();
        let listen = move || {
            runtime.block_on(async {
                next(&mut interrupt, &mut terminate, &mut hangup).await;
                // When nobody waits any more the process is ending anyway.
                let _ = told.send(Event::Stop);
                next(&mut interrupt, &mut terminate, &mut hangup).await;
                std::process::exit(130);
            });
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(listen).map_err(failed)?;
        Ok(Self { events, sender })
    }

    /// For what comes from other threads.
    pub(crate) fn sender(&self) -> mpsc::Sender<Event> {
        self.sender.clone()
    }

    /// Waits for what comes next.
    pub(crate) fn next(&self) -> Event {
        // An error would mean that the thread is gone: no reason to stay either.
        self.events.recv().unwrap_or(Event::Stop)
    }

    /// Waits until it is time to stop.
    pub(crate) fn wait(&self) {
        while self.next() != Event::Stop {}
    }
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal, hangup: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}

impl From<ServeError> for CliError {
    fn from(error: ServeError) -> Self {
        let listen = matches!(error, ServeError::Listen { .. });
        let error = CliError::failure("not_started", format!("The vault does not start: {error}."));
        if listen {
            error.hint("Is a vault running there already? --listen chooses another address.")
        } else {
            error
        }
    }
}
