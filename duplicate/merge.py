# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from collections import Counter

from sql import Column
from sql.aggregate import Count

from trytond import backend
from trytond.exceptions import UserError
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.transaction import (
    Transaction, check_access, inactive_records, without_check_access)
from trytond.wizard import Button, StateTransition, StateView, Wizard

from ..savepoint import savepoint
from .exceptions import MergeError

_in = fields.SQL_OPERATORS['in']


class Merge(Wizard):
    __name__ = 'party.merge'
    start_state = 'ask'

    ask = StateView(
        'party.merge.ask',
        'sale_opportunity_management.merge_ask_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Merge", 'merge', 'tryton-ok', default=True),
            ])
    merge = StateTransition()
    result = StateView(
        'party.merge.result',
        'sale_opportunity_management.merge_result_view_form', [
            Button("Close", 'end', 'tryton-close', default=True),
            ])

    @check_access
    def default_ask(self, fields):
        pool = Pool()
        Party = pool.get('party.party')
        if not self.model:
            return {}
        records = self.model.search([
                ('id', 'in', [r.id for r in self.records]),
                ])
        if self.model.__name__ == 'party.duplicate':
            ids = {
                p.id for r in records if r.state == 'to_review'
                for p in [r.party, r.other]}
        else:
            ids = {r.id for r in records}
        parties = Party.search(
            [('id', 'in', list(ids))], order=[('id', 'ASC')])
        numbers = Counter()
        for _, _, party, number in get_numbers(parties):
            numbers[party] += number
        # Of those with as many the oldest
        survivor = max(parties, key=lambda p: numbers[p.id], default=None)
        return {
            'survivor': survivor.id if survivor else None,
            'parties': [p.id for p in parties],
            'lines': [{
                    'party': party.id,
                    'party.': {'rec_name': party.rec_name},
                    'merge': True,
                    'details': party.get_duplicate_details(),
                    'number': numbers[party.id],
                    'create_date': party.create_date,
                    } for party in parties],
            }

    @check_access
    def transition_merge(self):
        parties, survivor = self._get_parties()
        refused = []
        for party in parties:
            try:
                with savepoint(), without_check_access():
                    self._replace(party, survivor)
            except (UserError, backend.DatabaseIntegrityError) as e:
                refused.append(gettext(
                        'sale_opportunity_management.msg_merge_refused',
                        party=party.rec_name,
                        reason=getattr(e, 'message', e)))
        twins = self._get_twins(survivor)
        if not refused and not twins:
            return 'end'
        self.result.merged = len(parties) - len(refused)
        self.result.refused = '\n'.join(refused)
        self.result.trackings = twins
        return 'result'

    @classmethod
    def _get_twins(cls, party):
        "Return the open trackings of a business unit that has several"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        trackings = Tracking.search([
                ('party', '=', party.id),
                ('state', '=', 'open'),
                ], order=[('business_unit', 'ASC'), ('start_date', 'ASC')])
        numbers = Counter((t.company, t.business_unit) for t in trackings)
        return [
            t for t in trackings if numbers[t.company, t.business_unit] > 1]

    def _get_parties(self):
        "Return the parties to merge and the one that stays"
        pool = Pool()
        Party = pool.get('party.party')
        survivor = self.ask.survivor
        ids = {
            line.party.id for line in self.ask.lines
            if line.merge and line.party}
        parties = Party.search(
            [('id', 'in', list(ids))], order=[('id', 'ASC')])
        with inactive_records():
            # It may be pressed again when the answer was lost
            merged = Party.search([
                    ('id', 'in', list(ids)),
                    ('active', '=', False),
                    ('replaced_by', '=', survivor.id),
                    ], limit=1) if survivor else []
        if survivor not in parties or len(parties) < 2 and not merged:
            raise MergeError(gettext(
                    'sale_opportunity_management.msg_merge_parties'))
        parties.remove(survivor)
        return parties, survivor

    @classmethod
    def _replace(cls, source, destination):
        pool = Pool()
        Party = pool.get('party.party')
        Replace = pool.get('party.replace', type='wizard')
        Session = pool.get('ir.session.wizard')
        # The other wizard is not for the administrators of the trackings
        session, = Session.create([{}])
        replace = Replace(session.id)
        # The parties have changed with each one that was merged
        replace.ask.source = Party(source.id)
        replace.ask.destination = Party(destination.id)
        # The differences were shown
        with Transaction().set_context(_skip_warnings=True):
            replace.transition_replace()
        Session.delete([session])

    def default_result(self, fields):
        return {
            'merged': self.result.merged,
            'refused': self.result.refused,
            'trackings': [t.id for t in self.result.trackings or []],
            }

    def end(self):
        return 'reload'


