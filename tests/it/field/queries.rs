//! Queries that people ask over such exports, in their own words: operators, functions and spellings that must go on giving the same rows.

use super::Case;

/// Audits of Entra as Log Analytics has them: a change of a user, and two roles that were activated.
const AUDITS: &str = r#"{"TimeGenerated":"2026-06-03T01:00:00Z","Type":"AuditLogs","OperationName":"Update user","Result":"success","Id":"D1","Category":"UserManagement","InitiatedBy":{"user":{"userPrincipalName":"admin@contoso.com"}},"TargetResources":[{"type":"User","userPrincipalName":"eve@contoso.com","modifiedProperties":[{"displayName":"AccountEnabled","oldValue":"[true]","newValue":"[false]"},{"displayName":"Included Updated Properties","oldValue":null,"newValue":"\"AccountEnabled\""}]}],"AdditionalDetails":[{"key":"User-Agent","value":"Mozilla/5.0"}]}
{"TimeGenerated":"2026-06-03T02:00:00Z","Type":"AuditLogs","OperationName":"Add member to role completed (PIM activation)","Result":"success","Id":"D2","Category":"RoleManagement","InitiatedBy":{"user":{"userPrincipalName":"ada@contoso.com"}},"TargetResources":[{"displayName":"Global Administrator","type":"Role"}],"AdditionalDetails":[{"key":"TicketNumber","value":"77"},{"key":"TicketSystem","value":"Desk"},{"key":"ipaddr","value":"192.0.2.20"}]}
{"TimeGenerated":"2026-06-03T03:00:00Z","Type":"AuditLogs","OperationName":"Add member to role completed (PIM activation)","Result":"success","Id":"D3","Category":"RoleManagement","InitiatedBy":{"user":{"userPrincipalName":"bob@contoso.com"}},"TargetResources":[{"displayName":"Global Administrator","type":"Role"}],"AdditionalDetails":[{"key":"RoleDefinitionOriginId","value":"62e90394"}]}
"#;

/// What lies in a folder for `externaldata`.
fn lists() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in [
        (
            "torips.csv",
            "ip,seen\n203.0.113.7,2026-01-01\n2001:db8::/32,2026-01-02\n",
        ),
        (
            "ranges.json",
            r#"{"values":[{"name":"Cloud","properties":{"addressPrefixes":["192.0.2.0/24","198.51.100.0/25"]}},{"name":"Other","properties":{"addressPrefixes":["2001:db8:1::/48"]}}]}"#,
        ),
    ] {
        std::fs::write(folder.path().join(name), content).expect("a file");
    }
    folder
}

#[test]
fn of_equal_keys_inside_a_text_the_last_one_counts() {
    let case = Case::of(&[(
        "search.jsonl",
        r#"{"CreationTime":"2026-05-07T10:00:00","Id":"b1","Operation":"SearchQueryPerformed","RecordType":64,"UserId":"eve@contoso.com","Data":"{\"QueryTime\":\"5/7/2026 9:59:58 AM\",\"Query\":\"payroll\",\"Hits\":1,\"QueryTime\":\"2026-05-07T09:59:58Z\",\"Hits\":7}"}
"#,
    )]);
    case.says(0, "quarantined  0");
    case.answers(
        r#"UnifiedAuditLog | extend D = parse_json(tostring(AuditData.Data))
| project Query = tostring(D.Query), Hits = toint(D.Hits), QueryTime = todatetime(D.QueryTime)"#,
        &[],
        &["Query,Hits,QueryTime", "payroll,7,2026-05-07T09:59:58Z"],
    );
}

#[test]
fn details_inside_lists_of_names_and_values_are_reached() {
    let case = Case::of(&[(
        "directory.jsonl",
        r#"{"CreationTime":"2026-05-07T12:00:00","Id":"b1","Operation":"Update user.","RecordType":8,"Workload":"AzureActiveDirectory","UserId":"admin@contoso.com","ObjectId":"eve@contoso.com","ExtendedProperties":[{"Name":"extendedAuditEventCategory","Value":"User"},{"Name":"additionalDetails","Value":"{\"UserType\":\"Guest\",\"User-Agent\":\"python-requests/2.32\"}"}],"ModifiedProperties":[{"Name":"StrongAuthenticationMethod","NewValue":"[\r\n  {\r\n    \"MethodType\": 7,\r\n    \"Default\": true\r\n  }\r\n]","OldValue":"[]"}]}
"#,
    )]);
    case.says(0, "quarantined  0");
    case.answers(r#"UnifiedAuditLog
| mv-apply P = AuditData.ExtendedProperties on (where P.Name == "additionalDetails" | project Details = parse_json(tostring(P.Value)))
| mv-apply M = AuditData.ModifiedProperties on (project New = parse_json(tostring(M.NewValue))[0])
| project UserType = tostring(Details.UserType), Agent = tostring(Details["User-Agent"]), Method = toint(New.MethodType), IsDefault = tobool(New.Default)"#, &[], &[
        "UserType,Agent,Method,IsDefault",
        "Guest,python-requests/2.32,7,true",
    ]);
}

