# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from contextlib import closing

from trytond import backend
from trytond.modules.company.tests import create_company
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, activate_module, drop_db
from trytond.transaction import Transaction

DATABASE = 'remote'
PASSWORD = 'password of admin'
CONFIGURATION = """\
[database]
uri = sqlite://
path = {path}
[web]
listen = 127.0.0.1:{port}
"""
SCRIPT = 'trytond.modules.sale_opportunity_management.scripts.import_contacts'


@unittest.skipUnless(
    backend.name == 'sqlite', "The server needs a copy of the database")
class ScriptTestCase(unittest.TestCase):
    "Test the import script with a server"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        path = cls.directory.name
        cls.database = os.path.join(path, f'{DATABASE}.sqlite')
        cls.set_up_database()
        with socket.socket() as sock:
            sock.bind(('127.0.0.1', 0))
            cls.port = sock.getsockname()[1]
        configuration = os.path.join(path, 'trytond.conf')
        with open(configuration, 'w') as file:
            file.write(CONFIGURATION.format(path=path, port=cls.port))
        cls.password = os.path.join(path, 'password')
        with open(cls.password, 'w') as file:
            file.write(PASSWORD)
        environ = os.environ.copy()
        environ.pop('TRYTOND_DATABASE_URI', None)
        server = subprocess.Popen([
                os.path.join(os.path.dirname(sys.executable), 'trytond'),
                '-c', configuration, '-d', DATABASE],
            env=environ, cwd=path, stderr=subprocess.DEVNULL)
        cls.addClassCleanup(server.wait)
        cls.addClassCleanup(server.terminate)
        for _ in range(120):
            try:
                urllib.request.urlopen(
                    f'http://127.0.0.1:{cls.port}/').close()
                break
            except urllib.error.HTTPError:
                # It answers without a client to give
                break
            except OSError:
                time.sleep(.5)

    @classmethod
    def set_up_database(cls):
        activate_module('sale_opportunity_management')
        # What is committed is of no use for other tests
        cls.addClassCleanup(drop_db)
        with Transaction().start(DB_NAME, 1) as transaction:
            pool = Pool()
            Group = pool.get('res.group')
            User = pool.get('res.user')
            company = create_company()
            User.write([User(1)], {
                    'password': PASSWORD,
                    'companies': [('add', [company.id])],
                    'company': company.id,
                    'groups': [('add', [g.id for g in Group.search([])])],
                    })
            transaction.commit()
            with closing(sqlite3.connect(cls.database)) as copy:
                transaction.connection.backup(copy)

    def run_script(self, *arguments, password=None):
        url = f'http://admin@127.0.0.1:{self.port}/{DATABASE}/'
        return subprocess.run(
            [sys.executable, '-m', SCRIPT, '--url', url, *arguments],
            env={**os.environ, 'TRYTONPASSFILE': password or self.password},
            cwd=self.directory.name, stdin=subprocess.DEVNULL,
            capture_output=True, text=True)

    def count(self, pattern):
        with closing(sqlite3.connect(self.database)) as connection:
            (number,), = connection.execute(
                'SELECT count(*) FROM party_party WHERE name LIKE ?',
                [pattern])
        return number

    def write(self, name, text):
        filename = os.path.join(self.directory.name, name)
        with open(filename, 'w', encoding='utf-8') as file:
            file.write(text)
        return filename

    def test_import(self):
        "Test that rows are imported by a server, in several chunks"
        filename = self.write(
            'contacts.csv', "Name;Email;Colour\n" + ''.join(
                f"Óptica {i};info{i}@example.com;blue\n" for i in range(5))
            + "Óptica 5;not an e-mail;blue\n")
        for created, skipped in [(5, 0), (0, 5)]:
            with self.subTest(created=created):
                result = self.run_script(filename, '--chunk', '2')
                self.assertEqual(result.returncode, 1, result.stderr)
                lines = result.stdout.splitlines()
                self.assertIn("Unknown column: Colour", lines)
                self.assertIn("1 row rejected", lines)
                self.assertEqual(
                    "5 customers created" in lines, bool(created))
                self.assertEqual(
                    "5 rows matched with existing customers" in lines,
                    bool(skipped))
                self.assertEqual(self.count("Óptica %"), 5)
                with open(
                        os.path.join(
                            self.directory.name, 'contacts.rejects.csv'),
                        encoding='utf-8-sig') as file:
                    self.assertIn("not an e-mail", file.read())

    def test_dry_run(self):
        "Test that nothing is kept of a dry run"
        filename = self.write('dry.csv', "Name\nDry\n")
        result = self.run_script(filename, '--dry-run')
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("1 customer created", result.stdout)
        self.assertEqual(self.count("Dry"), 0)

    def test_dry_run_chunks(self):
        "Test that a dry run counts as the import in chunks does"
        filename = self.write(
            'twice.csv', "Name;Email\n" + ''.join(
                f"Twice {i % 2};twice{i % 2}@example.com\n"
                for i in range(6)))

        def run(*options):
            result = self.run_script(filename, '--chunk', '1', *options)
            self.assertEqual(result.returncode, 0, result.stderr)
            return [
                line for line in result.stdout.splitlines()
                if '--undo' not in line]

        checked = run('--dry-run')
        self.assertIn("2 customers created", checked)
        self.assertEqual(self.count("Twice %"), 0)
        run()
        self.assertEqual(self.count("Twice %"), 2)

    def test_undo(self):
        "Test that an import is undone by its number"
        filename = self.write('undo.csv', "Name\nUndo\n")
        result = self.run_script(filename)
        self.assertEqual(result.returncode, 0, result.stderr)
        batch = re.search(r'--undo (\d+)', result.stdout).group(1)
        result = self.run_script('--undo', batch)
        self.assertEqual(result.returncode, 0, result.stderr)
        with closing(sqlite3.connect(self.database)) as connection:
            (state,), = connection.execute(
                'SELECT state FROM party_contact_import WHERE id = ?',
                [batch])
        self.assertEqual(state, 'undone')
        self.assertEqual(self.count("Undo"), 0)
        self.assertIn("is undone", result.stdout)
        for arguments in [['--undo', batch], ['--undo', '0'], []]:
            with self.subTest(arguments=arguments):
                result = self.run_script(*arguments)
                self.assertEqual(result.returncode, 2)
                self.assertNotIn("Traceback", result.stderr)

    def test_start(self):
        "Test that the first rows can be left out"
        filename = self.write(
            'start.csv',
            "Name\n" + ''.join(f"Start {i}\n" for i in range(5)))
        result = self.run_script(
            filename, '--start', '3', '--chunk', '2', '--duplicates', 'new')
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("2 customers created", result.stdout)
        self.assertEqual(self.count("Start %"), 2)

    def test_unknown(self):
        "Test that the record of an option that is not found is told"
        filename = self.write('unknown.csv', "Name\nUnknown\n")
        result = self.run_script(filename, '--business-unit', "Nothing")
        self.assertEqual(result.returncode, 2)
        self.assertIn("'Nothing'", result.stderr)
        self.assertNotIn("Traceback", result.stderr)
        self.assertEqual(self.count("Unknown"), 0)

    def test_denied(self):
        "Test that a wrong password is refused and not shown"
        filename = self.write('denied.csv', "Name\nDenied\n")
        password = self.write('wrong', "secret word")
        result = self.run_script(filename, password=password)
        self.assertEqual(result.returncode, 2)
        self.assertTrue(result.stderr.strip())
        self.assertNotIn("secret", result.stderr)
        self.assertNotIn("Traceback", result.stderr)
        self.assertEqual(self.count("Denied"), 0)
