//! Alerts, mails on their way, requests, risks, and a general line for all that has no words of its own.

use super::sign_in;
use super::words::{UNNAMED, or, quoted, short, thing, who};
use crate::timeline::field::{Event, Field};

/// The whole line of an event that nobody did, or of which the record does not say what was done.
pub(super) fn whole(event: &Event<'_>) -> Option<String> {
    let name = || or(event.get(Field::Name), UNNAMED);
    let scope = match event.get(Field::Scope) {
        "" => String::new(),
        scope => format!(" ({})", short(scope)),
    };
    Some(match event.get(Field::Table) {
        "SecurityAlert" | "AlertInfo" => format!("Alert {}{scope}{}", name(), about(event)),
        "UnifiedAuditLog" if event.get(Field::Action) == "AlertTriggered" => {
            format!("Alert {}{scope}", name())
        }
        "UnifiedAuditLog" if event.get(Field::Action) == "AlertEntityGenerated" => {
            format!(
                "Alert {}{scope}, about {}",
                name(),
                or(event.get(Field::Object), UNNAMED)
            )
        }
        "SecurityIncident" => match event.get(Field::Result) {
            "" => format!("Incident {}{scope}", name()),
            status => format!("Incident {}{scope} is {}", name(), short(status)),
        },
        "Anomalies" => format!(
            "Anomaly {}{}",
            or(event.get(Field::Action), UNNAMED),
            about(event)
        ),
        "AADUserRiskEvents" | "AADServicePrincipalRiskEvents" => {
            format!(
                "Risk detection {}{scope}{}",
                or(event.get(Field::Action), UNNAMED),
                about(event)
            )
        }
        "AADRiskyUsers" | "AADRiskyServicePrincipals" => {
            format!(
                "Risk state is {}{scope}{}",
                or(event.get(Field::Result), "not named"),
                about(event)
            )
        }
        "EmailEvents" => format!(
            "Mail {} from {} to {}: {}",
            or(event.get(Field::Name), "without a subject"),
            who(event),
            or(event.get(Field::Target), "somebody"),
            or(event.get(Field::Result), "no verdict")
        ),
        table if event.get(Field::Action).is_empty() && !sign_in::is(event) => {
            let with = match event.first(&[Field::Object, Field::Name]) {
                "" => String::new(),
                thing => format!(" with {}", quoted(thing)),
            };
            let address = match event.get(Field::Address) {
                "" => String::new(),
                address => format!(", address {}", short(address)),
            };
            format!(
                "Record of {}{with}{}{address}",
                or(table, UNNAMED),
                about(event)
            )
        }
        _ => return None,
    })
}

fn about(event: &Event<'_>) -> String {
    match event.get(Field::User).is_empty() && event.get(Field::UserName).is_empty() {
        true => String::new(),
        false => format!(", about {}", who(event)),
    }
}

/// What it did.
pub(super) fn deed(event: &Event<'_>) -> String {
    let object = event.first(&[Field::Object, Field::Name]);
    match event.get(Field::Table) {
        "MicrosoftGraphActivityLogs" | "GraphAPIAuditEvents" => {
            let status = match event.get(Field::Result) {
                "" => String::new(),
                status => format!(", answered with {}", short(status)),
            };
            format!(
                "called Graph: {} {}{status}",
                short(event.get(Field::Action)),
                or(object, "something")
            )
        }
        "UrlClickEvents" => format!(
            "clicked {} ({})",
            or(object, "a link"),
            or(event.get(Field::Action), "no verdict")
        ),
        _ => {
            let action = event.get(Field::Action).trim_end_matches(['.', ' ']);
            let action = format!("performed {}", quoted(action));
            let name = match object {
                "" => thing(event),
                object => object,
            };
            match name {
                "" => action,
                name => format!("{action} on {}", quoted(name)),
            }
        }
    }
}
