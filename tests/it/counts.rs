//! A file is the same to all commands that count files.

use crate::command_line::run;

#[test]
fn ingest_and_gaps_count_the_same_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive").to_string_lossy().into_owned();
    let answer = |arguments: &[&str]| {
        let out = run(arguments);
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let ingest = ["ingest", "sample-data", "-a", &archive];
    // An archive with three members among them, and three watchlists beside them.
    let first = answer(&ingest);
    assert!(first.starts_with("files        36 ("), "{first}");
    let again = answer(&ingest);
    let known = "files        0 (0 B), and 36 files read before\n";
    assert!(again.starts_with(known), "{again}");
    let gaps = answer(&["gaps", "-a", &archive]);
    assert!(gaps.trim_end().ends_with("and 36 files"), "{gaps}");
}
