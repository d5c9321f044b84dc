//! `labels`: lists of labels in every form in which they are exported, what a newer list changes, which labels events name, and histories.

use std::path::Path;

use serde_json::Value;

use crate::ask;
use crate::command_line::run;

const PUBLIC: &str = "22222222-0000-4000-8000-000000000001";
const SECRET: &str = "22222222-0000-4000-8000-000000000003";
const LEGAL: &str = "22222222-0000-4000-8000-000000000004";
/// A label that Microsoft makes in a new tenant, Confidential.
const DEFAULT: &str = "defa4170-0d19-0005-0005-bc88714345d2";
const UNKNOWN: &str = "22222222-0000-4000-8000-0000000000ff";

/// Runs the binary; what it answers, and what it says beside.
#[track_caller]
fn told(arguments: &[&str], code: i32) -> (String, String) {
    let out = run(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (answer, said) = (text(&out.stdout), text(&out.stderr));
    assert_eq!(
        out.status.code(),
        Some(code),
        "{arguments:?}: {answer}{said}"
    );
    (answer, said)
}

fn event(n: u32, operation: &str, user: &str, path: &str, rest: &str) -> String {
    format!(
        r#"{{"Id":"{n:08}-0000-4000-8000-00000000000a","CreationTime":"2026-05-{n:02}T10:00:00","RecordType":83,"Operation":"{operation}","Workload":"PublicEndpoint","UserId":"{user}","UserType":0,"Application":"Word","ObjectId":"{path}"{rest}}}"#
    )
}

/// An archive of a few label events.
fn archive(folder: &Path) -> String {
    let plan = "https://contoso.sharepoint.com/sites/a/Plan.docx";
    let data = |text: &str| format!(r#","SensitivityLabelEventData":{{{text}}}"#);
    let lines = [
        event(
            1,
            "SensitivityLabelApplied",
            "Ada@contoso.com",
            "https://contoso.sharepoint.com/sites/a/Draft.docx",
            &data(&format!(
                r#""SensitivityLabelId":"{SECRET}","ActionSource":3"#
            )),
        ),
        event(
            2,
            "SensitivityLabeledFileRenamed",
            "ada@contoso.com",
            plan,
            &format!(r#","LabelId":"{SECRET}","PreviousFileName":"Draft.docx""#),
        ),
        event(
            3,
            "SensitivityLabelUpdated",
            "bob@contoso.com",
            plan,
            &data(&format!(
                r#""SensitivityLabelId":"{PUBLIC}","OldSensitivityLabelId":"{SECRET}","ActionSource":3,"JustificationText":"old | news""#
            )),
        ),
        event(
            4,
            "SensitivityLabelApplied",
            "bob@contoso.com",
            "https://contoso.sharepoint.com/sites/b/Plan.docx",
            &data(&format!(r#""SensitivityLabelId":"{DEFAULT}""#)),
        ),
        event(
            5,
            "SensitivityLabelApplied",
            "bob@contoso.com",
            "C:\\\\List.xlsx",
            &data(&format!(r#""SensitivityLabelId":"{UNKNOWN}""#)),
        ),
    ];
    let file = folder.join("events.jsonl");
    std::fs::write(&file, lines.join("\n") + "\n").expect("a file");
    let archive = folder.join("archive").to_string_lossy().into_owned();
    told(&["ingest", "-a", &archive, &file.to_string_lossy()], 0);
    archive
}

const CHANGE: &str = "SELECT \"OldLabelName\", \"NewLabelName\", \"NewLabelRank\", \"Action\" FROM LabelEvents WHERE \"OldLabelId\" IS NOT NULL";

/// The same labels as programs export them: public 0, secret 4 and below it legal 5.
fn forms() -> Vec<(&'static str, Vec<u8>)> {
    let list = format!(
        "\r\n\r\nImmutableId : {PUBLIC}\r\nName        : x1\r\nDisplayName : Public\r\nTooltip     : For everybody,\r\n              also outside\r\nPriority    : 0\r\nParentId    :\r\n\r\n\
         ImmutableId : {SECRET}\r\nName        : x2\r\nDisplayName : Secret\r\nTooltip     :\r\nPriority    : 4\r\nParentId    : 00000000-0000-0000-0000-000000000000\r\n\r\n\
         ImmutableId : {LEGAL}\r\nName        : x3\r\nDisplayName : Legal\r\nTooltip     :\r\nPriority    : 5\r\nParentId    : {SECRET}\r\n\r\n\r\n"
    );
    let wide: Vec<u8> = std::iter::once(0xfeff)
        .chain(list.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let csv = format!(
        "#TYPE Deserialized.Label\r\n\"Guid\",\"ImmutableId\",\"Name\",\"DisplayName\",\"Priority\",\"ParentId\",\"Settings\"\r\n\
         \"{PUBLIC}\",\"{PUBLIC}\",\"x1\",\"Public\",\"0\",\"\",\"System.Object[]\"\r\n\
         \"{SECRET}\",\"{SECRET}\",\"x2\",\"Secret\",\"4\",\"\",\"System.Object[]\"\r\n\
         \"{LEGAL}\",\"{LEGAL}\",\"x3\",\"Legal\",\"5\",\"{SECRET}\",\"System.Object[]\"\r\n"
    );
    let json = format!(
        r#"[{{"ImmutableId":"{PUBLIC}","DisplayName":"Public","Priority":0,"ParentId":null,"Settings":["[color, #000]"]}},
            {{"ImmutableId":"{SECRET}","DisplayName":"Secret","Priority":4,"ParentId":null}},
            {{"ImmutableId":"{LEGAL}","DisplayName":"Legal","Priority":5,"ParentId":"{SECRET}"}}]"#
    );
    let object = |id: &str, name: &str, rank: u8, parent: &str| {
        format!(
            r#"<Obj RefId="{rank}"><TN RefId="0"><T>Label</T></TN><ToString>{name}</ToString><Props><G N="ImmutableId">{id}</G><S N="DisplayName">{name}</S><I32 N="Priority">{rank}</I32>{parent}</Props></Obj>"#
        )
    };
    let clixml = format!(
        r#"<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">{}{}{}</Objs>"#,
        object(PUBLIC, "Public", 0, r#"<Nil N="ParentId" />"#),
        object(SECRET, "Secret", 4, r#"<Nil N="ParentId" />"#),
        object(
            LEGAL,
            "Legal",
            5,
            &format!(r#"<G N="ParentId">{SECRET}</G>"#)
        )
    );
    let graph = format!(
        r##"{{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata","value":[
            {{"id":"{PUBLIC}","name":"Public","color":"#000","sensitivity":0,"parent":null}},
            {{"id":"{SECRET}","name":"Secret","sensitivity":4,"sublabels":[{{"id":"{LEGAL}","name":"Legal","sensitivity":5}}]}}]}}"##
    );
    let beta = format!(
        r#"{{"value":[{{"id":"{PUBLIC}","name":"p","displayName":"Public","priority":0,"isEnabled":true}},
            {{"id":"{SECRET}","name":"s","displayName":"Secret","priority":4}},
            {{"id":"{LEGAL}","name":"l","displayName":"Legal","priority":5,"parent":{{"id":"{SECRET}","name":"s"}}}}]}}"#
    );
    let own = format!(
        "Id,Name,Rank,Parent\n{PUBLIC},Public,0,\n{SECRET},Secret,4,\n{LEGAL},Legal,5,{SECRET}\n"
    );
    vec![
        ("Format-List", wide),
        ("CSV", csv.into_bytes()),
        ("JSON", json.into_bytes()),
        ("CLIXML", clixml.into_bytes()),
        ("JSON", graph.into_bytes()),
        ("JSON", beta.into_bytes()),
        ("CSV", own.into_bytes()),
    ]
}

#[test]
fn a_list_is_taken_in_every_form_and_any_name_and_gives_names_and_ranks() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let place = Path::new(&archive);
    assert_eq!(ask(place, CHANGE), ["|||LabelChanged"]);
    let file = folder.path().join("from the tenant.bin");
    let name = file.to_string_lossy().into_owned();
    let mut first = None;
    for (form, content) in forms() {
        std::fs::write(&file, content).expect("a file");
        let (lines, said) = told(&["labels", "import", "-a", &archive, &name], 0);
        let all = format!("labels            3  in from the tenant.bin ({form})\n");
        assert!(lines.starts_with(&all), "{form}: {lines}");
        // All say the same; so only the first changes anything.
        match &first {
            None => {
                assert!(
                    lines.contains("new               3  Public, Secret, Secret\\Legal"),
                    "{lines}"
                );
                assert!(said.contains("is this list now"), "{said}");
            }
            Some(_) => assert!(
                said.contains("has all of this already"),
                "{form}: {lines}{said}"
            ),
        }
        assert_eq!(ask(place, CHANGE), ["Secret|Public|0|LabelDowngraded"]);
        let list = told(&["labels", "export", "-a", &archive], 0).0;
        assert_eq!(first.get_or_insert_with(|| list.clone()), &list, "{form}");
    }
    let notes = "SELECT \"Note\" FROM Ingests WHERE \"Kind\" = 'watchlist'";
    let notes = ask(place, notes);
    assert_eq!(notes.len(), 1, "{notes:?}");
    let note = "3 rows from `from the tenant.bin` (Format-List, SHA-256 ";
    assert!(notes[0].starts_with(note), "{notes:?}");
    told(&["verify", "-a", &archive], 0);
}

#[test]
fn a_newer_list_says_what_it_changes_and_loses_no_name_unless_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let file = folder.path().join("labels.csv");
    let name = file.to_string_lossy().into_owned();
    let take = |rows: &str, more: &[&str]| {
        std::fs::write(&file, format!("Id,Name,Rank\n{rows}")).expect("a file");
        told(
            &[&["labels", "import", "-a", &archive, &name][..], more].concat(),
            0,
        )
    };
    take(&format!("{PUBLIC},Public,0\n{SECRET},Secret,4\n"), &[]);
    let newer = format!("{SECRET},Top secret,9\n{LEGAL},Legal,10\n");
    let (lines, said) = take(&newer, &["--dry-run"]);
    for line in [
        "new               1  Legal",
        "renamed           1  Top secret (was Secret)",
        "ranked anew       1  Top secret",
        "kept              1  Public",
    ] {
        assert!(lines.contains(line), "{lines}");
    }
    assert!(said.contains("may no longer fit"), "{said}");
    assert!(said.contains("nothing was written"), "{said}");
    let export = || told(&["labels", "export", "-a", &archive], 0).0;
    assert!(!export().contains("Top secret"));
    take(&newer, &[]);
    let kept = export();
    assert!(
        kept.contains("Top secret") && kept.contains("\"Public\""),
        "{kept}"
    );
    let (lines, _) = take(&newer, &["--replace"]);
    assert!(lines.contains("dropped           1  Public"), "{lines}");
    assert!(!export().contains("\"Public\""));
    // The ledger leads back to each of them.
    let notes = "SELECT \"Note\" FROM Ingests WHERE \"Kind\" = 'watchlist' ORDER BY \"_IngestId\"";
    let notes = ask(Path::new(&archive), notes);
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(
        notes[2].contains("replaces the list of ingest"),
        "{notes:?}"
    );
    told(&["verify", "-a", &archive], 0);
    // A page of several is not all of them.
    let page = format!(
        r#"{{"value":[{{"id":"{PUBLIC}","name":"Public","sensitivity":0}}],"@odata.nextLink":"https://graph.microsoft.com/next"}}"#
    );
    std::fs::write(&file, page).expect("a file");
    let (_, said) = told(&["labels", "import", "-a", &archive, &name, "--dry-run"], 0);
    assert!(said.contains("not the whole list"), "{said}");
}

#[test]
fn what_is_no_list_of_labels_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let file = folder.path().join("labels.csv");
    let name = file.to_string_lossy().into_owned();
    for (content, why) in [
        (String::new(), "it is empty"),
        ("a,b\n1,2\n".into(), "it needs the columns Id and Name"),
        ("Id,Name,Rank\n".into(), "it has no labels"),
        (
            "\nDisplayName    Priority\n-----------    --------\nPublic, open   0\n".into(),
            "a table of PowerShell's console",
        ),
        (
            format!("Id,Name,Rank\n{PUBLIC},Public,0\n{PUBLIC},Open,0\n"),
            "is there twice, as `Public` and as `Open`",
        ),
        (r#"{"error":{"code":"Forbidden"}}"#.into(), "error answer"),
        ("<html><body>Sign in</body></html>".into(), "XML or HTML"),
    ] {
        std::fs::write(&file, &content).expect("a file");
        let (_, said) = told(&["labels", "import", "-a", &archive, &name], 3);
        assert!(said.contains(why), "{content}: {said}");
    }
    assert!(!Path::new(&archive).join("watchlists").exists());
    let (list, said) = told(&["labels", "export", "-a", &archive], 0);
    assert_eq!(list, "\"Id\",\"Name\",\"Rank\",\"Parent\"\n");
    assert!(said.contains("no list of labels"), "{said}");
}

#[test]
fn labels_are_listed_with_where_their_names_are_from_and_how_often_events_name_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let file = folder.path().join("labels.csv");
    let rows = format!("Id,Name,Rank\n{SECRET},Secret,4\n{LEGAL},Legal,5\n");
    std::fs::write(&file, rows).expect("a file");
    told(
        &["labels", "import", "-a", &archive, &file.to_string_lossy()],
        0,
    );
    let (list, said) = told(&["labels", "list", "-a", &archive, "-f", "csv"], 0);
    let day = |n: u8| format!("2026-05-{n:02}T10:00:00Z");
    assert_eq!(
        list,
        [
            "rank,label,id,named_by,events,put_on,taken_off,first,last".to_string(),
            format!("4,Secret,{SECRET},list,3,1,1,{},{}", day(1), day(3)),
            format!("5,Legal,{LEGAL},list,0,0,0,,"),
            format!(",Confidential,{DEFAULT},assumed,1,1,0,{0},{0}", day(4)),
            format!(",,{PUBLIC},,1,1,0,{0},{0}", day(3)),
            format!(",,{UNKNOWN},,1,1,0,{0},{0}", day(5)),
        ]
        .join("\n")
            + "\n"
    );
    assert!(said.contains("1 name is assumed"), "{said}");
    assert!(said.contains("2 labels without a name"), "{said}");
    let (list, _) = told(&["labels", "list", "-a", &archive, "-f", "json"], 0);
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list[2]["named_by"], "assumed");
    assert_eq!(list[3]["name"], Value::Null);
    let (list, _) = told(&["labels", "list", "-a", &archive], 0);
    assert!(list.contains("named by"), "{list}");
}

