//! Findings for programs and spreadsheets.
//!
//! Each begins with the mark of its maker: by that an ingest knows that this is no export.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::engine::output;
use crate::hunt::alerts::Tally;
use crate::hunt::{Finding, Hunt, LOOKED_UP, Summary};
use crate::ingest::own::{FINDINGS_HEADER, GENERATOR};

/// What is written as JSON. It is written from where it is: as values, 50,000 wide findings are 2 GB once more.
#[derive(Serialize)]
struct Document<'h> {
    generator: &'static str,
    version: &'static str,
    summary: Summary,
    findings: &'h [Finding],
    rules: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alerts: Option<&'h Tally>,
}

/// Findings and rules as JSON.
pub fn findings_json(hunt: &Hunt) -> String {
    let rules: Vec<Value> = hunt
        .outcomes
        .iter()
        .map(|o| {
            let mut rule = Map::new();
            rule.insert("id".into(), o.id.clone().into());
            if let Value::Object(status) = json!(o.status) {
                rule.extend(status);
            }
            rule.insert("findings".into(), o.findings.into());
            let parameters = o.rule.iter().flat_map(|rule| &rule.parameters);
            let parameters: Map<String, Value> = parameters
                .map(|parameter| (parameter.name.clone(), parameter.value().json()))
                .collect();
            if !parameters.is_empty() {
                rule.insert("parameters".into(), parameters.into());
            }
            if let Some(unjudged) = &o.unjudged {
                rule.insert("unjudged".into(), json!(unjudged));
            }
            if !o.absent.is_empty() {
                rule.insert("absent_tables".into(), json!(o.absent));
            }
            if o.counts_back {
                rule.insert("counts_back_from_now".into(), true.into());
            }
            Value::Object(rule)
        })
        .collect();
    let document = Document {
        generator: GENERATOR,
        version: env!("CARGO_PKG_VERSION"),
        summary: hunt.summary(),
        findings: &hunt.findings,
        rules,
        alerts: hunt.alerts.as_ref(),
    };
    // Values that were read from Arrow and text have no way to fail.
    let text = serde_json::to_string_pretty(&document).expect("findings are JSON");
    let mut text = output::harmless(&text);
    text.push('\n');
    text
}

/// Findings as JSON, one a line.
pub fn findings_ndjson(hunt: &Hunt) -> String {
    let mut out = String::new();
    for finding in &hunt.findings {
        let mut line = Map::new();
        line.insert("generator".into(), GENERATOR.into());
        if let Value::Object(finding) = json!(finding) {
            line.extend(finding);
        }
        out.push_str(&output::harmless(&Value::Object(line).to_string()));
        out.push('\n');
    }
    out
}

/// Findings as CSV, one a line.
pub fn findings_csv(hunt: &Hunt) -> String {
    let mut out = format!("{FINDINGS_HEADER}\n");
    for finding in &hunt.findings {
        let cells: Vec<String> = cells(finding).iter().map(|c| output::csv(c)).collect();
        out.push_str(&cells.join(","));
        out.push('\n');
    }
    out
}

/// Findings as a Markdown table, one a line.
pub fn findings_markdown(hunt: &Hunt) -> String {
    let names: Vec<&str> = FINDINGS_HEADER.split(',').collect();
    let mut out = format!(
        "<meta name=\"generator\" content=\"{GENERATOR}\">\n\n| {} |\n|{}\n",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    for finding in &hunt.findings {
        let cells: Vec<String> = cells(finding).iter().map(|c| output::markdown(c)).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out
}

/// The cells of a finding, in the order of [`FINDINGS_HEADER`].
pub(super) fn cells(f: &Finding) -> [String; 12] {
    let entities: Vec<String> = f
        .entities
        .iter()
        .map(|e| format!("{}: {}", e.kind, e.value))
        .collect();
    let evidence: Vec<String> = f
        .evidence
        .iter()
        .take(LOOKED_UP)
        .map(|e| format!("{} record {}", e.file, e.record))
        .collect();
    [
        f.number.to_string(),
        f.severity.to_string(),
        f.rule.clone(),
        f.title.clone(),
        f.first.clone(),
        f.last.clone().unwrap_or_default(),
        entities.join("; "),
        Value::Object(f.details.clone()).to_string(),
        f.evidence.len().to_string(),
        evidence.join("; "),
        f.tactics.join("; "),
        f.techniques.join("; "),
    ]
}
