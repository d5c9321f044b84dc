//! Sites and groups as records name them.

use crate::text::json::{Place, Raw, find};

/// Beginnings of the paths of sites that are not the first of their host.
const BELOW: [&str; 3] = ["sites", "teams", "personal"];
/// Entries of a record's target that are looked at.
const ENTRIES: i64 = 16;
/// Type of the entry with the name that people see.
const DISPLAY_NAME: &str = "1";

/// The address of a site as a record has it, without the slash that some have at its end.
pub fn site(address: &str) -> Option<String> {
    let address = address.trim().trim_end_matches('/');
    (!address.is_empty()).then(|| address.to_string())
}

/// The site in which a document of SharePoint or OneDrive lies, by its address; nothing for all that lies elsewhere.
pub fn site_of(path: &str) -> Option<String> {
    let path = path.trim();
    let (scheme, rest) = path.split_once("://")?;
    let is_web = ["https", "http"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    let mut parts = rest.split('/');
    let host = parts.next()?;
    if !is_web || !host.to_ascii_lowercase().contains(".sharepoint.") {
        return None;
    }
    let first = parts.next().unwrap_or_default();
    let name = parts.next().filter(|name| !name.is_empty());
    let is_below = BELOW.iter().any(|known| first.eq_ignore_ascii_case(known));
    Some(match name.filter(|_| is_below) {
        Some(name) => format!("{scheme}://{host}/{first}/{name}"),
        None => format!("{scheme}://{host}"),
    })
}

/// The name of the group that a directory record is about, of its `Target`.
pub fn group_of(target: &str) -> Option<String> {
    let text = |n: i64, name: &str| {
        let path = [Place::Element(n), Place::Member(name.into())];
        Raw::of(find(target, &path)?).text()
    };
    let is_name = |n: &i64| text(*n, "Type").is_some_and(|kind| kind == DISPLAY_NAME);
    let name = (0..ENTRIES).find(is_name).and_then(|n| text(n, "ID"))?;
    (!name.trim().is_empty()).then(|| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_found_in_addresses_of_sharepoint_alone() {
        for (path, site) in [
            (
                "https://contoso.sharepoint.com/sites/legal/Shared Documents/a/Plan.docx",
                Some("https://contoso.sharepoint.com/sites/legal"),
            ),
            (
                "HTTPS://contoso-my.sharepoint.com/personal/ada_contoso_com/Documents/Plan.docx",
                Some("HTTPS://contoso-my.sharepoint.com/personal/ada_contoso_com"),
            ),
            (
                "https://contoso.sharepoint.com/a/Plan.docx",
                Some("https://contoso.sharepoint.com"),
            ),
            (
                "https://contoso.sharepoint.com/sites/",
                Some("https://contoso.sharepoint.com"),
            ),
            ("https://contoso.com/sites/legal/Plan.docx", None),
            (r"C:\Users\ada\Plan.docx", None),
            ("ftp://contoso.sharepoint.com/sites/a/b", None),
            ("", None),
        ] {
            assert_eq!(site_of(path).as_deref(), site, "{path}");
        }
        assert_eq!(site(" https://a/b/ ").as_deref(), Some("https://a/b"));
        assert_eq!(site("/"), None);
    }

    #[test]
    fn a_group_is_called_as_people_see_it() {
        let target =
            r#"[{"ID":"Group_1","Type":2},{"ID":"Group","Type":2},{"ID":"Sales","Type":1}]"#;
        assert_eq!(group_of(target).as_deref(), Some("Sales"));
        for none in ["", "[]", "{}", r#"[{"ID":"","Type":1}]"#, r#"[{"ID":"x"}]"#] {
            assert_eq!(group_of(none), None, "{none}");
        }
    }
}
