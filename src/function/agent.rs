//! `parse_user_agent`. Kusto goes through the thousands of patterns of uap-core; here is a short list of what audit logs
//! show, under the names that uap-core gives:
//!
//! - browsers: Edge, Chrome, Firefox, Safari, Opera, Brave, Vivaldi, Samsung, Yandex, DuckDuckGo, Internet Explorer;
//! - clients: Outlook, Exchange services, OneDrive, Electron (as in Teams), curl, Wget, Windows PowerShell, clients of
//!   Python, Go, Java, Node and Rust, what Apple's CFNetwork runs, and crawlers;
//! - systems: Windows, macOS, iOS, Android, Chrome OS, Linux;
//! - devices: those of Apple, Android ones by their model, crawlers.
//!
//! `Other` is an answer of Kusto's: none of its patterns fits. It is given where that is known. Of all else all parts are null
//! here, so that nobody takes what is not known for what Kusto says; `tostring` of them is empty.
//!
//! uap-core's own list is not here: no crate makes it available. `ua-parser` reads a file that it does not bring along, and
//! `simple-useragent` brings half of the list, without devices.

use super::arguments::{Want, json_bag, json_text, take, text};
use super::definition::{BARE, Function};
use crate::function::value::{Json, Type, Value};

/// Where a version stands.
#[derive(Clone, Copy)]
enum Version {
    /// Behind the mark, without which nothing is found; a version need not be there.
    After(&'static str),
    /// The same, and it must be there.
    At(&'static str),
    /// The same, of which two numbers count.
    Short(&'static str),
    /// Known.
    Is(&'static str, &'static str),
}
use Version::{After, At, Is, Short};

/// What is found in a text that has the version's mark and another; the first of a list counts.
type Rule = (Version, &'static str, &'static str);

const BROWSERS: &[Rule] = &[
    (After("CFNetwork"), "", "CFNetwork"),
    (After("Apache-HttpClient"), "", "Apache-HttpClient"),
    (After("PostmanRuntime"), "", "PostmanRuntime"),
    (After("Go-http-client"), "", "Go-http-client"),
    (After("Python-urllib"), "", "Python-urllib"),
    (After("okhttp"), "", "okhttp"),
    (After("reqwest"), "", "reqwest"),
    (After("axios"), "", "axios"),
    (After("WinHTTP"), "", "WinHTTP"),
    (After("BingPreview"), "", "BingPreview"),
    (After("facebookexternalhit"), "", "FacebookBot"),
    (After("WhatsApp"), "", "WhatsApp"),
    (At("Boto3"), "", "Boto3"),
    (At("aws-cli"), "", "aws-cli"),
    (At("FxiOS"), "", "Firefox iOS"),
    (At("Firefox"), "Mobile;", "Firefox Mobile"),
    (At("Firefox"), "Tablet;", "Firefox Mobile"),
    (At("OPR"), "Mobile Safari", "Opera Mobile"),
    (At("OPR"), "Chrome", "Opera"),
    (At("Brave"), "", "Brave"),
    (At("EdgiOS"), "", "Edge Mobile"),
    (At("EdgA"), "", "Edge Mobile"),
    (At("SamsungBrowser"), "", "Samsung Internet"),
    (At("Ddg"), "Mobile", "DuckDuckGo Mobile"),
    (At("Ddg"), "", "DuckDuckGo"),
    (At("Chrome"), "Version/", "Chrome Mobile WebView"),
    (At("Chrome"), "; wv)", "Chrome Mobile WebView"),
    (At("CriOS"), "", "Chrome Mobile iOS"),
    (At("YaBrowser"), "", "Yandex Browser"),
    (At("MacOutlook"), "", "MacOutlook"),
    (At("Electron"), "", "Electron"),
    (Is("Microsoft Office Outlook 12", "2007"), "", "Outlook"),
    (Is("MSOffice 12", "2007"), "", "Outlook"),
    (Is("Microsoft Outlook 14", "2010"), "", "Outlook"),
    (Is("MSOffice 14", "2010"), "", "Outlook"),
    (Is("Microsoft Outlook 15", "2013"), "", "Outlook"),
    (Is("Microsoft Outlook 16", "2016"), "", "Outlook"),
    (Is("Microsoft Outlook Mail 16", "2016"), "", "Outlook"),
    (Is("MSOffice 16", "2016"), "", "Outlook"),
    (At("Vivaldi"), "", "Vivaldi"),
    (At("Edg"), "", "Edge"),
    (At("Edge"), "", "Edge"),
    (At("Chrome"), "Mobile Safari", "Chrome Mobile"),
    (After("HeadlessChrome"), "", "HeadlessChrome"),
    (At("ExchangeServicesClient"), "", "ExchangeServicesClient"),
    (At("ExchangeWebServices"), "", "ExchangeWebServices"),
    (At("Outlook-iOS-Android"), "", "Outlook-iOS-Android"),
    (At("AdobeAIR"), "", "AdobeAIR"),
    (At("Chromium"), "", "Chromium"),
    (At("Chrome"), "", "Chrome"),
    (At("IEMobile"), "", "IE Mobile"),
    (At("Microsoft SkyDriveSync"), "", "Microsoft SkyDriveSync"),
    (At("Android "), "", "Android"),
];

/// Those that are looked for when it is no program of an iPhone.
const OTHER_BROWSERS: &[Rule] = &[
    (At("prod.iphone ("), "Outlook-iOS/", "Outlook-iOS"),
    (At("Version"), "Safari", "Safari"),
    (Is("Trident/7.0", "11.0"), "", "IE"),
    (Is("Trident/6.0", "10.0"), "", "IE"),
    (Is("Trident/5.0", "9.0"), "", "IE"),
    (Is("Trident/4.0", "8.0"), "", "IE"),
    (At("Firefox"), "", "Firefox"),
    (At("MSIE"), "", "IE"),
    (Short("python-requests"), "", "Python Requests"),
    (At("aiohttp"), "Python/3", "Python aiohttp"),
    (After("WindowsPowerShell"), "", "WindowsPowerShell"),
    (After("Microsoft-CryptoAPI"), "", "Microsoft-CryptoAPI"),
    (After("Windows-Update-Agent"), "", "Windows-Update-Agent"),
    (After("libwww-perl"), "", "libwww-perl"),
    (After("curl"), "", "curl"),
    (After("Wget"), "", "Wget"),
    (Short("rclone/v"), "", "rclone"),
    (At("Java/1."), "", "Java"),
    (Is("Safari", ""), "AppleWebKit", "Safari"),
];

const SYSTEMS: &[Rule] = &[
    (At("Windows Phone OS"), "", "Windows Phone"),
    (At("Windows Phone"), "", "Windows Phone"),
    (At("CPU iPhone OS"), "", "iOS"),
    (At("CPU OS"), "", "iOS"),
    (At("iPhone OS"), "", "iOS"),
    (Is("Apple-iPhone", ""), "", "iOS"),
    (Is("Apple-iPad", ""), "", "iOS"),
    (Is("prod.iphone", ""), "Outlook-iOS/", "iOS"),
    (At("Outlook-iOS"), "", "iOS"),
    (At("Android"), "", "Android"),
    (Is("Windows NT 10.0", "10"), "", "Windows"),
    (Is("Windows 10", "10"), "", "Windows"),
    (Is("Windows NT 6.3", "8.1"), "", "Windows"),
    (Is("Windows NT 6.2", "8"), "", "Windows"),
    (Is("Windows NT 6.1", "7"), "", "Windows"),
    (Is("Windows NT 6.0", "Vista"), "", "Windows"),
    (Is("Windows NT 5.2", "XP"), "", "Windows"),
    (Is("Windows NT 5.1", "XP"), "", "Windows"),
    (Is("Windows NT 5.0", "2000"), "", "Windows"),
    (Is("Windows NT", "NT"), "", "Windows"),
    // Browsers of an iPhone that ask for the pages of a desktop.
    (Is("Intel Mac OS X", ""), "CriOS/", "iOS"),
    (Is("Intel Mac OS X", ""), "EdgiOS/", "iOS"),
    (At("Mac OS X Version"), "", "Mac OS X"),
    (After("Mac OS X"), "", "Mac OS X"),
    (At("CrOS x86_64"), "", "Chrome OS"),
    (At("CrOS aarch64"), "", "Chrome OS"),
    (At("CrOS armv7l"), "", "Chrome OS"),
    (Is("Debian", ""), "", "Debian"),
    (After("Ubuntu"), "", "Ubuntu"),
    (After("Fedora"), "", "Fedora"),
    (After("Red Hat"), "", "Red Hat"),
    (Is("CentOS", ""), "", "CentOS"),
    (After("Linux"), "", "Linux"),
    (Is("linux-gnu", ""), "", "Linux"),
    (Is("Windows", ""), "", "Windows"),
];

/// Clients that are taken for crawlers.
const SPIDERS: [&str; 4] = [
    "facebookexternalhit",
    "Python-urllib",
    "WhatsApp",
    "WinHTTP",
];

/// What audit logs show and none of uap-core's patterns fits.
const OTHERS: [&str; 4] = ["", "BAV2ROPC", "CBAInPROD", "CBAInTAR"];

/// A family and the parts of its version; missing ones are empty.
struct Found<'t>(&'t str, [&'t str; 4]);

/// What stands behind a word; nothing where the word does not stand there by itself.
fn after<'t>(agent: &'t str, word: &str) -> Option<&'t str> {
    let mut starts = agent.match_indices(word).map(|(at, _)| at);
    let bounded = |at: &usize| !agent[..*at].ends_with(|c: char| c.is_ascii_alphanumeric());
    let at = starts.find(bounded)?;
    agent.get(at + word.len()..)
}

/// The first four numbers of a version, with points or `_` between them.
fn version(text: &str) -> [&str; 4] {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_');
    let mut parts = text[..end.unwrap_or(text.len())].split(['.', '_']);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

fn first<'t>(agent: &'t str, rules: &[Rule]) -> Option<Found<'t>> {
    rules.iter().find_map(|(kind, other, family)| {
        let (After(mark) | At(mark) | Short(mark) | Is(mark, _)) = *kind;
        let behind = after(agent, mark).filter(|_| agent.contains(other))?;
        let number = || version(behind.strip_prefix(['/', ' ']).unwrap_or(behind));
        let found = match *kind {
            After(_) | At(_) => number(),
            Short(_) => {
                let [major, minor, ..] = number();
                [major, minor, "", ""]
            }
            Is(_, known) => {
                let (major, minor) = known.split_once('.').unwrap_or((known, ""));
                [major, minor, "", ""]
            }
        };
        let [major, ..] = found;
        let missing = major.is_empty() && matches!(kind, At(_) | Short(_));
        // `Edge` is not `Edg`; Exchange says `Apple-iPhone14C2`.
        let longer = behind.starts_with(|c: char| c.is_ascii_alphabetic());
        (!missing && !longer).then_some(Found(family, found))
    })
}

/// A crawler: a word that ends in `bot`, `crawler` or `spider`.
fn crawler(agent: &str) -> Option<Found<'_>> {
    let mut words = agent.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let name = words.find_map(|word| {
        let word = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let lower = word.to_ascii_lowercase();
        let ends = ["bot", "crawler", "spider", "bot-linkexpanding"];
        // CUBOT makes phones.
        let named = ends.iter().any(|end| lower.ends_with(end)) && lower != "cubot";
        named.then_some(word)
    })?;
    let behind = after(agent, name).unwrap_or_default();
    Some(Found(
        name,
        version(behind.strip_prefix(['/', ' ']).unwrap_or(behind)),
    ))
}

