# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from collections import defaultdict

from sql import Column, Null
from sql.aggregate import Min
from sql.conditionals import Coalesce

from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval, Id, If
from trytond.transaction import Transaction, check_access, without_check_access
from trytond.wizard import (
    Button, StateAction, StateTransition, StateView, Wizard)

from .activity import TRACKING_ROLES
from .channel import has_role
from .exceptions import ClosedTrackingError
from .indicator import LINE_END, IndicatorMixin
from .moment import now
from .tools import accepted_domain, clause_accepts


class OpportunityMixin(ModelSQL, ModelView):

    @classmethod
    def __setup__(cls):
        super().__setup__()
        in_group = (
            Id('sale_opportunity', 'group_opportunity')
            .in_(Eval('context', {}).get('groups', [])))
        cls._buttons.update({
                'create_opportunity': {
                    'invisible': Bool(Eval('opportunity')) | ~in_group,
                    'depends': ['opportunity'],
                    },
                'show_opportunity': {
                    'invisible': ~Eval('opportunity') | ~in_group,
                    'depends': ['opportunity'],
                    },
                })

    @classmethod
    def make_opportunity(cls, records, **values):
        "Make the opportunity with the values of the records without one"
        pool = Pool()
        Opportunity = pool.get('sale.opportunity')
        for record in records:
            if record.opportunity:
                continue
            opportunity, = Opportunity.create([{
                        **record._opportunity_values(),
                        **values,
                        }])
            record._link_opportunity(opportunity)
            if opportunity.employee:
                Opportunity.opportunity([opportunity])

    def _link_opportunity(self, opportunity):
        self.__class__.write([self], {'opportunity': opportunity.id})

    def _opportunity_values(self):
        "Return the values from which the opportunity is created"
        pool = Pool()
        Date = pool.get('ir.date')
        with Transaction().set_context(company=self.company.id):
            today = Date.today()
        return {
            'company': self.company.id,
            'party': self.party.id,
            'start_date': today,
            }

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_opportunity_open')
    def create_opportunity(cls, records):
        pass

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_opportunity_open')
    def show_opportunity(cls, records):
        pass


