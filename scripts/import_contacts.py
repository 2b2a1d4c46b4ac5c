#!/usr/bin/env python3
# PYTHON_ARGCOMPLETE_OK
# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import json
import os
import sys
import time
import xmlrpc.client
from argparse import ArgumentParser
from contextlib import suppress
from getpass import getpass
from urllib.parse import urlsplit, urlunsplit

try:
    import argcomplete
except ImportError:
    argcomplete = None

try:
    from tqdm import tqdm
except ImportError:
    tqdm = None

try:
    from proteus import Model, config
except ImportError:
    prog = os.path.basename(sys.argv[0])
    sys.exit("proteus must be installed to use %s" % prog)

from trytond.exceptions import UserError
from trytond.modules.sale_opportunity_management.importing.exceptions import (
    FileError)
from trytond.modules.sale_opportunity_management.importing.file import (
    ContactFile, Rejects, get_rejects_encoding)
from trytond.modules.sale_opportunity_management.importing.heading import (
    normalize_heading)

COUNTS = {
    'created': ("customer created", "customers created"),
    'merged': (
        "row merged into those of other rows",
        "rows merged into those of other rows"),
    'updated': ("customer updated", "customers updated"),
    'matched': (
        "row matched with an existing customer",
        "rows matched with existing customers"),
    'rejected': ("row rejected", "rows rejected"),
    'persons': ("person created", "persons created"),
    'trackings': ("tracking created", "trackings created"),
    }


class RecordError(LookupError):
    pass


class MappingError(ValueError):
    pass


class _Progress:
    "The progress without tqdm"

    def __init__(self, total=None, **kwargs):
        self.total = total
        self.done = 0
        self.start = time.monotonic()

    def update(self, number):
        self.done += number
        rate = self.done / max(time.monotonic() - self.start, 0.001)
        left = (self.total - self.done) / rate
        if sys.stderr.isatty():
            sys.stderr.write(
                f"\r{self.done}/{self.total} rows, {rate:.0f} rows/s, "
                f"{left:.0f} s left ")

    def close(self):
        if sys.stderr.isatty():
            sys.stderr.write('\n')


def get_rejects_name(filename, start=0):
    suffix = f'-{start}' if start else ''
    return os.path.splitext(filename)[0] + f'.rejects{suffix}.csv'


def import_contacts(
        filename, rejects=None, chunk=1000, progress=False, company=None,
        start=0, mapping=None, **options):
    """Import the file by the current configuration of proteus

    rejects is the name of the file of the rejected rows (default: the name
    of the file with .rejects.csv), it exists only if there are some.  company
    is an id (default: the one of the user).  start is how many rows are left
    out, as they were imported before.  mapping is the name of the mapping of
    its columns (default: they are guessed).  The options are those of
    party.contact.import's import_rows.

    What interrupts it has as rows_done the start to go on with.

    Return a dictionary of numbers, with the name of the rejects file as
    'rejects' and the headings that are not known as 'unknown'."""
    current_config = config.get_config()
    proxy = current_config.get_proxy('party.contact.import')
    context = current_config.context
    if company is not None:
        context['company'] = company
    rejects = rejects or get_rejects_name(filename, start)
    counts = dict.fromkeys(COUNTS, 0)
    with open(filename, 'rb') as file:
        contacts = ContactFile(file, strict=not mapping)
        if mapping:
            contacts = ContactFile(
                file, columns=find_columns(mapping, contacts.headings))
        if progress:
            print_ignored(contacts)
        if options.get('dry_run'):
            # A row must know what the rows before would have created
            chunk = sys.maxsize
        else:
            options['contact_import'] = proxy.begin({
                    **options,
                    'file_name': os.path.basename(filename),
                    'headings': contacts.headings,
                    'columns': contacts.columns,
                    }, context)
        with RejectsFile(rejects, contacts) as rejects_file:
            bar, done = None, 0
            try:
                for rows in contacts.chunks(chunk):
                    if bar is None and progress:
                        bar = get_progress(contacts.size)
                    size = len(rows)
                    if to_import := rows[max(start - done, 0):]:
                        result = proxy.import_rows(
                            contacts.to_import(to_import), options, context)
                        for name in counts:
                            counts[name] += result[name]
                        rejects_file.write(to_import, result['rejects'])
                    done += size
                    if bar is not None:
                        bar.update(size)
                if not options.get('dry_run'):
                    proxy.end(options['contact_import'], context)
            except BaseException as e:
                e.rows_done = max(start, done)
                raise
            finally:
                if bar is not None:
                    bar.close()
    return {
        **counts,
        'batch': options.get('contact_import'),
        'rejects': rejects if counts['rejected'] else None,
        'unknown': contacts.unknown,
        }


