# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from functools import lru_cache

import phonenumbers
from sql import Null
from sql.functions import Lower

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.rpc import RPC
from trytond.transaction import Transaction, check_access

from .contact_importer import Importer
from .party import normalize_name


@lru_cache(maxsize=4096)
def _parse_international(value):
    # The country does not matter for a number with international prefix
    try:
        number = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


class Party(metaclass=PoolMeta):
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

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        if field_names is None or 'name' in field_names:
            values['name_compact'] = normalize_name(self.name) or None
        # What is stored already needs no second statement
        return {
            n: v for n, v in values.items() if getattr(self, n, None) != v}


class Identifier(metaclass=PoolMeta):
    __name__ = 'party.identifier'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(t, (t.code_compact, Index.Equality(cardinality='high'))))


class ContactMechanism(metaclass=PoolMeta):
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
        return super().to_erase(party_id) + [
            (Party, [('id', '=', party_id)], True, ['name_compact'], [None]),
            ]


class ContactImport(ModelSQL, ModelView):
    __name__ = 'party.contact.import'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__rpc__.update({
                'import_rows': RPC(readonly=False),
                })

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
        with check_access():
            return Importer(rows, options or {}).run()

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
        unit = (options or {}).get('business_unit')
        if unit is not None and not BusinessUnit.search([
                    ('id', '=', unit),
                    ('company', 'in', [context['company'], None]),
                    ]):
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_contact_import_denied'))
