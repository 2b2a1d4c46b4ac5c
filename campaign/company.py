# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.pool import Pool, PoolMeta


class Employee(metaclass=PoolMeta):
    __name__ = 'company.employee'

    @classmethod
    def _teams(cls):
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        return super()._teams() + [
            (Campaign, 'operators', [('state', '!=', 'done')]),
            ]
