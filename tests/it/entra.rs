//! Sign-ins and audits of Entra in the spellings that people have: each is the row that Azure Monitor would have made of it.

use std::path::{Path, PathBuf};

use crate::command_line::run;
use crate::{ask, number};

/// An archive of files of these names and contents, ingested one after the other; what was said stands beside it.
struct Read {
    _folder: tempfile::TempDir,
    archive: PathBuf,
    said: String,
}

fn read(files: &[(&str, &str)]) -> Read {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let mut said = String::new();
    for (name, content) in files {
        let file = folder.path().join(name);
        std::fs::write(&file, content).expect("a file");
        let out = run(&[
            "ingest",
            &file.to_string_lossy(),
            "-a",
            &archive.to_string_lossy(),
        ]);
        said.push_str(&String::from_utf8_lossy(&out.stdout));
        said.push_str(&String::from_utf8_lossy(&out.stderr));
        assert_eq!(out.status.code(), Some(0), "{name}: {said}");
    }
    Read {
        _folder: folder,
        archive,
        said,
    }
}

fn rows(archive: &Path, table: &str) -> u64 {
    number(archive, &format!("SELECT count(*) FROM \"{table}\""))
}

const TENANT: &str = "11111111-2222-4333-8444-555555555555";

/// A sign-in as Graph gives it.
fn sign_in(n: u32, more: &str) -> String {
    format!(
        r#"{{"id":"5e5e5e5e-0000-4000-8000-{n:012}","createdDateTime":"2026-05-08T06:31:04Z","userDisplayName":"Ada Example",
        "userPrincipalName":"ada@contoso.com","userId":"aaaaaaaa-0000-4000-8000-000000000001","appId":"a1","appDisplayName":"Exchange",
        "ipAddress":"192.0.2.44","clientAppUsed":"Browser","conditionalAccessStatus":"success","resourceDisplayName":"Graph",
        "resourceId":"00000003-0000-0000-c000-000000000000","resourceTenantId":"{TENANT}","riskLevelDuringSignIn":"medium",
        "riskEventTypes_v2":["unfamiliarFeatures"],"userType":"member","processingTimeInMilliseconds":112,
        "deviceDetail":{{"deviceId":"","operatingSystem":"Windows10","browser":"Edge 137.0.0","isCompliant":false}},
        "location":{{"city":"Bern","state":"Bern","countryOrRegion":"CH","geoCoordinates":{{"latitude":46.9}}}},
        "appliedConditionalAccessPolicies":[{{"id":"c1","displayName":"CA001","result":"failure"}}]{more}}}"#
    )
}

const FAILURE: &str = r#","isInteractive":true,"signInEventTypes":["interactiveUser"],"status":{"errorCode":50126,"failureReason":"Invalid username or password.","additionalDetails":null}"#;
const SUCCESS: &str = r#","isInteractive":true,"signInEventTypes":["interactiveUser"],"status":{"errorCode":0,"failureReason":"Other.","additionalDetails":"MFA done"}"#;

#[test]
fn a_portal_json_is_read_as_log_analytics_has_it() {
    let text = format!(
        "\u{feff}[\n{},\n{}\n]",
        sign_in(1, FAILURE),
        sign_in(2, SUCCESS)
    );
    let read = read(&[("InteractiveSignIns_2026-05-08_2026-05-09.json", &text)]);
    assert_eq!(
        ask(
            &read.archive,
            "SELECT ResultType, ResultDescription, Location, LocationDetails->>'city', Status->>'errorCode', \
             ConditionalAccessPolicies->0->>'displayName', DeviceDetail->>'browser', RiskLevelDuringSignIn, UserType, IPAddress, \
             ResourceIdentity, ResourceId, ProcessingTimeInMilliseconds, OperationName, Category, Identity, TimeGenerated, ExtraColumns \
             FROM SigninLogs WHERE ResultType <> '0'"
        ),
        [
            "50126|Invalid username or password.|CH|Bern|50126|CA001|Edge 137.0.0|medium|Member|192.0.2.44|\
             00000003-0000-0000-c000-000000000000||112|Sign-in activity|SignInLogs|Ada Example|2026-05-08T06:31:04Z|\
             {\"signInEventTypes\":[\"interactiveUser\"]}"
        ]
    );
    // Azure Monitor gives no description with a success; what Graph said stays in Status.
    assert_eq!(
        ask(
            &read.archive,
            "SELECT ResultType, ResultDescription, Status->>'failureReason', Status->>'additionalDetails' FROM SigninLogs WHERE ResultType = '0'"
        ),
        ["0||Other.|MFA done"]
    );
    let out = run(&[
        "kql",
        "-a",
        &read.archive.to_string_lossy(),
        "-f",
        "csv",
        "SigninLogs | where ResultType in (\"50126\") | project ResultType, tostring(LocationDetails.countryOrRegion), Location",
    ]);
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(text.contains("50126,CH,CH"), "{text}");
}

