//! The list of what every adapter has to do, on a real cluster.

use anyhow::Result;
use async_executor::Executor;
use futures_lite::future::{block_on, or, pending};
use linger_adapter_tests::{Adapter, conformance};
use linger_smol::{ConnectOptions, Connecting, Error};
use std::future::Future;
use std::sync::Arc;

conformance!(Smol);

#[derive(Clone)]
struct Smol(Arc<Executor<'static>>);

impl Adapter for Smol {
    fn run<T, F>(test: impl FnOnce(Self) -> F + Send) -> Result<T>
    where
        T: Send,
        F: Future<Output = Result<T>> + Send,
    {
        let executor = Arc::new(Executor::new());
        let (done, is_done) = async_channel::bounded::<()>(1);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let (executor, is_done) = (Arc::clone(&executor), is_done.clone());
                scope.spawn(move || {
                    let ends = async { _ = is_done.recv().await };
                    async_io::block_on(or(ends, executor.run(pending())));
                });
            }
            let output = block_on(test(Self(executor)));
            drop(done);
            output
        })
    }

    fn start(&self, options: ConnectOptions) -> Result<Connecting, Error> {
        let (driver, connecting) = linger_smol::start(options)?;
        self.0.spawn(driver).detach();
        Ok(connecting)
    }
}
