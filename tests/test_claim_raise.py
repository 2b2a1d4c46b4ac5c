# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import unittest

from trytond.model.exceptions import AccessError
from trytond.modules.company.tests import create_employee
from trytond.modules.sale_opportunity_management.claim.exceptions import (
    ClaimOriginError, SimilarClaimWarning)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import ClaimTestMixin


class ClaimRaiseTestCase(ClaimTestMixin, unittest.TestCase):
    "Test raising claims"

    def setup(self, *groups):
        company = self.create_company()
        employee = create_employee(company, "Olga")
        user = self.create_user(employee, *groups)
        return company, employee, user

    def raise_claim(self, records, **values):
        "Return the wizard with its dialog filled"
        pool = Pool()
        Raise = pool.get('sale.claim.raise', type='wizard')
        Type = pool.get('sale.claim.type')
        type_, = Type.search([], limit=1)
        session_id, _, _ = Raise.create()
        with Transaction().set_context(
                active_model=records[0].__name__,
                active_id=records[0].id,
                active_ids=[r.id for r in records]):
            start = Raise.execute(session_id, {}, 'start')
            values = {
                **start['view']['defaults'],
                'type': type_.id, 'subject': "Broken", **values}
            values = {k: v for k, v in values.items() if '.' not in k}
            action = Raise.execute(session_id, {'start': values}, 'raise_')
        (_, data), = action['actions']
        return data['res_id'], values, session_id

    @with_transaction()
    def test_tracking(self):
        "Test raising from trackings and pressing twice"
        pool = Pool()
        Claim = pool.get('sale.claim')
        Raise = pool.get('sale.claim.raise', type='wizard')
        company, employee, user = self.setup('group_tracking')
        tracking = self.create_tracking(company, operator=employee.id)
        with self.as_user(user):
            (claim,), values, session_id = self.raise_claim([tracking])
            claim = Claim(claim)
            self.assertEqual(claim.state, 'open')
            self.assertEqual(claim.kind, 'customer')
            self.assertEqual(claim.party, tracking.party)
            self.assertEqual(claim.tracking, tracking)
            self.assertEqual(claim.responsible, employee)
            self.assertEqual([o.origin for o in claim.origins], [tracking])
            with Transaction().set_context(
                    active_model='sale.tracking', active_id=tracking.id,
                    active_ids=[tracking.id]):
                action = Raise.execute(
                    session_id, {'start': values}, 'raise_')
            (_, data), = action['actions']
            self.assertEqual(data['res_id'], [claim.id])
            self.assertEqual(Claim.search([
                        ('party', '=', tracking.party.id)]), [claim])
            # Another one is asked about
            with self.assertRaises(SimilarClaimWarning):
                self.raise_claim([tracking])

    @with_transaction()
    def test_party(self):
        "Test raising from a party"
        pool = Pool()
        Claim = pool.get('sale.claim')
        company, employee, user = self.setup('group_tracking')
        tracking = self.create_tracking(company, operator=employee.id)
        with self.as_user(user):
            (claim,), _, _ = self.raise_claim([tracking.party])
            claim = Claim(claim)
            self.assertEqual(claim.party, tracking.party)
            self.assertEqual(claim.tracking, tracking)
            self.assertEqual(claim.origins, ())
            with self.assertRaises(AccessError):
                self.raise_claim([tracking.party], kind='supplier')

    @with_transaction()
    def test_hidden(self):
        "Test that nothing is raised about what is hidden"
        pool = Pool()
        Claim = pool.get('sale.claim')
        company, employee, user = self.setup('group_tracking')
        hidden = self.create_tracking(company)
        own = self.create_tracking(company, operator=employee.id)
        Raise = pool.get('sale.claim.raise', type='wizard')
        with self.as_user(user):
            session_id, _, _ = Raise.create()
            for state, data in [('start', {}), ('raise_', {'start': {}})]:
                with self.subTest(state=state), \
                        Transaction().set_context(
                            active_model='sale.tracking',
                            active_id=hidden.id, active_ids=[hidden.id]), \
                        self.assertRaises(AccessError) as error:
                    Raise.execute(session_id, data, state)
                self.assertNotIn(hidden.party.name, str(error.exception))
            (claim,), _, _ = self.raise_claim([own], tracking=hidden.id)
            self.assertNotEqual(Claim(claim).tracking, hidden)

    @with_transaction()
    def test_parties(self):
        "Test that the documents are of one party, whatever the client says"
        pool = Pool()
        Claim = pool.get('sale.claim')
        company, employee, user = self.setup('group_tracking')
        first, second = [
            self.create_tracking(company, operator=employee.id)
            for _ in range(2)]
        with self.as_user(user):
            with self.assertRaises(ClaimOriginError):
                self.raise_claim([first, second])
            (claim,), _, _ = self.raise_claim(
                [first], party=second.party.id, kind='supplier')
            self.assertEqual(Claim(claim).party, first.party)
            self.assertEqual(Claim(claim).kind, 'customer')

    @with_transaction()
    def test_shipments(self):
        "Test raising about shipments from a supplier"
        pool = Pool()
        Claim = pool.get('sale.claim')
        Location = pool.get('stock.location')
        Party = pool.get('party.party')
        Shipment = pool.get('stock.shipment.in')
        company, employee, user = self.setup(
            'group_tracking_admin', 'stock.group_stock')
        supplier, = Party.create([{'name': "Lenses Ltd"}])
        warehouse, = Location.search([('type', '=', 'warehouse')], limit=1)
        with Transaction().set_context(company=company.id):
            shipments = Shipment.create([{
                        'supplier': supplier.id,
                        'company': company.id,
                        'warehouse': warehouse.id,
                        'warehouse_input': warehouse.input_location.id,
                        'warehouse_storage': warehouse.storage_location.id,
                        }] * 2)
        table = Shipment.__table__()
        with self.as_user(user), self.assertRaises(ClaimOriginError):
            self.raise_claim(shipments)
        Transaction().connection.cursor().execute(*table.update(
                [table.state], ['received'],
                where=table.id.in_([s.id for s in shipments])))
        Transaction().cache.clear()
        shipments = Shipment.browse(shipments)
        with self.as_user(user):
            (claim,), _, _ = self.raise_claim(shipments)
            claim = Claim(claim)
            self.assertEqual(claim.kind, 'supplier')
            self.assertEqual(claim.party, supplier)
            self.assertEqual(
                {o.origin for o in claim.origins}, set(shipments))
            self.assertEqual(Claim.search([
                        ('origins.origin.id', 'in', [shipments[0].id],
                            'stock.shipment.in'),
                        ]), [claim])
