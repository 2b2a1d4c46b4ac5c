# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from trytond.model import (
    DeactivableMixin, ModelSQL, ModelView, fields, sequence_ordered)
from trytond.modules.company.model import CompanyValueMixin
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval, Id

_dial_protocol = fields.Selection([
        ('tel', "Telephone (tel:)"),
        ('sip', "Internet Phone (sip:)"),
        ('callto', "Call (callto:)"),
        ], "Dial With", sort=False,
    help="What opens the links that dial a phone number.")
_planning_time = fields.Time(
    "Plan At", required=True, format='%H:%M',
    help="When what is planned for a day without an hour is done.")
_report_rows = fields.Integer(
    "Ask Above",
    domain=['OR',
        ('report_rows', '=', None),
        ('report_rows', '>', 0),
        ],
    help="From how many rows on the users are asked before a report is "
    "made.\n"
    "Leave empty to never ask.")


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
    dial_protocol = fields.MultiValue(_dial_protocol)
    planning_time = fields.MultiValue(_planning_time)
    report_rows = fields.MultiValue(_report_rows)

    @classmethod
    def multivalue_model(cls, field):
        pool = Pool()
        if field == 'tracking_sequence':
            return pool.get('sale.configuration.sequence')
        elif field == 'dial_protocol':
            return pool.get('sale.configuration.phone')
        elif field == 'planning_time':
            return pool.get('sale.configuration.planning')
        elif field == 'report_rows':
            return pool.get('sale.configuration.report')
        return super().multivalue_model(field)

    @classmethod
    def default_tracking_sequence(cls, **pattern):
        return cls.multivalue_model(
            'tracking_sequence').default_tracking_sequence()

    @classmethod
    def default_dial_protocol(cls, **pattern):
        return cls.multivalue_model('dial_protocol').default_dial_protocol()

    @classmethod
    def default_planning_time(cls, **pattern):
        return cls.multivalue_model('planning_time').default_planning_time()

    @classmethod
    def default_report_rows(cls, **pattern):
        return cls.multivalue_model('report_rows').default_report_rows()


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


class ConfigurationPhone(ModelSQL, CompanyValueMixin):
    __name__ = 'sale.configuration.phone'

    dial_protocol = _dial_protocol

    @classmethod
    def default_dial_protocol(cls):
        return 'tel'


class ConfigurationPlanning(ModelSQL, CompanyValueMixin):
    __name__ = 'sale.configuration.planning'

    planning_time = _planning_time

    @classmethod
    def default_planning_time(cls):
        return dt.time(9)


class ConfigurationReport(ModelSQL, CompanyValueMixin):
    __name__ = 'sale.configuration.report'

    report_rows = _report_rows

    @classmethod
    def default_report_rows(cls):
        return 10_000


class BusinessUnit(
        sequence_ordered(), DeactivableMixin, ModelSQL, ModelView):
    __name__ = 'sale.business_unit'

    name = fields.Char(
        "Name", required=True, translate=True,
        help="The line of business that a tracking is about.")
    company = fields.Many2One(
        'company.company', "Company",
        help="Leave empty to share the business unit between all companies.")
