use super::super::ast::{OperatorKind, StatementKind};
use super::super::parse;
use super::*;

/// The expressions of `T | project …`.
fn expressions(text: &str) -> Vec<NamedExpr> {
    let text = format!("T | project {text}");
    let (mut query, faults) = parse(&text);
    assert_eq!(faults, [], "{text}");
    let pipeline = match query.statements.pop().map(|statement| statement.kind) {
        Some(StatementKind::Query(expr)) => match expr.kind {
            ExprKind::Pipeline(pipeline) => *pipeline,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    match pipeline
        .operators
        .into_iter()
        .next()
        .map(|found| found.kind)
    {
        Some(OperatorKind::Project(expressions)) => expressions,
        other => panic!("{other:?}"),
    }
}

/// Names of the expressions of a projection, `-` for none.
fn names(text: &str) -> String {
    let names = expressions(text).into_iter().map(|named| {
        let name = column_name(&named.expr);
        name.unwrap_or_else(|| "-".into())
    });
    names.collect::<Vec<_>>().join(" ")
}

fn call(text: &str) -> Call {
    match expressions(text).swap_remove(0).expr.kind {
        ExprKind::Call(call) => *call,
        other => panic!("{other:?}"),
    }
}

/// Names of the result columns of `arg_max` and its kin on a table with the columns a, b, c and d.
fn rows(text: &str, by: &[&str]) -> String {
    let columns = ["a", "b", "c", "d"].map(str::to_owned);
    let by: Vec<String> = by.iter().map(|&name| name.to_owned()).collect();
    let found = row_columns(&call(text), &columns, &by);
    let names: Vec<String> = found.into_iter().map(|(_, name)| name).collect();
    names.join(" ")
}

fn all(wanted: &[Option<&str>]) -> String {
    let mut names = Names::new();
    let names: Vec<String> = wanted.iter().map(|name| names.add(*name)).collect();
    names.join(" ")
}

#[test]
fn aggregates_have_a_prefix_and_the_name_of_their_argument() {
    assert_eq!(
        names("sum(v), avg(v), count(), countif(b)"),
        "sum_v avg_v count_ countif_b"
    );
    assert_eq!(
        names("countif(v > 15), sumif(v, v > 15)"),
        "countif_ sumif_v"
    );
    assert_eq!(names("avg(iif(v > 2, v * 10, v))"), "avg_");
    assert_eq!(
        names("make_list(v), make_list_with_nulls(v)"),
        "list_v list_v"
    );
    assert_eq!(names("make_set(i), make_set_if(i, b)"), "set_i set_i");
    assert_eq!(names("make_bag(p), dcountif(x, b)"), "bag_p dcountif_x");
    assert_eq!(
        names("variancepif(x, b), stdev(x)"),
        "variancepif_x stdev_x"
    );
    assert_eq!(names("sum(['count'])"), "sum_count");
    assert_eq!(names("take_anyif(x, b), binary_all_or(x)"), "x x");
    assert_eq!(names("covariancep(x, y)"), "covariancep_x_y");
    assert_eq!(names("dcount(tostring(a.b))"), "dcount_a_b");
}

#[test]
fn a_name_flows_through_some_functions_only() {
    assert_eq!(
        names("x, bin(x, 1h), tostring(x), startofday(x)"),
        "x x x x"
    );
    assert_eq!(names("bin(startofday(T), 1d), split(s, ',')"), "T s");
    assert_eq!(names("tolower(s), strcat(s, 'a'), iff(b, s, s)"), "- - -");
    assert_eq!(names("array_concat(a, b), max_of(a, b)"), "- -");
    assert_eq!(
        names("gettype(x), strlen(x), strlen('a')"),
        "type_x strlen_x strlen_"
    );
    assert_eq!(
        names("round(avg(x), 2), x + 1, -x, 1, 'a'"),
        "avg_x - - - -"
    );
    assert_eq!(names("make_datetime(x), make_datetime(x, 1, 2)"), "x -");
    assert_eq!(names("(x), max(d) - min(d), f(x)"), "x - -");
}

#[test]
fn a_path_is_joined_by_underscores() {
    assert_eq!(names("a.b.c, a.b[0].c, a['b c']"), "a_b_c a_b_0_c a_b c");
    assert_eq!(names("a[0], a[-1], a[i]"), "a_0 a_ a_");
    assert_eq!(names("split(s, ',')[0], parse_url(u).Host"), "s_0 Host");
    assert_eq!(names("tostring(parse_json(x).y)"), "x_y");
}

#[test]
fn column_ifexists_is_named_after_a_column_that_exists() {
    let expr = &expressions("column_ifexists('x', 1)")[0].expr;
    assert_eq!(column_name(expr), None);
    assert_eq!(
        column_name_among(expr, &|name| name == "x"),
        Some("x".into())
    );
}

#[test]
fn equal_names_get_numbers() {
    let countif = Some("countif_");
    assert_eq!(
        all(&[countif, countif, countif]),
        "countif_ countif_1 countif_2"
    );
    assert_eq!(all(&[None, None, None]), "Column1 Column2 Column3");
    assert_eq!(
        all(&[Some("Column1"), None, Some("x")]),
        "Column1 Column2 x"
    );
    assert_eq!(all(&[Some("v"), Some("v1"), Some("v")]), "v v1 v2");
    let recorded = ["k", "v", "w", "v", "w", "w", "v"].map(Some);
    assert_eq!(all(&recorded), "k v w v1 w1 w2 v2");
}

#[test]
fn columns_of_arg_max_are_its_arguments() {
    assert_eq!(rows("arg_max(a, b)", &[]), "a b");
    assert_eq!(rows("arg_max(b, *)", &["a"]), "b c d");
    assert_eq!(rows("arg_max(b, c, *)", &["a"]), "b c d");
    assert_eq!(rows("arg_max(a, a, b)", &["a"]), "a a b");
    assert_eq!(
        rows("arg_min(a + 1, b + 1, tostring(c))", &[]),
        "min_ min__arg1 c"
    );
    assert_eq!(rows("argmax(b, *)", &["a"]), "max_b max_b_c max_b_d");
    assert_eq!(rows("take_any(a), take_any(*)", &[]), "a");
    assert_eq!(rows("take_any(*)", &["b"]), "a c d");
    assert_eq!(rows("take_any(a + 1, b)", &[]), "any_arg0 b");
    assert_eq!(rows("any(a)", &[]), "any_a");
    assert_eq!(rows("any(*)", &["a"]), "any_b any_c any_d");
    let columns = ["a".to_owned(), "b".to_owned()];
    assert_eq!(
        row_columns(&call("arg_max(b, *)"), &columns, &[]),
        [
            (From::Argument(0), "b".to_owned()),
            (From::Column("a".into()), "a".to_owned()),
        ]
    );
}

#[test]
fn percentiles_are_named_after_what_they_are_of() {
    assert_eq!(
        percentile_name(&call("percentiles(x, 99.9)"), "99.9"),
        "percentile_x_99_9"
    );
    assert_eq!(
        percentile_name(&call("percentile(x + 1, 50)"), "50"),
        "percentile__50"
    );
    assert_eq!(names("percentilesw_array(L, n, 50)"), "percentiles_L");
}
