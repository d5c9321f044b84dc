//! `make-series`, aggregates over the steps of an axis, as arrays; and `top-nested`. Both go through rows that are made first.

use std::collections::HashMap;

use super::Failure;
use super::group::{Found, lift};
use super::later::{ByRow, Rows};
use super::lower::Lower;
use super::relation::Relation;
use crate::function::Env;
use crate::function::aggregate::{self, Accumulator};
use crate::function::value::{Json, Key, Type, Value};
use crate::kql::ast::operator::{Direction, MakeSeries, SeriesRange, TopNested};
use crate::kql::ast::{Expr, ExprKind, NamedExpr, Operator};
use crate::kql::eval::Compiled;
use crate::kql::naming;

/// Steps that a series may have.
const MOST: i64 = 1_000_000;
/// Values of all series of an answer, at most.
const MOST_VALUES: usize = 50_000_000;

/// An aggregate of a series: its arguments over the rows.
#[derive(PartialEq)]
struct Call {
    aggregate: &'static aggregate::Aggregate,
    arguments: Vec<Compiled>,
    types: Vec<Type>,
    constants: Vec<Option<Value>>,
    ty: Type,
}

#[derive(PartialEq)]
struct Series {
    name: String,
    calls: Vec<Call>,
    /// Of the values of its aggregates.
    whole: Compiled,
    default: Value,
}

impl Series {
    /// Whether its values are local times, over rows of this relation.
    fn gives_local_times(&self, relation: &Relation) -> bool {
        self.whole.is_local_time(&|at| {
            // The first or the last of such times is one.
            let first = self.calls.get(at).and_then(|call| call.arguments.first());
            first.is_some_and(|first| relation.gives_local_times(first))
        })
    }

    /// Its value for a step.
    fn value(&self, env: &Env, bin: Bin) -> Json {
        let Some(mut accumulators) = bin else {
            return Json::from_value(&self.default);
        };
        let values: Vec<Value> = accumulators
            .iter_mut()
            .zip(&self.calls)
            .map(|(a, c)| a.finish().fit(c.ty))
            .collect();
        Json::from_value(&self.whole.eval(env, &values))
    }
}

/// A place on the axis as a number.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::DateTime(t) | Value::Timespan(t) => Some(*t as f64),
        Value::Long(n) => Some(*n as f64),
        Value::Int(n) => Some(f64::from(*n)),
        Value::Real(x) => x.is_finite().then_some(*x),
        Value::Decimal(x) => Some(x.to_real()),
        _ => None,
    }
}

/// The same where it is whole: ticks, or a whole number.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::DateTime(n) | Value::Timespan(n) | Value::Long(n) => Some(*n),
        Value::Int(n) => Some(i64::from(*n)),
        _ => None,
    }
}

/// A place on the axis, counted from an origin: an `f64` does not hold ticks since the year 1.
fn place(ty: Type, origin: i64, at: f64) -> Value {
    let whole = origin.saturating_add(at as i64);
    match ty {
        Type::DateTime => Value::DateTime(whole),
        Type::Timespan => Value::Timespan(whole),
        Type::Real | Type::Decimal => Value::Real(at),
        _ => Value::Long(whole),
    }
}

/// The name of the column that an item gives.
fn name_of(item: &NamedExpr) -> String {
    match item.names.as_slice() {
        [name] => name.text.clone(),
        _ => naming::column_name(&item.expr).unwrap_or_else(|| "Column1".into()),
    }
}

/// What a query says of an axis.
struct Bounds {
    from: Option<Value>,
    to: Option<Value>,
    step: Value,
    /// Whether the end belongs to it.
    inclusive: bool,
}

