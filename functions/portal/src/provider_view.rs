//! From what is known of OAuth providers to answers.

use alter_api_types::portal::{
    AskedOf, CatalogProviderView, CertaintyView, ProviderScopes, ProviderStatus, ProviderUsage,
    ProviderVariable, ProviderView, RefreshView, ScopeView,
};
use alter_domain::{
    Error, Result, flow,
    model::{ProviderConfig, ProviderState},
    oauth::{Provider, Refresh, Variable, VariableSource},
};
use serde::Serialize;

pub(crate) fn known(provider: &Provider) -> CatalogProviderView {
    let scope = |info: &alter_domain::oauth::ScopeInfo| ScopeView {
        scope: info.scope.clone(),
        description: info.description.clone(),
        default: info.default,
    };
    CatalogProviderView {
        provider_id: provider.id.clone(),
        name: provider.name.clone(),
        category: word(&provider.category),
        monogram: provider.monogram.clone(),
        docs_url: provider.docs_url.clone(),
        flow: word(&provider.flow),
        secret_fields: provider.secret_fields().into_iter().map(str::to_owned).collect(),
        scopes: provider.scopes.known.iter().map(scope).collect(),
        always_scopes: provider.scopes.always.clone(),
        without_scopes: provider.scopes.none,
        variables: provider.variables.iter().filter_map(variable).collect(),
        pkce: provider.authorization.as_ref().map(|authorization| word(&authorization.pkce)),
        refresh: refresh(&provider.refresh),
        revocation: provider.revocation.is_some(),
        api_hosts: provider.api.hosts.clone(),
        certainty: CertaintyView {
            endpoints: word(&provider.evidence.endpoints),
            behaviour: word(&provider.evidence.behaviour),
            date: provider.evidence.date.clone(),
        },
        notes: provider.notes.clone(),
    }
}

/// `public_url`: where providers send people back to, without a slash at its end.
pub(crate) fn configured(
    config: ProviderConfig,
    usage: &flow::ProviderUsage,
    public_url: &str,
) -> Result<ProviderView> {
    // A later catalogue may lack an entry: the registration is shown all the same, so that it can be removed.
    let known = config.definition().ok();
    let name = known.map_or(&config.provider_id, |known| &known.name).clone();
    let docs_url = known.map(|known| known.docs_url.clone());
    let (status, disabled_at) = match config.state {
        ProviderState::Enabled => (ProviderStatus::Enabled, None),
        ProviderState::Disabled { at } => (ProviderStatus::Disabled, Some(at)),
    };
    let definition = config.custom.as_ref().map(serde_json::to_value).transpose();
    Ok(ProviderView {
        redirect_uri: format!("{public_url}/sdk/oauth/callback/{}/{}", config.app_id, config.provider_id),
        app_id: config.app_id,
        provider_id: config.provider_id,
        name,
        docs_url,
        status,
        disabled_at,
        client_id: config.client_id,
        has_client_secret: config.secret.is_some(),
        secret_rotated_at: config.secret.map(|secret| secret.rotated_at),
        scopes: ProviderScopes {
            allowed: config.scopes.allowed,
            default: config.scopes.default,
            required: config.scopes.required,
        },
        variables: config.values.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        definition: definition.map_err(|error| Error::Internal(error.to_string()))?,
        usage: ProviderUsage {
            live_grants: usage.live_grants,
            scope_mismatches: usage.scope_mismatches,
            need_reconnect: usage.need_reconnect,
            pending_revocations: usage.pending_revocations,
            is_truncated: usage.truncated,
        },
        created_at: config.created_at,
        updated_at: config.updated_at,
    })
}

/// One that somebody is asked for; the others the vault finds by itself.
fn variable(variable: &Variable) -> Option<ProviderVariable> {
    let asked_of = match variable.source {
        VariableSource::Operator => AskedOf::Operator,
        VariableSource::User => AskedOf::User,
        VariableSource::Callback { .. } | VariableSource::Reply { .. } | VariableSource::Lookup => {
            return None;
        }
    };
    Some(ProviderVariable {
        name: variable.name.clone(),
        label: variable.label.clone(),
        asked_of,
        expected: variable.shape.expectation(),
        example: variable.example.clone(),
        default: variable.default.clone(),
        required: variable.default.is_none() && !variable.optional,
    })
}

fn refresh(refresh: &Refresh) -> RefreshView {
    RefreshView {
        kind: word(&refresh.kind),
        rotation: word(&refresh.rotation),
        access_ttl_seconds: refresh.access_ttl_seconds,
        refresh_ttl_seconds: refresh.keep.map(|keep| keep.seconds),
        refresh_ttl_idle: refresh.keep.is_some_and(|keep| keep.idle),
        condition: refresh.condition.clone(),
    }
}

/// A value without fields as its data file spells it.
fn word<T: Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).ok();
    value.as_ref().and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}
