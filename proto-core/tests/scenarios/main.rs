//! Scenarios of the whole client against a scripted cluster, in virtual time.

mod asking;
mod delivery;
mod handshake;
mod held;
mod limits;
mod maps;
mod mon;
mod noise;
mod notify;
mod redirects;
mod removals;
mod session;
mod support;
mod unwatch;
mod watch;
mod watch_loss;
