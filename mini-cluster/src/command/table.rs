//! The commands there are, with the names and arguments that Ceph gives them (`mon/MonCommands.h`).

use super::args::Args;
use super::{Refusal, Reply, blocklist, mon, osd, pool};
use crate::servers::Servers;
use linger_core::Timestamp;
use serde_json::{Value, json};

/// A command.
pub(super) struct Spec {
    pub prefix: &'static str,
    pub params: &'static [Param],
    pub help: &'static str,
    /// Whether it changes anything.
    pub writes: bool,
    pub run: fn(&mut Servers, Timestamp, &Args) -> Result<Reply, Refusal>,
}

/// An argument.
pub(super) struct Param {
    name: &'static str,
    /// A type of Ceph's `ceph_argparse`.
    kind: &'static str,
    /// What it may be, separated by bars; anything if empty.
    choices: &'static str,
    optional: bool,
    /// One or more.
    many: bool,
}

impl Param {
    pub fn describe(&self) -> Value {
        let mut param = json!({"name": self.name, "type": self.kind});
        if !self.choices.is_empty() {
            param["strings"] = self.choices.into();
        }
        if self.optional {
            param["req"] = false.into();
        }
        if self.many {
            param["n"] = "N".into();
        }
        param
    }

    const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    const fn many(self) -> Self {
        Self { many: true, ..self }
    }
}

const fn param(name: &'static str, kind: &'static str) -> Param {
    Param { name, kind, choices: "", optional: false, many: false }
}

const fn choice(name: &'static str, choices: &'static str) -> Param {
    Param { choices, ..param(name, "CephChoices") }
}

const POOL: Param = param("pool", "CephPoolname");
const IDS: Param = param("ids", "CephString").many();
const SURE: Param = param("yes_i_really_really_mean_it", "CephBool").optional();
/// What `osd set` knows.
const FLAGS: Param = choice("key", "pause|full");
/// What `osd pool get` and `osd pool set` know.
const SHOWN: &str = "size|min_size|pg_num|pgp_num";
const CHANGED: &str = "pg_num|pgp_num|eio";

const fn reads(
    prefix: &'static str,
    params: &'static [Param],
    help: &'static str,
    run: fn(&mut Servers, Timestamp, &Args) -> Result<Reply, Refusal>,
) -> Spec {
    Spec { prefix, params, help, writes: false, run }
}

const fn writes(
    prefix: &'static str,
    params: &'static [Param],
    help: &'static str,
    run: fn(&mut Servers, Timestamp, &Args) -> Result<Reply, Refusal>,
) -> Spec {
    Spec { prefix, params, help, writes: true, run }
}

/// All of them.
pub(super) const COMMANDS: &[Spec] = &[
    reads("fsid", &[], "the cluster's id", mon::fsid),
    reads("mon dump", &[], "the monitors", mon::dump),
    reads("mon stat", &[], "the monitors, in a line", mon::stat),
    reads("osd dump", &[], "the OSD map", osd::dump),
    reads("osd stat", &[], "the OSDs, in a line", osd::stat),
    reads("osd ls", &[], "ids of all OSDs", osd::ls),
    reads("osd getmaxosd", &[], "one more than the largest id of an OSD", osd::max),
    reads("osd getmap", &[], "the OSD map, encoded", osd::getmap),
    reads(
        "osd map",
        &[POOL, param("object", "CephObjectname"), param("nspace", "CephString").optional()],
        "where an object is, whether it exists or not",
        osd::locate,
    ),
    writes("osd down", &[IDS], "mark OSDs down; those that run come up again", osd::down),
    writes("osd out", &[IDS], "take OSDs out of placement", osd::out),
    writes("osd in", &[IDS], "let OSDs take part in placement", osd::bring_in),
    writes("osd set", &[FLAGS], "set a flag of the map", osd::set),
    writes("osd unset", &[FLAGS], "unset a flag of the map", osd::unset),
    writes(
        "osd pg-temp",
        &[param("pgid", "CephPgid"), param("id", "CephOsdName").many().optional()],
        "give a placement group other OSDs, or its own again",
        osd::pg_temp,
    ),
    reads("osd lspools", &[], "pools with their numbers", pool::numbers),
    reads("osd pool ls", &[choice("detail", "detail").optional()], "pools", pool::list),
    reads("osd pool get", &[POOL, choice("var", SHOWN)], "a value of a pool", pool::get),
    writes(
        "osd pool set",
        &[POOL, choice("var", CHANGED), param("val", "CephString")],
        "set a value of a pool",
        pool::set,
    ),
    writes(
        "osd pool create",
        &[POOL, param("pg_num", "CephInt").optional(), param("pgp_num", "CephInt").optional()],
        "make a replicated pool",
        pool::create,
    ),
    writes(
        "osd pool rm",
        &[POOL, param("pool2", "CephPoolname").optional(), SURE],
        "remove a pool with all its objects",
        pool::remove,
    ),
    writes(
        "osd pool delete",
        &[POOL, param("pool2", "CephPoolname").optional(), SURE],
        "remove a pool with all its objects",
        pool::remove,
    ),
    reads("osd blocklist ls", &[], "clients that are locked out", blocklist::list),
    writes(
        "osd blocklist",
        &[
            choice("blocklistop", "add|rm"),
            param("addr", "CephEntityAddr"),
            param("expire", "CephFloat").optional(),
        ],
        "lock a client out, for an hour unless seconds are given, or let it in again",
        blocklist::change,
    ),
    writes("osd blocklist clear", &[], "let everybody in again", blocklist::clear),
];
