/*
id: mass-label-removal-or-downgrade
name: Many sensitivity labels removed or lowered in a short time
version: 1.0.0
kind: Scheduled
description: |
  One person removed or lowered the labels of 20 or more files within 30 minutes. By hand that is rare; it is what
  someone does who gets a collection ready to take away, or a script on that account. One finding a burst, however long
  it goes on; one that goes on for days is a finding a day.
severity: High
queryFrequency: 1h
queryPeriod: 3d
triggerOperator: gt
triggerThreshold: 0
tactics: [DefenseEvasion, Collection]
relevantTechniques: [T1562, T1119]
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
  MinFiles: {default: 20, description: Different files within the span}
  Span: {default: 30m, description: The time in which the files must lie}
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
customDetails: {Files: Files, Removed: Removed, Downgraded: Downgraded, OldLabels: OldLabelNames, NewLabels: NewLabelNames}
falsePositives:
  - A label was retired or a project was released and its owner relabels the whole folder. The files lie in one place, the justification is always the same true sentence, and a ticket or announcement exists.
  - A migration runs under a person's account. The address and device are the migration server's.
references:
  - https://learn.microsoft.com/purview/data-classification-activity-explorer-available-events
  - https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema
tests:
  - name: forty downgrades in ten minutes are one finding
    watchlists:
      Labels:
        - {Id: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", Name: General, Rank: "1", Parent: ""}
        - {Id: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", Name: Confidential, Rank: "3", Parent: ""}
    events:
      - record: {Id: "3acd7cd5-580c-4a63-bf47-64646669cdaa", CreationTime: "2026-05-12T18:40:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: mallory@contoso.com, UserType: 0, ClientIP: "198.51.100.23", DeviceName: PC-0042, ObjectId: 'C:\Users\mallory\Deals\Deal {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelEventType: 2, ActionSource: 3, JustificationText: "The previous label no longer applies"}}
        repeat: {count: 40, every: 15s}
    finds: 1
  - name: removals and downgrades add up, also where only ranks tell, and across midnight
    watchlists:
      Labels:
        - {Id: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", Name: General, Rank: "1", Parent: ""}
        - {Id: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", Name: Confidential, Rank: "3", Parent: ""}
    events:
      - record: {Id: "4518578b-b57b-4264-b694-3278cb3b454f", CreationTime: "2026-05-12T23:55:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: mallory@contoso.com, UserType: 0, ObjectId: 'C:\Users\mallory\Deals\Old {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
        repeat: {count: 10, every: 30s}
      - record: {Id: "c011410c-48f6-4bc6-b28d-68ddb1d49e08", CreationTime: "2026-05-13T00:01:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: Mallory@Contoso.com, UserType: 0, ObjectId: 'C:\Users\mallory\Deals\New {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb"}}
        repeat: {count: 10, every: 30s}
    finds: 1
  - name: twenty files in just under thirty minutes are enough
    events:
      - record: {Id: "9fc0db6a-933e-4acd-b430-20965ec5f9d1", CreationTime: "2026-05-13T10:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: mallory@contoso.com, UserType: 0, ObjectId: 'C:\Users\mallory\Deals\Deal {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
        repeat: {count: 20, every: 94s}
    finds: 1
  - name: a burst that goes on for three days is a finding a day
    events:
      - record: {Id: "5d1b7c2e-93a4-4b6f-8c7d-2e9f0a1b3c44", CreationTime: "2026-05-13T06:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: mallory@contoso.com, UserType: 0, ObjectId: 'C:\Users\mallory\Deals\Deal {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
        repeat: {count: 2880, every: 90s}
    finds: 3
  - name: a burst of a day and a half with one midnight deep inside is two findings, one with a midnight near its end is one
    events:
      - record: {Id: "7e2c8d3f-04b5-4c70-9d8e-3f0a1b2c4d55", CreationTime: "2026-05-13T06:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: mallory@contoso.com, UserType: 0, ObjectId: 'C:\Users\mallory\Deals\Deal {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
        repeat: {count: 1440, every: 90s}
      - record: {Id: "8f3d9e40-15c6-4d81-8e9f-4a1b2c3d5e66", CreationTime: "2026-05-13T06:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\Paper {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
        repeat: {count: 1000, every: 90s}
    finds: 3
  - name: two bursts hours apart are two findings
    events:
      - record: {Id: "60bf9e19-8a49-4a9b-b511-814605247483", CreationTime: "2026-05-13T10:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: mallory@contoso.com, UserType: 0, ObjectId: 'C:\Users\mallory\Deals\Deal {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
        repeat: {count: 25, every: 10s}
      - record: {Id: "0a59f708-0312-4a83-9ea8-5214fae4499c", CreationTime: "2026-05-13T15:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: mallory@contoso.com, UserType: 0, ObjectId: 'C:\Users\mallory\Offers\Offer {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
        repeat: {count: 25, every: 10s}
    finds: 2
  - name: nineteen files are not enough
    events:
      - record: {Id: "c4142ac8-e813-4369-b3fe-e04e3157be6c", CreationTime: "2026-05-14T10:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\Paper {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
        repeat: {count: 19, every: 15s}
    finds: 0
  - name: twenty files in just over thirty minutes are too slow
    events:
      - record: {Id: "9be558ac-d535-41c2-85f4-f04d2417e30d", CreationTime: "2026-05-14T12:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\Paper {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
        repeat: {count: 20, every: 95s}
    finds: 0
  - name: one file forty times is one file
    events:
      - record: {Id: "7d920677-ef43-4227-8be0-1456ac8891c6", CreationTime: "2026-05-14T14:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\Paper.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
        repeat: {count: 40, every: 15s}
    finds: 0
  - name: two people do not add up, and applied labels do not count
    events:
      - record: {Id: "1fce2084-3194-4102-b938-5951e562aff7", CreationTime: "2026-05-14T16:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'D:\Work\Draft {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
        repeat: {count: 12, every: 15s}
      - record: {Id: "aa855a9a-8798-46c8-b9ec-e06ca3c6f773", CreationTime: "2026-05-14T16:00:05", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\Paper {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
        repeat: {count: 12, every: 15s}
      - record: {Id: "3788411b-0350-43e9-9705-b0c1e6297de8", CreationTime: "2026-05-14T16:00:10", RecordType: 83, Operation: SensitivityLabelApplied, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\Letter {n}.docx', SensitivityLabelEventData: {SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", ActionSource: 3}}
        repeat: {count: 30, every: 10s}
    finds: 0
*/
WITH params AS (
  SELECT
    -- Files: people who tidy up stay below it; one folder selected in Explorer or SharePoint is above it.
    $MinFiles AS MinFiles,
    -- Long enough for someone who opens file after file, short enough not to add up a day's ordinary corrections.
    $Span AS Span
),
lowered AS (
  SELECT
    e.*,
    lower(e.UserId) AS UserKey,
    lower(coalesce(nullif(e.FilePath, ''), nullif(e.FileName, ''), e.EventId)) AS FileKey
  FROM LabelEvents AS e
  WHERE e.Action IN ('LabelRemoved', 'LabelDowngraded')
    AND NOT is_service(e.UserType, e.UserId)
),
-- A file whose label goes up and down counts once in a span, and so does an action that two services both logged.
files AS (
  SELECT UserKey, TimeGenerated
  FROM (
    SELECT
      UserKey,
      TimeGenerated,
      lag(TimeGenerated) OVER (PARTITION BY UserKey, FileKey ORDER BY TimeGenerated) AS Before
    FROM lowered
  )
  CROSS JOIN params
  WHERE Before IS NULL OR Before < TimeGenerated - Span
),
-- A sliding window without a fixed grid: file n and file n + MinFiles - 1 no further apart than the span.
full_windows AS (
  SELECT
    f.UserKey,
    f.Number AS FirstNumber,
    f.Number + p.MinFiles - 1 AS LastNumber,
    f.TimeGenerated AS FirstTime,
    f.LastTime
  FROM (
    SELECT
      UserKey,
      TimeGenerated,
      CAST(row_number() OVER (PARTITION BY UserKey ORDER BY TimeGenerated) AS BIGINT) AS Number,
      lead(TimeGenerated, $MinFiles - 1) OVER (PARTITION BY UserKey ORDER BY TimeGenerated) AS LastTime  -- no column: it has to be a constant
    FROM files
  ) AS f
  CROSS JOIN params AS p
  WHERE f.LastTime <= f.TimeGenerated + p.Span
),
-- Windows that share a file are one burst.
starts AS (
  SELECT
    *,
    CASE
      WHEN FirstNumber <= lag(LastNumber) OVER (PARTITION BY UserKey ORDER BY FirstNumber) THEN 0
      ELSE 1
    END AS Start
  FROM full_windows
),
islands AS (
  SELECT *, sum(Start) OVER (PARTITION BY UserKey ORDER BY FirstNumber) AS Burst
  FROM starts
),
bursts AS (
  SELECT
    UserKey,
    Burst,
    min(FirstTime) AS FirstTime,
    max(LastTime) AS LastTime,
    -- A burst that goes on for days is cut at midnight (UTC), where it has gone on for half a day and goes on for another: one finding is then never
    -- of more than two days, which its queryPeriod has room for. FirstCut is the first such midnight, LastCut the last.
    date_trunc('day', min(FirstTime) + INTERVAL '36 hours' - INTERVAL '1 microsecond') AS FirstCut,
    date_trunc('day', max(LastTime) - INTERVAL '12 hours') AS LastCut
  FROM islands
  GROUP BY UserKey, Burst
)
SELECT
  min(e.TimeGenerated) AS TimeGenerated,
  max(e.TimeGenerated) AS EndTime,
  min(e.UserId) AS UserId,
  count(DISTINCT e.FileKey) AS Files,
  count(*) AS Actions,
  count(*) FILTER (WHERE e.Action = 'LabelRemoved') AS Removed,
  count(*) FILTER (WHERE e.Action = 'LabelDowngraded') AS Downgraded,
  array_agg(DISTINCT coalesce(e.OldLabelName, e.OldLabelId) ORDER BY coalesce(e.OldLabelName, e.OldLabelId)) FILTER (WHERE e.OldLabelId IS NOT NULL) AS OldLabelNames,
  array_agg(DISTINCT coalesce(e.NewLabelName, e.NewLabelId) ORDER BY coalesce(e.NewLabelName, e.NewLabelId)) FILTER (WHERE e.NewLabelId IS NOT NULL) AS NewLabelNames,
  array_agg(DISTINCT e.Justification ORDER BY e.Justification) FILTER (WHERE e.Justification IS NOT NULL) AS Justifications,
  array_agg(DISTINCT e.ActionSource ORDER BY e.ActionSource) FILTER (WHERE e.ActionSource IS NOT NULL) AS ActionSources,
  first_value(e.IPAddress ORDER BY e.TimeGenerated, e._Source) FILTER (WHERE e.IPAddress IS NOT NULL) AS IPAddress,
  array_agg(DISTINCT e.IPAddress ORDER BY e.IPAddress) FILTER (WHERE e.IPAddress IS NOT NULL) AS IPAddresses,
  first_value(e.DeviceName ORDER BY e.TimeGenerated, e._Source) FILTER (WHERE e.DeviceName IS NOT NULL) AS DeviceName,
  array_agg(e._Source ORDER BY e.TimeGenerated, e._Source) AS _Sources
FROM bursts AS b
JOIN lowered AS e ON e.UserKey = b.UserKey AND e.TimeGenerated BETWEEN b.FirstTime AND b.LastTime
GROUP BY
  b.UserKey,
  b.Burst,
  CASE
    WHEN b.FirstCut <= b.LastCut AND e.TimeGenerated >= b.FirstCut THEN least(date_trunc('day', e.TimeGenerated), b.LastCut)
  END
