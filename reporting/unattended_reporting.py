# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from sql import Cast
from sql.aggregate import Avg, Count, Max, Min
from sql.functions import Function

from trytond import backend
from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If, PYSONEncoder
from trytond.tools import timezone as tz
from trytond.transaction import Transaction, without_check_access
from trytond.wizard import StateAction, Wizard

from ..access import where_readable
from ..activity import TRACKING_ROLES
from ..activity_mixin import ResultMixin
from ..moment import company_timezone, now, to_local
from .tracking_reporting import (
    ReportingMixin, ReportingPeriodContext, difference)

_DATE = fields.Date("Date")


class _SQLiteLocalDate(Function):
    __slots__ = ()
    _function = 'LOCAL_DATE'


def _local_date(moment, timezone):
    if moment is not None:
        moment = dt.datetime.fromisoformat(moment).replace(
            tzinfo=dt.timezone.utc)
        return moment.astimezone(tz.ZoneInfo(timezone)).date().isoformat()


def local_date(company, column):
    "Return the SQL expression of the day of the company of the moment"
    timezone = company_timezone(company).key
    if backend.name == 'sqlite':
        # It knows no time zones
        Transaction().connection.create_function(
            'LOCAL_DATE', 2, _local_date, deterministic=True)
        return _SQLiteLocalDate(column, timezone)
    return _DATE.sql_cast(column, timezone=timezone)


class UnattendedContext(ReportingPeriodContext):
    __name__ = 'sale.tracking.reporting.unattended.context'

    days_late = fields.Integer(
        "Days Late",
        domain=['OR',
            ('days_late', '=', None),
            ('days_late', '>=', 0),
            ],
        help="The trackings that are late for at least that many days.\n"
        "Leave empty for all of them.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.from_date.help = "The trackings that fell due since that day."
        cls.to_date.help = "The trackings that fell due until that day."

    @classmethod
    def default_from_date(cls):
        return Transaction().context.get('from_date')

    @classmethod
    def default_to_date(cls):
        return Transaction().context.get('to_date')

    @classmethod
    def default_days_late(cls):
        return Transaction().context.get('days_late')


class Unattended(ResultMixin, ReportingMixin):
    __name__ = 'sale.tracking.reporting.unattended'

    date = fields.DateTime(
        "Due Date", format='%H:%M',
        help="When the next activity should have been done.")
    days_late = fields.Integer(
        "Days Late",
        help="The days that passed since on the calendar of the company.")
    kind = fields.Selection(
        'get_kinds', "Kind", loading='lazy',
        help="What was planned.")
    summary = fields.Char(
        "What For", loading='lazy',
        help="What the planned activity is for.")
    last_activity = fields.DateTime("Last Activity", format='%H:%M')
    last_result = fields.Text(
        "Last Result", loading='lazy',
        help="What was said or done in the last activity.")
    interest = fields.Selection(
        'get_interests', "Interest", sort=False,
        help="The interest of the last answered call.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('date', 'ASC'), ('id', 'ASC')]

    @classmethod
    def _columns(cls, tables):
        tracking = tables['tracking']
        return super()._columns(tables) + [
            tracking.next_activity.as_('date'),
            cls._column_days_late(tables).as_('days_late'),
            cls._column_activity(tables, 'kind', 'pending').as_('kind'),
            cls._column_activity(tables, 'summary', 'pending').as_('summary'),
            tracking.last_activity.as_('last_activity'),
            cls._column_activity(
                tables, 'description', 'done').as_('last_result'),
            tracking.interest.as_('interest'),
            ]

    @classmethod
    @without_check_access
    def _column_days_late(cls, tables):
        company = cls._company()
        today = _DATE.sql_cast(cls._today(company))
        day = local_date(company, tables['tracking'].next_activity)
        return Cast(difference(today, day), cls.days_late.sql_type().base)

    @classmethod
    def _today(cls, company):
        return to_local(company, now()).date()

    @classmethod
    def _column_activity(cls, tables, name, state):
        """Return the column with the name of the activity of the tracking

        It is the first of the pending ones or the last of the done ones."""
        pool = Pool()
        Activity = pool.get('sale.activity')
        activity = Activity.__table__()
        if state == 'pending':
            order = [activity.date.asc, activity.id.asc]
        else:
            order = [activity.date.desc, activity.id.desc]
        return activity.select(
            getattr(activity, name),
            where=(activity.tracking == tables['tracking'].id)
            & (activity.state == state)
            & activity.role.in_(TRACKING_ROLES),
            order_by=order,
            limit=1)

    @classmethod
    def _where(cls, tables):
        context = Transaction().context
        tracking = tables['tracking']
        where = (
            super()._where(tables)
            & (tracking.state == 'open')
            & (tracking.next_activity < now())
            & cls._where_period(tracking.next_activity))
        if days_late := context.get('days_late'):
            with without_check_access():
                today = cls._today(cls._company())
            where &= tracking.next_activity < cls._moment(
                today - dt.timedelta(days=days_late - 1))
        return where

    @property
    def result_origin(self):
        pool = Pool()
        Activity = pool.get('sale.activity')
        for line in Activity.search([
                    ('tracking', '=', self.tracking.id),
                    ('state', '=', 'pending'),
                    ('role', 'in', TRACKING_ROLES),
                    ], order=[('date', 'ASC'), ('id', 'ASC')], limit=1):
            return line.result_origin
        return self.tracking

    @classmethod
    def get_kinds(cls):
        pool = Pool()
        Activity = pool.get('sale.activity')
        return Activity.fields_get(['kind'])['kind']['selection']

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('days_late', 0) > 30, 'danger',
                    If(Eval('days_late', 0) > 7, 'warning', ''))),
            ]


