# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import copy
from collections import defaultdict
from functools import wraps

from sql import Literal

from trytond.i18n import gettext
from trytond.ir.resource import ResourceAccessMixin
from trytond.model import Model, ModelStorage, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.model.modelstorage import is_leaf
from trytond.pool import Pool
from trytond.report import Report
from trytond.tools import grouped_slice, is_instance_method
from trytond.transaction import Transaction, check_access, without_check_access
from trytond.wizard import Wizard

_PACKAGE = __name__.rpartition('.')[0]


def is_guarded(cls):
    "Return if the class of the pool is of the module or extended by it"
    return (
        issubclass(cls, ResourceAccessMixin)
        or cls.__name__.startswith('ir.chat.')
        or any(
            '__name__' in vars(c) and c.__module__.startswith(_PACKAGE)
            for c in cls.__mro__))


def _is_checked():
    transaction = Transaction()
    return bool(transaction.user and transaction.check_access)


def readable(Target, ids):
    "Return the ids of the model that the user may read"
    pool = Pool()
    ModelAccess = pool.get('ir.model.access')
    Rule = pool.get('ir.rule')
    ids = set(ids)
    if not ids or not issubclass(Target, ModelStorage):
        return ids
    with check_access(), Transaction().set_context(
            active_test=False, _datetime=None):
        if not ModelAccess.get_access(
                [Target.__name__])[Target.__name__]['read']:
            return set()
        if (not issubclass(Target, ResourceAccessMixin)
                and not Rule.domain_get(Target.__name__, mode='read')):
            return ids
        found = set()
        for sub_ids in grouped_slice(list(ids), 1000):
            found.update(map(int, Target.search(
                        [('id', 'in', list(sub_ids))], order=[])))
        return found


def where_readable(Model, table):
    "Return the condition that the user may read the record of the table"
    if not Transaction().check_access:
        return Literal(True)
    return table.id.in_(Model.search([], order=[], query=True))


def _linked(record):
    "Yield the names and records of the values set on the record"
    for name, value in record._values._items() if record._values else []:
        if isinstance(value, Model):
            yield name, [value]
        elif (isinstance(value, (list, tuple))
                and value and isinstance(value[0], Model)):
            yield name, value


def forget_unreadable(record):
    """Take from the record the records that the user may not read

    What the client sends says only what it claims to know."""
    ids = defaultdict(set)

    def collect(record):
        for _, linked in _linked(record):
            for other in linked:
                if other.id is not None and other.id >= 0:
                    ids[other.__class__].add(other.id)
                collect(other)

    def clean(record):
        for name, linked in list(_linked(record)):
            kept = [
                r for r in linked
                if r.id is None or r.id < 0 or r.id in allowed[r.__class__]]
            for other in kept:
                clean(other)
            if len(kept) != len(linked):
                setattr(
                    record, name,
                    kept if isinstance(
                        getattr(record, name), (list, tuple)) else None)

    collect(record)
    allowed = {Target: readable(Target, ids[Target]) for Target in ids}
    if any(ids[Target] - allowed[Target] for Target in ids):
        clean(record)


def guard_domain(Target, domain):
    """Return the domain without what it asks about records that are hidden

    Tryton applies no rules to the related records of a search."""
    if not domain or isinstance(domain, str):
        return domain
    elif is_leaf(domain):
        return _guard_clause(Target, domain)
    return [guard_domain(Target, d) for d in domain]


