//! Names to addresses: the system's way, or one that is passed in.

use std::io;
use std::net::IpAddr;

/// Finds the addresses of a name.
#[async_trait::async_trait]
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of `host`; none is an error too.
    ///
    /// # Errors
    /// What the resolver says.
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver, hosts file included.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait::async_trait]
impl Resolve for SystemResolver {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}
