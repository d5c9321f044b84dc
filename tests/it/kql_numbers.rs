//! Numbers of KQL: exact decimals, the text of reals, conversions that overflow, and types of what is null.

use serde_json::Value;

use crate::command_line::run;

/// Rows of the answer, cells joined by `|`.
fn rows(query: &str) -> Vec<String> {
    let out = run(&["kql", query, "-f", "json"]);
    let told = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{query}: {told}");
    let rows: Vec<Value> = serde_json::from_slice(&out.stdout).expect("JSON");
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let row = |row: &Value| {
        let cells = row.as_object().expect("a row").values().map(cell);
        cells.collect::<Vec<_>>().join("|")
    };
    rows.iter().map(row).collect()
}

fn is(query: &str, wanted: &[&str]) {
    assert_eq!(rows(query), wanted, "{query}");
}

#[test]
fn decimals_are_exact() {
    is(
        "print decimal(0.1) + decimal(0.2) == decimal(0.3), decimal(12345678901234567890.12), decimal(1) / 3, decimal(0.1) * 3,
         todecimal('1e-20'), gettype(decimal(1)), decimal(7) % 3, decimal(-7) % 3, -decimal(0.1), 0.1 + decimal(0.2), 1 - decimal(0.2)",
        &[
            "true|12345678901234567890.12|0.3333333333333333333333333333333333|0.3|0.00000000000000000001|decimal|1|2|-0.1|0.3|0.8",
        ],
    );
    is(
        "print decimal(0.3) == 0.3, decimal(0.3) == 0.1 + 0.2, decimal(2) > 1, decimal(0.10000000000000000001) > 0.1,
         decimal(1) in (1, 2), decimal(0.30) between (0.2 .. 0.3), decimal(0.3) == '0.3', decimal(1) < real(nan),
         tostring(pack_array(decimal(0.1), decimal(12345678901234567890.12)))",
        &[
            r#"true|false|true|true|true|true|true|false|["0.1","12345678901234567890.12"]"#,
        ],
    );
}

#[test]
fn columns_of_decimals_are_sorted_grouped_and_joined_by_all_their_digits() {
    is(
        "datatable(d:decimal)[decimal(2.5), decimal(12345678901234567890.13), decimal(null), decimal(12345678901234567890.12), decimal(-1)]
         | sort by d asc",
        &[
            "null",
            "-1",
            "2.5",
            "12345678901234567890.12",
            "12345678901234567890.13",
        ],
    );
    is(
        "datatable(d:decimal)[decimal(1.0), decimal(1), decimal(1.00000000000000000001)] | summarize n = count() by d | sort by n desc",
        &["1|2", "1.00000000000000000001|1"],
    );
    is(
        "datatable(d:decimal, a:string)[decimal(12345678901234567890.12), 'x', decimal(12345678901234567890.13), 'y']
         | join kind=inner (datatable(d:decimal, b:string)[decimal(12345678901234567890.120), 'z']) on d | project d, a, b",
        &["12345678901234567890.12|x|z"],
    );
    is(
        "datatable(d:decimal)[decimal(0.1), decimal(0.2), decimal(12345678901234567890.12)]
         | where d in (decimal(0.2), decimal(12345678901234567890.12)) | distinct d | top 1 by d",
        &["12345678901234567890.12"],
    );
    is(
        "range x from decimal(0.1) to 0.5 step decimal(0.2)",
        &["0.1", "0.3", "0.5"],
    );
    is(
        "datatable(d:decimal)[decimal(0.1), decimal(0.2), decimal(0.3)] | sort by d asc | extend s = row_cumsum(d), p = prev(d)",
        &["0.1|0.1|null", "0.2|0.3|0.1", "0.3|0.6|0.2"],
    );
}

