# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from collections import Counter

from sql.aggregate import Count

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval
from trytond.transaction import (
    Transaction, check_access, inactive_records, without_check_access)
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .exceptions import EmployeeWorkWarning, HandOverError


class Employee(metaclass=PoolMeta):
    __name__ = 'company.employee'

    open_trackings = fields.Function(fields.Integer(
            "Open Trackings",
            help="Those of the employee that you may read."),
        'get_open_trackings')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update({
                'hand_over': {},
                })

    @classmethod
    @check_access
    def get_open_trackings(cls, employees, name):
        pool = Pool()
        ModelAccess = pool.get('ir.model.access')
        Tracking = pool.get('sale.tracking')
        numbers = dict.fromkeys(map(int, employees))
        if not ModelAccess.check(
                'sale.tracking', 'read', raise_exception=False):
            return numbers
        numbers = dict.fromkeys(numbers, 0)
        tracking = Tracking.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*tracking.select(
                tracking.operator, Count(tracking.id),
                where=tracking.id.in_(Tracking.search([
                            ('operator', 'in', list(numbers)),
                            ('state', '=', 'open'),
                            ], order=[], query=True)),
                group_by=tracking.operator))
        numbers.update(cursor)
        return numbers

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_employee_hand_over')
    def hand_over(cls, employees):
        pass

    @without_check_access
    def notify(self, records, icon, get_label, get_description=None):
        """Notify the users of the employee about the records

        get_label and get_description are called in the language of each user.
        Who makes the change knows it already."""
        pool = Pool()
        User = pool.get('res.user')
        for user in User.get_by_employee([self])[self]:
            if user.id == Transaction().user:
                continue
            with user.set_language():
                label = get_label()
                description = get_description() if get_description else None
            # The notification opens its records: the first are enough
            records[0].__class__.notify_user(
                records[:100], icon, label, description=description, user=user)

    @without_check_access
    def count_work(self):
        """Return how much the employee has still to do

        The keys are the model and the kind, which is None for trackings."""
        pool = Pool()
        Activity = pool.get('sale.activity')
        Tracking = pool.get('sale.tracking')
        counts = Counter({
                (Tracking, None): Tracking.search_count(
                    self._domain_work(Tracking)),
                })
        for Model in Activity.activity_models():
            for kind, domain in Model.activity_kinds().items():
                counts[Model, kind] = Model.search_count(
                    [self._domain_work(Model), domain])
        return +counts

    def _domain_work(self, Model):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        if Model == Tracking:
            return [('operator', '=', self.id), ('state', '=', 'open')]
        return [('assignee', '=', self.id), ('state', '=', 'pending')]

    @classmethod
    def work_texts(cls, counts):
        texts = []
        for (Model, kind), number in counts.items():
            if kind is None:
                texts.append(gettext(
                        'sale_opportunity_management.msg_employee_trackings',
                        number=number))
            else:
                texts.append(gettext(
                        'sale_opportunity_management.msg_employee_activities',
                        kinds=Model.kinds_text(kind), number=number))
        return texts

    def work_text(self):
        return '\n'.join(self.work_texts(self.count_work()))

    @classmethod
    def warn_work(cls, employees):
        "Warn that the employees that leave have still something to do"
        pool = Pool()
        Warning = pool.get('res.user.warning')
        for employee in employees:
            if not (text := employee.work_text()):
                continue
            key = Warning.format('employee_work', [employee])
            if Warning.check(key):
                raise EmployeeWorkWarning(key, gettext(
                        'sale_opportunity_management.msg_employee_work',
                        employee=employee.rec_name) + '\n' + text)

    @classmethod
    def check_modification(
            cls, mode, employees, values=None, external=False):
        super().check_modification(
            mode, employees, values=values, external=external)
        if mode == 'write' and values.get('end_date'):
            cls.warn_work([
                    e for e in employees
                    if not e.end_date or e.end_date > values['end_date']])

    @classmethod
    def on_modification(cls, mode, employees, field_names=None):
        pool = Pool()
        User = pool.get('res.user')
        super().on_modification(mode, employees, field_names=field_names)
        if mode == 'write' and (
                field_names is None
                or field_names & {'start_date', 'end_date'}):
            User._get_working_employees_cache.clear()

    @classmethod
    def leave_teams(cls):
        """Take who has left out of the teams

        It is called by the cron task."""
        pool = Pool()
        Date = pool.get('ir.date')
        domain = [('end_date', '<', Date.today())]
        if (company := Transaction().context.get('company')) is not None:
            domain.append(('company', '=', company))
        with inactive_records():
            left = [e.id for e in cls.search(domain)]
        for Model, name, domain in cls._teams():
            if records := Model.search([(name, 'in', left), domain]):
                Model.write(records, {name: [('remove', left)]})

    @classmethod
    def _teams(cls):
        """Return the teams that employees are taken out of

        As tuples of the model, the name of its field of employees and the
        domain of its records."""
        pool = Pool()
        Channel = pool.get('sale.channel')
        return [
            (Channel, 'managers', []),
            (Channel, 'members', []),
            ]


