//! Places on a timeline and the windows it is cut into.

use super::call::{Call, Scalar};
use crate::function::value::{Type, Value};
use crate::function::{self, Env};

/// So many windows one call may look at.
const MAX_WINDOWS: usize = 100_000;

/// A timeline: of instants, timespans or whole numbers.
pub(super) struct Timeline<'a> {
    pub(super) scalar: Scalar<'a>,
}

/// How long a window is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// So many ticks or whole numbers, counted from the start.
    Length(i64),
    /// `week`, `month`, `year`: the function that gives the begin of one.
    Calendar(&'static str),
}

/// The windows from a start on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    pub(super) start: i64,
    pub(super) step: Step,
}

/// The place of a value on a timeline of that type.
fn place(value: &Value, ty: Type) -> Option<i64> {
    match ty {
        Type::DateTime => value.to_datetime(),
        Type::Timespan => value.to_timespan(),
        _ => value.to_long(),
    }
}

/// The value at a place of a timeline of that type.
fn value_at(place: i64, ty: Type) -> Value {
    match ty {
        Type::DateTime => Value::datetime(place),
        Type::Timespan => Value::Timespan(place),
        ty => Value::Long(place).fit(ty),
    }
}

impl<'a> Timeline<'a> {
    /// The timeline that the argument at that place is.
    pub(super) fn new(call: &Call<'a>, at: usize) -> Result<Self, String> {
        let scalar = call.scalar(at)?;
        match scalar.ty {
            Type::DateTime | Type::Timespan | Type::Int | Type::Long => Ok(Timeline { scalar }),
            ty => Err(format!(
                "`{}` must be a datetime, a timespan or a whole number, not a {}",
                call.name(at),
                ty.name()
            )),
        }
    }

    /// Where a row stands.
    pub(super) fn of(&self, row: usize) -> Option<i64> {
        place(self.scalar.value(row), self.scalar.ty)
    }

    /// The value at a place.
    pub(super) fn value(&self, place: i64) -> Value {
        value_at(place, self.scalar.ty)
    }

    /// The place that a constant argument names.
    pub(super) fn place(&self, call: &Call, at: usize) -> Result<i64, String> {
        let ty = self.scalar.ty;
        place(call.constant(at)?, ty)
            .ok_or_else(|| format!("`{}` must be a {}", call.name(at), ty.name()))
    }

    /// The type of distances.
    pub(super) fn distance_type(&self) -> Type {
        match self.scalar.ty {
            Type::DateTime => Type::Timespan,
            ty => ty,
        }
    }

    /// A distance as a value.
    pub(super) fn distance_value(&self, distance: i64) -> Value {
        value_at(distance, self.distance_type())
    }

    /// The distance that a constant argument gives; it is above 0.
    pub(super) fn distance(&self, call: &Call, at: usize) -> Result<i64, String> {
        let ty = self.distance_type();
        place(call.constant(at)?, ty)
            .filter(|distance| *distance > 0)
            .ok_or_else(|| format!("`{}` must be a {} above 0", call.name(at), ty.name()))
    }

    /// The length of windows that a constant argument gives.
    pub(super) fn step(&self, call: &Call, at: usize) -> Result<Step, String> {
        let Value::String(word) = call.constant(at)? else {
            return self.distance(call, at).map(Step::Length);
        };
        let function = match &**word {
            "week" => "startofweek",
            "month" => "startofmonth",
            "year" => "startofyear",
            _ => {
                let name = call.name(at);
                return Err(format!(
                    "`{name}` must be a timespan, \"week\", \"month\" or \"year\""
                ));
            }
        };
        match self.scalar.ty {
            Type::DateTime => Ok(Step::Calendar(function)),
            _ => Err("weeks, months and years need a datetime".into()),
        }
    }
}

impl Windows {
    /// The begin of the window in which a place is.
    pub(super) fn of(&self, place: i64) -> Option<i64> {
        match self.step {
            Step::Length(step) => {
                let (place, start) = (i128::from(place), i128::from(self.start));
                let count = (place - start).checked_div_euclid(i128::from(step))?;
                i64::try_from(start + count * i128::from(step)).ok()
            }
            Step::Calendar(_) => self.shifted(place, 0),
        }
    }

    /// The begin of the window so many windows after that in which a place is.
    pub(super) fn shifted(&self, place: i64, count: i64) -> Option<i64> {
        match self.step {
            Step::Length(step) => self.of(place)?.checked_add(step.checked_mul(count)?),
            Step::Calendar(name) => {
                let arguments = [Value::datetime(place), Value::Long(count)];
                let function = function::get(name)?;
                (function.eval)(&Env::default(), &arguments).to_datetime()
            }
        }
    }

    /// Begins of the windows up to the one in which a place is.
    pub(super) fn until(&self, end: i64) -> Result<Vec<i64>, String> {
        let mut begins = Vec::new();
        let mut next = self.of(self.start);
        while let Some(begin) = next.filter(|begin| *begin <= end) {
            if begins.len() == MAX_WINDOWS {
                return Err(format!("there would be more than {MAX_WINDOWS} windows"));
            }
            begins.push(begin);
            next = self.shifted(begin, 1).filter(|next| *next > begin);
        }
        Ok(begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::value::{TICKS_PER_DAY, read_datetime};

    #[test]
    fn windows_count_from_the_start_or_by_the_calendar() {
        let day = |text| read_datetime(text).unwrap_or_default();
        let windows = Windows {
            start: day("2026-01-03"),
            step: Step::Length(2 * TICKS_PER_DAY),
        };
        assert_eq!(windows.of(day("2026-01-02")), Some(day("2026-01-01")));
        let begins = windows.until(day("2026-01-07"));
        assert_eq!(begins.map(|b| b.len()), Ok(3));
        let months = Windows {
            start: day("2026-01-31"),
            step: Step::Calendar("startofmonth"),
        };
        let begins = months.until(day("2026-03-01"));
        let firsts = ["2026-01-01", "2026-02-01", "2026-03-01"].map(day).to_vec();
        assert_eq!(begins, Ok(firsts));
    }

    #[test]
    fn extremes_have_no_window_or_an_error() {
        let windows = Windows {
            start: i64::MAX,
            step: Step::Length(7),
        };
        assert!(windows.of(i64::MIN).is_none());
        assert_eq!(windows.until(i64::MAX), Ok(vec![i64::MAX]));
        let many = Windows {
            start: i64::MIN,
            step: Step::Length(1),
        };
        assert!(many.until(i64::MAX).is_err());
    }
}
