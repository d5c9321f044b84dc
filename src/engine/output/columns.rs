//! Kusto types of the columns of an answer: from how they were made, never from their names alone.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use datafusion::common::{JoinType, ScalarValue, TableReference};
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, Operator, WindowFunctionDefinition};

use crate::catalog::catalog;
use crate::function::value::Type;

/// Key of the metadata that says what Kusto calls the type of a field, where Arrow's type does not say it.
pub const KUSTO: &str = "coldtrail.kusto";

/// Key of the metadata of a field whose times are those of clocks somewhere, and no instants.
pub(super) const LOCAL: &str = "coldtrail.local";

/// The function that makes text of times of KQL, for an output; it is known by its name.
pub(in crate::engine) const DATETIME_TEXT: &str = "datetime_text";
/// The same of local times.
pub(in crate::engine) const LOCAL_TEXT: &str = "local_time_text";
/// The same of timespans.
pub(in crate::engine) const TIMESPAN_TEXT: &str = "timespan_text";
/// The same of ids.
pub(in crate::engine) const GUID_TEXT: &str = "guid_text";
/// The same of decimals.
pub(in crate::engine) const DECIMAL_TEXT: &str = "decimal_text";
/// The same of dynamic values.
pub(in crate::engine) const DYNAMIC_TEXT: &str = "json";

/// What they make text of.
const SHOWN: [(&str, Type); 6] = [
    (DATETIME_TEXT, Type::DateTime),
    (LOCAL_TEXT, Type::DateTime),
    (TIMESPAN_TEXT, Type::Timespan),
    (GUID_TEXT, Type::Guid),
    (DECIMAL_TEXT, Type::Decimal),
    (DYNAMIC_TEXT, Type::Dynamic),
];
/// The function of SQL that makes local times.
const TO_LOCAL: &str = "to_local_time";
/// Functions of SQL that cut a time, their second argument.
const CUT: [&str; 3] = ["date_trunc", "datetrunc", "date_bin"];
/// Functions of SQL that make JSON text.
const JSON: [&str; 2] = ["json_union_to_text", "json_get_json"];
/// Functions of SQL that give one of their arguments.
const CHOICE: [&str; 4] = ["coalesce", "nvl", "ifnull", "nvl2"];
/// Aggregates and window functions that give one of the values of their first argument.
const PICK: [&str; 8] = [
    "min",
    "max",
    "first_value",
    "last_value",
    "any_value",
    "nth_value",
    "lag",
    "lead",
];
/// Places in a plan that are looked at for one column. A query can be made so that they double with each step.
const MOST: usize = 1_000;

/// Columns of an answer, each with its Kusto type in the metadata [`KUSTO`] where Arrow does not say it: what text is a time, a timespan, an
/// id, or JSON; and which times are local ones.
pub fn schema(frame: &DataFrame) -> SchemaRef {
    let plan = frame.logical_plan();
    let schema = frame.schema().as_arrow();
    let fields = schema.fields().iter().enumerate().map(|(index, field)| {
        let is_text = matches!(
            field.data_type(),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..)
        );
        // An instant has its zone.
        let may_be_local = matches!(field.data_type(), DataType::Timestamp(_, None));
        let mut search = Search { looked: 0 };
        let origin = (is_text || may_be_local).then(|| search.column(plan, index));
        let mut metadata = field.metadata().clone();
        // What a file says of itself is not believed.
        metadata.remove(KUSTO);
        metadata.remove(LOCAL);
        if let (true, Some(Origin::Known(ty))) = (is_text, origin) {
            metadata.insert(KUSTO.into(), ty.name().into());
        }
        if may_be_local && origin == Some(Origin::Local) || is_text && is_local_text(plan, index) {
            metadata.insert(LOCAL.into(), String::new());
        }
        match metadata == *field.metadata() {
            true => Arc::clone(field),
            false => Arc::new(field.as_ref().clone().with_metadata(metadata)),
        }
    });
    Arc::new(Schema::new_with_metadata(
        fields.collect::<Fields>(),
        schema.metadata().clone(),
    ))
}

/// Whether a column is the text of local times of KQL. It is made last of all.
fn is_local_text(plan: &LogicalPlan, index: usize) -> bool {
    let LogicalPlan::Projection(projection) = plan else {
        return false;
    };
    let made = match projection.expr.get(index) {
        Some(Expr::Alias(alias)) => Some(alias.expr.as_ref()),
        other => other,
    };
    matches!(made, Some(Expr::ScalarFunction(function)) if function.func.name() == LOCAL_TEXT)
}

