# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
from collections import defaultdict

from sql import Null, Union
from sql.conditionals import Case, Coalesce

from trytond.i18n import gettext, ngettext
from trytond.ir.attachment import AttachmentCopyMixin
from trytond.ir.note import NoteCopyMixin
from trytond.model import (
    DeactivableMixin, Index, ModelSQL, ModelView, Unique, fields,
    sequence_ordered)
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction

from .activity_mixin import ActivityMixin
from .exceptions import (
    AssigneeError, ClosedTrackingError, TaskDateError, TaskPostponeError,
    TaskStatusError)
from .link import LinkMixin
from .moment import this_minute
from .reminder import ReminderMixin

_KINDS = [
    ('task', "Task"),
    ('incident', "Incident"),
    ]
_STATUS_STATES = {
    'new': 'pending',
    'not_started': 'pending',
    'in_progress': 'pending',
    'waiting': 'pending',
    'postponed': 'pending',
    'completed': 'done',
    'closed': 'cancelled',
    }
_STATE_STATUSES = {
    'pending': 'in_progress',
    'done': 'completed',
    'cancelled': 'closed',
    }


class Task(
        AttachmentCopyMixin, NoteCopyMixin, ReminderMixin, LinkMixin,
        ActivityMixin):
    __name__ = 'sale.task'
    _history = True
    _reminder_icon = 'tryton-sale-task'
    _rec_name = 'summary'
    _progress_name = 'status'
    _pending_values = {
        **ActivityMixin._pending_values,
        'status': {s for s, v in _STATUS_STATES.items() if v == 'pending'},
        }

    _facts_states = ActivityMixin._facts_states

    kind = fields.Selection(
        _KINDS, "Kind", required=True, states=_facts_states, sort=False,
        help="Whether it is something to do "
        "or something that went wrong and has to be solved.")
    kind_string = kind.translated('kind')
    type = fields.Many2One(
        'sale.task.type', "Type", ondelete='RESTRICT',
        domain=[
            ('kind', 'in', [Eval('kind'), 'both']),
            ('company', 'in', [Eval('company', -1), None]),
            ],
        states={
            'readonly': _facts_states['readonly'],
            'required': Eval('kind') == 'incident',
            },
        help="What sort of task or incident it is.")
    priority = fields.Selection([
            ('high', "High"),
            ('medium', "Medium"),
            ('low', "Low"),
            ], "Priority", required=True, states=_facts_states, sort=False,
        help="How urgent it is.")
    priority_string = priority.translated('priority')
    priority_icon = fields.Function(
        fields.Char("Priority Icon"), 'on_change_with_priority_icon')
    start_date = fields.DateTime(
        "Start Date", format='%H:%M', states=_facts_states,
        help="When to begin.")
    link = fields.Char(
        "Link", states=_facts_states,
        help="The address of the web page that it is about.")
    reason = fields.Char(
        "Reason",
        states={
            'invisible': ~Eval('status').in_(['waiting', 'postponed']),
            'required': Eval('status') == 'waiting',
            },
        help="What it waits for or why it was postponed.")
    result = fields.Text(
        "Result",
        states={
            'readonly': _facts_states['readonly'],
            'invisible': Eval('state') != 'done',
            },
        help="What was done.")
    linked_trackings = fields.Many2Many(
        'sale.task-sale.tracking', 'task', 'tracking', "Linked Trackings",
        domain=[
            ('company', '=', Eval('company', -1)),
            ('id', '!=', Eval('tracking', -1)),
            ],
        help="The other trackings that show it.")
    registered_by = fields.Many2One(
        'company.employee', "Registered By", readonly=True,
        ondelete='RESTRICT',
        help="The employee who registered it.")
    status = fields.Selection([
            ('new', "New"),
            ('not_started', "Not Started"),
            ('in_progress', "In Progress"),
            ('waiting', "Waiting"),
            ('postponed', "Postponed"),
            ('completed', "Completed"),
            ('closed', "Closed"),
            ], "Status", required=True, sort=False,
        states={
            'readonly': Eval('id', -1) >= 0,
            },
        help="How far the work is.\n"
        "Closed is what ended without being completed.")
    status_string = status.translated('status')

    del _facts_states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                *(Index(
                        t,
                        (t.kind, Index.Equality(cardinality='low')),
                        (t.date, Index.Range()),
                        (t.id, Index.Range()),
                        include=[
                            t.company, t.tracking, t.assignee, t.done_by,
                            t.registered_by],
                        where=where)
                    for where in [
                        t.state == 'pending',
                        t.status.in_(['waiting', 'postponed']),
                        ]),
                Index(
                    t,
                    (t.kind, Index.Equality(cardinality='low')),
                    (t.date, Index.Range(order='DESC')),
                    (t.id, Index.Range(order='DESC')),
                    include=[
                        t.company, t.tracking, t.assignee, t.done_by,
                        t.registered_by, t.state]),
                Index(t, (t.registered_by, Index.Range())),
                Index(t, (t.type, Index.Range())),
                })
        cls.summary.string = "Title"
        cls.summary.required = True
        cls.summary.help = "What it is about."
        cls.description.help = "What has to be done or has happened."
        cls.planned_date.string = "End Date"
        cls.planned_date.help = "Until when it has to be done."
        cls._status_transitions = {
            ('new', 'not_started'),
            ('new', 'in_progress'),
            ('new', 'waiting'),
            ('new', 'postponed'),
            ('not_started', 'in_progress'),
            ('not_started', 'waiting'),
            ('not_started', 'postponed'),
            ('in_progress', 'waiting'),
            ('in_progress', 'postponed'),
            ('waiting', 'in_progress'),
            ('waiting', 'postponed'),
            ('postponed', 'in_progress'),
            ('postponed', 'waiting'),
            ('completed', 'in_progress'),
            ('closed', 'in_progress'),
            }
        cls._status_transitions |= {
            (status, end)
            for status, state in _STATUS_STATES.items() if state == 'pending'
            for end in ['completed', 'closed']}
        cls._buttons.update({
                'accept': cls._status_button('not_started'),
                'start': cls._status_button('in_progress', 'pending'),
                'wait': cls._status_button('waiting'),
                'postpone': cls._status_button('postponed'),
                'reopen': {
                    'invisible': (
                        (Eval('state') == 'pending')
                        | ((Eval('state') == 'done')
                            & ActivityMixin._facts_states['readonly'])),
                    'depends': ['state'],
                    },
                })

    @classmethod
    def _status_button(cls, status, state=None):
        origins = sorted(
            o for o, s in cls._status_transitions
            if s == status and state in {None, _STATUS_STATES[o]})
        return {
            'invisible': ~Eval('status').in_(origins),
            'depends': ['status'],
            }

    @classmethod
    def order_priority(cls, tables):
        table, _ = tables[None]
        return [Case(
                (table.priority == 'high', 0),
                (table.priority == 'medium', 1),
                else_=2)]

    @classmethod
    def order_status(cls, tables):
        table, _ = tables[None]
        return [Case(
                *((table.status == status, i)
                    for i, status in enumerate(_STATUS_STATES)))]

    @classmethod
    def default_kind(cls):
        return 'task'

    @classmethod
    def default_priority(cls):
        return 'medium'

    @classmethod
    def default_planned_date(cls):
        return this_minute() + dt.timedelta(days=1)

    @classmethod
    def default_registered_by(cls):
        return Transaction().context.get('employee')

    @classmethod
    def default_status(cls):
        return 'new'

    @fields.depends('kind', 'type')
    def on_change_kind(self):
        if self.type and self.type.kind not in {self.kind, 'both'}:
            self.type = None

    @fields.depends('status', 'done_date', 'done_by')
    def on_change_status(self):
        pool = Pool()
        Employee = pool.get('company.employee')
        self.state = _STATUS_STATES.get(self.status)
        if self.state == 'done':
            if not self.done_date:
                self.done_date = this_minute()
            employee = Transaction().context.get('employee')
            if not self.done_by and employee is not None:
                self.done_by = Employee(employee)
        else:
            self.done_date = self.done_by = None

    @fields.depends('priority')
    def on_change_with_priority_icon(self, name=None):
        if self.priority:
            return f'tryton-sale-priority-{self.priority}'

    def get_rec_name(self, name):
        return self.summary

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('summary', *clause[1:])]

    def _texts(self):
        return [self.summary, self.result or self.description]

    @classmethod
    def activity_kinds(cls):
        return {kind: [('kind', '=', kind)] for kind, _ in _KINDS}

    @property
    def activity_kind(self):
        return self.kind

    @property
    def needs_assignee(self):
        return super().needs_assignee or self.kind == 'incident'

    @classmethod
    def preprocess_values(cls, mode, values):
        if values.get('status'):
            values = {**values, 'state': _STATUS_STATES[values['status']]}
        elif values.get('state'):
            status = _STATE_STATUSES[values['state']]
            if mode == 'create' and values['state'] == 'pending':
                status = 'new'
            values = {**values, 'status': status}
        if mode == 'create' and 'planned_date' not in values:
            # So that no second write computes the date
            values = {**values, 'planned_date': cls.default_planned_date()}
        values = super().preprocess_values(mode, values)
        if values.get('summary'):
            values['summary'] = values['summary'].strip()
        if values.get('link'):
            values['link'] = values['link'].strip()
        if values.get('start_date'):
            values['start_date'] = values['start_date'].replace(
                second=0, microsecond=0)
        return values

    @classmethod
    def validate_fields(cls, tasks, field_names):
        if field_names is not None and 'status' in field_names:
            field_names = field_names | {'state'}
        super().validate_fields(tasks, field_names)
        cls.check_start_date(tasks, field_names)

    @classmethod
    def check_start_date(cls, tasks, field_names=None):
        if field_names is not None and not field_names & {
                'start_date', 'planned_date'}:
            return
        for task in tasks:
            if (task.start_date and task.planned_date
                    and task.start_date > task.planned_date):
                raise TaskDateError(gettext(
                        'sale_opportunity_management.msg_task_dates',
                        task=task.rec_name,
                        start=task._format_date(task.start_date),
                        end=task._format_date(task.planned_date)))

    @classmethod
    def _facts(cls):
        return super()._facts() | {
            'kind', 'type', 'priority', 'start_date', 'link', 'result',
            'status'}

    @classmethod
    def check_modification(cls, mode, tasks, values=None, external=False):
        if mode == 'write' and {'status', 'state'} & values.keys():
            cls._check_status(tasks, values)
        super().check_modification(
            mode, tasks, values=values, external=external)
        if mode == 'create':
            for task in tasks:
                if task.kind == 'incident' and not task.assignee:
                    raise AssigneeError(gettext(
                            'sale_opportunity_management'
                            '.msg_incident_assignee',
                            task=task.rec_name))

    @classmethod
    def _check_status(cls, tasks, values):
        status = values.get('status') or _STATE_STATUSES[values['state']]
        for task in tasks:
            if status in {task.status, task.state_before_close}:
                continue
            if (task.status, status) not in cls._status_transitions:
                labels = dict(cls.fields_get(['status'])['status'][
                        'selection'])
                raise TaskStatusError(gettext(
                        'sale_opportunity_management.msg_task_status',
                        task=task.rec_name,
                        old=task.status_string,
                        new=labels[status]))
            if (status == 'postponed'
                    and not (values.get('planned_date')
                        and values['planned_date'] > task.planned_date)):
                raise TaskPostponeError(gettext(
                        'sale_opportunity_management.msg_task_postpone',
                        task=task.rec_name,
                        date=task._format_date(task.planned_date)))

    @classmethod
    def on_modification(cls, mode, tasks, field_names=None):
        super().on_modification(mode, tasks, field_names=field_names)
        if mode == 'create':
            cls._notify_assigned(tasks)

    @classmethod
    def on_write(cls, tasks, values):
        callbacks = super().on_write(tasks, values)
        if values.get('assignee'):
            changed = [
                t.id for t in tasks
                if not t.assignee or t.assignee.id != values['assignee']]
            callbacks.append(
                lambda: cls._notify_assigned(cls.browse(changed)))
        return callbacks

    @classmethod
    def _notify_assigned(cls, tasks):
        if not Transaction().context.get('_notify_assigned', True):
            return
        by_assignee = defaultdict(list)
        for task in tasks:
            if task.assignee and task.state == 'pending':
                by_assignee[task.assignee].append(task)
        for assignee, a_tasks in by_assignee.items():
            assignee.notify(
                a_tasks, 'tryton-sale-task',
                lambda: ngettext(
                    'sale_opportunity_management.msg_task_assigned',
                    len(a_tasks),
                    task=a_tasks[0].rec_name,
                    number=len(a_tasks)))

    @classmethod
    def tracking_query(cls, trackings):
        pool = Pool()
        Link = pool.get('sale.task-sale.tracking')
        link = Link.__table__()
        table = cls.__table__()
        linked = (link
            .join(table, condition=link.task == table.id)
            .select(
                table.id.as_('id'),
                link.tracking.as_('tracking'),
                table.state.as_('state'),
                table.date.as_('date'),
                cls._column_interest(table).as_('interest'),
                where=fields.SQL_OPERATORS['in'](link.tracking, trackings)
                & table.state.in_(['pending', 'done'])
                # The links are created before the task is validated
                & (table.date != Null)))
        return Union(super().tracking_query(trackings), linked, all_=True)

    @classmethod
    def activity_columns(cls, table):
        columns = super().activity_columns(table)
        columns['kind'] = table.kind
        columns['description'] = Coalesce(table.result, table.description)
        return columns

    @classmethod
    def get_trackings(cls, tasks):
        return super().get_trackings(tasks).union(
            *(t.linked_trackings for t in tasks))

    @classmethod
    def _tracking_fields(cls):
        return super()._tracking_fields() | {'status'}

    @classmethod
    def copy(cls, tasks, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('description', lambda o: o['description'])
        default.setdefault('start_date')
        default.setdefault('reason')
        default.setdefault('result')
        default.setdefault('linked_trackings')
        default.setdefault('registered_by', cls.default_registered_by())
        default.setdefault('status', cls.default_status())
        return super().copy(tasks, default=default)

    @classmethod
    def save_result(cls, tasks, values):
        values = values.copy()
        values['result'] = values.pop('description', None)
        super().save_result(tasks, values)

    @classmethod
    def set_status(cls, tasks, status, **values):
        "Write the values on the tasks that are not yet in the status"
        cls.write([t for t in tasks if t.status != status], {
                **values,
                'status': status,
                })

    @classmethod
    @ModelView.button
    def accept(cls, tasks):
        cls.set_status(tasks, 'not_started')

    @classmethod
    @ModelView.button
    def start(cls, tasks):
        cls.set_status(tasks, 'in_progress')

    @classmethod
    @ModelView.button_action('sale_opportunity_management.wizard_task_wait')
    def wait(cls, tasks):
        pass

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_task_postpone')
    def postpone(cls, tasks):
        pass

    @classmethod
    @ModelView.button
    def reopen(cls, tasks):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        for task in tasks:
            # The buttons do not check the access
            if task.state == 'done' and not Tracking.is_administrator():
                raise AccessError(gettext(
                        'sale_opportunity_management'
                        '.msg_activity_done_modify',
                        activity=task.rec_name))
        cls.set_status(
            [t for t in tasks if t.state != 'pending'], 'in_progress',
            done_date=None, done_by=None, cancelled_by=None)


class TaskTracking(ModelSQL):
    __name__ = 'sale.task-sale.tracking'

    task = fields.Many2One(
        'sale.task', "Task", required=True, ondelete='CASCADE')
    tracking = fields.Many2One(
        'sale.tracking', "Tracking", required=True, ondelete='CASCADE')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('tracking')
        t = cls.__table__()
        cls._sql_constraints += [
            ('task_tracking_unique', Unique(t, t.task, t.tracking),
                'sale_opportunity_management.msg_task_tracking_unique'),
            ]
        cls._sql_indexes.add(
            Index(t, (t.tracking, Index.Range()), (t.task, Index.Range())))

    @property
    def activity(self):
        return self.task

    @classmethod
    def activity_lines(cls):
        "Return what the lines of sale.activity are selected from"
        pool = Pool()
        Task = pool.get('sale.task')
        Tracking = pool.get('sale.tracking')
        link = cls.__table__()
        task = Task.__table__()
        tracking = Tracking.__table__()
        columns = Task.activity_columns(task)
        columns.update({
                'id': link.id,
                'tracking': link.tracking,
                'party': tracking.party,
                'role': 'link',
                })
        from_ = (link
            .join(task, condition=link.task == task.id)
            .join(tracking, condition=link.tracking == tracking.id))
        return from_, columns

    @classmethod
    def create(cls, vlist):
        pool = Pool()
        Task = pool.get('sale.task')
        # The link gives access to the task: check before it exists
        Task.read([v['task'] for v in vlist if v.get('task')], ['id'])
        return super().create(vlist)

    @classmethod
    def check_modification(cls, mode, links, values=None, external=False):
        super().check_modification(
            mode, links, values=values, external=external)
        if mode == 'create':
            for link in links:
                if (link.task.state == 'pending'
                        and link.tracking.state == 'closed'):
                    raise ClosedTrackingError(gettext(
                            'sale_opportunity_management.msg_tracking_closed',
                            tracking=link.tracking.rec_name))

    @classmethod
    def on_modification(cls, mode, links, field_names=None):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        super().on_modification(mode, links, field_names=field_names)
        if mode in {'create', 'write'}:
            Tracking.update_activities({l.tracking for l in links})

    @classmethod
    def on_delete(cls, links):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        callbacks = super().on_delete(links)
        trackings = list({l.tracking.id for l in links})

        def update():
            # They may be deleted together with their links
            Tracking.update_activities(Tracking.search([
                        ('id', 'in', trackings),
                        ]))
        callbacks.append(update)
        return callbacks


class Type(sequence_ordered(), DeactivableMixin, ModelSQL, ModelView):
    __name__ = 'sale.task.type'

    name = fields.Char("Name", required=True, translate=True)
    kind = fields.Selection([
            *_KINDS,
            ('both', "Both"),
            ], "Kind", required=True, sort=False,
        help="What the type can be chosen for.")
    company = fields.Many2One(
        'company.company', "Company",
        help="Leave empty to share the type between all companies.")

    @classmethod
    def default_kind(cls):
        return 'both'
