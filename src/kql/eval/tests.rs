//! Tests of expressions as they are written.

use std::collections::HashMap;

use super::*;
use crate::kql::ast::{OperatorKind, StatementKind};
use crate::kql::{function, parse};

/// The expression of `print x = …`, behind functions that the text defines.
fn compiled(text: &str, columns: &[(String, Type)]) -> Result<Compiled, Vec<Fault>> {
    let (query, faults) = parse(text);
    assert_eq!(faults, [], "{text}");
    let mut functions = HashMap::new();
    let mut constants = HashMap::new();
    for statement in &query.statements {
        let scope = Scope {
            columns,
            constants: &constants,
            functions: &functions,
            tables: None,
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
fn a_star_stands_for_all_columns_of_text() {
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
