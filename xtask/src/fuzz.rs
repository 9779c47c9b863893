//! Fuzzing with libFuzzer on the stable compiler (`fuzz/`).
//!
//! The instrumentation is LLVM's, asked for by flags, so neither a nightly compiler nor cargo-fuzz is needed. The flags
//! are set for a target directory of its own: the ordinary build is not touched.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Mutex,
    thread,
};

use crate::{
    Context,
    command::{Result, announce, capture, program, run as run_command},
    gate::Done,
    system,
};

const SECONDS: u64 = 60;
const QUICK_SECONDS: u64 = 10;

const INSTRUMENTATION: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1";

/// `cargo xtask fuzz [TARGET] [--seconds N]`.
pub(crate) fn run(context: &Context, arguments: &[String]) -> Result {
    let targets = targets(context)?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (target, seconds) = match arguments.as_slice() {
        [] => {
            println!("{}", targets.join("\n"));
            return Ok(());
        }
        [target] => (*target, SECONDS),
        [target, "--seconds", number] => {
            (*target, number.parse().map_err(|_| format!("{number} is no number"))?)
        }
        _ => return Err("usage: cargo xtask fuzz TARGET [--seconds N]".into()),
    };
    if !targets.iter().any(|known| known == target) {
        return Err(format!("no target {target}; there are {}", targets.join(", ")).into());
    }
    let binaries = build(context)?;
    println!("{}", fuzz(context, &binaries, target, seconds)?);
    Ok(())
}

/// All targets, as many at a time as there are cores.
pub(crate) fn all(context: &Context, quick: bool) -> Result<Done> {
    let seconds = if quick { QUICK_SECONDS } else { SECONDS };
    let mut targets = targets(context)?;
    let count = targets.len();
    let binaries = build(context)?;
    targets.reverse();
    let open = Mutex::new(targets);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(target) = open.lock().ok().and_then(|mut open| open.pop()) {
                    match fuzz(context, &binaries, &target, seconds) {
                        Ok(said) => println!("{said}"),
                        Err(failure) => {
                            if let Ok(mut all) = failures.lock() {
                                all.push(failure.to_string());
                            }
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().map_err(|_| "a fuzzing thread died")?;
    if failures.is_empty() { Ok(Done::Tests(count as u64)) } else { Err(failures.join("\n\n").into()) }
}

/// One target for a time. What it learns is kept in `target/fuzz/corpus`; the seeds are not written to.
fn fuzz(context: &Context, binaries: &Path, target: &str, seconds: u64) -> Result<String> {
    let work = context.target.join("fuzz");
    let (corpus, crashes) = (work.join("corpus").join(target), work.join("crashes"));
    let seeds = context.root.join("fuzz/seeds").join(target);
    for directory in [&corpus, &crashes] {
        fs::create_dir_all(directory)?;
    }
    let mut command = program(binaries.join(target), &context.root);
    let limits = [
        format!("-max_total_time={seconds}"),
        "-timeout=10".into(),
        "-rss_limit_mb=2048".into(),
        "-max_len=4096".into(),
    ];
    command
        .args(limits)
        .arg("-print_final_stats=1")
        .arg(format!("-artifact_prefix={}/{target}-", crashes.display()));
    command.arg(&corpus).arg(&seeds);
    announce(&command);
    // libFuzzer's own frames are most of a backtrace; the input is what one needs.
    command.env("RUST_BACKTRACE", "0");
    let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        let runs = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
        let covered =
            said.lines().rev().find_map(|line| line.split_once(" cov: ")?.1.split_whitespace().next());
        let (runs, covered) = (runs.unwrap_or_default().trim(), covered.unwrap_or("?"));
        return Ok(format!("{target}: {runs} inputs in {seconds} s, {covered} edges covered, no crash"));
    }
    let input =
        said.lines().find_map(|line| line.split_once("Test unit written to ").map(|(_, path)| path.trim()));
    let input = input.unwrap_or("(none was written)");
    Err(format!(
        "{}\n\nfuzz target {target} failed on the input {input}\nrun it again: {} {input}",
        complaint(&said),
        binaries.join(target).display()
    )
    .into())
}

/// Builds all targets and returns where they are.
fn build(context: &Context) -> Result<PathBuf> {
    system::need_cpp_compiler()?;
    let host = capture(program("rustc", &context.root).arg("-vV"))?;
    let host =
        host.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?.to_owned();
    let directory = context.target.join("fuzz");
    let mut command = program(&context.cargo, &context.root);
    command.env("RUSTFLAGS", INSTRUMENTATION).args(["build", "--release", "--bins", "--target", &host]);
    // With `--target` the flags do not reach build scripts and procedural macros.
    command.args(["--manifest-path", "fuzz/Cargo.toml", "--target-dir"]).arg(&directory);
    run_command(&mut command)?;
    Ok(directory.join(host).join("release"))
}

/// The targets are the files in `fuzz/src/bin`.
fn targets(context: &Context) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(context.root.join("fuzz/src/bin"))? {
        names.extend(entry?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    if names.is_empty() { Err("fuzz/src/bin is empty".into()) } else { Ok(names) }
}

/// What the target said, without the statistics before and the input's bytes after it.
fn complaint(said: &str) -> String {
    let from =
        said.lines().position(|line| line.contains("panicked at") || line.contains("ERROR: libFuzzer"));
    said.lines().skip(from.unwrap_or_default()).take(12).collect::<Vec<_>>().join("\n")
}
