# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.transaction import without_check_access


class Configuration(metaclass=PoolMeta):
    __name__ = 'sale.configuration'

    supply_points = fields.Function(
        fields.Boolean(
            "Supply Points",
            help="Check to show the supply points of energy to the operators, "
            "channel managers and administrators."),
        'get_supply_points', setter='set_supply_points')

    @classmethod
    @without_check_access
    def get_supply_points(cls, configurations, name):
        tracking, supply_point = cls._supply_groups()
        value = tracking.parent == supply_point
        return {c.id: value for c in configurations}

    @classmethod
    def default_supply_points(cls, **pattern):
        return cls.get_supply_points([cls(1)], 'supply_points')[1]

    @classmethod
    @without_check_access
    def set_supply_points(cls, configurations, name, value):
        pool = Pool()
        Group = pool.get('res.group')
        tracking, supply_point = cls._supply_groups()
        if value == (tracking.parent == supply_point):
            return
        # The group may inherit from another one already
        if value:
            Group.write(
                [supply_point], {'parent': tracking.parent},
                [tracking], {'parent': supply_point})
        else:
            Group.write(
                [tracking], {'parent': supply_point.parent},
                [supply_point], {'parent': None})

    @classmethod
    def _supply_groups(cls):
        pool = Pool()
        Group = pool.get('res.group')
        ModelData = pool.get('ir.model.data')
        return [
            Group(ModelData.get_id('sale_opportunity_management', name))
            for name in ['group_tracking', 'group_supply_point']]
