# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from trytond.i18n import gettext
from trytond.pool import Pool

from ..contact_rate import contact_rate
from ..report import ListReport, PrintWizard


class _InterestMixin:
    __slots__ = ()

    @classmethod
    def get_context(cls, records, header, data):
        pool = Pool()
        Call = pool.get('sale.call')
        context = super().get_context(records, header, data)
        context['interests'] = ', '.join(
            f'{value} {label}' for value, label
            in Call.fields_get(['interest'])['interest']['selection']
            if value)
        return context

    @classmethod
    def _totals(cls, rows):
        total = super()._totals(rows)
        total.interests = {None: 0, '0': 0, '1': 0, '2': 0, '3': 0}
        for row in rows:
            total.interests[row.values['interest']] += 1
        return total


class CallDone(_InterestMixin, ListReport):
    __name__ = 'sale.call.reporting.done'
    _context_model = 'sale.call.reporting.context'
    _fields = [
        'date', 'done_by', 'direction', 'party', 'phone', 'business_unit',
        'channel', 'interest', 'kind', 'outcome', 'duration', 'description']
    _group = 'done_by'
    _group_order = 'done_by.party'

    @classmethod
    def _totals(cls, rows):
        total = super()._totals(rows)
        total.answered = sum(
            1 for r in rows if r.values['outcome'] == 'answered')
        total.not_answered = total.number - total.answered
        outgoing = [r for r in rows if r.values['direction'] == 'outgoing']
        reached = sum(1 for r in outgoing if r.values['outcome'] == 'answered')
        total.rate = contact_rate(len(outgoing), reached) or 0
        total.duration = sum(
            (r.duration for r in rows if r.duration), dt.timedelta())
        return total


class CallPotential(ListReport):
    __name__ = 'sale.call.reporting.potential'
    _context_model = 'sale.call.reporting.context'
    _fields = [
        'date', 'party', 'contact', 'phone', 'city', 'rating',
        'business_unit', 'operator', 'description', 'opportunity',
        'number']
    _group = 'operator'
    _group_order = 'operator.party'

    @classmethod
    def _totals(cls, rows):
        total = super()._totals(rows)
        total.opportunities = len({
                r.values['opportunity'] for r in rows
                if r.values['opportunity'] is not None})
        return total


class CallPending(ListReport):
    __name__ = 'sale.call.reporting.pending'
    _context_model = 'sale.call.reporting.pending.context'
    _fields = [
        'date', 'days_late', 'overdue', 'party', 'phone', 'business_unit',
        'assignee', 'interest', 'last_activity', 'summary']
    _group = 'assignee'
    _group_order = 'assignee.party'

    @classmethod
    def _totals(cls, rows):
        total = super()._totals(rows)
        total.overdue = sum(1 for r in rows if r.overdue)
        total.unplanned = sum(1 for r in rows if not r.date)
        total.planned = total.number - total.overdue - total.unplanned
        return total


class TrackingCustomer(_InterestMixin, ListReport):
    __name__ = 'sale.tracking.reporting.customer'
    _context_model = 'sale.tracking.reporting.customer.context'
    _fields = [
        'party', 'city', 'business_unit', 'operator', 'start_date',
        'calls_number', 'first_interest', 'interest_path', 'interest',
        'rating', 'last_activity', 'next_activity', 'days_open', 'state']
    _group = 'business_unit'
    _group_order = 'business_unit.sequence'

    @classmethod
    def _totals(cls, rows):
        total = super()._totals(rows)
        total.calls = sum(r.calls_number for r in rows)
        total.open = sum(1 for r in rows if r.values['state'] == 'open')
        total.closed = total.number - total.open
        return total


class TrackingAssignment(_InterestMixin, ListReport):
    __name__ = 'sale.tracking.reporting.assignment'
    _context_model = 'sale.tracking.reporting.assignment.context'
    _fields = [
        'party', 'city', 'business_unit', 'channel', 'operator',
        'start_date', 'assign_date', 'days_assigned', 'calls_number',
        'interest', 'last_activity', 'next_activity']
    _group = 'operator'
    _group_order = 'operator.party'

    @classmethod
    def _totals(cls, rows):
        total = super()._totals(rows)
        total.calls = sum(r.calls_number for r in rows)
        total.planned = sum(1 for r in rows if r.next_activity)
        return total


class TrackingUnattended(_InterestMixin, ListReport):
    __name__ = 'sale.tracking.reporting.unattended'
    _context_model = 'sale.tracking.reporting.unattended.context'
    _fields = [
        'date', 'days_late', 'number', 'party', 'phone', 'business_unit',
        'channel', 'operator', 'kind', 'summary', 'last_activity',
        'last_result', 'interest']
    _group = 'channel'
    _group_order = 'channel.name'

    @classmethod
    def _order_groups(cls):
        return super()._order_groups() + [
            ('operator.party', 'ASC NULLS FIRST'),
            ('operator', 'ASC NULLS FIRST'),
            ]

    @classmethod
    def _groups(cls, rows):
        groups = super()._groups(rows)
        for group in groups:
            group.groups = cls._group_by(group.rows, 'operator')
        return groups

    @classmethod
    def _group_empty(cls, name):
        if name == 'channel':
            return gettext(
                'sale_opportunity_management.msg_unattended_no_channel')
        return super()._group_empty(name)

    @classmethod
    def _totals(cls, rows):
        total = super()._totals(rows)
        days = [r.days_late for r in rows]
        total.days_average = sum(days) / len(days) if days else 0
        total.days_max = max(days, default=0)
        return total


class PrintCallDone(PrintWizard):
    __name__ = 'sale.call.reporting.done.print'
    _context_model = 'sale.call.reporting.context'


class PrintCallPotential(PrintWizard):
    __name__ = 'sale.call.reporting.potential.print'
    _context_model = 'sale.call.reporting.context'


class PrintCallPending(PrintWizard):
    __name__ = 'sale.call.reporting.pending.print'
    _context_model = 'sale.call.reporting.pending.context'


class PrintTrackingCustomer(PrintWizard):
    __name__ = 'sale.tracking.reporting.customer.print'
    _context_model = 'sale.tracking.reporting.customer.context'


class PrintTrackingAssignment(PrintWizard):
    __name__ = 'sale.tracking.reporting.assignment.print'
    _context_model = 'sale.tracking.reporting.assignment.context'


class PrintTrackingUnattended(PrintWizard):
    __name__ = 'sale.tracking.reporting.unattended.print'
    _context_model = 'sale.tracking.reporting.unattended.context'
