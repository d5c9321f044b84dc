use super::asked::Asked;
use super::sending::{Subject, Wanted};
use crate::case::Case;
use crate::cli::exit::Exit;
use crate::cli::global::Global;
use crate::cli::remarks::tell_slow;
use crate::cli::ui::{self, Ui, answer, counted, time_text};
use crate::cli::waiting::Waiting;
use crate::fault::Result;
use crate::notify::denied::{self, KIND, Unowned};
use crate::notify::sent::Sent;
use crate::notify::template::{DENIED, Templates};

/// Tell owners of documents who was denied access to them
///
/// One mail to each owner: who, which document, when, how often, under which label, protected since when, and what to do. Owners that are
/// services or not known get no mail; their denials are listed for the security team.
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
    let templates = Templates::load(DENIED, asked.sending.template(), &denied::examples())?;
    let archive = asked.archive()?;
    tell_slow(&archive, ui);
    let session = asked.session(&archive, global)?;
    let ingests = archive.ledger()?;
    let waiting = Waiting::begin(ui, "collecting denials");
    let denials = Case::of(&session, &ingests).denials(asked.window())?;
    drop(waiting);
    let subject = Subject {
        name: KIND,
        of: "denial",
        templates,
    };
    let mut unowned = Vec::new();
    let plan = |sent: &Sent| {
        let plan = denied::plan(&denials, sent, asked.tz);
        unowned = plan.unowned;
        Wanted {
            notices: plan.notices,
            told: plan.told,
            unaddressed: unowned.iter().map(|one| one.attempts).sum(),
        }
    };
    let moment = asked.moment();
    let exit = asked.sending.send(&archive, &subject, plan, moment, ui)?;
    for_the_team(&unowned, ui)?;
    Ok(exit)
}

/// Lists denials that no owner is told of.
fn for_the_team(unowned: &[Unowned], ui: &Ui) -> Result<()> {
    if unowned.is_empty() {
        return Ok(());
    }
    let rows: Vec<Vec<String>> = unowned
        .iter()
        .map(|one| {
            let owner = match (one.owner.as_str(), one.service) {
                ("", _) => "not known".to_string(),
                (owner, true) => format!("{owner} (a service)"),
                (owner, false) => format!("{owner} (no address)"),
            };
            let attempts = ui::count(one.attempts as u64);
            vec![
                owner,
                one.document.clone(),
                one.user.clone(),
                attempts,
                time_text(one.last),
            ]
        })
        .collect();
    let header = ["owner", "document", "denied", "attempts", "last"];
    answer(&format!(
        "\nfor the security team, as no owner can be told:\n{}",
        ui::table(&header, &rows, &[3])
    ))?;
    ui.say(&format!(
        "{} whose owner cannot be told",
        counted(rows.len() as u64, "denied document")
    ));
    Ok(())
}
