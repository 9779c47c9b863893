//! Makes the Wallet's site of what the compiler made.
//!
//! Who calls it: `cargo xtask wallet`. It is a program of its own and no part of xtask, which builds in seconds and would
//! take half a minute with what this needs. What it may touch: the folder that it is told to fill.
//!
//! Names carry a hash of what they name, so that a file may be kept for ever by browsers and by the network between. What
//! has no hash (the page, the manifest) is fetched anew and says which files belong together.

mod bindings;
mod output;
mod sections;
mod site;

use std::{error::Error, path::PathBuf, process::ExitCode};

use output::Output;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: wallet-bundle NAME WASM SITE OUT [--dev]
  NAME  what the files are called
  WASM  what the compiler made
  SITE  the folder with the page, styles and icons
  OUT   the folder to fill; what was there is gone
  --dev names of functions are kept, and nothing is compressed";

/// What is to be done.
struct Task {
    name: String,
    wasm: PathBuf,
    site: PathBuf,
    out: PathBuf,
    is_dev: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match parse(&arguments).and_then(|task| make(&task)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("wallet-bundle: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Result<Task> {
    let is_dev = arguments.last().is_some_and(|last| last == "--dev");
    let paths = arguments.get(..arguments.len() - usize::from(is_dev)).unwrap_or_default();
    let [name, wasm, site, out] = paths else { return Err(USAGE.into()) };
    Ok(Task { name: name.clone(), wasm: wasm.into(), site: site.into(), out: out.into(), is_dev })
}

fn make(task: &Task) -> Result {
    let bound = bindings::generate(&task.wasm, &task.name, task.is_dev)?;
    let mut output = Output::new(&task.out, task.is_dev)?;
    site::write(task, &bound, &mut output)?;
    output.finish()
}
