//! Each fault by its name, on a cluster of its own.

use anyhow::Result;
use linger_chaos::{Arena, Fault};
use linger_testbed::{available, skip};

fn run(fault: Fault) -> Result<()> {
    if let Err(why) = available() {
        skip(&format!("faults::{fault}"), &why);
        return Ok(());
    }
    let arena = Arena::open(fault.cluster())?;
    fault.strike(&arena, fault.hold())?;
    arena.close(&fault.to_string())?.check()
}

macro_rules! faults {
    ($($name:ident: $fault:ident,)*) => {
        $(#[test]
        fn $name() -> Result<()> {
            assert_eq!(stringify!($name), Fault::$fault.to_string());
            run(Fault::$fault)
        })*

        #[test]
        fn every_fault_has_its_test() {
            assert_eq!([$(Fault::$fault),*], Fault::ALL);
        }
    };
}

faults! {
    osd_killed: OsdKilled,
    osd_frozen: OsdFrozen,
    osd_restarted: OsdRestarted,
    all_osds_stopped: AllOsdsStopped,
    marked_down: MarkedDown,
    marked_out: MarkedOut,
    paused: Paused,
    pg_num: PgNum,
    pg_temp: PgTemp,
    primary_affinity: PrimaryAffinity,
    min_size: MinSize,
    size: Size,
    upmap: Upmap,
    pool_removed: PoolRemoved,
    object_removed: ObjectRemoved,
    blocklisted: Blocklisted,
    mon_restarted: MonRestarted,
    mon_leader_changed: MonLeaderChanged,
    tickets_expire: TicketsExpire,
    socket_resets: SocketResets,
}
