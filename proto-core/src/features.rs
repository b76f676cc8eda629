//! The features this client promises, and why it may.
//!
//! A peer picks layouts and behaviour by these bits, so each is here only with its duty done.
//!
//! | feature | duty | where |
//! |---|---|---|
//! | UID, NOSRCADDR, SUBSCRIBE2, MONNAMES, MONENC | the base of every current messenger and mon session | [`crate`] as a whole |
//! | RECONNECT_SEQ | over msgr1 the numbers of messages seen are exchanged | `conn::v1` |
//! | MSG_AUTH | over msgr1 messages are signed, and signatures checked | `conn::v1` |
//! | OBJECTLOCATOR, PGID64, PGPOOL3, OSDENC, OSDMAP_ENC, CREATEPOOLID | current layouts of maps and locators are read | `linger_wire::osdmap` |
//! | INCSUBOSDMAP | incremental maps are applied, gaps are noticed | `cluster` |
//! | OSDREPLYMUX, NEW_OSDOP_ENCODING, NEW_OSDOPREPLY_ENCODING | requests of version 8, replies up to version 8 | `linger_wire::msg` |
//! | CRUSH_TUNABLES, 2, 3, 5, CRUSH_V2, CRUSH_V4, CRUSH_MSR, OSDHASHPSPOOL, OSD_PRIMARY_AFFINITY | placement equal to Ceph's | `placement` |
//! | OSD_CACHEPOOL | the overlay's tier is read and written instead | `session::op` |
//! | OSD_POOLRESEND | `last_force_op_resend` resends | `session::targets` |
//! | SERVER_JEWEL (MON_STATEFUL_SUB) | subscriptions are not renewed, but made again in each session | `mon` |
//! | SERVER_LUMINOUS (RESEND_ON_SPLIT, RADOS_BACKOFF, upmap, choose_args) | resend on split and merge; backoffs are kept and acknowledged | `session` |
//! | STRETCH_MODE | stretch fields are part of the interval | `placement` |
//! | RANGE_BLOCKLIST | range blocklist entries are read | `linger_wire::osdmap` |
//! | MSGR_KEEPALIVE2 | keepalives are answered with their stamp | `conn` |
//! | MSG_ADDR2 | address lists, msgr2 | `conn::v2` |
//! | OSD_RECOVERY_DELETES | its flag is part of the interval | `placement` |
//! | CEPHX_V2 | the authorizer answers the server's challenge; over msgr1 signatures have their present form | `auth`, `conn::v1` |
//! | SERVER_KRAKEN to SERVER_TENTACLE | the map layouts of these releases are read | `linger_wire::osdmap` |

use linger_wire::Features as F;

/// What this client advertises.
pub const FEATURES: F = F::UID
    .with(F::NOSRCADDR)
    .with(F::SUBSCRIBE2)
    .with(F::MONNAMES)
    .with(F::RECONNECT_SEQ)
    .with(F::MONENC)
    .with(F::MSG_AUTH)
    .with(F::OBJECTLOCATOR)
    .with(F::PGID64)
    .with(F::PGPOOL3)
    .with(F::OSDENC)
    .with(F::OSDMAP_ENC)
    .with(F::CREATEPOOLID)
    .with(F::INCSUBOSDMAP)
    .with(F::OSDREPLYMUX)
    .with(F::NEW_OSDOP_ENCODING)
    .with(F::CRUSH_TUNABLES)
    .with(F::CRUSH_TUNABLES2)
    .with(F::CRUSH_TUNABLES3)
    .with(F::CRUSH_TUNABLES5)
    .with(F::CRUSH_V2)
    .with(F::CRUSH_V4)
    .with(F::CRUSH_MSR)
    .with(F::OSDHASHPSPOOL)
    .with(F::OSD_CACHEPOOL)
    .with(F::OSD_POOLRESEND)
    .with(F::SERVER_JEWEL)
    .with(F::STRETCH_MODE)
    .with(F::RANGE_BLOCKLIST)
    .with(F::MSGR_KEEPALIVE2)
    .with(F::MSG_ADDR2)
    .with(F::OSD_RECOVERY_DELETES)
    .with(F::CEPHX_V2)
    .with(F::SERVER_KRAKEN)
    .with(F::SERVER_LUMINOUS)
    .with(F::SERVER_MIMIC)
    .with(F::SERVER_NAUTILUS)
    .with(F::SERVER_OCTOPUS)
    .with(F::SERVER_PACIFIC)
    .with(F::SERVER_QUINCY)
    .with(F::SERVER_REEF)
    .with(F::SERVER_SQUID)
    .with(F::SERVER_TENTACLE);

