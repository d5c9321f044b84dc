//! What is known before any record is read: words that name nobody, keys whose values say what happened, and what names stand under which keys.
//!
//! Keys are compared in small letters, without `_` and without the endings of types (`UserId_s`) that custom tables have.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::catalog::audit::record_type;

/// The words of a list.
fn set(list: &'static str) -> HashSet<&'static str> {
    list.split(' ').collect()
}

/// Words of the services, of paths and of file names. They stay unless somebody in the archive is called so.
const WORDS: &str = "http ext https www com net org edu gov mailto file onmicrosoft microsoft microsoftonline sharepoint outlook office office365 \
    live windows azure graph my sites teams personal shared documents forms html aspx exchange exchangelabs administrative \
    group recipients o ou cn nt authority system users app serviceprincipal microsoftrmsonline aadrm online purview defender \
    copilot power entra intune powershell android ios mac linux chrome edge safari firefox mozilla applewebkit gecko true \
    false null none unknown not available anonymous everyone all am pm utc docx docm doc xlsx xlsm xls xlsb pptx pptm ppt \
    pdf ppdf pfile txt csv json xml zip msg eml pst exe dll ps1 png jpg jpeg dwg vsdx one url lnk mp4";

/// Words that many mailboxes and sites are called by and that name nobody when they are a part of a longer word, as in `ExchangeAdmin`.
const GENERIC: &str = "admin administrator user guest service account support help desk info mail mailbox login logon sign web portal app test \
    team group site system sync scan backup connector role rule policy file folder label office shared audit security access \
    add set new remove update delete get the and for with public internal general external \
    except limited sharing sharinglinks links flexible anonymous organization owner member view edit desktop laptop pc ws server \
    client in to by of on at from or is as an no";

/// First words of names of services that act like people.
const SERVICES: &[&str] = &[
    "microsoft",
    "office",
    "sharepoint",
    "exchange",
    "azure",
    "windows",
    "nt",
    "aad",
    "onedrive",
];

/// Values of closed lists.
const VALUES: &str = "success succeeded successful partiallysucceeded partial failed failure fail true false yes no none low medium high \
    informational hidden unknown enabled disabled on off ok notapplied applied interrupted timeout accepted rejected denied \
    granted file folder web site list page member guest owner regular admin dcadmin system application user group \
    securitygroup sharepointgroup anyone anonymous organization users view edit contribute read write fullaccess sendas \
    fullcontrol limitededit everyone allow block allowoverride audit test enable disable singlefactorauthentication \
    multifactorauthentication atrisk confirmedcompromised remediated dismissed confirmedsafe allprincipals principal \
    applicationimpersonation serviceprincipal policy role device other office365 entraid inherit default external internal \
    exchange sharepoint onedrive azureactivedirectory microsoftteams securitycompliancecenter powerbi publicendpoint endpoint \
    copilot microsoftflow powerapps mip aip dlp microsoft365defender office";

/// What the values of a key say, where they name nobody in what the services write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// A label: its id or its name.
    Label,
    /// What was done, in which service, and with what result.
    What,
    /// With which application, in which state.
    How,
    /// The id of a record.
    Record,
}

/// Keys of what was done. A word of these is replaced where a person or an organisation is called so.
const WHAT: &str = "operation operations operationname operationnamevalue actiontype action activity activitydisplayname activitytype \
    aadoperationtype workload officeworkload recordtype recordtypename usertype accounttype resultstatus resulttype result \
    severity alertseverity tactics techniques attacktechniques requesttype loggedbyservice category categories eventtype \
    role.displayname role.wellknownobjectname roledefinitionname cmdlet sourcesystem resourceprovidervalue";
/// Keys of how and with what. A word of these is replaced where anything is called so.
const HOW: &str = "application applicationname applicationdisplayname appdisplayname appid applicationid clientappid clientappused \
    resourcedisplayname resourceidentity resultdescription resultreason resultsignature status type eventsource itemtype \
    sourcefileextension destinationfileextension fileextension actionsource protectiontype useragent clientinfostring \
    risklevelduringsignin risklevelaggregated risklevel riskstate riskdetail riskeventtypes riskeventtypesv2 riskeventtype \
    platform osplatform operatingsystem browser countrycode authenticationrequirement authenticationprotocol \
    authenticationmethod authenticationstepresultdetail conditionalaccessstatus failurereason logonerror logontype \
    externalaccess version sharinglinkscope targetuserorgrouptype accessrights trusttype state mode tokenissuertype \
    signineventtypes originaltransfermethod incomingtokentype clientcredentialtype crosstenantaccesstype user-agent apphost \
    actorinfostring";
/// Keys of ids of records.
const RECORD: &str = "id recordid reportid auditid recordidentity correlationid uniquetokenidentifier requestid originalrequestid \
    intersystemsid logid rowid";
/// What makes the value of a key with `label` in it the text or the name of a person or a file.
const ABOUT_LABELS: &[&str] = &[
    "justif", "owner", "user", "mail", "person", "comment", "by", "filename",
];

/// What a name is that stands under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// A user, or a mailbox.
    Person,
    /// A tenant, a host, a device.
    Place,
    /// A site, a file, a team.
    Thing,
}

