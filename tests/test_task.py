# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest

from trytond.model.exceptions import (
    AccessError, DomainValidationError, RequiredValidationError,
    SQLConstraintError)
from trytond.modules.company.tests import (
    create_company, create_employee, set_company)
from trytond.modules.sale_opportunity_management.exceptions import (
    AssigneeError, ClosedTrackingError, LinkError, TaskDateError,
    TaskPostponeError, TaskStatusError)
from trytond.modules.sale_opportunity_management.moment import now
from trytond.modules.sale_opportunity_management.tests.tools import freeze
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import TrackingTestMixin

PENDING = ['new', 'not_started', 'in_progress', 'waiting', 'postponed']
STATES = {
    **dict.fromkeys(PENDING, 'pending'),
    'completed': 'done',
    'closed': 'cancelled',
    }
# The statuses to which each can change
ALLOWED = {
    'new': {
        'not_started', 'in_progress', 'waiting', 'postponed', 'completed',
        'closed'},
    'not_started': {
        'in_progress', 'waiting', 'postponed', 'completed', 'closed'},
    'in_progress': {'waiting', 'postponed', 'completed', 'closed'},
    'waiting': {'in_progress', 'postponed', 'completed', 'closed'},
    'postponed': {'in_progress', 'waiting', 'completed', 'closed'},
    'completed': {'in_progress'},
    'closed': {'in_progress'},
    }