/// The program that uses Apple's network library: `Name/1.2 CFNetwork/…`
fn apple_program(agent: &str) -> Option<Found<'_>> {
    let (name, number) = agent.split_once(" CFNetwork")?.0.rsplit_once('/')?;
    let parts = number.split('.').count();
    let number = version(number);
    (parts <= 4 && !number[0].is_empty()).then_some(Found(name, number))
}

/// A word for a device of Apple's that the text has.
fn apple_device(agent: &str) -> Option<&'static str> {
    let mut devices = ["iPod", "iPad", "iPhone"].into_iter();
    devices.find(|device| agent.contains(device))
}

/// Safari on a phone, or a program that shows pages with it.
fn mobile_safari(agent: &str) -> Option<Found<'_>> {
    let behind = after(agent, apple_device(agent)?)?;
    let family = match agent.contains(" Safari") {
        true => "Mobile Safari",
        false => "Mobile Safari UI/WKWebView",
    };
    Some(Found(
        family,
        after(behind, "Version/").map_or([""; 4], version),
    ))
}

/// The bag of what was found. Of nothing, the family is `Other` where Kusto finds nothing either, else all is null.
fn bag<const N: usize>(keys: [&str; N], found: Option<[&str; N]>, is_other: bool) -> Json {
    let known = found
        .or_else(|| is_other.then(|| std::array::from_fn(|at| if at == 0 { "Other" } else { "" })));
    let part = |at: usize| known.map_or(Json::Null, |parts| json_text(parts[at]));
    json_bag::<N>(std::array::from_fn(|at| (keys[at], part(at))))
}

