//! An ordinary month of a company: what its people, administrators and services do where nobody attacks. The same on every machine.
//!
//! `month.tsv` says what there is and how often; here it gets its people, places and times. Berlin and New York keep their working hours and
//! week-ends, one person travels from the one to the other and back, notebooks go home in the evening, telephones go everywhere. Nothing here
//! knows a rule.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

const KINDS: &str = include_str!("month.tsv");
/// Tables, and the files that their rows come in.
const TABLES: [(&str, &str); 5] = [
    ("ual", "audit"),
    ("signin", "SigninLogs"),
    ("non", "AADNonInteractiveUserSignInLogs"),
    ("audit", "AuditLogs"),
    ("sp", "AADServicePrincipalSignInLogs"),
];
const DAY: u64 = 86_400;
/// Working days of May 2026, from 0.
const WORKING: [u64; 21] = [
    0, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 17, 18, 19, 20, 21, 24, 25, 26, 27, 28,
];
/// The day of the flight to New York and that of the flight back, from 0: the traveller does nothing then.
const FLIGHTS: (u64, u64) = (9, 15);
/// The day on which browsers are updated, from 0.
const UPDATE: u64 = 14;

const STAFF: u64 = 40;
const ADMINS: u64 = 3;
const GUESTS: u64 = 2;
/// The account of a machine that scans and mails, behind the people.
const SCANNER: u64 = STAFF + ADMINS + GUESTS;
const TRAVELLER: u64 = 1;
const ASSISTANT: u64 = 5;
const BOSS: u64 = 6;
/// The first so many of the staff get new notebooks.
const NEW_NOTEBOOKS: u64 = 8;

const FIRST: [&str; 8] = [
    "Anna", "Ben", "Clara", "David", "Elif", "Finn", "Greta", "Hugo",
];
const LAST: [&str; 6] = ["Adler", "Bishop", "Costa", "Duarte", "Ekberg", "Farrow"];
const SUBJECTS: [&str; 12] = [
    "Agenda for Thursday",
    "Travel plan",
    "Minutes of the meeting",
    "Lunch",
    "Questions on the offer",
    "Holiday list",
    "New desk",
    "Numbers of April",
    "Welcome",
    "Training in June",
    "Delivery dates",
    "Draft of the brochure",
];
const FILES: [&str; 10] = [
    "Plan",
    "Report",
    "Minutes",
    "Offer",
    "Schedule",
    "Brochure",
    "Checklist",
    "Handbook",
    "Catalogue",
    "Notes",
];
const ENDINGS: [&str; 4] = ["docx", "xlsx", "pptx", "pdf"];
const FOLDERS: [&str; 6] = [
    "General",
    "Projects",
    "Customers",
    "Events",
    "Templates",
    "2026",
];
const SITES: [&str; 6] = [
    "sales",
    "logistics",
    "research",
    "marketing",
    "service",
    "office",
];
const TEAMS: [&str; 6] = [
    "Sales",
    "Logistics",
    "Research",
    "Marketing",
    "Service",
    "Office",
];

/// Writes the months of so many companies of this size, which share a tenant, as exports into a folder; how many events it wrote.
pub(crate) fn write(folder: &Path, companies: u64) -> u64 {
    let kinds: Vec<Kind> = KINDS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(Kind::of)
        .collect();
    let mut written = 0;
    for company in 0..companies {
        let people: Vec<Person> = (0..=SCANNER)
            .map(|index| Person::new(company, index))
            .collect();
        for (table, file) in TABLES {
            let mut events = Vec::new();
            for (number, kind) in kinds.iter().enumerate() {
                if kind.table == table {
                    kind.happen(company, number as u64, &people, &mut events);
                }
            }
            // Events of one second stay in the order in which they were made.
            events.sort_by_key(|(second, _)| *second);
            let file = File::create(folder.join(format!("{file}-{company:03}.jsonl")));
            let mut out = BufWriter::new(file.expect("the file can be made"));
            for (_, event) in &events {
                writeln!(out, "{event}").expect("the event can be written");
            }
            out.flush().expect("the events can be written");
            written += events.len() as u64;
        }
    }
    written
}

/// A small generator of numbers.
struct Seed(u64);

