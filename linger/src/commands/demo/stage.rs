//! What the demo shows at a moment, and how that looks.

use crate::records::{Actor, DemoLine};
use std::collections::VecDeque;
use std::time::Duration;

/// Lines of the story that are shown below the stage.
const STORY: usize = 9;
/// Lines above the story.
const HEAD: usize = 9;
/// Lines of all that is drawn.
pub const HEIGHT: usize = HEAD + STORY;
/// Columns for names.
const NAMES: usize = 9;

/// What happens on the stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing that stays.
    Nothing,
    /// The cluster runs: its OSDs, and which of them has the object.
    Cluster { osds: Vec<i32>, holder: Option<i32> },
    /// An OSD is like this now.
    Osd(i32, OsdState),
    /// Another OSD has the object.
    Holder(i32),
    /// A watch is registered at an OSD.
    Live(Actor, i32),
    /// A watch is lost.
    Lost(Actor),
    /// A watcher heard a notify.
    Heard(Actor, String),
    /// The notifier sent something.
    Said(String),
    /// What it was answered.
    Answers(String),
}

/// An OSD in the eyes of the monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OsdState {
    /// It runs.
    Up,
    /// It is gone, and nobody has noticed.
    Dead,
    /// It is gone, and the map says so.
    Down,
}

/// How a watch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WatchState {
    Absent,
    Live(i32),
    /// Since when.
    Lost(Duration),
}

#[derive(Debug)]
struct Watcher {
    actor: Actor,
    state: WatchState,
    heard: Option<String>,
}

/// All that is shown.
#[derive(Debug)]
pub struct Stage {
    osds: Vec<(i32, OsdState)>,
    holder: Option<i32>,
    watchers: Vec<Watcher>,
    said: String,
    answers: String,
    story: VecDeque<DemoLine>,
}

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As all else.
    Plain,
    /// All is well.
    Good,
    /// Something is broken.
    Bad,
    /// Less important.
    Dim,
    /// A name.
    Name,
}

/// A piece of a line.
pub type Span = (Tone, String);

impl Stage {
    /// An empty stage for these watchers.
    pub fn new(watchers: &[Actor]) -> Self {
        let watcher = |actor: &Actor| Watcher { actor: *actor, state: WatchState::Absent, heard: None };
        Self {
            osds: Vec::new(),
            holder: None,
            watchers: watchers.iter().map(watcher).collect(),
            said: String::new(),
            answers: String::new(),
            story: VecDeque::new(),
        }
    }

    /// Something happened, at this time since the start; the story has a line about it.
    pub fn happen(&mut self, at: Duration, change: Change, line: DemoLine) {
        match change {
            Change::Nothing => {}
            Change::Cluster { osds, holder } => {
                self.osds = osds.into_iter().map(|osd| (osd, OsdState::Up)).collect();
                self.holder = holder;
            }
            Change::Osd(osd, state) => {
                for (_, old) in self.osds.iter_mut().filter(|(id, _)| *id == osd) {
                    *old = state;
                }
            }
            Change::Holder(osd) => self.holder = Some(osd),
            Change::Live(actor, osd) => {
                self.watcher(actor, |watcher| watcher.state = WatchState::Live(osd));
                self.holder = Some(osd);
            }
            Change::Lost(actor) => self.watcher(actor, |watcher| watcher.state = WatchState::Lost(at)),
            Change::Heard(actor, text) => self.watcher(actor, |watcher| watcher.heard = Some(text)),
            Change::Said(text) => {
                self.said = text;
                self.answers.clear();
            }
            Change::Answers(text) => self.answers = text,
        }
        if self.story.len() == STORY {
            self.story.pop_front();
        }
        self.story.push_back(line);
    }

    fn watcher(&mut self, actor: Actor, change: impl FnOnce(&mut Watcher)) {
        if let Some(watcher) = self.watchers.iter_mut().find(|watcher| watcher.actor == actor) {
            change(watcher);
        }
    }

    /// The picture at this time since the start: [`HEIGHT`] lines of at most `width` columns.
    pub fn render(&self, at: Duration, width: usize) -> Vec<Vec<Span>> {
        let mut lines = vec![
            vec![
                (Tone::Name, "linger demo".into()),
                (Tone::Dim, format!("  {:.1} s  a cluster in this process, on loopback", at.as_secs_f32())),
            ],
            Vec::new(),
            self.osd_line(),
        ];
        lines.extend(self.watchers.iter().map(|watcher| watcher_line(at, watcher)));
        let answers = if self.answers.is_empty() && !self.said.is_empty() { "..." } else { &self.answers };
        lines.push(vec![name(Actor::Carol), (Tone::Plain, self.said.clone())]);
        lines.push(vec![(Tone::Plain, " ".repeat(NAMES)), (Tone::Good, answers.to_owned())]);
        lines.push(Vec::new());
        lines.push(vec![(Tone::Dim, "-".repeat(width.min(72)))]);
        lines.resize(HEAD, Vec::new());
        lines.extend(self.story.iter().map(|line| vec![(Tone::Dim, line.to_string())]));
        lines.resize(HEIGHT, Vec::new());
        lines.iter_mut().for_each(|line| cut(line, width));
        lines
    }

