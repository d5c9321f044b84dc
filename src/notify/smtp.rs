//! Mails handed to a server by SMTP: over TLS, slowly enough for it, again where it asks to wait.

use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use lettre::transport::smtp::Error as Trouble;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;

use super::deliver::{Carrier, Taken};
use super::letter::Letter;
use crate::fault::{Error, Result};

/// How long a server may take for an answer, of the five minutes that RFC 5321 gives it.
const ANSWER: Duration = Duration::from_secs(120);

/// How a password is given, the better way first …
const BY_PASSWORD: &[Mechanism] = &[Mechanism::Plain, Mechanism::Login];
/// … and a token, as Exchange Online takes it.
const BY_TOKEN: &[Mechanism] = &[Mechanism::Xoauth2];

/// How a connection is kept from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS by STARTTLS, before anything is said; a server that has it not is left.
    StartTls,
    /// None.
    Plain,
}

/// A server, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept from others.
    pub security: Security,
}

impl Server {
    /// Reads `smtps://host:465`, `smtp://host:587` or `smtp-plain://host:25`; the ports are those where none is given.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Server, String> {
        const WRONG: &str = "not a server such as smtp://smtp.contoso.com:587 (STARTTLS), smtps://smtp.contoso.com:465 (TLS) or smtp-plain://localhost:25";
        let (scheme, rest) = text.split_once("://").ok_or(WRONG)?;
        let (security, usual) = match scheme {
            "smtps" => (Security::Tls, 465),
            "smtp" => (Security::StartTls, 587),
            "smtp-plain" => (Security::Plain, 25),
            _ => return Err(WRONG.into()),
        };
        if rest.contains('@') {
            return Err("user and password do not belong here, where others can read them: name a file with --smtp-login".into());
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or(WRONG)?)),
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '/';
        if host.is_empty() || host.contains(odd) {
            return Err(WRONG.into());
        }
        Ok(Server {
            host: host.to_string(),
            port: match port {
                Some(port) => port.parse().map_err(|_| WRONG)?,
                None => usual,
            },
            security,
        })
    }

    /// What it is called in messages.
    pub fn called(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Whether it is this machine: nobody else hears what it is told.
    pub fn is_here(&self) -> bool {
        let address: Result<IpAddr, _> = self.host.parse();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

/// By what a server knows who sends.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// A user and a password.
    Password(String, String),
    /// A user and a token of OAuth 2.
    Token(String, String),
}

/// How patient a run is with a server.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Mails a minute at most.
    pub rate: u32,
    /// How often something is tried again.
    pub retries: u32,
    /// How long before the first of these; twice as long before each further one.
    pub wait: Duration,
    /// How long a server may take until it has greeted.
    pub connect: Duration,
}

/// Who hears what is tried, and why it is tried again. The words of a server are as it said them.
pub type Told<'t> = Box<dyn Fn(&str) + 't>;

/// A server that mails are handed to. One connection serves for all of them while it holds.
pub struct Smtp<'t> {
    server: Server,
    login: Option<Login>,
    authority: Option<Certificate>,
    patience: Patience,
    hello: String,
    told: Told<'t>,
    is_told: bool,
    connection: Option<SmtpConnection>,
    last: Option<Instant>,
    /// Whether what was refused last is a recipient.
    is_recipient: bool,
}

impl<'t> Smtp<'t> {
    /// A server, not spoken to yet. It is told `hello` as the name of who calls: the domain of the sender, not the name of this machine.
    ///
    /// # Errors
    /// When a password would go where others hear it, or the certificate is none.
    pub fn new(
        server: Server,
        login: Option<Login>,
        authority: Option<(PathBuf, Vec<u8>)>,
        patience: Patience,
        (hello, told): (&str, Told<'t>),
    ) -> Result<Smtp<'t>> {
        if login.is_some() && server.security == Security::Plain && !server.is_here() {
            return Err(Error::Usage(format!(
                "a password would go to `{}` for everybody to read: use smtp:// or smtps://",
                server.called()
            )));
        }
        let authority = match authority {
            None => None,
            Some((path, pem)) => {
                let is_one = memchr::memmem::find(&pem, b"-----BEGIN CERTIFICATE-----").is_some();
                let read = Certificate::from_pem(&pem).ok().filter(|_| is_one);
                Some(read.ok_or_else(|| Error::Unusable {
                    path,
                    reason: "no certificate in PEM".into(),
                })?)
            }
        };
        Ok(Smtp {
            server,
            login,
            authority,
            patience,
            hello: hello.to_string(),
            told,
            is_told: false,
            connection: None,
            last: None,
            is_recipient: false,
        })
    }

