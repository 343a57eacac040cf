//! What must hold, whatever the order.

use std::{
    future::{Future as _, poll_fn},
    io::Write as _,
    pin::pin,
    task::Poll,
};

use loom::{future::block_on, thread};

use super::slots::Slots;

fn model(of: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    // Enough for every order of threads with few steps each.
    builder.preemption_bound = Some(3);
    builder.check(of);
}

/// A slot that comes back while somebody begins to wait for it reaches them.
fn who_waits_is_served() {
    model(|| {
        let slots = Slots::new(1, false);
        let held = slots.try_take().expect("free");
        let gives_back = thread::spawn(move || drop(held));
        let place = slots.place();
        let got = block_on(slots.wait(place));
        assert!(got.is_ok());
        drop(got);
        gives_back.join().expect("no panic");
        assert_eq!((slots.free(), slots.waiting()), (1, 0));
    });
}

/// One who goes away, handed a slot or not, keeps it from nobody.
fn who_goes_away_keeps_nothing() {
    model(|| {
        let slots = Slots::new(1, false);
        let held = slots.try_take().expect("free");
        let hurried = {
            let slots = slots.clone();
            let place = slots.place();
            thread::spawn(move || {
                let mut waiting = pin!(slots.wait(place));
                let asked = poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_ready()));
                block_on(asked)
            })
        };
        let gives_back = thread::spawn(move || drop(held));
        let place = slots.place();
        assert!(block_on(slots.wait(place)).is_ok(), "forgotten");
        hurried.join().expect("no panic");
        gives_back.join().expect("no panic");
        assert_eq!((slots.free(), slots.waiting()), (1, 0));
    });
}

/// Two who wait, two slots that come back: each has one.
fn nobody_is_served_twice() {
    model(|| {
        let slots = Slots::new(2, true);
        let held = [slots.try_take(), slots.try_take()];
        slots.recover();
        let other = {
            let slots = slots.clone();
            let place = slots.place();
            thread::spawn(move || block_on(slots.wait(place)).is_ok())
        };
        drop(held);
        let place = slots.place();
        let got = block_on(slots.wait(place));
        assert!(got.is_ok() && other.join().expect("no panic"));
        drop(got);
        assert_eq!((slots.free(), slots.waiting()), (2, 0));
    });
}

/// A pool that is closed wakes who waits, or had given a slot before.
fn closing_wakes() {
    model(|| {
        let slots = Slots::new(0, false);
        let closes = {
            let slots = slots.clone();
            thread::spawn(move || slots.close())
        };
        let place = slots.place();
        assert!(block_on(slots.wait(place)).is_err());
        closes.join().expect("no panic");
        assert_eq!(slots.waiting(), 0);
    });
}

/// Checks all of them; panics at the first that does not hold.
pub(crate) fn check() {
    let models: [(&str, fn()); 4] = [
        ("who_waits_is_served", who_waits_is_served),
        ("who_goes_away_keeps_nothing", who_goes_away_keeps_nothing),
        ("nobody_is_served_twice", nobody_is_served_twice),
        ("closing_wakes", closing_wakes),
    ];
    let mut out = std::io::stdout().lock();
    for (name, model) in models {
        model();
        // A closed pipe is no failure of the models.
        let _unread = writeln!(out, "test {name} ... ok");
    }
    let _unread = writeln!(out, "\n{} passed, 0 failed", models.len());
}
