# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from sql import Null, Union
from sql.conditionals import Case
from sql.functions import CharLength

from trytond.i18n import gettext
from trytond.ir.attachment import AttachmentCopyMixin
from trytond.ir.note import NoteCopyMixin
from trytond.model import (
    ChatMixin, Index, ModelSQL, ModelView, Unique, Workflow, fields)
from trytond.model.exceptions import AccessError
from trytond.modules.company.model import (
    employee_field, reset_employee, set_employee)
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.transaction import (
    Transaction, check_access, inactive_records, without_check_access)

from ..moment import now
from ..tools import accepted_domain
from .exceptions import (
    ClaimCloseError, ClaimDeadlineError, ClaimOriginError,
    ClaimResponsibleError, SimilarClaimWarning)
from .type import KINDS

_ENDED = ['closed', 'cancelled']


def _is_checked():
    transaction = Transaction()
    return transaction.user and transaction.check_access


class Claim(
        AttachmentCopyMixin, NoteCopyMixin, Workflow, ModelSQL, ModelView,
        ChatMixin):
    __name__ = 'sale.claim'
    _history = True
    _rec_name = 'number'

    _states = {
        'readonly': Eval('state').in_(_ENDED),
        }
    _draft_states = {
        'readonly': Eval('state') != 'draft',
        }
    _open_states = {
        'readonly': _states['readonly'],
        'required': Eval('state').in_(['open', 'closed']),
        }

    number = fields.Char("Number", required=True, readonly=True)
    kind = fields.Selection(
        KINDS, "Kind", required=True, sort=False, states=_draft_states,
        help="Who claims: a customer from us or we from a supplier.")
    kind_string = kind.translated('kind')
    party = fields.Many2One(
        'party.party', "Party", required=True, ondelete='RESTRICT',
        states={
            'readonly': (
                _draft_states['readonly'] | Bool(Eval('origins', [0]))),
            },
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    contact = fields.Many2One(
        'party.contact', "Contact", ondelete='RESTRICT', states=_states,
        domain=[
            ('party', '=', Eval('party', -1)),
            ],
        help="The person to talk to about the claim.")
    company = fields.Many2One(
        'company.company', "Company", required=True,
        states={
            'readonly': (
                _draft_states['readonly'] | Bool(Eval('party'))),
            })
    currency = fields.Function(
        fields.Many2One('currency.currency', "Currency"),
        'on_change_with_currency')
    type = fields.Many2One(
        'sale.claim.type', "Type", ondelete='RESTRICT', states=_open_states,
        domain=[
            ('kind', 'in', [Eval('kind', ''), 'both']),
            ('company', 'in', [Eval('company', -1), None]),
            ])
    priority = fields.Selection([
            ('high', "High"),
            ('medium', "Medium"),
            ('low', "Low"),
            ], "Priority", required=True, sort=False, states=_states)
    priority_string = priority.translated('priority')
    priority_icon = fields.Function(
        fields.Char("Priority Icon"), 'on_change_with_priority_icon')
    tracking = fields.Many2One(
        'sale.tracking', "Tracking", ondelete='RESTRICT',
        states={
            'readonly': _states['readonly'],
            'invisible': Eval('kind') != 'customer',
            },
        domain=[
            ('company', '=', Eval('company', -1)),
            ('party', '=', Eval('party', -1)),
            ],
        help="The tracking of the customer, "
        "whose operator and manager work the claim too.")
    responsible = fields.Many2One(
        'company.employee', "Responsible", ondelete='RESTRICT',
        states=_open_states,
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="The employee who has to solve the claim.")
    report_date = fields.Date(
        "Reported On", required=True, states=_states)
    deadline = fields.Date(
        "Deadline", states=_states,
        domain=[
            If(Bool(Eval('deadline')) & Bool(Eval('report_date')),
                ('deadline', '>=', Eval('report_date', None)),
                ()),
            ],
        help="Until when the claim has to be closed.\n"
        "It comes from the type when the claim is opened without.")
    overdue = fields.Function(
        fields.Boolean("Overdue"), 'get_overdue', searcher='search_overdue')
    reference = fields.Char(
        "Reference", states=_states,
        help="The number that the other side gave to the claim.")
    amount = fields.Numeric(
        "Amount Claimed", digits='currency', states=_states,
        domain=['OR',
            ('amount', '=', None),
            ('amount', '>=', 0),
            ])
    subject = fields.Char("Subject", required=True, states=_states)
    description = fields.Text("Description", states=_states)
    origins = fields.One2Many(
        'sale.claim.origin', 'claim', "Origins", states=_states,
        help="The documents that the claim is about.")
    causes = fields.Many2Many(
        'sale.claim-sale.claim.cause', 'claim', 'cause', "Causes",
        states=_states,
        domain=[
            ('kind', 'in', [Eval('kind', ''), 'both']),
            ('company', 'in', [Eval('company', -1), None]),
            ],
        help="Why it happened.")
    analysis = fields.Text(
        "Analysis", states=_states,
        help="What was found out about the causes.")
    resolution_type = fields.Many2One(
        'sale.claim.resolution', "Resolution Type", ondelete='RESTRICT',
        states=_states,
        domain=[
            ('kind', 'in', [Eval('kind', ''), 'both']),
            ('company', 'in', [Eval('company', -1), None]),
            ])
    resolution = fields.Text(
        "Resolution", states=_states,
        help="What was done to solve the claim.")
    events = fields.One2Many(
        'sale.claim.event', 'claim', "Log", states=_states,
        order=[('date', 'DESC'), ('id', 'DESC')],
        help="What changed and what was communicated.")
    closed_on = fields.Date(
        "Closed On", readonly=True,
        states={
            'invisible': ~Eval('closed_on'),
            })
    reopened = fields.Integer(
        "Reopened", readonly=True,
        states={
            'invisible': ~Eval('reopened'),
            },
        help="How many times the claim was opened again.")
    raise_key = fields.Char(
        "Key of the Dialog", readonly=True,
        help="What tells apart the dialog in which the claim was raised.")
    opened_by = employee_field(
        "Opened By", states=['draft', 'open', 'closed', 'cancelled'])
    closed_by = employee_field(
        "Closed By", states=['draft', 'open', 'closed', 'cancelled'])
    state = fields.Selection([
            ('draft', "Draft"),
            ('open', "Open"),
            ('closed', "Closed"),
            ('cancelled', "Cancelled"),
            ], "State", required=True, readonly=True, sort=False)
    state_string = state.translated('state')

    del _states, _draft_states, _open_states

    @classmethod
    def __setup__(cls):
        cls.number.search_unaccented = False
        cls.raise_key.search_unaccented = False
        cls.opened_by.readonly = True
        cls.closed_by.readonly = True
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('raise_key_unique', Unique(t, t.raise_key),
                'sale_opportunity_management.msg_claim_raised'),
            ]
        is_live = t.state.in_(['draft', 'open'])
        cls._sql_indexes.update({
                Index(
                    t,
                    (t.report_date, Index.Range(order='DESC')),
                    (t.id, Index.Range(order='DESC')),
                    include=[
                        t.company, t.kind, t.tracking, t.responsible,
                        t.state]),
                Index(
                    t,
                    (t.kind, Index.Equality(cardinality='low')),
                    (t.deadline, Index.Range()),
                    where=t.state == 'open'),
                Index(
                    t,
                    (t.responsible, Index.Equality()),
                    (t.deadline, Index.Range()),
                    where=is_live),
                Index(t, (t.responsible, Index.Range())),
                Index(
                    t,
                    (t.party, Index.Equality()),
                    (t.company, Index.Equality(cardinality='low')),
                    where=t.state == 'open'),
                Index(t, (t.party, Index.Range())),
                Index(
                    t,
                    (t.tracking, Index.Equality()),
                    where=t.tracking != Null),
                Index(t, (t.type, Index.Range())),
                Index(
                    t,
                    (Index.Unaccent(t.subject), Index.Similarity())),
                })
        cls._order = [('report_date', 'DESC'), ('id', 'DESC')]
        cls._transitions |= {
            ('draft', 'open'),
            ('draft', 'cancelled'),
            ('open', 'closed'),
            ('open', 'cancelled'),
            ('closed', 'open'),
            }
        cls._buttons.update({
                'open': {
                    'invisible': Eval('state') != 'draft',
                    'depends': ['state'],
                    },
                'close': {
                    'invisible': Eval('state') != 'open',
                    'depends': ['state'],
                    },
                'reopen': {
                    'invisible': Eval('state') != 'closed',
                    'depends': ['state'],
                    },
                'cancel': {
                    'invisible': ~Eval('state').in_(['draft', 'open']),
                    'depends': ['state'],
                    },
                })

    @classmethod
    def order_number(cls, tables):
        table, _ = tables[None]
        return [CharLength(table.number), table.number]

    @classmethod
    def order_priority(cls, tables):
        table, _ = tables[None]
        return [Case(
                (table.priority == 'high', 0),
                (table.priority == 'medium', 1),
                else_=2)]

    @classmethod
    def default_kind(cls):
        return 'customer'

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_priority(cls):
        return 'medium'

    @classmethod
    def default_responsible(cls):
        return Transaction().context.get('employee')

    @classmethod
    def default_report_date(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        return Date.today()

    @classmethod
    def default_reopened(cls):
        return 0

    @classmethod
    def default_state(cls):
        return 'draft'

    @fields.depends('company')
    def on_change_with_currency(self, name=None):
        return self.company.currency if self.company else None

    @fields.depends('priority')
    def on_change_with_priority_icon(self, name=None):
        if self.priority:
            return f'tryton-sale-priority-{self.priority}'

    @fields.depends('party', 'contact', 'tracking')
    def on_change_party(self):
        if self.contact and self.contact.party != self.party:
            self.contact = None
        if self.tracking and self.tracking.party != self.party:
            self.tracking = None

    @fields.depends('kind', 'type', 'tracking', 'causes', 'resolution_type')
    def on_change_kind(self):
        kinds = {self.kind, 'both'}
        if self.type and self.type.kind not in kinds:
            self.type = None
        if self.resolution_type and self.resolution_type.kind not in kinds:
            self.resolution_type = None
        self.causes = [c for c in self.causes or [] if c.kind in kinds]
        if self.kind != 'customer':
            self.tracking = None

    @fields.depends('type', 'report_date', 'deadline')
    def on_change_type(self):
        if not self.deadline:
            self.deadline = self._get_deadline()

    def _get_deadline(self):
        if self.type and self.type.term is not None and self.report_date:
            return self.report_date + self.type.term

    @classmethod
    def _today(cls, company):
        pool = Pool()
        Date = pool.get('ir.date')
        with Transaction().set_context(company=company and int(company)):
            return Date.today()

    @classmethod
    def get_overdue(cls, claims, name):
        today = {c: cls._today(c) for c in {c.company for c in claims}}
        return {
            c.id: bool(
                c.state == 'open' and c.deadline
                and c.deadline < today[c.company])
            for c in claims}

    @classmethod
    def search_overdue(cls, name, clause):
        today = cls._today(Transaction().context.get('company'))
        return accepted_domain(clause, {
                True: [('state', '=', 'open'), ('deadline', '<', today)],
                False: ['OR',
                    ('state', '!=', 'open'),
                    ('deadline', '=', None),
                    ('deadline', '>=', today),
                    ],
                })

    def get_rec_name(self, name):
        return ' '.join(filter(None, [
                    self.number, self.party and self.party.rec_name]))

    @classmethod
    def search_rec_name(cls, name, clause):
        pool = Pool()
        Party = pool.get('party.party')
        _, operator, *extra = clause
        t = cls.__table__()
        own = [
            ('number', operator, *extra),
            ('subject', operator, *extra),
            ]
        with inactive_records(), without_check_access():
            parties = Party.search(
                [('rec_name', operator, *extra)], order=[], query=True)
            by_party = t.select(t.id, where=t.party.in_(parties))
            if operator.startswith('!') or operator.startswith('not '):
                return [*own, ('id', 'in', by_party)]
            # Each one uses its index
            return [('id', 'in', Union(
                        *(cls.search([c], order=[], query=True) for c in own),
                        by_party))]

    @classmethod
    def kinds_text(cls, kind):
        "Return what there is to do, as the activities do"
        return gettext('sale_opportunity_management.msg_claim_to_solve')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('state').in_(_ENDED), 'muted',
                    If(Eval('overdue', False), 'danger',
                        If((Eval('state') == 'open')
                            & (Eval('priority') == 'high'), 'warning', '')))),
            ('//page[@name="events"]', 'states', {
                    'invisible': Eval('state') == 'draft',
                    }),
            ]

    def chat_language(self, audience='internal'):
        language = super().chat_language(audience=audience)
        if audience == 'public':
            language = self.party.lang.code if self.party.lang else None
        return language

    @classmethod
    def _before_create(cls, vlist):
        # Before an error tells the name of what is linked
        if _is_checked():
            for values in vlist:
                cls._check_linked(values)
        return super()._before_create(vlist)

    @classmethod
    def preprocess_values(cls, mode, values):
        pool = Pool()
        Configuration = pool.get('sale.configuration')
        values = super().preprocess_values(mode, values)
        if mode == 'create' and not values.get('number'):
            company_id = values.get('company', cls.default_company())
            if company_id is not None:
                configuration = Configuration(1)
                if sequence := configuration.get_multivalue(
                        'claim_sequence', company=company_id):
                    values['number'] = sequence.get()
        return values

    @classmethod
    def validate_fields(cls, claims, field_names):
        super().validate_fields(claims, field_names)
        cls.check_deadline(claims, field_names)
        cls.check_responsible(claims, field_names)
        cls.check_closed(claims, field_names)
        cls.check_origins(claims, field_names)

    @classmethod
    def check_deadline(cls, claims, field_names=None):
        if field_names is not None and 'deadline' not in field_names:
            return
        for claim in claims:
            if (claim.state not in _ENDED
                    and claim.deadline
                    and claim.deadline < cls._today(claim.company)):
                raise ClaimDeadlineError(gettext(
                        'sale_opportunity_management.msg_claim_deadline_past',
                        claim=claim.rec_name))

    @classmethod
    def check_responsible(cls, claims, field_names=None):
        if (field_names is not None
                and not field_names & {'responsible', 'state'}):
            return
        for claim in claims:
            employee = claim.responsible
            if claim.state in _ENDED or not employee:
                continue
            with Transaction().set_context(company=claim.company.id):
                if not employee.__class__(employee.id).active:
                    raise ClaimResponsibleError(gettext(
                            'sale_opportunity_management'
                            '.msg_claim_responsible_inactive',
                            claim=claim.rec_name,
                            responsible=employee.rec_name))

    @classmethod
    def check_closed(cls, claims, field_names=None):
        if (field_names is not None
                and not field_names & {'causes', 'resolution', 'state'}):
            return
        for claim in claims:
            if claim.state != 'closed':
                continue
            if not claim.causes:
                raise ClaimCloseError(gettext(
                        'sale_opportunity_management.msg_claim_close_cause',
                        claim=claim.rec_name))
            if not (claim.resolution or '').strip():
                raise ClaimCloseError(gettext(
                        'sale_opportunity_management'
                        '.msg_claim_close_resolution',
                        claim=claim.rec_name))

    @classmethod
    def check_origins(cls, claims, field_names=None):
        pool = Pool()
        Origin = pool.get('sale.claim.origin')
        if (field_names is not None
                and not field_names & {'company', 'party'}):
            return
        Origin.check_origin([o for c in claims for o in c.origins])

    @classmethod
    def _draft_fields(cls):
        "The fields that stay as they were when the claim was opened"
        return {'kind', 'party', 'company'}

    @classmethod
    def _facts(cls):
        "The fields that stay as they were when the claim ended"
        return cls._draft_fields() | {
            'contact', 'type', 'priority', 'tracking', 'responsible',
            'report_date', 'deadline', 'reference', 'amount', 'subject',
            'description', 'origins', 'causes', 'analysis',
            'resolution_type', 'resolution', 'events'}

    @classmethod
    def check_modification(cls, mode, claims, values=None, external=False):
        super().check_modification(
            mode, claims, values=values, external=external)
        if mode == 'write' and external:
            for claim in claims:
                if claim.state in _ENDED and values.keys() & cls._facts():
                    raise AccessError(gettext(
                            'sale_opportunity_management.msg_claim_ended',
                            claim=claim.rec_name))
                if (claim.state != 'draft'
                        and values.keys() & cls._draft_fields()):
                    raise AccessError(gettext(
                            'sale_opportunity_management'
                            '.msg_claim_change_party',
                            claim=claim.rec_name))
        elif mode == 'delete':
            for claim in claims:
                if claim.state != 'draft':
                    raise AccessError(gettext(
                            'sale_opportunity_management.msg_claim_delete',
                            claim=claim.rec_name))

    @classmethod
    def _logged_fields(cls):
        return [
            'state', 'responsible', 'type', 'priority', 'deadline', 'subject',
            'contact', 'reference', 'amount', 'tracking', 'description',
            'causes', 'analysis', 'resolution_type', 'resolution']

    def _logged_value(self, name):
        "Return the value as it is told in the log"
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        field = self._fields[name]
        value = getattr(self, name)
        if not value:
            return ''
        elif field._type == 'selection':
            return getattr(self, f'{name}_string')
        elif field._type == 'many2one':
            return value.rec_name
        elif field._type == 'many2many':
            return ', '.join(r.rec_name for r in value)
        elif field._type == 'date':
            return lang.strftime(value)
        elif field._type == 'numeric':
            return lang.currency(value, self.currency)
        return value

    @classmethod
    def on_write(cls, claims, values):
        pool = Pool()
        Event = pool.get('sale.claim.event')
        callbacks = super().on_write(claims, values)
        names = [n for n in cls._logged_fields() if n in values]
        if not names:
            return callbacks

        def get_values():
            with without_check_access():
                return {
                    c.id: {n: c._logged_value(n) for n in names}
                    for c in cls.browse(claims)
                    if c.state != 'draft' or 'state' in names}
        before = get_values()

        def log():
            after = get_values()
            to_create = []
            for id_ in before.keys() & after.keys():
                if lines := [
                        cls._log_line(n, before[id_][n], after[id_][n])
                        for n in names if before[id_][n] != after[id_][n]]:
                    to_create.append({
                            'claim': id_,
                            'kind': 'change',
                            'text': '\n'.join(lines),
                            })
            with without_check_access():
                Event.create(to_create)
        callbacks.append(log)
        return callbacks

    @classmethod
    def _log_line(cls, name, before, after):
        names = cls.__names__(name)
        if cls._fields[name]._type == 'text':
            return gettext(
                'sale_opportunity_management.msg_claim_changed_text',
                **names)
        return gettext(
            'sale_opportunity_management.msg_claim_changed',
            before=before, after=after, **names)

    @classmethod
    def copy(cls, claims, default=None):
        default = default.copy() if default is not None else {}
        for name in [
                'number', 'deadline', 'reference', 'origins', 'causes',
                'analysis', 'resolution_type', 'resolution', 'events',
                'closed_on', 'raise_key', 'opened_by', 'closed_by']:
            default.setdefault(name, None)
        default.setdefault('report_date', cls.default_report_date())
        default.setdefault('reopened', cls.default_reopened())
        return super().copy(claims, default=default)

    @classmethod
    @ModelView.button
    @Workflow.transition('open')
    @set_employee('opened_by')
    def open(cls, claims):
        cls.lock(claims)
        for claim in claims:
            claim._check_similar()
            if not claim.deadline:
                deadline = claim._get_deadline()
                # What is reported late may be over already
                if deadline and deadline >= cls._today(claim.company):
                    claim.deadline = deadline
        cls.save(claims)

    def _check_similar(self):
        pool = Pool()
        Warning = pool.get('res.user.warning')
        if not self.origins:
            return
        with check_access():
            similar = self.__class__.search([
                    ('id', '!=', self.id),
                    ('company', '=', self.company.id),
                    ('kind', '=', self.kind),
                    ('state', '=', 'open'),
                    ('origins.origin', 'in', [
                            str(o.origin) for o in self.origins]),
                    ], limit=1)
        for claim in similar:
            key = Warning.format('similar_claim', [self, claim])
            if Warning.check(key):
                raise SimilarClaimWarning(key, gettext(
                        'sale_opportunity_management.msg_claim_similar',
                        similar=claim.rec_name))

    @classmethod
    @ModelView.button
    @Workflow.transition('closed')
    @set_employee('closed_by')
    def close(cls, claims):
        cls.lock(claims)
        for claim in claims:
            claim.closed_on = cls._today(claim.company)
        cls.save(claims)

    @classmethod
    @ModelView.button
    @Workflow.transition('open')
    @reset_employee('closed_by')
    def reopen(cls, claims):
        cls.lock(claims)
        for claim in claims:
            claim.closed_on = None
            claim.reopened = (claim.reopened or 0) + 1
        cls.save(claims)

    @classmethod
    @ModelView.button
    @Workflow.transition('cancelled')
    def cancel(cls, claims):
        cls.lock(claims)