    fn connect(&self) -> Result<SmtpConnection, Trouble> {
        let hello = ClientId::Domain(self.hello.clone());
        let tls = match self.server.security {
            Security::Plain => None,
            Security::Tls | Security::StartTls => {
                let mut tls = TlsParameters::builder(self.server.host.clone());
                if let Some(authority) = &self.authority {
                    tls = tls.add_root_certificate(authority.clone());
                }
                Some(tls.build()?)
            }
        };
        let at_once = tls
            .as_ref()
            .filter(|_| self.server.security == Security::Tls);
        let place = (self.server.host.as_str(), self.server.port);
        let limit = Some(self.patience.connect);
        let mut connection = SmtpConnection::connect(place, limit, &hello, at_once, None)?;
        // Where this fails, the next answer does not come either.
        let _ = connection.set_timeout(Some(ANSWER));
        if self.server.security == Security::StartTls
            && let Some(tls) = &tls
        {
            connection.starttls(tls, &hello)?;
        }
        let (mechanisms, user, secret) = match &self.login {
            None => return Ok(connection),
            Some(Login::Password(user, word)) => (BY_PASSWORD, user, word),
            Some(Login::Token(user, token)) => (BY_TOKEN, user, token),
        };
        let credentials = Credentials::new(user.clone(), secret.clone());
        match connection.auth(mechanisms, &credentials) {
            Ok(_) => Ok(connection),
            Err(e) => {
                connection.abort();
                Err(e)
            }
        }
    }

    /// Does something until it succeeds or is refused for good; waits in between.
    fn patiently<T>(
        &mut self,
        mut what: impl FnMut(&mut Smtp<'t>) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut wait = self.patience.wait;
        for _ in 0..self.patience.retries {
            match what(self) {
                Err(e) if is_passing(&e) => (self.told)(&format!(
                    "mail server `{}`: {}; tried again in {} s",
                    self.server.called(),
                    said(&e),
                    wait.as_secs()
                )),
                other => return other,
            }
            thread::sleep(wait);
            wait = wait.saturating_mul(2);
        }
        what(self)
    }

    /// The connection, made where there is none or it broke.
    fn connected(&mut self) -> Result<&mut SmtpConnection, Trouble> {
        let connection = match self.connection.take().filter(|held| !held.has_broken()) {
            Some(held) => held,
            None => {
                if !self.is_told {
                    self.is_told = true;
                    (self.told)(&format!("asking mail server `{}`", self.server.called()));
                }
                self.connect()?
            }
        };
        Ok(self.connection.insert(connection))
    }

    fn hand_over(&mut self, letter: &Letter) -> Result<Response, Trouble> {
        let bytes = letter.message.formatted();
        self.is_recipient = false;
        let mut is_recipient = false;
        let sent = send(self.connected()?, letter, &bytes, &mut is_recipient);
        self.is_recipient = is_recipient;
        if sent.is_err()
            && let Some(mut connection) = self.connection.take()
        {
            connection.abort();
        }
        sent
    }

    fn gives_up(&self, trouble: &Trouble) -> Error {
        Error::Unusable {
            path: self.server.called().into(),
            reason: said(trouble),
        }
    }
}

impl Carrier for Smtp<'_> {
    fn way(&self, _letter: &Letter) -> String {
        self.server.called()
    }

