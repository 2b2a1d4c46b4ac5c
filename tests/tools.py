# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
from contextlib import contextmanager
from unittest.mock import patch

from proteus import Model
from proteus.config import get_config

from trytond.modules.company.tests.tools import create_company, get_company

__all__ = ['create_team', 'freeze', 'get_user']

MODULE = 'trytond.modules.sale_opportunity_management'

# Login and name of the employees, their group and their place in the channel
_TEAM = [
    ('ana', "Ana Admin", "Sale Tracking Administration", None),
    ('mario', "Mario Manager", "Sale Tracking Channel Manager", 'managers'),
    ('olga', "Olga Operator", "Sale Tracking", 'members'),
    ('oscar', "Oscar Operator", "Sale Tracking", 'members'),
    ('pablo', "Pablo Outside", "Sale Tracking", None),
    ]


def create_team(config=None):
    """Create a company in Colombia with a team for telephone sales

    The channel "North" has the manager Mario and the operators Olga and
    Oscar.  Pablo is an operator without channel and Ana administrates all."""
    Channel = Model.get('sale.channel', config=config)
    Country = Model.get('country.country', config=config)
    Employee = Model.get('company.employee', config=config)
    Group = Model.get('res.group', config=config)
    Party = Model.get('party.party', config=config)
    Subdivision = Model.get('country.subdivision', config=config)
    User = Model.get('res.user', config=config)
    if not config:
        config = get_config()

    create_company(config=config)
    company = get_company(config=config)
    company.timezone = 'America/Bogota'
    company.save()
    colombia = Country(name="Colombia", code='CO', code3='COL')
    colombia.save()
    Subdivision(
        name="Antioquia", code='CO-ANT', type='department',
        country=colombia).save()
    party = company.party
    address, = party.addresses or [party.addresses.new()]
    address.country = colombia
    address.city = "Bogotá"
    party.save()

    channel = Channel(name="North", code='N')
    for login, name, group, place in _TEAM:
        employee_party = Party(name=name)
        employee_party.save()
        employee = Employee(party=employee_party, company=company)
        employee.save()
        user = User(name=name, login=login)
        user.groups.extend(Group.find([('name', '=', group)]))
        # The only company is the default one
        user.employees.append(employee)
        user.employee = employee
        user.save()
        if place:
            getattr(channel, place).append(Employee(employee.id))
    channel.save()
    config._context = User.get_preferences(True, {})


def get_user(login, config=None):
    "Return the user with the login"
    User = Model.get('res.user', config=config)
    user, = User.find([('login', '=', login)])
    return user


@contextmanager
def freeze(*args):
    "Stop the clock at the moment in UTC"
    with patch(f'{MODULE}.moment.dt', wraps=dt) as mock:
        mock.timezone = dt.timezone
        mock.datetime.now.return_value = dt.datetime(
            *args, tzinfo=dt.timezone.utc)
        yield
