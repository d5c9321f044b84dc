/*
id: workload-fell-silent
name: Workload without events for days
version: 1.0.0
kind: Scheduled
description: |
  A workload that had events on nearly every working day (Exchange, SharePoint, Entra, Teams and others) has none for
  at least two working days in a row, although other workloads went on. Auditing of that workload may be off, its
  licence gone, or its export incomplete. It compares days of the archive itself and needs eight working days of the
  workload. One finding a workload and silence.
severity: Low
queryFrequency: 1d
queryPeriod: 14d
triggerOperator: gt
triggerThreshold: 0
tactics: [DefenseEvasion]
relevantTechniques: [T1562.008]
entityMappings:
  - entityType: CloudApplication
    fieldMappings:
      - {identifier: Name, columnName: Workload}
customDetails: {Workload: Workload, SilentWorkingDays: SilentWorkingDays, UsualEventsPerDay: UsualEventsPerDay, CameBack: CameBack}
parameters:
  silent:
    default: 2
    description: Working days in a row without events from which on it is a finding
  events:
    default: 20
    description: Events that the workload usually has on a working day (median)
  days:
    default: 8
    description: Working days with events that the workload must have
falsePositives:
  - The company stopped using the workload, or works little in it in a holiday week. UsualEventsPerDay is then small, and it comes back.
  - The export left the workload out. Fetch it again for those days, and compare.
references:
  - https://learn.microsoft.com/purview/audit-log-enable-disable
  - https://learn.microsoft.com/office/office-365-management-api/troubleshooting-the-office-365-management-activity-api
  - https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema
tests:
  - name: Exchange stops after three weeks while SharePoint goes on
    events:
      - record: {Id: ef6206aa-a479-50b9-90b6-f497c7de0f6b, CreationTime: "2026-05-01T00:10:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 800, every: 30m}
      - record: {Id: b8016de7-85de-5539-b6cc-028187b92adb, CreationTime: "2026-05-01T00:15:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: SharePoint, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 1250, every: 30m}
    finds: 1
  - name: a silence of four working days in Defender's table, after which it comes back
    events:
      - table: CloudAppEvents
        record: {TimeGenerated: "2026-05-01T00:10:00Z", Type: CloudAppEvents, ActionType: Send, Application: Microsoft Exchange Online, ApplicationId: 20893, AccountObjectId: a677fb0e-66a6-5a2f-be5d-9430c4e80f3d, AccountId: a677fb0e-66a6-5a2f-be5d-9430c4e80f3d, AccountDisplayName: Alice, AccountType: Regular, IPAddress: "192.0.2.10", ReportId: "97124_20893_5e0179c9-eb47-5f4a-94e0-b6fe0b8d4acf", RawEventData: {ClientIP: "192.0.2.10", CreationTime: "2026-05-01T00:10:00Z", Id: "5e0179c9-eb47-5f4a-94e0-b6fe0b8d4acf", ObjectId: "", Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", RecordType: 2, ResultStatus: Succeeded, UserId: alice@contoso.com, UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange}}
        repeat: {count: 500, every: 30m}
      - table: CloudAppEvents
        record: {TimeGenerated: "2026-05-18T00:10:00Z", Type: CloudAppEvents, ActionType: Send, Application: Microsoft Exchange Online, ApplicationId: 20893, AccountObjectId: a677fb0e-66a6-5a2f-be5d-9430c4e80f3d, AccountId: a677fb0e-66a6-5a2f-be5d-9430c4e80f3d, AccountDisplayName: Alice, AccountType: Regular, IPAddress: "192.0.2.10", ReportId: "97124_20893_1d39e36c-7656-55a5-9ab7-6ecfa3ea1854", RawEventData: {ClientIP: "192.0.2.10", CreationTime: "2026-05-18T00:10:00Z", Id: "1d39e36c-7656-55a5-9ab7-6ecfa3ea1854", ObjectId: "", Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", RecordType: 2, ResultStatus: Succeeded, UserId: alice@contoso.com, UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange}}
        repeat: {count: 600, every: 30m}
      - table: CloudAppEvents
        record: {TimeGenerated: "2026-05-01T00:15:00Z", Type: CloudAppEvents, ActionType: FileAccessed, Application: Microsoft 365, ApplicationId: 11161, AccountObjectId: a677fb0e-66a6-5a2f-be5d-9430c4e80f3d, AccountId: a677fb0e-66a6-5a2f-be5d-9430c4e80f3d, AccountDisplayName: Alice, AccountType: Regular, IPAddress: "192.0.2.10", ReportId: "97124_11161_fbf2c515-ed7a-5a29-90ba-77c26f6c84a6", RawEventData: {ClientIP: "192.0.2.10", CreationTime: "2026-05-01T00:15:00Z", Id: fbf2c515-ed7a-5a29-90ba-77c26f6c84a6, ObjectId: "", Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", RecordType: 6, ResultStatus: Succeeded, UserId: alice@contoso.com, UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: SharePoint}}
        repeat: {count: 1400, every: 30m}
    finds: 1
  - name: a weekend, a workload seldom used and one that only just began are not
    events:
      - record: {Id: b8016de7-85de-5539-b6cc-028187b92adb, CreationTime: "2026-05-01T00:15:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: SharePoint, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 1400, every: 30m}
      - record: {Id: "0e898470-b947-5d5f-b6e4-0135872e98fa", CreationTime: "2026-05-04T08:00:00", RecordType: 20, Operation: ViewReport, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: PowerBI, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 8, every: 3d}
      - record: {Id: "33a6a962-36b8-5ab2-ab81-3d0dacdd8059", CreationTime: "2026-05-20T00:10:00", RecordType: 25, Operation: TeamsSessionStarted, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: MicrosoftTeams, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 200, every: 30m}
      - record: {Id: "065a8fff-f769-53f6-b076-44fdd247d010", CreationTime: "2026-05-01T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: c23d4914-5290-5ec0-bdf5-32deee1a5c04, CreationTime: "2026-05-04T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: "94636178-623b-5629-95cb-33f9d5896a47", CreationTime: "2026-05-05T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: "65615170-19a5-547e-84df-99e1423ec92d", CreationTime: "2026-05-06T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: "4ccfb646-1fa5-5c99-b0f3-c6b3ac0a5cf7", CreationTime: "2026-05-07T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: "8ede10e3-ab09-5c17-ab2d-e41b27b23ade", CreationTime: "2026-05-08T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: "7762707e-27b6-586f-9bac-0099f99d26cc", CreationTime: "2026-05-11T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: "403d561a-5cfc-511c-a0f4-80d43ddc229f", CreationTime: "2026-05-12T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: eb68461c-03ea-5f05-b29d-34b01a41c65e, CreationTime: "2026-05-13T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: "4053548f-74b0-5083-b3f6-61b3cc47a4a1", CreationTime: "2026-05-14T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: "410bc392-c1af-5c30-a28d-78c4c1503aee", CreationTime: "2026-05-15T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: "1d27322f-6e51-55f2-897f-d2bca5705e2f", CreationTime: "2026-05-18T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: "70681d44-5860-5464-b912-c4f81231bf22", CreationTime: "2026-05-19T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: cffde3f9-c534-58da-bdee-f351d313cf3e, CreationTime: "2026-05-20T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: "89651278-9179-5498-a8ae-af79c519fbf8", CreationTime: "2026-05-21T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: "62f95b8f-08fd-578f-891a-6d1326a2c910", CreationTime: "2026-05-22T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: fd8c8d58-4460-5d75-9aae-73d78f7e52d1, CreationTime: "2026-05-25T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: "176bb374-02a1-5219-95a9-6f1a2d82c54f", CreationTime: "2026-05-26T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: c24d90db-a00b-5a67-bdf7-651260c9e040, CreationTime: "2026-05-27T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: "465665b7-8c52-5f33-8a47-e3ed81d9bfe4", CreationTime: "2026-05-28T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
      - record: {Id: "4e495d0c-5856-5d78-91e2-8e07410fe88e", CreationTime: "2026-05-29T08:01:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: OneDrive, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 40, every: 5m}
    finds: 0
  - name: a log that stops as a whole is not
    events:
      - record: {Id: ef6206aa-a479-50b9-90b6-f497c7de0f6b, CreationTime: "2026-05-01T00:10:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 800, every: 30m}
      - record: {Id: b8016de7-85de-5539-b6cc-028187b92adb, CreationTime: "2026-05-01T00:15:00", RecordType: 6, Operation: FileAccessed, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: SharePoint, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 800, every: 30m}
    finds: 0
*/
WITH daily AS (
  SELECT coalesce(nullif(Workload, ''), 'unknown') AS Workload, date_trunc('day', TimeGenerated) AS Day, count(*) AS Events
  FROM UnifiedAuditLog
  WHERE TimeGenerated IS NOT NULL
  GROUP BY 1, 2
),
-- Working days on which the archive has events at all; its first and last day are only part of it.
numbered AS (
  SELECT Workload, Day, Events, CAST(dense_rank() OVER (ORDER BY Day) AS BIGINT) AS Number
  FROM (SELECT *, min(Day) OVER () AS FirstDay, max(Day) OVER () AS LastDay FROM daily)
  WHERE date_part('dow', Day) NOT IN (0, 6)
    AND Day > FirstDay
    AND Day < LastDay
),
present AS (
  SELECT
    *,
    lead(Number) OVER (PARTITION BY Workload ORDER BY Number) AS NextNumber,
    lead(Day) OVER (PARTITION BY Workload ORDER BY Number) AS NextDay,
    max(Number) OVER () AS ArchiveNumber,
    max(Day) OVER () AS ArchiveDay,
    count(*) OVER (PARTITION BY Workload) AS Days,
    min(Number) OVER (PARTITION BY Workload) AS FirstNumber,
    max(Number) OVER (PARTITION BY Workload) AS LastNumber,
    CAST(median(Events) OVER (PARTITION BY Workload) AS BIGINT) AS UsualEvents
  FROM numbered
),
-- after each day with events: working days until the next one, or until the archive's end
silences AS (
  SELECT *, coalesce(NextNumber, ArchiveNumber + 1) - Number - 1 AS SilentWorkingDays
  FROM present
)
SELECT
  Day + CASE WHEN date_part('dow', Day) = 5 THEN INTERVAL '3 days' ELSE INTERVAL '1 day' END AS TimeGenerated,
  coalesce(NextDay, ArchiveDay + INTERVAL '1 day') AS EndTime,
  Workload,
  SilentWorkingDays,
  Day AS LastDayWithEvents,
  UsualEvents AS UsualEventsPerDay,
  Days AS DaysWithEvents,
  NextDay IS NOT NULL AS CameBack
FROM silences
WHERE SilentWorkingDays >= $silent
  AND UsualEvents >= $events
  AND Days >= $days
  -- Without this silence nine of ten working days had events.
  AND Days * 10 >= (LastNumber - FirstNumber + 1 - CASE WHEN NextDay IS NULL THEN 0 ELSE SilentWorkingDays END) * 9
