//! A function: one row of the table.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::arguments::Typed;
use super::environment::Env;
use super::result_name::ResultName;
use super::value::{Cell, Type, Value};

/// What a function does with scalars that borrow what they hold.
#[derive(Clone, Copy)]
pub struct Body {
    /// Of which arguments only the text counts, a bit for each: null is as empty text there.
    pub texts: u64,
    /// The value of the result. Text that is made stands in the room, which is empty before.
    pub of: for<'a> fn(&[Cell<'a>], &'a mut String) -> Cell<'a>,
}

/// All arguments of a function.
pub(super) const ALL: u64 = u64::MAX;

impl Body {
    /// The same of values.
    pub(super) fn values(self, arguments: &[Value]) -> Value {
        let cells: Vec<Cell> = arguments.iter().map(Value::cell).collect();
        let mut room = String::new();
        let given = (self.of)(&cells, &mut room);
        // What is an argument as it stands is not copied.
        let same = |value: &&Value| match (value, given) {
            (Value::String(own), Cell::String(text)) => std::ptr::eq(&**own, text),
            (Value::Dynamic(own), Cell::Dynamic(json)) => std::ptr::eq(&**own, json),
            _ => false,
        };
        match arguments.iter().find(same) {
            Some(argument) => argument.clone(),
            None => given.value(),
        }
    }
}

/// A function with one body for values and for columns.
macro_rules! lifted {
    ($texts:expr, $of:expr, $($field:ident: $value:expr),* $(,)?) => {
        $crate::function::definition::Function {
            $($field: $value,)*
            body: Some($crate::function::definition::Body { texts: $texts, of: $of }),
            eval: |_, a| $crate::function::definition::Body { texts: $texts, of: $of }.values(a),
            ..$crate::function::definition::BARE
        }
    };
}
pub(super) use lifted;

/// Whose clocks show a time that a function gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Those of its arguments: a local time where one of them is local.
    OfArguments,
    /// Those of a zone: a local time.
    Local,
    /// Those of UTC, whatever the arguments are.
    Utc,
}

/// What most functions are; a row of the table says the rest.
pub(super) const BARE: Function = Function {
    name: "",
    arguments: (0, 0),
    names: ResultName::Numbered,
    volatile: false,
    asks_now: false,
    clock: Clock::OfArguments,
    needs_geography: false,
    constants: |_| Ok(()),
    doc: "",
    example: "",
    answer: "",
    ty: |_| Ok(Type::Dynamic),
    body: None,
    eval: |_, _| Value::Null,
};

/// A scalar function.
#[derive(Clone, Copy)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Fewest and most arguments; `usize::MAX` stands for any number.
    pub arguments: (usize, usize),
    /// One line: signature and what it returns.
    pub doc: &'static str,
    /// A query that runs without data.
    pub example: &'static str,
    /// Text of the single cell of the example's answer.
    pub answer: &'static str,
    /// How a column of its results is named.
    pub names: ResultName,
    /// Whether it gives another value each time. All others give equal results for equal arguments and an equal [`Env`].
    pub volatile: bool,
    /// Whether it asks [`Env::now`].
    pub asks_now: bool,
    /// What its result is where it is a time.
    pub clock: Clock,
    /// Whether it asks [`Env::geography`].
    pub needs_geography: bool,
    /// What is wrong with constant arguments, where Kusto checks them before it runs; `None` stands for an argument that is not
    /// constant.
    pub constants: fn(&[Option<&Value>]) -> Result<(), String>,
    /// The type of the result.
    pub ty: fn(&[Type]) -> Typed,
    /// The body over scalars that borrow what they hold, where it has one: for whole columns.
    pub body: Option<Body>,
    /// The value of the result; [`Function::call`] gives it the type promised.
    pub eval: fn(&Env, &[Value]) -> Value,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// No two have one name.
impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Function {
    /// The type of the result for arguments of those types.
    ///
    /// # Errors
    ///
    /// Where Kusto refuses the arguments: their number or a type.
    pub fn check(&self, arguments: &[Type]) -> Typed {
        let (fewest, most) = self.arguments;
        let count = arguments.len();
        if count < fewest || count > most {
            let wanted = match (fewest, most) {
                (fewest, usize::MAX) => format!("at least {fewest}"),
                (fewest, most) if fewest == most => fewest.to_string(),
                (fewest, most) => format!("{fewest} to {most}"),
            };
            let plural = if wanted == "1" || wanted == "at least 1" {
                "argument"
            } else {
                "arguments"
            };
            let name = self.name;
            return Err(format!("`{name}` takes {wanted} {plural}, not {count}"));
        }
        (self.ty)(arguments).map_err(|message| format!("`{}`: {message}", self.name))
    }

    /// The value of the result, of type `ty` as [`Function::check`] gave it. Never a null `string`.
    pub fn call(&self, env: &Env, ty: Type, arguments: &[Value]) -> Value {
        (self.eval)(env, arguments).fit(ty)
    }

    /// Checks the arguments that are constant; `None` stands for one that is not.
    ///
    /// # Errors
    ///
    /// Where Kusto refuses the query.
    pub fn check_constants(&self, arguments: &[Option<&Value>]) -> Result<(), String> {
        (self.constants)(arguments).map_err(|message| format!("`{}`: {message}", self.name))
    }

    /// The same, its results named in another way.
    pub(super) const fn names(self, names: ResultName) -> Function {
        Function { names, ..self }
    }

    /// The same under another name.
    pub(super) const fn named(self, name: &'static str) -> Function {
        Function { name, ..self }
    }
}
