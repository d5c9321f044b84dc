//! Runs examples: `let` tables, a `datatable`, and one operator.

use std::collections::{HashMap, HashSet};

use super::*;
use crate::function::Env;
use crate::function::aggregate;
use crate::function::value::{Json, Type, Value};
use crate::kql::ast::{
    Call as Tree, DataTable, Expr, ExprKind, LetValue, NamedExpr, OperatorKind, Pipeline, Source,
    StatementKind,
};
use crate::kql::eval::{self, Scope};
use crate::kql::naming::column_name;
use crate::kql::parse;
use crate::kql::span::Fault;

type Tables = HashMap<String, Rows>;

fn table(tree: &DataTable) -> Rows {
    let types: Vec<Type> = tree.schema.columns.iter().map(|c| c.ty.ty).collect();
    let value = |(expr, ty): (&Expr, &Type)| {
        let (value, _) = eval::constant(expr, &Scope::default(), &Env::default()).expect("value");
        value.fit(*ty)
    };
    let names = tree.schema.columns.iter().map(|c| c.name.text.clone());
    Rows {
        columns: names.zip(types.iter().copied()).collect(),
        rows: tree
            .values
            .chunks(types.len().max(1))
            .map(|row| row.iter().zip(&types).map(value).collect())
            .collect(),
    }
}

fn scalar(tree: &NamedExpr, input: &Rows) -> Given {
    let scope = Scope {
        columns: &input.columns,
        ..Scope::default()
    };
    let compiled = eval::compile(&tree.expr, &scope).expect("a scalar");
    if let Some(at) = compiled.as_column() {
        return Given::Column(at);
    }
    if let Some(value) = compiled.as_constant() {
        return Given::Constant(value.clone(), compiled.ty);
    }
    let values = input
        .rows
        .iter()
        .map(|row| compiled.eval(&Env::default(), row));
    let own = tree.names.first().map(|name| name.text.clone());
    Given::Computed {
        name: own.or_else(|| column_name(&tree.expr)).unwrap_or_default(),
        ty: compiled.ty,
        reads: compiled.columns(),
        values: values.collect(),
    }
}

fn given(tree: &NamedExpr, form: Form, input: &Rows, tables: &Tables, known: &[Argument]) -> Given {
    match (form, &tree.expr.kind) {
        (Form::Table, ExprKind::Name(name)) => Given::Table(tables[name].clone()),
        (Form::TableColumn, ExprKind::Name(name)) => {
            let Some(Given::Table(table)) = known.first().map(|a| &a.given) else {
                panic!("no table before `{name}`");
            };
            let at = table.columns.iter().position(|(known, _)| known == name);
            Given::Column(at.expect("a column of the table"))
        }
        (Form::Aggregate, ExprKind::Call(call)) => {
            let aggregate = aggregate::get(&call.name.text).expect("an aggregate");
            let arguments = call.arguments.iter().map(|tree| scalar(tree, input));
            Given::Aggregate(aggregate, arguments.collect())
        }
        _ => scalar(tree, input),
    }
}

fn arguments(plugin: &Plugin, call: &Tree, input: &Rows, tables: &Tables) -> Vec<Argument> {
    let mut known = Vec::new();
    for (at, tree) in call.arguments.iter().enumerate() {
        let label = tree.names.first().map(|name| name.text.clone());
        let form = plugin
            .parameter(at, label.as_deref())
            .expect("a parameter")
            .form;
        let given = given(tree, form, input, tables, &known);
        known.push(Argument { label, given });
    }
    known
}