#[test]
fn rows_of_one_file_go_to_the_table_of_their_kind() {
    let kinds = [
        FAILURE.to_string(),
        FAILURE.replace("true", "false").replace("interactiveUser", "nonInteractiveUser"),
        r#","isInteractive":false,"status":{"errorCode":0}"#.to_string(),
        r#","signInEventTypes":["servicePrincipal"],"servicePrincipalId":"s1","servicePrincipalName":"Backup job","status":{"errorCode":7000215,"failureReason":"Invalid client secret."}"#.to_string(),
        r#","signInEventTypes":["managedIdentity"],"servicePrincipalId":"s2","status":{"errorCode":0}"#.to_string(),
    ];
    let lines: Vec<String> = (1u32..)
        .zip(&kinds)
        .map(|(n, more)| sign_in(n, more).replace('\n', " "))
        .collect();
    let read = read(&[("signins.jsonl", &lines.join("\n"))]);
    for (table, want) in [
        ("SigninLogs", 1),
        ("AADNonInteractiveUserSignInLogs", 2),
        ("AADServicePrincipalSignInLogs", 1),
        ("AADManagedIdentitySignInLogs", 1),
    ] {
        assert_eq!(rows(&read.archive, table), want, "{table}");
    }
    assert_eq!(
        ask(
            &read.archive,
            "SELECT ResultType, ResultDescription, Location, Category, ExtraColumns->'status'->>'errorCode' FROM AADServicePrincipalSignInLogs"
        ),
        ["7000215|Invalid client secret.|CH|ServicePrincipalSignInLogs|7000215"]
    );
    assert_eq!(
        ask(
            &read.archive,
            "SELECT ProcessingTimeInMs, SignInEventTypes, IsInteractive, ConditionalAccessPolicies->0->>'result' \
             FROM AADNonInteractiveUserSignInLogs WHERE ResultType = '50126'"
        ),
        ["112|[\"nonInteractiveUser\"]|false|failure"]
    );
}

const PORTAL: &str = "\u{feff}Date (UTC),Request ID,User agent,Correlation ID,User ID,User,Username,User type,Incoming token type,\
Authentication Protocol,Application,Application ID ,Resource,Resource ID ,Home tenant name,IP address,Location,Status,Sign-in error code,\
Failure reason,Client app,Device ID,Browser,Operating System,Compliant,Managed,Join Type,Multifactor authentication result,\
Authentication requirement,IP address (seen by resource),Through Global Secure Access,Autonomous system  number,Flagged for review,\
Token issuer type,Incoming token type,Latency,Conditional Access\n\
2026-05-08T06:31:04Z,5e5e5e5e-0000-4000-8000-000000000001,Mozilla/5.0,c1,aaaaaaaa-0000-4000-8000-000000000001,Ada Example,ada@contoso.com,\
Member,None,None,Exchange,a1,Graph,00000003-0000-0000-c000-000000000000,Contoso,192.0.2.44,\"Bern, Bern, CH\",Failure,50126,\
Invalid username or password,Browser,,Edge 137.0.0,Windows10,false,true,Azure AD joined,,Single-factor authentication,,false,64500,false,\
Azure AD,None,112,Not Applied\n\
2026-05-08T06:31:40Z,5e5e5e5e-0000-4000-8000-000000000002,Mozilla/5.0,c1,aaaaaaaa-0000-4000-8000-000000000001,Ada Example,ada@contoso.com,\
Member,None,None,Exchange,a1,Graph,00000003-0000-0000-c000-000000000000,Contoso,203.0.113.7,CH,Success,None,\
Other.,Browser,,Edge 137.0.0,Windows10,false,true,,MFA done,Multifactor authentication,,false,64500,false,Azure AD,None,112,Success\n";

