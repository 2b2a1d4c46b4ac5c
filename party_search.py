# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import re
from difflib import SequenceMatcher

from sql import Null, Union
from sql.functions import Lower
from sql.operators import Concat, Mod

from trytond.model import Index, fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import escape_wildcard, likify, unescape_wildcard
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from .party import fold_name, normalize_name

# Nobody reads through more results of the search box
GLOBAL_LIMIT = 100
# Of longer names and texts the beginning is compared
_NAME_LENGTH = _TEXT_LENGTH = 200
_WORDS = 10
# A trigram is the least that an index finds inside of a word
_TRIGRAM = 3
_PART_LENGTH = 4
_SIMILARITY = 0.5
_RATIO = 0.8
# The clauses of core's search
_CLAUSES = {
    'code', 'identifiers.code', 'identifiers.code_compact', 'name',
    'contact_mechanisms.rec_name'}
_in = fields.SQL_OPERATORS['in']
_like = fields.SQL_OPERATORS['like']
_ilike = fields.SQL_OPERATORS['ilike']


def begins(text):
    return escape_wildcard(text) + '%'


def contains(text):
    return '%' + begins(text)


def fold_code(code):
    "Return the code without punctuation"
    return re.sub(r'[\W_]', '', code)


def is_similar(name, other):
    "Return whether the words of the names differ little, in any order"
    name, other = (' '.join(sorted(n.split())) for n in [name, other])
    return SequenceMatcher(None, name, other).ratio() > _RATIO


def match_words(column, text):
    """Return the SQL condition that the column has all the words of the text

    The column is of folded names. Words too short for the index are looked
    for only at the beginning of those of the column."""
    condition = None
    for word in text.split()[:_WORDS]:
        if len(word) < _TRIGRAM:
            clause = (
                _like(column, begins(word))
                | _like(column, '% ' + begins(word)))
        else:
            clause = _like(column, contains(word))
        condition = clause if condition is None else condition & clause
    return condition


