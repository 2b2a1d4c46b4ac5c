#!/usr/bin/env python3
# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""Measure the searches by text on a PostgreSQL database of its own

For each kind of text what the database needs to search customers, trackings
and calls by it, the search box as its user waits for it, and the check for
similar customers, with 500,000 customers. The floor is a look-up by equality
of the compact number in the same run.

    PYTHONOPTIMIZE=1 benchmarks/search.py -c trytond.conf -d bench [--explain]

The database must be empty but for the module, it gets an example company. It
fails if a search needs more than its bound, with the extensions."""

import statistics
import sys
import time
from argparse import ArgumentParser

import trytond.config as config
from trytond.pool import Pool
from trytond.tools import likify
from trytond.transaction import Transaction, check_access

CUSTOMERS = 500_000
TRACKINGS = 200_000
CALLS = 1_000_000
RUNS = 7
# What the client asks for at most
LIMIT = 1000
MODULE = 'sale_opportunity_management'
# One customer of each
_NUMBER = 123_457
# Kind, text, bound and whether it is one without the extensions too
TEXTS = [
    ("whole number", "310 012 3457", 5, True),
    ("whole number, E.164", "+573100123457", 5, True),
    ("part of a number", "0123457", 20, False),
    ("part, 4 digits", "3457", 20, False),
    ("e-mail", "info123457@example.com", 20, False),
    ("tax id", "900123457", 20, False),
    ("code", "C123457", 20, False),
    ("words of a name", "optica zurita123457", 20, False),
    ("part of a name", "rita12345", 20, False),
    ("nothing", "wolframio", 20, False),
    ]
# What a hundredth and a tenth of the customers have is told without a bound
BROAD = [
    ("word of many", "cali17"),
    ("word of a tenth", "caribe"),
    ]

_POPULATE = [
    """
INSERT INTO party_party (name, name_words, name_compact, code, active)
SELECT n || ' S.A.S.', w || ' sas', w, 'C' || i, true
FROM (SELECT i,
    (ARRAY['Óptica', 'Clínica', 'Visión', 'Colegio', 'Hotel', 'Textiles',
        'Flores', 'Lentes', 'Salud', 'Centro'])[1 + i / 7 %% 10]
    || ' ' || (ARRAY['Zurita', 'Caribe', 'Andina', 'Muñoz', 'Peñón', 'Norte',
        'Bogotá', 'Medellín', 'Ibagué', 'Tunja'])[1 + i / 70 %% 10] || i
    || ' Cali' || i %% 100 AS n,
    (ARRAY['optica', 'clinica', 'vision', 'colegio', 'hotel', 'textiles',
        'flores', 'lentes', 'salud', 'centro'])[1 + i / 7 %% 10]
    || ' ' || (ARRAY['zurita', 'caribe', 'andina', 'munoz', 'penon', 'norte',
        'bogota', 'medellin', 'ibague', 'tunja'])[1 + i / 70 %% 10] || i
    || ' cali' || i %% 100 AS w
    FROM generate_series(1, %(customers)s) AS i) AS p
""", """
INSERT INTO party_contact_mechanism (
    party, type, value, value_compact, active)
SELECT id, 'mobile',
    '+57 310 ' || lpad(substr(code, 2), 7, '0'),
    '+57310' || lpad(substr(code, 2), 7, '0'), true
FROM party_party WHERE code ~ '^C[0-9]+$'
""", """
INSERT INTO party_contact_mechanism (
    party, type, value, value_compact, active)
SELECT id, 'email', e, e, true
FROM (SELECT id, 'info' || substr(code, 2) || '@example.com' AS e
    FROM party_party WHERE code ~ '^C[0-9]+$') AS p
""", """
INSERT INTO party_identifier (party, code, code_compact, active)
SELECT id, c, c, true
FROM (SELECT id, (900000000 + substr(code, 2)::int)::text AS c
    FROM party_party WHERE code ~ '^C[0-9]+$') AS p
""", """
INSERT INTO sale_tracking (
    number, party, company, business_unit, operator, start_date, state)
SELECT 'T' || i, p.id, %(company)s, %(unit)s, %(operator)s,
    CURRENT_DATE - i %% 700,
    CASE WHEN i %% 10 < 3 THEN 'open' ELSE 'closed' END
FROM (SELECT id, substr(code, 2)::int AS i
    FROM party_party WHERE code ~ '^C[0-9]+$') AS p
WHERE i <= %(trackings)s
""", """
INSERT INTO sale_call (
    company, tracking, party, direction, summary, planned_date, done_date,
    date, assignee, done_by, outcome, interest, state)
SELECT company, id, party, 'outgoing', 'Call ' || id || ' ' || n, d, d, d,
    operator, operator, 'answered', '2', 'done'
FROM (SELECT t.*, n, start_date + n * interval '9 hours' AS d
    FROM sale_tracking AS t,
        generate_series(1, %(calls)s / %(trackings)s) AS n) AS t
