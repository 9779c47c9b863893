//! Apps: creating, changing, archiving.

use std::collections::BTreeMap;

use alter_api_types::{Color, OrgId};
use bytes::Bytes;
use url::Url;

use super::{Subject, recorded};
use crate::{
    error::{Error, Result},
    model::{Actor, App, AppState, Branding, EventKind, Logo, Surface, name},
    repo::{Apps, Stored},
    state::Ports,
};

const MAX_DESCRIPTION_CHARS: usize = 1000;
const MAX_WEBSITE_URL_BYTES: usize = 2048;
/// RFC 5321, section 4.5.3.1.3, without the angle brackets.
const MAX_EMAIL_BYTES: usize = 254;

/// An app to be created.
#[derive(Debug, Clone)]
pub struct NewApp {
    pub name: String,
    pub description: Option<String>,
    pub website_url: Option<String>,
}

/// What changes; `Some(None)` clears a field.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AppChange {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub website_url: Option<Option<String>>,
    pub support_email: Option<Option<String>>,
    pub color: Option<Option<String>>,
    pub color_dark: Option<Option<String>>,
    pub wallet_listed: Option<bool>,
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
        support_email: None,
        branding: Branding::default(),
        wallet_listed: false,
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
    if change == AppChange::default() {
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
        if let Some(text) = change.support_email {
            app.support_email = text.map(support_email).transpose()?;
        }
        if let Some(text) = change.color {
            app.branding.color = text.as_deref().map(color).transpose()?;
        }
        if let Some(text) = change.color_dark {
            app.branding.color_dark = text.as_deref().map(color).transpose()?;
        }
        if let Some(listed) = change.wallet_listed {
            app.wallet_listed = listed;
        }
        Ok(app)
    })?;
    write(ports, EventKind::AppUpdated, changed, actor, surface).await
}

/// Gives the app this picture for a logo, whatever it had before.
pub async fn set_logo(
    ports: &Ports,
    app: Stored<App>,
    picture: Bytes,
    actor: Actor,
    surface: Surface,
) -> Result<App> {
    let logo = Logo::parse(picture)?;
    write_logo(ports, app, Some(logo), actor, surface).await
}

pub async fn remove_logo(ports: &Ports, app: Stored<App>, actor: Actor, surface: Surface) -> Result<App> {
    if app.value.branding.logo.is_none() {
        return Err(Error::NotFound("logo"));
    }
    write_logo(ports, app, None, actor, surface).await
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

async fn write_logo(
    ports: &Ports,
    mut app: Stored<App>,
    logo: Option<Logo>,
    actor: Actor,
    surface: Surface,
) -> Result<App> {
    app.value.branding.logo = logo.as_ref().map(Logo::to_ref);
    let mut subject = about(EventKind::AppUpdated, &app.value, actor, surface);
    let told = app.value.branding.logo.as_ref().map_or("removed", |logo| &logo.digest);
    subject.detail.insert("logo".to_owned(), told.to_owned());
    recorded(ports, subject, Apps(ports.table.as_ref()).update_logo(&app, logo.as_ref())).await?;
    Ok(app.value)
}

fn about(kind: EventKind, app: &App, actor: Actor, surface: Surface) -> Subject {
    let detail = BTreeMap::from([("name".to_owned(), app.name.clone())]);
    Subject {
        kind,
        org_id: app.org_id,
        app_id: Some(app.id),
        actor,
        surface,
        grant: None,
        user_id: None,
        detail,
    }
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

fn color(text: &str) -> Result<Color> {
    let color = text.to_ascii_lowercase().parse();
    color.map_err(|_| {
        Error::field("invalid_color", "A colour is # and six hexadecimal digits, as in #1f4fd1.")
    })
}

/// Becomes a `mailto:` link: an address as people have them, none of the rarer forms of RFC 5321,
/// and nothing in it that means something in a URL.
fn support_email(text: String) -> Result<String> {
    let usual = |c: char, more: &str| c.is_ascii_alphanumeric() || more.contains(c);
    let dotted = |text: &str, more: &str| {
        text.split('.').all(|part| !part.is_empty() && part.chars().all(|c| usual(c, more)))
    };
    let is_one = text.len() <= MAX_EMAIL_BYTES
        && text.split_once('@').is_some_and(|(local, domain)| {
            dotted(local, "+-_'") && dotted(domain, "-") && domain.contains('.')
        });
    if is_one {
        return Ok(text);
    }
    Err(Error::field("invalid_support_email", "support_email is an address like help@example.com."))
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
    fn a_colour_is_kept_in_lowercase() {
        assert_eq!(color("#1F4fD1").unwrap().to_string(), "#1f4fd1");
        for bad in ["", "1f4fd1", "#1f4", "red", "#1f4fd1;", "url(#a)", "rgb(1 2 3)"] {
            assert!(color(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_contact_is_a_plain_address() {
        for good in ["help@example.com", "a.b+alter@mail.example.co.uk"] {
            assert_eq!(support_email(good.to_owned()).unwrap(), good);
        }
        let long = format!("{}@example.com", "x".repeat(250));
        for bad in [
            "",
            "help",
            "help@",
            "@example.com",
            "help@localhost",
            "a@b@example.com",
            "a b@example.com",
            "help@example..com",
            ".help@example.com",
            "help?bcc=all@example.com",
            "help%0a@example.com",
            "a&body=x@example.com",
            "Help <help@example.com>",
            "hélp@example.com",
            &long,
        ] {
            assert!(support_email(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_description_may_have_lines() {
        assert!(description("two\nlines".to_owned()).is_ok());
        for bad in [String::new(), "a\0b".to_owned(), "x".repeat(1001)] {
            assert!(description(bad).is_err());
        }
    }
}
