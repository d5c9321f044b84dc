/*
id: confidential-file-anyone-link
name: Anyone link made for a confidential file
version: 1.0.0
kind: Scheduled
description: |
  A person made a link that anybody can open for a file whose last label action gave it a label such as Confidential.
  The label says who may read it, the link gives it to everybody; only encryption still stands between them. Names of
  labels come from the list of labels. One finding a person, file and day.
severity: Medium
queryFrequency: 1d
queryPeriod: 14d
triggerOperator: gt
triggerThreshold: 0
tactics: [Exfiltration]
relevantTechniques: [T1567, T1537]
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
customDetails: {LabelName: LabelName, LabelTime: LabelTime, FilePath: FilePath}
falsePositives:
  - The file is published and its label was forgotten. Its owner lowers the label and says so.
references:
  - https://learn.microsoft.com/en-us/purview/audit-log-activities
  - https://learn.microsoft.com/en-us/purview/sensitivity-labels-sharepoint-onedrive-files
  - https://learn.microsoft.com/en-us/sharepoint/shareable-links-anyone-specific-people-organization
tests:
  - name: labelled, then a link for anybody
    watchlists:
      Labels:
        - {Id: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", Name: "Confidential", Rank: "3", Parent: ""}
        - {Id: "ac5cbbee-13d7-453e-bb6f-fc27e85120d9", Name: "General", Rank: "1", Parent: ""}
    events:
      - record: {Id: "63e4ff3a-30eb-5695-925c-764c704273ad", CreationTime: "2026-05-14T09:00:00", Operation: "FileSensitivityLabelApplied", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 6, UserKey: "i:0h.f|membership|1003e09af3f45995@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "alice@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", DestinationLabel: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", SensitivityLabelEventData: {SensitivityLabelId: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", ActionSource: 3}}
      - record: {Id: "364d4a05-2a5a-5985-8915-8f69c17b89e3", CreationTime: "2026-05-14T10:00:00", Operation: "AnonymousLinkCreated", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 14, UserKey: "i:0h.f|membership|1003389e39781098@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "mallory@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", EventData: "<Type>View</Type><MembersCanShareApplied>False</MembersCanShareApplied>"}
    finds: 1
  - name: from Defender's table, raised to Confidential days before
    watchlists:
      Labels:
        - {Id: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", Name: "Confidential", Rank: "3", Parent: ""}
        - {Id: "ac5cbbee-13d7-453e-bb6f-fc27e85120d9", Name: "General", Rank: "1", Parent: ""}
    events:
      - table: CloudAppEvents
        record: {Timestamp: "2026-05-12T09:00:00Z", TimeGenerated: "2026-05-12T09:00:00Z", ActionType: "FileSensitivityLabelChanged", Application: "Microsoft SharePoint Online", ApplicationId: 20892, AppInstanceId: 0, AccountObjectId: "6569356d-4df5-585c-acc7-11875a380765", AccountDisplayName: "Alice", AccountType: "Regular", IPAddress: "203.0.113.9", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", ActivityType: "Basic", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", ReportId: "93512877_20892_b4bf5699-5ce4-59cf-96eb-fa340165c944", RawEventData: {ClientIP: "203.0.113.9", CreationTime: "2026-05-12T09:00:00Z", DestinationLabel: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", EventSource: "SharePoint", Id: "b4bf5699-5ce4-59cf-96eb-fa340165c944", ItemType: "File", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", Operation: "FileSensitivityLabelChanged", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 6, SensitivityLabelEventData: {SensitivityLabelId: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", ActionSource: 3}, Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceLabel: "ac5cbbee-13d7-453e-bb6f-fc27e85120d9", SourceRelativeUrl: "Shared Documents", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", UserId: "alice@contoso.com", UserKey: "i:0h.f|membership|1003e09af3f45995@live.com", UserType: 0, Version: 1, Workload: "SharePoint"}}
      - table: CloudAppEvents
        record: {Timestamp: "2026-05-14T10:00:00Z", TimeGenerated: "2026-05-14T10:00:00Z", ActionType: "AnonymousLinkCreated", Application: "Microsoft SharePoint Online", ApplicationId: 20892, AppInstanceId: 0, AccountObjectId: "8c2574cc-ae50-55ee-a997-201b4de4142a", AccountDisplayName: "Mallory", AccountType: "Regular", IPAddress: "203.0.113.9", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", ActivityType: "Basic", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", ReportId: "93512877_20892_62ae005f-9ed7-5709-b83d-2df3fcaad5c6", RawEventData: {ClientIP: "203.0.113.9", CreationTime: "2026-05-14T10:00:00Z", EventData: "<Type>Edit</Type><MembersCanShareApplied>False</MembersCanShareApplied>", EventSource: "SharePoint", Id: "62ae005f-9ed7-5709-b83d-2df3fcaad5c6", ItemType: "File", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", Operation: "AnonymousLinkCreated", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 14, Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", UserId: "mallory@contoso.com", UserKey: "i:0h.f|membership|1003389e39781098@live.com", UserType: 0, Version: 1, Workload: "SharePoint"}}
    finds: 1
  - name: a General file, a link for the company, and another file, are not
    watchlists:
      Labels:
        - {Id: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", Name: "Confidential", Rank: "3", Parent: ""}
        - {Id: "ac5cbbee-13d7-453e-bb6f-fc27e85120d9", Name: "General", Rank: "1", Parent: ""}
    events:
      - record: {Id: "e51ac5c2-9b7b-5992-b83a-b3d18eb24f6a", CreationTime: "2026-05-14T09:00:00", Operation: "FileSensitivityLabelApplied", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 6, UserKey: "i:0h.f|membership|1003e09af3f45995@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "alice@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", DestinationLabel: "ac5cbbee-13d7-453e-bb6f-fc27e85120d9", SensitivityLabelEventData: {SensitivityLabelId: "ac5cbbee-13d7-453e-bb6f-fc27e85120d9", ActionSource: 3}}
      - record: {Id: "882a270f-70a7-512e-a2df-6fb8c297c529", CreationTime: "2026-05-14T10:00:00", Operation: "AnonymousLinkCreated", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 14, UserKey: "i:0h.f|membership|1003389e39781098@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "mallory@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", EventData: "<Type>View</Type><MembersCanShareApplied>False</MembersCanShareApplied>"}
      - record: {Id: "94b89448-1f81-5b76-9d82-02242916f09f", CreationTime: "2026-05-14T09:00:00", Operation: "FileSensitivityLabelApplied", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 6, UserKey: "i:0h.f|membership|1003e09af3f45995@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "alice@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "docx", SourceFileName: "Plan.docx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Plan.docx", DestinationLabel: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", SensitivityLabelEventData: {SensitivityLabelId: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", ActionSource: 3}}
      - record: {Id: "f5811024-1f2f-5b9c-bce9-e0e1b1b73821", CreationTime: "2026-05-14T10:00:00", Operation: "CompanyLinkCreated", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 14, UserKey: "i:0h.f|membership|1003389e39781098@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "mallory@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "docx", SourceFileName: "Plan.docx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Plan.docx", EventData: "<Type>View</Type><MembersCanShareApplied>False</MembersCanShareApplied>"}
      - record: {Id: "f2a9f600-8084-5701-b860-8f14dfed6ab4", CreationTime: "2026-05-14T10:00:00", Operation: "AnonymousLinkCreated", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 14, UserKey: "i:0h.f|membership|1003389e39781098@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "mallory@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "docx", SourceFileName: "Menu.docx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Menu.docx", EventData: "<Type>View</Type><MembersCanShareApplied>False</MembersCanShareApplied>"}
    finds: 0
  - name: labelled after the link, or the label gone before, is not
    watchlists:
      Labels:
        - {Id: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", Name: "Confidential", Rank: "3", Parent: ""}
        - {Id: "ac5cbbee-13d7-453e-bb6f-fc27e85120d9", Name: "General", Rank: "1", Parent: ""}
    events:
      - record: {Id: "6d36eaa5-3f81-53a6-bfc3-e3f41ef7fe03", CreationTime: "2026-05-14T08:00:00", Operation: "AnonymousLinkCreated", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 14, UserKey: "i:0h.f|membership|1003389e39781098@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "mallory@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", EventData: "<Type>View</Type><MembersCanShareApplied>False</MembersCanShareApplied>"}
      - record: {Id: "8e99476c-79d9-5a05-96c9-f0fb0ea44d3b", CreationTime: "2026-05-14T09:00:00", Operation: "FileSensitivityLabelApplied", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 6, UserKey: "i:0h.f|membership|1003e09af3f45995@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "alice@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", DestinationLabel: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", SensitivityLabelEventData: {SensitivityLabelId: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", ActionSource: 3}}
      - record: {Id: "55726435-f25a-53b6-8764-74d6cdef8bed", CreationTime: "2026-05-14T09:00:00", Operation: "FileSensitivityLabelApplied", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 6, UserKey: "i:0h.f|membership|1003e09af3f45995@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "alice@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "docx", SourceFileName: "Plan.docx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Plan.docx", DestinationLabel: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", SensitivityLabelEventData: {SensitivityLabelId: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", ActionSource: 3}}
      - record: {Id: "541020e6-237c-559d-b177-92db8532066c", CreationTime: "2026-05-14T09:30:00", Operation: "FileSensitivityLabelRemoved", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 6, UserKey: "i:0h.f|membership|1003e09af3f45995@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "alice@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "docx", SourceFileName: "Plan.docx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Plan.docx", SourceLabel: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3"}
      - record: {Id: "10c1e144-65c9-5d29-ab74-cb41f906b458", CreationTime: "2026-05-14T10:00:00", Operation: "AnonymousLinkCreated", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 14, UserKey: "i:0h.f|membership|1003389e39781098@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "mallory@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "docx", SourceFileName: "Plan.docx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Plan.docx", EventData: "<Type>View</Type><MembersCanShareApplied>False</MembersCanShareApplied>"}
    finds: 0
  - name: a link of the newer kind, and the older record beside it, are one finding
    watchlists:
      Labels:
        - {Id: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", Name: "Confidential", Rank: "3", Parent: ""}
        - {Id: "ac5cbbee-13d7-453e-bb6f-fc27e85120d9", Name: "General", Rank: "1", Parent: ""}
    events:
      - record: {Id: "63e4ff3a-30eb-5695-925c-764c704273ad", CreationTime: "2026-05-14T09:00:00", Operation: "FileSensitivityLabelApplied", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 6, UserKey: "i:0h.f|membership|1003e09af3f45995@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "alice@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", DestinationLabel: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", SensitivityLabelEventData: {SensitivityLabelId: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", ActionSource: 3}}
      - record: {Id: "364d4a05-2a5a-5985-8915-8f69c17b89e3", CreationTime: "2026-05-14T10:00:00", Operation: "AnonymousLinkCreated", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 14, UserKey: "i:0h.f|membership|1003389e39781098@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "mallory@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", EventData: "<Type>View</Type><MembersCanShareApplied>False</MembersCanShareApplied>"}
      - record: {Id: "d4692397-8824-5dff-a25e-4eed0b1f8688", CreationTime: "2026-05-14T10:00:00", Operation: "SharingLinkCreated", SharingLinkScope: "Anonymous", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 14, UserKey: "i:0h.f|membership|1003389e39781098@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "mallory@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", EventData: "<Type>View</Type><MembersCanShareApplied>False</MembersCanShareApplied>"}
    finds: 1
  - name: a link of the newer kind for named people is not
    watchlists:
      Labels:
        - {Id: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", Name: "Confidential", Rank: "3", Parent: ""}
        - {Id: "ac5cbbee-13d7-453e-bb6f-fc27e85120d9", Name: "General", Rank: "1", Parent: ""}
    events:
      - record: {Id: "63e4ff3a-30eb-5695-925c-764c704273ad", CreationTime: "2026-05-14T09:00:00", Operation: "FileSensitivityLabelApplied", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 6, UserKey: "i:0h.f|membership|1003e09af3f45995@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "alice@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", DestinationLabel: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", SensitivityLabelEventData: {SensitivityLabelId: "e5bc0c44-b82b-4a8b-8d8c-06e9db11b4b3", ActionSource: 3}}
      - record: {Id: "d4692397-8824-5dff-a25e-4eed0b1f8688", CreationTime: "2026-05-14T10:00:00", Operation: "SharingLinkCreated", SharingLinkScope: "SpecificPeople", OrganizationId: "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f", RecordType: 14, UserKey: "i:0h.f|membership|1003389e39781098@live.com", UserType: 0, Version: 1, Workload: "SharePoint", UserId: "mallory@contoso.com", ClientIP: "203.0.113.9", EventSource: "SharePoint", ItemType: "File", Site: "b2da09e7-558b-5343-a1d5-5a3f14317426", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0", SiteUrl: "https://contoso.sharepoint.com/sites/finance/", SourceFileExtension: "xlsx", SourceFileName: "Salaries.xlsx", SourceRelativeUrl: "Shared Documents", ObjectId: "https://contoso.sharepoint.com/sites/finance/Shared Documents/Salaries.xlsx", EventData: "<Type>View</Type><MembersCanShareApplied>False</MembersCanShareApplied>"}
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
  WHERE Operation IN ('AnonymousLinkCreated', 'AnonymousLinkUpdated', 'SharingLinkCreated', 'SharingLinkUpdated')
    AND (Operation LIKE 'Anonymous%' OR AuditData->>'SharingLinkScope' IN ('Anonymous', 'Anyone'))
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
