//! `scan`: sequences of rows that a list of steps describes.
//!
//! Each step has a state: the last row that each step up to it took, in the sequence that has come so far. A row is held against the
//! steps from the last to the first. It goes on a sequence where the step before has one and the condition holds with its state;
//! else it may be one more row of the sequence that the step itself has, or, at the first step, begin one.
//!
//! Conditions and assignments see the columns of the row, those that are declared with their defaults, and the state as columns
//! named `step.column`. [`compile`] puts those names in the place of paths.

use super::argument::Rows;
use crate::function::Env;
use crate::function::operate;
use crate::function::value::{Type, Value};
use crate::kql::ast::operator;
use crate::kql::ast::{Expr, ExprKind, ParameterType, Source, Step as PathStep};
use crate::kql::eval::{self, Compiled, Scope};
use crate::kql::span::Fault;

/// A `scan` ready to run.
#[derive(PartialEq)]
pub struct Scan {
    columns: Vec<(String, Type)>,
    /// A row as the state has it where there is none: nulls, and what is declared with its defaults.
    empty: Vec<Value>,
    /// How many columns are declared.
    declared: usize,
    steps: Vec<Step>,
    has_match_id: bool,
}

#[derive(PartialEq)]
struct Step {
    output: Output,
    /// The columns that condition and assignments read: of the row, and behind it of the state of each step.
    reads: Vec<usize>,
    /// Over those columns only.
    condition: Compiled,
    /// Columns and their new values, over those columns only.
    assignments: Vec<(usize, Compiled)>,
}

/// Which rows of a step are in the result.
#[derive(Clone, Copy, PartialEq)]
enum Output {
    All,
    /// The last of those that a step took one after the other.
    Last,
    None,
}

/// The names that paths may begin with, at one step.
struct Names<'s> {
    /// Columns of the rows and what is declared.
    columns: &'s [(String, Type)],
    steps: &'s [operator::ScanStep],
    /// The step at hand.
    at: usize,
}

fn state_column(step: &str, column: &str) -> String {
    format!("{step}.{column}")
}

/// Resolves the names of a `scan` over rows with the columns of the scope. `match_id` names the column of the sequence's number.
///
/// # Errors
///
/// What [`eval::compile`] finds, names that are there twice, and forms that are not supported.
pub fn compile(
    tree: &operator::Scan,
    match_id: Option<&str>,
    scope: &Scope,
    env: &Env,
) -> Result<Scan, Vec<Fault>> {
    let mut faults = Vec::new();
    let order = tree.order.iter().map(|ordered| ordered.by.span);
    let partition = tree.partition.iter().map(|expr| expr.span);
    if let Some(span) = order.chain(partition).next() {
        let fault = Fault::new(
            span,
            "`order by` and `partition by` in a `scan` are not supported",
        );
        faults.push(fault.with_hint("sort before it, or use the operator `partition`"));
    }
    let mut columns = scope.columns.to_vec();
    let mut empty: Vec<Value> = columns.iter().map(|(_, ty)| Value::Null.fit(*ty)).collect();
    for parameter in &tree.declare {
        let name = &parameter.name.text;
        let ParameterType::Scalar(ty) = &parameter.ty else {
            faults.push(Fault::new(
                parameter.span,
                "a table cannot be declared here",
            ));
            continue;
        };
        if columns.iter().any(|(known, _)| known == name) {
            let message = format!("there is a column `{name}` already");
            faults.push(Fault::new(parameter.span, message));
        }
        let default = match &parameter.default {
            Some(expr) => eval::constant(expr, scope, env),
            None => Ok((Value::Null, ty.ty)),
        };
        match default {
            Ok((value, _)) => empty.push(value.fit(ty.ty)),
            Err(more) => faults.extend(more),
        }
        columns.push((name.clone(), ty.ty));
    }
    let seen = with_states(&columns, &tree.steps, &mut faults);
    let inner = Scope {
        columns: &seen,
        ..*scope
    };
    let mut steps = Vec::new();
    for at in 0..tree.steps.len() {
        let names = Names {
            columns: &columns,
            steps: &tree.steps,
            at,
        };
        steps.extend(step(&names, &inner, scope.columns.len(), &mut faults));
    }
    let declared = columns.len() - scope.columns.len();
    if let Some(name) = match_id {
        if columns.iter().any(|(known, _)| known == name) {
            let span = tree.steps.first().map(|step| step.span).unwrap_or_default();
            let message = format!("there is a column `{name}` already");
            faults.push(Fault::new(span, message));
        }
        columns.push((name.to_owned(), Type::Long));
    }
    match faults.is_empty() {
        true => Ok(Scan {
            columns,
            empty,
            declared,
            steps,
            has_match_id: match_id.is_some(),
        }),
        false => Err(faults),
    }
}

