//! Functions that the views and rules need beyond DataFusion's own.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, ListBuilder, StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Int32Type};
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::SessionContext;

use crate::archive::app_id;
use crate::catalog::{audit, copilot, explorer, labels, places};
use crate::fault::Result;
use crate::text::address;

mod paths;
mod patterns;
mod sized;

/// Registers JSON paths (`->`, `->>`, `json_get_str` …) and coldtrail's own functions.
///
/// # Errors
/// When DataFusion refuses a function.
pub fn register(context: &SessionContext) -> Result<()> {
    let mut state = context.state_ref().read().clone();
    datafusion_functions_json::register_all(&mut state)?;
    *context.state_ref().write() = state;
    sized::register(context)?;
    patterns::register(context);
    context.add_analyzer_rule(Arc::new(paths::ReadAlike::new()));
    name_of_number(context, "record_type_name", |n| {
        audit::record_type_name(n).map(str::to_string)
    });
    name_of_number(context, "user_type_name", |n| {
        usize::try_from(n)
            .ok()
            .and_then(|i| audit::USER_TYPES.get(i))
            .map(|s| (*s).to_string())
    });
    app_record_id(context);
    is_service(context);
    text_to_text(context, "clean_ip", address::clean);
    text_to_text(context, "event_key", audit::event_key);
    text_to_text(context, "user_agent_among", |list| {
        audit::named_value(list, "UserAgent")
    });
    text_to_text(context, "user_spelling", |user| Some(user_spelling(user)));
    number_of_name(context, "record_type_number", audit::record_type);
    number_of_name(context, "user_type_number", audit::user_type);
    label_spellings(context);
    Ok(())
}

/// Registers `app_record_id(RawEventData_Id, ReportId)`: the id of the audit record of a CloudAppEvents row.
fn app_record_id(context: &SessionContext) {
    let udf = create_udf(
        "app_record_id",
        vec![DataType::Utf8, DataType::Utf8],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(|args: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(args)?;
            let (ids, reports) = (arrays[0].as_string::<i32>(), arrays[1].as_string::<i32>());
            let of_row = |(id, report)| app_id(id, report);
            let out: StringArray = ids.iter().zip(reports).map(of_row).collect();
            Ok(ColumnarValue::Array(Arc::new(out) as ArrayRef))
        }),
    );
    context.register_udf(udf);
}

/// Registers `is_service(UserType, UserId)`: whether a service or an application acted, and no person.
fn is_service(context: &SessionContext) {
    let udf = create_udf(
        "is_service",
        vec![DataType::Int32, DataType::Utf8],
        DataType::Boolean,
        Volatility::Immutable,
        Arc::new(|args: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(args)?;
            let (types, users) = (
                arrays[0].as_primitive::<Int32Type>(),
                arrays[1].as_string::<i32>(),
            );
            let of_row = |(kind, user): (_, Option<&str>)| {
                Some(audit::is_service(kind, user.unwrap_or_default()))
            };
            let out: BooleanArray = types.iter().zip(users).map(of_row).collect();
            Ok(ColumnarValue::Array(Arc::new(out) as ArrayRef))
        }),
    );
    context.register_udf(udf);
}

