//! `search` and `parse-kv`.

use super::Failure;
use super::capture::{Capture, Parts};
use super::lower::Lower;
use super::relation::{Relation, columns_of};
use crate::function::key_value::{self, KeyValue};
use crate::function::operate;
use crate::function::value::Type;
use crate::kql::ast::operator::Setting;
use crate::kql::ast::{
    Call, Expr, ExprKind, InKind, Literal, MatchKind, MatchOp, Operator, Schema, Span,
};

impl Lower<'_> {
    /// `search`: terms stand for "some column of text has it".
    pub(super) fn search(
        &mut self,
        relations: Vec<(String, Relation)>,
        predicate: &Expr,
        operator: &Operator,
    ) -> Result<Relation, Failure> {
        let sensitive = matches!(
            operator.setting("kind").map(|s| &s.value.kind),
            Some(ExprKind::Name(kind)) if kind == "case_sensitive"
        );
        let mut parts = Vec::new();
        let several = relations.len() > 1;
        for (name, relation) in relations {
            let mut condition = predicate.clone();
            spread(&mut condition, &relation, sensitive);
            // What it names and this table lacks is found nowhere in it.
            match self.filter(&relation, &condition) {
                Ok(found) => parts.push((name, found)),
                Err(failure) if several && failure.is_missing_column() => {}
                Err(failure) => return Err(failure),
            }
        }
        match parts.is_empty() {
            true => self.rows(&[("$table".into(), Type::String)], &[]),
            false => self.united(&parts, Some("$table"), false),
        }
    }

    /// The tables that `search` looks through where it names none: those with rows, and the views of the query.
    pub(super) fn all_tables(&mut self, at: Span) -> Result<Vec<(String, Relation)>, Failure> {
        self.typed_tables(self.searched(), at)
    }

    /// Tables of these names. Some of them have a column with their name; each row of all together says it.
    pub(super) fn typed_tables(
        &mut self,
        names: Vec<String>,
        at: Span,
    ) -> Result<Vec<(String, Relation)>, Failure> {
        let asked = std::mem::replace(&mut self.types, true);
        let named = |name: String| -> Result<(String, Relation), Failure> {
            let kind = ExprKind::Name(name.clone());
            let table = self.table(&Expr { kind, span: at })?;
            Ok((name, table))
        };
        let all = names.into_iter().map(named).collect();
        self.types = asked;
        all
    }

    pub(super) fn parse_kv(
        &mut self,
        relation: &Relation,
        source: &Expr,
        keys: &Schema,
        properties: &[Setting],
    ) -> Result<Relation, Failure> {
        let mut options = key_value::Options::default();
        for property in properties {
            let value = self.constant(&property.value)?;
            let text = value.text().into_owned();
            match property.name.text.as_str() {
                "pair_delimiter" => options.pair_delimiter = Some(text),
                "kv_delimiter" => options.kv_delimiter = Some(text),
                "quote" => options.quotes.push(text),
                "escape" => options.escapes.push(text),
                "greedy" => options.greedy = value.to_bool() == Some(true),
                "regex" => options.regex = Some(text),
                other => return Err(Failure::unsupported(property.span, other)),
            }
        }
        let names = keys.columns.iter().map(|k| k.name.text.clone()).collect();
        let pairs =
            KeyValue::new(names, &options).map_err(|message| Failure::at(source.span, message))?;
        let compiled = self.compile(source, &relation.schema())?;
        let text = self.expression(&compiled, relation);
        let types = keys.columns.iter().map(|key| key.ty.ty).collect();
        let parts = Parts::of(Capture::Pairs(pairs), text, compiled.ty, types);
        let mut columns = columns_of(relation);
        for (at, key) in keys.columns.iter().enumerate() {
            let (name, ty) = (key.name.text.clone(), key.ty.ty);
            let expr = parts.column(at);
            match columns.iter_mut().find(|c| c.0 == name) {
                Some(old) => (old.1, old.2) = (ty, expr),
                None => columns.push((name, ty, expr)),
            }
        }
        self.fields.project(relation, columns)
    }
}

/// Puts "some column of text has it" in the place of terms.
fn spread(expr: &mut Expr, relation: &Relation, sensitive: bool) {
    match &mut expr.kind {
        ExprKind::And(all) | ExprKind::Or(all) => {
            for part in all {
                spread(part, relation, sensitive);
            }
        }
        ExprKind::Call(call) if call.name.text == "not" => {
            for argument in &mut call.arguments {
                spread(&mut argument.expr, relation, sensitive);
            }
        }
        ExprKind::Literal(literal) => {
            let term = match literal {
                Literal::String(text) => text.clone(),
                Literal::Long(n) => n.to_string(),
                Literal::Int(n) => n.to_string(),
                Literal::Real(x) => x.to_string(),
                _ => return,
            };
            let (kind, text) = match (term.strip_prefix('*'), term.strip_suffix('*')) {
                (Some(_), Some(_)) => (MatchKind::Contains, term.trim_matches('*').to_string()),
                (Some(rest), None) => (MatchKind::HasSuffix, rest.to_string()),
                (None, Some(rest)) => (MatchKind::HasPrefix, rest.to_string()),
                (None, None) => (MatchKind::Has, term),
            };
            // A number with a point was seen to find nothing in a real column.
            let op = MatchOp {
                kind,
                case_sensitive: sensitive,
                negated: false,
            };
            *expr = any_column(expr, relation, op, &text);
        }
        ExprKind::Match { op, left, right } => {
            if op.kind == MatchKind::Term {
                op.kind = MatchKind::Has;
            }
            if left.kind == ExprKind::Star
                && let ExprKind::Literal(Literal::String(text)) = &right.kind
            {
                let case_sensitive = op.case_sensitive || sensitive;
                let op = MatchOp {
                    case_sensitive,
                    ..*op
                };
                let text = text.clone();
                *expr = any_column(expr, relation, op, &text);
            }
        }
        ExprKind::In { op, .. } if op.kind == InKind::HasAny => {}
        _ => {}
    }
}

/// Whether a column has the text; of a negated operator, whether no column has it.
fn any_column(at: &Expr, relation: &Relation, op: MatchOp, text: &str) -> Expr {
    let mut parts: Vec<Expr> = relation
        .columns
        .iter()
        .filter(|c| operate::is_searched(c.ty))
        .map(|c| Expr {
            kind: ExprKind::Match {
                op,
                left: Box::new(as_text(&c.name, c.ty, at)),
                right: Box::new(Expr {
                    kind: ExprKind::Literal(Literal::String(text.to_string())),
                    span: at.span,
                }),
            },
            span: at.span,
        })
        .collect();
    let kind = match parts.len() {
        0 => ExprKind::Literal(Literal::Bool(op.negated)),
        1 => parts.swap_remove(0).kind,
        _ if op.negated => ExprKind::And(parts),
        _ => ExprKind::Or(parts),
    };
    Expr {
        kind,
        span: at.span,
    }
}

/// A column as text.
fn as_text(name: &str, ty: Type, at: &Expr) -> Expr {
    let column = Expr {
        kind: ExprKind::Name(name.to_string()),
        span: at.span,
    };
    if matches!(ty, Type::String | Type::Dynamic) {
        return column;
    }
    let call = Call {
        name: crate::kql::ast::Name {
            text: "tostring".into(),
            span: at.span,
        },
        arguments: vec![crate::kql::ast::NamedExpr {
            names: Vec::new(),
            expr: column,
            span: at.span,
        }],
        span: at.span,
    };
    Expr {
        kind: ExprKind::Call(Box::new(call)),
        span: at.span,
    }
}
