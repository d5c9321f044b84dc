//! Events of one source that another has too and says better: which they are, found out before the timeline is asked for.
//!
//! A join of all rows with all identities of the other would keep these in memory. So identities are grouped first, which goes to the disk where it
//! must: most archives have no copies at all, and the others few.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

use super::source::Source;
use super::subject::Subject;
use crate::engine::Session;
use crate::fault::Result;

/// What stands behind FROM for the rows of a source without those that another has too. Of the other's events only those count that are asked for: an
/// event must not be lost because its copy is not shown.
///
/// # Errors
/// When the archive cannot be asked, or the copies do not fit into the memory of queries.
pub(super) fn without(session: &mut Session, source: &Source, subject: &Subject) -> Result<String> {
    let rows = source.rows.clone();
    let Some((key, better)) = source.apart.as_ref() else {
        return Ok(rows);
    };
    let Some(own) = identities(source, subject, key) else {
        return Ok(rows);
    };
    let others: Vec<String> = better
        .iter()
        .filter_map(|better| identities(&better.source, subject, &better.key))
        .collect();
    // Where no row can be a copy, the identities of the others, of all audit records it may be, need not be read.
    let (_, first) = session.collect(&format!("{own} LIMIT 1"))?;
    if others.is_empty() || first.iter().all(|batch| batch.num_rows() == 0) {
        return Ok(rows);
    }
    let (_, batches) = session.collect(&format!(
        "SELECT b.\"Key\" FROM (SELECT n.\"Key\", 1 AS \"Side\" FROM ({own}) AS n UNION ALL SELECT x.\"Key\", 2 AS \"Side\" FROM ({}) AS x) AS b \
         GROUP BY b.\"Key\" HAVING min(b.\"Side\") <> max(b.\"Side\")",
        others.join(" UNION ALL ")
    ))?;
    let copies: Vec<&RecordBatch> = batches
        .iter()
        .filter(|batch| batch.num_rows() > 0)
        .collect();
    let Some(first) = copies.first() else {
        return Ok(rows);
    };
    let keys = Arc::clone(concat_batches(&first.schema(), copies.iter().copied())?.column(0));
    let name = format!("coldtrail_timeline_copies_{}", session.watchlists().len());
    session.add_watchlist(&name, RecordBatch::try_from_iter([("Key", keys)])?)?;
    // The keys stand left, which is the side that a join keeps in memory; rows are wide.
    Ok(format!(
        "watchlists.\"{name}\" AS k RIGHT ANTI JOIN {rows} ON k.\"Key\" = {key}"
    ))
}

/// The identities of the rows of a source that are asked for.
fn identities(source: &Source, subject: &Subject, key: &str) -> Option<String> {
    let mut conditions = subject.conditions(source)?;
    conditions.extend(source.condition.clone());
    conditions.push(format!("{key} IS NOT NULL"));
    Some(format!(
        "SELECT {key} AS \"Key\" FROM {} WHERE {}",
        source.rows,
        conditions.join(" AND ")
    ))
}
