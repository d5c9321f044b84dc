//! Conversions between types, as Kusto's `toint`, `todatetime`, … make them: never an error, null where there is no value.

use std::borrow::Cow;
use std::sync::Arc;

use super::read_timespan;
use super::{
    Decimal, Json, Type, Value, read_bool, read_datetime, read_decimal, read_guid, read_long,
    read_real,
};

impl Value {
    /// The value of another type, as Kusto's conversion function to that type gives it.
    pub fn convert(&self, ty: Type) -> Value {
        let value = match ty {
            Type::Bool => self.to_bool().map(Value::Bool),
            Type::Int => self.to_int().map(Value::Int),
            Type::Long => self.to_long().map(Value::Long),
            Type::Real => self.to_real().map(Value::Real),
            Type::Decimal => self.to_decimal().map(Value::Decimal),
            Type::DateTime => self.to_datetime().map(Value::DateTime),
            Type::Timespan => self.to_timespan().map(Value::Timespan),
            Type::Guid => self.to_guid().map(Value::Guid),
            Type::String => match self {
                Value::String(_) => return self.clone(),
                other => Some(Value::from(other.show())),
            },
            Type::Dynamic => match self {
                Value::Dynamic(_) => return self.clone(),
                other => Some(Value::dynamic(Json::from_value(other))),
            },
        };
        value.unwrap_or_default()
    }

    /// The value as one of another type where it is one already, else null: what `mv-expand x to typeof(long)` makes of an element.
    ///
    /// Kusto's documentation of it says that nothing is parsed. Numbers are each other's, fractions cut off where they must be,
    /// and a string takes everything. What JSON writes as a string, a `datetime` or `guid`, is one, as the documentation of
    /// `dynamic` has it.
    pub fn cast(&self, ty: Type) -> Value {
        let own = match self {
            Value::Dynamic(json) => json.scalar(),
            other => Some(other.clone()),
        };
        let is_number = |ty| matches!(ty, Type::Int | Type::Long | Type::Real | Type::Decimal);
        match (own, ty) {
            (_, Type::String | Type::Dynamic) => self.clone().fit(ty),
            (Some(Value::Long(n)), Type::Int) => i32::try_from(n).map_or(Value::Null, Value::Int),
            (Some(own @ Value::String(_)), Type::DateTime | Type::Guid) => own.convert(ty),
            (Some(own), _) => match own.ty() {
                Some(have) if have == ty => own,
                Some(have) if is_number(have) && is_number(ty) => own.convert(ty),
                _ => Value::Null,
            },
            (None, _) => Value::Null,
        }
    }

    /// The same where it is of the type already, else converted.
    pub fn fit(self, ty: Type) -> Value {
        match (self.ty(), ty) {
            (None, Type::String) => Value::from(""),
            (None, _) => Value::Null,
            (Some(own), ty) if own == ty => self,
            _ => self.convert(ty),
        }
    }

    /// Its text: that of a string as it is, of all else as `tostring` gives it.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Value::String(text) => Cow::Borrowed(text),
            Value::Dynamic(json) => match &**json {
                Json::String(text) => Cow::Borrowed(text),
                json => Cow::Owned(json.show()),
            },
            other => Cow::Owned(other.show()),
        }
    }

    /// As `tobool` gives it.
    pub fn to_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            Value::Int(value) => Some(*value != 0),
            Value::Long(value) | Value::Timespan(value) => Some(*value != 0),
            Value::Real(value) => Some(*value != 0.0),
            Value::Decimal(value) => Some(!value.is_zero()),
            Value::String(text) => read_bool(text),
            Value::Dynamic(json) => match &**json {
                Json::Bool(value) => Some(*value),
                json => json.scalar()?.to_bool(),
            },
            _ => None,
        }
    }

    /// As `toint` gives it: a real is cut off and held in range, a long keeps its lower 32 bits. Nothing of a decimal or a text that is out of range.
    pub fn to_int(&self) -> Option<i32> {
        match self {
            Value::Int(value) => Some(*value),
            // `as` holds in range, as Kusto's recorded answers have it.
            Value::Real(value) => (!value.is_nan()).then_some(*value as i32),
            Value::Decimal(value) => i32::try_from(value.to_long()?).ok(),
            Value::String(text) => i32::try_from(read_long(text)?).ok(),
            Value::Dynamic(json) => json.scalar()?.to_int(),
            other => other.to_long().map(|value| value as i32),
        }
    }

    /// As `tolong` gives it: a real is cut off and held in range, times are counted in ticks. Nothing of a decimal or a text that is out of range.
    pub fn to_long(&self) -> Option<i64> {
        match self {
            Value::Bool(value) => Some(i64::from(*value)),
            Value::Int(value) => Some(i64::from(*value)),
            Value::Long(value) | Value::DateTime(value) | Value::Timespan(value) => Some(*value),
            Value::Real(value) => (!value.is_nan()).then_some(*value as i64),
            Value::Decimal(value) => value.to_long(),
            Value::String(text) => read_long(text),
            Value::Dynamic(json) => json.scalar()?.to_long(),
            Value::Null | Value::Guid(_) => None,
        }
    }

    /// As `toreal` gives it.
    pub fn to_real(&self) -> Option<f64> {
        match self {
            Value::Real(value) => Some(*value),
            Value::Decimal(value) => Some(value.to_real()),
            Value::String(text) => read_real(text),
            Value::Dynamic(json) => json.scalar()?.to_real(),
            other => other.to_long().map(|value| value as f64),
        }
    }

    /// As `todecimal` gives it: of a real, the decimal of its shortest text.
    pub fn to_decimal(&self) -> Option<Decimal> {
        match self {
            Value::Decimal(value) => Some(*value),
            Value::Real(value) => Decimal::from_real(*value),
            Value::String(text) => read_decimal(text),
            Value::Dynamic(json) => json.to_decimal(),
            other => other.to_long().map(Decimal::from),
        }
    }

    /// As `todatetime` gives it: a number counts ticks.
    pub fn to_datetime(&self) -> Option<i64> {
        let ticks = match self {
            Value::DateTime(ticks) => *ticks,
            Value::String(text) => read_datetime(text)?,
            Value::Dynamic(json) => json.scalar()?.to_datetime()?,
            Value::Int(_) | Value::Long(_) | Value::Real(_) | Value::Decimal(_) => {
                self.to_long()?
            }
            _ => return None,
        };
        (!Value::datetime(ticks).is_null()).then_some(ticks)
    }

    /// As `totimespan` gives it: a number counts ticks.
    pub fn to_timespan(&self) -> Option<i64> {
        match self {
            Value::Timespan(ticks) => Some(*ticks),
            Value::String(text) => read_timespan(text),
            Value::Dynamic(json) => json.scalar()?.to_timespan(),
            Value::Int(_) | Value::Long(_) | Value::Real(_) | Value::Decimal(_) => self.to_long(),
            _ => None,
        }
    }

    /// As `toguid` gives it.
    pub fn to_guid(&self) -> Option<u128> {
        match self {
            Value::Guid(guid) => Some(*guid),
            Value::String(text) => read_guid(text),
            Value::Dynamic(json) => json.scalar()?.to_guid(),
            _ => None,
        }
    }
}