#[test]
fn parameters_of_exchange_may_be_a_list_a_text_an_object_or_missing() {
    let case = Case::of(&[(
        "exchange.jsonl",
        r#"{"CreationTime":"2026-05-07T13:00:31","Id":"b1","Operation":"Set-Mailbox","RecordType":1,"Workload":"Exchange","UserId":"admin@contoso.com","ResultStatus":"True","ObjectId":"info","Parameters":[{"Name":"Identity","Value":"info@contoso.com"},{"Name":"ForwardingSmtpAddress","Value":"smtp:mallory@example.net"}]}
{"CreationTime":"2026-05-07T13:00:32","Id":"b2","Operation":"Set-Mailbox","RecordType":1,"Workload":"Exchange","UserId":"admin@contoso.com","ResultStatus":"True","ObjectId":"info","Parameters":"[{\"Name\": \"ForwardingSmtpAddress\", \"Value\": \"smtp:mallory@example.net\"}]"}
{"CreationTime":"2026-05-07T13:00:33","Id":"b3","Operation":"Set-Mailbox","RecordType":1,"Workload":"Exchange","UserId":"admin@contoso.com","ResultStatus":"True","ObjectId":"info","Parameters":{"Identity":"info@contoso.com","ForwardingSmtpAddress":"smtp:mallory@example.net"}}
{"CreationTime":"2026-05-07T13:00:34","Id":"b4","Operation":"Set-Mailbox","RecordType":1,"Workload":"Exchange","UserId":"admin@contoso.com","ResultStatus":"True","ObjectId":"info","Parameters":"-Identity info -ForwardingSmtpAddress smtp:mallory@example.net"}
{"CreationTime":"2026-05-07T13:00:35","Id":"b5","Operation":"Set-Mailbox","RecordType":1,"Workload":"Exchange","UserId":"admin@contoso.com","ResultStatus":"True","ObjectId":"info"}
"#,
    )]);
    case.says(0, "quarantined  0");
    case.answers(r#"OfficeActivity | where Operation == "Set-Mailbox" | extend P = parse_json(Parameters)
| mv-apply P to typeof(dynamic) on (where P.Name == "ForwardingSmtpAddress" | project To = tostring(P.Value))
| project OfficeId, To | order by OfficeId asc"#, &[], &[
        "OfficeId,To",
        "b1,smtp:mallory@example.net",
        "b2,smtp:mallory@example.net",
    ]);
    case.answers(r#"OfficeActivity | extend Found = Parameters has "mallory" | project OfficeId, Found, Shape = gettype(parse_json(Parameters)) | order by OfficeId asc"#, &[], &[
        "OfficeId,Found,Shape",
        "b1,true,array",
        "b2,true,array",
        "b3,true,dictionary",
        "b4,true,string",
        "b5,false,null",
    ]);
    case.answers("UnifiedAuditLog | order by Id asc | project Id, Shape = gettype(AuditData.Parameters), To = tostring(AuditData.Parameters.ForwardingSmtpAddress)", &[], &[
        "Id,Shape,To",
        "b1,array,",
        "b2,string,",
        "b3,dictionary,smtp:mallory@example.net",
        "b4,string,",
        "b5,null,",
    ]);
}

#[test]
fn interactions_with_copilot_are_counted_for_each_user() {
    let case = Case::of(&[(
        "copilot.jsonl",
        r#"{"CreationTime":"2026-05-13T01:00:00","Id":"b1","Operation":"CopilotInteraction","Workload":"Copilot","UserId":"ada@contoso.com","RecordType":261,"CopilotEventData":{"AppHost":"Word","Messages":[{"Id":"1","isPrompt":true,"JailbreakDetected":true},{"Id":"2","isPrompt":false}],"AccessedResources":[{"Name":"plan.docx","SensitivityLabelId":"22222222-0000-4000-8000-000000000003"},{"Name":"menu.docx"}]}}
{"CreationTime":"2026-05-13T02:00:00","Id":"b2","Operation":"CopilotInteraction","Workload":"Copilot","UserId":"ada@contoso.com","RecordType":"TeamCopilotInteraction","CopilotEventData":{"AppHost":"Teams","Messages":[{"Id":"1","isPrompt":true}],"AccessedResources":[{"Name":"notes.docx"}]}}
{"CreationTime":"2026-05-13T03:00:00","Id":"b3","Operation":"CopilotInteraction","Workload":"Copilot","UserId":"bob@contoso.com","RecordType":328,"CopilotEventData":"{\"AppHost\": \"ThirdParty\", \"AccessedResources\": [{\"Name\":\"list.xlsx\"}]}"}
{"CreationTime":"2026-05-13T04:00:00","Id":"b4","Operation":"CopilotInteraction","Workload":"Copilot","UserId":"bob@contoso.com","RecordType":9999,"CopilotEventData":{"AppHost":"Later"}}
"#,
    )]);
    case.says(0, "quarantined  0");
    case.answers(r#"UnifiedAuditLog | extend E = parse_json(tostring(AuditData.CopilotEventData))
| mv-expand R = E.AccessedResources
| summarize Interactions = dcount(tostring(AuditData.Id)), Files = make_set(tostring(R.Name)), Labelled = countif(isnotempty(tostring(R.SensitivityLabelId))) by UserId
| order by UserId asc"#, &[], &[
        "UserId,Interactions,Files,Labelled",
        r#"ada@contoso.com,2,"[""plan.docx"",""menu.docx"",""notes.docx""]",1"#,
        r#"bob@contoso.com,2,"[""list.xlsx"",""""]",0"#,
    ]);
    case.answers("UnifiedAuditLog | order by Id asc | project Id, RecordType, Host = tostring(parse_json(tostring(AuditData.CopilotEventData)).AppHost)", &[], &[
        "Id,RecordType,Host",
        "b1,261,Word",
        "b2,334,Teams",
        "b3,328,ThirdParty",
        "b4,9999,Later",
    ]);
}

