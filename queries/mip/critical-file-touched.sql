/*
id: critical-file-touched
name: Critical file touched
version: 1.0.0
kind: Scheduled
description: |
  Someone opened, downloaded, moved, deleted, shared or relabelled a file of the CriticalFiles watchlist. The list is
  meant for the few documents whose every use somebody wants to know of. One finding a user, file and day, with what was
  done and which entries of the list matched.
severity: Medium
queryFrequency: 1d
queryPeriod: 1d
triggerOperator: gt
triggerThreshold: 0
tactics: [Collection]
relevantTechniques: [T1213, T1530]
watchlists:
  CriticalFiles: {required: true, columns: [Pattern, Comment]}
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
customDetails: {Operations: Operations, Patterns: Patterns, Events: Events}
falsePositives:
  - The people who work with the file every day. Compare UserId with those who should have access; nobody else is the interesting case.
  - A pattern that is too wide, such as one on a common word. Patterns shows which entry matched.
references:
  - https://learn.microsoft.com/purview/audit-log-activities
  - https://learn.microsoft.com/azure/sentinel/watchlists
tests:
  - name: a wildcard matches the name in any case, and a day's actions are one finding
    watchlists:
      CriticalFiles:
        - {Pattern: "*board-minutes*.docx", Comment: minutes}
    events:
      - record: {Id: "48577da3-9c33-43e0-9dce-daef79ecb395", CreationTime: "2026-05-08T09:00:00", RecordType: 6, Operation: FileAccessed, Workload: SharePoint, UserId: bob@contoso.com, UserType: 0, ClientIP: "192.0.2.12", ObjectId: "https://contoso.sharepoint.com/sites/board/Shared Documents/Board-Minutes 2026-04.docx", SourceFileName: Board-Minutes 2026-04.docx}
      - record: {Id: "e181b0a6-9150-4f09-bf3f-ea39f7a297dc", CreationTime: "2026-05-08T09:05:00", RecordType: 6, Operation: FileDownloaded, Workload: SharePoint, UserId: bob@contoso.com, UserType: 0, ClientIP: "192.0.2.12", ObjectId: "https://contoso.sharepoint.com/sites/board/Shared Documents/Board-Minutes 2026-04.docx", SourceFileName: Board-Minutes 2026-04.docx}
      - record: {Id: "0f5c3c80-c86f-4779-8bf4-fdc8650bb6b1", CreationTime: "2026-05-08T09:10:00", RecordType: 6, Operation: FileSensitivityLabelRemoved, Workload: SharePoint, UserId: Bob@contoso.com, UserType: 0, ClientIP: "192.0.2.12", ObjectId: "https://contoso.sharepoint.com/sites/board/Shared Documents/Board-Minutes 2026-04.docx", SourceFileName: Board-Minutes 2026-04.docx, SourceLabel: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
    finds: 1
  - name: a pattern on a Windows path, with every character that a pattern language might take for its own
    watchlists:
      CriticalFiles:
        - {Pattern: 'D:\R&D\100%_(plan)[1]+{x}.$^|*.xls?', Comment: trap}
    events:
      - record: {Id: "7f34c8b4-47a7-4ff6-8551-c8c5d487a190", CreationTime: "2026-05-08T10:00:00", RecordType: 84, Operation: SensitivityLabeledFileOpened, Workload: PublicEndpoint, UserId: carol@contoso.com, UserType: 0, ObjectId: 'D:\R&D\100%_(plan)[1]+{x}.$^|v2.xlsx', LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
    finds: 1
  - name: two people and two days are separate findings
    watchlists:
      CriticalFiles:
        - {Pattern: "merger ?.xlsx", Comment: deal}
    events:
      - record: {Id: "2436ec4e-1eb4-443d-821c-f4400402d98e", CreationTime: "2026-05-08T23:59:00", RecordType: 6, Operation: FileDownloaded, Workload: SharePoint, UserId: bob@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/deals/Shared Documents/Merger 1.xlsx"}
      - record: {Id: "8a26ccbf-9a74-45e3-b921-b7af856515ad", CreationTime: "2026-05-09T00:01:00", RecordType: 6, Operation: FileDownloaded, Workload: SharePoint, UserId: bob@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/deals/Shared Documents/Merger 1.xlsx"}
      - record: {Id: "f15b71c5-715c-49df-ace1-df9ea50bdba5", CreationTime: "2026-05-09T00:02:00", RecordType: 14, Operation: AnonymousLinkCreated, Workload: SharePoint, UserId: eve@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/deals/Shared Documents/Merger 1.xlsx"}
    finds: 3
  - name: an underscore and a percent sign in a pattern are only themselves, and a name without wildcards must be whole
    watchlists:
      CriticalFiles:
        - {Pattern: "a_b%.docx", Comment: literal}
        - {Pattern: "plan.docx", Comment: whole name}
        - {Pattern: "", Comment: an empty line}
    events:
      - record: {Id: "2140a32f-2a6e-4676-838a-d7f8a69bf625", CreationTime: "2026-05-08T11:00:00", RecordType: 6, Operation: FileDownloaded, Workload: SharePoint, UserId: bob@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/x/Shared Documents/axb99.docx"}
      - record: {Id: "ca74859d-9e9e-484f-998c-84d52a04ad5f", CreationTime: "2026-05-08T11:01:00", RecordType: 6, Operation: FileDownloaded, Workload: SharePoint, UserId: bob@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/x/Shared Documents/old plan.docx"}
    finds: 0
  - name: an indexing service and an operation that only lists are not
    watchlists:
      CriticalFiles:
        - {Pattern: "*merger*", Comment: deal}
    events:
      - record: {Id: "524cc215-8420-45c7-827c-7a19ca8ac1ce", CreationTime: "2026-05-08T12:00:00", RecordType: 6, Operation: FileAccessed, Workload: SharePoint, UserId: app@sharepoint, UserType: 5, ObjectId: "https://contoso.sharepoint.com/sites/deals/Shared Documents/Merger 1.xlsx"}
      - record: {Id: "bdbe78c0-cb56-4724-8fb7-65f9d117f839", CreationTime: "2026-05-08T12:01:00", RecordType: 4, Operation: PageViewed, Workload: SharePoint, UserId: bob@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/deals/SitePages/Merger.aspx"}
    finds: 0
*/
WITH patterns AS (
  -- As a LIKE pattern, not a regular expression: three characters to escape, and no pattern can be costly or invalid.
  SELECT DISTINCT
    Pattern,
    replace(replace(replace(replace(replace(trim(Pattern), '\', '\\'), '%', '\%'), '_', '\_'), '*', '%'), '?', '_') AS LikePattern
  FROM watchlists.CriticalFiles
  WHERE trim(Pattern) <> ''
),
touched AS (
  SELECT TimeGenerated, UserId, UserType, FileName, FilePath, Operation, IPAddress, _Source
  FROM LabelEvents
  UNION ALL
  SELECT
    TimeGenerated,
    UserId,
    UserType,
    coalesce(nullif(SourceFileName, ''), regexp_replace(ObjectId, '^.*[/\\]', '')) AS FileName,
    ObjectId AS FilePath,
    Operation,
    IPAddress,
    _Source
  FROM UnifiedAuditLog
  -- FileModified and the like are left out: who edits a file has opened it before.
  WHERE Operation IN (
    'FileAccessed', 'FileAccessedExtended', 'FilePreviewed', 'FileDownloaded', 'FileSyncDownloadedFull',
    'FileCopied', 'FileMoved', 'FileRenamed', 'FileDeleted', 'FileRecycled', 'FileDeletedFirstStageRecycleBin',
    'FileDeletedSecondStageRecycleBin', 'FileRestored', 'SharingSet', 'SharingInvitationCreated', 'AnonymousLinkCreated',
    'AnonymousLinkUsed', 'CompanyLinkCreated', 'SecureLinkCreated', 'SecureLinkUsed', 'AddedToSecureLink'
  )
),
events AS (
  SELECT
    TimeGenerated,
    UserId,
    lower(UserId) AS UserKey,
    coalesce(FileName, '') AS FileName,
    coalesce(FilePath, '') AS FilePath,
    Operation,
    IPAddress,
    _Source
  FROM touched
  WHERE NOT is_service(UserType, UserId)
),
-- Each file is compared with the list once, not each of its events.
critical AS (
  SELECT f.FileName, f.FilePath, array_agg(p.Pattern ORDER BY p.Pattern) AS Patterns
  FROM (SELECT DISTINCT FileName, FilePath FROM events) AS f
  JOIN patterns AS p ON matches_pattern(f.FileName, p.LikePattern) OR matches_pattern(f.FilePath, p.LikePattern)
  GROUP BY f.FileName, f.FilePath
)
SELECT
  min(e.TimeGenerated) AS TimeGenerated,
  max(e.TimeGenerated) AS EndTime,
  min(e.UserId) AS UserId,
  min(e.FileName) AS FileName,
  min(e.FilePath) AS FilePath,
  array_agg(DISTINCT e.Operation ORDER BY e.Operation) AS Operations,
  count(DISTINCT e._Source) AS Events,
  first_value(c.Patterns ORDER BY e.TimeGenerated, e._Source) AS Patterns,
  first_value(e.IPAddress ORDER BY e.TimeGenerated, e._Source) FILTER (WHERE e.IPAddress IS NOT NULL) AS IPAddress,
  array_agg(DISTINCT e.IPAddress ORDER BY e.IPAddress) FILTER (WHERE e.IPAddress IS NOT NULL) AS IPAddresses,
  array_agg(e._Source ORDER BY e.TimeGenerated, e._Source) AS _Sources
FROM events AS e
JOIN critical AS c ON c.FileName = e.FileName AND c.FilePath = e.FilePath
GROUP BY
  e.UserKey,
  lower(coalesce(nullif(e.FilePath, ''), e.FileName)),
  date_trunc('day', e.TimeGenerated)
