# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import hashlib
import json
from itertools import islice

from trytond.i18n import gettext
from trytond.model import Model, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.tools import file_open
from trytond.transaction import Transaction, without_check_access
from trytond.wizard import (
    Button, StateAction, StateTransition, StateView, Wizard)

from .contact_import import OUTCOMES, OptionsMixin, open_file
from .exceptions import ContactImportError
from .file import get_letters
from .heading import MULTIPLE

_WAIT_SIZE = 1000
# How many rows of a kind the check shows
_SHOWN = 100


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
            Button("Back", 'start', 'tryton-back', validate=False),
            Button("Read Again", 'preview', 'tryton-refresh'),
            Button("Check", 'check', 'tryton-search'),
            Button("Import", 'import_', 'tryton-ok', default=True),
            ])
    check = StateView(
        'party.import_contacts.check',
        'sale_opportunity_management.import_contacts_check_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Back", 'preview', 'tryton-back', validate=False),
            Button("Import", 'import_', 'tryton-ok', default=True),
            ])
    import_ = StateTransition()
    open_ = StateAction('sale_opportunity_management.act_contact_import_form')

    def default_start(self, fields):
        values = {}
        for name in fields:
            value = getattr(self.start, name, None)
            if name != 'template' and value is not None:
                values[name] = value.id if isinstance(value, Model) else value
        return values

    def default_preview(self, fields):
        pool = Pool()
        ContactImport = pool.get('party.contact.import')
        Mapping = pool.get('party.contact.import.mapping')
        ContactImport._check_access({})
        file = self.start.file
        digest = hashlib.sha256(file).hexdigest()
        is_same = getattr(self.preview, 'digest', None) == digest
        options = self._get_options() if is_same else {}
        contacts = open_file(file, strict=False, **options)
        key = json.dumps([
                digest, contacts.headings, contacts.sheet,
                contacts.heading_line])
        if is_same and self.preview.key == key:
            chosen = [c.column for c in self.preview.columns]
            name = self.preview.name
        else:
            mapping = Mapping.find(contacts.headings)
            chosen, name = contacts.columns, None
            if mapping:
                chosen, name = mapping.get_columns(), mapping.name
        columns = []
        for i, heading in enumerate(contacts.headings):
            columns.append({
                    'heading': heading or get_letters(i),
                    'guess': contacts.columns[i],
                    'column': chosen[i] if i < len(chosen) else None,
                    'example': ' | '.join(
                        e[:50] for e in contacts.examples[i][:3]),
                    })
        return {
            'file_name': getattr(self.start, 'file_name', None),
            'digest': digest,
            'key': key,
            'name': name,
            'sheets': json.dumps(contacts.sheets),
            'sheet': contacts.sheet,
            'other_sheets': ', '.join(contacts.other_sheets),
            'heading_line': contacts.heading_line,
            'encoding': contacts.encoding,
            'delimiter': contacts.delimiter,
            'columns': columns,
            'size': sum(1 for _ in contacts.rows()),
            }

    def _get_options(self):
        return {
            name: getattr(self.preview, name, None)
            for name in ['sheet', 'heading_line', 'encoding', 'delimiter']}

    def default_check(self, fields):
        import_, contacts = self._get_import()
        counts, outcomes = import_.check(contacts)
        counts['trackings_created'] = counts.pop('trackings')

        def get_rows(outcomes):
            names = ['line', 'name', 'outcome', 'party', 'new', 'reason']
            return [
                {n: o[n] for n in names} for o in islice(outcomes, _SHOWN)]

        return {
            **counts,
            'size': import_.size,
            'rows': get_rows(outcomes),
            'duplicates': get_rows(
                o for o in outcomes
                if o['reason'] and o['outcome'] != 'rejected'),
            'rejects': get_rows(
                o for o in outcomes if o['outcome'] == 'rejected'),
            }

    def _get_import(self):
        "Return the import, that is not saved, and its file"
        pool = Pool()
        ContactImport = pool.get('party.contact.import')
        ContactImport._check_access({})
        columns = [c.column for c in self.preview.columns]
        contacts = open_file(
            self.start.file, columns=columns, **self._get_options())
        for column in filter(None, columns):
            if column not in MULTIPLE and columns.count(column) > 1:
                raise ContactImportError(gettext(
                        'sale_opportunity_management'
                        '.msg_contact_import_column_twice',
                        headings=', '.join(
                            c.heading for c in self.preview.columns
                            if c.column == column)))
        import_ = ContactImport(
            company=self.start.company,
            file=self.start.file,
            headings=json.dumps(contacts.headings),
            columns=json.dumps(contacts.columns),
            sheet=contacts.sheet,
            heading_line=contacts.heading_line,
            encoding=contacts.encoding,
            delimiter=contacts.delimiter,
            size=sum(1 for _ in contacts.rows()))
        for name in ['file_name', *ContactImport.option_names()]:
            setattr(import_, name, getattr(self.start, name, None))
        return import_, contacts

    @without_check_access
    def transition_import_(self):
        pool = Pool()
        ContactImport = pool.get('party.contact.import')
        Mapping = pool.get('party.contact.import.mapping')
        import_, contacts = self._get_import()
        columns = [c.column for c in self.preview.columns]
        with Transaction().set_context(company=import_.company.id):
            ContactImport._check_access(import_.options)
            name = getattr(self.preview, 'name', None)
            if name or columns != [c.guess for c in self.preview.columns]:
                Mapping.remember(contacts.headings, columns, name)
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