impl Lower<'_> {
    pub(super) fn make_series(
        &mut self,
        relation: &Relation,
        make: &MakeSeries,
        operator: &Operator,
    ) -> Result<Relation, Failure> {
        let schema = relation.schema();
        let axis = self.compile(&make.on.expr, &schema)?;
        let bounds = self.bounds(&make.range)?;
        let ty = match (axis.ty, &bounds.step) {
            (Type::Int | Type::Long, Value::Real(_) | Value::Decimal(_)) => Type::Real,
            (ty, _) => ty,
        };
        let step = number(&bounds.step)
            .filter(|s| *s > 0.0)
            .ok_or_else(|| Failure::at(operator.span, "the step of a series must be above 0"))?;
        let mut by = Vec::new();
        for key in &make.by {
            let compiled = self.compile(&key.expr, &schema)?;
            by.push((name_of(key), compiled));
        }
        let mut all = Vec::new();
        for (item, default) in &make.series {
            all.push(self.series(item, default.as_ref(), &schema)?);
        }
        let nonempty = matches!(
            operator.setting("kind").map(|s| &s.value.kind),
            Some(ExprKind::Name(kind)) if kind == "nonempty"
        );
        let mut columns: Vec<(String, Type)> =
            by.iter().map(|(name, c)| (name.clone(), c.ty)).collect();
        columns.extend(all.iter().map(|s| (s.name.clone(), Type::Dynamic)));
        columns.push((name_of(&make.on), Type::Dynamic));
        let local: Vec<bool> = by
            .iter()
            .map(|(_, c)| relation.gives_local_times(c))
            .collect();
        let by = by.into_iter().map(|(_, c)| c).collect();
        let mut line = Line {
            ty,
            axis,
            from: bounds.from,
            to: bounds.to,
            step,
            inclusive: bounds.inclusive,
            nonempty,
            by,
            all,
            env: self.env.clone(),
        };
        let read = line.only_read();
        let mut input = relation.clone();
        input.columns = read
            .iter()
            .map(|at| relation.columns[*at].clone())
            .collect();
        let made = self.later("make_series", &input, &columns, line)?;
        Ok(made.with_local_times(&local))
    }

    /// Where the axis of a series begins and ends.
    fn bounds(&mut self, range: &SeriesRange) -> Result<Bounds, Failure> {
        let mut bound = |expr: &Expr| -> Result<Value, Failure> {
            let value = self.constant(expr)?;
            match number(&value) {
                Some(_) => Ok(value),
                None => Err(Failure::at(expr.span, "a place on the axis is needed")),
            }
        };
        Ok(match range {
            SeriesRange::Steps { from, to, step } => Bounds {
                from: from.as_ref().map(&mut bound).transpose()?,
                to: to.as_ref().map(&mut bound).transpose()?,
                step: bound(step)?,
                inclusive: false,
            },
            SeriesRange::InRange { from, to, step } => Bounds {
                from: Some(bound(from)?),
                to: Some(bound(to)?),
                step: bound(step)?,
                inclusive: true,
            },
        })
    }

    /// `top-nested`: the greatest of each level within those of the level above.
    pub(super) fn top_nested(
        &mut self,
        relation: &Relation,
        items: &[TopNested],
    ) -> Result<Relation, Failure> {
        let schema = relation.schema();
        let mut levels = Vec::new();
        let mut columns: Vec<(String, Type)> = Vec::new();
        let mut local = Vec::new();
        for item in items {
            if let Some(others) = &item.others {
                return Err(Failure::unsupported(others.span, "with others"));
            }
            let of = self.compile(&item.of.expr, &schema)?;
            let name = name_of(&item.of);
            let by = self.series(&item.by.by, None, &schema)?;
            let by_name = match item.by.by.names.as_slice() {
                [name] => name.text.clone(),
                _ => format!("aggregated_{name}"),
            };
            let most = match &item.count {
                Some(count) => self.count(count)?,
                None => usize::MAX,
            };
            columns.push((name, of.ty));
            columns.push((by_name, by.whole.ty));
            local.extend([
                relation.gives_local_times(&of),
                by.gives_local_times(relation),
            ]);
            levels.push(Level {
                of,
                by,
                most,
                ascending: item.by.direction == Some(Direction::Ascending),
            });
        }
        let nested = Nested {
            levels,
            env: self.env.clone(),
        };
        let made = self.later("top_nested", relation, &columns, nested)?;
        Ok(made.with_local_times(&local))
    }

    fn series(
        &mut self,
        item: &NamedExpr,
        default: Option<&Expr>,
        schema: &[(String, Type)],
    ) -> Result<Series, Failure> {
        let mut whole = item.expr.clone();
        let mut found: Vec<Found> = Vec::new();
        lift(&mut whole, &mut found);
        let mut calls = Vec::new();
        for one in &found {
            let Some(aggregate) = aggregate::get(&one.call.name.text) else {
                return Err(Failure::unsupported(one.span, &one.call.name.text));
            };
            let mut arguments = Vec::new();
            for argument in &one.call.arguments {
                arguments.push(self.compile(&argument.expr, schema)?);
            }
            let types: Vec<Type> = arguments.iter().map(|a| a.ty).collect();
            let constant = |a: &Compiled| match a.awaits() {
                Some(_) => Some(a.planned(&self.env)),
                None => a.as_constant().cloned(),
            };
            let constants: Vec<Option<Value>> = arguments.iter().map(constant).collect();
            let ty = aggregate
                .types(&types, &constants)
                .map_err(|message| Failure::at(one.span, message))?;
            calls.push(Call {
                aggregate,
                arguments,
                types,
                constants,
                ty: ty.first().copied().unwrap_or(Type::Long),
            });
        }
        let inner: Vec<(String, Type)> = calls
            .iter()
            .enumerate()
            .map(|(i, c)| (format!("\0{i}"), c.ty))
            .collect();
        let whole = self.compile(&whole, &inner)?;
        let default = match default {
            Some(expr) => self.constant(expr)?,
            None => Value::Long(0),
        };
        let default = match whole.ty {
            Type::Real | Type::Decimal => default.convert(Type::Real),
            _ => default,
        };
        Ok(Series {
            name: name_of(item),
            calls,
            whole,
            default,
        })
    }
}

