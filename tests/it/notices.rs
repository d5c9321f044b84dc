//! Mails to owners, managers and the team: what they say, what they must not say, and that nobody is told twice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coldtrail::archive::Archive;
use coldtrail::case::Case;
use coldtrail::engine::{Options, Session, Source};
use coldtrail::hunt::Window;

use crate::command_line::run;
use crate::{ask, ingest, project};

/// The story's denials, in an archive.
pub(crate) fn story(folder: &Path) -> String {
    let path = folder.join("archive");
    let inputs = ["informationprotection", "rms", "watchlists"];
    let inputs = inputs.map(|name| project(&format!("sample-data/{name}")));
    ingest(&path, &inputs);
    path.to_string_lossy().into_owned()
}

fn tell(archive: &str, outbox: &Path, further: &[&str]) -> (String, String) {
    let outbox = outbox.to_string_lossy().into_owned();
    let mut arguments = vec![
        "notify",
        "access-denied",
        "-a",
        archive,
        "--outbox",
        &outbox,
    ];
    arguments.extend(["--domain", "contoso.com"]);
    arguments.extend(further);
    let out = run(&arguments);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{said}");
    (String::from_utf8_lossy(&out.stdout).into_owned(), said)
}

/// The mails of a folder, by their names.
fn mails(outbox: &Path) -> BTreeMap<String, String> {
    let mut mails = BTreeMap::new();
    for entry in std::fs::read_dir(outbox).expect("an outbox") {
        let path = entry.expect("a file").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let bytes = std::fs::read(&path).expect("a mail");
        mails.insert(name, String::from_utf8(bytes).expect("mails are ASCII"));
    }
    mails
}

/// What a reader shows of a mail: quoted-printable undone, ends of lines as one character.
pub(crate) fn read(mail: &str) -> String {
    let text = mail.replace("=\r\n", "").replace("\r\n", "\n");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let code = behind
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = code.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte.filter(|_| first == b'=') {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn to<'m>(mails: &'m BTreeMap<String, String>, owner: &str) -> &'m str {
    let found = mails.iter().find(|(name, _)| name.contains(owner));
    found.map_or_else(|| panic!("no mail to {owner}"), |(_, mail)| mail.as_str())
}

const DAVE: &str = "Hello,

access to a document that you protected was denied. This is about 1 attempt of 1 person, at 2026-05-08 22:58:03 UTC.

Patent Draft.docx
";
const DAVES_PEGGY: &str = "
  - peggy.passer@fabrikam.com: denied once, at 2026-05-08 22:58:03 UTC

What you can do:
";

#[test]
fn the_storys_denials_are_a_mail_to_each_owner() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = story(folder.path());
    let outbox = folder.path().join("outbox");
    let (shown, said) = tell(&archive, &outbox, &["--at", "2026-06-01"]);
    assert!(said.contains("3 notices written"), "{said}");
    assert!(shown.contains("14 denials"), "{shown}");
    let mails = mails(&outbox);
    assert_eq!(mails.len(), 3);
    let dave = read(to(&mails, "dave.draper@contoso.com"));
    assert!(dave.contains(DAVE) && dave.contains(DAVES_PEGGY), "{dave}");
    assert!(
        dave.contains("  Protected since: 2026-05-04 06:38:00 UTC\n"),
        "{dave}"
    );
    assert!(
        dave.contains("Date: Mon, 01 Jun 2026 00:00:00 +0000\n"),
        "{dave}"
    );
    assert!(dave.contains("From: no-reply@contoso.com\n"), "{dave}");
    let frank = read(to(&mails, "frank.fletcher@contoso.com"));
    assert!(frank.contains("This is about 14 attempts of 1 person, from 2026-05-19 14:05:26 UTC to 2026-05-19 14:44:16 UTC."), "{frank}");
    assert!(
        frank.contains("Subject: Access denied to 7 documents that you protected\n"),
        "{frank}"
    );
    let bob = read(to(&mails, "bob.baker@contoso.com"));
    assert!(bob.contains("oscar.outsider@example.org: denied 2 times, first at 2026-05-18 10:12:48 UTC, last at 2026-05-18 10:13:31 UTC"), "{bob}");
}

#[test]
fn mails_of_the_story_are_these_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = story(folder.path());
    let outbox = folder.path().join("outbox");
    tell(&archive, &outbox, &["--at", "2026-06-01"]);
    let written = mails(&outbox);
    for (name, mail) in mails(&project("tests/it/data/notices")) {
        let found = written.get(&name);
        assert_eq!(found, Some(&mail), "{name}; there are {:?}", written.keys());
    }
}