#[test]
fn each_action_of_an_inbox_rule_is_a_row() {
    let case = Case::of(&[(
        "exchange.jsonl",
        r#"{"CreationTime":"2026-06-01T08:00:00","Id":"b1","Operation":"UpdateInboxRules","RecordType":2,"Workload":"Exchange","UserId":"eve@contoso.com","ResultStatus":"Succeeded","ClientIP":"192.0.2.10","ClientIPAddress":"203.0.113.7","MailboxOwnerUPN":"eve@contoso.com","Parameters":[],"OperationProperties":[{"Name":"RuleOperation","Value":"AddMailboxRule"},{"Name":"RuleName","Value":"."},{"Name":"RuleActions","Value":"[{\"ActionType\":\"Forward\",\"Recipients\":[\"mallory@example.net\"]},{\"ActionType\":\"Delete\"}]"}]}
"#,
    )]);
    case.says(0, "quarantined  0");
    case.answers(r#"OfficeActivity
| where OfficeWorkload =~ "Exchange" and Operation =~ "UpdateInboxRules" and (ResultStatus =~ "True" or ResultStatus =~ "Succeeded")
| mv-apply P = OperationProperties on (summarize Bag = make_bag(bag_pack(tostring(P.Name), P.Value)))
| mv-expand Action = parse_json(tostring(Bag.RuleActions))
| project TimeGenerated, UserId, Client_IPAddress, RuleName = tostring(Bag.RuleName), ActionType = tostring(Action.ActionType), To = tostring(Action.Recipients[0]), ParametersEmpty = (Parameters == "[]" or isempty(Parameters))
| order by ActionType asc"#, &[], &[
        "TimeGenerated,UserId,Client_IPAddress,RuleName,ActionType,To,ParametersEmpty",
        "2026-06-01T08:00:00Z,eve@contoso.com,203.0.113.7,.,Delete,,true",
        "2026-06-01T08:00:00Z,eve@contoso.com,203.0.113.7,.,Forward,mallory@example.net,true",
    ]);
}

#[test]
fn older_spellings_of_operators_and_functions_run() {
    let case = Case::of(&[(
        "exchange.jsonl",
        r#"{"CreationTime":"2026-06-01T08:00:00","Id":"b1","Operation":"UpdateInboxRules","RecordType":2,"Workload":"Exchange","UserId":"eve@contoso.com","ResultStatus":"Succeeded","ClientIP":"192.0.2.10","ClientIPAddress":"203.0.113.7","MailboxOwnerUPN":"eve@contoso.com","Parameters":[],"OperationProperties":[{"Name":"RuleOperation","Value":"AddMailboxRule"},{"Name":"RuleName","Value":"."},{"Name":"RuleActions","Value":"[{\"ActionType\":\"Forward\",\"Recipients\":[\"mallory@example.net\"]},{\"ActionType\":\"Delete\"}]"}]}
"#,
    )]);
    case.says(0, "quarantined  0");
    case.answers(r#"OfficeActivity
| extend Nothing = columnifexists("NoSuchColumn", "absent"), Who = pack("User", UserId)
| where not(Operation containscs "updateinboxrules") and Operation containscs "Inbox"
| summarize makeset(UserId), make_bag(pack(UserId, Client_IPAddress)), makelist(Operation), any(Nothing) by OfficeWorkload"#, &[], &[
        "OfficeWorkload,set_UserId,bag_,list_Operation,any_Nothing",
        r#"Exchange,"[""eve@contoso.com""]","{""eve@contoso.com"":""203.0.113.7""}","[""UpdateInboxRules""]",absent"#,
    ]);
    case.answers(
        r#"let A = OfficeActivity | project UserId, ClientIP, Operation;
let Who = toscalar(A | summarize makeset(UserId));
A | join kind=leftouter (A) on Operation
| where UserId in (Who)
| mvexpand P = todynamic('["x","y"]')
| summarize makeset(UserId1), make_bag(pack(UserId1, ClientIP1)) by UserId, tostring(P)
| order by P asc"#,
        &[],
        &[
            "UserId,P,set_UserId1,bag_",
            r#"eve@contoso.com,x,"[""eve@contoso.com""]","{""eve@contoso.com"":""192.0.2.10""}""#,
            r#"eve@contoso.com,y,"[""eve@contoso.com""]","{""eve@contoso.com"":""192.0.2.10""}""#,
        ],
    );
}

