//! Redis: what it must be set to, so that what it acknowledged is there after a restart, and so that it never throws a
//! job away to make room.
//!
//! Everything is read with `INFO`, `TIME` and `CONFIG GET`; in a Cluster from each of its masters. A server that does not
//! let us ask for its settings is judged by what `INFO` tells.

use std::collections::HashMap;

use config::Config;
use job::Clock;
use job::clock::from_ms;
use queue::redis::{Connection, RedisBroker};
use redis::aio::ConnectionLike;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::{FromRedisValue, RedisResult, Value};

use super::{Report, clock_check, offset};
use crate::output::bytes;

const AREA: &str = "redis";

/// What one server tells of itself.
#[derive(Debug, Default)]
struct Server {
    /// Its address, in a Cluster.
    name: Option<String>,
    info: HashMap<String, String>,
    /// `appendfsync` and `save`, where we may ask.
    settings: HashMap<String, String>,
}

impl Server {
    fn says(&self, field: &str) -> &str {
        self.info.get(field).map_or("", String::as_str)
    }

    fn number(&self, field: &str) -> u64 {
        self.says(field).parse().unwrap_or(0)
    }

    /// What a check is called: in a Cluster with the server's address.
    fn check(&self, name: &str) -> String {
        self.name.as_ref().map_or_else(|| name.to_owned(), |server| format!("{name}, {server}"))
    }
}

/// Looks at the Redis behind the queue.
pub async fn check(report: &mut Report, config: &Config, broker: &RedisBroker, clock: &dyn Clock) {
    let mut connection = match broker.connection().await {
        Ok(connection) => connection,
        Err(e) => return report.fail(AREA, "reachable", e.to_string(), "see the queue above"),
    };
    let servers = match servers(&mut connection).await {
        Ok(servers) => servers,
        Err(e) => {
            let advice = "let the Redis user run INFO (ACL +info): it tells what the queue's promises rest on";
            return report.warn(AREA, "settings", format!("cannot be read: {e}"), advice);
        }
    };
    for server in &servers {
        version(report, server);
        role(report, server);
        persistence(report, server);
        eviction(report, server);
        memory(report, server);
        replicas(report, server, config);
    }
    match clocks(&mut connection, clock).await {
        Ok(clocks) => {
            clocks.iter().for_each(|(server, offset)| clock_check(report, AREA, &server.check("clock"), *offset))
        }
        Err(e) => report.warn(AREA, "clock", format!("cannot be read: {e}"), "let the Redis user run TIME (ACL +time)"),
    }
}

/// Sends one command: to the server, or to every master of a Cluster.
async fn ask(connection: &mut Connection, words: &[&str]) -> RedisResult<Vec<(Option<String>, Value)>> {
    let (name, args) = words.split_first().expect("a command has a name");
    let mut cmd = redis::cmd(name);
    cmd.arg(args);
    match connection {
        Connection::Single(server) => {
            let value = server.req_packed_command(&cmd).await?.extract_error()?;
            Ok(vec![(None, value)])
        }
        Connection::Cluster(cluster) => {
            let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
            let Value::Map(answers) = cluster.route_command(cmd, all).await? else { return Ok(Vec::new()) };
            answers
                .into_iter()
                .map(|(server, value)| Ok((Some(String::from_redis_value(server)?), value.extract_error()?)))
                .collect()
        }
    }
}

async fn servers(connection: &mut Connection) -> RedisResult<Vec<Server>> {
    let mut servers = Vec::new();
    for (name, value) in ask(connection, &["INFO"]).await? {
        let text = String::from_redis_value(value)?;
        let pairs = text.lines().filter_map(|line| line.trim_end().split_once(':'));
        let info = pairs.map(|(field, value)| (field.to_owned(), value.to_owned())).collect();
        servers.push(Server { name, info, settings: HashMap::new() });
    }
    // Many a hosted Redis does not let its settings be read.
    if let Ok(answers) = ask(connection, &["CONFIG", "GET", "appendfsync", "save"]).await {
        for (name, value) in answers {
            if let Some(server) = servers.iter_mut().find(|server| server.name == name) {
                server.settings = HashMap::from_redis_value(value).unwrap_or_default();
            }
        }
    }
    Ok(servers)
}

