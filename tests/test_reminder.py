# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest
from unittest.mock import patch

from trytond.model.exceptions import DomainValidationError
from trytond.modules.company.tests import (
    create_company, create_employee, set_company)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import TrackingTestMixin
from .test_meeting import create_meeting, create_person, freeze

OUTGOING = 'trytond.modules.sale_opportunity_management.outgoing_email'


class ReminderTestCase(TrackingTestMixin, unittest.TestCase):
    "Test the reminders of the planned activities"

    def create_employee(self, company, name):
        employee = create_person(company, name, f'{name}@example.com')
        self.create_user(employee)
        return employee

    def remind(self, company, *moment):
        "Return the addresses and the users that are reminded at the moment"
        pool = Pool()
        Notification = pool.get('res.notification')
        Activity = pool.get('sale.activity')
        OutgoingEmail = pool.get('sale.outgoing_email')
        if notifications := Notification.search([]):
            Notification.delete(notifications)
        with set_company(company), freeze(*moment), \
                patch(f'{OUTGOING}.send_message_transactional') as send:
            Activity.send_reminders()
            OutgoingEmail.send(OutgoingEmail.search([]))
        addresses = {call.args[0]['To'] for call in send.call_args_list}
        users = [n.user.login for n in Notification.search([])]
        self.assertEqual(len(send.call_args_list), len(addresses))
        self.assertEqual(len(users), len(set(users)))
        self.assertEqual(
            addresses, {f'{u} <{u}@example.com>' for u in users})
        return set(users)

    @with_transaction()
    def test_once(self):
        "Test that who takes part is reminded once"
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        Meeting = pool.get('sale.meeting')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            olga, oscar, pablo = [
                self.create_employee(company, n)
                for n in ['olga', 'oscar', 'pablo']]
            meeting = create_meeting(
                company, olga, 2026, 3, 2, 9, attendees=[
                    {'employee': olga.id},
                    {'employee': oscar.id},
                    {'employee': pablo.id},
                    {'email': 'customer@example.com'},
                    ], reminder=dt.timedelta(minutes=15))
            Attendee.give_answer([meeting.attendees[2]], 'declined')
        self.assertEqual(
            meeting.reminder_date, dt.datetime(2026, 3, 2, 13, 45))
        self.assertEqual(self.remind(company, 2026, 3, 2, 13, 44), set())
        self.assertEqual(
            self.remind(company, 2026, 3, 2, 13, 45), {'olga', 'oscar'})
        self.assertEqual(self.remind(company, 2026, 3, 2, 13, 46), set())
        # What does not move is not reminded of again
        with freeze(2026, 3, 2, 13, 47):
            Meeting.write([meeting], {'place': "Here"})
        self.assertEqual(self.remind(company, 2026, 3, 2, 13, 48), set())
        # What moves is
        with freeze(2026, 3, 2, 13, 49):
            Meeting.write([meeting], {
                    'planned_date': dt.datetime(2026, 3, 2, 14, 30),
                    })
        self.assertEqual(self.remind(company, 2026, 3, 2, 13, 50), set())
        self.assertEqual(
            self.remind(company, 2026, 3, 2, 14, 20), {'olga', 'oscar'})
        self.assertEqual(self.remind(company, 2026, 3, 2, 14, 25), set())

    @with_transaction()
    def test_never(self):
        "Test what is not reminded of"
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        company = self.create_company()
        other = create_company("Other", currency=company.currency)
        with set_company(company), freeze(2026, 3, 1):
            olga = self.create_employee(company, 'olga')
            reminder = {'reminder': dt.timedelta(minutes=15)}
            Meeting.cancel([
                    create_meeting(company, olga, 2026, 3, 2, 9, **reminder)])
            create_meeting(company, olga, 2026, 3, 2, 9, reminder=None)
            # The server was down
            create_meeting(company, olga, 2026, 3, 2, 6, **reminder)
            # It was held before
            create_meeting(
                company, olga, 2026, 3, 2, 9, state='done',
                done_date=dt.datetime(2026, 2, 28), **reminder)
            create_meeting(
                other, create_employee(other), 2026, 3, 2, 9, **reminder)
        self.assertEqual(self.remind(company, 2026, 3, 2, 13, 50), set())

    @with_transaction()
    def test_default(self):
        "Test that the configuration tells how long before"
        pool = Pool()
        Configuration = pool.get('sale.configuration')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            olga = create_employee(company)
            meeting = create_meeting(company, olga, 2026, 3, 2, 9)
            self.assertEqual(meeting.reminder, dt.timedelta(minutes=15))
            configuration = Configuration(1)
            configuration.meeting_reminder = dt.timedelta(days=1)
            configuration.save()
            meeting = create_meeting(company, olga, 2026, 3, 2, 9)
            self.assertEqual(meeting.reminder, dt.timedelta(days=1))
            configuration.meeting_reminder = None
            configuration.save()
            meeting = create_meeting(company, olga, 2026, 3, 2, 9)
            self.assertIsNone(meeting.reminder)
            self.assertIsNone(meeting.reminder_date)

    @with_transaction()
    def test_whole_day(self):
        "Test that a whole day is reminded of as if it began at nine"
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            olga = self.create_employee(company, 'olga')
            meeting = create_meeting(
                company, olga, 2026, 3, 2, 11, whole_day=True,
                reminder=dt.timedelta(hours=12))
            default = create_meeting(
                company, olga, 2026, 3, 4, whole_day=True)
        # In Bogotá it is five hours less
        self.assertEqual(meeting.reminder_date, dt.datetime(2026, 3, 2, 2))
        self.assertEqual(self.remind(company, 2026, 3, 2, 1, 59), set())
        self.assertEqual(self.remind(company, 2026, 3, 2, 2), {'olga'})
        self.assertEqual(
            default.reminder_date, dt.datetime(2026, 3, 4, 13, 45))
        self.assertEqual(self.remind(company, 2026, 3, 4, 13, 44), set())
        self.assertEqual(self.remind(company, 2026, 3, 4, 13, 45), {'olga'})

    @with_transaction()
    def test_negative(self):
        "Test that nobody is reminded afterwards"
        pool = Pool()
        Activity = pool.get('sale.activity')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            olga = create_employee(company)
            for Model in Activity.activity_models():
                with self.subTest(model=Model.__name__):
                    with self.assertRaises(DomainValidationError):
                        Model.create([{
                                    'company': company.id,
                                    'planned_date': dt.datetime(2026, 3, 2),
                                    'summary': "Prices",
                                    'assignee': olga.id,
                                    'reminder': -dt.timedelta(minutes=1),
                                    }])

    @with_transaction()
    def test_left(self):
        "Test that who has left is not reminded"
        pool = Pool()
        Employee = pool.get('company.employee')
        company = self.create_company()
        with set_company(company), freeze(2026, 3, 1):
            olga, oscar, pablo = [
                self.create_employee(company, n)
                for n in ['olga', 'oscar', 'pablo']]
            create_meeting(
                company, olga, 2026, 3, 2, 9, attendees=[
                    {'employee': oscar.id},
                    {'employee': pablo.id},
                    ], reminder=dt.timedelta(minutes=15))
            with Transaction().set_context(_skip_warnings=True):
                Employee.write(
                    [olga, pablo], {'end_date': dt.date(2020, 1, 1)})
        self.assertEqual(
            self.remind(company, 2026, 3, 2, 13, 45), {'oscar'})

    @with_transaction()
    def test_kinds(self):
        "Test that calls and tasks are reminded of too"
        pool = Pool()
        Notification = pool.get('res.notification')
        company = self.create_company()
        for day, name in [(2, 'call'), (3, 'task')]:
            with self.subTest(name=name):
                Model = pool.get(f'sale.{name}')
                with set_company(company), freeze(2026, 3, 1):
                    employee = self.create_employee(company, name)
                    values = {
                        'company': company.id,
                        'planned_date': dt.datetime(2026, 3, day, 14),
                        'summary': "Prices",
                        'assignee': employee.id,
                        }
                    Model.create([
                            values,
                            {**values, 'reminder': dt.timedelta(hours=1)},
                            ])
                self.assertEqual(
                    self.remind(company, 2026, 3, day, 13), {name})
                notification, = Notification.search([])
                self.assertEqual(notification.label, "Reminder: Prices")
                self.assertEqual(
                    notification.description.split(),
                    [f'03/0{day}/2026', '09:00'])
                self.assertEqual(
                    self.remind(company, 2026, 3, day, 14), set())
