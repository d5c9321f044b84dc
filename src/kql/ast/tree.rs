//! Expressions and tabular operators.
//!
//! Both are here, since each holds the other: a table in brackets is an expression, and operators take expressions.

use super::leaf::{
    Direction, FindColumn, Json, Literal, Name, NamePattern, Nulls, ParsePart, Rename, Reorder,
    Schema, TypeRef,
};
use crate::function::operators::{ArithmeticOp, CompareOp, InOp, MatchOp};
use crate::function::value::Type;
use crate::kql::span::Span;

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

/// A tabular operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Operator {
    /// Which one, with its operands.
    pub kind: OperatorKind,
    /// Its keyword as written: `filter`, `mvexpand`.
    pub keyword: Name,
    /// `kind=inner`, `hint.strategy=broadcast`, `withsource=T`, in the order written.
    pub settings: Vec<Setting>,
    /// Where, from the keyword on.
    pub span: Span,
}

impl Operator {
    /// The setting of that name.
    pub fn setting(&self, name: &str) -> Option<&Setting> {
        self.settings
            .iter()
            .find(|setting| setting.name.text == name)
    }
}

/// `name=value`: a parameter of an operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Its name, with the dots: `hint.strategy`.
    pub name: Name,
    /// Its value: a literal, or a word as [`super::ExprKind::Name`].
    pub value: Expr,
    /// Where.
    pub span: Span,
}

/// The operators and their operands.
#[derive(Debug, Clone, PartialEq)]
pub enum OperatorKind {
    /// `as name`
    As(Name),
    /// `assert-schema (schema)`
    AssertSchema(Schema),
    /// `consume`
    Consume,
    /// `count`, `count as name`
    Count(Option<Name>),
    /// `distinct a, b` or `distinct *`
    Distinct(Vec<NamedExpr>),
    /// `evaluate plugin(arguments) : (schema)`
    Evaluate {
        /// The plugin and its arguments.
        call: Call,
        /// Columns of the result, where they are given; an open one keeps those of the input.
        schema: Option<Schema>,
    },
    /// `extend a = x, y`
    Extend(Vec<NamedExpr>),
    /// `facet by a, b with (…)`
    Facet {
        /// One facet each.
        columns: Vec<Expr>,
        /// What each facet's rows go through.
        body: Option<Pipeline>,
    },
    /// `find in (tables) where predicate project …`
    Find(Box<Find>),
    /// `fork (…) name=(…)`
    Fork(Vec<ForkBranch>),
    /// `getschema`
    GetSchema,
    /// `invoke function(arguments)`
    Invoke(Expr),
    /// `join kind=… (table) on …`
    Join {
        /// The right side.
        table: Expr,
        /// How rows are matched; Kusto wants one, `kind=cross` aside.
        condition: Option<JoinCondition>,
    },
    /// `lookup kind=… (table) on …`
    Lookup {
        /// The dimension table.
        table: Expr,
        /// How rows are matched.
        condition: Option<JoinCondition>,
    },
    /// `make-series …`
    MakeSeries(Box<MakeSeries>),
    /// `mv-apply item = x to typeof(t) limit n on (…)`
    MvApply {
        /// The arrays, expanded side by side.
        columns: Vec<MvColumn>,
        /// Most elements of a row.
        limit: Option<Expr>,
        /// What the elements of each row go through.
        body: Pipeline,
    },
    /// `mv-expand item = x to typeof(t) limit n`
    MvExpand {
        /// The arrays, expanded side by side.
        columns: Vec<MvColumn>,
        /// Most rows for one.
        limit: Option<Expr>,
    },
    /// `parse source with pattern` and `parse-where`
    Parse {
        /// Whether it is `parse-where`, which drops rows that do not match.
        filter: bool,
        /// The text taken apart.
        source: Expr,
        /// How.
        pattern: Vec<ParsePart>,
    },
    /// `parse-kv source as (keys) with (properties)`
    ParseKv {
        /// The text taken apart.
        source: Expr,
        /// Keys and their types.
        keys: Schema,
        /// `pair_delimiter`, `kv_delimiter`, `quote`, `regex`, …
        properties: Vec<Setting>,
    },
    /// `partition by column (…)` or `{…}`
    Partition {
        /// The column whose values are the parts.
        by: Expr,
        /// Which values, after `in`.
        scope: Option<Expr>,
        /// What each part goes through; in braces it has a source of its own.
        body: Pipeline,
    },
    /// `print a = x, y`
    Print(Vec<NamedExpr>),
    /// `project a = x, y`
    Project(Vec<NamedExpr>),
    /// `project-away a, b*`
    ProjectAway(Vec<NamePattern>),
    /// `project-by-names x, y`
    ProjectByNames(Vec<Expr>),
    /// `project-keep a, b*`
    ProjectKeep(Vec<NamePattern>),
    /// `project-rename new = old`
    ProjectRename(Vec<Rename>),
    /// `project-reorder a, b* desc`
    ProjectReorder(Vec<Reorder>),
    /// `range name from x to y step z`
    Range {
        /// Name of the column.
        name: Name,
        /// The first value.
        from: Expr,
        /// No value lies behind this one.
        to: Expr,
        /// The distance of two values.
        step: Expr,
    },
    /// `reduce by x with threshold=…`
    Reduce {
        /// The text that is reduced to patterns.
        by: NamedExpr,
        /// `threshold`, `characters`
        properties: Vec<Setting>,
    },
    /// `render chart with (…)`
    Render {
        /// The kind of chart.
        chart: Name,
        /// How it is drawn.
        properties: Vec<RenderProperty>,
    },
    /// `sample n`
    Sample(Expr),
    /// `sample-distinct n of x`
    SampleDistinct {
        /// How many.
        count: Expr,
        /// Of which values.
        of: NamedExpr,
    },
    /// `scan with (…)`
    Scan(Box<Scan>),
    /// `search in (tables) predicate`
    Search {
        /// The tables searched; none means all.
        tables: Vec<Expr>,
        /// A term or a condition.
        predicate: Expr,
    },
    /// `serialize a = x`
    Serialize(Vec<NamedExpr>),
    /// `sort by a asc, b`, `order by`
    Sort(Vec<Ordered>),
    /// `summarize a = f(x) by b`
    Summarize {
        /// The aggregates.
        aggregates: Vec<NamedExpr>,
        /// The groups.
        by: Vec<NamedExpr>,
        /// `bin=…` after the groups, an old spelling.
        bin: Option<Expr>,
    },
    /// `take n`, `limit n`
    Take(Expr),
    /// `top n by x desc`
    Top {
        /// How many.
        count: Expr,
        /// By what.
        by: Ordered,
    },
    /// `top-hitters n of x by y`
    TopHitters {
        /// How many.
        count: Expr,
        /// Of which values.
        of: NamedExpr,
        /// By which sum.
        by: Option<NamedExpr>,
    },
    /// `top-nested n of x with others=… by y, top-nested …`
    TopNested(Vec<TopNested>),
    /// `union a, b*, (…)`
    Union(Vec<Expr>),
    /// `where predicate`, `filter`
    Where(Expr),
    /// An operator that Kusto has and this parser only knows by name, such as `make-graph`; its operands are not read.
    Unread,
}

