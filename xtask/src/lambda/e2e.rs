//! `cargo xtask lambda e2e`: the template deployed into an emulated account, with the real binaries (`tests/aws`).

use std::{fs, path::PathBuf};

use super::{FUNCTIONS, TEST_ONLY, emulator_tools};
use crate::{
    Context,
    command::{Result, program, run as run_command, watch},
    gate::Done,
    python, suites, system,
};

/// Builds the functions, and runs the suite with these arguments for pytest.
///
/// The binaries are those of the ordinary development build, so that most of what they are made of is there already when
/// this is a step of `cargo xtask test`. They differ from the ones that are deployed in how they are optimised, and in the
/// feature `emulator`: it lets credentials go to this machine, where the test's providers are.
pub(crate) fn run(context: &Context, arguments: &[&str]) -> Result<Done> {
    let python = emulator_tools(context)?;
    let binaries = build(context)?;
    let suite = context.root.join("tests/aws");
    let mut pytest = program(&python, &suite);
    pytest.env("ALTER_FUNCTIONS", binaries);
    pytest.env("ALTER_RECORDED", context.target.join("aws-e2e/recorded-calls.json"));
    pytest.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).args(arguments);
    suites::some(watch(&mut pytest, python::passed)?)
}

/// The directory with the functions, named after their binaries and without symbols: they are copied a few times.
fn build(context: &Context) -> Result<PathBuf> {
    system::need_c_compiler()?;
    let mut cargo = program(&context.cargo, &context.root);
    // The whole workspace: a part of it would want other features of shared dependencies, and so builds of their own.
    cargo.args(["build", "--workspace"]);
    for function in FUNCTIONS {
        cargo.args(["--bin", function.binary(), "--features", &format!("{}/lambda", function.package())]);
    }
    run_command(cargo.args(["--features", &TEST_ONLY.join(",")]))?;
    let directory = context.target.join("aws-e2e/functions");
    fs::create_dir_all(&directory)?;
    for function in FUNCTIONS {
        let mut strip = program("strip", &context.root);
        strip.arg("-o").arg(directory.join(function.binary()));
        run_command(strip.arg(context.target.join("debug").join(function.binary())))?;
    }
    Ok(directory)
}
