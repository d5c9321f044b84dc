/*
id: downgrade-justification-missing-or-one-word
name: Label removed or lowered without a real justification
version: 1.0.0
kind: Scheduled
description: |
  A person removed or lowered a label by hand and gave no reason, a single word, a few letters or keyboard noise.
  Where a policy asks for a justification, someone who writes "asdf" had none, or none to show. One finding a user,
  day and text, so that forty files with the same "x" are one.
severity: Low
queryFrequency: 1d
queryPeriod: 1d
triggerOperator: gt
triggerThreshold: 0
tactics: [DefenseEvasion]
relevantTechniques: [T1562]
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
      AND coalesce(e.ActionSource, 'Manual') NOT IN ('Auto', 'Default')
      AND NOT is_service(e.UserType, e.UserId)
parameters:
  MinCharacters: {default: 10, description: A justification with fewer letters and digits explains nothing}
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
customDetails: {Verdict: Verdict, Justification: Justification, Files: Files, OldLabels: OldLabelNames, NewLabels: NewLabelNames}
falsePositives:
  - The label policy asks for no justification, so that every text is missing. Then all users have this finding; leave the rule out.
  - A word that says enough in this organisation, such as a project's name. Ticket numbers are let through already.
references:
  - https://learn.microsoft.com/purview/data-classification-activity-explorer-available-events
  - https://learn.microsoft.com/azure/azure-monitor/reference/tables/microsoftpurviewinformationprotection
tests:
  - name: no text, spaces and an unanswered "other" are one finding
    watchlists:
      Labels:
        - {Id: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", Name: Confidential, Rank: "3", Parent: ""}
    events:
      - record: {Id: "95b2245a-2f0a-4353-b47e-89bc65e699fb", CreationTime: "2026-05-20T08:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ClientIP: "192.0.2.10", ObjectId: 'D:\Work\A.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
      - record: {Id: "d8108263-d3da-4157-a5f8-ed2b51f94f61", CreationTime: "2026-05-20T08:01:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ClientIP: "192.0.2.10", ObjectId: 'D:\Work\B.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3, JustificationText: "   "}}
      - record: {Id: "a890e01e-3afe-4dca-9ac4-e2e84a720b99", CreationTime: "2026-05-20T08:02:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ClientIP: "192.0.2.10", ObjectId: 'D:\Work\C.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3, JustificationText: "Other (explain)"}}
    finds: 1
  - name: one word, a few letters and noise are findings of their own
    events:
      - record: {Id: "937ae3e0-b25f-4265-8908-950d85ae628a", CreationTime: "2026-05-20T09:00:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\A.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelEventType: 2, ActionSource: 3, JustificationText: "unnecessary"}}
      - record: {Id: "a147b5db-8e83-4c41-a070-51ac43ba2669", CreationTime: "2026-05-20T09:01:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\B.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelEventType: 2, ActionSource: 3, JustificationText: "is fine"}}
      - record: {Id: "d03a54c2-651b-44e6-83a0-10344d98bab7", CreationTime: "2026-05-20T09:02:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\C.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelEventType: 2, ActionSource: 3, JustificationText: "asdf jklö asdf jklö"}}
      - record: {Id: "bd4e0871-73c5-47d4-ba2d-861dbbaa6805", CreationTime: "2026-05-20T09:03:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\D.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelEventType: 2, ActionSource: 3, JustificationText: "xxx xxxxx xxxx"}}
      - record: {Id: "8744aae2-17f2-4361-9e11-f07cdf74703c", CreationTime: "2026-05-20T09:03:30", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\G.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelEventType: 2, ActionSource: 3, JustificationText: "ok"}}
      - record: {Id: "d05b2590-63b8-4bda-8b94-114358940a5e", CreationTime: "2026-05-20T09:04:00", RecordType: 6, Operation: FileSensitivityLabelRemoved, Workload: SharePoint, UserId: bob@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/E.docx", SourceLabel: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", SensitivityLabelJustificationText: "12345 ..."}
    finds: 6
  - name: forty files with the same letter are one finding
    events:
      - record: {Id: "543c807e-3841-4f36-8351-e04c64da02e5", CreationTime: "2026-05-20T10:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: carol@contoso.com, UserType: 0, ObjectId: 'D:\Work\Deal {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3, JustificationText: "x"}}
        repeat: {count: 40, every: 15s}
    finds: 1
  - name: a sentence, Office's own sentences, a ticket number and a language without spaces are fine
    events:
      - record: {Id: "67996512-ad6f-44ca-abde-8d9b962f6ba7", CreationTime: "2026-05-20T11:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: dave@contoso.com, UserType: 0, ObjectId: 'D:\Work\A.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3, JustificationText: "Published on the website today"}}
      - record: {Id: "2aceddc0-685b-4b3c-954f-f19a9faa2568", CreationTime: "2026-05-20T11:01:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: dave@contoso.com, UserType: 0, ObjectId: 'D:\Work\B.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3, JustificationText: "The previous label no longer applies"}}
      - record: {Id: "f9eae40e-9ce9-4aa6-9fdf-c204da732190", CreationTime: "2026-05-20T11:02:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: dave@contoso.com, UserType: 0, ObjectId: 'D:\Work\C.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3, JustificationText: "CHG0012345"}}
      - record: {Id: "62558a49-944a-4e3d-aec0-778dd577e461", CreationTime: "2026-05-20T11:03:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: dave@contoso.com, UserType: 0, ObjectId: 'D:\Work\D.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3, JustificationText: "社外に公開済みの資料です"}}
    finds: 0
  - name: automatic and default labelling, and a service, give no reasons
    events:
      - record: {Id: "e08b9a2a-1c31-43fa-9b7a-b8d63a68b5b1", CreationTime: "2026-05-20T12:00:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: dave@contoso.com, UserType: 0, ObjectId: 'D:\Work\A.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelEventType: 2, ActionSource: 2}}
      - record: {Id: "7ddb86c5-4b49-4be7-a1a7-1c8dbcb7660f", CreationTime: "2026-05-20T12:01:00", RecordType: 6, Operation: FileSensitivityLabelRemoved, Workload: SharePoint, UserId: app@sharepoint, UserType: 5, ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/E.docx", SourceLabel: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
      - record: {Id: "a2b5296a-bc9b-4e7a-ae88-42925b8436eb", CreationTime: "2026-05-20T12:02:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: dave@contoso.com, UserType: 0, ObjectId: 'D:\Work\F.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", SensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 1, ActionSource: 3}}
    finds: 0
*/
WITH params AS (
  -- Letters and digits: "for the client" has 12, "is fine" 6. Below ten a text explains nothing.
  SELECT $MinCharacters AS MinCharacters
),
lowered AS (
  SELECT
    TimeGenerated,
    UserId,
    lower(UserId) AS UserKey,
    FileName,
    FilePath,
    lower(coalesce(nullif(FilePath, ''), nullif(FileName, ''), EventId)) AS FileKey,
    Action,
    coalesce(OldLabelName, OldLabelId) AS OldLabelName,
    coalesce(NewLabelName, NewLabelId) AS NewLabelName,
    -- Office offers "Other (explain)" and puts it before what the user writes.
    lower(trim(regexp_replace(trim(coalesce(Justification, '')), '^other\b( \(explain\))?[\s:,.-]*', '', 'i'))) AS Reason,
    Application,
    DeviceName,
    IPAddress,
    _Source
  FROM LabelEvents
  WHERE Action IN ('LabelRemoved', 'LabelDowngraded')
    -- SharePoint does not always say how; a person it was all the same.
    AND coalesce(ActionSource, 'Manual') NOT IN ('Auto', 'Default')
    AND NOT is_service(UserType, UserId)
),
letters AS (
  SELECT *, regexp_replace(Reason, '[^\p{L}]', '', 'g') AS L0
  FROM lowered
),
-- What is left after the first letter, wherever it stands, is taken away; three times. Nothing left: three letters at most.
less_one AS (
  SELECT *, replace(L0, left(L0, 1), '') AS L1
  FROM letters
),
less_two AS (
  SELECT *, replace(L1, left(L1, 1), '') AS L2
  FROM less_one
),
less_three AS (
  SELECT *, replace(L2, left(L2, 1), '') AS L3
  FROM less_two
),
judged AS (
  SELECT
    r.*,
    CASE
      WHEN r.Reason = '' THEN 'missing'
      WHEN regexp_like(r.Reason, '(asdf|sdfg|dfgh|fghj|ghjk|hjkl|jklö|qwer|uiop|zxcv|yxcv|xcvb|cvbn|vbnm)') THEN 'noise'
      -- A ticket or change number is a reason that can be looked up.
      WHEN regexp_like(r.Reason, '\b[a-z]{2,10}[-_ #]?[0-9]{3,}\b') THEN NULL
      -- Three different letters are noise only where they come again and again: "test" is a word.
      WHEN r.L3 = '' AND character_length(r.L0) >= 6 THEN 'noise'
      WHEN r.L0 = '' THEN 'noise'
      -- Without a vowel it is no word of a language in Latin letters.
      WHEN regexp_like(r.L0, '^[b-df-hj-np-tv-xz]+$') THEN 'noise'
      -- Chinese, Japanese and Thai put no spaces between words and need fewer characters.
      WHEN regexp_like(r.Reason, '[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]') AND character_length(r.L0) >= 5 THEN NULL
      WHEN NOT regexp_like(r.Reason, '\s') THEN 'one word'
      WHEN character_length(regexp_replace(r.Reason, '[^\p{L}\p{N}]', '', 'g')) < p.MinCharacters THEN 'too short'
    END AS Verdict
  FROM less_three AS r
  CROSS JOIN params AS p
)
SELECT
  min(TimeGenerated) AS TimeGenerated,
  max(TimeGenerated) AS EndTime,
  min(UserId) AS UserId,
  Verdict,
  Reason AS Justification,
  count(DISTINCT FileKey) AS Files,
  count(*) FILTER (WHERE Action = 'LabelRemoved') AS Removed,
  count(*) FILTER (WHERE Action = 'LabelDowngraded') AS Downgraded,
  first_value(FileName ORDER BY TimeGenerated, _Source) AS FileName,
  first_value(FilePath ORDER BY TimeGenerated, _Source) AS FilePath,
  array_agg(DISTINCT OldLabelName ORDER BY OldLabelName) FILTER (WHERE OldLabelName IS NOT NULL) AS OldLabelNames,
  array_agg(DISTINCT NewLabelName ORDER BY NewLabelName) FILTER (WHERE NewLabelName IS NOT NULL) AS NewLabelNames,
  first_value(Application ORDER BY TimeGenerated, _Source) FILTER (WHERE Application IS NOT NULL) AS Application,
  first_value(DeviceName ORDER BY TimeGenerated, _Source) FILTER (WHERE DeviceName IS NOT NULL) AS DeviceName,
  first_value(IPAddress ORDER BY TimeGenerated, _Source) FILTER (WHERE IPAddress IS NOT NULL) AS IPAddress,
  array_agg(_Source ORDER BY TimeGenerated, _Source) AS _Sources
FROM judged
WHERE Verdict IS NOT NULL
GROUP BY UserKey, Verdict, Reason, date_trunc('day', TimeGenerated)
