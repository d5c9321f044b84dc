//! What people read.

use super::super::field::Field::{
    self, Action, Address, Application, Changes, Count, Destination, Facts, Name, NewLabel, Object,
    OldLabel, Owner, Parameters, Place, Reason, Result, Table, Target, User,
};
use super::*;

const LABELS: [(&str, &str, i64); 2] = [("l1", "General", 1), ("l3", "Confidential", 3)];
const AUDIT: (Field, &str) = (Table, "UnifiedAuditLog");
const ANN: (Field, &str) = (User, "ann@contoso.com");

fn of(said: &[(Field, &str)]) -> String {
    sentence(&Event::of(0, said), &Names::these(&LABELS))
}

#[test]
fn sign_ins_and_rules_of_mailboxes_read_like_sentences() {
    for (said, line) in [
        (
            vec![
                (Table, "SigninLogs"),
                ANN,
                (Application, "Office"),
                (Result, "0"),
                (Address, "192.0.2.1"),
                (Place, "DE"),
            ],
            "ann@contoso.com signed in to `Office` from 192.0.2.1 (DE)",
        ),
        (
            vec![
                AUDIT,
                (Action, "UserLoginFailed"),
                ANN,
                (Result, "50126"),
                (Reason, "InvalidUserNameOrPassword"),
                (Address, "192.0.2.1"),
            ],
            "ann@contoso.com failed to sign in (50126, `InvalidUserNameOrPassword`) from 192.0.2.1",
        ),
        (
            vec![
                AUDIT,
                (Action, "New-InboxRule"),
                ANN,
                (
                    Parameters,
                    r#"[{"Name":"Name","Value":"."},{"Name":"ForwardTo","Value":"x@fabrikam.com"},{"Name":"SubjectContainsWords","Value":"invoice"},{"Name":"DeleteMessage","Value":"True"},{"Name":"MarkAsRead","Value":"False"}]"#,
                ),
            ],
            "ann@contoso.com created the inbox rule `.`: where the subject contains `invoice`, forwards to `x@fabrikam.com`, deletes the message",
        ),
        (
            vec![
                AUDIT,
                (Action, "New-InboxRule"),
                ANN,
                (Address, "192.0.2.1"),
                (
                    Parameters,
                    r#"[{"Name":"Name","Value":"x"},{"Name":"DeleteMessage","Value":"True"}]"#,
                ),
            ],
            "ann@contoso.com created the inbox rule `x` from 192.0.2.1: deletes the message",
        ),
        (
            vec![
                AUDIT,
                (Action, "UpdateInboxRules"),
                ANN,
                (Owner, "ann@contoso.com"),
                (
                    Facts,
                    r#"[{"Name":"RuleOperation","Value":"AddMailboxRule"},{"Name":"RuleName","Value":".."},{"Name":"RuleCondition","Value":"(Subject contains \"invoice\")"},{"Name":"RuleActions","Value":"[{\"ActionType\":\"Forward\",\"Recipients\":[\"x@fabrikam.com\"]}]"}]"#,
                ),
                (Address, "192.0.2.1"),
            ],
            "ann@contoso.com created the inbox rule `..` from 192.0.2.1: where `(Subject contains \"invoice\")`, actions \
             `{\"ActionType\":\"Forward\",\"Recipients\":[\"x@fabrikam.com\"]}`",
        ),
        (
            vec![
                AUDIT,
                (Action, "Set-Mailbox"),
                ANN,
                (
                    Parameters,
                    r#"[{"Name":"Identity","Value":"bob"},{"Name":"ForwardingAddress","Value":""}]"#,
                ),
            ],
            "ann@contoso.com set the mailbox `bob` to forward to nobody",
        ),
        (
            vec![
                AUDIT,
                (Action, "Set-Mailbox"),
                ANN,
                (
                    Parameters,
                    r#"[{"Name":"Identity","Value":"bob"},{"Name":"ForwardingSmtpAddress","Value":"smtp:x@fabrikam.com"},{"Name":"DeliverToMailboxAndForward","Value":"False"}]"#,
                ),
                (Result, "True"),
            ],
            "ann@contoso.com set the mailbox `bob` to forward to `smtp:x@fabrikam.com`, keeping no copy",
        ),
    ] {
        assert_eq!(of(&said), line);
    }
}

