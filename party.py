# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import json
import re
import unicodedata
from functools import lru_cache

from sql import For, Null

from trytond.i18n import gettext
from trytond.model import (
    DeactivableMixin, Index, ModelSQL, ModelView, Unique, fields,
    sequence_ordered)
from trytond.model.exceptions import AccessError
from trytond.modules.party.exceptions import EraseError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval
from trytond.tools import grouped_slice
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from .exceptions import ReplaceError

RATINGS = [
    (None, ""),
    ('1', "★"),
    ('2', "★★"),
    ('3', "★★★"),
    ('4', "★★★★"),
    ('5', "★★★★★"),
    ]
PHONE_TYPES = ['phone', 'mobile']
# With an extension at most.  Each character has only one place where it can
# be, as whoever writes a long text must not make the others wait.
_PHONE_NUMBER = r'[\s()+./#*-]*\d[\d\s()+./#*-]*((ext\.?|x)\s*\d+)?'
_PHONE_LENGTH = 100
# The legal forms that say nothing about which company it is
_LEGAL_FORMS = re.compile(
    r'\b(s\s*a\s*s|s\s*a|s\s*l\s*u?|s\s*r\s*l|ltda|cia|e\s*u|inc|llc)\b')


@lru_cache(maxsize=4096)
def fold_name(name):
    "Return the words of the name without accents, punctuation and case"
    name = unicodedata.normalize('NFKD', name or '')
    name = ''.join(c for c in name if not unicodedata.combining(c))
    name = re.sub(r'[^\w]+', ' ', name.lower().replace('.', ''))
    return ' '.join(name.split())


def normalize_name(name):
    """Return the name without accents, punctuation, legal form and case

    Two names with the same normal form are taken for the same customer."""
    name = fold_name(name)
    return ' '.join(_LEGAL_FORMS.sub(' ', name).split()) or name


class Party(metaclass=PoolMeta):
    __name__ = 'party.party'

    contacts = fields.One2Many(
        'party.contact', 'party', "Contacts",
        help="The people to talk to.")
    rating = fields.Function(
        fields.Selection(RATINGS, "Rating", sort=False),
        'get_typification', setter='set_typification',
        searcher='search_typification')
    rating_comment = fields.Function(
        fields.Text("Rating Comment"),
        'get_typification', setter='set_typification',
        searcher='search_typification')

    @classmethod
    @without_check_access
    def get_typification(cls, parties, names):
        pool = Pool()
        Typification = pool.get('party.typification')
        values = {n: dict.fromkeys(map(int, parties)) for n in names}
        for sub_parties in grouped_slice(parties, 1000):
            for typification in Typification.search([
                        ('party', 'in', list(sub_parties)),
                        ('company', '=', Typification.default_company()),
                        ]):
                for name in names:
                    values[name][typification.party.id] = getattr(
                        typification, name)
        return values

    @classmethod
    @without_check_access
    def set_typification(cls, parties, name, value):
        pool = Pool()
        Typification = pool.get('party.typification')
        company = Typification.default_company()
        typifications = {
            t.party: t for t in Typification.search([
                    ('party', 'in', parties),
                    ('company', '=', company),
                    ])}
        to_save = []
        for party in parties:
            typification = typifications.get(party)
            if not typification:
                if value is None or company is None:
                    continue
                typification = Typification(party=party, company=company)
            setattr(typification, name, value)
            to_save.append(typification)
        Typification.save(to_save)

    @classmethod
    @without_check_access
    def search_typification(cls, name, clause):
        pool = Pool()
        Typification = pool.get('party.typification')
        _, operator, value = clause
        table = Typification.__table__()
        company = ('company', '=', Typification.default_company())
        if ((operator == '=' and value is None)
                or (operator == 'in' and None in value)):
            query = Typification.search(
                [company, (name, '!=', None)], order=[], query=True)
            domain = [('id', 'not in', table.select(
                        table.party, where=table.id.in_(query)))]
            if operator == 'in' and (
                    values := [v for v in value if v is not None]):
                domain = ['OR', domain,
                    cls.search_typification(name, (name, 'in', values))]
            return domain
        query = Typification.search(
            [company, (name, operator, value)], order=[], query=True)
        return [('id', 'in', table.select(
                    table.party, where=table.id.in_(query)))]

    @classmethod
    def order_rating(cls, tables):
        pool = Pool()
        Typification = pool.get('party.typification')
        party, _ = tables[None]
        if 'typification' not in tables:
            typification = Typification.__table__()
            tables['typification'] = {
                None: (typification, (typification.party == party.id)
                    & (typification.company
                        == Typification.default_company())),
                }
        else:
            typification, _ = tables['typification'][None]
        return [typification.rating]

    @classmethod
    def check_modification(cls, mode, parties, values=None, external=False):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        super().check_modification(
            mode, parties, values=values, external=external)
        if mode == 'delete' and external:
            # Before what is deleted along refuses and names itself
            for tracking in Tracking.search([
                        ('party', 'in', [p.id for p in parties]),
                        ], limit=1):
                raise AccessError(gettext(
                        'sale_opportunity_management.msg_party_delete',
                        party=tracking.party.rec_name))


