//! `rules list -f markdown`: the page of the built-in rules is fresh, and nothing that a rule says is markup.

use crate::command_line::run;
use crate::project;

fn page(arguments: &[&str]) -> String {
    let out = run(&[&["rules", "list", "-f", "markdown"][..], arguments].concat());
    let told = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{told}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn the_page_of_the_built_in_rules_is_what_their_headers_say() {
    let kept = std::fs::read_to_string(project("queries/RULES.md")).expect("the page");
    let fresh = page(&[]);
    let kept = kept.replace("\r\n", "\n");
    let differs = fresh.lines().zip(kept.lines()).find(|(a, b)| a != b);
    assert!(
        fresh == kept,
        "`coldtrail rules list -f markdown > queries/RULES.md` makes it again: {differs:?}"
    );
}

#[test]
fn nothing_that_a_rule_says_is_markup() {
    let folder = tempfile::tempdir().expect("a folder");
    let rule = r#"/*
id: a|b
name: "<b>Bold</b> | [x](http://contoso.com)"
severity: Low
description: |
  # No heading
  goes on.

  1. No list
tactics: [Persistence]
relevantTechniques: [T1098.003, none]
parameters:
  names: {description: Of `whom`}
falsePositives: ["- *none*"]
references: ["https://contoso.com/a?b=c_d", "https://contoso.com/<b>"]
*/
let names = dynamic(["a|b", "c"]);
SigninLogs | where UserPrincipalName in (names)
"#;
    std::fs::write(folder.path().join("a.kql"), rule).expect("a rule");
    let page = page(&[&folder.path().to_string_lossy()]);
    for want in [
        "\n1 rule in 1 pack.\n",
        "\n| a\\|b | Low | \\<b\\>Bold\\</b\\> \\| \\[x\\](http\\://contoso.com) | [T1098.003](https://attack.mitre.org/techniques/T1098/003/)",
        "\n\\# No heading goes on.\n",
        "\n1\\. No list\n",
        "\n| reads | SigninLogs |\n",
        "\n| names | a\\|b, c | Of \\`whom\\` |\n",
        "\n- \\- \\*none\\*\n",
        "\n- <https://contoso.com/a?b=c_d>\n",
        "\n- https\\://contoso.com/\\<b\\>\n",
    ] {
        assert!(page.contains(want), "{want}: {page}");
    }
    assert!(!page.contains("## Questions"), "{page}");
}
