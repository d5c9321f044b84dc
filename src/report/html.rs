//! The report as one HTML file: no request, no script but its own, nothing from a log that is markup.
//!
//! The data stand as JSON in a block that no browser runs; the script reads them and makes elements and texts of them, never markup. Its policy
//! (`Content-Security-Policy`) allows this one script and this one style by their hashes, images within the file, and nothing else. Readers without
//! scripts see key figures and the first findings.
//!
//! Knows nothing of archives and hunts: the page is a pure function of [`Report`] and [`Brand`].

use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::brand::Brand;
use super::data::{Finding, Report};
use crate::fault::{Error, Result};
use crate::text::safe;

/// Findings that stand in the page for readers without scripts.
const WITHOUT_SCRIPTS: usize = 50;

const STYLE: &str = include_str!("page/style.css");

/// The script, in the order in which its parts name each other.
const SCRIPTS: [&str; 12] = [
    include_str!("page/text.js"),
    include_str!("page/dom.js"),
    include_str!("page/tables.js"),
    include_str!("page/charts.js"),
    include_str!("page/filters.js"),
    include_str!("page/sheet.js"),
    include_str!("page/pages.js"),
    include_str!("page/rankings.js"),
    include_str!("page/labels.js"),
    include_str!("page/access.js"),
    include_str!("page/health.js"),
    include_str!("page/main.js"),
];

/// What stands in the template where the data go. As markup it cannot come from a text: those are escaped.
const DATA_PLACE: &str = "<data>";

/// Writes the page of a report to a place, which is told when it cannot be written. The data go out as they are put into words: a copy of them
/// would be as large as all else.
///
/// # Errors
/// When it cannot be written.
pub fn html(
    report: &Report,
    brand: Option<&Brand>,
    out: &mut dyn io::Write,
    place: &Path,
) -> Result<()> {
    let unusable = |reason: String| Error::Unusable {
        path: "page.html".into(),
        reason,
    };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("seen", safe::seen);
    let page = environment
        .render_named_str(
            "page.html",
            include_str!("page/page.html"),
            context(report, brand),
        )
        .map_err(|e| unusable(e.to_string()))?;
    let (head, tail) = page
        .split_once(DATA_PLACE)
        .ok_or_else(|| unusable(format!("no {DATA_PLACE}")))?;
    let failed = Error::io("write", place);
    let mut write = || -> io::Result<()> {
        out.write_all(head.as_bytes())?;
        report.serialize(&mut Serializer::with_formatter(&mut *out, InScript))?;
        out.write_all(tail.as_bytes())
    };
    write().map_err(failed)
}

/// What the template reads.
fn context(report: &Report, brand: Option<&Brand>) -> Value {
    let script = format!("(() => {{\n{}}})();\n", SCRIPTS.concat());
    let style = match brand.and_then(|brand| brand.style.as_deref()) {
        Some(own) => format!("{STYLE}\n{own}"),
        None => STYLE.to_string(),
    };
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        allowed(&script),
        allowed(&style)
    );
    let findings = report.findings.list.iter().take(WITHOUT_SCRIPTS);
    json!({
        "policy": policy,
        "script": script,
        "style": style,
        "brand": brand.and_then(|brand| brand.title.as_deref()).unwrap_or("coldtrail"),
        "logo": brand.and_then(|brand| brand.logo.as_deref()),
        "data_place": DATA_PLACE,
        "version": report.head.version,
        "title": report.head.title,
        "made": report.head.made,
        "zone": report.head.zone,
        "lines": report.summary.lines,
        "caveats": report.summary.caveats,
        "figures": report.summary.figures,
        "periods": report.summary.periods,
        "by_severity": report.summary.by_severity,
        "total": report.findings.total,
        "findings": findings.map(|finding| in_a_line(report, finding)).collect::<Vec<_>>(),
    })
}

/// A finding for readers without scripts.
fn in_a_line(report: &Report, finding: &Finding) -> Value {
    let rule = report.rules.get(finding.rule);
    let title = finding.title.as_deref();
    json!({
        "number": finding.number,
        "severity": finding.severity,
        "title": title.or(rule.map(|rule| rule.name.as_str())).unwrap_or_default(),
        "user": finding.users.first().map_or("", String::as_str),
        "first": finding.first,
        "records": finding.records,
    })
}

/// How the policy names an inline script or style.
fn allowed(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

/// JSON in which nothing ends the block that it stands in and no character hides: `<`, `>`, `&` and what [`safe::escaped_json`] names are escapes.
struct InScript;

impl Formatter for InScript {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let shown = safe::escaped_json(fragment);
        let mut rest: &str = &shown;
        while let Some(at) = rest.find(['<', '>', '&']) {
            writer.write_all(&rest.as_bytes()[..at])?;
            write!(writer, "\\u{:04x}", rest.as_bytes()[at])?;
            rest = &rest[at + 1..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_data_ends_its_block() {
        let text =
            "</script><!--&amp;\u{2028}\u{2029}\u{202e}\u{e0041}\u{7f}\u{0}\n\"\\ \u{e9}\u{1f600}";
        let mut out = Vec::new();
        let value = json!({text: [text, 1, null]});
        value
            .serialize(&mut Serializer::with_formatter(&mut out, InScript))
            .expect("text");
        let written = String::from_utf8(out).expect("UTF-8");
        assert!(!written.contains(['<', '>', '&']), "{written}");
        assert!(!written.chars().any(safe::is_unsafe), "{written}");
        let back: Value = serde_json::from_str(&written).expect("JSON");
        assert_eq!(back, value);
    }

    /// The page holds the same list of unseen characters as [`safe`]; a browser compares them character by character where there is one.
    #[test]
    fn the_script_ends_no_block_and_names_the_unseen() {
        let script = SCRIPTS.concat();
        for ending in [
            "</script",
            "<!--",
            "innerHTML",
            "outerHTML",
            "eval(",
            "document.write",
        ] {
            assert!(!script.contains(ending), "{ending}");
        }
        assert!(!STYLE.contains("</"));
        assert!(script.contains(
            r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u{2800}]"
        ));
        let own = script.len() + STYLE.len() + include_str!("page/page.html").len();
        assert!(own < 1_000_000, "{own} bytes beside the data");
    }
}
