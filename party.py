# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import json
import re
import unicodedata
from difflib import SequenceMatcher
from functools import lru_cache

from sql import Null, Union

from trytond.i18n import gettext
from trytond.model import (
    DeactivableMixin, Index, ModelSQL, ModelView, Unique, fields,
    sequence_ordered)
from trytond.modules.party.exceptions import EraseError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval
from trytond.tools import escape_wildcard, grouped_slice, likify
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

RATINGS = [
    (None, ""),
    ('1', "★"),
    ('2', "★★"),
    ('3', "★★★"),
    ('4', "★★★★"),
    ('5', "★★★★★"),
    ]
PHONE_TYPES = ['phone', 'mobile']
# Nobody reads through more results of the search box
GLOBAL_LIMIT = 100
# With an extension at most
_PHONE_NUMBER = r'[\d\s()+./#*-]*\d[\d\s()+./#*-]*((ext\.?|x)\s*\d+)?'
# The legal forms that say nothing about which company it is
_LEGAL_FORMS = re.compile(
    r'\b(s\s*a\s*s|s\s*a|s\s*l\s*u?|s\s*r\s*l|ltda|cia|e\s*u|inc|llc)\b')


@lru_cache(maxsize=4096)
def normalize_name(name):
    """Return the name without accents, punctuation, legal form and case

    Two names with the same normal form are taken for the same customer."""
    name = unicodedata.normalize('NFKD', name or '')
    name = ''.join(c for c in name if not unicodedata.combining(c))
    name = re.sub(r'[^\w]+', ' ', name.lower().replace('.', ''))
    short = ' '.join(_LEGAL_FORMS.sub(' ', name).split())
    return short or ' '.join(name.split())


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
    def search_rec_name(cls, name, clause):
        domain = super().search_rec_name(name, clause)
        _, operator, value, *_ = clause
        if operator in {'ilike', 'like', '='} and isinstance(value, str):
            # Tax identifiers are found however they are written
            code = re.sub(r'[^\w%]|_', '', value)
            if re.search(r'\d', code) and code != value:
                domain.append(('identifiers.code_compact', operator, code))
            # Each condition by itself uses its index
            with Transaction().set_context(active_test=False), \
                    without_check_access():
                queries = [
                    cls.search([clause], order=[], query=True)
                    for clause in domain[1:]]
            domain = [('id', 'in', Union(*queries))]
        return domain

    @classmethod
    def search_global(cls, text):
        for party in cls.search([
                    ('rec_name', 'ilike', likify(text)),
                    ], limit=GLOBAL_LIMIT):
            yield party, party.rec_name, 'tryton-party'

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
            # No typification is an empty one
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
    def search_similar(cls, name=None, codes=(), values=(), limit=20):
        """Return the parties that may be the same as the described one

        name is its name, codes its identifiers and values its phone numbers
        and e-mails, numbers in E.164.  The surest come first: same
        identifier, same contact mechanism, similar name.
        """
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        Identifier = pool.get('party.identifier')
        parties = {}
        if codes:
            for identifier in Identifier.search([
                        ['OR',
                            ('code', 'in', list(codes)),
                            ('code_compact', 'in', list(codes)),
                            ],
                        ('party.active', '=', True),
                        ], limit=limit):
                parties[identifier.party] = None
        if values:
            # E-mails may differ in case
            for mechanism in ContactMechanism.search([
                        ['OR', *(('value_compact', 'ilike', escape_wildcard(v))
                                for v in values)],
                        ('party.active', '=', True),
                        ], limit=limit):
                parties[mechanism.party] = None
        if normal := normalize_name(name):
            for party in cls._search_similar_name(name, normal, limit * 5):
                other = normalize_name(party.name)
                if (normal in other or other in normal
                        or SequenceMatcher(None, normal, other).ratio() > .8):
                    parties[party] = None
        return list(parties)[:limit]

    @classmethod
    def _search_similar_name(cls, name, normal, limit):
        database = Transaction().database
        words = sorted(normal.split(), key=len, reverse=True)[:2]
        if not database.has_unaccent():
            # Any of the letters that may have an accent
            words = [re.sub(r'[aeiounc]', '_', w) for w in words]
        parties = cls.search(
            [('name', 'ilike', f'%{w}%') for w in words], limit=limit)
        if database.has_similarity():
            with Transaction().set_context(search_similarity=0.5):
                parties += cls.search([
                        ('name', 'ilike', likify(name.strip())),
                        ], limit=limit)
        return parties


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

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.value_compact, Index.Equality())),
                Index(t, (Index.Unaccent(t.value), Index.Similarity())),
                })

    @fields.depends('contact', '_parent_contact.party')
    def on_change_contact(self):
        if self.contact and self.contact.party:
            self.party = self.contact.party

    @classmethod
    def compact_phone(cls, text):
        """Return the text as a phone number in E.164 or None

        A national number is read as one of the company's country."""
        if not text or not re.search(r'\d', text):
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
        if re.fullmatch(_PHONE_NUMBER, text, flags=re.I):
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

    @classmethod
    def search_rec_name(cls, name, clause):
        domain = super().search_rec_name(name, clause)
        _, operator, value = clause
        if (operator in {'ilike', 'like', '='}
                and isinstance(value, str)
                and re.fullmatch(r'[%\d\s()+./-]+', value)):
            # Numbers are found however they are written
            if number := cls.compact_phone(value):
                domain.append(('value_compact', '=', number))
            elif len(digits := re.sub(r'\D', '', value)) > 3:
                domain.append(('value_compact', 'ilike', f'%{digits}%'))
        return domain


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
        return Transaction().context.get('company')


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
            ('sale.meeting', 'party'),
            ('sale.meeting.attendee', 'party'),
            ]

    def transition_replace(self):
        pool = Pool()
        Call = pool.get('sale.call')
        ContactMechanism = pool.get('party.contact_mechanism')
        self._merge_typifications()
        source, destination = self.ask.source, self.ask.destination
        known = {m.value_compact for m in destination.contact_mechanisms}
        mechanisms = [
            m for m in source.contact_mechanisms
            if m.value_compact not in known]
        result = super().transition_replace()
        Call.update_call_back(parties=[destination.id])
        # The customer must still be found by the other numbers
        ContactMechanism.write(mechanisms, {'active': True})
        return result

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
        Activity = pool.get('sale.activity')
        Attendee = pool.get('sale.meeting.attendee')
        Call = pool.get('sale.call')
        Contact = pool.get('party.contact')
        ContactMechanism = pool.get('party.contact_mechanism')
        DoNotCall = pool.get('sale.do_not_call')
        Identifier = pool.get('party.identifier')
        Meeting = pool.get('sale.meeting')
        Notification = pool.get('res.notification')
        Task = pool.get('sale.task')
        Tracking = pool.get('sale.tracking')
        Typification = pool.get('party.typification')
        with inactive_records():
            numbers = [
                m.value_compact for m in ContactMechanism.search([
                        ('party', '=', party_id),
                        ('type', 'in', PHONE_TYPES),
                        ('value_compact', '!=', None),
                        ])]
        attendees = ['OR',
            ('party', '=', party_id),
            ('employee.party', '=', party_id),
            ('email', 'in', self._get_emails(party_id)),
            ]
        notified = {
            Model: {a.id for a in Model.search([('party', '=', party_id)])}
            for Model in Activity.activity_models()}
        # The organiser is told the name of who answers
        notified[Meeting].update(
            a.meeting.id for a in Attendee.search(attendees))
        return super().to_erase(party_id) + [
            (ContactMechanism, [('party', '=', party_id)], True,
                ['value_compact'], ['****']),
            (Identifier, [('party', '=', party_id)], True,
                ['code_compact'], ['****']),
            (Contact, [('party', '=', party_id)], True,
                ['name', 'job_title', 'comment'], [None] * 3),
            (Typification, [('party', '=', party_id)], True,
                ['rating_comment'], [None]),
            (Tracking, [('party', '=', party_id)], True,
                ['comment', 'conclusion', 'draft'], [None] * 3),
            (Call, [('party', '=', party_id)], True,
                ['phone_number', 'phone_compact', 'summary', 'description'],
                [None] * 4),
            (Call, [
                    ('party', '=', None),
                    ('phone_compact', 'in', numbers),
                    ], True,
                ['phone_number', 'phone_compact', 'summary', 'description'],
                [None, None, '****', None]),
            (Task, [('party', '=', party_id)], True,
                ['summary', 'description', 'link', 'reason', 'result'],
                ['****'] + [None] * 4),
            (Meeting, [('party', '=', party_id)], True,
                ['summary', 'description', 'agenda', 'place', 'link'],
                ['****'] + [None] * 4),
            (Attendee, attendees, False, ['email'], [None]),
            # The number stays, so that nobody calls it again
            (DoNotCall, [('number', 'in', numbers)], False,
                ['reason'], [None]),
            ] + [
            (Notification, [
                    ('model', '=', Model.__name__),
                    ('records', 'in', [json.dumps([i]) for i in sorted(ids)]),
                    ], False,
                ['label', 'description'], [None] * 2)
            for Model, ids in notified.items()]

    @classmethod
    def _get_emails(cls, party_id):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        with inactive_records():
            return [
                m.value.lower() for m in ContactMechanism.search([
                        ('party', '=', party_id),
                        ('type', '=', 'email'),
                        ]) if m.value]
