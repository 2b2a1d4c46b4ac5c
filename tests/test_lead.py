# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest

from stdnum.es.cups import calc_check_digits

from trytond.model.exceptions import AccessError
from trytond.modules.company.tests import create_company, create_employee
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import TrackingTestMixin


class LeadTestCase(TrackingTestMixin, unittest.TestCase):
    "Test leads"

    def setUp(self):
        super().setUp()
        self.number = 0

    def create_lead(self, company, values=None, **point_values):
        pool = Pool()
        Country = pool.get('country.country')
        Party = pool.get('party.party')
        SupplyPoint = pool.get('party.supply_point')
        Tracking = pool.get('sale.tracking')
        if not Country.search([('code', '=', 'ES')]):
            Country.create([{'name': "Spain", 'code': 'ES'}])
        self.number += 1
        party, = Party.create([{'name': f"Lead {self.number}"}])
        cups = f'ES0031{self.number:012}'
        point, = SupplyPoint.create([{
                    'party': party.id,
                    'company': company.id,
                    'cups': cups + calc_check_digits(cups),
                    **point_values,
                    }])
        lead = self.create_tracking(
            company, party=party.id, supply_point=point.id, **(values or {}))
        return Tracking(lead.id)

    def age(self, lead, days):
        "Make that the lead was created so many days ago"
        table = lead.__class__.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.update(
                [table.create_date],
                [dt.datetime.now() - dt.timedelta(days=days)],
                where=table.id == lead.id))
        Transaction().cache.clear()
        return lead.__class__(lead.id)

    def create_users(self, company):
        self.employees, self.users = {}, {}
        for name, groups in [
                ('operator', ['group_tracking', 'group_supply_point']),
                ('manager', ['group_tracking_manager', 'group_supply_point']),
                ('administrator', [
                        'group_tracking_admin', 'group_supply_point']),
                ('other', ['group_tracking'])]:
            self.employees[name] = create_employee(company, name)
            self.users[name] = self.create_user(self.employees[name], *groups)

    def find(self, company, **values):
        "Return the leads as the list does and what it counts"
        pool = Pool()
        Action = pool.get('ir.action.act_window')
        Context = pool.get('sale.lead.context')
        ModelData = pool.get('ir.model.data')
        Tracking = pool.get('sale.tracking')
        context = Context(company=company.id, **values)
        for name in ['name', 'cups', 'postal_code']:
            values[f'{name}_pattern'] = getattr(
                context, f'on_change_with_{name}_pattern')()
        action = Action(ModelData.get_id(
                'sale_opportunity_management', 'act_lead_form'))
        leads = Tracking.search([
                PYSONDecoder({'company': company.id, **values}).decode(d)
                for d in [action.domain, action.context_domain]],
            order=[('id', 'ASC')])
        self.assertEqual(context.on_change_with_total(), len(leads))
        return leads

    @with_transaction()
    def test_filters(self):
        "Test the filters of the list and what they count"
        pool = Pool()
        Country = pool.get('country.country')
        Subdivision = pool.get('country.subdivision')
        Tariff = pool.get('supply.tariff')
        company = create_company()
        self.create_users(company)
        first = self.create_lead(company)
        spain, *_ = Country.search([('code', '=', 'ES')])
        region, = Subdivision.create([{
                    'country': spain.id, 'code': 'ES-CT',
                    'name': "Catalunya", 'type': 'autonomous community'}])
        province, = Subdivision.create([{
                    'country': spain.id, 'code': 'ES-B', 'name': "Barcelona",
                    'type': 'province', 'parent': region.id}])
        tariff, = Tariff.search([('name', '=', '2.0TD')])
        operator = self.employees['operator']
        channel = self.create_channel(
            company, self.employees['manager'], operator)
        second = self.create_lead(
            company, {'channel': channel.id, 'operator': operator.id},
            tariff=tariff.id, subdivision=province.id, postal_code='08012')
        self.create_tracking(company)
        other = create_company("Other", currency=company.currency)
        self.create_lead(other)
        for values, leads in [
                ({}, [first, second]),
                ({'name': "lead 1"}, [first]),
                ({'name': "lead"}, [first, second]),
                ({'cups': first.supply_point.cups}, [first]),
                ({'cups': 'es 0031-'}, [first, second]),
                ({'cups': 'ES0032'}, []),
                ({'tariff': tariff.id}, [second]),
                ({'channel': channel.id}, [second]),
                ({'operator': operator.id}, [second]),
                ({'state': 'open'}, [first, second]),
                ({'state': 'closed'}, []),
                ({'postal_code': '08'}, [second]),
                ({'postal_code': '28'}, []),
                ({'region': region.id}, [second]),
                ({'subdivision': province.id}, [second]),
                ({'cups': 'ES0031', 'region': region.id}, [second])]:
            with self.subTest(values=values), self.as_user(
                    self.users['administrator']):
                self.assertEqual(self.find(company, **values), leads)
        for name, leads in [
                ('operator', [second]), ('manager', [second]),
                ('administrator', [first, second])]:
            with self.subTest(user=name), self.as_user(self.users[name]):
                self.assertEqual(self.find(company), leads)

    @with_transaction()
    def test_columns(self):
        "Test what the leads show of their supply point"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        Tracking = pool.get('sale.tracking')
        view = ModelData.get_id(
            'sale_opportunity_management', 'tracking_view_list_lead')
        company = create_company()
        self.create_users(company)
        operator = self.employees['operator']
        other = self.employees['other']
        lead = self.create_lead(
            company, {'operator': operator.id},
            power_p1=4.6, postal_code='08012')
        higher = self.create_lead(
            company, {'operator': other.id}, power_p1=10)
        names = ['supply_cups', 'supply_max_power', 'supply_postal_code']
        with self.as_user(self.users['operator']):
            values, = Tracking.read([lead.id], names)
            self.assertEqual(
                [values[n] for n in names],
                [lead.supply_point.cups, 4.6, '08012'])
            self.assertLessEqual(
                set(names), Tracking.fields_view_get(view)['fields'].keys())
        Transaction().cache.clear()
        # Without the group the supply points are hidden
        with self.as_user(self.users['other']):
            values, = Tracking.read([higher.id], names)
            self.assertEqual([values[n] for n in names], [None] * 3)
            self.assertFalse(
                {'supply_point', *names}
                & Tracking.fields_view_get(view)['fields'].keys())
            self.assertEqual(
                Tracking.search([('supply_max_power', '=', 10)]), [])
            with self.assertRaises(AccessError):
                Tracking.search([('supply_point.max_power', '=', 10)])
        with self.as_user(self.users['administrator']):
            domain = [('supply_max_power', '>', 1)]
            self.assertEqual(
                Tracking.search(
                    domain, order=[('supply_max_power', 'DESC')]),
                [higher, lead])
            self.assertEqual(
                Tracking.search(
                    domain, order=[('supply_cups', 'ASC')]),
                [lead, higher])

    @with_transaction()
    def test_delete(self):
        "Test which leads the administrator deletes"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        company = create_company()
        self.create_users(company)
        imported = {'origin': 'template'}

        def delete(*leads, user='administrator'):
            with self.as_user(self.users[user]):
                Tracking.delete(Tracking.browse(leads))

        old = self.age(self.create_lead(company, imported), 62)
        sips = self.age(self.create_lead(company, {'origin': 'sips'}), 62)
        recent = self.age(self.create_lead(company, imported), 58)
        by_hand = self.age(self.create_lead(company), 62)
        process = self.age(
            self.create_lead(company, {'origin': 'sales_process'}), 62)
        reassigned = self.age(self.create_lead(company, imported), 62)
        Tracking.write(
            [reassigned], {'operator': self.employees['operator'].id})
        Tracking.write([reassigned], {'operator': None})
        given = self.age(self.create_lead(company, {
                    **imported, 'operator': self.employees['manager'].id,
                    }), 62)
        self.assertEqual(
            [t.deletable for t in [
                    old, sips, recent, by_hand, process, reassigned, given]],
            [True, True, False, False, False, False, True])
        for lead in [recent, by_hand, process, reassigned]:
            with self.subTest(lead=lead), self.assertRaises(AccessError):
                delete(lead)
        for user in ['operator', 'manager', 'other']:
            with self.subTest(user=user), self.assertRaises(AccessError):
                delete(given, user=user)
        # All that are refused are named
        with self.assertRaises(AccessError) as cm:
            delete(old, recent, by_hand, reassigned)
        lines = cm.exception.message.split('\n')
        self.assertEqual(len(lines), 3)
        for lead, line in zip([recent, by_hand, reassigned], lines):
            self.assertIn(lead.number, line)
        # Nothing makes of it one that can be deleted
        with self.as_user(self.users['administrator']):
            for values in [
                    {'origin': 'template'}, {'reassigned_on': None},
                    {'supply_point': None}]:
                with self.subTest(values=values), self.assertRaises(
                        AccessError):
                    Tracking.write(Tracking.browse([by_hand]), values)
            self.assertEqual(
                Tracking.delete_lead(Tracking.browse([old])), 'delete')
            with Transaction().set_context(_skip_warnings=True):
                copy, = Tracking.copy(Tracking.browse([old]))
            self.assertIsNone(copy.origin)
        delete(old, sips, given)
        # Other trackings are deleted as before
        delete(self.create_tracking(company))

    @with_transaction()
    def test_origin(self):
        "Test the origin of the leads"
        pool = Pool()
        ContactImport = pool.get('party.contact.import')
        Opportunity = pool.get('sale.opportunity')
        company = create_company()
        self.assertEqual(
            ContactImport._prepare_trackings([{'party': 1}], {}),
            [{'party': 1, 'origin': 'template'}])
        lead = self.create_lead(company)
        self.assertIsNone(lead.origin)
        with Transaction().set_context(company=company.id):
            opportunity, = Opportunity.create([{
                        'party': lead.party.id, 'company': company.id}])
        with Transaction().set_context(_skip_warnings=True):
            lead = self.create_tracking(
                company, party=lead.party.id, opportunity=opportunity.id)
        self.assertEqual(lead.origin, 'sales_process')
