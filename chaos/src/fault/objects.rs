//! Faults of what is watched, and of who watches.

use crate::arena::Arena;
use crate::ledger::Side;
use anyhow::Result;
use serde_json::json;
use std::thread;
use std::time::Duration;

pub(super) fn pool_removed(arena: &Arena) -> Result<()> {
    arena.cluster().remove_pool(arena.pool())
}

pub(super) fn removed(arena: &Arena, hold: Duration) -> Result<()> {
    let admin = arena.cluster().admin()?;
    let half = &arena.objects()[..arena.objects().len() / 2];
    half.iter().try_for_each(|object| admin.remove(object))?;
    thread::sleep(hold);
    half.iter().try_for_each(|object| admin.write_full(object, b""))
}

pub(super) fn blocklisted(arena: &Arena) -> Result<()> {
    let word = arena.cluster().blocklist_word();
    for side in [Side::Linger, Side::Librados] {
        let addr = arena.addr_of(side)?;
        let add = json!({"prefix": format!("osd {word}"), format!("{word}op"): "add", "addr": addr});
        arena.cluster().mon_command(&add)?;
    }
    Ok(())
}