/// The row, and behind it the state of each step.
fn with_states(
    columns: &[(String, Type)],
    steps: &[operator::ScanStep],
    faults: &mut Vec<Fault>,
) -> Vec<(String, Type)> {
    let mut seen = columns.to_vec();
    for (at, step) in steps.iter().enumerate() {
        let name = &step.name.text;
        let mut before = steps.iter().take(at);
        if before.any(|before| before.name.text == *name) {
            faults.push(Fault::new(
                step.span,
                format!("there are two steps `{name}`"),
            ));
        }
        for (column, ty) in columns {
            let column = state_column(name, column);
            if columns.iter().any(|(known, _)| *known == column) {
                let message = format!("`{column}` is a column, and of step `{name}`: rename one");
                faults.push(Fault::new(step.span, message));
            }
            seen.push((column, *ty));
        }
    }
    seen
}

/// The step at hand; nothing where faults were found.
fn step(names: &Names, scope: &Scope, own: usize, faults: &mut Vec<Fault>) -> Option<Step> {
    let tree = names.steps.get(names.at)?;
    if tree.optional {
        faults.push(Fault::new(tree.span, "`optional` steps are not supported"));
    }
    let output = match tree.output.as_ref().map(|word| (word, word.text.as_str())) {
        None | Some((_, "all")) => Output::All,
        Some((_, "last")) => Output::Last,
        Some((_, "none")) => Output::None,
        Some((word, _)) => {
            let message = "`output` must be `all`, `last` or `none`";
            faults.push(Fault::new(word.span, message));
            Output::All
        }
    };
    let condition = names.compile(&tree.condition, scope, faults);
    if let Some(condition) = &condition
        && let Err(message) = operate::condition_type(condition.ty)
    {
        faults.push(Fault::new(tree.condition.span, message));
    }
    let mut assignments = Vec::new();
    for (name, expr) in &tree.assignments {
        let mut columns = names.columns.iter().enumerate().skip(own);
        let Some((at, (_, ty))) = columns.find(|(_, (known, _))| *known == name.text) else {
            let message = format!("`{}` is not declared", name.text);
            let fault = Fault::new(name.span, message);
            faults.push(fault.with_hint("name it in `declare (name:type = default)`"));
            continue;
        };
        if let Some(value) = names.compile(expr, scope, faults) {
            assignments.push((at, value.converted(*ty)));
        }
    }
    let condition = condition?;
    let mut reads = condition.columns();
    reads.extend(assignments.iter().flat_map(|(_, value)| value.columns()));
    reads.sort_unstable();
    reads.dedup();
    let over = |(at, value): (usize, Compiled)| (at, value.over(&reads));
    Some(Step {
        output,
        condition: condition.over(&reads),
        assignments: assignments.into_iter().map(over).collect(),
        reads,
    })
}

