//! Where template files come from: compiled in, and over that a directory.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use serde_json::{Map, Value};

use super::RenderError;
use crate::locale::Locale;

static COMPILED_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../email_templates");

/// The folder of the frame and of the fragments that all templates share.
pub(super) const LAYOUT: &str = "_layout";
/// Where the files that are compiled in stand, in the project.
const HOME: &str = "email_templates";
const SUFFIX: &str = ".hbs";
const PICTURE: &str = ".png";
const ENGLISH: &str = "en";

/// All files by path: `booking_confirmed_student/body.html` (without `.hbs`).
#[derive(Default)]
pub(super) struct Source {
    files: BTreeMap<String, File>,
    pictures: BTreeMap<String, Cow<'static, [u8]>>,
    dir: Option<PathBuf>,
}

struct File {
    text: String,
    /// From the directory, not compiled in.
    overridden: bool,
}

impl Source {
    pub(super) fn load(override_dir: Option<&Path>) -> Result<Self, RenderError> {
        let mut source = Self { dir: override_dir.map(Path::to_owned), ..Self::default() };
        for folder in COMPILED_IN.dirs() {
            for file in folder.files() {
                if let Some(path) = file.path().to_str() {
                    source.put(path, Cow::Borrowed(file.contents()), false);
                }
            }
        }
        if let Some(dir) = override_dir {
            source.overlay(dir)?;
        }
        Ok(source)
    }

