//! What is counted as label events go by, in one pass and in any order.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::asked::Asked;
use super::buckets::Buckets;
use super::events::{Event, Named, extension, site};
use super::rankings::Counts;

/// Bytes of an entry of a map with small keys and values, with room that it keeps free.
const ENTRY: usize = 48;

/// Texts, each with a number.
#[derive(Debug, Default)]
pub(super) struct Numbered {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
    bytes: usize,
}

impl Numbered {
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.bytes += 2 * text.len() + 2 * ENTRY;
        self.numbers.insert(text.to_string(), number);
        self.texts.push(text.to_string());
        number
    }

    pub(super) fn text(&self, number: u32) -> &str {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        self.texts.get(at).map_or("", String::as_str)
    }

    pub(super) fn find(&self, text: &str) -> Option<u32> {
        self.numbers.get(text).copied()
    }
}

/// A number of one thing in all that was asked for, in the two periods, and over time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Key {
    /// In all that was asked for.
    pub value: u64,
    /// In the later period.
    pub now: u64,
    /// In the one before.
    pub before: u64,
    /// In each bucket.
    pub series: Vec<u64>,
}

impl Key {
    /// Counts one thing.
    pub(super) fn add(&mut self, at: i64, asked: &Asked<'_>, buckets: &Buckets) {
        match asked.periods.and_then(|span| span.is_now(at)) {
            Some(true) => self.now += 1,
            Some(false) => self.before += 1,
            None => {}
        }
        if asked.is_asked(at) {
            self.value += 1;
            self.series.resize(buckets.count(), 0);
            if let Some(n) = buckets.bucket(at).and_then(|b| self.series.get_mut(b)) {
                *n += 1;
            }
        }
    }
}

/// The same of things that count once each.
#[derive(Debug, Default)]
pub(super) struct Distinct {
    all: HashSet<u32>,
    now: HashSet<u32>,
    before: HashSet<u32>,
    by_bucket: HashSet<(usize, u32)>,
    by_day: HashSet<(usize, u32)>,
}

impl Distinct {
    fn add(&mut self, one: u32, at: i64, asked: &Asked<'_>, buckets: &Buckets) {
        match asked.periods.and_then(|span| span.is_now(at)) {
            Some(true) => self.now.insert(one),
            Some(false) => self.before.insert(one),
            None => false,
        };
        if asked.is_asked(at) {
            self.all.insert(one);
            let bucket = buckets.bucket(at).map(|bucket| (bucket, one));
            self.by_bucket.extend(bucket);
            self.by_day.extend(buckets.day(at).map(|day| (day, one)));
        }
    }

    pub(super) fn key(&self, buckets: &Buckets) -> Key {
        Key {
            value: self.all.len() as u64,
            now: self.now.len() as u64,
            before: self.before.len() as u64,
            series: sums(&self.by_bucket, buckets.count()),
        }
    }

    pub(super) fn by_day(&self, buckets: &Buckets) -> Vec<u64> {
        sums(&self.by_day, buckets.day_count())
    }

    fn bytes(&self) -> usize {
        let all = [&self.all, &self.now, &self.before];
        let single: usize = all
            .iter()
            .map(|set| set.capacity() * size_of::<u32>())
            .sum();
        let pairs = self.by_bucket.capacity() + self.by_day.capacity();
        single + pairs * size_of::<(usize, u32)>()
    }
}

fn sums(pairs: &HashSet<(usize, u32)>, count: usize) -> Vec<u64> {
    let mut sums = vec![0; count];
    for (at, _) in pairs {
        if let Some(sum) = sums.get_mut(*at) {
            *sum += 1;
        }
    }
    sums
}

/// What happened to a label.
#[derive(Debug, Clone, Default)]
pub(super) struct Fate {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) rank: Option<i64>,
    pub(super) applied: u64,
    pub(super) upgraded: u64,
    pub(super) downgraded: u64,
    pub(super) removed: u64,
    pub(super) opened: u64,
    pub(super) denied: u64,
}

/// How often a label came in the place of another.
#[derive(Debug, Default)]
pub(super) struct Turns {
    pub(super) count: u64,
    pub(super) users: HashSet<u32>,
}

/// A label, or none, after another, by what kind of change.
pub(super) type Turn = (u32, Option<u32>, u32);

/// A user's label events beside their number.
#[derive(Debug, Default)]
pub(super) struct Habits {
    /// By action.
    pub(super) actions: BTreeMap<u32, u64>,
    pub(super) first: Option<i64>,
    pub(super) last: Option<i64>,
}

