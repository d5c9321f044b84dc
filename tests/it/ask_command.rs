//! `ask`: ready questions by their names.

use serde_json::Value;

use crate::command_line::run;

/// A question of the binary.
const NAME: &str = "addresses-of-user";

fn said(arguments: &[&str]) -> (Option<i32>, String, String) {
    let out = run(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn questions_are_listed_with_what_can_be_set() {
    for arguments in [&["ask"][..], &["ask", "--list"][..]] {
        let (code, out, told) = said(arguments);
        assert_eq!(code, Some(0), "{told}");
        assert!(
            out.contains("addresses-of-user: From where a user came\n    "),
            "{out}"
        );
        let user = "\n    --set user=  The user principal name; all users when empty\n";
        assert!(out.contains(user), "{out}");
        assert!(out.contains("\n    --set atMost=0  "), "{out}");
    }
    let (code, out, _) = said(&["ask", "--list", "-f", "json"]);
    assert_eq!(code, Some(0));
    let list: Value = serde_json::from_str(&out).expect("JSON");
    let list = list.as_array().expect("a list");
    let one = list
        .iter()
        .find(|one| one["id"] == NAME)
        .expect("it is listed");
    assert_eq!(one["parameters"][1]["default"], 0);
    // They are no rules.
    let (_, rules, _) = said(&["rules", "list"]);
    assert!(!rules.contains(NAME), "{rules}");
}

#[test]
fn a_question_is_asked_with_what_is_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let archive = archive.to_string_lossy();
    let (code, _, told) = said(&["ingest", "sample-data", "-a", &archive]);
    assert!(matches!(code, Some(0 | 10)), "{told}");
    let user = "user=Ivan.Ironside@contoso.com";
    let asked = ["ask", "-a", &*archive, NAME, "--set", user, "-f", "csv"];
    let (code, out, told) = said(&asked);
    assert_eq!(code, Some(0), "{told}");
    let lines: Vec<&str> = out.lines().collect();
    assert!(
        lines[0].starts_with("User,Address,First,Last,Events,Days,"),
        "{out}"
    );
    assert_eq!(lines.len(), 3, "{out}");
    assert!(
        lines[2].starts_with("ivan.ironside@contoso.com,203.0.113.66,"),
        "{out}"
    );
    let (code, out, _) = said(&[&asked[..], &["--set", "atMost=1"][..]].concat());
    assert_eq!((code, out.lines().count()), (Some(0), 2), "{out}");
    let (code, out, _) = said(&[&asked[..], &["--to", "2026-05-14"][..]].concat());
    assert_eq!((code, out.lines().count()), (Some(0), 2), "{out}");
    assert!(out.contains(",192.0.2.18,"), "{out}");
    let file = folder.path().join("asked.json");
    let file = file.to_string_lossy();
    let into = ["ask", "-a", &*archive, NAME, "--set", user, "-o", &*file];
    assert_eq!(said(&into).0, Some(0));
    let kept = std::fs::read_to_string(&*file).expect("a file");
    let rows: Value = serde_json::from_str(&kept).expect("JSON");
    assert_eq!(rows.as_array().map(Vec::len), Some(2), "{kept}");
    // What is there is not written over.
    assert_eq!(said(&into).0, Some(3));
    // The query that is shown is the one that is asked.
    let (code, query, _) = said(&["ask", NAME, "--show", "--set", user]);
    assert_eq!(code, Some(0));
    assert!(
        query.contains("let user = \"Ivan.Ironside@contoso.com\";\n"),
        "{query}"
    );
    let (code, again, told) = said(&["kql", "-a", &archive, &query, "-f", "csv"]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(again, said(&asked).1);
}

#[test]
fn what_cannot_be_asked_is_refused_with_what_may_be_meant() {
    for (arguments, want) in [
        (
            &["ask", "-a", "nowhere", "adresses-of-user"][..],
            "error: no question `adresses-of-user`; did you mean `addresses-of-user`",
        ),
        (
            &["ask", "xyz"][..],
            "error: no question `xyz`; `coldtrail ask --list` shows all\n",
        ),
        (
            &["ask", NAME, "--show", "--set", "usr=bob"][..],
            "error: --set: `addresses-of-user` has no parameter `usr`, but `user`, `atMost`; did you mean `user`?\n",
        ),
        (
            &["ask", NAME, "--show", "--set", "atMost=x"][..],
            "error: --set: `addresses-of-user.atMost` is a whole number, and `x` is none\n",
        ),
        (&["ask", NAME][..], "error: -a ARCHIVE is missing"),
        (&["ask", NAME, "--list"][..], "cannot be used with"),
    ] {
        let (code, _, told) = said(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {told}");
        assert!(told.contains(want), "{want}: {told}");
    }
    let (code, ..) = said(&["ask", "-a", "nowhere", NAME]);
    assert_eq!(code, Some(3));
}

#[test]
fn questions_are_tested_with_the_rules_of_the_pack() {
    let (code, out, told) = said(&["rules", "test", "-f", "json"]);
    assert_eq!(code, Some(0), "{out}{told}");
    let list: Value = serde_json::from_str(&out).expect("JSON");
    let list = list.as_array().expect("a list");
    let one = list
        .iter()
        .find(|one| one["id"] == NAME)
        .expect("it is tested");
    assert_eq!(one["ok"], true);
}
