//! Which columns an expression reads, and what stands in their place.

use super::compiled::{Compiled, Node, PathStep};
use crate::function::value::{Type, Value};
use crate::function::{Clock, Env};

impl Compiled {
    /// Positions of the columns that it reads, in order, each once.
    pub fn columns(&self) -> Vec<usize> {
        let mut found = Vec::new();
        self.visit(&mut |part| {
            if let Node::Column(at) = part.node {
                found.push(at);
            }
        });
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Whether it gives the same value for all rows of a query.
    pub fn is_fixed(&self) -> bool {
        let mut fixed = true;
        self.visit(&mut |part| {
            fixed &= match &part.node {
                Node::Column(_) | Node::Local(_) => false,
                Node::Call(function, _) => !function.volatile,
                _ => true,
            };
        });
        fixed
    }

    /// Whether it gives another value each time.
    pub fn is_random(&self) -> bool {
        let mut random = false;
        self.visit(&mut |part| {
            random |= matches!(&part.node, Node::Call(function, _) if function.volatile);
        });
        random
    }

    /// The first subquery whose answer it waits for; nothing where its value is known once its row is.
    pub fn awaits(&self) -> Option<usize> {
        let mut awaited = None;
        self.visit(&mut |part| {
            if let Node::Awaited(at) = part.node {
                awaited.get_or_insert(at);
            }
        });
        awaited
    }

    /// Whether it depends on the instant of the query.
    pub fn asks_now(&self) -> bool {
        let mut asks = false;
        self.visit(&mut |part| {
            asks |= matches!(&part.node, Node::Call(function, _) if function.asks_now);
        });
        asks
    }

    /// Whether it is the same tree for each instant, but for what [`Self::at`] works out: no part of it was chosen by a value that depends
    /// on the instant.
    pub fn can_wait(&self) -> bool {
        let mut can = true;
        self.visit(&mut |part| {
            let chosen = matches!(
                &part.node,
                Node::Inline(..)
                    | Node::Path(..)
                    | Node::Match(..)
                    | Node::MatchEach(..)
                    | Node::List(..)
                    | Node::ListEach(..)
            );
            can &= !(chosen && part.asks_now());
        });
        can
    }

    /// The same, where the instant of the query is known.
    pub fn at(mut self, env: &Env) -> Compiled {
        if !self.asks_now() {
            return self;
        }
        for part in self.parts() {
            let nothing = Compiled::constant(Value::Null, part.ty);
            *part = std::mem::replace(part, nothing).at(env);
        }
        self.folded(env)
    }

    /// Whether it reads an argument or `let` of a function around it.
    pub fn has_local(&self) -> bool {
        let mut local = false;
        self.visit(&mut |part| local |= matches!(part.node, Node::Local(_)));
        local
    }

    /// Whether its value is a local time: one that `datetime_utc_to_local` made, or another one made of such. `column` says it of columns.
    pub fn is_local_time(&self, column: &dyn Fn(usize) -> bool) -> bool {
        self.is_local_among(column, &mut Vec::new())
    }

    /// The same; `stack` says it of the arguments of functions around it.
    fn is_local_among(&self, column: &dyn Fn(usize) -> bool, stack: &mut Vec<bool>) -> bool {
        if self.ty != Type::DateTime {
            return false;
        }
        match &self.node {
            Node::Column(at) => column(*at),
            Node::Local(at) => stack.get(*at).copied().unwrap_or(false),
            Node::Call(function, arguments) => match function.clock {
                Clock::Local => true,
                Clock::Utc => false,
                Clock::OfArguments => arguments.iter().any(|a| a.is_local_among(column, stack)),
            },
            Node::Arithmetic(first, rest) => {
                first.is_local_among(column, stack)
                    || rest.iter().any(|(_, r)| r.is_local_among(column, stack))
            }
            Node::Fit(one) => one.is_local_among(column, stack),
            Node::Inline(values, body) => {
                let height = stack.len();
                for value in values {
                    let local = value.is_local_among(column, stack);
                    stack.push(local);
                }
                let local = body.is_local_among(column, stack);
                stack.truncate(height);
                local
            }
            _ => false,
        }
    }

    /// The same over rows that have these columns only.
    pub fn over(mut self, columns: &[usize]) -> Compiled {
        let to = |at| columns.iter().position(|c| *c == at).unwrap_or(at);
        self.replace(&mut |part| match part.node {
            Node::Column(at) => Some(to(at)),
            _ => None,
        });
        self
    }

    /// Puts columns in the place of parts, from the outside in: `column` says which, where one is to be replaced.
    pub fn replace(&mut self, column: &mut dyn FnMut(&Compiled) -> Option<usize>) {
        if let Some(at) = column(self) {
            self.node = Node::Column(at);
            return;
        }
        for part in self.parts() {
            part.replace(column);
        }
    }

    fn visit(&self, each: &mut dyn FnMut(&Compiled)) {
        each(self);
        match &self.node {
            Node::Constant(_) | Node::Local(_) | Node::Column(_) | Node::Awaited(_) => {}
            Node::Inline(values, body) => {
                values.iter().for_each(|v| v.visit(each));
                body.visit(each);
            }
            Node::Path(base, steps) => {
                base.visit(each);
                for step in steps {
                    if let PathStep::Index(index) = step {
                        index.visit(each);
                    }
                }
            }
            Node::Call(_, all) | Node::And(all) | Node::Or(all) => {
                all.iter().for_each(|a| a.visit(each));
            }
            Node::Negate(one) | Node::Match(one, _) | Node::List(one, _) | Node::Fit(one) => {
                one.visit(each);
            }
            Node::Arithmetic(first, rest) => {
                first.visit(each);
                rest.iter().for_each(|(_, r)| r.visit(each));
            }
            Node::Compare(_, a, b) | Node::MatchEach(_, a, b) => {
                a.visit(each);
                b.visit(each);
            }
            Node::ListEach(_, left, list) => {
                left.visit(each);
                list.iter().for_each(|l| l.visit(each));
            }
            Node::Between(_, three) => three.iter().for_each(|t| t.visit(each)),
        }
    }

    /// The expressions that it is made of.
    fn parts(&mut self) -> Vec<&mut Compiled> {
        match &mut self.node {
            Node::Constant(_) | Node::Local(_) | Node::Column(_) | Node::Awaited(_) => Vec::new(),
            Node::Inline(values, body) => values.iter_mut().chain([body.as_mut()]).collect(),
            Node::Path(base, steps) => {
                let indices = steps.iter_mut().filter_map(|step| match step {
                    PathStep::Index(index) => Some(index),
                    PathStep::Member(_) => None,
                });
                std::iter::once(base.as_mut()).chain(indices).collect()
            }
            Node::Call(_, all) | Node::And(all) | Node::Or(all) => all.iter_mut().collect(),
            Node::Negate(one) | Node::Match(one, _) | Node::List(one, _) | Node::Fit(one) => {
                vec![one]
            }
            Node::Arithmetic(first, rest) => std::iter::once(first.as_mut())
                .chain(rest.iter_mut().map(|(_, part)| part))
                .collect(),
            Node::Compare(_, a, b) | Node::MatchEach(_, a, b) => vec![a, b],
            Node::ListEach(_, left, list) => std::iter::once(left.as_mut()).chain(list).collect(),
            Node::Between(_, three) => three.iter_mut().collect(),
        }
    }
}
