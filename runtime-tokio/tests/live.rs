//! The list of what every adapter has to do, on a real cluster.

use anyhow::Result;
use linger_adapter_tests::{Adapter, conformance, testbed};
use linger_tokio::{ConnectOptions, Connecting, Error};
use std::future::Future;

conformance!(Tokio);

// What depends on no runtime, and so is enough once.
conformance! { Tokio => testbed::need_cluster!(Ok(()));
    modes: the_first_mode_of_the_list_that_the_cluster_allows_is_taken;
}
conformance! { Tokio => testbed::need_ceph!(Ok(()));
    own_modes:
        the_cluster_s_log_shows_the_mode_that_was_asked_for,
        a_mode_that_the_cluster_refuses_is_named,
        secure_alone_is_never_given_up_for_a_cluster_without_keys;
    own_mons: one_dead_monitor_of_three_is_no_hindrance;
    own_v1:
        all_of_it_works_over_v1_and_outlives_restarts,
        secure_alone_is_never_given_up_for_v1,
        a_message_without_its_signature_ends_the_connection;
}

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
