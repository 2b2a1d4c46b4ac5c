# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import re
from collections import defaultdict
from difflib import SequenceMatcher
from itertools import combinations

from sql import Literal
from sql.aggregate import Count
from sql.conditionals import Coalesce
from sql.functions import Lower
from sql.operators import Mod

from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..importing.row import city_key, is_placeholder
from ..party import PHONE_TYPES

# What more parties have in common says nothing, as the number of a switchboard
LIMIT = 10
_VALUES = 1000
_NAME_LENGTH = 200
_KEY_LENGTH = _CODE_LENGTH = 5
_SIMILARITY = 0.7
_RATIO = 0.8
# How sure each match is
_WEIGHTS = {
    'identifier': 0.9,
    'phone': 0.5,
    'email': 0.6,
    'name': 0.7,
    }
_in = fields.SQL_OPERATORS['in']


def tells(value):
    "Return if having the value in common tells something"
    return not is_placeholder(value) and not re.search(r'(\d)\1{6,}', value)


def tells_code(code):
    return len(code) >= _CODE_LENGTH and tells(code)


class Finder:
    """Find the parties that may be the same as those with the ids

    Each pair is found by the party with the lower id.  Looking for similar
    names takes longest and is done only for what changed since the moment:
    known are pairs of ids that may have been found by them before."""

    def __init__(self, ids, known=(), since=None):
        self.ids = list(ids)
        self.known = known
        self.since = since

    def run(self):
        "Return the matches and the score by pair of ids"
        self.matches = defaultdict(set, {p: set() for p in self.known})
        self._find_identifiers()
        self._find_mechanisms()
        self._find_names()
        self._find_similar_names()
        self._load()
        rated = {}
        for pair, matches in self.matches.items():
            matches, score = self._rate(pair, matches)
            if matches:
                rated[pair] = (matches, score)
        return rated

    def _add(self, match, ids):
        mine = set(self.ids)
        for pair in combinations(sorted(ids), 2):
            if pair[0] in mine:
                self.matches[pair].add(match)

    def _find_identifiers(self):
        pool = Pool()
        Identifier = pool.get('party.identifier')
        table = Identifier.__table__()
        for _, ids in self._find_equal(
                table, table.party, table.code_compact,
                table.active == Literal(True), tells_code):
            self._add('identifier', ids)

    def _find_mechanisms(self):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        table = ContactMechanism.__table__()
        for value, ids in self._find_equal(
                table, table.party, Lower(table.value_compact),
                (table.active == Literal(True))
                & table.type.in_([*PHONE_TYPES, 'email']), tells):
            self._add('email' if '@' in value else 'phone', ids)

    def _find_names(self):
        pool = Pool()
        Party = pool.get('party.party')
        table = Party.__table__()
        for _, ids in self._find_equal(
                table, table.id, table.name_key, Literal(True),
                lambda key: len(key) >= _KEY_LENGTH):
            self._add('name', ids)

    def _find_equal(self, table, id_, key, where, tells):
        "Yield the values of the key and the ids of those that have it"
        pool = Pool()
        Party = pool.get('party.party')
        cursor = Transaction().connection.cursor()
        party = Party.__table__()
        from_ = table.join(party, condition=id_ == party.id)
        where &= party.active == Literal(True)
        cursor.execute(*from_.select(
                key, where=_in(id_, self.ids) & where, group_by=[key]))
        values = [v for v, in cursor if v and tells(v)]
        number = Count(id_, distinct=True)
        for sub_values in grouped_slice(values, _VALUES):
            cursor.execute(*from_.select(
                    key, where=_in(key, list(sub_values)) & where,
                    group_by=[key],
                    having=(number > 1) & (number <= LIMIT)))
            if not (shared := [v for v, in cursor]):
                continue
            cursor.execute(*from_.select(
                    key, id_, where=_in(key, shared) & where,
                    group_by=[key, id_]))
            groups = defaultdict(list)
            for value, party_id in cursor:
                groups[value].append(party_id)
            yield from groups.items()

    def _find_similar_names(self):
        pool = Pool()
        Party = pool.get('party.party')
        database = Transaction().database
        cursor = Transaction().connection.cursor()
        if not database.has_similarity():
            return
        party, other = Party.__table__(), Party.__table__()
        where = (_in(party.id, self.ids)
            & (party.active == Literal(True))
            & (other.active == Literal(True)))
        if self.since:
            where &= Coalesce(
                party.write_date, party.create_date) >= self.since
        cursor.execute(
            "SELECT set_config('pg_trgm.similarity_threshold', %s, true)",
            [str(_SIMILARITY)])
        # The operator is % as the one of the remainder
        cursor.execute(*party
            .join(other, condition=Mod(other.name_words, party.name_words)
                & (other.id != party.id))
            .select(party.id, other.id, where=where))
        similar = defaultdict(list)
        for party_id, other_id in cursor:
            similar[party_id].append(other_id)
        cities = self._get_cities({
                i for p, o in similar.items() for i in [p, *o]})
        for party_id, other_ids in similar.items():
            other_ids = [
                i for i in other_ids if cities[party_id] & cities[i]]
            if len(other_ids) < LIMIT:
                for other_id in other_ids:
                    self.matches[
                        tuple(sorted([party_id, other_id]))].add('name')

    def _get_cities(self, ids):
        pool = Pool()
        Address = pool.get('party.address')
        cursor = Transaction().connection.cursor()
        table = Address.__table__()
        cities = defaultdict(set)
        for sub_ids in grouped_slice(list(ids), _VALUES):
            cursor.execute(*table.select(
                    table.party, table.city,
                    where=_in(table.party, list(sub_ids))
                    & (table.active == Literal(True)) & (table.city != '')))
            for party_id, city in cursor:
                cities[party_id].add(city_key(city))
        return cities

    def _load(self):
        pool = Pool()
        Party = pool.get('party.party')
        types = Party.tax_identifier_types()
        ids = {i for p in self.matches for i in p}
        self.cities = self._get_cities(ids)
        self.names, self.codes = {}, {}
        for party in Party.browse(list(ids)):
            self.names[party.id] = [
                (n or '')[:_NAME_LENGTH]
                for n in [party.name_key, party.name_compact]]
            codes = self.codes[party.id] = defaultdict(set)
            for identifier in party.identifiers:
                if identifier.type in types:
                    codes[identifier.type].add(identifier.code_compact)

    def _rate(self, pair, matches):
        matches = set(matches)
        names, cities, codes = (
            [d[i] for i in pair]
            for d in [self.names, self.cities, self.codes])
        # The words in any order, or written together
        ratio = max(
            SequenceMatcher(None, *forms).ratio() if all(forms) else 0
            for forms in zip(*names))
        in_city = bool(cities[0] & cities[1])
        # Nothing says that they are of two cities
        anywhere = ratio == 1 and not all(cities)
        if ratio > _RATIO and (in_city or anywhere or matches - {'name'}):
            matches.add('name')
        else:
            matches.discard('name')
        differ = any(
            not codes[0][t] & codes[1][t]
            for t in codes[0].keys() & codes[1].keys())
        if differ and matches == {'name'}:
            matches.clear()
        doubt = 1
        for match in matches:
            weight = _WEIGHTS[match]
            if match == 'name':
                weight *= ratio if in_city else ratio / 2
            doubt *= 1 - weight
        score = 1 - doubt
        return matches, round(100 * (score / 2 if differ else score))
