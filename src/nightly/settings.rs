//! The configuration of a nightly run: TOML in which each section is a step, and a missing section a step that is off.
//!
//! A key that nobody knows is refused. Every mistake says file, line and column and shows the line. Passwords have no key here.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::fault::{Error, Result, did_you_mean};

/// What a nightly run is asked to do.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The archive.
    pub archive: PathBuf,
    /// Reading exports.
    pub ingest: Option<IngestStep>,
    /// Running rules.
    pub hunt: Option<HuntStep>,
    /// The report.
    pub report: Option<ReportStep>,
    /// Merging small files.
    pub compact: Option<CompactStep>,
}

/// Which exports are read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestStep {
    /// Files, folders and patterns.
    pub inputs: Spanned<Vec<PathBuf>>,
}

/// Which rules run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HuntStep {
    /// Packs, files and folders of rules.
    pub rules: Spanned<Vec<String>>,
    /// The least severity that is hunted for; all when not given.
    pub min_level: Option<Spanned<String>>,
    /// The severity from which on a finding ends the run with exit code 1.
    pub fail_on: Option<Spanned<String>>,
    /// Whether rules that only lack a table, a watchlist or a function count as rules that ran.
    #[serde(default)]
    pub ignore_missing: bool,
}

/// Where the report goes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportStep {
    /// The file; `{date}` becomes the day of the run.
    pub output: PathBuf,
}

/// How small files are merged.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompactStep {
    /// Days for which replaced files stay.
    pub retention: Option<u32>,
}

/// Severities as the configuration names them.
const LEVELS: [&str; 4] = ["informational", "low", "medium", "high"];

impl Settings {
    /// Reads a configuration. `file` names it in messages; paths in it are relative to its folder.
    ///
    /// # Errors
    /// [`Error::Unusable`], with line and column, when the text is not TOML, a key is unknown, or a value cannot be meant.
    pub fn read(text: &str, file: &Path) -> Result<Settings> {
        let wrong = |span: Option<Range<usize>>, why: &str| Error::Unusable {
            path: file.to_path_buf(),
            reason: match span {
                Some(span) => placed(text, span.start, why),
                None => why.to_string(),
            },
        };
        let mut settings: Settings =
            toml::from_str(text).map_err(|e| wrong(e.span(), &hinted(e.message())))?;
        settings
            .check()
            .map_err(|(span, why)| wrong(Some(span), &why))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        settings.place_below(folder);
        Ok(settings)
    }

    /// What TOML and the types let pass: the first mistake, and where it is.
    fn check(&self) -> Result<(), (Range<usize>, String)> {
        if let Some(ingest) = &self.ingest
            && ingest.inputs.get_ref().is_empty()
        {
            return Err((ingest.inputs.span(), "no input is named".into()));
        }
        let Some(hunt) = &self.hunt else {
            return Ok(());
        };
        if hunt.rules.get_ref().is_empty() {
            return Err((hunt.rules.span(), "no rule is named".into()));
        }
        for level in [&hunt.min_level, &hunt.fail_on].into_iter().flatten() {
            if !LEVELS.contains(&level.get_ref().as_str()) {
                let why = format!("`{}` is none of {}", level.get_ref(), LEVELS.join(", "));
                return Err((level.span(), why));
            }
        }
        Ok(())
    }

    fn place_below(&mut self, folder: &Path) {
        self.archive = folder.join(&self.archive);
        if let Some(ingest) = &mut self.ingest {
            for input in ingest.inputs.get_mut() {
                *input = folder.join(&*input);
            }
        }
        if let Some(report) = &mut self.report {
            report.output = folder.join(&report.output);
        }
    }
}

/// What serde says of an unknown key, with those of its list that are nearly called so.
fn hinted(message: &str) -> String {
    if !message.starts_with("unknown field") {
        return message.to_string();
    }
    // The key and the list stand in backticks.
    let mut names = message.split('`').skip(1).step_by(2);
    let word = names.next().unwrap_or("");
    let known: Vec<String> = names.map(String::from).collect();
    match did_you_mean(word, &known) {
        Some(near) => format!("unknown key `{word}`: {near}"),
        None => format!("unknown key `{word}`; known here: {}", known.join(", ")),
    }
}

/// `line 3, column 5: why`, the line, and a caret below the place.
fn placed(text: &str, at: usize, why: &str) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let column = before[start..].chars().count();
    let shown = text[start..].lines().next().unwrap_or("");
    format!(
        "line {line}, column {}: {why}\n  {shown}\n  {}^",
        column + 1,
        " ".repeat(column)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        match Settings::read(text, Path::new("nightly/coldtrail.toml")) {
            Ok(settings) => panic!("taken: {settings:?}"),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn a_missing_section_is_a_step_that_is_off_and_paths_are_below_the_files_folder() {
        let text = "archive = \"case\"\n[ingest]\ninputs = [\"in\"]\n";
        let settings =
            Settings::read(text, Path::new("nightly/coldtrail.toml")).expect("a configuration");
        assert_eq!(settings.archive, Path::new("nightly/case"));
        let ingest = settings.ingest.expect("the section");
        assert_eq!(ingest.inputs.get_ref(), &[PathBuf::from("nightly/in")]);
        assert_eq!(settings.hunt, None);
    }

    #[test]
    fn a_key_that_nobody_knows_is_refused_with_its_place() {
        let said = mistake("archive = \"case\"\n[ingest]\ninptus = [\"in\"]\n");
        assert!(said.contains("line 3, column 1"), "{said}");
        assert!(
            said.contains("unknown key `inptus`: did you mean `inputs`?"),
            "{said}"
        );
        assert!(said.contains("\n  inptus = [\"in\"]\n  ^"), "{said}");
    }

    #[test]
    fn a_level_that_is_none_is_refused_with_its_place() {
        let said = mistake("archive = \"c\"\n[hunt]\nrules = [\"r\"]\nmin_level = \"loud\"\n");
        assert!(said.contains("line 4, column 13"), "{said}");
        assert!(said.contains("`loud` is none of"), "{said}");
    }
}