/// How far each server's clock is ahead, in milliseconds.
async fn clocks(connection: &mut Connection, clock: &dyn Clock) -> RedisResult<Vec<(Server, i64)>> {
    let before = clock.now();
    let answers = ask(connection, &["TIME"]).await?;
    let after = clock.now();
    answers
        .into_iter()
        .map(|(name, value)| {
            let (seconds, micros) = <(i64, i64)>::from_redis_value(value)?;
            let server = Server { name, ..Server::default() };
            Ok((server, offset(from_ms(seconds * 1_000 + micros / 1_000), before, after)))
        })
        .collect()
}

fn version(report: &mut Report, server: &Server) {
    let version = server.says("redis_version");
    let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    let name = server.check("version");
    match major {
        0..7 => report.fail(
            AREA,
            name,
            version,
            "install Redis 7 or newer: the scripts run with memory full only since 7.0",
        ),
        _ => report.ok(AREA, name, version),
    }
    if server.says("loading") == "1" {
        report.warn(AREA, server.check("loading"), "it is reading its data and takes no commands yet", "wait");
    }
}

fn role(report: &mut Report, server: &Server) {
    let name = server.check("role");
    match server.says("role") {
        "master" => report.ok(AREA, name, "master"),
        "slave" => report.fail(
            AREA,
            name,
            "a replica: it takes no writes",
            "name the master in queue.url, or the Sentinels (redis+sentinel://), which know who that is",
        ),
        other => report.warn(AREA, name, format!("{other:?}"), "a master is expected"),
    }
}

fn persistence(report: &mut Report, server: &Server) {
    let name = server.check("append-only file");
    if server.says("aof_enabled") != "1" {
        let found = match server.settings.get("save").map(String::as_str) {
            None => "off",
            Some("") => "off, and no snapshots: everything is lost with the process",
            Some(_) => "off; there are snapshots, and what came after the last one is lost with the process",
        };
        let advice =
            "`CONFIG SET appendonly yes` and `CONFIG REWRITE`: without it a restart loses jobs that were acknowledged";
        report.warn(AREA, name, found, advice);
    } else {
        match server.settings.get("appendfsync").map(String::as_str) {
            Some("always") => report.ok(AREA, name, "on, fsync always: a power loss loses nothing"),
            Some("everysec") => report.ok(AREA, name, "on, fsync everysec: a power loss loses up to 1 s"),
            Some(other) => report.warn(
                AREA,
                name,
                format!("on, but appendfsync is {other}: a power loss loses what the system had not written yet"),
                "`CONFIG SET appendfsync everysec` and `CONFIG REWRITE`",
            ),
            None => report.ok(AREA, name, "on (appendfsync cannot be read here)"),
        }
    }
    let written = ["aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status"];
    for field in written.into_iter().filter(|field| server.says(field) == "err") {
        let advice =
            "see Redis's log: mostly the disk is full or not writable; it may refuse all writes until that is mended";
        report.fail(AREA, server.check("writing to disk"), format!("{field} is err"), advice);
    }
}

fn eviction(report: &mut Report, server: &Server) {
    let name = server.check("maxmemory-policy");
    match server.says("maxmemory_policy") {
        "noeviction" => report.ok(AREA, name, "noeviction"),
        "" => report.warn(AREA, name, "cannot be read", "see that it is noeviction"),
        other => {
            let found = format!("{other}: with memory full Redis deletes keys, and those are jobs");
            report.warn(AREA, name, found, "`CONFIG SET maxmemory-policy noeviction` and `CONFIG REWRITE`");
        }
    }
}

