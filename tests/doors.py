# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import io
import re
import zipfile
from collections import Counter, defaultdict, namedtuple
from contextlib import contextmanager, nullcontext
from decimal import Decimal
from unittest.mock import patch

from stdnum.es.cups import calc_check_digits
from werkzeug.exceptions import HTTPException

from trytond.cache import Cache
from trytond.exceptions import TrytonException
from trytond.model import ModelSQL, fields
from trytond.modules.company.tests import create_company, create_employee
from trytond.modules.sale_opportunity_management.moment import now
from trytond.pool import Pool
from trytond.tests.test_tryton import CONTEXT, DB_NAME, USER
from trytond.tools import is_instance_method
from trytond.transaction import Transaction

MODULE = 'trytond.modules.sale_opportunity_management'

# Whose the records are that each role sees.  Nobody else sees them.
SEES = {
    'operator': {'own'},
    'manager': {'own', 'colleague'},
    'administrator': {
        'own', 'colleague', 'outside', 'moved', 'unassigned', 'left', 'free',
        'queued', 'taken', 'held'},
    'supervisor': {'free', 'queued', 'taken', 'held'},
    'member': {'held'},
    'nobody': set(),
    'employeeless': set(),
    'departed': set(),
    }
# Whose records each role tries to reach: one for each reason not to see them
TRIES = {
    'operator': ['colleague', 'free', 'moved', 'foreign'],
    'manager': ['outside', 'unassigned', 'foreign'],
    'administrator': ['foreign'],
    'supervisor': ['own', 'foreign'],
    'member': ['free', 'queued', 'taken', 'foreign'],
    'nobody': ['own', 'foreign'],
    'employeeless': ['own', 'foreign'],
    'departed': ['left', 'foreign'],
    }
# For the doors that take long: one of each role for one reason
FEW_TRIES = {
    'operator': ['colleague', 'foreign'],
    'manager': ['outside'],
    'administrator': ['foreign'],
    'supervisor': [],
    'member': ['queued'],
    'nobody': ['own'],
    'employeeless': ['own'],
    'departed': ['left'],
    }
GROUPS = {
    'operator': ['group_tracking', 'group_supply_point'],
    'manager': ['group_tracking_manager', 'group_supply_point'],
    'administrator': ['group_tracking_admin', 'group_supply_point'],
    'supervisor': ['group_tracking'],
    'member': ['group_tracking'],
    'nobody': [],
    'employeeless': ['group_tracking', 'group_supply_point'],
    'departed': ['group_tracking'],
    }
# The models that are the same for all who work in the company
SHARED = {
    'sale.channel', 'sale.channel-manager-company.employee',
    'sale.channel-member-company.employee', 'sale.business_unit',
    'sale.task.type', 'sale.campaign.typology', 'sale.campaign.result',
    'company.employee', 'sale.do_not_call', 'sale.claim.type',
    'sale.claim.cause', 'sale.claim.resolution',
    }
# The models that are the same for all with the group of supply points
SUPPLY = {'party.supply_point', 'party.supply_point.consumption'}
# Tryton shows the parties to everybody, but not whose customer they are
PARTY = {
    'party.party', 'party.address', 'party.contact_mechanism',
    'party.identifier', 'party.contact',
    }
# What the neighbours keep about our records
NEIGHBOURS = {
    'ir.note', 'ir.attachment', 'ir.chat.channel', 'ir.chat.follower',
    'ir.chat.message',
    }
# They hold nothing of a customer
UNMARKED = {
    'ir.cron', 'ir.rule', 'ir.session', 'res.user',
    'sale.configuration', 'sale.configuration.sequence',
    'sale.configuration.phone', 'sale.configuration.campaign',
    'sale.configuration.meeting', 'sale.configuration.report',
    'sale.configuration.planning', 'supply.tariff',
    'sale.configuration.claim',
    }
# What other fields are compared with or is used to compute
UNMARKED_FIELDS = {
    'color', 'create_uid', 'write_uid', 'id', 'sequence', 'duration',
    'release_delay', 'return_delay', 'audience', 'type', 'language',
    'timezone', 'identifier', 'file_id',
    }

