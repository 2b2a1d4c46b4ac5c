#!/usr/bin/env python3
# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""Measure the queue of campaigns on a PostgreSQL database of its own

In one run, on the same database: the time to take the next customer of a
campaign with 1, 4 and 16 sessions at once, each a process of its own, and the
floor, that is the bare SQL statement that locks and updates one row.  First
with ten thousand and then with a million trackings in ten campaigns.

    PYTHONOPTIMIZE=1 benchmarks/next.py -c trytond.conf -d bench

The database must be empty but for the module, it gets an example company."""

import datetime as dt
import multiprocessing
import statistics
import time
from argparse import ArgumentParser

from psycopg import OperationalError

import trytond.config as config
from trytond.pool import Pool
from trytond.transaction import Transaction, check_access

SIZES = [10_000, 1_000_000]
SESSIONS = [1, 4, 16]
CAMPAIGNS = 10
# How many are taken in a run, by all the sessions together
TAKEN = 480
RUNS = 3

_INSERT = """
INSERT INTO sale_tracking (
    number, party, company, business_unit, start_date, state, campaign,
    priority, attempts, next_attempt, callback_date, reserved_for, operator)
SELECT 'B' || i, %(first)s + i - %(begin)s, %(company)s, %(unit)s,
    CURRENT_DATE,
    CASE WHEN (i / 10) %% 20 = 19 THEN 'closed' ELSE 'open' END,
    (%(campaigns)s::int[])[1 + i %% 10],
    CASE WHEN (i / 10) %% 10 < 7 THEN '4' ELSE (1 + (i / 10) %% 3)::text END,
    (i / 40) %% 3,
    -- One in ten is not due
    now() AT TIME ZONE 'UTC'
        + ((i * 7919::bigint) %% 3000 - 2700) * interval '1 m',
    CASE WHEN (i / 10) %% 50 = 0 THEN
        now() AT TIME ZONE 'UTC' + ((i * 7919::bigint) %% 3000 + 60)
            * interval '1 m' END,
    CASE WHEN (i / 10) %% 50 = 0 THEN
        (%(operators)s::int[])[1 + (i / 500) %% 16] END,
    CASE WHEN (i / 10) %% 3 = 0 THEN
        (%(operators)s::int[])[1 + (i / 500) %% 16] END
