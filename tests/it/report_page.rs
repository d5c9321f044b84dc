//! The HTML report as a file: its policy, its data, what it leaves out and says so, and what stands in it for readers without scripts.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use coldtrail::text::safe::is_unsafe;

use crate::command_line::run;

/// Analyzes one event with rules that find it so many times each; gives the report and what was printed.
fn report(folder: &Path, user: &str, rules: &[(&str, usize)]) -> (String, String) {
    let record = json!({
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

/// What stands between two texts, of which there is one each.
fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let behind = text.split_once(before).expect(before).1;
    behind.split_once(after).expect(after).0
}

/// The data of a report.
fn data(html: &str) -> Value {
    let block = between(
        html,
        "<script type=\"application/json\" id=\"data\">",
        "</script>",
    );
    serde_json::from_str(block).expect("JSON")
}

/// The text of a part of a report: a blank for each piece of markup, runs of blanks as one.
fn words(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_policy_allows_the_script_and_the_style_of_the_file_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (html, _) = report(folder.path(), "alice@contoso.com", &[("High", 1)]);
    let policy = between(&html, "Content-Security-Policy\" content=\"", "\"");
    let policy = policy.replace("&#x27;", "'").replace("&#x2f;", "/");
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let script = html.rsplit_once("<script>").expect("a script").1;
    let script = script.split_once("</script>").expect("its end").0;
    let want = format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        hash(script),
        hash(between(&html, "<style>", "</style>"))
    );
    assert_eq!(policy, want);
    // Two blocks of script, and nothing that is asked for.
    assert_eq!(html.matches("<script").count(), 2);
    let own = html.len() - data(&html).to_string().len();
    assert!(own < 1_000_000, "{own} bytes beside the data");
    for address in ["http://", "https://", "src=\"//"] {
        let page = html.replace("http://www.w3.org/2000/svg", "");
        let block = between(&page, "id=\"data\">", "</script>");
        assert!(!page.replace(block, "").contains(address), "{address}");
    }
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
    let data = data(&html);
    let first = data["summary"]["lines"][0].as_str().expect("a sentence");
    assert!(
        first.starts_with("1,700 findings, 1,200 of high severity, by 2 rules over 1 event"),
        "{first}"
    );
    let findings = &data["findings"];
    assert_eq!(findings["total"], 1700);
    let counts = |member: &str| -> Vec<u64> {
        let list = data["summary"][member].as_array().expect("a list");
        let counts = list.iter().map(|one| one["count"].as_u64());
        counts.map(|n| n.expect("a number")).collect()
    };
    assert_eq!(counts("by_severity"), [1200, 500, 0, 0]);
    assert_eq!(counts("by_rule"), [1200, 500]);
    // Each finding stands there once, in the order of its number; the first have a sheet.
    let list = findings["list"].as_array().expect("findings");
    let left: u64 = findings["left_out"]
        .as_array()
        .map_or(0, |left| left.iter().filter_map(Value::as_u64).sum());
    assert_eq!(list.len() as u64 + left, 1700);
    let full = findings["in_full"].as_u64().expect("a number");
    for (n, finding) in (1..).zip(list) {
        assert_eq!(finding["number"], n);
        assert_eq!(finding.get("sheet").is_some(), n <= full, "{n}");
        assert_eq!(
            finding["severity"],
            if n <= 1200 { "High" } else { "Medium" }
        );
        assert_eq!(finding["users"], json!(["alice@contoso.com"]));
    }
    // Readers without scripts have the same numbers.
    let bare = words(between(&html, "<noscript>", "</noscript>"));
    for told in [
        first,
        "Findings, high 1200",
        "Findings, medium 500",
        "The first 50 of 1700; times are those of UTC.",
        "1 High Rule High alice@contoso.com 2026-05-12T20:00:00Z 1",
    ] {
        assert!(bare.contains(told), "{told}: {bare}");
    }
}

#[test]
fn a_finding_in_a_line_names_what_it_is_about() {
    let folder = tempfile::tempdir().expect("a folder");
    let (html, _) = report(folder.path(), "alice@contoso.com", &[("Low", 1100)]);
    let line = &data(&html)["findings"]["list"][1049];
    assert_eq!(line["number"], 1050);
    assert_eq!(
        line["things"][0],
        json!({"kind": "Host", "name": "alice@contoso.com"})
    );
}

#[test]
fn what_the_report_leaves_out_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let (html, _) = report(
        folder.path(),
        "alice@contoso.com",
        &[("High", 1), ("Low", 50_500)],
    );
    let data = data(&html);
    let first = data["summary"]["lines"][0].as_str().expect("a sentence");
    assert!(
        first.starts_with("50,501 findings, 1 of high severity,"),
        "{first}"
    );
    assert_eq!(data["summary"]["by_severity"][2]["count"], 50_500);
    let findings = &data["findings"];
    assert_eq!(findings["total"], 50_501);
    assert_eq!(findings["list"].as_array().map(Vec::len), Some(50_000));
    assert_eq!(findings["left_out"], json!([0, 0, 501, 0]));
    let rest = findings["rest"].as_str().expect("a command");
    assert!(rest.starts_with("coldtrail hunt -a "), "{rest}");
    // The page says it, by severity.
    assert!(html.contains("left_out: left"));
    let all = std::fs::read_to_string(folder.path().join("out/findings.csv")).expect("findings");
    assert_eq!(all.lines().count(), 50_502);
}

