//! The end user of the demo, with a browser of her own: she opens the link, presses Connect, allows it at the provider, and
//! comes back. What a page's script would do, she does by hand; everything else is what any browser does.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use url::Url;

use crate::cli::{BaseUrl, CliError, HttpClient, Result, read_all};

/// How many redirects a visit may take.
const REDIRECTS: usize = 10;

#[derive(Default)]
pub(super) struct Visitor {
    /// By origin.
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

struct Page {
    url: Url,
    html: String,
}

impl Visitor {
    /// Connects an account by the link of a session; `allow` is what she presses at the provider.
    pub(super) async fn connect(&mut self, link: &str, provider: &str, allow: &str) -> Result<()> {
        let lost = |what: &str| CliError::failure("demo_failed", format!("This demo is broken: {what}."));
        let link = Url::parse(link).map_err(|_| lost("the link is no URL"))?;
        let token = link.fragment().and_then(|fragment| fragment.strip_prefix("session="));
        let token = token.ok_or_else(|| lost("the link carries no session"))?.to_owned();
        let mut plain = link.clone();
        plain.set_fragment(None);
        let page = self.post(&plain, &[("session", &token)]).await?;
        let form_token = between(&page.html, "name=\"form_token\" value=\"", "\"")
            .ok_or_else(|| lost("the page has no form"))?;
        let start = join(&page.url, &format!("{}/start", page.url.path()))?;
        let leaving = self.post(&start, &[("form_token", &form_token), ("provider", provider)]).await?;
        let authorize = between(&leaving.html, "<a class=\"button primary\" href=\"", "\"")
            .ok_or_else(|| lost("the page does not lead to the provider"))?;
        let consent = self.get(&join(&leaving.url, &unescape(&authorize))?).await?;
        let allow = target(&consent.html, allow).ok_or_else(|| lost("the provider does not ask"))?;
        let back = self.get(&join(&consent.url, &unescape(&allow))?).await?;
        if back.url.origin() != link.origin() {
            return Err(lost("the provider does not lead back"));
        }
        // A session for one provider is finished by connecting it; another waits for the user's word.
        if let Some(form_token) = between(&back.html, "name=\"form_token\" value=\"", "\"") {
            let finish = join(&back.url, &format!("{}/finish", back.url.path()))?;
            self.post(&finish, &[("form_token", &form_token)]).await?;
        }
        Ok(())
    }

    async fn get(&mut self, url: &Url) -> Result<Page> {
        self.follow(Method::GET, url.clone(), Bytes::new()).await
    }

    async fn post(&mut self, url: &Url, fields: &[(&str, &str)]) -> Result<Page> {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.follow(Method::POST, url.clone(), form.into()).await
    }

    async fn follow(&mut self, method: Method, mut url: Url, body: Bytes) -> Result<Page> {
        let (mut method, mut body) = (method, body);
        for _ in 0..REDIRECTS {
            let response = self.send(&method, &url, body.clone()).await?;
            let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            match (response.status(), location) {
                (
                    StatusCode::SEE_OTHER | StatusCode::FOUND | StatusCode::TEMPORARY_REDIRECT,
                    Some(location),
                ) => {
                    url = join(&url, location)?;
                    (method, body) = (Method::GET, Bytes::new());
                }
                (status, _) => {
                    let html = String::from_utf8_lossy(&read_all(response.into_body()).await?).into_owned();
                    if !status.is_success() {
                        let path = url.path();
                        return Err(CliError::failure("demo_failed", format!("{path} answered {status}.")));
                    }
                    return Ok(Page { url, html });
                }
            }
        }
        Err(CliError::failure("demo_failed", "The pages of this demo lead in circles."))
    }

    async fn send(&mut self, method: &Method, url: &Url, body: Bytes) -> Result<Response<Incoming>> {
        let origin = url.origin().ascii_serialization();
        let http = HttpClient::new(BaseUrl::parse(&origin)?, None)?;
        let target =
            url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let mut request = Request::new(body);
        *request.method_mut() = method.clone();
        *request.uri_mut() = target.parse().map_err(|_| CliError::usage("The URL is not valid."))?;
        let headers = request.headers_mut();
        if *method == Method::POST {
            headers
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            let value = HeaderValue::from_str(&origin).map_err(|error| CliError::usage(error.to_string()))?;
            headers.insert(header::ORIGIN, value);
        }
        let jar = self.cookies.entry(origin).or_default();
        if !jar.is_empty() {
            let pairs: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let value = HeaderValue::from_str(&pairs.join("; "));
            headers.insert(header::COOKIE, value.map_err(|error| CliError::usage(error.to_string()))?);
        }
        let response = http.send(request).await?;
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().ok().and_then(|text| text.split(';').next()?.split_once('='));
            jar.extend(pair.map(|(name, value)| (name.trim().to_owned(), value.to_owned())));
        }
        Ok(response)
    }
}

fn join(base: &Url, target: &str) -> Result<Url> {
    base.join(target).map_err(|_| CliError::failure("demo_failed", "A page leads to what is no URL."))
}

/// The text between two marks.
fn between(html: &str, from: &str, to: &str) -> Option<String> {
    let (before, _) = html.split_once(from).map(|(_, rest)| rest)?.split_once(to)?;
    Some(before.to_owned())
}

/// Where the link with this text leads.
fn target(html: &str, text: &str) -> Option<String> {
    let (before, _) = html.split_once(&format!("'>{text}</a>"))?;
    Some(before.rsplit_once("<a href='")?.1.to_owned())
}

fn unescape(text: &str) -> String {
    text.replace("&#38;", "&").replace("&#x26;", "&").replace("&amp;", "&")
}
