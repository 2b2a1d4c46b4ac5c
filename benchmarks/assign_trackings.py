#!/usr/bin/env python3
# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""Measure the assignment of many trackings on a PostgreSQL database of its own

In one run, on the same database: the assignment to two operators by the
wizard's method, to the end of its jobs, and the same change by one SQL
statement.

    PYTHONOPTIMIZE=1 benchmarks/assign_trackings.py -c trytond.conf -d bench

The database must be empty but for the module, it gets an example company."""

import resource
import time
from argparse import ArgumentParser

import trytond.config as config
from trytond.pool import Pool
from trytond.transaction import Transaction, check_access
from trytond.worker import run_task

SIZES = [1_000, 10_000, 100_000]


def set_up(number):
    "Return the ids of the operators, after making trackings by SQL"
    pool = Pool()
    BusinessUnit = pool.get('sale.business_unit')
    Company = pool.get('company.company')
    Currency = pool.get('currency.currency')
    Employee = pool.get('company.employee')
    Party = pool.get('party.party')
    cursor = Transaction().connection.cursor()
    currency, = Currency.create([{
                'name': "Peso", 'code': 'COP', 'symbol': '$'}])
    parties = Party.create([
            {'name': name} for name in ["Company", "Ana", "Luis"]])
    company, = Company.create([{
                'party': parties[0].id, 'currency': currency.id}])
    operators = Employee.create([
            {'party': p.id, 'company': company.id} for p in parties[1:]])
    unit, *_ = BusinessUnit.search([])
    cursor.execute(
        "INSERT INTO sale_tracking "
        "(number, party, company, business_unit, start_date, state) "
        "SELECT i, %s, %s, %s, CURRENT_DATE, 'open' "
        "FROM generate_series(1, %s) AS i",
        [parties[0].id, company.id, unit.id, number])
    return [o.id for o in operators]


def measure(function, *args):
    begin = time.perf_counter()
    function(*args)
    return time.perf_counter() - begin


def start(database):
    transaction = Transaction()
    transaction.start(database, 1)
    User = Pool().get('res.user')
    transaction.set_context(User.get_preferences(context_only=True))
    return transaction


def assign(database, ids, operators):
    with start(database) as transaction:
        pool = Pool()
        Employee = pool.get('company.employee')
        Tracking = pool.get('sale.tracking')
        # As the wizard does: with the access checked and each change logged
        with check_access():
            Tracking.assign(ids, Employee.browse(operators))
        transaction.commit()
        tasks = list(transaction.tasks)
        transaction.tasks.clear()
    for task in tasks:
        run_task(database, task)


def assign_sql(database, ids, operators):
    with start(database) as transaction:
        cursor = transaction.connection.cursor()
        cursor.execute(
            "UPDATE sale_tracking SET operator = %s, assign_date = now() "
            "WHERE id = ANY(%s)", [operators[0], ids])
        transaction.commit()


def reset(database, ids):
    "Take the trackings from the operators and return how many they had"
    with start(database) as transaction:
        cursor = transaction.connection.cursor()
        cursor.execute(
            "UPDATE sale_tracking SET operator = NULL "
            "WHERE id = ANY(%s) AND operator IS NOT NULL", [ids])
        number = cursor.rowcount
        transaction.commit()
    with Transaction().start(database, 0, autocommit=True) as transaction:
        transaction.connection.cursor().execute(
            "VACUUM ANALYZE sale_tracking")
    return number


def main(database, filename):
    config.update_etc(filename)
    Pool.start()
    Pool(database).init()
    with Transaction().start(database, 1):
        operators = set_up(SIZES[-1])
        User = Pool().get('res.user')
        company, = Pool().get('company.company').search([])
        User.write([User(1)], {
                'companies': [('add', [company.id])],
                'company': company.id,
                })
    print("asserts", "on" if __debug__ else "off")
    for size in SIZES:
        with start(database) as transaction:
            Tracking = Pool().get('sale.tracking')
            cursor = transaction.connection.cursor()
            cursor.execute(*Tracking.search(
                    [], limit=size, order=[('id', 'ASC')], query=True))
            ids = [id_ for id_, *_ in cursor]
        seconds = []
        for function in [assign_sql, assign]:
            seconds.append(measure(function, database, ids, operators))
            if (number := reset(database, ids)) != size:
                raise SystemExit(f"only {number} were assigned")
        floor, total = seconds
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(
            f"{size:>7} trackings: {total:.1f} s to the end of the queue, "
            f"{total / size * 1000:.2f} ms each, "
            f"{total / floor:.0f} times one SQL statement, "
            f"{memory} MiB at the most")


if __name__ == '__main__':
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('-d', '--database', required=True)
    parser.add_argument('-c', '--config', dest='filename', required=True)
    main(**vars(parser.parse_args()))
