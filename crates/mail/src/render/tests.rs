//! Every template with its sample, and everything that must not come out of one.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn renderer() -> Renderer {
    Renderer::new(None).unwrap()
}

fn sample(renderer: &Renderer, name: &str) -> Value {
    renderer.sample(name, &Locale::english()).unwrap().clone()
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
        leaf => change(path, leaf),
    }
}

#[test]
fn every_template_renders_its_sample() {
    let renderer = renderer();
    assert_eq!(renderer.names(), ["booking_confirmed_instructor", "booking_confirmed_student"]);
    for name in renderer.names() {
        let mail = renderer.render(name, &Locale::english(), &sample(&renderer, name)).unwrap();
        insta::assert_snapshot!(format!("{name}.txt"), format!("Subject: {}\n\n{}", mail.subject, mail.text));
        insta::assert_snapshot!(format!("{name}.html"), mail.html);
    }
}

#[test]
fn a_missing_field_is_an_error_that_names_it_wherever_it_is_used() {
    let renderer = renderer();
    for name in renderer.names() {
        for field in ["booking_id", "service", "when", "duration_minutes", "location", "url", "price"] {
            let mut data = sample(&renderer, name);
            data.as_object_mut().unwrap().remove(field);
            match renderer.render(name, &Locale::english(), &data) {
                Err(RenderError::MissingField { template, field: missing }) => {
                    assert_eq!((template.as_str(), missing.as_str()), (name, field));
                }
                other => panic!("{name} without {field}: {other:?}"),
            }
        }
        for person in ["recipient", "student", "instructor"] {
            let mut data = sample(&renderer, name);
            data[person] = json!({});
            let rendered = renderer.render(name, &Locale::english(), &data);
            let used = name.ends_with("student") == (person == "instructor") || person == "recipient";
            match rendered {
                Err(RenderError::MissingField { field, .. }) if used => {
                    assert_eq!(field, format!("{person}.name"))
                }
                Ok(_) if !used => {}
                other => panic!("{name} without {person}.name: {other:?}"),
            }
        }
    }
}

#[test]
fn html_is_escaped_whatever_field_it_comes_in() {
    let renderer = renderer();
    for name in renderer.names() {
        let mut data = sample(&renderer, name);
        each_field(&mut data, "", &mut |path, value| *value = json!(format!("<i>&\"'{path}")));
        let mail = renderer.render(name, &Locale::english(), &data).unwrap();
        assert!(!mail.html.contains("<i>"), "{name}");
        assert!(mail.html.contains("&lt;i&gt;&amp;&quot;&#x27;service"), "{name}");
        assert!(
            mail.text.contains("<i>&\"'service") && mail.subject.contains("<i>&\"'service"),
            "{name}: text is not escaped"
        );
    }
}

#[test]
fn braces_in_data_stay_braces() {
    let renderer = renderer();
    for name in renderer.names() {
        let mut data = sample(&renderer, name);
        each_field(&mut data, "", &mut |_, value| {
            *value = json!("{{booking.student.full_name}} {{{x}}} {{> body.txt}}")
        });
        let mail = renderer.render(name, &Locale::english(), &data).unwrap();
        for part in [&mail.subject, &mail.text, &mail.html] {
            assert!(part.contains("{{booking.student.full_name}} {{{x}}}"), "{name}: {part}");
        }
    }
}

#[test]
fn nothing_of_a_template_is_left_in_a_mail() {
    let renderer = renderer();
    for name in renderer.names() {
        let mail = renderer.render(name, &Locale::english(), &sample(&renderer, name)).unwrap();
        for part in [&mail.subject, &mail.text, &mail.html] {
            assert!(!part.contains("{{") && !part.contains("}}") && !part.contains("hbs"), "{name}: {part}");
        }
    }
}

#[test]
fn optional_lines_go_when_their_field_is_null() {
    let renderer = renderer();
    for name in renderer.names() {
        let mut data = sample(&renderer, name);
        for field in ["location", "url", "price"] {
            data[field] = Value::Null;
        }
        let mail = renderer.render(name, &Locale::english(), &data).unwrap();
        for label in ["Where", "Online", "Price", "Join the lesson"] {
            assert!(!mail.text.contains(label) && !mail.html.contains(label), "{name}: {label}");
        }
        assert!(!mail.text.contains("\n\n\n"), "{name}: a hole in {:?}", mail.text);
    }
}

