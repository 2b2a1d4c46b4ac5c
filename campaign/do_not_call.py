# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from collections import defaultdict

from trytond.pool import Pool, PoolMeta


class DoNotCall(metaclass=PoolMeta):
    __name__ = 'sale.do_not_call'

    @classmethod
    def on_modification(cls, mode, records, field_names=None):
        super().on_modification(mode, records, field_names=field_names)
        if mode == 'create' or (
                mode == 'write' and field_names & {'number', 'company'}):
            cls._follow(records)()

    @classmethod
    def on_write(cls, records, values):
        callbacks = super().on_write(records, values)
        if values.keys() & {'number', 'company'}:
            callbacks.append(cls._follow(records))
        return callbacks

    @classmethod
    def on_delete(cls, records):
        callbacks = super().on_delete(records)
        callbacks.append(cls._follow(records))
        return callbacks

    @classmethod
    def _follow(cls, records):
        "Return the function by which the queue follows the numbers of now"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        numbers = defaultdict(set)
        for record in records:
            numbers[record.company].add(record.number)

        def follow():
            for company, values in numbers.items():
                Tracking.follow_do_not_call(company, values)
        return follow
