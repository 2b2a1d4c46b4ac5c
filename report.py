# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import hashlib
from collections import namedtuple
from functools import lru_cache
from itertools import chain
from types import SimpleNamespace

from sql import Column

from trytond import backend
from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.report import Report
from trytond.rpc import RPC
from trytond.tools import grouped_slice, sqlite_apply_types
from trytond.transaction import Transaction, check_access, without_check_access
from trytond.wizard import Button, StateAction, StateView, Wizard

from .access import readable
from .contact_rate import contact_rate
from .exceptions import LongReportWarning
from .moment import company_timezone, now, to_local
from .report_loop import as_text, write_loops

# How many rows and how many names are in memory
_SIZE, _NAMES = 2000, 50_000


class ListReport(Report):
    # The model of the parameters, what is read of each row, the field whose
    # value makes a group of the rows, the expression that orders the groups,
    # the fields of the groups in them and what is read for the totals
    _context_model = None
    _fields = []
    _group = None
    _group_order = None
    _sub_groups = []
    _total_fields = ['party']
    _parameter_names = [
        'from_date', 'to_date', 'days_late', 'state', 'assignment',
        'operators', 'business_units', 'channels']

    @classmethod
    def __setup__(cls):
        super().__setup__()
        # The answer to the warning is written
        cls.__rpc__['execute'] = RPC(readonly=False)

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
    @check_access
    def _get_records(cls, ids, model, data):
        "Return the ids of the rows"
        pool = Pool()
        Model = pool.get(cls.__name__)
        domain = []
        if 'parameters' not in data:
            domain.append(('id', 'in', ids))
        order = [*cls._order_groups(), *Model._order]
        cursor = Transaction().connection.cursor()
        # Reading by ids spares a record per row
        cursor.execute(*Model.search(domain, order=order, query=True))
        ids = [id_ for id_, *_ in cursor]
        cls._warn_rows(ids, data)
        return ids

    @classmethod
    def _warn_rows(cls, ids, data):
        pool = Pool()
        ActionReport = pool.get('ir.action.report')
        Configuration = pool.get('sale.configuration')
        Lang = pool.get('ir.lang')
        Warning = pool.get('res.user.warning')
        with without_check_access():
            limit = Configuration(1).get_multivalue('report_rows')
        if limit is None or len(ids) <= limit:
            return
        asked = sorted((data.get('parameters') or {}).items()) or ids
        digest = hashlib.md5(repr(asked).encode()).hexdigest()
        key = f'{cls.__name__}@{digest}'
        if Warning.check(key):
            action, = ActionReport.search(
                [('report_name', '=', cls.__name__)], limit=1)
            raise LongReportWarning(key, gettext(
                    'sale_opportunity_management.msg_report_rows',
                    report=action.name,
                    rows=Lang.get().format_number(len(ids))))

    @classmethod
    def _order_groups(cls):
        "Return the order that brings the rows of each group together"
        return [
            (cls._group_order, 'ASC NULLS FIRST'),
            (cls._group, 'ASC NULLS FIRST'),
            ]

    @classmethod
    @check_access
    def _read(cls, ids, names):
        "Return the values of the rows, which the user may read"
        pool = Pool()
        Model = pool.get(cls.__name__)
        cursor = Transaction().connection.cursor()
        table = Model.__table__()
        computed = [
            n for n in names if isinstance(Model._fields[n], fields.Function)]
        stored = ['id', *(n for n in names if n not in computed)]
        query = table.select(
            *(Column(table, n).as_(n) for n in stored),
            where=fields.SQL_OPERATORS['in'](table.id, ids))
        if backend.name == 'sqlite':
            sqlite_apply_types(
                query, [Model._fields[n].sql_type().base for n in stored])
        cursor.execute(*query)
        values = {v[0]: dict(zip(stored, v)) for v in cursor}
        for name in stored:
            field = Model._fields[name]
            if hasattr(field, 'get'):
                converted = field.get(
                    list(values), Model, name, values=values.values())
                for id_, value in converted.items():
                    values[id_][name] = value
        if computed:
            for row in Model.read(ids, computed):
                values[row['id']].update(row)
        return [values[id_] for id_ in ids]

    @classmethod
    def _converters(cls):
        """Return the functions that make the names of records, the labels of
        selections and the moments in the time of the company"""
        pool = Pool()
        Model = pool.get(cls.__name__)
        company = cls._company()
        converters = {}
        for name in cls._fields:
            field = Model._fields[name]
            if isinstance(field, fields.Function):
                field = field._field
            if isinstance(field, fields.Many2One):
                converters[name] = _Names(pool.get(field.model_name))
            elif isinstance(field, fields.Selection):
                labels = field.get_selection(Model, name, None)
                converters[name] = labels.get
            elif isinstance(field, fields.Timestamp):
                converters[name] = (
                    lambda value: to_local(company, value) if value else None)
        return converters

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
        for name in [
                'format_date', 'format_datetime', 'format_timedelta',
                'format_number']:
            # The same values come again and again
            context[name] = lru_cache(_SIZE)(context[name])
        context['total'], context['groups'] = cls._groups(records)
        return context

    @classmethod
    def _callback_loader(cls, report, template):
        translate = super()._callback_loader(report, template)
        write_loops(template)
        template.filters.append(as_text)
        return translate

    @classmethod
    def _parameters(cls, lang):
        pool = Pool()
        Context = pool.get(cls._context_model)
        parameters = []
        definitions = Context.fields_get()
        for name in cls._parameter_names:
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
                # The client may claim any id
                allowed = readable(Target, value)
                value = ', '.join(
                    r.rec_name for r in Target.browse(value)
                    if r.id in allowed)
            parameters.append((definitions[name]['string'], value))
        company = cls._company()
        definition = company.fields_get(['timezone'])['timezone']
        parameters.append(
            (definition['string'], str(company_timezone(company))))
        return parameters

    @classmethod
    def _groups(cls, ids):
        """Return the total of the rows and the totals of the groups

        Each has the rows of its group, which are read when they are printed,
        and the groups in it."""
        converters = cls._converters()
        reader = _Reader(cls, ids, converters)
        total = cls._total()
        total.groups = []
        names = [cls._group, *cls._sub_groups]
        keys = [None] * len(names)
        for i, values in enumerate(chain.from_iterable(
                    cls._read(list(sub_ids), {*names, *cls._total_fields})
                    for sub_ids in grouped_slice(ids, _SIZE))):
            totals = [total]
            for level, name in enumerate(names):
                groups = totals[-1].groups
                if not groups or keys[level] != values[name]:
                    keys[level] = values[name]
                    group = cls._total()
                    group.name = (
                        converters[name](values[name])
                        or cls._group_empty(name))
                    group.rows = _Rows(reader, i)
                    group.groups = []
                    groups.append(group)
                totals.append(groups[-1])
            for total_ in totals[1:]:
                total_.rows.stop = i + 1
            for total_ in totals:
                cls._add(total_, values)
        return total, total.groups

    @classmethod
    def _group_empty(cls, name):
        return gettext('sale_opportunity_management.msg_tracking_unassigned')

    @classmethod
    def _total(cls):
        return Total(number=0, parties=set())

    @classmethod
    def _add(cls, total, values):
        "Add the values of a row to the total"
        total.number += 1
        total.parties.add(values['party'])