    fn overlay(&mut self, dir: &Path) -> Result<(), RenderError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| RenderError::Override { path, source }
        };
        for folder in std::fs::read_dir(dir).map_err(failed(dir))? {
            let folder = folder.map_err(failed(dir))?.path();
            if !folder.is_dir() {
                continue;
            }
            for file in std::fs::read_dir(&folder).map_err(failed(&folder))? {
                let file = file.map_err(failed(&folder))?.path();
                let path = file.strip_prefix(dir).ok().and_then(Path::to_str);
                if let (Some(path), true) = (path, file.is_file()) {
                    let bytes = std::fs::read(&file).map_err(failed(&file))?;
                    let path = path.replace(std::path::MAIN_SEPARATOR, "/");
                    if !self.put(&path, Cow::Owned(bytes), true) {
                        let source = std::io::Error::new(std::io::ErrorKind::InvalidData, "the file is not UTF-8");
                        return Err(RenderError::Override { path: file, source });
                    }
                }
            }
        }
        Ok(())
    }

    /// Other files (a README, an editor's backup) are nobody's. False for text that is no UTF-8.
    fn put(&mut self, path: &str, bytes: Cow<'static, [u8]>, overridden: bool) -> bool {
        if path.ends_with(PICTURE) {
            self.pictures.insert(path.to_owned(), bytes);
            return true;
        }
        let Some(key) = path.strip_suffix(SUFFIX).or_else(|| path.ends_with(".json").then_some(path)) else {
            return true;
        };
        match String::from_utf8(bytes.into_owned()) {
            Ok(text) => {
                self.files.insert(key.to_owned(), File { text, overridden });
                true
            }
            Err(_) => false,
        }
    }

    /// The names of the folders that are templates.
    pub(super) fn templates(&self) -> BTreeSet<&str> {
        self.files
            .keys()
            .filter_map(|path| path.split_once('/'))
            .map(|(folder, _)| folder)
            .filter(|folder| !folder.starts_with('_'))
            .collect()
    }

    /// The languages of a template: English, and each that it has words or a subject in.
    pub(super) fn locales(&self, template: &str) -> BTreeSet<String> {
        let prefix = format!("{template}/");
        let own = self.files.range(prefix.clone()..).map_while(|(path, _)| path.strip_prefix(&prefix));
        own.filter_map(|name| {
            let tag = name.strip_prefix("words.").and_then(|rest| rest.strip_suffix(".json"));
            tag.or_else(|| name.strip_prefix("subject.").and_then(|rest| rest.strip_suffix(".txt")))
        })
        .filter_map(|tag| Locale::parse(tag).ok())
        .map(String::from)
        .chain([ENGLISH.to_owned()])
        .collect()
    }

    /// The file `name` for a template in a language, with its path: the template's own in that language, its own for all,
    /// then the layout's likewise.
    pub(super) fn file(&self, template: &str, name: &str, locale: &Locale) -> Option<(String, &str)> {
        [template, LAYOUT].into_iter().find_map(|folder| {
            let localised = locale.wider().filter_map(|tag| Some(format!("{folder}/{}", in_language(name, tag)?)));
            localised
                .chain([format!("{folder}/{name}")])
                .find_map(|path| self.files.get(&path).map(|file| (path, file.text.as_str())))
        })
    }

    /// The words that templates are filled with in a language: the layout's, then the template's own, each over English.
    pub(super) fn words(&self, template: &str, locale: &Locale) -> Result<Map<String, Value>, RenderError> {
        self.merged(template, "words.json", locale, true)
    }

    /// The sample of a template in a language. The layout's sample has what reads differently in a language, for all
    /// templates: of it only the fields count that this template's has.
    pub(super) fn sample(&self, template: &str, locale: &Locale) -> Result<Option<Value>, RenderError> {
        let path = format!("{template}/sample.json");
        if !self.files.contains_key(&path) {
            return Ok(None);
        }
        let own = self.object(template, &path)?;
        let mut merged = self.merged(template, "sample.json", locale, false)?;
        merged.retain(|field, _| own.contains_key(field));
        Ok(Some(Value::Object(merged)))
    }

    /// JSON objects of one name, laid over each other. With `layout_first` the layout's stand below the template's; else the
    /// layout's translations stand above the template's English and below its own translations.
    fn merged(
        &self,
        template: &str,
        name: &str,
        locale: &Locale,
        layout_first: bool,
    ) -> Result<Map<String, Value>, RenderError> {
        let mut tags: Vec<&str> = locale.wider().collect();
        tags.reverse();
        let translations = |folder: &str| -> Vec<String> {
            tags.iter().filter_map(|tag| Some(format!("{folder}/{}", in_language(name, tag)?))).collect()
        };
        let base = |folder: &str| vec![format!("{folder}/{name}")];
        let order = if layout_first {
            [base(LAYOUT), translations(LAYOUT), base(template), translations(template)]
        } else {
            [base(LAYOUT), base(template), translations(LAYOUT), translations(template)]
        };
        let mut merged = Map::new();
        for path in order.into_iter().flatten() {
            if self.files.contains_key(&path) {
                merged.extend(self.object(template, &path)?);
            }
        }
        Ok(merged)
    }

    /// A JSON file that has to be an object.
    pub(super) fn object(&self, template: &str, path: &str) -> Result<Map<String, Value>, RenderError> {
        let text = self.text(path).unwrap_or("{}");
        serde_json::from_str(text).map_err(|error| RenderError::Template {
            template: template.to_owned(),
            file: path.rsplit('/').next().unwrap_or(path).to_owned(),
            line: Some(error.line()),
            reason: error.to_string(),
        })
    }

    /// The text of a file by its path.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(|file| file.text.as_str())
    }

    /// Where a person finds the file of this path.
    pub(super) fn shown(&self, path: &str) -> String {
        let suffix = if path.ends_with(".json") || path.ends_with(PICTURE) { "" } else { SUFFIX };
        match (&self.dir, self.files.get(path)) {
            (Some(dir), Some(file)) if file.overridden => dir.join(format!("{path}{suffix}")).display().to_string(),
            _ => format!("{HOME}/{path}{suffix}"),
        }
    }

    /// The pictures of a template's sample, by content id.
    pub(super) fn pictures(&self, template: &str) -> impl Iterator<Item = (&str, &[u8])> {
        let prefix = format!("{template}/");
        self.pictures.iter().filter_map(move |(path, bytes)| {
            let name = path.strip_prefix(&prefix)?.strip_suffix(PICTURE)?;
            Some((name, bytes.as_ref()))
        })
    }
}

/// `body.html` in German is `body.de.html`.
fn in_language(name: &str, tag: &str) -> Option<String> {
    let (stem, extension) = name.rsplit_once('.')?;
    Some(format!("{stem}.{tag}.{extension}"))
}
