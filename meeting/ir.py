# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.pool import PoolMeta

# Not from __init__: the scripts import the package before they load the
# configuration, which the routes need
from . import routes  # noqa: F401


class Cron(metaclass=PoolMeta):
    __name__ = 'ir.cron'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.method.selection.append(
            ('sale.meeting|send_missing_invitations',
                "Send Missing Meeting Invitations"))


class Rule(metaclass=PoolMeta):
    __name__ = 'ir.rule'

    @classmethod
    def _own_models(cls):
        return super()._own_models() | {
            'sale.meeting', 'sale.meeting.attendee'}
