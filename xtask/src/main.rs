//! Every non-trivial chore of the repository: `cargo xtask help` lists them.
//!
//! Who calls it: people and `.ci/run`. What it may touch: this repository (`target`, `.venv`,
//! `tests/web/node_modules`), and the system's packages when it runs as root and one is missing; it says so each time. It
//! has one small dependency, so that it builds in seconds, and it never sets `RUSTFLAGS` for the shared target directory:
//! what plain `cargo` built stays built.

mod bench;
mod command;
mod demo;
mod deny;
mod fuzz;
mod gate;
mod lambda;
mod metadata;
mod providers;
mod python;
mod source;
mod suites;
mod system;
mod template;
mod tree;
mod unused;
mod wallet;
mod wasm;
mod web;

use std::{path::PathBuf, process::ExitCode};

use command::Result;

const HELP: &str = "\
Chores of the repository.

  cargo demo [ARGS]              build the vault and walk through its story (the same as `cargo xtask demo`)
  cargo xtask test [--quick] [STEP…]
                                 everything that must hold before a change lands, in order, up to the first failure, or
                                 only the steps named; --quick fuzzes for 10 s instead of 60 s per target
  cargo xtask bench [ARGS]       build with all optimisations and measure; `-- --help` lists the arguments
  cargo xtask fuzz TARGET [--seconds N]
                                 fuzz one target (60 s); without TARGET: list them
  cargo xtask lambda build       build the functions as AWS Lambda runs them, and hold them to their sizes
  cargo xtask lambda bench [--spawns N] [--as-built]
                                 the same, and measure how fast they start and answer
  cargo xtask lambda e2e [PYTEST ARGS]
                                 deploy the template into an emulated account, with the real functions, and use it
  cargo xtask template check     hold template.yaml to the linter's rules and ours, and the rules to planted errors
  cargo xtask template permissions
                                 hold what the functions may do against what `lambda e2e` has seen them do
  cargo xtask wallet [--dev | --blank]
                                 build the Wallet's site into target/wallet/dist, and hold it to its size; --dev builds
                                 in seconds and compresses nothing; --blank builds the page that it is compared with
  cargo xtask providers-doc      write docs/providers.md from the catalogue's data
  cargo xtask help               this text

The demo's and the bench's arguments are passed on unchanged.

Steps of `test`:
";

/// What every chore needs to know, read once.
pub(crate) struct Context {
    /// The repository.
    pub(crate) root: PathBuf,
    /// The `cargo` that runs this.
    pub(crate) cargo: String,
    /// Where binaries and tools go.
    pub(crate) target: PathBuf,
    /// `WASM_TOOLCHAIN`: which compiler builds for the browser, when it is not to be chosen here.
    pub(crate) wasm_toolchain: Option<String>,
    /// `RUSTUP_AUTO_INSTALL=0` says that the compilers of this machine are to be left as they are.
    pub(crate) may_add_toolchains: bool,
    /// Whether this is CI, which tries what others need not.
    pub(crate) is_ci: bool,
}

impl Context {
    #[allow(clippy::disallowed_methods, reason = "the environment is read here and nowhere else")]
    fn from_environment() -> Result<Self> {
        let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().ok_or("xtask lies in no repository")?.to_path_buf();
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(given) => root.join(given),
            None => root.join("target"),
        };
        let is_set = |name: &str, value: &str| std::env::var(name).is_ok_and(|set| set == value);
        let wasm_toolchain = std::env::var("WASM_TOOLCHAIN").ok();
        let may_add_toolchains = !is_set("RUSTUP_AUTO_INSTALL", "0");
        Ok(Self { root, cargo, target, wasm_toolchain, may_add_toolchains, is_ci: is_set("CI", "true") })
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let context = Context::from_environment()?;
    let (chore, rest) =
        arguments.split_first().map_or(("help", arguments), |(first, rest)| (first.as_str(), rest));
    match (chore, rest) {
        ("demo", rest) => demo::run(&context, rest),
        ("test", [flag, steps @ ..]) if flag == "--quick" => gate::run(&context, true, steps),
        ("test", steps) => gate::run(&context, false, steps),
        ("bench", rest) => bench::run(&context, rest),
        ("fuzz", rest) => fuzz::run(&context, rest),
        ("lambda", rest) => lambda::run(&context, rest),
        ("template", rest) => template::run(&context, rest),
        ("wallet", rest) => wallet::run(&context, rest),
        ("providers-doc", []) => providers::write_document(&context),
        ("help" | "--help" | "-h", _) => {
            print!("{HELP}{}", gate::names());
            Ok(())
        }
        _ => Err(format!("`{}` is not a chore; `cargo xtask help` lists them", arguments.join(" ")).into()),
    }
}
