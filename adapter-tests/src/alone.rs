//! Connecting to what is not there; needs no cluster.

use crate::Adapter;
use crate::support::soon;
use anyhow::Result;
use linger_client::config::Settings;
use linger_client::{ClusterEvent, ConnectOptions};
use std::time::Instant;

pub async fn monitors_that_are_not_there_are_named_when_the_time_is_over<A: Adapter>(on: A) -> Result<()> {
    let settings = Settings::builder()
        .key("AQAIHOBmAAAAABAAAAECAwQFBgcICQoLDA0ODw==")
        .mon_host("v2:127.0.0.1:1")
        .option("client_mount_timeout", "1");
    let start = Instant::now();
    let error = soon(on.connect(settings.build()?)).await?.unwrap_err();
    assert!((1..10).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    assert_eq!(
        error.to_string(),
        "cannot connect to the cluster within 1s: monitor 127.0.0.1:1: can not be reached: \
         Connection refused (os error 111)"
    );
    assert_eq!(error.errno(), Some(111));
    Ok(())
}

pub async fn a_name_without_an_address_is_named<A: Adapter>(on: A) -> Result<()> {
    let settings = Settings::builder()
        .key("AQAIHOBmAAAAABAAAAECAwQFBgcICQoLDA0ODw==")
        .mon_host("v2:mon.invalid:3300")
        .option("client_mount_timeout", "1");
    let error = soon(on.connect(settings.build()?)).await?.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("cannot connect to the cluster within 1s: cannot resolve mon.invalid: "),
        "{text}"
    );
    Ok(())
}

pub async fn dropping_the_future_gives_connecting_up<A: Adapter>(on: A) -> Result<()> {
    // Nobody listens there, but connecting would go on for ever.
    let settings =
        Settings::builder().key("AQAIHOBmAAAAABAAAAECAwQFBgcICQoLDA0ODw==").mon_host("v2:127.0.0.1:1");
    let mut options = ConnectOptions::try_from(settings.build()?)?;
    options.connect_within = None;
    let connecting = on.start(options)?;
    let mut events = connecting.events();
    assert!(matches!(soon(events.next()).await?, Some(ClusterEvent::MonFault { .. })));
    drop(connecting);
    while let Some(event) = soon(events.next()).await? {
        assert!(matches!(event, ClusterEvent::MonFault { .. }), "{event}");
    }
    Ok(())
}