#[test]
fn a_history_follows_a_document_through_its_names_and_reads_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let file = folder.path().join("labels.csv");
    let rows = format!("Id,Name,Rank\n{SECRET},Secret,4\n{PUBLIC},Public,0\n");
    std::fs::write(&file, rows).expect("a file");
    told(
        &["labels", "import", "-a", &archive, &file.to_string_lossy()],
        0,
    );
    let ask = |subject: &str, more: &[&str]| {
        let command = ["labels", "history", "-a", &archive, subject];
        told(&[&command[..], more].concat(), 0)
    };
    let (lines, said) = ask("HTTPS://contoso.sharepoint.com/sites/a/plan.docx", &[]);
    assert_eq!(
        lines,
        "2026-05-01T10:00:00Z  ada@contoso.com put the label `Secret` on `Draft.docx` by hand in Word\n\
         2026-05-02T10:00:00Z  ada@contoso.com renamed `Draft.docx` to `Plan.docx` (labelled `Secret`) in Word\n\
         2026-05-03T10:00:00Z  bob@contoso.com lowered the label of `Plan.docx` from `Secret` to `Public` by hand in Word; \
         reason given: `old | news`\n"
    );
    assert!(
        said.contains("3 events; also called https://contoso.sharepoint.com/sites/a/draft.docx"),
        "{said}"
    );
    let (lines, said) = ask("Plan.docx", &[]);
    assert_eq!(lines.lines().count(), 4, "{lines}");
    assert!(
        said.contains("2 places have a document of this name"),
        "{said}"
    );
    let (some, _) = ask("pl*N.docx", &[]);
    assert!(some.lines().count() > 1, "{some}");
    let is_it = |line: &str| line.contains("`Plan.docx`");
    assert!(some.lines().all(is_it), "{some}");
    let (lines, _) = ask(
        "BOB@contoso.com",
        &["--tz", "Europe/Berlin", "--from", "2026-05-04"],
    );
    assert_eq!(
        lines,
        format!(
            "2026-05-04T12:00:00+02:00  bob@contoso.com put the label `Confidential (assumed)` on `Plan.docx` in Word\n\
             2026-05-05T12:00:00+02:00  bob@contoso.com put the label `{UNKNOWN}` on `List.xlsx` in Word\n"
        )
    );
    let (table, _) = ask("bob@contoso.com", &["-f", "markdown"]);
    assert!(
        table.starts_with("| time | what happened |\n|---|---|\n| 2026-05-03"),
        "{table}"
    );
    assert!(table.contains("old \\| news"), "{table}");
    let (json, _) = ask("bob@contoso.com", &["-f", "json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json.as_array().map(Vec::len), Some(3));
    assert_eq!(json[0]["action"], "LabelDowngraded");
    assert_eq!(json[0]["old_label"]["name"], "Secret");
    assert_eq!(json[0]["justification"], "old | news");
    let out = folder
        .path()
        .join("history.csv")
        .to_string_lossy()
        .into_owned();
    ask("bob@contoso.com", &["-f", "csv", "-o", &out]);
    let csv = std::fs::read_to_string(&out).expect("a file");
    assert_eq!(csv.lines().count(), 4, "{csv}");
    let again = [
        "labels",
        "history",
        "-a",
        &archive,
        "bob@contoso.com",
        "-o",
        &out,
    ];
    let (_, said) = told(&again, 3);
    assert!(said.contains("--clobber"), "{said}");
    let (none, said) = ask("nobody@contoso.com", &["-f", "json"]);
    assert_eq!(
        serde_json::from_str::<Value>(&none).expect("JSON"),
        Value::Array(Vec::new())
    );
    assert!(said.contains("0 events"), "{said}");
}
