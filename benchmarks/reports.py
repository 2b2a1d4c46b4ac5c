#!/usr/bin/env python3
# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""Measure the report of the calls done on a PostgreSQL database of its own

In one run, on the same database: the time to make the report as ODT of ten
thousand and of a hundred thousand calls, the memory that it takes more than
that of a hundred calls, and the floor, that is the same columns of the same
calls written into an ODT straight from one SQL query.  Each is made by a
process of its own.

    PYTHONOPTIMIZE=1 benchmarks/reports.py -c trytond.conf -d bench

The database must be empty but for the module, it gets an example company."""

import datetime as dt
import io
import multiprocessing
import resource
import statistics
import time
import zipfile
from argparse import ArgumentParser
from xml.sax.saxutils import escape

import trytond.config as config
from trytond.pool import Pool
from trytond.transaction import Transaction

SMALLEST = 100
SIZES = [10_000, 100_000]
OPERATORS = 16
PARTIES = 20_000
RUNS = 3
REPORT = 'sale.call.reporting.done'

_INSERT_PARTIES = """
WITH party AS (
    INSERT INTO party_party (code, name, active)
    SELECT 'R' || i, 'Customer ' || i, true
    FROM generate_series(1, %(parties)s::int) AS i
    RETURNING id)
INSERT INTO party_contact_mechanism (
    party, type, value, value_compact, sequence, active)
SELECT id, 'phone', '+57 310 ' || id, '+57310' || id, 1, true FROM party
RETURNING party
"""
_INSERT_TRACKINGS = """
INSERT INTO sale_tracking (
    number, party, company, business_unit, start_date, state, operator)
SELECT 'R' || i, (%(ids)s::int[])[i], %(company)s, %(unit)s, '2026-01-01',
    'open', (%(operators)s::int[])[1 + i %% %(number)s]
FROM generate_series(1, %(parties)s::int) AS i
RETURNING id
"""
# The calls of each size are of a month of their own
_INSERT_CALLS = """
INSERT INTO sale_call (
    tracking, party, company, assignee, done_by, direction, state, outcome,
    interest, date, planned_date, done_date, duration, summary, description)
SELECT t.id, t.party, t.company, t.operator, t.operator, 'outgoing', 'done',
    CASE i %% 3 WHEN 0 THEN 'answered' WHEN 1 THEN 'missed'
        ELSE 'answered' END,
    (ARRAY['0', '1', '2', '3'])[1 + i %% 4], m, m, m,
    (i %% 600) * interval '1 second', 'Call ' || i,
    'What was said in the call number ' || i
FROM (SELECT i, (%(trackings)s::int[])[
            1 + (i * 7919::bigint) %% %(parties)s] AS tracking,
        %(month)s::timestamp + interval '1 day'
            + (i * interval '20 days') / %(calls)s AS m
    FROM generate_series(1, %(calls)s::int) AS i) AS i
JOIN sale_tracking t ON t.id = i.tracking
"""
_FLOOR = """
SELECT to_char(c.date, 'DD/MM/YYYY HH24:MI'), o.name, c.direction, p.name,
    (SELECT value FROM party_contact_mechanism m
        WHERE m.party = p.id AND m.type = 'phone'
        ORDER BY sequence, id LIMIT 1),
    u.name, c.interest, c.outcome, c.duration::text, c.description
FROM sale_call c
    JOIN party_party p ON p.id = c.party
    JOIN sale_tracking t ON t.id = c.tracking
    JOIN sale_business_unit u ON u.id = t.business_unit
    JOIN company_employee e ON e.id = c.done_by
    JOIN party_party o ON o.id = e.party
