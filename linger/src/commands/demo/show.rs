//! Where the demo is shown: a picture that is drawn anew on a terminal, lines elsewhere.

use super::stage::{Change, HEIGHT, Span, Stage, Tone};
use crate::failure::Failure;
use crate::output::{Format, Stdout, unwritable};
use crate::records::{Actor, DemoLine};
use crossterm::style::{Color, Print, ResetColor, SetForegroundColor};
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use crossterm::{cursor, queue, terminal};
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Whoever has something to show has a copy.
#[derive(Debug, Clone)]
pub struct Show {
    start: Instant,
    format: Format,
    /// On a terminal.
    picture: Option<Arc<Mutex<Picture>>>,
}

#[derive(Debug)]
struct Picture {
    stage: Stage,
    /// Whether there is one to draw over.
    drawn: bool,
}

impl Show {
    /// A show that begins now, of these watchers.
    pub fn new(format: Format, watchers: &[Actor]) -> Self {
        let picture = Picture { stage: Stage::new(watchers), drawn: false };
        let picture = can_draw(format).then(|| Arc::new(Mutex::new(picture)));
        Self { start: Instant::now(), format, picture }
    }

    /// Whether [`Show::redraw`] does anything.
    pub fn is_live(&self) -> bool {
        self.picture.is_some()
    }

    /// Something happens.
    ///
    /// # Errors
    /// Nobody reads it any more.
    pub fn tell(&self, who: Actor, change: Change, text: &str) -> Result<(), Failure> {
        let at = self.start.elapsed();
        let at_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        let line = DemoLine { at_ms, who, text: text.to_owned() };
        let Some(picture) = &self.picture else {
            let mut out = Stdout::new(self.format);
            out.write(&line)?;
            return out.finish();
        };
        let mut picture = picture.lock().unwrap_or_else(PoisonError::into_inner);
        picture.stage.happen(at, change, line);
        self.draw(&mut picture)
    }

    /// Something happens that changes nothing for long.
    ///
    /// # Errors
    /// As [`Show::tell`].
    pub fn line(&self, who: Actor, text: &str) -> Result<(), Failure> {
        self.tell(who, Change::Nothing, text)
    }

    /// Draws the picture as it is now: time goes on.
    ///
    /// # Errors
    /// As [`Show::tell`].
    pub fn redraw(&self) -> Result<(), Failure> {
        match &self.picture {
            Some(picture) => self.draw(&mut picture.lock().unwrap_or_else(PoisonError::into_inner)),
            None => Ok(()),
        }
    }

    fn draw(&self, picture: &mut Picture) -> Result<(), Failure> {
        let width = terminal::size().map_or(80, |(columns, _)| usize::from(columns));
        let lines = picture.stage.render(self.start.elapsed(), width);
        let mut out = io::stdout().lock();
        let over = std::mem::replace(&mut picture.drawn, true);
        put(&mut out, &lines, over).map_err(|error| unwritable(&error))
    }
}

/// Draws lines, over as many if there are some.
fn put(out: &mut impl Write, lines: &[Vec<Span>], over: bool) -> io::Result<()> {
    queue!(out, BeginSynchronizedUpdate)?;
    if over {
        queue!(out, cursor::MoveToPreviousLine(lines.len() as u16))?;
    }
    for line in lines {
        queue!(out, Clear(ClearType::CurrentLine))?;
        for (tone, text) in line {
            match colour(*tone) {
                Some(colour) => queue!(out, SetForegroundColor(colour), Print(text), ResetColor)?,
                None => queue!(out, Print(text))?,
            }
        }
        queue!(out, Print("\r\n"))?;
    }
    queue!(out, EndSynchronizedUpdate)?;
    out.flush()
}

fn colour(tone: Tone) -> Option<Color> {
    match tone {
        Tone::Plain => None,
        Tone::Good => Some(Color::Green),
        Tone::Bad => Some(Color::Red),
        Tone::Dim => Some(Color::DarkGrey),
        Tone::Name => Some(Color::Cyan),
    }
}

/// Whether stdout is a terminal that can move its cursor and is large enough.
fn can_draw(format: Format) -> bool {
    let clever = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    let large = || terminal::size().is_ok_and(|(columns, rows)| columns >= 40 && usize::from(rows) > HEIGHT);
    format == Format::Text && io::stdout().is_terminal() && clever && large()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_drawn_over_the_last_one() {
        let lines = vec![vec![(Tone::Plain, "first".to_owned())], vec![(Tone::Bad, "second".to_owned())]];
        let drawn = |over| {
            let mut out = Vec::new();
            put(&mut out, &lines, over).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert!(!drawn(false).contains("\x1b[2F"));
        assert!(drawn(true).contains("\x1b[2F"), "two lines up");
        assert!(drawn(false).contains("first\r\n"), "no colours where none are meant");
        assert!(drawn(false).contains("second\x1b[0m\r\n"));
    }
}