"""]
_FLOOR = (
    "SELECT party FROM party_contact_mechanism WHERE value_compact = %s",
    [f'+57310{_NUMBER:07}'])


def set_up():
    "Create the company with the administrator and the customers"
    pool = Pool()
    BusinessUnit = pool.get('sale.business_unit')
    Company = pool.get('company.company')
    Country = pool.get('country.country')
    Currency = pool.get('currency.currency')
    Employee = pool.get('company.employee')
    ModelData = pool.get('ir.model.data')
    Party = pool.get('party.party')
    User = pool.get('res.user')
    country, = Country.create([{'name': "Colombia", 'code': 'CO'}])
    currency, = Currency.create([{
                'name': "Peso", 'code': 'COP', 'symbol': '$'}])
    party, person = Party.create([{
                'name': "Company",
                'addresses': [('create', [{'country': country.id}])],
                }, {
                'name': "Administrator",
                }])
    company, = Company.create([{
                'party': party.id,
                'currency': currency.id,
                'timezone': 'America/Bogota',
                }])
    employee, = Employee.create([{
                'party': person.id, 'company': company.id}])
    user, = User.create([{
                'name': "Administrator",
                'login': 'administrator',
                'groups': [('add', [
                            ModelData.get_id(MODULE, 'group_tracking_admin'),
                            ])],
                'companies': [('add', [company.id])],
                'company': company.id,
                'employees': [('add', [employee.id])],
                'employee': employee.id,
                }])
    unit, *_ = BusinessUnit.search([])
    cursor = Transaction().connection.cursor()
    for query in _POPULATE:
        cursor.execute(query, {
                'company': company.id,
                'unit': unit.id,
                'operator': employee.id,
                'customers': CUSTOMERS,
                'trackings': TRACKINGS,
                'calls': CALLS,
                })
    return user.id


def run(query, explain=False):
    "Return the milliseconds that the database needs for the query"
    cursor = Transaction().connection.cursor()
    sql, parameters = query
    times = []
    for _ in range(RUNS):
        cursor.execute(
            f'EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}', parameters)
        (plan,), = cursor.fetchone()
        times.append(plan['Planning Time'] + plan['Execution Time'])
    if explain:
        cursor.execute(f'EXPLAIN (ANALYZE) {sql}', parameters)
        for line, in cursor:
            print('   ', line)
    return statistics.median(times)


def clock(function, *args):
    "Return the milliseconds that the function needs"
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        function(*args)
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def main(database, filename, explain):
    config.update_etc(filename)
    Pool.start()
    Pool(database).init()
    with Transaction().start(database, 1):
        user = set_up()
    with Transaction().start(database, 0, autocommit=True) as transaction:
        transaction.connection.cursor().execute('VACUUM ANALYZE')
    with Transaction().start(database, user) as transaction:
        pool = Pool()
        User = pool.get('res.user')
        with transaction.set_context(
                User.get_preferences(context_only=True)), check_access():
            slow = measure(explain)
    if slow:
        print("over the bound:", ', '.join(slow))
        sys.exit(1)


def measure(explain):
    pool = Pool()
    Call = pool.get('sale.call')
    Party = pool.get('party.party')
    Tracking = pool.get('sale.tracking')
    extensions = Transaction().database.has_similarity()
    floor = run(_FLOOR)
    print(
        f"asserts {'on' if __debug__ else 'off'}, "
        f"extensions {'on' if extensions else 'off'}, floor {floor:.2f} ms")
    print(
        f"{'milliseconds':<24}{'bound':>6}{'customer':>10}{'tracking':>10}"
        f"{'call':>10}{'phone':>10}{'box':>10}")
    slow = []
    texts = TEXTS + [(*t, None, False) for t in BROAD]
    for kind, text, bound, always in texts:
        clause = ('ilike', likify(text))
        times = []
        for Model, name in [
                (Party, 'rec_name'), (Tracking, 'rec_name'),
                (Call, 'rec_name'), (Call, 'phone')]:
            if explain:
                print(f"{kind}: {Model.__name__} {name}")
            times.append(run(
                    Model.search([(name, *clause)], limit=LIMIT, query=True),
                    explain))
            if (bound and (always or extensions) and times[-1] > bound):
                slow.append(f"{kind} ({Model.__name__}.{name})")
        times.append(clock(lambda: [
                    list(Model.search_global(text))
                    for Model in [Party, Tracking]]))
        print(
            f"{kind:<24}{bound or '':>6}"
            + ''.join(f'{t:10.2f}' for t in times), flush=True)
    for kind, arguments in [
            ("similar name", {'name': f"Optica Zurita {_NUMBER} Cali Ltda"}),
            ("similar number", {'values': [f'+57310{_NUMBER:07}']}),
            ]:
        milliseconds = clock(lambda: Party.search_similar(**arguments))
        print(f"{kind:<30}{milliseconds:10.2f}")
    return slow


if __name__ == '__main__':
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('-d', '--database', required=True)
    parser.add_argument('-c', '--config', dest='filename', required=True)
    parser.add_argument(
        '--explain', action='store_true', help="print the plans")
    main(**vars(parser.parse_args()))
