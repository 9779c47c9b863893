//! The operator's API as the commands use it.

use alter_domain::{api::AppId, secret::Secret};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use hyper::body::Incoming;
use serde::Serialize;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{
    error::{CliError, Exit, Result},
    http::{ANSWER_TIMEOUT, HttpClient, read_all},
    json::Json,
    output::Listing,
};

const ROOT: &str = "/portal/v1";

/// Query parameters; those without a value are left out.
pub(crate) type Query<'a> = Vec<(&'a str, Option<String>)>;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Paging {
    /// How many rows at most
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Goes on where an earlier page ended
    #[arg(long, value_name = "CURSOR", conflicts_with = "all")]
    cursor: Option<String>,
    /// Reads every page
    #[arg(long)]
    all: bool,
}

impl Paging {
    pub(crate) fn everything() -> Self {
        Self { limit: 1000, cursor: None, all: true }
    }
}

/// Speaks to the operator's API with one token.
#[derive(Clone)]
pub(crate) struct Portal {
    pub(crate) http: HttpClient,
    /// Absent for what anybody may read.
    token: Option<Secret<String>>,
    /// The app as the user named it: an id or a name.
    app: Option<String>,
}

impl Portal {
    pub(crate) fn new(http: HttpClient, token: Option<Secret<String>>, app: Option<String>) -> Self {
        Self { http, token, app }
    }

    pub(crate) async fn get(&self, path: &str, query: &Query<'_>) -> Result<Json> {
        self.json(Method::GET, path, query, None::<&()>).await
    }

    pub(crate) async fn post<T: Serialize>(&self, path: &str, query: &Query<'_>, body: &T) -> Result<Json> {
        self.json(Method::POST, path, query, Some(body)).await
    }

    /// A change that needs no more words than its path.
    pub(crate) async fn act(&self, path: &str) -> Result<Json> {
        self.json(Method::POST, path, &Vec::new(), None::<&()>).await
    }

    pub(crate) async fn patch<T: Serialize>(&self, path: &str, query: &Query<'_>, body: &T) -> Result<Json> {
        self.json(Method::PATCH, path, query, Some(body)).await
    }

    pub(crate) async fn put<T: Serialize>(&self, path: &str, query: &Query<'_>, body: &T) -> Result<Json> {
        self.json(Method::PUT, path, query, Some(body)).await
    }

    /// Puts bytes that are no JSON.
    pub(crate) async fn put_bytes(
        &self,
        path: &str,
        content_type: &'static str,
        body: Bytes,
    ) -> Result<Json> {
        let content_type = HeaderValue::from_static(content_type);
        answer(self.deliver(Method::PUT, path, &Vec::new(), Some((content_type, body))).await?).await
    }

    pub(crate) async fn delete(&self, path: &str, query: &Query<'_>) -> Result<Json> {
        self.json(Method::DELETE, path, query, None::<&()>).await
    }

    /// A list, page by page as far as `paging` asks.
    pub(crate) async fn list(&self, path: &str, query: &Query<'_>, paging: &Paging) -> Result<Listing> {
        let mut items = Vec::new();
        let mut cursor = paging.cursor.clone();
        loop {
            let mut query = query.clone();
            let wanted = if paging.all { 1000 } else { (paging.limit as usize).saturating_sub(items.len()) };
            query.push(("limit", Some(wanted.to_string())));
            let sent = cursor.take();
            query.push(("cursor", sent.clone()));
            let mut page = self.get(path, &query).await?;
            let next = page.text("next_cursor").map(str::to_owned);
            if let Some(Json::List(more)) = page.take("items") {
                items.extend(more);
            }
            // A page may be short or even empty and still have a successor.
            // The record, read oldest first, hands the same cursor back for the rows of later.
            let enough = !paging.all && items.len() >= paging.limit as usize;
            if enough || next.is_none() || next == sent {
                return Ok(Listing { items, next_cursor: next });
            }
            cursor = next;
        }
    }

    /// The same, about the app that an argument names, if it does.
    pub(crate) fn choose(&self, which: Option<String>) -> Self {
        Self { app: which.or_else(|| self.app.clone()), ..self.clone() }
    }

