# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.model import ModelView
from trytond.pool import PoolMeta
from trytond.wizard import StateAction

from ..call_register import Plan


class Call(metaclass=PoolMeta):
    __name__ = 'sale.call'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update({
                'plan_meeting': {},
                })

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_call_plan_meeting')
    def plan_meeting(cls, calls):
        pass


class PlanMeeting(Plan):
    __name__ = 'sale.call.plan_meeting'
    _kind = 'meeting'

    open_ = StateAction('sale_opportunity_management.act_meeting_open')
