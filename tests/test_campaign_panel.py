# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import os
import unittest
from contextlib import contextmanager

import polib

from trytond.model.exceptions import AccessError
from trytond.modules.sale_opportunity_management.campaign.exceptions import (
    AttendError)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction, without_check_access

from .test_campaign import CampaignMixin


class Screen:
    "The dialog to attend customers in front of a user"

    def __init__(self, test, user, record=None):
        pool = Pool()
        self.test = test
        self.user = user
        self.context = {}
        if record:
            name = (
                'wizard_campaign_attend'
                if record.__name__ == 'sale.tracking'
                else 'wizard_campaign_next')
            self.context = {
                'action_id': test.record(name).action.id,
                'active_model': record.__name__,
                'active_id': record.id,
                'active_ids': [record.id],
                }
        self.wizard = pool.get('sale.campaign.attend', type='wizard')
        with self.transaction():
            self.session, start, _ = self.wizard.create()
        self.state, self.form = None, {}
        self.execute(start)

    @contextmanager
    def transaction(self):
        # Nothing is checked by the call of a wizard itself
        with self.test.as_user(self.user), without_check_access():
            yield

    def execute(self, state):
        # As the clients send it: without the names of the records
        def strip(values):
            return {
                n: ([strip(v) if isinstance(v, dict) else v for v in value]
                    if isinstance(value, list) else value)
                for n, value in values.items() if not n.endswith('.')}
        data = {self.state: strip(self.form)} if self.state else {}
        with self.transaction(), Transaction().set_context(self.context):
            result = self.wizard.execute(self.session, data, state)
        view = result.get('view', {})
        self.state = view.get('state')
        self.form = view.get('defaults', {})

    def execute_again(self, state):
        "Press twice as the first answer is lost and return it"
        shown = self.state, self.form
        self.execute(state)
        answer = self.state, self.form
        self.state, self.form = shown
        self.execute(state)
        return answer

    @property
    def party(self):
        pool = Pool()
        Party = pool.get('party.party')
        return Party(self.form['party'])


