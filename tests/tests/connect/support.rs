//! A vault with an app and providers, and browsers that keep cookies.

use std::collections::BTreeMap;

use alter_domain::{
    model::{Connection, Grant, ProviderConfig, ProviderState},
    repo::{Connections, Grants, ProviderConfigs},
};
use alter_tests::{Answer, AppClient, Setup, TestApp, TestVault};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::provider::{Provider, definition};

pub(crate) const PUBLIC: &str = "https://vault.example";

pub(crate) struct Stage {
    pub(crate) vault: TestVault,
    pub(crate) app: TestApp,
    pub(crate) provider: Provider,
}

/// A session as the app sees it.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) token: String,
    pub(crate) url: String,
}

impl Stage {
    /// An app with one provider, `toy`.
    pub(crate) async fn new() -> Self {
        Self::with(Setup::default(), &[definition("toy")]).await
    }

    /// An app with these providers.
    pub(crate) async fn of(definitions: &[Value]) -> Self {
        Self::with(Setup::default(), definitions).await
    }

    pub(crate) async fn with(setup: Setup, definitions: &[Value]) -> Self {
        let provider = Provider::default();
        let vault = setup.http(provider.client()).build().await;
        let app = vault.app().await;
        for definition in definitions {
            app.provider(definition.clone()).await;
        }
        Self { vault, app, provider }
    }

    pub(crate) fn client(&self) -> AppClient {
        self.app.client()
    }

    pub(crate) async fn create(&self, body: Value) -> Answer {
        self.client().post("/sdk/oauth/connect/session", &body).await
    }

    pub(crate) async fn session(&self, body: Value) -> Session {
        let answer = self.create(body).await.ok();
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        Session { token: text("session_token"), url: text("connect_url") }
    }

    pub(crate) async fn poll(&self, session: &Session) -> Value {
        let body = json!({ "session_token": session.token });
        self.client().post("/sdk/oauth/connect/session/poll", &body).await.ok()
    }

    /// A whole visit: opened, sent to the provider, allowed there as `account`, and back.
    pub(crate) async fn connect(&self, session: &Session, account: &str) -> (Browser, Page) {
        let mut browser = self.browser();
        let page = browser.open(session).await;
        let back = self.provider.allow(&browser.start(&page, "toy").await, account);
        let page = browser.come_back(&back).await;
        (browser, page)
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser { vault: self.vault.clone(), cookies: BTreeMap::new() }
    }

    pub(crate) async fn grants(&self) -> Vec<Grant> {
        Grants(self.vault.calm().table.as_ref()).list(self.app.id, 100, None).await.unwrap().items
    }

    pub(crate) async fn connections(&self, provider: &str) -> Vec<Connection> {
        let ports = self.vault.calm();
        Connections(ports.table.as_ref()).list(self.app.id, provider, 100, None).await.unwrap().items
    }

    /// Nothing was made: no grant, no connection, no exchange at the provider.
    pub(crate) async fn nothing_was_made(&self) {
        assert_eq!(self.grants().await, []);
        assert_eq!(self.connections("toy").await, []);
        assert_eq!(self.connections("two").await, []);
        assert_eq!(self.provider.exchanges(), Vec::<BTreeMap<String, String>>::new());
        assert_eq!(self.vault.work.take(), []);
    }

    pub(crate) async fn change_provider(&self, id: &str, change: impl FnOnce(&mut ProviderConfig)) {
        let ports = self.vault.calm();
        let configs = ProviderConfigs(ports.table.as_ref());
        let mut config = configs.get(self.app.id, id).await.unwrap();
        change(&mut config.value);
        configs.update(&config, None).await.unwrap();
    }

    pub(crate) async fn disable(&self, id: &str) {
        let at = self.vault.now();
        self.change_provider(id, |config| config.state = ProviderState::Disabled { at }).await;
    }

    /// What the worker behind the queue does with what was signalled.
    pub(crate) async fn work(&self) {
        for work in self.vault.work.take() {
            self.vault.revoker().run(work).await.unwrap();
        }
    }
}

