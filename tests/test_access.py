# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest
from contextlib import contextmanager

from trytond.exceptions import UserError
from trytond.model.exceptions import AccessError
from trytond.modules.company.tests import create_company, create_employee
from trytond.modules.sale_opportunity_management.channel import has_role
from trytond.modules.sale_opportunity_management.moment import now
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder, PYSONEncoder
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction, without_check_access

from .common import TrackingTestMixin

READ, WRITE, CREATE, DELETE = 'read', 'write', 'create', 'delete'
ALL = {READ, WRITE, CREATE, DELETE}
WORK = {READ, WRITE, CREATE}

# What each role may do with the records of ... The trackings, calls and tasks
# of each owner are described in AccessTestCase.setup_records
TABLE = {
    'operator': {
        'own': WORK,
        'colleague': set(),
        'unassigned': set(),
        'outside': set(),
        'foreign': set(),
        'config': {READ},
        },
    'manager': {
        'own': WORK,
        'colleague': WORK,
        'unassigned': WORK,
        'outside': set(),
        'foreign': set(),
        'config': {READ},
        },
    'administrator': {
        'own': ALL,
        'colleague': ALL,
        'unassigned': ALL,
        'outside': ALL,
        'foreign': set(),
        'config': ALL,
        },
    'nobody': {
        'own': set(),
        'colleague': set(),
        'unassigned': set(),
        'outside': set(),
        'foreign': set(),
        'config': set(),
        },
    }
GROUPS = {
    'operator': ['group_tracking'],
    'manager': ['group_tracking_manager'],
    'administrator': ['group_tracking_admin'],
    'nobody': [],
    }


