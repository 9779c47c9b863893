//! Destinations that must never be reached, end to end: the collected tricks, and names that resolve to more than one
//! thing.

use std::{
    collections::VecDeque,
    io,
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use alter_adapter_http::Resolve;
use alter_tests::{GrantSpec, ScriptedClient, SecretSpec, Setup, TestApp, Upstream};
use async_trait::async_trait;
use serde_json::json;

use crate::{TOKEN, get};

const CORPUS: &str = include_str!("../../../shared/domain/testdata/ssrf.txt");

/// The URLs of a section of the corpus, `always` or `listed`.
fn section(name: &str) -> Vec<String> {
    let mut current = "";
    let mut urls = Vec::new();
    for line in CORPUS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(section) = line.strip_prefix('@') {
            current = section;
        } else if current == name {
            urls.push(unescape(line));
        }
    }
    urls
}

/// Reads `\t \n \r \0 \\ \u{…}` as the characters.
fn unescape(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        text.push(match c {
            '\\' => match rest.next().unwrap() {
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                '0' => '\0',
                'u' => {
                    let hex: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
                    char::from_u32(u32::from_str_radix(&hex, 16).unwrap()).unwrap()
                }
                other => other,
            },
            plain => plain,
        });
    }
    text
}

async fn refused(app: &TestApp, url: &str, grant: alter_domain::api::GrantId) {
    let answer = app.client().proxy(&get(url, grant)).await;
    let code = answer.code();
    assert_eq!(answer.status, 422, "{url:?}: {}", answer.text());
    assert!(["blocked_destination", "query_too_long"].contains(&code.as_str()), "{url:?}: {code}");
    let stream = app.client().forward("GET", "x", grant).label("alter-target", url);
    // Over this route a URL is a header's value: what is none cannot be sent at all.
    if url.bytes().all(|byte| byte >= b' ' && byte != 0x7f) && !url.is_empty() {
        let answer = stream.send().await;
        assert_eq!((answer.status.as_u16(), answer.code()), (422, code), "{url:?}");
    }
}

#[tokio::test]
async fn b096_no_url_of_the_corpus_passes() {
    let urls = [section("always"), section("listed")].concat();
    assert!(urls.len() >= 200, "only {} URLs", urls.len());
    for strict in [true, false] {
        let client = ScriptedClient::silent();
        let setup = Setup::default().http(client.clone());
        let app = if strict { setup.strict() } else { setup }.build().await.app().await;
        let mut spec = SecretSpec::bearer("p", TOKEN, "api.stripe.com");
        spec.hosts.push("*.amazonaws.com".to_owned());
        let secret = app.secret(spec).await;
        let grant = app.grant(&secret, GrantSpec::system()).await;
        for url in &urls {
            refused(&app, url, grant).await;
        }
        assert_eq!(client.hits(), 0);
        // The set-up is one that can be reached.
        app.client().proxy(&get("https://api.stripe.com/v1/charges", grant)).await.ok();
        app.client().proxy(&get("https://s3.eu-central-1.amazonaws.com/", grant)).await.ok();
        assert_eq!(client.hits(), 2);
    }
}

#[tokio::test]
async fn naming_the_host_itself_does_not_help_what_is_never_allowed() {
    let resolver = Names::new([]);
    let app = Setup::default().strict().resolver(resolver.clone()).build().await.app().await;
    let mut named = 0;
    for (number, url) in section("always").into_iter().enumerate() {
        let host = url::Url::parse(&url).ok().and_then(|url| url.host_str().map(|host| format!("{host}:*")));
        let Some(host) = host.filter(|host| host.parse::<alter_domain::egress::HostPattern>().is_ok()) else {
            continue;
        };
        let name: &'static str = Box::leak(format!("p{number}").into_boxed_str());
        let secret = app.secret(SecretSpec::bearer(name, TOKEN, host)).await;
        let grant = app.grant(&secret, GrantSpec::system()).await;
        refused(&app, &url, grant).await;
        named += 1;
    }
    assert!(named > 100, "only {named} URLs could be named");
    assert_eq!(resolver.asked(), 0, "a name was looked up");
}

/// A name server that gives each answer once, the last one for ever.
struct Names {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: AtomicU64,
}

impl Names {
    fn new<const N: usize>(answers: [&[&str]; N]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        Arc::new(Self { answers: Mutex::new(answers.iter().map(parse).collect()), asked: AtomicU64::new(0) })
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let last = answers.len() == 1;
        let answer = if last { answers.front().cloned() } else { answers.pop_front() };
        answer.ok_or_else(|| io::Error::other("no such name"))
    }
}

#[tokio::test]
async fn a_name_with_one_private_address_among_its_answers_is_refused() {
    let inside = Upstream::echo().await;
    let port = inside.addr.port();
    let answers: [&[&str]; 9] = [
        &["127.0.0.1"],
        &["93.184.216.34", "127.0.0.1"],
        &["127.0.0.1", "93.184.216.34"],
        &["10.0.0.1"],
        &["169.254.169.254"],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["fd00::1", "93.184.216.34"],
    ];
    for answer in answers {
        for strict in [true, false] {
            let resolver = Names::new([answer]);
            let setup = Setup::default().resolver(resolver.clone());
            let app = if strict { setup.strict() } else { setup }.build().await.app().await;
            let (_, grant) = app.bearer(TOKEN, format!("rebind.example.com:{port}")).await;
            let call = get(&format!("https://rebind.example.com:{port}/"), grant);
            app.client().proxy(&call).await.refused(422, "blocked_destination");
            assert_eq!(resolver.asked(), 1, "{answer:?}");
            let row = app.vault.audit.calls().pop().unwrap();
            assert_eq!(row.outcome.unwrap().code.as_deref(), Some("blocked_destination"));
        }
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn a_name_is_looked_up_once_for_a_connection_and_again_for_the_next() {
    // The second answer is the attack: it comes when the first was checked and dialled.
    let resolver = Names::new([&["127.0.0.1"], &["127.0.0.1", "169.254.169.254"]]);
    let upstream = Upstream::serving(|_| async {
        let mut response = alter_tests::reply(200, "x");
        response.headers_mut().insert("connection", http::HeaderValue::from_static("close"));
        response
    })
    .await;
    let app = Setup::default().resolver(resolver.clone()).build().await.app().await;
    let port = upstream.addr.port();
    let (_, grant) = app.bearer(TOKEN, format!("localhost:{port}")).await;
    let call = get(&format!("http://localhost:{port}/"), grant);
    app.client().proxy(&call).await.ok();
    assert_eq!((resolver.asked(), upstream.hits()), (1, 1));
    app.client().proxy(&call).await.refused(422, "blocked_destination");
    assert_eq!((resolver.asked(), upstream.hits()), (2, 1));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_502() {
    let app = Setup::default().resolver(Names::new([])).build().await.app().await;
    let (_, grant) = app.bearer(TOKEN, "nowhere.example.com").await;
    let call = json!({ "method": "GET", "url": "https://nowhere.example.com/", "grant_id": grant });
    app.client().proxy(&call).await.refused(502, "upstream_unreachable");
}
