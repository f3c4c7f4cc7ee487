//! The files of SQLite and the disk that they lie on.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use config::Config;

use super::Report;
use crate::commands::sqlite_file;
use crate::output::bytes;

/// Free space below which writing will soon fail, and below which somebody should look.
const SPACE: (u64, u64) = (128 << 20, 1 << 30);

/// Looks at a SQLite file and its folder; whether the file is there.
pub fn sqlite(report: &mut Report, area: &'static str, file: &Path) -> bool {
    let shown = file.display();
    let folder = folder_of(file);
    let found = nearest(&folder);
    match writable(&found) {
        Ok(()) => report.ok(area, "folder", format!("{} is writable", found.display())),
        Err(e) => report.fail(
            area,
            "folder",
            format!("{} is not writable: {e}", found.display()),
            "SQLite writes its log beside the file: give the folder to the user that postrider runs as",
        ),
    }
    if !file.exists() {
        let advice =
            "right for a first start; otherwise this is another folder (`--data DIR` and `--config FILE` name one)";
        report.warn(area, "file", format!("{shown} is not there yet"), advice);
        return false;
    }
    match journal(file) {
        Ok(Journal::Wal) => report.ok(area, "journal", format!("WAL, in {shown}")),
        Ok(Journal::New) => report.ok(area, "journal", format!("{shown} is empty yet")),
        Ok(Journal::Rollback) => report.warn(
            area,
            "journal",
            format!("{shown} keeps a rollback journal: readers and writers wait for each other"),
            "start postrider once on it: it turns WAL on, if the file system can (a network share cannot)",
        ),
        Ok(Journal::Foreign) => report.fail(
            area,
            "journal",
            format!("{shown} is no SQLite database"),
            "name another file, or move this one away",
        ),
        Err(e) => report.fail(area, "journal", format!("{shown} cannot be read: {e}"), "see to its owner and mode"),
    }
    true
}

/// What the header says (<https://www.sqlite.org/fileformat2.html>, §1.3).
enum Journal {
    Wal,
    Rollback,
    New,
    Foreign,
}

fn journal(file: &Path) -> std::io::Result<Journal> {
    let mut file = File::open(file)?;
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(Journal::New);
    }
    file.rewind()?;
    let mut header = [0; 20];
    match file.read_exact(&mut header) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(Journal::Foreign),
        Err(e) => return Err(e),
    }
    Ok(match (header.starts_with(b"SQLite format 3\0"), header[18]) {
        (false, _) => Journal::Foreign,
        (true, 2) => Journal::Wal,
        (true, _) => Journal::Rollback,
    })
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The folder, or the nearest one above it that is there: the folder will be made in it.
fn nearest(folder: &Path) -> PathBuf {
    let found = folder.ancestors().find(|f| f.is_dir()).map_or_else(|| PathBuf::from("."), Path::to_owned);
    found.canonicalize().unwrap_or(found)
}

/// Asks the system, without writing. The mode alone would not know of a read-only mount.
fn writable(folder: &Path) -> std::io::Result<()> {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)?;
    Ok(())
}

/// Whether queue and store lie apart, and how much space there is where they lie.
pub fn disk(report: &mut Report, config: &Config) {
    let urls = [config.queue.url.to_string(), config.store.url.to_string()];
    let files: Vec<PathBuf> = urls.iter().filter_map(|url| sqlite_file(url)).collect();
    if let [queue, store] = files.as_slice()
        && queue == store
    {
        report.fail(
            "disk",
            "two files",
            format!("queue.url and store.url are the same file, {}", queue.display()),
            "give each a file of its own: they are two databases",
        );
    }
    let mut folders: Vec<PathBuf> = files.iter().map(|file| nearest(&folder_of(file))).collect();
    folders.sort();
    folders.dedup();
    for folder in folders {
        let name = "space";
        match rustix::fs::statvfs(&folder) {
            Ok(disk) => {
                let (free, all) = (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize);
                let percent = (free * 100).checked_div(all).unwrap_or(0);
                let found = format!("{} free ({percent} %) where {} lies", bytes(free), folder.display());
                let advice = "make room: a full disk stops the queue (nothing is lost, the API answers 503 meanwhile)";
                match free {
                    n if n < SPACE.0 => report.fail("disk", name, found, advice),
                    n if n < SPACE.1 => report.warn("disk", name, found, advice),
                    _ => report.ok("disk", name, found),
                }
            }
            Err(e) => report.warn("disk", name, format!("{} cannot be asked: {e}", folder.display()), "look with `df`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(content: &[u8]) -> Journal {
        let file = std::env::temp_dir().join(format!("postrider-journal-{}-{}", std::process::id(), content.len()));
        std::fs::write(&file, content).unwrap();
        let found = journal(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        found
    }

    #[test]
    fn the_journal_mode_is_read_from_the_files_header() {
        let header = |version| {
            let mut bytes = b"SQLite format 3\0".to_vec();
            bytes.extend([16, 0, version, version, 0]);
            bytes
        };
        assert!(matches!(judged(&header(2)), Journal::Wal));
        assert!(matches!(judged(&[header(1), vec![0]].concat()), Journal::Rollback));
        assert!(matches!(judged(b""), Journal::New));
        assert!(matches!(judged(b"not a database at all, by its first bytes"), Journal::Foreign));
    }

    #[test]
    fn a_folder_that_is_still_to_be_made_is_judged_by_the_one_above_it() {
        let temp = std::env::temp_dir();
        assert_eq!(nearest(&temp.join("not/there")), temp.canonicalize().unwrap());
        assert_eq!(folder_of(Path::new("queue.db")), Path::new("."));
    }
}
