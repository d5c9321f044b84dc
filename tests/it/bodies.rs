//! Functions over columns, as a user of `coldtrail kql` meets them.

use crate::command_line::run;

fn answer(arguments: &[&str]) -> String {
    let all: Vec<&str> = ["kql"].iter().chain(arguments).copied().collect();
    let out = run(&all);
    let (said, told) = (
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr),
    );
    assert_eq!(out.status.code(), Some(0), "{arguments:?}: {told}");
    said.into_owned()
}

/// A text is taken apart once, however many columns are made of it, and an expression that stands twice is worked out once.
#[test]
fn what_is_the_same_is_worked_out_once() {
    let count = |query: &str, name: &str| {
        let said = answer(&["--explain", query]);
        let plan = said.split("-- Plan").nth(1).unwrap_or_default();
        let plan = plan.split("-- Execution").next().unwrap_or_default();
        plan.matches(name).count()
    };
    let rows = "datatable(s: string)['a=1;b=2', 'a=3;b=4', 'x']";
    let taken = format!("{rows} | parse s with 'a=' a:long ';b=' b:long | project a, b, n = a + b");
    assert_eq!(count(&taken, "kql_parse("), 1);
    let twice = format!(
        "{rows} | project p = strcat(tostring(parse_urlquery(s)), '1'), q = strcat(tostring(parse_urlquery(s)), '2')"
    );
    assert_eq!(count(&twice, "kql_tostring("), 1);
}

/// Constants are folded before a plan is made: these are columns.
#[test]
fn functions_of_columns_answer_as_those_of_constants() {
    let query = "datatable(s: string, n: long, r: real, t: datetime, d: dynamic)[ \
        'Ünï a-B', 7, 1.5, datetime(2026-03-29 01:30:00.5), dynamic({'x': 'A-b', 'n': '12', 't': '2026-01-02'}), \
        '', long(null), real(nan), datetime(null), dynamic(null)] \
        | project a = toupper(s), b = strcat(s, '|', n, '|', r, '|', t), c = tostring(split(s, '-')[1]), \
        e = split(d.x, '-')[-1], f = toint(d.n) + 1, g = startofmonth(t), h = datetime_diff('day', t, todatetime(d.t)), \
        i = coalesce(s, tostring(d.x), 'none'), j = r > n, k = r between (1 .. 2), l = -n, m = iff(n > 5, n, r), \
        o = replace_regex(s, '[a-z]', '*'), p = trim('[^a-z]+', s), q = format_datetime(t, 'yyyy-MM'), \
        u = strlen(s), v = hourofday(t), w = d.x =~ s, x = r == n, y = substring(s, 1, 3), z = indexof(s, 'a')";
    let said = answer(&["-f", "csv", query]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    let cells: Vec<Vec<&str>> = lines.iter().map(|line| line.split(',').collect()).collect();
    let cell = |row: usize, name: &str| {
        let at = cells[0].iter().position(|known| *known == name);
        cells[row][at.expect("a column")]
    };
    assert_eq!(cell(1, "a"), "ÜNÏ A-B");
    assert_eq!(cell(1, "c"), "B");
    assert_eq!(cell(1, "f"), "13");
    assert_eq!(cell(1, "h"), "86");
    assert_eq!(cell(1, "o"), "Ü*ï *-B");
    assert_eq!(cell(1, "p"), "n\u{ef} a");
    assert_eq!(cell(1, "q"), "2026-03");
    assert_eq!(cell(1, "u"), "7");
    assert_eq!(cell(1, "v"), "1");
    assert_eq!(cell(1, "y"), "nï ");
    assert_eq!(cell(1, "z"), "4");
    assert_eq!(cell(2, "i"), "none");
    assert_eq!(cell(2, "u"), "0");
    assert_eq!(cell(2, "v"), "");
    assert_eq!(cell(2, "z"), "-1");
}

/// Calls that are written alike are worked out once, but for those that give another value each time.
#[test]
fn each_call_of_what_is_random_has_a_value_of_its_own() {
    let query = "range n from 1 to 50 step 1 | extend a = pack_array(tostring(new_guid()), tostring(new_guid())), b = new_guid(), c = new_guid() \
        | summarize same = countif(tostring(a[0]) == tostring(a[1])), equal = countif(b == c), all = dcount(b)";
    let said = answer(&["-f", "csv", query]);
    assert_eq!(said.lines().nth(1), Some("0,0,50"), "{said}");
}
