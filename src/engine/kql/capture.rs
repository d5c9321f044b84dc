//! Text taken apart into columns: `parse` and `parse-kv`.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StructArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use regex::Regex;

use super::arrays::{ColumnBuilder, Reader};
use super::transcode::first;
use super::{grouped, row};
use crate::function::key_value::KeyValue;
use crate::function::value::{Cell, Json, Type};

/// How a text is taken apart.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum Capture {
    /// `parse`
    Pattern(Pattern),
    /// `parse-kv`
    Pairs(KeyValue),
}

/// The pattern of `parse`.
#[derive(Debug)]
pub(super) struct Pattern {
    regex: Regex,
    /// The groups of the columns.
    groups: Vec<Option<usize>>,
    plain: Option<Vec<Part>>,
    relaxed: bool,
}

/// A part of a pattern that needs no regular expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// What stands before the next text, or at the end; a column where true.
    Gap(bool),
    /// Just this text.
    Text(String),
}

impl Pattern {
    /// A regular expression whose groups `c0`, `c1`, … are the columns, and the same in parts where they are plain: no two gaps and no two
    /// texts are side by side. `relaxed`: a part that is not of its column's type leaves only that column empty.
    pub(super) fn new(
        regex: Regex,
        columns: usize,
        plain: Option<Vec<Part>>,
        relaxed: bool,
    ) -> Pattern {
        let group = |at| {
            let wanted = format!("c{at}");
            regex
                .capture_names()
                .position(|name| name == Some(wanted.as_str()))
        };
        Pattern {
            groups: (0..columns).map(group).collect(),
            regex,
            plain,
            relaxed,
        }
    }

    /// The texts of the columns; nothing where the text does not fit.
    fn find<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        if let Some(parts) = &self.plain {
            return plain(parts, text);
        }
        let found = self.regex.captures(text)?;
        let group = |at: &Option<usize>| found.get((*at)?);
        let groups = self.groups.iter().map(group);
        Some(groups.map(|g| g.map_or("", |g| g.as_str())).collect())
    }
}

/// The same part by part: the first place of each text is the right one, as what follows takes any text.
fn plain<'t>(parts: &[Part], text: &'t str) -> Option<Vec<&'t str>> {
    let mut found = Vec::with_capacity(parts.len());
    let (mut rest, mut gap) = (text, None);
    for part in parts {
        match (part, gap) {
            (Part::Gap(column), _) => gap = Some(*column),
            (Part::Text(wanted), None) => rest = rest.strip_prefix(wanted.as_str())?,
            (Part::Text(wanted), Some(column)) => {
                let (before, behind) = rest.split_once(wanted.as_str())?;
                if column {
                    found.push(before);
                }
                (rest, gap) = (behind, None);
            }
        }
    }
    if gap == Some(true) {
        found.push(rest);
    }
    Some(found)
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        (self.regex.as_str(), self.relaxed) == (other.regex.as_str(), other.relaxed)
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.regex.as_str(), self.relaxed).hash(state);
    }
}

/// All columns of a text at once.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Captured {
    capture: Capture,
    /// The type of the text.
    from: Type,
    /// The types of the columns, and behind them that of whether the text fits.
    types: Vec<Type>,
    signature: Signature,
}

/// What a text is taken apart into.
pub(super) struct Parts {
    whole: Expr,
    types: Vec<Type>,
}

impl Parts {
    /// The columns of these types that a text of this type is taken apart into.
    pub(super) fn of(capture: Capture, text: Expr, from: Type, mut types: Vec<Type>) -> Parts {
        types.push(Type::Bool);
        let function = Captured {
            capture,
            from,
            types: types.clone(),
            signature: row::signature(1),
        };
        let whole = ScalarUDF::from(function).call(vec![text]);
        Parts { whole, types }
    }

    /// One of the columns.
    pub(super) fn column(&self, at: usize) -> Expr {
        row::element(self.whole.clone(), at, self.types[at])
    }

    /// Whether the text is one that can be taken apart.
    pub(super) fn fits(&self) -> Expr {
        self.column(self.types.len() - 1)
    }
}