#[test]
fn a_document_of_xml_is_taken_apart_and_a_broken_one_is_null() {
    let case = Case::none();
    case.answers(r#"datatable(TimeGenerated:datetime, Computer:string, EventData:string)[
 datetime(2026-06-02), 'ws-1', '<DataItem type="System.XmlData"><EventData xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><Data Name="RuleName">none</Data><Data Name="Image">C:\\Windows\\cmd.exe</Data></EventData></DataItem>']
| extend EventData = parse_xml(EventData).DataItem.EventData.Data
| mv-expand bagexpansion=array EventData
| evaluate bag_unpack(EventData)
| extend Key = tostring(column_ifexists('@Name', "")), Value = column_ifexists('#text', "")
| evaluate pivot(Key, take_any(Value), TimeGenerated, Computer)"#, &[], &[
        "TimeGenerated,Computer,Image,RuleName",
        r#"2026-06-02T00:00:00Z,ws-1,C:\Windows\cmd.exe,none"#,
    ]);
    case.answers(r#"datatable(Text:string)['<a><b>1</b></a>', '<a><b>1</a>', '', 'no xml']
| extend X = parse_xml(Text) | project Text, Null = isnull(X), Kind = gettype(X), B = tostring(X.a.b)"#, &[], &[
        "Text,Null,Kind,B",
        "<a><b>1</b></a>,false,dictionary,1",
        "<a><b>1</a>,true,null,",
        ",true,null,",
        "no xml,true,null,",
    ]);
}

#[test]
fn an_unpacked_bag_has_the_columns_of_its_schema() {
    let case = Case::of(&[("audits.jsonl", AUDITS)]);
    case.says(0, "quarantined  0");
    case.answers(r#"AuditLogs | where OperationName in~ ("add user", "update user") and Result =~ "success"
| mv-expand properties = TargetResources[0].modifiedProperties
| project OperationName, Id, properties
| evaluate bag_unpack(properties) : (displayName:string, oldValue:string, newValue:string, OperationName:string, Id:string)
| extend newValue = trim(@'[\[\]"]+', newValue)
| order by displayName asc"#, &[], &[
        "displayName,oldValue,newValue,OperationName,Id",
        "AccountEnabled,[true],false,Update user,D1",
        "Included Updated Properties,,AccountEnabled,Update user,D1",
    ]);
    case.answers(
        r#"AuditLogs | where OperationName == "Update user"
| mv-expand properties = TargetResources[0].modifiedProperties
| evaluate bag_unpack(properties)
| extend newValue = tostring(newValue)
| project OperationName, displayName, newValue | order by displayName asc"#,
        &[],
        &[
            "OperationName,displayName,newValue",
            "Update user,AccountEnabled,[false]",
            r#"Update user,Included Updated Properties,"""AccountEnabled""""#,
        ],
    );
}

#[test]
fn additional_details_become_columns_of_one_row_per_event() {
    let case = Case::of(&[("audits.jsonl", AUDITS)]);
    case.says(0, "quarantined  0");
    case.answers(r#"AuditLogs | where Category == 'RoleManagement' and OperationName has "PIM activation"
| mv-apply D = AdditionalDetails on (where D.key in ("TicketSystem", "TicketNumber") | summarize Ticket = make_bag(bag_pack(tostring(D.key), D.value)))
| project Id, By = tostring(InitiatedBy.user.userPrincipalName), System = tostring(Ticket.TicketSystem), Number = toint(Ticket.TicketNumber)
| order by Id asc"#, &[], &[
        "Id,By,System,Number",
        "D2,ada@contoso.com,Desk,77",
        "D3,bob@contoso.com,,",
    ]);
    case.answers(
        r#"AuditLogs | mv-expand bagexpansion=array AdditionalDetails
| evaluate bag_unpack(AdditionalDetails)
| evaluate pivot(key, make_set(value), Id)
| project Id, TicketNumber, ipaddr | order by Id asc"#,
        &[],
        &[
            "Id,TicketNumber,ipaddr",
            "D1,[],[]",
            r#"D2,"[""77""]","[""192.0.2.20""]""#,
            "D3,[],[]",
        ],
    );
}

