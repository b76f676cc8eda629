//! `ceph`, with the commands that need no mgr.

use super::bench::Bench;
use anyhow::{Context, Result, bail, ensure};
use linger_testbed::{Release, need_ceph};
use linger_tokio::ObjectRef;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// A `ceph` that takes its commands from a pipe, as starting one takes longer than all that it does.
struct Shell {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What `fsid` prints: after each command it says that all of its output came.
    fsid: String,
}

impl Shell {
    fn start(bench: &Bench) -> Result<Self> {
        // Its output is not to wait in a buffer, and errors belong where they happen.
        let mut ceph = bench.command("sh");
        ceph.args(["-c", "exec ceph 2>&1"]).env("CEPH_CONF", &bench.conf).env("PYTHONUNBUFFERED", "1");
        let mut child = ceph.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().context("an input")?;
        let output = BufReader::new(child.stdout.take().context("an output")?);
        let fsid = bench.cluster.with(|servers, _| servers.fsid().to_string());
        Ok(Self { child, input, output, fsid })
    }

    /// What a command prints, to stdout and stderr.
    fn ask(&mut self, words: &str) -> Result<String> {
        writeln!(self.input, "{words}\nfsid")?;
        let mut text = String::new();
        loop {
            let mut line = String::new();
            ensure!(self.output.read_line(&mut line)? > 0, "ceph left at {words}: {text}");
            if line.trim() == self.fsid {
                return Ok(text);
            }
            text += &line;
        }
    }

