//! What rules could not judge, which a hunt counts for several of them at once.

use crate::command_line::run;
use crate::project;

/// A rule that finds nothing and could not judge the label actions of a condition.
fn rule(id: &str, condition: &str) -> String {
    format!(
        "/*\nid: {id}\nname: {id}\nseverity: Low\nunjudged:\n  what: action{{s}}\n  query: SELECT count(*) FROM LabelEvents AS e WHERE {condition}\n*/\n\
         SELECT TimeGenerated, _Source FROM LabelEvents WHERE Action = 'no such action'"
    )
}

#[test]
fn a_count_that_fails_takes_no_other_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let input = project("sample-data/ual-portal");
    let out = run(&[
        "ingest",
        &input.to_string_lossy(),
        "-a",
        &path("archive"),
        "-q",
    ]);
    assert_eq!(out.status.code(), Some(0));
    std::fs::create_dir(path("rules")).expect("a folder");
    let told = |rules: &[(&str, &str)]| {
        for (id, condition) in rules {
            std::fs::write(path(&format!("rules/{id}.sql")), rule(id, condition)).expect("a rule");
        }
        let out = run(&["hunt", "-a", &path("archive"), "-r", &path("rules")]);
        assert_eq!(out.status.code(), Some(0));
        let said = String::from_utf8(out.stderr).expect("text");
        let mut judged: Vec<String> = said
            .lines()
            .filter(|line| line.contains("not judged"))
            .map(String::from)
            .collect();
        judged.sort();
        judged
    };
    let want = [
        "warning: rule `gone`: 4 actions not judged: the records do not say it",
        "warning: rule `low`: 9 actions not judged: the records do not say it",
    ];
    let good = [
        ("gone", "e.Action = 'LabelRemoved'"),
        ("low", "e.Action = 'LabelDowngraded'"),
        ("none", "e.Action = 'it''s none'"),
    ];
    assert_eq!(told(&good), want);
    let wrong = [
        ("planned", "e.NoSuchColumn = 1"),
        ("run", "CAST(e.Operation AS INT) = 1"),
    ];
    let with_wrong = told(&wrong);
    let counted: Vec<&String> = with_wrong
        .iter()
        .filter(|line| !line.contains("cannot be counted"))
        .collect();
    assert_eq!(counted, want);
    assert_eq!(with_wrong.len(), want.len() + wrong.len(), "{with_wrong:?}");
}
