//! Firings as a table or JSON: in their zone, in UTC, and what a change of the clocks does to them.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use naq::{DstMark, Firing};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::CliError;
use crate::output::Table;

/// Prints `firings` in `zone`.
pub(super) fn show(
    context: &Context,
    zone: &str,
    firings: &[Firing],
    as_json: bool,
) -> Result<(), CliError> {
    if as_json {
        let firings: Vec<Value> = firings.iter().map(|f| described(f, zone)).collect();
        let all = json!({ "zone": zone, "firings": firings });
        return Ok(context.output.json(&all)?);
    }
    if firings.is_empty() {
        context.output.note("it does not fire any more");
        return Ok(());
    }
    let mut table = Table::new(&[zone, "UTC", "CHANGE OF THE CLOCKS"]);
    for firing in firings {
        let at = local(firing, zone);
        table.row([
            at.strftime("%a %Y-%m-%d %H:%M:%S%.f %:z").to_string(),
            at.with_time_zone(TimeZone::UTC)
                .strftime("%Y-%m-%d %H:%M:%S%.f")
                .to_string(),
            explained(firing.mark()).to_owned(),
        ]);
    }
    Ok(context.output.table(table)?)
}

/// One firing: instant, local time, and the mark.
pub(super) fn described(firing: &Firing, zone: &str) -> Value {
    let at = local(firing, zone);
    json!({
        "at": at.timestamp().to_string(),
        "local": at.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string(),
        "dst": firing.mark(),
    })
}

fn local(firing: &Firing, zone: &str) -> Zoned {
    let at = Timestamp::try_from(firing.time()).unwrap_or(Timestamp::MAX);
    at.to_zoned(TimeZone::get(zone).unwrap_or(TimeZone::UTC))
}

fn explained(mark: DstMark) -> &'static str {
    match mark {
        DstMark::MadeUp => "made up: the clock skips its time",
        DstMark::FirstPass => "first of two passes",
        DstMark::SecondPass => "second of two passes",
        _ => "",
    }
}
