//! The scripts, each with the prelude in front, called by their hash and loaded when Redis does not know them.

use std::sync::LazyLock;

use redis::{Cmd, Script, Value};

use super::RedisBroker;
use crate::error::BrokerError;

macro_rules! script {
    ($name:ident, $flags:literal, $file:literal) => {
        pub(super) static $name: LazyLock<Loaded> = LazyLock::new(|| {
            Loaded::new(concat!("#!lua", $flags, "\n", include_str!("lua/prelude.lua"), include_str!($file)))
        });
    };
}

// Enqueueing and reserving are refused when memory is full; whatever leads to less memory is not.
script!(ENQUEUE, "", "lua/enqueue.lua");
script!(RESERVE, "", "lua/reserve.lua");
script!(KNOCK, "", "lua/knock.lua");
script!(EXCHANGE, " flags=allow-oom", "lua/exchange.lua");
script!(EXTEND, " flags=allow-oom", "lua/extend.lua");
script!(MAINTAIN, " flags=allow-oom", "lua/maintain.lua");
script!(DISOWN, " flags=allow-oom", "lua/disown.lua");
script!(CANCEL, " flags=allow-oom", "lua/cancel.lua");
script!(REDRIVE, " flags=allow-oom", "lua/redrive.lua");
script!(PAUSE, " flags=allow-oom", "lua/pause.lua");
script!(RESUME, " flags=allow-oom", "lua/resume.lua");
script!(PURGE, " flags=allow-oom", "lua/purge.lua");
script!(LOOK, " flags=no-writes", "lua/look.lua");
script!(PAGE, " flags=allow-oom", "lua/page.lua");
script!(STATS, " flags=no-writes", "lua/stats.lua");

/// A script and its hash.
pub(super) struct Loaded {
    code: &'static str,
    script: Script,
}

impl Loaded {
    fn new(code: &'static str) -> Self {
        Self { code, script: Script::new(code) }
    }

    /// `EVALSHA` with one key; the caller adds the arguments.
    fn command(&self, base: &str, arguments: &[Vec<u8>]) -> Cmd {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(self.script.get_hash()).arg(1).arg(base);
        for argument in arguments {
            cmd.arg(argument);
        }
        cmd
    }
}

impl RedisBroker {
    /// Calls a script on the keys of `base`; `arguments` begins with [`RedisBroker::now_arg`].
    pub(super) async fn call(&self, script: &Loaded, base: &str, arguments: &[Vec<u8>]) -> Result<Value, BrokerError> {
        let (mut connection, generation) = self.link.numbered_connection().await?;
        let cmd = script.command(base, arguments);
        let answer = redis::aio::ConnectionLike::req_packed_command(&mut connection, &cmd).await;
        match answer.and_then(Value::extract_error) {
            Ok(value) => Ok(value),
            Err(e) if is_unknown_script(&e) => {
                let mut eval = redis::cmd("EVAL");
                eval.arg(script.code).arg(1).arg(base);
                for argument in arguments {
                    eval.arg(argument);
                }
                self.link.send(&eval).await
            }
            Err(e) => Err(self.link.judge(e, generation).await),
        }
    }

    /// Calls a script and then waits until enough replicas have its writes. The two travel back to back on a connection
    /// of their own: `WAIT` speaks of what its connection wrote, and keeps all that comes behind it waiting.
    pub(super) async fn call_acked(
        &self,
        script: &Loaded,
        base: &str,
        arguments: &[Vec<u8>],
    ) -> Result<Value, BrokerError> {
        let Some(link) = &self.acked else { return self.call(script, base, arguments).await };
        let wanted = i64::from(self.redis.min_replica_acks);
        let mut pipeline = redis::pipe();
        pipeline.add_command(script.command(base, arguments));
        pipeline.cmd("WAIT").arg(wanted).arg(self.redis.ack_timeout.as_millis() as u64);
        let (mut values, mut generation) = link.send_all(&pipeline, 2).await?;
        if let Some(Value::ServerError(e)) = values.first()
            && is_unknown_script(&e.clone().into())
        {
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(script.code);
            link.send(&load).await?;
            (values, generation) = link.send_all(&pipeline, 2).await?;
        }
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            // A master that was demoted says so here: the next call looks for the new one.
            (Some(Value::ServerError(e)), _) => Err(link.judge(e.into(), generation).await),
            (Some(answer), Some(Value::Int(acked))) if acked >= wanted => Ok(answer),
            (_, Some(Value::Int(acked))) => Err(BrokerError::Unavailable(format!(
                "{acked} of {wanted} replicas acknowledged in time (queue.redis.min_replica_acks)"
            ))),
            (_, Some(Value::ServerError(e))) => {
                link.drop_connection(generation).await;
                Err(BrokerError::Unavailable(format!("no replica was asked: {e}")))
            }
            _ => Err(BrokerError::Corrupt("WAIT answered no number".to_owned())),
        }
    }
}

fn is_unknown_script(e: &redis::RedisError) -> bool {
    e.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::NoScript)
}