fn browser_of(agent: &str) -> Option<Found<'_>> {
    apple_program(agent)
        .or_else(|| crawler(agent))
        .or_else(|| first(agent, BROWSERS))
        .or_else(|| mobile_safari(agent))
        .or_else(|| first(agent, OTHER_BROWSERS))
}

fn browser(agent: &str) -> Json {
    let found = browser_of(agent)
        .map(|Found(family, [major, minor, patch, _])| [family, major, minor, patch]);
    let keys = ["Family", "MajorVersion", "MinorVersion", "Patch"];
    bag(keys, found, OTHERS.contains(&agent))
}

/// Whether it says nothing of a machine, as `curl/8.4.0`, and is known.
fn is_bare_client(agent: &str) -> bool {
    OTHERS.contains(&agent) || !agent.contains('(') && browser_of(agent).is_some()
}

/// The iOS of a release of Darwin, its kernel.
fn ios_of(release: &str) -> &str {
    const RELEASES: [(&str, &str); 6] = [
        ("17", "11"),
        ("18", "12"),
        ("19", "13"),
        ("20", "14"),
        ("21", "15"),
        ("22", "16"),
    ];
    let known = RELEASES.iter().find(|(darwin, _)| *darwin == release);
    known.map_or("", |(_, ios)| ios)
}

