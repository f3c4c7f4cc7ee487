//! A child process under test: its log is captured, it can be signalled, it never outlives the test.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{janitor, wait_for, wait_until};

/// What a process can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Please end.
    Term,
    /// As from Ctrl-C.
    Int,
    /// For Postgres: end at once.
    Quit,
    /// End, without a chance to do anything.
    Kill,
    /// Stand still, holding every lock and connection.
    Stop,
    /// Go on.
    Cont,
}

impl Signal {
    const fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Int => "INT",
            Self::Quit => "QUIT",
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Cont => "CONT",
        }
    }
}

/// How to start a process.
#[derive(Debug, Clone)]
pub struct ProcessBuilder {
    name: String,
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    dir: Option<PathBuf>,
    user: Option<(u32, u32)>,
    end_signal: Signal,
}

/// A running (or ended) child. Dropping it kills it; if the test is failing, the end of its log is printed.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl ProcessBuilder {
    /// `name` names the process in messages.
    #[must_use]
    pub fn new(name: &str, program: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
            user: None,
            end_signal: Signal::Kill,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable. `POSTRIDER__…` of the surrounding environment never reach the process.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets the working folder.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// User and group to run as; only root can ask for others than its own.
    #[must_use]
    pub(crate) fn user(mut self, ids: Option<(u32, u32)>) -> Self {
        self.user = ids;
        self
    }

    /// What the janitor sends should the test process end first.
    #[must_use]
    pub(crate) fn end_signal(mut self, signal: Signal) -> Self {
        self.end_signal = signal;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn spawn(self) -> Process {
        let log = janitor::scratch_dir("log").join(format!("{}.log", self.name));
        let out = File::create(&log).expect("the scratch folder is writable");
        let err = out.try_clone().expect("a file can be opened twice");
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(Stdio::null()).stdout(out).stderr(err);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("POSTRIDER__") {
                command.env_remove(name);
            }
        }
        command.envs(self.env);
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        // A group of its own: Ctrl-C on the tests is answered by the janitor.
        command.process_group(0);
        let child = command
            .spawn()
            .unwrap_or_else(|e| panic!("{} ({}) does not start: {e}", self.name, self.program.display()));
        janitor::watch(child.id(), self.end_signal.name());
        Process { name: self.name, child, log, ended: None }
    }
}

impl Process {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it wrote so far to standard output and standard error.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The file that [`Process::log`] reads.
    #[must_use]
    pub fn log_file(&self) -> &Path {
        &self.log
    }

    /// How it ended; `None` while it runs (or stands still).
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("it is our child");
            if self.ended.is_some() {
                janitor::forget(self.child.id());
            }
        }
        self.ended
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.ended().is_none()
    }

    /// Sends `signal`; nothing happens if it has ended.
    pub fn signal(&mut self, signal: Signal) {
        if self.is_running() {
            // Our own child that was not waited for: the number cannot belong to another process.
            let kill = format!("kill -{} {}", signal.name(), self.child.id());
            Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
        }
    }

    /// Asks the system to let it run before others, so that what it measures of itself is its own time and not the
    /// waiting for a core. Only root may; says whether it was granted.
    pub fn run_before_others(&mut self) -> bool {
        let mut renice = Command::new("renice");
        renice.args(["-n", "-19", "-p", &self.child.id().to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        self.is_running() && renice.status().is_ok_and(|status| status.success())
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it still runs after `timeout`.
    pub async fn wait(&mut self, timeout: Duration) -> ExitStatus {
        let what = format!("{} has ended", self.name);
        wait_for(&what, timeout, async || self.ended()).await
    }

    /// `kill -9`, and waits until it is gone.
    pub async fn kill(&mut self) {
        self.signal(Signal::Kill);
        self.wait(Duration::from_secs(10)).await;
    }

    /// SIGTERM, and waits for its own way of ending.
    ///
    /// # Panics
    /// When it still runs after `timeout`.
    pub async fn terminate(&mut self, timeout: Duration) -> ExitStatus {
        self.signal(Signal::Term);
        self.wait(timeout).await
    }

    /// Waits until `GET path` at `127.0.0.1:port` is answered 200.
    ///
    /// # Panics
    /// When it is not within `timeout`, or when the process ends before; the log is in the message.
    pub async fn ready(&mut self, port: u16, path: &str, timeout: Duration) {
        let what = format!("{} answers 200 to GET {path} on port {port}", self.name);
        wait_until(&what, timeout, async || {
            if let Some(status) = self.ended() {
                panic!("{} ended with {status} before it was ready:\n{}", self.name, self.log());
            }
            http_status(port, path).await == Some(200)
        })
        .await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = self.child.kill();
            if self.child.wait().is_ok() {
                janitor::forget(self.child.id());
            }
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().rev().take(40).collect();
            eprintln!("--- the last lines of {} (pid {}):", self.name, self.child.id());
            lines.into_iter().rev().for_each(|line| eprintln!("    {line}"));
        }
    }
}

/// The status of one bare HTTP/1.1 GET; `None` when nobody answers.
async fn http_status(port: u16, path: &str) -> Option<u16> {
    let exchange = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.ok()?;
        std::str::from_utf8(&head).ok()?.strip_prefix("HTTP/1.1 ")?.parse().ok()
    };
    tokio::time::timeout(Duration::from_secs(5), exchange).await.ok()?
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ProcessBuilder, Signal};
    use crate::wait_until;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn its_output_is_captured_and_its_end_is_seen() {
        let mut process =
            ProcessBuilder::new("echo", "sh").args(["-c", "echo out; echo $A >&2; exit 3"]).env("A", "err").spawn();
        assert_eq!(process.wait(SOON).await.code(), Some(3));
        assert_eq!(process.log(), "out\nerr\n");
    }

    #[tokio::test]
    async fn a_stopped_process_stands_still_until_it_is_continued() {
        let mut process = ProcessBuilder::new("counter", "sh")
            .args(["-c", "trap 'exit 0' TERM; while :; do echo x; sleep 0.01; done"])
            .spawn();
        wait_until("it writes", SOON, async || !process.log().is_empty()).await;
        process.signal(Signal::Stop);
        process.signal(Signal::Term);
        assert!(process.is_running());
        process.signal(Signal::Cont);
        assert_eq!(process.wait(SOON).await.code(), Some(0));
    }

    #[tokio::test]
    async fn kill_leaves_no_choice() {
        let mut process =
            ProcessBuilder::new("stubborn", "sh").args(["-c", "trap '' TERM; while :; do sleep 0.05; done"]).spawn();
        process.kill().await;
        assert!(!process.is_running());
    }
}
