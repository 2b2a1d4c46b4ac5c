# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from itertools import groupby
from types import SimpleNamespace

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.report import Report
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, check_access, without_check_access
from trytond.wizard import Button, StateAction, StateView, Wizard

from .access import readable
from .moment import company_timezone, now, to_local


class ListReport(Report):
    # The model of the parameters, what is read of each row, the field whose
    # value makes a group of the rows and the expression that orders the groups
    _context_model = None
    _fields = []
    _group = None
    _group_order = None
    _parameter_names = [
        'from_date', 'to_date', 'days_late', 'state', 'assignment',
        'operators', 'business_units', 'channels']

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
        values = {v['id']: v for v in Model.read(ids, ['id', *cls._fields])}
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
