/*
id: label-policy-changed
name: Sensitivity label or labelling policy changed
version: 1.0.0
kind: Scheduled
description: |
  An administrator created, changed or removed a sensitivity label, a policy that publishes labels, or a policy that
  labels automatically. One such change can take protection off the content of the whole organisation, and it is rare
  enough to be looked at each time. One finding a change, with its parameters.
severity: Medium
queryFrequency: 1d
queryPeriod: 1d
triggerOperator: gt
triggerThreshold: 0
tactics: [DefenseEvasion, PrivilegeEscalation]
relevantTechniques: [T1562, T1484]
entityMappings:
  - entityType: Account
    fieldMappings:
      - {identifier: FullName, columnName: UserId}
  - entityType: IP
    fieldMappings:
      - {identifier: Address, columnName: IPAddress}
customDetails: {Operation: Operation, Target: Target, Change: Change, ResultStatus: ResultStatus}
falsePositives:
  - Planned work on labels. A change request names the label or policy, and the administrator is one of the few who do this.
references:
  - https://learn.microsoft.com/purview/audit-log-activities
  - https://learn.microsoft.com/powershell/module/exchangepowershell/new-autosensitivitylabelpolicy
tests:
  - name: a changed auto-labelling policy is found
    events:
      - record: {Id: "501a1b20-2408-4939-a6ec-b92936c41213", CreationTime: "2026-05-15T13:00:00", RecordType: 18, Operation: Set-AutoSensitivityLabelPolicy, Workload: SecurityComplianceCenter, UserId: admin@contoso.com, UserType: 2, ClientIP: "192.0.2.60:50112", ObjectId: Auto label contracts, ResultStatus: Succeeded, StartTime: "2026-05-15T13:00:00", Parameters: '-Identity "Auto label contracts" -Mode "Disable"'}
    finds: 1
  - name: a removed label, a new policy and an auto-labelling rule are three findings
    events:
      - record: {Id: "d5ffd195-d85d-4f7a-9c77-c1142a965f88", CreationTime: "2026-05-15T13:05:00", RecordType: 18, Operation: Remove-Label, Workload: SecurityComplianceCenter, UserId: admin@contoso.com, UserType: 2, ObjectId: Highly Confidential, Parameters: '-Identity "Highly Confidential"'}
      - record: {Id: "ab919285-217f-41aa-9da1-84dcfc137c49", CreationTime: "2026-05-15T13:06:00", RecordType: 1, Operation: New-LabelPolicy, Workload: Exchange, UserId: admin@contoso.com, UserType: 2, ObjectId: Global sensitivity label policy, ResultStatus: "True", Parameters: [{Name: Name, Value: Everyone}, {Name: Labels, Value: General}]}
      - record: {Id: "0ca35a93-d0f4-4253-a497-694283a21a48", CreationTime: "2026-05-15T13:07:00", RecordType: 18, Operation: Remove-AutoSensitivityLabelRule, Workload: SecurityComplianceCenter, UserId: ServicePrincipal_effa287f-ffa7-430f-a7b3-ca31e8c64c55, UserType: 6, ObjectId: Rule 3, Parameters: '-Identity "Rule 3"'}
    finds: 3
  - name: reading labels, labelling a file and policies of another kind are not
    events:
      - record: {Id: "8f81c3c9-4d18-41b4-992d-9163f119989a", CreationTime: "2026-05-15T14:00:00", RecordType: 18, Operation: Get-Label, Workload: SecurityComplianceCenter, UserId: admin@contoso.com, UserType: 2, ObjectId: "", Parameters: ""}
      - record: {Id: "651fb999-9bce-4476-9805-bedc282ce3a7", CreationTime: "2026-05-15T14:01:00", RecordType: 83, Operation: SensitivityLabelUpdated, Workload: PublicEndpoint, UserId: alice@contoso.com, UserType: 0, ObjectId: 'D:\Work\A.docx', SensitivityLabelEventData: {OldSensitivityLabelId: "9c208f2d-d899-4d64-91a8-7ec5e44aa4eb", SensitivityLabelId: "0d4d1191-0a79-4c58-90e4-7c4b532fb7b5", LabelEventType: 1, ActionSource: 3}}
      - record: {Id: "9fd859df-b7df-476f-b5c1-2d96e68642c6", CreationTime: "2026-05-15T14:02:00", RecordType: 18, Operation: Set-RetentionCompliancePolicy, Workload: SecurityComplianceCenter, UserId: admin@contoso.com, UserType: 2, ObjectId: Keep mail, Parameters: '-Identity "Keep mail"'}
      - record: {Id: "545fb4ed-cf0d-419b-9501-5c1df7bf7579", CreationTime: "2026-05-15T14:03:00", RecordType: 1, Operation: Set-Mailbox, Workload: Exchange, UserId: admin@contoso.com, UserType: 2, ObjectId: bob, Parameters: [{Name: Identity, Value: bob}]}
    finds: 0
  - name: Microsoft's own maintenance is not
    events:
      - record: {Id: "5d63b2f9-fa0d-448a-b6ed-cf940199e77c", CreationTime: "2026-05-15T15:00:00", RecordType: 1, Operation: Set-LabelPolicy, Workload: Exchange, UserId: 'NT AUTHORITY\SYSTEM (w3wp)', UserType: 3, ObjectId: Global sensitivity label policy, Parameters: [{Name: Identity, Value: Everyone}]}
    finds: 0
*/
SELECT
  TimeGenerated,
  UserId,
  UserType,
  Operation,
  coalesce(nullif(ObjectId, ''), nullif(Target, '')) AS Target,
  CASE
    WHEN Operation ILIKE 'Remove-%' OR Operation ILIKE 'Disable-%' THEN 'removed'
    WHEN Operation ILIKE 'New-%' OR Operation ILIKE 'Enable-%' THEN 'added'
    ELSE 'changed'
  END AS Change,
  Parameters,
  ResultStatus,
  IPAddress,
  Workload,
  RecordType,
  Id AS EventId,
  _Source
FROM UnifiedAuditLog
-- Cmdlets of the compliance centre; the portal runs the same ones. Their names are enough, whatever the record type.
WHERE Operation LIKE '%-%'  -- few operations are cmdlets, and this costs less than the expression
  AND regexp_like(
    Operation,
    '^(new|set|remove|enable|disable)-(label(properties|policy|policyrule)?|autosensitivitylabel(policy|rule))$',
    'i'
  )
  -- Applications stay in: a policy changed with a certificate is no less a change.
  AND NOT regexp_like(coalesce(UserId, ''), '^nt (authority|service)', 'i')