impl Seed {
    /// One that is far from those of neighbouring numbers.
    fn of(company: u64, number: u64) -> Seed {
        let mut seed = Seed(company * 1_000_003 + number * 7_919 + 17);
        for _ in 0..3 {
            seed.next();
        }
        seed
    }

    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn one_of(&mut self, of: &[&'static str]) -> &'static str {
        of[self.below(of.len() as u64) as usize]
    }

    fn hex(&mut self) -> String {
        format!("{:06x}{:06x}", self.below(1 << 24), self.below(1 << 24))
    }

    fn guid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        let (c, d) = (self.next(), self.next());
        format!(
            "{a:08x}-{:04x}-4{:03x}-8{:03x}-{:06x}{:06x}",
            b & 0xffff,
            (b >> 16) & 0xfff,
            c & 0xfff,
            (c >> 12) & 0xff_ffff,
            d & 0xff_ffff
        )
    }
}

/// Where somebody is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Office,
    Home,
    Phone,
    Guest,
    Cloud,
}

struct Person {
    company: u64,
    index: u64,
    name: String,
    alias: String,
    user: String,
    id: String,
    puid: String,
    sid: String,
    mailbox: String,
    device: String,
    notebook: String,
    /// The session of the notebook, and that of the telephone.
    sessions: [String; 2],
}

impl Person {
    fn new(company: u64, index: u64) -> Person {
        let mut seed = Seed::of(company, 1_000_000 + index);
        let first = FIRST[(index % 8) as usize];
        let last = LAST[(index / 8 % 6) as usize];
        let tail = match company {
            0 => String::new(),
            _ => format!("{company}"),
        };
        let alias = format!("{}_{}{tail}", first.to_lowercase(), last.to_lowercase());
        let (name, user) = if index < STAFF {
            let user = format!("{}@contoso.com", alias.replace('_', "."));
            (format!("{first} {last}"), user)
        } else if index < STAFF + ADMINS {
            let user = format!("adm.{}{tail}@contoso.com", first.to_lowercase());
            (format!("{first} (Administrator)"), user)
        } else if index == SCANNER {
            ("Scanner".into(), format!("svc.scan{tail}@contoso.com"))
        } else {
            let user = format!("{alias}_fabrikam.com#EXT#@contoso.onmicrosoft.com");
            (format!("{first} {last}"), user)
        };
        Person {
            company,
            index,
            name,
            alias,
            user,
            id: seed.guid(),
            puid: format!("10032002{:08X}", seed.next()),
            sid: format!("S-1-5-21-1004336348-1177238915-682003330-{}", 1000 + index),
            mailbox: seed.guid(),
            device: seed.guid(),
            notebook: format!("NB-{:04}", company * 100 + index),
            sessions: [seed.guid(), seed.guid()],
        }
    }

    /// Whether this day is one in New York.
    fn is_west(&self, day: u64) -> bool {
        let travels = self.index == TRAVELLER && day > FLIGHTS.0 && day < FLIGHTS.1;
        self.index % 10 >= 7 || travels
    }

    /// A moment at which somebody is there, in seconds of the month, and the day it belongs to.
    fn moment(&self, place: Place, seed: &mut Seed) -> (u64, u64) {
        let (day, minute) = match place {
            Place::Office | Place::Guest => {
                (WORKING[seed.below(21) as usize], 8 * 60 + seed.below(600))
            }
            Place::Home => (seed.below(29), 18 * 60 + 30 + seed.below(180)),
            Place::Phone => (seed.below(29), 7 * 60 + seed.below(900)),
            Place::Cloud => (seed.below(29), 2 * 60 + seed.below(1_300)),
        };
        let day = match day {
            _ if self.index != TRAVELLER => day,
            day if day == FLIGHTS.0 => day - 1,
            day if day == FLIGHTS.1 => day + 1,
            day => day,
        };
        let local = day * DAY + minute * 60 + seed.below(60);
        let second = match place {
            Place::Cloud => local,
            Place::Guest => local + 5 * 3600,
            _ if self.is_west(day) => local + 4 * 3600,
            _ => local - 2 * 3600,
        };
        (second, day)
    }

