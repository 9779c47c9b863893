//! `alter serve`: sets itself up, says where the first token lies and never what it is.

use std::{fs, path::Path, process::Command};

use crate::support::{Service, alter, mode, run};

fn serve(dir: &Path, more: &[&str]) -> Command {
    let mut command = alter();
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--output",
        "json",
        "--log-level",
        "trace",
        "--data-dir",
    ]);
    command.arg(dir).args(more);
    command
}

#[test]
fn an_empty_directory_is_set_up_once_and_the_token_is_in_its_file_only() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let vault = Service::start(serve(&data, &["--organization", "Acme", "--log-format", "json"]));
    assert_eq!(vault.ready["set_up"], true);
    let token_file = vault.path("operator_token_file");
    assert_eq!((mode(&token_file), mode(&data)), (0o600, 0o700));
    let token = fs::read_to_string(&token_file).unwrap().trim().to_owned();
    assert!(!vault.ready.to_string().contains(&token));

    let whoami = |vault: &Service| {
        let mut command = alter();
        command
            .args(["whoami", "--output", "json", "--url", vault.text("base_url"), "--data-dir"])
            .arg(&data);
        run(command).json()
    };
    assert_eq!(whoami(&vault)["org_name"], "Acme");
    let (code, log) = vault.terminate();
    assert_eq!(code, 0);
    assert!(!log.contains(&token), "the log holds the token");
    for line in log.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        assert!(event["level"].is_string(), "{line}");
    }

    let again = Service::start(serve(&data, &["--durability", "process"]));
    assert_eq!(again.ready["set_up"], false);
    assert_eq!(
        fs::read_to_string(&token_file).unwrap().trim(),
        token,
        "a second start makes no second token"
    );
    assert_eq!(whoami(&again)["org_name"], "Acme");
    let (code, log) = again.terminate();
    assert!(code == 0 && !log.contains(&token));
}

#[test]
fn people_are_told_where_the_token_lies() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    // A port that is taken, found out after the directory was set up: the start fails, the next one goes on.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = alter();
    command.args(["serve", "--listen", &taken.local_addr().unwrap().to_string(), "--data-dir"]).arg(&data);
    let refused = run(command);
    refused.refused(1, "not_started");
    assert!(refused.stderr.contains("--listen"), "{refused:?}");
}

#[test]
fn two_vaults_do_not_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let first = Service::start(serve(dir.path(), &[]));
    let second = run(serve(dir.path(), &[]));
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.stderr.contains("(not_started)"), "{second:?}");
    assert_eq!(first.terminate().0, 0);
}
