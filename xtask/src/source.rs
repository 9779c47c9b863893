//! Rules on our own source text that no compiler checks.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use crate::command::Result;

/// Where code of ours lies.
const ROOTS: [&str; 7] = ["shared", "functions", "wallet-frontend", "tests", "bench", "fuzz", "xtask"];
/// What ships: only this is held to the list of exposures.
const SHIPPED: [&str; 3] = ["shared", "functions", "wallet-frontend"];

/// `Secret` and `SecretText` give their value away by these.
const CALLS: [&str; 2] = [".expose_secret(", ".reveal("];
const EXPOSURES: &str = "xtask/expose_secret.allow";
const LONG_FILES: &str = "xtask/long_files.allow";
const MAX_LINES: usize = 400;

/// Holds the files that take a secret's value out against the list: a new call site is a decision, made in a diff that
/// shows it. Tests are left out.
pub(crate) fn check_exposures(root: &Path) -> Result {
    let allowed = list(root, EXPOSURES)?;
    let mut calling = BTreeSet::new();
    for directory in SHIPPED {
        let files = rust_files(&root.join(directory))?;
        let test_modules: Vec<PathBuf> = files.iter().flat_map(|file| test_modules(file)).collect();
        for file in files {
            let is_test = file.components().any(|part| part.as_os_str() == "tests")
                || test_modules
                    .iter()
                    .any(|module| file.starts_with(module) || file == module.with_extension("rs"));
            let exposes = |text: &str| CALLS.iter().any(|call| text.contains(call));
            if !is_test && exposes(&without_tests(&fs::read_to_string(&file)?)) {
                calling.insert(name(root, &file));
            }
        }
    }
    let unlisted =
        calling.difference(&allowed).map(|file| format!("{file} shows a secret and is not in {EXPOSURES}"));
    let idle =
        allowed.difference(&calling).map(|file| format!("{file} is in {EXPOSURES} and shows no secret"));
    none(unlisted.chain(idle))
}

/// A file that does not fit in one head is two files.
pub(crate) fn check_lengths(root: &Path) -> Result {
    let allowed = list(root, LONG_FILES)?;
    let mut long = BTreeSet::new();
    for file in all_files(root)? {
        let lines = fs::read_to_string(&file)?.lines().count();
        if lines > MAX_LINES {
            long.insert((name(root, &file), lines));
        }
    }
    let is_long = |file: &String| long.iter().any(|(name, _)| name == file);
    let too_long = long.iter().filter(|(file, _)| !allowed.contains(file));
    let idle = allowed.iter().filter(|file| !is_long(file));
    none(
        too_long
            .map(|(file, lines)| format!("{file} has {lines} lines, more than {MAX_LINES}"))
            .chain(idle.map(|file| format!("{file} is in {LONG_FILES} and is not long"))),
    )
}

/// No marks of unfinished work: what is not done is an issue, not a comment.
pub(crate) fn check_leftovers(root: &Path) -> Result {
    // Spelt so that this file does not accuse itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
    ];
    let mut found = Vec::new();
    for file in all_files(root)? {
        for (number, line) in fs::read_to_string(&file)?.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                found.push(format!("{}:{}: {word}", name(root, &file), number + 1));
            }
        }
    }
    none(found)
}

/// All files of Rust below a directory, sorted. Build output is skipped.
pub(crate) fn rust_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                if !matches!(entry.file_name().to_str(), Some("target" | ".venv" | "node_modules")) {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn all_files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for directory in ROOTS {
        files.extend(rust_files(&root.join(directory))?);
    }
    Ok(files)
}

/// The lines of a list, without comments and what follows a blank.
fn list(root: &Path, file: &str) -> io::Result<BTreeSet<String>> {
    let text = fs::read_to_string(root.join(file))?;
    let names = text.lines().filter_map(|line| line.split('#').next()?.split_whitespace().next());
    Ok(names.map(str::to_owned).collect())
}

fn name(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).display().to_string()
}

fn none(found: impl IntoIterator<Item = String>) -> Result {
    let found: Vec<String> = found.into_iter().collect();
    if found.is_empty() { Ok(()) } else { Err(found.join("\n").into()) }
}

const TEST_ONLY: &str = "#[cfg(test)]";

