//! Lists of Entra by the names of their columns: those of an SDK in Python, lists of other things that look like sign-ins, and provisioning.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::command_line::run;
use crate::{ask, number};

/// An archive of files of these names and contents, read in one go without a fault.
struct Read {
    _folder: tempfile::TempDir,
    archive: PathBuf,
    said: String,
}

fn read(files: &[(&str, &str)]) -> Read {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let exports = folder.path().join("exports");
    std::fs::create_dir_all(&exports).expect("a folder");
    for (name, content) in files {
        std::fs::write(exports.join(name), content).expect("a file");
    }
    let out = run(&[
        "ingest",
        &exports.to_string_lossy(),
        "-a",
        &archive.to_string_lossy(),
    ]);
    let said = [out.stdout, out.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(out.status.code(), Some(0), "{said}");
    Read {
        _folder: folder,
        archive,
        said,
    }
}

impl Read {
    fn ask(&self, query: &str) -> Vec<String> {
        ask(&self.archive, query)
    }

    fn rows(&self, table: &str) -> u64 {
        number(&self.archive, &format!("SELECT count(*) FROM \"{table}\""))
    }
}

/// A sign-in as a program writes it that dumps the objects of the SDK.
fn dumped(id: &str) -> Value {
    json!({
        "id": id, "created_date_time": "2026-06-26T08:00:00Z", "user_principal_name": "ann@contoso.com", "user_id": "u",
        "app_display_name": "x", "ip_address": "192.0.2.1", "odata_type": null, "additional_data": {},
        "status": {"error_code": 50126, "failure_reason": "bad", "odata_type": null, "additional_data": {}},
        "location": {"city": "Bern", "country_or_region": "CH", "state": "Bern"},
        "conditional_access_status": "not_applied", "risk_level_during_sign_in": "high", "risk_state": "at_risk",
        "token_issuer_type": "azure_ad",
        "device_detail": {"browser": "Edge", "operating_system": "Windows", "is_compliant": true},
        "applied_conditional_access_policies": [{"id": "p", "display_name": "block_all", "result": "not_applied"}]
    })
}

#[test]
fn objects_of_an_sdk_are_the_rows_that_graph_s_are() {
    let mut second = dumped("b");
    second["is_interactive"] = json!(false);
    second["sign_in_event_types"] = json!(["non_interactive_user"]);
    let audit = json!([{
        "id": "d", "activity_date_time": "2026-05-08T10:01:00Z", "activity_display_name": "Add user", "category": "UserManagement",
        "initiated_by": {"user": {"user_principal_name": "ann@contoso.com", "display_name": null}},
        "target_resources": [{"user_principal_name": "bob@contoso.com", "display_name": "Bob",
            "modified_properties": [{"display_name": "x", "new_value": "1", "old_value": null}]}],
        "result": "success", "logged_by_service": "Core Directory", "correlation_id": "c", "additional_details": []
    }]);
    let read = read(&[
        ("signins.json", &json!([dumped("a"), second]).to_string()),
        ("audits.json", &audit.to_string()),
    ]);
    assert_eq!(
        read.ask(
            "SELECT ResultType, ResultDescription, Location, LocationDetails->>'countryOrRegion', Status->>'errorCode', RiskState, \
             ConditionalAccessStatus, TokenIssuerType, DeviceDetail->>'operatingSystem', ConditionalAccessPolicies->0->>'displayName', \
             ConditionalAccessPolicies->0->>'result' FROM SigninLogs"
        ),
        [
            "50126|bad|CH|CH|50126|atRisk|notApplied|AzureAD|Windows|block_all|notApplied"
        ],
        "{}",
        read.said
    );
    assert_eq!(
        read.ask("SELECT Id, ResultType, SignInEventTypes FROM AADNonInteractiveUserSignInLogs"),
        ["b|50126|[\"nonInteractiveUser\"]"]
    );
    assert_eq!(
        read.ask(
            "SELECT InitiatedBy->'user'->>'userPrincipalName', TargetResources->0->>'userPrincipalName', \
             TargetResources->0->'modifiedProperties'->0->>'newValue' FROM AuditLogs"
        ),
        ["ann@contoso.com|bob@contoso.com|1"]
    );
}

#[test]
fn lists_with_a_date_and_a_user_are_no_sign_ins() {
    let files = [
        (
            "tickets.csv",
            "\u{feff}Date,User,Application,Status\n2026-05-08,Ann,Outlook,Open\n",
        ),
        (
            "activities.csv",
            "Date,User,App,IP address,Location,Device,Activity\n2026-05-08T10:00:00Z,a@contoso.com,Box,192.0.2.1,DE,PC,Upload\n",
        ),
        (
            "activities2.csv",
            "Date,Description,Activity type,User,App,IP address,Location,Device,User agent,ISP,Correlation ID\n\
             2026-05-08T10:00:00.123Z,Download file,Download,a@contoso.com,SharePoint,192.0.2.1,DE,PC,ua,isp,c\n",
        ),
        (
            "web.csv",
            "date,user,app,ip,status,userAgent\n2026-05-08T10:00:00Z,ann,erp,192.0.2.1,200,curl\n",
        ),
        (
            "vpn.csv",
            "Date,User,Application,IPAddress,Location,Status\n2026-05-08T10:00:00Z,a@contoso.com,VPN,192.0.2.1,Bern,Success\n",
        ),
        (
            "vpn2.csv",
            "Date,User,IPAddress,Status,Location\n2026-05-08T10:00:00Z,a@contoso.com,192.0.2.1,Success,Bern\n",
        ),
        (
            "actions.csv",
            "Date,Activity,User,IP address,Result\n2026-05-08T10:00:00Z,Upload,a@contoso.com,192.0.2.1,Success\n",
        ),
    ];
    let read = read(&files);
    assert_eq!(read.rows("SigninLogs"), 0, "{}", read.said);
    assert_eq!(read.rows("AuditLogs"), 0, "{}", read.said);
    assert_eq!(
        read.rows("OtherRecords"),
        files.len() as u64,
        "{}",
        read.said
    );
}

#[test]
fn lists_as_the_portal_shows_them_stay_sign_ins() {
    let read = self::read(&[
        (
            "shown.csv",
            "Date,Request ID,User,Application,Status,IP address,Location,Conditional Access\n\
             2026-05-08T10:00:00Z,q1,Ann,Outlook,Success,192.0.2.1,\"Bern, Bern, CH\",Not Applied\n",
        ),
        (
            "some.csv",
            "Date (UTC),Username,Application,Status,IP address\n2026-05-08T10:00:01Z,ann@contoso.com,Outlook,Success,192.0.2.1\n",
        ),
    ]);
    assert_eq!(
        read.ask("SELECT ResultType, AppDisplayName FROM SigninLogs"),
        ["0|Outlook", "0|Outlook"],
        "{}",
        read.said
    );
}

#[test]
fn lists_of_people_and_applications_are_no_sign_ins() {
    let user = |id: &str| {
        json!({
            "displayName": "Ann", "userPrincipalName": "ann@contoso.com", "id": id, "userType": "Member",
            "createdDateTime": "2019-05-08T10:00:00Z"
        })
    };
    let mut active = user("1");
    active["signInActivity"] = json!({"lastSignInDateTime": "2026-05-08T10:00:00Z"});
    let page = |set: &str, record: &Value| {
        let context = format!("https://graph.microsoft.com/v1.0/$metadata#{set}");
        json!({"@odata.context": context, "value": [record]}).to_string()
    };
    let event = json!({
        "id": "5e5e5e5e-0000-4000-8000-000000000001", "createdDateTime": "2026-05-08T10:00:00Z", "userPrincipalName": "ann@contoso.com",
        "ipAddress": "192.0.2.1"
    });
    let read = read(&[
        (
            "active.json",
            &page(
                "users(displayName,userPrincipalName,signInActivity)",
                &active,
            ),
        ),
        ("plain.json", &json!([user("2")]).to_string()),
        (
            "GuestUsers.csv",
            "Id,UserPrincipalName,UserType,CreatedDateTime,DisplayName\n3,a@contoso.com,Guest,2019-05-08T10:00:00Z,A\n",
        ),
        (
            "states.csv",
            "Id,UserPrincipalName,UserType,CreatedDateTime,Status\n4,a@contoso.com,Guest,2019-05-08T10:00:00Z,Active\n",
        ),
        (
            "apps.csv",
            "Id,AppId,AppDisplayName,CreatedDateTime\n5,a5,Backup,2019-05-08T10:00:00Z\n",
        ),
        // The answer says what it has.
        ("things.json", &page("things", &event)),
        ("page.json", &page("auditLogs/signIns(id,status)", &event)),
    ]);
    assert_eq!(read.rows("OtherRecords"), 6, "{}", read.said);
    assert_eq!(
        read.ask("SELECT TimeGenerated, IPAddress FROM SigninLogs"),
        ["2026-05-08T10:00:00Z|192.0.2.1"],
        "{}",
        read.said
    );
}

#[test]
fn lists_of_provisioning_are_told_in_every_spelling() {
    let shell = "ActivityDateTime,ChangeId,CycleId,DurationInMilliseconds,Id,InitiatedBy,JobId,ModifiedProperties,ProvisioningAction,\
ProvisioningStatusInfo,ProvisioningSteps,ServicePrincipal,SourceIdentity,SourceSystem,TargetIdentity,TargetSystem,TenantId,AdditionalProperties\n\
5/18/2026 10:00:00 AM,ch,cy,100,p1,Microsoft.Graph.PowerShell.Models.MicrosoftGraphInitiator,j,\
Microsoft.Graph.PowerShell.Models.MicrosoftGraphModifiedProperty[],create,\
\"{\"\"Status\"\":\"\"failure\"\"}\",Microsoft.Graph.PowerShell.Models.MicrosoftGraphProvisioningStep[],A,B,C,D,\
Microsoft.Graph.PowerShell.Models.MicrosoftGraphProvisioningSystem,t,System.Collections.Generic.Dictionary\n";
    let portal = "\u{feff}\"Id\",\"Date (UTC)\",\"Action\",\"Status\",\"Change ID\",\"Cycle ID\",\"Job ID\",\"Tenant ID\",\"Duration (ms)\",\
\"Source Identity ID\",\"Source Identity Name\",\"Source Identity Type\",\"Target Identity ID\",\"Target Identity Name\",\"Source System\",\
\"Target System\",\"Initiated By\",\"Service Principal ID\",\"Service Principal Name\"\n\
\"p2\",\"2026-05-18T12:00:00Z\",\"Create\",\"Success\",\"c\",\"c\",\"j\",\"t\",\"100\",\"x\",\"Bob\",\"User\",\"y\",\"\",\"Azure AD\",\"SF\",\"sys\",\"sp\",\"Salesforce\"\n";
    let shown = "Date,Identity,Action,Source System,Target System,Status,ID,Job ID,Cycle ID,Change ID\n\
\"5/18/2026, 1:00:00 PM\",Bob,Create,Azure AD,SF,Skipped,p3,j,c,ch\n";
    let read = read(&[
        ("shell.csv", shell),
        ("ProvisioningLogs.csv", portal),
        ("shown.csv", shown),
    ]);
    assert!(!read.said.contains("no time"), "{}", read.said);
    assert_eq!(
        read.ask(
            "SELECT Id, TimeGenerated, ResultType, ProvisioningAction, DurationMs, JobId, SourceSystem, TargetSystem, \
             SourceIdentity->>'displayName', ServicePrincipal FROM AADProvisioningLogs ORDER BY Id"
        ),
        [
            "p1|2026-05-18T10:00:00Z|Failure|create|100|j|C|||A",
            "p2|2026-05-18T12:00:00Z|Success|Create|100|j|Azure AD|SF|Bob|{\"id\":\"sp\",\"displayName\":\"Salesforce\"}",
            "p3|2026-05-18T13:00:00Z|Skipped|Create||j|Azure AD|SF|Bob|",
        ],
        "{}",
        read.said
    );
}
