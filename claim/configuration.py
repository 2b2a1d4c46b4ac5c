# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.model import ModelSQL, fields
from trytond.modules.company.model import CompanyValueMixin
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval, Id

_claim_pause = fields.Selection([
        ('off', "Allowed"),
        ('warn', "Allowed with a Warning"),
        ('refuse', "Refused"),
        ], "Calls with Open Claim", required=True, sort=False,
    help="Whether customers with an open claim of a type that pauses calls "
    "may be called to sell.")


class Configuration(metaclass=PoolMeta):
    __name__ = 'sale.configuration'

    claim_sequence = fields.MultiValue(fields.Many2One(
            'ir.sequence', "Claim Sequence", required=True,
            domain=[
                ('company', 'in',
                    [Eval('context', {}).get('company', -1), None]),
                ('sequence_type', '=',
                    Id('sale_opportunity_management',
                        'sequence_type_claim')),
                ]))
    claim_pause = fields.MultiValue(_claim_pause)

    @classmethod
    def multivalue_model(cls, field):
        pool = Pool()
        if field in {'claim_sequence', 'claim_pause'}:
            return pool.get('sale.configuration.claim')
        return super().multivalue_model(field)

    @classmethod
    def default_claim_sequence(cls, **pattern):
        return cls.multivalue_model('claim_sequence').default_claim_sequence()

    @classmethod
    def default_claim_pause(cls, **pattern):
        return cls.multivalue_model('claim_pause').default_claim_pause()


class ConfigurationClaim(ModelSQL, CompanyValueMixin):
    __name__ = 'sale.configuration.claim'

    claim_sequence = fields.Many2One(
        'ir.sequence', "Claim Sequence", required=True,
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ('sequence_type', '=',
                Id('sale_opportunity_management', 'sequence_type_claim')),
            ])
    claim_pause = _claim_pause

    @classmethod
    def default_claim_sequence(cls):
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        try:
            return ModelData.get_id(
                'sale_opportunity_management', 'sequence_claim')
        except KeyError:
            return None

    @classmethod
    def default_claim_pause(cls):
        return 'warn'
