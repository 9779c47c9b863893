//! Dependencies that nothing names: slower builds, and a larger surface to trust, for nothing.
//!
//! A dependency counts as used when the crate's code names it as a path. That is enough to be right, and it costs
//! milliseconds where an installed tool would cost a minute in every fresh clone.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{Context, command::Result, metadata, source::rust_files};

pub(crate) fn check(context: &Context) -> Result {
    let members = metadata::members(context)?;
    let mut found = Vec::new();
    let mut named = BTreeSet::new();
    for member in &members {
        let code = all_code(&context.root.join(&member.directory))?;
        for dependency in &member.dependencies {
            named.insert(dependency.name.clone());
            if !names(&code, &dependency.in_code) {
                let manifest = member.directory.join("Cargo.toml");
                found.push(format!("{}: {} is not used", manifest.display(), dependency.name));
            }
        }
    }
    let manifest = fs::read_to_string(context.root.join("Cargo.toml"))?;
    for name in workspace_dependencies(&manifest) {
        if !named.contains(name) {
            found.push(format!("Cargo.toml: no member uses {name}"));
        }
    }
    if found.is_empty() { Ok(()) } else { Err(found.join("\n").into()) }
}

fn all_code(directory: &Path) -> Result<String> {
    let mut code = String::new();
    for file in rust_files(directory)? {
        code.push_str(&fs::read_to_string(file)?);
    }
    Ok(code)
}

/// `name::…`, or `name` behind `use` or `extern crate`, as a whole word.
fn names(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let (before, rest) = code.split_at(at);
        let after = rest.get(name.len()..).unwrap_or_default();
        let begins = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let imported = before.ends_with("use ") || before.ends_with("extern crate ");
        begins && (after.starts_with("::") || imported && after.starts_with([';', ' ']))
    })
}

/// The left-hand sides of `[workspace.dependencies]`.
fn workspace_dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let section = manifest.lines().skip_while(|line| line.trim() != "[workspace.dependencies]").skip(1);
    section
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_and_imports_are_uses() {
        for code in [
            "use hex;",
            "let a = hex::encode(b);",
            "pub use hex as h;",
            "#[hex::derive]",
            "extern crate hex;",
        ] {
            assert!(names(code, "hex"), "{code}");
        }
        for code in ["// hex", "fn hex() {}", "let a = to_hex::f();", "use crate::hexa;", "\"hex\""] {
            assert!(!names(code, "hex"), "{code}");
        }
    }

    #[test]
    fn workspace_lines_are_read() {
        let manifest = "[workspace]\nmembers = []\n[workspace.dependencies]\n# why\na-b = \"1\" # c = d\nx = { version = \"2\" }\n\n[profile.dev]\ndebug = 1\n";
        assert_eq!(workspace_dependencies(manifest).collect::<Vec<_>>(), ["a-b", "x"]);
    }
}
