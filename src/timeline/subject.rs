//! The events that somebody asks for, as conditions on the columns of a table.

use super::column::{Kind, named};
use super::field::Field;
use super::source::{Source, special};
use crate::catalog::Table;
use crate::text::address;
use crate::text::like::{escaped, pattern};

/// Whom or what a timeline is about. Values of one kind are alternatives, kinds are conditions that all must be met. `*` stands for any text, and
/// case does not count.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Subject {
    /// People and accounts: what they did, and what was done to them or in their mailboxes.
    pub users: Vec<String>,
    /// Sessions, by id.
    pub sessions: Vec<String>,
    /// Files, by name or by path.
    pub files: Vec<String>,
    /// Addresses.
    pub addresses: Vec<String>,
    /// Applications, by name or by id.
    pub applications: Vec<String>,
}

impl Subject {
    fn kinds(&self) -> [(Kind, &[String]); 5] {
        [
            (Kind::User, &self.users),
            (Kind::Session, &self.sessions),
            (Kind::File, &self.files),
            (Kind::Address, &self.addresses),
            (Kind::Application, &self.applications),
        ]
    }

    /// The same with a `*` where people leave something out: behind the names of people, around those of files. Nothing where that changes nothing.
    pub fn wider(&self) -> Option<Subject> {
        let wide = |values: &[String], before: &str| -> Vec<String> {
            let wide = values.iter().map(|value| match value.contains('*') {
                true => value.clone(),
                false => format!("{before}{}*", value.trim()),
            });
            wide.collect()
        };
        let wider = Subject {
            users: wide(&self.users, ""),
            sessions: wide(&self.sessions, ""),
            files: wide(&self.files, "*"),
            addresses: wide(&self.addresses, ""),
            applications: wide(&self.applications, "*"),
        };
        (wider != *self).then_some(wider)
    }

    /// The condition of SQL that rows of a table meet, where they are called `e`; nothing where it can have no such row.
    pub fn condition(&self, table: &Table) -> Option<String> {
        let all = self.of(table)?;
        Some(match all.is_empty() {
            true => "true".into(),
            false => all.join(" AND "),
        })
    }

    /// The conditions for the rows of a source; nothing where it can have no such row.
    pub(super) fn conditions(&self, source: &Source) -> Option<Vec<String>> {
        self.of(source.table)
    }

    fn of(&self, table: &Table) -> Option<Vec<String>> {
        let mut all = Vec::new();
        for (kind, values) in self.kinds() {
            if values.is_empty() {
                continue;
            }
            let (mut plain, mut lists) = named(table, kind);
            let fields: &[Field] = match kind {
                Kind::User => &[Field::User, Field::Target],
                Kind::Address => &[Field::Address],
                Kind::File => &[Field::Name, Field::Destination],
                Kind::Session => &[Field::Session],
                Kind::Application => &[],
            };
            for field in fields {
                let own = special(table.name, *field).map(str::to_string);
                // Members of a team are a list, the sender of a mail is one.
                lists.extend(own.clone().filter(|_| *field == Field::Target));
                plain.extend(own);
            }
            let mut any = Vec::new();
            for value in values {
                any.extend(plain.iter().map(|column| is(kind, column, value)));
                any.extend(lists.iter().map(|column| is_in(column, value)));
            }
            if any.is_empty() {
                return None;
            }
            all.push(format!("({})", any.join(" OR ")));
        }
        Some(all)
    }
}

/// A text of SQL.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Whether a column says this.
fn is(kind: Kind, column: &str, value: &str) -> String {
    let value = value.trim().to_lowercase();
    match kind {
        Kind::Address => {
            let clean = address::clean(&value).unwrap_or(value);
            matches(
                &format!("lower(coalesce(clean_ip({column}), {column}))"),
                &clean,
            )
        }
        Kind::File => {
            let column = format!("lower({column})");
            let ends = |mark: &str| {
                let pattern = format!("%{}{}", escaped(mark), pattern(&value));
                format!("{column} LIKE {} ESCAPE '\\'", literal(&pattern))
            };
            format!(
                "({} OR {} OR {})",
                matches(&column, &value),
                ends("/"),
                ends("\\")
            )
        }
        Kind::User | Kind::Session | Kind::Application => {
            matches(&format!("lower(trim({column}))"), &value)
        }
    }
}

/// Whether JSON has this as one of its texts, or as one of the JSON that is a text in it: new values of the directory are such.
fn is_in(column: &str, value: &str) -> String {
    let json = |text: &str| serde_json::Value::from(text).to_string();
    let quoted = json(&value.trim().to_lowercase());
    let twice = json(&quoted);
    let has = |text: &str| {
        let pattern = format!("%{}%", pattern(text));
        format!("lower({column}) LIKE {} ESCAPE '\\'", literal(&pattern))
    };
    format!("({} OR {})", has(&quoted), has(&twice[1..twice.len() - 1]))
}

fn matches(column: &str, value: &str) -> String {
    match value.contains('*') {
        true => format!("{column} LIKE {} ESCAPE '\\'", literal(&pattern(value))),
        false => format!("{column} = {}", literal(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_no_patterns_but_for_the_star() {
        assert_eq!(
            is(Kind::User, "e.\"U\"", " O'Neil_1@x "),
            "lower(trim(e.\"U\")) = 'o''neil_1@x'"
        );
        assert_eq!(
            is(Kind::Session, "e.\"S\"", "a_b*"),
            "lower(trim(e.\"S\")) LIKE 'a\\_b%' ESCAPE '\\'"
        );
        assert_eq!(
            is(Kind::Address, "e.\"A\"", "2001:DB8:0::5"),
            "lower(coalesce(clean_ip(e.\"A\"), e.\"A\")) = '2001:db8::5'"
        );
        assert_eq!(
            is(Kind::File, "e.\"F\"", "Plan.docx"),
            "(lower(e.\"F\") = 'plan.docx' OR lower(e.\"F\") LIKE '%/plan.docx' ESCAPE '\\' OR lower(e.\"F\") LIKE '%\\\\plan.docx' ESCAPE '\\')"
        );
        assert_eq!(
            is_in("e.\"T\"", "A@x"),
            "(lower(e.\"T\") LIKE '%\"a@x\"%' ESCAPE '\\' OR lower(e.\"T\") LIKE '%\\\\\"a@x\\\\\"%' ESCAPE '\\')"
        );
    }
}