fn pipeline(tree: &Pipeline, tables: &Tables) -> Result<Rows, Vec<Fault>> {
    let Source::Expr(source) = &tree.source else {
        panic!("no source");
    };
    let mut rows = match &source.kind {
        ExprKind::DataTable(tree) => table(tree),
        other => panic!("no datatable: {other:?}"),
    };
    for operator in &tree.operators {
        rows = match &operator.kind {
            OperatorKind::Evaluate { call, schema } => {
                let plugin = get(&call.name.text).expect("a plugin");
                let arguments = arguments(plugin, call, &rows, tables);
                let wrong = |message| vec![Fault::new(call.span, message)];
                let columns = plugin.schema(&rows.columns, &arguments).map_err(wrong)?;
                let made = plugin.run(&rows, &arguments).map_err(wrong)?;
                assert_eq!(columns.is_some(), plugin.columns == Columns::Fixed);
                assert_eq!(
                    columns.unwrap_or_else(|| made.columns.clone()),
                    made.columns
                );
                match schema {
                    None => made,
                    Some(schema) => {
                        let wanted = schema.columns.iter();
                        let wanted = wanted.map(|c| (c.name.text.clone(), c.ty.ty));
                        let star = schema.open.then_some(rows.columns.as_slice());
                        made.shaped(&wanted.collect::<Vec<_>>(), star)
                    }
                }
            }
            OperatorKind::Scan(tree) => {
                let id = operator.setting("with_match_id").map(|s| &s.value.kind);
                let id = match id {
                    Some(ExprKind::Name(name)) => Some(name.as_str()),
                    _ => None,
                };
                let scope = Scope {
                    columns: &rows.columns,
                    ..Scope::default()
                };
                let scan = scan::compile(tree, id, &scope, &Env::default())?;
                scan.run(&Env::default(), &rows.rows)
            }
            other => panic!("another operator: {other:?}"),
        };
        for row in &rows.rows {
            assert_eq!(row.len(), rows.columns.len());
            for (value, (name, ty)) in row.iter().zip(&rows.columns) {
                assert!(value.ty().is_none_or(|own| own == *ty), "{name}: {value:?}");
            }
        }
    }
    Ok(rows)
}

fn run(text: &str) -> Result<Rows, Vec<Fault>> {
    let (query, wrong) = parse(text);
    assert_eq!(wrong, [], "{text}");
    let mut tables = Tables::new();
    let mut rows = Rows::default();
    for statement in &query.statements {
        match &statement.kind {
            StatementKind::Let {
                name,
                value: LetValue::Expr(expr),
            } => {
                let ExprKind::DataTable(tree) = &expr.kind else {
                    panic!("no datatable: {expr:?}");
                };
                tables.insert(name.text.clone(), table(tree));
            }
            StatementKind::Query(expr) => match &expr.kind {
                ExprKind::Pipeline(tree) => rows = pipeline(tree, &tables)?,
                other => panic!("no pipeline: {other:?}"),
            },
            other => panic!("another statement: {other:?}"),
        }
    }
    Ok(rows)
}

