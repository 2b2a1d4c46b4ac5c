# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import io
import re
import shutil
import unittest
import zipfile
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from genshi.template import Context
from genshi.template.eval import UndefinedError

from trytond.model.exceptions import AccessError
from trytond.modules.company.tests import create_company, create_employee
from trytond.modules.sale_opportunity_management.exceptions import (
    LongReportWarning)
from trytond.modules.sale_opportunity_management.moment import to_local
from trytond.modules.sale_opportunity_management.report_loop import _Values
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import with_transaction
from trytond.tools import timezone as tz
from trytond.transaction import Transaction

from .common import TrackingTestMixin
from .tools import freeze

MODULE = 'trytond.modules.sale_opportunity_management'
DONE = 'sale.call.reporting.done'
OPERATOR = 'sale.call.reporting.operator'
PENDING = 'sale.call.reporting.pending'
POTENTIAL = 'sale.call.reporting.potential'
CUSTOMER = 'sale.tracking.reporting.customer'
ASSIGNMENT = 'sale.tracking.reporting.assignment'
UNATTENDED = 'sale.tracking.reporting.unattended'
UNATTENDED_CHANNEL = 'sale.tracking.reporting.unattended.channel'
UNATTENDED_OPERATOR = 'sale.tracking.reporting.unattended.operator'
REPORTS = [DONE, PENDING, POTENTIAL, CUSTOMER, ASSIGNMENT, UNATTENDED]

# In the company it is the 15th at 18:30, in UTC as well the 15th at 23:30
NOW = dt.datetime(2026, 3, 15, 23, 30)
TEAM = {
    'olga': ['group_tracking'],
    'oscar': ['group_tracking'],
    'mario': ['group_tracking_manager'],
    'ana': ['group_tracking_admin'],
    'nobody': [],
    }
# The customer, the city, the business unit, if in the channel North, the
# operator, the start, the rating, the done calls (date, operator, interest,
# minutes) and the date of the pending call
TRACKINGS = [
    ("Alfa", "Medellín", "Optics", True, 'olga', '2026-03-01', '4', [
            ('2026-03-10 15:00', 'olga', '0', None),
            ('2026-03-12 15:00', 'olga', '2', 5),
            ('2026-03-15 04:30', 'oscar', '3', 10),
            ], '2026-03-14 15:00'),
    ("Beta", "Cali", "Brigade", False, 'ana', '2026-03-05', None, [
            ('2026-03-15 05:00', 'ana', '1', 2),
            ], None),
    ("Gamma", None, "Optics", True, None, '2026-03-07', None, [], None),
    ("Delta", "Cali", "Equipment", True, 'oscar', '2026-02-20', '1', [
            ('2026-03-01 15:00', 'oscar', '3', 1),
            ], '2026-03-20 15:00'),
    ]


@contextmanager
def frozen(moment, timezone='America/Bogota'):
    pool = Pool()
    Date = pool.get('ir.date')
    today = moment.replace(tzinfo=dt.timezone.utc).astimezone(
        tz.ZoneInfo(timezone)).date()
    with freeze(*moment.timetuple()[:6]), \
            patch.object(Date, 'today', return_value=today):
        yield


def text_of(odt, name='content.xml'):
    "Return the text of the document, one paragraph a line"
    with zipfile.ZipFile(io.BytesIO(odt)) as document:
        content = document.read(name).decode()
    content = re.sub(r'</text:(p|h)>', '\n', content)
    content = re.sub(r'<[^>]*>', '', content).replace('\u00a0', ' ')
    return [line for line in map(str.strip, content.splitlines()) if line]


