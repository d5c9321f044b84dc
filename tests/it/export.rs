//! Evidence to hand on: nobody of the sample is in the bytes of a pseudonymised export, and the same key gives the same bytes.

use crate::command_line::run;
use crate::{ingest, project};

#[test]
fn a_pseudonymised_export_names_nobody_and_is_the_same_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    ingest(
        &folder.path().join("archive"),
        &[project("sample-data/ual-portal")],
    );
    let (archive, key) = (place("archive"), place("key"));
    assert!(run(&["export", "--new-key", &key]).status.success());
    assert!(
        !run(&["export", "--new-key", &key]).status.success(),
        "a key is not replaced"
    );
    let export = |file: &str, further: &[&str]| {
        let file = place(file);
        let mut all = vec![
            "export",
            "-a",
            &archive,
            "--table",
            "UnifiedAuditLog",
            "-o",
            &file,
        ];
        all.extend(further);
        let out = run(&all);
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        std::fs::read_to_string(&file).expect("the export")
    };
    let plain = export("plain.jsonl", &[]);
    assert!(
        plain.to_lowercase().contains("contoso"),
        "the sample names somebody"
    );
    let hidden = export("a.jsonl", &["--pseudonymise", &key]);
    assert!(!hidden.to_lowercase().contains("contoso"));
    assert!(!hidden.contains("192.0.2."));
    assert_eq!(hidden.lines().count(), plain.lines().count());
    assert_eq!(export("b.jsonl", &["--pseudonymise", &key]), hidden);
    let manifest = std::fs::read_to_string(place("a.jsonl.manifest.json")).expect("the manifest");
    assert!(manifest.contains("\"pseudonymised\": true"), "{manifest}");
}
