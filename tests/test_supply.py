# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest

from trytond.model.exceptions import (
    AccessError, DomainValidationError, SQLConstraintError)
from trytond.modules.company.tests import create_company, create_employee
from trytond.modules.sale_opportunity_management.savepoint import savepoint
from trytond.modules.sale_opportunity_management.supply.annual import (
    Reading, get_annual, get_excess)
from trytond.modules.sale_opportunity_management.supply.exceptions import (
    ConsumptionDateError, CUPSError)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import TrackingTestMixin

CUPS = 'ES0031900000000017KC0F'
OTHER_CUPS = 'ES0021900000000024NN0F'
LAST = dt.date(2025, 1, 31)


def reading(start, end, *energy, estimated=False, demand=()):
    "Return a reading that starts and ends that many days before the last one"
    return Reading(
        LAST - dt.timedelta(days=start), LAST - dt.timedelta(days=end),
        estimated,
        [*energy, *[None] * (6 - len(energy))],
        [*demand, *[None] * (6 - len(demand))])


def months(number, *energy, days=30, **values):
    return [
        reading((i + 1) * days, i * days, *energy, **values)
        for i in range(number)]


class AnnualTestCase(unittest.TestCase):
    "Test the consumption of a year"

    def check(self, readings, annual, estimated=False):
        result = get_annual(readings)
        self.assertEqual(
            (result['annual_consumption'], result['annual_estimated']),
            (annual, estimated))
        return result

    def test_year(self):
        "Test twelve months of a year"
        result = self.check([
                reading(365, 335, 10), reading(335, 0, 100, 50)], 160)
        self.assertEqual(
            (result['annual_p1'], result['annual_p2'], result['annual_p3']),
            (110, 50, 0))
        self.assertEqual(
            (result['annual_from'], result['annual_to']),
            (LAST - dt.timedelta(days=365), LAST))

    def test_bimonthly(self):
        "Test that a reading of two months is no month"
        self.check(
            months(6, 200, days=60) + [reading(365, 360, 10)], 1210)
        # The last twelve readings are of two years
        self.check(months(12, 200, days=61), 1196.721)

    def test_older(self):
        "Test that only a part of what began before the year counts"
        self.check([reading(365, 0, 365), reading(730, 365, 1000)], 365)
        self.check([reading(355, 0, 355), reading(375, 355, 20)], 365)

    def test_duplicates(self):
        "Test that a period that is there twice counts once"
        self.check([reading(365, 0, 365)] * 3, 365)

    def test_estimated(self):
        "Test that what was read goes before what was estimated"
        self.check([
                reading(365, 0, 999, estimated=True),
                reading(365, 0, 365)], 365)
        self.check([
                reading(365, 0, 365),
                reading(30, 0, 999, estimated=True)], 365)
        self.check([
                reading(365, 30, 335),
                reading(30, 0, 60, estimated=True)], 395, True)

    def test_overlap(self):
        "Test that each day counts once"
        # The shorter one tells when the energy was consumed
        self.check([reading(365, 0, 365), reading(30, 0, 60)], 395)
        self.check([
                reading(365, 15, 350), reading(30, 0, 60)], 395)

    def test_short(self):
        "Test what is known of less than a year"
        self.check(months(2, 30), 365, True)
        self.check([reading(59, 0, 59)], None)
        self.check([reading(180, 0, 360)], 730, True)
        self.assertIsNone(get_annual([reading(59, 0, 59)])['annual_p1'])
        # Sixty days apart are not two months of readings
        self.check([reading(60, 59, 1), reading(1, 0, 1)], None)

    def test_gap(self):
        "Test that what is not known is not taken for nothing"
        self.check([
                reading(365, 265, 100), reading(100, 0, 100)], 365, True)

    def test_wrong(self):
        "Test that readings that can not be are left"
        self.check([], None)
        self.check([
                reading(365, 0, 365),
                reading(0, 30, 500),
                reading(30, 30, 500),
                reading(30, 0, -500),
                reading(30, 0),
                ], 365)

    def test_excess(self):
        "Test the demand over the contracted power"
        powers = [4.6, 4.6, None, None, None, None]
        self.assertIsNone(get_excess([], powers))
        self.assertIsNone(get_excess(
                [reading(30, 0, 1, demand=[4.6, 3])], powers))
        self.assertEqual(get_excess([
                    reading(30, 0, 1, demand=[5, 6.1, 99]),
                    reading(60, 30, 1, demand=[None, 5]),
                    # Over a year ago
                    reading(500, 400, 1, demand=[50]),
                    ], powers), 1.5)


