//! Correlations: how many events of rules, how many values, or which rules together, within a span of time.
//!
//! Windows slide: `gt` and `gte` ask whether any span of that length holds enough, and what overlaps is one row, with the time of its first and its
//! last event. Other comparisons are about the whole of a window, which then begins at multiples of its length.

use super::refusal::{At, Refusal};
use super::yaml::{Node, Yaml};

/// A correlation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Correlation {
    pub(super) kind: Counted,
    /// Ids or names of the rules, in order.
    pub(super) rules: Vec<String>,
    pub(super) group_by: Vec<String>,
    /// The span of time as KQL spells it.
    pub(super) span: String,
    pub(super) seconds: u64,
    /// Comparisons that must all hold: operator and number.
    pub(super) holds: Vec<(&'static str, u64)>,
    /// Fields whose values are counted.
    pub(super) fields: Vec<String>,
    /// An alias: its name, and the field that it is in each rule.
    pub(super) aliases: Aliases,
    /// Whether its rules are to be run on their own as well.
    pub(super) generate: bool,
    pub(super) at: At,
}

/// Names, each with the rules and the field that it is in each.
type Aliases = Vec<(String, Vec<(String, String)>)>;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// `event_count`
    Events,
    /// `value_count`
    Values,
    /// `temporal`
    Rules,
    /// `temporal_ordered`
    RulesInOrder,
}

impl Correlation {
    /// The number from which on it fires, where more never make it not fire.
    pub(super) fn at_least(&self) -> Option<u64> {
        match self.holds.as_slice() {
            [(">=", n)] => Some(*n),
            [(">", n)] => Some(n.saturating_add(1)),
            _ => None,
        }
    }

    /// The field that a name of `group-by` is in a rule.
    pub(super) fn field<'f>(&'f self, group: &'f str, rule: &[&str]) -> &'f str {
        let alias = self.aliases.iter().find(|(name, _)| name == group);
        let of_rule = alias.and_then(|(_, fields)| {
            let mut fields = fields.iter();
            fields.find(|(name, _)| rule.contains(&name.as_str()))
        });
        of_rule.map_or(group, |(_, field)| field.as_str())
    }
}

/// Reads a correlation.
pub(super) fn read(node: &Node) -> Result<Correlation, Refusal> {
    let Some(entries) = node.entries() else {
        return Err(Refusal::new(node.at, "`correlation` is a map"));
    };
    const KEYS: [&str; 7] = [
        "type",
        "rules",
        "group-by",
        "timespan",
        "condition",
        "aliases",
        "generate",
    ];
    if let Some((key, value)) = entries.iter().find(|(k, _)| !KEYS.contains(&k.as_str())) {
        return Err(Refusal::new(
            value.at,
            format!("a correlation has no `{key}`"),
        ));
    }
    let kind = kind(node)?;
    let texts = |key: &str| -> Result<Vec<String>, Refusal> {
        let Some(value) = node.get(key) else {
            return Ok(Vec::new());
        };
        let wrong = || Refusal::new(value.at, format!("`{key}` is a list of texts"));
        let texts = value.texts().ok_or_else(wrong)?;
        Ok(texts.into_iter().map(|(text, _)| text).collect())
    };
    let rules = texts("rules")?;
    if rules.is_empty() {
        return Err(Refusal::new(node.at, "a correlation names its `rules`"));
    }
    let Some(timespan) = node.get("timespan") else {
        return Err(Refusal::new(node.at, "a correlation has a `timespan`"));
    };
    let (span, seconds) = span(timespan)?;
    let (mut holds, fields) = condition(node)?;
    let needs_fields = kind == Counted::Values;
    if needs_fields == fields.is_empty() {
        let message = match needs_fields {
            true => "`value_count` names a `field` in its condition",
            false => "only `value_count` has a `field` in its condition",
        };
        return Err(Refusal::new(node.at, message));
    }
    match (kind, holds.is_empty()) {
        (Counted::Events | Counted::Values, true) => {
            let message = "a correlation that counts has a `condition`, such as `gte: 10`";
            return Err(Refusal::new(node.at, message));
        }
        // All of them.
        (_, true) => holds.push((">=", rules.len() as u64)),
        (Counted::RulesInOrder, false) if holds != [(">=", rules.len() as u64)] => {
            let message = "`temporal_ordered` wants all of its rules";
            return Err(Refusal::new(node.at, message));
        }
        _ => {}
    }
    Ok(Correlation {
        kind,
        rules,
        group_by: texts("group-by")?,
        span,
        seconds,
        holds,
        fields,
        aliases: aliases(node)?,
        generate: node
            .get("generate")
            .is_some_and(|g| g.value == Yaml::Bool(true)),
        at: node.at,
    })
}

fn kind(node: &Node) -> Result<Counted, Refusal> {
    let Some(written) = node.get("type") else {
        return Err(Refusal::new(node.at, "a correlation has a `type`"));
    };
    Ok(match written.text().unwrap_or_default().as_str() {
        "event_count" => Counted::Events,
        "value_count" => Counted::Values,
        "temporal" => Counted::Rules,
        "temporal_ordered" => Counted::RulesInOrder,
        other => {
            let message = format!("correlations of type `{other}` are not supported");
            let hint = "`event_count`, `value_count`, `temporal` and `temporal_ordered` are";
            return Err(Refusal::new(written.at, message).with_hint(hint));
        }
    })
}