impl Names<'_> {
    fn compile(&self, expr: &Expr, scope: &Scope, faults: &mut Vec<Fault>) -> Option<Compiled> {
        let mut expr = expr.clone();
        let before = faults.len();
        self.qualify(&mut expr, faults);
        if faults.len() > before {
            return None;
        }
        eval::compile(&expr, scope)
            .map_err(|more| faults.extend(more))
            .ok()
    }

    /// Puts the name of a column of the state in the place of each path that begins with a step. Subqueries see no state.
    fn qualify(&self, expr: &mut Expr, faults: &mut Vec<Fault>) {
        match &mut expr.kind {
            ExprKind::Path { base, steps } => {
                for step in steps.iter_mut() {
                    if let PathStep::Index(index) = step {
                        self.qualify(index, faults);
                    }
                }
                let ExprKind::Name(name) = &base.kind else {
                    return self.qualify(base, faults);
                };
                let Some(at) = self.steps.iter().position(|step| step.name.text == *name) else {
                    return;
                };
                let Some(PathStep::Member(column)) = steps.first() else {
                    let message = format!("`{name}` is a step: name one of its columns");
                    return faults.push(Fault::new(expr.span, message));
                };
                if at > self.at {
                    let message = format!("step `{name}` comes later and has no state here");
                    return faults.push(Fault::new(expr.span, message));
                }
                if !self.columns.iter().any(|(known, _)| *known == column.text) {
                    let message = format!("step `{name}` has no column `{}`", column.text);
                    return faults.push(Fault::new(column.span, message));
                }
                let column = ExprKind::Name(state_column(name, &column.text));
                steps.remove(0);
                match steps.is_empty() {
                    true => expr.kind = column,
                    false => base.kind = column,
                }
            }
            ExprKind::Call(call) => {
                let arguments = call.arguments.iter_mut();
                arguments.for_each(|argument| self.qualify(&mut argument.expr, faults));
            }
            ExprKind::Sign { operand, .. } => self.qualify(operand, faults),
            ExprKind::Arithmetic { first, rest } => {
                self.qualify(first, faults);
                rest.iter_mut()
                    .for_each(|(_, operand)| self.qualify(operand, faults));
            }
            ExprKind::Compare { left, right, .. } | ExprKind::Match { left, right, .. } => {
                self.qualify(left, faults);
                self.qualify(right, faults);
            }
            ExprKind::In { left, list, .. } => {
                self.qualify(left, faults);
                list.iter_mut().for_each(|one| self.qualify(one, faults));
            }
            ExprKind::Between {
                value, low, high, ..
            } => {
                for part in [value, low, high] {
                    self.qualify(part, faults);
                }
            }
            ExprKind::And(all) | ExprKind::Or(all) => {
                all.iter_mut().for_each(|one| self.qualify(one, faults));
            }
            ExprKind::Pipeline(pipeline) if pipeline.operators.is_empty() => {
                if let Source::Expr(inner) = &mut pipeline.source {
                    self.qualify(inner, faults);
                }
            }
            _ => {}
        }
    }
}

/// A sequence as a step has it.
struct State {
    /// The last row of each step so far, with what is declared.
    rows: Vec<Vec<Value>>,
    /// The number of the sequence.
    id: i64,
}

/// A row of the result, with the position of the row it was made of.
type Found = (usize, Vec<Value>);

/// A scan on its way through the rows.
struct Run<'s> {
    scan: &'s Scan,
    env: &'s Env,
    states: Vec<Option<State>>,
    /// What each step holds back: its last row, for `output=last`.
    held: Vec<Option<Found>>,
    next_id: i64,
    found: Vec<Found>,
}

impl Scan {
    /// Columns of the result.
    pub fn columns(&self) -> &[(String, Type)] {
        &self.columns
    }

    /// Which columns of the result have local times, by which of the rows have them.
    pub fn local_times(&self, rows: &[bool]) -> Vec<bool> {
        let width = self.empty.len().max(1);
        let mut local = rows.to_vec();
        local.resize(self.columns.len(), false);
        loop {
            let known = local.clone();
            for step in &self.steps {
                // The state has the columns of the row.
                let column = |at: usize| {
                    let read = step.reads.get(at);
                    read.is_some_and(|of| known.get(of % width) == Some(&true))
                };
                for (at, value) in &step.assignments {
                    if let Some(own) = local.get_mut(*at) {
                        *own |= value.is_local_time(&column);
                    }
                }
            }
            // What one step assigns, another one may have from its state.
            if local == known {
                return local;
            }
        }
    }