/// What a peer must have: without these no session can be.
pub const REQUIRED: F = F::MSG_ADDR2.with(F::OSDREPLYMUX);

#[cfg(test)]
mod tests {
    use super::*;

    /// Every bit of the mask stands in the table above, and bits without a duty are not set.
    #[test]
    fn nothing_is_promised_but_the_table() {
        let duties = [
            (0, F::UID),
            (1, F::NOSRCADDR),
            (4, F::SUBSCRIBE2),
            (5, F::MONNAMES),
            (6, F::RECONNECT_SEQ),
            (15, F::MONENC),
            (23, F::MSG_AUTH),
            (8, F::OBJECTLOCATOR),
            (9, F::PGID64),
            (11, F::PGPOOL3),
            (13, F::OSDENC),
            (39, F::OSDMAP_ENC),
            (26, F::CREATEPOOLID),
            (10, F::INCSUBOSDMAP),
            (12, F::OSDREPLYMUX),
            (56, F::NEW_OSDOP_ENCODING),
            (18, F::CRUSH_TUNABLES),
            (25, F::CRUSH_TUNABLES2),
            (41, F::CRUSH_TUNABLES3),
            (58, F::CRUSH_TUNABLES5),
            (36, F::CRUSH_V2),
            (48, F::CRUSH_V4),
            (38, F::CRUSH_MSR),
            (30, F::OSDHASHPSPOOL),
            (35, F::OSD_CACHEPOOL),
            (43, F::OSD_POOLRESEND),
            (57, F::SERVER_JEWEL),
            (32, F::STRETCH_MODE),
            (34, F::RANGE_BLOCKLIST),
            (42, F::MSGR_KEEPALIVE2),
            (59, F::MSG_ADDR2),
            (60, F::OSD_RECOVERY_DELETES),
            (61, F::CEPHX_V2),
            (14, F::SERVER_KRAKEN),
            (21, F::SERVER_LUMINOUS),
            (28, F::SERVER_MIMIC),
            (2, F::SERVER_NAUTILUS),
            (16, F::SERVER_OCTOPUS),
            (20, F::SERVER_PACIFIC),
            (33, F::SERVER_QUINCY),
            (31, F::SERVER_REEF),
            (49, F::SERVER_SQUID),
            (50, F::SERVER_TENTACLE),
        ];
        let mut all = F::NONE;
        for (bit, feature) in duties {
            assert!(feature.0 & 1 << bit != 0, "{feature:?} has bit {bit}");
            assert!(FEATURES.has(feature), "{feature:?}");
            all = all.with(feature);
        }
        assert_eq!(FEATURES, all);
        assert!(FEATURES.has(REQUIRED));
        // Reserved, and what came after Tentacle.
        assert_eq!(FEATURES.0 & (1 << 62 | 1 << 63), 0);
    }

    /// A cluster of any supported release can be served: what it requires of clients is here.
    #[test]
    fn what_servers_required_is_promised() {
        for required in [0x0c01_0200_4204_0000, 0x0c01_0200_4204_0000 | 1 << 21 | 1 << 57] {
            assert_eq!(F(required).missing_in(FEATURES), F::NONE);
        }
    }
}
