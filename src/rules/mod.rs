//! Rules: what to look for, as the world writes it.
//!
//! A rule is a query with what a scheduler needs to know. Loading takes files and folders, mixed freely, and lists every file in them: each rule
//! runs, or says why not, with every diagnostic and its place.
//!
//! | file | what it holds |
//! |---|---|
//! | `.sql`, `.kql` | coldtrail's own: the header is YAML with Sentinel's keys in the leading comment (`own`) |
//! | `.yaml`, `.yml` | Sentinel's analytics rules and hunting queries (`sentinel`), custom detections of Defender XDR (`detection`), rules in Sigma (`sigma`); several documents, and lists |
//! | `.json` | ARM templates and answers of Sentinel's API (`sentinel`), answers of Microsoft Graph (`detection`) |
//! | `NAME.tests.yaml` | tests of the rule in the file `NAME` beside it |
//!
//! What a format cannot hold is refused by name. What is only odd is a warning: the world writes much that its products take. Folders whose
//! name begins with a dot are passed over. Knows nothing of how rules are run.
//!
//! # Times
//!
//! A row of a rule belongs to its last event: `EndTime`, else `TimeGenerated`. All that the row depends on lies within `queryPeriod` before that
//! event and within `queryPeriod` after it: the events that it tells of, those that it is compared with, and those that would have made it
//! another row. A hunt of some days shows the rule that much around them, and so every day by itself gives what all days together give. A rule
//! without `queryPeriod` sees all that there is, one whose rows have no time only what lies in the hunt's own time. A trigger that is not `gt 0`
//! counts the rows of the hunt's own time, so that such a rule may say nothing on days that have enough rows together.
//!
//! # Keys that are coldtrail's own
//!
//! - `watchlists`: lists that the query reads, `NAME: {required: true|false, columns: [...]}`. Without a required one the rule does not run; an
//!   empty list stands in for any other.
//! - `unjudged`: what the rule would judge if somebody said more, see [`Unjudged`].
//! - `falsePositives`: when it fires for good reasons.
//! - `references`: addresses of pages that have its facts.
//! - `parameters`: values in the query that a user may set ([`set`]), `NAME: {description: …}`. In KQL the value is that of the query's own
//!   `let NAME = 10;`; in SQL it is `default`, and stands wherever the query says `$NAME`.
//! - `tests`: events, and how many findings they must give, see [`Test`].

use std::path::{Path, PathBuf};

use crate::fault::{Diagnostic, Error, Level, Result};
use document::At;
use fields::Notes;
use files::{Candidate, Holds, Unread, built_in, built_in_pack, built_in_rule, from_path, name_of};
use formats::Held;
use ids::Ids;

pub use conversions::Conversions;
pub use coverage::{Coverage, Covered};
pub use detection::missing_as_detection;
pub use files::{BUILT_IN_NAME, pack_names};
pub use formats::{Asked, may_hold_rules};
pub use impossible::impossible;
pub use limits::parameters;
pub use model::{
    AlertDetail, AlertDetails, AssetKind, DYNAMIC_PROPERTIES, DataConnector, DynamicProperty,
    ENTITY_TYPES, EntityMapping, EventGrouping, FieldMapping, Grouping, ImpactedAsset, Incidents,
    Kind, Language, Lines, Matching, Operator, Place, Query, Repeat, Rule, Schedule, Severity,
    Test, TestEvent, Trigger, Unjudged, WatchlistNeed,
};
pub use own::UNTESTED;
pub use parameter::{ParameterValue, RuleParameter};
pub use settable::{Assignment, set, set_one};
pub use settings::{is_technique, severity_of, tactic};
pub use span::{seconds, short};
pub use sql_place::place_of;
pub use written::as_kql;

mod conversions;
mod coverage;
mod detection;
mod document;
mod entity;
mod examples;
mod fields;
mod files;
mod formats;
mod ids;
mod impossible;
mod limits;
mod model;
mod own;
mod parameter;
mod sentinel;
mod settable;
mod settings;
mod severity;
mod shares;
mod sigma;
mod span;
mod sql_place;
pub mod tests;
pub mod why;
mod written;

/// Rules, and what is to be said of every file.
#[derive(Debug, Clone, Default)]
pub struct Pack {
    /// Rules that can run, by id.
    pub rules: Vec<Rule>,
    /// Every rule of every file, and files without one, by file.
    pub entries: Vec<Entry>,
}

