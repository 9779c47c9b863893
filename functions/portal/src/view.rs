//! From the domain's values to answers.

use alter_api_types::{
    SecretText,
    portal::{
        AgentStatus, AgentView, AppStatus, AppView, ConnectionView, CredentialType, GrantPolicyView,
        GrantView, HeaderView, InjectionRuleView, InjectionView, KeyStatus, KeyView, LogoView, Page,
        Permission, PrincipalView, RuleTarget, SecretView, TemplateField, TemplateView, TokenStatus,
        TokenView,
    },
};
use alter_domain::{
    catalogue::Template,
    flow::{Connected, wallet::logo_path},
    inject::{self, DefaultHeaders, Injection, Target},
    model::{
        self, Agent, AgentState, ApiKey, App, AppState, ConnectionState, Grant, GrantState, KeyHolder,
        KeyProblem, KeyState, ManagedSecret, OperatorToken, Principal,
    },
    repo::Listed,
    secret::Secret,
    web::grants::{kind, provider_revocation, status, surface},
};
use jiff::Timestamp;

use crate::PortalState;

pub(crate) fn page<T, V>(listed: Listed<T>, view: impl Fn(T) -> V) -> Page<V> {
    Page { items: listed.items.into_iter().map(view).collect(), next_cursor: listed.next }
}

/// The only place where a fresh key or token is turned into an answer.
pub(crate) fn shown_once(plain: &Secret<String>) -> SecretText {
    SecretText::new(plain.expose_secret().clone())
}

pub(crate) fn token(token: OperatorToken, now: Timestamp) -> TokenView {
    TokenView {
        token_id: token.id,
        token_prefix: token.public_part,
        name: token.name,
        permission: match token.permission {
            model::Permission::Read => Permission::Read,
            model::Permission::Write => Permission::Write,
            model::Permission::Admin => Permission::Admin,
        },
        status: match (token.revoked_at, token.expires_at) {
            (Some(_), _) => TokenStatus::Revoked,
            (None, Some(at)) if now >= at => TokenStatus::Expired,
            (None, _) => TokenStatus::Active,
        },
        expires_at: token.expires_at,
        revoked_at: token.revoked_at,
        created_at: token.created_at,
    }
}

pub(crate) fn app(app: App, portal: &PortalState) -> AppView {
    let (status, archived_at) = match app.state {
        AppState::Active => (AppStatus::Active, None),
        AppState::Archived { at } => (AppStatus::Archived, Some(at)),
    };
    AppView {
        app_id: app.id,
        name: app.name,
        description: app.description,
        website_url: app.website_url,
        support_email: app.support_email,
        color: app.branding.color.map(String::from),
        color_dark: app.branding.color_dark.map(String::from),
        logo: app.branding.logo.as_ref().map(|logo| LogoView {
            url: format!("{}{}", portal.wallet_url, logo_path(app.id, logo)),
            content_type: logo.content_type.as_str().to_owned(),
        }),
        wallet_listed: app.wallet_listed,
        status,
        archived_at,
        created_at: app.created_at,
    }
}

pub(crate) fn key(key: ApiKey, now: Timestamp) -> KeyView {
    let status = match (key.usable(now), key.state) {
        (Ok(()), KeyState::Rotated { .. }) => KeyStatus::RotatedInGrace,
        (Ok(()), _) => KeyStatus::Active,
        (Err(KeyProblem::GraceOver), _) => KeyStatus::Rotated,
        (Err(KeyProblem::Expired), _) => KeyStatus::Expired,
        (Err(KeyProblem::Revoked), _) => KeyStatus::Revoked,
    };
    let (mut rotated_at, mut grace, mut next, mut revoked_at) = (None, None, None, None);
    match key.state {
        KeyState::Active => {}
        KeyState::Rotated { at, grace_ends_at, successor } => {
            (rotated_at, grace, next) = (Some(at), Some(grace_ends_at), Some(successor));
        }
        KeyState::Revoked { at } => revoked_at = Some(at),
    }
    KeyView {
        key_id: key.id,
        app_id: key.app_id,
        key_prefix: key.public_part,
        name: key.name,
        agent_id: match key.holder {
            KeyHolder::App => None,
            KeyHolder::Agent { agent_id } => Some(agent_id),
        },
        scopes: key.scopes.to_texts(),
        status,
        expires_at: key.expires_at,
        rotated_at,
        grace_ends_at: grace,
        successor_key_id: next,
        revoked_at,
        created_at: key.created_at,
    }
}

pub(crate) fn agent(agent: Agent) -> AgentView {
    let (status, revoked_at) = match agent.state {
        AgentState::Active => (AgentStatus::Active, None),
        AgentState::Revoked { at } => (AgentStatus::Revoked, Some(at)),
    };
    AgentView {
        agent_id: agent.id,
        app_id: agent.app_id,
        name: agent.name.as_str().to_owned(),
        display_name: agent.display_name,
        status,
        revoked_at,
        created_at: agent.created_at,
    }
}

