//! What runs the subqueries of an expression.

use super::compiled::Compiled;
use crate::function::value::{Type, Value};
use crate::kql::ast::{self, Expr};
use crate::kql::span::Fault;

/// Runs the subqueries of an expression, or keeps them for later.
pub trait Tables {
    /// The first cell of a table, as `toscalar` gives it; null of an empty table.
    ///
    /// # Errors
    ///
    /// What is wrong with the subquery.
    fn scalar(&self, table: &Expr) -> Result<FirstCell, Vec<Fault>>;

    /// The first column of a table, for `in` and `has_any`.
    ///
    /// # Errors
    ///
    /// What is wrong with the subquery.
    fn column(&self, table: &Expr) -> Result<(Vec<Value>, Type), Vec<Fault>>;

    /// The number of a subquery that is not run now, and the type of its first column: of a list where `list` is true, else of a cell.
    /// Nothing where subqueries are run.
    ///
    /// # Errors
    ///
    /// What is wrong with the subquery.
    fn later(&self, table: &Expr, list: bool) -> Option<Result<(usize, Type), Vec<Fault>>> {
        let _ = (table, list);
        None
    }

    /// Hears of a name that stands for nothing, where columns are that nobody knows ([`ANY`](super::ANY)).
    fn unknown(&self, name: &str) {
        let _ = name;
    }

    /// Hears that a function asks where addresses are.
    fn needs_geography(&self) {}

    /// Whether a function that is not here may be one that a workspace has saved.
    fn saved_elsewhere(&self, name: &str) -> bool {
        let _ = name;
        false
    }

    /// The names of the columns of a table, for `column_names_of`.
    ///
    /// # Errors
    ///
    /// What is wrong with the subquery.
    fn columns(&self, table: &Expr) -> Result<Vec<String>, Vec<Fault>> {
        let message = "the columns of a table are not known here";
        Err(vec![Fault::new(table.span, message)])
    }

    /// Calls `run`, whose subqueries see these names too, the later before the earlier. They are those of a function of the query
    /// around the subquery; what does not implement this does not see them.
    fn knowing(&self, names: &[(String, Known)], run: &mut dyn FnMut()) {
        let _ = names;
        run();
    }
}

/// The first cell of a table.
pub struct FirstCell {
    /// What is in it.
    pub value: Value,
    /// The type of its column.
    pub ty: Type,
    /// Whether its column has local times.
    pub is_local: bool,
}

/// What a subquery gives.
pub(super) enum Given<T> {
    /// It was run.
    Known(T),
    /// It is run later: its number.
    Awaited(usize),
}

/// What a name of one of the query's functions stands for in a subquery.
pub enum Known<'k> {
    /// A scalar that is the same for all rows.
    Scalar(Compiled),
    /// A table of `let`. One number is one table, however often it is asked for.
    Table(&'k Expr, usize),
    /// A function of `let`.
    Function(&'k ast::Function),
}
