//! `run --dry-run`: what each step would do.

use super::asked::Asked;
use super::step::Step;
use super::steps::Night;
use crate::archive::{Archive, compact};
use crate::cli::global::Global;
use crate::cli::ingest;
use crate::cli::ui::{Ui, answer, counted};
use crate::engine::output::visible;
use crate::fault::Result;

/// Says what these steps would do, a line each, and changes nothing.
pub(super) fn tell(
    asked: &Asked,
    steps: &[Step],
    again: bool,
    (global, ui): (&Global, &Ui),
) -> Result<()> {
    // Only an ingest makes one.
    let archive = match asked.has(Step::Ingest) && !Archive::exists(&asked.archive) {
        true => None,
        false => Some(Archive::open_to_ask(&asked.archive)?),
    };
    let pack = asked.rules.load()?;
    let night = archive
        .as_ref()
        .map(|archive| Night::new(asked, (archive, pack), again, (global, ui)));
    let mut coming = 0;
    for step in steps {
        let would = match (step, &asked.ingest) {
            (Step::Ingest, Some(of)) => {
                let (new, known) = ingest::planned(archive.as_ref(), &of.inputs, &of.reading)?;
                coming = new;
                let known = counted(known, "file");
                format!("would read {}; {known} read before", counted(new, "file"))
            }
            (Step::Compact, _) => merging(archive.as_ref())?,
            _ => {
                let news = night.as_ref().map(|night| night.news(*step)).transpose()?;
                let news = news.filter(|news| !news.open.ids.is_empty());
                match (news, coming) {
                    (None, 0) => "nothing new".to_string(),
                    (None, _) => "would treat what the ingest brings".to_string(),
                    (Some(news), 0) => format!("would treat {}", news.words()),
                    (Some(news), _) => {
                        format!("would treat {}, and what the ingest brings", news.words())
                    }
                }
            }
        };
        answer(&format!("{}: {}\n", step.name(), visible(&would)))?;
    }
    Ok(())
}

fn merging(archive: Option<&Archive>) -> Result<String> {
    let Some(archive) = archive else {
        return Ok("nothing to merge".into());
    };
    let (before, after) = compact::files(archive)?;
    Ok(match before == after {
        true => "nothing to merge".into(),
        false => format!("would make {after} of {}", counted(before as u64, "file")),
    })
}
