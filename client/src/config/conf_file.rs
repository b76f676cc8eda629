//! The format of `ceph.conf` and of keyrings.
//!
//! Facts: `common/ConfUtils.cc`, and what `ceph-conf` of Ceph 16 makes of the files in the tests.
//!
//! A parser of our own: the INI crates (rust-ini, configparser, ini_core) know other escapes, comments
//! and quotes than Ceph's, join no lines by a backslash as it does, and tell no line numbers.
//!
//! Accepted beyond Ceph: dashes in option names (Ceph takes them on command lines only), a last line
//! without its end, a continuation into nothing, blanks before a heading, and options before the first
//! heading (they are global).

use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroize;

/// A parsed file: options by section, names normalised, values as written.
#[derive(Clone, Default)]
pub struct ConfFile {
    sections: BTreeMap<String, BTreeMap<String, Value>>,
}

/// The value of an option and where it stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    /// The text, without quotes, escapes and blanks around it.
    pub text: String,
    /// The line on which the option starts, from 1.
    pub line: usize,
}

/// A file that is not in the format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The line that does not parse, from 1.
    pub line: usize,
    /// What is wrong there.
    pub kind: ParseErrorKind,
}

/// The ways in which a line can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// A heading without its closing bracket.
    HeadingOpen,
    /// A heading without a name.
    HeadingEmpty,
    /// A line that is neither a heading nor `option = value`.
    NoEquals,
    /// Nothing in front of the `=`.
    NoName,
    /// A quote that is not closed on its line, or not before a comment sign.
    QuoteOpen,
    /// Text behind a heading or a closing quote.
    Trailing,
}

impl ConfFile {
    /// Parses the text of a file.
    ///
    /// # Errors
    /// The first line that is not in the format.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut cursor = Cursor { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
        let mut file = Self::default();
        let mut section = "global".to_owned();
        while cursor.skip_to_content() {
            if cursor.eat('[') {
                section = cursor.heading()?;
                file.sections.entry(section.clone()).or_default();
            } else {
                let line = cursor.line;
                let name = cursor.name()?;
                let text = cursor.value()?;
                file.sections.entry(section.clone()).or_default().insert(name, Value { text, line });
            }
        }
        Ok(file)
    }

    /// The value of `option` in the first of `sections` that has it, be it empty.
    #[must_use]
    pub fn lookup(&self, sections: &[&str], option: &str) -> Option<&Value> {
        let name = normalize(option);
        sections.iter().find_map(|section| self.sections.get(*section)?.get(&name))
    }

    /// The names of all sections, in order of the alphabet.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str)
    }
}

/// The one spelling of an option's name: runs of blanks are one underscore, and so is a dash.
#[must_use]
pub fn normalize(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join("_").replace('-', "_")
}

/// Keys of users may be among the values.
impl Drop for ConfFile {
    fn drop(&mut self) {
        self.sections.values_mut().flat_map(BTreeMap::values_mut).for_each(|value| value.text.zeroize());
    }
}

impl fmt::Debug for ConfFile {
    /// Shows names only: values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.sections.iter().map(|(name, values)| (name, values.keys()))).finish()
    }
}

impl fmt::Debug for Value {
    /// Shows where it stands only: the text may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("line", &self.line).finish_non_exhaustive()
    }
}

