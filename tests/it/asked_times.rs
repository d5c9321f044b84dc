//! The time that the user names is the time or there is none, a date is never without the clock beside it, and things are not dated by when they
//! were made.

use std::path::PathBuf;

use crate::ask;
use crate::command_line::run;

const WANT: &str = "2026-05-18T09:13:33Z";

/// Files of these names and contents, read into an archive of its own.
struct Read {
    /// Holds the archive.
    _folder: tempfile::TempDir,
    archive: PathBuf,
    code: Option<i32>,
    said: String,
}

fn read(files: &[(&str, &str)], more: &[&str]) -> Read {
    let folder = tempfile::tempdir().expect("a folder");
    let (exports, archive) = (folder.path().join("exports"), folder.path().join("archive"));
    std::fs::create_dir_all(&exports).expect("a folder");
    for (name, content) in files {
        std::fs::write(exports.join(name), content).expect("a file");
    }
    let (from, to) = (exports.to_string_lossy(), archive.to_string_lossy());
    let mut all = vec!["ingest", &*from, "-a", &*to];
    all.extend(more);
    let out = run(&all);
    let said = [out.stdout, out.stderr].concat();
    Read {
        code: out.status.code(),
        said: String::from_utf8_lossy(&said).into_owned(),
        archive: archive.clone(),
        _folder: folder,
    }
}

impl Read {
    /// Times of a table, in the order of its records.
    fn times(&self, table: &str) -> Vec<String> {
        let sql = format!("SELECT TimeGenerated FROM {table} ORDER BY _IngestId, _Record");
        ask(&self.archive, &sql)
    }
}

#[test]
fn no_other_time_stands_in_for_the_one_that_was_asked_for() {
    let csv = "When,Created,Who\n\
        garbage,2019-01-01T00:00:00Z,a\n\
        2026-05-18T09:13:33Z,2019-01-01T00:00:00Z,b\n\
        ,2019-01-01T00:00:00Z,c\n\
        0001-01-01T00:00:00,2019-01-01T00:00:00Z,d\n";
    let lines = "{\"When\":\"garbage\",\"createdDateTime\":\"2019-01-01T00:00:00Z\",\"who\":\"a\"}\n\
        {\"When\":\"2026-05-18T09:13:33Z\",\"createdDateTime\":\"2019-01-01T00:00:00Z\",\"who\":\"b\"}\n\
        {\"When\":null,\"createdDateTime\":\"2019-01-01T00:00:00Z\",\"who\":\"c\"}\n\
        {\"createdDateTime\":\"2019-01-01T00:00:00Z\",\"who\":\"d\"}\n";
    for (name, content) in [("a.csv", csv), ("a.jsonl", lines)] {
        let read = read(&[(name, content)], &["--time-column", "When"]);
        assert_eq!(read.code, Some(10), "{name}: {}", read.said);
        assert_eq!(read.times("OtherRecords"), ["", WANT, "", ""], "{name}");
        assert!(
            read.said.contains("3 events have no time: `When`"),
            "{name}: {}",
            read.said
        );
    }
    // What the row has beside it is kept.
    let read = read(&[("a.csv", csv)], &["--time-column", "When"]);
    assert_eq!(
        ask(
            &read.archive,
            "SELECT ExtraColumns->>'When', ExtraColumns->>'Created' FROM OtherRecords WHERE ExtraColumns->>'Who' = 'a'"
        ),
        ["garbage|2019-01-01T00:00:00Z"]
    );
}

#[test]
fn a_known_table_has_the_time_that_was_asked_for_or_none() {
    let header = "TimeGenerated [UTC],Type,Id,UserPrincipalName,ResultType,When";
    let csv = format!(
        "{header}\n\
         2026-05-01T00:00:00Z,SigninLogs,s1,ada@contoso.com,0,2026-05-18T09:13:33Z\n\
         2026-05-01T00:00:00Z,SigninLogs,s2,ada@contoso.com,0,soon\n"
    );
    let read = read(&[("a.csv", &csv)], &["--time-column", "When"]);
    assert_eq!(read.code, Some(10), "{}", read.said);
    assert_eq!(read.times("SigninLogs"), [WANT, ""]);
}

#[test]
fn files_without_the_column_and_keys_inside_others_change_nothing() {
    let with = "When,Created,Who\n2026-05-18T09:13:33Z,2019-01-01T00:00:00Z,a\n";
    let without = "Created,Who\n2026-05-18T09:13:33Z,b\n";
    let inside =
        "{\"created\":\"2026-05-18T09:13:33Z\",\"who\":\"c\",\"more\":{\"When\":\"soon\"}}\n";
    let read = read(
        &[("a.csv", with), ("b.csv", without), ("c.jsonl", inside)],
        &["--time-column", "When"],
    );
    assert_eq!(read.code, Some(0), "{}", read.said);
    assert_eq!(read.times("OtherRecords"), [WANT; 3]);
}

