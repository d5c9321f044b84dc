//! `mv-expand`: a row for each element of an array.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListBuilder, StringBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Column as PlanColumn, Result as PlanResult, UnnestOptions};
use datafusion::logical_expr::{
    ColumnarValue, Expr as PlanExpr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::lifted::{self, Lift};
use super::lower::Lower;
use super::relation::{Columns, Relation, columns_of};
use super::transcode::texts;
use super::{Failure, arrays, row};
use crate::engine::memory::Room;
use crate::function::value::{Json, Type, Value, is_compact};
use crate::kql::ast::operator::MvColumn;
use crate::kql::ast::{Expr, ExprKind, NamedExpr, Operator};
use crate::kql::eval::Compiled;
use crate::kql::naming;

/// Bytes that an element takes beside its text.
const ELEMENT: usize = 4;

/// Gives the elements of a row's value, or their numbers, as JSON text.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Elements {
    give: Give,
    /// Whether a property of a bag is a pair of key and value.
    pairs: bool,
    /// So many at most.
    most: usize,
    room: Room,
    signature: Signature,
}

/// What of the elements is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Give {
    Elements,
    /// Their numbers, of the longest of several columns.
    Numbers,
}

impl ScalarUDFImpl for Elements {
    fn name(&self) -> &str {
        match self.give {
            Give::Elements => "elements",
            Give::Numbers => "element_numbers",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> PlanResult<DataType> {
        Ok(DataType::List(Arc::new(Field::new_list_field(
            DataType::Utf8,
            true,
        ))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let rows = args.number_rows;
        let columns: Vec<ArrayRef> = args
            .args
            .into_iter()
            .map(|a| a.into_array(rows).map(texts))
            .collect::<PlanResult<_>>()?;
        let mut out = ListBuilder::new(StringBuilder::new());
        let room = self.room.reserve("mv-expand");
        for r in 0..rows {
            let mut bytes = 0;
            match self.give {
                Give::Elements => self.elements(&columns[0], r, |element| {
                    bytes += ELEMENT + element.map_or(0, str::len);
                    out.values().append_option(element);
                }),
                Give::Numbers => {
                    let mut longest = 0;
                    for column in &columns {
                        let mut length = 0;
                        self.elements(column, r, |_| length += 1);
                        longest = longest.max(length);
                    }
                    bytes = longest * 2 * ELEMENT;
                    (0..longest).for_each(|i| out.values().append_value(i.to_string()));
                }
            }
            room.try_grow(bytes)?;
            out.append(true);
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }
}

impl Elements {
    fn call(self, columns: Vec<PlanExpr>) -> PlanExpr {
        ScalarUDF::from(self).call(columns)
    }

    /// Gives the elements of a cell to a function; nothing for null.
    fn elements(&self, column: &ArrayRef, row: usize, mut give: impl FnMut(Option<&str>)) {
        let texts = column.as_string::<i32>();
        // What is compact is cut, and not read.
        if texts.is_valid(row)
            && let text = texts.value(row)
            && text.starts_with(['[', '{'])
            && (text.starts_with('[') || !self.pairs)
            && is_compact(text)
        {
            let is_bag = text.starts_with('{');
            let mut one = String::new();
            for part in parts_of(text).take(self.most) {
                if is_bag {
                    one.clear();
                    one.extend(["{", part, "}"]);
                    give(Some(&one));
                } else {
                    give((part != "null").then_some(part));
                }
            }
            return;
        }
        let value = arrays::value(column, row, Type::Dynamic);
        for element in elements_of(&value, self.pairs).iter().take(self.most) {
            match element {
                Json::Null => give(None),
                other => give(Some(&other.stored_text())),
            }
        }
    }
}

/// The elements of an array or the properties of an object, as they stand in compact JSON.
fn parts_of(json: &str) -> impl Iterator<Item = &str> {
    let inner = json
        .get(1..json.len().saturating_sub(1))
        .unwrap_or_default();
    let mut rest = (!inner.is_empty()).then_some(inner);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = !quoted,
                _ if quoted => {}
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                b',' if depth == 0 => {
                    rest = Some(&text[at + 1..]);
                    return Some(&text[..at]);
                }
                _ => {}
            }
        }
        Some(text)
    })
}

/// The elements of an array, or the properties of a bag; what is neither is its own only element.
pub(super) fn elements_of(value: &Value, pairs: bool) -> Vec<Json> {
    let Value::Dynamic(json) = value else {
        return match value {
            Value::Null => vec![Json::Null],
            other => vec![Json::from_value(other)],
        };
    };
    match json.as_ref() {
        Json::Array(all) => all.clone(),
        Json::Bag(all) => all
            .iter()
            .map(|(key, value)| match pairs {
                true => Json::Array(vec![Json::String(Arc::clone(key)), value.clone()]),
                false => Json::Bag(vec![(Arc::clone(key), value.clone())]),
            })
            .collect(),
        other => vec![other.clone()],
    }
}

/// How values are taken apart.
#[derive(Clone, Copy)]
struct Taking {
    /// Properties of a bag are pairs of name and value, not bags of one.
    pairs: bool,
    /// Elements of a row that are kept.
    most: usize,
}

impl Lower<'_> {
    /// The value that `mv-expand` and `mv-apply` take apart, and the name of its elements.
    pub(super) fn expanded(
        &mut self,
        item: &NamedExpr,
        schema: &[(String, Type)],
    ) -> Result<(String, Compiled), Failure> {
        let compiled = self.compile(&item.expr, schema)?;
        if compiled.ty != Type::Dynamic {
            return Err(Failure::at(
                item.span,
                format!(
                    "a dynamic value is expanded, this is a {}",
                    compiled.ty.name()
                ),
            ));
        }
        let name = match item.names.as_slice() {
            [name] => name.text.clone(),
            _ => naming::column_name(&item.expr).unwrap_or_else(|| "Column1".into()),
        };
        Ok((name, compiled))
    }

