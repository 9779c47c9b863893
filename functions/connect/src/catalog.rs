//! `GET /sdk/oauth/provider-catalog` (wire protocol section 4.8): the providers that the app has set up.

use std::{collections::BTreeMap, sync::Arc};

use alter_api_types::connect::{CatalogProvider, CatalogScope, ProviderCatalog};
use alter_domain::{
    Result,
    model::ProviderConfig,
    oauth::{RefreshKind, sends_pkce},
    repo::ProviderConfigs,
    web::{PeerIp, signed},
};
use axum::{
    Json,
    extract::{Extension, Request, State},
};

use crate::ConnectState;

pub(crate) async fn catalog(
    State(state): State<Arc<ConnectState>>,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Result<Json<ProviderCatalog>> {
    let ports = &state.service.ports;
    let request = signed(ports, &state.signing, peer.map(|peer| peer.0.0), request).await?;
    request.caller.scopes.require("providers:read")?;
    let configs = ProviderConfigs(ports.table.as_ref()).all(request.caller.app_id).await?;
    // What cannot be connected is not offered: the published client shows all that it gets.
    let enabled = configs.iter().filter(|config| config.is_enabled());
    let providers = enabled.map(|config| Ok((config.provider_id.clone(), view(config)?)));
    Ok(Json(ProviderCatalog { providers: providers.collect::<Result<_>>()? }))
}

fn view(config: &ProviderConfig) -> Result<CatalogProvider> {
    let provider = config.definition()?;
    let configured = &config.scopes;
    let scope = |scope: &String| {
        let known = provider.scopes.known.iter().find(|known| known.scope == *scope);
        let view = CatalogScope {
            description: known.map_or_else(|| scope.clone(), |known| known.description.clone()),
            required: configured.required.contains(scope),
            is_default: configured.default.contains(scope),
            requires: Vec::new(),
        };
        (scope.clone(), view)
    };
    let available: BTreeMap<_, _> = configured.allowed.iter().map(scope).collect();
    Ok(CatalogProvider {
        id: config.provider_id.clone(),
        name: provider.name.clone(),
        display_name: provider.brand().to_owned(),
        category: serde_json::to_value(provider.category)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default(),
        supports_refresh: provider.refresh.kind != RefreshKind::None,
        supports_pkce: sends_pkce(provider),
        available_scopes: available,
        default_scopes: configured.default.clone(),
        required_scopes: configured.required.clone(),
        status: "active".to_owned(),
    })
}
