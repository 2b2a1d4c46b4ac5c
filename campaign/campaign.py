# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
from collections import defaultdict

from sql import Literal, Null
from sql.aggregate import Count, Sum
from sql.conditionals import Case

from trytond.cache import Cache
from trytond.i18n import gettext
from trytond.model import (
    DeactivableMixin, ModelSQL, ModelView, Workflow, fields, sequence_ordered)
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, Id, If
from trytond.rpc import RPC
from trytond.transaction import Transaction, without_check_access

from ..call import INTERESTS
from ..contact_rate import contact_counts, contact_rate
from .exceptions import AttendError, CampaignError, CampaignWarning


class Typology(sequence_ordered(), DeactivableMixin, ModelSQL, ModelView):
    __name__ = 'sale.campaign.typology'

    name = fields.Char(
        "Name", required=True, translate=True,
        help="What the campaigns of this kind are for.")
    company = fields.Many2One(
        'company.company', "Company",
        help="Leave empty to share the typology between all companies.")
    results = fields.One2Many(
        'sale.campaign.result', 'typology', "Results",
        help="What the work on a customer can end with.")


class Result(sequence_ordered(), DeactivableMixin, ModelSQL, ModelView):
    __name__ = 'sale.campaign.result'

    _finished = {
        'invisible': Eval('finishes', False),
        }

    typology = fields.Many2One(
        'sale.campaign.typology', "Typology", required=True,
        ondelete='CASCADE',
        states={
            'readonly': Eval('id', -1) >= 0,
            })
    name = fields.Char("Name", required=True, translate=True)
    interest = fields.Selection(
        INTERESTS, "Interest", required=True, sort=False,
        help="The interest that the call is recorded with.")
    interest_string = interest.translated('interest')
    finishes = fields.Boolean(
        "Finishes",
        help="Check to close the tracking with this result.")
    callback = fields.Boolean(
        "Promises a Call-back",
        domain=[If(Eval('finishes', False), ('callback', '=', False), ())],
        states=_finished,
        help="Check to ask when the operator has to call again.")
    retry = fields.TimeDelta(
        "Retry After",
        domain=[
            If(Eval('finishes', False) | Eval('callback', False),
                ('retry', '=', None),
                ['OR',
                    ('retry', '=', None),
                    ('retry', '>=', dt.timedelta()),
                    ]),
            ],
        states={
            'invisible': (
                Eval('finishes', False) | Eval('callback', False)),
            },
        help="How long to wait before the customer comes again.\n"
        "Leave empty to wait as long as the campaign says.")
    max_attempts = fields.Integer(
        "Attempts",
        domain=['OR',
            ('max_attempts', '=', None),
            ('max_attempts', '>', 0),
            ],
        states=_finished,
        help="After how many calls with this result the tracking is closed.\n"
        "Leave empty for no limit.")
    do_not_call = fields.Boolean(
        "Do Not Call Again",
        domain=[
            If(~Eval('finishes', False), ('do_not_call', '=', False), ()),
            ],
        states={
            'invisible': ~Eval('finishes', False),
            },
        help="Check to never call the phone numbers of the customer again "
        "for any campaign.")
    opportunity = fields.Boolean(
        "Makes an Opportunity",
        help="Check to create an opportunity for the customer.")

    del _finished

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('typology')

    @fields.depends('finishes', 'callback', 'retry', 'max_attempts')
    def on_change_finishes(self):
        if self.finishes:
            self.callback = False
            self.retry = None
            self.max_attempts = None
        else:
            self.do_not_call = False

    @fields.depends('callback', 'retry')
    def on_change_callback(self):
        if self.callback:
            self.retry = None


