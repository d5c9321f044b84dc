//! Which columns an expression reads.

use super::{Compiled, Node, PathStep};

impl Compiled {
    /// Positions of the columns that it reads, in order, each once.
    pub fn columns(&self) -> Vec<usize> {
        let mut found = Vec::new();
        self.visit(&mut |at| found.push(at));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The same over rows that have these columns only.
    pub fn over(mut self, columns: &[usize]) -> Compiled {
        self.renumber(&|at| columns.iter().position(|c| *c == at).unwrap_or(at));
        self
    }

    fn visit(&self, each: &mut dyn FnMut(usize)) {
        match &self.node {
            Node::Constant(_) | Node::Local(_) => {}
            Node::Column(at) => each(*at),
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

    fn renumber(&mut self, to: &dyn Fn(usize) -> usize) {
        match &mut self.node {
            Node::Constant(_) | Node::Local(_) => {}
            Node::Column(at) => *at = to(*at),
            Node::Inline(values, body) => {
                values.iter_mut().for_each(|v| v.renumber(to));
                body.renumber(to);
            }
            Node::Path(base, steps) => {
                base.renumber(to);
                for step in steps {
                    if let PathStep::Index(index) = step {
                        index.renumber(to);
                    }
                }
            }
            Node::Call(_, all) | Node::And(all) | Node::Or(all) => {
                all.iter_mut().for_each(|a| a.renumber(to));
            }
            Node::Negate(one) | Node::Match(one, _) | Node::List(one, _) | Node::Fit(one) => {
                one.renumber(to);
            }
            Node::Arithmetic(first, rest) => {
                first.renumber(to);
                rest.iter_mut().for_each(|(_, r)| r.renumber(to));
            }
            Node::Compare(_, a, b) | Node::MatchEach(_, a, b) => {
                a.renumber(to);
                b.renumber(to);
            }
            Node::ListEach(_, left, list) => {
                left.renumber(to);
                list.iter_mut().for_each(|l| l.renumber(to));
            }
            Node::Between(_, three) => three.iter_mut().for_each(|t| t.renumber(to)),
        }
    }
}
