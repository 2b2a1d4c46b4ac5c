# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest
from unittest.mock import patch

from trytond import backend
from trytond.model.exceptions import AccessError
from trytond.model.modelview import AccessButtonError
from trytond.modules.company.tests import (
    create_company, create_employee, set_company)
from trytond.modules.sale_opportunity_management.exceptions import (
    CloseTrackingError, EmployeeWorkWarning, HandOverError,
    PendingActivityWarning)
from trytond.modules.sale_opportunity_management.tests.tools import freeze
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction, check_access, inactive_records

from .common import TrackingTestMixin


class HandOverTestCase(TrackingTestMixin, unittest.TestCase):
    "Test what happens with pending work when a tracking or employee ends"

    def setup_company(self):
        self.company = create_company()
        self.employees = {
            name: create_employee(self.company, name)
            for name in ['admin', 'leaver', 'anna', 'bert']}

    def create_tracking(self, operator='leaver', customer="Customer"):
        pool = Pool()
        Party = pool.get('party.party')
        party, = Party.create([{'name': customer}])
        return super().create_tracking(
            self.company, party=party.id,
            operator=operator and self.employees[operator].id)

    def create_pending(self, kind, tracking=None, assignee='leaver'):
        # The meetings are all at the same time
        with Transaction().set_context(_skip_warnings=True):
            record, = Pool().get(f'sale.{kind}').create([{
                        'company': self.company.id,
                        'tracking': tracking and tracking.id,
                        'planned_date': dt.datetime(2026, 1, 3),
                        'summary': f"Planned {kind}",
                        'assignee': assignee and self.employees[assignee].id,
                        }])
        return record

    def create_done(self, tracking, **values):
        record, = Pool().get('sale.call').create([{
                    'tracking': tracking.id,
                    'state': 'done',
                    'done_date': dt.datetime(2026, 1, 1),
                    'done_by': self.employees['leaver'].id,
                    **values,
                    }])
        return record

    def run_wizard(self, name, records, state, **values):
        "Run the wizard and return its states"
        pool = Pool()
        Wizard = pool.get(name, type='wizard')
        session_id, start, _ = Wizard.create()
        with Transaction().set_context(
                active_model=records[0].__name__, active_id=records[0].id,
                active_ids=[r.id for r in records]):
            result = Wizard.execute(session_id, {}, start)
            view = result.get('view')
            if view:
                defaults = {
                    name: value for name, value in view['defaults'].items()
                    if not name.endswith('.')}
                result = Wizard.execute(
                    session_id, {'start': {**defaults, **values}}, state)
        return view, result

    def close(self, *trackings, **values):
        return self.run_wizard(
            'sale.tracking.close', trackings, 'close', **values)

    def hand_over(self, employee, **values):
        return self.run_wizard(
            'company.employee.hand_over', [self.employees[employee]],
            'hand_over', **values)

    @with_transaction()
    def test_close_at_once(self):
        "Test that closing asks nothing when nothing is missing"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.setup_company()
        with set_company(self.company), freeze(2026, 1, 2):
            for values in [
                    {'interest': '1'},
                    {'interest': '0', 'description': "Number is wrong"},
                    ]:
                tracking = self.create_tracking()
                self.create_done(tracking, **values)
                view, _ = self.close(tracking)
                self.assertIsNone(view)
                self.assertEqual(Tracking(tracking.id).state, 'closed')
            for values in [None, {'interest': '0'}]:
                tracking = self.create_tracking()
                if values:
                    self.create_done(tracking, **values)
                view, _ = self.close(tracking, conclusion="Moved away")
                self.assertTrue(view['defaults']['without_result'])
                self.assertFalse(view['defaults']['activities'])
                tracking = Tracking(tracking.id)
                self.assertEqual(tracking.state, 'closed')
                self.assertEqual(tracking.conclusion, "Moved away")
                Tracking.reopen([tracking])
                self.assertIsNone(Tracking(tracking.id).conclusion)

    @unittest.skipUnless(
        backend.name == 'sqlite', "Only SQLite tells its statements")
    @with_transaction()
    def test_close_queries(self):
        "Test that closing many asks the database as often as closing few"
        pool = Pool()
        Close = pool.get('sale.tracking.close', type='wizard')
        connection = Transaction().connection
        self.setup_company()
        numbers = []
        with set_company(self.company), freeze(2026, 1, 2):
            trackings = [
                self.create_tracking(customer=f"Customer {i}")
                for i in range(12)]
            for tracking in trackings:
                self.create_done(tracking, interest='1')
                self.create_pending('call', tracking)
                self.create_pending('task', tracking)
            # The first time fills the caches
            for ids in [trackings[:2], trackings[2:4], trackings]:
                statements = []
                with Transaction().set_context(
                        active_model='sale.tracking', active_id=ids[0].id,
                        active_ids=[t.id for t in ids]):
                    session_id, start, _ = Close.create()
                    connection.set_trace_callback(statements.append)
                    try:
                        view = Close.execute(session_id, {}, start)['view']
                    finally:
                        connection.set_trace_callback(None)
                self.assertEqual(
                    view['defaults']['activities_number'], 2 * len(ids))
                self.assertFalse(view['defaults']['without_result'])
                numbers.append(len(statements))
        _, few, many = numbers
        self.assertLessEqual(many, few)

    @with_transaction()
    def test_close_pending(self):
        "Test what is done with the pending activities"
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        Task = pool.get('sale.task')
        Call = pool.get('sale.call')
        Tracking = pool.get('sale.tracking')
        self.setup_company()
        with set_company(self.company), freeze(2026, 1, 2), \
                Transaction().set_context(
                    employee=self.employees['anna'].id):
            for choice, state in [
                    ('cancel', 'cancelled'),
                    ('keep', 'pending'),
                    ]:
                trackings = [
                    self.create_tracking(customer=f"Customer {i}")
                    for i in range(2)]
                call = self.create_pending('call', trackings[0])
                task = self.create_pending('task', trackings[0])
                meeting = self.create_pending('meeting', trackings[1])
                view, _ = self.close(
                    *trackings, pending=choice, conclusion="Sold")
                self.assertEqual(view['defaults']['number'], 2)
                self.assertEqual(len(view['defaults']['activities']), 3)
                for tracking in Tracking.browse(trackings):
                    self.assertEqual(tracking.state, 'closed')
                    self.assertIsNone(tracking.next_activity)
                self.assertEqual(Call(call.id).state, 'cancelled')
                for record in [Task(task.id), Meeting(meeting.id)]:
                    self.assertEqual(record.state, state)
                    self.assertEqual(
                        bool(record.tracking), choice == 'cancel')
                    self.assertTrue(record.party)
                    self.assertEqual(
                        record.assignee, self.employees['leaver'])
                Tracking.reopen(Tracking.browse(trackings))
                self.assertEqual(Call(call.id).state, 'pending')
                for record in [Task(task.id), Meeting(meeting.id)]:
                    self.assertEqual(record.state, 'pending')
                    # What was kept stays where it is
                    self.assertEqual(
                        bool(record.tracking), choice == 'cancel')

    @with_transaction()
    def test_close_record(self):
        "Test recording the result before closing"
        pool = Pool()
        Record = pool.get('sale.activity.record', type='wizard')
        Tracking = pool.get('sale.tracking')
        self.setup_company()
        with set_company(self.company), freeze(2026, 1, 2):
            tracking = self.create_tracking()
            self.create_pending('call', tracking)
            view, result = self.close(tracking, pending='record')
            (action, data), = result['actions']
            self.assertEqual(action['wiz_name'], 'sale.activity.record')
            self.assertEqual(data['model'], 'sale.activity')
            self.assertEqual(data['id'], view['defaults']['activity'])
            self.assertEqual(Tracking(tracking.id).state, 'open')
            for action_id, concludes in [(action['id'], True), (None, False)]:
                session_id, _, _ = Record.create()
                with Transaction().set_context(
                        active_model=data['model'], active_id=data['id'],
                        active_ids=data['ids'], action_id=action_id):
                    view = Record.execute(session_id, {}, 'start')['view']
                self.assertEqual(
                    view['defaults']['close_tracking'], concludes)

    @with_transaction()
    def test_close_changed(self):
        "Test that nothing is cancelled that was not shown"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.setup_company()
        with set_company(self.company), freeze(2026, 1, 2):
            tracking = self.create_tracking()
            self.create_pending('call', tracking)
            with self.assertRaises(CloseTrackingError):
                self.close(
                    tracking, pending='cancel', conclusion="Lost",
                    activities_number=2)
            # A script is warned
            with self.assertRaises(PendingActivityWarning):
                Tracking.close([tracking])
            self.assertEqual(Tracking(tracking.id).state, 'open')

    @with_transaction()
    def test_warn(self):
        "Test that who has something to do does not leave unnoticed"
        pool = Pool()
        Employee = pool.get('company.employee')
        User = pool.get('res.user')
        Warning = pool.get('res.user.warning')
        self.setup_company()
        leaver = self.employees['leaver']
        user, = User.create([{
                    'name': "Leaver",
                    'login': 'leaver',
                    'companies': [('add', [self.company.id])],
                    'employees': [('add', [leaver.id])],
                    }])
        end = {'end_date': dt.date(2026, 1, 31)}
        with set_company(self.company), freeze(2026, 1, 2):
            Employee.write([self.employees['bert']], end)
            tracking = self.create_tracking()
            self.create_pending('call', tracking)
            self.create_pending('task')
            for Model, record, values in [
                    (Employee, leaver, end),
                    (User, user, {'active': False}),
                    ]:
                with self.subTest(model=Model.__name__):
                    with self.assertRaises(EmployeeWorkWarning) as cm:
                        Model.write([record], values)
                    self.assertIn("Hand Over Work", cm.exception.message)
                    self.assertIn("Open trackings: 1", cm.exception.message)
                    self.assertIn(
                        "\nTasks to do: 1", cm.exception.message)
            Warning.skip(cm.exception.name)
            Employee.write([leaver], end)
            self.assertEqual(Employee(leaver.id).end_date, end['end_date'])
            # To stay longer is nothing to warn about
            Employee.write([leaver], {'end_date': dt.date(2026, 2, 28)})
            Employee.write([leaver], {'end_date': None})

    @with_transaction()
    def test_hand_over(self):
        "Test handing over the work of an employee"
        pool = Pool()
        Call = pool.get('sale.call')
        Channel = pool.get('sale.channel')
        Employee = pool.get('company.employee')
        Task = pool.get('sale.task')
        Tracking = pool.get('sale.tracking')
        self.setup_company()
        leaver, anna, bert = (
            self.employees[n] for n in ['leaver', 'anna', 'bert'])
        channel, = Channel.create([{
                    'name': "North",
                    'company': self.company.id,
                    'members': [('add', [leaver.id, anna.id])],
                    'managers': [('add', [leaver.id])],
                    }])
        with set_company(self.company), freeze(2026, 1, 2):
            trackings = [self.create_tracking() for _ in range(4)]
            closed = self.create_tracking()
            self.create_done(closed, interest='1')
            Tracking.close([closed])
            calls = [self.create_pending('call', t) for t in trackings]
            tasks = [self.create_pending('task') for _ in range(2)]
            other = self.create_pending(
                'task', self.create_tracking('anna'), 'bert')
            view, result = self.hand_over(
                'leaver', operators=[anna.id, bert.id],
                end_date=dt.date(2026, 1, 31))
            self.assertIn("Open trackings: 4", view['defaults']['work'])
            self.assertEqual(
                result['view']['defaults']['text'].splitlines(), [
                    "anna receives: Open trackings: 2, Calls to make: 2, "
                    "Tasks to do: 1",
                    "bert receives: Open trackings: 2, Calls to make: 2, "
                    "Tasks to do: 1",
                    '"leaver" has nothing more to do.'])
            trackings = Tracking.browse(trackings)
            self.assertEqual(
                [t.operator for t in trackings], [anna, bert, anna, bert])
            self.assertEqual(
                [c.assignee for c in Call.browse(calls)],
                [t.operator for t in trackings])
            self.assertEqual(
                [t.assignee for t in Task.browse(tasks)], [anna, bert])
            self.assertEqual(Task(other.id).assignee, bert)
            self.assertEqual(Tracking(closed.id).operator, leaver)
            self.assertEqual(
                Employee(leaver.id).end_date, dt.date(2026, 1, 31))
            channel = Channel(channel.id)
            self.assertEqual(channel.members, (anna,))
            self.assertFalse(channel.managers)

    @with_transaction()
    def test_leave_teams(self):
        "Test that who leaves is in the teams until the last day"
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Campaign = pool.get('sale.campaign')
        Channel = pool.get('sale.channel')
        Date = pool.get('ir.date')
        Employee = pool.get('company.employee')
        Typology = pool.get('sale.campaign.typology')
        self.setup_company()
        leaver, anna = self.employees['leaver'], self.employees['anna']
        team = [('add', [leaver.id, anna.id])]
        channel, = Channel.create([{
                    'name': "North",
                    'company': self.company.id,
                    'members': team,
                    'managers': team,
                    }])
        typology, *_ = Typology.search([])
        unit, *_ = BusinessUnit.search([])
        campaigns = Campaign.create([{
                    'name': "Campaign",
                    'company': self.company.id,
                    'typology': typology.id,
                    'business_unit': unit.id,
                    'supervisor': self.employees['admin'].id,
                    'operators': team,
                    }] * 2)
        Campaign.write(campaigns[1:], {'state': 'done'})

        def teams():
            return [
                set(names) for names in [
                    Channel(channel.id).members, Channel(channel.id).managers,
                    *(Campaign(c.id).operators for c in campaigns)]]
        end = dt.date(2026, 1, 31)
        with set_company(self.company), freeze(2026, 1, 2), \
                patch.object(Date, 'today') as today:
            today.return_value = dt.date(2026, 1, 2)
            view, _ = self.hand_over('leaver')
            self.assertIsNone(view['defaults']['end_date'])
            self.assertIsNone(Employee(leaver.id).end_date)
            self.hand_over('leaver', end_date=end)
            self.assertEqual(Employee(leaver.id).end_date, end)
            view, _ = self.hand_over('leaver')
            self.assertEqual(view['defaults']['end_date'], end)
            today.return_value = end
            Employee.leave_teams()
            self.assertEqual(teams(), [{leaver, anna}] * 4)
            today.return_value = end + dt.timedelta(days=1)
            Employee.leave_teams()
        # The campaign that is done tells who worked on it
        with inactive_records():
            self.assertEqual(teams(), [{anna}] * 3 + [{leaver, anna}])
        # Who left already does so at once
        Channel.write([channel], {'members': [('add', [leaver.id])]})
        with set_company(self.company), freeze(2026, 1, 2), \
                patch.object(Date, 'today') as today:
            today.return_value = dt.date(2026, 2, 2)
            self.hand_over('leaver', end_date=dt.date(2026, 1, 30))
        with inactive_records():
            self.assertEqual(set(Channel(channel.id).members), {anna})

    @with_transaction()
    def test_hand_over_choices(self):
        "Test the other choices of handing over"
        pool = Pool()
        Call = pool.get('sale.call')
        Employee = pool.get('company.employee')
        Tracking = pool.get('sale.tracking')
        self.setup_company()
        anna = self.employees['anna']
        with set_company(self.company), freeze(2026, 1, 2), \
                Transaction().set_context(_skip_warnings=True):
            for trackings, activities, operator, assignee, state, dropped in [
                    ('unassign', 'cancel', None, None, 'cancelled',
                        "Open trackings: 1, Calls to make: 1"),
                    ('unassign', 'reassign', None, 'anna', 'pending',
                        "Open trackings: 1"),
                    ('reassign', 'cancel', 'anna', 'leaver', 'cancelled',
                        "Calls to make: 1"),
                    ('keep', 'keep', 'leaver', 'leaver', 'pending', None),
                    ]:
                with self.subTest(
                        trackings=trackings, activities=activities):
                    tracking = self.create_tracking()
                    call = self.create_pending('call', tracking)
                    _, result = self.hand_over(
                        'leaver', trackings=trackings, activities=activities,
                        operators=[anna.id], end_date=None)
                    text = result['view']['defaults']['text'].splitlines()
                    if dropped:
                        self.assertIn(
                            f"Left without employee or cancelled: {dropped}",
                            text)
                    else:
                        self.assertEqual(
                            text[0], '"leaver" has still to do:')
                    tracking, call = Tracking(tracking.id), Call(call.id)
                    self.assertEqual(
                        tracking.operator,
                        operator and self.employees[operator])
                    self.assertEqual(call.state, state)
                    if state == 'pending':
                        self.assertEqual(
                            call.assignee, self.employees[assignee])
                    self.assertIsNone(
                        Employee(self.employees['leaver'].id).end_date)
            for operators in [[], [self.employees['leaver'].id]]:
                with self.assertRaises(HandOverError):
                    self.hand_over('leaver', operators=operators)

    @with_transaction()
    def test_hand_over_needed(self):
        "Test that what needs an assignee is not left without one"
        pool = Pool()
        Task = pool.get('sale.task')
        TaskType = pool.get('sale.task.type')
        Tracking = pool.get('sale.tracking')
        self.setup_company()
        leaver = self.employees['leaver']
        type_, *_ = TaskType.search([('kind', 'in', ['incident', 'both'])])
        with set_company(self.company), freeze(2026, 1, 2):
            tracking = self.create_tracking()
            call, meeting, task, incident = (
                self.create_pending(kind, tracking)
                for kind in ['call', 'meeting', 'task', 'task'])
            Task.write([incident], {'kind': 'incident', 'type': type_.id})
            _, result = self.hand_over(
                'leaver', trackings='unassign', activities='keep',
                end_date=None)
            self.assertIn(
                "Incidents to solve: 1\nMeetings to hold: 1",
                result['view']['defaults']['text'])
        self.assertIsNone(Tracking(tracking.id).operator)
        self.assertEqual(
            [r.__class__(r.id).assignee
                for r in [call, task, meeting, incident]],
            [None, None, leaver, leaver])

    @with_transaction()
    def test_hand_over_access(self):
        "Test that only administrators hand work over"
        pool = Pool()
        Employee = pool.get('company.employee')
        User = pool.get('res.user')
        self.setup_company()
        anna = self.employees['anna']
        with set_company(self.company), freeze(2026, 1, 2):
            self.create_tracking()
        for group, allowed in [
                ('group_tracking', False),
                ('group_tracking_manager', False),
                ('group_tracking_admin', True),
                ]:
            user = self.create_user(
                create_employee(self.company, group), group)
            with self.subTest(group=group), \
                    Transaction().set_user(user.id), \
                    Transaction().set_context(
                        User.get_preferences(context_only=True)):
                if allowed:
                    with check_access():
                        self.assertTrue(
                            Employee.hand_over([self.employees['leaver']]))
                    view, result = self.hand_over(
                        'leaver', operators=[anna.id])
                    # Who ends employees is somebody else
                    self.assertFalse(view['defaults']['can_end'])
                    self.assertIn(
                        "Ask an administrator of the employees",
                        result['view']['defaults']['text'])
                else:
                    with self.assertRaises(AccessButtonError), \
                            check_access():
                        Employee.hand_over([self.employees['leaver']])
                    with self.assertRaises(AccessError):
                        self.hand_over('leaver', operators=[anna.id])
