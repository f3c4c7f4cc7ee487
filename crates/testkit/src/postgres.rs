//! Databases of their own in one Postgres server.
//!
//! The server is the one that [`POSTGRES_URL_VAR`] names (`./test` starts it and sets the variable). Without it the first
//! test that needs one starts a throw-away server for its process: `initdb` into a scratch folder, no fsync, no socket,
//! trust, 127.0.0.1. As root it runs as the user `postgres` (or `nobody`), because Postgres refuses root.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;

use crate::process::{Process, ProcessBuilder, Signal};
use crate::{free_port, janitor, wait_until};

/// Names a server to make databases in: `postgres://user:password@host:port/postgres`.
pub const POSTGRES_URL_VAR: &str = "POSTRIDER_TEST_POSTGRES_URL";

/// A new empty database; it is dropped with its value.
pub struct Database {
    url: String,
    server_url: String,
    name: String,
}

struct Server {
    url: String,
    /// Keeps our own server running until this process ends; the janitor stops it then.
    _process: Option<Process>,
}

impl Database {
    /// Makes one.
    ///
    /// # Panics
    /// When there is no server and none can be started.
    pub async fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server_url = server().await.url.clone();
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut admin = PgConnection::connect(&server_url).await.expect("the Postgres server answers");
        // A process that was killed may have left one of the same name.
        for statement in [format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), format!("CREATE DATABASE {name}")] {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut admin).await.expect("we may create databases");
        }
        admin.close().await.expect("the connection ends in order");
        let url = with_database(&server_url, &name);
        Self { url, server_url, name }
    }

    /// `postgres://…/its name`
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Lets nobody connect any more (or again), and closes the connections that there are. The server stays up.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn allow_connections(&self, yes: bool) {
        let mut admin = PgConnection::connect(&self.server_url).await.expect("the Postgres server answers");
        let statement = format!("ALTER DATABASE {} ALLOW_CONNECTIONS {yes}", self.name);
        sqlx::query(AssertSqlSafe(statement)).execute(&mut admin).await.expect("it is ours");
        admin.close().await.expect("the connection ends in order");
        if !yes {
            self.kill_connections().await;
        }
    }

    /// Closes the connections of everybody else to this database; says how many.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn kill_connections(&self) -> i64 {
        let mut admin = PgConnection::connect(&self.server_url).await.expect("the Postgres server answers");
        let killed = sqlx::query_scalar(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
        )
        .bind(&self.name)
        .fetch_one(&mut admin)
        .await
        .expect("we may end connections");
        admin.close().await.expect("the connection ends in order");
        killed
    }
}

impl Database {
    /// How often two of its transactions waited for each other, so that the server had to end one. The connections that
    /// there are, are closed: a server process reports what it met at the latest when it ends.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn deadlocks(&self) -> i64 {
        wait_until("nobody is connected any more", Duration::from_secs(30), async || {
            self.kill_connections().await == 0
        })
        .await;
        let mut admin = PgConnection::connect(&self.server_url).await.expect("the Postgres server answers");
        let met = sqlx::query_scalar("SELECT deadlocks FROM pg_stat_database WHERE datname = $1")
            .bind(&self.name)
            .fetch_one(&mut admin)
            .await
            .expect("a superuser may look");
        admin.close().await.expect("the connection ends in order");
        met
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (url, name) = (self.server_url.clone(), self.name.clone());
        // The test's own runtime cannot be waited on in here. A database that stays behind is no failure: its server is
        // thrown away.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let mut admin = PgConnection::connect(&url).await.ok()?;
                let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                sqlx::query(AssertSqlSafe(statement)).execute(&mut admin).await.ok()
            })
        });
        let _ = dropping.join();
    }
}

/// `url` with its database replaced, parameters kept.
fn with_database(url: &str, name: &str) -> String {
    let (base, parameters) = url.split_once('?').map_or((url, None), |(base, rest)| (base, Some(rest)));
    let authority = base.find("://").map_or(0, |i| i + 3);
    let end = base[authority..].find('/').map_or(base.len(), |i| authority + i);
    let parameters = parameters.map(|p| format!("?{p}")).unwrap_or_default();
    format!("{}/{name}{parameters}", &base[..end])
}

async fn server() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER
        .get_or_init(|| async {
            match std::env::var(POSTGRES_URL_VAR) {
                Ok(url) if !url.is_empty() => Server { url, _process: None },
                _ => start().await,
            }
        })
        .await
}

async fn start() -> Server {
    let bin = find_bin();
    let dir = janitor::scratch_dir("postgres");
    let user = postgres_user();
    if let Some((uid, gid)) = user {
        chown(&dir, Some(uid), Some(gid)).expect("root may give a folder away");
    }
    let data = dir.join("data");
    let mut initdb = ProcessBuilder::new("initdb", bin.join("initdb"))
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
        .args([&data])
        .dir(&dir)
        .user(user)
        .spawn();
    let status = initdb.wait(Duration::from_secs(60)).await;
    assert!(status.success(), "initdb failed:\n{}", initdb.log());

    for _ in 0..10 {
        let port = free_port();
        let mut process = ProcessBuilder::new("postgres", bin.join("postgres"))
            .args(["-D"])
            .args([&data])
            .args(["-p", &port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            .args(["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"])
            .args(["-c", "max_connections=300", "-c", "shared_buffers=64MB"])
            .dir(&dir)
            .user(user)
            // Killed outright it would leave its shared memory behind.
            .end_signal(Signal::Quit)
            .spawn();
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let mut running = true;
        wait_until("Postgres answers", Duration::from_secs(30), async || {
            running = process.is_running();
            !running || PgConnection::connect(&url).await.is_ok()
        })
        .await;
        if running {
            return Server { url, _process: Some(process) };
        }
        let log = process.log();
        assert!(log.contains("Address already in use"), "postgres does not start:\n{log}");
    }
    panic!("ten ports in a row were taken by others");
}

/// The folder of `initdb` and `postgres`: the newest that Debian's packages put aside, else the one in PATH.
fn find_bin() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok())
        .max()
        .map(|version| Path::new("/usr/lib/postgresql").join(version.to_string()).join("bin"));
    let in_path =
        || std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).find(|dir| dir.join("initdb").exists());
    newest
        .filter(|bin| bin.join("initdb").exists())
        .or_else(in_path)
        .expect("Postgres is installed (./test installs it), or POSTRIDER_TEST_POSTGRES_URL names a server")
}

/// Whom to run as: `None` unless this is root.
fn postgres_user() -> Option<(u32, u32)> {
    let id = |args: &[&str]| {
        let output = Command::new("id").args(args).output().ok().filter(|output| output.status.success())?;
        String::from_utf8_lossy(&output.stdout).trim().parse::<u32>().ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    ["postgres", "nobody"].iter().find_map(|user| Some((id(&["-u", user])?, id(&["-g", user])?)))
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_of_a_url_is_replaced_and_its_parameters_stay() {
        assert_eq!(with_database("postgres://u:p@h:1/postgres", "x"), "postgres://u:p@h:1/x");
        assert_eq!(with_database("postgres://u@h:1", "x"), "postgres://u@h:1/x");
        assert_eq!(with_database("postgres://h/a?sslmode=disable", "x"), "postgres://h/x?sslmode=disable");
    }
}
