//! Values that are new for every row. They are the only functions whose answer cannot be had again.

use uuid::Uuid;

use super::arguments::{Want, real, take};
use super::definition::{BARE, Function};
use super::result_name::ResultName;
use crate::function::value::{Type, Value};

pub(super) const TABLE: &[Function] = &[
    Function {
        name: "new_guid",
        arguments: (0, 0),
        volatile: true,
        doc: "new_guid(): a random guid, another one for every row",
        example: "print x = strlen(tostring(new_guid()))",
        answer: "36",
        ty: |_| Ok(Type::Guid),
        eval: |_, _| Value::Guid(Uuid::new_v4().as_u128()),
        ..BARE
    },
    Function {
        name: "rand",
        arguments: (0, 1),
        volatile: true,
        names: ResultName::First,
        doc: "rand(n): a random real from 0 up to 1, another one for every row; with n, a whole one from 0 to n - 1",
        example: "print x = rand(1)",
        answer: "0.0",
        ty: |a| take(a, &[Want::Number], Type::Real),
        eval: |_, a| {
            let random: f64 = rand::random();
            match (a.first(), real(a, 0).map(f64::floor)) {
                (None, _) => Value::Real(random),
                // The product may round up to n.
                (_, Some(n)) if n >= 1.0 && n.is_finite() => {
                    Value::Real((random * n).floor().min(n - 1.0))
                }
                _ => Value::Null,
            }
        },
        ..BARE
    },
];