class FollowedMixin(IndicatorMixin):
    # _tracking_field is the name of the field of the tracking and
    # _follow_states are the states in which it is followed up.

    _tracking_field = None
    _follow_states = []
    _indicators = ['overdue', 'in_progress', 'concluded']

    trackings = fields.One2Many(
        'sale.tracking', None, "Trackings",
        domain=[
            ('company', '=', Eval('company', -1)),
            ('party', '=', Eval('party', -1)),
            ],
        states={
            'readonly': ~Eval('party'),
            })
    activities = fields.Function(
        fields.Many2Many(
            'sale.activity', None, None, "Activities",
            help="What was done and what is planned in the trackings."),
        'get_activities')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.trackings.field = cls._tracking_field
        cls._buttons.update({
                'follow': {
                    'invisible': (
                        ~Eval('state').in_(cls._follow_states)
                        | ~has_role('group_tracking')),
                    'readonly': ~Eval('party'),
                    'depends': ['state', 'party'],
                    },
                })

    @classmethod
    def _indicator_query(cls):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        tracking = Tracking.__table__()
        record = Column(tracking, cls._tracking_field)
        return tracking.select(
            record.as_('record'),
            Min(Tracking._indicator_rank(tracking)).as_('rank'),
            where=record != Null,
            group_by=[record])

    @classmethod
    def _linked_query(cls, where=None):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        tracking = Tracking.__table__()
        record = Column(tracking, cls._tracking_field)
        query = tracking.select(record, where=record != Null)
        if where:
            query.where &= where(tracking)
        return query

    @classmethod
    def order_indicator(cls, tables):
        table, _ = tables[None]
        if 'indicator' not in tables:
            query = cls._indicator_query()
            tables['indicator'] = {
                None: (query, query.record == table.id),
                }
        else:
            query, _ = tables['indicator'][None]
        # Those without tracking after the others on any database
        return [Coalesce(query.rank, len(cls._indicators))]

    @classmethod
    def get_indicator(cls, records, name):
        cursor = Transaction().connection.cursor()
        indicators = {r.id: None for r in records}
        query = cls._indicator_query()
        query.where &= fields.SQL_OPERATORS['in'](
            query.group_by[0], list(indicators))
        cursor.execute(*query)
        for id_, rank in cursor:
            indicators[id_] = cls._indicators[rank]
        return indicators

    @classmethod
    def search_indicator(cls, name, clause):
        overdue = cls._linked_query(
            lambda tracking: (tracking.state == 'open')
            & (tracking.next_activity < now()))
        open_ = cls._linked_query(lambda tracking: tracking.state == 'open')
        linked = cls._linked_query()
        return accepted_domain(clause, {
                'overdue': [('id', 'in', overdue)],
                'in_progress': [
                    ('id', 'in', open_),
                    ('id', 'not in', overdue),
                    ],
                'concluded': [
                    ('id', 'in', linked),
                    ('id', 'not in', open_),
                    ],
                None: [('id', 'not in', linked)],
                })

    @classmethod
    @check_access
    def _read_trackings(cls, records):
        """Return the trackings of the records that the user may read

        The most urgent come first."""
        pool = Pool()
        ModelAccess = pool.get('ir.model.access')
        Tracking = pool.get('sale.tracking')
        if not ModelAccess.check('sale.tracking', raise_exception=False):
            return []
        return Tracking.search([
                (cls._tracking_field, 'in', [r.id for r in records]),
                ], order=[('indicator', 'ASC'), ('id', 'ASC')])

    @classmethod
    def get_follow_up(cls, records, name):
        texts = defaultdict(list)
        for tracking in cls._read_trackings(records):
            record = getattr(tracking, cls._tracking_field)
            texts[record.id].append(tracking.follow_up)
        # The icon is shown also without the right to read the trackings
        return {
            r.id: (
                f'{LINE_END}\n\n'.join(texts[r.id])
                or r.indicator_string or None)
            for r in records}

    @classmethod
    @check_access
    def get_activities(cls, records, name):
        pool = Pool()
        Activity = pool.get('sale.activity')
        activities = {r.id: [] for r in records}
        trackings = {
            t.id: getattr(t, cls._tracking_field).id
            for t in cls._read_trackings(records)}
        if not trackings:
            return activities
        for activity in Activity.search_read([
                    ('tracking', 'in', list(trackings)),
                    ('role', 'in', TRACKING_ROLES),
                    ], fields_names=['tracking'],
                order=[('date', 'DESC'), ('id', 'DESC')]):
            activities[trackings[activity['tracking']]].append(activity['id'])
        return activities

    @classmethod
    def copy(cls, records, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('trackings')
        return super().copy(records, default=default)

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_tracking_follow_up')
    def follow(cls, records):
        pass


class Tracking(OpportunityMixin, metaclass=PoolMeta):
    __name__ = 'sale.tracking'

    opportunity_state = fields.Function(
        fields.Selection(
            'get_opportunity_states', "Opportunity State", sort=False,
            states={
                'invisible': ~Eval('opportunity'),
                }),
        'get_origin_state', searcher='search_origin_state')
    opportunity_state_string = opportunity_state.translated(
        'opportunity_state')
    sale_state = fields.Function(
        fields.Selection(
            'get_sale_states', "Sale State", sort=False,
            states={
                'invisible': ~Eval('sale'),
                }),
        'get_origin_state', searcher='search_origin_state')
    sale_state_string = sale_state.translated('sale_state')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        button = cls._buttons['create_opportunity']
        button['invisible'] |= Eval('state') != 'open'
        button['depends'].append('state')

    @classmethod
    def get_opportunity_states(cls):
        return cls._origin_states('sale.opportunity')

    @classmethod
    def get_sale_states(cls):
        return cls._origin_states('sale.sale')

    @classmethod
    def _origin_states(cls, model):
        pool = Pool()
        Model = pool.get(model)
        with without_check_access():
            return [(None, "")] + (
                Model.fields_get(['state'])['state']['selection'])

    @classmethod
    def get_origin_state(cls, trackings, names):
        states = {}
        for name in names:
            field = name.removesuffix('_state')
            states[name] = {
                t.id: getattr(getattr(t, field), 'state', None)
                for t in trackings}
        return states

    @classmethod
    def search_origin_state(cls, name, clause):
        pool = Pool()
        field = name.removesuffix('_state')
        Origin = pool.get(cls._fields[field].model_name)
        with without_check_access():
            query = Origin.search(
                [('state', *clause[1:])], order=[], query=True)
        domain = [(field, 'in', query)]
        if clause_accepts(clause, None):
            domain = ['OR', (field, '=', None), domain]
        return domain

    def _opportunity_values(self):
        values = super()._opportunity_values()
        employee = Transaction().context.get('employee')
        values.update({
                'contact': (
                    self.contact_mechanism.id if self.contact_mechanism
                    else None),
                'employee': self.operator.id if self.operator else employee,
                'description': self.business_unit.rec_name,
                })
        return values


class FollowUp(Wizard):
    __name__ = 'sale.tracking.follow_up'

    start = StateView(
        'sale.tracking.follow_up.start',
        'sale_opportunity_management.tracking_follow_up_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Follow Up", 'follow', 'tryton-ok', default=True),
            ])
    follow = StateTransition()

    def default_start(self, fields):
        pool = Pool()
        Model = pool.get('ir.model')
        Opportunity = pool.get('sale.opportunity')
        Start = pool.get('sale.tracking.follow_up.start')
        Tracking = pool.get('sale.tracking')
        record = self.record
        if self.model == Opportunity:
            sale, opportunity = None, record
        else:
            sale = record
            opportunity = (
                record.origin if isinstance(record.origin, Opportunity)
                else None)
        values = {
            'company': record.company.id,
            'party': record.party.id,
            'sale': sale and sale.id,
            'opportunity': opportunity and opportunity.id,
            'summary': gettext(
                'sale_opportunity_management.msg_follow_up_summary',
                model=Model.get_name(record.__name__),
                record=record.rec_name),
            }
        start = Start(**values)
        if tracking := start.find_tracking():
            values['tracking'] = tracking.id
            values['business_unit'] = tracking.business_unit.id
            values['operator'] = tracking.operator and tracking.operator.id
        else:
            operator = Transaction().context.get('employee')
            if opportunity and opportunity.employee and Tracking.is_manager():
                operator = opportunity.employee.id
            values['operator'] = operator
            if business_unit := start.find_business_unit():
                values['business_unit'] = business_unit.id
        return values

    @check_access
    def transition_follow(self):
        self.start.save_tracking()
        return 'end'

    def end(self):
        return 'reload'


