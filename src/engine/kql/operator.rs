//! The tabular operators that take rows one by one, or choose among columns.

use std::sync::Arc;

use datafusion::logical_expr::Expr as PlanExpr;
use datafusion::prelude::lit;

use super::lower::Lower;
use super::relation::{Column, Columns, Relation, columns_of};
use super::{Failure, Gathered, several};
use crate::function::value::{Type, Value};
use crate::kql::ast::operator::{ColumnOrder, NamePattern, Rename, Reorder};
use crate::kql::ast::{Expr, ExprKind, Name, NamedExpr, Operator, OperatorKind};

/// Whether a name is what a pattern with `*` says.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

impl Lower<'_> {
    /// One operator: rows in, rows out. Long, since each operator has an arm.
    pub(super) fn operator(
        &mut self,
        relation: Relation,
        operator: &Operator,
    ) -> Result<Relation, Failure> {
        let label = self.label.take();
        match &operator.kind {
            OperatorKind::Where(predicate) => self.filter_windows(relation, predicate),
            OperatorKind::Serialize(items) => self.serialize(relation, items),
            OperatorKind::Extend(items) => self.extend_windows(relation, items),
            OperatorKind::Project(items) => {
                let (rows, items) = self.windows(relation, items)?;
                self.project(&rows, &items)
            }
            OperatorKind::ProjectAway(patterns) => {
                let gone = |c: &Column| patterns.iter().any(|p| named(p, &c.name));
                self.absent(&relation, patterns)?;
                self.keep(&relation, |c| !gone(c))
            }
            OperatorKind::ProjectKeep(patterns) => {
                self.absent(&relation, patterns)?;
                self.keep(&relation, |c| patterns.iter().any(|p| named(p, &c.name)))
            }
            OperatorKind::ProjectRename(renames) => renamed(relation, renames),
            OperatorKind::ProjectReorder(items) => Ok(reorder(relation, items)),
            OperatorKind::Count(name) => self.count_rows(&relation, name.as_ref()),
            OperatorKind::Take(count) | OperatorKind::Sample(count) => {
                let n = self.count(count)?;
                relation.with(relation.builder().limit(0, Some(n))?)
            }
            OperatorKind::Sort(keys) => self.sort(&relation, keys, None, None),
            OperatorKind::Top { count, by } => {
                let n = self.count(count)?;
                self.sort(&relation, std::slice::from_ref(by), Some(n), None)
            }
            OperatorKind::Distinct(items) => self.distinct(&relation, items),
            OperatorKind::Summarize {
                aggregates,
                by,
                bin: None,
            } => self.summarize(&relation, aggregates, by),
            OperatorKind::Join { table, condition } => {
                self.join(relation, table, condition.as_ref(), operator)
            }
            OperatorKind::Lookup { table, condition } => {
                self.lookup_table(&relation, table, condition.as_ref(), operator)
            }
            OperatorKind::Union(tables) => self.union(Some((label, relation)), tables, operator),
            OperatorKind::MvExpand { columns, limit } => {
                self.mv_expand(&relation, columns, limit.as_ref(), operator)
            }
            OperatorKind::Parse {
                filter,
                source,
                pattern,
            } => self.parse(&relation, *filter, source, pattern, operator),
            OperatorKind::MvApply {
                columns,
                limit,
                body,
            } => self.mv_apply(&relation, columns, limit.as_ref(), body, operator),
            OperatorKind::TopNested(levels) => self.top_nested(&relation, levels),
            OperatorKind::MakeSeries(make) => self.make_series(&relation, make, operator),
            OperatorKind::ParseKv {
                source,
                keys,
                properties,
            } => self.parse_kv(&relation, source, keys, properties),
            OperatorKind::Search { tables, predicate } if tables.is_empty() => {
                self.search(vec![("search_arg0".into(), relation)], predicate, operator)
            }
            OperatorKind::Evaluate { call, schema } => {
                self.evaluate(&relation, call, schema.as_ref())
            }
            OperatorKind::Scan(tree) => self.scan(&relation, tree, operator),
            OperatorKind::Reduce { by, properties } => {
                self.reduce(&relation, by, properties, operator)
            }
            OperatorKind::TopHitters { count, of, by } => {
                self.top_hitters(&relation, count, of, by.as_ref())
            }
            OperatorKind::SampleDistinct { count, of } => {
                self.sample_distinct(&relation, count, of)
            }
            OperatorKind::Partition {
                by,
                scope: None,
                body,
            } => self.partition(&relation, by, body),
            OperatorKind::GetSchema => self.schema_rows(&relation),
            OperatorKind::Invoke(expr) => match &expr.kind {
                ExprKind::Call(call) => self.invoke(relation, call),
                _ => Err(Failure::at(expr.span, "a function is invoked")),
            },
            OperatorKind::As(name) => {
                self.label = Some(name.text.clone());
                let binding = super::lower::Binding::Table(relation.clone());
                self.scope().insert(name.text.clone(), binding);
                Ok(relation)
            }
            // How rows are drawn, or that they are read, changes no row.
            OperatorKind::Render { .. } => Ok(relation),
            OperatorKind::Consume => {
                let mut none = relation.with(relation.builder().limit(0, Some(0))?)?;
                none.columns.clear();
                Ok(none)
            }
            _ => Err(Failure::unsupported(
                operator.keyword.span,
                &operator.keyword.text,
            )),
        }
    }

    /// `where`, whose predicate may read other rows.
    fn filter_windows(
        &mut self,
        relation: Relation,
        predicate: &Expr,
    ) -> Result<Relation, Failure> {
        let item = NamedExpr {
            names: Vec::new(),
            expr: predicate.clone(),
            span: predicate.span,
        };
        let (rows, items) = self.windows(relation, std::slice::from_ref(&item))?;
        let mut out = self.filter(&rows, &items[0].expr)?;
        self.drop_windows(&mut out);
        Ok(out)
    }

    pub(super) fn filter(
        &mut self,
        relation: &Relation,
        predicate: &Expr,
    ) -> Result<Relation, Failure> {
        let compiled = self.compile_open(predicate, &relation.schema())?;
        crate::function::operate::condition_type(compiled.ty)
            .map_err(|message| Failure::at(predicate.span, message))?;
        let condition = self.condition(&compiled, relation);
        relation.with(relation.builder().filter(condition)?)
    }

    fn serialize(&mut self, relation: Relation, items: &[NamedExpr]) -> Result<Relation, Failure> {
        let serialized = Relation {
            ordered: true,
            ..relation
        };
        match items {
            [] => Ok(serialized),
            items => self.extend_windows(serialized, items),
        }
    }

    /// `extend`, whose items may read other rows.
    fn extend_windows(
        &mut self,
        relation: Relation,
        items: &[NamedExpr],
    ) -> Result<Relation, Failure> {
        let (rows, items) = self.windows(relation, items)?;
        let mut out = self.extend(&rows, &items)?;
        self.drop_windows(&mut out);
        Ok(out)
    }

    fn extend(&mut self, relation: &Relation, items: &[NamedExpr]) -> Result<Relation, Failure> {
        let schema = relation.schema();
        let mut columns = columns_of(relation);
        let mut unnamed = 0;
        let mut gathered = Gathered::default();
        for item in items {
            let several = several::gives_several(&item.expr);
            let computed = self.computed(relation, &schema, item, &mut unnamed);
            let Some(computed) = gathered.take(computed)? else {
                continue;
            };
            for (place, (name, ty, expr)) in computed.into_iter().enumerate() {
                // A name that is made for one of several values takes no column's place.
                let name = match several && place >= item.names.len() {
                    true => fresh(&name, &columns),
                    false => name,
                };
                match columns.iter_mut().find(|c| c.0 == name) {
                    Some(old) => (old.1, old.2) = (ty, expr),
                    None => columns.push((name, ty, expr)),
                }
            }
        }
        gathered.done()?;
        self.fields.project_keeping(relation, columns)
    }

    /// The columns that an item of `extend` or `project` gives.
    fn computed(
        &mut self,
        relation: &Relation,
        schema: &[(String, Type)],
        item: &NamedExpr,
        unnamed: &mut usize,
    ) -> Result<Columns, Failure> {
        if let Some(several) = self.several(relation, schema, item)? {
            return Ok(several);
        }
        let compiled = self.compile_open(&item.expr, schema)?;
        let ty = compiled.ty;
        let expr = self.expression(&compiled, relation);
        let name = match item.names.as_slice() {
            [] => crate::kql::naming::column_name(&item.expr).unwrap_or_else(|| {
                *unnamed += 1;
                format!("Column{unnamed}")
            }),
            [name] => name.text.clone(),
            _ => {
                return Err(Failure::at(
                    item.span,
                    "several names, and the expression gives one value",
                ));
            }
        };
        Ok(vec![(name, ty, expr)])
    }

    pub(super) fn project(
        &mut self,
        relation: &Relation,
        items: &[NamedExpr],
    ) -> Result<Relation, Failure> {
        let schema = relation.schema();
        let mut columns: Columns = Vec::new();
        let mut unnamed = 0;
        let mut gathered = Gathered::default();
        for item in items {
            if item.names.is_empty() && matches!(item.expr.kind, ExprKind::Star) {
                columns.extend(columns_of(relation));
                continue;
            }
            let computed = self.computed(relation, &schema, item, &mut unnamed);
            let Some(computed) = gathered.take(computed)? else {
                continue;
            };
            for (place, (name, ty, expr)) in computed.into_iter().enumerate() {
                let name = match place >= item.names.len() {
                    true => fresh(&name, &columns),
                    false if columns.iter().any(|c| c.0 == name) => {
                        gathered.add(item.span, format!("two columns are called `{name}`"));
                        continue;
                    }
                    false => name,
                };
                columns.push((name, ty, expr));
            }
        }
        gathered.done()?;
        self.fields.project_keeping(relation, columns)
    }

    /// Refuses a pattern without `*` that names no column.
    fn absent(&self, relation: &Relation, patterns: &[NamePattern]) -> Result<(), Failure> {
        let mut gathered = Gathered::default();
        for pattern in patterns.iter().filter(|p| !p.wildcard) {
            gathered.take(relation.need(&pattern.name.text, pattern.name.span))?;
        }
        gathered.done()
    }

    fn keep(
        &mut self,
        relation: &Relation,
        which: impl Fn(&Column) -> bool,
    ) -> Result<Relation, Failure> {
        let mut out = relation.clone();
        out.columns.retain(|c| which(c));
        Ok(out)
    }

    pub(super) fn distinct(
        &mut self,
        relation: &Relation,
        items: &[NamedExpr],
    ) -> Result<Relation, Failure> {
        let picked = match items {
            [only] if matches!(only.expr.kind, ExprKind::Star) => relation,
            items => &self.project(relation, items)?,
        };
        // Only what is shown tells rows apart.
        let picked = self.fields.project(picked, columns_of(picked))?;
        let mut out = picked.with(picked.builder().distinct()?)?;
        out.ordered = false;
        Ok(out)
    }

    fn count_rows(
        &mut self,
        relation: &Relation,
        name: Option<&Name>,
    ) -> Result<Relation, Failure> {
        let field = self.fields.next("Count");
        let plan = relation
            .builder()
            .aggregate(
                Vec::<PlanExpr>::new(),
                vec![datafusion::functions_aggregate::expr_fn::count(lit(1)).alias(&field)],
            )?
            .build()?;
        Ok(Relation {
            plan: Arc::new(plan),
            columns: vec![Column::new(
                name.map_or("Count", |n| &n.text),
                Type::Long,
                field,
            )],
            ordered: false,
        })
    }

    /// `getschema`: a row for each column.
    fn schema_rows(&mut self, relation: &Relation) -> Result<Relation, Failure> {
        let rows: Vec<Vec<Value>> = relation
            .columns
            .iter()
            .enumerate()
            .map(|(i, c)| {
                vec![
                    Value::String(c.name.as_str().into()),
                    Value::Long(i as i64),
                    Value::String(system_type(c.ty).into()),
                    Value::String(c.ty.name().into()),
                ]
            })
            .collect();
        let columns = [
            ("ColumnName".to_string(), Type::String),
            ("ColumnOrdinal".to_string(), Type::Long),
            ("DataType".to_string(), Type::String),
            ("ColumnType".to_string(), Type::String),
        ];
        self.rows(&columns, &rows)
    }
}

