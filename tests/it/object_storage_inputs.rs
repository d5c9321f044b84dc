//! Exports that lie in object storage.

use crate::object_storage::Server;

#[test]
fn a_bucket_that_is_not_there_is_an_error_of_the_machine() {
    let Some(server) = Server::start() else {
        return;
    };
    server.put("exports/a b%.json", b"{}");
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let out = server.run(&[
        "ingest",
        "s3://nowhere/exports/",
        "-a",
        &archive.to_string_lossy(),
    ]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(3), "{said}");
    assert!(said.contains("s3://nowhere"), "{said}");
}