@without_check_access
def get_numbers(parties):
    "Yield model, field, party and how many records would be moved"
    pool = Pool()
    Replace = pool.get('party.replace', type='wizard')
    cursor = Transaction().connection.cursor()
    if not parties:
        return
    for model, name in Replace.fields_to_replace():
        Model = pool.get(model)
        table = Model.__table__()
        column = Column(table, name)
        if Model._fields[name]._type == 'reference':
            ids = {str(p): p.id for p in parties}
        else:
            ids = {p.id: p.id for p in parties}
        cursor.execute(*table.select(
                column, Count(table.id),
                where=_in(column, list(ids)), group_by=[column]))
        for value, number in cursor.fetchall():
            yield Model, name, ids[value], number


class MergeAsk(ModelView):
    __name__ = 'party.merge.ask'

    survivor = fields.Many2One(
        'party.party', "Party That Stays", required=True,
        domain=[
            ('id', 'in', Eval('parties', [])),
            ],
        help="The party that gets what the others have.")
    parties = fields.Many2Many('party.party', None, None, "Parties")
    lines = fields.One2Many(
        'party.merge.line', None, "Parties",
        help="Clear the parties to leave as they are.")
    moves = fields.One2Many(
        'party.merge.move', None, "What Is Moved", readonly=True,
        help="How many records of the others the party that stays gets.")

    @fields.depends('lines')
    def on_change_with_parties(self):
        return sorted({
                line.party.id for line in self.lines or []
                if line.party and line.merge})

    @fields.depends('moves', methods=['_get_moves'])
    def on_change_survivor(self):
        self.moves = self._get_moves()

    @fields.depends('moves', methods=['_get_moves'])
    def on_change_lines(self):
        self.moves = self._get_moves()

    @fields.depends('survivor', methods=['on_change_with_parties'])
    @check_access
    def _get_moves(self):
        pool = Pool()
        Move = pool.get('party.merge.move')
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        if not self.survivor or not Tracking.is_administrator():
            return []
        parties = {
            p.id: p for p in Party.search([
                    ('id', 'in', self.on_change_with_parties()),
                    ('id', '!=', self.survivor.id),
                    ])}
        moves = []
        for Model, name, party, number in get_numbers(list(parties.values())):
            names = Model.__names__(name)
            moves.append(Move(
                    party=parties[party], model=names['model'],
                    field=names['field'], number=number))
        return sorted(moves, key=lambda m: (m.party.id, m.model, m.field))


class MergeLine(ModelView):
    __name__ = 'party.merge.line'

    party = fields.Many2One('party.party', "Party", readonly=True)
    merge = fields.Boolean("Merge")
    details = fields.Text("Details", readonly=True)
    number = fields.Integer(
        "Records", readonly=True,
        help="How many records there are of the party.")
    create_date = fields.DateTime("Created at", readonly=True)

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(~Eval('merge'), 'muted', '')),
            ]


class MergeMove(ModelView):
    __name__ = 'party.merge.move'

    party = fields.Many2One('party.party', "Party", readonly=True)
    model = fields.Char("Records", readonly=True)
    field = fields.Char("As", readonly=True)
    number = fields.Integer("Number", readonly=True)


class MergeResult(ModelView):
    __name__ = 'party.merge.result'

    merged = fields.Integer(
        "Merged", readonly=True, help="How many parties were merged.")
    refused = fields.Text(
        "Not Merged", readonly=True,
        states={
            'invisible': ~Eval('refused'),
            })
    trackings = fields.Many2Many(
        'sale.tracking', None, None, "Open Trackings", readonly=True,
        states={
            'invisible': ~Eval('trackings'),
            },
        help="The party that stays has several of the same business unit: "
        "close those that are not needed.")
