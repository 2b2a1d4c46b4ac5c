# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest

from sql import Column

from trytond.exceptions import UserError
from trytond.model.exceptions import (
    AccessError, DomainValidationError, SQLConstraintError)
from trytond.modules.company.tests import create_employee
from trytond.modules.sale_opportunity_management.campaign.exceptions import (
    CampaignError, CampaignWarning)
from trytond.modules.sale_opportunity_management.exceptions import (
    PhoneNumberError)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction, without_check_access

from .common import TrackingTestMixin

GROUPS = {
    'operator': 'group_tracking',
    'colleague': 'group_tracking',
    'outsider': 'group_tracking',
    'supervisor': 'group_tracking_manager',
    'administrator': 'group_tracking_admin',
    }


class CampaignMixin(TrackingTestMixin):
    "The company with its team that the tests work in"

    def set_up(self):
        self.company = self.create_company()
        self.employees, self.users = {}, {}
        for name, group in GROUPS.items():
            employee = create_employee(self.company, name.title())
            self.employees[name] = employee
            self.users[name] = self.create_user(employee, group)

    def record(self, name):
        "Return the record of the module's data"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        data, = ModelData.search([
                ('module', '=', 'sale_opportunity_management'),
                ('fs_id', '=', name),
                ])
        return pool.get(data.model)(data.db_id)

    def result(self, name, typology='sales'):
        return self.record(f'campaign_result_{typology}_{name}')

    def create_campaign(self, state='running', **values):
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Campaign = pool.get('sale.campaign')
        unit, *_ = BusinessUnit.search([])
        # It begins on the day of the company
        with Transaction().set_context(company=self.company.id):
            campaign, = Campaign.create([{
                        'name': "Campaign",
                        'company': self.company.id,
                        'typology': self.record('campaign_typology_sales').id,
                        'business_unit': unit.id,
                        'supervisor': self.employees['supervisor'].id,
                        'operators': [('add', [
                                    self.employees[n].id
                                    for n in ['operator', 'colleague']])],
                        'state': state,
                        **values}])
        return campaign

    def create_trackings(self, campaign, number=1, phone=None, **values):
        pool = Pool()
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        parties = Party.create([{
                    'name': f"Customer {i}",
                    'contact_mechanisms': [('create', [{
                                    'type': 'phone',
                                    'value': phone or f'+57310555{i:04}',
                                    }])],
                    } for i in range(number)])
        return Tracking.create([{
                    'company': self.company.id,
                    'party': party.id,
                    'business_unit': campaign.business_unit.id,
                    'campaign': campaign.id,
                    **values} for party in parties])

    def as_user(self, name):
        return super().as_user(self.users[name])