    /// The rows that steps took, with what is declared, in the order of the input. A row that several steps took is there several
    /// times, that of the last step first.
    pub fn run(&self, env: &Env, rows: &[Vec<Value>]) -> Rows {
        let mut run = Run {
            scan: self,
            env,
            states: self.steps.iter().map(|_| None).collect(),
            held: vec![None; self.steps.len()],
            next_id: 0,
            found: Vec::new(),
        };
        let defaults = self
            .empty
            .iter()
            .skip(self.empty.len().saturating_sub(self.declared));
        for (position, row) in rows.iter().enumerate() {
            let row: Vec<Value> = row.iter().chain(defaults.clone()).cloned().collect();
            for (at, step) in self.steps.iter().enumerate().rev() {
                run.step(position, &row, at, step);
            }
        }
        let mut found = run.found;
        found.extend(run.held.into_iter().flatten());
        found.sort_by_key(|(position, _)| *position);
        Rows {
            columns: self.columns.clone(),
            rows: found.into_iter().map(|(_, row)| row).collect(),
        }
    }

    /// What a step reads of a row and of a state.
    fn read(&self, step: &Step, row: &[Value], state: Option<&State>) -> Vec<Value> {
        let width = self.empty.len().max(1);
        let value = |at: &usize| match (at / width).checked_sub(1) {
            None => row.get(*at),
            Some(of) => {
                let known = state.and_then(|state| state.rows.get(of));
                known.unwrap_or(&self.empty).get(at % width)
            }
        };
        let value = |at: &usize| value(at).cloned().unwrap_or_default();
        step.reads.iter().map(value).collect()
    }
}