/// Whether a column holds times.
pub fn is_time(field: &Field) -> bool {
    type_of(field) == Type::DateTime
}

/// The Kusto type of a column.
pub(super) fn type_of(field: &Field) -> Type {
    let told = field.metadata().get(KUSTO);
    told.and_then(|name| Type::named(name))
        .unwrap_or_else(|| type_of_arrow(field.data_type()))
}

fn type_of_arrow(ty: &DataType) -> Type {
    match ty {
        DataType::Boolean => Type::Bool,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
            Type::Int
        }
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Type::Long,
        real if real.is_floating() => Type::Real,
        // What is left of the numbers.
        decimal if decimal.is_numeric() => Type::Decimal,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Type::DateTime,
        DataType::Duration(_) => Type::Timespan,
        nested if nested.is_nested() => Type::Dynamic,
        DataType::Dictionary(_, values) => type_of_arrow(values),
        DataType::RunEndEncoded(_, values) => type_of_arrow(values.data_type()),
        _ => Type::String,
    }
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Origin {
    /// Nothing but null, or what stands for it.
    Null,
    /// Text, or nobody knows.
    Other,
    /// Of a Kusto type that their Arrow type does not say.
    Known(Type),
    /// Times that are no instants.
    Local,
}

impl Origin {
    /// Of values that come from both.
    fn or(self, other: Origin) -> Origin {
        match (self, other) {
            (Origin::Null, only) | (only, Origin::Null) => only,
            (a, b) if a == b => a,
            _ => Origin::Other,
        }
    }

    /// What a table says, where the plan says nothing.
    fn or_told(self, table: &TableReference, name: &str) -> Origin {
        match self {
            Origin::Known(_) | Origin::Local => self,
            Origin::Null | Origin::Other => told(table, name).unwrap_or(self),
        }
    }
}

/// What the catalog says of a column of a table or view.
fn told(table: &TableReference, name: &str) -> Option<Origin> {
    if !matches!(table.schema(), None | Some("public" | "stored")) {
        return None;
    }
    // All other types are Arrow's too.
    match Type::named(catalog().get(table.table())?.kusto(name)?.name())? {
        ty @ (Type::Dynamic | Type::Guid) => Some(Origin::Known(ty)),
        _ => None,
    }
}

/// Goes from a column of an answer to the tables.
struct Search {
    looked: usize,
}

impl Search {
    fn column(&mut self, plan: &LogicalPlan, index: usize) -> Origin {
        self.looked += 1;
        if self.looked > MOST {
            return Origin::Other;
        }
        match plan {
            LogicalPlan::Projection(p) => self.listed(&p.expr, index, &p.input),
            LogicalPlan::SubqueryAlias(a) => match a.schema.fields().get(index) {
                Some(field) => self.column(&a.input, index).or_told(&a.alias, field.name()),
                None => Origin::Other,
            },
            LogicalPlan::TableScan(scan) => {
                let Some(field) = scan.projected_schema.fields().get(index) else {
                    return Origin::Other;
                };
                let found = match scan.source.get_logical_plan() {
                    Some(view) => {
                        let whole = scan.projection.as_ref().map(|p| p.get(index).copied());
                        match whole.unwrap_or(Some(index)) {
                            Some(index) => self.column(&view, index),
                            None => Origin::Other,
                        }
                    }
                    None => Origin::Other,
                };
                found.or_told(&scan.table_name, field.name())
            }
            LogicalPlan::Union(union) => {
                let inputs = union.inputs.iter();
                inputs
                    .map(|input| self.column(input, index))
                    .fold(Origin::Null, Origin::or)
            }
            LogicalPlan::Join(join) => {
                let left = join.left.schema().fields().len();
                match join.join_type {
                    JoinType::RightSemi | JoinType::RightAnti => self.column(&join.right, index),
                    // Beside its table it has a mark.
                    JoinType::LeftMark | JoinType::RightMark => Origin::Other,
                    _ if index < left => self.column(&join.left, index),
                    _ => self.column(&join.right, index - left),
                }
            }
            LogicalPlan::Aggregate(a) => {
                let sets = |e: &Expr| matches!(e, Expr::GroupingSet(_));
                let groups = a.group_expr.len();
                match index.checked_sub(groups) {
                    _ if a.group_expr.iter().any(sets) => Origin::Other,
                    None => self.listed(&a.group_expr, index, &a.input),
                    Some(index) => self.listed(&a.aggr_expr, index, &a.input),
                }
            }
            LogicalPlan::Window(window) => {
                match index.checked_sub(window.input.schema().fields().len()) {
                    None => self.column(&window.input, index),
                    Some(index) => self.listed(&window.window_expr, index, &window.input),
                }
            }
            LogicalPlan::Distinct(Distinct::All(input)) => self.column(input, index),
            LogicalPlan::Distinct(Distinct::On(on)) => {
                self.listed(&on.select_expr, index, &on.input)
            }
            LogicalPlan::Filter(filter) => self.column(&filter.input, index),
            LogicalPlan::Sort(sort) => self.column(&sort.input, index),
            LogicalPlan::Limit(limit) => self.column(&limit.input, index),
            LogicalPlan::Repartition(parts) => self.column(&parts.input, index),
            LogicalPlan::Subquery(query) => self.column(&query.subquery, index),
            _ => Origin::Other,
        }
    }

