//! `parse` and `parse-where`: text taken apart by what stands between the parts.

use super::operator::columns_of;
use super::relation::Relation;
use super::statement::Lower;
use super::{Failure, row};
use crate::kql::ast::operator::ParsePart;
use crate::kql::ast::{Expr, ExprKind, Operator};
use crate::kql::value::{Type, Value};

impl Lower<'_> {
    pub(super) fn parse(
        &mut self,
        relation: &Relation,
        filter: bool,
        source: &Expr,
        pattern: &[ParsePart],
        operator: &Operator,
    ) -> Result<Relation, Failure> {
        let kind = match operator.setting("kind").map(|s| &s.value.kind) {
            None => "simple".to_string(),
            Some(ExprKind::Name(kind)) => kind.clone(),
            Some(_) => return Err(Failure::at(operator.span, "kind=simple, relaxed or regex")),
        };
        let mut flags = "s".to_string();
        if let Some(setting) = operator.setting("flags")
            && let ExprKind::Name(own) = &setting.value.kind
        {
            flags = own.clone();
        }
        let (regex, types) = parse_pattern(pattern, &kind, &flags)
            .map_err(|message| Failure::at(operator.span, message))?;
        let compiled = self.compile(source, &relation.schema())?;
        let input = vec![self.expression(&compiled, relation)];
        let input_types = vec![compiled.ty];
        let relaxed = kind == "relaxed";
        let mut columns = columns_of(relation);
        let names: Vec<String> = pattern
            .iter()
            .filter_map(|p| match p {
                ParsePart::Column { name, .. } => Some(name.text.clone()),
                _ => None,
            })
            .collect();
        let all_types = types.clone();
        let captured = {
            move |row: &[Value]| -> Option<Vec<Value>> {
                let text = row[0].text();
                let found = regex.captures(&text)?;
                let mut out = Vec::new();
                for (i, ty) in all_types.iter().enumerate() {
                    let piece = found.name(&format!("c{i}")).map_or("", |m| m.as_str());
                    let value = Value::string(piece).convert(*ty);
                    if value == Value::Null && *ty != Type::String && !relaxed {
                        return None;
                    }
                    out.push(value);
                }
                Some(out)
            }
        };
        for (i, (name, ty)) in names.iter().zip(&types).enumerate() {
            let captured = captured.clone();
            let ty = *ty;
            let expr = row::call(
                "parse",
                input.clone(),
                input_types.clone(),
                ty,
                move |row| match captured(row) {
                    Some(mut values) => values.swap_remove(i),
                    None if ty == Type::String => Value::String("".into()),
                    None => Value::Null,
                },
            );
            match columns.iter_mut().find(|c| c.0 == *name) {
                Some(old) => (old.1, old.2) = (ty, expr),
                None => columns.push((name.clone(), ty, expr)),
            }
        }
        let over = match filter {
            false => relation.clone(),
            true => {
                let matched =
                    row::call("parse_where", input, input_types, Type::Bool, move |row| {
                        Value::Bool(captured(row).is_some())
                    });
                relation.with(relation.builder().filter(matched)?)?
            }
        };
        self.fields.project(&over, columns)
    }
}

/// The pattern of `parse` as one regular expression, and the types of its columns.
fn parse_pattern(
    pattern: &[ParsePart],
    kind: &str,
    flags: &str,
) -> Result<(regex::Regex, Vec<Type>), String> {
    let regex = kind == "regex";
    let mut out = String::new();
    if !flags.is_empty() {
        let known: String = flags.chars().filter(|c| "imsU".contains(*c)).collect();
        if !known.is_empty() {
            out.push_str(&format!("(?{known})"));
        }
    }
    out.push('^');
    let mut types = Vec::new();
    for (i, part) in pattern.iter().enumerate() {
        let last = i + 1 == pattern.len();
        match part {
            ParsePart::Star(_) => out.push_str(if last { ".*" } else { ".*?" }),
            ParsePart::Text(text) if regex => out.push_str(&format!("(?:{})", text.text)),
            ParsePart::Text(text) => out.push_str(&regex::escape(&text.text)),
            ParsePart::Column { ty, .. } => {
                let ty = ty.map_or(Type::String, |t| t.ty);
                types.push(ty);
                let group = format!("(?P<c{}>", types.len() - 1);
                let number = matches!(ty, Type::Long | Type::Int);
                out.push_str(&match (number, regex || last) {
                    // What is no number leaves the column empty there.
                    (true, _) if kind == "relaxed" => format!(r"\s*{group}[+-]?\d+|.*?)\s*"),
                    (true, _) => format!(r"\s*{group}[+-]?\d+)\s*"),
                    (false, true) => format!("{group}.*)"),
                    (false, false) => format!("{group}.*?)"),
                });
            }
        }
    }
    // Text after the last part may follow, where that part is text.
    if !matches!(pattern.last(), Some(ParsePart::Text(_))) {
        out.push('$');
    }
    let compiled = regex::Regex::new(&out).map_err(|e| format!("the pattern is wrong: {e}"))?;
    Ok((compiled, types))
}
