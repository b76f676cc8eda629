//! Tables in doc comments, for tests that hold them against the code.

use alloc::string::String;
use alloc::vec::Vec;

/// The rows of the first table in a source's `//!` lines whose first cell is `first`; the line under its
/// header is left out.
pub(crate) fn doc_table(source: &str, first: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Option<Vec<String>> {
        let line = line.strip_prefix("//! |")?.strip_suffix('|')?;
        Some(line.split('|').map(|cell| cell.trim().into()).collect())
    };
    let lines = source.lines().map(cells).skip_while(|row| row.as_ref().is_none_or(|row| row[0] != first));
    let rows = lines.map_while(|row| row);
    rows.filter(|row| !row.iter().all(|cell| cell.bytes().all(|byte| byte == b'-'))).collect()
}
