//! Rules by their id, their name or their file.

use std::path::{Path, PathBuf};

use super::complaints;
use crate::cli::offered::of_rules;
use crate::cli::set::{self, Settings};
use crate::cli::ui::Ui;
use crate::fault::{Error, Result, did_you_mean};
use crate::rules::{self, Pack, Rule};

/// Rules that are named behind a command, or with -r as other commands have it.
#[derive(Debug, clap::Args)]
pub(super) struct Paths {
    /// Rules: files, folders or ids of built-in rules, `builtin:NAME` for a built-in pack; the built-in packs when not given
    #[arg(value_name = "RULES", value_parser = of_rules(), hide_possible_values = true)]
    paths: Vec<PathBuf>,
    /// The same, as `hunt` takes it. May be given several times
    #[arg(short, long, value_name = "RULES", value_parser = of_rules(), hide_possible_values = true)]
    rules: Vec<PathBuf>,
}

impl Paths {
    /// All of them; nothing where the built-in packs are meant.
    pub(super) fn all(&self) -> Vec<PathBuf> {
        let all = self.paths.iter().chain(&self.rules);
        all.cloned().collect()
    }
}

/// The file that is named in place of a rule, where it is one.
fn file_of(named: Option<&str>) -> Option<&Path> {
    named.map(Path::new).filter(|path| path.is_file())
}

/// Loads rules, or the file that is named in place of one, as they are set; says what is wrong with them, and how many cannot run.
pub(super) fn load(
    named: Option<&str>,
    paths: &[PathBuf],
    set: &Settings,
    ui: &Ui,
) -> Result<(Pack, usize)> {
    let (mut pack, one) = match (file_of(named), paths.is_empty()) {
        (Some(file), true) => (rules::load(&[file.to_path_buf()])?, None),
        _ => (rules::load(paths)?, named),
    };
    // Of one rule the others of its folder are not asked.
    let bad = match one {
        Some(named) => complaints::tell_of(&pack, named, ui),
        None => complaints::tell(&pack, ui),
    };
    set.apply(&mut pack)?;
    set::tell(&pack, ui);
    Ok((pack, bad))
}

/// The rules that are meant; all when none is named, or the file of them.
///
/// # Errors
/// When no rule that can run has that name. It says which one may be meant.
pub(super) fn meant<'p>(
    pack: &'p Pack,
    named: Option<&str>,
    paths: &[PathBuf],
) -> Result<Vec<&'p Rule>> {
    let is_name = |named: &&str| !paths.is_empty() || file_of(Some(*named)).is_none();
    let Some(named) = named.filter(is_name) else {
        return Ok(pack.rules.iter().collect());
    };
    let is_meant = |rule: &&Rule| complaints::is_named(rule, named);
    let found: Vec<&Rule> = pack.rules.iter().filter(is_meant).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let ids: Vec<String> = pack.rules.iter().map(|rule| rule.id.clone()).collect();
    let near = did_you_mean(named, &ids).map_or_else(String::new, |near| format!("; {near}"));
    Err(Error::Usage(format!("no rule `{named}`{near}")))
}
