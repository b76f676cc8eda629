//! Lingers that a redirect sends to another OSD: that one is the one to hear.

use crate::support::{Request, Sim, Who, lost, object, secs, target};
use linger_core::{LossCause, NotifyOutcome, ObjectRef, WatchOptions};
use linger_wire::ObjectLocator;
use linger_wire::msg::{NotifyAcks, Redirect};

/// An object that another OSD than this one has.
fn elsewhere(sim: &Sim, osd: i32) -> ObjectRef {
    let mut objects = (0..).map(|i| ObjectRef::new("two", format!("there{i}")));
    objects.find(|there| target(&sim.map, there).osd != osd).unwrap()
}

/// The object's OSD redirects the held request; returns it as it comes to the other one.
fn redirect(sim: &mut Sim, kind: &str) -> Request {
    let first = sim.take(kind);
    assert_eq!(first.osd, sim.primary(&object("obj")));
    let there = elsewhere(sim, first.osd);
    let locator = ObjectLocator { pool: 2, key: "".into(), nspace: "".into(), hash: -1 };
    let object = there.name.clone();
    sim.reply_with(&first, |reply| reply.redirect = Some(Redirect { locator, object }));
    sim.run(secs(1));
    let second = sim.take(kind);
    assert_eq!(second.osd, target(&sim.map, &there).osd);
    second
}

#[test]
fn a_redirected_watch_is_sent_anew_after_a_reset() {
    let mut sim = Sim::connected();
    sim.hold = vec!["watch"];
    let opts = WatchOptions { register_within: None, ..WatchOptions::default() };
    let watch = sim.client.watch(sim.now, object("obj"), opts).unwrap();
    sim.settle();
    let there = redirect(&mut sim, "watch").osd;
    sim.reset(Who::Osd(there));
    let second = redirect(&mut sim, "watch");
    sim.reply(&second, 0);
    sim.settle();
    assert_eq!(sim.live(watch).osd, there);
    sim.disconnect(there, second.cookie());
    assert_eq!(sim.error(watch), lost(LossCause::Disconnected, None));
}

#[test]
fn a_redirected_notify_ends_by_the_word_of_its_osd() {
    for reset in [false, true] {
        let mut sim = Sim::connected();
        sim.hold = vec!["notify"];
        let notify = sim.client.notify(sim.now, object("obj"), "x".into(), secs(10)).unwrap();
        sim.settle();
        let mut request = redirect(&mut sim, "notify");
        if reset {
            sim.reset(Who::Osd(request.osd));
            request = redirect(&mut sim, "notify");
        }
        sim.accept(&request, 77);
        sim.settle();
        if reset {
            sim.reset(Who::Osd(request.osd));
            request = redirect(&mut sim, "notify");
            sim.accept(&request, 78);
        }
        let id = if reset { 78 } else { 77 };
        sim.complete(request.osd, request.cookie(), id, &NotifyAcks::default(), 0);
        sim.settle();
        let outcome = sim.outcome(notify);
        assert!(
            matches!(&outcome, Some(NotifyOutcome::Done(report)) if report.notify_id == id),
            "{outcome:?}"
        );
    }
}
