# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import uuid

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction, check_access
from trytond.wizard import (
    Button, StateAction, StateTransition, StateView, Wizard)

from .exceptions import ClaimOriginError
from .type import KINDS

_SUPPLIER_MODELS = {'stock.shipment.in', 'stock.shipment.in.return'}


class Raise(Wizard):
    __name__ = 'sale.claim.raise'

    start = StateView(
        'sale.claim.raise.start',
        'sale_opportunity_management.claim_raise_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Raise", 'raise_', 'tryton-ok', default=True),
            ])
    raise_ = StateTransition()
    open_ = StateAction('sale_opportunity_management.act_claim_open')

    def default_start(self, fields):
        pool = Pool()
        Claim = pool.get('sale.claim')
        Start = pool.get('sale.claim.raise.start')
        values = {
            'key': uuid.uuid4().hex,
            'company': Claim.default_company(),
            'responsible': Claim.default_responsible(),
            **self._get_values(),
            }
        start = Start(company=values['company'], party=values['party'])
        if not values.get('tracking') and values['kind'] == 'customer':
            if tracking := start.find_tracking():
                values['tracking'] = tracking.id
        values['claims'] = [c.id for c in self._find_claims()]
        return values

    @check_access
    def _get_origins(self):
        "Return the selected documents that the user may claim about"
        pool = Pool()
        Origin = pool.get('sale.claim.origin')
        Party = pool.get('party.party')
        records = list(self.records) or [self.record]
        if self.model == Party:
            return []
        Origin.check_readable(records)
        return records

    @check_access
    def _get_values(self):
        "Return what is known from the selected records"
        pool = Pool()
        Call = pool.get('sale.call')
        Origin = pool.get('sale.claim.origin')
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        if self.model == Party:
            Party.read([self.record.id], ['id'])
            return {
                'kind': 'customer',
                'party': self.record.id,
                'origin_names': None,
                }
        origins = self._get_origins()
        parties = {Origin.get_party(o) for o in origins}
        companies = {o.company for o in origins}
        kinds = {self._get_kind(o) for o in origins}
        if (len(parties) != 1 or None in parties
                or len(companies) != 1 or len(kinds) != 1):
            raise ClaimOriginError(gettext(
                    'sale_opportunity_management.msg_claim_raise_party'))
        values = {
            'kind': kinds.pop(),
            'party': parties.pop().id,
            'company': companies.pop().id,
            'origin_names': '\n'.join(o.rec_name for o in origins),
            }
        trackings = set()
        if self.model == Tracking:
            trackings = set(origins)
        elif self.model == Call:
            trackings = {o.tracking for o in origins}
        if len(trackings) == 1 and (tracking := trackings.pop()):
            values['tracking'] = tracking.id
        return values

    @classmethod
    def _get_kind(cls, origin):
        if (origin.__name__ in _SUPPLIER_MODELS
                or (origin.__name__ == 'account.invoice'
                    and origin.type == 'in')):
            return 'supplier'
        return 'customer'

    @check_access
    def _find_claims(self):
        pool = Pool()
        Claim = pool.get('sale.claim')
        if origins := self._get_origins():
            return Claim.search([
                    ('state', '=', 'open'),
                    ('origins.origin', 'in', [str(o) for o in origins]),
                    ], limit=20)
        return Claim.search([
                ('state', '=', 'open'),
                ('party', '=', self.record.id),
                ], limit=20)

    @check_access
    def transition_raise_(self):
        # Not what the client says of the records
        for name, value in self._get_values().items():
            if name not in {'kind', 'tracking'} or (
                    name == 'kind' and self._get_origins()):
                setattr(self.start, name, value)
        self.start.claim = self.start.raise_claim(self._get_origins())
        return 'open_'

    def do_open_(self, action):
        return action, {'res_id': [self.start.claim.id]}

    def end(self):
        return 'reload'


class RaiseStart(ModelView):
    __name__ = 'sale.claim.raise.start'

    key = fields.Char("Key", readonly=True)
    claim = fields.Many2One('sale.claim', "Claim", readonly=True)
    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True)
    party = fields.Many2One(
        'party.party', "Party", required=True, readonly=True,
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    origin_names = fields.Text(
        "Origins", readonly=True,
        states={
            'invisible': ~Eval('origin_names'),
            },
        help="The documents that the claim is about.")
    claims = fields.Many2Many(
        'sale.claim', None, None, "Open Claims", readonly=True,
        states={
            'invisible': ~Eval('claims'),
            },
        help="What is claimed already.")
    kind = fields.Selection(
        KINDS, "Kind", required=True, sort=False,
        states={
            'readonly': ~~Eval('origin_names'),
            },
        help="Who claims: a customer from us or we from a supplier.")
    tracking = fields.Many2One(
        'sale.tracking', "Tracking",
        domain=[
            ('company', '=', Eval('company', -1)),
            ('party', '=', Eval('party', -1)),
            ],
        states={
            'invisible': Eval('kind') != 'customer',
            },
        help="The tracking of the customer, "
        "whose operator and manager work the claim too.")
    type = fields.Many2One(
        'sale.claim.type', "Type", required=True,
        domain=[
            ('kind', 'in', [Eval('kind', ''), 'both']),
            ('company', 'in', [Eval('company', -1), None]),
            ])
    responsible = fields.Many2One(
        'company.employee', "Responsible", required=True,
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="The employee who has to solve the claim.")
    subject = fields.Char("Subject", required=True)
    description = fields.Text("Description")

    @fields.depends('kind', 'type', 'tracking')
    def on_change_kind(self):
        if self.type and self.type.kind not in {self.kind, 'both'}:
            self.type = None
        if self.kind != 'customer':
            self.tracking = None

    @check_access
    def find_tracking(self):
        "Return the only open tracking of the party that the user works"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        trackings = Tracking.search([
                ('company', '=', self.company and self.company.id),
                ('party', '=', self.party.id),
                ('state', '=', 'open'),
                ], limit=2)
        if len(trackings) == 1:
            return trackings[0]

    def raise_claim(self, origins):
        """Create the open claim and return it

        It may be pressed again when the answer of the server was lost."""
        pool = Pool()
        Claim = pool.get('sale.claim')
        if self.key and (claims := Claim.search([
                        ('raise_key', '=', self.key),
                        ('create_uid', '=', Transaction().user),
                        ])):
            claim, = claims
            return claim
        claim, = Claim.create([{
                    'raise_key': self.key,
                    'kind': self.kind,
                    'party': self.party.id,
                    'company': self.company.id,
                    'tracking': self.tracking.id if self.tracking else None,
                    'type': self.type.id,
                    'responsible': self.responsible.id,
                    'subject': self.subject,
                    'description': self.description,
                    'origins': [
                        ('create', [{'origin': str(o)} for o in origins])],
                    }])
        Claim.open([claim])
        return claim
