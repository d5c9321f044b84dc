//! Files of rules as folders hold them: each is listed, with what became of it and where it is wrong.

use std::path::Path;

use serde_json::Value;

use crate::command_line::run;

const RULE: &str = "id: 17000000-0000-4000-8000-000000000041\nname: A rule\ndescription: A rule.\nseverity: Low\nkind: Scheduled\nversion: 1.0.0\nqueryFrequency: 1h\nqueryPeriod: 1h\ntriggerOperator: gt\ntriggerThreshold: 0\ntactics: [Impact]\nrelevantTechniques: [T1485]\nquery: SigninLogs\n";

/// The exit code, and of each file `name ok line:column message`.
fn checked(folder: &Path) -> (Option<i32>, Vec<String>) {
    let out = run(&["rules", "check", "-f", "json", &folder.to_string_lossy()]);
    let said = String::from_utf8_lossy(&out.stderr);
    let list: Vec<Value> =
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    let mut lines = Vec::new();
    for one in &list {
        let file = one["file"].as_str().expect("a file");
        let name = file.rsplit(['/', '\\']).next().expect("a name");
        let mut line = format!("{name} {}", one["ok"]);
        for level in ["errors", "warnings"] {
            for said in one[level].as_array().expect("a list") {
                let message = said["message"].as_str().expect("a message");
                line.push_str(&format!(" {}:{} {message}", said["line"], said["column"]));
            }
        }
        lines.push(line);
    }
    (out.status.code(), lines)
}

fn write(folder: &Path, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).expect("a file");
    }
}

#[test]
fn what_is_wrong_with_a_file_has_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let lost = RULE.replace("query: SigninLogs\n", "");
    let other = RULE.replace("41\n", "42\n").replace(
        "description: A rule.",
        "description: Rules from \u{e9} \u{201c}x\u{201d}",
    );
    // As Windows writes them in the West.
    let letters: Vec<u8> = other
        .chars()
        .map(|c| match c {
            '\u{201c}' => 0x93,
            '\u{201d}' => 0x94,
            c => u8::try_from(c).expect("a letter of Windows-1252"),
        })
        .collect();
    let tabs = RULE
        .replace("41\n", "43\n")
        .replace("query: SigninLogs\n", "query: |\n\tSigninLogs\n");
    write(
        folder.path(),
        &[
            ("a.yaml", lost.as_bytes()),
            ("b.yaml", letters.as_slice()),
            ("c.yaml", tabs.as_bytes()),
            ("d.sql", "SELECT 1\n".as_bytes()),
        ],
    );
    let (code, lines) = checked(folder.path());
    assert_eq!(code, Some(2));
    assert_eq!(
        lines,
        [
            "a.yaml false 1:1 no query in `query`",
            "b.yaml false 3:25 byte 0xe9 is not UTF-8: save the file as UTF-8 (it may be Windows-1252)",
            "c.yaml true 14:1 the line is indented with a tab, which YAML does not allow: it was read with spaces",
            "d.sql false 1:1 no header",
        ]
    );
}

#[test]
fn faults_of_a_query_are_told_with_those_of_its_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = "// id: x\n// name: y\nSigninLogs | where ResultTipe == '1'\n";
    let dire = RULE
        .replace("severity: Low", "severity: Dire")
        .replace("query: SigninLogs", "query: SigninLog | count");
    write(
        folder.path(),
        &[
            ("a.kql", own.as_bytes()),
            ("b.yaml", dire.as_bytes()),
            (
                "c.kql",
                "union withsource=Table *\n| where UserId != ''\n| summarize count() by Table\n"
                    .as_bytes(),
            ),
        ],
    );
    let (code, lines) = checked(folder.path());
    assert_eq!(code, Some(2));
    assert_eq!(
        lines,
        [
            "a.kql false 1:1 header: no `severity` 3:20 no column or variable `ResultTipe`",
            "b.yaml false 4:11 severity `Dire` is none of High, Medium, Low and Informational 13:8 no table `SigninLog`",
            // Which tables there are is for an archive to say.
            "c.kql true",
        ]
    );
}

#[test]
fn a_rule_whose_texts_are_hostile_is_converted_to_one_that_loads() {
    let folder = tempfile::tempdir().expect("a folder");
    let hostile = RULE.replace("name: A rule", r#"name: "\u202Ered \u001b[31m\u2028 <b>""#);
    let file = folder.path().join("hostile.yaml");
    std::fs::write(&file, hostile).expect("a file");
    let out = run(&["rules", "convert", &file.to_string_lossy()]);
    let text = String::from_utf8_lossy(&out.stdout);
    let is_raw = |c: char| matches!(c, '\u{202e}' | '\u{1b}' | '\u{2028}');
    assert!(!text.contains(is_raw), "{text:?}");
    std::fs::remove_file(&file).expect("it is there");
    write(folder.path(), &[("converted.kql", text.as_bytes())]);
    let out = run(&[
        "rules",
        "show",
        "-f",
        "json",
        "-r",
        &folder.path().to_string_lossy(),
    ]);
    let said = String::from_utf8_lossy(&out.stderr);
    let list: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    assert_eq!(list[0]["name"], "\u{202e}red \u{1b}[31m\u{2028} <b>");
}

#[cfg(unix)]
#[test]
fn links_are_listed_and_those_to_folders_are_not_followed() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).expect("a folder");
    write(&rules, &[("a.yaml", RULE.as_bytes())]);
    symlink(&rules, rules.join("again")).expect("a link");
    symlink("nothing.yaml", rules.join("lost.yaml")).expect("a link");
    // As Kubernetes mounts a ConfigMap.
    symlink(".", rules.join("..data")).expect("a link");
    let (code, lines) = checked(&rules);
    assert_eq!(code, Some(2));
    let [rule, link, lost] = lines.as_slice() else {
        panic!("{lines:#?}");
    };
    assert_eq!(rule, "a.yaml true");
    assert_eq!(
        link,
        "again null 1:1 links to folders are not followed: name the folder itself"
    );
    assert!(
        lost.starts_with("lost.yaml false 1:1 it is a link: "),
        "{lost}"
    );
}

