//! `rules coverage`: techniques of ATT&CK that rules name, as a layer of the Navigator.

use serde_json::{Value, json};

use crate::command_line::run;

#[test]
fn the_layer_counts_the_rules_of_each_technique() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, header) in [
        (
            "a",
            "tactics: [Persistence]\nrelevantTechniques: [T1098, T1078.004]",
        ),
        (
            "b",
            "tactics: [Impact, Persistence]\nrelevantTechniques: [T1098]",
        ),
        ("c", "tactics: [Impact]"),
    ] {
        let rule = format!("id: {name}\nname: Rule {name}\n{header}\nquery: print x = 1\n");
        std::fs::write(folder.path().join(format!("{name}.yaml")), rule).expect("a file");
    }
    let rules = folder.path().to_string_lossy().into_owned();
    let file = folder.path().join("layer.out");
    let file = file.to_string_lossy().into_owned();
    let write = ["rules", "coverage", "-r", &rules, "-o", &file];
    let out = run(&write);
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    let layer = std::fs::read_to_string(&file).expect("a layer");
    let shown = run(&["rules", "coverage", "-r", &rules, "-f", "json"]);
    assert_eq!(String::from_utf8_lossy(&shown.stdout), layer);
    let layer: Value = serde_json::from_str(&layer).expect("JSON");
    assert_eq!(layer["versions"]["layer"], "4.5");
    assert_eq!(layer["domain"], "enterprise-attack");
    let techniques = layer["techniques"].as_array().expect("a list");
    let scores: Vec<Value> = techniques
        .iter()
        .map(|one| json!([one["techniqueID"], one["score"]]))
        .collect();
    assert_eq!(scores, [json!(["T1078.004", 1]), json!(["T1098", 2])]);
    let metadata = layer["metadata"].as_array().expect("a list");
    assert!(metadata.contains(&json!({"name": "rules of Persistence", "value": "2"})));
    // Nothing is overwritten.
    assert_eq!(run(&write).status.code(), Some(3));

    let out = run(&["rules", "coverage", "-r", &rules]);
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(said.contains("without a technique: c\n"), "{said}");
    assert!(said.ends_with("2 techniques in 3 rules\n"), "{said}");
}
