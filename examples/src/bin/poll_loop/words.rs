//! What is said in lines: what the peer asks for, and what it is told.

use linger_core::{NotifyOutcome, WatchEvent};

/// What the peer may ask for.
pub enum Ask {
    /// `watch OBJECT [QUEUE]`: notifies to keep.
    Watch(String, Option<usize>),
    /// `notify OBJECT TEXT`
    Notify(String, String),
    /// `hold OBJECT`: leave its events where they are.
    Hold(String),
    /// `take OBJECT`: and go on.
    Take(String),
    /// `close`
    Close,
}

pub fn parse(line: &str) -> Option<Ask> {
    let mut words = line.splitn(3, ' ');
    let (verb, name) = (words.next()?, words.next().unwrap_or_default().to_owned());
    let rest = words.next().unwrap_or_default();
    Some(match verb {
        "watch" => Ask::Watch(name, rest.parse().ok()),
        "notify" => Ask::Notify(name, rest.to_owned()),
        "hold" => Ask::Hold(name),
        "take" => Ask::Take(name),
        "close" => Ask::Close,
        _ => return None,
    })
}

/// What the peer is told of a watch.
pub fn event(name: &str, event: &WatchEvent) -> String {
    match event {
        WatchEvent::Live(live) => format!("live {name} {}", live.generation),
        WatchEvent::Notify(notify) => format!("got {name} {}", String::from_utf8_lossy(&notify.payload)),
        WatchEvent::Error(error) => format!("lost {name} {error}"),
        WatchEvent::Overflow { lost } => format!("overflow {name} {lost}"),
        other => format!("other {name} {other:?}"),
    }
}

/// What the peer is told of a notify: how many acked, and how many missed it.
pub fn outcome(name: &str, outcome: &NotifyOutcome) -> String {
    match outcome {
        NotifyOutcome::Done(report) | NotifyOutcome::TimedOut(report) => {
            format!("done {name} {} {}", report.watchers.acks.len(), report.watchers.missed.len())
        }
        other => format!("failed {name} {other:?}"),
    }
}
