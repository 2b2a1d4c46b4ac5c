# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest
from unittest.mock import patch

from trytond.model.exceptions import AccessError
from trytond.modules.company.tests import create_employee, set_company
from trytond.modules.sale_opportunity_management.moment import this_minute
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction, check_access

from .common import TrackingTestMixin


class JobTestCase(TrackingTestMixin, unittest.TestCase):
    "Test long jobs"

    def begin(self, number=7, size=3):
        "Assign so many trackings and return the job and the operator"
        pool = Pool()
        Job = pool.get('sale.job')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        operator = create_employee(company)
        trackings = [self.create_tracking(company) for _ in range(number)]
        with set_company(company), patch(
                'trytond.modules.sale_opportunity_management'
                '.tracking_assign.ASSIGN_SIZE', size):
            Tracking.assign(trackings, [operator])
        job, = Job.search([])
        return job, operator

    def run_queue(self):
        pool = Pool()
        Queue = pool.get('ir.queue')
        with patch.object(Transaction, 'commit') as commit:
            for task in Queue.search([('finished_at', '=', None)]):
                task.run()
        return commit.call_count

    def labels(self, user):
        pool = Pool()
        Notification = pool.get('res.notification')
        Transaction()._store_user_notifications()
        return [n.label for n in Notification.search([('user', '=', user)])]

    @with_transaction()
    def test_slices(self):
        "Test that each slice is a transaction"
        pool = Pool()
        Job = pool.get('sale.job')
        job, operator = self.begin()
        self.assertEqual(job.state, 'running')
        self.assertEqual((job.number, job.done, job.to_do), (7, 3, 4))
        self.assertEqual(self.run_queue(), 2)
        job = Job(job.id)
        self.assertEqual(job.state, 'done')
        self.assertEqual((job.done, job.left_out, job.to_do), (7, 0, 0))
        self.assertEqual(job.progress, 1)
        self.assertIsNone(job.records)
        label, = self.labels(Transaction().user)
        self.assertIn("7 of 7", label)

    @with_transaction()
    def test_resume_dead(self):
        "Test that the job of a dead worker is taken up once"
        pool = Pool()
        Job = pool.get('sale.job')
        Queue = pool.get('ir.queue')
        Tracking = pool.get('sale.tracking')
        job, operator = self.begin()
        # The worker took it and died
        Queue.delete(Queue.search([('finished_at', '=', None)]))
        Job.resume_dead()
        self.assertFalse(Queue.search([('finished_at', '=', None)]))
        Job.write([job], {
                'last_date': this_minute() - dt.timedelta(minutes=6),
                })
        Job.resume_dead()
        Job.resume_dead()
        self.run_queue()
        job = Job(job.id)
        self.assertEqual((job.state, job.done), ('done', 7))
        self.assertEqual(
            Tracking.search_count([('operator', '=', operator.id)]), 7)
        self.assertEqual(len(self.labels(Transaction().user)), 1)
        Job.resume_dead()
        self.assertFalse(Queue.search([('finished_at', '=', None)]))

    @with_transaction()
    def test_stop(self):
        "Test that a job that fails stops, tells why and is resumed"
        pool = Pool()
        Employee = pool.get('company.employee')
        Job = pool.get('sale.job')
        Tracking = pool.get('sale.tracking')
        job, operator = self.begin()
        # Two days as the one of the company may be behind the server's
        with Transaction().set_context(_skip_warnings=True):
            Employee.write([operator], {
                    'end_date': dt.date.today() - dt.timedelta(days=2),
                    })
        with self.assertLogs(
                'trytond.modules.sale_opportunity_management.job', 'ERROR'):
            self.run_queue()
        job = Job(job.id)
        self.assertEqual((job.state, job.done), ('stopped', 3))
        self.assertIn(operator.rec_name, job.error)
        self.assertEqual(
            Tracking.search_count([('operator', '=', operator.id)]), 3)
        label, = self.labels(Transaction().user)
        self.assertIn("3 of 7", label)
        Employee.write([operator], {'end_date': None})
        Job.resume([job])
        self.run_queue()
        job = Job(job.id)
        self.assertEqual((job.state, job.done), ('done', 7))
        self.assertIsNone(job.error)

    @with_transaction()
    def test_user(self):
        "Test that a job is done with the rights of who began it"
        pool = Pool()
        Job = pool.get('sale.job')
        User = pool.get('res.user')
        job, operator = self.begin()
        user, = User.create([{
                    'name': "User",
                    'login': 'user',
                    'companies': [('add', [job.company.id])],
                    'company': job.company.id,
                    }])
        Job.write([job], {'user': user.id, 'checked': True})
        with self.assertLogs(
                'trytond.modules.sale_opportunity_management.job', 'ERROR'):
            self.run_queue()
        self.assertEqual(Job(job.id).state, 'stopped')
        with Transaction().set_user(user.id), check_access(), \
                self.assertRaises(AccessError):
            Job.search([])

    @with_transaction()
    def test_others(self):
        "Test that nobody sees or resumes the jobs of others"
        pool = Pool()
        Job = pool.get('sale.job')
        User = pool.get('res.user')
        job, operator = self.begin()
        Job.write([job], {'state': 'stopped'})
        other = self.create_user(
            create_employee(job.company, "Other"), 'group_tracking_manager')
        with Transaction().set_user(other.id), Transaction().set_context(
                User.get_preferences(context_only=True)), check_access():
            self.assertFalse(Job.search([]))
            with self.assertRaises(AccessError):
                Job.resume([job])
        Job.write([job], {'user': other.id})
        with Transaction().set_user(other.id), Transaction().set_context(
                User.get_preferences(context_only=True)), check_access():
            self.assertEqual(Job.search([]), [job])
            Job.resume([job])
        self.assertEqual(Job(job.id).state, 'running')
