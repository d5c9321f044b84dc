//! Indicators as Microsoft Graph's `tiIndicator` has them. Graph takes them no more since April 2026: this is for what still reads the form.
//!
//! It has no field for an application, nor for an account but the address of a sender. Of denials it is what Microsoft's sample of 2020 sent: file and
//! address in one indicator, and what is known of the denial as tags in the order of that sample.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::allow::Allow;
use super::attempts::Attempts;
use super::indicator::{Indicator, LeftOut};
use super::moments::seconds;
use super::observable::{Algorithm, Observable};
use super::terms::Terms;
use crate::rules::Severity;
use crate::text::safe::harmless;

/// Said where the form has no field.
const NO_FIELD: &str = "tiIndicator has no field for it";

/// Indicators, how many they are, and what the form cannot say.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The document.
    pub text: String,
    /// How many indicators it has.
    pub count: usize,
    /// What is not in it.
    pub left_out: LeftOut,
}

/// Indicators in this form.
pub fn of(indicators: &[Indicator], terms: &Terms) -> Written {
    let mut left_out = LeftOut::default();
    let mut all = Vec::new();
    for indicator in indicators {
        let observable = &indicator.observable;
        let Some(fields) = fields(observable) else {
            left_out.add(observable, NO_FIELD);
            continue;
        };
        let mut members = common(terms);
        members.extend(fields);
        members.extend(pairs([
            ("confidence", json!(indicator.confidence.unwrap_or(0))),
            ("description", indicator.description().into()),
            ("externalId", observable.id().to_string().into()),
            ("severity", severity(indicator.severity).into()),
            ("tags", indicator.label_texts().into()),
        ]));
        let phases = phases(&indicator.tactics);
        if !phases.is_empty() {
            members.extend(pairs([("killChain", phases.into())]));
        }
        if let Some(last) = indicator.last {
            members.extend(pairs([("lastReportedDateTime", seconds(last).into())]));
        }
        all.push(sorted(members));
    }
    written(all, left_out)
}

/// Denials as the sample had them: one indicator for the attempts of one user on one document from one address.
pub fn of_attempts(attempts: &[Attempts], allow: &Allow, terms: &Terms) -> Written {
    let mut left_out = LeftOut::default();
    let mut all = Vec::new();
    for one in attempts {
        let observables = one.observables();
        let refused = observables
            .iter()
            .find_map(|observable| Some((observable, allow.reason(observable)?)));
        if let Some((observable, reason)) = refused {
            left_out.add(observable, &reason);
            continue;
        }
        let is_ours = |observable: &&Observable| !matches!(observable, Observable::Account(_));
        let known = observables.iter().filter(is_ours).filter_map(fields);
        let known: Vec<(String, Value)> = known.flatten().collect();
        if known.is_empty() {
            // Neither file nor address: nothing to watch for but the account.
            if let Some(account) = observables.first() {
                left_out.add(account, NO_FIELD);
            }
            continue;
        }
        let mut members = common(terms);
        members.extend(known);
        let tags = one.properties().map(|(_, value)| value);
        members.extend(pairs([
            ("confidence", json!(0)),
            ("description", one.description().into()),
            ("severity", severity(Severity::Low).into()),
            ("tags", Value::from(tags.to_vec())),
        ]));
        if let Some(content) = &one.content {
            members.extend(pairs([("externalId", content.as_str().into())]));
        }
        all.push(sorted(members));
    }
    written(all, left_out)
}

fn written(all: Vec<Value>, left_out: LeftOut) -> Written {
    let count = all.len();
    let mut document = Map::new();
    document.insert("value".into(), all.into());
    let mut text = harmless(&format!("{:#}", Value::from(document)));
    text.push('\n');
    Written {
        text,
        count,
        left_out,
    }
}

/// What is the same in all.
fn common(terms: &Terms) -> Vec<(String, Value)> {
    pairs([
        ("action", "alert".into()),
        ("expirationDateTime", seconds(terms.until()).into()),
        ("targetProduct", "Azure Sentinel".into()),
        ("threatType", "WatchList".into()),
        ("tlpLevel", terms.tlp.name().into()),
    ])
}

fn pairs<const N: usize>(members: [(&str, Value); N]) -> Vec<(String, Value)> {
    let members = members.into_iter();
    members
        .map(|(name, value)| (name.to_string(), value))
        .collect()
}

fn sorted(mut members: Vec<(String, Value)>) -> Value {
    members.sort_by(|(one, _), (other, _)| one.cmp(other));
    Value::Object(members.into_iter().collect::<Map<_, _>>())
}

