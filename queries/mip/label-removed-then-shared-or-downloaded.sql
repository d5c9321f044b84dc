/*
id: label-removed-then-shared-or-downloaded
name: Label removed or lowered, then the file shared outside or downloaded
version: 1.0.0
kind: Scheduled
description: |
  A label was removed or lowered and within 24 hours the same file was shared with outsiders or downloaded: the
  order of events in which labelled content leaves. The file is the same when its address is, whoever acts on it, or
  when one person acts on files of one name. One finding a lowered file, with every exit that followed.
severity: High
queryFrequency: 1d
queryPeriod: 2d
triggerOperator: gt
triggerThreshold: 0
tactics: [DefenseEvasion, Collection, Exfiltration]
relevantTechniques: [T1562, T1530, T1567]
watchlists:
  Labels: {required: false, columns: [Id, Name, Rank, Parent]}
unjudged:
  what: change{s} of a label whose order nobody gave
  watchlist: Labels
  query: |
    SELECT count(*)
    FROM LabelEvents AS e
    WHERE e.Action IN ('LabelChanged', 'LabelApplied')
      AND e.OldLabelId <> e.NewLabelId
      AND (e.OldLabelRank IS NULL OR e.NewLabelRank IS NULL)
      AND coalesce(e.LabelEventType, '') <> 'LabelChangedSameOrder'
      AND NOT is_service(e.UserType, e.UserId)
parameters:
  Span: {default: 24h, description: How long after the label action a share or download belongs to it}
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
customDetails: {OldLabel: OldLabelName, NewLabel: NewLabelName, Justification: Justification, Exits: Exits, Recipients: Recipients}
falsePositives:
  - A document is released on purpose, lowered first and then sent out. The justification says so, and the recipient is a known partner.
  - FileSyncDownloadedFull comes from the sync client of every colleague who keeps the library on disk. Then the downloads are by several people, in their own offices, and nothing is shared.
  - A link for named people (SecureLinkCreated) does not say for whom. AddedToSecureLink beside it does; members only means that the file stayed inside.
references:
  - https://learn.microsoft.com/purview/audit-log-activities
  - https://learn.microsoft.com/purview/data-classification-activity-explorer-available-events
tests:
  - name: a lowered file shared with a guest is found
    watchlists:
      Labels:
        - {Id: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", Name: General, Rank: "1", Parent: ""}
        - {Id: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", Name: Confidential, Rank: "3", Parent: ""}
    events:
      - record: {Id: "3a9b9071-8228-46a0-9113-50ec3e06d778", CreationTime: "2026-05-12T18:41:00", RecordType: 6, Operation: FileSensitivityLabelChanged, Workload: SharePoint, UserId: mallory@contoso.com, UserType: 0, ClientIP: "198.51.100.23", ObjectId: "https://contoso.sharepoint.com/sites/deals/Shared Documents/Deal 7.docx", SourceFileName: Deal 7.docx, SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelEventType: 2, ActionSource: 3}}
      - record: {Id: "b029ff96-0bee-4834-a2e5-eb0125d34a9d", CreationTime: "2026-05-12T19:05:00", RecordType: 14, Operation: AddedToSecureLink, Workload: SharePoint, UserId: mallory@contoso.com, UserType: 0, ClientIP: "198.51.100.23", ObjectId: "https://contoso.sharepoint.com/sites/deals/Shared%20Documents/Deal%207.docx", SourceFileName: Deal 7.docx, TargetUserOrGroupType: Guest, TargetUserOrGroupName: "eve_fabrikam.com#ext#@contoso.onmicrosoft.com"}
    finds: 1
  - name: an anonymous link and three downloads of one file are one finding
    events:
      - record: {Id: "4a0b081a-7aeb-4be7-8f58-6289a32e9b78", CreationTime: "2026-05-12T18:41:00", RecordType: 6, Operation: FileSensitivityLabelRemoved, Workload: SharePoint, UserId: mallory@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/deals/Shared Documents/Deal 8.docx", SourceFileName: Deal 8.docx, SourceLabel: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
      - record: {Id: "f81ef763-ca14-412d-9262-e3daa0c1a41a", CreationTime: "2026-05-12T18:50:00", RecordType: 14, Operation: AnonymousLinkCreated, Workload: SharePoint, UserId: mallory@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/deals/Shared Documents/Deal 8.docx", SourceFileName: Deal 8.docx}
      - record: {Id: "8d04ba41-81c8-465b-b59f-d6925184bc41", CreationTime: "2026-05-12T20:00:00", RecordType: 6, Operation: FileDownloaded, Workload: SharePoint, UserId: eve@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/deals/Shared Documents/Deal 8.docx", SourceFileName: Deal 8.docx}
        repeat: {count: 3, every: 1m}
    finds: 1
  - name: a label removed on disk and a file of that name shared by the same person is found
    events:
      - record: {Id: "2180e9c6-61a8-4d0c-9ad2-db55905bbcb6", CreationTime: "2026-05-12T09:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: mallory@contoso.com, UserType: 0, ObjectId: 'C:\Users\mallory\Desktop\Price list 2027.xlsx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
      - record: {Id: "0741f824-a313-4e76-a0a7-4e415eba09bf", CreationTime: "2026-05-13T08:59:00", RecordType: 14, Operation: SharingSet, Workload: OneDrive, UserId: Mallory@contoso.com, UserType: 0, ObjectId: "https://contoso-my.sharepoint.com/personal/mallory_contoso_com/Documents/Price list 2027.xlsx", SourceFileName: Price list 2027.xlsx, TargetUserOrGroupName: eve@fabrikam.com}
    finds: 1
  - name: two lowered files are two findings
    events:
      - record: {Id: "2be44886-b6db-4e3b-81df-8f51650d8294", CreationTime: "2026-05-12T18:41:00", RecordType: 6, Operation: FileSensitivityLabelRemoved, Workload: SharePoint, UserId: mallory@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/deals/Shared Documents/Deal {n}.docx", SourceLabel: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
        repeat: {count: 2, every: 15s}
      - record: {Id: "30ffb7c9-12e7-47c4-83a1-2a2ff6d13e10", CreationTime: "2026-05-12T19:41:00", RecordType: 6, Operation: FileDownloaded, Workload: SharePoint, UserId: mallory@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/deals/Shared Documents/Deal {n}.docx"}
        repeat: {count: 2, every: 15s}
    finds: 2
  - name: sharing inside is not an exit
    events:
      - record: {Id: "85a90c19-da56-49dc-8469-b010233ec4ca", CreationTime: "2026-05-12T10:00:00", RecordType: 6, Operation: FileSensitivityLabelRemoved, Workload: SharePoint, UserId: alice@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/Canteen.docx", SourceLabel: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
      - record: {Id: "a6f1d9ba-2611-4335-8680-d50d4d9a6cd2", CreationTime: "2026-05-12T10:05:00", RecordType: 14, Operation: CompanyLinkCreated, Workload: SharePoint, UserId: alice@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/Canteen.docx"}
      - record: {Id: "689cf67f-4fe8-4347-9b66-fd4e611c90e5", CreationTime: "2026-05-12T10:06:00", RecordType: 14, Operation: SharingSet, Workload: SharePoint, UserId: alice@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/Canteen.docx", TargetUserOrGroupType: Member, TargetUserOrGroupName: bob@contoso.com}
      - record: {Id: "c6609f21-4d93-4f25-bd5b-2674c4079ddf", CreationTime: "2026-05-12T10:07:00", RecordType: 14, Operation: SharingSet, Workload: SharePoint, UserId: alice@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/Canteen.docx", TargetUserOrGroupType: SharePointGroup, TargetUserOrGroupName: HR Members}
    finds: 0
  - name: before the label was lowered, or more than a day later, is not
    events:
      - record: {Id: "974d85e1-6ba2-4553-9e42-4ad7dbe6ba61", CreationTime: "2026-05-12T09:59:00", RecordType: 6, Operation: FileDownloaded, Workload: SharePoint, UserId: alice@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/Plan.docx"}
      - record: {Id: "4ed8bc26-8a7e-4918-8dd3-d2d9d5906dda", CreationTime: "2026-05-12T10:00:00", RecordType: 6, Operation: FileSensitivityLabelRemoved, Workload: SharePoint, UserId: alice@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/Plan.docx", SourceLabel: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
      - record: {Id: "2a605b34-4e72-4104-aac5-ea03112b283b", CreationTime: "2026-05-13T10:00:01", RecordType: 6, Operation: FileDownloaded, Workload: SharePoint, UserId: alice@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/Plan.docx"}
    finds: 0
  - name: somebody else's file that only has the same name is not
    events:
      - record: {Id: "24391eb7-38d6-4b40-a353-536f87a3e13d", CreationTime: "2026-05-12T10:00:00", RecordType: 6, Operation: FileSensitivityLabelRemoved, Workload: SharePoint, UserId: alice@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/Agenda.docx", SourceFileName: Agenda.docx, SourceLabel: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
      - record: {Id: "5b6acb51-0ade-4da3-9ffd-eead39239093", CreationTime: "2026-05-12T10:10:00", RecordType: 6, Operation: FileDownloaded, Workload: SharePoint, UserId: bob@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/sales/Shared Documents/Agenda.docx", SourceFileName: Agenda.docx}
    finds: 0
*/
WITH params AS (
  -- A working day and the night after it: who lowers a label in order to send the file seldom waits longer.
  SELECT $Span AS Span
),
lowered AS (
  SELECT
    e.TimeGenerated,
    e.TimeGenerated + p.Span AS Deadline,
    e.UserId,
    lower(e.UserId) AS UserKey,
    e.FileName,
    e.FilePath,
    -- Addresses come with and without percent signs; the blank is the one that matters in practice.
    replace(lower(nullif(e.FilePath, '')), '%20', ' ') AS PathKey,
    lower(nullif(e.FileName, '')) AS NameKey,
    e.Action,
    coalesce(e.OldLabelName, e.OldLabelId) AS OldLabelName,
    coalesce(e.NewLabelName, e.NewLabelId) AS NewLabelName,
    e.Justification,
    e.IPAddress,
    e._Source
  FROM LabelEvents AS e
  CROSS JOIN params AS p
  WHERE e.Action IN ('LabelRemoved', 'LabelDowngraded')
    AND NOT is_service(e.UserType, e.UserId)
),
exits AS (
  SELECT *
  FROM (
    SELECT
      TimeGenerated,
      UserId,
      lower(UserId) AS UserKey,
      replace(lower(nullif(ObjectId, '')), '%20', ' ') AS PathKey,
      replace(lower(coalesce(nullif(SourceFileName, ''), regexp_replace(ObjectId, '^.*[/\\]', ''))), '%20', ' ') AS NameKey,
      nullif(TargetUserOrGroupName, '') AS Recipient,
      CASE
        WHEN Operation IN ('FileDownloaded', 'FileSyncDownloadedFull') THEN 'downloaded'
        WHEN Operation = 'AnonymousLinkCreated' THEN 'link for anyone'
        WHEN Operation = 'SharingInvitationCreated' THEN 'outsider invited'
        WHEN Operation = 'SecureLinkCreated' AND coalesce(TargetUserOrGroupType, '') <> 'Member' THEN 'link for named people'
        -- SharingSet and AddedToSecureLink are logged for colleagues too.
        WHEN TargetUserOrGroupType IN ('Guest', 'Partner') OR lower(TargetUserOrGroupName) LIKE '%#ext#%' THEN 'shared with a guest'
        WHEN coalesce(TargetUserOrGroupType, '') = ''
          AND TargetUserOrGroupName LIKE '%_@_%'
          AND lower(split_part(TargetUserOrGroupName, '@', 2)) <> lower(split_part(UserId, '@', 2)) THEN 'shared with another domain'
      END AS Exit,
      IPAddress,
      _Source
    FROM UnifiedAuditLog
    WHERE Operation IN (
        'FileDownloaded', 'FileSyncDownloadedFull', 'AnonymousLinkCreated', 'SharingInvitationCreated',
        'SecureLinkCreated', 'AddedToSecureLink', 'SharingSet'
      )
      AND NOT is_service(UserType, UserId)
  )
  WHERE Exit IS NOT NULL
),
matches AS (
  SELECT
    0 AS Doubt,
    l.*,
    x.TimeGenerated AS ExitTime,
    x.UserKey AS ExitUser,
    x.Exit,
    x.Recipient,
    x.IPAddress AS ExitAddress,
    x._Source AS ExitSource
  FROM lowered AS l
  JOIN exits AS x ON x.PathKey = l.PathKey
  WHERE x.TimeGenerated >= l.TimeGenerated AND x.TimeGenerated <= l.Deadline
  UNION ALL
  SELECT
    1 AS Doubt,
    l.*,
    x.TimeGenerated AS ExitTime,
    x.UserKey AS ExitUser,
    x.Exit,
    x.Recipient,
    x.IPAddress AS ExitAddress,
    x._Source AS ExitSource
  FROM lowered AS l
  JOIN exits AS x ON x.NameKey = l.NameKey AND x.UserKey = l.UserKey
  WHERE x.TimeGenerated >= l.TimeGenerated AND x.TimeGenerated <= l.Deadline
),
-- An exit counts once, for the last time the label was lowered before it.
nearest AS (
  SELECT *
  FROM (
    SELECT
      *,
      row_number() OVER (PARTITION BY ExitSource ORDER BY Doubt, TimeGenerated DESC, _Source) AS Choice
    FROM matches
  )
  WHERE Choice = 1
),
left_by AS (
  SELECT
    _Source,
    max(ExitTime) AS EndTime,
    min(TimeGenerated) AS TimeGenerated,
    min(UserId) AS UserId,
    min(FileName) AS FileName,
    min(FilePath) AS FilePath,
    min(Action) AS Action,
    min(OldLabelName) AS OldLabelName,
    min(NewLabelName) AS NewLabelName,
    min(Justification) AS Justification,
    min(IPAddress) AS IPAddress,
    array_agg(DISTINCT Exit ORDER BY Exit) AS Exits,
    count(*) FILTER (WHERE Exit = 'downloaded') AS Downloads,
    count(*) FILTER (WHERE Exit <> 'downloaded') AS Shares,
    array_agg(DISTINCT Recipient ORDER BY Recipient) FILTER (WHERE Recipient IS NOT NULL) AS Recipients,
    array_agg(DISTINCT ExitUser ORDER BY ExitUser) AS ExitUsers,
    first_value(ExitAddress ORDER BY ExitTime, ExitSource) FILTER (WHERE ExitAddress IS NOT NULL) AS ExitIPAddress,
    array_agg(ExitSource ORDER BY ExitTime, ExitSource) AS ExitSources
  FROM nearest
  -- All that is said of a label action is the same in each of its rows.
  GROUP BY _Source
)
SELECT
  TimeGenerated,
  EndTime,
  UserId,
  FileName,
  FilePath,
  Action,
  OldLabelName,
  NewLabelName,
  Justification,
  Exits,
  Shares,
  Downloads,
  Recipients,
  ExitUsers,
  coalesce(IPAddress, ExitIPAddress) AS IPAddress,
  ExitIPAddress,
  array_prepend(_Source, ExitSources) AS _Sources
FROM left_by
