//! A key service that does what the portal's role may ask of it.

use alter_adapter_local::KeyFile;
use alter_domain::{
    port::{KeyContext, KeyWrapper, WrapError, WrappedKey},
    secret::Secret,
};
use async_trait::async_trait;

/// Makes data keys and opens none.
pub(super) struct MakesOnly(pub(super) KeyFile);

#[async_trait]
impl KeyWrapper for MakesOnly {
    async fn generate(&self, context: &KeyContext) -> Result<(Secret<Vec<u8>>, WrappedKey), WrapError> {
        self.0.generate(context).await
    }

    async fn unwrap(&self, _: &KeyContext, _: &WrappedKey) -> Result<Secret<Vec<u8>>, WrapError> {
        Err(WrapError::Unavailable("not allowed".to_owned()))
    }
}
