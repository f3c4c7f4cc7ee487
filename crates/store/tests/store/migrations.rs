//! Both schemas: applied under a lock, the same on both databases.

use std::collections::BTreeSet;
use std::path::Path;

use sqlx::{Connection, Row};
use store::MigrationStatus;

use crate::both::World;

/// The files of a folder of migrations.
fn steps(database: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(database);
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

/// Their numbers, rising.
fn numbers() -> Vec<i64> {
    steps("sqlite").iter().map(|name| name[..4].parse().unwrap()).collect()
}

#[test]
fn both_databases_have_the_same_steps() {
    assert_eq!(steps("postgres"), steps("sqlite"));
    let numbers: BTreeSet<_> = numbers().into_iter().collect();
    assert_eq!(numbers.len(), steps("sqlite").len(), "each number is given once");
}

async fn goes_from_nothing_to_current(world: World) {
    let fresh = world.store.migration_status().await.unwrap();
    assert!(!fresh.is_current());
    assert!(fresh.applied.is_empty());
    assert_eq!(fresh.pending.iter().map(|step| step.version).collect::<Vec<_>>(), numbers());
    assert_eq!(fresh.pending[1].name, "deliveries");

    assert_eq!(world.store.migrate().await.unwrap(), numbers());
    let done = world.store.migration_status().await.unwrap();
    assert!(done.is_current());
    assert_eq!(done, MigrationStatus { applied: fresh.pending, ..MigrationStatus::default() });
    assert_eq!(world.store.migrate().await.unwrap(), [0; 0]);
}

#[tokio::test]
async fn an_empty_sqlite_file_is_brought_up_to_date() {
    goes_from_nothing_to_current(World::empty_sqlite().await).await;
}

#[tokio::test]
async fn an_empty_postgres_database_is_brought_up_to_date() {
    goes_from_nothing_to_current(World::empty_postgres().await).await;
}

async fn many_at_once(world: World) {
    let mut migrating = Vec::new();
    for _ in 0..6 {
        let store = world.another().await;
        migrating.push(tokio::spawn(async move { store.migrate().await.unwrap() }));
    }
    for done in migrating {
        done.await.unwrap();
    }
    assert!(world.store.migration_status().await.unwrap().is_current());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_processes_migrate_one_sqlite_file_at_once() {
    many_at_once(World::empty_sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_processes_migrate_one_postgres_database_at_once() {
    many_at_once(World::empty_postgres().await).await;
}

const NEWER: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                     SELECT 999, 'of a newer release', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
const CHANGED: &str = "UPDATE _sqlx_migrations SET checksum = (SELECT checksum FROM _sqlx_migrations WHERE version = 1)
                       WHERE version = 2";

async fn shows_what_others_did(world: World) {
    let status = world.store.migration_status().await.unwrap();
    assert_eq!((status.unknown.as_slice(), status.changed.as_slice()), ([999].as_slice(), [2].as_slice()));
    assert!(!status.is_current(), "a step was done with another content");
    let error = world.store.migrate().await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
}

#[tokio::test]
async fn steps_of_a_newer_release_and_changed_ones_are_told_on_sqlite() {
    let world = World::sqlite().await;
    let mut connection = sqlx::SqliteConnection::connect(&world.url).await.unwrap();
    sqlx::query(NEWER).execute(&mut connection).await.unwrap();
    assert!(world.store.migration_status().await.unwrap().is_current(), "a newer release does no harm");
    world.store.migrate().await.unwrap();
    sqlx::query(CHANGED).execute(&mut connection).await.unwrap();
    shows_what_others_did(world).await;
}

#[tokio::test]
async fn steps_of_a_newer_release_and_changed_ones_are_told_on_postgres() {
    let world = World::postgres().await;
    let mut connection = sqlx::PgConnection::connect(&world.url).await.unwrap();
    sqlx::query(NEWER).execute(&mut connection).await.unwrap();
    assert!(world.store.migration_status().await.unwrap().is_current(), "a newer release does no harm");
    world.store.migrate().await.unwrap();
    sqlx::query(CHANGED).execute(&mut connection).await.unwrap();
    shows_what_others_did(world).await;
}

/// Table, column, and whether it may be null.
type Column = (String, String, bool);

#[tokio::test]
async fn both_databases_end_with_the_same_tables_columns_and_indexes() {
    let sqlite = World::sqlite().await;
    let mut connection = sqlx::SqliteConnection::connect(&sqlite.url).await.unwrap();
    let rows = sqlx::query(
        "SELECT t.name AS t, c.name AS c, c.\"notnull\" = 0 AND c.pk = 0 AS n
         FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE '\\_%' ESCAPE '\\'",
    );
    let rows = rows.fetch_all(&mut connection).await.unwrap();
    let ours: BTreeSet<Column> = rows.iter().map(|row| (row.get("t"), row.get("c"), row.get("n"))).collect();
    let rows = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite%'");
    let our_indexes: BTreeSet<String> =
        rows.fetch_all(&mut connection).await.unwrap().iter().map(|row| row.get("name")).collect();

    let postgres = World::postgres().await;
    let mut connection = sqlx::PgConnection::connect(&postgres.url).await.unwrap();
    let rows = sqlx::query(
        "SELECT table_name::text AS t, column_name::text AS c, is_nullable = 'YES' AS n
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_%'
           AND table_name NOT IN (SELECT relname FROM pg_class WHERE relispartition)",
    );
    let rows = rows.fetch_all(&mut connection).await.unwrap();
    let theirs: BTreeSet<Column> = rows.iter().map(|row| (row.get("t"), row.get("c"), row.get("n"))).collect();
    let rows = sqlx::query(
        "SELECT indexname::text AS name FROM pg_indexes
         WHERE schemaname = 'public' AND indexname NOT LIKE '%\\_pkey' AND indexname NOT LIKE '%\\_key'
           AND tablename NOT IN (SELECT relname FROM pg_class WHERE relispartition)",
    );
    let their_indexes: BTreeSet<String> =
        rows.fetch_all(&mut connection).await.unwrap().iter().map(|row| row.get("name")).collect();

    assert_eq!(ours, theirs);
    assert_eq!(our_indexes, their_indexes);
    assert!(ours.len() > 40 && our_indexes.len() >= 6);
}
