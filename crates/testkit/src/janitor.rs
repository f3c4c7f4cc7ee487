//! Cleans up after a test process, however it ends.
//!
//! A shell process reads from a pipe that only this process can write to: `add PID SIGNAL`, `del PID`. When this process
//! ends (at its end, by a panic, by `kill -9`) the pipe closes; the janitor then signals what is still on its list and
//! removes the scratch folder. It runs in a process group of its own, so that Ctrl-C does not end it first.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

const SCRIPT: &str = r#"
list=""
while read -r verb pid signal; do
    case $verb in
        add) list="$list $pid:$signal" ;;
        del) kept=""
             for entry in $list; do
                 case $entry in "$pid":*) ;; *) kept="$kept $entry" ;; esac
             done
             list=$kept ;;
    esac
done
for entry in $list; do kill -CONT "${entry%%:*}"; kill -"${entry##*:}" "${entry%%:*}"; done 2>/dev/null
tries=0
while [ $tries -lt 50 ]; do
    alive=""
    for entry in $list; do kill -0 "${entry%%:*}" 2>/dev/null && alive=yes; done
    [ -z "$alive" ] && break
    tries=$((tries + 1)); sleep 0.1
done
for entry in $list; do kill -KILL "${entry%%:*}"; done 2>/dev/null
rm -rf "$1"
"#;

struct Janitor {
    pipe: Mutex<ChildStdin>,
    scratch: PathBuf,
    /// It outlives us, so nobody here waits for it.
    _process: Child,
}

fn janitor() -> &'static Janitor {
    static JANITOR: OnceLock<Janitor> = OnceLock::new();
    JANITOR.get_or_init(|| {
        let scratch = std::env::temp_dir().join(format!("postrider-test-{}", std::process::id()));
        // A process of the same number may have been killed together with its janitor (a machine that went down).
        let _ = std::fs::remove_dir_all(&scratch);
        std::fs::create_dir_all(&scratch).expect("the temporary folder is writable");
        // Postgres refuses to run as root and runs as another user then: it must be able to reach its folder.
        std::fs::set_permissions(&scratch, std::fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        let mut process = Command::new("sh")
            .args(["-c", SCRIPT, "postrider-test-janitor"])
            .arg(&scratch)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("there is a shell");
        let pipe = Mutex::new(process.stdin.take().expect("it was asked for"));
        Janitor { pipe, scratch, _process: process }
    })
}

fn tell(line: &str) {
    let mut pipe = janitor().pipe.lock().unwrap_or_else(PoisonError::into_inner);
    // Without a janitor there is nobody to tell: tests still run, only their rests stay behind.
    let _ = pipe.write_all(line.as_bytes());
}

/// From now on `pid` gets `signal` (`KILL`, `QUIT` …) when this process ends.
pub(crate) fn watch(pid: u32, signal: &str) {
    tell(&format!("add {pid} {signal}\n"));
}

/// `pid` has ended and been waited for.
pub(crate) fn forget(pid: u32) {
    tell(&format!("del {pid}\n"));
}

/// A new empty folder, gone when this process ends.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn scratch_dir(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let path = scratch_root().join(format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    std::fs::create_dir(&path).expect("the scratch folder is writable");
    path
}

/// The folder that holds all others.
#[must_use]
pub fn scratch_root() -> &'static Path {
    &janitor().scratch
}
