//! The other side of a [`Crew`](super::crew::Crew): jobs of a hunt are answered over the archive of this machine, as the hunt itself would.

use std::thread;
use std::time::{Duration, Instant};

use super::crew::{Answering, Job, Orders};
use super::runs::Runs;
use super::start::Shared;
use crate::archive::Archive;
use crate::engine::{self, Session, Source};
use crate::fault::{Error, Result};

/// So long an archive may be another than that of who asks: what a writer does reaches one machine before the other.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between two looks at it.
const PAUSE: Duration = Duration::from_millis(500);

/// Opens a session over an archive as the orders of a hunt say, and hands `work` what answers its jobs, one answer each, in their order. Nothing but
/// the archive is read. `own` says what is this machine's: threads, memory, the folder of temporary files, and what stops it.
///
/// # Errors
/// When the archive is not that of the hunt, also after a few looks, or cannot be opened.
pub fn serve(
    archive: &Archive,
    orders: &Orders,
    own: &engine::Options,
    work: &mut dyn FnMut(Answering<'_>),
) -> Result<()> {
    let options = orders.terms.options(own);
    let mut session = open_as(archive, &options, &orders.archive)?;
    let start = &orders.start;
    let product = start.make(&mut session, Shared::Kept, |_, _| {})?;
    let how = orders.how();
    let runs = Runs::new(&session, &product, &how, orders.window);
    work(&mut |jobs: &[Job]| runs.answers(jobs, |_| {}, |_| {}));
    Ok(())
}

/// Opens a session over an archive that must be the one of that identity: see [`Session::identity`]. Where it is not, it is looked at anew for a few
/// seconds.
///
/// # Errors
/// When it is another by then, or cannot be opened, or the options' stop says so.
pub fn open_as(archive: &Archive, options: &engine::Options, identity: &str) -> Result<Session> {
    let until = Instant::now() + PATIENCE;
    let mut session = Session::open(Source::Archive(archive), options)?;
    while !is_that(&session, identity)? {
        session.may_go_on()?;
        if Instant::now() >= until {
            return Err(Error::Unusable {
                path: archive.address().to_path_buf(),
                reason: "it is not the archive of who asks, or was written since: both must ask the same one, or a copy of all its files; where it is written to, ask again".into(),
            });
        }
        thread::sleep(PAUSE);
        // Anew: of one in object storage there is a copy here, which is made when it is opened.
        let again = Archive::open_to_ask(archive.address())?;
        session = Session::open(Source::Archive(&again), options)?;
    }
    Ok(session)
}

/// Whether a session asks the archive of that identity, its watchlists included: those are read now, so that one that is replaced later is the same to
/// all who answer.
fn is_that(session: &Session, identity: &str) -> Result<bool> {
    if session.identity()? != identity {
        return Ok(false);
    }
    if session.watchlists().is_empty() {
        return Ok(true);
    }
    for name in session.watchlists() {
        let name = name.replace('"', "\"\"");
        // One that cannot be read is told by the query that asks it.
        let _ = session.collect(&format!("SELECT 1 FROM watchlists.\"{name}\" LIMIT 1"));
    }
    Ok(session.identity()? == identity)
}
