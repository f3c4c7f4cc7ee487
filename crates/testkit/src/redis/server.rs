//! One `redis-server`: started, asked, disturbed, killed, started again.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, FromRedisValue, IntoConnectionInfo, RedisConnectionInfo,
    Value,
};

use super::Tls;
use crate::process::{Process, ProcessBuilder, Signal};
use crate::{free_port, janitor, wait_until};

const SOON: Duration = Duration::from_secs(20);

/// How a server is to be.
#[derive(Debug, Clone)]
pub struct RedisBuilder {
    settings: Vec<(String, String)>,
    user: Option<(String, String)>,
    tls: bool,
    cluster: bool,
    sentinel: bool,
}

/// A running server and its folder; it is killed when dropped.
pub struct Redis {
    process: Process,
    how: RedisBuilder,
    dir: PathBuf,
    port: u16,
    tls: Option<(u16, Tls)>,
}

/// One line of `SLOWLOG GET`.
#[derive(Debug, Clone)]
pub struct SlowCommand {
    /// How long it ran.
    pub took: Duration,
    /// The command's words, as Redis shortens them.
    pub words: Vec<String>,
}

/// A connection that waits for its answers for as long as they take: a machine that stands still for a moment is no failure.
///
/// # Errors
/// When nobody listens, or the login is refused.
pub async fn connection(client: &redis::Client) -> redis::RedisResult<MultiplexedConnection> {
    let patient = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    client.get_multiplexed_async_connection_with_config(&patient).await
}

impl RedisBuilder {
    /// One more line of `redis.conf`: `("maxmemory", "50mb")`.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Append-only file on, fsynced every second: what a production Redis has. A killed process loses nothing, since what
    /// it wrote is with the system.
    #[must_use]
    pub fn aof(self) -> Self {
        self.set("appendonly", "yes").set("appendfsync", "everysec")
    }

    /// Only `name` with `password` may log in; the default user is off. Neither may need quoting.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.user = Some((name.to_owned(), password.to_owned()));
        self
    }

    /// A second port that speaks TLS; [`Redis::url`] names that one.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    pub(super) fn cluster(mut self) -> Self {
        self.cluster = true;
        self.set("cluster-node-timeout", "5000")
    }

    pub(super) fn sentinel(mut self) -> Self {
        self.sentinel = true;
        self
    }

    /// Starts it and waits until it answers.
    ///
    /// # Panics
    /// When there is no `redis-server`, or it does not answer.
    pub async fn start(self) -> Redis {
        let dir = janitor::scratch_dir("redis");
        let certificates = self.tls.then(|| Tls::create(&dir));
        for _ in 0..10 {
            let port = free_port();
            let tls = certificates.clone().map(|tls| (free_port(), tls));
            self.write_conf(&dir, port, tls.as_ref());
            let process = self.spawn(&dir);
            let mut redis = Redis { process, how: self.clone(), dir: dir.clone(), port, tls };
            if redis.answers().await {
                return redis;
            }
            // Ended: another process was quicker to take the port.
            let log = redis.process.log();
            assert!(log.contains("Address already in use"), "redis-server does not start:\n{log}");
        }
        panic!("ten ports in a row were taken by others");
    }

    fn spawn(&self, dir: &Path) -> Process {
        let program = std::env::var_os("POSTRIDER_TEST_REDIS_SERVER").unwrap_or_else(|| "redis-server".into());
        let mode: &[&str] = if self.sentinel { &["--sentinel"] } else { &[] };
        ProcessBuilder::new("redis-server", PathBuf::from(program)).args([dir.join("redis.conf")]).args(mode).spawn()
    }

    fn write_conf(&self, dir: &Path, port: u16, tls: Option<&(u16, Tls)>) {
        let mut conf = format!("port {port}\nbind 127.0.0.1\ndir {}\n", dir.display());
        let mut line = |text: String| writeln!(conf, "{text}").expect("a String takes everything");
        if !self.sentinel {
            line("save \"\"".to_owned());
            line("repl-diskless-sync-delay 0\nenable-debug-command local".to_owned());
        }
        if self.cluster {
            line(format!("cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-port {}", free_port()));
        }
        if let Some((tls_port, tls)) = tls {
            line(format!("tls-port {tls_port}\ntls-auth-clients no\ntls-ca-cert-file {}", tls.ca_file.display()));
            line(format!("tls-cert-file {}\ntls-key-file {}", tls.cert_file.display(), tls.key_file.display()));
        }
        if let Some((name, password)) = &self.user {
            line(format!("user default off\nuser {name} on >{password} ~* &* +@all"));
        }
        for (name, value) in &self.settings {
            line(format!("{name} {value}"));
        }
        std::fs::write(dir.join("redis.conf"), conf).expect("the scratch folder is writable");
    }
}

