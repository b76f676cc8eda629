//! What a program on a loop of its own has to do, on a real cluster: the cases for what has no handles
//! of `linger-client`.
//!
//! The program is an [`Agent`]: it is started with a pool and a timeout, prints a port, and says and does in lines of
//! text what `examples/src/bin/poll_loop/words.rs` has. [`agent_conformance!`](crate::agent_conformance) makes the tests.

use crate::support::{PATIENCE, POOL, name, object, rados};
use anyhow::{Context, Result, bail, ensure};
use linger_testbed::{Cluster, Daemon, Event, PoolKind, shared};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(20);
/// Of the program's watches, in seconds: short, so that they are soon lost.
const WATCH_TIMEOUT: &str = "5";

/// Makes a test of each case. The program is a path, as from `env!("CARGO_BIN_EXE_..")`.
#[macro_export]
macro_rules! agent_conformance {
    ($program:expr) => {
        $crate::agent_conformance! { $program;
            a_watch_is_registered_where_ceph_sees_it,
            notifies_go_both_ways,
            a_watch_that_is_not_read_sheds_and_holds_up_no_other,
            close_takes_the_watches_back,
            a_thousand_watches_on_two_hundred_objects_get_a_notify_each;
        }

        /// On a cluster of its own, as it stops daemons.
        #[test]
        fn a_watch_is_lost_and_comes_back() -> $crate::Result<()> {
            $crate::testbed::need_ceph!(Ok(()));
            $crate::agent::a_watch_is_lost_and_comes_back($program)
        }
    };
    ($program:expr; $($case:ident),+;) => {
        $(
            #[test]
            fn $case() -> $crate::Result<()> {
                $crate::testbed::need_cluster!(Ok(()));
                $crate::agent::$case($program)
            }
        )+
    };
}

/// A running program, and the connection to it. Dropping it kills it.
pub struct Agent {
    child: Child,
    lines: BufReader<TcpStream>,
}

impl Agent {
    /// Starts it on a cluster and a pool of that.
    ///
    /// # Errors
    /// It does not start or takes no connection.
    pub fn start(program: &str, cluster: &Cluster, pool: &str) -> Result<Self> {
        let mut child = Command::new(program);
        child.args([pool, WATCH_TIMEOUT]).env("CEPH_CONF", cluster.conf()).env_remove("CEPH_ARGS");
        let mut child = child.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut port = String::new();
        BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut port)?;
        let peer = TcpStream::connect(("127.0.0.1", port.trim().parse()?))?;
        peer.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { child, lines: BufReader::new(peer) })
    }

    fn on_shared(program: &str) -> Result<Self> {
        let pool = shared().pool(POOL, PoolKind::Replicated, 8)?;
        Self::start(program, shared(), &pool.name)
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Says a line.
    ///
    /// # Errors
    /// It is gone.
    pub fn say(&mut self, line: &str) -> Result<()> {
        Ok(self.lines.get_mut().write_all(format!("{line}\n").as_bytes())?)
    }

    /// Its next line.
    ///
    /// # Errors
    /// It is gone, or says nothing.
    pub fn hear(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).context("nothing is said")?;
        ensure!(read > 0, "it hung up");
        Ok(line.trim_end().to_owned())
    }

    /// Its next line, which must be this.
    fn expect(&mut self, line: &str) -> Result<()> {
        let heard = self.hear().with_context(|| format!("waiting for {line:?}"))?;
        ensure!(heard == line, "{heard:?} instead of {line:?}");
        Ok(())
    }

    /// Watches a new object.
    fn watch(&mut self, of: &str, more: &str) -> Result<String> {
        let name = name(of);
        rados()?.write_full(&object(&name), b"")?;
        self.say(&format!("watch {name}{more}"))?;
        self.expect(&format!("live {name} 0"))?;
        Ok(name)
    }

    /// Closes it, and waits for its end.
    fn close(mut self) -> Result<()> {
        self.say("close")?;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "{status}");
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("does not end")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn a_watch_is_registered_where_ceph_sees_it(program: &str) -> Result<()> {
    let mut agent = Agent::on_shared(program)?;
    let name = agent.watch("registered", "")?;
    assert_eq!(shared().list_watchers(&object(&name))?.len(), 1);
    agent.say("watch no-such-object")?;
    let lost = agent.hear()?;
    assert!(lost.starts_with("lost no-such-object ") && lost.contains("no such object"), "{lost}");
    Ok(())
}

pub fn notifies_go_both_ways(program: &str) -> Result<()> {
    let mut agent = Agent::on_shared(program)?;
    let (mine, theirs) = (agent.watch("mine", "")?, shared().rados()?);
    let report = theirs.notify(&object(&mine), b"hello", TIMEOUT)?;
    agent.expect(&format!("got {mine} hello"))?;
    let acks: Vec<_> = report.acks.iter().map(|ack| &ack.data[..]).collect();
    assert_eq!(acks, [b"seen"]);

    let other = name("theirs");
    theirs.write_full(&object(&other), b"")?;
    theirs.watch(&object(&other), b"of ceph")?;
    agent.say(&format!("notify {other} hello to you"))?;
    agent.expect(&format!("done {other} 1 0"))?;
    let seen = theirs.event(TIMEOUT)?;
    assert!(matches!(&seen, Some(Event::Notify { data, .. }) if data == b"hello to you"), "{seen:?}");
    Ok(())
}

