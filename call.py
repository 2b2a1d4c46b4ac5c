# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from sql import Column, Literal, Null, Union
from sql.conditionals import Case
from sql.operators import Exists

from trytond.i18n import gettext
from trytond.model import Index, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Bool, Eval
from trytond.tools import grouped_slice, strip_wildcard
from trytond.transaction import Transaction, without_check_access

from .activity_mixin import ActivityMixin
from .exceptions import (
    CallerError, CallOpportunityError, CallOutcomeError, DurationError,
    IncomingCallError, PhoneNumberError)
from .follow_up import OpportunityMixin
from .party import PHONE_TYPES
from .phone import PhoneNumberMixin, match_number
from .reminder import ReminderMixin

INTERESTS = [
    (None, ""),
    ('0', "No Answer"),
    ('1', "No Interest"),
    ('2', "Some Interest, Send More Information"),
    ('3', "High Interest, Make the Sale"),
    ]
OUTCOMES = [
    (None, ""),
    ('answered', "Answered"),
    ('missed', "Missed"),
    ('voicemail', "Voicemail"),
    ]
UNANSWERED = ['missed', 'voicemail']


class Call(
        ReminderMixin, PhoneNumberMixin, OpportunityMixin,
        ActivityMixin):
    __name__ = 'sale.call'
    _history = True
    _reminder_icon = 'tryton-sale-call'

    direction = fields.Selection([
            ('outgoing', "Outgoing"),
            ('incoming', "Incoming"),
            ], "Direction", required=True, sort=False,
        states={
            'readonly': (
                ActivityMixin._facts_states['readonly']
                | (Eval('state') != 'done')),
            },
        help="Who called: we the others or the others us.")
    direction_string = direction.translated('direction')
    interest = fields.Selection(
        INTERESTS, "Interest", sort=False,
        states={
            'readonly': ActivityMixin._facts_states['readonly'],
            'invisible': Eval('state') != 'done',
            'required': (
                (Eval('state') == 'done') & Bool(Eval('tracking'))
                & (Eval('outcome') == 'answered')),
            },
        help="How much the customer was interested.")
    interest_string = interest.translated('interest')
    duration = fields.TimeDelta(
        "Duration",
        states={
            'readonly': ActivityMixin._facts_states['readonly'],
            'invisible': Eval('state') != 'done',
            },
        help="How long the call lasted.")
    kind = fields.Function(
        fields.Selection([
                (None, ""),
                ('first', "First Call"),
                ('follow_up', "Follow-up Call"),
                ], "Kind"),
        'get_kind', searcher='search_kind')
    kind_string = kind.translated('kind')
    outcome = fields.Selection(
        OUTCOMES, "Outcome", sort=False,
        states={
            'readonly': ActivityMixin._facts_states['readonly'],
            'invisible': Eval('state') != 'done',
            'required': Eval('state') == 'done',
            },
        help="If somebody answered.")
    outcome_string = outcome.translated('outcome')
    customer_missing = fields.Function(
        fields.Boolean("Customer Missing"), 'get_customer_missing')
    to_call_back = fields.Boolean(
        "To Call Back", readonly=True,
        help="Nobody answered the incoming call and nobody called since.")
    own_opportunity = fields.Many2One(
        'sale.opportunity', "Own Opportunity", readonly=True,
        ondelete='SET NULL',
        help="The opportunity that was made from the call without tracking.")
    opportunity = fields.Function(
        fields.Many2One(
            'sale.opportunity', "Opportunity",
            states={
                'invisible': ~Eval('opportunity'),
                },
            help="The opportunity that was made from the call "
            "or from its tracking."),
        'on_change_with_opportunity')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.done_by.states['required'] = Eval('state') == 'done'
        cls.done_by.help = "The employee who made or took the call."
        cls.phone_number.states = {
            'readonly': ActivityMixin._facts_states['readonly'],
            }
        cls.phone_number.help = (
            "The number that was called or called us.\n"
            "Leave empty for the one of the tracking or of the party.")
        cls.phone.searcher = 'search_phone'
        for field in [cls.party, cls.tracking, cls.interest]:
            field.states['readonly'] &= ~Eval('customer_missing', False)
        cls.planned_date.states = {
            **cls.planned_date.states,
            'invisible': Eval('direction') == 'incoming',
            }
        cls.summary.states = {
            **cls.summary.states,
            'required': (
                ~Eval('tracking') & ~Eval('party')
                & ((Eval('direction') != 'incoming')
                    | ~Eval('phone_number'))),
            }
        cls._buttons.update({
                'plan_call': {
                    'invisible': Eval('state') != 'done',
                    'depends': ['state'],
                    },
                'open_task': {},
                })
        button = cls._buttons['create_opportunity']
        button['invisible'] |= ~Eval('party')
        button['depends'].append('party')
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(
                    t,
                    (t.company, Index.Equality(cardinality='low')),
                    (t.date, Index.Range(order='DESC')),
                    where=(t.state == 'done') & (t.interest == '3')),
                Index(
                    t,
                    (t.company, Index.Equality(cardinality='low')),
                    (t.date, Index.Range(order='DESC')),
                    where=t.direction == 'incoming'),
                Index(
                    t,
                    (t.company, Index.Equality(cardinality='low')),
                    (t.date, Index.Range(order='DESC')),
                    where=t.to_call_back == Literal(True)),
                Index(
                    t,
                    (t.phone_compact, Index.Equality()),
                    (t.date, Index.Range(order='DESC')),
                    where=t.phone_compact != Null),
                Index(
                    t,
                    (t.phone_compact, Index.Similarity()),
                    where=t.phone_compact != Null),
                Index(
                    t,
                    (t.own_opportunity, Index.Equality()),
                    where=t.own_opportunity != Null),
                })

    @classmethod
    def default_direction(cls):
        return 'outgoing'

    @classmethod
    def default_to_call_back(cls):
        return False

    @property
    def subject(self):
        return super().subject or self.phone_number or ''

    @classmethod
    def _previous(cls, call):
        "Return the query of the calls made or planned before the call"
        previous = cls.__table__()
        return previous.select(
            Literal(1),
            where=(previous.tracking == call.tracking)
            & (previous.state != 'cancelled')
            & ((previous.date < call.date)
                | ((previous.date == call.date) & (previous.id < call.id))))

    @classmethod
    def _column_kind(cls, call):
        return Case(
            ((call.state == 'cancelled') | (call.tracking == Null), None),
            (Exists(cls._previous(call)), 'follow_up'),
            else_='first')

    @classmethod
    def get_kind(cls, calls, name):
        cursor = Transaction().connection.cursor()
        call = cls.__table__()
        kinds = {}
        cursor.execute(*call.select(
                call.id, cls._column_kind(call),
                where=fields.SQL_OPERATORS['in'](
                    call.id, [c.id for c in calls])))
        kinds.update(cursor)
        return kinds

    @classmethod
    def search_kind(cls, name, clause):
        _, operator, value = clause
        Operator = fields.SQL_OPERATORS[operator]
        call = cls.__table__()
        kind = cls._column_kind(call)
        if isinstance(value, (list, tuple)):
            where = Operator(kind, [v for v in value if v is not None])
            if None in value:
                if operator == 'in':
                    where |= kind == Null
                else:
                    where &= kind != Null
        else:
            where = Operator(kind, value)
        return [('id', 'in', call.select(call.id, where=where))]

    @classmethod
    def order_kind(cls, tables):
        table, _ = tables[None]
        return [cls._column_kind(table)]

    @fields.depends('phone_number')
    def on_change_phone_number(self):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        self.phone_number = ContactMechanism.format_number(self.phone_number)

    @fields.depends('interest', 'outcome')
    def on_change_interest(self):
        if self.interest:
            self.outcome = self._outcome(self.interest, self.outcome)

    @fields.depends('direction', 'interest', 'outcome')
    def on_change_outcome(self):
        self.interest = self._interest(
            self.direction, self.outcome, self.interest)

    @fields.depends(methods=['on_change_outcome'])
    def on_change_direction(self):
        self.on_change_outcome()

    @classmethod
    def _outcome(cls, interest, outcome=None):
        "Return the outcome that goes with the interest"
        if interest != '0':
            return 'answered'
        elif outcome in UNANSWERED:
            return outcome
        return 'missed'

    @classmethod
    def _interest(cls, direction, outcome, interest=None):
        "Return the interest that goes with the outcome"
        if outcome in UNANSWERED:
            # That we missed a call says nothing about the customer
            return '0' if direction != 'incoming' else None
        return interest if interest != '0' else None

    @classmethod
    def _search_text(cls, operator, value, *extra):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        number = isinstance(value, str) and ContactMechanism.compact_number(
            strip_wildcard(value))
        queries = []
        if not number or not number.startswith('+'):
            queries += super()._search_text(operator, value, *extra)
        if number:
            t = cls.__table__()
            queries.append(
                t.select(t.id, where=match_number(t.phone_compact, number)))
        return queries

    @classmethod
    def preprocess_values(cls, mode, values):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        values = super().preprocess_values(mode, values)
        if 'phone_number' in values:
            number = values['phone_number'] = ContactMechanism.format_number(
                values['phone_number'])
            values['phone_compact'] = ContactMechanism.compact_number(number)
            if number and not values['phone_compact']:
                raise PhoneNumberError(gettext(
                        'sale_opportunity_management.msg_call_phone_number',
                        number=number))
        if values.get('interest') and not values.get('outcome'):
            values['outcome'] = cls._outcome(values['interest'])
        elif mode == 'create' and values.get('outcome'):
            values['interest'] = cls._interest(
                values.get('direction', cls.default_direction()),
                values['outcome'], values.get('interest'))
        return values

    @classmethod
    def validate_fields(cls, calls, field_names):
        super().validate_fields(calls, field_names)
        cls.check_duration(calls, field_names)
        cls.check_done_by(calls, field_names)
        cls.check_direction(calls, field_names)
        cls.check_outcome(calls, field_names)

    @classmethod
    def check_duration(cls, calls, field_names=None):
        if field_names is not None and 'duration' not in field_names:
            return
        for call in calls:
            if call.duration is not None and call.duration < dt.timedelta():
                raise DurationError(gettext(
                        'sale_opportunity_management.msg_duration_negative',
                        call=call.rec_name))

    @classmethod
    def check_done_by(cls, calls, field_names=None):
        if field_names is not None and not field_names & {'done_by', 'state'}:
            return
        for call in calls:
            if call.state == 'done' and not call.done_by:
                raise CallerError(gettext(
                        'sale_opportunity_management.msg_call_done_by',
                        call=call.rec_name))

    @classmethod
    def check_direction(cls, calls, field_names=None):
        if (field_names is not None
                and not field_names & {'direction', 'state'}):
            return
        for call in calls:
            if call.direction == 'incoming' and call.state == 'pending':
                raise IncomingCallError(gettext(
                        'sale_opportunity_management.msg_call_incoming_plan',
                        call=call.rec_name))

    @classmethod
    def check_outcome(cls, calls, field_names=None):
        if (field_names is not None
                and not field_names & {
                    'direction', 'interest', 'outcome', 'state'}):
            return
        for call in calls:
            if (call.state == 'done'
                    and call.interest != cls._interest(
                        call.direction, call.outcome, call.interest)):
                raise CallOutcomeError(gettext(
                        'sale_opportunity_management.msg_call_outcome',
                        call=call.rec_name,
                        outcome=call.outcome_string,
                        interest=call.interest_string))

    @classmethod
    def on_modification(cls, mode, calls, field_names=None):
        super().on_modification(mode, calls, field_names=field_names)
        if mode == 'create':
            cls.update_call_back(calls, *cls._callers(calls))

    @classmethod
    def on_write(cls, calls, values):
        callbacks = super().on_write(calls, values)
        if values.keys() & cls._call_back_fields():
            parties, numbers = cls._callers(calls)

            def update():
                written = cls.browse(calls)
                new_parties, new_numbers = cls._callers(written)
                cls.update_call_back(
                    written, parties | new_parties, numbers | new_numbers)
            callbacks.append(update)
        return callbacks

    @classmethod
    def on_delete(cls, calls):
        callbacks = super().on_delete(calls)
        parties, numbers = cls._callers(calls)
        callbacks.append(lambda: cls.update_call_back([], parties, numbers))
        return callbacks

    @classmethod
    def get_customer_missing(cls, calls, name):
        "Return whether the user took the call and may still tell of whom"
        pool = Pool()
        User = pool.get('res.user')
        employees = set(User.get_working_employees())
        return {
            c.id: bool(
                c.state == 'done' and not c.party and not c.tracking
                and c.done_by and c.done_by.id in employees)
            for c in calls}

    def _is_completed_by(self, values):
        return (
            self.customer_missing
            and values.keys() & self._facts()
            <= {'party', 'tracking', 'interest'})

    @classmethod
    def _call_back_fields(cls):
        return {
            'tracking', 'party', 'phone_number', 'planned_date', 'done_date',
            'direction', 'interest', 'outcome', 'state'}

    @classmethod
    def _callers(cls, calls):
        return (
            {c.party.id for c in calls if c.party},
            {c.phone_compact for c in calls if c.phone_compact})

    @classmethod
    def update_call_back(cls, calls=(), parties=(), numbers=()):
        """Mark the incoming calls that nobody answered nor called back

        Only the calls, those of the ids of parties and those of the numbers
        are looked at.  A later call, even if it is only planned, or from the
        other side, clears the mark.  It is the only place that sets it."""
        cursor = Transaction().connection.cursor()
        sql_in = fields.SQL_OPERATORS['in']
        call = cls.__table__()

        def called_again(name):
            later = cls.__table__()
            return Exists(later.select(
                    Literal(1),
                    where=(Column(later, name) == Column(call, name))
                    & (later.company == call.company)
                    & (later.state != 'cancelled')
                    & ((later.date > call.date)
                        | ((later.date == call.date)
                            & (later.id > call.id)))))
        missed = (
            (call.direction == 'incoming')
            & (call.state == 'done')
            & call.outcome.in_(UNANSWERED)
            & ((call.party != Null) | (call.phone_compact != Null)))
        queries = [
            call.select(call.id, where=sql_in(column, list(values)))
            for column, values in [
                (call.id, list(map(int, calls))),
                (call.party, parties),
                (call.phone_compact, numbers),
                ] if values]
        if not queries:
            return
        cursor.execute(*call.select(
                call.id, call.to_call_back,
                Case(
                    (missed & ~called_again('party')
                        & ~called_again('phone_compact'), Literal(True)),
                    else_=Literal(False)),
                where=call.id.in_(Union(*queries))
                & (missed | (call.to_call_back == Literal(True)))))
        to_write = {True: [], False: []}
        for id_, old, new in cursor:
            if bool(old) != bool(new):
                to_write[bool(new)].append(id_)
        with without_check_access():
            for value, ids in to_write.items():
                for sub_ids in grouped_slice(ids, 500):
                    cls.write(
                        cls.browse(sub_ids), {'to_call_back': value})

    @fields.depends(
        'own_opportunity', 'tracking', '_parent_tracking.opportunity')
    def on_change_with_opportunity(self, name=None):
        opportunity = self.tracking.opportunity if self.tracking else None
        return opportunity or self.own_opportunity

    @property
    def outcome_text(self):
        if self.state == 'done':
            return ', '.join(filter(None, [
                        self.direction_string
                        if self.direction == 'incoming' else None,
                        self.interest_string or self.outcome_string]))

    def _texts(self):
        return [self.outcome_text, *super()._texts()]

    @classmethod
    def _facts(cls):
        return super()._facts() | {
            'direction', 'phone_number', 'interest', 'outcome', 'duration'}

    @classmethod
    def _tracking_fields(cls):
        return super()._tracking_fields() | {'interest'}

    @classmethod
    def _column_interest(cls, table):
        return table.interest

    @classmethod
    def copy(cls, calls, default=None):
        default = default.copy() if default is not None else {}
        # Incoming calls are not planned
        default.setdefault('direction', cls.default_direction())
        default.setdefault('interest')
        default.setdefault('outcome')
        default.setdefault('to_call_back', False)
        default.setdefault('own_opportunity')
        default.setdefault('duration')
        return super().copy(calls, default=default)

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_call_plan_call')
    def plan_call(cls, calls):
        pass

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_call_open_task')
    def open_task(cls, calls):
        pass

    @classmethod
    def make_opportunity(cls, calls, **values):
        """Make the opportunity of the calls, or of their trackings, if none

        Values replace what the opportunity is created from."""
        pool = Pool()
        ModelAccess = pool.get('ir.model.access')
        Tracking = pool.get('sale.tracking')
        if (Transaction().check_access
                and not ModelAccess.check(
                    'sale.opportunity', 'create', raise_exception=False)):
            raise AccessError(gettext(
                    'sale_opportunity_management'
                    '.msg_call_opportunity_denied'))
        alone = []
        for call in calls:
            if not call.party:
                raise CallOpportunityError(gettext(
                        'sale_opportunity_management'
                        '.msg_call_opportunity_party',
                        call=call.rec_name))
            if call.tracking:
                call_values = call._opportunity_values() | values
                Tracking.make_opportunity(
                    [call.tracking],
                    **{n: v for n, v in call_values.items() if v})
            else:
                alone.append(call)
        super().make_opportunity(alone, **values)

    def _link_opportunity(self, opportunity):
        cls = self.__class__
        # Checks the right to write the call, the link needs none of its own
        cls.write([self], {})
        with without_check_access():
            cls.write([self], {'own_opportunity': opportunity.id})

    def _opportunity_values(self):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        values = super()._opportunity_values()
        employee = (
            self.tracking.operator if self.tracking and self.tracking.operator
            else self.done_by or self.assignee)
        values.update({
                'employee': employee.id if employee else None,
                'description': self.summary,
                'comment': self.description,
                })
        if self.phone_compact and (mechanisms := ContactMechanism.search([
                        ('party', '=', self.party.id),
                        ('type', 'in', PHONE_TYPES),
                        ('value_compact', '=', self.phone_compact),
                        ], limit=1)):
            mechanism, = mechanisms
            values['contact'] = mechanism.id
        return values