/// What the catalog knows of the spellings of label actions.
fn label_spellings(context: &SessionContext) {
    fn owned(text: Option<&str>) -> Option<String> {
        text.map(str::to_string)
    }
    text_to_text(context, "label_operation", |t| owned(labels::operation(t)));
    text_to_text(context, "label_activity", |t| owned(labels::activity(t)));
    text_to_text(context, "label_secured", |t| owned(labels::secured(t)));
    text_to_text(context, "licence_request", |t| owned(labels::request(t)));
    text_to_text(context, "label_failure", |t| owned(labels::failure(t)));
    text_to_text(context, "label_id", |t| labels::id(t).map(Cow::into_owned));
    text_to_text(context, "label_new_of", labels::new_of);
    text_to_text(context, "label_old_of", labels::old_of);
    text_to_text(context, "label_action_source", |t| {
        Some(labels::action_source(t).to_string())
    });
    text_to_text(context, "label_default_name", |id| {
        labels::default_name(id).map(|name| format!("{name} (assumed)"))
    });
    text_to_text(context, "label_activity_type", |t| {
        owned(labels::activity_type(t))
    });
    text_to_text(context, "label_secured_type", |t| {
        owned(labels::secured_type(t))
    });
    text_to_text(context, "label_event_type", |t| {
        owned(labels::event_type(t))
    });
    text_to_text(context, "label_mode", |t| owned(labels::mode(t)));
    text_to_text(context, "label_web_application", |t| {
        owned(labels::web_application(t))
    });
    text_to_text(context, "label_guid", |t| {
        labels::guid(t).map(Cow::into_owned)
    });
    text_to_text(context, "label_name_instead", |t| {
        owned(labels::name_instead(t))
    });
    text_to_text(context, "label_explored", |t| owned(explorer::activity(t)));
    text_to_text(context, "label_explored_file", |t| {
        owned(explorer::of_labelled(t))
    });
    text_to_text(context, "label_site", places::site);
    text_to_text(context, "label_site_of", places::site_of);
    text_to_text(context, "label_group_of", places::group_of);
    text_to_text(context, "copilot_host", copilot::host);
    text_to_text(context, "copilot_name", copilot::name);
    text_to_text(context, "copilot_path", copilot::path);
    text_to_text(context, "copilot_label", copilot::label);
    text_to_texts(context, "copilot_reads", copilot::reads);
}

/// A user in one spelling: the address of an account (UPN) in lower case, without blanks around it. What is no address stays as it is.
fn user_spelling(user: &str) -> String {
    let address = user.trim();
    let parts = address.split_once('@');
    let is_address = parts.is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty());
    // Claims of SharePoint (`i:0h.f|membership|…@…`) and names of devices have an @ too.
    let strange = |c: char| c.is_whitespace() || matches!(c, '|' | '\\' | '/');
    match is_address && !address.contains(strange) {
        true => address.to_lowercase(),
        false => user.to_string(),
    }
}

fn name_of_number(context: &SessionContext, name: &str, of: fn(i32) -> Option<String>) {
    let udf = create_udf(
        name,
        vec![DataType::Int32],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(move |args: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(args)?;
            let numbers = arrays[0].as_primitive::<Int32Type>();
            let out: StringArray = numbers.iter().map(|n| n.and_then(of)).collect();
            Ok(ColumnarValue::Array(Arc::new(out) as ArrayRef))
        }),
    );
    context.register_udf(udf);
}

fn number_of_name(context: &SessionContext, name: &str, of: fn(&str) -> Option<i32>) {
    let udf = create_udf(
        name,
        vec![DataType::Utf8],
        DataType::Int32,
        Volatility::Immutable,
        Arc::new(move |args: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(args)?;
            let texts = arrays[0].as_string::<i32>();
            let out: Int32Array = (0..texts.len())
                .map(|i| texts.is_valid(i).then(|| texts.value(i)).and_then(of))
                .collect();
            Ok(ColumnarValue::Array(Arc::new(out) as ArrayRef))
        }),
    );
    context.register_udf(udf);
}

fn text_to_text(context: &SessionContext, name: &str, of: fn(&str) -> Option<String>) {
    let udf = create_udf(
        name,
        vec![DataType::Utf8],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(move |args: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(args)?;
            let texts = arrays[0].as_string::<i32>();
            let out: StringArray = (0..texts.len())
                .map(|i| texts.is_valid(i).then(|| texts.value(i)).and_then(of))
                .collect();
            Ok(ColumnarValue::Array(Arc::new(out) as ArrayRef))
        }),
    );
    context.register_udf(udf);
}

fn text_to_texts(context: &SessionContext, name: &str, of: fn(&str) -> Vec<String>) {
    let udf = create_udf(
        name,
        vec![DataType::Utf8],
        DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
        Volatility::Immutable,
        Arc::new(move |args: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(args)?;
            let texts = arrays[0].as_string::<i32>();
            let mut out = ListBuilder::new(StringBuilder::new());
            for i in 0..texts.len() {
                let found = texts.is_valid(i).then(|| of(texts.value(i)));
                for text in found.unwrap_or_default() {
                    out.values().append_value(text);
                }
                out.append(true);
            }
            Ok(ColumnarValue::Array(Arc::new(out.finish()) as ArrayRef))
        }),
    );
    context.register_udf(udf);
}
