//! Scalar expressions and aggregates of KQL as functions of DataFusion.
//!
//! An expression that has no bodies for columns is evaluated row by row by [`crate::kql`], which knows Kusto's semantics; DataFusion sees one
//! function from the columns that the expression reads, which holds the expression as data. What can be done column by column is in [`super::native`].

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Expr, GroupsAccumulator,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::arrays::{ColumnBuilder, Reader};
use super::grouped::{self, Kernel};
use super::{arrays, state};
use crate::function::Env;
use crate::function::aggregate::{self, Aggregate};
use crate::function::value::{Json, Type, Value};
use crate::kql::eval::Compiled;

/// A name that DataFusion has for nothing of its own: it goes by names, and would take Kusto's `max` for the one that it knows.
pub(super) fn own_name(name: &str) -> String {
    format!("kql_{name}")
}

/// What is done with the value of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Then {
    /// Nothing.
    Value,
    /// Whether it is true; null is not.
    IsTrue,
    /// Made a `bool`, or null.
    ToBool,
}

impl Then {
    fn of(self, value: Value) -> Value {
        match self {
            Then::Value => value,
            Then::IsTrue => Value::Bool(value.to_bool() == Some(true)),
            Then::ToBool => value.to_bool().map_or(Value::Null, Value::Bool),
        }
    }
}

/// An expression over some columns, as data: two that say the same are equal.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct RowFunction {
    name: String,
    tree: Compiled,
    then: Then,
    env: Env,
    types: Vec<Type>,
    ty: Type,
    signature: Signature,
}

impl fmt::Debug for RowFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(&self.name)
            .field("tree", &self.tree)
            .field("then", &self.then)
            .finish_non_exhaustive()
    }
}

/// The value of an expression over these columns, of these types. The name is for those who read the plan.
pub(super) fn call(
    name: &'static str,
    (tree, then): (Compiled, Then),
    env: &Env,
    columns: Vec<Expr>,
    types: Vec<Type>,
) -> Expr {
    let volatility = match tree.is_random() {
        true => Volatility::Volatile,
        false => Volatility::Immutable,
    };
    let ty = match then {
        Then::Value => tree.ty,
        Then::IsTrue | Then::ToBool => Type::Bool,
    };
    let mut env = env.clone();
    if !tree.asks_now() {
        // Whenever it is asked, it is the same function.
        env.now = 0;
    }
    let function = RowFunction {
        name: own_name(name),
        tree,
        then,
        env,
        types,
        ty,
        signature: signature_of(columns.len(), volatility),
    };
    ScalarUDF::from(function).call(columns)
}

/// A signature for so many columns of any type.
pub(super) fn signature(columns: usize) -> Signature {
    signature_of(columns, Volatility::Immutable)
}

fn signature_of(columns: usize, volatility: Volatility) -> Signature {
    match columns {
        0 => Signature::nullary(volatility),
        n => Signature::any(n, volatility),
    }
}

impl ScalarUDFImpl for RowFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(arrays::arrow_type(self.ty))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let columns: Vec<ArrayRef> = args
            .args
            .into_iter()
            .map(|a| a.into_array(rows))
            .collect::<Result<_>>()?;
        let readers = readers(&columns, &self.types);
        let mut row = vec![Value::Null; columns.len()];
        let mut out = ColumnBuilder::new(self.ty, rows);
        for r in 0..rows {
            for (value, reader) in row.iter_mut().zip(&readers) {
                reader.refill(r, value);
            }
            let value = self.then.of(self.tree.eval(&self.env, &row));
            out.push(value.cell());
        }
        Ok(ColumnarValue::Array(out.finish()))
    }
}

fn readers<'c>(columns: &'c [ArrayRef], types: &[Type]) -> Vec<Reader<'c>> {
    let columns = columns.iter().zip(types);
    columns
        .map(|(column, ty)| Reader::new(column, *ty))
        .collect()
}

/// An aggregate over some columns.
pub(super) struct RowAggregate {
    /// How it is worked out over whole columns; row by row where there is nothing.
    kernel: Option<Kernel>,
    name: String,
    aggregate: &'static Aggregate,
    types: Vec<Type>,
    constants: Vec<Option<Value>>,
    /// Nothing for one that gives several columns: they come packed.
    ty: Option<Type>,
    signature: Signature,
}

impl RowAggregate {
    /// What it is; the rest is made of it.
    fn content(&self) -> (&str, &[Type], &[Option<Value>], Option<Type>) {
        let (types, constants) = (self.types.as_slice(), self.constants.as_slice());
        (self.aggregate.name, types, constants, self.ty)
    }
}

impl fmt::Debug for RowAggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.content(), f)
    }
}

impl PartialEq for RowAggregate {
    fn eq(&self, other: &Self) -> bool {
        self.content() == other.content()
    }
}

