//! What all notices have in common: from whom, to whom, by which way, and what is said of it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lettre::message::Mailbox;
use serde::Serialize;

use super::login::login;
use crate::archive::Archive;
use crate::cli::exit::Exit;
use crate::cli::global::patience;
use crate::cli::ui::{self, Ui, answer_if_read, counted};
use crate::engine::output::visible;
use crate::fault::{Error, Result};
use crate::notify::deliver::{Carrier, Taken, deliver};
use crate::notify::letter::{Addressed, Letter, Sender};
use crate::notify::outbox::Outbox;
use crate::notify::recipient::Recipients;
use crate::notify::sent::{Book, Sent};
use crate::notify::smtp::{Patience, Server, Smtp, Told};
use crate::notify::template::Templates;

/// Mails a minute at most, where nobody says it.
const RATE: u32 = 30;
/// How often a server is tried again, where nobody says it.
const RETRIES: u32 = 4;
/// Seconds until that, where nobody says it.
const RETRY_WAIT: u64 = 5;
/// How long a server may take until it has greeted, where nobody says it.
const CONNECT: Duration = Duration::from_secs(15);

/// From whom, to whom, and by which way.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Mail")]
pub(in crate::cli) struct Sending {
    /// A domain of the tenant; mails go to addresses of these only. May be given several times
    #[arg(long, value_name = "DOMAIN", value_parser = domain)]
    pub(in crate::cli) domain: Vec<String>,
    /// An address outside of --domain that may be written to all the same. May be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub(in crate::cli) allow_recipient: Vec<String>,
    /// From whom the mails are, such as 'Security <security@contoso.com>'. In an outbox no-reply@ the first --domain when not given
    #[arg(long, value_name = "ADDRESS", value_parser = mailbox)]
    pub(in crate::cli) sender: Option<Mailbox>,
    /// Folder with subject.txt, body.txt and body.html for the built-in ones; they can name the fields of the notice and nothing else. The HTML page
    /// of `report` takes title.txt, style.css and logo.svg or logo.png from it
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) template: Option<PathBuf>,
    /// Folder for the mails, as .eml files
    #[arg(long, value_name = "DIR", default_value = "outbox")]
    pub(in crate::cli) outbox: PathBuf,
    /// Send the mails to this server: smtp://HOST:587 (STARTTLS), smtps://HOST:465 (TLS) or smtp-plain://HOST:25. The login is that of
    /// --smtp-login, else of COLDTRAIL_SMTP_USER and COLDTRAIL_SMTP_PASSWORD or COLDTRAIL_SMTP_TOKEN (OAuth 2)
    #[arg(long, value_name = "SERVER", value_parser = Server::parse, conflicts_with = "outbox")]
    pub(in crate::cli) smtp: Option<Server>,
    /// File with lines user=… and password=… or token=…
    #[arg(long, value_name = "FILE", requires = "smtp")]
    pub(in crate::cli) smtp_login: Option<PathBuf>,
    /// Certificate, in PEM, of an authority that is believed beside those of the system
    #[arg(long, value_name = "FILE", requires = "smtp")]
    pub(in crate::cli) smtp_ca: Option<PathBuf>,
    /// Mails a minute at most
    #[arg(long, value_name = "N", default_value_t = RATE, value_parser = clap::value_parser!(u32).range(1..=6000))]
    pub(in crate::cli) rate: u32,
    /// How often a server that is away or asks to wait is tried again
    #[arg(long, value_name = "N", default_value_t = RETRIES, value_parser = clap::value_parser!(u32).range(..=20))]
    retries: u32,
    /// Seconds until the first of these; each further one waits twice as long
    #[arg(long, value_name = "SECONDS", default_value_t = RETRY_WAIT, value_parser = clap::value_parser!(u64).range(..=3600))]
    retry_wait: u64,
    /// How long a server may take until it has greeted, such as 15s or 2m
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = patience)]
    pub(in crate::cli) connect_timeout: Duration,
    /// Try mailboxes again that the server has refused for good
    #[arg(long, requires = "smtp")]
    pub(in crate::cli) retry: bool,
    /// Say who would be told what, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Tell once more what was told before
    #[arg(long)]
    again: bool,
    /// Whether the server gave no answer, or a refusal of everybody, to the same sending before: it is not waited for a second time.
    #[arg(skip)]
    is_away: Arc<AtomicBool>,
}

pub(in crate::cli) fn domain(text: &str) -> std::result::Result<String, String> {
    let text = text.trim_start_matches('@');
    match format!("a@{text}").parse::<lettre::Address>() {
        Ok(_) if !text.starts_with('[') => Ok(text.to_lowercase()),
        _ => Err("not a domain such as contoso.com".into()),
    }
}

