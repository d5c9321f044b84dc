/*
id: labelled-file-renamed
name: Labelled file renamed so that it looks like something else
version: 1.0.0
kind: Scheduled
description: |
  A file with a sensitivity label got a name that hides what it is: another kind of extension, none at all, one
  extension in front of another, or invisible characters that turn the name round. Renamed like this a document passes
  for a picture or a temporary file. Ordinary renames that keep the extension are no finding.
severity: Medium
queryFrequency: 1d
queryPeriod: 1d
triggerOperator: gt
triggerThreshold: 0
tactics: [DefenseEvasion]
relevantTechniques: [T1036]
watchlists:
  Labels: {required: false, columns: [Id, Name, Rank, Parent]}
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
customDetails: {PreviousFileName: PreviousFileName, Reason: Reason, Label: LabelName, Application: Application}
falsePositives:
  - An application renames while it saves. The names that Word, Excel and PowerPoint use for that are left out; another program's would show as many renames by one Application.
  - A user archives or versions by name (report.docx.old). The file stays where it is and nothing else happens to it.
references:
  - https://learn.microsoft.com/purview/data-classification-activity-explorer-available-events
  - https://learn.microsoft.com/purview/audit-log-activities
tests:
  - name: a document renamed to a picture is found
    events:
      - record: {Id: "8a2e23b2-8681-4203-8606-1bba3299590d", CreationTime: "2026-05-06T17:30:00", RecordType: 84, Operation: SensitivityLabeledFileRenamed, Workload: PublicEndpoint, UserId: mallory@contoso.com, UserType: 0, Application: File Explorer, DeviceName: PC-0042, ObjectId: 'C:\Users\mallory\Pictures\beach.jpg', PreviousFileName: 'C:\Users\mallory\Pictures\Deal 7.docx', LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
    finds: 1
  - name: a labelled file renamed in SharePoint to a second extension is found
    watchlists:
      Labels:
        - {Id: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", Name: Confidential, Rank: "3", Parent: ""}
    events:
      - record: {Id: "b3ad40d6-dffe-41e8-9fc3-397357343c0e", CreationTime: "2026-05-06T17:31:00", RecordType: 6, Operation: FileRenamed, Workload: SharePoint, UserId: mallory@contoso.com, UserType: 0, ClientIP: "198.51.100.23", ObjectId: "https://contoso.sharepoint.com/sites/deals/Shared Documents/Deal 8.docx", SourceFileName: Deal 8.docx, SourceFileExtension: docx, DestinationFileName: Deal 8.docx.txt, DestinationFileExtension: txt, SensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
    finds: 1
  - name: an extension taken away, and one that invisible characters only seem to keep
    events:
      - record: {Id: "04677cd1-42a2-4349-a7ac-36013bdf8549", CreationTime: "2026-05-06T17:32:00", RecordType: 84, Operation: SensitivityLabeledFileRenamed, Workload: PublicEndpoint, UserId: mallory@contoso.com, UserType: 0, ObjectId: 'C:\Users\mallory\holiday', PreviousFileName: 'Prices.xlsx', LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
      - record: {Id: "ea0e700d-9b97-4464-ab11-18d44667ae55", CreationTime: "2026-05-06T17:33:00", RecordType: 84, Operation: SensitivityLabeledFileRenamed, Workload: PublicEndpoint, UserId: mallory@contoso.com, UserType: 0, ObjectId: "C:\\Users\\mallory\\photo_\u202egnp.docx", PreviousFileName: 'photo.docx', LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
    finds: 2
  - name: a name that keeps its extension but carries a false one before it
    events:
      - record: {Id: "c670af06-abad-4d3f-88b3-4c830bc77e8a", CreationTime: "2026-05-06T17:34:00", RecordType: 84, Operation: SensitivityLabeledFileRenamed, Workload: PublicEndpoint, UserId: mallory@contoso.com, UserType: 0, ObjectId: 'C:\Users\mallory\IMG_0042.jpg.docx', PreviousFileName: 'Deal 9.docx', LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
    finds: 1
  - name: ordinary renames are not
    events:
      - record: {Id: "3f912a25-f47f-4ffe-855b-083b3b3650c6", CreationTime: "2026-05-06T10:00:00", RecordType: 84, Operation: SensitivityLabeledFileRenamed, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'C:\Users\alice\Plan v1.2 final.docx', PreviousFileName: 'C:\Users\alice\Plan v1.1.docx', LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
      - record: {Id: "a5ed9e7e-8f08-4970-bbb3-88afbf30ff02", CreationTime: "2026-05-06T10:01:00", RecordType: 84, Operation: SensitivityLabeledFileRenamed, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'C:\Users\alice\Macro.XLSM', PreviousFileName: 'Macro.xlsx', LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
      - record: {Id: "ce923712-269f-4270-a197-f663794199a4", CreationTime: "2026-05-06T10:02:00", RecordType: 6, Operation: FileRenamed, Workload: SharePoint, UserId: alice@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/Menu.docx", SourceFileName: Menu.docx, DestinationFileName: Menu May.docx, SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb"}
    finds: 0
  - name: numbers after a dot are no extension
    events:
      - record: {Id: "2d7789a4-f72a-44f2-91f9-175f525bccdc", CreationTime: "2026-05-06T10:10:00", RecordType: 84, Operation: SensitivityLabeledFileRenamed, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: '/srv/share/Plan v1.3', PreviousFileName: 'Plan v1.2', LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
    finds: 0
  - name: what Office does while it saves, and what the protection client does, is not
    events:
      - record: {Id: "b5e89b54-b6ad-40da-a02a-9e9073fe1a93", CreationTime: "2026-05-06T10:03:00", RecordType: 84, Operation: SensitivityLabeledFileRenamed, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'C:\Users\alice\~WRL0003.tmp', PreviousFileName: 'Letter.docx', LabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb"}
      - record: {Id: "0ab77fea-7e8b-4462-a94d-2d28a277c290", CreationTime: "2026-05-06T10:04:00", RecordType: 84, Operation: SensitivityLabeledFileRenamed, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'C:\Users\alice\Book.xlsx', PreviousFileName: '7C1F2A00', LabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb"}
      - record: {Id: "66467780-cba9-4534-857e-7278555be857", CreationTime: "2026-05-06T10:05:00", RecordType: 84, Operation: SensitivityLabeledFileRenamed, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'C:\Users\alice\scan.pjpg', PreviousFileName: 'scan.jpg', LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
    finds: 0
  - name: a file without a label may be called anything
    events:
      - record: {Id: "d60181db-4d52-4157-8f53-d6949e6851a0", CreationTime: "2026-05-06T10:06:00", RecordType: 6, Operation: FileRenamed, Workload: SharePoint, UserId: alice@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/Menu.docx", SourceFileName: Menu.docx, DestinationFileName: Menu.docx.txt}
    finds: 0
*/
WITH labels AS (
  SELECT lower(trim(Id)) AS LabelId, min(Name) AS LabelName
  FROM watchlists.Labels
  GROUP BY lower(trim(Id))
),
renames AS (
  SELECT
    TimeGenerated,
    UserId,
    UserType,
    PreviousFileName,
    FileName,
    FilePath,
    coalesce(NewLabelName, NewLabelId) AS LabelName,
    Application,
    DeviceName,
    IPAddress,
    Workload,
    EventId,
    _Source
  FROM LabelEvents
  -- SharePoint's own renames come from the audit log below.
  WHERE Action = 'FileRenamed' AND coalesce(RecordType, 0) <> 6
  UNION ALL
  SELECT
    u.TimeGenerated,
    u.UserId,
    u.UserType,
    u.SourceFileName AS PreviousFileName,
    u.DestinationFileName AS FileName,
    u.ObjectId AS FilePath,
    coalesce(l.LabelName, lower(u.SensitivityLabelId)) AS LabelName,
    u.Application,
    u.DeviceName,
    u.IPAddress,
    u.Workload,
    u.Id AS EventId,
    u._Source
  FROM UnifiedAuditLog AS u
  LEFT JOIN labels AS l ON l.LabelId = lower(u.SensitivityLabelId)
  WHERE u.Operation = 'FileRenamed' AND coalesce(u.SensitivityLabelId, '') <> ''
),
names AS (
  SELECT
    *,
    lower(trim(regexp_replace(PreviousFileName, '^.*[/\\]', ''))) AS OldName,
    lower(trim(regexp_replace(FileName, '^.*[/\\]', ''))) AS NewName
  FROM renames
  WHERE coalesce(PreviousFileName, '') <> '' AND coalesce(FileName, '') <> ''
    AND NOT is_service(UserType, UserId)
),
extensions AS (
  SELECT
    *,
    -- What follows a dot is an extension only if it looks like one: `Plan v1.2` and `Notes.2026` have none.
    CASE
      WHEN regexp_like(OldName, '\.[a-z0-9~]{1,10}$') AND NOT regexp_like(OldName, '\.[0-9]+$')
        THEN reverse(split_part(reverse(OldName), '.', 1))
      ELSE ''
    END AS OldExtension,
    CASE
      WHEN regexp_like(NewName, '\.[a-z0-9~]{1,10}$') AND NOT regexp_like(NewName, '\.[0-9]+$')
        THEN reverse(split_part(reverse(NewName), '.', 1))
      ELSE ''
    END AS NewExtension
  FROM names
),
judged AS (
  SELECT
    *,
    CASE
      -- Word, Excel and PowerPoint write to such a name and swap it with the file's own.
      WHEN regexp_like(OldName, '^(~.*\.tmp|[0-9a-f]{8}(\.tmp)?|ppt[0-9a-f]+\.(tmp|pptx~))$')
        OR regexp_like(NewName, '^(~.*\.tmp|[0-9a-f]{8}(\.tmp)?|ppt[0-9a-f]+\.(tmp|pptx~))$') THEN NULL
      -- Characters that reverse the direction of writing or have no width.
      WHEN regexp_like(NewName, '[\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2069}]') THEN 'invisible characters'
      WHEN OldExtension <> '' AND NewExtension = '' THEN 'extension taken away'
      WHEN regexp_like(NewName, '\.(doc|docx|docm|xls|xlsx|xlsm|ppt|pptx|pptm|pdf|msg|csv)\.[a-z0-9~]{1,5}$')
        AND NewExtension <> OldExtension
        AND NewExtension <> 'pfile' THEN 'second extension'
      -- A name that already looked like this before was not changed to hide anything now.
      WHEN regexp_like(NewName, '\.(jpe?g|png|gif|bmp|txt|log|tmp|bak|dat|bin|dll|mp[34]|zip)\.[a-z0-9]{1,5}$')
        AND NOT regexp_like(OldName, '\.(jpe?g|png|gif|bmp|txt|log|tmp|bak|dat|bin|dll|mp[34]|zip)\.[a-z0-9]{1,5}$')
        AND NewExtension <> 'pfile' THEN 'false extension before the true one'
      WHEN NewExtension <> OldExtension AND OldExtension <> ''
        -- doc, docx, docm and dotx are one kind; so are the others.
        AND NOT (left(NewExtension, 2) = left(OldExtension, 2) AND left(NewExtension, 2) IN ('do', 'xl', 'pp', 'po', 'vs', 'jp', 'ti', 'ht'))
        -- The protection client writes jpg as pjpg and pdf as ppdf, and back.
        AND NewExtension <> concat('p', OldExtension)
        AND OldExtension <> concat('p', NewExtension)
        AND NewExtension <> 'pfile'
        AND OldExtension <> 'pfile'
        AND OldExtension NOT IN ('tmp', 'crdownload', 'partial', 'download') THEN 'other extension'
    END AS Reason
  FROM extensions
)
SELECT
  TimeGenerated,
  UserId,
  PreviousFileName,
  FileName,
  FilePath,
  Reason,
  OldExtension,
  NewExtension,
  LabelName,
  Application,
  DeviceName,
  IPAddress,
  Workload,
  EventId,
  _Source
FROM judged
WHERE Reason IS NOT NULL
