//! The operator's command line: a client of the vault's HTTP APIs and nothing more. It has no door of its own into the
//! store; `serve` and `demo` start the vault itself.

mod call;
mod connect;
mod context;
mod error;
mod expiry;
mod http;
mod input;
mod json;
mod noun;
mod output;
mod portal;
mod serve;
mod sign;
mod table;
mod terminal;

use std::{io::Write as _, path::PathBuf};

use clap::{
    CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
    builder::{Resettable, styling},
};

pub(crate) use call::perform;
pub(crate) use connect::{create_session, poll_session};
pub(crate) use context::{Context, Environment};
pub(crate) use error::{CliError, Result};
pub(crate) use http::{BaseUrl, HttpClient, read_all};
pub(crate) use input::{SaveFile, on_the_wire};
pub(crate) use json::Json;
pub(crate) use portal::{Paging, Portal, id_of};
pub(crate) use serve::{DurabilityArg, Event, Signals};
pub(crate) use sign::{Caller, TargetArgs};
pub(crate) use table::{Column, render};
pub(crate) use terminal::{Style, Terminal, plain};

use noun::{agent, app, audit, grant, idp, key, provider, secret, token, user};
use output::Format;
use terminal::plain_lines;

const STYLES: styling::Styles = styling::Styles::styled()
    .header(styling::AnsiColor::Green.on_default().bold())
    .usage(styling::AnsiColor::Green.on_default().bold())
    .literal(styling::AnsiColor::Cyan.on_default().bold())
    .placeholder(styling::AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  alter demo                                  see the whole story on this machine
  alter serve                                 run the vault; it keeps its data in ./alter-data
  alter app create Shop
  alter key mint backend --save shop.key
  pass show stripe | alter secret create --template stripe --value - --grant
  alter call GET https://api.stripe.com/v1/balance --grant GRANT --key-file shop.key
  alter audit list --limit 10

Exit codes:
  0  done
  1  error
  2  wrong use of the command
  3  not signed in, or not allowed
  4  not found
  5  conflict with what is there
  6  rate limit, or the vault is unavailable: try again later";

/// Alter Vault: applications and agents call APIs with credentials that they never see
#[derive(Parser)]
#[command(
    name = "alter",
    version,
    styles = STYLES,
    arg_required_else_help = true,
    subcommand_required = true,
    disable_help_subcommand = true,
    max_term_width = 110,
    after_help = EXAMPLES
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(clap::Args, Debug, Clone)]
#[command(next_help_heading = "Vault and output")]
pub(crate) struct Global {
    /// Where the vault is; http for this machine only
    #[arg(
        long,
        global = true,
        env = "ALTER_URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:8420",
        value_name = "URL"
    )]
    pub(crate) url: String,
    /// The operator's token is the one line of this file; - is standard input. Or set ALTER_PAT
    #[arg(long, global = true, env = "ALTER_TOKEN_FILE", hide_env_values = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The data directory of a vault on this machine: `serve` keeps it, other commands take the first operator token
    /// from it. By default ./alter-data
    #[arg(long, global = true, env = "ALTER_DATA_DIR", hide_env_values = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Certificates (PEM) to trust beside the public ones
    #[arg(long, global = true, env = "ALTER_CA_FILE", hide_env_values = true, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The app, by id or name; not needed while there is only one
    #[arg(long, global = true, env = "ALTER_APP_ID", hide_env_values = true, value_name = "APP")]
    pub(crate) app: Option<String>,
    /// Form of the output
    #[arg(
        long,
        short,
        global = true,
        env = "ALTER_OUTPUT",
        hide_env_values = true,
        value_enum,
        default_value_t,
        hide_possible_values = false
    )]
    pub(crate) output: Format,
    /// Shows these fields only; a.b reaches into objects
    #[arg(long, global = true, value_delimiter = ',', value_name = "A,B")]
    pub(crate) fields: Option<Vec<String>>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Runs the vault on this machine
    Serve(serve::ServeArgs),
    /// Shows the whole story on this machine, with a vault and an upstream API of its own
    Demo(crate::demo::DemoArgs),
    /// Apps: the walls between keys, grants and records
    #[command(subcommand, after_help = app::EXAMPLES)]
    App(app::AppCommand),
    /// API keys, with which apps and agents sign their calls
    #[command(subcommand, after_help = key::EXAMPLES)]
    Key(key::KeyCommand),
    /// Agents: named workloads of an app, with keys and grants of their own
    #[command(subcommand, after_help = agent::EXAMPLES)]
    Agent(agent::AgentCommand),
    /// Managed secrets: credentials that are stored once and never shown again
    #[command(subcommand, after_help = secret::EXAMPLES)]
    Secret(secret::SecretCommand),
    /// OAuth providers: where end users connect their accounts
    #[command(subcommand, after_help = provider::EXAMPLES)]
    Provider(provider::ProviderCommand),
    /// The app's identity provider: who its users are, and who has left
    #[command(subcommand, after_help = idp::EXAMPLES)]
    Idp(idp::IdpCommand),
    /// End users of the app, as its identity provider names them
    #[command(subcommand, after_help = user::EXAMPLES)]
    User(user::UserCommand),
    /// Grants: who may use which secret, and until when
    #[command(subcommand, after_help = grant::EXAMPLES)]
    Grant(grant::GrantCommand),
    /// The record of every call and every change
    #[command(subcommand, after_help = audit::EXAMPLES)]
    Audit(audit::AuditCommand),
    /// Operators' tokens, with which this command line signs in
    #[command(subcommand, after_help = token::EXAMPLES)]
    Token(token::TokenCommand),
    /// Shows whom the operator's token speaks for
    Whoami,
    /// Calls an API through the vault
    #[command(after_help = call::EXAMPLES)]
    Call(call::CallArgs),
    /// Lets an end user connect an account: prints the link, and waits for the grants
    #[command(after_help = connect::EXAMPLES)]
    Connect(connect::ConnectArgs),
    /// Signs a call and prints it as a curl configuration; the key stays here
    #[command(after_help = sign::EXAMPLES)]
    Sign(sign::SignArgs),
    /// Prints the OpenAPI document of the operator's API
    Openapi,
    /// Prints a completion script for a shell
    #[command(
        after_help = "Example:\n  alter completions bash > ~/.local/share/bash-completion/completions/alter"
    )]
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

