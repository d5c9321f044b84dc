//! Functions that give several values, each of which is a column: `series_stats`, `array_sort_asc`, …
//!
//! Inside of an expression the values are one array.

use super::lifted::{self, Lift};
use super::lower::Lower;
use super::relation::{Columns, Relation};
use super::{Failure, path};
use crate::function::outputs;
use crate::function::value::Type;
use crate::kql::ast::{Call, Expr, ExprKind, NamedExpr};
use crate::kql::naming::column_name;

/// Whether an expression gives several values; sorting one array gives one, and is named as those of several are.
pub(super) fn gives_several(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Call(call) => outputs(&call.name.text).is_some() || sorts(call),
        _ => false,
    }
}

fn sorts(call: &Call) -> bool {
    matches!(&*call.name.text, "array_sort_asc" | "array_sort_desc")
}

/// The name that Kusto gives an array which is sorted, the argument at that place.
fn sorted(at: usize, array: &NamedExpr) -> String {
    let of = column_name(&array.expr).filter(|name| !name.is_empty());
    format!("{}_sorted", of.unwrap_or_else(|| format!("array{at}")))
}

/// The name of the one array that an expression sorts, in `summarize`; nothing where it is another expression.
pub(super) fn sorted_name(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Call(call) if sorts(call) => match &*call.arguments {
            [array] => Some(sorted(0, array)),
            _ => None,
        },
        _ => None,
    }
}

impl Lower<'_> {
    /// The columns of an item whose expression gives several values; nothing where it gives one.
    ///
    /// The item's names are those of the first columns; all others have the names that Kusto makes.
    pub(super) fn several(
        &mut self,
        relation: &Relation,
        schema: &[(String, Type)],
        item: &NamedExpr,
    ) -> Result<Option<Columns>, Failure> {
        let ExprKind::Call(call) = &item.expr.kind else {
            return Ok(None);
        };
        let Some(outputs) = self.outputs(call, schema)? else {
            return Ok(None);
        };
        if let Some(extra) = item.names.get(outputs.len()) {
            return Err(Failure::at(
                extra.span,
                format!("`{}` gives {} columns", call.name.text, outputs.len()),
            ));
        }
        let compiled = self.compile(&item.expr, schema)?;
        let whole = self.expression(&compiled, relation);
        let one_array = sorts(call) && outputs.len() == 1;
        let column = |(at, (name, ty)): (usize, (String, Type))| {
            let name = item.names.get(at).map_or(name, |own| own.text.clone());
            let element = match one_array {
                true => whole.clone(),
                false => path::element(whole.clone(), at),
            };
            let expr = match ty {
                Type::Dynamic => element,
                _ => lifted::of_one(Lift::Fit, element, Type::Dynamic, ty),
            };
            (name, ty, expr)
        };
        Ok(Some(outputs.into_iter().enumerate().map(column).collect()))
    }

    /// The names that Kusto makes for the values of a function, and their types; nothing where it gives one value.
    fn outputs(
        &mut self,
        call: &Call,
        schema: &[(String, Type)],
    ) -> Result<Option<Vec<(String, Type)>>, Failure> {
        let function = &*call.name.text;
        if let Some(outputs) = outputs(function) {
            let of = call.arguments.first();
            let of = of.and_then(|series| column_name(&series.expr));
            let of = of.unwrap_or_default();
            let column = |(end, ty): &(&str, Type)| (format!("{function}_{of}_{end}"), *ty);
            return Ok(Some(outputs.iter().map(column).collect()));
        }
        if !sorts(call) {
            return Ok(None);
        }
        let mut arrays = &*call.arguments;
        // The last argument may say where nulls go.
        if let [rest @ .., last] = arrays
            && !rest.is_empty()
            && self.compile(&last.expr, schema)?.ty == Type::Bool
        {
            arrays = rest;
        }
        let arrays = arrays.iter().enumerate();
        let column = |(at, array)| (sorted(at, array), Type::Dynamic);
        Ok(Some(arrays.map(column).collect()))
    }
}
