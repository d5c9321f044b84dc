//! Running compiled expressions.

use super::compiled::{Compiled, Node, PathStep};
use crate::function::operate::{self, List, Matcher};
use crate::function::value::{Json, TICKS_PER_DAY, Type, Value};
use crate::function::{Clock, Env};

impl Compiled {
    /// Its value for one row.
    pub fn eval(&self, env: &Env, row: &[Value]) -> Value {
        let mut run = Run {
            env,
            row,
            stack: Vec::new(),
        };
        run.value(self)
    }

    /// Its value without a row, for a plan that must have it. Where it waits for a subquery, another value of its type stands for it.
    pub fn planned(&self, env: &Env) -> Value {
        if self.awaits().is_none() {
            return self.eval(env, &[]);
        }
        match self.ty {
            Type::DateTime => Value::DateTime(env.now),
            Type::Timespan => Value::Timespan(TICKS_PER_DAY),
            Type::String => Value::from(""),
            Type::Dynamic => Value::dynamic(Json::Null),
            Type::Guid => Value::Guid(0),
            ty => Value::Long(1).convert(ty),
        }
    }

    /// Whether its value for one row is true; null counts as false, as in `where`.
    pub fn holds(&self, env: &Env, row: &[Value]) -> bool {
        self.eval(env, row).to_bool() == Some(true)
    }

    /// The same, evaluated where it is constant.
    pub(super) fn folded(self, env: &Env) -> Compiled {
        let constant = |part: &Compiled| part.as_constant().is_some();
        let foldable = match &self.node {
            Node::Constant(_)
            | Node::Column(_)
            | Node::Local(_)
            | Node::Awaited(_)
            | Node::Inline(..) => false,
            Node::Path(base, steps) => {
                constant(base)
                    && steps.iter().all(|step| match step {
                        PathStep::Member(_) => true,
                        PathStep::Index(index) => constant(index),
                    })
            }
            // That a time is local is known by how it is made.
            Node::Call(function, arguments) => {
                !function.volatile
                    && function.clock != Clock::Local
                    && !(env.is_open() && function.asks_now)
                    && arguments.iter().all(constant)
            }
            Node::Negate(operand) | Node::Fit(operand) => constant(operand),
            Node::Arithmetic(first, rest) => {
                constant(first) && rest.iter().all(|(_, e)| constant(e))
            }
            Node::Compare(_, left, right) | Node::MatchEach(_, left, right) => {
                constant(left) && constant(right)
            }
            Node::Match(left, _) | Node::List(left, _) => constant(left),
            Node::ListEach(_, left, list) => constant(left) && list.iter().all(constant),
            Node::Between(_, parts) => parts.iter().all(constant),
            Node::And(all) | Node::Or(all) => all.iter().all(constant),
        };
        match foldable {
            true => {
                let value = self.eval(env, &[]);
                Compiled::constant(value, self.ty)
            }
            false => self,
        }
    }
}

struct Run<'r> {
    env: &'r Env,
    row: &'r [Value],
    stack: Vec<Value>,
}

