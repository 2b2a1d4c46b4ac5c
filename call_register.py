# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, Id, If, Len
from trytond.tools import escape_wildcard
from trytond.transaction import check_access, without_check_access
from trytond.wizard import (
    Button, StateAction, StateTransition, StateView, Wizard)

from .activity_record import RecordMixin
from .call import UNANSWERED
from .exceptions import RegisterError
from .moment import next_hour, this_minute
from .party import PHONE_TYPES

CALL_BACK_DELAY = dt.timedelta(minutes=15)


class RegisterCall(Wizard):
    __name__ = 'sale.call.register'

    start = StateView(
        'sale.call.register.start',
        'sale_opportunity_management.call_register_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("New Party", 'party', 'tryton-create', validate=False),
            Button("Save and Open", 'save_open', 'tryton-open'),
            Button("Save", 'save', 'tryton-ok', default=True),
            ])
    party = StateView(
        'party.register.start',
        'sale_opportunity_management.register_start_view_form', [
            Button("Back", 'start', 'tryton-back', validate=False),
            Button("Register", 'check', 'tryton-ok', default=True),
            ])
    check = StateTransition()
    similar = StateView(
        'party.register.similar',
        'sale_opportunity_management.register_similar_view_form', [
            Button("Back", 'start', 'tryton-back', validate=False),
            Button("Register Anyway", 'register', 'tryton-create'),
            Button("Use Selected", 'use', 'tryton-ok', default=True),
            ])
    register = StateTransition()
    use = StateTransition()
    save = StateTransition()
    save_open = StateTransition()
    open_ = StateAction('sale_opportunity_management.act_call_open')

    def default_start(self, fields):
        pool = Pool()
        Party = pool.get('party.party')
        if self.model == Party and self.record:
            return {'party': self.record.id}
        return {}

    def value_start(self, fields):
        "What was entered before the party was registered"
        start = self.start
        if not any(getattr(start, name) for name in [
                    'caller', 'phone_number', 'party', 'summary',
                    'description']):
            return {}
        return {
            name: value for name, value in start._default_values.items()
            if name in fields}

    def default_party(self, fields):
        values = {}
        if self.start.phone_number:
            values['mechanisms'] = [{
                    'type': 'phone',
                    'value': self.start.phone_number,
                    }]
        if self.start.caller and self.start.caller != self.start.phone_number:
            values['name'] = self.start.caller
        return values

    def transition_check(self):
        if self.party.find_similar():
            return 'similar'
        return 'register'

    def default_similar(self, fields):
        parties = self.party.find_similar()
        return {
            'parties': [p.id for p in parties],
            'party': parties[0].id if len(parties) == 1 else None,
            }

    @check_access
    def transition_register(self):
        return self._set_party(*self.party.register())

    @check_access
    def transition_use(self):
        if not self.similar.party:
            raise RegisterError(gettext(
                    'sale_opportunity_management.msg_register_select'))
        return self._set_party(*self.party.register(self.similar.party))

    def _set_party(self, party, tracking):
        self.start.party = party
        self.start.parties = []
        self.start.on_change_party()
        if tracking:
            self.start.tracking = tracking
        return 'start'

    @check_access
    def transition_save(self):
        self.start.call = self.start.save_result()
        return 'end'

    def transition_save_open(self):
        self.transition_save()
        return 'open_'

    def do_open_(self, action):
        return action, {'res_id': [self.start.call.id]}

    def end(self):
        return 'reload'


