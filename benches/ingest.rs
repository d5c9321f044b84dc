//! How fast exports are read: MB/s, rows/s, CPU seconds and peak memory, on generated input.
//!
//! `cargo bench --bench ingest` measures both families at 200 MB; `cargo bench --bench ingest -- --size 1000` at 1 GB. Each case runs in
//! a process of its own, three times, and the median is shown: peak memory is that of the process. Input is written before the clock
//! starts, from a seeded generator. `-- --write DIR --size N` writes the two inputs and prints this program's path, for
//! `against_duckdb.py`; with `COLDTRAIL_BENCH_FILE=FILE` it measures one run over a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use coldtrail::archive::Archive;
use coldtrail::convert::{self, Options};
use coldtrail::ingest::input;
use coldtrail::progress::Silent;

/// Writes so many bytes of one family.
type Generate = fn(&mut dyn Write, u64);

/// Runs of each case.
const RUNS: usize = 3;

fn main() {
    if let Ok(file) = std::env::var("COLDTRAIL_BENCH_FILE") {
        measure(Path::new(&file));
        return;
    }
    let arguments: Vec<String> = std::env::args().collect();
    let size: u64 = arguments
        .iter()
        .position(|a| a == "--size")
        .and_then(|i| arguments.get(i + 1))
        .map_or(200, |n| n.parse().expect("--size takes megabytes"));
    if let Some(i) = arguments.iter().position(|a| a == "--write") {
        let folder = PathBuf::from(arguments.get(i + 1).expect("--write takes a folder"));
        std::fs::create_dir_all(&folder).expect("a folder for the input");
        write(audit_csv, &folder.join("audit.csv"), size);
        write(cloud_app_lines, &folder.join("cloudappevents.jsonl"), size);
        let own = std::env::current_exe().expect("this program");
        println!("{}", own.display());
        return;
    }
    let folder = std::env::temp_dir().join(format!("coldtrail-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the input");
    println!(
        "{:<22} {:>9} {:>9} {:>10} {:>8} {:>10} {:>12}",
        "input", "MB", "MB/s", "rows/s", "CPU s", "peak MiB", "archive MB"
    );
    let families: [(&str, Generate); 2] = [
        ("audit log CSV", audit_csv),
        ("CloudAppEvents lines", cloud_app_lines),
    ];
    for (name, generate) in families {
        let file = folder.join("input");
        write(generate, &file, size);
        let mb = std::fs::metadata(&file).expect("the input").len() as f64 / 1e6;
        let mut runs: Vec<Vec<f64>> = (0..RUNS).map(|_| child(&file)).collect();
        runs.sort_by(|a, b| a[0].total_cmp(&b[0]));
        let [seconds, rows, cpu, peak, archive] = runs[RUNS / 2][..] else {
            panic!("a run gave {:?}", runs[RUNS / 2]);
        };
        println!(
            "{name:<22} {mb:>9.0} {:>9.0} {:>10.0} {cpu:>8.1} {peak:>10.0} {archive:>12.0}",
            mb / seconds,
            rows / seconds
        );
        std::fs::remove_file(&file).expect("the input can be removed");
    }
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
}

/// Writes so many megabytes.
fn write(generate: Generate, file: &Path, size: u64) {
    let mut out = BufWriter::new(File::create(file).expect("the input can be made"));
    generate(&mut out, size * 1_000_000);
    out.flush().expect("the input can be written");
}

/// Runs one case in a process of its own.
fn child(file: &Path) -> Vec<f64> {
    let out = Command::new(std::env::current_exe().expect("this program"))
        .env("COLDTRAIL_BENCH_FILE", file)
        .output()
        .expect("the case runs");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8_lossy(&out.stdout)
        .split_whitespace()
        .map(|n| n.parse().expect("a number"))
        .collect()
}

fn measure(file: &Path) {
    let target: PathBuf = file.with_extension("archive");
    let _ = std::fs::remove_dir_all(&target);
    let started = Instant::now();
    let archive = Archive::create(&target).expect("an archive");
    let found = input::find(&[file.to_string_lossy().into_owned()]).expect("the input");
    let options = Options {
        now: 1_780_272_000_000_000,
        ..Options::default()
    };
    let progress: Arc<dyn coldtrail::progress::Progress> = Arc::new(Silent);
    let summary = convert::ingest(&archive, &found, &options, &progress).expect("ingest");
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(
        summary.sum(|e| e.records),
        summary.sum(|e| e.events()) + summary.sum(|e| e.duplicates),
        "a generated record was not taken"
    );
    let size: u64 = walkdir::WalkDir::new(&target)
        .into_iter()
        .filter_map(|e| e.ok()?.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|m| m.len())
        .sum();
    println!(
        "{seconds} {} {} {} {}",
        summary.sum(|e| e.records),
        cpu_seconds(),
        peak_mib(),
        size as f64 / 1e6
    );
    std::fs::remove_dir_all(&target).expect("the archive can be removed");
}

/// CPU seconds of this process so far; 0 where the system does not say (other than Linux).
fn cpu_seconds() -> f64 {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else {
        return 0.0;
    };
    // The second field is in brackets and may hold blanks.
    let after = stat.rsplit(')').next().unwrap_or("");
    let field = |n: usize| -> f64 {
        after
            .split_whitespace()
            .nth(n)
            .and_then(|t| t.parse().ok())
            .unwrap_or(0.0)
    };
    // Linux counts these in hundredths.
    (field(11) + field(12)) / 100.0
}

/// Peak resident memory of this process; 0 where the system does not say.
fn peak_mib() -> f64 {
    std::fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<f64>().ok())
        .map_or(0.0, |kb| kb / 1024.0)
}

