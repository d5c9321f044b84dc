//! What a query asks for and is not there.

use std::collections::BTreeSet;

use crate::kql::ast::{Call, Expr, ExprKind, Literal, Step};

/// What a query asks for and is not there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// Watchlists.
    pub watchlists: BTreeSet<String>,
    /// Functions that a workspace has saved, such as ASIM's parsers.
    pub functions: BTreeSet<String>,
    /// Tables of which the archive has no rows, and tables of a workspace's own.
    pub tables: BTreeSet<String>,
    /// Files of `externaldata`, and other databases.
    pub external: BTreeSet<String>,
    /// Whether it asks where addresses are.
    pub geoip: bool,
}

impl Needs {
    /// Whether all is there.
    pub fn is_empty(&self) -> bool {
        let lists = [
            &self.watchlists,
            &self.functions,
            &self.tables,
            &self.external,
        ];
        !self.geoip && lists.into_iter().all(BTreeSet::is_empty)
    }
}

/// A path to a table of another database, as it is written.
pub(super) fn place_of(base: &Expr, steps: &[Step]) -> String {
    fn of_call(call: &Call) -> String {
        let named = call.arguments.iter().map(|a| match &a.expr.kind {
            ExprKind::Literal(Literal::String(text)) => format!("'{text}'"),
            _ => "…".into(),
        });
        let arguments: Vec<String> = named.collect();
        format!("{}({})", call.name.text, arguments.join(", "))
    }
    let mut out = match &base.kind {
        ExprKind::Call(call) => of_call(call),
        ExprKind::Name(name) => name.clone(),
        _ => "…".into(),
    };
    for step in steps {
        out.push('.');
        match step {
            Step::Member(name) | Step::Wildcard(name) => out.push_str(&name.text),
            Step::Call(call) => out.push_str(&of_call(call)),
            Step::Index(_) => out.push('…'),
        }
    }
    out
}