class _ClaimLine(ModelSQL, ModelView):

    claim = fields.Many2One(
        'sale.claim', "Claim", required=True, ondelete='CASCADE')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('claim')

    @classmethod
    def _before_create(cls, vlist):
        if _is_checked():
            for values in vlist:
                cls._check_linked(values)
        return super()._before_create(vlist)

    @classmethod
    def check_modification(cls, mode, lines, values=None, external=False):
        super().check_modification(
            mode, lines, values=values, external=external)
        if external:
            for line in lines:
                if line.claim.state in _ENDED:
                    raise AccessError(gettext(
                            'sale_opportunity_management.msg_claim_ended',
                            claim=line.claim.rec_name))
                if mode == 'write' and values.get(
                        'claim', line.claim.id) != line.claim.id:
                    raise AccessError(gettext(
                            'sale_opportunity_management.msg_claim_line_move',
                            claim=line.claim.rec_name))


class ClaimCause(_ClaimLine):
    __name__ = 'sale.claim-sale.claim.cause'

    cause = fields.Many2One(
        'sale.claim.cause', "Cause", required=True, ondelete='RESTRICT')


class Origin(_ClaimLine):
    __name__ = 'sale.claim.origin'

    origin = fields.Reference(
        "Origin", selection='get_origins', required=True,
        help="The document that the claim is about.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.origin, Index.Equality())),
                })

    @classmethod
    def _party_fields(cls):
        "Return by model of the origins the name of the field of their party"
        return {
            'sale.tracking': 'party',
            'sale.call': 'party',
            'sale.sale': 'party',
            'account.invoice': 'party',
            'stock.shipment.out': 'customer',
            'stock.shipment.out.return': 'customer',
            'stock.shipment.in': 'supplier',
            'stock.shipment.in.return': 'supplier',
            }

    @classmethod
    def get_origins(cls):
        pool = Pool()
        Model = pool.get('ir.model')
        ModelAccess = pool.get('ir.model.access')
        access = ModelAccess.get_access(cls._party_fields())
        return [
            (name, Model.get_name(name)) for name in cls._party_fields()
            if access[name]['read']]

    @classmethod
    def get_party(cls, origin):
        return getattr(origin, cls._party_fields()[origin.__name__])

    @classmethod
    def _before_create(cls, vlist):
        if _is_checked():
            cls.check_readable([
                    v['origin'] for v in vlist if v.get('origin')])
        return super()._before_create(vlist)

    def get_rec_name(self, name):
        return self.origin.rec_name if self.origin else ''

    @classmethod
    def read(cls, ids, fields_names):
        if 'origin.rec_name' not in fields_names:
            return super().read(ids, fields_names)
        # Whoever reads the claim reads also the names of its origins
        rows = super().read(ids, [
                n for n in {*fields_names, 'id', 'origin'}
                if n != 'origin.rec_name'])
        with without_check_access():
            names = {
                line.id: {
                    'id': line.origin.id,
                    'rec_name': line.origin.rec_name,
                    }
                for line in cls.browse([r['id'] for r in rows])
                if line.origin and line.origin.id >= 0}
        for row in rows:
            row['origin.'] = names.get(row['id'])
        return rows

    @classmethod
    def validate_fields(cls, lines, field_names):
        super().validate_fields(lines, field_names)
        cls.check_origin(lines, field_names)

    @classmethod
    def check_origin(cls, lines, field_names=None):
        if field_names is not None and not field_names & {'claim', 'origin'}:
            return
        for line in lines:
            claim, origin = line.claim, line.origin
            if (cls.get_party(origin) != claim.party
                    or origin.company != claim.company):
                raise ClaimOriginError(gettext(
                        'sale_opportunity_management.msg_claim_origin_party',
                        origin=origin.rec_name,
                        party=claim.party.rec_name))

    @classmethod
    def check_modification(cls, mode, lines, values=None, external=False):
        super().check_modification(
            mode, lines, values=values, external=external)
        if mode == 'write' and external and values.get('origin'):
            cls.check_readable([values['origin']])

    @classmethod
    def check_readable(cls, origins):
        """Check that the user may read the origins and claim about them

        origins are records or their names."""
        pool = Pool()
        for origin in origins:
            model, id_ = str(origin).split(',')
            if model not in cls._party_fields():
                raise AccessError(gettext(
                        'sale_opportunity_management.msg_link_denied',
                        **cls.__names__('origin')))
            Model = pool.get(model)
            with check_access():
                Model.read([int(id_)], ['id'])
            origin = Model(int(id_))
            if origin.state in {'draft', 'cancelled'}:
                raise ClaimOriginError(gettext(
                        'sale_opportunity_management.msg_claim_origin_state',
                        origin=origin.rec_name))


