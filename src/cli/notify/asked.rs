//! What is asked of an archive for notices to people: from when to when, and in which zone its times are shown.

use std::path::PathBuf;

use chrono_tz::Tz;

use super::sending::Sending;
use crate::archive::Archive;
use crate::cli::global::Global;
use crate::cli::when::Window;
use crate::cli::zone::zone;
use crate::engine::{Session, Source};
use crate::fault::Result;
use crate::hunt;

#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    #[command(flatten)]
    window: Window,
    /// Show times in a zone beside UTC: a name such as Europe/Berlin, or `local`
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    pub(super) tz: Option<Tz>,
    #[command(flatten)]
    pub(super) sending: Sending,
}

impl Asked {
    /// What happened in this time, with times in UTC.
    pub(super) fn of(archive: PathBuf, window: Window, sending: Sending) -> Asked {
        Asked {
            archive,
            window,
            tz: None,
            sending,
        }
    }

    /// Refuses what cannot be, before the archive is asked.
    pub(super) fn check(&self) -> Result<()> {
        self.window.check()?;
        self.sending.check()
    }

    pub(super) fn archive(&self) -> Result<Archive> {
        self.sending.open(&self.archive)
    }

    /// A session that sees all that came before the moment that is asked for: what is known of a document may be older than its denial.
    pub(super) fn session(&self, archive: &Archive, global: &Global) -> Result<Session> {
        let mut options = global.engine(None)?;
        options.now = Some(self.window.now());
        options.seen = self.window.seen();
        Session::open(Source::Archive(archive), &options)
    }

    pub(super) fn window(&self) -> hunt::Window {
        hunt::Window {
            from: self.window.from(),
            to: self.window.to(),
        }
    }

    /// The present, and the moment that is asked for.
    pub(super) fn moment(&self) -> (i64, Option<i64>) {
        (self.window.now(), self.window.at())
    }
}
