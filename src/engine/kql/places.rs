//! Where addresses are, from a MaxMind file.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use maxminddb::{Reader, geoip2};

use crate::fault::{Error, Result};
use crate::function::{Geography, Location};
use crate::ingest::input;

struct MaxMind(Reader<Vec<u8>>);

/// Opens a database of cities (`.mmdb`), which is read into memory.
///
/// # Errors
/// When it cannot be read or is no such file.
pub fn geography(path: &Path) -> Result<Arc<dyn Geography>> {
    input::regular(path)?;
    let reader = Reader::open_readfile(path).map_err(|e| Error::Unusable {
        path: path.to_path_buf(),
        reason: format!("it is no MaxMind database: {e}"),
    })?;
    Ok(Arc::new(MaxMind(reader)))
}

impl Geography for MaxMind {
    fn locate(&self, address: IpAddr) -> Option<Location> {
        let found = self.0.lookup(address).ok()?;
        let city: geoip2::City = found.decode().ok()??;
        let name = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let state = city.subdivisions.first();
        Some(Location {
            country: name(city.country.names.english),
            state: name(state.and_then(|s| s.names.english)),
            city: name(city.city.names.english),
            position: city.location.longitude.zip(city.location.latitude),
        })
    }
}
