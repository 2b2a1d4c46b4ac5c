# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unicodedata
import unittest

from trytond.modules.company.tests import set_company
from trytond.modules.sale_opportunity_management.tests.tools import freeze
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import TrackingTestMixin

NAME = "Óptica del Caribe S.A.S."


class SearchTestCase(TrackingTestMixin, unittest.TestCase):
    "Test the search of customers and of what is theirs"

    def create_parties(self):
        pool = Pool()
        Party = pool.get('party.party')
        return Party.create([{
                    'name': NAME,
                    'code': 'CAR-0012',
                    'contact_mechanisms': [('create', [
                                {'type': 'mobile', 'value': '310 555 12 34'},
                                {'type': 'phone', 'value': '+34 600123456'},
                                {
                                    'type': 'email',
                                    'value': 'Ana_Perez@caribe.example.com',
                                    },
                                ])],
                    'identifiers': [('create', [
                                {'type': 'co_vat', 'code': '213.123.432-1'},
                                ])],
                    }, {
                    'name': "Clínica de Bogotá",
                    'code': 'BOG-0013',
                    'contact_mechanisms': [('create', [
                                {'type': 'mobile', 'value': '3105551235'},
                                {
                                    'type': 'email',
                                    'value': 'anaxperez@bogota.example.com',
                                    },
                                ])],
                    }])

    def assertFound(self, texts, expected):
        pool = Pool()
        Party = pool.get('party.party')
        for text in texts:
            with self.subTest(text=text):
                self.assertEqual(
                    Party.search([('rec_name', 'ilike', text)]), expected)

    @with_transaction()
    def test_words(self):
        "Test that customers are found by the words of their name"
        with set_company(self.create_company()):
            party, other = self.create_parties()
            self.assertFound([
                    '%optica caribe%', '%ÓPTICA%', '%caribe optica%',
                    '%Caribe, Óptica%', '%ptica del%', '%Caribe s.a.s.%',
                    '%Caribe S%', 'Óptica d%', '%caribe sas', '%de sas%',
                    'optica del caribe sas', '%ópt%ribe%',
                    unicodedata.normalize('NFD', '%óptica%'),
                    unicodedata.normalize('NFC', '%óptica%'),
                    ], [party])
            self.assertFound(
                ['%bogota%', '%CLINICA BOGOTÁ%', '%linic%', 'clinica%'],
                [other])
            self.assertFound(
                ['%optica bogota%', 'caribe de%', '%lc%', '%&%'],
                [])

    @with_transaction()
    def test_composed(self):
        "Test that a name stored with decomposed letters is found"
        pool = Pool()
        Party = pool.get('party.party')
        party, = Party.create([
                {'name': unicodedata.normalize('NFD', "Peñón Ágil")}])
        self.assertFound(['%peñón%', '%Ágil%', '%penon agil%'], [party])
        Party.write([party], {'name': "Ñandú"})
        self.assertFound(['%nandu%'], [party])
        self.assertFound(['%peñón%'], [])

    @with_transaction()
    def test_number(self):
        "Test that customers are found by any number of theirs"
        with set_company(self.create_company()):
            party, other = self.create_parties()
            self.assertFound([
                    '%3105551234%', '%310 555 1234%', '%+57 310-555-1234%',
                    '%00573105551234%', '3105551234', '%5551234%', '%1234%',
                    '%600 123 456%', '%+34600123456%', '%0034 600123456%',
                    '%213123432-1%', '%213.123.432%', '%2131234321%',
                    ], [party])
            self.assertFound(['%3105551235%', '%51235%'], [other])
            self.assertFound(['%3105551236%', '%77777%', '%99%'], [])

    @with_transaction()
    def test_code(self):
        "Test that customers are found by code and e-mail"
        with set_company(self.create_company()):
            party, other = self.create_parties()
            self.assertFound([
                    '%CAR-0012%', '%car-00%', '%ana_perez@%',
                    '%ANA\\_PEREZ@caribe.example.com%', '%caribe.example%',
                    'ana_perez@',
                    ], [party])
            self.assertFound(
                ['%BOG-0013%', '%anaxperez%', '%@bogota%'], [other])
            self.assertFound(['%0013-BOG%', '%@nobody.example.com%'], [])

    @with_transaction()
    def test_not(self):
        "Test that the search can be negated"
        pool = Pool()
        Party = pool.get('party.party')
        with set_company(self.create_company()):
            party, other = self.create_parties()
            found = Party.search([('rec_name', 'not ilike', '%Bogotá%')])
            self.assertIn(party, found)
            self.assertNotIn(other, found)

    @with_transaction()
    def test_tracking(self):
        "Test that trackings and calls are found as their customers are"
        pool = Pool()
        Call = pool.get('sale.call')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        with set_company(company), freeze(2026, 1, 2):
            party, other = self.create_parties()
            tracking = self.create_tracking(company, party=party.id)
            self.create_tracking(company, party=other.id)
            call, = Call.create([{
                        'company': company.id,
                        'tracking': tracking.id,
                        'planned_date': dt.datetime(2026, 1, 3),
                        'summary': "Offer of lenses",
                        }])
            for text in [
                    '%optica caribe%', '%310 555 12 34%', '%551234%',
                    '%ana_perez@%', '%CAR-0012%']:
                with self.subTest(text=text):
                    self.assertEqual(
                        Tracking.search([('rec_name', 'ilike', text)]),
                        [tracking])
                    self.assertEqual(
                        list(t for t, *_ in Tracking.search_global(
                                text.strip('%'))),
                        [tracking])
                    self.assertEqual(
                        Call.search([('rec_name', 'ilike', text)]), [call])
            self.assertEqual(
                Call.search([('rec_name', 'ilike', '%of lenses%')]), [call])
            self.assertEqual(
                Tracking.search([('rec_name', 'ilike', tracking.number)]),
                [tracking])
            self.assertNotIn(
                tracking,
                Tracking.search([('rec_name', 'not ilike', '%caribe%')]))

    @with_transaction()
    def test_similar(self):
        "Test that similar customers are found however they are written"
        pool = Pool()
        Party = pool.get('party.party')
        with set_company(self.create_company()):
            party, other = self.create_parties()
            for arguments in [
                    {'name': "OPTICA CARIBE DEL"},
                    {'name': "Optica del Caribe Ltda"},
                    {'codes': ['2131234321']},
                    {'values': ['+573105551234']},
                    {'values': ['ana_perez@CARIBE.example.com']}]:
                with self.subTest(**arguments):
                    self.assertEqual(
                        Party.search_similar(**arguments), [party])
            Party.write([other], {'active': False})
            self.assertEqual(
                Party.search_similar(values=['anaxperez@bogota.example.com']),
                [])
