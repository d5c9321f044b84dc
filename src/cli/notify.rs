use std::path::PathBuf;

use super::exit::Exit;
use super::global::Global;
use super::hunt::Hunting;
use super::ui::Ui;
use super::when::Window;
use crate::fault::Result;

mod asked;
mod changes;
mod denied;
mod findings;
mod login;
mod sending;
mod sent;

pub(super) use sending::{Sending, Subject, Wanted, domain, mailbox};

/// Write mails to owners of documents, to managers and to the security team
///
/// Mails are files in an outbox, or go to a server with --smtp. What was sent is noted in the archive: nobody is told the same twice, and a run that
/// was cut off is completed by the next. Mails to owners and managers hold no address, place, device, session or application of anybody.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    AccessDenied(denied::Args),
    Findings(findings::Args),
    LabelChanges(changes::Args),
    Sent(sent::Args),
}

impl Args {
    /// Tells owners who was denied access, of what happened in a time.
    pub(super) fn access_denied(archive: PathBuf, window: Window, sending: Sending) -> Args {
        let asked = asked::Asked::of(archive, window, sending);
        Args {
            command: Command::AccessDenied(denied::Args::of(asked)),
        }
    }

    /// Tells managers which labels were lowered in a time.
    pub(super) fn label_changes(archive: PathBuf, window: Window, sending: Sending) -> Args {
        let asked = asked::Asked::of(archive, window, sending);
        Args {
            command: Command::LabelChanges(changes::Args::of(asked)),
        }
    }

    /// Tells these people what a hunt finds.
    pub(super) fn findings(
        archive: PathBuf,
        recipients: Vec<String>,
        hunting: Hunting,
        sending: Sending,
    ) -> Args {
        let args = findings::Args::of(archive, recipients, hunting, sending);
        Args {
            command: Command::Findings(args),
        }
    }
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    match &args.command {
        Command::AccessDenied(args) => denied::run(args, global, ui),
        Command::Findings(args) => findings::run(args, global, ui),
        Command::LabelChanges(args) => changes::run(args, global, ui),
        Command::Sent(args) => sent::run(args, ui),
    }
}
