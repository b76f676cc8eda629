//! Scenarios of the whole client against a scripted cluster, in virtual time.

mod delivery;
mod handshake;
mod limits;
mod maps;
mod mon;
mod noise;
mod notify;
mod session;
mod support;
mod unwatch;
mod watch;
mod watch_loss;