Secret = namedtuple('Secret', 'owner model id field')
Leak = namedtuple('Leak', 'role door owner secret')
_SECRET = re.compile(r'zq\d{5}x|83\d{5}(?!\d)')


def is_ours(cls):
    "Return if the module has a part in the class of the pool"
    return any(
        '__name__' in vars(c) and c.__module__.startswith(MODULE)
        for c in cls.__mro__)


def is_stored(Model):
    return (
        issubclass(Model, ModelSQL)
        and not callable(getattr(Model, 'table_query', None)))


def flatten(value):
    "Return the texts and numbers of the answer"
    if isinstance(value, dict):
        for key, value in value.items():
            yield from flatten(key)
            yield from flatten(value)
    elif isinstance(value, (bytes, bytearray)):
        try:
            with zipfile.ZipFile(io.BytesIO(value)) as archive:
                for name in archive.namelist():
                    if name.endswith('.xml') or '.' not in name:
                        yield archive.read(name).decode(errors='replace')
        except zipfile.BadZipFile:
            yield bytes(value).decode(errors='replace')
    elif isinstance(value, dt.timedelta):
        yield str(int(value.total_seconds()))
    elif isinstance(value, (Decimal, int, float, str)):
        yield str(value)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from flatten(item)
    elif isinstance(value, BaseException):
        yield str(value)
        yield from flatten(value.args)
    elif value is not None:
        try:
            iterator = iter(value)
        except TypeError:
            yield str(value)
        else:
            yield from flatten(list(iterator))


