# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from collections import defaultdict

from sql import Literal, Null
from sql.operators import Equal
from stdnum.es import cups as stdnum_cups

from trytond.i18n import gettext
from trytond.model import (
    Check, DeactivableMixin, Exclude, Index, ModelSQL, ModelView, Unique,
    fields)
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, without_check_access

from .annual import PERIODS, Reading, get_annual, get_excess
from .exceptions import ConsumptionDateError, CUPSError
from .tariff import ENERGIES

_DIGITS = (16, 3)
# What names the supply point, without the point of measurement
_POINT_LENGTH = 20
_POWERS = [f'power_p{i}' for i in PERIODS]
_ENERGIES = [f'energy_p{i}' for i in PERIODS]
_DEMANDS = [f'demand_p{i}' for i in PERIODS]
_DERIVED = [
    'max_power', 'power_excess', 'annual_consumption', 'annual_estimated',
    'annual_from', 'annual_to', *(f'annual_p{i}' for i in PERIODS)]

_is_electricity = {
    'invisible': Eval('energy') != 'electricity',
    }


def _quantity(label, name, help='', states=None):
    return fields.Float(
        label, digits=_DIGITS, states=states,
        domain=['OR',
            (name, '=', None),
            (name, '>=', 0),
            ],
        help=help)


def _derived(label, help='', states=None):
    return fields.Float(
        label, digits=_DIGITS, readonly=True, states=states, help=help)