class HandOver(Wizard):
    __name__ = 'company.employee.hand_over'

    start = StateView(
        'company.employee.hand_over.start',
        'sale_opportunity_management.employee_hand_over_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Hand Over", 'hand_over', 'tryton-ok', default=True),
            ])
    hand_over = StateTransition()
    result = StateView(
        'sale.tracking.assign.result',
        'sale_opportunity_management.tracking_assign_result_view_form', [
            Button("OK", 'end', 'tryton-ok', default=True),
            ])

    @check_access
    def default_start(self, fields):
        pool = Pool()
        ModelAccess = pool.get('ir.model.access')
        Tracking = pool.get('sale.tracking')
        employee = self.record
        counts = employee.count_work()
        can_end = ModelAccess.check(
            employee.__name__, 'write', raise_exception=False)
        return {
            'employee': employee.id,
            'company': employee.company.id,
            'work': employee.work_text() or self._nothing_text(employee),
            'has_trackings': (Tracking, None) in counts,
            'has_activities': bool(counts.keys() - {(Tracking, None)}),
            'can_end': can_end,
            'end_date': employee.end_date if can_end else None,
            }

    @check_access
    def transition_hand_over(self):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        if not Tracking.is_administrator():
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_hand_over_denied'))
        self.result.text = self._hand_over()
        return 'result'

    def _hand_over(self):
        pool = Pool()
        Employee = pool.get('company.employee')
        Tracking = pool.get('sale.tracking')
        start = self.start
        employee = Employee(start.employee.id)
        operators = list(start.operators)
        counts = employee.count_work()
        before = {o: o.count_work() for o in operators}
        choices = set()
        if (Tracking, None) in counts:
            choices.add(start.trackings)
        if counts.keys() - {(Tracking, None)}:
            choices.add(start.activities)
        if 'reassign' in choices and (
                not operators or employee in operators):
            raise HandOverError(gettext(
                    'sale_opportunity_management.msg_hand_over_operators'))
        if start.activities == 'cancel':
            self._cancel(employee)
        if start.trackings == 'reassign':
            self._reassign_trackings(employee, operators)
        if start.activities == 'reassign':
            self._reassign_activities(employee, operators)
        if start.trackings == 'unassign':
            self._reassign_trackings(employee, [None])
        if start.can_end and employee.end_date != start.end_date:
            Employee.write([employee], {'end_date': start.end_date})
            # The cron task does it for a date that is still to come
            with without_check_access(), \
                    Transaction().set_context(company=employee.company.id):
                Employee.leave_teams()
        texts = []
        dropped = counts - employee.count_work()
        for operator, count in before.items():
            if received := operator.count_work() - count:
                dropped -= received
                texts.append(gettext(
                        'sale_opportunity_management.msg_hand_over_received',
                        employee=operator.rec_name,
                        work=', '.join(Employee.work_texts(received))))
        if dropped:
            texts.append(gettext(
                    'sale_opportunity_management.msg_hand_over_dropped',
                    work=', '.join(Employee.work_texts(dropped))))
        texts.append(self._left_text(employee))
        if not start.can_end and not employee.end_date:
            texts.append(gettext(
                    'sale_opportunity_management.msg_hand_over_end',
                    employee=employee.rec_name))
        return '\n'.join(texts)

    def _left_text(self, employee):
        if work := employee.work_text():
            return gettext(
                'sale_opportunity_management.msg_hand_over_left',
                employee=employee.rec_name) + '\n' + work
        return self._nothing_text(employee)

    def _nothing_text(self, employee):
        return gettext(
            'sale_opportunity_management.msg_hand_over_done',
            employee=employee.rec_name)

    def _search(self, employee):
        pool = Pool()
        Activity = pool.get('sale.activity')
        for Model in Activity.activity_models():
            yield Model, Model.search(
                employee._domain_work(Model),
                order=[('date', 'ASC'), ('id', 'ASC')])

    def _cancel(self, employee):
        for Model, activities in self._search(employee):
            Model.cancel(activities)

    def _reassign_activities(self, employee, operators):
        for Model, activities in self._search(employee):
            for i, operator in enumerate(operators):
                Model.write(
                    activities[i::len(operators)], {'assignee': operator.id})

    def _reassign_trackings(self, employee, operators):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        trackings = Tracking.search(
            employee._domain_work(Tracking),
            order=[('start_date', 'ASC'), ('id', 'ASC')])
        Tracking.assign(
            trackings, operators, domain=[('operator', '=', employee.id)])

    def default_result(self, fields):
        return {'text': self.result.text}

    def end(self):
        return 'reload'


