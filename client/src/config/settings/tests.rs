use super::*;
use crate::config::KeyMissing;
use std::fs;
use std::path::Path;

const KEY: &str = "AQAIHOBmAAAAABAAAAECAwQFBgcICQoLDA0ODw==";
const OTHER_KEY: &str = "AQAIHOBmAAAAABAADw4NDAsKCQgHBgUEAwIBAA==";

/// A folder with a configuration file, and an environment that knows it as `$home`.
struct Home {
    dir: tempfile::TempDir,
    env: Environment,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".ceph")).unwrap();
        let home = dir.path().to_str().unwrap().to_owned();
        let env = Environment {
            home: Some(home),
            host: Some("node".into()),
            pid: Some(77),
            ..Environment::default()
        };
        Self { dir, env }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.text(name)
    }

    fn builder(&self) -> Builder {
        Settings::builder().environment(self.env.clone())
    }
}

#[cfg(unix)]
fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn shown(mon_host: Option<&MonHost>) -> String {
    mon_host.map(ToString::to_string).unwrap_or_default()
}

#[test]
fn defaults_without_anything() {
    let settings = Settings::builder().option("auth client required", "none").build().unwrap();
    assert_eq!(settings.name.to_string(), "client.admin");
    assert_eq!(settings.cluster, "ceph");
    assert_eq!(settings.mon_host, None);
    assert_eq!(settings.mon_dns_srv_name, "ceph-mon");
    assert_eq!((settings.fsid, settings.key.is_none()), (None, true));
    assert_eq!(settings.ms_client_mode, [ConMode::Crc, ConMode::Secure]);
    assert_eq!(settings.ms_mon_client_mode, [ConMode::Secure, ConMode::Crc]);
    assert_eq!(settings.client_mount_timeout, Some(Duration::from_secs(300)));
    assert_eq!((settings.rados_osd_op_timeout, settings.client_mount_timeout_is_set), (None, false));
    assert_eq!(settings.warnings, []);

    let settings = Settings::builder().build().unwrap();
    assert_eq!(settings.auth_client_required, [AuthMethod::Cephx, AuthMethod::None]);
    let missing = KeyMissing::NoKeyring { name: "client.admin".into(), searched: vec![], denied: None };
    assert_eq!(settings.warnings, [Warning::NoKey(missing)]);
}

/// Which value wins was observed with `ceph-conf --show-config-value` of Ceph 16.2.15.
#[test]
fn stronger_sources_win() {
    let mut home = Home::new();
    let conf =
        home.write("b.conf", "[global]\nmon host = 1.1.1.1:3300\n[client.z]\nmon host = 9.9.9.9:3300\n");
    let mon_host = |builder: Builder| shown(builder.key(KEY).build().unwrap().mon_host.as_ref());
    assert_eq!(mon_host(home.builder().conf(&conf)), "v2:1.1.1.1:3300/0");
    assert_eq!(mon_host(home.builder().conf(&conf).id("z")), "v2:9.9.9.9:3300/0");
    home.env.ceph_args = Some("--id z".into());
    assert_eq!(mon_host(home.builder().conf(&conf)), "v2:9.9.9.9:3300/0");
    assert_eq!(mon_host(home.builder().conf(&conf).name("client.y")), "v2:1.1.1.1:3300/0");
    home.env.ceph_args = Some("--mon-host 2.2.2.2:3300".into());
    assert_eq!(mon_host(home.builder().conf(&conf)), "v2:2.2.2.2:3300/0");
    assert_eq!(mon_host(home.builder().conf(&conf).mon_host("3.3.3.3:3300")), "v2:3.3.3.3:3300/0");
    home.env.ceph_args = Some(format!("-c {conf} --name client.z"));
    assert_eq!(mon_host(home.builder()), "v2:9.9.9.9:3300/0");
    home.env.ceph_args = None;
    home.env.ceph_conf = Some(format!("/nonexistent,{conf}"));
    assert_eq!(mon_host(home.builder()), "v2:1.1.1.1:3300/0");
}

#[test]
fn conf_files_are_searched() {
    let mut home = Home::new();
    let none = || home.builder().cluster("linger-test").key(KEY).build().unwrap();
    assert!(matches!(&none().warnings[..], [Warning::NoConf { searched }] if searched.len() == 3));
    home.write(".ceph/linger-test.conf", "[client]\nfsid = 00112233-4455-6677-8899-aabbccddeeff\n");
    let found = none();
    assert_eq!(found.conf_file, Some(home.path(".ceph/linger-test.conf")));
    assert_eq!(found.fsid.unwrap().to_string(), "00112233-4455-6677-8899-aabbccddeeff");
    assert_eq!(found.cluster, "linger-test");

    // Without an environment no place is usual, but a named file is read.
    assert!(Settings::builder().cluster("linger-test").key(KEY).build().unwrap().conf_file.is_none());
    let named = Settings::builder().conf(home.text(".ceph/linger-test.conf")).key(KEY).build().unwrap();
    assert_eq!((named.fsid, named.cluster.as_str()), (found.fsid, "linger-test"));

    // One that is named must be there; CEPH_CONF is a place to look only.
    let error = home.builder().conf("/nonexistent, /none").build().unwrap_err();
    assert!(matches!(&error, ConfigError::ConfNotFound { searched, .. } if searched.len() == 2), "{error}");
    home.env.ceph_conf = Some("/nonexistent".into());
    let settings = home.builder().key(KEY).build().unwrap();
    assert_eq!(settings.warnings, [Warning::NoConf { searched: vec!["/nonexistent".into()] }]);
    assert_eq!(settings.cluster, "ceph");
}

