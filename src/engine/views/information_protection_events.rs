//! `InformationProtectionEvents`: the function that Azure Information Protection's analytics had over its table, with its names of the
//! columns. Those that the table does not have are null. Addresses of people are in one case, so that a person is one group.

/// Its column with the time of the event.
pub(super) const TIME: &str = "Time";

/// The view's query.
pub(super) const SQL: &str = r#"
SELECT
  p."TimeGenerated" AS "Time",
  user_spelling(p."UserId_s") AS "User",
  p."ObjectId_s" AS "ItemPath",
  regexp_replace(p."ObjectId_s", '^.*[/\\]', '') AS "ItemName",
  p."ActionSource_s" AS "Method",
  p."Activity_s" AS "Activity",
  p."LabelName_s" AS "LabelName",
  p."LabelNameBefore_s" AS "LabelNameBefore",
  p."ProtectionType_s" AS "ProtectionType",
  p."ProtectionTypeBefore_s" AS "ProtectionBefore",
  p."MachineName_s" AS "MachineName",
  p."DeviceRisk_s" AS "DeviceRisk",
  p."Platform_s" AS "Platform",
  p."ApplicationName_s" AS "ApplicationName",
  p."ProductVersion_s" AS "AIPVersion",
  p."AadTenantId_g" AS "TenantId",
  p."ApplicationId_g" AS "AzureApplicationId",
  p."ProcessName_s" AS "ProcessName",
  p."LabelId_g" AS "LabelId",
  p."Protected_b" AS "IsProtected",
  user_spelling(p."ProtectionOwner_s") AS "ProtectionOwner",
  p."LabelIdBeforeAction_g" AS "LabelIdBefore",
  p."InformationTypesAbove55_s" AS "InformationTypesAbove55",
  p."InformationTypesAbove65_s" AS "InformationTypesAbove65",
  p."InformationTypesAbove75_s" AS "InformationTypesAbove75",
  p."InformationTypesAbove85_s" AS "InformationTypesAbove85",
  p."InformationTypesAbove95_s" AS "InformationTypesAbove95",
  p."DiscoveredInformationTypes_s" AS "DiscoveredInformationTypes",
  p."ProtectedBeforeAction_b" AS "ProtectedBefore",
  CAST(NULL AS VARCHAR) AS "ProtectionOwnerBefore",
  CAST(NULL AS VARCHAR) AS "UserJustification",
  CAST(NULL AS VARCHAR) AS "LastModifiedBy",
  arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))') AS "LastModifiedDate",
  p."_IngestId",
  p."_Record",
  CAST(p."_IngestId" AS VARCHAR) || ':' || CAST(p."_Record" AS VARCHAR) AS "_Source"
FROM "InformationProtectionLogs_CL" AS p"#;
