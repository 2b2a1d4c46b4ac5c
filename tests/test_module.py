# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from lxml import etree

from trytond.modules.company.tests import (
    CompanyTestMixin, PartyCompanyCheckEraseMixin)
from trytond.modules.party.tests import PartyCheckReplaceMixin
from trytond.pool import Pool
from trytond.tests.test_tryton import ModuleTestCase, with_transaction


class SaleOpportunityManagementTestCase(
        PartyCompanyCheckEraseMixin, PartyCheckReplaceMixin,
        CompanyTestMixin, ModuleTestCase):
    "Test Sale Opportunity Management module"
    module = 'sale_opportunity_management'
    extras = ['inbound_email']

    @with_transaction()
    def test_list_widgets(self):
        "Test that the web client has a column for each field of the lists"
        pool = Pool()
        View = pool.get('ir.ui.view')
        for view in View.search([
                    ('module', '=', self.module),
                    ('type', '=', 'tree'),
                    ]):
            Model = pool.get(view.model)
            definition = Model.fields_view_get(view.id)
            for field in etree.fromstring(definition['arch']).iter('field'):
                name = field.get('name')
                with self.subTest(view=view.name, field=name):
                    self.assertNotIn(
                        field.get('widget')
                        or definition['fields'][name]['type'],
                        {'datetime', 'timestamp'})


del ModuleTestCase