#[test]
fn keyrings_are_searched_and_expanded() {
    let home = Home::new();
    let conf =
        home.write("east.conf", "[client]\nkeyring = /nonexistent,$home/$cluster.$name.$host.$pid.keyring\n");
    home.write(
        "east.client.a.node.77.keyring",
        &format!("[client.a]\n\tkey = {KEY}\n\tcaps mon = \"allow *\"\n[client.b]\nkey = {OTHER_KEY}"),
    );
    let settings = home.builder().conf(&conf).id("a").build().unwrap();
    assert_eq!(settings.key, Some(KEY.parse().unwrap()));
    assert_eq!(settings.keyring_path, Some(home.path("east.client.a.node.77.keyring")));

    let keyring = home.text("east.client.a.node.77.keyring");
    let settings = Settings::builder().id("b").keyring(&keyring).build().unwrap();
    assert_eq!(settings.key, Some(OTHER_KEY.parse().unwrap()));

    let error = Settings::builder().id("c").keyring(&keyring).build().unwrap_err();
    let others = vec!["client.a".to_owned(), "client.b".into()];
    assert!(
        matches!(&error, ConfigError::NoKey(KeyMissing::NoEntry { others: o, .. }) if *o == others),
        "{error}"
    );
    // A keyring that a file names, with a cluster that may ask for no key, is no reason to stop.
    let settings = home.builder().conf(&conf).id("zz").build().unwrap();
    assert!(
        matches!(&settings.warnings[..], [Warning::NoKey(KeyMissing::NoKeyring { searched, .. })] if searched.len() == 2)
    );
    let error =
        home.builder().conf(&conf).id("zz").option("auth_client_required", "cephx").build().unwrap_err();
    assert!(matches!(error, ConfigError::NoKey(KeyMissing::NoKeyring { .. })), "{error}");
}

#[test]
fn environment_names_a_keyring() {
    let mut home = Home::new();
    let one = home.write("one", &format!("[client.admin]\nkey = {KEY}\n"));
    let two = home.write("two", &format!("[client.admin]\nkey = {OTHER_KEY}\n"));
    let conf = home.write("c.conf", &format!("[global]\nkeyring = {one}\n"));
    let key = |home: &Home| home.builder().conf(&conf).build().unwrap().keyring_path.unwrap();
    assert_eq!(key(&home), home.path("one"));
    home.env.ceph_keyring = Some(two.clone());
    assert_eq!(key(&home), home.path("two"));
    home.env.ceph_args = Some(format!("-k {one}"));
    assert_eq!(key(&home), home.path("one"));
    assert_eq!(
        home.builder().conf(&conf).keyring(&two).build().unwrap().keyring_path,
        Some(home.path("two"))
    );
}