class RegisterCallStart(RecordMixin):
    __name__ = 'sale.call.register.start'

    caller = fields.Char(
        "Caller",
        help="The phone number, in any form, or the name of who called.")
    phone_number = fields.Char(
        "Phone Number",
        help="The number that called.")
    parties = fields.Many2Many(
        'party.party', None, None, "Found", readonly=True,
        states={
            'invisible': ~Eval('parties'),
            },
        context={
            'company': Eval('company', -1),
            },
        depends={'company'},
        help="The parties that it may be: choose one of them.")
    trackings = fields.Many2Many(
        'sale.tracking', None, None, "Open Trackings", readonly=True,
        states={
            'invisible': ~Eval('trackings'),
            })
    opportunities = fields.Function(
        fields.Many2Many(
            'sale.opportunity', None, None, "Open Opportunities",
            states={
                'invisible': ~Eval('opportunities'),
                }),
        'on_change_with_opportunities')
    last_activity = fields.Text(
        "Last Activity", readonly=True,
        states={
            'invisible': ~Eval('last_activity'),
            })
    summary = fields.Char(
        "Summary",
        states={
            'required': ~Eval('party') & ~Eval('phone_number'),
            },
        help="What the call is about.")
    make_opportunity = fields.Boolean(
        "Make an Opportunity",
        states={
            'invisible': (
                ~Id('sale_opportunity', 'group_opportunity').in_(
                    Eval('context', {}).get('groups', []))),
            },
        help="Check if the caller may buy something.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.company.required = True
        cls.party.readonly = False
        cls.party.domain = [
            If(Len(Eval('parties', [])) > 1,
                ('id', 'in', Eval('parties', [])),
                ()),
            ]
        cls.party.help = (
            "Who called.\n"
            "Leave empty if nobody knows.")
        cls.tracking.readonly = False
        cls.tracking.domain = [
            ('company', '=', Eval('company', -1)),
            ('party', '=', Eval('party', -1)),
            ('state', '=', 'open'),
            ]
        cls.tracking.states = {
            'invisible': ~Eval('party'),
            }
        cls.tracking.help = (
            "The tracking that the call is part of.\n"
            "Leave empty if it has nothing to do with any.")
        cls.interest.states = {
            **cls.interest.states,
            'invisible': (
                ~Eval('tracking') | (Eval('outcome') != 'answered')),
            }
        cls.phone.states = {
            'invisible': Bool(Eval('phone_number')) | ~Eval('party'),
            }

    @classmethod
    def default_kind(cls):
        return 'call'

    @classmethod
    def default_company(cls):
        pool = Pool()
        Call = pool.get('sale.call')
        return Call.default_company()

    @classmethod
    def default_outcome(cls):
        return 'answered'

    @fields.depends(
        'caller', 'phone_number', 'party', 'parties',
        methods=['on_change_party'])
    def on_change_caller(self):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        caller = (self.caller or '').strip()
        number = ContactMechanism.compact_number(caller)
        parties, is_text = self._find_by_number(number), False
        if not parties and not (number and number.startswith('+')):
            # It may be a tax identifier
            parties = self._find_by_text(caller)
            is_text = bool(parties)
        if number and not is_text:
            self.phone_number = ContactMechanism.format_number(caller)
        if caller:
            self._set_parties(parties)
        else:
            self.parties = []
        self.on_change_party()

    @fields.depends(
        'phone_number', 'party', 'parties', methods=['on_change_party'])
    def on_change_phone_number(self):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        self.phone_number = ContactMechanism.format_number(self.phone_number)
        # Who was chosen calls from any number
        if not self.party:
            number = ContactMechanism.compact_number(self.phone_number)
            self._set_parties(self._find_by_number(number))
            self.on_change_party()

    def _set_parties(self, parties):
        self.parties = parties if len(parties) > 1 else []
        if len(parties) == 1:
            self.party, = parties
        elif self.party not in parties:
            self.party = None

    @classmethod
    def _find_by_number(cls, number, limit=20):
        pool = Pool()
        Call = pool.get('sale.call')
        ContactMechanism = pool.get('party.contact_mechanism')
        Party = pool.get('party.party')
        if not number:
            return []
        operator = '='
        if not number.startswith('+'):
            if len(number) < 4:
                return []
            operator, number = 'ilike', f'%{number}%'
        parties = [m.party for m in ContactMechanism.search([
                    ('type', 'in', PHONE_TYPES),
                    ('value_compact', operator, number),
                    ('party.active', '=', True),
                    ], limit=limit)]
        if not parties:
            with without_check_access():
                parties = [c.party for c in Call.search([
                            ('phone_compact', operator, number),
                            ('party.active', '=', True),
                            ], limit=limit)]
            parties = Party.browse([p.id for p in parties])
        return list(dict.fromkeys(parties))

    @classmethod
    def _find_by_text(cls, text, limit=20):
        pool = Pool()
        Contact = pool.get('party.contact')
        Party = pool.get('party.party')
        if len(text) <= 2:
            return []
        pattern = f'%{escape_wildcard(text)}%'
        parties = Party.search([('rec_name', 'ilike', pattern)], limit=limit)
        if not parties:
            parties = [c.party for c in Contact.search([
                        ('name', 'ilike', pattern),
                        ('party.active', '=', True),
                        ], limit=limit)]
        return list(dict.fromkeys(parties))

    @fields.depends('company', 'party', 'tracking', 'trackings')
    @check_access
    def on_change_party(self):
        pool = Pool()
        User = pool.get('res.user')
        self.trackings = []
        self.last_activity = None
        self.rating = self.party.rating if self.party else None
        self.rating_comment = (
            self.party.rating_comment if self.party else None)
        if self.party and self.company:
            self.trackings = self._search_trackings()
            self.last_activity = self._last_activity()
        if self.tracking not in self.trackings:
            own = [
                t for t in self.trackings
                if t.operator
                and t.operator.id in User.get_working_employees()]
            self.tracking = own[0] if len(own) == 1 else None

    def _search_trackings(self):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        return Tracking.search([
                ('company', '=', self.company.id),
                ('party', '=', self.party.id),
                ('state', '=', 'open'),
                ], limit=20)

    # The clients do not know the field of whom may not read opportunities
    @fields.depends('company', 'party')
    @check_access
    def on_change_with_opportunities(self, name=None):
        pool = Pool()
        Opportunity = pool.get('sale.opportunity')
        if not self.party or not self.company:
            return []
        return [o.id for o in Opportunity.search([
                    ('company', '=', self.company.id),
                    ('party', '=', self.party.id),
                    ('state', 'in', ['lead', 'opportunity']),
                    ], limit=20)]

    def _last_activity(self):
        pool = Pool()
        Activity = pool.get('sale.activity')
        if lines := Activity.search([
                    ('company', '=', self.company.id),
                    ('party', '=', self.party.id),
                    ('state', '=', 'done'),
                    ('role', '=', 'main'),
                    ], order=[('date', 'DESC'), ('id', 'DESC')], limit=1):
            line, = lines
            activity, = Activity.get_activities(lines)
            return ' '.join(filter(None, [
                        activity._format_date(activity.date),
                        line.kind_string,
                        line.done_by.rec_name if line.done_by else None,
                        activity.text]))

    @fields.depends('interest', 'outcome', methods=['_propose_retry'])
    def on_change_outcome(self):
        if self.outcome in UNANSWERED:
            self.interest = None
        self._propose_retry()

    @fields.depends('outcome', 'next_kind', 'next_date', 'next_summary')
    def _propose_retry(self):
        call_back = gettext('sale_opportunity_management.msg_call_back')
        if self.outcome in UNANSWERED:
            if not self.next_date:
                self.next_kind = 'call'
                self.next_step = 'other'
                self.next_date = this_minute() + CALL_BACK_DELAY
                self.next_summary = call_back
        elif self.next_summary == call_back:
            self.next_step = self.next_date = self.next_summary = None

    def save_result(self):
        "Save the call and what follows from it and return the call"
        pool = Pool()
        Call = pool.get('sale.call')
        self._check_next()
        call = self._save_activity()
        self._save_typification()
        self._save_next()
        if self.make_opportunity:
            Call.make_opportunity([call])
        return call

    def _save_activity(self):
        pool = Pool()
        Call = pool.get('sale.call')
        call, = Call.create([{
                    **self._result_values(),
                    'direction': 'incoming',
                    'company': self.company.id,
                    'tracking': self.tracking.id if self.tracking else None,
                    'party': self.party.id if self.party else None,
                    'phone_number': self.phone_number,
                    'summary': self.summary,
                    'assignee': self.done_by.id,
                    'state': 'done',
                    }])
        return call

    def _next_values(self, kind, date, summary):
        values = super()._next_values(kind, date, summary)
        if kind == 'call':
            values['phone_number'] = self.phone_number
        return values


class Plan(Wizard):
    start = StateView(
        'sale.call.plan.start',
        'sale_opportunity_management.call_plan_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Plan and Open", 'plan_open', 'tryton-open'),
            Button("Plan", 'plan', 'tryton-ok', default=True),
            ])
    plan = StateTransition()
    plan_open = StateTransition()

    def default_start(self, fields):
        call = self.record
        return {
            'kind': self._kind,
            'call': call.id,
            'company': call.company.id,
            'party': call.party.id if call.party else None,
            'date': next_hour() + dt.timedelta(days=1),
            'summary': call.summary,
            }

    @check_access
    def transition_plan(self):
        self.start.activity = self.start.plan()
        return 'end'

    def transition_plan_open(self):
        self.transition_plan()
        return 'open_'

    def do_open_(self, action):
        return action, {'res_id': [self.start.activity.id]}

    def end(self):
        return 'reload'


