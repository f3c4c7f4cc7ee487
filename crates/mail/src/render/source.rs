//! Where template files come from: compiled in, and over that a directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use include_dir::{Dir, include_dir};

use super::RenderError;

static COMPILED_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../email_templates");

/// The folder of the frame and of the fragments that all templates share.
pub(super) const LAYOUT: &str = "_layout";
const SUFFIX: &str = ".hbs";
const SAMPLE: &str = "sample.json";

/// All files by path: `booking_confirmed_student/body.html` (without `.hbs`).
#[derive(Default)]
pub(super) struct Source {
    files: BTreeMap<String, String>,
}

impl Source {
    pub(super) fn load(override_dir: Option<&Path>) -> Result<Self, RenderError> {
        let mut source = Self::default();
        for folder in COMPILED_IN.dirs() {
            for file in folder.files() {
                if let (Some(path), Some(text)) = (file.path().to_str(), file.contents_utf8()) {
                    source.put(path, text.to_owned());
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
                    let text = std::fs::read_to_string(&file).map_err(failed(&file))?;
                    self.put(&path.replace(std::path::MAIN_SEPARATOR, "/"), text);
                }
            }
        }
        Ok(())
    }

    /// Other files (a README, an editor's backup) are nobody's.
    fn put(&mut self, path: &str, text: String) {
        if let Some(key) = path.strip_suffix(SUFFIX) {
            self.files.insert(key.to_owned(), text);
        } else if path.ends_with(SAMPLE) {
            self.files.insert(path.to_owned(), text);
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

    /// A file of the template, or else of the layout.
    pub(super) fn file(&self, template: &str, name: &str) -> Option<&str> {
        let own = self.files.get(&format!("{template}/{name}"));
        own.or_else(|| self.files.get(&format!("{LAYOUT}/{name}"))).map(String::as_str)
    }

    pub(super) fn sample(&self, template: &str) -> Option<&str> {
        self.files.get(&format!("{template}/{SAMPLE}")).map(String::as_str)
    }
}
