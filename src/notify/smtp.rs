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
}

/// A server that mails are handed to. One connection serves for all of them while it holds.
pub struct Smtp {
    server: Server,
    login: Option<Login>,
    authority: Option<Certificate>,
    patience: Patience,
    hello: String,
    connection: Option<SmtpConnection>,
    last: Option<Instant>,
}

impl Smtp {
    /// A server, not spoken to yet. It is told `hello` as the name of who calls: the domain of the sender, not the name of this machine.
    ///
    /// # Errors
    /// When a password would go where others hear it, or the certificate is none.
    pub fn new(
        server: Server,
        login: Option<Login>,
        authority: Option<(PathBuf, Vec<u8>)>,
        patience: Patience,
        hello: &str,
    ) -> Result<Smtp> {
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
            connection: None,
            last: None,
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
        let mut connection = SmtpConnection::connect(place, Some(ANSWER), &hello, at_once, None)?;
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
        mut what: impl FnMut(&mut Smtp) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut wait = self.patience.wait;
        for _ in 0..self.patience.retries {
            match what(self) {
                Err(e) if is_passing(&e) => {}
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
            None => self.connect()?,
        };
        Ok(self.connection.insert(connection))
    }

    fn hand_over(&mut self, letter: &Letter) -> Result<Response, Trouble> {
        let bytes = letter.message.formatted();
        let sent = self.connected()?.send(letter.message.envelope(), &bytes);
        if sent.is_err() {
            self.connection = None;
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

impl Carrier for Smtp {
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
            // These words are of the server, and about this mail.
            Err(trouble) if trouble.status().is_some() || trouble.is_client() => {
                Ok(Taken::No(said(&trouble)))
            }
            Err(trouble) => Err(self.gives_up(&trouble)),
        }
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.as_mut().filter(|held| !held.has_broken()) {
            connection.abort();
        }
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
        None if words.is_empty() => trouble.to_string(),
        None => format!("no connection holds: {words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        };
        let login = || Some(Login::Password("user".into(), "word".into()));
        let new = |text: &str| {
            let server = Server::parse(text).expect("a server");
            Smtp::new(server, login(), None, patience, "contoso.com")
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
        };
        let server = Server::parse("smtps://localhost").expect("a server");
        let authority = Some(("ca.pem".into(), b"no certificate".to_vec()));
        assert!(Smtp::new(server, None, authority, patience, "contoso.com").is_err());
    }
}
