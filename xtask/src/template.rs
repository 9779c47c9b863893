//! The template of the deployment on AWS (`template.yaml`): what `infra/check` says of it.

use crate::{
    Context,
    command::{Result, program, run as run_command, watch},
    gate::Done,
    lambda, python, suites,
};

const USAGE: &str = "usage: cargo xtask template check | permissions";

pub(crate) fn run(context: &Context, arguments: &[String]) -> Result {
    match arguments {
        [verb] if verb == "check" => check(context).map(drop),
        [verb] if verb == "permissions" => permissions(context),
        _ => Err(USAGE.into()),
    }
}

/// Translates, lints, and holds the result to our rules; and breaks the template in every way there is a rule for.
pub(crate) fn check(context: &Context) -> Result<Done> {
    let mut command = program(environment(context)?, &context.root);
    suites::some(watch(command.arg("infra/check/main.py"), python::passed)?)
}

/// Holds what the functions may do against what the end-to-end test has seen them do.
pub(crate) fn permissions(context: &Context) -> Result {
    run_command(program(environment(context)?, &context.root).arg("infra/check/permissions.py"))
}

/// The same as the end-to-end test's: it has what translates and lints.
fn environment(context: &Context) -> Result<std::path::PathBuf> {
    lambda::emulator_tools(context)
}
