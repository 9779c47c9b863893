//! `cargo xtask test`: everything that must hold, in order, up to the first failure.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    Context,
    command::{Result, announce, capture, program, run as run_command},
    deny, fuzz, lambda, python, source, suites, system, template, tree, unused, wallet, web,
};

/// What a step did.
pub(crate) enum Done {
    /// One check, held.
    Held,
    /// A suite with this many tests, all passed.
    Tests(u64),
}

struct Step {
    name: &'static str,
    what: &'static str,
    run: fn(&Context, quick: bool) -> Result<Done>,
}

const STEPS: [Step; 18] = [
    Step {
        name: "format",
        what: "formatted as rustfmt does it",
        run: |context, _| {
            cargo(context, &["fmt", "--all", "--check"])?;
            cargo(context, &["fmt", "--all", "--check", "--manifest-path", wallet::MANIFEST])
        },
    },
    Step {
        name: "locks",
        what: "the lock files are those of the commit",
        run: |context, _| lock_files(context),
    },
    Step {
        name: "lints",
        what: "clippy on all targets, warnings denied",
        run: |context, _| {
            system::need_c_compiler()?;
            // With the functions' Lambda mains, which a feature holds back.
            let features: Vec<_> =
                lambda::FUNCTIONS.iter().map(|function| format!("{}/lambda", function.package())).collect();
            let features = features.join(",");
            let targets = ["clippy", "--workspace", "--all-targets", "--features", &features];
            cargo(context, &[&targets[..], &["--", "-D", "warnings"]].concat())?;
            wallet::lint(context).map(held)
        },
    },
    Step { name: "tests", what: "all suites in Rust", run: |context, _| suites::run(context) },
    Step {
        name: "doctests",
        what: "the examples in doc comments",
        run: |context, _| suites::documentation(context),
    },
    Step {
        name: "python",
        what: "the published Python client against the real binary",
        run: |context, _| python::run(context),
    },
    // Before the tests in a browser, which need the site.
    Step {
        name: "wallet",
        what: "the Wallet's site builds for the browser and is as small as it must be; its own tests",
        run: |context, _| wallet::check(context),
    },
    Step {
        name: "web",
        what: "the published browser client in Chromium against the real binary and a certified provider",
        run: |context, _| web::run(context),
    },
    Step {
        name: "template",
        what: "the template of the deployment on AWS keeps its rules",
        run: |context, _| template::check(context),
    },
    Step {
        name: "aws",
        what: "the functions in an emulated account, used by the published client",
        run: |context, _| lambda::end_to_end(context),
    },
    Step { name: "fuzz", what: "each fuzz target for a minute", run: fuzz::all },
    Step { name: "docs", what: "documentation, warnings denied", run: |context, _| documentation(context) },
    Step { name: "deny", what: "licences, banned crates, sources", run: |context, _| deny::run(context) },
    Step {
        name: "unused",
        what: "no dependency that nothing names",
        run: |context, _| unused::check(context).map(held),
    },
    Step { name: "layers", what: "who may depend on whom", run: |context, _| tree::check(context).map(held) },
    Step {
        name: "exposures",
        what: "who may see a secret's value",
        run: |context, _| source::check_exposures(&context.root).map(held),
    },
    Step {
        name: "lengths",
        what: "no file longer than it should be",
        run: |context, _| source::check_lengths(&context.root).map(held),
    },
    Step {
        name: "leftovers",
        what: "no mark of unfinished work",
        run: |context, _| source::check_leftovers(&context.root).map(held),
    },
];

/// Runs the steps named in `only`, or all of them.
pub(crate) fn run(context: &Context, quick: bool, only: &[String]) -> Result {
    if let Some(unknown) = only.iter().find(|name| !STEPS.iter().any(|step| step.name == *name)) {
        return Err(format!("there is no step {unknown}; there are\n{}", names()).into());
    }
    let steps: Vec<&Step> =
        STEPS.iter().filter(|step| only.is_empty() || only.iter().any(|name| name == step.name)).collect();
    let begun = Instant::now();
    let mut lines = Vec::new();
    let mut passed = 0;
    let mut failure = None;
    for (number, step) in steps.iter().enumerate() {
        println!("\n── {}/{} {}: {} ──", number + 1, steps.len(), step.name, step.what);
        let begun = Instant::now();
        let result = (step.run)(context, quick);
        let took = seconds(begun.elapsed());
        let (mark, note) = match &result {
            Ok(Done::Held) => (PASSED, String::new()),
            Ok(Done::Tests(count)) => (PASSED, format!("{count} passed")),
            Err(_) => (FAILED, "see above".to_owned()),
        };
        passed += match &result {
            Ok(Done::Held) => 1,
            Ok(Done::Tests(count)) => *count,
            Err(_) => 0,
        };
        let line = format!("{mark} {:<12} {took:>8}  {note}", step.name);
        println!("{}", line.trim_end());
        lines.push(line);
        if let Err(error) = result {
            println!("\n{error}");
            failure = Some(step.name);
            break;
        }
    }
    println!("\n── summary, {} in all ──", seconds(begun.elapsed()));
    for line in lines {
        println!("{}", line.trim_end());
    }
    for step in steps.iter().skip_while(|step| Some(step.name) != failure).skip(1) {
        println!("· {:<12} not reached", step.name);
    }
    // Counted by machines: one line, in this form, last.
    println!("\nxtask: {passed} passed, {} failed", u8::from(failure.is_some()));
    failure.map_or(Ok(()), |name| Err(format!("step `{name}` failed").into()))
}

/// The steps, one a line.
pub(crate) fn names() -> String {
    STEPS.iter().map(|step| format!("  {:<12}{}\n", step.name, step.what)).collect()
}

const PASSED: char = '✓';
const FAILED: char = '✗';

fn held(_: ()) -> Done {
    Done::Held
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn cargo(context: &Context, arguments: &[&str]) -> Result<Done> {
    run_command(program(&context.cargo, &context.root).args(arguments)).map(held)
}

fn documentation(context: &Context) -> Result<Done> {
    let mut command: Command = program(&context.cargo, &context.root);
    command.env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--no-deps", "--workspace"]);
    run_command(&mut command).map(held)
}

/// A lock file that does not match its manifests would be rewritten by the steps that follow: what is tested would not be
/// what is in the commit.
fn lock_files(context: &Context) -> Result<Done> {
    let others = ["fuzz/Cargo.toml", "emulator/Cargo.toml", "emulator/kms/Cargo.toml", wallet::MANIFEST];
    for manifest in std::iter::once("Cargo.toml").chain(others) {
        let metadata = ["metadata", "--locked", "--format-version", "1", "--manifest-path", manifest];
        let mut command = program(&context.cargo, &context.root);
        announce(command.args(metadata));
        if let Err(error) = capture(&mut command) {
            let mend = format!("cargo update --workspace --manifest-path {manifest}");
            return Err(format!("{error}\nthe lock file can be brought up to date with `{mend}`").into());
        }
    }
    Ok(Done::Held)
}