#[test]
fn a_watchlist_with_blanks_in_its_names_joins_whatever_the_case() {
    let case = Case::of(&[
        ("audits.jsonl", AUDITS),
        (
            "watchlists/VIPUsers.csv",
            r#"User Identifier,User AAD Object Id,User Principal Name,Tags
7,a2,EVE@contoso.com,"[""exec""]"
8,a1,ada@contoso.com,[]
"#,
        ),
    ]);
    case.says(0, "quarantined  0");
    case.answers(
        r#"let VIPUsers = (_GetWatchlist('VIPUsers') | distinct ["User Principal Name"]);
AuditLogs | extend Target = tostring(TargetResources[0].userPrincipalName)
| where Target in~ (VIPUsers) | project OperationName, Target"#,
        &[],
        &["OperationName,Target", "Update user,eve@contoso.com"],
    );
    case.answers(r#"_GetWatchlist('VIPUsers') | project SearchKey, ["User AAD Object Id"], Tag = tostring(parse_json(Tags)[0]) | order by SearchKey asc"#, &[], &[
        "SearchKey,User AAD Object Id,Tag",
        "7,a2,exec",
        "8,a1,",
    ]);
}

#[test]
fn entities_of_an_alert_are_one_row_again() {
    let case = Case::of(&[(
        "alerts.jsonl",
        r#"{"TimeGenerated":"2026-06-06T08:00:00Z","Type":"SecurityAlert","AlertName":"Impossible travel","AlertSeverity":"Medium","SystemAlertId":"77777777-0000-4000-8000-000000000001","Entities":"[{\"$id\": \"3\", \"Name\": \"ada\", \"UPNSuffix\": \"contoso.com\", \"Type\": \"account\"}, {\"$id\": \"4\", \"Address\": \"203.0.113.7\", \"Type\": \"ip\"}, {\"$id\": \"5\", \"CommandLine\": \"cmd /c whoami\", \"Host\": {\"$ref\": \"6\"}, \"Type\": \"process\"}]"}
"#,
    )]);
    case.says(0, "quarantined  0");
    case.answers(r#"SecurityAlert
| extend E = parse_json(Entities) | mvexpand E
| extend Kind = tostring(parse_json(E).Type)
| summarize Upn = take_anyif(strcat(tostring(E.Name), "@", tostring(E.UPNSuffix)), Kind == "account"), Ip = take_anyif(tostring(E.Address), Kind == "ip"), Cmd = take_anyif(tostring(E.CommandLine), Kind == "process") by SystemAlertId, AlertName"#, &[], &[
        "SystemAlertId,AlertName,Upn,Ip,Cmd",
        "77777777-0000-4000-8000-000000000001,Impossible travel,ada@contoso.com,203.0.113.7,cmd /c whoami",
    ]);
}

#[test]
fn lists_of_addresses_from_files_are_looked_up() {
    let case = Case::of(&[(
        "signins.jsonl",
        r#"{"TimeGenerated":"2026-06-07T08:01:00Z","Type":"SigninLogs","Id":"s1","UserPrincipalName":"ada@contoso.com","IPAddress":"203.0.113.7","ResultType":"0"}
{"TimeGenerated":"2026-06-07T08:02:00Z","Type":"SigninLogs","Id":"s2","UserPrincipalName":"ada@contoso.com","IPAddress":"198.51.100.200","ResultType":"0"}
{"TimeGenerated":"2026-06-07T08:03:00Z","Type":"SigninLogs","Id":"s3","UserPrincipalName":"ada@contoso.com","IPAddress":"2001:db8:1::9","ResultType":"0"}
{"TimeGenerated":"2026-06-07T08:04:00Z","Type":"SigninLogs","Id":"s4","UserPrincipalName":"ada@contoso.com","IPAddress":"198.51.100.7","ResultType":"0"}
"#,
    )]);
    case.says(0, "quarantined  0");
    let folder = lists();
    let lists = folder.path().to_string_lossy();
    let lists = ["--external-data", &*lists];
    case.answers(r#"let Tor = externaldata(ip:string, seen:datetime)[@"https://example.org/lists/torips.csv"] with (format="csv", ignoreFirstRecord=true);
SigninLogs | where IPAddress in (Tor | project ip) | project IPAddress, UserPrincipalName"#, &lists, &[
        "IPAddress,UserPrincipalName",
        "203.0.113.7,ada@contoso.com",
    ]);
    case.answers(r#"let Ranges = externaldata(values:dynamic)[@"https://example.org/ranges.json"] with (format="multijson")
| mv-expand values | extend name = tostring(values.name), prefixes = values.properties.addressPrefixes
| mv-expand prefixes to typeof(string) | where prefixes !has ":" | project name, prefixes;
SigninLogs | evaluate ipv4_lookup(Ranges, IPAddress, prefixes, return_unmatched = true)
| project IPAddress, name, prefixes | order by IPAddress asc"#, &lists, &[
        "IPAddress,name,prefixes",
        "198.51.100.200,,",
        "198.51.100.7,Cloud,198.51.100.0/25",
        "2001:db8:1::9,,",
        "203.0.113.7,,",
    ]);
    case.answers(r#"SigninLogs | where isempty(ipv4_is_private(IPAddress)) or ipv4_is_private(IPAddress) == false
| where not(ipv4_is_in_any_range(IPAddress, dynamic(["198.51.100.0/24"])))
| extend Six = ipv6_is_in_any_range(IPAddress, dynamic(["2001:db8::/32"])) | project IPAddress, Six | order by IPAddress asc"#, &[], &[
        "IPAddress,Six",
        "203.0.113.7,false",
    ]);
    case.answers(r#"SigninLogs | extend Six = ipv6_is_in_any_range(IPAddress, dynamic(["2001:db8::/32"])), Private = ipv4_is_private(IPAddress) | project IPAddress, Six, Private | order by IPAddress asc"#, &[], &[
        "IPAddress,Six,Private",
        "198.51.100.200,false,false",
        "198.51.100.7,false,false",
        "2001:db8:1::9,true,",
        "203.0.113.7,false,false",
    ]);
}

