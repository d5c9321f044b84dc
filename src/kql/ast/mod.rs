//! The tree of a query: statements, expressions and, in [`operator`], the tabular operators.
//!
//! Every node carries the bytes it was read from. The tree says what was written, not what it means: whether `T` is a table, a
//! column or a `let` name is settled later. What the parser could not read stands as [`ExprKind::Missing`] and was reported.
//!
//! Chains (`a and b and c`, `a + b - c`, `a.b[0].c`) are lists, and everything else nests only inside brackets, whose depth
//! the parser limits; so the tree is shallow enough to be walked and dropped by recursion, however long the query.

pub mod operator;

pub use super::span::Span;
pub use operator::{Operator, OperatorKind, Setting};

/// A whole query.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    /// Its statements, in order.
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// What it is.
    pub kind: StatementKind,
    /// Where, without the semicolon.
    pub span: Span,
}

/// Kinds of statement.
#[derive(Debug, Clone, PartialEq)]
pub enum StatementKind {
    /// `let name = …`
    Let {
        /// The new name.
        name: Name,
        /// What it stands for.
        value: LetValue,
    },
    /// `set name = value`
    Set {
        /// The option.
        name: Name,
        /// Its value; without one it is switched on.
        value: Option<Expr>,
    },
    /// `declare query_parameters(name:type = default, …)`
    QueryParameters(Vec<Parameter>),
    /// `alias database name = …`
    Alias {
        /// The new name.
        name: Name,
        /// The database.
        target: Expr,
    },
    /// `restrict access to (…)`
    Restrict(Vec<Expr>),
    /// `declare pattern name …`; its body is not kept.
    Pattern(Name),
    /// A query: an expression that stands alone.
    Query(Expr),
}

/// The right side of a `let`.
#[derive(Debug, Clone, PartialEq)]
pub enum LetValue {
    /// A scalar or a table; which of them is not known yet.
    Expr(Expr),
    /// `(parameters) { body }`
    Function(Function),
    /// `entity_group [ … ]`
    EntityGroup(Vec<Expr>),
}

/// A function that a query defines.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Whether it is written `view () { … }`.
    pub view: bool,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// Its statements; the last one is the result.
    pub body: Vec<Statement>,
    /// Where, from the bracket of the parameters to the brace.
    pub span: Span,
}

/// A parameter of a function, a query or a `scan`.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: ParameterType,
    /// The value it has when none is given.
    pub default: Option<Expr>,
    /// Where.
    pub span: Span,
}

/// Type of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterType {
    /// `x:string`
    Scalar(TypeRef),
    /// `T:(a:string, *)`
    Table(Schema),
}

/// Columns between brackets: `(a:string, b:long)`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schema {
    /// The columns.
    pub columns: Vec<Column>,
    /// Whether a `*` stands among them: there may be others.
    pub open: bool,
    /// Where, with the brackets.
    pub span: Span,
}

/// A column of a [`Schema`].
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeRef,
}

/// A type where it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeRef {
    /// The type.
    pub ty: Type,
    /// Where.
    pub span: Span,
}

/// Kusto's scalar types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// `bool`
    Bool,
    /// `datetime`
    DateTime,
    /// `decimal`
    Decimal,
    /// `dynamic`
    Dynamic,
    /// `guid`
    Guid,
    /// `int`, 32 bits
    Int,
    /// `long`, 64 bits
    Long,
    /// `real`
    Real,
    /// `string`
    String,
    /// `timespan`
    Timespan,
}

impl Type {
    /// Name as Kusto spells it.
    pub fn name(self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::DateTime => "datetime",
            Type::Decimal => "decimal",
            Type::Dynamic => "dynamic",
            Type::Guid => "guid",
            Type::Int => "int",
            Type::Long => "long",
            Type::Real => "real",
            Type::String => "string",
            Type::Timespan => "timespan",
        }
    }

    /// The type of that name; Kusto's other names for them count.
    pub fn named(name: &str) -> Option<Type> {
        Some(match name {
            "bool" | "boolean" => Type::Bool,
            "datetime" | "date" => Type::DateTime,
            "decimal" => Type::Decimal,
            "dynamic" => Type::Dynamic,
            "guid" | "uuid" | "uniqueid" => Type::Guid,
            "int" | "int8" | "int16" | "int32" | "uint" | "uint8" | "uint16" | "uint32" => {
                Type::Int
            }
            "long" | "int64" | "ulong" | "uint64" => Type::Long,
            "real" | "double" | "float" => Type::Real,
            "string" => Type::String,
            "timespan" | "time" => Type::Timespan,
            _ => return None,
        })
    }
}