#[test]
fn a_line_break_in_the_subject_is_refused() {
    let renderer = renderer();
    for bad in ["x\r\nBcc: a@b.example", "x\ny", "x\ry", "x\0y"] {
        let mut data = sample(&renderer, "booking_confirmed_student");
        data["service"] = json!(bad);
        let rendered = renderer.render("booking_confirmed_student", &Locale::english(), &data);
        assert!(matches!(rendered, Err(RenderError::SubjectLineBreak { .. })), "{bad:?}");
    }
}

#[test]
fn an_unknown_template_is_an_error() {
    assert!(matches!(
        renderer().render("nothing", &Locale::english(), &json!({})),
        Err(RenderError::UnknownTemplate(_))
    ));
    assert!(matches!(
        renderer().render("_layout", &Locale::english(), &json!({})),
        Err(RenderError::UnknownTemplate(_))
    ));
}

#[test]
fn the_html_needs_nothing_from_outside() {
    let renderer = renderer();
    for name in renderer.names() {
        let html = renderer.render(name, &Locale::english(), &sample(&renderer, name)).unwrap().html;
        for outside in ["<img", "<link", "<script", "@import", "url(", "src="] {
            assert!(!html.contains(outside), "{name} has {outside}");
        }
        assert!(html.contains("prefers-color-scheme: dark") || html.contains("prefers-color-scheme:dark"), "{name}");
        assert!(html.contains("<td class=\"body\" style=\""), "{name}: the CSS is not inlined");
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

#[test]
fn a_file_in_the_override_directory_takes_the_place_of_its_twin() {
    let files = [
        ("booking_confirmed_student/subject.txt.hbs", "Booked: {{service}}"),
        ("_layout/foot.txt.hbs", "Example Lessons Ltd"),
        ("hello/subject.txt.hbs", "Hello {{name}}"),
        ("hello/body.txt.hbs", "Hello {{name}}"),
        ("hello/body.html.hbs", "<p>Hello {{name}}</p>"),
        ("hello/preview.txt.hbs", "Hello"),
        ("hello/sample.json", "{\"name\": \"Ann\"}"),
        ("README.md", "not a template"),
    ];
    let overrides = Overrides::new("twin", &files);
    let renderer = Renderer::new(Some(&overrides.0)).unwrap();
    let student = renderer
        .render("booking_confirmed_student", &Locale::english(), &sample(&renderer, "booking_confirmed_student"))
        .unwrap();
    assert_eq!(student.subject, "Booked: Conversational German, level B1");
    assert!(student.html.contains("Example Lessons Ltd") && student.text.contains("With:     Jürgen Müller"));
    assert_eq!(renderer.render("hello", &Locale::english(), &json!({"name": "Bo"})).unwrap().subject, "Hello Bo");
}

#[test]
fn a_template_that_cannot_work_stops_the_start_and_is_named() {
    let cases = [
        ("parse", ("booking_confirmed_student/subject.txt.hbs", "{{#if service}}"), "subject.txt"),
        ("raw", ("booking_confirmed_student/body.html.hbs", "<p>{{{service}}}</p>"), "body.html"),
        ("amp", ("_layout/lesson.html.hbs", "<p>{{&service}}</p>"), "body.html"),
        ("include", ("booking_confirmed_student/body.txt.hbs", "{{> nothing.txt}}"), "nothing.txt"),
        ("circle", ("booking_confirmed_student/body.txt.hbs", "{{> body.txt}}"), "body.txt"),
        ("sample", ("booking_confirmed_student/sample.json", "{"), "sample.json"),
    ];
    for (test, file, named) in cases {
        let overrides = Overrides::new(test, &[file]);
        match Renderer::new(Some(&overrides.0)) {
            Err(RenderError::Template { template, file, .. }) => {
                assert_eq!((template.starts_with("booking_confirmed_"), file.as_str()), (true, named), "{test}");
            }
            other => panic!("{test}: {:?}", other.map(|_| ())),
        }
    }
    let nowhere = Renderer::new(Some(Path::new("/nowhere/at/all")));
    assert!(matches!(nowhere, Err(RenderError::Override { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_data_can_add_markup(text in "\\PC{0,40}") {
        static RENDERER: std::sync::LazyLock<Renderer> = std::sync::LazyLock::new(renderer);
        let name = "booking_confirmed_student";
        let mut data = sample(&RENDERER, name);
        let expected = RENDERER.render(name, &Locale::english(), &data).unwrap().html.matches('<').count();
        each_field(&mut data, "", &mut |path, value| {
            if path != "location" && !value.is_null() {
                *value = json!(format!("a{text}"));
            }
        });
        prop_assert_eq!(RENDERER.render(name, &Locale::english(), &data).unwrap().html.matches('<').count(), expected);
    }
}
