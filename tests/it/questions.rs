//! One snapshot answers questions about any times: what is lowered once is what is lowered for each question, and threads share it.

use coldtrail::archive::Archive;
use coldtrail::engine::{
    self, Language, Prepared, Question, Session, Source, TimeRange, kql, output,
};
use datafusion::dataframe::DataFrame;

use crate::{ingest, project};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// 2026-05-04T00:00:00Z, the first day of the sample data.
const FIRST: i64 = 1_777_852_800_000_000;

/// KQL whose plan waits for the moment.
static WAITING: [&str; 14] = [
    "CloudAppEvents | where TimeGenerated > ago(1d) | summarize n = count() by ActionType",
    "CloudAppEvents | where TimeGenerated between (ago(7d) .. now()) | count",
    "CloudAppEvents | where TimeGenerated >= startofday(now()) - 3d | project TimeGenerated, ActionType",
    "UnifiedAuditLog | extend age = now() - TimeGenerated | where age < 2d | project age, Operation",
    "let since = ago(3d); OfficeActivity | where TimeGenerated > since | summarize n = count() by Operation",
    "let since = ago(9d); let until = since + 2d; SigninLogs | where TimeGenerated between (since .. until) | project TimeGenerated, UserPrincipalName",
    "LabelEvents | where TimeGenerated > ago(5d) | summarize n = count(), newest = max(TimeGenerated) by Action",
    "SigninLogs | summarize recent = countif(TimeGenerated > ago(2d)), n = count() by UserPrincipalName",
    "UnifiedAuditLog | summarize n = count() by recent = TimeGenerated > ago(4d), Operation",
    "print a = now(), b = ago(1h), c = startofday(now())",
    "UnifiedAuditLog | where Operation has 'Label' and TimeGenerated > ago(8d) or UserId startswith 'a' | count",
    "UnifiedAuditLog | extend w = format_datetime(ago(1d), 'yyyy-MM-dd') | summarize n = count() by w",
    "UnifiedAuditLog | extend w = iff(TimeGenerated > ago(3d), 'new', 'old') | summarize n = count() by w",
    "UnifiedAuditLog | where bin(TimeGenerated, 1d) == bin(ago(2d), 1d) | count",
];

/// KQL of other kinds, some of which is lowered for each question.
static OTHERS: [&str; 15] = [
    "UnifiedAuditLog | summarize n = count() by bin(TimeGenerated, 1d) | sort by TimeGenerated asc | take 3",
    "let a = UnifiedAuditLog | where TimeGenerated > ago(6d); \
     a | join kind=inner (a | summarize n = count() by UserId) on UserId | summarize n = sum(n) by Operation",
    "OfficeActivity | join kind=leftanti (SigninLogs | where TimeGenerated > ago(10d)) on $left.UserId == $right.UserPrincipalName | count",
    "union CloudAppEvents, OfficeActivity | where TimeGenerated > ago(3d) | count",
    "CloudAppEvents | where TimeGenerated > ago(9d) | summarize arg_max(TimeGenerated, ActionType) by AccountDisplayName | count",
    "CloudAppEvents | sort by TimeGenerated asc | extend p = prev(TimeGenerated) | where TimeGenerated - p < 1h | count",
    "UnifiedAuditLog | extend d = datetime_diff('hour', now(), TimeGenerated) | summarize least = min(d), most = max(d)",
    "CloudAppEvents | make-series n = count() default = 0 on TimeGenerated from ago(4d) to now() step 1d",
    "let T = materialize(CloudAppEvents | where TimeGenerated > ago(6d)); \
     T | join kind=inner (T | summarize n = count() by ActionType) on ActionType | summarize sum(n)",
    "let newest = toscalar(CloudAppEvents | summarize max(TimeGenerated)); CloudAppEvents | where TimeGenerated > newest - 1d | count",
    "SigninLogs | where UserPrincipalName in ((UnifiedAuditLog | distinct UserId)) | count",
    "range t from ago(3d) to now() step 1d",
    "UnifiedAuditLog | where UserId in ('a', tostring(ago(1d))) | count",
    "let late = (t: datetime) { t > ago(2d) }; UnifiedAuditLog | where late(TimeGenerated) | count",
    "CloudAppEvents | mv-expand a = pack_array(1, 2) | where TimeGenerated > ago(3d) | count",
];

