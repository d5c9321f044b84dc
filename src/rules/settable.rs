//! Parameters of rules: read from headers, found in queries, and set.
//!
//! In KQL the value is the literal of the query's own `let NAME = …;`, so that the rule runs elsewhere as it is. In SQL `$NAME` stands for it. The
//! query of a rule is always what is run: with the values in it.

use std::str::FromStr;
use std::sync::Arc;

use datafusion::sql::sqlparser::tokenizer::Token;

use super::document::{At, Node, Value};
use super::fields::{Fields, Notes};
use super::model::{Language, Query, Rule};
use super::parameter::{ParameterValue, RuleParameter};
use super::sql_place::{offset, tokens};
use crate::fault::{Error, Result, did_you_mean};
use crate::function::value::{Type, read_timespan};
use crate::kql::ast::{Expr, ExprKind, Json, JsonKind, LetValue, Literal, StatementKind};
use crate::kql::span::position;
use crate::kql::{self, Span};

/// A value that a user sets: `RULE.NAME=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Id of the rule.
    pub rule: String,
    /// Name of the parameter.
    pub name: String,
    /// The value as it is typed.
    pub value: String,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Assignment, String> {
        let parts = text.split_once('=');
        // An id may have dots, a parameter has none.
        let parts = parts.and_then(|(left, value)| Some((left.rsplit_once('.')?, value)));
        match parts {
            Some(((rule, name), value)) if !rule.is_empty() && !name.is_empty() => Ok(Assignment {
                rule: rule.into(),
                name: name.into(),
                value: value.into(),
            }),
            _ => Err("RULE.NAME=VALUE".into()),
        }
    }
}

/// Sets parameters of rules.
///
/// # Errors
/// When there is no such rule or parameter, when a value is not of the type of its default, or when a parameter is set twice.
pub fn set(rules: &mut [Rule], assignments: &[Assignment]) -> Result<()> {
    for assignment in assignments {
        let is_meant = |rule: &Rule| rule.id.eq_ignore_ascii_case(&assignment.rule);
        let Some(at) = rules.iter().position(is_meant) else {
            let ids: Vec<String> = rules.iter().map(|rule| rule.id.clone()).collect();
            let near = near(&assignment.rule, &ids);
            let message = format!("--set: no rule `{}`{near}", assignment.rule);
            return Err(Error::Usage(message));
        };
        set_one(&mut rules[at], &assignment.name, &assignment.value)?;
    }
    Ok(())
}

/// Sets a parameter of a rule.
///
/// # Errors
/// As [`set`].
pub fn set_one(rule: &mut Rule, name: &str, value: &str) -> Result<()> {
    let wrong = |message: String| Err(Error::Usage(format!("--set: {message}")));
    let id = rule.id.clone();
    let like = |parameter: &RuleParameter| parameter.name.eq_ignore_ascii_case(name);
    let exact = |parameter: &RuleParameter| parameter.name == name;
    let found = rule.parameters.iter().position(exact);
    let Some(at) = found.or_else(|| rule.parameters.iter().position(like)) else {
        let known: Vec<String> = rule.parameters.iter().map(|p| p.name.clone()).collect();
        if known.is_empty() {
            return wrong(format!("`{id}` has no parameters"));
        }
        let near = near(name, &known);
        let known = known.join("`, `");
        return wrong(format!(
            "`{id}` has no parameter `{name}`, but `{known}`{near}"
        ));
    };
    let parameter = &mut rule.parameters[at];
    if parameter.set.is_some() {
        return wrong(format!("`{id}.{}` is set twice", parameter.name));
    }
    let Some(read) = parameter.default.read(value) else {
        let kind = parameter.default.kind();
        return wrong(format!(
            "`{id}.{}` is {kind}, and `{value}` is none",
            parameter.name
        ));
    };
    parameter.set = Some(read);
    write(&mut rule.query, &mut rule.parameters, |number| number == at);
    Ok(())
}

fn near(word: &str, known: &[String]) -> String {
    did_you_mean(word, known).map_or_else(String::new, |near| format!("; {near}"))
}

/// Writes the values of some parameters where they stand in the query.
fn write(query: &mut Query, parameters: &mut [RuleParameter], is_new: impl Fn(usize) -> bool) {
    let mut places = Vec::new();
    for (number, parameter) in parameters.iter_mut().enumerate() {
        let taken = std::mem::take(&mut parameter.places);
        places.extend(taken.into_iter().map(|place| (place, number)));
    }
    places.sort_by_key(|(place, _)| place.start);
    let old = Arc::clone(&query.text);
    let mut text = String::with_capacity(old.len());
    let mut end = 0;
    for (place, number) in places {
        let parameter = &mut parameters[number];
        text.push_str(&old[end..place.start]);
        let begun = text.len();
        match (is_new(number), query.language) {
            (true, Language::Sql) => text.push_str(&parameter.value().sql()),
            (true, _) => text.push_str(&parameter.value().kql()),
            (false, _) => text.push_str(&old[place.clone()]),
        }
        parameter.places.push(begun..text.len());
        end = place.end;
    }
    text.push_str(&old[end..]);
    query.text = Arc::new(text);
}

