//! The Wallet's site (`wallet-frontend`): built for the browser and held to its size.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde_json::Value;

use crate::{
    Context,
    command::{Result, program, run as run_command, watch},
    gate::Done,
    suites, system,
    wasm::{TARGET, Toolchain},
};

const USAGE: &str = "usage: cargo xtask wallet [--dev | --blank]";

/// A workspace of its own.
pub(crate) const MANIFEST: &str = "wallet-frontend/Cargo.toml";

/// What the first view on a cold cache may take over the wire, in bytes: module, scripts and styles with brotli.
const FIRST_VIEW: u64 = 180_000;

/// One of the pages that `wallet-frontend` makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    /// The site as it is sent.
    Wallet,
    /// The site while it is being written.
    Dev,
    /// What the site's speed is compared with.
    Blank,
}

pub(crate) fn run(context: &Context, arguments: &[String]) -> Result {
    let page = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => Page::Wallet,
        ["--dev"] => Page::Dev,
        ["--blank"] => Page::Blank,
        _ => return Err(USAGE.into()),
    };
    let directory = build(context, &Toolchain::find(context)?, page)?;
    report(&directory, page)
}

/// As a step of `cargo xtask test`: the site and the blank page for the tests in a browser that follow, and the site's own
/// tests. CI builds with Debian's compiler too, so that the way around a closed network cannot rot.
pub(crate) fn check(context: &Context) -> Result<Done> {
    let toolchain = Toolchain::find(context)?;
    if context.is_ci && toolchain == Toolchain::Active {
        let other = Toolchain::debian(context)?;
        report(&build(context, &other, Page::Wallet)?, Page::Wallet)?;
    }
    for page in [Page::Wallet, Page::Blank] {
        report(&build(context, &toolchain, page)?, page)?;
    }
    let mut tests = on_this_machine(context, "test");
    suites::some(watch(tests.args(["--workspace", "--no-fail-fast"]), suites::libtest_passed)?)
}

/// Clippy on all of it, warnings denied. The site compiles for this machine too, where it is linted and tested.
pub(crate) fn lint(context: &Context) -> Result {
    let mut clippy = on_this_machine(context, "clippy");
    run_command(clippy.args(["--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// The folder with the site, built if it is older than something that it is made of.
pub(crate) fn site(context: &Context) -> Result<PathBuf> {
    up_to_date(context, Page::Wallet)
}

/// The same with the folder of the page that the site's speed is compared with.
pub(crate) fn sites(context: &Context) -> Result<[PathBuf; 2]> {
    Ok([up_to_date(context, Page::Wallet)?, up_to_date(context, Page::Blank)?])
}

fn up_to_date(context: &Context, page: Page) -> Result<PathBuf> {
    let (.., folder) = page.parts();
    let directory = context.target.join("wallet").join(folder);
    let built = fs::metadata(directory.join("manifest.json")).and_then(|list| list.modified()).ok();
    let sources = ["wallet-frontend", "shared/api-types"].map(|folder| newest(&context.root.join(folder)));
    if built.is_some() && sources.iter().all(|source| *source <= built) {
        return Ok(directory);
    }
    eprintln!("Building the Wallet's site. That takes a few minutes; the next start is immediate.");
    build(context, &Toolchain::find(context)?, page)
}

/// When something in a folder was changed last.
fn newest(folder: &Path) -> Option<SystemTime> {
    let changed = fs::read_dir(folder).ok()?.flatten().map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => newest(&entry.path()),
        _ => entry.metadata().and_then(|metadata| metadata.modified()).ok(),
    });
    changed.flatten().max()
}

/// Compiles, and fills a folder with what is served.
fn build(context: &Context, toolchain: &Toolchain, page: Page) -> Result<PathBuf> {
    system::need_c_compiler()?;
    let (name, profile, folder) = page.parts();
    let arguments = ["build", "--manifest-path", MANIFEST, "--bin", name, "--profile", profile];
    let mut cargo = match page {
        Page::Dev => toolchain.cargo(context, &arguments),
        Page::Wallet | Page::Blank => toolchain.cargo_small(context, &arguments),
    };
    run_command(&mut cargo)?;
    let module = toolchain.directory(context).join(TARGET).join(profile).join(name).with_extension("wasm");

    run_command(on_this_machine(context, "build").args(["--quiet", "--package", "wallet-bundle"]))?;
    let out = context.target.join("wallet").join(folder);
    let mut bundle = program(host(context).join("debug/wallet-bundle"), &context.root);
    bundle.arg(name).arg(module).arg("wallet-frontend").arg(&out);
    bundle.args((page == Page::Dev).then_some("--dev"));
    run_command(&mut bundle)?;
    Ok(out)
}

impl Page {
    /// The binary, the profile and the folder.
    fn parts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Page::Wallet => ("wallet", "release", "dist"),
            // In the same place, so that a server which is running shows it.
            Page::Dev => ("wallet", "browser-dev", "dist"),
            Page::Blank => ("blank", "release", "blank"),
        }
    }
}

/// `cargo` for the site's workspace with the ordinary compiler, for this machine.
fn on_this_machine(context: &Context, verb: &str) -> std::process::Command {
    let mut command = program(&context.cargo, &context.root);
    command.args([verb, "--manifest-path", MANIFEST, "--target-dir"]).arg(host(context));
    command
}

fn host(context: &Context) -> PathBuf {
    context.target.join("wasm/host")
}

/// Says what there is, and refuses a site that has grown too large.
fn report(directory: &Path, page: Page) -> Result {
    let list = fs::read_to_string(directory.join("manifest.json"))?;
    let list: Value = serde_json::from_str(&list).map_err(|error| error.to_string())?;
    println!("{}", directory.display());
    for file in list.get("files").and_then(Value::as_array).into_iter().flatten() {
        let size = |name: &str| file.get(name).and_then(Value::as_u64);
        let (name, bytes) = (file.get("name").and_then(Value::as_str), size("bytes"));
        let brotli = size("brotli").map(|brotli| format!("{brotli:>9} with brotli")).unwrap_or_default();
        let is_later = file.get("later").and_then(Value::as_bool).unwrap_or_default();
        let later = if is_later { ", later" } else { "" };
        let line = format!(
            "  {:<38}{:>9} bytes{brotli}{later}",
            name.unwrap_or_default(),
            bytes.unwrap_or_default()
        );
        println!("{}", line.trim_end());
    }
    let first_view = list.get("first_view_brotli").and_then(Value::as_u64).ok_or("the list has no sum")?;
    match page {
        Page::Dev => Ok(()),
        Page::Wallet | Page::Blank => hold(first_view),
    }
}

fn hold(first_view: u64) -> Result {
    println!("  module, scripts and styles: {first_view} bytes with brotli; {FIRST_VIEW} may be");
    if first_view <= FIRST_VIEW {
        Ok(())
    } else {
        let over = first_view - FIRST_VIEW;
        Err(format!("the first view takes {first_view} bytes over the wire, {over} more than it may").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_that_is_too_large_is_refused() {
        assert!(hold(FIRST_VIEW).is_ok());
        assert!(hold(FIRST_VIEW + 1).is_err());
    }
}
