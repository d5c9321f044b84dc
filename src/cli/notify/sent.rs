use std::path::PathBuf;

use crate::archive::Archive;
use crate::cli::exit::Exit;
use crate::cli::ui::{self, Ui, answer, time_text};
use crate::fault::Result;
use crate::notify::sent::{Sent, State};

/// List the notices that were sent, the earliest first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<Exit> {
    let archive = Archive::open_to_ask(&args.archive)?;
    let sent = Sent::read(&archive)?;
    let rows = sent.lines().iter().map(|line| {
        let state = match line.state {
            State::Begun => "cut off".to_string(),
            State::Sent => "sent".to_string(),
            State::Refused if line.for_good => format!("refused for good: {}", line.answer),
            State::Refused => format!("not taken: {}", line.answer),
        };
        vec![
            time_text(line.at),
            line.kind.clone(),
            line.to.clone(),
            state,
            line.way.clone(),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        ui.say("no notice was sent");
    } else {
        answer(&ui::table(
            &["time", "kind", "to", "state", "by"],
            &rows,
            &[],
        ))?;
    }
    Ok(Exit::Done)
}
