# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from trytond.i18n import gettext
from trytond.pool import Pool

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
    def _total(cls):
        total = super()._total()
        total.interests = {None: 0, '0': 0, '1': 0, '2': 0, '3': 0}
        return total

    @classmethod
    def _add(cls, total, values):
        super()._add(total, values)
        total.interests[values['interest']] += 1


class CallDone(_InterestMixin, ListReport):
    __name__ = 'sale.call.reporting.done'
    _context_model = 'sale.call.reporting.context'
    _fields = [
        'date', 'done_by', 'direction', 'party', 'phone', 'business_unit',
        'channel', 'interest', 'kind', 'outcome', 'duration', 'description']
    _group = 'done_by'
    _group_order = 'done_by.party'
    _total_fields = ['party', 'interest', 'outcome', 'direction', 'duration']

    @classmethod
    def _total(cls):
        total = super()._total()
        total.answered = total.not_answered = 0
        total.outgoing = total.reached = 0
        total.duration = dt.timedelta()
        return total

    @classmethod
    def _add(cls, total, values):
        super()._add(total, values)
        answered = values['outcome'] == 'answered'
        total.answered += answered
        total.not_answered += not answered
        if values['direction'] == 'outgoing':
            total.outgoing += 1
            total.reached += answered
        if values['duration']:
            total.duration += values['duration']


class CallPotential(ListReport):
    __name__ = 'sale.call.reporting.potential'
    _context_model = 'sale.call.reporting.context'
    _fields = [
        'date', 'party', 'contact', 'phone', 'city', 'rating',
        'business_unit', 'operator', 'description', 'opportunity',
        'number']
    _group = 'operator'
    _group_order = 'operator.party'
    _total_fields = ['party', 'opportunity']

    @classmethod
    def _total(cls):
        total = super()._total()
        total.opportunities = 0
        total.seen = set()
        return total

    @classmethod
    def _add(cls, total, values):
        super()._add(total, values)
        if values['opportunity'] is not None:
            total.seen.add(values['opportunity'])
            total.opportunities = len(total.seen)


class CallPending(ListReport):
    __name__ = 'sale.call.reporting.pending'
    _context_model = 'sale.call.reporting.pending.context'
    _fields = [
        'date', 'days_late', 'overdue', 'party', 'phone', 'business_unit',
        'assignee', 'interest', 'last_activity', 'summary']
    _group = 'assignee'
    _group_order = 'assignee.party'
    _total_fields = ['party', 'overdue', 'date']

    @classmethod
    def _total(cls):
        total = super()._total()
        total.overdue = total.unplanned = total.planned = 0
        return total

    @classmethod
    def _add(cls, total, values):
        super()._add(total, values)
        if values['overdue']:
            total.overdue += 1
        elif values['date']:
            total.planned += 1
        else:
            total.unplanned += 1


class TrackingCustomer(_InterestMixin, ListReport):
    __name__ = 'sale.tracking.reporting.customer'
    _context_model = 'sale.tracking.reporting.customer.context'
    _fields = [
        'party', 'city', 'business_unit', 'operator', 'start_date',
        'calls_number', 'first_interest', 'interest_path', 'interest',
        'rating', 'last_activity', 'next_activity', 'days_open', 'state']
    _group = 'business_unit'
    _group_order = 'business_unit.sequence'
    _total_fields = ['party', 'interest', 'calls_number', 'state']

    @classmethod
    def _total(cls):
        total = super()._total()
        total.calls = total.open = total.closed = 0
        return total

    @classmethod
    def _add(cls, total, values):
        super()._add(total, values)
        total.calls += values['calls_number']
        if values['state'] == 'open':
            total.open += 1
        else:
            total.closed += 1


class TrackingAssignment(_InterestMixin, ListReport):
    __name__ = 'sale.tracking.reporting.assignment'
    _context_model = 'sale.tracking.reporting.assignment.context'
    _fields = [
        'party', 'city', 'business_unit', 'channel', 'operator',
        'start_date', 'assign_date', 'days_assigned', 'calls_number',
        'interest', 'last_activity', 'next_activity']
    _group = 'operator'
    _group_order = 'operator.party'
    _total_fields = ['party', 'interest', 'calls_number', 'next_activity']

    @classmethod
    def _total(cls):
        total = super()._total()
        total.calls = total.planned = 0
        return total

    @classmethod
    def _add(cls, total, values):
        super()._add(total, values)
        total.calls += values['calls_number']
        total.planned += bool(values['next_activity'])


class TrackingUnattended(_InterestMixin, ListReport):
    __name__ = 'sale.tracking.reporting.unattended'
    _context_model = 'sale.tracking.reporting.unattended.context'
    _fields = [
        'date', 'days_late', 'number', 'party', 'phone', 'business_unit',
        'channel', 'operator', 'kind', 'summary', 'last_activity',
        'last_result', 'interest']
    _group = 'channel'
    _group_order = 'channel.name'
    _sub_groups = ['operator']
    _total_fields = ['party', 'interest', 'days_late']

    @classmethod
    def _order_groups(cls):
        return super()._order_groups() + [
            ('operator.party', 'ASC NULLS FIRST'),
            ('operator', 'ASC NULLS FIRST'),
            ]

    @classmethod
    def _group_empty(cls, name):
        if name == 'channel':
            return gettext(
                'sale_opportunity_management.msg_unattended_no_channel')
        return super()._group_empty(name)

    @classmethod
    def _total(cls):
        total = super()._total()
        total.days = total.days_average = total.days_max = 0
        return total

    @classmethod
    def _add(cls, total, values):
        super()._add(total, values)
        total.days += values['days_late']
        total.days_average = total.days / total.number
        total.days_max = max(total.days_max, values['days_late'])


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
