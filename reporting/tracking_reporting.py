# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from dateutil.relativedelta import relativedelta
from sql import Cast, Literal, Null
from sql.aggregate import Count
from sql.conditionals import Case, Coalesce
from sql.functions import Function

from trytond import backend
from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.transaction import Transaction, without_check_access
from trytond.wizard import StateAction, StateTransition, Wizard

from ..moment import now, to_local, to_utc
from ..party import PHONE_TYPES, RATINGS


class _JulianDay(Function):
    __slots__ = ()
    _function = 'JULIANDAY'


def difference(end, start):
    "Return the SQL expression of the time between two dates or moments"
    if backend.name == 'sqlite':
        return _JulianDay(end) - _JulianDay(start)
    return end - start


class ReportingContext(ModelView):

    company = fields.Many2One('company.company', "Company", required=True)
    operators = fields.Many2Many(
        'company.employee', None, None, "Operators",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="Leave empty for all of them.")
    business_units = fields.Many2Many(
        'sale.business_unit', None, None, "Business Units",
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        help="Leave empty for all of them.")
    channels = fields.Many2Many(
        'sale.channel', None, None, "Channels",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="Leave empty for all of them.")

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')


class ReportingPeriodContext(ReportingContext):

    from_date = fields.Date(
        "From Date",
        domain=[
            If(Eval('to_date') & Eval('from_date'),
                ('from_date', '<=', Eval('to_date')),
                ()),
            ])
    to_date = fields.Date(
        "To Date",
        domain=[
            If(Eval('from_date') & Eval('to_date'),
                ('to_date', '>=', Eval('from_date')),
                ()),
            ])

    @classmethod
    def default_from_date(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        context = Transaction().context
        if 'from_date' in context:
            return context['from_date']
        return Date.today() - cls._period

    @classmethod
    def default_to_date(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        context = Transaction().context
        if 'to_date' in context:
            return context['to_date']
        return Date.today()


class CustomerContext(ReportingPeriodContext):
    __name__ = 'sale.tracking.reporting.customer.context'
    _period = relativedelta(years=1)

    state = fields.Selection([
            (None, "Open and Closed"),
            ('open', "Open"),
            ('closed', "Closed"),
            ], "State", sort=False)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.from_date.help = "The trackings started since that day."
        cls.to_date.help = "The trackings started until that day."


class AssignmentContext(ReportingContext):
    __name__ = 'sale.tracking.reporting.assignment.context'

    assignment = fields.Selection([
            (None, "Unassigned and Assigned"),
            ('unassigned', "Unassigned"),
            ('assigned', "Assigned"),
            ], "Trackings", sort=False)


class ReportingMixin(ModelSQL, ModelView):

    company = fields.Many2One('company.company', "Company")
    tracking = fields.Many2One('sale.tracking', "Tracking")
    number = fields.Char("Number")
    party = fields.Many2One(
        'party.party', "Customer",
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    contact = fields.Many2One('party.contact', "Contact")
    # Not computed for the rows that a search only sorts
    phone = fields.Char("Phone", loading='lazy')
    city = fields.Char("City", loading='lazy')
    rating = fields.Selection(RATINGS, "Rating", sort=False, translate=False)
    business_unit = fields.Many2One('sale.business_unit', "Business Unit")
    channel = fields.Many2One('sale.channel', "Channel")
    operator = fields.Many2One('company.employee', "Operator")

    @classmethod
    def table_query(cls):
        from_item, tables = cls._joins()
        return from_item.select(
            *cls._columns(tables), where=cls._where(tables))

    @classmethod
    def _joins(cls):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        Typification = pool.get('party.typification')
        tables = {}
        tables['tracking'] = tracking = Tracking.__table__()
        tables['typification'] = typification = Typification.__table__()
        from_item = tracking.join(
            typification, 'LEFT',
            condition=(typification.party == tracking.party)
            & (typification.company == tracking.company))
        return from_item, tables

    @classmethod
    def _columns(cls, tables):
        tracking = tables['tracking']
        typification = tables['typification']
        return [
            cls._column_id(tables).as_('id'),
            cls._column_company(tables).as_('company'),
            tracking.id.as_('tracking'),
            tracking.number.as_('number'),
            cls._column_party(tables).as_('party'),
            tracking.contact.as_('contact'),
            cls._column_phone(tables).as_('phone'),
            cls._column_city(tables).as_('city'),
            typification.rating.as_('rating'),
            tracking.business_unit.as_('business_unit'),
            tracking.channel.as_('channel'),
            tracking.operator.as_('operator'),
            ]

    @classmethod
    def _column_id(cls, tables):
        return tables['tracking'].id

    @classmethod
    def _column_phone(cls, tables):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        tracking = tables['tracking']
        chosen = ContactMechanism.__table__()
        first = ContactMechanism.__table__()
        return Case(
            (tracking.contact_mechanism != Null,
                chosen.select(
                    chosen.value,
                    where=chosen.id == tracking.contact_mechanism)),
            else_=first.select(
                first.value,
                where=(first.party == cls._column_party(tables))
                & first.type.in_(PHONE_TYPES)
                & (first.active == Literal(True)),
                order_by=[first.sequence.asc.nulls_first, first.id],
                limit=1))

    @classmethod
    def _column_city(cls, tables):
        pool = Pool()
        Address = pool.get('party.address')
        address = Address.__table__()
        return address.select(
            address.city,
            where=(address.party == cls._column_party(tables))
            & (address.active == Literal(True)),
            order_by=[address.sequence.asc.nulls_first, address.id],
            limit=1)

    @classmethod
    def _calls(cls, tables, *columns, order=None, limit=None):
        "Return the query of the calls made of the tracking"
        pool = Pool()
        Call = pool.get('sale.call')
        call = Call.__table__()
        return call.select(
            *(c(call) for c in columns),
            where=(call.tracking == tables['tracking'].id)
            & (call.state == 'done'),
            order_by=order(call) if order else None,
            limit=limit)

    @classmethod
    def _column_calls_number(cls, tables):
        return cls._calls(tables, lambda call: Count(call.id))

    @classmethod
    def _where(cls, tables):
        context = Transaction().context
        tracking = tables['tracking']
        where = cls._column_company(tables) == context.get('company', -1)
        for name, column in [
                ('operators', cls._column_operator(tables)),
                ('business_units', tracking.business_unit),
                ('channels', tracking.channel),
                ]:
            if ids := context.get(name):
                where &= fields.SQL_OPERATORS['in'](column, list(ids))
        return where

    @classmethod
    def _column_company(cls, tables):
        return tables['tracking'].company

    @classmethod
    def _column_party(cls, tables):
        return tables['tracking'].party

    @classmethod
    def _column_operator(cls, tables):
        return tables['tracking'].operator

    @classmethod
    def _company(cls):
        pool = Pool()
        Company = pool.get('company.company')
        company = Transaction().context.get('company')
        return Company(company) if company is not None else None

    @classmethod
    @without_check_access
    def _moment(cls, date):
        return to_utc(cls._company(), dt.datetime.combine(date, dt.time()))

    @classmethod
    def _where_period(cls, column):
        context = Transaction().context
        where = Literal(True)
        if from_date := context.get('from_date'):
            where &= column >= cls._moment(from_date)
        if to_date := context.get('to_date'):
            where &= column < cls._moment(to_date + dt.timedelta(days=1))
        return where

    @classmethod
    @without_check_access
    def _days_since(cls, moment):
        company = cls._company()
        return (
            to_local(company, now()).date()
            - to_local(company, moment).date()).days

    @classmethod
    def _search_days_since(cls, name, operator, value):
        if value is None:
            return [(name, operator, None)]

        @without_check_access
        def since(days):
            # The moments from which at least that many days have passed are
            # those before the begin of the day after
            today = to_local(cls._company(), now()).date()
            return cls._moment(today - dt.timedelta(days=days - 1))

        if operator in {'in', 'not in'}:
            domain = [
                cls._search_days_since(
                    name, '=' if operator == 'in' else '!=', v)
                for v in value]
            return ['OR' if operator == 'in' else 'AND', *domain]
        return {
            '>=': [(name, '<', since(value))],
            '>': [(name, '<', since(value + 1))],
            '<': [(name, '>=', since(value))],
            '<=': [(name, '>=', since(value + 1))],
            '=': [
                (name, '<', since(value)), (name, '>=', since(value + 1))],
            '!=': ['OR',
                (name, '>=', since(value)), (name, '<', since(value + 1))],
            }[operator]

    @classmethod
    def get_interests(cls):
        pool = Pool()
        Call = pool.get('sale.call')
        return Call.fields_get(['interest'])['interest']['selection']

    @classmethod
    def get_states(cls):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        return Tracking.fields_get(['state'])['state']['selection']

    @property
    def origin(self):
        return self.tracking

    def get_rec_name(self, name):
        return self.tracking.rec_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('tracking.rec_name', *clause[1:])]


class Customer(ReportingMixin):
    __name__ = 'sale.tracking.reporting.customer'

    start_date = fields.Date("Start Date")
    end_date = fields.Date("End Date")
    calls_number = fields.Integer("Calls Made")
    first_interest = fields.Selection(
        'get_interests', "First Interest", sort=False,
        help="The interest of the first call.")
    interest_path = fields.Function(
        fields.Char("Interest Path",
            help="The interest of each call, from the first to the last."),
        'get_interest_path')
    interest = fields.Selection('get_interests', "Interest", sort=False,
        help="The interest of the last answered call.")
    last_activity = fields.DateTime("Last Activity", format='%H:%M')
    next_activity = fields.DateTime("Next Activity", format='%H:%M')
    days_open = fields.Integer(
        "Days Open",
        help="The days from the start to the end or to today.")
    state = fields.Selection('get_states', "State", sort=False)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('start_date', 'DESC'), ('id', 'DESC')]

    @classmethod
    def _columns(cls, tables):
        tracking = tables['tracking']
        return super()._columns(tables) + [
            tracking.start_date.as_('start_date'),
            tracking.end_date.as_('end_date'),
            cls._column_calls_number(tables).as_('calls_number'),
            cls._calls(tables, lambda call: call.interest,
                order=lambda call: [call.date, call.id],
                limit=1).as_('first_interest'),
            tracking.interest.as_('interest'),
            tracking.last_activity.as_('last_activity'),
            tracking.next_activity.as_('next_activity'),
            cls._column_days_open(tables).as_('days_open'),
            tracking.state.as_('state'),
            ]

    @classmethod
    def _column_days_open(cls, tables):
        pool = Pool()
        Date = pool.get('ir.date')
        tracking = tables['tracking']
        with without_check_access():
            today = Date.today()
        end = Coalesce(tracking.end_date, cls.end_date.sql_cast(today))
        return Cast(
            difference(end, tracking.start_date),
            cls.days_open.sql_type().base)

    @classmethod
    def _where(cls, tables):
        context = Transaction().context
        tracking = tables['tracking']
        where = super()._where(tables)
        if from_date := context.get('from_date'):
            where &= tracking.start_date >= from_date
        if to_date := context.get('to_date'):
            where &= tracking.start_date <= to_date
        if state := context.get('state'):
            where &= tracking.state == state
        return where

    @classmethod
    def get_interest_path(cls, rows, name):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        return Tracking.get_interest_path(rows, name)

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(Eval('state') == 'closed', 'muted', '')),
            ]