class _UnattendedTotal(ModelSQL, ModelView):

    company = fields.Many2One('company.company', "Company")
    channel = fields.Many2One('sale.channel', "Channel")
    channel_name = fields.Function(
        fields.Char("Channel"), 'get_name')
    number = fields.Integer("Trackings")
    customers = fields.Integer("Customers")
    date = fields.DateTime(
        "Oldest Due Date", format='%H:%M',
        help="When the first of them fell due.")
    days_late_average = fields.Float(
        "Average Days Late", digits=(None, 1))
    days_late_max = fields.Integer("Maximum Days Late")

    @classmethod
    def table_query(cls):
        pool = Pool()
        Unattended = pool.get('sale.tracking.reporting.unattended')
        row = Unattended.__table__()
        return row.select(
            *cls._columns(row), where=where_readable(Unattended, row),
            group_by=cls._group_by(row))

    @classmethod
    def _columns(cls, row):
        return [
            Min(row.id).as_('id'),
            row.company.as_('company'),
            row.channel.as_('channel'),
            Count(row.id).as_('number'),
            Count(row.party, distinct=True).as_('customers'),
            Min(row.date).as_('date'),
            Cast(
                Avg(row.days_late),
                cls.days_late_average.sql_type().base
                ).as_('days_late_average'),
            Max(row.days_late).as_('days_late_max'),
            ]

    @classmethod
    def _group_by(cls, row):
        return [row.company, row.channel]

    @classmethod
    def get_name(cls, rows, names):
        "Return the names that the graphs show, also of what is missing"
        names_ = {
            'channel_name': ('channel', 'msg_unattended_no_channel'),
            'operator_name': ('operator', 'msg_tracking_unassigned'),
            }
        values = {}
        for name in names:
            field, message = names_[name]
            values[name] = {
                r.id: (
                    getattr(r, field).rec_name if getattr(r, field)
                    else gettext(f'sale_opportunity_management.{message}'))
                for r in rows}
        return values

    def get_rec_name(self, name):
        return self.channel_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('channel.rec_name', *clause[1:])]


class UnattendedChannel(_UnattendedTotal):
    __name__ = 'sale.tracking.reporting.unattended.channel'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [
            ('channel.name', 'ASC NULLS FIRST'),
            ('id', 'ASC'),
            ]


class UnattendedOperator(_UnattendedTotal):
    __name__ = 'sale.tracking.reporting.unattended.operator'

    operator = fields.Many2One('company.employee', "Operator")
    operator_name = fields.Function(
        fields.Char("Operator"), 'get_name')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [
            ('channel.name', 'ASC NULLS FIRST'),
            ('channel', 'ASC NULLS FIRST'),
            ('operator.party', 'ASC NULLS FIRST'),
            ('id', 'ASC'),
            ]

    @classmethod
    def _columns(cls, row):
        return super()._columns(row) + [row.operator.as_('operator')]

    @classmethod
    def _group_by(cls, row):
        return super()._group_by(row) + [row.operator]

    def get_rec_name(self, name):
        return f'{self.channel_name} - {self.operator_name}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return ['OR',
            *super().search_rec_name(name, clause),
            ('operator.rec_name', *clause[1:]),
            ]


class OpenUnattended(Wizard):
    __name__ = 'sale.tracking.reporting.unattended.open'
    start_state = 'open_'
    _readonly = True

    open_ = StateAction(
        'sale_opportunity_management.act_tracking_reporting_unattended')

    def do_open_(self, action):
        domain = ['OR']
        for total in self.records:
            clause = [('channel', '=', total.channel and total.channel.id)]
            if 'operator' in total._fields:
                clause.append(
                    ('operator', '=', total.operator and total.operator.id))
            domain.append(clause)
        action['pyson_domain'] = PYSONEncoder().encode(domain)
        names = ', '.join(t.rec_name for t in self.records)
        action['name'] += f' ({names})'
        return action, {}
