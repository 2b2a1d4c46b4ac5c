# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
from urllib.parse import urlsplit

from icalendar import Calendar

import trytond.config as config
from trytond.modules.company.tests import create_company, create_employee
from trytond.modules.sale_opportunity_management.meeting.exceptions import (
    AgendaFeedError)
from trytond.modules.sale_opportunity_management.moment import to_utc
from trytond.pool import Pool
from trytond.protocols.wrappers import HTTPStatus
from trytond.tests.test_tryton import DB_NAME, RouteTestCase, with_transaction
from trytond.transaction import Transaction, without_check_access

from .common import TrackingTestMixin
from .test_meeting import create_meeting, create_person, freeze


class AgendaFeedTestCase(RouteTestCase, TrackingTestMixin):
    "Test the calendar of an employee for other programs"
    module = 'sale_opportunity_management'

    def setUp(self):
        super().setUp()
        with Transaction().start(DB_NAME, 1):
            pool = Pool()
            Feed = pool.get('sale.agenda.feed')
            ModelData = pool.get('ir.model.data')
            User = pool.get('res.user')
            company = create_company()
            company.timezone = 'America/Bogota'
            company.save()
            self.company = company.id
            employee = create_person(company, "Olga", 'olga@example.com')
            self.employee = employee.id
            # Each test adds one
            user, = User.create([{
                        'name': "Olga",
                        'login': f'olga-{employee.id}',
                        'companies': [('add', [company.id])],
                        'company': company.id,
                        'employees': [('add', [employee.id])],
                        'employee': employee.id,
                        'groups': [('add', [ModelData.get_id(
                                        'sale_opportunity_management',
                                        'group_tracking_admin')])],
                        }])
            self.user = user.id
            self.path = urlsplit(
                Feed.renew(self.get_employee())).path

    def get_employee(self):
        pool = Pool()
        Employee = pool.get('company.employee')
        return Employee(self.employee)

    def get(self, *now, path=None, **kwargs):
        with freeze(*(now or (2026, 3, 1))):
            return self.client().get(path or self.path, **kwargs)

    def events(self, *now):
        response = self.get(*now)
        self.assertEqual(response.status_code, HTTPStatus.OK)
        self.assertEqual(response.mimetype, 'text/calendar')
        calendar = Calendar.from_ical(response.get_data())
        return {str(e['summary']): e for e in calendar.walk('VEVENT')}

    def test_content(self):
        "Test that it shows what the employee has to do"
        with Transaction().start(
                DB_NAME, 0, context={'company': self.company}), \
                freeze(2026, 3, 1):
            pool = Pool()
            Attendee = pool.get('sale.meeting.attendee')
            Call = pool.get('sale.call')
            Company = pool.get('company.company')
            Meeting = pool.get('sale.meeting')
            Party = pool.get('party.party')
            Task = pool.get('sale.task')
            TaskType = pool.get('sale.task.type')
            company = Company(self.company)
            olga = self.get_employee()
            oscar = create_employee(company, "Oscar")
            create_meeting(company, olga, 2026, 3, 2, 9, summary="Organised")
            attended = create_meeting(
                company, oscar, 2026, 3, 2, 9, summary="Attended",
                attendees=[{'employee': olga.id}])
            Attendee.give_answer(list(attended.attendees), 'tentative')
            declined = create_meeting(
                company, oscar, 2026, 3, 2, 9, summary="Declined",
                attendees=[{'employee': olga.id}])
            Attendee.give_answer(list(declined.attendees), 'declined')
            create_meeting(company, oscar, 2026, 3, 2, 9, summary="Other")
            Meeting.cancel([
                    create_meeting(
                        company, olga, 2026, 3, 2, 9, summary="Cancelled")])
            create_meeting(company, olga, 2027, 3, 9, 9, summary="Far")
            create_meeting(
                company, olga, 2026, 3, 3, whole_day=True, summary="Day")
            party, = Party.create([{'name': "Customer"}])
            for Model in [Call, Task]:
                Model.create([{
                            'company': company.id,
                            'party': party.id,
                            'planned_date': to_utc(
                                company, dt.datetime(2026, 3, 2, 11)),
                            'summary': "Prices",
                            'assignee': assignee.id,
                            } for assignee in [olga, oscar]])
            type_, *_ = TaskType.search([('kind', 'in', ['incident', 'both'])])
            Task.create([{
                        'company': company.id,
                        'kind': 'incident',
                        'type': type_.id,
                        'planned_date': dt.datetime(2026, 3, 2, 11),
                        'summary': "Broken",
                        'assignee': olga.id,
                        }])
        events = self.events()
        self.assertEqual(
            set(events), {
                "Organised", "Attended", "Day",
                "Call: Customer: Prices", "Task: Customer: Prices",
                "Incident: Broken"})
        event = events["Organised"]
        start = event.decoded('dtstart')
        self.assertEqual(
            start.replace(tzinfo=None), dt.datetime(2026, 3, 2, 9))
        self.assertEqual(
            event['dtstart'].params['TZID'], 'America/Bogota')
        self.assertEqual(
            events["Attended"]['attendee'].params['PARTSTAT'], 'TENTATIVE')
        self.assertEqual(
            events["Day"].decoded('dtstart'), dt.date(2026, 3, 3))
        call = events["Call: Customer: Prices"]
        self.assertEqual(
            call.decoded('dtstart').astimezone(dt.timezone.utc).replace(
                tzinfo=None), dt.datetime(2026, 3, 2, 16))
        self.assertEqual(call['transp'], 'TRANSPARENT')
        # What was long ago is left out
        self.assertFalse(
            {"Organised", "Call: Customer: Prices"}
            & set(self.events(2026, 4, 10)))
        self.assertIn("Far", self.events(2026, 4, 10))

    def test_organiser(self):
        "Test that the organiser is told only by an e-mail address"
        self.addCleanup(
            config.set, 'email', 'from', config.get('email', 'from'))
        with Transaction().start(
                DB_NAME, 0, context={'company': self.company}), \
                freeze(2026, 3, 1):
            pool = Pool()
            Company = pool.get('company.company')
            company = Company(self.company)
            olga = self.get_employee()
            oscar = create_employee(company, "Oscar")
            create_meeting(company, olga, 2026, 3, 2, 9, summary="With")
            create_meeting(
                company, oscar, 2026, 3, 2, 11, summary="Without",
                attendees=[{'employee': olga.id}])
        for from_, organizer in [
                ('root', None),
                ('Sales <sales@example.com>', 'mailto:sales@example.com'),
                ]:
            with self.subTest(from_=from_):
                config.set('email', 'from', from_)
                events = self.events()
                self.assertEqual(
                    events["With"]['organizer'], 'mailto:olga@example.com')
                self.assertEqual(
                    events["Without"].get('organizer'), organizer)
                self.assertIn('attendee', events["Without"])

    def test_cache(self):
        "Test that it is fetched again only when it changes"
        response = self.get()
        self.assertIn(
            b'REFRESH-INTERVAL;VALUE=DURATION:PT15M', response.get_data())
        self.assertIn('private', response.headers['Cache-Control'])
        etag = response.headers['ETag']
        headers = {'If-None-Match': etag}
        response = self.get(headers=headers)
        self.assertEqual(response.status_code, HTTPStatus.NOT_MODIFIED)
        self.assertFalse(response.get_data())
        with Transaction().start(
                DB_NAME, 1, context={'company': self.company}), \
                freeze(2026, 3, 1):
            employee = self.get_employee()
            create_meeting(employee.company, employee, 2026, 3, 2, 9)
        response = self.get(headers=headers)
        self.assertEqual(response.status_code, HTTPStatus.OK)
        headers = {'If-None-Match': response.headers['ETag']}
        # Nothing changes with the time
        response = self.get(2026, 3, 1, 12, headers=headers)
        self.assertEqual(response.status_code, HTTPStatus.NOT_MODIFIED)

    def test_address(self):
        "Test that only the current address is known"
        self.assertEqual(self.get().status_code, HTTPStatus.OK)
        self.assertEqual(
            self.get(path=self.path.replace('.ics', 'x.ics')).status_code,
            HTTPStatus.NOT_FOUND)
        with Transaction().start(DB_NAME, 1):
            Feed = Pool().get('sale.agenda.feed')
            renewed = urlsplit(Feed.renew(self.get_employee())).path
            feed, = Feed.search([('employee', '=', self.employee)])
            # The database does not tell the address
            self.assertNotIn(feed.token_hash, renewed)
        self.assertEqual(self.get().status_code, HTTPStatus.NOT_FOUND)
        self.assertEqual(self.get(path=renewed).status_code, HTTPStatus.OK)
        with Transaction().start(DB_NAME, 1):
            Feed = Pool().get('sale.agenda.feed')
            Feed.revoke(self.get_employee())
        self.assertEqual(
            self.get(path=renewed).status_code, HTTPStatus.NOT_FOUND)

    def test_employee(self):
        "Test that who has left has no calendar"
        with Transaction().start(DB_NAME, 1):
            employee = self.get_employee()
            employee.end_date = dt.date.today() - dt.timedelta(days=2)
            employee.save()
        self.assertEqual(self.get().status_code, HTTPStatus.NOT_FOUND)

    def test_user(self):
        "Test that the calendar ends with the user"
        with Transaction().start(DB_NAME, 1):
            User = Pool().get('res.user')
            groups = list(map(int, User(self.user).groups))
        for values in [
                {'active': False},
                {'groups': [('remove', groups)]},
                {'employee': None, 'employees': [('remove', [self.employee])]},
                ]:
            with self.subTest(values=values):
                self.assertEqual(self.get().status_code, HTTPStatus.OK)
                with Transaction().start(DB_NAME, 1):
                    User = Pool().get('res.user')
                    User.write([User(self.user)], values)
                self.assertEqual(
                    self.get().status_code, HTTPStatus.NOT_FOUND)
                with Transaction().start(DB_NAME, 1):
                    User = Pool().get('res.user')
                    User.write([User(self.user)], {
                            'active': True,
                            'groups': [('add', groups)],
                            })

    @with_transaction()
    def test_wizard(self):
        "Test to create, renew and revoke the address"
        pool = Pool()
        Feed = pool.get('sale.agenda.feed')
        Address = pool.get('sale.agenda.feed.address', type='wizard')
        company = create_company()
        employee, colleague = [
            create_employee(company, name) for name in ["Oscar", "Olga"]]
        user = self.create_user(employee, 'group_tracking')

        def wizard():
            session_id, _, _ = Address.create()
            return Address(session_id)

        with self.as_user(user):
            self.assertIsNone(wizard().default_start({})['created'])
            addresses = set()
            for _ in range(2):
                address = wizard()
                self.assertEqual(address.transition_renew(), 'address')
                addresses.add(address.default_address({})['url'])
                self.assertTrue(wizard().default_start({})['created'])
            self.assertEqual(len(addresses), 2)
            with without_check_access():
                feed, = Feed.search([('employee', '=', employee.id)])
            # Neither without employee nor as somebody else
            for other in [None, colleague.id]:
                with self.subTest(employee=other), \
                        Transaction().set_context(employee=other):
                    for method in [
                            lambda: wizard().default_start({}),
                            lambda: wizard().transition_renew(),
                            lambda: wizard().transition_revoke(),
                            ]:
                        with self.assertRaises(AgendaFeedError):
                            method()
            with without_check_access():
                self.assertEqual(
                    Feed.search([('employee', '=', employee.id)]), [feed])
            wizard().transition_revoke()
            with without_check_access():
                self.assertFalse(
                    Feed.search([('employee', '=', employee.id)]))


del RouteTestCase
