# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from collections import defaultdict

from trytond.i18n import gettext, ngettext
from trytond.model import ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .channel import has_role
from .exceptions import AssignError, OperatorError
from .moment import this_minute

ASSIGN_SIZE = 1000
_is_administrator = has_role('group_tracking_admin')


class Tracking(metaclass=PoolMeta):
    __name__ = 'sale.tracking'

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if 'operator' in values:
            values['assign_date'] = (
                this_minute() if values['operator'] else None)
        return values

    @classmethod
    def check_modification(
            cls, mode, trackings, values=None, external=False):
        super().check_modification(
            mode, trackings, values=values, external=external)
        if mode == 'create':
            if external:
                cls._check_assign(
                    [(t, t.channel, t.operator) for t in trackings],
                    created=True)
            cls._check_operators({t.operator for t in trackings if t.operator})
        elif mode == 'write':
            cls._check_write(trackings, values, external)

    @classmethod
    def _check_write(cls, trackings, values, external):
        pool = Pool()
        Channel = pool.get('sale.channel')
        Employee = pool.get('company.employee')
        if not {'channel', 'operator'} & values.keys():
            return
        changes = []
        for tracking in trackings:
            channel, operator = tracking.channel, tracking.operator
            if 'channel' in values:
                channel = values['channel'] and Channel(values['channel'])
            if 'operator' in values:
                operator = values['operator'] and Employee(values['operator'])
            if (channel, operator) != (tracking.channel, tracking.operator):
                changes.append((tracking, channel, operator))
        if external:
            cls._check_assign(changes)
        cls._check_operators({
                o for t, _, o in changes if o and o != t.operator})

    @classmethod
    def _check_assign(cls, changes, created=False):
        """Refuse what the user may not change

        changes is a list of tuples of tracking, new channel, new operator.
        An administrator gives any tracking to anyone, a manager those of the
        own channels to their employees and an operator creates them for the
        own employee.
        """
        pool = Pool()
        Channel = pool.get('sale.channel')
        User = pool.get('res.user')
        if cls.is_administrator():
            return
        managed = set(Channel.get_managed()) if cls.is_manager() else set()
        employees = set(User.get_working_employees())
        teams = {None: set()}
        for _, channel, _ in changes:
            if channel not in teams:
                teams[channel] = channel.team

        def is_allowed(tracking, channel, operator):
            if (channel and channel.id in managed
                    and channel == tracking.channel):
                return not operator or operator in teams[channel]
            if (created and operator and operator.id in employees
                    and (not channel or operator in teams[channel])):
                return True
            return tracking._may_be_assigned(channel, operator)

        for change in changes:
            if not is_allowed(*change):
                tracking, *_ = change
                raise AccessError(gettext(
                        'sale_opportunity_management'
                        '.msg_tracking_assign_denied',
                        tracking=tracking.rec_name))

    def _may_be_assigned(self, channel, operator):
        "Return if the user may assign it as somebody else than a manager"
        return False

    @classmethod
    def _check_operators(cls, operators):
        for operator in operators:
            with Transaction().set_context(company=operator.company.id):
                if not operator.__class__(operator.id).active:
                    raise OperatorError(gettext(
                            'sale_opportunity_management'
                            '.msg_operator_inactive',
                            operator=operator.rec_name))

    @classmethod
    def on_modification(cls, mode, trackings, field_names=None):
        super().on_modification(mode, trackings, field_names=field_names)
        if (mode == 'create'
                and Transaction().context.get('_notify_assigned', True)):
            by_operator = defaultdict(list)
            for tracking in trackings:
                if tracking.operator:
                    by_operator[tracking.operator].append(tracking.id)
            for operator, ids in by_operator.items():
                cls._notify_assigned(operator, ids)

    @classmethod
    def on_write(cls, trackings, values):
        callbacks = super().on_write(trackings, values)
        if 'operator' in values:
            changed = [
                t for t in trackings
                if (t.operator.id if t.operator else None)
                != values['operator']]
            operators = {t.id: t.operator for t in changed}
            planned = [t.id for t in changed if t.next_activity]
            opportunities = [t.id for t in changed if t.opportunity]
            callbacks.append(lambda: cls._follow_operator(
                    operators, values['operator'], planned, opportunities))
        return callbacks

    @classmethod
    def _follow_operator(cls, previous, operator, planned, opportunities):
        """Hand over what the previous operators still have to do

        previous is a dictionary of the previous operator by tracking id,
        operator the id of the new one, planned and opportunities are the ids
        of the trackings that have some.  What was done stays with who did it
        and what is planned for somebody else with them.  Without new operator
        also what nobody may leave unassigned."""
        pool = Pool()
        Activity = pool.get('sale.activity')
        Employee = pool.get('company.employee')
        Opportunity = pool.get('sale.opportunity')
        if not previous:
            return
        with Transaction().set_context(_notify_assigned=False):
            for Model in Activity.activity_models() if planned else []:
                if activities := [
                        a for a in Model.search([
                                ('tracking', 'in', planned),
                                ('state', '=', 'pending'),
                                ], order=[])
                        if (not a.assignee
                            or a.assignee == previous[a.tracking.id])
                        and (operator or not a.needs_assignee)]:
                    Model.write(activities, {'assignee': operator})
        if operator:
            if opportunities and (to_write := [
                        o for o in Opportunity.search([
                                ('trackings', 'in', opportunities),
                                ('state', 'in', ['lead', 'opportunity']),
                                ], order=[])
                        if any(o.employee == previous.get(t.id)
                            for t in o.trackings)]):
                Opportunity.write(to_write, {'employee': operator})
            if Transaction().context.get('_notify_assigned', True):
                cls._notify_assigned(Employee(operator), list(previous))

    @classmethod
    def assign(cls, trackings, operators, domain=None, **values):
        """Share the trackings out evenly among the operators

        trackings is a list of records or ids, operators a list of employees
        or [None] to take them away from their operator, domain what must
        still hold for each when its turn comes and values what else to write
        on each, such as the channel.  Those that are closed are left.
        The first thousand of each operator are assigned at once and the rest
        by a job.  Each operator is told once.
        Return a dictionary with the number of trackings of each operator.
        """
        ids = list(map(int, trackings))
        domain = domain or []
        numbers = {}
        for i, operator in enumerate(operators):
            share = ids[i::len(operators)]
            numbers[operator] = cls._assign_share(share, domain, {
                    **values,
                    'operator': operator.id if operator else None,
                    })
        return numbers

    @classmethod
    def _assign_share(cls, ids, domain, values):
        pool = Pool()
        Employee = pool.get('company.employee')
        Job = pool.get('sale.job')
        if len(ids) <= ASSIGN_SIZE:
            number = cls._assign(ids, domain, values)
            cls._assign_done(ids, number, domain, values)
            return number
        if values['operator']:
            name = gettext(
                'sale_opportunity_management.msg_assign_job',
                operator=Employee(values['operator']).rec_name)
        else:
            name = gettext('sale_opportunity_management.msg_unassign_job')
        Job.begin(
            name, cls(ids[0]).company, cls, '_assign', ids, ASSIGN_SIZE,
            domain=domain, values=values)
        return len(ids)

    @classmethod
    def _assign(cls, ids, domain, values):
        number = 0
        with Transaction().set_context(_notify_assigned=False):
            # Small slices as the cost of browsing grows with their square
            for sub_ids in grouped_slice(ids, 500):
                trackings = cls.search([
                        ('id', 'in', list(sub_ids)),
                        ('state', '=', 'open'),
                        domain,
                        ], order=[])
                number += len(trackings)
                cls.write(trackings, values)
        return number

    @classmethod
    def _assign_done(cls, ids, number, domain, values):
        pool = Pool()
        Employee = pool.get('company.employee')
        if values['operator'] and number:
            cls._notify_assigned(Employee(values['operator']), ids, number)

    @classmethod
    def _notify_assigned(cls, operator, ids, number=None):
        if number is None:
            number = len(ids)
        operator.notify(
            cls.browse(ids[:100]), 'tryton-sale-tracking',
            lambda: ngettext(
                'sale_opportunity_management.msg_tracking_assigned',
                number, number=number))


