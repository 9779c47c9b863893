//! AWS Signature Version 4: region and service from the host, signature by AWS's signer.

mod scope;
mod sign;

#[cfg(test)]
mod verifier;

pub use scope::AwsScope;
pub use sign::needs_whole_body;
pub(super) use sign::sign;
