//! Tests of expressions as they are written.

use std::collections::HashMap;

use super::*;
use crate::function::{self, Clock};
use crate::kql::ast::{OperatorKind, StatementKind};
use crate::kql::parse;

/// What the expressions of these tests know of their surroundings.
static ENV: std::sync::LazyLock<Env> = std::sync::LazyLock::new(|| Env {
    now: 638_000_000_000_000_000,
    geography: Some(Arc::new(OnePlace)),
});

/// Knows where one address is.
struct OnePlace;

impl function::Geography for OnePlace {
    fn locate(&self, address: std::net::IpAddr) -> Option<function::Location> {
        (address.to_string() == "192.0.2.1").then(|| function::Location {
            country: "Freedonia".into(),
            ..function::Location::default()
        })
    }
}

/// The expression of `print x = …`, behind functions that the text defines.
fn compiled(text: &str, columns: &[(String, Type)]) -> Result<Compiled, Vec<Fault>> {
    compiled_with(text, columns, None)
}

fn compiled_with(
    text: &str,
    columns: &[(String, Type)],
    tables: Option<&dyn Tables>,
) -> Result<Compiled, Vec<Fault>> {
    let (query, faults) = parse(text);
    assert_eq!(faults, [], "{text}");
    let mut functions = HashMap::new();
    let mut constants = HashMap::new();
    for statement in &query.statements {
        let scope = Scope {
            columns,
            constants: &constants,
            functions: &functions,
            tables,
            env: &ENV,
            ..Scope::default()
        };
        match &statement.kind {
            StatementKind::Let {
                name,
                value: ast::LetValue::Function(function),
            } => {
                functions.insert(name.text.clone(), function);
            }
            StatementKind::Let {
                name,
                value: ast::LetValue::Expr(expr),
            } => {
                let value = constant(expr, &scope, &Env::default())?;
                constants.insert(name.text.clone(), value);
            }
            StatementKind::Query(Expr {
                kind: ExprKind::Pipeline(pipeline),
                ..
            }) => {
                let Source::Operator(operator) = &pipeline.source else {
                    panic!("{text}");
                };
                let OperatorKind::Print(items) = &operator.kind else {
                    panic!("{text}");
                };
                return compile(&items[0].expr, &scope);
            }
            _ => panic!("{text}"),
        }
    }
    panic!("{text}")
}

fn shown(text: &str) -> String {
    match compiled(text, &[]) {
        Ok(compiled) => compiled
            .eval(
                &Env {
                    now: 638_000_000_000_000_000,
                    ..Env::default()
                },
                &[],
            )
            .show(),
        Err(faults) => panic!("{text}: {faults:?}"),
    }
}

fn refused(text: &str) -> String {
    match compiled(text, &[]) {
        Ok(_) => panic!("{text} is accepted"),
        Err(faults) => faults[0].message.clone(),
    }
}

#[test]
fn a_time_of_day_is_one_of_today() {
    // Env of these tests: 2022-09-28T22:13:20Z
    for (literal, instant) in [
        ("datetime()", "2022-09-28T22:13:20.0000000Z"),
        ("datetime(8:00)", "2022-09-28T08:00:00.0000000Z"),
        ("datetime(23:59:59.5)", "2022-09-28T23:59:59.5000000Z"),
        ("datetime(2025, 6, 14)", "2025-06-14T00:00:00.0000000Z"),
    ] {
        assert_eq!(shown(&format!("print x = {literal}")), instant, "{literal}");
    }
    for wrong in ["datetime(25:00)", "datetime(1.08:00)", "datetime(8)"] {
        assert_eq!(
            refused(&format!("print x = {wrong}")),
            "this is no datetime"
        );
    }
}

#[test]
fn every_example_has_its_answer() {
    for function in function::all() {
        assert_eq!(
            shown(function.example),
            function.answer,
            "{}",
            function.example
        );
    }
}

#[test]
fn values_keep_the_type_that_was_promised() {
    for function in function::all() {
        let compiled =
            compiled(function.example, &[]).unwrap_or_else(|faults| panic!("{faults:?}"));
        let value = compiled.eval(
            &Env {
                now: 638_000_000_000_000_000,
                ..Env::default()
            },
            &[],
        );
        assert!(
            value.is_null() || value.ty() == Some(compiled.ty),
            "{}",
            function.example
        );
    }
}

