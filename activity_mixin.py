# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
from collections import defaultdict

from sql import Column, Literal, Union
from sql.conditionals import Coalesce

from trytond.i18n import gettext
from trytond.model import Index, ModelView, Workflow, fields
from trytond.model.exceptions import AccessError
from trytond.model.modelstorage import is_leaf
from trytond.modules.company.model import employee_field, set_employee
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.transaction import (
    Transaction, check_access, inactive_records, without_check_access)

from .channel import has_role
from .exceptions import (
    ActivityPartyError, AssigneeError, ClosedTrackingError, DoneDateError,
    PlannedDateError)
from .moment import format_moment, now, this_minute, to_local, to_utc
from .phone import PhoneMixin
from .tools import accepted_domain, clause_accepts

STATES = [
    ('pending', "Pending"),
    ('done', "Done"),
    ('cancelled', "Cancelled"),
    ]


class ResultMixin(ModelView):

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update({
                'record_result': {},
                })

    @property
    def result_origin(self):
        "The activity, or the tracking, that the result is of"
        return self

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_activity_record')
    def record_result(cls, records):
        pass


class ActivityLineMixin(PhoneMixin, ResultMixin):
    _pending_order = [('date', 'ASC'), ('id', 'ASC')]
    _pending_values = {
        'state': {'pending'},
        'overdue': {True},
        }

    business_unit = fields.Function(
        fields.Many2One('sale.business_unit', "Business Unit"),
        'on_change_with_business_unit', searcher='search_tracking')
    channel = fields.Function(
        fields.Many2One('sale.channel', "Channel"),
        'on_change_with_channel', searcher='search_tracking')
    overdue = fields.Function(
        fields.Boolean("Overdue"), 'get_overdue', searcher='search_overdue')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('date', 'DESC'), ('id', 'DESC')]
        cls._buttons['record_result'].update({
                'invisible': Eval('state') != 'pending',
                'depends': ['state'],
                })

    @fields.depends('tracking', '_parent_tracking.business_unit')
    def on_change_with_business_unit(self, name=None):
        return self.tracking.business_unit if self.tracking else None

    @fields.depends('tracking', '_parent_tracking.channel')
    def on_change_with_channel(self, name=None):
        return self.tracking.channel if self.tracking else None

    @classmethod
    def search_tracking(cls, name, clause):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        query = Tracking.search([tuple(clause)], order=[], query=True)
        t = cls.__table__()
        domain = [('id', 'in', t.select(t.id, where=t.tracking.in_(query)))]
        if clause[1] in {'=', 'in'} and clause_accepts(clause, None):
            domain = ['OR', ('tracking', '=', None), domain]
        return domain

    @fields.depends('tracking', '_parent_tracking.phone')
    def on_change_with_phone(self, name=None):
        if self.tracking:
            return self.tracking.phone
        return super().on_change_with_phone(name=name)

    @classmethod
    def get_overdue(cls, activities, name):
        moment = now()
        return {
            a.id: a.state == 'pending' and a.date < moment
            for a in activities}

    @classmethod
    def search_overdue(cls, name, clause):
        moment = now()
        return accepted_domain(clause, {
                True: [('state', '=', 'pending'), ('date', '<', moment)],
                False: ['OR',
                    ('state', '!=', 'pending'),
                    ('date', '>=', moment),
                    ],
                })

    @classmethod
    def _day_limits(cls):
        """Return the moments when today, tomorrow and the next week begin

        They are those of the company."""
        pool = Pool()
        Company = pool.get('company.company')
        company = Transaction().context.get('company')
        company = Company(company) if company is not None else None
        today = to_local(company, now()).date()
        return [
            to_utc(company, dt.datetime.combine(
                    today + dt.timedelta(days=days), dt.time()))
            for days in [0, 1, 7 - today.weekday()]]

    @classmethod
    def search(
            cls, domain, offset=0, limit=None, order=None, count=False,
            query=False):
        if order is None and cls._is_pending(domain):
            order = cls._pending_order
        return super().search(
            domain, offset=offset, limit=limit, order=order, count=count,
            query=query)

    @classmethod
    def _is_pending(cls, domain):
        if is_leaf(domain):
            name, operator, value, *_ = domain
            values = cls._pending_values.get(name)
            if values and operator == '=':
                return value in values
            elif values and operator == 'in':
                return bool(value) and values.issuperset(value)
            return False
        operator, clauses = 'AND', list(domain)
        if clauses and isinstance(clauses[0], str):
            operator = clauses.pop(0)
        test = all if operator == 'OR' else any
        return bool(clauses) and test(map(cls._is_pending, clauses))

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('state') == 'cancelled', 'muted',
                    If(Eval('overdue', False), 'danger', ''))),
            ]