#[test]
fn two_archives_give_the_same_bytes_and_nobody_is_told_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (folder.path().join("1"), folder.path().join("2"));
    let (first, second) = (story(&one), story(&two));
    tell(&first, &one.join("outbox"), &["--tz", "Europe/Berlin"]);
    tell(&second, &two.join("outbox"), &["--tz", "Europe/Berlin"]);
    let mails_of_one = mails(&one.join("outbox"));
    assert_eq!(mails_of_one, mails(&two.join("outbox")));
    let dave = read(to(&mails_of_one, "dave.draper"));
    assert!(
        dave.contains("2026-05-08 22:58:03 UTC (2026-05-09 00:58:03 +02:00)"),
        "{dave}"
    );
    let (shown, said) = tell(&first, &one.join("again"), &[]);
    assert_eq!(shown, "");
    assert!(
        said.contains("nothing new to tell; 17 denials were told before"),
        "{said}"
    );
    assert!(!one.join("again").exists());
    // What is asked for once more is the same mail.
    tell(
        &first,
        &one.join("again"),
        &["--again", "--tz", "Europe/Berlin"],
    );
    assert_eq!(mails(&one.join("again")), mails_of_one);
    let out = run(&["verify", "-a", &first]);
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&out.stdout)
    );
    let out = run(&["notify", "sent", "-a", &first]);
    assert_eq!(
        String::from_utf8_lossy(&out.stdout)
            .matches(" sent ")
            .count(),
        3
    );
}

#[test]
fn a_trial_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = story(folder.path());
    let outbox = folder.path().join("outbox");
    let (shown, said) = tell(&archive, &outbox, &["--dry-run"]);
    assert_eq!(shown.matches("would be told").count(), 3, "{shown}");
    assert!(said.contains("3 notices would be made"), "{said}");
    let what = "would be told: Access denied to 7 documents that you protected";
    assert!(shown.contains(what), "{shown}");
    assert!(!outbox.exists() && !Path::new(&archive).join("_notices").exists());
}

#[test]
fn nobody_outside_of_the_tenant_is_written_to_unless_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = story(folder.path());
    let outbox = folder.path().join("outbox").to_string_lossy().into_owned();
    let base = [
        "notify",
        "access-denied",
        "-a",
        &archive,
        "--outbox",
        &outbox,
    ];
    let out = run(&base);
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("--domain"));
    let mut arguments = base.to_vec();
    arguments.extend([
        "--domain",
        "example.net",
        "--allow-recipient",
        "dave.draper@contoso.com",
    ]);
    let out = run(&arguments);
    let shown = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(
        shown
            .matches("not told: `contoso.com` is no domain")
            .count(),
        2,
        "{shown}"
    );
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.contains("2 notices kept back"), "{said}");
    assert_eq!(mails(Path::new(&outbox)).len(), 1);
}

#[test]
fn managers_are_told_of_their_own_people_and_of_nobodys_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let lists = folder.path().join("watchlists");
    std::fs::create_dir_all(&lists).expect("a folder");
    let managers = lists.join("Managers.csv");
    let text = "UserPrincipalName,Manager\n\
                frank.fletcher@contoso.com,Alice.Archer@contoso.com\n\
                ivan.ironside@contoso.com,boss@fabrikam.com\n";
    std::fs::write(&managers, text).expect("a file");
    let archive = folder.path().join("archive");
    ingest(&archive, &[project("sample-data/cloudappevents"), managers]);
    let alone = folder.path().join("alone");
    ingest(&alone, &[project("sample-data/cloudappevents")]);
    let outbox = folder.path().join("outbox");
    let place = outbox.to_string_lossy().into_owned();
    let tell = |archive: &Path| {
        let archive = archive.to_string_lossy().into_owned();
        let arguments = [
            "notify",
            "label-changes",
            "-a",
            &archive,
            "--outbox",
            &place,
        ];
        let out = run(&[&arguments[..], &["--domain", "contoso.com"]].concat());
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(0), "{said}");
        (String::from_utf8_lossy(&out.stdout).into_owned(), said)
    };
    let (shown, said) = tell(&archive);
    assert!(said.contains("1 notice written"), "{said}");
    assert!(said.contains("1 notice kept back"), "{said}");
    assert!(shown.contains("not told: `fabrikam.com`"), "{shown}");
    let mails = mails(&outbox);
    assert_eq!(mails.len(), 1);
    let mail = read(to(&mails, "alice.archer@contoso.com"));
    for part in [
        "frank.fletcher@contoso.com",
        "Label lowered: Tender 01 Prices.xlsx",
        "Reason given: Prepared for publication",
    ] {
        assert!(mail.contains(part), "{part} is not in {mail}");
    }
    assert!(!mail.contains("ivan"), "{mail}");
    for address in ask(
        &archive,
        "SELECT DISTINCT \"IPAddress\" FROM \"LabelEvents\" WHERE \"IPAddress\" <> ''",
    ) {
        assert!(!mail.contains(&address), "{address} is in {mail}");
    }
    let (_, said) = tell(&archive);
    assert!(said.contains("0 notices written; "), "{said}");
    assert!(said.contains(" changes were told before"), "{said}");
    let (shown, said) = tell(&alone);
    assert_eq!(shown, "");
    assert!(said.contains("nobody to write to"), "{said}");
    assert!(said.contains("`Managers` does not name"), "{said}");
}

