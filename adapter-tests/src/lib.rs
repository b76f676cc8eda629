//! What every runtime's adapter has to do, on a real cluster with Ceph's own clients on the other side.
//!
//! An adapter's tests are one line: an [`Adapter`] and [`conformance!`]. The cases use no runtime of
//! their own beyond timers, so what they find is the adapter's.

#![allow(missing_docs, reason = "the names of cases say what holds")]

pub mod agent;
pub mod alone;
pub mod asking;
pub mod awaits;
pub mod cancel;
pub mod connecting;
pub mod daemons;
pub mod ends;
pub mod failover;
pub mod many;
pub mod modes;
pub mod objects;
pub mod own_modes;
pub mod own_mons;
pub mod own_v1;
pub mod support;
pub mod watches;

use linger_client::config::Settings;
use linger_client::{Cluster, ConnectOptions, Connecting, Error};
use std::future::Future;

pub use anyhow::Result;
pub use linger_testbed as testbed;

/// An adapter and its runtime.
pub trait Adapter: Clone + Send + Sync + 'static {
    /// Runs what a test does, inside of a runtime whose other threads drive the clients. The runtime
    /// is gone when this returns.
    ///
    /// # Errors
    /// The test's, or there is no runtime.
    fn run<T, F>(test: impl FnOnce(Self) -> F + Send) -> Result<T>
    where
        T: Send,
        F: Future<Output = Result<T>> + Send;

    /// Starts to connect.
    ///
    /// # Errors
    /// The adapter's.
    fn start(&self, options: ConnectOptions) -> Result<Connecting, Error>;

    /// Connects.
    fn connect(&self, settings: Settings) -> impl Future<Output = Result<Cluster, Error>> + Send {
        async move { self.start(settings.try_into()?)?.await }
    }
}

/// Makes a test of each case.
#[macro_export]
macro_rules! conformance {
    ($adapter:ty) => {
        $crate::conformance! { $adapter => $crate::testbed::need_cluster!(Ok(()));
            watches:
                a_watch_gets_what_ceph_notifies_and_ceph_gets_its_ack,
                ceph_gets_what_is_notified_and_its_ack_is_in_the_report,
                in_a_namespace_and_by_a_locator_key,
                in_an_erasure_coded_pool,
                what_is_not_answered_is_acked_or_missed_as_asked,
                a_watch_that_is_not_read_sheds_and_holds_up_no_other;
            asking:
                how_a_watch_stands_and_what_was_counted,
                a_flush_ends_when_all_events_are_taken,
                a_flush_of_a_watch_that_has_ended_waits_for_its_events,
                a_blocklisted_client_comes_back_as_another_one;
            objects: objects_are_those_that_ceph_sees;
            many:
                a_thousand_watches_on_two_hundred_objects_get_a_notify_each,
                idle_watches_live_by_pings_alone;
            awaits:
                calls_at_every_await,
                connecting_at_every_await,
                notifies_at_every_await,
                watches_at_every_await,
                leaving_at_every_await;
            cancel:
                more_calls_than_may_be_in_flight_wait_for_their_turn,
                dropped_calls_give_their_places_back,
                a_watch_whose_future_is_dropped_is_unwatched,
                events_survive_dropped_futures,
                a_notify_whose_handle_is_dropped_still_goes_out;
            connecting:
                a_client_knows_its_cluster,
                a_wrong_key_and_an_unknown_name_fail_at_once,
                another_cluster_is_refused,
                what_caps_do_not_allow_is_denied,
                a_pool_that_is_not_there_is_said_so,
                calls_end_at_their_deadline;
            ends:
                a_dropped_watch_is_unwatched_in_the_background,
                the_last_handle_closes,
                close_ends_streams_and_futures,
                an_object_that_is_not_there_or_goes_ends_its_watch;
        }
        $crate::conformance! { $adapter => ();
            alone:
                monitors_that_are_not_there_are_named_when_the_time_is_over,
                a_name_without_an_address_is_named,
                dropping_the_future_gives_connecting_up;
        }

        #[test]
        fn handles_outlive_their_runtime() -> $crate::Result<()> {
            $crate::testbed::need_cluster!(Ok(()));
            $crate::ends::handles_outlive_their_runtime::<$adapter>()
        }

        // On clusters of their own, as they stop daemons.
        $crate::conformance! { $adapter => $crate::testbed::need_ceph!(Ok(()));
            daemons:
                with_all_daemons_dead_everything_ends_in_time,
                maps_on_demand_are_enough,
                caps_that_are_taken_away_end_the_watch;
            failover:
                watches_follow_their_primary_and_end_with_their_object,
                a_watch_whose_lease_passes_is_lost_and_comes_back;
        }
    };
    ($adapter:ty => $need:expr; $($group:ident: $($case:ident),+;)+) => {
        $(mod $group {
            use super::*;
            $(
                #[test]
                fn $case() -> $crate::Result<()> {
                    $need;
                    <$adapter as $crate::Adapter>::run($crate::$group::$case)
                }
            )+
        })+
    };
}
