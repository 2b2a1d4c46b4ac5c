#!/usr/bin/env python3
# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""Serve the module on this machine with an example company.

The database is made the first time and kept in the folder .demo, until it is
reset. The scheduled tasks run too, and what is sent by e-mail is kept in that
folder: it reaches nobody."""

import argparse
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager, suppress

import sao

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(ROOT, '.demo')
CONFIG = os.path.join(FOLDER, 'trytond.conf')
LOG = os.path.join(FOLDER, 'trytond.log')
MAIL = os.path.join(FOLDER, 'mail')
# Written once everything is in the database: it tells that it is complete
USERS = os.path.join(FOLDER, 'users.json')
DATABASE = 'demo'
MODULE = 'sale_opportunity_management'
HOST = '127.0.0.1'
MAIL_PORT = 8025


def program(name):
    return os.path.join(os.path.dirname(sys.executable), name)


def find_port(port):
    "Return the first free port from the given one"
    for candidate in range(port, port + 100):
        with socket.socket() as sock:
            if os.name == 'posix':
                # As the server does, so that it can be started again at once
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((HOST, candidate))
            except OSError:
                continue
            return candidate
    sys.exit(f"No port is free between {port} and {port + 99}.")


def find_web_root():
    "Return the root of the web client or None"
    try:
        return sao.prepare(os.path.join(ROOT, '.cache', 'sao'))
    except sao.SaoError as error:
        print(f"The web client is missing: {error}.", file=sys.stderr)


def write_config(port, mail_port, web_root):
    url = f'http://{HOST}:{port}'
    lines = [
        '[database]',
        'uri = sqlite://',
        f'path = {FOLDER}',
        '[web]',
        f'listen = {HOST}:{port}',
        f'root = {web_root or ""}',
        # The passwords are short, as nobody else can reach this server
        '[password]',
        'length = 4',
        '[session]',
        f'timeout = {24 * 60 * 60}',
        '[email]',
        f'uri = smtp://{HOST}:{mail_port}',
        'from = Tryton <tryton@example.com>',
        f'[{MODULE}]',
        f'meeting_base = {url}',
        f'calendar_base = {url}',
        ]
    with open(CONFIG, 'w') as fp:
        fp.write('\n'.join(lines) + '\n')


def create_database():
    "Make the database with its users, from nothing"
    path = os.path.join(FOLDER, f'{DATABASE}.sqlite')
    for name in [path, f'{path}-wal', f'{path}-shm', f'{path}-journal']:
        if os.path.exists(name):
            os.remove(name)
    shutil.rmtree(MAIL, ignore_errors=True)
    print("Creating the database, which takes some minutes...", flush=True)
    with open(path, 'w'):
        pass
    environ = os.environ.copy()
    environ['TRYTONPASSFILE'] = os.path.join(FOLDER, 'password')
    with open(environ['TRYTONPASSFILE'], 'w') as fp:
        fp.write('demo')
    subprocess.run([
            program('trytond-admin'), '-c', CONFIG, '-d', DATABASE,
            '-u', MODULE, '--activate-dependencies', '-l', 'es',
            '--email', 'admin@example.com'],
        check=True, env=environ)
    subprocess.run([
            sys.executable, os.path.join(ROOT, 'demo', 'populate.py'),
            '-c', CONFIG, '-d', DATABASE, USERS],
        check=True)


def update_database():
    "Take over the changes of the module made since the last time"
    changed = max(
        os.path.getmtime(path)
        for pattern in ['*', '*/*', 'view/*/*']
        for path in glob.glob(os.path.join(ROOT, pattern))
        if path.endswith(('.py', '.xml', '.cfg', '.po', '.fodt', '.html')))
    if os.path.getmtime(USERS) < changed:
        print("Updating the database...", flush=True)
        subprocess.run([
                program('trytond-admin'), '-c', CONFIG, '-d', DATABASE,
                '-u', MODULE, '--activate-dependencies'],
            check=True)
        os.utime(USERS)


@contextmanager
def run(command, log):
    "Run the command until the context is left"
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log,
        stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield process
    finally:
        if os.name == 'posix':
            # With those that it started, if it did not end by itself
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        else:
            process.terminate()
        process.wait()


def wait(server, url):
    "Wait until the server answers"
    body = json.dumps(
        {'method': 'common.server.version', 'params': [], 'id': 0}).encode()
    request = urllib.request.Request(
        f'{url}/rpc/', body, {'Content-Type': 'application/json'})
    # Never through a proxy, the server is here
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while server.poll() is None:
        try:
            with opener.open(request, timeout=10):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(.2)
    with open(LOG) as log:
        sys.exit(f"The server did not start:\n{log.read()}")


def print_users(url, port, web_root):
    with open(USERS) as fp:
        users = json.load(fp)
    print()
    if web_root:
        print(f"Web client:      {url}/")
    else:
        print("There is no web client here, use the desktop client:")
    print(
        f"Desktop client:  tryton://{HOST}:{port}/{DATABASE}\n"
        f"                 (host {HOST}:{port}, database {DATABASE})")
    print()
    width = max(len(u['login']) for u in users) + 2
    print(f"{'User':<{width}}{'Password':<10}Role")
    for user in users:
        print(f"{user['login']:<{width}}{user['password']:<10}{user['role']}")
    print()
    print("The reports are printed as PDF." if shutil.which('soffice') else
        "Install LibreOffice to print the reports as PDF.")
    print(
        "The e-mails reach nobody, they are kept in "
        f"{os.path.relpath(os.path.join(MAIL, 'new'))}.")
    print(
        f"The log of the server is in {os.path.relpath(LOG)}, "
        "press Ctrl+C to stop.", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--reset', action='store_true', help="begin with a new database")
    parser.add_argument(
        '--port', type=int, default=8000,
        help="the port to serve on, or the next that is free")
    options = parser.parse_args()

    # To stop the server too when this program or its terminal is closed
    for name in ['SIGTERM', 'SIGHUP']:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *args: sys.exit())

    os.makedirs(FOLDER, exist_ok=True)
    web_root = find_web_root()
    write_config(options.port, MAIL_PORT, web_root)
    if options.reset and os.path.exists(USERS):
        os.remove(USERS)
    try:
        if os.path.exists(USERS):
            update_database()
        else:
            create_database()
    except subprocess.CalledProcessError as error:
        sys.exit(f"The database could not be made: {error}")

    port, mail_port = find_port(options.port), find_port(MAIL_PORT)
    url = f'http://{HOST}:{port}'
    write_config(port, mail_port, web_root)
    commands = [
        [program('trytond'), '-c', CONFIG, '-d', DATABASE],
        [program('trytond-cron'), '-c', CONFIG, '-d', DATABASE, '-n', '1'],
        [program('aiosmtpd'), '--nosetuid', '--smtputf8',
            '--listen', f'{HOST}:{mail_port}',
            '--class', 'aiosmtpd.handlers.Mailbox', MAIL],
        ]
    try:
        with ExitStack() as stack:
            log = stack.enter_context(open(LOG, 'w'))
            server, *_ = [
                stack.enter_context(run(c, log)) for c in commands]
            wait(server, url)
            print_users(url, port, web_root)
            server.wait()
    except KeyboardInterrupt:
        pass


if __name__ == '__main__':
    main()