class ReportingTestCase(TrackingTestMixin, unittest.TestCase):
    "Test the reports of calls and trackings"
    maxDiff = None

    def setup_company(self):
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        self.company = self.create_company()
        self.employees = {
            name: create_employee(self.company, name.title())
            for name in TEAM}
        self.users = {
            name: self.create_user(self.employees[name], *groups)
            for name, groups in TEAM.items()}
        self.channel = self.create_channel(
            self.company, self.employees['mario'],
            self.employees['olga'], self.employees['oscar'])
        self.units = {u.name: u for u in BusinessUnit.search([])}

    def setup_trackings(self):
        self.setup_company()
        with frozen(dt.datetime(2026, 2, 1)):
            self.trackings = {
                values[0]: self.create_tracking(self.company, *values)
                for values in TRACKINGS}
        with frozen(NOW):
            self.trackings["Beta"].close([self.trackings["Beta"]])

    def create_tracking(
            self, company, customer, city, unit, in_channel, operator,
            start_date, rating, calls, pending):
        pool = Pool()
        Call = pool.get('sale.call')
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        Typification = pool.get('party.typification')
        party, = Party.create([{
                    'name': customer,
                    'addresses': [('create', [{'city': city}])],
                    'contact_mechanisms': [('create', [
                                {'type': 'email', 'value': 'a@example.com'},
                                {'type': 'phone', 'value': '+573105551234'},
                                ])],
                    }])
        Typification.create([{
                    'party': party.id,
                    'company': company.id,
                    'rating': rating,
                    }])
        operator = self.employees[operator].id if operator else None
        tracking, = Tracking.create([{
                    'company': company.id,
                    'party': party.id,
                    'business_unit': self.units[unit].id,
                    'channel': self.channel.id if in_channel else None,
                    'operator': operator,
                    'start_date': dt.date.fromisoformat(start_date),
                    }])
        for date, done_by, interest, minutes in calls:
            with frozen(dt.datetime.fromisoformat(date)):
                call, = Call.create([{
                            'tracking': tracking.id,
                            'done_date': dt.datetime.fromisoformat(date),
                            'done_by': self.employees[done_by].id,
                            'interest': interest,
                            'duration': (
                                dt.timedelta(minutes=minutes) if minutes
                                else None),
                            'description': f"Call {interest} of {customer}",
                            'state': 'done',
                            }])
        if pending:
            Call.create([{
                        'tracking': tracking.id,
                        'planned_date': dt.datetime.fromisoformat(pending),
                        'summary': f"Call {customer} again",
                        }])
        return Tracking(tracking.id)

    def as_user(self, name):
        return super().as_user(self.users[name])

    def rows(self, model, columns, domain=(), order=None, **context):
        pool = Pool()
        Model = pool.get(model)
        context.setdefault('company', self.company.id)
        with frozen(NOW), Transaction().set_context(context):
            # As each request begins
            Transaction().get_cache().clear()
            rows = Model.search(list(domain), order=order)

            def value(row, name):
                for part in name.split('.'):
                    row = getattr(row, part) if row else None
                return row
            return [tuple(value(r, c) for c in columns) for r in rows]

    def print_(self, model, ids=None, **context):
        "Return the ODT from the list of the ids or from the wizard"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        Report = pool.get(model, type='report')
        context.setdefault('company', self.company.id)
        name = model.removeprefix('sale.').replace('.', '_')
        data = {
            'action_id': ModelData.get_id(
                'sale_opportunity_management', f'report_{name}'),
            }
        with ExitStack() as stack:
            stack.enter_context(frozen(NOW))
            if Transaction().user == 1:
                stack.enter_context(self.as_user('ana'))
            if ids is None:
                data['parameters'] = context
                return Report.execute([], data)
            data['model'] = model
            data['ids'] = ids
            stack.enter_context(Transaction().set_context(context))
            return Report.execute(ids, data)

    @with_transaction()
    def test_calls_done(self):
        "Test the rows of the calls done"
        self.setup_trackings()
        self.assertEqual(
            self.rows(DONE, [
                    'party.name', 'city', 'rating', 'done_by.party.name',
                    'operator.party.name', 'interest', 'kind', 'outcome',
                    'duration', 'description']), [
                ("Beta", "Cali", None, "Ana", "Ana", '1', 'first',
                    'answered', dt.timedelta(minutes=2), "Call 1 of Beta"),
                ("Alfa", "Medellín", '4', "Oscar", "Olga", '3', 'follow_up',
                    'answered', dt.timedelta(minutes=10), "Call 3 of Alfa"),
                ("Alfa", "Medellín", '4', "Olga", "Olga", '2', 'follow_up',
                    'answered', dt.timedelta(minutes=5), "Call 2 of Alfa"),
                ("Alfa", "Medellín", '4', "Olga", "Olga", '0', 'first',
                    'missed', None, "Call 0 of Alfa"),
                ("Delta", "Cali", '1', "Oscar", "Oscar", '3', 'first',
                    'answered', dt.timedelta(minutes=1), "Call 3 of Delta"),
                ])

    @with_transaction()
    def test_calls_done_context(self):
        "Test the context and the search of the calls done"
        self.setup_trackings()
        olga, oscar = self.employees['olga'], self.employees['oscar']
        date = dt.date
        for context, domain, interests in [
                # Of 23:30 and 00:00 of the company
                ({
                        'from_date': date(2026, 3, 14),
                        'to_date': date(2026, 3, 14),
                        }, [], '3'),
                ({'from_date': date(2026, 3, 15)}, [], '1'),
                ({'to_date': date(2026, 3, 9)}, [], '3'),
                ({'from_date': date(2026, 3, 16)}, [], ''),
                ({'operators': [olga.id]}, [], '20'),
                ({'operators': [olga.id, oscar.id]}, [], '3203'),
                ({'business_units': [self.units["Brigade"].id]}, [], '1'),
                ({'channels': [self.channel.id]}, [], '3203'),
                ({'company': -1}, [], ''),
                ({'company': None}, [], ''),
                ({}, [('kind', '=', 'follow_up')], '32'),
                ({}, [('outcome', '=', 'missed')], '0'),
                ({}, [('phone', 'ilike', '%555%')], '13203'),
                ({}, [('city', '=', "Cali")], '13'),
                ({}, [('rating', '=', '4')], '320'),
                ({}, [('rec_name', 'ilike', '%Delta%')], '3'),
                ({}, [('date', '>', NOW - dt.timedelta(days=1))], '13'),
                ]:
            with self.subTest(context=context, domain=domain):
                self.assertEqual(
                    ''.join(i for i, in self.rows(
                            DONE, ['interest'], domain, **context)),
                    interests)

    @with_transaction()
    def test_clock_change(self):
        "Test the days on which the clocks change"
        self.setup_company()
        self.company.timezone = 'Europe/Madrid'
        self.company.save()
        with frozen(dt.datetime(2026, 1, 1)):
            self.create_tracking(
                self.company, "Alfa", None, "Optics", True, 'olga',
                '2026-01-01', None, [
                    ('2026-03-28 22:59', 'olga', '0', None),  # 28th 23:59
                    ('2026-03-28 23:00', 'olga', '1', None),  # 29th 00:00
                    ('2026-03-29 21:59', 'olga', '2', None),  # 29th 23:59
                    ('2026-03-29 22:00', 'olga', '3', None),  # 30th 00:00
                    ('2026-10-24 21:59', 'olga', '0', None),  # 24th 23:59
                    ('2026-10-24 22:00', 'olga', '1', None),  # 25th 00:00
                    ('2026-10-25 22:59', 'olga', '2', None),  # 25th 23:59
                    ('2026-10-25 23:00', 'olga', '3', None),  # 26th 00:00
                    ], None)
        for day, interests in [
                (dt.date(2026, 3, 28), '0'),
                (dt.date(2026, 3, 29), '21'),
                (dt.date(2026, 3, 30), '3'),
                (dt.date(2026, 10, 24), '0'),
                (dt.date(2026, 10, 25), '21'),
                (dt.date(2026, 10, 26), '3'),
                ]:
            with self.subTest(day=day):
                self.assertEqual(
                    ''.join(i for i, in self.rows(
                            DONE, ['interest'], from_date=day, to_date=day)),
                    interests)
        lines = text_of(self.print_(DONE)[1])
        self.assertIn("03/29/2026 00:00", lines)
        self.assertIn("10/26/2026 00:00", lines)

    @with_transaction()
    def test_calls_by_operator(self):
        "Test the totals of the calls by operator"
        self.setup_trackings()
        columns = [
            'done_by.party.name', 'number', 'answered', 'missed',
            'contact_rate', 'interest_0', 'interest_1', 'interest_2',
            'interest_3', 'duration']
        minutes = dt.timedelta(minutes=1)
        olga = ("Olga", 2, 1, 1, 0.5, 1, 0, 1, 0, minutes * 5)
        self.assertEqual(
            self.rows(OPERATOR, columns), [
                ("Ana", 1, 1, 0, 1, 0, 1, 0, 0, minutes * 2),
                olga,
                ("Oscar", 2, 2, 0, 1, 0, 0, 0, 2, minutes * 11),
                ])
        self.assertEqual(
            self.rows(
                OPERATOR, columns, [('contact_rate', '<', 0.6)]), [olga])
        self.assertEqual(
            self.rows(
                OPERATOR, ['number'], from_date=dt.date(2026, 3, 14),
                to_date=dt.date(2026, 3, 14)), [(1,)])
        for name, rows in [
                ('olga', [("Olga", 2), ("Oscar", 1)]),
                ('oscar', [("Oscar", 1)]),
                ('mario', [("Olga", 2), ("Oscar", 2)]),
                ('ana', [("Ana", 1), ("Olga", 2), ("Oscar", 2)]),
                ]:
            with self.subTest(user=name), self.as_user(name):
                self.assertEqual(
                    self.rows(OPERATOR, ['done_by.party.name', 'number']),
                    rows)

    @with_transaction()
    def test_trackings_of_customers(self):
        "Test the rows of the trackings of customers"
        self.setup_trackings()
        self.assertEqual(
            self.rows(CUSTOMER, [
                    'party.name', 'operator.party.name', 'calls_number',
                    'first_interest', 'interest_path', 'interest', 'rating',
                    'last_activity', 'next_activity', 'days_open', 'state']), [
                ("Gamma", None, 0, None, '', None, None, None, None, 8,
                    'open'),
                ("Beta", "Ana", 1, '1', '1', '1', None,
                    dt.datetime(2026, 3, 15, 5), None, 10, 'closed'),
                ("Alfa", "Olga", 3, '0', '0 → 2 → 3', '3', '4',
                    dt.datetime(2026, 3, 15, 4, 30),
                    dt.datetime(2026, 3, 14, 15), 14, 'open'),
                ("Delta", "Oscar", 1, '3', '3', '3', '1',
                    dt.datetime(2026, 3, 1, 15),
                    dt.datetime(2026, 3, 20, 15), 23, 'open'),
                ])
        for context, domain, order, customers in [
                ({'state': 'closed'}, [], None, ["Beta"]),
                ({'from_date': dt.date(2026, 3, 5)}, [], None,
                    ["Gamma", "Beta"]),
                ({'to_date': dt.date(2026, 3, 1)}, [], None,
                    ["Alfa", "Delta"]),
                ({}, [('calls_number', '>', 2)], None, ["Alfa"]),
                ({}, [('first_interest', '=', '3')], None, ["Delta"]),
                ({}, [('days_open', '>', 10)], [('days_open', 'DESC')],
                    ["Delta", "Alfa"]),
                ({}, [('operator', '=', None)], None, ["Gamma"]),
                ]:
            with self.subTest(context=context, domain=domain):
                self.assertEqual(
                    [c for c, in self.rows(
                            CUSTOMER, ['party.name'], domain, order,
                            **context)],
                    customers)

    @with_transaction()
    def test_calls_to_make(self):
        "Test the rows of the calls to make"
        self.setup_trackings()
        self.assertEqual(
            self.rows(PENDING, [
                    'party.name', 'date', 'overdue', 'days_late',
                    'assignee.party.name', 'interest', 'summary',
                    'call.state', 'origin.__name__']), [
                ("Alfa", dt.datetime(2026, 3, 14, 15), True, 1, "Olga", '3',
                    "Call Alfa again", 'pending', 'sale.call'),
                ("Delta", dt.datetime(2026, 3, 20, 15), False, None,
                    "Oscar", '3', "Call Delta again", 'pending',
                    'sale.call'),
                ("Gamma", None, False, None, None, None, None, None,
                    'sale.tracking'),
                ])
        days = [('days_late', 'DESC NULLS LAST'), ('party', 'ASC')]
        for context, domain, order, customers in [
                ({'to_date': dt.date(2026, 3, 14)}, [], None,
                    ["Alfa", "Gamma"]),
                ({'to_date': dt.date(2026, 3, 13)}, [], None, ["Gamma"]),
                ({'operators': [self.employees['oscar'].id]}, [], None,
                    ["Delta"]),
                ({}, [('overdue', '=', True)], None, ["Alfa"]),
                ({}, [('overdue', '!=', True)], None, ["Delta", "Gamma"]),
                ({}, [('days_late', '>=', 1)], None, ["Alfa"]),
                ({}, [('days_late', '>', 1)], None, []),
                ({}, [('days_late', '=', 1)], None, ["Alfa"]),
                ({}, [('days_late', '!=', 1)], None, []),
                ({}, [('days_late', '<', 1)], None, []),
                ({}, [('days_late', '<=', 1)], None, ["Alfa"]),
                ({}, [('days_late', 'in', [1, 2])], None, ["Alfa"]),
                ({}, [('days_late', 'not in', [1, 2])], None, []),
                ({}, [('days_late', '=', None)], None, ["Delta", "Gamma"]),
                ({}, [('days_late', '!=', None)], None, ["Alfa"]),
                ({}, [], days, ["Alfa", "Delta", "Gamma"]),
                ({}, [], [('overdue', 'ASC'), ('party', 'DESC')],
                    ["Gamma", "Delta", "Alfa"]),
                ]:
            with self.subTest(context=context, domain=domain, order=order):
                self.assertEqual(
                    [c for c, in self.rows(
                            PENDING, ['party.name'], domain, order,
                            **context)],
                    customers)

    @with_transaction()
    def test_days_late(self):
        "Test that the days late are days of the company"
        self.setup_trackings()
        pool = Pool()
        Pending = pool.get(PENDING)
        # The call is planned for the 14th at 10:00 of the company
        for moment, days in [
                (dt.datetime(2026, 3, 14, 14, 59), None),
                (dt.datetime(2026, 3, 14, 15, 1), 0),
                (dt.datetime(2026, 3, 15, 4, 59), 0),
                (dt.datetime(2026, 3, 15, 5, 0), 1),
                (dt.datetime(2026, 3, 15, 23, 30), 1),
                (dt.datetime(2026, 3, 16, 4, 59), 1),
                (dt.datetime(2026, 3, 16, 5, 0), 2),
                ]:
            with self.subTest(moment=moment), frozen(moment), \
                    Transaction().set_context(company=self.company.id):
                row, = Pending.search([('party.name', '=', "Alfa")])
                row = Pending(row.id)
                self.assertEqual(row.days_late, days)
                self.assertEqual(
                    Pending.search([
                            ('party.name', '=', "Alfa"),
                            ('days_late', '=', days),
                            ]), [row])

    @with_transaction()
    def test_trackings_by_operator(self):
        "Test the rows of the trackings by operator"
        self.setup_trackings()
        start = dt.datetime(2026, 2, 1)
        self.assertEqual(
            self.rows(ASSIGNMENT, [
                    'operator.party.name', 'party.name', 'assign_date',
                    'days_assigned', 'calls_number']), [
                (None, "Gamma", None, None, 0),
                ("Olga", "Alfa", start, 43, 3),
                ("Oscar", "Delta", start, 43, 1),
                ])
        for context, domain, order, customers in [
                ({'assignment': 'unassigned'}, [], None, ["Gamma"]),
                ({'assignment': 'assigned'}, [], None, ["Alfa", "Delta"]),
                ({}, [('days_assigned', '>=', 43)], None, ["Alfa", "Delta"]),
                ({}, [('days_assigned', '<', 43)], None, []),
                ({}, [('days_assigned', '=', None)], None, ["Gamma"]),
                ({}, [],
                    [('days_assigned', 'ASC NULLS FIRST'), ('party', 'DESC')],
                    ["Gamma", "Delta", "Alfa"]),
                ]:
            with self.subTest(context=context, domain=domain):
                self.assertEqual(
                    [c for c, in self.rows(
                            ASSIGNMENT, ['party.name'], domain, order,
                            **context)],
                    customers)

    def setup_unattended(self):
        "Add trackings that are overdue since some days"
        self.setup_trackings()
        with frozen(dt.datetime(2026, 2, 1)):
            for values in [
                    ("Kappa", "Cali", "Optics", True, 'oscar', '2026-02-01',
                        None, [('2026-02-03 15:00', 'oscar', '2', None)],
                        '2026-02-10 15:00'),
                    ("Lambda", None, "Brigade", True, 'oscar', '2026-02-01',
                        None, [], '2026-03-15 23:29'),
                    ("Omicron", None, "Brigade", False, 'ana', '2026-02-01',
                        None, [], '2026-03-06 04:59'),
                    # Falls due now: not yet late
                    ("Sigma", None, "Optics", True, None, '2026-02-01', None,
                        [], '2026-03-15 23:30'),
                    ("Tau", None, "Optics", True, None, '2026-02-01', None,
                        [], '2026-03-13 15:00'),
                    ]:
                self.trackings[values[0]] = self.create_tracking(
                    self.company, *values)

    @with_transaction()
    def test_unattended(self):
        "Test the rows of the unattended trackings"
        self.setup_unattended()
        self.assertEqual(
            self.rows(UNATTENDED, [
                    'party.name', 'date', 'days_late', 'channel.name',
                    'operator.party.name', 'kind', 'summary',
                    'last_activity', 'last_result', 'interest',
                    'origin.__name__']), [
                ("Kappa", dt.datetime(2026, 2, 10, 15), 33, "North", "Oscar",
                    'call', "Call Kappa again", dt.datetime(2026, 2, 3, 15),
                    "Call 2 of Kappa", '2', 'sale.tracking'),
                # On the 5th at 23:59 of the company
                ("Omicron", dt.datetime(2026, 3, 6, 4, 59), 10, None, "Ana",
                    'call', "Call Omicron again", None, None, None,
                    'sale.tracking'),
                ("Tau", dt.datetime(2026, 3, 13, 15), 2, "North", None,
                    'call', "Call Tau again", None, None, None,
                    'sale.tracking'),
                ("Alfa", dt.datetime(2026, 3, 14, 15), 1, "North", "Olga",
                    'call', "Call Alfa again", dt.datetime(2026, 3, 15, 4, 30),
                    "Call 3 of Alfa", '3', 'sale.tracking'),
                ("Lambda", dt.datetime(2026, 3, 15, 23, 29), 0, "North",
                    "Oscar", 'call', "Call Lambda again", None, None, None,
                    'sale.tracking'),
                ])
        oscar = self.employees['oscar']
        date = dt.date
        for context, domain, order, customers in [
                ({'operators': [oscar.id]}, [], None, ["Kappa", "Lambda"]),
                ({'channels': [self.channel.id]}, [], None,
                    ["Kappa", "Tau", "Alfa", "Lambda"]),
                ({'business_units': [self.units["Brigade"].id]}, [], None,
                    ["Omicron", "Lambda"]),
                ({'from_date': date(2026, 3, 6)}, [], None,
                    ["Tau", "Alfa", "Lambda"]),
                ({
                        'from_date': date(2026, 3, 5),
                        'to_date': date(2026, 3, 5),
                        }, [], None, ["Omicron"]),
                ({'days_late': 0}, [], None,
                    ["Kappa", "Omicron", "Tau", "Alfa", "Lambda"]),
                ({'days_late': 1}, [], None,
                    ["Kappa", "Omicron", "Tau", "Alfa"]),
                ({'days_late': 10}, [], None, ["Kappa", "Omicron"]),
                ({'days_late': 11}, [], None, ["Kappa"]),
                ({}, [('days_late', '>', 7)], None, ["Kappa", "Omicron"]),
                ({}, [('days_late', '=', 2)], None, ["Tau"]),
                ({}, [('kind', '=', 'task')], None, []),
                ({}, [('summary', 'ilike', '%Tau%')], None, ["Tau"]),
                ({}, [('operator', '=', None)], None, ["Tau"]),
                ({}, [], [('days_late', 'ASC')],
                    ["Lambda", "Alfa", "Tau", "Omicron", "Kappa"]),
                ]:
            with self.subTest(context=context, domain=domain, order=order):
                self.assertEqual(
                    [c for c, in self.rows(
                            UNATTENDED, ['party.name'], domain, order,
                            **context)],
                    customers)

    @with_transaction()
    def test_unattended_activity(self):
        "Test that the next of the pending activities is what was planned"
        self.setup_unattended()
        pool = Pool()
        Task = pool.get('sale.task')
        tracking = self.trackings["Alfa"]
        with frozen(dt.datetime(2026, 3, 1)):
            Task.create([{
                        'tracking': tracking.id,
                        'planned_date': dt.datetime(2026, 3, day, 12),
                        'summary': f"Task of {day}",
                        } for day in [12, 11, 20]])
        domain = [('party.name', '=', "Alfa")]
        self.assertEqual(
            self.rows(UNATTENDED, ['days_late', 'kind', 'summary'], domain),
            [(4, 'task', "Task of 11")])
        tracking = tracking.__class__(tracking.id)
        with frozen(NOW):
            for activity in [*tracking.calls, *tracking.tasks]:
                if activity.state == 'pending' and activity.date < NOW:
                    activity.cancel([activity])
        self.assertEqual(self.rows(UNATTENDED, ['id'], domain), [])

    @with_transaction()
    def test_record_result(self):
        "Test that the result is recorded from the reports of what is due"
        pool = Pool()
        Record = pool.get('sale.activity.record', type='wizard')
        self.setup_trackings()
        call = self.trackings["Alfa"].next_call
        context = {'company': self.company.id}
        with frozen(NOW), Transaction().set_context(**context), \
                self.as_user('olga'):
            for model in [PENDING, UNATTENDED]:
                Model = pool.get(model)
                row, = Model.search([
                        ('tracking', '=', self.trackings["Alfa"].id),
                        ])
                with self.subTest(model=model), \
                        Transaction().set_context(
                            active_model=model, active_id=row.id,
                            active_ids=[row.id]):
                    Model.record_result([row])
                    session_id, _, _ = Record.create()
                    view = Record.execute(session_id, {}, 'start')['view']
                    self.assertEqual(view['defaults']['call'], call.id)
            Record.execute(session_id, {
                    'start': {
                        **{
                            name: value
                            for name, value in view['defaults'].items()
                            if not name.endswith('.')},
                        'outcome': 'answered',
                        'interest': '1',
                        'description': "Wants no more",
                        },
                    }, 'save')
        self.assertEqual(call.__class__(call.id).state, 'done')
        self.assertEqual(self.rows(UNATTENDED, ['id']), [])
        # Without a planned call it is that of the tracking
        with Transaction().set_context(**context):
            row, = pool.get(PENDING).search([
                    ('tracking', '=', self.trackings["Gamma"].id)])
        self.assertEqual(row.result_origin, self.trackings["Gamma"])

    @with_transaction()
    def test_record_result_access(self):
        "Test who records results from the reports"
        pool = Pool()
        self.setup_trackings()
        with Transaction().set_context(company=self.company.id):
            for model in [PENDING, UNATTENDED]:
                Model = pool.get(model)
                with frozen(NOW):
                    row, = Model.search([
                            ('tracking', '=', self.trackings["Alfa"].id)])
                    for name in ['oscar', 'nobody']:
                        with self.subTest(model=model, user=name), \
                                self.as_user(name):
                            with self.assertRaises(AccessError):
                                Model.record_result([Model(row.id)])
                    for name in ['olga', 'mario', 'ana']:
                        with self.subTest(model=model, user=name), \
                                self.as_user(name):
                            self.assertTrue(
                                Model.record_result([Model(row.id)]))

    @with_transaction()
    def test_unattended_days(self):
        "Test that the days late are days of the company in any time zone"
        self.setup_company()
        pool = Pool()
        Unattended = pool.get(UNATTENDED)
        for timezone, moment in [
                ('Europe/Madrid', dt.datetime(2026, 3, 29, 12)),
                ('Europe/Madrid', dt.datetime(2026, 10, 25, 23, 30)),
                ('America/Bogota', dt.datetime(2026, 3, 15, 23, 30)),
                ('Pacific/Apia', dt.datetime(2026, 4, 5, 0, 30)),
                (None, dt.datetime(2026, 1, 1, 0, 1)),
                ]:
            with self.subTest(timezone=timezone, moment=moment):
                self.company.timezone = timezone
                self.company.save()
                company = self.company
                days = {}
                with frozen(dt.datetime(2014, 1, 1)):
                    for hours in [
                            1, 12, 13, 22, 23, 24, 25, 26, 47, 24 * 148 - 1,
                            24 * 148, 24 * 200 + 1, 24 * 365 * 5 + 11,
                            24 * 365 * 9]:
                        date = moment - dt.timedelta(hours=hours)
                        tracking = self.create_tracking(
                            company, f"{timezone} {hours}", None, "Optics",
                            True, 'olga', '2014-01-01', None, [], str(date))
                        days[tracking] = (
                            to_local(company, moment).date()
                            - to_local(company, date).date()).days
                with frozen(moment, timezone or 'UTC'), \
                        Transaction().set_context(company=company.id):
                    self.assertEqual({
                            r.tracking: r.days_late
                            for r in Unattended.search([
                                    ('tracking', 'in', list(days)),
                                    ])}, days)
                    for number in set(days.values()):
                        with Transaction().set_context(days_late=number):
                            Transaction().get_cache().clear()
                            self.assertEqual({
                                    r.tracking for r in Unattended.search([
                                            ('tracking', 'in', list(days)),
                                            ])},
                                {t for t, d in days.items() if d >= number})

    @with_transaction()
    def test_unattended_totals(self):
        "Test the totals of the unattended trackings"
        self.setup_unattended()
        columns = [
            'channel_name', 'number', 'customers', 'days_late_average',
            'days_late_max', 'date']
        self.assertEqual(
            self.rows(UNATTENDED_CHANNEL, columns), [
                ("Without Channel", 1, 1, 10, 10,
                    dt.datetime(2026, 3, 6, 4, 59)),
                ("North", 4, 4, 9, 33, dt.datetime(2026, 2, 10, 15)),
                ])
        columns = [
            'channel_name', 'operator_name', 'number', 'days_late_average',
            'days_late_max']
        self.assertEqual(
            self.rows(UNATTENDED_OPERATOR, columns), [
                ("Without Channel", "Ana", 1, 10, 10),
                ("North", "Unassigned", 1, 2, 2),
                ("North", "Olga", 1, 1, 1),
                ("North", "Oscar", 2, 16.5, 33),
                ])
        self.assertEqual(
            self.rows(
                UNATTENDED_CHANNEL, ['number'], from_date=dt.date(2026, 3, 6)),
            [(3,)])
        for name, rows in [
                ('olga', [("North", "Olga", 1)]),
                ('oscar', [("North", "Oscar", 2)]),
                ('mario', [
                        ("North", "Unassigned", 1), ("North", "Olga", 1),
                        ("North", "Oscar", 2)]),
                ('ana', [
                        ("Without Channel", "Ana", 1),
                        ("North", "Unassigned", 1), ("North", "Olga", 1),
                        ("North", "Oscar", 2)]),
                ]:
            with self.subTest(user=name), self.as_user(name):
                self.assertEqual(
                    self.rows(
                        UNATTENDED_OPERATOR,
                        ['channel_name', 'operator_name', 'number']), rows)
        for model in [UNATTENDED_CHANNEL, UNATTENDED_OPERATOR]:
            with self.as_user('nobody'), self.assertRaises(AccessError):
                self.rows(model, ['id'])

    @with_transaction()
    def test_unattended_open(self):
        "Test that the totals open their trackings"
        self.setup_unattended()
        pool = Pool()
        Wizard = pool.get('sale.tracking.reporting.unattended.open', 'wizard')
        for model, customers in [
                (UNATTENDED_CHANNEL, [
                        {"Omicron"}, {"Kappa", "Tau", "Alfa", "Lambda"}]),
                (UNATTENDED_OPERATOR, [
                        {"Omicron"}, {"Tau"}, {"Alfa"}, {"Kappa", "Lambda"}]),
                ]:
            for (id_,), expected in zip(self.rows(model, ['id']), customers):
                with self.subTest(model=model, expected=expected):
                    with frozen(NOW), self.as_user('ana'), \
                            Transaction().set_context(
                                active_model=model, active_id=id_,
                                active_ids=[id_]):
                        session_id, _, _ = Wizard.create()
                        (action, _), = Wizard.execute(
                            session_id, {}, 'open_')['actions']
                    domain = PYSONDecoder().decode(action['pyson_domain'])
                    self.assertEqual({
                            c for c, in self.rows(
                                UNATTENDED, ['party.name'], domain)},
                        expected)

    @with_transaction()
    def test_potential_customers(self):
        "Test the rows of the potential customers"
        self.setup_trackings()
        self.assertEqual(
            self.rows(POTENTIAL, [
                    'party.name', 'phone', 'operator.party.name',
                    'done_by.party.name', 'tracking.party.name', 'date',
                    'description', 'opportunity', 'rating', 'state']), [
                ("Alfa", "+57 310 5551234", "Olga", "Oscar", "Alfa",
                    dt.datetime(2026, 3, 15, 4, 30), "Call 3 of Alfa", None,
                    '4', 'open'),
                ("Delta", "+57 310 5551234", "Oscar", "Oscar", "Delta",
                    dt.datetime(2026, 3, 1, 15), "Call 3 of Delta", None,
                    '1', 'open'),
                ])
        self.assertEqual(
            self.rows(
                POTENTIAL, ['party.name'], from_date=dt.date(2026, 3, 14)),
            [("Alfa",)])
        self.assertEqual(
            self.rows(
                POTENTIAL, ['party.name'],
                operators=[self.employees['oscar'].id]),
            [("Delta",)])

    @with_transaction()
    def test_contact(self):
        "Test the phone of the tracking and the first one of the customer"
        self.setup_trackings()
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        tracking = self.trackings["Alfa"]
        chosen, first = ContactMechanism.create([{
                    'party': tracking.party.id,
                    'type': 'mobile',
                    'value': value,
                    'sequence': sequence,
                    } for value, sequence in [
                    ('+573105550002', 20), ('+573105550001', 10)]])
        domain = [('party.name', '=', "Alfa")]
        # Without sequence comes first
        self.assertEqual(
            self.rows(CUSTOMER, ['phone'], domain), [("+57 310 5551234",)])
        ContactMechanism.write([
                m for m in tracking.party.contact_mechanisms
                if m.type == 'phone'], {'active': False})
        self.assertEqual(
            self.rows(CUSTOMER, ['phone'], domain), [(first.value,)])
        tracking.contact_mechanism = chosen
        tracking.save()
        self.assertEqual(
            self.rows(CUSTOMER, ['phone'], domain), [(chosen.value,)])

    @with_transaction()
    def test_roles(self):
        "Test which rows each role reads, lists and prints"
        self.setup_trackings()
        other = create_company("Other", currency=self.company.currency)
        other.timezone = 'America/Bogota'
        other.save()
        channel, self.channel = self.channel, None
        self.employees['foreign'] = create_employee(other, "Foreign")
        with frozen(dt.datetime(2026, 2, 1)):
            self.create_tracking(
                other, "Omega", None, "Optics", False, 'foreign',
                '2026-03-01', None,
                [('2026-03-14 15:00', 'foreign', '3', 1)], None)
        self.channel = channel

        table = {
            'olga': {
                DONE: {"Alfa"}, PENDING: {"Alfa"}, POTENTIAL: {"Alfa"},
                CUSTOMER: {"Alfa"}, ASSIGNMENT: {"Alfa"},
                UNATTENDED: {"Alfa"},
                },
            'oscar': {
                DONE: {"Delta"}, PENDING: {"Delta"}, POTENTIAL: {"Delta"},
                CUSTOMER: {"Delta"}, ASSIGNMENT: {"Delta"},
                UNATTENDED: set(),
                },
            'mario': {
                DONE: {"Alfa", "Delta"},
                PENDING: {"Alfa", "Delta", "Gamma"},
                POTENTIAL: {"Alfa", "Delta"},
                CUSTOMER: {"Alfa", "Delta", "Gamma"},
                ASSIGNMENT: {"Alfa", "Delta", "Gamma"},
                UNATTENDED: {"Alfa"},
                },
            'ana': {
                DONE: {"Alfa", "Beta", "Delta"},
                PENDING: {"Alfa", "Delta", "Gamma"},
                POTENTIAL: {"Alfa", "Delta"},
                CUSTOMER: {"Alfa", "Beta", "Delta", "Gamma"},
                ASSIGNMENT: {"Alfa", "Delta", "Gamma"},
                UNATTENDED: {"Alfa"},
                },
            }
        customers = {"Alfa", "Beta", "Gamma", "Delta", "Omega"}
        for model in REPORTS:
            ids = [id_ for id_, in self.rows(model, ['id'])]
            for name, allowed in table.items():
                with self.subTest(model=model, user=name), \
                        self.as_user(name):
                    self.assertEqual(
                        {c for c, in self.rows(model, ['party.name'])},
                        allowed[model])
                    self.assertFalse(
                        self.rows(model, ['id'], company=other.id))
                    lines = set(text_of(self.print_(model)[1]))
                    self.assertEqual(lines & customers, allowed[model])
                    lines = set(text_of(
                            self.print_(model, company=other.id)[1]))
                    self.assertFalse(lines & customers)
                    if len(self.rows(model, ['id'])) < len(ids):
                        with self.assertRaises(AccessError):
                            self.print_(model, ids)
            with self.subTest(model=model, user='nobody'), \
                    self.as_user('nobody'):
                with self.assertRaises(AccessError):
                    self.rows(model, ['id'])
                with self.assertRaises(AccessError):
                    self.print_(model)
                with self.assertRaises(AccessError):
                    self.print_(model, ids)

    @with_transaction()
    def test_parameters(self):
        "Test that the parameters of a print change nothing but its rows"
        self.setup_trackings()
        with self.as_user('oscar'):
            lines = text_of(self.print_(DONE, _check_access=False)[1])
        self.assertIn("Delta", lines)
        self.assertNotIn("Alfa", lines)

    @with_transaction()
    def test_print_calls_done(self):
        "Test the document of the calls done"
        self.setup_trackings()
        extension, content, _, name = self.print_(
            DONE, from_date=dt.date(2026, 3, 1), to_date=dt.date(2026, 3, 31),
            operators=[
                self.employees['olga'].id, self.employees['oscar'].id])
        self.assertEqual((extension, name), ('odt', "Calls Done"))
        self.assertEqual(text_of(content), [
                "Calls Done",
                "From Date: 03/01/2026",
                "To Date: 03/31/2026",
                "Operators: Olga, Oscar",
                "Timezone: America/Bogota",
                "Totals by operator",
                "Done By", "Calls", "Customers", "Answered",
                "Not Answered", "Contact Rate", "No Interest", "Some Interest",
                "High Interest", "Time on the Phone",
                "Olga", "2", "1", "1", "1", "50.0 %", "0", "1", "0", "00:05",
                "Oscar", "2", "2", "2", "0", "100.0 %", "0", "0", "2",
                "00:11",
                "Total", "4", "2", "3", "1", "75.0 %", "0", "1", "2", "00:16",
                "Calls by operator",
                "Date", "Direction", "Customer", "Business Unit", "Channel",
                "Kind", "Outcome", "Interest", "Duration", "Description",
                "Olga (2)",
                "03/12/2026 10:00", "Outgoing", "Alfa", "Optics", "North",
                "Follow-up Call", "Answered",
                "Some Interest, Send More Information", "00:05",
                "Call 2 of Alfa",
                "03/10/2026 10:00", "Outgoing", "Alfa", "Optics", "North",
                "First Call",
                "Missed", "No Answer", "Call 0 of Alfa",
                "Oscar (2)",
                "03/14/2026 23:30", "Outgoing", "Alfa", "Optics", "North",
                "Follow-up Call", "Answered", "High Interest, Make the Sale",
                "00:10", "Call 3 of Alfa",
                "03/01/2026 10:00", "Outgoing", "Delta", "Equipment", "North",
                "First Call", "Answered", "High Interest, Make the Sale",
                "00:01", "Call 3 of Delta",
                ])
        self.assertEqual(text_of(content, 'styles.xml'), [
                "Dunder Mifflin",
                "Calls Done",
                "Print Date: 03/15/2026 18:30",
                "User: Ana",
                "1/1",
                ])

    @with_transaction()
    def test_print_loops(self):
        "Test that loops that are written at once give the same document"
        pool = Pool()
        ActionReport = pool.get('ir.action.report')
        Call = pool.get('sale.call')
        self.setup_trackings()
        call, = Call.search([('summary', '=', "Call Alfa again")])
        Call.write([call], {'summary': '<50 %s> & "%(x)s" ${x}'})
        calls = self.trackings["Alfa"].calls
        Call.write([c for c in calls if c.state == 'done'], {
                'description': "100 %\n<text:p>&amp;\x0b"})
        for model in REPORTS:
            with self.subTest(report=model):
                contents = []
                for turns in [1, 64]:
                    with patch(f'{MODULE}.report_loop._TURNS', turns):
                        contents.append(self.print_(model)[1])
                ActionReport._template_cache.clear()
                with patch(f'{MODULE}.report.write_loops') as write_loops:
                    contents.append(self.print_(model)[1])
                self.assertTrue(write_loops.called)
                ActionReport._template_cache.clear()
                first, *others = [
                    zipfile.ZipFile(io.BytesIO(c)).read('content.xml')
                    for c in contents]
                for other in others:
                    self.assertEqual(other, first)

    @with_transaction()
    def test_print_loop_values(self):
        "Test that values are found in loops as genshi finds them"
        scope = {'row': {'name': "Alfa"}, 'rows': ["Alfa", "Delta"]}
        for source, value in [
                ('rows[0]', "Alfa"),
                ('len(rows)', 2),
                ('[r for r in rows if r != row["name"]][0]', "Delta"),
                ('row.name', "Alfa"),
                ]:
            with self.subTest(source=source):
                values = _Values(f'({source}, )', 'strict')
                self.assertEqual(
                    values.evaluate(scope.copy(), Context(**scope)), (value,))
        with self.assertRaises(UndefinedError):
            _Values('(other, )', 'strict').evaluate({}, Context())

    @with_transaction()
    def test_print_slices(self):
        "Test that rows and names are read in slices"
        self.setup_trackings()
        texts = []
        for size, names in [(2000, 50000), (2, 1)]:
            with patch.multiple(f'{MODULE}.report', _SIZE=size, _NAMES=names):
                texts.append([text_of(self.print_(m)[1]) for m in REPORTS])
        self.assertEqual(*texts)

    @with_transaction()
    def test_print_long(self):
        "Test that a long report is made after it was asked"
        pool = Pool()
        Configuration = pool.get('sale.configuration')
        Warning = pool.get('res.user.warning')
        self.setup_trackings()

        def configure(rows):
            with Transaction().set_context(company=self.company.id):
                configuration = Configuration(1)
                configuration.report_rows = rows
                configuration.save()
        self.assertTrue(self.print_(PENDING))
        configure(2)
        with self.assertRaises(LongReportWarning) as cm:
            self.print_(PENDING)
        self.assertIn('"Calls to Make" has 3 rows', cm.exception.message)
        with Transaction().set_user(self.users['ana'].id):
            Warning.skip(cm.exception.name)
        self.assertTrue(self.print_(PENDING))
        # The answer is for once
        self.assertTrue(any(Transaction().check_warnings.values()))
        ids = [id_ for id_, in self.rows(PENDING, ['id'])]
        self.assertTrue(self.print_(PENDING, ids[:2]))
        for rows in [3, None]:
            configure(rows)
            self.assertTrue(self.print_(PENDING))

    @with_transaction()
    def test_print_list(self):
        "Test the document of what the list shows"
        self.setup_trackings()
        ids = [id_ for id_, in self.rows(
                DONE, ['id'], [('outcome', '=', 'missed')])]
        lines = text_of(self.print_(DONE, ids)[1])
        self.assertIn("Olga (1)", lines)
        self.assertIn("Call 0 of Alfa", lines)
        self.assertNotIn("Call 2 of Alfa", lines)

    @with_transaction()
    def test_print_calls_to_make(self):
        "Test the document of the calls to make"
        self.setup_trackings()
        lines = text_of(self.print_(PENDING)[1])
        start = lines.index("Unassigned")
        self.assertEqual(lines[start:], [
                "Unassigned", "1", "0", "0", "1", "1",
                "Olga", "1", "1", "0", "0", "1",
                "Oscar", "1", "0", "1", "0", "1",
                "Total", "3", "1", "1", "1", "3",
                "Calls by operator",
                "Planned Date", "Days Late", "Customer", "Phone",
                "Business Unit", "Last Interest", "Last Activity",
                "What For",
                "Unassigned (1)",
                "Not planned", "Gamma", "+57 310 5551234", "Optics",
                "Olga (1)",
                "03/14/2026 10:00", "1", "Alfa", "+57 310 5551234", "Optics",
                "High Interest, Make the Sale", "03/14/2026",
                "Call Alfa again",
                "Oscar (1)",
                "03/20/2026 10:00", "Delta", "+57 310 5551234", "Equipment",
                "High Interest, Make the Sale", "03/01/2026",
                "Call Delta again",
                ])

    @with_transaction()
    def test_print_unattended(self):
        "Test the document of the unattended trackings"
        self.setup_unattended()
        extension, content, _, name = self.print_(
            UNATTENDED, from_date=dt.date(2026, 2, 1), days_late=1)
        self.assertEqual((extension, name), ('odt', "Unattended Trackings"))
        number = {
            name: tracking.number
            for name, tracking in self.trackings.items()}
        self.assertEqual(text_of(content), [
                "Unattended Trackings",
                "From Date: 02/01/2026",
                "Days Late: 1",
                "Timezone: America/Bogota",
                "Totals by channel and operator",
                "Channel and Operator", "Trackings", "Customers",
                "Average Days Late", "Maximum Days Late",
                "Without Channel", "1", "1", "10.0", "10",
                "Ana", "1", "1", "10.0", "10",
                "North", "3", "3", "12.0", "33",
                "Unassigned", "1", "1", "2.0", "2",
                "Olga", "1", "1", "1.0", "1",
                "Oscar", "1", "1", "33.0", "33",
                "Total", "4", "4", "11.5", "33",
                "Unattended trackings by channel and operator",
                "Days Late", "Due Date", "Number", "Customer", "Phone",
                "Business Unit", "Kind", "What For", "Last Activity",
                "Last Result", "Interest",
                "Without Channel / Ana (1)",
                "10", "03/05/2026 23:59", number["Omicron"], "Omicron",
                "+57 310 5551234", "Brigade", "Call", "Call Omicron again",
                "North / Unassigned (1)",
                "2", "03/13/2026 10:00", number["Tau"], "Tau",
                "+57 310 5551234", "Optics", "Call", "Call Tau again",
                "North / Olga (1)",
                "1", "03/14/2026 10:00", number["Alfa"], "Alfa",
                "+57 310 5551234", "Optics", "Call", "Call Alfa again",
                "03/14/2026", "Call 3 of Alfa", "3",
                "North / Oscar (1)",
                "33", "02/10/2026 10:00", number["Kappa"], "Kappa",
                "+57 310 5551234", "Optics", "Call", "Call Kappa again",
                "02/03/2026", "Call 2 of Kappa", "2",
                "Interest: 0 No Answer, 1 No Interest, "
                "2 Some Interest, Send More Information, "
                "3 High Interest, Make the Sale",
                ])
        self.assertEqual(text_of(content, 'styles.xml'), [
                "Dunder Mifflin",
                "Unattended Trackings",
                "Print Date: 03/15/2026 18:30",
                "User: Ana",
                "1/1",
                ])

    @with_transaction()
    def test_print_trackings_of_customers(self):
        "Test the document of the trackings of customers"
        self.setup_trackings()
        lines = text_of(self.print_(CUSTOMER, state='open')[1])
        self.assertIn("State: Open", lines)
        start = lines.index("Optics")
        end = lines.index("Trackings by business unit")
        self.assertEqual(lines[start:end], [
                "Optics", "2", "2", "2", "0", "3", "1", "0", "0", "0", "1",
                "Equipment", "1", "1", "1", "0", "1", "0", "0", "0", "0",
                "1",
                "Total", "3", "3", "3", "0", "4", "1", "0", "0", "0", "2",
                ])
        start = lines.index("Optics (2)")
        self.assertEqual(lines[start:], [
                "Optics (2)",
                "Gamma", "03/07/2026", "0", "8", "Open",
                "Alfa", "Medellín", "Olga", "03/01/2026", "3", "0",
                "0 → 2 → 3", "3", "★★★★", "03/14/2026", "03/14/2026", "14",
                "Open",
                "Equipment (1)",
                "Delta", "Cali", "Oscar", "02/20/2026", "1", "3", "3", "3",
                "★", "03/01/2026", "03/20/2026", "23", "Open",
                "Interest: 0 No Answer, 1 No Interest, "
                "2 Some Interest, Send More Information, "
                "3 High Interest, Make the Sale",
                ])

    @with_transaction()
    def test_print_trackings_by_operator(self):
        "Test the document of the trackings by operator"
        self.setup_trackings()
        lines = text_of(self.print_(ASSIGNMENT)[1])
        self.assertLess(
            lines.index("Unassigned (1)"), lines.index("Olga (1)"))
        self.assertEqual(lines[lines.index("Olga (1)") + 1:][:11], [
                "Alfa", "Medellín", "Optics", "North", "03/01/2026",
                "01/31/2026", "43", "3", "3", "03/14/2026 23:30",
                "03/14/2026 10:00"])
        lines = text_of(self.print_(ASSIGNMENT, assignment='unassigned')[1])
        self.assertIn("Trackings: Unassigned", lines)
        self.assertNotIn("Olga (1)", lines)

    @with_transaction()
    def test_print_potential_customers(self):
        "Test the document of the potential customers"
        self.setup_trackings()
        lines = text_of(self.print_(POTENTIAL)[1])
        start = lines.index("Olga (1)")
        self.assertEqual(lines[start:], [
                "Olga (1)",
                "03/14/2026 23:30", "Alfa", "+57 310 5551234", "Medellín",
                "Optics", "★★★★", self.trackings["Alfa"].number,
                "Call 3 of Alfa",
                "Oscar (1)",
                "03/01/2026 10:00", "Delta", "+57 310 5551234", "Cali",
                "Equipment", "★", self.trackings["Delta"].number,
                "Call 3 of Delta",
                ])

    @with_transaction()
    def test_print_empty(self):
        "Test the documents when there is nothing to show"
        self.setup_company()
        for model, text in [
                (DONE, "No calls were made in the period."),
                (PENDING, "There are no calls to make."),
                (POTENTIAL,
                    "No calls with high interest were made in the period."),
                (CUSTOMER, "There are no trackings of customers to show."),
                (ASSIGNMENT, "There are no open trackings."),
                (UNATTENDED, "There are no unattended trackings."),
                ]:
            for ids in [None, []]:
                with self.subTest(model=model, ids=ids):
                    title, *parameters, last = text_of(
                        self.print_(model, ids)[1])
                    self.assertEqual(last, text)
                    self.assertEqual(
                        parameters, ["Timezone: America/Bogota"])

    @with_transaction()
    @unittest.skipUnless(shutil.which('soffice'), "needs LibreOffice")
    def test_print_pdf(self):
        "Test the conversion to PDF"
        self.setup_trackings()
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        Report = pool.get(DONE, type='report')
        action = ModelData.get_id(
            'sale_opportunity_management', 'report_call_reporting_done_pdf')
        with frozen(NOW), self.as_user('ana'):
            extension, content, _, _ = Report.execute([], {
                    'action_id': action,
                    'parameters': {'company': self.company.id},
                    })
        self.assertEqual(extension, 'pdf')
        self.assertTrue(content.startswith(b'%PDF'))

    @with_transaction()
    def test_wizard(self):
        "Test the parameters that the wizards of the menu hand over"
        self.setup_trackings()
        pool = Pool()
        olga = self.employees['olga']
        for model in REPORTS:
            Print = pool.get(f'{model}.print', type='wizard')
            Report = pool.get(model, type='report')
            with self.subTest(model=model), self.as_user('ana'), \
                    frozen(NOW):
                session, start, end = Print.create()
                result = Print.execute(session, {}, start)
                self.assertEqual(
                    result['view']['defaults']['company'], self.company.id)
                result = Print.execute(session, {
                        start: {
                            'company': self.company.id,
                            'operators': [olga.id],
                            }}, 'print_odt')
                (action, data), = result['actions']
                Print.delete(session)
                self.assertEqual(action['report_name'], model)
                data['action_id'] = action['id']
                extension, content, *_ = Report.execute([], data)
                self.assertEqual(extension, 'odt')
                lines = text_of(content)
                self.assertIn("Operators: Olga", lines)
                self.assertNotIn("Delta", lines)

    @with_transaction()
    def test_open(self):
        "Test the record that a row opens"
        self.setup_trackings()
        pool = Pool()
        Open = pool.get('sale.tracking.reporting.open', type='wizard')
        for model, customer, target in [
                (DONE, "Delta", 'sale.call'),
                (POTENTIAL, "Delta", 'sale.tracking'),
                (CUSTOMER, "Delta", 'sale.tracking'),
                (ASSIGNMENT, "Delta", 'sale.tracking'),
                (PENDING, "Delta", 'sale.call'),
                (PENDING, "Gamma", 'sale.tracking'),
                ]:
            (id_,), = self.rows(
                model, ['id'], [('party.name', '=', customer)])
            with self.subTest(model=model, customer=customer), \
                    self.as_user('ana'), Transaction().set_context(
                        company=self.company.id, active_model=model,
                        active_id=id_, active_ids=[id_]):
                session, start, end = Open.create()
                result = Open.execute(session, {}, start)
                (action, data), = result['actions']
                self.assertEqual(action['res_model'], target)
                record, = pool.get(target).browse(data['res_id'])
                self.assertEqual(record.party.name, customer)
            if model == PENDING and customer == "Gamma":
                with self.as_user('olga'), Transaction().set_context(
                        company=self.company.id, active_model=model,
                        active_id=id_, active_ids=[id_]):
                    with self.assertRaises(AccessError):
                        Open.create()