    fn address(&self, place: Place, day: u64) -> String {
        let (company, index) = (self.company, self.index);
        match (place, self.is_west(day)) {
            (Place::Cloud, _) => "192.0.2.250".into(),
            (Place::Guest, _) => format!("203.0.113.{}", 180 + index - STAFF),
            (Place::Office, false) => format!("192.0.2.{}", 10 + company % 200),
            (Place::Office, true) => format!("203.0.113.{}", 10 + company % 150),
            // A hotel, while away.
            (Place::Home, true) if index == TRAVELLER => {
                format!("2001:db8:f000:{company:x}::2a")
            }
            (Place::Home, _) => format!("2001:db8:{:x}:1::{:x}", company * 64 + index, 16 + index),
            (Place::Phone, false) => format!("198.51.100.{}", 20 + index % 6),
            (Place::Phone, true) => format!("198.51.100.{}", 120 + index % 4),
        }
    }
}

/// A kind of event: a line of the table.
struct Kind<'a> {
    table: &'a str,
    who: &'a str,
    place: Place,
    count: u64,
    row: u64,
    gap: u64,
    /// Text and names of what is filled in, in turns.
    parts: Vec<&'a str>,
}

impl<'a> Kind<'a> {
    fn of(line: &'a str) -> Kind<'a> {
        let cells: Vec<&str> = line.split('\t').collect();
        let [table, who, place, count, series, record] = cells[..] else {
            panic!("a line has six cells: {line}");
        };
        let number = |text: &str| text.parse::<u64>().expect("a number");
        let (row, gap) = series.split_once('x').expect("a series");
        Kind {
            table,
            who,
            place: match place {
                "office" => Place::Office,
                "home" => Place::Home,
                "phone" => Place::Phone,
                "guest" => Place::Guest,
                _ => Place::Cloud,
            },
            count: number(count),
            row: number(row),
            gap: number(gap),
            parts: record.split('%').collect(),
        }
    }

    /// Lets it happen a month long.
    fn happen(
        &self,
        company: u64,
        number: u64,
        people: &[Person],
        events: &mut Vec<(u64, String)>,
    ) {
        let mut seed = Seed::of(company, number);
        for _ in 0..self.count {
            let index = match self.who {
                "staff" => seed.below(STAFF),
                "admin" => STAFF + seed.below(ADMINS),
                "guest" => STAFF + ADMINS + seed.below(GUESTS),
                "newpc" => seed.below(NEW_NOTEBOOKS),
                "assistant" => ASSISTANT,
                "service" => SCANNER,
                _ => 0,
            };
            let person = &people[index as usize];
            let (begin, day) = person.moment(self.place, &mut seed);
            for step in 0..self.row {
                let second = begin + step * self.gap;
                events.push((second, self.event(person, people, second, day, &mut seed)));
            }
        }
    }

    fn event(
        &self,
        person: &Person,
        people: &[Person],
        second: u64,
        day: u64,
        seed: &mut Seed,
    ) -> String {
        let about = About::new(person, people, seed);
        let mut text = String::with_capacity(2_000);
        for (at, part) in self.parts.iter().enumerate() {
            if at % 2 == 0 {
                text.push_str(part);
                continue;
            }
            let said = match *part {
                "time" => format!(
                    "2026-05-{:02}T{:02}:{:02}:{:02}",
                    1 + second / DAY,
                    second / 3600 % 24,
                    second / 60 % 60,
                    second % 60
                ),
                "guid" => seed.guid(),
                "hex" => seed.hex(),
                "n" => (1_000 + seed.below(90_000)).to_string(),
                "few" => (1 + seed.below(9)).to_string(),
                "ip" => person.address(self.place, day),
                "ipport" => {
                    let (address, port) =
                        (person.address(self.place, day), 40_000 + seed.below(20_000));
                    match address.contains(':') {
                        true => format!("[{address}]:{port}"),
                        false => format!("{address}:{port}"),
                    }
                }
                name => self
                    .of_place(name, person, day)
                    .unwrap_or_else(|| about.said(name)),
            };
            text.push_str(&said);
        }
        text
    }

    /// What depends on the place and the device.
    fn of_place(&self, name: &str, person: &Person, day: u64) -> Option<String> {
        let is_phone = self.place == Place::Phone;
        let version = if day < UPDATE { 147 } else { 148 };
        let is_guest = self.place == Place::Guest;
        let west = person.is_west(day);
        let of_three = |guest: &str, west_text: &str, east: &str| {
            let text = match (is_guest, west) {
                (true, _) => guest,
                (false, true) => west_text,
                (false, false) => east,
            };
            Some(text.to_string())
        };
        let of_two = |phone: String, notebook: String| {
            let said = if is_phone { phone } else { notebook };
            Some(said)
        };
        match name {
            "session" => Some(person.sessions[usize::from(is_phone)].clone()),
            "ua" => of_two(
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148".into(),
                format!(
                    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36 Edg/{version}.0.0.0"
                ),
            ),
            "os" => of_two("Ios 18.4".into(), "Windows10".into()),
            "browser" => of_two("Mobile Safari".into(), format!("Edge {version}.0.0")),
            "pc" => of_two("iPhone".into(), person.notebook.clone()),
            "device" => of_two(person.sessions[1].clone(), person.device.clone()),
            "country" => of_three("US", "US", "DE"),
            "state" => of_three("Illinois", "New York", "Berlin"),
            "city" => of_three("Chicago", "New York City", "Berlin"),
            "lat" => of_three("41.8781", "40.7128", "52.52"),
            "lon" => of_three("-87.6298", "-74.006", "13.405"),
            "asn" => {
                let network = match self.place {
                    Place::Home => 64_497,
                    Place::Phone => 64_498,
                    Place::Guest => 64_499,
                    Place::Office | Place::Cloud => 64_496,
                };
                Some((network + if west { 8 } else { 0 }).to_string())
            }
            _ => None,
        }
    }
}

/// What stands in one event more than once.
struct About<'a> {
    person: &'a Person,
    mate: &'a Person,
    guest: &'a Person,
    admin: &'a Person,
    boss: &'a Person,
    id: String,
    file: String,
    ending: &'static str,
    folder: &'static str,
    site: &'static str,
    team: &'static str,
    subject: &'static str,
}