impl Json {
    /// As `todecimal` gives it, with all digits of the text of a number that was kept.
    pub fn to_decimal(&self) -> Option<Decimal> {
        match self {
            Json::Big(text) => read_decimal(text),
            json => json.scalar()?.to_decimal(),
        }
    }

    /// The scalar; nothing where it is an array, a bag or null.
    pub fn scalar(&self) -> Option<Value> {
        Some(match self {
            Json::Bool(value) => Value::Bool(*value),
            Json::Long(value) => Value::Long(*value),
            Json::Real(value) => Value::Real(*value),
            Json::Big(text) => Value::Real(text.parse().ok()?),
            Json::String(text) => Value::String(Arc::clone(text)),
            Json::DateTime(ticks) => Value::DateTime(*ticks),
            Json::Timespan(ticks) => Value::Timespan(*ticks),
            Json::Guid(guid) => Value::Guid(*guid),
            Json::Null | Json::Array(_) | Json::Bag(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cast_parses_no_numbers() {
        let cast = |json: &str, ty| {
            let all = Json::parse(json).unwrap_or_default();
            let items = all.array().unwrap_or_default().iter().cloned();
            let items: Vec<Value> = items.map(|item| Value::dynamic(item).cast(ty)).collect();
            items
        };
        let null = Value::Null;
        assert_eq!(
            cast(r#"["5","x",7,7.9,true,null,[1]]"#, Type::Long),
            [
                null.clone(),
                null.clone(),
                Value::Long(7),
                Value::Long(7),
                null.clone(),
                null.clone(),
                null.clone()
            ]
        );
        assert_eq!(
            cast("[7,3000000000]", Type::Int),
            [Value::Int(7), null.clone()]
        );
        assert_eq!(
            cast(r#"[1,"a",null,[1,2]]"#, Type::String),
            ["1", "a", "", "[1,2]"].map(Value::from)
        );
        assert_eq!(
            cast(r#"["2020-01-01",0]"#, Type::DateTime),
            [Value::from("2020-01-01").convert(Type::DateTime), null]
        );
        let day = Value::dynamic(Json::Timespan(1));
        assert_eq!(day.cast(Type::Timespan), Value::Timespan(1));
        assert_eq!(day.cast(Type::Long), Value::Null);
    }

    #[test]
    fn conversions_never_fail() {
        let dynamic = |json| Value::dynamic(json);
        assert_eq!(dynamic(Json::Long(2_147_483_648)).to_int(), Some(i32::MIN));
        assert_eq!(dynamic(Json::Long(i64::MAX)).to_int(), Some(-1));
        assert_eq!(Value::Real(1e19).to_int(), Some(i32::MAX));
        assert_eq!(Value::Real(-1e19).to_long(), Some(i64::MIN));
        assert_eq!(Value::Real(2_147_483_647.9).to_int(), Some(i32::MAX));
        assert_eq!(
            Value::Real(-9_223_372_036_854_775_808.0).to_long(),
            Some(i64::MIN)
        );
        assert_eq!(Value::from("1e19").convert(Type::Decimal).to_long(), None);
        assert_eq!(Value::Real(f64::NAN).to_long(), None);
        assert_eq!(Value::from("2147483648").to_int(), None);
        assert_eq!(
            Value::from("1e2").to_decimal(),
            Some(Decimal::from(100_i64))
        );
        assert_eq!(
            dynamic(Json::Big("12345678901234567890".into())).to_decimal(),
            read_decimal("12345678901234567890")
        );
        assert_eq!(
            Value::Timespan(36_000_000_000).to_int(),
            Some(1_640_261_632)
        );
        assert_eq!(dynamic(Json::String("0x10".into())).to_bool(), Some(true));
        assert_eq!(dynamic(Json::Array(vec![])).to_bool(), None);
        assert_eq!(Value::Real(1.5).to_datetime(), Some(1));
        assert_eq!(Value::Null.fit(Type::String), Value::from(""));
    }
}
