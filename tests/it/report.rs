//! The report: its numbers are those of the hunt, whatever it can show, and what hides in text is seen.

use std::path::Path;

use crate::command_line::run;

/// Analyzes one event with rules that find it so many times each; gives the report and what was printed.
fn report(folder: &Path, user: &str, rules: &[(&str, usize)]) -> (String, String) {
    let record = serde_json::json!({
        "Id": "8d04ba41-81c8-465b-b59f-d6925184bc41", "CreationTime": "2026-05-12T20:00:00", "RecordType": 6,
        "Operation": "FileDownloaded", "Workload": "SharePoint", "UserId": user, "UserType": 0,
        "ObjectId": "https://contoso.sharepoint.com/Plan.docx",
    });
    let export = folder.join("audit.jsonl");
    std::fs::write(&export, format!("{record}\n")).expect("an export");
    let pack = folder.join("rules");
    std::fs::create_dir_all(&pack).expect("a folder");
    for (severity, times) in rules {
        // Not every finding is about an account.
        let entity = match *severity {
            "Low" => ("Host", "HostName"),
            _ => ("Account", "FullName"),
        };
        let rule = format!(
            "/*\nid: {0}\nname: Rule {0}\nseverity: {0}\nentityMappings:\n  - entityType: {1}\n    fieldMappings:\n      \
             - {{identifier: {2}, columnName: UserId}}\n*/\n\
             SELECT u.TimeGenerated, u.UserId, n.value AS Number, u._Source FROM UnifiedAuditLog AS u CROSS JOIN (SELECT unnest(range(0, {times})) AS value) AS n",
            severity, entity.0, entity.1
        );
        std::fs::write(pack.join(format!("{severity}.sql")), rule).expect("a rule");
    }
    let text = |p: &Path| p.to_string_lossy().into_owned();
    let out = folder.join("out");
    let told = run(&[
        "analyze",
        &text(&export),
        "-o",
        &text(&out),
        "-r",
        &text(&pack),
    ]);
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    assert_eq!(
        told.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
    let html = std::fs::read_to_string(out.join("report.html")).expect("a report");
    (html, said)
}

/// The text of a report: no markup, runs of blanks as one.
fn words(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn numbers_of_the_report_are_those_of_the_hunt() {
    let folder = tempfile::tempdir().expect("a folder");
    let (html, said) = report(
        folder.path(),
        "alice@contoso.com",
        &[("High", 1200), ("Medium", 500)],
    );
    assert!(
        said.contains("1,700 findings (1,200 high, 500 medium)"),
        "{said}"
    );
    let text = words(&html);
    for told in [
        "1,700 findings, 1,200 of them of high severity.",
        "1,000 of 1,700 findings are shown in full",
        "700 more in a line each",
        "Findings 1,700",
        "High 1,200 findings",
        "Medium 500 findings",
        "200 findings more, in a line each",
    ] {
        assert!(text.contains(told), "{told}");
    }
    // Each finding stands there once, in full or in a line.
    for number in [1, 1000, 1001, 1200, 1201, 1700] {
        assert_eq!(
            html.matches(&format!("id=\"f{number}\"")).count(),
            1,
            "{number}"
        );
    }
    assert!(!text.contains("not in this report"));
}

#[test]
fn a_finding_in_a_line_names_what_it_is_about() {
    let folder = tempfile::tempdir().expect("a folder");
    let (html, _) = report(folder.path(), "alice@contoso.com", &[("Low", 1100)]);
    let line = html.split("id=\"f1050\"").nth(1).expect("the line");
    let line = &line[..line.find("</tr>").expect("its end")];
    assert!(words(line).contains("alice@contoso.com"), "{line}");
}

#[test]
fn what_the_report_leaves_out_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let (html, _) = report(
        folder.path(),
        "alice@contoso.com",
        &[("High", 1), ("Low", 21_500)],
    );
    let text = words(&html);
    for told in [
        "21,501 findings, 1 of them of high severity.",
        "1,000 of 21,501 findings are shown in full",
        "20,000 more in a line each",
        "501 are not in this report, only in findings.json and findings.csv",
        "501 findings of low severity are not in this report",
        "Low 21,500 findings",
    ] {
        assert!(text.contains(told), "{told}");
    }
    let all = std::fs::read_to_string(folder.path().join("out/findings.csv")).expect("findings");
    assert_eq!(all.lines().count(), 21_502);
}

#[test]
fn characters_that_nobody_sees_are_shown_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let hidden = [
        '\u{1}',
        '\u{b}',
        '\u{c}',
        '\u{9c}',
        '\u{9d}',
        '\u{ad}',
        '\u{61c}',
        '\u{180e}',
        '\u{200b}',
        '\u{200d}',
        '\u{202e}',
        '\u{2064}',
        '\u{3164}',
        '\u{feff}',
        '\u{fff9}',
        '\u{fffb}',
        '\u{e0041}',
    ];
    let user: String = hidden.iter().map(|c| format!("a{c}")).collect();
    let (html, _) = report(
        folder.path(),
        &format!("{user}@contoso.com"),
        &[("High", 1)],
    );
    for c in hidden {
        assert!(!html.contains(c), "U+{:04X}", u32::from(c));
        let name = format!("⟦U+{:04X}⟧", u32::from(c));
        assert!(html.contains(&name), "{name}");
    }
}
