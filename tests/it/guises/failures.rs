//! Files that are no exports: failures, and what holds no record.

use super::{line, read, record};
use crate::command_line::run;

#[test]
fn failures_are_holes_whatever_they_are_written_in() {
    for (content, want) in [
        (
            "<!DOCTYPE html><html><head><title>429 Too Many Requests</title></head></html>",
            "this pull is incomplete: 429 Too Many Requests",
        ),
        (
            "<?xml version=\"1.0\"?><Error><Code>Throttled</Code><Message>Wait.</Message></Error>",
            "this pull is incomplete (Throttled): Wait",
        ),
        (
            "AF20024: The subscription is already enabled.\n",
            "this pull is incomplete (AF20024)",
        ),
        (
            "ERROR: AADSTS700082: The refresh token has expired.\nTrace ID: x\n",
            "this pull is incomplete (AADSTS700082)",
        ),
        (
            "Too Many Requests\n",
            "this pull is incomplete: Too Many Requests",
        ),
        (
            "Search-X : The term 'Search-X' is not recognized.\nAt line:1 char:1\n+ Search-X\n+ ~~~~\n    + CategoryInfo          : ObjectNotFound: (Search-X:String) [], CommandNotFoundException\n    + FullyQualifiedErrorId : CommandNotFoundException\n",
            "this pull is incomplete: Search-X",
        ),
        (
            "Exception,TargetObject,CategoryInfo,FullyQualifiedErrorId,InvocationInfo\nAADSTS50076 needed,,OperationStopped,x,y\n",
            "this pull is incomplete: AADSTS50076 needed",
        ),
        (
            r#"[{"Exception":{"Message":"The session expired."},"CategoryInfo":{"Category":7},"FullyQualifiedErrorId":"x"}]"#,
            "this pull is incomplete: The session expired",
        ),
        (
            r#"{"type":"https://tools.ietf.org/html/rfc7231","title":"Unauthorized","status":401,"traceId":"t"}"#,
            "this pull is incomplete (401): Unauthorized",
        ),
        (
            r#"{"detail":"Request was throttled."}"#,
            "this pull is incomplete: Request was throttled",
        ),
        (
            r#"{"messages":[{"type":"FATAL","text":"Unknown search."}]}"#,
            "this pull is incomplete (FATAL): Unknown search",
        ),
    ] {
        let read = read(&[
            ("page3.json", content),
            ("good.json", &record(1).to_string()),
        ]);
        assert_eq!(read.code, Some(10), "{content}: {}", read.said);
        assert!(read.said.contains(want), "{content}: {}", read.said);
        assert_eq!(read.audit(), [line(1)], "{content}");
        assert_eq!(read.rows("OtherRecords"), 0, "{content}");
        let archive = read.folder.path().join("archive");
        let out = run(&["gaps", "-a", &archive.to_string_lossy(), "-f", "json"]);
        let gaps = String::from_utf8_lossy(&out.stdout);
        assert!(gaps.contains("\"incomplete\""), "{content}: {gaps}");
    }
}

#[test]
fn files_without_any_record_are_passed_over_and_said() {
    for (content, want) in [
        ("null\n", "the file says `null`"),
        ("[\n\n]\n", "the file is an empty array"),
        ("[[],[]]", "the file is an empty array"),
        (
            r#"{"@odata.context":"x","@odata.count":0}"#,
            "the answer has no records",
        ),
        (
            r#"[{"contentType":"Audit.Exchange","status":"enabled","webhook":null}]"#,
            "subscriptions of the Management API",
        ),
        (
            "\"Algorithm\",\"Hash\",\"Path\"\n\"SHA256\",\"AA\",\"C:\\x.csv\"\n",
            "a list of hashes",
        ),
        (
            "d41d8cd98f00b204e9800998ecf8427e  AuditLog.csv\n",
            "a list of hashes",
        ),
    ] {
        let read = read(&[
            ("by-file.txt", content),
            ("good.json", &record(1).to_string()),
        ]);
        assert_eq!(read.code, Some(0), "{content}: {}", read.said);
        assert!(read.said.contains(want), "{content}: {}", read.said);
        assert_eq!(read.audit(), [line(1)], "{content}");
        assert_eq!(read.rows("OtherRecords"), 0, "{content}");
    }
    let lengths = read(&[("AuditLog.csv", "\"Length\"\n\"345\"\n\"1024\"\n")]);
    assert_eq!(lengths.code, Some(10));
    assert!(
        lengths.said.contains("Export-Csv was given texts"),
        "{}",
        lengths.said
    );
}