class _AssignWizard(Wizard):
    assign = StateTransition()
    result = StateView(
        'sale.tracking.assign.result',
        'sale_opportunity_management.tracking_assign_result_view_form', [
            Button("OK", 'end', 'tryton-ok', default=True),
            ])

    def default_start(self, fields):
        selected = len(self.records or []) if self.model else 0
        return {
            'selected': selected,
            'source': 'selected' if selected else self._source,
            }

    @check_access
    def transition_assign(self):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        cursor = Transaction().connection.cursor()
        query = Tracking.search(
            [self._domain(), ('state', '=', 'open')],
            limit=self._limit(),
            order=[('start_date', 'ASC'), ('id', 'ASC')],
            query=True)
        cursor.execute(*query)
        trackings = [id_ for id_, *_ in cursor]
        if not trackings:
            raise AssignError(gettext(
                    'sale_opportunity_management.msg_assign_none'))
        numbers = Tracking.assign(
            trackings, list(self.start.operators) or [None],
            domain=self._left_domain(), **self._values())
        self.result.text = self._text(numbers)
        return 'result'

    def _domain(self):
        if self.start.source == 'selected':
            return [('id', 'in', [t.id for t in self.records])]
        domain = [('company', '=', self.start.company.id)]
        if self.start.business_unit:
            domain.append(
                ('business_unit', '=', self.start.business_unit.id))
        return domain

    def _left_domain(self):
        "Return the domain that a tracking must match when its turn comes"
        return []

    def _limit(self):
        if self.start.source != 'selected':
            return self.start.number

    def _values(self):
        return {}

    def _text(self, numbers):
        lines = []
        for operator, number in numbers.items():
            if operator:
                operator = operator.rec_name
            else:
                operator = gettext(
                    'sale_opportunity_management.msg_tracking_unassigned')
            lines.append(gettext(
                    'sale_opportunity_management.msg_assign_result',
                    operator=operator, number=number))
        if self.start.source == 'selected':
            if left := self.start.selected - sum(numbers.values()):
                lines.append(ngettext(self._left_message, left, number=left))
        if any(n > ASSIGN_SIZE for n in numbers.values()):
            lines.append(gettext(
                    'sale_opportunity_management.msg_assign_queued'))
        return '\n'.join(lines)

    def default_result(self, fields):
        return {'text': self.result.text}


