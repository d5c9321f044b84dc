//! `parse` and `parse-where`: text taken apart by what stands between the parts.

use super::Failure;
use super::capture::{Capture, Part, Parts, Pattern};
use super::lower::Lower;
use super::relation::{Relation, columns_of};
use crate::function::value::Type;
use crate::kql::ast::operator::ParsePart;
use crate::kql::ast::{Expr, ExprKind, Operator};

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
        let text = self.expression(&compiled, relation);
        let parts = plain_parts(pattern).filter(|_| kind != "regex" && flags == "s");
        let names = pattern.iter().filter_map(|p| match p {
            ParsePart::Column { name, .. } => Some(name.text.clone()),
            _ => None,
        });
        let relaxed = kind == "relaxed";
        let capture = Capture::Pattern(Pattern::new(regex, types.len(), parts, relaxed));
        let parts = Parts::of(capture, text, compiled.ty, types.clone());
        let mut columns = columns_of(relation);
        for (at, (name, ty)) in names.zip(types).enumerate() {
            let expr = parts.column(at);
            match columns.iter_mut().find(|c| c.0 == name) {
                Some(old) => (old.1, old.2) = (ty, expr),
                None => columns.push((name, ty, expr)),
            }
        }
        let over = match filter {
            false => relation.clone(),
            true => relation.with(relation.builder().filter(parts.fits())?)?,
        };
        self.fields.project(&over, columns)
    }
}

/// The parts of a pattern where each is plain text, or takes all up to the next one.
fn plain_parts(pattern: &[ParsePart]) -> Option<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::with_capacity(pattern.len());
    for part in pattern {
        let part = match part {
            ParsePart::Star(_) => Part::Gap(false),
            ParsePart::Column { ty, .. } => match ty.as_ref().map(|t| t.ty) {
                Some(Type::Int | Type::Long) => return None,
                _ => Part::Gap(true),
            },
            ParsePart::Text(text) => Part::Text(text.text.clone()),
        };
        match (parts.last_mut(), part) {
            (Some(Part::Gap(_)), Part::Gap(_)) => return None,
            (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
            (_, part) => parts.push(part),
        }
    }
    (!parts.is_empty()).then_some(parts)
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
