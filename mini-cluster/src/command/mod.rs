//! Commands to monitors, as `ceph` and librados' `mon_command` send them: those that somebody needs who
//! tries a client on the cluster, answered as Ceph's monitors do, in plain text and in JSON.
//!
//! Facts: `mon/Monitor.cc` (`handle_command`), `mon/MonCommands.h`, `common/cmdparse.cc`, and what monitors
//! of Tentacle say.

mod args;
mod blocklist;
mod mon;
mod osd;
mod pool;
mod pool_op;
mod table;

pub(crate) use pool_op::pool_op;

use crate::servers::Servers;
use args::Args;
use bytes::Bytes;
use linger_core::Timestamp;
use linger_wire::errno::{EACCES, EINVAL};
use linger_wire::msg::MonCommandAck;
use linger_wire::{Features, Name};
use serde_json::{Map, Value, json};
use table::{COMMANDS, Spec};

/// What a command gave.
#[derive(Debug, Default)]
struct Reply {
    /// For standard error.
    text: String,
    /// For standard output.
    output: Bytes,
}

impl Reply {
    fn said(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// Why a command did nothing.
#[derive(Debug)]
struct Refusal {
    /// A positive errno.
    errno: i32,
    text: String,
}

fn refuse<T>(errno: i32, text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { errno, text: text.into() })
}

/// Whom a command is from.
pub(crate) struct Caller {
    /// What the client may do at monitors.
    pub caps: String,
    /// What it can read.
    pub features: Features,
}

/// Does what a client asks for.
pub(crate) fn run(servers: &mut Servers, now: Timestamp, from: &Caller, words: Vec<Name>) -> MonCommandAck {
    let (result, reply) = match answer(servers, now, from, &words) {
        Ok(reply) => (0, reply),
        Err(Refusal { errno, text }) => (-errno, Reply::said(text)),
    };
    let version = servers.map().epoch.into();
    MonCommandAck { version, result, text: reply.text.as_str().into(), words, output: reply.output }
}

fn answer(servers: &mut Servers, now: Timestamp, from: &Caller, words: &[Name]) -> Result<Reply, Refusal> {
    let whole: String = words.iter().map(Name::to_string_lossy).collect();
    let Ok(Value::Object(fields)) = serde_json::from_str(&whole) else {
        return refuse(EINVAL, format!("unparseable JSON {whole}"));
    };
    let args = Args { fields, features: from.features };
    let prefix = args.text("prefix").unwrap_or_default();
    if prefix == "get_command_descriptions" {
        return Ok(Reply { output: descriptions().to_string().into(), ..Reply::default() });
    }
    let Some(command) = COMMANDS.iter().find(|command| command.prefix == prefix) else {
        return refuse(EINVAL, "command not known");
    };
    if !crate::osd::grants(&from.caps, if command.writes { 'w' } else { 'r' }) {
        return refuse(EACCES, "access denied");
    }
    (command.run)(servers, now, &args)
}

/// What `ceph` needs to make a request of its arguments.
fn descriptions() -> Value {
    let all = COMMANDS.iter().enumerate().map(|(n, command)| (format!("cmd{n:03}"), describe(command)));
    Value::Object(all.collect::<Map<_, _>>())
}

fn describe(command: &Spec) -> Value {
    let words = command.prefix.split(' ').map(Value::from);
    let signature: Vec<Value> = words.chain(command.params.iter().map(table::Param::describe)).collect();
    let module = command.prefix.split(' ').next().unwrap_or_default();
    let perm = if command.writes { "rw" } else { "r" };
    json!({"sig": signature, "help": command.help, "module": module, "perm": perm, "flags": 0})
}

#[cfg(test)]
mod tests;