/// An expression to sort by.
#[derive(Debug, Clone, PartialEq)]
pub struct Ordered {
    /// The expression.
    pub by: NamedExpr,
    /// `asc` or `desc`; Kusto sorts descending where neither is said.
    pub direction: Option<Direction>,
    /// `nulls first` or `nulls last`; by default first when ascending, last when descending.
    pub nulls: Option<Nulls>,
}

/// How rows of two tables are matched.
#[derive(Debug, Clone, PartialEq)]
pub enum JoinCondition {
    /// `on a, $left.b == $right.c`: all of them hold.
    On(Vec<Expr>),
    /// `where …`, of Kusto's newer cross joins
    Where(Expr),
}

/// An array that is expanded.
#[derive(Debug, Clone, PartialEq)]
pub struct MvColumn {
    /// The array.
    pub item: NamedExpr,
    /// `to typeof(…)`
    pub to: Option<TypeRef>,
}

/// `make-series`
#[derive(Debug, Clone, PartialEq)]
pub struct MakeSeries {
    /// The aggregates, each with the value for steps without rows.
    pub series: Vec<(NamedExpr, Option<Expr>)>,
    /// The axis.
    pub on: NamedExpr,
    /// Its steps.
    pub range: SeriesRange,
    /// One series for each of these.
    pub by: Vec<NamedExpr>,
}

/// Steps of the axis of a [`MakeSeries`].
#[derive(Debug, Clone, PartialEq)]
pub enum SeriesRange {
    /// `from x to y step z`; the end does not belong to it.
    Steps {
        /// The first step; without one, that of the first row.
        from: Option<Expr>,
        /// The end; without one, that of the last row.
        to: Option<Expr>,
        /// Length of a step.
        step: Expr,
    },
    /// `in range(x, y, z)`; the end belongs to it.
    InRange {
        /// The first step.
        from: Expr,
        /// The last step.
        to: Expr,
        /// Length of a step.
        step: Expr,
    },
}

/// `find`
#[derive(Debug, Clone, PartialEq)]
pub struct Find {
    /// The tables searched; none means all.
    pub tables: Vec<Expr>,
    /// A term or a condition.
    pub predicate: Expr,
    /// `project …`; none stands for `project-smart`.
    pub project: Option<Vec<FindColumn>>,
    /// `project-away …`
    pub away: Vec<FindColumn>,
}

/// A branch of `fork`.
#[derive(Debug, Clone, PartialEq)]
pub struct ForkBranch {
    /// Name of its result.
    pub name: Option<Name>,
    /// What the rows go through.
    pub body: Pipeline,
}

/// A property of `render`: `title="x"`, `ycolumns=a, b`.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderProperty {
    /// Its name.
    pub name: Name,
    /// Its values.
    pub values: Vec<Expr>,
}

/// A level of `top-nested`.
#[derive(Debug, Clone, PartialEq)]
pub struct TopNested {
    /// How many; without one, all.
    pub count: Option<Expr>,
    /// Of which values.
    pub of: NamedExpr,
    /// Name of the row for all others.
    pub others: Option<Expr>,
    /// By which aggregate.
    pub by: Ordered,
}

/// `scan`
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// `order by …`
    pub order: Vec<Ordered>,
    /// `partition by …`
    pub partition: Vec<Expr>,
    /// Columns the steps may set.
    pub declare: Vec<Parameter>,
    /// The steps.
    pub steps: Vec<ScanStep>,
}

/// A step of [`Scan`].
#[derive(Debug, Clone, PartialEq)]
pub struct ScanStep {
    /// Its name.
    pub name: Name,
    /// Whether a sequence may leave it out.
    pub optional: bool,
    /// `output=all|last|none`
    pub output: Option<Name>,
    /// Which rows it takes.
    pub condition: Expr,
    /// What it sets.
    pub assignments: Vec<(Name, Expr)>,
    /// Where.
    pub span: Span,
}