#[test]
fn settings_that_are_json_inside_json_are_read() {
    let case = Case::of(&[(
        "cloudapp.jsonl",
        r#"{"TimeGenerated":"2026-06-10T08:00:00Z","Type":"CloudAppEvents","Timestamp":"2026-06-10T08:00:00Z","ActionType":"UpdateTenantSettings","Application":"Microsoft 365","ReportId":"r1","RawEventData":{"Operation":"UpdateTenantSettings","Id":"b1","CreationTime":"2026-06-10T08:00:00","ForAllUsers":"true","Resource":"{\"Property\":\"AllowOrgWideSharing\",\"NewValue\":\"{\\\"Mode\\\":\\\"None\\\",\\\"Groups\\\":[]}\",\"OriginalValue\":\"\\\"All\\\"\"}","AddedIdentities":"[]","RemovedIdentities":["a","b"]}}
"#,
    )]);
    case.says(0, "quarantined  0");
    case.answers(r#"CloudAppEvents
| where Application == "Microsoft 365" and ActionType == "UpdateTenantSettings"
| extend Setting = tostring(parse_json(tostring(RawEventData.Resource)).Property)
| extend NewValue = tostring(parse_json(tostring(parse_json(tostring(RawEventData.Resource)).NewValue)))
| extend OriginalValue = tostring(parse_json(tostring(parse_json(tostring(RawEventData.Resource)).OriginalValue)))
| extend Added = parse_json(RawEventData.AddedIdentities), Removed = parse_json(RawEventData.RemovedIdentities)
| project Setting, Mode = tostring(parse_json(NewValue).Mode), OriginalValue, A = array_length(Added), R = array_length(Removed), All = RawEventData.ForAllUsers == "true""#, &[], &[
        "Setting,Mode,OriginalValue,A,R,All",
        "AllowOrgWideSharing,None,All,,2,true",
    ]);
}

#[test]
fn a_pattern_of_several_groups_gives_arrays_of_arrays() {
    let case = Case::none();
    case.answers(r#"print Line = url_decode('winword.exe https%3A%2F%2Fcontoso.sharepoint.com%2Fsites%2Fhr?cid=0a1b2c3d-1111-2222-3333-444455556666 http://example.net/a/b')
| extend Cid = extract_all("([a-f,A-F,0-9]{8}\\-[a-f,A-F,0-9]{4}\\-[a-f,A-F,0-9]{4}\\-[a-f,A-F,0-9]{4}\\-[a-f,A-F,0-9]{12})", Line)
| mv-expand Cid
| extend Urls = extract_all(@"(\b(?:https?:\/\/([-a-zA-Z0-9@:%_\+.~#?&//=]{2,256}[a-z,0-9]{2,4}\b(\/[-a-zA-Z0-9@:%_\+.~#?&//=]*)?))\b)", Line)
| mv-expand Urls
| project Cid = tostring(Cid), First = tostring(Urls[0]), Groups = array_length(Urls), Kind = gettype(Urls)"#, &[], &[
        "Cid,First,Groups,Kind",
        "0a1b2c3d-1111-2222-3333-444455556666,https://contoso.sharepoint.com/sites/hr?cid=0a1b2c3d-1111-2222-3333-444455556666,3,array",
        "0a1b2c3d-1111-2222-3333-444455556666,http://example.net/a/b,3,array",
    ]);
}

#[test]
fn all_fields_of_the_records_are_columns() {
    let case = Case::of(&[(
        "ual.jsonl",
        r#"{"CreationTime":"2026-06-19T08:00:00","Id":"b1","Operation":"FileAccessed","RecordType":6,"UserId":"ada@contoso.com","SourceFileName":"a.docx","AppAccessContext":{"CorrelationId":"x"}}
{"CreationTime":"2026-06-19T08:01:00","Id":"b2","Operation":"SoftDelete","RecordType":3,"UserId":"ada@contoso.com","AffectedItems":[{"Subject":"Invoice 7","ParentFolder":{"Path":"\\Sent Items"}}],"Folder":{"Path":"\\Sent Items"}}
{"CreationTime":"2026-06-19T08:02:00","Id":"b3","Operation":"UserLoggedIn","RecordType":15,"UserId":"ada@contoso.com","ExtendedProperties":[{"Name":"UserAgent","Value":"Mozilla/5.0"}]}
"#,
    )]);
    case.says(0, "quarantined  0");
    case.answers(r#"UnifiedAuditLog | project AuditData | evaluate bag_unpack(AuditData)
| extend Folder = tostring(Folder.Path), Agent = tostring(ExtendedProperties[0].Value)
| project CreationTime, Operation, UserId, SourceFileName, Folder, Agent, Subject = tostring(AffectedItems[0].Subject) | order by CreationTime asc"#, &[], &[
        "CreationTime,Operation,UserId,SourceFileName,Folder,Agent,Subject",
        "2026-06-19T08:00:00,FileAccessed,ada@contoso.com,a.docx,,,",
        r#"2026-06-19T08:01:00,SoftDelete,ada@contoso.com,,\Sent Items,,Invoice 7"#,
        "2026-06-19T08:02:00,UserLoggedIn,ada@contoso.com,,,Mozilla/5.0,",
    ]);
}

