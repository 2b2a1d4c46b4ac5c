# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest

from trytond.modules.company.tests import create_employee
from trytond.modules.sale_opportunity_management.campaign.exceptions import (
    AttendError)
from trytond.modules.sale_opportunity_management.claim.exceptions import (
    ClaimPauseError, ClaimPauseWarning)
from trytond.modules.sale_opportunity_management.moment import now
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import ClaimTestMixin


class ClaimPauseTestCase(ClaimTestMixin, unittest.TestCase):
    "Test that open claims pause calls"

    def set_pause(self, company, value):
        pool = Pool()
        Configuration = pool.get('sale.configuration')
        with Transaction().set_context(company=company.id):
            configuration = Configuration(1)
            configuration.claim_pause = value
            configuration.save()

    def plan_call(self, tracking, **values):
        pool = Pool()
        Call = pool.get('sale.call')
        call, = Call.create([{
                    'tracking': tracking.id,
                    'planned_date': now() + dt.timedelta(days=2),
                    **values}])
        return call

    def create_campaign(self, company, *operators):
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Campaign = pool.get('sale.campaign')
        Typology = pool.get('sale.campaign.typology')
        typology, = Typology.create([{
                    'name': "Typology",
                    'company': company.id,
                    'results': [('create', [{
                                    'name': "Sold", 'finishes': True,
                                    'interest': '3',
                                    }])],
                    }])
        unit, *_ = BusinessUnit.search([('company', '=', None)])
        campaign, = Campaign.create([{
                    'name': "Campaign",
                    'typology': typology.id,
                    'business_unit': unit.id,
                    'company': company.id,
                    'operators': [('add', [o.id for o in operators])],
                    }])
        Campaign.run([campaign])
        return campaign

    @with_transaction()
    def test_call(self):
        "Test planning a call"
        pool = Pool()
        Call = pool.get('sale.call')
        Claim = pool.get('sale.claim')
        company = self.create_company()
        tracking = self.create_tracking(company)
        call = self.plan_call(tracking)
        claim = self.open_claim(
            company, party=tracking.party.id, resolution="Solved")
        for pause, error in [
                ('refuse', ClaimPauseError),
                ('warn', ClaimPauseWarning)]:
            self.set_pause(company, pause)
            with self.subTest(pause=pause), self.assertRaises(error):
                self.plan_call(tracking)
            with self.subTest(pause=pause), self.assertRaises(error):
                Call.write([call], {
                        'planned_date': now() + dt.timedelta(days=3)})
        self.set_pause(company, 'off')
        self.plan_call(tracking)
        self.set_pause(company, 'refuse')
        # Who solves the claim, and what is said or was done
        self.plan_call(tracking, assignee=claim.responsible.id)
        Call.write([call], {'summary': "Moved", 'assignee': None})
        self.plan_call(
            tracking, state='done', interest='1', planned_date=None,
            done_date=now().replace(second=0),
            done_by=claim.responsible.id)
        Claim.close([claim])
        self.plan_call(tracking)

    @with_transaction()
    def test_not_pausing(self):
        "Test the claims that pause nothing"
        pool = Pool()
        Type = pool.get('sale.claim.type')
        company = self.create_company()
        self.set_pause(company, 'refuse')
        type_, = Type.create([{'name': "Invoice", 'pauses_calls': False}])
        tracking = self.create_tracking(company)
        party = tracking.party.id
        self.open_claim(company, party=party, type=type_.id)
        self.open_claim(company, party=party, kind='supplier')
        self.create_claim(company, party=party)
        self.plan_call(tracking)

    @with_transaction()
    def test_campaign(self):
        "Test the queue, the panel and adding to campaigns"
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        Claim = pool.get('sale.claim')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        employee = create_employee(company, "Olga")
        user = self.create_user(employee, 'group_tracking')
        self.set_pause(company, 'refuse')
        campaign = self.create_campaign(company, employee)
        tracking = self.create_tracking(company, campaign=campaign.id)
        other = self.create_tracking(company)
        claims = [
            self.open_claim(company, party=t.party.id, resolution="Solved")
            for t in [tracking, other]]
        with self.as_user(user):
            self.assertEqual(Tracking.take_next(campaign)[0], None)
            with self.assertRaises(AttendError):
                Tracking.take(tracking)
        self.assertEqual(tracking.plan, "Open claim")
        third = self.open_claim(company, resolution="Solved").party
        self.assertEqual(
            Campaign.add_parties(campaign, [third]),
            {'claim': 1, 'added': 0})
        self.assertEqual(
            Campaign.add_trackings(campaign, [other])['claim'], 1)
        self.assertEqual(Tracking(other.id).campaign, None)
        Claim.close(claims)
        self.assertEqual(
            Campaign.add_trackings(campaign, [other])['added'], 1)
        with self.as_user(user):
            taken, _ = Tracking.take_next(campaign)
            self.assertEqual(taken, tracking)
        # What is begun can be finished
        self.open_claim(company, party=tracking.party.id)
        with self.as_user(user):
            self.assertEqual(Tracking.take(tracking), tracking)
        self.set_pause(company, 'warn')
        self.open_claim(company, party=other.party.id)
        with self.as_user(user):
            self.assertEqual(Tracking.take(other), other)