/// The fields for something; nothing where the form has none.
fn fields(observable: &Observable) -> Option<Vec<(String, Value)>> {
    let value = || Value::from(observable.value());
    Some(match observable {
        Observable::Address(IpAddr::V4(_)) => pairs([("networkIPv4", value())]),
        Observable::Address(IpAddr::V6(_)) => pairs([("networkIPv6", value())]),
        Observable::Account(name) if name.contains('@') => pairs([("emailSenderAddress", value())]),
        Observable::Account(_) | Observable::Application(_) => return None,
        Observable::Url(_) => pairs([("url", value())]),
        Observable::Domain(_) => pairs([("domainName", value())]),
        Observable::File(_) => pairs([("fileName", value())]),
        Observable::Hash(algorithm, _) => {
            let kind = match algorithm {
                Algorithm::Md5 => "md5",
                Algorithm::Sha1 => "sha1",
                Algorithm::Sha256 => "sha256",
            };
            pairs([("fileHashType", kind.into()), ("fileHashValue", value())])
        }
    })
}

/// Of 5, where 0 is harmless. The sample's denials have 2.
pub(super) fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Informational => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 5,
    }
}

/// Tactics in the phases that the form knows, each once: it has seven of the older kind, and what comes at the end of an attack is one of them.
fn phases(tactics: &[String]) -> Vec<&'static str> {
    let mut phases = Vec::new();
    for tactic in tactics {
        let phase = match tactic.as_str() {
            "Reconnaissance" => "Reconnaissance",
            "ResourceDevelopment" => "Weaponization",
            "InitialAccess" => "Delivery",
            "Execution" | "PrivilegeEscalation" => "Exploitation",
            "Persistence" => "Installation",
            "CommandAndControl" => "C2",
            _ => "Actions",
        };
        if !phases.contains(&phase) {
            phases.push(phase);
        }
    }
    phases
}

#[cfg(test)]
mod tests {
    use super::super::attempts::tests::{TIME, denial};
    use super::super::{Documentation, Tlp, attempts, gather, of_denials};
    use super::*;

    const TERMS: Terms = Terms {
        moment: TIME,
        valid_for: 7 * 86_400_000_000,
        tlp: Tlp::Green,
    };

    fn read(written: &Written) -> Value {
        let document: Value = serde_json::from_str(&written.text).expect("JSON");
        document["value"].clone()
    }

    #[test]
    fn a_denial_is_what_the_sample_made_of_it() {
        let denials = [denial(TIME, "eve@fabrikam.com", "203.0.113.9")];
        let allow = Allow::new(Documentation::Taken);
        let made = of_attempts(&attempts(&denials), &allow, &TERMS);
        assert_eq!(made.count, 1);
        assert_eq!(
            read(&made),
            json!([{
                "action": "alert",
                "confidence": 0,
                "description": "Access denied to eve@fabrikam.com on Plan.docx",
                "expirationDateTime": "2026-05-26T14:05:00Z",
                "externalId": "0c0c0c0c-0000-4000-8000-00000000000a",
                "fileName": "Plan.docx",
                "networkIPv4": "203.0.113.9",
                "severity": 2,
                "tags": [
                    "0c0c0c0c-0000-4000-8000-00000000000a",
                    "Plan.docx",
                    "",
                    "eve@fabrikam.com",
                    "alice@contoso.com",
                    "2026-05-19T14:05:00Z",
                    "2026-05-18T14:05:00Z",
                    "203.0.113.9",
                    "AccessDenied",
                    "1"
                ],
                "targetProduct": "Azure Sentinel",
                "threatType": "WatchList",
                "tlpLevel": "green"
            }])
        );
    }

    #[test]
    fn a_denial_from_an_address_that_is_no_indicator_makes_none() {
        let denials = [denial(TIME, "eve@fabrikam.com", "10.0.0.7")];
        let allow = Allow::new(Documentation::Taken);
        let made = of_attempts(&attempts(&denials), &allow, &TERMS);
        assert_eq!(made.count, 0);
        assert_eq!(
            made.left_out.lines(),
            ["left out 1 address: a private or local address"]
        );
    }

    #[test]
    fn what_the_form_has_no_field_for_is_said() {
        let mut denials = [denial(TIME, "eve", "2a00::7")];
        denials[0].refusal.file = None;
        let gathered = gather(of_denials(&denials), &Allow::new(Documentation::Refused));
        let made = of(&gathered.indicators, &TERMS);
        assert_eq!(
            made.left_out.lines(),
            ["left out 1 account: tiIndicator has no field for it"]
        );
        let all = read(&made);
        assert_eq!(all[0]["networkIPv6"], "2a00::7");
        assert_eq!(all[0]["lastReportedDateTime"], "2026-05-19T14:05:00Z");
        assert_eq!(all.as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn tactics_are_phases_of_the_older_kind() {
        let tactics = ["InitialAccess", "Collection", "Exfiltration"].map(String::from);
        assert_eq!(phases(&tactics), ["Delivery", "Actions"]);
    }
}