    fn listed(&mut self, list: &[Expr], index: usize, input: &LogicalPlan) -> Origin {
        match list.get(index) {
            Some(expr) => self.expr(expr, input),
            None => Origin::Other,
        }
    }

    fn expr(&mut self, expr: &Expr, input: &LogicalPlan) -> Origin {
        self.looked += 1;
        if self.looked > MOST {
            return Origin::Other;
        }
        match expr {
            Expr::Alias(alias) => self.expr(&alias.expr, input),
            Expr::Column(column) => match input.schema().maybe_index_of_column(column) {
                Some(index) => self.column(input, index),
                None => Origin::Other,
            },
            Expr::Cast(cast) => self.expr(&cast.expr, input),
            Expr::TryCast(cast) => self.expr(&cast.expr, input),
            // A time and an interval.
            Expr::BinaryExpr(of) if matches!(of.op, Operator::Plus | Operator::Minus) => {
                match self.expr(&of.left, input) {
                    Origin::Local => Origin::Local,
                    _ => Origin::Other,
                }
            }
            Expr::Literal(value, _) => match value {
                value if value.is_null() => Origin::Null,
                ScalarValue::Utf8(Some(text)) if matches!(&**text, "" | "{}" | "[]") => {
                    Origin::Null
                }
                _ => Origin::Other,
            },
            Expr::Case(case) => {
                let branches = case.when_then_expr.iter().map(|(_, then)| then);
                let branches = branches.chain(&case.else_expr);
                branches
                    .map(|branch| self.expr(branch, input))
                    .fold(Origin::Null, Origin::or)
            }
            Expr::ScalarFunction(function) => {
                let name = function.func.name();
                if let Some((_, ty)) = SHOWN.iter().find(|(own, _)| *own == name) {
                    return Origin::Known(*ty);
                }
                match name {
                    TO_LOCAL => Origin::Local,
                    name if CUT.contains(&name) => self.listed(&function.args, 1, input),
                    name if JSON.contains(&name) => Origin::Known(Type::Dynamic),
                    "nullif" => self.listed(&function.args, 0, input),
                    name if CHOICE.contains(&name) => {
                        // The first one of `nvl2` is a condition.
                        let first = usize::from(name == "nvl2");
                        let args = function.args.iter().skip(first);
                        args.map(|arg| self.expr(arg, input))
                            .fold(Origin::Null, Origin::or)
                    }
                    _ => Origin::Other,
                }
            }
            Expr::AggregateFunction(call) if PICK.contains(&call.func.name()) => {
                self.listed(&call.params.args, 0, input)
            }
            Expr::WindowFunction(call) => {
                let name = match &call.fun {
                    WindowFunctionDefinition::AggregateUDF(function) => function.name(),
                    WindowFunctionDefinition::WindowUDF(function) => function.name(),
                };
                match PICK.contains(&name) {
                    true => self.listed(&call.params.args, 0, input),
                    false => Origin::Other,
                }
            }
            Expr::ScalarSubquery(query) => self.column(&query.subquery, 0),
            _ => Origin::Other,
        }
    }
}
