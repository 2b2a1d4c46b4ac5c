# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.model import fields
from trytond.pool import PoolMeta
from trytond.pyson import Eval

from .activity import FollowedMixin


class Opportunity(FollowedMixin, metaclass=PoolMeta):
    __name__ = 'sale.opportunity'
    _tracking_field = 'opportunity'

    trackings = fields.One2Many(
        'sale.tracking', 'opportunity', "Trackings",
        domain=[
            ('company', '=', Eval('company', -1)),
            ('party', '=', Eval('party', -1)),
            ],
        states={
            'readonly': ~Eval('party'),
            })

    @classmethod
    def copy(cls, opportunities, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('trackings')
        return super().copy(opportunities, default=default)
