//! RFC 9700 (and RFC 6749 section 10, RFC 9207) for a client: what an attacker sends creates nothing.

use alter_tests::Setup;
use serde_json::json;
use url::Url;

use crate::{
    provider::{Provider, definition, query},
    support::{Browser, Page, Session, Stage, path_of},
};

/// An open session on its way to `toy`, and the user's answer there.
struct Underway {
    stage: Stage,
    session: Session,
    browser: Browser,
    page: Page,
    authorize: Url,
}

impl Underway {
    async fn new() -> Self {
        Self::over(Stage::of(&[definition("toy"), definition("two")]).await).await
    }

    async fn over(stage: Stage) -> Self {
        let session = stage.session(json!({})).await;
        let mut browser = stage.browser();
        let page = browser.open(&session).await;
        let authorize = browser.start(&page, "toy").await;
        Self { stage, session, browser, page, authorize }
    }

    /// The redirect is refused with a page, and nothing was made of it.
    async fn refused(&mut self, path: &str, status: u16, says: &str) {
        let answer = self.browser.get(path).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.text().contains(says), "{}", answer.text());
        self.stage.nothing_was_made().await;
        assert_eq!(self.stage.poll(&self.session).await["status"], "pending");
    }
}

/// The address with one parameter changed, added or (with an empty value) removed.
fn with(url: &Url, name: &str, value: &str) -> String {
    let mut changed = url.clone();
    let kept: Vec<_> = url.query_pairs().into_owned().filter(|(known, _)| known != name).collect();
    changed.query_pairs_mut().clear().extend_pairs(kept);
    if !value.is_empty() {
        changed.query_pairs_mut().append_pair(name, value);
    }
    path_of(&changed)
}

const USED: &str = "This sign-in was used already, or is too old";
const MISFIT: &str = "This answer does not fit";
const ELSEWHERE: &str = "Opened somewhere else";

#[tokio::test]
async fn b060_a_forged_or_missing_state_is_refused() {
    // Section 4.7: cross-site request forgery.
    let mut underway = Underway::new().await;
    let back = underway.stage.provider.allow(&underway.authorize, "mallory");
    for state in ["", "guessed", &"A".repeat(43), &"x".repeat(9000)] {
        underway.refused(&with(&back, "state", state), 400, USED).await;
    }
}

#[tokio::test]
async fn a_state_works_once() {
    let mut underway = Underway::new().await;
    let back = underway.stage.provider.allow(&underway.authorize, "alice");
    underway.browser.come_back(&back).await;
    let replayed = underway.browser.get(&path_of(&back)).await;
    assert_eq!(replayed.status, 400);
    assert!(replayed.text().contains(USED));
    // With a code of the attacker's.
    let other = underway.stage.provider.allow(&underway.authorize, "mallory");
    assert_eq!(underway.browser.get(&path_of(&other)).await.status, 400);
    assert_eq!(underway.stage.provider.exchanges().len(), 1);
    assert_eq!(underway.stage.grants().await.len(), 1);
}

#[tokio::test]
async fn two_answers_at_once_are_exchanged_once() {
    let mut underway = Underway::new().await;
    let back = path_of(&underway.stage.provider.allow(&underway.authorize, "alice"));
    let mut again = underway.stage.browser();
    again.cookies.clone_from(&underway.browser.cookies);
    let (one, two) = tokio::join!(underway.browser.get(&back), again.get(&back));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 400]);
    assert_eq!(underway.stage.provider.exchanges().len(), 1);
    assert_eq!(underway.stage.grants().await.len(), 1);
}

#[tokio::test]
async fn a_state_is_too_old_after_ten_minutes() {
    let mut underway = Underway::new().await;
    let back = underway.stage.provider.allow(&underway.authorize, "alice");
    underway.stage.vault.clock.advance(600);
    let answer = underway.browser.get(&path_of(&back)).await;
    assert_eq!(answer.status, 400);
    underway.stage.nothing_was_made().await;
}

#[tokio::test]
async fn another_browser_neither_uses_the_answer_nor_uses_it_up() {
    let mut underway = Underway::new().await;
    let back = underway.stage.provider.allow(&underway.authorize, "alice");
    // No cookie, and the cookie of another session.
    let other_session = underway.stage.session(json!({})).await;
    for open in [false, true] {
        let mut stranger = underway.stage.browser();
        if open {
            stranger.open(&other_session).await;
        }
        let answer = stranger.get(&path_of(&back)).await;
        assert_eq!(answer.status, 403);
        assert!(answer.text().contains(ELSEWHERE));
        underway.stage.nothing_was_made().await;
    }
    // A made-up value under the right name.
    let mut forger = underway.stage.browser();
    let name = underway.browser.cookies.keys().next().unwrap().clone();
    forger.cookies.insert(name, "A".repeat(43));
    assert_eq!(forger.get(&path_of(&back)).await.status, 403);
    underway.stage.nothing_was_made().await;
    // The user's own answer still counts.
    underway.browser.come_back(&back).await.shows("Connected as");
}

