# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import gc
import io
import json
import os
import re
import sys
from contextlib import contextmanager

from phonenumbers import national_significant_number
from sql import Null
from sql.functions import CurrentTimestamp

from trytond.i18n import gettext
from trytond.model import Index, Model, ModelSQL, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.rpc import RPC
from trytond.tools import grouped_slice
from trytond.transaction import (
    Transaction, check_access, inactive_records, without_check_access)

from ..party import normalize_name
from .exceptions import ContactImportError, FileError
from .file import ContactFile, Rejects, get_rejects_encoding
from .heading import get_columns, get_label
from .importer import COUNTS, ImportConcurrencyError, Importer
from .party import parse_international
from .undo import Undo

DUPLICATES = [
    ('skip', "Skip"),
    ('update', "Update"),
    ('new', "Create"),
    ]
OUTCOMES = [
    ('created', "Created"),
    ('merged', "Merged"),
    ('updated', "Updated"),
    ('matched', "Matched"),
    ('rejected', "Rejected"),
    ]
SHARED = [
    ('new', "Create"),
    ('reject', "Reject"),
    ]

# After how long without a chunk the worker of an import is taken for dead
_DEAD = dt.timedelta(minutes=15)


@contextmanager
def _without_gc():
    # Its passes over all the objects of the pool cost a quarter of an import
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def open_file(data, **options):
    try:
        return ContactFile(io.BytesIO(data), **options)
    except FileError as e:
        raise ContactImportError(gettext(
                f'sale_opportunity_management.{e.name}',
                **e.variables)) from e


# Checking what was used costs the same for one as for many
_UNDO = 200


def _compact(text):
    return re.sub(r'[\W_]', '', text or '').upper()


class OptionsMixin:
    __slots__ = ()

    company = fields.Many2One('company.company', "Company", required=True)
    file_name = fields.Char("File Name")
    duplicates = fields.Selection(
        DUPLICATES, "Existing Customers", required=True, sort=False,
        help="What to do with customers that exist already.\n"
        "Skip leaves them as they are.\n"
        "Update adds what they lack but changes nothing.\n"
        "Create makes them a second time.")
    shared = fields.Selection(
        SHARED, "Shared Numbers", required=True, sort=False,
        help="What to do with customers whose phone number or e-mail is also "
        "of a customer with another name.")
    country = fields.Many2One(
        'country.country', "Country",
        help="The country of the rows without one.")
    trackings = fields.Boolean(
        "Create Trackings",
        help="Check to create a tracking for each customer that has no open "
        "one of the business unit.")
    business_unit = fields.Many2One(
        'sale.business_unit', "Business Unit",
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        states={
            'invisible': ~Eval('trackings'),
            },
        help="The business unit of the rows without one.")

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_duplicates(cls):
        return 'skip'

    @classmethod
    def default_shared(cls):
        return 'new'

    @classmethod
    def option_names(cls):
        return [
            'duplicates', 'shared', 'country', 'trackings', 'business_unit']

    @property
    def options(self):
        options = {}
        for name in self.option_names():
            value = getattr(self, name, None)
            options[name] = value.id if isinstance(value, Model) else value
        return options


