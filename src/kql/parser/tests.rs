//! Queries and what they are read as. Trees are shown as `(operator operand …)`.

mod shape;

use super::super::ast::{ExprKind, LetValue, Literal, OperatorKind, Statement, StatementKind};
use super::*;
use shape::{shape, show};

/// The tree of a query without faults.
fn query(text: &str) -> Query {
    let (query, faults) = parse(text);
    assert_eq!(faults, [], "{text}");
    query
}

/// Messages of all faults.
fn faults(text: &str) -> Vec<String> {
    let (_, faults) = parse(text);
    faults.into_iter().map(|fault| fault.message).collect()
}

fn only(text: &str) -> Expr {
    let mut statements = query(text).statements;
    let last = statements.pop().expect("there is a statement");
    match last.kind {
        StatementKind::Query(expr) => expr,
        other => panic!("not a query: {other:?}"),
    }
}

fn pipeline(text: &str) -> Pipeline {
    match only(text).kind {
        ExprKind::Pipeline(pipeline) => *pipeline,
        other => panic!("not a pipeline: {other:?}"),
    }
}

fn operator(text: &str) -> Operator {
    let mut pipeline = pipeline(text);
    pipeline.operators.pop().expect("there is an operator")
}

#[test]
fn operators_bind_as_in_kusto() {
    assert_eq!(
        shape("a or b and c == d + e * f has 'g'"),
        "(or a (and b (Equal c (d Add (e Multiply (Has f 'g'))))))"
    );
    assert_eq!(shape("a - b - c + d"), "(a Subtract b Subtract c Add d)");
    assert_eq!(shape("a * b + c / d"), "((a Multiply b) Add (c Divide d))");
    assert_eq!(shape("a - (b - c)"), "(a Subtract (b Subtract c))");
    assert_eq!(shape("a < b == c"), "(Equal (Less a b) c)");
    assert_eq!(shape("-a.b[0] * 2"), "(-a.b[0] Multiply 2)");
    assert_eq!(shape("a + b has 'x'"), "(a Add (Has b 'x'))");
    assert_eq!(shape("(a and b) and c or d or e"), "(or (and a b c) d e)");
    assert_eq!(shape("a in (1) and b"), "(and (In a [1]) b)");
    assert_eq!(shape("a + 1 in (b, c)"), "(In (a Add 1) [b c])");
}

#[test]
fn comparisons_do_not_chain() {
    let message = "expected `and`, `or` or the end of the condition, found";
    assert_eq!(faults("T | where a == b == c"), [format!("{message} `==`")]);
    assert_eq!(faults("T | where a < b < c"), [format!("{message} `<`")]);
    assert_eq!(
        faults("T | where a in (1) == true"),
        [format!("{message} `==`")]
    );
    assert_eq!(
        faults("T | where a has 'b' has 'c'"),
        [format!("{message} `has`")]
    );
    assert_eq!(faults("T | where a in (1) + 1"), [format!("{message} `+`")]);
}

#[test]
fn string_operators_know_case_and_negation() {
    assert_eq!(shape("a !contains_cs 'b'"), "(!Contains_cs a 'b')");
    assert_eq!(shape("a =~ 'b'"), "(Equal a 'b')");
    assert_eq!(shape("a !~ 'b'"), "(!Equal a 'b')");
    assert_eq!(shape("a matches regex @'\\d'"), "(Regex_cs a '\\d')");
    assert_eq!(shape("* has 'b'"), "(Has * 'b')");
    assert_eq!(
        shape("a hasprefix 'b' or a !hassuffix_cs 'c'"),
        "(or (HasPrefix a 'b') (!HasSuffix_cs a 'c'))"
    );
    assert_eq!(shape("a notcontains 'b'"), "(!Contains a 'b')");
}

#[test]
fn lists_hold_values_or_a_subquery() {
    assert_eq!(shape("a in~ ('x', f(y))"), "(In~ a ['x' f(y)])");
    assert_eq!(shape("a !in (T | project b)"), "(!In a [<T|project>])");
    assert_eq!(shape("a has_any ((T | take 1))"), "(HasAny a [<T|take>])");
    assert_eq!(shape("a has_all (dynamic(['x']))"), "(HasAll a [['x']])");
    assert_eq!(
        shape("a !between (1d .. f(2))"),
        "(!between a Timespan(864000000000) f(2))"
    );
}

