//! What an archive knows of the identities of its events is proved against its tables, too.

use std::fs;
use std::path::{Path, PathBuf};

use crate::durable::{TABLE, export, ingest, quick_folder, text, told};

/// The one run of the table.
fn run_of(archive: &Path) -> PathBuf {
    let folder = fs::read_dir(archive.join("_keys").join(TABLE)).expect("a folder");
    let mut files: Vec<PathBuf> = folder.map(|e| e.expect("an entry").path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

fn verify(archive: &Path) -> (Option<i32>, String) {
    told(&["verify", "-a", &text(archive)])
}

/// Bytes of a number; it begins with the identity and ends with what is known of it.
const NUMBER: usize = 16;

#[test]
fn a_run_that_an_ingest_believes_and_that_is_wrong_is_a_problem() {
    let folder = quick_folder();
    let archive = folder.path().join("archive");
    ingest(&archive, &export(folder.path(), "a.jsonl", 0..20));
    let run = run_of(&archive);
    let (code, said) = verify(&archive);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("_keys"), "{said}");
    let name = run.file_name().expect("a name").to_string_lossy();
    let name = format!("_keys/{TABLE}/{name}");
    let whole = fs::read(&run).expect("its bytes");
    let content = |bytes: &mut [u8]| bytes[NUMBER - 1] ^= 1;
    let identity = |bytes: &mut [u8]| bytes[4] ^= 1;
    let order = |bytes: &mut [u8]| {
        let (one, two) = bytes.split_at_mut(NUMBER);
        one.swap_with_slice(&mut two[..NUMBER]);
    };
    type Harm<'a> = &'a dyn Fn(&mut [u8]);
    let harms: [(Harm, &str); 3] = [
        (&content, "other events"),
        (&identity, "other events"),
        (&order, "numbers out of order"),
    ];
    for (harm, found) in harms {
        let mut bytes = whole.clone();
        harm(&mut bytes);
        fs::write(&run, bytes).expect("it can be written");
        let (code, said) = verify(&archive);
        assert_eq!(code, Some(1), "{said}");
        for part in [name.as_str(), found, "1 problem\n"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    // What the message says helps.
    fs::remove_file(&run).expect("it can be removed");
    ingest(&archive, &export(folder.path(), "b.jsonl", 10..21));
    let (code, said) = verify(&archive);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("_keys"), "{said}");
}

#[test]
fn a_run_that_no_ingest_believes_is_named_and_no_problem() {
    let folder = quick_folder();
    let archive = folder.path().join("archive");
    ingest(&archive, &export(folder.path(), "a.jsonl", 0..20));
    let run = run_of(&archive);
    let bytes = fs::read(&run).expect("its bytes");
    fs::write(&run, &bytes[..bytes.len() - 8]).expect("it can be written");
    let (code, said) = verify(&archive);
    assert_eq!(code, Some(0), "{said}");
    let name = run.file_name().expect("a name").to_string_lossy();
    let note = format!("_keys/{TABLE}/{name} is damaged, or of another time: no harm");
    assert!(said.contains(&note), "{said}");
    let (_, json) = told(&["verify", "--json", "-a", &text(&archive)]);
    assert!(json.contains("identities_made_again"), "{json}");
    ingest(&archive, &export(folder.path(), "b.jsonl", 10..21));
    let (code, said) = verify(&archive);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("_keys"), "{said}");
}