/// A rule of a file, or a file without one.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where it stands.
    pub place: Place,
    /// What became of it.
    pub state: State,
    /// Everything that was noticed.
    pub diagnostics: Vec<Diagnostic>,
    /// What it asks, where that is known.
    pub asked: Option<Asked>,
}

/// What became of a rule, or of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is among the rules, with this id.
    Loaded(String),
    /// It cannot run: one of the diagnostics says why.
    Refused,
    /// The file holds no rule, and why.
    NoRule(String),
}

impl Entry {
    /// The file, and which of its rules it is.
    pub fn name(&self) -> String {
        match self.place.number {
            Some(number) => format!("{}, rule {number}", self.place.file),
            None => self.place.file.clone(),
        }
    }

    /// Why it cannot run: every reason; none where it can.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        let is_refused = self.state == State::Refused;
        let all = self.diagnostics.iter();
        all.filter(move |said| is_refused && said.level == Level::Error)
    }

    /// Why it cannot run, where it cannot: the first reason, and how many more there are.
    pub fn refusal(&self) -> Option<String> {
        let first = self.errors().next()?;
        let place = match first.at {
            Some((line, column)) => format!("{line}:{column}: "),
            None => String::new(),
        };
        Some(match self.errors().count() {
            1 => format!("{place}{}", first.message),
            many => format!("{place}{} (and {} more)", first.message, many - 1),
        })
    }
}

impl Pack {
    /// Everything that was noticed, by file.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.entries.iter().flat_map(|entry| &entry.diagnostics)
    }

    /// The rule of an entry, where it can run.
    pub fn rule(&self, entry: &Entry) -> Option<&Rule> {
        let State::Loaded(id) = &entry.state else {
            return None;
        };
        let found = self.rules.binary_search_by(|rule| rule.id.cmp(id));
        found.ok().map(|at| &self.rules[at])
    }
}

/// Loads rules from files and folders; `builtin` names the packs inside the binary, and so does an empty list, `builtin:mip` one of them;
/// an id names a rule of them.
///
/// # Errors
/// When a path does not exist, there is no such pack, or a folder cannot be read, or when no file holds a rule. What is wrong with a file or a
/// rule is a diagnostic, not an error.
pub fn load(paths: &[PathBuf]) -> Result<Pack> {
    loaded(paths, true)
}

/// The same for rules that are to run: those of the built-in packs come without their tests, which are most of what they say.
///
/// # Errors
/// As [`load`].
pub fn load_to_run(paths: &[PathBuf]) -> Result<Pack> {
    loaded(paths, false)
}

fn loaded(paths: &[PathBuf], tests: bool) -> Result<Pack> {
    let mut files: Vec<Candidate> = Vec::new();
    if paths.is_empty() {
        built_in(tests, &mut files);
    }
    for path in paths {
        match built_in_named(path) {
            Some("") => built_in(tests, &mut files),
            Some(pack) => built_in_pack(pack, tests, &mut files)?,
            None if !path.exists() && built_in_rule(path, tests, &mut files) => {}
            None => from_path(path, &mut files)?,
        }
    }
    files::once(&mut files);
    let pack = pack(files);
    let is_none = |entry: &Entry| matches!(entry.state, State::NoRule(_));
    if pack.entries.iter().all(is_none) {
        let named: Vec<String> = paths.iter().map(|p| format!("`{}`", p.display())).collect();
        return Err(Error::Usage(format!("no rules in {}", named.join(", "))));
    }
    Ok(pack)
}

/// The pack inside the binary that a path names, empty where it names all: `builtin:mip`, `builtin`. A file of that name goes before.
fn built_in_named(path: &Path) -> Option<&str> {
    let rest = path.to_str()?.strip_prefix(BUILT_IN_NAME)?;
    let pack = match rest {
        "" => rest,
        _ => rest.strip_prefix(':')?,
    };
    (!path.exists()).then_some(pack)
}

/// The ready questions inside the binary. They are written as rules and are none: nobody hunts with them, they are asked by their names.
pub fn questions() -> Pack {
    let mut files = Vec::new();
    files::questions(&mut files);
    pack(files)
}

/// What one file holds, by itself: for what asks its queries, whatever else is wrong with the rules around them.
pub fn load_file(path: &Path) -> Vec<Entry> {
    let file = Candidate {
        name: name_of(path),
        holds: Holds::File(path.to_path_buf()),
        is_meant: false,
    };
    let mut alone = Pack::default();
    read(&file, &mut alone);
    alone.entries
}

