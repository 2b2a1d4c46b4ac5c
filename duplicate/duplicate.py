# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from sql import Literal

from trytond.i18n import gettext
from trytond.model import Check, Index, ModelSQL, ModelView, Unique, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from ..party import PHONE_TYPES
from .finder import Finder, tells, tells_code

_SIZE = 500
# How long the transaction of what is changed may take
_MARGIN = dt.timedelta(hours=1)
MATCHES = [
    ('identifier', "Identifier"),
    ('phone', "Phone"),
    ('email', "E-Mail"),
    ('name', "Name"),
    ]


class Duplicate(ModelSQL, ModelView):
    __name__ = 'party.duplicate'

    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True,
        ondelete='CASCADE')
    party = fields.Many2One(
        'party.party', "Party", required=True, readonly=True,
        ondelete='CASCADE',
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    other = fields.Many2One(
        'party.party', "Other Party", required=True, readonly=True,
        ondelete='CASCADE',
        context={
            'company': Eval('company', -1),
            },
        depends={'company'},
        help="The party that may be the same one.")
    score = fields.Integer(
        "Score", required=True, readonly=True,
        help="How sure it is that they are the same, at most 100.")
    matches = fields.MultiSelection(
        MATCHES, "Matches", readonly=True, sort=False,
        help="What they have in common.")
    reasons = fields.Function(
        fields.Text("Reasons", help="What they have in common now."),
        'get_reasons')
    party_details = fields.Function(
        fields.Text("Details"), 'get_details')
    other_details = fields.Function(
        fields.Text("Details"), 'get_details')
    state = fields.Selection([
            ('to_review', "To Review"),
            ('not_duplicate', "Not a Duplicate"),
            ('merged', "Merged"),
            ], "State", required=True, readonly=True, sort=False)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('party_other_company_unique',
                Unique(t, t.party, t.other, t.company),
                'sale_opportunity_management.msg_duplicate_unique'),
            ('party_before_other', Check(t, t.party < t.other),
                'sale_opportunity_management.msg_duplicate_order'),
            ]
        cls._sql_indexes.update({
                Index(t, (t.other, Index.Range())),
                Index(
                    t,
                    (t.company, Index.Equality(cardinality='low')),
                    (t.state, Index.Equality(cardinality='low')),
                    (t.score, Index.Range(order='DESC')),
                    (t.id, Index.Range())),
                })
        cls._order = [('score', 'DESC'), ('id', 'ASC')]
        cls._buttons.update({
                'dismiss': {
                    'invisible': Eval('state') != 'to_review',
                    'depends': ['state'],
                    },
                'review': {
                    'invisible': Eval('state') != 'not_duplicate',
                    'depends': ['state'],
                    },
                'merge': {
                    'invisible': Eval('state') != 'to_review',
                    'depends': ['state'],
                    },
                })

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_state(cls):
        return 'to_review'

    def get_reasons(self, name):
        def having(get):
            values = [get(p) for p in [self.party, self.other]]
            return ', '.join(
                v for k, v in sorted(values[0].items()) if k in values[1])

        def mechanisms(types):
            return lambda party: {
                m.value_compact.lower(): m.value
                for m in party.contact_mechanisms
                if m.type in types and m.value_compact
                and tells(m.value_compact)}

        shared = {
            'identifier': having(lambda party: {
                    i.code_compact: i.code for i in party.identifiers
                    if tells_code(i.code_compact)}),
            'phone': having(mechanisms(PHONE_TYPES)),
            'email': having(mechanisms({'email'})),
            }
        reasons = [
            gettext(
                f'sale_opportunity_management.msg_duplicate_{match}',
                values=values)
            for match, values in shared.items() if values]
        if 'name' in (self.matches or []):
            reasons.append(gettext(
                    'sale_opportunity_management.msg_duplicate_name'))
        return '\n'.join(reasons)

    def get_details(self, name):
        party = getattr(self, name.removesuffix('_details'))
        return party.get_duplicate_details()

    def get_rec_name(self, name):
        return f'{self.party.rec_name} - {self.other.rec_name}'

    @classmethod
    def search_rec_name(cls, name, clause):
        _, operator, *extra = clause
        if operator.startswith('!') or operator.startswith('not '):
            bool_op = 'AND'
        else:
            bool_op = 'OR'
        return [bool_op,
            ('party.rec_name', operator, *extra),
            ('other.rec_name', operator, *extra),
            ]

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(Eval('state') != 'to_review', 'muted', '')),
            ]

    @classmethod
    @ModelView.button
    @without_check_access
    def dismiss(cls, duplicates):
        cls.write(duplicates, {'state': 'not_duplicate'})

    @classmethod
    @ModelView.button
    @without_check_access
    def review(cls, duplicates):
        cls.write(duplicates, {'state': 'to_review'})

    @classmethod
    @ModelView.button_action('sale_opportunity_management.wizard_merge')
    def merge(cls, duplicates):
        pass

    @classmethod
    @without_check_access
    def find_all(cls):
        """Begin the search of the duplicates among all the parties

        It is called by the cron task."""
        pool = Pool()
        Company = pool.get('company.company')
        Job = pool.get('sale.job')
        Party = pool.get('party.party')
        cursor = Transaction().connection.cursor()
        table = Party.__table__()
        domain = []
        if (company := Transaction().context.get('company')) is not None:
            domain.append(('id', '=', company))
        for company in Company.search(domain):
            jobs = Job.search([
                    ('company', '=', company.id),
                    ('model', '=', cls.__name__),
                    ])
            if any(j.state == 'running' for j in jobs):
                continue
            since = max(
                (j.create_date for j in jobs if j.state == 'done'),
                default=None)
            # Of those before only what they found counts
            Job.delete(jobs)
            cursor.execute(*table.select(
                    table.id, where=table.active == Literal(True),
                    order_by=[table.id]))
            ids = [id_ for id_, in cursor]
            lang = company.party.lang
            with Transaction().set_context(
                    language=lang.code if lang else None):
                name = gettext('sale_opportunity_management.msg_duplicate_job')
            Job.begin(
                name, company, cls, 'find', ids, _SIZE,
                since=(since - _MARGIN).isoformat() if since else None)

    @classmethod
    @without_check_access
    def find(cls, ids, since=None):
        """Find the duplicates of the parties with the ids

        Those that are none any more are forgotten.  since is the moment in ISO
        format from which on similar names are looked for."""
        pool = Pool()
        Party = pool.get('party.party')
        company = Transaction().context['company']
        known = {
            (d.party.id, d.other.id): d for d in cls.search([
                    ('company', '=', company),
                    ('party', 'in', ids),
                    ])}
        with inactive_records():
            active = {
                p.id for p in Party.search([
                        ('id', 'in', [i for p in known for i in p]),
                        ('active', '=', True),
                        ])}
        found = Finder(
            ids,
            known=[p for p in known if active.issuperset(p)],
            since=dt.datetime.fromisoformat(since) if since else None).run()
        cls.delete([
                d for pair, d in known.items()
                if d.state == 'to_review' and pair not in found])
        before = cls._search_before(
            company, [p for p in found if p[0] not in set(ids)])
        to_save = []
        for pair, (matches, score) in found.items():
            if pair in before:
                continue
            duplicate = known.get(pair)
            if not duplicate:
                party, other = pair
                duplicate = cls(company=company, party=party, other=other)
            elif duplicate.state == 'merged':
                # It was not for good as both are active
                duplicate.state = 'to_review'
            elif (duplicate.score == score
                    and set(duplicate.matches or []) == matches):
                continue
            duplicate.matches = sorted(matches)
            duplicate.score = score
            to_save.append(duplicate)
        cls.save(to_save)
        return len(ids)

    @classmethod
    def _search_before(cls, company, pairs):
        "Return those of the pairs that are known and rated by another slice"
        return {
            (d.party.id, d.other.id) for d in cls.search([
                    ('company', '=', company),
                    ('party', 'in', [p for p, _ in pairs]),
                    ('other', 'in', [o for _, o in pairs]),
                    ])} & set(pairs)

    @classmethod
    @without_check_access
    def forget(cls, parties):
        "Forget what was to review about the parties"
        cls.delete(cls._search_pairs(parties, [('state', '=', 'to_review')]))

    @classmethod
    def _search_pairs(cls, parties, domain):
        ids = list(map(int, parties))
        return cls.search([
                domain,
                ['OR', ('party', 'in', ids), ('other', 'in', ids)],
                ], order=[('id', 'ASC')])

    @classmethod
    @without_check_access
    def replace(cls, source, destination):
        """Let the pairs of the source be those of the destination

        What is not the source is neither the destination."""
        table = {}
        for duplicate in cls._search_pairs([destination], []):
            table[duplicate._key(destination)] = duplicate
        to_save, to_delete = [], []
        for duplicate in cls._search_pairs(
                [source], [('state', '!=', 'merged')]):
            company, other = duplicate._key(source)
            if other == destination:
                duplicate.state = 'merged'
                to_save.append(duplicate)
            elif kept := table.get((company, other)):
                if (kept.state == 'to_review'
                        and duplicate.state == 'not_duplicate'):
                    kept.state = 'not_duplicate'
                    to_save.append(kept)
                to_delete.append(duplicate)
            else:
                duplicate.party, duplicate.other = sorted(
                    [destination, other], key=int)
                to_save.append(duplicate)
        cls.save(to_save)
        cls.delete(to_delete)

    @classmethod
    @without_check_access
    def part(cls, party, other):
        "Let the two that were merged by mistake be no duplicates"
        duplicates = [
            d for d in cls._search_pairs([party], [])
            if other in {d.party, d.other}]
        cls.write(duplicates, {'state': 'not_duplicate'})

    def _key(self, party):
        other, = {self.party, self.other} - {party}
        return self.company, other
