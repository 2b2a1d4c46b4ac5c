# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from trytond.pool import Pool
from trytond.transaction import without_check_access

from .moment import now, this_minute, to_local, to_utc

STEPS = [
    (None, ""),
    ('hour', "In 1 Hour"),
    ('afternoon', "This Afternoon"),
    ('tomorrow', "Tomorrow"),
    ('days', "In 3 Days"),
    ('week', "In 1 Week"),
    ('other', "On Another Date"),
    ]
_HOUR = dt.timedelta(hours=1)
_AFTERNOON = dt.time(16)
_DAYS = {'tomorrow': 1, 'days': 3, 'week': 7}


def planning_time(company):
    "Return from when on the company plans what has to be done on a day"
    pool = Pool()
    Configuration = pool.get('sale.configuration')
    with without_check_access():
        return Configuration(1).get_multivalue(
            'planning_time', company=company.id if company else None)


def with_time(company, moment):
    """Return the moment at the planning time if it has no hour

    What is typed without an hour comes as midnight of the company."""
    local = to_local(company, moment)
    if local.time() != dt.time():
        return moment
    return to_utc(
        company, dt.datetime.combine(local.date(), planning_time(company)))


def step_date(company, step):
    "Return when the step is, or None if it tells no date"
    later = this_minute() + _HOUR
    today = to_local(company, now()).date()
    if step == 'hour':
        return later
    elif step == 'afternoon':
        return max(later, to_utc(
                company, dt.datetime.combine(today, _AFTERNOON)))
    elif step in _DAYS:
        return to_utc(company, dt.datetime.combine(
                today + dt.timedelta(days=_DAYS[step]),
                planning_time(company)))
