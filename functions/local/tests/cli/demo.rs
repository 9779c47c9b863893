//! `alter demo`: the story is told to its end, and nothing is left behind.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

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
    ] {
        assert!(story.stdout.contains(moment), "{moment} is missing from\n{}", story.stdout);
    }
    assert!(!story.stdout.contains('\x1b'), "no colour where there is no terminal");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the temporary directory is empty again");
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
