# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest
from unittest.mock import patch

from trytond.exceptions import UserError
from trytond.model.exceptions import AccessError, RequiredValidationError
from trytond.modules.company.tests import create_company, create_employee
from trytond.modules.party.exceptions import EraseError
from trytond.modules.sale_opportunity_management.claim.exceptions import (
    ClaimCloseError, ClaimDeadlineError, ClaimOriginError,
    ClaimResponsibleError, SimilarClaimWarning)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import ClaimTestMixin

DAY = dt.timedelta(days=1)


class ClaimTestCase(ClaimTestMixin, unittest.TestCase):
    "Test claims"

    @with_transaction()
    def test_workflow(self):
        "Test opening, closing and reopening"
        pool = Pool()
        Claim = pool.get('sale.claim')
        company = self.create_company()
        for name in ['type', 'responsible']:
            with self.subTest(name=name):
                claim = self.create_claim(company, **{name: None})
                with self.assertRaises(RequiredValidationError):
                    Claim.open([claim])
        claim = self.create_claim(company, causes=None)
        self.assertTrue(claim.number)
        Claim.open([claim])
        with self.assertRaises(ClaimCloseError):
            Claim.close([claim])
        for resolution in [None, " \n"]:
            with self.subTest(resolution=resolution):
                claim = self.open_claim(company, resolution=resolution)
                with self.assertRaises(ClaimCloseError):
                    Claim.close([claim])
        claim = self.open_claim(company, resolution="Sent new ones")
        Claim.close([claim])
        self.assertEqual(claim.state, 'closed')
        self.assertEqual(claim.closed_on, self.today(company))
        Claim.reopen([claim])
        self.assertEqual(claim.state, 'open')
        self.assertEqual(claim.closed_on, None)
        self.assertEqual(claim.reopened, 1)

    @with_transaction()
    def test_log(self):
        "Test that what changes while the claim is open is in its log"
        pool = Pool()
        Claim = pool.get('sale.claim')
        company = self.create_company()
        claim = self.create_claim(company)
        Claim.write([claim], {'subject': "Broken"})
        self.assertEqual(claim.events, ())
        Claim.open([claim])
        Claim.write([claim], {
                'subject': "Broken lenses",
                'priority': 'high',
                'description': "All of them",
                'reference': None,
                })
        self.assertEqual(
            [e.text for e in claim.events], [
                "Priority: Medium → High\n"
                "Subject: Broken → Broken lenses\n"
                "Description was changed",
                "State: Draft → Open"])
        self.assertEqual({e.kind for e in claim.events}, {'change'})

    @with_transaction()
    def test_log_added(self):
        "Test that the log is only added to, under the own name"
        pool = Pool()
        Claim = pool.get('sale.claim')
        Event = pool.get('sale.claim.event')
        company = self.create_company()
        employee = create_employee(company, "Olga")
        other = create_employee(company, "Other")
        user = self.create_user(employee, 'group_tracking_admin')
        claim = self.open_claim(company)
        with self.as_user(user):
            event, = Event.create([{
                        'claim': claim.id,
                        'kind': 'call',
                        'text': "They wait for the new ones",
                        'employee': other.id,
                        'date': dt.datetime(2020, 1, 1),
                        }])
            self.assertEqual(event.employee, employee)
            self.assertNotEqual(event.date, dt.datetime(2020, 1, 1))
            with self.assertRaises(AccessError):
                Event.write([event], {'text': "Nothing"})
            with self.assertRaises(AccessError):
                Event.delete([event])
            with self.assertRaises(AccessError):
                Claim.write([claim], {'events': [('delete', [event.id])]})
            with self.assertRaises(UserError):
                Event.create([{
                            'claim': claim.id, 'kind': 'change',
                            'text': "Closed"}])

    @with_transaction()
    def test_ended(self):
        "Test that a closed claim is not changed and an opened one stays"
        pool = Pool()
        Claim = pool.get('sale.claim')
        ClaimCause = pool.get('sale.claim-sale.claim.cause')
        Event = pool.get('sale.claim.event')
        Party = pool.get('party.party')
        company = self.create_company()
        employee = create_employee(company, "Olga")
        user = self.create_user(employee, 'group_tracking_admin')
        claim = self.open_claim(company, resolution="Solved")
        other, = Party.create([{'name': "Other"}])
        with self.as_user(user):
            with self.assertRaises(AccessError):
                Claim.write([claim], {'party': other.id})
            with self.assertRaises(AccessError):
                Claim.delete([claim])
            Claim.close([claim])
            with self.assertRaises(AccessError):
                Claim.write([claim], {'resolution': "Forgotten"})
            with self.assertRaises(AccessError):
                ClaimCause.delete(ClaimCause.search([
                            ('claim', '=', claim.id)]))
            with self.assertRaises(AccessError):
                Event.create([{'claim': claim.id, 'text': "Late"}])
            draft = self.create_claim(company)
            Claim.delete([draft])

    @with_transaction()
    def test_deadline(self):
        "Test the deadline of the type and one that is over"
        pool = Pool()
        Claim = pool.get('sale.claim')
        Type = pool.get('sale.claim.type')
        company = self.create_company()
        today = self.today(company)
        type_, = Type.create([{'name': "Delivery", 'term': 5 * DAY}])
        claim = self.open_claim(company, type=type_.id, report_date=today)
        self.assertEqual(claim.deadline, today + 5 * DAY)
        late = self.open_claim(
            company, type=type_.id, report_date=today - 9 * DAY)
        self.assertEqual(late.deadline, None)
        with self.assertRaises(ClaimDeadlineError):
            self.create_claim(
                company, report_date=today - 9 * DAY, deadline=today - 2 * DAY)
        with patch.object(
                Claim, '_today', return_value=today + 7 * DAY):
            self.assertTrue(claim.get_overdue([claim], 'overdue')[claim.id])
            for value, found in [(True, [claim]), (False, [late])]:
                with self.subTest(value=value):
                    self.assertEqual(Claim.search([
                                ('id', 'in', [claim.id, late.id]),
                                ('overdue', '=', value),
                                ]), found)
        self.assertFalse(Claim(claim.id).overdue)

    @with_transaction()
    def test_overdue_day(self):
        "Test that the day is the one of the company"
        pool = Pool()
        Claim = pool.get('sale.claim')
        company = self.create_company('Pacific/Kiritimati')
        with patch('trytond.ir.date.datetime') as datetime:
            datetime.datetime.now.side_effect = (
                lambda tz: dt.datetime(
                    2030, 1, 1, 23, tzinfo=dt.timezone.utc).astimezone(tz))
            self.assertEqual(Claim._today(company), dt.date(2030, 1, 2))

    @with_transaction()
    def test_responsible(self):
        "Test that who has left is not responsible"
        company = self.create_company()
        employee = create_employee(company)
        employee.end_date = self.today(company) - 2 * DAY
        employee.save()
        with self.assertRaises(ClaimResponsibleError):
            self.create_claim(company, responsible=employee.id)

    @with_transaction()
    def test_origin(self):
        "Test what a claim can be about"
        pool = Pool()
        Claim = pool.get('sale.claim')
        Origin = pool.get('sale.claim.origin')
        Sale = pool.get('sale.sale')
        company = self.create_company()
        employee = create_employee(company, "Olga")
        user = self.create_user(
            employee, 'group_tracking_admin', 'sale.group_sale')
        tracking = self.create_tracking(company)
        claim = self.open_claim(company, party=tracking.party.id)
        other = self.create_tracking(company)
        with Transaction().set_context(company=company.id):
            sale, = Sale.create([{
                        'party': tracking.party.id, 'company': company.id,
                        'currency': company.currency.id,
                        }])
        with self.as_user(user):
            for origin in [other, sale]:
                with self.subTest(origin=origin.__name__), \
                        self.assertRaises(ClaimOriginError):
                    Origin.create([{
                                'claim': claim.id, 'origin': str(origin)}])
            with self.assertRaises(UserError):
                Origin.create([{
                            'claim': claim.id,
                            'origin': f'res.user,{user.id}'}])
            line, = Origin.create([{
                        'claim': claim.id, 'origin': str(tracking)}])
            self.assertEqual(line.rec_name, tracking.rec_name)
            second = self.create_claim(
                company, party=tracking.party.id, origins=[
                    ('create', [{'origin': str(tracking)}])])
            with self.assertRaises(SimilarClaimWarning):
                Claim.open([second])

    @with_transaction()
    def test_origin_named(self):
        "Test that who works the claim reads the names of its origins"
        pool = Pool()
        Origin = pool.get('sale.claim.origin')
        Sale = pool.get('sale.sale')
        company = self.create_company()
        employee = create_employee(company, "Olga")
        user = self.create_user(employee, 'group_tracking')
        claim = self.open_claim(company, responsible=employee.id)
        with Transaction().set_context(company=company.id):
            sale, = Sale.create([{
                        'party': claim.party.id, 'company': company.id,
                        'currency': company.currency.id,
                        'number': "S-1",
                        }])
        line, = Origin.create([{'claim': claim.id, 'origin': str(sale)}])
        with self.as_user(user):
            row, = Origin.read([line.id], ['claim', 'origin.rec_name'])
            self.assertEqual(row['origin.']['rec_name'], sale.rec_name)
            with self.assertRaises(AccessError):
                Sale.read([sale.id], ['rec_name'])
            # It has to be read to be linked
            with self.assertRaises(AccessError) as cm:
                Origin.create([{'claim': claim.id, 'origin': str(sale)}])
            self.assertNotIn("S-1", cm.exception.message)

    @with_transaction()
    def test_roles(self):
        "Test which claims each role works"
        pool = Pool()
        Claim = pool.get('sale.claim')
        company = create_company()
        other = create_company("Other", currency=company.currency)
        employees = {
            n: create_employee(company, n) for n in [
                'operator', 'manager', 'administrator', 'nobody',
                'colleague', 'outside']}
        channel = self.create_channel(
            company, employees['manager'], employees['operator'],
            employees['colleague'])
        users = {
            'operator': self.create_user(
                employees['operator'], 'group_tracking'),
            'manager': self.create_user(
                employees['manager'], 'group_tracking_manager'),
            'administrator': self.create_user(
                employees['administrator'], 'group_tracking_admin'),
            'nobody': self.create_user(employees['nobody']),
            }
        operator, colleague, outside = (
            employees[n].id for n in ['operator', 'colleague', 'outside'])

        def tracking(operator):
            tracking = self.create_tracking(
                company, operator=operator,
                channel=None if operator == outside else channel.id)
            return {'tracking': tracking.id, 'party': tracking.party.id}

        claims = {
            'own': self.open_claim(company, responsible=operator),
            'own tracking': self.open_claim(
                company, responsible=outside, **tracking(operator)),
            'colleague': self.open_claim(company, responsible=colleague),
            'of channel': self.open_claim(
                company, responsible=outside, **tracking(colleague)),
            'outside': self.open_claim(
                company, responsible=outside, **tracking(outside)),
            'supplier': self.open_claim(
                company, responsible=operator, kind='supplier'),
            'foreign': self.open_claim(other),
            }
        names = {c.id: n for n, c in claims.items()}
        for role, seen in [
                ('operator', {'own', 'own tracking'}),
                ('manager', {
                        'own', 'own tracking', 'colleague', 'of channel'}),
                ('administrator', set(claims) - {'foreign'}),
                ]:
            with self.as_user(users[role]):
                self.assertEqual({
                        names[c.id] for c in Claim.search([
                                ('id', 'in', list(names)),
                                ])}, seen)
                for name, claim in claims.items():
                    with self.subTest(role=role, name=name):
                        claim = Claim(claim.id)
                        if name in seen:
                            Claim.write([claim], {'reference': role})
                            Claim.read(
                                [claim.id], ['rec_name', 'tracking.rec_name'])
                        else:
                            with self.assertRaises(AccessError):
                                Claim.write([claim], {'reference': role})
                            with self.assertRaises(AccessError):
                                Claim.cancel([claim])
        with self.as_user(users['nobody']), self.assertRaises(AccessError):
            Claim.search([])

    @with_transaction()
    def test_hidden_tracking(self):
        "Test that no claim tells of a tracking that is hidden"
        pool = Pool()
        Claim = pool.get('sale.claim')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        employee = create_employee(company, "Olga")
        user = self.create_user(employee, 'group_tracking')
        tracking = self.create_tracking(company)
        values = {
            'company': company.id,
            'party': tracking.party.id,
            'subject': "Curious",
            'responsible': employee.id,
            }
        with self.as_user(user):
            claim, = Claim.create([values])
            with self.assertRaises(AccessError) as cm:
                Claim.create([{
                            **values, 'party': claim.company.party.id,
                            'tracking': tracking.id}])
            self.assertNotIn(tracking.number, cm.exception.message)
            with self.assertRaises(AccessError):
                Claim.write([claim], {'tracking': tracking.id})
            with self.assertRaises(AccessError):
                Tracking.read([tracking.id], ['rec_name'])
            with self.assertRaises(AccessError):
                Claim.create([{**values, 'tracking': tracking.id}])
            with self.assertRaises(AccessError):
                Claim.create([{**values, 'kind': 'supplier'}])

    @with_transaction()
    def test_computed(self):
        "Test that the state is not written by hand"
        pool = Pool()
        Claim = pool.get('sale.claim')
        company = self.create_company()
        employee = create_employee(company, "Olga")
        user = self.create_user(employee, 'group_tracking')
        claim = self.open_claim(company, responsible=employee.id)
        with self.as_user(user):
            for values in [
                    {'state': 'closed'}, {'number': "1"}, {'reopened': 9}]:
                with self.subTest(values=values), \
                        self.assertRaises(AccessError):
                    Claim.write([claim], values)

    @with_transaction()
    def test_chat_email(self):
        "Test that operators do not send the chat out of the house"
        pool = Pool()
        ChatChannel = pool.get('ir.chat.channel')
        company = self.create_company()
        employee = create_employee(company, "Olga")
        user = self.create_user(employee, 'group_tracking')
        claim = self.open_claim(company, responsible=employee.id)
        with self.as_user(user):
            with self.assertRaises(AccessError):
                ChatChannel.subscribe_email(str(claim), "a@example.com")

    @with_transaction()
    def test_replace_erase(self):
        "Test merging and erasing the party of a claim"
        pool = Pool()
        Claim = pool.get('sale.claim')
        Erase = pool.get('party.erase', type='wizard')
        Event = pool.get('sale.claim.event')
        Party = pool.get('party.party')
        Replace = pool.get('party.replace', type='wizard')
        company = self.create_company()
        claim = self.open_claim(
            company, reference="R", description="Of Maria",
            resolution="Called Maria", analysis="Maria")
        Event.create([{'claim': claim.id, 'text': "Maria"}])
        destination, = Party.create([{'name': "Destination"}])
        session_id, _, _ = Replace.create()
        wizard = Replace(session_id)
        wizard.ask.source = claim.party
        wizard.ask.destination = destination
        with Transaction().set_context(_skip_warnings=True):
            wizard.transition_replace()
        Transaction().cache.clear()
        claim = Claim(claim.id)
        self.assertEqual(claim.party, destination)

        session_id, _, _ = Erase.create()
        wizard = Erase(session_id)
        wizard.ask.party = destination
        destination.active = False
        destination.save()
        with self.assertRaises(EraseError):
            wizard.transition_erase()
        Claim.close([claim])
        wizard.transition_erase()
        Transaction().cache.clear()
        claim = Claim(claim.id)
        self.assertEqual(claim.subject, '****')
        for name in ['reference', 'description', 'resolution', 'analysis']:
            with self.subTest(name=name):
                self.assertFalse(getattr(claim, name))
        self.assertEqual({e.text for e in claim.events}, {'****'})

    @with_transaction()
    def test_hand_over(self):
        "Test handing over the claims of who leaves"
        pool = Pool()
        Claim = pool.get('sale.claim')
        HandOver = pool.get('company.employee.hand_over', type='wizard')
        company = self.create_company()
        leaver, operator, administrator = [
            create_employee(company, n) for n in ["A", "B", "C"]]
        user = self.create_user(administrator, 'group_tracking_admin')
        draft = self.create_claim(company, responsible=leaver.id)
        opened = self.open_claim(company, responsible=leaver.id)
        closed = self.open_claim(
            company, responsible=leaver.id, resolution="Solved")
        Claim.close([closed])
        self.assertEqual(leaver.work_text(), "Claims to solve: 2")
        with self.as_user(user), Transaction().set_context(
                active_model='company.employee', active_id=leaver.id,
                active_ids=[leaver.id]):
            session_id, start, _ = HandOver.create()
            result = HandOver.execute(session_id, {}, start)
            values = {
                k: v for k, v in result['view']['defaults'].items()
                if not k.endswith('.')}
            HandOver.execute(session_id, {
                    'start': {**values, 'operators': [operator.id]},
                    }, 'hand_over')
        self.assertEqual(
            [Claim(c.id).responsible for c in [draft, opened, closed]],
            [operator, operator, leaver])
        self.assertEqual(leaver.work_text(), '')