fn system(agent: &str) -> Json {
    let kernel = after(agent, "Darwin/").filter(|_| agent.contains("CFNetwork"));
    let found = match kernel.map(version) {
        Some([release, minor, ..]) => {
            let minor = if matches!(release, "21" | "22") {
                minor
            } else {
                ""
            };
            Some(Found("iOS", [ios_of(release), minor, "", ""]))
        }
        None => first(agent, SYSTEMS),
    };
    let found =
        found.map(|Found(family, [major, minor, patch, last])| [family, major, minor, patch, last]);
    let keys = [
        "Family",
        "MajorVersion",
        "MinorVersion",
        "Patch",
        "PatchMinor",
    ];
    bag(
        keys,
        found,
        is_bare_client(agent) || crawler(agent).is_some(),
    )
}

/// The model behind the version of Android: `Android 13; SM-G991B Build/…)`
fn android_model(agent: &str) -> Option<&str> {
    let mut parts = after(agent, "Android")?.split(')').next()?.split(';');
    let model = parts.nth(1)?.split(" Build").next()?.trim();
    let model = model.strip_prefix("SAMSUNG ").unwrap_or(model);
    let locale = model.len() <= 5 && model.contains(['-', '_']);
    // Firefox names none.
    let none = matches!(model, "" | "Mobile" | "Tablet") || model.starts_with("rv:");
    (!none && !locale).then_some(model)
}

/// Whether it is a computer without a name: what uap-core has no device for. Consoles and televisions have names there.
fn is_desktop(agent: &str) -> bool {
    let has = |mark: &&str| agent.contains(*mark);
    ["Windows", "X11;", "CrOS "].iter().any(has)
        && !["Xbox", "TV", "Tablet", "Mobile"].iter().any(has)
}