#[test]
fn the_portal_s_csv_fills_the_same_columns() {
    let read = read(&[("InteractiveSignIns_2026-05-08_2026-05-09.csv", PORTAL)]);
    assert_eq!(
        ask(
            &read.archive,
            "SELECT Id, ResultType, ResultDescription, Location, LocationDetails->>'city', Status->>'errorCode', DeviceDetail, \
             UserPrincipalName, UserDisplayName, AppDisplayName, AppId, ResourceDisplayName, ResourceIdentity, IPAddress, \
             AuthenticationRequirement, ConditionalAccessStatus, AutonomousSystemNumber, FlaggedForReview, TimeGenerated, IncomingTokenType, ExtraColumns \
             FROM SigninLogs WHERE ResultType = '50126'"
        ),
        [
            "5e5e5e5e-0000-4000-8000-000000000001|50126|Invalid username or password|CH|Bern|50126|\
             {\"browser\":\"Edge 137.0.0\",\"operatingSystem\":\"Windows10\",\"isCompliant\":false,\"isManaged\":true,\"trustType\":\"Azure AD joined\"}|\
             ada@contoso.com|Ada Example|Exchange|a1|Graph|00000003-0000-0000-c000-000000000000|192.0.2.44|\
             singleFactorAuthentication|notApplied|64500|false|2026-05-08T06:31:04Z|None|{\"Status\":\"Failure\"}"
        ]
    );
    // The portal writes no code, or `None`, with a success.
    assert_eq!(
        ask(
            &read.archive,
            "SELECT ResultDescription, Location, Status->>'additionalDetails', AuthenticationRequirement, ConditionalAccessStatus FROM SigninLogs WHERE ResultType = '0'"
        ),
        ["|CH|MFA done|multiFactorAuthentication|success"]
    );
}

#[test]
fn lists_with_equal_columns_are_told_by_their_name() {
    let read = read(&[("NonInteractiveSignIns_2026-05-08_2026-05-09.csv", PORTAL)]);
    assert_eq!(rows(&read.archive, "AADNonInteractiveUserSignInLogs"), 2);
    assert_eq!(rows(&read.archive, "SigninLogs"), 0);
    let kind = ask(&read.archive, "SELECT Kind FROM Ingests");
    assert!(kind[0].contains("by the file's name"), "{kind:?}");
    assert_eq!(
        ask(
            &read.archive,
            "SELECT ProcessingTimeInMs, ResultType FROM AADNonInteractiveUserSignInLogs ORDER BY ResultType"
        ),
        ["112|0", "112|50126"]
    );
}

#[test]
fn application_sign_ins_have_a_table_of_their_own() {
    let text = "Date (UTC),Request ID,Correlation ID,Service principal ID,Service principal name,Credential key ID,Credential thumbprint,\
Application,Application ID ,App owner tenant ID,Resource,Resource ID ,Resource owner tenant ID,Home tenant ID,IP address,Location,Status,\
Sign-in error code,Failure reason,Conditional Access\n\
2026-05-08T08:01:00Z,5e5e5e5e-0000-4000-8000-000000000004,c4,s1,Backup job,k1,,Backup job,a9,t1,Graph,r1,t2,t3,198.51.100.5,\"Bern, Bern, CH\",Success,0,Other.,Not Applied\n";
    let read = read(&[("ApplicationSignIns_2026-05-08.csv", text)]);
    assert_eq!(
        ask(
            &read.archive,
            "SELECT ServicePrincipalName, ServicePrincipalCredentialKeyId, AppId, AppOwnerTenantId, ResourceOwnerTenantId, ResultType, Location, \
             LocationDetails, IPAddress, TimeGenerated FROM AADServicePrincipalSignInLogs"
        ),
        [
            "Backup job|k1|a9|t1|t2|0|CH|{\"city\":\"Bern\",\"state\":\"Bern\",\"countryOrRegion\":\"CH\"}|198.51.100.5|2026-05-08T08:01:00Z"
        ]
    );
    // Its columns are those of managed identities, too: then the name decides.
    let read = self::read(&[("MSISignIns_2026-05-08.csv", text)]);
    assert_eq!(rows(&read.archive, "AADManagedIdentitySignInLogs"), 1);
}