/// The whole answer of a query, as an example has it.
pub(super) fn answer(text: &str) -> String {
    let rows = run(text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
    let names: Vec<&str> = rows.columns.iter().map(|(name, _)| name.as_str()).collect();
    let mut lines = vec![names.join(", ")];
    for row in &rows.rows {
        let cells: Vec<String> = row.iter().map(Value::show).collect();
        lines.push(cells.join(", "));
    }
    lines.join("; ")
}

/// What is wrong with a query.
pub(super) fn faults(text: &str) -> Vec<String> {
    match run(text) {
        Ok(_) => Vec::new(),
        Err(wrong) => wrong.into_iter().map(|fault| fault.message).collect(),
    }
}

#[test]
fn names_are_unique_and_examples_give_their_answers() {
    let mut names = HashSet::new();
    for plugin in all() {
        assert!(names.insert(plugin.name), "{} twice", plugin.name);
        assert!(plugin.doc.starts_with(plugin.name));
        assert!(plugin.example.contains(&format!("{}(", plugin.name)));
        assert_eq!(answer(plugin.example), plugin.answer, "{}", plugin.name);
    }
}

#[test]
fn labels_find_their_parameters() {
    let bags = r#"datatable(a:string, d:dynamic)["x", dynamic({"a": "y", "b": 1, "c": 2})]"#;
    let of = |call: &str| answer(&format!("{bags} | evaluate bag_unpack({call})"));
    assert_eq!(of("d, columnsConflict='keep_source'"), "a, b, c; x, 1, 2");
    assert_eq!(
        of("d, ignoredProperties=dynamic(['b']), columnsConflict='replace_source'"),
        "a, c; y, 2"
    );
}

#[test]
fn columns_that_a_query_writes_are_kept_in_its_order() {
    let bags = r#"datatable(d:dynamic, a:string)[dynamic({"b": 1, "c": 2.5}), "x"]"#;
    let of = |schema: &str| answer(&format!("{bags} | evaluate bag_unpack(d) : {schema}"));
    assert_eq!(of("(*, c:real, b:string)"), "a, c, b; x, 2.5, 1");
    assert_eq!(of("(z:long, b:long)"), "z, b; , 1");
}

#[test]
fn properties_of_several_types_are_dynamic() {
    let bags = r#"datatable(d:dynamic)[dynamic({"v": 1}), dynamic({"v": "x"}), dynamic({"v": null, "w": null}), dynamic(7)]"#;
    let rows = run(&format!("{bags} | evaluate bag_unpack(d)")).expect("rows");
    assert_eq!(rows.columns, [("v".to_owned(), Type::Dynamic)]);
    assert_eq!(rows.rows.len(), 4);
    let twice = r#"datatable(v:long, d:dynamic)[1, dynamic({"v": 1})] | evaluate bag_unpack(d)"#;
    assert_eq!(faults(twice).len(), 1);
}

#[test]
fn pivot_keeps_the_other_columns_or_those_named() {
    let table = r#"datatable(g:string, k:long, v:long)["a", 2, 5, "a", 1, 6, "b", 10, 7]"#;
    let of = |call: &str| answer(&format!("{table} | evaluate pivot({call})"));
    assert_eq!(of("k, sum(v)"), "g, 1, 2, 10; a, 6, 5, 0; b, 0, 0, 7");
    assert_eq!(of("k, max(v + 1), g"), "g, 1, 2, 10; a, 7, 6, ; b, , , 8");
    assert_eq!(of("g, make_list(v), k").lines().count(), 1);
    assert_eq!(of("g"), "k, v, a, b; 2, 5, 1, 0; 1, 6, 1, 0; 10, 7, 0, 1");
}

#[test]
fn lookups_give_all_networks_an_address_is_in() {
    let nets = r#"let nets = datatable(net:string, ip:string, site:string)["192.0.2.0/24", "x", "wide", "192.0.2.0/28", "y", "narrow", "no network", "z", "none"];"#;
    let of = |call: &str| {
        let ips = r#"datatable(ip:string, site:string)["192.0.2.9", "wide", "192.0.2.99", "narrow", "", "wide"]"#;
        answer(&format!(
            "{nets} {ips} | evaluate ipv4_lookup(nets, ip, net{call})"
        ))
    };
    assert_eq!(
        of(""),
        "ip, site, net, ip1, site1; 192.0.2.9, wide, 192.0.2.0/24, x, wide; \
         192.0.2.9, wide, 192.0.2.0/28, y, narrow; 192.0.2.99, narrow, 192.0.2.0/24, x, wide"
    );
    assert_eq!(
        of(", site"),
        "ip, site, net, ip1; 192.0.2.9, wide, 192.0.2.0/24, x"
    );
    assert_eq!(
        of(", site, true"),
        "ip, site, net, ip1; 192.0.2.9, wide, 192.0.2.0/24, x; 192.0.2.99, narrow, , ; , wide, , "
    );
}

#[test]
fn patterns_of_baskets_hold_all_that_their_rows_share() {
    let rows = r#"datatable(a:string, b:string, c:long, n:long)["x", "p", 1, 10, "x", "q", 1, 5, "y", "q", 2, 5, "x", "q", 2, 0]"#;
    assert_eq!(
        answer(&format!(
            "{rows} | evaluate basket(0.5, n, '~', '*', long(-1))"
        )),
        "SegmentId, Count, Percent, a, b, c; 0, 15, 75.0, x, *, 1; 1, 10, 50.0, x, p, 1; 2, 10, 50.0, *, q, -1"
    );
}

#[test]
fn sequences_are_within_their_limits() {
    let rows = r#"datatable(n:long, e:string)[1, "a", 2, "b", 4, "a", 5, "b", 9, "c"]"#;
    let of = |limits: &str| {
        answer(&format!(
            r#"{rows} | evaluate sequence_detect(n, {limits}, a=(e == "a"), b=(e == "b"), c=(e == "c"))"#
        ))
    };
    assert_eq!(of("4, 5"), "a_n, b_n, c_n, Duration; 4, 5, 9, 5");
    assert_eq!(
        of("4, 9"),
        "a_n, b_n, c_n, Duration; 1, 5, 9, 8; 4, 5, 9, 5"
    );
}

#[test]
fn documented_counts_of_activity() {
    let rows = r#"datatable(u:string, t:datetime)[
        "A", datetime(2017-08-01), "D", datetime(2017-08-01), "J", datetime(2017-08-01), "B", datetime(2017-08-01),
        "C", datetime(2017-08-02), "T", datetime(2017-08-02), "J", datetime(2017-08-02),
        "H", datetime(2017-08-03), "T", datetime(2017-08-03), "T", datetime(2017-08-03), "J", datetime(2017-08-03),
        "B", datetime(2017-08-03), "S", datetime(2017-08-03), "S", datetime(2017-08-04)]"#;
    let range = "datetime(2017-08-01), datetime(2017-08-04)";
    let of = |call: &str| {
        let answer = answer(&format!("{rows} | evaluate {call}"));
        let cells = answer.split("; ").skip(1).map(|row| row.split_once(", "));
        cells
            .flatten()
            .map(|(_, counts)| counts.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of(&format!("activity_counts_metrics(u, t, {range}, 1d)")),
        ["4, 4, 4, 4", "3, 3, 2, 6", "6, 5, 2, 8", "1, 1, 0, 8"]
    );
    assert_eq!(
        of(&format!("sliding_window_counts(u, t, {range}, 2d, 1d)")),
        ["4, 4", "7, 6", "9, 6", "7, 5"]
    );
    assert_eq!(
        of(&format!(
            "activity_counts_metrics(u, t, {range}, 'month', u)"
        ))
        .len(),
        8
    );
}

/// Every plugin takes everything: the wrong number of arguments, columns that are not there, odd values.
#[test]
fn no_argument_makes_a_plugin_panic() {
    let odd = [
        Value::Null,
        Value::Long(i64::MIN),
        Value::Long(i64::MAX),
        Value::Long(3),
        Value::Real(f64::NAN),
        Value::from("é/33"),
        Value::DateTime(0),
        Value::DateTime(crate::function::value::MAX_DATETIME_TICKS),
        Value::Timespan(i64::MIN),
        Value::Timespan(i64::MAX),
        Value::Bool(true),
        Value::dynamic(Json::parse(r#"{"":1,"a":[null]}"#).unwrap_or_default()),
    ];
    let ty = |value: &Value| value.ty().unwrap_or(Type::Long);
    let columns = odd
        .iter()
        .enumerate()
        .map(|(i, v)| (format!("c{i}"), ty(v)));
    let input = Rows {
        columns: columns.collect(),
        rows: vec![odd.to_vec(), vec![Value::Null; odd.len()], odd.to_vec()],
    };
    let mut state: u64 = 42;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or(0) % below
    };
    for plugin in all() {
        for _ in 0..2000 {
            let count = next(10);
            let mut arguments = Vec::new();
            for at in 0..count {
                let value = &odd[next(odd.len())];
                let form = plugin.parameter(at, None).map(|p| p.form);
                let given = match (form, next(4)) {
                    (Ok(Form::Table), 0..3) => Given::Table(input.clone()),
                    (Ok(Form::Aggregate), 0..3) => Given::Aggregate(
                        aggregate::get("sum").expect("sum"),
                        vec![Given::Column(next(odd.len() + 1))],
                    ),
                    (_, 0 | 1) => Given::Column(next(odd.len() + 1)),
                    (_, 2) => Given::Constant(value.clone(), ty(value)),
                    _ => Given::Computed {
                        name: String::new(),
                        ty: ty(value),
                        reads: vec![99],
                        values: vec![value.clone()],
                    },
                };
                arguments.push(Argument { label: None, given });
            }
            let _ = plugin.schema(&input.columns, &arguments);
            let _ = plugin.run(&input, &arguments);
        }
    }
}