/// Family, brand and model; nothing where none is found.
fn device_names(agent: &str) -> Option<[String; 3]> {
    let names = |family: &str, brand: &str, model: &str| [family, brand, model].map(str::to_owned);
    // `iPhone14,2`, or `iPad;`
    let apple = apple_device(agent).and_then(|device| {
        let behind = after(agent, device)?;
        let end = behind.find(|c: char| !c.is_ascii_digit() && c != ',');
        let numbers = &behind[..end.unwrap_or(behind.len())];
        let numbers = if numbers.contains(',') { numbers } else { "" };
        let known = device == "iPhone" || !numbers.is_empty() || behind.starts_with(';');
        known.then(|| names(device, "Apple", &format!("{device}{numbers}")))
    });
    if apple.is_some() {
        return apple;
    }
    let has = |marks: &[&str]| marks.iter().any(|mark| agent.contains(mark));
    Some(if agent.contains(".prod.iphone") {
        names("iPhone", "Apple", "iPhone")
    } else if agent.contains("CFNetwork") && agent.contains("Darwin/") {
        names("iOS-Device", "Apple", "iOS-Device")
    } else if crawler(agent).is_some() || has(&SPIDERS) || agent.starts_with("Java/") {
        let mobile = has(&["Android", "Mobile"]);
        let model = if mobile { "Smartphone" } else { "Desktop" };
        names("Spider", "Spider", model)
    } else if let Some(model) = android_model(agent) {
        match model {
            model if model.starts_with("SM-") => {
                names(&format!("Samsung {model}"), "Samsung", model)
            }
            model if model.starts_with("Pixel") => names(model, "Google", model),
            model => names(model, "Generic_Android", model),
        }
    } else if has(&["Android", "Windows Phone"]) {
        names("Generic Smartphone", "Generic", "Smartphone")
    } else if agent.contains("Mac OS") {
        names("Mac", "Apple", "Mac")
    } else {
        return None;
    })
}

fn device(agent: &str) -> Json {
    let names = device_names(agent);
    let names = names.as_ref();
    let found = names.map(|[family, brand, model]| [&**family, &**brand, &**model]);
    let is_other = is_bare_client(agent) || is_desktop(agent);
    bag(["Family", "Brand", "Model"], found, is_other)
}

/// What may be looked for, its property, and how it is found.
type Target = (&'static str, &'static str, fn(&str) -> Json);

const TARGETS: [Target; 3] = [
    ("browser", "Browser", browser),
    ("os", "OperatingSystem", system),
    ("device", "Device", device),
];

fn parse(agent: &str, wanted: &Value) -> Value {
    let wanted: Vec<String> = match wanted.array() {
        Some(items) => items.iter().map(Json::show).collect(),
        None => vec![wanted.text().into_owned()],
    };
    let known = |name: &String| TARGETS.iter().any(|(target, ..)| target == name);
    if wanted.is_empty() || !wanted.iter().all(known) {
        return Value::Null;
    }
    let wanted = TARGETS
        .iter()
        .filter(|(target, ..)| wanted.iter().any(|name| name == target));
    let found = wanted.map(|(_, key, find)| ((*key).into(), find(agent)));
    Value::dynamic(Json::Bag(found.collect()))
}

pub(super) const TABLE: &[Function] = &[Function {
    name: "parse_user_agent",
    arguments: (2, 2),
    doc: "parse_user_agent(text, look_for): a bag of Browser, OperatingSystem and Device; look_for is \"browser\", \"os\", \"device\" or an array of them; null for clients that are not known here",
    example: "print x = parse_user_agent(\"Mozilla/5.0 (Windows; U; en-US) AppleWebKit/531.9 (KHTML, like Gecko) AdobeAIR/2.5.1\", \"browser\")",
    answer: "{\"Browser\":{\"Family\":\"AdobeAIR\",\"MajorVersion\":\"2\",\"MinorVersion\":\"5\",\"Patch\":\"1\"}}",
    ty: |a| take(a, &[Want::Text], Type::Dynamic),
    eval: |_, a| parse(&text(a, 0), a.get(1).unwrap_or(&Value::Null)),
    ..BARE
}];

#[cfg(test)]
mod tests {
    use super::*;

    fn found(agent: &str) -> String {
        let found = [browser(agent), system(agent), device(agent)];
        let shown = found.iter().map(|found| {
            let parts = found.bag().unwrap_or_default().iter();
            let parts: Vec<String> = parts.map(|(_, part)| part.show()).collect();
            parts.join("|")
        });
        shown.collect::<Vec<_>>().join("  ")
    }