/// What a header says of a parameter.
struct Declared<'n> {
    name: &'n str,
    description: String,
    at: At,
    default: Option<&'n Node>,
}

/// Reads the parameters of a rule of coldtrail's own, and writes their values into its query.
pub(super) fn of_header(rule: &mut Rule, fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let declared = match fields.get("parameters", notes) {
        Some(node) => declared(node, notes),
        None => Vec::new(),
    };
    rule.parameters = match rule.query.language {
        Language::Sql => in_sql(&rule.query, &declared, notes),
        Language::Kql | Language::Sigma => in_kql(&rule.query, &declared, notes),
    };
    if rule.query.language == Language::Sql && !rule.parameters.is_empty() {
        write(&mut rule.query, &mut rule.parameters, |_| true);
    }
}

fn declared<'n>(node: &'n Node, notes: &mut Notes<'_>) -> Vec<Declared<'n>> {
    let Value::Map(entries) = &node.value else {
        let kind = node.kind();
        notes.error(node.at, format!("`parameters` must be a map and is {kind}"));
        return Vec::new();
    };
    let mut list: Vec<Declared<'n>> = Vec::new();
    for (key, node) in entries {
        let name = key.text().unwrap_or_default();
        let what = format!("parameter `{name}`");
        let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !begins || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let message =
                format!("{what}: a name has letters, digits and _, and begins with no digit");
            notes.error(key.at, message);
            continue;
        }
        if list.iter().any(|known| known.name == name) {
            notes.error(key.at, format!("{what} stands there twice"));
            continue;
        }
        if node.value == Value::Null {
            notes.error(key.at, format!("{what} needs a `description`"));
            continue;
        }
        let Some(mut fields) = Fields::of(node, &what, notes) else {
            continue;
        };
        let description = fields.word("description", notes);
        let default = fields.get("default", notes);
        fields.refuse(&what, notes);
        match description {
            Some(description) => list.push(Declared {
                name,
                description,
                at: key.at,
                default,
            }),
            None => notes.error(key.at, format!("{what} needs a `description`")),
        }
    }
    list
}

impl Declared<'_> {
    fn with(&self, default: ParameterValue) -> RuleParameter {
        RuleParameter {
            name: self.name.into(),
            description: self.description.clone(),
            default,
            set: None,
            places: Vec::new(),
        }
    }
}