pub(in crate::cli) fn mailbox(text: &str) -> std::result::Result<Mailbox, String> {
    text.parse::<Mailbox>()
        .map_err(|_| "not an address such as 'Security <security@contoso.com>'".into())
}

/// A kind of notice: what it is called, and what its mails say.
pub(in crate::cli) struct Subject {
    pub(in crate::cli) name: &'static str,
    /// What it tells of, such as `denial`.
    pub(in crate::cli) of: &'static str,
    pub(in crate::cli) templates: Templates,
}

/// What a command wants to tell.
pub(in crate::cli) struct Wanted<N> {
    pub(in crate::cli) notices: Vec<Addressed<N>>,
    /// How many events were told before.
    pub(in crate::cli) told: usize,
    /// How many events there are that have nobody who could be told.
    pub(in crate::cli) unaddressed: usize,
}

/// What became of the notices of a command, in numbers.
#[derive(Debug, Clone, Copy, Default)]
struct Became {
    done: usize,
    /// Not taken: the next run tries again.
    failed: usize,
    /// Refused for good.
    refused: usize,
    /// For those who may not be written to.
    kept_back: usize,
    /// For mailboxes that were refused for good before.
    barred: usize,
}

impl Sending {
    /// Mails as files in this folder, to nobody yet.
    pub(in crate::cli) fn into_folder(outbox: PathBuf) -> Sending {
        Sending {
            domain: Vec::new(),
            allow_recipient: Vec::new(),
            sender: None,
            template: None,
            outbox,
            smtp: None,
            smtp_login: None,
            smtp_ca: None,
            rate: RATE,
            retries: RETRIES,
            retry_wait: RETRY_WAIT,
            connect_timeout: CONNECT,
            retry: false,
            dry_run: false,
            again: false,
            is_away: Arc::default(),
        }
    }

    pub(in crate::cli) fn template(&self) -> Option<&Path> {
        self.template.as_deref()
    }

    /// Refuses what cannot be, before the archive is asked.
    pub(in crate::cli) fn check(&self) -> Result<()> {
        if self.smtp.is_some() && self.sender.is_none() && !self.dry_run {
            return Err(Error::Usage(
                "--smtp: servers want to know from whom a mail is: name it with --sender".into(),
            ));
        }
        if self.domain.is_empty() && self.allow_recipient.is_empty() && !self.dry_run {
            return Err(Error::Usage("no domain of the tenant is named, so nobody may be written to: --domain contoso.com; --dry-run shows who would be".into()));
        }
        Ok(())
    }

    pub(in crate::cli) fn open(&self, path: &Path) -> Result<Archive> {
        match self.dry_run {
            true => Archive::open_to_ask(path),
            false => Archive::open(path),
        }
    }

    /// Makes all mails, then hands them over one by one. `plan` says what is not told yet, by a ledger.
    pub(in crate::cli) fn send<N: Serialize>(
        &self,
        archive: &Archive,
        subject: &Subject,
        plan: impl FnOnce(&Sent) -> Wanted<N>,
        (now, at): (i64, Option<i64>),
        ui: &Ui,
    ) -> Result<Exit> {
        let nothing = Sent::default();
        let mut book = match self.dry_run {
            true => None,
            false => Some(Book::open(archive, || {
                ui.say("waiting for a run that sends notices")
            })?),
        };
        let seen = match &book {
            Some(_) => None,
            None => Some(Sent::read(archive)?),
        };
        let sent = book
            .as_ref()
            .map(|book| &book.sent)
            .or(seen.as_ref())
            .unwrap_or(&nothing);
        let wanted = plan(if self.again { &nothing } else { sent });
        let sender = self.sender(at, now)?;
        let (letters, mut rows) = self.letters(&wanted.notices, subject, &sender)?;
        left_open(sent, subject, &letters, ui);
        let mut became_of = Became {
            kept_back: rows.len(),
            ..Became::default()
        };
        let letters = self.tried(letters, sent, subject, &mut rows);
        let not_tried = rows.len();
        became_of.barred = not_tried - became_of.kept_back;
        let mut delivered = Ok(());
        if let Some(book) = book.as_mut().filter(|_| !letters.is_empty()) {
            let mut carrier = self.carrier(sender.domain(), ui)?;
            let mut told = |letter: &Letter, taken: &Taken| {
                let way = became(taken, self, letter);
                match taken {
                    Taken::Never(_) => became_of.refused += 1,
                    Taken::No(_) | Taken::Unwelcome(_) => became_of.failed += 1,
                    Taken::Yes(_) => {}
                }
                rows.push(row(subject, &letter.to, letter.keys.len(), &way));
            };
            delivered = match self.away() {
                Some(away) => Err(away),
                None => deliver(&letters, book, carrier.as_mut(), now, &mut told),
            };
        } else {
            rows.extend(
                letters
                    .iter()
                    .map(|l| row(subject, &l.to, l.keys.len(), &would_be(l))),
            );
        }
        if !rows.is_empty() {
            answer_if_read(&ui::table(
                &["to", "about", "what became of it"],
                &rows,
                &[],
            ))?;
        }
        if let Err(e) = delivered {
            let left = letters.len() - (rows.len() - not_tried);
            let left = counted(left as u64, "notice");
            ui.say(&format!("{left} left for the next run"));
            self.note_away(&e);
            return Err(e);
        }
        let Became {
            failed, refused, ..
        } = became_of;
        became_of.done = letters.len() - failed - refused;
        self.conclude(subject, &wanted, &became_of, ui);
        Ok(match failed + refused {
            0 => Exit::Done,
            _ => Exit::Io,
        })
    }