#[test]
fn paths_are_lists_of_steps() {
    assert_eq!(
        shape("a.b['c d'].[\"e\"][0][-1][x + 1]"),
        "a.b.c d.e[0][-1][(x Add 1)]"
    );
    assert_eq!(
        shape("split(a, ',')[0].has.first"),
        "split(a, ',')[0].has.first"
    );
    assert_eq!(
        show(&only("cluster('c').database(\"d\").T")),
        "cluster('c').database('d').T"
    );
    assert_eq!(shape("a.b*2"), "(a.b Multiply 2)");
    assert_eq!(shape("['a b'] == ['c']"), "(Equal a b c)");
}

#[test]
fn arguments_may_have_names_and_be_stars() {
    assert_eq!(shape("f(x = 1, *, g())"), "f(x=1, *, g())");
    assert_eq!(
        shape("toscalar(T | count) > 1"),
        "(Greater toscalar(<T|count>) 1)"
    );
    assert_eq!(shape("f(typeof(string))"), "f(typeof(string))");
}

#[test]
fn literals_have_values() {
    assert_eq!(shape("'a' \"b\" h@'c'"), "'abc'");
    assert_eq!(
        shape("f(true, 1.5, 0xff, 2h)"),
        "f(Bool(true), Real(1.5), 255, Timespan(72000000000))"
    );
    assert_eq!(
        shape("f(datetime(2026-01-01), long(null), int(-7))"),
        "f(Typed(DateTime, \"2026-01-01\"), Null(Long), Int(-7))"
    );
    assert_eq!(
        shape(
            "dynamic({\"a\": [1, -2.5, null, true], 'b': dynamic({}), 'c': datetime(2026-01-01)})"
        ),
        "{a:[1 Real(-2.5) null Bool(true)] b:{} c:Typed(DateTime, \"2026-01-01\")}"
    );
    assert_eq!(
        shape("dynamic(-9223372036854775808)"),
        "-9223372036854775808"
    );
    assert_eq!(
        faults("print 9223372036854775808"),
        ["`9223372036854775808` does not fit into a long"]
    );
    assert_eq!(
        faults("print datetime(ago(1d))"),
        ["`ago(1d)` is no datetime"]
    );
}

#[test]
fn keywords_are_names_where_kusto_takes_them() {
    query(
        "T | extend has = 1, by = 2, title = 3, count = 4 | project kind, count, step, with, from, on, id",
    );
    query("T | project a.title, b.first, ['has']");
    query("T | summarize count = count() by kind | where kind == 'x' and count > 1");
    query("let limit = 5; T | take limit");
    query("T | where type == 'x' and source == 'y' | project timeline, views, queries");
    assert_eq!(
        faults("T | project has, first"),
        [
            "expected an expression, found the keyword `has`",
            "expected an expression, found the keyword `first`"
        ]
    );
    assert_eq!(
        faults("T | extend asc = 1"),
        ["expected a name, found the keyword `asc`"]
    );
}

#[test]
fn every_statement_is_read() {
    let text = "set notruncation; set maxmemory = 1000;\n\
        declare query_parameters(a:string = 'x', b:timespan = 1d);\n\
        alias database d = cluster('c').database('d');\n\
        restrict access to (database('d').*, T);\n\
        declare pattern p = (a:string)[b:string] { ('x').['y'] = { T | take 1 }; };\n\
        let s = 5; let t = T | take s; let ['odd name'] = 1;\n\
        let f = (T:(a:string, *), U:(*), n:long = 5) { let x = n; T | where a == x };\n\
        let v = view () { T }; let g = () { 1 };\n\
        let e = entity_group [database('a'), database('b')];\n\
        t | invoke f(1);";
    let kinds = query(text).statements;
    assert_eq!(kinds.len(), 14);
    let StatementKind::Let {
        value: LetValue::Function(function),
        ..
    } = &kinds[9].kind
    else {
        panic!("not a function: {:?}", kinds[9])
    };
    assert_eq!(function.parameters.len(), 3);
    assert_eq!(function.body.len(), 2);
}

