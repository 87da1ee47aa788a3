//! What a test has ordered so far. Pure data; the connections follow it through a watch.

use std::time::Duration;

/// One of the two ways through a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// What the client sends.
    ToServer,
    /// What the server sends.
    ToClient,
}

/// What becomes of a connection at the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Door {
    #[default]
    Open,
    Refusing,
    BlackHole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Orders {
    pub(super) door: Door,
    /// Number of the last cut. A connection that was made before it has to end.
    pub(super) cuts: u64,
    pub(super) stalled: Ways<bool>,
    pub(super) pace: Pace,
}

impl Orders {
    /// Sets the door. What is there when a black hole ends has fallen in and goes with it, also if
    /// it never came to see the hole: a watch shows only the last order.
    pub(super) fn turn(&mut self, door: Door) {
        if self.door == Door::BlackHole && door != Door::BlackHole {
            self.cuts += 1;
        }
        self.door = door;
    }
}

/// One value for each way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ways<T> {
    to_server: T,
    to_client: T,
}

impl<T> Ways<T> {
    pub(super) fn of(&self, direction: Direction) -> &T {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }

    pub(super) fn of_mut(&mut self, direction: Direction) -> &mut T {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }
}

/// How fast bytes pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Pace {
    /// In each direction; 0 is no limit.
    pub(super) bytes_per_second: u64,
    pub(super) latency: Duration,
}

/// A slow link passes bytes in pieces of about this time, so that it looks even.
const PIECE: Duration = Duration::from_millis(10);

impl Pace {
    /// The most that may be written at once.
    pub(super) fn piece(self) -> usize {
        match self.bytes_per_second {
            0 => usize::MAX,
            rate => {
                let bytes = u128::from(rate) * PIECE.as_millis() / 1000;
                usize::try_from(bytes).unwrap_or(usize::MAX).max(1)
            }
        }
    }

    /// How long `bytes` keep the link busy.
    pub(super) fn time_for(self, bytes: usize) -> Duration {
        let nanos = (bytes as u64)
            .saturating_mul(1_000_000_000)
            .checked_div(self.bytes_per_second);
        Duration::from_nanos(nanos.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(bytes_per_second: u64) -> Pace {
        Pace {
            bytes_per_second,
            latency: Duration::ZERO,
        }
    }

    #[test]
    fn what_is_there_when_a_black_hole_ends_is_cut_and_no_other_turn_cuts() {
        let mut orders = Orders::default();
        let mut cuts_after = |door| {
            orders.turn(door);
            orders.cuts
        };
        assert_eq!(cuts_after(Door::Refusing), 0);
        assert_eq!(cuts_after(Door::BlackHole), 0);
        assert_eq!(cuts_after(Door::BlackHole), 0);
        assert_eq!(cuts_after(Door::Open), 1);
        assert_eq!(cuts_after(Door::BlackHole), 1);
        assert_eq!(cuts_after(Door::Refusing), 2);
        assert_eq!(cuts_after(Door::Open), 2);
    }

    #[test]
    fn a_piece_is_ten_milliseconds_of_the_link_and_never_nothing() {
        assert_eq!(pace(100_000).piece(), 1000);
        assert_eq!(pace(5).piece(), 1);
        assert_eq!(pace(0).piece(), usize::MAX);
    }

    #[test]
    fn the_time_for_bytes_follows_the_rate() {
        assert_eq!(pace(1000).time_for(250), Duration::from_millis(250));
        assert_eq!(pace(0).time_for(250), Duration::ZERO);
    }
}