/// The modules in files of their own that a file declares for tests only, as paths without extension.
fn test_modules(file: &Path) -> Vec<PathBuf> {
    let Ok(text) = fs::read_to_string(file) else { return Vec::new() };
    let is_root =
        matches!(file.file_name().and_then(|name| name.to_str()), Some("lib.rs" | "main.rs" | "mod.rs"));
    let directory = if is_root { file.with_file_name("") } else { file.with_extension("") };
    let mut lines = text.lines();
    let mut modules = Vec::new();
    while let Some(line) = lines.next() {
        if line != TEST_ONLY {
            continue;
        }
        let mut declared = lines.next().unwrap_or_default();
        if let Some(path) = declared.strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix(".rs\"]"))
        {
            modules.push(file.with_file_name(path));
            declared = lines.next().unwrap_or_default();
        }
        if let Some((_, module)) = declared.strip_suffix(';').and_then(|line| line.rsplit_once("mod ")) {
            modules.push(directory.join(module));
        }
    }
    modules
}

/// Leaves out each `#[cfg(test)] mod … { … }`. Formatted code closes a module with a brace at the beginning of a line; a
/// brace there in a text inside the tests ends them early, which can only make the rule stricter.
fn without_tests(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line == TEST_ONLY && lines.peek().is_some_and(|next| next.contains("mod ") && next.ends_with('{'))
        {
            lines.find(|line| *line == "}");
        } else {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Repository(PathBuf);

    impl Repository {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let root = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
            for directory in ROOTS {
                fs::create_dir_all(root.join(directory)).unwrap();
            }
            for (file, text) in files {
                let path = root.join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Self(root)
        }
    }

    impl Drop for Repository {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const CALL: &str = "fn f() { s.expose_secret(); }\n";

    #[test]
    fn each_exposure_is_listed_and_each_listed_file_exposes() {
        let in_tests = "fn g() {}\n#[cfg(test)]\nmod tests {\n    fn f() { s.expose_secret(); }\n}\n";
        let files = [
            ("shared/a.rs", CALL),
            ("shared/b.rs", in_tests),
            (
                "shared/c/mod.rs",
                "#[cfg(test)]\nmod probe;\n#[cfg(test)]\n#[path = \"c_tests.rs\"]\nmod tests;\n",
            ),
            ("shared/c/c_tests.rs", CALL),
            ("shared/c/probe.rs", CALL),
            ("shared/c/probe/more.rs", CALL),
            ("functions/x/tests/suite.rs", CALL),
            ("bench/b.rs", CALL),
        ];
        let repository = Repository::new("exposures", &files);
        let root = &repository.0;
        let verdict = |list: &str| {
            fs::write(root.join(EXPOSURES), list).unwrap();
            check_exposures(root)
        };
        assert!(verdict("# why\nshared/a.rs  # opens it\n").is_ok());
        assert!(verdict("").unwrap_err().to_string().contains("shared/a.rs shows"));
        assert!(verdict("shared/a.rs\nshared/b.rs\n").unwrap_err().to_string().contains("shared/b.rs is in"));
        fs::write(root.join("shared/b.rs"), format!("{in_tests}{CALL}")).unwrap();
        assert!(verdict("shared/a.rs\n").is_err());
    }

    #[test]
    fn long_files_and_leftovers_are_found() {
        let long = "// a line\n".repeat(MAX_LINES + 1);
        let left = format!("// {}: later\n", concat!("TO", "DO"));
        let files =
            [("shared/long.rs", long.as_str()), ("functions/left.rs", left.as_str()), (LONG_FILES, "")];
        let repository = Repository::new("lengths", &files);
        let root = &repository.0;
        assert!(check_lengths(root).unwrap_err().to_string().contains("shared/long.rs has 401 lines"));
        assert!(check_leftovers(root).unwrap_err().to_string().contains("functions/left.rs:1"));
        fs::write(root.join(LONG_FILES), "shared/long.rs # one table\n").unwrap();
        assert!(check_lengths(root).is_ok());
        fs::write(root.join("shared/long.rs"), "").unwrap();
        fs::write(root.join("functions/left.rs"), "").unwrap();
        assert!(check_lengths(root).is_err() && check_leftovers(root).is_ok());
    }
}
