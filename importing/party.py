# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from functools import lru_cache

import phonenumbers

from trytond import backend
from trytond.model import Index, convert_from, fields
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, check_access

from ..party import normalize_name


@lru_cache(maxsize=4096)
def parse_international(value):
    # The country does not matter for a number with international prefix
    try:
        number = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


class _BulkMixin:
    # Evaluating the domains of what is empty costs a third of an import
    __slots__ = ()

    @classmethod
    def _validate(cls, records, field_names=None):
        if (field_names is not None
                or not Transaction().context.get('_bulk')):
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
                # A value missing in the cache counts as filled and as empty
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


class Party(_BulkMixin, metaclass=PoolMeta):
    __name__ = 'party.party'

    name_compact = fields.Char(
        "Name Compact", readonly=True,
        help="The name as it is compared with others.")

    contact_import = fields.Function(
        fields.Many2One('party.contact.import', "Import"),
        'get_contact_import', searcher='search_contact_import')

    @classmethod
    def __setup__(cls):
        cls.name_compact.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(t, (t.name_compact, Index.Equality(cardinality='high'))))

    @classmethod
    def _name_forms(cls):
        return {**super()._name_forms(), 'name_compact': normalize_name}

    @classmethod
    def default_get(
            cls, fields_names=None, with_rec_name=True, with_default=True):
        values = super().default_get(
            fields_names=fields_names, with_rec_name=with_rec_name,
            with_default=with_default)
        if Transaction().context.get('_bulk'):
            # One by one they cost as much as all the rest
            values = {
                n: v for n, v in values.items()
                if not isinstance(cls._fields.get(n), fields.MultiValue)}
        return values

    @classmethod
    def get_contact_import(cls, parties, name):
        pool = Pool()
        Row = pool.get('party.contact.import.row')
        Tracking = pool.get('sale.tracking')
        imports = dict.fromkeys(map(int, parties))
        if Tracking.is_administrator():
            for row in Row.search([
                        ('party', 'in', list(imports)),
                        ], order=[('id', 'ASC')]):
                imports[row.party.id] = row.contact_import.id
        return imports

    @classmethod
    def search_contact_import(cls, name, clause):
        pool = Pool()
        Import = pool.get('party.contact.import')
        Row = pool.get('party.contact.import.row')
        row = Row.__table__()
        with check_access():
            imports = Import.search([], order=[], query=True)
        rows = Row.search([
                tuple(clause),
                ('contact_import', 'in', imports),
                ('party', '!=', None),
                ], order=[], query=True)
        return [('id', 'in', row.select(row.party, where=row.id.in_(rows)))]

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        if self.id is None:
            return values
        # Each change costs a second statement
        return {n: v for n, v in values.items() if getattr(self, n) != v}


class Address(_BulkMixin, metaclass=PoolMeta):
    __name__ = 'party.address'


class Contact(_BulkMixin, metaclass=PoolMeta):
    __name__ = 'party.contact'


class ContactMechanism(_BulkMixin, metaclass=PoolMeta):
    __name__ = 'party.contact_mechanism'

    @fields.depends()
    def _parse_phonenumber(self, value):
        if value and value.startswith('+'):
            return parse_international(value)
        return super()._parse_phonenumber(value)


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('party.contact.import.row', 'party'),
            ]


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        Party = pool.get('party.party')
        Reject = pool.get('party.contact.import.row')
        return super().to_erase(party_id) + [
            (Reject, [
                    ('id', 'in', Reject.find_about(Party(party_id))),
                    ], False,
                ['cells', 'reason', 'customer', 'name', 'new', 'records'],
                [None] * 6),
            ]
