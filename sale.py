# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.pool import PoolMeta

from .follow_up import FollowedMixin


class Sale(FollowedMixin, metaclass=PoolMeta):
    __name__ = 'sale.sale'
    _tracking_field = 'sale'
    _follow_states = ['draft', 'quotation']