class Campaign(Workflow, ModelSQL, ModelView):
    __name__ = 'sale.campaign'

    _states = {
        'readonly': Eval('state') == 'done',
        }

    name = fields.Char("Name", required=True, states=_states)
    typology = fields.Many2One(
        'sale.campaign.typology', "Typology", required=True,
        ondelete='RESTRICT',
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        states={
            'readonly': Eval('state') != 'draft',
            },
        help="What the campaign is for. It tells which results there are.")
    business_unit = fields.Many2One(
        'sale.business_unit', "Business Unit", required=True,
        ondelete='RESTRICT', states=_states,
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        help="The line of business of the customers that are added.")
    company = fields.Many2One(
        'company.company', "Company", required=True,
        states={
            'readonly': (
                (Eval('state') != 'draft') | Eval('operators', [0])
                | Eval('supervisor', True)),
            })
    start_date = fields.Date(
        "Start Date", required=True, states=_states,
        domain=[If(Bool(Eval('start_date')) & Bool(Eval('end_date')),
                ('start_date', '<=', Eval('end_date')), ())],
        help="The first day on which customers are called.")
    end_date = fields.Date(
        "End Date", states=_states,
        domain=[If(Bool(Eval('start_date')) & Bool(Eval('end_date')),
                ('end_date', '>=', Eval('start_date')), ())],
        help="The last day on which customers are called.\n"
        "Leave empty to call until the campaign is done.")
    planned_end_date = fields.Date(
        "Planned End Date", readonly=True,
        states={
            'invisible': ~Eval('planned_end_date'),
            },
        help="The end date before the campaign was finished.")
    supervisor = fields.Many2One(
        'company.employee', "Supervisor", ondelete='RESTRICT', states=_states,
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="The employee who sees all the trackings of the campaign, "
        "moves them between the operators and pauses it.")
    operators = fields.Many2Many(
        'sale.campaign-company.employee', 'campaign', 'employee',
        "Operators", states=_states,
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="The employees who call the customers of the campaign.")
    script = fields.Text(
        "Script", states=_states,
        help="What the operators read out.")
    goal = fields.Integer(
        "Goal", states=_states,
        domain=['OR',
            ('goal', '=', None),
            ('goal', '>=', 0),
            ],
        help="How many customers to win.")
    release_delay = fields.TimeDelta(
        "Give Back After", required=True, states=_states,
        domain=[
            ('release_delay', '>', dt.timedelta()),
            ],
        help="How long an operator keeps a customer without saving "
        "before the others get it.")
    return_delay = fields.TimeDelta(
        "Come Again After", required=True, states=_states,
        domain=[
            ('return_delay', '>=', dt.timedelta()),
            ],
        help="How long a customer that was skipped, or left with a comment "
        "only, waits before it comes again.")
    trackings = fields.One2Many(
        'sale.tracking', 'campaign', "Trackings", readonly=True)
    to_do = fields.Function(fields.Integer(
            "To Do", help="How many customers wait to be called."),
        'get_progress')
    in_work = fields.Function(fields.Integer(
            "In Work", help="How many customers an operator has taken."),
        'get_progress')
    blocked = fields.Function(fields.Integer(
            "Blocked",
            help="How many customers do not come "
            "because they must not be called."),
        'get_progress')
    finished = fields.Function(fields.Integer(
            "Finished", help="How many trackings are closed."),
        'get_progress')
    won = fields.Function(fields.Integer(
            "Won",
            help="How many trackings were closed with high interest."),
        'get_progress')
    progress = fields.Function(fields.Float(
            "Progress", digits=(1, 4),
            help="The part of the trackings that is closed."),
        'get_progress')
    calls = fields.Function(fields.Integer(
            "Calls", help="How many calls were made."),
        'get_calls')
    contact_rate = fields.Function(fields.Float(
            "Contact Rate", digits=(1, 4),
            help="The part of the outgoing calls that was answered."),
        'get_calls')
    results = fields.One2Many(
        'sale.campaign.reporting.result', 'campaign', "Results",
        readonly=True)
    state = fields.Selection([
            ('draft', "Draft"),
            ('running', "Running"),
            ('paused', "Paused"),
            ('done', "Done"),
            ], "State", required=True, readonly=True, sort=False)
    state_string = state.translated('state')

    del _states

    _supervised_cache = Cache(__name__ + '.get_supervised', context=False)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('start_date', 'DESC'), ('id', 'DESC')]
        cls.__rpc__.update({
                'next': RPC(readonly=False, instantiate=0),
                })
        cls._transitions |= {
            ('draft', 'running'),
            ('running', 'paused'),
            ('paused', 'running'),
            ('running', 'done'),
            ('paused', 'done'),
            ('done', 'paused'),
            }
        cls._buttons.update({
                'run': {
                    'invisible': ~Eval('state').in_(['draft', 'paused']),
                    'depends': ['state'],
                    },
                'pause': {
                    'invisible': Eval('state') != 'running',
                    'depends': ['state'],
                    },
                'do': {
                    'invisible': ~Eval('state').in_(['running', 'paused']),
                    'depends': ['state'],
                    },
                'reopen': {
                    'invisible': Eval('state') != 'done',
                    'depends': ['state'],
                    },
                'add_customers': {
                    'invisible': (Eval('state') == 'done') | ~Id(
                        'sale_opportunity_management', 'group_tracking_admin')
                    .in_(Eval('context', {}).get('groups', [])),
                    'depends': ['state'],
                    },
                })

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_start_date(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        return Date.today()

    @classmethod
    def default_release_delay(cls, **pattern):
        return cls._default_delay('campaign_release_delay', **pattern)

    @classmethod
    def default_return_delay(cls, **pattern):
        return cls._default_delay('campaign_return_delay', **pattern)

    @classmethod
    def _default_delay(cls, name, **pattern):
        pool = Pool()
        Configuration = pool.get('sale.configuration')
        return Configuration(1).get_multivalue(name, **pattern)

    @classmethod
    def default_state(cls):
        return 'draft'

    @fields.depends('company')
    def on_change_company(self):
        pattern = {'company': self.company.id if self.company else None}
        self.release_delay = self.default_release_delay(**pattern)
        self.return_delay = self.default_return_delay(**pattern)

    @classmethod
    def get_progress(cls, campaigns, names):
        pool = Pool()
        Result = pool.get('sale.campaign.result')
        Tracking = pool.get('sale.tracking')
        tracking = Tracking.__table__()
        result = Result.__table__()
        cursor = Transaction().connection.cursor()

        def count(condition):
            return Sum(Case((condition, 1), else_=0))
        is_open = tracking.state == 'open'
        waiting = is_open & (tracking.taken_by == Null)
        counts = {
            'to_do': count(waiting & (tracking.next_attempt != Null)),
            'in_work': count(is_open & (tracking.taken_by != Null)),
            'blocked': count(waiting & (tracking.next_attempt == Null)),
            'finished': count(tracking.state == 'closed'),
            'won': count(
                (tracking.state == 'closed') & (result.interest == '3')),
            }
        values = {n: {c.id: 0 for c in campaigns} for n in names}
        cursor.execute(*tracking.join(
                result, 'LEFT', condition=tracking.result == result.id
                ).select(
                tracking.campaign, Count(Literal(1)), *counts.values(),
                where=fields.SQL_OPERATORS['in'](
                    tracking.campaign, [c.id for c in campaigns]),
                group_by=tracking.campaign))
        for campaign, total, *numbers in cursor:
            numbers = dict(zip(counts, numbers))
            numbers['progress'] = round(numbers['finished'] / total, 4)
            for name in names:
                values[name][campaign] = numbers[name]
        return values

    @classmethod
    def get_calls(cls, campaigns, names):
        pool = Pool()
        Call = pool.get('sale.call')
        Tracking = pool.get('sale.tracking')
        call = Call.__table__()
        tracking = Tracking.__table__()
        cursor = Transaction().connection.cursor()
        values = {
            'calls': {c.id: 0 for c in campaigns},
            'contact_rate': {c.id: None for c in campaigns},
            }
        cursor.execute(*call.join(
                tracking, condition=call.tracking == tracking.id
                ).select(
                tracking.campaign, Count(call.id), *contact_counts(call),
                where=fields.SQL_OPERATORS['in'](
                    tracking.campaign, [c.id for c in campaigns])
                & (call.result != Null)
                & (call.state == 'done'),
                group_by=tracking.campaign))
        for campaign, number, *counts in cursor:
            values['calls'][campaign] = number
            if rate := contact_rate(*counts):
                rate = round(rate, 4)
            values['contact_rate'][campaign] = rate
        return {n: values[n] for n in names}

    @classmethod
    def get_supervised(cls):
        "Return the ids of the campaigns the employees of the user supervise"
        pool = Pool()
        User = pool.get('res.user')
        employees = User.get_working_employees()
        campaigns = cls._supervised_cache.get(employees)
        if campaigns is None:
            with Transaction().set_user(0), without_check_access():
                campaigns = tuple(sorted(map(int, cls.search([
                                    ('supervisor', 'in', list(employees)),
                                    ], order=[]))))
            cls._supervised_cache.set(employees, campaigns)
        return campaigns

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(Eval('state') == 'done', 'muted', '')),
            ]

    @classmethod
    def on_modification(cls, mode, campaigns, field_names=None):
        super().on_modification(mode, campaigns, field_names=field_names)
        if (mode != 'write' or field_names is None
                or 'supervisor' in field_names):
            cls._supervised_cache.clear()

    @classmethod
    def copy(cls, campaigns, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('start_date', cls.default_start_date())
        default.setdefault('end_date')
        default.setdefault('planned_end_date')
        default.setdefault('results')
        default.setdefault('trackings')
        return super().copy(campaigns, default=default)

    @property
    def is_supervised(self):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        User = pool.get('res.user')
        return Tracking.is_administrator() or (
            self.supervisor
            and self.supervisor.id in User.get_working_employees())

    @classmethod
    def _check_supervised(cls, campaigns):
        for campaign in campaigns:
            if not campaign.is_supervised:
                raise AccessError(gettext(
                        'sale_opportunity_management'
                        '.msg_campaign_supervise_denied',
                        campaign=campaign.rec_name))

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_campaign_add')
    def add_customers(cls, campaigns):
        pass

    @classmethod
    def next(cls, campaign):
        """Take for the user the customer of the campaign that comes next

        Return a dictionary with the id of the tracking and the reason why it
        comes.  The id is None when there is nobody to call now.
        See take_next of sale.tracking for the order."""
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        tracking, reason = Tracking.take_next(campaign)
        return {
            'tracking': tracking.id if tracking else None,
            'reason': reason,
            }

    def get_member(self):
        pool = Pool()
        User = pool.get('res.user')
        cls = self.__class__
        employee = User.get_current_employee()
        if employee and cls.search([
                    ('id', '=', self.id),
                    ('operators', '=', employee.id),
                    ]):
            return employee
        if not cls.search([('id', '=', self.id)]):
            raise AttendError(gettext(
                    'sale_opportunity_management.msg_campaign_denied'))
        campaign = cls(self.id)
        if not employee:
            raise AttendError(gettext(
                    'sale_opportunity_management.msg_campaign_no_employee'))
        if (employee.company != campaign.company
                or not campaign.is_supervised):
            raise AttendError(gettext(
                    'sale_opportunity_management.msg_campaign_not_operator',
                    campaign=campaign.rec_name,
                    employee=employee.rec_name))
        return employee

    def get_attendant(self):
        "Return the employee of the user who calls for the campaign now"
        pool = Pool()
        Date = pool.get('ir.date')
        Lang = pool.get('ir.lang')
        employee = self.get_member()
        campaign = self.__class__(self.id)
        if campaign.state != 'running':
            raise CampaignError(gettext(
                    'sale_opportunity_management.msg_campaign_not_running',
                    campaign=campaign.rec_name,
                    state=campaign.state_string))
        with Transaction().set_context(company=campaign.company.id):
            today = Date.today()
        if campaign.start_date > today:
            raise CampaignError(gettext(
                    'sale_opportunity_management.msg_campaign_not_started',
                    campaign=campaign.rec_name,
                    date=Lang.get().strftime(campaign.start_date)))
        if campaign.end_date and campaign.end_date < today:
            raise CampaignError(gettext(
                    'sale_opportunity_management.msg_campaign_ended',
                    campaign=campaign.rec_name,
                    date=Lang.get().strftime(campaign.end_date)))
        return employee

    @classmethod
    @ModelView.button
    @Workflow.transition('running')
    def run(cls, campaigns):
        cls._check_supervised(campaigns)

    @classmethod
    @ModelView.button
    @Workflow.transition('paused')
    def pause(cls, campaigns):
        cls._check_supervised(campaigns)

    @classmethod
    @ModelView.button
    @Workflow.transition('done')
    def do(cls, campaigns):
        pool = Pool()
        Date = pool.get('ir.date')
        cls._check_supervised(campaigns)
        for campaign in campaigns:
            campaign._warn_open()
            with Transaction().set_context(company=campaign.company.id):
                today = Date.today()
            cls.write([campaign], {
                    'planned_end_date': campaign.end_date,
                    'end_date': max(today, campaign.start_date),
                    })

    def _warn_open(self):
        "Ask before what is left to do is given up"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        Warning = pool.get('res.user.warning')
        if not (self.to_do or self.in_work):
            return
        with without_check_access():
            promised = Tracking.search([
                    ('campaign', '=', self.id),
                    ('state', '=', 'open'),
                    ('callback_date', '!=', None),
                    ], count=True)
        key = Warning.format(
            f'campaign_done_{self.to_do}_{self.in_work}_{promised}', [self])
        if Warning.check(key):
            raise CampaignWarning(key, gettext(
                    'sale_opportunity_management.msg_campaign_done_open',
                    campaign=self.rec_name, to_do=self.to_do,
                    in_work=self.in_work, promised=promised))

    @classmethod
    @ModelView.button
    @Workflow.transition('paused')
    def reopen(cls, campaigns):
        pool = Pool()
        Date = pool.get('ir.date')
        cls._check_supervised(campaigns)
        for campaign in campaigns:
            with Transaction().set_context(company=campaign.company.id):
                today = Date.today()
            end_date = campaign.planned_end_date
            if end_date and end_date < today:
                end_date = None
            cls.write([campaign], {
                    'end_date': end_date,
                    'planned_end_date': None,
                    })


class CampaignOperator(ModelSQL):
    __name__ = 'sale.campaign-company.employee'

    campaign = fields.Many2One(
        'sale.campaign', "Campaign", required=True, ondelete='CASCADE')
    employee = fields.Many2One(
        'company.employee', "Employee", required=True, ondelete='CASCADE')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('campaign')

    @classmethod
    def on_delete(cls, operators):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        callbacks = super().on_delete(operators)
        left = defaultdict(list)
        for operator in operators:
            left[operator.campaign.id].append(operator.employee.id)
        callbacks.append(lambda: Tracking.share_reserved(left))
        return callbacks