    pub(super) fn mv_expand(
        &mut self,
        relation: &Relation,
        columns: &[MvColumn],
        limit: Option<&Expr>,
        operator: &Operator,
    ) -> Result<Relation, Failure> {
        // Rows that are taken apart lose an order that only the planner knows of.
        let made;
        let relation = match relation.ordered {
            true => {
                made = self.made(relation)?;
                &made
            }
            false => relation,
        };
        let most = match limit {
            Some(limit) => self.count(limit)?,
            None => usize::MAX,
        };
        let pairs = ["kind", "bagexpansion"]
            .into_iter()
            .filter_map(|name| word(operator, name))
            .any(|w| w == "array");
        let index = word(operator, "with_itemindex");
        let (list, expanded) =
            self.with_elements(relation, columns, Taking { pairs, most }, index)?;
        let prepared = self.fields.project_untyped(relation, list)?;
        let flat = unnested(&prepared, &expanded)?;
        self.fields.project(&flat, converted(&flat, &expanded))
    }

    /// The columns of a relation with the lists of elements among them, each of these with its type; the last is that of their numbers,
    /// where `index` names one.
    fn with_elements(
        &mut self,
        relation: &Relation,
        columns: &[MvColumn],
        Taking { pairs, most }: Taking,
        index: Option<String>,
    ) -> Result<(Columns, Vec<(usize, Type)>), Failure> {
        let schema = relation.schema();
        let mut list = columns_of(relation);
        let mut expanded: Vec<(usize, Type)> = Vec::new();
        let mut wholes = Vec::new();
        for column in columns {
            let (name, compiled) = self.expanded(&column.item, &schema)?;
            let whole = match self.native(relation).kept_list(&compiled) {
                Some((_, list)) => list,
                None => self.expression(&compiled, relation),
            };
            wholes.push(whole.clone());
            let elements = Elements {
                give: Give::Elements,
                pairs,
                most,
                room: self.session.room(),
                signature: row::signature(1),
            };
            let expr = elements.call(vec![whole]);
            let ty = column.to.map_or(Type::Dynamic, |t| t.ty);
            match list.iter().position(|c| c.0 == name) {
                Some(at) => {
                    list[at] = (name, Type::Dynamic, expr);
                    expanded.push((at, ty));
                }
                None => {
                    expanded.push((list.len(), ty));
                    list.push((name, Type::Dynamic, expr));
                }
            }
        }
        if let Some(index) = index {
            expanded.push((list.len(), Type::Long));
            let numbers = Elements {
                give: Give::Numbers,
                pairs,
                most,
                room: self.session.room(),
                signature: row::signature(wholes.len()),
            };
            let expr = numbers.call(wholes);
            list.push((index, Type::Dynamic, expr));
        }
        Ok((list, expanded))
    }
}

/// What an option of the operator says, where it is a word.
fn word(operator: &Operator, name: &str) -> Option<String> {
    match &operator.setting(name)?.value.kind {
        ExprKind::Name(word) => Some(word.clone()),
        _ => None,
    }
}

/// A row for each element of the lists in these columns.
fn unnested(prepared: &Relation, lists: &[(usize, Type)]) -> Result<Relation, Failure> {
    let fields: Vec<PlanColumn> = lists
        .iter()
        .map(|(at, _)| PlanColumn::from_name(&prepared.columns[*at].field))
        .collect();
    let plan = prepared
        .builder()
        .unnest_columns_with_options(fields, UnnestOptions::new().with_preserve_nulls(false))?;
    prepared.with(plan)
}

/// All columns; those of elements in the types that the query gives them.
fn converted(flat: &Relation, elements: &[(usize, Type)]) -> Columns {
    flat.columns
        .iter()
        .enumerate()
        .map(|(i, c)| {
            let to = elements.iter().find(|(at, _)| *at == i).map(|(_, ty)| *ty);
            match to {
                Some(ty) if ty != Type::Dynamic => {
                    let expr = lifted::of_one(Lift::Cast, c.expr(), Type::Dynamic, ty);
                    (c.name.clone(), ty, expr)
                }
                _ => (c.name.clone(), c.ty, c.expr()),
            }
        })
        .collect()
}
