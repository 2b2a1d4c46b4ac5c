# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import threading
import unittest
from unittest.mock import patch

from trytond import backend
from trytond.modules.company.tests import create_company, create_employee
from trytond.modules.sale_opportunity_management.exceptions import ReplaceError
from trytond.modules.sale_opportunity_management.importing.file import (
    ContactFile)
from trytond.modules.sale_opportunity_management.moment import now, this_minute
from trytond.modules.sale_opportunity_management.reminder import ReminderMixin
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, activate_module, drop_db
from trytond.transaction import Transaction, TransactionError
from trytond.worker import run_task

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

    def at_once(self, *functions):
        "Run each as the dispatcher does, all with a snapshot from before"
        barrier = threading.Barrier(len(functions))
        errors, retries = [], []

        def run(function):
            began = False
            try:
                while True:
                    try:
                        with Transaction().start(DB_NAME, 1) as transaction:
                            User = Pool().get('res.user')
                            with transaction.set_context(
                                    User.get_preferences(context_only=True)):
                                User.search([], limit=1)
                                if not began:
                                    began = True
                                    barrier.wait(30)
                                function()
                            transaction.commit()
                        break
                    except backend.DatabaseOperationalError:
                        retries.append(function)
            except BaseException as e:
                errors.append(e)
                barrier.abort()

        threads = [
            threading.Thread(target=run, args=[f]) for f in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertFalse(errors)
        return retries

    def test_next_activity(self):
        "Test that no moment is kept of activities cancelled at once"
        with Transaction().start(DB_NAME, 1):
            pool = Pool()
            BusinessUnit = pool.get('sale.business_unit')
            Call = pool.get('sale.call')
            Party = pool.get('party.party')
            Task = pool.get('sale.task')
            Tracking = pool.get('sale.tracking')
            User = pool.get('res.user')
            company = create_company()
            employee = create_employee(company)
            User.write([User(1)], {
                    'companies': [('add', [company.id])],
                    'company': company.id,
                    })
            unit, *_ = BusinessUnit.search([])
            trackings = Tracking.create([{
                        'company': company.id,
                        'business_unit': unit.id,
                        'party': party.id,
                        'operator': employee.id,
                        } for party in Party.create([{}] * 2)])
            tomorrow = now() + dt.timedelta(days=1)
            calls, tasks = [
                Model.create([{
                            'company': company.id,
                            'tracking': tracking.id,
                            'summary': "Summary",
                            'assignee': employee.id,
                            'planned_date': tomorrow + dt.timedelta(days=days),
                            } for tracking in trackings])
                for Model, days in [(Call, 0), (Task, 1)]]
        # The first is done while the second has read what was before
        for tracking, first, second in [
                (trackings[0], calls[0], tasks[0]),
                (trackings[1], tasks[1], calls[1])]:
            done = threading.Event()

            def cancel(activity, wait):
                if wait:
                    done.wait(30)
                Model = Pool().get(activity.__name__)
                Model.cancel([Model(activity.id)])
                Transaction().commit()
                done.set()

            self.at_once(
                lambda: cancel(first, False), lambda: cancel(second, True))
            with Transaction().start(DB_NAME, 1):
                Tracking = Pool().get('sale.tracking')
                self.assertIsNone(Tracking(tracking.id).next_activity)

    def test_job_killed(self):
        "Test that a mass assignment is completed when its worker is killed"
        with Transaction().start(DB_NAME, 1):
            pool = Pool()
            BusinessUnit = pool.get('sale.business_unit')
            Job = pool.get('sale.job')
            Party = pool.get('party.party')
            Queue = pool.get('ir.queue')
            Tracking = pool.get('sale.tracking')
            User = pool.get('res.user')
            company = create_company()
            operators = [create_employee(company, n) for n in 'ab']
            User.write([User(1)], {
                    'companies': [('add', [company.id])],
                    'company': company.id,
                    })
            users = User.create([{
                        'name': name,
                        'login': name,
                        'companies': [('add', [company.id])],
                        'employees': [('add', [operator.id])],
                        } for name, operator in zip('ab', operators)])
            unit, *_ = BusinessUnit.search([])
            trackings = Tracking.create([{
                        'company': company.id,
                        'business_unit': unit.id,
                        'party': party.id,
                        } for party in Party.create([{}] * 20)])
            with patch(
                    'trytond.modules.sale_opportunity_management'
                    '.tracking_assign.ASSIGN_SIZE', 2):
                Tracking.assign(trackings, operators)
            jobs = [j.id for j in Job.search([])]
            tasks = Queue.search([('finished_at', '=', None)])
            Transaction().tasks.clear()
            self.assertEqual(len(tasks), 2)
            # The workers take them
            Queue.write(tasks, {'dequeued_at': dt.datetime.now()})
        slices = []
        assign = Tracking._assign.__func__

        def killed(cls, *args, **kwargs):
            number = assign(cls, *args, **kwargs)
            slices.append(number)
            if len(slices) == 3:
                raise SystemExit
            return number

        with patch.object(Tracking, '_assign', classmethod(killed)), \
                self.assertRaises(SystemExit), \
                Transaction().start(DB_NAME, 0):
            Pool().get('ir.queue').browse(tasks)[0].run()
        with Transaction().start(DB_NAME, 0):
            Job = Pool().get('sale.job')
            # What the killed one had begun is not counted
            self.assertEqual(
                sorted(j.done for j in Job.browse(jobs)), [2, 6])
            Job.write(Job.browse(jobs), {
                    'last_date': this_minute() - dt.timedelta(minutes=6),
                    })
            Job.resume_dead()
            Transaction().commit()
            tasks = list(Transaction().tasks)
            Transaction().tasks.clear()
        self.assertEqual(len(tasks), 2)
        for task in tasks:
            run_task(DB_NAME, task)
        with Transaction().start(DB_NAME, 1):
            pool = Pool()
            Job = pool.get('sale.job')
            Notification = pool.get('res.notification')
            Tracking = pool.get('sale.tracking')
            self.assertEqual(
                {(j.state, j.done, j.left_out) for j in Job.browse(jobs)},
                {('done', 10, 0)})
            for operator, user in zip(operators, users):
                self.assertEqual(Tracking.search_count([
                            ('operator', '=', operator.id),
                            ]), 10)
                notification, = Notification.search([
                        ('user', '=', user.id),
                        ])
                self.assertEqual(
                    notification.label, "10 trackings were assigned to you")

    def test_replace(self):
        "Test that merges of the same parties at once lose no customer"
        for pairs in [[(0, 1), (1, 0)], [(0, 1), (1, 2)]]:
            with Transaction().start(DB_NAME, 1):
                pool = Pool()
                BusinessUnit = pool.get('sale.business_unit')
                Party = pool.get('party.party')
                Tracking = pool.get('sale.tracking')
                User = pool.get('res.user')
                company = create_company()
                User.write([User(1)], {
                        'companies': [('add', [company.id])],
                        'company': company.id,
                        })
                unit, *_ = BusinessUnit.search([])
                parties = [
                    p.id for p in Party.create([{'name': "Customer"}] * 3)]
                tracking, = Tracking.create([{
                            'company': company.id,
                            'business_unit': unit.id,
                            'party': parties[0],
                            }])
            refused = []

            def replace(source, destination):
                pool = Pool()
                Replace = pool.get('party.replace', type='wizard')
                session_id, _, _ = Replace.create()
                wizard = Replace(session_id)
                wizard.ask.source = parties[source]
                wizard.ask.destination = parties[destination]
                try:
                    wizard.transition_replace()
                except ReplaceError:
                    Transaction().rollback()
                    refused.append((source, destination))
                else:
                    Transaction().commit()

            with self.subTest(pairs=pairs):
                self.at_once(*(
                        lambda p=p: replace(*p) for p in pairs))
                with Transaction().start(DB_NAME, 1):
                    pool = Pool()
                    Party = pool.get('party.party')
                    Tracking = pool.get('sale.tracking')
                    party = Tracking(tracking.id).party
                    self.assertTrue(party.active)
                    self.assertIsNone(party.replaced_by)
                    self.assertEqual(
                        Party.search_count([('id', 'in', parties)]),
                        len(parties) - len(pairs) + len(refused))
                self.assertLessEqual(len(refused), 1)

    def test_do_not_call(self):
        "Test that two who register the same number both save their work"
        with Transaction().start(DB_NAME, 1):
            pool = Pool()
            Party = pool.get('party.party')
            User = pool.get('res.user')
            company = create_company()
            User.write([User(1)], {
                    'companies': [('add', [company.id])],
                    'company': company.id,
                    })
            parties = Party.create([{
                        'name': name,
                        'contact_mechanisms': [('create', [{
                                        'type': 'phone',
                                        'value': '+573105551234',
                                        }])],
                        } for name in "ab"])
            parties = [p.id for p in parties]
        waiting = threading.Event()

        def register(party, wait):
            pool = Pool()
            Company = pool.get('company.company')
            DoNotCall = pool.get('sale.do_not_call')
            Party = pool.get('party.party')
            if wait:
                waiting.wait(30)
            Party.write([Party(party)], {'name': "Saved"})
            DoNotCall.register(Company(company.id), [Party(party)])
            Transaction().commit()
            waiting.set()

        self.at_once(
            lambda: register(parties[0], False),
            lambda: register(parties[1], True))
        with Transaction().start(DB_NAME, 1):
            pool = Pool()
            DoNotCall = pool.get('sale.do_not_call')
            Party = pool.get('party.party')
            self.assertEqual(
                [p.name for p in Party.browse(parties)], ["Saved"] * 2)
            self.assertEqual(DoNotCall.search_count([
                        ('number', '=', '+573105551234'),
                        ]), 1)

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
                record.matched, number - record.created)
