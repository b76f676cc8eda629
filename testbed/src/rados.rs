//! A python3-rados client in a process of its own: Ceph's own client, as tests see it.

use std::{
    collections::BTreeMap,
    fmt,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{Object, Root};

/// A client. All calls wait for their answer and may be made from many threads. Dropping it ends the process without
/// unwatching: OSDs hold its watches until they time out.
#[derive(Debug)]
pub struct Rados {
    child: Mutex<Child>,
    input: Mutex<Option<ChildStdin>>,
    answers: Arc<Mutex<Answers>>,
    events: Mutex<Receiver<Event>>,
    next: AtomicU64,
}

/// A refusal by the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RadosError {
    /// Positive errno of Linux.
    pub errno: i32,
    /// What python-rados says.
    pub text: String,
}

/// A watch of this client, for [`Rados::unwatch`] and in [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchId {
    number: u64,
    /// The cookie, as `rados listwatchers` shows it.
    pub cookie: u64,
}

/// What a watch reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A notify came; it is acked by the client itself.
    Notify {
        /// The watch it came to, by [`WatchId::number`].
        watch: u64,
        /// The notify's id.
        notify_id: u64,
        /// Global id of the client that sent it.
        notifier: u64,
        /// Its payload.
        data: Vec<u8>,
    },
    /// The watch does not get notifies any more.
    Lost {
        /// The watch, by [`WatchId::number`].
        watch: u64,
        /// Why: 107 (ENOTCONN) after a disconnection.
        errno: i32,
    },
}

/// One watcher's answer to a notify.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ack {
    /// Global id of the watching client.
    pub client: u64,
    /// Cookie of its watch.
    pub cookie: u64,
    /// What it answered with; empty for one that did not answer.
    pub data: Vec<u8>,
}

/// How a notify ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyReport {
    /// 0, or 110 (ETIMEDOUT) if a watcher did not ack in time.
    pub errno: i32,
    /// Those who acked.
    pub acks: Vec<Ack>,
    /// Those who did not.
    pub timeouts: Vec<Ack>,
    /// Duration of librados' call.
    pub elapsed: Duration,
}

impl WatchId {
    /// The number that events carry.
    pub fn number(self) -> u64 {
        self.number
    }
}

impl Rados {
    /// A new client of a release, on any cluster that this ceph.conf is for.
    ///
    /// # Errors
    /// It can not connect in 60 seconds.
    pub fn of(root: &Root, conf: &Path) -> Result<Self> {
        let mut python = root.command("python3");
        python.env("CEPH_CONF", conf);
        Self::connect(python)
    }

    /// Answer of a mon to a command such as `{"prefix": "osd map", "pool": "p", "object": "o"}`; null if it is empty.
    ///
    /// # Errors
    /// The mon refuses it.
    pub fn mon_command(&self, command: &Value) -> Result<Value> {
        parse(&self.ask("mon_command", json!({"command": command}))?)
    }

    /// Answers to many commands, 32 under way at a time, in their order.
    ///
    /// # Errors
    /// The first refusal.
    pub fn mon_commands(&self, commands: impl IntoIterator<Item = Value>) -> Result<Vec<Value>> {
        let sent = commands.into_iter().map(|c| self.send("mon_command", json!({"command": c})));
        let sent = sent.collect::<Result<Vec<_>>>()?;
        sent.into_iter().map(|answer| parse(&receive(&answer)?)).collect()
    }

    /// Answer of the mgr to a command such as `{"prefix": "pg dump"}`.
    ///
    /// # Errors
    /// The mgr refuses it.
    pub fn mgr_command(&self, command: &Value) -> Result<Value> {
        parse(&self.ask("mgr_command", json!({"command": command}))?)
    }

    /// The global id under which its watches without a locator key run.
    ///
    /// # Errors
    /// The process is gone.
    pub fn instance_id(&self) -> Result<u64> {
        number(&self.ask("instance_id", json!({}))?)
    }

    /// The global id under which its notifies and its watches with a locator key run: see `rados.py`.
    ///
    /// # Errors
    /// The process is gone.
    pub fn notifier_id(&self) -> Result<u64> {
        number(&self.ask("notifier_id", json!({}))?)
    }

    /// Writes a whole object.
    ///
    /// # Errors
    /// The OSD refuses it.
    pub fn write_full(&self, object: &Object, data: &[u8]) -> Result<()> {
        self.ask_of("write_full", object, json!({"data": to_text(data)})).map(drop)
    }

