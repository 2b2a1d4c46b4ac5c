# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import threading
import unittest
from unittest.mock import patch

from trytond import backend
from trytond.modules.company.tests import create_company, create_employee
from trytond.modules.sale_opportunity_management.contact_file import (
    ContactFile)
from trytond.modules.sale_opportunity_management.reminder import ReminderMixin
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, activate_module, drop_db
from trytond.transaction import Transaction, TransactionError

from .test_meeting import freeze


@unittest.skipUnless(
    backend.name == 'postgresql', "SQLite has one writer at a time")
class ConcurrencyTestCase(unittest.TestCase):
    "Test transactions at the same time"

    @classmethod
    def setUpClass(cls):
        activate_module('sale_opportunity_management')
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        # What the transactions committed is of no use for other tests
        drop_db()

    def test_assign(self):
        "Test that two administrators never assign the same trackings"
        with Transaction().start(DB_NAME, 1):
            pool = Pool()
            BusinessUnit = pool.get('sale.business_unit')
            Party = pool.get('party.party')
            Tracking = pool.get('sale.tracking')
            User = pool.get('res.user')
            company = create_company()
            operators = [create_employee(company, n).id for n in 'ab']
            User.write([User(1)], {
                    'companies': [('add', [company.id])],
                    'company': company.id,
                    })
            unit, *_ = BusinessUnit.search([])
            trackings = Tracking.create([{
                        'company': company.id,
                        'business_unit': unit.id,
                        'party': party.id,
                        } for party in Party.create([{}] * 20)])
            ids = [t.id for t in trackings]
        barrier = threading.Barrier(2)
        retries = []

        def assign(operator):
            # As the dispatcher does: begin again when the other was first
            while True:
                try:
                    with Transaction().start(DB_NAME, 1) as transaction:
                        pool = Pool()
                        Assign = pool.get('sale.tracking.assign', 'wizard')
                        User = pool.get('res.user')
                        with transaction.set_context(
                                User.get_preferences(context_only=True)):
                            session_id, _, _ = Assign.create()
                            wizard = Assign(session_id)
                            wizard.start.source = 'next'
                            wizard.start.number = 10
                            wizard.start.operators = [operator]
                            if not retries:
                                barrier.wait(30)
                            wizard.transition_assign()
                    break
                except backend.DatabaseOperationalError:
                    retries.append(operator)

        threads = [
            threading.Thread(target=assign, args=[o]) for o in operators]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        with Transaction().start(DB_NAME, 1):
            trackings = Pool().get('sale.tracking').browse(ids)
            assigned = [t.operator.id for t in trackings if t.operator]
            self.assertEqual(
                sorted(assigned), sorted(operators * 10))
        # Both read the same trackings, so one had to begin again
        self.assertTrue(retries)

    def test_reminders(self):
        "Test that two processes remind of each activity once"
        number = 20
        with Transaction().start(DB_NAME, 1), freeze(2026, 3, 1):
            pool = Pool()
            Notification = pool.get('res.notification')
            Task = pool.get('sale.task')
            User = pool.get('res.user')
            company = create_company()
            employee = create_employee(company)
            User.write([User(1)], {
                    'companies': [('add', [company.id])],
                    'company': company.id,
                    'employees': [('add', [employee.id])],
                    })
            Task.create([{
                        'company': company.id,
                        'summary': f"Task {i}",
                        'planned_date': dt.datetime(2026, 3, 2),
                        'reminder': dt.timedelta(hours=1),
                        'assignee': employee.id,
                        } for i in range(number)])
            before = Notification.search([], count=True)
        barrier = threading.Barrier(2)
        retries = []
        to_remind = ReminderMixin._to_remind.__func__

        def _to_remind(cls, limit=100):
            # Both look for their share before one is done
            ids = to_remind(cls, limit=number // 2)
            if ids and not retries:
                barrier.wait(30)
            return ids

        def remind():
            # As cron does: begin again when the other was first
            while True:
                try:
                    with Transaction().start(DB_NAME, 0):
                        Pool().get('sale.task').send_reminders()
                    break
                except backend.DatabaseOperationalError:
                    retries.append(threading.current_thread())

        threads = [threading.Thread(target=remind) for _ in range(2)]
        with freeze(2026, 3, 1, 23), patch.object(
                ReminderMixin, '_to_remind', classmethod(_to_remind)):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
        with Transaction().start(DB_NAME, 1):
            Notification = Pool().get('res.notification')
            self.assertEqual(
                Notification.search([], count=True) - before, number)

    def test_import(self):
        "Test that two imports of the same customers create none twice"
        number, size = 60, 20
        with Transaction().start(DB_NAME, 1):
            pool = Pool()
            ContactImport = pool.get('party.contact.import')
            Party = pool.get('party.party')
            User = pool.get('res.user')
            company = create_company()
            User.write([User(1)], {
                    'companies': [('add', [company.id])],
                    'company': company.id,
                    })
            rows = [{
                    'line': i + 2,
                    'name': f"Óptica {i}",
                    'email': f"info{i}@example.com",
                    } for i in range(number)]
            data = ''.join(
                ['Name,Email\n'] + [
                    f"{r['name']},{r['email']}\n" for r in rows]).encode()
            record, = ContactImport.create([{
                        'company': company.id,
                        'duplicates': 'skip',
                        'file': data,
                        'file_name': 'contacts.csv',
                        'headings': '["Name", "Email"]',
                        'size': number,
                        }])
        barrier = threading.Barrier(2)
        chunks = ContactFile.chunks
        began, results, errors = set(), [], []

        def begin():
            # Both have a snapshot from before the first chunk of the other
            Pool().get('party.party').search([], limit=1)
            name = threading.current_thread().name
            if name not in began:
                began.add(name)
                barrier.wait(30)

        def by_script():
            for i in range(0, number, size):
                restarted = -1
                while True:
                    restarted += 1
                    with Transaction().start(
                            DB_NAME, 1, context={'company': company.id}):
                        begin()
                        ContactImport = Pool().get('party.contact.import')
                        try:
                            result = ContactImport.import_rows(
                                rows[i:i + size])
                        except TransactionError:
                            Transaction().rollback()
                            continue
                    break
                results.append((restarted, result['created']))

        def by_queue():
            with Transaction().start(DB_NAME, 1):
                begin()
                Pool().get('party.contact.import').process([
                        Pool().get('party.contact.import')(record.id)])

        def run(function):
            try:
                function()
            except BaseException as e:
                errors.append(e)
                barrier.abort()

        threads = [
            threading.Thread(target=run, args=[f])
            for f in [by_script, by_queue]]
        with patch.object(
                ContactFile, 'chunks', lambda self: chunks(self, size)):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(120)
        self.assertFalse(errors)
        with Transaction().start(DB_NAME, 1):
            pool = Pool()
            Party = pool.get('party.party')
            record = pool.get('party.contact.import')(record.id)
            names = [
                p.name for p in Party.search([('name', 'like', "Óptica %")])]
            self.assertEqual(len(names), number)
            self.assertEqual(len(set(names)), number)
            self.assertEqual(record.state, 'done')
            self.assertEqual(
                record.created + sum(c for _, c in results), number)
            self.assertEqual(
                record.skipped, number - record.created)
