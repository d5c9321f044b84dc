//! An object store on this machine: moto, which answers as S3 does.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::project;

/// The bucket that is there from the start.
pub(crate) const BUCKET: &str = "evidence";

/// What is said where it cannot be started.
const SKIPPED: &str = "skipped: moto is not there (pip install 'moto[server]')";

/// A store with one bucket. It ends with this value, also when a test fails.
pub(crate) struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts one; nothing, and a line that says so, where moto is not installed.
    pub(crate) fn start() -> Option<Server> {
        let port = free_port();
        let started = Command::new("python3")
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p"])
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = started else {
            println!("{SKIPPED}");
            return None;
        };
        let mut server = Server { child, port };
        // It reads many modules, and other tests run beside this one.
        let patience = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let over = server.child.try_wait().expect("its state is known");
            if over.is_some() {
                println!("{SKIPPED}");
                return None;
            }
            assert!(Instant::now() < patience, "moto does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        server.request("PUT", &format!("/{BUCKET}"), b"");
        Some(server)
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What coldtrail finds it by.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        environment(self.port)
    }

    /// Puts a file into the bucket, such as `exports/a.json`; one of that name is replaced.
    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        self.request("PUT", &format!("/{BUCKET}/{}", escaped(key)), bytes);
    }

    /// Removes a file of the bucket.
    pub(crate) fn delete(&self, key: &str) {
        self.request("DELETE", &format!("/{BUCKET}/{}", escaped(key)), b"");
    }

    /// Removes all files whose keys begin so.
    pub(crate) fn clear(&self, prefix: &str) {
        let listed = self.ask(
            "GET",
            &format!(
                "/{BUCKET}?list-type=2&max-keys=100000&prefix={}",
                escaped(prefix)
            ),
            b"",
        );
        for part in listed.split("<Key>").skip(1) {
            let key = part.split("</Key>").next().unwrap_or_default();
            self.delete(key);
        }
    }

    /// Runs coldtrail with this store.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        run(self.environment(), arguments)
    }

    /// Asks for something that the store has to do. It looks at no signature, and leaves files of others to those who have one.
    fn request(&self, method: &str, path: &str, body: &[u8]) {
        self.ask(method, path, body);
    }

    fn ask(&self, method: &str, path: &str, body: &[u8]) -> String {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n\
             Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = connected.expect("moto answers");
        let sent = stream.write_all(&[head.as_bytes(), body].concat());
        sent.expect("moto listens");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 2"), "{path}: {answer}");
        answer.into_owned()
    }
}

/// What coldtrail finds a store by that listens on this port.
pub(crate) fn environment(port: u16) -> Vec<(String, String)> {
    let endpoint = format!("http://127.0.0.1:{port}");
    let all = [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
    ];
    all.map(|(name, value)| (name.to_string(), value.to_string()))
        .to_vec()
}

/// Runs coldtrail with the store of this environment.
pub(crate) fn run(environment: Vec<(String, String)>, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(arguments)
        .current_dir(project(""))
        .env("NO_COLOR", "1")
        .envs(environment)
        .output()
        .expect("the binary runs")
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("it is bound").port()
}

/// A key as it stands in an address of HTTP.
fn escaped(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
