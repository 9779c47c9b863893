//! One template, as it is written in the data file and used by the portal.

use http::Method;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{
    egress::AllowedHosts,
    inject::{
        CredentialFields, CredentialType, DefaultHeaders, FieldsError, Injection, InjectionError, Rules,
    },
    secret::Secret,
};

/// What a service is for; groups the portal's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    Ai,
    Analytics,
    Cloud,
    Commerce,
    Communication,
    Crm,
    Data,
    DeveloperTools,
    Finance,
    Health,
    Identity,
    Marketing,
    Media,
    Monitoring,
    Payments,
    People,
    Productivity,
    Security,
    Social,
    Support,
}

/// How sure we are that the entry is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Two independent sources agree.
    High,
    /// One source.
    Medium,
    /// Hearsay; to be confirmed before use.
    Low,
}

/// Where an entry comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    pub source: String,
    /// Year and month.
    pub date: String,
    pub certainty: Certainty,
}

/// One value that the operator enters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateField {
    pub name: String,
    pub label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Not secret: a user name, an account id.
    pub secret: bool,
    /// May be left out; the rules that use it are then left out too.
    #[serde(default)]
    pub optional: bool,
}

/// A request that reads something harmless, to try a credential with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    #[serde(deserialize_with = "method")]
    pub method: Method,
    pub url: String,
}

/// What a managed secret for one service looks like.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// `[a-z0-9-]{1,50}`, unique.
    pub slug: String,
    pub name: String,
    pub category: Category,
    pub credential_type: CredentialType,
    pub fields: Vec<TemplateField>,
    /// With all fields, the optional ones too; see [`Template::instantiate`].
    pub injection: Injection,
    /// Where the credential may go. A suffix stands for the tenants of one service: the operator should put the one
    /// host in its place.
    pub allowed_hosts: AllowedHosts,
    #[serde(default)]
    pub default_headers: DefaultHeaders,
    pub docs_url: String,
    pub evidence: Evidence,
    #[serde(default)]
    pub test_request: Option<TestRequest>,
}

/// Why a template, or what was entered for it, is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("field {0} is required")]
    Missing(String),
    #[error("the template has no field {0}")]
    Unknown(String),
    #[error(transparent)]
    Fields(#[from] FieldsError),
    #[error(transparent)]
    Injection(#[from] InjectionError),
    /// Only in the data file.
    #[error("catalogue: {0}")]
    Data(String),
}

impl Template {
    /// The credential and its injection for the values entered. An optional field left out takes the rules that use it
    /// with it; replacing the values later with other optional fields needs the injection made anew.
    pub fn instantiate(
        &self,
        values: Vec<(String, Secret<String>)>,
    ) -> Result<(CredentialFields, Injection), TemplateError> {
        if let Some((unknown, _)) =
            values.iter().find(|(name, _)| !self.fields.iter().any(|f| f.name == *name))
        {
            return Err(TemplateError::Unknown(unknown.clone()));
        }
        let missing = |f: &&TemplateField| !f.optional && !values.iter().any(|(name, _)| *name == f.name);
        if let Some(field) = self.fields.iter().find(missing) {
            return Err(TemplateError::Missing(field.name.clone()));
        }
        let public: Vec<&str> = self.fields.iter().filter(|f| !f.secret).map(|f| f.name.as_str()).collect();
        let fields = CredentialFields::from_pairs(values, &public)?;
        let injection = self.injection_for(&fields)?;
        injection.check(fields.names())?;
        Ok((fields, injection))
    }

    fn injection_for(&self, fields: &CredentialFields) -> Result<Injection, InjectionError> {
        match &self.injection {
            Injection::AwsSigv4 => Ok(Injection::AwsSigv4),
            Injection::Rules(rules) => {
                let usable =
                    rules.iter().filter(|rule| rule.format().fields().all(|name| fields.get(name).is_some()));
                Ok(Injection::Rules(Rules::new(usable.cloned().collect())?))
            }
        }
    }
}

/// Reads the data file. Everything that can be checked without the network is checked by the types on the way in or
/// by the tests; here only what lookups rest on.
pub(super) fn parse(source: &str) -> Result<Vec<Template>, TemplateError> {
    #[derive(Deserialize)]
    struct File {
        templates: Vec<Template>,
    }
    let file: File = serde_json::from_str(source).map_err(|error| TemplateError::Data(error.to_string()))?;
    if !file.templates.is_sorted_by(|a, b| a.slug < b.slug) {
        return Err(TemplateError::Data("slugs are not unique and sorted".to_owned()));
    }
    Ok(file.templates)
}

fn method<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Method, D::Error> {
    let text = <&str>::deserialize(deserializer)?;
    Method::from_bytes(text.as_bytes()).map_err(de::Error::custom)
}
