//! A small process that removes a cluster's folder when the test process is gone.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};

/// Waits for the end of its input, which comes when this value is dropped and also when this process is killed. Statics
/// are never dropped: a shared cluster is always removed this way.
#[derive(Debug)]
pub(crate) struct Keeper {
    child: Child,
}

impl Keeper {
    pub(crate) fn new(dir: &Path) -> Result<Self> {
        let mut command = Command::new("/bin/sh");
        // The second time for what dying daemons wrote during the first.
        command.args(["-c", "cat; rm -rf -- \"$1\"; sleep 1; rm -rf -- \"$1\"", "sh"]).arg(dir);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.process_group(0).current_dir("/").spawn().context("cannot start sh")?;
        Ok(Self { child })
    }

    /// Leaves the folder.
    pub(crate) fn dismiss(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
