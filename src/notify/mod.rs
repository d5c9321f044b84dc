//! Mails to those whom something concerns: owners of documents, managers, the security team.
//!
//! - [`redact`], [`plain`]: texts that tell nobody's address, place, device, session or application; `known` are the addresses of the events, and
//!   `spelled` is the one spelling in which all of these are looked for.
//! - [`denied`]: a mail to each owner of documents that somebody was denied; [`lowered`]: one to each manager; [`found`]: one to the security team.
//! - [`template`]: what the mails say, tried before anything is sent.
//! - [`recipient`]: who may be written to.
//! - [`letter`]: a mail as bytes, the same in each run.
//! - [`sent`]: what was sent, in the archive.
//! - [`deliver`]: one mail after the other; [`outbox`]: into files; [`smtp`]: to a server.
//!
//! Mails to owners and managers are made of types that have no place for where somebody was. Asks nothing of the archive, which is [`case`](crate::case)'s,
//! and knows neither the clock nor the environment.

pub mod deliver;
pub mod denied;
pub mod found;
mod known;
pub mod letter;
pub mod lowered;
pub mod outbox;
pub mod plain;
pub mod recipient;
pub mod redact;
pub mod sent;
pub mod smtp;
mod spelled;
pub mod template;