class ContactImport(OptionsMixin, ModelSQL, ModelView):
    __name__ = 'party.contact.import'
    _rec_name = 'file_name'

    user = fields.Many2One(
        'res.user', "User", required=True, ondelete='CASCADE')
    file = fields.Binary(
        "File", filename='file_name',
        help="The imported file, it is removed once it is done.")
    headings = fields.Text("Headings")
    columns = fields.Text("Columns")
    sheet = fields.Char("Sheet")
    heading_line = fields.Integer("Line of the Headings")
    encoding = fields.Char("Encoding")
    delimiter = fields.Char("Separator", strip=False)
    size = fields.Integer("Rows")
    position = fields.Integer("Rows Done")
    progress = fields.Function(
        fields.Float("Progress", digits=(1, 4)), 'on_change_with_progress')
    created = fields.Integer("Customers Created")
    updated = fields.Integer("Customers Updated")
    persons = fields.Integer("Contacts Created")
    trackings_created = fields.Integer("Trackings Created")
    merged = fields.Integer(
        "Rows Merged",
        help="The rows of customers of whom another row told before.")
    matched = fields.Integer(
        "Rows Matched",
        help="The rows of existing customers to whom nothing was added.")
    rejected = fields.Integer("Rows Rejected")
    rejects = fields.One2Many(
        'party.contact.import.row', 'contact_import', "Rejected Rows",
        filter=[
            ('outcome', '=', 'rejected'),
            ],
        states={
            'invisible': ~Eval('rejected'),
            })
    rejects_file = fields.Function(
        fields.Binary(
            "Rejects File", filename='rejects_name',
            states={
                'invisible': ~Eval('rejected'),
                },
            help="The rejected rows with the reasons, "
            "to be corrected and imported."),
        'get_rejects_file')
    rejects_name = fields.Function(
        fields.Char("Rejects File Name"), 'on_change_with_rejects_name')
    state = fields.Selection([
            ('waiting', "Waiting"),
            ('running', "Running"),
            ('done', "Done"),
            ('undoing', "Being Undone"),
            ('undone', "Undone"),
            ], "State", required=True, sort=False)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t,
                (t.company, Index.Equality(cardinality='low')),
                (t.id, Index.Range(order='DESC'))))
        cls._order = [('id', 'DESC')]
        cls._buttons.update({
                'resume': {
                    'invisible': Eval('state').in_(['done', 'undone']),
                    'depends': ['state'],
                    },
                'undo': {
                    'invisible': Eval('state') != 'done',
                    'depends': ['state'],
                    },
                })
        cls.__rpc__.update({
                'begin': RPC(readonly=False),
                'end': RPC(readonly=False),
                'import_rows': RPC(readonly=False),
                })

    @classmethod
    def default_user(cls):
        return Transaction().user

    @classmethod
    def default_state(cls):
        return 'waiting'

    @classmethod
    def default_position(cls):
        return 0

    default_created = default_updated = default_position
    default_persons = default_trackings_created = default_position
    default_merged = default_matched = default_position
    default_rejected = default_position

    @fields.depends('size', 'position', 'state')
    def on_change_with_progress(self, name=None):
        if self.state == 'done' or not self.size:
            return 1.0 if self.state == 'done' else 0.0
        return round((self.position or 0) / self.size, 4)

    @fields.depends('file_name')
    def on_change_with_rejects_name(self, name=None):
        return os.path.splitext(self.file_name or '')[0] + '.rejects.csv'

    def _get_columns(self):
        return json.loads(self.columns) if self.columns else None

    def _open_file(self):
        return open_file(
            self.file, columns=self._get_columns(), sheet=self.sheet,
            heading_line=self.heading_line, encoding=self.encoding,
            delimiter=self.delimiter)

    def get_rejects_file(self, name):
        if not self.rejects:
            return None
        file = io.StringIO(newline='')
        rejects = Rejects(
            file, json.loads(self.headings), self._get_columns(),
            self.delimiter)
        for reject in self.rejects:
            if not reject.cells:
                continue
            rejects.write(
                json.loads(reject.cells), reject.line,
                json.loads(reject.columns), reject.reason, reject.customer)
        data = file.getvalue().encode(
            get_rejects_encoding(self.encoding), errors='backslashreplace')
        if Transaction().context.get(f'{self.__name__}.{name}') == 'size':
            return len(data)
        return data

    def check(self, contacts):
        """Return the counts and the outcomes of the rows of the file

        It is imported at once, as rows must know those before, and nothing
        is kept."""
        rows = next(contacts.chunks(sys.maxsize), [])
        options = self.options
        with Transaction().set_context(company=self.company.id):
            self._check_access(options)
            with check_access(), _without_gc():
                importer = Importer(
                    contacts.to_import(rows), {**options, 'dry_run': True})
                counts = importer.run()
                del counts['rejects']
                return counts, sorted(
                    importer.outcomes(), key=lambda o: o['line'])

    @classmethod
    @ModelView.button
    def resume(cls, imports):
        "Go on with imports that were interrupted"
        cls.__queue__.process([
                i for i in imports if i.state in {'waiting', 'running'}])
        cls.__queue__.process_undo([
                i for i in imports if i.state == 'undoing'])

    @classmethod
    def resume_dead(cls):
        """Go on with the imports whose worker died

        It is called by the cron task."""
        domain = [
            ['OR',
                [
                    ('state', 'in', ['waiting', 'running']),
                    ('file', '!=', None),
                    ],
                ('state', '=', 'undoing'),
                ],
            ('last_modified_at', '<', dt.datetime.now() - _DEAD),
            ]
        if (company := Transaction().context.get('company')) is not None:
            domain.append(('company', '=', company))
        cls.resume(cls.search(domain, order=[('id', 'ASC')]))

    @classmethod
    @ModelView.button
    @without_check_access
    def undo(cls, imports):
        "Undo what the imports made but for what was used since"
        imports = [i for i in imports if i.state == 'done']
        cls.write(imports, {'state': 'undoing'})
        cls.__queue__.process_undo(imports)

    @classmethod
    def undo_ignored(cls):
        "Return the models that refer to records without using them"
        return {'party.contact.import.row', 'ir.model.log'}

    @classmethod
    @without_check_access
    def process_undo(cls, imports):
        "Undo the imports chunk by chunk, each one in a transaction"
        transaction = Transaction()
        for import_ in imports:
            if import_.state != 'undoing':
                continue
            with import_._as_user():
                while import_._undo_chunk():
                    transaction.commit()
                cls.write([import_], {'state': 'undone'})

    def _undo_chunk(self):
        pool = Pool()
        Row = pool.get('party.contact.import.row')
        transaction = Transaction()
        transaction.database.lock_records(
            transaction.connection, self._table, [self.id])
        rows = Row.search([
                ('contact_import', '=', self.id),
                ('records', '!=', None),
                ('undone', '=', None),
                ], order=[('id', 'DESC')], limit=_UNDO)
        with transaction.set_context(_skip_warnings=True):
            kept = Undo(rows).run()
        Row.write(
            [r for r in rows if r not in kept], {'undone': 'undone'},
            *(x for r, k in kept.items()
                for x in ([r], {'undone': 'kept', 'kept': k})))
        return bool(rows)

    @contextmanager
    def _as_user(self):
        pool = Pool()
        User = pool.get('res.user')
        transaction = Transaction()
        context = {}
        if transaction.user != self.user.id:
            with transaction.set_user(self.user.id):
                context = User.get_preferences(context_only=True)
        with transaction.set_user(self.user.id), \
                transaction.set_context(context, company=self.company.id), \
                self.user.set_language():
            yield

    @classmethod
    def process(cls, imports):
        "Import the files chunk by chunk, each one in a transaction"
        for import_ in imports:
            import_.run(commit=True)

    def run(self, commit=False):
        """Import the rows that were not yet

        When commit is set, each chunk is a transaction."""
        transaction = Transaction()
        with self._as_user():
            position = 0
            contacts = self._open_file() if self.file else None
            for rows in contacts.chunks() if contacts else []:
                position += len(rows)
                if position <= self.position:
                    continue
                while True:
                    try:
                        if not self._import_chunk(contacts, rows, position):
                            return
                    except ImportConcurrencyError:
                        if not commit:
                            raise
                        transaction.rollback()
                        continue
                    break
                if commit:
                    transaction.commit()
            self._end()

    def _import_chunk(self, contacts, rows, position):
        transaction = Transaction()
        import_ = self.__class__(self.id)
        transaction.database.lock_records(
            transaction.connection, self._table, [self.id])
        if import_.position != self.position:
            return False
        result = self._import_rows(
            contacts.to_import(rows), self.options,
            {line: c for line, c, _, _ in rows})
        self._add_result(result, position)
        return True

    @without_check_access
    def _add_result(self, result, position):
        for name in COUNTS:
            field = 'trackings_created' if name == 'trackings' else name
            setattr(self, field, (getattr(self, field) or 0) + result[name])
        self.position = position
        self.state = 'running'
        self.save()

    def _import_rows(self, rows, options, cells=None):
        pool = Pool()
        Row = pool.get('party.contact.import.row')
        self._check_access(options)
        with check_access(), _without_gc():
            importer = Importer(rows, options)
            result = importer.run()
            Row.record(self, importer.outcomes(), result['rejects'], cells)
        return result

    @without_check_access
    def _end(self):
        self.state = 'done'
        self.file = None
        self.save()
        self.__class__.notify_user(
            [self], 'tryton-sale-tracking', gettext(
                'sale_opportunity_management.msg_contact_import_done',
                file=self.file_name or '', created=self.created,
                rejected=self.rejected), user=self.user)

    @classmethod
    def import_rows(cls, rows, options=None):
        """Import rows of contacts into the company of the context

        rows is a list of dictionaries of texts by the names of
        heading.COLUMNS, with the number of the line as 'line' and what
        the reader of the file found wrong as 'errors' (see
        file.ContactFile.rows).

        options is a dictionary of:

        - duplicates: what is done with customers that exist already: 'skip'
          (default), 'update' to add what they lack or 'new' to create them
          again,
        - country: the id of the country of the rows without one (default: the
          company's),
        - trackings: whether customers get a tracking,
        - business_unit: the id of the one of the trackings of the rows
          without one,
        - shared: what is done with those whose phone number or e-mail is of
          one with another name: 'new' (default) or 'reject',
        - dry_run: whether nothing is kept,
        - contact_import: the id of what begin returned, to which the
          outcomes of the rows are added.

        Return a dictionary with the numbers of rows that were 'created',
        'merged' into the customer of another row, 'updated', 'matched' with
        an existing customer and 'rejected', of 'persons' and 'trackings'
        created and as 'rejects' a list of dictionaries of 'line',
        'fields' (names of columns), 'reason' and 'customer' (the code to which
        the corrected row is added).
        """
        options = options or {}
        cls._check_access(options)
        if (id_ := options.get('contact_import')) is not None:
            import_ = cls._get_open(id_)
            result = import_._import_rows(rows, options)
            if not options.get('dry_run'):
                import_._add_result(result, import_.position + len(rows))
            return result
        with check_access(), _without_gc():
            return Importer(rows, options).run()

    @classmethod
    def begin(cls, values):
        """Return the id of a new import for the rows of a file

        values is a dictionary of the file_name, the headings and columns as
        lists, the size and the options of import_rows."""
        cls._check_access(values)
        import_ = cls(
            company=Transaction().context['company'],
            file_name=values.get('file_name'),
            headings=json.dumps(values.get('headings', [])),
            columns=json.dumps(values.get('columns', [])),
            size=values.get('size'))
        for name in cls.option_names():
            if values.get(name) is not None:
                setattr(import_, name, values[name])
        with without_check_access():
            import_.save()
        return import_.id

    @classmethod
    def end(cls, id_):
        "End the import of which all rows were imported"
        cls._check_access({})
        import_ = cls._get_open(id_)
        with without_check_access():
            import_.state = 'done'
            import_.save()

    @classmethod
    def _get_open(cls, id_):
        imports = cls.search([
                ('id', '=', id_),
                ('company', '=', Transaction().context['company']),
                ('user', '=', Transaction().user),
                ('state', '!=', 'done'),
                ])
        if not imports:
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_contact_import_denied'))
        return imports[0]

    @classmethod
    def _check_access(cls, options):
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Tracking = pool.get('sale.tracking')
        User = pool.get('res.user')
        context = Transaction().context
        if (not Tracking.is_administrator()
                or context.get('company') is None
                or (Transaction().user
                    and context['company'] not in User.get_companies())):
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_contact_import_denied'))
        unit = options.get('business_unit')
        if unit is not None and not BusinessUnit.search([
                    ('id', '=', unit),
                    ('company', 'in', [context['company'], None]),
                    ]):
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_contact_import_denied'))

    @classmethod
    def _get_business_unit(cls, options):
        "Return the id of the business unit of all trackings, whatever a row"

    @classmethod
    def _prepare_trackings(cls, trackings, options):
        "Return the values of the trackings that are created"
        return trackings


