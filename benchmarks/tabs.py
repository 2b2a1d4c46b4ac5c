#!/usr/bin/env python3
# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""Measure the tabs of the menus on a PostgreSQL database of its own

For each tab of "My Work" and of the menus of trackings, calls, tasks,
incidents and meetings, what the database needs to count it and to list its
first page, as each role, with one size of data and with ten times as much. A
company grows by operators, so that each has as many trackings in both. Unless
their number is given it grows also by channels, so that each has as many
operators: then a manager sees a tenth of the part of the trackings that was
seen before.

    benchmarks/tabs.py -c trytond.conf -d bench [--channels 2]

The database must be empty but for the module, it gets an example company. It
fails if a tab of "My Work" or of the trackings needs more than the bound."""

import statistics
import sys
from argparse import ArgumentParser

import trytond.config as config
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.transaction import Transaction, check_access

# Number of operators, each with 1,000 trackings of 5 calls, with 1,500 tasks
# and 500 meetings of 3 attendees
SIZES = [20, 200]
OPERATORS_PER_CHANNEL = 10
RUNS = 7
# What the client asks for at most
LIMIT = 1000
# The milliseconds that each tab of the bound actions may need with most data
BOUND = 5
BOUND_ACTIONS = {"My Work", "My Trackings", "Trackings"}
_WORK = ['act_activity_mine', 'act_tracking_mine_form']
_ACTIVITIES = [
    'act_call_form', 'act_task_form', 'act_incident_form',
    'act_meeting_mine_form', 'act_meeting_form']
ACTIONS = {
    'operator': [*_WORK, *_ACTIVITIES],
    'manager': [*_WORK, 'act_tracking_form', *_ACTIVITIES],
    'administrator': [*_WORK, 'act_tracking_form', *_ACTIVITIES],
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
    "Add by SQL the trackings and activities of more operators"
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
            for i in range(len(known) + len(users), number)])
    Employee.create([
            {'party': p.id, 'company': company.id} for p in parties])
    cursor.execute(
        "SELECT count(*) FROM sale_tracking")
    done, = cursor.fetchone()
    operators = [u.employee.id for u in users.values()] + [
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
    for i, channel in enumerate(channels):
        Channel.write([channel], {
                'members': [('add', [
                            e for j, e in enumerate(operators)
                            if j >= done / 1000 and i
                            == j // OPERATORS_PER_CHANNEL % len(channels)])],
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
    parameters = {
        'operators': operators,
        'administrator': users['administrator'].employee.id,
        'team': OPERATORS_PER_CHANNEL,
        'start': done,
        }
    populate_tasks(parameters)
    populate_meetings(parameters)
    for name in [
            'sale_tracking', 'sale_call', 'sale_task',
            'sale_task-sale_tracking', 'sale_meeting',
            'sale_meeting_attendee']:
        cursor.execute(f'SELECT count(*) FROM "{name}"')
        print(f"{name}: {cursor.fetchone()[0]:,}")


def populate_tasks(parameters):
    "Add three tasks, some of them incidents, for each two new trackings"
    cursor = Transaction().connection.cursor()
    cursor.execute(
        "INSERT INTO sale_task "
        "(company, tracking, party, kind, type, priority, summary, "
        "planned_date, done_date, date, assignee, registered_by, done_by, "
        "state, status) "
        "SELECT company, CASE WHEN i %% 10 != 0 THEN id END, party, kind, "
        "(SELECT min(id) FROM sale_task_type AS y "
        "WHERE y.kind IN (t.kind, 'both')), "
        "(ARRAY['medium', 'high', 'low'])[1 + i %% 3], 'Task', date, "
        "CASE WHEN state = 'done' THEN date END, date, operator, "
        "coalesce(operator, %(administrator)s), "
        "CASE WHEN state = 'done' "
        "THEN coalesce(operator, %(administrator)s) END, state, "
        "CASE state WHEN 'done' THEN 'completed' "
        "WHEN 'cancelled' THEN 'closed' ELSE (ARRAY['new', 'not_started', "
        "'in_progress', 'in_progress', 'in_progress', 'waiting', 'new', "
        "'in_progress', 'in_progress', 'postponed'])[1 + i / 10 %% 10] END "
        "FROM (SELECT t.*, "
        "CASE WHEN (i / 10 + n) %% 5 = 0 THEN 'incident' ELSE 'task' END "
        "AS kind, "
        "CASE WHEN n = 1 AND next_activity IS NOT NULL THEN 'pending' "
        "WHEN (i / 7 + n) %% 20 = 3 THEN 'cancelled' ELSE 'done' END "
        "AS state, "
        "CASE WHEN n = 1 AND next_activity IS NOT NULL "
        "THEN next_activity + i %% 7 * interval '1 day' "
        "ELSE start_date + n * interval '11 hours' END AS date "
        "FROM (SELECT company, id, party, operator, next_activity, "
        "start_date, number::int AS i FROM sale_tracking "
        "WHERE number::int >= %(start)s) AS t, "
        "generate_series(1, 1 + i %% 2) AS n) AS t", parameters)
    # A sixth of them is linked to another tracking
    cursor.execute(
        'INSERT INTO "sale_task-sale_tracking" (task, tracking) '
        "SELECT min(k.id), o.id FROM sale_task k "
        "JOIN sale_tracking t ON t.id = k.tracking "
        "JOIN sale_tracking o ON o.number::int = t.number::int + 1 "
        "WHERE t.number::int >= %(start)s AND t.number::int %% 4 = 1 "
        "GROUP BY o.id", parameters)


def populate_meetings(parameters):
    "Add a meeting for each two new trackings"
    cursor = Transaction().connection.cursor()
    cursor.execute(
        "INSERT INTO sale_meeting "
        "(company, tracking, party, summary, description, planned_date, "
        "end_date, duration, whole_day, uid, sequence, done_date, date, "
        "assignee, done_by, state) "
        "SELECT company, CASE WHEN i %% 10 < 8 THEN id END, party, "
        "'Meeting', CASE WHEN state = 'done' AND i %% 40 != 6 "
        "THEN 'Minutes' END, date, date + interval '1 hour', "
        "interval '1 hour', false, gen_random_uuid()::text, 0, "
        "CASE WHEN state = 'done' THEN date END, date, "
        "operator, CASE WHEN state = 'done' THEN operator END, state "
        "FROM (SELECT company, id, party, number::int AS i, "
        "coalesce(operator, %(administrator)s) AS operator, "
        "CASE WHEN next_activity IS NOT NULL THEN 'pending' "
        "WHEN number::int %% 20 = 8 THEN 'cancelled' ELSE 'done' END "
        "AS state, "
        "coalesce(next_activity + number::int %% 5 * interval '1 day', "
        "start_date + interval '10 hours') AS date "
        "FROM sale_tracking WHERE number::int >= %(start)s "
        "AND number::int %% 2 = 0) AS t", parameters)
    # Two colleagues of the team, of another one for a twentieth of them, and
    # somebody of the customer
    cursor.execute(
        "INSERT INTO sale_meeting_attendee "
        "(meeting, employee, email, answer) "
        "SELECT id, CASE WHEN n < 3 THEN employee END, n || '@example.com', "
        "(ARRAY['accepted', 'needs_action', 'accepted', 'tentative', "
        "'declined'])[1 + (id + n) %% 5] FROM ("
        "SELECT m.id, n, (%(operators)s::int[])[1 + "
        "CASE WHEN m.id %% 10 = 0 AND n = 2 "
        "THEN (p + %(team)s) %% cardinality(%(operators)s::int[]) "
        "ELSE p - p %% %(team)s + (p + m.id %% 4 + n) %% %(team)s END"
        "] AS employee "
        "FROM sale_meeting m, generate_series(1, 3) AS n, "
        "LATERAL (SELECT array_position(%(operators)s::int[], m.assignee) - 1 "
        "AS p) AS p "
        "WHERE NOT EXISTS (SELECT 1 FROM sale_meeting_attendee "
        "WHERE meeting = m.id)) AS a", parameters)


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
                                        domain, order=order, limit=LIMIT,
                                        count=count, query=True))
                                for count in [True, False]]
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
    bound = {k: max(v) for k, v in many.items() if k[1] in BOUND_ACTIONS}
    if slow := {k: v for k, v in bound.items() if v > BOUND}:
        for key, value in slow.items():
            print(f"{' / '.join(key)}: {value:.2f} ms > {BOUND} ms")
        sys.exit(1)


if __name__ == '__main__':
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('-d', '--database', required=True)
    parser.add_argument('-c', '--config', dest='filename', required=True)
    parser.add_argument(
        '--channels', type=int,
        help="number of channels (default: one for each "
        f"{OPERATORS_PER_CHANNEL} operators)")
    main(**vars(parser.parse_args()))
