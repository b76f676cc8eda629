//! The cluster's ceph.conf.

use std::{fmt::Write, path::Path};

use crate::{Auth, Bind, KeyType, Mode, Store, daemon::Daemon, ports::SPAN};

/// What the builder was told.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) mons: u32,
    pub(crate) osds: u32,
    pub(crate) auth: Auth,
    pub(crate) key_type: Option<KeyType>,
    pub(crate) mode: Mode,
    pub(crate) bind: Bind,
    pub(crate) store: Store,
    pub(crate) conf: Vec<(String, String)>,
}

impl Plan {
    /// Names and addresses of the mons.
    pub(crate) fn mon_addrs(&self, port_base: u16) -> Vec<(Daemon, String)> {
        let addr = |i: u32| {
            let port = u32::from(port_base) + 2 * i;
            match self.bind {
                Bind::Both => format!("[v2:127.0.0.1:{port},v1:127.0.0.1:{}]", port + 1),
                Bind::V1 => format!("[v1:127.0.0.1:{port}]"),
                Bind::V2 => format!("[v2:127.0.0.1:{port}]"),
            }
        };
        (0..self.mons).map(|i| (Daemon::Mon(i), addr(i))).collect()
    }

    /// The text of ceph.conf for a cluster in `dir`.
    pub(crate) fn conf(&self, dir: &Path, fsid: &str, port_base: u16) -> String {
        let mut out = format!("[global]\nfsid = {fsid}\n");
        let mut set = |key: &str, value: &dyn std::fmt::Display| {
            // Writing to a string does not fail.
            let _ = writeln!(out, "{key} = {value}");
        };
        let hosts: Vec<_> = self.mon_addrs(port_base).into_iter().map(|(_, addr)| addr).collect();
        set("mon_host", &hosts.join(","));
        let auth = if self.auth == Auth::Cephx { "cephx" } else { "none" };
        for party in ["cluster", "service", "client"] {
            set(&format!("auth_{party}_required"), &auth);
        }
        set("ms_bind_msgr1", &(self.bind != Bind::V2));
        set("ms_bind_msgr2", &(self.bind != Bind::V1));
        let mode = match self.mode {
            Mode::Default => None,
            Mode::Crc => Some("crc"),
            Mode::Secure => Some("secure"),
        };
        if let Some(mode) = mode {
            for party in ["cluster", "service", "client", "mon_cluster", "mon_service", "mon_client"] {
                set(&format!("ms_{party}_mode"), &mode);
            }
        }
        set("ms_bind_port_min", &(port_base + 10));
        set("ms_bind_port_max", &(port_base + SPAN - 1));
        set("osd_pool_default_size", &self.osds.clamp(1, 3));
        set("osd_objectstore", &if self.store == Store::Mem { "memstore" } else { "bluestore" });
        if self.store == Store::Mem {
            // It is saved at the slow end only.
            set("osd_fast_shutdown", &false);
        }
        if self.key_type == Some(KeyType::Aes) {
            set("mon_auth_allow_insecure_key", &true);
        }
        let dir = dir.display();
        set("mon_cluster_log_file", &format!("{dir}/log/cluster.log"));
        out.push_str(SETTINGS);
        for (key, value) in &self.conf {
            let _ = writeln!(out, "{key} = {value}");
        }
        let _ = write!(out, "\n[client]\nkeyring = {dir}/keyring\n");
        for kind in ["mon", "mgr", "osd"] {
            let _ = write!(
                out,
                "\n[{kind}]\n{kind}_data = {dir}/{kind}.$id\nkeyring = {dir}/{kind}.$id/keyring\n\
                 run_dir = {dir}/run\nadmin_socket = {dir}/run/$name.asok\n\
                 log_file = {dir}/log/$name.log\ncrash_dir = {dir}/crash\n"
            );
        }
        out
    }
}

/// Equal for all clusters.
const SETTINGS: &str = "\
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
# pools
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_pool_default_erasure_code_profile = plugin=jerasure technique=reed_sol_van k=2 m=1 crush-failure-domain=osd
osd_crush_chooseleaf_type = 0
osd_crush_initial_weight = 1
mon_allow_pool_delete = true
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
# see a dead daemon soon
osd_heartbeat_interval = 1
osd_heartbeat_grace = 4
osd_mon_report_interval = 1
osd_beacon_report_interval = 3
mon_osd_report_timeout = 10
mon_osd_min_down_reporters = 1
mon_osd_reporter_subtree_level = osd
mon_osd_adjust_heartbeat_grace = false
mon_osd_adjust_down_out_interval = false
mon_osd_down_out_interval = 30
mon_osd_min_up_ratio = 0
mon_osd_min_in_ratio = 0
mon_mgr_beacon_grace = 10
mgr_beacon_period = 1
mon_lease = 3
mon_election_timeout = 2
# quick maps and statistics
paxos_propose_interval = 0.1
paxos_min_wait = 0.02
mon_tick_interval = 1
mgr_tick_period = 1
mgr_stats_period = 1
osd_mclock_skip_benchmark = true
osd_op_queue = wpq
# no alarm about what is meant to be so here
mon_data_avail_warn = 1
mon_data_avail_crit = 0
mon_pg_warn_min_per_osd = 0
mon_warn_on_pool_no_app = false
mon_warn_on_pool_no_redundancy = false
mon_warn_on_insecure_global_id_reclaim = false
mon_warn_on_insecure_global_id_reclaim_allowed = false
mon_warn_on_msgr2_not_enabled = false
# stores
osd_class_load_list = *
osd_class_default_list = *
osd_memory_target = 939524096
memstore_device_bytes = 4294967296
bluestore_block_size = 4294967296
bluestore_block_db_create = false
bluestore_block_wal_create = false
# as the test says
";
