//! Scalar expressions: names and types resolved once, then evaluated row by row.
//!
//! [`compile`] turns an expression of the tree into a [`Compiled`] over columns that are known by name and type. Constant
//! parts are evaluated then and there, with what the query knows of its surroundings. Functions that the query defines are put in
//! place of their calls. Subqueries (`toscalar`, `in (T | …)`) are run, or kept for later, by whoever implements [`Tables`]; this
//! module knows no tables.

mod call;
mod columns;
mod compiled;
mod hint;
mod inline;
mod matching;
mod run;
mod tables;

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::ast::{
    self, ArithmeticOp, CompareOp, Expr, ExprKind, Json as JsonTree, JsonKind, Literal, Pipeline,
    Source, Step,
};
use super::span::{Fault, Span};
use crate::function::operate;
use crate::function::value::{Json, TICKS_PER_DAY, Type, Value, read_timespan};
use crate::function::{self, Env};
pub use compiled::{Compiled, Node, PathStep};
pub use hint::nearest;
pub use tables::{FirstCell, Known, Tables};

/// A column of this name stands for columns of text that nobody knows yet: those of a list that is not there. It takes names that stand
/// for nothing else.
pub const ANY_TEXT: &str = "\0text";
/// The same of columns whose types are not known either: a name that stands for nothing else is no fault of the query.
pub const ANY: &str = "\0any";

/// How deep calls of the query's own functions may nest.
const MAX_INLINED: usize = 32;
/// How deep an expression nests with all functions in place; compiling and running it recurse so deep.
const MAX_LEVELS: usize = 200;
/// An expression with all functions in place has at most so many parts.
const MAX_PARTS: usize = 100_000;

/// What names in an expression stand for.
#[derive(Clone, Copy)]
pub struct Scope<'s> {
    /// Columns of the rows, by position.
    pub columns: &'s [(String, Type)],
    /// Scalars of `let`.
    pub constants: &'s HashMap<String, (Value, Type)>,
    /// Those whose value is not known before the query runs.
    pub awaited: &'s HashMap<String, Compiled>,
    /// Functions of `let`.
    pub functions: &'s HashMap<String, &'s ast::Function>,
    /// Runs subqueries; without it, they are refused.
    pub tables: Option<&'s dyn Tables>,
    /// Whether it is known where addresses are; without it, functions that ask are refused.
    pub geography: bool,
    /// What functions may know beside their arguments: constant parts are evaluated with it.
    pub env: &'s Env,
}

impl Default for Scope<'_> {
    fn default() -> Self {
        static NO_CONSTANTS: std::sync::LazyLock<HashMap<String, (Value, Type)>> =
            std::sync::LazyLock::new(HashMap::new);
        static NO_FUNCTIONS: std::sync::LazyLock<HashMap<String, &'static ast::Function>> =
            std::sync::LazyLock::new(HashMap::new);
        static NONE_AWAITED: std::sync::LazyLock<HashMap<String, Compiled>> =
            std::sync::LazyLock::new(HashMap::new);
        static NO_ENV: std::sync::LazyLock<Env> = std::sync::LazyLock::new(Env::default);
        Scope {
            columns: &[],
            constants: &NO_CONSTANTS,
            awaited: &NONE_AWAITED,
            functions: &NO_FUNCTIONS,
            tables: None,
            geography: true,
            env: &NO_ENV,
        }
    }
}

/// Resolves names and types of an expression.
///
/// # Errors
///
/// Every name that stands for nothing, every operation Kusto refuses, each with its place.
pub fn compile(expr: &Expr, scope: &Scope) -> Result<Compiled, Vec<Fault>> {
    let mut compiler = Compiler {
        scope: *scope,
        locals: Vec::new(),
        depth: 0,
        in_function: false,
        inlined: 0,
        levels: 0,
        parts: &Cell::new(0),
        faults: Vec::new(),
    };
    match compiler.expr(expr) {
        Some(compiled) if compiler.faults.is_empty() => Ok(compiled),
        _ => {
            let mut faults = compiler.faults;
            if faults.is_empty() {
                faults.push(Fault::new(expr.span, "this is no scalar expression"));
            }
            Err(faults)
        }
    }
}

