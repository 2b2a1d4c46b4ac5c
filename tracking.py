# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from collections import defaultdict

from sql import Null, Union
from sql.aggregate import Count
from sql.functions import CharLength

from trytond import backend
from trytond.i18n import gettext
from trytond.model import ChatMixin, Index, ModelView, Workflow, fields
from trytond.model.exceptions import AccessError
from trytond.modules.company.model import employee_field
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.tools import grouped_slice, likify
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from .activity import TRACKING_ROLES
from .channel import has_role
from .party import PHONE_TYPES, RATINGS
from .party_search import GLOBAL_LIMIT
from .phone import PhoneMixin

_is_manager = has_role('group_tracking_manager')
_is_administrator = has_role('group_tracking_admin')


class Tracking(PhoneMixin, Workflow, ModelView, ChatMixin):
    __name__ = 'sale.tracking'
    _history = True
    _rec_name = 'number'

    _states = {
        'readonly': Eval('state') == 'closed',
        }

    number = fields.Char("Number", required=True, readonly=True)
    party = fields.Many2One(
        'party.party', "Customer", required=True, ondelete='RESTRICT',
        states={
            'readonly': (
                _states['readonly'] | Bool(Eval('activities', [0]))),
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
        help="The person to talk to.")
    contact_mechanism = fields.Many2One(
        'party.contact_mechanism', "Contact Mechanism", ondelete='RESTRICT',
        states=_states,
        domain=[
            ('party', '=', Eval('party', -1)),
            ],
        context={
            'company': Eval('company', -1),
            },
        search_context={
            'related_party': Eval('party', -1),
            },
        depends={'company'},
        help="How to reach the customer.\n"
        "Leave empty to use the first phone number of the customer.")
    city = fields.Function(
        fields.Char("City"), 'get_city', searcher='search_city')
    rating = fields.Function(
        fields.Selection(RATINGS, "Rating", sort=False),
        'get_typification', searcher='search_typification')
    rating_comment = fields.Function(
        fields.Text("Rating Comment"),
        'get_typification', searcher='search_typification')
    company = fields.Many2One(
        'company.company', "Company", required=True,
        states={
            'readonly': _states['readonly'] | Eval('party', True),
            })
    business_unit = fields.Many2One(
        'sale.business_unit', "Business Unit", required=True,
        ondelete='RESTRICT', states=_states,
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ])
    channel = fields.Many2One(
        'sale.channel', "Channel", ondelete='RESTRICT',
        states={
            'readonly': _states['readonly'] | ~_is_administrator,
            },
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="The branch or sales agency that works the customer.")
    operator = fields.Many2One(
        'company.employee', "Operator", ondelete='RESTRICT',
        states={
            'readonly': _states['readonly'] | ~_is_manager,
            },
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="The employee who works the customer.")
    assign_date = fields.DateTime(
        "Assigned On", format='%H:%M', readonly=True,
        help="Since when the operator works the customer.")
    opportunity = fields.Many2One(
        'sale.opportunity', "Opportunity", ondelete='RESTRICT',
        states=_states,
        domain=[
            ('company', '=', Eval('company', -1)),
            ('party', '=', Eval('party', -1)),
            ],
        help="The opportunity that was made from the tracking.")
    sale = fields.Many2One(
        'sale.sale', "Sale", ondelete='SET NULL', states=_states,
        domain=[
            ('company', '=', Eval('company', -1)),
            ('party', '=', Eval('party', -1)),
            ],
        help="The quotation or sale that is followed up.")
    start_date = fields.Date("Start Date", required=True, states=_states)
    end_date = fields.Date(
        "End Date", readonly=True,
        states={
            'invisible': Eval('state') != 'closed',
            })
    comment = fields.Text("Comment")
    activities = fields.One2Many(
        'sale.activity', 'tracking', "Activities", readonly=True,
        filter=[
            ('role', 'in', TRACKING_ROLES),
            ],
        order=[('date', 'DESC'), ('id', 'DESC')])
    calls = fields.One2Many(
        'sale.call', 'tracking', "Calls", states=_states,
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        order=[('date', 'DESC'), ('id', 'DESC')])
    tasks = fields.One2Many(
        'sale.task', 'tracking', "Tasks", states=_states,
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        order=[('date', 'DESC'), ('id', 'DESC')])
    linked_tasks = fields.Many2Many(
        'sale.task-sale.tracking', 'tracking', 'task', "Linked Tasks",
        states=_states,
        domain=[
            ('company', '=', Eval('company', -1)),
            ['OR',
                ('tracking', '=', None),
                ('tracking', '!=', Eval('id', -1)),
                ],
            ],
        order=[('task.date', 'DESC'), ('task.id', 'DESC')],
        help="The tasks and incidents that were not created from the "
        "tracking but are shown on it.")
    interest = fields.Selection(
        'get_interests', "Interest", readonly=True, sort=False,
        help="The interest of the last answered call.")
    interest_string = interest.translated('interest')
    interest_path = fields.Function(
        fields.Char("Interest Path",
            help="The interest of each call, from the first to the last."),
        'get_interest_path')
    calls_number = fields.Function(
        fields.Integer("Calls Made"), 'get_calls_number')
    last_activity = fields.DateTime(
        "Last Activity", format='%H:%M', readonly=True,
        help="When the last activity was done.")
    next_activity = fields.DateTime(
        "Next Activity", format='%H:%M', readonly=True,
        help="When the next activity is planned.")
    closed_by = employee_field("Closed By", states=['open', 'closed'])
    state = fields.Selection([
            ('open', "Open"),
            ('closed', "Closed"),
            ], "State", required=True, readonly=True, sort=False)

    del _states

    @classmethod
    def __setup__(cls):
        cls.number.search_unaccented = False
        cls.closed_by.readonly = True
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.party, Index.Range())),
                Index(
                    t,
                    (t.party, Index.Equality()),
                    (t.business_unit, Index.Equality()),
                    where=t.state == 'open'),
                Index(
                    t,
                    (t.operator, Index.Equality()),
                    (t.next_activity, Index.Range()),
                    where=t.state == 'open'),
                Index(
                    t,
                    (t.company, Index.Equality(cardinality='low')),
                    (t.start_date, Index.Range()),
                    (t.id, Index.Range()),
                    where=(t.state == 'open') & (t.operator == Null)),
                # To count the first ones, as the managers' tabs do
                Index(
                    t,
                    (t.id, Index.Range()),
                    include=cls._rule_columns(t),
                    where=t.state == 'open'),
                Index(
                    t,
                    (t.channel, Index.Equality()),
                    (t.next_activity, Index.Range()),
                    where=t.state == 'open'),
                # The first page of the lists in their order, with what the
                # rules and tabs look at: no company first, as a rule may
                # have several
                Index(
                    t,
                    (t.start_date, Index.Range(order='DESC')),
                    (t.id, Index.Range(order='DESC')),
                    include=[*cls._rule_columns(t), t.next_activity],
                    where=t.state == 'open'),
                Index(
                    t,
                    (t.start_date, Index.Range(order='DESC')),
                    (t.id, Index.Range(order='DESC')),
                    include=[*cls._rule_columns(t), t.state]),
                Index(t, (t.operator, Index.Range()), (t.id, Index.Range())),
                Index(t, (t.channel, Index.Range()), (t.id, Index.Range())),
                *(Index(
                        t,
                        (column, Index.Range()),
                        (t.next_activity, Index.Range()),
                        where=(t.state == 'open') & (column != Null))
                    for column in [t.sale, t.opportunity]),
                Index(t, (t.business_unit, Index.Range())),
                Index(t, (t.contact_mechanism, Index.Range())),
                Index(t, (t.contact, Index.Range())),
                })
        cls._order = [('start_date', 'DESC'), ('id', 'DESC')]
        cls._transitions |= {
            ('open', 'closed'),
            ('closed', 'open'),
            }
        cls._buttons.update({
                'record_call': {
                    'invisible': Eval('state') != 'open',
                    'depends': ['state'],
                    },
                'create_task': {
                    'invisible': Eval('state') != 'open',
                    'depends': ['state'],
                    },
                'create_incident': {
                    'invisible': Eval('state') != 'open',
                    'depends': ['state'],
                    },
                'link_task': {
                    'invisible': Eval('state') != 'open',
                    'depends': ['state'],
                    },
                })

    @classmethod
    def __register__(cls, module):
        pool = Pool()
        Model = pool.get('ir.model')
        created = not backend.TableHandler.table_exist(cls._table)
        super().__register__(module)
        if created:
            model = Model.__table__()
            cursor = Transaction().connection.cursor()
            cursor.execute(*model.update(
                    [model.global_search_p], [True],
                    where=model.name.in_([cls.__name__, 'party.party'])))

    @classmethod
    def _rule_columns(cls, table):
        "Return the columns that the rules look at"
        return [table.company, table.channel, table.operator]

    @classmethod
    def is_administrator(cls):
        return cls._has_group('group_tracking_admin')

    @classmethod
    def is_manager(cls):
        return cls._has_group('group_tracking_manager')

    @classmethod
    def _has_group(cls, name):
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        User = pool.get('res.user')
        group = ModelData.get_id('sale_opportunity_management', name)
        return Transaction().user == 0 or group in User.get_groups()

    @classmethod
    def order_number(cls, tables):
        table, _ = tables[None]
        return [CharLength(table.number), table.number]

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_channel(cls):
        pool = Pool()
        Channel = pool.get('sale.channel')
        employee = Transaction().context.get('employee')
        if employee is not None and not cls.is_administrator():
            channels = Channel.search(['OR',
                    ('members', '=', employee),
                    ('managers', '=', employee),
                    ], limit=2)
            if len(channels) == 1:
                return channels[0].id

    @classmethod
    def default_operator(cls):
        if not cls.is_manager():
            return Transaction().context.get('employee')

    @classmethod
    def default_start_date(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        return Date.today()

    @classmethod
    def default_state(cls):
        return 'open'

    @fields.depends('party', 'contact', 'contact_mechanism')
    def on_change_party(self):
        if self.contact and self.contact.party != self.party:
            self.contact = None
        if (self.contact_mechanism
                and self.contact_mechanism.party != self.party):
            self.contact_mechanism = None

    @fields.depends('contact', 'contact_mechanism')
    def on_change_contact(self):
        if self.contact and not self.contact_mechanism:
            for mechanism in self.contact.contact_mechanisms:
                if mechanism.type in PHONE_TYPES:
                    self.contact_mechanism = mechanism
                    break

    @fields.depends('contact_mechanism')
    def on_change_with_phone(self, name=None):
        if self.contact_mechanism:
            return self.contact_mechanism.value
        return super().on_change_with_phone(name=name)

    @classmethod
    def get_interests(cls):
        pool = Pool()
        Call = pool.get('sale.call')
        return Call.fields_get(['interest'])['interest']['selection']

    @classmethod
    def get_city(cls, trackings, name):
        cities = {}
        for tracking in trackings:
            address = tracking.party.address_get() if tracking.party else None
            cities[tracking.id] = address.city if address else None
        return cities

    @classmethod
    def search_city(cls, name, clause):
        pool = Pool()
        Address = pool.get('party.address')
        address = Address.__table__()
        query = Address.search(
            [('city', *clause[1:])], order=[], query=True)
        t = cls.__table__()
        return [('id', 'in', t.select(
                    t.id, where=t.party.in_(address.select(
                            address.party,
                            where=address.id.in_(query)))))]

    @classmethod
    def get_typification(cls, trackings, names):
        return {
            name: {t.id: getattr(t.party, name, None) for t in trackings}
            for name in names}

    @classmethod
    def search_typification(cls, name, clause):
        return [('party', 'where', [tuple(clause)])]

    @classmethod
    def get_interest_path(cls, trackings, name):
        pool = Pool()
        Call = pool.get('sale.call')
        call = Call.__table__()
        cursor = Transaction().connection.cursor()
        paths = defaultdict(list)
        cursor.execute(*call.select(
                call.tracking, call.interest,
                where=fields.SQL_OPERATORS['in'](
                    call.tracking, [t.id for t in trackings])
                & (call.state == 'done')
                & (call.interest != Null),
                order_by=[call.date, call.id]))
        for tracking, interest in cursor:
            paths[tracking].append(interest)
        return {t.id: ' → '.join(paths[t.id]) for t in trackings}

    @classmethod
    def get_calls_number(cls, trackings, name):
        pool = Pool()
        Call = pool.get('sale.call')
        call = Call.__table__()
        cursor = Transaction().connection.cursor()
        numbers = {t.id: 0 for t in trackings}
        cursor.execute(*call.select(
                call.tracking, Count(call.id),
                where=fields.SQL_OPERATORS['in'](
                    call.tracking, list(numbers))
                & (call.state == 'done'),
                group_by=call.tracking))
        numbers.update(cursor)
        return numbers

    @property
    def next_call(self):
        pool = Pool()
        Call = pool.get('sale.call')
        if calls := Call.search([
                    ('tracking', '=', self.id),
                    ('state', '=', 'pending'),
                    ], order=[('date', 'ASC'), ('id', 'ASC')], limit=1):
            return calls[0]

    @property
    def last_call(self):
        pool = Pool()
        Call = pool.get('sale.call')
        if calls := Call.search([
                    ('tracking', '=', self.id),
                    ('state', '=', 'done'),
                    ], order=[('date', 'DESC'), ('id', 'DESC')], limit=1):
            return calls[0]

    def get_rec_name(self, name):
        return ' '.join(filter(None, [
                    self.number, self.party and self.party.rec_name]))

    @classmethod
    def search_rec_name(cls, name, clause):
        pool = Pool()
        Party = pool.get('party.party')
        _, operator, *extra = clause
        t = cls.__table__()
        # The customers that are not active any more have their trackings
        with inactive_records(), without_check_access():
            parties = Party.search(
                [('rec_name', operator, *extra)], order=[], query=True)
            by_party = t.select(t.id, where=t.party.in_(parties))
            number = ('number', operator, *extra)
            if operator.startswith('!') or operator.startswith('not '):
                return [number, ('id', 'in', by_party)]
            # Each one uses its index
            return [('id', 'in', Union(
                        cls.search([number], order=[], query=True),
                        by_party))]

    @classmethod
    def search_global(cls, text):
        for tracking in cls.search([
                    ('rec_name', 'ilike', likify(text)),
                    ], limit=GLOBAL_LIMIT):
            yield tracking, tracking.rec_name, 'tryton-sale-tracking'

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(Eval('state') == 'closed', 'muted', '')),
            ]

    def chat_language(self, audience='internal'):
        language = super().chat_language(audience=audience)
        if audience == 'public':
            language = self.party.lang.code if self.party.lang else None
        return language

    @classmethod
    def read(cls, ids, fields_names):
        if ('rec_name' in fields_names
                and set(fields_names) <= {'id', 'rec_name'}
                and cls._is_named(ids)):
            with without_check_access():
                return super().read(ids, fields_names)
        return super().read(ids, fields_names)

    @classmethod
    def _is_named(cls, ids):
        """Return if only what is about them lets the user know the trackings

        Whoever reads an activity reads also the name of its tracking."""
        if not Transaction().check_access:
            return False
        unknown = set(ids) - set(map(int, cls.search(
                    [('id', 'in', ids)], order=[])))
        if not unknown:
            return False
        for Model in cls._naming_models():
            unknown -= {r.tracking.id for r in Model.search([
                        ('tracking', 'in', list(unknown)),
                        ], order=[])}
        return not unknown

    @classmethod
    def _naming_models(cls):
        "Return the models whose records tell the name of their tracking"
        pool = Pool()
        Activity = pool.get('sale.activity')
        return Activity.activity_models()

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
                        'tracking_sequence', company=company_id):
                    values['number'] = sequence.get()
        return values

    @classmethod
    def check_modification(
            cls, mode, trackings, values=None, external=False):
        super().check_modification(
            mode, trackings, values=values, external=external)
        if mode == 'write' and external and 'party' in values:
            for tracking in trackings:
                if (tracking.party.id != values['party']
                        and tracking.activities):
                    raise AccessError(gettext(
                            'sale_opportunity_management'
                            '.msg_tracking_change_party',
                            tracking=tracking.rec_name))
        elif mode == 'delete':
            if refusals := [
                    r for t in trackings for r in t._refuse_delete(external)]:
                raise AccessError('\n'.join(refusals))

    def _refuse_delete(self, external):
        """Return the reasons for which the tracking is not deleted

        external is whether a user asks for it."""
        if self.activities:
            return [gettext(
                    'sale_opportunity_management.msg_tracking_delete_history',
                    tracking=self.rec_name)]
        return []

    @classmethod
    def on_modification(cls, mode, trackings, field_names=None):
        pool = Pool()
        Activity = pool.get('sale.activity')
        super().on_modification(mode, trackings, field_names=field_names)
        if mode == 'write' and 'party' in field_names:
            for Model in Activity.activity_models():
                to_write = []
                for activity in Model.search([
                            ('tracking', 'in', list(map(int, trackings))),
                            ]):
                    if activity.party != activity.tracking.party:
                        to_write.extend([
                                [activity],
                                {'party': activity.tracking.party.id}])
                if to_write:
                    Model.write(*to_write)

    @classmethod
    def update_activities(cls, trackings):
        """Keep on the trackings a summary of their activities

        It is the only place that writes the interest and the moments of the
        last and the next activity."""
        pool = Pool()
        Activity = pool.get('sale.activity')
        cursor = Transaction().connection.cursor()
        to_write = []
        for sub_trackings in grouped_slice(list(trackings), 500):
            sub_trackings = cls.browse(sub_trackings)
            cls._lock_summary(sub_trackings)
            summaries = {
                t.id: dict.fromkeys(
                    ['interest', 'last_activity', 'next_activity'])
                for t in sub_trackings}
            for Model in Activity.activity_models():
                query = Model.tracking_query(list(summaries))
                cursor.execute(*query.select(
                        query.tracking, query.state, query.date,
                        query.interest,
                        order_by=[query.date, query.id]))
                for tracking, state, date, interest in cursor:
                    summary = summaries[tracking]
                    if state == 'pending':
                        summary['next_activity'] = min(
                            summary['next_activity'] or date, date)
                        continue
                    summary['last_activity'] = max(
                        summary['last_activity'] or date, date)
                    # No answer does not change what the customer said before
                    if interest and (
                            interest != '0' or not summary['interest']):
                        summary['interest'] = interest
            for tracking in sub_trackings:
                values = {
                    name: value
                    for name, value in summaries[tracking.id].items()
                    if getattr(tracking, name) != value}
                if values:
                    to_write.extend([[tracking], values])
        if to_write:
            with without_check_access():
                cls.write(*to_write)

    @classmethod
    def _lock_summary(cls, trackings):
        transaction = Transaction()
        if not transaction.database.has_select_for():
            return
        # A lock alone would let go on who has read the activities before and
        # summarises once it is free: what was written makes them begin again
        cursor = transaction.connection.cursor()
        table = cls.__table__()
        cursor.execute(*table.update(
                [table.state], [table.state],
                where=fields.SQL_OPERATORS['in'](
                    table.id, sorted(map(int, trackings)))))

    @classmethod
    def copy(cls, trackings, default=None):
        default = default.copy() if default is not None else {}
        for name in [
                'number', 'activities', 'calls', 'tasks', 'linked_tasks',
                'opportunity', 'sale', 'interest', 'last_activity',
                'next_activity', 'end_date', 'closed_by']:
            default.setdefault(name, None)
        default.setdefault('start_date', cls.default_start_date())
        return super().copy(trackings, default=default)

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_tracking_record_call')
    def record_call(cls, trackings):
        pass

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_tracking_create_task')
    def create_task(cls, trackings):
        pass

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_tracking_create_incident')
    def create_incident(cls, trackings):
        pass

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_tracking_link_task')
    def link_task(cls, trackings):
        pass