    fn ready(&mut self) -> Result<()> {
        if let Some(last) = self.last {
            let pause = Duration::from_secs(60) / self.patience.rate.max(1);
            thread::sleep(pause.saturating_sub(last.elapsed()));
        }
        let ready = self.patiently(|smtp| {
            let connection = smtp.connected()?;
            // A server that waited too long for the next mail has left.
            match connection.test_connected() {
                true => Ok(()),
                false => {
                    smtp.connection = None;
                    smtp.connected().map(|_| ())
                }
            }
        });
        ready.map_err(|trouble| self.gives_up(&trouble))
    }

    fn carry(&mut self, letter: &Letter) -> Result<Taken> {
        let sent = self.patiently(|smtp| smtp.hand_over(letter));
        self.last = Some(Instant::now());
        match sent {
            Ok(answer) => {
                let lines: Vec<&str> = answer.message().collect();
                Ok(Taken::Yes(format!("{} {}", answer.code(), lines.join(" "))))
            }
            Err(trouble) if self.is_recipient && trouble.is_permanent() => {
                let words = said(&trouble);
                Ok(match whose(&trouble) {
                    Whose::Recipient => Taken::Never(words),
                    Whose::Anybody => Taken::Unwelcome(words),
                    Whose::Other => Taken::No(words),
                })
            }
            // These words are of the server, and about this mail.
            Err(trouble) if trouble.status().is_some() || trouble.is_client() => {
                Ok(Taken::No(said(&trouble)))
            }
            Err(trouble) => Err(self.gives_up(&trouble)),
        }
    }
}

impl Drop for Smtp<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.as_mut().filter(|held| !held.has_broken()) {
            connection.abort();
        }
    }
}

/// Sends a mail, and notes whether it is a recipient that the server refuses.
fn send(
    connection: &mut SmtpConnection,
    letter: &Letter,
    bytes: &[u8],
    is_recipient: &mut bool,
) -> Result<Response, Trouble> {
    let envelope = letter.message.envelope();
    let to = envelope.to();
    let is_plain = |address: &lettre::Address| AsRef::<str>::as_ref(address).is_ascii();
    // What needs an extension of the protocol is the library's to say.
    if !bytes.is_ascii() || !envelope.from().into_iter().chain(to).all(is_plain) {
        return connection.send(envelope, bytes);
    }
    connection.command(Mail::new(envelope.from().cloned(), Vec::new()))?;
    for address in to {
        let answer = connection.command(Rcpt::new(address.clone(), Vec::new()));
        *is_recipient = answer.is_err();
        answer?;
    }
    connection.command(Data)?;
    connection.message(bytes)
}

/// Whom a refusal for good of a recipient is about.
#[derive(Debug, PartialEq, Eq)]
enum Whose {
    /// The recipient: there is no such mailbox.
    Recipient,
    /// The recipient, or everybody to whom we may write.
    Anybody,
    /// The sender, or a mailbox that is full: both can be mended.
    Other,
}

fn whose(trouble: &Trouble) -> Whose {
    let code = trouble
        .status()
        .map_or_else(String::new, |code| code.to_string());
    let words = trouble.source().map(ToString::to_string);
    blamed(&code, words.as_deref().unwrap_or_default())
}

/// By the code of an answer, and its words, which may begin with an enhanced code (RFC 3463).
fn blamed(code: &str, words: &str) -> Whose {
    let first = words.split_whitespace().next().unwrap_or_default();
    let is_enhanced = first.starts_with("5.") && first.split('.').count() == 3;
    match (is_enhanced, first) {
        (true, "5.1.7" | "5.1.8" | "5.2.2" | "5.2.3") => Whose::Other,
        (true, "5.2.1") => Whose::Recipient,
        (true, first) if first.starts_with("5.1.") => Whose::Recipient,
        (true, _) => Whose::Anybody,
        (false, _) => match code {
            "551" | "553" => Whose::Recipient,
            "552" => Whose::Other,
            // 550 is said of a mailbox that is not there, and of a relay that is not ours.
            _ => Whose::Anybody,
        },
    }
}