class CampaignTestCase(CampaignMixin, unittest.TestCase):
    "Test the campaigns"

    @with_transaction()
    def test_typologies(self):
        "Test that each typology of the module can be worked with"
        pool = Pool()
        Typology = pool.get('sale.campaign.typology')
        typologies = Typology.search([])
        self.assertEqual(
            [t.name for t in typologies],
            ["Collections", "Scoring", "Tenders", "Sales"])
        for typology in typologies:
            with self.subTest(typology=typology.name):
                results = typology.results
                self.assertEqual(
                    {r.interest for r in results}, {'0', '1', '2', '3'})
                for name in [
                        'finishes', 'retry', 'max_attempts', 'callback',
                        'do_not_call']:
                    self.assertTrue(
                        any(getattr(r, name) for r in results), msg=name)

    @with_transaction()
    def test_result_domain(self):
        "Test that a result that finishes asks for nothing more"
        pool = Pool()
        Result = pool.get('sale.campaign.result')
        typology = self.record('campaign_typology_sales')
        for values, allowed in [
                ({'finishes': True}, True),
                ({'finishes': True, 'do_not_call': True}, True),
                ({'callback': True}, True),
                ({'retry': dt.timedelta(hours=1), 'max_attempts': 3}, True),
                ({}, True),
                ({'finishes': True, 'callback': True}, False),
                ({'finishes': True, 'retry': dt.timedelta(1)}, False),
                ({'callback': True, 'retry': dt.timedelta(1)}, False),
                ({'retry': -dt.timedelta(1)}, False),
                ({'max_attempts': 0}, False),
                ({'do_not_call': True}, False),
                ]:
            with self.subTest(values=values):
                values = {
                    'name': "Result",
                    'typology': typology.id,
                    'interest': '1',
                    **values}
                if allowed:
                    Result.create([values])
                else:
                    with self.assertRaises(DomainValidationError):
                        Result.create([values])

    @with_transaction()
    def test_delays(self):
        "Test that the configuration gives the delays of new campaigns"
        pool = Pool()
        Configuration = pool.get('sale.configuration')
        self.set_up()
        with Transaction().set_context(company=self.company.id):
            campaign = self.create_campaign()
            self.assertEqual(campaign.release_delay, dt.timedelta(minutes=10))
            self.assertEqual(campaign.return_delay, dt.timedelta(minutes=30))
            configuration = Configuration(1)
            configuration.campaign_release_delay = dt.timedelta(minutes=5)
            configuration.save()
            campaign = self.create_campaign()
            self.assertEqual(campaign.release_delay, dt.timedelta(minutes=5))

    @with_transaction()
    def test_progress(self):
        "Test what the campaign tells about its trackings"
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        campaign = self.create_campaign()
        empty = self.create_campaign()
        trackings = self.create_trackings(campaign, 5)
        Tracking.write(trackings[:1], {
                'taken_by': self.employees['operator'].id})
        Tracking.write(trackings[1:2], {'next_attempt': None})
        Tracking.write(trackings[2:3], {
                'result': self.result('sold').id})
        Tracking.close(trackings[2:3])
        names = ['to_do', 'in_work', 'blocked', 'finished', 'won']
        self.assertEqual(
            [getattr(campaign, n) for n in names], [2, 1, 1, 1, 1])
        self.assertEqual(campaign.progress, 0.2)
        self.assertEqual([getattr(empty, n) for n in names], [0] * 5)
        self.assertEqual((empty.calls, empty.contact_rate), (0, None))
        # Whatever is asked for
        self.assertEqual(
            Campaign.read([campaign.id], ['won'])[0]['won'], 1)

    @with_transaction()
    def test_read(self):
        "Test which campaigns each role reads"
        pool = Pool()
        Activity = pool.get('sale.activity')
        Call = pool.get('sale.call')
        Campaign = pool.get('sale.campaign')
        Meeting = pool.get('sale.meeting')
        Task = pool.get('sale.task')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        running = self.create_campaign()
        self.create_campaign(state='draft')
        tracking, = self.create_trackings(running)
        values = {
            'company': self.company.id,
            'summary': "Summary",
            'planned_date': dt.datetime.now() + dt.timedelta(days=1),
            'assignee': self.employees['administrator'].id,
            }
        for Model in [Call, Meeting, Task]:
            Model.create([{**values, 'tracking': tracking.id}])
        Task.create([{
                    **values,
                    'linked_trackings': [('add', [tracking.id])],
                    }])
        for name, campaigns, trackings, activities in [
                ('operator', 1, 0, 0),
                ('colleague', 1, 0, 0),
                ('outsider', 0, 0, 0),
                # The line of the tracking but not the one of the agenda
                ('supervisor', 2, 1, 4),
                ('administrator', 2, 1, 5),
                ]:
            with self.subTest(role=name), self.as_user(name):
                self.assertEqual(len(Campaign.search([])), campaigns)
                self.assertEqual(len(Tracking.search([])), trackings)
                lines = Activity.search([])
                self.assertEqual(len(lines), activities)
                for activity in Activity.get_activities(lines):
                    # It can be opened
                    activity.__class__.read([activity.id], ['summary'])
        # Who has a tracking of it reads its name
        Tracking.write([tracking], {
                'operator': self.employees['outsider'].id})
        with self.as_user('outsider'):
            values, = Tracking.read([tracking.id], ['campaign.rec_name'])
            self.assertEqual(values['campaign.']['rec_name'], "Campaign")
        Tracking.write([tracking], {'operator': None})
        # Who is the supervisor is not remembered
        running.supervisor = self.employees['outsider']
        running.save()
        for name, trackings in [('supervisor', 0), ('outsider', 1)]:
            with self.subTest(role=name), self.as_user(name):
                self.assertEqual(len(Tracking.search([])), trackings)

    @with_transaction()
    def test_write(self):
        "Test that only administrators change campaigns"
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        self.set_up()
        campaign = self.create_campaign()
        for name in GROUPS:
            with self.subTest(role=name), self.as_user(name):
                if name == 'administrator':
                    Campaign.write([Campaign(campaign.id)], {'goal': 10})
                else:
                    with self.assertRaises(AccessError):
                        Campaign.write([Campaign(campaign.id)], {'goal': 10})

    @with_transaction()
    def test_buttons(self):
        "Test who may pause a campaign"
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        self.set_up()
        for name, allowed in [
                ('operator', False),
                ('outsider', False),
                ('supervisor', True),
                ('administrator', True),
                ]:
            campaign = self.create_campaign()
            with self.subTest(role=name), self.as_user(name):
                for method, state in [
                        ('pause', 'paused'),
                        ('run', 'running'),
                        ('do', 'done'),
                        ('reopen', 'paused'),
                        ]:
                    method = getattr(Campaign, method)
                    if allowed:
                        method([Campaign(campaign.id)])
                        self.assertEqual(
                            Campaign(campaign.id).state, state)
                    else:
                        with self.assertRaises(UserError):
                            method([Campaign(campaign.id)])

    @with_transaction()
    def test_finish(self):
        "Test that finishing asks with numbers and is undone by reopening"
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        # The day of the company
        with Transaction().set_context(company=self.company.id):
            today = pool.get('ir.date').today()
        later, past = today + dt.timedelta(5), today - dt.timedelta(5)
        for end_date, start_date, done, reopened in [
                (None, today, today, None),
                (later, past, today, later),
                (None, later, later, None),
                (past, past, today, None),
                ]:
            campaign = self.create_campaign(
                start_date=start_date, end_date=end_date)
            with self.subTest(end_date=end_date, start_date=start_date):
                # Nothing is asked when nobody is to be called
                with self.as_user('supervisor'):
                    Campaign.do([Campaign(campaign.id)])
                campaign = Campaign(campaign.id)
                self.assertEqual(campaign.end_date, done)
                with self.as_user('supervisor'):
                    Campaign.reopen([Campaign(campaign.id)])
                campaign = Campaign(campaign.id)
                self.assertEqual(campaign.end_date, reopened)
                self.assertIsNone(campaign.planned_end_date)
                self.assertEqual(campaign.state, 'paused')
        campaign = self.create_campaign()
        promised, *_ = self.create_trackings(campaign, 4)
        Tracking.write([promised], {
                'callback_date': dt.datetime.combine(later, dt.time(9)),
                })
        with self.as_user('operator'):
            taken, _ = Tracking.take_next(campaign)
        with self.as_user('supervisor'):
            with self.assertRaises(CampaignWarning) as cm:
                Campaign.do([Campaign(campaign.id)])
            self.assertIn(
                "3 customers to call, 1 of them with a promised call-back, "
                "and 1 in work", cm.exception.message)
            self.assertEqual(Campaign(campaign.id).state, 'running')
            with Transaction().set_context(_skip_warnings=True):
                Campaign.do([Campaign(campaign.id)])
            self.assertEqual(Campaign(campaign.id).state, 'done')
        # What was begun is saved
        with self.as_user('operator'):
            Tracking.attend(
                taken, result=self.result('sold'), turn=taken.attend_turn)
            with self.assertRaises(CampaignError):
                Tracking.take_next(campaign)
        with self.as_user('supervisor'):
            Campaign.reopen([Campaign(campaign.id)])
            Campaign.run([Campaign(campaign.id)])
        with self.as_user('operator'):
            tracking, _ = Tracking.take_next(campaign)
            self.assertTrue(tracking)

    @with_transaction()
    def test_reassign(self):
        "Test to whom the supervisor gives the trackings of the campaign"
        pool = Pool()
        Reassign = pool.get('sale.tracking.reassign', type='wizard')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        campaign = self.create_campaign()
        other = self.create_campaign(supervisor=None)
        for user, campaign, employee, allowed in [
                ('supervisor', campaign, 'colleague', True),
                ('supervisor', campaign, 'outsider', False),
                ('supervisor', other, 'colleague', False),
                ('operator', campaign, 'colleague', False),
                ]:
            tracking, = self.create_trackings(
                campaign, operator=self.employees['operator'].id)
            with self.subTest(user=user, employee=employee), \
                    self.as_user(user):
                values = {'operator': self.employees[employee].id}
                if allowed:
                    Tracking.write([Tracking(tracking.id)], values)
                    self.assertEqual(
                        Tracking(tracking.id).reserved_for,
                        self.employees[employee])
                else:
                    with self.assertRaises(AccessError):
                        Tracking.write([Tracking(tracking.id)], values)
        # By the dialog as well
        tracking, = self.create_trackings(
            self.create_campaign(), operator=self.employees['operator'].id)
        with self.as_user('supervisor'), without_check_access(), \
                Transaction().set_context(
                    active_model='sale.tracking', active_id=tracking.id,
                    active_ids=[tracking.id]):
            session_id, _, _ = Reassign.create()
            wizard = Reassign(session_id)
            wizard.start.source = 'selected'
            wizard.start.selected = 1
            wizard.start.operators = [self.employees['colleague'].id]
            wizard.start.channel = None
            wizard.transition_assign()
        self.assertEqual(
            Tracking(tracking.id).operator, self.employees['colleague'])

    @with_transaction()
    def test_reserved(self):
        "Test for whom trackings given by hand are reserved"
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        campaign = self.create_campaign()
        operator, colleague, outsider = [
            self.employees[n] for n in ['operator', 'colleague', 'outsider']]
        tracking, other = self.create_trackings(
            campaign, 2, operator=operator.id)
        self.assertEqual(tracking.reserved_for, operator)
        self.assertTrue(tracking.next_attempt)
        for employee, reserved in [
                (colleague, colleague),
                (outsider, None),
                (operator, operator),
                (None, None),
                (operator, operator),
                ]:
            Tracking.write([tracking], {'operator': employee})
            self.assertEqual(tracking.reserved_for, reserved)
        # Who leaves the campaign leaves them to the others
        Campaign.write([campaign], {
                'operators': [('remove', [operator.id])]})
        tracking, other = Tracking.browse([tracking, other])
        self.assertEqual(
            (tracking.reserved_for, other.reserved_for), (None, None))
        self.assertEqual(tracking.operator, operator)
        # which its history tells
        history = Tracking.__table_history__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*history.select(
                history.reserved_for,
                where=history.id == other.id,
                order_by=Column(history, '__id').asc))
        self.assertEqual(
            [id_ for id_, in cursor.fetchall()], [None, operator.id, None])
        # Out of the campaign nothing is left of the queue
        Tracking.write([tracking], {'campaign': None})
        self.assertEqual(tracking.next_attempt, None)

    @with_transaction()
    def test_protected(self):
        "Test that an operator does not help itself in the queue"
        pool = Pool()
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        campaign = self.create_campaign()
        operator = self.employees['operator']
        tracking, = self.create_trackings(campaign, operator=operator.id)
        party, = Party.create([{'name': "Customer"}])
        with self.as_user('operator'):
            tracking = Tracking(tracking.id)
            Tracking.write([tracking], {'comment': "Comment"})
            for values in [
                    {'campaign': None},
                    {'next_attempt': None},
                    {'taken_by': operator.id},
                    {'attempts': 0},
                    {'result': None},
                    ]:
                with self.subTest(values=values), \
                        self.assertRaises(AccessError):
                    Tracking.write([tracking], values)
            with self.assertRaises(AccessError):
                Tracking.create([{
                            'company': self.company.id,
                            'party': party.id,
                            'business_unit': campaign.business_unit.id,
                            'campaign': campaign.id,
                            'operator': operator.id,
                            }])

    @with_transaction()
    def test_do_not_call(self):
        "Test that a number is kept however it is written"
        pool = Pool()
        DoNotCall = pool.get('sale.do_not_call')
        Party = pool.get('party.party')
        self.set_up()
        campaign = self.create_campaign()
        first, second = self.create_trackings(campaign, 2)
        with Transaction().set_context(company=self.company.id):
            created = DoNotCall.register(
                self.company, [first.party], reason="Asked for it")
            self.assertEqual([r.number for r in created], ['+573105550000'])
            self.assertFalse(DoNotCall.register(self.company, [first.party]))
            # It outlives the customer and holds for a new one
            same, = Party.create([{
                        'name': "Same",
                        'contact_mechanisms': [('create', [{
                                        'type': 'mobile',
                                        'value': '+57 310 555 00 00',
                                        }])],
                        }])
            self.assertEqual(
                DoNotCall.blocked(self.company, [same, second.party]),
                {same.id})
            with self.assertRaises(PhoneNumberError):
                DoNotCall.create([{
                            'company': self.company.id,
                            'number': 'none',
                            }])
            # Last, as it ends a transaction of PostgreSQL
            with self.assertRaises(SQLConstraintError):
                DoNotCall.create([{
                            'company': self.company.id,
                            'number': '(310) 555-0000',
                            }])