fn memory(report: &mut Report, server: &Server) {
    let name = server.check("memory");
    let used = server.number("used_memory");
    let (limit, whose) = match server.number("maxmemory") {
        0 => (server.number("total_system_memory"), "of the machine, no maxmemory"),
        limit => (limit, "of maxmemory"),
    };
    let Some(percent) = (used * 100).checked_div(limit) else {
        return report.ok(AREA, name, format!("{} used", bytes(used)));
    };
    let found = format!("{} of {} used ({percent} % {whose})", bytes(used), bytes(limit));
    let advice = "give it more memory, or lower queue.retention; when it is full, enqueueing is answered 503";
    match percent {
        0..75 => report.ok(AREA, name, found),
        75..95 => report.warn(AREA, name, found, advice),
        _ => report.fail(AREA, name, found, advice),
    }
}

fn replicas(report: &mut Report, server: &Server, config: &Config) {
    let wanted = u64::from(config.queue.redis.min_replica_acks);
    let online = server
        .info
        .iter()
        .filter(|(field, value)| {
            let n = field.strip_prefix("slave").unwrap_or_default();
            !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()) && value.contains("state=online")
        })
        .count() as u64;
    let found = format!("{online} online, {wanted} must acknowledge");
    match (online, wanted) {
        (n, wanted) if n < wanted => report.fail(
            AREA,
            server.check("replicas"),
            found,
            "every enqueue is answered 503 now: bring replicas back, or lower queue.redis.min_replica_acks",
        ),
        (n, wanted) if n == wanted && n > 0 => report.warn(
            AREA,
            server.check("replicas"),
            found,
            "when one of them goes, every enqueue is answered 503: have one more than must acknowledge",
        ),
        (0, 0) => report.ok(AREA, server.check("replicas"), "none"),
        (_, 0) => report.ok(
            AREA,
            server.check("replicas"),
            format!("{online} online, none must acknowledge: a failover may lose the last moments"),
        ),
        _ => report.ok(AREA, server.check("replicas"), found),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn server(fields: &[(&str, &str)]) -> Server {
        let info = fields.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect();
        Server { info, ..Server::default() }
    }

    fn judged(check: fn(&mut Report, &Server), fields: &[(&str, &str)]) -> Level {
        let mut report = Report::default();
        check(&mut report, &server(fields));
        report.worst()
    }

    #[test]
    fn six_is_too_old_and_seven_is_not() {
        assert_eq!(judged(version, &[("redis_version", "6.2.14")]), Level::Fail);
        assert_eq!(judged(version, &[("redis_version", "7.0.0")]), Level::Ok);
        assert_eq!(judged(version, &[("redis_version", "10.1.0")]), Level::Ok);
    }

    #[test]
    fn memory_is_judged_by_its_limit_or_else_by_the_machine() {
        assert_eq!(judged(memory, &[("used_memory", "80"), ("maxmemory", "100")]), Level::Warn);
        assert_eq!(judged(memory, &[("used_memory", "96"), ("maxmemory", "100")]), Level::Fail);
        let machine = [("used_memory", "80"), ("maxmemory", "0"), ("total_system_memory", "1000")];
        assert_eq!(judged(memory, &machine), Level::Ok);
    }

    #[test]
    fn a_disk_that_cannot_be_written_is_a_failure() {
        assert_eq!(judged(persistence, &[("aof_enabled", "1"), ("aof_last_write_status", "err")]), Level::Fail);
    }

    #[test]
    fn fewer_replicas_than_must_acknowledge_stop_every_enqueue() {
        let mut config = Config::default();
        config.queue.redis.min_replica_acks = 1;
        let online = ("slave0", "ip=127.0.0.1,port=1,state=online,offset=1,lag=0");
        for (fields, level) in
            [(vec![], Level::Fail), (vec![online], Level::Warn), (vec![online, ("slave1", online.1)], Level::Ok)]
        {
            let mut report = Report::default();
            replicas(&mut report, &server(&fields), &config);
            assert_eq!(report.worst(), level, "{fields:?}");
        }
    }
}
