//! `worker`: answers the queries of other machines, until it is ended.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::exit::Exit;
use super::export::new_key;
use super::global::Global;
use super::ui::{Ui, answer_if_read, count, counted};
use super::voice::{Fields, Level, Voice};
use crate::cluster::{self, Said, Secret};
use crate::engine::output::visible;
use crate::fault::{Error, Result};

/// Answer queries for other machines
///
/// `coldtrail hunt`, `sql` and `kql` with --cluster send the texts of their queries here and get rows back, over TLS, from and to those who know
/// the secret alone. The archive must be the one that they have, be it in a shared folder, in object storage, or a copy; no other file is read
/// for them. One command at a time is served, others are told that it is busy. Says on stdout where it listens; Ctrl-C ends it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive
    #[arg(
        short,
        long,
        value_name = "DIR",
        required_unless_present = "new_secret"
    )]
    archive: Option<PathBuf>,
    /// Where to listen: an address of this machine and a port, such as 192.0.2.7:7070; with port 0, at any that is free
    #[arg(long, value_name = "ADDRESS", required_unless_present = "new_secret")]
    listen: Option<String>,
    /// File with the secret, at least 32 bytes, the same on all machines
    #[arg(long, value_name = "FILE", required_unless_present = "new_secret")]
    secret_file: Option<PathBuf>,
    /// Make a file with a new secret, which only its owner may read, and end
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["archive", "listen", "secret_file"]
    )]
    new_secret: Option<PathBuf>,
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    if let Some(path) = &args.new_secret {
        new_key(path)?;
        ui.say(&format!(
            "a secret is in `{}`: copy it to each machine, and let nobody else read it",
            visible(&path.display().to_string())
        ));
        return Ok(Exit::Done);
    }
    let (Some(archive), Some(listen), Some(secret)) =
        (&args.archive, &args.listen, &args.secret_file)
    else {
        return Err(Error::Usage(
            "a worker needs --archive, --listen and --secret-file".into(),
        ));
    };
    let secret = Secret::read(secret)?;
    let mut own = global.engine(None)?;
    // By name: who asks is told whose disk is full.
    own.temp.get_or_insert_with(std::env::temp_dir);
    let teller = Teller::of(ui);
    let tell = move |said: Said<'_>| teller.tell(&said);
    cluster::serve(archive, listen, &secret, &own, Arc::new(tell))?;
    Ok(Exit::Done)
}

/// Says what happens, from whatever thread.
struct Teller {
    voice: Voice,
    quiet: bool,
    verbose: bool,
}

/// Letters of a query that are said.
const LETTERS: usize = 80;

/// One thing that happened, as it is said.
struct Event {
    level: Level,
    /// What machines call it.
    name: &'static str,
    message: String,
    /// What it is about, by the names that machines know.
    about: Vec<(&'static str, Value)>,
}

impl Event {
    fn of(said: &Said<'_>) -> Event {
        let info = |name, message, about| Event {
            level: Level::Info,
            name,
            message,
            about,
        };
        match said {
            Said::Listening(address) => {
                let message = format!("listening on {address}");
                info("listening", message, vec![("address", safe(address))])
            }
            Said::Came(peer) => {
                let message = format!("{peer} came: its queries are answered");
                info("came", message, vec![("peer", safe(peer))])
            }
            Said::Began(query) => {
                let query = beginning(query);
                let message = format!("began: {query}");
                info("began", message, vec![("query", safe(&query))])
            }
            Said::Ended { answered, failed } => {
                let (answered, failed) = (*answered, *failed);
                let message = format!(
                    "{} answered, {} failed",
                    counted(answered, "query"),
                    count(failed)
                );
                let about = vec![("answered", answered.into()), ("failed", failed.into())];
                info("ended", message, about)
            }
            Said::Refused { peer, why } => Event {
                level: Level::Warning,
                name: "refused",
                message: format!("{peer} was refused: {why}"),
                about: vec![("peer", safe(peer)), ("why", safe(why))],
            },
            Said::Gone(peer) => {
                let message = format!("{peer} is gone");
                info("gone", message, vec![("peer", safe(peer))])
            }
        }
    }

    /// What machines get of it.
    fn fields(&self) -> Fields {
        let about = self.about.iter();
        let mut fields: Fields = about
            .map(|(name, value)| ((*name).to_string(), value.clone()))
            .collect();
        fields.insert("event".into(), self.name.into());
        fields
    }
}

/// A text as a value that is harmless wherever it is shown.
fn safe(text: &impl ToString) -> Value {
    visible(&text.to_string()).into()
}

/// A query in its first letters.
fn beginning(query: &str) -> String {
    match query.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &query[..end]),
        None => query.to_string(),
    }
}

impl Teller {
    fn of(ui: &Ui) -> Teller {
        Teller {
            voice: ui.voice().clone(),
            quiet: ui.is_quiet(),
            verbose: ui.verbose,
        }
    }

    fn tell(&self, said: &Said<'_>) {
        let event = Event::of(said);
        if matches!(said, Said::Listening(_)) {
            // Whoever started it reads from here where it can be reached.
            if let Err(e) = answer_if_read(&format!("{}\n", event.message)) {
                let text = visible(&e.to_string());
                self.voice.say(Level::Error, &text, Fields::new());
            }
        }
        if self.is_said(&event) {
            let message = visible(&event.message);
            self.voice.say(event.level, &message, event.fields());
        }
    }

    /// Whether stderr has it: people are told less than machines.
    fn is_said(&self, event: &Event) -> bool {
        let is_for_people = match event.name {
            // It is on stdout.
            "listening" => false,
            // These are many.
            "began" | "ended" => self.verbose,
            _ => true,
        };
        let is_wanted = !self.quiet && (self.voice.is_json() || is_for_people);
        event.level == Level::Warning || is_wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn teller(is_json: bool, quiet: bool, verbose: bool) -> Teller {
        let voice = match is_json {
            true => Voice::json("worker"),
            false => Voice::Text { color: false },
        };
        Teller {
            voice,
            quiet,
            verbose,
        }
    }

    #[test]
    fn people_are_told_who_comes_and_machines_what_is_asked_too() {
        let (came, began) = (Said::Came("192.0.2.9:4711"), Said::Began("T | count"));
        let said = |teller: &Teller| [&came, &began].map(|said| teller.is_said(&Event::of(said)));
        assert_eq!(said(&teller(false, false, false)), [true, false]);
        assert_eq!(said(&teller(false, false, true)), [true, true]);
        assert_eq!(said(&teller(true, false, false)), [true, true]);
        assert_eq!(said(&teller(true, true, false)), [false, false]);
    }

    #[test]
    fn what_machines_get_is_harmless_and_short() {
        let query = format!("T\u{1b}[1m{}", "é".repeat(LETTERS));
        let fields = Event::of(&Said::Began(&query)).fields();
        let said = fields["query"].as_str().expect("text");
        assert!(said.starts_with("T\\u{1b}[1mé"), "{said}");
        assert!(said.ends_with("é…"), "{said}");
        assert_eq!(said.chars().filter(|c| *c == 'é').count(), LETTERS - 5);
        assert_eq!(fields["event"], "began");
        let ended = Said::Ended {
            answered: 3,
            failed: 1,
        };
        let ended = Event::of(&ended);
        assert_eq!(ended.message, "3 queries answered, 1 failed");
        assert_eq!(ended.fields()["failed"], 1);
    }
}
