//! A folder, a queue and a store, and the binary run against them.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use job::{Chance, QueueName};
use queue::redis::RedisBroker;
use queue::sqlite::SqliteBroker;
use queue::{Broker, Disposition, Finish, LeaseRequest, Settings};
use serde_json::Value;
use testkit::{ProcessBuilder, Redis};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// The binary under test.
pub const POSTRIDER: &str = env!("CARGO_BIN_EXE_postrider");

/// No command of these tests takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A place to run commands in.
pub struct Place {
    pub dir: PathBuf,
    env: Vec<(String, String)>,
    redis: Option<Redis>,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    /// Everything in SQLite files below a new folder; the debug kinds exist.
    pub fn sqlite() -> Self {
        let dir = testkit::janitor::scratch_dir("cli");
        let place = Self { dir, env: Vec::new(), redis: None };
        let (queue, store) = (place.file_url("queue.db"), place.file_url("store.db"));
        place.with("QUEUE__URL", &queue).with("STORE__URL", &store).with("DEBUG__KINDS", "true")
    }

    /// The queue in a Redis that is set as it should be.
    pub async fn redis() -> Self {
        Self::sqlite().at_redis(Redis::with_aof().await)
    }

    /// The queue in this Redis.
    pub fn at_redis(mut self, redis: Redis) -> Self {
        self = self.with("QUEUE__URL", &redis.url());
        self.redis = Some(redis);
        self
    }

    /// One more setting: `("QUEUE__URL", "redis://…")`.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        let name = format!("POSTRIDER__{key}");
        self.env.retain(|(known, _)| *known != name);
        self.env.push((name, value.to_owned()));
        self
    }

    /// Without queue and store of its own: what `dev` makes is in its folder.
    pub fn without_urls(mut self) -> Self {
        self.env.retain(|(name, _)| !name.ends_with("__URL"));
        self
    }

    pub fn file_url(&self, name: &str) -> String {
        format!("sqlite:{}", self.dir.join(name).display())
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.join(name);
        std::fs::write(&path, text).expect("the scratch folder is writable");
        path
    }

    /// Runs a command.
    pub async fn run(&self, args: &[&str]) -> Said {
        self.run_with(args, "").await
    }

    /// A command that goes on until it is told to end, ready to be started.
    pub fn process(&self, args: &[&str]) -> ProcessBuilder {
        let builder = ProcessBuilder::new(args[0], POSTRIDER).args(args).dir(&self.dir);
        self.env.iter().fold(builder, |builder, (name, value)| builder.env(name, value))
    }

    /// Runs a command that must succeed; what it wrote to standard output.
    pub async fn ok(&self, args: &[&str]) -> String {
        let said = self.run(args).await;
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        said.out
    }

    /// Runs a command that must succeed, with `--json`; its answer.
    pub async fn json(&self, args: &[&str]) -> Value {
        let out = self.ok(&[args, &["--json"]].concat()).await;
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{args:?} answered no JSON ({e}): {out}"))
    }

    /// Runs a command with this on its standard input.
    pub async fn run_with(&self, args: &[&str], input: &str) -> Said {
        let mut command = Command::new(POSTRIDER);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("POSTRIDER__") {
                command.env_remove(name);
            }
        }
        command.envs(self.env.iter().cloned()).args(args).current_dir(&self.dir).kill_on_drop(true);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stdin = child.stdin.take().expect("it is a pipe");
        // A command that does not read its input may be gone already.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output())
            .await
            .unwrap_or_else(|_| panic!("{args:?} does not end"))
            .expect("it is our child");
        let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
        Said {
            code: output.status.code().unwrap_or_else(|| panic!("{args:?} was killed")),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// The same queue, from inside: what a worker would have done is done here.
    pub async fn broker(&self) -> Box<dyn Broker> {
        let settings = Settings { queues: vec![debug()], ..Settings::default() };
        match &self.redis {
            Some(redis) => {
                Box::new(RedisBroker::connect(&redis.url(), "postrider", settings).await.expect("it answers"))
            }
            None => Box::new(SqliteBroker::open(&self.file_url("queue.db"), settings).await.expect("it opens")),
        }
    }

    /// Leases every due job of the debug queue and leaves it dead; how many.
    pub async fn bury_all(&self) -> usize {
        let broker = self.broker().await;
        let (mut finishes, mut buried) = (Vec::new(), 0);
        loop {
            let lease = LeaseRequest { max: 256, token: Chance::system().bits(), worker: 1, idle: true };
            let exchange = broker.exchange(&debug(), &finishes, Some(lease)).await.expect("it answers");
            buried += exchange.finished.len();
            if exchange.leased.is_empty() {
                return buried;
            }
            finishes = exchange
                .leased
                .iter()
                .map(|leased| {
                    let job = leased.envelope.as_ref().expect("we wrote it");
                    Finish {
                        lease: leased.lease,
                        disposition: Disposition::Dead { error: "no\u{1b}[31m way".to_owned() },
                        priority: job.priority,
                        unique: job.unique_key.clone().map(|key| (key, job.unique_for)),
                    }
                })
                .collect();
        }
    }

    pub fn redis_port(&self) -> u16 {
        self.redis.as_ref().expect("its queue is in a Redis").port()
    }

    pub async fn ask_redis(&self, words: &[&str]) {
        self.redis.as_ref().expect("its queue is in a Redis").ask::<()>(words).await;
    }

    pub fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }
}

impl Said {
    /// Asserts an exit code, and that the error names all of `words` and no more than needed: no backtrace.
    #[track_caller]
    pub fn refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in: {}", self.err);
        }
        assert!(!self.err.contains("panicked") && !self.err.contains("stack backtrace"), "{}", self.err);
    }
}

/// Runs a test against both backends.
pub async fn on_both(test: impl AsyncFn(Place)) {
    test(Place::sqlite()).await;
    test(Place::redis().await).await;
}

/// The id that a line begins with.
pub fn id(line: &str) -> String {
    line.split_whitespace().next().expect("a line begins with an id").to_owned()
}

/// The names of a JSON object's fields, sorted.
pub fn names(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

pub fn debug() -> QueueName {
    QueueName::new("debug").expect("a name")
}
