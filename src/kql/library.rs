//! Saved functions: what a workspace keeps under a name, such as ASIM's parsers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ast::{ExprKind, Function, LetValue, Pipeline, Source, Statement, StatementKind};
use super::parse;
use super::span::{Fault, Span};

/// A saved function. It goes from machine to machine as it was given, and is read there again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "Given", try_from = "Given")]
pub struct Saved {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub origin: String,
    /// Its text; places in the function are places there.
    pub text: String,
    /// The function.
    pub function: Arc<Function>,
    parameters: String,
    body: String,
}

/// A saved function as it was given.
#[derive(Serialize, Deserialize)]
struct Given {
    name: String,
    parameters: String,
    body: String,
    origin: String,
}

impl From<Saved> for Given {
    fn from(saved: Saved) -> Given {
        Given {
            name: saved.name,
            parameters: saved.parameters,
            body: saved.body,
            origin: saved.origin,
        }
    }
}

impl TryFrom<Given> for Saved {
    type Error = String;

    fn try_from(given: Given) -> Result<Saved, String> {
        let saved = Saved::new(&given.name, &given.parameters, &given.body, &given.origin);
        saved.map_err(|(faults, _)| {
            let why = faults.first().map_or("", |fault| fault.message.as_str());
            format!("saved function `{}`: {why}", given.name)
        })
    }
}

impl Saved {
    /// A function from its parameters (`a:string, b:long=1`) and its body.
    ///
    /// Without parameters, the body may be one `let f = (…) {…}`, or end in a call of a function that it defines, as ASIM's parsers do:
    /// then the parameters are those of that function.
    ///
    /// # Errors
    ///
    /// What is wrong, with the text whose places it names.
    pub fn new(
        name: &str,
        parameters: &str,
        body: &str,
        origin: &str,
    ) -> Result<Saved, (Vec<Fault>, String)> {
        let whole = format!("let saved = ({parameters}) {{\n{body}\n}};\nsaved");
        let (tree, mut faults) = parse(&whole);
        let function = tree
            .statements
            .into_iter()
            .find_map(|statement| match statement.kind {
                StatementKind::Let {
                    value: LetValue::Function(function),
                    ..
                } => Some(function),
                _ => None,
            });
        let saved = |function: Function, text: String| Saved {
            name: name.into(),
            origin: origin.into(),
            text,
            function: Arc::new(function),
            parameters: parameters.into(),
            body: body.into(),
        };
        match function {
            Some(mut function) if faults.is_empty() && answers(&function.body) => {
                if parameters.is_empty()
                    && let Some(inner) = last_called(&function.body)
                {
                    function.parameters.clone_from(&inner.parameters);
                }
                Ok(saved(function, whole))
            }
            _ => {
                // A file that only defines: its last function is meant.
                let (tree, own) = parse(body);
                let last = tree
                    .statements
                    .into_iter()
                    .rev()
                    .find_map(|s| match s.kind {
                        StatementKind::Let {
                            value: LetValue::Function(function),
                            ..
                        } => Some(function),
                        _ => None,
                    });
                match last {
                    Some(function) if own.is_empty() && parameters.is_empty() => {
                        Ok(saved(function, body.into()))
                    }
                    _ => {
                        if faults.is_empty() {
                            faults.push(Fault::new(Span::default(), "this is no function"));
                        }
                        Err((faults, whole))
                    }
                }
            }
        }
    }
}

/// Whether a body gives something, and does not only define.
fn answers(body: &[Statement]) -> bool {
    matches!(body.last().map(|s| &s.kind), Some(StatementKind::Query(_)))
}

/// The function of the body that its last statement calls.
fn last_called(body: &[Statement]) -> Option<&Function> {
    let StatementKind::Query(expr) = &body.last()?.kind else {
        return None;
    };
    let expr = match &expr.kind {
        ExprKind::Pipeline(pipeline) => {
            let Pipeline {
                source: Source::Expr(expr),
                operators,
                ..
            } = &**pipeline
            else {
                return None;
            };
            operators.is_empty().then_some(expr)?
        }
        _ => expr,
    };
    let ExprKind::Call(call) = &expr.kind else {
        return None;
    };
    body.iter().find_map(|statement| match &statement.kind {
        StatementKind::Let {
            name,
            value: LetValue::Function(function),
        } if name.text == call.name.text => Some(function),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(given: &str, body: &str) -> Vec<String> {
        let saved = Saved::new("f", given, body, "f.kql").expect("a function");
        let parameters = saved.function.parameters.iter();
        parameters.map(|p| p.name.text.clone()).collect()
    }

    #[test]
    fn parameters_are_given_or_found() {
        let none: [&str; 0] = [];
        assert_eq!(parameters("", "T | take 1"), none);
        assert_eq!(parameters("a:string, b:long=1", "T | take b"), ["a", "b"]);
        let parser = "let parser = (disabled:bool=false) { T | where not(disabled) };\nparser(disabled=disabled)";
        assert_eq!(parameters("", parser), ["disabled"]);
        assert_eq!(parameters("", "let F = (x:long) { x + 1 };"), ["x"]);
        assert!(Saved::new("f", "", "T | wher x", "f.kql").is_err());
    }

    #[test]
    fn a_function_is_the_same_on_another_machine() {
        let parser = "let parser = (disabled:bool=false) { T | where not(disabled) };\nparser(disabled=disabled)";
        for (given, body) in [
            ("", "T | take 1"),
            ("a:string, b:long=1", "T | take b"),
            ("", parser),
            ("", "let F = (x:long) { x + 1 };"),
        ] {
            let saved = Saved::new("f", given, body, "f.kql").expect("a function");
            let text = serde_json::to_string(&saved).expect("it is text");
            let there: Saved = serde_json::from_str(&text).expect("a function");
            assert_eq!(format!("{there:?}"), format!("{saved:?}"));
        }
        let broken = r#"{"name":"f","parameters":"","body":"T | wher x","origin":"f.kql"}"#;
        let told = serde_json::from_str::<Saved>(broken).map_err(|e| e.to_string());
        assert!(told.is_err_and(|told| told.starts_with("saved function `f`: ")));
    }
}
