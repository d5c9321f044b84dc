//! Who was denied a protected document.
//!
//! What the owner of the document may learn and what only the security team may see are two types: a mail to an owner is made of a
//! [`Refusal`], which has no place for an address, a device or an application.

use super::label::Label;

/// One denial. What several logs have of it counts once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// What happened: all that the owner of the document may learn.
    pub refusal: Refusal,
    /// From where and with what: for the security team.
    pub trace: Trace,
    /// The record that says so.
    pub lineage: Lineage,
}

/// What the owner of a document may learn of a denial. No field tells where somebody was. Texts are as the logs have them: a name may itself
/// hold an address, which is for the document to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// When, in microseconds since 1970, UTC.
    pub time: i64,
    /// Who asked: an address in lower case, that of a guest the guest's own; or what the log has in its place.
    pub user: String,
    /// The name of that account, where the archive knows it.
    pub user_name: Option<String>,
    /// The reason as the log words it: `AccessDenied` unless it has another.
    pub result: String,
    /// Id of the document's content, in lower case and without braces.
    pub content: Option<String>,
    /// Name of the document, without folders, from the denial itself or from any record of the same content.
    pub file: Option<String>,
    /// Its label at that time, where a record of the same content says it.
    pub label: Option<Label>,
    /// To whom it belongs.
    pub owner: Owner,
    /// Since when it is protected, in microseconds since 1970, UTC.
    pub protected_since: Option<i64>,
}

impl Refusal {
    /// What it calls who asked: the account, else that none is named.
    pub fn account(&self) -> &str {
        match self.user.as_str() {
            "" => "(unnamed account)",
            user => user,
        }
    }

    /// What it calls the document: its name, else the id of its content.
    pub fn document(&self) -> &str {
        let named = self.file.as_deref().or(self.content.as_deref());
        named.unwrap_or("(unnamed document)")
    }
}

/// From where and with what somebody did something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// Address, without a port.
    pub address: Option<String>,
    /// Country, where a log says it.
    pub country: Option<String>,
    /// City, where a log says it.
    pub city: Option<String>,
    /// Name of the device.
    pub device: Option<String>,
    /// Operating system.
    pub platform: Option<String>,
    /// Application, or the name of its process.
    pub application: Option<String>,
    /// Name of the process, where a log says it.
    pub process: Option<String>,
    /// What the client says of itself.
    pub client: Option<String>,
    /// What ties requests together: correlation id, session.
    pub session: Option<String>,
    /// Where the document lay, as the record names it.
    pub path: Option<String>,
    /// The request as the log names it.
    pub operation: Option<String>,
    /// Addresses, places, devices and applications that rows of other logs, which do not count, say of requests for the same document. They stand
    /// in the first denial of a document.
    pub others: Vec<String>,
}

/// To whom a document belongs, by its protection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A person's address, in lower case.
    Person(String),
    /// An account of no person: it reads no mail.
    Service(String),
    /// Nobody, or what is no address.
    Unknown(Option<String>),
}

impl Owner {
    /// The address of a person.
    pub fn person(&self) -> Option<&str> {
        match self {
            Owner::Person(address) => Some(address),
            Owner::Service(_) | Owner::Unknown(_) => None,
        }
    }

    /// What the record says, whoever that is.
    pub fn said(&self) -> Option<&str> {
        match self {
            Owner::Person(said) | Owner::Service(said) | Owner::Unknown(Some(said)) => Some(said),
            Owner::Unknown(None) => None,
        }
    }
}

/// Where something is written: a record of a file that was ingested.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lineage {
    /// Number of the ingest.
    pub ingest: i64,
    /// Number of the record in its file, from 1.
    pub record: i64,
    /// The file, as it was named.
    pub file: String,
    /// Table of the source.
    pub table: String,
    /// Identity of the event, where it has one.
    pub event_id: Option<String>,
}
