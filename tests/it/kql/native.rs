//! Expressions column by column against the same row by row.
//!
//! The engine lowers what it can to expressions of DataFusion. Here every expression is run twice over the same odd rows: by the
//! engine, and by [`Compiled::eval`]. Which of the two is right is not asked.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array};
use coldtrail::catalog;
use coldtrail::engine::kql::Options;
use coldtrail::engine::{self, Session, Source};
use coldtrail::function::Env;
use coldtrail::function::value::{Type, Value};
use coldtrail::kql::ast::{Expr, ExprKind, LetValue, OperatorKind, StatementKind};
use coldtrail::kql::eval::{Compiled, Scope, compile};
use coldtrail::kql::parse;

use super::{NOW, STACK, THREADS};

/// Rows of the table: enough for every value, and for every pair of `l` and `m`.
const ROWS: usize = 40;
/// Expressions that are run in one query.
const TOGETHER: usize = 30;
/// One in so many conditions stands in a `where` too; all of them stand in an `iff`, which is planned like it.
const FILTERED: usize = 5;
/// Differences that are told.
const SHOWN: usize = 40;

/// Columns: name, type, after how many rows the next value comes, values.
const COLUMNS: &[(&str, &str, usize, &str)] = &[
    (
        "i",
        "int",
        1,
        "int(null) | int(0) | int(5) | int(-1) | int(2147483647) | int(-2147483648)",
    ),
    (
        "l",
        "long",
        1,
        "long(null) | 0 | 1 | 5 | -1 | 9223372036854775807 | long(-9223372036854775808)",
    ),
    ("m", "long", 1, "long(null) | 1 | 5 | -1 | 2147483648"),
    (
        "x",
        "real",
        1,
        "real(null) | 0.0 | -0.0 | 1.5 | real(nan) | real(+inf) | real(-inf) | 5.0",
    ),
    (
        "z",
        "decimal",
        1,
        "decimal(null) | decimal(1.5) | decimal(0)",
    ),
    ("b", "bool", 1, "bool(null) | true | false"),
    ("c", "bool", 3, "bool(null) | true | false"),
    (
        "s",
        "string",
        1,
        "'' | 'a' | 'A' | ' ' | '5' | 'true' | 'null' | 'a b-c' | 'É a' | '1' | '{}'",
    ),
    ("u", "string", 1, "'a' | '' | 'b' | '5' | 'É'"),
    ("j", "string", 1, JSON),
    ("d", "dynamic", 1, DYNAMIC),
    (
        "t",
        "datetime",
        1,
        "datetime(null) | datetime(2026-06-01) | datetime(2026-06-01 00:00:00.0000005)
        | datetime(2026-06-01 00:00:00.0000010) | datetime(0001-01-01)
        | datetime(9999-12-31 23:59:59.9999999) | datetime(2026-05-31 23:59:59.9999999)",
    ),
    (
        "v",
        "datetime",
        1,
        "datetime(2026-06-01) | datetime(null) | datetime(2026-06-01 00:00:00.0000005)",
    ),
    ("p", "timespan", 1, "time(null) | 0s | 1d | -1h | 1tick"),
    ("q", "timespan", 1, "1d | time(null) | 0s"),
    (
        "g",
        "guid",
        1,
        "guid(null) | guid(01234567-89ab-cdef-0123-456789abcdef)",
    ),
];

