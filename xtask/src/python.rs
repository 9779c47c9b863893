//! The published Python client, unmodified, against the real binary (`tests/python`) with a certified OpenID provider on the
//! far side, and the environments in which tools written in Python run.

use std::path::{Path, PathBuf};

use crate::{
    Context,
    command::{Result, program, run as run_command, watch, works},
    gate::Done,
    suites, system, web,
};

pub(crate) fn run(context: &Context) -> Result<Done> {
    let suite = context.root.join("tests/python");
    // The clock that some tests set is written in C.
    system::need_c_compiler()?;
    let binary = suites::binary(context)?;
    web::provider(context)?;
    let python = published_client(context)?;
    let mut pytest = program(&python, &suite);
    pytest.env("ALTER_BIN", binary);
    pytest.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "."]);
    suites::some(watch(&mut pytest, passed)?)
}

/// The Python of `.venv`, in which the published client is installed.
pub(crate) fn published_client(context: &Context) -> Result<PathBuf> {
    let python = environment(context, &context.root.join(".venv"))?;
    install(context, &python, &context.root.join("tests/python/requirements.txt"))?;
    Ok(python)
}

/// The Python of `target/tools/<name>`, in which what the file pins is installed: it is made when it is not there, and
/// brought up to date when the file has changed.
pub(crate) fn tools(context: &Context, name: &str, requirements: &Path) -> Result<PathBuf> {
    let directory = context.target.join("tools").join(name);
    let installed = directory.join("installed.txt");
    let wanted = std::fs::read_to_string(context.root.join(requirements))?;
    let python = environment(context, &directory)?;
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    install(context, &python, &context.root.join(requirements))?;
    std::fs::write(installed, wanted)?;
    Ok(python)
}

fn install(context: &Context, python: &Path, requirements: &Path) -> Result {
    println!("installing what {} pins:", requirements.display());
    for line in std::fs::read_to_string(requirements)?.lines().filter(|line| !line.starts_with('#')) {
        println!("    {line}");
    }
    let mut pip = program(python, &context.root);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(requirements);
    run_command(&mut pip)
}

/// The Python of this environment, made when it is not there or does not start (the directory was moved, Python was
/// upgraded).
fn environment(context: &Context, directory: &Path) -> Result<PathBuf> {
    let python = directory.join("bin/python");
    if works(program(&python, &context.root).args(["-m", "pip", "--version"])) {
        return Ok(python);
    }
    println!("making a Python environment in {}", directory.display());
    let make =
        |root: &Path| run_command(program("python3", root).args(["-m", "venv", "--clear"]).arg(directory));
    system::need("python3", "python3", "runs the published client")?;
    // Debian splits venv off Python.
    if make(&context.root).is_err() && system::install("python3-venv", "makes the Python environment") {
        make(&context.root)?;
    }
    if works(program(&python, &context.root).args(["-m", "pip", "--version"])) {
        Ok(python)
    } else {
        Err("python3 cannot make a virtual environment (Debian: package python3-venv)".into())
    }
}

/// `12 passed, 1 skipped in 3.45s`, with or without a frame of `=`.
pub(crate) fn passed(line: &str) -> Option<u64> {
    let words: Vec<_> =
        line.trim_matches(['=', ' ']).split([' ', ',']).filter(|word| !word.is_empty()).collect();
    if !words.contains(&"in") {
        return None;
    }
    let at = words.iter().position(|word| *word == "passed")?;
    words.get(at.checked_sub(1)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_is_counted() {
        assert_eq!(passed("12 passed in 3.45s"), Some(12));
        assert_eq!(passed("==== 1 failed, 12 passed, 1 skipped in 3.45s ===="), Some(12));
        assert_eq!(passed("tests/test_a.py .... passed"), None);
        assert_eq!(passed("no tests ran in 0.01s"), None);
    }
}
