//! What strangers put into alerts reaches mails and chats as text, and nothing else.

use alerting::Severity::Critical;
use alerting::{Alert, Details, Labels};
use mail::{Locale, Renderer};
use proptest::prelude::*;
use serde_json::json;

use crate::stage::Stage;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_valid_alert_is_stored_told_and_rendered_without_markup_of_its_own(
        title in "[^\\p{C}\\p{Z}][^\\p{C}]{0,80}", message in "[^\\p{C}]{0,200}", value in "[^\\p{C}]{0,60}", url in "[ -~]{0,60}",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stage = Stage::in_memory().await;
            let details: Details = serde_json::from_value(json!({ "runbook_url": url })).unwrap();
            let mut labels = Labels::new();
            if labels.insert("what", format!("<i>{value}")).is_err() {
                return;
            }
            let alert = Alert { title: format!("<b>{title}"), message: format!("<i>{message}"), labels, details, ..stage.alert("db.down", Critical) };
            if alert.validate(stage.now()).is_err() {
                return;
            }
            let id = stage.accept(std::slice::from_ref(&alert)).await[0].incident.unwrap();
            let stored = stage.incident(id).await;
            assert_eq!((&stored.title, &stored.message, &stored.labels), (&alert.title, &alert.message, &alert.labels));
            stage.look().await;
            let mail = stage.mails().await.remove(0);
            let rendered = Renderer::new(None).unwrap().render(&mail.template, &Locale::or_english(None), &mail.data).unwrap();
            assert_eq!(rendered.subject, format!("[critical] {}", alert.title));
            for markup in ["<b>", "<i>", "javascript:\"", "href=\"javascript"] {
                assert!(!rendered.html.contains(markup), "{markup} in {}", rendered.html);
            }
        });
    }
}
