//! Who may be written to: addresses of the tenant, and those that are allowed by name.

use lettre::Address;

use super::redact::without_addresses;

/// To whom mails may go.
#[derive(Debug, Clone, Default)]
pub struct Recipients {
    /// Domains of the tenant.
    pub domains: Vec<String>,
    /// Addresses outside of these.
    pub allowed: Vec<String>,
}

impl Recipients {
    /// Why nobody writes to this address; nothing where one may.
    pub fn refuse(&self, address: &str) -> Option<String> {
        let Ok(parsed) = address.parse::<Address>() else {
            return Some("no address of mail".into());
        };
        if !address.is_ascii() {
            return Some("only letters of ASCII stand in the head of a mail".into());
        }
        if without_addresses(address) != address {
            return Some("it holds an address of the internet".into());
        }
        let domain = parsed.domain();
        let own = self
            .domains
            .iter()
            .any(|own| own.eq_ignore_ascii_case(domain));
        if own
            || self
                .allowed
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(address))
        {
            return None;
        }
        Some(format!(
            "`{domain}` is no domain of --domain; --allow-recipient allows an address by name"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_the_tenant_only_those_that_are_named() {
        let recipients = Recipients {
            domains: vec!["Contoso.com".into()],
            allowed: vec!["Partner@fabrikam.com".into()],
        };
        for address in [
            "dave@contoso.com",
            "dave@CONTOSO.COM",
            "partner@fabrikam.com",
        ] {
            assert_eq!(recipients.refuse(address), None, "{address}");
        }
        for address in [
            "other@fabrikam.com",
            "dave@contoso.com.evil.example",
            "dave@evil-contoso.com",
            "dave@sub.contoso.com",
            "dave@contoso.com@evil.example",
            "dave@[192.0.2.7]",
            "192.0.2.7@contoso.com",
            "j\u{f6}rg@contoso.com",
            "dave@contoso.com\u{200b}",
            "dave@\u{ff43}ontoso.com",
            "dave",
            "",
        ] {
            assert!(recipients.refuse(address).is_some(), "{address}");
        }
    }
}
