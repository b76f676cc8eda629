//! From options to a cluster.

use crate::cli::Global;
use crate::explain::{self, explain};
use crate::failure::{Failure, one_line, tell};
use crate::runtime::Runtime;
use futures_lite::future::{or, pending};
use linger_client::config::{Environment, Settings};
use linger_client::{Cluster, ConnectOptions, Events, Name, Pool, PoolRef};
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::time::Duration;

/// How long to look for monitors that nobody named.
const WITHOUT_MON_HOST: Duration = Duration::from_secs(10);
/// How long to wait for monitors, unless the configuration has a time of its own (`client_mount_timeout`): Ceph's
/// default of 300 s is made for daemons that start with their cluster.
const FOR_MONITORS: Duration = Duration::from_secs(30);
/// After how long a person wonders what is going on.
const IMPATIENT: Duration = Duration::from_secs(5);

/// Reads the configuration as the options say.
///
/// # Errors
/// What is wrong with it.
pub fn settings(global: &Global) -> Result<Settings, Failure> {
    let mut builder = Settings::builder().environment(Environment::from_process());
    if let Some(files) = &global.conf {
        builder = builder.conf(files);
    }
    if let Some(files) = &global.keyring {
        builder = builder.keyring(files);
    }
    if let Some(id) = &global.id {
        builder = builder.id(id);
    }
    if let Some(name) = &global.name {
        builder = builder.name(name);
    }
    if let Some(addrs) = &global.mon_host {
        builder = builder.mon_host(addrs);
    }
    let settings = builder.build().map_err(|error| Failure::settings(&error))?;
    if global.verbose {
        for warning in &settings.warnings {
            tell(&one_line(&warning.to_string()));
        }
    }
    Ok(settings)
}

/// Connects, and tells what happens on the way if that was asked for.
///
/// # Errors
/// The cluster does not let the client in.
pub async fn connect(global: &Global) -> Result<Cluster, Failure> {
    let settings = settings(global)?;
    let options = options(&settings)?;
    let runtime = global.runtime;
    let connecting = runtime.connect(options).map_err(|error| explain(&error))?;
    let events = connecting.events();
    let connected = if global.verbose {
        runtime.spawn(log(events));
        connecting.await
    } else {
        or(connecting, reassure(events, runtime)).await
    };
    let cluster = connected.map_err(|error| explain::connecting(&error, &settings))?;
    if global.verbose {
        tell(&format!("connected to cluster {} as client.{}", cluster.fsid(), cluster.global_id()));
    }
    Ok(cluster)
}

/// What connecting takes, with a person's patience.
///
/// # Errors
/// The settings are not enough.
pub fn options(settings: &Settings) -> Result<ConnectOptions, Failure> {
    let mut options = ConnectOptions::try_from(settings).map_err(|error| explain(&error))?;
    if !settings.client_mount_timeout_is_set {
        options = options.connect_within(FOR_MONITORS);
    }
    if settings.mon_host.is_none() {
        // More likely a forgotten option than a cluster that is down.
        let within = WITHOUT_MON_HOST.min(options.connect_within.unwrap_or(Duration::MAX));
        options = options.connect_within(within);
    }
    Ok(options)
}

/// Tells all events.
async fn log(mut events: Events) {
    while let Some(event) = events.next().await {
        tell(&one_line(&event.to_string()));
    }
}

/// Tells a person who waits for a connection why it takes so long.
async fn reassure<T>(mut events: Events, runtime: Runtime) -> T {
    if io::stderr().is_terminal() {
        runtime.sleep(IMPATIENT).await;
        while let Some(event) = events.next().await {
            if !event.is_fault() {
                continue;
            }
            tell(&one_line(&event.to_string()));
            tell("still trying to reach the cluster; -v tells more");
            break;
        }
    }
    pending().await
}

/// A pool in the namespace, and with the locator key, that the options say.
pub fn pool(cluster: &Cluster, global: &Global, pool: &OsStr) -> Pool {
    pool_of(cluster, global, name(pool))
}

/// The same, by the pool's exact name.
pub fn pool_of(cluster: &Cluster, global: &Global, pool: Name) -> Pool {
    let part = |text: &Option<OsString>| text.as_deref().map(name).unwrap_or_default();
    cluster.pool(PoolRef::Name(pool)).namespace(part(&global.namespace)).key(part(&global.locator))
}

/// A name exactly as it was typed.
pub fn name(text: &OsStr) -> Name {
    text.as_encoded_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_was_configured_counts() {
        let within = |set: Option<&str>| {
            let mut builder = Settings::builder().key("AQAIHOBmAAAAABAAAAECAwQFBgcICQoLDA0ODw==");
            builder = builder.mon_host("v2:10.0.0.1:3300");
            if let Some(value) = set {
                builder = builder.option("client_mount_timeout", value);
            }
            options(&builder.build().unwrap()).unwrap().connect_within
        };
        assert_eq!(within(None), Some(FOR_MONITORS));
        assert_eq!(within(Some("7")), Some(Duration::from_secs(7)));
        assert_eq!(within(Some("300")), Some(Duration::from_secs(300)), "Ceph's default, but wanted");
        assert_eq!(within(Some("0")), None, "for ever");
    }
}