    /// Why no mail is handed over: the same sending found no server before.
    fn away(&self) -> Option<Error> {
        let server = self.smtp.as_ref()?;
        let is_away = self.is_away.load(Ordering::Relaxed);
        is_away.then(|| Error::Unusable {
            path: server.called().into(),
            reason: "it took no mail before, as said above, and is not asked again in this run"
                .into(),
        })
    }

    /// Notes that the server is away, where an error says that.
    fn note_away(&self, error: &Error) {
        let (Some(server), Error::Unusable { path, .. }) = (&self.smtp, error) else {
            return;
        };
        if path.as_path() == Path::new(&server.called()) {
            self.is_away.store(true, Ordering::Relaxed);
        }
    }

    /// The mails that are tried, and a row for each of the others: the server has refused their mailboxes for good.
    fn tried(
        &self,
        letters: Vec<Letter>,
        sent: &Sent,
        subject: &Subject,
        rows: &mut Vec<Vec<String>>,
    ) -> Vec<Letter> {
        let Some(server) = self.smtp.as_ref().filter(|_| !self.retry) else {
            return letters;
        };
        let way = server.called();
        let mut tried = Vec::new();
        for letter in letters {
            let Some(line) = sent.gone(&way, &letter.to) else {
                tried.push(letter);
                continue;
            };
            let told = format!(
                "not tried: refused for good on {}: {}",
                ui::time_text(line.at),
                line.answer
            );
            rows.push(row(subject, &letter.to, letter.keys.len(), &told));
        }
        tried
    }

    /// The mails to those who may be written to, and a row for each of the others.
    fn letters<N: Serialize>(
        &self,
        notices: &[Addressed<N>],
        subject: &Subject,
        sender: &Sender,
    ) -> Result<(Vec<Letter>, Vec<Vec<String>>)> {
        let recipients = Recipients {
            domains: self.domain.clone(),
            allowed: self.allow_recipient.clone(),
        };
        let (mut letters, mut rows) = (Vec::new(), Vec::new());
        for notice in notices {
            match recipients.refuse(&notice.to) {
                None => letters.push(Letter::of(
                    subject.name,
                    notice,
                    sender,
                    &subject.templates,
                )?),
                Some(why) => rows.push(row(
                    subject,
                    &notice.to,
                    notice.keys.len(),
                    &format!("not told: {why}"),
                )),
            }
        }
        Ok((letters, rows))
    }

    fn conclude<N>(&self, subject: &Subject, wanted: &Wanted<N>, became: &Became, ui: &Ui) {
        let Became {
            done,
            failed,
            refused,
            kept_back,
            barred,
        } = *became;
        ui.counts(&[
            ("mails", done as u64),
            ("mails_failed", failed as u64),
            ("mails_refused", refused as u64),
            ("mails_kept_back", kept_back as u64),
            ("mails_not_tried", barred as u64),
        ]);
        let before = match wanted.told {
            0 => String::new(),
            told => format!("; {} told before", were(told, subject)),
        };
        let what = match (self.dry_run, self.smtp.is_some()) {
            (true, _) => "would be made",
            (false, true) => "sent",
            (false, false) => "written",
        };
        if barred > 0 {
            ui.warn(&format!(
                "{} not tried: the server has refused the mailbox for good; --retry tries again",
                counted(barred as u64, "notice")
            ));
        }
        if done + failed + refused + kept_back == 0 {
            ui.say(&match (wanted.told, wanted.unaddressed) {
                _ if barred > 0 => format!("nothing else to tell{before}"),
                (0, 0) => format!("nothing to tell: no {} in that time", subject.of),
                (0, _) => "nobody to write to".to_string(),
                _ => format!("nothing new to tell{before}"),
            });
            return;
        }
        ui.say(&format!(
            "{} {what}{before}",
            counted(done as u64, "notice")
        ));
        if kept_back > 0 {
            ui.warn(&format!(
                "{} kept back: see who is `not told`",
                counted(kept_back as u64, "notice")
            ));
        }
        if refused > 0 {
            ui.mistake(&format!(
                "{} refused for good: no later run tries the mailbox again unless it is asked to (`notify --retry`, `run --again`)",
                counted(refused as u64, "notice")
            ));
        }
        if failed > 0 {
            ui.mistake(&format!(
                "{} not taken by the server; the next run tries again",
                counted(failed as u64, "notice")
            ));
        }
    }

