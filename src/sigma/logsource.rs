//! Which table the events of a `logsource` are in.

use super::refusal::{At, Refusal};
use super::yaml::Node;

/// Where the events of a rule are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    products: &'static [&'static str],
    services: &'static [&'static str],
    /// The table.
    pub(super) table: &'static str,
    /// Which of its rows, as a condition of KQL; all where it is empty.
    pub(super) rows: &'static str,
}

const M365: &[&str] = &["m365", "microsoft365", "office365", "o365"];
const AZURE: &[&str] = &["azure", "entra", "entra_id", "azure_ad"];

/// All routes. A service `""` is a rule that names none.
const ROUTES: [Route; 6] = [
    Route {
        products: M365,
        services: &[
            "",
            "audit",
            "exchange",
            "onedrive",
            "sharepoint",
            "teams",
            "threat_detection",
            "threat_management",
        ],
        table: "UnifiedAuditLog",
        rows: "",
    },
    Route {
        products: AZURE,
        services: &["auditlogs"],
        table: "AuditLogs",
        rows: "",
    },
    Route {
        products: AZURE,
        services: &["pim"],
        table: "AuditLogs",
        rows: "LoggedByService =~ \"PIM\"",
    },
    Route {
        products: AZURE,
        services: &["signinlogs"],
        table: "SigninLogs",
        rows: "",
    },
    Route {
        products: AZURE,
        services: &["activitylogs", "azureactivity"],
        table: "AzureActivity",
        rows: "",
    },
    Route {
        products: AZURE,
        services: &["riskdetection"],
        table: "AADUserRiskEvents",
        rows: "",
    },
];

impl Route {
    /// Whether it is that of Entra's alerts on privileged roles, which have fields of their own.
    pub(super) fn is_privileged_roles(self) -> bool {
        self.services == ["pim"]
    }
}

/// The route of a `logsource`.
pub(super) fn route(node: &Node) -> Result<Route, Refusal> {
    let part = |key: &str| {
        let text = node.get(key).and_then(Node::text).unwrap_or_default();
        text.trim().to_ascii_lowercase().replace([' ', '-'], "_")
    };
    let (product, service, category) = (part("product"), part("service"), part("category"));
    // Older rules say the product there too.
    let bare = service.strip_prefix("azure.").unwrap_or(&service);
    let fits = |r: &&Route| r.products.contains(&product.as_str()) && r.services.contains(&bare);
    match ROUTES.iter().find(fits) {
        Some(route) if category.is_empty() => Ok(*route),
        _ => Err(unknown(&product, &service, &category, node.at)),
    }
}

fn unknown(product: &str, service: &str, category: &str, at: At) -> Refusal {
    let named: Vec<String> = [
        ("product", product),
        ("service", service),
        ("category", category),
    ]
    .iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(key, value)| format!("{key} `{value}`"))
    .collect();
    let what = match named.is_empty() {
        true => "a logsource that names nothing".to_string(),
        false => format!("the logsource {}", named.join(", ")),
    };
    let known: Vec<String> = ROUTES
        .iter()
        .filter(|r| r.products.contains(&product))
        .flat_map(|r| r.services)
        .filter(|s| !s.is_empty())
        .map(|s| format!("`{s}`"))
        .collect();
    let hint = match known.is_empty() {
        true => "known products are `m365` and `azure`".to_string(),
        false => format!("known services of `{product}`: {}", known.join(", ")),
    };
    Refusal::new(at, format!("no known table has the events of {what}")).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::catalog;
    use crate::sigma::yaml;

    fn of(text: &str) -> Result<&'static str, String> {
        let nodes = yaml::documents(text).expect("it is YAML");
        route(&nodes[0])
            .map(|r| r.table)
            .map_err(|e| format!("{}; {}", e.message, e.hint.unwrap_or_default()))
    }

    #[test]
    fn events_are_where_the_product_logs_them() {
        assert_eq!(
            of("{product: m365, service: threat_management}"),
            Ok("UnifiedAuditLog")
        );
        assert_eq!(of("{product: m365}"), Ok("UnifiedAuditLog"));
        assert_eq!(
            of("{product: azure, service: signinlogs}"),
            Ok("SigninLogs")
        );
        assert_eq!(
            of("{product: azure, service: pim, definition: x}"),
            Ok("AuditLogs")
        );
        assert_eq!(
            of("{product: azure, service: azure.signinlogs}"),
            Ok("SigninLogs")
        );
        for route in ROUTES {
            let known = catalog();
            assert!(
                known
                    .get(route.table)
                    .or(known.foreign(route.table))
                    .is_some()
            );
        }
    }

    #[test]
    fn an_unknown_source_is_said_by_name() {
        let said = of("{product: windows, category: process_creation}").expect_err("unknown");
        assert!(
            said.contains("product `windows`, category `process_creation`"),
            "{said}"
        );
        let said = of("{product: azure, service: dns}").expect_err("unknown");
        assert!(
            said.contains("known services of `azure`: `auditlogs`, `pim`"),
            "{said}"
        );
    }
}