#[test]
fn french_and_spanish_headers_are_read_and_german_ones_are_named() {
    let french = "\u{feff}Date (UTC),ID de demande,Agent utilisateur,ID de corrélation,ID de l'utilisateur,Utilisateur,Nom d'utilisateur,\
Type d'utilisateur,Application,ID application,Ressource,Adresse IP,Emplacement,État,Code d’erreur de connexion,Raison de l’échec,Application cliente,Conforme,Géré\n\
2026-06-22T08:00:00Z,5e5e5e5e-0000-4000-8000-000000000001,Mozilla/5.0,c1,u1,Ada Example,ada@contoso.com,Membre,Exchange,a1,Exchange,192.0.2.44,\
\"Berne, Berne, CH\",Échec,50126,Mot de passe non valide,Navigateur,false,false\n";
    let spanish = "Fecha (UTC),Id. de solicitud,Agente de usuario,Id. de correlación,Id. de usuario,Usuario,Nombre de usuario,Tipo de usuario,\
Aplicación,Recurso,Dirección IP,Ubicación,Estado,Motivo del error,Aplicación cliente,Sistema operativo,Explorador\n\
2026-06-22T09:00:00Z,5e5e5e5e-0000-4000-8000-000000000002,Mozilla/5.0,c1,u1,Ada Example,ada@contoso.com,Miembro,Exchange,Exchange,192.0.2.44,\
\"Madrid, Madrid, ES\",Correcto,Otros,Navegador,Windows10,Edge\n";
    let files = [
        ("ConnexionsInteractives.csv", french),
        ("IniciosDeSesion.csv", spanish),
    ];
    let read = read(&files);
    assert_eq!(
        ask(
            &read.archive,
            "SELECT ResultType, ResultDescription, Location, UserPrincipalName, UserType, UserAgent, TimeGenerated FROM SigninLogs ORDER BY TimeGenerated"
        ),
        [
            "50126|Mot de passe non valide|CH|ada@contoso.com|Member|Mozilla/5.0|2026-06-22T08:00:00Z",
            "0||ES|ada@contoso.com|Member|Mozilla/5.0|2026-06-22T09:00:00Z"
        ]
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("Anmeldungen.csv");
    let german = "Datum (UTC),Anforderungs-ID,Benutzer,Benutzername,Anwendung,IP-Adresse,Standort\n2026-06-22T08:00:00Z,r1,Ada,ada@contoso.com,Exchange,192.0.2.44,Bern\n";
    std::fs::write(&file, german).expect("a file");
    let archive = folder.path().join("archive");
    let out = run(&[
        "ingest",
        &file.to_string_lossy(),
        "-a",
        &archive.to_string_lossy(),
    ]);
    let text = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
    assert!(
        text.contains("in German") && text.contains("English"),
        "{text}"
    );
    assert_eq!(rows(&archive, "OtherRecords"), 1);
}

const AUDIT: &str = r#"{"id":"Directory_d1_X_1","category":"RoleManagement","correlationId":"d1","result":"success","resultReason":"","activityDisplayName":"Add member to role","activityDateTime":"2026-05-08T07:00:00.1234567Z","loggedByService":"Core Directory","operationType":"Assign","initiatedBy":{"app":null,"user":{"id":"u1","userPrincipalName":"admin@contoso.com","ipAddress":"192.0.2.9"}},"targetResources":[{"id":"t1","type":"User","userPrincipalName":"eve@contoso.com","modifiedProperties":[{"displayName":"Role.DisplayName","oldValue":null,"newValue":"\"Global Administrator\""}]}],"additionalDetails":[{"key":"TicketNumber","value":"42"}]}"#;

#[test]
fn directory_audits_have_a_time_and_an_operation() {
    let page = format!(r#"{{"@odata.context":"x","value":[{AUDIT}]}}"#);
    let read = read(&[
        ("AuditLogs.jsonl", AUDIT),
        ("AuditLogs_2026-05-08.json", &format!("[{AUDIT}]")),
        ("page.json", &page),
    ]);
    assert_eq!(
        ask(
            &read.archive,
            "SELECT TimeGenerated, ActivityDateTime, OperationName, ActivityDisplayName, AADOperationType, Result, LoggedByService, \
             InitiatedBy->'user'->>'userPrincipalName', TargetResources->0->>'userPrincipalName', AdditionalDetails->0->>'value' FROM AuditLogs"
        ),
        [
            "2026-05-08T07:00:00.123456Z|2026-05-08T07:00:00.123456Z|Add member to role|Add member to role|Assign|success|Core Directory|\
             admin@contoso.com|eve@contoso.com|42"
        ]
    );
    assert!(!read.said.contains("no time"), "{}", read.said);
}

#[test]
fn columns_of_targets_become_the_targets_of_an_audit() {
    let text = "\u{feff}Date (UTC),CorrelationId,Service,Category,Activity,Result,ResultReason,User Agent,ActorType,ActorDisplayName,ActorObjectId,\
ActorUserPrincipalName,IPAddress,ActorServicePrincipalId,Target1Type,Target1DisplayName,Target1ObjectId,Target1UserPrincipalName,\
Target1ModifiedProperty1Name,Target1ModifiedProperty1OldValue,Target1ModifiedProperty1NewValue,Target1ModifiedProperty2Name,\
Target1ModifiedProperty2OldValue,Target1ModifiedProperty2NewValue,Target2Type,Target2ObjectId,AdditionalDetail1Key,AdditionalDetail1Value\n\
2026-05-08T07:00:00Z,d1,Core Directory,RoleManagement,Add member to role,success,,Edge,User,Admin,u1,admin@contoso.com,192.0.2.9,,User,,t1,\
eve@contoso.com,Role.DisplayName,,\"\"\"Global Administrator\"\"\",Role.TemplateId,,\"\"\"62e9\"\"\",Role,r1,TicketNumber,42\n\
2026-05-08T07:05:00Z,d2,Core Directory,ApplicationManagement,Update application,success,,,Application,Sync App,,,,s1,Application,App,t2,,,,,,,,,,,\n";
    let read = read(&[("AuditLogs_2026-05-08.csv", text)]);
    assert_eq!(
        ask(
            &read.archive,
            "SELECT TimeGenerated, OperationName, LoggedByService, InitiatedBy, TargetResources, AdditionalDetails, Identity FROM AuditLogs ORDER BY TimeGenerated"
        ),
        [
            "2026-05-08T07:00:00Z|Add member to role|Core Directory|\
             {\"user\":{\"displayName\":\"Admin\",\"id\":\"u1\",\"userPrincipalName\":\"admin@contoso.com\",\"ipAddress\":\"192.0.2.9\"}}|\
             [{\"type\":\"User\",\"id\":\"t1\",\"userPrincipalName\":\"eve@contoso.com\",\"modifiedProperties\":[\
             {\"displayName\":\"Role.DisplayName\",\"newValue\":\"\\\"Global Administrator\\\"\"},\
             {\"displayName\":\"Role.TemplateId\",\"newValue\":\"\\\"62e9\\\"\"}]},{\"type\":\"Role\",\"id\":\"r1\"}]|\
             [{\"key\":\"TicketNumber\",\"value\":\"42\"}]|Admin",
            "2026-05-08T07:05:00Z|Update application|Core Directory|{\"app\":{\"displayName\":\"Sync App\",\"servicePrincipalId\":\"s1\"}}|\
             [{\"type\":\"Application\",\"displayName\":\"App\",\"id\":\"t2\"}]||Sync App"
        ]
    );
}

#[test]
fn what_powershell_makes_of_sign_ins_is_read() {
    let graph = r#"[{"AppDisplayName":"Exchange","AppId":"a1","AppliedConditionalAccessPolicies":[{"DisplayName":"CA001","Result":"failure","AdditionalProperties":{}}],
        "ClientAppUsed":"Browser","ConditionalAccessStatus":"success","CorrelationId":"c1","CreatedDateTime":"\/Date(1778221864000)\/",
        "DeviceDetail":{"Browser":"Edge","OperatingSystem":"Windows10","AdditionalProperties":{}},"IPAddress":"192.0.2.44","Id":"5e5e5e5e-0000-4000-8000-000000000001",
        "IsInteractive":true,"Location":{"City":"Bern","CountryOrRegion":"CH","GeoCoordinates":{"Latitude":46.9}},"ResourceId":"r1","RiskLevelDuringSignIn":"none",
        "Status":{"AdditionalDetails":null,"ErrorCode":50126,"FailureReason":"Invalid","AdditionalProperties":{}},
        "UserPrincipalName":"ada@contoso.com","UserId":"u1","AdditionalProperties":{}}]"#;
    // Export-Csv of the AzureAD module, and of objects that came from JSON.
    let module = "\"Id\",\"CreatedDateTime\",\"UserPrincipalName\",\"AppDisplayName\",\"IpAddress\",\"ClientAppUsed\",\"Status\",\"DeviceDetail\",\"Location\"\r\n\
\"5e5e5e5e-0000-4000-8000-000000000002\",\"2026-05-08T07:00:00Z\",\"ada@contoso.com\",\"Exchange\",\"192.0.2.44\",\"Browser\",\"class SignInStatus {\r\n  ErrorCode: 50053\r\n  FailureReason: Locked\r\n  AdditionalDetails: \r\n}\r\n\",\"class DeviceDetail {\r\n  Browser: Edge\r\n  IsCompliant: True\r\n}\r\n\",\"class SignInLocation {\r\n  City: Bern\r\n  CountryOrRegion: CH\r\n}\r\n\"\r\n\
\"5e5e5e5e-0000-4000-8000-000000000003\",\"2026-05-08T08:00:00Z\",\"ada@contoso.com\",\"Exchange\",\"192.0.2.44\",\"Browser\",\"@{errorCode=0; failureReason=Other.; additionalDetails=}\",\"@{browser=Edge; isCompliant=True}\",\"@{city=Bern; countryOrRegion=CH; geoCoordinates=}\"\r\n\
\"5e5e5e5e-0000-4000-8000-000000000004\",\"2026-05-08T09:00:00Z\",\"ada@contoso.com\",\"Exchange\",\"192.0.2.44\",\"Browser\",\"Microsoft.Graph.PowerShell.Models.MicrosoftGraphSignInStatus\",\"Microsoft.Graph.PowerShell.Models.MicrosoftGraphDeviceDetail\",\"CH\"\r\n";
    let read = read(&[("SignInLogs.json", graph), ("signins.csv", module)]);
    assert_eq!(
        ask(
            &read.archive,
            "SELECT TimeGenerated, ResultType, ResultDescription, Location, LocationDetails->>'city', DeviceDetail->>'browser', Status->>'errorCode' \
             FROM SigninLogs ORDER BY TimeGenerated"
        ),
        [
            "2026-05-08T06:31:04Z|50126|Invalid|CH|Bern|Edge|50126",
            "2026-05-08T07:00:00Z|50053|Locked|CH|Bern|Edge|50053",
            "2026-05-08T08:00:00Z|0||CH|Bern|Edge|0",
            "2026-05-08T09:00:00Z|||CH|||"
        ]
    );
    assert_eq!(
        ask(
            &read.archive,
            "SELECT ConditionalAccessPolicies, ResourceIdentity FROM SigninLogs WHERE ResultType = '50126'"
        ),
        ["[{\"displayName\":\"CA001\",\"result\":\"failure\"}]|r1"]
    );
    // What is lost is said, and the name of its type is kept beside the columns.
    assert!(
        read.said.contains("PowerShell wrote 2 nested values"),
        "{}",
        read.said
    );
    assert_eq!(
        ask(
            &read.archive,
            "SELECT ExtraColumns->>'Status' FROM SigninLogs WHERE ResultType IS NULL"
        ),
        ["Microsoft.Graph.PowerShell.Models.MicrosoftGraphSignInStatus"]
    );
}

