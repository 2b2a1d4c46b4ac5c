# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import threading
import unittest
from contextlib import contextmanager

from sql import Column, Null

import trytond.config as config
from trytond import backend
from trytond.modules.company.tests import create_company, create_employee
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, activate_module, drop_db
from trytond.transaction import Transaction, check_access


@unittest.skipUnless(
    backend.name == 'postgresql', "SQLite has one writer at a time")
class CampaignConcurrencyTestCase(unittest.TestCase):
    "Test the sessions of a campaign at the same time"
    sessions = 20
    trackings = 2000

    @classmethod
    def setUpClass(cls):
        activate_module('sale_opportunity_management')
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        drop_db()

    def set_up(self, number):
        "Return the ids of the campaign and of its users"
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Campaign = pool.get('sale.campaign')
        ModelData = pool.get('ir.model.data')
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        User = pool.get('res.user')
        company = create_company()
        operators = [
            create_employee(company, f"Operator {i}")
            for i in range(self.sessions)]
        group = ModelData.get_id(
            'sale_opportunity_management', 'group_tracking')
        users = User.create([{
                    'name': operator.rec_name,
                    'login': f'{operator.rec_name} of {number}',
                    'companies': [('add', [company.id])],
                    'company': company.id,
                    'employees': [('add', [operator.id])],
                    'employee': operator.id,
                    'groups': [('add', [group])],
                    } for operator in operators])
        unit, *_ = BusinessUnit.search([])
        campaign, = Campaign.create([{
                    'name': "Campaign",
                    'company': company.id,
                    'typology': ModelData.get_id(
                        'sale_opportunity_management',
                        'campaign_typology_sales'),
                    'business_unit': unit.id,
                    'start_date': dt.date(2020, 1, 1),
                    'release_delay': dt.timedelta(hours=1),
                    'operators': [('add', [o.id for o in operators])],
                    'state': 'running',
                    }])
        tracking = Tracking.__table__()
        parties = Party.create([{}] * number)
        columns = [
            'number', 'party', 'company', 'business_unit', 'campaign',
            'priority', 'attempts', 'start_date', 'next_attempt', 'state']
        cursor = Transaction().connection.cursor()
        cursor.execute(*tracking.insert(
                [Column(tracking, c) for c in columns],
                [[
                        str(i), party.id, company.id, unit.id, campaign.id,
                        str(1 + i % 4), 0, dt.date(2020, 1, 1),
                        dt.datetime(2020, 1, 1), 'open']
                    for i, party in enumerate(parties)]))
        return campaign.id, [u.id for u in users]

    @contextmanager
    def start(self, user):
        with Transaction().start(DB_NAME, user) as transaction:
            User = Pool().get('res.user')
            with transaction.set_context(
                    User.get_preferences(context_only=True)), \
                    check_access():
                yield transaction

    def retry(self, user, function):
        "Call the function as the dispatcher does"
        for count in range(config.getint('database', 'retry'), -1, -1):
            try:
                with self.start(user):
                    return function(Pool())
            except backend.DatabaseOperationalError:
                if not count:
                    raise

    def take(self, campaign, user):
        def take(pool):
            Campaign = pool.get('sale.campaign')
            return Campaign.next(Campaign(campaign))['tracking']
        return self.retry(user, take)

    def attend(self, tracking, user, result):
        def attend(pool):
            Tracking = pool.get('sale.tracking')
            Tracking.attend(Tracking(tracking), result=result)
        self.retry(user, attend)

    def close(self, id_):
        with Transaction().start(
                DB_NAME, 0, autocommit=True) as transaction:
            tracking = Pool().get('sale.tracking').__table__()
            cursor = transaction.connection.cursor()
            cursor.execute(*tracking.update(
                    [tracking.state, tracking.taken_by], ['closed', Null],
                    where=tracking.id == id_))

    def test_one_operator(self):
        "Test that a customer of two campaigns comes to one session"
        with Transaction().start(DB_NAME, 0):
            pool = Pool()
            Campaign = pool.get('sale.campaign')
            Tracking = pool.get('sale.tracking')
            campaign, users = self.set_up(10)
            campaigns = [campaign] + [
                c.id for c in Campaign.copy([Campaign(campaign)])]
            Campaign.write([Campaign(campaigns[1])], {
                    'start_date': dt.date(2020, 1, 1),
                    'state': 'running',
                    })
            trackings = Tracking.search([('campaign', '=', campaign)])
            with Transaction().set_context(_skip_warnings=True):
                copies = Tracking.copy(trackings)
            Tracking.write(copies, {
                    'campaign': campaigns[1],
                    'next_attempt': dt.datetime(2020, 1, 1),
                    })
        for _ in trackings:
            barrier = threading.Barrier(2)
            taken, errors = [], []

            def work(campaign, user):
                def take(pool):
                    Campaign = pool.get('sale.campaign')
                    User = pool.get('res.user')
                    # Neither sees what the other does
                    User.search([], limit=1)
                    barrier.wait(60)
                    return Campaign.next(Campaign(campaign))['tracking']
                try:
                    with self.start(user):
                        taken.append(take(Pool()))
                except backend.DatabaseOperationalError:
                    pass
                except Exception as e:
                    errors.append(e)

            threads = [
                threading.Thread(target=work, args=args)
                for args in zip(campaigns, users)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            self.assertEqual(errors, [])
            self.assertTrue(any(taken))
            with Transaction().start(DB_NAME, 0):
                Tracking = Pool().get('sale.tracking')
                parties = [
                    t.party for t in Tracking.search([
                            ('taken_by', '!=', None),
                            ])]
                self.assertEqual(len(parties), len(set(parties)))
            for tracking in filter(None, taken):
                self.close(tracking)

    def test_next(self):
        "Test that each customer comes to one session, also when some die"
        with Transaction().start(DB_NAME, 0):
            pool = Pool()
            ModelData = pool.get('ir.model.data')
            campaign, users = self.set_up(self.trackings)
            result = ModelData.get_id(
                'sale_opportunity_management',
                'campaign_result_sales_not_interested')
        barrier = threading.Barrier(self.sessions)
        attended, held, errors = [], [], []

        def work(user, die_after=None):
            try:
                barrier.wait(60)
                number = 0
                while tracking := self.take(campaign, user):
                    if number == die_after:
                        held.append(tracking)
                        return
                    number += 1
                    if number % 20:
                        # As if attended, but in less time
                        self.close(tracking)
                    else:
                        self.attend(tracking, user, result)
                    attended.append(tracking)
            except Exception as e:
                errors.append(e)

        def die(user):
            "Lose the connection before the commit"
            try:
                barrier.wait(60)
                with self.start(user) as transaction:
                    pool = Pool()
                    Campaign = pool.get('sale.campaign')
                    Campaign.next(Campaign(campaign))
                    pid = transaction.connection.info.backend_pid
                    with Transaction().new_transaction() as other:
                        other.connection.cursor().execute(
                            'SELECT pg_terminate_backend(%s)', [pid])
            except backend.DatabaseOperationalError:
                pass
            except Exception as e:
                errors.append(e)

        def run(*threads):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(500)

        run(
            threading.Thread(target=die, args=[users[0]]),
            *(threading.Thread(target=work, args=[u, i])
                for i, u in enumerate(users[1:5])),
            *(threading.Thread(target=work, args=[u])
                for u in users[5:]))
        self.assertEqual(errors, [])
        self.assertEqual(len(held), 4)
        self.assertEqual(len(attended), len(set(attended)))
        self.assertEqual(len(attended), self.trackings - len(held))
        self.assertFalse(set(held) & set(attended))

        # What the dead held comes again when its time is over
        with Transaction().start(DB_NAME, 0) as transaction:
            Tracking = Pool().get('sale.tracking')
            tracking = Tracking.__table__()
            cursor = transaction.connection.cursor()
            cursor.execute(*tracking.update(
                    [tracking.taken_date], [dt.datetime(2020, 1, 1)],
                    where=tracking.taken_by != Null))
        again = []
        while tracking := self.take(campaign, users[-1]):
            self.attend(tracking, users[-1], result)
            again.append(tracking)
        self.assertEqual(set(again), set(held))
        with Transaction().start(DB_NAME, 0):
            Campaign = Pool().get('sale.campaign')
            self.assertEqual(Campaign(campaign).finished, self.trackings)