WHERE c.state = 'done' AND c.date >= %s AND c.date < %s
ORDER BY o.name, c.date DESC, c.id DESC
"""


def month(index):
    return dt.date(2026, 1 + index, 1)


def set_up():
    pool = Pool()
    BusinessUnit = pool.get('sale.business_unit')
    Company = pool.get('company.company')
    Currency = pool.get('currency.currency')
    Employee = pool.get('company.employee')
    ModelData = pool.get('ir.model.data')
    Party = pool.get('party.party')
    User = pool.get('res.user')
    cursor = Transaction().connection.cursor()
    currency, = Currency.create([{
                'name': "Peso", 'code': 'COP', 'symbol': '$'}])
    party, *parties = Party.create([
            {'name': f"Party {i}"} for i in range(OPERATORS + 1)])
    company, = Company.create([{
                'party': party.id, 'currency': currency.id}])
    operators = Employee.create([
            {'party': p.id, 'company': company.id} for p in parties])
    user, = User.create([{
                'name': "Administrator of trackings",
                'login': 'bench',
                'companies': [('add', [company.id])],
                'company': company.id,
                'employees': [('add', [operators[0].id])],
                'employee': operators[0].id,
                'groups': [('add', [ModelData.get_id(
                                'sale_opportunity_management',
                                'group_tracking_admin')])],
                }])
    unit, *_ = BusinessUnit.search([])
    values = {
        'parties': PARTIES,
        'company': company.id,
        'unit': unit.id,
        'operators': [o.id for o in operators],
        'number': OPERATORS,
        }
    cursor.execute(_INSERT_PARTIES, values)
    values['ids'] = [id_ for id_, in cursor]
    cursor.execute(_INSERT_TRACKINGS, values)
    values['trackings'] = [id_ for id_, in cursor]
    for index, calls in enumerate([SMALLEST, *SIZES]):
        cursor.execute(_INSERT_CALLS, {
                **values, 'calls': calls, 'month': month(index)})
    return user.id


def analyze(database):
    with Transaction().start(database, 0, autocommit=True) as transaction:
        transaction.connection.cursor().execute("VACUUM ANALYZE")


def print_report(database, user, index):
    with Transaction().start(database, user) as transaction:
        pool = Pool()
        Report = pool.get(REPORT, type='report')
        context = pool.get('res.user').get_preferences(context_only=True)
        with transaction.set_context(
                context, _check_access=True, _skip_warnings=True):
            _, content, _, _ = Report.execute([], {
                    'model': REPORT,
                    'parameters': {
                        'from_date': month(index),
                        'to_date': month(index + 1) - dt.timedelta(days=1),
                        },
                    })
    return content


def print_sql(database, user, index):
    content = io.BytesIO()
    with Transaction().start(database, 0) as transaction, \
            zipfile.ZipFile(content, 'w', zipfile.ZIP_DEFLATED) as archive, \
            archive.open('content.xml', 'w') as output:
        cursor = transaction.connection.cursor()
        cursor.execute(_FLOOR, [month(index), month(index + 1)])
        while rows := cursor.fetchmany(500):
            for row in rows:
                cells = ''.join(
                    '<table:table-cell table:style-name="Cell" '
                    'office:value-type="string"><text:p '
                    f'text:style-name="Text">{escape(value or "")}'
                    '</text:p></table:table-cell>' for value in row)
                output.write(
                    '<table:table-row table:style-name="Row">'
                    f'{cells}</table:table-row>\n'.encode())
    return content.getvalue()


def work(queue, filename, database, user, index, floor):
    config.update_etc(filename)
    Pool.start()
    Pool(database).init()
    make = print_sql if floor else print_report
    # The first fills the caches
    make(database, user, 0)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    content = make(database, user, index)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        rows = archive.read('content.xml').count(b'said in the call')
    queue.put((seconds, memory / 1024, rows))


def measure(*args):
    "Return the seconds, the MB and the rows of a process of its own"
    context = multiprocessing.get_context('spawn')
    queue = context.Queue()
    process = context.Process(target=work, args=(queue, *args))
    process.start()
    result = queue.get()
    process.join()
    return result


def main(database, filename):
    config.update_etc(filename)
    Pool.start()
    Pool(database).init()
    with Transaction().start(database, 1):
        user = set_up()
    analyze(database)
    print("asserts", "on" if __debug__ else "off")
    for index, size in enumerate(SIZES, 1):
        seconds = {}
        for floor in [True, False]:
            runs = [
                measure(filename, database, user, index, floor)
                for _ in range(RUNS)]
            assert {rows for _, _, rows in runs} == {size}
            seconds[floor] = statistics.median(s for s, _, _ in runs)
            print(
                f"{size:>7} rows, {'floor' if floor else 'report'}: ",
                ", ".join(f"{s:.2f} s {m:.0f} MB" for s, m, _ in runs),
                flush=True)
        print(
            f"{size:>7} rows: {seconds[False] / seconds[True]:.1f} times "
            "the floor")


if __name__ == '__main__':
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('-d', '--database', required=True)
    parser.add_argument('-c', '--config', dest='filename', required=True)
    main(**vars(parser.parse_args()))
