# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, PYSONDecoder
from trytond.tools import likify
from trytond.transaction import Transaction, check_access

# What the list is filtered by
_FILTERS = {
    'name', 'cups', 'tariff', 'channel', 'operator', 'campaign', 'state',
    'postal_code', 'region', 'subdivision'}


class Context(ModelView):
    __name__ = 'sale.lead.context'

    company = fields.Many2One('company.company', "Company", required=True)
    name = fields.Char("Name")
    name_pattern = fields.Function(
        fields.Char("Name Pattern"), 'on_change_with_name_pattern')
    cups = fields.Char("CUPS", help="The CUPS or how it begins.")
    cups_pattern = fields.Function(
        fields.Char("CUPS Pattern"), 'on_change_with_cups_pattern')
    tariff = fields.Many2One('supply.tariff', "Tariff")
    channel = fields.Many2One(
        'sale.channel', "Channel",
        domain=[
            ('company', '=', Eval('company', -1)),
            ])
    operator = fields.Many2One(
        'company.employee', "Operator",
        domain=[
            ('company', '=', Eval('company', -1)),
            ])
    campaign = fields.Many2One(
        'sale.campaign', "Campaign",
        domain=[
            ('company', '=', Eval('company', -1)),
            ])
    state = fields.Selection([
            (None, ""),
            ('open', "Open"),
            ('closed', "Closed"),
            ], "State", sort=False)
    postal_code = fields.Char(
        "Postal Code", help="The postal code or how it begins.")
    postal_code_pattern = fields.Function(
        fields.Char("Postal Code Pattern"),
        'on_change_with_postal_code_pattern')
    region = fields.Many2One(
        'country.subdivision', "Region",
        domain=[
            ('country.code', '=', 'ES'),
            ('parent', '=', None),
            ])
    subdivision = fields.Many2One(
        'country.subdivision', "Province",
        domain=[
            ('country.code', '=', 'ES'),
            ])
    total = fields.Function(
        fields.Integer(
            "Total Results", help="How many leads match the filters."),
        'on_change_with_total')

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_state(cls):
        return 'open'

    @fields.depends('name')
    def on_change_with_name_pattern(self, name=None):
        return likify(self.name.strip()) if self.name else None

    @fields.depends('cups')
    def on_change_with_cups_pattern(self, name=None):
        pool = Pool()
        SupplyPoint = pool.get('party.supply_point')
        if self.cups and (cups := SupplyPoint.compact_cups(self.cups)):
            return f'{cups}%'

    @fields.depends('postal_code')
    def on_change_with_postal_code_pattern(self, name=None):
        if self.postal_code and (code := self.postal_code.strip()):
            return f'{code}%'

    @fields.depends('company', *_FILTERS)
    @check_access
    def on_change_with_total(self, name=None):
        pool = Pool()
        Action = pool.get('ir.action.act_window')
        ModelData = pool.get('ir.model.data')
        Tracking = pool.get('sale.tracking')
        if not self.company:
            return None
        values = {
            n: getattr(v, 'id', v)
            for n in ['company', *_FILTERS]
            if (v := getattr(self, n, None)) is not None}
        for name in ['name', 'cups', 'postal_code']:
            pattern = f'{name}_pattern'
            values[pattern] = getattr(self, f'on_change_with_{pattern}')()
        action = Action(ModelData.get_id(
                'sale_opportunity_management', 'act_lead_form'))
        domain = [
            PYSONDecoder(values).decode(d)
            for d in [action.domain, action.context_domain]]
        return Tracking.search_count(domain)
