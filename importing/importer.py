# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import json
from collections import defaultdict

from sql.functions import Lower

from trytond import backend
from trytond.exceptions import UserError, UserWarning
from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import (
    Transaction, TransactionError, inactive_records, without_check_access)

from ..party import PHONE_TYPES, normalize_name
from ..savepoint import savepoint
from .row import RowReader, city_key

_ADDRESS = [
    'street_unstructured', 'postal_code', 'city', 'country', 'subdivision']
_STREET = [
    'street_unstructured', 'street_name', 'building_name', 'building_number',
    'unit_number', 'floor_number', 'room_number', 'post_box', 'private_bag',
    'post_office']
OUTCOMES = ['created', 'merged', 'updated', 'matched', 'rejected']
COUNTS = [*OUTCOMES, 'persons', 'trackings']
_REFUSALS = (
    UserError, UserWarning, backend.DatabaseIntegrityError,
    backend.DatabaseDataError)
# The asserts of browse cost the square of the number of records
_SLICE = 200 if __debug__ else 1000
_in = fields.SQL_OPERATORS['in']


class ImportConcurrencyError(TransactionError):
    "Another import ended since the transaction began"


class Importer:
    """Store rows as customers, their persons and their trackings

    See party.contact.import's import_rows for the parameters."""

    def __init__(self, rows, options):
        self.options = options
        self.duplicates = options.get('duplicates') or 'skip'
        self.shared = options.get('shared') or 'new'
        self.reader = RowReader(options)
        self.rows = rows
        self.counts = dict.fromkeys(COUNTS, 0)
        self.rejects = []
        self.read = []
        self.created = {}

    def run(self):
        with savepoint(keep=not self.options.get('dry_run')):
            if not self.options.get('dry_run'):
                self._lock()
            rows, refused = [], []
            for values in self.rows:
                row = self.reader.read(values)
                self.read.append(row)
                if row.errors:
                    refused.append(row)
                else:
                    rows.append(row)
            rows = self._check_customers(rows)
            with Transaction().set_context(_skip_warnings=True, _bulk=True):
                for sub_rows in grouped_slice(rows, _SLICE):
                    self._store(list(sub_rows))
            for row in refused:
                self._reject(
                    row, list(row.errors), '\n'.join(row.errors.values()))
            self._set_rejects_customer()
            for row in self.read:
                self.counts[row.outcome] += 1
        return {**self.counts, 'rejects': self.rejects}

    @without_check_access
    def outcomes(self):
        "Return what became of the rows, as values of their records"
        is_kept = not self.options.get('dry_run')
        customers = {
            r['line']: r['customer'] for r in self.rejects if r['customer']}
        return [{
                'line': row.line,
                'name': row.name,
                'outcome': row.outcome,
                'party': (
                    row.party.id if row.party and (
                        is_kept or not row.party.created) else None),
                'reason': row.reason,
                'new': '\n'.join(row.new) or None,
                'customer': customers.get(row.line),
                'records': (
                    json.dumps(row.records) if row.records and is_kept
                    else None),
                } for row in self.read]

    def _lock(self):
        """Wait until no other import is in the middle of its rows

        A transaction does not see the customers that another one created
        since it began, so it must begin again."""
        pool = Pool()
        Model = pool.get('ir.model')
        table = Model.__table__()
        cursor = Transaction().connection.cursor()
        try:
            # Only what is changed tells that another one had it
            cursor.execute(*table.update(
                    [table.info], [table.info],
                    where=table.name == 'party.contact.import'))
        except backend.DatabaseOperationalError as e:
            raise ImportConcurrencyError() from e

    @without_check_access
    @inactive_records
    def _check_customers(self, rows):
        "Reject the rows of customers that do not exist and return the others"
        pool = Pool()
        Party = pool.get('party.party')
        codes = {r.customer for r in rows if r.customer}
        if codes:
            codes = {
                p.code for p in Party.search([('code', 'in', list(codes))])}
        kept = []
        for row in rows:
            if row.customer and row.customer not in codes:
                self._reject(row, ['customer'], gettext(
                        'sale_opportunity_management'
                        '.msg_contact_import_customer', value=row.customer))
            else:
                kept.append(row)
        return kept

    def _store(self, rows):
        "Store the rows, those that are refused by halving them"
        if not rows:
            return
        counts, created = self.counts.copy(), self.created.copy()
        try:
            with savepoint():
                self._save(self._plan(rows))
            return
        except _REFUSALS as e:
            self.counts, self.created = counts, created
            if len(rows) == 1:
                row, = rows
                self._reject(row, [], str(getattr(e, 'message', e)))
                return
        middle = len(rows) // 2
        self._store(rows[:middle])
        self._store(rows[middle:])

    def _reject(self, row, names, reason):
        row.outcome, row.reason = 'rejected', reason
        row.party, row.new, row.records = None, [], []
        self.rejects.append({
                'line': row.line,
                'fields': [n for n in names if n],
                'reason': reason,
                'customer': row.customer or None,
                'row': row,
                })

    @without_check_access
    def _set_rejects_customer(self):
        "Set the customer to which the row is added once it is corrected"
        pool = Pool()
        Party = pool.get('party.party')
        for reject in self.rejects:
            row = reject.pop('row')
            if reject['customer'] or self.options.get('dry_run'):
                continue
            for customer in self.created.values():
                if customer.is_named(row) and not customer.is_other(row):
                    reject['customer'] = Party(customer.id).code
                    break

    def _plan(self, rows):
        "Return the customers to save with what the rows tell of them"
        self._find_customers(rows)
        customers = {}
        for row in rows:
            row.records = []
            customer, row.reason = self._match(row)
            if (customer and not row.customer and not customer.created
                    and self.duplicates == 'new'):
                customer = None
            if not customer:
                row.reason = self._get_shared(row)
                if row.reason and self.shared == 'reject':
                    self._reject(row, row.key_columns, row.reason)
                    continue
                customer = _Customer()
            row.party = customer
            is_stored = (
                customer.created or row.customer
                or self.duplicates == 'update' and customer.active)
            (customer.rows if is_stored else customer.seen).append(row)
            customers[id(customer)] = customer
            if is_stored:
                self._register(customer, row)
        customers = list(customers.values())
        self._load([c for c in customers if c.id is not None])
        for customer in customers:
            for row in customer.rows:
                row.new = self._merge(customer, row)
                if customer.created:
                    row.outcome = 'merged' if customer.is_told else 'created'
                    customer.is_told = True
                elif not row.new:
                    row.outcome = 'matched'
                else:
                    row.outcome = 'merged' if customer.is_told else 'updated'
                    customer.is_told = True
            for row in customer.seen:
                row.outcome = 'matched'
                if not customer.rows:
                    row.new = self._merge(customer, row)
        return [c for c in customers if c.rows]

    def _match(self, row):
        "Return the customer of the row and the reason"
        if row.customer:
            return self._by_code.get(row.customer), _why(
                'customer', value=row.customer)
        if row.identifier:
            candidates = self._by_identifier[row.identifier[2]]
            if candidates:
                return min(candidates, key=_rank), _why(
                    'identifier', value=row.identifier[1])
        candidates = [
            (c, k) for k in sorted(row.keys) for c in self._by_key[k]
            if row.key in c.names and not c.is_other(row)]
        if candidates:
            # A number in common does not make companies the same
            customer, key = min(
                candidates,
                key=lambda c: (not c[0].is_named(row), _rank(c[0])))
            return customer, _why('key', value=key)
        candidates = [
            c for c in self._by_name[row.key]
            if c.is_named(row) and not c.is_other(row)
            and not c.is_homonym(row)]
        if candidates:
            return min(candidates, key=_rank), _why('name')
        return None, None

    @without_check_access
    def _get_shared(self, row):
        "Return who else has a phone number or e-mail of the row"
        pool = Pool()
        Party = pool.get('party.party')
        for key in sorted(row.keys):
            for customer in self._by_key[key]:
                if customer.rows:
                    name = customer.rows[0].name
                elif customer.id is not None:
                    name = Party(customer.id).rec_name
                else:
                    continue
                return _why('shared', value=key, customer=name)

    def _register(self, customer, row):
        if row.identifier:
            type_, _, compact = row.identifier
            customer.types.setdefault(type_, compact)
            self._by_identifier[compact].append(customer)
        for key in row.keys:
            self._by_key[key].append(customer)
        customer.keys |= row.keys
        customer.has_persons |= bool(row.person)
        customer.names.add(row.key)
        if row.city_key:
            customer.cities.add(row.city_key)
        self._by_name[row.key].append(customer)

    @without_check_access
    def _find_customers(self, rows):
        "Find the existing customers that the rows may be"
        pool = Pool()
        Address = pool.get('party.address')
        ContactMechanism = pool.get('party.contact_mechanism')
        Identifier = pool.get('party.identifier')
        Party = pool.get('party.party')
        address = Address.__table__()
        identifier = Identifier.__table__()
        mechanism = ContactMechanism.__table__()
        party = Party.__table__()
        cursor = Transaction().connection.cursor()
        self._by_code = {}
        self._by_identifier = defaultdict(list)
        self._by_key = defaultdict(list)
        self._by_name = defaultdict(list)
        found = defaultdict(lambda: defaultdict(list))

        def find(name, values, columns, where):
            for sub_values in grouped_slice(sorted(values), 1000):
                query = columns[0].table.select(
                    *columns, where=_in(where, list(sub_values)))
                cursor.execute(*query)
                for id_, value in cursor:
                    found[id_][name].append(value)

        if codes := {r.customer for r in rows if r.customer}:
            find('code', codes, [party.id, party.code], party.code)
        if codes := {r.identifier[2] for r in rows if r.identifier}:
            find(
                'identifier', codes,
                [identifier.party, identifier.code_compact],
                identifier.code_compact)
        if keys := {k for r in rows for k in r.keys}:
            key = Lower(mechanism.value_compact)
            for sub_keys in grouped_slice(sorted(keys), 1000):
                cursor.execute(*mechanism.select(
                        mechanism.party, key,
                        where=_in(key, list(sub_keys)) & mechanism.active))
                for id_, value in cursor:
                    found[id_]['key'].append(value)
        if names := {r.key for r in rows if r.key}:
            find(
                'name', names, [party.id, party.name_compact],
                party.name_compact)
        if self.duplicates == 'new':
            codes = {r.customer for r in rows if r.customer}
            for id_ in list(found):
                if (id_ not in self.created
                        and not codes.intersection(found[id_]['code'])):
                    del found[id_]
        parties, kept = {}, {}
        for sub_ids in grouped_slice(list(found), 1000):
            sub_ids = list(sub_ids)
            cursor.execute(*party.select(
                    party.id, party.name_compact, party.active,
                    party.replaced_by, where=_in(party.id, sub_ids)))
            for id_, name, active, replaced_by in cursor:
                customer = kept.setdefault(
                    replaced_by or id_, _Customer(replaced_by or id_))
                customer.active |= active or bool(replaced_by)
                if created := self.created.get(id_):
                    customer.created = customer.is_told = True
                    customer.keys |= created.keys
                    customer.has_persons |= created.has_persons
                customer.names.add(name)
                parties[id_] = customer
            cursor.execute(*identifier.select(
                    identifier.party, identifier.type,
                    identifier.code_compact,
                    where=_in(identifier.party, sub_ids)))
            for id_, type_, compact in cursor:
                parties[id_].types.setdefault(type_, compact)
                parties[id_].stored_types.add(type_)
            cursor.execute(*address.select(
                    address.party, address.city,
                    where=_in(address.party, sub_ids) & address.active))
            for id_, city in cursor:
                if city:
                    parties[id_].cities.add(city_key(city))
        for id_, values in found.items():
            customer = parties[id_]
            for code in values['code']:
                self._by_code[code] = customer
            for code in values['identifier']:
                self._by_identifier[code].append(customer)
            for key in values['key']:
                self._by_key[key].append(customer)
            for name in values['name']:
                self._by_name[name].append(customer)

    @without_check_access
    @inactive_records
    def _load(self, customers):
        "Load what the existing customers have already"
        pool = Pool()
        Address = pool.get('party.address')
        Contact = pool.get('party.contact')
        ContactMechanism = pool.get('party.contact_mechanism')
        Tracking = pool.get('sale.tracking')
        Typification = pool.get('party.typification')
        address = Address.__table__()
        contact = Contact.__table__()
        mechanism = ContactMechanism.__table__()
        tracking = Tracking.__table__()
        typification = Typification.__table__()
        company = self.reader.company.id
        cursor = Transaction().connection.cursor()
        by_id = {c.id: c for c in customers}
        names = ['id', *dict.fromkeys(_ADDRESS + _STREET)]
        for sub_ids in grouped_slice(list(by_id), 1000):
            sub_ids = list(sub_ids)
            cursor.execute(*address.select(
                    address.party, *(getattr(address, n) for n in names),
                    where=_in(address.party, sub_ids),
                    order_by=[address.active.asc, address.id.desc]))
            for id_, *values in cursor:
                by_id[id_].stored_address = dict(zip(names, values))
            cursor.execute(*mechanism.select(
                    mechanism.party, mechanism.id, mechanism.contact,
                    mechanism.type, mechanism.value, mechanism.value_compact,
                    mechanism.active,
                    where=_in(mechanism.party, sub_ids),
                    order_by=mechanism.id))
            for id_, mechanism_, contact_, type_, value, compact, active in (
                    cursor):
                customer = by_id[id_]
                customer.mechanisms.add((compact or value or '').lower())
                if not customer.phone and active and type_ in PHONE_TYPES:
                    customer.phone = (mechanism_, contact_)
            cursor.execute(*contact.select(
                    contact.party, contact.id, contact.name,
                    contact.job_title,
                    where=_in(contact.party, sub_ids),
                    order_by=contact.id.desc))
            for id_, *values in cursor:
                person = _Person(*values)
                by_id[id_].persons[normalize_name(person.name)] = person
            cursor.execute(*typification.select(
                    typification.party, typification.id, typification.rating,
                    typification.rating_comment,
                    where=_in(typification.party, sub_ids)
                    & (typification.company == company)))
            for id_, *values in cursor:
                by_id[id_].typification = values
            cursor.execute(*tracking.select(
                    tracking.party, tracking.business_unit,
                    where=_in(tracking.party, sub_ids)
                    & (tracking.company == company)
                    & (tracking.state == 'open')))
            for id_, unit in cursor:
                by_id[id_].trackings.add(unit)

    def _merge(self, customer, row):
        """Add to the customer what it lacks of what the row says

        Return what that is, as texts."""
        new = []
        customer.name = customer.name or row.name
        if row.identifier and row.identifier[0] not in customer.stored_types:
            customer.stored_types.add(row.identifier[0])
            customer.new_identifiers.append(row.identifier)
            new.append(row.identifier[1])
        new += self._merge_address(customer, row)
        new += self._merge_mechanisms(customer, row.mechanisms)
        if row.person:
            key = normalize_name(row.person)
            if not (person := customer.persons.get(key)):
                person = _Person(None, row.person, row.job_title)
                customer.persons[key] = person
                customer.new_persons.append(person)
                new.append(row.person)
            elif row.job_title and not person.job_title:
                person.job_title = row.job_title
                if person.id is not None:
                    customer.changed_persons.append(person)
                new.append(row.job_title)
            new += self._merge_mechanisms(
                customer, row.person_mechanisms, person)
        _, rating, comment = customer.typification or (None, None, None)
        if row.rating and not rating and not customer.rating:
            customer.rating = row.rating
            new.append('★' * int(row.rating))
        if (row.comment and not comment
                and row.comment not in customer.comments):
            customer.comments.append(row.comment)
            new.append(row.comment)
        if (row.business_unit is not None
                and row.business_unit not in customer.trackings):
            customer.trackings.add(row.business_unit)
            customer.new_trackings.append(row)
            new.append(self.reader.get_unit_name(row.business_unit))
        return new

    def _merge_address(self, customer, row):
        values = {n: v for n, v in row.address.items() if v}
        if customer.id is not None and values.keys() <= {'country'}:
            return []
        stored = customer.stored_address or {}
        current = {**stored, **customer.address}
        if current.get('city') and values.get('city') and (
                city_key(current['city']) != row.city_key):
            return []
        if current.get('country') and (
                current['country'] != values.get('country')):
            return []
        if any(current.get(n) for n in _STREET):
            values.pop('street_unstructured', None)
        values = {n: v for n, v in values.items() if not current.get(n)}
        customer.address.update(values)
        return [v for v in values.values() if isinstance(v, str)]

    def _merge_mechanisms(self, customer, mechanisms, person=None):
        new = []
        for type_, value, compact in mechanisms:
            key = compact.lower()
            if key not in customer.mechanisms:
                customer.mechanisms.add(key)
                customer.new_mechanisms.append((person, type_, value, compact))
                new.append(value)
        return new

    def _save(self, customers):
        self._save_parties([c for c in customers if c.id is None])
        customers = [c for c in customers if c.changed]
        if not customers:
            return
        self._save_addresses(customers)
        self._save_identifiers(customers)
        self._save_persons(customers)
        self._save_mechanisms(customers)
        self._save_typifications(customers)
        self._save_trackings(customers)

    def _save_parties(self, customers):
        pool = Pool()
        Party = pool.get('party.party')
        if not customers:
            return
        if sequence := Party._code_sequence():
            codes = sequence.get_many(len(customers))
        else:
            codes = [None] * len(customers)
        to_create = []
        for customer, code in zip(customers, codes):
            party = Party(name=customer.name, code=code)
            to_create.append({
                    'name': customer.name,
                    'code': code,
                    'addresses': None,
                    # So that no second write computes them
                    **party.compute_fields(),
                    })
        parties = Party.create(to_create)
        for customer, party in zip(customers, parties):
            customer.id = party.id
            self.created[party.id] = customer
            customer.add_record(party)
        self._save_defaults(parties)

    @without_check_access
    def _save_defaults(self, parties):
        "Save the values by company that a party has by default"
        pool = Pool()
        Party = pool.get('party.party')
        with Transaction().set_context(_bulk=False):
            defaults = Party.default_get([
                    n for n, f in Party._fields.items()
                    if isinstance(f, fields.MultiValue)], with_rec_name=False)
        by_model = defaultdict(dict)
        for name, value in defaults.items():
            if value is not None:
                by_model[Party.multivalue_model(name)][name] = value
        for Value, values in by_model.items():
            values = Value._clean_defaults(values)
            if 'company' in Value._fields:
                values['company'] = self.reader.company.id
            Value.create([{**values, 'party': p.id} for p in parties])

    def _save_addresses(self, customers):
        pool = Pool()
        Address = pool.get('party.address')
        to_create, to_write, owners = [], [], []
        for customer in customers:
            if not customer.address:
                continue
            if customer.stored_address:
                address = Address(customer.stored_address['id'])
                to_write.extend(([address], customer.address))
                customer.add_record(address, customer.address)
            else:
                owners.append(customer)
                to_create.append({
                        **dict.fromkeys(_ADDRESS),
                        **customer.address,
                        'party': customer.id,
                        })
        if to_write:
            Address.write(*to_write)
        _add_records(owners, Address.create(to_create))

    def _save_identifiers(self, customers):
        pool = Pool()
        Identifier = pool.get('party.identifier')
        owners = [c for c in customers for _ in c.new_identifiers]
        _add_records(owners, Identifier.create([{
                        'party': c.id,
                        'type': type_,
                        'code': code,
                        } for c in customers
                    for type_, code, _ in c.new_identifiers]))

    def _save_persons(self, customers):
        pool = Pool()
        Contact = pool.get('party.contact')
        to_create, to_write, persons, owners = [], [], [], []
        for customer in customers:
            for person in customer.new_persons:
                persons.append(person)
                owners.append(customer)
                to_create.append({
                        'party': customer.id,
                        'name': person.name,
                        'job_title': person.job_title or None,
                        })
            for person in customer.changed_persons:
                values = {'job_title': person.job_title}
                to_write.extend(([Contact(person.id)], values))
                customer.add_record(Contact(person.id), values)
        if to_write:
            Contact.write(*to_write)
        contacts = Contact.create(to_create)
        _add_records(owners, contacts)
        for person, contact in zip(persons, contacts):
            person.id = contact.id
        self.counts['persons'] += len(persons)

    def _save_mechanisms(self, customers):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        to_create, owners = [], []
        for customer in customers:
            for person, type_, value, compact in customer.new_mechanisms:
                owners.append(customer)
                to_create.append({
                        'party': customer.id,
                        'contact': person.id if person else None,
                        'type': type_,
                        'value': value,
                        'value_compact': compact,
                        })
        mechanisms = ContactMechanism.create(to_create)
        _add_records(owners, mechanisms)
        for customer, values, mechanism in zip(owners, to_create, mechanisms):
            if not customer.phone and values['type'] in PHONE_TYPES:
                customer.phone = (mechanism.id, values['contact'])

    @without_check_access
    def _save_typifications(self, customers):
        pool = Pool()
        Typification = pool.get('party.typification')
        to_create, to_write, owners = [], [], []
        for customer in customers:
            values = {}
            if customer.rating:
                values['rating'] = customer.rating
            if customer.comments:
                values['rating_comment'] = '\n'.join(customer.comments)
            if not values:
                continue
            if customer.typification:
                typification = Typification(customer.typification[0])
                to_write.extend(([typification], values))
                customer.add_record(typification, values)
            else:
                owners.append(customer)
                to_create.append({
                        'party': customer.id,
                        'company': self.reader.company.id,
                        'rating': None,
                        'rating_comment': None,
                        **values})
        if to_write:
            Typification.write(*to_write)
        _add_records(owners, Typification.create(to_create))

    def _save_trackings(self, customers):
        pool = Pool()
        Configuration = pool.get('sale.configuration')
        ContactImport = pool.get('party.contact.import')
        Tracking = pool.get('sale.tracking')
        to_create = []
        for customer in customers:
            mechanism, contact = customer.phone or (None, None)
            for row in customer.new_trackings:
                to_create.append({
                        'party': customer.id,
                        'company': self.reader.company.id,
                        'business_unit': row.business_unit,
                        'channel': row.channel,
                        'operator': row.operator,
                        'contact_mechanism': mechanism,
                        'contact': contact,
                        })
        to_create = ContactImport._prepare_trackings(to_create, self.options)
        if not to_create:
            return
        if sequence := Configuration(1).get_multivalue(
                'tracking_sequence', company=self.reader.company.id):
            for values, number in zip(
                    to_create, sequence.get_many(len(to_create))):
                values['number'] = number
        by_id = {c.id: c for c in customers}
        _add_records(
            [by_id[v['party']] for v in to_create],
            Tracking.create(to_create))
        self.counts['trackings'] += len(to_create)


