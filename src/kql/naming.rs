//! Names of result columns that a query does not name.
//!
//! The rules are facts of Microsoft's parser (`GetExpressionResultName`, `ProjectionBuilder` of Kusto.Language), checked on answers
//! of the engine; where the two differ (`covariance`), the engine's answers win. What a name stands for is not known here: a
//! column, a `let` name and a parameter are named alike.

use std::collections::HashMap;

use super::ast::{Call, Expr, ExprKind, Literal, NamedExpr, Step};
use super::special::Special;
use crate::function::{self, ResultName, aggregate};

/// The name that Kusto gives a column made of that expression; nothing where it numbers the column instead (`Column1`).
///
/// `print` asks for no name: its columns are `print_0`, `print_1`, …, see [`print_name`]. A `column_ifexists` counts as one of
/// a column that does not exist; [`column_name_among`] knows better.
pub fn column_name(expr: &Expr) -> Option<String> {
    column_name_among(expr, &|_| false)
}

/// [`column_name`] where it is known which columns there are.
pub fn column_name_among(expr: &Expr, exists: &dyn Fn(&str) -> bool) -> Option<String> {
    match &expr.kind {
        ExprKind::Name(name) => Some(name.clone()),
        ExprKind::Path { base, steps } => {
            let mut name = column_name_among(base, exists);
            for step in steps {
                let step = step_name(step);
                name = match name {
                    // An index that is computed leaves its place empty: `a[i]` is `a_`.
                    Some(left) if !left.trim().is_empty() => {
                        Some(format!("{left}_{}", step.unwrap_or_default()))
                    }
                    _ => step,
                };
            }
            name
        }
        ExprKind::Call(call) => call_name(call, exists),
        _ => None,
    }
}

fn step_name(step: &Step) -> Option<String> {
    match step {
        Step::Member(name) => Some(name.text.clone()),
        Step::Index(index) => match &index.kind {
            ExprKind::Literal(Literal::Long(n)) if *n >= 0 => Some(n.to_string()),
            ExprKind::Literal(Literal::Int(n)) if *n >= 0 => Some(n.to_string()),
            ExprKind::Literal(Literal::String(text)) => Some(text.clone()),
            _ => None,
        },
        Step::Call(_) | Step::Wildcard(_) => None,
    }
}

/// How a function or an aggregate names its result.
fn rule(name: &str) -> Option<ResultName> {
    let function = function::get(name).map(|function| function.names);
    function.or_else(|| aggregate::get(name).map(|aggregate| aggregate.names))
}

fn argument_name(call: &Call, index: usize) -> Option<String> {
    let argument = call.arguments.get(index)?;
    match argument.names.first() {
        Some(name) => Some(name.text.clone()),
        None => column_name(&argument.expr),
    }
}

fn call_name(call: &Call, exists: &dyn Fn(&str) -> bool) -> Option<String> {
    let or_empty = |index| argument_name(call, index).unwrap_or_default();
    match Special::named(&call.name.text) {
        Some(Special::IngestionTime) => return Some("$IngestionTime".to_owned()),
        Some(Special::ColumnIfExists) => {
            return match &call.arguments.first()?.expr.kind {
                ExprKind::Literal(Literal::String(name)) if exists(name) => Some(name.clone()),
                _ => None,
            };
        }
        _ => {}
    }
    match rule(&call.name.text)? {
        ResultName::Numbered | ResultName::Percentages => None,
        ResultName::First => argument_name(call, 0),
        ResultName::Only if call.arguments.len() == 1 => argument_name(call, 0),
        ResultName::Only => None,
        ResultName::Prefix(prefix) => Some(format!("{prefix}_{}", or_empty(0))),
        ResultName::Both(prefix) => Some(format!("{prefix}_{}_{}", or_empty(0), or_empty(1))),
        ResultName::Fixed(name) => Some(name.to_owned()),
    }
}

/// Name of the unnamed column at that place of a `print`.
pub fn print_name(index: usize) -> String {
    format!("print_{index}")
}

/// Name of a column of `percentile`, `percentiles` and their kin: `percentile_x_99_9`. `percentage` is the constant as text.
pub fn percentile_name(call: &Call, percentage: &str) -> String {
    let name = argument_name(call, 0).unwrap_or_default();
    let percentage = percentage.chars();
    let percentage: String = percentage
        .map(|c| if c.is_alphanumeric() { c } else { '_' })
        .collect();
    format!("percentile_{name}_{percentage}")
}

