# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest

from trytond.model.exceptions import (
    AccessError, DomainValidationError, RequiredValidationError,
    SQLConstraintError, ValidationError)
from trytond.modules.company.tests import (
    create_company, create_employee, set_company)
from trytond.modules.sale_opportunity_management.exceptions import (
    LinkError, PlannedDateError)
from trytond.modules.sale_opportunity_management.meeting.exceptions import (
    AttendeeError, InvitationError, MeetingConflictWarning, MeetingDateError)
from trytond.modules.sale_opportunity_management.moment import to_local, to_utc
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import TrackingTestMixin
from .tools import freeze


def create_meeting(company, organiser, *moment, attendees=None, **values):
    "Create a meeting, the moment is in the time zone of the company"
    pool = Pool()
    Meeting = pool.get('sale.meeting')
    with Transaction().set_context(_skip_warnings=True):
        meeting, = Meeting.create([{
                    'company': company.id,
                    'summary': "Meeting",
                    'planned_date': to_utc(company, dt.datetime(*moment)),
                    'assignee': organiser.id,
                    'attendees': [('create', attendees or [])],
                    **values,
                    }])
    return Meeting(meeting.id)


def create_person(company, name, email=None):
    "Create an employee with an e-mail"
    pool = Pool()
    ContactMechanism = pool.get('party.contact_mechanism')
    employee = create_employee(company, name)
    if email:
        ContactMechanism.create([{
                    'party': employee.party.id,
                    'type': 'email',
                    'value': email,
                    }])
    return employee


