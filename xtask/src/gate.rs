//! `cargo xtask test`: everything that must hold, in order, up to the first failure.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    Context,
    command::{Result, program, run as run_command},
    deny, fuzz, python, source, suites, system, tree, unused,
};

/// What a step did.
pub(crate) enum Done {
    /// One check, held.
    Held,
    /// A suite with this many tests, all passed.
    Tests(u64),
    /// Could not be done here, for this reason; the step is optional.
    Skipped(String),
}

struct Step {
    name: &'static str,
    run: fn(&Context, quick: bool) -> Result<Done>,
}

const STEPS: [Step; 15] = [
    Step { name: "format", run: |context, _| cargo(context, &["fmt", "--all", "--check"]) },
    Step {
        name: "lints",
        run: |context, _| {
            system::need_c_compiler()?;
            cargo(context, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
        },
    },
    Step { name: "tests", run: |context, _| suites::run(context) },
    Step { name: "tests in documentation", run: |context, _| suites::documentation(context) },
    Step { name: "published Python client", run: |context, _| python::run(context) },
    Step { name: "fuzzing", run: fuzz::all },
    Step { name: "wasm", run: |context, _| wasm(context) },
    Step { name: "documentation", run: |context, _| documentation(context) },
    Step { name: "licences, bans and sources", run: |context, _| deny::run(context) },
    Step { name: "unused dependencies", run: |context, _| unused::check(context).map(held) },
    Step { name: "who depends on whom", run: |context, _| tree::check(context).map(held) },
    Step { name: "who may see a secret", run: |context, _| source::check_exposures(&context.root).map(held) },
    Step { name: "length of files", run: |context, _| source::check_lengths(&context.root).map(held) },
    Step {
        name: "nothing left for later",
        run: |context, _| source::check_leftovers(&context.root).map(held),
    },
    Step { name: "work tree", run: |context, _| lock_files(context) },
];

pub(crate) fn run(context: &Context, quick: bool) -> Result {
    let begun = Instant::now();
    let mut lines = Vec::new();
    let mut passed = 0;
    let mut failure = None;
    for (number, step) in STEPS.iter().enumerate() {
        println!("\n── {}/{} {} ──", number + 1, STEPS.len(), step.name);
        let begun = Instant::now();
        let result = (step.run)(context, quick);
        let took = seconds(begun.elapsed());
        let (mark, note) = match &result {
            Ok(Done::Held) => (PASSED, String::new()),
            Ok(Done::Tests(count)) => (PASSED, format!("{count} passed")),
            Ok(Done::Skipped(reason)) => (SKIPPED, format!("skipped: {reason}")),
            Err(_) => (FAILED, "see above".to_owned()),
        };
        passed += match &result {
            Ok(Done::Held) => 1,
            Ok(Done::Tests(count)) => *count,
            Ok(Done::Skipped(_)) | Err(_) => 0,
        };
        let line = format!("{mark} {:<28} {took:>8}  {note}", step.name);
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
    for step in STEPS.iter().skip_while(|step| Some(step.name) != failure).skip(1) {
        println!("· {:<28} not reached", step.name);
    }
    // Counted by machines: one line, in this form, last.
    println!("\nxtask: {passed} passed, {} failed", u8::from(failure.is_some()));
    failure.map_or(Ok(()), |name| Err(format!("step `{name}` failed").into()))
}

const PASSED: char = '✓';
const FAILED: char = '✗';
const SKIPPED: char = '–';

fn held(_: ()) -> Done {
    Done::Held
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn cargo(context: &Context, arguments: &[&str]) -> Result<Done> {
    run_command(program(&context.cargo, &context.root).args(arguments)).map(held)
}

/// The crate that the browser shares with the server must build for it.
fn wasm(context: &Context) -> Result<Done> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let sysroot = crate::command::capture(program("rustc", &context.root).args(["--print", "sysroot"]))?;
    if !Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).exists() {
        return Ok(Done::Skipped(format!("the standard library for {TARGET} is not installed")));
    }
    cargo(context, &["check", "--package", "alter-api-types", "--target", TARGET])
}

fn documentation(context: &Context) -> Result<Done> {
    let mut command: Command = program(&context.cargo, &context.root);
    command.env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--no-deps", "--workspace"]);
    run_command(&mut command).map(held)
}

/// A lock file that does not match its manifests was rewritten by the steps before; what was tested is then not what
/// is in the commit.
fn lock_files(context: &Context) -> Result<Done> {
    let mut git = program("git", &context.root);
    git.args(["diff", "--exit-code", "--stat", "--", "Cargo.lock", "fuzz/Cargo.lock"]);
    run_command(&mut git).map(held)
}
