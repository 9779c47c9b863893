//! What the operating system must bring. As root, what is missing is installed, and said.

use std::path::Path;

use crate::command::{Result, program, run, works};

/// SQLite and ring are C; so is the link step.
pub(crate) fn need_c_compiler() -> Result {
    need("cc", "build-essential", "compiles SQLite and ring")
}

/// libFuzzer is C++.
pub(crate) fn need_cpp_compiler() -> Result {
    need("c++", "build-essential", "compiles libFuzzer")
}

/// Makes sure that a program is there.
pub(crate) fn need(binary: &str, package: &str, why: &str) -> Result {
    if is_there(binary) || install(package, why) && is_there(binary) {
        return Ok(());
    }
    Err(format!("`{binary}` is missing ({why}); on Debian it is in the package {package}").into())
}

/// The same for what can be done without.
pub(crate) fn want(binary: &str, package: &str, why: &str) {
    if !is_there(binary) && !install(package, why) {
        eprintln!("`{binary}` is missing ({why}); going on without it");
    }
}

/// Installs a Debian package, if that is possible here.
pub(crate) fn install(package: &str, why: &str) -> bool {
    if !is_root() || !is_there("apt-get") {
        return false;
    }
    println!("installing the Debian package {package} ({why})");
    // The list of packages may be old or absent: refresh it only when the first try fails.
    let add = ["install", "--yes", "--no-install-recommends", package];
    apt(&add).or_else(|_| refresh_packages().and_then(|()| apt(&add))).is_ok()
}

/// Asks anew which packages there are. That is root's to do.
pub(crate) fn refresh_packages() -> Result {
    apt(&["update"])
}

fn apt(arguments: &[&str]) -> Result {
    let mut command = program("apt-get", Path::new("/"));
    command.env("DEBIAN_FRONTEND", "noninteractive");
    run(command.args(["-qq", "-o", "Dpkg::Use-Pty=0"]).args(arguments))
}

fn is_there(binary: &str) -> bool {
    works(program("sh", Path::new("/")).args(["-c", "command -v \"$0\"", binary]))
        || Path::new("/usr/sbin").join(binary).exists()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}
