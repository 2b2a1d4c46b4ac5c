# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.model import fields
from trytond.pool import Pool, PoolMeta


class Party(metaclass=PoolMeta):
    __name__ = 'party.party'

    supply_points = fields.One2Many(
        'party.supply_point', 'party', "Supply Points")

    @classmethod
    def copy(cls, parties, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('supply_points')
        return super().copy(parties, default=default)


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('party.supply_point', 'party'),
            ]


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        SupplyPoint = pool.get('party.supply_point')
        # What was consumed tells of nobody without the CUPS and the address
        return super().to_erase(party_id) + [
            (SupplyPoint, [('party', '=', party_id)], True,
                ['active', 'cups', 'cups_point', 'contact', 'street',
                    'postal_code', 'city', 'municipality_code'],
                [False, '****', '****'] + [None] * 5),
            ]
