//! Wrong use: exit code 2, a reason, and never the secret that somebody typed where it does not belong.

use crate::support::{Run, alone, alter, run, run_with};

const SECRET: &str = "hunter2-hunter2-hunter2";
const TOKEN: &str = "alter_pat_AbCdEfGhIjKlMnOp0123456789abcdefghijklmnopqrstuv";
const KEY: &str = "alter_key_app_AbCdEfGhIjKl0123456789abcdefghijk-_Z";

/// Signed in, to a vault that is not there: port 1 of this machine answers nobody.
fn signed_in(args: &[&str]) -> Run {
    let mut command = alter();
    command.args(args).env("ALTER_PAT", TOKEN).env("ALTER_URL", "http://127.0.0.1:1");
    run(command)
}

#[test]
fn wrong_arguments_exit_with_2() {
    let wrong: &[&[&str]] = &[
        &[],
        &["frobnicate"],
        &["app"],
        &["app", "create"],
        &["app", "list", "--limit", "0"],
        &["app", "list", "--limit", "1001"],
        &["app", "list", "--all", "--cursor", "x"],
        &["app", "list", "--output", "yaml"],
        &["key", "mint", "x", "--expires", "soon"],
        &["key", "rotate", "x", "--grace", "-1h"],
        &["grant", "issue", "stripe"],
        &["grant", "issue", "stripe", "--system", "--agent", "bot"],
        &["grant", "issue", "stripe", "--group", "staff"],
        &["grant", "get", "not-an-id"],
        &["grant", "list", "--status", "lost"],
        &["secret", "create", "X", "--value", "-"],
        &["secret", "create", "X", "--template", "a", "--type", "bearer", "--value", "-"],
        &["secret", "create", "X", "--type", "bearer", "--value", "-", "--field", "token=-"],
        &["secret", "create", "X", "--type", "bearer", "--inject", "cookie:x", "--value", "-"],
        &["idp", "add"],
        &["idp", "add", "https://a.example", "--groups-claim", "g", "--no-groups-claim"],
        &["idp", "update", "--type", "ldap"],
        &["idp", "client", "set", "--client-id", "x", "--public", "--client-secret", "-"],
        &["idp", "webhook", "enable", "carrier-pigeon"],
        &["user", "list", "--status", "gone"],
        &["token", "create", "x"],
        &["token", "create", "x", "--permission", "root"],
        &["audit", "list", "--since", "yesterday"],
        &["call", "GET", "https://api.example.com"],
        &["call", "GET", "https://api.example.com", "--grant", "x"],
        &["call", "GET", "https://api.example.com", "--grant", "x", "--provider", "y", "--key-file", "z"],
        &[
            "sign",
            "POST",
            "https://a.example",
            "--grant",
            "x",
            "--key-file",
            "z",
            "--data",
            "a",
            "--unsigned-payload",
        ],
        &["serve", "--listen", "8420"],
        &["serve", "--threads", "0"],
        &["serve", "--durability", "none"],
        &["demo", "--json", "--once"],
    ];
    for args in wrong {
        let run = signed_in(args);
        assert_eq!(run.code, 2, "{args:?} {run:?}");
        assert!(run.stdout.is_empty() && !run.stderr.is_empty(), "{args:?} {run:?}");
    }
}

#[test]
fn a_literal_secret_is_refused_with_the_reason_and_is_not_repeated() {
    let field = format!("token={SECRET}");
    let equals = format!("--value={SECRET}");
    let tries: &[&[&str]] = &[
        &["secret", "create", "X", "--type", "bearer", "--value", SECRET],
        &["secret", "create", "X", "--type", "bearer", &equals],
        &["secret", "create", "X", "--type", "bearer", "--field", &field],
        &["secret", "create", "X", "--type", "bearer", "--field", SECRET],
        &["secret", "create", "X", SECRET, "--type", "bearer"],
        &["idp", "client", "set", "--client-id", "x", "--client-secret", SECRET],
        &["idp", "webhook", "enable", "clerk", "--secret", SECRET],
        &["idp", "webhook", "rotate", "clerk", SECRET],
        &["secret", "set-value", "x", "--value", SECRET],
        &["secret", "set-value", "x", SECRET],
        &["secret", "set-value", "x", "--field", &field],
    ];
    for args in tries {
        let run = signed_in(args);
        assert_eq!(run.code, 2, "{args:?} {run:?}");
        assert!(!run.stderr.contains("hunter2"), "{run:?}");
    }
    let run = signed_in(tries[0]);
    run.refused(2, "usage");
    assert!(run.stderr.contains("shell's history") && run.stderr.contains("@FILE"), "{run:?}");
}

