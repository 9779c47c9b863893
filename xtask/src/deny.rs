//! Licences, banned crates and sources, by cargo-deny (`deny.toml`).
//!
//! The database of advisories lives in a git repository that a closed network does not reach; that check is for a
//! scheduled job with network, `cargo deny check advisories`, and not for the gate, which must not change its verdict
//! on unchanged code.

use crate::{
    Context,
    command::{Result, capture, program, run as run_command},
    gate::Done,
    wallet,
};

/// Pinned, so that the verdict does not change by itself.
const VERSION: &str = "0.20.2";

pub(crate) fn run(context: &Context) -> Result<Done> {
    let own = context.target.join("tools/bin/cargo-deny");
    let is_right = |name: &std::path::Path| {
        capture(program(name, &context.root).arg("--version"))
            .is_ok_and(|said| said.trim().ends_with(VERSION))
    };
    let anywhere = std::path::Path::new("cargo-deny");
    let tool = if is_right(anywhere) { anywhere.to_path_buf() } else { own };
    if !is_right(&tool) {
        println!("installing cargo-deny {VERSION} into target/tools (one to two minutes, once)");
        let mut install = program(&context.cargo, &context.root);
        install.args([
            "install",
            "--quiet",
            // Half the time to build, and seconds to check with.
            "--debug",
            "--locked",
            "--no-default-features",
            "--version",
            VERSION,
            "--root",
        ]);
        run_command(install.arg(context.target.join("tools")).arg("cargo-deny"))?;
    }
    println!("without advisories: their database is not part of a reproducible build");
    // What ships: the vault, and the site that is sent to browsers.
    for manifest in ["Cargo.toml", wallet::MANIFEST] {
        let mut check = program(&tool, &context.root);
        check.args(["--manifest-path", manifest, "--config", "deny.toml", "check"]);
        run_command(check.args(["--hide-inclusion-graph", "bans", "licenses", "sources"]))?;
    }
    Ok(Done::Held)
}
