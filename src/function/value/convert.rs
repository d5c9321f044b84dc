//! Conversions between types, as Kusto's `toint`, `todatetime`, … make them: never an error, null where there is no value.

use std::borrow::Cow;
use std::sync::Arc;

use super::cell::Cell;
use super::decimal::{Decimal, read_decimal};
use super::scalar::{Json, Value};
use super::types::Type;

impl Value {
    /// The value of another type, as Kusto's conversion function to that type gives it.
    pub fn convert(&self, ty: Type) -> Value {
        match (self, ty) {
            (Value::String(_), Type::String) | (Value::Dynamic(_), Type::Dynamic) => self.clone(),
            (other, Type::Dynamic) => Value::dynamic(Json::from_value(other)),
            (other, ty) => other.cell().convert(ty, &mut String::new()).value(),
        }
    }

    /// As [`Cell::cast`] makes one of another type.
    pub fn cast(&self, ty: Type) -> Value {
        match ty {
            Type::Dynamic => self.clone().fit(ty),
            ty => self.cell().cast(ty, &mut String::new()).value(),
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
        self.cell().text()
    }

    /// As `tobool` gives it.
    pub fn to_bool(&self) -> Option<bool> {
        self.cell().to_bool()
    }

    /// As `toint` gives it.
    pub fn to_int(&self) -> Option<i32> {
        self.cell().to_int()
    }

    /// As `tolong` gives it.
    pub fn to_long(&self) -> Option<i64> {
        self.cell().to_long()
    }

    /// As `toreal` gives it.
    pub fn to_real(&self) -> Option<f64> {
        self.cell().to_real()
    }

    /// As `todecimal` gives it.
    pub fn to_decimal(&self) -> Option<Decimal> {
        self.cell().to_decimal()
    }

    /// As `todatetime` gives it.
    pub fn to_datetime(&self) -> Option<i64> {
        self.cell().to_datetime()
    }

    /// As `totimespan` gives it.
    pub fn to_timespan(&self) -> Option<i64> {
        self.cell().to_timespan()
    }

    /// As `toguid` gives it.
    pub fn to_guid(&self) -> Option<u128> {
        self.cell().to_guid()
    }
}

impl Json {
    /// As `todecimal` gives it, with all digits of the text of a number that was kept.
    pub fn to_decimal(&self) -> Option<Decimal> {
        match self {
            Json::Big(text) => read_decimal(text),
            json => json.cell()?.to_decimal(),
        }
    }

    /// The scalar; nothing where it is an array, a bag or null.
    pub fn scalar(&self) -> Option<Value> {
        match self {
            Json::String(text) => Some(Value::String(Arc::clone(text))),
            json => json.cell().map(Cell::value),
        }
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
