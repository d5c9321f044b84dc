/*
id: label-removed-by-app
name: Labels removed or lowered by an application
version: 1.0.0
kind: Scheduled
description: |
  An application, a service principal or SharePoint itself removed or lowered sensitivity labels. An app with write
  access to files can do so to every file it reaches, and no person is asked for a reason. One finding an identity and
  day, with the number of files.
severity: Medium
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
      AND is_service(e.UserType, e.UserId)
entityMappings:
  - entityType: Account
    fieldMappings:
      - {identifier: FullName, columnName: UserId}
  - entityType: IP
    fieldMappings:
      - {identifier: Address, columnName: IPAddress}
  - entityType: CloudApplication
    fieldMappings:
      - {identifier: Name, columnName: Application}
customDetails: {Files: Files, Removed: Removed, Downgraded: Downgraded, OldLabels: OldLabelNames, NewLabels: NewLabelNames}
falsePositives:
  - An automatic labelling policy, a default label of a library or a migration tool. A change to that policy or tool on the same day explains it, and the same identity does it to all files of a place.
references:
  - https://learn.microsoft.com/purview/data-classification-activity-explorer-available-events
  - https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema
tests:
  - name: an app that takes labels off ten files is one finding
    watchlists:
      Labels:
        - {Id: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", Name: Confidential, Rank: "3", Parent: ""}
    events:
      - record: {Id: "60113166-cd0f-4eb2-afca-c46612a7ba54", CreationTime: "2026-05-21T02:00:00", RecordType: 6, Operation: FileSensitivityLabelRemoved, Workload: SharePoint, UserId: app@sharepoint, UserType: 5, ClientIP: "198.51.100.60", ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/Contract {n}.docx", SourceLabel: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
        repeat: {count: 10, every: 1m}
    finds: 1
  - name: two identities are two findings, one of them known only by its name
    events:
      - record: {Id: "5a7183e4-0d2d-40e7-8dae-9689bd71969f", CreationTime: "2026-05-21T03:00:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: "b7342ace-d341-4eaf-b5f5-acbac37efa24", UserType: 6, ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/A.docx", SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelEventType: 2, ActionSource: 2, ActionSourceDetail: 5}}
      - record: {Id: "4d79b05f-fb7f-42a4-97f5-27538d35abb5", CreationTime: "2026-05-21T03:01:00", RecordType: 6, Operation: FileSensitivityLabelRemoved, Workload: SharePoint, UserId: 'SHAREPOINT\system', UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/B.docx", SourceLabel: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
    finds: 2
  - name: a person, and an app that labels or raises labels, are not
    events:
      - record: {Id: "d2972168-25e6-4d44-8940-e93baadce6ee", CreationTime: "2026-05-21T04:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'D:\Work\A.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
      - record: {Id: "36e15a67-862a-421a-9933-88306e5ab132", CreationTime: "2026-05-21T04:01:00", RecordType: 6, Operation: FileSensitivityLabelApplied, Workload: SharePoint, UserId: app@sharepoint, UserType: 5, ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/C.docx", DestinationLabel: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb"}
      - record: {Id: "65cb6546-c987-4e16-8a6b-3d76aa65c862", CreationTime: "2026-05-21T04:02:00", RecordType: 6, Operation: FileSensitivityLabelChanged, Workload: SharePoint, UserId: app@sharepoint, UserType: 5, ObjectId: "https://contoso.sharepoint.com/sites/hr/Shared Documents/D.docx", SensitivityLabelEventData: {OldSensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", SensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 1, ActionSource: 2}}
    finds: 0
*/
SELECT
  min(TimeGenerated) AS TimeGenerated,
  max(TimeGenerated) AS EndTime,
  min(UserId) AS UserId,
  min(UserType) AS UserType,
  count(DISTINCT lower(coalesce(nullif(FilePath, ''), nullif(FileName, ''), EventId))) AS Files,
  count(*) FILTER (WHERE Action = 'LabelRemoved') AS Removed,
  count(*) FILTER (WHERE Action = 'LabelDowngraded') AS Downgraded,
  array_agg(DISTINCT coalesce(OldLabelName, OldLabelId) ORDER BY coalesce(OldLabelName, OldLabelId)) FILTER (WHERE OldLabelId IS NOT NULL) AS OldLabelNames,
  array_agg(DISTINCT coalesce(NewLabelName, NewLabelId) ORDER BY coalesce(NewLabelName, NewLabelId)) FILTER (WHERE NewLabelId IS NOT NULL) AS NewLabelNames,
  array_agg(DISTINCT ActionSource ORDER BY ActionSource) FILTER (WHERE ActionSource IS NOT NULL) AS ActionSources,
  first_value(Application ORDER BY TimeGenerated, _Source) FILTER (WHERE Application IS NOT NULL) AS Application,
  first_value(IPAddress ORDER BY TimeGenerated, _Source) FILTER (WHERE IPAddress IS NOT NULL) AS IPAddress,
  array_agg(_Source ORDER BY TimeGenerated, _Source) AS _Sources
FROM LabelEvents
WHERE Action IN ('LabelRemoved', 'LabelDowngraded')
  AND is_service(UserType, UserId)
GROUP BY lower(UserId), date_trunc('day', TimeGenerated)