class SupplyPointTestCase(TrackingTestMixin, unittest.TestCase):
    "Test supply points"

    def setup_company(self, name="Energy"):
        pool = Pool()
        Country = pool.get('country.country')
        Party = pool.get('party.party')
        company = create_company(name)
        self.party, = Party.create([{'name': "Customer"}])
        if not Country.search([('code', '=', 'ES')]):
            Country.create([{'name': "Spain", 'code': 'ES'}])
        return company

    def create_point(self, company, cups=CUPS, **values):
        pool = Pool()
        SupplyPoint = pool.get('party.supply_point')
        values.setdefault('party', self.party.id)
        point, = SupplyPoint.create([
                {'company': company.id, 'cups': cups, **values}])
        return point

    def consume(self, point, readings):
        pool = Pool()
        Consumption = pool.get('party.supply_point.consumption')
        return Consumption.create([{
                    'supply_point': point.id,
                    'start': r.start,
                    'end': r.end,
                    'estimated': r.estimated,
                    **{f'energy_p{i}': e
                        for i, e in enumerate(r.energy, 1)},
                    **{f'demand_p{i}': d
                        for i, d in enumerate(r.demand, 1)},
                    } for r in readings])

    @with_transaction()
    def test_tariffs(self):
        "Test the tariffs of the module"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        Tariff = pool.get('supply.tariff')

        def get(id_):
            return Tariff(
                ModelData.get_id('sale_opportunity_management', id_))

        tariff = get('supply_tariff_electricity_018')
        self.assertEqual(
            (tariff.code, tariff.name, tariff.energy_periods,
                tariff.power_periods),
            ('018', '2.0TD', 3, 2))
        # The name does not follow from the code
        self.assertEqual(get('supply_tariff_gas_l1').name, 'RL11')
        self.assertIn(tariff, Tariff.search([('rec_name', '=', '018')]))
        Tariff.write([tariff], {'power_periods': 3})
        with self.assertRaises(SQLConstraintError):
            Tariff.copy([tariff])

    @with_transaction()
    def test_cups(self):
        "Test the forms in which a CUPS is written"
        pool = Pool()
        SupplyPoint = pool.get('party.supply_point')
        company = self.setup_company()
        point = self.create_point(
            company, cups=' es-0031 9000-0000 0017 kc 0f ')
        self.assertEqual(
            (point.cups, point.cups_point, point.rec_name),
            (CUPS, CUPS[:20], CUPS))
        for text in ['es 0031 9000 0000 0017 kc', 'ES0031%', CUPS]:
            with self.subTest(text=text):
                self.assertEqual(SupplyPoint.search([
                            ('rec_name', 'ilike', f'{text}%'),
                            ('company', '=', company.id),
                            ]), [point])
        for cups in [
                'ES0031900000000017KD0F', 'ES0031900000000017KC0',
                'ES0031900000000017KC0A', 'FR0031900000000017KC0F',
                'ES00319OOOOOOOOO17KC0F', 'KC', '0031900000000017KC']:
            with self.subTest(cups=cups), self.assertRaises(
                    CUPSError), savepoint():
                SupplyPoint.write([point], {'cups': cups})
        SupplyPoint.write([point], {'cups': OTHER_CUPS[:20]})
        self.assertEqual(point.cups_point, OTHER_CUPS[:20])
        # It follows from the CUPS
        SupplyPoint.write([point], {'cups_point': CUPS[:20]})
        self.assertEqual(point.cups_point, OTHER_CUPS[:20])

    @with_transaction()
    def test_unique(self):
        "Test that a CUPS has one active supply point in each company"
        company = self.setup_company()
        point = self.create_point(company)
        other = self.setup_company("Other")
        self.create_point(other)
        for cups in [CUPS, CUPS[:20], CUPS.lower(), CUPS[:20] + '1P']:
            with self.subTest(cups=cups), self.assertRaises(
                    SQLConstraintError), savepoint():
                self.create_point(company, cups=cups)
        # The history of the former holder is kept
        self.consume(point, months(3, 30))
        point.active = False
        point.save()
        self.create_point(company, cups=CUPS[:20])
        self.assertEqual(len(point.consumptions), 3)
        with self.assertRaises(SQLConstraintError), savepoint():
            point.active = True
            point.save()

    @with_transaction()
    def test_powers(self):
        "Test the highest contracted power and what exceeds it"
        pool = Pool()
        SupplyPoint = pool.get('party.supply_point')
        company = self.setup_company()
        point = self.create_point(company, power_p1=4.6, power_p2=5.75)
        self.assertEqual((point.max_power, point.power_excess), (5.75, None))
        self.consume(point, months(3, 30, demand=[5.1, 5.9]))
        self.assertEqual(point.power_excess, 0.5)
        SupplyPoint.write([point], {'power_p1': 3.3, 'power_p2': None})
        self.assertEqual((point.max_power, point.power_excess), (3.3, 1.8))
        SupplyPoint.write([point], {'power_p1': None})
        self.assertEqual((point.max_power, point.power_excess), (None, None))
        with self.assertRaises(DomainValidationError):
            SupplyPoint.write([point], {'power_p1': -1})

    @with_transaction()
    def test_consumption(self):
        "Test that the summary follows the readings"
        pool = Pool()
        Consumption = pool.get('party.supply_point.consumption')
        company = self.setup_company()
        point = self.create_point(company)
        self.assertIsNone(point.annual_consumption)
        year = self.consume(point, [reading(365, 60, 305, 610)])
        self.assertTrue(point.annual_estimated)
        last, = self.consume(point, [reading(60, 0, 60)])
        self.assertEqual(
            (point.annual_consumption, point.annual_p1, point.annual_p2,
                point.annual_estimated, point.annual_to),
            (975, 365, 610, False, LAST))
        # An older one changes nothing
        self.consume(point, [reading(800, 365, 9999)])
        self.assertEqual(point.annual_consumption, 975)
        Consumption.write([last], {'energy_p1': 160, 'estimated': True})
        self.assertEqual(
            (point.annual_consumption, point.annual_estimated), (1075, True))
        other = self.create_point(company, cups=OTHER_CUPS)
        Consumption.write(year, {'supply_point': other.id})
        self.assertEqual(other.annual_p1, 365)
        Consumption.delete(list(point.consumptions))
        self.assertIsNone(point.annual_consumption)

    @with_transaction()
    def test_consumption_wrong(self):
        "Test that readings that can not be are refused"
        company = self.setup_company()
        point = self.create_point(company)
        self.consume(point, [reading(60, 30, 30)])
        tomorrow = (
            dt.date.today() - LAST + dt.timedelta(days=3)).days
        for readings, error in [
                # The database may refuse it first
                ([reading(30, 60, 30)],
                    (DomainValidationError, SQLConstraintError)),
                ([reading(30, 30, 30)],
                    (DomainValidationError, SQLConstraintError)),
                ([reading(30, 0, -1)], DomainValidationError),
                ([reading(30, 0, 1, demand=[-1])], DomainValidationError),
                ([reading(30, -tomorrow, 1)], ConsumptionDateError)]:
            with self.subTest(readings=readings), self.assertRaises(
                    error), savepoint():
                self.consume(point, readings)
        # More than fits into 32 bits of Wh
        reading_, = self.consume(point, [reading(30, 0, 3_000_000)])
        self.assertEqual(reading_.energy, 3_000_000)
        with self.assertRaises(SQLConstraintError):
            self.consume(point, [reading(30, 0, 1)])

    @with_transaction()
    def test_region(self):
        "Test the region of the province"
        pool = Pool()
        Country = pool.get('country.country')
        Subdivision = pool.get('country.subdivision')
        SupplyPoint = pool.get('party.supply_point')
        company = self.setup_company()
        spain, *_ = Country.search([('code', '=', 'ES')])
        catalonia, ceuta = Subdivision.create([
                {'country': spain.id, 'code': 'ES-CT', 'name': "Catalunya",
                    'type': 'autonomous community'},
                {'country': spain.id, 'code': 'ES-CE', 'name': "Ceuta",
                    'type': 'autonomous city'}])
        barcelona, = Subdivision.create([{
                    'country': spain.id, 'code': 'ES-B',
                    'name': "Barcelona", 'type': 'province',
                    'parent': catalonia.id}])
        point = self.create_point(company, subdivision=barcelona.id)
        other = self.create_point(
            company, cups=OTHER_CUPS, subdivision=ceuta.id)
        self.assertEqual((point.region, other.region), (catalonia, ceuta))
        for domain, points in [
                (('region', '=', catalonia.id), [point]),
                (('region', '=', ceuta.id), [other]),
                (('region', '=', barcelona.id), []),
                (('region.name', 'ilike', 'ceu%'), [other]),
                (('region.code', 'in', ['ES-CT', 'ES-CE']), [other, point])]:
            with self.subTest(domain=domain):
                self.assertEqual(SupplyPoint.search(
                        [domain, ('company', '=', company.id)]), points)

    @with_transaction()
    def test_access(self):
        "Test who sees and changes the supply points"
        pool = Pool()
        Configuration = pool.get('sale.configuration')
        Group = pool.get('res.group')
        ModelData = pool.get('ir.model.data')
        Party = pool.get('party.party')
        SupplyPoint = pool.get('party.supply_point')
        Tariff = pool.get('supply.tariff')
        View = pool.get('ir.ui.view')
        company = self.setup_company()
        point = self.create_point(company)
        self.consume(point, months(2, 30))
        foreign = self.create_point(self.setup_company("Other"))
        users = {
            name: self.create_user(
                create_employee(company, name), f'group_tracking{suffix}')
            for name, suffix in [
                ('operator', ''), ('manager', '_manager'),
                ('administrator', '_admin')]}
        view = ModelData.get_id(
            'party', 'party_view_form')
        self.assertEqual(View(view).model, 'party.party')

        def has_page():
            return 'supply_points' in Party.fields_view_get(view)['fields']

        for user in users.values():
            with self.as_user(user):
                with self.assertRaises(AccessError):
                    SupplyPoint.search([])
                with self.assertRaises(AccessError):
                    SupplyPoint.read([point.id], ['cups'])
                with self.assertRaises(AccessError):
                    SupplyPoint.delete([point])
                with self.assertRaises(AccessError):
                    Tariff.search([])
                self.assertFalse(has_page())
        Configuration(1).supply_points
        configuration = Configuration(1)
        configuration.supply_points = True
        configuration.save()
        self.assertTrue(Configuration(1).supply_points)
        for name, user in users.items():
            with self.as_user(user), self.subTest(user=name):
                self.assertEqual(SupplyPoint.search([]), [point])
                with self.assertRaises(AccessError):
                    SupplyPoint.read([foreign.id], ['cups'])
                SupplyPoint.write([point], {'retailer': name})
                self.assertTrue(Tariff.search([], limit=1))
                self.assertTrue(has_page())
                other, = SupplyPoint.create([{
                            'party': self.party.id,
                            'company': company.id,
                            'cups': OTHER_CUPS,
                            }])
                if name != 'administrator':
                    with self.assertRaises(AccessError):
                        SupplyPoint.delete([other])
                    with self.assertRaises(AccessError):
                        Tariff.write(
                            Tariff.search([], limit=1), {'name': "T"})
            with Transaction().set_user(0):
                SupplyPoint.delete([other])
        with self.as_user(users['administrator']):
            Tariff.write(Tariff.search([], limit=1), {'name': "T"})
            SupplyPoint.delete([point])
        configuration.supply_points = False
        configuration.save()
        self.assertFalse(Configuration(1).supply_points)
        with self.as_user(users['operator']), self.assertRaises(AccessError):
            SupplyPoint.search([])
        # What the groups had before stays
        group, = Group.create([{'name': "Parent"}])
        tracking = Group(ModelData.get_id(
                'sale_opportunity_management', 'group_tracking'))
        tracking.parent = group
        tracking.save()
        for value in [True, True, False, False]:
            configuration.supply_points = value
            configuration.save()
        self.assertEqual(
            Group(ModelData.get_id(
                    'sale_opportunity_management', 'group_tracking')).parent,
            group)

    @with_transaction()
    def test_party(self):
        "Test merging and erasing a customer with supply points"
        pool = Pool()
        Erase = pool.get('party.erase', type='wizard')
        Party = pool.get('party.party')
        Replace = pool.get('party.replace', type='wizard')
        SupplyPoint = pool.get('party.supply_point')
        company = self.setup_company()
        source = self.party
        point = self.create_point(
            company, street="Calle Mayor", postal_code='08001')
        self.consume(point, months(3, 30))
        party, = Party.create([{'name': "Customer"}])
        session_id, _, _ = Replace.create()
        replace = Replace(session_id)
        replace.ask.source = source
        replace.ask.destination = party
        replace.transition_replace()
        Transaction().cache.clear()
        point = SupplyPoint(point.id)
        self.assertEqual(point.party, party)
        Party.write([party], {'active': False})
        session_id, _, _ = Erase.create()
        erase = Erase(session_id)
        erase.ask.party = party
        erase.transition_erase()
        Transaction().cache.clear()
        point = SupplyPoint(point.id)
        self.assertEqual(
            (point.active, point.cups, point.cups_point, point.street,
                point.postal_code, len(point.consumptions)),
            (False, '****', '****', None, None, 3))
