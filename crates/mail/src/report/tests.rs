//! Reports as real servers write them.

use super::*;

fn postfix(action: &str, status: &str) -> String {
    format!(
        "Return-Path: <>\r\nDelivered-To: bounces+01983b5c7f1e7a009c1f2f6d8e1b4a77.00112233445566778899@example.com\r\n\
         From: MAILER-DAEMON@mx.example.net (Mail Delivery System)\r\nTo: bounces+x@example.com\r\n\
         Subject: Undelivered Mail Returned to Sender\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"B/1\"\r\n\r\n\
         --B/1\r\nContent-Description: Notification\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
         This is the mail system at host mx.example.net.\r\n\r\n\
         --B/1\r\nContent-Description: Delivery report\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx.example.net\r\nX-Postfix-Queue-ID: 4ABC\r\n\
         Arrival-Date: Tue, 24 Nov 2026 17:00:00 +0000 (UTC)\r\n\r\n\
         Final-Recipient: rfc822; ana@example.net\r\nOriginal-Recipient: rfc822;ana@example.net\r\n\
         Action: {action}\r\nStatus: {status}\r\nRemote-MTA: dns; mx2.example.net\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 <ana@example.net>: Recipient address\r\n    rejected: User unknown\r\n\r\n\
         --B/1\r\nContent-Description: Undelivered Message\r\nContent-Type: message/rfc822\r\n\r\n\
         From: hello@example.com\r\nTo: ana@example.net\r\n\
         Message-ID: <01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77@example.com>\r\nSubject: Hi\r\n\r\nHi\r\n\r\n--B/1--\r\n"
    )
}

fn only(report: &Report) -> &RecipientStatus {
    let ReportContent::Status(all) = &report.content else { panic!("{report:?}") };
    assert_eq!(all.len(), 1);
    &all[0]
}

#[test]
fn a_bounce_of_postfix_is_read_with_everything_that_is_needed_to_match_it() {
    let report = read(postfix("failed", "5.1.1").as_bytes()).unwrap();
    assert!(report.sent_to.iter().any(|to| crate::verp::Verp::parse(to).is_some()), "{report:?}");
    assert_eq!(report.original_id.as_deref(), Some("<01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77@example.com>"));
    let status = only(&report);
    assert_eq!(status.final_recipient, "ana@example.net");
    assert_eq!(
        status.diagnostic.as_deref(),
        Some("550 5.1.1 <ana@example.net>: Recipient address rejected: User unknown")
    );
    assert!(status.is_bad_address());
}

#[test]
fn a_delay_and_a_policy_are_no_bad_addresses() {
    let delayed = read(postfix("delayed", "4.4.1").as_bytes()).unwrap();
    assert_eq!(only(&delayed).action, Action::Delayed);
    let policy = read(postfix("failed", "5.7.26").as_bytes()).unwrap();
    assert!(!only(&policy).is_bad_address());
    let unreadable = read(postfix("failed", "550").as_bytes()).unwrap();
    assert_eq!(only(&unreadable).status, None);
}

#[test]
fn where_only_the_header_came_back_the_message_id_is_found_too() {
    let headers = postfix("failed", "5.1.1").replace("message/rfc822", "text/rfc822-headers");
    let report = read(headers.as_bytes()).unwrap();
    assert_eq!(report.original_id.as_deref(), Some("<01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77@example.com>"));
}

#[test]
fn a_complaint_is_read_as_rfc_5965_writes_it() {
    let raw = "From: <abusedesk@example.net>\r\nTo: <abuse@example.com>\r\nSubject: FW: Earn money\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=feedback-report;\r\n boundary=\"b\"\r\n\r\n\
        --b\r\nContent-Type: text/plain; charset=\"US-ASCII\"\r\n\r\nThis is an email abuse report.\r\n\r\n\
        --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: Abuse\r\nUser-Agent: SomeGenerator/1.0\r\n\
        Version: 1\r\n\
        Original-Mail-From: <bounces+01983b5c7f1e7a009c1f2f6d8e1b4a77.00112233445566778899@example.com>\r\n\
        Original-Rcpt-To: <ana@example.net>\r\n\r\n\
        --b\r\nContent-Type: message/rfc822\r\nContent-Disposition: inline\r\n\r\nFrom: hello@example.com\r\n\
        Message-ID: <m1@example.com>\r\nSubject: Hi\r\n\r\nHi\r\n--b--\r\n";
    let report = read(raw.as_bytes()).unwrap();
    let ReportContent::Complaint(complaint) = &report.content else { panic!("{report:?}") };
    assert_eq!((complaint.kind.as_str(), complaint.original_rcpt_to.as_deref()), ("abuse", Some("ana@example.net")));
    assert!(complaint.is_unwanted());
    assert!(report.sent_to.iter().any(|to| crate::verp::Verp::parse(to).is_some()), "{report:?}");
    assert_eq!(report.original_id.as_deref(), Some("<m1@example.com>"));
}

#[test]
fn only_a_reader_who_complains_does_not_want_the_mail() {
    let complaint = |kind: &str| Complaint { kind: kind.to_owned(), original_mail_from: None, original_rcpt_to: None };
    for (kind, unwanted) in [
        ("abuse", true),
        ("fraud", true),
        ("opt-out", true),
        ("not-spam", false),
        ("auth-failure", false),
        ("virus", false),
        ("other", false),
    ] {
        assert_eq!(complaint(kind).is_unwanted(), unwanted, "{kind}");
    }
}

#[test]
fn what_is_no_report_says_so_and_nothing_panics() {
    assert_eq!(read(b"From: a@b.example\r\nSubject: hi\r\n\r\nhello\r\n").unwrap_err(), ReportError::NoReport);
    assert_eq!(read(b"").unwrap_err(), ReportError::NotAMessage);
    let whole = postfix("failed", "5.1.1");
    for end in (0..whole.len()).step_by(7) {
        let _ = read(&whole.as_bytes()[..end]);
    }
    let nobody = whole.replace("Final-Recipient", "X-Recipient");
    assert_eq!(read(nobody.as_bytes()).unwrap_err(), ReportError::NoRecipient);
}
