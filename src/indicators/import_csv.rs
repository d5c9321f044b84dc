//! Indicators as CSV, in the columns that Sentinel's import of files has for all kinds but files. Files stand among them with the kind `file`; Sentinel
//! imports files from CSV by a form of their own, and from a list of STIX as they are. Columns and limits are those of
//! <https://learn.microsoft.com/azure/sentinel/indicators-bulk-file-import> of 1 July 2026.

use super::indicator::Indicator;
use super::moments::millis;
use super::terms::Terms;
use super::ti_indicator::severity;
use crate::engine::output;

/// The columns.
const HEADER: &str = "threatTypes,tags,name,description,confidence,revoked,validFrom,validUntil,tlpLevel,severity,observableType,observableValue";

/// Indicators, one a line.
pub fn csv(indicators: &[Indicator], terms: &Terms) -> String {
    let mut out = format!("{HEADER}\n");
    for indicator in indicators {
        let cells = cells(indicator, terms);
        let cells: Vec<String> = cells.iter().map(|cell| output::csv(cell)).collect();
        out.push_str(&cells.join(","));
        out.push('\n');
    }
    out
}

/// How many values are not as they were: what a spreadsheet would take for a formula has a `'` in front.
pub fn changed(indicators: &[Indicator]) -> u64 {
    let is_changed = |one: &&Indicator| {
        let value = one.observable.value();
        let cell = output::csv(&value);
        let quoted = cell.strip_prefix('"').and_then(|c| c.strip_suffix('"'));
        match quoted {
            Some(quoted) => quoted.replace("\"\"", "\"") != value,
            None => cell != value,
        }
    };
    indicators.iter().filter(is_changed).count() as u64
}

fn cells(indicator: &Indicator, terms: &Terms) -> [String; 12] {
    let (from, until) = terms.span(indicator.first);
    // Commas separate the tags of the cell.
    let tags = indicator.label_texts();
    let tags: Vec<String> = tags.iter().map(|tag| tag.replace(',', ";")).collect();
    [
        "WatchList".to_string(),
        tags.join(", "),
        indicator.name(),
        indicator.description(),
        indicator
            .confidence
            .map_or(String::new(), |confidence| confidence.to_string()),
        "false".to_string(),
        millis(from),
        millis(until),
        terms.tlp.name().to_string(),
        severity(indicator.severity).to_string(),
        indicator.observable.kind().to_string(),
        indicator.observable.value(),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::attempts::tests::{TIME, denial};
    use super::super::{Allow, Documentation, Tlp, gather, of_denials};
    use super::*;

    #[test]
    fn a_line_has_the_columns_of_the_import() {
        let mut denials = [denial(TIME, "eve@fabrikam.com", "203.0.113.9")];
        denials[0].refusal.file = Some("=a,b.docx".into());
        let gathered = gather(of_denials(&denials), &Allow::new(Documentation::Taken));
        let terms = Terms {
            moment: TIME,
            valid_for: 86_400_000_000,
            tlp: Tlp::Green,
        };
        let text = csv(&gathered.indicators, &terms);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0], HEADER);
        assert!(
            lines[1].starts_with("WatchList,\"ContentId_g: 0c0c0c0c-0000-4000-8000-00000000000a, FileName: =a;b.docx, "),
            "{}",
            lines[1]
        );
        assert!(
            lines[1].ends_with(
                ",,false,2026-05-19T14:05:00.000Z,2026-05-20T14:05:00.000Z,green,2,ipv4-addr,203.0.113.9"
            ),
            "{}",
            lines[1]
        );
        assert!(lines[3].ends_with(",file,\"'=a,b.docx\""), "{}", lines[3]);
        assert_eq!(changed(&gathered.indicators), 1);
    }
}