#[test]
fn sharing_after_a_risky_sign_in_is_one_row() {
    let case = Case::of(&[
        (
            "signins.csv",
            r#"Timestamp,Application,LogonType,ErrorCode,CorrelationId,SessionId,AccountDisplayName,AccountObjectId,AccountUpn,RiskLevelDuringSignIn,RiskState,ConditionalAccessStatus,IPAddress,Country,RequestId,ReportId
"Jun 20, 2026 8:00:00 AM",OfficeHome,"[""interactiveUser""]",0,k1,s1,Ada,u1,ada@contoso.com,100,4,0,203.0.113.7,NL,q1,p1
"Jun 20, 2026 8:05:00 AM",OfficeHome,"[""interactiveUser""]",0,k2,s2,Bob,u2,bob@contoso.com,10,0,0,192.0.2.10,CH,q2,p2
"#,
        ),
        (
            "cloudapp.jsonl",
            r#"{"time":"x","category":"AdvancedHunting-CloudAppEvents","properties":{"Timestamp":"2026-06-20T08:31:00Z","ActionType":"SharingInvitationCreated","ApplicationId":20892,"AccountObjectId":"u1","IPAddress":"203.0.113.7","ReportId":"c1","RawEventData":{"Operation":"SharingInvitationCreated","Id":"b1","CreationTime":"2026-06-20T08:31:00","RecordType":14,"SourceFileExtension":"docx","SourceFileName":"f1.docx","TargetUserOrGroupType":"Guest"}}}
{"time":"x","category":"AdvancedHunting-CloudAppEvents","properties":{"Timestamp":"2026-06-20T08:32:00Z","ActionType":"SharingInvitationCreated","ApplicationId":20892,"AccountObjectId":"u1","IPAddress":"203.0.113.7","ReportId":"c2","RawEventData":{"Operation":"SharingInvitationCreated","Id":"b2","CreationTime":"2026-06-20T08:32:00","RecordType":14,"SourceFileExtension":"xlsx","SourceFileName":"f2.xlsx","TargetUserOrGroupType":"Guest"}}}
{"time":"x","category":"AdvancedHunting-CloudAppEvents","properties":{"Timestamp":"2026-06-20T08:33:00Z","ActionType":"SharingInvitationCreated","ApplicationId":20892,"AccountObjectId":"u1","IPAddress":"203.0.113.7","ReportId":"c3","RawEventData":{"Operation":"SharingInvitationCreated","Id":"b3","CreationTime":"2026-06-20T08:33:00","RecordType":14,"SourceFileExtension":"png","SourceFileName":"f3.png","TargetUserOrGroupType":"Guest"}}}
{"time":"x","category":"AdvancedHunting-CloudAppEvents","properties":{"Timestamp":"2026-06-20T08:34:00Z","ActionType":"SharingInvitationCreated","ApplicationId":20892,"AccountObjectId":"u2","IPAddress":"203.0.113.7","ReportId":"c4","RawEventData":{"Operation":"SharingInvitationCreated","Id":"b4","CreationTime":"2026-06-20T08:34:00","RecordType":14,"SourceFileExtension":"docx","SourceFileName":"f4.docx","TargetUserOrGroupType":"Guest"}}}
{"time":"x","category":"AdvancedHunting-CloudAppEvents","properties":{"Timestamp":"2026-06-20T08:35:00Z","ActionType":"SharingInvitationCreated","ApplicationId":20892,"AccountObjectId":"u1","IPAddress":"203.0.113.7","ReportId":"c5","RawEventData":{"Operation":"SharingInvitationCreated","Id":"b5","CreationTime":"2026-06-20T08:35:00","RecordType":14,"SourceFileExtension":"docx","SourceFileName":"f5.docx","TargetUserOrGroupType":"Member"}}}
"#,
        ),
    ]);
    case.says(0, "quarantined  0");
    case.answers(r#"let usefulExtn = pack_array('csv', 'doc', 'docx', 'pdf', 'xlsx');
let relevantAppIds = pack_array(int(20892), int(15600));
let timeWindow = 24h; let timeNow = now();
let riskyUsers = EntraIdSignInEvents
| where Timestamp between ((timeNow - timeWindow) .. (timeNow))
| where isnotempty(AccountObjectId) and ErrorCode == 0 and RiskLevelDuringSignIn >= 80
| project AccountObjectId, RiskLevelDuringSignIn, Timestamp, SessionId = RequestId;
let hasUsers = isnotempty(toscalar(riskyUsers));
CloudAppEvents
| where hasUsers
| where Timestamp between ((timeNow - timeWindow) .. (timeNow))
| where ApplicationId in (relevantAppIds) and AccountObjectId in (riskyUsers)
| extend Extension = tostring(RawEventData.SourceFileExtension), File = tostring(RawEventData.SourceFileName)
| where Extension has_any (usefulExtn) and RawEventData.TargetUserOrGroupType == "Guest"
| summarize Count = countif(isnotempty(File)), (Timestamp, ReportId) = arg_max(Timestamp, ReportId), Files = make_set(File) by AccountObjectId"#, &["--at", "2026-06-21"], &[
        "AccountObjectId,Count,Timestamp,ReportId,Files",
        r#"u1,2,2026-06-20T08:32:00Z,c2,"[""f1.docx"",""f2.xlsx""]""#,
    ]);
    case.answers(r#"EntraIdSignInEvents | where RiskLevelDuringSignIn >= 80 | project AccountObjectId, SignedIn = Timestamp
| join kind=inner (CloudAppEvents | project AccountObjectId, Shared = Timestamp, ReportId) on AccountObjectId
| where Shared between (SignedIn .. (SignedIn + 32m)) | project ReportId, SignedIn, AccountObjectId | order by ReportId asc"#, &["--at", "2026-06-21"], &[
        "ReportId,SignedIn,AccountObjectId",
        "c1,2026-06-20T08:00:00Z,u1",
        "c2,2026-06-20T08:00:00Z,u1",
    ]);
}