/// All that is counted.
#[derive(Debug, Default)]
pub(super) struct LabelCounts {
    pub(super) actions: Numbered,
    pub(super) users: Numbered,
    pub(super) labels: Numbered,
    /// Devices, applications and addresses.
    pub(super) places: Numbered,
    /// Events of a bucket and an action.
    pub(super) over_time: HashMap<(usize, u32), u64>,
    /// Events of each action.
    pub(super) by_action: BTreeMap<u32, u64>,
    pub(super) by_user: Counts,
    pub(super) by_label: Counts,
    pub(super) by_application: Counts,
    pub(super) by_site: Counts,
    pub(super) by_extension: Counts,
    pub(super) by_how: Counts,
    pub(super) justifications: Counts,
    /// Events of a user, and of a label, on each day counted from 1970.
    pub(super) user_days: HashMap<(u32, i64), u64>,
    pub(super) label_days: HashMap<(u32, i64), u64>,
    pub(super) days: BTreeMap<i64, u64>,
    pub(super) user_buckets: HashMap<(u32, usize), u64>,
    pub(super) fates: BTreeMap<u32, Fate>,
    pub(super) turns: BTreeMap<Turn, Turns>,
    pub(super) habits: BTreeMap<u32, Habits>,
    /// How often a user was on a device, used an application, came from an address.
    pub(super) user_devices: HashMap<(u32, u32), u64>,
    pub(super) user_applications: HashMap<(u32, u32), u64>,
    pub(super) user_addresses: HashMap<(u32, u32), u64>,
    pub(super) distinct_users: Distinct,
    pub(super) distinct_devices: Distinct,
    pub(super) labelling: Key,
    pub(super) protecting: Key,
    pub(super) lowering: Key,
    pub(super) granted: u64,
    pub(super) total: u64,
    /// Domains of those who set labels, in lower case.
    pub(super) domains: HashSet<String>,
}

impl LabelCounts {
    /// Counts an event.
    pub(super) fn add(&mut self, event: &Event<'_>, asked: &Asked<'_>, buckets: &Buckets) {
        if event.is_change() {
            self.labelling.add(event.at, asked, buckets);
        }
        if event.protects {
            self.protecting.add(event.at, asked, buckets);
        }
        if event.is_lowered() {
            self.lowering.add(event.at, asked, buckets);
        }
        let user = event.user.map(|user| self.users.number(user));
        let device = event.device.map(|device| self.places.number(device));
        if let Some(user) = user {
            self.distinct_users.add(user, event.at, asked, buckets);
        }
        if let Some(device) = device {
            self.distinct_devices.add(device, event.at, asked, buckets);
        }
        if !asked.is_asked(event.at) {
            return;
        }
        self.total += 1;
        self.granted += u64::from(event.granted);
        let action = self.actions.number(event.action);
        *self.by_action.entry(action).or_default() += 1;
        if let Some(bucket) = buckets.bucket(event.at) {
            *self.over_time.entry((bucket, action)).or_default() += 1;
        }
        let day = buckets.day_number(event.at);
        *self.days.entry(day).or_default() += 1;
        self.rank(event, action);
        if let Some(user) = user {
            self.of_user(user, device, action, event);
            *self.user_days.entry((user, day)).or_default() += 1;
            if let Some(bucket) = buckets.bucket(event.at) {
                *self.user_buckets.entry((user, bucket)).or_default() += 1;
            }
        }
        let label = event.new.or(event.old);
        if let Some(label) = label {
            let label = self.label(label);
            *self.label_days.entry((label, day)).or_default() += 1;
        }
        self.of_labels(event, user, action);
    }

    /// Counts it in the rankings.
    fn rank(&mut self, event: &Event<'_>, action: u32) {
        let slot = usize::try_from(action).unwrap_or(0);
        self.by_user.add(event.user, slot);
        self.by_application.add(event.application, slot);
        let site = [event.site, event.path]
            .into_iter()
            .flatten()
            .find_map(site);
        self.by_site.add(site.as_deref(), slot);
        let extension = event.file.map(extension);
        self.by_extension.add(extension.as_deref(), slot);
        if event.is_change() {
            self.by_how.add(Some(event.how.unwrap_or("not said")), slot);
            let domain = event.user.and_then(domain);
            if let Some(domain) = domain.filter(|domain| !self.domains.contains(*domain)) {
                self.domains.insert(domain.to_string());
            }
        }
        if event.is_lowered() {
            self.justifications.add(event.justification, slot);
        }
    }

