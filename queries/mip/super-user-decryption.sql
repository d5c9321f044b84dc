/*
id: super-user-decryption
name: Protection taken off somebody else's file, or the file opened by a super user
version: 1.0.0
kind: Scheduled
description: |
  Encryption was taken off a file by someone who is not its protection owner, or an account of the SuperUsers
  watchlist opened or decrypted a protected file of somebody else. A super user can open everything that the
  organisation ever encrypted, so each use should have a reason on paper. One finding a user, file name and day.
severity: High
queryFrequency: 1d
queryPeriod: 1d
triggerOperator: gt
triggerThreshold: 0
tactics: [DefenseEvasion, Collection]
relevantTechniques: [T1078, T1213]
watchlists:
  SuperUsers: {required: false, columns: [UserPrincipalName, Comment]}
unjudged:
  what: opening{s} of a protected file of somebody else
  watchlist: SuperUsers
  query: |
    SELECT count(*)
    FROM LabelEvents AS e
    WHERE e.Action = 'FileOpened'
      AND coalesce(e.Protected, e.SourceTable = 'AipServiceUserLog')
      AND coalesce(e.Owner, '') <> ''
      AND lower(e.Owner) <> lower(e.UserId)
      AND NOT is_service(NULL, e.UserId)
      AND (SELECT count(*) FROM watchlists.SuperUsers) = 0
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
      - {identifier: Directory, columnName: FilePath}
  - entityType: Host
    fieldMappings:
      - {identifier: HostName, columnName: DeviceName}
customDetails: {Owner: Owner, SuperUser: SuperUser, ProtectionRemoved: ProtectionRemoved, Opened: Opened}
falsePositives:
  - eDiscovery, a data loss prevention scanner or a migration uses a super user account. Then the account is a known one, works from its own server, and a case or change number exists.
  - A colleague with full control over a shared document lowers its label. The two work together and the justification fits.
references:
  - https://learn.microsoft.com/azure/information-protection/configure-super-users
  - https://learn.microsoft.com/azure/information-protection/log-analyze-usage
tests:
  - name: a super user who decrypts somebody else's file is found
    watchlists:
      SuperUsers:
        - {UserPrincipalName: Rescue@contoso.com, Comment: break glass}
    events:
      - record: {Id: "50f4b501-1765-4d3b-bba3-97c91ad5809e", CreationTime: "2026-05-07T11:00:00", RecordType: 95, Operation: SensitivityLabelRemoved, Workload: Aip, Scope: 1, UserId: rescue@contoso.com, UserType: 0, ClientIP: "192.0.2.40", ObjectId: 'C:\Temp\Board minutes.docx', Common: {ApplicationName: "Microsoft Azure Information Protection Explorer Extension", DeviceName: PC-0099}, ProtectionEventData: {IsProtected: false, IsProtectedBefore: true, ProtectionOwner: alice@contoso.com}}
    finds: 1
  - name: protection taken off by someone who is not the owner is found without a watchlist
    events:
      - record: {Id: "067f3612-891b-4d15-b3e9-c61a22b10009", CreationTime: "2026-05-07T11:05:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\Tender.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}, PreviousProtectionType: {documentEncrypted: true, owner: alice@contoso.com, protectionType: 1}, CurrentProtectionType: {documentEncrypted: false, owner: alice@contoso.com, protectionType: 0}}
    finds: 1
  - name: a super user who opens a protected file three times a day is one finding
    watchlists:
      SuperUsers:
        - {UserPrincipalName: rescue@contoso.com, Comment: break glass}
    events:
      - record: {Id: "9069a361-e529-420c-8d81-ff6dac3b5a2f", CreationTime: "2026-05-07T12:00:00", RecordType: 93, Operation: Access, Workload: Aip, Scope: 1, UserId: rescue@contoso.com, UserType: 0, ObjectId: 'C:\Temp\Salaries.xlsx', Common: {ApplicationName: Excel, DeviceName: PC-0099}, ProtectionEventData: {IsProtected: true, ProtectionOwner: carol@contoso.com}}
        repeat: {count: 3, every: 20m}
    finds: 1
  - name: opened by the usage log and decrypted by the audit log is one finding
    watchlists:
      SuperUsers:
        - {UserPrincipalName: rescue@contoso.com, Comment: break glass}
    events:
      - table: AipServiceUserLog
        record: {date: "2026-05-07", time: "17:00:00", row-id: "7a77b861-8187-4fe3-9126-ac79b914501c", request-type: AcquireLicense, user-id: "'rescue@contoso.com'", result: "'Success'", content-id: "{51568eaf-628c-469c-911c-1f51108a4ce8}", owner-email: "'alice@contoso.com'", file-name: "'Tender 3.docx'", c-ip: "192.0.2.40"}
      - record: {Id: "d7192adc-c9a2-4eea-952c-e03fea35cfd9", CreationTime: "2026-05-07T17:05:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: Rescue@contoso.com, UserType: 0, ObjectId: 'C:\Temp\Tender 3.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}, PreviousProtectionType: {documentEncrypted: true, owner: alice@contoso.com}, CurrentProtectionType: {documentEncrypted: false}}
    finds: 1
  - name: a super user in the usage log of the rights management service is found
    watchlists:
      SuperUsers:
        - {UserPrincipalName: rescue@contoso.com, Comment: break glass}
    events:
      - table: AipServiceUserLog
        record: {date: "2026-05-07", time: "13:00:00", row-id: "665900dc-3412-4940-9fe7-4f851d7ead9f", request-type: AcquireLicense, user-id: "'rescue@contoso.com'", result: "'Success'", correlation-id: "3a114862-2529-4c8e-88b0-b6b9c988c8bf", content-id: "{3534eab5-d4a2-4d87-ba78-f97444c9b47a}", owner-email: "'alice@contoso.com'", issuer: "'alice@contoso.com'", template-id: "{2c8015d0-688f-4563-9fb3-5a558c48b961}", file-name: "'Merger.docx'", date-published: "2026-05-01T08:00:00", c-info: "'MSIPC;AppName=WINWORD.EXE'", c-ip: "192.0.2.40", admin-action: "False", acting-as-user: "''"}
    finds: 1
  - name: the owner may take protection off
    watchlists:
      SuperUsers:
        - {UserPrincipalName: alice@contoso.com, Comment: also a super user}
    events:
      - record: {Id: "a534956f-fed6-4f9d-9cde-21eb61d0dafd", CreationTime: "2026-05-07T14:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: Alice@contoso.com, UserType: 0, ObjectId: 'D:\Work\Own.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}, PreviousProtectionType: {documentEncrypted: true, owner: alice@contoso.com}, CurrentProtectionType: {documentEncrypted: false}}
    finds: 0
  - name: a removed label whose record says nothing about afterwards is found
    events:
      - record: {Id: "e39fe757-242c-4139-b015-c535d1389379", CreationTime: "2026-05-07T16:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\Tender 2.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}, PreviousProtectionType: {documentEncrypted: true, owner: alice@contoso.com}}
    finds: 1
  - name: an ordinary reader, a file never protected and one still protected are not
    watchlists:
      SuperUsers:
        - {UserPrincipalName: rescue@contoso.com, Comment: break glass}
    events:
      - record: {Id: "16255d6c-df01-4c4b-8b90-64083186e0d2", CreationTime: "2026-05-07T15:00:00", RecordType: 93, Operation: Access, Workload: Aip, Scope: 1, UserId: bob@contoso.com, UserType: 0, ObjectId: 'C:\Temp\Salaries.xlsx', ProtectionEventData: {IsProtected: true, ProtectionOwner: carol@contoso.com}}
      - record: {Id: "2cc999d1-829b-4fe5-b309-b2ff51eb04b2", CreationTime: "2026-05-07T15:01:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: rescue@contoso.com, UserType: 0, ObjectId: 'C:\Temp\Notes.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelEventType: 3, ActionSource: 3}, PreviousProtectionType: {documentEncrypted: false, owner: carol@contoso.com}, CurrentProtectionType: {documentEncrypted: false}}
      - record: {Id: "22c537c3-f275-49ae-ae2b-addea9dca928", CreationTime: "2026-05-07T15:02:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'C:\Temp\Plan.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "78403157-43c4-4df4-9e63-7a6fc1e2be78", SensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 2, ActionSource: 3}, PreviousProtectionType: {documentEncrypted: true, owner: carol@contoso.com}, CurrentProtectionType: {documentEncrypted: true, owner: carol@contoso.com}}
    finds: 0
*/
WITH super_users AS (
  SELECT DISTINCT lower(trim(UserPrincipalName)) AS UserKey
  FROM watchlists.SuperUsers
),
judged AS (
  SELECT
    e.TimeGenerated,
    e.UserId,
    lower(e.UserId) AS UserKey,
    e.FileName,
    e.FilePath,
    -- The usage log knows a name at best, the other sources a path too: only the name brings them together.
    lower(coalesce(nullif(e.FileName, ''), nullif(r.ContentId, ''), e.EventId)) AS FileKey,
    e.Owner,
    s.UserKey IS NOT NULL AS SuperUser,
    -- A removed label takes its protection along; every other record has to say that the file is open now.
    coalesce(e.ProtectedBefore, false) AND NOT coalesce(e.Protected, e.Action <> 'LabelRemoved') AS ProtectionRemoved,
    -- The usage log of the rights management service holds only protected documents and says so nowhere.
    e.Action = 'FileOpened' AND coalesce(e.Protected, e.SourceTable = 'AipServiceUserLog') AS ProtectedOpened,
    coalesce(lower(e.Owner), '') AS OwnerKey,
    e.Application,
    e.DeviceName,
    e.IPAddress,
    e.Justification,
    e._Source
  FROM LabelEvents AS e
  LEFT JOIN super_users AS s ON s.UserKey = lower(e.UserId)
  LEFT JOIN AipServiceUserLog AS r ON r._Source = e._Source
  WHERE NOT is_service(NULL, e.UserId)
)
SELECT
  min(TimeGenerated) AS TimeGenerated,
  max(TimeGenerated) AS EndTime,
  min(UserId) AS UserId,
  min(FileName) AS FileName,
  min(FilePath) AS FilePath,
  min(Owner) AS Owner,
  bool_or(SuperUser) AS SuperUser,
  count(*) FILTER (WHERE ProtectionRemoved) AS ProtectionRemoved,
  count(*) FILTER (WHERE ProtectedOpened) AS Opened,
  array_agg(DISTINCT Justification ORDER BY Justification) FILTER (WHERE Justification IS NOT NULL) AS Justifications,
  first_value(Application ORDER BY TimeGenerated, _Source) FILTER (WHERE Application IS NOT NULL) AS Application,
  first_value(DeviceName ORDER BY TimeGenerated, _Source) FILTER (WHERE DeviceName IS NOT NULL) AS DeviceName,
  first_value(IPAddress ORDER BY TimeGenerated, _Source) FILTER (WHERE IPAddress IS NOT NULL) AS IPAddress,
  array_agg(_Source ORDER BY TimeGenerated, _Source) AS _Sources
FROM judged
WHERE OwnerKey <> UserKey
  AND (
    -- With no owner on record only a super user is worth a finding.
    (ProtectionRemoved AND (SuperUser OR OwnerKey <> ''))
    OR (ProtectedOpened AND SuperUser AND OwnerKey <> '')
  )
GROUP BY UserKey, FileKey, OwnerKey, date_trunc('day', TimeGenerated)
