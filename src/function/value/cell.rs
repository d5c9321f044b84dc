//! A scalar that borrows what it holds: one body serves values and the rows of columns alike.

use std::borrow::Cow;

use super::decimal::{Decimal, read_decimal};
use super::read::{read_bool, read_datetime, read_guid, read_long, read_real, read_timespan};
use super::scalar::{Json, Value};
use super::types::Type;

/// A scalar value as [`Value`] has it, its text and JSON borrowed.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i32),
    /// `long`
    Long(i64),
    /// `real`
    Real(f64),
    /// `decimal`
    Decimal(Decimal),
    /// `string`
    String(&'a str),
    /// `datetime`
    DateTime(i64),
    /// `timespan`
    Timespan(i64),
    /// `guid`
    Guid(u128),
    /// `dynamic`
    Dynamic(&'a Json),
}

impl Value {
    /// The same, borrowed.
    pub fn cell(&self) -> Cell<'_> {
        match self {
            Value::Null => Cell::Null,
            Value::Bool(value) => Cell::Bool(*value),
            Value::Int(value) => Cell::Int(*value),
            Value::Long(value) => Cell::Long(*value),
            Value::Real(value) => Cell::Real(*value),
            Value::Decimal(value) => Cell::Decimal(*value),
            Value::String(text) => Cell::String(text),
            Value::DateTime(ticks) => Cell::DateTime(*ticks),
            Value::Timespan(ticks) => Cell::Timespan(*ticks),
            Value::Guid(guid) => Cell::Guid(*guid),
            Value::Dynamic(json) => Cell::Dynamic(json),
        }
    }
}

impl Json {
    /// The scalar; nothing where it is an array, a bag or null.
    pub fn cell(&self) -> Option<Cell<'_>> {
        Some(match self {
            Json::Bool(value) => Cell::Bool(*value),
            Json::Long(value) => Cell::Long(*value),
            Json::Real(value) => Cell::Real(*value),
            Json::Big(text) => Cell::Real(text.parse().ok()?),
            Json::String(text) => Cell::String(text),
            Json::DateTime(ticks) => Cell::DateTime(*ticks),
            Json::Timespan(ticks) => Cell::Timespan(*ticks),
            Json::Guid(guid) => Cell::Guid(*guid),
            Json::Null | Json::Array(_) | Json::Bag(_) => return None,
        })
    }
}

impl<'a> Cell<'a> {
    /// The same, owned.
    pub fn value(self) -> Value {
        match self {
            Cell::Null => Value::Null,
            Cell::Bool(value) => Value::Bool(value),
            Cell::Int(value) => Value::Int(value),
            Cell::Long(value) => Value::Long(value),
            Cell::Real(value) => Value::Real(value),
            Cell::Decimal(value) => Value::Decimal(value),
            Cell::String(text) => Value::string(text),
            Cell::DateTime(ticks) => Value::DateTime(ticks),
            Cell::Timespan(ticks) => Value::Timespan(ticks),
            Cell::Guid(guid) => Value::Guid(guid),
            Cell::Dynamic(json) => Value::dynamic(json.clone()),
        }
    }

    /// The type; nothing for null.
    pub fn ty(self) -> Option<Type> {
        Some(match self {
            Cell::Null => return None,
            Cell::Bool(_) => Type::Bool,
            Cell::Int(_) => Type::Int,
            Cell::Long(_) => Type::Long,
            Cell::Real(_) => Type::Real,
            Cell::Decimal(_) => Type::Decimal,
            Cell::String(_) => Type::String,
            Cell::DateTime(_) => Type::DateTime,
            Cell::Timespan(_) => Type::Timespan,
            Cell::Guid(_) => Type::Guid,
            Cell::Dynamic(_) => Type::Dynamic,
        })
    }

    /// Whether it is null.
    pub fn is_null(self) -> bool {
        matches!(self, Cell::Null)
    }

    /// Whether it is null or an empty string.
    pub fn is_empty(self) -> bool {
        match self {
            Cell::Null => true,
            Cell::String(text) => text.is_empty(),
            Cell::Dynamic(Json::String(text)) => text.is_empty(),
            _ => false,
        }
    }

