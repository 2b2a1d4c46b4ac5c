# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest
from unittest.mock import patch

from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .test_campaign import CampaignMixin
from .test_reporting import text_of

OPERATOR = 'sale.campaign.reporting.operator'
RESULT = 'sale.campaign.reporting.result'


class CampaignReportingTestCase(CampaignMixin, unittest.TestCase):
    "Test the reports of campaigns"
    maxDiff = None

    def set_up(self):
        pool = Pool()
        Call = pool.get('sale.call')
        super().set_up()
        self.first = self.create_campaign(name="First")
        self.second = self.create_campaign(name="Second", supervisor=None)
        for campaign, calls in [
                (self.first, [
                        ('operator', 'sold', 10, 10),
                        ('operator', 'no_answer', 10, 2),
                        ('colleague', 'no_answer', 11, 15),
                        ('operator', 'no_answer', 11, None),
                        ]),
                (self.second, [
                        ('operator', 'busy', 12, 1),
                        ]),
                ]:
            tracking, other = self.create_trackings(
                campaign, 2, operator=self.employees['operator'].id)
            for name, result, day, minutes in calls:
                result = self.result(result)
                Call.create([{
                            'tracking': tracking.id,
                            'state': 'done',
                            'done_date': dt.datetime(2026, 3, day, 15, 0),
                            'done_by': self.employees[name].id,
                            'interest': result.interest,
                            'result': result.id,
                            'attend_duration': (
                                None if minutes is None
                                else dt.timedelta(minutes=minutes)),
                            }])
            # A call outside of the campaign does not count
            Call.create([{
                        'tracking': other.id,
                        'state': 'done',
                        'done_date': dt.datetime(2026, 3, 10, 15, 0),
                        'done_by': self.employees['operator'].id,
                        'interest': '1',
                        }])

    def rows(self, user, name, names, **context):
        pool = Pool()
        Model = pool.get(name)
        with self.as_user(user), Transaction().set_context(**context):
            return [
                tuple(
                    getattr(value, 'rec_name', value)
                    for value in (getattr(r, n) for n in names))
                for r in Model.search([])]

    @with_transaction()
    def test_operator(self):
        "Test what is told about each operator of each campaign"
        self.set_up()
        names = [
            'campaign', 'done_by', 'number', 'answered', 'missed', 'won',
            'attend_duration']
        first = [
            ("First", "Colleague", 1, 0, 1, 0, dt.timedelta(minutes=15)),
            ("First", "Operator", 3, 1, 2, 1, dt.timedelta(minutes=12)),
            ]
        second = [
            ("Second", "Operator", 1, 0, 1, 0, dt.timedelta(minutes=1)),
            ]
        for user, context, rows in [
                ('administrator', {}, first + second),
                ('supervisor', {}, first),
                ('operator', {}, first + second),
                ('outsider', {}, []),
                ('administrator', {'campaigns': [self.second.id]}, second),
                ('administrator', {'from_date': dt.date(2026, 3, 12)},
                    second),
                ('administrator', {
                        'operators': [self.employees['colleague'].id]},
                    first[:1]),
                ]:
            with self.subTest(user=user, context=context):
                self.assertEqual(
                    self.rows(user, OPERATOR, names, **context), rows)
        self.assertEqual([
                tuple(round(v, 2) for v in r) for r in self.rows(
                    'administrator', OPERATOR, ['per_hour', 'contact_rate'])],
            [(4, 0), (15, 0.33), (60, 0)])

    @with_transaction()
    def test_result(self):
        "Test what is told about each result"
        self.set_up()
        self.assertEqual(
            sorted(self.rows(
                    'administrator', RESULT,
                    ['campaign', 'result', 'done_by', 'number'])), [
                ("First", "Buys", "Operator", 1),
                ("First", "No Answer", "Colleague", 1),
                ("First", "No Answer", "Operator", 2),
                ("Second", "Busy", "Operator", 1),
                ])
        with self.as_user('supervisor'):
            Campaign = Pool().get('sale.campaign')
            campaign, = Campaign.search([('name', '=', "First")])
            self.assertEqual(
                sorted(r.number for r in campaign.results), [1, 1, 2])

    @with_transaction()
    def test_report(self):
        "Test the printed reports"
        pool = Pool()
        self.set_up()
        for name, lines in [
                (OPERATOR, [
                        "Campaigns by Operator", "First", "Colleague",
                        "Operator", "33.3 %", "Second", "All Campaigns"]),
                (RESULT, [
                        "Campaigns by Result", "First", "Buys", "No Answer",
                        "25.0 %", "Second", "Busy", "All Campaigns"]),
                ]:
            Report = pool.get(name, type='report')
            for parameters in [True, False]:
                with self.subTest(name=name, parameters=parameters), \
                        self.as_user('administrator'):
                    data = {'action_id': None}
                    ids = []
                    if parameters:
                        data['parameters'] = {'company': self.company.id}
                    else:
                        ids = [r.id for r in pool.get(name).search([])]
                    extension, content, _, _ = Report.execute(ids, data)
                    self.assertEqual(extension, 'odt')
                    text = text_of(content)
                    for line in lines:
                        self.assertIn(line, text)
            with self.as_user('outsider'):
                _, content, _, _ = Report.execute(
                    [], {'action_id': None, 'parameters': {
                            'company': self.company.id}})
                self.assertIn(
                    "No calls were made in the period.", text_of(content))

    @with_transaction()
    def test_report_reads(self):
        "Test that the rows are not read again for each group"
        self.set_up()
        Report = Pool().get(OPERATOR, type='report')
        reads = []
        read = Report._read

        def count(ids, names):
            reads.append(ids)
            return read(ids, names)
        with self.as_user('administrator'), \
                patch.object(Report, '_read', count):
            Report.execute([], {
                    'action_id': None,
                    'parameters': {'company': self.company.id}})
        # Once for the totals and once to print them
        self.assertEqual(list(map(len, reads)), [3, 3])