/// What files hold, of which each stands there once.
fn pack(files: Vec<Candidate>) -> Pack {
    let mut pack = Pack::default();
    let (tests, files): (Vec<Candidate>, Vec<Candidate>) = files
        .into_iter()
        .partition(|file| tests_of(&file.name).is_some());
    let part = |share: &[Candidate]| {
        let mut part = Pack::default();
        share.iter().for_each(|file| read(file, &mut part));
        part
    };
    for part in shares::each(&files, part) {
        pack.entries.extend(part.entries);
        pack.rules.extend(part.rules);
    }
    refuse_again(&mut pack);
    for file in &tests {
        attach(file, &mut pack);
    }
    let natural = |entry: &Entry| (entry.place.file.clone(), entry.place.number);
    pack.entries.sort_by_cached_key(natural);
    pack.rules.sort_by(|a, b| a.id.cmp(&b.id));
    pack
}

/// Reads the rules of a file.
fn read(file: &Candidate, pack: &mut Pack) {
    let place = |number, line| Place {
        file: file.name.clone(),
        number,
        line,
    };
    if let Holds::Folder = file.holds {
        let told = "links to folders are not followed: name the folder itself";
        pack.entries.push(Entry {
            place: place(None, 1),
            state: State::NoRule("it is a link to a folder".into()),
            diagnostics: vec![Diagnostic::warning(file.name.as_str(), told)],
            asked: None,
        });
        return;
    }
    let mut refuse = |unread: Unread| {
        let mut notes = Notes::new(&file.name);
        notes.broken(unread.at, unread.why);
        pack.entries.push(Entry {
            place: place(None, 1),
            state: State::Refused,
            diagnostics: notes.list,
            asked: None,
        });
    };
    let text = match file.text() {
        Ok(text) => text,
        Err(unread) => return refuse(unread),
    };
    let tests = !matches!(file.holds, Holds::Proven(_));
    let found = match formats::read(&file.name, &text, tests) {
        Held::Rules(found) => found,
        Held::Nothing(why) if file.is_meant => return refuse(why.into()),
        Held::Nothing(why) => {
            pack.entries.push(Entry {
                place: place(None, 1),
                state: State::NoRule(why),
                diagnostics: Vec::new(),
                asked: None,
            });
            return;
        }
    };
    let several = found.len() > 1;
    for (at, found) in found.into_iter().enumerate() {
        let place = place(several.then_some(at + 1), found.line);
        let mut asked = found.asked;
        let state = match found.rule {
            Some(mut rule) => {
                rule.place = place.clone();
                asked = Some(Asked {
                    query: rule.query.clone(),
                    period: rule.schedule.period(),
                });
                let id = rule.id.clone();
                pack.rules.push(rule);
                State::Loaded(id)
            }
            None => State::Refused,
        };
        pack.entries.push(Entry {
            place,
            state,
            diagnostics: found.said,
            asked,
        });
    }
}

/// Tells rules apart that have the same id: another rule gets another one, a copy is refused.
fn refuse_again(pack: &mut Pack) {
    let mut ids = Ids::of(&pack.rules);
    let mut kept = Vec::new();
    for mut rule in pack.rules.drain(..) {
        let Some(again) = ids.take(&mut rule) else {
            kept.push(rule);
            continue;
        };
        let entry = pack.entries.iter_mut().find(|e| e.place == rule.place);
        if let Some(entry) = entry {
            entry.diagnostics.extend(again.said);
            entry.state = match again.is_other {
                true => State::Loaded(rule.id.clone()),
                false => State::Refused,
            };
        }
        if again.is_other {
            kept.push(rule);
        }
    }
    pack.rules = kept;
}

/// The file, without its ending, whose rule the tests of a file are of: that of `NAME.tests.yaml`.
fn tests_of(name: &str) -> Option<&str> {
    [".tests.yaml", ".tests.yml"]
        .into_iter()
        .find_map(|ending| name.strip_suffix(ending))
}

