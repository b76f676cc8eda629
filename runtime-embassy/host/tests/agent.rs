//! What a program on embassy has to do, on a real cluster.

linger_adapter_tests::agent_conformance!(env!("CARGO_BIN_EXE_linger-embassy-host"));