#[test]
fn a_timeline_for_another_tool_is_a_projection() {
    let case = Case::of(&[(
        "exchange.jsonl",
        r#"{"CreationTime":"2026-06-01T08:00:00","Id":"b1","Operation":"UpdateInboxRules","RecordType":2,"Workload":"Exchange","UserId":"eve@contoso.com","ResultStatus":"Succeeded","ClientIP":"192.0.2.10","ClientIPAddress":"203.0.113.7","MailboxOwnerUPN":"eve@contoso.com","Parameters":[],"OperationProperties":[{"Name":"RuleOperation","Value":"AddMailboxRule"},{"Name":"RuleName","Value":"."},{"Name":"RuleActions","Value":"[{\"ActionType\":\"Forward\",\"Recipients\":[\"mallory@example.net\"]},{\"ActionType\":\"Delete\"}]"}]}
"#,
    )]);
    case.says(0, "quarantined  0");
    case.answers(r#"UnifiedAuditLog | project message = strcat(Operation, " by ", UserId), ["datetime"] = TimeGenerated, timestamp_desc = "Creation Time", user = UserId, ip = ClientIP"#, &[], &[
        "message,datetime,timestamp_desc,user,ip",
        "UpdateInboxRules by eve@contoso.com,2026-06-01T08:00:00Z,Creation Time,eve@contoso.com,192.0.2.10",
    ]);
}

#[test]
fn a_function_over_names_of_tables_tells_them_apart_by_type() {
    let case = Case::of(&[
        (
            "signins-interactive.csv",
            r#"TimeGenerated [UTC],CreatedDateTime [UTC],Id,UserPrincipalName,UserDisplayName,AppDisplayName,IPAddress,ResultType,ResultDescription,CorrelationId,ConditionalAccessStatus,RiskLevelDuringSignIn,AlternateSignInName
"6/18/2026, 8:00:00.000 AM","6/18/2026, 8:00:00.000 AM",s1,ada@contoso.com,Ada,Exchange,192.0.2.44,50126,x,k1,success,none,ada
"#,
        ),
        (
            "cloudapp.jsonl",
            r#"{"time":"x","category":"AdvancedHunting-CloudAppEvents","properties":{"Timestamp":"2026-06-20T08:31:00Z","ActionType":"SharingInvitationCreated","ApplicationId":20892,"AccountObjectId":"u1","IPAddress":"203.0.113.7","ReportId":"c1","RawEventData":{"Operation":"SharingInvitationCreated","Id":"b1","CreationTime":"2026-06-20T08:31:00","RecordType":14,"SourceFileExtension":"docx","SourceFileName":"f1.docx","TargetUserOrGroupType":"Guest"}}}
"#,
        ),
    ]);
    case.says(0, "quarantined  0");
    case.answers(r#"let func = (tableName:string) { table(tableName) | where TimeGenerated > datetime(2026-06-01) | project TimeGenerated, IPAddress, Type };
union isfuzzy=true func("SigninLogs"), func("AADNonInteractiveUserSignInLogs"), func("CloudAppEvents")
| summarize n = count(), First = min(TimeGenerated) by Type | order by Type asc"#, &[], &[
        "Type,n,First",
        "CloudAppEvents,1,2026-06-20T08:31:00Z",
        "SigninLogs,1,2026-06-18T08:00:00Z",
    ]);
}
