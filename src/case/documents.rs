//! What the records of a content say of the document: its name, its owner, since when it is protected, and its label at each time.
//!
//! The records are looked for in the whole archive: a denial carries an id, and what it stands for may have been written long before, or
//! long after. A document is told by the id of its content and by nothing else: two files of one name are two documents.

use std::collections::HashMap;

use super::label::Label;
use super::rows::{Row, each, listed};
use crate::catalog::labels::PROTECTION;
use crate::engine::{Session, views};
use crate::fault::Result;

/// Contents of which one query asks the records: more would be a plan that takes longer to make than to run, fewer would read the audit log more often.
const ASKED: usize = 10_000;

/// A limit that cuts nothing off. The condition on the content, which is taken out of the record's JSON, would be moved into the scan (DataFusion 55.2). A
/// scan that both tests that and gives it took 2.5 s of CPU for a million events, one that only gives it 1.2 s. No condition is moved through a limit.
const ALL: i64 = i64::MAX;

/// Where records name a content, and what they say beside the label: all as expressions over the row `s`.
struct Source {
    table: &'static str,
    content: &'static str,
    /// What names the document, where it is: the last part of it counts.
    name: &'static str,
    owner: &'static str,
    published: &'static str,
    /// Names of the first rank count before those of others, as in `InformationProtectionLogs_CL`.
    rank: i64,
}

const NO_TEXT: &str = "CAST(NULL AS VARCHAR)";
const NO_TIME: &str = "arrow_cast(NULL, 'Timestamp(Microsecond, Some(\"UTC\"))')";

const SOURCES: [Source; 9] = [
    Source {
        table: "InformationProtectionLogs_CL",
        content: "s.\"ContentId_g\"",
        name: "s.\"ObjectId_s\"",
        owner: "s.\"ProtectionOwner_s\"",
        published: "s.\"ProtectionTime_t\"",
        rank: 0,
    },
    Source {
        table: "AipServiceUserLog",
        content: "s.\"ContentId\"",
        name: "s.\"FileName\"",
        owner: "coalesce(nullif(s.\"OwnerEmail\", ''), s.\"Issuer\")",
        published: "s.\"DatePublished\"",
        rank: 1,
    },
    Source {
        table: "RMSData_CL",
        content: "s.\"content_id_g\"",
        name: NO_TEXT,
        owner: "coalesce(nullif(btrim(s.\"owner_email_s\", ''' '), ''), btrim(s.\"issuer_s\", ''' '))",
        published: "arrow_cast(TRY_CAST(btrim(s.\"date_published_s\", ''' ') AS TIMESTAMP), 'Timestamp(Microsecond, Some(\"UTC\"))')",
        rank: 1,
    },
    Source {
        table: "AipServiceTrackingLog",
        content: "s.\"ContentId\"",
        name: NO_TEXT,
        owner: "s.\"Issuer\"",
        published: NO_TIME,
        rank: 1,
    },
    Source {
        table: "RMSDataDetails_CL",
        content: "s.\"ContentId_g\"",
        name: NO_TEXT,
        owner: "s.\"Issuer_s\"",
        published: NO_TIME,
        rank: 1,
    },
    Source {
        table: "MicrosoftPurviewInformationProtection",
        content: "s.\"IrmContentId\"",
        name: "coalesce(nullif(s.\"ObjectId\", ''), s.\"ItemName\")",
        owner: NO_TEXT,
        published: NO_TIME,
        rank: 1,
    },
    Source {
        table: "ActivityExplorer",
        content: "s.\"IRMContentId\"",
        name: "coalesce(nullif(s.\"FilePath\", ''), s.\"ItemName\")",
        owner: NO_TEXT,
        published: NO_TIME,
        rank: 1,
    },
    Source {
        table: "UnifiedAuditLog",
        content: "json_as_text(s.\"AuditData\", 'IrmContentId')",
        name: "s.\"ObjectId\"",
        owner: NO_TEXT,
        published: NO_TIME,
        rank: 1,
    },
    Source {
        table: "CloudAppEvents",
        content: "json_as_text(s.\"RawEventData\", 'IrmContentId')",
        name: "s.\"RawEventData_ObjectId\"",
        owner: NO_TEXT,
        published: NO_TIME,
        rank: 1,
    },
];