class FollowUpStart(ModelView):
    __name__ = 'sale.tracking.follow_up.start'

    company = fields.Many2One('company.company', "Company", readonly=True)
    party = fields.Many2One(
        'party.party', "Customer", readonly=True,
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    sale = fields.Many2One(
        'sale.sale', "Sale", readonly=True,
        states={
            'invisible': ~Eval('sale'),
            })
    opportunity = fields.Many2One(
        'sale.opportunity', "Opportunity", readonly=True,
        states={
            'invisible': ~Eval('opportunity'),
            })
    tracking = fields.Many2One(
        'sale.tracking', "Tracking",
        domain=[
            ('company', '=', Eval('company', -1)),
            ('party', '=', Eval('party', -1)),
            ('state', '=', 'open'),
            If(Bool(Eval('sale')),
                ('sale', 'in', [None, Eval('sale', None)]), ()),
            If(Bool(Eval('opportunity')),
                ('opportunity', 'in', [None, Eval('opportunity', None)]), ()),
            ],
        help="The open tracking of the customer that is continued.\n"
        "Leave empty to start a new one.")
    business_unit = fields.Many2One(
        'sale.business_unit', "Business Unit", required=True,
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        states={
            'readonly': Bool(Eval('tracking')),
            })
    operator = fields.Many2One(
        'company.employee', "Operator",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'readonly': (
                Bool(Eval('tracking'))
                | ~has_role('group_tracking_manager')),
            },
        help="The employee who follows it up.")
    kind = fields.Selection(
        'get_kinds', "Kind", required=True,
        help="What has to be done.")
    date = fields.DateTime(
        "Date", format='%H:%M', required=True,
        help="When it has to be done.")
    summary = fields.Char(
        "Summary", required=True,
        help="What it is for.")

    @classmethod
    def default_kind(cls):
        return 'call'

    @classmethod
    def get_kinds(cls):
        pool = Pool()
        RecordStart = pool.get('sale.activity.record.start')
        return RecordStart.get_next_kinds()

    @fields.depends('tracking', 'business_unit', 'operator')
    def on_change_tracking(self):
        if self.tracking:
            self.business_unit = self.tracking.business_unit
            self.operator = self.tracking.operator
        else:
            self.operator = Transaction().context.get('employee')

    @check_access
    def find_tracking(self):
        """Return the open tracking to continue

        It is the one of the sale, else that of the opportunity, else the one
        of the customer that follows up nothing else, as far as the user may
        read it."""
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        links = [
            ('sale', self.sale and self.sale.id),
            ('opportunity', self.opportunity and self.opportunity.id),
            ]
        links = [(name, id_) for name, id_ in links if id_]
        trackings = Tracking.search([
                ('company', '=', self.company.id),
                ('party', '=', self.party.id),
                ('state', '=', 'open'),
                *((name, 'in', [None, id_]) for name, id_ in links),
                ], order=[('start_date', 'DESC'), ('id', 'DESC')])
        for name, id_ in links:
            for tracking in trackings:
                record = getattr(tracking, name)
                if record and record.id == id_:
                    return tracking
        for tracking in trackings:
            if not tracking.sale and not tracking.opportunity:
                return tracking

    @check_access
    def find_business_unit(self):
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Tracking = pool.get('sale.tracking')
        if trackings := Tracking.search([
                    ('company', '=', self.company.id),
                    ('party', '=', self.party.id),
                    ('business_unit.active', '=', True),
                    ], limit=1):
            tracking, = trackings
            return tracking.business_unit
        business_units = BusinessUnit.search([
                ('company', 'in', [self.company.id, None]),
                ], limit=2)
        if len(business_units) == 1:
            business_unit, = business_units
            return business_unit

    def save_tracking(self):
        """Continue or create the tracking and plan its activity

        Everything goes through create and write: only they check the access.
        """
        pool = Pool()
        Activity = pool.get(f'sale.{self.kind}')
        Tracking = pool.get('sale.tracking')
        if self.tracking:
            tracking = self.tracking
            Tracking.lock([tracking])
            tracking = Tracking(tracking.id)
            if tracking.state == 'closed':
                raise ClosedTrackingError(gettext(
                        'sale_opportunity_management.msg_tracking_closed',
                        tracking=tracking.rec_name))
            values = {
                name: getattr(self, name).id
                for name in ['sale', 'opportunity']
                if getattr(self, name) and not getattr(tracking, name)}
            if values:
                Tracking.write([tracking], values)
        else:
            tracking, = Tracking.create([self._tracking_values()])
        assignee = (
            tracking.operator.id if tracking.operator
            else Transaction().context.get('employee'))
        Activity.create([{
                    'tracking': tracking.id,
                    'planned_date': self.date,
                    'summary': self.summary,
                    'assignee': assignee,
                    }])

    def _tracking_values(self):
        return {
            'company': self.company.id,
            'party': self.party.id,
            'sale': self.sale and self.sale.id,
            'opportunity': self.opportunity and self.opportunity.id,
            'business_unit': self.business_unit.id,
            'channel': self._find_channel(),
            'operator': self.operator and self.operator.id,
            }

    def _find_channel(self):
        pool = Pool()
        Channel = pool.get('sale.channel')
        if not self.operator:
            return None
        channels = Channel.search([
                ('company', '=', self.company.id),
                ['OR',
                    ('members', '=', self.operator.id),
                    ('managers', '=', self.operator.id),
                    ],
                ], limit=2)
        if len(channels) == 1:
            channel, = channels
            return channel.id


class OpenOpportunity(Wizard):
    __name__ = 'sale.opportunity.open'

    start = StateTransition()
    open_ = StateAction('sale_opportunity_management.act_opportunity_open')

    @check_access
    def transition_start(self):
        if not self.record.opportunity:
            self.model.make_opportunity([self.model(self.record.id)])
        return 'open_'

    def do_open_(self, action):
        record = self.model(self.record.id)
        return action, {'res_id': [record.opportunity.id]}

    def end(self):
        return 'reload'
