# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from collections import defaultdict

from trytond.cache import Cache
from trytond.i18n import gettext
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, without_check_access

MODULE = 'sale_opportunity_management'


class User(metaclass=PoolMeta):
    __name__ = 'res.user'

    _get_working_employees_cache = Cache(
        __name__ + '.get_working_employees', context=False)
    # What the users of each role begin with, the highest role first
    _start_actions = [
        ('group_tracking_admin', 'act_tracking_form'),
        ('group_tracking_manager', 'act_tracking_form'),
        ('group_tracking', 'act_activity_mine'),
        ]

    @classmethod
    def get_current_employee(cls):
        """Return the employee that the user works as

        The client chooses the employee of the context: it is None unless it
        is one of the user."""
        pool = Pool()
        Employee = pool.get('company.employee')
        employee = Transaction().context.get('employee')
        if employee in cls.get_working_employees():
            return Employee(employee)

    @classmethod
    def get_working_employees(cls):
        "Return the ids of the employees of the user who have not left"
        pool = Pool()
        Date = pool.get('ir.date')
        Employee = pool.get('company.employee')
        employees = cls.get_employees()
        periods = cls._get_working_employees_cache.get(employees)
        if periods is None:
            with Transaction().set_user(0):
                periods = tuple(
                    (e.id, e.start_date, e.end_date)
                    for e in Employee.browse(employees))
            cls._get_working_employees_cache.set(employees, periods)
        if any(start or end for _, start, end in periods):
            # Not as active, which is at the date that the client chooses
            today = Date.today()
            return tuple(
                id_ for id_, start, end in periods
                if (start or today) <= today <= (end or today))
        return employees

    @classmethod
    def set_preferences(cls, values):
        # The context of the write hides what is not of the user from the
        # validation
        with without_check_access():
            user = cls(Transaction().user)
            employees = {e.id: e.company.id for e in user.employees}
            companies = {c.id for c in user.companies}
        company, employee = values.get('company'), values.get('employee')
        if company is not None and company not in companies:
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_user_company'))
        if employee is not None and (
                employee not in employees
                or company not in {None, employees[employee]}):
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_user_employee'))
        super().set_preferences(values)

    @classmethod
    @without_check_access
    def get_by_employee(cls, employees):
        users = defaultdict(list)
        for user in cls.search([
                    ('employees', 'in', [e.id for e in employees]),
                    ]):
            for employee in user.employees:
                users[employee].append(user)
        return users

    def set_language(self):
        return Transaction().set_context(
            language=self.language.code if self.language else None)

    @classmethod
    def check_modification(cls, mode, users, values=None, external=False):
        pool = Pool()
        Employee = pool.get('company.employee')
        super().check_modification(
            mode, users, values=values, external=external)
        if mode == 'write' and values.get('active', True) is False:
            employees = {e for u in users if u.active for e in u.employees}
            # Somebody else may work as the same employee
            others = cls.search([
                    ('employees', 'in', [e.id for e in employees]),
                    ('id', 'not in', [u.id for u in users]),
                    ])
            Employee.warn_work(
                employees - {e for u in others for e in u.employees})

    @classmethod
    def on_modification(cls, mode, users, field_names=None):
        super().on_modification(mode, users, field_names=field_names)
        if mode == 'create':
            cls._set_start_action(users)

    @classmethod
    def on_write(cls, users, values):
        callbacks = super().on_write(users, values)
        if 'groups' in values:
            actions = {u: u._start_action for u in users}

            def set_start_action():
                cls._set_start_action([
                        u for u in cls.browse(users)
                        if u._start_action != actions[u]])
            callbacks.append(set_start_action)
        return callbacks

    @classmethod
    def _set_start_action(cls, users):
        "Let the users who begin with nothing begin with what their role does"
        for user in users:
            if not user.actions and (action := user._start_action):
                user.actions = [action]
        cls.save(users)

    @property
    def _start_action(self):
        pool = Pool()
        Action = pool.get('ir.action')
        ModelData = pool.get('ir.model.data')
        groups = {g.id for g in self.groups}
        for group, action in self._start_actions:
            if ModelData.get_id(MODULE, group) in groups:
                return Action.get_action_id(ModelData.get_id(MODULE, action))