/// What a result column of `arg_max` and its kin is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// The argument at that place.
    Argument(usize),
    /// A column that `*` stands for.
    Column(String),
}

/// Result columns of `arg_max`, `arg_min`, `take_any` and their old forms: what each is made of, and its name.
///
/// `columns` are those of the input, `by` those that the groups are made of: plain columns, `a` as well as `b = a`, but not
/// `bin(a, 1h)`. A `*` leaves out columns of the groups and those that are there already.
pub fn row_columns(call: &Call, columns: &[String], by: &[String]) -> Vec<(From, String)> {
    let function = call.name.text.as_str();
    let takes_any = matches!(function, "take_any" | "any");
    let any_star = call.arguments.iter().any(is_star);
    let primary = argument_name(call, 0).unwrap_or_default();
    let prefix = if function.ends_with("min") {
        "min"
    } else {
        "max"
    };
    let mut seen: Vec<&str> = if takes_any {
        by.iter().map(String::as_str).collect()
    } else {
        Vec::new()
    };
    let mut found: Vec<(From, String)> = Vec::new();
    for (index, argument) in call.arguments.iter().enumerate() {
        if is_star(argument) {
            for column in columns {
                if !seen.contains(&column.as_str()) && !by.contains(column) {
                    seen.push(column);
                    found.push((From::Column(column.clone()), column.clone()));
                }
            }
            continue;
        }
        let column = match &argument.expr.kind {
            ExprKind::Name(name) => columns.iter().find(|column| *column == name),
            _ => None,
        };
        if let Some(column) = column {
            let first = index == 0 && !takes_any;
            let there = seen.contains(&column.as_str()) || by.contains(column);
            if any_star && there && !first {
                continue;
            }
            seen.push(column);
        }
        let name = argument_name(call, index).unwrap_or_else(|| match (function, index) {
            ("take_any", _) => format!("any_arg{index}"),
            ("any", _) if call.arguments.len() == 1 => String::new(),
            ("any", _) => format!("arg{index}"),
            ("argmax" | "argmin", 0) => String::new(),
            ("argmax" | "argmin", _) => format!("arg{index}"),
            (_, 0) => format!("{prefix}_"),
            _ => format!("{prefix}_{primary}_arg{index}"),
        });
        found.push((From::Argument(index), name));
    }
    // The old forms put their own name before those of their columns.
    for (place, (_, name)) in found.iter_mut().enumerate() {
        match function {
            "any" => *name = format!("any_{name}"),
            "argmax" | "argmin" if place == 0 => *name = format!("{prefix}_{name}"),
            "argmax" | "argmin" => *name = format!("{prefix}_{primary}_{name}"),
            _ => {}
        }
    }
    found
}

fn is_star(argument: &NamedExpr) -> bool {
    argument.expr.kind == ExprKind::Star
}

/// Makes names of columns differ: the second `x` becomes `x1`, and columns without a name are `Column1`, `Column2`, ….
#[derive(Debug, Clone, Default)]
pub struct Names {
    // Each name with the last number that was put behind it.
    used: HashMap<String, usize>,
}

impl Names {
    /// No names.
    pub fn new() -> Names {
        Names::default()
    }

    /// Whether a column has that name.
    pub fn contains(&self, name: &str) -> bool {
        self.used.contains_key(name)
    }

    /// A name for the next column, that nothing else has: the wanted one where it is free.
    pub fn add(&mut self, wanted: Option<&str>) -> String {
        let (first, base) = match wanted {
            Some(name) if !name.is_empty() => (name, name),
            _ => ("Column1", "Column"),
        };
        let Some(last) = self.used.get(first) else {
            self.used.insert(first.to_owned(), 0);
            return first.to_owned();
        };
        let mut number = last + 1;
        let mut name = format!("{base}{number}");
        while self.used.contains_key(&name) {
            number += 1;
            name = format!("{base}{number}");
        }
        self.used.insert(first.to_owned(), number);
        self.used.insert(name.clone(), 0);
        name
    }
}

#[cfg(test)]
mod tests;
