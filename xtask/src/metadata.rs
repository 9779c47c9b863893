//! The workspace as cargo sees it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{
    Context,
    command::{Result, capture, program},
    wallet,
};

/// When a dependency is compiled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Dev,
    Build,
}

#[derive(Debug)]
pub(crate) struct Dependency {
    /// The package's name.
    pub(crate) name: String,
    /// What it is called in code, with underscores.
    pub(crate) in_code: String,
    pub(crate) kind: Kind,
    /// Compiled in only with a feature.
    pub(crate) optional: bool,
}

/// A member of the workspace.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Below the repository: `shared/adapters/http`.
    pub(crate) directory: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// The members of the workspace, and of the Wallet's site, which is one of its own.
pub(crate) fn members(context: &Context) -> Result<Vec<Member>> {
    let mut members = members_of(context, "Cargo.toml")?;
    members.extend(members_of(context, wallet::MANIFEST)?);
    Ok(members)
}

fn members_of(context: &Context, manifest: &str) -> Result<Vec<Member>> {
    let mut command = program(&context.cargo, &context.root);
    command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path", manifest]);
    let text = capture(&mut command)?;
    let document: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let packages = array(&document, "packages");
    packages.iter().map(|package| member(package, &context.root)).collect()
}

fn member(package: &Value, root: &Path) -> Result<Member> {
    let manifest = Path::new(text(package, "manifest_path"));
    let directory = manifest.parent().and_then(|directory| directory.strip_prefix(root).ok());
    let directory = directory.ok_or("a member of the workspace lies outside the repository")?.to_path_buf();
    let dependencies = array(package, "dependencies").iter().map(dependency).collect();
    Ok(Member { name: text(package, "name").to_owned(), directory, dependencies })
}

fn dependency(value: &Value) -> Dependency {
    let name = text(value, "name");
    let in_code = Some(text(value, "rename")).filter(|rename| !rename.is_empty()).unwrap_or(name);
    let kind = match text(value, "kind") {
        "dev" => Kind::Dev,
        "build" => Kind::Build,
        _ => Kind::Normal,
    };
    let optional = value.get("optional").and_then(Value::as_bool).unwrap_or_default();
    Dependency { name: name.to_owned(), in_code: in_code.replace('-', "_"), kind, optional }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn array<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
