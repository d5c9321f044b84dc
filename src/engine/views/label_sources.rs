//! What further sources say in the shape of `LabelEvents`: the activity explorer, and interactions with Copilot. Columns stand as in the other
//! parts of that view.

/// Rows of the activity explorer, with what happened where that is about a label, and the path that they are about.
pub(super) const EXPLORED_ROWS: &str = r#"(SELECT s.*,
    coalesce(label_explored(s."Activity"), CASE WHEN label_id(s."SensitivityLabel") IS NOT NULL
      THEN label_explored_file(s."Activity") END) AS "Kind",
    coalesce(nullif(s."FilePath", ''), nullif(s."TargetFilePath", '')) AS "Path"
  FROM stored."ActivityExplorer" AS s) AS x"#;

/// What a row of the activity explorer says. Its labels are ids, and names where somebody exported what the portal shows.
pub(super) const EXPLORED: &str = r#"
SELECT
  x."TimeGenerated",
  x."Kind",
  label_event_type(x."LabelEventType"),
  x."Activity",
  nullif(x."User", ''),
  user_type_number(x."UserType"),
  coalesce(nullif(x."ItemName", ''), nullif(x."Subject", ''), regexp_replace(x."Path", '^.*[/\\]', '')),
  x."Path",
  nullif(json_as_text(x."ExtraColumns", 'PreviousFileName'), ''),
  label_guid(x."OldSensitivityLabel"),
  label_name_instead(x."OldSensitivityLabel"),
  label_guid(x."SensitivityLabel"),
  label_name_instead(x."SensitivityLabel"),
  nullif(x."Justification", ''),
  label_action_source(nullif(x."HowApplied", '')),
  x."IsProtected",
  x."IsProtectedBefore",
  nullif(json_as_text(x."ExtraColumns", 'ProtectionOwner'), ''),
  coalesce(nullif(x."Application", ''), nullif(x."ProcessName", '')),
  nullif(x."DeviceName", ''),
  label_site_of(x."Path"),
  CAST(NULL AS VARCHAR),
  clean_ip(x."ClientIP"),
  x."Workload",
  CAST(NULL AS INT),
  'ActivityExplorer',
  x."RecordIdentity",
  x."_IngestId",
  x."_Record",
  CAST(x."_IngestId" AS VARCHAR) || ':' || CAST(x."_Record" AS VARCHAR)"#;

/// Records of interactions with Copilot: a row for each document with a label that it read. What is worked out stands further in than the list is
/// unfolded: beside `unnest` DataFusion takes a column and what was made of it for one.
pub(super) const COPILOT_ROWS: &str = r#"(SELECT f.*, unnest(f."Reads") AS "Read" FROM (SELECT
      l."TimeGenerated", l."Operation", l."UserId", l."UserType", copilot_host(l."AuditData") AS "Host", l."IPAddress", l."Workload",
      l."RecordType", 'UnifiedAuditLog' AS "SourceTable", l."Id" AS "EventId", l."_IngestId", l."_Record", l."_Source",
      copilot_reads(l."AuditData") AS "Reads"
    FROM "_LabelRecords" AS l WHERE l."Operation" = 'CopilotInteraction') AS f) AS r"#;

/// The same of Sentinel's table of them.
pub(super) const COPILOT_TABLE: &str = r#"(SELECT f.*, unnest(f."Reads") AS "Read" FROM (SELECT
      l."TimeGenerated", 'CopilotInteraction' AS "Operation", coalesce(nullif(l."ActorName", ''), nullif(l."ActorUserId", '')) AS "UserId",
      user_type_number(l."ActorUserType") AS "UserType", nullif(l."AppHost", '') AS "Host", clean_ip(l."SrcIpAddr") AS "IPAddress", l."Workload",
      record_type_number(l."RecordType") AS "RecordType", 'CopilotActivity' AS "SourceTable", l."RecordId" AS "EventId", l."_IngestId",
      l."_Record", CAST(l."_IngestId" AS VARCHAR) || ':' || CAST(l."_Record" AS VARCHAR) AS "_Source", copilot_reads(l."LLMEventData") AS "Reads"
    FROM stored."CopilotActivity" AS l) AS f) AS r"#;

/// What one of them says.
pub(super) const READ_BY_COPILOT: &str = r#"
SELECT
  r."TimeGenerated",
  'ReadByCopilot',
  CAST(NULL AS VARCHAR),
  r."Operation",
  r."UserId",
  r."UserType",
  copilot_name(r."Read"),
  copilot_path(r."Read"),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  copilot_label(r."Read"),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS BOOLEAN),
  CAST(NULL AS BOOLEAN),
  CAST(NULL AS VARCHAR),
  r."Host",
  CAST(NULL AS VARCHAR),
  label_site_of(copilot_path(r."Read")),
  CAST(NULL AS VARCHAR),
  r."IPAddress",
  r."Workload",
  r."RecordType",
  r."SourceTable",
  r."EventId",
  r."_IngestId",
  r."_Record",
  r."_Source""#;