class ContactImportRow(ModelSQL, ModelView):
    __name__ = 'party.contact.import.row'

    contact_import = fields.Many2One(
        'party.contact.import', "Import", required=True, ondelete='CASCADE',
        readonly=True)
    line = fields.Integer("Line", readonly=True)
    name = fields.Char("Name", readonly=True)
    outcome = fields.Selection(
        OUTCOMES, "Outcome", required=True, readonly=True, sort=False)
    party = fields.Many2One(
        'party.party', "Party", ondelete='SET NULL', readonly=True,
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    company = fields.Function(
        fields.Many2One('company.company', "Company"),
        'on_change_with_company')
    new = fields.Text(
        "New", readonly=True,
        help="What of the row was not known of the customer.")
    records = fields.Text("Records", readonly=True)
    undone = fields.Selection([
            (None, ""),
            ('undone', "Undone"),
            ('kept', "Kept"),
            ], "Undone", readonly=True, sort=False)
    kept = fields.Char(
        "Kept Because Of", readonly=True,
        help="What was changed or used since the import.")
    field = fields.Char("Field", readonly=True)
    columns = fields.Char("Columns", readonly=True)
    reason = fields.Text("Reason", readonly=True)
    customer = fields.Char(
        "Customer Code", readonly=True,
        help="The code of the customer to whom the corrected row is added.")
    cells = fields.Text("Cells", readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('contact_import')
        cls._order = [('line', 'ASC'), ('id', 'ASC')]

    @fields.depends(
        'contact_import', '_parent_contact_import.company')
    def on_change_with_company(self, name=None):
        return self.contact_import.company if self.contact_import else None

    @classmethod
    def record(cls, import_, outcomes, rejects, cells=None):
        """Record what became of the rows of an import

        They are too many for more than a statement."""
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        table = cls.__table__()
        names = [
            'line', 'name', 'outcome', 'party', 'reason', 'new', 'customer',
            'records']
        headings = json.loads(import_.headings or '[]')
        by_line = {r['line']: r for r in rejects}
        columns = [
            getattr(table, n) for n in [
                'contact_import', *names, 'columns', 'field', 'cells',
                'create_uid', 'create_date']]
        for sub_outcomes in grouped_slice(outcomes, 500):
            values = []
            for outcome in sub_outcomes:
                reject = by_line.get(outcome['line'])
                values.append([
                        import_.id,
                        *(outcome[n] for n in names),
                        json.dumps(reject['fields']) if reject else None,
                        get_label(
                            headings,
                            import_._get_columns() or get_columns(headings),
                            reject['fields']) if reject else None,
                        json.dumps(cells[outcome['line']])
                        if reject and cells else None,
                        transaction.user,
                        CurrentTimestamp(),
                        ])
            cursor.execute(*table.insert(columns, values))

    @classmethod
    @inactive_records
    def find_about(cls, party):
        "Return the ids of the rows that tell of the party"
        pool = Pool()
        Contact = pool.get('party.contact')
        ContactMechanism = pool.get('party.contact_mechanism')
        Identifier = pool.get('party.identifier')
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        domain = [('party', '=', party.id)]
        names = {normalize_name(n) for n in [
                party.name, *(c.name for c in Contact.search(domain))]}
        names = {f' {n} ' for n in names if n}
        numbers, codes = set(), set()
        for mechanism in ContactMechanism.search(domain):
            if number := parse_international(mechanism.value_compact or ''):
                numbers.add(national_significant_number(number))
            else:
                codes.add(_compact(mechanism.value))
        codes.update(_compact(i.code) for i in Identifier.search(domain))
        codes.discard('')

        def is_about(cell):
            name = f' {normalize_name(cell)} '
            digits = re.sub(r'\D', '', cell)
            code = _compact(cell)
            return (
                any(n in name for n in names)
                or any(n in digits for n in numbers)
                or any(c in code for c in codes))

        cursor.execute(*table.select(
                table.id, table.customer, table.cells, table.party,
                table.name,
                where=(table.cells != Null) | (table.name != Null)))
        return [
            id_ for id_, customer, cells, party_, name in cursor
            if party_ == party.id
            or (customer and customer == party.code)
            or not party_ and any(map(
                    is_about, [*json.loads(cells or '[]'), name or '']))]
