//! Watchlists whose columns may be named in several ways, and what the archive knows of accounts.

use std::collections::{BTreeMap, HashMap};

use arrow::array::RecordBatch;

use super::rows::{each, listed};
use crate::engine::{Session, output, views};
use crate::fault::{Error, Result};

/// Watchlist of who reports to whom.
pub const MANAGERS: &str = "Managers";

/// Its columns with the account, the likelier first; blanks and case do not count.
const ACCOUNT: [&str; 6] = [
    "userprincipalname",
    "accountupn",
    "account",
    "employee",
    "upn",
    "user",
];
/// Its columns with the manager.
const MANAGER: [&str; 5] = [
    "manageruserprincipalname",
    "managerupn",
    "manageremail",
    "manager",
    "reportsto",
];

/// Accounts of which one query asks the names.
const ASKED: usize = 1000;

/// The rows of a watchlist, of each of them what stands under the first known name of each list of names; none where there is no such list.
pub(super) fn rows(
    session: &Session,
    list: &str,
    columns: &[&[&str]],
) -> Result<Vec<Vec<Option<String>>>> {
    let mut names = session.watchlists().iter();
    let Some(list) = names.find(|name| name.eq_ignore_ascii_case(list)) else {
        return Ok(Vec::new());
    };
    let (schema, batches) = session.collect(&format!("SELECT * FROM watchlists.\"{list}\""))?;
    let bare = |name: &str| name.replace([' ', '_', '-'], "").to_lowercase();
    let own: Vec<String> = schema.fields().iter().map(|f| bare(f.name())).collect();
    let mut places = Vec::new();
    for known in columns {
        let mut found = known.iter();
        let place = found.find_map(|name| own.iter().position(|own| own == name));
        places.push(place.ok_or_else(|| {
            Error::Query(format!(
                "watchlist `{list}` needs a column {}",
                known.join(" or ")
            ))
        })?);
    }
    let mut rows = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let cells = places.iter().map(|place| cell(batch, *place, row));
            rows.push(cells.collect::<Result<Vec<_>>>()?);
        }
    }
    Ok(rows)
}

fn cell(batch: &RecordBatch, column: usize, row: usize) -> Result<Option<String>> {
    let text = output::cell(batch.column(column), row)?;
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_string()))
}

/// Who reports to whom, addresses in lower case: from the watchlist `Managers`, else from `IdentityInfo` where it says an address.
pub(super) fn managers(session: &Session) -> Result<BTreeMap<String, String>> {
    let mut managers = BTreeMap::new();
    if session.has("IdentityInfo") {
        // What was said last comes last.
        let sql = "SELECT lower(i.\"AccountUPN\") AS \"User\", lower(i.\"Manager\") AS \"Manager\", max(i.\"TimeGenerated\") AS \"At\" \
             FROM stored.\"IdentityInfo\" AS i WHERE i.\"Manager\" LIKE '%_@_%' GROUP BY 1, 2 ORDER BY \"At\" NULLS FIRST, 1, 2";
        each(
            session,
            sql,
            |_| Ok(()),
            |row| {
                managers.extend(row.text(0)?.zip(row.text(1)?));
                Ok(())
            },
        )?;
    }
    for row in rows(session, MANAGERS, &[&ACCOUNT, &MANAGER])? {
        if let [Some(user), Some(manager)] = row.as_slice() {
            managers.insert(user.to_lowercase(), manager.to_lowercase());
        }
    }
    Ok(managers)
}

/// The names of accounts, by their addresses in lower case, as far as the archive knows them.
pub(super) fn names(session: &Session, accounts: &[String]) -> Result<HashMap<String, String>> {
    let mut names = HashMap::new();
    let Some(known) = views::people_of(session) else {
        return Ok(names);
    };
    for accounts in accounts.chunks(ASKED) {
        let sql = format!(
            "SELECT n.\"Person\", n.\"PersonName\" FROM ({known}) AS n WHERE n.\"Person\" IN ({})",
            listed(accounts.iter())
        );
        each(
            session,
            &sql,
            |_| Ok(()),
            |row| {
                names.extend(row.text(0)?.zip(row.text(1)?));
                Ok(())
            },
        )?;
    }
    Ok(names)
}