/// Of tables whose rows are mostly about something else, those that may name a content.
fn condition(table: &str) -> Option<String> {
    match table {
        "UnifiedAuditLog" => Some(views::is_label("s.\"RecordType\"", "s.\"Operation\"")),
        "CloudAppEvents" => Some(views::is_label(
            "s.\"RawEventData_RecordType\"",
            "coalesce(s.\"RawEventData_Operation\", s.\"ActionType\")",
        )),
        _ => None,
    }
}

/// What a source says of contents.
fn part(source: &Source) -> String {
    let rows = format!(
        "SELECT event_key({}) AS \"Content\", s.\"TimeGenerated\" AS \"At\", {} AS \"Name\", {} AS \"Rank\", {} AS \"Said\", \
           {} AS \"Published\", s.\"_IngestId\" AS \"Ingest\", s.\"_Record\" AS \"Number\" \
         FROM stored.\"{}\" AS s",
        source.content, source.name, source.rank, source.owner, source.published, source.table,
    );
    match condition(source.table) {
        Some(condition) => format!("SELECT * FROM ({rows} WHERE {condition} LIMIT {ALL}) AS r"),
        None => rows,
    }
}

/// The records of contents with their labels, each content's by time. Labels are those of `LabelEvents`, which knows every spelling; it also knows
/// names that are no path, such as subjects of mails.
fn sql(session: &Session, contents: &[String]) -> Option<String> {
    let present = SOURCES.iter().filter(|source| session.has(source.table));
    let parts: Vec<String> = present.map(part).collect();
    if parts.is_empty() {
        return None;
    }
    Some(format!(
        "SELECT c.\"Content\", arrow_cast(c.\"At\", 'Int64') AS \"Time\", \
           coalesce(nullif(trim(c.\"Name\"), ''), nullif(trim(e.\"FilePath\"), ''), e.\"FileName\") AS \"Name\", \
           arrow_cast(c.\"Rank\", 'Int64') AS \"Rank\", \
           coalesce(nullif(trim(c.\"Said\"), ''), e.\"Owner\") AS \"Owner\", arrow_cast(c.\"Published\", 'Int64') AS \"Published\", \
           e.\"Action\", e.\"OldLabelId\", e.\"OldLabelName\", arrow_cast(e.\"OldLabelRank\", 'Int64') AS \"OldRank\", \
           e.\"NewLabelId\", e.\"NewLabelName\", arrow_cast(e.\"NewLabelRank\", 'Int64') AS \"NewRank\", \
           CASE WHEN e.\"Protected\" AND NOT e.\"ProtectedBefore\" THEN 'protected' END AS \"Turned\" \
         FROM (SELECT * FROM ({}) AS a WHERE a.\"Content\" IN ({})) AS c \
         LEFT JOIN \"LabelEvents\" AS e ON e.\"_IngestId\" = c.\"Ingest\" AND e.\"_Record\" = c.\"Number\" \
         ORDER BY c.\"Content\", \"Time\", c.\"Ingest\", c.\"Number\"",
        parts.join(" UNION ALL "),
        listed(contents.iter()),
    ))
}

/// Since when a label was on a document, and what was there before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Turn {
    at: i64,
    before: Option<Label>,
    after: Option<Label>,
}

/// What names a document, as its record says it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Name {
    rank: i64,
    at: i64,
    path: String,
    file: String,
}

impl Name {
    /// Whether it counts before another: of the better rank, else said later. Two of one time are told apart by what they say, so that the order of
    /// the ingests does not matter.
    fn is_before(&self, other: &Name) -> bool {
        let order = self.rank.cmp(&other.rank);
        let order = order.then_with(|| other.at.cmp(&self.at));
        order.then_with(|| self.path.cmp(&other.path)).is_lt()
    }
}

/// What is known of one document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Document {
    name: Option<Name>,
    /// Since when each owner was named.
    owners: Vec<(i64, String)>,
    published: Option<i64>,
    protected: Option<i64>,
    labels: Vec<Turn>,
}

/// What one record says.
#[derive(Debug, Default)]
struct Said {
    at: i64,
    name: Option<Name>,
    owner: Option<String>,
    published: Option<i64>,
    action: Option<String>,
    old: Option<Label>,
    new: Option<Label>,
    turned: bool,
}

