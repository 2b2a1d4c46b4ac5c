# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from trytond.model import (
    DeactivableMixin, ModelSQL, ModelView, fields, sequence_ordered)
from trytond.modules.company.model import CompanyValueMixin
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval, Id

_campaign_release_delay = fields.TimeDelta(
    "Give Back After",
    domain=[
        ('campaign_release_delay', '>', dt.timedelta()),
        ],
    help="How long the operators of new campaigns keep a customer "
    "without saving.")
_campaign_return_delay = fields.TimeDelta(
    "Come Again After",
    domain=[
        ('campaign_return_delay', '>=', dt.timedelta()),
        ],
    help="How long a customer of new campaigns waits "
    "when the operator skipped it or left only a comment.")
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
_dial_protocol = fields.Selection([
        ('tel', "Telephone (tel:)"),
        ('sip', "Internet Phone (sip:)"),
        ('callto', "Call (callto:)"),
        ], "Dial With", sort=False,
    help="What opens the links that dial a phone number.")


class Configuration(metaclass=PoolMeta):
    __name__ = 'sale.configuration'

    tracking_sequence = fields.MultiValue(fields.Many2One(
            'ir.sequence', "Tracking Sequence", required=True,
            domain=[
                ('company', 'in',
                    [Eval('context', {}).get('company', -1), None]),
                ('sequence_type', '=',
                    Id('sale_opportunity_management',
                        'sequence_type_tracking')),
                ]))
    campaign_release_delay = fields.MultiValue(_campaign_release_delay)
    campaign_return_delay = fields.MultiValue(_campaign_return_delay)
    dial_protocol = fields.MultiValue(_dial_protocol)
    meeting_reminder = fields.MultiValue(_meeting_reminder)
    meeting_reply_to = fields.MultiValue(_meeting_reply_to)

    @classmethod
    def multivalue_model(cls, field):
        pool = Pool()
        if field == 'tracking_sequence':
            return pool.get('sale.configuration.sequence')
        elif field in {
                'campaign_release_delay', 'campaign_return_delay',
                'dial_protocol'}:
            return pool.get('sale.configuration.campaign')
        elif field in {'meeting_reminder', 'meeting_reply_to'}:
            return pool.get('sale.configuration.meeting')
        return super().multivalue_model(field)

    @classmethod
    def default_tracking_sequence(cls, **pattern):
        return cls.multivalue_model(
            'tracking_sequence').default_tracking_sequence()

    @classmethod
    def default_campaign_release_delay(cls, **pattern):
        return cls.multivalue_model(
            'campaign_release_delay').default_campaign_release_delay()

    @classmethod
    def default_campaign_return_delay(cls, **pattern):
        return cls.multivalue_model(
            'campaign_return_delay').default_campaign_return_delay()

    @classmethod
    def default_dial_protocol(cls, **pattern):
        return cls.multivalue_model('dial_protocol').default_dial_protocol()

    @classmethod
    def default_meeting_reminder(cls, **pattern):
        return cls.multivalue_model(
            'meeting_reminder').default_meeting_reminder()


class ConfigurationSequence(metaclass=PoolMeta):
    __name__ = 'sale.configuration.sequence'

    tracking_sequence = fields.Many2One(
        'ir.sequence', "Tracking Sequence", required=True,
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ('sequence_type', '=',
                Id('sale_opportunity_management', 'sequence_type_tracking')),
            ])

    @classmethod
    def default_tracking_sequence(cls):
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        try:
            return ModelData.get_id(
                'sale_opportunity_management', 'sequence_tracking')
        except KeyError:
            return None


class ConfigurationCampaign(ModelSQL, CompanyValueMixin):
    __name__ = 'sale.configuration.campaign'

    campaign_release_delay = _campaign_release_delay
    campaign_return_delay = _campaign_return_delay
    dial_protocol = _dial_protocol

    @classmethod
    def default_campaign_release_delay(cls):
        return dt.timedelta(minutes=10)

    @classmethod
    def default_campaign_return_delay(cls):
        return dt.timedelta(minutes=30)

    @classmethod
    def default_dial_protocol(cls):
        return 'tel'


class ConfigurationMeeting(ModelSQL, CompanyValueMixin):
    __name__ = 'sale.configuration.meeting'

    meeting_reminder = _meeting_reminder
    meeting_reply_to = _meeting_reply_to

    @classmethod
    def default_meeting_reminder(cls):
        return dt.timedelta(minutes=15)


class BusinessUnit(
        sequence_ordered(), DeactivableMixin, ModelSQL, ModelView):
    __name__ = 'sale.business_unit'

    name = fields.Char(
        "Name", required=True, translate=True,
        help="The line of business that a tracking is about.")
    company = fields.Many2One(
        'company.company', "Company",
        help="Leave empty to share the business unit between all companies.")