def _guard_clause(Model, clause):
    pool = Pool()
    ModelAccess = pool.get('ir.model.access')
    Rule = pool.get('ir.rule')
    path, operator, value, *extra = clause
    name, _, related = path.partition('.')
    field = Model._fields.get(name)
    if (isinstance(field, fields.Function)
            or not isinstance(
                field, (fields.Many2One, fields.One2Many, fields.Many2Many))
            or operator.endswith('child_of')
            or operator.endswith('parent_of')):
        return clause
    is_many = not isinstance(field, fields.Many2One)
    if operator in {'where', 'not where'}:
        domain = value
    elif related:
        domain = [(related, operator, value, *extra)]
    elif is_many and isinstance(value, str):
        domain = [('rec_name', operator, value, *extra)]
    else:
        return clause
    Target = field.get_target()
    guarded = guard_domain(Target, domain)
    rule = []
    if is_guarded(Target):
        if not ModelAccess.get_access(
                [Target.__name__])[Target.__name__]['read']:
            if related and not is_many:
                # Tryton refuses it
                return clause
            # It does not look into what is asked by where
            rule = [('id', '=', None)]
        elif is_many and not (
                isinstance(field, fields.One2Many)
                and field.field in Target.__access__):
            rule = Rule.domain_get(Target.__name__, mode='read')
    if not rule and guarded == domain:
        return clause
    if operator == 'not where':
        return (name, operator, [guarded, rule])
    guarded = (name, 'where', [guarded, rule])
    if operator.startswith('!') or operator.startswith('not '):
        return ['OR', guarded, (
                (name, 'not where', [rule]) if is_many
                else (name, '=', None))]
    return guarded


def _decorate(decorator):
    def decorate(func):
        if decorator:
            func = decorator(func)

        @wraps(func)
        def wrapper(record, *args, **kwargs):
            if _is_checked():
                if (isinstance(record, ModelStorage)
                        and record.id is not None and record.id >= 0):
                    record.__class__.read([record.id], ['id'])
                forget_unreadable(record)
            return func(record, *args, **kwargs)
        return wrapper
    return decorate


class AccessViewMixin(ModelView):

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        # The class of the pool is made after it was set up
        if AccessViewMixin not in cls.__bases__ or not is_guarded(cls):
            return
        cls.__rpc__ = cls.__rpc__.copy()
        for name, rpc in cls.__rpc__.items():
            if rpc.instantiate == 0 and is_instance_method(cls, name):
                rpc = cls.__rpc__[name] = copy.copy(rpc)
                rpc.decorator = _decorate(rpc.decorator)

    @classmethod
    def default_get(cls, fields_names=None, with_rec_name=True, **kwargs):
        pool = Pool()
        values = super().default_get(
            fields_names, with_rec_name=with_rec_name, **kwargs)
        if _is_checked() and with_rec_name and is_guarded(cls):
            for name in [n for n in values if n.endswith('.')]:
                value = values[name[:-1]]
                if isinstance(value, str):
                    target, id_ = value.split(',')
                    Target, value = pool.get(target), int(id_)
                else:
                    Target = cls._fields[name[:-1]].get_target()
                if value is not None and not readable(Target, [value]):
                    del values[name]
        return values


