# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction


class User(metaclass=PoolMeta):
    __name__ = 'res.user'

    @classmethod
    def get_current_employee(cls):
        """Return the employee that the user works as

        The client chooses the employee of the context: it is None unless it
        is one of the user."""
        pool = Pool()
        Employee = pool.get('company.employee')
        employee = Transaction().context.get('employee')
        if employee in cls.get_employees():
            return Employee(employee)

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