pub(crate) fn secret(secret: ManagedSecret) -> SecretView {
    SecretView {
        secret_id: secret.id,
        app_id: secret.app_id,
        slug: secret.slug,
        name: secret.name,
        template: secret.template,
        credential_type: credential_type(secret.credential_type),
        fields: secret.fields,
        injection: injection(&secret.injection),
        default_headers: headers(&secret.default_headers),
        allowed_hosts: secret.allowed_hosts.0.iter().map(ToString::to_string).collect(),
        created_at: secret.created_at,
        rotated_at: secret.rotated_at,
        active_grants: None,
        grant: None,
    }
}

pub(crate) fn template(template: &Template) -> TemplateView {
    TemplateView {
        slug: template.slug.clone(),
        name: template.name.clone(),
        category: serde_json::to_value(template.category)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default(),
        credential_type: credential_type(template.credential_type),
        fields: template
            .fields
            .iter()
            .map(|field| TemplateField {
                name: field.name.clone(),
                label: field.label.clone(),
                help: field.help.clone(),
                secret: field.secret,
                required: !field.optional,
            })
            .collect(),
        injection: injection(&template.injection),
        default_headers: headers(&template.default_headers),
        allowed_hosts: template.allowed_hosts.0.iter().map(ToString::to_string).collect(),
        docs_url: template.docs_url.clone(),
    }
}

/// A grant on a connection is shown with it; see [`connection`].
pub(crate) fn grant(grant: Grant, last_used_at: Option<Timestamp>, now: Timestamp) -> GrantView {
    let status = status(grant.status(now));
    let (revoked_at, revoked_from, revoke_reason) = match grant.state {
        GrantState::Active => (None, None, None),
        GrantState::Revoked { at, from, reason } => (Some(at), Some(surface(from)), reason),
    };
    GrantView {
        grant_id: grant.id,
        app_id: grant.app_id,
        kind: kind(grant.source),
        secret_id: grant.source.secret_id(),
        connection_id: grant.source.connection_id(),
        provider_id: grant.provider_id,
        principal: match grant.principal {
            Principal::User { user_id } => PrincipalView::User { user_id },
            Principal::Group { idp_id, external_group_id } => {
                PrincipalView::Group { idp_id, external_group_id }
            }
            Principal::System => PrincipalView::System {},
            Principal::Agent { agent_id } => PrincipalView::Agent { agent_id },
        },
        label: grant.label,
        status,
        grant_policy: GrantPolicyView {
            expires_at: grant.policy.expires_at,
            max_ttl_seconds: grant.policy.max_ttl_seconds,
        },
        revoked_at,
        revoked_from,
        revoke_reason,
        last_used_at,
        created_at: grant.created_at,
        connection: None,
    }
}

pub(crate) fn connection(connected: &Connected) -> ConnectionView {
    let connection = &connected.connection;
    let account = connection.account.as_ref();
    ConnectionView {
        account_identifier: account.map(|account| account.identifier.clone()),
        account_display_name: account.and_then(|account| account.display_name.clone()),
        scopes: connection.scopes.clone(),
        scope_mismatch: !connected.missing_scopes.is_empty(),
        missing_scopes: connected.missing_scopes.clone(),
        needs_reconnect: connection.needs_reconnect(),
        token_expires_at: connection.tokens.expires_at,
        provider_revocation: match &connection.state {
            ConnectionState::Revoked { receipt, .. } => Some(provider_revocation(receipt)),
            ConnectionState::Active | ConnectionState::Broken { .. } => None,
        },
    }
}

fn credential_type(kind: inject::CredentialType) -> CredentialType {
    match kind {
        inject::CredentialType::Bearer => CredentialType::Bearer,
        inject::CredentialType::ApiKey => CredentialType::ApiKey,
        inject::CredentialType::Basic => CredentialType::Basic,
        inject::CredentialType::AwsSigv4 => CredentialType::AwsSigv4,
        inject::CredentialType::Custom => CredentialType::Custom,
    }
}

fn injection(injection: &Injection) -> InjectionView {
    match injection {
        Injection::AwsSigv4 => InjectionView::AwsSigv4 {},
        Injection::Rules(rules) => InjectionView::Rules {
            rules: rules
                .iter()
                .map(|rule| InjectionRuleView {
                    target: match rule.target() {
                        Target::Header => RuleTarget::Header,
                        Target::Query => RuleTarget::Query,
                    },
                    name: rule.name().to_owned(),
                    format: rule.format().to_string(),
                })
                .collect(),
        },
    }
}

fn headers(headers: &DefaultHeaders) -> Vec<HeaderView> {
    headers
        .iter()
        .map(|(name, value)| HeaderView { name: name.to_owned(), value: value.to_owned() })
        .collect()
}