class SupplyPoint(DeactivableMixin, ModelSQL, ModelView):
    __name__ = 'party.supply_point'
    _rec_name = 'cups'

    party = fields.Many2One(
        'party.party', "Customer", required=True, ondelete='RESTRICT',
        context={
            'company': Eval('company', -1),
            },
        depends={'company'},
        help="Who has the contract of the supply.")
    contact = fields.Many2One(
        'party.contact', "Contact", ondelete='SET NULL',
        domain=[
            ('party', '=', Eval('party', -1)),
            ],
        help="The person to talk to about the supply.")
    company = fields.Many2One(
        'company.company', "Company", required=True,
        states={
            'readonly': Eval('id', -1) >= 0,
            })
    cups = fields.Char(
        "CUPS", required=True,
        help="The code of the supply point, of 20 or 22 characters.")
    cups_point = fields.Char(
        "CUPS Point", readonly=True,
        help="The part of the CUPS that names the supply point.")
    energy = fields.Selection(ENERGIES, "Energy", required=True, sort=False)
    tariff = fields.Many2One(
        'supply.tariff', "Tariff", ondelete='RESTRICT',
        domain=[
            ('energy', '=', Eval('energy')),
            ])
    distributor = fields.Char("Distributor")
    distributor_code = fields.Char("Distributor Code")
    retailer = fields.Char(
        "Retailer", help="The company that sells the energy now.")
    voltage = fields.Char("Voltage", states=_is_electricity)
    power_p1 = _quantity(
        "Power P1 (kW)", 'power_p1', states=_is_electricity)
    power_p2 = _quantity(
        "Power P2 (kW)", 'power_p2', states=_is_electricity)
    power_p3 = _quantity(
        "Power P3 (kW)", 'power_p3', states=_is_electricity)
    power_p4 = _quantity(
        "Power P4 (kW)", 'power_p4', states=_is_electricity)
    power_p5 = _quantity(
        "Power P5 (kW)", 'power_p5', states=_is_electricity)
    power_p6 = _quantity(
        "Power P6 (kW)", 'power_p6', states=_is_electricity)
    power_max_bie = _quantity(
        "Authorised Power (kW)", 'power_max_bie', states=_is_electricity,
        help="The highest power that the installation is certified for.")
    max_power = _derived(
        "Highest Power (kW)", states=_is_electricity,
        help="The highest of the contracted powers.")
    power_excess = _derived(
        "Power Excess (kW)", states=_is_electricity,
        help="By how much the demand exceeded the contracted power in the "
        "year before the last reading.")
    annual_consumption = _derived(
        "Annual Consumption (kWh)",
        help="What was consumed in the year before the last reading.\n"
        "Empty if less than 60 days are known.")
    annual_p1 = _derived("Annual P1 (kWh)")
    annual_p2 = _derived("Annual P2 (kWh)")
    annual_p3 = _derived("Annual P3 (kWh)")
    annual_p4 = _derived("Annual P4 (kWh)")
    annual_p5 = _derived("Annual P5 (kWh)")
    annual_p6 = _derived("Annual P6 (kWh)")
    annual_from = fields.Date("Annual From", readonly=True)
    annual_to = fields.Date("Annual To", readonly=True)
    annual_estimated = fields.Boolean(
        "Estimated", readonly=True,
        help="Checked if a reading of the year is estimated or less than the "
        "365 days are known.")
    street = fields.Char("Street")
    postal_code = fields.Char("Postal Code")
    city = fields.Char("City")
    municipality_code = fields.Char("Municipality Code")
    subdivision = fields.Many2One(
        'country.subdivision', "Province",
        domain=[
            ('country.code', '=', 'ES'),
            ])
    region = fields.Function(
        fields.Many2One('country.subdivision', "Region"),
        'on_change_with_region', searcher='search_region')
    start_date = fields.Date(
        "Start Date", help="Since when there is the supply.")
    last_contract_change = fields.Date("Last Change of Contract")
    last_supplier_change = fields.Date("Last Change of Supplier")
    supplier_change = fields.Boolean(
        "Supplier Change under Way",
        help="Check if the customer is changing to another retailer now.")
    last_reading = fields.Date("Last Reading")
    cnae = fields.Char(
        "CNAE", help="The code of the activity for which it is used.")
    home = fields.Boolean(
        "Home", help="Check if it is the usual residence of somebody.")
    self_consumption = fields.Boolean(
        "Self-Consumption",
        help="Check if the customer also generates energy.")
    social_bonus = fields.Boolean("Social Bonus")
    contractable = fields.Boolean(
        "Contractable",
        help="Uncheck if nobody can make a contract for it now.")
    billing_periodicity = fields.Selection([
            (None, ""),
            ('monthly', "Monthly"),
            ('bimonthly', "Every Two Months"),
            ], "Billing Periodicity", sort=False)
    consumptions = fields.One2Many(
        'party.supply_point.consumption', 'supply_point', "Consumption",
        order=[('end', 'DESC'), ('id', 'DESC')])

    @classmethod
    def __setup__(cls):
        cls.cups.search_unaccented = False
        cls.cups_point.search_unaccented = False
        cls.postal_code.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('cups_point_exclude',
                Exclude(t,
                    (t.cups_point, Equal),
                    (t.company, Equal),
                    where=t.active == Literal(True)),
                'sale_opportunity_management.msg_supply_point_unique'),
            ]
        cls._sql_indexes.update({
                Index(t, (t.cups_point, Index.Equality())),
                Index(t, (t.cups, Index.Similarity())),
                Index(
                    t,
                    (t.company, Index.Equality(cardinality='low')),
                    (t.cups, Index.Range())),
                Index(t, (t.contact, Index.Range()), where=t.contact != Null),
                Index(t, (t.tariff, Index.Range())),
                Index(t, (t.subdivision, Index.Range())),
                Index(t, (t.postal_code, Index.Range())),
                Index(t, (t.max_power, Index.Range(order='DESC'))),
                Index(t, (t.annual_consumption, Index.Range(order='DESC'))),
                Index(t, (t.last_supplier_change, Index.Range())),
                })
        cls._order = [('cups', 'ASC'), ('id', 'ASC')]

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_energy(cls):
        return 'electricity'

    @classmethod
    def default_contractable(cls):
        return True

    @fields.depends('party', 'contact', '_parent_party.id')
    def on_change_party(self):
        if self.contact and self.contact.party != self.party:
            self.contact = None

    @fields.depends('energy', 'tariff')
    def on_change_energy(self):
        if self.tariff and self.tariff.energy != self.energy:
            self.tariff = None

    @fields.depends('subdivision')
    def on_change_with_region(self, name=None):
        if self.subdivision:
            # Ceuta and Melilla are a region of their own
            return self.subdivision.parent or self.subdivision

    @classmethod
    def search_region(cls, name, clause):
        path, operator, *extra = clause
        nested = path[len(name):]
        if operator.startswith('!') or operator.startswith('not '):
            bool_op = 'AND'
        else:
            bool_op = 'OR'
        return [bool_op,
            ('subdivision.parent' + nested, operator, *extra),
            [
                ('subdivision.parent', '=', None),
                ('subdivision' + nested, operator, *extra),
                ],
            ]

    @classmethod
    def compact_cups(cls, text):
        "Return the text as the CUPS are stored, whether it is one or not"
        return stdnum_cups.compact(text)

    @classmethod
    def search_rec_name(cls, name, clause):
        _, operator, operand, *extra = clause
        if isinstance(operand, str):
            operand = cls.compact_cups(operand)
        return [('cups', operator, operand, *extra)]

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('//page[@id="powers"]', 'states', _is_electricity),
            ]

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        values.pop('cups_point', None)
        if values.get('cups'):
            values['cups'] = cls.compact_cups(values['cups'])
            values['cups_point'] = values['cups'][:_POINT_LENGTH]
        return values

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        if field_names is None or field_names & set(_POWERS):
            power = max(filter(None, (
                        getattr(self, n, None) for n in _POWERS)),
                default=None)
            if getattr(self, 'max_power', None) != power:
                values['max_power'] = power
        return values

    @classmethod
    def validate_fields(cls, points, field_names):
        super().validate_fields(points, field_names)
        cls.check_cups(points, field_names)

    @classmethod
    def check_cups(cls, points, field_names=None):
        if field_names and 'cups' not in field_names:
            return
        for point in points:
            if not stdnum_cups.is_valid(point.cups):
                raise CUPSError(gettext(
                        'sale_opportunity_management.msg_supply_point_cups',
                        cups=point.cups))

    @classmethod
    def on_modification(cls, mode, points, field_names=None):
        super().on_modification(mode, points, field_names=field_names)
        if mode == 'write' and field_names & set(_POWERS):
            cls.update_consumption(points)

    @classmethod
    def update_consumption(cls, points):
        """Keep on the supply points a summary of their consumption

        It is the only place that writes it."""
        pool = Pool()
        Consumption = pool.get('party.supply_point.consumption')
        cursor = Transaction().connection.cursor()
        table = Consumption.__table__()
        size = len(PERIODS)
        to_write = []
        for sub_points in grouped_slice(list(points), 500):
            sub_points = cls.browse(sub_points)
            cls._lock_summary(sub_points)
            readings = defaultdict(list)
            cursor.execute(*table.select(
                    table.supply_point, table.start, table.end,
                    table.estimated,
                    *(getattr(table, n) for n in _ENERGIES + _DEMANDS),
                    where=fields.SQL_OPERATORS['in'](
                        table.supply_point, list(map(int, sub_points)))))
            for id_, start, end, estimated, *quantities in cursor:
                readings[id_].append(Reading(
                        start, end, estimated, quantities[:size],
                        quantities[size:]))
            for point in sub_points:
                summary = get_annual(readings[point.id])
                summary['power_excess'] = get_excess(
                    readings[point.id], [getattr(point, n) for n in _POWERS])
                values = {
                    n: v for n, v in summary.items() if getattr(point, n) != v}
                if values:
                    to_write.extend([[point], values])
        if to_write:
            with without_check_access():
                cls.write(*to_write)

    @classmethod
    def _lock_summary(cls, points):
        transaction = Transaction()
        if not transaction.database.has_select_for():
            return
        # What was written makes who has read the readings before begin again
        cursor = transaction.connection.cursor()
        table = cls.__table__()
        cursor.execute(*table.update(
                [table.company], [table.company],
                where=fields.SQL_OPERATORS['in'](
                    table.id, sorted(map(int, points)))))

    @classmethod
    def copy(cls, points, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('consumptions')
        # There is one active supply point of each CUPS
        default.setdefault('active', False)
        for name in _DERIVED:
            default.setdefault(name)
        return super().copy(points, default=default)


class Consumption(ModelSQL, ModelView):
    __name__ = 'party.supply_point.consumption'

    supply_point = fields.Many2One(
        'party.supply_point', "Supply Point", required=True,
        ondelete='CASCADE',
        states={
            'readonly': Eval('id', -1) >= 0,
            })
    company = fields.Function(
        fields.Many2One('company.company', "Company"),
        'on_change_with_company', searcher='search_company')
    supply_energy = fields.Function(
        fields.Selection(ENERGIES, "Kind of Energy", sort=False),
        'on_change_with_supply_energy')
    start = fields.Date(
        "Start", required=True,
        domain=[
            If(Eval('end', None), ('start', '<', Eval('end', None)), ()),
            ],
        help="The day of the reading before.")
    end = fields.Date(
        "End", required=True, help="The day of the reading.")
    tariff = fields.Many2One(
        'supply.tariff', "Tariff", ondelete='RESTRICT',
        domain=[
            ('energy', '=', Eval('supply_energy')),
            ])
    estimated = fields.Boolean(
        "Estimated", help="Check if nobody has read it.")
    energy = fields.Function(
        fields.Float("Energy (kWh)", digits=_DIGITS),
        'on_change_with_energy')
    energy_p1 = _quantity("Energy P1 (kWh)", 'energy_p1')
    energy_p2 = _quantity("Energy P2 (kWh)", 'energy_p2')
    energy_p3 = _quantity("Energy P3 (kWh)", 'energy_p3')
    energy_p4 = _quantity("Energy P4 (kWh)", 'energy_p4')
    energy_p5 = _quantity("Energy P5 (kWh)", 'energy_p5')
    energy_p6 = _quantity("Energy P6 (kWh)", 'energy_p6')
    demand_p1 = _quantity("Demand P1 (kW)", 'demand_p1')
    demand_p2 = _quantity("Demand P2 (kW)", 'demand_p2')
    demand_p3 = _quantity("Demand P3 (kW)", 'demand_p3')
    demand_p4 = _quantity("Demand P4 (kW)", 'demand_p4')
    demand_p5 = _quantity("Demand P5 (kW)", 'demand_p5')
    demand_p6 = _quantity("Demand P6 (kW)", 'demand_p6')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('supply_point')
        t = cls.__table__()
        cls._sql_constraints += [
            ('period_unique', Unique(t, t.supply_point, t.start, t.end),
                'sale_opportunity_management.msg_supply_consumption_unique'),
            ('period_check', Check(t, t.start < t.end),
                'sale_opportunity_management.msg_supply_consumption_period'),
            ]
        cls._sql_indexes.update({
                Index(
                    t,
                    (t.supply_point, Index.Range()),
                    (t.end, Index.Range(order='DESC'))),
                Index(t, (t.tariff, Index.Range()), where=t.tariff != Null),
                })
        cls._order = [('end', 'DESC'), ('id', 'DESC')]

    @fields.depends('supply_point', '_parent_supply_point.company')
    def on_change_with_company(self, name=None):
        return self.supply_point.company if self.supply_point else None

    @classmethod
    def search_company(cls, name, clause):
        return [('supply_point.' + clause[0], *clause[1:])]

    @fields.depends('supply_point', '_parent_supply_point.energy')
    def on_change_with_supply_energy(self, name=None):
        return self.supply_point.energy if self.supply_point else None

    @fields.depends(*_ENERGIES)
    def on_change_with_energy(self, name=None):
        return round(sum(getattr(self, n) or 0 for n in _ENERGIES), 3)

    def get_rec_name(self, name):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        return f'{lang.strftime(self.start)} - {lang.strftime(self.end)}'

    @classmethod
    def validate_fields(cls, consumptions, field_names):
        super().validate_fields(consumptions, field_names)
        cls.check_date(consumptions, field_names)

    @classmethod
    def check_date(cls, consumptions, field_names=None):
        pool = Pool()
        Date = pool.get('ir.date')
        Lang = pool.get('ir.lang')
        if field_names and 'end' not in field_names:
            return
        for consumption in consumptions:
            with Transaction().set_context(company=consumption.company.id):
                today = Date.today()
            if consumption.end > today:
                raise ConsumptionDateError(gettext(
                        'sale_opportunity_management'
                        '.msg_supply_consumption_future',
                        date=Lang.get().strftime(consumption.end)))

    @classmethod
    def on_modification(cls, mode, consumptions, field_names=None):
        super().on_modification(mode, consumptions, field_names=field_names)
        if mode in {'create', 'write'}:
            cls._update_points(consumptions)

    @classmethod
    def on_write(cls, consumptions, values):
        callbacks = super().on_write(consumptions, values)
        if 'supply_point' in values:
            # Those that they are taken from
            points = {c.supply_point.id for c in consumptions}
            callbacks.append(lambda: cls._update_points(points=points))
        return callbacks

    @classmethod
    def on_delete(cls, consumptions):
        callbacks = super().on_delete(consumptions)
        points = {c.supply_point.id for c in consumptions}
        callbacks.append(lambda: cls._update_points(points=points))
        return callbacks

    @classmethod
    def _update_points(cls, consumptions=(), points=()):
        pool = Pool()
        SupplyPoint = pool.get('party.supply_point')
        ids = {c.supply_point.id for c in consumptions} | set(points)
        SupplyPoint.update_consumption(SupplyPoint.browse(sorted(ids)))
