//! When an event was there to be seen: the time of its ingestion, as far as one can know or wants to suppose.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::schedule::micros;
use crate::rules::seconds;

/// How late events are ingested. What `ingestion_time()` says, and what decides which runs see an event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Delay {
    /// Each at the moment it happens.
    #[default]
    None,
    /// Each so many microseconds later: those of a table that is named by its own delay, others by the common one.
    Fixed {
        /// By the table's name in lower case.
        tables: BTreeMap<String, i64>,
        /// Of all other tables.
        others: i64,
    },
    /// As the export says; what an export does not say, at the moment it happens.
    Export,
}

impl Delay {
    /// When an event of a table was ingested, of which an export may say when.
    pub fn ingested(&self, table: &str, time: i64, recorded: Option<i64>) -> i64 {
        match self {
            Delay::None => time,
            Delay::Fixed { .. } => time.saturating_add(self.of(table)),
            Delay::Export => recorded.unwrap_or(time),
        }
    }

    /// How much later than they happen the events of a table are ingested, where that is the same for all.
    pub fn of(&self, table: &str) -> i64 {
        match self {
            Delay::Fixed { tables, others } => {
                let own = tables.get(&table.to_ascii_lowercase());
                *own.unwrap_or(others)
            }
            Delay::None | Delay::Export => 0,
        }
    }

    /// The longest; nothing where only the events can say.
    pub fn longest(&self) -> Option<i64> {
        match self {
            Delay::None => Some(0),
            Delay::Fixed { tables, others } => {
                Some(tables.values().fold(*others, |most, one| most.max(*one)))
            }
            Delay::Export => None,
        }
    }
}

impl FromStr for Delay {
    type Err = String;

    /// `none`, `export`, `15m`, `CloudAppEvents=30m,SigninLogs=5m`, and both: `10m,CloudAppEvents=30m`.
    fn from_str(text: &str) -> Result<Delay, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "none" => return Ok(Delay::None),
            "export" => return Ok(Delay::Export),
            _ => {}
        }
        let duration = |text: &str| {
            seconds(text)
                .map(micros)
                .ok_or_else(|| format!("`{}` is no duration such as 15m or 1h", text.trim()))
        };
        let (mut tables, mut others) = (BTreeMap::new(), None);
        for part in text.split(',') {
            match part.split_once('=') {
                Some((table, delay)) => {
                    let table = table.trim();
                    if table.is_empty() {
                        return Err(format!("`{}` names no table", part.trim()));
                    }
                    let delay = duration(delay)?;
                    if tables.insert(table.to_ascii_lowercase(), delay).is_some() {
                        return Err(format!("two delays of `{table}`"));
                    }
                }
                None => {
                    if others.replace(duration(part)?).is_some() {
                        return Err("two delays without a table".into());
                    }
                }
            }
        }
        Ok(Delay::Fixed {
            tables,
            others: others.unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::schedule::{HOUR, MINUTE};
    use super::*;

    fn read(text: &str) -> Delay {
        text.parse().expect(text)
    }

    #[test]
    fn a_delay_is_read_as_people_write_it() {
        assert_eq!(read("none"), Delay::None);
        assert_eq!(read(" Export "), Delay::Export);
        let all = read("15m");
        assert_eq!(all.ingested("SigninLogs", HOUR, None), HOUR + 15 * MINUTE);
        let some = read("10m, CloudAppEvents=30m,SigninLogs=PT5M");
        assert_eq!(some.of("cloudappevents"), 30 * MINUTE);
        assert_eq!(some.of("SigninLogs"), 5 * MINUTE);
        assert_eq!(some.of("AuditLogs"), 10 * MINUTE);
        assert_eq!(some.longest(), Some(30 * MINUTE));
        assert_eq!(read("CloudAppEvents=1h").of("AuditLogs"), 0);
        for (text, why) in [
            ("soon", "`soon` is no duration"),
            ("T=soon", "`soon` is no duration"),
            ("=1h", "names no table"),
            ("T=1h,t=2h", "two delays of `t`"),
            ("1h,2h", "two delays without a table"),
        ] {
            let said = text.parse::<Delay>().expect_err(text);
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn what_the_export_says_counts_where_it_says_something() {
        assert_eq!(Delay::Export.ingested("T", 5, Some(9)), 9);
        assert_eq!(Delay::Export.ingested("T", 5, None), 5);
        assert_eq!(Delay::Export.longest(), None);
        assert_eq!(Delay::None.ingested("T", 5, Some(9)), 5);
        assert_eq!(Delay::default().longest(), Some(0));
    }
}
