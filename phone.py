# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from sql import Null, Union

from trytond.model import ModelSQL, fields
from trytond.pool import Pool

from .party import PHONE_TYPES


def match_number(column, number):
    "Return the SQL condition that the column has the compact number"
    if number.startswith('+'):
        return column == number
    return column.like(f'%{number}%')


class PhoneMixin(ModelSQL):

    phone = fields.Function(
        fields.Char(
            "Phone",
            help="The number to call."),
        'on_change_with_phone', searcher='search_phone')

    @fields.depends('party')
    def on_change_with_phone(self, name=None):
        if self.party:
            mechanism = self.party.contact_mechanism_get(set(PHONE_TYPES))
            return mechanism.value if mechanism else None

    @classmethod
    def search_phone(cls, name, clause):
        _, operator, value = clause
        values = value if isinstance(value, (list, tuple)) else [value]
        queries = [q for v in values for q in cls._phone_queries(v)]
        if operator in {'!=', 'not in', 'not like', 'not ilike'}:
            return [('id', 'not in', q) for q in queries]
        if not queries:
            return [('id', '=', None)]
        return [('id', 'in', Union(*queries))]

    @classmethod
    def _phone_queries(cls, value):
        """Return the queries of the records with the number, in any form

        There is one for each index."""
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        table = cls.__table__()
        mechanism = ContactMechanism.__table__()
        if value is None:
            return [table.select(table.id, where=cls._without_phone(table))]
        number = ContactMechanism.compact_number(value.strip('%'))
        if not number:
            return []
        parties = mechanism.select(
            mechanism.party,
            where=mechanism.type.in_(PHONE_TYPES)
            & (mechanism.party != Null)
            & match_number(mechanism.value_compact, number))
        return [table.select(table.id, where=table.party.in_(parties))]

    @classmethod
    def _without_phone(cls, table):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        mechanism = ContactMechanism.__table__()
        return (table.party == Null) | ~table.party.in_(mechanism.select(
                mechanism.party,
                where=mechanism.type.in_(PHONE_TYPES)
                & (mechanism.party != Null)))


class PhoneNumberMixin(ModelSQL):
    phone_number = fields.Char("Phone Number")
    phone_compact = fields.Char("Phone Compact", readonly=True)

    @fields.depends('phone_number')
    def on_change_with_phone(self, name=None):
        return self.phone_number or super().on_change_with_phone(name=name)

    @classmethod
    def _phone_queries(cls, value):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        table = cls.__table__()
        if value is None:
            return [table.select(
                    table.id,
                    where=(table.phone_compact == Null)
                    & cls._without_phone(table))]
        queries = super()._phone_queries(value)
        if number := ContactMechanism.compact_number(value.strip('%')):
            queries.append(table.select(
                    table.id,
                    where=match_number(table.phone_compact, number)))
        return queries
