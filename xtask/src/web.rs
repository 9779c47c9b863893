//! The web tests (`tests/web`): the published clients, unmodified, and the Wallet's site in Chromium against the real binary, with
//! certified OpenID providers on the far side.

use std::path::Path;

use crate::{
    Context,
    command::{Result, program, run as run_command, watch, works},
    gate::Done,
    python, suites, system, wallet,
};

pub(crate) fn run(context: &Context) -> Result<Done> {
    let suite = context.root.join("tests/web");
    system::need_c_compiler()?;
    let binary = suites::binary(context)?;
    system::need("chromium", "chromium", "is the browser of the web tests")?;
    provider(context)?;
    let [site, blank] = wallet::sites(context)?;
    let mut node = program("node", &suite);
    node.env("ALTER_BIN", binary).env("ALTER_SDK_PYTHON", python::published_client(context)?);
    node.env("ALTER_WALLET_DIR", site).env("ALTER_WALLET_BLANK", blank);
    node.args(["--test", "--test-reporter=spec", "--test-timeout=120000"]);
    suites::some(watch(&mut node, passed)?)
}

/// Makes sure that the certified provider can be started, which other suites have on the far side too.
pub(crate) fn provider(context: &Context) -> Result {
    let suite = context.root.join("tests/web");
    need_node(&suite)?;
    install(&suite)
}

/// Debian's own Node may be older than the provider can stand: a version is asked for, not only a program.
fn need_node(suite: &Path) -> Result {
    system::need("node", "nodejs", "runs the web tests")?;
    system::need("npm", "npm", "installs what the web tests pin")?;
    let is_new = "process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)";
    if works(program("node", suite).args(["-e", is_new])) {
        Ok(())
    } else {
        Err("the web tests need Node.js 20 or newer".into())
    }
}

/// Installs what the lock file pins, when it has changed since the last time. No package's own scripts run, and no
/// browser is downloaded: Debian's is used.
fn install(suite: &Path) -> Result {
    let wanted = std::fs::read_to_string(suite.join("package-lock.json"))?;
    let installed = suite.join("node_modules/.installed.json");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    let mut npm = program("npm", suite);
    run_command(npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]))?;
    std::fs::write(installed, wanted)?;
    Ok(())
}

/// `ℹ pass 12`
fn passed(line: &str) -> Option<u64> {
    line.strip_prefix("ℹ pass ")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_are_counted() {
        assert_eq!(passed("ℹ pass 12"), Some(12));
        assert_eq!(passed("ℹ fail 12"), None);
        assert_eq!(passed("✔ a pass 12 (1ms)"), None);
    }
}
