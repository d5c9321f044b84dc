//! The list of labels: ids, names, ranks and what is above each. Pure: neither files nor archives.

use std::collections::BTreeMap;

use crate::catalog::labels;
use crate::ingest::watchlist::{Form, LABELS, Watchlist};
use crate::text::counted;

/// The archive's file of it.
pub const FILE: &str = "Labels.csv";

/// Columns that every list has, as the views ask for them.
const COLUMNS: [&str; 4] = ["Id", "Name", "Rank", "Parent"];

/// Names that a line shows.
const SHOWN: usize = 10;

/// A label of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Its id, in lower case.
    pub id: String,
    /// Its name, without what is above it.
    pub name: String,
    /// Its rank: the higher, the more sensitive.
    pub rank: Option<i64>,
    /// The label above it, by its id or its name; empty where there is none.
    pub parent: String,
    /// What stands in further columns.
    others: Vec<String>,
}

/// A list of labels, each once, in the order of their ranks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    labels: Vec<Label>,
    /// Names of further columns.
    others: Vec<String>,
    /// Whether it says what is above labels.
    has_parents: bool,
    form: Form,
    remarks: Vec<String>,
    conflicts: Vec<String>,
}

/// What becomes of labels that a newer list lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// They stay: old events name labels that were deleted since.
    Stay,
    /// They go.
    Go,
}

impl Default for List {
    /// A list without labels.
    fn default() -> Self {
        List {
            labels: Vec::new(),
            others: Vec::new(),
            has_parents: true,
            form: Form::Csv,
            remarks: Vec::new(),
            conflicts: Vec::new(),
        }
    }
}

impl List {
    /// Reads a list in any of the forms in which lists of labels come.
    ///
    /// # Errors
    /// When it is no list of labels.
    pub fn parse(content: &[u8]) -> Result<List, String> {
        let list = Watchlist::parse(LABELS, content)?;
        let header = list.header();
        let places = COLUMNS.map(|name| {
            let mut own = header.iter();
            own.position(|own| own.eq_ignore_ascii_case(name))
        });
        let cells = |column: Option<usize>| -> Vec<&str> {
            match column {
                Some(column) => list.column(column).map(Option::unwrap_or_default).collect(),
                None => vec![""; list.rows()],
            }
        };
        let [ids, names, ranks, parents] = places.map(cells);
        let further = (0..header.len()).filter(|at| !places.contains(&Some(*at)));
        let further: Vec<(usize, Vec<&str>)> = further.map(|at| (at, cells(Some(at)))).collect();
        let mut found: BTreeMap<String, Label> = BTreeMap::new();
        let (mut without_id, mut without_name, mut conflicts) = (0, Vec::new(), Vec::new());
        for row in 0..list.rows() {
            let Some(id) = labels::id(ids[row]) else {
                without_id += 1;
                continue;
            };
            let name = names[row].trim();
            if name.is_empty() {
                without_name.push(id.into_owned());
                continue;
            }
            let label = Label {
                id: id.into_owned(),
                name: name.to_string(),
                rank: rank(ranks[row]),
                parent: parents[row].trim().to_string(),
                others: further.iter().map(|(_, c)| c[row].to_string()).collect(),
            };
            match found.get(&label.id) {
                Some(known) if known.name != label.name => conflicts.push(format!(
                    "label {} is there twice, as `{}` and as `{}`",
                    label.id, known.name, label.name
                )),
                // As the views have it.
                Some(_) => {}
                None => {
                    found.insert(label.id.clone(), label);
                }
            }
        }
        let mut remarks = list.remarks().to_vec();
        if without_id > 0 {
            remarks.push(format!(
                "{} without an id left out",
                counted(without_id, "row")
            ));
        }
        if !without_name.is_empty() {
            remarks.push(format!(
                "labels without a name are left out: {}",
                listed(&without_name)
            ));
        }
        let mut out = List {
            labels: found.into_values().collect(),
            others: further.iter().map(|(at, _)| header[*at].clone()).collect(),
            has_parents: places[3].is_some(),
            form: list.form(),
            remarks,
            conflicts,
        };
        out.sort();
        Ok(out)
    }

