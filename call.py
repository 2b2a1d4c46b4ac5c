# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from sql import Literal, Null
from sql.conditionals import Case
from sql.operators import Exists

from trytond.i18n import gettext
from trytond.model import Index, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, Id
from trytond.transaction import Transaction, check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .activity import ActivityMixin, this_minute
from .campaign_queue import CampaignCallMixin
from .exceptions import (
    AlreadyRecordedError, CallerError, ClosedTrackingError, DurationError)
from .party import RATINGS

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
        cls._buttons.update({
                'record': {
                    'invisible': Eval('state') != 'pending',
                    'depends': ['state'],
                    },
                })

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
            (call.state == 'cancelled', None),
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
    def copy(cls, calls, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('interest')
        default.setdefault('duration')
        return super().copy(calls, default=default)

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_call_record')
    def record(cls, calls):
        pass


class Record(Wizard):
    __name__ = 'sale.call.record'

    start = StateView(
        'sale.call.record.start',
        'sale_opportunity_management.call_record_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Save", 'save', 'tryton-ok', default=True),
            ])
    save = StateTransition()

    def default_start(self, fields):
        pool = Pool()
        Call = pool.get('sale.call')
        if self.model == Call:
            call = self.record
            tracking = call.tracking
        else:
            tracking = self.record
            call = tracking.next_call
        return {
            'tracking': tracking.id,
            'call': call.id if call else None,
            'rating': tracking.rating,
            'rating_comment': tracking.rating_comment,
            }

    def transition_save(self):
        # What the user may not do through the forms, not here either
        with check_access():
            self.start.save_call()
        return 'end'


class RecordStart(ModelView):
    __name__ = 'sale.call.record.start'

    company = fields.Function(
        fields.Many2One('company.company', "Company"),
        'on_change_with_company')
    tracking = fields.Many2One(
        'sale.tracking', "Tracking", required=True, readonly=True)
    party = fields.Function(
        fields.Many2One(
            'party.party', "Customer",
            context={
                'company': Eval('company', -1),
                },
            depends={'company'}),
        'on_change_with_party')
    phone = fields.Function(
        fields.Char("Phone"), 'on_change_with_phone')
    history = fields.Function(
        fields.Text(
            "Last Call",
            states={
                'invisible': ~Eval('history'),
                }),
        'on_change_with_history')
    call = fields.Many2One(
        'sale.call', "Planned Call",
        domain=[
            ('tracking', '=', Eval('tracking', -1)),
            ('state', '=', 'pending'),
            ],
        help="The planned call that this one fulfills.\n"
        "Leave empty when the call was not planned.")
    done_date = fields.DateTime("Date", format='%H:%M', required=True)
    done_by = fields.Many2One(
        'company.employee', "Called By", required=True,
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'readonly': ~Id(
                'sale_opportunity_management', 'group_tracking_admin')
            .in_(Eval('context', {}).get('groups', [])),
            })
    duration = fields.TimeDelta(
        "Duration",
        domain=['OR',
            ('duration', '=', None),
            ('duration', '>=', dt.timedelta()),
            ])
    interest = fields.Selection(
        INTERESTS, "Interest", required=True, sort=False)
    description = fields.Text(
        "Description",
        help="What was said.")
    rating = fields.Selection(RATINGS, "Rating", sort=False)
    rating_comment = fields.Text("Comment")
    next_date = fields.DateTime(
        "Date", format='%H:%M',
        states={
            'invisible': Eval('close_tracking', False),
            },
        help="When to call again.\n"
        "Leave empty to plan no call.")
    next_summary = fields.Char(
        "Summary",
        states={
            'invisible': Eval('close_tracking', False),
            'readonly': ~Eval('next_date'),
            },
        help="What the next call is for.")
    task_summary = fields.Char(
        "Summary",
        states={
            'invisible': Eval('close_tracking', False),
            'required': (
                Bool(Eval('task_date')) & ~Eval('close_tracking', False)),
            },
        help="What has to be done.\n"
        "Leave empty to create no task.")
    task_date = fields.DateTime(
        "Date", format='%H:%M',
        states={
            'invisible': Eval('close_tracking', False),
            'required': (
                Bool(Eval('task_summary')) & ~Eval('close_tracking', False)),
            },
        help="When the task has to be done.")
    close_tracking = fields.Boolean(
        "Close Tracking",
        help="Check to end the work on the customer with this call.")

    @classmethod
    def default_done_date(cls):
        return this_minute()

    @classmethod
    def default_done_by(cls):
        return Transaction().context.get('employee')

    @fields.depends('tracking')
    def on_change_with_company(self, name=None):
        return self.tracking.company if self.tracking else None

    @fields.depends('tracking')
    def on_change_with_party(self, name=None):
        return self.tracking.party if self.tracking else None

    @fields.depends('tracking')
    def on_change_with_phone(self, name=None):
        return self.tracking.phone if self.tracking else None

    @fields.depends('tracking')
    def on_change_with_history(self, name=None):
        if self.tracking and (call := self.tracking.last_call):
            return '\n'.join(filter(None, [
                        f'{call._format_date(call.date)} '
                        f'{call.done_by.rec_name}: {call.interest_string}',
                        call.description]))

    def save_call(self):
        """Record the call and what follows from it

        Everything goes through create and write: only they check the access.
        """
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self._save_call()
        self._save_typification()
        if self.close_tracking:
            Tracking.close([self.tracking])
        else:
            self._save_next()

    def _save_call(self):
        pool = Pool()
        Call = pool.get('sale.call')
        if self.tracking.state == 'closed':
            raise ClosedTrackingError(gettext(
                    'sale_opportunity_management.msg_tracking_closed',
                    tracking=self.tracking.rec_name))
        values = {
            'done_date': self.done_date,
            'done_by': self.done_by.id,
            'duration': self.duration,
            'interest': self.interest,
            'description': self.description,
            'state': 'done',
            }
        if self.call:
            Call.lock([self.call])
            call = Call(self.call.id)
            if call.state != 'pending':
                raise AlreadyRecordedError(gettext(
                        'sale_opportunity_management.msg_call_recorded',
                        call=call.rec_name))
            Call.write([call], values)
        else:
            Call.create([{**values, 'tracking': self.tracking.id}])

    def _save_typification(self):
        party = self.tracking.party
        if ((party.rating, party.rating_comment)
                != (self.rating, self.rating_comment)):
            party.__class__.write([party], {
                    'rating': self.rating,
                    'rating_comment': self.rating_comment,
                    })

    def _save_next(self):
        pool = Pool()
        Call = pool.get('sale.call')
        Task = pool.get('sale.task')
        values = {
            'tracking': self.tracking.id,
            'assignee': (self.tracking.operator or self.done_by).id,
            }
        if self.next_date:
            Call.create([{
                        **values,
                        'planned_date': self.next_date,
                        'summary': self.next_summary,
                        }])
        if self.task_summary:
            Task.create([{
                        **values,
                        'planned_date': self.task_date,
                        'summary': self.task_summary,
                        }])