/// A span of time, and its seconds.
fn span(node: &Node) -> Result<(String, u64), Refusal> {
    let text = node.text().unwrap_or_default();
    let wrong = || Refusal::new(node.at, format!("`{text}` is no span such as `15m`"));
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number = text.strip_suffix(unit).unwrap_or_default();
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let (length, number, unit) = match unit {
        's' => (1, Some(number), 's'),
        'm' => (60, Some(number), 'm'),
        'h' => (3600, Some(number), 'h'),
        'd' => (86_400, Some(number), 'd'),
        'w' => (86_400, number.checked_mul(7), 'd'),
        _ => return Err(wrong()),
    };
    let number = number.filter(|n| *n > 0).ok_or_else(wrong)?;
    // What Kusto's spans can hold, far below its limit.
    let seconds = number
        .checked_mul(length)
        .filter(|s| *s <= 100 * 366 * 86_400);
    let seconds = seconds.ok_or_else(wrong)?;
    Ok((format!("{number}{unit}"), seconds))
}

/// Comparisons and fields of a condition.
type Compared = (Vec<(&'static str, u64)>, Vec<String>);

fn condition(node: &Node) -> Result<Compared, Refusal> {
    let (mut holds, mut fields) = (Vec::new(), Vec::new());
    let Some(condition) = node.get("condition") else {
        return Ok((holds, fields));
    };
    let Some(entries) = condition.entries() else {
        let message = "the condition of a correlation is a map such as `gte: 10`";
        return Err(Refusal::new(condition.at, message));
    };
    for (key, value) in entries {
        let operator = match key.as_str() {
            "gt" => ">",
            "gte" => ">=",
            "lt" => "<",
            "lte" => "<=",
            "eq" => "==",
            "neq" => "!=",
            "field" => {
                let texts = value.texts().unwrap_or_default();
                fields.extend(texts.into_iter().map(|(text, _)| text));
                continue;
            }
            other => {
                let message = format!("the condition of a correlation has no `{other}`");
                return Err(Refusal::new(value.at, message));
            }
        };
        match value.value {
            Yaml::Integer(n) if n >= 0 => holds.push((operator, n.unsigned_abs())),
            _ => {
                let message = format!("`{key}` is compared with a whole number");
                return Err(Refusal::new(value.at, message));
            }
        }
    }
    Ok((holds, fields))
}

fn aliases(node: &Node) -> Result<Aliases, Refusal> {
    let Some(aliases) = node.get("aliases") else {
        return Ok(Vec::new());
    };
    let wrong = |at: At| Refusal::new(at, "`aliases` map a name to the field of each rule");
    let entries = aliases.entries().ok_or_else(|| wrong(aliases.at))?;
    let mut read = Vec::new();
    for (name, fields) in entries {
        let mut of_rules = Vec::new();
        for (rule, field) in fields.entries().ok_or_else(|| wrong(fields.at))? {
            let field_name = field.text().ok_or_else(|| wrong(field.at))?;
            of_rules.push((rule.clone(), field_name));
        }
        read.push((name.clone(), of_rules));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigma::yaml;

    fn of(text: &str) -> Result<Correlation, String> {
        let nodes = yaml::documents(text).expect("it is YAML");
        read(&nodes[0]).map_err(|e| e.message)
    }

    #[test]
    fn a_correlation_is_read() {
        let read = of(
            "{type: event_count, rules: [a], group-by: [User], timespan: 2w, condition: {gt: 9}}",
        )
        .expect("it is right");
        assert_eq!(read.at_least(), Some(10));
        assert_eq!((read.span.as_str(), read.seconds), ("14d", 14 * 86_400));
        let read = of("{type: temporal, rules: [a, b], timespan: 5m, aliases: {who: {a: User}}, group-by: [who]}")
            .expect("it is right");
        assert_eq!(read.at_least(), Some(2));
        assert_eq!(read.field("who", &["a"]), "User");
        assert_eq!(read.field("who", &["b"]), "who");
        let read = of("{type: event_count, rules: a, timespan: 1h, condition: {gt: 1, lt: 5}}")
            .expect("it is right");
        assert_eq!(read.at_least(), None);
    }

    #[test]
    fn what_is_wrong_is_said_by_name() {
        let said = |text: &str| of(text).expect_err("it is wrong");
        assert!(said("{type: value_sum, rules: [a], timespan: 1h}").contains("`value_sum`"));
        assert!(said("{type: temporal, rules: [a], timespan: soon}").contains("`soon` is no span"));
        assert!(said("{type: event_count, rules: [a], timespan: 1h}").contains("`gte: 10`"));
        assert!(
            said("{type: value_count, rules: [a], timespan: 1h, condition: {gte: 2}}")
                .contains("names a `field`")
        );
        assert!(said("{type: temporal, rules: [], timespan: 1h}").contains("names its `rules`"));
        assert!(
            said("{type: temporal, rules: [a], timespan: 1h, groupby: x}").contains("no `groupby`")
        );
    }
}
