# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import gc
import io
import json
import os
import re
from contextlib import contextmanager
from functools import lru_cache

import phonenumbers
from phonenumbers import national_significant_number
from sql import Null
from sql.functions import Lower

from trytond import backend
from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, convert_from, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval, If
from trytond.rpc import RPC
from trytond.transaction import (
    Transaction, check_access, inactive_records, without_check_access)
from trytond.wizard import (
    Button, StateAction, StateTransition, StateView, Wizard)

from .contact_file import ContactFile, FileError, Rejects, get_label
from .contact_importer import COUNTS, ImportConcurrencyError, Importer
from .exceptions import ContactImportError
from .party import normalize_name

# Up to how many rows the user waits for
_WAIT_SIZE = 1000
DUPLICATES = [
    ('skip', "Skip"),
    ('update', "Update"),
    ('new', "Create"),
    ]


@contextmanager
def _without_gc():
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _open(data):
    try:
        return ContactFile(io.BytesIO(data))
    except FileError as e:
        raise ContactImportError(gettext(
                f'sale_opportunity_management.{e.name}',
                **e.variables)) from e


@lru_cache(maxsize=4096)
def _parse_international(value):
    # The country does not matter for a number with international prefix
    try:
        number = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def _compact(text):
    return re.sub(r'[\W_]', '', text or '').upper()


class _ValidateMixin:
    __slots__ = ()

    @classmethod
    def _validate(cls, records, field_names=None):
        if (field_names is not None
                or not Transaction().context.get('_validate_filled')):
            super()._validate(records, field_names=field_names)
            return
        names = cls._get_filled(records)
        super()._validate(records, field_names=names)
        cls.validate_fields(records, cls._fields.keys() - names)

    @classmethod
    def _get_filled(cls, records):
        """Return the names of the fields of new records that can be invalid

        A field that is empty in all of them is valid unless it is required,
        and one that is filled in all of them unless there is something to
        check its value by.
        """
        cls._load(records)
        values = [r._cache[r.id] for r in records]
        names = set()
        for name, field in cls._fields.items():
            if isinstance(field, fields.Function):
                continue
            elif 'required' in field.states:
                is_checked = True
            elif field._type in {'one2many', 'many2many'}:
                # Nothing refers yet to a new record
                is_checked = name in cls._defaults
            elif field.loading != 'eager':
                is_checked = field.required or cls._has_check(field)
            else:
                # What is not in the cache is taken for filled and empty
                filled = [getattr(v, name, '') for v in values]
                is_checked = (
                    cls._has_check(field)
                    and any(v is not None for v in filled)
                    or field.required and not all(filled))
            if is_checked:
                names.add(name)
        return names

    @classmethod
    def _load(cls, records):
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        table = cls.__table__()
        tables = {None: (table, None)}
        names, columns = [], []
        for name, field in cls._fields.items():
            if (field.loading != 'eager'
                    or name == 'id'
                    or hasattr(field, 'get')
                    or getattr(field, 'translate', False)
                    or not field.sql_type()):
                continue
            column = field.sql_column(tables, cls).as_(name)
            if backend.name == 'sqlite':
                # It converts by the name
                column.output_name += f' [{field.sql_type().base}]'
            names.append(name)
            columns.append(column)
        query = convert_from(None, tables).select(
            table.id, *columns,
            where=fields.SQL_OPERATORS['in'](
                table.id, [r.id for r in records]))
        cursor.execute(*query)
        cache = records[0]._cache
        for id_, *row in cursor.fetchall():
            cache[id_]._update(zip(names, row))

    @classmethod
    def _has_check(cls, field):
        return (
            field.domain
            or field._type in {'datetime', 'time'}
            or getattr(field, 'size', None) is not None
            or any(
                getattr(field, name, None)
                for name in ['selection', 'digits', 'forbidden_chars']))


class Party(_ValidateMixin, metaclass=PoolMeta):
    __name__ = 'party.party'

    name_compact = fields.Char(
        "Name Compact", readonly=True,
        help="The name as it is compared with others.")

    @classmethod
    def __setup__(cls):
        cls.name_compact.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(t, (t.name_compact, Index.Equality(cardinality='high'))))

    @classmethod
    def __register__(cls, module):
        cursor = Transaction().connection.cursor()
        table_h = cls.__table_handler__(module)
        fill = (
            table_h.column_exist('name')
            and not table_h.column_exist('name_compact'))

        super().__register__(module)

        if fill:
            # The parties that exist before the module is activated
            table = cls.__table__()
            cursor.execute(*table.select(
                    table.id, table.name, where=table.name != Null))
            for id_, name in cursor.fetchall():
                if name := normalize_name(name):
                    cursor.execute(*table.update(
                            [table.name_compact], [name],
                            where=table.id == id_))

    @classmethod
    def default_get(
            cls, fields_names=None, with_rec_name=True, with_default=True):
        values = super().default_get(
            fields_names=fields_names, with_rec_name=with_rec_name,
            with_default=with_default)
        if not Transaction().context.get('_multivalue_defaults', True):
            values = {
                n: v for n, v in values.items()
                if not isinstance(cls._fields.get(n), fields.MultiValue)}
        return values

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        if field_names is None or 'name' in field_names:
            values['name_compact'] = normalize_name(self.name) or None
        if self.id is None:
            return values
        # What is stored already needs no second statement
        return {n: v for n, v in values.items() if getattr(self, n) != v}