class ImportContactsStart(OptionsMixin, ModelView):
    __name__ = 'party.import_contacts.start'

    file = fields.Binary(
        "File", required=True, filename='file_name',
        help="A CSV file or a spreadsheet with headings.")
    template = fields.Binary(
        "Template", filename='template_name', readonly=True,
        help="A file with all the headings, to save and fill.")
    template_name = fields.Char("Template Name", readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.company.readonly = True

    @classmethod
    def default_template(cls):
        with file_open(
                'sale_opportunity_management/importing/contact_template.csv',
                mode='rb') as file:
            return file.read()

    @classmethod
    def default_template_name(cls):
        return 'contacts.csv'


class ImportContactsPreview(ModelView):
    __name__ = 'party.import_contacts.preview'

    file_name = fields.Char("File Name", readonly=True)
    digest = fields.Char("Digest", readonly=True)
    key = fields.Char("Key", readonly=True)
    name = fields.Char(
        "Name of the Mapping",
        help="What is chosen for the columns is remembered for the files "
        "with the same headings, by this name.")
    sheets = fields.Char("Sheets", readonly=True)
    sheet = fields.Selection(
        'get_sheets', "Sheet",
        states={
            'invisible': ~Eval('sheet'),
            })
    other_sheets = fields.Char(
        "Other Sheets", readonly=True,
        states={
            'invisible': ~Eval('other_sheets'),
            },
        help="The sheets with data that are not imported.")
    heading_line = fields.Integer(
        "Line of the Headings", required=True,
        domain=[
            ('heading_line', '>', 0),
            ])
    encoding = fields.Selection([
            (None, ""),
            ('utf-8', "UTF-8"),
            ('utf-16', "UTF-16"),
            ('utf-16-le', "UTF-16 (Little Endian)"),
            ('utf-16-be', "UTF-16 (Big Endian)"),
            ('cp1252', "Windows"),
            ('mac_roman', "Macintosh"),
            ('cp850', "DOS"),
            ], "Encoding", sort=False, translate=False,
        states={
            'invisible': Bool(Eval('sheet')),
            })
    delimiter = fields.Selection([
            (None, ""),
            (';', "Semicolon"),
            (',', "Comma"),
            ('\t', "Tabulator"),
            ('|', "Vertical Bar"),
            ], "Separator", sort=False,
        states={
            'invisible': Bool(Eval('sheet')),
            })
    columns = fields.One2Many(
        'party.import_contacts.column', None, "Columns",
        help="What is stored of each column, none of it to leave it out.")
    size = fields.Integer("Rows", readonly=True)
    contact_import = fields.Many2One(
        'party.contact.import', "Import", readonly=True)

    @fields.depends('sheets')
    def get_sheets(self):
        return [(None, "")] + [
            (name, name) for name in json.loads(self.sheets or '[]')]


class ImportContactsColumn(ModelView):
    __name__ = 'party.import_contacts.column'

    heading = fields.Char("Heading", readonly=True)
    column = fields.Selection([
            (None, "Not Imported"),
            ('name', "Name"),
            ('identifier_type', "Identifier Type"),
            ('identifier', "Identifier"),
            ('check_digit', "Check Digit"),
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
            ('first_name', "First Name"),
            ('last_name', "Last Name"),
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
            ], "Imported As", sort=False)
    guess = fields.Char("Guess", readonly=True)
    example = fields.Char("Example", readonly=True)

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(~Eval('column'), 'warning', '')),
            ]


class ImportContactsCheck(ModelView):
    __name__ = 'party.import_contacts.check'

    size = fields.Integer("Rows", readonly=True)
    created = fields.Integer("Customers Created", readonly=True)
    updated = fields.Integer("Customers Updated", readonly=True)
    persons = fields.Integer("Contacts Created", readonly=True)
    trackings_created = fields.Integer("Trackings Created", readonly=True)
    merged = fields.Integer("Rows Merged", readonly=True)
    matched = fields.Integer("Rows Matched", readonly=True)
    rejected = fields.Integer("Rows Rejected", readonly=True)
    rows = fields.One2Many(
        'party.import_contacts.check.row', None, "First Rows", readonly=True)
    duplicates = fields.One2Many(
        'party.import_contacts.check.row', None, "Duplicates", readonly=True,
        states={
            'invisible': ~Eval('duplicates'),
            },
        help="The first rows of customers who were found by what they have "
        "in common.")
    rejects = fields.One2Many(
        'party.import_contacts.check.row', None, "Rejected Rows",
        readonly=True,
        states={
            'invisible': ~Eval('rejected'),
            })


class ImportContactsCheckRow(ModelView):
    __name__ = 'party.import_contacts.check.row'

    line = fields.Integer("Line", readonly=True)
    name = fields.Char("Name", readonly=True)
    outcome = fields.Selection(OUTCOMES, "Outcome", readonly=True, sort=False)
    party = fields.Many2One('party.party', "Party", readonly=True)
    new = fields.Text("New", readonly=True)
    reason = fields.Text("Reason", readonly=True)
