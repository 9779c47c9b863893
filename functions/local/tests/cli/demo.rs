//! `alter demo`: the story is told to its end, and nothing is left behind.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::support::{Demo, Service, alter, run, run_with};

#[test]
fn the_story_is_told_and_nothing_is_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = alter();
    command.args(["demo", "--once"]).env("TMPDIR", dir.path());
    let story = run(command);
    assert_eq!((story.code, story.stderr.as_str()), (0, ""), "{}", story.stdout);
    for moment in [
        "alter app create",
        "alter key mint",
        "alter secret create",
        "alter grant issue",
        "\"authenticated\":true",
        "Authorization: Bearer acme_live_…",
        "Bearer ****",
        "success",
        "The grant was revoked. (grant_revoked)",
        "was not called",
        "alter connect acme-notes",
        "for the account ada",
        "call Grace",
        "has no token left; the receipt says revoked",
        "alter idp add",
        "alter connect acme-notes --key-file shop.key --user-token-file alice.jwt",
        "{\"notes\":[\"answer Bob\",\"order a cake\"]}",
        "The grant does not exist. (grant_not_found)",
        "alter idp webhook enable ssf",
        "202 Accepted",
        "(user_deprovisioned)",
        "her grant           revoked",
        "has no token of hers left; the receipt says revoked",
        "in the Wallet",
        "/sign-in?app=",
    ] {
        assert!(story.stdout.contains(moment), "{moment} is missing from\n{}", story.stdout);
    }
    let (_, people) = story.stdout.split_once("alter idp add").unwrap();
    assert!(!people.contains("--grant"), "users are found their grants by their tokens");
    assert!(!story.stdout.contains('\x1b'), "no colour where there is no terminal");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the temporary directory is empty again");
}

/// b067, b068: no grant id, and two users who have nothing to do with each other.
#[test]
fn its_users_call_by_their_tokens() {
    let demo = Demo::start();
    demo.file("alice.jwt", demo.text("user_jwt"));
    demo.file("bob.jwt", demo.text("user_jwt_empty"));
    let notes = demo.service.ready["oauth"]["provider"].as_str().unwrap().to_owned();
    let call = |path: &str, provider: &str, token: &str| {
        let url = demo.upstream(path);
        demo.run(&["call", "GET", &url, "--provider", provider, "--user-token-file", token])
    };
    let of_alice = call("/notes/api/notes", &notes, "alice.jwt");
    assert_eq!((of_alice.code, of_alice.stderr.as_str()), (0, ""));
    assert!(of_alice.stdout.contains("order a cake"), "{of_alice:?}");
    let by_group = call("/v1/balance", demo.text("provider"), "alice.jwt");
    assert!(by_group.stdout.contains("\"authenticated\":true"), "{by_group:?}");
    for (path, provider) in [("/notes/api/notes", notes.as_str()), ("/v1/balance", demo.text("provider"))] {
        call(path, provider, "bob.jwt").refused(4, "grant_not_found");
    }
    // A grant id is worth nothing with a token whose it is not.
    let (url, grant) = (demo.upstream("/v1/balance"), demo.text("grant_id"));
    demo.run(&["call", "GET", &url, "--grant", grant, "--user-token-file", "alice.jwt"])
        .refused(4, "grant_not_found");

    // The token may come from another command; then it is the only thing that does.
    let call = ["call", "GET", &url, "--provider", demo.text("provider"), "--user-token-file", "-"];
    let piped = demo.run_with(&call, demo.text("user_jwt").as_bytes());
    assert_eq!(piped.code, 0, "{piped:?}");
    demo.run(&[&call[..], &["--data", "-"]].concat()).refused(2, "usage");
    demo.run_with(&call, demo.text("operator_token").as_bytes()).refused(3, "invalid_token_file");
    let connect = ["connect", &notes, "--key-file", "-", "--user-token-file", "-"];
    demo.run(&connect).refused(2, "usage");
    demo.file("nobody.jwt", "eyJhbGciOiJub25lIn0.e30.c2ln");
    demo.run(&["connect", &notes, "--user-token-file", "nobody.jwt"]).refused(3, "jwt_validation_error");
    demo.never_said(&[demo.text("user_jwt"), demo.text("user_jwt_empty"), demo.text("operator_token")]);

    // A signed call for curl carries the token, which is what the request needs.
    let signed = ["sign", "GET", &url, "--provider", demo.text("provider"), "--user-token-file", "alice.jwt"];
    let signed = demo.run(&signed).stdout;
    assert!(
        signed.contains(&format!("header = \"alter-user-token: {}\"", demo.text("user_jwt"))),
        "{signed}"
    );
}