    /// Its text: that of a string as it is, of all else as `tostring` gives it.
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Cell::String(text) => Cow::Borrowed(text),
            Cell::Dynamic(Json::String(text)) => Cow::Borrowed(text),
            Cell::Dynamic(json) => Cow::Owned(json.show()),
            other => Cow::Owned(other.value().show()),
        }
    }

    /// The same; text that must be made stands in `room`.
    pub fn text_in(self, room: &'a mut String) -> &'a str {
        match self.text() {
            Cow::Borrowed(text) => text,
            Cow::Owned(text) => {
                *room = text;
                room
            }
        }
    }

    /// The value of another type, as Kusto's conversion function to that type gives it; text that must be made stands in `room`. What is to be a
    /// `dynamic` stays what it is.
    pub fn convert(self, ty: Type, room: &'a mut String) -> Cell<'a> {
        let converted = match ty {
            Type::Bool => self.to_bool().map(Cell::Bool),
            Type::Int => self.to_int().map(Cell::Int),
            Type::Long => self.to_long().map(Cell::Long),
            Type::Real => self.to_real().map(Cell::Real),
            Type::Decimal => self.to_decimal().map(Cell::Decimal),
            Type::DateTime => self.to_datetime().map(Cell::DateTime),
            Type::Timespan => self.to_timespan().map(Cell::Timespan),
            Type::Guid => self.to_guid().map(Cell::Guid),
            Type::String => Some(Cell::String(self.text_in(room))),
            Type::Dynamic => Some(self),
        };
        converted.unwrap_or(Cell::Null)
    }

    /// The same where it is of the type already or null, else converted; a string is never null.
    pub fn fit(self, ty: Type, room: &'a mut String) -> Cell<'a> {
        match self.ty() {
            Some(own) if own == ty => self,
            _ => self.convert(ty, room),
        }
    }

    /// The value as one of another type where it is one already, else null: what `mv-expand x to typeof(long)` makes of an element.
    ///
    /// Kusto's documentation of it says that nothing is parsed. Numbers are each other's, fractions cut off where they must be,
    /// and a string takes everything. What JSON writes as a string, a `datetime` or `guid`, is one, as the documentation of
    /// `dynamic` has it.
    pub fn cast(self, ty: Type, room: &'a mut String) -> Cell<'a> {
        let own = match self {
            Cell::Dynamic(json) => json.cell().unwrap_or(Cell::Null),
            other => other,
        };
        let is_number = |ty| matches!(ty, Type::Int | Type::Long | Type::Real | Type::Decimal);
        match (own, ty) {
            (_, Type::String | Type::Dynamic) => self.fit(ty, room),
            (Cell::Long(n), Type::Int) => i32::try_from(n).map_or(Cell::Null, Cell::Int),
            (Cell::String(_), Type::DateTime | Type::Guid) => own.convert(ty, room),
            _ => match own.ty() {
                Some(have) if have == ty => own,
                Some(have) if is_number(have) && is_number(ty) => own.convert(ty, room),
                _ => Cell::Null,
            },
        }
    }

    /// As `tobool` gives it.
    pub fn to_bool(self) -> Option<bool> {
        match self {
            Cell::Bool(value) => Some(value),
            Cell::Int(value) => Some(value != 0),
            Cell::Long(value) | Cell::Timespan(value) => Some(value != 0),
            Cell::Real(value) => Some(value != 0.0),
            Cell::Decimal(value) => Some(!value.is_zero()),
            Cell::String(text) => read_bool(text),
            Cell::Dynamic(json) => json.cell()?.to_bool(),
            Cell::Null | Cell::DateTime(_) | Cell::Guid(_) => None,
        }
    }

    /// As `toint` gives it: a real is cut off and held in range, a long keeps its lower 32 bits. Nothing of a decimal or a text that is out of range.
    pub fn to_int(self) -> Option<i32> {
        match self {
            Cell::Int(value) => Some(value),
            // `as` holds in range, as Kusto's recorded answers have it.
            Cell::Real(value) => (!value.is_nan()).then_some(value as i32),
            Cell::Decimal(value) => i32::try_from(value.to_long()?).ok(),
            Cell::String(text) => i32::try_from(read_long(text)?).ok(),
            Cell::Dynamic(json) => json.cell()?.to_int(),
            other => other.to_long().map(|value| value as i32),
        }
    }

    /// As `tolong` gives it: a real is cut off and held in range, times are counted in ticks. Nothing of a decimal or a text that is out of range.
    pub fn to_long(self) -> Option<i64> {
        match self {
            Cell::Bool(value) => Some(i64::from(value)),
            Cell::Int(value) => Some(i64::from(value)),
            Cell::Long(value) | Cell::DateTime(value) | Cell::Timespan(value) => Some(value),
            Cell::Real(value) => (!value.is_nan()).then_some(value as i64),
            Cell::Decimal(value) => value.to_long(),
            Cell::String(text) => read_long(text),
            Cell::Dynamic(json) => json.cell()?.to_long(),
            Cell::Null | Cell::Guid(_) => None,
        }
    }

    /// As `toreal` gives it.
    pub fn to_real(self) -> Option<f64> {
        match self {
            Cell::Real(value) => Some(value),
            Cell::Decimal(value) => Some(value.to_real()),
            Cell::String(text) => read_real(text),
            Cell::Dynamic(json) => json.cell()?.to_real(),
            other => other.to_long().map(|value| value as f64),
        }
    }

    /// As `todecimal` gives it: of a real, the decimal of its shortest text.
    pub fn to_decimal(self) -> Option<Decimal> {
        match self {
            Cell::Decimal(value) => Some(value),
            Cell::Real(value) => Decimal::from_real(value),
            Cell::String(text) => read_decimal(text),
            Cell::Dynamic(json) => json.to_decimal(),
            other => other.to_long().map(Decimal::from),
        }
    }

    /// As `todatetime` gives it: a number counts ticks.
    pub fn to_datetime(self) -> Option<i64> {
        let ticks = match self {
            Cell::DateTime(ticks) => ticks,
            Cell::String(text) => read_datetime(text)?,
            Cell::Dynamic(json) => json.cell()?.to_datetime()?,
            Cell::Int(_) | Cell::Long(_) | Cell::Real(_) | Cell::Decimal(_) => self.to_long()?,
            _ => return None,
        };
        (!Value::datetime(ticks).is_null()).then_some(ticks)
    }

    /// As `totimespan` gives it: a number counts ticks.
    pub fn to_timespan(self) -> Option<i64> {
        match self {
            Cell::Timespan(ticks) => Some(ticks),
            Cell::String(text) => read_timespan(text),
            Cell::Dynamic(json) => json.cell()?.to_timespan(),
            Cell::Int(_) | Cell::Long(_) | Cell::Real(_) | Cell::Decimal(_) => self.to_long(),
            _ => None,
        }
    }

    /// As `toguid` gives it.
    pub fn to_guid(self) -> Option<u128> {
        match self {
            Cell::Guid(guid) => Some(guid),
            Cell::String(text) => read_guid(text),
            Cell::Dynamic(json) => json.cell()?.to_guid(),
            _ => None,
        }
    }
}