#[test]
fn key_beats_keyfile_beats_keyring() {
    let home = Home::new();
    let keyring = home.write("keyring", &format!("[client.admin]\nkey = {KEY}\n"));
    let keyfile = home.write("keyfile", &format!("{OTHER_KEY}\n"));
    let both = Settings::builder().keyring(&keyring).option("keyfile", &keyfile);
    let settings = both.clone().build().unwrap();
    assert_eq!((settings.key, settings.keyring_path), (Some(OTHER_KEY.parse().unwrap()), None));
    assert_eq!(both.key(KEY).build().unwrap().key, Some(KEY.parse().unwrap()));
    let error = Settings::builder().option("keyfile", home.text("nope")).build().unwrap_err();
    assert!(matches!(error, ConfigError::Read { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn a_key_that_all_can_read_is_a_warning() {
    let home = Home::new();
    let keyring = home.write("keyring", &format!("[client.admin]\nkey = {KEY}\n"));
    chmod(&home.path("keyring"), 0o600);
    assert_eq!(Settings::builder().keyring(&keyring).build().unwrap().warnings, []);
    chmod(&home.path("keyring"), 0o604);
    let warnings = Settings::builder().keyring(&keyring).build().unwrap().warnings;
    assert_eq!(warnings, [Warning::ReadableByAll { file: home.path("keyring") }]);
}

#[test]
fn lists_of_methods_and_modes() {
    let base = || Settings::builder().key(KEY);
    let settings = base()
        .option("ms-client-mode", "secure")
        .option("auth_client_required", "gss;cephx")
        .build()
        .unwrap();
    assert_eq!(settings.ms_client_mode, [ConMode::Secure]);
    assert_eq!(settings.auth_client_required, [AuthMethod::Cephx]);
    assert_eq!(settings.warnings, [Warning::Unknown { option: "auth_client_required", item: "gss".into() }]);
    let settings = base().option("auth_supported", "none").option("ms_client_mode", "").build().unwrap();
    assert_eq!((settings.auth_client_required, settings.key), (vec![AuthMethod::None], None));
    assert_eq!(settings.ms_client_mode, [ConMode::Crc, ConMode::Secure]);
    assert!(base().option("ms_mon_client_mode", "plain").build().is_err());
}

/// The first rows are what `ceph-conf --client_mount_timeout=.. --show-config-value` of Ceph 16.2.15 prints.
#[test]
fn durations() {
    for (text, seconds) in [
        ("5", 5.0),
        ("5s", 5.0),
        ("1m", 60.0),
        ("1h 5m", 3900.0),
        ("1h5m", 3900.0),
        ("5 min", 300.0),
        ("1hr", 3600.0),
        ("2 days", 172_800.0),
        ("3wk", 1_814_400.0),
        ("1mo", 2_592_000.0),
        ("1year", 31_536_000.0),
        ("", 0.0),
        // Before Octopus.
        ("1.5", 1.5),
    ] {
        assert_eq!(parse_duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
    }
    for text in [
        "-1",
        "abc",
        "10ms",
        "5 5",
        "5M",
        "1 Hour",
        "1h 5",
        ".",
        "1..2",
        "9e9",
        "99999999999999999999999999y",
    ] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
    let timeouts =
        Settings::builder().key(KEY).option("rados_osd_op_timeout", "30").option("client mount timeout", "0");
    let settings = timeouts.build().unwrap();
    assert_eq!(
        (settings.rados_osd_op_timeout, settings.client_mount_timeout),
        (Some(Duration::from_secs(30)), None)
    );
}

#[test]
fn an_option_without_effect_is_told() {
    let warnings = |value: &str| {
        let builder = Settings::builder().key(KEY).option("rados_mon_op_timeout", value);
        builder.build().map(|settings| settings.warnings)
    };
    assert_eq!(warnings("0").unwrap(), []);
    assert_eq!(warnings("30").unwrap(), [Warning::NoEffect { option: "rados_mon_op_timeout" }]);
    assert!(warnings("soon").is_err());
}

#[test]
fn cluster_ids() {
    let fsid =
        |text: &str| Settings::builder().key(KEY).option("fsid", text).build().map(|settings| settings.fsid);
    assert_eq!(fsid("00000000-0000-0000-0000-000000000000").unwrap(), None);
    assert_eq!(fsid("").unwrap(), None);
    for text in ["0011", "00112233445566778899aabbccddeeff", "+0112233-4455-6677-8899-aabbccddeeff"] {
        assert!(fsid(text).is_err(), "{text}");
    }
}

#[test]
fn errors_say_what_why_and_what_to_try_in_one_line() {
    let home = Home::new();
    let conf =
        home.write("x.conf", "[global]\nfsid = 7\n[client]\nmon host = a:b\nclient mount timeout = soon\n");
    let bad = home.write("y.conf", "[global]\nk\n");
    let base = || Settings::builder().conf(&conf).key(KEY);
    let fix = || base().mon_host("a").option("fsid", "");
    for (builder, parts) in [
        (Settings::builder().conf("/nope.conf"), &["/nope.conf", "-c/--conf"][..]),
        (Settings::builder().conf(&bad), &[&bad, " line 2", "'option = value'"]),
        (base(), &["mon_host", "'a:b'", "port", &conf, " line 4"]),
        (base().mon_host("a"), &["fsid", "'7'", "UUID", &conf, " line 2"]),
        (fix(), &["client_mount_timeout", "'soon'", &conf, " line 5"]),
        (fix().option("client_mount_timeout", "1").name("bob"), &["name", "'bob'", "TYPE.ID", "arguments"]),
        (Settings::builder().key("no key!"), &["key", "arguments"]),
        (Settings::builder().keyring("/nope"), &["client.admin", "/nope", "-k/--keyring"]),
    ] {
        let text = builder.build().unwrap_err().to_string();
        assert!(!text.contains('\n') && text.ends_with(')'), "{text}");
        for part in parts {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("no key!"), "{text}");
    }
}

#[test]
fn debug_hides_keys() {
    let builder = Settings::builder().key(KEY).option("log_file", "x");
    let shown = format!("{builder:?} {:?}", builder.clone().build().unwrap());
    assert!(!shown.contains(KEY) && shown.contains("log_file"), "{shown}");
}

#[test]
fn whether_messages_are_signed_is_a_word_or_a_number() {
    let base = || Settings::builder().key(KEY);
    let read = |value: &str| base().option("cephx_sign_messages", value).build();
    assert!(base().build().unwrap().cephx_sign_messages);
    for (value, expected) in [("true", true), ("False", false), ("0", false), ("2", true)] {
        assert_eq!(read(value).unwrap().cephx_sign_messages, expected, "{value}");
    }
    let error = read("maybe").unwrap_err().to_string();
    assert!(error.contains("'maybe' is neither true nor false"), "{error}");
}
