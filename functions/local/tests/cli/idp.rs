//! Identity providers and users by script, against an issuer on this machine.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::{Value, json};

use crate::support::{Demo, Run, mode};

const CLIENT: &str = "canary-sign-in-4f9a77e1c2d3";
/// 24 bytes of a key, as Clerk shows it.
const CLERK: &str = "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktMDAx";

/// An issuer with a discovery document and a key. It goes away with this value.
struct Issuer {
    addr: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Issuer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stopped);
        let serve = move || {
            for stream in listener.incoming() {
                if until.load(Ordering::SeqCst) {
                    return;
                }
                // A connection that is given up concerns nobody else.
                let _ = stream.and_then(|stream| answer(&stream, addr));
            }
        };
        Self { addr, stopped, thread: Some(thread::spawn(serve)) }
    }

    fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes it up.
        let _ = TcpStream::connect(self.addr);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One request, one answer.
fn answer(mut stream: &TcpStream, addr: SocketAddr) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let base = format!("http://{addr}");
    let document = match request.split(' ').nth(1) {
        Some("/.well-known/openid-configuration") => json!({
            "issuer": base,
            "jwks_uri": format!("{base}/keys"),
            "authorization_endpoint": format!("{base}/authorize"),
            "token_endpoint": format!("{base}/token"),
        }),
        Some("/keys") => json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "kid": "1",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        }] }),
        _ => Value::Null,
    };
    let (status, body) = if document.is_null() { (404, String::new()) } else { (200, document.to_string()) };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// A demo with an app that has no identity provider.
struct World {
    demo: Demo,
    issuer: Issuer,
    app: String,
}

impl World {
    fn new() -> Self {
        let demo = Demo::start();
        let app = demo.json(&["app", "create", "People"])["app_id"].as_str().unwrap().to_owned();
        Self { demo, issuer: Issuer::start(), app }
    }

    fn run(&self, args: &[&str]) -> Run {
        self.demo.run(&[&["--app", &self.app], args].concat())
    }

    fn json(&self, args: &[&str]) -> Value {
        self.demo.json(&[&["--app", &self.app], args].concat())
    }
}

#[test]
fn b075_to_b079_from_discovery_to_removal() {
    let world = World::new();
    let url = world.issuer.url();
    let found = world.json(&["idp", "discover", &url]);
    assert_eq!((&found["idp_type"], &found["usable_keys"]), (&json!("custom_oidc"), &json!(1)));
    world.run(&["idp", "show"]).refused(4, "identity_provider_not_found");
    world.run(&["idp", "add", "http://127.0.0.1:1"]).refused(1, "issuer_unreachable");

    let added =
        world.run(&["idp", "add", &url, "--groups-claim", "groups", "--audience", "api", "--output", "json"]);
    let idp = added.json();
    assert_eq!(idp["claims"], json!({ "user_id": "sub", "groups": "groups", "roles": null }));
    for name in ["sdk_redirect_uri", "wallet_redirect_uri", "wallet_logout_uri"] {
        assert!(
            added.stderr.contains(idp[name].as_str().unwrap()),
            "people are told what to enter: {added:?}"
        );
    }
    world.run(&["idp", "add", &url]).refused(5, "identity_provider_exists");
    let update = |args: &[&str]| world.json(&[&["idp", "update"], args].concat());
    let updated =
        update(&["--type", "keycloak", "--no-groups-claim", "--roles-claim", "roles", "--no-audience"]);
    assert_eq!((&updated["idp_type"], &updated["audience"]), (&json!("keycloak"), &Value::Null));
    assert_eq!(updated["claims"], json!({ "user_id": "sub", "groups": null, "roles": "roles" }));
    assert_eq!(update(&["--rediscover"])["issuer"], json!(url));
    world.run(&["idp", "update"]).refused(1, "nothing_to_update");

    let secret = world.demo.file("client.txt", &format!("{CLIENT}\n"));
    let set = world.json(&["idp", "client", "set", "--client-id", "alter", "--client-secret", &secret]);
    assert_eq!(set["client"]["has_client_secret"], true);
    let piped = ["--app", &world.app, "idp", "client", "set", "--client-id", "alter"];
    assert_eq!(world.demo.run_with(&piped, CLIENT.as_bytes()).code, 0);
    let public = world.json(&["idp", "client", "set", "--client-id", "alter", "--public"]);
    assert_eq!(public["client"]["has_client_secret"], false);
    world.run(&["idp", "client", "set", "--client-id", "x", "--client-secret", CLIENT]).refused(2, "usage");
    world.run(&["idp", "client", "remove"]).refused(2, "usage");
    assert_eq!(world.json(&["idp", "client", "remove", "--yes"])["client"], Value::Null);

    world.run(&["idp", "remove"]).refused(2, "usage");
    world.json(&["idp", "remove", "--yes"]);
    world.run(&["idp", "show"]).refused(4, "identity_provider_not_found");
    world.demo.never_said(&[CLIENT]);
}