impl ScalarUDFImpl for Captured {
    fn name(&self) -> &str {
        match self.capture {
            Capture::Pattern(_) => "kql_parse",
            Capture::Pairs(_) => "kql_parse_kv",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(grouped::packed(self.types.iter().copied()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = first(args)?;
        let rows = texts.len();
        let reader = Reader::new(&texts, self.from);
        let mut columns: Vec<ColumnBuilder> = self
            .types
            .iter()
            .map(|ty| ColumnBuilder::new(*ty, rows))
            .collect();
        let mut json = Json::Null;
        for row in 0..rows {
            let text = reader.cell(row, &mut json).text();
            match &self.capture {
                Capture::Pattern(pattern) => self.parse(pattern, &text, &mut columns),
                Capture::Pairs(pairs) => self.pairs(pairs, &text, &mut columns),
            }
        }
        let DataType::Struct(fields) = grouped::packed(self.types.iter().copied()) else {
            return internal_err!("columns are not packed");
        };
        let columns: Vec<ArrayRef> = columns.into_iter().map(ColumnBuilder::finish).collect();
        let packed = StructArray::try_new(fields, columns, None)?;
        Ok(ColumnarValue::Array(Arc::new(packed)))
    }
}

impl Captured {
    fn parse(&self, pattern: &Pattern, text: &str, columns: &mut [ColumnBuilder]) {
        let mut rooms = vec![String::new(); columns.len()];
        let cells: Option<Vec<Cell>> = match pattern.find(text) {
            Some(found) => {
                let pieces = found.into_iter().zip(&self.types).zip(&mut rooms);
                Some(
                    pieces
                        .map(|((piece, ty), room)| Cell::String(piece).convert(*ty, room))
                        .collect(),
                )
            }
            None => None,
        };
        let fits = |cells: &Vec<Cell>| pattern.relaxed || !cells.iter().any(|cell| cell.is_null());
        let cells = cells.filter(fits);
        let last = columns.len() - 1;
        for (at, column) in columns.iter_mut().enumerate() {
            column.push(match &cells {
                _ if at == last => Cell::Bool(cells.is_some()),
                Some(cells) => cells.get(at).copied().unwrap_or(Cell::Null),
                None => Cell::Null,
            });
        }
    }

    fn pairs(&self, pairs: &KeyValue, text: &str, columns: &mut [ColumnBuilder]) {
        let values = pairs.values(text).into_iter().map(Some).chain([None]);
        for ((value, ty), column) in values.zip(&self.types).zip(columns) {
            let mut room = String::new();
            column.push(match &value {
                Some(Some(value)) => Cell::String(value).convert(*ty, &mut room),
                Some(None) => Cell::Null,
                None => Cell::Bool(true),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_parts_give_what_the_regular_expression_gives() {
        let text = |t: &str| Part::Text(t.into());
        let patterns = [
            (
                r"(?s)^(?P<c0>.*?)ab(?P<c1>.*)$",
                vec![Part::Gap(true), text("ab"), Part::Gap(true)],
            ),
            (
                r"(?s)^a(?P<c0>.*?)b.*?a",
                vec![
                    text("a"),
                    Part::Gap(true),
                    text("b"),
                    Part::Gap(false),
                    text("a"),
                ],
            ),
            (
                r"(?s)^.*?é(?P<c0>.*?)b.*$",
                vec![
                    Part::Gap(false),
                    text("é"),
                    Part::Gap(true),
                    text("b"),
                    Part::Gap(false),
                ],
            ),
            (r"(?s)^ab", vec![text("ab")]),
        ];
        for (pattern, parts) in patterns {
            let columns = parts
                .iter()
                .filter(|part| **part == Part::Gap(true))
                .count();
            let regex = Regex::new(pattern).expect("a pattern");
            let slow = Pattern::new(regex.clone(), columns, None, false);
            let fast = Pattern::new(regex, columns, Some(parts), false);
            let letters = ["a", "b", "é", "\n", ""];
            for a in letters {
                for b in letters {
                    for c in letters {
                        for d in letters {
                            let text = [a, b, c, d, b, a].concat();
                            assert_eq!(fast.find(&text), slow.find(&text), "{pattern}: {text:?}");
                        }
                    }
                }
            }
        }
    }
}