class CampaignPanelTestCase(CampaignMixin, unittest.TestCase):
    "Test the panel of the operators and the dialog to attend"

    def set_up(self, number=1):
        super().set_up()
        self.campaign = self.create_campaign()
        self.trackings = self.create_trackings(self.campaign, number)

    def notes(self, tracking):
        pool = Pool()
        Note = pool.get('ir.note')
        return [
            n.message for n in Note.search([('resource', '=', str(tracking))])]

    @with_transaction()
    def test_access_keys(self):
        "Test that each button of the dialog has an own key"
        pool = Pool()
        Attend = pool.get('sale.campaign.attend', type='wizard')
        labels = [b.string for b in Attend.attend.buttons]
        catalogue = polib.pofile(os.path.join(
                os.path.dirname(os.path.dirname(__file__)),
                'locale', 'es.po'))
        spanish = [
            e.msgstr for e in catalogue
            if e.msgctxt.startswith(
                'wizard_button:sale.campaign.attend,attend,')
            and e.msgid in labels]
        for strings in [labels, spanish]:
            # As the web client derives them
            keys = [
                next(c for c in string.lower() if c not in 'defintw')
                for string in strings]
            with self.subTest(keys=dict(zip(strings, keys))):
                self.assertEqual(len(set(keys)), len(keys))

    @with_transaction()
    def test_correct(self):
        "Test that only what was corrected is written"
        pool = Pool()
        Address = pool.get('party.address')
        ContactMechanism = pool.get('party.contact_mechanism')
        Party = pool.get('party.party')
        self.set_up()
        party, = Party.search([('name', '=', "Customer 0")])
        address, = Address.create([{
                    'party': party.id,
                    'street_unstructured': "First Street",
                    'city': "Bogotá",
                    }])
        mechanism, = party.contact_mechanisms
        email, = ContactMechanism.create([{
                    'party': party.id,
                    'type': 'email',
                    'value': 'old@example.com',
                    }])
        screen = Screen(self, 'operator')
        self.assertEqual(screen.state, 'attend')
        # Somebody else corrects the same customer meanwhile
        Address.write([address], {'city': "Cali"})
        ContactMechanism.write([mechanism], {'value': '+573105559999'})
        screen.form['name'] = "Optics"
        screen.form['mechanisms'][1]['value'] = 'new@example.com'
        screen.form['mechanisms'].append({
                'mechanism': None, 'type': 'phone', 'contact': None,
                'value': '+573105550001'})
        # It was added but not filled
        screen.form['mechanisms'].append({
                'mechanism': None, 'type': 'phone', 'contact': None,
                'value': None})
        screen.execute('save')
        self.assertEqual(screen.form['name'], "Optics")
        self.assertEqual(screen.form['city'], "Cali")
        self.assertEqual(
            {m['value'] for m in screen.form['mechanisms']},
            {'+57 310 5559999', 'new@example.com', '+57 310 5550001'})
        self.assertEqual(Address(address.id).street, "First Street")

        # What is removed is not used any more but kept
        screen.form['mechanisms'] = [
            m for m in screen.form['mechanisms'] if m['mechanism'] != email.id]
        screen.execute('leave')
        self.assertFalse(ContactMechanism(email.id).active)
        self.assertEqual(
            len(Party(party.id).contact_mechanisms), 2)

    @with_transaction()
    def test_correct_nothing(self):
        "Test that to show a customer writes nothing"
        self.set_up()
        screen = Screen(self, 'operator')
        party = screen.party
        before = (party.write_date, *(
                m.write_date for m in party.contact_mechanisms))
        with self.assertRaises(AttendError):
            screen.execute('save')
        screen.form['comment'] = "Nobody there"
        screen.execute('save_next')
        party = party.__class__(party.id)
        self.assertEqual(
            (party.write_date, *(
                    m.write_date for m in party.contact_mechanisms)),
            before)

    @with_transaction()
    def test_first_address(self):
        "Test that a customer without address gets one"
        self.set_up()
        screen = Screen(self, 'operator')
        screen.form['city'] = "Tunja"
        screen.execute('save')
        address, = screen.party.addresses
        self.assertEqual(address.city, "Tunja")

    @with_transaction()
    def test_result_typology(self):
        "Test that the results are those of the typology of the campaign"
        pool = Pool()
        Customer = pool.get('sale.campaign.attend.customer')
        self.set_up()
        screen = Screen(self, 'operator')
        results = Customer(
            typology=self.campaign.typology, result=None).get_results()
        self.assertEqual(results[0], (None, ""))
        self.assertEqual(
            [int(id_) for id_, _ in results[1:]],
            [r.id for r in self.campaign.typology.results])
        # The selected one is the first
        id_, _ = results[3]
        self.assertEqual(
            Customer(
                typology=self.campaign.typology, result=id_).get_results(),
            [results[3], *results[:3], *results[4:]])
        screen.form['result'] = str(
            self.record('campaign_typology_tenders').results[0].id)
        with self.assertRaises(AttendError):
            screen.execute('finish')

    @with_transaction()
    def test_hidden_callback(self):
        "Test that a call-back typed for another result does not count"
        self.set_up()
        screen = Screen(self, 'operator')
        tracking, = self.trackings
        screen.form['result'] = str(self.result('sold').id)
        screen.form['callback_date'] = dt.datetime(2100, 1, 1)
        screen.execute('finish')
        tracking = tracking.__class__(tracking.id)
        self.assertEqual(tracking.state, 'closed')
        self.assertIsNone(tracking.callback_date)

    @with_transaction()
    def test_commented(self):
        "Test that after a comment the next comes without another one"
        self.set_up(2)
        screen = Screen(self, 'operator')
        first = screen.form['tracking']
        with self.assertRaises(AttendError):
            screen.execute('save_next')
        screen.form['comment'] = "Calls back herself"
        screen.execute('save')
        self.assertEqual(screen.form['tracking'], first)
        self.assertIsNone(screen.form['comment'])
        screen.execute('save_next')
        self.assertNotEqual(screen.form['tracking'], first)
        self.assertEqual(
            self.notes(self.trackings[0]), ["Calls back herself"])

    @with_transaction()
    def test_save_again(self):
        "Test that pressing again after a lost answer saves nothing twice"
        pool = Pool()
        Call = pool.get('sale.call')
        Tracking = pool.get('sale.tracking')
        self.set_up(5)
        trackings = self.trackings
        Tracking.write(trackings[:1], {'priority': '4'})
        screen = Screen(self, 'operator')
        screen.form['comment'] = "Asks for a price"
        screen.form['contacts'] = [
            {'contact': None, 'name': "Ana", 'job_title': None, 'phone': None}]
        state, form = screen.execute_again('save')
        self.assertEqual(self.notes(trackings[0]), ["Asks for a price"])
        contact, = trackings[0].party.contacts
        for form in [form, screen.form]:
            self.assertIsNone(form['comment'])
            self.assertTrue(form['commented'])
        # What is saved after it is saved
        screen.form['comment'] = "Asks for another price"
        screen.form['result'] = str(self.result('no_answer').id)
        state, form = screen.execute_again('save_next')
        self.assertEqual(screen.form['tracking'], form['tracking'])
        self.assertEqual(form['tracking'], trackings[1].id)
        tracking = Tracking(trackings[0].id)
        self.assertEqual(tracking.attempts, 1)
        call, = Call.search([('tracking', '=', tracking.id)])
        self.assertEqual(call.description, "Asks for another price")
        self.assertEqual(len(self.notes(tracking)), 1)

        screen.form['comment'] = "Speaks only French"
        state, form = screen.execute_again('skip')
        self.assertEqual(screen.form['tracking'], form['tracking'])
        self.assertEqual(len(self.notes(trackings[1])), 1)

        screen.form['comment'] = "Calls back"
        state, form = screen.execute_again('save_next')
        self.assertEqual(screen.form['tracking'], form['tracking'])
        self.assertEqual(self.notes(trackings[2]), ["Calls back"])

        screen.form['result'] = str(self.result('sold').id)
        screen.execute_again('finish')
        self.assertEqual(Tracking(trackings[3].id).state, 'closed')
        call, = Call.search([('tracking', '=', trackings[3].id)])

    @with_transaction()
    def test_save_again_other(self):
        "Test that what was typed in a second dialog is not taken for saved"
        pool = Pool()
        Call = pool.get('sale.call')
        self.set_up()
        screen, other = Screen(self, 'operator'), Screen(self, 'operator')
        self.assertEqual(other.form['tracking'], screen.form['tracking'])
        screen.form['result'] = other.form['result'] = str(
            self.result('no_answer').id)
        screen.form['comment'] = "Nobody there"
        other.form['comment'] = "The line is busy"
        screen.execute('save_next')
        with self.assertRaises(AttendError):
            other.execute('save_next')
        call, = Call.search([('tracking', '=', self.trackings[0].id)])
        self.assertEqual(call.description, "Nobody there")
        other.execute('leave')

    @with_transaction()
    def test_attend_again(self):
        "Test that attending again by RPC saves nothing twice"
        pool = Pool()
        Call = pool.get('sale.call')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, = self.trackings
        with self.as_user('operator'):
            tracking = Tracking.take(tracking)
            turn = tracking.attend_turn
            for _ in range(3):
                Tracking.attend(
                    tracking, comment="Nobody there",
                    result=self.result('no_answer'), turn=turn)
            with self.assertRaises(AttendError):
                Tracking.attend(
                    tracking, comment="Nobody there",
                    result=self.result('sold'), turn=turn)
        with self.as_user('colleague'), self.assertRaises(AttendError):
            Tracking.attend(
                tracking, comment="Nobody there",
                result=self.result('no_answer'), turn=turn)
        call, = Call.search([('tracking', '=', tracking.id)])
        self.assertEqual(Tracking(tracking.id).attempts, 1)

    @with_transaction()
    def test_taken_meanwhile(self):
        "Test that what was typed is kept when somebody else took it"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, = self.trackings
        screen = Screen(self, 'operator')
        screen.form['comment'] = "Wants three boxes"
        screen.form['result'] = str(self.result('sold').id)
        Tracking.give_back([tracking.id])
        other = Screen(self, 'colleague')
        self.assertEqual(other.form['tracking'], tracking.id)
        with self.assertRaises(AttendError):
            screen.execute('save_next')
        screen.execute('leave')
        self.assertEqual(self.notes(tracking), ["Wants three boxes"])
        tracking = Tracking(tracking.id)
        self.assertEqual(tracking.taken_by, self.employees['colleague'])
        self.assertIsNone(tracking.draft)
        self.assertIsNone(tracking.draft_result)

    @with_transaction()
    def test_paused(self):
        "Test that what was begun is saved although the campaign is paused"
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        Tracking = pool.get('sale.tracking')
        self.set_up(2)
        screen = Screen(self, 'operator')
        tracking = screen.form['tracking']
        screen.form['result'] = str(self.result('sold').id)
        Campaign.write([self.campaign], {'state': 'paused'})
        screen.execute('save_next')
        self.assertEqual(screen.state, 'nobody')
        self.assertIn("Paused", screen.form['text'])
        self.assertEqual(Tracking(tracking).result, self.result('sold'))

    @with_transaction()
    def test_forged(self):
        "Test that the dialog shows nothing that the user may not read"
        self.set_up()
        campaign = self.create_campaign(operators=None, script="Secret")
        tracking, = self.create_trackings(
            campaign, operator=self.employees['colleague'].id)
        for state, start, form in [
                ('attend', 'attend', {'tracking': tracking.id}),
                ('attend', 'save', {
                        'tracking': tracking.id, 'comment': "Comment"}),
                ('choose', 'choose', {'campaigns': [campaign.id]}),
                ('choose', 'chosen', {'campaign': campaign.id}),
                ('nobody', 'nobody', {'campaign': campaign.id}),
                ('nobody', 'again', {'campaign': campaign.id}),
                ]:
            with self.subTest(state=start):
                screen = Screen(self, 'operator')
                if screen.state != state:
                    screen.state, screen.form = state, {}
                screen.form.update(form)
                with self.assertRaises((AccessError, AttendError)):
                    screen.execute(start)

    @with_transaction()
    def test_campaign_left(self):
        "Test that nothing is lost when the user leaves the campaign"
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        Tracking = pool.get('sale.tracking')
        self.set_up(3)
        campaign = self.campaign
        operator = self.employees['operator']
        colleague = self.employees['colleague']

        def join():
            Campaign.write([campaign], {
                    'operators': [('add', [operator.id])],
                    })

        def leave():
            Campaign.write([campaign], {
                    'operators': [('remove', [operator.id])],
                    })

        def give_away(tracking):
            leave()
            Tracking.write([tracking], {'operator': colleague.id})

        for tracking, change, kept in zip(self.trackings, [
                    lambda tracking: leave(),
                    lambda tracking: Tracking.write(
                        [tracking], {'campaign': None}),
                    give_away,
                    ], [True, True, False]):
            with self.subTest(tracking=tracking.rec_name):
                join()
                Tracking.write([tracking], {'operator': operator.id})
                screen = Screen(self, 'operator', tracking)
                change(tracking)
                screen.form['comment'] = "Wants a catalogue"
                for state in ['save', 'save_next', 'skip']:
                    with self.assertRaises(AttendError):
                        screen.execute(state)
                if kept:
                    screen.execute('leave')
                    self.assertEqual(
                        self.notes(tracking), ["Wants a catalogue"])
                else:
                    with self.assertRaises(AttendError):
                        screen.execute('leave')
                    screen.form['comment'] = None
                    screen.execute('leave')
                    self.assertEqual(self.notes(tracking), [])

    @with_transaction()
    def test_leave_again(self):
        "Test that what was added is added once when it is left twice"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Campaign = pool.get('sale.campaign')
        self.set_up()
        tracking, = self.trackings
        tracking.__class__.write([tracking], {
                'operator': self.employees['operator'].id,
                })
        screen = Screen(self, 'operator', tracking)
        screen.form['comment'] = "Wants a catalogue"
        screen.form['city'] = "Cali"
        screen.form['contacts'] = [{
                'contact': None, 'name': "Ana", 'job_title': None,
                'phone': '+573105550001'}]
        screen.form['mechanisms'] += [{
                'mechanism': None, 'type': type_, 'contact': None,
                'value': value} for type_, value in [
                    ('phone', '310 5550002'), ('email', 'ana@example.com')]]
        screen.form['files'] = [{'name': None, 'data': b'recording'}]
        screen.execute_again('leave')
        party = tracking.party.__class__(tracking.party.id)
        self.assertEqual([c.name for c in party.contacts], ["Ana"])
        self.assertEqual([a.city for a in party.addresses], ["Cali"])
        self.assertCountEqual(
            [m.value for m in party.contact_mechanisms][-3:],
            ['+57 310 5550001', '+57 310 5550002', 'ana@example.com'])
        self.assertEqual(len(party.contact_mechanisms), 4)
        attachment, = Attachment.search([('resource', '=', str(tracking))])
        self.assertEqual(attachment.data, b'recording')
        self.assertEqual(self.notes(tracking), [])

        screen = Screen(self, 'operator', tracking)
        self.assertEqual(screen.form['comment'], "Wants a catalogue")
        Campaign.write([self.campaign], {
                'operators': [
                    ('remove', [self.employees['operator'].id])],
                })
        screen.execute_again('leave')
        self.assertEqual(self.notes(tracking), ["Wants a catalogue"])

    @with_transaction()
    def test_first_given_away(self):
        "Test that the dialog goes on when its first customer is given away"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.set_up(2)
        first, second = self.trackings
        Screen(self, 'operator')
        screen = Screen(self, 'operator', Tracking(first.id))
        screen.form['comment'] = "On holiday"
        screen.execute('skip')
        self.assertIsNone(Tracking(first.id).operator)
        self.assertEqual(screen.form['tracking'], second.id)
        screen.form['result'] = str(self.result('busy').id)
        screen.execute('save_next')
        self.assertEqual(screen.state, 'nobody')

    @with_transaction()
    def test_who(self):
        "Test who may attend"
        self.set_up(2)
        tracking, _ = self.trackings
        screen = Screen(self, 'outsider')
        self.assertEqual(screen.state, 'nobody')
        self.assertIn("no running campaign", screen.form['text'])
        with self.assertRaises(AttendError):
            Screen(self, 'outsider', self.campaign)
        for name in ['outsider', 'operator']:
            with self.subTest(name=name), self.assertRaises(AccessError):
                Screen(self, name, tracking)
        # The supervisor helps out
        screen = Screen(self, 'supervisor', self.campaign)
        self.assertEqual(screen.form['tracking'], tracking.id)

    @with_transaction()
    def test_several_campaigns(self):
        "Test that who works for several campaigns chooses one"
        self.set_up()
        other = self.create_campaign(name="Other")
        tracking, = self.create_trackings(other)
        screen = Screen(self, 'operator')
        self.assertEqual(screen.state, 'choose')
        self.assertEqual(
            set(screen.form['campaigns']), {self.campaign.id, other.id})
        screen.form['campaign'] = other.id
        screen.execute('chosen')
        self.assertEqual(screen.form['tracking'], tracking.id)
        screen.form['result'] = str(self.result('sold').id)
        screen.execute('save_next')
        self.assertEqual(screen.state, 'nobody')
        self.assertTrue(screen.form['other'])
        screen.execute('other')
        self.assertEqual(screen.state, 'choose')

    @with_transaction()
    def test_history(self):
        "Test that the history tells only what the user may read"
        pool = Pool()
        Call = pool.get('sale.call')
        Note = pool.get('ir.note')
        Task = pool.get('sale.task')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, = self.trackings
        with Transaction().set_context(_skip_warnings=True):
            hidden, = Tracking.create([{
                        'company': self.company.id,
                        'party': tracking.party.id,
                        'business_unit': tracking.business_unit.id,
                        'operator': self.employees['colleague'].id,
                        }])
        for i, record in enumerate([tracking, hidden]):
            Call.create([{
                        'tracking': record.id,
                        'company': self.company.id,
                        'done_date': dt.datetime(2026, 1, 1 + i, 12),
                        'done_by': self.employees['colleague'].id,
                        'description': f"Call\n{i}",
                        'interest': '2',
                        'state': 'done',
                        }])
            Note.create([{
                        'resource': str(record),
                        'message': f"Note {i}",
                        }])
        Task.create([{
                    'tracking': tracking.id,
                    'summary': "Task",
                    'done_date': dt.datetime(2025, 12, 31),
                    'done_by': self.employees['colleague'].id,
                    'result': "Sent",
                    'status': 'completed',
                    }])
        screen = Screen(self, 'operator')
        texts = [line['text'] for line in screen.form['history']]
        self.assertEqual(texts[0], "Note 0")
        self.assertEqual(len(texts), 4)
        # Of the call of the hidden tracking only who, when and the result
        line = screen.form['history'][1]
        self.assertEqual(
            line['person'], self.employees['colleague'].rec_name)
        self.assertEqual(line['date'], dt.datetime(2026, 1, 2, 12))
        self.assertTrue(line['text'])
        self.assertNotIn("Call", line['text'])
        self.assertTrue(texts[2].endswith("Call 0"), msg=texts)
        self.assertEqual(texts[3], "Task - Sent")
        # An operator has no access to sales
        self.assertNotIn('sales', screen.form)

    @with_transaction()
    def test_file(self):
        "Test that files are added once"
        pool = Pool()
        Session = pool.get('ir.session.wizard')
        self.set_up()
        screen = Screen(self, 'operator')
        screen.form['files'] = [
            {'name': 'call.mp3', 'data': b'sound'},
            {'name': None, 'data': b'picture'},
            {'name': 'nothing.png', 'data': None},
            ]
        screen.execute('save')
        self.assertEqual(screen.form['files'], [])
        self.assertEqual(len(screen.form['attachments']), 2)
        session = Session(screen.session)
        self.assertNotIn('call.mp3', session.data)

    @with_transaction()
    def test_plan(self):
        "Test that the panel tells what the customer has"
        pool = Pool()
        Opportunity = pool.get('sale.opportunity')
        Tracking = pool.get('sale.tracking')
        self.set_up(2)
        first, second = self.trackings
        self.assertIsNone(first.plan)
        Opportunity.create([{
                    'party': first.party.id,
                    'company': self.company.id,
                    'currency': self.company.currency.id,
                    'employee': self.employees['operator'].id,
                    'start_date': dt.date(2026, 1, 1),
                    'description': "Frames",
                    } for _ in range(2)])
        self.assertEqual(
            [t.plan for t in Tracking.browse(self.trackings)],
            ["2 open opportunities", None])

    @with_transaction()
    def test_sales(self):
        "Test that who may read the sales sees those of the customer"
        pool = Pool()
        Address = pool.get('party.address')
        Data = pool.get('ir.model.data')
        Sale = pool.get('sale.sale')
        User = pool.get('res.user')
        self.set_up(2)
        tracking, other = self.trackings
        addresses = {
            record: Address.create([{'party': record.party.id}])[0].id
            for record in self.trackings}
        sales = Sale.create([{
                    'party': record.party.id,
                    'company': self.company.id,
                    'currency': self.company.currency.id,
                    'invoice_address': addresses[record],
                    'shipment_address': addresses[record],
                    'sale_date': date,
                    'state': state,
                    } for record, date, state in [
                    (tracking, None, 'quotation'),
                    (tracking, dt.date(2026, 1, 1), 'processing'),
                    (tracking, dt.date(2026, 3, 1), 'done'),
                    (tracking, dt.date(2026, 4, 1), 'cancelled'),
                    (other, dt.date(2026, 2, 1), 'confirmed'),
                    ]])
        plans = ["2 sales, the last on 03/01/2026", "1 sale, on 02/01/2026"]
        tracking.__class__.write(self.trackings, {
                'operator': self.employees['operator'].id,
                })
        # How many there are but nothing of them is for everybody
        screen = Screen(self, 'operator', tracking)
        self.assertEqual(screen.form['plan'], plans[0])
        self.assertNotIn('sales', screen.form)
        screen.execute('leave')

        user = self.users['operator']
        User.write([user], {
                'groups': [('add', [
                            Data.get_id('sale', 'group_sale')])],
                })
        for record, plan, expected in [
                (tracking, plans[0], sales[3::-1]),
                (other, plans[1], sales[4:]),
                ]:
            with self.subTest(plan=plan):
                screen = Screen(self, 'operator', record)
                self.assertEqual(screen.form['plan'], plan)
                self.assertEqual(
                    screen.form['sales'], [s.id for s in expected])

    @with_transaction()
    def test_dial(self):
        "Test that the numbers are dialed as configured"
        pool = Pool()
        Configuration = pool.get('sale.configuration')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, = self.trackings
        with Transaction().set_context(company=self.company.id):
            self.assertEqual(
                Tracking(tracking.id).dial_url, 'tel:+573105550000')
            configuration = Configuration(1)
            configuration.dial_protocol = 'sip'
            configuration.save()
            self.assertEqual(
                Tracking(tracking.id).dial_url, 'sip:+573105550000')

    @with_transaction()
    def test_search(self):
        "Test that customers are found however it is written"
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        Identifier = pool.get('party.identifier')
        Model = pool.get('ir.model')
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        self.set_up(2)
        tracking, other = self.trackings
        party = tracking.party
        Party.write([party], {'name': "Óptica El Dorado"})
        mechanism, = party.contact_mechanisms
        ContactMechanism.write([mechanism], {'value': '+573105551234'})
        ContactMechanism.create([{
                    'party': party.id,
                    'type': 'email',
                    'value': 'compras@dorado.example.com',
                    }])
        Identifier.create([{
                    'party': party.id,
                    'type': 'co_vat',
                    'code': '900.123.456-8',
                    }])
        Tracking.write([tracking], {
                'operator': self.employees['operator'].id})
        Tracking.write([other], {
                'operator': self.employees['colleague'].id})
        texts = [
            "El Dorado", '+57 310 555 12 34', '3105551234',
            '(310) 555-1234', '0057 310 5551234', '310.555.1234', '5551234',
            'compras@dorado', '900.123.456-8', '9001234568', '900 123 456',
            tracking.number,
            ]
        for text in texts:
            with self.subTest(text=text):
                with self.as_user('operator'):
                    found = Model.global_search(text, 50)
                found = [(model, id_) for _, model, _, id_, _, _ in found]
                self.assertIn(('sale.tracking', tracking.id), found)
                if text != tracking.number:
                    self.assertIn(('party.party', party.id), found)
                    self.assertEqual(len(found), 2)
        with self.as_user('operator'):
            found = Model.global_search("Customer 1", 50)
            self.assertNotIn('sale.tracking', [r[1] for r in found])
            self.assertEqual(
                Tracking.search([('rec_name', 'ilike', '%Customer 1%')]), [])
        # The tracking of a customer that is not active any more too
        Party.write([party], {'active': False})
        self.assertEqual(
            Tracking.search([('rec_name', 'ilike', '%3105551234%')]),
            [tracking])
        self.assertEqual(
            Party.search([('rec_name', 'ilike', '%3105551234%')]), [])
