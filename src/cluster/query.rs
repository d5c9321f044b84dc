//! One query, which a worker runs whole.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;

use super::coordinator::Cluster;
use super::link::{Exchange, unasked};
use super::question::Query;
use super::wire::{Asks, Receiving, Reply, schema_of};
use crate::fault::{Error, Result};

/// An answer that a worker gives.
pub struct Asked<'a> {
    /// Its schema, with what the columns are in Kusto.
    pub schema: SchemaRef,
    /// The tables that the query reads.
    pub reads: Vec<String>,
    /// What is to be said about it.
    pub notes: Vec<String>,
    cluster: &'a Cluster,
    exchange: Exchange,
    /// What has come of the rows: an answer whose worker is lost before that is somebody else's.
    first: VecDeque<(Reply, Bytes)>,
}

impl Cluster {
    /// Asks a worker: the first that is neither busy nor lost.
    ///
    /// # Errors
    /// When none is there, or the query is wrong.
    pub fn ask(&self, query: &Query) -> Result<Asked<'_>> {
        let asks = Asks::Query(Box::new(query.clone()));
        let mut last = None;
        for link in &self.links {
            let opened = self.runtime.block_on(async {
                let mut exchange = link.exchange(&asks).await?;
                let planned = planned(&mut exchange).await?;
                let mut first = VecDeque::new();
                loop {
                    let next = exchange.next().await?;
                    let is_empty = matches!(next.0, Reply::Begin(_));
                    first.push_back(next);
                    if !is_empty {
                        return Ok((exchange, planned, first));
                    }
                }
            });
            match opened {
                Ok((exchange, (schema, reads, notes), first)) => {
                    return Ok(Asked {
                        schema,
                        reads,
                        notes,
                        cluster: self,
                        exchange,
                        first,
                    });
                }
                Err(e @ Error::Worker { .. }) => {
                    if self.links.len() > 1 {
                        (self.tell)(&e.to_string());
                    }
                    last = Some(e);
                }
                Err(e) => return Err(e),
            }
        }
        Err(last.unwrap_or_else(|| Error::Usage("--cluster names no worker".into())))
    }
}

type Planned = (SchemaRef, Vec<String>, Vec<String>);

/// How a query was planned, and the schema of its answer.
async fn planned(exchange: &mut Exchange) -> Result<Planned> {
    let mut said = (Vec::new(), Vec::new());
    loop {
        match exchange.next().await? {
            (Reply::Planned { reads, notes }, _) => said = (reads, notes),
            (Reply::Schema(_), bytes) => return Ok((schema_of(&bytes)?, said.0, said.1)),
            (Reply::Failed { fault, .. }, _) => return Err(fault.error(&exchange.address)),
            _ => return Err(unasked(&exchange.address)),
        }
    }
}

impl Asked<'_> {
    /// Takes the rows as they come.
    ///
    /// # Errors
    /// When the query fails, the worker is lost, or what `each` returns.
    pub fn stream(mut self, mut each: impl FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        let mut rows = Receiving::default();
        loop {
            let next = match self.first.pop_front() {
                Some(first) => first,
                None => self.cluster.runtime.block_on(self.exchange.next())?,
            };
            match next {
                (Reply::Begin(_), _) => rows.begin()?,
                (Reply::Rows(_), bytes) => rows.take(bytes)?.iter().try_for_each(&mut each)?,
                (Reply::Done { rows: all, .. }, _) => return rows.end(all),
                (Reply::Failed { fault, .. }, _) => {
                    return Err(fault.error(&self.exchange.address));
                }
                _ => return Err(unasked(&self.exchange.address)),
            }
        }
    }
}