/// What the aggregates of a series have of a step; nothing where it has no rows.
type Bin = Option<Vec<Box<dyn Accumulator>>>;
/// The steps of a series.
type Bins = Vec<Bin>;
/// The values that rows are grouped by, and the series of their rows.
type Group = (Vec<Value>, Vec<Bins>);

/// The axis over some rows.
struct Axis {
    /// What places are counted from.
    origin: i64,
    /// The place of the first step.
    first: f64,
    steps: usize,
    /// The place of each row; nothing where it has none.
    places: Vec<Option<f64>>,
}

/// A `make-series` ready to go through rows.
#[derive(PartialEq)]
struct Line {
    /// The type of the axis.
    ty: Type,
    axis: Compiled,
    from: Option<Value>,
    to: Option<Value>,
    step: f64,
    inclusive: bool,
    nonempty: bool,
    by: Vec<Compiled>,
    all: Vec<Series>,
    env: Env,
}

impl ByRow for Line {
    fn turn(&self, rows: Rows) -> Result<Rows, String> {
        self.rows(&rows)
    }
}

impl Line {
    /// Positions of the columns that are read; from now on it reads rows of these only.
    fn only_read(&mut self) -> Vec<usize> {
        let calls = self.all.iter_mut().flat_map(|s| &mut s.calls);
        let arguments = calls.flat_map(|c| &mut c.arguments);
        let mut parts: Vec<&mut Compiled> = arguments.chain(&mut self.by).collect();
        parts.push(&mut self.axis);
        let mut read: Vec<usize> = parts.iter().flat_map(|p| p.columns()).collect();
        read.sort_unstable();
        read.dedup();
        for part in parts {
            *part = part.clone().over(&read);
        }
        read
    }

    /// The axis over these rows.
    fn axis_over(&self, rows: &[Vec<Value>]) -> Result<Axis, String> {
        let (env, step) = (&self.env, self.step);
        let values: Vec<Value> = rows.iter().map(|r| self.axis.eval(env, r)).collect();
        let is_whole = !matches!(self.ty, Type::Real | Type::Decimal);
        let origin = match &self.from {
            _ if !is_whole => 0,
            Some(from) => whole(from).unwrap_or(0),
            None => {
                let least = values.iter().filter_map(whole).min().unwrap_or(0);
                let step = (step as i64).max(1);
                least.div_euclid(step).saturating_mul(step)
            }
        };
        let at = |value: &Value| match is_whole {
            true => Some(whole(value)?.saturating_sub(origin) as f64),
            false => number(value),
        };
        let places: Vec<Option<f64>> = values.iter().map(at).collect();
        let seen = || places.iter().flatten().copied();
        let first = self.from.as_ref().and_then(at).unwrap_or_else(|| {
            let least = seen().fold(f64::INFINITY, f64::min);
            (least / step).floor() * step
        });
        let to = self.to.as_ref().and_then(at);
        let last = to.unwrap_or_else(|| seen().fold(f64::NEG_INFINITY, f64::max));
        let nothing = seen().next().is_none() && (self.from.is_none() || to.is_none());
        let steps = match to {
            _ if nothing => 0.0,
            None => ((last - first) / step).floor() + 1.0,
            Some(_) if self.inclusive => ((last - first) / step).floor() + 1.0,
            Some(_) => ((last - first) / step).ceil(),
        };
        if !(0.0..=MOST as f64).contains(&steps) {
            return Err(format!(
                "make-series: a series of {steps:e} steps; 0 to {MOST} are possible"
            ));
        }
        Ok(Axis {
            origin,
            first,
            steps: steps as usize,
            places,
        })
    }

