//! The tool and its own cluster in memory: no Ceph is needed.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn linger() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linger"));
    for variable in ["CEPH_CONF", "CEPH_ARGS", "CEPH_KEYRING"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    linger().args(args).output().unwrap()
}

/// A running process; killed when the test ends early.
struct Running(Child);

impl Running {
    fn start(args: &[&str]) -> Self {
        Self(linger().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// The first line on stdout, and what gives the others.
    fn first_line(&mut self) -> (String, impl BufRead + use<>) {
        let mut lines = BufReader::new(self.0.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        (line, lines)
    }

    fn end(&mut self) -> Option<i32> {
        let kill = Command::new("kill").arg(self.0.id().to_string()).status().unwrap();
        assert!(kill.success());
        self.0.wait().unwrap().code()
    }
}

/// The first of two ports that are free, below those that the system hands out to everybody: a monitor's and an OSD's.
fn two_free_ports() -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    (32_600..32_766).step_by(2).find(|port| is_free(*port) && is_free(port + 1)).unwrap()
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
fn a_cluster_runs_until_it_is_told_to_end() {
    for (auth, mode) in [("cephx", "any"), ("aes256k", "secure"), ("none", "crc")] {
        let mut mini = Running::start(&["mini", "--osds", "2", "--auth", auth, "--mode", mode]);
        let (conf, _lines) = mini.first_line();
        let conf = conf.trim_end();
        assert!(conf.ends_with("/ceph.conf"), "{conf}");
        let mut watch = Running::start(&[
            "-c", conf, "--json", "watch", "rbd", "greeting", "--create", "--count", "1", "--ack", "seen",
        ]);
        let (live, mut rest) = watch.first_line();
        assert!(live.contains(r#""event":"live""#), "{live}");
        let list = run(&["-c", conf, "ls", "rbd", "greeting"]);
        assert!(list.status.success() && !list.stdout.is_empty(), "{list:?}");
        let notify = run(&["-c", conf, "--json", "notify", "rbd", "greeting", "hello"]);
        assert!(notify.status.success(), "{notify:?}");
        let done: Value = serde_json::from_slice(&notify.stdout).unwrap();
        assert_eq!(done["acks"][0]["payload"], "seen");
        let mut events = String::new();
        rest.read_to_string(&mut events).unwrap();
        assert!(events.contains(r#""payload":"hello""#), "{events}");
        assert!(watch.0.wait().unwrap().success());
        assert_eq!(mini.end(), Some(0));
        assert!(!std::path::Path::new(conf).exists(), "a folder of its own is removed");
    }
}

/// As `read -r conf < <(linger mini)` has it.
#[test]
fn a_cluster_goes_on_when_its_line_was_read() {
    let mut mini = Running::start(&["mini", "--osds", "1"]);
    let (conf, lines) = mini.first_line();
    drop(lines);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(mini.0.try_wait().unwrap(), None, "it ended by itself");
    let doctor = run(&["-c", conf.trim_end(), "--json", "doctor", "rbd"]);
    assert!(doctor.status.success(), "{doctor:?}");
    let steps = String::from_utf8(doctor.stdout).unwrap();
    assert!(steps.contains("notified by itself"), "{steps}");
    assert_eq!(mini.end(), Some(0));
}

#[test]
fn a_port_and_a_folder_can_be_named() {
    let dir = tempfile::tempdir().unwrap();
    let port = two_free_ports().to_string();
    let mut mini = Running::start(&[
        "--json",
        "mini",
        "--osds",
        "1",
        "--port",
        &port,
        "--dir",
        dir.path().to_str().unwrap(),
    ]);
    let (ready, _lines) = mini.first_line();
    let ready: Value = serde_json::from_str(&ready).unwrap();
    assert_eq!(ready["mon"], format!("127.0.0.1:{port}"));
    assert_eq!(ready["conf"], dir.path().canonicalize().unwrap().join("ceph.conf").to_str().unwrap());
    let taken = run(&["mini", "--port", &port]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&taken.stderr).starts_with("linger: cannot start the cluster: "));
    let conf = ready["conf"].as_str().unwrap();
    let mut watch = Running::start(&["-c", conf, "watch", "rbd", "greeting", "--create"]);
    let (live, _rest) = watch.first_line();
    assert!(live.contains("live"), "{live}");
    assert_eq!(watch.end(), Some(0));
    assert_eq!(mini.end(), Some(0));
    assert!(dir.path().join("keyring").exists(), "a folder of the user's stays");

    // The object is there the next time.
    let mut mini = Running::start(&["mini", "--osds", "1", "--dir", dir.path().to_str().unwrap()]);
    let (_conf, _lines) = mini.first_line();
    let mut watch = Running::start(&["-c", conf, "watch", "rbd", "greeting"]);
    let (live, _rest) = watch.first_line();
    assert!(live.contains("live"), "{live}");
    assert_eq!(watch.end(), Some(0));
    let other = run(&["mini", "--osds", "2", "--dir", dir.path().to_str().unwrap()]);
    assert_eq!(other.status.code(), Some(1));
    assert_eq!(mini.end(), Some(0));
    std::fs::write(dir.path().join("cluster"), "nonsense").unwrap();
    let damaged = run(&["mini", "--osds", "1", "--dir", dir.path().to_str().unwrap()]);
    let text = String::from_utf8_lossy(&damaged.stderr).into_owned();
    assert!(text.starts_with("linger: cannot start the cluster: ") && text.contains("is damaged"), "{text}");
}

#[test]
fn the_demo_shows_a_loss_and_the_return() {
    let start = Instant::now();
    let output = run(&["demo"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for words in
        ["hears \"good morning\"", "DIES", "nothing was missed", "LOST", "reads anew", "\"welcome back\""]
    {
        assert!(text.contains(words), "{words} is not in:\n{text}");
    }
    assert!(!text.contains('\x1b'), "no colours but on terminals");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// On a terminal there is a picture, drawn again and again.
#[cfg(target_os = "linux")]
#[test]
fn the_demo_is_a_picture_on_a_terminal() {
    let command = format!("stty cols 100 rows 30; {} demo", env!("CARGO_BIN_EXE_linger"));
    let script = Command::new("script").args(["-qec", &command, "/dev/null"]).stdin(Stdio::null()).output();
    // script(1) makes the terminal; where it is not there the rendering's own tests have to do.
    let Ok(output) = script else {
        return linger_testbed::skip("the_demo_is_a_picture_on_a_terminal", &"there is no script(1)");
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.matches("\x1b[18F").count() > 20, "it is drawn over itself:\n{text}");
    for words in ["DEAD, has it]", "LOST, deaf for", "welcome back"] {
        assert!(text.contains(words), "{words} is not in:\n{text}");
    }
}
