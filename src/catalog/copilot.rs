//! What records of Copilot say of the documents that it read for an answer: `CopilotInteraction` of the audit log, and Sentinel's
//! `CopilotActivity`.
//!
//! Source: "CopilotInteraction" of the schema of the Office 365 Management Activity API. Knows documents with a sensitivity label only.

use super::labels;
use crate::text::json::{Fault, Place, Raw, Reader, find};

/// Where a record has what is Copilot's own; Sentinel's column has it by itself.
const EVENT: &str = "CopilotEventData";
const RESOURCES: &str = "AccessedResources";
const LABEL: &str = "SensitivityLabelId";

/// The documents with labels that Copilot read, each as the JSON that the record has for it.
pub fn reads(record: &str) -> Vec<String> {
    // Most interactions read none, and to look for a word is quicker than to read JSON.
    if !record.contains(LABEL) {
        return Vec::new();
    }
    let event = event_of(record);
    let event = event.as_deref().unwrap_or(record);
    let Some(list) = find(event, &[Place::Member(RESOURCES.into())]) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let read = each(list, |resource| {
        if label(resource).is_some() {
            found.push(resource.to_string());
        }
    });
    // `find` has read the text to its end; so this is another value than a list.
    if read.is_err() {
        found.clear();
    }
    found
}

/// What is Copilot's own in a record: an object, or the text of one.
fn event_of(record: &str) -> Option<String> {
    let value = find(record, &[Place::Member(EVENT.into())])?;
    Some(Raw::of(value).text()?.into_owned())
}

fn each(list: &str, mut each: impl FnMut(&str)) -> Result<(), Fault> {
    let mut reader = Reader::new(list);
    reader.array()?;
    reader.elements(0, |reader, _| {
        if let Raw::Other(resource) = reader.raw(1)? {
            each(resource);
        }
        Ok(())
    })
}

fn text(resource: &str, name: &str) -> Option<String> {
    let value = find(resource, &[Place::Member(name.into())])?;
    let text = Raw::of(value).text()?;
    (!text.trim().is_empty()).then(|| text.into_owned())
}

/// The label of a document that was read.
pub fn label(resource: &str) -> Option<String> {
    let text = text(resource, LABEL)?;
    Some(labels::id(&text)?.into_owned())
}

/// Where it is: its address, else an id that is one.
pub fn path(resource: &str) -> Option<String> {
    let id = || text(resource, "ID").or_else(|| text(resource, "Id"));
    text(resource, "SiteUrl").or_else(|| id().filter(|id| id.contains("://")))
}

/// What it is called: its name, else the last part of where it is.
pub fn name(resource: &str) -> Option<String> {
    text(resource, "Name").or_else(|| {
        let path = path(resource)?;
        let name = path.rsplit(['/', '\\']).next()?;
        (!name.is_empty()).then(|| name.to_string())
    })
}

/// The application in which Copilot was asked.
pub fn host(record: &str) -> Option<String> {
    let event = event_of(record);
    text(event.as_deref().unwrap_or(record), "AppHost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documents_with_a_label_are_read_and_each_once() {
        let list = r#"[{"Name":"Plan.docx","SiteUrl":"https://contoso.sharepoint.com/sites/a/Plan.docx","SensitivityLabelId":"AA000000-0000-4000-8000-00000000000A"},
            {"Name":"Menu.docx","SensitivityLabelId":""},{"Name":"x"},"SensitivityLabelId",
            {"Id":"https://contoso.sharepoint.com/sites/b/List.xlsx","SensitivityLabelId":"bb"}]"#;
        let event = format!(r#"{{"AppHost":"Word","AccessedResources":{list}}}"#);
        let record = format!(r#"{{"Operation":"CopilotInteraction","CopilotEventData":{event}}}"#);
        let mut quoted = String::new();
        crate::text::json::quote(&event, &mut quoted);
        let inside = format!(r#"{{"CopilotEventData":{quoted}}}"#);
        for text in [&event, &record, &inside] {
            let found = reads(text);
            let said: Vec<_> = found.iter().map(|r| (name(r), path(r), label(r))).collect();
            let some = |text: &str| Some(text.to_string());
            assert_eq!(
                said,
                [
                    (
                        some("Plan.docx"),
                        some("https://contoso.sharepoint.com/sites/a/Plan.docx"),
                        some("aa000000-0000-4000-8000-00000000000a")
                    ),
                    (
                        some("List.xlsx"),
                        some("https://contoso.sharepoint.com/sites/b/List.xlsx"),
                        some("bb")
                    ),
                ]
            );
            assert_eq!(host(text), some("Word"));
        }
        for none in [
            "",
            "{",
            r#"{"AccessedResources":"SensitivityLabelId"}"#,
            r#"{"AccessedResources":[{"SensitivityLabelId":null}]}"#,
        ] {
            assert!(reads(none).is_empty(), "{none}");
            assert_eq!(host(none), None, "{none}");
        }
    }
}
