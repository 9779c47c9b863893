//! The command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

pub(crate) const HELP: &str = "\
Measures what a call through the vault costs.

  alter-bench [OPTIONS]             compare in turns: direct, nginx, a bare reverse proxy, the vault
  alter-bench micro                 the parts of a call, in microseconds
  alter-bench grants [OPTIONS]      the vault with 10,000 and with 1,000,000 grants
  alter-bench connections [OPTIONS] a call through an OAuth connection beside one with a managed secret
  alter-bench users [OPTIONS]       a call by provider and user token beside one by grant id
  alter-bench wallet [OPTIONS]      what the Wallet's page reads, beside a single read of the store
  alter-bench upstream              the provider that the calls go to, as a process of its own
  alter-bench proxy ADDRESS         the bare reverse proxy, as a process of its own

  --vault PATH          the binary `alter`; `cargo xtask bench` gives it
  --rounds N            rounds, each with every line once (5)
  --seconds N           per line and round (3)
  --connections A,B,…   (1,32,128)
  --rate N              calls per second of the open loop (2000); 0 leaves it out
  --million             then 1,000,000 calls through each vault, and its memory after them
  --grants N            for `grants`: the larger number (1000000)
  --spread N            for `grants`: how many of them are called in turn, spread over the store (1000)
  --no-micro            without the parts of a call

The exit code does not depend on the figures: a shared machine is no judge. Pass and miss are printed.
";

pub(crate) enum Command {
    Help,
    Upstream,
    Proxy { upstream: SocketAddr },
    Micro,
    Compare(Options),
    Grants(Options),
    Connections(Options),
    Users(Options),
    Wallet(Options),
}

pub(crate) struct Options {
    pub(crate) vault: Option<PathBuf>,
    pub(crate) rounds: usize,
    pub(crate) window: Duration,
    pub(crate) connections: Vec<usize>,
    pub(crate) rate: u64,
    pub(crate) million: bool,
    pub(crate) grants: usize,
    pub(crate) spread: usize,
    pub(crate) micro: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            vault: None,
            rounds: 5,
            window: Duration::from_secs(3),
            connections: vec![1, 32, 128],
            rate: 2000,
            million: false,
            grants: 1_000_000,
            spread: 1_000,
            micro: true,
        }
    }
}

pub(crate) fn parse(arguments: &[String]) -> Result<Command, String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if words.contains(&"--help") {
        return Ok(Command::Help);
    }
    // `cargo xtask bench` puts `--vault PATH` in front of what was typed.
    let (vault, words) = match words.as_slice() {
        ["--vault", path, rest @ ..] => (Some(PathBuf::from(path)), rest),
        rest => (None, rest),
    };
    match words {
        ["upstream"] => Ok(Command::Upstream),
        ["proxy", address] => {
            Ok(Command::Proxy { upstream: address.parse().map_err(|_| format!("{address} is no address"))? })
        }
        ["micro"] => Ok(Command::Micro),
        ["grants", rest @ ..] => options(vault, rest).map(Command::Grants),
        ["connections", rest @ ..] => options(vault, rest).map(Command::Connections),
        ["users", rest @ ..] => options(vault, rest).map(Command::Users),
        ["wallet", rest @ ..] => options(vault, rest).map(Command::Wallet),
        rest => options(vault, rest).map(Command::Compare),
    }
}

fn options(vault: Option<PathBuf>, words: &[&str]) -> Result<Options, String> {
    let mut options = Options { vault, ..Options::default() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().copied().ok_or_else(|| format!("{word} needs a value"));
        match *word {
            "--vault" => options.vault = Some(value()?.into()),
            "--rounds" => options.rounds = number(value()?)?,
            "--seconds" => options.window = Duration::from_millis(number::<u64>(value()?)? * 1000),
            "--connections" => {
                options.connections = value()?.split(',').map(number).collect::<Result<_, _>>()?;
            }
            "--rate" => options.rate = number(value()?)?,
            "--grants" => options.grants = number(value()?)?,
            "--spread" => options.spread = number(value()?)?,
            "--million" => options.million = true,
            "--no-micro" => options.micro = false,
            other => return Err(format!("{other} is unknown; see --help")),
        }
    }
    if options.rounds == 0 || options.connections.contains(&0) || options.connections.is_empty() {
        return Err("rounds and connections are at least 1".to_owned());
    }
    Ok(options)
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_with_and_without_the_vault_in_front() {
        let Ok(Command::Compare(options)) = parsed("--vault /x --rounds 2 --connections 1,4 --million")
        else {
            panic!("not a comparison");
        };
        assert_eq!(options.vault, Some("/x".into()));
        assert_eq!((options.rounds, options.connections, options.million), (2, vec![1, 4], true));
        assert!(matches!(parsed("--vault /x grants --grants 5"), Ok(Command::Grants(o)) if o.grants == 5));
        assert!(matches!(parsed("users --rounds 3"), Ok(Command::Users(o)) if o.rounds == 3));
        assert!(matches!(parsed("wallet --seconds 1"), Ok(Command::Wallet(_))));
        assert!(matches!(parsed(""), Ok(Command::Compare(o)) if o.vault.is_none()));
        for line in
            ["--rounds", "--rounds x", "--rounds 0", "--connections 0", "--fast", "proxy", "proxy here"]
        {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
