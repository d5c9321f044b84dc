//! Mails sent to a real server on this machine: it refuses, it leaves, it is slow, and each owner gets each mail once.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use crate::notices::{read, story};
use crate::project;

/// A server that notes what it takes. `mode` and `value` say what it does besides.
const SERVER: &str = r#"
import asyncio, json, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult
log, mode, value, cert, key = sys.argv[1:6]
count = {"mail": 0, "busy": 0, "drop": 0}

def among_the_first(what):
    count[what] += 1
    return count[what] <= int(value)

class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        count["mail"] += 1
        if mode == "hang" and count["mail"] == int(value):
            print("hangs", flush=True)
            await asyncio.sleep(600)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if mode == "refuse" and address == value:
            return "550 5.1.1 nobody of that name"
        if mode == "unwelcome" and value in ("", address):
            return "554 5.7.1 access denied"
        if mode == "busy" and among_the_first("busy"):
            return "451 4.3.2 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if mode == "drop" and among_the_first("drop"):
            server.transport.abort()
            return "451 gone"
        with open(log, "a") as file:
            file.write(json.dumps([envelope.rcpt_tos, envelope.content.decode("latin-1")]) + "\n")
        return "250 2.0.0 taken"

def known(server, session, envelope, mechanism, said):
    known = said.login == b"user" and said.password == value.encode()
    return AuthResult(success=known, handled=False)

options = {}
context = None
if mode == "login":
    options = dict(authenticator=known, auth_required=True, auth_require_tls=False)
if cert:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
if mode == "starttls":
    options = dict(tls_context=context, require_starttls=True)

async def main():
    loop = asyncio.get_running_loop()
    make = lambda: SMTP(Handler(), **options)
    server = await loop.create_server(make, "127.0.0.1", 0, ssl=context if mode == "tls" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"#;

/// A Python that has the package `aiosmtpd`. Where there is none, that is said.
fn python() -> Option<&'static str> {
    let found = ["python3", "python"].into_iter().find(|python| {
        let out = Command::new(python)
            .args(["-c", "import aiosmtpd"])
            .output();
        out.is_ok_and(|o| o.status.success())
    });
    if found.is_none() {
        println!("skipped: no Python with the package `aiosmtpd` (pip install aiosmtpd)");
    }
    found
}

struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    port: u16,
}