#[test]
fn a_reason_tells_no_manager_the_city_the_session_or_the_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let lists = folder.path().join("watchlists");
    std::fs::create_dir_all(&lists).expect("a folder");
    let managers = lists.join("Managers.csv");
    let text = "UserPrincipalName,Manager\nfrank@contoso.com,alice@contoso.com\n";
    std::fs::write(&managers, text).expect("a file");
    let app = folder.path().join("app.json");
    let text = r#"{"Timestamp":"2026-05-01T09:00:40Z","ActionType":"SensitivityLabelRemoved","Application":"Microsoft 365","ReportId":"1_20892_0a0a0a0a-0000-4000-8000-000000000005","City":"Vila Exemplo","IPAddress":"203.0.113.9","ActivityObjects":[],"RawEventData":{"Id":"0a0a0a0a-0000-4000-8000-000000000005","CreationTime":"2026-05-01T09:00:40","RecordType":83,"Operation":"SensitivityLabelRemoved","UserId":"frank@contoso.com","UserType":0,"ObjectId":"C:/Work/Plan.docx","ClientIP":"203.0.113.9","Common":{"ApplicationName":"Spy Labeler","ProcessName":"spyproc","DeviceName":"WS-FRANK"},"AppAccessContext":{"AADSessionId":"9b1c7f10-2d6a-4f0e-8f77-0c1a2b3c4d5e"},"SensitivityLabelEventData":{"OldSensitivityLabelId":"7ef293e1-e854-42fa-b47d-597b6cad843f","LabelEventType":3,"JustificationText":"vila_exemplo, spyproc.exe, Spy%20Labeler, WS - FRANK, 9B1C7F10-2D6A-4F0E-8F77-0C1A2B3C4D5E"}}}"#;
    std::fs::write(&app, format!("{text}\n")).expect("a file");
    let archive = folder.path().join("archive");
    ingest(&archive, &[app, managers]);
    let archive = archive.to_string_lossy().into_owned();
    let outbox = folder.path().join("outbox");
    let place = outbox.to_string_lossy().into_owned();
    let arguments = [
        "notify",
        "label-changes",
        "-a",
        &archive,
        "--outbox",
        &place,
    ];
    let out = run(&[&arguments[..], &["--domain", "contoso.com"]].concat());
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{said}");
    let mails = mails(&outbox);
    let mail = read(to(&mails, "alice@contoso.com"));
    let reason = "Reason given: [removed], [removed].exe, [removed], [removed], [removed]\n";
    assert!(mail.contains(reason), "{mail}");
}

/// Everything that an archive knows of where the denied were, and with what.
fn secrets(archive: &str) -> Vec<String> {
    let archive = Archive::open(Path::new(archive)).expect("an archive");
    let session = Session::open(Source::Archive(&archive), &Options::default()).expect("a session");
    let ledger = archive.ledger().expect("a ledger");
    let window = Window {
        from: None,
        to: None,
    };
    let denials = Case::of(&session, &ledger)
        .denials(window)
        .expect("denials");
    let said = denials.iter().flat_map(|denial| {
        let of = &denial.trace;
        [
            &of.address,
            &of.country,
            &of.city,
            &of.device,
            &of.application,
            &of.process,
            &of.client,
            &of.session,
        ]
    });
    let mut said: Vec<String> = said
        .flatten()
        .filter(|text| text.len() > 2)
        .cloned()
        .collect();
    said.sort();
    said.dedup();
    said
}