def _rank(customer):
    "The active customers first, then the oldest"
    return (
        not customer.active, customer.id is None, customer.id or 0)


def _why(name, **variables):
    return gettext(
        f'sale_opportunity_management.msg_contact_import_by_{name}',
        **variables)


def _add_records(customers, records):
    for customer, record in zip(customers, records):
        customer.add_record(record)


class _Customer:
    "A customer, existing or to be created, with what rows add to it"

    def __init__(self, id_=None):
        self.id = id_
        self.active = id_ is None
        self.created = id_ is None
        self.names = set()
        self.cities = set()
        self.types = {}
        self.stored_types = set()
        self.rows = []
        self.seen = []
        self.is_told = False
        self.keys = set()
        self.has_persons = False
        self.name = None
        self.new_identifiers = []
        self.address = {}
        self.stored_address = None
        self.mechanisms = set()
        self.new_mechanisms = []
        self.persons = {}
        self.new_persons = []
        self.changed_persons = []
        self.typification = None
        self.rating = None
        self.comments = []
        self.trackings = set()
        self.new_trackings = []
        self.phone = None

    @property
    def changed(self):
        return bool(
            self.new_identifiers or self.address or self.new_mechanisms
            or self.new_persons or self.changed_persons or self.rating
            or self.comments or self.new_trackings)

    def add_record(self, record, values=None):
        "Note that the record was created, or the values added to it"
        row = self.rows[0]
        row.records.append(
            [record.__name__, record.id] + ([values] if values else []))

    def is_homonym(self, row):
        "Return if another row of the file tells of somebody of that name"
        return (
            self.created and bool(self.keys) and bool(row.keys)
            and not self.has_persons and not row.person)

    def is_other(self, row):
        "Return if the identifier of the row tells that it is another one"
        if row.identifier:
            type_, _, compact = row.identifier
            return self.types.get(type_, compact) != compact
        return False

    def is_named(self, row):
        return row.key in self.names and (
            not row.city_key or not self.cities
            or row.city_key in self.cities)


class _Person:
    __slots__ = ('id', 'name', 'job_title')

    def __init__(self, id_, name, job_title):
        self.id = id_
        self.name = name
        self.job_title = job_title