class AccessTestCase(TrackingTestMixin, unittest.TestCase):
    "Test the rights of each role on each model"

    def setup_records(self):
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Channel = pool.get('sale.channel')
        company = create_company()
        other = create_company("Other", currency=company.currency)
        employees = {
            name: create_employee(company, name)
            for name in [
                'operator', 'manager', 'administrator', 'nobody',
                'colleague', 'outside']}
        foreigner = create_employee(other, 'foreigner')
        channel = self.create_channel(
            company, employees['manager'],
            employees['operator'], employees['colleague'])
        other_channel, = Channel.create([{
                    'name': "Foreign",
                    'company': other.id,
                    }])
        unit, = BusinessUnit.search([], limit=1)
        users = {
            name: self.create_user(employees[name], *GROUPS[name])
            for name in TABLE}
        owners = {
            'own': (company, channel, None),
            'colleague': (company, channel, employees['colleague']),
            'unassigned': (company, channel, None),
            'outside': (company, None, employees['outside']),
            'foreign': (other, other_channel, foreigner),
            }
        return company, employees, users, owners, unit

    def create_config(self, company):
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Channel = pool.get('sale.channel')
        TaskType = pool.get('sale.task.type')
        Typology = pool.get('sale.campaign.typology')
        values = {'name': "Config", 'company': company.id}
        return (
            Channel.create([values]) + BusinessUnit.create([values])
            + TaskType.create([values]) + Typology.create([values]))

    def create_records(self, owner, company, channel, operator, unit):
        pool = Pool()
        Call = pool.get('sale.call')
        Meeting = pool.get('sale.meeting')
        Party = pool.get('party.party')
        Task = pool.get('sale.task')
        Tracking = pool.get('sale.tracking')
        party, = Party.create([{'name': f"Customer of {owner}"}])
        tomorrow = now() + dt.timedelta(days=1)
        # The trackings are similar and the meetings at the same time
        with Transaction().set_context(_skip_warnings=True):
            tracking, empty = Tracking.create([{
                        'company': company.id,
                        'party': party.id,
                        'business_unit': unit.id,
                        'channel': channel.id if channel else None,
                        'operator': operator.id if operator else None,
                        }] * 2)
            call, = Call.create([{
                        'tracking': tracking.id,
                        'planned_date': tomorrow,
                        }])
            task, = Task.create([{
                        'tracking': tracking.id,
                        'planned_date': tomorrow,
                        'summary': "Task",
                        }])
            meeting, = Meeting.create([{
                        'tracking': tracking.id,
                        'planned_date': tomorrow,
                        'summary': "Meeting",
                        'assignee': (operator or create_employee(company)).id,
                        }])
        return {
            'sale.tracking': (empty, {'comment': "Comment"}),
            'sale.call': (call, {'summary': "Summary"}),
            'sale.task': (task, {'summary': "Summary"}),
            'sale.meeting': (meeting, {'summary': "Summary"}),
            }

    @contextmanager
    def as_user(self, user):
        with super().as_user(user), \
                Transaction().set_context(_skip_warnings=True):
            yield

    def assertOperations(self, allowed, record, values):
        Model = record.__class__

        def read():
            Model.read([record.id], ['id'])
            if not Model.search([('id', '=', record.id)]):
                raise AccessError("not found")

        def write():
            Model.write([Model(record.id)], values)

        def create():
            Model.copy([Model(record.id)])

        def delete():
            Model.delete([Model(record.id)])

        for operation in [read, write, create, delete]:
            name = operation.__name__
            with self.subTest(operation=name):
                if name in allowed:
                    operation()
                else:
                    with self.assertRaises(AccessError):
                        operation()

    @with_transaction()
    def test_table(self):
        "Test every role, model and operation"
        company, employees, users, owners, unit = self.setup_records()
        foreign, *_ = owners['foreign']
        for role, rights in TABLE.items():
            for owner, (o_company, channel, operator) in owners.items():
                if owner == 'own':
                    operator = employees[role]
                    if role not in {'operator', 'manager'}:
                        channel = None
                records = self.create_records(
                    owner, o_company, channel, operator, unit)
                for model, (record, values) in records.items():
                    with self.subTest(role=role, owner=owner, model=model), \
                            self.as_user(users[role]):
                        self.assertOperations(rights[owner], record, values)
            for owner, o_company in [
                    ('config', company), ('foreign', foreign)]:
                for record in self.create_config(o_company):
                    with self.subTest(
                                role=role, owner=owner,
                                model=record.__name__), \
                            self.as_user(users[role]):
                        self.assertOperations(
                            rights[owner], record, {'name': "Name"})

    @with_transaction()
    def test_agenda(self):
        "Test who sees what is planned without tracking"
        pool = Pool()
        Activity = pool.get('sale.activity')
        Call = pool.get('sale.call')
        company, employees, users, owners, unit = self.setup_records()
        foreigner_company, _, foreigner = owners['foreign']
        for assignee in [*employees.values(), foreigner]:
            Call.create([{
                        'company': assignee.company.id,
                        'summary': assignee.rec_name,
                        'planned_date': now() + dt.timedelta(days=1),
                        'assignee': assignee.id,
                        }])
        for role, names in [
                ('operator', {'operator'}),
                ('manager', {'operator', 'manager', 'colleague'}),
                ('administrator', set(employees)),
                ]:
            for Model in [Call, Activity]:
                with self.subTest(role=role, model=Model.__name__), \
                        self.as_user(users[role]):
                    self.assertEqual(
                        {a.summary for a in Model.search([])}, names)

    def create_owned(self, owner, company, employees, owners, unit):
        "Return the tracking and the task of the owner"
        _, channel, operator = owners[owner]
        records = self.create_records(
            owner, company, channel, operator or employees['operator'], unit)
        tracking, _ = records['sale.tracking']
        task, _ = records['sale.task']
        return tracking, task

    @with_transaction()
    def test_task(self):
        "Test who sees a task that is not of an own tracking"
        pool = Pool()
        Task = pool.get('sale.task')
        company, employees, users, owners, unit = self.setup_records()
        own, colleague, outside = (
            self.create_owned(o, company, employees, owners, unit)[0].id
            for o in ['own', 'colleague', 'outside'])
        operator = employees['operator'].id
        for values, roles in [
                ({}, set()),
                ({'tracking': outside}, set()),
                ({'assignee': operator}, {'operator', 'manager'}),
                ({'assignee': employees['colleague'].id}, {'manager'}),
                ({'assignee': operator, 'tracking': outside},
                    {'operator', 'manager'}),
                ({'registered_by': operator}, {'operator'}),
                ({'registered_by': operator, 'tracking': outside},
                    {'operator'}),
                ({'tracking': own}, {'operator', 'manager'}),
                ({'linked_trackings': [('add', [own])]},
                    {'operator', 'manager'}),
                ({'linked_trackings': [('add', [colleague])]}, {'manager'}),
                ({'linked_trackings': [('add', [outside])]}, set()),
                ]:
            task, = Task.create([{
                        'company': company.id,
                        'summary': "Task",
                        'assignee': employees['outside'].id,
                        **values,
                        }])
            for role in TABLE:
                with self.subTest(role=role, values=values), \
                        self.as_user(users[role]):
                    if role in roles | {'administrator'}:
                        self.assertEqual(
                            Task.search([('id', '=', task.id)]), [task])
                        Task.read([task.id], ['status', 'tracking.rec_name'])
                        Task.write([Task(task.id)], {'priority': 'high'})
                    else:
                        with self.assertRaises(AccessError):
                            Task.write([Task(task.id)], {'priority': 'high'})

    @with_transaction()
    def test_tracking_name(self):
        "Test that the agenda tells only the name of a tracking of others"
        pool = Pool()
        Call = pool.get('sale.call')
        Tracking = pool.get('sale.tracking')
        company, employees, users, owners, unit = self.setup_records()
        tracking, _ = self.create_owned(
            'outside', company, employees, owners, unit)
        other, _ = self.create_owned(
            'outside', company, employees, owners, unit)
        call, = Call.create([{
                    'tracking': tracking.id,
                    'assignee': employees['operator'].id,
                    'planned_date': now() + dt.timedelta(days=1),
                    }])
        with self.as_user(users['operator']):
            values, = Call.read([call.id], ['tracking.rec_name'])
            self.assertEqual(
                values['tracking.']['rec_name'], tracking.rec_name)
            for ids, names in [
                    ([tracking.id], ['id']),
                    ([tracking.id], ['number']),
                    ([tracking.id], ['rec_name', 'phone']),
                    ([other.id], ['rec_name']),
                    ([tracking.id, other.id], ['rec_name']),
                    ]:
                with self.subTest(ids=ids, names=names), \
                        self.assertRaises(AccessError):
                    Tracking.read(ids, names)

    @with_transaction()
    def test_task_create(self):
        "Test for whom each role may register tasks"
        pool = Pool()
        Task = pool.get('sale.task')
        company, employees, users, owners, unit = self.setup_records()
        trackings = {
            o: self.create_owned(o, company, employees, owners, unit)[0].id
            for o in ['own', 'colleague', 'outside']}
        for role, owner, assignee, allowed in [
                ('operator', None, 'operator', True),
                ('operator', None, 'outside', True),
                ('operator', 'own', 'outside', True),
                ('operator', 'colleague', 'operator', False),
                ('operator', 'outside', 'operator', False),
                ('manager', 'colleague', 'outside', True),
                ('manager', 'outside', 'manager', False),
                ('manager', 'outside', 'colleague', False),
                ('manager', None, 'outside', True),
                ('administrator', 'outside', 'outside', True),
                ('nobody', None, 'nobody', False),
                ]:
            values = {
                'summary': "Task",
                'tracking': trackings.get(owner),
                'assignee': employees[assignee].id,
                }
            with self.subTest(role=role, owner=owner, assignee=assignee), \
                    self.as_user(users[role]):
                if allowed:
                    Task.create([values])
                else:
                    with self.assertRaises(AccessError):
                        Task.create([values])

    @with_transaction()
    def test_task_link(self):
        "Test that a link gives no access to what a role may not see"
        pool = Pool()
        Link = pool.get('sale.task-sale.tracking')
        Task = pool.get('sale.task')
        Tracking = pool.get('sale.tracking')
        company, employees, users, owners, unit = self.setup_records()

        def by_task(task, tracking):
            Task.write([Task(task.id)], {
                    'linked_trackings': [('add', [tracking.id])]})

        def by_tracking(task, tracking):
            Tracking.write([Tracking(tracking.id)], {
                    'linked_tasks': [('add', [task.id])]})

        def by_link(task, tracking):
            Link.create([{'task': task.id, 'tracking': tracking.id}])

        for role, task_owner, tracking_owner, allowed in [
                ('operator', 'own', 'own', True),
                ('operator', 'own', 'colleague', False),
                ('operator', 'colleague', 'own', False),
                ('operator', 'outside', 'own', False),
                ('manager', 'colleague', 'own', True),
                ('manager', 'outside', 'own', False),
                ('manager', 'own', 'outside', False),
                ('administrator', 'outside', 'own', True),
                ('nobody', 'own', 'own', False),
                ]:
            for link in [by_task, by_tracking, by_link]:
                _, task = self.create_owned(
                    task_owner, company, employees, owners, unit)
                tracking, _ = self.create_owned(
                    tracking_owner, company, employees, owners, unit)
                with self.subTest(
                            role=role, task=task_owner,
                            tracking=tracking_owner, by=link.__name__), \
                        self.as_user(users[role]):
                    if allowed:
                        link(task, tracking)
                        self.assertEqual(
                            Task(task.id).linked_trackings, (tracking,))
                        Tracking.write([Tracking(tracking.id)], {
                                'linked_tasks': [('remove', [task.id])]})
                        self.assertFalse(Task(task.id).linked_trackings)
                    else:
                        with self.assertRaises(AccessError):
                            link(task, tracking)

    @with_transaction()
    def test_task_linked_trackings(self):
        "Test that only the trackings that the user sees are read"
        pool = Pool()
        Task = pool.get('sale.task')
        company, employees, users, owners, unit = self.setup_records()
        tracking, task = self.create_owned(
            'own', company, employees, owners, unit)
        others = [
            self.create_owned(o, company, employees, owners, unit)[0]
            for o in ['own', 'outside']]
        Task.write([task], {
                'linked_trackings': [('add', [t.id for t in others])]})
        for role, number in [
                ('operator', 1), ('manager', 1), ('administrator', 2)]:
            with self.subTest(role=role), self.as_user(users[role]):
                values, = Task.read([task.id], ['linked_trackings'])
                self.assertEqual(len(values['linked_trackings']), number)

    def is_invisible(self, record, button):
        states = record._buttons[button]
        values = {name: getattr(record, name) for name in states['depends']}
        encoder = PYSONEncoder()
        return PYSONDecoder(values).decode(
            encoder.encode(states['invisible']))

    @with_transaction()
    def test_meeting(self):
        "Test what the attendees of a meeting may do with it"
        pool = Pool()
        Activity = pool.get('sale.activity')
        Attendee = pool.get('sale.meeting.attendee')
        Meeting = pool.get('sale.meeting')
        Token = pool.get('sale.meeting.attendee.token')
        company, employees, users, owners, unit = self.setup_records()
        for role, organiser, attends, allowed in [
                ('operator', 'operator', False, WORK),
                ('operator', 'colleague', True, {READ}),
                ('operator', 'colleague', False, set()),
                ('operator', 'outside', True, {READ}),
                ('manager', 'manager', False, WORK),
                ('manager', 'colleague', False, WORK),
                ('manager', 'outside', True, {READ}),
                ('manager', 'outside', False, set()),
                ('administrator', 'outside', False, ALL),
                ('nobody', 'nobody', False, set()),
                ('nobody', 'outside', True, set()),
                ]:
            attendees = [{'email': 'customer@example.com'}]
            if attends:
                attendees.append({'employee': employees[role].id})
            with Transaction().set_context(_skip_warnings=True):
                meeting, = Meeting.create([{
                            'company': company.id,
                            'summary': "Meeting",
                            'planned_date': now() + dt.timedelta(days=1),
                            'assignee': employees[organiser].id,
                            'attendees': [('create', attendees)],
                            }])
            attendee, *_ = meeting.attendees
            with self.subTest(
                    role=role, organiser=organiser, attends=attends), \
                    self.as_user(users[role]):
                if WRITE in allowed:
                    Attendee.create([{
                                'meeting': meeting.id,
                                'email': 'other@example.com',
                                }])
                    Attendee.delete([Attendee(attendee.id)])
                else:
                    with self.assertRaises(AccessError):
                        Attendee.create([{
                                    'meeting': meeting.id,
                                    'email': 'other@example.com',
                                    }])
                    with self.assertRaises(AccessError):
                        Attendee.delete([Attendee(attendee.id)])
                if READ in allowed:
                    Attendee.read([a.id for a in meeting.attendees], ['email'])
                    lines = [
                        line for line in Activity.search(
                            [('kind', '=', 'meeting')])
                        if Activity.get_activities([line]) == [meeting]]
                    self.assertTrue(lines)
                    for record in [Meeting(meeting.id), *lines]:
                        self.assertEqual(
                            self.is_invisible(record, 'record_result'),
                            WRITE not in allowed)
                    for button in ['invite', 'cancel']:
                        self.assertEqual(
                            self.is_invisible(Meeting(meeting.id), button),
                            WRITE not in allowed)
                # Who knew it could answer for the attendees
                with self.assertRaises(AccessError):
                    Token.search([])
                if allowed == {READ}:
                    for button in ['invite', 'cancel']:
                        with self.assertRaises(UserError):
                            getattr(Meeting, button)([Meeting(meeting.id)])
                    Meeting.accept([Meeting(meeting.id)])
                    self.assertEqual(
                        Meeting(meeting.id).my_answer, 'accepted')
                self.assertOperations(
                    allowed, meeting, {'summary': "Summary"})

    @with_transaction()
    def test_done_by(self):
        "Test that nobody records what was done in the name of a colleague"
        pool = Pool()
        Activity = pool.get('sale.activity')
        company, employees, users, owners, unit = self.setup_records()
        for role, doer, allowed in [
                ('operator', 'operator', True),
                ('operator', 'colleague', False),
                ('manager', 'manager', True),
                ('manager', 'colleague', False),
                ('administrator', 'colleague', True),
                ]:
            for Model in Activity.activity_models():
                values = {
                    'company': company.id,
                    'summary': "Activity",
                    'planned_date': now() + dt.timedelta(days=1),
                    'assignee': employees[role].id,
                    }
                done = {
                    'state': 'done',
                    'done_date': now(),
                    'done_by': employees[doer].id,
                    }
                if Model.__name__ == 'sale.call':
                    done['outcome'] = 'answered'
                activity, = Model.create([values])
                with self.subTest(
                        role=role, doer=doer, model=Model.__name__), \
                        self.as_user(users[role]):
                    if allowed:
                        Model.write([Model(activity.id)], done)
                        Model.create([{**values, **done}])
                        continue
                    with self.assertRaisesRegex(AccessError, "yourself"):
                        Model.write([Model(activity.id)], done)
                    with self.assertRaisesRegex(AccessError, "yourself"):
                        Model.create([{**values, **done}])
                    self.assertEqual(Model(activity.id).state, 'pending')

    @with_transaction()
    def test_wizards(self):
        "Test that each wizard is for one of the groups"
        pool = Pool()
        ActionWizard = pool.get('ir.action.wizard')
        ModelData = pool.get('ir.model.data')
        ids = [d.db_id for d in ModelData.search([
                    ('module', '=', 'sale_opportunity_management'),
                    ('model', '=', 'ir.action.wizard'),
                    ])]
        self.assertTrue(ids)
        for wizard in ActionWizard.browse(ids):
            with self.subTest(wizard=wizard.wiz_name):
                self.assertTrue(wizard.groups)

    @with_transaction()
    def test_meeting_lines(self):
        "Test that the agenda shows only the meetings that the user may read"
        pool = Pool()
        Activity = pool.get('sale.activity')
        Meeting = pool.get('sale.meeting')
        company, employees, users, owners, unit = self.setup_records()
        trackings = {
            None: None,
            **{owner: self.create_owned(
                    owner, company, employees, owners, unit)[0].id
                for owner in ['colleague', 'outside']},
            }
        for organiser in ['operator', 'colleague', 'outside']:
            for owner, tracking in trackings.items():
                with Transaction().set_context(_skip_warnings=True):
                    Meeting.create([{
                                'company': company.id,
                                'tracking': tracking,
                                'summary': f"{organiser} {owner}",
                                'planned_date': now() + dt.timedelta(days=1),
                                'assignee': employees[organiser].id,
                                'attendees': [('create', [
                                            {'employee': employees[name].id}
                                            for name in [
                                                'operator', 'colleague',
                                                'nobody']])],
                                }])
        for role, user in users.items():
            with self.subTest(role=role), self.as_user(user):
                if role == 'nobody':
                    with self.assertRaises(AccessError):
                        Activity.search([])
                    continue
                lines = Activity.search([('kind', '=', 'meeting')])
                meetings = set(Meeting.search([]))
                self.assertLessEqual(
                    set(Activity.get_activities(lines)), meetings)
                if role == 'manager':
                    # The time of the team is known for what is readable
                    self.assertEqual(
                        {(l.assignee, l.summary) for l in lines
                            if l.role == 'attendee' and not l.tracking},
                        {(employees['operator'], "colleague None"),
                            (employees['colleague'], "operator None")})

    @with_transaction()
    def test_has_role(self):
        "Test the states of the views with the groups that the clients know"
        pool = Pool()
        User = pool.get('res.user')
        *_, users, _, _ = self.setup_records()
        for role, number in [
                ('nobody', 0), ('operator', 1), ('manager', 2),
                ('administrator', 3)]:
            with self.as_user(users[role]):
                context = User.get_preferences(context_only=True)
                decoder = PYSONDecoder({'context': context})
                roles = [
                    decoder.decode(PYSONEncoder().encode(has_role(group)))
                    for groups in GROUPS.values() for group in groups]
            with self.subTest(role=role):
                self.assertEqual(roles, [i < number for i in range(3)])

    @with_transaction()
    def test_teams(self):
        "Test who says who works for the channels and the campaigns"
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Campaign = pool.get('sale.campaign')
        CampaignOperator = pool.get('sale.campaign-company.employee')
        ChannelManager = pool.get('sale.channel-manager-company.employee')
        ChannelMember = pool.get('sale.channel-member-company.employee')
        Typology = pool.get('sale.campaign.typology')
        company, employees, users, owners, _ = self.setup_records()
        for owner in ['own', 'foreign']:
            o_company, channel, _ = owners[owner]
            colleague = create_employee(o_company, f"colleague {owner}")
            values = {'name': owner, 'company': o_company.id}
            unit, = BusinessUnit.create([values])
            typology, = Typology.create([values])
            campaign, = Campaign.create([{
                        **values,
                        'typology': typology.id,
                        'business_unit': unit.id,
                        'state': 'running',
                        # They do not see those of the others
                        'operators': [('add', [
                                    employees[r].id for r in TABLE
                                    if owner == 'own'])],
                        }])
            for role, rights in TABLE.items():
                allowed = rights['config' if owner == 'own' else 'foreign']
                for Team, target in [
                        (CampaignOperator, {'campaign': campaign.id}),
                        (ChannelManager, {'channel': channel.id}),
                        (ChannelMember, {'channel': channel.id}),
                        ]:
                    record, = Team.create(
                        [{**target, 'employee': employees['outside'].id}])
                    with self.subTest(
                                role=role, owner=owner, model=Team.__name__), \
                            self.as_user(users[role]):
                        self.assertOperations(
                            allowed, record, {'employee': colleague.id})

    @with_transaction()
    def test_relations(self):
        "Test what is reached through relations and searches"
        pool = Pool()
        Call = pool.get('sale.call')
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        company, employees, users, owners, unit = self.setup_records()
        for owner, (o_company, channel, operator) in owners.items():
            self.create_records(
                owner, o_company, channel,
                operator or (
                    employees['operator'] if owner == 'own' else None), unit)
        for role, number in [
                ('operator', 1), ('manager', 3), ('administrator', 4)]:
            with self.subTest(role=role), self.as_user(users[role]):
                self.assertEqual(Call.search([], count=True), number)
                self.assertEqual(
                    Tracking.search([], count=True), number * 2)
                self.assertEqual(
                    len(Tracking.export_data(
                            Tracking.search([]), ['number'])),
                    number * 2)
                self.assertEqual(
                    len(list(Tracking.search_global("Customer"))),
                    number * 2)
                party, = Party.search([('name', '=', "Customer of foreign")])
                self.assertFalse(Tracking.search([('party', '=', party)]))

    @with_transaction()
    def test_follow_up(self):
        "Test that what is followed tells only what the user may read"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        Sale = pool.get('sale.sale')
        User = pool.get('res.user')
        company, employees, users, owners, unit = self.setup_records()
        User.write(list(users.values()), {
                'groups': [('add', [ModelData.get_id('sale', 'group_sale')])],
                })
        records = [
            self.create_records(
                owner, company, channel, operator or employees['operator'],
                unit)
            for owner, (company, channel, operator) in owners.items()
            if owner in {'own', 'colleague'}]
        tracking, colleague = [r['sale.call'][0].tracking for r in records]
        colleague.party = tracking.party
        colleague.save()
        sale, = Sale.create([{
                    'company': company.id,
                    'currency': company.currency.id,
                    'party': tracking.party.id,
                    'trackings': [('add', [tracking.id, colleague.id])],
                    }])
        for role, number in [
                ('administrator', 2), ('manager', 2), ('operator', 1),
                ('nobody', 0)]:
            with self.subTest(role=role), self.as_user(users[role]):
                record = Sale(sale.id)
                self.assertEqual(record.indicator, 'in_progress')
                texts = record.follow_up.split(' ·\n\n')
                if number:
                    self.assertEqual(len(texts), number)
                    self.assertIn("Next: ", texts[0])
                else:
                    self.assertEqual(texts, ["In Process"])

    @with_transaction()
    def test_assign(self):
        "Test to whom each role may assign"
        pool = Pool()
        Channel = pool.get('sale.channel')
        Tracking = pool.get('sale.tracking')
        company, employees, users, owners, unit = self.setup_records()
        south, = Channel.create([{
                    'name': "South",
                    'company': company.id,
                    }])
        north = owners['own'][1]
        for role, values, allowed in [
                ('operator', {'operator': 'colleague'}, False),
                ('operator', {'operator': None}, False),
                ('operator', {'channel': south}, False),
                ('operator', {'channel': None}, False),
                ('manager', {'operator': 'colleague'}, True),
                ('manager', {'operator': None}, True),
                ('manager', {'operator': 'manager'}, True),
                ('manager', {'operator': 'outside'}, False),
                ('manager', {'channel': south}, False),
                ('manager', {'channel': None}, False),
                ('manager',
                    {'operator': 'colleague', 'channel': south}, False),
                ('administrator', {'operator': 'outside'}, True),
                ('administrator', {'channel': south}, True),
                ('administrator',
                    {'operator': 'outside', 'channel': None}, True),
                ]:
            with self.subTest(role=role, values=values):
                records = self.create_records(
                    'own', company, north, employees['operator'], unit)
                tracking, _ = records['sale.tracking']
                values = {
                    name: (
                        employees[value].id if isinstance(value, str)
                        else value and value.id)
                    for name, value in values.items()}
                with self.as_user(users[role]):
                    if allowed:
                        Tracking.write([Tracking(tracking.id)], values)
                    else:
                        with self.assertRaises(AccessError):
                            Tracking.write([Tracking(tracking.id)], values)

    @with_transaction()
    def test_create(self):
        "Test for whom each role may register"
        pool = Pool()
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        company, employees, users, owners, unit = self.setup_records()
        north = owners['own'][1]
        party, = Party.create([{'name': "Customer"}])
        for role, operator, channel, allowed in [
                ('operator', 'operator', north, True),
                ('operator', 'operator', None, True),
                ('operator', 'colleague', north, False),
                ('operator', None, north, False),
                ('operator', None, None, False),
                ('manager', 'colleague', north, True),
                ('manager', None, north, True),
                ('manager', 'outside', north, False),
                ('manager', 'outside', None, False),
                ('manager', 'manager', None, True),
                ('administrator', None, None, True),
                ('administrator', 'outside', north, True),
                ]:
            values = {
                'company': company.id,
                'party': party.id,
                'business_unit': unit.id,
                'channel': channel and channel.id,
                'operator': operator and employees[operator].id,
                }
            with self.subTest(role=role, operator=operator, channel=channel), \
                    self.as_user(users[role]):
                if allowed:
                    Tracking.create([values])
                else:
                    with self.assertRaises(AccessError):
                        Tracking.create([values])

    @contextmanager
    def as_wizard(self, user, name):
        "The wizard as the client of the user executes it"
        pool = Pool()
        Wizard = pool.get(name, type='wizard')
        with self.as_user(user):
            session_id, _, _ = Wizard.create()
            with without_check_access():
                yield Wizard(session_id)

    @with_transaction()
    def test_record_call(self):
        "Test which calls each role may record"
        company, employees, users, owners, unit = self.setup_records()
        for role, owner, caller, allowed in [
                ('operator', 'own', 'operator', True),
                ('operator', 'own', 'colleague', False),
                ('operator', 'colleague', 'operator', False),
                ('operator', 'outside', 'operator', False),
                ('manager', 'colleague', 'manager', True),
                ('manager', 'colleague', 'colleague', False),
                ('manager', 'outside', 'manager', False),
                ('administrator', 'outside', 'outside', True),
                ('administrator', 'foreign', 'administrator', False),
                ]:
            for planned in [True, False]:
                o_company, channel, operator = owners[owner]
                if owner == 'own':
                    operator = employees[role]
                records = self.create_records(
                    owner, o_company, channel, operator, unit)
                call, _ = records['sale.call']
                with self.subTest(
                            role=role, owner=owner, caller=caller,
                            planned=planned), \
                        self.as_wizard(
                            users[role], 'sale.activity.record') as wizard:
                    wizard.start.kind = 'call'
                    wizard.start.company = o_company
                    wizard.start.tracking = call.tracking
                    wizard.start.party = call.party
                    wizard.start.call = call if planned else None
                    wizard.start.done_by = employees[caller]
                    wizard.start.done_date = dt.datetime(2026, 1, 1)
                    wizard.start.interest = '1'
                    if allowed:
                        wizard.transition_save()
                        self.assertEqual(call.tracking.interest, '1')
                    else:
                        with self.assertRaises(UserError):
                            wizard.transition_save()

    @with_transaction()
    def test_register(self):
        "Test for whom each role may register by the dialog"
        company, employees, users, owners, unit = self.setup_records()
        north = owners['own'][1]
        for role, operator, channel, allowed in [
                ('operator', 'operator', north, True),
                ('operator', 'colleague', north, False),
                ('operator', None, north, False),
                ('manager', 'colleague', north, True),
                ('manager', 'outside', None, False),
                ('administrator', 'outside', None, True),
                ]:
            with self.subTest(
                        role=role, operator=operator, channel=channel), \
                    self.as_wizard(users[role], 'party.register') as wizard:
                wizard.start.name = "Customer"
                wizard.start.mechanisms = []
                wizard.start.contacts = []
                wizard.start.business_unit = unit
                wizard.start.channel = channel
                wizard.start.operator = operator and employees[operator]
                if allowed:
                    self.assertEqual(
                        wizard.transition_register(), 'open_tracking')
                else:
                    with self.assertRaises(AccessError):
                        wizard.transition_register()

    @with_transaction()
    def test_preferences(self):
        "Test that users work only as their own employees"
        pool = Pool()
        User = pool.get('res.user')
        company, employees, users, owners, _ = self.setup_records()
        foreign, _, foreigner = owners['foreign']
        for values in [
                {'employee': employees['colleague'].id},
                {'employee': foreigner.id, 'company': foreign.id},
                {'company': foreign.id},
                ]:
            with self.subTest(values=values), \
                    self.as_user(users['operator']), \
                    without_check_access(), \
                    self.assertRaises(AccessError):
                User.set_preferences(values)
        with self.as_user(users['operator']), without_check_access():
            User.set_preferences({
                    'employee': employees['operator'].id,
                    'company': company.id,
                    })

    @with_transaction()
    def test_left(self):
        "Test that who has left works no old trackings"
        pool = Pool()
        Employee = pool.get('company.employee')
        Tracking = pool.get('sale.tracking')
        company, employees, users, owners, unit = self.setup_records()
        _, channel, _ = owners['own']
        operator = employees['operator']
        records = self.create_records('own', company, channel, operator, unit)
        tracking, _ = records['sale.tracking']
        with self.as_user(users['operator']):
            self.assertIn(tracking, Tracking.search([]))
        with Transaction().set_context(_skip_warnings=True):
            Employee.write([operator], {
                    'end_date': dt.date.today() - dt.timedelta(days=2),
                    })
        before = dt.date.today() - dt.timedelta(days=10)
        for context in [{'date': before}, {}]:
            with self.subTest(context=context), \
                    self.as_user(users['operator']), \
                    Transaction().set_context(context):
                self.assertEqual(Tracking.search([]), [])
                with self.assertRaises(AccessError):
                    Tracking.read([tracking.id], ['id'])
