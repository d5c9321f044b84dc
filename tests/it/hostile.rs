//! Exports that were damaged, mixed or made to harm: what can be read is read, the rest is said, in bounded time and memory.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use coldtrail::archive::ledger::Entry;

use crate::{ask, ingest};

/// Ingests one file of this content.
fn read(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf, Entry) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(name);
    std::fs::write(&file, content).expect("a file");
    let archive = folder.path().join("archive");
    let mut summary = ingest(&archive, &[file]);
    let entry = summary.entries.remove(0);
    assert_eq!(
        entry.records,
        entry.events() + entry.duplicates + entry.revisions + entry.quarantined,
        "{name}: a record vanished"
    );
    (folder, archive, entry)
}

fn record(n: usize) -> String {
    format!(
        r#"{{"Id":"e{n}","CreationTime":"2026-05-{:02}T00:00:00","Operation":"X","UserId":"u{n}@contoso.com"}}"#,
        1 + n % 28
    )
}

#[test]
fn quotes_that_nothing_closes_take_linear_time() {
    let mut text = String::from("Name,AuditData\n");
    for _ in 0..100_000 {
        text.push_str("x\",\"\n");
    }
    let started = Instant::now();
    let (_f, _a, entry) = read("quotes.csv", text.as_bytes());
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(entry.events(), 0);
}

#[test]
fn a_stray_quote_in_an_array_costs_one_record() {
    let mut lines: Vec<String> = (0..1000).map(record).collect();
    lines[1] = r#"{"Id":"bad","Operation":o","CreationTime":"2026-05-01T00:00:00"}"#.into();
    let (_f, archive, entry) = read("a.json", format!("[\n{}\n]", lines.join(",\n")).as_bytes());
    assert_eq!(
        [entry.records, entry.events(), entry.quarantined],
        [1000, 999, 1]
    );
    assert_eq!(ask(&archive, "SELECT _Record FROM Quarantine"), ["2"]);
    assert_eq!(
        ask(
            &archive,
            "SELECT _Record FROM UnifiedAuditLog WHERE Id = 'e999'"
        ),
        ["1000"]
    );
}

#[test]
fn rows_of_another_table_are_not_taken_for_this_one() {
    let lines = concat!(
        r#"{"TimeGenerated":"2026-05-01T00:00:00Z","Type":"SigninLogs","Id":"a","UserPrincipalName":"a@contoso.com"}"#,
        "\n",
        r#"{"TimeGenerated":"2026-05-01T00:00:00Z","Type":"AuditLogs","Id":"b","OperationName":"Add user"}"#,
        "\n",
        r#"{"TimeGenerated":"2026-05-01T00:00:00Z","Type":"Heartbeat","Computer":"c"}"#,
        "\n"
    );
    let (_f, archive, entry) = read("mix.jsonl", lines.as_bytes());
    assert_eq!(
        [entry.records, entry.events(), entry.quarantined],
        [3, 3, 0]
    );
    assert_eq!(
        ask(
            &archive,
            "SELECT ExtraColumns->>'Type', ExtraColumns->>'Computer' FROM OtherRecords"
        ),
        ["Heartbeat|c"]
    );
    let csv = "$table,TimeGenerated [UTC],Id,UserPrincipalName\n\
               SigninLogs,2026-05-01T00:00:00Z,a,a@contoso.com\nAuditLogs,2026-05-01T00:00:00Z,b,\n";
    let (_f, archive, entry) = read("mix.csv", csv.as_bytes());
    assert_eq!([entry.events(), entry.quarantined], [2, 0]);
    assert_eq!(ask(&archive, "SELECT \"Id\" FROM AuditLogs"), ["b"]);
    let csv = csv.replace("AuditLogs", "no table");
    let (_f, archive, entry) = read("mix.csv", csv.as_bytes());
    assert_eq!([entry.events(), entry.quarantined], [1, 1]);
    assert_eq!(
        ask(&archive, "SELECT Reason FROM Quarantine"),
        ["row of table `no table` in a file of SigninLogs"]
    );
}

#[test]
fn objects_side_by_side_and_long_ones_are_read() {
    let (_f, _a, entry) = read(
        "two.jsonl",
        format!("{}{}\n{}{}\n", record(1), record(2), record(3), record(4)).as_bytes(),
    );
    assert_eq!(entry.events(), 4);
    let long = record(0).replace("\"X\"", &format!("\"{}\"", "x".repeat(5 << 20)));
    let (_f, archive, entry) = read("long.json", format!("[{long},{}]", record(1)).as_bytes());
    assert_eq!(entry.events(), 2);
    assert_eq!(
        ask(
            &archive,
            "SELECT max(length(Operation)) FROM UnifiedAuditLog"
        ),
        ["5242880"]
    );
}

#[test]
fn the_first_of_two_repeats_is_kept_whatever_its_day() {
    let first = r#"{"Id":"same","CreationTime":"2026-05-02T00:00:00","Operation":"first"}"#;
    let second = r#"{"Id":"same","CreationTime":"2026-05-01T00:00:00","Operation":"second"}"#;
    let (_f, archive, entry) = read("order.jsonl", format!("{first}\n{second}\n").as_bytes());
    assert_eq!([entry.events(), entry.revisions], [1, 1]);
    assert_eq!(
        ask(&archive, "SELECT Operation FROM UnifiedAuditLog"),
        ["first"]
    );
    assert_eq!(
        ask(&archive, "SELECT EventId, _Record FROM Revisions"),
        ["same|2"]
    );
    // Escaped keys are the same keys.
    let escaped = r#"{"\u0049d":"same","CreationTime":"2026-05-02T00:00:00","Operation":"first"}"#;
    let (_f, _a, entry) = read("escaped.jsonl", format!("{first}\n{escaped}\n").as_bytes());
    assert_eq!([entry.events(), entry.duplicates], [1, 1]);
}

