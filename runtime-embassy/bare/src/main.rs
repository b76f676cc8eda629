//! A program without std that links and runs linger on embassy: were std hidden in any dependency, there
//! would be two panic handlers and no link.
//!
//! It brings an allocator, a clock and a network of its own. There it dials a monitor, and ends with 0
//! once it was greeted as a monitor is. `cargo build -p linger-embassy-bare --profile bare`.
#![no_std]
#![no_main]

extern crate alloc;

mod heap;
mod port;

use core::ffi::{c_char, c_int};
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Waker};
use linger_embassy::{Config, Credentials, MonHost, ObjectRef, UnixTime, WatchOptions};
use port::Wire;

/// Polls are enough: nothing here takes its time.
const POLLS: usize = 1000;
/// What every peer of msgr2 says first (`doc/dev/msgr2.rst`).
const BANNER: &[u8] = b"ceph v2\n";

#[link(name = "c")]
unsafe extern "C" {
    fn abort() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: it takes nothing and does not return.
    unsafe { abort() }
}

/// The toolchain's own `alloc` is built to unwind and names this; nothing here unwinds, so nothing calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// The C library's idea of a start.
#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, _: *const *const c_char) -> c_int {
    c_int::from(!greets())
}

/// Whether a client that watches greets the monitor that it was told of.
fn greets() -> bool {
    let wire = Wire::default();
    let Ok(mons) = "v2:192.0.2.1:3300".parse::<MonHost>() else { return false };
    let Ok(name) = "client.bare".parse() else { return false };
    let mut config = Config::new(Credentials { name, key: None }, Some(mons));
    config.limits.front_bytes = 1 << 20;
    config.limits.notify_bytes = 64 << 10;
    let Ok((cluster, runner)) = linger_embassy::new(&wire, &wire, config, UnixTime::default(), [7; 32])
    else {
        return false;
    };
    let Ok(_watch) = cluster.watch(ObjectRef::new("pool", "object"), WatchOptions::default()) else {
        return false;
    };
    let mut running = pin!(runner.run());
    let mut cx = Context::from_waker(Waker::noop());
    (0..POLLS).any(|_| {
        let _ = running.as_mut().poll(&mut cx);
        wire.written().starts_with(BANNER)
    })
}
