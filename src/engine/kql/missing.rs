//! What a query asks for and is not there: lists, saved functions, tables, files. A query that is only checked goes on with columns that
//! nobody knows in their place.

use super::lower::Lower;
use super::relation::{Relation, columns_of, null};
use super::{Failure, Purpose};
use crate::function;
use crate::function::value::Type;
use crate::kql::eval::{ANY, ANY_TEXT};

impl Lower<'_> {
    /// Whether a query that is checked may take this name for a saved function that is not here.
    pub(super) fn is_missing_function(&self, name: &str) -> bool {
        self.options.purpose == Purpose::Check && !self.fuzzy && looks_saved(name)
    }

    /// The same, noted.
    pub(super) fn is_saved_elsewhere(&mut self, name: &str) -> bool {
        let missing = self.is_missing_function(name);
        if missing {
            self.needs.functions.insert(name.into());
        }
        missing
    }

    /// A table of which nobody here knows the columns.
    pub(super) fn of_unknown_columns(&mut self) -> Result<Relation, Failure> {
        let nothing = self.rows(&[], &[])?;
        self.opened(&nothing, Type::Dynamic)
    }

    /// The same table, which may have columns that nobody knows: of text, or of any type.
    pub(super) fn opened(&mut self, relation: &Relation, ty: Type) -> Result<Relation, Failure> {
        let mut columns = columns_of(relation);
        let any = match ty {
            Type::String => ANY_TEXT,
            _ => ANY,
        };
        columns.push((any.into(), ty, null(ty)));
        self.fields.project(relation, columns)
    }

    /// Columns, and those that the query expects beside them because it names them.
    pub(super) fn with_expected(
        &self,
        mut columns: Vec<(String, Type)>,
        ty: Type,
    ) -> Vec<(String, Type)> {
        for name in &self.expected {
            if !columns.iter().any(|c| c.0 == *name) {
                columns.push((name.clone(), ty));
            }
        }
        columns
    }

    /// Whether a call that stands for a table, in a query that is checked, may be one of a saved function that is not here: it is like
    /// no name that is known.
    pub(super) fn may_be_saved(&self, name: &str) -> bool {
        if self.options.purpose != Purpose::Check || self.fuzzy || function::get(name).is_some() {
            return false;
        }
        let known = self.session.names();
        let saved = self.options.functions.iter().map(|f| f.name.clone());
        let known: Vec<String> = known.into_iter().chain(saved).collect();
        looks_saved(name) || crate::fault::did_you_mean(name, &known).is_none()
    }

    /// A table that is neither here nor known: one of a workspace's own, or a saved function, which others have.
    pub(super) fn elsewhere(&mut self, name: &str) -> Option<Result<Relation, Failure>> {
        if self.options.purpose != Purpose::Check || self.fuzzy {
            return None;
        }
        match looks_saved(name) {
            true => self.needs.functions.insert(name.into()),
            false if name.ends_with("_CL") => self.needs.tables.insert(name.into()),
            false => return None,
        };
        Some(self.of_unknown_columns())
    }
}

/// Whether a name looks like that of a function that a workspace has saved, such as ASIM's parsers.
pub(super) fn looks_saved(name: &str) -> bool {
    let parser = |start: &str| {
        let rest = name.strip_prefix(start);
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    name.starts_with('_') || ["im", "vim", "ASim"].into_iter().any(parser)
}
