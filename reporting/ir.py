# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.pool import PoolMeta


class Rule(metaclass=PoolMeta):
    __name__ = 'ir.rule'

    @classmethod
    def _own_models(cls):
        return super()._own_models() | {
            'sale.call.reporting.done',
            'sale.call.reporting.pending',
            'sale.call.reporting.potential',
            'sale.tracking.reporting.assignment',
            'sale.tracking.reporting.customer',
            'sale.tracking.reporting.unattended',
            }
