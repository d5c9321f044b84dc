//! Answers of KQL functions to arguments that are odd, through the command line.

use serde_json::{Value, json};

use crate::command_line::run;

/// The rows of an answer.
fn rows(query: &str) -> Value {
    let out = run(&["kql", "-f", "json", "--", query]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{query}: {said}");
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{query}: {e}"))
}

fn is(query: &str, row: Value) {
    assert_eq!(rows(query), Value::Array(vec![row]), "{query}");
}

#[test]
fn each_of_several_values_is_a_column_with_kustos_name() {
    is(
        "let a = dynamic([2, 1]); let b = dynamic(['x', 'y']); print array_sort_asc(a, b)",
        json!({"a_sorted": [1, 2], "b_sorted": ["y", "x"]}),
    );
    is(
        "print array_sort_desc(dynamic([1, 2]), dynamic([3]))",
        json!({"array0_sorted": [2, 1], "array1_sorted": null}),
    );
    is(
        "print a = dynamic([2, null, 1]), b = dynamic([1, 2, 3]) | project array_sort_asc(a, b, false)",
        json!({"a_sorted": [null, 1, 2], "b_sorted": [2, 3, 1]}),
    );
    is(
        "print a = dynamic([2, 1]), a_sorted = 5 | extend array_sort_asc(a)",
        json!({"a": [2, 1], "a_sorted": 5, "a_sorted1": [1, 2]}),
    );
    is(
        "print a = dynamic([2, 1]), b = dynamic([3, 4]) | project (x) = array_sort_asc(a, b)",
        json!({"x": [1, 2], "b_sorted": [4, 3]}),
    );
    is(
        "print x = 2, y = 1 | summarize array_sort_asc(pack_array(sum(x), sum(y))), array_sort_desc(make_list(x))",
        json!({"array0_sorted": [1, 2], "list_x_sorted": [2]}),
    );
    let stats = rows("let s = dynamic([1, 2, 3]); print series_stats(s)");
    let stats = stats[0].as_object().expect("a row");
    assert_eq!(stats.len(), 7);
    assert_eq!(stats["series_stats_s_max_idx"], json!(2));
}

#[test]
fn a_print_names_one_value_as_all_others_and_leaves_out_what_it_does_not_name() {
    is(
        "print 7, array_sort_asc(dynamic([2, 1]))",
        json!({"print_0": 7, "print_1": [1, 2]}),
    );
    is(
        "print x = array_sort_asc(dynamic([2, 1]), dynamic([3, 4]))",
        json!({"x": [1, 2]}),
    );
    is(
        "print (x, y) = array_sort_asc(dynamic([2, 1]), dynamic([3, 4])), z = array_sort_asc(dynamic([2, 1]), dynamic([3, 4]))[1]",
        json!({"x": [1, 2], "y": [4, 3], "z": [4, 3]}),
    );
    let out = run(&["kql", "print (x, y) = 1"]);
    assert_eq!(out.status.code(), Some(2));
    let out = run(&["kql", "print (x, y) = array_sort_asc(dynamic([1]))"]);
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn a_negative_timespan_is_formatted_with_its_sign() {
    is(
        "print a = format_timespan(-(1d + 2h + 3m + 4s + 567ms), 'd.hh:mm:ss.fff'), b = format_timespan(-30m, 'h:mm'), \
         c = format_timespan(totimespan('-10675199.02:48:05.4775808'), 'd hh.FFFFFFF'), d = format_timespan(49h, 'ddd.H'), \
         e = format_timespan(timespan(null), 'hh')",
        json!({"a": "-1.02:03:04.567", "b": "-0:30", "c": "-10675199 02.4775808", "d": "002.1", "e": ""}),
    );
}

#[test]
fn a_timespan_has_any_days_and_hours_minutes_and_seconds_in_their_ranges() {
    is(
        "print a = tostring(make_timespan(-1, 2, 0, 0)), b = tostring(make_timespan(10675199, 2, 48, 5)), c = make_timespan(10675200, 0, 0, 0), \
         d = make_timespan(24, 0), e = make_timespan(1, 60), f = make_timespan(1, 1, 60), g = make_timespan(-1, 0)",
        json!({"a": "-22:00:00", "b": "10675199.02:48:05", "c": null, "d": null, "e": null, "f": null, "g": null}),
    );
}

#[test]
fn a_day_whose_sunday_is_no_date_has_no_day_of_the_week() {
    is(
        "print a = dayofweek(datetime(0001-01-01)), b = dayofweek(datetime(0001-01-06 23:59:59)), \
         c = tostring(dayofweek(datetime(0001-01-07))), d = tostring(dayofweek(datetime(9999-12-31 23:59:59.9999999))), \
         e = startofweek(datetime(0001-01-06)), f = endofweek(datetime(9999-12-31))",
        json!({"a": null, "b": null, "c": "00:00:00", "d": "5.00:00:00", "e": null, "f": null}),
    );
}

#[test]
fn true_and_false_have_no_blanks_around_them_and_numbers_may() {
    is(
        "print a = tobool(' true'), b = tobool('FALSE'), c = tobool('true\\t'), d = tobool(' 1 '), e = toint(' 7 ')",
        json!({"a": null, "b": false, "c": null, "d": true, "e": 7}),
    );
}

#[test]
fn keys_without_an_array_of_values_have_null() {
    is(
        "print a = bag_zip(dynamic(['a', 8, 'b']), dynamic(1)), b = bag_zip(dynamic('a'), dynamic([1])), \
         c = bag_zip(dynamic(['a', 'b']), dynamic(null))",
        json!({"a": {"a": null, "b": null}, "b": null, "c": {"a": null, "b": null}}),
    );
}

#[test]
fn what_has_no_replacement_stays_in_the_text() {
    is(
        "print a = replace_strings('a cat', dynamic(null), dynamic(['x'])), b = replace_strings('a cat', dynamic(['cat']), dynamic('dog')), \
         c = replace_strings('a cat', dynamic(['a ', 'cat', '']), dynamic(['the ']))",
        json!({"a": "a cat", "b": "a cat", "c": "the cat"}),
    );
}

#[test]
fn the_path_of_an_address_keeps_its_slash() {
    is(
        "print a = parse_url('https://u:p@h.contoso.com:8443/a/b?x=1#f').Path, b = parse_url('https://h.contoso.com?x=/y').Path, \
         c = parse_url('https://h.contoso.com/').Path, d = parse_url('/a/b?x=1').Path, e = parse_url('https://[2001:db8::1]:8443/').Host",
        json!({"a": "/a/b", "b": "", "c": "/", "d": "/a/b", "e": "[2001:db8::1]"}),
    );
}

#[test]
fn the_letter_of_a_drive_is_no_file_with_a_stream() {
    let path = |parts: [&str; 7]| {
        let [scheme, root, directory, name, file, extension, stream] = parts;
        json!({"x": {
            "Scheme": scheme, "RootPath": root, "DirectoryPath": directory, "DirectoryName": name, "Filename": file,
            "Extension": extension, "AlternateDataStreamName": stream
        }})
    };
    is(
        "print x = parse_path('C:file.txt')",
        path(["", "C:", "C:", "", "file.txt", "txt", ""]),
    );
    is(
        "print x = parse_path('file:///C:/temp/x.tar.gz:s')",
        path(["file", "C:", "C:/temp", "temp", "x.tar.gz", "gz", "s"]),
    );
    is(
        r"print x = parse_path(@'\\host\share\temp\')",
        path(["", "", r"\\host\share\temp", "temp", "", "", ""]),
    );
    is(
        "print x = parse_path('/etc/.profile')",
        path(["", "", "/etc", "etc", ".profile", "profile", ""]),
    );
}

#[test]
fn what_no_column_has_is_the_opposite_of_what_some_column_has() {
    let table = "datatable(a:string, b:string, n:long)['xa', 'b', 1, 'B', 'c', 2, 'c', 'd', 30]";
    for (condition, kept) in [
        ("where * !contains 'x'", vec![2, 30]),
        ("where * !has 'b'", vec![30]),
        ("where * !has_cs 'b'", vec![2, 30]),
        ("where * !startswith 'c'", vec![1]),
        ("where * !endswith '0'", vec![1, 2]),
        ("where not(* has 'b')", vec![30]),
        ("search * !has 'b'", vec![30]),
        ("search * has_cs 'b'", vec![1]),
        ("search * !has 'b' and * has 'd'", vec![30]),
    ] {
        let query = format!("{table} | {condition} | project n | sort by n asc");
        let kept: Vec<Value> = kept.into_iter().map(|n| json!({ "n": n })).collect();
        assert_eq!(rows(&query), Value::Array(kept), "{query}");
    }
}

#[test]
fn of_equally_frequent_values_the_greatest_are_on_top() {
    assert_eq!(
        rows("datatable(g:string)['a', 'b', 'c', 'd'] | top-hitters 2 of g | sort by g asc"),
        json!([{"g": "c", "approximate_count_g": 1}, {"g": "d", "approximate_count_g": 1}])
    );
}

#[test]
fn a_client_that_is_not_known_is_not_said_to_be_another() {
    is(
        "print x = parse_user_agent('Contoso Sync/7.1', dynamic(['browser', 'os', 'device'])) \
         | project b = x.Browser.Family, o = x.OperatingSystem.Family, d = x.Device.Family, v = tostring(x.Browser.MajorVersion)",
        json!({"b": null, "o": null, "d": null, "v": ""}),
    );
    is(
        "print x = parse_user_agent('BAV2ROPC', 'browser').Browser.Family, y = parse_user_agent('curl/8.4.0', 'device').Device.Family",
        json!({"x": "Other", "y": "Other"}),
    );
}
