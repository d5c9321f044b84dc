use std::path::PathBuf;

use chrono_tz::Tz;

use super::sending::{Sending, Subject, Wanted};
use crate::cli::alerts::Keep;
use crate::cli::exit::Exit;
use crate::cli::global::Global;
use crate::cli::hunt::{self, Hunting};
use crate::cli::ui::Ui;
use crate::cli::zone::zone;
use crate::fault::Result;
use crate::notify::found::{self, KIND};
use crate::notify::sent::Sent;
use crate::notify::template::{FOUND, Templates};

/// Tell the security team what a hunt finds
///
/// One mail with everything, the worst first, to each --recipient. It hunts as `coldtrail hunt` does.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    /// To whom. May be given several times
    #[arg(long, value_name = "ADDRESS", required = true)]
    recipient: Vec<String>,
    #[command(flatten)]
    hunting: Hunting,
    /// Show times in a zone, with the offset: a name such as Europe/Berlin, or `local`; in UTC when not given
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    tz: Option<Tz>,
    #[command(flatten)]
    sending: Sending,
}

impl Args {
    /// To these people, by what this hunt finds, with times in UTC.
    pub(super) fn of(
        archive: PathBuf,
        recipient: Vec<String>,
        hunting: Hunting,
        sending: Sending,
    ) -> Args {
        Args {
            archive,
            recipient,
            hunting,
            tz: None,
            sending,
        }
    }
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    args.sending.check()?;
    let templates = Templates::load(FOUND, args.sending.template(), &found::examples())?;
    let archive = args.sending.open(&args.archive)?;
    let (session, mut hunt) = hunt::sweep(&archive, &args.hunting, None, global, ui)?;
    let window = &args.hunting.window;
    // What is excluded from a hunt is nobody told.
    Keep::default().swept(&archive, &session, &mut hunt, window, ui)?;
    let subject = Subject {
        name: KIND,
        of: "finding",
        templates,
    };
    let mut recipients: Vec<String> = args.recipient.iter().map(|r| r.to_lowercase()).collect();
    recipients.sort();
    recipients.dedup();
    let plan = |sent: &Sent| {
        let plan = found::plan(&hunt.findings, &recipients, sent, args.tz);
        Wanted {
            notices: plan.notices,
            told: plan.told,
            unaddressed: 0,
        }
    };
    let exit = args
        .sending
        .send(&archive, &subject, plan, (window.now(), window.at()), ui)?;
    Ok(exit.and(hunt::exit(&hunt, &args.hunting)))
}