class Contact(
        sequence_ordered(), DeactivableMixin, ModelSQL, ModelView):
    __name__ = 'party.contact'

    party = fields.Many2One(
        'party.party', "Party", required=True, ondelete='CASCADE',
        states={
            'readonly': Eval('id', -1) >= 0,
            })
    name = fields.Char(
        "Name",
        states={
            'required': Bool(Eval('active', True)),
            })
    job_title = fields.Char("Job Title")
    contact_mechanisms = fields.One2Many(
        'party.contact_mechanism', 'contact', "Contact Mechanisms",
        domain=[
            ('party', '=', Eval('party', -1)),
            ],
        states={
            'readonly': ~Eval('party'),
            })
    phone = fields.Function(
        fields.Char("Phone"), 'get_contact_mechanism')
    email = fields.Function(
        fields.Char("E-Mail"), 'get_contact_mechanism')
    comment = fields.Text("Comment")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('party')
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(t, (Index.Unaccent(t.job_title), Index.Similarity())))

    @classmethod
    def get_contact_mechanism(cls, contacts, names):
        types = {
            'phone': set(PHONE_TYPES),
            'email': {'email'},
            }
        return {
            name: {
                c.id: next(
                    (m.value for m in c.contact_mechanisms
                        if m.type in types[name]), None)
                for c in contacts}
            for name in names}

    def get_rec_name(self, name):
        if self.job_title:
            return f'{self.name} ({self.job_title})'
        return self.name or ''

    @classmethod
    def search_rec_name(cls, name, clause):
        _, operator, *extra = clause
        if operator.startswith('!') or operator.startswith('not '):
            bool_op = 'AND'
        else:
            bool_op = 'OR'
        return [bool_op,
            ('name', operator, *extra),
            ('job_title', operator, *extra),
            ]


class ContactMechanism(metaclass=PoolMeta):
    __name__ = 'party.contact_mechanism'

    contact = fields.Many2One(
        'party.contact', "Contact", ondelete='SET NULL',
        domain=[
            ('party', '=', Eval('party', -1)),
            ],
        help="The person who is reached by it.")

    @fields.depends('contact', '_parent_contact.party')
    def on_change_contact(self):
        if self.contact and self.contact.party:
            self.party = self.contact.party

    @classmethod
    def compact_phone(cls, text):
        """Return the text as a phone number in E.164 or None

        A national number is read as one of the company's country."""
        if (not text or len(text) > _PHONE_LENGTH
                or not re.search(r'\d', text)):
            return None
        text = re.sub(r'^00', '+', text.strip('% '))
        mechanism = cls(party=None)
        if number := mechanism._parse_phonenumber(text):
            return mechanism.format_value_compact(
                f'+{number.country_code}{number.national_number}', 'phone')

    @classmethod
    def compact_number(cls, text):
        """Return the text as it is compared with other phone numbers

        It is in E.164 if it is a valid number, only the digits of an
        extension or a short number and None if it is no number at all."""
        text = re.sub(r'^\s*(tel|callto):', '', text or '', flags=re.I)
        if (len(text) <= _PHONE_LENGTH
                and re.fullmatch(_PHONE_NUMBER, text, flags=re.I)):
            return cls.compact_phone(text) or re.sub(r'\D', '', text)

    @classmethod
    def format_number(cls, text):
        "Return the text as phone numbers are shown, if it is a valid one"
        number = cls.compact_number(text)
        if number and number.startswith('+'):
            return cls(party=None).format_value(number, 'phone')
        return (text or '').strip() or None

    @property
    def dial_url(self):
        pool = Pool()
        Configuration = pool.get('sale.configuration')
        if self.type not in PHONE_TYPES:
            return self.url
        protocol = Configuration(1).get_multivalue('dial_protocol')
        return f'{protocol}:{self.value_compact or self.value}'


