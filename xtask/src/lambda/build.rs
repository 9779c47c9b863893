//! `cargo xtask lambda build`: the functions as `sam build` makes them, and whether they are small enough.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{FUNCTIONS, glibc};
use crate::{
    Context,
    command::{Result, capture, program, run as run_command},
    python, system,
};

/// cargo-lambda with a linker of its own, for a C library no newer than that of Lambda, wherever this runs.
const TOOLS: &str = "xtask/lambda.requirements.txt";

/// The function that does nothing, for comparison.
pub(crate) const EMPTY: &str = "empty";
const EMPTY_PACKAGE: &str = "alter-empty-function";

const MIB: u64 = 1 << 20;
const MOST_BYTES: u64 = 8 * MIB;
const MOST_ZIPPED: u64 = 4 * MIB;

/// One built function.
pub(crate) struct Built {
    pub(crate) name: &'static str,
    pub(crate) binary: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) zipped: u64,
}

/// Builds all functions and the empty one, prints their sizes, and fails if one is too large or too new for Lambda.
pub(crate) fn run(context: &Context) -> Result<Vec<Built>> {
    build(context)?;
    inspect(context)
}

/// The same for what was built last.
pub(crate) fn inspect(context: &Context) -> Result<Vec<Built>> {
    let built = packed(context)?;
    println!("\n{:<14}{:>12}{:>12}{:>8}", "function", "stripped", "zipped", "glibc");
    let mut broken = Vec::new();
    for each in &built {
        let needs = glibc::newest(&fs::read(&each.binary)?);
        let version = needs.map_or("none".to_owned(), |version| version.to_string());
        println!("{:<14}{:>12}{:>12}{version:>8}", each.name, megabytes(each.bytes), megabytes(each.zipped));
        if each.bytes > MOST_BYTES || each.zipped > MOST_ZIPPED {
            broken.push(format!("{} is larger than 8 MB, or 4 MB zipped", each.name));
        }
        if needs.is_some_and(|needs| needs > glibc::AMAZON_LINUX_2023) {
            broken.push(format!(
                "{} needs glibc {version}; Lambda has {}",
                each.name,
                glibc::AMAZON_LINUX_2023
            ));
        }
    }
    if broken.is_empty() { Ok(built) } else { Err(broken.join("\n").into()) }
}

fn build(context: &Context) -> Result {
    system::need_c_compiler()?;
    let python = tools(context)?;
    let tools = python.parent().ok_or("Python is in no directory")?;
    let mut command = program(&context.cargo, &context.root);
    // cargo finds `cargo lambda`, and that finds zig, by the path.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(tools.to_path_buf()).chain(std::env::split_paths(&path)));
    command.env("PATH", path.map_err(|error| error.to_string())?);
    // Without the last two, cargo-lambda may add a target to the installed compiler by itself.
    command.args(["lambda", "build", "--profile", "lambda", "--locked", "--x86-64", "--skip-target-check"]);
    command.arg("--lambda-dir").arg(directory(context));
    for function in FUNCTIONS {
        let package = function.package();
        command.args(["--package", &package, "--bin", function.binary()]);
        command.args(["--features", &format!("{package}/lambda")]);
    }
    run_command(command.args(["--package", EMPTY_PACKAGE, "--bin", EMPTY]))
}

fn tools(context: &Context) -> Result<PathBuf> {
    python::tools(context, "cargo-lambda", Path::new(TOOLS))
}

fn directory(context: &Context) -> PathBuf {
    context.target.join("lambda-functions")
}

fn packed(context: &Context) -> Result<Vec<Built>> {
    let (python, directory) = (tools(context)?, directory(context));
    let names = FUNCTIONS.iter().map(|function| function.binary()).chain([EMPTY]);
    names
        .map(|name| {
            let binary = directory.join(name).join("bootstrap");
            let archive = binary.with_extension("zip");
            // As `sam package` does, with the ordinary compression.
            let mut zip = program(&python, &directory.join(name));
            capture(zip.args(["-m", "zipfile", "--create"]).arg(&archive).arg("bootstrap"))?;
            let (bytes, zipped) = (fs::metadata(&binary)?.len(), fs::metadata(&archive)?.len());
            Ok(Built { name, binary, bytes, zipped })
        })
        .collect()
}

fn megabytes(bytes: u64) -> String {
    // Hundredths, without floating point.
    let hundredths = bytes * 100 / MIB;
    format!("{}.{:02} MB", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_binary_megabytes() {
        assert_eq!(megabytes(0), "0.00 MB");
        assert_eq!(megabytes(MIB + MIB / 2), "1.50 MB");
        assert_eq!(megabytes(MOST_BYTES), "8.00 MB");
    }
}
