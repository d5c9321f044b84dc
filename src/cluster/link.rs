//! A coordinator's connection to a worker.

use std::error::Error as _;
use std::time::Duration;

use arrow_flight::FlightData;
use arrow_flight::flight_service_client::FlightServiceClient;
use bytes::Bytes;
use futures::stream;
use serde::Serialize;
use tokio::sync::mpsc;
use tonic::Streaming;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use super::wire::{Asks, First, MESSAGE, Reply, message, said};
use crate::fault::{Error, Result};

/// So long a worker may take to be there.
const CONNECT: Duration = Duration::from_secs(10);
/// So often a connection is tried while nothing comes.
const ASKED: Duration = Duration::from_secs(3);
/// So long a worker may take to say that it is there; then it is lost.
const SILENT: Duration = Duration::from_secs(7);

/// A worker.
pub(super) struct Link {
    /// As the user names it.
    pub(super) address: String,
    build: String,
    client: FlightServiceClient<Channel>,
}

/// What is asked of a worker, and what it says.
pub(super) struct Exchange {
    pub(super) address: String,
    say: mpsc::UnboundedSender<FlightData>,
    hear: Streaming<FlightData>,
}

/// An address, as HOST:PORT.
fn checked(address: &str) -> Result<Endpoint> {
    let wrong = || {
        let told = format!("--cluster {address}: a worker is named as HOST:PORT");
        Error::Usage(told)
    };
    let is_one = address.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(['/', '?', '#', '@']) && port.parse::<u16>().is_ok()
    });
    if !is_one {
        return Err(wrong());
    }
    Endpoint::from_shared(format!("https://{address}")).map_err(|_| wrong())
}

impl Link {
    /// Connects, and sees that a worker of this program is there.
    ///
    /// # Errors
    /// When it is not.
    pub(super) async fn connect(address: &str, tls: ClientTlsConfig, build: &str) -> Result<Link> {
        let endpoint = checked(address)?
            .tls_config(tls)
            .map_err(|e| lost(address, chain(&e)))?
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(ASKED)
            .keep_alive_timeout(SILENT)
            .keep_alive_while_idle(true);
        let connected = tokio::time::timeout(CONNECT, endpoint.connect()).await;
        let channel = match connected {
            Ok(Ok(channel)) => channel,
            Ok(Err(e)) => return Err(lost(address, unreached(&chain(&e)))),
            Err(_) => {
                let told = format!("does not answer within {} s", CONNECT.as_secs());
                return Err(lost(address, told));
            }
        };
        let client = FlightServiceClient::new(channel)
            .max_decoding_message_size(MESSAGE)
            .max_encoding_message_size(MESSAGE);
        let link = Link {
            address: address.into(),
            build: build.into(),
            client,
        };
        let probe = tokio::time::timeout(CONNECT, link.exchange(&Asks::Nothing)).await;
        match probe {
            Ok(probe) => probe.map(|_| link),
            Err(_) => Err(lost(address, "does not answer".into())),
        }
    }

    /// Asks something; what it is must be taken by the worker.
    ///
    /// # Errors
    /// When it is lost, busy, another program, or refuses.
    pub(super) async fn exchange(&self, asks: &Asks) -> Result<Exchange> {
        let address = &self.address;
        let asks = serde_json::to_value(asks).map_err(|e| lost(address, e.to_string()))?;
        let first = First {
            build: self.build.clone(),
            asks,
        };
        let (say, hear) = mpsc::unbounded_channel();
        // It is open: `hear` lives.
        let _ = say.send(message(&first, Bytes::new())?);
        let asked = stream::unfold(hear, |mut hear| async {
            hear.recv().await.map(|message| (message, hear))
        });
        let answer = self.client.clone().do_exchange(asked).await;
        let hear = match answer {
            Ok(answer) => answer.into_inner(),
            Err(status) => return Err(lost(address, unreached(&told(&status)))),
        };
        let mut exchange = Exchange {
            address: address.clone(),
            say,
            hear,
        };
        match exchange.next().await?.0 {
            Reply::Opened => Ok(exchange),
            Reply::Busy => Err(lost(address, "is busy with somebody else's queries".into())),
            Reply::Other(build) => {
                let told = format!(
                    "is another build of coldtrail ({build}, and this one is {}): all machines of a cluster run the same file",
                    self.build
                );
                Err(lost(address, told))
            }
            Reply::Refused(fault) => Err(fault.error(address)),
            _ => Err(unasked(address)),
        }
    }
}

impl Exchange {
    /// Asks further.
    ///
    /// # Errors
    /// When the worker is lost.
    pub(super) fn ask(&self, what: &impl Serialize) -> Result<()> {
        let message = message(what, Bytes::new())?;
        let sent = self.say.send(message);
        sent.map_err(|_| lost(&self.address, "was lost".into()))
    }

    /// What it says next.
    ///
    /// # Errors
    /// When it is lost, or says what nobody understands.
    pub(super) async fn next(&mut self) -> Result<(Reply, Bytes)> {
        let message = match self.hear.message().await {
            Ok(Some(message)) => message,
            Ok(None) => return Err(lost(&self.address, "was lost: it has closed".into())),
            Err(status) => {
                let told = format!("was lost: {}", unreached(&told(&status)));
                return Err(lost(&self.address, told));
            }
        };
        let reply = said(&message).map_err(|e| lost(&self.address, e.to_string()))?;
        Ok((reply, message.data_body))
    }
}

/// A worker that does not do what it should.
pub(super) fn lost(address: &str, told: String) -> Error {
    Error::Worker {
        worker: address.into(),
        told,
    }
}

/// A worker that says what nobody has asked.
pub(super) fn unasked(address: &str) -> Error {
    lost(address, "says something else than it was asked".into())
}

/// Why a worker is not reached, in words for somebody who can do something about it.
fn unreached(why: &str) -> String {
    let other = ["certificate", "alert", "handshake", "HandshakeFailure"];
    if other.iter().any(|word| why.contains(word)) {
        return format!("knows another secret (--secret-file), or is no worker ({why})");
    }
    let ended = [
        "close_notify",
        "onnection reset",
        "roken pipe",
        "connection closed",
    ];
    if ended.iter().any(|word| why.contains(word)) {
        return "it was ended, or its machine is gone".into();
    }
    if why.contains("keep-alive") {
        return format!(
            "it has not said for {} s that it is there",
            SILENT.as_secs()
        );
    }
    if why.contains("corrupt message") || why.contains("InvalidContentType") {
        return format!("is no worker of coldtrail ({why})");
    }
    why.to_string()
}

fn told(status: &tonic::Status) -> String {
    match status.source() {
        Some(source) => chain(source),
        None => status.message().to_string(),
    }
}

/// An error and what it comes from, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let part = error.to_string();
        // What tonic says of every failure.
        if parts.last() != Some(&part) && part != "transport error" {
            parts.push(part);
        }
        next = error.source();
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_named_with_host_and_port() {
        for good in [
            "127.0.0.1:7070",
            "[2001:db8::1]:7070",
            "worker.contoso.com:1",
        ] {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in [
            "127.0.0.1",
            "http://a:1",
            "a:b",
            "a:70000",
            ":7070",
            "",
            "a b:1",
            "a?b:1",
            "b@a:1",
            "a#b:1",
        ] {
            let told = checked(bad).map(|_| ()).expect_err(bad).to_string();
            assert!(told.contains("HOST:PORT"), "{bad}: {told}");
        }
    }
}