/// Whether the same may succeed a little later.
fn is_passing(trouble: &Trouble) -> bool {
    let source = trouble
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    // A certificate that is not believed is told as bad data.
    let is_bad = source.is_some_and(|e| e.kind() == ErrorKind::InvalidData);
    !trouble.is_permanent() && !trouble.is_client() && !trouble.is_tls() && !is_bad
}

/// What went wrong; of a refusal what the server said.
fn said(trouble: &Trouble) -> String {
    let words = trouble
        .source()
        .map(ToString::to_string)
        .unwrap_or_default();
    match trouble.status() {
        Some(code) => format!("the server refuses: {code} {words}")
            .trim_end()
            .to_string(),
        None if trouble.is_timeout() || words.contains("os error 11)") => {
            "the server did not answer in time".into()
        }
        None if words.is_empty() => trouble.to_string(),
        None => format!("no connection holds: {words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Told<'static> {
        Box::new(|_| {})
    }

    #[test]
    fn a_refusal_is_about_a_recipient_everybody_or_the_sender() {
        for (code, words, whose) in [
            ("550", "5.1.1 nobody of that name", Whose::Recipient),
            ("550", "5.1.10 RecipientNotFound", Whose::Recipient),
            ("550", "5.2.1 mailbox disabled", Whose::Recipient),
            ("553", "no such user", Whose::Recipient),
            ("554", "5.7.1 relay access denied", Whose::Anybody),
            ("550", "relaying denied", Whose::Anybody),
            ("550", "5.1.8 bad sender", Whose::Other),
            ("552", "5.2.2 mailbox full", Whose::Other),
            ("552", "over quota", Whose::Other),
        ] {
            assert_eq!(blamed(code, words), whose, "{code} {words}");
        }
    }

    #[test]
    fn servers_are_read() {
        for (text, host, port, security) in [
            (
                "smtp://mail.contoso.com",
                "mail.contoso.com",
                587,
                Security::StartTls,
            ),
            (
                "smtps://mail.contoso.com/",
                "mail.contoso.com",
                465,
                Security::Tls,
            ),
            (
                "smtp-plain://127.0.0.1:2525",
                "127.0.0.1",
                2525,
                Security::Plain,
            ),
            ("smtps://[::1]:2465", "::1", 2465, Security::Tls),
            ("smtp-plain://[::1]", "::1", 25, Security::Plain),
        ] {
            let host = host.to_string();
            let server = Server {
                host,
                port,
                security,
            };
            assert_eq!(Server::parse(text), Ok(server), "{text}");
        }
        for text in [
            "",
            "mail.contoso.com",
            "http://a",
            "smtp://",
            "smtp://a:b",
            "smtp://[::1]x",
            "smtp://a b",
            "smtp://a/b",
        ] {
            assert!(Server::parse(text).is_err(), "{text}");
        }
        assert!(Server::parse("smtp://user:word@a").is_err_and(|why| why.contains("--smtp-login")));
    }

    #[test]
    fn a_password_goes_nowhere_in_the_open() {
        let patience = Patience {
            rate: 30,
            retries: 0,
            wait: Duration::ZERO,
            connect: Duration::from_secs(15),
        };
        let login = || Some(Login::Password("user".into(), "word".into()));
        let new = |text: &str| {
            let server = Server::parse(text).expect("a server");
            Smtp::new(server, login(), None, patience, ("contoso.com", told()))
        };
        assert!(new("smtp-plain://mail.contoso.com").is_err());
        assert!(new("smtp-plain://localhost").is_ok());
        assert!(new("smtp://mail.contoso.com").is_ok());
    }

    #[test]
    fn a_certificate_is_one() {
        let patience = Patience {
            rate: 30,
            retries: 0,
            wait: Duration::ZERO,
            connect: Duration::from_secs(15),
        };
        let server = Server::parse("smtps://localhost").expect("a server");
        let authority = Some(("ca.pem".into(), b"no certificate".to_vec()));
        let hello = ("contoso.com", told());
        assert!(Smtp::new(server, None, authority, patience, hello).is_err());
    }
}