#[tokio::test]
async fn a_code_of_another_session_is_no_use_here() {
    // Section 4.5: code injection. The attacker signs in with an own account, and puts that code into the victim's answer.
    let mut victim = Underway::new().await;
    let session = victim.stage.session(json!({})).await;
    let mut attacker = victim.stage.browser();
    let page = attacker.open(&session).await;
    let attackers = victim.stage.provider.allow(&attacker.start(&page, "toy").await, "mallory");
    let code = query(&attackers)["code"].clone();
    let back = victim.stage.provider.allow(&victim.authorize, "alice");
    let page = victim.browser.get(&with(&back, "code", &code)).await;
    assert_eq!(page.status, 303);
    // The provider held the verifier of this browser against the challenge of the attacker's.
    assert_eq!(victim.stage.provider.exchanges().len(), 1);
    assert_eq!(victim.stage.grants().await, []);
    assert_eq!(victim.stage.connections("toy").await, []);
    let page = victim.browser.visit(&victim.page.at).await;
    page.shows("The service no longer accepts this sign-in");
}

#[tokio::test]
async fn every_request_has_its_own_verifier_and_the_store_has_none() {
    let underway = Underway::new().await;
    let (mut browser, page) = (underway.browser, underway.page);
    let again = browser.start(&page, "toy").await;
    let (one, two) = (query(&underway.authorize), query(&again));
    assert_ne!(one["code_challenge"], two["code_challenge"]);
    assert_ne!(one["state"], two["state"]);
    browser.come_back(&underway.stage.provider.allow(&again, "alice")).await;
    let exchange = underway.stage.provider.exchanges().remove(0);
    assert_eq!(exchange["code_verifier"].len(), 43);
    // The secret that it comes from is in the browser alone.
    let secret = browser.cookies.values().next().unwrap();
    assert_ne!(exchange["code_verifier"], *secret);
}

#[tokio::test]
async fn an_answer_at_another_providers_address_is_refused() {
    // Section 4.4: mix-up.
    let mut underway = Underway::new().await;
    let back = underway.stage.provider.allow(&underway.authorize, "alice");
    let path = path_of(&back).replace("/toy?", "/two?");
    underway.refused(&path, 400, MISFIT).await;
    // And it is used up.
    underway.refused(&path_of(&back), 400, USED).await;
}

#[tokio::test]
async fn an_answer_at_another_apps_address_is_refused() {
    let mut underway = Underway::new().await;
    let other = underway.stage.vault.app().await;
    let back = underway.stage.provider.allow(&underway.authorize, "alice");
    let path = path_of(&back).replace(&underway.stage.app.id.to_string(), &other.id.to_string());
    underway.refused(&path, 400, MISFIT).await;
}

#[tokio::test]
async fn an_answer_of_another_issuer_or_of_none_is_refused() {
    // RFC 9207 section 2.4.
    let mut toy = definition("toy");
    toy["authorization"]["issuer"] = json!("https://toy.example");
    toy["authorization"]["iss_required"] = json!(true);
    for (more, says) in [
        (vec![("iss", "https://evil.example")], MISFIT),
        (vec![("iss", "https://toy.example/")], MISFIT),
        (vec![], MISFIT),
        (vec![("iss", "https://toy.example"), ("iss", "https://evil.example")], MISFIT),
    ] {
        let mut underway = Underway::over(Stage::of(std::slice::from_ref(&toy)).await).await;
        let back = underway.stage.provider.allow_with(&underway.authorize, "alice", &more);
        underway.refused(&path_of(&back), 400, says).await;
    }
    // An error counts no less.
    let mut underway = Underway::over(Stage::of(std::slice::from_ref(&toy)).await).await;
    let no = Provider::refuse(&underway.authorize, "access_denied");
    underway.refused(&path_of(&no), 400, MISFIT).await;

    let mut underway = Underway::over(Stage::of(&[toy]).await).await;
    let right = [("iss", "https://toy.example")];
    let back = underway.stage.provider.allow_with(&underway.authorize, "alice", &right);
    underway.browser.come_back(&back).await.shows("Connected to");
}

