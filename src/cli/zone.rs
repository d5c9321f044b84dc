//! Names of zones, as options take them.

use chrono_tz::{TZ_VARIANTS, Tz};

use crate::kql::eval::nearest;

/// Names that an error offers.
const OFFERED: usize = 3;

/// The zone of that name; `local` is that of this machine.
pub(super) fn zone(text: &str) -> Result<Tz, String> {
    match text {
        "local" => here(),
        _ => named(text).ok_or_else(|| unknown(text)),
    }
}

fn named(text: &str) -> Option<Tz> {
    let mut zones = TZ_VARIANTS.iter().copied();
    zones.find(|zone| zone.name().eq_ignore_ascii_case(text))
}

fn here() -> Result<Tz, String> {
    let own = std::env::var_os("TZ").filter(|name| !name.is_empty());
    let name = match own.map(|name| name.to_string_lossy().into_owned()) {
        // Programs of POSIX take a colon in front of a name, and the file that has the zone.
        Some(name) => match name.split_once("/zoneinfo/") {
            Some((_, name)) => name.to_string(),
            None => name.trim_start_matches(':').to_string(),
        },
        None => iana_time_zone::get_timezone()
            .map_err(|e| format!("the zone of this machine is not known ({e}): name it"))?,
    };
    named(&name).ok_or_else(|| {
        let name = name.escape_debug();
        format!("the zone of this machine is called `{name}`, which is none of the IANA database: name one")
    })
}

/// Why a name is none, and which could have been meant.
fn unknown(text: &str) -> String {
    let offset = text.starts_with(['+', '-']) || text.parse::<f64>().is_ok();
    let near = match offset {
        true => Vec::new(),
        false => near(text),
    };
    match near.as_slice() {
        [] => "not a zone of the IANA database, such as Europe/Berlin, America/New_York or UTC; `local` is that of this machine".into(),
        near => format!(
            "not a zone of the IANA database; did you mean {}?",
            near.join(" or ")
        ),
    }
}

/// Zones that are called nearly so, or of which the city is.
fn near(text: &str) -> Vec<String> {
    let wanted = text.trim().to_lowercase().replace([' ', '-'], "_");
    let names = || TZ_VARIANTS.iter().map(|zone| zone.name());
    let place = |name: &str| name.rsplit('/').next().unwrap_or(name).to_lowercase();
    let city = wanted.rsplit('/').next().unwrap_or_default();
    let mut found: Vec<&str> = names().filter(|name| place(name) == city).collect();
    let whole: Vec<String> = names().map(str::to_lowercase).collect();
    let like = |wanted: &str, known: &[String]| {
        let near = nearest(wanted, known.iter().map(String::as_str))?;
        known.iter().position(|name| name == near)
    };
    let cities: Vec<String> = names().map(place).collect();
    let alike = [like(&wanted, &whole), like(city, &cities)];
    found.extend(alike.into_iter().flatten().filter_map(|at| names().nth(at)));
    let mut near: Vec<String> = Vec::new();
    for name in found {
        let name = format!("`{name}`");
        if near.len() < OFFERED && !near.contains(&name) {
            near.push(name);
        }
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_the_names_of_the_database_in_any_case() {
        for name in ["Europe/Berlin", "europe/berlin", "EUROPE/BERLIN"] {
            assert_eq!(zone(name), Ok(Tz::Europe__Berlin), "{name}");
        }
        assert_eq!(zone("utc"), Ok(Tz::UTC));
    }

    #[test]
    fn what_is_none_is_told_with_those_that_are_nearly_called_so() {
        for (name, near) in [
            ("Europe/Berln", "`Europe/Berlin`"),
            ("Berlin", "`Europe/Berlin`"),
            ("Germany/Berlin", "`Europe/Berlin`"),
            ("new york", "`America/New_York`"),
            ("Sidney", "`Australia/Sydney`"),
        ] {
            let why = zone(name).expect_err(name);
            assert!(why.contains(near), "{name}: {why}");
        }
        for name in ["+02:00", "2", "xyzzyxyzzy", ""] {
            let why = zone(name).expect_err(name);
            assert!(why.contains("Europe/Berlin"), "{name}: {why}");
        }
    }
}