#[test]
fn aggregates_of_decimals_are_exact() {
    is(
        "datatable(d:decimal)[decimal(0.1), decimal(0.2), decimal(0.3), decimal(null)]
         | summarize s = sum(d), a = avg(d), least = min(d), most = max(d), dcount(d), p = percentile(d, 50), l = make_list(d), i = sumif(d, d > 0.1)
         | extend p = tostring(p), l = tostring(l)",
        &[r#"0.6|0.2|0.1|0.3|3|0.2|["0.1","0.2","0.3"]|0.5"#],
    );
    is(
        "datatable(k:long, d:decimal)[1, decimal(12345678901234567890.12), 1, decimal(0.01), 2, decimal(1)]
         | summarize sum(d), arg_max(d, k) by k | project k, sum_d, d | sort by k asc",
        &["1|12345678901234567890.13|12345678901234567890.12", "2|1|1"],
    );
}

#[test]
fn functions_of_decimals_give_decimals() {
    is(
        "print bin(decimal(7.35), decimal(0.1)), bin(decimal(7.35), 2), bin_at(decimal(6.5), 2.5, 7), floor(decimal(-1.5), 1),
         round(decimal(2.345), 2), round(decimal(1250), -2), ceiling(decimal(1.2)), abs(decimal(-0.1)), tostring(sign(decimal(-3))),
         tolong(decimal(9.99)), tostring(toreal(decimal(1.5))), todecimal(1d), 1d * decimal(0.5), 1d / decimal(0.5)",
        &[
            "7.3|6|4.5|-2|2.35|1300|2|0.1|-1.0|9|1.5|864000000000|12:00:00|2.00:00:00",
        ],
    );
}

#[test]
fn what_is_no_decimal_is_null_and_no_wrong_number() {
    is(
        "print isnull(decimal(9e37) + decimal(9e37)), isnull(decimal(1) / 0), isnull(decimal(1) % 0), isnull(todecimal('1e40')),
         isnull(todecimal('1e-40')), isnull(todecimal(real(nan))), isnull(todecimal('1.2.3')), isnull(todecimal(1e300))",
        &["true|true|true|true|true|true|true|true"],
    );
    let out = run(&["kql", "print decimal(1e40)"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("this is no decimal"));
}

#[test]
fn reals_are_printed_with_15_digits_or_17() {
    is(
        "print tostring(0.1 + 0.2), tostring(1.0 / 3), strcat('', 2.0 / 3), tostring(pi()), tostring(1.1), tostring(1e21), tostring(1e-7),
         tostring(100000000000000000.0), tostring(0.0001), tostring(0.00001), tostring(1234567890123456.0), tostring(-0.0)",
        &[
            "0.30000000000000004|0.33333333333333331|0.66666666666666663|3.1415926535897931|1.1|1e+21|1e-07|1e+17|0.0001|1e-05|1234567890123456.0|-0.0",
        ],
    );
    is(
        "print tostring(real(nan)), tostring(1.0 / 0), tostring(-1.0 / 0), tostring(dynamic([0.1, 3.14159265358979312])),
         tostring(bag_pack('x', 1.0 / 3))",
        &[
            r#"NaN|Infinity|-Infinity|[0.1,3.1415926535897931]|{"x":0.33333333333333331}"#,
        ],
    );
}

#[test]
fn a_null_has_the_type_of_its_expression() {
    is(
        "print gettype(int(null)), gettype(long(null)), gettype(real(null)), gettype(decimal(null)), gettype(bool(null)),
         gettype(datetime(null)), gettype(timespan(null)), gettype(guid(null)), gettype(dynamic(null)), gettype(toint('x')), gettype('')",
        &["int|long|real|decimal|bool|datetime|timespan|guid|null|int|string"],
    );
    is(
        "datatable(x:long, d:dynamic)[long(null), dynamic(null)] | extend a = gettype(x), b = gettype(d), c = gettype(x + 1.5)",
        &["null|null|long|null|real"],
    );
}

#[test]
fn conversions_out_of_range_wrap_or_are_held_or_null() {
    is(
        "print toint(2147483648), toint(2147483648.0), toint(3e9), toint('2147483648'), tolong(1e19), tolong(real(nan)), tolong(1.0 / 0),
         tolong('9223372036854775808'), todatetime(3155378976000000000), todatetime(1e30), totimespan(1e30), toint(decimal(3000000000)),
         tolong(-9.99), toint(1h)",
        &[
            "-2147483648|2147483647|2147483647|null|9223372036854775807|null|9223372036854775807|null|null|null|10675199.02:48:05.4775807|null|-9|1640261632",
        ],
    );
}

#[test]
fn aggregates_of_nothing() {
    is(
        "datatable(x:long, d:decimal)[] | summarize a = tostring(avg(x)), f = tostring(avgif(x, true)), s = tostring(sum(d)),
         m = isnull(max(d)), p = isnull(percentile(x, 50)), v = tostring(stdev(x)), e = isnull(avg(d))",
        &["NaN|NaN|0|true|true|0.0|true"],
    );
    is(
        "datatable(g:string, x:long)['a', long(null), 'b', 1] | summarize a = tostring(avg(x)), f = tostring(avgif(x, x > 5)), s = sum(x) by g
         | sort by g asc",
        &["a|NaN|NaN|0", "b|1.0|NaN|1"],
    );
}