impl Server {
    fn start(
        python: &str,
        log: &Path,
        mode: &str,
        value: &str,
        certificate: Option<(&Path, &Path)>,
    ) -> Server {
        let none = Path::new("");
        let (cert, key) = certificate.unwrap_or((none, none));
        let mut child = Command::new(python)
            .args(["-W", "ignore", "-c", SERVER])
            .arg(log)
            .args([mode, value])
            .args([cert, key])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python runs");
        let mut out = BufReader::new(child.stdout.take().expect("its answers"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a port");
        let port = line.trim().parse().expect("a port");
        Server { child, out, port }
    }

    /// Waits until it says so.
    fn says(&mut self, word: &str) {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("a line");
        assert_eq!(line.trim(), word);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A place with an archive of the story, and the file in which servers note what they take.
struct Place {
    folder: tempfile::TempDir,
    archive: String,
    log: PathBuf,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        Place {
            archive: story(folder.path()),
            log: folder.path().join("taken"),
            folder,
        }
    }

    fn command(&self, server: &str, further: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coldtrail"));
        command
            .args([
                "notify",
                "access-denied",
                "-a",
                &self.archive,
                "--domain",
                "contoso.com",
            ])
            .args([
                "--sender",
                "Security <security@contoso.com>",
                "--smtp",
                server,
            ])
            .args(["--rate", "6000", "--retry-wait", "0"])
            .args(further)
            .current_dir(project(""))
            .env("NO_COLOR", "1")
            .env_remove("COLDTRAIL_SMTP_USER")
            .env_remove("COLDTRAIL_SMTP_PASSWORD")
            .env_remove("COLDTRAIL_SMTP_TOKEN");
        command
    }

    fn send(&self, server: &Server, further: &[&str]) -> (Option<i32>, String) {
        let place = format!("smtp-plain://127.0.0.1:{}", server.port);
        told(
            &self
                .command(&place, further)
                .output()
                .expect("the binary runs"),
        )
    }

    /// To whom mails were taken, in order.
    fn taken(&self) -> Vec<String> {
        let mut to: Vec<String> = self.mails().into_iter().map(|(to, _)| to).collect();
        to.sort();
        to
    }

    fn mails(&self) -> Vec<(String, String)> {
        let Ok(text) = std::fs::read_to_string(&self.log) else {
            return Vec::new();
        };
        let mails = text.lines().map(|line| {
            let (to, mail): (Vec<String>, String) = serde_json::from_str(line).expect("a mail");
            (to.join(","), mail)
        });
        mails.collect()
    }
}

fn told(out: &Output) -> (Option<i32>, String) {
    let (shown, said) = (
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr),
    );
    (out.status.code(), format!("{shown}{said}"))
}

const OWNERS: [&str; 3] = [
    "bob.baker@contoso.com",
    "dave.draper@contoso.com",
    "frank.fletcher@contoso.com",
];

#[test]
fn each_owner_gets_one_mail_and_a_second_run_sends_none() {
    let Some(python) = python() else { return };
    let place = Place::new();
    let server = Server::start(python, &place.log, "plain", "", None);
    let (code, said) = place.send(&server, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("3 notices sent") && said.contains("sent: 250 2.0.0 taken"),
        "{said}"
    );
    assert_eq!(place.taken(), OWNERS);
    let mails = place.mails();
    let (_, mail) = &mails[1];
    let mail = read(&mail.replace('\n', "\r\n").replace("\r\r\n", "\r\n"));
    assert!(
        mail.contains("From: Security <security@contoso.com>\n"),
        "{mail}"
    );
    assert!(
        mail.contains("  - peggy.passer@fabrikam.com: denied once"),
        "{mail}"
    );
    let (code, said) = place.send(&server, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nothing new to tell"), "{said}");
    assert_eq!(place.taken(), OWNERS);
}

#[test]
fn a_login_that_fails_sends_nothing_and_shows_the_servers_words() {
    let Some(python) = python() else { return };
    let place = Place::new();
    let server = Server::start(python, &place.log, "login", "secret", None);
    let url = format!("smtp-plain://127.0.0.1:{}", server.port);
    let mut command = place.command(&url, &[]);
    command
        .env("COLDTRAIL_SMTP_USER", "user")
        .env("COLDTRAIL_SMTP_PASSWORD", "wrong");
    let (code, said) = told(&command.output().expect("the binary runs"));
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("535 5.7.8 Authentication credentials invalid"),
        "{said}"
    );
    assert!(!said.contains("wrong"), "{said}");
    assert_eq!(place.taken(), [""; 0]);
    let file = place.folder.path().join("login");
    std::fs::write(&file, "user=user\npassword=secret\n").expect("a file");
    let (code, said) = place.send(&server, &["--smtp-login", &file.to_string_lossy()]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(place.taken(), OWNERS);
}

#[test]
fn a_server_that_leaves_in_the_middle_of_a_mail_gets_it_again() {
    let Some(python) = python() else { return };
    let place = Place::new();
    let server = Server::start(python, &place.log, "drop", "2", None);
    let (code, said) = place.send(&server, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(place.taken(), OWNERS);
    // One that leaves each time ends the run; what was not taken is sent by the next.
    let place = Place::new();
    let server = Server::start(python, &place.log, "drop", "1000", None);
    let (code, said) = place.send(&server, &["--retries", "1"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("3 notices left for the next run"), "{said}");
    assert_eq!(place.taken(), [""; 0]);
    let server = Server::start(python, &place.log, "plain", "", None);
    let (code, said) = place.send(&server, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(place.taken(), OWNERS);
}

#[test]
fn a_refused_recipient_keeps_no_other_from_their_mail() {
    let Some(python) = python() else { return };
    let place = Place::new();
    let server = Server::start(python, &place.log, "refuse", OWNERS[1], None);
    let (code, said) = place.send(&server, &[]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("refused for good: the server refuses: 550 5.1.1 nobody of that name"),
        "{said}"
    );
    assert!(
        said.contains("1 notice refused for good: no later run tries the mailbox again"),
        "{said}"
    );
    assert_eq!(place.taken(), [OWNERS[0], OWNERS[2]]);
    // It is told of, and is no failure any more.
    let (code, said) = place.send(&server, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("not tried: refused for good on "), "{said}");
    assert!(said.contains("1 notice not tried: "), "{said}");
    let (code, said) = place.send(&server, &["--retry"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("1 notice refused for good: "), "{said}");
    let sent = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(["notify", "sent", "-a", &place.archive])
        .output()
        .expect("the binary runs");
    let (_, said) = told(&sent);
    assert!(said.contains("refused for good: the server"), "{said}");
    // Another server may know the mailbox.
    let server = Server::start(python, &place.log, "plain", "", None);
    let (code, said) = place.send(&server, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(place.taken(), OWNERS);
}

#[test]
fn a_server_that_asks_to_wait_is_asked_again() {
    let Some(python) = python() else { return };
    let place = Place::new();
    let server = Server::start(python, &place.log, "busy", "3", None);
    let (code, said) = place.send(&server, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(place.taken(), OWNERS);
}

#[test]
fn a_run_that_is_killed_between_two_mails_loses_and_repeats_none() {
    let Some(python) = python() else { return };
    for at in 1..=3 {
        let place = Place::new();
        let mut server = Server::start(python, &place.log, "hang", &at.to_string(), None);
        let url = format!("smtp-plain://127.0.0.1:{}", server.port);
        let mut run = place.command(&url, &[]);
        let mut run = run
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        server.says("hangs");
        run.kill().expect("it runs");
        run.wait().expect("it ends");
        drop(server);
        assert_eq!(place.taken().len(), at - 1);
        let server = Server::start(python, &place.log, "plain", "", None);
        let (code, said) = place.send(&server, &[]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(place.taken(), OWNERS, "killed at mail {at}");
    }
}

/// A certificate for `localhost`, its key, and the authority that signed it. Where there is no OpenSSL, that is said.
fn certificate(folder: &Path) -> Option<[PathBuf; 3]> {
    let path = |name: &str| folder.join(name);
    std::fs::write(
        path("names"),
        "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n",
    )
    .expect("a file");
    let steps = [
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority",
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out request -subj /CN=localhost",
        "x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out cert.pem -extfile names",
    ];
    let done = steps.iter().all(|step| {
        let mut command = Command::new("openssl");
        let command = command.args(step.split(' ')).current_dir(folder);
        command.output().is_ok_and(|out| out.status.success())
    });
    if !done {
        println!("skipped: no `openssl` to make a certificate");
        return None;
    }
    Some([path("cert.pem"), path("key.pem"), path("ca.pem")])
}

#[test]
fn mails_go_over_tls_to_a_server_that_is_believed() {
    let Some(python) = python() else { return };
    for (mode, scheme) in [("starttls", "smtp"), ("tls", "smtps")] {
        let place = Place::new();
        let Some([cert, key, authority]) = certificate(place.folder.path()) else {
            return;
        };
        let server = Server::start(
            python,
            &place.log,
            mode,
            "",
            Some((cert.as_path(), key.as_path())),
        );
        let url = format!("{scheme}://localhost:{}", server.port);
        let (code, said) = told(&place.command(&url, &[]).output().expect("the binary runs"));
        assert_eq!(code, Some(3), "{mode}: {said}");
        assert_eq!(place.taken(), [""; 0], "{mode}");
        let further = ["--smtp-ca", &authority.to_string_lossy()];
        let out = place
            .command(&url, &further)
            .output()
            .expect("the binary runs");
        let (code, said) = told(&out);
        assert_eq!(code, Some(0), "{mode}: {said}");
        assert_eq!(place.taken(), OWNERS, "{mode}");
    }
    // A server without STARTTLS is told nothing.
    let place = Place::new();
    let server = Server::start(python, &place.log, "plain", "", None);
    let url = format!("smtp://localhost:{}", server.port);
    let (code, said) = told(&place.command(&url, &[]).output().expect("the binary runs"));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("STARTTLS is not supported"), "{said}");
    assert_eq!(place.taken(), [""; 0]);
}

#[test]
fn a_refusal_that_may_be_of_everybody_is_for_good_where_others_are_taken() {
    let Some(python) = python() else { return };
    let place = Place::new();
    // One that lets nobody in may let us in tomorrow.
    let server = Server::start(python, &place.log, "unwelcome", "", None);
    let (code, said) = place.send(&server, &[]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("3 notices not taken by the server; the next run tries again"),
        "{said}"
    );
    let (code, said) = place.send(&server, &[]);
    assert_eq!(code, Some(3), "{said}");
    let server = Server::start(python, &place.log, "unwelcome", OWNERS[0], None);
    let (code, said) = place.send(&server, &[]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("1 notice refused for good: "), "{said}");
    assert_eq!(place.taken(), OWNERS[1..]);
    let (code, said) = place.send(&server, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 notice not tried: "), "{said}");
}

#[test]
fn a_server_that_is_away_is_told_of_at_once() {
    let place = Place::new();
    // Nobody listens there once the listener is gone.
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let url = format!("smtp-plain://127.0.0.1:{port}");
    let out = place.command(&url, &["--retries", "1"]).output();
    let (code, said) = told(&out.expect("the binary runs"));
    assert_eq!(code, Some(3), "{said}");
    let asking = format!("asking mail server `127.0.0.1:{port}`");
    assert!(said.contains(&asking), "{said}");
    assert!(said.contains("; tried again in 0 s"), "{said}");
    // One that takes the call and says nothing is left soon.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let url = format!("smtp-plain://127.0.0.1:{port}");
    let further = ["--retries", "0", "--connect-timeout", "1s"];
    let begun = std::time::Instant::now();
    let out = place.command(&url, &further).output();
    let (code, said) = told(&out.expect("the binary runs"));
    assert_eq!(code, Some(3), "{said}");
    assert!(begun.elapsed().as_secs() < 60, "{said}");
}
