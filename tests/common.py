# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from contextlib import contextmanager

from trytond.modules.company.tests import create_company, create_employee
from trytond.pool import Pool
from trytond.tests.test_tryton import activate_module
from trytond.transaction import Transaction, check_access


class TrackingTestMixin:
    "Helpers of the tests"

    @classmethod
    def setUpClass(cls):
        activate_module('sale_opportunity_management')
        super().setUpClass()

    def create_company(self, timezone='America/Bogota'):
        "Create a company of Colombia in the time zone"
        pool = Pool()
        Country = pool.get('country.country')
        company = create_company()
        company.timezone = timezone
        company.save()
        country, = Country.create([{'name': "Colombia", 'code': 'CO'}])
        address, = company.party.addresses
        address.country = country
        address.save()
        return company

    def create_user(self, employee, *groups):
        "Create a user of the groups, of this module but for those with a dot"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        User = pool.get('res.user')
        *_, name = employee.rec_name.split()
        user, = User.create([{
                    'name': employee.rec_name,
                    'login': name.lower(),
                    'companies': [('add', [employee.company.id])],
                    'company': employee.company.id,
                    'employees': [('add', [employee.id])],
                    'employee': employee.id,
                    'groups': [('add', [
                                ModelData.get_id(*group.split('.'))
                                if '.' in group
                                else ModelData.get_id(
                                    'sale_opportunity_management', group)
                                for group in groups])],
                    }])
        return user

    def create_channel(self, company, manager, *members):
        pool = Pool()
        Channel = pool.get('sale.channel')
        channel, = Channel.create([{
                    'name': "North",
                    'company': company.id,
                    'managers': [('add', [manager.id])],
                    'members': [('add', [m.id for m in members])],
                    }])
        return channel

    def create_tracking(self, company, **values):
        "Create a tracking, by default of a new customer"
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        if 'party' not in values:
            party, = Party.create([{'name': "Customer"}])
            values['party'] = party.id
        if 'business_unit' not in values:
            unit, *_ = BusinessUnit.search([('company', '=', None)])
            values['business_unit'] = unit.id
        tracking, = Tracking.create([{'company': company.id, **values}])
        return tracking

    @contextmanager
    def as_user(self, user):
        "Work as the client of the user does"
        pool = Pool()
        User = pool.get('res.user')
        with Transaction().set_user(user.id):
            with Transaction().set_context(
                    User.get_preferences(context_only=True)), check_access():
                yield


class ClaimTestMixin(TrackingTestMixin):

    def create_claim(self, company, **values):
        "Create a claim, by default of a new customer, in draft"
        pool = Pool()
        Cause = pool.get('sale.claim.cause')
        Claim = pool.get('sale.claim')
        Party = pool.get('party.party')
        Type = pool.get('sale.claim.type')
        if 'party' not in values:
            party, = Party.create([{'name': "Customer"}])
            values['party'] = party.id
        if 'type' not in values:
            type_, = Type.create([{'name': "Quality"}])
            values['type'] = type_.id
        if 'responsible' not in values:
            values['responsible'] = create_employee(company).id
        causes = [c.id for c in Cause.create([{'name': "Packaging"}])]
        with Transaction().set_context(company=company.id):
            claim, = Claim.create([{
                        'company': company.id,
                        'subject': "Broken frames",
                        'causes': [('add', causes)],
                        **values}])
        return claim

    def open_claim(self, company, **values):
        pool = Pool()
        Claim = pool.get('sale.claim')
        claim = self.create_claim(company, **values)
        Claim.open([claim])
        return claim

    def today(self, company):
        pool = Pool()
        Date = pool.get('ir.date')
        with Transaction().set_context(company=company.id):
            return Date.today()
