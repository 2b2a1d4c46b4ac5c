# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from sql import Literal, Null
from sql.conditionals import Case
from sql.operators import Exists

from trytond.i18n import gettext
from trytond.model import Index, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction

from .activity import ActivityMixin
from .campaign_attend import CampaignCallMixin
from .exceptions import CallerError, DurationError

INTERESTS = [
    (None, ""),
    ('0', "No Answer"),
    ('1', "No Interest"),
    ('2', "Some Interest, Send More Information"),
    ('3', "High Interest, Make the Sale"),
    ]


class Call(CampaignCallMixin, ActivityMixin):
    __name__ = 'sale.call'
    _history = True

    interest = fields.Selection(
        INTERESTS, "Interest", sort=False,
        states={
            'readonly': ActivityMixin._facts_states['readonly'],
            'invisible': Eval('state') != 'done',
            'required': Eval('state') == 'done',
            },
        help="How much the customer was interested.")
    interest_string = interest.translated('interest')
    duration = fields.TimeDelta(
        "Duration",
        states={
            'readonly': ActivityMixin._facts_states['readonly'],
            'invisible': Eval('state') != 'done',
            },
        help="How long the call lasted.")
    kind = fields.Function(
        fields.Selection([
                (None, ""),
                ('first', "First Call"),
                ('follow_up', "Follow-up Call"),
                ], "Kind"),
        'get_kind', searcher='search_kind')
    kind_string = kind.translated('kind')
    outcome = fields.Function(
        fields.Selection([
                (None, ""),
                ('answered', "Answered"),
                ('missed', "Missed"),
                ], "Outcome"),
        'on_change_with_outcome', searcher='search_outcome')
    outcome_string = outcome.translated('outcome')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.done_by.states['required'] = Eval('state') == 'done'
        cls.done_by.string = "Called By"
        cls.done_by.help = "The employee who made the call."
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t,
                (t.company, Index.Equality(cardinality='low')),
                (t.date, Index.Range(order='DESC')),
                where=(t.state == 'done') & (t.interest == '3')))

    @classmethod
    def _previous(cls, call):
        "Return the query of the calls made or planned before the call"
        previous = cls.__table__()
        return previous.select(
            Literal(1),
            where=(previous.tracking == call.tracking)
            & (previous.state != 'cancelled')
            & ((previous.date < call.date)
                | ((previous.date == call.date) & (previous.id < call.id))))

    @classmethod
    def column_kind(cls, call):
        "Return the SQL expression of the kind of the row of the call table"
        return Case(
            ((call.state == 'cancelled') | (call.tracking == Null), None),
            (Exists(cls._previous(call)), 'follow_up'),
            else_='first')

    @classmethod
    def column_outcome(cls, call):
        "Return the SQL expression of the outcome of the row of the call table"
        return Case(
            (call.state != 'done', None),
            (call.interest == '0', 'missed'),
            else_='answered')

    @classmethod
    def get_kind(cls, calls, name):
        cursor = Transaction().connection.cursor()
        call = cls.__table__()
        kinds = {}
        cursor.execute(*call.select(
                call.id, cls.column_kind(call),
                where=fields.SQL_OPERATORS['in'](
                    call.id, [c.id for c in calls])))
        kinds.update(cursor)
        return kinds

    @classmethod
    def search_kind(cls, name, clause):
        return cls._search_column(cls.column_kind, clause)

    @classmethod
    def _search_column(cls, column, clause):
        _, operator, value = clause
        Operator = fields.SQL_OPERATORS[operator]
        call = cls.__table__()
        expression = column(call)
        if isinstance(value, (list, tuple)):
            where = Operator(expression, [v for v in value if v is not None])
            if None in value:
                if operator == 'in':
                    where |= expression == Null
                else:
                    where &= expression != Null
        else:
            where = Operator(expression, value)
        return [('id', 'in', call.select(call.id, where=where))]

    @fields.depends('state', 'interest')
    def on_change_with_outcome(self, name=None):
        if self.state == 'done' and self.interest:
            return 'missed' if self.interest == '0' else 'answered'

    @classmethod
    def search_outcome(cls, name, clause):
        return cls._search_column(cls.column_outcome, clause)

    @classmethod
    def validate_fields(cls, calls, field_names):
        super().validate_fields(calls, field_names)
        cls.check_duration(calls, field_names)
        cls.check_done_by(calls, field_names)

    @classmethod
    def check_duration(cls, calls, field_names=None):
        if field_names is not None and 'duration' not in field_names:
            return
        for call in calls:
            if call.duration is not None and call.duration < dt.timedelta():
                raise DurationError(gettext(
                        'sale_opportunity_management.msg_duration_negative',
                        call=call.rec_name))

    @classmethod
    def check_done_by(cls, calls, field_names=None):
        if field_names is not None and not field_names & {'done_by', 'state'}:
            return
        for call in calls:
            if call.state == 'done' and not call.done_by:
                raise CallerError(gettext(
                        'sale_opportunity_management.msg_call_done_by',
                        call=call.rec_name))

    @classmethod
    def check_modification(cls, mode, calls, values=None, external=False):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        User = pool.get('res.user')
        super().check_modification(
            mode, calls, values=values, external=external)
        if external and not Tracking.is_administrator():
            callers = set()
            if mode == 'create':
                callers = {c.done_by.id for c in calls if c.done_by}
            elif mode == 'write' and values.get('done_by'):
                callers = {values['done_by']}
            if callers - set(User.get_employees()):
                raise AccessError(gettext(
                        'sale_opportunity_management.msg_call_done_by_other'))

    def _texts(self):
        return [self.interest_string, *super()._texts()]

    @classmethod
    def _facts(cls):
        return super()._facts() | {'interest', 'duration'}

    @classmethod
    def _tracking_fields(cls):
        return super()._tracking_fields() | {'interest'}

    @classmethod
    def _column_interest(cls, table):
        return table.interest

    @classmethod
    def copy(cls, calls, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('interest')
        default.setdefault('duration')
        return super().copy(calls, default=default)
