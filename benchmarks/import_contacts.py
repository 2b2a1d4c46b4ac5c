#!/usr/bin/env python3
# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""Measure the import of contacts on a PostgreSQL database of its own

In one run, on the same database: the importer, the same rows by COPY and what
is written without it, proteus record by record.

    PYTHONOPTIMIZE=1 benchmarks/import_contacts.py -c trytond.conf -d bench

The database must be empty but for the module, it gets an example company."""

import csv
import io
import os
import resource
import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser

from proteus import Model, config

from trytond.modules.sale_opportunity_management.scripts import \
    import_contacts as script

HEADINGS = [
    "Name", "Street", "Postal Code", "City", "Country", "Mobile", "E-Mail",
    "Contact", "Job Title"]
CITIES = [
    "Bogotá", "Medellín", "Cali", "Barranquilla", "Cartagena", "Bucaramanga",
    "Pereira", "Manizales", "Ibagué", "Tunja"]
WORDS = [
    "Óptica", "Visión", "Andina", "Caribe", "Clínica", "Centro", "Lentes",
    "Salud", "Textiles", "Flores", "Hotel", "Colegio", "Norte", "Sur"]
TABLES = {
    'party_party': ['id', 'code'],
    'party_address': ['id', 'party'],
    'party_contact': ['id', 'party'],
    'party_contact_mechanism': ['id', 'party', 'contact'],
    # What stock stores for each party by default
    'party_party_location': ['id', 'party'],
    }


def get_contact(i):
    "Return the cells of the contact number i"
    size = len(WORDS)
    name = (
        f"{WORDS[i % size]} {WORDS[i // size % size]} "
        f"{WORDS[i // size ** 2 % size]} {i} S.A.S.")
    return [
        name, f"Calle {i % 170} # {i % 97}-{i % 89:02}",
        f"{110000 + i % 1000}", CITIES[i % len(CITIES)], "CO",
        f"31{i % 5} {i // 10000 % 1000:03} {i % 10000:04}",
        f"info{i}@example.com", f"Persona {i}", "Gerente"]


def write_file(start, number):
    file = tempfile.NamedTemporaryFile(
        'w', suffix='.csv', encoding='utf-8', newline='', delete=False)
    with file:
        writer = csv.writer(file)
        writer.writerow(HEADINGS)
        for i in range(start, start + number):
            writer.writerow(get_contact(i))
    return file.name


def set_up():
    "Return the country, after making a company if there is none"
    Company = Model.get('company.company')
    Country = Model.get('country.country')
    Currency = Model.get('currency.currency')
    Party = Model.get('party.party')
    User = Model.get('res.user')
    if not (countries := Country.find([('code', '=', 'CO')])):
        countries = [Country(name="Colombia", code='CO')]
        countries[0].save()
    country, = countries
    if not Company.find([]):
        currency = Currency(name="Peso", code='COP', symbol='$')
        currency.save()
        party = Party(name="Company")
        party.addresses[0].country = country
        party.save()
        company = Company(party=party, currency=currency)
        company.save()
        user, = User.find([('login', '=', 'admin')])
        user.companies.append(company)
        user.company = company
        user.save()
        config.get_config()._context = User.get_preferences(True, {})
    return country


def run_import(start, number, chunk):
    "Return the seconds that the importer takes"
    filename = write_file(start, number)
    try:
        begin = time.perf_counter()
        result = script.import_contacts(filename, chunk=chunk)
        seconds = time.perf_counter() - begin
    finally:
        os.unlink(filename)
    assert result['created'] == result['persons'] == number, result
    return seconds


def run_proteus(start, number, country):
    "Return the seconds that creating one by one takes"
    Contact = Model.get('party.contact')
    ContactMechanism = Model.get('party.contact_mechanism')
    Party = Model.get('party.party')
    begin = time.perf_counter()
    for i in range(start, start + number):
        name, street, code, city, _, mobile, email, contact, job = (
            get_contact(i))
        party = Party(name=name)
        address, = party.addresses
        address.street = street
        address.postal_code = code
        address.city = city
        address.country = country
        party.save()
        Contact(party=party, name=contact, job_title=job).save()
        for type_, value in [('mobile', mobile), ('email', email)]:
            ContactMechanism(party=party, type=type_, value=value).save()
    return time.perf_counter() - begin


def run_copy(connection, number):
    "Return the seconds that COPY takes for the last contacts once more"
    cursor = connection.cursor()
    cursor.execute('SELECT max(id) FROM party_party')
    last, = cursor.fetchone()
    data = {}
    for table, shifted in TABLES.items():
        cursor.execute(
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_name = %s ORDER BY ordinal_position", [table])
        columns = [c for c, in cursor]
        expressions = ', '.join(
            (f"'C' || {c}" if c == 'code' else f'{c} + 100000000')
            if c in shifted else c for c in columns)
        party = 'id' if table == 'party_party' else 'party'
        buffer = io.BytesIO()
        with cursor.copy(
                f"COPY (SELECT {expressions} FROM {table} "
                f"WHERE {party} > {last - number}) TO STDOUT") as copy:
            for block in copy:
                buffer.write(block)
        data[table] = columns, buffer.getvalue()
    connection.commit()
    begin = time.perf_counter()
    for table, (columns, value) in data.items():
        with cursor.copy(
                f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            copy.write(value)
    connection.commit()
    seconds = time.perf_counter() - begin
    # Without an index each deletion looks for it through the whole table
    cursor.execute(
        "CREATE INDEX bench_replaced_by ON party_party (replaced_by) "
        "WHERE replaced_by IS NOT NULL")
    for table in reversed(TABLES):
        cursor.execute(f"DELETE FROM {table} WHERE id > 100000000")
    cursor.execute("DROP INDEX bench_replaced_by")
    connection.commit()
    connection.autocommit = True
    cursor.execute("VACUUM ANALYZE " + ', '.join(TABLES))
    connection.autocommit = False
    return seconds


def get_memory():
    "Return the megabytes that the process has now"
    with open('/proc/self/statm') as file:
        pages = int(file.read().split()[1])
    return pages * resource.getpagesize() / 2 ** 20


def main(
        database, config_file, number, sample, grow, repeat, chunk):
    import psycopg

    import trytond.config as trytond_config
    config.set_trytond(database, config_file=config_file)
    country = set_up()
    uri = trytond_config.get('database', 'uri').rstrip('/')
    connection = psycopg.connect(f'{uri}/{database}')
    cursor = connection.cursor()
    cursor.execute('SELECT count(*) FROM party_party')
    existing, = cursor.fetchone()
    cursor.execute("SELECT count(*) FROM pg_extension WHERE extname IN "
        "('pg_trgm', 'unaccent')")
    extensions, = cursor.fetchone()
    connection.commit()
    print(f"asserts {'on' if __debug__ else 'off'}, "
        f"{existing} parties, {extensions} extensions, chunks of {chunk}")
    start = existing + 1

    run_import(start, 1000, chunk)  # warm up
    start += 1000
    rates = {'import': [], 'copy': [], 'proteus': []}
    for _ in range(repeat):
        seconds = run_import(start, number, chunk)
        start += number
        rates['import'].append(number / seconds)
        rates['copy'].append(number / run_copy(connection, number))
        rates['proteus'].append(
            sample / run_proteus(start, sample, country))
        start += sample
        print(', '.join(f'{n} {r[-1]:.0f}/s' for n, r in rates.items())
            + f', {get_memory():.0f} MB', flush=True)
    medians = {n: statistics.median(r) for n, r in rates.items()}
    print(f"import: {medians['import'] / medians['proteus']:.1f} times "
        f"proteus one by one (sample of {sample}), COPY: "
        f"{medians['copy'] / medians['import']:.1f} times the import")

    base = medians['import']
    while grow and start < grow:
        seconds = run_import(start, number, chunk)
        start += number
        print(f"{start} existing: {number / seconds:.0f}/s, "
            f"cost {base * seconds / number:.2f} of the first, "
            f"{get_memory():.0f} MB", flush=True)


def run():
    parser = ArgumentParser()
    parser.add_argument('-d', '--database', required=True)
    parser.add_argument('-c', '--config', dest='config_file')
    parser.add_argument('--number', type=int, default=20_000,
        help='how many contacts are imported at once')
    parser.add_argument('--sample', type=int, default=100,
        help='how many are created one by one')
    parser.add_argument('--repeat', type=int, default=3)
    parser.add_argument('--chunk', type=int, default=1000)
    parser.add_argument('--grow', type=int, default=0,
        help='how many parties there are in the end')
    main(**vars(parser.parse_args()))


if __name__ == '__main__':
    sys.exit(run())