/// Reads the command line.
pub(crate) fn parse() -> Result<Cli, clap::Error> {
    let mut command = without_empty_variables(Cli::command());
    Cli::from_arg_matches(&command.try_get_matches_from_mut(std::env::args_os())?)
        .map_err(|error| error.format(&mut command))
}

/// A variable that is set to nothing counts as not set, as in a shell's `${NAME:-default}`.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let check = |arg: clap::Arg| {
        let empty = arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
        if empty { arg.env(Resettable::Reset) } else { arg }
    };
    command.mut_args(check).mut_subcommands(without_empty_variables)
}

/// Runs the command and returns the exit code.
pub(crate) fn run(cli: Cli, environment: Environment) -> u8 {
    let color = environment.terminal.error_color;
    match dispatch(cli, environment) {
        Ok(code) => code,
        Err(error) if error.is_broken_pipe() => 0,
        Err(error) => {
            report(&error, color);
            error.exit as u8
        }
    }
}

fn report(error: &CliError, color: bool) {
    let mut err = std::io::stderr().lock();
    let text = error.to_string();
    // When standard error is gone, the exit code still tells.
    let _ = writeln!(err, "{} {}", Style::Red.paint(color, "error:"), plain_lines(&text));
    if let Some(hint) = &error.hint {
        let _ = writeln!(err, "{} {}", Style::Dim.paint(color, "hint:"), plain_lines(hint));
    }
}

fn dispatch(cli: Cli, environment: Environment) -> Result<u8> {
    let context = Context::new(cli.global, environment);
    match cli.command {
        Command::Serve(args) => serve::serve(&context, &args).map(|()| 0),
        Command::Demo(args) => crate::demo::run(&context, &args).map(|()| 0),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "alter", &mut script);
            std::io::stdout().write_all(&script)?;
            Ok(0)
        }
        Command::Sign(args) => sign::run(&context, &args).map(|()| 0),
        command => context::block_on(async {
            match command {
                Command::App(command) => app::run(&context, command).await?,
                Command::Key(command) => key::run(&context, command).await?,
                Command::Agent(command) => agent::run(&context, command).await?,
                Command::Secret(command) => secret::run(&context, command).await?,
                Command::Provider(command) => provider::run(&context, command).await?,
                Command::Idp(command) => idp::run(&context, command).await?,
                Command::User(command) => user::run(&context, command).await?,
                Command::Grant(command) => grant::run(&context, command).await?,
                Command::Audit(command) => audit::run(&context, command).await?,
                Command::Token(command) => token::run(&context, command).await?,
                Command::Whoami => context.printer.show(&context.portal()?.get("/me", &Vec::new()).await?)?,
                Command::Openapi => {
                    let document = context.anonymous()?.get("/openapi.json", &Vec::new()).await?;
                    let json = output::Printer { format: Format::Json, ..context.printer.clone() };
                    json.show(&document)?;
                }
                Command::Connect(args) => connect::run(&context, &args).await?,
                Command::Call(args) => return call::run(&context, &args).await,
                Command::Serve(_) | Command::Demo(_) | Command::Sign(_) | Command::Completions { .. } => {}
            }
            Ok(0)
        }),
    }
}
