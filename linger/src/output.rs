//! Results on stdout: JSON lines, or text for people.

use crate::failure::Failure;
use blocking::Unblock;
use futures_lite::AsyncWriteExt;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, BufWriter, Write};

/// A result: its JSON form and its text.
pub trait Record: Serialize + Display {}

impl<T: Serialize + Display> Record for T {}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// Text, one or more lines a result.
    Text,
}

impl Format {
    /// A result as it is written, with its line ends.
    ///
    /// # Errors
    /// The result has no JSON form.
    pub fn render(self, record: &impl Record) -> Result<String, Failure> {
        let mut text = match self {
            Self::Json => serde_json::to_string(record)
                .map_err(|error| Failure::new("cannot write JSON", error, "leave --json out"))?,
            Self::Text => record.to_string(),
        };
        if !text.is_empty() {
            text.push('\n');
        }
        Ok(text)
    }
}

/// stdout for commands that do nothing else while they write.
pub struct Stdout {
    format: Format,
    out: BufWriter<io::StdoutLock<'static>>,
}

impl Stdout {
    /// Takes stdout.
    pub fn new(format: Format) -> Self {
        Self { format, out: BufWriter::new(io::stdout().lock()) }
    }

    /// Writes a result; [`Stdout::finish`] makes it seen.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub fn write(&mut self, record: &impl Record) -> Result<(), Failure> {
        let text = self.format.render(record)?;
        self.out.write_all(text.as_bytes()).map_err(|error| unwritable(&error))
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub fn finish(mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| unwritable(&error))
    }
}

/// stdout for commands that go on with other work when its reader is slow. Every result is seen at once.
pub struct AsyncStdout {
    format: Format,
    out: Unblock<io::Stdout>,
}

impl AsyncStdout {
    /// Takes stdout.
    pub fn new(format: Format) -> Self {
        Self { format, out: Unblock::new(io::stdout()) }
    }

    /// Writes a result.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub async fn write(&mut self, record: &impl Record) -> Result<(), Failure> {
        let text = self.format.render(record)?;
        let written = async {
            self.out.write_all(text.as_bytes()).await?;
            self.out.flush().await
        };
        written.await.map_err(|error| unwritable(&error))
    }
}

/// Waits until nobody reads stdout any more; for ever where that cannot be known without writing.
pub async fn reader_gone() {
    #[cfg(unix)]
    {
        let (sender, gone) = async_channel::bounded(1);
        // A thread of its own: it waits as long as the process lives.
        let waiter = std::thread::Builder::new().spawn(move || sender.try_send(wait_for_error()));
        if waiter.is_ok() && gone.recv().await == Ok(true) {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// Blocks until stdout is a pipe without reader; false if that cannot be waited for.
#[cfg(unix)]
fn wait_for_error() -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let stdout = io::stdout();
    // Errors are reported without being asked for.
    let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
    loop {
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => {}
            polled => return polled.is_ok() && fds.iter().any(|fd| fd.revents().contains(PollFlags::ERR)),
        }
    }
}

/// Why a result could not be written.
pub fn unwritable(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Failure::new("cannot write to stdout", error, "check where it goes"),
    }
}
