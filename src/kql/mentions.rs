//! The names that stand in a query: what it may read of its tables.
//!
//! Which name is a column, a function or a `let` is not known here; a name that is none of a column harms nobody. Texts and comments are
//! no names, unless the query takes a column by its name as a value.

use std::collections::HashSet;

use super::ast::operator::{
    FindColumn, JoinCondition, NamePattern, Ordered, ParsePart, SeriesRange,
};
use super::ast::{
    Call, Expr, ExprKind, Function, Json, JsonKind, LetValue, Literal, NamedExpr, Operator,
    OperatorKind, Parameter, ParameterType, Pipeline, Query, Schema, Source, Statement,
    StatementKind, Step, Type,
};
use super::library::Saved;
use super::special::Special;

/// A joined or united column has a number or a type behind its name; so many letters and words are taken off it.
const MOST_STEMS: usize = 6;

/// What a query and the saved functions that it calls mention.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mentions {
    names: HashSet<String>,
    /// Texts: names where a column is taken by a value.
    texts: HashSet<String>,
    by_value: bool,
    all_columns: bool,
    tables_as_values: bool,
    calls_saved: bool,
}

impl Mentions {
    /// What stands in a query, and in those of the saved functions that it calls.
    pub fn of(query: &Query, functions: &[Saved]) -> Mentions {
        let mut found = Mentions::default();
        found.statements(&query.statements);
        let mut others: Vec<&Saved> = functions.iter().collect();
        loop {
            if found.by_value {
                for text in std::mem::take(&mut found.texts) {
                    found.name(&text);
                }
            }
            let (called, rest): (Vec<&Saved>, Vec<&Saved>) = others
                .into_iter()
                .partition(|f| found.names.contains(&f.name));
            if called.is_empty() {
                return found;
            }
            found.calls_saved = true;
            for saved in called {
                found.function(&saved.function);
            }
            others = rest;
        }
    }

    /// Whether the query may mean a column of that name.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether it looks at columns that it does not name: `*`, `pack_all()`, `search`, `evaluate`, …
    pub fn all_columns(&self) -> bool {
        self.all_columns
    }

    /// Whether it asks a table for a value or a list, whose first column counts whatever its name.
    pub fn tables_as_values(&self) -> bool {
        self.tables_as_values
    }

    /// Whether it calls a saved function.
    pub fn calls_saved(&self) -> bool {
        self.calls_saved
    }

    fn name(&mut self, name: &str) {
        let mut rest = name;
        for _ in 0..MOST_STEMS {
            if rest.is_empty() || !self.names.insert(rest.to_string()) {
                return;
            }
            let typed = rest.rsplit_once('_');
            let typed = typed.filter(|(_, ty)| Type::named(ty).is_some());
            let numbered = rest.strip_suffix(|c: char| c.is_ascii_digit());
            match numbered.or(typed.map(|(stem, _)| stem)) {
                Some(stem) => rest = stem,
                None => return,
            }
        }
    }

    fn pattern(&mut self, pattern: &NamePattern) {
        match pattern.wildcard {
            true => self.all_columns = true,
            false => self.name(&pattern.name.text),
        }
    }

    fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            match &statement.kind {
                StatementKind::Let { name, value } => {
                    self.name(&name.text);
                    match value {
                        LetValue::Expr(expr) => self.expr(expr),
                        LetValue::Function(function) => self.function(function),
                        LetValue::EntityGroup(all) => self.exprs(all),
                    }
                }
                StatementKind::Set { value, .. } => self.exprs(value),
                StatementKind::QueryParameters(parameters) => self.parameters(parameters),
                StatementKind::Alias { target, .. } => self.expr(target),
                StatementKind::Restrict(all) => self.exprs(all),
                StatementKind::Pattern(_) => {}
                StatementKind::Query(expr) => self.expr(expr),
            }
        }
    }

    fn function(&mut self, function: &Function) {
        self.parameters(&function.parameters);
        self.statements(&function.body);
    }

    fn parameters(&mut self, parameters: &[Parameter]) {
        for parameter in parameters {
            self.name(&parameter.name.text);
            if let ParameterType::Table(schema) = &parameter.ty {
                self.schema(schema);
            }
            self.exprs(&parameter.default);
        }
    }

    fn schema(&mut self, schema: &Schema) {
        for column in &schema.columns {
            self.name(&column.name.text);
        }
    }

    fn exprs<'e>(&mut self, all: impl IntoIterator<Item = &'e Expr>) {
        for expr in all {
            self.expr(expr);
        }
    }

    fn items<'e>(&mut self, all: impl IntoIterator<Item = &'e NamedExpr>) {
        for item in all {
            for name in &item.names {
                self.name(&name.text);
            }
            self.expr(&item.expr);
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Literal(Literal::String(text)) => {
                self.texts.insert(text.clone());
            }
            ExprKind::Missing | ExprKind::Literal(_) | ExprKind::TypeOf(_) => {}
            ExprKind::Dynamic(json) => self.json(json),
            ExprKind::Name(name) => self.name(name),
            ExprKind::Wildcard(_) | ExprKind::Star => self.all_columns = true,
            ExprKind::Path { base, steps } => {
                self.expr(base);
                steps.iter().for_each(|step| self.step(step));
            }
            ExprKind::Call(call) => self.call(call),
            ExprKind::Sign { operand, .. } => self.expr(operand),
            ExprKind::Arithmetic { first, rest } => {
                self.expr(first);
                self.exprs(rest.iter().map(|(_, operand)| operand));
            }
            ExprKind::Compare { left, right, .. } | ExprKind::Match { left, right, .. } => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::In { left, list, .. } => {
                self.tables_as_values = true;
                self.expr(left);
                self.exprs(list);
            }
            ExprKind::Between {
                value, low, high, ..
            } => {
                self.expr(value);
                self.expr(low);
                self.expr(high);
            }
            ExprKind::And(all) | ExprKind::Or(all) => self.exprs(all),
            ExprKind::SchemaOf(schema) => self.schema(schema),
            ExprKind::DataTable(table) => {
                self.schema(&table.schema);
                self.exprs(&table.values);
            }
            ExprKind::ExternalData(data) => {
                self.schema(&data.schema);
                self.exprs(&data.addresses);
            }
            ExprKind::Pipeline(pipeline) => self.pipeline(pipeline),
        }
    }

    fn json(&mut self, json: &Json) {
        match &json.kind {
            JsonKind::Literal(Literal::String(text)) => {
                self.texts.insert(text.clone());
            }
            JsonKind::Null | JsonKind::Literal(_) => {}
            JsonKind::Array(all) => all.iter().for_each(|one| self.json(one)),
            JsonKind::Object(all) => all.iter().for_each(|(_, one)| self.json(one)),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Member(name) => self.name(&name.text),
            Step::Index(index) => match &index.kind {
                ExprKind::Literal(Literal::String(name)) => self.name(name),
                ExprKind::Literal(_) | ExprKind::Sign { .. } => {}
                _ => {
                    self.by_value = true;
                    self.expr(index);
                }
            },
            Step::Call(call) => self.call(call),
            Step::Wildcard(_) => self.all_columns = true,
        }
    }

    fn call(&mut self, call: &Call) {
        let function = call.name.text.as_str();
        self.name(function);
        match Special::named(function) {
            Some(Special::PackAll | Special::ColumnNames) => self.all_columns = true,
            Some(Special::ToScalar) => self.tables_as_values = true,
            // What the first argument names is a column, a table or a saved function.
            Some(Special::ColumnIfExists | Special::IsColumnExists | Special::TableNamed) => {
                let first = call.arguments.first().map(|a| &a.expr.kind);
                match first {
                    Some(ExprKind::Literal(Literal::String(name))) => self.name(name),
                    // The name may be put together: it can be that of any column.
                    _ => (self.by_value, self.all_columns) = (true, true),
                }
            }
            _ => {}
        }
        self.items(&call.arguments);
    }

    fn pipeline(&mut self, pipeline: &Pipeline) {
        match &pipeline.source {
            Source::Missing | Source::Context => {}
            Source::Expr(expr) => self.expr(expr),
            Source::Operator(operator) => self.operator(operator),
        }
        for operator in &pipeline.operators {
            self.operator(operator);
        }
    }

    fn ordered(&mut self, key: &Ordered) {
        self.items([&key.by]);
    }

    /// Long, since each operator has an arm.
    fn operator(&mut self, operator: &Operator) {
        self.exprs(operator.settings.iter().map(|s| &s.value));
        match &operator.kind {
            OperatorKind::Consume | OperatorKind::Render { .. } => {}
            OperatorKind::As(name) => self.name(&name.text),
            OperatorKind::Count(name) => {
                name.iter().for_each(|name| self.name(&name.text));
            }
            OperatorKind::AssertSchema(schema) => self.schema(schema),
            OperatorKind::Distinct(items)
            | OperatorKind::Extend(items)
            | OperatorKind::Print(items)
            | OperatorKind::Project(items)
            | OperatorKind::Serialize(items) => self.items(items),
            OperatorKind::Evaluate { call, schema } => {
                self.all_columns = true;
                self.call(call);
                schema.iter().for_each(|schema| self.schema(schema));
            }
            OperatorKind::Facet { columns, body } => {
                self.exprs(columns);
                body.iter().for_each(|body| self.pipeline(body));
            }
            OperatorKind::Find(find) => {
                self.all_columns = true;
                self.exprs(&find.tables);
                self.expr(&find.predicate);
                for column in find.project.iter().flatten().chain(&find.away) {
                    if let FindColumn::Column(name, _) = column {
                        self.name(&name.text);
                    }
                }
            }
            OperatorKind::Fork(branches) => {
                branches.iter().for_each(|b| self.pipeline(&b.body));
            }
            OperatorKind::GetSchema | OperatorKind::Unread => self.all_columns = true,
            OperatorKind::Invoke(expr) => {
                self.all_columns = true;
                self.expr(expr);
            }
            OperatorKind::Join { table, condition } | OperatorKind::Lookup { table, condition } => {
                self.expr(table);
                match condition {
                    Some(JoinCondition::On(all)) => self.exprs(all),
                    Some(JoinCondition::Where(expr)) => self.expr(expr),
                    None => {}
                }
            }
            OperatorKind::MakeSeries(make) => {
                for (item, default) in &make.series {
                    self.items([item]);
                    self.exprs(default);
                }
                self.items(std::iter::once(&make.on).chain(&make.by));
                match &make.range {
                    SeriesRange::Steps { from, to, step } => {
                        self.exprs(from.iter().chain(to).chain([step]));
                    }
                    SeriesRange::InRange { from, to, step } => self.exprs([from, to, step]),
                }
            }
            OperatorKind::MvApply {
                columns,
                limit,
                body,
            } => {
                self.items(columns.iter().map(|c| &c.item));
                self.exprs(limit);
                self.pipeline(body);
            }
            OperatorKind::MvExpand { columns, limit } => {
                self.items(columns.iter().map(|c| &c.item));
                self.exprs(limit);
            }
            OperatorKind::Parse {
                source, pattern, ..
            } => {
                self.expr(source);
                for part in pattern {
                    if let ParsePart::Column { name, .. } = part {
                        self.name(&name.text);
                    }
                }
            }
            OperatorKind::ParseKv { source, keys, .. } => {
                self.expr(source);
                self.schema(keys);
            }
            OperatorKind::Partition { by, scope, body } => {
                self.exprs(std::iter::once(by).chain(scope));
                self.pipeline(body);
            }
            OperatorKind::ProjectAway(patterns) | OperatorKind::ProjectKeep(patterns) => {
                patterns.iter().for_each(|pattern| self.pattern(pattern));
            }
            OperatorKind::ProjectByNames(all) => {
                self.by_value = true;
                self.exprs(all);
            }
            OperatorKind::ProjectRename(renames) => {
                for rename in renames {
                    self.name(&rename.from.text);
                    self.name(&rename.to.text);
                }
            }
            OperatorKind::ProjectReorder(items) => {
                items.iter().for_each(|item| self.pattern(&item.columns));
            }
            OperatorKind::Range {
                name,
                from,
                to,
                step,
            } => {
                self.name(&name.text);
                self.exprs([from, to, step]);
            }
            OperatorKind::Reduce { by, .. } => self.items([by]),
            OperatorKind::Sample(count) | OperatorKind::Take(count) => self.expr(count),
            OperatorKind::SampleDistinct { count, of } => {
                self.expr(count);
                self.items([of]);
            }
            OperatorKind::Scan(scan) => {
                scan.order.iter().for_each(|key| self.ordered(key));
                self.exprs(&scan.partition);
                self.parameters(&scan.declare);
                for step in &scan.steps {
                    self.expr(&step.condition);
                    for (name, value) in &step.assignments {
                        self.name(&name.text);
                        self.expr(value);
                    }
                }
            }
            OperatorKind::Search { tables, predicate } => {
                self.all_columns = true;
                self.exprs(tables);
                self.expr(predicate);
            }
            OperatorKind::Sort(keys) => keys.iter().for_each(|key| self.ordered(key)),
            OperatorKind::Summarize {
                aggregates,
                by,
                bin,
            } => {
                self.items(aggregates.iter().chain(by));
                self.exprs(bin);
            }
            OperatorKind::Top { count, by } => {
                self.expr(count);
                self.ordered(by);
            }
            OperatorKind::TopHitters { count, of, by } => {
                self.expr(count);
                self.items(std::iter::once(of).chain(by));
            }
            OperatorKind::TopNested(levels) => {
                for level in levels {
                    self.exprs(level.count.iter().chain(&level.others));
                    self.items([&level.of]);
                    self.ordered(&level.by);
                }
            }
            OperatorKind::Union(tables) => self.exprs(tables),
            OperatorKind::Where(predicate) => self.expr(predicate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kql::parse;

    fn mentions(text: &str) -> Mentions {
        let (tree, faults) = parse(text);
        assert_eq!(faults, [], "{text}");
        Mentions::of(&tree, &[])
    }

    #[test]
    fn a_name_is_named_whole_and_outside_of_texts_and_comments() {
        for (text, column, named) in [
            ("T | project AccountObjectId", "AccountObjectId", true),
            ("T | project AccountObjectId", "ObjectId", false),
            ("T | where a == 'ObjectId' // ObjectId", "ObjectId", false),
            ("T | project ['Object Id']", "Object Id", true),
            ("T | join (U) on $left.A == $right.B", "B", true),
            ("T | join (U) on k | project IPAddress1", "IPAddress", true),
            ("union T, U | project Port_long1", "Port", true),
            ("T | where R.a['b'].c == 1", "b", true),
            ("let k = 'b'; T | where R[k] == 1", "b", true),
            (
                "T | where isempty(column_ifexists('Extra', ''))",
                "Extra",
                true,
            ),
            (
                "let f = (n:string) { T | extend x = column_ifexists(n, '') }; f('Extra')",
                "Extra",
                true,
            ),
            (
                "T | make-series count() on At from ago(1d) to now() step 1h by Who",
                "Who",
                true,
            ),
            (
                "T | scan with (step s: Action == 'a' => x = s.Who;)",
                "Who",
                true,
            ),
            (
                "T | parse Raw with * 'a' Id:long | where R in ((U | project Other))",
                "Other",
                true,
            ),
        ] {
            assert_eq!(mentions(text).has(column), named, "{text} {column}");
        }
    }

    #[test]
    fn a_saved_function_that_is_not_called_names_nothing() {
        let saved = |name: &str, body: &str| Saved::new(name, "", body, "f.kql").expect("one");
        let functions = [
            saved("First", "Second | project a"),
            saved("Second", "T | project b, c"),
            saved("Third", "T | project d"),
        ];
        let of = |text: &str| Mentions::of(&parse(text).0, &functions);
        let first = of("First | count");
        let has = ["a", "b", "c", "d"].map(|name| first.has(name));
        assert_eq!(has, [true, true, true, false]);
        assert!(first.calls_saved());
        assert!(of("table('Third') | count").has("d"));
        assert!(!of("T | count").calls_saved());
    }

    #[test]
    fn a_long_name_is_cut_a_few_times_only() {
        let name = format!("a{}", "1".repeat(100_000));
        assert!(mentions(&format!("T | project {name}")).names.len() < 10);
    }
}