    /// The app that the command is about: by id, by name, or the only one there is.
    pub(crate) async fn app(&self) -> Result<AppId> {
        if let Some(id) = self.app.as_ref().and_then(|text| text.parse().ok()) {
            return Ok(id);
        }
        // Only a name can mean an archived app.
        let query = vec![("include_archived", self.app.as_ref().map(|_| "true".to_owned()))];
        let apps = self.list("/apps", &query, &Paging::everything()).await?.items;
        let found = match &self.app {
            Some(name) => one(apps, |app| app.text("name") == Some(name), &format!("app named {name:?}"))?,
            None => one(apps, |_| true, "app").map_err(|error| match error.exit {
                Exit::NotFound => error.hint("`alter app create --name NAME` makes one."),
                _ => {
                    CliError::usage("There are several apps.").hint("Choose one with --app or ALTER_APP_ID.")
                }
            })?,
        };
        id_of(&found, "app_id")
    }

    /// The path of something that belongs to the chosen app.
    pub(crate) async fn in_app(&self, path: &str) -> Result<String> {
        Ok(format!("/apps/{}{path}", self.app().await?))
    }

    /// Sends a request and returns the answer's head when it is a success.
    pub(crate) async fn send<T: Serialize>(
        &self,
        method: Method,
        path: &str,
        query: &Query<'_>,
        body: Option<&T>,
    ) -> Result<Response<Incoming>> {
        let body = match body {
            Some(body) => {
                let bytes = serde_json::to_vec(body)
                    .map_err(|error| CliError::failure("request", error.to_string()))?;
                Some((HeaderValue::from_static("application/json"), bytes.into()))
            }
            None => None,
        };
        self.deliver(method, path, query, body).await
    }

    async fn deliver(
        &self,
        method: Method,
        path: &str,
        query: &Query<'_>,
        body: Option<(HeaderValue, Bytes)>,
    ) -> Result<Response<Incoming>> {
        let mut uri = format!("{ROOT}{path}");
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in query {
            if let Some(value) = value {
                pairs.append_pair(name, value);
            }
        }
        let pairs = pairs.finish();
        if !pairs.is_empty() {
            uri.push('?');
            uri.push_str(&pairs);
        }
        let mut request =
            Request::builder().method(method).uri(uri).header(header::ACCEPT, "application/json");
        let bytes = match body {
            Some((content_type, bytes)) => {
                request = request.header(header::CONTENT_TYPE, content_type);
                bytes
            }
            None => Bytes::new(),
        };
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, bearer(token)?);
        }
        let request = request.body(bytes).map_err(|error| CliError::failure("request", error.to_string()))?;
        let response = timeout(ANSWER_TIMEOUT, self.http.send(request)).await.map_err(|_| slow())??;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = timeout(ANSWER_TIMEOUT, read_all(response.into_body())).await.map_err(|_| slow())??;
        Err(CliError::from_answer(status, &body))
    }

    async fn json<T: Serialize>(
        &self,
        method: Method,
        path: &str,
        query: &Query<'_>,
        body: Option<&T>,
    ) -> Result<Json> {
        answer(self.send(method, path, query, body).await?).await
    }
}

async fn answer(response: Response<Incoming>) -> Result<Json> {
    let body = timeout(ANSWER_TIMEOUT, read_all(response.into_body())).await.map_err(|_| slow())??;
    if body.is_empty() {
        return Ok(Json::Null);
    }
    // The answer may hold a fresh key: an error says where it is broken and nothing of what is there.
    Json::parse(&body).map_err(|_| CliError::failure("invalid_answer", "The vault's answer is not JSON."))
}

fn bearer(token: &Secret<String>) -> Result<HeaderValue> {
    let text = Zeroizing::new(format!("Bearer {}", token.expose_secret()));
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        CliError::new(Exit::Auth, "invalid_operator_token", "The token is not one line of text.")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn slow() -> CliError {
    CliError::new(Exit::Unavailable, "timeout", "The vault did not answer in 30 s.")
}

/// Exactly one of `items`.
pub(crate) fn one(items: Vec<Json>, is_it: impl Fn(&Json) -> bool, what: &str) -> Result<Json> {
    let mut found = items.into_iter().filter(|item| is_it(item));
    match (found.next(), found.next()) {
        (Some(item), None) => Ok(item),
        (None, _) => Err(CliError::not_found(format!("There is no {what}."))),
        (Some(_), Some(_)) => {
            Err(CliError::new(Exit::Conflict, "ambiguous", format!("There is more than one {what}."))
                .hint("Use the id."))
        }
    }
}

/// An id in an answer.
pub(crate) fn id_of<T: std::str::FromStr>(item: &Json, name: &str) -> Result<T> {
    let id = item.text(name).and_then(|text| text.parse().ok());
    id.ok_or_else(|| CliError::failure("invalid_answer", format!("The vault's answer has no {name}.")))
}
