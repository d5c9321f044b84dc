//! Examples of every command, as `--help` and the man pages show them; a test runs each of them.
//!
//! They stand in a folder with `exports` (what was exported), `archive` (made of it), `my-rules`, `coldtrail.toml` (of `run --init`), `stored.json` (findings) and `key`.

/// A command line, and what it is for.
pub(super) struct Example {
    /// As it is typed.
    pub(super) line: &'static str,
    /// What it does, in one line.
    pub(super) does: &'static str,
}

const fn example(line: &'static str, does: &'static str) -> Example {
    Example { line, does }
}

/// The examples of a command, named as it is typed: `rules list`; nothing for coldtrail itself.
pub(super) fn of(command: &str) -> &'static [Example] {
    let found = EXAMPLES.iter().find(|(named, _)| *named == command);
    match found {
        Some((_, examples)) => examples,
        None => &[],
    }
}

/// Commands with their examples.
pub(super) const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "",
        &[
            example(
                "coldtrail analyze exports -o out -r builtin:mip",
                "Archive, findings and report in one go",
            ),
            example(
                "coldtrail hunt -a archive -r builtin:mip -m medium",
                "What the rules find in an archive",
            ),
        ],
    ),
    (
        "analyze",
        &[
            example(
                "coldtrail analyze exports -o case-17 -r builtin:mip",
                "Archive, findings and report into case-17",
            ),
            example(
                "coldtrail analyze exports -o case-17 -C -r builtin:mip -m high",
                "Once more, only what is of high severity",
            ),
        ],
    ),
    (
        "ingest",
        &[
            example(
                "coldtrail ingest exports -a archive",
                "Read a folder; what was read before changes nothing",
            ),
            example(
                "coldtrail ingest 'exports/**/*.csv' -a archive --dry-run",
                "Say what each file would be taken for",
            ),
        ],
    ),
    (
        "tables",
        &[
            example(
                "coldtrail tables -a archive --days",
                "Rows of each table and day",
            ),
            example(
                "coldtrail tables -a archive --columns LabelEvents",
                "Columns of a table and where each comes from",
            ),
        ],
    ),
    (
        "gaps",
        &[
            example(
                "coldtrail gaps -a archive",
                "Holes, quiet hours and caps that were hit",
            ),
            example(
                "coldtrail gaps -a archive --from 2026-05-01 -f json",
                "Those since May, for programs",
            ),
        ],
    ),
    (
        "verify",
        &[
            example(
                "coldtrail verify -a archive",
                "Ends with 1 when something does not hold",
            ),
            example(
                "coldtrail verify -a archive --sources exports --json",
                "The exports are compared too, wherever they lie now",
            ),
        ],
    ),
    (
        "archive compact",
        &[
            example(
                "coldtrail archive compact -a archive",
                "Merge what nightly ingests left; old files stay for a week",
            ),
            example(
                "coldtrail archive compact -a archive --retention 30",
                "Old files stay for a month",
            ),
        ],
    ),
    (
        "archive rebuild",
        &[
            example(
                "coldtrail archive rebuild -a archive",
                "Derive LabelEvents again",
            ),
            example(
                "coldtrail archive rebuild -a archive && coldtrail verify -a archive",
                "And prove that all fits",
            ),
        ],
    ),
    (
        "archive repair",
        &[
            example(
                "coldtrail archive repair -a archive",
                "After a power cut or a partial copy",
            ),
            example(
                "coldtrail archive repair -a archive && coldtrail verify -a archive",
                "And prove that all fits",
            ),
        ],
    ),
    (
        "cost",
        &[
            example(
                "coldtrail cost -a archive --top 6",
                "What weighs most in Sentinel",
            ),
            example(
                "coldtrail cost --example-prices > prices.yaml",
                "A price list to fill in, for --prices",
            ),
        ],
    ),
    (
        "export",
        &[
            example(
                "coldtrail export -a archive --table UnifiedAuditLog --user 'dave*' --from 2026-05-11 -o dave.csv",
                "What Dave did, and what was done to him, to hand on",
            ),
            example(
                "coldtrail export --new-key case.key && coldtrail export -a archive --pseudonymise case.key -o hidden/ -f jsonl",
                "All events with nobody named",
            ),
        ],
    ),
    (
        "sql",
        &[
            example(
                "coldtrail sql -a archive \"SELECT Action, count(*) FROM LabelEvents GROUP BY 1\"",
                "Label actions, counted",
            ),
            example(
                "coldtrail sql -a archive 'SELECT * FROM Ingests' -o ingests.csv",
                "What was read, into a file; its extension says the format",
            ),
        ],
    ),
    (
        "kql",
        &[
            example(
                "coldtrail kql -a archive 'CloudAppEvents | summarize n = count() by ActionType'",
                "A question as for Sentinel",
            ),
            example("coldtrail kql 'print 1d + 2h'", "No table, no archive"),
        ],
    ),
    (
        "ask",
        &[
            example("coldtrail ask --list", "The questions there are"),
            example(
                "coldtrail ask -a archive addresses-of-user --set user=ivan.ironside@contoso.com",
                "From where a user came",
            ),
        ],
    ),
    (
        "shell",
        &[
            example(
                "coldtrail shell -a archive",
                "Ask one question after the other",
            ),
            example(
                "echo \"UnifiedAuditLog | count;\" | coldtrail shell -a archive",
                "Questions from a pipe or a file",
            ),
        ],
    ),
    (
        "labels import",
        &[
            example(
                "coldtrail labels import -a archive labels.csv --dry-run",
                "Say what the list would change",
            ),
            example(
                "coldtrail labels import -a archive labels.csv",
                "Take names and ranks",
            ),
        ],
    ),
    (
        "labels list",
        &[
            example(
                "coldtrail labels list -a archive",
                "Names, ranks and how often each is used",
            ),
            example(
                "coldtrail labels list -a archive -f csv",
                "The same for a spreadsheet",
            ),
        ],
    ),
    (
        "labels export",
        &[
            example(
                "coldtrail labels export -a archive -o Labels.csv",
                "The list into a file",
            ),
            example(
                "coldtrail labels export -a archive",
                "The list on standard output",
            ),
        ],
    ),
    (
        "labels history",
        &[
            example(
                "coldtrail labels history -a archive \"Carrier Contracts.docx\"",
                "What happened to the labels of a document",
            ),
            example(
                "coldtrail labels history -a archive ivan.ironside@contoso.com -f csv",
                "What a user did with labels",
            ),
        ],
    ),
    (
        "hunt",
        &[
            example(
                "coldtrail hunt -a archive -r builtin:mip -m medium",
                "A built-in pack, medium severity and above",
            ),
            example(
                "coldtrail hunt -a archive -r my-rules --from 2026-05-01 -o findings.json",
                "Rules of your own, since May, into a file",
            ),
            example(
                "coldtrail hunt -a archive -r my-rules --replay",
                "The alerts that the schedule would have raised",
            ),
        ],
    ),
    (
        "indicators",
        &[
            example(
                "coldtrail indicators -a archive -r builtin:mip -m high -o case-17.json",
                "Of findings, as a bundle of STIX 2.1",
            ),
            example(
                "coldtrail indicators -a archive --from-denials -f csv -o denials.csv",
                "Of denied access, as Sentinel imports a file",
            ),
        ],
    ),
    (
        "alerts list",
        &[
            example(
                "coldtrail alerts list -a archive",
                "What hunt --store has stored",
            ),
            example(
                "coldtrail alerts list -a archive --incidents -f json",
                "The incidents that they are grouped into",
            ),
        ],
    ),
    (
        "alerts show",
        &[
            example(
                "coldtrail alerts show -a archive 6470991e",
                "All that an alert says",
            ),
            example(
                "coldtrail alerts show -a archive 6470991e -f json",
                "The same for programs",
            ),
        ],
    ),
    (
        "notify access-denied",
        &[
            example(
                "coldtrail notify access-denied -a archive --domain contoso.com --dry-run",
                "Say who would be told what",
            ),
            example(
                "coldtrail notify access-denied -a archive --domain contoso.com --outbox mails",
                "Mails to owners, as files",
            ),
        ],
    ),
    (
        "notify findings",
        &[
            example(
                "coldtrail notify findings -a archive -r my-rules --domain contoso.com --recipient soc@contoso.com --dry-run",
                "Say what the team would be told",
            ),
            example(
                "coldtrail notify findings -a archive -r my-rules --domain contoso.com --recipient soc@contoso.com",
                "Mails to the team, as files in `outbox`",
            ),
        ],
    ),
    (
        "notify label-changes",
        &[
            example(
                "coldtrail notify label-changes -a archive --domain contoso.com --dry-run",
                "Say which managers would be told what",
            ),
            example(
                "coldtrail notify label-changes -a archive --domain contoso.com --outbox mails",
                "Mails to managers, as files",
            ),
        ],
    ),
    (
        "notify sent",
        &[
            example(
                "coldtrail notify sent -a archive",
                "Who was told what, and when",
            ),
            example(
                "coldtrail notify sent -a archive | head -20",
                "The earliest of them",
            ),
        ],
    ),
    (
        "report",
        &[
            example(
                "coldtrail report -a archive -r builtin:mip -o report.html",
                "One page that opens offline",
            ),
            example(
                "coldtrail report -a archive --label-changes -f csv -o changes.csv",
                "Labels that were lowered or removed",
            ),
        ],
    ),
    (
        "run",
        &[
            example(
                "coldtrail run --init nightly.toml",
                "Write a configuration with a word on each key",
            ),
            example(
                "coldtrail run -c coldtrail.toml --dry-run",
                "Say what each step would do, and change nothing",
            ),
        ],
    ),
    (
        "rules list",
        &[
            example("coldtrail rules list", "The built-in rules"),
            example(
                "coldtrail rules list my-rules -f json",
                "Rules of your own, with all they say",
            ),
        ],
    ),
    (
        "rules show",
        &[
            example(
                "coldtrail rules show mass-label-removal-or-downgrade",
                "A built-in rule",
            ),
            example(
                "coldtrail rules show 'Risky sign-ins' -r my-rules",
                "A rule of your own",
            ),
        ],
    ),
    (
        "rules check",
        &[
            example(
                "coldtrail rules check my-rules",
                "Which would run, and why not",
            ),
            example(
                "coldtrail rules check my-rules -a archive",
                "And whether the archive has their tables",
            ),
        ],
    ),
    (
        "rules test",
        &[
            example(
                "coldtrail rules test my-rules",
                "Run the tests that stand in rules",
            ),
            example(
                "coldtrail rules test my-rules -f json",
                "The same for programs",
            ),
        ],
    ),
    (
        "rules why",
        &[
            example(
                "coldtrail rules why 'Risky sign-ins' -r my-rules -a archive",
                "Why a rule is silent",
            ),
            example(
                "coldtrail rules why 'Risky sign-ins' -r my-rules -a archive -f json",
                "The same for programs",
            ),
        ],
    ),
    (
        "rules coverage",
        &[
            example(
                "coldtrail rules coverage",
                "Techniques that the built-in rules cover",
            ),
            example(
                "coldtrail rules coverage -r my-rules -o layer.json",
                "A layer for the ATT&CK Navigator",
            ),
        ],
    ),
    (
        "rules convert",
        &[
            example("coldtrail rules convert my-rules", "Rules as KQL"),
            example(
                "coldtrail rules convert my-rules -f json",
                "The same for programs",
            ),
        ],
    ),
    (
        "timeline",
        &[
            example(
                "coldtrail timeline -a archive --user ivan.ironside@contoso.com -o ivan.csv",
                "What a user did",
            ),
            example(
                "coldtrail timeline -a archive --from 2026-05-18 --to 2026-05-25 -o week.html",
                "A week, as a page",
            ),
        ],
    ),
    (
        "worker",
        &[
            example(
                "coldtrail worker --new-secret secret",
                "A secret, to be copied to each machine",
            ),
            example(
                "coldtrail worker -a archive --listen 127.0.0.1:7070 --secret-file key & sleep 1; coldtrail hunt -a archive -r builtin:mip --cluster 127.0.0.1:7070 --secret-file key; kill $!",
                "Try it on one machine: a worker, a hunt that it answers, and its end",
            ),
        ],
    ),
    (
        "completions",
        &[
            example(
                "coldtrail completions bash > coldtrail.bash",
                "Then `. coldtrail.bash`",
            ),
            example(
                "coldtrail completions man -o man1",
                "A man page for each command",
            ),
        ],
    ),
];