impl Document {
    /// What it is called: by the record that named it last, of those of the best rank.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_ref().map(|name| name.file.as_str())
    }

    /// Who owned it at a time; where only later records say it, the first of those.
    pub(super) fn owner(&self, time: i64) -> Option<&str> {
        let known = self.owners.iter().rfind(|(at, _)| *at <= time);
        let owner = known.or_else(|| self.owners.first());
        owner.map(|(_, owner)| owner.as_str())
    }

    /// Since when it is protected: when its licence was published, else when a record first says that protection came.
    pub(super) fn protected(&self) -> Option<i64> {
        self.published.or(self.protected)
    }

    /// The label that it had at a time; where only later records say one, what the first of those found.
    pub(super) fn label(&self, time: i64) -> Option<&Label> {
        match self.labels.iter().rfind(|turn| turn.at <= time) {
            Some(turn) => turn.after.as_ref(),
            None => self.labels.first()?.before.as_ref(),
        }
    }

    /// Takes what a record says; those of one document come by their times.
    fn take(&mut self, said: Said) {
        if let Some(name) = said.name
            && self.name.as_ref().is_none_or(|known| name.is_before(known))
        {
            self.name = Some(name);
        }
        if let Some(owner) = said.owner
            && self.owners.last().is_none_or(|(_, last)| *last != owner)
        {
            self.owners.push((said.at, owner));
        }
        let earlier = |one: Option<i64>, two: Option<i64>| one.into_iter().chain(two).min();
        self.published = earlier(self.published, said.published);
        // To open a document protects nothing, whatever its record says of before.
        let acts = |action: &str| is_change(action) || action == PROTECTION;
        let turned = said.turned && said.action.as_deref().is_some_and(acts);
        self.protected = earlier(self.protected, turned.then_some(said.at));
        let turn = match said.action.as_deref() {
            Some(action) if is_change(action) => Some((said.old, said.new)),
            // One without a label may not know it.
            Some(action) if is_sight(action) => {
                said.new.map(|label| (Some(label.clone()), Some(label)))
            }
            _ => None,
        };
        if let Some((before, after)) = turn
            && self.labels.last().is_none_or(|last| last.after != after)
        {
            self.labels.push(Turn {
                at: said.at,
                before,
                after,
            });
        }
    }
}

/// Whether an action of `LabelEvents` leaves the document with its new label, or with none.
fn is_change(action: &str) -> bool {
    matches!(
        action,
        "LabelApplied" | "LabelUpgraded" | "LabelDowngraded" | "LabelChanged" | "LabelRemoved"
    )
}

/// Whether an action shows the document with the label that it has. What was tried, or recommended, is no label of it.
fn is_sight(action: &str) -> bool {
    matches!(
        action,
        "AccessDenied" | "FileOpened" | "FileRenamed" | "FileModified" | "FileDiscovered"
    )
}

/// The last part of a path or an address; nothing where that is the content's own id.
pub(super) fn file_of(path: &str, content: Option<&str>) -> Option<String> {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path).trim();
    let is_id = content.is_some_and(|id| name.trim_matches(['{', '}']).eq_ignore_ascii_case(id));
    (!name.is_empty() && !is_id).then(|| name.to_string())
}

/// A label from three columns: id, name and rank; nothing where there is neither id nor name.
pub(super) fn label(row: Row<'_>, first: usize) -> Result<Option<Label>> {
    let (id, name) = (row.text(first)?, row.text(first + 1)?);
    if id.is_none() && name.is_none() {
        return Ok(None);
    }
    let rank = row.number(first + 2)?;
    Ok(Some(Label {
        id: id.unwrap_or_default(),
        name,
        rank: rank.and_then(|rank| i32::try_from(rank).ok()),
    }))
}