#[test]
fn columns_that_scripts_take_apart_are_put_together() {
    let text = "CreatedDateTime,UserPrincipalName,UserDisplayName,AppDisplayName,IPAddress,City,Country,Device,Browser,OS,Status,RiskState,ConditionalAccessStatus\n\
2026-05-08T07:00:00Z,ada@contoso.com,Ada,Exchange,192.0.2.44,Bern,CH,,Edge 137,Windows 10,Success,none,notApplied\n";
    let flat = "id,created_date_time,user_principal_name,app_display_name,ip_address,status.errorCode,status.failureReason,location.city,location.countryOrRegion,deviceDetail.browser\n\
x1,2026-05-08T08:00:00Z,ada@contoso.com,Exchange,192.0.2.44,50126,Invalid,Bern,CH,Edge 137\n";
    let read = read(&[("01_SignInLogs.csv", text), ("flat.csv", flat)]);
    assert_eq!(
        ask(
            &read.archive,
            "SELECT TimeGenerated, ResultType, Location, LocationDetails->>'city', DeviceDetail->>'browser', UserPrincipalName FROM SigninLogs ORDER BY TimeGenerated"
        ),
        [
            "2026-05-08T07:00:00Z|0|CH|Bern|Edge 137|ada@contoso.com",
            "2026-05-08T08:00:00Z|50126|CH|Bern|Edge 137|ada@contoso.com"
        ]
    );
}

