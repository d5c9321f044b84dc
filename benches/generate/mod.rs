//! Invented exports for benchmarks: seeded, and so the same on every machine.

use std::io::Write;

/// What `--size` says, in megabytes; 200 when not given.
pub(crate) fn size() -> u64 {
    let arguments: Vec<String> = std::env::args().collect();
    arguments
        .iter()
        .position(|a| a == "--size")
        .and_then(|i| arguments.get(i + 1))
        .map_or(200, |n| n.parse().expect("--size takes megabytes"))
}

/// A small generator of numbers, the same on every machine.
pub(crate) struct Seed(pub u64);

impl Seed {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
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

/// Second of an event after so many bytes of an export of so many, where events are spread over so many seconds and the earliest comes first.
pub(crate) fn second_at(written: u64, bytes: u64, seconds: u64) -> u64 {
    written * seconds / bytes.max(1) % seconds
}

/// A record of one of four workloads, about as long and as varied as real ones, of this second of the month.
pub(crate) fn record(seed: &mut Seed, second: u64) -> (String, String, String, u64) {
    let (id, org) = (seed.guid(), "c8085975-d882-42d2-9193-d82d752a5de9");
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

/// CloudAppEvents as lines of JSON, about so many bytes over so many seconds.
pub(crate) fn cloud_app_lines(out: &mut dyn Write, bytes: u64, seconds: u64) {
    let mut seed = Seed(2);
    let (mut written, mut n) = (0, 0);
    let mut last = String::new();
    while written < bytes {
        if n % 50 != 49 || last.is_empty() {
            let (id, operation, text, _) = record(&mut seed, second_at(written, bytes, seconds));
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