class Typification(ModelSQL):
    __name__ = 'party.typification'

    party = fields.Many2One(
        'party.party', "Party", required=True, ondelete='CASCADE',
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    company = fields.Many2One(
        'company.company', "Company", required=True, ondelete='CASCADE')
    rating = fields.Selection(RATINGS, "Rating", sort=False)
    rating_comment = fields.Text("Rating Comment")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('party_company_unique', Unique(t, t.party, t.company),
                'sale_opportunity_management.msg_typification_unique'),
            ]
        cls._sql_indexes.add(
            Index(
                t,
                (t.company, Index.Equality(cardinality='low')),
                (t.rating, Index.Equality(cardinality='low')),
                where=t.rating != Null))

    @classmethod
    def default_company(cls):
        pool = Pool()
        User = pool.get('res.user')
        transaction = Transaction()
        company = transaction.context.get('company')
        if not transaction.user or company in User.get_companies():
            return company


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('party.contact', 'party'),
            ('party.typification', 'party'),
            ('sale.tracking', 'party'),
            ('sale.call', 'party'),
            ('sale.task', 'party'),
            ('ir.attachment', 'resource'),
            ('ir.email', 'resource'),
            ('ir.note', 'resource'),
            ]

    def transition_replace(self):
        pool = Pool()
        Call = pool.get('sale.call')
        self._check_merged()
        self._check_identifiers()
        self._merge_typifications()
        lacking = self._get_lacking()
        result = super().transition_replace()
        self._move_avatar()
        self._add_relations()
        Call.update_call_back(parties=[self.ask.destination.id])
        # The customer must still be found by them
        for Model, records in lacking.items():
            Model.write(records, {'active': True})
        return result

    def _check_merged(self):
        "Lock the parties and check that none was merged meanwhile"
        pool = Pool()
        Party = pool.get('party.party')
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        table = Party.__table__()
        source, destination = self.ask.source, self.ask.destination
        if source == destination:
            raise ReplaceError(gettext(
                    'sale_opportunity_management.msg_replace_itself',
                    party=source.rec_name))
        query = table.select(
            table.id, table.replaced_by,
            where=table.id.in_([source.id, destination.id]),
            order_by=table.id)
        if transaction.database.has_select_for():
            query.for_ = For('UPDATE')
        cursor.execute(*query)
        replaced_by = dict(cursor)
        for party in [source, destination]:
            if not (other := replaced_by.get(party.id)):
                continue
            last = Party(other)
            while last.replaced_by:
                last = last.replaced_by
            # What was added to it since may follow
            if party != source or last != destination:
                raise ReplaceError(gettext(
                        'sale_opportunity_management.msg_replace_merged',
                        party=party.rec_name,
                        replaced_by=last.rec_name))

    def _check_identifiers(self):
        "Check that no tax identifier says that they are two"
        pool = Pool()
        Party = pool.get('party.party')
        source, destination = self.ask.source, self.ask.destination
        for type_ in Party.tax_identifier_types():
            identifiers, others = ([
                    i for i in p.identifiers if i.type == type_]
                for p in [source, destination])
            if (identifiers and others
                    and not {i.code_compact for i in identifiers}
                    & {i.code_compact for i in others}):
                raise ReplaceError(gettext(
                        'sale_opportunity_management.msg_replace_identifier',
                        source=source.rec_name,
                        destination=destination.rec_name,
                        identifier=identifiers[0].rec_name,
                        other=others[0].rec_name))

    def _get_lacking(self):
        "Return by model the records of the source that the other lacks"
        pool = Pool()
        Address = pool.get('party.address')
        ContactMechanism = pool.get('party.contact_mechanism')
        Identifier = pool.get('party.identifier')
        source, destination = self.ask.source, self.ask.destination
        mechanisms = {m.value_compact for m in destination.contact_mechanisms}
        identifiers = {
            (i.type, i.code_compact) for i in destination.identifiers}
        addresses = [
            [a for a in p.addresses if a.street or a.postal_code or a.city]
            for p in [source, destination]]
        return {
            Address: addresses[0] if not addresses[1] else [],
            ContactMechanism: [
                m for m in source.contact_mechanisms
                if m.value_compact not in mechanisms],
            Identifier: [
                i for i in source.identifiers
                if (i.type, i.code_compact) not in identifiers],
            }

    @without_check_access
    def _move_avatar(self):
        pool = Pool()
        Avatar = pool.get('ir.avatar')
        source, destination = map(str, [self.ask.source, self.ask.destination])
        if not Avatar.search([('resource', '=', destination)], limit=1):
            Avatar.write(
                Avatar.search([('resource', '=', source)]),
                {'resource': destination})

    @without_check_access
    def _add_relations(self):
        pool = Pool()
        Party = pool.get('party.party')
        with inactive_records():
            Party.write([self.ask.destination], {
                    name: [(
                            'add',
                            [r.id for r in getattr(self.ask.source, name)])]
                    for name in ['categories', 'delivered_to_warehouses']})

    def _merge_typifications(self):
        pool = Pool()
        Typification = pool.get('party.typification')
        kept = {
            t.company: t for t in Typification.search([
                    ('party', '=', self.ask.destination.id),
                    ])}
        to_save, to_delete = [], []
        for typification in Typification.search([
                    ('party', '=', self.ask.source.id),
                    ]):
            if not (other := kept.get(typification.company)):
                continue
            other.rating = other.rating or typification.rating
            other.rating_comment = '\n'.join(filter(None, [
                        other.rating_comment, typification.rating_comment]))
            to_save.append(other)
            to_delete.append(typification)
        Typification.save(to_save)
        Typification.delete(to_delete)


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def check_erase_company(self, party, company):
        pool = Pool()
        Activity = pool.get('sale.activity')
        Tracking = pool.get('sale.tracking')
        super().check_erase_company(party, company)
        if trackings := Tracking.search([
                    ('party', '=', party.id),
                    ('company', '=', company.id),
                    ('state', '=', 'open'),
                    ], limit=1):
            tracking, = trackings
            raise EraseError(gettext(
                    'sale_opportunity_management.msg_erase_party_tracking',
                    party=party.rec_name,
                    tracking=tracking.rec_name))
        if activities := Activity.search([
                    ('party', '=', party.id),
                    ('company', '=', company.id),
                    ('state', '=', 'pending'),
                    ], limit=1):
            activity, = activities
            raise EraseError(gettext(
                    'sale_opportunity_management.msg_erase_party_activity',
                    party=party.rec_name,
                    activity=activity.rec_name))

    def to_erase(self, party_id):
        pool = Pool()
        Call = pool.get('sale.call')
        Contact = pool.get('party.contact')
        ContactMechanism = pool.get('party.contact_mechanism')
        Identifier = pool.get('party.identifier')
        Notification = pool.get('res.notification')
        Party = pool.get('party.party')
        Task = pool.get('sale.task')
        Tracking = pool.get('sale.tracking')
        Typification = pool.get('party.typification')
        names = list(Party._name_forms())
        return super().to_erase(party_id) + [
            (Party, [('id', '=', party_id)], True, names, [None] * len(names)),
            (ContactMechanism, [('party', '=', party_id)], True,
                ['value_compact'], ['****']),
            (Identifier, [('party', '=', party_id)], True,
                ['code_compact'], ['****']),
            (Contact, [('party', '=', party_id)], True,
                ['name', 'job_title', 'comment'], [None] * 3),
            (Typification, [('party', '=', party_id)], True,
                ['rating_comment'], [None]),
            (Tracking, [('party', '=', party_id)], True,
                ['comment', 'conclusion'], [None] * 2),
            (Call, [('party', '=', party_id)], True,
                ['phone_number', 'phone_compact', 'summary', 'description'],
                [None] * 4),
            (Call, [
                    ('party', '=', None),
                    ('phone_compact', 'in', self._get_numbers(party_id)),
                    ], True,
                ['phone_number', 'phone_compact', 'summary', 'description'],
                [None, None, '****', None]),
            (Task, [('party', '=', party_id)], True,
                ['summary', 'description', 'link', 'reason', 'result'],
                ['****'] + [None] * 4),
            ] + [
            (Notification, [
                    ('model', '=', Model.__name__),
                    ('records', 'in', [json.dumps([i]) for i in sorted(ids)]),
                    ], False,
                ['label', 'description'], [None] * 2)
            for Model, ids in self._get_notified(party_id).items()]

    @classmethod
    def _get_numbers(cls, party_id):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        with inactive_records():
            return [
                m.value_compact for m in ContactMechanism.search([
                        ('party', '=', party_id),
                        ('type', 'in', PHONE_TYPES),
                        ('value_compact', '!=', None),
                        ])]

    @classmethod
    def _get_notified(cls, party_id):
        "Return by model the ids of what notifications tell of the party"
        pool = Pool()
        Activity = pool.get('sale.activity')
        return {
            Model: {a.id for a in Model.search([('party', '=', party_id)])}
            for Model in Activity.activity_models()}
