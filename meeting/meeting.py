# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from sql import Literal, Null
from sql.aggregate import Count, Sum
from sql.conditionals import Case, Coalesce

from trytond.i18n import gettext
from trytond.model import Index, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.transaction import Transaction, check_access, without_check_access

from ..activity_mixin import ActivityMixin
from ..link import LinkMixin
from ..moment import next_hour, this_minute, to_local, to_utc
from ..reminder import ReminderMixin
from ..tools import accepted_domain, clause_accepts
from .attendee import ANSWERS
from .exceptions import MeetingDateError


class Meeting(ReminderMixin, LinkMixin, ActivityMixin):
    __name__ = 'sale.meeting'
    _history = True
    _rec_name = 'summary'
    _reminder_icon = 'tryton-sale-meeting'
    _pending_order = [('planned_date', 'ASC'), ('id', 'ASC')]

    _states = {
        'readonly': Eval('state') != 'pending',
        }

    whole_day = fields.Boolean(
        "Whole Day", states=_states,
        help="Check if the meeting takes whole days of the company.")
    duration = fields.TimeDelta(
        "Duration",
        states={
            'readonly': _states['readonly'],
            'invisible': Eval('whole_day', False),
            },
        help="How long the meeting takes.")
    end_date = fields.DateTime(
        "End", format='%H:%M', required=True, states=_states,
        help="When the meeting ends.")
    first_day = fields.Function(
        fields.Date(
            "First Day",
            states={
                'readonly': _states['readonly'],
                'invisible': ~Eval('whole_day', False),
                'required': Eval('whole_day', False),
                },
            help="The day on which the meeting begins."),
        'on_change_with_first_day', setter='set_day')
    last_day = fields.Function(
        fields.Date(
            "Last Day",
            states={
                'readonly': _states['readonly'],
                'invisible': ~Eval('whole_day', False),
                'required': Eval('whole_day', False),
                },
            help="The last day that the meeting takes."),
        'on_change_with_last_day', setter='set_day')
    place = fields.Char(
        "Place", states=_states,
        help="Where to meet.")
    link = fields.Char(
        "Link", states=_states,
        help="The address to meet on line.")
    agenda = fields.Text(
        "Agenda", states=_states,
        help="What the attendees read in the invitation.")
    attendees = fields.One2Many(
        'sale.meeting.attendee', 'meeting', "Attendees", states=_states,
        help="Who takes part besides the organiser.")
    attendees_number = fields.Function(
        fields.Integer("Number of Attendees"), 'get_answers')
    attendees_accepted = fields.Function(
        fields.Integer("Attendees Accepted"), 'get_answers')
    my_answer = fields.Function(
        fields.Selection(
            [(None, "")] + ANSWERS, "My Answer", sort=False,
            help="The answer of the current employee."),
        'get_my_answer', searcher='search_my_answer')
    only_attended = fields.Function(
        fields.Boolean(
            "Only Attended",
            help="The user takes part in the meeting but may not change it."),
        'get_only_attended')
    when = fields.Function(
        fields.Selection([
                (None, ""),
                ('past', "Past"),
                ('today', "Today"),
                ('week', "This Week"),
                ('later', "Later"),
                ], "When", sort=False,
            help="When the meeting is, on the calendar of the company."),
        'get_when', searcher='search_when')

    del _states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.summary.required = True
        cls.assignee.string = "Organiser"
        cls.assignee.required = True
        cls.assignee.help = "The employee who invites to the meeting."
        cls.description.string = "Minutes"
        cls.description.states = {
            'readonly': Eval('state') == 'cancelled',
            }
        cls.planned_date.string = "Start"
        cls.planned_date.required = True
        cls.planned_date.help = "When the meeting begins."
        cls.reminder.help = (
            "How long before the start to be reminded.\n"
            "For whole days it counts from 09:00 of the first one.\n"
            "Leave empty for no reminder.")
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(
                    t,
                    (t.planned_date, Index.Range()),
                    (t.id, Index.Range()),
                    include=[
                        t.company, t.tracking, t.assignee, t.done_by,
                        t.end_date],
                    where=t.state == 'pending'),
                Index(
                    t,
                    (t.end_date, Index.Range()),
                    include=[
                        t.id, t.company, t.tracking, t.assignee, t.done_by,
                        t.planned_date],
                    where=t.state == 'pending'),
                # Without minutes, as the search compares texts
                Index(
                    t,
                    (t.date, Index.Range(order='DESC')),
                    (t.id, Index.Range(order='DESC')),
                    where=(t.state == 'done')
                    & (Coalesce(t.description, '') == '')),
                })
        cls._buttons.update({
                **{name: {
                        'invisible': (
                            (Eval('state') != 'pending')
                            | ~Eval('my_answer')
                            | (Eval('my_answer') == answer)),
                        'depends': ['state', 'my_answer'],
                        }
                    for name, answer in [
                        ('accept', 'accepted'),
                        ('accept_tentatively', 'tentative'),
                        ('decline', 'declined'),
                        ]},
                })
        for name in ['cancel', 'record_result']:
            button = cls._buttons[name]
            button['invisible'] |= Eval('only_attended', False)
            button['depends'] = [*button['depends'], 'only_attended']

    @classmethod
    def default_planned_date(cls):
        return next_hour()

    @classmethod
    def default_duration(cls):
        return dt.timedelta(hours=1)

    @classmethod
    def default_reminder(cls):
        pool = Pool()
        Configuration = pool.get('sale.configuration')
        return Configuration(1).get_multivalue('meeting_reminder')

    @classmethod
    def default_whole_day(cls):
        return False

    @fields.depends('planned_date', 'duration', 'end_date')
    def on_change_planned_date(self):
        if self.planned_date and self.duration is not None:
            self.end_date = self.planned_date + self.duration

    @fields.depends(methods=['on_change_planned_date'])
    def on_change_duration(self):
        self.on_change_planned_date()

    @fields.depends(
        'whole_day', 'company', 'planned_date', 'first_day', 'last_day',
        'end_date', 'duration')
    def on_change_whole_day(self):
        if self.whole_day:
            date = self.planned_date or this_minute()
            self.first_day = to_local(self.company, date).date()
            self.last_day = self.first_day
            self._set_days()
        elif self.first_day:
            self.duration = self.default_duration()
            self.planned_date = max(
                self._morning(self.company, self.first_day),
                self.default_planned_date())
            self.end_date = self.planned_date + self.duration

    @fields.depends(
        'company', 'first_day', 'last_day', 'planned_date', 'end_date',
        'duration')
    def _set_days(self):
        if self.first_day and self.last_day:
            self.planned_date = self._midnight(self.company, self.first_day)
            self.end_date = self._midnight(
                self.company, self.last_day + dt.timedelta(days=1))
            self.duration = self.end_date - self.planned_date

    @fields.depends('first_day', 'last_day', methods=['_set_days'])
    def on_change_first_day(self):
        if (self.first_day
                and (not self.last_day or self.last_day < self.first_day)):
            self.last_day = self.first_day
        self._set_days()

    @fields.depends('first_day', 'last_day', methods=['_set_days'])
    def on_change_last_day(self):
        if (self.last_day
                and (not self.first_day or self.first_day > self.last_day)):
            self.first_day = self.last_day
        self._set_days()

    @fields.depends('whole_day', 'company', 'planned_date')
    def on_change_with_first_day(self, name=None):
        if self.whole_day and self.planned_date:
            return to_local(self.company, self.planned_date).date()

    @fields.depends('whole_day', 'company', 'end_date')
    def on_change_with_last_day(self, name=None):
        if self.whole_day and self.end_date:
            return to_local(
                self.company, self.end_date - dt.timedelta(minutes=1)).date()

    @classmethod
    def set_day(cls, meetings, name, value):
        to_write = []
        for meeting in meetings:
            if (not meeting.whole_day or not value
                    or getattr(meeting, name) == value):
                continue
            if name == 'first_day':
                values = {
                    'planned_date': cls._midnight(meeting.company, value),
                    'end_date': meeting.end_date,
                    }
            else:
                values = {
                    'end_date': cls._midnight(
                        meeting.company, value + dt.timedelta(days=1)),
                    }
            to_write.extend([[meeting], values])
        if to_write:
            cls.write(*to_write)

    @classmethod
    def _midnight(cls, company, day):
        return to_utc(company, dt.datetime.combine(day, dt.time()))

    @classmethod
    def _morning(cls, company, day):
        return to_utc(company, dt.datetime.combine(day, dt.time(9)))

    @classmethod
    def get_answers(cls, meetings, names):
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        attendee = Attendee.__table__()
        cursor = Transaction().connection.cursor()
        numbers = {n: {m.id: 0 for m in meetings} for n in names}
        cursor.execute(*attendee.select(
                attendee.meeting, Count(Literal(1)),
                Sum(Case((attendee.answer == 'accepted', 1), else_=0)),
                where=fields.SQL_OPERATORS['in'](
                    attendee.meeting, [m.id for m in meetings]),
                group_by=attendee.meeting))
        for meeting, number, accepted in cursor:
            values = {
                'attendees_number': number,
                'attendees_accepted': accepted,
                }
            for name in names:
                numbers[name][meeting] = values[name]
        return numbers

    @classmethod
    def get_my_answer(cls, meetings, name):
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        answers = dict.fromkeys(map(int, meetings))
        with without_check_access():
            answers.update(
                (a.meeting.id, a.answer) for a in Attendee.search([
                        ('meeting', 'in', list(answers)),
                        ('employee', '=',
                            Transaction().context.get('employee', -1)),
                        ]))
        return answers

    @classmethod
    def search_my_answer(cls, name, clause):
        employee = Transaction().context.get('employee', -1)
        domain = ['OR']
        if answers := [a for a, _ in ANSWERS if clause_accepts(clause, a)]:
            domain.append(('attendees', 'where', [
                        ('employee', '=', employee),
                        ('answer', 'in', answers),
                        ]))
        if clause_accepts(clause, None):
            domain.append(
                ('attendees', 'not where', [('employee', '=', employee)]))
        return domain if len(domain) > 1 else [('id', '=', None)]

    @classmethod
    def get_only_attended(cls, meetings, name):
        pool = Pool()
        Rule = pool.get('ir.rule')
        if not Transaction().user:
            return {m.id: False for m in meetings}
        with check_access():
            domain = Rule.domain_get(cls.__name__, mode='write')
        changeable = set(map(int, cls.search([
                        ('id', 'in', [m.id for m in meetings]),
                        domain or [],
                        ], order=[])))
        return {m.id: m.id not in changeable for m in meetings}

    @classmethod
    def get_when(cls, meetings, name):
        today, tomorrow, next_week = cls._day_limits()

        def when(meeting):
            if meeting.end_date <= today:
                return 'past'
            elif meeting.planned_date < tomorrow:
                return 'today'
            elif meeting.planned_date < next_week:
                return 'week'
            return 'later'
        return {m.id: when(m) for m in meetings}

    @classmethod
    def search_when(cls, name, clause):
        today, tomorrow, next_week = cls._day_limits()
        return accepted_domain(clause, {
                'past': [('end_date', '<=', today)],
                'today': [
                    ('end_date', '>', today),
                    ('planned_date', '<', tomorrow),
                    ],
                'week': [
                    ('planned_date', '>=', tomorrow),
                    ('planned_date', '<', next_week),
                    ],
                'later': [('planned_date', '>=', next_week)],
                })

    def get_rec_name(self, name):
        return self.summary

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('summary', *clause[1:])]

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/form//group[@id="hours"]', 'states', {
                    'invisible': Eval('whole_day', False),
                    }),
            ('/form//group[@id="days"]', 'states', {
                    'invisible': ~Eval('whole_day', False),
                    }),
            ('/tree/field[@name="my_answer"]', 'visual',
                If(Eval('my_answer') == 'needs_action', 'warning', '')),
            ]

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if values.get('end_date'):
            values['end_date'] = values['end_date'].replace(
                second=0, microsecond=0)
        if mode == 'create' and values.get('planned_date'):
            if values.get('duration') is None:
                values['duration'] = cls.default_duration()
            if not values.get('end_date'):
                values['end_date'] = cls._end(values)
        return values

    @classmethod
    def _end(cls, values):
        pool = Pool()
        Company = pool.get('company.company')
        start, duration = values['planned_date'], values['duration']
        if values.get('whole_day') and values.get('company'):
            company = Company(values['company'])
            midnight = dt.datetime.combine(
                to_local(company, start).date(), dt.time())
            return to_utc(company, midnight + duration)
        return start + duration

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        if (field_names is None
                or field_names & {
                    'planned_date', 'end_date', 'duration', 'whole_day'}):
            start, end = self._compute_period(field_names)
            for name, value in [
                    ('planned_date', start),
                    ('end_date', end),
                    ('duration', end - start),
                    ]:
                if getattr(self, name, None) != value:
                    values[name] = value
            date = self.done_date or self.get_due_date(field_names)
            if self.date != date:
                values['date'] = date
        return values

    def _compute_period(self, field_names=None):
        start, end = self.planned_date, self.end_date
        length = self.duration
        follows = (
            field_names is not None
            and 'end_date' not in field_names
            and length is not None)
        if self.whole_day:
            first = to_local(self.company, start).date()
            if follows:
                days = max(round(length / dt.timedelta(days=1)), 1)
                last = first + dt.timedelta(days=days - 1)
            else:
                last = to_local(
                    self.company,
                    max(end - dt.timedelta(minutes=1), start)).date()
            start = self._midnight(self.company, first)
            end = self._midnight(
                self.company, last + dt.timedelta(days=1))
        elif follows:
            end = start + length
        return start, end

    def get_due_date(self, field_names=None):
        start, end = self._compute_period(field_names)
        return end - dt.timedelta(minutes=1) if self.whole_day else start

    @classmethod
    def validate_fields(cls, meetings, field_names):
        super().validate_fields(meetings, field_names)
        cls.check_end(meetings, field_names)

    @classmethod
    def check_dates(cls, meetings, field_names=None):
        if field_names is not None and 'whole_day' in field_names:
            field_names = field_names | {'planned_date'}
        super().check_dates(meetings, field_names)

    @classmethod
    def check_end(cls, meetings, field_names=None):
        if (field_names is not None
                and not field_names & {
                    'planned_date', 'end_date', 'duration', 'whole_day'}):
            return
        for meeting in meetings:
            start, end = meeting._compute_period(field_names)
            if end <= start:
                raise MeetingDateError(gettext(
                        'sale_opportunity_management.msg_meeting_end',
                        meeting=meeting.rec_name))

    @classmethod
    def on_modification(cls, mode, meetings, field_names=None):
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        super().on_modification(mode, meetings, field_names=field_names)
        if (mode == 'write'
                and (field_names is None
                    or field_names & cls._tracking_fields())):
            Attendee.update_meetings(meetings)

    @classmethod
    def check_organise(cls, meetings):
        """Check that the user may change the meetings

        An attendee reads the meeting and so reaches its buttons."""
        only_attended = cls.get_only_attended(meetings, 'only_attended')
        for meeting in meetings:
            if only_attended[meeting.id]:
                raise AccessError(gettext(
                        'sale_opportunity_management.msg_meeting_organise',
                        meeting=meeting.rec_name,
                        organiser=meeting.assignee.rec_name))

    @classmethod
    def _facts(cls):
        return (super()._facts() - {'description'}) | {
            'end_date', 'duration', 'whole_day', 'place', 'link', 'agenda',
            'attendees'}

    @classmethod
    def _reminder_fields(cls):
        return super()._reminder_fields() | {'whole_day'}

    def _reminder_start(self, start):
        start = super()._reminder_start(start)
        if self.whole_day:
            start = self._morning(
                self.company, to_local(self.company, start).date())
        return start

    def _reminder_employees(self):
        return super()._reminder_employees() + [
            a.employee for a in self.attendees
            if a.employee and a.employee != self.assignee
            and a.answer != 'declined']

    @property
    def reminder_details(self):
        return ', '.join(filter(None, [self.place, self.link])) or None

    @classmethod
    def activity_columns(cls, table):
        columns = super().activity_columns(table)
        columns['duration'] = Case(
            (table.whole_day == Literal(True), Null), else_=table.duration)
        columns['organiser'] = table.assignee
        columns['calendar_date'] = table.planned_date
        return columns

    def move_values(self, start, end):
        values = super().move_values(start, start)
        # A move keeps the duration, also of whole days
        if end - start != self.end_date - self.planned_date:
            values['end_date'] = end
        return values

    @classmethod
    def copy(cls, meetings, default=None):
        pool = Pool()
        Company = pool.get('company.company')
        default = default.copy() if default is not None else {}
        tomorrow = this_minute() + dt.timedelta(days=1)

        def start(data):
            return max(data['planned_date'], tomorrow)

        def end(data):
            if not data['whole_day']:
                return start(data) + (data['end_date'] - data['planned_date'])
            # Some days have 23 or 25 hours
            company = Company(data['company'])
            first, copied = (
                to_local(company, date).date()
                for date in [data['planned_date'], start(data)])
            end = to_local(company, data['end_date']).date()
            return cls._midnight(company, end + (copied - first))

        default.setdefault('planned_date', start)
        default.setdefault('end_date', end)
        return super().copy(meetings, default=default)

    @classmethod
    @ModelView.button
    def cancel(cls, meetings):
        cls.check_organise(meetings)
        super().cancel(meetings)

    @classmethod
    @ModelView.button
    def accept(cls, meetings):
        cls._answer(meetings, 'accepted')

    @classmethod
    @ModelView.button
    def accept_tentatively(cls, meetings):
        cls._answer(meetings, 'tentative')

    @classmethod
    @ModelView.button
    def decline(cls, meetings):
        cls._answer(meetings, 'declined')

    @classmethod
    def _answer(cls, meetings, answer):
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        User = pool.get('res.user')
        employee = User.get_current_employee()
        attendees = Attendee.search([
                ('meeting', 'in', [m.id for m in meetings]),
                ('employee', '=', employee.id if employee else -1),
                ])
        attended = {a.meeting for a in attendees}
        for meeting in meetings:
            if meeting not in attended:
                raise AccessError(gettext(
                        'sale_opportunity_management.msg_meeting_attend',
                        meeting=meeting.rec_name))
        Attendee.give_answer(attendees, answer)
