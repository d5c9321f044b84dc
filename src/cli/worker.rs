//! `worker`: answers the queries of other machines, until it is ended.

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use futures::future::{Either, select};

use super::exit::Exit;
use super::global::Global;
use super::ui::{Ui, answer_if_read};
use super::voice::{Fields, Level, Voice};
use crate::archive::Archive;
use crate::cluster::{self, Said, Secret};
use crate::engine::STACK;
use crate::engine::output::visible;
use crate::fault::{Error, Result};

/// Answer queries for other machines
///
/// `coldtrail hunt`, `sql` and `kql` with --cluster send the texts of their queries here and get rows back, over TLS, from and to those who know
/// the secret alone. The archive must be the one that they have, be it in a shared folder, in object storage, or a copy; no other file is read
/// for them. One command at a time is served, others are told to wait. Says on stdout where it listens; Ctrl-C ends it.
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
        Secret::create(path)?;
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
    let own = global.engine(None)?;
    // What is no archive is said now, and not to the first who asks.
    Archive::open_to_ask(archive)?;
    let (archive, listen) = (archive.clone(), listen.clone());
    let teller = Teller::of(ui);
    let tell = move |said: Said<'_>| teller.tell(&said);
    until_ended(move || cluster::serve(&archive, &listen, &secret, &own, Arc::new(tell)))?;
    Ok(Exit::Done)
}

/// Works until that ends, or Ctrl-C is pressed. What is under way then ends with the process.
///
/// # Errors
/// Those of the work, or when Ctrl-C cannot be heard.
fn until_ended(work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_stack_size(STACK)
        .build()
        .map_err(Error::io("hear", "Ctrl-C"))?;
    let ended = runtime.block_on(async {
        let pressed = pin!(tokio::signal::ctrl_c());
        // It is begun when it is first asked whether it has ended: by then Ctrl-C is heard.
        let working = pin!(async move { tokio::task::spawn_blocking(work).await });
        let first = select(pressed, working).await;
        match first {
            Either::Left((heard, _)) => heard.map_err(Error::io("hear", "Ctrl-C")),
            Either::Right((Ok(ended), _)) => ended,
            Either::Right((Err(panic), _)) => resume_unwind(panic.into_panic()),
        }
    });
    runtime.shutdown_background();
    ended
}

/// Says what happens, from whatever thread.
struct Teller {
    voice: Voice,
    quiet: bool,
    verbose: bool,
}

/// One thing that happened, as it is said.
#[derive(Debug, PartialEq)]
struct Event {
    level: Level,
    /// What machines call it.
    name: &'static str,
    message: String,
    /// What it is about, by the names that machines know.
    about: Vec<(&'static str, String)>,
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
                let text = format!("listening on {address}");
                info("listening", text, vec![("address", address.to_string())])
            }
            Said::Came(peer) => {
                let text = format!("{peer} came: its queries are answered");
                info("came", text, vec![("peer", peer.to_string())])
            }
            Said::Began(query) => {
                let text = format!("began: {query}");
                info("began", text, vec![("query", query.to_string())])
            }
            Said::Ended { .. } => info("ended", "ended".into(), Vec::new()),
            Said::Refused { peer, why } => Event {
                level: Level::Warning,
                name: "refused",
                message: format!("{peer} was refused: {why}"),
                about: vec![("peer", peer.to_string()), ("why", why.to_string())],
            },
            Said::Gone(peer) => {
                let text = format!("{peer} is gone");
                info("gone", text, vec![("peer", peer.to_string())])
            }
        }
    }

    /// Whether it is one of the many that people hear of when they want to know more.
    fn is_detail(&self) -> bool {
        matches!(self.name, "began" | "ended")
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
            let about = event.about.iter();
            let mut fields: Fields = about
                .map(|(name, value)| ((*name).to_string(), visible(value).into()))
                .collect();
            fields.insert("event".into(), event.name.into());
            self.voice
                .say(event.level, &visible(&event.message), fields);
        }
    }

    /// Whether stderr has it: people are told less than machines.
    fn is_said(&self, event: &Event) -> bool {
        let is_wanted = match event.name {
            // It is on stdout.
            "listening" => self.voice.is_json(),
            _ => self.voice.is_json() || self.verbose || !event.is_detail(),
        };
        event.level == Level::Warning || is_wanted && !self.quiet
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
    fn what_is_under_way_does_not_hold_up_its_end() {
        assert!(until_ended(|| Ok(())).is_ok());
        let failed = until_ended(|| Err(Error::Usage("no".into())));
        assert!(matches!(failed, Err(Error::Usage(_))));
    }
}
