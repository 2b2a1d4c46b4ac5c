# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.pool import Pool, PoolMeta
from trytond.transaction import without_check_access


class Employee(metaclass=PoolMeta):
    __name__ = 'company.employee'

    @without_check_access
    def count_work(self):
        pool = Pool()
        Claim = pool.get('sale.claim')
        counts = super().count_work()
        if number := Claim.search_count(self._domain_work(Claim)):
            counts[Claim, 'claim'] = number
        return counts

    def _domain_work(self, Model):
        pool = Pool()
        Claim = pool.get('sale.claim')
        if Model == Claim:
            return [
                ('responsible', '=', self.id),
                ('state', 'in', ['draft', 'open']),
                ]
        return super()._domain_work(Model)


class HandOver(metaclass=PoolMeta):
    __name__ = 'company.employee.hand_over'

    def _reassign_activities(self, employee, operators):
        pool = Pool()
        Claim = pool.get('sale.claim')
        super()._reassign_activities(employee, operators)
        claims = Claim.search(
            employee._domain_work(Claim),
            order=[('report_date', 'ASC'), ('id', 'ASC')])
        for i, operator in enumerate(operators):
            Claim.write(
                claims[i::len(operators)], {'responsible': operator.id})