impl Eq for RowAggregate {}

impl Hash for RowAggregate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.content().hash(state);
    }
}

/// A call of an aggregate.
pub(super) fn aggregate_call(
    aggregate: &'static Aggregate,
    columns: Vec<Expr>,
    types: Vec<Type>,
    constants: Vec<Option<Value>>,
    ty: Option<Type>,
) -> Expr {
    let function = RowAggregate {
        kernel: Kernel::of(aggregate, &types, &constants),
        name: own_name(aggregate.name),
        signature: signature(columns.len()),
        aggregate,
        types,
        constants,
        ty,
    };
    AggregateUDF::from(function).call(columns)
}

impl AggregateUDFImpl for RowAggregate {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.ty {
            Some(ty) => arrays::arrow_type(ty),
            None => packed_type(self.aggregate, &self.types, &self.constants),
        })
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        self.kernel.is_some()
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match &self.kernel {
            Some(kernel) => kernel.groups(),
            None => internal_err!("{} is worked out row by row", self.name),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if let Some(kernel) = &self.kernel {
            return kernel.kept(args.name);
        }
        Ok(vec![Arc::new(Field::new(
            format!("{}_state", args.name),
            DataType::Binary,
            true,
        ))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if let Some(kernel) = &self.kernel {
            return kernel.whole();
        }
        Ok(Box::new(Bridge {
            inner: self.aggregate.accumulator(&self.types, &self.constants),
            types: self.types.clone(),
            ty: self.ty,
        }))
    }
}

/// The type of the packed columns of an aggregate that gives several.
pub(super) fn packed_type(
    aggregate: &Aggregate,
    types: &[Type],
    constants: &[Option<Value>],
) -> DataType {
    let results = Kernel::of(aggregate, types, constants)
        .and_then(|_| aggregate.types(types, constants).ok());
    results.map_or(DataType::Binary, grouped::packed)
}

#[derive(Debug)]
struct Bridge {
    inner: Box<dyn aggregate::Accumulator>,
    types: Vec<Type>,
    ty: Option<Type>,
}

impl Accumulator for Bridge {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let rows = columns.first().map_or(0, |c| c.len());
        let readers = readers(columns, &self.types);
        let mut row = vec![Value::Null; columns.len()];
        for r in 0..rows {
            for (value, reader) in row.iter_mut().zip(&readers) {
                reader.refill(r, value);
            }
            self.inner.add(&row);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self.ty {
            Some(ty) => {
                let value = self.inner.finish();
                ScalarValue::try_from_array(&arrays::array(std::iter::once(&value), ty), 0)
            }
            None => {
                let all: Vec<Json> = self
                    .inner
                    .finish_all()
                    .iter()
                    .map(Json::from_value)
                    .collect();
                Ok(ScalarValue::Binary(Some(packed(&Json::Array(all)))))
            }
        }
    }

    fn size(&self) -> usize {
        std::mem::size_of::<Self>() + self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Binary(Some(packed(&self.inner.save())))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let states = states[0].as_binary::<i32>();
        for state in states.iter().flatten() {
            if let Some(json) = state::read(state) {
                self.inner.merge(&json);
            }
        }
        Ok(())
    }
}

fn packed(json: &Json) -> Vec<u8> {
    let mut out = Vec::new();
    state::write(json, &mut out);
    out
}

/// One of the values of an aggregate that gives several.
pub(super) fn element(column: Expr, at: usize, ty: Type) -> Expr {
    ScalarUDF::from(Element {
        at,
        ty,
        signature: signature(1),
    })
    .call(vec![column])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Element {
    at: usize,
    ty: Type,
    signature: Signature,
}

impl ScalarUDFImpl for Element {
    fn name(&self) -> &str {
        "element"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(arrays::arrow_type(self.ty))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let mut columns = args.args;
        let array = columns.swap_remove(0).into_array(rows)?;
        if *array.data_type() == DataType::Null {
            // So the optimizer tries what a condition gives for null.
            let nulls = arrow::array::new_null_array(&arrays::arrow_type(self.ty), array.len());
            return Ok(ColumnarValue::Array(nulls));
        }
        if let Some(packed) = array.as_struct_opt() {
            return Ok(ColumnarValue::Array(Arc::clone(packed.column(self.at))));
        }
        let values: Vec<Value> = array
            .as_binary::<i32>()
            .iter()
            .map(|packed| match packed.and_then(state::read) {
                Some(Json::Array(all)) => all
                    .get(self.at)
                    .map_or(Value::Null, |j| Value::dynamic(j.clone()).fit(self.ty)),
                _ => Value::Null.fit(self.ty),
            })
            .collect();
        Ok(ColumnarValue::Array(arrays::array(values.iter(), self.ty)))
    }
}
