//! The coordinator's workers.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::link::Link;
use super::secret::Secret;
use super::wire;
use crate::fault::{Error, Result};

/// Who is told what happens to workers.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// Workers that are there.
pub struct Cluster {
    pub(super) runtime: Runtime,
    pub(super) links: Vec<Link>,
    pub(super) tell: Tell,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.links.iter().map(|link| &link.address);
        f.debug_list().entries(addresses).finish()
    }
}

impl Cluster {
    /// Connects to workers, each named as HOST:PORT. `tell` is told of those that are lost later.
    ///
    /// # Errors
    /// When an address is none or named twice; when one of them is not there, knows another secret or is another build.
    pub fn connect(addresses: &[String], secret: &Secret, tell: Tell) -> Result<Cluster> {
        let mut seen = HashSet::new();
        if let Some(twice) = addresses.iter().find(|address| !seen.insert(*address)) {
            return Err(Error::Usage(format!("--cluster {twice}: named twice")));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(Error::io("start threads for", "the cluster"))?;
        let (tls, build) = (secret.client()?, wire::build()?);
        let connecting = addresses
            .iter()
            .map(|address| Link::connect(address, tls.clone(), &build));
        let links = runtime.block_on(futures::future::try_join_all(connecting))?;
        Ok(Cluster {
            runtime,
            links,
            tell,
        })
    }
}