/// Texts that are JSON, or nearly.
const JSON: &str = r#"'' | '  ' | 'null' | ' null ' | '{}' | '[]' | '{"a":1,"b":{"c":"x"}}' | '{ "a" : "A" , "b" : [ ] }'
    | '{"a":null}' | '{"a":"","b":[1]}' | @'{"a":"x\ty","b":"\u00e9"}' | @'{"a":"say \"hi\"","b":{"c":"\/"}}'
    | '{"a":1.50,"b":[1, 2.0, {"c":null}]}' | '{"a":1,"a":"two","b":{"c":1},"b":{"d":2}}' | @'{"\u0061":7,"b":"a"}'
    | '{"a":true,"b":false}' | '{"a":[],"b":["a","A"]}' | '{"a":"5","b":5}' | '{"a":12345678901234567890,"b":-0}'
    | '{"b.c":1,"1":"one","":"none"}' | @'{"a":"{\"a\":5}","b":"[1, 2]"}' | '{"a":" null ","b":" "}' | '[1,2,3]'
    | '[[1],{"c":"a"},"a"]' | '"a"' | @'"{\"a\":5}"' | '" "' | '""' | '5' | '1e3' | 'true' | '-0' | 'no json'
    | '{"a":1' | '1,2' | '[1]]' | '{"a":"\u0001d5","b":"\u0001"}'"#;

/// Values of every kind.
const DYNAMIC: &str = r#"dynamic(null) | dynamic({}) | dynamic([]) | dynamic({"a":1,"b":{"c":"a"}})
    | dynamic({"a":"a","b":[1,"a",null]}) | dynamic({"a":"A","b":{"c":null},"b.c":"x","1":"one","true":1})
    | dynamic({"a":"","b":""}) | dynamic({"a":true,"b":1.5}) | dynamic({"a":[1],"b":"x y"}) | dynamic({"a":"{\"a\":5}"})
    | dynamic([1,2,3]) | dynamic([{"c":"a"},{"c":5}]) | dynamic(["A"]) | dynamic('a') | dynamic('') | dynamic(' ')
    | dynamic('null') | dynamic('5') | dynamic(5) | dynamic(1.5) | dynamic(true)
    | dynamic("{\"a\":5,\"b\":{\"c\":\"a\"}}") | dynamic("say \"hi\"")
    | dynamic({"a":datetime(2026-06-01),"b":{"c":guid(01234567-89ab-cdef-0123-456789abcdef)}}) | dynamic([1d,1h])"#;

/// Functions of the query.
const FUNCTIONS: &str = "let f1 = (a:string) { tostring(parse_json(a).a) };
let f2 = (a:string, k:long) { tostring(a) has 'a' and k > 1 };
let f3 = (a:dynamic, k:string) { tostring(a[k]) };
let f4 = (a:string) { let y = strcat(a, 'x'); strcat(tostring(y), tostring(parse_json(a).b.c)) };
let f5 = (a:string) { f1(f4(a)) };
let f6 = (a:dynamic) { a.b };
";

/// A table in which expressions are run.
struct Table<'s> {
    session: &'s Session,
    /// What gives it.
    source: &'s str,
    /// The column that no two rows share.
    key: &'s str,
    columns: Vec<(String, Type)>,
    rows: Vec<Vec<Value>>,
}

fn options() -> Options {
    Options {
        now: NOW,
        ..Options::default()
    }
}

fn env() -> Env {
    Env {
        now: NOW,
        ..Env::default()
    }
}

