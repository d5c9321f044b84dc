/*
id: protection-removed-in-bulk
name: Encryption taken off many files
version: 1.0.0
kind: Scheduled
description: |
  One user took the encryption off a great number of files within an hour, while their labels stayed or were not known
  to be lower. Files whose labels were removed or lowered are left to mass-label-removal-or-downgrade. One finding a
  user and day.
severity: Medium
queryFrequency: 1d
queryPeriod: 1d
triggerOperator: gt
triggerThreshold: 0
tactics: [DefenseEvasion, Collection]
relevantTechniques: [T1562, T1027]
entityMappings:
  - entityType: Account
    fieldMappings:
      - {identifier: FullName, columnName: UserId}
  - entityType: IP
    fieldMappings:
      - {identifier: Address, columnName: IPAddress}
  - entityType: Host
    fieldMappings:
      - {identifier: HostName, columnName: DeviceName}
customDetails: {Files: Files, Owners: Owners, Applications: Applications}
parameters:
  min_files: {"default": 20, "description": "Different files within the span that make a finding"}
  span: {"default": "1h", "description": "The span in which they have to lose their protection"}
falsePositives:
  - "A move away from encryption that the label team ordered: the user runs it for the company, on one folder after another."
  - "eDiscovery or a data protection request: a case names the files, and the account is a super user."
references:
  - https://learn.microsoft.com/purview/rights-management-usage-log
  - https://learn.microsoft.com/purview/audit-log-activities#sensitivity-label-activities
  - https://learn.microsoft.com/purview/encryption-super-users
tests:
  - name: "twenty files, their labels kept"
    events:
      - record: {"Id": "5782c9ba-20c5-516e-8aed-5d4a69068e7f", "CreationTime": "2026-05-12T09:00:00", "RecordType": 83, "Operation": "SensitivityLabelUpdated", "OrganizationId": "5d26137c-a741-42e6-93a9-aed857efb7f0", "UserType": 0, "UserKey": "bob@contoso.com", "Version": 1, "Workload": "PublicEndpoint", "UserId": "bob@contoso.com", "ObjectId": "D:\\Work\\Paper {n}.docx", "DeviceName": "WS-042", "Application": "PowerShell", "CurrentProtectionType": {"documentEncrypted": false, "owner": "", "protectionType": 0}, "PreviousProtectionType": {"documentEncrypted": true, "owner": "alice@contoso.com", "protectionType": 1}, "ProtectionEventType": 3, "SensitivityLabelEventData": {"SensitivityLabelId": "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", "OldSensitivityLabelId": "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", "LabelEventType": 4, "ActionSource": 3}}
        repeat: {"count": 20, "every": "30s"}
    finds: 1
  - name: "Defender's table, by a second spelling of the user"
    events:
      - table: CloudAppEvents
        record: {"TimeGenerated": "2026-05-12T09:00:00Z", "ActionType": "SensitivityLabelUpdated", "Application": "Microsoft 365", "ApplicationId": 11161, "AccountObjectId": "13182e5f-1244-5258-a4f9-9852799805aa", "AccountDisplayName": "bob", "IPAddress": "", "ReportId": "1_11161_123a89b2-b296-59f7-b614-bf90e20f7a22", "RawEventData": {"Id": "123a89b2-b296-59f7-b614-bf90e20f7a22", "CreationTime": "2026-05-12T09:00:00Z", "RecordType": 83, "Operation": "SensitivityLabelUpdated", "OrganizationId": "5d26137c-a741-42e6-93a9-aed857efb7f0", "UserType": 0, "UserKey": "bob@contoso.com", "Version": 1, "Workload": "PublicEndpoint", "UserId": "bob@contoso.com", "ObjectId": "D:\\Work\\Paper {n}.docx", "DeviceName": "WS-042", "Application": "PowerShell", "CurrentProtectionType": {"documentEncrypted": false, "owner": "", "protectionType": 0}, "PreviousProtectionType": {"documentEncrypted": true, "owner": "alice@contoso.com", "protectionType": 1}, "ProtectionEventType": 3, "SensitivityLabelEventData": {"SensitivityLabelId": "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", "OldSensitivityLabelId": "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", "LabelEventType": 4, "ActionSource": 3}}}
        repeat: {"count": 12, "every": "30s"}
      - table: CloudAppEvents
        record: {"TimeGenerated": "2026-05-12T09:10:00Z", "ActionType": "SensitivityLabelUpdated", "Application": "Microsoft 365", "ApplicationId": 11161, "AccountObjectId": "13182e5f-1244-5258-a4f9-9852799805aa", "AccountDisplayName": "Bob", "IPAddress": "", "ReportId": "1_11161_1a5c4d4b-081a-5173-b381-54ec9ffd5e1f", "RawEventData": {"Id": "1a5c4d4b-081a-5173-b381-54ec9ffd5e1f", "CreationTime": "2026-05-12T09:10:00Z", "RecordType": 83, "Operation": "SensitivityLabelUpdated", "OrganizationId": "5d26137c-a741-42e6-93a9-aed857efb7f0", "UserType": 0, "UserKey": "Bob@contoso.com", "Version": 1, "Workload": "PublicEndpoint", "UserId": "Bob@contoso.com", "ObjectId": "D:\\Work\\Book {n}.xlsx", "DeviceName": "WS-042", "Application": "PowerShell", "CurrentProtectionType": {"documentEncrypted": false, "owner": "", "protectionType": 0}, "PreviousProtectionType": {"documentEncrypted": true, "owner": "alice@contoso.com", "protectionType": 1}, "ProtectionEventType": 3, "SensitivityLabelEventData": {"SensitivityLabelId": "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", "OldSensitivityLabelId": "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", "LabelEventType": 4, "ActionSource": 3}}}
        repeat: {"count": 12, "every": "30s"}
    finds: 1
  - name: "nineteen, one file often, and twenty over the day are not"
    events:
      - record: {"Id": "1df45c41-df54-596b-8a2a-7ad043e6b437", "CreationTime": "2026-05-12T09:00:00", "RecordType": 83, "Operation": "SensitivityLabelUpdated", "OrganizationId": "5d26137c-a741-42e6-93a9-aed857efb7f0", "UserType": 0, "UserKey": "bob@contoso.com", "Version": 1, "Workload": "PublicEndpoint", "UserId": "bob@contoso.com", "ObjectId": "D:\\Work\\Paper {n}.docx", "DeviceName": "WS-042", "Application": "PowerShell", "CurrentProtectionType": {"documentEncrypted": false, "owner": "", "protectionType": 0}, "PreviousProtectionType": {"documentEncrypted": true, "owner": "alice@contoso.com", "protectionType": 1}, "ProtectionEventType": 3, "SensitivityLabelEventData": {"SensitivityLabelId": "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", "OldSensitivityLabelId": "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", "LabelEventType": 4, "ActionSource": 3}}
        repeat: {"count": 19, "every": "30s"}
      - record: {"Id": "b2559822-6be3-5fb3-9613-5b8d76cab0fc", "CreationTime": "2026-05-12T09:00:00", "RecordType": 83, "Operation": "SensitivityLabelUpdated", "OrganizationId": "5d26137c-a741-42e6-93a9-aed857efb7f0", "UserType": 0, "UserKey": "carol@contoso.com", "Version": 1, "Workload": "PublicEndpoint", "UserId": "carol@contoso.com", "ObjectId": "D:\\Work\\One.docx", "DeviceName": "WS-042", "Application": "PowerShell", "CurrentProtectionType": {"documentEncrypted": false, "owner": "", "protectionType": 0}, "PreviousProtectionType": {"documentEncrypted": true, "owner": "alice@contoso.com", "protectionType": 1}, "ProtectionEventType": 3, "SensitivityLabelEventData": {"SensitivityLabelId": "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", "OldSensitivityLabelId": "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", "LabelEventType": 4, "ActionSource": 3}}
        repeat: {"count": 40, "every": "30s"}
      - record: {"Id": "b831a55d-dbbb-50ab-a2c2-d278a1118dbd", "CreationTime": "2026-05-12T00:10:00", "RecordType": 83, "Operation": "SensitivityLabelUpdated", "OrganizationId": "5d26137c-a741-42e6-93a9-aed857efb7f0", "UserType": 0, "UserKey": "dave@contoso.com", "Version": 1, "Workload": "PublicEndpoint", "UserId": "dave@contoso.com", "ObjectId": "D:\\Work\\Paper {n}.docx", "DeviceName": "WS-042", "Application": "PowerShell", "CurrentProtectionType": {"documentEncrypted": false, "owner": "", "protectionType": 0}, "PreviousProtectionType": {"documentEncrypted": true, "owner": "alice@contoso.com", "protectionType": 1}, "ProtectionEventType": 3, "SensitivityLabelEventData": {"SensitivityLabelId": "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", "OldSensitivityLabelId": "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", "LabelEventType": 4, "ActionSource": 3}}
        repeat: {"count": 20, "every": "40m"}
    finds: 0
  - name: "files that lost their label are another rule's"
    events:
      - record: {"Id": "9c247d19-999f-5d7c-b0c7-7509ee1fdd6a", "CreationTime": "2026-05-12T09:00:00", "RecordType": 83, "Operation": "SensitivityLabelRemoved", "OrganizationId": "5d26137c-a741-42e6-93a9-aed857efb7f0", "UserType": 0, "UserKey": "bob@contoso.com", "Version": 1, "Workload": "PublicEndpoint", "UserId": "bob@contoso.com", "ObjectId": "D:\\Work\\Paper {n}.docx", "DeviceName": "WS-042", "Application": "PowerShell", "CurrentProtectionType": {"documentEncrypted": false, "owner": "", "protectionType": 0}, "PreviousProtectionType": {"documentEncrypted": true, "owner": "alice@contoso.com", "protectionType": 1}, "ProtectionEventType": 3, "SensitivityLabelEventData": {"OldSensitivityLabelId": "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", "LabelEventType": 3, "ActionSource": 3}}
        repeat: {"count": 30, "every": "30s"}
    finds: 0
  - name: "files that were open before or stay protected are not"
    events:
      - record: {"Id": "22338a8f-d51b-5475-b743-7d7e49e5dc30", "CreationTime": "2026-05-12T09:00:00", "RecordType": 83, "Operation": "SensitivityLabelUpdated", "OrganizationId": "5d26137c-a741-42e6-93a9-aed857efb7f0", "UserType": 0, "UserKey": "bob@contoso.com", "Version": 1, "Workload": "PublicEndpoint", "UserId": "bob@contoso.com", "ObjectId": "D:\\Work\\Paper {n}.docx", "DeviceName": "WS-042", "Application": "PowerShell", "CurrentProtectionType": {"documentEncrypted": false, "owner": "", "protectionType": 0}, "PreviousProtectionType": {"documentEncrypted": false, "owner": "", "protectionType": 0}, "ProtectionEventType": 0, "SensitivityLabelEventData": {"SensitivityLabelId": "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", "OldSensitivityLabelId": "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", "LabelEventType": 4, "ActionSource": 3}}
        repeat: {"count": 30, "every": "30s"}
      - record: {"Id": "c1b06f21-ea85-59e1-b53c-d252a9c5a7ae", "CreationTime": "2026-05-12T09:00:00", "RecordType": 83, "Operation": "SensitivityLabelUpdated", "OrganizationId": "5d26137c-a741-42e6-93a9-aed857efb7f0", "UserType": 0, "UserKey": "carol@contoso.com", "Version": 1, "Workload": "PublicEndpoint", "UserId": "carol@contoso.com", "ObjectId": "D:\\Work\\Paper {n}.docx", "DeviceName": "WS-042", "Application": "PowerShell", "CurrentProtectionType": {"documentEncrypted": true, "owner": "alice@contoso.com", "protectionType": 1}, "PreviousProtectionType": {"documentEncrypted": true, "owner": "alice@contoso.com", "protectionType": 1}, "ProtectionEventType": 0, "SensitivityLabelEventData": {"SensitivityLabelId": "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", "OldSensitivityLabelId": "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", "LabelEventType": 4, "ActionSource": 3}}
        repeat: {"count": 30, "every": "30s"}
    finds: 0
*/
WITH stripped AS (
  SELECT
    lower(UserId) AS UserKey,
    UserId,
    lower(coalesce(nullif(FilePath, ''), nullif(FileName, ''), EventId)) AS FileKey,
    TimeGenerated,
    FileName,
    Owner,
    Application,
    DeviceName,
    IPAddress,
    _Source
  FROM LabelEvents
  WHERE ProtectedBefore
    AND NOT coalesce(Protected, true)
    AND Action NOT IN ('LabelRemoved', 'LabelDowngraded')  -- mass-label-removal-or-downgrade has those
    AND coalesce(UserType, 0) NOT IN (4, 5, 6, 7, 8)  -- system, application, service principal, policies
    AND NOT regexp_like(coalesce(UserId, ''), '^(app@sharepoint$|sharepoint\\system$|nt authority|serviceprincipal_)', 'i')
),
-- A file counts once a day, with its first record.
firsts AS (
  SELECT UserKey, FileKey, min(TimeGenerated) AS TimeGenerated
  FROM stripped
  GROUP BY UserKey, FileKey, date_trunc('day', TimeGenerated)
),
-- File n and file n + $min_files - 1 no further apart than the span.
counted AS (
  SELECT
    UserKey,
    date_trunc('day', TimeGenerated) AS Day,
    count(*) OVER (PARTITION BY UserKey ORDER BY TimeGenerated RANGE BETWEEN $span PRECEDING AND CURRENT ROW) AS InSpan
  FROM firsts
),
days AS (
  SELECT UserKey, Day, max(InSpan) AS InSpan
  FROM counted
  GROUP BY UserKey, Day
  HAVING max(InSpan) >= $min_files
)
SELECT
  min(s.TimeGenerated) AS TimeGenerated,
  max(s.TimeGenerated) AS EndTime,
  min(s.UserId) AS UserId,
  count(DISTINCT s.FileKey) AS Files,
  d.InSpan AS FilesInSpan,
  array_agg(DISTINCT s.FileName ORDER BY s.FileName) FILTER (WHERE s.FileName IS NOT NULL) AS FileNames,
  array_agg(DISTINCT s.Owner ORDER BY s.Owner) FILTER (WHERE s.Owner IS NOT NULL) AS Owners,
  array_agg(DISTINCT s.Application ORDER BY s.Application) FILTER (WHERE s.Application IS NOT NULL) AS Applications,
  min(s.DeviceName) AS DeviceName,
  min(s.IPAddress) AS IPAddress,
  array_agg(s._Source ORDER BY s.TimeGenerated, s._Source) AS _Sources
FROM days AS d
JOIN stripped AS s ON s.UserKey = d.UserKey AND date_trunc('day', s.TimeGenerated) = d.Day
GROUP BY d.UserKey, d.Day, d.InSpan
