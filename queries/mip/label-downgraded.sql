/*
id: label-downgraded
name: Sensitivity label lowered
version: 1.0.0
kind: Scheduled
description: |
  A person replaced a sensitivity label by a less sensitive one. That is how content slips past policies that stop or
  encrypt the higher label. The record says so itself or, where it names no direction, the ranks in the Labels
  watchlist decide; without them such records are counted as not judged.
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
      AND NOT is_service(e.UserType, e.UserId)
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
customDetails: {OldLabel: OldLabelName, NewLabel: NewLabelName, Justification: Justification, Application: Application}
falsePositives:
  - The first label was too high and the author puts it right. The justification says so and the two labels are close in rank.
  - A document reached its release date. The new label is the one for public documents and others of the same set follow.
references:
  - https://learn.microsoft.com/purview/data-classification-activity-explorer-available-events
  - https://learn.microsoft.com/azure/azure-monitor/reference/tables/microsoftpurviewinformationprotection
tests:
  - name: a downgrade that the record names is found
    watchlists:
      Labels:
        - {Id: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", Name: General, Rank: "1", Parent: ""}
        - {Id: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", Name: Confidential, Rank: "3", Parent: ""}
    events:
      - record: {Id: "4c3e8bc7-661d-4a05-b7d6-a7ab9422555c", CreationTime: "2026-05-05T08:01:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ClientIP: "192.0.2.10:51234", Application: Excel, DeviceName: PC-0017, ObjectId: 'C:\Users\alice\Documents\Budget.xlsx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelEventType: 2, ActionSource: 3, JustificationText: "Figures are published now"}}
    finds: 1
  - name: ranks decide where the record names no direction
    watchlists:
      Labels:
        - {Id: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", Name: General, Rank: "1", Parent: ""}
        - {Id: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", Name: Confidential, Rank: "3", Parent: ""}
    events:
      - record: {Id: "1d181ec1-04f1-4c6b-82e5-87c81b9ca01f", CreationTime: "2026-05-05T08:02:00", RecordType: 6, Operation: FileSensitivityLabelChanged, Workload: SharePoint, UserId: bob@contoso.com, UserType: 0, ClientIP: "198.51.100.7", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Forecast.xlsx", SourceLabel: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", DestinationLabel: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb"}
    finds: 1
  - name: what the record names is found without the watchlist
    events:
      - record: {Id: "d4cb9a3f-6ac8-4f7e-9a53-5f1c0f4d2b11", CreationTime: "2026-05-05T08:02:30", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: bob@contoso.com, UserType: 0, ObjectId: 'D:\Work\Offer.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelEventType: 2, ActionSource: 3}}
      - record: {Id: "a1b5b6c4-2f7e-4d52-8a0f-0b6c7d8e9f10", CreationTime: "2026-05-05T08:02:40", RecordType: 6, Operation: FileSensitivityLabelChanged, Workload: SharePoint, UserId: bob@contoso.com, UserType: 0, ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Forecast.xlsx", SourceLabel: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", DestinationLabel: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb"}
    finds: 1
  - name: the record's own word counts more than the ranks
    watchlists:
      Labels:
        - {Id: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", Name: General, Rank: "3", Parent: ""}
        - {Id: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", Name: Confidential, Rank: "1", Parent: ""}
    events:
      - record: {Id: "3afe5534-3564-4a79-b8b5-115235b56814", CreationTime: "2026-05-05T08:03:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: carol@contoso.com, UserType: 0, ObjectId: 'D:\Work\Prices.xlsx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelEventType: 2, ActionSource: 3}}
    finds: 1
  - name: an upgrade, a change within one rank and labels of unknown rank are not
    watchlists:
      Labels:
        - {Id: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", Name: General, Rank: "1", Parent: ""}
        - {Id: "cfd446e7-7f3e-4adf-af24-f97b35e50530", Name: Internal, Rank: "1", Parent: ""}
        - {Id: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", Name: Confidential, Rank: "3", Parent: ""}
    events:
      - record: {Id: "9d955d58-8aa6-49f9-93b7-2e8b7a3be1c3", CreationTime: "2026-05-05T08:04:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'D:\Work\A.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", SensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}}
      - record: {Id: "22305686-cc50-4b57-9fed-e4159f62bb09", CreationTime: "2026-05-05T08:05:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'D:\Work\B.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", SensitivityLabelId: "cfd446e7-7f3e-4adf-af24-f97b35e50530"}}
      - record: {Id: "f3fd016e-9c8b-424d-b93c-47e93b4122e1", CreationTime: "2026-05-05T08:06:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'D:\Work\C.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "42f9cf51-146d-41f4-98f4-6e3ab82a2123", SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb"}}
    finds: 0
  - name: a downgrade by a service is not
    watchlists:
      Labels:
        - {Id: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", Name: General, Rank: "1", Parent: ""}
        - {Id: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", Name: Confidential, Rank: "3", Parent: ""}
    events:
      - record: {Id: "5030ebca-4573-4af0-97a6-e7c389c4270b", CreationTime: "2026-05-05T08:07:00", RecordType: 6, Operation: FileSensitivityLabelChanged, Workload: SharePoint, UserId: 'SHAREPOINT\system', UserType: 4, ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Plan.xlsx", SourceLabel: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", DestinationLabel: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb"}
    finds: 0
*/
SELECT
  TimeGenerated,
  UserId,
  FileName,
  FilePath,
  coalesce(OldLabelName, OldLabelId) AS OldLabelName,
  coalesce(NewLabelName, NewLabelId) AS NewLabelName,
  OldLabelRank,
  NewLabelRank,
  Justification,
  ActionSource,
  Application,
  DeviceName,
  IPAddress,
  Workload,
  Operation,
  EventId,
  _Source
FROM LabelEvents
WHERE Action = 'LabelDowngraded'
  -- 4 System, 5 Application, 6 ServicePrincipal, 7 and 8 policies; label-removed-by-app has those.
  AND NOT is_service(UserType, UserId)