impl Run<'_> {
    fn state(&self, at: usize) -> Option<&State> {
        self.states.get(at).and_then(Option::as_ref)
    }

    /// Holds a row against a step.
    fn step(&mut self, position: usize, row: &[Value], at: usize, step: &Step) {
        let before = at.checked_sub(1);
        if let Some(state) = before.and_then(|before| self.state(before)) {
            let read = self.scan.read(step, row, Some(state));
            if step.condition.holds(self.env, &read) {
                // The sequence goes on: what the step before held back was its last, and the step's own sequence is over.
                let promoted = before.and_then(|before| {
                    self.release(before);
                    self.states.get_mut(before)?.take()
                });
                self.release(at);
                return self.matched(position, row, at, step, promoted, &read);
            }
        }
        if at > 0 && self.state(at).is_none() {
            return;
        }
        let read = self.scan.read(step, row, self.state(at));
        if step.condition.holds(self.env, &read) {
            let own = self.states.get_mut(at).and_then(Option::take);
            self.matched(position, row, at, step, own, &read);
        }
    }

    /// Puts the row of a step into its state, and into the result.
    fn matched(
        &mut self,
        position: usize,
        row: &[Value],
        at: usize,
        step: &Step,
        state: Option<State>,
        read: &[Value],
    ) {
        let mut row = row.to_vec();
        for (column, value) in &step.assignments {
            if let Some(cell) = row.get_mut(*column) {
                *cell = value.eval(self.env, read);
            }
        }
        let mut state = state.unwrap_or_else(|| {
            let id = self.next_id;
            self.next_id += 1;
            State {
                rows: Vec::new(),
                id,
            }
        });
        state.rows.truncate(at);
        state.rows.push(row.clone());
        if self.scan.has_match_id {
            row.push(Value::Long(state.id));
        }
        if let Some(own) = self.states.get_mut(at) {
            *own = Some(state);
        }
        match (step.output, self.held.get_mut(at)) {
            (Output::All, _) => self.found.push((position, row)),
            (Output::Last, Some(held)) => *held = Some((position, row)),
            (Output::Last, None) | (Output::None, _) => {}
        }
    }

    /// Lets the row that a step held back into the result.
    fn release(&mut self, at: usize) {
        let held = self.held.get_mut(at).and_then(Option::take);
        self.found.extend(held);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{answer, faults};

    #[test]
    fn sums_go_on_from_the_state_and_bare_names_are_defaults() {
        let sum = "scan declare (c:long=0) with (step s: true => c = v + s.c;)";
        let rows = answer(&format!("datatable(v:long)[1, 2, 3] | {sum}"));
        assert_eq!(rows, "v, c; 1, 1; 2, 3; 3, 6");
        let reset = "scan declare (c:long=7, d:string) with (step s: true => c = c + v;)";
        let rows = answer(&format!("datatable(v:long)[1, 2] | {reset}"));
        assert_eq!(rows, "v, c, d; 1, 8, ; 2, 9, ");
    }

    const EVENTS: &str = r#"datatable(t:timespan, e:string)[0m, "A", 1m, "Start", 2m, "B", 3m, "D", 4m, "Stop", 6m, "C", 8m, "Start", 11m, "E", 12m, "Stop"]"#;

    #[test]
    fn sequences_are_promoted_and_numbered() {
        let steps = r#"scan with_match_id=id with (
            step s1: e == "Start";
            step s2 output=last: e != "Start" and e != "Stop" and t - s1.t <= 5m;
            step s3: e == "Stop" and t - s1.t <= 5m;)"#;
        let last = "t, e, id; 00:01:00, Start, 0; 00:03:00, D, 0; 00:04:00, Stop, 0; \
            00:08:00, Start, 1; 00:11:00, E, 1; 00:12:00, Stop, 1";
        assert_eq!(answer(&format!("{EVENTS} | {steps}")), last);
        let all = answer(&format!("{EVENTS} | {}", steps.replace("output=last", "")));
        assert_eq!(all, last.replace("00:03:00", "00:02:00, B, 0; 00:03:00"));
        let none = answer(&format!("{EVENTS} | {}", steps.replace("last", "none")));
        assert_eq!(
            none,
            last.replace("00:03:00, D, 0; ", "")
                .replace("00:11:00, E, 1; ", "")
        );
    }

    #[test]
    fn a_session_ends_where_its_state_is_taken_away() {
        let text = r#"datatable(t:timespan)[0m, 3m, 32m, 36m, 75m]
            | scan with_match_id=id declare (start:timespan) with (
                step on: true => start = iff(isnull(on.start), t, on.start);
                step off output=none: t - on.start > 30m;)"#;
        let rows = "t, start, id; 00:00:00, 00:00:00, 0; 00:03:00, 00:00:00, 0; \
            00:32:00, 00:32:00, 1; 00:36:00, 00:32:00, 1; 01:15:00, 01:15:00, 2";
        assert_eq!(answer(text), rows);
    }

    #[test]
    fn names_of_the_state_are_checked() {
        let of = |steps: &str| faults(&format!("datatable(v:long, d:dynamic)[] | scan {steps}"));
        let none: [String; 0] = [];
        assert_eq!(
            of("with (step a: a.d.x[a.v] == 1; step b: a.v in (b.v, v);)"),
            none
        );
        assert_eq!(
            of("with (step a: b.v == 1; step b: a.w == 1;)"),
            [
                "step `b` comes later and has no state here",
                "step `a` has no column `w`"
            ]
        );
        assert_eq!(
            of("declare (v:long) with (step a: v => x = 1; step a: true;)"),
            [
                "there is a column `v` already",
                "there are two steps `a`",
                "a condition must be a bool, not a long",
                "`x` is not declared"
            ]
        );
        assert_eq!(of("with (step a: prev(v) == 1;)").len(), 1);
    }
}