    fn osd_line(&self) -> Vec<Span> {
        let mut line = vec![name(Actor::Cluster)];
        for (osd, state) in &self.osds {
            let (tone, word) = match state {
                OsdState::Up => (Tone::Good, "up"),
                OsdState::Dead => (Tone::Bad, "DEAD"),
                OsdState::Down => (Tone::Bad, "down"),
            };
            let text = match self.holder == Some(*osd) {
                true => format!("[osd.{osd} {word}, has it]  "),
                false => format!("osd.{osd} {word}  "),
            };
            line.push((tone, text));
        }
        line
    }
}

fn watcher_line(at: Duration, watcher: &Watcher) -> Vec<Span> {
    let (tone, state) = match watcher.state {
        WatchState::Absent => (Tone::Dim, "not there yet".to_owned()),
        WatchState::Live(osd) => (Tone::Good, format!("watches at osd.{osd}")),
        WatchState::Lost(since) => {
            (Tone::Bad, format!("LOST, deaf for {:.1} s", at.saturating_sub(since).as_secs_f32()))
        }
    };
    let heard = watcher.heard.as_ref().map(|text| format!("heard {text}")).unwrap_or_default();
    vec![name(watcher.actor), (tone, format!("{state:<24}")), (Tone::Plain, heard)]
}

fn name(actor: Actor) -> Span {
    (Tone::Name, format!("{:<NAMES$}", actor.name()))
}

/// Cuts a line to so many columns.
fn cut(line: &mut Vec<Span>, width: usize) {
    let mut left = width;
    for (_, text) in line.iter_mut() {
        if let Some((at, _)) = text.char_indices().nth(left) {
            text.truncate(at);
        }
        left -= text.chars().count();
    }
    line.retain(|(_, text)| !text.is_empty());
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn line(at_ms: u64, text: &str) -> DemoLine {
        DemoLine { at_ms, who: Actor::Cluster, text: text.into() }
    }

    fn text(stage: &Stage, at: Duration, width: usize) -> String {
        let line = |spans: &Vec<Span>| spans.iter().map(|(_, text)| text.as_str()).collect::<String>();
        let lines = stage.render(at, width);
        lines.iter().map(|spans| line(spans).trim_end().to_owned() + "\n").collect()
    }

    fn stage() -> Stage {
        let mut stage = Stage::new(&[Actor::Alice, Actor::Bob]);
        let cluster = Change::Cluster { osds: vec![0, 1, 2], holder: Some(1) };
        for (n, change) in [
            cluster,
            Change::Live(Actor::Alice, 1),
            Change::Said("good morning".into()),
            Change::Heard(Actor::Alice, "good morning".into()),
            Change::Answers("\"alice heard it\"".into()),
            Change::Osd(1, OsdState::Dead),
            Change::Lost(Actor::Alice),
        ]
        .into_iter()
        .enumerate()
        {
            stage.happen(SECOND * n as u32, change, line(1000 * n as u64, "something"));
        }
        stage
    }

    #[test]
    fn the_stage_shows_who_is_where() {
        let shown = text(&stage(), SECOND * 8, 80);
        let expected = "\
linger demo  8.0 s  a cluster in this process, on loopback

cluster  osd.0 up  [osd.1 DEAD, has it]  osd.2 up
alice    LOST, deaf for 2.0 s    heard good morning
bob      not there yet
carol    good morning
         \"alice heard it\"

------------------------------------------------------------------------
  0.00 s  cluster something
  1.00 s  cluster something
  2.00 s  cluster something
  3.00 s  cluster something
  4.00 s  cluster something
  5.00 s  cluster something
  6.00 s  cluster something


";
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_is_broken_looks_so_until_it_is_mended() {
        let mut stage = stage();
        let tones = |stage: &Stage| {
            let lines = stage.render(SECOND * 9, 80);
            (lines[2][2].0, lines[3][1].0)
        };
        assert_eq!(tones(&stage), (Tone::Bad, Tone::Bad));
        stage.happen(SECOND * 9, Change::Osd(1, OsdState::Up), line(9000, "back"));
        stage.happen(SECOND * 9, Change::Live(Actor::Alice, 2), line(9000, "back"));
        assert_eq!(tones(&stage), (Tone::Good, Tone::Good));
        assert!(text(&stage, SECOND * 9, 80).contains("[osd.2 up, has it]"), "the object moved along");
    }

    /// Whatever happens, a picture is as large as the one before: it is drawn over it.
    #[test]
    fn every_picture_has_one_size() {
        let mut stage = Stage::new(&[Actor::Alice, Actor::Bob]);
        for n in 0..30 {
            for width in [1, 7, 40, 200] {
                let lines = stage.render(SECOND * n, width);
                assert_eq!(lines.len(), HEIGHT);
                for line in &lines {
                    assert!(line.iter().map(|(_, text)| text.chars().count()).sum::<usize>() <= width);
                }
            }
            stage.happen(SECOND * n, Change::Said("\u{fc}".repeat(90)), line(0, &"long ".repeat(60)));
        }
    }
}
