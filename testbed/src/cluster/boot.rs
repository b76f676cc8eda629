//! From an empty folder to a cluster that serves.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    thread,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::{Cluster, Owned, STATE_FILE, Site};
use crate::{
    Daemon, KeyType, Root,
    conf::Plan,
    daemon::{Daemons, output_to},
    keeper::Keeper,
    ports::Ports,
    root::run,
};

impl Cluster {
    pub(crate) fn boot(root: Root, dir: &Path, ports: Ports, plan: &Plan, owned: bool) -> Result<Self> {
        let start = Instant::now();
        let keep = env::var_os("LINGER_KEEP_CLUSTERS").is_some();
        let keeper = if keep { None } else { Some(Keeper::new(dir)?) };
        let daemons = Daemons::new(root.clone(), dir.to_owned(), owned);
        let base = ports.base;
        // Until all is well any error drops, and so ends, what was started.
        let site = Site { dir: dir.to_owned(), root, daemons, owned: Some(Owned { keeper, _ports: ports }) };
        let mut cluster = Self { conf: dir.join("ceph.conf"), site: Some(site), admin: Mutex::default() };
        if let Err(e) = cluster.bring_up(plan, base) {
            let words = cluster.last_words();
            bail!("cannot boot a cluster in {}: {e:#}{words}", dir.display());
        }
        if !owned && let Some(keeper) = cluster.site.as_mut().and_then(|s| s.owned.take()?.keeper) {
            keeper.dismiss();
        }
        let (mons, osds) = (plan.mons, plan.osds);
        let release = cluster.site()?.root.release();
        eprintln!(
            "{release} up in {:.1?}: {mons} mons, {osds} osds, {}",
            start.elapsed(),
            cluster.conf.display()
        );
        Ok(cluster)
    }

