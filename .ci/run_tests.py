#!/usr/bin/env python3
# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""Run the tests on SQLite and on PostgreSQL and those of the browser.

Each file of tests is run by a process of its own, two at a time.  What cannot
be run here is skipped, with the reason; in CI (variable CI set to true)
nothing may be."""

import argparse
import glob
import hashlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor, as_completed
from configparser import ConfigParser
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from unittest.mock import patch

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.join(ROOT, '.cache')
MODULE = 'trytond.modules.sale_opportunity_management'
BROWSER = 'test_browser'
# They are begun first, although some of them are small
SLOWEST = {'test_doors', BROWSER, 'test_module', 'test_scenario'}
# They do not depend on the kind of database
SQLITE_ONLY = {'test_doors', 'test_house'}
# What is run again on a database that has these extensions
EXTENSIONS = ['pg_trgm', 'unaccent']
EXTENSIONS_TESTS = [
    'test_contact_import', 'test_duplicate', 'test_search', 'test_tracking']
TIMEOUT = 60 * 60


class Summary:
    "The results"

    def __init__(self):
        self.parts = []     # (seconds, part, text)
        self.passed = []    # (part, test)
        self.failed = []    # (part, test)
        self.skipped = []   # (part, test, reason)

    def add(self, part, passed=(), failed=(), skipped=(), seconds=0, log=None):
        text = (
            f"{len(passed)} passed, {len(failed)} failed, "
            f"{len(skipped)} skipped in {seconds:.0f} s")
        self.parts.append((seconds, part, text))
        self.passed.extend((part, test) for test in passed)
        self.failed.extend((part, test) for test in failed)
        self.skipped.extend((part, *skip) for skip in skipped)
        if failed and log:
            with open(log, errors='replace') as fp:
                print(fp.read())
        print(f"{part}: {text}", flush=True)

    def skip(self, part, reason):
        self.add(part, skipped=[(part, reason)])

    def close(self, ci=False):
        "Print the summary and return the exit code"
        # A test that needs one kind of database is not lost when it was run
        # on that one
        passed = {test for _, test in self.passed}
        skipped = [s for s in self.skipped if s[1] not in passed]

        print("\nWhat took longest:")
        for _, part, text in sorted(self.parts, reverse=True)[:15]:
            print(f"  {part}: {text}")
        for title, skips in [
                ("Run on the other database only",
                    [s for s in self.skipped if s not in skipped]),
                ("Skipped", skipped)]:
            if skips:
                print(f"{title}:")
            for part, test, reason in skips:
                print(f"  {part}: {test}: {reason}")
        if self.failed:
            print("Failed:")
        for part, test in self.failed:
            print(f"  {part}: {test}")
        if ci and skipped:
            print("Nothing may be skipped in CI.")
        print()
        print(
            f"{len(self.passed)} passed, {len(self.failed)} failed, "
            f"{len(skipped)} skipped", flush=True)
        return int(bool(
                self.failed or not self.passed or (ci and skipped)))


class Result(unittest.TextTestResult):

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.passed = []

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed.append(test.id())


def run_names(names, output, pattern=None):
    "Run the tests in this process and write their results as JSON"
    start_from_base()
    loader = unittest.TestLoader()
    if pattern:
        loader.testNamePatterns = [
            pattern if '*' in pattern else f'*{pattern}*']
    result = unittest.TextTestRunner(
        verbosity=2, resultclass=Result).run(loader.loadTestsFromNames(
            [f'{MODULE}.tests.{name}' for name in names]))
    failed = [t.id() for t, _ in result.failures + result.errors]
    failed += [t.id() for t in result.unexpectedSuccesses]
    with open(output, 'w') as fp:
        json.dump({
                'passed': [
                    *result.passed,
                    *(t.id() for t, _ in result.expectedFailures)],
                # A test may fail in several of its sub-tests
                'failed': list(dict.fromkeys(failed)),
                'skipped': [(t.id(), r) for t, r in result.skipped],
                }, fp)


def start_from_base():
    """Create the databases from one in which the dependencies are active

    It is kept as long as their versions."""
    from trytond.pool import Pool
    from trytond.tests import test_tryton
    from trytond.transaction import Transaction
    config = ConfigParser()
    config.read(os.path.join(ROOT, 'tryton.cfg'))
    depends = config['tryton']['depends'].split()
    create = test_tryton.create_db

    def create_db(name=test_tryton.DB_NAME, lang='en'):
        with patch.multiple(
                test_tryton, create_db=create,
                DB_CACHE=os.environ['DB_CACHE_BASE']):
            test_tryton.activate_module(depends, lang=lang)
        with Transaction().start(name, 1):
            # The base may be older than the module
            Pool().get('ir.module').update_list()

    test_tryton.create_db = create_db


def fill_cache():
    "Activate the databases that the tests begin with"
    start_from_base()
    from trytond.modules.sale_opportunity_management.tests.tools import (
        create_team)
    from trytond.tests import test_tryton, tools
    name = 'sale_opportunity_management'
    for modules in [[name], [name, 'inbound_email']]:
        test_tryton.activate_module(modules)
        test_tryton.drop_db()
    tools.activate_modules(name, create_team)
    test_tryton.drop_db()


def run_process(name, environ, *options):
    "Run this script in a process and return its code and its log"
    log = os.path.join(CACHE, 'logs', f'{name}.log'.replace(' ', '-'))
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, 'w') as fp:
        try:
            # Outside of the working tree, as its files have the names of
            # libraries
            code = subprocess.run(
                [sys.executable, os.path.abspath(__file__), *options],
                timeout=TIMEOUT, cwd=CACHE, env=environ,
                stdin=subprocess.DEVNULL, stdout=fp, stderr=subprocess.STDOUT
                ).returncode
        except subprocess.TimeoutExpired:
            code = 1
            fp.write(f"Stopped after {TIMEOUT} s\n")
    return code, log


def run_tests(part, names, environ, pattern=None):
    "Run the files of tests in a process of their own"
    output = os.path.join(CACHE, 'logs', f"{part}-{'-'.join(names)}.json")
    if os.path.exists(output):
        os.remove(output)
    if part in {'postgresql', 'extensions'}:
        # By itself it is named after the second.  The names of all would be
        # too long for PostgreSQL.
        environ = {**environ, 'DB_NAME': f'test_{names[0]}'}
    part = f"{part} {' '.join(names)}"
    start = time.monotonic()
    _, log = run_process(
        part, environ, *names, '--output', output,
        *(['-k', pattern] if pattern else []))
    try:
        with open(output) as fp:
            results = json.load(fp)
    except FileNotFoundError:
        results = {'failed': [f'{part} ended before its results']}
    return part, {
        **results, 'seconds': time.monotonic() - start, 'log': log}


def run_fill_cache(part, environ):
    start = time.monotonic()
    code, log = run_process(f'{part} cache', environ, '--fill-cache')
    return f'{part} cache', {
        'failed' if code else 'passed': ['cache'],
        'seconds': time.monotonic() - start, 'log': log}


def test_files(names):
    "Return the files of tests, the longest first"
    sizes = {
        path.stem: path.stat().st_size
        for path in Path(ROOT, 'tests').glob('test_*.py')}
    if missing := set(names) - sizes.keys():
        sys.exit(f"No tests: {', '.join(missing)}")
    return sorted(
        set(names) or sizes, key=lambda n: (n not in SLOWEST, -sizes[n]))


def packages_hash():
    digest = hashlib.sha256()
    for name in sorted(
            f'{d.name} {d.version}' for d in metadata.distributions()
            if d.name.startswith(('tryton', 'proteus'))):
        digest.update(name.encode())
    return digest


def code_hash():
    "Return the hash of what an activated database comes from"
    digest = packages_hash()
    for pattern in [
            '*.cfg', '*.py', '*.xml', '*/*.cfg', '*/*.py', '*/*.xml',
            '*/*.fodt', '*/*.html', 'view/*/*.xml', 'icons/*', 'locale/*']:
        for path in sorted(glob.glob(os.path.join(ROOT, pattern))):
            digest.update(os.path.relpath(path, ROOT).encode())
            with open(path, 'rb') as fp:
                digest.update(fp.read())
    return digest


def cache_folder(name, digest):
    "Return the folder of the cache, without the older ones"
    path = os.path.join(CACHE, f'db-{name}-{digest.hexdigest()[:20]}')
    for other in glob.glob(os.path.join(CACHE, f'db-{name}-*')):
        if other != path:
            shutil.rmtree(other)
    return path


def find_postgresql():
    "Return the folder of the binaries of the newest PostgreSQL, or None"
    programs = glob.glob('/usr/lib/postgresql/*/bin/initdb')
    programs.sort(key=lambda p: float(p.split('/')[4]))
    if not programs and (program := shutil.which('initdb')):
        programs = [os.path.realpath(program)]
    return os.path.dirname(programs[-1]) if programs else None


@contextmanager
def postgresql_cluster(binaries, extensions=()):
    """Run a private server for the time of the tests and give its URI

    The databases that trytond creates have the extensions."""
    folder = tempfile.mkdtemp(prefix='tryton-postgresql-')
    data = os.path.join(folder, 'data')
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        port = sock.getsockname()[1]
    user = {}
    if not os.getuid():
        # PostgreSQL refuses to run as root
        postgres = pwd.getpwnam('postgres')
        os.chown(folder, postgres.pw_uid, postgres.pw_gid)
        user.update(
            user=postgres.pw_uid, group=postgres.pw_gid, extra_groups=[])

    def run(program, *options):
        subprocess.run(
            [os.path.join(binaries, program), '-D', data, *options],
            cwd=folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True,
            **user)

    try:
        run('initdb', '-U', 'tryton', '-A', 'trust', '-E', 'UTF8',
            '--locale=C.UTF-8', '--no-sync')
        run('pg_ctl', 'start', '-w', '-l', os.path.join(folder, 'log'), '-o',
            f'-p {port} -k {folder} -c listen_addresses=127.0.0.1 '
            '-c fsync=off -c synchronous_commit=off -c full_page_writes=off')
        uri = f'postgresql://tryton@127.0.0.1:{port}/'
        if extensions:
            add_extensions(uri, extensions)
        yield uri
    finally:
        run('pg_ctl', 'stop', '-w', '-m', 'fast')
        shutil.rmtree(folder, ignore_errors=True)


def add_extensions(uri, extensions):
    "Create the extensions in the template of the databases of trytond"
    import psycopg
    with psycopg.connect(f'{uri}postgres', autocommit=True) as connection:
        connection.execute('ALTER DATABASE template0 ALLOW_CONNECTIONS true')
        with psycopg.connect(f'{uri}template0', autocommit=True) as template:
            for extension in extensions:
                template.execute(f'CREATE EXTENSION {extension}')
        # Nobody may be connected to a template
        connection.execute('ALTER DATABASE template0 ALLOW_CONNECTIONS false')


def get_environ(name, uri, cache):
    environ = os.environ.copy()
    for variable in list(environ):
        if (variable.startswith('TRYTOND_')
                # The Makefile gives the command to convert
                and not variable.startswith('TRYTOND_REPORT__')
                or variable in {'DB_NAME', 'DB_CACHE'}):
            del environ[variable]
    environ['TRYTOND_DATABASE_URI'] = uri
    if uri == 'sqlite://':
        # The transactions that begin after this time commit what they write
        environ['TRYTOND_CACHE__CLEAN_TIMEOUT'] = str(10 ** 9)
    environ['DB_CACHE'] = cache
    environ['DB_CACHE_BASE'] = cache_folder(f'base-{name}', packages_hash())
    if binaries := find_postgresql():
        # Of the same version as the server
        environ['PATH'] = os.pathsep.join([binaries, environ['PATH']])
    return environ


def browser_environ(environ):
    "Return the environment of the browser tests or raise an exception"
    chromium = os.environ.get('CHROMIUM') or next(filter(None, map(
                shutil.which, ['chromium', 'chromium-browser',
                    'google-chrome', 'google-chrome-stable'])), None)
    if not chromium:
        raise LookupError("no Chromium was found, set CHROMIUM to it")
    sao = subprocess.run(
        [sys.executable, os.path.join(ROOT, 'demo', 'sao.py'),
            os.path.join(CACHE, 'sao')],
        capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if sao.returncode:
        raise LookupError(
            f"the web client is missing: {sao.stderr.strip()[-500:]}")
    return {
        **environ, 'CHROMIUM': chromium,
        'TRYTON_SAO_ROOT': sao.stdout.strip()}


def run_all(names, parts, pattern=None):
    os.makedirs(CACHE, exist_ok=True)
    summary = Summary()
    names = test_files(names)
    environs = {}
    jobs = []

    with ExitStack() as stack:
        executor = stack.enter_context(ThreadPoolExecutor(2))
        sqlite = get_environ(
            'sqlite', 'sqlite://', cache_folder('sqlite', code_hash()))
        if 'sqlite' in parts:
            environs['sqlite'] = sqlite
        if 'postgresql' in parts:
            if uri := os.environ.get('POSTGRESQL_URI'):
                environs['postgresql'] = get_environ(
                    'postgresql', uri, cache_folder('postgresql', code_hash()))
            elif binaries := find_postgresql():
                for name, extensions in [
                        ('postgresql', []), ('extensions', EXTENSIONS)]:
                    uri = stack.enter_context(
                        postgresql_cluster(binaries, extensions))
                    environs[name] = get_environ(name, uri, 'postgresql://')
            else:
                summary.skip(
                    'postgresql',
                    "no PostgreSQL was found: neither POSTGRESQL_URI is set "
                    "nor its server is installed")
        if 'browser' in parts and BROWSER in names:
            try:
                environs['browser'] = browser_environ(sqlite)
            except LookupError as e:
                summary.skip('browser', str(e))

        # Two processes must not fill the same cache
        caches = {
            environ['DB_CACHE']: (part, environ)
            for part, environ in environs.items()
            if part != 'extensions' and len(names) > 1}
        for part, results in executor.map(
                lambda cache: run_fill_cache(*cache), caches.values()):
            summary.add(part, **results)

        for name in names:
            for part, environ in environs.items():
                if ((part == 'browser') != (name == BROWSER)
                        or part == 'extensions'
                        or part == 'postgresql' and name in SQLITE_ONLY):
                    continue
                jobs.append((run_tests, part, [name], environ, pattern))
        tests = [n for n in names if n in EXTENSIONS_TESTS]
        if 'extensions' in environs and tests:
            jobs.insert(1, (
                    run_tests, 'extensions', tests, environs['extensions'],
                    pattern))
        futures = [executor.submit(*job) for job in jobs]
        for future in as_completed(futures):
            part, results = future.result()
            summary.add(part, **results)
    return summary.close(ci=os.environ.get('CI') == 'true')


def main():
    parts = ['sqlite', 'postgresql', 'browser']
    parser = argparse.ArgumentParser(
        prog="make test ARGS=", description=__doc__.splitlines()[0])
    parser.add_argument(
        'names', nargs='*', help="files of tests, for example test_module")
    parser.add_argument(
        '--part', dest='parts', action='append', choices=parts,
        help="run this part only, may be repeated")
    parser.add_argument(
        '-k', dest='pattern',
        help="run the tests and scenarios that match the pattern")
    # For the processes started by this script
    parser.add_argument(
        '--fill-cache', action='store_true', help=argparse.SUPPRESS)
    parser.add_argument('--output', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill_cache:
        fill_cache()
    elif options.output:
        run_names(options.names, options.output, options.pattern)
    else:
        sys.exit(run_all(
                options.names, options.parts or parts, options.pattern))


if __name__ == '__main__':
    main()
