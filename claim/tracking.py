# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.pool import Pool, PoolMeta


class Tracking(metaclass=PoolMeta):
    __name__ = 'sale.tracking'

    @classmethod
    def _naming_models(cls):
        pool = Pool()
        Claim = pool.get('sale.claim')
        return [*super()._naming_models(), Claim]