class Assign(_AssignWizard):
    __name__ = 'sale.tracking.assign'
    _source = 'next'
    _left_message = 'sale_opportunity_management.msg_assign_left'

    start = StateView(
        'sale.tracking.assign.start',
        'sale_opportunity_management.tracking_assign_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Assign", 'assign', 'tryton-ok', default=True),
            ])

    def _left_domain(self):
        return [('operator', '=', None)]

    def _domain(self):
        domain = [super()._domain(), self._left_domain()]
        if self.start.source == 'next' and self.start.channel:
            domain.append(('channel', '=', self.start.channel.id))
        return domain


class Reassign(_AssignWizard):
    __name__ = 'sale.tracking.reassign'
    _source = 'operator'
    _left_message = 'sale_opportunity_management.msg_reassign_left'

    start = StateView(
        'sale.tracking.reassign.start',
        'sale_opportunity_management.tracking_reassign_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Reassign", 'assign', 'tryton-ok', default=True),
            ])

    def _domain(self):
        domain = [super()._domain()]
        if self.start.source == 'operator':
            domain.append(('operator', '=', self.start.operator.id))
        return domain

    def _values(self):
        if self.start.channel:
            return {'channel': self.start.channel.id}
        return {}


class _AssignStart(ModelView):

    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True)
    source = fields.Selection([
            ('selected', "Selected"),
            ], "Trackings", required=True, sort=False,
        states={
            'readonly': ~Eval('selected'),
            })
    selected = fields.Integer(
        "Selected", readonly=True,
        states={
            'invisible': Eval('source') != 'selected',
            },
        help="How many trackings are selected.")
    business_unit = fields.Many2One(
        'sale.business_unit', "Business Unit",
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        states={
            'invisible': Eval('source') == 'selected',
            },
        help="Leave empty for those of any business unit.")
    number = fields.Integer(
        "Number",
        domain=['OR',
            ('number', '=', None),
            ('number', '>', 0),
            ],
        states={
            'invisible': Eval('source') == 'selected',
            })
    operators = fields.Many2Many(
        'company.employee', None, None, "To Operators",
        domain=[
            ('company', '=', Eval('company', -1)),
            ('active', '=', True),
            ],
        help="The trackings are shared out evenly among them.")

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')


class AssignStart(_AssignStart):
    __name__ = 'sale.tracking.assign.start'

    channel = fields.Many2One(
        'sale.channel', "Channel",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'invisible': Eval('source') == 'selected',
            },
        help="Leave empty for those of any channel.")
    unassigned = fields.Function(
        fields.Integer(
            "Unassigned",
            states={
                'invisible': Eval('source') == 'selected',
                },
            help="How many open trackings have no operator."),
        'on_change_with_unassigned')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.source.selection.append(('next', "Next Unassigned"))
        cls.number.states['required'] = Eval('source') == 'next'
        cls.number.help = "How many to assign, the oldest first."
        cls.operators.required = True

    @fields.depends('source', 'company', 'business_unit', 'channel')
    @check_access
    def on_change_with_unassigned(self, name=None):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        if self.source != 'next' or not self.company:
            return
        domain = [
            ('company', '=', self.company.id),
            ('state', '=', 'open'),
            ('operator', '=', None),
            ]
        if self.business_unit:
            domain.append(('business_unit', '=', self.business_unit.id))
        if self.channel:
            domain.append(('channel', '=', self.channel.id))
        return Tracking.search_count(domain)


class ReassignStart(_AssignStart):
    __name__ = 'sale.tracking.reassign.start'

    operator = fields.Many2One(
        'company.employee', "From Operator",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'invisible': Eval('source') == 'selected',
            'required': Eval('source') == 'operator',
            },
        context={
            'active_test': False,
            })
    channel = fields.Many2One(
        'sale.channel', "To Channel",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'invisible': ~_is_administrator,
            },
        help="The channel to give the trackings to.\n"
        "Leave empty to keep their channel.")
    team = fields.Many2Many(
        'company.employee', None, None, "Team", readonly=True,
        help="The employees of the channels that the user manages.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.source.selection.append(('operator', "Of an Operator"))
        cls.number.help = (
            "How many to reassign, the oldest first.\n"
            "Leave empty for all of them.")
        cls.operators.states['required'] = ~Eval('channel')
        cls.operators.domain.append(
            If(_is_administrator, (), ('id', 'in', Eval('team', []))))

    @classmethod
    def default_team(cls):
        pool = Pool()
        Channel = pool.get('sale.channel')
        return Channel.get_managed_team()


class AssignResult(ModelView):
    __name__ = 'sale.tracking.assign.result'

    text = fields.Text("Assigned", readonly=True)
