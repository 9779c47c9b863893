//! An app as people see it.

use alter_api_types::{
    AppId,
    wallet::{AppCard, Branding},
};

use crate::{
    flow::connect::PublicUrl,
    model::{App, LogoRef},
};

/// The app with its looks; the Wallet and Connect's pages both draw from this.
pub fn app_card(url: &PublicUrl, app: &App) -> AppCard {
    let branding = &app.branding;
    AppCard {
        app_id: app.id,
        name: app.name.clone(),
        description: app.description.clone(),
        website_url: app.website_url.clone(),
        branding: Branding {
            logo_url: branding.logo.as_ref().map(|logo| format!("{}{}", url.path(), logo_path(app.id, logo))),
            color: branding.color.map(|color| color.to_string()),
            color_dark: branding.color_dark.map(|color| color.to_string()),
        },
    }
}

/// Where an app's logo is, below the vault's public URL. Another picture has another address.
pub fn logo_path(app: AppId, logo: &LogoRef) -> String {
    format!("/wallet/api/logos/{app}/{}", logo.digest)
}
