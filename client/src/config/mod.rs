//! Configuration as Ceph's users have it.
//!
//! [`Settings`] are what a client needs to know. They come from a [`Builder`] alone, or, given an
//! [`Environment`], also from `CEPH_ARGS`, the configuration file and the keyring, found as Ceph's own
//! programs find them:
//!
//! ```no_run
//! use linger_client::config::{Environment, Settings};
//! let settings = Settings::from_environment(Environment::from_process())?;
//! for warning in &settings.warnings {
//!     eprintln!("{warning}");
//! }
//! # Ok::<(), linger_client::config::ConfigError>(())
//! ```
//!
//! Without a file:
//!
//! ```
//! use linger_client::config::Settings;
//! let settings = Settings::builder()
//!     .id("demo")
//!     .key("AQAIHOBmAAAAABAAAAECAwQFBgcICQoLDA0ODw==")
//!     .mon_host("10.0.0.1,10.0.0.2")
//!     .build()?;
//! // Each of the two at the port of msgr2, 3300, and at that of msgr1, 6789.
//! assert_eq!(settings.mon_host.unwrap().candidates().count(), 4);
//! # Ok::<(), linger_client::config::ConfigError>(())
//! ```

mod args;
mod builder;
mod conf_file;
mod environment;
mod error;
mod expand;
mod keyring;
mod search;
mod settings;
mod sources;

pub use builder::Builder;
pub use conf_file::ParseErrorKind;
pub use environment::Environment;
pub use error::{ConfigError, KeyMissing, Origin, Warning};
pub use linger_wire::cephx::{AuthName, CryptoKey};
pub use settings::{AuthMethod, ConMode, Settings};