    /// Reads an object, at most 8 MiB of it.
    ///
    /// # Errors
    /// There is none (errno 2).
    pub fn read(&self, object: &Object) -> Result<Vec<u8>> {
        bytes(&self.ask_of("read", object, json!({"length": 8 << 20}))?)
    }

    /// An object's size in bytes.
    ///
    /// # Errors
    /// There is none (errno 2).
    pub fn stat(&self, object: &Object) -> Result<u64> {
        number(&self.ask_of("stat", object, json!({}))?)
    }

    /// Removes an object.
    ///
    /// # Errors
    /// There is none (errno 2).
    pub fn remove(&self, object: &Object) -> Result<()> {
        self.ask_of("remove", object, json!({})).map(drop)
    }

    /// Watches an object and acks each notify with `reply`.
    ///
    /// # Errors
    /// There is no such object (errno 2).
    pub fn watch(&self, object: &Object, reply: &[u8]) -> Result<WatchId> {
        self.watch_slowly(object, reply, Duration::ZERO, 0)
    }

    /// As [`Rados::watch`], acking `delay` after the notify came; 0 as `timeout_s` is the OSD's own (30 seconds).
    ///
    /// librados gives this client's notifies one after the other: the delay holds all of them up.
    ///
    /// # Errors
    /// There is no such object (errno 2).
    pub fn watch_slowly(
        &self,
        object: &Object,
        reply: &[u8],
        delay: Duration,
        timeout_s: u32,
    ) -> Result<WatchId> {
        let delay = u64::try_from(delay.as_millis())?;
        let more = json!({"reply": to_text(reply), "delay_ms": delay, "timeout": timeout_s});
        let watch = self.ask_of("watch", object, more)?;
        Ok(WatchId { number: number(&watch["watch"])?, cookie: number(&watch["cookie"])? })
    }

    /// Ends a watch.
    ///
    /// # Errors
    /// It is not of this client.
    pub fn unwatch(&self, watch: WatchId) -> Result<()> {
        self.ask("unwatch", json!({"watch": watch.number})).map(drop)
    }

    /// Notifies an object's watchers and waits for their acks.
    ///
    /// # Errors
    /// There is no such object (errno 2). A watcher that does not ack is no error: see [`NotifyReport`].
    pub fn notify(&self, object: &Object, data: &[u8], timeout: Duration) -> Result<NotifyReport> {
        let timeout = u64::try_from(timeout.as_millis())?;
        let report = self.ask_of("notify", object, json!({"data": to_text(data), "timeout_ms": timeout}))?;
        let list = |name: &str| -> Result<Vec<Ack>> {
            let list = report[name].as_array().context("no list")?.iter();
            let mut list = list.map(|a| {
                let data = a.get("data").map_or(Ok(Vec::new()), bytes)?;
                Ok(Ack { client: number(&a["client"])?, cookie: number(&a["cookie"])?, data })
            });
            list.by_ref().collect()
        };
        Ok(NotifyReport {
            errno: i32::try_from(number(&report["errno"])?)?,
            acks: list("acks")?,
            timeouts: list("timeouts")?,
            elapsed: Duration::from_micros(number(&report["micros"])?),
        })
    }

