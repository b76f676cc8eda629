//! The list of what every adapter has to do, on a real cluster.

use anyhow::Result;
use linger_adapter_tests::{Adapter, conformance};
use linger_tokio::{ConnectOptions, Connecting, Error};
use std::future::Future;

conformance!(Tokio);

#[derive(Clone)]
struct Tokio;

impl Adapter for Tokio {
    fn run<T, F>(test: impl FnOnce(Self) -> F + Send) -> Result<T>
    where
        T: Send,
        F: Future<Output = Result<T>> + Send,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(test(Self))
    }

    fn start(&self, options: ConnectOptions) -> Result<Connecting, Error> {
        linger_tokio::start(options)
    }
}
