# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""The yearly consumption of a supply point.

Its readings are irregular: a month, two months, some days after a change of
contract, twice the same period once it was corrected."""

import datetime as dt
from collections import namedtuple

YEAR = dt.timedelta(days=365)
# What was read of less days says nothing about a year
MIN_DAYS = 60
PERIODS = range(1, 7)

# The day of the start is not of the reading but of the one before.  energy
# and demand are lists of a number or None for each period.
Reading = namedtuple('Reading', 'start end estimated energy demand')


def _is_valid(reading):
    return (
        reading.start and reading.end and reading.start < reading.end
        and any(e is not None for e in reading.energy)
        and all(e is None or e >= 0 for e in reading.energy))


def _rank(reading):
    # What was read goes before what was estimated, then what tells more
    # precisely when the energy was consumed
    return (
        bool(reading.estimated), reading.end - reading.start,
        -reading.end.toordinal(), reading.start)


def get_annual(readings):
    """Return what was consumed in the year before the last reading

    Each day counts once, however many readings are about it.  What is known
    of less than a year is scaled to it, from two months on."""
    annual = dict.fromkeys([
            'annual_from', 'annual_to', 'annual_consumption',
            *(f'annual_p{i}' for i in PERIODS)])
    annual['annual_estimated'] = False
    readings = sorted(filter(_is_valid, readings), key=_rank)
    if not readings:
        return annual
    last = max(r.end for r in readings)
    first = last - YEAR
    days, totals, estimated = set(), [0] * len(PERIODS), False
    for reading in readings:
        covered = set(range(
                max(reading.start, first).toordinal() + 1,
                reading.end.toordinal() + 1)) - days
        if not covered:
            continue
        days |= covered
        estimated |= bool(reading.estimated)
        share = len(covered) / (reading.end - reading.start).days
        for i, energy in enumerate(reading.energy):
            totals[i] += (energy or 0) * share
    if len(days) < MIN_DAYS:
        return annual
    scale = YEAR.days / len(days)
    annual.update({
            f'annual_p{i}': round(t * scale, 3)
            for i, t in zip(PERIODS, totals)})
    annual['annual_consumption'] = round(sum(totals) * scale, 3)
    annual['annual_from'] = dt.date.fromordinal(min(days) - 1)
    annual['annual_to'] = last
    annual['annual_estimated'] = estimated or len(days) < YEAR.days
    return annual


def get_excess(readings, powers):
    """Return by how much the powers were exceeded in the year

    It is the most of any period of the year before the last reading, or None
    if nothing was."""
    readings = [r for r in readings if r.end]
    if not readings:
        return None
    first = max(r.end for r in readings) - YEAR
    excess = max((
            demand - power
            for r in readings if r.end > first
            for demand, power in zip(r.demand, powers)
            if demand is not None and power is not None), default=0)
    return round(excess, 3) if excess > 0 else None