#[test]
fn a_let_in_brackets_is_no_function() {
    let value = |text: &str| match query(text).statements.swap_remove(0).kind {
        StatementKind::Let {
            value: LetValue::Expr(expr),
            ..
        } => show(&expr),
        other => panic!("not a value: {other:?}"),
    };
    assert_eq!(value("let x = (1 + 2) * 3; T"), "((1 Add 2) Multiply 3)");
    assert_eq!(value("let x = (T | take 1) | take 2; x"), "<<T|take>|take>");
    assert_eq!(
        value("let x = materialize(T | take 1); x"),
        "materialize(<T|take>)"
    );
    assert_eq!(value("let x = union T, U | take 1; x"), "<union|take>");
}

#[test]
fn every_source_is_read() {
    for text in [
        "T",
        "['T b'] | take 1",
        "f(1) | take 1",
        "table('T') | take 1",
        "(T | take 1) | take 1",
        "print a = 1, 2",
        "range x from 1 to 10 step 1 | take 1",
        "print range(1, 10, 1)",
        "union withsource = S isfuzzy=true T*, (U | take 1), database('d').V*, *",
        "search in (T, U*) 'x' and a:'y' or b == 1",
        "search kind=case_sensitive *",
        "find withsource=S in (T, U) where a == 1 project a, b:string, pack(*)",
        "find 'x' project-smart",
        "evaluate f(1) | take 1",
        "datatable(a:long, b:string,)[1, 'x', -2, dynamic(null), real(nan),]",
        "datatable(a:long)[]",
        "externaldata(a:string)[@'https://x', h'y'] with (format='csv', ignoreFirstRecord=true)",
        "materialize(T) | take 1",
        "macro-expand E as X (X.T | take 1)",
    ] {
        query(text);
    }
}

#[test]
fn every_operator_is_read() {
    for text in [
        "as hint.materialized=true X",
        "assert-schema (a:string)",
        "consume",
        "count as n",
        "distinct *",
        "distinct hint.strategy=shuffle a, b",
        "evaluate hint.distribution=single bag_unpack(a, 'x') : (*, b:string)",
        "extend a = 1, (b, c) = f(x), d.e",
        "facet by a, b with (where c | take 1)",
        "facet by a with take 1",
        "filter a",
        "fork (where a | take 1) n = (take 2)",
        "getschema",
        "invoke f(1)",
        "join kind=leftouter hint.strategy=broadcast (U | take 1) on a, $left.b == $right.c",
        "join U on ['a b']",
        "lookup kind=inner U on a",
        "make-series n=count() default=0, avg(x) on t from ago(1d) to now() step 1h by a, b=c",
        "make-series count() on t in range(ago(1d), now(), 1h)",
        "make-series kind=nonempty count() on t step 1h",
        "mv-apply x = a to typeof(long) limit 5 on (where x > 1 | summarize count())",
        "mv-apply with_itemindex=i x on (top 1 by i)",
        "mv-expand kind=array with_itemindex=i a, b = c to typeof(string) limit 10",
        "mvexpand bagexpansion=array a",
        "order by a asc nulls first, b desc, c",
        "parse kind=regex flags=Ui a with * 'x' b:long @'\\d' c *",
        "parse-where kind=relaxed a with 'x' b",
        "parse-kv a as (x:string, y:long) with (pair_delimiter=',', kv_delimiter='=', greedy=true)",
        "partition hint.strategy=native by a (top 1 by b)",
        "partition by a { T | take 1 }",
        "project a = 1, b",
        "project",
        "project-away a, b*, *_c*, ['d e']",
        "project-by-names 'a', f()",
        "project-keep a*",
        "project-rename a = b, c = ['d e']",
        "project-reorder *, a desc, b* granny-asc",
        "reduce kind=source by a with threshold=0.1, characters='-'",
        "render timechart",
        "render barchart with (title='x', kind=stacked, ycolumns=a, b, xaxis=log, legend=hidden)",
        "render piechart title='x' by a, b",
        "sample 5",
        "sample-distinct 5 of a",
        "scan with_match_id=m order by a partition by b declare (x:long = 0) \
            with (step s optional output=last: a > 1 => x = s.x + 1, y = 2; step t: true;)",
        "search 'x'",
        "serialize a = row_number()",
        "serialize",
        "sort by a",
        "summarize",
        "summarize hint.shufflekey=a count(), n = dcount(b), (c, d) = arg_max(e, *) by f, g = bin(t, 1h)",
        "summarize by a",
        "summarize count() by t bin=1h",
        "take 5",
        "top 5 by a desc nulls last",
        "top-hitters 5 of a by b",
        "top-nested 2 of a with others='x' by sum(b), top-nested of c by max(d) asc",
        "union (U | take 1), V",
        "where a",
        "make-graph a --> b with U on c",
        "graph-match (a)-[e*1..3]->(b) where a.x == 1 project a.x | take 1",
    ] {
        query(&format!("T | {text}"));
    }
}