/// A name, without brackets and quotes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where, with brackets and quotes.
    pub span: Span,
}

/// An expression: a scalar, a table, or a name that may be either.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where, with the brackets around it.
    pub span: Span,
}

/// Kinds of expression.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ExprKind {
    /// Could not be read; a fault says why.
    #[default]
    Missing,
    /// A constant.
    Literal(Literal),
    /// `dynamic(…)`
    Dynamic(Box<Json>),
    /// A column, table, function without brackets, or `let` name.
    Name(String),
    /// A pattern for names of tables: `Device*`.
    Wildcard(String),
    /// `*`: all columns.
    Star,
    /// `base.a["b"][0]`, `database("x").T`
    Path {
        /// What stands before the first step.
        base: Box<Expr>,
        /// At least one step.
        steps: Vec<Step>,
    },
    /// `name(arguments)`
    Call(Box<Call>),
    /// `-x`, `+x`
    Sign {
        /// Whether it is a minus.
        negative: bool,
        /// What it stands before.
        operand: Box<Expr>,
    },
    /// `a + b - c`: evaluated from the left. All operators are of one rank.
    Arithmetic {
        /// The first operand.
        first: Box<Expr>,
        /// Each further one with the operator before it; at least one.
        rest: Vec<(ArithmeticOp, Expr)>,
    },
    /// `a == b`, `a < b`
    Compare {
        /// The operator.
        op: CompareOp,
        /// Left of it.
        left: Box<Expr>,
        /// Right of it.
        right: Box<Expr>,
    },
    /// `a has b`, `a !contains_cs b`, `a =~ b`, `a matches regex b`
    Match {
        /// The operator.
        op: MatchOp,
        /// The text searched; [`ExprKind::Star`] for `* has b`.
        left: Box<Expr>,
        /// What is looked for.
        right: Box<Expr>,
    },
    /// `a in (…)`, `a has_any (…)`
    In {
        /// The operator.
        op: InOp,
        /// Left of it.
        left: Box<Expr>,
        /// What stands between the brackets: scalars, or one table, array or subquery.
        list: Vec<Expr>,
    },
    /// `value between (low .. high)`
    Between {
        /// Whether it is written `!between`.
        negated: bool,
        /// What is compared.
        value: Box<Expr>,
        /// The lower bound, included.
        low: Box<Expr>,
        /// The upper bound, included.
        high: Box<Expr>,
    },
    /// `a and b and …`: at least two.
    And(Vec<Expr>),
    /// `a or b or …`: at least two.
    Or(Vec<Expr>),
    /// `typeof(string)`
    TypeOf(Type),
    /// `typeof(a:string, b:long)`, the columns of a table.
    SchemaOf(Box<Schema>),
    /// `datatable(schema)[values]`
    DataTable(Box<DataTable>),
    /// `externaldata(schema)[addresses] with (…)`
    ExternalData(Box<ExternalData>),
    /// A source and operators. A pipeline without operators is its source.
    Pipeline(Box<Pipeline>),
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// `.name`, `["name"]`, `.['name']`
    Member(Name),
    /// `[index]`
    Index(Expr),
    /// `.name(arguments)`: `cluster("c").database("d")`
    Call(Call),
    /// `.pattern*`, tables of a database
    Wildcard(Name),
}

/// A function call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Call {
    /// Name of the function.
    pub name: Name,
    /// Its arguments. That of `toscalar`, `materialize` and `totable` may be a pipeline.
    pub arguments: Vec<NamedExpr>,
    /// Where, with the brackets.
    pub span: Span,
}