    /// Counts it for its user.
    fn of_user(&mut self, user: u32, device: Option<u32>, action: u32, event: &Event<'_>) {
        let habits = self.habits.entry(user).or_default();
        *habits.actions.entry(action).or_default() += 1;
        let first = habits.first.map_or(event.at, |first| first.min(event.at));
        let last = habits.last.map_or(event.at, |last| last.max(event.at));
        (habits.first, habits.last) = (Some(first), Some(last));
        if let Some(device) = device {
            *self.user_devices.entry((user, device)).or_default() += 1;
        }
        if let Some(application) = event.application {
            let application = self.places.number(application);
            *self
                .user_applications
                .entry((user, application))
                .or_default() += 1;
        }
        if let Some(address) = event.address {
            let address = self.places.number(address);
            *self.user_addresses.entry((user, address)).or_default() += 1;
        }
    }

    /// Counts it for its labels.
    fn of_labels(&mut self, event: &Event<'_>, user: Option<u32>, action: u32) {
        let slot = usize::try_from(action).unwrap_or(0);
        let called = event.new.or(event.old).map(called);
        self.by_label.add(called, slot);
        let old = event.old.map(|label| self.label(label));
        let new = event.new.map(|label| self.label(label));
        let mut fate = |label: Option<u32>, happened: fn(&mut Fate)| {
            if let Some(label) = label
                && let Some(fate) = self.fates.get_mut(&label)
            {
                happened(fate);
            }
        };
        match event.action {
            "LabelApplied" | "LabelChanged" => fate(new, |f| f.applied += 1),
            "LabelUpgraded" => {
                fate(new, |f| f.applied += 1);
                fate(new, |f| f.upgraded += 1);
            }
            "LabelDowngraded" => {
                fate(new, |f| f.applied += 1);
                fate(old, |f| f.downgraded += 1);
            }
            "LabelRemoved" => fate(old, |f| f.removed += 1),
            "FileOpened" => fate(new, |f| f.opened += 1),
            "AccessDenied" => fate(new, |f| f.denied += 1),
            _ => {}
        }
        if let Some(old) = old
            && event.is_change()
            && event.action != "LabelApplied"
        {
            let turns = self.turns.entry((old, new, action)).or_default();
            turns.count += 1;
            turns.users.extend(user);
        }
    }

    /// The number of a label. Its name and rank are those that the watchlist says, which are the same in all its events; where there are several, the
    /// first by the alphabet.
    fn label(&mut self, label: Named<'_>) -> u32 {
        let number = self.labels.number(label.key());
        let fate = self.fates.entry(number).or_insert_with(|| Fate {
            id: label.id.to_string(),
            name: label.name.to_string(),
            rank: label.rank,
            ..Fate::default()
        });
        if !label.name.is_empty() && (fate.name.is_empty() || label.name < fate.name.as_str()) {
            fate.name = label.name.to_string();
        }
        fate.rank = fate.rank.or(label.rank);
        number
    }

    /// How much memory it takes, roughly.
    pub(super) fn bytes(&self) -> usize {
        let rankings = [
            &self.by_user,
            &self.by_label,
            &self.by_application,
            &self.by_site,
            &self.by_extension,
            &self.by_how,
            &self.justifications,
        ];
        let rankings: usize = rankings.iter().map(|counts| counts.bytes()).sum();
        let texts = [&self.actions, &self.users, &self.labels, &self.places];
        let texts: usize = texts.iter().map(|texts| texts.bytes).sum();
        let maps = self.over_time.capacity()
            + self.user_days.capacity()
            + self.label_days.capacity()
            + self.user_buckets.capacity()
            + self.user_devices.capacity()
            + self.user_applications.capacity()
            + self.user_addresses.capacity()
            + 4 * self.habits.len();
        rankings
            + texts
            + maps * ENTRY
            + self.distinct_users.bytes()
            + self.distinct_devices.bytes()
    }
}

/// What a label is called.
pub(super) fn called(label: Named<'_>) -> &str {
    match label.name {
        "" => label.id,
        name => name,
    }
}

/// The domain of an address in lower case; nothing of what is none, and of guests, whose addresses have that of the tenant.
pub(super) fn domain(user: &str) -> Option<&str> {
    let (name, domain) = user.rsplit_once('@')?;
    let is_domain = domain.contains('.') && !domain.contains(char::is_whitespace);
    (!name.is_empty() && is_domain && !name.contains("#ext#")).then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_not_of_the_domain_of_his_address() {
        for (user, wanted) in [
            ("a@contoso.com", Some("contoso.com")),
            ("a_fabrikam.com#ext#@contoso.onmicrosoft.com", None),
            ("app@sharepoint", None),
            ("s-1-5-18", None),
            ("@contoso.com", None),
        ] {
            assert_eq!(domain(user), wanted, "{user}");
        }
    }
}