static SQL: [&str; 6] = [
    "SELECT count(*) FROM LabelEvents WHERE TimeGenerated > now() - INTERVAL '3 days'",
    "SELECT \"Action\", count(*) FROM LabelEvents WHERE TimeGenerated >= current_date GROUP BY 1",
    "SELECT now(), today(), date_part('hour', current_timestamp)",
    "SELECT count(*) FROM stored.\"UnifiedAuditLog\"",
    "SELECT count(*) FROM UnifiedAuditLog WHERE UserId IN \
     (SELECT UserPrincipalName FROM SigninLogs WHERE TimeGenerated > now() - INTERVAL '9 days')",
    "WITH a AS (SELECT UserId, TimeGenerated FROM OfficeActivity) \
     SELECT count(*) FROM a JOIN UnifiedAuditLog AS u ON u.UserId = a.UserId AND u.TimeGenerated < a.TimeGenerated",
];

/// The archive of all samples, opened once.
struct Snapshot {
    _folder: tempfile::TempDir,
    session: Session,
}

fn snapshot() -> Snapshot {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("archive");
    ingest(&place, &[project("sample-data")]);
    let archive = Archive::open(&place).expect("an archive");
    let options = engine::Options::default();
    let session = Session::open(Source::Archive(&archive), &options).expect("a session");
    Snapshot {
        _folder: folder,
        session,
    }
}

/// A window and a moment of many: some windows are open at an end, and some moments lie inside of them.
fn times(number: i64) -> (TimeRange, i64) {
    let from = FIRST + number * 7919 % (24 * 60) * HOUR / 60 + number % 23 * DAY;
    let to = from + (1 + number % 9) * DAY;
    let window = TimeRange {
        from: (number % 5 != 0).then_some(from),
        to: (number % 7 != 0).then_some(to),
    };
    (window, to - number % 3 * DAY)
}

/// Every text with its language, those that wait first.
fn questions(options: &kql::Options) -> Vec<(Language<'_>, &'static str)> {
    let kql = |text: &&'static str| (Language::Kql(options), *text);
    let sql = SQL.iter().map(|text| (Language::Sql, *text));
    let waiting = WAITING.iter().map(kql).chain(sql);
    waiting.chain(OTHERS.iter().map(kql)).collect()
}

fn prepared<'s>(
    session: &'s Session,
    questions: &[(Language<'s>, &'static str)],
) -> Vec<Prepared<'s>> {
    let mut all = Vec::new();
    for &(language, text) in questions {
        match session.prepare(language, text) {
            Ok(prepared) => all.push(prepared),
            Err(e) => panic!("{text}: {e}"),
        }
    }
    all
}

