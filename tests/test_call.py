# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest

from sql import Column

from trytond.model.exceptions import (
    AccessError, RequiredValidationError, ValidationError)
from trytond.modules.company.tests import create_employee, set_company
from trytond.modules.sale_opportunity_management.exceptions import (
    CallOpportunityError, CallOutcomeError, DoneDateError, DurationError,
    IncomingCallError, PhoneNumberError, ResultRequiredError)
from trytond.modules.sale_opportunity_management.tests.tools import freeze
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction, without_check_access

from .common import TrackingTestMixin

PHONE = '+573105551234'
# As it is shown
NUMBER = '+57 310 5551234'
# The same number as people write it
FORMS = [
    '+57 310 5551234', '310 555 1234', '(310) 555-1234', '0057 3105551234',
    'tel:+57-310-555-1234', ' 3105551234 ']


class CallTestCase(TrackingTestMixin, unittest.TestCase):
    "Test the calls in and out"

    def setup_company(self):
        company = self.create_company()
        self.employee = create_employee(company)
        return company

    def create_party(self, name="Customer", phone=None):
        pool = Pool()
        Party = pool.get('party.party')
        values = {'name': name}
        if phone:
            values['contact_mechanisms'] = [
                ('create', [{'type': 'phone', 'value': phone}])]
        party, = Party.create([values])
        return party

    def create_call(self, **values):
        pool = Pool()
        Call = pool.get('sale.call')
        call, = Call.create([values])
        return call

    def create_done(self, date=dt.datetime(2026, 1, 1), **values):
        return self.create_call(**{
                'state': 'done',
                'done_date': date,
                'done_by': self.employee.id,
                **values,
                })

    def create_incoming(self, outcome='missed', **values):
        return self.create_done(
            direction='incoming', outcome=outcome, **values)

    @with_transaction()
    def test_number(self):
        "Test that a call is found by any form of its number"
        pool = Pool()
        Call = pool.get('sale.call')
        company = self.setup_company()
        with set_company(company), freeze(2026, 1, 2):
            for form in FORMS:
                with self.subTest(form=form):
                    call = self.create_incoming(phone_number=form)
                    self.assertEqual(call.phone_compact, PHONE)
                    self.assertEqual(call.phone, NUMBER)
                    Call.write([call], {
                            'phone_number': None,
                            'summary': "Hidden number",
                            })
                    self.assertIsNone(call.phone_compact)
            call = self.create_incoming(phone_number=FORMS[0])
            extension = self.create_incoming(phone_number="204")
            self.assertEqual(extension.phone_number, '204')
            self.assertEqual(extension.phone_compact, '204')
            party = self.create_party(phone=PHONE)
            outgoing = self.create_call(
                party=party.id, planned_date=dt.datetime(2026, 1, 3))
            hidden = Call.search([
                    ('phone_number', '=', None), ('party', '=', None)])
            for form in FORMS:
                for operator, value in [
                        ('=', form), ('ilike', f'%{form}%'), ('in', [form])]:
                    with self.subTest(form=form, operator=operator):
                        self.assertEqual(
                            set(Call.search([('phone', operator, value)])),
                            {call, outgoing})
                with self.subTest(form=form):
                    self.assertEqual(
                        set(Call.search([('phone', '!=', form)])),
                        {extension, *hidden})
                    self.assertIn(
                        call, Call.search([('rec_name', 'ilike', form)]))
            self.assertEqual(
                Call.search([('phone', 'ilike', "%204%")]), [extension])
            self.assertEqual(
                set(Call.search([('phone', 'ilike', "%5551%")])),
                {call, outgoing})
            self.assertFalse(Call.search([('phone', 'ilike', "%Nobody%")]))
            self.assertEqual(
                set(Call.search([('phone', '=', None)])), set(hidden))

    @with_transaction()
    def test_number_entered(self):
        "Test that a number is shown as one as soon as it is entered"
        pool = Pool()
        company = self.setup_company()
        with set_company(company), freeze(2026, 1, 2):
            for model in ['sale.call', 'sale.call.register.start']:
                for entered, shown in [
                        *((form, NUMBER) for form in FORMS),
                        (" 204 ", '204'),
                        ("letters", "letters"),
                        ("", None),
                        (None, None),
                        ]:
                    with self.subTest(model=model, entered=entered):
                        record = pool.get(model)(phone_number=entered)
                        record.on_change_phone_number()
                        self.assertEqual(record.phone_number, shown)

    @with_transaction()
    def test_facts_readonly(self):
        "Test that the clients do not offer to change what is refused"
        pool = Pool()
        Activity = pool.get('sale.activity')
        for Model in Activity.activity_models():
            for name in Model._facts() - {Model._progress_name}:
                field = Model._fields[name]
                with self.subTest(model=Model.__name__, field=name):
                    self.assertTrue(
                        field.readonly or 'readonly' in field.states)

    @with_transaction()
    def test_number_wrong(self):
        "Test that what is no number is refused"
        pool = Pool()
        Call = pool.get('sale.call')
        company = self.setup_company()
        with set_company(company), freeze(2026, 1, 2):
            for number in ["Acme", "310 CALL NOW", "+", "310-555-1234 home"]:
                with self.subTest(number=number):
                    with self.assertRaises(PhoneNumberError):
                        self.create_incoming(phone_number=number)
            self.assertFalse(Call.search([]))

    @with_transaction()
    def test_subject(self):
        "Test what a call must say about whom or what it is"
        company = self.setup_company()
        with set_company(company), freeze(2026, 1, 2):
            party = self.create_party()
            tomorrow = dt.datetime(2026, 1, 3)
            with self.assertRaises(RequiredValidationError):
                self.create_call(planned_date=tomorrow)
            with self.assertRaises(RequiredValidationError):
                self.create_call(planned_date=tomorrow, phone_number=PHONE)
            with self.assertRaises(RequiredValidationError):
                self.create_incoming()
            for values in [
                    {'summary': "Ask for prices"},
                    {'party': party.id},
                    {'tracking': self.create_tracking(
                            company, party=party.id).id},
                    ]:
                with self.subTest(values=values):
                    call = self.create_call(planned_date=tomorrow, **values)
                    self.assertTrue(call.subject)
            call = self.create_incoming(phone_number=PHONE)
            self.assertTrue(call.rec_name.endswith(NUMBER))

    @with_transaction()
    def test_outcome(self):
        "Test that interest and outcome say the same"
        company = self.setup_company()
        with set_company(company), freeze(2026, 1, 2):
            party = self.create_party()
            tracking = self.create_tracking(company, party=party.id)
            general = {'tracking': None, 'party': party.id}
            for values, result in [
                    # The interest says it
                    ({'interest': '0'}, ('missed', '0')),
                    ({'interest': '2'}, ('answered', '2')),
                    # The outcome says it
                    ({'outcome': 'missed'}, ('missed', '0')),
                    ({'outcome': 'voicemail'}, ('voicemail', '0')),
                    ({'outcome': 'voicemail', 'interest': '0'},
                        ('voicemail', '0')),
                    ({'direction': 'incoming', 'outcome': 'missed'},
                        ('missed', None)),
                    ({'direction': 'incoming', 'outcome': 'voicemail'},
                        ('voicemail', None)),
                    ({'direction': 'incoming', 'interest': '3'},
                        ('answered', '3')),
                    # It is needed only on a tracking
                    ({**general, 'outcome': 'answered'}, ('answered', None)),
                    ({**general, 'interest': '1'}, ('answered', '1')),
                    ]:
                with self.subTest(values=values):
                    call = self.create_done(
                        **{'tracking': tracking.id, **values})
                    self.assertEqual((call.outcome, call.interest), result)
            for values in [
                    {'outcome': 'answered'},
                    {'outcome': 'answered', 'direction': 'incoming'},
                    {},
                    ]:
                with self.subTest(values=values):
                    with self.assertRaises(ValidationError):
                        self.create_done(tracking=tracking.id, **values)

    @with_transaction()
    def test_outcome_modify(self):
        "Test the correction of interest and outcome"
        pool = Pool()
        Call = pool.get('sale.call')
        company = self.setup_company()
        with set_company(company), freeze(2026, 1, 2):
            tracking = self.create_tracking(company)
            call = self.create_done(tracking=tracking.id, interest='0')
            Call.write([call], {'outcome': 'voicemail'})
            self.assertEqual(call.interest, '0')
            with self.assertRaises(CallOutcomeError):
                Call.write([call], {'outcome': 'answered'})
            Call.write([call], {'interest': '2'})
            self.assertEqual(call.outcome, 'answered')
            self.assertEqual(tracking.interest, '2')
            with self.assertRaises(CallOutcomeError):
                Call.write([call], {'outcome': 'missed'})
            call = Call(interest='0', outcome='voicemail')
            call.on_change_interest()
            self.assertEqual(call.outcome, 'voicemail')
            call.interest = '1'
            call.on_change_interest()
            self.assertEqual(call.outcome, 'answered')
            call.outcome, call.direction = 'missed', 'outgoing'
            call.on_change_outcome()
            self.assertEqual(call.interest, '0')
            call.direction = 'incoming'
            call.on_change_direction()
            self.assertIsNone(call.interest)

    @with_transaction()
    def test_interest_path(self):
        "Test that a call that was missed says nothing about the customer"
        company = self.setup_company()
        with set_company(company), freeze(2026, 1, 2):
            tracking = self.create_tracking(company)
            self.create_done(
                tracking=tracking.id, interest='2',
                date=dt.datetime(2026, 1, 1, 10))
            self.create_incoming(
                tracking=tracking.id, date=dt.datetime(2026, 1, 1, 11))
            self.create_done(
                tracking=tracking.id, outcome='voicemail',
                date=dt.datetime(2026, 1, 1, 12))
            self.assertEqual(tracking.interest, '2')
            self.assertEqual(tracking.interest_path, '2 → 0')

    @with_transaction()
    def test_wrong(self):
        "Test what makes no sense"
        pool = Pool()
        Call = pool.get('sale.call')
        company = self.setup_company()
        with set_company(company), freeze(2026, 1, 2):
            with self.assertRaises(IncomingCallError):
                self.create_call(
                    direction='incoming', phone_number=PHONE,
                    planned_date=dt.datetime(2026, 1, 3))
            planned = self.create_call(
                summary="General", planned_date=dt.datetime(2026, 1, 3))
            with self.assertRaises(IncomingCallError):
                Call.write([planned], {'direction': 'incoming'})
            with self.assertRaises(DurationError):
                self.create_incoming(
                    phone_number=PHONE, duration=dt.timedelta(minutes=-1))
            copy, = Call.copy([self.create_incoming(phone_number=PHONE)], {
                    'summary': "Again", 'state': 'pending'})
            self.assertEqual(copy.direction, 'outgoing')
            self.assertIsNone(copy.outcome)
            self.assertFalse(copy.to_call_back)

    @with_transaction()
    def test_to_call_back(self):
        "Test which incoming calls wait to be called back"
        pool = Pool()
        Call = pool.get('sale.call')
        company = self.setup_company()

        def to_call_back():
            return set(Call.search([('to_call_back', '=', True)]))
        with set_company(company), freeze(2026, 1, 2):
            party = self.create_party()
            other = self.create_party("Other")
            missed = self.create_incoming(
                phone_number=FORMS[0], date=dt.datetime(2026, 1, 1, 9))
            voicemail = self.create_incoming(
                party=party.id, outcome='voicemail',
                date=dt.datetime(2026, 1, 1, 10))
            self.create_incoming(
                party=other.id, outcome='answered',
                date=dt.datetime(2026, 1, 1, 11))
            # What nobody can call back
            self.create_incoming(summary="Hidden number")
            # Before and to somebody else
            self.create_done(
                party=party.id, outcome='missed',
                date=dt.datetime(2026, 1, 1, 8))
            self.create_done(
                party=other.id, outcome='missed',
                date=dt.datetime(2026, 1, 1, 12))
            self.assertEqual(to_call_back(), {missed, voicemail})
            # Planning to call back is enough, until it is cancelled
            plan = self.create_call(
                phone_number=FORMS[1], summary="Call back",
                planned_date=dt.datetime(2026, 1, 3))
            self.assertEqual(to_call_back(), {voicemail})
            Call.cancel([plan])
            self.assertEqual(to_call_back(), {missed, voicemail})
            # They call again
            again = self.create_incoming(
                phone_number=FORMS[2], date=dt.datetime(2026, 1, 1, 13))
            self.assertEqual(to_call_back(), {again, voicemail})
            Call.write([again], {'party': party.id})
            self.assertEqual(to_call_back(), {again})
            Call.write([again], {'outcome': 'answered'})
            self.assertEqual(to_call_back(), set())
            Call.write([again], {'done_date': dt.datetime(2026, 1, 1, 8)})
            self.assertEqual(to_call_back(), {missed, voicemail})
            with Transaction().set_context(_check_access=False):
                plan, = Call.copy([plan], {'state': 'pending'})
            self.assertEqual(to_call_back(), {voicemail})
            Call.delete([plan])
            self.assertEqual(to_call_back(), {missed, voicemail})

    def wizard(self, name, record=None):
        pool = Pool()
        Wizard = pool.get(name, type='wizard')
        session_id, _, _ = Wizard.create()
        if not record:
            return Wizard(session_id)
        with Transaction().set_context(
                active_model=record.__name__, active_id=record.id,
                active_ids=[record.id]):
            wizard = Wizard(session_id)
            # What the action is run on is kept
            assert wizard.record == record
            return wizard

    def answer(self, caller, **values):
        "Return the dialog of an incoming call after typing who calls"
        wizard = self.wizard('sale.call.register')
        wizard.start.caller = caller
        wizard.start.on_change_caller()
        for name, value in values.items():
            setattr(wizard.start, name, value)
        return wizard

    @with_transaction()
    def test_register_find(self):
        "Test that who calls is found by number or name"
        pool = Pool()
        Contact = pool.get('party.contact')
        company = self.setup_company()
        with set_company(company), freeze(2026, 1, 2):
            party = self.create_party("Customer", PHONE)
            Contact.create([{'party': party.id, 'name': "Zoe Contact"}])
            for caller in [*FORMS, "Customer", "custom", "5551234", "Zoe"]:
                with self.subTest(caller=caller):
                    start = self.answer(caller).start
                    self.assertEqual(start.party, party)
                    self.assertFalse(start.parties)
            self.assertEqual(self.answer("5551234").start.party, party)
            for caller in ["Cu", "123", "+573109999999", "%", "Nobody"]:
                with self.subTest(caller=caller):
                    start = self.answer(caller).start
                    self.assertFalse(start.party)
                    self.assertFalse(start.parties)
            other = self.create_party("Customer Two", PHONE)
            wizard = self.answer(FORMS[1])
            start = wizard.start
            self.assertFalse(start.party)
            self.assertEqual(set(start.parties), {party, other})
            start.party = other
            start.on_change_caller()
            self.assertEqual(start.party, other)
            # A wrong number is corrected
            start.caller = "+573109999999"
            start.on_change_caller()
            self.assertFalse(start.party)
            # Who is known only by an earlier call
            caller = self.create_party("Caller")
            self.create_incoming(
                party=caller.id, phone_number="601 555 0000")
            self.assertEqual(
                self.answer("+57 (601) 5550000").start.party, caller)

    @with_transaction()
    def test_register_phone_number(self):
        "Test that who calls is found by the number in its own field too"
        company = self.setup_company()
        with set_company(company), freeze(2026, 1, 2):
            party = self.create_party("Customer", PHONE)
            for number in FORMS:
                with self.subTest(number=number):
                    start = self.answer("").start
                    start.phone_number = number
                    start.on_change_phone_number()
                    self.assertEqual(start.party, party)
            # Who was chosen calls from any number
            other = self.create_party("Other")
            start = self.answer("Other").start
            start.phone_number = FORMS[1]
            start.on_change_phone_number()
            self.assertEqual(start.party, other)
            twin = self.create_party("Twin", PHONE)
            start = self.answer("").start
            start.phone_number = FORMS[1]
            start.on_change_phone_number()
            self.assertFalse(start.party)
            self.assertEqual(set(start.parties), {party, twin})

    @with_transaction()
    def test_customer_missing(self):
        "Test that who took a call tells later of whom it was, once"
        pool = Pool()
        Call = pool.get('sale.call')
        company = self.setup_company()
        operator = create_employee(company, "Olga")
        user = self.create_user(operator, 'group_tracking')
        party = self.create_party("Customer", PHONE)
        other = self.create_party("Other")
        tracking = self.create_tracking(
            company, party=party.id, operator=operator.id)
        with set_company(company), freeze(2026, 1, 2):
            own, second = [
                self.create_incoming(
                    phone_number="601 555 0000", done_by=operator.id,
                    outcome='answered', date=dt.datetime(2026, 1, 1))
                for _ in range(2)]
            colleagues = self.create_incoming(
                phone_number="601 555 0001", outcome='answered',
                date=dt.datetime(2026, 1, 1))
        with self.as_user(user), freeze(2026, 1, 3):
            own, second = Call.browse([own.id, second.id])
            self.assertTrue(own.customer_missing)
            for values in [
                    {'party': party.id, 'outcome': 'missed'},
                    {'done_date': dt.datetime(2026, 1, 1, 1)},
                    ]:
                with self.subTest(values=values), \
                        self.assertRaises(AccessError):
                    Call.write([own], values)
            Call.write([own], {'party': party.id})
            Call.write([second], {'tracking': tracking.id, 'interest': '2'})
            self.assertEqual(Call(second.id).party, party)
            for call in [own, second, colleagues]:
                call = Call(call.id)
                with self.subTest(call=call), self.assertRaises(AccessError):
                    Call.write([call], {'party': other.id})
        self.assertEqual(Call(own.id).party, party)
        self.assertFalse(Call(own.id).customer_missing)

    @with_transaction()
    def test_register_identifier(self):
        "Test that a tax identifier is not taken for a phone number"
        pool = Pool()
        Identifier = pool.get('party.identifier')
        company = self.setup_company()
        with set_company(company), freeze(2026, 1, 2):
            party = self.create_party("Customer", PHONE)
            Identifier.create([{
                        'party': party.id, 'type': None,
                        'code': '213123432-1'}])
            for caller in ["213123432-1", "213123432"]:
                with self.subTest(caller=caller):
                    start = self.answer(caller).start
                    self.assertEqual(start.party, party)
                    self.assertFalse(start.phone_number)
            # What is nobody's may be the number of an extension
            start = self.answer("4567").start
            self.assertFalse(start.party)
            self.assertEqual(start.phone_number, "4567")

    @with_transaction()
    def test_register(self):
        "Test an incoming call and what follows from it"
        pool = Pool()
        Call = pool.get('sale.call')
        Task = pool.get('sale.task')
        company = self.setup_company()
        operator = create_employee(company, "Operator")
        colleague = create_employee(company, "Colleague")
        party = self.create_party("Customer", PHONE)
        with set_company(company), freeze(2026, 1, 2), \
                Transaction().set_context(_skip_warnings=True):
            own = self.create_tracking(
                company, party=party.id, operator=operator.id)
            self.create_tracking(
                company, party=party.id, operator=colleague.id)
            self.create_done(
                tracking=own.id, interest='2', description="Sent prices")
        user = self.create_user(
            operator, 'group_tracking')
        with self.as_user(user), freeze(2026, 1, 2):
            wizard = self.answer(FORMS[1])
            start = wizard.start
            # Only what the user may read
            self.assertEqual([t.id for t in start.trackings], [own.id])
            self.assertEqual(start.tracking, own)
            self.assertIn("Sent prices", start.last_activity)
            self.assertEqual(start.done_by, operator)
            start.summary = "Prices"
            start.interest = '3'
            start.duration = dt.timedelta(minutes=3)
            start.description = "Wants to buy"
            start.next_kind = 'call'
            start.next_date = dt.datetime(2026, 1, 3)
            start.task_summary = "Send quotation"
            start.task_date = dt.datetime(2026, 1, 4)
            with without_check_access():
                self.assertEqual(wizard.transition_save_open(), 'open_')
            _, data = wizard.do_open_({})
            call = Call(*data['res_id'])
            self.assertEqual(call.direction, 'incoming')
            self.assertEqual(call.outcome, 'answered')
            self.assertEqual(call.tracking, own)
            self.assertEqual(call.done_by, operator)
            self.assertEqual(call.done_date, dt.datetime(2026, 1, 2))
            self.assertEqual(call.phone_compact, PHONE)
            self.assertEqual(own.interest, '3')
            task, = Task.search([])
            self.assertEqual(task.tracking, own)
            planned, = Call.search([('state', '=', 'pending')])
            self.assertEqual(planned.direction, 'outgoing')
            self.assertEqual(planned.party, party)
        # On no tracking of a colleague
        with self.as_user(self.create_user(
                    create_employee(company, "Other"),
                    'group_tracking')), \
                freeze(2026, 1, 2):
            wizard = self.answer(FORMS[1])
            self.assertFalse(wizard.start.tracking)
            self.assertFalse(wizard.start.trackings)
            self.assertFalse(wizard.start.last_activity)
            with without_check_access():
                wizard.transition_save()
            self.assertEqual(wizard.start.call.party, party)
            self.assertIsNone(wizard.start.call.tracking)
            wizard = self.answer(FORMS[1], tracking=own, interest='1')
            with self.assertRaises(AccessError), without_check_access():
                wizard.transition_save()

    @with_transaction()
    def test_register_missed(self):
        "Test that a missed call offers to call back"
        pool = Pool()
        Call = pool.get('sale.call')
        company = self.setup_company()
        with set_company(company), freeze(2026, 1, 2), \
                Transaction().set_context(employee=self.employee.id):
            wizard = self.answer("310 555 1234", outcome='missed')
            start = wizard.start
            start.on_change_outcome()
            self.assertEqual(start.next_kind, 'call')
            self.assertEqual(start.next_date, dt.datetime(2026, 1, 2, 0, 15))
            start.outcome = 'answered'
            start.on_change_outcome()
            self.assertIsNone(start.next_date)
            start.outcome = 'voicemail'
            start.on_change_outcome()
            wizard.transition_save()
            planned, = Call.search([('state', '=', 'pending')])
            self.assertEqual(planned.summary, "Call back")
            self.assertEqual(planned.phone_compact, PHONE)
            self.assertEqual(planned.assignee, self.employee)
            self.assertFalse(wizard.start.call.to_call_back)
            Call.cancel([planned])
            self.assertTrue(Call(wizard.start.call.id).to_call_back)

    @with_transaction()
    def test_register_wrong(self):
        "Test that nothing is saved of a wrong incoming call"
        pool = Pool()
        Task = pool.get('sale.task')
        company = self.setup_company()
        with set_company(company), freeze(2026, 1, 2), \
                Transaction().set_context(employee=self.employee.id):
            for values, error in [
                    ({'phone_number': "letters"}, PhoneNumberError),
                    ({'duration': dt.timedelta(minutes=-1)}, DurationError),
                    ({'done_date': dt.datetime(2026, 1, 3)}, DoneDateError),
                    ({'next_summary': "Ask"}, ResultRequiredError),
                    ({'task_date': None}, ResultRequiredError),
                    ]:
                values = {
                    'task_date': dt.datetime(2026, 1, 3),
                    **values,
                    }
                with self.subTest(values=values):
                    wizard = self.answer(
                        PHONE, task_summary="Task", **values)
                    with self.assertRaises(error):
                        wizard.transition_save()
                    # The error undoes the call
                    self.assertFalse(Task.search([]))
            with self.assertRaises(RequiredValidationError):
                self.answer("Nobody").transition_save()

    @with_transaction()
    def test_register_party(self):
        "Test the quick registration of who calls"
        pool = Pool()
        Party = pool.get('party.party')
        company = self.setup_company()
        with set_company(company), freeze(2026, 1, 2), \
                Transaction().set_context(employee=self.employee.id):
            wizard = self.answer("310 555 1234")
            self.assertFalse(wizard.start.party)
            values = wizard.default_party([])
            self.assertEqual(values['mechanisms'], [
                    {'type': 'phone', 'value': NUMBER}])
            wizard.party.name = "New Customer"
            wizard.party.mechanisms = [
                pool.get('party.register.mechanism')(**m)
                for m in values['mechanisms']]
            wizard.party.contacts = []
            self.assertEqual(wizard.transition_check(), 'register')
            self.assertEqual(wizard.transition_register(), 'start')
            party, = Party.search([('name', '=', "New Customer")])
            self.assertEqual(wizard.start.party, party)
            self.assertEqual(
                wizard.value_start(['party', 'caller']),
                {'party': party.id, 'caller': "310 555 1234"})
            wizard.transition_save()
            self.assertEqual(wizard.start.call.party, party)
            # The number is found in another form
            self.assertEqual(
                self.answer("+57 310-555-1234").start.party, party)
            wizard = self.answer("Acme")
            self.assertEqual(
                wizard.default_party([]), {'name': "Acme"})
            wizard = self.wizard('sale.call.register', party)
            self.assertEqual(wizard.value_start(['party']), {})

    @with_transaction()
    def test_plan(self):
        "Test what is planned from a call"
        pool = Pool()
        company = self.setup_company()
        with set_company(company), freeze(2026, 1, 2), \
                Transaction().set_context(employee=self.employee.id):
            tracking = self.create_tracking(company)
            for call in [
                    self.create_incoming(phone_number=PHONE),
                    self.create_incoming(
                        outcome='answered', interest='1',
                        tracking=tracking.id),
                    ]:
                for name, model in [
                        ('plan_call', 'sale.call'),
                        ('plan_meeting', 'sale.meeting'),
                        ('open_task', 'sale.task'),
                        ]:
                    Model = pool.get(model)
                    with self.subTest(name=name, call=call), \
                            Transaction().set_context(
                                active_model='sale.call',
                                active_id=call.id, active_ids=[call.id],
                                _skip_warnings=True):
                        wizard = self.wizard(f'sale.call.{name}', call)
                        for field, value in wizard.default_start([]).items():
                            setattr(wizard.start, field, value)
                        wizard.start.summary = "What next"
                        self.assertEqual(
                            wizard.transition_plan_open(), 'open_')
                        record = Model(
                            *wizard.do_open_({})[1]['res_id'])
                        self.assertEqual(record.state, 'pending')
                        self.assertEqual(record.party, call.party)
                        self.assertEqual(record.tracking, call.tracking)
                        self.assertEqual(record.assignee, self.employee)
                        if model == 'sale.call':
                            self.assertEqual(record.direction, 'outgoing')
                            self.assertEqual(
                                record.phone_compact, call.phone_compact)

    @with_transaction()
    def test_plan_date(self):
        "Test when a call proposes to do what is planned from it"
        company = self.setup_company()
        soon, tomorrow = (
            dt.datetime(2026, 1, 2, 18, 49), dt.datetime(2026, 1, 3, 19))
        with set_company(company), freeze(2026, 1, 2, 18, 34), \
                Transaction().set_context(employee=self.employee.id):
            for direction, outcome, call_date, summary in [
                    ('incoming', 'missed', soon, "Call back: Prices"),
                    ('incoming', 'voicemail', soon, "Call back: Prices"),
                    ('incoming', 'answered', tomorrow, "Prices"),
                    ('outgoing', 'missed', soon, "Prices"),
                    ('outgoing', 'answered', tomorrow, "Prices"),
                    ]:
                call = self.create_done(
                    direction=direction, outcome=outcome, summary="Prices")
                for name, *expected in [
                        ('plan_call', call_date, summary),
                        ('plan_meeting', tomorrow, "Prices"),
                        ('open_task', tomorrow, "Prices"),
                        ]:
                    with self.subTest(
                            name=name, direction=direction, outcome=outcome):
                        values = self.wizard(
                            f'sale.call.{name}', call).default_start([])
                        self.assertEqual(
                            [values['date'], values['summary']], expected)

    @with_transaction()
    def test_opportunity(self):
        "Test the opportunity of a call"
        company = self.setup_company()
        operator = create_employee(company, "Operator")
        seller = create_employee(company, "Seller")
        party = self.create_party(phone=PHONE)
        with set_company(company), freeze(2026, 1, 2), \
                Transaction().set_context(_skip_warnings=True):
            call = self.create_incoming(
                outcome='answered', party=party.id, phone_number=FORMS[1],
                summary="Glasses", description="Wants some")
            unknown = self.create_incoming(phone_number=PHONE)
            tracking = self.create_tracking(
                company, party=party.id, operator=operator.id)
            tracked = self.create_done(
                tracking=tracking.id, interest='3', summary="Frames")
            with self.assertRaises(CallOpportunityError):
                unknown.make_opportunity([unknown])
            call.make_opportunity([call])
            opportunity = call.opportunity
            self.assertEqual(opportunity.party, party)
            self.assertEqual(opportunity.description, "Glasses")
            self.assertEqual(opportunity.comment, "Wants some")
            self.assertEqual(
                opportunity.contact.value_compact, PHONE)
            self.assertEqual(opportunity.employee, self.employee)
            # The second time there is nothing to make
            call.make_opportunity([call])
            self.assertEqual(call.opportunity, opportunity)
            copy, = call.copy([call])
            self.assertIsNone(copy.opportunity)
        user = self.create_user(
            operator, 'group_tracking')
        with self.as_user(user), freeze(2026, 1, 2):
            with self.assertRaisesRegex(AccessError, "not allowed to make"):
                call = Pool().get('sale.call')(tracked.id)
                call.make_opportunity([call])
            fields = Pool().get('sale.call.register.start').fields_view_get(
                )['fields']
            self.assertNotIn('opportunities', fields)
        self.assertIsNone(tracking.opportunity)
        user = self.create_user(
            seller, 'sale_opportunity_management.group_tracking_admin',
            'sale_opportunity.group_opportunity')
        with self.as_user(user), freeze(2026, 1, 2):
            call = Pool().get('sale.call')(tracked.id)
            call.make_opportunity([call])
            call = call.__class__(call.id)
            opportunity = call.opportunity
            self.assertEqual(opportunity.description, "Frames")
            self.assertEqual(call.tracking.opportunity, opportunity)
            self.assertIsNone(call.own_opportunity)
            call.make_opportunity([call])
            self.assertEqual(call.opportunity, opportunity)
            start = self.answer(PHONE).start
            self.assertIn(
                opportunity.id, start.on_change_with_opportunities())

    @with_transaction()
    def test_opportunity_index(self):
        "Test that a deleted opportunity finds its calls by an index"
        pool = Pool()
        Call = pool.get('sale.call')
        self.assertIn('own_opportunity', {
                column.name for index in Call._sql_indexes
                for column, _ in index.expressions[:1]
                if isinstance(column, Column)})
