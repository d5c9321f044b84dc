//! What the organisation says to be its own, or to be left alone: of that nobody makes indicators.

use std::collections::BTreeSet;

use super::reference;
use super::rows::each;
use crate::engine::Session;
use crate::fault::Result;

/// Watchlist of what is left alone: addresses, ranges, accounts, domains, URLs, applications, files, and why.
pub const ALLOWLIST: &str = "Allowlist";

/// Tables whose sign-ins say whether they came from a location that the organisation trusts.
const SIGN_INS: [&str; 7] = [
    "SigninLogs",
    "AADNonInteractiveUserSignInLogs",
    "AADServicePrincipalSignInLogs",
    "AADManagedIdentitySignInLogs",
    "ADFSSignInLogs",
    "EntraIdSignInEvents",
    "AADSignInEventsBeta",
];

/// What is left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Values of the watchlist, and the reason of each; empty where it has none.
    pub values: Vec<(String, String)>,
    /// Addresses of locations that the organisation trusts, as sign-ins write them.
    pub addresses: BTreeSet<String>,
}

/// What the archive says.
pub(super) fn of(session: &Session) -> Result<Allowed> {
    let mut allowed = Allowed::default();
    for row in reference::rows(session, ALLOWLIST, &[&["value"], &["reason"]])? {
        if let [Some(value), reason] = row.as_slice() {
            let reason = reason.clone().unwrap_or_default();
            allowed.values.push((value.clone(), reason));
        }
    }
    for table in SIGN_INS.into_iter().filter(|table| session.has(table)) {
        let sql = format!(
            "SELECT s.\"IPAddress\" FROM \"{table}\" AS s \
             WHERE CAST(s.\"NetworkLocationDetails\" AS VARCHAR) LIKE '%trustedNamedLocation%' GROUP BY 1"
        );
        each(
            session,
            &sql,
            |_| Ok(()),
            |row| {
                allowed.addresses.extend(row.text(0)?);
                Ok(())
            },
        )?;
    }
    Ok(allowed)
}