impl Redis {
    /// How to start one that is not as plain as [`Redis::start`]'s.
    #[must_use]
    pub fn builder() -> RedisBuilder {
        RedisBuilder { settings: Vec::new(), user: None, tls: false, cluster: false, sentinel: false }
    }

    /// A server that keeps nothing on disk.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// A server with an append-only file: what it accepted survives [`Redis::kill`] and [`Redis::restart`].
    pub async fn with_aof() -> Self {
        Self::builder().aof().start().await
    }

    /// The port without TLS.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `redis://…/0` or `rediss://…/0`, with user and password where it asks for them.
    #[must_use]
    pub fn url(&self) -> String {
        let user = self.how.user.as_ref().map(|(name, password)| format!("{name}:{password}@")).unwrap_or_default();
        match &self.tls {
            Some((port, _)) => format!("rediss://{user}127.0.0.1:{port}/0"),
            None => format!("redis://{user}127.0.0.1:{}/0", self.port),
        }
    }

    /// The authority that signed its certificate, when it speaks TLS.
    #[must_use]
    pub fn ca_file(&self) -> Option<&Path> {
        self.tls.as_ref().map(|(_, tls)| tls.ca_file.as_path())
    }

    /// The process, for its log and its signals.
    #[must_use]
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// `kill -9`; what it held in memory is gone. [`Redis::start_again`] brings it back on the same port.
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// SIGTERM: it ends in order.
    pub async fn shut_down(&mut self) {
        self.process.terminate(SOON).await;
    }

    /// Starts it again after [`Redis::kill`] or [`Redis::shut_down`]: same port, same folder.
    ///
    /// # Panics
    /// When it still runs or does not answer.
    pub async fn start_again(&mut self) {
        assert!(!self.process.is_running(), "it still runs");
        self.process = self.how.spawn(&self.dir);
        assert!(self.answers().await, "redis-server does not start again:\n{}", self.process.log());
    }

    /// Ends it in order and starts it again.
    pub async fn restart(&mut self) {
        self.shut_down().await;
        self.start_again().await;
    }

    /// SIGSTOP: connections stay open, nothing is answered.
    pub fn freeze(&mut self) {
        self.process.signal(Signal::Stop);
    }

    /// SIGCONT.
    pub fn thaw(&mut self) {
        self.process.signal(Signal::Cont);
    }

    /// `CLIENT PAUSE`: commands of all clients wait so long.
    pub async fn pause_clients(&self, pause: Duration) {
        let millis = pause.as_millis().to_string();
        self.ask::<()>(&["CLIENT", "PAUSE", &millis, "ALL"]).await;
    }

    /// Closes every client's connection; says how many.
    pub async fn kill_connections(&self) -> i64 {
        self.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await
    }

    /// `CONFIG SET`.
    pub async fn config_set(&self, name: &str, value: &str) {
        self.ask::<()>(&["CONFIG", "SET", name, value]).await;
    }

    /// `FLUSHALL`: an empty server.
    pub async fn flush(&self) {
        self.ask::<()>(&["FLUSHALL"]).await;
    }