class Address(_ValidateMixin, metaclass=PoolMeta):
    __name__ = 'party.address'


class Contact(_ValidateMixin, metaclass=PoolMeta):
    __name__ = 'party.contact'


class Identifier(metaclass=PoolMeta):
    __name__ = 'party.identifier'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(t, (t.code_compact, Index.Equality(cardinality='high'))))


class ContactMechanism(_ValidateMixin, metaclass=PoolMeta):
    __name__ = 'party.contact_mechanism'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t,
                (Lower(t.value_compact), Index.Equality(cardinality='high'))))

    @fields.depends()
    def _parse_phonenumber(self, value):
        if value and value.startswith('+'):
            return _parse_international(value)
        return super()._parse_phonenumber(value)


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        Party = pool.get('party.party')
        Reject = pool.get('party.contact.import.reject')
        return super().to_erase(party_id) + [
            (Party, [('id', '=', party_id)], True, ['name_compact'], [None]),
            (Reject, [
                    ('id', 'in', Reject.find_about(Party(party_id))),
                    ], False,
                ['cells', 'reason', 'customer'], [None] * 3),
            ]


class _Options:
    __slots__ = ()

    company = fields.Many2One('company.company', "Company", required=True)
    file_name = fields.Char("File Name")
    duplicates = fields.Selection(
        DUPLICATES, "Existing Customers", required=True, sort=False,
        help="What to do with customers that exist already.\n"
        "Skip leaves them as they are.\n"
        "Update adds what they lack but changes nothing.\n"
        "Create makes them a second time.")
    country = fields.Many2One(
        'country.country', "Country",
        help="The country of the rows without one.")
    campaign = fields.Many2One(
        'sale.campaign', "Campaign",
        domain=[
            ('company', '=', Eval('company', -1)),
            ('state', '!=', 'done'),
            ],
        help="The campaign to which the customers are added, but for those "
        "that are in it and those that must not be called.")
    trackings = fields.Boolean(
        "Create Trackings",
        states={
            'invisible': Bool(Eval('campaign')),
            },
        help="Check to create a tracking for each customer that has no open "
        "one of the business unit.")
    business_unit = fields.Many2One(
        'sale.business_unit', "Business Unit",
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        states={
            'invisible': ~Eval('trackings') | Bool(Eval('campaign')),
            },
        help="The business unit of the rows without one.")

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_duplicates(cls):
        return 'skip'

    @property
    def options(self):
        return {
            'duplicates': self.duplicates,
            'country': self.country.id if self.country else None,
            'campaign': self.campaign.id if self.campaign else None,
            'trackings': self.trackings,
            'business_unit': (
                self.business_unit.id if self.business_unit else None),
            }


