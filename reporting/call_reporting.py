# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from dateutil.relativedelta import relativedelta
from sql import Literal, Null, Union
from sql.aggregate import Count, Sum
from sql.conditionals import Case, Coalesce
from sql.operators import Exists

from trytond.model import ModelSQL, ModelView, UnionMixin, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.transaction import Transaction

from ..access import where_readable
from ..activity_mixin import ResultMixin
from ..contact_rate import ContactRateMixin
from ..moment import now
from ..tools import accepted_domain
from .tracking_reporting import (
    ReportingContext, ReportingMixin, ReportingPeriodContext, difference)


class Context(ReportingPeriodContext):
    __name__ = 'sale.call.reporting.context'
    _period = relativedelta(months=1)


class PendingContext(ReportingContext):
    __name__ = 'sale.call.reporting.pending.context'

    to_date = fields.Date(
        "Until",
        help="The calls planned until that day.\n"
        "Leave empty for all of them.")


class _Reporting(ReportingMixin):

    call = fields.Many2One('sale.call', "Call")
    date = fields.DateTime("Date", format='%H:%M')
    summary = fields.Char("Summary")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('date', 'DESC'), ('id', 'DESC')]

    @classmethod
    def _joins(cls):
        pool = Pool()
        Call = pool.get('sale.call')
        from_item, tables = super()._joins()
        tables['call'] = call = Call.__table__()
        from_item = from_item.join(
            call, condition=call.tracking == tables['tracking'].id)
        return from_item, tables

    @classmethod
    def _columns(cls, tables):
        call = tables['call']
        return super()._columns(tables) + [
            call.id.as_('call'),
            call.date.as_('date'),
            call.summary.as_('summary'),
            ]

    @classmethod
    def _column_id(cls, tables):
        return tables['call'].id

    @classmethod
    def _column_company(cls, tables):
        return tables['call'].company

    @property
    def origin(self):
        return self.call

    def get_rec_name(self, name):
        return self.call.rec_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('call.rec_name', *clause[1:])]


class _Done(_Reporting):

    done_by = fields.Many2One('company.employee', "Done By")
    description = fields.Text("Description")

    @classmethod
    def _columns(cls, tables):
        call = tables['call']
        return super()._columns(tables) + [
            call.done_by.as_('done_by'),
            call.description.as_('description'),
            ]

    @classmethod
    def _where(cls, tables):
        call = tables['call']
        return (
            super()._where(tables)
            & (call.state == 'done')
            & cls._where_period(call.date))


class Done(_Done):
    __name__ = 'sale.call.reporting.done'

    assignee = fields.Many2One('company.employee', "Assignee")
    direction = fields.Selection('get_directions', "Direction", sort=False)
    interest = fields.Selection('get_interests', "Interest", sort=False)
    kind = fields.Selection('get_kinds', "Kind")
    outcome = fields.Selection('get_outcomes', "Outcome", sort=False)
    duration = fields.TimeDelta("Duration")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.party.string = "Party"

    @classmethod
    def _joins(cls):
        "The calls, also those without tracking"
        pool = Pool()
        Call = pool.get('sale.call')
        Tracking = pool.get('sale.tracking')
        Typification = pool.get('party.typification')
        tables = {}
        tables['call'] = call = Call.__table__()
        tables['tracking'] = tracking = Tracking.__table__()
        tables['typification'] = typification = Typification.__table__()
        from_item = (call
            .join(tracking, 'LEFT', condition=call.tracking == tracking.id)
            .join(typification, 'LEFT',
                condition=(typification.party == call.party)
                & (typification.company == call.company)))
        return from_item, tables

    @classmethod
    def _columns(cls, tables):
        pool = Pool()
        Call = pool.get('sale.call')
        call = tables['call']
        return super()._columns(tables) + [
            call.assignee.as_('assignee'),
            call.direction.as_('direction'),
            call.interest.as_('interest'),
            Call._column_kind(call).as_('kind'),
            call.outcome.as_('outcome'),
            call.duration.as_('duration'),
            ]

    @classmethod
    def _column_party(cls, tables):
        return tables['call'].party

    @classmethod
    def _column_phone(cls, tables):
        return Coalesce(
            tables['call'].phone_number, super()._column_phone(tables))

    @classmethod
    def _column_operator(cls, tables):
        return tables['call'].done_by

    @classmethod
    def get_directions(cls):
        pool = Pool()
        Call = pool.get('sale.call')
        return Call.fields_get(['direction'])['direction']['selection']

    @classmethod
    def get_kinds(cls):
        pool = Pool()
        Call = pool.get('sale.call')
        return Call.fields_get(['kind'])['kind']['selection']

    @classmethod
    def get_outcomes(cls):
        pool = Pool()
        Call = pool.get('sale.call')
        return Call.fields_get(['outcome'])['outcome']['selection']


