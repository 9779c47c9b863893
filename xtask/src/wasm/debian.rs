//! Debian's packaged Rust, unpacked into a private folder.

use std::{
    fs,
    fs::File,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{TARGET, Toolchain, has_source};
use crate::{
    Context,
    command::{Result, capture, program, run},
    system,
};

/// What is asked for by these names; on what they depend has a version in its name, and is looked up.
const COMPILER: &str = "rustc-web";
const STANDARD_LIBRARY: &str = "libstd-rust-web-dev";
const SOURCE: &str = "rust-web-src";
/// The beginnings of those names.
const VERSIONED: [&str; 2] = ["libstd-rust-web-", "libllvm"];

/// A crate with nothing in it, for whose sake the standard library is built. What lies in it is made for size, as the
/// site is; its bitcode is kept, which optimisation across crates needs.
const MANIFEST: &str = "\
[workspace]

[package]
name = \"only-std\"
version = \"0.0.0\"
edition = \"2024\"

[lib]
path = \"lib.rs\"

[profile.release]
opt-level = \"s\"
panic = \"abort\"
";

/// Makes sure that it is there: about a minute, once.
pub(super) fn prepare(context: &Context) -> Result<Toolchain> {
    fs::create_dir_all(&context.target)?;
    // Two at once would unpack over each other.
    let lock = File::create(context.target.join("wasm-toolchain.lock"))?;
    lock.lock()?;
    let folder = context.target.join("wasm-toolchain");
    let toolchain = Toolchain::Debian { rustc: folder.join("rustc"), linker: linker(context)? };
    let ready = folder.join("ready");
    if !ready.exists() || !has_source(&folder.join("usr")) {
        println!("unpacking Debian's Rust into {} (about a minute, once)", folder.display());
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        unpack(&folder)?;
        wrap(&folder)?;
        build_std(context, &folder, &toolchain)?;
        fs::write(ready, "")?;
    }
    Ok(toolchain)
}

/// The linker that came with the active compiler.
fn linker(context: &Context) -> Result<PathBuf> {
    let ask = |arguments: &[&str]| capture(program("rustc", &context.root).args(arguments));
    let (sysroot, about) = (ask(&["--print", "sysroot"])?, ask(&["-vV"])?);
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
    let linker = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin/rust-lld");
    if linker.exists() { Ok(linker) } else { Err(format!("there is no {}", linker.display()).into()) }
}

fn unpack(folder: &Path) -> Result {
    for (binary, package) in [("apt-get", "apt"), ("dpkg", "dpkg")] {
        let why =
            "fetches a compiler for the browser; `rustup target add wasm32-unknown-unknown` does as well";
        system::need(binary, package, why)?;
    }
    let packages = folder.join("packages");
    fs::create_dir(&packages)?;
    let fetch = || {
        let names = names(folder)?;
        let mut apt = program("apt-get", &packages);
        run(apt.args(["-qq", "-o", "APT::Sandbox::User=root", "download"]).args(names))
    };
    // The list of packages may be old or absent: refresh it only when the first try fails.
    fetch().or_else(|_| system::refresh_packages().and_then(|()| fetch()))?;
    for package in fs::read_dir(&packages)? {
        run(program("dpkg", folder).arg("-x").arg(package?.path()).arg(folder))?;
    }
    fs::remove_dir_all(packages)?;
    only_library(&folder.join("usr/lib/rustlib/src/rust"))
}

/// Of the source of everything, the standard library's is kept: it is built anew where it is to be small.
fn only_library(source: &Path) -> Result {
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        if entry.file_name() == "library" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// All packages, those with a version in their name found by following who depends on whom.
fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = [COMPILER, STANDARD_LIBRARY, SOURCE].map(str::to_owned).to_vec();
    let mut last = STANDARD_LIBRARY.to_owned();
    for beginning in VERSIONED {
        let said = capture(program("apt-cache", folder).args(["depends", "--important", &last]))?;
        last = depends(&said)
            .find(|name| name.starts_with(beginning))
            .ok_or_else(|| format!("{last} depends on no {beginning}…"))?
            .to_owned();
        names.push(last.clone());
    }
    Ok(names)
}

/// `  Depends: libllvm22`
fn depends(said: &str) -> impl Iterator<Item = &str> {
    said.lines().filter_map(|line| line.trim_start().strip_prefix("Depends: ")).map(str::trim)
}

/// The compiler does not know where its libraries are; a script says it.
fn wrap(folder: &Path) -> Result {
    let script = folder.join("rustc");
    let (at, architecture) = (folder.display(), std::env::consts::ARCH);
    let libraries = format!("{at}/usr/lib/{architecture}-linux-gnu");
    let text = format!("#!/bin/sh\nLD_LIBRARY_PATH='{libraries}' exec '{at}/usr/bin/rustc' \"$@\"\n");
    fs::write(&script, text)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Builds the standard library and puts it where the compiler looks, for builds that are to be quick.
fn build_std(context: &Context, folder: &Path, toolchain: &Toolchain) -> Result {
    system::need_c_compiler()?;
    let work = folder.join("std");
    fs::create_dir(&work)?;
    fs::write(work.join("Cargo.toml"), MANIFEST)?;
    fs::write(work.join("lib.rs"), "#![no_std]\n")?;
    let mut cargo = program(&context.cargo, &work);
    cargo.args(["build", "--quiet", "--release", "-Zbuild-std=std,panic_abort", "--target", TARGET]);
    cargo.args(["--target-dir", "target"]);
    toolchain.compile_with(&mut cargo);
    // The compiler is a stable one: it builds its own library only when told that this is what is being done.
    run(cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Cembed-bitcode=yes"))?;
    let installed = folder.join("usr/lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&installed)?;
    for file in fs::read_dir(work.join("target").join(TARGET).join("release/deps"))? {
        let file = file?;
        let name = file.file_name();
        let is_library = Path::new(&name).extension().is_some_and(|extension| extension == "rlib");
        if is_library && !name.to_string_lossy().starts_with("libonly_std-") {
            fs::copy(file.path(), installed.join(name))?;
        }
    }
    Ok(fs::remove_dir_all(work)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read() {
        let said = "libstd-rust-web-dev\n  Depends: libstd-rust-web-1.96\n  Conflicts: <rustup>\n";
        assert_eq!(depends(said).collect::<Vec<_>>(), ["libstd-rust-web-1.96"]);
    }
}