/// Parts of keys under which people stand.
const PEOPLE: &[&str] = &[
    "user",
    "upn",
    "account",
    "owner",
    "sender",
    "recipient",
    "mailbox",
    "actor",
    "member",
    "sharedwith",
    "initiatedby",
    "caller",
    "manager",
    "receiver",
    "participant",
    "givenname",
    "surname",
    "alias",
    "signinname",
    "requester",
    "puid",
    "phone",
    "mobile",
    "createdby",
    "modifiedby",
    "principalname",
];
/// Keys under which people stand.
const PEOPLE_WHOLE: &[&str] = &["from", "to", "cc", "bcc", "assignedto", "email", "mail"];
/// Parts of keys under which telephones stand.
const TELEPHONES: &[&str] = &[
    "phone",
    "mobile",
    "msisdn",
    "authdetail",
    "faxnumber",
    "callernumber",
    "calleenumber",
    "callingnumber",
    "callednumber",
    "dialednumber",
];
/// Parts of keys under which addresses stand as numbers.
const ADDRESSES: &[&str] = &[
    "ipaddr",
    "ipv4",
    "clientip",
    "ipnumber",
    "ipint",
    "addressint",
];
/// Parts of keys under which places stand.
const PLACES: &[&str] = &[
    "tenant",
    "organization",
    "domain",
    "host",
    "device",
    "machine",
    "computer",
    "workstation",
];
/// Parts of keys under which things stand.
const THINGS: &[&str] = &[
    "filename",
    "objectid",
    "folder",
    "path",
    "subject",
    "itemname",
    "objectname",
    "title",
    "documentname",
    "url",
    "contentname",
    "teamname",
    "channelname",
    "sitename",
    "listname",
];
/// Endings of keys whose values are of a closed list.
const ENUMERATED: &[&str] = &[
    "type", "status", "state", "count", "level", "scope", "roles", "role", "enabled", "number",
    "agent", "time",
];

/// A key as it is compared.
pub(super) fn plain(key: &str) -> String {
    let lower = key.to_lowercase();
    let mut endings = ["_s", "_g", "_t", "_b", "_d"].into_iter();
    let bare = endings.find_map(|end| lower.strip_suffix(end));
    bare.unwrap_or(&lower).replace('_', "")
}

/// What the values of a plain key say; nothing where they may name somebody.
pub(super) fn says(key: &str) -> Option<Says> {
    let about_label = key.contains("label") && !ABOUT_LABELS.iter().any(|part| key.contains(part));
    if about_label {
        return Some(Says::Label);
    }
    static KEYS: LazyLock<HashMap<&str, Says>> = LazyLock::new(|| {
        let lists = [(WHAT, Says::What), (HOW, Says::How), (RECORD, Says::Record)];
        let all = lists.into_iter();
        all.flat_map(|(list, says)| list.split(' ').map(move |key| (key, says)))
            .collect()
    });
    KEYS.get(key).copied()
}

/// What stands under a plain key, where it is a name.
pub(super) fn named(key: &str) -> Option<Named> {
    // A number of a telephone and a SID are somebody's, and an account is no count.
    let is_own = key.contains("phone") || key.ends_with("account") || key.ends_with("sid");
    let is_enumerated = !is_own && ENUMERATED.iter().any(|end| key.ends_with(end));
    if is_enumerated || says(key).is_some() {
        return None;
    }
    let has = |parts: &[&str]| parts.iter().any(|part| key.contains(part));
    if has(PLACES) {
        return Some(Named::Place);
    }
    if is_own || PEOPLE_WHOLE.contains(&key) || has(PEOPLE) {
        return Some(Named::Person);
    }
    has(THINGS).then_some(Named::Thing)
}

/// Whether the values of a plain key are numbers of telephones.
pub(super) fn is_telephone(key: &str) -> bool {
    TELEPHONES.iter().any(|part| key.contains(part)) || key == "tel" || key == "sms"
}

/// Whether a number under a plain key may be an address.
pub(super) fn holds_addresses(key: &str) -> bool {
    ADDRESSES.iter().any(|part| key.contains(part)) || key.ends_with("ip")
}

/// Whether a word in small letters names nobody unless somebody is called so.
pub(super) fn is_word(word: &str) -> bool {
    static ALL: LazyLock<HashSet<&str>> = LazyLock::new(|| set(WORDS));
    ALL.contains(word)
}

/// Whether a word in small letters names nobody as a part of another.
pub(super) fn is_generic(word: &str) -> bool {
    static ALL: LazyLock<HashSet<&str>> = LazyLock::new(|| set(GENERIC));
    ALL.contains(word)
}

/// Whether a service is called so, by the first of its words in small letters.
pub(super) fn is_service(first: &str) -> bool {
    SERVICES.contains(&first)
}

/// Whether a text is a value of a closed list.
pub(super) fn is_value(text: &str) -> bool {
    static ALL: LazyLock<HashSet<&str>> = LazyLock::new(|| set(VALUES));
    let lower = text.to_lowercase();
    let is_number = text.trim().parse::<i32>().is_ok();
    ALL.contains(lower.as_str()) || (!is_number && record_type(text).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart() {
        assert_eq!(says(&plain("Operation_s")), Some(Says::What));
        assert_eq!(says(&plain("OldSensitivityLabelId")), Some(Says::Label));
        assert_eq!(says(&plain("SensitivityLabelJustificationText")), None);
        assert_eq!(says(&plain("LabelAppliedBy")), None);
        assert_eq!(named(&plain("user_id_s")), Some(Named::Person));
        assert_eq!(named("phonenumber"), Some(Named::Person));
        assert_eq!(named("account"), Some(Named::Person));
        assert!(is_telephone(&plain("StrongAuthenticationPhoneNumber_s")));
        assert!(!is_telephone("ipaddress") && holds_addresses("ipaddress"));
        assert_eq!(named("usercount"), None);
        assert_eq!(named(&plain("UserAgent")), None);
        assert_eq!(named(&plain("TargetUserOrGroupType")), None);
        assert_eq!(named(&plain("SourceFileName")), Some(Named::Thing));
    }
}
