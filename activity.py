# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import colorsys
import datetime as dt
from collections import defaultdict

from sql import Column, Literal, Union

from trytond.i18n import gettext
from trytond.model import ModelView, UnionMixin, fields
from trytond.model.exceptions import AccessError
from trytond.model.modelsql import _TABLE_QUERY_COLUMNS
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction, inactive_records
from trytond.wizard import StateAction, StateTransition, Wizard

from .activity_mixin import STATES, ActivityLineMixin, ActivityMixin
from .moment import now
from .phone import PhoneNumberMixin
from .tools import accepted_domain

# The roles of the lines that the trackings show: the others show in an agenda
# what somebody else is responsible for
TRACKING_ROLES = ['main', 'link']
_CALENDAR_SLOT = dt.timedelta(minutes=30)
_DONE_COLOR = '#9a9a9a'
_GOLDEN_RATIO = (5 ** .5 - 1) / 2


class Activity(UnionMixin, PhoneNumberMixin, ActivityLineMixin):
    # There is a line with the role main for each activity. More lines show it
    # to each other person who takes part and on each other tracking that it is
    # linked to.
    __name__ = 'sale.activity'

    _states = {
        'readonly': Eval('state') != 'pending',
        }

    kind = fields.Selection([
            ('call', "Call"),
            ('task', "Task"),
            ('incident', "Incident"),
            ], "Kind", readonly=True)
    kind_string = kind.translated('kind')
    kind_icon = fields.Function(fields.Char("Kind Icon"), 'get_kind_icon')
    role = fields.Selection([
            ('main', "Main"),
            ('link', "Link"),
            ], "Role", readonly=True, sort=False)
    company = fields.Many2One('company.company', "Company", readonly=True)
    tracking = fields.Many2One('sale.tracking', "Tracking", readonly=True)
    party = fields.Many2One(
        'party.party', "Party", readonly=True,
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    summary = fields.Char("Summary", readonly=True)
    description = fields.Text("Description", readonly=True)
    interest = fields.Selection(
        'get_interests', "Interest", readonly=True, sort=False)
    outcome = fields.Function(
        fields.Char(
            "Outcome",
            help="If somebody answered the call "
            "or how much the customer was interested."),
        'get_outcome')
    date = fields.DateTime(
        "Date", format='%H:%M',
        states=_states,
        help="When the activity was done or, until then, is planned.")
    calendar_date = fields.DateTime(
        "Calendar Date", format='%H:%M', states=_states,
        help="Where the calendar shows the activity.")
    duration = fields.TimeDelta("Duration", readonly=True)
    end_date = fields.DateTime(
        "End Date", format='%H:%M',
        states=_states,
        help="The date itself for what has no planned duration.")
    calendar_end = fields.Function(
        fields.DateTime(
            "Calendar End", format='%H:%M', states=_states,
            help="Until where the calendar shows the activity."),
        'get_calendar_end', searcher='search_calendar_end',
        setter='set_calendar_end')
    due = fields.Function(
        fields.Selection([
                (None, ""),
                ('overdue', "Overdue"),
                ('today', "Today"),
                ('week', "This Week"),
                ('later', "Later"),
                ], "Due", sort=False,
            help="When the pending activity has to be done, "
            "on the calendar of the company."),
        'get_due', searcher='search_due')
    assignee = fields.Many2One(
        'company.employee', "Assignee", readonly=True,
        help="The employee whose agenda shows the activity.")
    done_by = fields.Many2One('company.employee', "Done By", readonly=True)
    state = fields.Selection(STATES, "State", readonly=True, sort=False)
    calendar_color = fields.Function(
        fields.Char("Color"), 'get_calendar_color')
    assignee_color = fields.Function(
        fields.Char("Color of Assignee"), 'get_assignee_color')

    del _states

    _pending_values = {
        **ActivityLineMixin._pending_values,
        'due': {'overdue', 'today', 'week', 'later'},
        }
    _calendar_colors = {
        'call': '#1b7a9c',
        'task': '#7a5ba8',
        'incident': '#c2562f',
        }

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.phone_number.readonly = True
        cls._buttons.update({
                'open': {},
                })

    @classmethod
    def union_models(cls):
        return ['sale.call', 'sale.task', 'sale.task-sale.tracking']

    @classmethod
    def table_query(cls):
        return Union(
            *map(cls._union_query, cls.union_models()), all_=True)

    @classmethod
    def _union_query(cls, model):
        pool = Pool()
        Model = pool.get(model)
        from_, columns = Model.activity_lines()
        columns['id'] = cls.union_shard(columns['id'], model)
        return from_.select(*(
                cls._union_column(field, columns.get(name)).as_(name)
                for name, field in sorted(cls._fields.items())
                if name not in _TABLE_QUERY_COLUMNS
                and not hasattr(field, 'set')))

    @staticmethod
    def _union_column(field, column):
        # A cast hides the order of the indexes from the database
        if isinstance(column, Column):
            return column
        return field.sql_cast(
            column if column is not None else Literal(None))

    @classmethod
    def get_interests(cls):
        pool = Pool()
        Call = pool.get('sale.call')
        return Call.fields_get(['interest'])['interest']['selection']

    @classmethod
    def activity_models(cls):
        "Return the models of the activities themselves"
        pool = Pool()
        return [
            Model for Model in map(pool.get, cls.union_models())
            if issubclass(Model, ActivityMixin)]

    @classmethod
    def send_reminders(cls):
        """Remind of the activities of all kinds

        It is called by the cron task."""
        for Model in cls.activity_models():
            Model.send_reminders()

    @classmethod
    def get_activities(cls, lines):
        "Return the activities of the lines, those of a model at once"
        by_model = defaultdict(list)
        for line in lines:
            record = cls.union_unshard(line.id)
            by_model[record.__class__].append(record.id)
        records = {}
        for Model, ids in by_model.items():
            for record in Model.browse(ids):
                records[cls.union_shard(record.id, Model.__name__)] = record
        return [records[line.id].activity for line in lines]

    @property
    def result_origin(self):
        activity, = self.get_activities([self])
        return activity

    @classmethod
    def get_kind_icon(cls, lines, name):
        return {line.id: f'tryton-sale-{line.kind}' for line in lines}

    @classmethod
    def get_outcome(cls, lines, name):
        return {
            line.id: activity.outcome_text
            for line, activity in zip(lines, cls.get_activities(lines))}

    @classmethod
    def get_overdue(cls, lines, name):
        overdue = super().get_overdue(lines, name)
        return {
            line.id: overdue[line.id] and line.role in TRACKING_ROLES
            for line in lines}

    @classmethod
    def search_overdue(cls, name, clause):
        moment = now()
        return accepted_domain(clause, {
                True: [
                    ('state', '=', 'pending'),
                    ('date', '<', moment),
                    ('role', 'in', TRACKING_ROLES),
                    ],
                False: ['OR',
                    ('state', '!=', 'pending'),
                    ('date', '>=', moment),
                    ('role', 'not in', TRACKING_ROLES),
                    ],
                })

    @classmethod
    def get_due(cls, lines, name):
        moment = now()
        _, tomorrow, next_week = cls._day_limits()

        def due(line):
            if line.state != 'pending':
                return None
            elif line.date < moment:
                return 'overdue' if line.role in TRACKING_ROLES else None
            elif line.date < tomorrow:
                return 'today'
            elif line.date < next_week:
                return 'week'
            return 'later'
        return {line.id: due(line) for line in lines}

    @classmethod
    def search_due(cls, name, clause):
        moment = now()
        _, tomorrow, next_week = cls._day_limits()
        domains = {
            'overdue': [
                ('date', '<', moment),
                ('role', 'in', TRACKING_ROLES),
                ],
            'today': [('date', '>=', moment), ('date', '<', tomorrow)],
            'week': [('date', '>=', tomorrow), ('date', '<', next_week)],
            'later': [('date', '>=', next_week)],
            }
        return accepted_domain(clause, {
                None: ['OR',
                    ('state', '!=', 'pending'),
                    [
                        ('date', '<', moment),
                        ('role', 'not in', TRACKING_ROLES),
                        ],
                    ],
                **{key: [('state', '=', 'pending'), *dates]
                    for key, dates in domains.items()},
                })

    # It does not change with the start: the clients set both to move a line
    @classmethod
    def get_calendar_end(cls, lines, name):
        def end(line):
            # Without end the clients show it for two hours and what takes less
            # than a slot as a line that cannot be read
            if line.end_date and line.calendar_date:
                return max(line.end_date, line.calendar_date + _CALENDAR_SLOT)
            return line.end_date
        return {line.id: end(line) for line in lines}

    @classmethod
    def search_calendar_end(cls, name, clause):
        return [('end_date', *clause[1:])]

    @classmethod
    def set_calendar_end(cls, lines, name, value):
        cls.write(lines, {name: value})

    @classmethod
    def get_calendar_color(cls, lines, name):
        return {
            line.id: cls._calendar_colors[line.kind]
            if line.state == 'pending' else _DONE_COLOR for line in lines}

    @classmethod
    def get_assignee_color(cls, lines, name):
        def color(employee):
            # So that consecutive employees differ
            hue = (employee.id * _GOLDEN_RATIO) % 1
            # Dark enough for the white text of the clients
            return '#%02x%02x%02x' % tuple(
                round(v * 255) for v in colorsys.hls_to_rgb(hue, .3, .5))
        return {
            line.id: color(line.assignee)
            if line.assignee and line.state == 'pending' else _DONE_COLOR
            for line in lines}

    def get_rec_name(self, name):
        return ': '.join(filter(None, [
                    self.party.rec_name if self.party else None,
                    self.summary or self.kind_string]))

    @classmethod
    def search_rec_name(cls, name, clause):
        pool = Pool()
        Party = pool.get('party.party')
        _, operator, *extra = clause
        if operator.startswith('!') or operator.startswith('not '):
            bool_op = 'AND'
        else:
            bool_op = 'OR'
        t = cls.__table__()
        with inactive_records():
            parties = Party.search(
                [('rec_name', operator, *extra)], order=[], query=True)
        return [bool_op,
            ('id', 'in', t.select(t.id, where=t.party.in_(parties))),
            ('summary', operator, *extra),
            ]

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_activity_open')
    def open(cls, lines):
        pass

    @classmethod
    def write(cls, *args):
        # The lines come from a query: the activities are moved
        for lines, values in zip(args[::2], args[1::2]):
            if values.keys() - {
                    'date', 'calendar_date', 'calendar_end', 'end_date'}:
                raise AccessError(gettext(
                        'sale_opportunity_management.msg_activity_line'))
            for line, activity in zip(lines, cls.get_activities(lines)):
                start = values.get('calendar_date') or (
                    line.calendar_date
                    + (values.get('date', line.date) - line.date))
                end = values.get('end_date') or values.get('calendar_end')
                if (not end
                        or end - start
                        == line.calendar_end - line.calendar_date):
                    end = line.end_date + (start - line.calendar_date)
                activity.__class__.write(
                    [activity], activity.move_values(start, end))


class Open(Wizard):
    __name__ = 'sale.activity.open'
    _readonly = True

    start = StateTransition()
    call = StateAction('sale_opportunity_management.act_call_open')
    task = StateAction('sale_opportunity_management.act_task_open')
    incident = StateAction('sale_opportunity_management.act_task_open')
    work = StateAction('sale_opportunity_management.wizard_activity_work')

    def transition_start(self):
        pool = Pool()
        Work = pool.get('sale.activity.work.record')
        if Transaction().context.get('work'):
            origin, _ = Work.find_chosen(self.record)
            if origin:
                return 'work'
        return self.record.kind

    def _do_open(self, action):
        pool = Pool()
        Activity = pool.get('sale.activity')
        activity, = Activity.get_activities([self.record])
        return action, {'res_id': [activity.id]}

    def do_work(self, action):
        return action, {
            'model': self.model.__name__,
            'id': self.record.id,
            'ids': [self.record.id],
            }

    do_call = _do_open
    do_task = _do_open
    do_incident = _do_open
