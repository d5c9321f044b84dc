//! Paths of the audit record, in the columns that the archive keeps of them.

use arrow::datatypes::DataType;
use datafusion::logical_expr::Expr;
use datafusion::prelude::cast;

use super::native::{Native, field};
use super::path::{Document, Kind, Want, find};
use super::transcode::from_outside;
use crate::function::value::Place;
use crate::kql::eval::Compiled;

impl Native<'_> {
    /// The column in which the archive keeps a path, null where it is not there.
    ///
    /// It has strings as they are and all else as JSON, as it was logged ([`printed`](super::transcode::printed)). A row that is made of another
    /// source has its paths though it has no record.
    pub(super) fn kept(&self, document: &Document) -> Option<Expr> {
        let column = self.over.columns.get(document.column?)?;
        let kept = column.paths.get(&key(&document.places)?)?;
        Some(field(kept))
    }

    /// What stands at a place of a document. The record is not read for what is in a kept list.
    pub(super) fn found(&self, mut document: Document, want: Want) -> Expr {
        if let Some((list, steps)) = self.nested(&document) {
            document.text = list;
            document.places.drain(..steps);
        }
        find(document, want)
    }

    /// The list to which a path leads, where it is kept: in the record, and as it was logged, which need not be compact.
    pub(super) fn kept_list(&self, compiled: &Compiled) -> Option<(Document, Expr)> {
        let document = self.document(compiled)?;
        let (list, steps) = self.nested(&document)?;
        (steps == document.places.len()).then_some((document, list))
    }

    /// The kept column that is the JSON at the beginning of a path, and the steps that lead there.
    fn nested(&self, document: &Document) -> Option<(Expr, usize)> {
        // A record that is a string may have JSON in it, of which nothing is kept.
        if document.kind != Kind::Dynamic {
            return None;
        }
        let column = self.over.columns.get(document.column?)?;
        (1..=document.places.len()).find_map(|steps| {
            let kept = column.paths.get(&key(&document.places[..steps])?)?;
            let is_nested = column.nested.contains(kept);
            is_nested.then(|| (from_outside(cast(field(kept), DataType::Utf8)), steps))
        })
    }
}

/// The name of a path among those that are kept.
fn key(places: &[Place]) -> Option<String> {
    let mut path = String::new();
    for place in places {
        let Place::Member(name) = place else {
            return None;
        };
        if name.contains('.') {
            return None;
        }
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
    }
    Some(path)
}
