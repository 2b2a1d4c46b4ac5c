# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.pool import Pool, PoolMeta


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        DoNotCall = pool.get('sale.do_not_call')
        # The number stays, so that nobody calls it again
        return super().to_erase(party_id) + [
            (DoNotCall, [('number', 'in', self._get_numbers(party_id))],
                False, ['reason'], [None]),
            ]
