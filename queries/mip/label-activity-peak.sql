/*
id: label-activity-peak
name: Far more label actions than this user ever has
version: 1.0.0
kind: Scheduled
description: |
  On one day a user labelled, relabelled or unlabelled far more than on that user's own days before: more than the
  mean plus three standard deviations, and at least 20 actions. The comparison is with the user alone, so quiet people
  and busy ones are judged alike. It needs seven days with label actions among the 13 days before. One finding a user
  and day (UTC).
severity: Low
queryFrequency: 1d
queryPeriod: 14d
triggerOperator: gt
triggerThreshold: 0
tactics: [DefenseEvasion, Collection]
relevantTechniques: [T1562, T1074]
watchlists:
  Labels: {required: false, columns: [Id, Name, Rank, Parent]}
parameters:
  MinPastDays: {default: 7, description: Days with label actions that a person must have for a comparison}
  LookBack: {default: 13d, description: 'How far back the past reaches; with the day itself no longer than the queryPeriod of 14 days'}
  Sigmas: {default: 3, description: How many standard deviations above the mean a day must lie}
  MinActions: {default: 20, description: A day with fewer label actions is no peak}
entityMappings:
  - entityType: Account
    fieldMappings:
      - {identifier: FullName, columnName: UserId}
  - entityType: IP
    fieldMappings:
      - {identifier: Address, columnName: IPAddress}
customDetails: {Actions: Actions, Usual: Usual, PastDays: PastDays, Removed: Removed, Downgraded: Downgraded}
falsePositives:
  - A new label or policy was rolled out and everybody relabels. Many users have a peak on the same day, and most actions are LabelApplied or LabelUpgraded.
  - The user archives a project. The files lie in one place and their labels go up rather than down.
references:
  - https://learn.microsoft.com/purview/data-classification-activity-explorer-available-events
  - https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema
tests:
  - name: thirty actions after a week of three a day are a peak
    events:
      - record: {Id: "1881cdcc-799c-4b2e-9a97-7cd54f71e8ad", CreationTime: "2026-05-04T09:00:00", RecordType: 83, Operation: SensitivityLabelApplied, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'D:\Work\Morning {n}.docx', SensitivityLabelEventData: {SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", ActionSource: 3}}
        repeat: {count: 7, every: 1d}
      - record: {Id: "d629fcd4-7089-4ac7-9bf7-00eeb0661bec", CreationTime: "2026-05-04T12:00:00", RecordType: 83, Operation: SensitivityLabelApplied, Workload: PublicEndpoint, UserId: Alice@contoso.com, UserType: 0, ObjectId: 'D:\Work\Noon {n}.docx', SensitivityLabelEventData: {SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", ActionSource: 3}}
        repeat: {count: 7, every: 1d}
      - record: {Id: "a651178b-d9a6-4e4f-aad7-990120a5b340", CreationTime: "2026-05-04T15:00:00", RecordType: 83, Operation: SensitivityLabelApplied, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'D:\Work\Evening {n}.docx', SensitivityLabelEventData: {SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", ActionSource: 3}}
        repeat: {count: 7, every: 1d}
      - record: {Id: "bddef72e-a59a-43a4-b55a-9600f4bf7b27", CreationTime: "2026-05-11T10:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ClientIP: "192.0.2.10", ObjectId: 'D:\Work\Deal {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
        repeat: {count: 30, every: 5m}
    finds: 1
  - name: a busy user needs a higher peak, fifty after thirty a day
    events:
      - record: {Id: "2a9321b2-a37d-4948-a7da-ff7f0ba0fa0f", CreationTime: "2026-05-04T00:00:00", RecordType: 83, Operation: SensitivityLabelApplied, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\Form {n}.docx', SensitivityLabelEventData: {SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", ActionSource: 3}}
        repeat: {count: 240, every: 48m}
      - record: {Id: "26c031f4-0dc0-44d7-aaa4-35572ccccb82", CreationTime: "2026-05-12T06:00:00", RecordType: 83, Operation: SensitivityLabelApplied, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\Extra {n}.docx', SensitivityLabelEventData: {SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", ActionSource: 3}}
        repeat: {count: 50, every: 10m}
    finds: 1
  - name: forty after thirty a day are not
    events:
      - record: {Id: "d925a09d-8d00-419e-b62d-3d5aaa595e7b", CreationTime: "2026-05-04T00:00:00", RecordType: 83, Operation: SensitivityLabelApplied, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\Form {n}.docx', SensitivityLabelEventData: {SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", ActionSource: 3}}
        repeat: {count: 240, every: 48m}
      - record: {Id: "f84da051-a649-40be-bfe4-98064afe4a38", CreationTime: "2026-05-12T06:00:00", RecordType: 83, Operation: SensitivityLabelApplied, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\Extra {n}.docx', SensitivityLabelEventData: {SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", ActionSource: 3}}
        repeat: {count: 40, every: 10m}
    finds: 0
  - name: days more than 13 days ago are no history
    events:
      - record: {Id: "6a5c9d0e-4a1d-4f0b-9d0e-3f6b0c9e7a01", CreationTime: "2026-05-05T09:00:00", RecordType: 83, Operation: SensitivityLabelApplied, Workload: PublicEndpoint, UserId: carol@contoso.com, UserType: 0, ObjectId: 'D:\Work\Letter {n}.docx', SensitivityLabelEventData: {SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", ActionSource: 3}}
        repeat: {count: 7, every: 1d}
      - record: {Id: "0b9d3c55-7a52-4b8e-8a34-5c1e6b7f8a02", CreationTime: "2026-05-19T10:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: carol@contoso.com, UserType: 0, ObjectId: 'D:\Work\Deal {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
        repeat: {count: 60, every: 5m}
    finds: 0
  - name: six days of history are too few
    events:
      - record: {Id: "52a9b8c7-59b7-4545-9161-194d4686c4ed", CreationTime: "2026-05-05T09:00:00", RecordType: 83, Operation: SensitivityLabelApplied, Workload: PublicEndpoint, UserId: carol@contoso.com, UserType: 0, ObjectId: 'D:\Work\Letter {n}.docx', SensitivityLabelEventData: {SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", ActionSource: 3}}
        repeat: {count: 6, every: 1d}
      - record: {Id: "dd6b5965-c0bf-461d-a4e2-4c793d459b10", CreationTime: "2026-05-11T10:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: carol@contoso.com, UserType: 0, ObjectId: 'D:\Work\Deal {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
        repeat: {count: 60, every: 5m}
    finds: 0
  - name: nineteen actions, automatic ones and sent mail make no peak
    events:
      - record: {Id: "fbfa4398-fdc8-490c-9946-5775dd6b9146", CreationTime: "2026-05-03T09:00:00", RecordType: 83, Operation: SensitivityLabelApplied, Workload: PublicEndpoint, UserId: dave@contoso.com, UserType: 0, ObjectId: 'D:\Work\Letter {n}.docx', SensitivityLabelEventData: {SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", ActionSource: 3}}
        repeat: {count: 8, every: 1d}
      - record: {Id: "0cdf5c16-ecad-4431-8da4-315f0a88ec24", CreationTime: "2026-05-11T10:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: dave@contoso.com, UserType: 0, ObjectId: 'D:\Work\Deal {n}.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
        repeat: {count: 19, every: 5m}
      - record: {Id: "2a8915a1-e824-436e-9fb8-d8c9c85bf20d", CreationTime: "2026-05-11T10:00:30", RecordType: 83, Operation: SensitivityLabelApplied, Workload: PublicEndpoint, UserId: dave@contoso.com, UserType: 0, ObjectId: 'D:\Work\Form {n}.docx', SensitivityLabelEventData: {SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", ActionSource: 2}}
        repeat: {count: 40, every: 1m}
      - record: {Id: "85acbdf1-1840-4d20-a63e-7bc7ef11b2a2", CreationTime: "2026-05-11T12:00:00", RecordType: 43, Operation: MipLabel, Workload: Exchange, UserId: dave@contoso.com, UserType: 0, ObjectId: "<message-{n}@contoso.com>", Sender: dave@contoso.com, Receivers: [eve@fabrikam.com], ItemName: "Offer {n}", LabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelName: General, LabelAction: None, ApplicationMode: Standard}
        repeat: {count: 40, every: 1m}
    finds: 0
*/
WITH params AS (
  SELECT
    -- Days with label actions, not calendar days: about a week and a half of work. With fewer the deviation is chance.
    $MinPastDays AS MinPastDays,
    -- How far back the past reaches: with the day itself the 14 days of the queryPeriod, which is the most that Sentinel has.
    $LookBack AS LookBack,
    -- One day in several hundred lies above this by chance.
    $Sigmas AS Sigmas,
    -- A peak below this is a busy afternoon.
    $MinActions AS MinActions
),
actions AS (
  SELECT
    TimeGenerated,
    date_trunc('day', TimeGenerated) AS Day,
    UserId,
    lower(UserId) AS UserKey,
    Action,
    lower(coalesce(nullif(FilePath, ''), nullif(FileName, ''), EventId)) AS FileKey,
    IPAddress,
    _Source
  FROM LabelEvents
  WHERE Action IN ('LabelApplied', 'LabelUpgraded', 'LabelDowngraded', 'LabelRemoved', 'LabelChanged')
    -- MipLabel is Exchange seeing a labelled mail pass; automatic labels are the policy's work, not the user's.
    AND lower(coalesce(Operation, '')) <> 'miplabel'
    AND coalesce(ActionSource, 'Manual') NOT IN ('Auto', 'Default')
    AND NOT is_service(UserType, UserId)
    AND UserId <> ''
),
days AS (
  SELECT UserKey, Day, count(*) AS Actions
  FROM actions
  GROUP BY UserKey, Day
),
candidates AS (
  SELECT d.UserKey, d.Day, d.Actions, d.Day - p.LookBack AS Oldest
  FROM days AS d
  CROSS JOIN params AS p
  WHERE d.Actions >= p.MinActions
),
compared AS (
  SELECT
    c.UserKey,
    c.Day,
    c.Actions,
    count(*) AS PastDays,
    avg(h.Actions) AS Mean,
    var_samp(h.Actions) AS Variance
  FROM candidates AS c
  JOIN days AS h ON h.UserKey = c.UserKey
  WHERE h.Day < c.Day AND h.Day >= c.Oldest
  GROUP BY c.UserKey, c.Day, c.Actions
),
peaks AS (
  SELECT c.*
  FROM compared AS c
  CROSS JOIN params AS p
  WHERE c.PastDays >= p.MinPastDays
    AND c.Actions > c.Mean
    -- Squares instead of a root. Counts scatter by about the root of their mean anyway, so the variance is taken as no
    -- smaller than the mean: seven equal days do not make the eighth's one action more a peak.
    AND (c.Actions - c.Mean) * (c.Actions - c.Mean) > p.Sigmas * p.Sigmas * greatest(c.Variance, c.Mean)
)
SELECT
  min(a.TimeGenerated) AS TimeGenerated,
  max(a.TimeGenerated) AS EndTime,
  min(a.UserId) AS UserId,
  count(*) AS Actions,
  CAST(min(p.Mean) AS DECIMAL(18, 1)) AS Usual,
  min(p.PastDays) AS PastDays,
  count(DISTINCT a.FileKey) AS Files,
  count(*) FILTER (WHERE a.Action = 'LabelApplied') AS Applied,
  count(*) FILTER (WHERE a.Action = 'LabelUpgraded') AS Upgraded,
  count(*) FILTER (WHERE a.Action = 'LabelDowngraded') AS Downgraded,
  count(*) FILTER (WHERE a.Action = 'LabelRemoved') AS Removed,
  first_value(a.IPAddress ORDER BY a.TimeGenerated, a._Source) FILTER (WHERE a.IPAddress IS NOT NULL) AS IPAddress,
  array_agg(a._Source ORDER BY a.TimeGenerated, a._Source) AS _Sources
FROM peaks AS p
JOIN actions AS a ON a.UserKey = p.UserKey AND a.Day = p.Day
GROUP BY p.UserKey, p.Day
