/*
id: document-sensitivity-mismatch
name: Document more sensitive than its site
version: 1.0.0
kind: Scheduled
description: |
  A document was put into a site whose own label is lower than the document's. The site's members, guests and sharing
  settings then fit less sensitive content: either the document is in the wrong place or it waits there to be taken.
  One finding a user, document and day.
severity: Low
queryFrequency: 1d
queryPeriod: 1d
triggerOperator: gt
triggerThreshold: 0
tactics: [Collection]
relevantTechniques: [T1074]
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
customDetails: {DocumentLabel: DocumentLabelName, SiteLabel: SiteLabelName, Site: SiteUrl}
falsePositives:
  - The site's label was never set with care. Many documents of many people differ from it; the site needs another label, not the documents another place.
references:
  - https://learn.microsoft.com/purview/sensitivity-labels-teams-groups-sites
  - https://learn.microsoft.com/purview/audit-log-activities
tests:
  - name: a mismatch is found, with both labels
    watchlists:
      Labels:
        - {Id: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", Name: General, Rank: "1", Parent: ""}
        - {Id: "78403157-43c4-4df4-9e63-7a6fc1e2be78", Name: Highly Confidential, Rank: "5", Parent: ""}
    events:
      - record: {Id: "03825dca-7285-43e9-ba39-c0b76fc842fd", CreationTime: "2026-05-22T10:00:00", RecordType: 6, Operation: DocumentSensitivityMismatchDetected, Workload: SharePoint, UserId: bob@contoso.com, UserType: 0, ClientIP: "192.0.2.12", SiteUrl: "https://contoso.sharepoint.com/sites/canteen/", ObjectId: "https://contoso.sharepoint.com/sites/canteen/Shared Documents/Merger.docx", SourceFileName: Merger.docx, SensitivityLabelId: "78403157-43c4-4df4-9e63-7a6fc1e2be78", SiteSensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb"}
    finds: 1
  - name: one document detected twice a day is one finding, also without names
    events:
      - record: {Id: "43444b9e-d512-4565-a48e-e2a5cc805ad7", CreationTime: "2026-05-22T11:00:00", RecordType: 6, Operation: DocumentSensitivityMismatchDetected, Workload: SharePoint, UserId: bob@contoso.com, UserType: 0, SiteUrl: "https://contoso.sharepoint.com/sites/canteen/", ObjectId: "https://contoso.sharepoint.com/sites/canteen/Shared Documents/Plan.docx", SensitivityLabelId: "78403157-43c4-4df4-9e63-7a6fc1e2be78", SiteSensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb"}
        repeat: {count: 2, every: 1h}
    finds: 1
  - name: an upload that fits is not
    events:
      - record: {Id: "759b9696-49f3-48d6-9192-b7c5beb352cc", CreationTime: "2026-05-22T12:00:00", RecordType: 6, Operation: FileUploaded, Workload: SharePoint, UserId: bob@contoso.com, UserType: 0, SiteUrl: "https://contoso.sharepoint.com/sites/canteen/", ObjectId: "https://contoso.sharepoint.com/sites/canteen/Shared Documents/Menu.docx", SensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb"}
    finds: 0
*/
WITH labels AS (
  SELECT lower(trim(Id)) AS LabelId, min(Name) AS LabelName
  FROM watchlists.Labels
  GROUP BY lower(trim(Id))
),
mismatches AS (
  SELECT
    TimeGenerated,
    UserId,
    coalesce(nullif(SourceFileName, ''), regexp_replace(ObjectId, '^.*[/\\]', '')) AS FileName,
    ObjectId AS FilePath,
    SiteUrl,
    lower(SensitivityLabelId) AS DocumentLabelId,
    lower(json_get_str(AuditData, 'SiteSensitivityLabelId')) AS SiteLabelId,
    IPAddress,
    Id,
    _Source
  FROM UnifiedAuditLog
  WHERE Operation = 'DocumentSensitivityMismatchDetected'
)
SELECT
  min(m.TimeGenerated) AS TimeGenerated,
  max(m.TimeGenerated) AS EndTime,
  min(m.UserId) AS UserId,
  min(m.FileName) AS FileName,
  min(m.FilePath) AS FilePath,
  min(m.SiteUrl) AS SiteUrl,
  min(coalesce(d.LabelName, m.DocumentLabelId)) AS DocumentLabelName,
  min(coalesce(s.LabelName, m.SiteLabelId)) AS SiteLabelName,
  first_value(m.IPAddress ORDER BY m.TimeGenerated, m._Source) FILTER (WHERE m.IPAddress IS NOT NULL) AS IPAddress,
  array_agg(m._Source ORDER BY m.TimeGenerated, m._Source) AS _Sources
FROM mismatches AS m
LEFT JOIN labels AS d ON d.LabelId = m.DocumentLabelId
LEFT JOIN labels AS s ON s.LabelId = m.SiteLabelId
GROUP BY lower(m.UserId), lower(coalesce(m.FilePath, m.Id)), date_trunc('day', m.TimeGenerated)
