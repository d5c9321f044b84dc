//! Watchlists as they are exported: labels in the spellings of `Get-Label` and Graph, encodings, JSON, and lists beside the exports.

use std::path::{Path, PathBuf};

use crate::command_line::run;
use crate::{ask, shared};

const PUBLIC: &str = "22222222-0000-4000-8000-000000000001";
const SECRET: &str = "22222222-0000-4000-8000-000000000003";

/// An ingest of a label downgrade and of lists; status and answer, and the archive.
struct Taken {
    code: Option<i32>,
    said: String,
    archive: PathBuf,
    _folder: tempfile::TempDir,
}

impl Taken {
    /// `lists` are files below the folder of the exports.
    fn of(lists: &[(&str, &[u8])]) -> Taken {
        let folder = tempfile::tempdir().expect("a folder");
        let evidence = folder.path().join("evidence");
        std::fs::create_dir_all(evidence.join("watchlists")).expect("a folder");
        let record = format!(
            r#"{{"CreationTime":"2026-06-08T08:00:00","Id":"a1b2c3d4-0000-4000-8000-000000000901","Operation":"SensitivityLabelUpdated","RecordType":83,"UserType":0,"Workload":"SharePoint","UserId":"ada@contoso.com","SensitivityLabelEventData":{{"OldSensitivityLabelId":"{SECRET}","SensitivityLabelId":"{PUBLIC}"}},"ObjectId":"C:\\plan.docx"}}"#
        );
        std::fs::write(evidence.join("labels.jsonl"), record + "\n").expect("a file");
        for (name, content) in lists {
            std::fs::write(evidence.join(name), content).expect("a file");
        }
        let archive = folder.path().join("archive");
        let (code, said) = told(&["ingest", &text(&evidence), "-a", &text(&archive)]);
        Taken {
            code,
            said,
            archive,
            _folder: folder,
        }
    }