/// `project-rename`: the same columns, some under another name.
fn renamed(mut relation: Relation, renames: &[Rename]) -> Result<Relation, Failure> {
    for rename in renames {
        relation.need(&rename.from.text, rename.from.span)?;
        let to = &rename.to;
        if to.text != rename.from.text && relation.column(&to.text).is_some() {
            let message = format!("a column `{}` is there already", to.text);
            return Err(Failure::at(to.span, message));
        }
        for column in &mut relation.columns {
            if column.name == rename.from.text {
                column.name.clone_from(&to.text);
            }
        }
    }
    Ok(relation)
}

fn named(pattern: &NamePattern, name: &str) -> bool {
    match pattern.wildcard {
        true => matches(&pattern.name.text, name),
        false => pattern.name.text == name,
    }
}

/// A name that no column has yet: `x`, `x1`, `x2`.
pub(super) fn fresh(name: &str, columns: &Columns) -> String {
    let taken = |n: &str| columns.iter().any(|c| c.0 == n);
    if !taken(name) {
        return name.to_string();
    }
    (1..)
        .map(|i| format!("{name}{i}"))
        .find(|n| !taken(n))
        .unwrap_or_else(|| name.to_string())
}

fn reorder(mut relation: Relation, items: &[Reorder]) -> Relation {
    let mut rest = std::mem::take(&mut relation.columns);
    for item in items {
        let (mut picked, others): (Vec<Column>, Vec<Column>) = rest
            .into_iter()
            .partition(|c| named(&item.columns, &c.name));
        rest = others;
        match item.order {
            Some(ColumnOrder::Ascending) => picked.sort_by(|a, b| a.name.cmp(&b.name)),
            Some(ColumnOrder::Descending) => picked.sort_by(|a, b| b.name.cmp(&a.name)),
            Some(ColumnOrder::GrannyAscending) => {
                picked.sort_by_cached_key(|c| by_numbers(&c.name))
            }
            Some(ColumnOrder::GrannyDescending) => {
                picked.sort_by_cached_key(|c| std::cmp::Reverse(by_numbers(&c.name)));
            }
            None => {}
        }
        relation.columns.extend(picked);
    }
    relation.columns.extend(rest);
    relation
}

/// A name in parts, its numbers by their value: `a20` comes before `a100`.
fn by_numbers(name: &str) -> Vec<(String, u128)> {
    let mut parts = vec![(String::new(), 0u128)];
    let mut inside = false;
    for c in name.chars() {
        match (c.to_digit(10), parts.last_mut()) {
            (Some(digit), Some(part)) => {
                part.1 = part.1.saturating_mul(10).saturating_add(digit.into());
                inside = true;
            }
            (None, Some(part)) if !inside => part.0.push(c),
            _ => {
                parts.push((c.to_string(), 0));
                inside = false;
            }
        }
    }
    parts
}

/// The .NET type that `getschema` says.
fn system_type(ty: Type) -> &'static str {
    match ty {
        Type::Bool => "System.SByte",
        Type::DateTime => "System.DateTime",
        Type::Decimal => "System.Data.SqlTypes.SqlDecimal",
        Type::Dynamic => "System.Object",
        Type::Guid => "System.Guid",
        Type::Int => "System.Int32",
        Type::Long => "System.Int64",
        Type::Real => "System.Double",
        Type::String => "System.String",
        Type::Timespan => "System.TimeSpan",
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, name, want) in [
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "a", false),
            ("*", "", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c", false),
        ] {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
    }
}