pub fn a_watch_that_is_not_read_sheds_and_holds_up_no_other(program: &str) -> Result<()> {
    const COUNT: usize = 20;
    const QUEUE: usize = 2;
    let mut agent = Agent::on_shared(program)?;
    let (slow, quick) = (agent.watch("slow", &format!(" {QUEUE}"))?, agent.watch("quick", "")?);
    agent.say(&format!("hold {slow}"))?;
    for n in 0..COUNT {
        agent.say(&format!("notify {slow} {n}"))?;
    }
    // What is shed is acked; what is kept is not, until it is read.
    for _ in QUEUE..COUNT {
        agent.expect(&format!("done {slow} 1 0"))?;
    }
    agent.say(&format!("notify {quick} now"))?;
    let mut heard = [agent.hear()?, agent.hear()?];
    heard.sort();
    assert_eq!(heard, [format!("done {quick} 1 0"), format!("got {quick} now")]);
    agent.say(&format!("take {slow}"))?;
    let mut heard = (0..=2 * QUEUE).map(|_| agent.hear()).collect::<Result<Vec<_>>>()?;
    heard.sort();
    let mut expected: Vec<_> = (0..QUEUE).map(|n| format!("got {slow} {n}")).collect();
    expected.extend((0..QUEUE).map(|_| format!("done {slow} 1 0")));
    expected.push(format!("overflow {slow} {}", COUNT - QUEUE));
    expected.sort();
    assert_eq!(heard, expected, "the oldest are kept, and what is lost is counted");
    Ok(())
}

pub fn close_takes_the_watches_back(program: &str) -> Result<()> {
    let mut agent = Agent::on_shared(program)?;
    let names = [agent.watch("closed", "")?, agent.watch("closed", "")?];
    agent.close()?;
    for name in names {
        assert!(shared().list_watchers(&object(&name))?.is_empty());
    }
    Ok(())
}

pub fn a_thousand_watches_on_two_hundred_objects_get_a_notify_each(program: &str) -> Result<()> {
    const OBJECTS: usize = 200;
    const EACH: usize = 5;
    let (base, theirs) = (name("many"), rados()?);
    let names: Vec<_> = (0..OBJECTS).map(|n| format!("{base}.{n}")).collect();
    let mut agent = Agent::on_shared(program)?;
    for name in &names {
        theirs.write_full(&object(name), b"")?;
    }
    for name in names.iter().flat_map(|name| [name; EACH]) {
        agent.say(&format!("watch {name}"))?;
    }
    let heard = (0..OBJECTS * EACH).map(|_| agent.hear()).collect::<Result<Vec<_>>>()?;
    let strange: Vec<_> = heard.iter().filter(|line| !line.starts_with("live ")).collect();
    ensure!(strange.is_empty(), "{strange:?}");
    assert_eq!(shared().list_watchers(&object(&names[0]))?.len(), EACH);
    for name in &names {
        agent.say(&format!("notify {name} {name}"))?;
    }
    let mut heard = (0..OBJECTS * (EACH + 1)).map(|_| agent.hear()).collect::<Result<Vec<_>>>()?;
    heard.sort();
    let done = |name: &String| vec![format!("done {name} {EACH} 0")];
    let got = |name: &String| vec![format!("got {name} {name}"); EACH];
    let mut expected: Vec<_> = names.iter().flat_map(|name| [done(name), got(name)].concat()).collect();
    expected.sort();
    ensure!(heard == expected, "{heard:?}");
    agent.close()
}

/// The only OSD is frozen for longer than the watch's timeout.
pub fn a_watch_is_lost_and_comes_back(program: &str) -> Result<()> {
    let ceph = Cluster::builder().osds(1).long_read_leases().boot()?;
    let pool = ceph.pool("lost", PoolKind::Replicated, 8)?;
    ceph.rados()?.write_full(&pool.object("object"), b"")?;
    let mut agent = Agent::start(program, &ceph, &pool.name)?;
    agent.say("watch object")?;
    agent.expect("live object 0")?;
    ceph.pause(Daemon::Osd(0))?;
    let lost = agent.hear()?;
    ensure!(lost.starts_with("lost object "), "{lost}");
    ceph.resume(Daemon::Osd(0))?;
    agent.expect("live object 1")?;
    agent.say("notify object back?")?;
    let mut heard = [agent.hear()?, agent.hear()?];
    heard.sort();
    assert_eq!(heard, ["done object 1 0", "got object back?"]);
    agent.close()
}
