//! What a call through the vault costs, beside what any proxy costs (docs/performance.md).
//!
//! Who calls it: `cargo xtask bench`. What it may touch: processes of its own on loopback, temporary directories. One
//! run measures every line of the table in turns, since figures of different runs on a shared machine cannot be compared.

mod args;
mod connections;
mod disk;
mod gateway;
mod grants;
mod issuer;
mod load;
mod memory;
mod micro;
mod nginx;
mod process;
mod proxy;
mod quiet;
mod report;
mod rounds;
mod sign;
mod stats;
mod tokens;
mod upstream;
mod users;
mod vault;
mod wallet;

use std::process::ExitCode;

use args::Command;

/// As in the server, so that the bare proxy has the same footing.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What went wrong, for a person to read.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match args::parse(&arguments) {
        Ok(Command::Help) => {
            print!("{}", args::HELP);
            Ok(())
        }
        Ok(Command::Upstream) => upstream::serve(),
        Ok(Command::Proxy { upstream }) => proxy::serve(upstream),
        Ok(Command::Micro) => micro::run(),
        Ok(Command::Compare(options)) => rounds::run(&options),
        Ok(Command::Grants(options)) => grants::run(&options),
        Ok(Command::Connections(options)) => connections::run(&options),
        Ok(Command::Users(options)) => users::run(&options),
        Ok(Command::Wallet(options)) => wallet::run(&options),
        Err(text) => Err(text.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("alter-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}
