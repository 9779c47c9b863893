//! From request bodies about OAuth providers to the domain's values.

use alter_api_types::{
    SecretText,
    portal::{AddProvider, ScopesInput, UpdateProvider},
};
use alter_domain::{
    Error, Result,
    flow::{Definition, NewProvider, ProviderChange, ScopeChange, SecretFields},
    oauth::Provider,
    secret::Secret,
};
use serde_json::Value;

pub(crate) fn new_provider(body: AddProvider) -> Result<NewProvider> {
    let definition = match (body.provider_id, body.definition) {
        (Some(id), None) => Definition::Catalogue(id),
        (None, Some(own)) => Definition::Custom(definition(own)?),
        _ => return Err(Error::field("invalid_provider", "Name a provider_id or give a definition.")),
    };
    Ok(NewProvider {
        definition,
        client_id: body.client_id,
        secret: secret(body.client_secret, body.private_key),
        scopes: scopes(body.scopes),
        variables: body.variables,
    })
}

pub(crate) fn provider_change(body: UpdateProvider) -> Result<ProviderChange> {
    Ok(ProviderChange {
        client_id: body.client_id,
        scopes: body.scopes.map(scopes),
        variables: body.variables,
        definition: body.definition.map(definition).transpose()?,
    })
}

/// Into custody, by name.
pub(crate) fn secret(client_secret: Option<SecretText>, private_key: Option<SecretText>) -> SecretFields {
    let fields = [("client_secret", client_secret), ("private_key", private_key)];
    let given = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
    given.map(|(name, value)| (name.to_owned(), Secret::new(value.into_inner()))).collect()
}

fn scopes(input: ScopesInput) -> ScopeChange {
    ScopeChange { allowed: input.allowed, default: input.default, required: input.required }
}

fn definition(value: Value) -> Result<Box<Provider>> {
    let read = serde_json::from_value(value).map(Box::new);
    read.map_err(|error| Error::field("invalid_definition", format!("The definition: {error}.")))
}