impl Run<'_> {
    fn value(&mut self, part: &Compiled) -> Value {
        match &part.node {
            // These are of their type already, and a column may be large.
            Node::Constant(value) => value.clone(),
            node => self.node(node).fit(part.ty),
        }
    }

    fn condition(&mut self, part: &Compiled) -> Option<bool> {
        self.value(part).to_bool()
    }

    /// Long, since each node has an arm.
    fn node(&mut self, node: &Node) -> Value {
        match node {
            Node::Constant(value) => value.clone(),
            Node::Column(at) => self.row.get(*at).cloned().unwrap_or_default(),
            Node::Local(at) => self.stack.get(*at).cloned().unwrap_or_default(),
            Node::Awaited(_) => Value::Null,
            Node::Inline(values, body) => {
                let height = self.stack.len();
                for value in values {
                    let value = self.value(value);
                    self.stack.push(value);
                }
                let result = self.value(body);
                self.stack.truncate(height);
                result
            }
            Node::Path(base, steps) => self.path(base, steps),
            Node::Call(function, arguments) => match (function.name, &**arguments) {
                // Branches are evaluated only where they are taken.
                ("iff" | "iif", [condition, then, other]) => match self.condition(condition) {
                    Some(true) => self.value(then),
                    _ => self.value(other),
                },
                ("case", branches) => self.case(branches),
                // A null has the type of its expression; what a dynamic holds is known only when it is there.
                ("gettype", [one]) if one.ty != Type::Dynamic => Value::from(one.ty.name()),
                _ => {
                    let arguments: Vec<Value> =
                        arguments.iter().map(|part| self.value(part)).collect();
                    (function.eval)(self.env, &arguments)
                }
            },
            Node::Negate(operand) => operate::negate(&self.value(operand)),
            Node::Arithmetic(first, rest) => {
                let mut value = self.value(first);
                for (op, operand) in rest {
                    let operand = self.value(operand);
                    value = operate::arithmetic(*op, &value, &operand);
                }
                value
            }
            Node::Compare(op, left, right) => {
                let left = self.value(left);
                operate::compare(*op, &left, &self.value(right))
            }
            Node::Match(left, matcher) => matcher.apply(&self.value(left)),
            Node::MatchEach(op, left, right) => {
                let left = self.value(left);
                let right = self.value(right);
                Value::Bool(Matcher::apply_each(*op, left.cell(), right.cell()))
            }
            Node::List(left, list) => list.apply(&self.value(left)),
            Node::ListEach(op, left, list) => {
                let left = self.value(left);
                let values: Vec<Value> = list.iter().map(|part| self.value(part)).collect();
                List::new(*op, &values).apply(&left)
            }
            Node::Between(negated, parts) => {
                let [value, low, high] = &**parts;
                let (value, low) = (self.value(value), self.value(low));
                operate::between(*negated, &value, &low, &self.value(high))
            }
            Node::And(all) => {
                let mut whole = Some(true);
                for part in all {
                    whole = operate::and(whole, self.condition(part));
                    if whole == Some(false) {
                        break;
                    }
                }
                whole.map_or(Value::Null, Value::Bool)
            }
            Node::Or(all) => {
                let mut whole = Some(false);
                for part in all {
                    whole = operate::or(whole, self.condition(part));
                    if whole == Some(true) {
                        break;
                    }
                }
                whole.map_or(Value::Null, Value::Bool)
            }
            Node::Fit(inner) => self.value(inner),
        }
    }

    fn case(&mut self, branches: &[Compiled]) -> Value {
        for pair in branches.chunks(2) {
            match pair {
                [condition, then] => {
                    if self.condition(condition) == Some(true) {
                        return self.value(then);
                    }
                }
                other => {
                    return other
                        .first()
                        .map(|last| self.value(last))
                        .unwrap_or_default();
                }
            }
        }
        Value::Null
    }

    fn path(&mut self, base: &Compiled, steps: &[PathStep]) -> Value {
        let indices: Vec<Value> = steps
            .iter()
            .map(|step| match step {
                PathStep::Member(_) => Value::Null,
                PathStep::Index(index) => self.value(index),
            })
            .collect();
        // A column is not cloned: only what the path leads to.
        let owned;
        let base = match &base.node {
            Node::Column(at) => self.row.get(*at),
            Node::Local(at) => self.stack.get(*at),
            _ => {
                owned = self.value(base);
                Some(&owned)
            }
        };
        let Some(Value::Dynamic(json)) = base else {
            return Value::Null;
        };
        let mut at: &Json = json;
        for (step, index) in steps.iter().zip(&indices) {
            let next = match step {
                PathStep::Member(name) => at.member(name),
                PathStep::Index(_) => operate::step(at, index),
            };
            match next {
                Some(json) => at = json,
                None => return Value::Null,
            }
        }
        Value::dynamic(at.clone())
    }
}
