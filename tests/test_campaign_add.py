# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest
from contextlib import contextmanager
from unittest.mock import patch

from trytond.model.exceptions import AccessError
from trytond.modules.sale_opportunity_management.campaign.exceptions import (
    CampaignError)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction, without_check_access

from .test_campaign import CampaignMixin

MODULE = 'trytond.modules.sale_opportunity_management'


class CampaignAddTestCase(CampaignMixin, unittest.TestCase):
    "Test what adds customers to campaigns"

    def set_up(self):
        super().set_up()
        self.campaign = self.create_campaign()

    def create_party(self, name, phone=None, city=None, **values):
        pool = Pool()
        Country = pool.get('country.country')
        Party = pool.get('party.party')
        country, = Country.search([('code', '=', 'CO')])
        party, = Party.create([{
                    'name': name,
                    'contact_mechanisms': [('create', [{
                                    'type': 'phone',
                                    'value': phone,
                                    }] if phone else [])],
                    'addresses': [('create', [{
                                    'city': city,
                                    'country': country.id,
                                    }] if city else [])],
                    **values}])
        return party

    @contextmanager
    def wizard(self, records, user='administrator'):
        pool = Pool()
        Add = pool.get('sale.campaign.add', type='wizard')
        with self.as_user(user):
            record = records[0]
            with without_check_access(), Transaction().set_context(
                    active_model=record.__name__,
                    active_id=record.id,
                    active_ids=[r.id for r in records]):
                session_id, _, _ = Add.create()
                wizard = Add(session_id)
                for name, value in wizard.default_start(None).items():
                    setattr(wizard.start, name, value)
                for name in ['campaign', 'company']:
                    Model = pool.get(
                        wizard.start._fields[name].model_name)
                    value = getattr(self, name)
                    setattr(wizard.start, name, Model(value.id))
                wizard.start.again = False
                wizard.start.priority = '3'
                for name in [
                        'category', 'country', 'subdivision', 'city',
                        'business_unit', 'not_contacted_since',
                        'with_phone']:
                    setattr(wizard.start, name, None)
                yield wizard

    def names(self, campaign=None):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        return sorted(t.party.name for t in Tracking.search([
                    ('campaign', '=', (campaign or self.campaign).id)]))

    @with_transaction()
    def test_filter(self):
        "Test what each criterion finds"
        pool = Pool()
        Call = pool.get('sale.call')
        Category = pool.get('party.category')
        Country = pool.get('country.country')
        Subdivision = pool.get('country.subdivision')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        parent, = Category.create([{'name': "Shops"}])
        child, = Category.create([{'name': "Bakeries", 'parent': parent.id}])
        country, = Country.search([('code', '=', 'CO')])
        subdivision, = Subdivision.create([{
                    'name': "Antioquia", 'code': 'CO-ANT',
                    'type': 'department', 'country': country.id}])
        phone = self.create_party("Phone", phone='+573105550001')
        bogota = self.create_party("Bogotá", city="Bogotá")
        address, = self.create_party("Medellín", city="Medellín").addresses
        address.subdivision = subdivision
        address.save()
        self.create_party("Bakery", categories=[('add', [child.id])])
        unit = self.campaign.business_unit
        tracking, old = Tracking.create([{
                    'party': p.id,
                    'company': self.company.id,
                    'business_unit': unit.id,
                    } for p in [phone, bogota]])
        # At 20:00 of the day before in the company
        for tracking, day in [(tracking, 10), (old, 9)]:
            Call.create([{
                        'tracking': tracking.id,
                        'state': 'done',
                        'done_date': dt.datetime(2026, 3, day, 1, 0),
                        'done_by': self.employees['operator'].id,
                        'interest': '1',
                        }])
        everybody = {"Phone", "Bogotá", "Medellín", "Bakery"}
        for values, names in [
                ({}, everybody),
                ({'with_phone': True}, {"Phone"}),
                ({'city': "Bogotá"}, {"Bogotá"}),
                ({'city': " bogotá "}, {"Bogotá"}),
                ({'country': country}, {"Bogotá", "Medellín"}),
                ({'subdivision': subdivision}, {"Medellín"}),
                ({'subdivision': subdivision, 'city': "Bogotá"}, set()),
                ({'category': parent}, {"Bakery"}),
                ({'category': child}, {"Bakery"}),
                ({'business_unit': unit}, {"Phone", "Bogotá"}),
                ({'not_contacted_since': dt.date(2026, 3, 9)},
                    everybody - {"Phone"}),
                ({'not_contacted_since': dt.date(2026, 3, 8)},
                    everybody - {"Phone", "Bogotá"}),
                ({'not_contacted_since': dt.date(2026, 3, 10)}, everybody),
                ]:
            with self.subTest(values=values), \
                    self.wizard([self.campaign]) as wizard:
                for name, value in values.items():
                    setattr(wizard.start, name, value)
                parties = pool.get('party.party').browse(
                    wizard.start.search_parties())
                self.assertEqual({p.name for p in parties}, names)
                self.assertEqual(
                    wizard.start.on_change_with_found(), len(names))

    @with_transaction()
    def test_add(self):
        "Test that nobody is added twice"
        pool = Pool()
        DoNotCall = pool.get('sale.do_not_call')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        for name in ["A", "B"]:
            self.create_party(name)
        working, blocked = [
            self.create_party(n, phone=p) for n, p in [
                ("Working", '+573105550001'),
                ("Blocked", '+573105550002')]]
        other = self.create_campaign()
        Tracking.create([{
                    'party': working.id,
                    'company': self.company.id,
                    'campaign': other.id,
                    'business_unit': self.campaign.business_unit.id,
                    }])
        DoNotCall.register(self.company, [blocked])
        with self.wizard([self.campaign]) as wizard:
            self.assertEqual(wizard.transition_add(), 'result')
            text = wizard.result.text
        self.assertEqual(text.splitlines(), [
                "2 customers are added to the campaign.",
                "1 is left out because of another open tracking.",
                "1 is left out because it must not be called.",
                ])
        self.assertEqual(self.names(), ["A", "B"])
        trackings = Tracking.search([('campaign', '=', self.campaign.id)])
        for tracking in trackings:
            self.assertEqual(tracking.priority, '3')
            self.assertEqual(tracking.operator, None)
            self.assertTrue(tracking.next_attempt)
            self.assertTrue(tracking.number)
        self.assertEqual(len({t.number for t in trackings}), 2)
        Tracking.close(trackings[:1])
        for again, added in [(False, 0), (True, 1), (True, 0)]:
            with self.subTest(again=again), \
                    self.wizard([self.campaign]) as wizard:
                wizard.start.again = again
                wizard.transition_add()
                self.assertTrue(
                    wizard.result.text.startswith(str(added)))
        self.assertEqual(self.campaign.to_do, 2)

    @with_transaction()
    def test_add_queued(self):
        "Test that many are added by a job"
        pool = Pool()
        Job = pool.get('sale.job')
        Party = pool.get('party.party')
        self.set_up()
        for i in range(5):
            self.create_party(str(i))
        with patch(f'{MODULE}.campaign.add.ADD_SIZE', 2), \
                self.wizard([self.campaign]) as wizard:
            wizard.transition_add()
            self.assertIn("in the background", wizard.result.text)
            self.assertTrue(wizard.result.text.startswith("5 customers"))
            self.assertEqual(self.names(), ["0", "1"])
            # Somebody else is faster with one of the others
            self.campaign.add_parties(
                self.campaign, Party.search([('name', '=', "3")]))
            self.run_tasks()
        self.assertEqual(self.names(), ["0", "1", "2", "3", "4"])
        job, = Job.search([])
        self.assertEqual(
            (job.state, job.done, job.left_out), ('done', 4, 1))

    def run_tasks(self):
        pool = Pool()
        Queue = pool.get('ir.queue')
        transaction = Transaction()
        with patch.object(Transaction, 'commit'):
            while transaction.tasks:
                Queue(transaction.tasks.pop()).run()

    @with_transaction()
    def test_add_parties(self):
        "Test adding selected customers"
        self.set_up()
        parties = [self.create_party(n) for n in ["A", "B", "C"]]
        with self.wizard(parties[:2]) as wizard:
            self.assertEqual(wizard.start.source, 'selected')
            self.assertEqual(wizard.start.selected, 2)
            wizard.transition_add()
        self.assertEqual(self.names(), ["A", "B"])

    @with_transaction()
    def test_add_trackings(self):
        "Test adding selected trackings"
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        DoNotCall = pool.get('sale.do_not_call')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        first, second, *_ = BusinessUnit.search([])
        other = self.create_campaign()
        party = self.create_party("A")
        blocked = self.create_party("Blocked", phone='+573105550002')
        DoNotCall.register(self.company, [blocked])
        trackings = Tracking.create([{
                    'party': (p or self.create_party("B")).id,
                    'company': self.company.id,
                    'business_unit': unit.id,
                    'operator': self.employees['operator'].id,
                    **values} for p, unit, values in [
                        (party, first, {}),
                        (party, second, {}),
                        (None, first, {'state': 'closed'}),
                        (None, first, {'campaign': other.id}),
                        (blocked, first, {}),
                        (None, first, {}),
                        ]])
        with self.wizard(trackings) as wizard:
            wizard.transition_add()
            text = wizard.result.text
        self.assertEqual(text.splitlines(), [
                "2 customers are added to the campaign.",
                "1 is left out because it is in the campaign already.",
                "1 is left out because of another open tracking.",
                "1 is left out because it must not be called.",
                "1 is left out because it is closed.",
                ])
        self.assertEqual(self.names(), ["A", "B"])
        # They stay with who works them
        tracking = Tracking(trackings[0].id)
        self.assertEqual(
            tracking.reserved_for, self.employees['operator'])

    @with_transaction()
    def test_import(self):
        "Test importing contacts into a campaign"
        pool = Pool()
        ContactImport = pool.get('party.contact.import')
        Campaign = pool.get('sale.campaign')
        DoNotCall = pool.get('sale.do_not_call')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        with self.as_user('administrator'):
            DoNotCall.create([{
                        'company': self.company.id,
                        'number': '+573105550002',
                        }])
            rows = [
                {'line': 2, 'name': "A", 'phone': '3105550001'},
                {'line': 3, 'name': "Blocked", 'phone': '3105550002'},
                ]
            for created in [2, 0]:
                result = ContactImport.import_rows(
                    rows, {'campaign': self.campaign.id})
                self.assertEqual(result['created'], created)
                self.assertEqual(result['rejected'], 0)
                self.assertEqual(self.names(), ["A"])
            tracking, = Tracking.search([])
            self.assertEqual(
                tracking.business_unit, self.campaign.business_unit)
            self.assertTrue(tracking.next_attempt)
            Campaign.write([self.campaign], {'state': 'done'})
            with self.assertRaises(AccessError):
                ContactImport.import_rows(
                    rows, {'campaign': self.campaign.id})

    @with_transaction()
    def test_denied(self):
        "Test who may not add and to what nobody adds"
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        self.set_up()
        party = self.create_party("A")
        for name in ['operator', 'supervisor']:
            with self.assertRaises(AccessError), \
                    self.wizard([party], user=name):
                pass
        Campaign.write([self.campaign], {'state': 'done'})
        with self.wizard([party]) as wizard, \
                self.assertRaises(CampaignError):
            wizard.transition_add()
        self.assertFalse(self.names())
