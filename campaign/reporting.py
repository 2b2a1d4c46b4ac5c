# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from dateutil.relativedelta import relativedelta
from sql import Cast, Null
from sql.aggregate import Count, Min, Sum
from sql.conditionals import Case, NullIf
from sql.functions import Extract

from trytond import backend
from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import Transaction

from ..access import where_readable
from ..contact_rate import ContactRateMixin
from ..reporting.tracking_reporting import ReportingPeriodContext


class CallDone(metaclass=PoolMeta):
    __name__ = 'sale.call.reporting.done'

    campaign = fields.Many2One('sale.campaign', "Campaign")
    result = fields.Many2One('sale.campaign.result', "Result")
    attend_duration = fields.TimeDelta("Time Attended")

    @classmethod
    def _columns(cls, tables):
        call, tracking = tables['call'], tables['tracking']
        return super()._columns(tables) + [
            tracking.campaign.as_('campaign'),
            call.result.as_('result'),
            call.attend_duration.as_('attend_duration'),
            ]


class Context(ReportingPeriodContext):
    __name__ = 'sale.campaign.reporting.context'
    _period = relativedelta(months=1)

    campaigns = fields.Many2Many(
        'sale.campaign', None, None, "Campaigns",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="Leave empty for all of them.")


class _Reporting(ModelSQL, ModelView):

    company = fields.Many2One('company.company', "Company")
    campaign = fields.Many2One('sale.campaign', "Campaign")
    done_by = fields.Many2One('company.employee', "Done By")
    number = fields.Integer("Calls")

    @classmethod
    def table_query(cls):
        pool = Pool()
        CallDone = pool.get('sale.call.reporting.done')
        call = CallDone.__table__()
        where = (
            (call.campaign != Null) & (call.result != Null)
            & where_readable(CallDone, call))
        if campaigns := Transaction().context.get('campaigns'):
            where &= fields.SQL_OPERATORS['in'](
                call.campaign, list(campaigns))
        return call.select(
            *cls._columns(call), where=where, group_by=cls._group_by(call))

    @classmethod
    def _columns(cls, call):
        return [
            Min(call.id).as_('id'),
            call.company.as_('company'),
            call.campaign.as_('campaign'),
            call.done_by.as_('done_by'),
            Count(call.id).as_('number'),
            ]

    @classmethod
    def _group_by(cls, call):
        return [call.company, call.campaign, call.done_by]

    def get_rec_name(self, name):
        return ' '.join([self.campaign.rec_name, self.done_by.rec_name])

    @classmethod
    def search_rec_name(cls, name, clause):
        _, operator, *extra = clause
        if operator.startswith('!') or operator.startswith('not '):
            bool_op = 'AND'
        else:
            bool_op = 'OR'
        return [bool_op,
            ('campaign.rec_name', operator, *extra),
            ('done_by.rec_name', operator, *extra),
            ]


class Operator(ContactRateMixin, _Reporting):
    __name__ = 'sale.campaign.reporting.operator'

    answered = fields.Integer("Answered")
    missed = fields.Integer("Missed")
    won = fields.Integer(
        "High Interest", help="The calls that ended with high interest.")
    attend_duration = fields.TimeDelta(
        "Time Attended",
        help="How long the operator worked on the customers.")
    per_hour = fields.Float(
        "Calls per Hour", digits=(None, 1),
        help="How many calls the operator made in each hour of work.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [
            ('campaign.name', 'ASC'),
            ('done_by.party', 'ASC'),
            ('id', 'ASC'),
            ]

    @classmethod
    def _columns(cls, call):
        def count(condition):
            return Sum(Case((condition, 1), else_=0))
        number = Count(call.id)
        duration = Sum(call.attend_duration)
        if backend.name == 'sqlite':
            seconds = duration
        else:
            seconds = Extract('EPOCH', duration)
        float_ = cls.per_hour.sql_type().base
        return super()._columns(call) + [
            count(call.outcome == 'answered').as_('answered'),
            count(call.outcome == 'missed').as_('missed'),
            *cls._contact_columns(call),
            count(call.interest == '3').as_('won'),
            duration.as_('attend_duration'),
            (Cast(number, float_) * 3600
                / NullIf(Cast(seconds, float_), 0)).as_('per_hour'),
            ]


class Result(_Reporting):
    __name__ = 'sale.campaign.reporting.result'

    result = fields.Many2One('sale.campaign.result', "Result")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [
            ('campaign.name', 'ASC'),
            ('result', 'ASC'),
            ('done_by.party', 'ASC'),
            ('id', 'ASC'),
            ]

    @classmethod
    def _columns(cls, call):
        return super()._columns(call) + [
            call.result.as_('result'),
            ]

    @classmethod
    def _group_by(cls, call):
        return super()._group_by(call) + [call.result]
