//! Order, parts and extremes: queries whose answer follows from their text.

use super::{surroundings, whole};

#[test]
fn rows_keep_the_order_that_was_asked_for() {
    for (query, answer) in [
        (
            "datatable(x:long,a:dynamic)[1,dynamic([1,2]),3,dynamic([1,2]),2,dynamic([1,2])] | sort by x desc | mv-expand a | project x",
            "x; 3; 3; 2; 2; 1; 1",
        ),
        (
            "range x from 1 to 100000 step 1 | sort by x desc | project x, y = strcat('a', x) | serialize r = row_number() | where r != 100001 - x | count",
            "Count; 0",
        ),
        (
            "range x from 1 to 100000 step 1 | sort by x desc | extend y = strcat('a', x) | extend p = prev(x) | where isnotnull(p) and p != x + 1 | count",
            "Count; 0",
        ),
        (
            "range x from 1 to 200000 step 1 | sort by x desc | where x % 3 == 0 | extend y = strcat('a', tostring(x)) | take 2",
            "x, y; 199998, a199998; 199995, a199995",
        ),
        (
            "range x from 1 to 100000 step 1 | sort by x asc | extend y = x % 7 | summarize l = make_list(x, 100000) | project l[0], l[50000], l[99999]",
            "l_0, l_50000, l_99999; 1, 50001, 100000",
        ),
        (
            "range x from 1 to 3 step 1 | extend a = dynamic([3,1,2]) | mv-apply y = a to typeof(long) on (order by y asc) | summarize make_list(y) by x | sort by x asc",
            "x, list_y; 1, [1,2,3]; 2, [1,2,3]; 3, [1,2,3]",
        ),
    ] {
        check(query, answer);
    }
}

#[test]
fn parts_are_kept_apart() {
    for (query, answer) in [
        (
            "datatable(a:long,b:dynamic)[1,dynamic([1,2,3]),2,dynamic([4,5])] | mv-apply b to typeof(long) on (order by b desc | take 1)",
            "a, b; 1, 3; 2, 5",
        ),
        (
            "datatable(a:long,b:long)[1,5,2,6,1,7] | partition by a (order by b desc | take 1) | sort by a asc",
            "a, b; 1, 7; 2, 6",
        ),
        (
            "datatable(a:string,b:dynamic)['q',dynamic(['z','y']),'r',dynamic(['z','w'])] | mv-apply x = b to typeof(string) on (where * has '2' | summarize count())",
            "a, b, count_; q, [\"z\",\"y\"], 0; r, [\"z\",\"w\"], 0",
        ),
        (
            "datatable(a:long,b:dynamic)[1,dynamic([7])] | mv-apply x = b on (extend p = pack_all() | top 1 by tolong(x)) | project p",
            "p; {\"a\":1,\"b\":[7],\"x\":7}",
        ),
        // An array that was taken apart is gone where the query dropped it.
        (
            "print k = 1, d = dynamic([1,2,3]) | mv-apply d to typeof(long) on (summarize s = sum(d))",
            "k, s; 1, 6",
        ),
        // An empty array has no part.
        (
            "datatable(id:long,d:dynamic)[1,dynamic([])] | mv-apply x = d to typeof(long) on (summarize c = count(), s = sum(x)) | count",
            "Count; 0",
        ),
        (
            "datatable(id:long,d:dynamic)[1,dynamic([1])] | mv-apply x = d to typeof(long) on (where x > 5 | summarize c = count(), l = make_list(x))",
            "id, d, c, l; 1, [1], 0, []",
        ),
    ] {
        check(query, answer);
    }
}

#[test]
fn names_are_those_where_they_stand() {
    for (query, answer) in [
        (
            "let y = 1; let f = () { print a = y }; let g = (y:long) { f() }; g(5)",
            "a; 1",
        ),
        (
            "let f = (a:long) { let g = (b:long) { b * a }; print x = g(3) }; f(2)",
            "x; 6",
        ),
        (
            "union withsource=s (datatable(a:long)[1] | as X), (datatable(a:long)[2] | union withsource=s2 (print a=3)) | sort by a asc",
            "s, a, s2; X, 1, ; union_arg1, 2, union_arg0; union_arg1, 3, union_arg1",
        ),
    ] {
        check(query, answer);
    }
}

#[test]
fn extremes_are_answered_or_refused() {
    for (query, answer) in [
        (
            "range v from 1 to 10 step 1 | summarize -percentile(v, 50), r = round(percentile(v, 90), 1), percentile(v, 20)",
            "Column1, r, percentile_v_20; -5, 9, 2",
        ),
        (
            "datatable(k:long, v:string)[1, 'a', 2, 'b'] | summarize s = strcat(take_any(v), '!') by k | sort by k asc",
            "k, s; 1, a!; 2, b!",
        ),
        ("range x from 1 to 3 step 1 | top 0 by x", "x"),
        (
            "range x from 1 to 3 step 1 | top-hitters 0 of x | count",
            "Count; 0",
        ),
        (
            "datatable(x:real)[real(nan),1.5,real(null),real(-inf)] | sort by x asc",
            "x; ; NaN; -Infinity; 1.5",
        ),
        (
            "datatable(t:datetime)[datetime(2024-01-01T00:00:00.0015), datetime(2024-01-01T00:00:00.003)] \
             | make-series n = count() on t from datetime(2024-01-01T00:00:00.001) to datetime(2024-01-01T00:00:00.005) step 1ms | project n",
            "n; [1,0,1,0]",
        ),
        (
            "datatable(t:real)[real(nan)] | make-series n = count() on t step 1 | count",
            "Count; 0",
        ),
        (
            "range x from 1 to 2 step 1 | make-series n = count() on x step 0.5 | project x",
            "x; [1.0,1.5,2.0]",
        ),
    ] {
        check(query, answer);
    }
    for (query, why) in [
        (
            "range x from 9223372036854775807 to long(-9223372036854775807)-1 step -1",
            "too many",
        ),
        (
            "print x = 1 | make-series count() on x in range(0.0, 1e300, 1.0)",
            "steps",
        ),
        ("print a = 1, a = 2", "two columns"),
        ("let Foo = Foo | take 1; print 1", "no table `Foo`"),
        ("let nocol = nocol; print 1", "`nocol`"),
    ] {
        let said = answer(query);
        assert!(
            said.starts_with("refused") && said.contains(why),
            "{query}: {said}"
        );
    }
}

fn answer(query: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let (session, options) = surroundings(folder.path());
    // What an output is made of is planned too.
    match session.kql_plan(query, &options) {
        Ok(_) => whole(&session, query, &options),
        Err(e) => format!("refused: {e}"),
    }
}

fn check(query: &str, expected: &str) {
    assert_eq!(answer(query), expected, "{query}");
}
