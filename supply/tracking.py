# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from sql import Null

from trytond.i18n import gettext
from trytond.model import Index, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import Transaction, check_access

from ..moment import days_since, now

# How many days after its import a lead that nobody was given may be deleted
DELETE_DAYS = 60
# Name on the supply point by the name on the tracking
_SUPPLY = {
    'supply_cups': 'cups',
    'supply_tariff': 'tariff',
    'supply_postal_code': 'postal_code',
    'supply_subdivision': 'subdivision',
    'supply_region': 'region',
    'supply_last_supplier_change': 'last_supplier_change',
    'supply_annual_consumption': 'annual_consumption',
    'supply_max_power': 'max_power',
    }


def _supply(field):
    # It is removed from the views together with the supply point
    field.depends.add('supply_point')
    return fields.Function(field, 'get_supply', searcher='search_supply')


def _order_supply(name):
    def order(cls, tables):
        return cls.supply_point.convert_order(
            f'supply_point.{name}', tables, cls)
    return classmethod(order)


class Tracking(metaclass=PoolMeta):
    __name__ = 'sale.tracking'

    supply_point = fields.Many2One(
        'party.supply_point', "Supply Point", ondelete='RESTRICT',
        states={
            'readonly': Eval('state') == 'closed',
            },
        domain=[
            ('company', '=', Eval('company', -1)),
            ('party', '=', Eval('party', -1)),
            ],
        help="The supply that is offered to the customer.")
    supply_cups = _supply(fields.Char("CUPS"))
    supply_tariff = _supply(fields.Many2One('supply.tariff', "Tariff"))
    supply_postal_code = _supply(fields.Char("Postal Code"))
    supply_subdivision = _supply(
        fields.Many2One('country.subdivision', "Province"))
    supply_region = _supply(fields.Many2One('country.subdivision', "Region"))
    supply_last_supplier_change = _supply(
        fields.Date("Last Change of Supplier"))
    supply_annual_consumption = _supply(
        fields.Float("Annual Consumption (kWh)", digits=(16, 3)))
    supply_max_power = _supply(
        fields.Float("Highest Power (kW)", digits=(16, 3)))
    origin = fields.Selection([
            (None, ""),
            ('sales_process', "Sales Process"),
            ('template', "Own Template"),
            ('sips', "SIPS"),
            ], "Origin", readonly=True, sort=False,
        help="Where the lead comes from: an opportunity that was there "
        "before, an imported file of the company or one of the market.")
    origin_string = origin.translated('origin')
    reassigned_on = fields.DateTime(
        "Reassigned On", format='%H:%M', readonly=True,
        help="When the channel or the operator changed for the last time.")
    deletable = fields.Function(
        fields.Boolean("Deletable", depends={'supply_point'}),
        'get_deletable')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t,
                (t.supply_point, Index.Range()),
                where=t.supply_point != Null))
        cls._buttons.update({
                'delete_lead': {
                    'invisible': ~Eval('deletable'),
                    'depends': ['deletable'],
                    },
                })

    order_supply_cups = _order_supply('cups')
    order_supply_tariff = _order_supply('tariff')
    order_supply_postal_code = _order_supply('postal_code')
    order_supply_subdivision = _order_supply('subdivision')
    order_supply_last_supplier_change = _order_supply('last_supplier_change')
    order_supply_annual_consumption = _order_supply('annual_consumption')
    order_supply_max_power = _order_supply('max_power')

    @fields.depends('supply_point', 'party')
    def on_change_party(self):
        super().on_change_party()
        if self.supply_point and self.supply_point.party != self.party:
            self.supply_point = None

    @classmethod
    @check_access
    def _may_read_supply(cls):
        pool = Pool()
        ModelAccess = pool.get('ir.model.access')
        return not Transaction().user or ModelAccess.check(
            'party.supply_point', 'read', raise_exception=False)

    @classmethod
    def get_supply(cls, trackings, names):
        may_read = cls._may_read_supply()
        values = {}
        for name in names:
            values[name] = by_id = {}
            for tracking in trackings:
                value = None
                if may_read and tracking.supply_point:
                    value = getattr(tracking.supply_point, _SUPPLY[name])
                by_id[tracking.id] = getattr(value, 'id', value)
        return values

    @classmethod
    def search_supply(cls, name, clause):
        if not cls._may_read_supply():
            return [('id', '=', None)]
        path, *operation = clause
        nested = path[len(name):]
        return [(f'supply_point.{_SUPPLY[name]}{nested}', *operation)]

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if (mode == 'create'
                and values.get('opportunity') and not values.get('origin')):
            values['origin'] = 'sales_process'
        elif mode == 'write' and {'channel', 'operator'} & values.keys():
            values['reassigned_on'] = now()
        return values

    @classmethod
    def check_modification(
            cls, mode, trackings, values=None, external=False):
        super().check_modification(
            mode, trackings, values=values, external=external)
        if mode != 'write' or not external:
            return
        # They tell which leads may be deleted
        for name in {'origin', 'reassigned_on'} & values.keys():
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_modify_computed',
                    **cls.__names__(name)))
        if 'supply_point' in values and values['supply_point'] is None:
            for tracking in trackings:
                if tracking.supply_point:
                    raise AccessError(gettext(
                            'sale_opportunity_management'
                            '.msg_lead_supply_point',
                            tracking=tracking.rec_name))

    @classmethod
    def copy(cls, trackings, default=None):
        default = default.copy() if default is not None else {}
        for name in ['origin', 'reassigned_on']:
            default.setdefault(name)
        return super().copy(trackings, default=default)

    @classmethod
    def get_deletable(cls, trackings, name):
        return {
            t.id: bool(
                t.supply_point and not t._delete_lead_message()
                and not t.last_activity and not t.next_activity)
            for t in trackings}

    def _refuse_delete(self, external):
        refusals = super()._refuse_delete(external)
        if external and self.supply_point:
            if message := self._delete_lead_message():
                refusals.append(gettext(
                        f'sale_opportunity_management.{message}',
                        tracking=self.rec_name,
                        days=DELETE_DAYS))
        return refusals

    def _delete_lead_message(self):
        "Return the message of why the lead is not deleted"
        if self.origin not in {'template', 'sips'}:
            return 'msg_lead_delete_not_imported'
        elif self.reassigned_on:
            return 'msg_lead_delete_reassigned'
        elif days_since(self.company, self.create_date) <= DELETE_DAYS:
            return 'msg_lead_delete_recent'

    @classmethod
    @ModelView.button
    def delete_lead(cls, trackings):
        # The client deletes, so that it is checked as any other deletion
        return 'delete'