class HandOverStart(ModelView):
    __name__ = 'company.employee.hand_over.start'

    employee = fields.Many2One(
        'company.employee', "Employee", readonly=True,
        context={
            'active_test': False,
            })
    company = fields.Many2One('company.company', "Company", readonly=True)
    work = fields.Text(
        "Work to Do", readonly=True,
        help="How much the employee has still to do.")
    has_trackings = fields.Boolean("Has Trackings", readonly=True)
    has_activities = fields.Boolean("Has Activities", readonly=True)
    trackings = fields.Selection([
            ('reassign', "Reassign"),
            ('unassign', "Leave Unassigned"),
            ('keep', "Leave as They Are"),
            ], "Open Trackings", required=True, sort=False,
        states={
            'invisible': ~Eval('has_trackings'),
            },
        help="What is pending of the employee on the reassigned ones "
        "goes with them.")
    activities = fields.Selection([
            ('reassign', "Reassign"),
            ('cancel', "Cancel"),
            ('keep', "Leave as They Are"),
            ], "Pending Activities", required=True, sort=False,
        states={
            'invisible': ~Eval('has_activities'),
            },
        help="What happens to what else is pending of the employee.")
    operators = fields.Many2Many(
        'company.employee', None, None, "To Employees",
        domain=[
            ('company', '=', Eval('company', -1)),
            ('active', '=', True),
            ('id', '!=', Eval('employee', -1)),
            ],
        states={
            'invisible': ~Eval('has_trackings') & ~Eval('has_activities'),
            'required': (
                (Bool(Eval('has_trackings'))
                    & (Eval('trackings') == 'reassign'))
                | (Bool(Eval('has_activities'))
                    & (Eval('activities') == 'reassign'))),
            },
        help="The work is shared out evenly among them.")
    can_end = fields.Boolean("Can End", readonly=True)
    end_date = fields.Date(
        "End Date",
        states={
            'invisible': ~Eval('can_end'),
            },
        help="When the employee leaves the company.\n"
        "The day after the employee is taken out of all teams, such as the "
        "channels.\n"
        "Leave empty if the employee stays.")

    @classmethod
    def default_trackings(cls):
        return 'reassign'

    @classmethod
    def default_activities(cls):
        return 'reassign'
