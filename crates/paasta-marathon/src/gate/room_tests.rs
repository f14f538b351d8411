//! Whatever the order of reads, changes and ends of deployments, no more run than may.

use proptest::prelude::*;

use super::*;

fn ask(haste: Haste, deployments: usize, starts_tasks: bool) -> Ask {
    Ask { haste, deployments, starts_tasks }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A room in which so many deployments were seen at second 0.
fn seen(max: usize, running: Result<usize, String>) -> Room {
    let mut room = Room::new("http://m".to_owned(), Shares::new(max));
    let begun = room.begin_read();
    room.read(begun, seconds(0.0), running);
    room
}

#[test]
fn shares_leave_room_for_people_and_for_what_ends_tasks() {
    // Of so many: for what can wait, and of that for new tasks.
    for (max, usual, starting) in
        [(1, 1, 1), (2, 1, 1), (3, 2, 1), (4, 3, 2), (5, 4, 3), (10, 8, 6), (100, 80, 60)]
    {
        let of = |haste, starts| Shares::new(max).of(&ask(haste, 1, starts));
        assert_eq!((of(Haste::Usual, false), of(Haste::Usual, true)), (usual, starting), "{max}");
        assert_eq!((of(Haste::Urgent, false), of(Haste::Urgent, true)), (max, max));
    }
    let most = Shares::new(usize::MAX).of(&ask(Haste::Usual, 1, false));
    assert!(most > usize::MAX / 5 * 4 - 4, "{most}");
}

#[test]
fn a_full_engine_says_how_full_and_when_to_ask_again() {
    let full = |running, ask: Ask| match seen(100, Ok(running)).ask(seconds(0.2), &ask) {
        Decision::Full { reason, again, since } => {
            assert_eq!((again, since), (READ_EVERY, seconds(0.2)));
            reason
        }
        other => format!("{other:?}"),
    };
    assert_eq!(
        full(97, ask(Haste::Usual, 1, false)),
        "97 deployments run at http://m (at most 100; 80 for what can wait)"
    );
    assert_eq!(
        full(60, ask(Haste::Usual, 1, true)),
        "60 deployments run at http://m (at most 100; 60 for new tasks that can wait)"
    );
    assert_eq!(full(99, ask(Haste::Urgent, 2, false)), "99 deployments run at http://m (at most 100)");
    assert_eq!(full(99, ask(Haste::Urgent, 1, true)), "Admit(2)");
}

#[test]
fn what_could_not_be_read_admits_nobody_until_it_is_read_again() {
    let mut room = seen(100, Err("http://m refused with status 503: no leader".to_owned()));
    let urgent = ask(Haste::Urgent, 1, false);
    let reason = "could not count the deployments at http://m: http://m refused with status 503: no leader";
    let full = Decision::Full { reason: reason.to_owned(), again: READ_EVERY, since: seconds(0.3) };
    assert_eq!(room.ask(seconds(0.3), &urgent), full);
    assert_eq!(room.ask(seconds(0.4), &urgent), full);
    assert_eq!(room.ask(READ_EVERY, &urgent), Decision::Read);
}

#[test]
fn a_change_counts_until_a_read_that_began_after_its_answer() {
    let mut room = seen(1, Ok(0));
    let urgent = ask(Haste::Urgent, 1, true);
    let Decision::Admit(ticket) = room.ask(seconds(0.0), &urgent) else { panic!("no room") };
    let is_full =
        |room: &mut Room, now: f64| matches!(room.ask(seconds(now), &urgent), Decision::Full { .. });
    assert!(is_full(&mut room, 0.1));
    // Began before the answer: it may not be in it.
    let begun = room.begin_read();
    room.answered(ticket);
    room.read(begun, seconds(1.0), Ok(0));
    assert!(is_full(&mut room, 1.1));
    // A read that failed shows nothing.
    let begun = room.begin_read();
    room.read(begun, seconds(2.0), Err("gone".to_owned()));
    let begun = room.begin_read();
    room.read(begun, seconds(3.0), Ok(0));
    assert!(matches!(room.ask(seconds(3.1), &urgent), Decision::Admit(_)));
}

#[test]
fn what_needs_more_than_there_ever_is_comes_in_alone() {
    let removal = ask(Haste::Usual, 2, false);
    assert!(matches!(seen(1, Ok(0)).ask(seconds(0.0), &removal), Decision::Admit(_)));
    assert!(matches!(seen(1, Ok(1)).ask(seconds(0.0), &removal), Decision::Full { .. }));
}

#[derive(Clone, Debug)]
enum Move {
    Ask(Ask),
    /// Marathon takes up one deployment of a change that was sent.
    Start(usize),
    /// Marathon answers a change; all its deployments have been started by then.
    Answer(usize),
    /// A deployment ends.
    Finish,
    BeginRead,
    /// Marathon makes up the answer of the read under way.
    Snapshot,
    EndRead {
        fails: bool,
    },
    Wait(u64),
}

fn any_move() -> impl Strategy<Value = Move> {
    let haste = prop_oneof![Just(Haste::Usual), Just(Haste::Urgent)];
    prop_oneof![
        6 => (haste, 1usize..=2, any::<bool>())
            .prop_map(|(haste, deployments, starts_tasks)| Move::Ask(ask(haste, deployments, starts_tasks))),
        4 => any::<usize>().prop_map(Move::Start),
        4 => any::<usize>().prop_map(Move::Answer),
        3 => Just(Move::Finish),
        2 => Just(Move::BeginRead),
        2 => Just(Move::Snapshot),
        2 => any::<bool>().prop_map(|fails| Move::EndRead { fails }),
        2 => (0u64..700).prop_map(Move::Wait),
    ]
}

/// One Marathon and its room; at most one read is under way.
struct Model {
    room: Room,
    now: Duration,
    running: usize,
    /// Ticket, and deployments not started yet.
    sent: Vec<(u64, usize)>,
    read: Option<(u64, Option<usize>)>,
}

impl Model {
    fn make(&mut self, step: Move) {
        match step {
            Move::Ask(ask) => {
                if let Decision::Admit(ticket) = self.room.ask(self.now, &ask) {
                    self.sent.push((ticket, ask.deployments));
                }
            }
            Move::Start(which) if !self.sent.is_empty() => {
                let which = which % self.sent.len();
                let change = &mut self.sent[which];
                if change.1 > 0 {
                    change.1 -= 1;
                    self.running += 1;
                }
            }
            Move::Answer(which) if !self.sent.is_empty() => {
                let (ticket, left) = self.sent.remove(which % self.sent.len());
                self.running += left;
                self.room.answered(ticket);
            }
            Move::Finish => self.running = self.running.saturating_sub(1),
            Move::BeginRead if self.read.is_none() => self.read = Some((self.room.begin_read(), None)),
            Move::Snapshot => {
                if let Some((_, snapshot)) = &mut self.read {
                    *snapshot = Some(self.running);
                }
            }
            Move::EndRead { fails } => {
                if let Some((begun, snapshot)) = self.read.take() {
                    let running = snapshot.unwrap_or(self.running);
                    let answer = if fails { Err("503".to_owned()) } else { Ok(running) };
                    self.room.read(begun, self.now, answer);
                }
            }
            Move::Wait(milliseconds) => self.now += Duration::from_millis(milliseconds),
            Move::Start(_) | Move::Answer(_) | Move::BeginRead => {}
        }
    }
}

fn model(max: usize) -> Model {
    let room = Room::new("http://m".to_owned(), Shares::new(max));
    Model { room, now: Duration::ZERO, running: 0, sent: vec![], read: None }
}

proptest! {
    #[test]
    fn never_more_than_the_maximum_run(max in 2usize..12, moves in prop::collection::vec(any_move(), 0..200)) {
        let mut model = model(max);
        for step in moves {
            model.make(step);
            prop_assert!(model.running <= max);
        }
    }

    #[test]
    fn what_can_wait_leaves_room_for_people(
        max in 5usize..20,
        moves in prop::collection::vec(any_move(), 0..200),
    ) {
        let mut model = model(max);
        for step in moves {
            let step = match step {
                Move::Ask(ask) => Move::Ask(Ask { haste: Haste::Usual, ..ask }),
                other => other,
            };
            model.make(step);
            prop_assert!(model.running <= max * 4 / 5);
        }
        // One read that began after all answers, and a person comes in.
        model.make(Move::EndRead { fails: true });
        for step in [Move::BeginRead, Move::EndRead { fails: false }] {
            model.make(step);
        }
        let urgent = ask(Haste::Urgent, 1, true);
        if model.running + model.sent.len() * 2 < max {
            prop_assert!(matches!(model.room.ask(model.now, &urgent), Decision::Admit(_)));
        }
    }

    #[test]
    fn whoever_waits_comes_in_when_all_has_ended(moves in prop::collection::vec(any_move(), 0..200)) {
        let mut model = model(3);
        for step in moves {
            model.make(step);
        }
        while !model.sent.is_empty() {
            model.make(Move::Answer(0));
        }
        model.running = 0;
        model.make(Move::EndRead { fails: true });
        model.make(Move::Wait(700));
        let patient = ask(Haste::Usual, 2, true);
        prop_assert_eq!(model.room.ask(model.now, &patient), Decision::Read);
        model.make(Move::BeginRead);
        model.make(Move::EndRead { fails: false });
        prop_assert!(matches!(model.room.ask(model.now, &patient), Decision::Admit(_)));
    }
}
