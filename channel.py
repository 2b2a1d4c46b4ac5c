# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.cache import Cache
from trytond.model import DeactivableMixin, ModelSQL, ModelView, Unique, fields
from trytond.pool import Pool
from trytond.pyson import Eval, Id, Or
from trytond.transaction import Transaction, inactive_records

# Each has the rights of those before
_ROLES = ['group_tracking', 'group_tracking_manager', 'group_tracking_admin']


def has_role(role):
    """Return the PYSON of whether the user has the group or one above it

    The context of the clients has only the groups that the user is a member
    of, without those that these include."""
    groups = Eval('context', {}).get('groups', [])
    roles = [
        Id('sale_opportunity_management', r).in_(groups)
        for r in _ROLES[_ROLES.index(role):]]
    return Or(*roles) if len(roles) > 1 else roles[0]


class Channel(DeactivableMixin, ModelSQL, ModelView):
    __name__ = 'sale.channel'

    name = fields.Char(
        "Name", required=True,
        help="The name of the branch or sales agency.")
    code = fields.Char("Code")
    company = fields.Many2One(
        'company.company', "Company", required=True,
        states={
            'readonly': Eval('id', -1) >= 0,
            })
    managers = fields.Many2Many(
        'sale.channel-manager-company.employee', 'channel', 'employee',
        "Managers",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="The employees who see and reassign "
        "all the trackings of the channel.")
    members = fields.Many2Many(
        'sale.channel-member-company.employee', 'channel', 'employee',
        "Members",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="The employees to whom the trackings of the channel "
        "can be assigned.")

    _managed_cache = Cache(__name__ + '.get_managed', context=False)
    _managed_team_cache = Cache(
        __name__ + '.get_managed_team', context=False)

    @classmethod
    def __setup__(cls):
        cls.code.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('code_unique', Unique(t, t.company, t.code),
                'sale_opportunity_management.msg_channel_code_unique'),
            ]
        cls._order.insert(0, ('name', 'ASC'))

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    def get_rec_name(self, name):
        return f'[{self.code}] {self.name}' if self.code else self.name

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

    @classmethod
    def get_managed(cls):
        "Return the ids of the channels managed by the employees of the user"
        pool = Pool()
        User = pool.get('res.user')
        employees = User.get_working_employees()
        channels = cls._managed_cache.get(employees)
        if channels is None:
            with Transaction().set_user(0), inactive_records():
                channels = tuple(sorted(map(int, cls.search([
                                    ('managers', 'in', list(employees)),
                                    ], order=[]))))
            cls._managed_cache.set(employees, channels)
        return channels

    @classmethod
    def get_managed_team(cls):
        "Return the ids of the employees of the channels managed by the user"
        channels = cls.get_managed()
        team = cls._managed_team_cache.get(channels)
        if team is None:
            with Transaction().set_user(0), inactive_records():
                team = tuple(sorted({
                            e.id for c in cls.browse(channels)
                            for e in c.team}))
            cls._managed_team_cache.set(channels, team)
        return team

    @property
    def team(self):
        "The employees to whom a manager can assign trackings of the channel"
        return set(self.members) | set(self.managers)

    @classmethod
    def copy(cls, channels, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('code', None)
        return super().copy(channels, default=default)


class _ChannelEmployee(ModelSQL):

    channel = fields.Many2One(
        'sale.channel', "Channel", required=True, ondelete='CASCADE')
    employee = fields.Many2One(
        'company.employee', "Employee", required=True, ondelete='CASCADE')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('channel')

    @classmethod
    def on_modification(cls, mode, employees, field_names=None):
        pool = Pool()
        Channel = pool.get('sale.channel')
        super().on_modification(mode, employees, field_names=field_names)
        Channel._managed_cache.clear()
        Channel._managed_team_cache.clear()


class ChannelManager(_ChannelEmployee):
    __name__ = 'sale.channel-manager-company.employee'


class ChannelMember(_ChannelEmployee):
    __name__ = 'sale.channel-member-company.employee'