/// A small generator of numbers, the same on every machine.
struct Seed(u64);

impl Seed {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn guid(&mut self) -> String {
        let mut part = |digits: usize| {
            let n = self.next() << 31 | self.next();
            format!("{n:016x}")[16 - digits..].to_string()
        };
        format!(
            "{}-{}-4{}-8{}-{}",
            part(8),
            part(4),
            part(3),
            part(3),
            part(12)
        )
    }
}

const DAYS: u64 = 30;

/// A record of one of four workloads, about as long and as varied as real ones; one in fifty repeats the one before.
fn record(seed: &mut Seed, n: u64) -> (String, String, String, u64) {
    let (id, org) = (seed.guid(), "c8085975-d882-42d2-9193-d82d752a5de9");
    // Events come roughly in order over a month.
    let second = n / 12 % (DAYS * 86_400);
    let (day, hour, minute, s) = (
        1 + second / 86_400,
        second / 3600 % 24,
        second / 60 % 60,
        second % 60,
    );
    let time = format!("2026-06-{day:02}T{hour:02}:{minute:02}:{s:02}");
    let user = format!("user{:04}@contoso.com", seed.below(3000));
    let ip = format!("192.0.2.{}", seed.below(250));
    let (operation, kind, rest) = match seed.below(4) {
        0 => (
            "FileAccessed",
            6,
            format!(
                r#""Workload":"SharePoint","EventSource":"SharePoint","ItemType":"File","ListId":"{}","ListItemUniqueId":"{}","Site":"{}","UserAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36","WebId":"{}","SiteUrl":"https:\/\/contoso.sharepoint.com\/sites\/team{}\/","SourceFileExtension":"docx","SourceFileName":"Report {}.docx","SourceRelativeUrl":"Shared Documents\/Folder {}","ObjectId":"https:\/\/contoso.sharepoint.com\/sites\/team1\/Shared Documents\/Report {}.docx""#,
                seed.guid(),
                seed.guid(),
                seed.guid(),
                seed.guid(),
                seed.below(100),
                seed.below(100_000),
                seed.below(500),
                seed.below(100_000)
            ),
        ),
        1 => (
            "MailItemsAccessed",
            50,
            format!(
                r#""Workload":"Exchange","ClientInfoString":"Client=REST;Client=RESTSystem;;","ExternalAccess":false,"InternalLogonType":0,"LogonType":0,"LogonUserSid":"S-1-5-21-{}","MailboxGuid":"{}","MailboxOwnerUPN":"{user}","OperationProperties":[{{"Name":"MailAccessType","Value":"Bind"}},{{"Name":"IsThrottled","Value":"False"}}],"OrganizationName":"contoso.onmicrosoft.com","Folders":[{{"FolderItems":[{{"InternetMessageId":"<{}@contoso.com>","SizeInBytes":{}}}],"Id":"LgAAAA{}","Path":"\\Inbox"}}],"OperationCount":1"#,
                seed.next(),
                seed.guid(),
                seed.guid(),
                seed.below(1_000_000),
                seed.guid()
            ),
        ),
        2 => (
            "UserLoggedIn",
            15,
            format!(
                r#""Workload":"AzureActiveDirectory","ActorIpAddress":"{ip}","AzureActiveDirectoryEventType":1,"ExtendedProperties":[{{"Name":"ResultStatusDetail","Value":"Success"}},{{"Name":"UserAgent","Value":"Mozilla/5.0 (Windows NT 10.0; Win64; x64)"}},{{"Name":"RequestType","Value":"OAuth2:Authorize"}}],"ModifiedProperties":[],"Actor":[{{"ID":"{}","Type":0}},{{"ID":"{user}","Type":5}}],"ActorContextId":"{org}","InterSystemsId":"{}","IntraSystemId":"{}","Target":[{{"ID":"{}","Type":0}}],"TargetContextId":"{org}","ApplicationId":"{}","DeviceProperties":[{{"Name":"OS","Value":"Windows"}},{{"Name":"BrowserType","Value":"Edge"}}],"ErrorNumber":"0""#,
                seed.guid(),
                seed.guid(),
                seed.guid(),
                seed.guid(),
                seed.guid()
            ),
        ),
        _ => (
            "SensitivityLabelUpdated",
            83,
            format!(
                r#""Workload":"PublicEndpoint","Application":"Word","DeviceName":"PC-{:04}","Platform":1,"ObjectId":"C:\\Users\\u\\Documents\\Plan {}.docx","SensitivityLabelEventData":{{"SensitivityLabelId":"{}","OldSensitivityLabelId":"{}","LabelEventType":{},"ActionSource":3,"JustificationText":"No longer confidential"}},"CurrentProtectionType":{{"protectionType":1,"owner":"{user}","documentEncrypted":true}}"#,
                seed.below(3000),
                seed.below(100_000),
                seed.guid(),
                seed.guid(),
                1 + seed.below(4)
            ),
        ),
    };
    let text = format!(
        r#"{{"CreationTime":"{time}","Id":"{id}","Operation":"{operation}","OrganizationId":"{org}","RecordType":{kind},"ResultStatus":"Succeeded","UserKey":"{}","UserType":0,"Version":1,"ClientIP":"{ip}","UserId":"{user}",{rest}}}"#,
        seed.guid()
    );
    (id, operation.to_string(), text, kind)
}

