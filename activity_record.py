# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval
from trytond.transaction import Transaction, check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .activity_mixin import ResultMixin
from .call import INTERESTS, OUTCOMES, UNANSWERED
from .channel import has_role
from .exceptions import (
    AlreadyRecordedError, ClosedTrackingError, ResultRequiredError)
from .moment import this_minute
from .party import RATINGS
from .planning import STEPS, step_date, with_time


class Record(Wizard):
    __name__ = 'sale.activity.record'

    start = StateView(
        'sale.activity.record.start',
        'sale_opportunity_management.activity_record_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Save", 'save', 'tryton-ok', default=True),
            ])
    save = StateTransition()

    def default_start(self, fields):
        pool = Pool()
        Start = pool.get('sale.activity.record.start')
        values = Start.record_values(self.record)
        if 'tracking' in values:
            values['close_tracking'] = self._concludes
        return values

    @property
    def _concludes(self):
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        return Transaction().context.get('action_id') == ModelData.get_id(
            'sale_opportunity_management', 'wizard_activity_record_conclude')

    @check_access
    def transition_save(self):
        self.start.save_result()
        return 'end'

    def end(self):
        return 'reload'


class RecordMixin(ModelView):
    _without_next = Eval('close_tracking', False)
    kind = fields.Selection([
            ('call', "Call"),
            ('task', "Task"),
            ], "Kind", readonly=True)
    company = fields.Many2One('company.company', "Company", readonly=True)
    tracking = fields.Many2One('sale.tracking', "Tracking", readonly=True)
    party = fields.Many2One(
        'party.party', "Party", readonly=True,
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    phone = fields.Function(
        fields.Char(
            "Phone",
            states={
                'invisible': ~Eval('phone'),
                }),
        'on_change_with_phone')
    plan = fields.Function(
        fields.Text(
            "What Was Planned",
            states={
                'invisible': ~Eval('plan'),
                }),
        'on_change_with_plan')
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
            ('tracking', '=', Eval('tracking', None)),
            ('state', '=', 'pending'),
            ],
        states={
            'invisible': Eval('kind') != 'call',
            'readonly': ~Eval('tracking'),
            },
        help="The planned call that this one fulfills.\n"
        "Leave empty when the call was not planned.")
    activity = fields.Reference(
        "Planned Activity", selection='get_activity_models', readonly=True,
        states={
            'invisible': Eval('kind') == 'call',
            })
    done_date = fields.DateTime(
        "Date", format='%H:%M', required=True,
        help="When the activity was really done.")
    done_by = fields.Many2One(
        'company.employee', "Done By", required=True,
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'readonly': ~has_role('group_tracking_admin'),
            },
        help="The employee who really did it.")
    duration = fields.TimeDelta(
        "Duration",
        domain=['OR',
            ('duration', '=', None),
            ('duration', '>=', dt.timedelta()),
            ],
        states={
            'invisible': Eval('kind') != 'call',
            },
        help="How long the call lasted.")
    outcome = fields.Selection(
        OUTCOMES, "Outcome", sort=False,
        states={
            'invisible': Eval('kind') != 'call',
            'required': Eval('kind') == 'call',
            },
        help="If somebody answered.")
    interest = fields.Selection(
        INTERESTS, "Interest", sort=False,
        states={
            'invisible': Eval('kind') != 'call',
            'required': (
                (Eval('kind') == 'call') & Bool(Eval('tracking'))
                & (Eval('outcome') == 'answered')),
            },
        help="How much the customer was interested.")
    description = fields.Text(
        "Description",
        states={
            'required': Eval('close_tracking', False),
            },
        help="What was said or done.")
    rating = fields.Selection(
        RATINGS, "Rating", sort=False,
        states={
            'invisible': ~Eval('party'),
            },
        help="The rating of the customer, from one to five stars.")
    rating_comment = fields.Text(
        "Comment",
        states={
            'invisible': ~Eval('party'),
            },
        help="The comment on the rating.")
    next_kind = fields.Selection(
        'get_next_kinds', "Kind of the Next Activity",
        states={
            'invisible': _without_next,
            'required': Bool(Eval('next_date')) & ~_without_next,
            },
        help="What comes next.")
    next_step = fields.Selection(
        STEPS, "When", sort=False,
        states={
            'invisible': _without_next,
            },
        help="When the next activity has to be done.")
    next_date = fields.DateTime(
        "Date of the Next Activity", format='%H:%M',
        states={
            'invisible': _without_next,
            'required': Bool(Eval('next_summary')) & ~_without_next,
            },
        help="When it has to be done.\n"
        "Leave empty to plan nothing.")
    next_summary = fields.Char(
        "Summary of the Next Activity",
        states={
            'invisible': _without_next,
            'required': (
                Bool(Eval('next_date')) & (Eval('next_kind') != 'call')
                & ~_without_next),
            },
        help="What it is for.")
    task_summary = fields.Char(
        "Summary of the Task",
        states={
            'invisible': _without_next,
            'required': Bool(Eval('task_date')) & ~_without_next,
            },
        help="What has to be done.\n"
        "Leave empty to create no task.")
    task_date = fields.DateTime(
        "Date of the Task", format='%H:%M',
        states={
            'invisible': _without_next,
            'required': Bool(Eval('task_summary')) & ~_without_next,
            },
        help="When the task has to be done.")
    close_tracking = fields.Boolean(
        "Conclude the Tracking",
        states={
            'invisible': ~Eval('tracking'),
            },
        help="Check to end the work on the customer with this result.")

    del _without_next

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            (f'//group[@id="{id_}"]', 'states', {
                    'invisible': Eval('close_tracking', False),
                    }) for id_ in ['next', 'task']]

    @classmethod
    def record_values(cls, record):
        "Return the values to record the result of the activity or tracking"
        pool = Pool()
        Call = pool.get('sale.call')
        Tracking = pool.get('sale.tracking')
        if isinstance(record, ResultMixin):
            record = record.result_origin
        values = {}
        if isinstance(record, Tracking):
            tracking = record
            record = tracking.next_call
        else:
            tracking = record.tracking
        if not record or isinstance(record, Call):
            values['kind'] = 'call'
            values['call'] = record.id if record else None
        else:
            _, _, values['kind'] = record.__name__.rpartition('.')
            values['activity'] = str(record)
        if tracking:
            party = tracking.party
            values['tracking'] = tracking.id
        else:
            party = record.party
        values['company'] = (tracking or record).company.id
        if party:
            values['party'] = party.id
            values['rating'] = party.rating
            values['rating_comment'] = party.rating_comment
        return values

    @classmethod
    def default_done_date(cls):
        return this_minute()

    @classmethod
    def default_done_by(cls):
        return Transaction().context.get('employee')

    @classmethod
    def default_next_kind(cls):
        return 'call'

    @fields.depends('interest', 'outcome', methods=['_propose_retry'])
    def on_change_interest(self):
        pool = Pool()
        Call = pool.get('sale.call')
        call = Call(interest=self.interest, outcome=self.outcome)
        call.on_change_interest()
        self.outcome = call.outcome
        self._propose_retry()

    @fields.depends('interest', 'outcome', methods=['_propose_retry'])
    def on_change_outcome(self):
        pool = Pool()
        Call = pool.get('sale.call')
        call = Call(
            direction='outgoing', interest=self.interest,
            outcome=self.outcome)
        call.on_change_outcome()
        self.interest = call.interest
        self._propose_retry()

    @fields.depends(
        'outcome', 'close_tracking', 'next_kind', 'next_date', 'next_summary',
        methods=['on_change_next_step'])
    def _propose_retry(self):
        retry = gettext('sale_opportunity_management.msg_call_retry')
        if self.outcome in UNANSWERED:
            if not self.next_date and not self.close_tracking:
                self.next_kind = 'call'
                self.next_step = 'hour'
                self.on_change_next_step()
                self.next_summary = retry
        elif self.next_summary == retry:
            self.next_step = None
            self.on_change_next_step()

    @fields.depends('company', 'next_step', methods=['on_change_next_date'])
    def on_change_next_step(self):
        if self.next_step != 'other':
            step = self.next_step
            self.next_date = step_date(self.company, step)
            self.on_change_next_date()
            self.next_step = step

    @fields.depends('company', 'next_date')
    def on_change_next_date(self):
        if self.next_date:
            self.next_date = with_time(self.company, self.next_date)
            self.next_step = 'other'
        else:
            self.next_step = self.next_summary = None

    @fields.depends('company', 'task_date')
    def on_change_task_date(self):
        if self.task_date:
            self.task_date = with_time(self.company, self.task_date)

    @classmethod
    def get_activity_models(cls):
        pool = Pool()
        Activity = pool.get('sale.activity')
        Model = pool.get('ir.model')
        return [(None, '')] + [
            (Activity.__name__, Model.get_name(Activity.__name__))
            for Activity in Activity.activity_models()]

    @classmethod
    def get_next_kinds(cls):
        return cls.fields_get(['kind'])['kind']['selection']

    @fields.depends('tracking', 'party', 'call')
    def on_change_with_phone(self, name=None):
        pool = Pool()
        Call = pool.get('sale.call')
        return Call(
            tracking=self.tracking, party=self.party,
            phone_number=self.call.phone_number if self.call else None,
            ).on_change_with_phone()

    @fields.depends('call', 'activity')
    def on_change_with_plan(self, name=None):
        if activity := self.call or self.activity:
            return '\n'.join(filter(None, [
                        activity.summary, activity.description]))

    @fields.depends('tracking')
    def on_change_with_history(self, name=None):
        if self.tracking and (call := self.tracking.last_call):
            return '\n'.join(filter(None, [
                        f'{call._format_date(call.date)} '
                        f'{call.done_by.rec_name}: '
                        f'{call.outcome_text}',
                        call.description]))

    def save_result(self):
        """Save the result and what follows from it

        Everything goes through create and write: only they check the access.
        """
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self._check_result()
        self._save_activity()
        self._save_typification()
        if self.tracking and self.close_tracking:
            Tracking.close([self.tracking])
        else:
            self._save_next()

    def _check_result(self):
        # Only the clients check what the dialog requires
        interest_required = (
            self.kind == 'call' and self.tracking
            and self.outcome == 'answered')
        if ((interest_required and not self.interest)
                or (self.close_tracking and not self.description)):
            raise ResultRequiredError(gettext(
                    'sale_opportunity_management.msg_result_required'))
        self._check_next()

    def _check_next(self):
        if (not self.close_tracking
                and (bool(self.task_date) != bool(self.task_summary)
                    or self.next_summary and not self.next_date
                    or self.next_date and self.next_kind != 'call'
                    and not self.next_summary)):
            raise ResultRequiredError(gettext(
                    'sale_opportunity_management.msg_result_next_required'))

    def _save_activity(self):
        pool = Pool()
        Call = pool.get('sale.call')
        if self.tracking and self.tracking.state == 'closed':
            raise ClosedTrackingError(gettext(
                    'sale_opportunity_management.msg_tracking_closed',
                    tracking=self.tracking.rec_name))
        activity = self.call if self.kind == 'call' else self.activity
        values = self._result_values()
        if activity:
            Model = activity.__class__
            Model.lock([activity])
            activity = Model(activity.id)
            if activity.state != 'pending':
                raise AlreadyRecordedError(gettext(
                        'sale_opportunity_management.msg_activity_recorded',
                        activity=activity.rec_name))
            Model.save_result([activity], values)
        else:
            Call.create([{
                        **values,
                        'tracking': self.tracking.id,
                        'state': 'done',
                        }])

    def _result_values(self):
        values = {
            'done_date': self.done_date,
            'done_by': self.done_by.id,
            'description': self.description,
            }
        if self.kind == 'call':
            values['duration'] = self.duration
            values['outcome'] = self.outcome
            values['interest'] = self.interest
        return values

    def _save_typification(self):
        party = self.party
        if (party and (party.rating, party.rating_comment)
                != (self.rating, self.rating_comment)):
            party.__class__.write([party], {
                    'rating': self.rating,
                    'rating_comment': self.rating_comment,
                    })

    def _save_next(self):
        pool = Pool()
        if self.next_date:
            Next = pool.get(f'sale.{self.next_kind}')
            Next.create([self._next_values(
                        self.next_kind, self.next_date, self.next_summary)])
        if self.task_summary:
            Task = pool.get('sale.task')
            Task.create([self._next_values(
                        'task', self.task_date, self.task_summary)])

    def _next_values(self, kind, date, summary):
        tracking = self.tracking
        operator = tracking.operator if tracking else None
        return {
            'company': self.company.id,
            'tracking': tracking.id if tracking else None,
            'party': self.party.id if self.party else None,
            'planned_date': date,
            'summary': summary,
            'assignee': (operator or self.done_by).id,
            }


class RecordStart(RecordMixin):
    __name__ = 'sale.activity.record.start'