/// A browser: it keeps cookies, and remembers every address that it was at.
pub(crate) struct Browser {
    vault: TestVault,
    pub(crate) cookies: BTreeMap<String, String>,
}

/// A page of the vault's.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) answer: Answer,
    /// Its path.
    pub(crate) at: String,
}

impl Browser {
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.send("POST", path, Some(body)).await
    }

    async fn send(&mut self, method: &str, path: &str, body: Option<String>) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut headers = vec![];
        if !cookies.is_empty() {
            headers.push(("cookie", cookies.as_str()));
        }
        if body.is_some() {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
            headers.push(("sec-fetch-site", "same-origin"));
        }
        let answer = self.vault.anonymous().send(method, path, &headers, body.unwrap_or_default()).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// Opens a session's link and ends on its page.
    pub(crate) async fn open(&mut self, session: &Session) -> Page {
        let answer = self.bring(session).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        self.visit(answer.header("location").unwrap()).await
    }

    /// What the script of the link's page sends.
    pub(crate) async fn bring(&mut self, session: &Session) -> Answer {
        self.post("/sdk/oauth/connect", &[("session", &session.token)]).await
    }

    pub(crate) async fn visit(&mut self, path: &str) -> Page {
        let answer = self.get(path).await;
        Page { answer, at: path.to_owned() }
    }

    /// Presses Connect: the address of the provider's page.
    pub(crate) async fn start(&mut self, page: &Page, provider: &str) -> Url {
        let answer = self.press(page, "start", &[("provider", provider)]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        leads_to(&answer)
    }

    /// Sends one of the page's forms.
    pub(crate) async fn press(&mut self, page: &Page, what: &str, fields: &[(&str, &str)]) -> Answer {
        let token = page.form_token();
        let mut form = vec![("form_token", token.as_str())];
        form.extend(fields);
        self.post(&format!("{}/{what}", page.at), &form).await
    }

    /// Follows the provider's redirect to the page that it ends on.
    pub(crate) async fn come_back(&mut self, to: &Url) -> Page {
        let answer = self.get(&path_of(to)).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let location = answer.header("location").unwrap();
        assert!(!location.contains('?'), "nothing of the redirect stays in the address: {location}");
        self.visit(location).await
    }
}

impl Page {
    #[track_caller]
    pub(crate) fn form_token(&self) -> String {
        let text = self.answer.text();
        let rest = text.split_once("name=\"form_token\" value=\"").expect("a form").1;
        rest.split('"').next().unwrap().to_owned()
    }

    pub(crate) fn text(&self) -> String {
        self.answer.text()
    }

    #[track_caller]
    pub(crate) fn shows(&self, part: &str) {
        assert!(self.text().contains(part), "{part:?} is not on the page:\n{}", self.text());
    }

    /// An attribute of the page's main part.
    pub(crate) fn data(&self, name: &str) -> Option<String> {
        let text = self.text();
        let rest = text.split_once(&format!(" data-{name}=\""))?.1;
        Some(unescape(rest.split('"').next().unwrap()))
    }

    /// What it posts to the page that opened it.
    #[track_caller]
    pub(crate) fn message(&self) -> Value {
        serde_json::from_str(&self.data("message").expect("a result")).unwrap()
    }
}

/// The path and query of an address at the vault.
#[track_caller]
pub(crate) fn path_of(url: &Url) -> String {
    url.as_str().strip_prefix(PUBLIC).expect("the vault's own address").to_owned()
}

/// Where a page on the way out leads.
#[track_caller]
pub(crate) fn leads_to(answer: &Answer) -> Url {
    let text = answer.text();
    let rest = text.split_once("content=\"0; url=").expect("a page that leads on").1;
    Url::parse(&unescape(rest.split('"').next().unwrap())).unwrap()
}

fn unescape(text: &str) -> String {
    text.replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#38;", "&")
}