class Event(_ClaimLine):
    __name__ = 'sale.claim.event'

    date = fields.DateTime("Date", required=True, readonly=True)
    employee = fields.Many2One(
        'company.employee', "Employee", ondelete='RESTRICT', readonly=True)
    kind = fields.Selection([
            ('note', "Note"),
            ('call', "Call"),
            ('email', "E-Mail"),
            ('letter', "Letter"),
            ('visit', "Visit"),
            ('change', "Change"),
            ], "Kind", required=True, sort=False,
        domain=[
            If(Eval('id', -1) < 0, ('kind', '!=', 'change'), ()),
            ],
        states={
            'readonly': Eval('id', -1) >= 0,
            })
    text = fields.Text(
        "Text", required=True,
        states={
            'readonly': Eval('id', -1) >= 0,
            },
        help="What was said, agreed or found out.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('date', 'DESC'), ('id', 'DESC')]

    @classmethod
    def default_date(cls):
        return now()

    @classmethod
    def default_employee(cls):
        pool = Pool()
        User = pool.get('res.user')
        employee = User.get_current_employee()
        return employee.id if employee else None

    @classmethod
    def default_kind(cls):
        return 'note'

    def get_rec_name(self, name):
        return ' '.join((self.text or '').split())

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('text', *clause[1:])]

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if mode == 'create':
            values['date'] = cls.default_date()
            values['employee'] = cls.default_employee()
        return values

    @classmethod
    def check_modification(cls, mode, events, values=None, external=False):
        super().check_modification(
            mode, events, values=values, external=external)
        if not external:
            return
        if mode in {'write', 'delete'} or any(
                e.kind == 'change' for e in events):
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_claim_event_modify'))
