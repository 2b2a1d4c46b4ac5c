#!/usr/bin/env python3
# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""Fill the database of the demo with an example company and its history.

Everything is entered as the users do it, by the importer and the wizards of
the module, each with the own user. Only the clock of the server is set to the
moment of each action, as a planned call can not be in the past."""

import argparse
import datetime as dt
import json
import os
from decimal import Decimal

import pycountry
from common import TIMEZONE, no_mail, progress, ref
from history import History
from proteus import Model, Wizard, config
from stdnum.es.cups import calc_check_digits

from trytond.modules.country.scripts import import_countries

PASSWORD = 'demo'
COMPANY = "Visión Andina S.A.S."
# Login, name, role, group of the module
USERS = [
    ('responsable', "Marta Salcedo", "Administrator", 'group_tracking_admin'),
    ('gerente', "Germán Pardo", "Manager of Bogotá",
        'group_tracking_manager'),
    ('operador1', "Óscar Nieto", "Operator in Bogotá", 'group_tracking'),
    ('operador2', "Paola Rincón", "Operator in Bogotá", 'group_tracking'),
    ('operador3', "Quique Mejía", "Operator in Medellín", 'group_tracking'),
    ]
CHANNELS = [
    ("Bogotá", 'BOG', ['gerente'], ['operador1', 'operador2']),
    ("Medellín", 'MDE', [], ['operador3']),
    ]
# Code, name and parent of those of Spain with supply points
SUBDIVISIONS = [
    ('ES-CT', "Cataluña", None),
    ('ES-B', "Barcelona", 'ES-CT'),
    ('ES-MD', "Madrid, Comunidad de", None),
    ('ES-M', "Madrid", 'ES-MD'),
    ]
# Customer, tariff, powers, monthly consumption by period and place
SUPPLY_POINTS = [
    ("Panadería La Espiga S.L.", '2.0TD', [13.2, 13.2], [320, 280, 410],
        "Barcelona", '08012', 'ES-B'),
    ("Talleres Ribera S.A.", '3.0TD', [30, 30, 35, 35, 35, 50],
        [1200, 900, 700, 500, 300, 1500], "Sabadell", '08201', 'ES-B'),
    ("Hotel Puerta de Alcalá S.L.", '3.0TD', [60, 60, 60, 60, 60, 80],
        [4100, 3800, 2900, 2500, 2100, 5200], "Madrid", '28001', 'ES-M'),
    ("Conservas del Henares S.A.", '6.1TD', [250, 250, 250, 250, 250, 451],
        [21000, 18500, 16000, 14500, 12000, 31000], "Alcalá de Henares",
        '28801', 'ES-M'),
    ]


def finish_config_wizard():
    Item = Model.get('ir.module.config_wizard.item')
    for item in Item.find([('state', '=', 'open')]):
        item.state = 'done'
        item.save()


def create_countries():
    "Return all the countries, after creating the subdivisions of Colombia"
    Subdivision = Model.get('country.subdivision')

    countries = import_countries.update_countries(
        import_countries.get_countries())
    import_countries.translate_countries(countries)
    # The subdivisions of all the countries would take minutes
    types = dict(Subdivision._fields['type']['selection'])
    Subdivision.save([
            Subdivision(
                code=subdivision.code, name=subdivision.name,
                country=countries['CO'],
                type=(
                    subdivision.type.lower()
                    if subdivision.type.lower() in types else None))
            for subdivision in pycountry.subdivisions.get(country_code='CO')])
    return countries


def create_currency():
    Currency = Model.get('currency.currency')
    currency = Currency(
        name="Peso colombiano", code='COP', symbol='$', numeric_code='170',
        digits=2)
    currency.rates.new(
        date=dt.date(dt.date.today().year, 1, 1), rate=Decimal(1))
    currency.save()
    return currency


def create_company(country, currency):
    Company = Model.get('company.company')
    Language = Model.get('ir.lang')
    Party = Model.get('party.party')
    Subdivision = Model.get('country.subdivision')
    User = Model.get('res.user')
    spanish, = Language.find([('code', '=', 'es')])
    bogota, = Subdivision.find([('code', '=', 'CO-DC')])
    party = Party(name=COMPANY, lang=spanish)
    address, = party.addresses
    address.street_unstructured = "Carrera 13 # 85-32, oficina 402"
    address.city = "Bogotá"
    address.country = country
    address.subdivision = bogota
    party.save()
    mechanism = party.contact_mechanisms.new(type='phone')
    mechanism.value = '+57 601 555 0100'
    party.save()
    wizard = Wizard('company.company.config')
    wizard.execute('company')
    wizard.form.party = party
    wizard.form.currency = currency
    wizard.form.timezone = TIMEZONE
    wizard.execute('add')
    config.get_config()._context = User.get_preferences(True, {})
    company, = Company.find([])
    return company


def email(login):
    return f'{login}@example.com'


def create_users(company):
    "Return the employees by login"
    Employee = Model.get('company.employee')
    Group = Model.get('res.group')
    Language = Model.get('ir.lang')
    Party = Model.get('party.party')
    User = Model.get('res.user')
    spanish, = Language.find([('code', '=', 'es')])
    employees = {}
    for login, name, _, group in USERS:
        party = Party(name=name, lang=spanish)
        party.contact_mechanisms.new(type='email', value=email(login))
        party.save()
        employees[login] = employee = Employee(party=party, company=company)
        employee.save()
        groups = [ref(group)]
        if login == 'responsable':
            # For the customers, the opportunities and the sales
            groups += [
                ref('group_party_admin', 'party'),
                ref('group_opportunity', 'sale_opportunity'),
                ref('group_sale', 'sale'),
                ref('group_sale_admin', 'sale'),
                ]
        user = User(
            login=login, name=name, language=spanish, password=PASSWORD,
            email=email(login))
        user.groups.extend(Group(g) for g in groups)
        user.companies.append(type(company)(company.id))
        user.company = type(company)(company.id)
        user.employees.append(Employee(employee.id))
        user.employee = Employee(employee.id)
        user.save()
    return employees


def create_channels(company, employees):
    Channel = Model.get('sale.channel')
    Employee = Model.get('company.employee')
    channels = {}
    for name, code, managers, members in CHANNELS:
        channel = Channel(name=name, code=code, company=company)
        channel.managers.extend(Employee(employees[l].id) for l in managers)
        channel.members.extend(Employee(employees[l].id) for l in members)
        channel.save()
        channels[code] = channel
    return channels


def show_supply_points(countries):
    Configuration = Model.get('sale.configuration')
    Subdivision = Model.get('country.subdivision')
    configuration = Configuration(1)
    configuration.supply_points = True
    configuration.save()
    for code, name, parent in SUBDIVISIONS:
        subdivision = Subdivision(
            code=code, name=name, country=countries['ES'],
            type='province' if parent else 'autonomous community')
        if parent:
            subdivision.parent, = Subdivision.find([('code', '=', parent)])
        subdivision.save()


def create_supply_points():
    "Create customers of energy in Spain with what they consumed in a year"
    Party = Model.get('party.party')
    Subdivision = Model.get('country.subdivision')
    SupplyPoint = Model.get('party.supply_point')
    Tariff = Model.get('supply.tariff')
    last = dt.date.today() - dt.timedelta(days=20)
    for i, (name, tariff, powers, energies, city, code, province) in enumerate(
            SUPPLY_POINTS, 1):
        party = Party(name=name)
        party.save()
        cups = f'ES0031{i:012}'
        point = SupplyPoint(party=party)
        point.cups = cups + calc_check_digits(cups)
        point.tariff, = Tariff.find([('name', '=', tariff)])
        point.retailer = "Comercializadora de ejemplo"
        point.city, point.postal_code = city, code
        point.subdivision, = Subdivision.find([('code', '=', province)])
        point.last_supplier_change = last - dt.timedelta(days=200 * i)
        for period, power in enumerate(powers, 1):
            setattr(point, f'power_p{period}', power)
        for month in range(12):
            consumption = point.consumptions.new()
            consumption.end = last - dt.timedelta(days=30 * month)
            consumption.start = consumption.end - dt.timedelta(days=30)
            for period, energy in enumerate(energies, 1):
                # More in winter
                setattr(
                    consumption, f'energy_p{period}',
                    round(energy * (1 + abs(6 - month) / 20), 1))
            consumption.demand_p1 = round(
                powers[0] * (0.8 + month % 4 / 10), 1)
        point.save()


def create_leads():
    BusinessUnit = Model.get('sale.business_unit')
    SupplyPoint = Model.get('party.supply_point')
    Tracking = Model.get('sale.tracking')
    unit, *_ = BusinessUnit.find([])
    for point in SupplyPoint.find([]):
        Tracking(
            party=point.party, business_unit=unit, supply_point=point).save()


def create_duplicates():
    """Create two customers again, as who did not look for them writes them

    One of them is merged."""
    Cron = Model.get('ir.cron')
    Duplicate = Model.get('party.duplicate')
    Party = Model.get('party.party')
    for party in Party.find([
                ('name', 'like', "Óptica %"),
                ('contact_mechanisms.type', '=', 'email'),
                ], order=[('id', 'ASC')], limit=2):
        again = Party(name=party.name.replace("Ó", "O").replace(".", ""))
        for mechanism in party.contact_mechanisms[:2]:
            again.contact_mechanisms.new(
                type=mechanism.type, value=mechanism.value)
        again.save()
    cron, = Cron.find([('method', '=', 'party.duplicate|find_all')])
    cron.click('run_once')
    merge = Wizard('party.merge', Duplicate.find(
            [('state', '=', 'to_review')], order=[('id', 'DESC')], limit=1))
    merge.execute('merge')


def main(database, config_file, users_file):
    config.set_trytond(database, config_file=config_file)
    progress("Countries and currency")
    finish_config_wizard()
    countries = create_countries()
    currency = create_currency()
    progress("Company, users and channels")
    company = create_company(countries['CO'], currency)
    employees = create_users(company)
    channels = create_channels(company, employees)
    show_supply_points(countries)
    create_supply_points()
    sessions = {}
    # The administrator last, so that it is the one who imports
    for login, *_ in reversed(USERS):
        sessions[login] = config.set_trytond(
            database, user=login, config_file=config_file)
        # A user would confirm the warnings
        sessions[login].skip_warning = True
    progress("Contacts, trackings and calls of eight weeks")
    with no_mail():
        History(
            database, sessions, employees, channels,
            os.path.dirname(users_file)).run()
    progress("Leads and duplicate customers")
    # The models of the first session are of an older pool
    config.set_trytond(database, config_file=config_file)
    create_leads()
    create_duplicates()

    users = [
        {'login': login, 'password': PASSWORD, 'role': f'{role} ({name})'}
        for login, name, role, _ in USERS]
    users.append({
            'login': 'admin', 'password': PASSWORD,
            'role': "Administrator of Tryton"})
    with open(users_file, 'w') as fp:
        json.dump(users, fp, indent=2)


def run():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('-d', '--database', required=True)
    parser.add_argument('-c', '--config', dest='config_file')
    parser.add_argument(
        'users', help="the file to write the users and passwords to")
    options = parser.parse_args()
    main(options.database, options.config_file, options.users)


if __name__ == '__main__':
    run()