#[test]
fn the_location_of_an_ad_fs_sign_in_is_the_country() {
    let text = format!(
        r#"{{"time":"2026-05-12T09:02:10.5Z","resourceId":"/tenants/{TENANT}/providers/Microsoft.aadiam","operationName":"Sign-in activity","category":"ADFSSignInLogs","tenantId":"{TENANT}","resultType":"0","callerIpAddress":"192.0.2.44","location":"CH","properties":{}}}"#,
        sign_in(21, SUCCESS).replace('\n', " ")
    );
    let read = read(&[("insights-logs-adfssigninlogs.jsonl", &text)]);
    assert_eq!(
        ask(
            &read.archive,
            "SELECT ResultType, Location, ExtraColumns->'location'->>'city', ConditionalAccessPolicies->0->>'displayName', ResourceIdentity, TimeGenerated FROM ADFSSignInLogs"
        ),
        ["0|CH|Bern|CA001|00000003-0000-0000-c000-000000000000|2026-05-08T06:31:04Z"]
    );
}

#[test]
fn one_sign_in_in_two_spellings_is_one_event() {
    let line = sign_in(1, FAILURE).replace('\n', " ");
    let again = format!("{{\"value\":[{line}]}}");
    let log_analytics = r#"{"TimeGenerated":"2026-05-08T06:31:04Z","Type":"SigninLogs","Id":"5e5e5e5e-0000-4000-8000-000000000001","ResultType":"50126","Location":"CH"}"#;
    let read = read(&[
        ("InteractiveSignIns.json", &format!("[{line}]")),
        ("page.json", &again),
        ("am-signinlogs.jsonl", log_analytics),
    ]);
    assert_eq!(rows(&read.archive, "SigninLogs"), 1);
    assert_eq!(
        ask(
            &read.archive,
            "SELECT Duplicates, Revisions FROM Ingests ORDER BY _IngestId"
        ),
        ["0|0", "1|0", "0|1"]
    );
}

