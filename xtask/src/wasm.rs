//! A compiler for the browser, wherever this runs.
//!
//! Rust's own tools fetch a standard library for `wasm32-unknown-unknown` when they are asked to. Where they cannot (a closed
//! network) or must not (`RUSTUP_AUTO_INSTALL=0`), Debian's packaged compiler is unpacked into a private folder, and the
//! standard library is built once from Debian's copy of its source. Nothing of it lands in the system, and none of it
//! needs root.

mod debian;

use std::{
    fs,
    io::Read as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::{
    Context,
    command::{Result, announce, capture, program},
};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// How long `rustup` may take to add a target. Where it is cut off from its server it would go on trying.
const PATIENCE: Duration = Duration::from_secs(120);

/// Which compiler builds for the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The one that builds everything else.
    Active,
    Debian {
        /// A script that runs its `rustc`.
        rustc: PathBuf,
        /// The active compiler's: Debian's packages have one of another version.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// The compiler at hand, or the one that `WASM_TOOLCHAIN` names. What it lacks is fetched, and said.
    pub(crate) fn find(context: &Context) -> Result<Self> {
        match context.wasm_toolchain.as_deref() {
            None if has_target(context) || add_target(context) => Ok(Self::Active),
            None | Some("debian") => Self::debian(context),
            Some("active") if has_target(context) || add_target(context) => Ok(Self::Active),
            Some("active") => Err(format!("the active compiler has no standard library for {TARGET}").into()),
            Some(other) => Err(format!("WASM_TOOLCHAIN is `active` or `debian`, not `{other}`").into()),
        }
    }

    pub(crate) fn debian(context: &Context) -> Result<Self> {
        debian::prepare(context)
    }

    /// A `cargo` that compiles with it, in a folder of its own: two compilers in one would build each other's crates anew.
    pub(crate) fn cargo(&self, context: &Context, arguments: &[&str]) -> Command {
        let mut command = program(&context.cargo, &context.root);
        command.args(arguments).args(["--target", TARGET, "--target-dir"]).arg(self.directory(context));
        self.compile_with(&mut command);
        command
    }

    fn compile_with(&self, cargo: &mut Command) {
        if let Self::Debian { rustc, linker } = self {
            cargo.env("RUSTC", rustc).env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
    }

    /// Where what it builds is.
    pub(crate) fn directory(&self, context: &Context) -> PathBuf {
        context.target.join("wasm").join(match self {
            Self::Active => "active",
            Self::Debian { .. } => "debian",
        })
    }
}

/// Whether the standard library is there. The compiler names a folder for it even when it is not.
fn has_target(context: &Context) -> bool {
    let mut ask = program("rustc", &context.root);
    let Ok(said) = capture(ask.args(["--print", "target-libdir", "--target", TARGET])) else { return false };
    let Ok(files) = fs::read_dir(said.trim()) else { return false };
    files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
}

/// Asks `rustup`, unless this machine's compilers are to be left alone. Its word is not taken for it.
fn add_target(context: &Context) -> bool {
    if !context.may_add_toolchains {
        return false;
    }
    let mut rustup = program("rustup", &context.root);
    rustup.args(["target", "add", TARGET]).stdout(Stdio::piped());
    announce(&rustup);
    let Ok(mut child) = rustup.spawn() else { return false };
    let (sender, ended) = mpsc::channel();
    if let Some(mut said) = child.stdout.take() {
        // Its output ends when it does.
        thread::spawn(move || {
            let _ = said.read_to_end(&mut Vec::new());
            let _ = sender.send(());
        });
    }
    if ended.recv_timeout(PATIENCE).is_err() {
        println!("rustup took longer than {} s", PATIENCE.as_secs());
        let _ = child.kill();
    }
    let _ = child.wait();
    has_target(context)
}
