//! Apps: creating, changing, archiving.

use std::collections::BTreeMap;

use alter_api_types::{AppId, OrgId};
use url::Url;

use super::{Subject, recorded};
use crate::{
    error::{Error, Result},
    model::{Actor, App, AppState, EventKind, Surface, name},
    repo::{Apps, Stored},
    state::Ports,
};

const MAX_DESCRIPTION_CHARS: usize = 1000;
const MAX_WEBSITE_URL_BYTES: usize = 2048;

/// An app to be created.
#[derive(Debug, Clone)]
pub struct NewApp {
    pub name: String,
    pub description: Option<String>,
    pub website_url: Option<String>,
}

/// What changes; `Some(None)` clears a field.
#[derive(Debug, Clone, Default)]
pub struct AppChange {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub website_url: Option<Option<String>>,
}

pub async fn create_app(
    ports: &Ports,
    org_id: OrgId,
    new: NewApp,
    actor: Actor,
    surface: Surface,
) -> Result<App> {
    let app = App {
        id: ports.new_id()?,
        org_id,
        name: name(&new.name)?,
        description: new.description.map(description).transpose()?,
        website_url: new.website_url.as_deref().map(website_url).transpose()?,
        state: AppState::Active,
        created_at: ports.clock.now(),
    };
    let subject = about(EventKind::AppCreated, &app, actor, surface);
    recorded(ports, subject, Apps(ports.table.as_ref()).create(&app)).await?;
    Ok(app)
}

/// Changes the fields that are given, of which there must be one.
pub async fn update_app(
    ports: &Ports,
    app: Stored<App>,
    change: AppChange,
    actor: Actor,
    surface: Surface,
) -> Result<App> {
    if change.name.is_none() && change.description.is_none() && change.website_url.is_none() {
        return Err(Error::field("nothing_to_update", "Name at least one field to change."));
    }
    let changed = app.try_map(|mut app| {
        if let Some(text) = change.name {
            app.name = name(&text)?;
        }
        if let Some(text) = change.description {
            app.description = text.map(description).transpose()?;
        }
        if let Some(text) = change.website_url {
            app.website_url = text.as_deref().map(website_url).transpose()?;
        }
        Ok(app)
    })?;
    write(ports, EventKind::AppUpdated, changed, actor, surface).await
}

/// Hides the app from lists; everything in it goes on working.
pub async fn archive_app(ports: &Ports, app: Stored<App>, actor: Actor, surface: Surface) -> Result<App> {
    let changed = app.try_map(|app| app.archive(ports.clock.now()))?;
    write(ports, EventKind::AppArchived, changed, actor, surface).await
}

pub async fn unarchive_app(ports: &Ports, app: Stored<App>, actor: Actor, surface: Surface) -> Result<App> {
    let changed = app.try_map(App::unarchive)?;
    write(ports, EventKind::AppUnarchived, changed, actor, surface).await
}

async fn write(
    ports: &Ports,
    kind: EventKind,
    app: Stored<App>,
    actor: Actor,
    surface: Surface,
) -> Result<App> {
    let subject = about(kind, &app.value, actor, surface);
    recorded(ports, subject, async { Apps(ports.table.as_ref()).update(&app).await.map(drop) }).await?;
    Ok(app.value)
}

fn about(kind: EventKind, app: &App, actor: Actor, surface: Surface) -> Subject {
    let id: AppId = app.id;
    let detail = BTreeMap::from([("name".to_owned(), app.name.clone())]);
    Subject { kind, org_id: app.org_id, app_id: Some(id), actor, surface, grant: None, user_id: None, detail }
}

fn description(text: String) -> Result<String> {
    let strange = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.is_empty() || text.chars().count() > MAX_DESCRIPTION_CHARS || text.contains(strange) {
        return Err(Error::field(
            "invalid_description",
            format!("A description has 1 to {MAX_DESCRIPTION_CHARS} characters and no control characters."),
        ));
    }
    Ok(text)
}

/// Shown as a link to end users: http or https and nothing that only looks like it.
fn website_url(text: &str) -> Result<String> {
    let parsed = Url::parse(text).ok().filter(|url| {
        text.len() <= MAX_WEBSITE_URL_BYTES
            && matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
    });
    match parsed {
        Some(url) => Ok(url.into()),
        None => Err(Error::field(
            "invalid_website_url",
            "website_url is an http or https URL of at most 2048 bytes.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_website_is_a_web_address() {
        assert_eq!(website_url("https://example.com").unwrap(), "https://example.com/");
        for bad in [
            "",
            "example.com",
            "javascript:alert(1)",
            "ftp://example.com",
            "https://a:b@example.com",
            "http://",
        ] {
            assert!(website_url(bad).is_err(), "{bad}");
        }
        assert!(website_url(&format!("https://example.com/{}", "x".repeat(2048))).is_err());
    }

    #[test]
    fn a_description_may_have_lines() {
        assert!(description("two\nlines".to_owned()).is_ok());
        for bad in [String::new(), "a\0b".to_owned(), "x".repeat(1001)] {
            assert!(description(bad).is_err());
        }
    }
}