#[test]
fn names_are_columns_constants_and_functions() {
    let columns = [
        ("a".to_owned(), Type::Long),
        ("Name".to_owned(), Type::String),
    ];
    let sum = compiled(
        "let f = (x:long, y:long = 10) { let z = x * 2; z + y }; print x = f(a) + f(1, 2)",
        &columns,
    );
    let sum = sum.unwrap_or_else(|faults| panic!("{faults:?}"));
    let row = [Value::Long(3), Value::from("n")];
    assert_eq!(sum.eval(&Env::default(), &row), Value::Long(20));
    let faults = compiled("print x = name == 'n'", &columns)
        .err()
        .unwrap_or_default();
    assert_eq!(faults[0].message, "no column or variable `name`");
    assert_eq!(faults[0].hint.as_deref(), Some("did you mean `Name`?"));
    let faults = compiled("print x = tolowr(Name)", &columns)
        .err()
        .unwrap_or_default();
    assert_eq!(faults[0].hint.as_deref(), Some("did you mean `tolower`?"));
    let packed =
        compiled("print x = pack_all()", &columns).unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(
        packed.eval(&Env::default(), &row).show(),
        r#"{"a":3,"Name":"n"}"#
    );
}

#[test]
fn arguments_of_functions_are_evaluated_where_they_stand() {
    let columns = [("a".to_owned(), Type::Long)];
    let text = "let g = (x:long) { x + 1 }; let f = (x:long, y:long) { let z = g(x) * g(y); z - y }; print v = f(a, f(a + 1, g(a)))";
    let nested = compiled(text, &columns).unwrap_or_else(|faults| panic!("{faults:?}"));
    // g(a)=3, f(3,3) = 4*4-3 = 13, f(2,13) = 3*14-13 = 29
    assert_eq!(
        nested.eval(&Env::default(), &[Value::Long(2)]),
        Value::Long(29)
    );
}

#[test]
fn a_function_that_calls_itself_is_refused() {
    assert!(refused("let f = (x:long) { f(x) }; print y = f(1)").contains("nest too deep"));
}

#[test]
fn deep_expressions_are_refused_before_the_stack_ends() {
    let nested = |depth: usize| format!("{}a{}", "strcat(".repeat(depth), ")".repeat(depth));
    let columns = [("a".to_owned(), Type::String)];
    let flat = compiled(&format!("print x = {}", nested(90)), &columns);
    let flat = flat.unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(flat.eval(&Env::default(), &["b".into()]), Value::from("b"));
    let mut text = "let f0 = (a:string) { a };".to_owned();
    for i in 1..30 {
        text += &format!("let f{i} = (a:string) {{ f{}({}) }};", i - 1, nested(80));
    }
    // Arguments nest in themselves only.
    let chain = compiled(&format!("{text} print x = f29(a)"), &columns);
    let chain = chain.unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(chain.eval(&Env::default(), &["b".into()]), Value::from("b"));
    // The calls stand inside the brackets of each body.
    let mut text = "let f0 = (a:string) { a };".to_owned();
    for i in 1..30 {
        let (open, close) = ("strcat(".repeat(80), ")".repeat(80));
        text += &format!("let f{i} = (a:string) {{ {open}f{}(a){close} }};", i - 1);
    }
    let faults = compiled(&format!("{text} print x = f29(a)"), &columns).err();
    assert!(faults.is_some_and(|faults| faults[0].message.contains("too deep")));
}

#[test]
fn a_star_stands_for_all_columns_that_are_searched() {
    let columns = [
        ("a".to_owned(), Type::String),
        ("n".to_owned(), Type::Long),
        ("d".to_owned(), Type::Dynamic),
    ];
    let star =
        compiled("print x = * has 'café'", &columns).unwrap_or_else(|faults| panic!("{faults:?}"));
    let row = |text: &str| {
        [
            Value::from(text),
            Value::Long(1),
            Value::dynamic(Json::Array(vec![Json::String("tea".into())])),
        ]
    };
    assert_eq!(
        star.eval(&Env::default(), &row("un CAFÉ")),
        Value::Bool(true)
    );
    assert_eq!(star.eval(&Env::default(), &row("no")), Value::Bool(false));
    let star =
        compiled("print x = * has '1'", &columns).unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(star.eval(&Env::default(), &row("no")), Value::Bool(true));
}