class MeetingTestCase(TrackingTestMixin, unittest.TestCase):
    "Test the meetings and their attendees"

    @with_transaction()
    def test_period(self):
        "Test that start, end and duration stay together"
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        company = self.create_company()
        hour = dt.timedelta(hours=1)
        with set_company(company), freeze(2026, 3, 1):
            organiser = create_employee(company)
            meeting = create_meeting(company, organiser, 2026, 3, 2, 9)
            start = meeting.planned_date
            self.assertEqual(start, dt.datetime(2026, 3, 2, 14))
            self.assertEqual(meeting.duration, hour)
            self.assertEqual(meeting.end_date, start + hour)
            for values, duration in [
                    ({'planned_date': start + hour}, hour),
                    ({'duration': hour * 3}, hour * 3),
                    ({'end_date': start + hour * 3}, hour * 2),
                    ({'planned_date': start, 'end_date': start + hour}, hour),
                    ]:
                with self.subTest(values=values):
                    Meeting.write([meeting], values)
                    self.assertEqual(meeting.duration, duration)
                    self.assertEqual(
                        meeting.end_date, meeting.planned_date + duration)
            meeting = create_meeting(
                company, organiser, 2026, 3, 2, 9, duration=hour * 2)
            self.assertEqual(meeting.end_date, start + hour * 2)
            copy, = Meeting.copy([meeting])
            self.assertEqual(copy.duration, hour * 2)
            self.assertEqual(copy.planned_date, start)
            self.assertNotEqual(copy.uid, meeting.uid)

    @with_transaction()
    def test_on_change(self):
        "Test that the form keeps the period together"
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            meeting = Meeting(company=company, duration=dt.timedelta(hours=2))
            meeting.planned_date = dt.datetime(2026, 3, 2, 14)
            meeting.on_change_planned_date()
            self.assertEqual(meeting.end_date, dt.datetime(2026, 3, 2, 16))
            meeting.duration = dt.timedelta(minutes=30)
            meeting.on_change_duration()
            self.assertEqual(
                meeting.end_date, dt.datetime(2026, 3, 2, 14, 30))
            meeting.whole_day = True
            meeting.on_change_whole_day()
            self.assertEqual(meeting.first_day, dt.date(2026, 3, 2))
            self.assertEqual(meeting.last_day, dt.date(2026, 3, 2))
            self.assertEqual(meeting.planned_date, dt.datetime(2026, 3, 2, 5))
            self.assertEqual(meeting.end_date, dt.datetime(2026, 3, 3, 5))
            meeting.first_day = dt.date(2026, 3, 4)
            meeting.on_change_first_day()
            self.assertEqual(meeting.last_day, dt.date(2026, 3, 4))
            meeting.last_day = dt.date(2026, 3, 5)
            meeting.on_change_last_day()
            self.assertEqual(meeting.end_date, dt.datetime(2026, 3, 6, 5))
            meeting.last_day = dt.date(2026, 3, 3)
            meeting.on_change_last_day()
            self.assertEqual(meeting.first_day, dt.date(2026, 3, 3))
            self.assertEqual(meeting.planned_date, dt.datetime(2026, 3, 3, 5))
            self.assertEqual(meeting.end_date, dt.datetime(2026, 3, 4, 5))
            meeting.first_day = dt.date(2026, 3, 4)
            meeting.on_change_first_day()
            meeting.whole_day = False
            meeting.on_change_whole_day()
            self.assertEqual(meeting.planned_date, dt.datetime(2026, 3, 4, 14))
            self.assertEqual(meeting.end_date, dt.datetime(2026, 3, 4, 15))

    @with_transaction()
    def test_default_planned_date(self):
        "Test that a new meeting begins at the next full hour"
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1, 14, 20, 30):
            start = dt.datetime(2026, 3, 1, 15)
            self.assertEqual(Meeting.default_planned_date(), start)
            # As the client does with the default values
            meeting = Meeting(
                company=company, whole_day=False, planned_date=start,
                duration=dt.timedelta(minutes=30))
            meeting.on_change_planned_date()
            meeting.on_change_whole_day()
            self.assertEqual(meeting.planned_date, start)
            self.assertEqual(meeting.end_date, dt.datetime(2026, 3, 1, 15, 30))
        with freeze(2026, 3, 1, 14, 59, 50):
            self.assertEqual(
                Meeting.default_planned_date(), dt.datetime(2026, 3, 1, 16))

    @with_transaction()
    def test_whole_day(self):
        "Test meetings of whole days, also of 23 and 25 hours"
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        company = self.create_company('Europe/Madrid')
        with set_company(company), freeze(2026, 3, 1), \
                Transaction().set_context(_skip_warnings=True):
            organiser = create_employee(company)
            for day, last, hours in [
                    ((2026, 3, 27), (2026, 3, 27), 24),
                    ((2026, 3, 29), (2026, 3, 29), 23),
                    ((2026, 3, 28), (2026, 3, 30), 71),
                    ((2026, 10, 25), (2026, 10, 25), 25),
                    ]:
                with self.subTest(day=day):
                    meeting = create_meeting(
                        company, organiser, *day, 11, whole_day=True)
                    if last != day:
                        Meeting.write([meeting], {'last_day': dt.date(*last)})
                    self.assertEqual(meeting.first_day, dt.date(*day))
                    self.assertEqual(meeting.last_day, dt.date(*last))
                    self.assertEqual(
                        to_local(company, meeting.planned_date).time(),
                        dt.time())
                    self.assertEqual(
                        meeting.end_date - meeting.planned_date,
                        dt.timedelta(hours=hours))
                    # It takes as many days wherever it is moved
                    days = meeting.last_day - meeting.first_day
                    Meeting.write([meeting], {
                            'planned_date': to_utc(
                                company, dt.datetime(2026, 6, 1, 23, 59)),
                            })
                    self.assertEqual(meeting.first_day, dt.date(2026, 6, 1))
                    self.assertEqual(
                        meeting.last_day - meeting.first_day, days)
                    Meeting.write([meeting], {
                            'first_day': dt.date(2026, 5, 31),
                            })
                    self.assertEqual(meeting.first_day, dt.date(2026, 5, 31))
                    self.assertEqual(
                        meeting.last_day, dt.date(2026, 6, 1) + days)
        # It is due when the day is over
        with set_company(company), freeze(2026, 7, 1, 10):
            meeting = create_meeting(
                company, organiser, 2026, 7, 1, whole_day=True)
            self.assertFalse(meeting.overdue)
            self.assertEqual(meeting.when, 'today')
        with set_company(company), freeze(2026, 7, 1, 22):
            meeting = Meeting(meeting.id)
            self.assertTrue(meeting.overdue)
            self.assertEqual(meeting.when, 'past')

    @with_transaction()
    def test_whole_days(self):
        "Test that what is created and copied takes as many days as it says"
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        company = self.create_company('Europe/Madrid')
        meetings = []
        with set_company(company), freeze(2026, 3, 1):
            organiser = create_employee(company)
            # The clocks change on March 29
            for day, days in [(20, 1), (20, 3), (28, 3)]:
                with self.subTest(day=day, days=days):
                    meeting = create_meeting(
                        company, organiser, 2026, 3, day, 11, whole_day=True,
                        duration=dt.timedelta(days=days))
                    meetings.append(meeting)
                    self.assertEqual(
                        meeting.first_day, dt.date(2026, 3, day))
                    self.assertEqual(
                        meeting.last_day,
                        meeting.first_day + dt.timedelta(days=days - 1))
        for moment, first in [
                ((2026, 3, 1), None),
                ((2026, 3, 27, 16), dt.date(2026, 3, 28)),
                ((2026, 6, 1, 16), dt.date(2026, 6, 2)),
                ]:
            with set_company(company), freeze(*moment):
                for meeting, copy in zip(meetings, Meeting.copy(meetings)):
                    with self.subTest(moment=moment, meeting=meeting):
                        self.assertEqual(
                            copy.first_day, first or meeting.first_day)
                        self.assertEqual(
                            copy.last_day - copy.first_day,
                            meeting.last_day - meeting.first_day)

    @with_transaction()
    def test_clocks_change(self):
        "Test that nine o'clock stays nine o'clock"
        company = self.create_company('Europe/Madrid')
        with set_company(company), freeze(2026, 3, 1):
            organiser = create_employee(company)
            for day, hour in [(28, 8), (29, 7), (30, 7)]:
                with self.subTest(day=day):
                    meeting = create_meeting(
                        company, organiser, 2026, 3, day, 9)
                    self.assertEqual(
                        meeting.planned_date, dt.datetime(2026, 3, day, hour))
                    self.assertIn("09:00 – 10:00", meeting.period)

    @with_transaction()
    def test_wrong_dates(self):
        "Test that impossible periods are refused"
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1, 17):
            organiser = create_employee(company)
            for values in [
                    {'duration': dt.timedelta(hours=-1)},
                    {'duration': dt.timedelta()},
                    {'end_date': dt.datetime(2026, 3, 2, 13)},
                    {'end_date': dt.datetime(2026, 3, 2, 14)},
                    ]:
                with self.subTest(values=values), \
                        self.assertRaises(MeetingDateError):
                    create_meeting(
                        company, organiser, 2026, 3, 2, 9, **values)
            with self.assertRaises(PlannedDateError):
                create_meeting(company, organiser, 2026, 3, 1, 11, 59)
            with self.assertRaises(PlannedDateError):
                create_meeting(
                    company, organiser, 2026, 2, 28, whole_day=True)
            meeting = create_meeting(
                company, organiser, 2026, 3, 1, whole_day=True)
            with self.assertRaises(PlannedDateError):
                Meeting.write([meeting], {'whole_day': False})

    # Each in a transaction of its own, as what is refused ends one of
    # PostgreSQL

    @with_transaction()
    def test_organiser_required(self):
        "Test that a meeting without organiser is refused"
        self.assertRequired(assignee=None)

    @with_transaction()
    def test_summary_required(self):
        "Test that a meeting without summary is refused"
        self.assertRequired(summary=None)

    def assertRequired(self, **values):
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1, 17):
            organiser = create_employee(company)
            with self.assertRaises(RequiredValidationError):
                create_meeting(company, organiser, 2026, 3, 2, 9, **values)

    @with_transaction()
    def test_link(self):
        "Test that the link is the address of a web page"
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            organiser = create_employee(company)
            create_meeting(
                company, organiser, 2026, 3, 2, 9,
                link='https://meet.example.com/x')
            for link in ['javascript:alert(1)', 'meet.example.com/x']:
                with self.subTest(link=link), \
                        self.assertRaises(LinkError):
                    create_meeting(
                        company, organiser, 2026, 3, 2, 9, link=link)

    @with_transaction()
    def test_attendees(self):
        "Test whom the attendees can be"
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        Party = pool.get('party.party')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            organiser = create_employee(company)
            employee = create_person(company, "Olga", 'Olga@Example.com')
            customer, = Party.create([{
                        'name': "Customer",
                        'contact_mechanisms': [('create', [{
                                        'type': 'email',
                                        'value': 'info@customer.example',
                                        }])],
                        'contacts': [('create', [
                                    {'name': "Lucía", 'job_title': "Manager"},
                                    {'name': "Pedro"},
                                    ])],
                        }])
            lucia, pedro = customer.contacts
            lucia.contact_mechanisms = [{
                    'type': 'email',
                    'value': 'lucia@customer.example',
                    'party': customer.id,
                    }]
            lucia.save()
            meeting = create_meeting(
                company, organiser, 2026, 3, 2, 9, attendees=[
                    {'employee': employee.id},
                    {'contact': lucia.id},
                    {'party': customer.id},
                    {'email': ' Somebody@Example.org '},
                    ])
            self.assertEqual(
                [(a.rec_name, a.email, a.answer) for a in meeting.attendees], [
                    ("Olga", 'olga@example.com', 'needs_action'),
                    ("Lucía", 'lucia@customer.example', 'needs_action'),
                    ("Customer", 'info@customer.example', 'needs_action'),
                    ('somebody@example.org', 'somebody@example.org',
                        'needs_action'),
                    ])
            self.assertEqual(meeting.attendees[1].party, customer)
            self.assertEqual(meeting.attendees_number, 4)
            self.assertEqual(meeting.attendees_accepted, 0)
            Attendee.give_answer(list(meeting.attendees[:2]), 'accepted')
            Attendee.give_answer(list(meeting.attendees[2:3]), 'declined')
            meeting = meeting.__class__(meeting.id)
            self.assertEqual(meeting.attendees_accepted, 2)
            self.assertEqual(
                meeting.attendees[0].answer_date, dt.datetime(2026, 3, 1))

    def test_attendee_twice(self):
        "Test that nobody is invited twice to a meeting"
        for name in ['employee', 'contact', 'email']:
            with self.subTest(name=name):
                self.check_attendee_twice(name)

    @with_transaction()
    def check_attendee_twice(self, name):
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        Party = pool.get('party.party')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            organiser = create_employee(company)
            customer, = Party.create([{
                        'name': "Customer",
                        'contacts': [('create', [{'name': "Lucía"}])],
                        }])
            contact, = customer.contacts
            meeting = create_meeting(company, organiser, 2026, 3, 2, 9)
            first, second = {
                'employee': (
                    {'employee': organiser.id},
                    {'employee': organiser.id, 'email': 'new@example.com'}),
                'contact': (
                    {'contact': contact.id},
                    {'contact': contact.id, 'email': 'new@example.com'}),
                'email': (
                    {'email': 'a@example.com'}, {'email': 'A@example.com '}),
                }[name]
            Attendee.create([{'meeting': meeting.id, **first}])
            with self.assertRaises(SQLConstraintError):
                Attendee.create([{'meeting': meeting.id, **second}])

    @with_transaction()
    def test_wrong_attendees(self):
        "Test that wrong attendees are refused"
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        Meeting = pool.get('sale.meeting')
        company = self.create_company()
        other = create_company("Other", currency=company.currency)
        with set_company(company), freeze(2026, 3, 1):
            organiser = create_employee(company)
            meeting = create_meeting(company, organiser, 2026, 3, 2, 9)
            with self.assertRaises(InvitationError):
                Meeting.invite([meeting])
            for email in [
                    'somebody', 'a@b', 'a b@example.com', '@example.com',
                    'a@example.com, b@example.com', 'A <a@example.com>']:
                with self.subTest(email=email), \
                        self.assertRaises(AttendeeError):
                    Attendee.create([{'meeting': meeting.id, 'email': email}])
            # Nothing gets into the header of the message
            with self.assertRaises(ValidationError):
                Attendee.create([{
                            'meeting': meeting.id,
                            'email': 'a@example.com\nBcc: b@example.com',
                            }])
            with self.assertRaises(RequiredValidationError):
                Attendee.create([{'meeting': meeting.id}])
            with self.assertRaises(DomainValidationError):
                Attendee.create([{
                            'meeting': meeting.id,
                            'employee': create_employee(other).id,
                            }])
            Meeting.cancel([meeting])
            with Transaction().set_user(1), \
                    Transaction().set_context(_check_access=True), \
                    self.assertRaises(AccessError):
                Attendee.create([{
                            'meeting': meeting.id,
                            'email': 'a@example.com',
                            }])

    @with_transaction()
    def test_answer(self):
        "Test that users answer only for an employee of theirs"
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            olga, oscar, pablo = [
                create_employee(company, name)
                for name in ["Olga", "Oscar", "Pablo"]]
            user = self.create_user(oscar, 'group_tracking')
            meeting = create_meeting(
                company, olga, 2026, 3, 2, 9, attendees=[
                    {'employee': oscar.id},
                    {'employee': pablo.id},
                    ])
            with self.as_user(user):
                Meeting.accept([Meeting(meeting.id)])
                # The client chooses the employee of the context
                with Transaction().set_context(employee=pablo.id), \
                        self.assertRaises(AccessError):
                    Meeting.decline([Meeting(meeting.id)])
            self.assertEqual(
                [a.answer for a in meeting.attendees],
                ['accepted', 'needs_action'])

    @with_transaction()
    def test_answer_other(self):
        "Test that nobody enters the answer of somebody else"
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        Meeting = pool.get('sale.meeting')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            olga, oscar = [
                create_employee(company, name) for name in ["Olga", "Oscar"]]
            user = self.create_user(olga, 'group_tracking_admin')
            meeting = create_meeting(
                company, olga, 2026, 3, 2, 9, attendees=[
                    {'email': 'a@example.com'}])
            attendee, = meeting.attendees
            with self.as_user(user):
                for values in [
                        {'answer': 'accepted'},
                        {'answer_date': dt.datetime(2026, 3, 1)},
                        {'sent_sequence': 3},
                        ]:
                    with self.subTest(values=values):
                        with self.assertRaises(AccessError):
                            Attendee.write([Attendee(attendee.id)], values)
                        with self.assertRaises(AccessError):
                            Meeting.write([Meeting(meeting.id)], {
                                    'attendees': [
                                        ('write', [attendee.id], values)],
                                    })
                with self.assertRaises(AccessError):
                    Meeting.write([Meeting(meeting.id)], {
                            'attendees': [('create', [{
                                            'employee': oscar.id,
                                            'answer': 'accepted',
                                            }])],
                            })

    @with_transaction()
    def test_answer_link(self):
        "Test that who runs the report of the invitation gets no link"
        pool = Pool()
        Invitation = pool.get('sale.meeting.invitation', type='report')
        Token = pool.get('sale.meeting.attendee.token')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            olga = create_employee(company, "Olga")
            user = self.create_user(olga, 'group_tracking_admin')
            meeting = create_meeting(
                company, olga, 2026, 3, 2, 9, attendees=[
                    {'email': 'a@example.com'}])
            with self.as_user(user):
                _, content, _, _ = Invitation.execute(
                    [meeting.attendees[0].id], {})
        self.assertIn("Olga invites you", content)
        self.assertNotIn('answer=', content)
        self.assertFalse(Token.search([]))

    @with_transaction()
    def test_search_answer(self):
        "Test that each clause finds what has and what lacks the answer"
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        Meeting = pool.get('sale.meeting')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            olga, oscar = (
                create_person(company, name) for name in ["Olga", "Oscar"])
            for answer in ['accepted', 'declined', None]:
                meeting = create_meeting(
                    company, oscar, 2026, 3, 2, 9, attendees=[
                        {'employee': olga.id},
                        {'email': 'customer@example.com'},
                        ])
                attendee, other = meeting.attendees
                if answer:
                    Attendee.give_answer([attendee], answer)
                Attendee.give_answer([other], 'accepted')
            create_meeting(company, olga, 2026, 3, 2, 9)
            with Transaction().set_context(employee=olga.id):
                meetings = Meeting.search([])
                self.assertEqual(
                    {m.my_answer for m in meetings},
                    {'accepted', 'declined', 'needs_action', None})
                for operator, value in [
                        ('=', 'accepted'), ('!=', 'accepted'),
                        ('=', None), ('!=', None),
                        ('in', ['accepted', 'declined']),
                        ('in', [None, 'accepted']), ('in', []),
                        ('not in', ['accepted']),
                        ('not in', [None, 'accepted']), ('not in', [])]:
                    values = value if isinstance(value, list) else [value]
                    negate = operator in {'!=', 'not in'}
                    with self.subTest(operator=operator, value=value):
                        self.assertEqual(
                            set(Meeting.search([
                                        ('my_answer', operator, value)])),
                            {m for m in meetings
                                if (m.my_answer in values) != negate})

    @with_transaction()
    def test_conflicts(self):
        "Test that the busy employees are told"
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        Meeting = pool.get('sale.meeting')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            olga, oscar, pablo = [
                create_person(company, name, f'{name}@example.com')
                for name in ["Olga", "Oscar", "Pablo"]]
            other = create_meeting(
                company, olga, 2026, 3, 2, 9, summary="Visit",
                attendees=[{'employee': oscar.id}])
            Meeting.cancel([create_meeting(company, pablo, 2026, 3, 2, 9)])
            for start, duration, number in [
                    ((8, 0), 60, 0),
                    ((8, 30), 60, 2),
                    ((9, 15), 15, 2),
                    ((8, 0), 180, 2),
                    ((9, 59), 60, 2),
                    ((10, 0), 60, 0),
                    ]:
                with self.subTest(start=start, duration=duration):
                    meeting = Meeting(
                        company=company, state='pending', assignee=pablo,
                        planned_date=to_utc(
                            company, dt.datetime(2026, 3, 2, *start)),
                        attendees=[
                            Attendee(employee=e, email='a@example.com')
                            for e in [olga, oscar]])
                    meeting.duration = dt.timedelta(minutes=duration)
                    meeting.on_change_duration()
                    notices = meeting.on_change_notify()
                    # One notice, as they cover the form
                    self.assertEqual(len(notices), bool(number))
                    texts = [l for _, t in notices for l in t.split('\n')]
                    self.assertEqual(len(texts), number)
                    if number:
                        self.assertIn("Olga", texts[0])
                        self.assertIn("Visit", texts[0])
                        self.assertIn("Oscar", texts[1])
            self.assertEqual(other.on_change_notify(), [])
            # Who declined is free
            Attendee.give_answer(list(other.attendees), 'declined')
            self.assertEqual(
                len(Meeting._search_conflicts(
                        [('employee', olga.id), ('employee', oscar.id)],
                        other.planned_date, other.end_date)), 1)

    @with_transaction()
    def test_conflicts_customer(self):
        "Test that customers who have another meeting are told"
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        Contact = pool.get('party.contact')
        Meeting = pool.get('sale.meeting')
        Party = pool.get('party.party')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            olga, oscar, pablo = [
                create_employee(company, name)
                for name in ["Olga", "Oscar", "Pablo"]]
            party, = Party.create([{'name': "Núñez"}])
            nora, raul = Contact.create([
                    {'party': party.id, 'name': name}
                    for name in ["Nora", "Raúl"]])
            create_meeting(
                company, olga, 2026, 3, 2, 9, summary="Visit", attendees=[
                    {'contact': nora.id},
                    {'email': 'a@example.com'},
                    ])
            users = [
                self.create_user(e, 'group_tracking') for e in [olga, oscar]]

            for values, names in [
                    ({'party': party, 'contact': nora}, ["Nora"]),
                    ({'party': party, 'contact': raul}, []),
                    ({'party': party}, []),
                    ({'email': 'A@example.com'}, ["A@example.com"]),
                    ({'email': 'b@example.com'}, []),
                    ({'employee': pablo}, []),
                    ]:
                # What is told of others is told only to who may read it
                for user, names in zip(users, [names, []]):
                    with self.subTest(user=user.name, values=values), \
                            self.as_user(user):
                        meeting = Meeting(
                            company=company, state='pending', assignee=pablo,
                            planned_date=to_utc(
                                company, dt.datetime(2026, 3, 2, 9, 30)),
                            duration=dt.timedelta(hours=1),
                            attendees=[Attendee(**values)])
                        meeting.on_change_duration()
                        self.assertEqual(
                            [c[1] for c in meeting._conflicts()], names)

    @with_transaction()
    def test_warn_conflicts(self):
        "Test that who saves or moves a meeting is asked about conflicts"
        pool = Pool()
        Activity = pool.get('sale.activity')
        Meeting = pool.get('sale.meeting')
        Warning = pool.get('res.user.warning')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            olga, oscar = [
                create_employee(company, name) for name in ["Olga", "Oscar"]]
            create_meeting(
                company, olga, 2026, 3, 2, 9, summary="Visit",
                attendees=[{'employee': oscar.id}])
            meeting = create_meeting(company, oscar, 2026, 3, 2, 10)
            hour = dt.timedelta(hours=1)
            line, = Activity.search([
                    ('assignee', '=', oscar.id),
                    ('organiser', '=', oscar.id),
                    ])
            start = meeting.planned_date - hour / 2
            for change in [
                    lambda: Meeting.write([meeting], {'planned_date': start}),
                    lambda: Activity.write([line], {
                            'calendar_date': start,
                            'calendar_end': start + hour,
                            }),
                    ]:
                with self.assertRaises(MeetingConflictWarning) as raised:
                    change()
                self.assertIn("Visit", raised.exception.message)
                Warning.create([{
                            'user': Transaction().user,
                            'name': raised.exception.name,
                            }])
                change()
                Warning.delete(Warning.search([]))
                Transaction().check_warnings.clear()
            # What changes neither the moment nor who takes part asks nothing
            Meeting.write([meeting], {'summary': "Sale"})
            Meeting.copy([meeting])
            other = create_meeting(company, oscar, 2026, 3, 2, 9)
            Meeting.cancel([other])
            Meeting.write([other], {
                    'planned_date': start, 'duration': hour * 2})
            with self.assertRaises(MeetingConflictWarning):
                Meeting.create([{
                            'company': company.id,
                            'summary': "Meeting",
                            'planned_date': start,
                            'assignee': olga.id,
                            }])

    @with_transaction()
    def test_whole_day_conflicts(self):
        "Test that a whole day keeps the employee busy"
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            olga = create_employee(company, "Olga")
            one_day = create_meeting(
                company, olga, 2026, 3, 2, 0, summary="Fair", whole_day=True)
            create_meeting(
                company, olga, 2026, 3, 4, 0, summary="Training",
                whole_day=True, duration=dt.timedelta(days=2))

            def busy(day, whole_day=False):
                meeting = Meeting(
                    company=company, state='pending', assignee=olga,
                    planned_date=to_utc(
                        company, dt.datetime(2026, 3, day, 23)),
                    duration=dt.timedelta(hours=1), whole_day=whole_day)
                meeting.on_change_duration()
                if whole_day:
                    meeting.on_change_whole_day()
                return [
                    t.replace('\xa0', ' ')
                    for _, t in meeting.on_change_notify()]

            for whole_day in [False, True]:
                with self.subTest(whole_day=whole_day):
                    self.assertEqual(
                        busy(2, whole_day),
                        ["Olga is busy all day on 03/02/2026: Fair."])
                    self.assertEqual(busy(3, whole_day), [])
                    self.assertEqual(
                        busy(5, whole_day), [
                            "Olga is busy from 03/04/2026 to 03/05/2026: "
                            "Training."])
            self.assertEqual(one_day.on_change_notify(), [])
            create_meeting(company, olga, 2026, 3, 6, 9, summary="Visit")
            self.assertEqual(
                busy(6, True),
                ["Olga is busy on 03/06/2026 from 09:00 to 10:00: Visit."])
            create_meeting(
                company, olga, 2026, 3, 9, 22, summary="Move",
                duration=dt.timedelta(hours=3))
            self.assertEqual(
                busy(9), [
                    "Olga is busy from 03/09/2026 22:00 to "
                    "03/10/2026 01:00: Move."])

    @with_transaction()
    def test_many_conflicts(self):
        "Test that only the first conflicts are told one by one"
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            olga = create_employee(company, "Olga")
            meeting = Meeting(
                company=company, state='pending', assignee=olga,
                planned_date=to_utc(company, dt.datetime(2026, 3, 2)),
                duration=dt.timedelta(days=1))
            meeting.on_change_duration()
            for number, last in enumerate([
                        "09:00 to 10:00: Meeting.",
                        "10:00 to 11:00: Meeting.",
                        "11:00 to 12:00: Meeting.",
                        "And 1 other conflict.",
                        "And 2 other conflicts.",
                        ]):
                with self.subTest(number=number + 1):
                    create_meeting(company, olga, 2026, 3, 2, 9 + number)
                    (_, text), = meeting.on_change_notify()
                    lines = text.split('\n')
                    self.assertEqual(len(lines), min(number + 1, 4))
                    self.assertTrue(lines[-1].endswith(last), lines[-1])

    @with_transaction()
    def test_no_email(self):
        "Test that the form tells the attendees without e-mail"
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        Meeting = pool.get('sale.meeting')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            employee = create_person(company, "Olga")
            for values in [{}, {'rec_name': None}]:
                with self.subTest(values=values):
                    meeting = Meeting(
                        company=company, state='pending', attendees=[
                            Attendee(employee=employee, **values),
                            Attendee(email='a@example.com', **values),
                            ])
                    (type_, text), = meeting.on_change_notify()
                    self.assertEqual(type_, 'warning')
                    self.assertIn("Olga", text)
            # Users are told on the screen
            self.create_user(employee)
            self.assertFalse(meeting.on_change_notify())

    @with_transaction()
    def test_attendee_company(self):
        "Test that the list loads what the company is computed from"
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        Meeting = pool.get('sale.meeting')
        company = self.create_company()
        view = Attendee.fields_view_get(view_type='tree')
        self.assertIn('name="meeting"', view['arch'])
        attendee = Attendee(meeting=Meeting(company=company))
        self.assertEqual(attendee.on_change_with_company(), company)

    @with_transaction()
    def test_when(self):
        "Test the days on the calendar of the company"
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        company = self.create_company()
        # Wednesday the 4th at 20:00 in Bogotá
        with set_company(company), freeze(2026, 3, 2):
            organiser = create_employee(company)
            meetings = {
                'past': [create_meeting(company, organiser, 2026, 3, 3, 22)],
                'today': [
                    create_meeting(company, organiser, 2026, 3, 4, 8),
                    create_meeting(company, organiser, 2026, 3, 4, 23),
                    ],
                'week': [
                    create_meeting(company, organiser, 2026, 3, 5, 0),
                    create_meeting(company, organiser, 2026, 3, 8, 23),
                    ],
                'later': [create_meeting(company, organiser, 2026, 3, 9, 0)],
                }
        with set_company(company), freeze(2026, 3, 5, 1):
            for when, expected in meetings.items():
                with self.subTest(when=when):
                    self.assertEqual(
                        set(Meeting.search([('when', '=', when)])),
                        set(expected))
                    self.assertEqual(
                        {m.when for m in Meeting.browse(expected)}, {when})
            self.assertEqual(
                len(Meeting.search([('when', '!=', 'today')])), 4)
            self.assertEqual(
                len(Meeting.search([('when', 'in', ['today', 'week'])])), 4)

    @with_transaction()
    def test_agenda(self):
        "Test that the agenda shows the meetings to who takes part"
        pool = Pool()
        Activity = pool.get('sale.activity')
        Attendee = pool.get('sale.meeting.attendee')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            olga, oscar, pablo = [
                create_person(company, name, f'{name}@example.com')
                for name in ["Olga", "Oscar", "Pablo"]]
            meeting = create_meeting(
                company, olga, 2026, 3, 2, 9, attendees=[
                    {'employee': olga.id},
                    {'employee': oscar.id},
                    {'employee': pablo.id},
                    {'email': 'customer@example.com'},
                    ])
            lines = Activity.search([('kind', '=', 'meeting')])
            self.assertEqual(
                {(l.role, l.assignee.rec_name) for l in lines}, {
                    ('main', "Olga"),
                    ('attendee', "Oscar"),
                    ('attendee', "Pablo"),
                    })
            self.assertEqual(
                Activity.get_activities(lines), [meeting] * 3)
            _, _, attendee, _ = meeting.attendees
            Attendee.give_answer([attendee], 'declined')
            self.assertEqual(
                len(Activity.search([('kind', '=', 'meeting')])), 2)

    @with_transaction()
    def test_agenda_kept(self):
        "Test that the lines of the attendees follow the meeting"
        pool = Pool()
        Activity = pool.get('sale.activity')
        Attendee = pool.get('sale.meeting.attendee')
        Meeting = pool.get('sale.meeting')
        company = self.create_company()

        def check(meeting):
            attended, main = Activity.search(
                [('kind', '=', 'meeting')], order=[('role', 'ASC')])
            meeting = Meeting(meeting.id)
            self.assertEqual(
                [(l.date, l.state) for l in [attended, main]],
                [(meeting.date, meeting.state)] * 2)

        with set_company(company), freeze(2026, 3, 1):
            olga, oscar, pablo = (
                create_person(company, name)
                for name in ["Olga", "Oscar", "Pablo"])
            meeting = create_meeting(
                company, olga, 2026, 3, 2, 9, whole_day=True,
                attendees=[{'employee': oscar.id}])
            check(meeting)
            for values in [
                    {'whole_day': False},
                    {'planned_date': dt.datetime(2026, 3, 5, 15)},
                    ]:
                with self.subTest(values=values):
                    Meeting.write([meeting], values)
                    check(meeting)
        with set_company(company), freeze(2026, 3, 8):
            Meeting.write([meeting], {
                    'state': 'done',
                    'done_date': dt.datetime(2026, 3, 7),
                    })
            check(meeting)
            Attendee.delete(list(meeting.attendees))
            Attendee.create([{
                        'meeting': meeting.id,
                        'employee': pablo.id,
                        }])
            check(meeting)

    @with_transaction()
    def test_attendee_not_late(self):
        "Test that a meeting without result is late only for the organiser"
        pool = Pool()
        Activity = pool.get('sale.activity')
        company = self.create_company()
        with set_company(company):
            with freeze(2026, 3, 1):
                olga, oscar = (
                    create_person(company, name)
                    for name in ["Olga", "Oscar"])
                for day in [2, 3]:
                    create_meeting(
                        company, olga, 2026, 3, day, 9,
                        attendees=[{'employee': oscar.id}])
            with freeze(2026, 3, 3, 5):
                lines = Activity.search([('kind', '=', 'meeting')])
                self.assertEqual(
                    {(l.role, l.date.day, l.overdue, l.due) for l in lines}, {
                        ('main', 2, True, 'overdue'),
                        ('main', 3, False, 'today'),
                        ('attendee', 2, False, None),
                        ('attendee', 3, False, 'today'),
                        })
                for name, values in [
                        ('overdue', [True, False]),
                        ('due', ['overdue', 'today', None])]:
                    for operator in ['=', '!=']:
                        for value in values:
                            with self.subTest(
                                    field=name, operator=operator,
                                    value=value):
                                self.assertEqual(
                                    set(Activity.search([
                                                (name, operator, value)])),
                                    {l for l in lines
                                        if (getattr(l, name) == value)
                                        == (operator == '=')})

    @with_transaction()
    def test_calendar(self):
        "Test where the agenda shows the meetings and moves them"
        pool = Pool()
        Activity = pool.get('sale.activity')
        Meeting = pool.get('sale.meeting')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            olga = create_person(company, "Olga", 'olga@example.com')
            meeting = create_meeting(company, olga, 2026, 3, 2, 9)
            day = create_meeting(company, olga, 2026, 3, 4, whole_day=True)

            def line(meeting):
                line, = [
                    line for line in Activity.search([])
                    if Activity.get_activities([line]) == [meeting]]
                return line

            def period(meeting):
                meeting = Meeting(meeting.id)
                return meeting.planned_date, meeting.end_date
            for record in [meeting, day]:
                shown = line(record)
                self.assertEqual(
                    (shown.calendar_date, shown.end_date), period(record))
            # What is short is shown in a slot and stays short
            short = create_meeting(
                company, olga, 2026, 3, 2, 12,
                duration=dt.timedelta(minutes=10))
            shown = line(short)
            slot = dt.timedelta(minutes=30)
            self.assertEqual(
                (shown.calendar_date, shown.end_date), period(short))
            self.assertEqual(shown.calendar_end, shown.calendar_date + slot)
            date = shown.calendar_date + dt.timedelta(days=60)
            Activity.write([shown], {
                    'calendar_date': date,
                    'calendar_end': date + slot,
                    })
            self.assertEqual(
                period(short), (date, date + dt.timedelta(minutes=10)))
            # The whole meeting
            Activity.write([line(meeting)], {
                    'calendar_date': dt.datetime(2026, 3, 3, 15),
                    'end_date': dt.datetime(2026, 3, 3, 16),
                    })
            self.assertEqual(period(meeting), (
                    dt.datetime(2026, 3, 3, 15), dt.datetime(2026, 3, 3, 16)))
            # Only its end
            Activity.write([line(meeting)], {
                    'end_date': dt.datetime(2026, 3, 3, 18),
                    })
            self.assertEqual(period(meeting), (
                    dt.datetime(2026, 3, 3, 15), dt.datetime(2026, 3, 3, 18)))
            # Only its start, as the form does
            Activity.write([line(meeting)], {
                    'date': dt.datetime(2026, 3, 5, 15),
                    })
            self.assertEqual(period(meeting), (
                    dt.datetime(2026, 3, 5, 15), dt.datetime(2026, 3, 5, 18)))
            Activity.write([line(day)], {
                    'calendar_date': dt.datetime(2026, 3, 6, 5),
                    'end_date': dt.datetime(2026, 3, 7, 5),
                    })
            self.assertEqual(Meeting(day.id).first_day, dt.date(2026, 3, 6))
            self.assertEqual(Meeting(day.id).last_day, dt.date(2026, 3, 6))
            shown = line(day)
            Activity.write([shown], {
                    'date': shown.date + dt.timedelta(days=1),
                    })
            self.assertEqual(Meeting(day.id).first_day, dt.date(2026, 3, 7))
            self.assertEqual(Meeting(day.id).last_day, dt.date(2026, 3, 7))
            # The week shows the hours
            Activity.write([line(day)], {
                    'calendar_date': dt.datetime(2026, 3, 8, 15),
                    'end_date': dt.datetime(2026, 3, 9, 15),
                    })
            self.assertEqual(Meeting(day.id).first_day, dt.date(2026, 3, 8))
            self.assertEqual(Meeting(day.id).last_day, dt.date(2026, 3, 8))
            # Three days, which stay three
            Activity.write([line(day)], {
                    'end_date': dt.datetime(2026, 3, 11, 5),
                    })
            self.assertEqual(Meeting(day.id).first_day, dt.date(2026, 3, 8))
            self.assertEqual(Meeting(day.id).last_day, dt.date(2026, 3, 10))
            Activity.write([line(day)], {
                    'calendar_date': dt.datetime(2026, 3, 9, 5),
                    'end_date': dt.datetime(2026, 3, 12, 5),
                    })
            self.assertEqual(Meeting(day.id).first_day, dt.date(2026, 3, 9))
            self.assertEqual(Meeting(day.id).last_day, dt.date(2026, 3, 11))
        with set_company(company), freeze(2026, 3, 8):
            # What was done stays where it was
            Meeting.write([meeting], {
                    'state': 'done',
                    'done_date': dt.datetime(2026, 3, 7),
                    })
            shown = line(meeting)
            self.assertEqual(
                (shown.calendar_date, shown.end_date), period(meeting))
