# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import inspect
import json
import unittest

from werkzeug.test import EnvironBuilder

from trytond import backend
from trytond.ir import routes
from trytond.model import ModelStorage, ModelView, fields
from trytond.pool import Pool
from trytond.protocols.jsonrpc import JSONEncoder
from trytond.protocols.wrappers import Request
from trytond.tools import is_instance_method
from trytond.transaction import Transaction
from trytond.wizard import StateView
from trytond.wsgi import app

from .common import TrackingTestMixin
from .doors import (
    FEW_TRIES, GROUPS, MODULE, NEIGHBOURS, PARTY, SEES, SHARED, SUPPLY, TRIES,
    UNMARKED, DoorsMixin, is_ours, is_stored)

# What every model has and the tests of it
STORAGE = {
    'create', 'read', 'write', 'delete', 'copy', 'search', 'search_count',
    'search_read', 'resources', 'export_data', 'export_data_domain',
    'import_data', 'history_revisions'}
VIEW = {
    'default_get', 'fields_get', 'pre_validate', 'autocomplete', 'on_change',
    'on_change_with', 'on_change_notify', 'on_scan_code', 'fields_view_get',
    'view_toolbar_get'}
NO_ACTION = 999999


def next_one(role, secret, call):
    return (
        role == 'member' and secret.owner == 'free'
        and call.split('.')[-1].rstrip('!') in {
            'next', 'take', 'attend', 'skip', 'leave_comment', 'save_draft'})


def managers_campaign(role, secret, call):
    return (
        role == 'manager' and secret.model == 'sale.campaign'
        and secret.owner != 'foreign')


def of_company(role, secret, call):
    return (
        secret.model in SHARED and secret.owner != 'foreign'
        and role != 'nobody')


def supply_of_company(role, secret, call):
    return (
        secret.model in SUPPLY and secret.owner != 'foreign'
        and 'group_supply_point' in GROUPS[role])


@unittest.skipIf(
    backend.name != 'sqlite', "It tells nothing about the database")