    /// Holds what a command prints to what is expected in it.
    fn expect(&mut self, words: &str, expected: &str) -> Result<()> {
        let text = self.ask(words)?;
        ensure!(text.contains(expected), "{expected:?} is not in what {words:?} gives: {text}");
        Ok(())
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// What one command gives in JSON.
fn json(bench: &Bench, words: &str) -> Result<Value> {
    let args: Vec<&str> = ["-f", "json"].into_iter().chain(words.split(' ')).collect();
    let output = bench.tool("ceph", &args)?;
    ensure!(output.status.success(), "ceph {words}: {output:?}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn tour(bench: &Bench) -> Result<()> {
    let mut ceph = Shell::start(bench)?;
    reading(bench, &mut ceph)?;
    pools(bench, &mut ceph)?;
    osds(bench, &mut ceph)?;
    blocklist(bench, &mut ceph)?;
    refusals(bench, &mut ceph)
}

fn reading(bench: &Bench, ceph: &mut Shell) -> Result<()> {
    let (fsid, mon) = (ceph.fsid.clone(), bench.cluster.mon().to_string());
    ceph.expect("mon dump", &format!("fsid {fsid}\n"))?;
    ceph.expect("mon dump", &format!("0: [v2:{mon}/0] mon.a"))?;
    ceph.expect("mon stat", "1 mons")?;
    ceph.expect("osd dump", &format!("fsid {fsid}\n"))?;
    ceph.expect("osd dump", "pool 1 'rbd' replicated size 3 min_size 2")?;
    ceph.expect("osd ls", "0\n1\n2\n")?;
    ceph.expect("osd stat", "3 osds: 3 up, 3 in")?;
    ceph.expect("osd getmaxosd", "max_osd = 3 in epoch")?;

    let dump = json(bench, "mon dump")?;
    ensure!(dump["mons"][0]["public_addrs"]["addrvec"][0]["addr"] == mon, "{dump}");
    let dump = json(bench, "osd dump")?;
    ensure!(dump["fsid"] == fsid && dump["pools"][1]["pool_name"] == "test", "{dump}");
    ensure!(dump["osds"].as_array().map(Vec::len) == Some(3), "{dump}");

    // Where `ceph` says that an object is, there it is.
    let object = ObjectRef::new("rbd", "greeting");
    let place = bench.cluster.with(move |servers, _| (servers.group(&object), servers.primary(&object)));
    let (Some(group), Some(primary)) = place else { bail!("no place for an object: {place:?}") };
    ceph.expect("osd map rbd greeting", &format!("({group}) -> up ([{primary},"))?;
    ceph.expect("osd map rbd greeting space", "object 'space/greeting' -> pg 1.")?;

    // The map as it travels is one that Ceph's own tool reads.
    let path = bench.dir.path().join("osdmap").display().to_string();
    let output = bench.tool("ceph", &["osd", "getmap", "-o", &path])?;
    ensure!(output.status.success(), "{output:?}");
    let output = bench.tool("osdmaptool", &["--print", &path])?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success() && out.contains(&fsid), "{output:?}");
    Ok(())
}

fn pools(bench: &Bench, ceph: &mut Shell) -> Result<()> {
    ceph.expect("osd pool ls", "rbd\ntest\n")?;
    ceph.expect("osd pool create extra 4", "pool 'extra' created")?;
    ceph.expect("osd pool create extra 4", "pool 'extra' already exists")?;
    ceph.expect("osd lspools", "1 rbd\n2 test\n3 extra\n")?;
    ceph.expect("osd pool ls detail", "pool 3 'extra' replicated size 3")?;
    ceph.expect("osd pool set extra pg_num 8", "set pool 3 pg_num to 8")?;
    ceph.expect("osd pool get extra pg_num", "pg_num: 8")?;
    ceph.expect("osd pool set extra pg_num 0", "Error ERANGE")?;
    bench.run(&["-p", "extra", "create", "greeting"])?;
    ceph.expect("osd pool rm extra", "Error EPERM")?;
    ceph.expect("osd pool rm extra extra --yes-i-really-really-mean-it", "pool 'extra' removed")?;
    ensure!(bench.run(&["-p", "extra", "stat", "greeting"]).is_err(), "a removed pool is gone");
    Ok(())
}

fn osds(bench: &Bench, ceph: &mut Shell) -> Result<()> {
    bench.run(&["-p", "rbd", "create", "greeting"])?;
    let watcher = bench.watch("rbd", "greeting")?;
    let primary = || {
        let object = ObjectRef::new("rbd", "greeting");
        bench.cluster.with(move |servers, _| servers.primary(&object)).context("a primary")
    };
    let first = primary()?;
    ceph.expect(&format!("osd down {first}"), &format!("marked down osd.{first}"))?;
    ceph.expect(&format!("osd out {first}"), &format!("marked out osd.{first}"))?;
    ensure!(primary()? != first, "an OSD that is out has nothing");
    let answer = bench.run(&["-p", "rbd", "notify", "greeting", "hello"])?;
    ensure!(answer.contains("reply client.") && !answer.contains("timeout"), "the watch moved: {answer}");
    ceph.expect(&format!("osd in osd.{first}"), &format!("marked in osd.{first}"))?;
    ceph.expect("osd out 77", "osd.77 does not exist")?;
    ceph.expect("osd set pause", "pauserd,pausewr is set")?;
    ceph.expect("osd dump", "pauserd,pausewr")?;
    ceph.expect("osd unset pause", "pauserd,pausewr is unset")?;
    ceph.expect("osd pg-temp 1.0 1 0", "set 1.0 pg_temp mapping to [1,0]")?;
    ceph.expect("osd dump", "pg_temp 1.0 [1,0]")?;
    ceph.expect("osd pg-temp 1.0", "set 1.0 pg_temp mapping to []")?;
    watcher.leave()
}

fn blocklist(bench: &Bench, ceph: &mut Shell) -> Result<()> {
    bench.run(&["-p", "rbd", "create", "locked"])?;
    let _watcher = bench.watch("rbd", "locked")?;
    let list = bench.run(&["-p", "rbd", "listwatchers", "locked"])?;
    let addr = list.split("watcher=").nth(1).and_then(|rest| rest.split(' ').next()).context("an address")?;
    ceph.expect(&format!("osd blocklist add {addr} 600"), &format!("blocklisting {addr} until 2"))?;
    ceph.expect("osd blocklist ls", "listed 1 entries")?;
    ceph.expect("osd blocklist ls", addr)?;
    let list = bench.run(&["-p", "rbd", "listwatchers", "locked"])?;
    ensure!(list.is_empty(), "a client that is locked out does not watch: {list}");
    ceph.expect(&format!("osd blocklist rm {addr}"), &format!("un-blocklisting {addr}"))?;
    ceph.expect(&format!("osd blocklist rm {addr}"), &format!("{addr} isn't blocklisted"))?;
    ceph.expect("osd blocklist add 127.0.0.9:0/7", "(3600 sec)")?;
    ceph.expect("osd blocklist clear", "removed all blocklist entries")?;
    ceph.expect("osd blocklist ls", "listed 0 entries")
}

fn refusals(bench: &Bench, ceph: &mut Shell) -> Result<()> {
    ceph.expect("status", "Error EINVAL")?;
    ceph.expect("osd map nowhere greeting", "Error ENOENT: pool nowhere does not exist")?;
    // What `ceph` itself would not send.
    let script = "import rados, sys\nc = rados.Rados(conffile=sys.argv[1])\nc.connect()\n\
                  print(c.mon_command(sys.argv[2], b''))";
    for (command, answer) in [
        (r#"{"prefix": "status"}"#, "(-22, b'', 'command not known')"),
        ("nonsense", "(-22, b'', 'unparseable JSON nonsense')"),
    ] {
        let conf = bench.conf.display().to_string();
        let output = bench.tool("python3", &["-c", script, &conf, command])?;
        ensure!(String::from_utf8_lossy(&output.stdout).trim() == answer, "{command}: {output:?}");
    }
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
