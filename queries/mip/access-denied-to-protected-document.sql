/*
id: access-denied-to-protected-document
name: Access to a protected document denied
version: 1.0.0
kind: Scheduled
description: |
  Someone tried to open an encrypted document and the rights management service refused. The audit log hardly ever holds
  these attempts: they come from the service's usage log (Get-AipServiceUserLog) or from an archive of
  InformationProtectionLogs_CL. They show that a document is in hands it was not meant for. One finding a user,
  document and hour.
severity: Medium
queryFrequency: 1d
queryPeriod: 1d
triggerOperator: gt
triggerThreshold: 0
tactics: [Collection]
relevantTechniques: [T1213]
entityMappings:
  - entityType: Account
    fieldMappings:
      - {identifier: FullName, columnName: UserId}
  - entityType: IP
    fieldMappings:
      - {identifier: Address, columnName: IPAddress}
  - entityType: File
    fieldMappings:
      - {identifier: Name, columnName: FileName}
customDetails: {Owner: Owner, ContentId: ContentId, Denials: Denials, Results: Results}
falsePositives:
  - A colleague or partner got the document without the rights to it. The owner knows the person and gives access.
  - A person with two accounts opens it with the wrong one. A successful opening from the same address follows within minutes.
  - Results other than AccessDenied can be a fault of the service or an expired right. Results has the service's own word.
references:
  - https://learn.microsoft.com/azure/information-protection/log-analyze-usage
  - https://learn.microsoft.com/purview/data-classification-activity-explorer-available-events
tests:
  - name: an outsider's attempts within the hour are one finding
    events:
      - table: AipServiceUserLog
        record: {date: "2026-05-11", time: "22:01:03", row-id: "558287e1-3a9a-414a-a9af-ca0f4c3f7208", request-type: AcquireLicense, user-id: "'eve@fabrikam.com'", result: "'AccessDenied'", correlation-id: "83051d4d-f35c-43c8-857e-767f1112a937", content-id: "{778adb8e-f910-4bd3-a412-1568bf11a047}", owner-email: "'alice@contoso.com'", issuer: "'alice@contoso.com'", template-id: "{63823ea9-6421-4428-889a-7c7b887cfe78}", file-name: "'Merger.docx'", date-published: "2026-05-02T09:00:00", c-info: "'MSIPC;version=1.0.5012.0;AppName=WINWORD.EXE'", c-ip: "203.0.113.77", admin-action: "False", acting-as-user: "''"}
      - table: AipServiceUserLog
        record: {date: "2026-05-11", time: "22:04:40", row-id: "ef5cde00-1e14-4768-b5f0-55656dba7f00", request-type: AcquireLicense, user-id: "'Eve@fabrikam.com'", result: "'AccessDenied'", correlation-id: "c92cfedf-6559-45a8-8d48-25793311e393", content-id: "{778adb8e-f910-4bd3-a412-1568bf11a047}", owner-email: "'alice@contoso.com'", issuer: "'alice@contoso.com'", template-id: "{63823ea9-6421-4428-889a-7c7b887cfe78}", file-name: "'Merger.docx'", date-published: "2026-05-02T09:00:00", c-info: "'MSIPC;version=1.0.5012.0;AppName=WINWORD.EXE'", c-ip: "203.0.113.77", admin-action: "False", acting-as-user: "''"}
    finds: 1
  - name: a denial in the archived InformationProtectionLogs_CL is found
    events:
      - table: InformationProtectionLogs_CL
        record: {TimeGenerated: "2026-05-11T10:58:00Z", LogId_g: "8ba86309-fbe5-4cf8-991d-a22f48c66f84", ContentId_g: "3dd6642d-e7b8-4d43-8ad4-cbb4c71e6a4f", UserId_s: eve@fabrikam.com, IPv4_s: "203.0.113.77", Activity_s: AccessDenied, Operation_s: AcquireLicense, ApplicationName_s: Word, ProcessName_s: winword, Platform_s: Windows, Protected_b: true, ProtectionOwner_s: alice@contoso.com, ObjectId_s: Top secret.docx, Workload_s: AIP}
    finds: 1
  - name: two documents, two people and two hours are four findings
    events:
      - table: AipServiceUserLog
        record: {date: "2026-05-11", time: "12:10:00", row-id: "c94bda52-5b91-414b-b1c6-05db90364cb1", request-type: AcquireLicense, user-id: "'eve@fabrikam.com'", result: "'AccessDenied'", content-id: "{2ab9a083-6ce6-4d5f-b35e-2aba33911c73}", owner-email: "'alice@contoso.com'", file-name: "''", c-ip: "203.0.113.77"}
      - table: AipServiceUserLog
        record: {date: "2026-05-11", time: "12:11:00", row-id: "630f15ba-5914-4fea-bb64-86651ae714bd", request-type: AcquireLicense, user-id: "'eve@fabrikam.com'", result: "'AccessDenied'", content-id: "{47c626cc-65e9-4704-b986-ca162917adc5}", owner-email: "'alice@contoso.com'", file-name: "''", c-ip: "203.0.113.77"}
      - table: AipServiceUserLog
        record: {date: "2026-05-11", time: "12:12:00", row-id: "4f6a710f-6c40-45b0-9576-97fa92b90a76", request-type: FECreateEndUserLicenseV1, user-id: "'trudy@fabrikam.com'", result: "'AccessDenied'", content-id: "{47c626cc-65e9-4704-b986-ca162917adc5}", owner-email: "'alice@contoso.com'", file-name: "''", c-ip: "2001:db8::77"}
      - table: AipServiceUserLog
        record: {date: "2026-05-11", time: "13:00:00", row-id: "30350c20-51a9-47df-9136-b6172af4da7e", request-type: AcquireLicense, user-id: "'eve@fabrikam.com'", result: "'AccessDenied'", content-id: "{47c626cc-65e9-4704-b986-ca162917adc5}", owner-email: "'alice@contoso.com'", file-name: "''", c-ip: "203.0.113.77"}
    finds: 4
  - name: an opening that succeeded and a refused service are not
    events:
      - table: AipServiceUserLog
        record: {date: "2026-05-11", time: "21:59:28", row-id: "cc85356c-e40c-411c-bb70-fcbc845a5035", request-type: AcquireLicense, user-id: "'bob@contoso.com'", result: "'Success'", content-id: "{778adb8e-f910-4bd3-a412-1568bf11a047}", owner-email: "'alice@contoso.com'", file-name: "'Merger.docx'", c-ip: "198.51.100.44"}
      - table: AipServiceUserLog
        record: {date: "2026-05-11", time: "22:05:00", row-id: "26e91754-2499-4288-9bad-bdd6c46fd0c4", request-type: FECreateEndUserLicenseV1, user-id: "'microsoftrmsonline@e9cbacdb-0fc0-494b-812c-72633621e419.rms.eu.aadrm.com'", result: "'AccessDenied'", content-id: "{778adb8e-f910-4bd3-a412-1568bf11a047}", owner-email: "'alice@contoso.com'", file-name: "'Merger.docx'", c-ip: "2001:db8::10"}
      - table: AipServiceUserLog
        record: {date: "2026-05-11", time: "22:06:00", row-id: "a9e80e1c-9977-4d7b-a7cd-71a487e76e99", request-type: AcquireLicense, user-id: "'Aadrm_S-1-7-0'", result: "'AccessDenied'", content-id: "{778adb8e-f910-4bd3-a412-1568bf11a047}", owner-email: "'alice@contoso.com'", file-name: "'Merger.docx'", c-ip: "192.0.2.5"}
    finds: 0
*/
WITH denied AS (
  SELECT
    e.TimeGenerated,
    e.UserId,
    lower(e.UserId) AS UserKey,
    nullif(e.FileName, '') AS FileName,
    nullif(r.ContentId, '') AS ContentId,
    -- The usage log seldom knows the file's name, but always which document it was.
    lower(coalesce(nullif(r.ContentId, ''), nullif(e.FilePath, ''), nullif(e.FileName, ''), '')) AS DocumentKey,
    nullif(e.Owner, '') AS Owner,
    coalesce(r.Result, 'AccessDenied') AS Result,
    e.Application,
    e.IPAddress,
    e.SourceTable,
    e._Source
  FROM LabelEvents AS e
  LEFT JOIN AipServiceUserLog AS r ON r._Source = e._Source
  WHERE e.Action = 'AccessDenied'
    -- Microsoft's own services and the connector; an empty user is an anonymous call.
    AND coalesce(e.UserId, '') <> ''
    AND NOT (starts_with(lower(e.UserId), 'microsoftrmsonline@') OR starts_with(lower(e.UserId), 'aadrm_'))
)
SELECT
  min(TimeGenerated) AS TimeGenerated,
  max(TimeGenerated) AS EndTime,
  min(UserId) AS UserId,
  min(FileName) AS FileName,
  min(ContentId) AS ContentId,
  min(Owner) AS Owner,
  count(*) AS Denials,
  array_agg(DISTINCT Result ORDER BY Result) AS Results,
  first_value(Application ORDER BY TimeGenerated, _Source) FILTER (WHERE Application IS NOT NULL) AS Application,
  first_value(IPAddress ORDER BY TimeGenerated, _Source) FILTER (WHERE IPAddress IS NOT NULL) AS IPAddress,
  array_agg(DISTINCT IPAddress ORDER BY IPAddress) FILTER (WHERE IPAddress IS NOT NULL) AS IPAddresses,
  min(SourceTable) AS SourceTable,
  array_agg(_Source ORDER BY TimeGenerated, _Source) AS _Sources
FROM denied
GROUP BY UserKey, DocumentKey, date_trunc('hour', TimeGenerated)
