//! Which table rows are of, where they do not say it as one export of one table does: unions, query answers, projections, names of files;
//! custom tables as they are asked; lists that cannot be read.

use std::path::Path;

use crate::ask;
use crate::command_line::run;

/// Status, answer and messages of a run.
fn told(arguments: &[&str]) -> (Option<i32>, String) {
    let out = run(arguments);
    let text = [out.stdout, out.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (out.status.code(), text)
}

/// A folder with an archive to be.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Case {
        Case {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// A case with one file that was read without a fault; and what was said.
    fn of(name: &str, content: &str) -> (Case, String) {
        let case = Case::new();
        let file = case.file(name, content.as_bytes());
        let (code, said) = case.ingest(&[&file], &[]);
        assert_eq!(code, Some(0), "{said}");
        (case, said)
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
        path.to_string_lossy().into_owned()
    }

    fn archive(&self) -> String {
        let path = self.folder.path().join("archive");
        path.to_string_lossy().into_owned()
    }

    fn ingest(&self, inputs: &[&str], options: &[&str]) -> (Option<i32>, String) {
        let archive = self.archive();
        let mut arguments = vec!["ingest"];
        arguments.extend(inputs);
        arguments.extend(["-a", archive.as_str()]);
        arguments.extend(options);
        told(&arguments)
    }

    fn ask(&self, sql: &str) -> Vec<String> {
        ask(Path::new(&self.archive()), sql)
    }

    fn kql(&self, query: &str) -> String {
        let (code, said) = told(&["kql", "-a", &self.archive(), "-f", "csv", query]);
        assert_eq!(code, Some(0), "{query}: {said}");
        said
    }
}

const T: &str = "2026-06-01T08:00:00Z";

#[test]
fn rows_of_several_tables_in_one_csv_each_go_to_theirs() {
    let rows = format!(
        "TimeGenerated [UTC],Type,Id,UserPrincipalName,IPAddress,ResultType\n\
         {T},SigninLogs,a,ada@contoso.com,192.0.2.1,0\n\
         {T},AADNonInteractiveUserSignInLogs,b,bob@contoso.com,192.0.2.2,0\n\
         {T},Paint_CL,,cy@contoso.com,192.0.2.3,\n\
         {T},,d,dan@contoso.com,192.0.2.4,0\n"
    );
    let case = Case::new();
    let file = case.file("union.csv", rows.as_bytes());
    let (code, planned) = case.ingest(&[&file], &["--dry-run"]);
    assert_eq!(code, Some(0), "{planned}");
    let first = "of its first 4 records 2 of SigninLogs, 1 of AADNonInteractiveUserSignInLogs, 1 of OtherRecords";
    assert!(planned.contains(first), "{planned}");
    let (code, said) = case.ingest(&[&file], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        case.ask("SELECT \"Type\", \"UserPrincipalName\" FROM SigninLogs ORDER BY \"Id\""),
        ["SigninLogs|ada@contoso.com", "SigninLogs|dan@contoso.com"]
    );
    let other = "SELECT \"UserPrincipalName\" FROM AADNonInteractiveUserSignInLogs";
    assert_eq!(case.ask(other), ["bob@contoso.com"]);
    let custom = case.kql("Paint_CL | project Type, UserPrincipalName, TimeGenerated");
    assert!(
        custom.contains("Paint_CL,cy@contoso.com,2026-06-01"),
        "{custom}"
    );
}

#[test]
fn a_custom_table_that_comes_first_hides_no_rows_of_others() {
    let rows = format!(
        "TimeGenerated [UTC],Type,Id,UserPrincipalName,ResultType,Colour,Shape\n\
         {T},Paint_CL,,,,red,round\n{T},SigninLogs,a,ada@contoso.com,0,,\n"
    );
    let (case, _) = Case::of("union.csv", &rows);
    assert_eq!(
        case.ask("SELECT \"Id\", \"ResultType\" FROM SigninLogs"),
        ["a|0"]
    );
    assert_eq!(case.ask("SELECT \"Colour\" FROM \"Paint_CL\""), ["red"]);
}

#[test]
fn columns_of_a_union_name_the_table() {
    for column in ["source_", "$table", "TableName", "SourceTable"] {
        let csv = format!(
            "{column},TimeGenerated [UTC],Id,UserPrincipalName,IPAddress,ResultType\n\
             AADNonInteractiveUserSignInLogs,{T},a,ada@contoso.com,192.0.2.1,0\n\
             SigninLogs,{T},b,bob@contoso.com,192.0.2.2,0\n\
             Paint_CL,{T},,cy@contoso.com,,\n"
        );
        let object = |table: &str, id: &str| {
            format!(
                r#"{{"{column}":"{table}","TimeGenerated":"{T}","Id":"{id}","UserPrincipalName":"{id}@contoso.com","ResultType":"0"}}"#
            )
        };
        let lines = [
            object("AADNonInteractiveUserSignInLogs", "a"),
            object("SigninLogs", "b"),
            object("Paint_CL", "c"),
        ];
        let row = |table: &str, id: &str| format!(r#"["{table}","{T}","{id}","0"]"#);
        let names = [column, "TimeGenerated", "Id", "ResultType"];
        let columns = names.map(|n| format!(r#"{{"name":"{n}","type":"string"}}"#));
        let answer = format!(
            r#"{{"tables":[{{"name":"PrimaryResult","columns":[{}],"rows":[{},{},{}]}}]}}"#,
            columns.join(","),
            row("AADNonInteractiveUserSignInLogs", "a"),
            row("SigninLogs", "b"),
            row("Paint_CL", "c")
        );
        for (name, content) in [
            ("union.csv", csv),
            ("union.jsonl", lines.join("\n")),
            ("answer.json", answer),
        ] {
            let (case, said) = Case::of(name, &content);
            let count = |table: &str| case.ask(&format!("SELECT count(*) FROM \"{table}\""));
            for table in ["AADNonInteractiveUserSignInLogs", "SigninLogs", "Paint_CL"] {
                assert_eq!(count(table), ["1"], "{column} of {name}, {table}: {said}");
            }
        }
    }
}

#[test]
fn a_query_answer_is_told_by_what_stands_in_its_rows() {
    let names = [
        "TimeGenerated",
        "Category",
        "UserPrincipalName",
        "IPAddress",
        "ResultType",
    ];
    let columns = names.map(|n| format!(r#"{{"name":"{n}","type":"string"}}"#));
    let answer = format!(
        r#"{{"tables":[{{"name":"PrimaryResult","columns":[{}],"rows":[["{T}","NonInteractiveUserSignInLogs","ada@contoso.com","192.0.2.1","0"]]}}]}}"#,
        columns.join(",")
    );
    let (case, said) = Case::of("answer.json", &answer);
    let sql = "SELECT \"Type\" FROM AADNonInteractiveUserSignInLogs";
    assert_eq!(case.ask(sql), ["AADNonInteractiveUserSignInLogs"], "{said}");
    // The user's word goes before what the columns say.
    let case = Case::new();
    let file = case.file(
        "answer.json",
        answer.replace("NonInteractive", "").as_bytes(),
    );
    let (code, said) = case.ingest(&[&file], &["--as", "ADFSSignInLogs"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        case.ask("SELECT count(*) FROM ADFSSignInLogs"),
        ["1"],
        "{said}"
    );
}

#[test]
fn rows_of_tables_that_are_not_stored_are_no_rows_of_others() {
    let csv = format!(
        "Timestamp,DeviceName,ActionType,RemoteIP,RemotePort,RemoteUrl\n{T},ws-1,ConnectionSuccess,192.0.2.9,443,contoso.com\n"
    );
    let object = format!(
        r#"{{"Timestamp":"{T}","DeviceName":"ws-1","ActionType":"ConnectionSuccess","RemoteIP":"192.0.2.9","RemotePort":443,"RemoteUrl":"contoso.com"}}"#
    );
    for (name, content) in [
        ("net.csv", csv),
        ("net.jsonl", object.clone()),
        (
            "hunting.json",
            format!(r#"{{"schema":[],"results":[{object}]}}"#),
        ),
    ] {
        let case = Case::new();
        let file = case.file(name, content.as_bytes());
        let (code, planned) = case.ingest(&[&file], &["--dry-run"]);
        assert_eq!(code, Some(0), "{planned}");
        assert!(
            planned.contains("DeviceNetworkEvents, which is not stored"),
            "{planned}"
        );
        let (code, said) = case.ingest(&[&file], &[]);
        assert_eq!(code, Some(0), "{said}");
        let rows =
            case.kql("DeviceNetworkEvents | project Timestamp, DeviceName, RemotePort, Type");
        assert!(
            rows.contains("2026-06-01T08:00:00Z,ws-1,443,DeviceNetworkEvents"),
            "{name}: {rows}"
        );
    }
    // Its columns are those of several: the file's name says which.
    let rows = format!(
        "Timestamp,DeviceName,ActionType,FileName,FolderPath,InitiatingProcessFileName\n{T},ws-1,ImageLoaded,a.dll,C:\\x,b.exe\n"
    );
    let (case, said) = Case::of("DeviceImageLoadEvents_2026-06-01.csv", &rows);
    assert!(
        said.contains("DeviceImageLoadEvents by the file's name"),
        "{said}"
    );
    assert!(
        case.kql("DeviceImageLoadEvents | project FileName")
            .contains("a.dll")
    );
}

#[test]
fn what_stands_in_the_rows_decides_between_tables_with_alike_columns() {
    for (rows, table) in [
        (
            format!("TimeGenerated [UTC],SourceSystem,Operation,UserId,ClientIP\n{T},OfficeActivityManager,FileDownloaded,ada@contoso.com,192.0.2.1\n"),
            "OfficeActivity",
        ),
        (
            format!("TimeGenerated [UTC],Operation,UserId,ClientIP\n{T},FileDownloaded,ada@contoso.com,192.0.2.1\n"),
            "OfficeActivity",
        ),
        (
            format!("TimeGenerated [UTC],Operation,UserId,ClientIP\n{T},SensitivityLabelUpdated,ada@contoso.com,192.0.2.1\n"),
            "MicrosoftPurviewInformationProtection",
        ),
        (
            format!("Timestamp,ActionType,Application,AccountDisplayName,IPAddress\n{T},FileDownloaded,Microsoft SharePoint Online,Ada,192.0.2.1\n"),
            "CloudAppEvents",
        ),
        (
            format!("Timestamp,ActionType,Application,AccountUpn,DeviceName,IPAddress\n{T},LogonFailed,Active Directory,ada@contoso.com,ws-1,192.0.2.1\n"),
            "IdentityLogonEvents",
        ),
        (
            format!("Timestamp,ActionType,Application,AccountUpn,DeviceName,IPAddress\n{T},LDAP query,Active Directory,ada@contoso.com,ws-1,192.0.2.1\n"),
            "IdentityQueryEvents",
        ),
        (
            format!("TimeGenerated [UTC],ServicePrincipalName,AppId,IPAddress,ResultType\n{T},robot,5e5e5e5e-0000-4000-8000-000000001201,192.0.2.1,0\n"),
            "AADServicePrincipalSignInLogs",
        ),
        (
            "CreationTime,RecordType,UserId,Operation,Workload,ResultStatus,ObjectId,ClientIP\n2026-06-01T08:00:00,6,ada@contoso.com,FileDownloaded,SharePoint,,x,192.0.2.1\n".to_string(),
            "UnifiedAuditLog",
        ),
    ] {
        let (case, said) = Case::of("export.csv", &rows);
        let sql = format!("SELECT count(*), min(TimeGenerated) IS NULL FROM stored.\"{table}\"");
        assert_eq!(case.ask(&sql), ["1|false"], "{table}: {said}");
    }
}

const CUSTOM: &str = "TimeGenerated [UTC],Type,Count_d,Flag_b,Name_s,When_t [UTC],a b,Key,key
2026-06-01T08:00:00Z,Paint_CL,3,True,x,2026-06-01T07:00:00Z,blank,1,2
2026-06-01T09:00:00Z,Paint_CL,10.5,false,y,2026-06-01T08:00:00Z,blank,1,2
";

#[test]
fn a_custom_table_is_asked_like_any_other() {
    let (case, _) = Case::of("paint.csv", CUSTOM);
    // Types by the names that Log Analytics gives, and no columns of ours where none is asked for.
    let rows = case.kql(
        "Paint_CL | where Count_d > 4 and not(Flag_b) and When_t > datetime(2026-06-01T07:30)",
    );
    let header = rows.lines().next().expect("a header");
    assert_eq!(
        header,
        "TimeGenerated,Type,Count_d,Flag_b,Name_s,When_t,a b,Key,key"
    );
    assert!(rows.contains("10.5,false,y"), "{rows}");
    assert!(
        case.kql("['Paint_CL'] | where Count_d < 4 | project ['a b'], Key, key, _Source")
            .contains("blank,1,2,1:1")
    );
    let (code, said) = told(&[
        "sql",
        "-a",
        &case.archive(),
        "-f",
        "csv",
        "SELECT * FROM Paint_CL",
    ]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        !said.contains("ExtraColumns") && !said.contains("_Record"),
        "{said}"
    );
    assert!(case.kql("union *_CL | count").contains("2"));
    // It is listed, with its rows and columns.
    let (code, said) = told(&["sql", "-a", &case.archive(), "-f", "csv", "SHOW TABLES"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Paint_CL,table"), "{said}");
    let (code, said) = told(&["tables", "-a", &case.archive()]);
    assert_eq!(code, Some(0), "{said}");
    let line = said
        .lines()
        .find(|l| l.contains("Paint_CL"))
        .expect("its line");
    assert!(
        line.contains('2') && line.contains("2026-06-01T09:00:00Z"),
        "{line}"
    );
    let (code, said) = told(&["tables", "-a", &case.archive(), "--columns", "paint_cl"]);
    assert_eq!(code, Some(0), "{said}");
    for (column, ty) in [
        ("Count_d", "real"),
        ("Flag_b", "bool"),
        ("When_t", "datetime"),
        ("Name_s", "string"),
    ] {
        let line = said.lines().find(|l| l.contains(column)).expect("its line");
        assert!(line.contains(ty), "{line}");
    }
}

#[test]
fn the_users_name_holds_for_a_folder_and_for_rows_without_a_header() {
    let case = Case::new();
    case.file("in/a.csv", format!("Received,Colour\n{T},red\n").as_bytes());
    case.file(
        "in/b.jsonl",
        format!("{{\"Received\":\"{T}\",\"Colour\":\"blue\"}}\n").as_bytes(),
    );
    case.file(
        "in/c.json",
        format!("[{{\"Received\":\"{T}\",\"Colour\":\"green\"}}]").as_bytes(),
    );
    let folder = case.folder.path().join("in").to_string_lossy().into_owned();
    let (code, said) = case.ingest(&[&folder], &["--as", "Paint_CL"]);
    assert_eq!(code, Some(0), "{said}");
    let sql = "SELECT \"Colour\", \"Type\" FROM \"Paint_CL\" ORDER BY 1";
    assert_eq!(
        case.ask(sql),
        ["blue|Paint_CL", "green|Paint_CL", "red|Paint_CL"]
    );
    let case = Case::new();
    let file = case.file("bare.csv", format!("{T},red,1\n{T},blue,2\n").as_bytes());
    let (code, said) = case.ingest(&[&file], &["--as", "Paint_CL(TimeGenerated,Colour,Count)"]);
    assert_eq!(code, Some(0), "{said}");
    let sql = "SELECT \"Colour\" FROM \"Paint_CL\" ORDER BY 1";
    assert_eq!(case.ask(sql), ["blue", "red"]);
}

#[test]
fn tables_of_audit_records_taken_apart_are_audit_records() {
    let row = format!(
        r#"{{"TenantId":"w","TimeGenerated":"{T}","Type":"AuditGeneral_CL","CreationTime_t":"2026-06-01T07:58:00Z","Id_g":"5e5e5e5e-0000-4000-8000-000000001301","Operation_s":"SensitivityLabelUpdated","RecordType_d":83.0,"Workload_s":"SharePoint","UserId_s":"ada@contoso.com","ObjectId_s":"plan.docx","SensitivityLabelEventData_SensitivityLabelId_g":"{PUBLIC}","SensitivityLabelEventData_OldSensitivityLabelId_g":"{SECRET}"}}"#
    );
    let csv = format!(
        "TenantId,TimeGenerated [UTC],CreationTime_t [UTC],Id_g,Operation_s,RecordType_d,Workload_s,UserId_s,SensitivityLabelEventData_SensitivityLabelId_g,SensitivityLabelEventData_OldSensitivityLabelId_g,Type\n\
         w,{T},2026-06-01T07:58:00Z,5e5e5e5e-0000-4000-8000-000000001301,SensitivityLabelUpdated,83,SharePoint,ada@contoso.com,{PUBLIC},{SECRET},AuditGeneral_CL\n"
    );
    for (name, content) in [("AuditGeneral_CL.jsonl", row), ("AuditGeneral_CL.csv", csv)] {
        let (case, said) = Case::of(name, &content);
        let sql = "SELECT \"TimeGenerated\", \"Operation\", \"RecordType\", \"UserId\" FROM UnifiedAuditLog";
        assert_eq!(
            case.ask(sql),
            ["2026-06-01T07:58:00Z|SensitivityLabelUpdated|83|ada@contoso.com"],
            "{name}: {said}"
        );
        let sql = "SELECT \"OldLabelId\", \"NewLabelId\" FROM LabelEvents";
        assert_eq!(case.ask(sql), [format!("{SECRET}|{PUBLIC}")], "{name}");
        // Its queries are asked as before.
        let rows =
            case.kql("AuditGeneral_CL | where RecordType_d == 83 | project Type, Operation_s");
        assert!(
            rows.contains("AuditGeneral_CL,SensitivityLabelUpdated"),
            "{name}: {rows}"
        );
    }
}

#[test]
fn a_dry_run_tells_of_rows_that_will_not_be_events() {
    let case = Case::new();
    let file = case.file(
        "audit.jsonl",
        b"{\"CreationTime\":\"2026-06-01T08:00:00\",\"Id\":\"a\",\"Operation\":\"x\",\"RecordType\":1}\n{\"CreationTime\":\n",
    );
    let (_, planned) = case.ingest(&[&file], &["--dry-run"]);
    assert!(
        planned.contains("of its first 2 records 1 to quarantine"),
        "{planned}"
    );
    let (code, said) = case.ingest(&[&file], &[]);
    assert_eq!(code, Some(10), "{said}");
}

#[test]
fn published_tables_have_the_columns_of_both_products() {
    let row = format!(
        r#"{{"time":"{T}","tenantId":"t","operationName":"Publish","category":"AdvancedHunting-CampaignInfo","properties":{{"Timestamp":"{T}","CampaignName":"n","CampaignSubtype":"s","NetworkMessageId":"m"}}}}"#
    );
    let (case, _) = Case::of("campaign.jsonl", &row);
    let rows = case.kql("CampaignInfo | project CampaignSubtype, CampaignSubType, CampaignName");
    assert!(rows.contains("s,s,n"), "{rows}");
    for (table, column, ty) in [
        ("AgentsInfo", "EntraAgentId", "string"),
        ("FileMaliciousContentInfo", "DocumentId", "string"),
        ("DeviceInfo", "Timestamp", "datetime"),
        ("PowerPlatformAdminActivity", "TimeGenerated", "datetime"),
    ] {
        let query = format!(
            "{table} | take 0 | project {column} | getschema | project ColumnName, ColumnType"
        );
        let rows = case.kql(&query);
        assert!(rows.contains(&format!("{column},{ty}")), "{table}: {rows}");
    }
}

const PUBLIC: &str = "22222222-0000-4000-8000-000000000001";
const SECRET: &str = "22222222-0000-4000-8000-000000000003";

#[test]
fn lists_of_other_shapes_are_read_or_said_to_be_what_they_are() {
    let record = format!(
        r#"{{"CreationTime":"2026-06-08T08:00:00","Id":"a1b2c3d4-0000-4000-8000-000000000901","Operation":"SensitivityLabelUpdated","RecordType":83,"UserType":0,"Workload":"SharePoint","UserId":"ada@contoso.com","SensitivityLabelEventData":{{"OldSensitivityLabelId":"{SECRET}","SensitivityLabelId":"{PUBLIC}"}},"ObjectId":"C:\\plan.docx"}}"#
    );
    let taken = |name: &str, list: &[u8]| {
        let case = Case::new();
        case.file("in/labels.jsonl", record.as_bytes());
        case.file(&format!("in/watchlists/{name}"), list);
        let folder = case.folder.path().join("in").to_string_lossy().into_owned();
        let (code, said) = case.ingest(&[&folder], &[]);
        let sql = "SELECT \"OldLabelName\", \"NewLabelName\", \"Action\" FROM LabelEvents";
        (code, said, case.ask(sql))
    };
    let rows = format!("Id,Name,Rank\r\n{PUBLIC},Public,0\r\n{SECRET},Secret,2\r\n");
    let wide: Vec<u8> = rows.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let padded = format!("Id,Name,Rank,,\n{PUBLIC},Public,0,,\n{SECRET},Secret,2,,\n");
    let sentinel = format!(
        "\"Id\",\"Name\",\"Rank\",\"SearchKey\",\"_DTItemId\",\"LastUpdatedTimeUTC\"\n\"{PUBLIC}\",\"Public\",\"0\",\"{PUBLIC}\",\"x\",\"{T}\"\n\"{SECRET}\",\"Secret\",\"2\",\"{SECRET}\",\"y\",\"{T}\"\n"
    );
    let object = |id: &str, name: &str, rank: u8| {
        format!(
            r#"<Obj><TN><T>Label</T></TN><Props><G N="Guid">{id}</G><S N="DisplayName">{name}</S><I32 N="Priority">{rank}</I32></Props></Obj>"#
        )
    };
    let objects = format!(
        "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\">{}{}</Objs>",
        object(PUBLIC, "Public", 0),
        object(SECRET, "Secret", 2)
    );
    for (name, list) in [
        ("Labels.csv", wide),
        ("Labels.csv", padded.into_bytes()),
        ("Labels.csv", sentinel.into_bytes()),
        ("Labels.tsv", rows.replace(',', "\t").into_bytes()),
        ("Labels.clixml", objects.into_bytes()),
        // As programs write numbers of which some are missing.
        (
            "Labels.csv",
            rows.replace(",0", ",0.0")
                .replace(",2\r", ",2.0\r")
                .into_bytes(),
        ),
    ] {
        let (code, said, events) = taken(name, &list);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(events, ["Secret|Public|LabelDowngraded"], "{said}");
    }
    for (name, list, why) in [
        (
            "Labels.xlsx",
            &b"PK\x03\x04rest"[..],
            "Excel workbook: save its sheet as CSV",
        ),
        (
            "Labels.csv",
            b"PK\x03\x04rest",
            "Excel workbook: save its sheet as CSV",
        ),
        (
            "Labels.xml",
            b"<Objs Version=\"1.1.0.1\"><Obj/></Objs>",
            "Export-Clixml and has no objects",
        ),
        (
            "Labels.json",
            b"{\"error\":{\"code\":\"Forbidden\"}}",
            "error answer",
        ),
    ] {
        let (code, said, events) = taken(name, list);
        assert_eq!(code, Some(10), "{said}");
        assert!(said.contains("refused") && said.contains(why), "{said}");
        assert_eq!(events.len(), 1, "{said}");
    }
    let (code, said, _) = taken("SensitivityLabels.csv", rows.as_bytes());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("reads from Labels.csv only"), "{said}");
}
