//! A cluster: workers that answer the queries of a hunt, each over the archive that it is given, and the coordinator that deals them out.
//!
//! What is sent are questions and never plans: the text of a query, its times, its moment. A worker plans them as the coordinator would, by the same
//! program ([`Hunters`] and [`serve`] compare the file of it) over the same archive (they compare its files), so that an answer does not depend on who
//! gives it. Rules are loaded, judged and traced by the coordinator.
//!
//! | part | what it does |
//! |---|---|
//! | `secret` | who may talk to whom: TLS in both directions, by certificates that are made of a shared secret |
//! | `wire` | questions and rows as messages of Arrow Flight |
//! | `link`, `coordinator` | a connection to a worker, and those of a coordinator |
//! | `dealt` | the queries of a hunt, dealt out; those of a worker that is lost go to another |
//! | `question`, `query` | one query, whole |
//! | `worker` | the other side |
//!
//! A query counts as answered when its worker has said how many rows there are and so many have come. One that two workers were lost with is given up:
//! it may be what has ended them.

mod coordinator;
mod dealt;
mod link;
mod query;
mod question;
mod secret;
mod wire;
mod worker;

pub use coordinator::{Cluster, Tell};
pub use dealt::Hunters;
pub use query::Asked;
pub use question::Query;
pub use secret::Secret;
pub use worker::{Said, serve};