class Assignment(ReportingMixin):
    __name__ = 'sale.tracking.reporting.assignment'

    start_date = fields.Date("Start Date")
    assign_date = fields.DateTime("Assigned On", format='%H:%M')
    days_assigned = fields.Function(
        fields.Integer("Days Assigned",
            help="For how many days the operator has it."),
        'get_days_assigned', searcher='search_days_assigned')
    calls_number = fields.Integer("Calls Made")
    interest = fields.Selection('get_interests', "Interest", sort=False)
    last_activity = fields.DateTime("Last Activity", format='%H:%M')
    next_activity = fields.DateTime("Next Activity", format='%H:%M')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [
            ('operator.party', 'ASC NULLS FIRST'),
            ('start_date', 'ASC'),
            ('id', 'ASC'),
            ]

    @classmethod
    def _columns(cls, tables):
        tracking = tables['tracking']
        return super()._columns(tables) + [
            tracking.start_date.as_('start_date'),
            tracking.assign_date.as_('assign_date'),
            cls._column_calls_number(tables).as_('calls_number'),
            tracking.interest.as_('interest'),
            tracking.last_activity.as_('last_activity'),
            tracking.next_activity.as_('next_activity'),
            ]

    @classmethod
    def _where(cls, tables):
        tracking = tables['tracking']
        where = super()._where(tables) & (tracking.state == 'open')
        assignment = Transaction().context.get('assignment')
        if assignment == 'unassigned':
            where &= tracking.operator == Null
        elif assignment == 'assigned':
            where &= tracking.operator != Null
        return where

    @classmethod
    def order_days_assigned(cls, tables):
        table, _ = tables[None]
        return [difference(
                cls.assign_date.sql_cast(now()), table.assign_date)]

    @classmethod
    def get_days_assigned(cls, rows, name):
        return {
            r.id: cls._days_since(r.assign_date) if r.assign_date else None
            for r in rows}

    @classmethod
    def search_days_assigned(cls, name, clause):
        _, operator, value = clause
        return cls._search_days_since('assign_date', operator, value)


class Open(Wizard):
    __name__ = 'sale.tracking.reporting.open'
    _readonly = True

    start = StateTransition()
    call = StateAction('sale_opportunity_management.act_call_open')
    tracking = StateAction('sale_opportunity_management.act_tracking_open')

    def transition_start(self):
        pool = Pool()
        Call = pool.get('sale.call')
        return 'call' if isinstance(self.record.origin, Call) else 'tracking'

    def do_call(self, action):
        return action, {'res_id': [self.record.origin.id]}

    def do_tracking(self, action):
        return action, {'res_id': [self.record.origin.id]}