/// How a usage log begins.
const USAGE_LOG: &str = "#Software: RMS\n#Version: 1.1\n#Fields: date\ttime\trow-id\trequest-type\tuser-id\tresult\tcorrelation-id\tcontent-id\t\
    owner-email\tissuer\ttemplate-id\tfile-name\tdate-published\tc-info\tc-ip\tadmin-action\tacting-as-user\n";

/// A usage log whose names and devices are hostile.
fn hostile(folder: &Path) -> String {
    let path = folder.join("archive");
    let names = [
        "seen at 203.0.113.90.docx",
        "203[.]0[.]113[.]90 ２０３．０．１１３．９０.docx",
        "EVILWORD.EXE was it.docx",
        "[2001:db8::7]:443 2001-db8--7.docx",
        "<script>alert(1)</script>.docx",
        "a\u{202e}xcod.docx",
        "203 0 113 90 or 3405803866 or cb00715a.docx",
        "203%252e0%252e113%252e90 203&#x2e;0&#46;113&#x2e;90.docx",
        "๒๐๓.๐.๑๑๓.๙๐ ²⁰³·⁰·¹¹³·⁹⁰ ②⓪③.0.113.90.docx",
        "2001:db8::7.2001:db8::8 5203.0.113.900.docx",
        "evilword_exe, ＥＶＩＬＷＯＲＤ, e\u{301}vilword and Evilword.docx",
    ];
    let mut log = USAGE_LOG.to_string();
    for (n, name) in names.iter().enumerate() {
        log += &format!(
            "2026-05-01\t09:00:{n:02}\t00000000-0000-4000-8000-0000000000{n:02}\tAcquireLicense\t'trudy@fabrikam.com'\t'AccessDenied'\tcorrelation-{n}\t\
             {{00000000-0000-4000-9000-0000000000{n:02}}}\t'alice@contoso.com'\t'alice@contoso.com'\t\t'{name}'\t2026-04-01T08:00:00\t\
             'MSIPC;version=2.2;AppName=EVILWORD.EXE;OSName=Windows'\t203.0.113.90\tFalse\t''\n"
        );
    }
    let file = folder.join("usage.log");
    std::fs::write(&file, log).expect("a file");
    ingest(&path, &[file]);
    path.to_string_lossy().into_owned()
}

fn templates(folder: &Path, name: &str, files: &[(&str, &str)]) -> String {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("a file");
    }
    folder.to_string_lossy().into_owned()
}

#[test]
fn no_mail_to_an_owner_says_where_somebody_was_or_with_what() {
    let folder = tempfile::tempdir().expect("a folder");
    // All that a template can get at.
    let greedy = "{{ documents }} {{ owner }} {{ first }} {{ last }} {% for d in documents %}{{ d|items|list }}{% for p in d.denied %}{{ p }}{% endfor %}{% endfor %}";
    let greedy = templates(
        folder.path(),
        "greedy",
        &[
            ("subject.txt", greedy),
            ("body.txt", greedy),
            ("body.html", greedy),
        ],
    );
    for (name, archive) in [
        ("story", story(&folder.path().join("s"))),
        ("hostile", hostile(folder.path())),
    ] {
        let secrets = secrets(&archive);
        assert!(
            secrets
                .iter()
                .any(|secret| secret.starts_with("203.0.113.")),
            "{secrets:?}"
        );
        let with = ["--template", greedy.as_str()];
        for (n, further) in [&[][..], &with[..]].into_iter().enumerate() {
            let outbox = folder.path().join(format!("{name}-{n}"));
            let mut further = further.to_vec();
            further.extend(["--again", "--sender", "Security <security@contoso.com>"]);
            tell(&archive, &outbox, &further);
            for (file, mail) in mails(&outbox) {
                let (plain, raw) = (read(&mail).to_lowercase(), mail.to_lowercase());
                for secret in secrets.iter().map(|secret| secret.to_lowercase()) {
                    assert!(!plain.contains(&secret), "{file} says {secret}: {plain}");
                    assert!(!raw.contains(&secret), "{file} says {secret}: {raw}");
                }
                for part in [
                    "203[.]0",
                    "２０３",
                    "2001:db8",
                    "2001-db8",
                    "evilword",
                    "\u{202e}",
                    "203 0",
                    "3405803866",
                    "cb00715a",
                    "203%25",
                    "203&",
                    "203.0",
                    "๒๐๓",
                    "²⁰³",
                    "②⓪③",
                    "ｅｖｉｌｗｏｒｄ",
                    "vilword",
                ] {
                    assert!(!plain.contains(part), "{file} says {part}: {plain}");
                }
                let (_, html) = plain.split_once("text/html").expect("a part in HTML");
                assert!(
                    !html.contains("<script") && !html.contains("script>"),
                    "{html}"
                );
            }
        }
    }
}

