# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest

from trytond.model.exceptions import AccessError
from trytond.modules.company.tests import create_employee
from trytond.modules.sale_opportunity_management.exceptions import (
    AlreadyRecordedError, WorkError)
from trytond.modules.sale_opportunity_management.tests.tools import freeze
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction, without_check_access

from .common import TrackingTestMixin

NOW = 2026, 1, 5, 15


class Day:
    "The dialog in front of the user"

    def __init__(self, line=None):
        pool = Pool()
        self.wizard = pool.get('sale.activity.work', type='wizard')
        self.context = {}
        if line:
            self.context = {
                'active_model': line.__name__,
                'active_id': line.id,
                'active_ids': [line.id],
                }
        with without_check_access():
            self.session, start, _ = self.wizard.create()
        self.execute(start)

    def execute(self, state, **values):
        data = {}
        if state != 'start':
            data = {self.state: {
                    n: v for n, v in {**self.form, **values}.items()
                    if not n.endswith('.')}}
        with without_check_access(), Transaction().set_context(self.context):
            result = self.wizard.execute(self.session, data, state)
        view = result.get('view', {})
        self.state = view.get('state')
        self.form = view.get('defaults', {})

    def save(self, state='save_next', **values):
        self.execute(state, **{
                'outcome': 'answered', 'interest': '2', **values})


