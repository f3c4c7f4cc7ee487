//! Every template with its sample, and everything that must not come out of one.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const BOOKING: [&str; 12] = [
    "booking_cancelled_by_other_instructor",
    "booking_cancelled_by_other_student",
    "booking_cancelled_by_you_instructor",
    "booking_cancelled_by_you_student",
    "booking_completed_instructor",
    "booking_completed_student",
    "booking_confirmed_instructor",
    "booking_confirmed_student",
    "booking_reminder_instructor",
    "booking_reminder_student",
    "booking_rescheduled_instructor",
    "booking_rescheduled_student",
];

fn renderer() -> &'static Renderer {
    static RENDERER: std::sync::LazyLock<Renderer> = std::sync::LazyLock::new(|| Renderer::new(None).unwrap());
    &RENDERER
}

fn english() -> Locale {
    Locale::english()
}

fn locale(tag: &str) -> Locale {
    Locale::parse(tag).unwrap()
}

fn sample(name: &str) -> Value {
    renderer().sample(name, &english()).unwrap().clone()
}

/// Every template in every language that it is there in.
fn each_mail() -> impl Iterator<Item = (&'static str, Locale, Value)> {
    let all = renderer()
        .names()
        .into_iter()
        .flat_map(|name| renderer().locales(name).into_iter().map(move |tag| (name, Locale::parse(tag).unwrap())));
    all.map(|(name, locale)| {
        let data = renderer().sample(name, &locale).unwrap().clone();
        (name, locale, data)
    })
}

/// Calls `change` with the path and the value of every field, at any depth.
fn each_field(value: &mut Value, path: &str, change: &mut impl FnMut(&str, &mut Value)) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                each_field(value, &path, change);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_field(item, path, change)),
        leaf => change(path, leaf),
    }
}

