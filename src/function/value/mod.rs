//! Scalars as Kusto has them: `scalar` is what they are; `calendar`, `decimal`, `json`, `order`, `read` and `show` say how they behave.

mod calendar;
mod cell;
mod compact;
mod convert;
mod decimal;
mod equal;
mod json;
mod order;
mod read;
mod scalar;
mod show;
mod types;

pub use calendar::{
    Civil, MAX_DATETIME_TICKS, TICKS_PER_DAY, TICKS_PER_SECOND, UNIX_EPOCH_TICKS, days_from_civil,
};
pub use cell::Cell;
pub use compact::is_compact;
pub use decimal::{DECIMAL_PRECISION, DECIMAL_SCALE, Decimal, read_decimal};
pub use json::Place;
pub use order::Key;
pub use read::{
    read_bool, read_datetime, read_guid, read_long, read_real, read_timespan, unit_nanoseconds,
};
pub use scalar::{Json, Value};
pub use types::Type;
