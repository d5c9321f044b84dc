use arrow::array::StringArray;

use super::*;

#[test]
fn columns_of_few_bytes_are_small_however_many_nulls_they_have() {
    let rows = |column: StringArray| {
        let column = Arc::new(column) as ArrayRef;
        RecordBatch::try_from_iter_with_nullable([("a", column, true)]).expect("a batch")
    };
    let text = "x".repeat(SMALL_COLUMN);
    let few = rows(StringArray::from(vec![Some("x"); 10]));
    let none = rows(StringArray::from(vec![None::<&str>; SMALL_COLUMN]));
    let long = rows(StringArray::from(vec![text.as_str()]));
    let bytes = |batches: &[&RecordBatch]| -> usize {
        let columns = batches.iter().map(|batch| batch.column(0));
        columns.map(plain_bytes).sum()
    };
    assert_eq!(bytes(&[&none]), 0);
    assert!(bytes(&[&few, &none]) < SMALL_COLUMN);
    assert!(bytes(&[&few, &none, &long]) >= SMALL_COLUMN);
}

#[test]
fn only_whole_names_of_our_own_are_ours() {
    for own in [
        name(7, 3),
        merged_name(2),
        "part-000009-00003.parquet".into(),
        "merged-000001.parquet".into(),
    ] {
        assert!(is_own(&own), "{own}");
    }
    assert_eq!(batch_of(&name(7, 3)), Some(7));
    for other in [
        // Spark, Fabric and delta-rs.
        "part-00000-3b1b7d2c-5a0e-4d4b-9c5e-0d7c1f6f0a11-c000.zstd.parquet",
        "part-00000-3b1b7d2c.parquet",
        "part-00001.parquet",
        "ct-1-2.parquet.part",
        "ct--1-2.parquet",
        "ct-+1-2.parquet",
        "ct-merged-.parquet",
        "data_0.parquet",
    ] {
        assert!(!is_own(other), "{other}");
    }
}
