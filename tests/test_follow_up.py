# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest
from contextlib import contextmanager

from trytond.model.exceptions import AccessError
from trytond.modules.company.tests import create_employee
from trytond.modules.sale_opportunity_management.exceptions import (
    ClosedTrackingError, PlannedDateError, SimilarTrackingWarning)
from trytond.modules.sale_opportunity_management.tests.tools import freeze
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction, without_check_access

from .common import TrackingTestMixin

NOW = (2026, 3, 2, 15, 0)
TOMORROW = dt.datetime(2026, 3, 3, 15, 0)
SALE = 'sale.group_sale'
OPPORTUNITY = 'sale_opportunity.group_opportunity'


class FollowUpTestCase(TrackingTestMixin, unittest.TestCase):
    "Test the follow-up of sales and opportunities"

    def setup_sale(self):
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Party = pool.get('party.party')
        Sale = pool.get('sale.sale')
        self.company = self.create_company()
        self.users, self.employees = {}, {}
        for name, groups in [
                ('olga', ['group_tracking', SALE, OPPORTUNITY]),
                ('oscar', ['group_tracking']),
                ('mario', ['group_tracking_manager', SALE, OPPORTUNITY]),
                ('seller', [SALE, OPPORTUNITY]),
                ]:
            self.employees[name] = employee = create_employee(
                self.company, name.title())
            self.users[name] = self.create_user(employee, *groups)
        self.channel = self.create_channel(
            self.company, self.employees['mario'],
            self.employees['olga'], self.employees['oscar'])
        self.unit, self.other_unit, *_ = BusinessUnit.search([])
        self.party, = Party.create([{'name': "Customer"}])
        self.sale, = Sale.create([{
                    'company': self.company.id,
                    'currency': self.company.currency.id,
                    'party': self.party.id,
                    'number': 'Q1',
                    }])

    def create_opportunity(self, **values):
        pool = Pool()
        Opportunity = pool.get('sale.opportunity')
        opportunity, = Opportunity.create([{
                    'company': self.company.id,
                    'currency': self.company.currency.id,
                    'party': self.party.id,
                    **values}])
        return opportunity

    def create_tracking(self, operator, **values):
        with Transaction().set_context(_skip_warnings=True):
            return super().create_tracking(self.company, **{
                    'party': self.party.id,
                    'business_unit': self.unit.id,
                    'channel': self.channel.id,
                    'operator': (
                        self.employees[operator].id if operator else None),
                    **values})

    @contextmanager
    def as_user(self, name):
        with super().as_user(self.users[name]), freeze(*NOW):
            yield

    @contextmanager
    def wizard(self, user, record, name='sale.tracking.follow_up'):
        "The wizard as the client of the user executes it"
        pool = Pool()
        Wizard = pool.get(name, type='wizard')
        with self.as_user(user), Transaction().set_context(
                active_model=record.__name__, active_id=record.id,
                active_ids=[record.id]):
            session_id, _, _ = Wizard.create()
            with without_check_access():
                wizard = Wizard(session_id)
                yield wizard

    def follow(self, user, record, **values):
        "Follow up the record and return the values that were proposed"
        with self.wizard(user, record) as wizard:
            defaults = wizard.default_start([])
            for name, value in {
                    'kind': 'call', 'date': TOMORROW,
                    'business_unit': self.unit.id,
                    **defaults, **values}.items():
                setattr(wizard.start, name, value)
            wizard.start.tracking = wizard.start.tracking if (
                'tracking' in defaults or 'tracking' in values) else None
            wizard.transition_follow()
        return defaults

    @with_transaction()
    def test_new(self):
        "Test to follow up a sale of a customer without tracking"
        self.setup_sale()
        defaults = self.follow('olga', self.sale)
        self.assertEqual(defaults['summary'], "Follow up: Sale Q1")
        self.assertEqual(defaults['operator'], self.employees['olga'].id)
        self.assertNotIn('tracking', defaults)
        tracking, = self.sale.trackings
        self.assertEqual(tracking.operator, self.employees['olga'])
        self.assertEqual(tracking.business_unit, self.unit)
        self.assertEqual(tracking.channel, self.channel)
        self.assertEqual(tracking.next_activity, TOMORROW)
        call, = tracking.calls
        self.assertEqual(call.summary, "Follow up: Sale Q1")
        self.assertEqual(call.assignee, self.employees['olga'])
        with freeze(*NOW):
            self.assertEqual(self.sale.indicator, 'in_progress')

    @with_transaction()
    def test_task(self):
        "Test to follow up an opportunity with a task"
        self.setup_sale()
        opportunity = self.create_opportunity(
            employee=self.employees['oscar'].id)
        defaults = self.follow('mario', opportunity, kind='task')
        self.assertEqual(defaults['operator'], self.employees['oscar'].id)
        tracking, = opportunity.trackings
        task, = tracking.tasks
        self.assertEqual(task.assignee, self.employees['oscar'])
        self.assertFalse(tracking.calls)
        self.assertIsNone(tracking.sale)

    @with_transaction()
    def test_continue(self):
        "Test which open tracking is continued"
        self.setup_sale()
        pool = Pool()
        Sale = pool.get('sale.sale')
        other, = Sale.copy([self.sale])
        of_other = self.create_tracking('olga', sale=other.id)
        closed = self.create_tracking('olga', sale=self.sale.id)
        closed.close([closed])
        with self.wizard('olga', self.sale) as wizard:
            self.assertNotIn('tracking', wizard.default_start([]))
        general = self.create_tracking(
            'olga', business_unit=self.other_unit.id)
        with self.wizard('olga', self.sale) as wizard:
            defaults = wizard.default_start([])
        self.assertEqual(defaults['tracking'], general.id)
        self.assertEqual(defaults['business_unit'], self.other_unit.id)
        own = self.create_tracking('olga', sale=self.sale.id)
        with self.wizard('olga', self.sale) as wizard:
            self.assertEqual(wizard.default_start([])['tracking'], own.id)
        with self.wizard('olga', other) as wizard:
            self.assertEqual(
                wizard.default_start([])['tracking'], of_other.id)

        # Continuing links but makes no second one
        own.close([own])
        self.follow('olga', self.sale, business_unit=None)
        general = general.__class__(general.id)
        self.assertEqual(general.sale, self.sale)
        self.assertEqual(len(general.calls), 1)
        self.assertEqual(
            [t.state for t in Sale(self.sale.id).trackings].count('open'), 1)

    @with_transaction()
    def test_similar(self):
        "Test that a second tracking is warned about"
        self.setup_sale()
        self.create_tracking('oscar')
        with self.assertRaises(SimilarTrackingWarning):
            self.follow('olga', self.sale)

    @with_transaction()
    def test_continue_opportunity(self):
        "Test that the quotation continues the tracking of its opportunity"
        self.setup_sale()
        opportunity = self.create_opportunity()
        self.sale.origin = opportunity
        self.sale.save()
        tracking = self.create_tracking('olga', opportunity=opportunity.id)
        self.create_tracking('olga')
        defaults = self.follow('olga', self.sale)
        self.assertEqual(defaults['tracking'], tracking.id)
        self.assertEqual(defaults['opportunity'], opportunity.id)
        tracking = tracking.__class__(tracking.id)
        self.assertEqual(tracking.sale, self.sale)
        self.assertEqual(tracking.next_activity, TOMORROW)

    @with_transaction()
    def test_errors(self):
        "Test that what is refused leaves nothing"
        self.setup_sale()
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        with self.assertRaises(PlannedDateError):
            self.follow(
                'olga', self.sale, date=TOMORROW - dt.timedelta(days=2))
        Transaction().rollback()
        self.setup_sale()
        self.assertFalse(Tracking.search([]))

        tracking = self.create_tracking('olga')
        tracking.close([tracking])
        with self.assertRaises(ClosedTrackingError):
            self.follow('olga', self.sale, tracking=tracking.id)

        # An operator follows up for the own employee only
        with self.assertRaises(AccessError):
            self.follow(
                'olga', self.sale, operator=self.employees['oscar'].id)
        colleague = self.create_tracking('oscar')
        with self.assertRaises(AccessError):
            self.follow('olga', self.sale, tracking=colleague.id)
        # A manager in the own channels
        self.follow('mario', self.sale, tracking=colleague.id)
        # Without the group there is no follow-up
        with self.assertRaises(AccessError):
            with self.wizard('seller', self.sale):
                pass

    @with_transaction()
    def test_activities(self):
        "Test the activities of what is followed"
        self.setup_sale()
        pool = Pool()
        Sale = pool.get('sale.sale')
        Call = pool.get('sale.call')
        Task = pool.get('sale.task')
        tracking = self.create_tracking('olga', sale=self.sale.id)
        colleague = self.create_tracking('oscar', sale=self.sale.id)
        self.create_tracking('olga')
        with freeze(*NOW):
            for Activity, record, days in [
                    (Call, tracking, 1), (Task, tracking, 3),
                    (Call, colleague, 2)]:
                Activity.create([{
                            'tracking': record.id,
                            'planned_date': (
                                TOMORROW + dt.timedelta(days=days)),
                            'summary': str(days),
                            }])
        for name, summaries in [
                ('mario', '321'), ('olga', '31'), ('seller', '')]:
            with self.subTest(user=name), self.as_user(name):
                self.assertEqual(
                    ''.join(a.summary for a in Sale(self.sale.id).activities),
                    summaries)

    @with_transaction()
    def test_views(self):
        "Test the views of who may not read the trackings or the sales"
        self.setup_sale()
        pool = Pool()
        Opportunity = pool.get('sale.opportunity')
        Sale = pool.get('sale.sale')
        Tracking = pool.get('sale.tracking')
        tracking = self.create_tracking('oscar', sale=self.sale.id)
        opportunity = self.create_opportunity()
        for name, Model, record, absent in [
                ('seller', Sale, self.sale, ['trackings', 'activities']),
                ('seller', Opportunity, opportunity,
                    ['trackings', 'activities']),
                ('oscar', Tracking, tracking, ['sale', 'opportunity']),
                ]:
            for type_ in ['form', 'tree']:
                with self.subTest(user=name, model=Model.__name__), \
                        self.as_user(name):
                    view = Model.fields_view_get(view_type=type_)
                    for field in absent:
                        self.assertNotIn(f'name="{field}"', view['arch'])
                    values, = Model.read([record.id], list(view['fields']))
                    if type_ == 'tree':
                        self.assertIn('indicator', values)
        with self.as_user('oscar'):
            self.assertEqual(Tracking(tracking.id).sale_state, 'draft')

    @with_transaction()
    def test_origin_state(self):
        "Test the states of the sale and of the opportunity of a tracking"
        self.setup_sale()
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        lost = self.create_opportunity(state='lost')
        none = self.create_tracking('oscar')
        sale = self.create_tracking('oscar', sale=self.sale.id)
        opportunity = self.create_tracking('oscar', opportunity=lost.id)
        self.assertEqual(
            [(t.sale_state, t.opportunity_state)
                for t in [none, sale, opportunity]],
            [(None, None), ('draft', None), (None, 'lost')])
        for user in ['oscar', 'mario']:
            for domain, result in [
                    (('sale_state', '=', 'draft'), {sale}),
                    (('sale_state', '!=', 'draft'), {none, opportunity}),
                    (('sale_state', '=', None), {none, opportunity}),
                    (('sale_state', '!=', None), {sale}),
                    (('opportunity_state', 'in', ['lost', 'won']),
                        {opportunity}),
                    (('opportunity_state', 'in', ['lost', None]),
                        {none, sale, opportunity}),
                    (('opportunity_state', 'not in', ['lost']),
                        {none, sale}),
                    (('opportunity_state', 'not in', ['lost', None]), set()),
                    ]:
                with self.subTest(user=user, domain=domain), \
                        self.as_user(user):
                    self.assertEqual(set(Tracking.search([domain])), result)
        with freeze(*NOW):
            self.assertEqual(
                Tracking(sale.id).follow_up, "In Process ·\nSale: Draft")
            self.assertEqual(
                Tracking(opportunity.id).follow_up,
                "In Process ·\nOpportunity: Lost")

    @with_transaction()
    def test_create_opportunity(self):
        "Test to make the opportunity of a tracking"
        self.setup_sale()
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        phone, = ContactMechanism.create([{
                    'party': self.party.id,
                    'type': 'phone',
                    'value': '+573105551234',
                    }])
        tracking = self.create_tracking('olga', contact_mechanism=phone.id)
        name = 'sale.opportunity.open'
        ids = set()
        # The second time shows the same
        for _ in range(2):
            with self.wizard('olga', tracking, name) as wizard:
                self.assertEqual(wizard.transition_start(), 'open_')
                _, data = wizard.do_open_({})
                id_, = data['res_id']
                ids.add(id_)
        tracking = tracking.__class__(tracking.id)
        opportunity = tracking.opportunity
        self.assertEqual(ids, {opportunity.id})
        self.assertEqual(opportunity.party, self.party)
        self.assertEqual(opportunity.contact, phone)
        self.assertEqual(opportunity.employee, self.employees['olga'])
        self.assertEqual(opportunity.state, 'opportunity')
        self.assertEqual(opportunity.currency, self.company.currency)

        # Without the right to opportunities
        own = self.create_tracking('oscar')
        with self.wizard('oscar', own, name) as wizard:
            with self.assertRaises(AccessError):
                wizard.transition_start()
        with self.assertRaises(AccessError):
            with self.wizard('olga', own, name):
                pass
