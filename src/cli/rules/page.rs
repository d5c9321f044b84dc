//! Rules as a page to read, made from their headers. Everything that a rule says is escaped.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::global::Global;
use crate::cli::ui::{count, counted};
use crate::cost::readers::readers;
use crate::engine::kql::Options;
use crate::engine::output::markdown;
use crate::engine::{Session, Source};
use crate::fault::Result;
use crate::rules::{Language, Rule, RuleParameter, Schedule, Severity, is_technique, short};

/// What a rule reads: tables, by the id of the rule.
type Tables = BTreeMap<String, BTreeSet<String>>;

/// The page of some rules, and of the questions beside them.
pub(super) fn page(rules: &[Rule], questions: &[Rule], global: &Global) -> Result<String> {
    let mut packs: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    for rule in rules {
        packs.entry(rule.pack()).or_default().push(rule);
    }
    let tables = tables(rules.iter().chain(questions), global)?;
    let mut out = String::from(
        "<!-- Made by `coldtrail rules list -f markdown`: change the headers of the rules, not this page. -->\n\n# Rules\n\n",
    );
    let packs_said = counted(packs.len() as u64, "pack");
    let rules_said = counted(rules.len() as u64, "rule");
    out.push_str(&format!("{rules_said} in {packs_said}.\n\n"));
    out.push_str(
        "| pack | rules | high | medium | low | informational |\n|---|---|---|---|---|---|\n",
    );
    for (name, rules) in &packs {
        let of = |severity: Severity| {
            rules
                .iter()
                .filter(|rule| rule.severity == severity)
                .count()
        };
        let numbers = Severity::ALL.map(|severity| count(of(severity) as u64));
        let all = count(rules.len() as u64);
        out.push_str(&format!(
            "| {} | {all} | {} |\n",
            markdown(name),
            numbers.join(" | ")
        ));
    }
    for (name, rules) in &packs {
        out.push_str(&format!("\n## {}\n\n", markdown(name)));
        out.push_str("| rule | severity | what it finds | techniques |\n|---|---|---|---|\n");
        for rule in rules {
            out.push_str(&format!(
                "| {} | {} | {} | {} |\n",
                linked(&rule.id),
                rule.severity,
                markdown(&rule.name),
                techniques(rule)
            ));
        }
        for rule in rules {
            one(rule, &tables, &mut out);
        }
    }
    if !questions.is_empty() {
        out.push_str("\n## Questions\n\nNo hunt runs them: `coldtrail ask NAME` does.\n");
        for question in questions {
            one(question, &tables, &mut out);
        }
    }
    Ok(out)
}

fn tables<'r>(rules: impl Iterator<Item = &'r Rule>, global: &Global) -> Result<Tables> {
    let rules: Vec<Rule> = rules.cloned().collect();
    let mut session = Session::open(Source::Memory(Vec::new()), &global.engine(None)?)?;
    for (name, need) in rules.iter().flat_map(|rule| &rule.watchlists) {
        session.stand_in(name, &need.columns)?;
    }
    session.begin();
    let read = readers(&session, &rules, &Options::default());
    session.end();
    Ok(read?.tables)
}

/// A rule in full.
fn one(rule: &Rule, tables: &Tables, out: &mut String) {
    out.push_str(&format!("\n### {}\n\n", markdown(&rule.id)));
    out.push_str(&format!("**{}**\n", markdown(&rule.name)));
    for part in rule.description.split("\n\n") {
        let words: Vec<&str> = part.split_whitespace().collect();
        if !words.is_empty() {
            out.push_str(&format!("\n{}\n", paragraph(&words.join(" "))));
        }
    }
    let reads = tables.get(&rule.id).into_iter().flatten();
    let reads: Vec<String> = reads.map(|table| markdown(table)).collect();
    let lists = rule.watchlists.keys().map(|name| markdown(name));
    let lists: Vec<String> = lists.collect();
    let said = [
        ("severity", rule.severity.to_string()),
        ("tactics", markdown(&rule.tactics.join(", "))),
        ("techniques", techniques(rule)),
        ("reads", reads.join(", ")),
        ("watchlists", lists.join(", ")),
        ("runs", runs(rule.schedule)),
        ("language", language(rule.query.language).into()),
    ];
    out.push_str("\n| | |\n|---|---|\n");
    for (name, value) in said.iter().filter(|(_, value)| !value.is_empty()) {
        out.push_str(&format!("| {name} | {value} |\n"));
    }
    if !rule.parameters.is_empty() {
        out.push_str("\n| parameter | default | what it is |\n|---|---|---|\n");
        rule.parameters.iter().for_each(|p| parameter(p, out));
    }
    if !rule.false_positives.is_empty() {
        out.push_str("\nWhen it is harmless:\n\n");
        for text in &rule.false_positives {
            out.push_str(&format!("- {}\n", item(text)));
        }
    }
    if !rule.references.is_empty() {
        out.push_str("\nReferences:\n\n");
        for address in &rule.references {
            match address.contains(['<', '>']) {
                true => out.push_str(&format!("- {}\n", item(address))),
                false => out.push_str(&format!("- <{address}>\n")),
            }
        }
    }
}

fn parameter(parameter: &RuleParameter, out: &mut String) {
    let default = match parameter.default.to_string() {
        text if text.is_empty() => "(empty)".into(),
        text => markdown(&text),
    };
    let (name, what) = (markdown(&parameter.name), item(&parameter.description));
    out.push_str(&format!("| {name} | {default} | {what} |\n"));
}

fn language(language: Language) -> &'static str {
    match language {
        Language::Sql => "SQL, over this archive's views",
        Language::Kql => "KQL",
        Language::Sigma => "Sigma",
    }
}

fn runs(schedule: Schedule) -> String {
    match schedule {
        Schedule::Every { frequency, period } => {
            format!("every {} over the last {}", short(frequency), short(period))
        }
        Schedule::ByHand {
            period: Some(period),
        } => format!("by hand over the last {}", short(period)),
        Schedule::ByHand { period: None } => "by hand".into(),
        Schedule::NearRealTime => "near real time".into(),
    }
}

/// Techniques, each with its page.
fn techniques(rule: &Rule) -> String {
    let pages = rule.techniques.iter().map(|name| match is_technique(name) {
        true => format!(
            "[{name}](https://attack.mitre.org/techniques/{}/)",
            name.replace('.', "/")
        ),
        false => markdown(name),
    });
    pages.collect::<Vec<_>>().join(", ")
}

/// An id that leads to its rule, where the anchor of its heading is the id itself.
fn linked(id: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    match id.bytes().all(is_plain) {
        true => format!("[{id}](#{id})"),
        false => markdown(id),
    }
}

/// Words on one line.
fn item(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    paragraph(&words.join(" "))
}

/// A line that begins no heading, list or rule.
fn paragraph(text: &str) -> String {
    let text = markdown(text);
    let begins = text.starts_with(['#', '-', '+', '=']);
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
    let is_number = digits > 0 && text[digits..].starts_with(['.', ')']);
    match (begins, is_number) {
        (true, _) => format!("\\{text}"),
        (false, true) => format!("{}\\{}", &text[..digits], &text[digits..]),
        (false, false) => text,
    }
}