#[test]
fn mail_consent_and_roles_read_like_sentences() {
    for (said, line) in [
        (
            vec![
                AUDIT,
                (Action, "MailItemsAccessed"),
                ANN,
                (Owner, "bob@contoso.com"),
                (Count, "12"),
                (Facts, r#"[{"Name":"MailAccessType","Value":"Sync"}]"#),
            ],
            "ann@contoso.com synchronised mail (12 accesses) in the mailbox of `bob@contoso.com`",
        ),
        (
            vec![
                AUDIT,
                (Action, "Consent to application."),
                ANN,
                (
                    Target,
                    r#"[{"ID":"ServicePrincipal_1","Type":2},{"ID":"Mail Tool","Type":1}]"#,
                ),
                (
                    Changes,
                    r#"[{"Name":"ConsentContext.IsAdminConsent","NewValue":"True","OldValue":""},{"Name":"ConsentAction.Permissions","NewValue":"[] => [[Id: a, ClientId: b, PrincipalId: , Scope: Mail.Read offline_access, CreatedDateTime: ]]","OldValue":""}]"#,
                ),
                (Result, "Success"),
            ],
            "ann@contoso.com consented to the application `Mail Tool` for the whole organisation: `Mail.Read offline_access`",
        ),
        (
            vec![
                (Table, "AuditLogs"),
                (Action, "Add member to role"),
                ANN,
                (
                    Target,
                    r#"[{"type":"User","userPrincipalName":"bob@contoso.com","displayName":null,"modifiedProperties":[{"displayName":"Role.DisplayName","oldValue":null,"newValue":"\"Global Administrator\""}]}]"#,
                ),
            ],
            "ann@contoso.com added `bob@contoso.com` to the role `Global Administrator`",
        ),
        (
            vec![
                (Table, "InformationProtectionLogs_CL"),
                (Action, "AccessDenied"),
                ANN,
                (Object, "a.docx"),
                (Owner, "bob@contoso.com"),
            ],
            "ann@contoso.com was denied access to `a.docx` of `bob@contoso.com`",
        ),
    ] {
        assert_eq!(of(&said), line);
    }
}

#[test]
fn documents_read_like_sentences_and_all_others_have_a_general_line() {
    for (said, line) in [
        (
            vec![
                AUDIT,
                (Action, "FileDownloaded"),
                ANN,
                (Object, "https://x/a/Plan.docx"),
                (Address, "192.0.2.1"),
            ],
            "ann@contoso.com downloaded `Plan.docx` from 192.0.2.1",
        ),
        (
            vec![
                AUDIT,
                (Action, "FileMoved"),
                ANN,
                (Name, "a.txt"),
                (Destination, "Archive/a.txt"),
            ],
            "ann@contoso.com moved `a.txt` to `Archive/a.txt`",
        ),
        (
            vec![
                AUDIT,
                (Action, "AnonymousLinkCreated"),
                ANN,
                (Name, "a.txt"),
            ],
            "ann@contoso.com made a link to `a.txt` that anyone can use",
        ),
        (
            vec![
                AUDIT,
                (Action, "SensitivityLabelUpdated"),
                ANN,
                (Name, "a.docx"),
                (OldLabel, "L3"),
                (NewLabel, "l1"),
            ],
            "ann@contoso.com lowered the label of `a.docx` from `Confidential` to `General`",
        ),
        (
            vec![
                AUDIT,
                (Action, "Set-TransportConfig"),
                ANN,
                (Object, "x\\y"),
                (Result, "False"),
                (Reason, "no"),
            ],
            "ann@contoso.com performed `Set-TransportConfig` on `x\\y`; it failed: `no`",
        ),
        (vec![AUDIT, (Action, "X")], "Somebody performed `X`"),
        (
            vec![
                (Table, "OtherRecords"),
                ANN,
                (Object, "x"),
                (Address, "192.0.2.1"),
            ],
            "Record of `OtherRecords` with `x`, about ann@contoso.com, address 192.0.2.1",
        ),
        (
            vec![
                AUDIT,
                (Action, "SoftDelete"),
                ANN,
                (Owner, "ann@contoso.com"),
                (Name, "Offer"),
                (Result, "PartiallySucceeded"),
            ],
            "ann@contoso.com deleted the mail `Offer`; it succeeded in part",
        ),
        (
            vec![
                AUDIT,
                (Action, "SharingSet"),
                ANN,
                (Name, "Wordlist.docx"),
                (Application, "Word"),
                (Target, "SharingLinks.1a52.AnonymousEdit.6dd8"),
            ],
            "ann@contoso.com shared `Wordlist.docx` with anyone with a link with `Word`",
        ),
        (
            vec![
                AUDIT,
                (Action, "LabelDowngraded"),
                ANN,
                (Name, "a.docx"),
                (OldLabel, "x"),
                (NewLabel, "y"),
            ],
            "ann@contoso.com lowered the label of `a.docx` from `x` to `y`",
        ),
    ] {
        assert_eq!(of(&said), line);
    }
}

#[test]
fn no_event_is_without_a_line_and_no_text_makes_one_long() {
    let long = "x".repeat(100_000);
    for field in Field::ALL {
        let line = of(&[(field, long.as_str())]);
        assert!(
            !line.is_empty() && line.len() < 4000,
            "{field:?}: {}",
            line.len()
        );
    }
    let odd = "[{\"Name\":1},7,null,{\"ID\":[]}]";
    for action in [
        "New-InboxRule",
        "Consent to application.",
        "Add member to role.",
        "MemberAdded",
        "Set-Mailbox",
    ] {
        let said = [
            (Field::Action, action),
            (Field::Parameters, odd),
            (Field::Changes, odd),
            (Field::Target, odd),
        ];
        assert!(of(&said).len() > action.len() / 2);
    }
}
