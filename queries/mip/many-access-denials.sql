/*
id: many-access-denials
name: Many denied accesses to protected documents
version: 1.0.0
kind: Scheduled
description: |
  One user, or several users from one address, were refused ten or more times within an hour on at least three
  protected documents. Somebody holds a collection of documents and tries which of them open. The audit log hardly
  ever holds these attempts: they come from the rights management service's usage log or an archive of
  InformationProtectionLogs_CL. One finding a burst; one that goes on for days is a finding a day.
severity: High
queryFrequency: 1h
queryPeriod: 3d
triggerOperator: gt
triggerThreshold: 0
tactics: [Collection, Discovery]
relevantTechniques: [T1213, T1083]
parameters:
  MinDenials: {default: 10, description: Refusals within the span}
  MinDocuments: {default: 3, description: Different documents among them}
  Span: {default: 1h, description: The time in which the refusals must lie}
entityMappings:
  - entityType: Account
    fieldMappings:
      - {identifier: FullName, columnName: UserId}
  - entityType: IP
    fieldMappings:
      - {identifier: Address, columnName: IPAddress}
customDetails: {Denials: Denials, Documents: Documents, Users: Users, Owners: Owners}
falsePositives:
  - A new colleague or a partner got a folder before the rights to it. All documents have one owner, who knows the person.
  - A search indexer or a backup runs under a person's account. The attempts come at machine speed, at night, again and again.
references:
  - https://learn.microsoft.com/azure/information-protection/log-analyze-usage
  - https://learn.microsoft.com/purview/data-classification-activity-explorer-available-events
tests:
  - name: twelve refusals on four documents are one finding
    events:
      - table: AipServiceUserLog
        record: {date: "2026-05-18", time: "23:40:00", row-id: "3db0be31-a6b1-455d-a18d-11971668122{n}", request-type: AcquireLicense, user-id: "'trudy@fabrikam.com'", result: "'AccessDenied'", content-id: "{80ab1a7b-aab1-4d44-9f75-94cd086554f1}", owner-email: "'alice@contoso.com'", file-name: "'Deal 1.docx'", c-ip: "203.0.113.80"}
        repeat: {count: 3, every: 2m}
      - table: AipServiceUserLog
        record: {date: "2026-05-18", time: "23:46:00", row-id: "9f6d29b0-c83d-4250-916d-34a8cbc815c{n}", request-type: AcquireLicense, user-id: "'trudy@fabrikam.com'", result: "'AccessDenied'", content-id: "{d731ce69-2660-4e12-a42a-ff932bc3ae0f}", owner-email: "'alice@contoso.com'", file-name: "'Deal 2.docx'", c-ip: "203.0.113.80"}
        repeat: {count: 3, every: 2m}
      - table: AipServiceUserLog
        record: {date: "2026-05-18", time: "23:52:00", row-id: "5cd6335b-405c-4893-8250-75ef171ed71{n}", request-type: AcquireLicense, user-id: "'trudy@fabrikam.com'", result: "'AccessDenied'", content-id: "{ee673a11-713c-4db1-869c-f9a11da7fb98}", owner-email: "'bob@contoso.com'", file-name: "'Deal 3.docx'", c-ip: "203.0.113.80"}
        repeat: {count: 3, every: 2m}
      - table: AipServiceUserLog
        record: {date: "2026-05-19", time: "00:02:00", row-id: "a0990c92-f23f-48c9-920d-e08f95f21e2{n}", request-type: AcquireLicense, user-id: "'trudy@fabrikam.com'", result: "'AccessDenied'", content-id: "{0664f81a-d35c-4f7e-a820-8832e92aafb4}", owner-email: "'bob@contoso.com'", file-name: "'Deal 4.docx'", c-ip: "203.0.113.80"}
        repeat: {count: 3, every: 2m}
    finds: 1
  - name: ten users from one address, each refused on a document of its own, are one finding
    events:
      - table: InformationProtectionLogs_CL
        record: {TimeGenerated: "2026-05-18T10:00:00Z", UserId_s: "guest{n}@fabrikam.com", IPv4_s: "203.0.113.81", Activity_s: AccessDenied, Operation_s: AcquireLicense, Protected_b: true, ProtectionOwner_s: alice@contoso.com, ObjectId_s: "Report {n}.docx"}
        repeat: {count: 10, every: 1m}
    finds: 1
  - name: refusals that go on for three days are a finding a day
    events:
      - table: InformationProtectionLogs_CL
        record: {TimeGenerated: "2026-05-18T06:00:00Z", UserId_s: carol@fabrikam.com, IPv4_s: "203.0.113.82", Activity_s: AccessDenied, Operation_s: AcquireLicense, Protected_b: true, ProtectionOwner_s: alice@contoso.com, ObjectId_s: "Paper {n}.docx"}
        repeat: {count: 864, every: 5m}
    finds: 3
  - name: nine refusals are not enough
    events:
      - table: InformationProtectionLogs_CL
        record: {TimeGenerated: "2026-05-18T12:00:00Z", UserId_s: carol@fabrikam.com, IPv4_s: "203.0.113.82", Activity_s: AccessDenied, Operation_s: AcquireLicense, Protected_b: true, ProtectionOwner_s: alice@contoso.com, ObjectId_s: "Paper {n}.docx"}
        repeat: {count: 9, every: 1m}
    finds: 0
  - name: one document tried again and again is left to access-denied-to-protected-document
    events:
      - table: InformationProtectionLogs_CL
        record: {TimeGenerated: "2026-05-18T14:00:00Z", UserId_s: carol@fabrikam.com, IPv4_s: "203.0.113.82", Activity_s: AccessDenied, Operation_s: AcquireLicense, Protected_b: true, ProtectionOwner_s: alice@contoso.com, ObjectId_s: Paper.docx}
        repeat: {count: 30, every: 1m}
    finds: 0
  - name: ten refusals in a bit more than an hour are too slow
    events:
      - table: InformationProtectionLogs_CL
        record: {TimeGenerated: "2026-05-18T16:00:00Z", UserId_s: carol@fabrikam.com, IPv4_s: "203.0.113.82", Activity_s: AccessDenied, Operation_s: AcquireLicense, Protected_b: true, ProtectionOwner_s: alice@contoso.com, ObjectId_s: "Paper {n}.docx"}
        repeat: {count: 10, every: 401s}
    finds: 0
*/
WITH params AS (
  SELECT
    -- Office asks two or three times for one double click; three documents opened by mistake stay below this.
    $MinDenials AS MinDenials,
    -- A single document that does not open is a matter of rights, not of searching.
    $MinDocuments AS MinDocuments,
    -- Somebody who tries document after document by hand needs minutes, not hours.
    $Span AS Span
),
denied AS (
  SELECT
    e.TimeGenerated,
    e.UserId,
    lower(e.UserId) AS UserKey,
    nullif(e.FileName, '') AS FileName,
    lower(coalesce(nullif(r.ContentId, ''), nullif(e.FilePath, ''), nullif(e.FileName, ''), '')) AS DocumentKey,
    nullif(e.Owner, '') AS Owner,
    nullif(e.IPAddress, '') AS IPAddress,
    e._Source
  FROM LabelEvents AS e
  LEFT JOIN AipServiceUserLog AS r ON r._Source = e._Source
  WHERE e.Action = 'AccessDenied'
    AND coalesce(e.UserId, '') <> ''
    AND NOT (starts_with(lower(e.UserId), 'microsoftrmsonline@') OR starts_with(lower(e.UserId), 'aadrm_'))
),
-- Each refusal is looked at twice: as its user's and as its address's.
attempts AS (
  SELECT k.Kind, CASE k.Kind WHEN 'user' THEN d.UserKey ELSE d.IPAddress END AS Who, d.*
  FROM denied AS d
  CROSS JOIN (VALUES ('user'), ('address')) AS k(Kind)
  WHERE k.Kind = 'user' OR d.IPAddress IS NOT NULL
),
-- A sliding window without a fixed grid: refusal n and refusal n + MinDenials - 1 no further apart than the span.
full_windows AS (
  SELECT
    a.Kind,
    a.Who,
    a.Number AS FirstNumber,
    a.Number + p.MinDenials - 1 AS LastNumber,
    a.TimeGenerated AS FirstTime,
    a.LastTime
  FROM (
    SELECT
      Kind,
      Who,
      TimeGenerated,
      CAST(row_number() OVER (PARTITION BY Kind, Who ORDER BY TimeGenerated) AS BIGINT) AS Number,
      lead(TimeGenerated, $MinDenials - 1) OVER (PARTITION BY Kind, Who ORDER BY TimeGenerated) AS LastTime  -- no column: it has to be a constant
    FROM attempts
  ) AS a
  CROSS JOIN params AS p
  WHERE a.LastTime <= a.TimeGenerated + p.Span
),
-- Windows that share a refusal are one burst.
starts AS (
  SELECT
    *,
    CASE
      WHEN FirstNumber <= lag(LastNumber) OVER (PARTITION BY Kind, Who ORDER BY FirstNumber) THEN 0
      ELSE 1
    END AS Start
  FROM full_windows
),
islands AS (
  SELECT *, sum(Start) OVER (PARTITION BY Kind, Who ORDER BY FirstNumber) AS Burst
  FROM starts
),
bursts AS (
  SELECT
    Kind,
    Who,
    Burst,
    min(FirstTime) AS FirstTime,
    max(LastTime) AS LastTime,
    -- A burst that goes on for days is cut at midnight (UTC), where it has gone on for half a day and goes on for another: one finding is then never
    -- of more than two days, which its queryPeriod has room for. FirstCut is the first such midnight, LastCut the last.
    date_trunc('day', min(FirstTime) + INTERVAL '36 hours' - INTERVAL '1 microsecond') AS FirstCut,
    date_trunc('day', max(LastTime) - INTERVAL '12 hours') AS LastCut
  FROM islands
  GROUP BY Kind, Who, Burst
),
findings AS (
  SELECT
    min(a.TimeGenerated) AS TimeGenerated,
    max(a.TimeGenerated) AS EndTime,
    b.Kind,
    first_value(a.UserId ORDER BY a.TimeGenerated, a._Source) AS UserId,
    first_value(a.IPAddress ORDER BY a.TimeGenerated, a._Source) FILTER (WHERE a.IPAddress IS NOT NULL) AS IPAddress,
    count(*) AS Denials,
    count(DISTINCT a.DocumentKey) AS Documents,
    count(DISTINCT a.UserKey) AS Users,
    array_agg(DISTINCT a.UserKey ORDER BY a.UserKey) AS UserIds,
    array_agg(DISTINCT a.IPAddress ORDER BY a.IPAddress) FILTER (WHERE a.IPAddress IS NOT NULL) AS IPAddresses,
    array_agg(DISTINCT a.FileName ORDER BY a.FileName) FILTER (WHERE a.FileName IS NOT NULL) AS FileNames,
    array_agg(DISTINCT a.Owner ORDER BY a.Owner) FILTER (WHERE a.Owner IS NOT NULL) AS Owners,
    array_agg(a._Source ORDER BY a.TimeGenerated, a._Source) AS _Sources
  FROM bursts AS b
  JOIN attempts AS a ON a.Kind = b.Kind AND a.Who = b.Who AND a.TimeGenerated BETWEEN b.FirstTime AND b.LastTime
  GROUP BY
    b.Kind,
    b.Who,
    b.Burst,
    CASE
      WHEN b.FirstCut <= b.LastCut AND a.TimeGenerated >= b.FirstCut THEN least(date_trunc('day', a.TimeGenerated), b.LastCut)
    END
)
SELECT f.*
FROM findings AS f
CROSS JOIN params AS p
WHERE f.Documents >= p.MinDocuments
  -- An address with one user behind it is that user's finding already.
  AND (f.Kind = 'user' OR f.Users > 1)