#[test]
fn settings_are_kept_with_their_values() {
    let join = operator("T | join kind=inner hint.shufflekey=a (U) on a");
    let names: Vec<&str> = join.settings.iter().map(|s| s.name.text.as_str()).collect();
    assert_eq!(names, ["kind", "hint.shufflekey"]);
    let kind = join.setting("kind").expect("it is there");
    assert_eq!(show(&kind.value), "inner");
    // Where columns can be named, only known words are settings.
    let summarize = operator("T | summarize kind = count()");
    assert!(summarize.settings.is_empty());
}

#[test]
fn all_faults_are_found_in_one_run() {
    let text = "let f = (a:strin) { T | where == 1 };\n\
        T | where a = 1 | extend b = | foo x | project c d\n\
        | where g(a b) and h(c d) | join (U | where) on x | take;\n\
        let y = ; T | order by";
    let expected = [
        "`strin` is not a type",
        "expected an expression, found `==`",
        "expected an operator, `,` or `|`, found `=`",
        "expected an expression, found `|`",
        "`foo` is not an operator",
        "expected an operator, `,` or `|`, found `d`",
        "expected `,` or `)`, found `b`",
        "expected `,` or `)`, found `d`",
        "expected an expression, found `)`",
        "expected an expression, found `;`",
        "expected an expression, found `;`",
        "expected an expression, found the end of the query",
    ];
    assert_eq!(faults(text), expected);
}

#[test]
fn what_could_be_read_stays_in_the_tree() {
    let (query, faults) = parse("T | where a == | take 5 | extend x = f(1 2)");
    assert_eq!(faults.len(), 2);
    let StatementKind::Query(expr) = &query.statements[0].kind else {
        panic!("not a query: {query:?}")
    };
    assert_eq!(show(expr), "<T|take|extend>");
}

#[test]
fn brackets_that_do_not_fit_are_reported_once() {
    assert_eq!(faults("T) | where a)"), ["`)` closes nothing"; 2]);
    assert_eq!(
        faults("T | where f(a | take 5"),
        ["expected `,` or `)`, found `|`"]
    );
    assert_eq!(
        faults("T | where (a] | take 5"),
        [
            "`]` closes nothing",
            "expected `,` or `)`, found the end of the query"
        ]
    );
    assert_eq!(
        faults("let a = f(1; let b = 2; b"),
        ["expected `,` or `)`, found `;`"]
    );
}

#[test]
fn a_forgotten_semicolon_or_pipe_is_named() {
    let (query, faults) = parse("let a = 1\nlet b = 2;\nT where a | take b");
    assert_eq!(query.statements.len(), 3);
    let messages: Vec<&str> = faults.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "expected `;` before the next statement, found `let`",
            "expected an operator or `|`, found `where`"
        ]
    );
    assert_eq!(
        faults[1].hint.as_deref(),
        Some("a `|` stands before each operator")
    );
}

