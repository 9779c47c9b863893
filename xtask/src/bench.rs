//! `cargo xtask bench`: the release build, then the load generator (its own `--help` explains what it measures).

use std::os::unix::process::CommandExt as _;

use crate::{
    Context,
    command::{Result, announce, program, run as run_command},
    system,
};

pub(crate) fn run(context: &Context, arguments: &[String]) -> Result {
    system::need_c_compiler()?;
    // One of the lines to compare with; the bench goes on without it and says so.
    system::want("nginx", "nginx", "to compare with");
    eprintln!("Building with all optimisations; this takes several minutes when something changed …");
    let packages = ["--package", "alter", "--package", "alter-bench"];
    run_command(
        program(&context.cargo, &context.root).args(["build", "--release", "--bins"]).args(packages),
    )?;
    let binaries = context.target.join("release");
    let mut bench = program(binaries.join("alter-bench"), &context.root);
    let arguments = arguments.strip_prefix(&["--".to_owned()]).unwrap_or(arguments);
    bench.arg("--vault").arg(binaries.join("alter")).args(arguments);
    announce(&bench);
    Err(bench.exec().into())
}
