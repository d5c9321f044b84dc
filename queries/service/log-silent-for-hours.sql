/*
id: log-silent-for-hours
name: Hours without any event in the audit log
version: 1.0.0
kind: Scheduled
description: |
  The unified audit log has no event at all for hours that, on the same hour of other working days (or of other days
  of the weekend), nearly always had many. Either auditing was off, or the export lacks that time, and what happened
  then cannot be told. It compares hours of the archive itself, between its first and its last event: at least eight
  other days of the same kind, nine of ten with events. One finding a gap.
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
      - {identifier: Name, columnName: LogName}
customDetails: {SilentHours: SilentHours, ExpectedEvents: ExpectedEvents, LogName: LogName}
parameters:
  hours:
    default: 1
    description: Silent hours in a row from which on it is a finding
  events:
    default: 10
    description: Events that such an hour usually has (median)
  days:
    default: 8
    description: Other days of the same kind that the archive must have
falsePositives:
  - A public holiday of a small company, or a migration at night. The neighbouring hours and other workloads are then quiet, too.
  - "The export was cut: by a limit of rows or a filter. `coldtrail gaps` and the export's own log tell; fetch the hours again."
references:
  - https://learn.microsoft.com/purview/audit-log-enable-disable
  - https://learn.microsoft.com/office/office-365-management-api/troubleshooting-the-office-365-management-activity-api
  - https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema
tests:
  - name: two silent hours in the middle of a busy fortnight
    events:
      - record: {Id: "952b8799-2560-51c7-ada4-f048d1b0e0ff", CreationTime: "2026-05-04T00:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 7500, every: 2m}
      - record: {Id: "7f999083-541c-58cf-982e-a0dfcb3567f8", CreationTime: "2026-05-14T12:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 4000, every: 2m}
    finds: 1
  - name: the same in Defender's table, a gap of five hours
    events:
      - table: CloudAppEvents
        record: {TimeGenerated: "2026-05-04T00:01:00Z", Type: CloudAppEvents, ActionType: Send, Application: Microsoft Exchange Online, ApplicationId: 20893, AccountObjectId: a677fb0e-66a6-5a2f-be5d-9430c4e80f3d, AccountId: a677fb0e-66a6-5a2f-be5d-9430c4e80f3d, AccountDisplayName: Alice, AccountType: Regular, IPAddress: "192.0.2.10", ReportId: "97124_20893_aab321e4-4a1b-5a04-bede-225a1e568d4b", RawEventData: {ClientIP: "192.0.2.10", CreationTime: "2026-05-04T00:01:00Z", Id: aab321e4-4a1b-5a04-bede-225a1e568d4b, ObjectId: "", Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", RecordType: 2, ResultStatus: Succeeded, UserId: alice@contoso.com, UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange}}
        repeat: {count: 7500, every: 2m}
      - table: CloudAppEvents
        record: {TimeGenerated: "2026-05-14T15:01:00Z", Type: CloudAppEvents, ActionType: Send, Application: Microsoft Exchange Online, ApplicationId: 20893, AccountObjectId: a677fb0e-66a6-5a2f-be5d-9430c4e80f3d, AccountId: a677fb0e-66a6-5a2f-be5d-9430c4e80f3d, AccountDisplayName: Alice, AccountType: Regular, IPAddress: "192.0.2.10", ReportId: "97124_20893_c22dc3b8-1a05-5f8b-ab15-f47fd5c6f4d2", RawEventData: {ClientIP: "192.0.2.10", CreationTime: "2026-05-14T15:01:00Z", Id: c22dc3b8-1a05-5f8b-ab15-f47fd5c6f4d2, ObjectId: "", Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", RecordType: 2, ResultStatus: Succeeded, UserId: alice@contoso.com, UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange}}
        repeat: {count: 4000, every: 2m}
    finds: 1
  - name: a log without a hole, and nights that are always silent, are not
    events:
      - record: {Id: "6ff8e010-199d-5b37-84e6-2904647507cb", CreationTime: "2026-05-04T07:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 300, every: 2m}
      - record: {Id: c1ae05d3-4493-56f8-b86a-a04ce0a70b15, CreationTime: "2026-05-05T07:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 300, every: 2m}
      - record: {Id: bcc8b32f-b18c-5445-9262-362395d394e6, CreationTime: "2026-05-06T07:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 300, every: 2m}
      - record: {Id: a5730d5f-5e25-5878-9cf2-6f399b0d57a2, CreationTime: "2026-05-07T07:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 300, every: 2m}
      - record: {Id: "0c8f5c21-2ace-5f54-97ec-b137f1385650", CreationTime: "2026-05-08T07:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 300, every: 2m}
      - record: {Id: ebec7709-c489-5307-9eae-295eae262226, CreationTime: "2026-05-09T07:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 300, every: 2m}
      - record: {Id: "9303dce8-0f13-5e66-b8f1-53bce4aaebde", CreationTime: "2026-05-10T07:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 300, every: 2m}
      - record: {Id: df176a9e-b208-537e-b7e8-2f5b8b033a54, CreationTime: "2026-05-11T07:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 300, every: 2m}
      - record: {Id: "38ab72da-696c-5b42-ac2f-9c182a615c73", CreationTime: "2026-05-12T07:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 300, every: 2m}
      - record: {Id: "500da8ad-d3e3-563d-b051-be1ba169b86d", CreationTime: "2026-05-13T07:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 300, every: 2m}
      - record: {Id: "61bd235e-818d-56ee-bf55-b9b7df22fc50", CreationTime: "2026-05-14T07:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 300, every: 2m}
      - record: {Id: "10232ac7-8377-54dc-bcc5-0a721c951995", CreationTime: "2026-05-15T07:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 300, every: 2m}
      - record: {Id: "6746e00a-6c50-545f-aba0-53ead7498e13", CreationTime: "2026-05-16T07:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 300, every: 2m}
      - record: {Id: f1219582-249d-5593-9a9b-df99da5230af, CreationTime: "2026-05-17T07:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 300, every: 2m}
      - record: {Id: b165f771-ba81-52ca-904c-a0a331a18cb8, CreationTime: "2026-05-18T07:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 300, every: 2m}
      - record: {Id: c56291e0-e018-5425-be59-6724cd11569e, CreationTime: "2026-05-19T07:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 300, every: 2m}
    finds: 0
  - name: an hour that is seldom busy is not
    events:
      - record: {Id: "952b8799-2560-51c7-ada4-f048d1b0e0ff", CreationTime: "2026-05-04T00:01:00", RecordType: 2, Operation: Send, OrganizationId: "3f8b2a54-6c1d-4c0e-9a53-7d0c1e2f4b60", UserKey: "10032001365D1083", UserType: 0, Version: 1, Workload: Exchange, UserId: alice@contoso.com, ResultStatus: Succeeded, ClientIP: "192.0.2.10", ObjectId: ""}
        repeat: {count: 700, every: 30m}
    finds: 0
*/
WITH hours AS (
  SELECT date_trunc('hour', TimeGenerated) AS Hour, count(*) AS Events
  FROM UnifiedAuditLog
  WHERE TimeGenerated IS NOT NULL
  GROUP BY 1
),
-- Between the archive's first and last event; the first and the last hour are only part of it.
grid AS (
  SELECT unnest(generate_series(First + INTERVAL '1 hour', Last - INTERVAL '1 hour', INTERVAL '1 hour')) AS Hour
  FROM (SELECT min(Hour) AS First, max(Hour) AS Last FROM hours)
  WHERE Last - First >= INTERVAL '3 hours'
),
slots AS (
  SELECT
    g.Hour,
    coalesce(h.Events, 0) AS Events,
    date_part('hour', g.Hour) AS HourOfDay,
    CASE WHEN date_part('dow', g.Hour) IN (0, 6) THEN 'weekend' ELSE 'working day' END AS DayKind
  FROM grid AS g
  LEFT JOIN hours AS h ON h.Hour = g.Hour
),
usual AS (
  SELECT
    *,
    count(*) OVER kind AS Days,
    count(*) FILTER (WHERE Events > 0) OVER kind AS DaysWithEvents,
    CAST(median(Events) OVER kind AS BIGINT) AS UsualEvents
  FROM slots
  WINDOW kind AS (PARTITION BY HourOfDay, DayKind)
),
silent AS (
  SELECT
    Hour,
    UsualEvents,
    CAST(date_part('epoch', Hour) AS BIGINT) / 3600 - CAST(row_number() OVER (ORDER BY Hour) AS BIGINT) AS Gap
  FROM usual
  WHERE Events = 0
    AND Days > $days
    AND DaysWithEvents * 10 >= (Days - 1) * 9
    AND UsualEvents >= $events
)
SELECT
  min(Hour) AS TimeGenerated,
  max(Hour) + INTERVAL '1 hour' AS EndTime,
  count(*) AS SilentHours,
  sum(UsualEvents) AS ExpectedEvents,
  'UnifiedAuditLog' AS LogName
FROM silent
GROUP BY Gap
HAVING count(*) >= $hours
