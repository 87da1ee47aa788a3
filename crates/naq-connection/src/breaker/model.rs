//! The machine against a simple model, and against every order in which calls can overlap.

use std::collections::HashSet;

use proptest::prelude::*;

use super::machine::{CircuitState, Machine, Millis, Rules, Stage, Ticket};

const RULES: Rules = Rules {
    threshold: 2,
    recovery: 2,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Ending {
    Succeeds,
    Fails,
    ProvesNothing,
}

const ENDINGS: [Ending; 3] = [Ending::Succeeds, Ending::Fails, Ending::ProvesNothing];

fn end(machine: Machine, ticket: Ticket, ending: Ending, now: Millis) -> Machine {
    match ending {
        Ending::Succeeds => machine.succeeded(ticket),
        Ending::Fails => machine.failed(ticket, RULES, now),
        Ending::ProvesNothing => machine.abandoned(ticket),
    }
}

/// The textbook breaker, for calls one after the other.
#[derive(Debug)]
struct Textbook {
    failures: u32,
    opened: Option<Millis>,
}

impl Textbook {
    fn call(&mut self, ending: Ending, now: Millis) -> bool {
        if self.opened.is_some_and(|at| now < at + RULES.recovery) {
            return false;
        }
        match ending {
            Ending::Succeeds => (self.failures, self.opened) = (0, None),
            Ending::Fails => {
                self.failures += 1;
                if self.failures >= RULES.threshold {
                    self.opened = Some(now);
                }
            }
            Ending::ProvesNothing => {}
        }
        true
    }
}

proptest! {
    #[test]
    fn calls_one_after_the_other_behave_as_in_the_textbook(
        steps in prop::collection::vec((0..3_u64, prop::sample::select(&ENDINGS[..])), 1..100),
    ) {
        let (mut now, mut machine) = (0, Machine::NEW);
        let mut textbook = Textbook { failures: 0, opened: None };
        for (pause, ending) in steps {
            now += pause;
            let (admitted, ticket) = machine.admit(now);
            machine = admitted;
            prop_assert_eq!(ticket.is_ok(), textbook.call(ending, now));
            if let Ok(ticket) = ticket {
                machine = end(machine, ticket, ending, now);
            }
            let closed = machine.state() == CircuitState::Closed;
            prop_assert_eq!(closed, textbook.opened.is_none());
        }
    }
}

/// Calls that overlap; each is not begun, on its way, or over.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    machine: Machine,
    now: Millis,
    calls: [Call; 6],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Call {
    Waiting,
    Running(Ticket),
    Over,
}

const END_OF_TIME: Millis = 6;

impl World {
    fn check(&self) {
        let live = self.calls.iter().filter(
            |call| matches!(call, Call::Running(ticket) if self.machine.is_current(*ticket)),
        );
        match self.machine.stage {
            Stage::Probing => assert_eq!(live.count(), 1, "one probe: {self:?}"),
            Stage::Open { .. } | Stage::Free => assert_eq!(live.count(), 0, "{self:?}"),
            Stage::Closed { failures } => assert!(failures < RULES.threshold, "{self:?}"),
        }
    }

    fn successors(&self) -> Vec<Self> {
        let mut successors = Vec::new();
        if self.now < END_OF_TIME {
            successors.push(Self {
                now: self.now + 1,
                ..self.clone()
            });
        }
        for (index, call) in self.calls.iter().enumerate() {
            match *call {
                Call::Waiting => successors.push(self.begin(index)),
                Call::Running(ticket) => {
                    successors.extend(ENDINGS.map(|ending| self.end(index, ticket, ending)));
                }
                Call::Over => {}
            }
        }
        successors
    }

    fn begin(&self, index: usize) -> Self {
        let mut next = self.clone();
        let (machine, ticket) = self.machine.admit(self.now);
        if self.machine.stage == Stage::Probing {
            assert!(ticket.is_err(), "a second probe: {self:?}");
        }
        next.machine = machine;
        next.calls[index] = ticket.map_or(Call::Over, Call::Running);
        next
    }

    fn end(&self, index: usize, ticket: Ticket, ending: Ending) -> Self {
        let mut next = self.clone();
        next.machine = end(self.machine, ticket, ending, self.now);
        next.calls[index] = Call::Over;
        if !self.machine.is_current(ticket) {
            assert_eq!(
                next.machine, self.machine,
                "a late result counted: {self:?}"
            );
        }
        next
    }
}

#[test]
fn in_every_order_of_six_calls_there_is_one_probe_and_late_results_do_not_count() {
    let start = World {
        machine: Machine::NEW,
        now: 0,
        calls: [Call::Waiting; 6],
    };
    let (mut seen, mut open) = (HashSet::from([start.clone()]), vec![start]);
    let mut reopened = false;
    while let Some(world) = open.pop() {
        world.check();
        reopened |= matches!(world.machine.stage, Stage::Open { due } if due > 4);
        for next in world.successors() {
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    assert!(reopened && seen.len() > 10_000, "{} worlds", seen.len());
}
