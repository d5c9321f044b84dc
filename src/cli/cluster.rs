//! `--cluster`: other machines answer the queries of a command. What they are asked, and what does not go with it.

use std::path::PathBuf;
use std::sync::Arc;

use super::answer::{Answer, Asked};
use super::exit::Exit;
use super::rows::Rows;
use super::ui::Ui;
use super::voice::{Fields, Level};
use super::waiting::Waiting;
use crate::cluster::{self, Query, Secret};
use crate::engine::output::visible;
use crate::engine::{Columns, Language, Options, Question, Session};
use crate::fault::{Error, Result};
use crate::rules;

/// Why an option that names a file does not go with a cluster.
pub(super) const READS_NO_FILE: &str =
    "a worker reads nothing but its archive: leave one of them out";
/// Why what asks no worker does not go with a cluster.
pub(super) const IS_DONE_HERE: &str = "this is done on one machine: leave --cluster out";

/// Who answers the queries of a command in its place.
#[derive(Debug, clap::Args)]
pub(super) struct Cluster {
    /// Let workers answer the queries: HOST:PORT of each, with commas, as `coldtrail worker` listens there. Each has the same archive. Rules
    /// of a hunt are spread over them; a single query is answered by one of them, whole
    #[arg(
        long,
        value_name = "ADDRESSES",
        value_delimiter = ',',
        requires = "secret_file",
        requires = "archive"
    )]
    cluster: Vec<String>,
    /// File with the secret that the workers know, at least 32 bytes; `coldtrail worker --new-secret` makes one
    #[arg(long, value_name = "FILE", requires = "cluster")]
    secret_file: Option<PathBuf>,
}

impl Cluster {
    /// Whether workers are to answer.
    pub(super) fn is_asked(&self) -> bool {
        !self.cluster.is_empty()
    }

    /// Refuses what does not go with workers: what each is called and whether it is given, and why it does not.
    ///
    /// # Errors
    /// When one of them is given beside workers.
    pub(super) fn refuse(&self, options: &[(&str, bool)], why: &str) -> Result<()> {
        let given = options.iter().find(|(_, is_given)| *is_given);
        match given.filter(|_| self.is_asked()) {
            Some((name, _)) => Err(Error::Usage(format!("{name} with --cluster: {why}"))),
            None => Ok(()),
        }
    }

    /// Goes to all workers; nothing where none are named. What becomes of them later is said as it happens.
    ///
    /// # Errors
    /// When the secret cannot be read, an address is none, or a worker is not there or not one of ours.
    pub(super) fn connect(&self, ui: &Ui) -> Result<Option<cluster::Cluster>> {
        let Some(secret) = self.secret_file.as_deref().filter(|_| self.is_asked()) else {
            return Ok(None);
        };
        let secret = Secret::read(secret)?;
        let voice = ui.voice().clone();
        let tell = move |text: &str| voice.say(Level::Warning, &visible(text), Fields::new());
        cluster::Cluster::connect(&self.cluster, &secret, Arc::new(tell)).map(Some)
    }
}

/// Lets a worker answer a question to a session that was opened with these options, and writes its answer. The session says why there are no rows.
///
/// # Errors
/// When the query is wrong or fails, the archive of the workers is another, none of them is left, or the answer cannot be written.
pub(super) fn put(
    workers: &cluster::Cluster,
    (session, options): (&Session, &Options),
    question: &Question<'_>,
    answer: &Answer,
    ui: &Ui,
) -> Result<Exit> {
    let query = query(session, options, question)?;
    let waiting = Waiting::begin(ui, "asking a worker");
    let mut rows = workers.ask(&query)?;
    drop(waiting);
    let reads = std::mem::take(&mut rows.reads);
    let notes = std::mem::take(&mut rows.notes);
    let asked = Asked {
        query: question.text,
        now: question.now,
        reads: &reads,
        notes: &notes,
    };
    answer.write(session, Rows::there(rows), &asked, ui)?;
    Ok(Exit::Done)
}

/// A question as a worker is asked it: all that makes the answer what it is here.
fn query(session: &Session, options: &Options, question: &Question<'_>) -> Result<Query> {
    let (language, functions) = match question.language {
        Language::Sql => (rules::Language::Sql, Vec::new()),
        Language::Kql(how) => (rules::Language::Kql, how.functions.clone()),
    };
    Ok(Query {
        language,
        text: question.text.to_string(),
        window: question.window,
        seen: options.seen,
        now: question.now,
        all_columns: options.columns == Columns::All,
        timeout: options.timeout,
        functions,
        archive: session.identity()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(addresses: &[&str]) -> Cluster {
        Cluster {
            cluster: addresses.iter().map(ToString::to_string).collect(),
            secret_file: None,
        }
    }

    #[test]
    fn what_does_not_go_with_workers_is_refused_beside_them_alone() {
        let given = [("--table", false), ("--geoip", true)];
        let refused = cluster(&["192.0.2.1:7070"]).refuse(&given, READS_NO_FILE);
        let refused = refused.expect_err("--geoip is given");
        assert!(matches!(refused, Error::Usage(_)), "{refused}");
        let said = refused.to_string();
        assert!(said.starts_with("--geoip with --cluster: "), "{said}");
        assert!(cluster(&[]).refuse(&given, READS_NO_FILE).is_ok());
        let none = [("--table", false)];
        assert!(cluster(&["h:1"]).refuse(&none, READS_NO_FILE).is_ok());
    }
}
