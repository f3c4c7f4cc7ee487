//! Keeps the walls of the house (docs/ARCHITECTURE.md): which crate may use which, where the databases, Redis and apalis
//! may be named, how long a file may grow. It reads manifests and sources; nothing is compiled for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The floors: a crate may use those below its own, and of its own floor none.
const FLOORS: [&[&str]; 7] = [
    // Rules that the configuration already has to know: no I/O.
    &["alerting"],
    &["job", "cron", "chart", "config", "telemetry", "secrets", "outbound"],
    &["queue", "store", "mail"],
    &["worker"],
    &["api", "scheduler"],
    &["postrider"],
    // For tests only: whoever uses it does so as a dev-dependency, and it uses nobody.
    &["testkit"],
];

/// A word that opens a door, and the places (files or folders) where it may be said.
const DOORS: [(&str, &[&str]); 3] = [
    ("apalis", &["crates/queue/", "worker/src/runner.rs", "worker/src/runner/", "crates/testkit/tests/walls.rs"]),
    ("sqlx", &["crates/store/", "crates/queue/src/sqlite/", "crates/queue/tests/", "crates/testkit/"]),
    (
        "redis",
        &[
            "crates/queue/src/redis/",
            "crates/queue/tests/",
            "crates/queue/examples/",
            "crates/testkit/",
            "app/src/commands/bench/",
            "app/src/doctor/",
            "app/tests/",
        ],
    ),
];

/// The one place that decides which backend is behind a seam.
const WIRE: &str = "app/src/wire/";

/// Lines a file may have, its tests aside.
const LONGEST: usize = 400;

#[test]
fn every_crate_stands_on_a_floor() {
    let homeless: Vec<_> = crates().into_keys().filter(|name| floor(name).is_none()).collect();
    assert_eq!(homeless, Vec::<String>::new(), "give them a floor in FLOORS and in docs/ARCHITECTURE.md");
}

