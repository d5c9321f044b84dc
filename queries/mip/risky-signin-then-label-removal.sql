/*
id: risky-signin-then-label-removal
name: Risky sign-in followed by removed or lowered labels
version: 1.0.0
kind: Scheduled
description: |
  An account signed in successfully although Microsoft Entra rated the sign-in or the account as risky, and within
  eight hours it removed or lowered sensitivity labels. Taken together this is how a stolen account makes content ready
  to leave. One finding a sign-in, with all label actions that followed; SameIPAddress tells whether they came from
  the sign-in's own address.
severity: High
queryFrequency: 1h
queryPeriod: 16h
triggerOperator: gt
triggerThreshold: 0
tactics: [InitialAccess, DefenseEvasion]
relevantTechniques: [T1078, T1562]
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
parameters:
  Span: {default: 8h, description: How long after the sign-in a label action belongs to it; half the queryPeriod at most}
entityMappings:
  - entityType: Account
    fieldMappings:
      - {identifier: FullName, columnName: UserId}
  - entityType: IP
    fieldMappings:
      - {identifier: Address, columnName: IPAddress}
customDetails: {RiskLevel: RiskLevel, RiskState: RiskState, Location: Location, Files: Files, SameIPAddress: SameIPAddress}
falsePositives:
  - The user travels or changed the VPN, and Entra rated that as risky. The user confirms the sign-in, and the label actions fit the work and come from the usual device.
references:
  - https://learn.microsoft.com/entra/id-protection/concept-identity-protection-risks
  - https://learn.microsoft.com/purview/data-classification-activity-explorer-available-events
tests:
  - name: a high risk sign-in and two removals within the hour are one finding
    watchlists:
      Labels:
        - {Id: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", Name: Confidential, Rank: "3", Parent: ""}
    events:
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-14T03:05:00Z", Id: "41a5f8a3-a769-4d31-aea9-4dabd238561b", UserPrincipalName: Carol@Contoso.com, IPAddress: "203.0.113.9", Location: BR, ResultType: "0", RiskLevelDuringSignIn: high, RiskLevelAggregated: high, RiskState: atRisk, RiskEventTypes_V2: '["unfamiliarFeatures"]', AppDisplayName: Office 365 SharePoint Online}
      - record: {Id: "42f35b07-3020-4a53-9cc7-07180d325248", CreationTime: "2026-05-14T03:30:00", RecordType: 6, Operation: FileSensitivityLabelRemoved, Workload: SharePoint, UserId: carol@contoso.com, UserType: 0, ClientIP: "203.0.113.9", ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/Salaries {n}.xlsx", SourceLabel: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
        repeat: {count: 2, every: 1m}
    finds: 1
  - name: several risky sign-ins before the same removals are one finding, up to eight hours back
    events:
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-14T03:00:00Z", Id: "dd90a815-ca4f-4f26-949d-6114964f6170", UserPrincipalName: carol@contoso.com, IPAddress: "203.0.113.9", Location: BR, ResultType: "0", RiskLevelDuringSignIn: none, RiskLevelAggregated: medium, RiskState: atRisk}
        repeat: {count: 3, every: 5m}
      - record: {Id: "63b97598-4c0b-438a-8522-fe8b09bac166", CreationTime: "2026-05-14T11:00:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: carol@contoso.com, UserType: 0, ObjectId: 'C:\Users\carol\Salaries.xlsx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelEventType: 2, ActionSource: 3}}
    finds: 1
  - name: a risk state without a level is enough
    events:
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-14T03:00:00Z", Id: "87025443-62c4-487a-955c-cd661507ecc4", UserPrincipalName: carol@contoso.com, IPAddress: "203.0.113.9", ResultType: "0", RiskLevelDuringSignIn: hidden, RiskLevelAggregated: hidden, RiskState: confirmedCompromised}
      - record: {Id: "226e404b-8fc6-45a1-9c3b-1d10d9c1db6a", CreationTime: "2026-05-14T04:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: carol@contoso.com, UserType: 0, ObjectId: 'C:\Users\carol\Salaries.xlsx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
    finds: 1
  - name: a sign-in without risk, a failed one, somebody else's and a dismissed risk are not
    events:
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-14T08:00:00Z", Id: "70453c66-84af-4e08-b32a-0fbece64006a", UserPrincipalName: alice@contoso.com, IPAddress: "192.0.2.10", Location: DE, ResultType: "0", RiskLevelDuringSignIn: none, RiskLevelAggregated: none, RiskState: none}
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-14T08:01:00Z", Id: "856c9bf6-b1ad-415f-9e48-3878e49e1d7b", UserPrincipalName: alice@contoso.com, IPAddress: "203.0.113.9", Location: BR, ResultType: "50126", RiskLevelDuringSignIn: high, RiskLevelAggregated: high, RiskState: atRisk}
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-14T08:02:00Z", Id: "1ff82330-54bd-4087-97d2-feaeb99f51e7", UserPrincipalName: bob@contoso.com, IPAddress: "203.0.113.9", Location: BR, ResultType: "0", RiskLevelDuringSignIn: high, RiskLevelAggregated: high, RiskState: atRisk}
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-14T08:03:00Z", Id: "6d844000-b449-44ae-9bf8-8097b0ba6ab3", UserPrincipalName: alice@contoso.com, IPAddress: "198.51.100.7", Location: FR, ResultType: "0", RiskLevelDuringSignIn: medium, RiskLevelAggregated: none, RiskState: dismissed}
      - record: {Id: "0d55c3ef-5468-404d-b7c2-e35bfa050938", CreationTime: "2026-05-14T09:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'C:\Users\alice\Menu.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelEventType: 3, ActionSource: 3}}
    finds: 0
  - name: before the sign-in, more than eight hours later, or only an applied label is not
    events:
      - record: {Id: "a7455d16-5aaa-4038-9d75-e4fe2c03f07c", CreationTime: "2026-05-14T02:59:59", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: carol@contoso.com, UserType: 0, ObjectId: 'C:\Users\carol\A.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
      - table: SigninLogs
        record: {TimeGenerated: "2026-05-14T03:00:00Z", Id: "8be26ff6-111e-4757-b272-87f7a63cf13a", UserPrincipalName: carol@contoso.com, IPAddress: "203.0.113.9", Location: BR, ResultType: "0", RiskLevelDuringSignIn: high, RiskLevelAggregated: high, RiskState: atRisk}
      - record: {Id: "3940fb02-a72d-466a-8768-05294d65abfb", CreationTime: "2026-05-14T05:00:00", RecordType: 83, Operation: SensitivityLabelApplied, Workload: PublicEndpoint, UserId: carol@contoso.com, UserType: 0, ObjectId: 'C:\Users\carol\B.docx', SensitivityLabelEventData: {SensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", ActionSource: 3}}
      - record: {Id: "2a1abbe3-f2ad-4dc6-a070-a720ebd13f99", CreationTime: "2026-05-14T11:00:01", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: carol@contoso.com, UserType: 0, ObjectId: 'C:\Users\carol\C.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
    finds: 0
*/
WITH params AS (
  -- A working day: a stolen session is used soon, and a token lives longer than its first hour. Twice as long is the queryPeriod: the last
  -- action may be that far behind the sign-in, and an earlier sign-in as far before it.
  SELECT $Span AS Span
),
risky AS (
  SELECT
    s.TimeGenerated,
    s.TimeGenerated + p.Span AS Deadline,
    lower(s.UserPrincipalName) AS UserKey,
    s.IPAddress,
    s.Location,
    CASE
      WHEN 'high' IN (lower(coalesce(s.RiskLevelDuringSignIn, '')), lower(coalesce(s.RiskLevelAggregated, ''))) THEN 'high'
      WHEN 'medium' IN (lower(coalesce(s.RiskLevelDuringSignIn, '')), lower(coalesce(s.RiskLevelAggregated, ''))) THEN 'medium'
      ELSE lower(coalesce(s.RiskLevelDuringSignIn, s.RiskLevelAggregated))
    END AS RiskLevel,
    s.RiskState,
    s.RiskEventTypes_V2,
    s.AppDisplayName,
    s._Source
  FROM SigninLogs AS s
  CROSS JOIN params AS p
  WHERE s.ResultType = '0'
    AND (
      lower(s.RiskLevelDuringSignIn) IN ('medium', 'high')
      OR lower(s.RiskLevelAggregated) IN ('medium', 'high')
      OR lower(s.RiskState) IN ('atrisk', 'confirmedcompromised')
    )
    -- An administrator has already looked at these.
    AND lower(coalesce(s.RiskState, '')) NOT IN ('dismissed', 'confirmedsafe')
),
lowered AS (
  SELECT
    TimeGenerated,
    UserId,
    lower(UserId) AS UserKey,
    FileName,
    lower(coalesce(nullif(FilePath, ''), nullif(FileName, ''), EventId)) AS FileKey,
    Action,
    coalesce(OldLabelName, OldLabelId) AS OldLabelName,
    Justification,
    IPAddress,
    _Source
  FROM LabelEvents
  WHERE Action IN ('LabelRemoved', 'LabelDowngraded')
),
-- With several risky sign-ins in the hours before, the first one opens the finding.
pairs AS (
  SELECT *
  FROM (
    SELECT
      r.*,
      l.TimeGenerated AS ActionTime,
      l.UserId,
      l.FileKey,
      l.FileName,
      l.Action,
      l.OldLabelName,
      l.IPAddress AS ActionAddress,
      l._Source AS ActionSource,
      row_number() OVER (PARTITION BY l._Source ORDER BY r.TimeGenerated, r._Source) AS Choice
    FROM lowered AS l
    JOIN risky AS r ON r.UserKey = l.UserKey
    WHERE l.TimeGenerated >= r.TimeGenerated AND l.TimeGenerated <= r.Deadline
  )
  WHERE Choice = 1
),
followed_by AS (
  SELECT
    TimeGenerated,
    IPAddress,
    Location,
    RiskLevel,
    RiskState,
    RiskEventTypes_V2,
    AppDisplayName,
    _Source,
    min(ActionTime) AS FirstAction,
    max(ActionTime) AS EndTime,
    min(UserId) AS UserId,
    count(DISTINCT FileKey) AS Files,
    count(*) FILTER (WHERE Action = 'LabelRemoved') AS Removed,
    count(*) FILTER (WHERE Action = 'LabelDowngraded') AS Downgraded,
    array_agg(DISTINCT FileName ORDER BY FileName) FILTER (WHERE FileName IS NOT NULL) AS FileNames,
    array_agg(DISTINCT OldLabelName ORDER BY OldLabelName) FILTER (WHERE OldLabelName IS NOT NULL) AS OldLabelNames,
    array_agg(DISTINCT ActionAddress ORDER BY ActionAddress) FILTER (WHERE ActionAddress IS NOT NULL) AS ActionIPAddresses,
    array_agg(ActionSource ORDER BY ActionTime, ActionSource) AS ActionSources
  FROM pairs
  -- What is said of a sign-in is the same in each of its rows.
  GROUP BY TimeGenerated, IPAddress, Location, RiskLevel, RiskState, RiskEventTypes_V2, AppDisplayName, _Source
)
SELECT
  TimeGenerated,
  EndTime,
  FirstAction,
  UserId,
  IPAddress,
  Location,
  RiskLevel,
  RiskState,
  RiskEventTypes_V2,
  AppDisplayName,
  Files,
  Removed,
  Downgraded,
  FileNames,
  OldLabelNames,
  ActionIPAddresses,
  coalesce(array_has(ActionIPAddresses, IPAddress), false) AS SameIPAddress,
  array_prepend(_Source, ActionSources) AS _Sources
FROM followed_by