/// The value of a literal and its type.
pub fn literal(literal: &Literal) -> Option<(Value, Type)> {
    Some(match literal {
        Literal::Bool(value) => (Value::Bool(*value), Type::Bool),
        Literal::Int(value) => (Value::Int(*value), Type::Int),
        Literal::Long(value) => (Value::Long(*value), Type::Long),
        Literal::Real(value) => (Value::Real(*value), Type::Real),
        Literal::String(text) => (Value::from(text.as_str()), Type::String),
        Literal::Timespan(ticks) => (Value::Timespan(*ticks), Type::Timespan),
        Literal::Null(ty) => (Value::Null.fit(*ty), *ty),
        Literal::Typed(ty, text) => {
            let value = Value::from(text.as_str()).convert(*ty);
            if value.is_null() {
                return None;
            }
            (value, *ty)
        }
    })
}

/// The time of `datetime(8:00)`, none of `datetime()`; nothing where the text is neither.
fn time_of_day(text: &str) -> Option<Option<i64>> {
    let clock = text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(':');
    match text {
        "" => Some(None),
        text if clock => {
            let ticks = read_timespan(text)?;
            (ticks < TICKS_PER_DAY).then_some(Some(ticks))
        }
        _ => None,
    }
}

/// What a name is bound to inside a function of the query.
#[derive(Clone)]
enum Binding<'s> {
    /// What stands at that place of the stack.
    Local(usize, Type),
    /// The same, where it does not depend on the row.
    Fixed(usize, Rc<Compiled>),
    Constant(Value, Type),
    /// The number tells it from the same `let` in another call.
    Table(&'s Expr, usize),
    Function(&'s ast::Function),
}

struct Compiler<'s> {
    scope: Scope<'s>,
    locals: Vec<(String, Binding<'s>)>,
    /// Values on the stack where the expression at hand runs.
    depth: usize,
    /// Columns of the row are not seen inside functions of the query.
    in_function: bool,
    inlined: usize,
    /// Expressions around the one at hand.
    levels: usize,
    parts: &'s Cell<usize>,
    faults: Vec<Fault>,
}

impl Compiler<'_> {
    fn fail<T>(&mut self, fault: Fault) -> Option<T> {
        self.faults.push(fault);
        None
    }

    fn refuse<T>(&mut self, span: Span, result: Result<T, String>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(message) => self.fail(Fault::new(span, message)),
        }
    }

    fn node(&mut self, span: Span, ty: Type, node: Node) -> Option<Compiled> {
        let parts = self.parts.get() + 1;
        self.parts.set(parts);
        if parts > MAX_PARTS {
            return self.fail(Fault::new(span, "the expression is too large"));
        }
        let compiled = Compiled { ty, node };
        Some(compiled.folded(self.scope.env))
    }

    fn expr(&mut self, expr: &Expr) -> Option<Compiled> {
        if self.levels >= MAX_LEVELS {
            return self.fail(Fault::new(expr.span, "the expression nests too deep"));
        }
        self.levels += 1;
        let compiled = self.unguarded(expr);
        self.levels -= 1;
        compiled
    }

    /// Dispatches only: whatever needs space for itself is done elsewhere, so that nesting costs little stack.
    fn unguarded(&mut self, expr: &Expr) -> Option<Compiled> {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Literal(value) => self.literal(value, span),
            ExprKind::Dynamic(json) => self.dynamic(json, span),
            ExprKind::Name(name) => self.name(name, span),
            ExprKind::Path { base, steps } => self.path(base, steps, span),
            ExprKind::Call(call) => self.call(call),
            ExprKind::Sign { negative, operand } => self.sign(*negative, operand, span),
            ExprKind::Arithmetic { first, rest } => self.arithmetic(first, rest, span),
            ExprKind::Compare { op, left, right } => self.compare(*op, left, right, span),
            ExprKind::Match { op, left, right } => self.matching(*op, left, right, span),
            ExprKind::In { op, left, list } => self.list(*op, left, list, span),
            ExprKind::Between {
                negated,
                value,
                low,
                high,
            } => self.between(*negated, [value, low, high], span),
            ExprKind::And(all) => self.conditions(all, Node::And, span),
            ExprKind::Or(all) => self.conditions(all, Node::Or, span),
            ExprKind::Pipeline(pipeline) => self.pipeline(pipeline, span),
            other => self.no_scalar(other, span),
        }
    }

    #[inline(never)]
    fn literal(&mut self, value: &Literal, span: Span) -> Option<Compiled> {
        if let Some((value, ty)) = literal(value) {
            return self.node(span, ty, Node::Constant(value));
        }
        if let Literal::Typed(Type::DateTime, text) = value
            && let Some(time) = time_of_day(text)
        {
            return self.today_at(time, span);
        }
        let ty = match value {
            Literal::Typed(ty, _) => ty.name(),
            _ => "value",
        };
        self.fail(Fault::new(span, format!("this is no {ty}")))
    }

    /// `datetime()` is now, and `datetime(8:00)` is that time of today.
    #[cold]
    fn today_at(&mut self, time: Option<i64>, span: Span) -> Option<Compiled> {
        let now = function::get("now")?;
        let now = self.node(span, Type::DateTime, Node::Call(now, Vec::new()))?;
        let Some(time) = time else {
            return Some(now);
        };
        let day = function::get("startofday")?;
        let day = self.node(span, Type::DateTime, Node::Call(day, vec![now]))?;
        let time = Compiled::constant(Value::Timespan(time), Type::Timespan);
        let node = Node::Arithmetic(Box::new(day), vec![(ArithmeticOp::Add, time)]);
        self.node(span, Type::DateTime, node)
    }

    #[inline(never)]
    fn dynamic(&mut self, json: &JsonTree, span: Span) -> Option<Compiled> {
        let json = self.json(json)?;
        self.node(span, Type::Dynamic, Node::Constant(Value::dynamic(json)))
    }

    #[inline(never)]
    fn sign(&mut self, negative: bool, operand: &Expr, span: Span) -> Option<Compiled> {
        let operand = self.expr(operand)?;
        let ty = self.refuse(span, operate::negate_type(operand.ty))?;
        match negative {
            true => self.node(span, ty, Node::Negate(Box::new(operand))),
            false => Some(operand.converted(ty)),
        }
    }

    #[inline(never)]
    fn compare(
        &mut self,
        op: CompareOp,
        left: &Expr,
        right: &Expr,
        span: Span,
    ) -> Option<Compiled> {
        let (left, right) = self.both(left, right)?;
        self.refuse(span, operate::compare_type(op, left.ty, right.ty))?;
        let node = Node::Compare(op, Box::new(left), Box::new(right));
        self.node(span, Type::Bool, node)
    }

    #[inline(never)]
    fn between(&mut self, negated: bool, parts: [&Expr; 3], span: Span) -> Option<Compiled> {
        let value = self.expr(parts[0]);
        let (low, high) = self.both(parts[1], parts[2])?;
        let value = value?;
        self.refuse(span, operate::between_type(value.ty, low.ty, high.ty))?;
        let node = Node::Between(negated, Box::new([value, low, high]));
        self.node(span, Type::Bool, node)
    }

    /// A table in brackets may be a scalar in brackets.
    #[inline(never)]
    fn pipeline(&mut self, pipeline: &Pipeline, span: Span) -> Option<Compiled> {
        match &pipeline.source {
            Source::Expr(inner) if pipeline.operators.is_empty() => self.expr(inner),
            _ => self.fail(
                Fault::new(span, "a table stands where a scalar is expected")
                    .with_hint("`toscalar(…)` takes the first cell of a table"),
            ),
        }
    }

    #[cold]
    #[inline(never)]
    fn no_scalar(&mut self, kind: &ExprKind, span: Span) -> Option<Compiled> {
        let what = match kind {
            // Reported by the parser.
            ExprKind::Missing => return None,
            ExprKind::Star => "`*`",
            ExprKind::TypeOf(_) => "`typeof`",
            _ => "a table",
        };
        let message = format!("{what} stands where a scalar is expected");
        self.fail(Fault::new(span, message))
    }

    /// Both sides, so that the faults of both are found.
    fn both(&mut self, left: &Expr, right: &Expr) -> Option<(Compiled, Compiled)> {
        let left = self.expr(left);
        let right = self.expr(right);
        Some((left?, right?))
    }

    #[inline(never)]
    fn conditions(
        &mut self,
        all: &[Expr],
        node: fn(Vec<Compiled>) -> Node,
        span: Span,
    ) -> Option<Compiled> {
        let mut conditions = Some(Vec::with_capacity(all.len()));
        for expr in all {
            let condition = self.expr(expr).and_then(|condition| {
                self.refuse(expr.span, operate::condition_type(condition.ty))?;
                Some(condition)
            });
            match (condition, &mut conditions) {
                (Some(condition), Some(conditions)) => conditions.push(condition),
                _ => conditions = None,
            }
        }
        self.node(span, Type::Bool, node(conditions?))
    }

    fn arithmetic(
        &mut self,
        first: &Expr,
        rest: &[(ArithmeticOp, Expr)],
        span: Span,
    ) -> Option<Compiled> {
        let mut whole = self.expr(first);
        for (op, operand) in rest {
            let operand_span = operand.span;
            let operand = self.expr(operand);
            whole = match (whole, operand) {
                (Some(left), Some(right)) => {
                    let place = Span::new(span.start, operand_span.end);
                    let ty = self.refuse(place, operate::arithmetic_type(*op, left.ty, right.ty));
                    ty.and_then(|ty| {
                        let node = match left.node {
                            // A chain is one node, however long, so that running it does not recurse.
                            Node::Arithmetic(first, mut rest) => {
                                rest.push((*op, right));
                                Node::Arithmetic(first, rest)
                            }
                            node => {
                                let left = Compiled { ty: left.ty, node };
                                Node::Arithmetic(Box::new(left), vec![(*op, right)])
                            }
                        };
                        self.node(place, ty, node)
                    })
                }
                _ => None,
            };
        }
        whole
    }

    fn lookup(&self, name: &str) -> Option<(Node, Type)> {
        let locals = self.locals.iter().rev();
        for (known, binding) in locals {
            if known == name {
                return match binding {
                    Binding::Local(at, ty) => Some((Node::Local(*at), *ty)),
                    Binding::Fixed(at, value) => Some((Node::Local(*at), value.ty)),
                    Binding::Constant(value, ty) => Some((Node::Constant(value.clone()), *ty)),
                    Binding::Table(..) | Binding::Function(_) => None,
                };
            }
        }
        if !self.in_function {
            let mut columns = self.scope.columns.iter();
            if let Some(at) = columns.position(|(known, _)| known == name) {
                return Some((Node::Column(at), self.scope.columns[at].1));
            }
        }
        if let Some((value, ty)) = self.scope.constants.get(name) {
            return Some((Node::Constant(value.clone()), *ty));
        }
        let awaited = self.scope.awaited.get(name)?;
        Some((awaited.node.clone(), awaited.ty))
    }

    /// Where the column stands that takes names of columns which nobody knows.
    fn stand_in(&self, of: &str) -> Option<usize> {
        let mut columns = self.scope.columns.iter();
        match self.in_function {
            true => None,
            false => columns.position(|(known, _)| known.starts_with(of)),
        }
    }

    fn name(&mut self, name: &str, span: Span) -> Option<Compiled> {
        if let Some((node, ty)) = self.lookup(name) {
            return self.node(span, ty, node);
        }
        // A function of the query that takes nothing may be named without brackets.
        if let Some(own) = self.own_function(name)
            && own.function.parameters.is_empty()
        {
            return self.inline(name, own, &[], span);
        }
        let (text, any) = (self.stand_in(ANY_TEXT), self.stand_in(ANY));
        if let (true, Some(tables)) = (text.or(any).is_some(), self.scope.tables) {
            tables.unknown(name);
        }
        if let Some(at) = text {
            return self.node(span, Type::String, Node::Column(at));
        }
        let locals = self.locals.iter().map(|(known, _)| known.as_str());
        let columns = match self.in_function {
            true => &[],
            false => self.scope.columns,
        };
        let columns = columns.iter().map(|(known, _)| known.as_str());
        let columns = columns.filter(|known| !known.starts_with('\0'));
        let constants = self.scope.constants.keys().map(String::as_str);
        let hint = nearest(name, locals.chain(columns).chain(constants));
        let fault = Fault::new(span, format!("no column or variable `{name}`"));
        let fault = match any {
            Some(_) => fault.open_column(),
            None => fault.missing_column(),
        };
        self.fail(hint::with(fault, hint))
    }

    fn path(&mut self, base: &Expr, steps: &[Step], span: Span) -> Option<Compiled> {
        let base = self.expr(base)?;
        if base.ty != Type::Dynamic && base.ty != Type::String {
            let message = format!("a {} has no properties and no elements", base.ty.name());
            return self.fail(Fault::new(span, message));
        }
        let mut path = Vec::with_capacity(steps.len());
        for step in steps {
            path.push(match step {
                Step::Member(name) => PathStep::Member(name.text.as_str().into()),
                Step::Index(index) => PathStep::Index(self.expr(index)?),
                Step::Call(call) => {
                    return self.fail(Fault::new(
                        call.span,
                        "a scalar has no functions of its own",
                    ));
                }
                Step::Wildcard(name) => {
                    return self.fail(Fault::new(name.span, "`*` stands for tables only"));
                }
            });
        }
        if base.ty == Type::String {
            let message = "a string has no properties";
            let fault = Fault::new(span, message).with_hint("`parse_json(…)` reads the JSON in it");
            return self.fail(fault);
        }
        self.node(span, Type::Dynamic, Node::Path(Box::new(base), path))
    }

    fn json(&mut self, json: &JsonTree) -> Option<Json> {
        Some(match &json.kind {
            JsonKind::Null => Json::Null,
            JsonKind::Literal(value) => match literal(value) {
                Some((value, _)) => Json::from_value(&value),
                None => return self.fail(Fault::new(json.span, "this is no value")),
            },
            JsonKind::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| self.json(item)).collect();
                Json::Array(items.into_iter().collect::<Option<_>>()?)
            }
            JsonKind::Object(properties) => {
                let mut bag: Vec<(Arc<str>, Json)> = Vec::with_capacity(properties.len());
                for (name, value) in properties {
                    let value = self.json(value)?;
                    match bag.iter_mut().find(|(key, _)| **key == *name.text) {
                        Some(property) => property.1 = value,
                        None => bag.push((name.text.as_str().into(), value)),
                    }
                }
                Json::Bag(bag)
            }
        })
    }
}

/// Evaluates a constant expression.
///
/// # Errors
///
/// What [`compile`] finds, and names of columns, which have no value here.
pub fn constant(expr: &Expr, scope: &Scope, env: &Env) -> Result<(Value, Type), Vec<Fault>> {
    let scope = Scope {
        columns: &[],
        ..*scope
    };
    let compiled = compile(expr, &scope)?;
    Ok((compiled.eval(env, &[]), compiled.ty))
}

#[cfg(test)]
mod tests;