class Total(SimpleNamespace):

    @property
    def customers(self):
        return len(self.parties)

    @property
    def rate(self):
        return contact_rate(self.outgoing, self.reached) or 0


class _Reader:
    "The rows in the order of the report, the slice that was read last is kept"

    def __init__(self, report, ids, converters):
        self.report = report
        self.ids = ids
        self.converters = [
            (name, converters.get(name)) for name in report._fields]
        self.Row = namedtuple('Row', ['values', *report._fields])
        self.start, self.rows = 0, []

    def read(self, start, stop):
        while start < stop:
            if not self.start <= start < self.start + len(self.rows):
                self._read(start - start % _SIZE)
            rows = self.rows[start - self.start:stop - self.start]
            yield from rows
            start += len(rows)

    def _read(self, start):
        rows = self.report._read(
            self.ids[start:start + _SIZE], self.report._fields)
        columns = [rows]
        for name, converter in self.converters:
            column = [values[name] for values in rows]
            if isinstance(converter, _Names):
                converter.read(set(column))
            columns.append(map(converter, column) if converter else column)
        self.start, self.rows = start, list(map(self.Row._make, zip(*columns)))


class _Rows:
    "The rows of a group, which are read each time that they are printed"

    def __init__(self, reader, start):
        self.reader = reader
        self.start = self.stop = start

    def __len__(self):
        return self.stop - self.start

    def __iter__(self):
        return self.reader.read(self.start, self.stop)


class _Names:
    "The names of the records of a model"

    def __init__(self, Model):
        self.Model = Model
        self.names = {None: ''}

    def read(self, ids):
        if len(self.names) > _NAMES:
            self.names = {None: ''}
        names = ['rec_name']
        if self.Model._rec_name in self.Model._fields:
            # The getter finds it then without reading the whole records
            names.append(self.Model._rec_name)
        with without_check_access():
            for sub_ids in grouped_slice(ids - self.names.keys(), 500):
                self.names.update(
                    (v['id'], v['rec_name'])
                    for v in self.Model.read(list(sub_ids), names))

    def __call__(self, id_):
        if id_ not in self.names:
            self.read({id_})
        return self.names[id_]


class PrintWizard(Wizard):
    """Print the report of the wizard's name without its last part

    The form of its parameters and its actions bear the name too."""
    _readonly = True
    _context_model = None

    @classmethod
    def __setup__(cls):
        def xml_id(name):
            return 'sale_opportunity_management.' + name.replace('.', '_')
        form = cls._context_model.removeprefix('sale.')
        report = cls.__name__.removeprefix('sale.').removesuffix('.print')
        cls.start = StateView(
            cls._context_model, xml_id(f'{form}_view_form'), [
                Button("Cancel", 'end', 'tryton-cancel'),
                Button("Print as ODT", 'print_odt', 'tryton-print'),
                Button(
                    "Print as PDF", 'print_pdf', 'tryton-print',
                    default=True),
                ])
        cls.print_odt = StateAction(xml_id(f'report_{report}'))
        cls.print_pdf = StateAction(xml_id(f'report_{report}_pdf'))
        super().__setup__()

    def do_print_odt(self, action):
        return action, {'parameters': self.start._default_values}

    def do_print_pdf(self, action):
        return action, {'parameters': self.start._default_values}
