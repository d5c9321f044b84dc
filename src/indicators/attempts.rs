//! Attempts of one user to open one document from one address that were denied: what Microsoft's sample of 2020 wrote an indicator of. It counted
//! those of one moment, which is always one; here they are counted whenever they were made.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::moments::{exact, fitted};
use super::observable::Observable;
use super::sighting::Sighting;
use crate::case::{Denial, Trace};
use crate::rules::Severity;
use crate::text::address;

/// What `InformationProtectionLogs_CL` calls every denial.
const DENIED: &str = "AccessDenied";
/// What the sample calls the number of attempts.
const COUNT: &str = "AccessCount";

/// Attempts of one user to open one document from one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempts {
    /// Id of the document's content.
    pub content: Option<String>,
    /// Name of the document, without folders.
    pub file: Option<String>,
    /// What its label is called.
    pub label: Option<String>,
    /// Who tried.
    pub user: String,
    /// To whom the document belongs, as the record says it.
    pub owner: Option<String>,
    /// Since when it is protected, in microseconds since 1970, UTC.
    pub protected_since: Option<i64>,
    /// From where.
    pub address: Option<String>,
    /// What else the logs say, each once: reasons beside `AccessDenied`, and with what it was tried.
    pub further: BTreeSet<(&'static str, String)>,
    /// The first attempt, in microseconds since 1970, UTC.
    pub first: i64,
    /// The last one.
    pub last: i64,
    /// How many.
    pub count: u64,
}

/// Denials as attempts, ordered by document, user and address.
pub fn attempts(denials: &[Denial]) -> Vec<Attempts> {
    let mut all: BTreeMap<_, Attempts> = BTreeMap::new();
    for denial in denials {
        let refusal = &denial.refusal;
        let label = refusal.label.as_ref().map(|label| label.called());
        let owner = refusal.owner.said();
        let address = denial.trace.address.as_deref();
        let key = (
            (refusal.file.as_deref(), refusal.content.as_deref(), label),
            (owner, refusal.protected_since),
            (refusal.user.as_str(), address),
        );
        let attempts = all.entry(key).or_insert_with(|| Attempts {
            content: refusal.content.clone(),
            file: refusal.file.clone(),
            label: label.map(String::from),
            user: refusal.user.clone(),
            owner: owner.map(String::from),
            protected_since: refusal.protected_since,
            address: address.map(String::from),
            further: BTreeSet::new(),
            first: refusal.time,
            last: refusal.time,
            count: 0,
        });
        attempts.count += 1;
        attempts.first = attempts.first.min(refusal.time);
        attempts.last = attempts.last.max(refusal.time);
        let reason = refusal.result.as_str();
        if reason != DENIED {
            attempts.further.insert(("Result", reason.to_string()));
        }
        let event_id = denial.lineage.event_id.as_deref();
        let known = further(&denial.trace).into_iter();
        for (name, value) in known.chain([("EventId", event_id)]) {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                attempts.further.insert((name, value.to_string()));
            }
        }
    }
    all.into_values().collect()
}