struct Cursor<'a> {
    rest: &'a str,
    line: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Takes one character. The end of a line is always `\n`, however the file writes it.
    fn take(&mut self) -> Option<char> {
        if let Some(rest) = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix(['\r', '\n'])) {
            self.rest = rest;
            self.line += 1;
            return Some('\n');
        }
        let c = self.peek()?;
        self.rest = self.rest.strip_prefix(c).unwrap_or_default();
        Some(c)
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.take();
        }
        found
    }

    fn at_line_end(&self) -> bool {
        matches!(self.peek(), None | Some('\r' | '\n'))
    }

    fn at_comment(&self) -> bool {
        matches!(self.peek(), Some('#' | ';'))
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    /// Takes a backslash at the end of a line, and that end: the next line goes on with this one.
    fn skip_continuation(&mut self) -> bool {
        let mut chars = self.rest.chars();
        let found = chars.next() == Some('\\') && matches!(chars.next(), Some('\r' | '\n'));
        if found {
            self.take();
            self.take();
        }
        found
    }

    /// A backslash in a comment continues nothing.
    fn skip_comment(&mut self) {
        if self.at_comment() {
            while !self.at_line_end() {
                self.take();
            }
        }
    }

    /// Skips blanks, empty lines and comments; false at the end of the file.
    fn skip_to_content(&mut self) -> bool {
        loop {
            let before = self.rest.len();
            self.skip_blanks();
            self.skip_comment();
            if !self.skip_continuation() && self.at_line_end() {
                self.take();
            }
            if self.rest.is_empty() || self.rest.len() == before {
                return !self.rest.is_empty();
            }
        }
    }

    /// One character of a name or a value; a backslash makes the next one plain.
    fn text_char(&mut self) -> Option<char> {
        while self.skip_continuation() {}
        if self.at_line_end() || self.at_comment() {
            return None;
        }
        match self.take() {
            Some('\\') if !self.at_line_end() => self.take(),
            c => c,
        }
    }

    fn fail<T>(&self, kind: ParseErrorKind) -> Result<T, ParseError> {
        Err(ParseError { line: self.line, kind })
    }

    fn heading(&mut self) -> Result<String, ParseError> {
        let mut name = String::new();
        while !self.eat(']') {
            match self.text_char() {
                Some(c) => name.push(c),
                None => return self.fail(ParseErrorKind::HeadingOpen),
            }
        }
        if name.is_empty() {
            return self.fail(ParseErrorKind::HeadingEmpty);
        }
        self.end_of_line()?;
        Ok(name)
    }

    /// The name of an option, and the `=` behind it. A backslash is kept, and so is what it makes plain.
    fn name(&mut self) -> Result<String, ParseError> {
        let mut name = String::new();
        loop {
            while self.skip_continuation() {}
            if self.at_line_end() || self.at_comment() || self.peek() == Some('[') {
                return self.fail(ParseErrorKind::NoEquals);
            }
            match self.take() {
                None | Some('=') => break,
                Some('\\') if !self.at_line_end() => {
                    name.push('\\');
                    name.extend(self.take());
                }
                Some(c) => name.push(c),
            }
        }
        let name = normalize(&name);
        if name.is_empty() { self.fail(ParseErrorKind::NoName) } else { Ok(name) }
    }

    fn value(&mut self) -> Result<String, ParseError> {
        self.skip_blanks();
        while self.skip_continuation() {}
        // A quote behind blanks of a continuation line is plain text to Ceph.
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            self.take();
            return self.quoted(quote);
        }
        let mut text = String::new();
        while let Some(c) = self.text_char() {
            text.push(c);
        }
        self.end_of_line()?;
        Ok(text.trim().to_owned())
    }

    fn quoted(&mut self, quote: char) -> Result<String, ParseError> {
        let mut text = String::new();
        while !self.eat(quote) {
            if self.at_line_end() || self.at_comment() {
                return self.fail(ParseErrorKind::QuoteOpen);
            }
            match self.take() {
                Some('\\') if !self.at_line_end() => text.extend(self.take()),
                c => text.extend(c),
            }
        }
        self.end_of_line()?;
        // Blanks are cut off inside of quotes too.
        Ok(text.trim().to_owned())
    }

    fn end_of_line(&mut self) -> Result<(), ParseError> {
        self.skip_blanks();
        while self.skip_continuation() {
            self.skip_blanks();
        }
        self.skip_comment();
        if !self.at_line_end() {
            return self.fail(ParseErrorKind::Trailing);
        }
        self.take();
        Ok(())
    }
}

impl fmt::Display for ParseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeadingOpen => "the heading has no closing ']'",
            Self::HeadingEmpty => "the heading has no name",
            Self::NoEquals => "neither a [heading] nor 'option = value'",
            Self::NoName => "no option name in front of '='",
            Self::QuoteOpen => "a quote is not closed before the line or a comment ('#', ';') ends it",
            Self::Trailing => "text behind the heading or the closing quote",
        })
    }
}

#[cfg(test)]
mod tests;