class DoorsTestCase(DoorsMixin, TrackingTestMixin, unittest.TestCase):
    "Test what each role can reach through what a client can call"
    allowed = [
        (of_company,
            "Who works in the company sees how it is organised"),
        (supply_of_company,
            "Who has the group sees the supply points of the company"),
        (managers_campaign,
            "A manager sees which campaigns the company has"),
        (next_one,
            "The member of a campaign is given the customer that comes next"),
        ]

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        for role in SEES:
            for (r, door), tries in sorted(cls.tries.items()):
                if r == role:
                    print(
                        f"{role}, {door}: {cls.found[role, door]} found "
                        f"in {tries} tries")

    def models(self):
        "Yield the models to test"
        pool = Pool()
        for name, Model in sorted(pool.iterobject(type='model')):
            if (is_ours(Model) and name not in UNMARKED) or name in NEIGHBOURS:
                yield name, Model

    def cases(self, tries=TRIES):
        "Yield each role with the records of a hidden owner of each model"
        pool = Pool()
        for role in SEES:
            for owner in tries[role]:
                for name in self.world.models(owner):
                    yield role, owner, name, pool.get(name)

    def own(self, role, target):
        "Return an id of the model that the role may use"
        world = self.world
        if target == 'company.company':
            return world.companies['own'].id
        elif target == 'company.employee':
            return world.employees.get(role, world.employees['operator']).id
        elif target == 'res.user':
            return world.users[role].id
        elif target == 'sale.business_unit':
            return world.unit.id
        for owner in SEES[role]:
            if id_ := world.get(owner, target):
                return id_

    def relations(self, Model):
        "Yield the fields to one record and the names of its models"
        for name, field in Model._fields.items():
            if isinstance(field, fields.Many2One) or (
                    isinstance(field, fields.Function)
                    and field._type == 'many2one'):
                yield name, field.model_name

    def theirs(self, owner, target):
        world = self.world
        if target == 'company.company' and owner == 'foreign':
            return world.companies['foreign'].id
        elif target == 'company.employee' and owner == 'foreign':
            return world.employees['foreigner'].id
        elif target == 'company.employee':
            name = {'taken': 'taker', 'left': 'departed'}.get(owner, owner)
            employee = world.employees.get(name)
            return employee.id if employee else None
        return world.get(owner, target)

    def test_read(self):
        "Test what is read, found, counted and exported"
        for role, owner, name, Model in self.cases():
            ids = self.world.records[owner][name]
            readable = self.readable(Model)

            def attempt(door, method, *args, **kwargs):
                if method in Model.__rpc__:
                    return self.attempt(
                        role, door, 'model', name, method, *args, **kwargs)
            attempt('read', 'read', ids, readable)
            for names in self.exportable(Model):
                attempt('export', 'export_data', ids, names)
            attempt(
                'export', 'export_data_domain', [('id', 'in', ids)], names)
            attempt('resources', 'resources', ids)
            attempt('history', 'history_revisions', ids)
        for role in SEES:
            for name, Model in self.models():
                if 'search_read' not in Model.__rpc__:
                    continue
                readable = self.readable(Model)
                for door, context in self.contexts(role, name):
                    self.attempt(
                        role, door, 'model', name, 'search_read', [], 0,
                        None, None, readable, context=context)
            for _, text in zip(range(1), self.texts(role)):
                self.attempt(
                    role, 'global search', 'model', 'ir.model',
                    'global_search', text, 100)
        self.close()

    def exportable(self, Model):
        "Yield names of fields to export, those that fail apart"
        plain = [
            n for n, f in Model._fields.items()
            if f._type in {'char', 'text', 'integer', 'many2one'}
            and not isinstance(f, fields.Function)]
        yield [n for n in plain if n not in {'create_uid', 'write_uid'}]
        yield [
            n for n, f in Model._fields.items()
            if f._type in {'char', 'text'}]
        names = []
        for name, field in Model._fields.items():
            if not hasattr(field, 'get_target'):
                continue
            Target = field.get_target()
            if is_ours(Target) or Target.__name__ in NEIGHBOURS:
                names.extend(
                    f'{name}/{n}' for n, f in Target._fields.items()
                    if f._type in {'char', 'text'}
                    and not isinstance(f, fields.Function))
        yield names

    def texts(self, role):
        for mark, secret in self.world.secrets.items():
            if self.is_hidden(role, secret, '', ()):
                yield mark

    def contexts(self, role, name):
        "Yield the contexts that a client can make up"
        world = self.world
        foreign = world.companies['foreign'].id
        yield 'search', {}
        if not FEW_TRIES[role]:
            return
        yield 'context', {
            'company': foreign, 'employee': world.employees['foreigner'].id,
            'companies': [foreign], 'company_filter': 'all',
            'employees': [world.employees['foreigner'].id],
            'operators': [world.employees['foreigner'].id],
            'user': 0}
        yield 'context', {
            'employee': world.employees['colleague'].id,
            'employees': [world.employees['colleague'].id],
            'user': world.users['administrator'].id}
        yield 'past', {
            '_datetime': dt.datetime.now() - dt.timedelta(days=2),
            '_datetime_exclude': True}

    def test_domain(self):
        "Test that no domain answers about what is hidden"
        for role in SEES:
            for name, Model in self.models():
                if (not issubclass(Model, ModelStorage)
                        or 'search_count' not in Model.__rpc__):
                    continue
                for owner in TRIES[role]:
                    self.ask(role, owner, name, Model)
        self.close()

    def ask(self, role, owner, name, Model):
        world = self.world
        secrets = {}
        for mark, secret in world.secrets.items():
            if (secret.owner == owner and self.is_hidden(
                        role, secret, f'{name}.search_count', ())):
                secrets.setdefault(secret.model, {})[secret.field] = mark

        def count(clause, secret_model):
            with self.undone():
                answer = self.dispatch(
                    role, 'model', name, 'search_count', [clause])
            type(self).tries[role, 'domain'] += 1
            if isinstance(answer, int) and answer:
                type(self).found[role, 'domain'] += 1
                self.leaks[
                    f'domain: {name} {clause[0]} {clause[1]} answers about '
                    f'{secret_model}'].add(f'{role}/{owner}')

        for field, mark in secrets.get(name, {}).items():
            count((field, 'ilike', f'%{mark}%'), name)
        for field, definition in Model._fields.items():
            if not hasattr(definition, 'get_target'):
                continue
            if not definition.searchable(Model):
                continue
            Target = definition.get_target()
            target = Target.__name__
            if target in PARTY:
                continue
            for target_field, mark in secrets.get(target, {}).items():
                clause = (target_field, 'ilike', f'%{mark}%')
                count((f'{field}.{target_field}', *clause[1:]), target)
                if definition._type != 'reference':
                    count((field, 'where', [clause]), target)
            # Through one more
            for far, far_definition in Target._fields.items():
                if (not hasattr(far_definition, 'get_target')
                        or not far_definition.searchable(Target)):
                    continue
                far_target = far_definition.get_target().__name__
                if far_target in PARTY:
                    continue
                for far_field, mark in list(
                        secrets.get(far_target, {}).items())[:2]:
                    count((
                            f'{field}.{far}.{far_field}', 'ilike',
                            f'%{mark}%'), far_target)

    def test_write(self):
        "Test that nothing hidden is copied, written, deleted or linked"
        for role, owner, name, Model in self.cases(FEW_TRIES):
            ids = self.world.records[owner][name]
            if 'copy' not in Model.__rpc__:
                continue
            for default in self.thefts(role, Model):
                self.attempt(
                    role, 'copy', 'model', name, 'copy', ids[:1], default)
                self.attempt(
                    role, 'write', 'model', name, 'write', ids[-1:], default)
            self.attempt(role, 'delete', 'model', name, 'delete', ids)
        for role in SEES:
            for owner in FEW_TRIES[role]:
                self.nest(role, owner)
        self.close()

    def thefts(self, role, Model):
        "Yield values that move a record to the role"
        yield {}
        values = {}
        for name, target in self.relations(Model):
            field = Model._fields[name]
            if isinstance(field, fields.Function) or name.endswith('_uid'):
                continue
            if id_ := self.own(role, target):
                values[name] = id_
        for name in ['resource']:
            if name in Model._fields and (
                    id_ := self.own(role, 'sale.tracking')):
                values[name] = f'sale.tracking,{id_}'
        if values:
            yield values
            yield {
                n: v for n, v in values.items()
                if Model._fields[n]._type == 'reference'
                or Model._fields[n].model_name == 'company.employee'}
        yield {
            n: "Stolen" for n, f in Model._fields.items()
            if isinstance(f, fields.Char) and not isinstance(
                f, fields.Function)}

    def nest(self, role, owner):
        pool = Pool()
        world = self.world
        for own in SEES[role]:
            for name in world.models(own):
                Model = pool.get(name)
                id_ = world.get(own, name)
                if 'write' not in Model.__rpc__:
                    continue
                for field, definition in Model._fields.items():
                    if isinstance(definition, fields.Function):
                        continue
                    if definition._type in {'one2many', 'many2many'}:
                        Target = definition.get_target()
                        theirs = world.get(owner, Target.__name__)
                        if theirs is None:
                            continue
                        if Target.__name__ in PARTY:
                            continue
                        values = [{}, *self.thefts(role, Target)][1:3][-1]
                        values = {
                            k: v for k, v in values.items()
                            if k != getattr(definition, 'field', None)}
                        if not is_stored(Target):
                            continue
                        text = next(
                            (n for n, f in Target._fields.items()
                                if isinstance(f, fields.Char)
                                and not isinstance(f, fields.Function)), None)
                        for action in [
                                ('copy', [theirs], values),
                                ('copy', [theirs]),
                                ('write', [theirs], {text: "Stolen"}),
                                ('add', [theirs]),
                                ('remove', [theirs]),
                                ('delete', [theirs]),
                                ]:
                            if (definition._type == 'many2many'
                                    and action[0] == 'copy'
                                    and len(action) > 2 and not values):
                                continue
                            self.attempt(
                                role, 'nested write', 'model', name, 'write',
                                [id_], {field: [action]})
                    elif definition._type == 'many2one':
                        theirs = self.theirs(owner, definition.model_name)
                        if (theirs is None
                                or definition.model_name in PARTY):
                            continue
                        with self.undone():
                            answer = self.dispatch(
                                role, 'model', name, 'write', [id_],
                                {field: theirs})
                            self.look(
                                role, 'link', f'{name}.write', answer)
                            if isinstance(answer, Exception):
                                continue
                            self.look_later(role, 'link', f'{name}.write')
                            answer = self.dispatch(
                                role, 'model', name, 'read', [id_],
                                [f'{field}.rec_name'])
                            self.look(role, 'link', f'{name}.read', answer)

    def test_rpc(self):
        "Test the buttons and other methods"
        for role, owner, name, Model in self.cases():
            for method, rpc in Model.__rpc__.items():
                if (method in STORAGE | VIEW
                        or method.startswith('on_change')
                        or method.startswith('autocomplete')):
                    continue
                for id_ in self.world.records[owner][name]:
                    for args in self.arguments(Model, method, rpc, id_):
                        self.attempt(
                            role, 'method', 'model', name, method, *args)
        self.close()

    def arguments(self, Model, name, rpc, id_):
        result = self.world.result.id
        if name in getattr(Model, '_buttons', {}):
            yield ([id_],)
        elif rpc.instantiate == 0:
            yield (id_,)
            yield (id_, result, "Comment")
            yield (id_, "Comment")
            yield (id_, {'comment': "Comment", 'result': result})
        else:
            yield (id_,)
            yield ([id_],)
            yield (id_, 0, 100)
            yield ()

    def test_on_change(self):
        "Test what is computed for values that the client makes up"
        for role in SEES:
            for name, Model in self.models():
                if not issubclass(Model, ModelView):
                    continue
                for owner in FEW_TRIES[role]:
                    self.change(role, owner, name, Model)
        self.close()

    def change(self, role, owner, name, Model):
        methods = list(self.changes(Model))
        base = {
            n: self.own(role, target)
            for n, target in self.relations(Model)
            if self.own(role, target)}
        forged = []
        if id_ := self.world.get(owner, name):
            forged.append(('id', id_, ()))
        for field, target in self.relations(Model):
            if theirs := self.theirs(owner, target):
                told = (
                    (owner,) if target in PARTY | {'company.employee'}
                    else ())
                forged.append((field, theirs, told))
        for field, definition in Model._fields.items():
            if definition._type == 'reference':
                for target in [
                        'sale.tracking', 'sale.call', 'sale.task',
                        'sale.meeting']:
                    if theirs := self.world.get(owner, target):
                        forged.append((field, f'{target},{theirs}', ()))
            elif definition._type in {'one2many', 'many2many'}:
                target = definition.get_target().__name__
                if theirs := self.world.get(owner, target):
                    told = (owner,) if target in PARTY else ()
                    forged.append((field, [theirs], told))
        for field, value, told in forged:
            if field == 'id':
                values = {field: value}
            else:
                values = {**base, field: value}
            self.change_all(role, name, Model, methods, values, field, told)
            for key in ['source', 'kind']:
                definition = Model._fields.get(key)
                if (definition and definition._type == 'selection'
                        and isinstance(definition.selection, list)
                        and field != 'id'):
                    for choice, _ in definition.selection:
                        if choice:
                            self.change_all(
                                role, name, Model, methods,
                                {**values, key: choice}, field, told)
            if 'default_get' in Model.__rpc__ and field != 'id':
                self.attempt(
                    role, 'default', 'model', name, 'default_get',
                    list(Model._fields), context={
                        f'default_{field}': value, field: value},
                    told=told, later=False)

    def change_all(self, role, name, Model, methods, values, field, told):
        for method, depends in methods:
            if field != 'id' and depends and field not in depends:
                continue
            door = 'selection' if method.startswith('get_') else 'on_change'
            self.attempt(
                role, door, 'model', name, method, values, told=told,
                later=False)

    def changes(self, Model):
        "Yield the methods that compute with the names of what they look at"
        for method, rpc in Model.__rpc__.items():
            if method in STORAGE | VIEW or rpc.instantiate != 0:
                continue
            for prefix in ['on_change_with_', 'on_change_', 'autocomplete_']:
                if method.startswith(prefix):
                    field = Model._fields[method[len(prefix):]]
                    yield method, set(getattr(field, prefix[:-1]))
                    break
            else:
                if is_instance_method(Model, method):
                    yield method, set()

    def test_wizard(self):
        "Test every state of the wizards"
        pool = Pool()
        wizards = [
            (n, w) for n, w in sorted(pool.iterobject(type='wizard'))
            if is_ours(w)]
        for role in SEES:
            for owner in FEW_TRIES[role]:
                for name, Wizard in wizards:
                    for context in self.actives(owner, Wizard):
                        self.execute(role, owner, name, Wizard, context)
        self.close()

    def actives(self, owner, Wizard):
        "Yield contexts with a record and an action that does not exist"
        pool = Pool()
        Action = pool.get('ir.action.wizard')
        models = Action.get_models(Wizard.__name__) or {
            'sale.tracking', 'sale.call'}
        for model in sorted(models):
            if id_ := self.world.get(owner, model):
                yield {
                    'active_model': model, 'active_id': id_,
                    'active_ids': [id_], 'action_id': NO_ACTION}

    def execute(self, role, owner, name, Wizard, context):
        foreign = {}
        if owner == 'foreign':
            foreign['company'] = self.world.companies['foreign'].id
        forged = self.forge(role, owner, Wizard)
        # Who opens the dialog on a party sees which it is
        told = (owner,) if context['active_model'] in PARTY else ()
        with self.undone():
            answer = self.dispatch(
                role, 'wizard', name, 'create', context=context)
            self.look(role, 'wizard', f'{name}.create', answer)
            if not isinstance(answer, (list, tuple)):
                answer = self.dispatch(
                    role, 'wizard', name, 'create', context={
                        'action_id': NO_ACTION})
            if not isinstance(answer, (list, tuple)):
                return
            session, *_ = answer
            for state in Wizard.states:
                is_view = isinstance(Wizard.states[state], StateView)
                for data in ([{}, *forged[:1]] if is_view else forged):
                    for active in [context, {**context, **foreign}]:
                        self.attempt_inside(
                            role, f'{name}:{state}', name, session, data,
                            state, active, told)
                        if not foreign:
                            break

    def attempt_inside(
            self, role, call, name, session, data, state, context, told):
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        cursor.execute('SAVEPOINT inside')
        self._touched.clear()
        try:
            answer = self.dispatch(
                role, 'wizard', name, 'execute', session, data, state,
                context=context)
            self.look(role, 'wizard', call, answer, told)
            if not isinstance(answer, Exception):
                self.look_later(role, 'wizard', call, told)
        finally:
            cursor.execute('ROLLBACK TO SAVEPOINT inside')
            cursor.execute('RELEASE SAVEPOINT inside')
            for cache in transaction.cache.values():
                cache.clear()
            transaction.tasks.clear()

    def forge(self, role, owner, Wizard):
        "Return the data of the states with the records of the owner"
        pool = Pool()
        foreign, mixed = {}, {}
        for state, view in Wizard.states.items():
            if not isinstance(view, StateView):
                continue
            Model = pool.get(view.model_name)
            values, own = {}, {}
            for name, field in Model._fields.items():
                if field._type == 'many2one':
                    theirs = self.theirs(owner, field.model_name)
                    ours = self.own(role, field.model_name)
                    if field.model_name in PARTY:
                        theirs = ours
                    values[name] = theirs or ours
                    own[name] = ours
                elif field._type == 'reference':
                    if theirs := self.world.get(owner, 'sale.call'):
                        values[name] = f'sale.call,{theirs}'
                elif field._type in {'one2many', 'many2many'}:
                    target = field.get_target().__name__
                    theirs = self.theirs(owner, target)
                    if theirs and target not in PARTY:
                        values[name] = [theirs]
                elif field._type == 'selection':
                    if isinstance(field.selection, (tuple, list)):
                        value = next(
                            (k for k, _ in reversed(field.selection) if k),
                            None)
                        values[name] = own[name] = value
                elif field._type == 'integer':
                    values[name] = own[name] = 100
                elif field._type in {'char', 'text'}:
                    values[name] = own[name] = "Text"
                elif field._type == 'boolean':
                    values[name] = own[name] = True
                elif field._type in {'datetime', 'timestamp'}:
                    values[name] = own[name] = (
                        dt.datetime.now() + dt.timedelta(days=2)).replace(
                        microsecond=0)
                elif field._type == 'date':
                    values[name] = own[name] = (
                        dt.date.today() - dt.timedelta(days=9))
            foreign[state] = {k: v for k, v in values.items() if k != 'id'}
            mixed[state] = {k: v for k, v in own.items() if k != 'id'}
        return [foreign, mixed] if foreign else [{}]

    def test_session(self):
        "Test that nobody goes on with the wizard of somebody else"
        pool = Pool()
        for role in SEES:
            for name, Wizard in sorted(pool.iterobject(type='wizard')):
                if not is_ours(Wizard):
                    continue
                with self.undone():
                    created = self.dispatch(
                        'foreigner', 'wizard', name, 'create', context={
                            'action_id': NO_ACTION})
                    if not isinstance(created, (list, tuple)):
                        continue
                    session, *_ = created
                    for state in [*Wizard.states, 'end']:
                        answer = self.dispatch(
                            role, 'wizard', name, 'execute', session, {},
                            state)
                        type(self).tries[role, 'session'] += 1
                        if not isinstance(answer, Exception):
                            self.leak(
                                role, 'session', f'{name}:{state}',
                                'goes on', 'foreign')
        self.close()

    def test_report(self):
        "Test the reports of foreign records and parameters"
        pool = Pool()
        for role in SEES:
            for owner in FEW_TRIES[role]:
                for name, Report in sorted(pool.iterobject(type='report')):
                    if is_ours(Report):
                        self.print(role, owner, name)
        self.close()

    def print(self, role, owner, name):
        world = self.world
        foreign = world.companies['foreign'].id
        employee = self.theirs(owner, 'company.employee')
        context = {'company': world.companies['own'].id}
        if owner == 'foreign':
            context['company'] = foreign
        for model in [
                'sale.tracking', 'sale.call', 'sale.meeting',
                'sale.meeting.attendee']:
            ids = world.records[owner].get(model)
            if not ids:
                continue
            for data in [
                    {'model': model},
                    {'model': model, 'action_id': NO_ACTION},
                    {
                        'model': model, 'company': context['company'],
                        'operators': [employee] if employee else [],
                        'operator': employee,
                        'campaigns': [world.get(owner, 'sale.campaign')],
                        'campaign': world.get(owner, 'sale.campaign'),
                        'channels': [world.get(owner, 'sale.channel')],
                        'channel': world.get(owner, 'sale.channel'),
                        'from_date': dt.date.today() - dt.timedelta(days=9),
                        'to_date': dt.date.today() + dt.timedelta(days=9),
                        },
                    ]:
                data_context = {
                    k: v for k, v in data.items()
                    if k not in {'model', 'action_id'}}
                self.attempt(
                    role, 'report', 'report', name, 'execute', ids, data,
                    context={**context, **data_context})
                if data_context:
                    self.attempt(
                        role, 'report', 'report', name, 'execute', [], data,
                        context={**context, **data_context})

    def test_chat(self):
        "Test the chat on what is hidden"
        name = 'ir.chat.channel'
        for role in SEES:
            for owner in TRIES[role]:
                resource = 'sale.tracking,%s' % self.world.get(
                    owner, 'sale.tracking')
                for method, args in [
                        ('get', ()),
                        ('get_followers', ()),
                        ('search_followers', ('a',)),
                        ('post', ("Message",)),
                        ('subscribe', ()),
                        ('subscribe', ('operator',)),
                        ('unsubscribe', ()),
                        ('subscribe_email', ('thief@example.com',)),
                        ('unsubscribe_email', (
                                f'{owner}.chat@example.com',)),
                        ]:
                    with self.undone():
                        answer = self.dispatch(
                            role, 'model', name, method, resource, *args)
                        self.look(role, 'chat', f'{name}.{method}', answer)
                        if not isinstance(answer, Exception):
                            self.look_later(role, 'chat', f'{name}.{method}')
                            self.leak(
                                role, 'chat', f'{name}.{method}',
                                'is done', owner)
        self.close()

    def request(self, role, endpoint, query=None, context=None, **arguments):
        "Ask for the route and return the content or the error"
        builder = EnvironBuilder(query_string=query)
        request = Request(builder.get_environ())
        transaction = Transaction()
        user = self.world.users[role].id if role else 0
        with transaction.set_user(user), transaction.reset_context(), \
                transaction.set_context(
                    context, _check_access=bool(role)):
            try:
                # The test has the transaction
                response = inspect.unwrap(endpoint)(
                    request, Pool(), **arguments)
            except Exception as exception:
                return exception
            return response.get_data()

    def test_routes(self):
        "Test that no route answers what is hidden"
        endpoints = {
            rule.endpoint: rule.arguments - {'database_name'}
            for rule in app.url_map.iter_rules()}
        ours = {e for e in endpoints if e.__module__.startswith(MODULE)}
        self.assertEqual(
            {e.__name__ for e in ours}, {'meeting_answer', 'agenda_feed'})
        world = self.world
        for role, owner, name, Model in self.cases(FEW_TRIES):
            if not issubclass(Model, ModelStorage):
                continue
            id_ = world.get(owner, name)
            names, *_ = self.exportable(Model)
            for _, context in self.contexts(role, name):
                for domain in [[], [id_]]:
                    with self.undone():
                        self.look(
                            role, 'route', f'{name}.data', self.request(
                                role, routes.data, [
                                    *(('f', n) for n in names),
                                    ('d', self.dump(domain)),
                                    ('c', self.dump(context)),
                                    ], model=name))
            for n in names:
                with self.undone():
                    self.look(
                        role, 'route', f'{name}.html', self.request(
                            role, routes.html_editor, model=name, record=id_,
                            field=n))
        answer = self.request(
            'operator', routes.data, [('f', 'comment')],
            model='sale.tracking')
        self.assertRegex(answer.decode(), r'zq\d{5}x')
        # Who has no token is told nothing, also with what is stored of them
        tokens = {'', '0', 'None', '%'}
        for name, Model in self.models():
            if 'token_hash' in getattr(Model, '_fields', {}):
                for record in Model.search([]):
                    tokens |= {str(record.id), record.token_hash}
        for endpoint in ours:
            self.assertEqual(endpoints[endpoint], {'token'})
            for token in tokens:
                with self.undone():
                    self.look(
                        'nobody', 'route', endpoint.__name__, self.request(
                            None, endpoint, token=token))
        self.close()

    @classmethod
    def dump(cls, value):
        return json.dumps(value, cls=JSONEncoder)

    def test_preferences(self):
        "Test that nobody becomes another employee"
        world = self.world
        for role in SEES:
            for employee in world.employees.values():
                if employee == world.employees.get(role):
                    continue
                for values in [
                        {'employee': employee.id},
                        {
                            'employee': employee.id,
                            'company': employee.company.id,
                            },
                        {
                            'employee': employee.id,
                            'company': employee.company.id,
                            'company_filter': 'all',
                            },
                        {'company': world.companies['foreign'].id},
                        ]:
                    for context in [{}, {'employee': None, 'company': None}]:
                        with self.undone():
                            context = {
                                **self.preferences(role), **context}
                            keep = self._preferences[role]
                            self._preferences[role] = {}
                            self.dispatch(
                                role, 'model', 'res.user', 'set_preferences',
                                values, context={
                                    k: v for k, v in context.items() if v})
                            self.forget()
                            for name in ['sale.tracking', 'sale.call']:
                                answer = self.dispatch(
                                    role, 'model', name, 'search_read', [],
                                    0, None, None, ['comment'] if
                                    name == 'sale.tracking' else ['summary'])
                                self.look(
                                    role, 'preferences',
                                    'res.user.set_preferences', answer)
                            self._preferences[role] = keep
        self.forget()
        self.close()