class Operator(ContactRateMixin, ModelSQL, ModelView):
    __name__ = 'sale.call.reporting.operator'

    company = fields.Many2One('company.company', "Company")
    done_by = fields.Many2One('company.employee', "Done By")
    number = fields.Integer("Calls")
    incoming = fields.Integer("Incoming")
    answered = fields.Integer("Answered")
    missed = fields.Integer("Missed")
    voicemail = fields.Integer("Voicemail")
    interest_0 = fields.Integer("No Answer")
    interest_1 = fields.Integer("No Interest")
    interest_2 = fields.Integer("Some Interest")
    interest_3 = fields.Integer("High Interest")
    duration = fields.TimeDelta("Time on the Phone")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('done_by.party', 'ASC'), ('id', 'ASC')]

    @classmethod
    def table_query(cls):
        pool = Pool()
        CallDone = pool.get('sale.call.reporting.done')
        call = CallDone.__table__()
        return call.select(
            *cls._columns(call), where=where_readable(CallDone, call),
            group_by=cls._group_by(call))

    @classmethod
    def _columns(cls, call):
        def count(condition):
            return Sum(Case((condition, 1), else_=0))
        return [
            call.done_by.as_('id'),
            call.company.as_('company'),
            call.done_by.as_('done_by'),
            Count(call.id).as_('number'),
            *cls._contact_columns(call),
            count(call.direction == 'incoming').as_('incoming'),
            *(count(call.outcome == name).as_(name)
                for name in ['answered', 'missed', 'voicemail']),
            *(count(call.interest == str(i)).as_(f'interest_{i}')
                for i in range(4)),
            Sum(call.duration).as_('duration'),
            ]

    @classmethod
    def _group_by(cls, call):
        return [call.company, call.done_by]

    def get_rec_name(self, name):
        return self.done_by.rec_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('done_by.rec_name', *clause[1:])]


class Potential(_Done):
    __name__ = 'sale.call.reporting.potential'

    opportunity = fields.Many2One('sale.opportunity', "Opportunity")
    next_activity = fields.DateTime("Next Activity", format='%H:%M')
    state = fields.Selection('get_states', "State", sort=False)

    @classmethod
    def _columns(cls, tables):
        tracking = tables['tracking']
        return super()._columns(tables) + [
            tracking.opportunity.as_('opportunity'),
            tracking.next_activity.as_('next_activity'),
            tracking.state.as_('state'),
            ]

    @classmethod
    def _where(cls, tables):
        return super()._where(tables) & (tables['call'].interest == '3')

    @property
    def origin(self):
        return self.tracking


