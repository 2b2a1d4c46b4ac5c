# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from trytond.model import ModelSQL, fields
from trytond.modules.company.model import CompanyValueMixin
from trytond.pool import Pool, PoolMeta

_meeting_reminder = fields.TimeDelta(
    "Meeting Reminder",
    domain=['OR',
        ('meeting_reminder', '=', None),
        ('meeting_reminder', '>=', dt.timedelta()),
        ],
    help="How long before their meetings the employees are reminded.\n"
    "Leave empty for no reminder.")
_meeting_reply_to = fields.Char(
    "Meeting Reply Address",
    help="The e-mail address to which the calendars of the attendees send "
    "their answers.\n"
    "Leave empty to use the one of the organiser.")


class Configuration(metaclass=PoolMeta):
    __name__ = 'sale.configuration'

    meeting_reminder = fields.MultiValue(_meeting_reminder)
    meeting_reply_to = fields.MultiValue(_meeting_reply_to)

    @classmethod
    def multivalue_model(cls, field):
        pool = Pool()
        if field in {'meeting_reminder', 'meeting_reply_to'}:
            return pool.get('sale.configuration.meeting')
        return super().multivalue_model(field)

    @classmethod
    def default_meeting_reminder(cls, **pattern):
        return cls.multivalue_model(
            'meeting_reminder').default_meeting_reminder()


class ConfigurationMeeting(ModelSQL, CompanyValueMixin):
    __name__ = 'sale.configuration.meeting'

    meeting_reminder = _meeting_reminder
    meeting_reply_to = _meeting_reply_to

    @classmethod
    def default_meeting_reminder(cls):
        return dt.timedelta(minutes=15)