    /// The rows by group and step, the groups in the order in which they were met.
    fn groups(&self, rows: &[Vec<Value>], axis: &Axis) -> Result<Vec<Group>, String> {
        let (env, steps) = (&self.env, axis.steps);
        let mut groups: Vec<Group> = Vec::new();
        let mut index: HashMap<Vec<Key>, usize> = HashMap::new();
        let empty = || -> Vec<Bins> {
            self.all
                .iter()
                .map(|_| (0..steps).map(|_| None).collect())
                .collect()
        };
        if self.nonempty && rows.is_empty() && self.by.is_empty() {
            groups.push((Vec::new(), empty()));
        }
        for (row, at) in rows.iter().zip(&axis.places) {
            let Some(at) = at else { continue };
            let bin = ((at - axis.first) / self.step).floor();
            if bin < 0.0 || bin >= steps as f64 {
                continue;
            }
            let key: Vec<Value> = self.by.iter().map(|c| c.eval(env, row)).collect();
            let own: Vec<Key> = key.iter().map(Value::key).collect();
            if !index.contains_key(&own) && (groups.len() + 1).saturating_mul(steps) > MOST_VALUES {
                return Err(format!(
                    "make-series: series of {steps} steps for more than {} groups are too many",
                    groups.len()
                ));
            }
            let group = *index.entry(own).or_insert_with(|| {
                groups.push((key, empty()));
                groups.len() - 1
            });
            for (series, bins) in self.all.iter().zip(&mut groups[group].1) {
                let accumulators = bins[bin as usize].get_or_insert_with(|| {
                    series
                        .calls
                        .iter()
                        .map(|c| c.aggregate.accumulator(&c.types, &c.constants))
                        .collect()
                });
                for (call, accumulator) in series.calls.iter().zip(accumulators) {
                    let values: Vec<Value> =
                        call.arguments.iter().map(|a| a.eval(env, row)).collect();
                    accumulator.add(&values);
                }
            }
        }
        Ok(groups)
    }

    fn rows(&self, rows: &[Vec<Value>]) -> Result<Rows, String> {
        let axis = self.axis_over(rows)?;
        let groups = self.groups(rows, &axis)?;
        let axis_values: Vec<Json> = (0..axis.steps)
            .map(|i| {
                let at = axis.first + self.step * i as f64;
                Json::from_value(&place(self.ty, axis.origin, at))
            })
            .collect();
        let mut out = Vec::new();
        for (mut row, group) in groups {
            for (series, bins) in self.all.iter().zip(group) {
                let values = bins.into_iter().map(|bin| series.value(&self.env, bin));
                row.push(Value::dynamic(Json::Array(values.collect())));
            }
            row.push(Value::dynamic(Json::Array(axis_values.clone())));
            out.push(row);
        }
        Ok(out)
    }
}

/// A level of `top-nested`.
#[derive(PartialEq)]
struct Level {
    of: Compiled,
    by: Series,
    most: usize,
    ascending: bool,
}

/// A `top-nested` ready to go through rows.
#[derive(PartialEq)]
struct Nested {
    levels: Vec<Level>,
    env: Env,
}

impl ByRow for Nested {
    fn turn(&self, rows: Rows) -> Result<Rows, String> {
        let mut out = Vec::new();
        let all: Vec<usize> = (0..rows.len()).collect();
        nest(
            &self.env,
            &self.levels,
            &rows,
            &all,
            &mut Vec::new(),
            &mut out,
        );
        Ok(out)
    }
}

/// The rows of a level and of those below it, for the rows of one group.
fn nest(
    env: &Env,
    levels: &[Level],
    rows: &[Vec<Value>],
    group: &[usize],
    before: &mut Vec<Value>,
    out: &mut Vec<Vec<Value>>,
) {
    let Some((level, rest)) = levels.split_first() else {
        out.push(before.clone());
        return;
    };
    let mut parts: Vec<(Value, Vec<usize>)> = Vec::new();
    let mut index: HashMap<Key, usize> = HashMap::new();
    for at in group {
        let key = level.of.eval(env, &rows[*at]);
        let place = *index.entry(key.key()).or_insert_with(|| {
            parts.push((key, Vec::new()));
            parts.len() - 1
        });
        parts[place].1.push(*at);
    }
    let mut measured: Vec<(Value, Value, Vec<usize>)> = parts
        .into_iter()
        .map(|(key, part)| {
            let values: Vec<Value> = level
                .by
                .calls
                .iter()
                .map(|call| {
                    let mut accumulator = call.aggregate.accumulator(&call.types, &call.constants);
                    for at in &part {
                        let arguments: Vec<Value> = call
                            .arguments
                            .iter()
                            .map(|a| a.eval(env, &rows[*at]))
                            .collect();
                        accumulator.add(&arguments);
                    }
                    accumulator.finish().fit(call.ty)
                })
                .collect();
            (key, level.by.whole.eval(env, &values), part)
        })
        .collect();
    measured.sort_by(|a, b| match level.ascending {
        true => a.1.order(&b.1),
        false => b.1.order(&a.1),
    });
    for (key, value, part) in measured.into_iter().take(level.most) {
        before.push(key);
        before.push(value);
        nest(env, rest, rows, &part, before, out);
        before.truncate(before.len() - 2);
    }
}
