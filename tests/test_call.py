# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest

from trytond.model.exceptions import RequiredValidationError, ValidationError
from trytond.modules.company.tests import (
    create_company, create_employee, set_company)
from trytond.modules.sale_opportunity_management.exceptions import (
    CallOutcomeError, DurationError, IncomingCallError, PhoneNumberError)
from trytond.modules.sale_opportunity_management.tests.tools import freeze
from trytond.pool import Pool
from trytond.tests.test_tryton import activate_module, with_transaction
from trytond.transaction import Transaction

PHONE = '+573105551234'
# The same number as people write it
FORMS = [
    '+57 310 5551234', '310 555 1234', '(310) 555-1234', '0057 3105551234',
    'tel:+57-310-555-1234', ' 3105551234 ']


class CallTestCase(unittest.TestCase):
    "Test the calls in and out"

    @classmethod
    def setUpClass(cls):
        activate_module('sale_opportunity_management')
        super().setUpClass()

    def setup_company(self):
        pool = Pool()
        Address = pool.get('party.address')
        Country = pool.get('country.country')
        company = create_company()
        company.timezone = 'America/Bogota'
        company.save()
        colombia, = Country.create([{'name': "Colombia", 'code': 'CO'}])
        Address.create([{
                    'party': company.party.id,
                    'country': colombia.id,
                    }])
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

    def create_tracking(self, company, party, **values):
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Tracking = pool.get('sale.tracking')
        unit, = BusinessUnit.search([], limit=1)
        tracking, = Tracking.create([{
                    'company': company.id,
                    'party': party.id,
                    'business_unit': unit.id,
                    **values,
                    }])
        return tracking

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
                    self.assertEqual(call.phone, form.strip())
                    Call.write([call], {
                            'phone_number': None,
                            'summary': "Hidden number",
                            })
                    self.assertIsNone(call.phone_compact)
            call = self.create_incoming(phone_number=FORMS[0])
            extension = self.create_incoming(phone_number="204")
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
                    {'tracking': self.create_tracking(company, party).id},
                    ]:
                with self.subTest(values=values):
                    call = self.create_call(planned_date=tomorrow, **values)
                    self.assertTrue(call.subject)
            call = self.create_incoming(phone_number=PHONE)
            self.assertTrue(call.rec_name.endswith(PHONE))

    @with_transaction()
    def test_outcome(self):
        "Test that interest and outcome say the same"
        company = self.setup_company()
        with set_company(company), freeze(2026, 1, 2):
            party = self.create_party()
            tracking = self.create_tracking(company, party)
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
            tracking = self.create_tracking(company, self.create_party())
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
            tracking = self.create_tracking(company, self.create_party())
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
