//! Names and ranks of labels, names of applications.

use std::collections::{BTreeMap, HashMap};

use crate::engine::{Session, output};
use crate::fault::Result;

/// Logs of sign-ins, and their columns with an application's id and its name.
const SIGN_INS: [(&str, &str, &str); 4] = [
    ("SigninLogs", "AppId", "AppDisplayName"),
    ("AADNonInteractiveUserSignInLogs", "AppId", "AppDisplayName"),
    ("EntraIdSignInEvents", "ApplicationId", "Application"),
    ("AADSignInEventsBeta", "ApplicationId", "Application"),
];

/// What is known of labels and applications, by their ids in small letters.
#[derive(Debug, Default)]
pub struct Names {
    known: HashMap<String, (String, Option<i64>)>,
    applications: BTreeMap<String, String>,
}

impl Names {
    /// The labels of an archive's list and of its events, and the applications of its sign-ins: audit records have their ids alone.
    /// The session is to be open for all times: what is called so does not depend on the times that are asked for.
    ///
    /// # Errors
    /// When the archive cannot be asked.
    pub fn of(session: &Session) -> Result<Names> {
        let (_, batches) = session.collect(
            "SELECT lower(\"Id\"), min(\"Name\"), min(CAST(\"Rank\" AS VARCHAR)) FROM (\
               SELECT \"NewLabelId\" AS \"Id\", \"NewLabelName\" AS \"Name\", \"NewLabelRank\" AS \"Rank\" FROM \"LabelEvents\" UNION ALL \
               SELECT \"OldLabelId\", \"OldLabelName\", \"OldLabelRank\" FROM \"LabelEvents\") \
             WHERE \"Id\" IS NOT NULL AND \"Name\" IS NOT NULL GROUP BY 1",
        )?;
        let mut known = HashMap::new();
        for batch in &batches {
            let [ids, names, ranks] = batch.columns() else {
                continue;
            };
            for row in 0..batch.num_rows() {
                let rank = output::cell(ranks, row)?.parse().ok();
                known.insert(output::cell(ids, row)?, (output::cell(names, row)?, rank));
            }
        }
        Ok(Names {
            known,
            applications: applications(session)?,
        })
    }

    /// The name of an application, where what stands there is the id of one that is known; else what stands there.
    pub(super) fn application<'n>(&'n self, id: &'n str) -> &'n str {
        let known = self.applications.get(&id.to_lowercase());
        known.map_or(id, String::as_str)
    }

    /// The ids of the applications of a name.
    pub(super) fn ids_of(&self, application: &str) -> impl Iterator<Item = &String> {
        let wanted = application.trim().to_lowercase();
        let all = self.applications.iter();
        all.filter(move |(_, name)| name.to_lowercase() == wanted)
            .map(|(id, _)| id)
    }

    /// The name of a label, where it is known; else what stands there.
    pub(super) fn name<'l>(&'l self, id: &'l str) -> &'l str {
        let known = self.known.get(&id.to_lowercase());
        known.map_or(id, |(name, _)| name.as_str())
    }

    /// Its rank.
    pub(super) fn rank(&self, id: &str) -> Option<i64> {
        let known = self.known.get(&id.to_lowercase());
        known.and_then(|(_, rank)| *rank)
    }

    /// Names of these ids, names and ranks.
    #[cfg(test)]
    pub(super) fn these(labels: &[(&str, &str, i64)]) -> Names {
        let known = labels
            .iter()
            .map(|(id, name, rank)| (id.to_string(), (name.to_string(), Some(*rank))));
        Names {
            known: known.collect(),
            applications: BTreeMap::new(),
        }
    }
}

/// The applications that people signed in to.
fn applications(session: &Session) -> Result<BTreeMap<String, String>> {
    let present = SIGN_INS.iter().filter(|(log, ..)| session.has(log));
    let parts: Vec<String> = present
        .map(|(log, id, name)| {
            format!("SELECT \"{id}\" AS \"Id\", \"{name}\" AS \"Name\" FROM stored.\"{log}\"")
        })
        .collect();
    let mut all = BTreeMap::new();
    if parts.is_empty() {
        return Ok(all);
    }
    let (_, batches) = session.collect(&format!(
        "SELECT lower(a.\"Id\"), min(a.\"Name\") FROM ({}) AS a WHERE a.\"Id\" <> '' AND a.\"Name\" <> '' GROUP BY 1",
        parts.join(" UNION ALL ")
    ))?;
    for batch in &batches {
        let [ids, names] = batch.columns() else {
            continue;
        };
        for row in 0..batch.num_rows() {
            all.insert(output::cell(ids, row)?, output::cell(names, row)?);
        }
    }
    Ok(all)
}