    /// Names of the old and the new label of the one event, and whether it was a downgrade.
    fn event(&self) -> Vec<String> {
        ask(
            &self.archive,
            "SELECT \"OldLabelName\", \"NewLabelName\", \"Action\" FROM LabelEvents",
        )
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn told(arguments: &[&str]) -> (Option<i32>, String) {
    let out = run(arguments);
    let text = [out.stdout, out.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (out.status.code(), text)
}

fn utf16(text: &str) -> Vec<u8> {
    std::iter::once(0xfeff)
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect()
}

#[test]
fn labels_are_known_in_every_spelling_in_which_they_are_exported() {
    let powershell = format!(
        "#TYPE Deserialized.Label\r\n\"DisplayName\",\"ImmutableId\",\"Priority\",\"ParentId\",\"ContentType\"\r\n\
         \"Public\",\"{PUBLIC}\",\"0\",\"\",\"File, Email\"\r\n\"Secret\",\"{SECRET}\",\"2\",\"\",\"File, Email\"\r\n"
    );
    let full = format!(
        "Id;Name;DisplayName;Guid;Priority\r\ncontoso/x;x;Public;{PUBLIC};0\r\ncontoso/y;y;Secret;{SECRET};2\r\n"
    );
    let graph_csv = format!("id,name,sensitivity\n{PUBLIC},Public,0\n{SECRET},Secret,2\n");
    let graph = format!(
        r#"{{"@odata.context":"x","value":[{{"id":"{PUBLIC}","name":"Public","sensitivity":0,"parent":null}},{{"id":"{SECRET}","name":"Secret","sensitivity":2}}]}}"#
    );
    let converted = format!(
        r#"[{{"ImmutableId":"{PUBLIC}","DisplayName":"Public","Priority":0,"ParentId":null}},{{"ImmutableId":"{SECRET}","DisplayName":"Secret","Priority":2}}]"#
    );
    for (name, content) in [
        ("watchlists/Labels.csv", powershell.clone().into_bytes()),
        ("watchlists/Labels.csv", utf16(&powershell)),
        ("watchlists/labels.csv", full.into_bytes()),
        ("watchlists/Labels.csv", graph_csv.into_bytes()),
        ("watchlists/Labels.json", graph.into_bytes()),
        ("watchlists/labels.json", converted.clone().into_bytes()),
        ("Labels.csv", powershell.into_bytes()),
        ("labels.json", converted.into_bytes()),
    ] {
        let taken = Taken::of(&[(name, &content)]);
        let said = &taken.said;
        assert_eq!(taken.code, Some(0), "{name}: {said}");
        assert!(said.contains("watchlists   Labels.csv"), "{name}: {said}");
        assert_eq!(
            taken.event(),
            ["Secret|Public|LabelDowngraded"],
            "{name}: {said}"
        );
        let beside = said.contains("taken as the watchlist Labels, by its columns");
        assert_eq!(beside, !name.starts_with("watchlists"), "{name}: {said}");
        assert!(taken.archive.join("watchlists/Labels.csv").exists());
        let (code, verified) = told(&["verify", "-a", &text(&taken.archive)]);
        assert_eq!(code, Some(0), "{name}: {verified}");
    }
}

#[test]
fn labels_below_others_carry_the_name_of_their_parent() {
    let graph = format!(
        r#"[{{"id":"{PUBLIC}","name":"Public","sensitivity":0}},{{"id":"{SECRET}","name":"Board","sensitivity":2,"parent":{{"id":"{PUBLIC}","name":"Public"}}}}]"#
    );
    let taken = Taken::of(&[("watchlists/Labels.json", graph.as_bytes())]);
    assert_eq!(
        taken.event(),
        ["Public\\Board|Public|LabelDowngraded"],
        "{}",
        taken.said
    );
}

#[test]
fn braces_and_names_of_types_falsify_no_label() {
    let odd = "Microsoft.Graph.PowerShell.Models.MicrosoftGraphSecuritySensitivityLabel";
    let list = format!(
        "Id,Name,Sensitivity,Parent\n{{{PUBLIC}}},Public,0,{odd}\n{{{SECRET}}},Secret,2,{odd}\n"
    );
    let taken = Taken::of(&[("watchlists/Labels.csv", list.as_bytes())]);
    assert_eq!(
        taken.event(),
        ["Secret|Public|LabelDowngraded"],
        "{}",
        taken.said
    );
    let remark = "2 parents are only the name of a type and are left out";
    assert!(taken.said.contains(remark), "{}", taken.said);
}

#[test]
fn lists_that_can_match_nothing_say_so() {
    for (list, remark) in [
        (
            "Id,Name,Rank\nPublic,Public,0\nSecret,Secret,2\n".to_string(),
            "no value of its column Id is a GUID",
        ),
        (
            format!("Id,Name,Rank\n{PUBLIC},Public,low\n{SECRET},Secret,2\n"),
            "1 ranks are no numbers",
        ),
    ] {
        let taken = Taken::of(&[("watchlists/Labels.csv", list.as_bytes())]);
        assert!(taken.said.contains(remark), "{}", taken.said);
    }
}

#[test]
fn lists_of_western_windows_are_read_and_that_is_said() {
    let taken = Taken::of(&[(
        "watchlists/VIPs.csv",
        b"Name;Rank\r\nM\xfcller;1;\r\nZo\xeb;2\r\n",
    )]);
    assert_eq!(taken.code, Some(0), "{}", taken.said);
    let remark = "VIPs.csv: line 2 is not UTF-8: read as Windows-1252";
    assert!(taken.said.contains(remark), "{}", taken.said);
    assert_eq!(
        ask(
            &taken.archive,
            "SELECT \"Name\" FROM watchlists.\"VIPs\" ORDER BY \"Rank\""
        ),
        ["M\u{fc}ller", "Zo\u{eb}"]
    );
}

#[test]
fn a_bad_list_is_left_out_and_stops_no_question() {
    for (name, content, why) in [
        (
            "watchlists/Labels.csv",
            &b"DisplayName,Priority\nPublic,0\n"[..],
            "it needs the columns Id and Name",
        ),
        (
            "watchlists/Labels.json",
            b"[{\"Guid\":\"x\",\"DisplayName\":\"y\"}",
            "it is no JSON",
        ),
        (
            "watchlists/VIPs.csv",
            b"a,b\n1,2\n3\n",
            "row 2 (line 3) has 1 column, the header 2",
        ),
    ] {
        let taken = Taken::of(&[(name, content)]);
        assert_eq!(taken.code, Some(10), "{}", taken.said);
        assert!(taken.said.contains("refused"), "{}", taken.said);
        assert!(taken.said.contains(why), "{}", taken.said);
        assert_eq!(taken.event().len(), 1);
    }
}

#[test]
fn what_lies_beside_the_exports_and_is_no_list_of_labels_is_an_export() {
    let taken = Taken::of(&[(
        "Labels.csv",
        b"TimeGenerated,Id,Name,Priority,Colour,Shape\n2026-06-08T08:00:00Z,1,a,2,red,round\n",
    )]);
    assert_eq!(taken.code, Some(0), "{}", taken.said);
    assert!(!taken.said.contains("watchlists"), "{}", taken.said);
    assert_eq!(
        ask(&taken.archive, "SELECT count(*) FROM OtherRecords"),
        ["1"]
    );
}

#[test]
fn public_cases_of_lists_are_right() {
    let Some(cases) = shared("cases") else {
        return;
    };
    for (folder, labels) in [("watchlists", 3), ("watchlists-readme", 3)] {
        let file = cases
            .join("63-label-report")
            .join(folder)
            .join("Labels.csv");
        let content = std::fs::read(file).expect("a list");
        let taken = Taken::of(&[("watchlists/Labels.csv", &content)]);
        assert_eq!(taken.code, Some(0), "{}", taken.said);
        let count = ask(&taken.archive, "SELECT count(*) FROM watchlists.\"Labels\"");
        assert_eq!(count, [labels.to_string()]);
        assert_eq!(taken.event(), ["Confidential|Public|LabelDowngraded"]);
    }
    // A label that stands in the list twice makes no event twice.
    let file = cases.join("63-label-report/labels-duplicates/Labels.csv");
    let content = std::fs::read(file).expect("a list");
    let taken = Taken::of(&[("watchlists/Labels.csv", &content)]);
    assert_eq!(taken.event(), ["Confidential|Public|LabelDowngraded"]);
}
