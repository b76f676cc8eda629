//! The loop of one's own does what it has to, on a real cluster.

linger_adapter_tests::agent_conformance!(env!("CARGO_BIN_EXE_poll_loop"));