#[test]
fn characters_that_nobody_sees_are_in_no_part_of_the_file() {
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
    let user = format!("{user}</script><b>@contoso.com");
    let (html, _) = report(folder.path(), &user, &[("High", 1)]);
    let seen: Vec<char> = html
        .chars()
        .filter(|c| is_unsafe(*c) && *c != '\n')
        .collect();
    assert!(seen.is_empty(), "{seen:?}");
    let bare = between(&html, "<noscript>", "</noscript>");
    for c in hidden {
        let name = format!("⟦U+{:04X}⟧", u32::from(c));
        assert!(bare.contains(&name), "{name}");
    }
    assert!(bare.contains("&lt;&#x2f;script&gt;&lt;b&gt;"), "{bare}");
    // The data have what the log has.
    assert_eq!(
        data(&html)["findings"]["list"][0]["users"][0],
        user.as_str()
    );
}

#[test]
fn a_folder_brands_the_page_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    report(folder.path(), "alice@contoso.com", &[("High", 1)]);
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let brand = folder.path().join("brand");
    std::fs::create_dir_all(&brand).expect("a folder");
    let put = |name: &str, text: &str| std::fs::write(brand.join(name), text).expect("a file");
    put("title.txt", "Contoso Security\n");
    put("style.css", ":root { --link: #5a2d82; }");
    put("logo.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>");
    let branded = |file: &str, further: &[&str]| {
        let (archive, rules, brand, file) = (
            path("out/archive"),
            path("rules"),
            path("brand"),
            path(file),
        );
        let arguments = [
            "report",
            "-a",
            &archive,
            "-r",
            &rules,
            "--template",
            &brand,
            "-o",
            &file,
        ];
        let told = run(&[&arguments[..], further].concat());
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        (told.status.code(), said)
    };
    let (code, said) = branded("a.html", &[]);
    assert_eq!(code, Some(0), "{said}");
    let html = std::fs::read_to_string(path("a.html")).expect("a report");
    assert!(between(&html, "<style>", "</style>").contains("--link: #5a2d82"));
    assert!(html.contains("<img src=\"data:image/svg+xml;base64,"));
    assert!(words(between(&html, "<header", "</header>")).contains("Contoso Security"));

    for (file, further) in [
        ("a.json", &[][..]),
        ("b.html", &["--label-changes"]),
        ("a.csv", &["--label-changes"]),
    ] {
        let (code, said) = branded(file, further);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("--template"), "{said}");
    }
    put("styles.css", "");
    let (code, said) = branded("c.html", &[]);
    assert_ne!(code, Some(0));
    assert!(
        said.contains("styles.css") && said.contains("no part of a report is called that"),
        "{said}"
    );
}