    fn sort(&mut self) {
        self.labels.sort_by(|a, b| {
            let key = |l: &Label| (l.rank.is_none(), l.rank);
            (key(a), &a.name, &a.id).cmp(&(key(b), &b.name, &b.id))
        });
    }

    /// The labels.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// How it came.
    pub fn form(&self) -> Form {
        self.form
    }

    /// What is to be said of how it was read.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Labels that it has under two names.
    pub fn conflicts(&self) -> &[String] {
        &self.conflicts
    }

    /// The label of an id.
    pub fn get(&self, id: &str) -> Option<&Label> {
        let id = id.trim().to_lowercase();
        self.labels.iter().find(|label| label.id == id)
    }

    /// The name of a label behind that of the one above it, as `LabelEvents` has it: `Confidential\Legal`.
    pub fn full_name(&self, label: &Label) -> String {
        let above = match label.parent.as_str() {
            "" => return label.name.clone(),
            parent => self.get(parent).map_or(parent, |above| above.name.as_str()),
        };
        let path = format!("{above}\\");
        match label.name.to_lowercase().starts_with(&path.to_lowercase()) {
            true => label.name.clone(),
            false => path + &label.name,
        }
    }

    /// The list as the archive has it: CSV in UTF-8.
    pub fn csv(&self) -> Vec<u8> {
        let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
        let names = COLUMNS.into_iter();
        let names = names.chain(self.others.iter().map(String::as_str));
        let mut out = names.map(quoted).collect::<Vec<_>>().join(",");
        out.push('\n');
        for label in &self.labels {
            let rank = label.rank.map_or_else(String::new, |rank| rank.to_string());
            let own = [&label.id, &label.name, &rank, &label.parent];
            let cells = own.into_iter().chain(&label.others);
            let cells: Vec<String> = cells.map(|cell| quoted(cell)).collect();
            out.push_str(&cells.join(","));
            out.push('\n');
        }
        out.into_bytes()
    }

    /// This list after a newer one, and what that changes. What the newer one does not say of a label stays.
    pub fn changed(&self, newer: &List, missing: Missing) -> (List, Changes) {
        let mut changes = Changes::default();
        let mut labels = Vec::with_capacity(newer.labels.len());
        for label in &newer.labels {
            let mut label = label.clone();
            label.others = vec![String::new(); self.others.len()];
            let Some(known) = self.get(&label.id) else {
                changes.added.push(newer.full_name(&label));
                labels.push(label);
                continue;
            };
            label.others.clone_from(&known.others);
            label.rank = label.rank.or(known.rank);
            if !newer.has_parents {
                label.parent.clone_from(&known.parent);
            }
            if label.name != known.name {
                let (new, old) = (&label.name, &known.name);
                changes.renamed.push(format!("{new} (was {old})"));
            }
            if label.rank != known.rank {
                changes.ranked.push(label.name.clone());
            }
            if label.parent != known.parent {
                changes.moved.push(label.name.clone());
            }
            labels.push(label);
        }
        for label in &self.labels {
            if newer.get(&label.id).is_some() {
                continue;
            }
            let name = self.full_name(label);
            match missing {
                Missing::Stay => {
                    changes.kept.push(name);
                    labels.push(label.clone());
                }
                Missing::Go => changes.dropped.push(name),
            }
        }
        let mut out = List {
            labels,
            others: self.others.clone(),
            ..List::default()
        };
        out.sort();
        (out, changes)
    }
}

/// A rank, which some programs write as `2.0`.
fn rank(text: &str) -> Option<i64> {
    let number = text.trim().parse::<f64>().ok()?;
    number.is_finite().then_some(number as i64)
}

/// What a newer list changes, by names of labels.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Labels that were not there.
    pub added: Vec<String>,
    /// Labels that have another name now, with the one before.
    pub renamed: Vec<String>,
    /// Labels that have another rank now.
    pub ranked: Vec<String>,
    /// Labels that are below another one now.
    pub moved: Vec<String>,
    /// Labels that the newer list lacks and that stay.
    pub kept: Vec<String>,
    /// Labels that the newer list lacks and that go.
    pub dropped: Vec<String>,
}

