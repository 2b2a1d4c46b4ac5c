# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.pool import PoolMeta

from ..moment import now


class WorkRecord(metaclass=PoolMeta):
    __name__ = 'sale.activity.work.record'

    @classmethod
    def _parts(cls, employee):
        moment = now()
        promised = ('promised', 'sale.activity', [
                *cls._pending_domain(employee),
                ('kind', '=', 'call'),
                ('date', '<', moment),
                ('tracking.callback_date', '<', moment),
                ], [('date', 'ASC'), ('id', 'ASC')])
        return [promised, *super()._parts(employee)]

    @classmethod
    def _new_domain(cls, employee):
        # Those of a campaign come by its queue
        return [*super()._new_domain(employee), ('campaign', '=', None)]
