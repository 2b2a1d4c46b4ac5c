#!/usr/bin/env python3
# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""Run everything that tells whether the module works.

The linters first, then side by side the tests on SQLite followed by the
browser tests, and the same tests on PostgreSQL. Each file of tests is run by a
process of its own. What cannot be run here is skipped, with the reason; in CI
(variable CI set to true) nothing may be."""

import argparse
import glob
import hashlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import metadata

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.join(ROOT, '.cache')
MODULE = 'trytond.modules.sale_opportunity_management'
BROWSER = 'test_browser'
# What is run again on a database that has these extensions
EXTENSIONS = ['pg_trgm', 'unaccent']
EXTENSIONS_TESTS = {'test_contact_import', 'test_tracking'}
# Each conversion has a profile of its own, as several may run at once
CONVERT_COMMAND = (
    'soffice "-env:UserInstallation=file://%(directory)s/profile" --headless '
    '--nolockcheck --nodefault --norestore '
    '--convert-to "%(output_extension)s" '
    '--outdir "%(directory)s" "%(input_path)s"')
TIMEOUT = 60 * 60


class Summary:
    "What was run, from all the threads"

    def __init__(self):
        self.lock = threading.Lock()
        self.parts = []
        self.passed = []    # (part, test)
        self.failed = []    # (part, test)
        self.skipped = []   # (part, test, reason)

    def add(self, part, passed=(), failed=(), skipped=(), seconds=0, log=None):
        with self.lock:
            line = (
                f"{part}: {len(passed)} passed, {len(failed)} failed, "
                f"{len(skipped)} skipped in {seconds:.0f} s")
            self.parts.append(line)
            self.passed.extend((part, test) for test in passed)
            self.failed.extend((part, test) for test in failed)
            self.skipped.extend((part, *skip) for skip in skipped)
            if failed and log:
                with open(log, errors='replace') as fp:
                    print(fp.read())
            print(line, flush=True)

    def skip(self, part, reason):
        with self.lock:
            self.parts.append(f"{part}: skipped")
            self.skipped.append((part, part, reason))
            print(f"{part}: skipped, {reason}", flush=True)

    def close(self, ci=False):
        "Print the summary and return the exit code"
        # A test that needs one kind of database is not lost when it was run
        # on that one
        passed = {test for _, test in self.passed}
        skipped = [s for s in self.skipped if s[1] not in passed]
        elsewhere = [s for s in self.skipped if s[1] in passed]

        print("\nRan:")
        for line in self.parts:
            print(f"  {line}")
        for title, skips in [
                ("Run on the other database only", elsewhere),
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
    loader = unittest.TestLoader()
    if pattern:
        loader.testNamePatterns = [
            pattern if '*' in pattern else f'*{pattern}*']
    result = unittest.TextTestRunner(
        verbosity=2, resultclass=Result).run(loader.loadTestsFromNames(names))
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


def run_job(summary, part, name, environ, pattern=None):
    "Run one file of tests in a process of its own"
    start = time.monotonic()
    logs = os.path.join(CACHE, 'logs')
    os.makedirs(logs, exist_ok=True)
    log = os.path.join(logs, f'{part}-{name}.log'.replace(' ', '-'))
    output = log[:-len('.log')] + '.json'
    if os.path.exists(output):
        os.remove(output)
    command = [
        sys.executable, os.path.abspath(__file__),
        '--output', output, '--name', f'{MODULE}.tests.{name}']
    if pattern:
        command += ['-k', pattern]
    part = f'{part} {name}'
    try:
        with open(log, 'w') as fp:
            # Outside of the working tree, as its files have the names of
            # libraries
            subprocess.run(
                command, timeout=TIMEOUT, cwd=CACHE, env=environ,
                stdin=subprocess.DEVNULL, stdout=fp,
                stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired:
        with open(log, 'a') as fp:
            fp.write(f"Stopped after {TIMEOUT} s\n")
    try:
        with open(output) as fp:
            results = json.load(fp)
    except FileNotFoundError:
        results = {'failed': [f'{name} ended before its results']}
    summary.add(
        part, **results, seconds=time.monotonic() - start, log=log)


def run_lint(summary):
    for name, options in [
            ('flake8', []), ('isort', ['--check-only', '--diff', '.'])]:
        start = time.monotonic()
        log = os.path.join(CACHE, f'{name}.log')
        with open(log, 'w') as fp:
            # Not with -m, which takes the files of the module for libraries
            program = os.path.join(os.path.dirname(sys.executable), name)
            code = subprocess.run(
                [program, *options], cwd=ROOT, stdout=fp,
                stderr=subprocess.STDOUT).returncode
        summary.add(
            f'lint {name}', **{'failed' if code else 'passed': [name]},
            seconds=time.monotonic() - start, log=log)


def test_files():
    names = {
        os.path.splitext(os.path.basename(f))[0]
        for f in glob.glob(os.path.join(ROOT, 'tests', 'test_*.py'))}
    return sorted(names - {BROWSER})


def code_hash():
    "Return the hash of what an activated database comes from"
    digest = hashlib.sha256()
    for name in sorted(
            f'{d.name} {d.version}' for d in metadata.distributions()
            if d.name.startswith(('tryton', 'proteus'))):
        digest.update(name.encode())
    for pattern in [
            'tryton.cfg', '*.py', '*.xml', '*.fodt', 'view/*', 'icons/*',
            'locale/*', 'tests/*.py', 'scripts/*.py']:
        for path in sorted(glob.glob(os.path.join(ROOT, pattern))):
            digest.update(os.path.relpath(path, ROOT).encode())
            with open(path, 'rb') as fp:
                digest.update(fp.read())
    return digest.hexdigest()[:20]


def database_cache(backend):
    "Return an empty folder of cache unless the code is still the same"
    path = os.path.join(CACHE, f'db-{backend}-{code_hash()}')
    for other in glob.glob(os.path.join(CACHE, f'db-{backend}-*')):
        if other != path:
            shutil.rmtree(other)
    os.makedirs(path, exist_ok=True)
    return path


def find_postgresql():
    "Return the folder of the binaries of the newest PostgreSQL, or None"
    folders = glob.glob('/usr/lib/postgresql/*/bin')
    folders.sort(key=lambda f: [
            int(n) for n in f.split('/')[-2].split('.') if n.isdigit()])
    for folder in reversed(folders):
        if os.path.exists(os.path.join(folder, 'initdb')):
            return folder
    for name in ['initdb', 'pg_ctl']:
        if path := shutil.which(name):
            return os.path.dirname(os.path.realpath(path))


def free_port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


@contextmanager
def postgresql_cluster(binaries, extensions=()):
    """Run a private server for the time of the tests and give its URI

    The databases that trytond creates have the extensions."""
    options = {'stdin': subprocess.DEVNULL}
    folder = tempfile.mkdtemp(prefix='tryton-postgresql-')
    if not os.getuid():
        # PostgreSQL refuses to run as root
        for name in ['postgres', 'nobody']:
            try:
                user = pwd.getpwnam(name)
                break
            except KeyError:
                pass
        os.chown(folder, user.pw_uid, user.pw_gid)
        options.update(
            user=user.pw_uid, group=user.pw_gid, extra_groups=[])
    data = os.path.join(folder, 'data')
    port = free_port()
    server = None
    try:
        with open(os.path.join(CACHE, 'postgresql.log'), 'w') as log:
            options.update(cwd=folder, stdout=log, stderr=subprocess.STDOUT)
            initdb = [
                os.path.join(binaries, 'initdb'), '-D', data, '-U', 'tryton',
                '-A', 'trust', '-E', 'UTF8', '--no-sync']
            for locale in ['C.UTF-8', 'C']:
                # A locale that knows upper and lower case beyond ASCII
                if not subprocess.run(
                        initdb + [f'--locale={locale}'],
                        **options).returncode:
                    break
            server = subprocess.Popen([
                    os.path.join(binaries, 'postgres'), '-D', data,
                    '-p', str(port), '-k', folder,
                    '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off',
                    '-c', 'synchronous_commit=off',
                    '-c', 'full_page_writes=off',
                    ], **options)
            for _ in range(300):
                if not subprocess.run([
                            os.path.join(binaries, 'pg_isready'), '-q',
                            '-h', '127.0.0.1', '-p', str(port)],
                        **options).returncode:
                    break
                if server.poll() is not None:
                    raise RuntimeError(
                        "PostgreSQL did not start, see .cache/postgresql.log")
                time.sleep(.1)
            uri = f'postgresql://tryton@127.0.0.1:{port}/'
            if extensions:
                add_extensions(uri, extensions)
            yield uri
    finally:
        if server and server.poll() is None:
            # Fast shutdown
            server.send_signal(signal.SIGINT)
            server.wait(60)
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


def base_environ():
    environ = os.environ.copy()
    for name in list(environ):
        if name.startswith('TRYTOND_') or name in {'DB_NAME', 'DB_CACHE'}:
            del environ[name]
    if shutil.which('soffice'):
        environ['TRYTOND_REPORT__CONVERT_COMMAND'] = CONVERT_COMMAND
    return environ


def run_sqlite(summary, names, pattern=None):
    environ = base_environ()
    environ['TRYTOND_DATABASE_URI'] = 'sqlite://'
    environ['DB_CACHE'] = database_cache('sqlite')
    for name in names:
        run_job(summary, 'sqlite', name, environ, pattern)


def run_postgresql(summary, names, pattern=None):
    def run(uri, cache, part='postgresql', names=names):
        environ = base_environ()
        environ['TRYTOND_DATABASE_URI'] = uri
        environ['DB_CACHE'] = cache
        for name in names:
            run_job(summary, part, name, environ, pattern)

    if uri := os.environ.get('POSTGRESQL_URI'):
        run(uri, database_cache('postgresql'))
    elif binaries := find_postgresql():
        with postgresql_cluster(binaries) as uri:
            # Templates inside of the server, which are gone with it
            run(uri, 'postgresql://')
        if names := [n for n in names if n in EXTENSIONS_TESTS]:
            with postgresql_cluster(binaries, EXTENSIONS) as uri:
                run(uri, 'postgresql://', 'postgresql extensions', names)
    else:
        summary.skip(
            'postgresql',
            "no PostgreSQL was found: neither POSTGRESQL_URI is set "
            "nor its server is installed")


def run_browser(summary, pattern=None):
    if not os.path.exists(os.path.join(ROOT, 'tests', f'{BROWSER}.py')):
        return
    chromium = os.environ.get('CHROMIUM') or next(filter(None, map(
                shutil.which, ['chromium', 'chromium-browser',
                    'google-chrome', 'google-chrome-stable'])), None)
    if not chromium:
        summary.skip('browser', "no Chromium was found, set CHROMIUM to it")
        return
    sao = subprocess.run(
        [sys.executable, os.path.join(ROOT, 'demo', 'sao.py'),
            os.path.join(CACHE, 'sao')],
        capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if sao.returncode:
        summary.skip(
            'browser',
            f"the web client is missing: {sao.stderr.strip()[-500:]}")
        return
    environ = base_environ()
    environ['TRYTOND_DATABASE_URI'] = 'sqlite://'
    environ['DB_CACHE'] = database_cache('sqlite')
    environ['CHROMIUM'] = chromium
    environ['TRYTON_SAO_ROOT'] = sao.stdout.strip()
    run_job(summary, 'browser', BROWSER, environ, pattern)


def run_all(names, backends, pattern=None):
    summary = Summary()
    os.makedirs(CACHE, exist_ok=True)
    if 'lint' in backends:
        run_lint(summary)
    names = [n for n in test_files() if not names or n in names]

    def first():
        if 'sqlite' in backends:
            run_sqlite(summary, names, pattern)
        if 'browser' in backends:
            run_browser(summary, pattern)

    def second():
        if 'postgresql' in backends:
            run_postgresql(summary, names, pattern)

    with ThreadPoolExecutor(2) as executor:
        futures = [executor.submit(first), executor.submit(second)]
    for future in futures:
        future.result()
    return summary.close(ci=os.environ.get('CI') == 'true')


def main():
    parts = ['lint', 'sqlite', 'postgresql', 'browser']
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
    parser.add_argument('--name', help=argparse.SUPPRESS)
    parser.add_argument('--output', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.name:
        run_names([options.name], options.output, options.pattern)
    else:
        sys.exit(run_all(
                options.names, options.parts or parts, options.pattern))


if __name__ == '__main__':
    main()
