//! What is wrong with rules, on the terminal.

use crate::cli::ui::Ui;
use crate::fault::{Diagnostic, Level};
use crate::rules::Pack;

/// Says what is wrong with rules, and gives how many cannot run.
pub(super) fn tell(pack: &Pack, ui: &Ui) -> usize {
    tell_of(pack, |_| true, ui)
}

/// The same where only some files are asked for: what is wrong beside them is worth a warning, and no more.
pub(super) fn tell_of(pack: &Pack, is_asked: impl Fn(&str) -> bool, ui: &Ui) -> usize {
    let is_error =
        |said: &Diagnostic| said.level == Level::Error && is_asked(said.subject.as_str());
    for said in pack.diagnostics() {
        let told = format!("`{}`: {}", said.place(), said.message);
        match is_error(said) {
            true => ui.mistake(&told),
            false => ui.warn(&told),
        }
        if let Some(hint) = &said.hint {
            ui.hint(hint);
        }
    }
    pack.diagnostics().filter(|said| is_error(said)).count()
}