    #[test]
    fn clients_of_audit_logs_are_known() {
        const GECKO: &str = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (agent, expected) in [
            (
                format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {GECKO} Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91"),
                "Edge|120|0|2210  Windows|10|||  Other||",
            ),
            (
                format!("Mozilla/5.0 (Windows NT 6.3) {GECKO} Teams/1.6 Chrome/108.0.5359.215 Electron/22.3.27 Safari/537.36"),
                "Electron|22|3|27  Windows|8|1||  Other||",
            ),
            (
                format!("Mozilla/5.0 (X11; Ubuntu; Linux x86_64) {GECKO} Chrome/118.0.0.0 Safari/537.36"),
                "Chrome|118|0|0  Ubuntu||||  Other||",
            ),
            (
                format!("Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-A536B) {GECKO} Chrome/119.0.0.0 Mobile Safari/537.36"),
                "Chrome Mobile|119|0|0  Android|13|||  Samsung SM-A536B|Samsung|SM-A536B",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Safari/605.1.15".to_owned(),
                "Safari|17|2|  Mac OS X|10|15|7|  Mac|Apple|Mac",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1".to_owned(),
                "Mobile Safari|17|2|  iOS|17|2|1|  iPhone|Apple|iPhone",
            ),
            (
                "Mozilla/5.0 (Android 13; Mobile; rv:121.0) Gecko/121.0 Firefox/121.0".to_owned(),
                "Firefox Mobile|121|0|  Android|13|||  Generic Smartphone|Generic|Smartphone",
            ),
            (
                "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17029; Pro)".to_owned(),
                "Outlook|2016||  Windows|10|||  Other||",
            ),
            (
                "Outlook-iOS/709.2189947.prod.iphone (3.24.1)".to_owned(),
                "Outlook-iOS|3|24|1  iOS||||  iPhone|Apple|iPhone",
            ),
            (
                "Apple-iPhone14C2/2103.61".to_owned(),
                "Mobile Safari UI/WKWebView|||  iOS||||  iPhone|Apple|iPhone",
            ),
            (
                "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.3803".to_owned(),
                "WindowsPowerShell|5|1|19041  Windows|10|||  Other||",
            ),
            (
                "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)".to_owned(),
                "bingbot|2|0|  Other||||  Spider|Spider|Desktop",
            ),
            (
                "OneDrive/23.244.1121.0003 CFNetwork/1399 Darwin/22.1.0".to_owned(),
                "OneDrive|23|244|1121  iOS|16|1||  iOS-Device|Apple|iOS-Device",
            ),
            ("python-requests/2.31.0".to_owned(), "Python Requests|2|31|  Other||||  Other||"),
            ("axios".to_owned(), "axios|||  Other||||  Other||"),
            ("BAV2ROPC".to_owned(), "Other|||  Other||||  Other||"),
            (String::new(), "Other|||  Other||||  Other||"),
            // None of these is known here, and uap-core may know it.
            ("Contoso Sync/7.1".to_owned(), "|||  ||||  ||"),
            (
                format!("Mozilla/5.0 (Web0S; Linux/SmartTV) {GECKO} Chrome/94.0.4606.128 Safari/537.36"),
                "Chrome|94|0|4606  Linux||||  ||",
            ),
        ] {
            assert_eq!(found(&agent), expected, "{agent}");
        }
    }

    #[test]
    fn it_looks_for_what_is_asked() {
        let bag = |wanted: &str| {
            let wanted = Value::dynamic(Json::parse(wanted).unwrap_or_default());
            let found = parse("curl/8.4.0", &wanted);
            let keys = found
                .bag()
                .map(|bag| bag.iter().map(|(key, _)| key.to_string()));
            keys.map(|keys| keys.collect::<Vec<_>>().join(","))
        };
        assert_eq!(
            bag(r#"["device","browser"]"#).as_deref(),
            Some("Browser,Device")
        );
        assert_eq!(bag(r#""os""#).as_deref(), Some("OperatingSystem"));
        assert_eq!(bag(r#"["os","engine"]"#), None);
        assert_eq!(bag("[]"), None);
    }
}
