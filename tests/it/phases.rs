//! What a query needs first is run once and outside of its plan; rows that are made once are made once for all of it.

use crate::command_line::run;

/// The rows of an answer, without its header, in one line.
fn rows(query: &str) -> String {
    let out = run(&["kql", "-f", "csv", query]);
    let errors = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{query}: {errors}");
    let all = String::from_utf8_lossy(&out.stdout).into_owned();
    let rows: Vec<&str> = all.lines().skip(1).collect();
    rows.join(" ")
}

#[test]
fn phases_that_stand_on_one_another_are_run_in_their_order() {
    let query = "let a = toscalar(range x from 1 to 3 step 1 | count); \
                 let b = toscalar(range x from 1 to a step 1 | summarize sum(x)); \
                 range y from 1 to 9 step 1 \
                 | where y in (range z from a to b step 1 | where z in (range w from 4 to 5 step 1)) \
                     and y in (range v from 1 to 4 step 1) \
                 | project y";
    assert_eq!(rows(query), "4");
}

#[test]
fn rows_that_are_made_once_are_the_same_for_a_phase_and_the_query() {
    let query = "let T = materialize(range x from 1 to 5 step 1 | extend r = rand()); \
                 let top = toscalar(T | summarize max(r)); T | where r == top | count";
    assert_eq!(rows(query), "1");
    let query = "let T = materialize(range x from 1 to 3 step 1 | extend r = new_guid()); \
                 T | join kind=inner T on r | count";
    assert_eq!(rows(query), "3");
}

#[test]
fn what_is_random_is_drawn_once_for_a_phase_and_the_query() {
    let query = "let r = rand(); let a = toscalar(print r); print n = iff(a == r, 1, 0)";
    assert_eq!(rows(query), "1");
}

#[test]
fn each_part_of_a_partition_has_phases_of_its_own() {
    let query = "range y from 1 to 4 step 1 | extend g = y % 2 \
                 | partition by g (extend d = bag_pack('a', y) | project d | evaluate bag_unpack(d) : (a: long)) \
                 | summarize s = sum(a)";
    assert_eq!(rows(query), "10");
    let query = "range y from 1 to 4 step 1 | extend g = y % 2 \
                 | partition by g (sort by y asc | extend p = prev(y)) | summarize s = sum(p)";
    assert_eq!(rows(query), "3");
}

#[test]
fn a_part_that_lost_its_rows_has_the_aggregates_of_none() {
    let query = "range x from 1 to 3 step 1 | extend a = iff(x == 2, dynamic([7, 8]), dynamic([1, 2])) \
                 | mv-apply a to typeof(long) on \
                     (where a > 5 | summarize n = count(), l = make_list(a), m = max(a), s = countif(a > 7)) \
                 | project x, n, l, m, s";
    assert_eq!(rows(query), "1,0,[],,0 2,2,\"[7,8]\",8,1 3,0,[],,0");
}

#[test]
fn rows_that_go_through_several_operators_stay_in_their_order() {
    let query = "range x from 1 to 4 step 1 | serialize | extend p = prev(x) | extend q = next(p) \
                 | scan with (step s: x > 1;) | extend n = row_number() | project x, p, q, n";
    assert_eq!(rows(query), "2,1,2,1 3,2,3,2 4,3,,3");
}

#[test]
fn an_explanation_names_rows_that_are_made_and_does_not_make_them() {
    let query = "let T = materialize(range x from 1 to 3 step 1); \
                 T | sort by x asc | scan with (step s: x > 1;)";
    let out = run(&["kql", "--explain", query]);
    let said = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{said}");
    let words: Vec<&str> = said.split_whitespace().collect();
    let said = words.join(" ");
    for part in [
        "materialize is these rows, worked out once however often they are read",
        "scan goes through these rows, one after the other",
        "FROM \"scan\"",
        "Made: scan [x_",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
