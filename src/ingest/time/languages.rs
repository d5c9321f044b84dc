//! Words of dates in the languages of portals and of the cultures that PowerShell writes in, in lower case (CLDR and .NET, as the parsers
//! dateutil and dateparser list them).

/// Months, long and short, with blanks between their names. No name stands for two months: Croatian is left out, whose `lipanj` and
/// `listopad` are a month before the Polish `lipiec` and the Czech `listopad`, and so are `listopad` and the short `lip`, `lis` and `srp`.
const MONTHS: [&str; 12] = [
    "january jan januar jänner jän janvier janv enero ene gennaio gen janeiro januari января январь янв \
     stycznia styczeń sty ledna leden január ocak oca tammikuuta tammikuu tammi ianuarie ian ιανουαρίου \
     січня януари",
    "february feb februar février fevrier févr fevr fév febrero febbraio fevereiro fev februari февраля \
     февраль фев февр lutego luty lut února únor február şubat şub helmikuuta helmikuu helmi febr \
     februarie φεβρουαρίου лютого февруари",
    "march mar märz maerz mär mrz mars marzo março marco maart mrt marts марта март мар marca marzec \
     března březen marec mart maaliskuuta maaliskuu maalis március márc martie μαρτίου березня",
    "april apr avril avr abril abr aprile апреля апрель апр kwietnia kwiecień kwi dubna duben apríla \
     apríl nisan nis huhtikuuta huhtikuu huhti április ápr aprilie απριλίου квітня април",
    "may mai mayo maggio mag maio mei maj мая май maja května květen mája máj mayıs toukokuuta toukokuu \
     touko május μαΐου травня",
    "june jun juni juin junio giugno giu junho июня июнь июн czerwca czerwiec cze června červen júna jún \
     haziran haz kesäkuuta kesäkuu kesä június iunie iun ιουνίου червня юни",
    "july jul juli juillet juil julio luglio lug julho июля июль июл lipca lipiec července červenec júla \
     júl temmuz tem heinäkuuta heinäkuu heinä július iulie iul ιουλίου липня юли",
    "august aug août aout agosto ago augustus augusti августа август авг sierpnia sierpień sie srpna \
     srpen augusta ağustos ağu elokuuta elokuu elo augusztus αυγούστου серпня",
    "september sep sept septembre septiembre setembro settembre set сентября сентябрь сен сент września \
     wrzesień wrz září septembra eylül eyl syyskuuta syyskuu syys szeptember szept septembrie \
     σεπτεμβρίου вересня септември",
    "october oct oktober okt octobre octubre outubro out ottobre ott октября октябрь окт października \
     październik paź října říjen októbra október ekim eki lokakuuta lokakuu loka octombrie οκτωβρίου \
     жовтня октомври",
    "november nov novembre noviembre novembro ноября ноябрь ноя нояб listopadu novembra kasım kas \
     marraskuuta marraskuu marras noiembrie νοεμβρίου листопада ноември",
    "december dec dezember dez décembre decembre déc diciembre dic dicembre dezembro desember des \
     декабря декабрь дек grudnia grudzień gru prosince prosinec decembra aralık ara joulukuuta joulukuu \
     joulu decembrie δεκεμβρίου грудня декември",
];

/// Days of the week, with blanks between; they may be cut short.
const DAYS: &str = "monday tuesday wednesday thursday friday saturday sunday montag dienstag mittwoch donnerstag \
     freitag samstag sonnabend sonntag lundi mardi mercredi jeudi vendredi samedi dimanche lunes martes \
     miércoles jueves viernes sábado domingo lunedì martedì mercoledì giovedì venerdì sabato domenica \
     segunda terça quarta quinta sexta maandag dinsdag woensdag donderdag vrijdag zaterdag zondag måndag \
     tisdag onsdag torsdag fredag lördag söndag mandag tirsdag lørdag søndag понедельник вторник среда \
     четверг пятница суббота воскресенье пн вт ср чт пт сб вс понеділок вівторок середа четвер пʼятниця \
     субота неділя poniedziałek wtorek środa czwartek piątek sobota niedziela pondělí úterý středa \
     čtvrtek pátek neděle pondelok utorok streda štvrtok piatok nedeľa pazartesi salı çarşamba perşembe \
     cuma cumartesi pazar maanantai tiistai keskiviikko torstai perjantai lauantai sunnuntai hétfő kedd \
     szerda csütörtök péntek szombat vasárnap luni marți miercuri joi vineri sâmbătă duminică δευτέρα \
     τρίτη τετάρτη πέμπτη παρασκευή σάββατο κυριακή";

/// Halves of the day, and the hours that they add; the longer spelling before one that it contains.
pub(super) const HALVES: &[(&str, u32)] = &[
    ("a. m.", 0),
    ("p. m.", 12),
    ("a.m.", 0),
    ("p.m.", 12),
    ("am", 0),
    ("pm", 12),
    ("上午", 0),
    ("下午", 12),
    ("凌晨", 0),
    ("早上", 0),
    ("中午", 12),
    ("晚上", 12),
    ("午前", 0),
    ("午後", 12),
    ("오전", 0),
    ("오후", 12),
    ("vorm.", 0),
    ("nachm.", 12),
    ("a.m", 0),
    ("p.m", 12),
    ("fm", 0),
    ("em", 12),
    ("π.μ.", 0),
    ("μ.μ.", 12),
    ("πμ", 0),
    ("μμ", 12),
    ("öö", 0),
    ("ös", 12),
    ("de.", 0),
    ("du.", 12),
    ("dop.", 0),
    ("odp.", 12),
    ("дп", 0),
    ("пп", 12),
    ("пр.об.", 0),
    ("сл.об.", 12),
    ("sa", 0),
    ("ch", 12),
    ("ص", 0),
    ("م", 12),
];

/// What stands between a date and its clock.
pub(super) const BETWEEN: &[&str] = &[
    "t", "at", "um", "à", "a las", "a la", "às", "alle", "kl.", "kl", "klo", "om", "в", "о", "v",
    "o", "@", "-", ":",
];

/// The number of the month with this name.
pub(super) fn month(name: &str) -> Option<u32> {
    let at = MONTHS
        .iter()
        .position(|names| names.split(' ').any(|known| known == name))?;
    Some(at as u32 + 1)
}

/// Whether a word is a day of the week.
pub(super) fn is_day(word: &str) -> bool {
    let is_long = word.chars().nth(1).is_some();
    let listed = || is_long && DAYS.split(' ').any(|day| day.starts_with(word));
    let begins = ["星期", "周", "週"].iter().any(|b| word.starts_with(b));
    let ends = ["曜日", "요일"].iter().any(|e| word.ends_with(e));
    let alone = |c: char| "月火水木金土日월화수목금토일".contains(c);
    let mut letters = word.chars();
    let short = letters.next().is_some_and(alone) && letters.next().is_none();
    begins || ends || short || listed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_for_two_months() {
        let mut all: Vec<&str> = MONTHS.iter().flat_map(|m| m.split(' ')).collect();
        assert!(all.iter().all(|name| *name == name.to_lowercase()));
        all.sort_unstable();
        assert!(all.windows(2).all(|w| w[0] != w[1]), "{all:?}");
    }

    #[test]
    fn days_are_told_from_other_words() {
        for day in [
            "mon",
            "понедельник",
            "pazartesi",
            "月曜日",
            "星期一",
            "월요일",
            "月",
        ] {
            assert!(is_day(day), "{day}");
        }
        for other in ["", "t", "at", "um", "om", "pm", "am", "klo", "ös"] {
            assert!(!is_day(other), "{other}");
        }
    }
}
