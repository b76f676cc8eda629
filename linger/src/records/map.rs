//! Placement: results of `map` and `osdmap --pgs`.

use crate::failure::one_line;
use linger_core::placement::{OsdList, PgLine, PgMapping};
use linger_wire::PgId;
use serde::Serialize;
use std::fmt;

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectMap<'a> {
    object: &'a str,
    pool: &'a str,
    pg: String,
    up: Vec<i32>,
    up_primary: i32,
    acting: Vec<i32>,
    acting_primary: i32,
}

impl<'a> ObjectMap<'a> {
    /// Shows the OSDs of an object's group.
    pub fn new(pool: &'a str, object: &'a str, pg: PgId, mapping: &PgMapping) -> Self {
        Self {
            object,
            pool,
            pg: pg.to_string(),
            up: mapping.up.as_slice().to_vec(),
            up_primary: mapping.up_primary,
            acting: mapping.acting.as_slice().to_vec(),
            acting_primary: mapping.acting_primary,
        }
    }
}

impl fmt::Display for ObjectMap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} pg {} ", one_line(self.pool), one_line(self.object), self.pg)?;
        write!(f, "up ({}, p{}) ", Osds(&self.up), self.up_primary)?;
        write!(f, "acting ({}, p{})", Osds(&self.acting), self.acting_primary)
    }
}

/// A list as Ceph prints it.
struct Osds<'a>(&'a [i32]);

impl fmt::Display for Osds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (n, osd) in self.0.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            write!(f, "{comma}{osd}")?;
        }
        f.write_str("]")
    }
}

/// The OSDs of a placement group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "PgJson")]
pub struct PgMap(pub PgLine);

impl fmt::Display for PgMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Serialize)]
struct PgJson {
    pg: String,
    raw: Vec<i32>,
    raw_primary: i32,
    up: Vec<i32>,
    up_primary: i32,
    acting: Vec<i32>,
    acting_primary: i32,
}

impl From<PgMap> for PgJson {
    fn from(PgMap(PgLine { pg, raw, mapping }): PgMap) -> Self {
        let list = |osds: &OsdList| osds.as_slice().to_vec();
        Self {
            pg: pg.to_string(),
            raw: list(&raw),
            raw_primary: raw.first(),
            up: list(&mapping.up),
            up_primary: mapping.up_primary,
            acting: list(&mapping.acting),
            acting_primary: mapping.acting_primary,
        }
    }
}