fn asked(session: &Session, (language, text): (Language<'_>, &str), number: i64) -> DataFrame {
    let (window, now) = times(number);
    let question = Question {
        language,
        text,
        window,
        now,
    };
    let planned = session.ask(&question);
    planned.unwrap_or_else(|e| panic!("{text}: {e}")).frame
}

/// Rows of an answer, in an order of their own.
fn rows(session: &Session, frame: DataFrame) -> Vec<String> {
    let mut out = Vec::new();
    let streamed = session.stream(frame, |batch| {
        for row in 0..batch.num_rows() {
            let cells: coldtrail::fault::Result<Vec<String>> = batch
                .columns()
                .iter()
                .map(|column| output::cell(column, row))
                .collect();
            out.push(cells?.join("|"));
        }
        Ok(())
    });
    streamed.expect("an answer");
    out.sort();
    out
}

#[test]
fn one_lowering_bound_at_a_thousand_times_is_a_thousand_lowerings() {
    let snapshot = snapshot();
    let options = kql::Options::default();
    let questions = questions(&options);
    let prepared = prepared(&snapshot.session, &questions);
    for (one, text) in prepared.iter().zip(WAITING) {
        assert!(one.is_lowered_once(), "{text}");
    }
    // Of what is lowered for each question a few are enough.
    let waiting = WAITING.len() + SQL.len();
    let often = (0..1000).map(|number| (number, number as usize % waiting));
    let few = (0..60).map(|number| (number, waiting + number as usize % OTHERS.len()));
    for (number, at) in often.chain(few) {
        let (window, now) = times(number);
        let bound = prepared[at].bind(window, now).expect("a plan");
        let fresh = asked(&snapshot.session, questions[at], number);
        assert_eq!(
            bound.display_indent().to_string(),
            fresh.logical_plan().display_indent().to_string(),
            "{} at {window:?}, {now}",
            questions[at].1
        );
    }
}

#[test]
fn answers_of_one_lowering_are_those_of_each_question() {
    let snapshot = snapshot();
    let options = kql::Options::default();
    let questions = questions(&options);
    let prepared = prepared(&snapshot.session, &questions);
    let mut some = 0;
    for number in 0..2 * questions.len() as i64 {
        let at = number as usize % questions.len();
        let (window, now) = times(number);
        let bound = prepared[at].ask(window, now).expect("a plan");
        let bound = rows(&snapshot.session, bound);
        let fresh = asked(&snapshot.session, questions[at], number);
        let fresh = rows(&snapshot.session, fresh);
        assert_eq!(bound, fresh, "{} at {window:?}, {now}", questions[at].1);
        some += usize::from(!fresh.is_empty());
    }
    assert!(some > questions.len(), "{some} had rows");
}

#[test]
fn a_window_reaches_every_scan() {
    let snapshot = snapshot();
    let options = kql::Options::default();
    let nothing = TimeRange {
        from: Some(FIRST + 400 * DAY),
        to: Some(FIRST + 401 * DAY),
    };
    for (language, text) in [
        (Language::Kql(&options), "CloudAppEvents"),
        (Language::Kql(&options), "LabelEvents"),
        (
            Language::Kql(&options),
            "let T = materialize(UnifiedAuditLog); union T, T",
        ),
        (
            Language::Kql(&options),
            "range n from 1 to toscalar(SigninLogs | count) step 1",
        ),
        (
            Language::Kql(&options),
            "datatable(UserId: string)['alice.archer@contoso.com'] | where UserId in ((UnifiedAuditLog | distinct UserId))",
        ),
        (
            Language::Kql(&options),
            "datatable(UserId: string)['alice.archer@contoso.com'] | join kind=inner OfficeActivity on UserId",
        ),
        (Language::Sql, "SELECT 1 FROM stored.\"SigninLogs\""),
        (
            Language::Sql,
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM LabelEvents)",
        ),
    ] {
        let question = Question {
            language,
            text,
            window: nothing,
            now: FIRST,
        };
        let planned = snapshot.session.ask(&question).expect("a plan");
        let found = rows(&snapshot.session, planned.frame);
        assert!(found.is_empty(), "{text}: {found:?}");
        let prepared = snapshot.session.prepare(language, text).expect("a plan");
        let bound = prepared.ask(nothing, FIRST).expect("a plan");
        assert!(rows(&snapshot.session, bound).is_empty(), "{text}");
    }
}

#[test]
fn two_threads_ask_one_snapshot_at_once() {
    let snapshot = snapshot();
    let options = kql::Options::default();
    let questions = questions(&options);
    let ask_all = || -> Vec<Vec<String>> {
        let numbers = 0..questions.len() as i64;
        let answers = numbers.map(|number| {
            let frame = asked(&snapshot.session, questions[number as usize], number);
            rows(&snapshot.session, frame)
        });
        answers.collect()
    };
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let thread = std::thread::Builder::new().stack_size(engine::STACK);
                thread.spawn_scoped(scope, ask_all).expect("a thread")
            })
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.map(|answers| answers.expect("it answers")).collect()
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], ask_all());
}