impl<'s> Table<'s> {
    fn new(session: &'s Session, source: &'s str, key: &'s str) -> Table<'s> {
        let answer = session
            .kql(source, &options())
            .unwrap_or_else(|error| panic!("{source}: {error}"));
        Table {
            session,
            source,
            key,
            columns: answer.columns,
            rows: answer.rows,
        }
    }

    /// The expressions of `project` and `where` in the operators of a query.
    fn compiled(&self, operators: &str) -> Vec<Compiled> {
        let text = format!("{FUNCTIONS}T | {operators}");
        let (tree, faults) = parse(&text);
        assert!(faults.is_empty(), "{operators}: {faults:?}");
        let mut functions = HashMap::new();
        let mut found = Vec::new();
        for statement in &tree.statements {
            match &statement.kind {
                StatementKind::Let {
                    name,
                    value: LetValue::Function(function),
                } => {
                    functions.insert(name.text.clone(), function);
                }
                StatementKind::Query(Expr {
                    kind: ExprKind::Pipeline(pipeline),
                    ..
                }) => {
                    for operator in &pipeline.operators {
                        match &operator.kind {
                            OperatorKind::Project(items) => {
                                found.extend(items.iter().map(|item| &item.expr));
                            }
                            OperatorKind::Where(condition) => found.push(condition),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        let env = env();
        let scope = Scope {
            columns: &self.columns,
            functions: &functions,
            env: &env,
            ..Scope::default()
        };
        found
            .into_iter()
            .map(|expr| {
                compile(expr, &scope).unwrap_or_else(|faults| panic!("{operators}: {faults:?}"))
            })
            .collect()
    }

    fn ask(&self, operators: &str) -> Result<Vec<Vec<Value>>, String> {
        let query = format!("{FUNCTIONS}{} | {operators}", self.source);
        let answer = catch_unwind(AssertUnwindSafe(|| self.session.kql(&query, &options())));
        let answer = answer.map_err(|_| format!("`{operators}` panics\n"))?;
        let answer = answer.map_err(|error| format!("`{operators}` fails: {error}\n"))?;
        Ok(answer.rows)
    }

    /// A row by its key, and all its values.
    fn row(&self, key: &str) -> String {
        let at = self.columns.iter().position(|(name, _)| name == self.key);
        let row = self
            .rows
            .iter()
            .find(|row| at.and_then(|at| row.get(at)).map(Value::show).as_deref() == Some(key));
        let cells = self.columns.iter().zip(row.into_iter().flatten());
        cells
            .filter(|(_, value)| !value.is_null())
            .map(|((name, _), value)| format!("{name} = {value:?}; "))
            .collect()
    }

    /// Differences between the values of expressions.
    fn values(&self, expressions: &[String]) -> String {
        let named: Vec<String> = expressions
            .iter()
            .enumerate()
            .map(|(at, expression)| format!("r{at} = {expression}"))
            .collect();
        let operators = format!("project {}, {}", self.key, named.join(", "));
        let compiled = self.compiled(&operators);
        let found = match self.ask(&operators) {
            Ok(found) => found,
            Err(error) => return error,
        };
        let found: HashMap<String, Vec<Value>> = found
            .into_iter()
            .map(|row| (row.first().map(Value::show).unwrap_or_default(), row))
            .collect();
        let mut told = String::new();
        if found.len() != self.rows.len() {
            let (found, wanted) = (found.len(), self.rows.len());
            writeln!(told, "`{operators}` gives {found} rows, not {wanted}")
                .expect("text takes text");
        }
        for row in &self.rows {
            let wanted: Vec<Value> = compiled.iter().map(|c| c.eval(&env(), row)).collect();
            let key = wanted.first().map(Value::show).unwrap_or_default();
            let Some(found) = found.get(&key) else {
                continue;
            };
            for (at, expression) in expressions.iter().enumerate() {
                // As text: NaN is itself there, and zero has its sign.
                let [found, wanted] = [found, &wanted].map(|row| format!("{:?}", row.get(at + 1)));
                if found != wanted {
                    let row = self.row(&key);
                    writeln!(
                        told,
                        "{expression}\n  gives {found}\n  not   {wanted}\n  row   {row}"
                    )
                    .expect("text takes text");
                }
            }
        }
        told
    }

    /// Differences between the rows that a condition keeps.
    fn kept(&self, condition: &str) -> String {
        let operators = format!("where {condition} | project {}", self.key);
        let compiled = self.compiled(&operators);
        let [condition, key] = compiled.as_slice() else {
            return format!("`{operators}` has other expressions\n");
        };
        let shown = |value: Value| value.show();
        let wanted: BTreeSet<String> = self
            .rows
            .iter()
            .filter(|row| condition.holds(&env(), row))
            .map(|row| shown(key.eval(&env(), row)))
            .collect();
        let found: BTreeSet<String> = match self.ask(&operators) {
            Ok(found) => found.into_iter().flatten().map(shown).collect(),
            Err(error) => return error,
        };
        let mut told = String::new();
        for (what, rows) in [
            ("keeps", found.difference(&wanted)),
            ("drops", wanted.difference(&found)),
        ] {
            for key in rows {
                let row = self.row(key);
                writeln!(told, "`{operators}`\n  {what} row {row}").expect("text takes text");
            }
        }
        told
    }

    /// Runs expressions; conditions in several places too.
    fn check(&self, expressions: &[String]) -> String {
        let mut values = Vec::new();
        let mut conditions = Vec::new();
        for (at, e) in expressions.iter().enumerate() {
            values.push(e.clone());
            let compiled = self.compiled(&format!("project {e}"));
            if compiled.first().map(|c| c.ty) == Some(Type::Bool) {
                values.extend([
                    format!("not({e})"),
                    format!("({e}) and b"),
                    format!("b or ({e})"),
                    format!("iff({e}, 1, 2)"),
                    format!("isnull({e})"),
                ]);
                if at % FILTERED == 0 {
                    conditions.push(match at / FILTERED % 4 {
                        0 | 1 => e.clone(),
                        2 => format!("not({e})"),
                        _ => format!("({e}) or not(c and ({e}))"),
                    });
                }
            }
        }
        let values = values.chunks(TOGETHER).map(|chunk| self.values(chunk));
        values
            .chain(conditions.iter().map(|c| self.kept(c)))
            .collect()
    }
}

/// The parts of a text between bars.
fn parts(text: &str) -> Vec<&str> {
    text.split('|').map(str::trim).collect()
}

/// The table as it is written in the query, `n` counting its rows.
fn datatable() -> String {
    let schema = COLUMNS.iter().map(|(name, ty, ..)| format!("{name}:{ty}"));
    let schema: Vec<String> = std::iter::once("n:long".to_owned()).chain(schema).collect();
    let rows: Vec<String> = (0..ROWS)
        .map(|row| {
            let values = COLUMNS.iter().map(|(_, _, every, values)| {
                let values = parts(values);
                values[row / every % values.len()]
            });
            format!("{row}, {}", values.collect::<Vec<_>>().join(", "))
        })
        .collect();
    format!("datatable({})[\n{}]", schema.join(", "), rows.join(",\n"))
}

/// Every pattern with every value in the place of `$`.
fn each(patterns: &str, values: &str) -> Vec<String> {
    let mut all = Vec::new();
    for value in parts(values) {
        all.extend(
            parts(patterns)
                .iter()
                .map(|pattern| pattern.replace('$', value)),
        );
    }
    all
}

/// Every operator between every left and every right side.
fn both(lefts: &str, operators: &str, rights: &str) -> Vec<String> {
    let mut all = Vec::new();
    for left in parts(lefts) {
        for operator in operators.split(' ') {
            all.extend(
                parts(rights)
                    .iter()
                    .map(|right| format!("{left} {operator} {right}")),
            );
        }
    }
    all
}

const COMPARE: &str = "== != < <= > >=";
const TIMES: &str = "datetime(2026-06-01) | datetime(2026-06-01 00:00:00.0000005) | datetime(2026-05-31 23:59:59.9999999)
    | datetime(2026-06-01 00:00:00.0000010) | datetime(0001-01-01) | datetime(9999-12-31 23:59:59.9999999) | datetime(null)";

fn comparisons() -> Vec<String> {
    let whole = "0 | int(5) | 2147483648 | -2147483649 | 9223372036854775807 | long(null) | int(null) | 1.5 | real(nan)
        | true | m | x | b | (m + 0)";
    [
        both("i | l", COMPARE, whole),
        both("x | z", COMPARE, "0 | 1.5 | real(nan) | l | z"),
        both("b", COMPARE, "true | false | bool(null) | c | 1 | l"),
        both("t", COMPARE, TIMES),
        both("t", COMPARE, "v | now() | ago(1d) | todatetime(s)"),
        both("p", COMPARE, "0s | 1d | time(null) | q | (t - v)"),
        both("g", "== !=", "guid(null) | tostring(g) | s"),
        both(
            "s | tolower(s) | tostring(l)",
            "== !=",
            "'' | 'a' | '5' | u | 5 | l | true | b | x | tolower(u) | d.a",
        ),
        // The constant stands first.
        both("5 | int(5) | long(null)", COMPARE, "i | l"),
        both("datetime(2026-06-01 00:00:00.0000005)", COMPARE, "t"),
        both("'a' | '' | 5", "== !=", "s | d | d.a | parse_json(j).a"),
    ]
    .concat()
}

fn conditions() -> Vec<String> {
    let simple = "b | c | l == 1 | l != m | l < m | t > v | s == '' | d has 'a'";
    [
        both(simple, "and or", simple),
        both("b | d | d.a | parse_json(j).a", "and or", "d | d.a | c"),
        each(
            "not($) | isnull($) | iff($, s, u) | iff($, d, d.a) | not(not($)) or c",
            "b | b and c | b or c | l == m | l < m | t > v | d.a | isnull(l) | s in (u)",
        ),
        each(
            "$",
            "iff(b, i, int(3)) | iff(b, l, i) | iff(b, x, real(nan)) | iff(b, z, decimal(2)) | iff(b, t, v)
            | iff(b, p, time(null)) | iff(b, g, guid(null)) | iff(b, c, bool(null)) | iff(b, d, dynamic(null))
            | iff(b, d, dynamic({'a': 1})) | iff(b, d, dynamic({'a': 1})).a | iff(b, s, tostring(d.a)) == 'a'
            | iff(b, '', 'a') == '' | iff(b, true, c) | iff(b, c, true) and not(iff(c, b, false))
            | case(b, s, c, u, '') | case(l == 1, d, l < m, d.b, parse_json(j)) | case(d, 1, d.a, 2, b, 3, 4)
            | case(b, 1, c, 2.5, 3) | case(b, c, c, b, l == 5, bool(null), true)
            | case(s == 'a', 'x', s == 'b', 'y', s in ('5', 'A'), 'z', s)
            | case(isempty(s), long(null), b, l, m) > 0 | iff(iff(b, c, bool(null)), l, m) between (0 .. 5)",
        ),
    ]
    .concat()
}

fn ranges() -> Vec<String> {
    let whole = "(0 .. 5) | (5 .. 0) | (int(0) .. 2147483648) | (long(null) .. 5) | (0 .. long(null)) | (m .. 5) | (0 .. m)
        | (0.5 .. 5) | (0 .. real(nan))";
    let times = "(datetime(2026-06-01) .. datetime(2026-06-01 00:00:00.0000010))
        | (datetime(2026-06-01 00:00:00.0000005) .. datetime(2026-06-01 00:00:00.0000005))
        | (datetime(2026-06-01) .. 1tick) | (datetime(2026-06-01) .. -1d) | (datetime(9999-12-31) .. 10d)
        | (datetime(null) .. 1d) | (datetime(2026-06-01) .. time(null)) | (datetime(2026-06-01) .. datetime(null))
        | (ago(1d) .. now()) | (v .. 1d) | (v .. q)";
    let operators = "between !between";
    [
        both("i | l | x | tolong(d.a) | (l + 0)", operators, whole),
        both("t | todatetime(s)", operators, times),
        both(
            "p",
            operators,
            "(0s .. 1d) | (time(null) .. 1d) | (q .. 1d)",
        ),
        both("now()", operators, "(t .. v) | (t .. 1d)"),
        both("5", operators, "(l .. m) | (0 .. m)"),
    ]
    .concat()
}

fn texts() -> Vec<String> {
    let operators = "has !has has_cs !has_cs hasprefix !hasprefix_cs hassuffix contains !contains contains_cs startswith \
        !startswith startswith_cs endswith !endswith_cs =~ !~";
    let lists = "('a') | ('') | ('a', '5', '', 'A') | ('a', 5) | (5, 1.5, true) | ('true', 'False', '1') | (u, 'A')
        | (dynamic(['a', 5, null])) | (dynamic([])) | ('[\"A\"]', '[\"a\"]', '[]') | (range(0, 40, 1), 'a') | ('É', 'é')";
    [
        both("s | d", operators, "'' | 'a' | 'É' | '-' | ' ' | '5'"),
        both("s | d.a", operators, "u"),
        // A bar parts expressions here, so that patterns have none.
        both(
            "s | d | d.a",
            "matches",
            "regex '' | regex '^a?$' | regex '[0-9]'",
        ),
        both(
            "s | d | tolower(s) | d.a",
            "in !in in~ !in~ has_any has_all",
            lists,
        ),
        both(
            "l | i | x | b | t | p | g",
            "in !in",
            "(dynamic([1, 5, null])) | (tostring(l), tostring(b), tostring(t))",
        ),
        both("l | i", "in !in", "(1, 5) | (long(null), 5) | (m, 0)"),
    ]
    .concat()
}

fn tests_for_nothing() -> Vec<String> {
    let columns: Vec<&str> = COLUMNS.iter().map(|(name, ..)| *name).collect();
    each(
        "isempty($) | isnotempty($) | notempty($) | isnull($) | isnotnull($) | notnull($) | tostring($) | tostring($) == ''
        | strlen(tostring($)) | strcat(tostring($), '-', tostring(d.a)) | isnull(iff(b, $, $))",
        &columns.join("|"),
    )
}

fn paths() -> Vec<String> {
    each(
        "$ | tostring($) | strlen(tostring($)) | gettype($) | tolong($) | toreal($) > 1 | array_length($) | isempty($)
        | isnotempty($) | isnull($) | isnotnull($) | $ == 'a' | $ != 'a' | $ == '' | $ != ' ' | $ == 'null' | $ == 5
        | $ != 1.5 | $ == true | $ > 1 | $ < datetime(2026-06-01) | tostring($) == '' | tostring($) != 'a'
        | tostring($) == s | tostring($) in ('a', '', ' ') | $ in ('a', '5') | $ !in ('a', '') | $ in ('true', 'x')
        | $ in ('a', 5) | $ in~ ('A', 'X Y') | $ has 'a' | $ !has 'hi' | $ contains '' | $ !contains 'x' | $ =~ 'a'
        | $ startswith '{' | $ has_any ('a', 'hi') | $ has_all ('a', '1') | iff($, 1, 2) | iff($ == 'a', $, d)
        | coalesce(tostring($), s, 'none') | $ and b",
        "d | d.a | d.b.c | d['a'] | d['b.c'] | d[0] | d[-1] | d[-4] | d[1].c | d[int(1)] | d[9223372036854775807]
        | d[long(-9223372036854775808)] | d[1.5] | d[true] | d[dynamic('a')] | d[dynamic('1')] | d[dynamic(1)]
        | d[long(null)] | d[s] | d[l] | d.b[l] | d.b[1] | parse_json(j) | parse_json(j).a | todynamic(j).b.c
        | parse_json(j)[''] | parse_json(j)[0] | parse_json(j)[-1] | parse_json(j).b[1] | parse_json(j).b[2].c
        | parse_json(d).a | parse_json(d.a).a | parse_json(tostring(d)) | parse_json(tostring(d)).a
        | parse_json(tostring(d)).b.c | parse_json(tostring(d.a)).a | parse_json(tostring(parse_json(j)))
        | parse_json(tostring(parse_json(j))).a | parse_json(tostring(parse_json(j).a)).a
        | parse_json(tostring(parse_json(j).b))[0] | parse_json(strcat(j, ' ')).a | parse_json(iff(b, j, s)).a
        | parse_json(tostring(d[s]))[l] | f6(d) | f6(parse_json(j)).c",
    )
}

fn functions() -> Vec<String> {
    each(
        "$",
        "f1(j) | f1(tostring(d)) | f1(j) == 'A' | f2(s, l) | f2(tostring(d.a), tolong(d.a)) | f3(d, s) | f3(d, 'a')
        | f3(parse_json(j), u) | f4(s) | f4(j) | f5(j) | f1(f4(tostring(d))) | iff(b, f1(j), f4(s)) | f6(d).c == f1(j)
        | strcat(f1(j), tostring(parse_json(j).a), tostring(d.a)) | f2(s, l) and not(f2(u, m)) | now() - t > 1h
        | bin(t, 1h) == bin(v, 1h) | toupper(tostring(parse_json(j).a)) | extract('(.)', 1, tostring(d))
        | strcat(d.a, '-', l, '-', s) | bag_pack('k', d.a, 'n', l) | pack_array(d.a, parse_json(j).b)[1]
        | tostring(bag_pack('k', d).k)",
    )
}

/// Runs expressions by several threads.
fn differences(table: &Table<'_>, expressions: &[String]) -> String {
    let share = expressions.len().div_ceil(THREADS).max(1);
    std::thread::scope(|scope| {
        let work: Vec<_> = expressions
            .chunks(share)
            .map(|chunk| {
                std::thread::Builder::new()
                    .stack_size(STACK)
                    .spawn_scoped(scope, || table.check(chunk))
                    .expect("a thread can be started")
            })
            .collect();
        work.into_iter()
            .map(|work| work.join().expect("every expression can be compiled"))
            .collect()
    })
}

fn assert_none(told: &str) {
    let lines: Vec<&str> = told.lines().collect();
    let shown = lines
        .iter()
        .take(4 * SHOWN)
        .copied()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        lines.is_empty(),
        "{} lines of differences:\n{shown}",
        lines.len()
    );
}

#[test]
fn columns_give_what_rows_give() {
    let session = Session::open(Source::Memory(Vec::new()), &engine::Options::default())
        .expect("a session without tables");
    let source = datatable();
    let table = Table::new(&session, &source, "n");
    assert_eq!(table.rows.len(), ROWS);
    let expressions: Vec<String> = [
        comparisons(),
        conditions(),
        ranges(),
        texts(),
        tests_for_nothing(),
        paths(),
        functions(),
    ]
    .concat();
    assert_none(&differences(&table, &expressions));
}

/// Columns of the archive: times in microseconds, JSON as it came.
#[test]
fn stored_columns_give_what_rows_give() {
    const TEXTS: [Option<&str>; 17] = [
        None,
        Some(""),
        Some("  "),
        Some("null"),
        Some(" null "),
        Some(r#"{ "a" : "A" , "b" : 1.50 }"#),
        Some(r#"{"a":"a","b":{"c":5}}"#),
        Some(r#"{"a":1,"a":"two"}"#),
        Some(r#""a""#),
        Some(r#"" a ""#),
        Some(r#""{\"a\":5}""#),
        Some(r#"" null ""#),
        Some("{\"a\":\"\u{1}d5\"}"),
        Some("no json"),
        Some("\"open"),
        Some("[1, 2]"),
        Some(r#"{"a.b":"x","a":"say \"hi\""}"#),
    ];
    const MOMENTS: [Option<i64>; 5] = [
        None,
        Some(1_780_272_000_000_000),
        Some(1_780_272_000_000_001),
        Some(1_780_271_999_999_999),
        Some(-62_135_596_800_000_000),
    ];
    let stored = catalog::table("AADUserRiskEvents");
    let schema = stored.schema();
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        let rows = 0..TEXTS.len() * MOMENTS.len();
        match field.name().as_str() {
            "RequestId" => Arc::new(
                rows.map(|row| Some(row.to_string()))
                    .collect::<StringArray>(),
            ),
            "AdditionalInfo" => Arc::new(
                rows.map(|row| TEXTS[row % TEXTS.len()])
                    .collect::<StringArray>(),
            ),
            "RiskLevel" => {
                let levels = [None, Some(""), Some("high"), Some("High")];
                Arc::new(
                    rows.map(|row| levels[row % levels.len()])
                        .collect::<StringArray>(),
                )
            }
            "TimeGenerated" => {
                let times = rows.map(|row| MOMENTS[row % MOMENTS.len()]);
                Arc::new(
                    times
                        .collect::<TimestampMicrosecondArray>()
                        .with_timezone("UTC"),
                )
            }
            _ => new_null_array(field.data_type(), rows.len()),
        }
    });
    let batch = RecordBatch::try_new(stored.schema(), columns.collect()).expect("columns that fit");
    let session = Session::open(
        Source::Memory(vec![(stored, vec![batch])]),
        &engine::Options::default(),
    )
    .expect("a session with a table");
    // `b` and `c` stand in what is made of conditions.
    let source = "AADUserRiskEvents | extend b = RiskLevel has 'high', c = TimeGenerated == datetime(2026-06-01)";
    let table = Table::new(&session, source, "RequestId");
    assert_eq!(table.rows.len(), TEXTS.len() * MOMENTS.len());
    let all = [
        both("TimeGenerated", COMPARE, TIMES),
        both(
            "TimeGenerated",
            "between !between",
            "(datetime(2026-06-01) .. 1tick) | (datetime(2026-05-31 23:59:59.9999999) .. 2tick)
            | (datetime(2026-06-01 00:00:00.0000001) .. datetime(2026-06-01 00:00:00.0000009))",
        ),
        both("RiskLevel", "== != =~ has", "'' | 'high'"),
        both("RiskLevel", "in !in in~", "('high', '') | ('x')"),
        each(
            "$ | tostring($) | isempty($) | isnull($) | isnotnull($) | $ == 'a' | $ == 'null' | $ == '  ' | $ != ''
            | $ has 'a' | $ !contains 'a' | $ in ('a', 'no json') | $ in~ ('A') | coalesce(tostring($), 'none')",
            "RiskLevel | AdditionalInfo | AdditionalInfo.a | AdditionalInfo['a.b'] | AdditionalInfo.b.c | AdditionalInfo[-1]
            | parse_json(AdditionalInfo) | parse_json(tostring(AdditionalInfo)) | parse_json(tostring(AdditionalInfo)).a
            | parse_json(RiskLevel)",
        ),
        each(
            "$",
            "RiskLevel == 'high' and TimeGenerated > datetime(2026-06-01) | RiskLevel == 'x' or b",
        ),
    ]
    .concat();
    assert_none(&differences(&table, &all));
}

#[test]
fn random_values_are_drawn_once_for_every_row() {
    let session = Session::open(Source::Memory(Vec::new()), &engine::Options::default())
        .expect("a session without tables");
    for (operators, least, most) in [
        ("where rand() < 0.5", 1, 99),
        ("extend r = rand() | where r < 0.5 | where r >= 0.5", 0, 0),
        ("where tolong(rand(2)) between (1 .. 0)", 0, 0),
        ("extend r = tostring(new_guid()) | distinct r", 100, 100),
    ] {
        let query = format!("range n from 1 to 100 step 1 | {operators}");
        let answer = session.kql(&query, &options());
        let answer = answer.unwrap_or_else(|error| panic!("{query}: {error}"));
        let rows = answer.rows.len();
        assert!((least..=most).contains(&rows), "{query}: {rows} rows");
    }
}
