//! Functions that the language itself resolves: what they give depends on names, tables or other rows, and not on values alone. One
//! table says which they are; all others are in [`crate::function`].

/// What a function does that is in no table of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// Gives the first cell of a table: `toscalar`.
    ToScalar,
    /// Gives the column of a name, or what stands for it: `column_ifexists`.
    ColumnIfExists,
    /// Says whether there is a column of a name: `iscolumnexists`.
    IsColumnExists,
    /// Gives all columns in one bag: `pack_all`.
    PackAll,
    /// Gives some columns in one bag: `bag_pack_columns`.
    PackColumns,
    /// Gives the names of the columns of a table: `column_names_of`.
    ColumnNames,
    /// Keeps a table: `materialize`.
    Materialize,
    /// Gives the table of a name: `table`.
    TableNamed,
    /// Leads to tables: `database`, `workspace`, `_GetWatchlist`.
    Tables,
    /// Gives when a row was taken in: `ingestion_time`.
    IngestionTime,
    /// Looks at other rows: `prev`, `row_number`.
    Window,
}

static TABLE: [(&str, Special); 23] = [
    ("toscalar", Special::ToScalar),
    ("column_ifexists", Special::ColumnIfExists),
    ("columnifexists", Special::ColumnIfExists),
    ("iscolumnexists", Special::IsColumnExists),
    ("pack_all", Special::PackAll),
    ("bag_pack_columns", Special::PackColumns),
    ("column_names_of", Special::ColumnNames),
    ("materialize", Special::Materialize),
    ("table", Special::TableNamed),
    ("database", Special::Tables),
    ("workspace", Special::Tables),
    ("cluster", Special::Tables),
    ("view", Special::Tables),
    ("_GetWatchlist", Special::Tables),
    ("ingestion_time", Special::IngestionTime),
    ("row_number", Special::Window),
    ("prev", Special::Window),
    ("next", Special::Window),
    ("row_cumsum", Special::Window),
    ("row_rank_dense", Special::Window),
    ("row_rank_min", Special::Window),
    ("row_rank", Special::Window),
    ("row_window_session", Special::Window),
];

impl Special {
    /// The function of that name.
    pub fn named(name: &str) -> Option<Special> {
        let row = TABLE.iter().find(|(known, _)| *known == name);
        row.map(|(_, special)| *special)
    }

    /// Whether [`eval`](super::eval) resolves it where it stands in an expression; the others are resolved before.
    pub fn is_in_expressions(self) -> bool {
        !matches!(
            self,
            Special::TableNamed | Special::Tables | Special::IngestionTime | Special::Window
        )
    }

    /// The names of those that are resolved in expressions.
    pub fn names_in_expressions() -> impl Iterator<Item = &'static str> {
        let resolved = TABLE
            .iter()
            .filter(|(_, special)| special.is_in_expressions());
        resolved.map(|(name, _)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function;

    #[test]
    fn no_name_is_a_function_of_values_too() {
        for (name, special) in TABLE {
            assert_eq!(Special::named(name), Some(special));
            assert!(function::get(name).is_none(), "{name}");
        }
    }
}