#[test]
fn a_time_around_a_record_can_be_asked_for() {
    let record = r#"{"time":"2026-05-18T09:13:33Z","category":"SignInLogs","tenantId":"t","properties":{"id":"s1","createdDateTime":"2026-05-01T00:00:00Z","userPrincipalName":"ada@contoso.com"}}"#;
    let read = read(&[("a.json", record)], &["--time-column", "time"]);
    assert_eq!(read.code, Some(0), "{}", read.said);
    assert_eq!(read.times("SigninLogs"), [WANT]);
}

#[test]
fn a_column_whose_dates_are_open_is_there_and_its_order_is_asked_for() {
    let open = "When,Who\n03/04/2026 10:00,a\n";
    let both = "When,Who\n03/14/2026 10:00,a\n14/03/2026 10:00,b\n";
    for content in [open, both] {
        for more in [&["--dry-run"][..], &[]] {
            let options = [&["--time-column", "When"][..], more].concat();
            let read = read(&[("a.csv", content)], &options);
            assert_eq!(read.code, Some(10), "{}", read.said);
            assert!(read.said.contains("--date-order"), "{}", read.said);
        }
    }
    let order = ["--time-column", "When", "--date-order", "dmy"];
    let told = read(&[("a.csv", open)], &order);
    assert_eq!(told.code, Some(0), "{}", told.said);
    assert_eq!(told.times("OtherRecords"), ["2026-04-03T10:00:00Z"]);
    // The name is wrong, whatever else is.
    let read = read(&[("a.csv", open)], &["--time-column", "Moment"]);
    assert_eq!(read.code, Some(2), "{}", read.said);
}

#[test]
fn a_date_that_was_asked_for_has_its_clock() {
    let split = "Date,Time,User\n2026-05-18,09:13:33,ada\n";
    let other = "Tag;Uhrzeit;Wer\n18.05.2026;09:13:33;ada\n";
    let log = "#Software: RMS\n#Version: 1.1\n\
        #Fields: date\ttime\trow-id\trequest-type\tuser-id\tresult\n\
        2026-05-18\t09:13:33\ta\tAcquireLicense\t'ada@contoso.com'\t'Success'\n";
    for (name, content, column, table) in [
        ("a.csv", split, "Date", "OtherRecords"),
        ("a.csv", split, "Time", "OtherRecords"),
        ("a.csv", other, "Tag", "OtherRecords"),
        ("rms.log", log, "date", "AipServiceUserLog"),
    ] {
        let read = read(&[(name, content)], &["--time-column", column]);
        assert_eq!(read.code, Some(0), "{column}: {}", read.said);
        assert_eq!(read.times(table), [WANT], "{column}");
    }
}

#[test]
fn a_date_has_its_clock_in_every_language() {
    for content in [
        "Datum;Uhrzeit;Benutzer\n18.05.2026;09:13:33;ada\n",
        "Datum;Zeit;Benutzer\n18.05.2026;09:13:33;ada\n",
        "Date;Heure;Utilisateur\n18/05/2026;09:13:33;ada\n",
        "Fecha;Hora;Usuario\n18/05/2026;9:13:33;ada\n",
        "Data;Ora;Utente\n18/05/2026;09:13:33;ada\n",
        "Datum;Tijd;Gebruiker\n18-05-2026;09:13:33;ada\n",
        "Dato;Klokkeslæt;Bruger\n18-05-2026;09:13:33;ada\n",
        "Datum;Tid;Person\n2026-05-18;09:13:33;ada\n",
        "Data;Godzina;Kto\n18.05.2026;09:13:33;ada\n",
        "Datum;Čas;Kdo\n18.05.2026;09:13:33;ada\n",
        "Tarih;Saat;Kim\n18.05.2026;09:13:33;ada\n",
        "日付;時刻;誰\n2026/05/18;9:13:33;ada\n",
        "日期;时间;谁\n2026/05/18;9:13:33;ada\n",
        "Date (UTC),Time (UTC),Who\n2026-05-18,09:13:33,ada\n",
        // Programs that know no dates without a clock add midnight.
        "Date,Time,Who\n2026-05-18 00:00:00,09:13:33,ada\n",
        "Date,Time,Who\n5/18/2026 12:00:00 AM,9:13:33 AM,ada\n",
        "Date (UTC+02:00),Time (UTC+02:00),Who\n2026-05-18,11:13:33,ada\n",
    ] {
        let read = read(&[("a.csv", content)], &[]);
        assert_eq!(read.code, Some(0), "{content}: {}", read.said);
        assert_eq!(read.times("OtherRecords"), [WANT], "{content}");
    }
}

