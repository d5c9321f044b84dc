//! Calls of functions as expressions of DataFusion: by what DataFusion has of its own, or by a body for whole columns ([`lifted`]).

use datafusion::logical_expr::{Expr, when};
use datafusion::prelude::lit;

use super::lifted::{self, Lift};
use super::native::{For, Native};
use crate::function::operate::arithmetic_type;
use crate::function::value::Type;
use crate::function::{self, Function};
use crate::kql::ast::ArithmeticOp;
use crate::kql::eval::{Compiled, Node, PathStep};

/// A `case` with more conditions and values is evaluated row by row.
const MOST_BRANCHES: usize = 64;

impl Native<'_> {
    /// What has a body for whole columns of these types.
    pub(super) fn lifted(&self, body: Lift, arguments: &[&Compiled], ty: Type) -> Option<Expr> {
        let types: Vec<Type> = arguments.iter().map(|a| a.ty).collect();
        if !lifted::fits(body, &types) {
            return None;
        }
        let columns: Option<Vec<Expr>> = arguments.iter().map(|a| self.argument(a)).collect();
        lifted::call(body, columns?, types, ty)
    }

    /// An argument of a body. JSON that is made row by row is better taken from there than printed and read again.
    fn argument(&self, argument: &Compiled) -> Option<Expr> {
        match argument.ty {
            Type::Dynamic => self.exact(argument, For::Value),
            _ => Some(self.value(argument)),
        }
    }

    /// A function that has a body for whole columns.
    fn lifted_call(
        &self,
        function: &'static Function,
        arguments: &[Compiled],
        ty: Type,
    ) -> Option<Expr> {
        let texts = function.body?.texts;
        // Those first that may have no such form: the others are not planned in vain.
        let mut dynamic = Vec::new();
        for (at, argument) in arguments.iter().enumerate() {
            if argument.ty == Type::Dynamic {
                dynamic.push(match (texts >> at.min(63)) & 1 {
                    1 => (self.text(argument)?, Type::String),
                    _ => (self.argument(argument)?, Type::Dynamic),
                });
            }
        }
        let mut dynamic = dynamic.into_iter();
        let columns = arguments.iter().map(|argument| match argument.ty {
            Type::Dynamic => dynamic.next(),
            ty => Some((self.value(argument), ty)),
        });
        let (columns, types) = columns.collect::<Option<Vec<_>>>()?.into_iter().unzip();
        lifted::call(Lift::Call(function), columns, types, ty)
    }

    /// A chain of operations.
    pub(super) fn arithmetic(
        &self,
        first: &Compiled,
        rest: &[(ArithmeticOp, Compiled)],
    ) -> Option<Expr> {
        let (mut value, mut ty) = (self.value(first), first.ty);
        for (op, operand) in rest {
            let types = vec![ty, operand.ty];
            ty = arithmetic_type(*op, ty, operand.ty).ok()?;
            let columns = vec![value, self.value(operand)];
            value = lifted::call(Lift::Arithmetic(*op), columns, types, ty)?;
        }
        Some(value)
    }

    /// `split(text, delimiter)[index]`, which needs no array.
    pub(super) fn part_of_split(&self, compiled: &Compiled, ty: Type) -> Option<Expr> {
        let Node::Path(base, steps) = compiled.node() else {
            return None;
        };
        let (Node::Call(split, arguments), [PathStep::Index(index)]) = (base.node(), &**steps)
        else {
            return None;
        };
        let whole = matches!(index.ty, Type::Int | Type::Long);
        if split.name != "split" || arguments.len() != 2 || !whole {
            return None;
        }
        let mut arguments = arguments.clone();
        arguments.push(index.clone());
        self.lifted_call(function::internal("split_part")?, &arguments, ty)
    }

    /// A function of the table.
    pub(super) fn call(
        &self,
        function: &'static Function,
        arguments: &[Compiled],
        ty: Type,
    ) -> Option<Expr> {
        match (function.name, arguments) {
            ("not", [one]) if one.ty == Type::Bool => {
                Some(datafusion::logical_expr::not(self.value(one)))
            }
            ("isempty", [one]) if is_text(one.ty) => Some(self.text(one)?.eq(lit(""))),
            ("isnotempty" | "notempty", [one]) if is_text(one.ty) => {
                Some(self.text(one)?.not_eq(lit("")))
            }
            ("isnull", [one]) if !matches!(one.ty, Type::String | Type::Dynamic | Type::Guid) => {
                Some(self.value(one).is_null())
            }
            ("isnotnull" | "notnull", [one])
                if !matches!(one.ty, Type::String | Type::Dynamic | Type::Guid) =>
            {
                Some(self.value(one).is_not_null())
            }
            ("tostring", [one]) => self.text(one),
            ("bin" | "floor", [value, size]) => self.lifted(Lift::Bin, &[value, size], ty),
            ("iff" | "iif", [condition, then, other]) => {
                when(self.filter(condition), self.branch(then, ty))
                    .otherwise(self.branch(other, ty))
                    .ok()
            }
            ("case", [branches @ .., last])
                if (2..=MOST_BRANCHES).contains(&branches.len())
                    && branches.len().is_multiple_of(2) =>
            {
                let mut pairs = branches.chunks_exact(2);
                let first = pairs.next()?;
                let mut case = when(self.filter(&first[0]), self.branch(&first[1], ty));
                for pair in pairs {
                    case = case.when(self.filter(&pair[0]), self.branch(&pair[1], ty));
                }
                case.otherwise(self.branch(last, ty)).ok()
            }
            _ => self.lifted_call(function, arguments, ty),
        }
    }

    /// A branch of a choice whose values are of this type.
    fn branch(&self, branch: &Compiled, ty: Type) -> Expr {
        match branch.ty == ty {
            true => self.value(branch),
            false => self.value(&branch.clone().converted(ty)),
        }
    }
}

/// Whether a value is text, or may hold it.
fn is_text(ty: Type) -> bool {
    matches!(ty, Type::String | Type::Dynamic)
}
