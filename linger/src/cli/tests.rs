use super::*;

fn read(line: &str) -> Result<Cli, clap::Error> {
    Cli::read(line.split_whitespace().map(OsString::from))
}

#[test]
fn clap_finds_nothing_wrong_with_the_definition() {
    Cli::command().debug_assert();
}

#[test]
fn global_options_stand_before_and_after_the_command() {
    let options = "-c a.conf -k ring --id joe -m 10.0.0.1 -N ns --locator key --json --runtime tokio -v";
    for line in [format!("linger {options} ls rbd obj"), format!("linger ls rbd obj {options}")] {
        let Global { conf, keyring, id, name, mon_host, namespace, locator, json, runtime, verbose } =
            read(&line).unwrap().global;
        let texts = [conf, keyring, id, mon_host].map(Option::unwrap);
        assert_eq!(texts, ["a.conf", "ring", "joe", "10.0.0.1"], "{line}");
        assert_eq!([namespace, locator].map(Option::unwrap), ["ns", "key"], "{line}");
        assert!(json && verbose && runtime == Runtime::Tokio && name.is_none(), "{line}");
    }
    assert_eq!(read("linger ls --name osd.1 rbd obj").unwrap().global.name.unwrap(), "osd.1");
}

#[test]
fn watch_has_its_defaults_and_bounds() {
    let Command::Watch(watch) = read("linger watch rbd a b").unwrap().command else { panic!() };
    assert_eq!((watch.objects.len(), watch.timeout, watch.count), (2, 30, None));
    assert!(!watch.create && !watch.no_ack && watch.ack.is_none());
    let Command::Watch(watch) =
        read("linger watch --create --timeout 3 --ack yes --count 2 rbd a").unwrap().command
    else {
        panic!()
    };
    assert!(watch.create && watch.ack.as_deref() == Some("yes".as_ref()));
    assert_eq!((watch.timeout, watch.count), (3, Some(2)));
}

#[test]
fn a_payload_of_a_hyphen_is_stdin() {
    let Command::Notify(notify) = read("linger notify rbd obj -").unwrap().command else { panic!() };
    assert_eq!((notify.payload.as_deref(), notify.timeout), (Some("-".as_ref()), 10));
    let Command::Notify(notify) = read("linger notify rbd obj --timeout 2").unwrap().command else {
        panic!()
    };
    assert_eq!((notify.payload, notify.timeout), (None, 2));
}

#[test]
fn wrong_usage_is_refused() {
    for line in [
        "linger",
        "linger doctor rbd obj",
        "linger watch rbd",
        "linger watch rbd obj --timeout 2",
        "linger watch rbd obj --count 0",
        "linger watch rbd obj --ack a --no-ack",
        "linger notify rbd",
        "linger notify rbd obj --timeout 0",
        "linger notify rbd obj one two",
        "linger map rbd",
        "linger ls rbd",
        "linger osdmap",
        "linger --runtime threads ls rbd obj",
        "linger --id a ls rbd obj -n client.b",
    ] {
        assert_eq!(read(line).unwrap_err().exit_code(), 2, "{line}");
    }
}
