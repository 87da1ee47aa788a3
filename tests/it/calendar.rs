//! Our calendar against another one: croniter and zoneinfo, in Python.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use naq_jobs::{Dst, Timetable};
use serde::Serialize;

use crate::python::from_pypi;

const CRONITER: &str = "croniter==6.0.0";

/// Zones with changes at midnight, of half an hour, of two hours, of a whole day, four times a year, and none.
const ZONES: [&str; 24] = [
    "UTC",
    "Europe/Amsterdam",
    "Europe/London",
    "Europe/Lisbon",
    "America/New_York",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Asuncion",
    "America/Havana",
    "America/St_Johns",
    "America/Scoresbysund",
    "Asia/Beirut",
    "Asia/Amman",
    "Asia/Tehran",
    "Asia/Kathmandu",
    "Asia/Gaza",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Antarctica/Troll",
];

#[derive(Debug, Serialize)]
struct Case {
    cron: String,
    zone: &'static str,
    dst: Dst,
    start: u64,
    count: usize,
}

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(u64::try_from(all.len()).unwrap())).unwrap()]
    }

    fn field(&mut self, min: u64, max: u64) -> String {
        let mut value = |from: u64| from + self.below(max - from + 1);
        let (a, b) = (value(min), value(min));
        let (low, high) = (a.min(b), a.max(b));
        match value(0) % 8 {
            0..=2 => "*".to_owned(),
            // croniter reads `4-4` as something else than 4.
            3 if low < high => format!("{low}-{high}"),
            4 => format!("*/{}", 1 + b % 20),
            5 => format!("{low},{high}"),
            6 if low < high => format!("{low}-{high}/{}", 1 + a % 5),
            _ => a.to_string(),
        }
    }

    fn cron(&mut self) -> String {
        let known = [
            "0 9 * * 1-5",
            "*/5 * * * *",
            "0 3 * * 0",
            "0 9-17 * * 1-5",
            "0 0 * * *",
            "30 2 * * *",
            "30 1,2 * * sun",
            "15,45 0 * 3,4,10,11 *",
            "0 0 29 2 *",
            "30 30 2 * * *",
            "0 0 13 * fri",
            "0 0 1 jan *",
        ];
        if self.below(3) == 0 {
            return self.of(&known).to_owned();
        }
        let (minute, hour) = (self.field(0, 59), self.field(0, 23));
        // Days that all months have, so that each expression fits some time.
        let (day, month) = (self.field(1, 28), self.field(1, 12));
        format!("{minute} {hour} {day} {month} {}", self.field(0, 6))
    }

    fn case(&mut self) -> Case {
        let start = 788_918_400 + self.below(42 * 365 * 24 * 3600);
        let cron = self.cron();
        Case {
            cron,
            zone: self.of(&ZONES),
            dst: self.of(&[Dst::Skip, Dst::Once, Dst::Twice]),
            start,
            count: 20,
        }
    }
}

fn ask_croniter(cases: &[Case]) -> Vec<Vec<u64>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/it/calendar_oracle.py");
    let mut child = Command::new("python3")
        .arg(script)
        .env("PYTHONPATH", from_pypi(CRONITER))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(&serde_json::to_vec(cases).unwrap())
        .unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// AC-14: the table of next times, over zones, years and policies.
#[test]
fn the_calendar_agrees_with_croniter_and_zoneinfo() {
    let mut dice = Dice(0x5EED);
    let cases: Vec<Case> = (0..300).map(|_| dice.case()).collect();
    let expected = ask_croniter(&cases);
    let mut differing = Vec::new();
    for (case, expected) in cases.iter().zip(&expected) {
        let table = Timetable::cron(&case.cron)
            .unwrap()
            .zone(case.zone)
            .unwrap();
        let table = table.dst(case.dst);
        let start = UNIX_EPOCH + Duration::from_secs(case.start);
        let ours = table.firings_after(start).take(case.count);
        let ours: Vec<u64> = ours
            .map(|firing| firing.time().duration_since(UNIX_EPOCH).unwrap().as_secs())
            .collect();
        if let Some((ours, theirs)) = ours.iter().zip(expected).find(|(a, b)| a != b) {
            let Case {
                cron, zone, dst, ..
            } = case;
            differing.push(format!(
                "{cron} in {zone}, {dst}: {ours} here, {theirs} there"
            ));
        }
        assert_eq!(ours.len(), expected.len());
    }
    assert!(differing.is_empty(), "{differing:#?}");
}