/// The document without its styles, which one snapshot shows for all.
fn without_styles(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once(" style=\"") {
        out.push_str(before);
        rest = after.split_once('"').map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    let (head, tail) = out.split_once("<style>").unwrap();
    format!("{head}{}", tail.split_once("</style>").unwrap().1)
}

#[test]
fn every_template_renders_its_sample_in_every_language() {
    for (name, locale, data) in each_mail() {
        let mail = renderer().render(name, &locale, &data).unwrap();
        let said = format!("Subject: {}\n\n{}", mail.subject, mail.text);
        insta::assert_snapshot!(format!("{name}.{locale}.txt"), said);
        if locale == english() {
            insta::assert_snapshot!(format!("{name}.html"), without_styles(&mail.html));
        }
    }
    let html = renderer().render(BOOKING[7], &english(), &sample(BOOKING[7])).unwrap().html;
    insta::assert_snapshot!("styled.html", html);
}

#[test]
fn the_set_is_whole() {
    let others = [
        "alert_digest",
        "alert_group",
        "alert_raised",
        "alert_resolved",
        "alert_undelivered",
        "email_verification",
        "new_device_login",
        "password_changed",
        "password_reset",
        "search_report",
        "test_message",
        "welcome",
    ];
    let mut all = [&BOOKING[..], &others[..]].concat();
    all.sort_unstable();
    assert_eq!(renderer().names(), all);
    for name in BOOKING {
        assert_eq!(renderer().locales(name), ["de", "en", "es"], "{name}");
    }
}

#[test]
fn the_checks_find_nothing() {
    let (findings, looked_at) = check(None).unwrap();
    assert_eq!(findings, Vec::<Finding>::new());
    assert_eq!(looked_at, each_mail().count());
}

#[test]
fn a_reader_gets_the_nearest_language() {
    let title = |tag: &str| {
        let (name, locale) = ("booking_confirmed_student", locale(tag));
        let data = renderer().sample(name, &locale).unwrap();
        renderer().render(name, &locale, data).unwrap().subject
    };
    assert!(title("de-AT").starts_with("Bestätigt:"), "{}", title("de-AT"));
    assert!(title("es-MX").starts_with("Confirmada:") && title("fr").starts_with("Confirmed:"));
    assert_eq!(renderer().spoken("welcome", &locale("de")).unwrap(), english());
    let german = renderer().sample("booking_reminder_student", &locale("de-CH")).unwrap();
    assert_eq!((&german["relative"], &german["booking_id"]), (&json!("morgen"), &json!("bk_1001")));
    let html = renderer().render("booking_confirmed_student", &locale("de"), german);
    assert!(html.is_err(), "a reminder's data is not a confirmation's");
}

#[test]
fn the_document_says_its_language() {
    for (name, locale, data) in each_mail() {
        let html = renderer().render(name, &locale, &data).unwrap().html;
        assert!(html.contains(&format!("<html lang=\"{locale}\">")), "{name}");
    }
}

#[test]
fn a_missing_field_is_an_error_that_names_it_wherever_it_is_used() {
    for name in BOOKING {
        for field in sample(name).as_object().unwrap().keys() {
            let mut data = sample(name);
            let person = data[field].is_object();
            if person {
                data[field] = json!({});
            } else {
                data.as_object_mut().unwrap().remove(field);
            }
            match renderer().render(name, &english(), &data) {
                Err(RenderError::MissingField { template, field: missing }) => {
                    let expected = if person { format!("{field}.name") } else { field.clone() };
                    assert_eq!((template.as_str(), missing), (name, expected));
                }
                other => panic!("{name} without {field}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_missing_list_is_an_error_too() {
    for (name, list) in [("alert_raised", "labels"), ("alert_digest", "counts"), ("search_report", "charts")] {
        let mut data = sample(name);
        data.as_object_mut().unwrap().remove(list);
        assert!(renderer().render(name, &english(), &data).is_err(), "{name} without {list}");
        data[list] = json!([]);
        assert!(renderer().render(name, &english(), &data).is_ok(), "{name} with no {list}");
    }
}

#[test]
fn what_every_booking_mail_gets_may_be_more_than_it_shows() {
    for name in BOOKING {
        let mut data = sample(name);
        data["no_such_field"] = json!("x");
        assert!(renderer().render(name, &english(), &data).is_ok(), "{name}");
    }
}

#[test]
fn html_is_escaped_whatever_field_it_comes_in() {
    for (name, locale, mut data) in each_mail() {
        each_field(&mut data, "", &mut |path, value| {
            if value.is_string() {
                *value = json!(format!("<i>&\"'{path}"));
            }
        });
        let mail = renderer().render(name, &locale, &data).unwrap();
        assert!(!mail.html.contains("<i>"), "{name}");
        assert!(mail.html.contains("&lt;i&gt;&amp;&quot;&#x27;"), "{name}");
        assert!(mail.text.contains("<i>&\"'"), "{name}: text is not escaped");
    }
}

#[test]
fn braces_in_data_stay_braces() {
    for (name, locale, mut data) in each_mail() {
        each_field(&mut data, "", &mut |_, value| {
            if value.is_string() {
                *value = json!("{{booking.student.full_name}} {{{x}}} {{> body.txt}} {{word title}}");
            }
        });
        let mail = renderer().render(name, &locale, &data).unwrap();
        for part in [&mail.text, &mail.html] {
            assert!(part.contains("{{booking.student.full_name}} {{{x}}}"), "{name}: {part}");
        }
    }
}

#[test]
fn nothing_of_a_template_is_left_in_a_mail() {
    for (name, locale, data) in each_mail() {
        let mail = renderer().render(name, &locale, &data).unwrap();
        for part in [&mail.subject, &mail.text, &mail.html] {
            assert!(!part.contains("{{") && !part.contains("}}") && !part.contains("hbs"), "{name}: {part}");
        }
        assert!(!mail.text.contains("\n\n\n"), "{name}: a hole in {:?}", mail.text);
        assert!(!mail.text.contains(" \n"), "{name}: blanks at an end of a line in {:?}", mail.text);
    }
}

#[test]
fn optional_lines_go_when_their_field_is_null() {
    for name in BOOKING {
        let mut data = sample(name);
        for field in ["location", "url", "price", "reason", "review_url"] {
            if data.get(field).is_some() {
                data[field] = Value::Null;
            }
        }
        let mail = renderer().render(name, &english(), &data).unwrap();
        for label in ["Where", "Online", "Price", "Reason", "Join the lesson", "Leave a review"] {
            assert!(!mail.text.contains(label) && !mail.html.contains(label), "{name}: {label}");
        }
        assert!(!mail.text.contains("\n\n\n"), "{name}: a hole in {:?}", mail.text);
    }
}

#[test]
fn every_optional_field_may_be_null_everywhere() {
    // What a caller may leave out, as the samples and the README say.
    let optional = [
        "location",
        "url",
        "price",
        "reason",
        "review_url",
        "code",
        "requested_from",
        "secure_url",
        "ip",
        "reported_by",
        "description",
        "ack_url",
        "runbook_url",
        "acknowledged_by",
        "more",
        "unsubscribe_url",
        "value",
        "previous",
        "change",
        "detail",
        "note",
        "now",
        "before",
    ];
    for (name, locale, mut data) in each_mail() {
        let mut nulls = 0;
        // A welcome without its link, a label without its value would say nothing.
        let needed = |path: &str| {
            ["welcome", "email_verification", "password_reset"].contains(&name) && path == "url"
                || path == "labels.value"
        };
        each_field(&mut data, "", &mut |path, value| {
            if optional.contains(&path.rsplit('.').next().unwrap()) && !needed(path) {
                *value = Value::Null;
                nulls += 1;
            }
        });
        let mail = renderer().render(name, &locale, &data).unwrap();
        assert!(!mail.text.contains("null") && !mail.html.contains("href=\"\""), "{name} with {nulls} nulls");
        assert!(!mail.text.contains("\n\n\n"), "{name}: a hole in {:?}", mail.text);
    }
}

#[test]
fn the_readme_names_what_may_be_null_and_the_samples_fit() {
    let readme = include_str!("../../../../email_templates/README.md");
    let named = |name: &str, field: &str| {
        readme.lines().any(|line| line.starts_with(&format!("| `{name}`")) && line.contains(&format!("`{field}`?")))
    };
    for name in renderer().names().into_iter().filter(|name| !name.starts_with("booking_")) {
        assert_eq!(renderer().misfits(name, &sample(name)), [], "{name}");
        each_field(&mut sample(name), "", &mut |path, _| {
            // Figures that are drawn may have gaps.
            if path.starts_with("charts.drawing.series.values") {
                return;
            }
            let mut data = sample(name);
            each_field(&mut data, "", &mut |other, value| {
                if other == path {
                    *value = Value::Null;
                }
            });
            let fits = renderer().misfits(name, &data).is_empty();
            assert_eq!(fits, named(name, path.rsplit('.').next().unwrap()), "{name}: {path}");
        });
    }
}

#[test]
fn who_cancelled_is_named() {
    let said = |name: &str, tag: &str, who: &str| {
        let mut data = renderer().sample(name, &locale(tag)).unwrap().clone();
        data["cancelled_by"] = json!(who);
        renderer().render(name, &locale(tag), &data).unwrap().text
    };
    let (student, instructor) = ("booking_cancelled_by_other_student", "booking_cancelled_by_other_instructor");
    assert!(said(student, "en", "instructor").contains("Jürgen Müller has cancelled"));
    assert!(said(student, "en", "platform").contains("Our team had to cancel"));
    assert!(said(instructor, "de", "student").contains("Zoë Fernández hat diesen Termin abgesagt"));
    assert!(said(instructor, "es", "platform").contains("Nuestro equipo ha tenido que cancelar"));
}

#[test]
fn a_line_break_in_the_subject_is_refused() {
    for bad in ["x\r\nBcc: a@b.example", "x\ny", "x\ry", "x\0y"] {
        let mut data = sample("booking_confirmed_student");
        data["service"] = json!(bad);
        let rendered = renderer().render("booking_confirmed_student", &english(), &data);
        assert!(matches!(rendered, Err(RenderError::SubjectLineBreak { .. })), "{bad:?}");
    }
}

#[test]
fn an_unknown_template_is_an_error() {
    for name in ["nothing", "_layout", "welcome@en", ""] {
        let rendered = renderer().render(name, &english(), &json!({}));
        assert!(matches!(rendered, Err(RenderError::UnknownTemplate(_))), "{name}");
    }
}

#[test]
fn the_html_needs_nothing_from_outside() {
    for (name, locale, data) in each_mail() {
        let html = renderer().render(name, &locale, &data).unwrap().html;
        for outside in ["<link", "<script", "@import", "url(", "src=\"http"] {
            assert!(!html.contains(outside), "{name} has {outside}");
        }
        assert_eq!(html.matches("src=").count(), renderer().pictures(name).len(), "{name}: only its own pictures");
        for picture in renderer().pictures(name) {
            assert!(html.contains(&format!("src=\"cid:{}\"", picture.content_id().unwrap())), "{name}");
        }
        assert!(html.contains("prefers-color-scheme: dark") || html.contains("prefers-color-scheme:dark"), "{name}");
        assert!(html.contains("<td class=\"body\" style=\""), "{name}: the CSS is not inlined");
        assert!(html.len() < 60_000, "{name}: {} bytes; Gmail cuts at 102,400", html.len());
    }
}

/// A directory of overriding files that goes away with the test.
struct Overrides(PathBuf);

impl Overrides {
    fn new(test: &str, files: &[(&str, &str)]) -> Self {
        let dir = std::env::temp_dir().join(format!("postrider-templates-{}-{test}", std::process::id()));
        for (path, text) in files {
            let path = dir.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(dir)
    }
}

impl Drop for Overrides {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A small template of one's own.
const HELLO: [(&str, &str); 6] = [
    ("hello/subject.txt.hbs", "Hello {{name}}"),
    ("hello/body.txt.hbs", "Hello {{name}}"),
    ("hello/head.html.hbs", "<h1 class=\"title\">Hello</h1>"),
    ("hello/body.html.hbs", "<p>Hello {{name}}</p>"),
    ("hello/preview.txt.hbs", "Hello"),
    ("hello/sample.json", "{\n  \"name\": \"Ann\"\n}"),
];

#[test]
fn a_file_in_the_override_directory_takes_the_place_of_its_twin() {
    let mut files = HELLO.to_vec();
    files.extend([
        ("booking_confirmed_student/subject.txt.hbs", "Booked: {{service}}"),
        ("booking_confirmed_student/subject.de.txt.hbs", "Gebucht: {{service}}"),
        ("booking_confirmed_student/foot.txt.hbs", "Example Lessons Ltd"),
        ("README.md", "not a template"),
    ]);
    let overrides = Overrides::new("twin", &files);
    let renderer = Renderer::new(Some(&overrides.0)).unwrap();
    let name = "booking_confirmed_student";
    let student = renderer.render(name, &english(), &sample(name)).unwrap();
    assert_eq!(student.subject, "Booked: Conversational German, level B1");
    assert!(student.html.contains("Example Lessons Ltd") && student.text.contains("With: Jürgen Müller"));
    let german = renderer.render(name, &locale("de"), &sample(name)).unwrap();
    assert_eq!(german.subject, "Gebucht: Conversational German, level B1");
    assert_eq!(renderer.render("hello", &locale("de"), &json!({"name": "Bo"})).unwrap().subject, "Hello Bo");
}

#[test]
fn a_template_that_cannot_work_stops_the_start_and_is_named() {
    let cases = [
        ("parse", ("booking_confirmed_student/subject.txt.hbs", "{{#if service}}"), "subject.txt"),
        ("raw", ("booking_confirmed_student/body.html.hbs", "<p>\n{{{service}}}</p>"), "body.html"),
        ("amp", ("_layout/slot.html.hbs", "<p>{{&service}}</p>"), "slot.html"),
        ("include", ("booking_confirmed_student/body.txt.hbs", "{{> nothing.txt}}"), "nothing.txt"),
        ("circle", ("booking_confirmed_student/body.txt.hbs", "{{> body.txt}}"), "body.txt"),
        ("sample", ("booking_confirmed_student/sample.json", "{"), "sample.json"),
        ("words", ("booking_confirmed_student/words.json", "[]"), "words.json"),
    ];
    for (test, file, named) in cases {
        let overrides = Overrides::new(test, &[file]);
        match Renderer::new(Some(&overrides.0)) {
            Err(RenderError::Template { template, file, .. }) => {
                assert_eq!((template.starts_with("booking_"), file.as_str()), (true, named), "{test}");
            }
            other => panic!("{test}: {:?}", other.map(|_| ())),
        }
    }
    let nowhere = Renderer::new(Some(Path::new("/nowhere/at/all")));
    assert!(matches!(nowhere, Err(RenderError::Override { .. })));
}

/// What the checks find if one file of the small template is another one.
fn found(test: &str, path: &str, text: &str) -> Vec<String> {
    let mut files = HELLO.to_vec();
    files.push((path, text));
    let overrides = Overrides::new(&format!("check-{test}"), &files);
    let (findings, _) = check(Some(&overrides.0)).unwrap();
    let dir = format!("{}/", overrides.0.display());
    findings
        .into_iter()
        .map(|found| {
            let line = found.line.map(|line| format!(":{line}")).unwrap_or_default();
            format!("{}{line}: {}", found.file.replace(&dir, ""), found.problem)
        })
        .collect()
}

#[test]
fn the_checks_name_file_and_line() {
    let cases = [
        (
            "absent",
            "hello/body.html.hbs",
            "<p>\nHello {{nam}}</p>",
            "hello/body.html.hbs:2: the field \"nam\" is used here",
        ),
        (
            "unused",
            "hello/sample.json",
            "{\n  \"name\": \"A\",\n  \"age\": 3\n}",
            "hello/sample.json:3: no part uses the field \"age\"",
        ),
        ("raw", "hello/body.html.hbs", "<p>\n\n{{{name}}}</p>", "hello/body.html.hbs:3: {{{ }}}"),
        ("syntax", "hello/body.txt.hbs", "Hello\n{{#if name}}\nx", "hello/body.txt.hbs:2: {{#if}} is not closed"),
        ("no_text", "hello/body.txt.hbs", "\n", "hello/body.txt.hbs: the text part is empty"),
        ("no_file", "hello/body.txt.hbs", "{{> gone.txt}}", "email_templates/hello/gone.txt.hbs: is missing"),
        (
            "remote",
            "hello/body.html.hbs",
            "<p>{{name}}</p>\n<img src=\"https://a.example/x.png\" alt=\"\">",
            "hello/body.html.hbs:2: src=",
        ),
        (
            "spaced",
            "hello/body.html.hbs",
            "<p>{{name}}</p><img src = http://a.example/x.png alt=\"\">",
            "hello/body.html.hbs:1: src=",
        ),
        (
            "behind",
            "hello/body.html.hbs",
            "<p background='//a.example'>{{name}}</p>",
            "hello/body.html.hbs:1: background=",
        ),
        (
            "bare",
            "hello/body.html.hbs",
            "<p>x</p>\n<a href={{name}}>x</a>",
            "hello/body.html.hbs:2: a field in an attribute without quotes",
        ),
        ("handler", "hello/body.html.hbs", "<p onclick=\"{{name}}\">x</p>", "hello/body.html.hbs:1: an event handler"),
        (
            "style",
            "hello/body.html.hbs",
            "<p style=\"color:{{name}}\">x</p>",
            "hello/body.html.hbs:1: a field in a style",
        ),
        (
            "no_alt",
            "hello/body.html.hbs",
            "<p>{{name}}</p>\n<img src=\"cid:x\">",
            "hello/body.html.hbs:2: a picture without alt text",
        ),
        (
            "word",
            "hello/body.txt.hbs",
            "Hello {{name}} {{word nothing}}",
            "hello/body.txt.hbs: words.json has no \"nothing\"",
        ),
        (
            "spare_word",
            "hello/words.json",
            "{\n\"spare\": \"x\"}",
            "hello/words.json:2: no part uses the word \"spare\"",
        ),
        (
            "untranslated",
            "hello/words.de.json",
            "{\n\"other\": \"x\"}",
            "hello/words.de.json:2: words.json does not have the word \"other\"",
        ),
    ];
    for (test, path, text, expected) in cases {
        let found = found(test, path, text);
        assert!(found.iter().any(|found| found.starts_with(expected)), "{test}: {found:?}");
    }
    let long = format!("Hello {{{{name}}}}\n{}", "x".repeat(999));
    let found = found("long", "hello/body.txt.hbs", &long);
    assert!(found.iter().any(|found| found.contains("999 octets")), "{found:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_data_can_add_markup(text in "\\PC{0,40}", which in 0_usize..22) {
        let name = renderer().names()[which];
        let mut data = sample(name);
        let fill = |data: &mut Value, with: &str| each_field(data, "", &mut |_, value| {
            if value.is_string() {
                *value = json!(format!("a{with}"));
            }
        });
        fill(&mut data, "");
        let expected = renderer().render(name, &english(), &data).unwrap().html.matches('<').count();
        fill(&mut data, &text);
        prop_assert_eq!(renderer().render(name, &english(), &data).unwrap().html.matches('<').count(), expected);
    }
}