class Party(metaclass=PoolMeta):
    __name__ = 'party.party'

    name_words = fields.Char(
        "Name Words", readonly=True,
        help="The name as it is searched, without accents and case.")

    @classmethod
    def __setup__(cls):
        cls.name_words.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.name_words, Index.Equality())),
                Index(t, (t.name_words, Index.Similarity())),
                })

    @classmethod
    def __register__(cls, module):
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        table_h = cls.__table_handler__(module)
        forms = {
            n: f for n, f in cls._name_forms().items()
            if not table_h.column_exist(n)}
        fill = table_h.column_exist('name') and forms

        super().__register__(module)

        if fill:
            columns = [getattr(table, n) for n in forms]
            cursor.execute(*table.select(
                    table.id, table.name, where=table.name != Null))
            for id_, name in cursor.fetchall():
                cursor.execute(*table.update(
                        columns, [f(name) or None for f in forms.values()],
                        where=table.id == id_))

    @classmethod
    def _name_forms(cls):
        "Return by field the function of what is stored of the name"
        return {'name_words': fold_name}

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        if field_names is None or 'name' in field_names:
            name = getattr(self, 'name', None)
            for field_name, form in self._name_forms().items():
                value = form(name) or None
                if getattr(self, field_name, None) != value:
                    values[field_name] = value
        return values

    @classmethod
    def search_rec_name(cls, name, clause):
        domain = super().search_rec_name(name, clause)
        _, operator, value, *_ = clause
        if (operator not in {'ilike', 'like', '='}
                or not isinstance(value, str)):
            return domain
        clauses, queries = domain[1:], []
        with inactive_records(), without_check_access():
            if operator == '=':
                code = fold_code(value)
                if re.search(r'\d', code):
                    clauses.append(('identifiers.code_compact', '=', code))
            elif queries := cls._search_text(value):
                clauses = [
                    c for c in clauses
                    if not isinstance(c[0], str) or c[0] not in _CLAUSES]
            queries += [
                cls.search([c], order=[], query=True) for c in clauses]
        return [('id', 'in', Union(*queries))]

    @classmethod
    def _search_text(cls, value):
        """Return the queries of the parties that have the text

        There is one for each index, of what such a text may be: a number, an
        e-mail, a code or words. Without letters and digits there is none."""
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        Identifier = pool.get('party.identifier')
        table = cls.__table__()
        mechanism = ContactMechanism.__table__()
        identifier = Identifier.__table__()

        def by_party(where):
            return table.select(table.id, where=where)

        def by_mechanism(where):
            return mechanism.select(mechanism.party, where=where)

        def by_identifier(where):
            return identifier.select(identifier.party, where=where)

        def pattern(form=str):
            return '%'.join(escape_wildcard(form(p)) for p in pieces)

        if '%' not in value and re.search(r'(?<!\\)_', value):
            # The clients take it for a pattern, but it is that of an e-mail
            value = f'%{value}%'
        pieces = [
            unescape_wildcard(p).strip()
            for p in re.split(r'(?<!\\)%', value[:_TEXT_LENGTH])]
        texts = list(filter(None, pieces))
        text = ' '.join(texts)
        words = fold_name(text)
        if not words:
            return []
        is_one = len(texts) == 1
        is_full = is_one and len(pieces) > 1 and not pieces[0] + pieces[-1]
        is_word = not any(re.search(r'\s', t) for t in texts)
        is_email = '@' in text
        number = ContactMechanism.compact_number(text) if is_one else None
        code = fold_code(text)
        if number and number.startswith('+'):
            return [
                by_mechanism(mechanism.value_compact == number),
                by_identifier(identifier.code_compact == code),
                by_party(table.code == code),
                by_party(table.name_words == words),
                ]
        if is_full:
            queries = [by_party(match_words(table.name_words, words))]
        else:
            queries = [by_party(_like(table.name_words, pattern(fold_name)))]
        if re.search(r'\d', code) and not is_email:
            if not is_full:
                match = pattern(fold_code)
            elif len(code) < _PART_LENGTH:
                match = begins(code)
            else:
                match = contains(code)
            queries.append(
                by_identifier(_ilike(identifier.code_compact, match)))
            if code != text:
                queries.append(by_identifier(_ilike(
                            identifier.code,
                            begins(text) if is_full else pattern())))
        if number or is_word and not is_email:
            queries.append(by_party(_ilike(
                        table.code, begins(text) if is_full else pattern())))
        if number:
            if len(number) < _PART_LENGTH:
                where = mechanism.value_compact == number
            else:
                where = _like(mechanism.value_compact, contains(number))
            queries.append(by_mechanism(where))
        elif is_word and len(text) >= _TRIGRAM:
            value = mechanism.value_compact
            where = _ilike(value, contains(text) if is_full else pattern())
            user, _, _ = text.partition('@')
            if is_full and is_email and len(user) >= _TRIGRAM:
                # Not by the index of the domain that many have
                where = (
                    _ilike(value, contains(user + '@'))
                    & _ilike(Concat(value, ''), contains(text)))
            queries.append(by_mechanism(where))
        return queries

    @classmethod
    def search_global(cls, text):
        for party in cls.search([
                    ('rec_name', 'ilike', likify(text)),
                    ], limit=GLOBAL_LIMIT):
            yield party, party.rec_name, 'tryton-party'

    @classmethod
    def search_similar(cls, name=None, codes=(), values=(), limit=20):
        """Return the parties that may be the same as the described one

        name is its name, codes its identifiers and values its phone numbers
        and e-mails, numbers in E.164.  The surest come first: same
        identifier, same contact mechanism, similar name.
        """
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        Identifier = pool.get('party.identifier')
        identifier = Identifier.__table__()
        mechanism = ContactMechanism.__table__()
        queries = []
        if codes := list(codes):
            columns = [identifier.code, identifier.code_compact]
            queries.append(Union(*(
                        identifier.select(
                            identifier.party, where=_in(c, codes))
                        for c in columns)))
        if values:
            # E-mails may differ in case
            key = Lower(mechanism.value_compact)
            queries.append(mechanism.select(
                    mechanism.party,
                    where=_in(key, [v.lower() for v in values])
                    & mechanism.active))
        parties = {}
        for query in queries:
            parties.update(dict.fromkeys(
                    cls.search([('id', 'in', query)], limit=limit)))
        name = (name or '')[:_NAME_LENGTH]
        if normal := normalize_name(name):
            for party in cls._search_similar_name(name, normal, limit * 5):
                other = normalize_name((party.name or '')[:_NAME_LENGTH])
                if (normal in other or other in normal
                        or is_similar(normal, other)):
                    parties[party] = None
        return list(parties)[:limit]

    @classmethod
    def _search_similar_name(cls, name, normal, limit):
        database = Transaction().database
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        words = sorted(normal.split(), key=len, reverse=True)[:2]
        conditions = [match_words(table.name_words, ' '.join(words))]
        if database.has_similarity():
            cursor.execute(
                "SELECT set_config("
                "'pg_trgm.similarity_threshold', %s, true)",
                [str(_SIMILARITY)])
            # The operator is % as the one of the remainder
            conditions.append(Mod(table.name_words, fold_name(name)))
        parties = []
        for condition in conditions:
            parties += cls.search([
                    ('id', 'in', table.select(table.id, where=condition)),
                    ], limit=limit)
        return parties


class Identifier(metaclass=PoolMeta):
    __name__ = 'party.identifier'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.code, Index.Equality(cardinality='high'))),
                Index(t, (t.code_compact, Index.Equality(cardinality='high'))),
                Index(t, (t.code_compact, Index.Similarity())),
                })


class ContactMechanism(metaclass=PoolMeta):
    __name__ = 'party.contact_mechanism'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.value_compact, Index.Equality())),
                Index(t, (t.value_compact, Index.Similarity())),
                Index(
                    t,
                    (Lower(t.value_compact),
                        Index.Equality(cardinality='high'))),
                })

    @classmethod
    def search_rec_name(cls, name, clause):
        domain = super().search_rec_name(name, clause)
        _, operator, value = clause
        if (operator in {'ilike', 'like', '='}
                and isinstance(value, str)
                and re.fullmatch(r'[%\d\s()+./-]+', value)):
            if number := cls.compact_phone(value):
                domain.append(('value_compact', '=', number))
            elif len(digits := re.sub(r'\D', '', value)) > 3:
                domain.append(('value_compact', 'ilike', f'%{digits}%'))
        return domain
