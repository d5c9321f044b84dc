/*
id: label-removed
name: Sensitivity label removed
version: 1.0.0
kind: Scheduled
description: |
  A person took the sensitivity label off a file or mail. Without it, policies that look at labels no longer see the
  content, and protection that came with the label is gone too. One finding a removal; removals by services are in
  label-removed-by-app, many at once in mass-label-removal-or-downgrade.
severity: Medium
queryFrequency: 1d
queryPeriod: 1d
triggerOperator: gt
triggerThreshold: 0
tactics: [DefenseEvasion]
relevantTechniques: [T1562]
watchlists:
  Labels: {required: false, columns: [Id, Name, Rank, Parent]}
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
customDetails: {OldLabel: OldLabelName, Justification: Justification, Application: Application}
falsePositives:
  - A document was published or its label was set by mistake. The justification says so, and the file soon carries another label or lies in a place meant for the public.
  - A template with a label became a file that needs none. The old label is a low one and the file is new.
references:
  - https://learn.microsoft.com/purview/data-classification-activity-explorer-available-events
  - https://learn.microsoft.com/azure/azure-monitor/reference/tables/microsoftpurviewinformationprotection
tests:
  - name: a removed label is found
    watchlists:
      Labels:
        - {Id: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", Name: Confidential, Rank: "3", Parent: ""}
    events:
      - record: {Id: "77ff46c1-570b-4baa-b1ff-b3179e9f98e7", CreationTime: "2026-05-04T09:12:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ClientIP: "192.0.2.10", Application: Word, DeviceName: PC-0017, ObjectId: 'C:\Users\alice\Documents\Merger plan.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3, JustificationText: "The previous label no longer applies"}}
    finds: 1
  - name: a label removed in the browser is found
    events:
      - record: {Id: "7c336ae1-9bbf-4db4-9494-6e4e5ca8d479", CreationTime: "2026-05-04T09:20:00", RecordType: 6, Operation: FileSensitivityLabelRemoved, Workload: SharePoint, UserId: bob@contoso.com, UserType: 0, ClientIP: "192.0.2.11", ObjectId: "https://contoso.sharepoint.com/sites/board/Shared Documents/Minutes.docx", SourceFileName: Minutes.docx, SourceLabel: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", SensitivityLabelJustificationText: "Approved for the press"}
    finds: 1
  - name: an update whose event type says removed is found
    events:
      - record: {Id: "f2e5eb2e-2394-45d6-a135-fd35327c1b65", CreationTime: "2026-05-04T09:25:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: carol@contoso.com, UserType: 0, ObjectId: 'D:\Work\Prices.xlsx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
    finds: 1
  - name: one event in an audit export and in CloudAppEvents is one finding
    events:
      - record: {Id: "c3206d57-95a4-42ef-b76b-07c46985c912", CreationTime: "2026-05-04T10:00:00", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'C:\Users\alice\Documents\Offer.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}
      - table: CloudAppEvents
        record: {Timestamp: "2026-05-04T10:00:00Z", ActionType: SensitivityLabelRemoved, Application: "Microsoft 365", AccountDisplayName: Alice Example, ReportId: "0_11161_c3206d57-95a4-42ef-b76b-07c46985c912", RawEventData: {Id: "c3206d57-95a4-42ef-b76b-07c46985c912", CreationTime: "2026-05-04T10:00:00Z", RecordType: 83, Operation: SensitivityLabelRemoved, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'C:\Users\alice\Documents\Offer.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 3, ActionSource: 3}}}
    finds: 1
  - name: an applied label and a lowered one are not removals
    events:
      - record: {Id: "f2d60dbc-83b8-4221-87e5-5dc770f3b44e", CreationTime: "2026-05-04T09:30:00", RecordType: 83, Operation: SensitivityLabelApplied, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'C:\Users\alice\Documents\Notes.docx', SensitivityLabelEventData: {SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelEventType: 0, ActionSource: 3}}
      - record: {Id: "c83cceea-6876-4f21-9765-401b941add2e", CreationTime: "2026-05-04T09:31:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'C:\Users\alice\Documents\Notes.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", LabelEventType: 2, ActionSource: 3}}
    finds: 0
  - name: a removal by SharePoint itself is left to label-removed-by-app
    events:
      - record: {Id: "8da82741-0172-400c-ae24-33de8a4819ba", CreationTime: "2026-05-04T09:40:00", RecordType: 6, Operation: FileSensitivityLabelRemoved, Workload: SharePoint, UserId: app@sharepoint, UserType: 5, ObjectId: "https://contoso.sharepoint.com/sites/board/Shared Documents/Agenda.docx", SourceLabel: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5"}
    finds: 0
*/
SELECT
  TimeGenerated,
  UserId,
  FileName,
  FilePath,
  coalesce(OldLabelName, OldLabelId) AS OldLabelName,
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
WHERE Action = 'LabelRemoved'
  -- Labels of groups are group-label-changed-or-removed's.
  AND Operation NOT ILIKE 'Remove label from group%'
  -- 4 System, 5 Application, 6 ServicePrincipal, 7 and 8 policies: nobody there can be asked why.
  AND NOT is_service(UserType, UserId)