#[test]
fn spans_name_what_was_written() {
    let text = "let ['é'] = 'ü'; T | where (a == 1) and b.c has 'ß' | take 5";
    let statements = query(text).statements;
    let texts: Vec<&str> = statements
        .iter()
        .map(|s: &Statement| s.span.of(text))
        .collect();
    assert_eq!(
        texts,
        [
            "let ['é'] = 'ü'",
            "T | where (a == 1) and b.c has 'ß' | take 5"
        ]
    );
    let operators = pipeline(text).operators;
    assert_eq!(operators[0].span.of(text), "where (a == 1) and b.c has 'ß'");
    let OperatorKind::Where(predicate) = &operators[0].kind else {
        panic!("not a `where`")
    };
    let ExprKind::And(both) = &predicate.kind else {
        panic!("not an `and`")
    };
    assert_eq!(both[0].span.of(text), "(a == 1)");
    assert_eq!(both[1].span.of(text), "b.c has 'ß'");
}

#[test]
fn deep_nesting_is_refused_within_the_stack() {
    let deep = |open: &str, middle: &str, close: &str| {
        const LEVELS: usize = 5_000;
        format!("{}{middle}{}", open.repeat(LEVELS), close.repeat(LEVELS))
    };
    let texts = [
        deep("(", "1", ")"),
        deep("(", "", ""),
        deep("f(", "1", ")"),
        deep("print x = a or b and c == d + e has toscalar(", "1", ")"),
        deep("T | join (", "T", ") on x"),
        deep("T | mv-apply x on (", "take 1", ")"),
        format!("T | {}", deep("facet by x with ", "take 1", "")),
        format!(
            "print {}",
            deep("toscalar(T | top-nested of x by ", "1", ")")
        ),
        format!(
            "print {}",
            deep("toscalar(T | make-series n = a or ", "1", " on t step 1)")
        ),
        deep("let f = () { ", "T", " };"),
        format!("print dynamic({})", deep("[", "1", "]")),
        format!("print dynamic({})", deep("{'a':", "1", "}")),
        format!("print {}", deep("a[", "1", "]")),
    ];
    // The stack of a test's thread, said here so that it holds wherever the test runs.
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let run = move || {
        for text in texts {
            let (query, faults) = parse(&text);
            let nested = |fault: &Fault| fault.message.contains("nest");
            assert!(faults.iter().any(nested), "{:?}", faults.first());
            drop(query.clone());
        }
    };
    let handle = thread.spawn(run).expect("a thread starts");
    handle.join().expect("the stack suffices");
}

#[test]
fn long_chains_make_flat_trees() {
    const TERMS: usize = 20_000;
    for text in [
        format!("T | where {}c", "a == 'x' or b and ".repeat(TERMS)),
        format!("T | where {}c", "a + b * ".repeat(TERMS)),
        format!("T | where a{}", ".b[0]".repeat(TERMS)),
        format!("T{}", " | where a".repeat(TERMS)),
        "let a = 1;".repeat(TERMS),
        format!("T | where a in ({}1)", "'x', ".repeat(TERMS)),
    ] {
        drop(query(&text));
    }
}

#[test]
fn faults_are_limited() {
    assert_eq!(faults(&"T | where;".repeat(1_000)).len(), MAX_FAULTS);
    assert_eq!(faults(&"# ".repeat(1_000)).len(), MAX_FAULTS);
}

#[test]
fn an_empty_query_has_no_statements() {
    for text in ["", " \n", "// only a comment", ";"] {
        assert_eq!(query(text).statements, []);
    }
}

#[test]
fn a_search_for_a_star_finds_every_row() {
    for text in ["T | search *", "T | search kind=case_sensitive *"] {
        let OperatorKind::Search { predicate, .. } = operator(text).kind else {
            panic!("{text}");
        };
        assert_eq!(predicate.kind, ExprKind::Literal(Literal::Bool(true)));
    }
}

#[test]
fn types_are_read_in_any_case() {
    query("T | mv-apply t to typeof(DateTime), y to typeof(Double) on (take 1)");
    query("datatable(a:String)['x']");
    assert_eq!(faults("datatable(a:Text)['x']"), ["`Text` is not a type"]);
}