class TaskTestCase(TrackingTestMixin, unittest.TestCase):
    "Test tasks and incidents"

    def create_task(self, company, **values):
        pool = Pool()
        Task = pool.get('sale.task')
        task, = Task.create([{
                    'company': company.id,
                    'summary': "Task",
                    **values,
                    }])
        return task

    def complete(self, task, **values):
        pool = Pool()
        Task = pool.get('sale.task')
        Task.save_result([task], {
                'done_date': dt.datetime(2026, 1, 1),
                **values,
                })

    def get_type(self, name):
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        return ModelData.get_id(
            'sale_opportunity_management', f'task_type_{name}')

    @with_transaction()
    def test_default(self):
        "Test that a title is enough"
        company = create_company()
        employee = create_employee(company)
        with set_company(company), \
                Transaction().set_context(employee=employee.id), \
                freeze(2026, 1, 1, 10):
            task = self.create_task(company, summary="  Write\n")
            self.assertEqual(task.summary, "Write")
            self.assertEqual(task.rec_name, "Write")
            self.assertEqual(task.kind, 'task')
            self.assertEqual(task.priority, 'medium')
            self.assertEqual(task.status, 'new')
            self.assertEqual(task.state, 'pending')
            self.assertEqual(task.assignee, employee)
            self.assertEqual(task.registered_by, employee)
            self.assertEqual(
                task.planned_date, dt.datetime(2026, 1, 2, 10))
            self.assertEqual(task.date, task.planned_date)
            # The database refuses the last one itself
            for summary in ['', ' ', None]:
                with self.subTest(summary=summary), \
                        self.assertRaises(RequiredValidationError):
                    self.create_task(company, summary=summary)

    @with_transaction()
    def test_status_create(self):
        "Test that a task is created with any status"
        company = create_company()
        employee = create_employee(company)
        with set_company(company):
            for status, state in STATES.items():
                with self.subTest(status=status):
                    values = {}
                    if status == 'waiting':
                        values['reason'] = "An answer"
                    if status == 'completed':
                        values['done_date'] = dt.datetime(2026, 1, 1)
                        values['done_by'] = employee.id
                    task = self.create_task(company, status=status, **values)
                    self.assertEqual(task.status, status)
                    self.assertEqual(task.state, state)
            for state, status in [
                    ('pending', 'new'),
                    ('done', 'completed'),
                    ('cancelled', 'closed'),
                    ]:
                with self.subTest(state=state):
                    task = self.create_task(
                        company, state=state,
                        done_date=dt.datetime(2026, 1, 1))
                    self.assertEqual(task.status, status)
                    self.assertEqual(task.state, state)

    @with_transaction()
    def test_status_transitions(self):
        "Test from which status to which others a task goes"
        pool = Pool()
        Task = pool.get('sale.task')
        company = create_company()
        with set_company(company):
            for old, new in [(o, n) for o in STATES for n in STATES]:
                with self.subTest(old=old, new=new):
                    task = self.create_task(
                        company, status=old, reason="An answer",
                        done_date=dt.datetime(2026, 1, 1))
                    values = {'status': new}
                    if new == 'postponed':
                        values['planned_date'] = (
                            task.planned_date + dt.timedelta(days=1))
                    if new in ALLOWED[old] | {old}:
                        Task.write([task], values)
                        self.assertEqual(task.status, new)
                        self.assertEqual(task.state, STATES[new])
                    else:
                        with self.assertRaises(TaskStatusError):
                            Task.write([task], values)

    @with_transaction()
    def test_status_state(self):
        "Test that the status follows the state of the activity"
        pool = Pool()
        Task = pool.get('sale.task')
        company = create_company()
        with set_company(company):
            done, cancelled = (self.create_task(company) for _ in range(2))
            self.complete(done)
            self.assertEqual(done.status, 'completed')
            Task.cancel([cancelled])
            self.assertEqual(cancelled.status, 'closed')

    @with_transaction()
    def test_reopen(self):
        "Test that a task is reopened"
        pool = Pool()
        Task = pool.get('sale.task')
        company = create_company()
        employee = create_employee(company)
        with set_company(company), \
                Transaction().set_context(employee=employee.id):
            tasks = done, cancelled, pending = [
                self.create_task(company) for _ in range(3)]
            self.complete(done)
            Task.cancel([cancelled])
            Task.reopen(tasks)
            for task in [done, cancelled]:
                self.assertEqual(task.status, 'in_progress')
                self.assertEqual(task.state, 'pending')
                self.assertIsNone(task.done_by)
                self.assertIsNone(task.cancelled_by)
                self.assertEqual(task.date, task.planned_date)
            self.assertEqual(pending.status, 'new')

    @with_transaction()
    def test_reopen_closed_tracking(self):
        "Test that the task of a closed tracking is not reopened"
        pool = Pool()
        Task = pool.get('sale.task')
        Tracking = pool.get('sale.tracking')
        company = create_company()
        with set_company(company):
            tracking = self.create_tracking(company)
            task = self.create_task(company, tracking=tracking.id)
            self.complete(task)
            Tracking.close([tracking])
            with self.assertRaises(ClosedTrackingError):
                Task.reopen([task])

    @with_transaction()
    def test_postpone(self):
        "Test that what is postponed gets a later date"
        pool = Pool()
        Task = pool.get('sale.task')
        company = create_company()
        tomorrow = now() + dt.timedelta(days=1)
        with set_company(company):
            task = self.create_task(company, planned_date=tomorrow)
            for date in [
                    None, task.planned_date,
                    task.planned_date - dt.timedelta(hours=1)]:
                values = {'status': 'postponed'}
                if date:
                    values['planned_date'] = date
                with self.subTest(date=date), \
                        self.assertRaises(TaskPostponeError):
                    Task.write([task], values)
            with self.assertRaises(RequiredValidationError):
                Task.write([task], {'status': 'waiting'})

    @with_transaction()
    def test_dates(self):
        "Test that a task does not end before it starts"
        pool = Pool()
        Task = pool.get('sale.task')
        company = create_company()
        end = now().replace(second=0) + dt.timedelta(days=1)
        with set_company(company):
            task = self.create_task(
                company, start_date=end.replace(second=30), planned_date=end)
            self.assertEqual(task.start_date, end)
            late = end + dt.timedelta(minutes=1)
            for values in [
                    {'start_date': late},
                    {'planned_date': end - dt.timedelta(minutes=1)},
                    ]:
                with self.subTest(values=values), \
                        self.assertRaises(TaskDateError):
                    Task.write([task], values)

    @with_transaction()
    def test_link(self):
        "Test that the link is the address of a web page"
        company = create_company()
        with set_company(company):
            for link in [
                    'https://www.example.com', 'http://localhost:8000/a?b=c',
                    ' https://example.com/á#x ', None]:
                with self.subTest(link=link):
                    self.create_task(company, link=link)
            for link in [
                    'www.example.com', 'example', 'javascript:alert(1)',
                    'https://', 'https:///path', 'https://exam ple.com',
                    'https://[', 'ftp://example.com']:
                with self.subTest(link=link), \
                        self.assertRaises(LinkError):
                    self.create_task(company, link=link)

    @with_transaction()
    def test_type(self):
        "Test that the type is one of the kind and the company"
        pool = Pool()
        Type = pool.get('sale.task.type')
        company = create_company()
        other = create_company("Other", currency=company.currency)
        employee = create_employee(company)
        own, foreign = Type.create([
                {'name': "Own", 'company': company.id},
                {'name': "Foreign", 'company': other.id},
                ])
        with set_company(company):
            for kind, type_, allowed in [
                    ('task', None, True),
                    ('task', self.get_type('visit'), True),
                    ('task', self.get_type('other'), True),
                    ('task', self.get_type('billing'), False),
                    ('incident', self.get_type('billing'), True),
                    ('incident', self.get_type('other'), True),
                    ('incident', own.id, True),
                    ('incident', self.get_type('visit'), False),
                    ('incident', foreign.id, False),
                    ('incident', None, False),
                    ]:
                values = {
                    'kind': kind, 'type': type_, 'assignee': employee.id}
                with self.subTest(kind=kind, type=type_):
                    if allowed:
                        self.create_task(company, **values)
                    else:
                        with self.assertRaises((
                                    DomainValidationError,
                                    RequiredValidationError)):
                            self.create_task(company, **values)

    @with_transaction()
    def test_on_change_kind(self):
        "Test that a type of the other kind is cleared"
        pool = Pool()
        Task = pool.get('sale.task')
        for name, left in [('visit', False), ('other', True)]:
            with self.subTest(name=name):
                task = Task(kind='incident', type=self.get_type(name))
                task.on_change_kind()
                self.assertEqual(bool(task.type), left)

    @with_transaction()
    def test_on_change_status(self):
        "Test what follows from the status on the form"
        pool = Pool()
        Task = pool.get('sale.task')
        company = create_company()
        employee = create_employee(company)
        with Transaction().set_context(employee=employee.id), \
                freeze(2026, 1, 1, 10):
            task = Task(status='completed', done_date=None, done_by=None)
            task.on_change_status()
            self.assertEqual(task.state, 'done')
            self.assertEqual(task.done_by, employee)
            self.assertEqual(task.done_date, dt.datetime(2026, 1, 1, 10))
            task.status = 'new'
            task.on_change_status()
            self.assertEqual(task.state, 'pending')
            self.assertIsNone(task.done_by)
            self.assertIsNone(task.done_date)

    @with_transaction()
    def test_assignee(self):
        "Test to whom a task can be assigned"
        pool = Pool()
        Task = pool.get('sale.task')
        company = create_company()
        other = create_company("Other", currency=company.currency)
        employee = create_employee(company, "Employee")
        left = create_employee(company, "Left")
        left.end_date = dt.date(2020, 1, 1)
        left.save()
        foreigner = create_employee(other, "Foreigner")
        with set_company(company):
            task = self.create_task(company)
            self.assertIsNone(task.assignee)
            for assignee, Error in [
                    (left, AssigneeError),
                    (foreigner, DomainValidationError),
                    ]:
                with self.subTest(assignee=assignee):
                    with self.assertRaises(Error):
                        self.create_task(company, assignee=assignee.id)
                    with self.assertRaises(Error):
                        Task.write([task], {'assignee': assignee.id})
            Task.write([task], {'assignee': employee.id})
            with self.assertRaises(AssigneeError):
                self.create_task(
                    company, kind='incident', type=self.get_type('other'))
            # What those who left have to do can still be modified
            Task.write([task], {'description': "Description"})

    @with_transaction()
    def test_notify(self):
        "Test that the assignee is told"
        pool = Pool()
        Task = pool.get('sale.task')
        Tracking = pool.get('sale.tracking')
        company = create_company()
        employees = [create_employee(company, n) for n in "AB"]
        for employee in employees:
            self.create_user(employee)
        a, b = employees
        notifications = Transaction().user_notifications

        def told():
            result = [(n.user.name, n.label) for n in notifications]
            notifications.clear()
            return result

        with set_company(company):
            task = self.create_task(company, assignee=a.id)
            self.assertEqual(told(), [("A", '"Task" was assigned to you')])
            Task.write([task], {'assignee': a.id, 'description': "Text"})
            self.assertEqual(told(), [])
            Task.write([task], {'assignee': b.id})
            self.assertEqual(told(), [("B", '"Task" was assigned to you')])
            Task.create([{
                        'company': company.id,
                        'summary': "Task",
                        'assignee': a.id,
                        }] * 2)
            self.assertEqual(told(), [("A", "2 tasks were assigned to you")])
            tracking = self.create_tracking(company, operator=a.id)
            self.create_task(company, tracking=tracking.id)
            told()
            Tracking.write([tracking], {'operator': b.id})
            self.assertEqual(
                told(), [("B", "1 tracking was assigned to you")])

    @with_transaction()
    def test_order(self):
        "Test the order of urgency and of progress"
        pool = Pool()
        Task = pool.get('sale.task')
        company = create_company()
        with set_company(company):
            for name in ['low', 'high', 'medium']:
                self.create_task(company, priority=name, status='postponed')
            self.create_task(company, status='new', priority='low')
            self.assertEqual(
                [t.priority for t in Task.search(
                        [('status', '=', 'postponed')],
                        order=[('priority', 'ASC')])],
                ['high', 'medium', 'low'])
            self.assertEqual(
                Task.search([], order=[('status', 'ASC')])[0].status, 'new')

    @with_transaction()
    def test_links(self):
        "Test that a task shows on the trackings that it is linked to"
        pool = Pool()
        Activity = pool.get('sale.activity')
        Task = pool.get('sale.task')
        company = create_company()
        with set_company(company):
            first, second, third = (
                self.create_tracking(company) for _ in range(3))
            task = self.create_task(
                company, tracking=first.id,
                linked_trackings=[('add', [second.id])])
            for tracking in [first, second]:
                self.assertEqual(tracking.next_activity, task.date)
            self.assertIsNone(third.next_activity)
            self.assertEqual(first.tasks, (task,))
            self.assertEqual(second.linked_tasks, (task,))
            self.assertEqual(
                [(l.role, l.tracking, l.party)
                    for l in Activity.search(
                        [], order=[('tracking', 'ASC')])],
                [('main', first, first.party), ('link', second, second.party)])
            self.assertEqual(
                Activity.get_activities(second.activities), [task])

            Task.write([task], {'linked_trackings': [
                        ('add', [third.id]), ('remove', [second.id])]})
            self.assertIsNone(second.next_activity)
            self.assertEqual(third.next_activity, task.date)
            later = task.planned_date + dt.timedelta(days=1)
            Task.write([task], {'planned_date': later})
            for tracking in [first, third]:
                self.assertEqual(tracking.next_activity, later)
            self.complete(task, description="Result")
            for tracking in [first, third]:
                self.assertIsNone(tracking.next_activity)
                self.assertEqual(
                    tracking.last_activity, dt.datetime(2026, 1, 1))
                self.assertIn("Result", tracking.follow_up)

    @with_transaction()
    def test_links_delete(self):
        "Test that what is deleted no longer counts"
        pool = Pool()
        Task = pool.get('sale.task')
        company = create_company()
        with set_company(company):
            first, second = (self.create_tracking(company) for _ in range(2))
            task = self.create_task(
                company, tracking=first.id,
                linked_trackings=[('add', [second.id])])
            Task.delete([task])
            self.assertIsNone(first.next_activity)
            self.assertIsNone(second.next_activity)

    @with_transaction()
    def test_links_wrong(self):
        "Test what a task can not be linked to"
        pool = Pool()
        Link = pool.get('sale.task-sale.tracking')
        Task = pool.get('sale.task')
        Tracking = pool.get('sale.tracking')
        company = create_company()
        other = create_company("Other", currency=company.currency)
        with set_company(company):
            tracking = self.create_tracking(company)
            linked = self.create_tracking(company)
            closed = self.create_tracking(company)
            Tracking.close([closed])
            with set_company(other):
                foreign = self.create_tracking(other)
            task = self.create_task(
                company, tracking=tracking.id,
                linked_trackings=[('add', [linked.id])])
            for wrong, Error in [
                    (tracking, DomainValidationError),
                    (foreign, DomainValidationError),
                    (closed, ClosedTrackingError),
                    ]:
                with self.subTest(wrong=wrong), self.assertRaises(Error):
                    Task.write([task], {
                            'linked_trackings': [('add', [wrong.id])]})
            with self.assertRaises(SQLConstraintError):
                Link.create([{'task': task.id, 'tracking': linked.id}])

    @with_transaction()
    def test_close_tracking(self):
        "Test that closing a tracking leaves the tasks linked to it"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        company = create_company()
        with set_company(company):
            first, second = (self.create_tracking(company) for _ in range(2))
            task = self.create_task(
                company, tracking=first.id,
                linked_trackings=[('add', [second.id])])
            Tracking.close([second])
            self.assertEqual(task.status, 'new')
            with Transaction().set_context(_skip_warnings=True):
                Tracking.close([first])
            self.assertEqual(task.status, 'closed')

    @with_transaction()
    def test_done(self):
        "Test that only an administrator corrects what was done"
        pool = Pool()
        Task = pool.get('sale.task')
        company = create_company()
        employee = create_employee(company)
        user = self.create_user(employee, 'group_tracking')
        with set_company(company):
            task = self.create_task(company, assignee=employee.id)
            self.complete(task)
            with Transaction().set_user(user.id):
                with self.assertRaises(AccessError):
                    Task.reopen([Task(task.id)])
                with Transaction().set_context(_check_access=True):
                    for values in [
                            {'result': "Other"},
                            {'status': 'in_progress'},
                            {'link': 'https://example.com'},
                            ]:
                        with self.subTest(values=values), \
                                self.assertRaises(AccessError):
                            Task.write([Task(task.id)], values)
            Task.reopen([task])
            self.assertEqual(task.status, 'in_progress')

    @with_transaction()
    def test_copy(self):
        "Test that a copy begins anew"
        pool = Pool()
        Task = pool.get('sale.task')
        company = create_company()
        with set_company(company):
            first, second = (self.create_tracking(company) for _ in range(2))
            task = self.create_task(
                company, tracking=first.id, description="Description",
                priority='high', type=self.get_type('visit'),
                start_date=dt.datetime(2026, 1, 1),
                linked_trackings=[('add', [second.id])])
            self.complete(task, description="Result")
            copy, = Task.copy([task])
            self.assertEqual(copy.status, 'new')
            self.assertEqual(copy.state, 'pending')
            self.assertEqual(copy.description, "Description")
            self.assertEqual(copy.priority, 'high')
            self.assertEqual(copy.type, task.type)
            self.assertEqual(copy.tracking, first)
            self.assertFalse(copy.linked_trackings)
            self.assertIsNone(copy.result)
            self.assertIsNone(copy.start_date)
