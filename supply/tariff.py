# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.model import DeactivableMixin, ModelSQL, ModelView, Unique, fields

ENERGIES = [
    ('electricity', "Electricity"),
    ('gas', "Gas"),
    ]


class Tariff(DeactivableMixin, ModelSQL, ModelView):
    __name__ = 'supply.tariff'

    code = fields.Char(
        "Code", required=True,
        help="The code of the tariff in the files of the distributors.")
    name = fields.Char("Name", required=True)
    energy = fields.Selection(ENERGIES, "Energy", required=True, sort=False)
    energy_periods = fields.Integer(
        "Energy Periods", required=True,
        domain=[
            ('energy_periods', '>=', 0),
            ('energy_periods', '<=', 6),
            ],
        help="How many prices the consumption has in a day.")
    power_periods = fields.Integer(
        "Power Periods", required=True,
        domain=[
            ('power_periods', '>=', 0),
            ('power_periods', '<=', 6),
            ],
        help="For how many periods a power is contracted.")

    @classmethod
    def __setup__(cls):
        cls.code.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('code_unique', Unique(t, t.energy, t.code),
                'sale_opportunity_management.msg_supply_tariff_code_unique'),
            ]
        cls._order = [('energy', 'ASC'), ('code', 'ASC'), ('id', 'ASC')]

    @classmethod
    def default_energy(cls):
        return 'electricity'

    @classmethod
    def search_rec_name(cls, name, clause):
        _, operator, *extra = clause
        if operator.startswith('!') or operator.startswith('not '):
            bool_op = 'AND'
        else:
            bool_op = 'OR'
        return [bool_op,
            ('name', operator, *extra),
            ('code', operator, *extra),
            ]
