# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import time
import unittest
from unittest.mock import patch

from sql import Column

from trytond.exceptions import UserError
from trytond.model import ModelSQL, ValueMixin, fields
from trytond.model.exceptions import (
    AccessError, DomainValidationError, RequiredValidationError)
from trytond.modules.company.tests import (
    create_company, create_employee, set_company)
from trytond.modules.party.exceptions import EraseError
from trytond.modules.sale_opportunity_management.exceptions import (
    CallerError, ClosedTrackingError, DoneDateError, DurationError,
    OperatorError, PendingActivityWarning, PlannedDateError, ReplaceError,
    SimilarTrackingWarning)
from trytond.modules.sale_opportunity_management.moment import to_local, to_utc
from trytond.modules.sale_opportunity_management.party import normalize_name
from trytond.modules.sale_opportunity_management.tests.tools import freeze
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.tools import is_instance_method
from trytond.transaction import Transaction, check_access

from .common import TrackingTestMixin

# What merging treats otherwise than by moving it, and what tells of the
# replaced party itself
NOT_REPLACED = {
    ('ir.action.keyword', 'model'),
    ('ir.avatar', 'resource'),
    ('ir.model.log', 'resource'),
    ('party.duplicate', 'other'),
    ('party.duplicate', 'party'),
    ('party.merge.log', 'merged'),
    ('party.merge.log', 'survivor'),
    ('party.party', 'replaced_by'),
    ('party.party-delivered_to-stock.location', 'party'),
    ('party.party-party.category', 'party'),
    }


