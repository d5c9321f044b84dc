//! What a query knows of its surroundings.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

/// What a function may know beside its arguments.
#[derive(Clone, Default)]
pub struct Env {
    /// The instant of the query, in ticks: `now()`.
    pub now: i64,
    /// Where addresses are, for `geo_info_from_ip_address`.
    pub geography: Option<Arc<dyn Geography>>,
}

impl Env {
    /// The instant of a query that is not asked yet: what depends on it waits.
    pub const OPEN: i64 = i64::MIN;

    /// Whether the instant of the query is not known yet.
    pub fn is_open(&self) -> bool {
        self.now == Env::OPEN
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env")
            .field("now", &self.now)
            .field("geography", &self.geography.is_some())
            .finish()
    }
}

/// Two know the same where they have one source of places.
impl PartialEq for Env {
    fn eq(&self, other: &Self) -> bool {
        let places = match (&self.geography, &other.geography) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        places && self.now == other.now
    }
}

impl Eq for Env {}

impl Hash for Env {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.now, self.geography.is_some()).hash(state);
    }
}

/// Knows where an address is.
pub trait Geography: Send + Sync {
    /// Where the address is; nothing where that is not known.
    fn locate(&self, address: IpAddr) -> Option<Location>;
}

/// Where an address is. What is not known is empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Location {
    /// Name of the country, in English.
    pub country: String,
    /// Name of the state or region.
    pub state: String,
    /// Name of the city.
    pub city: String,
    /// Degrees east and north.
    pub position: Option<(f64, f64)>,
}
