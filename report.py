# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
from itertools import groupby
from types import SimpleNamespace

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.report import Report
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, check_access, without_check_access
from trytond.wizard import Button, StateAction, StateView, Wizard

from .moment import company_timezone, now, to_local


class _Report(Report):
    # The model of the parameters, what is read of each row, the field whose
    # value makes a group of the rows and the expression that orders the groups
    _context_model = None
    _fields = []
    _group = None
    _group_order = None

    @classmethod
    def execute(cls, ids, data):
        pool = Pool()
        Context = pool.get(cls._context_model)
        parameters = data.get('parameters') or {}
        context = {
            name: value for name, value in parameters.items()
            if name in Context._fields and name != 'id'}
        with Transaction().set_context(context, with_rec_name=False):
            return super().execute(ids, data)

    @classmethod
    def _get_records(cls, ids, model, data):
        pool = Pool()
        Model = pool.get(cls.__name__)
        domain = []
        if 'parameters' not in data:
            # Printed from the list
            domain.append(('id', 'in', ids))
        order = [*cls._order_groups(), *Model._order]
        cursor = Transaction().connection.cursor()
        with check_access():
            # Reading by ids spares a record per row
            cursor.execute(*Model.search(domain, order=order, query=True))
            ids = [id_ for id_, *_ in cursor]
            values = {
                v['id']: v for v in Model.read(ids, ['id', *cls._fields])}
        return cls._rows(Model, [values[id_] for id_ in ids])

    @classmethod
    def _order_groups(cls):
        "Return the order that brings the rows of each group together"
        return [
            (cls._group_order, 'ASC NULLS FIRST'),
            (cls._group, 'ASC NULLS FIRST'),
            ]

    @classmethod
    def _rows(cls, Model, values):
        """Return the rows with the names of their records, the labels of
        their selections and their moments in the time of the company

        All the names of a model are read at once."""
        pool = Pool()
        company = cls._company()
        convert = {}
        for name in cls._fields:
            field = Model._fields[name]
            if isinstance(field, fields.Function):
                field = field._field
            if isinstance(field, fields.Many2One):
                Target = pool.get(field.model_name)
                names = {None: ''}
                ids = {v[name] for v in values if v[name] is not None}
                with without_check_access():
                    for sub_ids in grouped_slice(ids, 500):
                        names.update(
                            (t.id, t.rec_name) for t in Target.browse(sub_ids))
                convert[name] = names.get
            elif isinstance(field, fields.Selection):
                labels = field.get_selection(Model, name, None)
                convert[name] = labels.get
            elif isinstance(field, fields.Timestamp):
                convert[name] = (
                    lambda value: to_local(company, value) if value else None)

        def row(values):
            row = SimpleNamespace(values=values)
            for name in cls._fields:
                value = values[name]
                setattr(
                    row, name, convert[name](value) if name in convert
                    else value)
            return row
        with without_check_access():
            return list(map(row, values))

    @classmethod
    def _company(cls):
        pool = Pool()
        Company = pool.get('company.company')
        company = Transaction().context.get('company')
        return Company(company) if company is not None else None

    @classmethod
    def get_context(cls, records, header, data):
        pool = Pool()
        Lang = pool.get('ir.lang')
        context = super().get_context(records, header, data)
        company = cls._company()
        lang = Lang.get()
        context['company'] = company
        context['lang'] = lang
        context['moment_format'] = f'{lang.date} %H:%M'
        context['print_date'] = to_local(company, now())
        context['parameters'] = cls._parameters(lang)
        context['groups'] = cls._groups(records)
        context['total'] = cls._totals(records)
        return context

    @classmethod
    def _parameters(cls, lang):
        pool = Pool()
        Context = pool.get(cls._context_model)
        parameters = []
        definitions = Context.fields_get()
        for name in [
                'from_date', 'to_date', 'days_late', 'state', 'assignment',
                'campaigns', 'operators', 'business_units', 'channels']:
            field = Context._fields.get(name)
            value = Transaction().context.get(name)
            if not field or not value:
                continue
            if isinstance(field, fields.Date):
                value = lang.strftime(value)
            elif isinstance(field, fields.Selection):
                value = field.get_selection(Context, name, None)[value]
            elif isinstance(field, fields.Integer):
                value = lang.format_number(value)
            elif isinstance(field, fields.Many2Many):
                Target = field.get_target()
                with check_access():
                    value = ', '.join(
                        r.rec_name for r in Target.browse(value))
            parameters.append((definitions[name]['string'], value))
        company = cls._company()
        definition = company.fields_get(['timezone'])['timezone']
        parameters.append(
            (definition['string'], str(company_timezone(company))))
        return parameters

    @classmethod
    def _groups(cls, rows):
        return cls._group_by(rows, cls._group)

    @classmethod
    def _group_by(cls, rows, name):
        groups = []
        for _, group in groupby(rows, key=lambda r: r.values[name]):
            group = list(group)
            total = cls._totals(group)
            total.name = getattr(group[0], name) or cls._group_empty(name)
            total.rows = group
            groups.append(total)
        return groups

    @classmethod
    def _group_empty(cls, name):
        return gettext('sale_opportunity_management.msg_tracking_unassigned')

    @classmethod
    def _totals(cls, rows):
        return SimpleNamespace(
            number=len(rows),
            customers=len({r.values['party'] for r in rows}))


class _CampaignReport(_Report):
    _context_model = 'sale.campaign.reporting.context'
    _group = 'campaign'
    _group_order = 'campaign.name'

    @classmethod
    def _totals(cls, rows):
        return SimpleNamespace(number=sum(r.number for r in rows))


