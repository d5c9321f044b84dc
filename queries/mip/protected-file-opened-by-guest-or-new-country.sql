/*
id: protected-file-opened-by-guest-or-new-country
name: Labelled or protected file opened by a guest or from a new country
version: 1.0.0
kind: Scheduled
description: |
  A guest opened a protected file or one with more than a general label, or a user did so from a country where this user was not seen in the 13
  days before. The country is the one in the record or, failing that, the one of the user's latest sign-in from the same
  address in those days. The day before the opening is not taken as history, since an intruder signs in first; a user without any
  history is never in a new country. One finding a user, reason and day.
severity: Medium
queryFrequency: 1d
queryPeriod: 14d
triggerOperator: gt
triggerThreshold: 0
tactics: [InitialAccess, Collection]
relevantTechniques: [T1078, T1213]
watchlists:
  Labels: {required: false, columns: [Id, Name, Rank, Parent]}
parameters:
  LookBack: {default: 13d, description: 'How long a country stays known; with the day itself no longer than the queryPeriod of 14 days'}
  Visit: {default: 1d, description: What happened this short a time before belongs to the same visit and is no history}
  MinRank: {default: 2, description: Labels of a lower rank are meant to be read by others}
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
customDetails: {Reason: Reason, Country: Country, Files: Files, Labels: LabelNames}
falsePositives:
  - A guest of a joint project reads what was shared with that project. The files lie in its site and the guest belongs to its partner.
  - The user travels, or the company's internet exit moved. Several users with the same new country and address at once speak for the latter.
references:
  - https://learn.microsoft.com/azure/information-protection/log-analyze-usage
  - https://learn.microsoft.com/purview/data-classification-activity-explorer-available-events
tests:
  - name: a guest's openings of one day are one finding
    events:
      - record: {Id: "46da97a1-f631-475b-9bd4-3b0d5364062f", CreationTime: "2026-05-19T09:00:00", RecordType: 84, Operation: SensitivityLabeledFileOpened, Workload: PublicEndpoint, UserId: "eve_fabrikam.com#EXT#@contoso.onmicrosoft.com", UserType: 10, ObjectId: "https://contoso.sharepoint.com/sites/deals/Shared Documents/Deal {n}.docx", LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
        repeat: {count: 3, every: 10m}
    finds: 1
  - name: a guest known only by the name is found
    events:
      - record: {Id: "7b417d61-2c77-4c81-8a5f-8af78edc872f", CreationTime: "2026-05-19T10:00:00", RecordType: 93, Operation: Access, Workload: Aip, Scope: 1, UserId: "eve_fabrikam.com#ext#@contoso.onmicrosoft.com", UserType: 0, ObjectId: 'C:\Temp\Deal 7.docx', ProtectionEventData: {IsProtected: true, ProtectionOwner: alice@contoso.com}}
    finds: 1
  - name: a country that only the sign-ins know, with an opening minutes after the first sign-in there
    events:
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-10T08:00:00Z", Id: "2e5586c2-f750-4bd2-bb1b-5c597146f9b6", UserPrincipalName: dave@contoso.com, IPAddress: "192.0.2.14", Location: DE, ResultType: "0"}
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-19T11:00:00Z", Id: "ebbe3fb1-e967-442b-b197-5fe8d5c01d59", UserPrincipalName: Dave@contoso.com, IPAddress: "203.0.113.33", Location: SG, ResultType: "0"}
      - record: {Id: "06f82735-a86f-4b50-8d9a-3a10cfbffe89", CreationTime: "2026-05-19T11:05:00", RecordType: 84, Operation: SensitivityLabeledFileOpened, Workload: PublicEndpoint, UserId: dave@contoso.com, UserType: 0, ClientIP: "203.0.113.33:50123", ObjectId: "https://contoso.sharepoint.com/sites/rd/Shared Documents/Design.docx", LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
    finds: 1
  - name: a country that the record knows
    events:
      - table: CloudAppEvents
        record: {Timestamp: "2026-05-12T11:05:00Z", ActionType: SensitivityLabeledFileOpened, Application: "Microsoft 365", CountryCode: DE, IPAddress: "192.0.2.14", ReportId: "0_11161_9e202358-c048-407b-ad8a-4212e25dac5b", RawEventData: {Id: "9e202358-c048-407b-ad8a-4212e25dac5b", CreationTime: "2026-05-12T11:05:00Z", RecordType: 84, Operation: SensitivityLabeledFileOpened, Workload: PublicEndpoint, UserId: dave@contoso.com, UserType: 0, ObjectId: 'C:\Work\Design.docx', LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}}
      - table: CloudAppEvents
        record: {Timestamp: "2026-05-19T11:05:00Z", ActionType: SensitivityLabeledFileOpened, Application: "Microsoft 365", CountryCode: SG, IPAddress: "203.0.113.33", ReportId: "0_11161_48faf3c3-5be4-419c-a518-faec1ac6a6f1", RawEventData: {Id: "48faf3c3-5be4-419c-a518-faec1ac6a6f1", CreationTime: "2026-05-19T11:05:00Z", RecordType: 84, Operation: SensitivityLabeledFileOpened, Workload: PublicEndpoint, UserId: dave@contoso.com, UserType: 0, ObjectId: 'C:\Work\Design.docx', LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}}
    finds: 1
  - name: a country last seen more than 13 days ago is new again
    events:
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-01T08:00:00Z", Id: "182b2beb-24e6-4fdd-bd46-af52d89869ba", UserPrincipalName: dave@contoso.com, IPAddress: "203.0.113.33", Location: SG, ResultType: "0"}
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-14T08:00:00Z", Id: "c1e898c1-b998-41ef-b7f4-5c43acfc4182", UserPrincipalName: dave@contoso.com, IPAddress: "192.0.2.14", Location: DE, ResultType: "0"}
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-19T11:00:00Z", Id: "74f1b205-c386-459e-b2a1-d4e5f6078199", UserPrincipalName: dave@contoso.com, IPAddress: "203.0.113.33", Location: SG, ResultType: "0"}
      - record: {Id: "1f9d62ed-fe2c-4150-9440-71052f1fa25a", CreationTime: "2026-05-19T11:05:00", RecordType: 84, Operation: SensitivityLabeledFileOpened, Workload: PublicEndpoint, UserId: dave@contoso.com, UserType: 0, ClientIP: "203.0.113.33", ObjectId: 'C:\Work\Design.docx', LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
    finds: 1
  - name: a country seen in the 13 days before is not new
    events:
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-06T12:00:00Z", Id: "d288a1b8-44bf-441e-bf0f-e4c221f86057", UserPrincipalName: dave@contoso.com, IPAddress: "198.51.100.90", Location: sg, ResultType: "0"}
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-19T11:00:00Z", Id: "504b1744-a605-4cb4-aa55-959c1af3bd78", UserPrincipalName: dave@contoso.com, IPAddress: "203.0.113.33", Location: SG, ResultType: "0"}
      - record: {Id: "baad97c8-8288-4cda-93a6-79f7575b3562", CreationTime: "2026-05-19T11:05:00", RecordType: 84, Operation: SensitivityLabeledFileOpened, Workload: PublicEndpoint, UserId: dave@contoso.com, UserType: 0, ClientIP: "203.0.113.33", ObjectId: 'C:\Work\Design.docx', LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
    finds: 0
  - name: a sign-in that comes after the opening says nothing of it
    events:
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-14T08:00:00Z", Id: "0d8a4b9e-5c1f-4e27-8b3a-6d7e8f901a22", UserPrincipalName: dave@contoso.com, IPAddress: "192.0.2.14", Location: DE, ResultType: "0"}
      - record: {Id: "1e9b5caf-6d20-4f38-9c4b-7e8f90a12b33", CreationTime: "2026-05-19T11:05:00", RecordType: 84, Operation: SensitivityLabeledFileOpened, Workload: PublicEndpoint, UserId: dave@contoso.com, UserType: 0, ClientIP: "203.0.113.33", ObjectId: 'C:\Work\Design.docx', LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-19T11:06:00Z", Id: "2fac6db0-7e31-4049-8d5c-8f90a1b23c44", UserPrincipalName: dave@contoso.com, IPAddress: "203.0.113.33", Location: SG, ResultType: "0"}
    finds: 0
  - name: the latest of several sign-ins from one address says where it is
    events:
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-10T08:00:00Z", Id: "30bd7ec1-8f42-415a-9e6d-90a1b2c34d55", UserPrincipalName: dave@contoso.com, IPAddress: "203.0.113.33", Location: DE, ResultType: "0"}
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-19T10:00:00Z", Id: "41ce8fd2-9053-426b-8f7e-a1b2c3d45e66", UserPrincipalName: dave@contoso.com, IPAddress: "203.0.113.33", Location: SG, ResultType: "0"}
      - record: {Id: "52df90e3-a164-437c-908f-b2c3d4e56f77", CreationTime: "2026-05-19T11:05:00", RecordType: 84, Operation: SensitivityLabeledFileOpened, Workload: PublicEndpoint, UserId: dave@contoso.com, UserType: 0, ClientIP: "203.0.113.33", ObjectId: 'C:\Work\Design.docx', LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-19T12:00:00Z", Id: "63e0a1f4-b275-448d-a190-c3d4e5f67088", UserPrincipalName: dave@contoso.com, IPAddress: "203.0.113.33", Location: DE, ResultType: "0"}
    finds: 1
  - name: a user without history, an unknown country and a failed sign-in say nothing
    events:
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-19T11:00:00Z", Id: "476894c0-5f2e-4202-83eb-03cb7b8f1bf8", UserPrincipalName: newcomer@contoso.com, IPAddress: "203.0.113.34", Location: SG, ResultType: "0"}
      - record: {Id: "bd2869f6-0f45-4eee-ad25-a54807398597", CreationTime: "2026-05-19T11:05:00", RecordType: 84, Operation: SensitivityLabeledFileOpened, Workload: PublicEndpoint, UserId: newcomer@contoso.com, UserType: 0, ClientIP: "203.0.113.34", ObjectId: 'C:\Work\Design.docx', LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-14T08:00:00Z", Id: "fbf08329-9cdd-4dd3-b632-cf1e9f036a5b", UserPrincipalName: dave@contoso.com, IPAddress: "192.0.2.14", Location: DE, ResultType: "0"}
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-19T12:00:00Z", Id: "4bbcf19c-86e6-44d5-81c8-be00ee4cc562", UserPrincipalName: dave@contoso.com, IPAddress: "203.0.113.35", Location: SG, ResultType: "50126"}
      - record: {Id: "c651f137-2725-4f3e-9e3b-740e8935a672", CreationTime: "2026-05-19T12:05:00", RecordType: 84, Operation: SensitivityLabeledFileOpened, Workload: PublicEndpoint, UserId: dave@contoso.com, UserType: 0, ClientIP: "203.0.113.35", ObjectId: 'C:\Work\Design.docx', LabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
    finds: 0
  - name: a file whose label everybody may read is not
    watchlists:
      Labels:
        - {Id: "e15a833e-23f0-40f2-a411-229f32ed7cca", Name: Public, Rank: "0", Parent: ""}
        - {Id: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", Name: Confidential, Rank: "3", Parent: ""}
    events:
      - record: {Id: "cf8179c7-4785-4558-9486-3b8f9f5dc5b6", CreationTime: "2026-05-19T12:30:00", RecordType: 84, Operation: SensitivityLabeledFileOpened, Workload: PublicEndpoint, UserId: "eve_fabrikam.com#EXT#@contoso.onmicrosoft.com", UserType: 10, ObjectId: "https://contoso.sharepoint.com/sites/press/Shared Documents/Leaflet.docx", LabelId: "e15a833e-23f0-40f2-a411-229f32ed7cca"}
    finds: 0
  - name: a file with neither label nor protection is not
    events:
      - record: {Id: "57f5b0a5-10ea-44b7-9118-51f188445c34", CreationTime: "2026-05-19T13:00:00", RecordType: 93, Operation: Access, Workload: Aip, Scope: 1, UserId: "eve_fabrikam.com#EXT#@contoso.onmicrosoft.com", UserType: 10, ObjectId: 'C:\Temp\Leaflet.docx', ProtectionEventData: {IsProtected: false}}
    finds: 0
*/
WITH params AS (
  SELECT
    -- How long a country stays known; longer hides a second visit by an intruder, shorter reports every holiday twice. With the day itself it is
    -- the 14 days of the queryPeriod, which is the most that Sentinel has.
    $LookBack AS LookBack,
    -- What happened this short a time before belongs to the same visit and is no history.
    $Visit AS Visit,
    -- Labels ranked lower (public, general) are meant to be read by others. A label of unknown rank counts.
    $MinRank AS MinRank
),
signins AS (
  SELECT TimeGenerated, lower(UserPrincipalName) AS UserKey, IPAddress, upper(Location) AS Country, _Source
  FROM SigninLogs
  WHERE ResultType = '0' AND coalesce(Location, '') <> ''
),
people AS (
  SELECT
    e.TimeGenerated,
    e.Action,
    e.UserId,
    lower(e.UserId) AS UserKey,
    coalesce(e.UserType, 0) = 10 OR lower(coalesce(e.UserId, '')) LIKE '%#ext#%' AS IsGuest,
    upper(nullif(e.CountryCode, '')) AS RecordCountry,
    e.FileName,
    e.FilePath,
    lower(coalesce(nullif(e.FilePath, ''), nullif(e.FileName, ''), e.EventId)) AS FileKey,
    coalesce(e.NewLabelName, e.NewLabelId) AS LabelName,
    -- The usage log of the rights management service holds only protected documents and says so nowhere.
    coalesce(e.Protected, e.SourceTable = 'AipServiceUserLog')
      OR (e.NewLabelId IS NOT NULL AND coalesce(e.NewLabelRank, p.MinRank) >= p.MinRank) AS Sensitive,
    e.Owner,
    e.IPAddress,
    e.TimeGenerated - p.LookBack AS HistoryFrom,
    e.TimeGenerated - p.Visit AS HistoryTo,
    e._Source
  FROM LabelEvents AS e
  CROSS JOIN params AS p
  WHERE NOT is_service(e.UserType, e.UserId)
    AND e.UserId <> ''
),
-- Where each user was, by day: small enough to compare every opening with.
history AS (
  SELECT UserKey, Country, min(TimeGenerated) AS FirstSeen, max(TimeGenerated) AS LastSeen
  FROM (
    SELECT UserKey, RecordCountry AS Country, TimeGenerated
    FROM people
    -- A refused attempt makes no country familiar.
    WHERE RecordCountry IS NOT NULL AND Action <> 'AccessDenied'
    UNION ALL
    SELECT UserKey, Country, TimeGenerated
    FROM signins
  )
  GROUP BY UserKey, Country, date_trunc('day', TimeGenerated)
),
opened AS (
  SELECT *
  FROM people
  WHERE Action = 'FileOpened' AND Sensitive
),
-- The latest sign-in of the same user from the same address, at or before each opening.
visits AS (
  SELECT
    OpenedSource,
    last_value(Country) IGNORE NULLS OVER latest AS Country,
    last_value(SignedIn) IGNORE NULLS OVER latest AS SignedIn
  FROM (
    SELECT UserKey, IPAddress, TimeGenerated, 0 AS Turn, _Source, Country, TimeGenerated AS SignedIn, NULL AS OpenedSource
    FROM signins
    WHERE coalesce(IPAddress, '') <> ''
    UNION ALL
    SELECT UserKey, IPAddress, TimeGenerated, 1 AS Turn, _Source, NULL AS Country, NULL AS SignedIn, _Source AS OpenedSource
    FROM opened
    WHERE RecordCountry IS NULL AND coalesce(IPAddress, '') <> ''
  )
  WINDOW latest AS (
    PARTITION BY UserKey, IPAddress
    ORDER BY TimeGenerated, Turn, _Source
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  )
),
located AS (
  SELECT o.*, coalesce(o.RecordCountry, v.Country) AS Country
  FROM opened AS o
  LEFT JOIN visits AS v ON v.OpenedSource = o._Source AND v.SignedIn >= o.HistoryFrom
),
judged AS (
  SELECT
    o._Source,
    -- All that is said of an opening is the same in each of its rows.
    min(o.TimeGenerated) AS TimeGenerated,
    min(o.UserId) AS UserId,
    min(o.UserKey) AS UserKey,
    min(o.FileName) AS FileName,
    min(o.FilePath) AS FilePath,
    min(o.FileKey) AS FileKey,
    min(o.LabelName) AS LabelName,
    min(o.Owner) AS Owner,
    min(o.IPAddress) AS IPAddress,
    min(o.Country) AS Country,
    CASE
      WHEN bool_or(o.IsGuest) THEN 'guest'
      -- A day that only partly reaches into the window counts.
      WHEN count(h.Country) > 0 AND count(*) FILTER (WHERE h.Country = o.Country) = 0 THEN 'new country'
    END AS Reason
  FROM located AS o
  LEFT JOIN history AS h
    ON h.UserKey = o.UserKey
    AND h.LastSeen >= o.HistoryFrom
    AND h.FirstSeen <= o.HistoryTo
    AND o.Country IS NOT NULL
  GROUP BY o._Source
)
SELECT
  min(TimeGenerated) AS TimeGenerated,
  max(TimeGenerated) AS EndTime,
  min(UserId) AS UserId,
  Reason,
  min(Country) AS Country,
  count(DISTINCT FileKey) AS Files,
  first_value(FileName ORDER BY TimeGenerated, _Source) AS FileName,
  first_value(FilePath ORDER BY TimeGenerated, _Source) AS FilePath,
  array_agg(DISTINCT FileName ORDER BY FileName) FILTER (WHERE FileName IS NOT NULL) AS FileNames,
  array_agg(DISTINCT LabelName ORDER BY LabelName) FILTER (WHERE LabelName IS NOT NULL) AS LabelNames,
  array_agg(DISTINCT Owner ORDER BY Owner) FILTER (WHERE Owner IS NOT NULL) AS Owners,
  first_value(IPAddress ORDER BY TimeGenerated, _Source) FILTER (WHERE IPAddress IS NOT NULL) AS IPAddress,
  array_agg(_Source ORDER BY TimeGenerated, _Source) AS _Sources
FROM judged
WHERE Reason IS NOT NULL
GROUP BY
  UserKey,
  Reason,
  -- A guest's country is a detail; for everybody else it is the finding.
  CASE WHEN Reason = 'new country' THEN Country END,
  date_trunc('day', TimeGenerated)
