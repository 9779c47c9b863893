//! `alter serve`: sets itself up, says where the first token lies and never what it is.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
};

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

/// How one visitor after another is told that they looked at the sign-in page too often: the last answer of so many.
fn last_look(vault: &Service, visits: u8, forwarded_for: impl Fn(u8) -> String) -> String {
    let address = vault.text("base_url").strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(address).unwrap();
    let mut answers = String::new();
    for visit in 1..=visits {
        let close = if visit == visits { "connection: close\r\n" } else { "" };
        let by = forwarded_for(visit);
        let head =
            format!("GET /wallet/api/sign-in HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {by}\r\n{close}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
    }
    stream.read_to_string(&mut answers).unwrap();
    let last = answers.rsplit("HTTP/1.1 ").next().unwrap();
    last.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn behind_a_trusted_proxy_each_caller_is_counted_for_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let each = |visit: u8| format!("198.51.100.1, 203.0.113.{visit}");
    let alone = Service::start(serve(&dir.path().join("alone"), &[]));
    assert_eq!(last_look(&alone, 200, each), "429", "anybody may write a header");
    drop(alone);
    let mut command = serve(
        &dir.path().join("behind"),
        &["--trusted-proxy", "192.0.2.1", "--trusted-proxy", "127.0.0.0/8"],
    );
    let behind = Service::start(command);
    assert_eq!(last_look(&behind, 200, each), "200");
    assert_eq!(last_look(&behind, 200, |visit| format!("203.0.113.{visit}, 198.51.100.1")), "429");
    drop(behind);
    command = serve(&dir.path().join("by-environment"), &[]);
    command.env("ALTER_TRUSTED_PROXIES", "192.0.2.1,127.0.0.1");
    assert_eq!(last_look(&Service::start(command), 200, each), "200");
}

#[test]
fn a_proxy_that_is_no_network_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = run(serve(dir.path(), &["--trusted-proxy", "proxy.example"]));
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("10.0.0.0/8"), "{refused:?}");
}