def find_columns(name, headings):
    "Return the columns of the headings by the mapping with this name"
    Mapping = Model.get('party.contact.import.mapping')
    key = json.dumps([normalize_heading(h) for h in headings])
    for mapping in Mapping.find([('name', '=', name)]):
        if mapping.headings == key:
            return json.loads(mapping.columns)
    raise MappingError(
        "There is no mapping %r for the headings of the file." % name)


def print_ignored(contacts):
    "Print the columns that are not imported"
    for heading in contacts.unknown:
        print("Unknown column: %s" % heading)
    for sheet in contacts.other_sheets:
        print("Sheet that is not imported: %s" % sheet)


class RejectsFile:
    "Write the rejects to a file that is made once there is one"

    def __init__(self, filename, contacts):
        self.filename = filename
        self.contacts = contacts
        self.file = None

    def __enter__(self):
        with suppress(FileNotFoundError):
            os.remove(self.filename)
        return self

    def __exit__(self, type, value, traceback):
        if self.file:
            self.file.close()

    def write(self, rows, rejects):
        if not rejects:
            return
        if not self.file:
            self.file = open(
                self.filename, 'w', newline='', errors='backslashreplace',
                encoding=get_rejects_encoding(self.contacts.encoding))
            self.rejects = Rejects(
                self.file, self.contacts.headings, self.contacts.columns,
                self.contacts.delimiter)
        self.rejects.write_rows(rows, rejects)
        self.file.flush()


def get_progress(total):
    if tqdm:
        return tqdm(total=total, unit=" rows", disable=None)
    return _Progress(total=total)


def find_id(model, name, field='name'):
    "Return the id of the record with this name or code"
    Record = Model.get(model)
    for name_ in [field, 'code', 'rec_name']:
        if name_ in Record._fields:
            if records := Record.find([(name_, '=', name)], limit=2):
                if len(records) == 1:
                    return records[0].id
    raise RecordError("There is no %r or more than one." % name)


def main(
        filename, database=None, config_file=None, user='admin', url=None,
        **options):
    if url:
        url, user, password = split_url(url, user)
        with config.set_xmlrpc_session(url, user, password):
            return do(filename, **options)
    config.set_trytond(database, user=user, config_file=config_file)
    return do(filename, **options)


def do(filename, undo=None, **options):
    if undo is not None:
        return do_undo(undo)
    return do_import(filename, **options)


def do_undo(id_):
    "Have the queue undo the import"
    Import = Model.get('party.contact.import')
    imports = Import.find([
            ('id', '=', id_),
            ('state', '=', 'done'),
            ])
    if not imports:
        print(
            "There is no import %s that is done." % id_, file=sys.stderr)
        return 2
    import_, = imports
    import_.click('undo')
    import_.reload()
    if import_.state != 'undone':
        print("The import %s is being undone by the queue." % id_)
        return 0
    Row = Model.get('party.contact.import.row')
    kept = Row.find([
            ('contact_import', '=', id_),
            ('undone', '=', 'kept'),
            ])
    print("The import %s is undone." % id_)
    for row in kept:
        print("Line %s, %s, is kept because of: %s" % (
                row.line, row.name, row.kept))
    return 1 if kept else 0


def split_url(url, user):
    "Return the URL without user and password, the user and the password"
    parts = urlsplit(url)
    user = parts.username or user
    password = parts.password
    if password is None:
        if filename := os.environ.get('TRYTONPASSFILE'):
            with open(filename) as file:
                password, = file.read().splitlines()
        else:
            password = getpass("Password of %s: " % user)
    netloc = parts.netloc.rpartition('@')[2]
    path = parts.path.rstrip('/')
    if not path.endswith('/rpc'):
        path += '/rpc'
    return urlunsplit(
        parts._replace(netloc=netloc, path=f'{path}/')), user, password