/// An expression that may have a name or several: `a = x`, `(a, b) = f(x)`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NamedExpr {
    /// The names before `=`; none where there is no `=`.
    pub names: Vec<Name>,
    /// The expression.
    pub expr: Expr,
    /// Where, with the names.
    pub span: Span,
}

/// Operators of arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArithmeticOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
}

/// Operators of comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOp {
    /// `==`
    Equal,
    /// `!=`, `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

/// An operator that compares strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchOp {
    /// How it compares.
    pub kind: MatchKind,
    /// Whether upper and lower case differ.
    pub case_sensitive: bool,
    /// Whether it is the negated form.
    pub negated: bool,
}

/// How a [`MatchOp`] compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchKind {
    /// `=~`
    Equal,
    /// `has`
    Has,
    /// `hasprefix`
    HasPrefix,
    /// `hassuffix`
    HasSuffix,
    /// `contains`
    Contains,
    /// `startswith`
    StartsWith,
    /// `endswith`
    EndsWith,
    /// `like`
    Like,
    /// `matches regex`
    Regex,
    /// `column:term`, of `search`
    Term,
}

/// An operator that compares with a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InOp {
    /// How it compares.
    pub kind: InKind,
    /// Whether upper and lower case differ.
    pub case_sensitive: bool,
    /// Whether it is the negated form.
    pub negated: bool,
}

/// How an [`InOp`] compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InKind {
    /// `in`
    In,
    /// `has_any`
    HasAny,
    /// `has_all`
    HasAll,
}

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `true`, `bool(1)`
    Bool(bool),
    /// `int(7)`
    Int(i32),
    /// `7`, `long(7)`
    Long(i64),
    /// `1.5`, `real(nan)`
    Real(f64),
    /// A string, unescaped; adjacent strings are one.
    String(String),
    /// `2.5h`, in ticks of 100 ns.
    Timespan(i64),
    /// `datetime(2026-01-01)`, `timespan(1.02:03:04)`, `guid(…)`, `decimal(1.5)`: as written between the brackets, without
    /// blanks and quotes around it. The engine's conversion functions read the same forms.
    Typed(Type, String),
    /// `int(null)`
    Null(Type),
}

/// A value inside `dynamic(…)`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Json {
    /// What it is.
    pub kind: JsonKind,
    /// Where.
    pub span: Span,
}

/// Kinds of value inside `dynamic(…)`.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum JsonKind {
    /// `null`
    #[default]
    Null,
    /// A constant; Kusto's typed ones too, as in `dynamic([datetime(2026-01-01)])`.
    Literal(Literal),
    /// `[…]`
    Array(Vec<Json>),
    /// `{…}`, in the order written
    Object(Vec<(Name, Json)>),
}

/// `datatable(schema)[values]`
#[derive(Debug, Clone, PartialEq)]
pub struct DataTable {
    /// Its columns.
    pub schema: Schema,
    /// Its values, row after row: literals, signed literals and `dynamic(…)`.
    pub values: Vec<Expr>,
    /// Settings between the word and the schema.
    pub settings: Vec<Setting>,
}

/// `externaldata(schema)[addresses] with (properties)`
#[derive(Debug, Clone, PartialEq)]
pub struct ExternalData {
    /// Its columns.
    pub schema: Schema,
    /// Where the data are: strings, or expressions that give one.
    pub addresses: Vec<Expr>,
    /// `format="csv"`, `ignoreFirstRecord=true`, …
    pub properties: Vec<Setting>,
}

/// A source and the operators its rows go through.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pipeline {
    /// Where the rows come from.
    pub source: Source,
    /// The operators, in order.
    pub operators: Vec<Operator>,
    /// Where.
    pub span: Span,
}

/// Where the rows of a pipeline come from.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Source {
    /// Could not be read; a fault says why.
    #[default]
    Missing,
    /// The rows at hand: the pipeline stands inside `mv-apply`, `partition`, `fork` or `facet`.
    Context,
    /// A table.
    Expr(Expr),
    /// An operator that makes rows: `print`, `range`, `union`, `search`, `find`, `evaluate`.
    Operator(Box<Operator>),
}
