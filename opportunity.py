# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.pool import PoolMeta

from .follow_up import FollowedMixin


class Opportunity(FollowedMixin, metaclass=PoolMeta):
    __name__ = 'sale.opportunity'
    _tracking_field = 'opportunity'
    _follow_states = ['lead', 'opportunity']