#[test]
fn a_local_date_has_its_clock() {
    let content = "Date [Local Time];Time [Local Time];Who\n18.05.2026;11:13:33;ada\n";
    for more in [&[][..], &["--time-column", "Date [Local Time]"]] {
        let options = [&["--tz", "Europe/Berlin"][..], more].concat();
        let read = read(&[("a.csv", content)], &options);
        assert_eq!(read.code, Some(0), "{}", read.said);
        assert_eq!(read.times("OtherRecords"), [WANT]);
    }
}

#[test]
fn a_date_alone_beside_a_clock_of_another_name_is_told() {
    let told = "the midnight of a date";
    let loose = "Date,At,Who\n2026-05-18,09:13:33,ada\n";
    let read_loose = read(&[("a.csv", loose)], &[]);
    assert_eq!(read_loose.times("OtherRecords"), ["2026-05-18T00:00:00Z"]);
    assert!(read_loose.said.contains(told), "{}", read_loose.said);
    let paired = "Date,Time,Who\n2026-05-18,09:13:33,ada\n";
    let read_paired = read(&[("a.csv", paired)], &[]);
    assert!(!read_paired.said.contains(told), "{}", read_paired.said);
}

#[test]
fn lists_of_things_are_dated_by_their_use_and_say_so() {
    for (content, want, from) in [
        (
            "Report Refresh Date,User Principal Name,Display Name,Is Deleted,Deleted Date,Created Date,Last Activity Date,Item Count\n\
             2026-05-08,ada@contoso.com,Ada,False,,2019-01-01,2026-05-07,30\n",
            "2026-05-07T00:00:00Z",
            "Last Activity Date",
        ),
        (
            "Report Refresh Date,Site,Created Date\n2026-05-08,a,2019-01-01\n",
            "2026-05-08T00:00:00Z",
            "Report Refresh Date",
        ),
        (
            "UserPrincipalName,WhenCreated,LastLogonTime,ItemCount\n\
             ada@contoso.com,2015-01-01 10:00:00,2026-05-18 09:13:33,3\n",
            WANT,
            "LastLogonTime",
        ),
        // Of events, when they were made is the time.
        (
            "Colour,Created,Last Modified\nred,2026-05-18 09:13:33,2026-05-19 00:00:00\n",
            WANT,
            "Created",
        ),
        (
            "Colour,createdDateTime,firstActivityDateTime,lastActivityDateTime\n\
             red,2026-05-18T09:13:33Z,2026-05-18T09:00:00Z,2026-05-18T09:10:00Z\n",
            WANT,
            "createdDateTime",
        ),
    ] {
        let read = read(&[("a.csv", content)], &[]);
        assert_eq!(read.code, Some(0), "{content}: {}", read.said);
        assert_eq!(read.times("OtherRecords"), [want], "{content}");
        let note = format!("times are those of `{from}`");
        assert!(read.said.contains(&note), "{content}: {}", read.said);
    }
}

#[test]
fn a_list_whose_rows_lack_the_better_time_says_how_many() {
    let content = "Mailbox,WhenCreated,LastLogonTime\n\
        a,2015-01-01 10:00:00,2026-05-18 09:13:33\n\
        b,2026-05-01 00:00:00,\n";
    let read = read(&[("a.csv", content)], &[]);
    assert_eq!(read.times("OtherRecords"), [WANT, "2026-05-01T00:00:00Z"]);
    let note = "times are those of `LastLogonTime` (1 row), `WhenCreated` (1 row)";
    assert!(read.said.contains(note), "{}", read.said);
}

#[test]
fn the_time_of_use_asks_for_its_order() {
    // The creation would be clear without it.
    let content = "Mailbox,WhenCreated,LastLogonTime\na,2015-01-01 10:00:00,05/03/2026 10:00\n";
    let asked = read(&[("a.csv", content)], &[]);
    assert_eq!(asked.code, Some(10), "{}", asked.said);
    assert!(asked.said.contains("--date-order"), "{}", asked.said);
    let told = read(&[("a.csv", content)], &["--date-order", "mdy"]);
    assert_eq!(told.times("OtherRecords"), ["2026-05-03T10:00:00Z"]);
}
