use super::asked::Asked;
use super::sending::{Subject, Wanted};
use crate::case::{Case, LOWERED as ACTIONS, MANAGERS};
use crate::cli::exit::Exit;
use crate::cli::global::Global;
use crate::cli::remarks::tell_slow;
use crate::cli::ui::{Ui, counted};
use crate::cli::waiting::Waiting;
use crate::fault::Result;
use crate::notify::lowered::{self, KIND};
use crate::notify::sent::Sent;
use crate::notify::template::{LOWERED, Templates};

/// Tell managers which sensitivity labels their people lowered or removed
///
/// One mail to each manager. Who reports to whom is what the watchlist Managers says.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    asked: Asked,
}

impl Args {
    pub(super) fn of(asked: Asked) -> Args {
        Args { asked }
    }
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    let Args { asked } = args;
    asked.check()?;
    let templates = Templates::load(LOWERED, asked.sending.template(), &lowered::examples())?;
    let archive = asked.archive()?;
    tell_slow(&archive, ui);
    let session = asked.session(&archive, global)?;
    let ingests = archive.ledger()?;
    let waiting = Waiting::begin(ui, "collecting changes of labels");
    let changes = Case::of(&session, &ingests).label_changes(asked.window(), &ACTIONS)?;
    drop(waiting);
    let subject = Subject {
        name: KIND,
        of: "change",
        templates,
    };
    let mut unmanaged = 0;
    let plan = |sent: &Sent| {
        let plan = lowered::plan(&changes, sent, asked.tz);
        unmanaged = plan.unmanaged.values().sum::<usize>();
        Wanted {
            notices: plan.notices,
            told: plan.told,
            unaddressed: unmanaged,
        }
    };
    let moment = asked.moment();
    let exit = asked.sending.send(&archive, &subject, plan, moment, ui)?;
    if unmanaged > 0 {
        let changes = counted(unmanaged as u64, "change");
        ui.warn(&format!("{changes} by people whose manager the watchlist `{MANAGERS}` does not name: nobody is told of them"));
    }
    Ok(exit)
}
