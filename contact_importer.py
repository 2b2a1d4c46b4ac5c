# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

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

from .contact_row import RowReader, city_key
from .party import PHONE_TYPES, normalize_name
from .savepoint import savepoint

_ADDRESS = [
    'street_unstructured', 'postal_code', 'city', 'country', 'subdivision']
COUNTS = [
    'created', 'updated', 'skipped', 'rejected', 'persons', 'trackings']
# What is raised for a row that cannot be stored
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
        self.reader = RowReader(options)
        self.rows = rows
        self.counts = dict.fromkeys(COUNTS, 0)
        self.rejects = []
        # The customers that were created by these rows
        self.created = {}

    def run(self):
        with savepoint(keep=not self.options.get('dry_run')):
            if not self.options.get('dry_run'):
                self._lock()
            rows, refused = [], []
            for values in self.rows:
                row = self.reader.read(values)
                if row.errors:
                    refused.append(row)
                else:
                    rows.append(row)
            rows = self._check_customers(rows)
            with Transaction().set_context(
                    _skip_warnings=True, _validate_filled=True):
                for sub_rows in grouped_slice(rows, _SLICE):
                    self._store(list(sub_rows))
            for row in refused:
                self._reject(
                    row, list(row.errors), '\n'.join(row.errors.values()))
            self._set_rejects_customer()
        return {**self.counts, 'rejects': self.rejects}

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
        self.counts['rejected'] += 1
        self.rejects.append({
                'line': row.line,
                'fields': [n for n in names if n],
                'reason': reason,
                'customer': row.customer or None,
                'row': row,
                })

    @without_check_access
    def _set_rejects_customer(self):
        "Tell to which customer a row is added once it is corrected"
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
            customer, is_same = self._match(row)
            if customer and not row.customer:
                if customer.created:
                    # Two rows of one company tell of two persons, but a
                    # phone number in common is a duplicate
                    is_kept = is_same or self.duplicates == 'update'
                else:
                    is_kept = (
                        self.duplicates == 'update' and customer.active)
                if self.duplicates == 'new' and not (
                        customer.created and is_same):
                    customer = None
                elif not is_kept:
                    self.counts['skipped'] += 1
                    continue
            if not customer:
                customer = _Customer()
            customer.rows.append(row)
            customers[id(customer)] = customer
            self._register(customer, row)
        customers = list(customers.values())
        self._load([c for c in customers if c.id is not None])
        for customer in customers:
            for row in customer.rows:
                self._merge(customer, row)
            if customer.id is not None and not customer.created:
                if customer.changed:
                    self.counts['updated'] += 1
                else:
                    self.counts['skipped'] += len(customer.rows)
        return customers

    def _match(self, row):
        "Return the customer of the row and whether it is surely the same"
        if row.customer:
            return self._by_code.get(row.customer), True
        candidates = []
        if row.identifier:
            candidates = self._by_identifier[row.identifier[2]]
            if candidates:
                return min(candidates, key=_rank), True
        candidates = [
            c for k in row.keys for c in self._by_key[k]
            if not c.is_other(row)]
        if candidates:
            customer = min(
                candidates, key=lambda c: (not c.is_named(row), _rank(c)))
            return customer, customer.is_named(row)
        candidates = [
            c for c in self._by_name[row.key]
            if c.is_named(row) and not c.is_other(row)]
        if candidates:
            return min(candidates, key=_rank), True
        return None, False

    def _register(self, customer, row):
        if row.identifier:
            type_, _, compact = row.identifier
            customer.types.setdefault(type_, compact)
            self._by_identifier[compact].append(customer)
        for key in row.keys:
            self._by_key[key].append(customer)
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
                # What was merged is the one that it was merged into
                customer = kept.setdefault(
                    replaced_by or id_, _Customer(replaced_by or id_))
                customer.active |= active or bool(replaced_by)
                customer.created = id_ in self.created
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
        by_id = {c.id: c for c in customers}
        for sub_ids in grouped_slice(list(by_id), 500):
            domain = [('party', 'in', list(sub_ids))]
            for address in Address.search(
                    domain, order=[('active', 'ASC'), ('id', 'DESC')]):
                customer = by_id[address.party.id]
                customer.stored_address = address
            for mechanism in ContactMechanism.search(domain):
                customer = by_id[mechanism.party.id]
                customer.mechanisms.add(
                    (mechanism.value_compact or mechanism.value).lower())
                if (not customer.phone and mechanism.active
                        and mechanism.type in PHONE_TYPES):
                    customer.phone = (
                        mechanism.id,
                        mechanism.contact.id if mechanism.contact else None)
            for contact in Contact.search(domain, order=[('id', 'DESC')]):
                person = _Person(
                    contact.id, contact.name, contact.job_title)
                by_id[contact.party.id].persons[
                    normalize_name(contact.name)] = person
            for typification in Typification.search([
                        domain, ('company', '=', self.reader.company.id)]):
                by_id[typification.party.id].typification = typification
            for tracking in Tracking.search([
                        domain,
                        ('company', '=', self.reader.company.id),
                        ('state', '=', 'open'),
                        ]):
                by_id[tracking.party.id].trackings.add(
                    tracking.business_unit.id)

    def _merge(self, customer, row):
        "Add to the customer what it lacks of what the row says"
        customer.name = customer.name or row.name
        if row.identifier and row.identifier[0] not in customer.stored_types:
            customer.stored_types.add(row.identifier[0])
            customer.new_identifiers.append(row.identifier)
        self._merge_address(customer, row)
        self._merge_mechanisms(customer, row.mechanisms)
        if row.person:
            key = normalize_name(row.person)
            if not (person := customer.persons.get(key)):
                person = _Person(None, row.person, row.job_title)
                customer.persons[key] = person
                customer.new_persons.append(person)
            elif row.job_title and not person.job_title:
                person.job_title = row.job_title
                if person.id is not None:
                    customer.changed_persons.append(person)
            self._merge_mechanisms(customer, row.person_mechanisms, person)
        typification = customer.typification
        if row.rating and not (typification and typification.rating):
            customer.rating = customer.rating or row.rating
        if row.comment and not (
                typification and typification.rating_comment):
            if row.comment not in customer.comments:
                customer.comments.append(row.comment)
        if (row.business_unit is not None
                and row.business_unit not in customer.trackings):
            customer.trackings.add(row.business_unit)
            customer.new_trackings.append(row)

    def _merge_address(self, customer, row):
        values = {n: v for n, v in row.address.items() if v}
        if customer.id is not None and values.keys() <= {'country'}:
            return
        stored = customer.stored_address
        if stored:
            current = {n: getattr(stored, n) for n in row.address}
            for name in ['country', 'subdivision']:
                current[name] = current[name] and current[name].id
        else:
            current = {}
        current.update(customer.address)
        if current.get('city') and values.get('city') and (
                city_key(current['city']) != row.city_key):
            return
        if current.get('country', values.get('country')) != values.get(
                'country') and current.get('country'):
            return
        if current.get('street_unstructured') or (
                stored and stored.street):
            values.pop('street_unstructured', None)
        customer.address.update(
            (n, v) for n, v in values.items() if not current.get(n))

    def _merge_mechanisms(self, customer, mechanisms, person=None):
        for type_, value, compact in mechanisms:
            key = compact.lower()
            if key not in customer.mechanisms:
                customer.mechanisms.add(key)
                customer.new_mechanisms.append((person, type_, value, compact))

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
                    # What is computed now is not written a second time
                    **party.compute_fields(),
                    })
        # The default values are set one by one
        with Transaction().set_context(_multivalue_defaults=False):
            parties = Party.create(to_create)
        for customer, party in zip(customers, parties):
            customer.id = party.id
            self.created[party.id] = customer
        self._save_defaults(parties)
        self.counts['created'] += len(customers)

    @without_check_access
    def _save_defaults(self, parties):
        "Save the values by company that a party has by default"
        pool = Pool()
        Party = pool.get('party.party')
        defaults = Party.default_get([
                n for n, f in Party._fields.items()
                if isinstance(f, fields.MultiValue)], with_rec_name=False)
        by_model = defaultdict(dict)
        for name, value in defaults.items():
            # Without a value the default is read
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
        to_create, to_write = [], []
        for customer in customers:
            if not customer.address:
                continue
            if customer.stored_address:
                to_write.extend(
                    ([customer.stored_address], customer.address))
            else:
                to_create.append({
                        **dict.fromkeys(_ADDRESS),
                        **customer.address,
                        'party': customer.id,
                        })
        if to_write:
            Address.write(*to_write)
        Address.create(to_create)

    def _save_identifiers(self, customers):
        pool = Pool()
        Identifier = pool.get('party.identifier')
        Identifier.create([{
                    'party': c.id,
                    'type': type_,
                    'code': code,
                    } for c in customers
                for type_, code, _ in c.new_identifiers])

    def _save_persons(self, customers):
        pool = Pool()
        Contact = pool.get('party.contact')
        to_create, to_write, persons = [], [], []
        for customer in customers:
            for person in customer.new_persons:
                persons.append(person)
                to_create.append({
                        'party': customer.id,
                        'name': person.name,
                        'job_title': person.job_title or None,
                        })
            for person in customer.changed_persons:
                to_write.extend((
                        [Contact(person.id)],
                        {'job_title': person.job_title}))
        if to_write:
            Contact.write(*to_write)
        for person, contact in zip(persons, Contact.create(to_create)):
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
        for customer, values, mechanism in zip(owners, to_create, mechanisms):
            if not customer.phone and values['type'] in PHONE_TYPES:
                customer.phone = (mechanism.id, values['contact'])

    @without_check_access
    def _save_typifications(self, customers):
        pool = Pool()
        Typification = pool.get('party.typification')
        to_create, to_write = [], []
        for customer in customers:
            values = {}
            if customer.rating:
                values['rating'] = customer.rating
            if customer.comments:
                values['rating_comment'] = '\n'.join(customer.comments)
            if not values:
                continue
            if customer.typification:
                to_write.extend(([customer.typification], values))
            else:
                to_create.append({
                        'party': customer.id,
                        'company': self.reader.company.id,
                        'rating': None,
                        'rating_comment': None,
                        **values})
        if to_write:
            Typification.write(*to_write)
        Typification.create(to_create)

    def _save_trackings(self, customers):
        pool = Pool()
        Configuration = pool.get('sale.configuration')
        Tracking = pool.get('sale.tracking')
        to_create = []
        refused = {}
        if campaign := self.reader.campaign:
            refused = campaign._refused_parties([c.id for c in customers])
        for customer in customers:
            mechanism, contact = customer.phone or (None, None)
            if customer.id in refused:
                continue
            for row in customer.new_trackings:
                to_create.append({
                        'party': customer.id,
                        'company': self.reader.company.id,
                        'business_unit': row.business_unit,
                        'campaign': campaign.id if campaign else None,
                        'channel': row.channel,
                        'operator': row.operator,
                        'contact_mechanism': mechanism,
                        'contact': contact,
                        })
        if not to_create:
            return
        if sequence := Configuration(1).get_multivalue(
                'tracking_sequence', company=self.reader.company.id):
            for values, number in zip(
                    to_create, sequence.get_many(len(to_create))):
                values['number'] = number
        Tracking.create(to_create)
        self.counts['trackings'] += len(to_create)


def _rank(customer):
    "The active customers first, then the oldest"
    return (
        not customer.active, customer.id is None, customer.id or 0)


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
