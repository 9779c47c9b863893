//! From an entry's API part to what calls through one connection carry, and where they may go.

use super::{Provider, Values, api_base_url, api_headers, api_hosts};
use crate::{
    error::{Error, Result},
    inject::{DefaultHeaders, InjectRule, Injection, Rules, Target},
    model::{ACCESS_TOKEN, Delivery},
};

/// Fills in the entry's API part. What does not fit is the entry's fault, or a variable's: the provider is not used then.
pub fn delivery(provider: &Provider, values: &Values, client_id: &str) -> Result<Delivery> {
    let wrong = |error: &dyn std::error::Error| Error::Internal(format!("provider {}: {error}", provider.id));
    let rule = InjectRule::new(Target::Header, &provider.api.header, &provider.api.format)
        .map_err(|error| wrong(&error))?;
    let injection = Injection::Rules(Rules::new(vec![rule]).map_err(|error| wrong(&error))?);
    injection.check([ACCESS_TOKEN]).map_err(|error| wrong(&error))?;
    let headers = api_headers(provider, values, client_id).map_err(|error| wrong(&error))?;
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Ok(Delivery {
        injection,
        default_headers: DefaultHeaders::new(pairs).map_err(|error| wrong(&error))?,
        allowed_hosts: api_hosts(provider, values).map_err(|error| wrong(&error))?,
        api_base_url: api_base_url(provider, values).map_err(|error| wrong(&error))?,
    })
}