class Pending(ResultMixin, UnionMixin, _Reporting):
    __name__ = 'sale.call.reporting.pending'

    assignee = fields.Many2One('company.employee', "Assignee")
    interest = fields.Selection('get_interests', "Last Interest", sort=False)
    last_activity = fields.DateTime("Last Activity", format='%H:%M')
    overdue = fields.Function(
        fields.Boolean("Overdue"), 'get_overdue', searcher='search_overdue')
    days_late = fields.Function(
        fields.Integer("Days Late"), 'get_overdue',
        searcher='search_days_late')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.date.string = "Planned Date"
        cls._order = [('date', 'ASC NULLS LAST'), ('id', 'ASC')]

    @staticmethod
    def union_models():
        return ['sale.call', 'sale.tracking']

    @classmethod
    def table_query(cls):
        "The pending calls and the open trackings that have none"
        from_item, tables = cls._joins()
        calls = from_item.select(
            *cls._columns(tables), where=cls._where(tables))
        from_item, tables = super(_Reporting, cls)._joins()
        trackings = from_item.select(
            *cls._columns(tables), where=cls._where(tables))
        return Union(calls, trackings, all_=True)

    @classmethod
    def _columns(cls, tables):
        tracking = tables['tracking']
        if call := tables.get('call'):
            columns = super()._columns(tables)
        else:
            columns = super(_Reporting, cls)._columns(tables) + [
                cls._fields[name].sql_cast(Literal(None)).as_(name)
                for name in ['call', 'date', 'summary']]
        return columns + [
            (call.assignee if call else tracking.operator).as_('assignee'),
            tracking.interest.as_('interest'),
            tracking.last_activity.as_('last_activity'),
            ]

    @classmethod
    def _column_id(cls, tables):
        if call := tables.get('call'):
            return cls.union_shard(call.id, 'sale.call')
        return cls.union_shard(tables['tracking'].id, 'sale.tracking')

    @classmethod
    def _column_company(cls, tables):
        return tables.get('call', tables['tracking']).company

    @classmethod
    def _column_operator(cls, tables):
        if call := tables.get('call'):
            return call.assignee
        return tables['tracking'].operator

    @classmethod
    def _where(cls, tables):
        pool = Pool()
        Call = pool.get('sale.call')
        where = super()._where(tables)
        if call := tables.get('call'):
            where &= call.state == 'pending'
            if to_date := Transaction().context.get('to_date'):
                where &= call.date < cls._moment(
                    to_date + dt.timedelta(days=1))
        else:
            tracking = tables['tracking']
            call = Call.__table__()
            where &= tracking.state == 'open'
            where &= ~Exists(call.select(
                    Literal(1),
                    where=(call.tracking == tracking.id)
                    & (call.state == 'pending')))
        return where

    @classmethod
    def order_overdue(cls, tables):
        table, _ = tables[None]
        return [Case((table.date < now(), 1), else_=0)]

    @classmethod
    def order_days_late(cls, tables):
        table, _ = tables[None]
        moment = now()
        return [Case(
                (table.date < moment,
                    difference(cls.date.sql_cast(moment), table.date)),
                else_=Null)]

    @classmethod
    def get_overdue(cls, rows, names):
        moment = now()
        values = {n: {} for n in names}
        for row in rows:
            overdue = bool(row.date and row.date < moment)
            if 'overdue' in names:
                values['overdue'][row.id] = overdue
            if 'days_late' in names:
                values['days_late'][row.id] = (
                    cls._days_since(row.date) if overdue else None)
        return values

    @classmethod
    def search_overdue(cls, name, clause):
        moment = now()
        return accepted_domain(clause, {
                True: [('date', '<', moment)],
                False: ['OR', ('date', '>=', moment), ('date', '=', None)],
                })

    @classmethod
    def search_days_late(cls, name, clause):
        _, operator, value = clause
        if value is None:
            return [('overdue', operator, False)]
        return [
            ('overdue', '=', True),
            cls._search_days_since('date', operator, value),
            ]

    @property
    def origin(self):
        return self.call or self.tracking

    @property
    def result_origin(self):
        return self.origin

    def get_rec_name(self, name):
        return self.origin.rec_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('tracking.rec_name', *clause[1:])]

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(Eval('overdue', False), 'danger', '')),
            ]