class TrackingTestCase(TrackingTestMixin, unittest.TestCase):
    "Test the trackings, their calls and their customers"

    def create_call(self, tracking, **values):
        pool = Pool()
        Call = pool.get('sale.call')
        call, = Call.create([{'tracking': tracking.id, **values}])
        return call

    def later(self, days):
        return dt.datetime.now() + dt.timedelta(days=days)

    def create_done(self, tracking, interest, *moment, **values):
        if 'done_by' not in values:
            values['done_by'] = create_employee(tracking.company).id
        return self.create_call(
            tracking, state='done', interest=interest,
            done_date=dt.datetime(*moment), **values)

    @with_transaction()
    def test_planned_date(self):
        "Test that nothing is planned in the past"
        company = self.create_company()
        tracking = self.create_tracking(company)
        with set_company(company), freeze(2026, 3, 1, 23, 30, 20):
            for moment, allowed in [
                    ((2026, 3, 1, 23, 29), False),
                    ((2026, 3, 1, 23, 30), True),
                    ((2026, 3, 1, 23, 31), True),
                    ((2026, 2, 28, 23, 59), False),
                    ]:
                with self.subTest(moment=moment):
                    if allowed:
                        self.create_call(
                            tracking, planned_date=dt.datetime(*moment))
                    else:
                        with self.assertRaises(PlannedDateError) as cm:
                            self.create_call(
                                tracking, planned_date=dt.datetime(*moment))
            # The message tells the date as the company reads it
            message = str(cm.exception).replace('\N{NO-BREAK SPACE}', ' ')
            self.assertIn("02/28/2026 18:59", message)

    @with_transaction()
    def test_planned_date_write(self):
        "Test that an overdue call is modified but not planned in the past"
        pool = Pool()
        Call = pool.get('sale.call')
        company = self.create_company()
        tracking = self.create_tracking(company)
        with freeze(2026, 3, 1, 12, 0):
            call = self.create_call(
                tracking, planned_date=dt.datetime(2026, 3, 1, 13, 0))
        with freeze(2026, 3, 2, 12, 0):
            call.summary = "Late"
            call.save()
            with self.assertRaises(PlannedDateError):
                Call.write([call], {
                        'planned_date': dt.datetime(2026, 3, 1, 14, 0)})

    @with_transaction()
    def test_overdue(self):
        "Test when a call becomes overdue"
        pool = Pool()
        Call = pool.get('sale.call')
        company = self.create_company('Europe/Madrid')
        tracking = self.create_tracking(company)
        # The clocks go back at 3:00, so 2:30 comes twice
        moment = dt.datetime(2026, 10, 25, 1, 30)
        with freeze(2026, 10, 24, 12, 0):
            call = self.create_call(tracking, planned_date=moment)
        self.assertEqual(to_local(company, moment).strftime('%H:%M'), '02:30')
        for now, overdue in [
                ((2026, 10, 25, 0, 30), False),
                ((2026, 10, 25, 1, 30), False),
                ((2026, 10, 25, 1, 31), True),
                ]:
            with self.subTest(now=now), freeze(*now):
                call = Call(call.id)
                self.assertEqual(call.overdue, overdue)
                self.assertEqual(
                    Call.search([('overdue', '=', True)]),
                    [call] if overdue else [])
                self.assertEqual(
                    Call.search([('overdue', '=', False)]),
                    [] if overdue else [call])

    @with_transaction()
    def test_timezone(self):
        "Test the conversion of moments"
        company = self.create_company('Europe/Madrid')
        for local, utc in [
                ((2026, 3, 29, 1, 30), (2026, 3, 29, 0, 30)),
                ((2026, 3, 29, 3, 30), (2026, 3, 29, 1, 30)),
                ((2026, 10, 25, 3, 30), (2026, 10, 25, 2, 30)),
                ((2026, 1, 1, 0, 30), (2025, 12, 31, 23, 30)),
                ]:
            with self.subTest(local=local):
                local, utc = dt.datetime(*local), dt.datetime(*utc)
                self.assertEqual(to_utc(company, local), utc)
                self.assertEqual(
                    to_local(company, utc).replace(tzinfo=None), local)
        company.timezone = None
        self.assertEqual(to_utc(company, local), local)

    @with_transaction()
    def test_done_date(self):
        "Test that nothing is recorded in the future"
        company = self.create_company()
        tracking = self.create_tracking(company)
        with freeze(2026, 3, 1, 12, 0, 30):
            self.create_done(tracking, '1', 2026, 3, 1, 12, 0)
            with self.assertRaises(DoneDateError):
                self.create_done(tracking, '1', 2026, 3, 1, 12, 1)

    @with_transaction()
    def test_wrong_call(self):
        "Test calls that are refused"
        company = self.create_company()
        other = create_company("Other", currency=company.currency)
        foreigner = create_employee(other)
        employee = create_employee(company)
        tracking = self.create_tracking(company)
        done = {
            'state': 'done',
            'done_date': dt.datetime(2026, 1, 1),
            'done_by': employee.id,
            'interest': '1',
            }
        tomorrow = self.later(1)
        for values, error in [
                ({**done, 'duration': dt.timedelta(seconds=-1)},
                    DurationError),
                ({**done, 'done_by': None},
                    (CallerError, RequiredValidationError)),
                ({**done, 'interest': None}, RequiredValidationError),
                ({**done, 'interest': '4'}, UserError),
                ({**done, 'done_by': foreigner.id}, DomainValidationError),
                ({'planned_date': None}, RequiredValidationError),
                ({'planned_date': tomorrow, 'company': other.id},
                    DomainValidationError),
                ({'planned_date': tomorrow, 'assignee': foreigner.id},
                    DomainValidationError),
                ]:
            with self.subTest(values=values), self.assertRaises(error):
                self.create_call(tracking, **values)

    @with_transaction()
    def test_wrong_tracking(self):
        "Test trackings that are refused"
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Channel = pool.get('sale.channel')
        Contact = pool.get('party.contact')
        Party = pool.get('party.party')
        company = self.create_company()
        other = create_company("Other", currency=company.currency)
        foreigner = create_employee(other)
        leaver = create_employee(company)
        leaver.end_date = dt.date(2020, 1, 1)
        leaver.save()
        channel, = Channel.create([{'name': "Other", 'company': other.id}])
        unit, = BusinessUnit.create([{'name': "Other", 'company': other.id}])
        party, = Party.create([{'name': "Other"}])
        contact, = Contact.create([{'name': "Other", 'party': party.id}])
        for values, error in [
                ({'operator': foreigner.id}, DomainValidationError),
                ({'operator': leaver.id}, OperatorError),
                ({'channel': channel.id}, DomainValidationError),
                ({'business_unit': unit.id}, DomainValidationError),
                ({'contact': contact.id}, DomainValidationError),
                ]:
            with self.subTest(values=values), self.assertRaises(error):
                self.create_tracking(company, **values)

    def test_required(self):
        "Test trackings that lack something"
        for name in ['party', 'business_unit']:
            with self.subTest(name=name):
                # The database refuses it, which ends the transaction
                self.check_required(name)

    @with_transaction()
    def check_required(self, name):
        company = self.create_company()
        with self.assertRaises(RequiredValidationError):
            self.create_tracking(company, **{name: None})

    @with_transaction()
    def test_wrong_contact(self):
        "Test contacts that are refused"
        pool = Pool()
        Contact = pool.get('party.contact')
        ContactMechanism = pool.get('party.contact_mechanism')
        Party = pool.get('party.party')
        company = self.create_company()
        party, = Party.create([{'name': "Customer"}])
        with Transaction().set_context(company=company.id):
            for value in ['123', ' ', 'abc']:
                with self.subTest(value=value), \
                        self.assertRaises(UserError):
                    ContactMechanism.create([{
                                'party': party.id,
                                'type': 'phone',
                                'value': value,
                                }])
        with self.assertRaises(RequiredValidationError):
            Contact.create([{'party': party.id, 'name': None}])

    @with_transaction()
    def test_phone_formats(self):
        "Test that a number is found however it is written"
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        Party = pool.get('party.party')
        company = self.create_company()
        with Transaction().set_context(company=company.id):
            party, other = Party.create([
                    {'name': "Customer"}, {'name': "Other"}])
            ContactMechanism.create([{
                        'party': party.id,
                        'type': 'mobile',
                        'value': '3105551234',
                        }, {
                        'party': other.id,
                        'type': 'mobile',
                        'value': '+34 600 123 456',
                        }])
            for text in [
                    '+57 310 555 12 34', '3105551234', '(310) 5551234',
                    '310-555-1234', '0057 3105551234', '310 555',
                    '%3105551234%', '5551234']:
                with self.subTest(text=text):
                    self.assertEqual(
                        Party.search([('rec_name', 'ilike', f'%{text}%')]),
                        [party])
            for text in ['   ', '%', '+', '.']:
                with self.subTest(text=text):
                    Party.search([('rec_name', 'ilike', f'%{text}%')])
                    self.assertIsNone(ContactMechanism.compact_phone(text))

    @with_transaction()
    def test_long_texts(self):
        "Test that long numbers and names keep nobody waiting"
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        Party = pool.get('party.party')
        long_name = 'Opticas ' + 'ab ' * 20000
        Party.create([{'name': long_name}])
        start = time.process_time()
        for text in ['1' * 10000 + '!', '1 x' * 5000, '+57 ' * 5000]:
            ContactMechanism.compact_number(text)
            ContactMechanism.compact_phone(text)
        Party.search_similar(name=long_name)
        self.assertLess(time.process_time() - start, 1)

    def test_normalize_name(self):
        "Test the normal form of names"
        for name, normal in [
                ("Óptica La Mirada S.A.S.", "optica la mirada"),
                ("OPTICA  LA MIRADA SAS", "optica la mirada"),
                ("Muñoz & Cía. Ltda.", "munoz"),
                ("S.A.", "sa"),
                ("", ""),
                (None, ""),
                ]:
            with self.subTest(name=name):
                self.assertEqual(normalize_name(name), normal)

    @with_transaction()
    def test_kind_outcome(self):
        "Test first or follow-up, answered or missed follow from the data"
        pool = Pool()
        Call = pool.get('sale.call')
        company = self.create_company()
        tracking = self.create_tracking(company)
        second = self.create_done(tracking, '2', 2026, 1, 2)
        first = self.create_done(tracking, '0', 2026, 1, 1)
        pending = self.create_call(tracking, planned_date=self.later(1))
        cancelled = self.create_call(tracking, planned_date=self.later(2))
        Call.cancel([cancelled])
        calls = Call.browse([first, second, pending, cancelled])
        self.assertEqual(
            [(c.kind, c.outcome) for c in calls], [
                ('first', 'missed'), ('follow_up', 'answered'),
                ('follow_up', None), (None, None)])
        for domain, result in [
                ([('kind', '=', 'first')], {first}),
                ([('kind', '=', 'follow_up')], {second, pending}),
                ([('kind', '!=', 'first')], {second, pending}),
                ([('kind', '=', None)], {cancelled}),
                ([('kind', 'in', ['first', None])], {first, cancelled}),
                ([('outcome', '=', 'missed')], {first}),
                ([('outcome', 'in', ['answered'])], {second}),
                ([('outcome', '=', None)], {pending, cancelled}),
                ]:
            with self.subTest(domain=domain):
                self.assertEqual(set(Call.search(domain)), result)
        # When the first call is cancelled the next one becomes the first
        other = self.create_tracking(company)
        a = self.create_call(other, planned_date=self.later(1))
        b = self.create_call(other, planned_date=self.later(2))
        Call.cancel([a])
        self.assertEqual(Call(b.id).kind, 'first')

    @with_transaction()
    def test_interest(self):
        "Test the interest of the tracking and its path"
        pool = Pool()
        Call = pool.get('sale.call')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        tracking = self.create_tracking(company)
        self.assertIsNone(tracking.interest)
        for day, interest, expected in [
                (1, '0', '0'), (2, '2', '2'), (3, '0', '2'), (5, '1', '1')]:
            self.create_done(tracking, interest, 2026, 1, day)
            with self.subTest(day=day):
                self.assertEqual(Tracking(tracking.id).interest, expected)
        # A call that is entered late takes its place in the path
        call = self.create_done(tracking, '3', 2026, 1, 4)
        tracking = Tracking(tracking.id)
        self.assertEqual(tracking.interest, '1')
        self.assertEqual(tracking.interest_path, '0 → 2 → 0 → 3 → 1')
        self.assertEqual(tracking.calls_number, 5)
        self.assertEqual(tracking.last_activity, dt.datetime(2026, 1, 5))
        Call.write([call], {'done_date': dt.datetime(2026, 1, 6)})
        self.assertEqual(Tracking(tracking.id).interest, '3')

    @with_transaction()
    def test_next_activity(self):
        "Test the moment of the next activity"
        pool = Pool()
        Call = pool.get('sale.call')
        Task = pool.get('sale.task')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        tracking = self.create_tracking(company)
        with freeze(2026, 1, 1):
            call = self.create_call(
                tracking, planned_date=dt.datetime(2026, 1, 4))
            task, = Task.create([{
                        'tracking': tracking.id,
                        'summary': "Task",
                        'planned_date': dt.datetime(2026, 1, 3),
                        }])
            last = self.create_call(
                tracking, planned_date=dt.datetime(2026, 1, 5))

            def next_activity():
                return Tracking(tracking.id).next_activity
            self.assertEqual(next_activity(), dt.datetime(2026, 1, 3))
            Task.save_result([task], {
                    'done_date': dt.datetime(2026, 1, 1),
                    })
            self.assertEqual(next_activity(), dt.datetime(2026, 1, 4))
            Call.cancel([call])
            self.assertEqual(next_activity(), dt.datetime(2026, 1, 5))
            Call.delete([last])
            self.assertIsNone(next_activity())

    @with_transaction()
    def test_indicator(self):
        "Test the indicator over the limit and the change of the clocks"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        company = self.create_company('Europe/Madrid')
        with freeze(2026, 10, 20):
            tracking, unplanned, closed = [
                self.create_tracking(company) for _ in range(3)]
            Tracking.close([closed])
            # At 2:30 for the second time, as the clocks go back at 3:00
            self.create_call(
                tracking, planned_date=dt.datetime(2026, 10, 25, 1, 30),
                summary="Ask again")
        self.create_done(
            tracking, '2', 2026, 10, 19, 8, 0, description="Likes it\nmuch")
        last = "Last: 10/19/2026 10:00 Some Interest, " \
            "Send More Information - Likes it much"
        next_ = "Next: 10/25/2026 02:30 Ask again"
        for now, indicator, text in [
                ((2026, 10, 25, 0, 30), 'in_progress',
                    ["In Process", last, next_]),
                ((2026, 10, 25, 1, 30), 'in_progress',
                    ["In Process", last, next_]),
                ((2026, 10, 25, 1, 31), 'overdue',
                    ["Overdue since today", last, next_]),
                # The day ends an hour before the one in UTC
                ((2026, 10, 25, 22, 59), 'overdue',
                    ["Overdue since today", last, next_]),
                ((2026, 10, 25, 23, 0), 'overdue',
                    ["1 day overdue", last, next_]),
                ((2026, 10, 27, 12, 0), 'overdue',
                    ["2 days overdue", last, next_]),
                ]:
            with self.subTest(now=now), freeze(*now):
                tracking = Tracking(tracking.id)
                self.assertEqual(tracking.indicator, indicator)
                self.assertEqual(
                    tracking.indicator_icon, 'tryton-sale-tracking-'
                    + indicator.replace('_', '-'))
                self.assertEqual(
                    tracking.follow_up.replace('\N{NO-BREAK SPACE}', ' ')
                    .split(' ·\n'), text)
                for value in ['in_progress', 'overdue', 'concluded']:
                    expected = {
                        'in_progress': {unplanned},
                        'overdue': set(),
                        'concluded': {closed},
                        }
                    expected[indicator].add(tracking)
                    for operator, operand in [
                            ('=', value), ('in', [value])]:
                        self.assertEqual(
                            set(Tracking.search([
                                        ('indicator', operator, operand)])),
                            expected[value])
                    self.assertEqual(
                        set(Tracking.search([('indicator', '!=', value)])),
                        {tracking, unplanned, closed} - expected[value])
                for name in ['indicator', 'follow_up']:
                    self.assertEqual(
                        Tracking.search([], order=[(name, 'ASC')]),
                        [tracking, unplanned, closed])
        self.assertEqual(Tracking(unplanned.id).follow_up, "In Process")
        self.assertEqual(Tracking(closed.id).follow_up, "Concluded")

    @with_transaction()
    def test_indicator_opportunity(self):
        "Test the indicator of the opportunities"
        self.check_followed('opportunity')

    @with_transaction()
    def test_indicator_sale(self):
        "Test the indicator of the sales"
        self.check_followed('sale')

    def check_followed(self, name):
        "Check the indicator of the model that the trackings follow"
        pool = Pool()
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        Followed = Tracking._fields[name].get_target()
        company = self.create_company()
        party, = Party.create([{'name': "Customer"}])
        none, concluded, in_progress, overdue = Followed.create([{
                    'company': company.id,
                    'currency': company.currency.id,
                    'number': number,
                    'party': party.id,
                    } for number in '1234'])

        def create_tracking(followed):
            return self.create_tracking(
                company, party=party.id, **{name: followed.id})
        with freeze(2026, 1, 10, 12, 0), \
                Transaction().set_context(_skip_warnings=True):
            Tracking.close([
                    create_tracking(f)
                    for f in [concluded, in_progress, overdue]])
            create_tracking(in_progress)
            late = create_tracking(overdue)
            create_tracking(overdue)
            self.create_call(
                late, planned_date=dt.datetime(2026, 1, 10, 13, 0))
        everything = {none, concluded, in_progress, overdue}
        for moment, expected in [
                ((2026, 1, 10, 13, 0), 'in_progress'),
                ((2026, 1, 10, 13, 1), 'overdue'),
                ]:
            with self.subTest(moment=moment), freeze(*moment):
                indicators = {
                    none: None,
                    concluded: 'concluded',
                    in_progress: 'in_progress',
                    overdue: expected,
                    }
                for followed, indicator in indicators.items():
                    self.assertEqual(
                        Followed(followed.id).indicator, indicator)
                for values in [
                        ['overdue'], ['in_progress'], ['concluded'], [None],
                        ['overdue', None], ['concluded', 'in_progress']]:
                    found = {
                        f for f, i in indicators.items() if i in values}
                    domains = [
                        ([('indicator', 'in', values)], found),
                        ([('indicator', 'not in', values)],
                            everything - found)]
                    if len(values) == 1:
                        value, = values
                        domains += [
                            ([('indicator', '=', value)], found),
                            ([('indicator', '!=', value)],
                                everything - found)]
                    for domain, result in domains:
                        with self.subTest(domain=domain):
                            self.assertEqual(
                                set(Followed.search(domain)), result)
                            # It does not rank all the trackings
                            self.assertNotIn('GROUP BY', str(
                                    Followed.search(domain, query=True)))
                if expected == 'overdue':
                    for field in ['indicator', 'follow_up']:
                        self.assertEqual(
                            Followed.search(
                                [], order=[(field, 'ASC NULLS LAST')]),
                            [overdue, in_progress, concluded, none])
                    with set_company(company):
                        text = Followed(overdue.id).follow_up
                    # The most urgent first
                    self.assertEqual(
                        [t.split(' ·\n')[0]
                            for t in text.split(' ·\n\n')],
                        ["Overdue since today", "In Process", "Concluded"])
                    self.assertIsNone(Followed(none.id).follow_up)

    @with_transaction()
    def test_close(self):
        "Test closing with pending activities and reopening"
        pool = Pool()
        Call = pool.get('sale.call')
        Tracking = pool.get('sale.tracking')
        Warning = pool.get('res.user.warning')
        company = self.create_company()
        tracking = self.create_tracking(company)
        call = self.create_call(tracking, planned_date=self.later(1))
        with self.assertRaises(PendingActivityWarning) as cm:
            Tracking.close([tracking])
        self.assertEqual(call.state, 'pending')
        Warning.skip(cm.exception.name)
        Tracking.close([tracking])
        self.assertEqual(Call(call.id).state, 'cancelled')
        tracking = Tracking(tracking.id)
        self.assertEqual(tracking.state, 'closed')
        self.assertIsNone(tracking.next_activity)
        with self.assertRaises(ClosedTrackingError):
            self.create_call(tracking, planned_date=self.later(1))
        # What is done is recorded even when the tracking is closed
        self.create_done(tracking, '1', 2026, 1, 1)
        Tracking.reopen([tracking])
        self.assertIsNone(Tracking(tracking.id).end_date)

    @with_transaction()
    def test_reopen(self):
        "Test that reopening brings back what closing has cancelled"
        pool = Pool()
        Call = pool.get('sale.call')
        Meeting = pool.get('sale.meeting')
        Task = pool.get('sale.task')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        employee = create_employee(company, "Olga")
        with set_company(company), freeze(2026, 3, 1):
            tracking = self.create_tracking(company)
            values = {
                'tracking': tracking.id,
                'planned_date': dt.datetime(2026, 3, 10),
                'assignee': employee.id,
                'reminder': dt.timedelta(hours=1),
                }
            done, dropped, call = Call.create([dict(values)] * 3)
            Call.write([done], {
                    'state': 'done',
                    'done_date': dt.datetime(2026, 3, 1),
                    'done_by': employee.id,
                    'interest': '0',
                    'outcome': 'missed',
                    })
            Call.cancel([dropped])
            new, waiting, postponed, closed = tasks = Task.create(
                [{**values, 'summary': "Task"}] * 4)
            Task.write([waiting], {'status': 'waiting', 'reason': "Mail"})
            Task.write([postponed], {
                    'status': 'postponed',
                    'planned_date': dt.datetime(2026, 3, 12),
                    })
            Task.cancel([closed])
            past, future = meetings = Meeting.create([
                    {**values, 'summary': "Meeting", 'planned_date': date}
                    for date in [
                        dt.datetime(2026, 3, 2), dt.datetime(2026, 3, 11)]])
            with Transaction().set_context(_skip_warnings=True):
                Tracking.close([tracking])
            self.assertEqual(
                {a.state for a in [call, *tasks, *meetings]}, {'cancelled'})
            copy, = Call.copy([call], default={'tracking': None})
        with set_company(company), freeze(2026, 3, 5):
            Tracking.reopen([Tracking(tracking.id)])
            self.assertEqual(
                [Call(c.id).state for c in [done, dropped, call]],
                ['done', 'cancelled', 'pending'])
            self.assertEqual(
                [Task(t.id).status for t in tasks],
                ['new', 'waiting', 'postponed', 'closed'])
            self.assertEqual(
                {Meeting(m.id).state for m in meetings}, {'pending'})
            self.assertTrue(Meeting(past.id).overdue)
            self.assertFalse(Meeting(future.id).overdue)
            self.assertIsNone(Call(call.id).cancelled_by)
            tracking = Tracking(tracking.id)
            self.assertEqual(
                tracking.next_activity, dt.datetime(2026, 3, 2))
            self.assertEqual(tracking.indicator, 'overdue')
            # What a person cancels afterwards stays so
            Call.cancel([Call(call.id)])
            with Transaction().set_context(_skip_warnings=True):
                Tracking.close([tracking])
            Tracking.reopen([Tracking(tracking.id)])
            self.assertEqual(Call(call.id).state, 'cancelled')
            self.assertEqual(Task(new.id).status, 'new')
            # A copy was not cancelled by the closing
            self.assertIsNone(copy.state_before_close)

    @with_transaction()
    def test_change_party(self):
        "Test that what was done stays with its customer"
        pool = Pool()
        Call = pool.get('sale.call')
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        party, = Party.create([{'name': "Other"}])
        with set_company(company):
            tracking, empty = (self.create_tracking(company) for _ in range(2))
            call = self.create_done(tracking, '2', 2026, 1, 1)
            Tracking.write([empty], {'party': party.id})
            with check_access(), self.assertRaises(AccessError):
                Tracking.write(
                    [Tracking(tracking.id)], {'party': party.id})
            Tracking.write([tracking], {'party': party.id})
            self.assertEqual(Call(call.id).party, party)

    @with_transaction()
    def test_phone(self):
        "Test that the trackings are found by the numbers of their customer"
        pool = Pool()
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        party, = Party.create([{
                    'name': "Customer",
                    'contact_mechanisms': [('create', [
                                {'type': 'phone', 'value': '+573105551234'},
                                ])],
                    }])
        with set_company(company):
            tracking = self.create_tracking(company, party=party.id)
            other = self.create_tracking(company)
            for clause, expected in [
                    (('ilike', '%310 555 1234%'), {tracking}),
                    (('=', '+57 310 5551234'), {tracking}),
                    (('=', '5551299'), set()),
                    (('=', None), {other}),
                    (('!=', None), {tracking})]:
                with self.subTest(clause=clause):
                    self.assertEqual(
                        set(Tracking.search([('phone', *clause)])), expected)

    @with_transaction()
    def test_similar(self):
        "Test the warning about a second open tracking"
        company = self.create_company()
        tracking = self.create_tracking(company)
        with self.assertRaises(SimilarTrackingWarning) as cm:
            self.create_tracking(company, party=tracking.party.id)
        self.assertIn(tracking.rec_name, str(cm.exception))

    @with_transaction()
    def test_similar_many(self):
        "Test that there is one warning about many trackings"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        first = self.create_tracking(company, start_date=dt.date(2026, 1, 1))
        second = self.create_tracking(company)
        with self.assertRaises(SimilarTrackingWarning) as cm:
            Tracking.create([{
                        'company': company.id,
                        'party': t.party.id,
                        'business_unit': t.business_unit.id,
                        } for t in [second, first]])
        self.assertIn(first.rec_name, str(cm.exception))
        self.assertIn("And 1 other like it.", str(cm.exception))

    @with_transaction()
    def test_similar_new(self):
        "Test the warning about trackings that are created together"
        pool = Pool()
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        parties = Party.create([{'name': n} for n in "AB"])
        values = {
            'company': company.id,
            'business_unit': self.create_tracking(company).business_unit.id,
            }
        trackings = Tracking.create([
                {**values, 'party': p.id} for p in parties])
        Tracking.close(trackings)
        with self.assertRaises(SimilarTrackingWarning) as cm:
            Tracking.create([
                    {**values, 'party': p.id}
                    for p in [*parties, parties[0]]])
        text = str(cm.exception)
        self.assertIn(parties[0].rec_name, text)
        self.assertNotIn("like it", text)

    @with_transaction()
    def test_similar_notify(self):
        "Test what tells about a second open tracking and what is none"
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        other = create_company("Other", currency=company.currency)
        first, second, _ = BusinessUnit.search([])
        tracking = self.create_tracking(company, business_unit=first.id)
        party = tracking.party
        new = Tracking(
            company=company, party=party, business_unit=first, state='open')
        (type_, message), = new.on_change_notify()
        self.assertEqual(type_, 'warning')
        self.assertIn(tracking.rec_name, message)
        self.create_tracking(
            company, party=party.id, business_unit=second.id)
        self.create_tracking(other, party=party.id, business_unit=first.id)
        Tracking.close([tracking])
        self.create_tracking(company, party=party.id, business_unit=first.id)
        with self.assertRaises(SimilarTrackingWarning):
            Tracking.reopen([tracking])

    @with_transaction()
    def test_assign(self):
        "Test that the pending activities follow and the done ones stay"
        pool = Pool()
        Call = pool.get('sale.call')
        Task = pool.get('sale.task')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        a, b, c = [create_employee(company, n) for n in 'abc']
        tracking = self.create_tracking(company, operator=a.id)
        pending = self.create_call(tracking, planned_date=self.later(1))
        done = self.create_done(tracking, '1', 2026, 1, 1, done_by=a.id)
        task, = Task.create([{
                    'tracking': tracking.id,
                    'summary': "Of somebody else",
                    'planned_date': self.later(1),
                    'assignee': c.id,
                    }])
        self.assertEqual(pending.assignee, a)
        self.assertEqual(Tracking.assign([tracking], [b]), {b: 1})
        self.assertEqual(Call(pending.id).assignee, b)
        self.assertEqual(Call(done.id).done_by, a)
        self.assertEqual(Call(done.id).assignee, a)
        self.assertEqual(Task(task.id).assignee, c)
        Tracking.write([Tracking(tracking.id)], {'operator': None})
        self.assertIsNone(Call(pending.id).assignee)
        self.assertIsNone(Tracking(tracking.id).assign_date)

    @with_transaction()
    def test_assign_queue(self):
        "Test that the queue assigns what is more than one transaction takes"
        pool = Pool()
        Notification = pool.get('res.notification')
        Queue = pool.get('ir.queue')
        Tracking = pool.get('sale.tracking')
        User = pool.get('res.user')
        company = self.create_company()
        operator = create_employee(company)
        user, = User.create([{
                    'name': "Operator",
                    'login': 'operator',
                    'companies': [('add', [company.id])],
                    'employees': [('add', [operator.id])],
                    }])
        trackings = [self.create_tracking(company) for _ in range(7)]
        with patch(
                'trytond.modules.sale_opportunity_management'
                '.tracking_assign.ASSIGN_SIZE', 3):
            self.assertEqual(
                Tracking.assign(
                    trackings, [operator], domain=[('operator', '=', None)]),
                {operator: 7})

            def assigned():
                return Tracking.search([('operator', '=', operator)],
                    count=True)
            self.assertEqual(assigned(), 3)
            # Somebody else is faster with one of the others
            other = create_employee(company, "Other")
            Tracking.write([trackings[4]], {'operator': other.id})
            task, = Queue.search([('finished_at', '=', None)])
            # A task that is run twice does no harm
            for _ in range(2):
                with patch.object(Transaction, 'commit'):
                    task.run()
                self.assertEqual(assigned(), 6)
        self.assertFalse(Queue.search([('finished_at', '=', None)]))
        Transaction()._store_user_notifications()
        labels = {n.label for n in Notification.search([
                    ('user', '=', user.id)])}
        self.assertIn("6 trackings were assigned to you", labels)

    @with_transaction()
    def test_assign_evenly(self):
        "Test that the trackings are shared out evenly"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        operators = [create_employee(company, n) for n in 'abc']
        trackings = [self.create_tracking(company) for _ in range(8)]
        numbers = Tracking.assign(trackings, operators)
        self.assertEqual(list(numbers.values()), [3, 3, 2])
        self.assertEqual(
            [t.operator for t in Tracking.browse(trackings)],
            (operators * 3)[:8])

    @with_transaction()
    def test_delete(self):
        "Test that what has history is not deleted"
        pool = Pool()
        Call = pool.get('sale.call')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        tracking = self.create_tracking(company)
        call = self.create_done(tracking, '1', 2026, 1, 1)
        with self.assertRaises(AccessError):
            Call.delete([call])
        with self.assertRaises(AccessError):
            Tracking.delete([tracking])
        other = self.create_tracking(company)
        with self.assertRaises(AccessError):
            Call.write([call], {'tracking': other.id})
        Tracking.delete([other])

    @with_transaction()
    def test_delete_business_unit(self):
        "Test that a business unit in use is not deleted"
        company = self.create_company()
        tracking = self.create_tracking(company)
        unit = tracking.business_unit
        with self.assertRaises(UserError):
            unit.__class__.delete([unit])

    @with_transaction()
    def test_copy(self):
        "Test that a copy begins anew"
        pool = Pool()
        Call = pool.get('sale.call')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        tracking = self.create_tracking(company)
        call = self.create_done(tracking, '3', 2026, 1, 1)
        with Transaction().set_context(_skip_warnings=True):
            copy, = Tracking.copy([tracking])
        self.assertNotEqual(copy.number, tracking.number)
        self.assertFalse(copy.calls)
        self.assertIsNone(copy.interest)
        call, = Call.copy([call])
        self.assertEqual(call.state, 'pending')
        self.assertIsNone(call.interest)
        self.assertIsNone(call.done_by)

    @with_transaction()
    def test_typification(self):
        "Test that each company has its own typification"
        pool = Pool()
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        other = create_company("Other", currency=company.currency)
        tracking = self.create_tracking(company)
        id_ = tracking.party.id
        with set_company(company):
            Party.write([Party(id_)], {'rating': '4'})
            Party.write([Party(id_)], {'rating_comment': "Good"})
            party = Party(id_)
            self.assertEqual(
                (party.rating, party.rating_comment), ('4', "Good"))
            self.assertEqual(Tracking(tracking.id).rating, '4')
            for domain, found in [
                    ([('rating', '=', '4')], True),
                    ([('rating', '=', None)], False),
                    ([('rating', '!=', None)], True),
                    ([('rating', 'in', ['3', None])], False),
                    ([('rating', 'in', ['4', None])], True),
                    ]:
                with self.subTest(domain=domain):
                    self.assertEqual(party in Party.search(domain), found)
            self.assertEqual(
                Tracking.search([('rating', '>=', '4')]), [tracking])
            self.assertEqual(
                Party.search([], order=[('rating', 'ASC NULLS LAST')])[0],
                party)
        with set_company(other):
            self.assertIsNone(Party(id_).rating)
            self.assertIn(Party(id_), Party.search([('rating', '=', None)]))

    @with_transaction()
    def test_replace(self):
        "Test that merging keeps trackings, contacts and typification"
        pool = Pool()
        Contact = pool.get('party.contact')
        Party = pool.get('party.party')
        Replace = pool.get('party.replace', type='wizard')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        with set_company(company), \
                Transaction().set_context(_skip_warnings=True):
            source, destination = Party.create([{
                        'name': "Customer",
                        'rating': '2',
                        'rating_comment': "Slow",
                        'contacts': [('create', [{'name': "Person"}])],
                        }, {
                        'name': "Customer",
                        'rating_comment': "Good",
                        }])
            contact, = source.contacts
            tracking = self.create_tracking(company, party=source.id)
            session_id, _, _ = Replace.create()
            replace = Replace(session_id)
            replace.ask.source = source
            replace.ask.destination = destination
            replace.transition_replace()
            destination = Party(destination.id)
            self.assertEqual(
                Tracking.search([('party', '=', destination.id)]), [tracking])
            self.assertEqual(
                Contact.search([('party', '=', destination.id)]), [contact])
            self.assertEqual(destination.rating, '2')
            self.assertEqual(destination.rating_comment, "Good\nSlow")

    @with_transaction()
    def test_replace_resources(self):
        "Test that merging keeps files and notes"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Note = pool.get('ir.note')
        Party = pool.get('party.party')
        Replace = pool.get('party.replace', type='wizard')
        company = self.create_company()
        with set_company(company), \
                Transaction().set_context(_skip_warnings=True):
            source, destination, other = Party.create(
                [{'name': "Customer"}] * 3)
            file, kept, foreign = Attachment.create([{
                        'name': "contract.pdf",
                        'data': b'contract',
                        'resource': str(party),
                        } for party in [source, destination, other]])
            note, = Note.create([{
                        'message': "Call in the morning",
                        'resource': str(source),
                        }])
            session_id, _, _ = Replace.create()
            for _ in range(2):
                replace = Replace(session_id)
                replace.ask.source = source
                replace.ask.destination = destination
                replace.transition_replace()
                self.assertEqual(
                    set(Attachment.search(
                            [('resource', '=', str(destination))])),
                    {file, kept})
                self.assertEqual(
                    Note.search([('resource', '=', str(destination))]),
                    [note])
            self.assertEqual(Attachment(file.id).data, b'contract')
            self.assertEqual(Attachment(foreign.id).resource, other)

    @with_transaction()
    def test_replace_relations(self):
        "Test that merging keeps e-mails, categories, warehouses and avatar"
        pool = Pool()
        Avatar = pool.get('ir.avatar')
        Category = pool.get('party.category')
        Email = pool.get('ir.email')
        Location = pool.get('stock.location')
        Party = pool.get('party.party')
        Replace = pool.get('party.replace', type='wizard')
        company = self.create_company()
        with set_company(company), \
                Transaction().set_context(_skip_warnings=True):
            client, supplier = Category.create(
                [{'name': "Client"}, {'name': "Supplier"}])
            warehouse, = Location.search([('type', '=', 'warehouse')])
            warehouse.address, = company.party.addresses
            warehouse.allow_pickup = True
            warehouse.save()
            source, second, destination = Party.create([{
                        'name': "Customer",
                        'categories': [('add', [client.id, supplier.id])],
                        'delivered_to_warehouses': [
                            ('add', [warehouse.id])],
                        }, {
                        'name': "Customer",
                        }, {
                        'name': "Customer",
                        'categories': [('add', [client.id])],
                        }])
            avatar, other = Avatar.create([
                    {'resource': str(p)} for p in [source, second]])
            email, = Email.create([{
                        'recipients': "customer@example.com",
                        'resource': str(source),
                        }])
            session_id, _, _ = Replace.create()
            for party in [source, second]:
                replace = Replace(session_id)
                replace.ask.source = party
                replace.ask.destination = destination
                replace.transition_replace()
            destination = Party(destination.id)
            self.assertEqual(
                sorted(destination.categories, key=int), [client, supplier])
            self.assertEqual(
                list(destination.delivered_to_warehouses), [warehouse])
            self.assertEqual(Email(email.id).resource, destination)
            self.assertEqual(Avatar(avatar.id).resource, destination)
            # There is one already
            self.assertEqual(Avatar(other.id).resource, second)

    def replace(self, source, destination):
        "Replace the source and return both as they are then"
        pool = Pool()
        Party = pool.get('party.party')
        Replace = pool.get('party.replace', type='wizard')
        session_id, _, _ = Replace.create()
        replace = Replace(session_id)
        replace.ask.source = source
        replace.ask.destination = destination
        replace.transition_replace()
        return Party(source.id), Party(destination.id)

    @with_transaction()
    def test_replace_refused(self):
        "Test that what is merged or certainly another one is not merged"
        pool = Pool()
        Identifier = pool.get('party.identifier')
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        with set_company(company), \
                Transaction().set_context(_skip_warnings=True):
            a, b, c, d = Party.create([{'name': n} for n in "ABCD"])
            with self.assertRaises(ReplaceError):
                self.replace(a, a)
            a, b = self.replace(a, b)
            for source, destination in [(b, a), (a, c), (c, a)]:
                with self.subTest(source=source, destination=destination), \
                        self.assertRaisesRegex(ReplaceError, '"B"'):
                    self.replace(source, destination)
            b, c = self.replace(b, c)
            with self.assertRaisesRegex(ReplaceError, '"C"'):
                self.replace(a, d)
            # What was added since follows
            tracking = self.create_tracking(company, party=a.id)
            a, c = self.replace(a, c)
            self.assertEqual(
                Tracking.search([('party', '=', c.id)]), [tracking])
            Identifier.create([
                    {'party': p.id, 'type': 'es_vat', 'code': code}
                    for p, code in [
                        (c, 'ESB58378431'), (d, 'ESA13585625')]])
            c, d = Party.browse([c, d])
            with self.assertRaisesRegex(ReplaceError, 'ESB58378431'):
                self.replace(c, d)
            identifier, = d.identifiers
            Identifier.write([identifier], {'code': 'ESB58378431'})
            _, d = self.replace(c, Party(d.id))
            self.assertEqual(
                [i.code for i in d.identifiers], ['ESB58378431'])

    @with_transaction()
    def test_replace_lacking(self):
        "Test that merging keeps identifiers and the only address active"
        pool = Pool()
        Party = pool.get('party.party')
        company = self.create_company()
        with set_company(company), \
                Transaction().set_context(_skip_warnings=True):
            source, second, destination = Party.create([{
                        'name': "Customer",
                        'addresses': [
                            ('create', [{'city': "Cali"}, {}])],
                        'identifiers': [('create', [
                                    {'code': "1"}, {'code': "2"}])],
                        }, {
                        'name': "Customer",
                        'addresses': [('create', [{'city': "Bogotá"}])],
                        }, {
                        'name': "Customer",
                        'addresses': [('create', [{}])],
                        'identifiers': [('create', [{'code': "2"}])],
                        }])
            self.replace(source, destination)
            _, destination = self.replace(second, Party(destination.id))
            self.assertEqual(
                [a.city for a in destination.addresses if a.city], ["Cali"])
            self.assertEqual(
                sorted(i.code for i in destination.identifiers), ["1", "2"])

    @with_transaction()
    def test_replace_all(self):
        "Test that merging covers every relation to a party"
        pool = Pool()
        Replace = pool.get('party.replace', type='wizard')
        replaced = set(Replace.fields_to_replace())
        replaced |= NOT_REPLACED
        self.assertEqual(
            set(self.relations_to('party.party')) - replaced, set())

    def relations_to(self, target):
        "Return the stored relations to the target of the whole pool"
        for name, Model in Pool().iterobject():
            # The values of the party that stays are kept
            if (not issubclass(Model, ModelSQL)
                    or issubclass(Model, ValueMixin)
                    or Model._is_table_query()):
                continue
            for field_name, field in Model._fields.items():
                if isinstance(field, fields.Function):
                    continue
                if field._type == 'reference':
                    selection = field.selection
                    if isinstance(selection, str):
                        selection = (
                            () if is_instance_method(Model, selection)
                            else getattr(Model, selection)())
                    is_relation = target in dict(selection)
                else:
                    is_relation = (
                        field._type == 'many2one'
                        and field.model_name == target)
                if is_relation:
                    yield name, field_name

    @with_transaction()
    def test_erase(self):
        "Test that erasing leaves the name and the number nowhere"
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        Erase = pool.get('party.erase', type='wizard')
        Party = pool.get('party.party')
        Task = pool.get('sale.task')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        with Transaction().set_context(company=company.id):
            party, = Party.create([{
                        'name': "Zacarias Secret",
                        'rating_comment': "Zacarias Secret is nice",
                        'contacts': [('create', [{
                                        'name': "Zacarias Secret",
                                        'job_title': "Boss",
                                        }])],
                        }])
            contact, = party.contacts
            ContactMechanism.create([{
                        'party': party.id,
                        'contact': contact.id,
                        'type': 'mobile',
                        'value': '3109998877',
                        }])
            tracking = self.create_tracking(company, party=party.id)
            Tracking.write([tracking], {'comment': "Call Zacarias Secret"})
            self.create_done(
                tracking, '2', 2026, 1, 1, summary="Zacarias Secret",
                description="Dial +57 310 9998877")
            task, = Task.create([{
                        'tracking': tracking.id,
                        'summary': "Visit Zacarias Secret",
                        'planned_date': self.later(1),
                        }])
            session_id, _, _ = Erase.create()
            erase = Erase(session_id)
            Party.write([party], {'active': False})
            erase.ask.party = party
            with self.assertRaises(EraseError):
                erase.transition_erase()
            self.assertIn('zacarias', self.all_texts())
            Task.cancel([task])
            Tracking.close([tracking])
            erase.transition_erase()

            texts = self.all_texts()
            self.assertNotIn('zacarias', texts)
            self.assertNotIn('9998877', texts.replace(' ', ''))
            # The figures stay
            self.assertEqual(Tracking(tracking.id).interest, '2')

    @with_transaction()
    def test_erase_notifications(self):
        "Test that erasing reaches the meetings and the notifications"
        pool = Pool()
        Activity = pool.get('sale.activity')
        Attendee = pool.get('sale.meeting.attendee')
        DoNotCall = pool.get('sale.do_not_call')
        Erase = pool.get('party.erase', type='wizard')
        Feed = pool.get('sale.agenda.feed')
        Meeting = pool.get('sale.meeting')
        Notification = pool.get('res.notification')
        Party = pool.get('party.party')
        Task = pool.get('sale.task')
        Tracking = pool.get('sale.tracking')
        User = pool.get('res.user')
        company = self.create_company()
        employee = create_employee(company, "Olga")
        User.create([{
                    'name': "Olga",
                    'login': 'olga',
                    'companies': [('add', [company.id])],
                    'company': company.id,
                    'employees': [('add', [employee.id])],
                    'employee': employee.id,
                    }])
        with set_company(company), freeze(2026, 3, 1):
            party, = Party.create([{
                        'name': "Zacarias Secret",
                        'contacts': [('create', [{
                                        'name': "Zacarias Junior",
                                        }])],
                        'contact_mechanisms': [('create', [{
                                        'type': 'email',
                                        'value': 'Zacarias@example.com',
                                        }, {
                                        'type': 'mobile',
                                        'value': '3109998877',
                                        }])],
                        }])
            contact, = party.contacts
            DoNotCall.register(company, [party], reason="Zacarias is angry")
            tracking = self.create_tracking(company, party=party.id)
            Tracking.write([tracking], {'draft': "Zacarias is not there"})
            Tracking.assign([tracking], [employee])
            Task.create([{
                        'tracking': tracking.id,
                        'summary': "Visit Zacarias",
                        'planned_date': dt.datetime(2026, 3, 2),
                        'reminder': dt.timedelta(hours=1),
                        'assignee': employee.id,
                        }])
            # They are all at the same time
            with Transaction().set_context(_skip_warnings=True):
                meetings = Meeting.create([{
                            'summary': "Fair",
                            'planned_date': dt.datetime(2026, 3, 2),
                            'assignee': employee.id,
                            'attendees': [('create', [values])],
                            } for values in [
                            {'party': party.id},
                            {'contact': contact.id},
                            {'email': 'zacarias@example.com'},
                            ]])
            Attendee.give_answer(
                [a for m in meetings for a in m.attendees], 'accepted')
        with set_company(company), freeze(2026, 3, 1, 23, 30):
            Activity.send_reminders()
        # As the commit does
        Transaction()._store_user_notifications()
        Feed.renew(employee)
        feed, = Feed.search([])
        with set_company(company), freeze(2026, 3, 2), \
                Transaction().set_context(_skip_warnings=True):
            self.assertIn(b'acarias', feed.to_ical())
            self.assertEqual(
                {n.model for n in Notification.search([])},
                {'sale.tracking', 'sale.task', 'sale.meeting'})
            Tracking.close([tracking])
            Party.write([party], {'active': False})
            session_id, _, _ = Erase.create()
            erase = Erase(session_id)
            erase.ask.party = party
            erase.transition_erase()
            Erase.delete(session_id)
            self.assertEqual([
                    t for t in self.all_texts().splitlines()
                    if 'zacarias' in t], [])
            self.assertNotIn(b'acarias', feed.to_ical())
            # The meetings take place
            self.assertEqual(
                {m.state for m in Meeting.browse(meetings)}, {'pending'})

    def all_texts(self):
        "The texts of all the tables and of their history"
        cursor = Transaction().connection.cursor()
        texts = []
        for name, Model in Pool().iterobject():
            if (not issubclass(Model, ModelSQL)
                    or callable(getattr(Model, 'table_query', None))):
                continue
            tables = [Model.__table__()]
            if Model._history:
                tables.append(Model.__table_history__())
            for field_name, field in Model._fields.items():
                if (field._type in {'char', 'text'}
                        and not isinstance(field, fields.Function)):
                    for table in tables:
                        cursor.execute(*table.select(
                                Column(table, field_name)))
                        texts.extend(str(text) for text, in cursor if text)
        return '\n'.join(texts).lower()

    @with_transaction()
    def test_search_global(self):
        "Test that the global search finds trackings"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        tracking = self.create_tracking(company)
        (record, name, icon), = Tracking.search_global("Custom")
        self.assertEqual(record, tracking)
        self.assertEqual(icon, 'tryton-sale-tracking')