    /// The next event of any watch; none if there is none for so long.
    ///
    /// # Errors
    /// The process is gone.
    pub fn event(&self, patience: Duration) -> Result<Option<Event>> {
        match lock(&self.events).recv_timeout(patience) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("{GONE}"),
        }
    }

    /// The process, to pause it.
    pub fn pid(&self) -> u32 {
        lock(&self.child).id()
    }

    /// Whether the process has ended, by itself too: librados 16 may crash when it unwatches while blocklisted.
    pub fn is_gone(&self) -> bool {
        !matches!(lock(&self.child).try_wait(), Ok(None))
    }

    /// Ends the process; calls under way fail.
    pub fn kill(&self) {
        lock(&self.input).take();
        let mut child = lock(&self.child);
        let _ = child.kill();
        let _ = child.wait();
    }

    pub(crate) fn connect(mut python: Command) -> Result<Self> {
        python.args(["-c", include_str!("rados.py")]).stdin(Stdio::piped()).stdout(Stdio::piped());
        // A terminal's ^C is for the test, which may still want to unwatch.
        let mut child = python.process_group(0).spawn().context("cannot start python3")?;
        let input = child.stdin.take().context("no pipe")?;
        let mut output = BufReader::new(child.stdout.take().context("no pipe")?);
        let mut ready = String::new();
        output.read_line(&mut ready)?;
        if ready.is_empty() {
            bail!("python3-rados can not connect: {}", child.wait()?);
        }
        let answers = Arc::new(Mutex::new(Answers::default()));
        let (event, events) = mpsc::channel();
        let inbox = answers.clone();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                dispatch(&line, &inbox, &event);
            }
            lock(&inbox).close();
        });
        Ok(Self {
            child: Mutex::new(child),
            input: Mutex::new(Some(input)),
            answers,
            events: Mutex::new(events),
            next: AtomicU64::new(1),
        })
    }

    fn ask_of(&self, verb: &str, object: &Object, mut request: Value) -> Result<Value> {
        request["pool"] = object.pool.clone().into();
        request["namespace"] = object.namespace.clone().into();
        request["key"] = object.key.clone().into();
        request["object"] = object.name.clone().into();
        self.ask(verb, request).with_context(|| format!("{verb} of {}/{}", object.pool, object.name))
    }

    fn ask(&self, verb: &str, request: Value) -> Result<Value> {
        receive(&self.send(verb, request)?)
    }

    fn send(&self, verb: &str, mut request: Value) -> Result<Receiver<Answer>> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        request["id"] = id.into();
        request["verb"] = verb.into();
        let (sender, answer) = mpsc::channel();
        lock(&self.answers).expect(id, sender)?;
        let mut input = lock(&self.input);
        writeln!(input.as_mut().context(GONE)?, "{request}").context(GONE)?;
        Ok(answer)
    }
}

impl Drop for Rados {
    fn drop(&mut self) {
        self.kill();
    }
}

impl fmt::Display for RadosError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (errno {})", self.text, self.errno)
    }
}

impl std::error::Error for RadosError {}

const GONE: &str = "the python3-rados process is gone";

type Answer = Result<Value, RadosError>;

/// Who waits for which answer; none when no more can come.
#[derive(Debug)]
struct Answers(Option<BTreeMap<u64, Sender<Answer>>>);

impl Default for Answers {
    fn default() -> Self {
        Self(Some(BTreeMap::new()))
    }
}

impl Answers {
    fn expect(&mut self, id: u64, sender: Sender<Answer>) -> Result<()> {
        self.0.as_mut().context(GONE)?.insert(id, sender);
        Ok(())
    }

    fn close(&mut self) {
        self.0 = None;
    }
}

fn dispatch(line: &str, answers: &Mutex<Answers>, events: &Sender<Event>) {
    let Ok(mut message) = serde_json::from_str::<Value>(line) else {
        eprintln!("python3-rados: {line}");
        return;
    };
    let field = |name: &str| message[name].as_u64().unwrap_or_default();
    let errno = i32::try_from(field("errno")).unwrap_or_default();
    let event = match message["event"].as_str() {
        Some("notify") => Event::Notify {
            watch: field("watch"),
            notify_id: field("notify_id"),
            notifier: field("notifier"),
            data: bytes(&message["data"]).unwrap_or_default(),
        },
        Some(_) => Event::Lost { watch: field("watch"), errno },
        None => {
            let waiting = lock(answers).0.as_mut().and_then(|a| a.remove(&field("id")));
            let answer = match message["error"].as_str() {
                Some(text) => Err(RadosError { errno, text: text.to_owned() }),
                None => Ok(message["ok"].take()),
            };
            // No one waits: its caller gave up.
            waiting.map(|w| w.send(answer));
            return;
        }
    };
    let _ = events.send(event);
}

fn receive(answer: &Receiver<Answer>) -> Result<Value> {
    Ok(answer.recv().context(GONE)??)
}

fn parse(answer: &Value) -> Result<Value> {
    let text = answer.as_str().context("no text")?;
    if text.trim().is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(text)?) }
}

fn number(value: &Value) -> Result<u64> {
    value.as_u64().with_context(|| format!("not a number: {value}"))
}

/// Bytes travel as code points 0 to 255.
fn to_text(data: &[u8]) -> String {
    data.iter().copied().map(char::from).collect()
}

fn bytes(value: &Value) -> Result<Vec<u8>> {
    let text = value.as_str().with_context(|| format!("not bytes: {value}"))?;
    text.chars().map(|c| Ok(u8::try_from(c)?)).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
