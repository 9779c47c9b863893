//! Takes the Wallet's site into the program: the files of the folder that `ALTER_WALLET_DIST` names, if it names one. A relative
//! path starts at the root of the repository.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

const VARIABLE: &str = "ALTER_WALLET_DIST";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let package = variable("CARGO_MANIFEST_DIR").ok_or("no package")?;
    let mut table = String::from("static EMBEDDED: &[(&str, &[u8])] = &[\n");
    if let Some(named) = variable(VARIABLE) {
        add(&mut table, &package.join("../..").join(named))?;
    }
    table.push_str("];\n");
    fs::write(variable("OUT_DIR").ok_or("no place to write to")?.join("wallet_site.rs"), table)?;
    Ok(())
}

fn add(table: &mut String, directory: &Path) -> Result<(), Box<dyn Error>> {
    let directory =
        directory.canonicalize().map_err(|error| format!("{VARIABLE}={}: {error}", directory.display()))?;
    if !directory.join("index.html").is_file() {
        return Err(format!("{VARIABLE}={}: there is no index.html", directory.display()).into());
    }
    println!("cargo::rerun-if-changed={}", directory.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(&directory)? {
        files.push(entry?.path());
    }
    // The same program from the same files, whatever order a file system names them in.
    files.sort();
    for path in files.iter().filter(|path| path.is_file()) {
        let name = path.file_name().unwrap_or_default();
        writeln!(table, "    ({name:?}, include_bytes!({path:?})),")?;
    }
    Ok(())
}