#[test]
fn what_cannot_be_opened_does_not_stop_the_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    let inputs = folder.path().join("in");
    std::fs::create_dir(&inputs).expect("a folder");
    std::fs::write(inputs.join("b.jsonl"), record(1) + "\n").expect("a file");
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path().join("nowhere"), inputs.join("a.csv"))
        .expect("a link");
    let summary = ingest(&folder.path().join("archive"), &[inputs]);
    assert_eq!(summary.sum(|e| e.events()), 1);
    if cfg!(unix) {
        assert_eq!(summary.entries[0].status.name(), "unreadable");
        assert!(summary.is_incomplete());
    }
}

#[test]
fn contradictory_dates_are_refused_and_missing_ones_are_said() {
    let csv = "Timestamp,ActionType,Application,AccountObjectId,ReportId\n\
               26.09.2023 02:13:50,A,B,C,1\n01.19.2023 02:13:50,A,B,C,2\n";
    let (_f, _a, entry) = read("contra.csv", csv.as_bytes());
    assert_eq!(entry.status.name(), "unreadable");
    assert!(entry.note.contains("day first"), "{}", entry.note);
    let rows = r#"{"Timestamp":"n/a","TimeGenerated":"2026-05-01T00:00:00Z","Type":"CloudAppEvents","ActionType":"A","ReportId":"1"}"#;
    let (_f, archive, entry) = read("rank.jsonl", rows.as_bytes());
    assert_eq!(entry.note, "");
    assert_eq!(
        ask(&archive, "SELECT TimeGenerated FROM CloudAppEvents"),
        ["2026-05-01T00:00:00Z"]
    );
    let rows =
        r#"{"TimeGenerated":"soon","Type":"CloudAppEvents","ActionType":"A","ReportId":"1"}"#;
    let (_f, _a, entry) = read("none.jsonl", rows.as_bytes());
    assert_eq!(entry.note, "1 event has no time");
}

#[test]
fn records_of_unknown_tables_are_kept_and_can_be_asked() {
    let (_f, archive, entry) = read(
        "colours.csv",
        b"Colour,Count,Timestamp\nred,1,2026-05-01T00:00:00Z\nblue,2,\n",
    );
    assert_eq!(entry.tables.keys().collect::<Vec<_>>(), ["OtherRecords"]);
    assert!(
        entry.note.contains("kept in OtherRecords"),
        "{}",
        entry.note
    );
    assert_eq!(
        ask(
            &archive,
            "SELECT ExtraColumns->>'Colour', ExtraColumns->>'Count', TimeGenerated FROM OtherRecords ORDER BY _Record"
        ),
        ["red|1|2026-05-01T00:00:00Z", "blue|2|"]
    );
}

#[test]
fn a_denied_access_in_a_tracking_log_is_a_label_event() {
    let record = r#"[{"ContentId":"c1","Issuer":"alice@contoso.com","RequestTime":"2026-05-01T00:00:00Z","RequesterType":"User","RequesterEmail":"eve@fabrikam.com","RequesterDisplayName":"Eve","RequesterLocation":{"IP":"203.0.113.9","Country":""},"Rights":"","Successful":false,"IsHiddenInfo":false}]"#;
    let (_f, archive, _) = read("tracking.json", record.as_bytes());
    assert_eq!(
        ask(
            &archive,
            "SELECT Action, UserId, Owner, IPAddress, FileName FROM LabelEvents"
        ),
        ["AccessDenied|eve@fabrikam.com|alice@contoso.com|203.0.113.9|c1"]
    );
}

#[test]
fn logs_that_were_joined_keep_the_meaning_of_their_columns() {
    let head = "#Software: RMS\n#Version: 1.1\n";
    let one = "#Fields: date\ttime\trow-id\trequest-type\tuser-id\tresult\tcorrelation-id\n\
               2026-05-01\t00:00:01\tr1\tAcquireLicense\t'a@contoso.com'\tSuccess\tc1\n";
    let two = "#Fields: date\ttime\trow-id\tuser-id\trequest-type\tresult\tcorrelation-id\n\
               2026-05-01\t00:00:02\tr2\t'b@contoso.com'\tCertify\tSuccess\tc2\n";
    let (_f, archive, entry) = read("joined.log", format!("{head}{one}{head}{two}").as_bytes());
    assert_eq!([entry.records, entry.events()], [2, 2]);
    assert_eq!(
        ask(
            &archive,
            "SELECT RowId, UserId, RequestType FROM AipServiceUserLog ORDER BY RowId"
        ),
        [
            "r1|a@contoso.com|AcquireLicense",
            "r2|b@contoso.com|Certify"
        ]
    );
}

#[test]
fn fields_around_the_record_are_kept() {
    let wrapped = r#"{"AuditData":{"Id":"a","CreationTime":"2026-05-01T00:00:00","Operation":"X"},"Foo":"bar","Identity":"a"}"#;
    let (_f, archive, _) = read("wrapped.json", wrapped.as_bytes());
    assert_eq!(
        ask(&archive, "SELECT ExtraColumns FROM UnifiedAuditLog"),
        [r#"{"Foo":"bar"}"#]
    );
}

#[test]
fn an_archive_does_not_read_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.jsonl"), record(1) + "\n").expect("a file");
    let archive = folder.path().join("archive").to_string_lossy().into_owned();
    let inputs = folder.path().to_string_lossy().into_owned();
    for _ in 0..2 {
        let out = crate::command_line::run(&["ingest", &inputs, "-a", &archive]);
        assert_eq!(
            out.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&out.stdout)
        );
    }
}