/// What the sample did not send of a denial, under the names of the columns where the table has them.
fn further(trace: &Trace) -> [(&'static str, Option<&str>); 9] {
    [
        ("ApplicationName_s", trace.application.as_deref()),
        ("City", trace.city.as_deref()),
        ("Country", trace.country.as_deref()),
        ("MachineName_s", trace.device.as_deref()),
        ("ObjectId_s", trace.path.as_deref()),
        ("Operation_s", trace.operation.as_deref()),
        ("Platform_s", trace.platform.as_deref()),
        ("SessionId", trace.session.as_deref()),
        ("UserAgent", trace.client.as_deref()),
    ]
}

/// What denials name.
pub fn of_denials(denials: &[Denial]) -> impl Iterator<Item = Sighting> {
    let attempts = attempts(denials).into_iter();
    attempts.map(|one| one.sighting())
}

impl Attempts {
    /// The address, where it is one.
    fn ip(&self) -> Option<IpAddr> {
        self.address.as_deref().and_then(address::parse)
    }

    /// What the sample said of a denial, under the names of the columns and in its order. What is not known is empty.
    pub(super) fn properties(&self) -> [(&'static str, String); 10] {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        [
            ("ContentId_g", text(&self.content)),
            ("FileName", text(&self.file)),
            ("LabelName_s", text(&self.label)),
            ("UserId_s", self.user.clone()),
            ("ProtectionOwner_s", text(&self.owner)),
            ("TimeGenerated", exact(self.last)),
            (
                "ProtectionTime_t",
                self.protected_since.map(exact).unwrap_or_default(),
            ),
            ("IPv4_s", text(&self.address)),
            ("Activity_s", DENIED.to_string()),
            (COUNT, self.count.to_string()),
        ]
    }

    /// Who was denied what: at most 100 characters.
    pub(super) fn description(&self) -> String {
        let document = self.file.as_deref().or(self.content.as_deref());
        let document = document.unwrap_or("a document without a name");
        fitted(&format!("Access denied to {} on {document}", self.user), "")
    }

    /// What they name.
    pub(super) fn observables(&self) -> Vec<Observable> {
        let account = Observable::account(&self.user);
        let file = self.file.as_deref().and_then(Observable::file);
        let address = self.ip().map(Observable::Address);
        [address, account, file].into_iter().flatten().collect()
    }

    /// As something that was found. The sample gave it the severity 2 of 5.
    fn sighting(&self) -> Sighting {
        let own = self.properties().into_iter();
        // An indicator counts the attempts of all that speaks of it.
        let own = own.filter(|(name, value)| !value.is_empty() && *name != COUNT);
        let all = own.chain(self.further.iter().cloned());
        let all = all.map(|(name, value)| (name.to_string(), value));
        Sighting {
            what: "Access denied to a protected document".into(),
            times: self.count,
            severity: Severity::Low,
            confidence: None,
            first: Some(self.first),
            last: Some(self.last),
            tactics: Vec::new(),
            techniques: Vec::new(),
            properties: all.collect(),
            observables: self.observables(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::case::{Lineage, Owner, Refusal};

    /// 2026-05-19T14:05:00Z
    pub(in crate::indicators) const TIME: i64 = 1_779_199_500_000_000;

    pub(in crate::indicators) fn denial(time: i64, user: &str, address: &str) -> Denial {
        Denial {
            refusal: Refusal {
                time,
                user: user.into(),
                user_name: None,
                result: DENIED.into(),
                content: Some("0c0c0c0c-0000-4000-8000-00000000000a".into()),
                file: Some("Plan.docx".into()),
                label: None,
                owner: Owner::Person("alice@contoso.com".into()),
                protected_since: Some(TIME - 86_400_000_000),
            },
            trace: Trace {
                address: Some(address.into()),
                ..Trace::default()
            },
            lineage: Lineage::default(),
        }
    }

    #[test]
    fn attempts_are_counted_whenever_they_were_made() {
        let denials = [
            denial(TIME + 60_000_000, "eve@fabrikam.com", "203.0.113.9"),
            denial(TIME, "eve@fabrikam.com", "203.0.113.9"),
            denial(TIME, "eve@fabrikam.com", "203.0.113.10"),
        ];
        let all = attempts(&denials);
        let counts: Vec<u64> = all.iter().map(|a| a.count).collect();
        assert_eq!(counts, [1, 2]);
        let two = &all[1];
        assert_eq!((two.first, two.last), (TIME, TIME + 60_000_000));
        let properties = two.properties().map(|(_, value)| value);
        assert_eq!(
            properties,
            [
                "0c0c0c0c-0000-4000-8000-00000000000a",
                "Plan.docx",
                "",
                "eve@fabrikam.com",
                "alice@contoso.com",
                "2026-05-19T14:06:00Z",
                "2026-05-18T14:05:00Z",
                "203.0.113.9",
                "AccessDenied",
                "2",
            ]
        );
        assert_eq!(two.observables().len(), 3);
        assert_eq!(
            two.description(),
            "Access denied to eve@fabrikam.com on Plan.docx"
        );
    }

    #[test]
    fn all_that_is_known_of_attempts_is_a_property() {
        let with = |device: &str, event: &str| {
            let mut one = denial(TIME, "eve@fabrikam.com", "203.0.113.9");
            one.trace.device = Some(device.into());
            one.trace.application = Some("WINWORD.EXE".into());
            one.trace.country = Some(String::new());
            one.lineage.event_id = Some(event.into());
            one
        };
        let all = attempts(&[with("PC-1", "a"), with("PC-2", "b")]);
        let found = all[0].sighting();
        assert_eq!(found.times, 2);
        let after = found
            .properties
            .iter()
            .skip_while(|(name, _)| name != "Activity_s");
        let after: Vec<String> = after
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            after,
            [
                "Activity_s=AccessDenied",
                "ApplicationName_s=WINWORD.EXE",
                "EventId=a",
                "EventId=b",
                "MachineName_s=PC-1",
                "MachineName_s=PC-2",
            ]
        );
    }

    #[test]
    fn another_reason_is_kept_beside_the_name_of_the_table() {
        let mut expired = denial(TIME, "eve@fabrikam.com", "");
        expired.refusal.result = "RightExpired".into();
        let all = attempts(&[expired.clone(), expired]);
        assert_eq!(all.len(), 1);
        let one = &all[0];
        assert_eq!(
            one.further,
            BTreeSet::from([("Result", "RightExpired".to_string())])
        );
        let found = one.sighting();
        let last = found.properties.last().cloned();
        assert_eq!(last, Some(("Result".into(), "RightExpired".into())));
        assert_eq!(found.observables.len(), 2);
    }
}
