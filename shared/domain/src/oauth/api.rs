//! Where calls through one connection go, and what they carry beside the token.

use super::{Client, EngineError, Provider, TemplateError, Values, names::Names};
use crate::egress::AllowedHosts;

/// The egress allow-list. Every host must be known: a list that silently lacks one is found out by a user.
pub fn api_hosts(provider: &Provider, values: &Values) -> Result<AllowedHosts, EngineError> {
    let names = Names::of_variables(provider, values);
    let host = |template: &String| Ok(names.host(template)?.parse()?);
    provider.api.hosts.iter().map(host).collect()
}

/// The headers that every call needs, without those whose optional variable has no value.
pub fn api_headers(
    provider: &Provider,
    values: &Values,
    client_id: &str,
) -> Result<Vec<(String, String)>, EngineError> {
    let names = Names::new(provider, values, &Client { client_id, secret: None, redirect_uri: "" });
    let mut headers = Vec::new();
    for (name, template) in &provider.api.headers {
        match names.text(template) {
            Ok(value) => headers.push((name.clone(), value.to_string())),
            Err(TemplateError::Absent(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(headers)
}

/// The URL that calls can start from.
pub fn api_base_url(provider: &Provider, values: &Values) -> Result<Option<String>, EngineError> {
    let names = Names::of_variables(provider, values);
    let url = provider.api.base_url.as_deref().map(|template| names.url(template)).transpose()?;
    Ok(url.map(|url| url.to_string()))
}

/// Those hosts whose variables have values yet.
pub(super) fn api_hosts_known(provider: &Provider, values: &Values) -> AllowedHosts {
    let names = Names::of_variables(provider, values);
    provider.api.hosts.iter().filter_map(|template| names.host(template).ok()?.parse().ok()).collect()
}
