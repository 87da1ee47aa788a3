"""What croniter and zoneinfo say about cron schedules: an implementation that is not ours.

Reads a JSON list of cases {cron, zone, dst, start, count} on standard input and writes, for each, the first firings
after `start` as seconds since 1970. croniter finds the local times; zoneinfo says which of them exist, and how often.
"""
import json
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from croniter import croniter

UTC = timezone.utc
# Local times come in order; their instants do, but for a fold, which is never longer.
MARGIN = timedelta(hours=27)


def instants(wall, zone, dst, every_hour):
    """The instants at which a local time fires."""
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) != wall:
        # In a gap `fold=1` lies before the change, `fold=0` after it.
        return [] if dst == "skip" or every_hour else [change(second, first, zone)]
    if first == second:
        return [first]
    return [first, second] if dst == "twice" or every_hour else [first]


def change(low, high, zone):
    """The first second after `low` with another offset."""
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def firings(case):
    zone, start = ZoneInfo(case["zone"]), datetime.fromtimestamp(case["start"], UTC)
    local = start.astimezone(zone).replace(tzinfo=None) - MARGIN
    seconds = len(case["cron"].split()) == 6
    walls = croniter(case["cron"], local, second_at_beginning=seconds, implement_cron_bug=True, max_years_between_matches=60)
    hours = walls.expanded[1]
    every_hour = hours == ["*"] or len(set(hours)) == 24
    found = set()
    while True:
        wall = walls.get_next(datetime)
        found.update(at for at in instants(wall, zone, case["dst"], every_hour) if at > start)
        if len(found) > case["count"]:
            settled = (wall - MARGIN).replace(tzinfo=zone).astimezone(UTC)
            done = sorted(at for at in found if at <= settled)
            if len(done) >= case["count"]:
                return [int(at.timestamp()) for at in done[: case["count"]]]


json.dump([firings(case) for case in json.load(sys.stdin)], sys.stdout)