#[test]
fn a_key_or_token_on_the_command_line_is_not_repeated() {
    let assigned = format!("--token={TOKEN}");
    let tries: &[&[&str]] = &[
        &["--token", TOKEN, "whoami"],
        &[&assigned, "whoami"],
        &["whoami", TOKEN],
        &["key", "get", "x", KEY],
        &["grant", "get", KEY],
        &["call", "GET", "https://a.example", "--grant", "x", "--key", KEY],
    ];
    for args in tries {
        let run = alone(args);
        assert_eq!(run.code, 2, "{args:?} {run:?}");
        for secret in [&TOKEN[26..], &KEY[26..]] {
            assert!(!run.stderr.contains(secret), "{run:?}");
        }
    }
    // Where a name may stand, the key's public part is all that is used of it.
    let run = signed_in(&["--app", "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90", "key", "revoke", KEY]);
    run.refused(6, "vault_unreachable");
    assert!(!run.stderr.contains(&KEY[26..]), "{run:?}");
}

#[test]
fn the_token_comes_from_a_file_or_the_environment_and_has_to_be_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = |text: &str| {
        let path = dir.path().join("token");
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let mut nothing = alter();
    nothing.args(["whoami"]).current_dir(dir.path());
    run(nothing).refused(3, "not_signed_in");

    for (text, exit, code) in [
        (String::new(), 2, "usage"),
        (KEY.to_owned(), 3, "invalid_key_file"),
        (TOKEN[..40].to_owned(), 3, "invalid_key_file"),
        (format!("{TOKEN}\n\n"), 3, "invalid_key_file"),
    ] {
        let path = file(&text);
        let refused = alone(&["whoami", "--token-file", &path]);
        assert!(refused.stderr.contains(&format!("({code})")) && refused.code == exit, "{refused:?}");
        assert!(!refused.stderr.contains(&TOKEN[26..40]), "{refused:?}");
    }
    // A good one gets as far as the vault that is not there; others can read the file, which is said.
    let path = file(&format!("{TOKEN}\n"));
    let went_on = alone(&["whoami", "--token-file", &path, "--url", "http://127.0.0.1:1"]);
    assert_eq!(went_on.code, 6, "{went_on:?}");
    assert!(went_on.stderr.contains("can be read by others"), "{went_on:?}");

    let mut from_stdin = alter();
    from_stdin.args(["whoami", "--token-file", "-", "--url", "http://127.0.0.1:1"]);
    run_with(from_stdin, format!("{TOKEN}\n").as_bytes()).refused(6, "vault_unreachable");
    alone(&["whoami", "--token-file", "/nonexistent"]).refused(1, "file");
}

#[test]
fn standard_input_gives_one_thing() {
    let both: &[&[&str]] = &[
        &["secret", "create", "X", "--type", "basic", "--field", "username=-", "--field", "password=-"],
        &["secret", "create", "X", "--type", "bearer", "--value", "-", "--token-file", "-"],
        &["call", "POST", "https://a.example", "--grant", "x", "--key-file", "-", "--data", "-"],
    ];
    for args in both {
        let mut command = alter();
        command.args(*args).env("ALTER_PAT", TOKEN).env("ALTER_URL", "http://127.0.0.1:1");
        let run = run_with(command, format!("{TOKEN}\n").as_bytes());
        run.refused(2, "usage");
        assert!(run.stderr.contains("tandard input"), "{run:?}");
    }
    let mut empty = alter();
    empty.args(["secret", "create", "X", "--type", "bearer", "--value", "-"]);
    empty.env("ALTER_PAT", TOKEN).env("ALTER_URL", "http://127.0.0.1:1");
    run(empty).refused(2, "usage");
}

#[test]
fn a_variable_that_is_set_to_nothing_is_not_set() {
    let mut command = alter();
    command.args(["whoami"]).env("ALTER_PAT", TOKEN).env("ALTER_URL", "http://127.0.0.1:1");
    for name in ["ALTER_TOKEN_FILE", "ALTER_DATA_DIR", "ALTER_CA_FILE", "ALTER_APP_ID", "NO_COLOR"] {
        command.env(name, "");
    }
    run(command).refused(6, "vault_unreachable");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = alter().args(["completions", "zsh"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn tokens_go_over_tls_or_stay_on_this_machine() {
    for url in ["http://vault.example.com", "http://192.0.2.1:8420", "ftp://127.0.0.1", "vault"] {
        let mut command = alter();
        command.args(["whoami", "--url", url]).env("ALTER_PAT", TOKEN);
        run(command).refused(2, "usage");
    }
}

#[test]
fn a_vault_that_is_not_there_is_said_to_be_so() {
    let refused = signed_in(&["app", "list"]);
    refused.refused(6, "vault_unreachable");
    assert!(refused.stderr.contains("hint: Start one with `alter serve`"), "{refused:?}");
}
