//! Help is read more often than any page: it is held as it is printed.

use crate::support::alone;

fn help(args: &[&str]) -> String {
    let run = alone(&[args, &["--help"]].concat());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    run.stdout
}

#[test]
fn alter() {
    insta::assert_snapshot!(help(&[]));
}

#[test]
fn secret_create() {
    insta::assert_snapshot!(help(&["secret", "create"]));
}

#[test]
fn grant() {
    insta::assert_snapshot!(help(&["grant"]));
}

#[test]
fn call() {
    insta::assert_snapshot!(help(&["call"]));
}

#[test]
fn every_noun_shows_examples() {
    for noun in [
        "app", "key", "agent", "secret", "provider", "idp", "user", "grant", "audit", "token", "call",
        "sign", "serve", "demo",
    ] {
        let help = help(&[noun]);
        assert!(help.contains("Examples:") && help.contains(&format!("alter {noun}")), "{noun}: {help}");
    }
}

#[test]
fn who_serves_learns_of_proxies() {
    let help = help(&["serve"]);
    assert!(help.contains("--trusted-proxy <CIDR>") && help.contains("ALTER_TRUSTED_PROXIES"), "{help}");
}

#[test]
fn completions_are_made_for_shells() {
    let run = alone(&["completions", "bash"]);
    assert!(run.code == 0 && run.stdout.contains("_alter()"), "{}", run.stderr);
}