#[tokio::test]
async fn an_answer_that_can_be_read_in_two_ways_is_refused() {
    for twice in ["code", "state", "error"] {
        let mut underway = Underway::new().await;
        let mut back = underway.stage.provider.allow(&underway.authorize, "alice");
        back.query_pairs_mut().append_pair(twice, "x").append_pair(twice, "y");
        underway.refused(&path_of(&back), 400, MISFIT).await;
    }
    let mut underway = Underway::new().await;
    let back = underway.stage.provider.allow(&underway.authorize, "alice");
    underway.refused(&with(&back, "code", ""), 400, MISFIT).await;
}

#[tokio::test]
async fn the_page_belongs_to_the_browser_that_opened_it_first() {
    let stage = Stage::new().await;
    let session = stage.session(json!({})).await;
    let mut first = stage.browser();
    let page = first.open(&session).await;
    let mut second = stage.browser();
    let answer = second.bring(&session).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains(ELSEWHERE));
    assert!(second.cookies.is_empty());
    assert_eq!(second.get(&page.at).await.status, 403);
    // The first one may open the link again.
    assert_eq!(first.open(&session).await.answer.status, 200);
}

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    // RFC 9700 section 4.7 for the page's own forms.
    let stage = Stage::of(&[definition("toy"), definition("two")]).await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let other = stage.session(json!({})).await;
    let others = stage.browser().open(&other).await.form_token();
    for what in ["start", "decline", "finish"] {
        for token in ["", "guessed", &others] {
            let form = [("form_token", token), ("provider", "toy")];
            let answer = browser.post(&format!("{}/{what}", page.at), &form).await;
            assert_eq!(answer.status, 403, "{what}");
        }
        // A browser says where a form comes from; the right token does not help then.
        let cookie: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookie = cookie.join("; ");
        for site in ["cross-site", "same-site"] {
            let headers = [
                ("cookie", cookie.as_str()),
                ("sec-fetch-site", site),
                ("content-type", "application/x-www-form-urlencoded"),
            ];
            let body = format!("form_token={}&provider=toy", page.form_token());
            let answer =
                stage.vault.anonymous().send("POST", &format!("{}/{what}", page.at), &headers, body).await;
            assert_eq!(answer.status, 403, "{what} {site}");
        }
    }
    assert_eq!(stage.poll(&session).await, json!({ "status": "pending", "declined_providers": [] }));
    stage.nothing_was_made().await;
}

#[tokio::test]
async fn b054_a_provider_that_the_session_does_not_offer_is_refused() {
    let stage = Stage::of(&[definition("toy"), definition("two")]).await;
    let session = stage.session(json!({ "allowed_providers": ["two"] })).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    for what in ["start", "decline"] {
        assert_eq!(browser.press(&page, what, &[("provider", "toy")]).await.status, 404);
    }
    stage.nothing_was_made().await;
}

#[tokio::test]
async fn what_is_secret_stands_in_no_address_and_on_no_page() {
    let stage = Stage::with(Setup::default(), &[definition("toy")]).await;
    let session = stage.session(json!({ "return_url": "https://app.example/done" })).await;
    let mut browser = stage.browser();
    let mut answers = vec![browser.bring(&session).await];
    let home = answers[0].header("location").unwrap().to_owned();
    let page = browser.visit(&home).await;
    let start = browser.press(&page, "start", &[("provider", "toy")]).await;
    let authorize = crate::support::leads_to(&start);
    let back = browser.get(&path_of(&stage.provider.allow(&authorize, "alice"))).await;
    let done = browser.visit(back.header("location").unwrap()).await;
    answers.extend([page.answer, start, back, done.answer]);
    let secret = browser.cookies.values().next().unwrap().clone();
    for answer in &answers {
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert_eq!(answer.header("cross-origin-opener-policy"), None);
        let mut shown = answer.clone();
        shown.headers.remove("set-cookie");
        let shown = String::from_utf8_lossy(&shown.everything()).into_owned();
        for hidden in [session.token.as_str(), &secret, "access-", "refresh-", "s3cret-of-the-client"] {
            assert!(!shown.contains(hidden), "{hidden} in {shown}");
        }
    }
    let cookie = answers[0].header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-alter_connect_"), "{cookie}");
    for part in ["; Path=/;", "HttpOnly", "SameSite=Lax", "Secure"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!authorize.as_str().contains(&session.token));
}