    /// `used_memory` in bytes.
    pub async fn memory(&self) -> u64 {
        self.info("used_memory").await.and_then(|text| text.parse().ok()).expect("INFO holds it")
    }

    /// One field of `INFO`; `None` when there is no such field, or nobody answers just now.
    pub async fn info(&self, field: &str) -> Option<String> {
        let answer = self.try_ask(&["INFO", "everything"]).await.ok()?;
        let text: String = redis::from_redis_value(answer).ok()?;
        let line = text.lines().find(|line| line.split_once(':').is_some_and(|(name, _)| name == field))?;
        line.split_once(':').map(|(_, value)| value.to_owned())
    }

    /// Notes commands that run longer than `longer_than`, from now on, with an empty log.
    pub async fn watch_slow(&self, longer_than: Duration) {
        self.config_set("slowlog-log-slower-than", &longer_than.as_micros().to_string()).await;
        self.config_set("slowlog-max-len", "1000").await;
        self.ask::<()>(&["SLOWLOG", "RESET"]).await;
        self.ask::<()>(&["CONFIG", "RESETSTAT"]).await;
    }

    /// What was noted since [`Redis::watch_slow`], newest first.
    pub async fn slow_commands(&self) -> Vec<SlowCommand> {
        // Arguments are bytes: job ids and records are no text.
        type Entry = (i64, i64, u64, Vec<Vec<u8>>, Vec<u8>, Vec<u8>);
        let entries: Vec<Entry> = self.ask(&["SLOWLOG", "GET", "-1"]).await;
        let text = |word: Vec<u8>| String::from_utf8_lossy(&word).into_owned();
        let entry = |(_, _, micros, words, _, _): Entry| SlowCommand {
            took: Duration::from_micros(micros),
            words: words.into_iter().map(text).collect(),
        };
        entries.into_iter().map(entry).collect()
    }

    /// Sends one command over a connection of its own.
    ///
    /// # Panics
    /// When it fails.
    pub async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let value = self.try_ask(words).await.unwrap_or_else(|e| panic!("redis {words:?}: {e}"));
        redis::from_redis_value(value).unwrap_or_else(|e| panic!("redis {words:?}: {e}"))
    }

    /// Sends one command over a connection of its own, waiting at most 20 s.
    ///
    /// # Errors
    /// As Redis answers, or when nobody does.
    pub async fn try_ask(&self, words: &[&str]) -> redis::RedisResult<Value> {
        let late = |_| redis::RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        let exchange = async {
            let client = redis::Client::open(self.connection_info()?)?;
            let mut connection = connection(&client).await?;
            let (name, args) = words.split_first().expect("a command has a name");
            let value: Value = redis::cmd(name).arg(args).query_async(&mut connection).await?;
            value.extract_error()
        };
        tokio::time::timeout(Duration::from_secs(20), exchange).await.map_err(late)?
    }

    /// The plain port, so that asking needs no certificate.
    fn connection_info(&self) -> redis::RedisResult<ConnectionInfo> {
        let address = ConnectionAddr::Tcp("127.0.0.1".to_owned(), self.port);
        let mut login = RedisConnectionInfo::default();
        if let Some((name, password)) = &self.how.user {
            login = login.set_username(name).set_password(password);
        }
        Ok(address.into_connection_info()?.set_redis_settings(login))
    }

    /// Waits until this very process answers and has loaded its data; false when it ended instead.
    async fn answers(&mut self) -> bool {
        let pid = self.process.pid().to_string();
        let mut running = true;
        wait_until("redis-server answers", SOON, async || {
            running = self.process.is_running();
            let answer =
                self.try_ask(&["INFO", "everything"]).await.and_then(|v| Ok(redis::from_redis_value::<String>(v)?));
            // Another server may have taken the port that ours wanted.
            let ours = |info: String| {
                info.contains(&format!("process_id:{pid}\r")) && (self.how.sentinel || info.contains("\nloading:0\r"))
            };
            !running || answer.is_ok_and(ours)
        })
        .await;
        running
    }
}
