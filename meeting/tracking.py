# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.model import fields
from trytond.pool import PoolMeta
from trytond.pyson import Eval


class Tracking(metaclass=PoolMeta):
    __name__ = 'sale.tracking'

    meetings = fields.One2Many(
        'sale.meeting', 'tracking', "Meetings",
        states={
            'readonly': Eval('state') == 'closed',
            },
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        order=[('date', 'DESC'), ('id', 'DESC')])

    @classmethod
    def copy(cls, trackings, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('meetings')
        return super().copy(trackings, default=default)