class World:
    """Two companies with the records of every owner, all marked

    records are the ids by owner and model, secrets what each mark tells."""

    def __init__(self, mixin):
        self.mixin = mixin
        self.secrets = {}
        self.records = defaultdict(lambda: defaultdict(list))
        self.users = {}
        self.employees = {}
        self.companies = {}
        self._create()

    def add(self, owner, *records):
        for record in records:
            ids = self.records[owner][record.__name__]
            if record.id not in ids:
                ids.append(record.id)
        return records[0] if records else None

    def get(self, owner, model):
        "Return an id of the owner, else of whom owns what is shared"
        ids = self.records[owner].get(model)
        return ids[0] if ids else None

    def models(self, owner):
        return list(self.records[owner])

    def _create(self):
        pool = Pool()
        Date = pool.get('ir.date')
        Employee = pool.get('company.employee')
        User = pool.get('res.user')
        create_user = self.mixin.create_user
        company = create_company()
        other = create_company("Other", currency=company.currency)
        self.companies = {'own': company, 'foreign': other}
        for name in [
                'operator', 'manager', 'administrator', 'supervisor',
                'member', 'nobody', 'departed', 'colleague', 'outside',
                'taker']:
            self.employees[name] = create_employee(company, name)
        foreigner = create_employee(other, 'foreigner')
        self.employees['foreigner'] = foreigner
        for role, groups in GROUPS.items():
            employee = self.employees.get(role)
            if employee:
                self.users[role] = create_user(employee, *groups)
        user, = User.copy([self.users['operator']], default={
                'name': 'employeeless',
                'login': 'employeeless',
                'employees': None,
                'employee': None,
                })
        self.users['employeeless'] = user
        self.users['foreigner'] = create_user(
            foreigner, 'group_tracking_admin')
        self.users['outside'] = create_user(
            self.employees['outside'], 'group_tracking')
        departed = self.employees['departed']
        # They left after they were given their customers
        with Transaction().set_context(_skip_warnings=True):
            self._create_records()
            table = Employee.__table__()
            self._execute(table.update(
                    [table.end_date], [Date.today() - dt.timedelta(days=1)],
                    where=table.id == departed.id))
        self._fill()
        self._mark()
        self._age()
        Transaction().cache.clear()
        Cache.clear_all()

    def _execute(self, query):
        cursor = Transaction().connection.cursor()
        cursor.execute(*query)
        return cursor

    def _create_records(self):
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Campaign = pool.get('sale.campaign')
        Channel = pool.get('sale.channel')
        Result = pool.get('sale.campaign.result')
        Typology = pool.get('sale.campaign.typology')
        company, other = self.companies.values()
        employees = self.employees
        foreigner = employees['foreigner']
        self.add('foreign', foreigner)
        north, south, abroad = Channel.create([{
                    'name': "North",
                    'company': company.id,
                    'managers': [('add', [employees['manager'].id])],
                    'members': [('add', [
                                employees['operator'].id,
                                employees['colleague'].id])],
                    }, {
                    'name': "South",
                    'company': company.id,
                    'members': [('add', [employees['outside'].id])],
                    }, {
                    'name': "Abroad",
                    'company': other.id,
                    'managers': [('add', [foreigner.id])],
                    'members': [('add', [foreigner.id])],
                    }])
        self.add('foreign', abroad)
        self.unit, = BusinessUnit.create([{'name': "Unit"}])
        typologies = Typology.create([{
                    'name': "Typology",
                    'company': c.id,
                    'results': [('create', [{
                                    'name': "Sold", 'finishes': True,
                                    'interest': '3',
                                    }, {
                                    'name': "Later", 'interest': '0',
                                    }])],
                    } for c in self.companies.values()])
        self.result = Result.search([
                ('typology', '=', typologies[0].id),
                ('finishes', '=', True)])[0]
        self.add('foreign', typologies[1])
        self.add('foreign', *typologies[1].results)
        campaign, secret, abroad_campaign = Campaign.create([{
                    'name': "Campaign",
                    'typology': typologies[0].id,
                    'business_unit': self.unit.id,
                    'company': company.id,
                    'supervisor': employees['supervisor'].id,
                    # What is held is held as long as the tests take
                    'release_delay': dt.timedelta(days=1),
                    'operators': [('add', [
                                employees['member'].id,
                                employees['taker'].id])],
                    }, {
                    'name': "Secret",
                    'typology': typologies[0].id,
                    'business_unit': self.unit.id,
                    'company': company.id,
                    'operators': [('add', [employees['outside'].id])],
                    }, {
                    'name': "Abroad",
                    'typology': typologies[1].id,
                    'business_unit': self.unit.id,
                    'company': other.id,
                    'supervisor': foreigner.id,
                    'operators': [('add', [foreigner.id])],
                    }])
        Campaign.run([campaign, secret, abroad_campaign])
        self.campaign = campaign
        self.add('foreign', abroad_campaign)
        self.add('outside', secret)
        self.claim_types = self._create_classification('sale.claim.type')
        self.claim_causes = self._create_classification('sale.claim.cause')
        self._create_classification('sale.claim.resolution')
        for owner, channel, operator, campaign_, values in [
                ('own', north, 'operator', None, {}),
                ('colleague', north, 'colleague', None, {}),
                ('outside', south, 'outside', secret, {}),
                ('moved', None, 'outside', None, {}),
                ('unassigned', None, None, None, {}),
                ('left', None, 'departed', None, {}),
                ('free', None, None, campaign, {'priority': '4'}),
                ('queued', None, None, campaign, {'priority': '1'}),
                ('taken', None, 'taker', campaign, {'taken_by': 'taker'}),
                ('held', None, 'member', campaign, {'taken_by': 'member'}),
                ('foreign', abroad, 'foreigner', abroad_campaign, {}),
                ]:
            self._create_owner(
                owner, channel, employees.get(operator), campaign_, values)

    def _create_classification(self, name):
        pool = Pool()
        records = pool.get(name).create([{
                    'name': "Classification", 'company': c.id,
                    } for c in self.companies.values()])
        self.add('foreign', records[1])
        return dict(zip(self.companies, records))

    def _create_claims(self, owner, tracking, responsible):
        pool = Pool()
        ChatChannel = pool.get('ir.chat.channel')
        Claim = pool.get('sale.claim')
        Message = pool.get('ir.chat.message')
        where = 'foreign' if owner == 'foreign' else 'own'
        values = [{
                'party': tracking.party.id,
                'company': tracking.company.id,
                'tracking': tracking.id,
                'responsible': responsible.id,
                'type': self.claim_types[where].id,
                'subject': "Claim",
                'reference': "Reference",
                'description': "Claim",
                'analysis': "Claim",
                'resolution': "Claim",
                'amount': 1,
                'causes': [('add', [self.claim_causes[where].id])],
                'origins': [('create', [{'origin': str(tracking)}])],
                'events': [('create', [{'text': "Claim"}])],
                }]
        if owner == 'outside':
            # Nobody but the administrators works those of suppliers
            values.append({
                    **values[0],
                    'kind': 'supplier',
                    'tracking': None,
                    'responsible': self.employees['operator'].id,
                    })
        claims = Claim.create(values)
        Claim.open(claims[:1])
        for claim in claims:
            self.add(owner, claim, *claim.origins, *claim.events)
        chat, = ChatChannel.create([{'resource': str(claims[0])}])
        self.add(owner, chat, *Message.create([{
                        'channel': chat.id,
                        'user': self.users['administrator'].id,
                        'content': "Message",
                        }]))

    def _create_owner(self, owner, channel, operator, campaign, values):
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Attendee = pool.get('sale.meeting.attendee')
        Call = pool.get('sale.call')
        ChatChannel = pool.get('ir.chat.channel')
        Duplicate = pool.get('party.duplicate')
        Follower = pool.get('ir.chat.follower')
        Meeting = pool.get('sale.meeting')
        Message = pool.get('ir.chat.message')
        Note = pool.get('ir.note')
        Opportunity = pool.get('sale.opportunity')
        Party = pool.get('party.party')
        Sale = pool.get('sale.sale')
        SupplyPoint = pool.get('party.supply_point')
        Task = pool.get('sale.task')
        Tracking = pool.get('sale.tracking')
        company = self.companies['foreign' if owner == 'foreign' else 'own']
        number = len(self.records)
        party, = Party.create([{
                    'name': owner,
                    'addresses': [('create', [{'city': "City"}])],
                    'contact_mechanisms': [('create', [
                                {'type': 'phone',
                                    'value': f'+57 310 555 {number:04}'},
                                {'type': 'email',
                                    'value': f'{owner}@example.com'},
                                ])],
                    'contacts': [('create', [{
                                    'name': "Contact"}])],
                    }])
        self.add(owner, party)
        self.add(owner, *party.addresses)
        self.add(owner, *party.contact_mechanisms)
        self.add(owner, *party.contacts)
        taken_by = self.employees.get(values.get('taken_by'))
        with Transaction().set_context(company=company.id):
            opportunity, = Opportunity.create([{
                        'party': party.id, 'company': company.id,
                        }])
            sale, = Sale.create([{
                        'party': party.id, 'company': company.id,
                        'currency': company.currency.id,
                        }])
            if owner == 'foreign':
                self.add(owner, opportunity, sale)
                self.add(owner, *Duplicate.create([{
                                'party': self.get('own', 'party.party'),
                                'other': party.id,
                                'company': company.id,
                                'score': 50,
                                }]))
            cups = f'ES0031{party.id:012}'
            point, = SupplyPoint.create([{
                        'party': party.id,
                        'company': company.id,
                        'cups': cups + calc_check_digits(cups),
                        'consumptions': [('create', [{
                                        'start': dt.date(2025, 1, 1),
                                        'end': dt.date(2025, 4, 1),
                                        'energy_p1': 100,
                                        }])],
                        }])
            self.add(owner, point)
            self.add(owner, *point.consumptions)
            tracking, = Tracking.create([{
                        'party': party.id,
                        'company': company.id,
                        'business_unit': self.unit.id,
                        'channel': channel.id if channel else None,
                        'operator': operator.id if operator else None,
                        'campaign': campaign.id if campaign else None,
                        'priority': values.get('priority', '2'),
                        'opportunity': opportunity.id,
                        'supply_point': point.id,
                        'comment': "Comment",
                        }])
            if taken_by:
                table = Tracking.__table__()
                self._execute(table.update(
                        [table.taken_by, table.taken_date],
                        [taken_by.id, now()], where=table.id == tracking.id))
            self.add(owner, tracking)
            tomorrow = now() + dt.timedelta(days=1)
            done_by = (
                operator or self.employees[
                    'foreigner' if owner == 'foreign' else 'administrator'])
            calls = Call.create([{
                        'tracking': tracking.id,
                        'planned_date': tomorrow,
                        'summary': "Call",
                        'description': "Call",
                        }, {
                        'tracking': tracking.id,
                        'state': 'done',
                        'interest': '2',
                        'done_by': done_by.id,
                        'done_date': now() - dt.timedelta(hours=1),
                        'summary': "Call",
                        'description': "Call",
                        'phone_number': f'+57 310 556 {number:04}',
                        }])
            tasks = Task.create([{
                        'tracking': tracking.id,
                        'planned_date': tomorrow,
                        'summary': "Task",
                        'description': "Task",
                        }])
            meetings = Meeting.create([{
                        'tracking': tracking.id,
                        'planned_date': tomorrow,
                        'summary': "Meeting",
                        'place': "Place",
                        'agenda': "Agenda",
                        'assignee': done_by.id,
                        'attendees': [('create', [{
                                        'party': party.id,
                                        'email': f'{owner}@example.com',
                                        }])],
                        }])
            self._create_claims(owner, tracking, done_by)
            self.add(owner, *calls)
            self.add(owner, *tasks)
            self.add(owner, *meetings)
            self.add(owner, *Attendee.search([
                        ('meeting', 'in', [m.id for m in meetings])]))
            chat, = ChatChannel.create([{'resource': str(tracking)}])
            self.add(owner, chat)
            self.add(owner, *Message.create([{
                            'channel': chat.id,
                            'user': self.users['administrator'].id,
                            'content': "Message",
                            }]))
            self.add(owner, *Follower.create([{
                            'channel': chat.id,
                            'email': f'{owner}.chat@example.com',
                            }]))
            self.add(owner, *Note.create([{
                            'resource': str(tracking), 'message': "Note",
                            }]))
            self.add(owner, *Attachment.create([{
                            'resource': str(tracking), 'name': owner,
                            'type': 'data', 'data': b'Data',
                            'description': "Description",
                            }]))

    def _fill(self):
        "Insert a record of each model that has none"
        pool = Pool()
        pending = {
            name: Model for name, Model in pool.iterobject(type='model')
            if is_ours(Model) and is_stored(Model)
            and name not in UNMARKED | PARTY}
        of_customer = {
            'sale.tracking', 'sale.call', 'sale.task', 'sale.meeting',
            'sale.meeting.attendee'}
        for owner in ['foreign', 'outside']:
            left = {
                n: m for n, m in pending.items()
                if n not in self.records[owner]}
            while left:
                before = len(left)
                for name, Model in list(left.items()):
                    relations = {
                        f.model_name
                        for f in Model._fields.values()
                        if isinstance(f, fields.Many2One)
                        and f.model_name != name}
                    if owner != 'foreign' and not relations & of_customer:
                        del left[name]
                    elif not any(r in left for r in relations):
                        self._insert(owner, Model)
                        del left[name]
                if len(left) == before:
                    # They point at each other
                    name = sorted(left)[0]
                    self._insert(owner, left.pop(name))
        # For who has none of its own
        self.default_targets = {}

    def _insert(self, owner, Model):
        company = self.companies['foreign' if owner == 'foreign' else 'own']
        employee = self.employees[
            'foreigner' if owner == 'foreign' else owner]
        values = {'create_uid': 1, 'create_date': dt.datetime.now()}
        for name, field in Model._fields.items():
            if (isinstance(field, fields.Function) or not field.sql_type()
                    or name == 'id' or name in values
                    or name in {'write_date', 'write_uid'}):
                continue
            if isinstance(field, fields.Many2One):
                target = field.model_name
                if target == 'company.company':
                    value = company.id
                elif target == 'company.employee':
                    value = employee.id
                elif target == 'res.user':
                    value = self.users[
                        'foreigner' if owner == 'foreign' else owner].id
                elif target == 'sale.business_unit':
                    value = self.unit.id
                else:
                    value = self.get(owner, target)
            elif isinstance(field, fields.Reference):
                value = 'sale.tracking,%s' % self.get(owner, 'sale.tracking')
            elif isinstance(field, fields.MultiSelection):
                value = None
            elif isinstance(field, fields.Selection):
                value = None
                if isinstance(field.selection, (list, tuple)):
                    value = next(
                        (k for k, _ in field.selection if k), None)
            elif isinstance(field, fields.Boolean):
                value = name == 'active'
            elif isinstance(field, fields.DateTime):
                value = now()
            elif isinstance(field, fields.Date):
                value = now().date()
            elif isinstance(field, fields.Char):
                value = name + owner
            elif isinstance(field, (fields.Integer, fields.Float)):
                value = 1
            else:
                value = None
            values[name] = field.sql_format(value)
        table = Model.__table__()
        self._execute(table.insert(
                [getattr(table, n) for n in values], [list(values.values())]))
        cursor = self._execute(table.select(
                table.id, order_by=[table.id.desc], limit=1))
        self.records[owner][Model.__name__].append(cursor.fetchone()[0])

    def _secret(self, secret, is_number=False):
        number = len(self.secrets)
        mark = str(8300000 + number) if is_number else f'zq{number:05}x'
        self.secrets[mark] = secret
        return mark

    def _mark(self):
        "Give each text and number of the records a mark of its own"
        pool = Pool()
        for owner, models in self.records.items():
            for name, ids in models.items():
                Model = pool.get(name)
                for id_ in ids:
                    self._mark_record(owner, Model, id_)

    def _mark_record(self, owner, Model, id_):
        values = {}
        for name, field in Model._fields.items():
            if (isinstance(field, (fields.Function, fields.MultiSelection))
                    or not field.sql_type() or name in UNMARKED_FIELDS
                    or getattr(field, 'translate', False)
                    and Model.__name__ not in self.records[owner]):
                continue
            secret = Secret(owner, Model.__name__, id_, name)
            # The columns that are looked for with an operator of their own
            if isinstance(field, fields.Selection):
                continue
            if isinstance(field, fields.Char):
                if name in {'value_compact', 'phone_compact', 'code_alnum',
                        'code_digit', 'link'}:
                    continue
                is_number = 'phone' in name or (
                    name == 'value')
                mark = self._secret(secret, is_number)
                if is_number:
                    mark = f'+57 310 {mark}'
                elif name == 'email':
                    mark = f'{mark}@example.com'
                values[name] = mark
            elif isinstance(field, fields.Binary):
                values[name] = self._secret(secret).encode()
            elif isinstance(field, fields.TimeDelta):
                continue
            elif isinstance(field, (fields.Integer, fields.Numeric)):
                if name.endswith('sequence'):
                    continue
                values[name] = int(self._secret(secret, True))
        if not values:
            return
        tables = [Model.__table__()]
        if getattr(Model, '_history', False):
            tables.append(Model.__table_history__())
        for table in tables:
            self._execute(table.update(
                    [getattr(table, n) for n in values],
                    [Model._fields[n].sql_format(v)
                        for n, v in values.items()],
                    where=table.id == id_))

    def _age(self):
        "Make the customer who was moved one of the operator three days ago"
        pool = Pool()
        then = dt.datetime.now() - dt.timedelta(days=3)
        later = dt.datetime.now() - dt.timedelta(days=1)
        for owner, models in self.records.items():
            for name, ids in models.items():
                Model = pool.get(name)
                tables = [Model.__table__()]
                if getattr(Model, '_history', False):
                    tables.append(Model.__table_history__())
                for table in tables:
                    self._execute(table.update(
                            [table.create_date, table.write_date],
                            [then, None],
                            where=table.id.in_(ids)))
        Tracking = pool.get('sale.tracking')
        history = Tracking.__table_history__()
        names = [
            n for n, f in Tracking._fields.items()
            if not isinstance(f, fields.Function) and f.sql_type()]
        moved = self.get('moved', 'sale.tracking')
        row = self._execute(history.select(
                *(getattr(history, n) for n in names),
                where=history.id == moved, limit=1)).fetchone()
        row = dict(zip(names, row))
        self._execute(history.update(
                [history.operator], [self.employees['operator'].id],
                where=history.id == moved))
        row['write_date'] = later
        self._execute(history.insert(
                [getattr(history, n) for n in names],
                [[row[n] for n in names]]))