class PlanCall(Plan):
    __name__ = 'sale.call.plan_call'
    _kind = 'call'

    open_ = StateAction('sale_opportunity_management.act_call_open')

    def default_start(self, fields):
        values = super().default_start(fields)
        if self.record.outcome == 'answered':
            return values
        values['date'] = this_minute() + CALL_BACK_DELAY
        if self.record.direction == 'incoming':
            values['summary'] = ': '.join(filter(None, [
                        gettext('sale_opportunity_management.msg_call_back'),
                        self.record.summary]))
        return values


class OpenTask(Plan):
    __name__ = 'sale.call.open_task'
    _kind = 'task'

    open_ = StateAction('sale_opportunity_management.act_task_open')


class PlanStart(ModelView):
    __name__ = 'sale.call.plan.start'

    kind = fields.Selection('get_kinds', "Kind", readonly=True)
    call = fields.Many2One('sale.call', "Call", readonly=True)
    company = fields.Many2One('company.company', "Company", readonly=True)
    party = fields.Many2One(
        'party.party', "Party", readonly=True,
        states={
            'invisible': ~Eval('party'),
            },
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    date = fields.DateTime(
        "Date", format='%H:%M', required=True,
        help="When it has to be done.")
    summary = fields.Char(
        "Summary",
        states={
            'required': (Eval('kind') != 'call') | ~Eval('party'),
            },
        help="What it is for.")
    assignee = fields.Many2One(
        'company.employee', "Assignee", required=True,
        domain=[
            ('company', '=', Eval('company', -1)),
            ('active', '=', True),
            ],
        help="The employee who has to do it.")
    activity = fields.Reference(
        "Activity", selection='get_activity_models', readonly=True)

    @classmethod
    def default_assignee(cls):
        pool = Pool()
        Call = pool.get('sale.call')
        return Call.default_assignee()

    @classmethod
    def get_kinds(cls):
        pool = Pool()
        RecordStart = pool.get('sale.activity.record.start')
        return RecordStart.get_next_kinds()

    @classmethod
    def get_activity_models(cls):
        pool = Pool()
        RecordStart = pool.get('sale.activity.record.start')
        return RecordStart.get_activity_models()

    def plan(self):
        pool = Pool()
        Activity = pool.get(f'sale.{self.kind}')
        call = self.call
        values = {
            'company': self.company.id,
            'tracking': (
                call.tracking.id
                if call.tracking and call.tracking.state == 'open' else None),
            'party': call.party.id if call.party else None,
            'planned_date': self.date,
            'summary': self.summary,
            'assignee': self.assignee.id,
            }
        if self.kind == 'call':
            values['phone_number'] = call.phone_number
        activity, = Activity.create([values])
        return activity
