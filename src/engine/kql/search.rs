//! `search`, `parse-kv`, `mv-apply` and `evaluate bag_unpack`.

use super::operator::{Columns, columns_of};
use super::relation::Relation;
use super::statement::Lower;
use super::{Failure, row};
use crate::kql::ast::operator::{MvColumn, Setting};
use crate::kql::ast::{
    Call, Expr, ExprKind, InKind, Literal, MatchKind, MatchOp, Operator, Pipeline, Schema,
};
use crate::kql::value::{Json, Type, Value};

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
        let mut out: Option<Relation> = None;
        for (name, relation) in relations {
            let mut condition = predicate.clone();
            spread(&mut condition, &relation, sensitive);
            let found = self.filter(&relation, &condition)?;
            let mut columns: Columns = vec![(
                "$table".into(),
                Type::String,
                datafusion::prelude::lit(name.as_str()),
            )];
            columns.extend(columns_of(&found));
            let found = self.fields.project(&found, columns)?;
            match out {
                None => out = Some(found),
                Some(_) => {
                    return Err(Failure::at(
                        operator.span,
                        "`search` over several tables is not supported: name one",
                    ));
                }
            }
        }
        out.ok_or_else(|| Failure::at(operator.span, "`search` has no table"))
    }

    pub(super) fn parse_kv(
        &mut self,
        relation: &Relation,
        source: &Expr,
        keys: &Schema,
        properties: &[Setting],
    ) -> Result<Relation, Failure> {
        let mut text = |name: &str| -> Result<Option<String>, Failure> {
            let Some(setting) = properties.iter().find(|p| p.name.text == name) else {
                return Ok(None);
            };
            Ok(Some(self.constant(&setting.value)?.text().into_owned()))
        };
        for known in ["regex", "quote", "escape", "quotes", "greedy"] {
            if let Some(setting) = properties.iter().find(|p| p.name.text == known) {
                return Err(Failure::unsupported(setting.span, known));
            }
        }
        let pair = text("pair_delimiter")?.unwrap_or_else(|| " ".into());
        let middle = text("kv_delimiter")?.unwrap_or_else(|| "=".into());
        if pair.is_empty() || middle.is_empty() {
            return Err(Failure::at(source.span, "a delimiter is empty"));
        }
        let compiled = self.compile(source, &relation.schema())?;
        let used = compiled.columns();
        let inputs: Vec<_> = used.iter().map(|i| relation.columns[*i].expr()).collect();
        let types: Vec<Type> = used.iter().map(|i| relation.columns[*i].ty).collect();
        let compiled = compiled.over(&used);
        let env = self.env;
        let mut columns = columns_of(relation);
        for key in &keys.columns {
            let (name, ty) = (key.name.text.clone(), key.ty.ty);
            let (compiled, pair, middle, own) =
                (compiled.clone(), pair.clone(), middle.clone(), name.clone());
            let expr = row::call(inputs.clone(), types.clone(), ty, move |row| {
                let text = compiled.eval(&env, row).text().into_owned();
                let found = text.split(pair.as_str()).find_map(|part| {
                    let (key, value) = part.split_once(middle.as_str())?;
                    (key.trim() == own).then(|| value.to_string())
                });
                match found {
                    Some(value) => Value::string(value).convert(ty),
                    None => Value::Null.fit(ty),
                }
            });
            match columns.iter_mut().find(|c| c.0 == name) {
                Some(old) => (old.1, old.2) = (ty, expr),
                None => columns.push((name, ty, expr)),
            }
        }
        self.fields.project(relation, columns)
    }

    /// `mv-apply`: a query over the elements of each row. Each row's query is run for itself.
    pub(super) fn mv_apply(
        &mut self,
        relation: &Relation,
        columns: &[MvColumn],
        limit: Option<&Expr>,
        body: &Pipeline,
        operator: &Operator,
    ) -> Result<Relation, Failure> {
        let most = match limit {
            Some(limit) => self.count(limit)?,
            None => usize::MAX,
        };
        let outer = relation.schema();
        let mut items = Vec::new();
        for column in columns {
            let (name, compiled) = self.expanded(&column.item, &outer)?;
            items.push((name, column.to.map_or(Type::Dynamic, |t| t.ty), compiled));
        }
        let index = match operator.setting("with_itemindex").map(|s| &s.value.kind) {
            Some(ExprKind::Name(name)) => Some(name.clone()),
            _ => None,
        };
        let mut schema = outer.clone();
        let mut place = |name: &str, ty: Type| match schema.iter().position(|c| c.0 == name) {
            Some(at) => {
                schema[at].1 = ty;
                at
            }
            None => {
                schema.push((name.to_string(), ty));
                schema.len() - 1
            }
        };
        let places: Vec<usize> = items.iter().map(|(n, ty, _)| place(n, *ty)).collect();
        let index = index.map(|name| place(&name, Type::Long));
        let shape = self.rows(&schema, &[])?;
        let shape = self.applied(shape, body)?.schema();
        // Outer columns first; what the query has of the same name takes their place.
        let mut result = outer.clone();
        let mut from_body = Vec::new();
        for (at, (name, ty)) in shape.iter().enumerate() {
            match result.iter().position(|c| c.0 == *name) {
                Some(place) => {
                    result[place].1 = *ty;
                    from_body.push((place, at));
                }
                None => {
                    result.push((name.clone(), *ty));
                    from_body.push((result.len() - 1, at));
                }
            }
        }
        let env = self.env;
        let mut out = Vec::new();
        for row in self.answer(relation)? {
            let lists: Vec<Vec<Json>> = items
                .iter()
                .map(|(_, _, compiled)| {
                    super::expand::elements_of(&compiled.eval(&env, &row), false)
                })
                .collect();
            let longest = lists.iter().map(Vec::len).max().unwrap_or(0).min(most);
            let mut inner = Vec::with_capacity(longest);
            for i in 0..longest {
                let mut own = row.clone();
                own.resize(schema.len(), Value::Null);
                for ((place, (_, ty, _)), list) in places.iter().zip(&items).zip(&lists) {
                    let element = list.get(i).cloned().unwrap_or_default();
                    own[*place] = Value::dynamic(element).convert(*ty).fit(*ty);
                }
                if let Some(index) = index {
                    own[index] = Value::Long(i as i64);
                }
                inner.push(own);
            }
            let table = self.rows(&schema, &inner)?;
            let applied = self.applied(table, body)?;
            for answer in self.answer(&applied)? {
                let mut own = row.clone();
                own.resize(result.len(), Value::Null);
                for (place, at) in &from_body {
                    own[*place] = answer[*at].clone();
                }
                out.push(own);
            }
        }
        let mut made = self.rows(&result, &out)?;
        made.ordered = relation.ordered;
        Ok(made)
    }

    fn applied(&mut self, mut rows: Relation, body: &Pipeline) -> Result<Relation, Failure> {
        rows.ordered = true;
        self.context.push(rows);
        let applied = self.pipeline(body);
        self.context.pop();
        applied
    }

    /// `evaluate`: the plugins that turn rows into rows.
    pub(super) fn evaluate(
        &mut self,
        relation: &Relation,
        call: &Call,
        operator: &Operator,
    ) -> Result<Relation, Failure> {
        match (call.name.text.as_str(), call.arguments.as_slice()) {
            ("bag_unpack", [bag, rest @ ..]) if rest.len() <= 1 => {
                let ExprKind::Name(name) = &bag.expr.kind else {
                    return Err(Failure::at(bag.span, "a column is unpacked"));
                };
                let column = relation.need(name, bag.span)?;
                if column.ty != Type::Dynamic {
                    return Err(Failure::at(bag.span, "a dynamic column is unpacked"));
                }
                let prefix = match rest {
                    [prefix] => self.constant(&prefix.expr)?.text().into_owned(),
                    _ => String::new(),
                };
                self.bag_unpack(relation, name, &prefix)
            }
            _ => Err(Failure::unsupported(
                operator.keyword.span,
                &format!("evaluate {}", call.name.text),
            )),
        }
    }

    fn bag_unpack(
        &mut self,
        relation: &Relation,
        name: &str,
        prefix: &str,
    ) -> Result<Relation, Failure> {
        let schema = relation.schema();
        let at = schema.iter().position(|c| c.0 == name).unwrap_or(0);
        let rows = self.answer(relation)?;
        let mut found: std::collections::BTreeMap<String, Option<Type>> = Default::default();
        for row in &rows {
            for (key, value) in row[at].bag().unwrap_or_default() {
                let ty = match value {
                    Json::Null => continue,
                    Json::Bool(_) => Type::Bool,
                    Json::Long(_) => Type::Long,
                    Json::Real(_) => Type::Real,
                    Json::String(_) => Type::String,
                    Json::DateTime(_) => Type::DateTime,
                    Json::Timespan(_) => Type::Timespan,
                    Json::Guid(_) => Type::Guid,
                    Json::Array(_) | Json::Bag(_) => Type::Dynamic,
                };
                found
                    .entry(key.to_string())
                    .and_modify(|old| {
                        *old = match (*old, ty) {
                            (Some(a), b) if a == b => Some(a),
                            (Some(Type::Long), Type::Real) | (Some(Type::Real), Type::Long) => {
                                Some(Type::Real)
                            }
                            _ => Some(Type::Dynamic),
                        };
                    })
                    .or_insert(Some(ty));
            }
        }
        let mut columns: Vec<(String, Type)> = Vec::new();
        let kept: Vec<usize> = (0..schema.len()).filter(|i| *i != at).collect();
        columns.extend(kept.iter().map(|i| schema[*i].clone()));
        for (key, ty) in &found {
            let name = format!("{prefix}{key}");
            if columns.iter().any(|c| c.0 == name) {
                return Err(Failure::at(
                    Default::default(),
                    format!(
                        "`bag_unpack` gives a column `{name}`, which is there already: give a prefix"
                    ),
                ));
            }
            columns.push((name, ty.unwrap_or(Type::Dynamic)));
        }
        let out: Vec<Vec<Value>> = rows
            .iter()
            .map(|row| {
                let mut own: Vec<Value> = kept.iter().map(|i| row[*i].clone()).collect();
                for (key, ty) in &found {
                    let ty = ty.unwrap_or(Type::Dynamic);
                    let value = row[at]
                        .bag()
                        .unwrap_or_default()
                        .iter()
                        .find(|(k, _)| **k == *key.as_str())
                        .map_or(Value::Null, |(_, v)| Value::dynamic(v.clone()));
                    own.push(value.fit(ty));
                }
                own
            })
            .collect();
        let mut made = self.rows(&columns, &out)?;
        made.ordered = relation.ordered;
        Ok(made)
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
            *expr = any_column(expr, relation, sensitive, kind, &text);
        }
        ExprKind::Match { op, left, right } => {
            if op.kind == MatchKind::Term {
                op.kind = MatchKind::Has;
            }
            if left.kind == ExprKind::Star
                && let ExprKind::Literal(Literal::String(text)) = &right.kind
            {
                let (kind, text) = (op.kind, text.clone());
                *expr = any_column(expr, relation, sensitive, kind, &text);
            }
        }
        ExprKind::In { op, .. } if op.kind == InKind::HasAny => {}
        _ => {}
    }
}

fn any_column(
    at: &Expr,
    relation: &Relation,
    case_sensitive: bool,
    kind: MatchKind,
    text: &str,
) -> Expr {
    let mut parts: Vec<Expr> = relation
        .columns
        .iter()
        .filter(|c| {
            matches!(
                c.ty,
                Type::String | Type::Dynamic | Type::Int | Type::Long | Type::Guid
            )
        })
        .map(|c| Expr {
            kind: ExprKind::Match {
                op: MatchOp {
                    kind,
                    case_sensitive,
                    negated: false,
                },
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
        0 => ExprKind::Literal(Literal::Bool(false)),
        1 => parts.swap_remove(0).kind,
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