#[test]
fn what_only_a_second_log_says_of_a_denial_is_in_no_mail_either() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    let usage = folder.path().join("usage.log");
    let log = "2026-05-01\t09:00:00\t00000000-0000-4000-8000-000000000001\tAcquireLicense\t'trudy@fabrikam.com'\t'AccessDenied'\tcorrelation\t\
        {00000000-0000-4000-9000-000000000001}\t'alice@contoso.com'\t'alice@contoso.com'\t\t'Plan.docx'\t2026-04-01T08:00:00\t\
        'MSIPC;version=2.2;AppName=EVILWORD.EXE;OSName=Windows'\t203.0.113.90\tFalse\t''\n";
    std::fs::write(&usage, format!("{USAGE_LOG}{log}")).expect("a file");
    let protection = folder.path().join("InformationProtectionLogs_CL.csv");
    let log = "TimeGenerated [UTC],LogId_g,ContentId_g,UserId_s,IPv4_s,Activity_s,Operation_s,ApplicationName_s,ProcessName_s,MachineName_s,\
        ProtectionOwner_s,ObjectId_s,Type\n\
        2026-05-01T09:00:00Z,00000000-0000-4000-a000-000000000001,00000000-0000-4000-9000-000000000001,trudy@fabrikam.com,203.0.113.91,\
        AccessDenied,AcquireLicense,Spy Reader,spyreader,WS-TRUDY.example.net,alice@contoso.com,\
        Evilword of 203 0 113 90 and Spy_Reader spyreader.exe on ws trudy at 203 0 113 91.docx,InformationProtectionLogs_CL\n";
    std::fs::write(&protection, log).expect("a file");
    ingest(&path, &[usage, protection]);
    let outbox = folder.path().join("outbox");
    let (shown, _) = tell(&path.to_string_lossy(), &outbox, &[]);
    assert!(shown.contains("1 denial "), "{shown}");
    let mails = mails(&outbox);
    let mail = read(to(&mails, "alice@contoso.com"));
    let name = "[removed] of [address removed] and [removed] [removed].exe on [removed] at [address removed].docx\n";
    assert!(mail.contains(name), "{mail}");
}

#[test]
fn a_template_that_names_anything_else_sends_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = story(folder.path());
    let outbox = folder.path().join("outbox");
    for (n, text) in [
        "{{ address }}",
        "{% for d in documents %}{{ d.trace.address }}{% endfor %}",
        "{% if attempts > 99999 %}{{ IPAddress }}{% endif %}",
        "{% for d in documents %}{% for p in d.denied %}{{ p.device }}{% endfor %}{% endfor %}",
        "{% include '/etc/passwd' %}",
        "{{ documents",
        "{% for a in range(10000) %}{% for b in range(10000) %}{% for c in range(10000) %}{% endfor %}{% endfor %}{% endfor %}",
    ]
    .into_iter()
    .enumerate()
    {
        let template = templates(folder.path(), &format!("t{n}"), &[("body.txt", text)]);
        let outbox = outbox.to_string_lossy().into_owned();
        let out = run(&[
            "notify",
            "access-denied",
            "-a",
            &archive,
            "--outbox",
            &outbox,
            "--domain",
            "contoso.com",
            "--template",
            &template,
        ]);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(3), "{text}: {said}");
        assert!(said.contains("body.txt"), "{text}: {said}");
    }
    assert!(!outbox.exists());
}

#[test]
fn the_team_gets_findings_with_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = story(folder.path());
    let outbox: PathBuf = folder.path().join("outbox");
    let place = outbox.to_string_lossy().into_owned();
    let arguments = [
        "notify",
        "findings",
        "-a",
        &archive,
        "--outbox",
        &place,
        "--domain",
        "contoso.com",
        "--recipient",
        "soc@contoso.com",
        "--at",
        "2026-06-01",
    ];
    let out = run(&arguments);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(said.contains("1 notice written"), "{said}");
    let mails = mails(&outbox);
    let mail = read(to(&mails, "soc@contoso.com"));
    for part in [
        "trudy.tryer@fabrikam.com",
        "203.0.113.90",
        "many-access-denials",
        "rms-usage.log, record ",
    ] {
        assert!(mail.contains(part), "{part} is not in {mail}");
    }
    let again = run(&arguments);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("nothing new to tell"), "{said}");
}
