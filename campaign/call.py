# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from sql import Null

from trytond.model import Index, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import Transaction


class Call(metaclass=PoolMeta):
    __name__ = 'sale.call'

    result = fields.Many2One(
        'sale.campaign.result', "Result", ondelete='RESTRICT', readonly=True,
        states={
            'invisible': ~Eval('result'),
            },
        help="What the call of the campaign ended with.")
    attend_duration = fields.TimeDelta(
        "Time Attended", readonly=True,
        states={
            'invisible': ~Eval('attend_duration'),
            },
        help="How long the operator worked on the customer, "
        "until the result was saved.")
    attend_turn = fields.Integer(
        "Saved Before", readonly=True,
        help="How many times the customer was saved before this call.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t,
                (t.result, Index.Range()),
                (t.tracking, Index.Equality()),
                where=t.result != Null))

    @classmethod
    def on_modification(cls, mode, calls, field_names=None):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        super().on_modification(mode, calls, field_names=field_names)
        if (mode == 'write'
                and (field_names is None
                    or {'planned_date', 'state'} & field_names)
                and not Transaction().context.get('_campaign_queue')):
            Tracking.update_callbacks({c.tracking for c in calls})

    @classmethod
    def _facts(cls):
        return super()._facts() | {
            'result', 'attend_duration', 'attend_turn'}

    @classmethod
    def copy(cls, calls, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('result')
        default.setdefault('attend_duration')
        default.setdefault('attend_turn')
        return super().copy(calls, default=default)

    @classmethod
    def cancel_closed(cls, calls):
        # The promise comes back with the tracking
        with Transaction().set_context(_campaign_queue=True):
            super().cancel_closed(calls)
