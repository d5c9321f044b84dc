//! `--set`: parameters of rules as a user wants them.

use std::path::PathBuf;

use super::ui::Ui;
use crate::engine::output::visible;
use crate::fault::Result;
use crate::rules::{self, Assignment, Pack, RuleParameter};

/// What a user sets.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Settings {
    /// Set a parameter of a rule, as `coldtrail rules show` lists them: a number, a text, true or false, a duration such as 30m, or texts with
    /// commas. May be given several times
    #[arg(long = "set", value_name = "RULE.NAME=VALUE", value_parser = assignment)]
    set: Vec<Assignment>,
}

pub(super) fn assignment(text: &str) -> Result<Assignment, String> {
    text.parse()
}

impl Settings {
    /// What these set.
    pub(super) fn of(set: Vec<Assignment>) -> Settings {
        Settings { set }
    }

    /// Loads rules that are to run, as they are set.
    pub(super) fn load_to_run(&self, paths: &[PathBuf]) -> Result<Pack> {
        let mut pack = rules::load_to_run(paths)?;
        self.apply(&mut pack)?;
        Ok(pack)
    }

    /// Sets the parameters of loaded rules.
    pub(super) fn apply(&self, pack: &mut Pack) -> Result<()> {
        rules::set(&mut pack.rules, &self.set)
    }
}

/// Says what was set, and what the rules say by themselves.
pub(super) fn tell(pack: &Pack, ui: &Ui) {
    for rule in &pack.rules {
        for parameter in rule.parameters.iter().filter(|p| p.set.is_some()) {
            let RuleParameter { name, default, .. } = parameter;
            let value = shown(&parameter.value().to_string());
            let before = shown(&default.to_string());
            let told = format!("`{}.{name}` is {value} here, not {before}", rule.id);
            ui.remark(&visible(&told));
        }
    }
}

/// A value as it is said; a list without elements and a text without letters have a word.
fn shown(value: &str) -> String {
    match value {
        "" => "empty".into(),
        value => value.into(),
    }
}
