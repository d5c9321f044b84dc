//! Rules of Sigma and what becomes of them, as a whole.

use proptest::prelude::*;

use super::*;

/// What becomes of the rules of a text.
fn converted(text: &str) -> Vec<Converted> {
    let mut collection = Collection::default();
    collection.add("rules.yml", text).expect("it is YAML");
    collection.convert()
}

/// The query of a rule over audit records with this detection.
fn query(detection: &str) -> String {
    of("m365", "audit", detection).map_or_else(|e| format!("refused: {e}"), |c| c.text)
}

fn of(product: &str, service: &str, detection: &str) -> Result<Conversion, Refusal> {
    let indented = detection.replace('\n', "\n  ");
    let text = format!(
        "title: Test\nlogsource:\n  product: {product}\n  service: {service}\ndetection:\n  {indented}\n"
    );
    let mut all = converted(&text);
    assert_eq!(all.len(), 1);
    all.swap_remove(0).query
}

#[test]
fn an_alert_is_found_by_what_it_is_called_in_the_audit_log() {
    let text = query(
        "selection:\n  eventSource: SecurityComplianceCenter\n  eventName: 'Odd travel'\n  status: success\ncondition: selection",
    );
    assert_eq!(
        text,
        "UnifiedAuditLog
| where Workload =~ \"SecurityComplianceCenter\"
| where Operation =~ \"Odd travel\"
    or iff(Operation startswith \"Alert\", tostring(AuditData.Name), \"\") =~ \"Odd travel\"
| where ResultStatus in~ (\"success\", \"Succeeded\", \"True\", \"PartiallySucceeded\")"
    );
}

#[test]
fn conditions_of_searches_become_one_condition() {
    let text = query(
        "sel_a:\n  Operation|contains: [add, new]\nsel_b:\n  - UserId: ada@contoso.com\n  - ObjectId|endswith: '.pst'\nfilter_main:\n  Workload: Exchange\ncondition: all of sel_* and not 1 of filter_*",
    );
    assert_eq!(
        text,
        "UnifiedAuditLog
| where Operation contains \"add\"
    or Operation contains \"new\"
| where UserId =~ \"ada@contoso.com\"
    or ObjectId endswith \".pst\"
| where not(Workload =~ \"Exchange\")"
    );
    let text = query("a: {UserId: x}\nb: {UserId: y}\nc: {UserId: z}\ncondition: 2 of them");
    assert!(text.contains("(iff(UserId =~ \"x\", 1, 0) + iff(UserId =~ \"y\", 1, 0) + "));
    assert!(text.ends_with(") >= 2"), "{text}");
}

#[test]
fn every_modifier_has_its_operator() {
    let shown = |field: &str| {
        let text = query(&format!("s:\n  {field}\ncondition: s"));
        let where_it_is = text.strip_prefix("UnifiedAuditLog\n| where ");
        where_it_is.unwrap_or(&text).to_string()
    };
    assert_eq!(shown("UserId: [a, b]"), "UserId in~ (\"a\", \"b\")");
    assert_eq!(shown("UserId|cased: a"), "UserId == \"a\"");
    assert_eq!(
        shown("UserId|contains|cased: a"),
        "UserId contains_cs \"a\""
    );
    assert_eq!(
        shown("UserId|contains|all: [a, b]"),
        "UserId contains \"a\"\n| where UserId contains \"b\""
    );
    assert_eq!(
        shown("UserId|neq: [a, b]"),
        "not(UserId in~ (\"a\", \"b\"))"
    );
    assert_eq!(
        shown("UserId|re|i: '^a.*z$'"),
        "UserId matches regex \"(?i)^a.*z$\""
    );
    assert_eq!(
        shown("OperationCount: [16.0, 7]"),
        "OperationCount in~ (\"16.0\", \"7\")"
    );
    assert_eq!(shown("UserId: null"), "isempty(UserId)");
    assert_eq!(shown("UserId|exists: false"), "not(isnotempty(UserId))");
    // A value that is called so is no field.
    let exists = shown("Nothing|exists: true");
    let (path, item) = exists.split_once("\n    or ").expect("two places");
    assert_eq!(path, "isnotnull(AuditData.Nothing)");
    let named =
        r#"tostring(AuditData) matches regex @"(?i:""(?:Name|displayName|key)""\s*:\s*""Nothing"""#;
    assert!(item.starts_with(named), "{item}");
    assert_eq!(
        shown("IPAddress|cidr: 192.0.2.0/24"),
        "coalesce(ipv4_is_in_range(ClientIP, \"192.0.2.0/24\"), false)\n    or coalesce(ipv4_is_in_range(IPAddress, \"192.0.2.0/24\"), false)"
    );
    assert_eq!(
        shown("OperationCount|gte: 5"),
        "coalesce(toreal(OperationCount) >= 5, false)"
    );
    assert_eq!(
        shown("TimeGenerated|hour: 3"),
        "coalesce(datetime_part(\"hour\", todatetime(tostring(TimeGenerated))) == 3, false)"
    );
    assert_eq!(
        shown("UserId|fieldref: MailboxOwnerUPN"),
        "(isnotempty(MailboxOwnerUPN) and UserId =~ MailboxOwnerUPN)"
    );
    assert_eq!(shown("UserId|base64: ab"), "UserId =~ \"YWI=\"");
    assert_eq!(
        shown("UserId|wide|base64offset|contains: ab"),
        "UserId contains \"YQBiA\"\n    or UserId contains \"EAYg\"\n    or UserId contains \"hAGIA\""
    );
    assert_eq!(
        shown("UserId|windash|contains: ' -x'"),
        "UserId matches regex \"(?is) [-/–—―]x\""
    );
}

#[test]
fn words_are_searched_for_in_the_whole_record() {
    let text = query("words:\n  - inbox\n  - 'for?ward'\ncondition: words");
    for part in [
        "UnifiedAuditLog\n| where tostring(AuditData) contains \"inbox\"\n    or (isempty(tostring(AuditData)) and (* contains \"inbox\"\n    or Parameters contains \"inbox\"",
        "\n    or tostring(AuditData) matches regex \"(?is)for.ward\"\n    or (isempty(tostring(AuditData)) and (* matches regex \"(?is)for.ward\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = query("words:\n  '|all': [a, b]\ncondition: words");
    for word in ["a", "b"] {
        let filter = format!("\n| where tostring(AuditData) contains \"{word}\"\n");
        assert!(text.contains(&filter), "{text}");
    }
    // Tables without a record are searched column by column.
    let signins = of("azure", "signinlogs", "words: ['C:\\x']\ncondition: words");
    assert_eq!(
        signins.expect("it can be converted").text,
        "SigninLogs\n| where * contains @\"C:\\x\"\n    or * matches regex @\"(?is)C:(?:\\\\\\\\){1,2}x\""
    );
}

#[test]
fn placeholders_are_watchlists() {
    let detection = "s:\n  UserId|expand: '%Admins%'\nt:\n  UserId|endswith|expand: '@%Our Domains%'\nu:\n  UserId|endswith|expand: '@%Domains%'\ncondition: s or u";
    let conversion = of("m365", "audit", detection).expect("it can be converted");
    assert_eq!(conversion.watchlists, ["Admins", "Domains"]);
    assert_eq!(conversion.unused_searches, ["t"]);
    assert_eq!(
        conversion.text,
        "let List_Admins = _GetWatchlist(\"Admins\") | project SearchKey;
let Pattern_Domains = toscalar(_GetWatchlist(\"Domains\") | where isnotempty(SearchKey) | summarize strcat_array(make_list(regex_quote(SearchKey)), \"|\"));
UnifiedAuditLog
| where UserId in~ (List_Admins)
    or (isnotempty(Pattern_Domains) and UserId matches regex strcat(\"(?is)@(?:\", Pattern_Domains, \")$\"))"
    );
    let of = |values: &str| {
        let detection = format!("s:\n  UserId|expand: {values}\ncondition: s");
        of("m365", "audit", &detection)
    };
    let mixed = of("['%Admins%', 'ada']").expect("it can be converted").text;
    let either = "| where UserId in~ (List_Admins)\n    or UserId =~ \"ada\"";
    assert!(mixed.ends_with(either), "{mixed}");
    let none = of("['bob', 'ada']").expect_err("no list");
    assert!(none.message.contains("`%name%`"), "{none}");
}

#[test]
fn a_field_that_a_table_does_not_have_is_said_by_name() {
    let refused = of("azure", "signinlogs", "s: {AppDisplayNme: x}\ncondition: s");
    let refused = refused.expect_err("there is no such field");
    assert_eq!(refused.message, "`SigninLogs` has no field `AppDisplayNme`");
    let hint = refused.hint.unwrap_or_default();
    assert!(hint.starts_with("did you mean `AppDisplayName`"), "{hint}");
    assert_eq!((refused.at.line, refused.at.column), (6, 22));
    let conversion = of(
        "m365",
        "audit",
        "s: {DeliveryAction: Blocked}\ncondition: s",
    );
    let conversion = conversion.expect("it is a path of the record");
    assert_eq!(conversion.record_paths, ["DeliveryAction"]);
}

#[test]
fn a_condition_that_asks_for_a_long_list_again_and_again_is_refused() {
    let values: Vec<String> = (0..2000).map(|n| format!("operation{n:05}")).collect();
    let asked = |times| {
        let condition = vec!["s"; times].join(" or ");
        let list = values.join(", ");
        query(&format!(
            "s: {{Operation: [{list}]}}\ncondition: {condition}"
        ))
    };
    assert!(asked(2).starts_with("UnifiedAuditLog\n| where Operation in~ ("));
    let refused = asked(200);
    assert!(refused.contains("too long a query"), "{refused}");
}

/// Two rules and a correlation of them.
fn correlated(correlation: &str) -> Vec<Converted> {
    converted(&format!(
        "title: C\nid: c\ncorrelation: {correlation}\n---\ntitle: A\nid: a-id\nname: a\nlogsource: {{product: m365, service: audit}}\ndetection: {{s: {{Operation: A}}, condition: s}}\n---\ntitle: B\nname: b\nlogsource: {{product: azure, service: signinlogs}}\ndetection: {{s: {{ResultType: 0}}, condition: s}}\n"
    ))
}

#[test]
fn rules_that_a_correlation_counts_have_no_query_of_their_own() {
    let ids = |correlation: &str| -> Vec<String> {
        let all = correlated(correlation);
        all.into_iter().map(|c| c.about.id).collect()
    };
    assert_eq!(ids("{type: temporal, rules: [a, b], timespan: 5m}"), ["c"]);
    assert_eq!(
        ids("{type: temporal, rules: [a-id, b], timespan: 5m, generate: true}"),
        ["c", "a-id", "b"]
    );
    let all = correlated("{type: temporal, rules: [c, nobody], timespan: 5m}");
    let refused = all[0].query.as_ref().expect_err("it counts itself");
    assert!(refused.message.contains("refer to each other"), "{refused}");
    let many = ["a"; 300].join(", ");
    let all = correlated(&format!(
        "{{type: temporal, rules: [{many}], timespan: 5m}}"
    ));
    let refused = all[0].query.as_ref().expect_err("it counts 300");
    assert!(refused.message.contains("at most 200 rules"), "{refused}");
    let all = correlated("{type: temporal, rules: [nobody], timespan: 5m}");
    let refused = all[0].query.as_ref().expect_err("there is no such rule");
    assert_eq!(refused.message, "no rule has the id or name `nobody`");
}

#[test]
fn a_rule_that_a_correlation_counts_has_a_query_where_it_is_asked_for() {
    let text = "title: C\ncorrelation: {type: temporal, rules: [a], timespan: 5m}\n---\ntitle: A\nname: a\nlogsource: {product: m365}\ndetection: {s: {Operation: A}, condition: s}\n";
    let mut collection = Collection::default();
    collection.add("x.yml", text).expect("it is YAML");
    let query = collection.query("x.yml", Some(2)).expect("there are two");
    let query = query.expect("it can be converted");
    assert_eq!(query.text, "UnifiedAuditLog\n| where Operation =~ \"A\"");
    assert_eq!(collection.query("x.yml", None), None);
}

#[test]
fn the_parts_of_a_correlation_come_from_tables_of_their_own() {
    let all = correlated(
        "{type: temporal_ordered, rules: [a, b], group-by: [who], timespan: 5m, aliases: {who: {a: UserId, b: UserPrincipalName}}}",
    );
    let conversion = all[0].query.as_ref().expect("it can be converted");
    assert_eq!(conversion.tables, ["SigninLogs", "UnifiedAuditLog"]);
    assert_eq!(conversion.seconds, Some(300));
    let text = &conversion.text;
    assert!(text.starts_with("let Events_1 = UnifiedAuditLog\n| where Operation =~ \"A\"\n| project TimeGenerated, _Rule = 0, who = tolower(UserId)\n"), "{text}");
    assert!(text.contains("let Events_2 = SigninLogs\n| where ResultType =~ \"0\"\n| project TimeGenerated, _Rule = 1, who = tolower(UserPrincipalName)\n"), "{text}");
    assert!(text.contains("union Events_1, Events_2"), "{text}");
    assert!(
        text.contains("where _Rule == 1 and TimeGenerated - _Begun1 <= 5m"),
        "{text}"
    );
}

#[test]
fn nothing_that_is_no_rule_makes_it_panic() {
    for text in [
        "",
        "a",
        "- a",
        "{}",
        "title: x\ndetection: 5\nlogsource: 6",
        "correlation: []",
        "logsource: {product: m365}\ndetection: {condition: [], s: {}}",
        "logsource: {product: m365}\ndetection: {condition: s, s: {'|': ''}}",
        "logsource: {product: m365}\ndetection: {condition: s, s: {'a||b': 5}}",
        "logsource: {product: m365}\ndetection: {condition: s, s: [[a], null]}",
        "logsource: {product: m365}\ndetection: {condition: s, s: {'%%': '%%%'}}",
    ] {
        let mut collection = Collection::default();
        if collection.add("x.yml", text).is_ok() {
            let _ = collection.convert();
        }
    }
}

/// Modifiers that treat values in ways of their own.
const WAYS: [&str; 7] = [
    "",
    "|contains",
    "|startswith|cased",
    "|re",
    "|windash",
    "|base64offset|contains",
    "|expand",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn whatever_a_value_is_its_query_can_be_read(value in r#"[a*?\\%"' é/\-(<]{0,10}"#, way in 0..WAYS.len()) {
        let (value, way) = (value.replace('\'', "''"), WAYS[way]);
        for (service, field) in [("auditlogs", "OperationName"), ("auditlogs", "TargetResources.newValue"), ("auditlogs", "message")] {
            let detection = format!("s:\n  - {field}{way}: '{value}'\ncondition: s");
            if let Err(refusal) = of("azure", service, &detection) {
                prop_assert!(!refusal.message.starts_with("its query"), "{}: {}", detection, refusal);
            }
        }
        let detection = format!("s:\n  - 'a{value}'\ncondition: s");
        let refused = of("m365", "audit", &detection).err();
        prop_assert_eq!(refused, None, "{}", detection);
    }

    #[test]
    fn whatever_a_condition_is_it_is_read_or_refused(text in r"[abnotrf 12*_()|]{0,30}") {
        let _ = condition::read(&text);
        let _ = converted(&format!("logsource: {{product: m365}}\ndetection: {{a: {{Operation: x}}, condition: '{text}'}}\n"));
    }
}