impl Changes {
    /// Whether everything stays as it is.
    pub fn is_empty(&self) -> bool {
        let all = [
            &self.added,
            &self.renamed,
            &self.ranked,
            &self.moved,
            &self.dropped,
        ];
        all.iter().all(|names| names.is_empty())
    }

    /// Whether labels that stay may have a rank that no longer fits those of the others.
    pub fn is_order_doubtful(&self) -> bool {
        !self.kept.is_empty() && !self.ranked.is_empty()
    }

    /// What to say of them: a word, how many, and which.
    pub fn lines(&self) -> Vec<(&'static str, usize, String)> {
        let all = [
            ("new", &self.added),
            ("renamed", &self.renamed),
            ("ranked anew", &self.ranked),
            ("below another", &self.moved),
            ("kept", &self.kept),
            ("dropped", &self.dropped),
        ];
        let some = all.into_iter().filter(|(_, names)| !names.is_empty());
        some.map(|(word, names)| (word, names.len(), listed(names)))
            .collect()
    }
}

/// Names in a line; of many the first.
fn listed(names: &[String]) -> String {
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "22222222-0000-4000-8000-000000000001";
    const SECRET: &str = "22222222-0000-4000-8000-000000000002";
    const LEGAL: &str = "22222222-0000-4000-8000-000000000003";

    fn list(rows: &str) -> List {
        List::parse(rows.as_bytes()).expect("a list")
    }

    #[test]
    fn a_newer_list_loses_no_name() {
        let old = list(&format!(
            "Id,Name,Rank,Parent,Colour\n{PUBLIC},Public,0,,green\n{SECRET},Secret,5,,red\n{LEGAL},Legal,6,{SECRET},\n"
        ));
        let new = list(&format!("Id,Name\n{},Very secret\n", SECRET.to_uppercase()));
        let (merged, changes) = old.changed(&new, Missing::Stay);
        assert_eq!(changes.renamed, ["Very secret (was Secret)"]);
        assert_eq!(changes.kept, ["Public", "Secret\\Legal"]);
        assert!(changes.ranked.is_empty() && !changes.is_empty() && !changes.is_order_doubtful());
        let csv = String::from_utf8(merged.csv()).expect("text");
        assert_eq!(
            csv,
            format!(
                "\"Id\",\"Name\",\"Rank\",\"Parent\",\"Colour\"\n\
                 \"{PUBLIC}\",\"Public\",\"0\",\"\",\"green\"\n\
                 \"{SECRET}\",\"Very secret\",\"5\",\"\",\"red\"\n\
                 \"{LEGAL}\",\"Legal\",\"6\",\"{SECRET}\",\"\"\n"
            )
        );
        let (again, none) = merged.changed(&list(&csv), Missing::Stay);
        assert!(none.is_empty());
        assert_eq!(again.csv(), merged.csv());
        let (rest, changes) = old.changed(&new, Missing::Go);
        assert_eq!(changes.dropped, ["Public", "Secret\\Legal"]);
        assert_eq!(rest.labels().len(), 1);
    }

    #[test]
    fn what_names_no_label_is_said() {
        let odd = list(&format!(
            "Id,Name,Rank\n,Nothing,1\n{PUBLIC},,2\n{SECRET},Secret,high\n{SECRET},Other,3\n"
        ));
        assert_eq!(odd.labels().len(), 1);
        assert_eq!(odd.labels()[0].rank, None);
        let said = odd.remarks().join("; ");
        assert!(said.contains("1 row without an id"), "{said}");
        assert!(said.contains(PUBLIC), "{said}");
        assert_eq!(odd.conflicts().len(), 1);
    }

    #[test]
    fn a_name_has_the_one_above_before_it_once() {
        let all = list(&format!(
            "Id,Name,Rank,Parent\n{SECRET},Secret,1,\n{LEGAL},Legal,2,{SECRET}\n{PUBLIC},secret\\Open,3,Secret\n"
        ));
        let names: Vec<String> = all.labels().iter().map(|l| all.full_name(l)).collect();
        assert_eq!(names, ["Secret", "Secret\\Legal", "secret\\Open"]);
    }
}
