# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.model import (
    DeactivableMixin, ModelSQL, ModelView, fields, sequence_ordered)
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval, Id


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

    @classmethod
    def multivalue_model(cls, field):
        pool = Pool()
        if field == 'tracking_sequence':
            return pool.get('sale.configuration.sequence')
        return super().multivalue_model(field)

    @classmethod
    def default_tracking_sequence(cls, **pattern):
        return cls.multivalue_model(
            'tracking_sequence').default_tracking_sequence()


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


class BusinessUnit(
        sequence_ordered(), DeactivableMixin, ModelSQL, ModelView):
    __name__ = 'sale.business_unit'

    name = fields.Char(
        "Name", required=True, translate=True,
        help="The line of business that a tracking is about.")
    company = fields.Many2One(
        'company.company', "Company",
        help="Leave empty to share the business unit between all companies.")
