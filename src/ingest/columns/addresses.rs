//! Addresses of logs that have them with a port or inside an object.

use super::super::json;
use super::super::rows::{Row, Slot};
use crate::catalog::Table;
use crate::text::address;

/// Puts the address alone into the column for it.
pub(super) fn clean(table: &Table, row: &mut Row<'_>) {
    if table.name == "AipServiceUserLog" {
        let address = address::clean(row.get(table.at("ClientIP")).text());
        if let Some(address) = address {
            row.replace(table.at("IPAddress"), Slot::Text(address.into()));
        }
    }
    if table.name == "AipServiceTrackingLog" {
        let place = row.get(table.at("RequesterLocation")).text();
        let mut address = None;
        // A place that is no object names no address.
        let _ = json::entries(place, |key, raw| {
            if key == "IP" {
                address = raw.text().and_then(|t| address::clean(&t));
            }
        });
        if let Some(address) = address {
            let column = table.at("IPAddress");
            row.replace(column, Slot::Text(address.into()));
        }
    }
}
