//! A compiler for the browser, wherever this runs.
//!
//! Rust's own tools fetch a standard library for `wasm32-unknown-unknown` and its source when they are asked to. Where they
//! cannot (a closed network) or must not (`RUSTUP_AUTO_INSTALL=0`), Debian's packaged compiler is unpacked into a private
//! folder, and the standard library is built once from Debian's copy of its source. Nothing of it lands in the system, and
//! none of it needs root.

mod debian;

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
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

/// How long `rustup` may take to add something. Where it is cut off from its server it would go on trying.
const PATIENCE: Duration = Duration::from_secs(120);

/// What makes code small. Nobody reads what a panic says in a browser: it ends the module at once, without words, and what
/// would have made them, `Debug` above all, is left out. `erase_components` gives the framework one type for all views of a kind
/// in place of a copy of its code for each.
const SMALL: &str = "--cfg erase_components -Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none -Zfmt-debug=none";

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
            None if is_complete(context) || complete(context) => Ok(Self::Active),
            None | Some("debian") => Self::debian(context),
            Some("active") if is_complete(context) || complete(context) => Ok(Self::Active),
            Some("active") => {
                Err(format!("the active compiler has no standard library for {TARGET}, or not its source")
                    .into())
            }
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

    /// The same for code that is sent over the wire. The standard library is built along with it, as small as the rest; a
    /// stable compiler does these things only when told that it builds the library.
    pub(crate) fn cargo_small(&self, context: &Context, arguments: &[&str]) -> Command {
        let mut command = self.cargo(context, arguments);
        command.args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"]);
        command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", SMALL);
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

/// Whether the standard library is there, ready made for a build in seconds and as source for a small one. The compiler names
/// a folder for it even when it is not.
fn is_complete(context: &Context) -> bool {
    let ask = |arguments: &[&str]| capture(program("rustc", &context.root).args(arguments)).ok();
    let (Some(made), Some(sysroot)) =
        (ask(&["--print", "target-libdir", "--target", TARGET]), ask(&["--print", "sysroot"]))
    else {
        return false;
    };
    let Ok(files) = fs::read_dir(made.trim()) else { return false };
    files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
        && has_source(Path::new(sysroot.trim()))
}

/// `below`: the folder with the compiler's `lib`.
fn has_source(below: &Path) -> bool {
    below.join("lib/rustlib/src/rust/library/Cargo.lock").exists()
}

/// Asks `rustup`, unless this machine's compilers are to be left alone. Its word is not taken for it.
fn complete(context: &Context) -> bool {
    if !context.may_add_toolchains {
        return false;
    }
    add(context, ["target", "add", TARGET])
        && add(context, ["component", "add", "rust-src"])
        && is_complete(context)
}

/// Whether it came to an end by itself.
fn add(context: &Context, what: [&str; 3]) -> bool {
    let mut rustup = program("rustup", &context.root);
    rustup.args(what).stdout(Stdio::piped());
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
    let is_in_time = ended.recv_timeout(PATIENCE).is_ok();
    if !is_in_time {
        println!("rustup took longer than {} s", PATIENCE.as_secs());
        let _ = child.kill();
    }
    let _ = child.wait();
    is_in_time
}