#[test]
fn a_function_sees_what_stands_before_it() {
    for (query, answer) in [
        (
            "let f=(a:long){ let g=(b:long){b*a}; g(3) }; print x = f(2)",
            "6",
        ),
        (
            "let f=(a:long){ let c=a+1; let g=(b:long){ let h=(d:long){d*b*c}; h(5) }; g(3) }; print x = f(1)",
            "30",
        ),
        (
            "let f=(a:long){ let g=(a:long){a}; let h=(b:long){g(b)+a}; h(10) }; print x = f(1)",
            "11",
        ),
        (
            "let f=(a:long){ let g=(){a+1}; g + g() }; print x = f(1)",
            "4",
        ),
    ] {
        assert_eq!(shown(query), answer, "{query}");
    }
    // Neither what comes later nor itself.
    for query in [
        "let f=(a:long){ let g=(b:long){b*c}; let c=1; g(3) }; print x = f(2)",
        "let f=(a:long){ let g=(b:long){g(b)}; g(3) }; print x = f(2)",
        "let g=(b:long){b*a}; let f=(a:long){ g(3) }; print x = f(2)",
    ] {
        assert!(refused(query).starts_with("no "), "{query}");
    }
    let columns = [("n".to_owned(), Type::Long)];
    let query = "let f=(a:long){ let c=a*2; let g=(b:long){b*a+c}; g(3) + g(a) }; print x = f(n)";
    let own = compiled(query, &columns).unwrap_or_else(|faults| panic!("{faults:?}"));
    let value = own.eval(&Env::default(), &[Value::Long(5)]);
    assert_eq!(value, Value::Long(3 * 5 + 10 + 5 * 5 + 10));
}

/// Answers every subquery with the names it knows.
#[derive(Default)]
struct Names(std::cell::RefCell<Vec<String>>);

impl Tables for Names {
    fn scalar(&self, _: &Expr) -> Result<FirstCell, Vec<Fault>> {
        Ok(FirstCell {
            value: Value::from(self.0.borrow().join(" ")),
            ty: Type::String,
            is_local: false,
        })
    }

    fn column(&self, table: &Expr) -> Result<(Vec<Value>, Type), Vec<Fault>> {
        self.scalar(table).map(|cell| (vec![cell.value], cell.ty))
    }

    fn columns(&self, _: &Expr) -> Result<Vec<String>, Vec<Fault>> {
        Ok(vec!["A".to_owned(), "B".to_owned()])
    }

    fn knowing(&self, names: &[(String, Known)], run: &mut dyn FnMut()) {
        let env = Env::default();
        let shown = names.iter().map(|(name, known)| match known {
            Known::Scalar(value) => format!("{name}={}", value.eval(&env, &[]).show()),
            Known::Table(..) => format!("{name}=table"),
            Known::Function(_) => format!("{name}=function"),
        });
        self.0.replace(shown.collect());
        run();
        self.0.take();
    }
}