class ActivityWorkTestCase(TrackingTestMixin, unittest.TestCase):
    "Test working through the day"

    def set_up(self):
        pool = Pool()
        Call = pool.get('sale.call')
        Task = pool.get('sale.task')
        self.company = self.create_company()
        self.olga = create_employee(self.company, "Olga")
        self.oscar = create_employee(self.company, "Oscar")
        self.user = self.create_user(self.olga, 'group_tracking')
        with freeze(2026, 1, 1):
            trackings = [
                self.create_tracking(self.company, operator=o.id)
                for o in [self.olga] * 4 + [self.oscar]]
            (self.called, self.asked, self.new, self.later,
                self.hidden) = trackings
            self.call, self.soon, self.hidden_call = Call.create([{
                        'company': self.company.id,
                        'tracking': t.id,
                        'assignee': t.operator.id,
                        'planned_date': date,
                        } for t, date in [
                        (self.called, dt.datetime(2026, 1, 4)),
                        (self.later, dt.datetime(*NOW[:3], 15, 20)),
                        (self.hidden, dt.datetime(2026, 1, 3)),
                        ]])
            self.task, = Task.create([{
                        'company': self.company.id,
                        'tracking': self.asked.id,
                        'assignee': self.olga.id,
                        'summary': "Send prices",
                        'planned_date': dt.datetime(2026, 1, 5, 14),
                        }])

    @with_transaction()
    def test_order(self):
        "Test that what is overdue comes first, then who is new"
        self.set_up()
        with self.as_user(self.user), freeze(*NOW):
            day = Day()
            self.assertEqual(day.form['origin'], str(self.call))
            self.assertEqual(day.form['call'], self.call.id)
            self.assertIn('2', day.form['left'])
            day.save()
            self.assertEqual(self.call.state, 'done')
            self.assertEqual(day.form['origin'], str(self.task))
            self.assertEqual(day.form['activity'], str(self.task))
            day.execute('save_next', description="Sent")
            self.assertEqual(self.task.state, 'done')
            self.assertEqual(day.form['origin'], str(self.new))
            day.save()
            self.assertEqual(
                [c.done_by for c in self.new.calls], [self.olga])
            self.assertEqual(day.form['origin'], str(self.soon))
            day.save('save')
            self.assertIsNone(day.state)
            self.assertEqual(Day().state, 'nothing')
        self.assertEqual(self.hidden_call.state, 'pending')

    @with_transaction()
    def test_chosen(self):
        "Test that the line that is opened comes first"
        pool = Pool()
        Activity = pool.get('sale.activity')
        Open = pool.get('sale.activity.open', type='wizard')
        self.set_up()

        def line(activity):
            line, = Activity.search([
                    ('date', '=', activity.date),
                    ('tracking', '=', activity.tracking.id)])
            return line

        def open_(activity, **context):
            with without_check_access():
                session_id, start, _ = Open.create()
                with Transaction().set_context(
                        active_model='sale.activity',
                        active_id=line(activity).id,
                        active_ids=[line(activity).id], **context):
                    (action, _), = Open.execute(
                        session_id, {}, start)['actions']
            return action.get('wiz_name') or action.get('res_model')

        with self.as_user(self.user), freeze(*NOW):
            self.assertEqual(open_(self.task), 'sale.task')
            self.assertEqual(
                open_(self.task, work=True), 'sale.activity.work')
            day = Day(line(self.task))
            self.assertEqual(day.form['origin'], str(self.task))
            day.execute('save_next', description="Sent")
            self.assertEqual(day.form['origin'], str(self.call))
            # What was done is shown on its form
            self.assertEqual(open_(self.task, work=True), 'sale.task')
            day = Day(line(self.task))
            self.assertEqual(day.form['origin'], str(self.call))
        # Of a colleague
        with Transaction().set_user(0), without_check_access():
            hidden = line(self.hidden_call)
        with self.as_user(self.user), freeze(*NOW), \
                self.assertRaises(AccessError):
            Day(hidden)

    @with_transaction()
    def test_skip(self):
        "Test that what is skipped comes when it is tried again"
        self.set_up()
        with self.as_user(self.user), freeze(*NOW):
            day = Day()
            origins = []
            while day.state == 'result':
                origins.append(day.form['origin'])
                day.execute('skip')
            self.assertEqual(origins, [
                    str(r) for r in [
                        self.call, self.task, self.new, self.soon]])
            self.assertIn('4', day.form['text'])
            day.execute('start')
            self.assertEqual(day.form['origin'], str(self.call))

    @with_transaction()
    def test_twice(self):
        "Test pressing again after the answer was lost"
        pool = Pool()
        Call = pool.get('sale.call')
        self.set_up()
        with self.as_user(self.user), freeze(*NOW):
            day = Day()
            for record in [self.call, self.new]:
                while day.form['origin'] != str(record):
                    day.execute('skip')
                shown = day.state, day.form
                day.save(next_kind='call', next_date=dt.datetime(2026, 2, 1))
                answer = day.form['origin']
                day.state, day.form = shown
                day.save(next_kind='call', next_date=dt.datetime(2026, 2, 1))
                self.assertEqual(day.form['origin'], answer)
            self.assertEqual(Call.search([
                        ('tracking', 'in', [self.called.id, self.new.id]),
                        ], count=True), 4)

    @with_transaction()
    def test_recorded(self):
        "Test that what was recorded elsewhere meanwhile is not lost"
        self.set_up()
        with self.as_user(self.user), freeze(*NOW):
            for _ in range(2):
                day, other = Day(), Day()
                other.save(description="Other")
                with self.assertRaises(AlreadyRecordedError):
                    day.save(description="Mine")
                if day.form['origin'] == str(self.call):
                    other.execute('save_next', description="Sent")

    @with_transaction()
    def test_forged(self):
        "Test that nothing hidden is told or changed"
        self.set_up()
        with self.as_user(self.user), freeze(*NOW):
            day = Day()
            for state in ['result', 'save', 'save_next']:
                with self.subTest(state=state), \
                        self.assertRaises(WorkError):
                    day.execute(state, origin=str(self.hidden_call))
            day.save(call=self.hidden_call.id)
        self.assertEqual(self.hidden_call.state, 'pending')
        self.assertEqual(self.hidden.last_activity, None)

    @with_transaction()
    def test_reassigned(self):
        "Test going on when what is shown was given to somebody else"
        self.set_up()
        with self.as_user(self.user), freeze(*NOW):
            day = Day()
            with Transaction().set_user(0), without_check_access():
                self.called.__class__.assign([self.called], [self.oscar])
            with self.assertRaises(WorkError):
                day.save()
            day.execute('skip')
            self.assertEqual(day.form['origin'], str(self.task))
        self.assertEqual(self.call.state, 'pending')

    @with_transaction()
    def test_no_employee(self):
        "Test a user without employee"
        self.set_up()
        with self.as_user(self.user), \
                Transaction().set_context(employee=None):
            day = Day()
            self.assertEqual(day.state, 'nothing')
            self.assertTrue(day.form['text'])
