//! What is wrong with rules, on the terminal.

use std::collections::BTreeSet;

use crate::cli::ui::{Ui, counted};
use crate::fault::{Diagnostic, Level};
use crate::rules::{Entry, Pack, Rule};

/// Says what is wrong with rules, and gives how many cannot run.
pub(super) fn tell(pack: &Pack, ui: &Ui) -> usize {
    tell_each(pack.diagnostics(), |_| true, ui)
}

/// The same where one rule is asked for, by its file, its id or its name. What is wrong with others beside it is worth a line, and counts for nothing;
/// where the rule is not among those that can run, it may be any of them, and each is said.
pub(super) fn tell_of(pack: &Pack, named: &str, ui: &Ui) -> usize {
    let is_file = |said: &Diagnostic| said.subject == named;
    let is_asked = |entry: &&Entry| {
        let rule = pack.rule(entry);
        entry.place.file == named || rule.is_some_and(|rule| is_named(rule, named))
    };
    let (asked, others): (Vec<&Entry>, Vec<&Entry>) = pack.entries.iter().partition(is_asked);
    if asked.is_empty() {
        return tell_each(pack.diagnostics(), is_file, ui);
    }
    let said = asked.into_iter().flat_map(|entry| &entry.diagnostics);
    let bad = tell_each(said, is_file, ui);
    tell_others(others.into_iter().flat_map(|entry| &entry.diagnostics), ui);
    bad
}

/// Says each of these, and gives how many are errors of what is asked for.
fn tell_each<'d>(
    all: impl Iterator<Item = &'d Diagnostic>,
    is_asked: impl Fn(&Diagnostic) -> bool,
    ui: &Ui,
) -> usize {
    let mut bad = 0;
    for said in all {
        let told = format!("`{}`: {}", said.place(), said.message);
        match said.level == Level::Error && is_asked(said) {
            true => {
                bad += 1;
                ui.mistake(&told);
            }
            false => ui.warn(&told),
        }
        if let Some(hint) = &said.hint {
            ui.hint(hint);
        }
    }
    bad
}

/// Says how much there is to say of other rules.
fn tell_others<'d>(all: impl Iterator<Item = &'d Diagnostic>, ui: &Ui) {
    let mut files: BTreeSet<&str> = BTreeSet::new();
    let (mut errors, mut warnings) = (0, 0);
    for said in all {
        files.insert(&said.subject);
        match said.level {
            Level::Error => errors += 1,
            Level::Warning => warnings += 1,
        }
    }
    let Some(first) = files.first() else {
        return;
    };
    let more = match files.len() {
        1 => String::new(),
        many => format!(" and {}", counted(many as u64 - 1, "other file")),
    };
    let counts = [(errors, "error"), (warnings, "warning")];
    let counts = counts.into_iter().filter(|(n, _)| *n > 0);
    let counts: Vec<String> = counts.map(|(n, what)| counted(n, what)).collect();
    ui.warn(&format!(
        "`{first}`{more} beside the rule: {}; `coldtrail rules check` says which",
        counts.join(" and ")
    ));
}

/// Whether a rule that can run is meant by this name.
pub(super) fn is_named(rule: &Rule, named: &str) -> bool {
    rule.id.eq_ignore_ascii_case(named)
        || rule.name.eq_ignore_ascii_case(named)
        || rule.place.file == named
}
