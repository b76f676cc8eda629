//! What test runners say at their end.

/// Tests by how they ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// Names, each with its reason.
    pub(crate) skipped: Vec<String>,
}

impl Tally {
    /// A check that is no test runner, and that held.
    pub(super) fn one() -> Self {
        Self { passed: 1, ..Self::default() }
    }

    /// A check that could not be made: its name and why.
    pub(super) fn skip(name: &str) -> Self {
        Self { skipped: vec![name.to_owned()], ..Self::default() }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend_from_slice(&other.skipped);
    }

    /// Counts a line of libtest's or nextest's.
    pub(super) fn read_line(&mut self, line: &str) {
        let line = strip_colour(line);
        // nextest shows what a failed test's own runner said, indented.
        let counts = line.strip_prefix("test result: ");
        let line = line.trim();
        let counts = counts.or_else(|| {
            line.strip_prefix("Summary [").and_then(|rest| rest.split_once("run: ")).map(|(_, c)| c)
        });
        if let Some(counts) = counts {
            self.passed += number_before(counts, "passed");
            self.failed += number_before(counts, "failed") + number_before(counts, "timed out");
        }
    }
}

/// The number in front of a word, 0 without one.
fn number_before(text: &str, word: &str) -> usize {
    let before = text.split_once(word).map(|(before, _)| before.trim_end());
    let digits = before.and_then(|before| before.rsplit(|c: char| !c.is_ascii_digit()).next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// The line without terminal escapes.
fn strip_colour(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_runners() {
        for (line, passed, failed) in [
            ("test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out", 4, 0),
            ("test result: FAILED. 3 passed; 2 failed; 0 ignored", 3, 2),
            ("     Summary [   1.656s] 58 tests run: 58 passed, 0 skipped", 58, 0),
            (
                "\u{1b}[32m     Summary\u{1b}[0m [ 9.1s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 3 skipped",
                9,
                3,
            ),
            ("    test result: FAILED. 0 passed; 1 failed; 0 ignored", 0, 0),
            ("58 passed by hand", 0, 0),
        ] {
            let mut tally = Tally::default();
            tally.read_line(line);
            assert_eq!((tally.passed, tally.failed), (passed, failed), "{line}");
        }
    }
}
