//! Names to addresses.

use std::{io, net::IpAddr};

use async_trait::async_trait;

/// Resolves a host name. The answer is checked by the client, address by address, and not asked for again for the same
/// connection.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// All addresses of the name, in the order in which they should be tried.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver (`getaddrinfo`, on the blocking pool).
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut addresses = Vec::new();
        for socket in tokio::net::lookup_host((host, 0)).await? {
            if !addresses.contains(&socket.ip()) {
                addresses.push(socket.ip());
            }
        }
        Ok(addresses)
    }
}