FROM generate_series(%(begin)s::int, %(end)s::int) AS i
"""
_INSERT_PARTIES = """
INSERT INTO party_party (code, name, active)
SELECT 'B' || i, 'Customer ' || i, true
FROM generate_series(%(begin)s::int, %(end)s::int) AS i
RETURNING id
"""
_FLOOR = """
UPDATE sale_tracking SET taken_by = %s, taken_date = now() AT TIME ZONE 'UTC'
WHERE id = (
    SELECT id FROM sale_tracking
    WHERE campaign = %s AND state = 'open' AND taken_by IS NULL
        AND reserved_for IS NULL AND priority = '4'
        AND next_attempt <= now() AT TIME ZONE 'UTC'
    ORDER BY next_attempt, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id
"""


def set_up():
    "Return what the trackings need, after making it"
    pool = Pool()
    BusinessUnit = pool.get('sale.business_unit')
    Campaign = pool.get('sale.campaign')
    Company = pool.get('company.company')
    Currency = pool.get('currency.currency')
    Employee = pool.get('company.employee')
    ModelData = pool.get('ir.model.data')
    Party = pool.get('party.party')
    User = pool.get('res.user')
    currency, = Currency.create([{
                'name': "Peso", 'code': 'COP', 'symbol': '$'}])
    party, *parties = Party.create([
            {'name': f"Party {i}"} for i in range(17)])
    company, = Company.create([{
                'party': party.id, 'currency': currency.id}])
    operators = Employee.create([
            {'party': p.id, 'company': company.id} for p in parties])
    users = User.create([{
                'name': operator.rec_name,
                'login': operator.rec_name,
                'companies': [('add', [company.id])],
                'company': company.id,
                'employees': [('add', [operator.id])],
                'employee': operator.id,
                'groups': [('add', [ModelData.get_id(
                                'sale_opportunity_management',
                                'group_tracking')])],
                } for operator in operators])
    unit, *_ = BusinessUnit.search([])
    campaigns = Campaign.create([{
                'name': f"Campaign {i}",
                'company': company.id,
                'typology': ModelData.get_id(
                    'sale_opportunity_management',
                    'campaign_typology_sales'),
                'business_unit': unit.id,
                'start_date': dt.date(2020, 1, 1),
                'release_delay': dt.timedelta(minutes=10),
                'return_delay': dt.timedelta(minutes=30),
                'operators': [('add', [o.id for o in operators])],
                'state': 'running',
                } for i in range(CAMPAIGNS)])
    return {
        'company': company.id,
        'unit': unit.id,
        'campaigns': [c.id for c in campaigns],
        'operators': [o.id for o in operators],
        'users': [u.id for u in users],
        }


def execute(database, query, *args):
    "Execute the statement outside of a transaction"
    with Transaction().start(database, 0, autocommit=True) as transaction:
        transaction.connection.cursor().execute(query, *args)


def session(
        barrier, queue, filename, database, user, employee, campaign, number,
        floor):
    "Take the number of customers and put how long each took"
    config.update_etc(filename)
    Pool.start()
    Pool(database).init()
    # The clients read them at login
    with Transaction().start(database, user):
        preferences = Pool().get('res.user').get_preferences(context_only=True)
    barrier.wait()
    for i in range(number):
        begin = time.perf_counter()
        if floor:
            tracking = take_sql(database, employee, campaign)
        else:
            tracking = take(database, user, preferences, campaign)
        seconds = time.perf_counter() - begin
        if i:
            queue.put(seconds)
        execute(
            database,
            "UPDATE sale_tracking SET state = 'closed', taken_by = NULL "
            "WHERE id = %s", [tracking])
    queue.put(None)


def take(database, user, context, campaign):
    "Take the next one as the dispatcher does"
    while True:
        with Transaction().start(
                database, user, context=context) as transaction:
            pool = Pool()
            Campaign = pool.get('sale.campaign')
            try:
                with check_access():
                    return Campaign.next(Campaign(campaign))['tracking']
            except OperationalError:
                transaction.rollback()


def take_sql(database, employee, campaign):
    with Transaction().start(database, 0, autocommit=True) as transaction:
        cursor = transaction.connection.cursor()
        cursor.execute(_FLOOR, [employee, campaign])
        tracking, = cursor.fetchone()
        return tracking


def measure(filename, database, ids, sessions, floor):
    "Return how long each took, of all the sessions"
    context = multiprocessing.get_context('spawn')
    barrier = context.Barrier(sessions)
    queue = context.Queue()
    processes = [
        context.Process(target=session, args=(
                barrier, queue, filename, database, user, employee,
                ids['campaigns'][0], TAKEN // sessions + 1, floor))
        for user, employee in zip(
            ids['users'][:sessions], ids['operators'])]
    for process in processes:
        process.start()
    seconds, running = [], sessions
    while running:
        value = queue.get()
        if value is None:
            running -= 1
        else:
            seconds.append(value)
    for process in processes:
        process.join()
    return seconds


def reopen(database):
    "Open what was taken and tidy up as after hours"
    execute(
        database,
        "UPDATE sale_tracking SET state = 'open', taken_by = NULL, "
        "taken_date = NULL WHERE taken_date IS NOT NULL")
    execute(database, "VACUUM ANALYZE sale_tracking")


def main(database, filename):
    config.update_etc(filename)
    Pool.start()
    Pool(database).init()
    with Transaction().start(database, 1):
        ids = set_up()
    print("asserts", "on" if __debug__ else "off")
    result, size = {}, 0
    for new_size in SIZES:
        slice_ = {'begin': size + 1, 'end': new_size}
        with Transaction().start(database, 0) as transaction:
            cursor = transaction.connection.cursor()
            cursor.execute(_INSERT_PARTIES, slice_)
            first = min(id_ for id_, in cursor)
        execute(database, _INSERT, {**ids, **slice_, 'first': first})
        size = new_size
        for floor in [True, False]:
            for sessions in SESSIONS:
                runs = []
                for _ in range(RUNS):
                    reopen(database)
                    seconds = measure(
                        filename, database, ids, sessions, floor)
                    runs.append((
                            statistics.median(seconds) * 1000,
                            statistics.quantiles(seconds, n=100)[-1] * 1000))
                median, p99 = map(statistics.median, zip(*runs))
                result[size, floor, sessions] = median, p99
                print(
                    f"{size:>9} trackings, {sessions:>2} sessions, "
                    f"{'floor' if floor else 'next'}: ",
                    ", ".join(f"{m:.1f}/{p:.1f}" for m, p in runs),
                    f"ms (median/p99), {median:.1f}/{p99:.1f} in the middle",
                    flush=True)
    small, big = SIZES
    for sessions in SESSIONS:
        (median, p99), (s_median, s_p99) = [
            result[s, False, sessions] for s in [big, small]]
        f_median, f_p99 = result[big, True, sessions]
        print(
            f"{sessions:>2} sessions: p99 {p99 / s_p99:.2f} and "
            f"median {median / s_median:.2f} times those with {small}, "
            f"median {median / f_median:.1f} times the floor")


if __name__ == '__main__':
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('-d', '--database', required=True)
    parser.add_argument('-c', '--config', dest='filename', required=True)
    main(**vars(parser.parse_args()))
