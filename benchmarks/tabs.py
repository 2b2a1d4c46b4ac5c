#!/usr/bin/env python3
# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""Measure the tabs of the menus on a PostgreSQL database of its own

For each tab of "My Work", "My Trackings", "Trackings" and "Calls", what the
database needs to count it and to list its first page, as each role, with one
size of data and with ten times as much. A company grows by operators, so that
each has as many trackings in both. Unless their number is given it grows also
by channels, so that each has as many operators: then a manager sees a tenth of
the part of the trackings that was seen before.

    benchmarks/tabs.py -c trytond.conf -d bench [--channels 2]

The database must be empty but for the module, it gets an example company."""

import statistics
from argparse import ArgumentParser

import trytond.config as config
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.transaction import Transaction, check_access

# Number of operators, each with 1,000 trackings of 5 calls
SIZES = [20, 200]
OPERATORS_PER_CHANNEL = 10
RUNS = 7
# What the client asks for at most
LIMIT = 1000
ACTIONS = {
    'operator': [
        'act_activity_mine', 'act_tracking_mine_form', 'act_call_form'],
    'manager': ['act_tracking_form', 'act_call_form'],
    'administrator': ['act_tracking_form', 'act_call_form'],
    }
GROUPS = {
    'operator': 'group_tracking',
    'manager': 'group_tracking_manager',
    'administrator': 'group_tracking_admin',
    }
MODULE = 'sale_opportunity_management'


def set_up():
    "Return the company and the users by role"
    pool = Pool()
    Company = pool.get('company.company')
    Currency = pool.get('currency.currency')
    Employee = pool.get('company.employee')
    ModelData = pool.get('ir.model.data')
    Party = pool.get('party.party')
    User = pool.get('res.user')
    currency, = Currency.create([{
                'name': "Peso", 'code': 'COP', 'symbol': '$'}])
    party, = Party.create([{'name': "Company"}])
    company, = Company.create([{
                'party': party.id,
                'currency': currency.id,
                'timezone': 'America/Bogota',
                }])
    users = {}
    for role, group in GROUPS.items():
        party, = Party.create([{'name': role}])
        employee, = Employee.create([{
                    'party': party.id, 'company': company.id}])
        users[role], = User.create([{
                    'name': role,
                    'login': role,
                    'groups': [('add', [ModelData.get_id(MODULE, group)])],
                    'companies': [('add', [company.id])],
                    'company': company.id,
                    'employees': [('add', [employee.id])],
                    'employee': employee.id,
                    }])
    return company, users


def populate(company, users, number, channels_number):
    "Add by SQL the trackings and calls of more operators"
    pool = Pool()
    BusinessUnit = pool.get('sale.business_unit')
    Channel = pool.get('sale.channel')
    Employee = pool.get('company.employee')
    Party = pool.get('party.party')
    cursor = Transaction().connection.cursor()
    unit, *_ = BusinessUnit.search([])
    channels = Channel.search([], order=[('id', 'ASC')])
    known = Employee.search([
            ('party.name', 'like', "Operator %"),
            ], order=[('id', 'ASC')])
    parties = Party.create([
            {'name': f"Operator {i}"}
            for i in range(len(known) + 1, number)])
    Employee.create([
            {'party': p.id, 'company': company.id} for p in parties])
    cursor.execute(
        "SELECT count(*) FROM sale_tracking")
    done, = cursor.fetchone()
    operators = [users['operator'].employee.id] + [
        e.id for e in Employee.search([
                ('party.name', 'like', "Operator %"),
                ], order=[('id', 'ASC')])]
    is_first = not channels
    channels += Channel.create([
            {'name': f"Channel {i}", 'company': company.id}
            for i in range(len(channels), channels_number)])
    if is_first:
        Channel.write(channels[:1], {
                'managers': [('add', [users['manager'].employee.id])],
                })
    cursor.execute(
        "INSERT INTO sale_tracking "
        "(number, party, company, business_unit, channel, operator, "
        "start_date, state, next_activity) "
        "SELECT i, %(party)s, %(company)s, %(unit)s, "
        "(%(channels)s::int[])[1 + i / %(size)s %% %(channels_number)s], "
        # A hundredth belongs to nobody
        "CASE WHEN i %% 100 != 7 "
        "THEN (%(operators)s::int[])[1 + i / 1000] END, "
        "CURRENT_DATE - i %% 700, "
        "CASE WHEN i %% 10 < 3 THEN 'open' ELSE 'closed' END, "
        "CASE WHEN i %% 10 < 3 AND i %% 4 != 0 THEN date_trunc('minute', "
        "now() AT TIME ZONE 'utc') + (i * 37 %% 86400 - 20000) "
        "* interval '1 minute' END "
        "FROM generate_series(%(start)s::int, %(end)s::int) AS i", {
            'party': company.party.id, 'company': company.id,
            'unit': unit.id, 'channels': [c.id for c in channels],
            'operators': operators, 'size': OPERATORS_PER_CHANNEL * 1000,
            'channels_number': channels_number,
            'start': done, 'end': number * 1000 - 1,
            })
    cursor.execute(
        "INSERT INTO sale_call "
        "(company, tracking, party, direction, summary, planned_date, date, "
        "assignee, state) "
        "SELECT company, id, party, 'outgoing', 'Call', next_activity, "
        "next_activity, operator, 'pending' FROM sale_tracking t "
        "WHERE next_activity IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM sale_call WHERE tracking = t.id)")
    cursor.execute(
        "INSERT INTO sale_call "
        "(company, tracking, party, direction, planned_date, done_date, "
        "date, assignee, done_by, outcome, interest, state) "
        "SELECT company, id, party, 'outgoing', d, d, d, operator, "
        "coalesce(operator, %s), "
        "CASE WHEN id %% 4 = 0 THEN 'missed' ELSE 'answered' END, "
        "(id %% 4)::text, 'done' "
        "FROM (SELECT t.*, start_date + n * interval '9 hours' AS d "
        "FROM sale_tracking t, generate_series(1, 5) AS n "
        "WHERE NOT EXISTS (SELECT 1 FROM sale_call "
        "WHERE tracking = t.id AND state = 'done') "
        "AND (n < 5 OR next_activity IS NULL)) AS t",
        [users['administrator'].employee.id])
    for count in ['sale_tracking', 'sale_call']:
        cursor.execute(f"SELECT count(*) FROM {count}")
        print(f"{count}: {cursor.fetchone()[0]:,}")


def explain(query):
    "Return the milliseconds that the database needs for the query"
    cursor = Transaction().connection.cursor()
    sql, parameters = query
    seconds = []
    for _ in range(RUNS):
        cursor.execute(
            f'EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}', parameters)
        (plan,), = cursor.fetchone()
        seconds.append(plan['Execution Time'])
    return statistics.median(seconds)


def measure(users):
    "Return the milliseconds to count and to list by role, action and tab"
    pool = Pool()
    ActionWindow = pool.get('ir.action.act_window')
    ModelData = pool.get('ir.model.data')
    User = pool.get('res.user')
    times = {}
    for role, actions in ACTIONS.items():
        with Transaction().set_user(users[role].id):
            with Transaction().set_context(
                    User.get_preferences(context_only=True)):
                decoder = PYSONDecoder(Transaction().context)
                for name in actions:
                    action = ActionWindow(ModelData.get_id(MODULE, name))
                    Model = pool.get(action.res_model)
                    order = decoder.decode(action.pyson_order) or None
                    for tab in action.act_window_domains:
                        domain = [
                            decoder.decode(action.pyson_domain),
                            decoder.decode(tab.domain or '[]'),
                            ]
                        with check_access():
                            times[role, action.name, tab.name] = [
                                explain(Model.search(
                                        domain, order=o, limit=LIMIT,
                                        query=True))
                                for o in [[], order]]
    return times


def main(database, filename, channels):
    config.update_etc(filename)
    Pool.start()
    Pool(database).init()
    with Transaction().start(database, 1):
        company, users = set_up()
        ids = company.id, {r: u.id for r, u in users.items()}
    times = []
    for size in SIZES:
        with Transaction().start(database, 1):
            pool = Pool()
            company = pool.get('company.company')(ids[0])
            users = {
                r: pool.get('res.user')(u) for r, u in ids[1].items()}
            populate(
                company, users, size,
                channels or size // OPERATORS_PER_CHANNEL)
        with Transaction().start(
                database, 0, autocommit=True) as transaction:
            transaction.connection.cursor().execute('VACUUM ANALYZE')
        with Transaction().start(database, 1):
            times.append(measure(users))
    few, many = times
    print(
        f"{'milliseconds to count and to list':<50} "
        f"{'fewer':>13} {'ten times more':>15} {'ratio':>11}")
    for key in few:
        ratios = ' '.join(
            f'{m / f:5.1f}' for f, m in zip(few[key], many[key]))
        figures = [
            ' '.join(f'{v:6.2f}' for v in values)
            for values in [few[key], many[key]]]
        print(
            f"{' / '.join(key):<50} {figures[0]} {figures[1]:>15} {ratios}")
    worst = max(max(v) for v in many.values())
    print(f"slowest: {worst:.1f} ms")


if __name__ == '__main__':
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('-d', '--database', required=True)
    parser.add_argument('-c', '--config', dest='filename', required=True)
    parser.add_argument(
        '--channels', type=int,
        help="number of channels (default: one for each "
        f"{OPERATORS_PER_CHANNEL} operators)")
    main(**vars(parser.parse_args()))
