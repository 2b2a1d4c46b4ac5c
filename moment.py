# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from trytond.pool import Pool
from trytond.tools import timezone as tz


def now():
    "Return the current moment as it is stored: naive, in UTC, to the second"
    return (dt.datetime.now(dt.timezone.utc)
        .replace(tzinfo=None, microsecond=0))


def this_minute():
    "Return the current moment as activities store it: without seconds"
    return now().replace(second=0)


def minute_after(delay):
    "Return the first full minute that begins once the delay is over"
    moment = now() + delay
    if moment.second:
        moment += dt.timedelta(minutes=1)
    return moment.replace(second=0)


def next_hour():
    "Return a full hour that is not over when what is planned is saved"
    return (this_minute() + dt.timedelta(minutes=75)).replace(minute=0)


def company_timezone(company):
    "Return the time zone in which the company reads its dates"
    if company and company.timezone:
        return tz.ZoneInfo(company.timezone)
    return tz.UTC


def to_local(company, datetime):
    "Convert a stored moment to the time zone of the company"
    return (datetime
        .replace(tzinfo=dt.timezone.utc)
        .astimezone(company_timezone(company)))


def to_utc(company, datetime):
    "Convert a moment in the time zone of the company to what is stored"
    return (datetime
        .replace(tzinfo=company_timezone(company))
        .astimezone(dt.timezone.utc)
        .replace(tzinfo=None))


def days_since(company, datetime):
    "Return how many days of the company passed since the moment"
    return (
        to_local(company, now()).date()
        - to_local(company, datetime).date()).days


def format_moment(company, datetime):
    "Return a stored moment as the user reads it, in the time of the company"
    pool = Pool()
    Lang = pool.get('ir.lang')
    lang = Lang.get()
    return lang.strftime(to_local(company, datetime), f'{lang.date} %H:%M')