/// The parameters of a query in KQL: each is a `let` of the query.
fn in_kql(query: &Query, declared: &[Declared<'_>], notes: &mut Notes<'_>) -> Vec<RuleParameter> {
    let mut found = Vec::new();
    if declared.is_empty() {
        return found;
    }
    let text = query.text.as_str();
    // What is wrong with the query is said when it is planned.
    let (tree, _) = kql::parse(text);
    for one in declared {
        let name = one.name;
        if let Some(default) = one.default {
            let message = format!("parameter `{name}`: in KQL the query's `let` says the default");
            notes.error(default.at, message);
        }
        let mut lets = tree
            .statements
            .iter()
            .filter_map(|statement| match &statement.kind {
                StatementKind::Let { name: of, value } if of.text == name => Some((of, value)),
                _ => None,
            });
        let Some((of, value)) = lets.next() else {
            let message = format!("parameter `{name}`: the query has no `let {name} = …;`");
            notes.error(one.at, message);
            continue;
        };
        let value = match value {
            LetValue::Expr(expr) => constant(expr, text).map(|value| (value, expr.span)),
            LetValue::Function(_) | LetValue::EntityGroup(_) => None,
        };
        match value {
            Some((value, span)) => {
                let mut parameter = one.with(value);
                parameter.places.push(span.start..span.end);
                found.push(parameter);
            }
            None => {
                let (line, column) = position(text, of.span.start);
                let message = format!(
                    "parameter `{name}`: its `let` must be a number, a text, true or false, a timespan, or `dynamic([…])` of texts"
                );
                notes.error_in_query(query.lines.in_file(line, column), message);
            }
        }
    }
    found
}

/// The value of a literal.
fn constant(expr: &Expr, text: &str) -> Option<ParameterValue> {
    match &expr.kind {
        ExprKind::Literal(literal) => of_literal(literal, expr.span, text),
        ExprKind::Sign { negative, operand } => {
            let ExprKind::Literal(literal) = &operand.kind else {
                return None;
            };
            match (of_literal(literal, operand.span, text)?, negative) {
                (ParameterValue::Long(number), true) => {
                    number.checked_neg().map(ParameterValue::Long)
                }
                (ParameterValue::Real(number), true) => Some(ParameterValue::Real(-number)),
                (value @ (ParameterValue::Long(_) | ParameterValue::Real(_)), false) => Some(value),
                _ => None,
            }
        }
        ExprKind::Dynamic(json) => {
            let JsonKind::Array(items) = &json.kind else {
                return None;
            };
            let text = |item: &Json| match &item.kind {
                JsonKind::Literal(Literal::String(text)) => Some(text.clone()),
                _ => None,
            };
            let texts: Option<Vec<String>> = items.iter().map(text).collect();
            texts.map(ParameterValue::Texts)
        }
        _ => None,
    }
}

fn of_literal(literal: &Literal, span: Span, text: &str) -> Option<ParameterValue> {
    Some(match literal {
        Literal::Bool(is) => ParameterValue::Bool(*is),
        Literal::Int(number) => ParameterValue::Long(i64::from(*number)),
        Literal::Long(number) => ParameterValue::Long(*number),
        Literal::Real(number) => ParameterValue::Real(*number),
        Literal::String(text) => ParameterValue::Text(text.clone()),
        Literal::Timespan(ticks) => {
            let written = span.of(text).trim_matches(['(', ')', ' ']);
            ParameterValue::Span(written.into(), *ticks)
        }
        Literal::Typed(Type::Timespan, written) => {
            ParameterValue::Span(written.clone(), read_timespan(written)?)
        }
        Literal::Typed(..) | Literal::Null(_) => return None,
    })
}

/// The parameters of a query in SQL: `$name` outside of texts and comments.
fn in_sql(query: &Query, declared: &[Declared<'_>], notes: &mut Notes<'_>) -> Vec<RuleParameter> {
    let mut found: Vec<RuleParameter> = Vec::new();
    for one in declared {
        match one.default.map(|node| (node, of_node(node))) {
            Some((_, Some(value))) => found.push(one.with(value)),
            Some((node, None)) => {
                let name = one.name;
                let message = format!(
                    "parameter `{name}`: `default` must be a number, a text, true or false, a duration, or a list of texts"
                );
                notes.error(node.at, message);
            }
            None => {
                let message = format!("parameter `{}` needs a `default`", one.name);
                notes.error(one.at, message);
            }
        }
    }
    for (name, place) in placeholders(query, notes) {
        if let Some(parameter) = found.iter_mut().find(|known| known.name == name) {
            parameter.places.push(place);
        } else if !declared.iter().any(|known| known.name == name) {
            let (line, column) = position(&query.text, place.start);
            let known: Vec<String> = declared.iter().map(|one| one.name.into()).collect();
            let message = format!("no parameter `{name}` for `${name}`{}", near(&name, &known));
            notes.error_in_query(query.lines.in_file(line, column), message);
        }
    }
    for parameter in found.iter().filter(|known| known.places.is_empty()) {
        let name = &parameter.name;
        let declared = declared.iter().find(|one| one.name == *name);
        let at = declared.map_or_else(At::default, |one| one.at);
        notes.error(
            at,
            format!("parameter `{name}`: the query does not use `${name}`"),
        );
    }
    found
}

/// The value of a default in YAML.
fn of_node(node: &Node) -> Option<ParameterValue> {
    match &node.value {
        Value::Plain(_, serde_json::Value::Bool(is)) => Some(ParameterValue::Bool(*is)),
        Value::Plain(_, number) => {
            let long = number.as_i64().map(ParameterValue::Long);
            long.or_else(|| number.as_f64().map(ParameterValue::Real))
        }
        Value::Text(text) => {
            let span = ParameterValue::span(text).filter(|_| !text.contains([' ', ':']));
            Some(span.unwrap_or_else(|| ParameterValue::Text(text.clone())))
        }
        Value::List(items) => {
            let text = |item: &Node| match &item.value {
                Value::Text(text) => Some(text.clone()),
                _ => None,
            };
            let texts: Option<Vec<String>> = items.iter().map(text).collect();
            texts.map(ParameterValue::Texts)
        }
        Value::Null | Value::Map(_) => None,
    }
}

/// Names behind `$` and where they stand, in their order.
fn placeholders(query: &Query, notes: &mut Notes<'_>) -> Vec<(String, std::ops::Range<usize>)> {
    let text = query.text.as_str();
    if !text.contains('$') {
        return Vec::new();
    }
    let tokens = match tokens(text) {
        Ok(tokens) => tokens,
        Err(e) => {
            let at = offset(text, e.location).map_or((1, 1), |at| position(text, at));
            notes.error_in_query(
                query.lines.in_file(at.0, at.1),
                format!("SQL: {}", e.message),
            );
            return Vec::new();
        }
    };
    let places = tokens.into_iter().filter_map(|token| match token.token {
        Token::Placeholder(written) => {
            let name = written.strip_prefix('$')?;
            let start = offset(text, token.span.start)?;
            Some((name.to_string(), start..start + written.len()))
        }
        _ => None,
    });
    places.collect()
}
