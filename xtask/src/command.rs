//! Running other programs: always shown, never through a shell.

use std::{
    fmt,
    io::{BufRead, BufReader, IsTerminal as _, Read, Write},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
};

pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

/// What went wrong, for a person to read.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// A program in a directory. Standard input is closed, so nothing ever waits for an answer.
///
/// What `cargo run` tells this process about its own package is taken out of the environment: build scripts of others
/// (ring's) watch these variables, and would run again whenever plain cargo and this take turns.
pub(crate) fn program(name: impl AsRef<std::ffi::OsStr>, directory: &Path) -> Command {
    let mut command = Command::new(name);
    command.current_dir(directory).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_about_this_package) {
            command.env_remove(name);
        }
    }
    if std::io::stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    command
}

fn is_about_this_package(variable: &str) -> bool {
    let exact =
        ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_MANIFEST_LINKS", "CARGO_BIN_NAME", "OUT_DIR"];
    let more = ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "CARGO"];
    variable.starts_with("CARGO_PKG_") || exact.contains(&variable) || more.contains(&variable)
}

/// Runs to the end, output passing through.
pub(crate) fn run(command: &mut Command) -> Result {
    announce(command);
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", short(command)).into()) }
}

/// Runs to the end, output passing through line by line, and returns what `look` made of the lines (colours removed).
pub(crate) fn watch<T>(command: &mut Command, mut look: impl FnMut(&str) -> Option<T>) -> Result<Vec<T>> {
    announce(command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| not_started(command, &error))?;
    let (sender, lines) = mpsc::channel::<String>();
    let pipes: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|pipe| Box::new(pipe) as _),
        child.stderr.take().map(|pipe| Box::new(pipe) as _),
    ];
    let readers: Vec<_> = pipes
        .into_iter()
        .flatten()
        .map(|pipe| {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(pipe).split(b'\n').map_while(std::result::Result::ok) {
                    let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
                }
            })
        })
        .collect();
    drop(sender);
    let mut found = Vec::new();
    let mut out = std::io::stdout();
    for line in lines {
        found.extend(look(&without_colours(&line)));
        let _ = writeln!(out, "{line}");
    }
    for reader in readers {
        let _ = reader.join();
    }
    let status = child.wait()?;
    if status.success() { Ok(found) } else { Err(format!("{} ended with {status}", short(command)).into()) }
}

/// Runs quietly and returns standard output. On failure the error carries what the program said.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| not_started(command, &error))?;
    if output.status.success() {
        return String::from_utf8(output.stdout)
            .map_err(|_| format!("{} printed no text", short(command)).into());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{} ended with {}\n{}", short(command), output.status, said.trim_end()).into())
}

/// Whether the program can be started and says that all is well.
pub(crate) fn works(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Shows the command as it could be typed.
pub(crate) fn announce(command: &Command) {
    let variables = command
        .get_envs()
        .filter(|(name, _)| *name != "CARGO_TERM_COLOR")
        .filter_map(|(name, value)| Some(format!("{}='{}' ", name.to_str()?, value?.to_str()?)));
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    println!("$ {}{}", variables.collect::<String>(), words.join(" "));
}

fn short(command: &Command) -> String {
    let name =
        Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let first = command.get_args().next().unwrap_or_default().to_string_lossy().into_owned();
    format!("`{name} {first} …`")
}

fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    Failure(format!("{} could not be started: {error}", command.get_program().to_string_lossy()))
}

/// Takes out `ESC [ … letter`.
fn without_colours(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            rest.by_ref().find(char::is_ascii_alphabetic);
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_removed() {
        assert_eq!(without_colours("\u{1b}[32;1m  ok\u{1b}[0m, 3 passed"), "  ok, 3 passed");
    }

    /// cargo sets these for the test itself.
    #[test]
    fn children_do_not_hear_of_this_package() {
        let seen = capture(&mut program("env", Path::new("."))).unwrap();
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        assert!(
            !seen
                .lines()
                .any(|line| line.starts_with("CARGO_PKG_") || line.starts_with("CARGO_MANIFEST_DIR"))
        );
    }

    #[test]
    fn a_failing_program_is_a_failure_and_its_words_are_kept() {
        let here = Path::new(".");
        assert!(capture(program("cargo", here).arg("no-such-chore")).is_err());
        assert!(run(&mut program("no-such-program-anywhere", here)).is_err());
        let said =
            watch(program("cargo", here).arg("--version"), |line| line.strip_prefix("cargo ").map(str::len));
        assert_eq!(said.map(|lines| lines.len()).unwrap_or_default(), 1);
    }
}