class AccessStorageMixin(ModelStorage):

    @classmethod
    def _check_readable(cls, ids):
        "Check that the user may read the records now"
        if _is_checked() and is_guarded(cls):
            with Transaction().set_context(_datetime=None):
                cls.read(list(set(ids)), ['id'])

    @classmethod
    def read(cls, ids, fields_names):
        if Transaction().context.get('_datetime'):
            cls._check_readable(ids)
        return super().read(ids, fields_names)

    @classmethod
    def search(
            cls, domain, offset=0, limit=None, order=None, count=False,
            **kwargs):
        context = {}
        if _is_checked() and is_guarded(cls):
            domain = guard_domain(cls, domain)
            if Transaction().context.get('_datetime'):
                # It may be hidden now
                context['_datetime'] = None
        with Transaction().set_context(context):
            return super().search(
                domain, offset=offset, limit=limit, order=order, count=count,
                **kwargs)

    @classmethod
    def check_modification(cls, mode, records, values=None, external=False):
        if external and mode in {'write', 'delete'} and is_guarded(cls):
            # Before the checks that name in their errors what they refuse
            with check_access():
                cls._check_readable(r.id for r in records)
                if mode == 'write':
                    cls._check_linked(values)
        super().check_modification(
            mode, records, values=values, external=external)
        transaction = Transaction()
        if (transaction.user and transaction.context.get('_datetime')
                and is_guarded(cls)):
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_modify_past',
                    **cls.__names__()))
        if mode == 'write' and external:
            cls._check_computed(values)

    @classmethod
    def _check_linked(cls, values):
        "Check that the user may read what the values link to"
        for name, value in values.items():
            field = cls._fields[name]
            if (isinstance(field, fields.Many2One) and value is not None
                    and not readable(field.get_target(), [int(value)])):
                raise AccessError(gettext(
                        'sale_opportunity_management.msg_link_denied',
                        **cls.__names__(name)))

    @classmethod
    def _check_computed(cls, values):
        "Check that the user writes no field that is never written by hand"
        pool = Pool()
        Rule = pool.get('ir.rule')
        Tracking = pool.get('sale.tracking')
        if (cls.__name__ not in Rule._own_models()
                or Tracking.is_administrator()):
            return
        for name in values:
            if (cls._fields[name].readonly
                    and name not in getattr(cls, '_recorded_fields', set())):
                raise AccessError(gettext(
                        'sale_opportunity_management.msg_modify_computed',
                        **cls.__names__(name)))

    @classmethod
    def copy(cls, records, default=None):
        cls._check_readable(map(int, records))
        return super().copy(records, default=default)

    @classmethod
    def export_data(cls, records, fields_names, header=False):
        if _is_checked() and is_guarded(cls):
            cls._check_export(records, fields_names)
        return super().export_data(records, fields_names, header=header)

    @classmethod
    def _check_export(cls, records, fields_names):
        "Check that the user may read what is exported of the records"
        children = defaultdict(set)
        for name in fields_names:
            name, _, child = name.partition('/')
            if child:
                children[name].add(child)
        cls.read([r.id for r in records], ['id'])
        for name, child_names in children.items():
            if not hasattr(cls._fields.get(name), 'get_target'):
                continue
            with without_check_access():
                linked = set()
                for record in records:
                    value = getattr(record, name)
                    if isinstance(value, ModelStorage):
                        linked.add(value)
                    elif isinstance(value, (list, tuple)):
                        linked.update(value)
            linked = {r for r in linked if r.id >= 0}
            if linked:
                Target = cls._fields[name].get_target()
                Target._check_export(linked, child_names)


class AccessWizardMixin(Wizard):

    @classmethod
    def check_access(cls):
        pool = Pool()
        Action = pool.get('ir.action.wizard')
        transaction = Transaction()
        action_id = transaction.context.get('action_id')
        if action_id is not None:
            with without_check_access():
                if not Action.search([
                            ('wiz_name', '=', cls.__name__),
                            ('id', '=', action_id),
                            ]):
                    # The client may claim the action of another wizard
                    action_id = None
        with transaction.set_context(action_id=action_id):
            super().check_access()

    @classmethod
    def _check_session(cls, session_id):
        "Check that the session is of the user"
        pool = Pool()
        Session = pool.get('ir.session.wizard')
        user = Transaction().user
        if user:
            with without_check_access():
                if not Session.search([
                            ('id', '=', session_id),
                            ('create_uid', '=', user),
                            ]):
                    raise AccessError(gettext(
                            'sale_opportunity_management.msg_wizard_session'))

    @classmethod
    def delete(cls, session_id):
        cls._check_session(session_id)
        return super().delete(session_id)

    @classmethod
    def execute(cls, session_id, data, state_name):
        pool = Pool()
        cls._check_session(session_id)
        if Transaction().user and is_guarded(cls):
            # The fields of the views that the wizard checks itself
            checked = getattr(cls, '_checked_fields', set())
            data = data.copy()
            for state, values in data.items():
                View = pool.get(cls.states[state].model_name)
                values = {k: v for k, v in values.items() if k != 'id'}
                claimed, record = View(**values), View(**values)
                forget_unreadable(record)
                data[state] = {
                    **values,
                    **{n: getattr(record, n) for n, _ in _linked(claimed)
                        if n not in checked},
                    }
        return super().execute(session_id, data, state_name)


class AccessReportMixin(Report):

    @classmethod
    def check_access(cls, action, model, ids):
        if Transaction().user and action.report_name != cls.__name__:
            raise AccessError(gettext(
                    'ir.msg_access_report_error', report=cls.__name__))
        super().check_access(action, model, ids)
