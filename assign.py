# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.i18n import gettext, ngettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, Id, If
from trytond.transaction import Transaction, check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .exceptions import AssignError
from .tracking import ASSIGN_SIZE


class _AssignWizard(Wizard):
    "What the wizards that give trackings to operators have in common"
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

    def transition_assign(self):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        cursor = Transaction().connection.cursor()
        # What the user may not do through the forms, not here either
        with check_access():
            query = Tracking.search(
                [self._domain(), ('state', '=', 'open')],
                limit=self._limit(),
                order=[('start_date', 'ASC'), ('id', 'ASC')],
                query=True)
            cursor.execute(*query)
            # Only the ids: they may be a hundred thousand
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
        "What must still hold when the turn of a tracking comes"
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

    source = fields.Selection([
            ('selected', "Selected"),
            ('next', "Next Unassigned"),
            ], "Trackings", required=True, sort=False,
        states={
            'readonly': ~Eval('selected'),
            })
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
    number = fields.Integer(
        "Number",
        domain=[If(Eval('source') == 'next', ('number', '>', 0), ())],
        states={
            'invisible': Eval('source') == 'selected',
            'required': Eval('source') == 'next',
            },
        help="How many to assign, the oldest first.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.operators.required = True

    @fields.depends('source', 'company', 'business_unit', 'channel')
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
        with check_access():
            return Tracking.search_count(domain)


class ReassignStart(_AssignStart):
    __name__ = 'sale.tracking.reassign.start'

    source = fields.Selection([
            ('selected', "Selected"),
            ('operator', "Of an Operator"),
            ], "Trackings", required=True, sort=False,
        states={
            'readonly': ~Eval('selected'),
            })
    operator = fields.Many2One(
        'company.employee', "From Operator",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'invisible': Eval('source') == 'selected',
            'required': Eval('source') == 'operator',
            },
        # Also those who left
        context={
            'active_test': False,
            })
    number = fields.Integer(
        "Number",
        domain=[If(Eval('number'), ('number', '>', 0), ())],
        states={
            'invisible': Eval('source') == 'selected',
            },
        help="How many to reassign, the oldest first.\n"
        "Leave empty for all of them.")
    channel = fields.Many2One(
        'sale.channel', "To Channel",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'invisible': ~Id(
                'sale_opportunity_management', 'group_tracking_admin')
            .in_(Eval('context', {}).get('groups', [])),
            },
        help="The channel to give the trackings to.\n"
        "Leave empty to keep their channel.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.operators.states['required'] = ~Eval('channel')


class AssignResult(ModelView):
    __name__ = 'sale.tracking.assign.result'

    text = fields.Text("Assigned", readonly=True)
