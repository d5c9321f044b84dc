/*
id: confidential-file-shared-with-guest
name: Confidential file shared with people outside
version: 1.0.0
kind: Scheduled
description: |
  A person shared a file whose last label action gave it a label such as Confidential with guests, by invitation or by
  a link for named people. Names of labels come from the list of labels. One finding a person, file and day, with the
  recipients.
severity: Low
queryFrequency: 1d
queryPeriod: 14d
triggerOperator: gt
triggerThreshold: 0
tactics: [Exfiltration]
relevantTechniques: [T1537]
watchlists:
  Labels: {required: false, columns: [Id, Name, Rank, Parent]}
parameters:
  labelPattern: {default: confidential|secret|restricted, description: "Pattern of the names, or ids, of labels that make a file count; without a list of labels only ids can match"}
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
customDetails: {LabelName: LabelName, LabelTime: LabelTime, Recipients: Recipients}
falsePositives:
  - Work with a partner under contract. Recipients belong to the partner, and the label allows it.
references:
  - https://learn.microsoft.com/en-us/purview/audit-log-activities
  - https://learn.microsoft.com/en-us/purview/audit-log-sharing
  - https://learn.microsoft.com/en-us/purview/sensitivity-labels-sharepoint-onedrive-files
tests:
  - name: labelled, then shared with two guests
    watchlists:
      Labels:
        - {Id: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", Name: "Confidential", Rank: "3", Parent: ""}
        - {Id: "ac5cbbee-13d7-453e-bb6f-fc27e85120d9", Name: "General", Rank: "1", Parent: ""}
    events:
      - record: {Id: "cd6964aa-b384-5b19-b1e9-d4f88b1dd9a9", CreationTime: "2026-05-14T09:00:00", Operation: "FileSensitivityLabelApplied", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 6, UserKey: "i:0h.f|membership|1003e09af3f45995@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "alice@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", DestinationLabel: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", SensitivityLabelEventData: {SensitivityLabelId: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", ActionSource: 3}}
      - record: {Id: "725289a0-a076-5cc2-8c10-e1ac0b38c975", CreationTime: "2026-05-14T10:00:00", Operation: "AddedToSecureLink", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 14, UserKey: "i:0h.f|membership|1003389e39781098@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "mallory@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", TargetUserOrGroupName: "trudy@fabrikam.com", TargetUserOrGroupType: "Guest"}
      - record: {Id: "88c9a672-f25c-5a9d-9760-1bf68c5b1b85", CreationTime: "2026-05-14T10:05:00", Operation: "SharingInvitationCreated", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 14, UserKey: "i:0h.f|membership|1003389e39781098@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "mallory@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", TargetUserOrGroupName: "ted_fabrikam.com#EXT#@contoso.onmicrosoft.com", TargetUserOrGroupType: "Guest"}
    finds: 1
  - name: from Defender's table
    watchlists:
      Labels:
        - {Id: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", Name: "Confidential", Rank: "3", Parent: ""}
        - {Id: "ac5cbbee-13d7-453e-bb6f-fc27e85120d9", Name: "General", Rank: "1", Parent: ""}
    events:
      - table: CloudAppEvents
        record: {Timestamp: "2026-05-14T09:00:00Z", TimeGenerated: "2026-05-14T09:00:00Z", ActionType: "FileSensitivityLabelApplied", Application: "Microsoft SharePoint Online", ApplicationId: 20892, AppInstanceId: 0, AccountObjectId: "6569356d-4df5-585c-acc7-11875a380765", AccountDisplayName: "Alice", AccountType: "Regular", IPAddress: "203.0.113.9", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", ActivityType: "Basic", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", ReportId: "93512877_20892_e3fb8abc-fd64-548b-ae30-cd2b3aaa1bb1", RawEventData: {ClientIP: "203.0.113.9", CreationTime: "2026-05-14T09:00:00Z", DestinationLabel: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", EventSource: "SharePoint", Id: "e3fb8abc-fd64-548b-ae30-cd2b3aaa1bb1", ItemType: "File", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", Operation: "FileSensitivityLabelApplied", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 6, SensitivityLabelEventData: {SensitivityLabelId: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", ActionSource: 3}, Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", UserId: "alice@contoso.com", UserKey: "i:0h.f|membership|1003e09af3f45995@live.com", UserType: 0, Version: 1, Workload: "SharePoint"}}
      - table: CloudAppEvents
        record: {Timestamp: "2026-05-14T10:00:00Z", TimeGenerated: "2026-05-14T10:00:00Z", ActionType: "AddedToSecureLink", Application: "Microsoft SharePoint Online", ApplicationId: 20892, AppInstanceId: 0, AccountObjectId: "8c2574cc-ae50-55ee-a997-201b4de4142a", AccountDisplayName: "Mallory", AccountType: "Regular", IPAddress: "203.0.113.9", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", ActivityType: "Basic", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", ReportId: "93512877_20892_644d54d9-f747-5f9c-b674-5a2be12a3531", RawEventData: {ClientIP: "203.0.113.9", CreationTime: "2026-05-14T10:00:00Z", EventSource: "SharePoint", Id: "644d54d9-f747-5f9c-b674-5a2be12a3531", ItemType: "File", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", Operation: "AddedToSecureLink", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 14, Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", TargetUserOrGroupName: "trudy@fabrikam.com", TargetUserOrGroupType: "Guest", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", UserId: "mallory@contoso.com", UserKey: "i:0h.f|membership|1003389e39781098@live.com", UserType: 0, Version: 1, Workload: "SharePoint"}}
    finds: 1
  - name: colleagues, a General file, and a file without a label, are not
    watchlists:
      Labels:
        - {Id: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", Name: "Confidential", Rank: "3", Parent: ""}
        - {Id: "ac5cbbee-13d7-453e-bb6f-fc27e85120d9", Name: "General", Rank: "1", Parent: ""}
    events:
      - record: {Id: "a6e2cc72-8451-50b9-bb52-3da5ea385a4c", CreationTime: "2026-05-14T09:00:00", Operation: "FileSensitivityLabelApplied", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 6, UserKey: "i:0h.f|membership|1003e09af3f45995@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "alice@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", DestinationLabel: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", SensitivityLabelEventData: {SensitivityLabelId: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", ActionSource: 3}}
      - record: {Id: "d7f21afd-7e8c-5497-b729-e4e91819db81", CreationTime: "2026-05-14T10:00:00", Operation: "SharingSet", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 14, UserKey: "i:0h.f|membership|1003389e39781098@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "mallory@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", TargetUserOrGroupName: "bob@contoso.com", TargetUserOrGroupType: "Member"}
      - record: {Id: "2dc47cfc-398c-503f-910c-a94eb8ec6e8d", CreationTime: "2026-05-14T09:00:00", Operation: "FileSensitivityLabelApplied", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 6, UserKey: "i:0h.f|membership|1003e09af3f45995@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "alice@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "docx", SourceFileName: "Menu.docx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Menu.docx", DestinationLabel: "ac5cbbee-13d7-453e-bb6f-fc27e85120d9", SensitivityLabelEventData: {SensitivityLabelId: "ac5cbbee-13d7-453e-bb6f-fc27e85120d9", ActionSource: 3}}
      - record: {Id: "6363152b-99b1-5693-8ece-30a346967d65", CreationTime: "2026-05-14T10:00:00", Operation: "AddedToSecureLink", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 14, UserKey: "i:0h.f|membership|1003389e39781098@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "mallory@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "docx", SourceFileName: "Menu.docx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Menu.docx", TargetUserOrGroupName: "trudy@fabrikam.com", TargetUserOrGroupType: "Guest"}
      - record: {Id: "74a5ba11-05e4-5e3f-84cf-34b3baf74071", CreationTime: "2026-05-14T10:00:00", Operation: "AddedToSecureLink", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 14, UserKey: "i:0h.f|membership|1003389e39781098@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "mallory@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "docx", SourceFileName: "Plan.docx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Plan.docx", TargetUserOrGroupName: "trudy@fabrikam.com", TargetUserOrGroupType: "Guest"}
    finds: 0
  - name: an id nobody has a name for is not
    events:
      - record: {Id: "cd308966-c57a-52f8-8678-cdaf95234347", CreationTime: "2026-05-14T09:00:00", Operation: "FileSensitivityLabelApplied", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 6, UserKey: "i:0h.f|membership|1003e09af3f45995@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "alice@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", DestinationLabel: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", SensitivityLabelEventData: {SensitivityLabelId: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", ActionSource: 3}}
      - record: {Id: "6ce056df-3fb0-5a97-ae6b-29997e168673", CreationTime: "2026-05-14T10:00:00", Operation: "AddedToSecureLink", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 14, UserKey: "i:0h.f|membership|1003389e39781098@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "mallory@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", TargetUserOrGroupName: "trudy@fabrikam.com", TargetUserOrGroupType: "Guest"}
    finds: 0
*/
WITH labels AS (
  SELECT
    TimeGenerated,
    replace(lower(FilePath), '%20', ' ') AS PathKey,
    NewLabelId,
    coalesce(NewLabelName, NewLabelId) AS LabelName,
    _Source
  FROM LabelEvents
  WHERE coalesce(FilePath, '') <> '' AND Action <> 'LabelKept'
),
exits AS (
  SELECT
    TimeGenerated,
    UserId,
    replace(lower(ObjectId), '%20', ' ') AS PathKey,
    ObjectId,
    coalesce(nullif(SourceFileName, ''), regexp_replace(ObjectId, '^.*/', '')) AS FileName,
    Operation,
    nullif(TargetUserOrGroupName, '') AS Recipient,
    IPAddress,
    _Source
  FROM UnifiedAuditLog
  WHERE Operation IN ('SharingInvitationCreated', 'AddedToSecureLink', 'AddedToSharingLink', 'SharingSet')
    AND (TargetUserOrGroupType IN ('Guest', 'Partner') OR lower(TargetUserOrGroupName) LIKE '%#ext#%' OR lower(TargetUserOrGroupName) LIKE 'urn:spo:guest%')
    AND coalesce(ObjectId, '') <> ''
    AND NOT is_service(UserType, UserId)
),
-- The label that the file had when it was shared is that of its last label action before.
last_label AS (
  SELECT
    x.*,
    l.TimeGenerated AS LabelTime,
    l.NewLabelId,
    l.LabelName,
    row_number() OVER (PARTITION BY x._Source ORDER BY l.TimeGenerated DESC, l._Source) AS Choice
  FROM exits AS x
  JOIN labels AS l ON l.PathKey = x.PathKey AND l.TimeGenerated <= x.TimeGenerated
)
SELECT
  min(TimeGenerated) AS TimeGenerated,
  max(TimeGenerated) AS EndTime,
  min(UserId) AS UserId,
  min(FileName) AS FileName,
  min(ObjectId) AS FilePath,
  min(LabelName) AS LabelName,
  max(LabelTime) AS LabelTime,
  array_agg(DISTINCT Operation ORDER BY Operation) AS Operations,
  array_agg(DISTINCT Recipient ORDER BY Recipient) FILTER (WHERE Recipient IS NOT NULL) AS Recipients,
  first_value(IPAddress ORDER BY TimeGenerated, _Source) FILTER (WHERE IPAddress IS NOT NULL) AS IPAddress,
  array_agg(_Source ORDER BY TimeGenerated, _Source) AS _Sources
FROM last_label
WHERE Choice = 1
  AND NewLabelId IS NOT NULL
  AND regexp_like(concat(LabelName, ' ', NewLabelId), $labelPattern, 'i')
GROUP BY lower(UserId), PathKey, NewLabelId, date_trunc('day', TimeGenerated)