/// The documents of these contents, by the ids of these.
pub(super) fn of(session: &Session, contents: &[String]) -> Result<HashMap<String, Document>> {
    let mut documents: HashMap<String, Document> = HashMap::new();
    for contents in contents.chunks(ASKED) {
        let Some(sql) = sql(session, contents) else {
            break;
        };
        each(
            session,
            &sql,
            |_| Ok(()),
            |row| {
                let (Some(content), Some(at)) = (row.text(0)?, row.number(1)?) else {
                    return Ok(());
                };
                let rank = row.number(3)?.unwrap_or_default();
                let name = row.text(2)?.and_then(|path| {
                    let file = file_of(&path, Some(&content))?;
                    Some(Name {
                        rank,
                        at,
                        path,
                        file,
                    })
                });
                let said = Said {
                    at,
                    name,
                    owner: row.text(4)?.map(|owner| owner.to_lowercase()),
                    published: row.number(5)?,
                    action: row.text(6)?,
                    old: label(row, 7)?,
                    new: label(row, 10)?,
                    turned: row.text(13)?.is_some(),
                };
                documents.entry(content).or_default().take(said);
                Ok(())
            },
        )?;
    }
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(id: &str) -> Option<Label> {
        Some(Label {
            id: id.into(),
            name: None,
            rank: None,
        })
    }

    fn turned(action: &str, at: i64, old: Option<Label>, new: Option<Label>) -> Said {
        Said {
            at,
            action: Some(action.into()),
            old,
            new,
            ..Said::default()
        }
    }

    #[test]
    fn the_label_at_a_time_is_what_the_last_change_before_left() {
        let mut document = Document::default();
        document.take(turned("LabelUpgraded", 10, label("low"), label("high")));
        document.take(turned("FileOpened", 20, None, label("high")));
        document.take(turned("FileOpened", 25, None, None));
        document.take(turned("AttemptFailed", 27, label("high"), label("low")));
        document.take(turned("LabelRemoved", 30, label("high"), None));
        document.take(turned("LabelApplied", 40, None, label("new")));
        let at = |time| document.label(time).map(|l| l.id.as_str());
        assert_eq!(
            [5, 10, 29, 30, 40].map(at),
            [Some("low"), Some("high"), Some("high"), None, Some("new")]
        );
        // What only shows the same again is not kept.
        assert_eq!(document.labels.len(), 3);
    }

    #[test]
    fn a_label_that_came_later_was_not_there_before() {
        let mut document = Document::default();
        document.take(turned("LabelApplied", 10, None, label("new")));
        assert_eq!(document.label(9), None);
        assert_eq!(document.label(10), label("new").as_ref());
    }

    #[test]
    fn names_of_the_best_rank_count_and_of_those_the_last() {
        let mut document = Document::default();
        let named = |rank, at, name: &str| Said {
            at,
            name: Some(Name {
                rank,
                at,
                path: format!("/{name}"),
                file: name.into(),
            }),
            ..Said::default()
        };
        for (rank, at, name) in [
            (1, 1, "a"),
            (0, 2, "b"),
            (1, 3, "c"),
            (0, 4, "e"),
            (0, 4, "d"),
        ] {
            document.take(named(rank, at, name));
        }
        assert_eq!(document.name(), Some("d"));
        assert_eq!(
            file_of(r"C:\Work\Plan.docx", None).as_deref(),
            Some("Plan.docx")
        );
        assert_eq!(file_of("{0C-0C}", Some("0c-0c")), None);
    }

    #[test]
    fn protection_began_when_the_licence_was_published() {
        let mut document = Document::default();
        document.take(Said {
            at: 45,
            action: Some("FileOpened".into()),
            turned: true,
            ..Said::default()
        });
        assert_eq!(document.protected(), None);
        document.take(Said {
            at: 50,
            action: Some("LabelApplied".into()),
            turned: true,
            ..Said::default()
        });
        assert_eq!(document.protected(), Some(50));
        for published in [30, 20, 40] {
            document.take(Said {
                at: 60,
                published: Some(published),
                ..Said::default()
            });
        }
        assert_eq!(document.protected(), Some(20));
    }

    #[test]
    fn an_owner_counts_from_the_record_that_names_him() {
        let mut document = Document::default();
        for (at, owner) in [(10, "a"), (20, "a"), (30, "b")] {
            document.take(Said {
                at,
                owner: Some(owner.into()),
                ..Said::default()
            });
        }
        assert_eq!(
            [5, 25, 30].map(|t| document.owner(t)),
            [Some("a"), Some("a"), Some("b")]
        );
    }
}