/// Gives the tests of a file to its rule.
fn attach(file: &Candidate, pack: &mut Pack) {
    let mut notes = Notes::new(&file.name);
    let name = tests_of(&file.name).unwrap_or_default();
    let is_beside = |place: &Place| {
        let stem = place.file.rsplit_once('.');
        stem.is_some_and(|(stem, _)| stem == name)
    };
    let beside = pack.rules.iter_mut().filter(|rule| is_beside(&rule.place));
    let mut rules: Vec<&mut Rule> = beside.collect();
    let read = match file.text() {
        Ok(text) => examples::of_file(&text, &mut notes),
        Err(unread) => {
            notes.broken(unread.at, unread.why);
            None
        }
    };
    if let Some((id, mut tests)) = read {
        rules.retain(|rule| id.as_ref().is_none_or(|id| *id == rule.id));
        match rules.as_mut_slice() {
            [rule] => rule.tests.append(&mut tests),
            [] => notes.error(
                At::default(),
                format!("there is no rule in a file `{name}.…` that can run"),
            ),
            _ => notes.error(
                At::default(),
                format!("several rules are in `{name}.…`: `id` must say which is meant"),
            ),
        }
    }
    let mut entries = pack.entries.iter_mut();
    let beside = entries.find(|entry| is_beside(&entry.place));
    if let (Some(entry), 0) = (beside, notes.errors()) {
        entry.diagnostics.extend(notes.list);
    } else if !notes.list.is_empty() {
        pack.entries.push(Entry {
            place: Place {
                file: file.name.clone(),
                number: None,
                line: 1,
            },
            state: State::Refused,
            diagnostics: notes.list,
            asked: None,
        });
    }
}

#[cfg(test)]
mod test {
    use super::*;

    /// The longest queryPeriod that Sentinel takes: 14 days.
    const LONGEST_PERIOD: u64 = 14 * 86_400;

    /// The folders of the built-in rules.
    const PACKS: [&str; 9] = [
        "copilot",
        "entra",
        "exchange",
        "mip",
        "power-platform",
        "purview",
        "service",
        "sharepoint",
        "teams",
    ];

    /// The folder and the name of a file of a pack, without its ending.
    fn parts(rule: &Rule) -> (&str, &str) {
        let inside = rule.place.file.strip_prefix("queries/");
        let parts = inside.and_then(|file| file.split_once('/'));
        let (pack, file) = parts.unwrap_or_else(|| panic!("{}", rule.place.file));
        let name = file.strip_suffix(".kql").or(file.strip_suffix(".sql"));
        (pack, name.unwrap_or_default())
    }

    #[test]
    fn the_built_in_pack_loads_without_a_word() {
        let pack = load(&[]).expect("the pack is inside the binary");
        let said: Vec<String> = pack.diagnostics().map(ToString::to_string).collect();
        assert!(said.is_empty(), "{said:#?}");
        assert!(pack.rules.len() >= 16, "{} rules", pack.rules.len());
        for rule in &pack.rules {
            let (folder, name) = parts(rule);
            assert!(PACKS.contains(&folder), "{}", rule.place.file);
            assert_eq!(name, rule.id);
            assert!(!rule.name.is_empty(), "{}", rule.id);
            assert!(!rule.references.is_empty(), "{}", rule.id);
            assert!(!rule.description.is_empty(), "{}", rule.id);
            assert!(!rule.tactics.is_empty(), "{}", rule.id);
            assert!(!rule.techniques.is_empty(), "{}", rule.id);
            assert!(!rule.entities.is_empty(), "{}", rule.id);
            assert!(!rule.false_positives.is_empty(), "{}", rule.id);
            let period = rule.schedule.period();
            assert!(period.is_some_and(|p| p <= LONGEST_PERIOD), "{}", rule.id);
            assert!(rule.tests.iter().any(|t| t.finds > 0), "{}", rule.id);
            assert!(rule.tests.iter().any(|t| t.finds == 0), "{}", rule.id);
        }
    }

    #[test]
    fn questions_are_no_rules_of_the_pack() {
        let pack = load(&[]).expect("the pack is inside the binary");
        let questions = questions();
        let said: Vec<String> = questions.diagnostics().map(ToString::to_string).collect();
        assert!(said.is_empty(), "{said:#?}");
        assert!(!questions.rules.is_empty());
        for question in &questions.rules {
            assert_eq!(parts(question), ("ask", question.id.as_str()));
            assert_eq!(question.query.language, Language::Kql, "{}", question.id);
            assert!(!question.description.is_empty(), "{}", question.id);
            let finds = question.tests.iter().any(|t| t.finds > 0);
            assert!(finds, "{}", question.id);
            let same = pack.rules.iter().any(|rule| rule.id == question.id);
            assert!(!same, "{} is a rule, too", question.id);
        }
    }

