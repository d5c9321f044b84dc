//! What is wrong with rules, on the terminal.

use crate::cli::ui::Ui;
use crate::fault::Level;
use crate::rules::Pack;

/// Says what is wrong with rules, and gives how many cannot run.
pub(super) fn tell(pack: &Pack, ui: &Ui) -> usize {
    for said in pack.diagnostics() {
        let told = format!("`{}`: {}", said.place(), said.message);
        match said.level {
            Level::Error => ui.mistake(&told),
            Level::Warning => ui.warn(&told),
        }
        if let Some(hint) = &said.hint {
            ui.hint(hint);
        }
    }
    let errors = pack.diagnostics().filter(|d| d.level == Level::Error);
    errors.count()
}
