# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.pool import Pool, PoolMeta


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    def transition_replace(self):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        Tracking.give_back_merged(self.ask.source, self.ask.destination)
        return super().transition_replace()


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        return super().to_erase(party_id) + [
            (Tracking, [('party', '=', party_id)], True, ['draft'], [None]),
            ]