    fn of(files: &[(&str, &str)]) -> Pack {
        let files = files.iter().map(|(name, text)| Candidate {
            name: name.to_string(),
            holds: Holds::Text(text.to_string()),
            is_meant: false,
        });
        pack(files.collect())
    }

    const RULE: &str = "id: a\nname: A\nseverity: Low\nkind: NRT\nquery: T\n";

    #[test]
    fn rules_to_run_are_the_same_without_their_tests() {
        let whole = load(&[]).expect("the pack is inside the binary");
        let to_run = load_to_run(&[]).expect("the pack is inside the binary");
        assert!(to_run.diagnostics().next().is_none());
        assert!(to_run.rules.iter().all(|rule| rule.tests.is_empty()));
        let without_tests = whole.rules.into_iter().map(|mut rule| {
            rule.tests.clear();
            rule
        });
        assert_eq!(without_tests.collect::<Vec<_>>(), to_run.rules);
    }

    #[test]
    fn every_file_is_listed_with_what_became_of_it() {
        let pack = of(&[
            ("b.yaml", RULE),
            ("a.yaml", "on: push\njobs: {}\n"),
            ("c.yaml", RULE),
            ("d.json", "[1, 2"),
            ("e.kql", "T | count"),
            ("f/g.yaml", &RULE.replace("query: T", "query: T | count")),
        ]);
        let states: Vec<(&str, String)> = pack
            .entries
            .iter()
            .map(|entry| {
                let state = match &entry.state {
                    State::Loaded(id) => format!("loaded {id}"),
                    State::Refused => entry.refusal().unwrap_or_default(),
                    State::NoRule(why) => format!("no rule: {why}"),
                };
                (entry.place.file.as_str(), state)
            })
            .collect();
        assert_eq!(states[0].0, "a.yaml");
        assert!(
            states[0].1.starts_with("no rule: it has no `query`"),
            "{states:?}"
        );
        assert_eq!(states[1].1, "loaded a");
        assert_eq!(states[2].1, "1:1: another rule has the id `a`: `b.yaml`");
        assert_eq!(pack.entries[3].state, State::Refused, "{states:?}");
        assert_eq!(states[4].1, "loaded e");
        assert_eq!(states[5].1, "loaded g");
        assert_eq!(pack.rules.len(), 3);
        let first = pack.rule(&pack.entries[1]).expect("it is loaded");
        assert_eq!(first.place.file, "b.yaml");
    }

    #[test]
    fn several_rules_of_a_file_have_their_numbers() {
        let other = RULE.replace("id: a", "id: b");
        let text = format!("{RULE}---\n{other}");
        let pack = of(&[("a.yaml", &text)]);
        let names: Vec<String> = pack.entries.iter().map(Entry::name).collect();
        assert_eq!(names, ["a.yaml, rule 1", "a.yaml, rule 2"]);
        assert_eq!(pack.entries[1].place.line, 7);
    }

    #[test]
    fn rules_of_one_file_in_sigma_share_its_text() {
        let one = |id: &str| {
            format!(
                "title: T\nid: {id}\nlogsource: {{product: m365}}\ndetection: {{s: {{Operation: a}}, condition: s}}\n"
            )
        };
        let pack = of(&[("s.yml", &format!("{}---\n{}", one("a"), one("b")))]);
        let [first, second] = pack.rules.as_slice() else {
            panic!("{:?}", pack.entries);
        };
        assert!(std::sync::Arc::ptr_eq(
            &first.query.text,
            &second.query.text
        ));
    }

    #[test]
    fn a_file_that_is_made_to_exhaust_its_reader_is_refused() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_string();
        for level in 1..10 {
            let before = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
        }
        for text in [deep, bomb] {
            let pack = of(&[("r.yaml", &text)]);
            assert_eq!(pack.entries.len(), 1);
            assert!(pack.entries[0].refusal().is_some(), "{}", &text[..40]);
        }
    }

    #[test]
    fn tests_beside_a_rule_are_its_own() {
        let tests = "tests:\n- name: t\n  events: []\n  finds: 0\n";
        let pack = of(&[("r/a.yaml", RULE), ("r/a.tests.yaml", tests)]);
        assert_eq!(pack.rules[0].tests.len(), 1);
        assert_eq!(pack.entries.len(), 1);
        let pack = of(&[("r/a.yaml", RULE), ("r/b.tests.yaml", tests)]);
        assert_eq!(pack.entries[1].state, State::Refused);
    }
}
