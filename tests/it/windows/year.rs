//! A year of audit records, sign-ins and denials, made up: quiet days, and things that rules look for, many of them over midnight.

use std::path::Path;

use serde_json::{Value, json};

const DAYS: i64 = 365;
const SECOND: i64 = 1_000_000;
/// 2025-06-01T00:00:00Z
const START: i64 = 1_748_736_000 * SECOND;
/// From the first day to the day after the last.
pub(super) const SPAN: (i64, i64) = (START, START + (DAYS + 1) * 86_400 * SECOND);

const HIGH: &str = "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5";
const LOW: &str = "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb";
const DEALS: &str = "https://contoso.sharepoint.com/sites/deals";
const PEOPLE: [&str; 5] = [
    "alice@contoso.com",
    "bob@contoso.com",
    "carol@contoso.com",
    "dave@contoso.com",
    "erin@contoso.com",
];

#[derive(Default)]
struct Year {
    audit: Vec<Value>,
    sign_ins: Vec<Value>,
    denials: Vec<Value>,
    ids: u64,
}

/// Writes exports and watchlists into a folder.
pub(super) fn write(folder: &Path) {
    let mut year = Year::default();
    for day in 0..DAYS {
        year.labels(day);
        year.files(day);
        year.sign_ins(day);
    }
    // Two days and more without a pause.
    for k in 0..2000 {
        year.removed(
            200,
            21_600 + k * 90,
            "mallory@contoso.com",
            &format!("Archive {k}.docx"),
        );
    }
    let lists = folder.join("watchlists");
    std::fs::create_dir_all(&lists).expect("a folder");
    let lines = |rows: &[Value]| rows.iter().map(|r| format!("{r}\n")).collect::<String>();
    for (name, text) in [
        ("audit.jsonl", lines(&year.audit)),
        ("sign-ins.jsonl", lines(&year.sign_ins)),
        ("denials.jsonl", lines(&year.denials)),
        (
            "watchlists/Labels.csv",
            format!("Id,Name,Rank,Parent\n{LOW},General,1,\n{HIGH},Confidential,3,\n"),
        ),
        (
            "watchlists/CriticalFiles.csv",
            "Pattern,Comment\n*Merger Plan*,\n".into(),
        ),
        (
            "watchlists/SuperUsers.csv",
            "UserPrincipalName,Comment\nrescue@contoso.com,\n".into(),
        ),
    ] {
        std::fs::write(folder.join(name), text).expect("an export");
    }
}

/// A second of a day.
fn time(day: i64, second: i64) -> String {
    let t = START + (day * 86_400 + second) * SECOND;
    let t = chrono::DateTime::from_timestamp_micros(t).expect("a time of our century");
    t.format("%Y-%m-%dT%H:%M:%S").to_string()
}

fn person(day: i64) -> &'static str {
    PEOPLE[day as usize % PEOPLE.len()]
}

impl Year {
    fn id(&mut self) -> String {
        self.ids += 1;
        format!("{:08x}-0000-4000-8000-{0:012x}", self.ids)
    }

    fn record(
        &mut self,
        (day, second): (i64, i64),
        user: &str,
        kind: (&str, i64),
        object: &str,
        more: &Value,
    ) {
        let mut record = json!({
            "CreationTime": time(day, second), "Id": self.id(), "Operation": kind.0, "RecordType": kind.1,
            "UserType": 0, "Workload": "SharePoint", "UserId": user, "ClientIP": "192.0.2.10", "ObjectId": object,
        });
        for (name, value) in more.as_object().expect("members") {
            record[name] = value.clone();
        }
        self.audit.push(record);
    }

    fn removed(&mut self, day: i64, second: i64, user: &str, name: &str) {
        let more = json!({"SensitivityLabelEventData": {
            "OldSensitivityLabelId": HIGH, "LabelEventType": 3, "ActionSource": 3,
            "JustificationText": "released to the press today",
        }});
        let object = format!("{DEALS}/{name}");
        self.record(
            (day, second),
            user,
            ("SensitivityLabelRemoved", 83),
            &object,
            &more,
        );
    }

    fn applied(&mut self, day: i64, second: i64, user: &str, name: &str) {
        let more =
            json!({"SensitivityLabelEventData": {"SensitivityLabelId": LOW, "ActionSource": 3}});
        let object = format!("{DEALS}/{name}");
        self.record(
            (day, second),
            user,
            ("SensitivityLabelApplied", 83),
            &object,
            &more,
        );
    }