#[test]
fn its_identity_provider_and_tokens_are_good_for_a_day() {
    let demo = Demo::start();
    let issuer = demo.text("idp_issuer");
    assert!(issuer.starts_with(demo.text("upstream_url")));
    let sign_in = format!("{}/sign-in?app={}", demo.text("base_url"), demo.text("app_id"));
    assert_eq!(demo.text("wallet_url"), sign_in);
    let app = demo.json(&["app", "get"]);
    assert_eq!((&app["wallet_listed"], &app["color"]), (&true.into(), &"#1f4fd1".into()));
    assert_eq!(app["logo"]["content_type"], "image/png");
    let idp = demo.json(&["idp", "show"]);
    assert_eq!((&idp["issuer"], &idp["claims"]["groups"]), (&issuer.into(), &"groups".into()));
    assert_eq!(idp["client"]["has_client_secret"], true);
    let users = demo.json(&["user", "list"]);
    assert_eq!(users["items"].as_array().map(Vec::len), Some(1), "Bob has not been seen: {users}");
    assert_eq!(users["items"][0]["status"], "active");
    for (name, person) in [("user_jwt", "alice"), ("user_jwt_empty", "bob")] {
        let claims = demo.text(name).split('.').nth(1).unwrap();
        let claims: serde_json::Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        assert_eq!((&claims["iss"], &claims["sub"]), (&issuer.into(), &person.into()));
        let [issued, expires] = ["iat", "exp"].map(|name| claims[name].as_i64().unwrap());
        assert_eq!(expires - issued, 24 * 60 * 60);
    }
}

/// The demo's next call fails when what it uses is revoked, wherever that was done.
#[test]
fn b002_each_line_is_another_call_until_alice_does_not_want_it() {
    let mut demo = alter().arg("demo").stdin(Stdio::piped()).spawn().unwrap();
    let (mut enter, out) = (demo.stdin.take().unwrap(), demo.stdout.take().unwrap());
    let mut lines = BufReader::new(out).lines().map(Result::unwrap);
    let export = lines.find(|line| line.starts_with("export ")).unwrap();
    lines.find(|line| line.contains("The demo stays up.")).unwrap();
    let mut once_more = || {
        enter.write_all(b"\n").unwrap();
        lines.find(|line| !line.is_empty()).unwrap()
    };
    assert_eq!(once_more().trim(), "200 OK {\"notes\":[\"answer Bob\",\"order a cake\"]}");
    let script = format!(
        "{export}\nid=$(alter grant list --provider acme-notes --principal-type user --status active --output json \
         | grep -o '\"grant_id\": *\"[^\"]*' | grep -o '[^\"]*$')\nalter grant revoke \"$id\""
    );
    let mut bash = Command::new("bash");
    bash.arg("-ec").arg(script).stdout(Stdio::piped()).stderr(Stdio::piped());
    let revoked = run_with(bash, b"");
    assert_eq!(revoked.code, 0, "{revoked:?}");
    for _ in 0..2 {
        assert_eq!(once_more().trim(), "The grant was revoked. (grant_revoked)");
    }

    let pid = rustix::process::Pid::from_child(&demo);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(0));
}

#[test]
fn a_demo_ends_with_its_script() {
    let demo = Demo::start();
    let data = demo.service.path("data_dir");
    assert!(data.join("operator-token").exists());
    assert_eq!(demo.service.ready["oauth"]["provider"], "acme-notes");
    let (code, stderr) = demo.service.close_stdin();
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(!data.exists() && !data.parent().unwrap().exists());
}

#[test]
fn a_demo_ends_with_sigterm() {
    let mut command = alter();
    command.args(["demo", "--json", "--durability", "full", "--threads", "1"]);
    let demo = Service::start(command);
    let data = demo.path("data_dir");
    assert_eq!(demo.terminate(), (0, String::new()));
    assert!(!data.parent().unwrap().exists());
}

#[test]
fn without_a_pipe_the_demo_does_not_wait_for_one_to_close() {
    // Started in the background by a script, its standard input is /dev/null: that is no reason to stop.
    let script = "\"$0\" demo --json < /dev/null & read -r go; kill -TERM $!; wait $!";
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_alter")]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let script = Service::start(command);
    let mut whoami = alter();
    whoami.args(["whoami", "--output", "json", "--url", script.text("base_url")]);
    whoami.args(["--token-file", script.text("operator_token_file")]);
    assert_eq!(run(whoami).json()["org_name"], "Demo");
    assert_eq!(script.close_stdin().0, 0);
}

#[test]
fn the_lines_to_copy_do_what_they_say() {
    let mut demo = alter().arg("demo").spawn().unwrap();
    let mut lines = Vec::new();
    for line in BufReader::new(demo.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains("The demo stays up.") {
            break;
        }
        lines.push(line);
    }
    let turn = lines.iter().position(|line| line.contains("Your turn.")).expect("the story was told");
    // The Python lines need a package from elsewhere: all up to them, and what follows them.
    let python: Vec<usize> = (turn..lines.len())
        .filter(|line| lines[*line].contains("python3 -") || lines[*line] == "EOF")
        .collect();
    let [title, _begin, end] = python[..] else { panic!("{lines:#?}") };
    let kept = lines[turn..title].iter().chain(&lines[end + 1..]);
    let script: Vec<&str> = kept.map(String::as_str).filter(|line| !line.starts_with("  ")).collect();
    let mut bash = Command::new("bash");
    bash.arg("-ec").arg(script.join("\n")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let copied = run_with(bash, b"");
    assert_eq!(copied.code, 0, "{copied:?}");
    for expected in ["\"authenticated\":true", "my first call", "\"eur_usd\":\"1.084\"", "revoked_at"] {
        assert!(copied.stdout.contains(expected), "{expected} is missing from {copied:?}");
    }

    let pid = rustix::process::Pid::from_child(&demo);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(0));
}