#[test]
fn the_resource_of_a_log_analytics_row_is_no_resource_of_the_sign_in() {
    let of = "/tenants/x/providers/Microsoft.aadiam";
    let line = |id: &str, more: &str| {
        format!(
            r#"{{"TimeGenerated":"2026-05-08T06:31:04Z","Type":"SigninLogs","_ResourceId":"{of}","_id":"66b1","Id":"{id}"{more}}}"#
        )
    };
    // Of the first, an older export or a projection, the column of the sign-in's own resource is not there.
    let lines = [
        line("s1", ""),
        line(
            "s2",
            &format!(r#","ResourceId":"{of}","ResourceIdentity":"r2""#),
        ),
    ];
    let csv = "TimeGenerated,Type,_ResourceId,Id\n2026-05-08T06:31:04Z,SigninLogs,/tenants/x,s3\n";
    let read = read(&[("a.jsonl", &lines.join("\n")), ("b.csv", csv)]);
    assert_eq!(
        ask(
            &read.archive,
            "SELECT Id, ResourceId, ResourceIdentity, ExtraColumns->>'_ResourceId' FROM SigninLogs ORDER BY Id"
        ),
        [
            format!("s1|||{of}"),
            format!("s2|{of}|r2|{of}"),
            "s3|||/tenants/x".to_string()
        ]
    );
}

#[test]
fn a_risky_sign_in_from_the_portal_raises_what_a_line_of_log_analytics_raises() {
    let sign_in = sign_in(71, SUCCESS)
        .replace("2026-05-08T06:31:04Z", "2026-06-26T03:05:00Z")
        .replace("192.0.2.44", "203.0.113.9")
        .replace(
            r#""riskLevelDuringSignIn":"medium""#,
            r#""riskLevelDuringSignIn":"high","riskLevelAggregated":"high","riskState":"atRisk""#,
        );
    let labels: Vec<String> = (0..2)
        .map(|n| {
            format!(
                r#"{{"CreationTime":"2026-06-26T03:3{n}:00","Id":"a1b2c3d4-0000-4000-8000-00000000131{n}","Operation":"FileSensitivityLabelRemoved","RecordType":6,"Workload":"SharePoint","ClientIP":"203.0.113.9","UserId":"ada@contoso.com","ObjectId":"https://contoso.sharepoint.com/sites/hr/Salaries{n}.xlsx","SourceFileName":"Salaries{n}.xlsx","OldSensitivityLabelId":"22222222-0000-4000-8000-000000000003"}}"#
            )
        })
        .collect();
    let read = read(&[
        (
            "InteractiveSignIns_2026-06-26.json",
            &format!("[{sign_in}]"),
        ),
        ("labels.jsonl", &labels.join("\n")),
    ]);
    let out = run(&["hunt", "-a", &read.archive.to_string_lossy(), "-m", "high"]);
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(text.contains("risky-signin-then-label-removal"), "{text}");
}

#[test]
fn columns_that_two_tables_share_are_taken_for_interactive_sign_ins() {
    let text = "TimeGenerated [UTC],CreatedDateTime [UTC],Id,UserPrincipalName,AppDisplayName,IPAddress,ResultType,ConditionalAccessStatus,RiskLevelDuringSignIn,AlternateSignInName\n\
\"6/18/2026, 8:00:00.000 AM\",\"6/18/2026, 8:00:00.000 AM\",5e5e5e5e-0000-4000-8000-000000001201,ada@contoso.com,Exchange,192.0.2.44,50126,success,none,ada\n";
    let interactive = read(&[("signins-interactive.csv", text)]);
    assert_eq!(rows(&interactive.archive, "SigninLogs"), 1);
    let other = read(&[("signins-noninteractive.csv", text)]);
    assert_eq!(rows(&other.archive, "AADNonInteractiveUserSignInLogs"), 1);
    assert_eq!(
        ask(
            &other.archive,
            "SELECT TimeGenerated, ResultType FROM AADNonInteractiveUserSignInLogs"
        ),
        ["2026-06-18T08:00:00Z|50126"]
    );
}

#[test]
fn risks_have_times() {
    let detection = r#"{"id":"d1","requestId":"r1","correlationId":"c1","riskEventType":"unfamiliarFeatures","riskState":"atRisk","riskLevel":"high","riskDetail":"none","source":"IdentityProtection","detectionTimingType":"realtime","activity":"signin","ipAddress":"203.0.113.9","activityDateTime":"2026-05-08T06:31:04Z","detectedDateTime":"2026-05-08T06:32:00Z","userId":"u1","userPrincipalName":"ada@contoso.com","additionalInfo":"[{\"Key\":\"userAgent\",\"Value\":\"x\"}]","location":{"city":"Bern","countryOrRegion":"CH"}}"#;
    let user = r#"{"value":[{"id":"u1","isDeleted":false,"isProcessing":false,"riskLevel":"high","riskState":"atRisk","riskDetail":"none","riskLastUpdatedDateTime":"2026-05-08T06:40:00Z","userDisplayName":"Ada","userPrincipalName":"ada@contoso.com"}]}"#;
    let read = read(&[
        ("riskDetections.jsonl", detection),
        ("riskyUsers.json", user),
    ]);
    assert_eq!(
        ask(
            &read.archive,
            "SELECT TimeGenerated, RiskEventType, Location->>'city', AdditionalInfo->0->>'Key' FROM AADUserRiskEvents"
        ),
        ["2026-05-08T06:32:00Z|unfamiliarFeatures|Bern|userAgent"]
    );
    assert_eq!(
        ask(
            &read.archive,
            "SELECT TimeGenerated, RiskLevel FROM AADRiskyUsers"
        ),
        ["2026-05-08T06:40:00Z|high"]
    );
}