class ContactImport(_Options, ModelSQL, ModelView):
    __name__ = 'party.contact.import'
    _rec_name = 'file_name'

    user = fields.Many2One(
        'res.user', "User", required=True, ondelete='CASCADE')
    file = fields.Binary(
        "File", filename='file_name',
        help="The imported file, it is removed once it is done.")
    headings = fields.Text("Headings")
    size = fields.Integer("Rows")
    position = fields.Integer("Rows Done")
    progress = fields.Function(
        fields.Float("Progress", digits=(1, 4)), 'on_change_with_progress')
    created = fields.Integer("Customers Created")
    updated = fields.Integer("Customers Updated")
    persons = fields.Integer("Contacts Created")
    trackings_created = fields.Integer("Trackings Created")
    skipped = fields.Integer("Rows Skipped")
    rejected = fields.Integer("Rows Rejected")
    rejects = fields.One2Many(
        'party.contact.import.reject', 'contact_import', "Rejected Rows",
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
                    'invisible': Eval('state') == 'done',
                    'depends': ['state'],
                    },
                })
        cls.__rpc__.update({
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
    default_skipped = default_rejected = default_position

    @fields.depends('size', 'position', 'state')
    def on_change_with_progress(self, name=None):
        if self.state == 'done' or not self.size:
            return 1.0 if self.state == 'done' else 0.0
        return round((self.position or 0) / self.size, 4)

    @fields.depends('file_name')
    def on_change_with_rejects_name(self, name=None):
        return os.path.splitext(self.file_name or '')[0] + '.rejects.csv'

    def get_rejects_file(self, name):
        if not self.rejects:
            return None
        file = io.StringIO(newline='')
        rejects = Rejects(file, json.loads(self.headings))
        for reject in self.rejects:
            if not reject.cells:
                # It was about a party that is erased
                continue
            rejects.write(
                json.loads(reject.cells), reject.line,
                json.loads(reject.columns), reject.reason, reject.customer)
        data = file.getvalue().encode('utf-8-sig')
        if Transaction().context.get(f'{self.__name__}.{name}') == 'size':
            return len(data)
        return data

    @classmethod
    @ModelView.button
    def resume(cls, imports):
        "Go on with imports that were interrupted"
        cls.__queue__.process([i for i in imports if i.state != 'done'])

    @classmethod
    def process(cls, imports):
        "Import the files chunk by chunk, each one in a transaction"
        for import_ in imports:
            import_.run(commit=True)

    def run(self, commit=False):
        """Import the rows that were not yet

        When commit is set, each chunk is a transaction."""
        transaction = Transaction()
        language = self.user.language.code if self.user.language else None
        with transaction.set_context(
                company=self.company.id, language=language):
            position = 0
            for rows in _open(self.file).chunks() if self.file else []:
                position += len(rows)
                if position <= self.position:
                    continue
                with _without_gc():
                    while True:
                        try:
                            if not self._import_chunk(rows, position):
                                # It runs already somewhere else
                                return
                        except ImportConcurrencyError:
                            if not commit:
                                raise
                            # Only this chunk begins again
                            transaction.rollback()
                            continue
                        break
                    if commit:
                        transaction.commit()
            self._end()

    def _import_chunk(self, rows, position):
        pool = Pool()
        Reject = pool.get('party.contact.import.reject')
        transaction = Transaction()
        import_ = self.__class__(self.id)
        transaction.database.lock_records(
            transaction.connection, self._table, [self.id])
        if import_.position != self.position:
            return False
        result = self.import_rows(ContactFile.to_import(rows), self.options)
        cells = {line: c for line, c, _, _ in rows}
        headings = json.loads(self.headings)
        with without_check_access():
            Reject.create([{
                        'contact_import': self.id,
                        'line': r['line'],
                        'columns': json.dumps(r['fields']),
                        'field': get_label(headings, r['fields']),
                        'reason': r['reason'],
                        'customer': r['customer'],
                        'cells': json.dumps(
                            [c[:1000] for c in cells[r['line']]]),
                        } for r in result['rejects']])
            for name in COUNTS:
                field = 'trackings_created' if name == 'trackings' else name
                setattr(
                    self, field, (getattr(self, field) or 0) + result[name])
            self.position = position
            self.state = 'running'
            self.save()
        return True

    @without_check_access
    def _end(self):
        self.state = 'done'
        # What was imported is not kept a second time
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
        contact_file.COLUMNS, with the number of the line as 'line' and what
        the reader of the file found wrong as 'errors' (see
        contact_file.ContactFile.rows).

        options is a dictionary of:

        - duplicates: what is done with customers that exist already: 'skip'
          (default), 'update' to add what they lack or 'new' to create them
          again,
        - country: the id of the country of the rows without one (default: the
          company's),
        - campaign: the id of the one to which the customers are added,
        - trackings: whether customers get a tracking,
        - business_unit: the id of the one of the trackings of the rows
          without one,
        - dry_run: whether nothing is kept.

        Return a dictionary with the numbers of customers 'created' and
        'updated', of rows 'skipped' and 'rejected', of 'persons' and
        'trackings' created and as 'rejects' a list of dictionaries of 'line',
        'fields' (names of columns), 'reason' and 'customer' (the code to which
        the corrected row is added).
        """
        cls._check_access(options)
        if gc.isenabled():
            # The records are released by the end of the transaction
            gc.disable()
            Transaction().atexit(gc.enable)
        with check_access():
            return Importer(rows, options or {}).run()

    @classmethod
    def _check_access(cls, options):
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Campaign = pool.get('sale.campaign')
        Tracking = pool.get('sale.tracking')
        User = pool.get('res.user')
        context = Transaction().context
        if (not Tracking.is_administrator()
                or context.get('company') is None
                or (Transaction().user
                    and context['company'] not in User.get_companies())):
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_contact_import_denied'))
        unit = (options or {}).get('business_unit')
        if unit is not None and not BusinessUnit.search([
                    ('id', '=', unit),
                    ('company', 'in', [context['company'], None]),
                    ]):
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_contact_import_denied'))
        campaign = (options or {}).get('campaign')
        if campaign is not None and not Campaign.search([
                    ('id', '=', campaign),
                    ('company', '=', context['company']),
                    ('state', '!=', 'done'),
                    ]):
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_contact_import_denied'))


class ContactImportReject(ModelSQL, ModelView):
    __name__ = 'party.contact.import.reject'

    contact_import = fields.Many2One(
        'party.contact.import', "Import", required=True, ondelete='CASCADE',
        readonly=True)
    line = fields.Integer("Line", readonly=True)
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
            if number := _parse_international(mechanism.value_compact or ''):
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
                table.id, table.customer, table.cells,
                where=table.cells != Null))
        return [
            id_ for id_, customer, cells in cursor
            if (customer and customer == party.code)
            or any(map(is_about, json.loads(cells)))]


class ImportContacts(Wizard):
    __name__ = 'party.import_contacts'

    start = StateView(
        'party.import_contacts.start',
        'sale_opportunity_management.import_contacts_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Preview", 'preview', 'tryton-forward', default=True),
            ])
    preview = StateView(
        'party.import_contacts.preview',
        'sale_opportunity_management.import_contacts_preview_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Back", 'start', 'tryton-back'),
            Button("Import", 'import_', 'tryton-ok', default=True),
            ])
    import_ = StateTransition()
    open_ = StateAction('sale_opportunity_management.act_contact_import_form')

    def default_preview(self, fields):
        contacts = _open(self.start.file)
        columns, first = [], next(iter(contacts), None)
        for i, heading in enumerate(contacts.headings):
            columns.append({
                    'heading': heading,
                    'column': contacts.columns[i],
                    'example': (
                        first[1][i][:100]
                        if first and i < len(first[1]) else None),
                    })
        return {
            'columns': columns,
            'size': sum(1 for _ in contacts.rows()),
            }

    @without_check_access
    def transition_import_(self):
        pool = Pool()
        ContactImport = pool.get('party.contact.import')
        contacts = _open(self.start.file)
        import_ = ContactImport(
            company=self.start.company,
            file=self.start.file,
            headings=json.dumps(contacts.headings),
            size=sum(1 for _ in contacts.rows()))
        for name in [
                'file_name', 'duplicates', 'country', 'campaign', 'trackings',
                'business_unit']:
            setattr(import_, name, getattr(self.start, name, None))
        with Transaction().set_context(company=import_.company.id):
            ContactImport._check_access(import_.options)
        import_.save()
        if import_.size > _WAIT_SIZE:
            ContactImport.__queue__.process([import_])
        else:
            import_.run()
        self.preview.contact_import = import_
        return 'open_'

    def do_open_(self, action):
        action['views'].reverse()
        return action, {'res_id': self.preview.contact_import.id}


class ImportContactsStart(_Options, ModelView):
    __name__ = 'party.import_contacts.start'

    file = fields.Binary(
        "File", required=True, filename='file_name',
        help="A CSV or XLSX file with headings.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.company.readonly = True


class ImportContactsPreview(ModelView):
    __name__ = 'party.import_contacts.preview'

    columns = fields.One2Many(
        'party.import_contacts.column', None, "Columns", readonly=True)
    size = fields.Integer("Rows", readonly=True)
    contact_import = fields.Many2One(
        'party.contact.import', "Import", readonly=True)


class ImportContactsColumn(ModelView):
    __name__ = 'party.import_contacts.column'

    heading = fields.Char("Heading", readonly=True)
    column = fields.Selection([
            (None, "Not Imported"),
            ('name', "Name"),
            ('identifier_type', "Identifier Type"),
            ('identifier', "Identifier"),
            ('street', "Street"),
            ('postal_code', "Postal Code"),
            ('city', "City"),
            ('subdivision', "Subdivision"),
            ('country', "Country"),
            ('phone', "Phone"),
            ('mobile', "Mobile"),
            ('email', "E-Mail"),
            ('website', "Website"),
            ('contact_name', "Contact"),
            ('job_title', "Job Title"),
            ('contact_phone', "Contact Phone"),
            ('contact_mobile', "Contact Mobile"),
            ('contact_email', "Contact E-Mail"),
            ('business_unit', "Business Unit"),
            ('channel', "Channel"),
            ('operator', "Operator"),
            ('rating', "Rating"),
            ('comment', "Comment"),
            ('customer', "Customer Code"),
            ('line', "Line of the Rejects"),
            ('field', "Field of the Rejects"),
            ('reason', "Reason of the Rejects"),
            ], "Imported As", sort=False, readonly=True)
    example = fields.Char("Example", readonly=True)

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(~Eval('column'), 'warning', '')),
            ]