#[test]
fn b081_b084_a_webhook_s_token_is_shown_once_or_goes_into_a_file() {
    let world = World::new();
    world.json(&["idp", "add", &world.issuer.url()]);
    let list = world.run(&["idp", "webhook", "list"]);
    assert!(list.stdout.starts_with("WEBHOOK") && list.stdout.contains("/auth0"), "{list:?}");
    let webhook = |args: &[&str]| world.run(&[&["idp", "webhook"], args, &["--output", "json"]].concat());

    let shown = webhook(&["enable", "auth0"]).json();
    assert!(shown["secret"].as_str().unwrap().starts_with("alwh_"), "{shown}");
    webhook(&["enable", "auth0"]).refused(5, "webhook_enabled");
    let saved = webhook(&["rotate", "auth0", "--save", "token.txt"]).json();
    assert!(saved.get("secret").is_none() && saved["webhook"]["enabled"] == true, "{saved}");
    let token = world.demo.read("token.txt");
    assert_eq!(mode(&world.demo.dir.path().join("token.txt")), 0o600);
    assert!(token.starts_with("alwh_") && token.trim() != shown["secret"].as_str().unwrap());
    webhook(&["rotate", "okta"]).refused(4, "webhook_not_found");

    // A pasted one, from a file or as it would be piped; never from the command line.
    let file = world.demo.file("clerk.txt", CLERK);
    assert_eq!(webhook(&["enable", "clerk", "--secret", &file]).json()["kind"], "clerk");
    let piped = ["--app", &world.app, "idp", "webhook", "rotate", "clerk"];
    assert_eq!(world.demo.run_with(&piped, CLERK.as_bytes()).code, 0);
    webhook(&["rotate", "clerk", "--secret", CLERK]).refused(2, "usage");
    webhook(&["enable", "backchannel-logout"]).refused(5, "sign_in_client_required");
    webhook(&["enable", "ssf", "--save", "no.txt", "--issuer", "x"]).refused(2, "usage");
    webhook(&["enable", "ssf", "--issuer", &world.issuer.url()]).refused(1, "issuer_unreachable");
    assert_eq!(webhook(&["disable", "clerk"]).json()["enabled"], false);
    webhook(&["disable", "clerk"]).refused(4, "webhook_not_found");
    world.demo.never_said(&[token.trim(), CLERK]);
}

#[test]
fn users_that_are_not_there_are_said_to_be_so() {
    let world = World::new();
    world.json(&["idp", "add", &world.issuer.url()]);
    assert_eq!(world.json(&["user", "list", "--status", "active"])["items"], json!([]));
    let nobody = "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90";
    for act in [&["show"][..], &["suspend"], &["reactivate"], &["deprovision", "--yes"]] {
        let of = |who: &'static str| world.run(&[&["user", act[0], who], &act[1..]].concat());
        of(nobody).refused(4, "user_not_found");
        of("nobody@example.com").refused(4, "not_found");
        of("nobody").refused(4, "not_found");
    }
    world.run(&["user", "deprovision", nobody]).refused(2, "usage");
    // A group of another identity provider gets nothing.
    let secret = world.demo.file("value.txt", "a-bearer-token");
    let made = world.json(&[
        "secret",
        "create",
        "Bank",
        "--type",
        "bearer",
        "--host",
        "api.example.com",
        "--value",
        &secret,
    ]);
    let slug = made["slug"].as_str().unwrap();
    let group = |idp: &str| {
        world.run(&["grant", "issue", slug, "--group", "staff", "--idp", idp, "--label", "Staff"])
    };
    group(nobody).refused(1, "invalid_principal");
    let idp = world.json(&["idp", "show"])["idp_id"].as_str().unwrap().to_owned();
    assert_eq!(group(&idp).code, 0);
}