class DoorsMixin:
    "Call what a client can call and look for the marks in what comes back"
    # What may be told although it is of a record that is not seen
    allowed = []

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        transaction = Transaction().start(DB_NAME, USER, context=CONTEXT)
        transaction.__enter__()

        def stop():
            Cache.drop(DB_NAME)
            transaction.rollback()
            transaction.__exit__(None, None, None)
            Cache.drop(DB_NAME)

        cls.addClassCleanup(stop)
        # It would end the transaction of the test on SQLite
        new_transaction = patch.object(
            Transaction, 'new_transaction',
            lambda self, *args, **kwargs: nullcontext(self))
        new_transaction.start()
        cls.addClassCleanup(new_transaction.stop)
        cls.tries = Counter()
        cls.found = Counter()
        cls._preferences = {}
        cls._touched = []
        cls._baseline = {}
        cls._visible = {}
        cls.world = World(cls())
        transaction.connection.set_trace_callback(cls._touched.append)
        cls.addClassCleanup(transaction.connection.set_trace_callback, None)
        cls().prepare()

    def setUp(self):
        super().setUp()
        self.leaks = defaultdict(set)

    def preferences(self, role):
        pool = Pool()
        User = pool.get('res.user')
        user = self.world.users[role]
        if role not in self._preferences:
            with Transaction().set_user(user.id):
                self._preferences[role] = dict(
                    User.get_preferences(context_only=True))
        return self._preferences[role].copy()

    def runTest(self):
        pass

    @contextmanager
    def undone(self):
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        cursor.execute('SAVEPOINT doors')
        self._touched.clear()
        try:
            yield
        finally:
            cursor.execute('ROLLBACK TO SAVEPOINT doors')
            cursor.execute('RELEASE SAVEPOINT doors')
            for cache in transaction.cache.values():
                cache.clear()
            transaction.log_records.clear()
            transaction.user_notifications.clear()
            transaction.tasks.clear()
            transaction.check_warnings.clear()

    def dispatch(self, role, type, name, method, *args, context=None):
        """Call the method as the dispatcher does

        Return the answer or the error."""
        pool = Pool()
        obj = pool.get(name, type=type)
        rpc = obj.__rpc__[method]
        transaction = Transaction()
        user = self.world.users[role]
        full = {**self.preferences(role), **(context or {})}
        readonly = transaction.readonly
        with transaction.set_user(user.id), transaction.reset_context():
            try:
                args, kwargs, context, timestamp = rpc.convert(
                    obj, *args, full)
                with transaction.set_context(context):
                    transaction.readonly = rpc.readonly
                    meth = rpc.decorate(getattr(obj, method))
                    if (rpc.instantiate is None
                            or not is_instance_method(obj, method)):
                        return rpc.result(meth(*args, **kwargs))
                    inst = args.pop(0)
                    if hasattr(inst, method):
                        return rpc.result(meth(inst, *args, **kwargs))
                    return [
                        rpc.result(meth(i, *args, **kwargs)) for i in inst]
            except TrytonException as exception:
                return exception
            except HTTPException as exception:
                return exception
            except Exception as exception:
                return exception
            finally:
                transaction.readonly = readonly

    def attempt(
            self, role, door, type, name, method, *args, context=None,
            told=(), later=True):
        """Try to call the method and look what comes of it

        told are the owners whose party the caller names."""
        with self.undone():
            answer = self.dispatch(
                role, type, name, method, *args, context=context)
            self.look(role, door, f'{name}.{method}', answer, told)
            # What fails is rolled back
            if later and not isinstance(answer, Exception):
                self.look_later(role, door, f'{name}.{method}', told)
            return answer

    def look(self, role, door, call, answer, told=()):
        "Look for the marks in the answer"
        type(self).tries[role, door] += 1
        self.forget()
        marks = set()
        for text in flatten(answer):
            marks.update(_SECRET.findall(text))
        for mark in marks:
            secret = self.world.secrets.get(mark)
            if not secret or not self.is_hidden(role, secret, call, told):
                continue
            self.leak(role, door, call, f'tells {secret.model}', secret.owner)

    def leak(self, role, door, call, what, owner):
        type(self).found[role, door] += 1
        self.leaks[f'{door}: {call} {what}'].add(f'{role}/{owner}')

    def is_hidden(self, role, secret, call, told):
        if secret.owner in SEES[role]:
            return False
        if secret.model in PARTY and (
                secret.owner in told or call.startswith('party.')):
            return False
        return not any(
            test(role, secret, call) for test, _ in self.allowed)

    def forget(self):
        "Forget what was found out before the roll-back"
        for name, cache in Cache._instances.items():
            if name.split('.')[-1] in {
                    'get_companies', 'get_employees', 'get_groups',
                    'get_supervised', 'get_managed', 'get_managed_team'}:
                cache.clear()

    def touched(self):
        "Return the tables that the call wrote"
        tables = set()
        for statement in self._touched:
            if match := re.match(
                    r'(?:INSERT (?:OR \w+ )?INTO|UPDATE|DELETE FROM) '
                    r'"(\w+)"', statement):
                tables.add(match.group(1))
        return tables

    def look_later(self, role, door, call, told=()):
        "Look for what changed and what can be read now"
        pool = Pool()
        touched = self.touched()
        if not touched:
            return
        self.forget()
        for name in self.stored():
            Model = pool.get(name)
            if Model._table not in touched:
                continue
            for owner, id_ in self.changed(name):
                secret = Secret(owner, name, id_, None)
                if self.is_hidden(role, secret, call + '!', told):
                    self.leak(role, door, call, f'changes {name}', owner)
            # What is new to the user
            ids = self.search(role, name)
            new = set(ids) - self._visible[role, name]
            if new:
                answer = self.dispatch(
                    role, 'model', name, 'read', list(new),
                    self.readable(Model))
                for text in flatten(answer):
                    for mark in _SECRET.findall(text):
                        secret = self.world.secrets.get(mark)
                        if secret and self.is_hidden(
                                role, secret, call, told):
                            self.leak(
                                role, door, call,
                                f'lets {name} tell {secret.model}',
                                secret.owner)

    def stored(self):
        if not hasattr(self, '_stored'):
            self._stored = sorted({
                    n for o in self.world.records.values() for n in o})
        return self._stored

    def search(self, role, name):
        pool = Pool()
        if 'search' not in pool.get(name).__rpc__:
            return []
        answer = self.dispatch(
            role, 'model', name, 'search', [], 0, None, [('id', 'ASC')],
            context={'active_test': False})
        return answer if isinstance(answer, list) else []

    def prepare(self):
        "Read what there is before the first call"
        for role in SEES:
            for name in self.stored():
                self._visible[role, name] = set(self.search(role, name))
        for name in self.stored():
            self._baseline[name] = self.rows(name)
        self.forget()

    def rows(self, name):
        pool = Pool()
        Model = pool.get(name)
        table = Model.__table__()
        cursor = Transaction().connection.cursor()
        owners = {
            id_: owner for owner, models in self.world.records.items()
            for id_ in models.get(name, [])}
        names = [
            n for n, f in Model._fields.items()
            if not isinstance(f, fields.Function) and f.sql_type()
            and n != 'id']
        cursor.execute(*table.select(
                table.id, *(getattr(table, n) for n in names),
                where=table.id.in_(list(owners))))
        return {id_: (owners[id_], row) for id_, *row in cursor}

    def changed(self, name):
        rows = self.rows(name)
        for id_, (owner, row) in self._baseline[name].items():
            if id_ not in rows or rows[id_][1] != row:
                yield owner, id_

    def readable(self, Model):
        "Return the names of all that can be read of the model"
        names = []
        for name, field in Model._fields.items():
            if field._type in {'one2many', 'many2many', 'binary'}:
                if field._type != 'binary':
                    names.append(name)
                continue
            names.append(name)
            if field._type in {'many2one', 'reference'}:
                names.append(f'{name}.rec_name')
        return names

    def close(self):
        "Fail with the doors that were open"
        lines = [
            f'{door}: {len(roles)}: {", ".join(sorted(roles)[:8])}'
            for door, roles in sorted(self.leaks.items())]
        self.assertFalse(lines, msg='\n' + '\n'.join(lines))