#[test]
fn a_subquery_knows_the_names_of_functions_around_it() {
    let tables = Names::default();
    let columns = [("n".to_owned(), Type::Long)];
    let known = |text: &str| match compiled_with(text, &columns, Some(&tables)) {
        Ok(compiled) => compiled.eval(&Env::default(), &[Value::Long(1)]).show(),
        Err(faults) => faults[0].message.clone(),
    };
    assert_eq!(
        known("let f=(h:long){ toscalar(T | summarize min(a)-h) }; print x = f(10)"),
        "h=10"
    );
    assert_eq!(
        known(
            "let f=(h:datetime){ let U = T | where t > h; let g=(){1}; strcat(toscalar(U), '!') }; print x = f(now())"
        ),
        "h=2022-09-28T22:13:20.0000000Z U=table g=function!"
    );
    assert_eq!(known("print x = toscalar(T | count)"), "");
    assert_eq!(known("print x = column_names_of(T)"), r#"["A","B"]"#);
    assert_eq!(
        known("let f=(h:long){ toscalar(T | count) }; print x = f(n)"),
        ""
    );
    assert_eq!(
        known("let h=1; let f=(h:long){ toscalar(T | where a > h) }; print x = f(n)"),
        "`h` may differ from row to row, and a subquery runs once"
    );
    assert_eq!(
        known("let f=(h:long){ 'h=3' in (T | project a, h) }; print x = f(3)"),
        "True"
    );
}

/// A constant part is worked out before the query runs: with all that a function could ask then.
#[test]
fn constants_are_worked_out_with_what_is_known() {
    for function in function::all() {
        let (fewest, most) = function.arguments;
        for count in fewest..=most.min(fewest + 1) {
            for text in ["192.0.2.1", "1d", "5"] {
                let values = vec![Value::from(text); count];
                let arguments = values.iter().cloned();
                let arguments = arguments.map(|v| Compiled::constant(v, Type::String));
                let Ok(ty) = function.check(&vec![Type::String; count]) else {
                    continue;
                };
                let call = Compiled {
                    ty,
                    node: Node::Call(function, arguments.collect()),
                };
                let name = function.name;
                let folded = call.folded(&ENV);
                let folded = folded.as_constant();
                let kept = function.volatile || function.clock == Clock::Local;
                assert_eq!(folded.is_none(), kept, "{name}");
                if let Some(folded) = folded {
                    let asked = function.call(&ENV, ty, &values);
                    assert_eq!(folded.show(), asked.show(), "{name}");
                }
            }
        }
    }
    let compiled = compiled("print x = geo_info_from_ip_address('192.0.2.1')", &[]);
    let compiled = compiled.expect("an expression");
    let place = compiled.as_constant().expect("a constant").show();
    assert!(place.contains("Freedonia"), "{place}");
}

#[test]
fn what_kusto_refuses_is_refused_with_a_reason() {
    assert!(refused("print x = 'a' < 1").contains("cannot be compared"));
    assert!(refused("print x = now() has 'a'").contains("searches strings"));
    assert!(refused("print x = 'a' + 'b'").contains("strcat"));
    assert!(refused("print x = dynamic([1]) == dynamic([1])").contains("dynamic"));
    assert!(refused("print x = 'a' matches regex '('").contains("regular expression"));
    assert!(refused("print x = extract_all('a', 'aaa')").contains("no group"));
    assert!(refused("print x = format_timespan(1h, 'c')").contains("no format"));
    assert!(refused("print x = strlen('a', 'b')").contains("takes 1 argument"));
    assert!(refused("print x = iff(1, 2, 3)").contains("must be a bool"));
    assert!(refused("print x = 'a'.b").contains("no properties"));
}

#[test]
fn lists_and_paths_in_expressions() {
    assert_eq!(shown("print x = 'B' in~ ('a', 'b')"), "True");
    assert_eq!(
        shown("let l = dynamic(['a','b']); print x = 'b' in (l)"),
        "True"
    );
    assert_eq!(shown("print x = dynamic({'a':[1,{'b':2}]}).a[-1].b"), "2");
    assert_eq!(shown("print x = dynamic({'a':1})['b']"), "");
    assert_eq!(shown("print x = 5 between (1 .. 5)"), "True");
    assert_eq!(shown("print x = isnull(1 / 0) and not(false)"), "True");
    assert_eq!(shown("print x = column_ifexists('a', 'none')"), "none");
}

/// What is compiled is data: a plan that holds it is equal to another one that says the same.
#[test]
fn equal_texts_are_equal_and_hash_equal() {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let columns = [("a".to_owned(), Type::String), ("n".to_owned(), Type::Real)];
    let made = |text: &str| compiled(text, &columns).expect("an expression");
    let hash = |tree: &Compiled| {
        let mut hasher = DefaultHasher::new();
        tree.hash(&mut hasher);
        hasher.finish()
    };
    let texts = [
        "print x = a matches regex 'x+' and n > 1.5",
        "print x = a matches regex 'x' and n > 1.5",
        "print x = a !has 'x'",
        "print x = a has 'x'",
        "print x = a in ('x', 'y', 'z')",
        "print x = a in ('x', 'y', 'w')",
        "print x = a in~ ('x', 'y', 'z')",
        "print x = n in (1.5, real(nan))",
        "print x = n + 0.0",
        "print x = n + (-0.0)",
        "print x = parse_json(a).b[0]",
        "print x = parse_json(a).b[1]",
        "print x = iff(n > 1, strcat(a, 'x'), a)",
        "let f = (x: string) { strcat(x, x) }; print x = f(a)",
    ];
    for (i, one) in texts.iter().enumerate() {
        assert_eq!(made(one), made(one), "{one}");
        assert_eq!(hash(&made(one)), hash(&made(one)), "{one}");
        for other in &texts[i + 1..] {
            assert!(made(one) != made(other), "{one} and {other}");
        }
    }
}
