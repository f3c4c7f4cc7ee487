//! What is good to have: told, and never a reason to hold mail.

use mail::gate::{Severity, Verdict};

use super::desk::{Desk, worst};

#[tokio::test]
async fn what_is_not_published_is_only_mentioned() {
    let desk = Desk::good().await;
    let report = desk.whole_report().await;
    for rule in ["mta_sts.policy", "tls_rpt.record", "bimi.record"] {
        let finding = worst(&report, rule);
        assert!(finding.severity == Severity::Info && finding.found == "not published", "{finding:?}");
    }
    assert_eq!(report.verdict(), Verdict::Pass);
}

#[tokio::test]
async fn what_is_published_is_shown() {
    let desk = Desk::good().await;
    desk.txt("_smtp._tls.example.test", &["v=TLSRPTv1; rua=mailto:tls@example.test"]);
    desk.txt("default._bimi.example.test", &["v=BIMI1; l=https://example.test/logo.svg", "v=BIMI1; l="]);
    desk.txt("_mta-sts.example.test", &["v=STSv1; id=20261123"]);
    let report = desk.whole_report().await;
    assert_eq!(worst(&report, "tls_rpt.record").severity, Severity::Ok);
    assert!(worst(&report, "bimi.record").found.contains("2 records"));
    assert!(worst(&report, "mta_sts.policy").found.contains("cannot be fetched"));
}