impl<'a> About<'a> {
    fn new(person: &'a Person, people: &'a [Person], seed: &mut Seed) -> About<'a> {
        let id = seed.guid();
        // Never the person's own self.
        let mate = (person.index + 1 + seed.below(STAFF - 1)) % STAFF;
        let guest = STAFF + ADMINS + seed.below(GUESTS);
        let admin = STAFF + seed.below(ADMINS);
        let ending = seed.one_of(&ENDINGS);
        About {
            person,
            mate: &people[mate as usize],
            guest: &people[guest as usize],
            admin: &people[admin as usize],
            boss: &people[BOSS as usize],
            id,
            file: format!("{} {:03}.{ending}", seed.one_of(&FILES), seed.below(400)),
            ending,
            folder: seed.one_of(&FOLDERS),
            site: seed.one_of(&SITES),
            team: seed.one_of(&TEAMS),
            subject: seed.one_of(&SUBJECTS),
        }
    }

    fn said(&self, name: &str) -> String {
        let text: &str = match name {
            "id" => &self.id,
            "user" => &self.person.user,
            "name" => &self.person.name,
            "oid" => &self.person.id,
            "puid" => &self.person.puid,
            "sid" => &self.person.sid,
            "mailbox" => &self.person.mailbox,
            "alias" => &self.person.alias,
            "mate" => &self.mate.user,
            "matename" => &self.mate.name,
            "mateoid" => &self.mate.id,
            "guest" => &self.guest.user,
            "guestname" => &self.guest.name,
            "guestoid" => &self.guest.id,
            "guestmail" => return format!("{}@fabrikam.com", self.guest.alias.replace('_', ".")),
            "admin" => &self.admin.user,
            "adminoid" => &self.admin.id,
            "boss" => &self.boss.user,
            "bossbox" => &self.boss.mailbox,
            "file" => &self.file,
            "ext" => self.ending,
            "folder" => self.folder,
            "site" => self.site,
            "team" => self.team,
            "subject" => self.subject,
            other => panic!("`{other}` is nothing that can be filled in"),
        };
        text.to_string()
    }
}
