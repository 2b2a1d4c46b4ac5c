# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import email
import re
from contextlib import contextmanager
from email.policy import default as default_policy
from unittest.mock import patch

from aiosmtpd.controller import Controller
from icalendar import Calendar, vCalAddress, vText

import trytond.config as config
from trytond.modules.company.tests import create_company
from trytond.modules.sale_opportunity_management.meeting.exceptions import (
    InvitationError)
from trytond.pool import Pool
from trytond.protocols.wrappers import HTTPStatus, exceptions
from trytond.tests.test_tryton import DB_NAME, RouteTestCase
from trytond.transaction import Transaction
from trytond.worker import run_task

from .test_meeting import create_meeting, create_person, freeze

BASE = 'https://crm.example.com'
NOW = (2026, 3, 1, 12)


class MailServer:
    "A SMTP server that keeps the messages it receives"

    def __init__(self):
        self.messages = []
        self.refused = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refused:
            return '550 no such user'
        envelope.rcpt_tos.append(address)
        return '250 OK'

    async def handle_DATA(self, server, session, envelope):
        self.messages.append((
                envelope.rcpt_tos,
                email.message_from_bytes(
                    envelope.content, policy=default_policy)))
        return '250 OK'


class MailController(Controller):

    def _trigger_server(self):
        # The port is the one that the system gave
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class MeetingMailTestCase(RouteTestCase):
    "Test what the attendees of meetings receive and answer"
    module = 'sale_opportunity_management'
    extras = ['inbound_email']

    @classmethod
    def setUpClass(cls):
        cls.server = MailServer()
        controller = MailController(cls.server, hostname='127.0.0.1', port=0)
        controller.start()
        cls.addClassCleanup(controller.stop)
        for section, name, value in [
                ('email', 'uri', f'smtp://127.0.0.1:{controller.port}'),
                ('email', 'from', 'crm@example.com'),
                ('email', 'retry', '0'),
                ('sale_opportunity_management', 'meeting_base', BASE),
                ('sale_opportunity_management', 'calendar_base', BASE),
                ]:
            if not config.has_section(section):
                config.add_section(section)
            cls.addClassCleanup(
                config.set, section, name,
                config.get(section, name, default=''))
            config.set(section, name, value)
        super().setUpClass()

    @classmethod
    def setUpDatabase(cls):
        pool = Pool()
        Inbox = pool.get('inbound.email.inbox')
        Lang = pool.get('ir.lang')
        Party = pool.get('party.party')
        User = pool.get('res.user')
        spanish, = Lang.search([('code', '=', 'es')])
        spanish.translatable = True
        spanish.save()
        company = create_company()
        company.timezone = 'Europe/Madrid'
        company.save()
        cls.company = company.id
        for name, address in [
                ('olga', 'olga@example.com'),
                ('oscar', 'oscar@example.com'),
                ('pablo', None),
                ]:
            employee = create_person(company, name.title(), address)
            setattr(cls, name, employee.id)
            user, = User.create([{
                        'name': name.title(),
                        'login': name,
                        'companies': [('add', [company.id])],
                        'company': company.id,
                        'employees': [('add', [employee.id])],
                        'employee': employee.id,
                        }])
            setattr(cls, f'{name}_user', user.id)
        customer, = Party.create([{
                    'name': "Óptica Núñez",
                    'lang': spanish.id,
                    'contact_mechanisms': [('create', [{
                                    'type': 'email',
                                    'value': 'info@nunez.example',
                                    }])],
                    }])
        cls.customer = customer.id
        Inbox.create([{
                    'name': "Answers",
                    'identifier': 'answers',
                    'rules': [('create', [{
                                    'action': 'sale.meeting.attendee|'
                                    'answer_inbound_email',
                                    }])],
                    }])

    def setUp(self):
        super().setUp()
        self.server.messages.clear()
        self.server.refused.clear()
        with Transaction().start(DB_NAME, 0):
            Notification = Pool().get('res.notification')
            if notifications := Notification.search([]):
                Notification.delete(notifications)

    def invitations(self, meeting, *now):
        "Return if the attendees were told, as their list shows it"
        with freeze(*(now or NOW)), Transaction().start(DB_NAME, 0):
            Meeting = Pool().get('sale.meeting')
            return {
                a.email or a.rec_name: a.invitation
                for a in Meeting(meeting).attendees}

    @contextmanager
    def transaction(self, *now, user=None):
        "Do as the dispatcher: run the tasks of the queue after the commit"
        with freeze(*(now or NOW)):
            with Transaction().start(
                    DB_NAME, self.olga_user if user is None else user,
                    context={
                        'company': self.company,
                        'employee': self.olga,
                        # The meetings of the tests are at the same time
                        '_skip_warnings': True,
                        }) as transaction:
                yield transaction
            while transaction.tasks:
                run_task(DB_NAME, transaction.tasks.pop())

    @contextmanager
    def no_server(self):
        "Let the tasks of the queue fail by lack of a mail server"
        with patch.object(
                Pool, 'test', True), patch(
                'trytond.modules.sale_opportunity_management'
                '.outgoing_email.get_smtp_server',
                side_effect=ConnectionRefusedError), \
                self.assertLogs('trytond.worker', 'CRITICAL'):
            yield

    def send_waiting(self, *now):
        with self.transaction(*now, user=0):
            OutgoingEmail = Pool().get('sale.outgoing_email')
            OutgoingEmail.send_waiting()

    def create_meeting(self, *moment, attendees=None, **values):
        "Create a meeting of Olga with Oscar, a customer and somebody else"
        pool = Pool()
        Company = pool.get('company.company')
        Employee = pool.get('company.employee')
        if attendees is None:
            attendees = [
                {'employee': self.oscar},
                {'party': self.customer},
                {'email': 'somebody@example.org'},
                ]
        return create_meeting(
            Company(self.company), Employee(self.olga), *moment,
            attendees=attendees, **values).id

    def invite(self, *moment, **values):
        "Return the id of a meeting whose attendees are invited"
        with self.transaction():
            Meeting = Pool().get('sale.meeting')
            meeting = self.create_meeting(*moment, **values)
            Meeting.invite([Meeting(meeting)])
        return meeting

    def receive(self):
        "Return the received messages by address, nobody gets two"
        messages = {}
        for addresses, message in self.server.messages:
            address, = addresses
            self.assertNotIn(address, messages)
            messages[address] = message
        self.server.messages.clear()
        return messages

    def notified(self):
        "Return the labels of the new notifications by login"
        with self.transaction(user=0):
            Notification = Pool().get('res.notification')
            notifications = Notification.search([('unread', '=', True)])
            labels = {n.user.login: n.label for n in notifications}
            # Nobody gets two
            self.assertEqual(len(labels), len(notifications))
            Notification.write(notifications, {'unread': False})
        return labels

    def calendar(self, message):
        "Return the calendar of the message and its event"
        part, = [
            p for p in message.walk()
            if p.get_content_type() == 'text/calendar']
        attachment, = [
            p for p in message.walk()
            if p.get_content_type() == 'application/ics']
        self.assertEqual(
            part.get_content().split(), attachment.get_content().decode(
                ).split())
        calendar = Calendar.from_ical(part.get_content())
        self.assertEqual(
            part.get_param('method'), str(calendar['method']))
        event, = calendar.walk('VEVENT')
        return calendar, event

    def link(self, message):
        "Return the path of the link to answer of the message"
        text = message.get_body(('html',)).get_content()
        links = set(re.findall(r'href="%s([^"?]*)\?answer=' % BASE, text))
        link, = links
        return link

    def answers(self, meeting):
        with self.transaction():
            Meeting = Pool().get('sale.meeting')
            return {
                a.email: a.answer for a in Meeting(meeting).attendees}

    def test_invitation(self):
        "Test what is sent to the attendees"
        meeting = self.invite(
            2026, 3, 27, 9, summary="Visit, 2; \"new\" store",
            place="Calle Mayor 1", link='https://meet.example.com/x',
            agenda="Prices\nDelivery")
        messages = self.receive()
        self.assertEqual(
            set(messages), {
                'oscar@example.com', 'info@nunez.example',
                'somebody@example.org'})
        message = messages['oscar@example.com']
        self.assertEqual(
            message['Subject'], "Invitation: Visit, 2; \"new\" store")
        self.assertEqual(message['To'], 'Oscar <oscar@example.com>')
        self.assertIn('olga@example.com', message['From'])
        text = message.get_body(('plain',)).get_content()
        self.assertIn("09:00 – 10:00 (Europe/Madrid)", text)
        self.assertIn("Calle Mayor 1", text)
        self.assertIn("Olga invites you", text)
        calendar, event = self.calendar(message)
        self.assertEqual(calendar['method'], 'REQUEST')
        self.assertEqual(event['sequence'], 0)
        self.assertEqual(event['status'], 'CONFIRMED')
        self.assertEqual(event['summary'], "Visit, 2; \"new\" store")
        self.assertEqual(event['description'], "Prices\nDelivery")
        self.assertEqual(
            event['location'], "Calle Mayor 1, https://meet.example.com/x")
        self.assertEqual(event['organizer'], 'mailto:olga@example.com')
        self.assertEqual(
            {str(a): a.params['PARTSTAT'] for a in event['attendee']}, {
                'mailto:oscar@example.com': 'NEEDS-ACTION',
                'mailto:info@nunez.example': 'NEEDS-ACTION',
                'mailto:somebody@example.org': 'NEEDS-ACTION',
                })
        zone, = calendar.walk('VTIMEZONE')
        self.assertEqual(zone['TZID'], 'Europe/Madrid')
        self.assertEqual(event['dtstart'].params['TZID'], 'Europe/Madrid')
        self.assertEqual(
            event.decoded('dtstart').replace(tzinfo=None),
            dt.datetime(2026, 3, 27, 9))
        # Each has the own link and nobody the one of another
        links = {self.link(m) for m in messages.values()}
        self.assertEqual(len(links), 3)
        for message in messages.values():
            self.assertEqual(
                sum(link in message.as_string() or link in
                    message.get_body(('html',)).get_content()
                    for link in links), 1)
        # Once is enough
        with self.transaction():
            Meeting = Pool().get('sale.meeting')
            Meeting.queue_invitations([Meeting(meeting)])
            Meeting.invite([Meeting(meeting)])
            Meeting.send_missing_invitations()
        self.assertFalse(self.receive())

    def test_language(self):
        "Test that each attendee reads the own language"
        self.invite(2026, 3, 27, 9, summary="Visita")
        messages = self.receive()
        for address, language, text in [
                ('somebody@example.org', 'en', "03/27/2026"),
                ('info@nunez.example', 'es', "27/03/2026"),
                ]:
            for type_ in ['html', 'plain']:
                with self.subTest(address=address, type=type_):
                    body = messages[address].get_body((type_,))
                    self.assertEqual(body['Content-Language'], language)
                    self.assertIn(text, body.get_content())

    def test_time_zone(self):
        "Test that the calendars show the hour on both sides of the change"
        for day, offset in [(27, 1), (30, 2)]:
            with self.subTest(day=day):
                self.invite(2026, 3, day, 9)
                _, message = self.receive().popitem()
                calendar, event = self.calendar(message)
                start = event.decoded('dtstart')
                self.assertEqual(
                    start.replace(tzinfo=None),
                    dt.datetime(2026, 3, day, 9))
                zone, = calendar.walk('VTIMEZONE')
                # What the message says of the zone, not what we know of it
                moment = zone.to_tz(lookup_tzid=False).utcoffset(
                    dt.datetime(2026, 3, day, 9))
                self.assertEqual(moment, dt.timedelta(hours=offset))

    def test_whole_day(self):
        "Test that whole days are dates"
        self.invite(2026, 3, 28, whole_day=True, duration=dt.timedelta(2))
        _, message = self.receive().popitem()
        calendar, event = self.calendar(message)
        self.assertEqual(event.decoded('dtstart'), dt.date(2026, 3, 28))
        self.assertEqual(event.decoded('dtend'), dt.date(2026, 3, 30))
        self.assertFalse(calendar.walk('VTIMEZONE'))

    def test_alarm(self):
        "Test that the calendars of others remind of the meeting"
        for values, trigger in [
                ({'reminder': dt.timedelta(minutes=30)},
                    -dt.timedelta(minutes=30)),
                ({'reminder': dt.timedelta(hours=12), 'whole_day': True},
                    -dt.timedelta(hours=3)),
                ({'reminder': None}, None),
                ]:
            with self.subTest(**values):
                meeting = self.invite(2026, 3, 27, 9, **values)
                alarms = {}
                for address, message in self.receive().items():
                    _, event = self.calendar(message)
                    alarms[address] = event.walk('VALARM')
                # The employees get the reminders of the system
                self.assertEqual(alarms.pop('oscar@example.com'), [])
                self.assertEqual(len(alarms), 2)
                for alarm in alarms.values():
                    if trigger is None:
                        self.assertEqual(alarm, [])
                        continue
                    alarm, = alarm
                    self.assertEqual(alarm['action'], 'DISPLAY')
                    self.assertEqual(alarm['description'], "Meeting")
                    self.assertEqual(alarm.decoded('trigger'), trigger)
                with self.transaction():
                    Meeting = Pool().get('sale.meeting')
                    Meeting.cancel([Meeting(meeting)])
                for message in self.receive().values():
                    _, event = self.calendar(message)
                    self.assertEqual(event['status'], 'CANCELLED')
                    self.assertFalse(event.walk('VALARM'))

    def test_changes(self):
        "Test that the attendees are told of each change"
        meeting = self.invite(2026, 3, 27, 9)
        uid = self.calendar(self.receive().popitem()[1])[1]['uid']
        with self.transaction():
            Meeting = Pool().get('sale.meeting')
            Attendee = Pool().get('sale.meeting.attendee')
            Attendee.write(
                list(Meeting(meeting).attendees), {'answer': 'accepted'})
        sequence = 0
        for values, told, answer in [
                ({'description': "Minutes"}, False, 'accepted'),
                ({'reminder': dt.timedelta(hours=1)}, False, 'accepted'),
                ({'summary': "Meeting"}, False, 'accepted'),
                ({'summary': "Visit"}, True, 'accepted'),
                ({'place': "Here"}, True, 'accepted'),
                ({'planned_date': dt.datetime(2026, 3, 30, 7)},
                    True, 'needs_action'),
                ({'duration': dt.timedelta(hours=2)}, True, 'needs_action'),
                ({'whole_day': True}, True, 'needs_action'),
                ]:
            with self.subTest(values=values):
                with self.transaction():
                    Meeting.write([Meeting(meeting)], values)
                messages = self.receive()
                self.assertEqual(len(messages), 3 if told else 0)
                if told:
                    sequence += 1
                    message = messages['oscar@example.com']
                    self.assertTrue(
                        message['Subject'].startswith("Changed: "))
                    calendar, event = self.calendar(message)
                    self.assertEqual(calendar['method'], 'REQUEST')
                    self.assertEqual(event['uid'], uid)
                    self.assertEqual(event['sequence'], sequence)
                self.assertEqual(
                    set(self.answers(meeting).values()), {answer})
        # Several changes at once are told once
        with self.transaction():
            Meeting.write([Meeting(meeting)], {'place': "There"})
            Meeting.write([Meeting(meeting)], {
                    'agenda': "Agenda",
                    'attendees': [('create', [{'email': 'new@example.com'}])],
                    })
        messages = self.receive()
        self.assertEqual(len(messages), 4)
        self.assertTrue(
            messages['new@example.com']['Subject'].startswith("Invitation: "))
        for message in messages.values():
            _, event = self.calendar(message)
            self.assertEqual(event['sequence'], sequence + 1)
        with self.transaction():
            Meeting.cancel([Meeting(meeting)])
        messages = self.receive()
        self.assertEqual(len(messages), 4)
        for message in messages.values():
            calendar, event = self.calendar(message)
            self.assertEqual(calendar['method'], 'CANCEL')
            self.assertEqual(event['status'], 'CANCELLED')
            self.assertEqual(event['uid'], uid)
            self.assertEqual(event['sequence'], sequence + 2)

    def test_change_texts(self):
        "Test that the message tells what changed since the last one"
        def before(message):
            text = message.get_body(('plain',)).get_content()
            return [
                t.strip() for t in re.findall(r'(?:Before|Antes): (.*)', text)]

        meeting = self.invite(
            2026, 3, 27, 9, summary="Visit", place="Calle Mayor 1")
        for message in self.receive().values():
            self.assertEqual(before(message), [])
        for values, en, es in [
                ({'planned_date': dt.datetime(2026, 3, 30, 7)},
                    ["Friday 03/27/2026 09:00 – 10:00 (Europe/Madrid)"],
                    ["27/03/2026 09:00 – 10:00 (Europe/Madrid)"]),
                ({'place': None, 'link': 'https://meet.example.com/x'},
                    ["Calle Mayor 1", "–"], ["Calle Mayor 1", "–"]),
                ({'summary': "Sale"}, ["Visit"], ["Visit"]),
                ]:
            with self.subTest(values=values):
                with self.transaction():
                    Meeting = Pool().get('sale.meeting')
                    Meeting.write([Meeting(meeting)], values)
                messages = self.receive()
                self.assertEqual(
                    before(messages['somebody@example.org']), en)
                for text, part in zip(
                        before(messages['info@nunez.example']), es,
                        strict=True):
                    self.assertIn(part, text)
        # All since what could be sent
        with self.no_server():
            with self.transaction():
                Meeting = Pool().get('sale.meeting')
                Meeting.write([Meeting(meeting)], {'summary': "Offer"})
            with self.transaction():
                Meeting = Pool().get('sale.meeting')
                Meeting.write([Meeting(meeting)], {'place': "Here"})
        with self.transaction():
            Meeting = Pool().get('sale.meeting')
            Meeting.send_missing_invitations()
        for message in self.receive().values():
            self.assertEqual(before(message), ["Sale", "–"])
        with self.transaction():
            Meeting = Pool().get('sale.meeting')
            Meeting.cancel([Meeting(meeting)])
        for message in self.receive().values():
            self.assertEqual(before(message), [])

    def test_reopen(self):
        "Test that who was told of the cancellation is invited again"
        with self.transaction():
            pool = Pool()
            Company = pool.get('company.company')
            Party = pool.get('party.party')
            Tracking = pool.get('sale.tracking')
            Unit = pool.get('sale.business_unit')
            Meeting = pool.get('sale.meeting')
            unit, = Unit.search([], limit=1)
            tracking, = Tracking.create([{
                        'company': Company(self.company).id,
                        'party': Party(self.customer).id,
                        'business_unit': unit.id,
                        }])
        meetings = [
            self.invite(2026, 3, day, 9, tracking=tracking.id)
            for day in [2, 27, 28]]
        self.server.messages.clear()
        with self.transaction():
            Meeting.cancel([Meeting(meetings[2])])
        self.receive()
        with self.transaction():
            for attendee in Meeting(meetings[1]).attendees:
                attendee.answer = 'accepted'
                attendee.save()
            with Transaction().set_context(_skip_warnings=True):
                Tracking.close([Tracking(tracking.id)])
        for _, message in self.server.messages:
            self.assertEqual(
                self.calendar(message)[0]['method'], 'CANCEL')
        self.assertEqual(len(self.server.messages), 6)
        self.server.messages.clear()
        # The first one is over
        with self.transaction(2026, 3, 3):
            Tracking.reopen([Tracking(tracking.id)])
            self.assertEqual(
                [(m.state, m.sequence) for m in Meeting.browse(meetings)],
                [('pending', 1), ('pending', 2), ('cancelled', 1)])
        messages = self.receive()
        self.assertEqual(len(messages), 3)
        for message in messages.values():
            self.assertTrue(message['Subject'].startswith("Invit"))
            calendar, event = self.calendar(message)
            self.assertEqual(calendar['method'], 'REQUEST')
            self.assertEqual(event['status'], 'CONFIRMED')
            self.assertEqual(event['sequence'], 2)
        self.assertEqual(
            set(self.answers(meetings[1]).values()), {'needs_action'})

    def test_attendees(self):
        "Test that only who joins or leaves is told"
        meeting = self.invite(2026, 3, 27, 9)
        self.receive()
        with self.transaction():
            Meeting = Pool().get('sale.meeting')
            Attendee = Pool().get('sale.meeting.attendee')
            Attendee.create([
                    {'meeting': meeting, 'email': 'new@example.com'}])
        message, = self.receive().values()
        self.assertEqual(message['To'], 'new@example.com')
        path = self.link(message)
        with self.transaction():
            Attendee.delete([
                    a for a in Meeting(meeting).attendees
                    if a.email == 'new@example.com'])
        message, = self.receive().values()
        self.assertEqual(message['To'], 'new@example.com')
        calendar, event = self.calendar(message)
        self.assertEqual(calendar['method'], 'CANCEL')
        # For the others the meeting takes place
        self.assertNotIn('status', event)
        self.assertEqual(event['attendee'], 'mailto:new@example.com')
        self.assertEqual(
            self.client().get(path).status_code, HTTPStatus.NOT_FOUND)

    def test_organiser(self):
        "Test that the organiser gets no invitation"
        self.invite(2026, 3, 27, 9, attendees=[
                {'employee': self.olga}, {'employee': self.oscar}])
        self.assertEqual(set(self.receive()), {'oscar@example.com'})

    def test_organiser_no_email(self):
        "Test that the answers to who has no e-mail are sent to the system"
        self.addCleanup(config.set, 'email', 'from', 'crm@example.com')
        for from_, address in [
                ('Sales Team <sales@example.com>', 'sales@example.com'),
                # An invitation needs an organiser
                ('root', 'root'),
                ]:
            with self.subTest(from_=from_):
                config.set('email', 'from', from_)
                with self.transaction(user=0):
                    Company = Pool().get('company.company')
                    Meeting = Pool().get('sale.meeting')
                    organiser = create_person(
                        Company(self.company), "Pablo").id
                    meeting = self.create_meeting(
                        2026, 3, 27, 9, assignee=organiser,
                        attendees=[{'employee': self.oscar}])
                    Meeting.invite([Meeting(meeting)])
                message, = self.receive().values()
                self.assertEqual(message['From'], f'Pablo <{address}>')
                self.assertEqual(message['Reply-To'], f'Pablo <{address}>')
                _, event = self.calendar(message)
                self.assertEqual(event['organizer'], f'mailto:{address}')

    def test_notification(self):
        "Test that the users who attend are notified on the screen"
        with self.transaction(user=0):
            User = Pool().get('res.user')
            Lang = Pool().get('ir.lang')
            spanish, = Lang.search([('code', '=', 'es')])
            User.write([User(self.pablo_user)], {'language': spanish.id})
        meeting = self.invite(
            2026, 3, 27, 9, summary="Visit", place="Calle Mayor 1",
            attendees=[
                {'employee': self.olga},
                {'employee': self.oscar},
                {'employee': self.pablo},
                {'party': self.customer},
                ])
        with self.transaction():
            Notification = Pool().get('res.notification')
            notifications = Notification.search([])
            days = {
                self.oscar_user: "03/27/2026", self.pablo_user: "27/03/2026"}
            self.assertEqual({n.user.id for n in notifications}, set(days))
            for notification in notifications:
                self.assertIn("Visit", notification.label)
                for text in [
                        days[notification.user.id], "09:00", "Calle Mayor 1",
                        "Olga"]:
                    self.assertIn(text, notification.description)
                self.assertEqual(notification.model, 'sale.meeting')
                self.assertEqual(notification.records, f'[{meeting}]')
        with self.transaction(user=0):
            User = Pool().get('res.user')
            User.write([User(self.pablo_user)], {'language': None})
        self.notified()
        self.assertEqual(
            set(self.receive()), {'oscar@example.com', 'info@nunez.example'})
        for values, prefix in [
                ([{'description': "Minutes"}], None),
                ([{'place': "Here"}], "Changed"),
                ([{'planned_date': dt.datetime(2026, 3, 30, 7)}], "Changed"),
                # Several changes at once are told once
                ([{'place': "There"}, {'agenda': "Agenda"}], "Changed"),
                ([{'state': 'cancelled'}], "Cancelled"),
                ([{'state': 'pending'}], "Invitation"),
                ]:
            with self.subTest(values=values):
                with self.transaction():
                    Meeting = Pool().get('sale.meeting')
                    for change in values:
                        Meeting.write([Meeting(meeting)], change)
                self.assertEqual(
                    self.notified(), dict.fromkeys(
                        ['oscar', 'pablo'], f"{prefix}: Visit")
                    if prefix else {})
        # Once is enough
        with self.transaction():
            Meeting = Pool().get('sale.meeting')
            Meeting.queue_invitations([Meeting(meeting)])
            Meeting.send_missing_invitations()
        self.assertFalse(self.notified())

    def test_notification_author(self):
        "Test that nobody is notified of the own changes"
        meeting = self.invite(2026, 3, 27, 9, attendees=[
                {'employee': self.oscar},
                {'employee': self.pablo},
                ])
        self.notified()
        for user, login in [
                (self.oscar_user, 'pablo'),
                (self.pablo_user, 'oscar'),
                ]:
            with self.subTest(login=login):
                with self.transaction(user=user):
                    Meeting = Pool().get('sale.meeting')
                    Meeting.write([Meeting(meeting)], {'place': login})
                self.assertEqual(
                    self.notified(), {login: "Changed: Meeting"})
        # Neither is the organiser of what others change
        with self.transaction(user=0):
            Attendee = Pool().get('sale.meeting.attendee')
            Attendee.create([{'meeting': meeting, 'employee': self.olga}])
            Meeting.cancel([Meeting(meeting)])
        self.assertEqual(set(self.notified()), {'oscar', 'pablo'})

    def test_notification_attendees(self):
        "Test that who joins or leaves is notified"
        meeting = self.invite(2026, 3, 27, 9)
        self.assertEqual(self.notified(), {'oscar': "Invitation: Meeting"})
        with self.transaction():
            Attendee = Pool().get('sale.meeting.attendee')
            attendee, = Attendee.create([
                    {'meeting': meeting, 'employee': self.pablo}])
        self.assertEqual(self.notified(), {'pablo': "Invitation: Meeting"})
        with self.transaction():
            Attendee.delete([Attendee(attendee.id)])
        self.assertEqual(self.notified(), {'pablo': "Cancelled: Meeting"})

    def test_notification_no_email(self):
        "Test that users are invited also without e-mail"
        with self.transaction():
            Company = Pool().get('company.company')
            Meeting = Pool().get('sale.meeting')
            stranger = create_person(Company(self.company), "Quim").id
            meeting = self.create_meeting(
                2026, 3, 27, 9, attendees=[{'employee': stranger}])
            with self.assertRaises(InvitationError):
                Meeting.invite([Meeting(meeting)])
        self.invite(2026, 3, 27, 9, attendees=[
                {'employee': self.pablo}, {'employee': stranger}])
        self.assertEqual(self.notified(), {'pablo': "Invitation: Meeting"})
        self.assertFalse(self.receive())

    def test_notification_over(self):
        "Test that nobody is notified where nobody is sent a message"
        meetings = [self.invite(2026, 3, day, 9) for day in [26, 27]]
        self.server.messages.clear()
        with self.transaction():
            Notification = Pool().get('res.notification')
            if notifications := Notification.search([]):
                Notification.delete(notifications)
        with self.transaction():
            pool = Pool()
            Attendee = pool.get('sale.meeting.attendee')
            Meeting = pool.get('sale.meeting')
            Attendee.write([
                    a for m in Meeting.browse(meetings) for a in m.attendees
                    if a.employee], {'answer': 'declined'})
        # The place may be why
        with self.transaction():
            Meeting.write([Meeting(meetings[1])], {'place': "Here"})
        self.assertIn('oscar@example.com', self.receive())
        self.assertEqual(self.notified(), {'oscar': "Changed: Meeting"})
        with self.transaction(2026, 3, 26, 12):
            Meeting.write([Meeting(meetings[0])], {'place': "Here"})
            Meeting.write([Meeting(meetings[1])], {
                    'state': 'done',
                    'done_date': dt.datetime(2026, 3, 26, 9),
                    })
        with self.transaction(2026, 3, 26, 12):
            # It was never announced
            self.create_meeting(2026, 3, 27, 9)
        self.assertFalse(self.receive())
        self.assertFalse(self.notified())

    def test_over(self):
        "Test that nobody is told of what is over"
        meeting = self.invite(2026, 3, 27, 9)
        self.receive()
        with self.transaction(2026, 3, 27, 12):
            Meeting = Pool().get('sale.meeting')
            Meeting.write([Meeting(meeting)], {
                    'state': 'done',
                    'done_date': dt.datetime(2026, 3, 27, 9),
                    'description': "Minutes",
                    })
        self.assertFalse(self.receive())

    def test_no_server(self):
        "Test that what could not be sent is sent later, once"
        with self.no_server():
            meeting = self.invite(2026, 3, 27, 9)
        self.assertFalse(self.receive())
        # The screen does not wait for it
        self.assertEqual(self.notified(), {'oscar': "Invitation: Meeting"})
        self.assertEqual(
            set(self.invitations(meeting).values()), {'to_send'})
        # Nobody is invited any more to what is over
        self.assertEqual(
            set(self.invitations(meeting, 2026, 3, 28).values()), {None})
        with self.transaction(user=0):
            Meeting = Pool().get('sale.meeting')
            Meeting.send_missing_invitations()
        self.assertEqual(len(self.receive()), 3)
        self.assertEqual(set(self.invitations(meeting).values()), {'sent'})
        with self.transaction():
            planned = self.create_meeting(2026, 3, 26, 9)
        self.assertEqual(set(self.invitations(planned).values()), {None})
        self.assertFalse(self.notified())
        with self.transaction(user=0):
            Meeting.send_missing_invitations()
        self.assertFalse(self.receive())
        self.assertTrue(meeting)

    def test_leave_no_server(self):
        "Test that who leaves is told when the mail server is back"
        meeting = self.invite(2026, 3, 27, 9)
        self.receive()
        with self.no_server(), self.transaction():
            Meeting = Pool().get('sale.meeting')
            Attendee = Pool().get('sale.meeting.attendee')
            Attendee.delete([
                    a for a in Meeting(meeting).attendees if not a.employee])
        self.assertFalse(self.receive())
        self.send_waiting()
        self.assertEqual({
                a: str(self.calendar(m)[0]['method'])
                for a, m in self.receive().items()}, {
                'info@nunez.example': 'CANCEL',
                'somebody@example.org': 'CANCEL',
                })
        self.send_waiting()
        self.assertFalse(self.receive())

    def test_reminder_no_server(self):
        "Test that the reminders are sent when the mail server is back"
        for moment, received in [
                ((2026, 4, 20, 7, 59), {
                        'olga@example.com', 'oscar@example.com'}),
                ((2026, 4, 20, 8), set()),
                ]:
            with self.subTest(moment=moment):
                with self.transaction():
                    self.create_meeting(
                        2026, 4, 20, 9, reminder=dt.timedelta(minutes=15))
                with self.no_server(), \
                        self.transaction(2026, 4, 20, 6, 45, user=0):
                    Activity = Pool().get('sale.activity')
                    Activity.send_reminders()
                # The screen does not wait for it
                self.assertEqual(set(self.notified()), {'olga', 'oscar'})
                self.assertFalse(self.receive())
                for _ in range(2):
                    self.send_waiting(*moment)
                    self.assertEqual(set(self.receive()), received)
                    received = set()

    def test_refused(self):
        "Test that a refused address does not hold up the others"
        self.server.refused.add('oscar@example.com')
        with self.assertLogs('trytond.sendmail', 'ERROR'):
            self.invite(2026, 3, 27, 9)
        self.assertEqual(
            set(self.receive()), {
                'info@nunez.example', 'somebody@example.org'})

    def test_answer_link(self):
        "Test to answer by the link"
        meeting = self.invite(
            2026, 3, 27, 9, summary="<b>Visit</b>",
            link='https://meet.example.com/"x')
        path = self.link(self.receive()['info@nunez.example'])
        client = self.client()
        with freeze(*NOW):
            # What follows the link answers nothing
            response = client.get(path + '?answer=accepted')
        self.assertEqual(response.status_code, HTTPStatus.OK)
        page = response.get_data(as_text=True)
        self.assertIn('lang="es"', page)
        self.assertIn("&lt;b&gt;Visit", page)
        self.assertIn('href="https://meet.example.com/&#34;x"', page)
        self.assertIn("09:00 – 10:00", page)
        self.assertIn('value="accepted" class="wanted"', page)
        self.assertEqual(response.headers['Referrer-Policy'], 'no-referrer')
        self.assertEqual(response.headers['Cache-Control'], 'no-store')
        self.assertEqual(
            set(self.answers(meeting).values()), {'needs_action'})
        for answer in ['accepted', 'declined', 'tentative']:
            with self.subTest(answer=answer):
                with freeze(*NOW):
                    response = client.post(path, data={'answer': answer})
                self.assertEqual(response.status_code, HTTPStatus.OK)
                self.assertEqual(
                    self.answers(meeting), {
                        'oscar@example.com': 'needs_action',
                        'info@nunez.example': answer,
                        'somebody@example.org': 'needs_action',
                        })
        # The organiser is told
        with self.transaction():
            Notification = Pool().get('res.notification')
            notifications = Notification.search([
                    ('user', '=', self.olga_user),
                    ('records', '=', f'[{meeting}]'),
                    ])
            self.assertEqual(len(notifications), 3)
            self.assertEqual(
                notifications[0].description, "Óptica Núñez: Tentative")

    def test_answer_wrong(self):
        "Test wrong answers by the link"
        meeting = self.invite(2026, 3, 27, 9)
        path = self.link(self.receive()['somebody@example.org'])
        client = self.client()
        with freeze(*NOW):
            for data in [{}, {'answer': ''}, {'answer': 'needs_action'}]:
                with self.subTest(data=data):
                    self.assertEqual(
                        client.post(path, data=data).status_code,
                        HTTPStatus.BAD_REQUEST)
            for method in [client.get, client.post]:
                response = method(
                    path[:-1], data={'answer': 'accepted'}, headers={
                        'Accept-Language': 'es-CO,es;q=0.9'})
                self.assertEqual(
                    response.status_code, HTTPStatus.NOT_FOUND)
                self.assertIn(
                    'lang="es"', response.get_data(as_text=True))
            with self.assertRaises(exceptions.Forbidden):
                client.post(
                    path, data={'answer': 'accepted'},
                    headers={'Origin': 'https://evil.example'})
        with freeze(2026, 3, 27, 9, 1):
            response = client.post(path, data={'answer': 'accepted'})
        self.assertEqual(response.status_code, HTTPStatus.GONE)
        self.assertIn("over", response.get_data(as_text=True))
        with self.transaction():
            Meeting = Pool().get('sale.meeting')
            Meeting.cancel([Meeting(meeting)])
        with freeze(*NOW):
            response = client.post(path, data={'answer': 'accepted'})
            self.assertEqual(response.status_code, HTTPStatus.GONE)
            response = client.get(path)
        self.assertEqual(response.status_code, HTTPStatus.OK)
        page = response.get_data(as_text=True)
        self.assertIn("cancelled", page)
        self.assertNotIn('<button', page)
        self.assertEqual(
            set(self.answers(meeting).values()), {'needs_action'})

    def reply(self, message, partstat, address, from_=None, **properties):
        "Send the answer of the calendar of the attendee"
        calendar, event = self.calendar(message)
        calendar['method'] = vText(properties.pop('method', 'REPLY'))
        attendee = vCalAddress(f'MAILTO:{address}')
        attendee.params['PARTSTAT'] = vText(partstat)
        event['attendee'] = attendee
        for name, value in properties.items():
            event[name] = value
        reply = email.message.EmailMessage()
        reply['From'] = f'Somebody <{from_ or address}>'
        reply['To'] = 'olga@example.com'
        reply['Subject'] = f"Accepted: {event['summary']}"
        reply.set_content("Somebody answered")
        reply.add_alternative(
            calendar.to_ical().decode(), subtype='calendar',
            params={'method': 'REPLY'})
        with freeze(*NOW):
            response = self.client().post(
                f'/{DB_NAME}/inbound_email/inbox/answers',
                data=reply.as_bytes())
        self.assertEqual(response.status_code, HTTPStatus.NO_CONTENT)

    def test_reply(self):
        "Test to answer by the calendar of the attendee"
        address = 'info@nunez.example'
        meeting = self.invite(2026, 3, 27, 9)
        message = self.receive()[address]
        for partstat, answer in [
                ('ACCEPTED', 'accepted'),
                ('DECLINED', 'declined'),
                ('TENTATIVE', 'tentative'),
                # What says nothing changes nothing
                ('NEEDS-ACTION', 'tentative'),
                ('DELEGATED', 'tentative'),
                ]:
            with self.subTest(partstat=partstat):
                self.reply(message, partstat, address.upper())
                self.assertEqual(
                    self.answers(meeting), {
                        'oscar@example.com': 'needs_action',
                        'info@nunez.example': answer,
                        'somebody@example.org': 'needs_action',
                        })

    def test_reply_wrong(self):
        "Test that wrong replies are refused"
        address = 'somebody@example.org'
        meeting = self.invite(2026, 3, 27, 9)
        message = self.receive()[address]
        with self.transaction():
            Meeting = Pool().get('sale.meeting')
            Meeting.write([Meeting(meeting)], {
                    'planned_date': dt.datetime(2026, 3, 27, 10),
                    })
        changed = self.receive()[address]
        for name, args, kwargs in [
                ("older sequence", (message, 'ACCEPTED', address), {}),
                ("not an attendee",
                    (changed, 'ACCEPTED', 'other@example.org'), {}),
                ("for another",
                    (changed, 'ACCEPTED', address),
                    {'from_': 'oscar@example.com'}),
                ("unknown meeting",
                    (changed, 'ACCEPTED', address), {'uid': 'x'}),
                ("no reply",
                    (changed, 'ACCEPTED', address), {'method': 'REQUEST'}),
                ]:
            with self.subTest(name):
                self.reply(*args, **kwargs)
                self.assertEqual(
                    set(self.answers(meeting).values()), {'needs_action'})
        self.reply(changed, 'ACCEPTED', address)
        self.assertEqual(self.answers(meeting)[address], 'accepted')

    def test_reply_unreadable(self):
        "Test that what is not a calendar is left alone"
        reply = email.message.EmailMessage()
        reply['From'] = 'somebody@example.org'
        reply.set_content("BEGIN:VCALENDAR\r\nX", subtype='calendar')
        response = self.client().post(
            f'/{DB_NAME}/inbound_email/inbox/answers', data=reply.as_bytes())
        self.assertEqual(response.status_code, HTTPStatus.NO_CONTENT)

    def test_reply_sequence(self):
        "Test that replies without one readable sequence are left alone"
        meeting = self.invite(2026, 3, 27, 9)
        with self.transaction():
            Attendee = Pool().get('sale.meeting.attendee')
            uid = Pool().get('sale.meeting')(meeting).uid
            for lines, read in [
                    (['SEQUENCE:0'], True),
                    (['SEQUENCE:0', 'SEQUENCE:1'], False),
                    (['SEQUENCE:x'], False),
                    ]:
                with self.subTest(lines=lines):
                    data = '\r\n'.join([
                            'BEGIN:VCALENDAR',
                            'METHOD:REPLY',
                            'BEGIN:VEVENT',
                            f'UID:{uid}',
                            *lines,
                            'ATTENDEE;PARTSTAT=ACCEPTED:'
                            'mailto:somebody@example.org',
                            'END:VEVENT',
                            'END:VCALENDAR',
                            ''])
                    self.assertEqual(
                        bool(list(Attendee._parse_replies(data))), read)


del RouteTestCase