    fn bring_up(&self, plan: &Plan, port_base: u16) -> Result<()> {
        let site = self.site()?;
        let dir = &site.dir;
        let fsid = uuid()?;
        for folder in ["run", "log", "crash", "mgr.x"] {
            fs::create_dir(dir.join(folder))?;
        }
        fs::write(&self.conf, plan.conf(dir, &fsid, port_base))?;
        let state = json!({"release": site.root.release().name(), "root": site.root.path(), "fsid": fsid});
        fs::write(dir.join(STATE_FILE), state.to_string())?;

        let osds: Vec<_> = (0..plan.osds).map(|n| Ok((Daemon::Osd(n), uuid()?))).collect::<Result<_>>()?;
        let seed = Seed::make(site, plan, &fsid, port_base, &osds)?;
        thread::scope(|scope| {
            // The OSDs' stores are made while the mons elect a leader.
            let mons = plan.mon_addrs(port_base).into_iter().map(|(mon, _)| {
                let seed = &seed;
                scope.spawn(move || seed.mon(site, mon).and_then(|()| site.daemons.start(mon)))
            });
            let stores = osds.iter().map(|(osd, uuid)| scope.spawn(move || make_store(site, *osd, uuid)));
            let all: Vec<_> = mons.chain(stores).collect();
            all.into_iter().try_for_each(|t| t.join().unwrap_or_else(|_| bail!("a thread panicked")))
        })?;
        site.daemons.start(Daemon::Mgr)?;
        let admin = self.admin()?;
        for (osd, uuid) in &osds {
            // Numbers are given in this order.
            admin.mon_command(&json!({"prefix": "osd new", "uuid": uuid}))?;
            site.daemons.start(*osd)?;
        }
        seed.remove()?;
        self.wait_active()?;
        if plan.key_type == Some(KeyType::Aes) && site.root.release().major() >= 20 {
            for what in ["CLIENT_KEY_TYPE", "KEYS_ALLOWED", "KEYS_CREATABLE"] {
                let code = format!("AUTH_INSECURE_{what}");
                self.mon_command(&json!({"prefix": "health mute", "code": code, "sticky": true}))?;
            }
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        let Ok(daemons) = self.daemons() else { return String::new() };
        let dead = daemons.into_iter().filter(|(_, state)| *state == crate::State::Dead);
        let words =
            dead.filter_map(|(d, _)| Some(format!("\n{d}: {}", self.site().ok()?.daemons.last_words(d))));
        words.collect()
    }
}

/// What the mons' mkfs takes in: all keys and the mon map.
struct Seed {
    keys: PathBuf,
    monmap: PathBuf,
}

impl Seed {
    fn make(site: &Site, plan: &Plan, fsid: &str, port_base: u16, osds: &[(Daemon, String)]) -> Result<Self> {
        let dir = &site.dir;
        let seed = Self { keys: dir.join("run/all"), monmap: dir.join("run/monmap") };
        let key = |file: &Path, name: &str, caps: &[(&str, &str)]| -> Result<()> {
            let mut command = site.root.command("ceph-authtool");
            command.arg(file).args(["-C", "--gen-key", "-n", name]);
            caps.iter().for_each(|(service, cap)| {
                command.args(["--cap", service, cap]);
            });
            // Daemons with old keys are a HEALTH_ERR on Tentacle.
            let kind =
                plan.key_type.filter(|_| name.starts_with("client.") && site.root.release().major() >= 20);
            if let Some(kind) = kind {
                command.args(["--key-type", if kind == KeyType::Aes { "aes" } else { "aes256k" }]);
            }
            run(&mut command).map(drop)
        };
        let all = "allow *";
        key(&seed.keys, "mon.", &[("mon", all)])?;
        let (mgr, admin) = (dir.join("mgr.x/keyring"), dir.join("keyring"));
        key(&mgr, "mgr.x", &[("mon", "allow profile mgr"), ("osd", all), ("mds", all)])?;
        key(&admin, "client.admin", &[("mon", all), ("osd", all), ("mds", all), ("mgr", all)])?;
        let mut parts =
            vec![fs::read_to_string(&seed.keys)?, fs::read_to_string(mgr)?, fs::read_to_string(admin)?];
        for (osd, _) in osds {
            let keyring = dir.join(osd.to_string()).join("keyring");
            fs::create_dir(dir.join(osd.to_string()))?;
            let profile = "allow profile osd";
            key(&keyring, &osd.to_string(), &[("mon", profile), ("mgr", profile), ("osd", all)])?;
            parts.push(fs::read_to_string(keyring)?);
        }
        fs::write(&seed.keys, parts.concat())?;

        let mut monmap = site.root.command("monmaptool");
        monmap.args(["--create", "--fsid", fsid]);
        for (mon, addr) in plan.mon_addrs(port_base) {
            monmap.args(["--addv", &mon.id(), &addr]);
        }
        if plan.key_type == Some(KeyType::Aes) && site.root.release().major() >= 20 {
            monmap.args(["--auth-service-cipher", "aes256k", "--auth-allowed-ciphers", "aes,aes256k"]);
            monmap.args(["--auth-preferred-cipher", "aes"]);
        }
        run(monmap.arg(&seed.monmap))?;
        Ok(seed)
    }

    fn mon(&self, site: &Site, mon: Daemon) -> Result<()> {
        // mkfs does nothing, and says nothing, in a folder that is not empty.
        fs::create_dir(site.dir.join(mon.to_string()))?;
        let mut command = site.daemons.command(&[], mon);
        command.args(["--mkfs", "--monmap"]).arg(&self.monmap).arg("--keyring").arg(&self.keys);
        make(site, mon, &mut command)
    }

    fn remove(&self) -> Result<()> {
        Ok(fs::remove_file(&self.keys)?)
    }
}

fn make_store(site: &Site, osd: Daemon, uuid: &str) -> Result<()> {
    make(site, osd, site.daemons.command(&[], osd).args(["--mkfs", "--no-mon-config", "--osd-uuid", uuid]))
}

fn make(site: &Site, daemon: Daemon, mkfs: &mut Command) -> Result<()> {
    output_to(mkfs, &site.daemons.out_file(daemon))?;
    let status = mkfs.status().with_context(|| format!("cannot start {daemon} --mkfs"))?;
    if !status.success() {
        bail!("{daemon} --mkfs: {status}: {}", site.daemons.last_words(daemon));
    }
    Ok(())
}

fn uuid() -> Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/uuid")?.trim().to_owned())
}