#[test]
fn a_folder_that_is_named_twice_is_read_once() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &[("a.yaml", RULE.as_bytes())]);
    let (once, again) = (folder.path(), folder.path().join("."));
    let out = run(&[
        "rules",
        "list",
        "-f",
        "json",
        &once.to_string_lossy(),
        &again.to_string_lossy(),
    ]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{said}");
    let list: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
}

/// The exit code, the answer, and what was said.
fn said(arguments: &[&str]) -> (Option<i32>, String, String) {
    let out = run(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

/// Ids and packs of the rules that a table lists.
fn listed(table: &str) -> Vec<(&str, &str)> {
    let lines = table.lines().skip(1).map(|line| {
        let mut words = line.split_whitespace();
        (words.next().unwrap_or_default(), words.next())
    });
    lines
        .map(|(id, pack)| (id, pack.unwrap_or_default()))
        .collect()
}

#[test]
fn a_built_in_pack_is_named_and_rules_are_listed_by_their_pack() {
    let (code, all, told) = said(&["rules", "list"]);
    assert_eq!(code, Some(0), "{told}");
    let packs: Vec<&str> = listed(&all).into_iter().map(|(_, pack)| pack).collect();
    assert!(packs.is_sorted(), "{packs:?}");
    assert!(
        packs.contains(&"teams") && packs.contains(&"mip"),
        "{packs:?}"
    );
    let own = packs.iter().filter(|pack| **pack == "teams").count();
    // Of one pack the name is not repeated.
    let (_, teams, _) = said(&["rules", "list", "builtin:teams"]);
    let header = teams.lines().next().expect("a header");
    assert!(!header.contains("pack"), "{header}");
    assert_eq!(listed(&teams).len(), own);
    assert_eq!(said(&["rules", "list", "--pack", "teams"]).1, teams);
    let (_, two, _) = said(&["rules", "list", "builtin:teams", "builtin:mip"]);
    let both = said(&["rules", "list", "--pack", "mip", "--pack", "teams"]);
    assert_eq!(both.1, two);
    assert!(listed(&two).len() > own, "{two}");
    // Wherever rules are named.
    for command in [
        &["rules", "coverage", "-r"][..],
        &["rules", "coverage"][..],
        &["rules", "show", "-r"][..],
    ] {
        let (code, out, told) = said(&[command, &["builtin:teams"][..]].concat());
        assert_eq!(code, Some(0), "{told}");
        assert!(!out.contains("label-removed"), "{out}");
    }
    for (wrong, want) in [
        (
            &["rules", "list", "builtin:team"][..],
            "no built-in pack `team`; did you mean `teams`? (there are copilot, entra, ",
        ),
        (
            &["rules", "list", "--pack", "exchnge"][..],
            "--pack: no rule is of a pack `exchnge`; did you mean `exchange`? (there are copilot, entra, ",
        ),
    ] {
        let (code, _, told) = said(wrong);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(want), "{told}");
    }
}

#[test]
fn a_built_in_rule_is_named_by_its_id_and_what_is_nothing_says_what_is_near() {
    let of = |rules: &str| {
        let out = run(&["rules", "list", rules]);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    };
    let (code, said, _) = of("password-spray");
    assert_eq!((code, said.lines().count()), (Some(0), 2), "{said}");
    let nothing = "no file, folder, pack or built-in rule";
    for (name, near) in [
        ("password-spry", "; did you mean `password-spray`"),
        ("bultin:mip", "; did you mean `builtin:mip`?"),
        ("mip", "; did you mean `builtin:mip`?"),
        ("forward.yml", "\n"),
        ("no/such/folder", "\n"),
    ] {
        let (code, _, said) = of(name);
        assert_eq!(code, Some(3), "{said}");
        assert!(
            said.contains(&format!("{nothing} `{name}`{near}")),
            "{said}"
        );
        assert!(said.contains("`coldtrail rules list` shows"), "{said}");
    }
}

#[test]
fn a_folder_of_rules_is_named_with_r_or_without() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &[("a.yaml", RULE.as_bytes())]);
    let rules = folder.path().to_string_lossy();
    for command in ["list", "check", "test"] {
        let with = run(&["rules", command, "-r", &rules]);
        let without = run(&["rules", command, &rules]);
        let said = String::from_utf8_lossy(&with.stderr);
        assert_eq!(with.status.code(), Some(0), "{command}: {said}");
        assert_eq!(with.stdout, without.stdout, "{command}");
        assert!(!with.stdout.is_empty(), "{command}");
    }
}