    /// Labels that people and apps put on and take off.
    fn labels(&mut self, day: i64) {
        let who = person(day);
        for k in 0..3 {
            let second = 28_800 + k * 5400 + (day * 37) % 3000;
            self.applied(
                day,
                second,
                person(day + k),
                &format!("Letter {day} {k}.docx"),
            );
        }
        if day % 11 == 4 {
            for k in 0..24 {
                self.removed(day, 85_800 + k * 60, who, &format!("Old {day} {k}.docx"));
            }
        }
        if day % 17 == 9 {
            for k in 0..30 {
                self.applied(day, 36_000 + k * 300, who, &format!("Form {day} {k}.docx"));
            }
        }
        if day % 5 == 1 {
            let more = json!({"SensitivityLabelEventData": {
                "OldSensitivityLabelId": HIGH, "SensitivityLabelId": LOW, "LabelEventType": 2, "ActionSource": 3,
                "JustificationText": "x",
            }});
            let object = format!("D:\\Work\\Offer {day}.docx");
            let second = 86_000 + (day * 13) % 390;
            self.record(
                (day, second),
                who,
                ("SensitivityLabelUpdated", 83),
                &object,
                &more,
            );
        }
        if day % 14 == 5 {
            let more = json!({"UserType": 5, "SourceLabel": HIGH});
            for k in 0..3 {
                let object = format!("https://contoso.sharepoint.com/sites/hr/C {day} {k}.docx");
                let kind = ("FileSensitivityLabelRemoved", 6);
                self.record(
                    (day, 86_000 + k * 300),
                    "app@sharepoint",
                    kind,
                    &object,
                    &more,
                );
            }
        }
        if day % 12 == 7 {
            let more = json!({
                "SensitivityLabelEventData": {
                    "OldSensitivityLabelId": HIGH, "LabelEventType": 3, "ActionSource": 3,
                    "JustificationText": "released to the press today",
                },
                "PreviousProtectionType": {"documentEncrypted": true, "owner": "owner@contoso.com"},
                "CurrentProtectionType": {"documentEncrypted": false},
            });
            let object = format!("D:\\Work\\Tender {day}.docx");
            self.record(
                (day, 40_000),
                who,
                ("SensitivityLabelRemoved", 83),
                &object,
                &more,
            );
        }
        if day % 30 == 8 {
            let more = json!({"Parameters": "-Identity \"Global policy\""});
            let kind = ("Set-LabelPolicy", 18);
            self.record(
                (day, 50_000),
                "admin@contoso.com",
                kind,
                "Global policy",
                &more,
            );
        }
    }

    /// What is done with files, and what is denied.
    fn files(&mut self, day: i64) {
        let who = person(day);
        if day % 7 == 3 {
            let name = format!("Plan {day}.docx");
            self.removed(day, 79_200, who, &name);
            // Some of them later than the rule looks.
            let second = 21_600 + (day * 977) % 60_000;
            let kind = ("FileDownloaded", 6);
            self.record(
                (day + 1, second),
                who,
                kind,
                &format!("{DEALS}/{name}"),
                &json!({}),
            );
        }
        if day % 6 == 2 {
            let object = "https://contoso.sharepoint.com/sites/board/Merger Plan.docx";
            self.record(
                (day, (day * 7919) % 86_400),
                who,
                ("FileAccessed", 6),
                object,
                &json!({}),
            );
        }
        if day % 10 == 6 {
            let more =
                json!({"PreviousFileName": format!("C:\\Users\\Deal {day}.docx"), "LabelId": HIGH});
            let object = format!("C:\\Users\\beach {day}.jpg");
            self.record(
                (day, 3600),
                who,
                ("SensitivityLabeledFileRenamed", 84),
                &object,
                &more,
            );
        }
        if day % 15 == 10 {
            let site = "https://contoso.sharepoint.com/sites/open/";
            let more =
                json!({"SensitivityLabelId": HIGH, "SiteSensitivityLabelId": LOW, "SiteUrl": site});
            let kind = ("DocumentSensitivityMismatchDetected", 6);
            self.record(
                (day, 60_000),
                who,
                kind,
                &format!("{site}M {day}.docx"),
                &more,
            );
        }
        if day % 9 == 1 {
            for k in 0..12 {
                let denial = json!({
                    "TimeGenerated": time(day, 85_200 + k * 180) + "Z", "LogId_g": self.id(),
                    "UserId_s": "trudy@fabrikam.com", "IPv4_s": "203.0.113.80", "Activity_s": "AccessDenied",
                    "Operation_s": "AcquireLicense", "Protected_b": true, "ProtectionOwner_s": "alice@contoso.com",
                    "ObjectId_s": format!("Paper {day} {}.docx", k % 4), "Type": "InformationProtectionLogs_CL",
                });
                self.denials.push(denial);
            }
        }
    }

    fn signed_in(&mut self, day: i64, second: i64, user: &str, from: (&str, &str), risk: &str) {
        let state = match risk {
            "none" => "none",
            _ => "atRisk",
        };
        let row = json!({
            "TimeGenerated": time(day, second) + "Z", "Category": "SignInLogs", "Type": "SigninLogs", "Id": self.id(),
            "UserPrincipalName": user, "IPAddress": from.0, "Location": from.1, "ResultType": "0",
            "RiskLevelDuringSignIn": risk, "RiskLevelAggregated": risk, "RiskState": state,
        });
        self.sign_ins.push(row);
    }

    /// Sign-ins at home, risky ones, and ones from abroad with what follows.
    fn sign_ins(&mut self, day: i64) {
        let who = person(day);
        if day % 3 == 0 {
            self.signed_in(day, 25_000, person(day / 3), ("192.0.2.10", "DE"), "none");
        }
        if day % 13 == 2 {
            self.signed_in(day, 72_000, who, ("203.0.113.9", "BR"), "high");
            self.removed(day + 1, 3600, who, &format!("Salaries {day}.xlsx"));
        }
        if day % 20 == 12 {
            self.signed_in(day, 82_000, who, ("203.0.113.33", "SG"), "none");
            let more = json!({"ClientIP": "203.0.113.33", "LabelId": HIGH});
            for k in 0..3 {
                let object = format!("D:\\Work\\Design {day} {k}.docx");
                let kind = ("SensitivityLabeledFileOpened", 84);
                self.record((day, 82_100 + k * 2000), who, kind, &object, &more);
            }
        }
    }
}