class CampaignOperator(_CampaignReport):
    __name__ = 'sale.campaign.reporting.operator'
    _fields = [
        'campaign', 'done_by', 'number', 'answered', 'missed',
        'contact_rate', 'won', 'attend_duration', 'per_hour']

    @classmethod
    def _totals(cls, rows):
        total = super()._totals(rows)
        for name in ['answered', 'missed', 'won']:
            setattr(total, name, sum(getattr(r, name) for r in rows))
        total.rate = total.answered / total.number if total.number else 0
        total.duration = sum(
            (r.attend_duration for r in rows if r.attend_duration),
            dt.timedelta())
        total.per_hour = None
        if total.duration:
            total.per_hour = (
                total.number * 3600 / total.duration.total_seconds())
        return total


class CampaignResult(_CampaignReport):
    __name__ = 'sale.campaign.reporting.result'
    _fields = ['campaign', 'done_by', 'result', 'number']


class _InterestMixin:

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


class CallDone(_InterestMixin, _Report):
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
        total.missed = total.number - total.answered
        outgoing = [r for r in rows if r.values['direction'] == 'outgoing']
        reached = sum(1 for r in outgoing if r.values['outcome'] == 'answered')
        total.rate = reached / len(outgoing) if outgoing else 0
        total.duration = sum(
            (r.duration for r in rows if r.duration), dt.timedelta())
        return total


class CallPotential(_Report):
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


class CallPending(_Report):
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


class TrackingCustomer(_InterestMixin, _Report):
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


class TrackingAssignment(_InterestMixin, _Report):
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


class TrackingUnattended(_InterestMixin, _Report):
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


def _buttons():
    return [
        Button("Cancel", 'end', 'tryton-cancel'),
        Button("Print as ODT", 'print_odt', 'tryton-print'),
        Button("Print as PDF", 'print_pdf', 'tryton-print', default=True),
        ]


class _Print(Wizard):
    _readonly = True

    def do_print_odt(self, action):
        return action, {'parameters': self.start._default_values}

    def do_print_pdf(self, action):
        return action, {'parameters': self.start._default_values}


class PrintCallDone(_Print):
    __name__ = 'sale.call.reporting.done.print'

    start = StateView(
        'sale.call.reporting.context',
        'sale_opportunity_management.call_reporting_context_view_form',
        _buttons())
    print_odt = StateAction(
        'sale_opportunity_management.report_call_reporting_done')
    print_pdf = StateAction(
        'sale_opportunity_management.report_call_reporting_done_pdf')


class PrintCallPotential(_Print):
    __name__ = 'sale.call.reporting.potential.print'

    start = StateView(
        'sale.call.reporting.context',
        'sale_opportunity_management.call_reporting_context_view_form',
        _buttons())
    print_odt = StateAction(
        'sale_opportunity_management.report_call_reporting_potential')
    print_pdf = StateAction(
        'sale_opportunity_management.report_call_reporting_potential_pdf')


class PrintCallPending(_Print):
    __name__ = 'sale.call.reporting.pending.print'

    start = StateView(
        'sale.call.reporting.pending.context',
        'sale_opportunity_management'
        '.call_reporting_pending_context_view_form',
        _buttons())
    print_odt = StateAction(
        'sale_opportunity_management.report_call_reporting_pending')
    print_pdf = StateAction(
        'sale_opportunity_management.report_call_reporting_pending_pdf')


class PrintTrackingCustomer(_Print):
    __name__ = 'sale.tracking.reporting.customer.print'

    start = StateView(
        'sale.tracking.reporting.customer.context',
        'sale_opportunity_management'
        '.tracking_reporting_customer_context_view_form',
        _buttons())
    print_odt = StateAction(
        'sale_opportunity_management.report_tracking_reporting_customer')
    print_pdf = StateAction(
        'sale_opportunity_management.report_tracking_reporting_customer_pdf')


class PrintTrackingAssignment(_Print):
    __name__ = 'sale.tracking.reporting.assignment.print'

    start = StateView(
        'sale.tracking.reporting.assignment.context',
        'sale_opportunity_management'
        '.tracking_reporting_assignment_context_view_form',
        _buttons())
    print_odt = StateAction(
        'sale_opportunity_management.report_tracking_reporting_assignment')
    print_pdf = StateAction(
        'sale_opportunity_management'
        '.report_tracking_reporting_assignment_pdf')


class PrintTrackingUnattended(_Print):
    __name__ = 'sale.tracking.reporting.unattended.print'

    start = StateView(
        'sale.tracking.reporting.unattended.context',
        'sale_opportunity_management'
        '.tracking_reporting_unattended_context_view_form',
        _buttons())
    print_odt = StateAction(
        'sale_opportunity_management.report_tracking_reporting_unattended')
    print_pdf = StateAction(
        'sale_opportunity_management'
        '.report_tracking_reporting_unattended_pdf')


class PrintCampaignOperator(_Print):
    __name__ = 'sale.campaign.reporting.operator.print'

    start = StateView(
        'sale.campaign.reporting.context',
        'sale_opportunity_management.campaign_reporting_context_view_form',
        _buttons())
    print_odt = StateAction(
        'sale_opportunity_management.report_campaign_reporting_operator')
    print_pdf = StateAction(
        'sale_opportunity_management.report_campaign_reporting_operator_pdf')


class PrintCampaignResult(_Print):
    __name__ = 'sale.campaign.reporting.result.print'

    start = StateView(
        'sale.campaign.reporting.context',
        'sale_opportunity_management.campaign_reporting_context_view_form',
        _buttons())
    print_odt = StateAction(
        'sale_opportunity_management.report_campaign_reporting_result')
    print_pdf = StateAction(
        'sale_opportunity_management.report_campaign_reporting_result_pdf')