    fn sender(&self, at: Option<i64>, now: i64) -> Result<Sender> {
        let mailbox = match (
            &self.sender,
            self.domain.first(),
            self.allow_recipient.first(),
        ) {
            (Some(sender), _, _) => sender.clone(),
            (None, Some(domain), _) => {
                mailbox(&format!("no-reply@{domain}")).map_err(Error::Usage)?
            }
            // Only a mail that nobody gets has no better one.
            (None, None, None) => mailbox("no-reply@example.org").map_err(Error::Usage)?,
            (None, None, Some(_)) => {
                return Err(Error::Usage(
                    "name from whom the mails are with --sender, or a --domain".into(),
                ));
            }
        };
        // Files are the same in each run; what is sent is of the moment.
        let date = match self.smtp {
            Some(_) => Some(now),
            None => at,
        };
        Ok(Sender { mailbox, date })
    }

    /// Refuses a login and a certificate that a server could not be told. Nothing is asked of the server.
    pub(in crate::cli) fn try_way(&self, ui: &Ui) -> Result<()> {
        match self.smtp {
            // Its name stands for the sender's domain, which nobody is told.
            Some(_) => self.carrier("localhost", ui).map(|_| ()),
            None => Ok(()),
        }
    }

    fn carrier<'u>(&self, hello: &str, ui: &'u Ui) -> Result<Box<dyn Carrier + 'u>> {
        let Some(server) = &self.smtp else {
            return Ok(Box::new(Outbox::at(&self.outbox)?));
        };
        let authority = match &self.smtp_ca {
            Some(path) => Some((
                path.clone(),
                std::fs::read(path).map_err(Error::io("read", path))?,
            )),
            None => None,
        };
        let patience = Patience {
            rate: self.rate,
            retries: self.retries,
            wait: Duration::from_secs(self.retry_wait),
            connect: self.connect_timeout,
        };
        let told: Told<'u> = Box::new(move |text| ui.say(&visible(text)));
        let login = login(self.smtp_login.as_deref())?;
        Ok(Box::new(Smtp::new(
            server.clone(),
            login,
            authority,
            patience,
            (hello, told),
        )?))
    }
}

/// What is said of a mail that was handed over.
fn became(taken: &Taken, sending: &Sending, letter: &Letter) -> String {
    match (taken, &sending.smtp) {
        (Taken::Yes(_), None) => format!(
            "written as {}",
            sending.outbox.join(letter.file_name()).display()
        ),
        (Taken::Yes(words), Some(_)) => format!("sent: {words}"),
        (Taken::No(words) | Taken::Unwelcome(words), _) => format!("not sent: {words}"),
        (Taken::Never(words), _) => format!("refused for good: {words}"),
    }
}

/// What is said of a mail in a trial.
fn would_be(letter: &Letter) -> String {
    format!("would be told: {}", letter.subject)
}

fn row(subject: &Subject, to: &str, events: usize, became: &str) -> Vec<String> {
    vec![
        to.to_string(),
        counted(events as u64, subject.of),
        became.to_string(),
    ]
}

fn were(n: usize, subject: &Subject) -> String {
    let verb = if n == 1 { "was" } else { "were" };
    format!("{} {verb}", counted(n as u64, subject.of))
}

/// Says which notices were begun before and are not made again now.
fn left_open(sent: &Sent, subject: &Subject, letters: &[Letter], ui: &Ui) {
    let ids: HashSet<&str> = letters.iter().map(|letter| letter.id.as_str()).collect();
    let open = sent
        .lines()
        .iter()
        .filter(|line| line.kind == subject.name && sent.is_open(&line.id));
    for line in open.filter(|line| !ids.contains(line.id.as_str())) {
        let when = ui::time_text(line.at);
        ui.warn(&format!("a run of {when} was cut off, and nobody knows whether `{}` got its notice; its events lie outside of the time that is asked for", line.to));
    }
}
