# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import sys
from contextlib import ExitStack, contextmanager
from unittest.mock import patch
from zoneinfo import ZoneInfo

from proteus import Model, config

MODULE = 'sale_opportunity_management'
TIMEZONE = 'America/Bogota'


def ref(name, module=MODULE):
    "Return the id of the record of the module"
    ModelData = Model.get('ir.model.data')
    return ModelData.get_id(f'{module}.{name}', config.get_config().context)


def progress(text):
    print(f"  {text}", flush=True)


def local(year_day, hour, minute=0):
    "Return the moment in UTC of the time of the day in the company"
    return (dt.datetime.combine(
            year_day, dt.time(hour, minute), ZoneInfo(TIMEZONE))
        .astimezone(dt.timezone.utc)
        .replace(tzinfo=None))


def workday(day, days=0):
    "Return the working day that is some days later, or the first after it"
    day += dt.timedelta(days=days)
    while day.weekday() >= 5:
        day += dt.timedelta(days=1)
    return day


@contextmanager
def clock(database, moment):
    "Set the clock of the server to the moment, which is in UTC"
    from trytond.pool import Pool
    Date = Pool(database).get('ir.date')
    today = (moment
        .replace(tzinfo=dt.timezone.utc)
        .astimezone(ZoneInfo(TIMEZONE))
        .date())
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if (name.startswith(f'trytond.modules.{MODULE}')
                    and hasattr(module, 'now')):
                stack.enter_context(
                    patch.object(module, 'now', lambda: moment))
        stack.enter_context(patch.object(
                Date, 'today', staticmethod(lambda timezone=None: today)))
        yield


@contextmanager
def no_mail():
    "Let what is sent by e-mail go nowhere while the history is made"
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if (name.startswith(f'trytond.modules.{MODULE}')
                    and hasattr(module, 'send_message_transactional')):
                stack.enter_context(patch.object(
                        module, 'send_message_transactional',
                        lambda *args, **kwargs: None))
        yield
