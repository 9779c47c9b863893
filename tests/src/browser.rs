//! A browser: it keeps cookies.

use std::collections::BTreeMap;

use url::{Url, form_urlencoded};

use crate::{Answer, TestVault};

/// Where a test's vault says that it is.
pub const PUBLIC: &str = "https://vault.example";

#[derive(Clone)]
pub struct Browser {
    vault: TestVault,
    pub cookies: BTreeMap<String, String>,
}

impl Browser {
    pub fn new(vault: &TestVault) -> Self {
        Self { vault: vault.clone(), cookies: BTreeMap::new() }
    }

    /// Opens an address of the vault's, as somebody who typed it.
    pub async fn get(&mut self, url: &str) -> Answer {
        self.send("GET", url, &[("sec-fetch-site", "none")], String::new()).await
    }

    pub async fn post(&mut self, url: &str, form: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let headers =
            [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        self.send("POST", url, &headers, body).await
    }

    pub async fn send(&mut self, method: &str, url: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut headers = headers.to_vec();
        if !cookies.is_empty() {
            headers.push(("cookie", cookies.as_str()));
        }
        let path = url.strip_prefix(PUBLIC).unwrap_or(url);
        let answer = self.vault.anonymous().send(method, path, &headers, body).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            if rest.contains("; Max-Age=0;") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), rest.split(';').next().unwrap().to_owned());
            }
        }
        answer
    }

    /// Follows a redirect back to the vault to the page that it ends on.
    pub async fn come_back(&mut self, to: &Url) -> Answer {
        let answer = self.get(to.as_str()).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let location = answer.header("location").unwrap().to_owned();
        assert!(!location.contains('?'), "nothing of the redirect stays in the address: {location}");
        self.get(&location).await
    }
}

/// Where a redirect leads.
#[track_caller]
pub fn location(answer: &Answer) -> Url {
    assert_eq!(answer.status, 303, "{}", answer.text());
    Url::parse(answer.header("location").unwrap()).unwrap()
}

/// Where a page on the way out leads.
#[track_caller]
pub fn leads_to(answer: &Answer) -> Url {
    let text = answer.text();
    let rest = text.split_once("content=\"0; url=").expect("a page that leads on").1;
    Url::parse(&rest.split('"').next().unwrap().replace("&#38;", "&")).unwrap()
}

#[track_caller]
pub fn query(url: &Url) -> BTreeMap<String, String> {
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let map: BTreeMap<String, String> = pairs.iter().cloned().collect();
    assert_eq!(map.len(), pairs.len(), "a parameter stands twice: {url}");
    map
}
