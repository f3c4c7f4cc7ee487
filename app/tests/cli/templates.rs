//! `templates`: listed, checked, shown.

use crate::harness::{Place, names};

#[tokio::test]
async fn templates_are_listed_with_their_languages() {
    let place = Place::sqlite();
    let said = place.ok(&["templates", "list"]).await;
    assert!(said.contains("booking_confirmed_student") && said.contains("de en es"), "{said}");
    let list = place.json(&["templates", "list"]).await;
    let confirmed = list["items"].as_array().unwrap().iter().find(|item| item["name"] == "booking_confirmed_student");
    assert_eq!(names(confirmed.unwrap()), ["locales", "name", "subject"]);
    assert_eq!(confirmed.unwrap()["locales"], serde_json::json!(["de", "en", "es"]));
}

#[tokio::test]
async fn what_is_compiled_in_is_in_order() {
    let said = Place::sqlite().run(&["templates", "check"]).await;
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
    assert!(said.err.contains("are in order"), "{}", said.err);
}

#[tokio::test]
async fn a_fault_in_ones_own_templates_is_named_with_file_and_line() {
    let place = Place::sqlite();
    let own = place.dir.join("own");
    std::fs::create_dir_all(own.join("welcome")).unwrap();
    std::fs::write(own.join("welcome/body.txt.hbs"), "Hi {{recipient.name}}\n{{recipient.surname}} {{url}}\n").unwrap();
    let place = place.with("MAIL__TEMPLATES_DIR", own.to_str().unwrap());
    let said = place.run(&["templates", "check"]).await;
    assert_eq!(said.code, 1, "{said:?}");
    let fault = format!("{}:2: the field \"recipient.surname\"", own.join("welcome/body.txt.hbs").display());
    assert!(said.out.contains(&fault), "{}", said.out);
    let said = place.run(&["templates", "check", "--json"]).await;
    let list: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, names(&list["items"][0])), (1, vec!["file", "line", "problem"]));
}

#[tokio::test]
async fn a_preview_is_written_as_page_text_and_message() {
    let place = Place::sqlite();
    let out = place.dir.join("previews");
    let to = out.to_str().unwrap();
    let said = place.ok(&["templates", "preview", "booking_confirmed_student", "--locale", "de-AT", "--out", to]).await;
    for extension in ["html", "txt", "eml"] {
        let file = out.join(format!("booking_confirmed_student.de.{extension}"));
        assert!(said.contains(&file.display().to_string()), "{said}");
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.contains("Unterricht"), "{extension}: {text}");
    }
    let report = place.ok(&["templates", "preview", "search_report", "--out", to]).await;
    assert!(std::fs::read_to_string(out.join("search_report.en.html")).unwrap().contains("data:image/png"), "{report}");
    place.run(&["templates", "preview", "wellcome"]).await.refused(2, &["wellcome", "welcome"]);
    place.run(&["templates", "preview", "welcome", "--locale", "x"]).await.refused(2, &["language tag"]);
}