def do_import(
        filename, business_unit=None, campaign=None, country=None,
        company=None, **options):
    if business_unit:
        options['business_unit'] = find_id(
            'sale.business_unit', business_unit)
    if campaign:
        options['campaign'] = find_id('sale.campaign', campaign)
    if country:
        options['country'] = find_id('country.country', country, 'code')
    if company:
        company = find_id('company.company', company, 'rec_name')
    result = import_contacts(
        filename, company=company or None, progress=True, **options)
    for name, (singular, plural) in COUNTS.items():
        if number := result[name]:
            print("%s %s" % (number, singular if number == 1 else plural))
    if result['batch'] is not None:
        print("Undo it with --undo %s" % result['batch'])
    if result['rejects']:
        print("Correct the rejected rows in %s and import it." % (
                result['rejects']))
        return 1
    return 0


def run():
    parser = ArgumentParser(
        description="Import customers and their persons to contact from a "
        "CSV or XLSX file. Running it again creates nothing twice.",
        epilog="The exit status is 0 when everything was imported, 1 when "
        "rows were rejected or kept by the undo and 2 when it could not be "
        "imported or undone.")
    parser.add_argument('filename', metavar='FILE', nargs='?')
    parser.add_argument('-d', '--database', dest='database')
    parser.add_argument('-c', '--config', dest='config_file',
        help='the trytond config file')
    parser.add_argument('--url',
        help='the URL of a server instead of a database, '
        'as https://USER@HOST/DATABASE/; the password is read from the file '
        'that TRYTONPASSFILE names or asked')
    parser.add_argument('-u', '--user', default='admin',
        help='the user who imports')
    parser.add_argument('--company',
        help='the name of the company (default: the one of the user)')
    parser.add_argument('--duplicates', choices=['skip', 'update', 'new'],
        default='skip',
        help='what to do with customers that exist already')
    parser.add_argument('--shared', choices=['new', 'reject'], default='new',
        help='what to do with customers whose phone number or e-mail is also '
        'of a customer with another name')
    parser.add_argument('--country',
        help='the code of the country of the rows without one')
    parser.add_argument('--trackings', action='store_true',
        help='create a tracking for each customer')
    parser.add_argument('--business-unit', dest='business_unit',
        help='the business unit of the trackings of the rows without one')
    parser.add_argument('--campaign',
        help='the campaign to which the customers are added')
    parser.add_argument('--start', type=int, default=0, metavar='ROWS',
        help='leave out the first rows, as an interrupted import tells')
    parser.add_argument('--dry-run', dest='dry_run', action='store_true',
        help='tell what would be done but do nothing')
    parser.add_argument('--mapping', metavar='NAME',
        help='the name of the mapping of the columns, as it was given in the '
        'client, instead of guessing them')
    parser.add_argument('--undo', type=int, metavar='BATCH',
        help='undo the import that has this number instead of importing')
    parser.add_argument('--rejects',
        help='the file to which the rejected rows are written')
    parser.add_argument('--chunk', type=int, default=1000,
        help='how many rows are sent at once')
    if argcomplete:
        argcomplete.autocomplete(parser)

    args = parser.parse_args()
    if not args.database and not args.url:
        parser.error("either a database or a URL is required")
    if bool(args.filename) == (args.undo is not None):
        parser.error("either a file or --undo is required")
    try:
        sys.exit(main(**vars(args)))
    except xmlrpc.client.Error as e:
        # Not the URL of the error, it may contain the password
        message = getattr(e, 'errmsg', getattr(e, 'faultString', e))
        print(message, file=sys.stderr)
        print_rest(args, e)
        sys.exit(2)
    except UserError as e:
        print(e.message, file=sys.stderr)
        print_rest(args, e)
        sys.exit(2)
    except RecordError as e:
        print(e, file=sys.stderr)
        sys.exit(2)
    except (FileError, MappingError, OSError) as e:
        print("%s: %s" % (args.filename, e), file=sys.stderr)
        print_rest(args, e)
        sys.exit(2)
    except KeyboardInterrupt as e:
        print(
            "Interrupted." if getattr(e, 'rows_done', 0)
            else "Interrupted before anything was imported.",
            file=sys.stderr)
        print_rest(args, e)
        sys.exit(130)


def print_rest(args, exception):
    "Print how to import the rows that are left"
    done = getattr(exception, 'rows_done', None)
    if args.dry_run or not done:
        return
    option = ''
    if args.duplicates == 'new':
        option = " with --start %s" % done
    print("Run it again%s to complete." % option, file=sys.stderr)


if __name__ == '__main__':
    run()