fn audit_csv(out: &mut dyn Write, bytes: u64) {
    let mut seed = Seed(1);
    let put = |out: &mut dyn Write, text: &str| out.write_all(text.as_bytes()).expect("a write");
    put(
        out,
        "RecordId,CreationDate,RecordType,Operation,UserId,AuditData,AssociatedAdminUnits,AssociatedAdminUnitsNames\r\n",
    );
    let (mut written, mut n) = (0, 0);
    let mut last = String::new();
    while written < bytes {
        if n % 50 != 49 || last.is_empty() {
            let (id, operation, text, kind) = record(&mut seed, n);
            last = format!(
                "{id},6/1/2026 1:00:00 AM,{kind},{operation},user@contoso.com,\"{}\",,\r\n",
                text.replace('"', "\"\"")
            );
        }
        put(out, &last);
        written += last.len() as u64;
        n += 1;
    }
}

fn cloud_app_lines(out: &mut dyn Write, bytes: u64) {
    let mut seed = Seed(2);
    let (mut written, mut n) = (0, 0);
    let mut last = String::new();
    while written < bytes {
        if n % 50 != 49 || last.is_empty() {
            let (id, operation, text, _) = record(&mut seed, n);
            let at = text.find("\"CreationTime\":\"").expect("a time") + 16;
            let time = &text[at..at + 19];
            last = format!(
                r#"{{"time":"{time}Z","tenantId":"c8085975-d882-42d2-9193-d82d752a5de9","operationName":"Publish","category":"AdvancedHunting-CloudAppEvents","properties":{{"ActionType":"{operation}","ApplicationId":20892,"AccountDisplayName":"User","AccountObjectId":"{}","AccountId":"{}","DeviceType":"Desktop","OSPlatform":"Windows 10","IPAddress":"192.0.2.{}","IsAnonymousProxy":false,"CountryCode":"DE","City":"berlin","ISP":"contoso","UserAgent":"Mozilla/5.0","IsAdminOperation":false,"ActivityObjects":[{{"Type":"Account","Role":"Actor","Name":"User","Id":"{}","ApplicationId":11161,"ApplicationInstance":0}}],"AdditionalFields":{{}},"ActivityType":"Basic","ObjectName":null,"AppInstanceId":0,"AccountType":"Regular","IsExternalUser":false,"IsImpersonated":false,"IPTags":[],"UserAgentTags":[],"RawEventData":{text},"ReportId":"1_20892_{id}","Timestamp":"{time}Z","Application":"Microsoft SharePoint Online"}}}}
"#,
                seed.guid(),
                seed.guid(),
                seed.below(250),
                seed.guid()
            );
        }
        out.write_all(last.as_bytes()).expect("a write");
        written += last.len() as u64;
        n += 1;
    }
}
