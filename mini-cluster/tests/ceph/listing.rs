//! Pools that librados makes and removes, and what is in them.

use super::bench::Bench;
use anyhow::{Result, ensure};
use linger_testbed::{Release, need_ceph};

/// python3-rados on a pool of its own: more objects than one answer holds, in namespaces and by keys.
const SCRIPT: &str = r#"
import json, rados, sys
cluster = rados.Rados(conffile=sys.argv[1])
cluster.connect()
cluster.create_pool("own")
assert cluster.pool_exists("own") and "own" in cluster.list_pools(), cluster.list_pools()
try:
    cluster.create_pool("own")
    sys.exit("a pool twice")
except rados.ObjectExists:
    pass
def split(groups):
    command = {"prefix": "osd pool set", "pool": "own", "var": "pg_num", "val": str(groups)}
    answer = cluster.mon_command(json.dumps(command), b"")
    assert answer[0] == 0, answer
split(1)
pool = cluster.open_ioctx("own")
assert list(pool.list_objects()) == []
names = {f"object {n}" for n in range(int(sys.argv[2]))}
for name in names:
    pool.write_full(name, b"x")
pool.set_namespace("space")
pool.write_full("elsewhere", b"x")
pool.set_locator_key("anchor")
pool.write_full("anchored", b"x")
pool.set_locator_key("")
found = sorted((o.nspace, o.key, o.locator_key) for o in pool.list_objects())
assert found == [("space", "anchored", "anchor"), ("space", "elsewhere", None)], found
pool.remove_object("elsewhere")
pool.set_namespace(rados.LIBRADOS_ALL_NSPACES)
found = [(o.nspace, o.key) for o in pool.list_objects()]
assert len(found) == len(names) + 1 and ("space", "anchored") in found, len(found)
pool.set_namespace("")
# One group has all; then some have twice as many as others.
for groups in 1, 5, 16:
    split(groups)
    found = [o.key for o in pool.list_objects()]
    assert len(found) == len(names) and set(found) == names, (groups, len(found))
pool.close()
cluster.delete_pool("own")
assert not cluster.pool_exists("own")
try:
    cluster.open_ioctx("own")
    sys.exit("a pool that is gone")
except rados.ObjectNotFound:
    pass
print("all is well")
"#;

/// More than one answer may hold.
const OBJECTS: u32 = 1100;

fn tour(bench: &Bench) -> Result<()> {
    let (conf, objects) = (bench.conf.display().to_string(), OBJECTS.to_string());
    let output = bench.tool("python3", &["-c", SCRIPT, &conf, &objects])?;
    ensure!(String::from_utf8_lossy(&output.stdout).trim() == "all is well", "{output:?}");

    for (nspace, name) in [("", "here"), ("space", "there"), ("space", "over there")] {
        bench.run(&["-p", "rbd", "-N", nspace, "create", name])?;
    }
    let list = |args: &[&str]| {
        let text = bench.run(&[&["-p", "rbd"], args, &["ls"]].concat())?;
        let mut lines: Vec<_> = text.lines().map(|line| line.trim().to_owned()).collect();
        lines.sort_unstable();
        anyhow::Ok(lines)
    };
    ensure!(list(&[])? == ["here"], "{:?}", list(&[]));
    ensure!(list(&["-N", "space"])? == ["over there", "there"], "{:?}", list(&["-N", "space"]));
    ensure!(list(&["--all"])? == ["here", "space\tover there", "space\tthere"], "{:?}", list(&["--all"]));
    Ok(())
}

#[test]
fn pacific() -> Result<()> {
    need_ceph!(Ok(()));
    tour(&Bench::newest(Release::Pacific)?)
}

#[test]
fn tentacle() -> Result<()> {
    need_ceph!(Ok(()));
    tour(&Bench::newest(Release::Tentacle)?)
}
