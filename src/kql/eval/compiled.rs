//! What an expression is when its names and types are resolved.

use std::sync::Arc;

use crate::function::Function;
use crate::function::operate::{List, Matcher};
use crate::function::value::{Type, Value};
use crate::kql::ast::{self, ArithmeticOp, CompareOp};

/// An expression ready to run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Compiled {
    /// The type of its values.
    pub ty: Type,
    /// What it does.
    pub(super) node: Node,
}

/// What an expression does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Node {
    /// A value.
    Constant(Value),
    /// A column of the row, by position.
    Column(usize),
    /// An argument or `let` of one of the query's functions, by its place on the stack.
    Local(usize),
    /// What a subquery gives when the query runs, by its number ([`Tables::later`](super::Tables::later)). Queries that are only planned have it: its value
    /// is null here.
    Awaited(usize),
    /// A function put in place of its call: the values are pushed one after the other.
    Inline(Vec<Compiled>, Box<Compiled>),
    /// `a.b[0]`
    Path(Box<Compiled>, Vec<PathStep>),
    /// A function of the table.
    Call(&'static Function, Vec<Compiled>),
    /// `-a`
    Negate(Box<Compiled>),
    /// `a + b - c`
    Arithmetic(Box<Compiled>, Vec<(ArithmeticOp, Compiled)>),
    /// `a == b`, `a < b`
    Compare(CompareOp, Box<Compiled>, Box<Compiled>),
    /// A string operator with a constant right side, prepared.
    Match(Box<Compiled>, Arc<Matcher>),
    /// A string operator with a right side of the row.
    MatchEach(ast::MatchOp, Box<Compiled>, Box<Compiled>),
    /// `in`, `has_any`, `has_all` of constants, prepared.
    List(Box<Compiled>, Arc<List>),
    /// The same of values of the row.
    ListEach(ast::InOp, Box<Compiled>, Vec<Compiled>),
    /// `between` of value, low and high; negated where true.
    Between(bool, Box<[Compiled; 3]>),
    /// `a and b`
    And(Vec<Compiled>),
    /// `a or b`
    Or(Vec<Compiled>),
    /// A value made to be of the type.
    Fit(Box<Compiled>),
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathStep {
    /// A property.
    Member(Arc<str>),
    /// A property or element, by a value.
    Index(Compiled),
}

impl Compiled {
    /// A constant.
    pub fn constant(value: Value, ty: Type) -> Compiled {
        Compiled {
            ty,
            node: Node::Constant(value),
        }
    }

    /// What it does.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Its value where it is known: it depends neither on the row nor on chance.
    pub fn as_constant(&self) -> Option<&Value> {
        match &self.node {
            Node::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// The column it is, where it is nothing else.
    pub fn as_column(&self) -> Option<usize> {
        match self.node {
            Node::Column(at) => Some(at),
            _ => None,
        }
    }

    /// The same, its values converted to a type as Kusto's conversion functions do it.
    pub fn converted(self, ty: Type) -> Compiled {
        if self.ty == ty {
            return self;
        }
        let node = match self.node {
            Node::Constant(value) => Node::Constant(value.fit(ty)),
            node => Node::Fit(Box::new(Compiled { ty: self.ty, node })),
        };
        Compiled { ty, node }
    }
}
