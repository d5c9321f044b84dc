//! A column in the making: values by its type, and those that do not fit it.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use xxhash_rust::xxh3::xxh3_128;

use super::super::time::{self, DateOrder};
use super::super::{json, python};
use super::slot::{Slot, push_json_string};
use crate::catalog::Kusto;

/// The values of a column, by its type.
pub(super) enum Sink {
    Text(StringBuilder),
    Bool(BooleanBuilder),
    Int(Int32Builder),
    Long(Int64Builder),
    Real(Float64Builder),
    Time(TimestampMicrosecondBuilder),
}

macro_rules! each_sink {
    ($sink:expr, $b:ident => $body:expr) => {
        match $sink {
            Sink::Text($b) => $body,
            Sink::Bool($b) => $body,
            Sink::Int($b) => $body,
            Sink::Long($b) => $body,
            Sink::Real($b) => $body,
            Sink::Time($b) => $body,
        }
    };
}

impl Sink {
    /// A column with room for about so many values, and for so many bytes of them where it is of texts and somebody knows.
    pub(super) fn new(kusto: Kusto, room: usize, text: Option<usize>) -> Sink {
        /// Bytes of a text: many columns have names, as many ids.
        const TEXT: usize = 16;
        match kusto {
            Kusto::Bool => Sink::Bool(BooleanBuilder::with_capacity(room)),
            Kusto::Int => Sink::Int(Int32Builder::with_capacity(room)),
            Kusto::Long => Sink::Long(Int64Builder::with_capacity(room)),
            Kusto::Real => Sink::Real(Float64Builder::with_capacity(room)),
            Kusto::DateTime => {
                Sink::Time(TimestampMicrosecondBuilder::with_capacity(room).with_timezone("UTC"))
            }
            Kusto::Guid | Kusto::String | Kusto::Dynamic => {
                let text = text.unwrap_or(TEXT * room);
                Sink::Text(StringBuilder::with_capacity(room, text))
            }
        }
    }

    pub(super) fn append_nulls(&mut self, missing: usize) {
        each_sink!(self, b => b.append_nulls(missing));
    }

    /// Bytes of its texts.
    pub(super) fn text_bytes(&self) -> usize {
        match self {
            Sink::Text(b) => b.values_slice().len(),
            _ => 0,
        }
    }

    /// The time that was appended last.
    pub(super) fn last_time(&self) -> Option<i64> {
        match self {
            Sink::Time(b) => b.values_slice().last().copied(),
            _ => None,
        }
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        each_sink!(self, b => Arc::new(b.finish()))
    }
}

/// What became of a value.
pub(super) enum Appended {
    /// With the value's fingerprint, where it was asked for.
    Value(u128),
    /// The value means nothing (`{}` for a time).
    Nothing,
    /// The value does not fit the type.
    Misfit,
}

pub(super) fn append(
    sink: &mut Sink,
    kusto: Kusto,
    slot: &Slot<'_>,
    order: Option<DateOrder>,
    want_print: bool,
) -> Appended {
    let text = slot.text();
    match sink {
        Sink::Text(b) if kusto == Kusto::Dynamic => dynamic(b, slot, want_print),
        Sink::Text(b) => {
            b.append_value(text);
            Appended::Value(if want_print {
                json::text_fingerprint(text)
            } else {
                0
            })
        }
        Sink::Bool(b) => match text.trim() {
            t if t.eq_ignore_ascii_case("true") || t == "1" => {
                b.append_value(true);
                Appended::Value(2)
            }
            t if t.eq_ignore_ascii_case("false") || t == "0" => {
                b.append_value(false);
                Appended::Value(3)
            }
            "" => Appended::Nothing,
            _ => Appended::Misfit,
        },
        Sink::Int(b) => match whole(text).and_then(|n| i32::try_from(n).ok()) {
            Some(n) => {
                b.append_value(n);
                Appended::Value(n as u32 as u128)
            }
            None => Appended::Misfit,
        },
        Sink::Long(b) => match whole(text) {
            Some(n) => {
                b.append_value(n);
                Appended::Value(n as u64 as u128)
            }
            None => Appended::Misfit,
        },
        Sink::Real(b) => match real(text) {
            Some(x) => {
                b.append_value(x);
                Appended::Value(u128::from(x.to_bits()))
            }
            None => Appended::Misfit,
        },
        Sink::Time(b) => match time::parse(text, order) {
            Some(t) => {
                b.append_value(t);
                Appended::Value(json::time_fingerprint(t))
            }
            None if text == "{}" => Appended::Nothing,
            None => Appended::Misfit,
        },
    }
}

/// A dynamic value is JSON text in the column, whether it came as JSON or as a string that holds JSON.
fn dynamic(b: &mut StringBuilder, slot: &Slot<'_>, want_print: bool) -> Appended {
    match slot {
        Slot::Json(text) => {
            b.append_value(text);
            Appended::Value(match want_print {
                true => json::fingerprint(text).unwrap_or_else(|_| xxh3_128(text.as_bytes())),
                false => 0,
            })
        }
        other => {
            let text = other.text();
            match json::fingerprint(text) {
                Ok(print) => {
                    b.append_value(text);
                    Appended::Value(print)
                }
                Err(_) => {
                    if let Some(list) = python::json(text)
                        && let Ok(print) = json::fingerprint(&list)
                    {
                        b.append_value(&list);
                        return Appended::Value(print);
                    }
                    let mut quoted = String::with_capacity(text.len() + 2);
                    push_json_string(&mut quoted, text);
                    b.append_value(&quoted);
                    Appended::Value(json::text_fingerprint(text))
                }
            }
        }
    }
}

/// `1.5`, `NaN`; nothing for a number that a real does not hold, such as `1e400`.
fn real(text: &str) -> Option<f64> {
    let text = text.trim();
    let x = text.parse::<f64>().ok()?;
    (x.is_finite() || !text.bytes().any(|b| b.is_ascii_digit())).then_some(x)
}

/// `20`, `"1.0"`, `"1e9"` as a whole number.
fn whole(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(n) = text.parse::<i64>() {
        return Some(n);
    }
    let x = text.parse::<f64>().ok()?;
    // Beyond 2^53 a float no longer holds every whole number.
    (x.fract() == 0.0 && x.abs() < 9.0e15).then_some(x as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_beyond_a_real_is_no_infinity() {
        assert_eq!(real(" 1.50 "), Some(1.5));
        assert_eq!(real("1e400"), None);
        assert_eq!(real("-Infinity"), Some(f64::NEG_INFINITY));
    }
}