class ActivityMixin(Workflow, ActivityLineMixin):
    _recorded_fields = {'state'}
    _facts_states = {
        'readonly': (
            (Eval('state') == 'cancelled')
            | ((Eval('state') == 'done')
                & ~has_role('group_tracking_admin'))),
        }

    company = fields.Many2One(
        'company.company', "Company", required=True,
        states={
            'readonly': Bool(Eval('tracking')),
            })
    tracking = fields.Many2One(
        'sale.tracking', "Tracking", ondelete='CASCADE',
        domain=[
            ('company', '=', Eval('company', -1)),
            If((Eval('id', -1) >= 0) & Bool(Eval('party'))
                & ~Eval('tracking'),
                ('party', '=', Eval('party', -1)),
                ()),
            ],
        states={
            'readonly': (
                _facts_states['readonly']
                | ((Eval('id', -1) >= 0) & Bool(Eval('tracking')))),
            },
        help="Leave empty for what is not part of a tracking.")
    party = fields.Many2One(
        'party.party', "Party", ondelete='RESTRICT',
        states={
            'readonly': (
                Bool(Eval('tracking')) | _facts_states['readonly']),
            },
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    summary = fields.Char(
        "Summary", states=_facts_states,
        help="What the activity is for.")
    description = fields.Text(
        "Description", states=_facts_states,
        help="What was said or done.")
    planned_date = fields.DateTime(
        "Planned Date", format='%H:%M',
        states={
            'readonly': Eval('state') != 'pending',
            'required': Eval('state') == 'pending',
            },
        help="When the activity has to be done.")
    done_date = fields.DateTime(
        "Done Date", format='%H:%M',
        states={
            'readonly': _facts_states['readonly'],
            'invisible': Eval('state') != 'done',
            'required': Eval('state') == 'done',
            },
        help="When the activity was really done.")
    date = fields.DateTime(
        "Date", format='%H:%M', readonly=True,
        help="When the activity was done or, until then, is planned.")
    assignee = fields.Many2One(
        'company.employee', "Assignee",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'readonly': Eval('state') != 'pending',
            },
        help="The employee who has to do it.")
    done_by = fields.Many2One(
        'company.employee', "Done By",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'readonly': _facts_states['readonly'],
            'invisible': Eval('state') != 'done',
            },
        help="The employee who really did it.")
    cancelled_by = employee_field(
        "Cancelled By", states=['pending', 'done', 'cancelled'])
    state = fields.Selection(
        STATES, "State", required=True, readonly=True, sort=False)
    state_before_close = fields.Char(
        "State before Closing", readonly=True,
        help="The state to return to when the tracking is reopened.")

    _progress_name = 'state'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(
                    t,
                    (Index.Unaccent(Coalesce(t.summary, '')),
                        Index.Similarity())),
                Index(
                    t,
                    (t.tracking, Index.Equality()),
                    (t.date, Index.Range(order='DESC'))),
                Index(
                    t,
                    (t.assignee, Index.Equality()),
                    (t.date, Index.Range()),
                    where=t.state == 'pending'),
                Index(
                    t,
                    (t.assignee, Index.Equality()),
                    (t.date, Index.Range())),
                Index(
                    t,
                    (t.date, Index.Range(order='DESC')),
                    (t.id, Index.Range(order='DESC')),
                    include=[
                        t.company, t.tracking, t.assignee, t.done_by,
                        t.state]),
                Index(
                    t,
                    (t.date, Index.Range(order='DESC')),
                    (t.id, Index.Range(order='DESC')),
                    include=[t.company, t.tracking, t.assignee, t.done_by],
                    where=t.state == 'pending'),
                Index(
                    t,
                    (t.id, Index.Range()),
                    include=[
                        t.company, t.tracking, t.assignee, t.done_by, t.date],
                    where=t.state == 'pending'),
                Index(
                    t,
                    (t.done_by, Index.Equality()),
                    (t.date, Index.Range(order='DESC')),
                    where=t.state == 'done'),
                Index(
                    t,
                    (t.party, Index.Equality()),
                    (t.date, Index.Range(order='DESC'))),
                })
        cls.cancelled_by.states['invisible'] = Eval('state') != 'cancelled'
        cls._transitions |= {
            ('pending', 'done'),
            ('pending', 'cancelled'),
            }
        cls._buttons.update({
                'cancel': {
                    'invisible': Eval('state') != 'pending',
                    'depends': ['state'],
                    },
                })

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_assignee(cls):
        return Transaction().context.get('employee')

    @classmethod
    def default_state(cls):
        return 'pending'

    @fields.depends(
        'tracking', '_parent_tracking.company', '_parent_tracking.party',
        '_parent_tracking.operator')
    def on_change_tracking(self):
        if self.tracking:
            self.company = self.tracking.company
            self.party = self.tracking.party
            self.assignee = self.tracking.operator

    def get_rec_name(self, name):
        return f'{self._format_date(self.date)} {self.subject}'

    @classmethod
    def search_rec_name(cls, name, clause):
        pool = Pool()
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        _, operator, *extra = clause
        t = cls.__table__()
        domain = [('rec_name', operator, *extra)]
        with inactive_records():
            trackings = Tracking.search(domain, order=[], query=True)
            parties = Party.search(domain, order=[], query=True)
        queries = [
            t.select(t.id, where=t.tracking.in_(trackings)),
            t.select(t.id, where=t.party.in_(parties))]
        if operator.startswith('!') or operator.startswith('not '):
            return [
                *(('id', 'in', q) for q in queries),
                ('summary', operator, *extra)]
        queries += cls._search_text(operator, *extra)
        return [('id', 'in', Union(*queries))]

    @classmethod
    def _search_text(cls, operator, value, *extra):
        "Return the queries of the records that have the text themselves"
        with inactive_records(), without_check_access():
            return [cls.search(
                    [('summary', operator, value, *extra)],
                    order=[], query=True)]

    @property
    def subject(self):
        record = self.tracking or self.party
        return record.rec_name if record else self.summary or ''

    @property
    def outcome_text(self):
        "The outcome in words, of the kinds that have one"

    @property
    def has_result(self):
        "If it says how it ended"
        return bool(
            self.description
            or getattr(self, 'result', None)
            or getattr(self, 'interest', None) not in {None, '0'})

    @property
    def text(self):
        return ' - '.join(
            ' '.join(t.split()) for t in self._texts() if t)

    def _texts(self):
        return [self.summary, self.description]

    @classmethod
    def activity_kinds(cls):
        "Return by kind of sale.activity the domain of the activities"
        _, _, kind = cls.__name__.rpartition('.')
        return {kind: []}

    @property
    def activity_kind(self):
        kind, = self.activity_kinds()
        return kind

    @classmethod
    def kind_text(cls, kind):
        "Return the kind of sale.activity in words"
        pool = Pool()
        Activity = pool.get('sale.activity')
        return Activity(kind=kind).kind_string

    @classmethod
    def kinds_text(cls, kind):
        "Return what there is to do of the kind of sale.activity"
        return gettext(
            f'sale_opportunity_management.msg_activity_kinds_{kind}')

    @property
    def needs_assignee(self):
        return self.__class__.assignee.required

    @classmethod
    def preprocess_values(cls, mode, values):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        values = super().preprocess_values(mode, values)
        # The clients show no seconds: a hidden one would count as a change
        for name in ['planned_date', 'done_date']:
            if values.get(name):
                values[name] = values[name].replace(second=0, microsecond=0)
        if mode == 'create':
            # So that no second write computes it
            values['date'] = (
                values.get('done_date') or values.get('planned_date'))
        if mode == 'create' and values.get('tracking'):
            tracking = Tracking(values['tracking'])
            values.setdefault('company', tracking.company.id)
            values['party'] = tracking.party.id
            if not values.get('assignee'):
                operator = tracking.operator
                values['assignee'] = (
                    operator.id if operator and operator.active else None)
        elif values.get('tracking'):
            values['party'] = Tracking(values['tracking']).party.id
        if mode == 'write' and values.get('state'):
            # Only what the closing of the tracking has cancelled keeps it
            values.setdefault('state_before_close')
        return values

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        if (field_names is None
                or {'planned_date', 'done_date'} & field_names):
            date = self.done_date or self.get_due_date(field_names)
            if getattr(self, 'date', None) != date:
                values['date'] = date
        return values

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        cls.check_dates(activities, field_names)
        cls.check_tracking_open(activities, field_names)
        cls.check_party(activities, field_names)

    @classmethod
    def check_dates(cls, activities, field_names=None):
        minute = this_minute()
        for activity in activities:
            if ((field_names is None or 'planned_date' in field_names)
                    and activity.state == 'pending'
                    and activity.get_due_date(field_names) < minute):
                raise PlannedDateError(gettext(
                        'sale_opportunity_management.msg_planned_date_past',
                        date=activity._format_date(activity.planned_date),
                        subject=activity.subject))
            if ((field_names is None or 'done_date' in field_names)
                    and activity.done_date
                    and activity.done_date > minute):
                raise DoneDateError(gettext(
                        'sale_opportunity_management.msg_done_date_future',
                        date=activity._format_date(activity.done_date),
                        subject=activity.subject))

    @classmethod
    def check_tracking_open(cls, activities, field_names=None):
        if field_names is not None and not {'state', 'tracking'} & field_names:
            return
        for activity in activities:
            if (activity.state == 'pending'
                    and activity.tracking
                    and activity.tracking.state == 'closed'):
                raise ClosedTrackingError(gettext(
                        'sale_opportunity_management.msg_tracking_closed',
                        tracking=activity.tracking.rec_name))

    @classmethod
    def check_party(cls, activities, field_names=None):
        if field_names is not None and 'party' not in field_names:
            return
        for activity in activities:
            if (activity.tracking
                    and activity.party != activity.tracking.party):
                raise ActivityPartyError(gettext(
                        'sale_opportunity_management.msg_activity_party',
                        activity=activity.rec_name,
                        party=activity.tracking.party.rec_name))

    def get_due_date(self, field_names=None):
        """Return the moment after which the planned activity is overdue

        field_names are the fields that are being written."""
        return self.planned_date

    def _format_date(self, date):
        return format_moment(self.company, date)

    def _is_completed_by(self, values):
        "Return if the values only tell what the user did not know"
        return False

    @classmethod
    def _facts(cls):
        "The fields that say what was done"
        return {
            'tracking', 'party', 'summary', 'description', 'planned_date',
            'done_date', 'done_by', 'state'}

    @classmethod
    def check_modification(
            cls, mode, activities, values=None, external=False):
        pool = Pool()
        Employee = pool.get('company.employee')
        Tracking = pool.get('sale.tracking')
        super().check_modification(
            mode, activities, values=values, external=external)
        if external:
            cls._check_doers(mode, activities, values)
        if mode == 'create':
            cls._check_assignees((a, a.assignee) for a in activities)
        elif mode == 'write':
            if values.get('assignee'):
                assignee = Employee(values['assignee'])
                cls._check_assignees(
                    (a, assignee) for a in activities
                    if a.assignee != assignee)
            if (external
                    and values.keys() & cls._facts()
                    and not Tracking.is_administrator()):
                for activity in activities:
                    if (activity.state == 'done'
                            and not activity._is_completed_by(values)):
                        raise AccessError(gettext(
                                'sale_opportunity_management'
                                '.msg_activity_done_modify',
                                activity=activity.rec_name))
            if external and values.get('tracking'):
                with check_access():
                    Tracking.read([values['tracking']], ['id'])
            if ('tracking' in values
                    and not Transaction().context.get('_leave_tracking')):
                for activity in activities:
                    if (activity.tracking
                            and activity.tracking.id != values['tracking']):
                        raise AccessError(gettext(
                                'sale_opportunity_management'
                                '.msg_activity_change_tracking',
                                activity=activity.rec_name))
        elif mode == 'delete':
            for activity in activities:
                if activity.state == 'done':
                    raise AccessError(gettext(
                            'sale_opportunity_management'
                            '.msg_activity_done_delete',
                            activity=activity.rec_name))

    @classmethod
    def _check_doers(cls, mode, activities, values):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        User = pool.get('res.user')
        doers = set()
        if mode == 'create':
            doers = {a.done_by.id for a in activities if a.done_by}
        elif mode == 'write' and values.get('done_by'):
            doers = {values['done_by']}
        if (doers - set(User.get_working_employees())
                and not Tracking.is_administrator()):
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_activity_done_by_other'))

    @classmethod
    def _check_assignees(cls, assignees):
        for activity, assignee in assignees:
            if not assignee or activity.state != 'pending':
                continue
            with Transaction().set_context(company=assignee.company.id):
                if not assignee.__class__(assignee.id).active:
                    raise AssigneeError(gettext(
                            'sale_opportunity_management'
                            '.msg_activity_assignee_inactive',
                            activity=activity.rec_name,
                            assignee=assignee.rec_name))

    @classmethod
    def on_modification(cls, mode, activities, field_names=None):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        super().on_modification(mode, activities, field_names=field_names)
        if mode in {'create', 'write'}:
            if (field_names is None
                    or field_names & cls._tracking_fields()):
                Tracking.update_activities(cls.get_trackings(activities))

    @classmethod
    def on_delete(cls, activities):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        callbacks = super().on_delete(activities)
        if trackings := list(map(int, cls.get_trackings(activities))):
            def update():
                Tracking.update_activities(Tracking.search([
                            ('id', 'in', trackings),
                            ]))
            callbacks.append(update)
        return callbacks

    @classmethod
    def tracking_query(cls, trackings):
        """Return the query of what the trackings keep a summary of

        Its columns are the id, the tracking, the state, the date and the
        interest of the activities that are shown on the trackings with the
        ids."""
        table = cls.__table__()
        return table.select(
            table.id.as_('id'),
            table.tracking.as_('tracking'),
            table.state.as_('state'),
            table.date.as_('date'),
            cls._column_interest(table).as_('interest'),
            where=fields.SQL_OPERATORS['in'](table.tracking, trackings)
            & table.state.in_(['pending', 'done']))

    @classmethod
    def _column_interest(cls, table):
        return Literal(None)

    @classmethod
    def activity_columns(cls, table):
        "Return by name the columns of table for the lines of sale.activity"
        pool = Pool()
        Activity = pool.get('sale.activity')
        columns = {
            name: Column(table, name) for name in Activity._fields
            if name in cls._fields and not hasattr(cls._fields[name], 'set')}
        _, _, kind = cls.__name__.rpartition('.')
        columns['kind'] = Literal(kind)
        columns['role'] = Literal('main')
        columns['calendar_date'] = table.date
        columns['end_date'] = Coalesce(
            columns.get('end_date', Literal(None)), table.date)
        return columns

    @classmethod
    def activity_lines(cls):
        """Return what the lines of sale.activity are selected from

        It is the from item and the columns by name."""
        table = cls.__table__()
        return table, cls.activity_columns(table)

    @property
    def activity(self):
        return self

    def move_values(self, start, end):
        "Return the values to write to move the activity on the calendar"
        if end != start:
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_activity_no_end',
                    activity=self.rec_name))
        return {'planned_date': start}

    @classmethod
    def get_trackings(cls, activities):
        "Return the trackings that the activities are shown on"
        return {a.tracking for a in activities if a.tracking}

    @classmethod
    def _tracking_fields(cls):
        "The fields that the tracking keeps a summary of"
        return {'tracking', 'date', 'planned_date', 'done_date', 'state'}

    @classmethod
    def copy(cls, activities, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('description')
        default.setdefault('done_date')
        default.setdefault('done_by')
        default.setdefault('cancelled_by')
        default.setdefault('state_before_close')
        # A copy is planned anew: the moment of the original may be over
        tomorrow = now() + dt.timedelta(days=1)
        default.setdefault(
            'planned_date', lambda o: max(o['date'], tomorrow))
        return super().copy(activities, default=default)

    @classmethod
    def save_result(cls, activities, values):
        "Complete the pending activities with the values of their result"
        cls.write(activities, {**values, 'state': 'done'})

    @classmethod
    @ModelView.button
    @Workflow.transition('cancelled')
    @set_employee('cancelled_by')
    def cancel(cls, activities):
        pass

    @classmethod
    def cancel_closed(cls, activities):
        "Cancel what ends together with its tracking"
        by_state = defaultdict(list)
        for activity in activities:
            by_state[getattr(activity, cls._progress_name)].append(activity)
        cls.cancel(activities)
        with without_check_access():
            for state, s_activities in by_state.items():
                cls.write(s_activities, {'state_before_close': state})

    @classmethod
    def restore_closed(cls, activities):
        "Bring back what ended together with its tracking"
        by_state = defaultdict(list)
        for activity in activities:
            by_state[activity.state_before_close].append(activity)
        for state, s_activities in by_state.items():
            cls.write(s_activities, {
                    cls._progress_name: state,
                    'cancelled_by': None,
                    })