#[test]
fn arrows_only_point_down() {
    let crates = crates();
    let mut wrong = Vec::new();
    for (name, dir) in &crates {
        for used in dependencies(dir, "[dependencies]").iter().chain(&dependencies(dir, "[build-dependencies]")) {
            if crates.contains_key(used) && floor(used) >= floor(name) {
                wrong.push(format!("{name} uses {used}"));
            }
        }
        for used in dependencies(dir, "[dev-dependencies]") {
            if crates.contains_key(&used) && used != "testkit" && floor(&used) >= floor(name) {
                wrong.push(format!("the tests of {name} use {used}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn databases_redis_and_apalis_are_named_only_behind_their_doors() {
    let mut wrong = Vec::new();
    for file in sources() {
        for (word, places) in DOORS {
            if places.iter().any(|place| file.path.starts_with(place)) {
                continue;
            }
            for (number, line) in file.code() {
                if uses(line, word) {
                    wrong.push(format!("{}:{number}: {}", file.path, line.trim()));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn one_place_chooses_the_backend() {
    let mut wrong = Vec::new();
    for file in sources() {
        // What a URL is, the crates that parse or serve it must say; tests build what they want.
        let owner = ["crates/config/", "crates/store/", "crates/queue/", "crates/testkit/"]
            .iter()
            .any(|o| file.path.starts_with(o));
        if owner || file.path.starts_with(WIRE) || file.is_test() {
            continue;
        }
        for (number, line) in file.code() {
            if ["QueueUrl::Redis", "QueueUrl::Sqlite", "StoreUrl::Postgres", "StoreUrl::Sqlite"]
                .iter()
                .any(|arm| line.contains(arm))
            {
                wrong.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "only {WIRE} asks which backend it is");
}

#[test]
fn every_file_opens_with_what_it_does() {
    let silent: Vec<_> =
        sources().into_iter().filter(|file| !file.text.starts_with("//! ")).map(|file| file.path).collect();
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn no_file_grows_beyond_one_noun() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|file| !file.is_test())
        .map(|file| (file.lines_without_tests(), file.path))
        .filter(|(lines, _)| *lines > LONGEST)
        .collect();
    assert_eq!(long, Vec::<(usize, String)>::new(), "split them: at most {LONGEST} lines without tests");
}

#[test]
fn a_lint_is_expected_with_a_reason_or_obeyed() {
    let mut wrong = Vec::new();
    for file in sources() {
        for (number, line) in file.code() {
            // Written apart, so that this file does not find itself.
            if line.contains(concat!("#[", "allow(")) || line.contains(concat!("#![", "allow(")) {
                wrong.push(format!("{}:{number}", file.path));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn no_module_is_named_after_nothing() {
    let vague = ["util", "utils", "common", "helpers", "helper", "misc"];
    let wrong: Vec<_> = sources()
        .into_iter()
        .map(|file| file.path)
        .filter(|path| path.split('/').any(|part| vague.contains(&part.trim_end_matches(".rs"))))
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

/// Package name and folder of every member of the workspace.
fn crates() -> BTreeMap<String, PathBuf> {
    let mut dirs: Vec<PathBuf> =
        std::fs::read_dir(root().join("crates")).expect("it is there").map(|e| e.expect("readable").path()).collect();
    dirs.extend(["app", "api", "worker", "scheduler"].map(|dir| root().join(dir)));
    dirs.into_iter().filter(|dir| dir.join("Cargo.toml").exists()).map(|dir| (package_name(&dir), dir)).collect()
}

fn package_name(dir: &Path) -> String {
    let manifest = read(&dir.join("Cargo.toml"));
    let line = manifest.lines().find(|line| line.starts_with("name = ")).expect("a package has a name");
    line.trim_start_matches("name = ").trim_matches('"').to_owned()
}

/// The names in one table of a manifest.
fn dependencies(dir: &Path, table: &str) -> Vec<String> {
    read(&dir.join("Cargo.toml"))
        .lines()
        .skip_while(|line| line.trim() != table)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', ' ', '=']).next().filter(|name| !name.is_empty() && !name.starts_with('#')))
        .map(str::to_owned)
        .collect()
}

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&name))
}

/// Whether code names the crate `word` itself: as the head of a path, in a `use`, in an attribute.
fn uses(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + word.len()..];
        // `crate::redis::…` and `super::redis` are modules of ours; `apalis_core` is apalis.
        let head = !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '"');
        let path = after.starts_with("::") || after.starts_with("_core::") || after.starts_with("_sql::");
        let imported = line.trim_start().starts_with("use ") && (after.starts_with(';') || after.starts_with(" as"));
        head && (path || imported)
    })
}

struct Source {
    /// Relative to the workspace, with `/`.
    path: String,
    text: String,
}

impl Source {
    fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    /// Numbered lines that are not comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(i, line)| (i + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Tests stand at the end of a file, in `mod tests`.
    fn lines_without_tests(&self) -> usize {
        self.text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count()
    }
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for dir in crates().into_values() {
        collect(&dir, &mut found);
    }
    found.sort_by(|a: &Source, b| a.path.cmp(&b.path));
    found
}

fn collect(dir: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(dir).expect("it is there") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, found);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            let relative = path.strip_prefix(root()).expect("it is below").to_string_lossy().replace('\\', "/");
            found.push(Source { path: relative, text: read(&path) });
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn a_crate_is_told_from_a_module_of_the_same_name() {
    for named in [
        "use redis::Client;",
        "let c = redis::Client::open(u)",
        "use redis;",
        "fn f(x: Vec<redis::Value>)",
        "use apalis_core::x;",
    ] {
        assert!(["redis", "apalis"].iter().any(|word| uses(named, word)), "{named}");
    }
    for not in [
        "use crate::redis::Link;",
        "mod redis;",
        "config.queue.redis.ack_timeout",
        "\"redis://\"",
        "pub use redis_url::RedisUrl;",
    ] {
        assert!(!uses(not, "redis"), "{not}");
    }
}
