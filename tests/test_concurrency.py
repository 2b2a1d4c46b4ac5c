# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import threading
import unittest

from trytond import backend
from trytond.modules.company.tests import create_company, create_employee
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, activate_module, drop_db
from trytond.transaction import Transaction


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
