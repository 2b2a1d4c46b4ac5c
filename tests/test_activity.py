# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest
from unittest.mock import patch

from lxml import etree
from sql import Column

from trytond.model.exceptions import AccessError
from trytond.modules.company.tests import create_employee, set_company
from trytond.modules.sale_opportunity_management.exceptions import (
    ActivityPartyError, AlreadyRecordedError, AssigneeError,
    ClosedTrackingError, PlannedDateError)
from trytond.modules.sale_opportunity_management.tests.tools import freeze
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder, PYSONEncoder
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import TrackingTestMixin


class ActivityTestCase(TrackingTestMixin, unittest.TestCase):
    "Test what the activities have in common"

    def create(self, model, **values):
        record, = Pool().get(model).create([values])
        return record

    @with_transaction()
    def test_lines(self):
        "Test that the activities of all kinds are read together"
        pool = Pool()
        Activity = pool.get('sale.activity')
        company = self.create_company()
        with set_company(company), freeze(2026, 1, 1):
            tracking = self.create_tracking(company)
            call = self.create(
                'sale.call', tracking=tracking.id,
                planned_date=dt.datetime(2026, 1, 2), summary="Call")
            task = self.create(
                'sale.task', tracking=tracking.id,
                planned_date=dt.datetime(2026, 1, 3), summary="Task")
            self.create(
                'sale.call', planned_date=dt.datetime(2026, 1, 4),
                summary="General")
            lines = Activity.search([])
            self.assertEqual(
                [(a.kind, a.summary) for a in lines],
                [('call', "General"), ('task', "Task"), ('call', "Call")])
            self.assertEqual(len({a.id for a in lines}), 3)
            self.assertEqual(
                Activity.get_activities(list(tracking.activities)),
                [task, call])
            self.assertEqual(
                [a.rec_name for a in lines],
                ["General", "Customer: Task", "Customer: Call"])
            self.assertEqual(
                len(Activity.search([('rec_name', 'ilike', "Cust%")])), 2)
            self.assertEqual(
                len(Activity.search([
                            ('business_unit', '=', tracking.business_unit),
                            ])), 2)

    @with_transaction()
    def test_indexed(self):
        "Test that the database can read the lines of a person by an index"
        pool = Pool()
        Activity = pool.get('sale.activity')
        for model in Activity.union_models():
            query = Activity._union_query(model)
            columns = {c.output_name: c.expression for c in query.columns}
            for name in ['assignee', 'date', 'state']:
                with self.subTest(model=model, column=name):
                    self.assertIsInstance(columns[name], Column)
                    self.assertEqual(
                        columns[name].table, columns['assignee'].table)

    @with_transaction()
    def test_tab_indexes(self):
        "Test that the indexes of the tabs have what the rules look at"
        pool = Pool()
        for model, names in [
                ('sale.task', {'registered_by', 'assignee', 'company'}),
                ('sale.meeting', {'end_date', 'assignee', 'company'}),
                ]:
            Model = pool.get(model)
            with self.subTest(model=model):
                self.assertTrue([
                        index for index in Model._sql_indexes
                        if names <= {
                            column.name for column
                            in index.options.get('include', [])}])

    @with_transaction()
    def test_tracking_indexes(self):
        "Test that the database finds by an index what a tracking shows"
        pool = Pool()
        Activity = pool.get('sale.activity')
        for model in Activity.union_models():
            Model = pool.get(model)
            if 'tracking' not in Model._fields:
                continue
            with self.subTest(model=model):
                self.assertIn('tracking', {
                        column.name for index in Model._sql_indexes
                        for column, _ in index.expressions[:1]
                        if isinstance(column, Column)})

    @with_transaction()
    def test_due(self):
        "Test that days and weeks are those of the company"
        pool = Pool()
        Activity = pool.get('sale.activity')
        company = self.create_company('Europe/Madrid')
        # The clocks change on Sunday, 29 March 2026: from UTC+1 to UTC+2
        moments = {
            dt.datetime(2026, 3, 26, 22, 0): 'overdue',
            dt.datetime(2026, 3, 26, 22, 59): 'today',
            dt.datetime(2026, 3, 26, 23, 0): 'week',
            dt.datetime(2026, 3, 29, 21, 59): 'week',
            dt.datetime(2026, 3, 29, 22, 0): 'later',
            }
        with set_company(company):
            with freeze(2026, 3, 1):
                for date in moments:
                    self.create(
                        'sale.call', summary="Call", planned_date=date)
                done = self.create(
                    'sale.task', summary="Done",
                    planned_date=dt.datetime(2026, 3, 27))
                done.__class__.save_result([done], {
                        'done_date': dt.datetime(2026, 3, 1),
                        })
            # Thursday, half past eleven
            with freeze(2026, 3, 26, 22, 30):
                for line in Activity.search([]):
                    with self.subTest(date=line.date):
                        self.assertEqual(line.due, moments.get(line.date))
                for due in ['overdue', 'today', 'week', 'later', None]:
                    for operator, value in [
                            ('=', due), ('in', [due]), ('!=', due),
                            ('not in', [due])]:
                        negate = operator in {'!=', 'not in'}
                        with self.subTest(due=due, operator=operator):
                            self.assertEqual(
                                {a.date for a in Activity.search([
                                            ('due', operator, value)])},
                                {a.date for a in Activity.search([])
                                    if (a.due == due) != negate})

    @with_transaction()
    def test_search_functions(self):
        "Test that each clause finds what has and what lacks the value"
        pool = Pool()
        Activity = pool.get('sale.activity')
        Call = pool.get('sale.call')
        Party = pool.get('party.party')
        company = self.create_company()
        employee = create_employee(company, "Olga")
        channel = self.create_channel(company, employee)
        with set_company(company), freeze(2026, 1, 1):
            tracking = self.create_tracking(company, channel=channel.id)
            other = self.create_tracking(company)
            party, = Party.create([{
                        'name': "Gone",
                        'active': False,
                        'contact_mechanisms': [('create', [{
                                        'type': 'phone',
                                        'value': '+573105551234',
                                        }])],
                        }])
            for Model in Activity.activity_models():
                Model.create([{
                            'summary': "Activity",
                            'assignee': employee.id,
                            'planned_date': dt.datetime(2026, 1, day),
                            **values,
                            } for day, values in enumerate([
                                {'tracking': tracking.id},
                                {'tracking': other.id},
                                {'party': party.id},
                                ], 2)])
        cases = [
            (name, operator, value)
            for name, key in [
                ('channel', channel.id),
                ('business_unit', tracking.business_unit.id)]
            for operator, value in [
                ('=', key), ('!=', key), ('=', None), ('!=', None),
                ('in', [key]), ('in', [key, None]), ('in', []),
                ('not in', [key]), ('not in', [key, None])]
            ] + [
            ('overdue', operator, value)
            for operator, value in [
                ('=', True), ('!=', True), ('=', False), ('in', [True]),
                ('in', [True, False]), ('not in', [True]), ('in', [])]]
        compare = {
            '=': lambda value, key: value == key,
            '!=': lambda value, key: value is not None and value != key,
            'in': lambda value, key: value in key,
            'not in': lambda value, key: (
                value is not None and value not in key),
            }
        with set_company(company), freeze(2026, 1, 3):
            for Model in [Activity, *Activity.activity_models()]:
                records = Model.search([])
                self.assertTrue(records)
                for name, operator, key in cases:
                    with self.subTest(
                            model=Model.__name__, field=name,
                            operator=operator, key=key):
                        self.assertEqual(
                            set(Model.search([(name, operator, key)])), {
                                r for r in records
                                if compare[operator](
                                    getattr(getattr(r, name), 'id',
                                        getattr(r, name)), key)})
                with self.subTest(model=Model.__name__):
                    self.assertEqual({
                            r.party for r in Model.search(
                                [('phone', 'ilike', '310 555 1234')])},
                        {party})
            for Model in [Activity, Call]:
                with self.subTest(model=Model.__name__):
                    self.assertEqual({
                            r.party for r in Model.search(
                                [('rec_name', 'ilike', '%Gone%')])}, {party})
            calls = Call.search([])
            for operator, key in [
                    ('=', 'first'), ('!=', 'first'), ('=', None),
                    ('in', ['first', None]), ('not in', ['first'])]:
                with self.subTest(operator=operator, key=key):
                    self.assertEqual(
                        set(Call.search([('kind', operator, key)])),
                        {c for c in calls if compare[operator](c.kind, key)})
            self.assertEqual(
                set(Call.search([], order=[('kind', 'ASC')])), set(calls))

    @with_transaction()
    def test_set_tracking(self):
        "Test that what stands alone goes only on open trackings of the user"
        pool = Pool()
        Activity = pool.get('sale.activity')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        olga, oscar = (create_employee(company, n) for n in ["Olga", "Oscar"])
        user = self.create_user(olga, 'group_tracking')
        with set_company(company), freeze(2026, 1, 1):
            own, closed, other = (
                self.create_tracking(company, operator=e.id)
                for e in [olga, olga, oscar])
            Tracking.close([closed])
            with self.as_user(user), \
                    Transaction().set_context(_skip_warnings=True):
                for Model in Activity.activity_models():
                    *records, record = Model.create([{
                                'summary': "Activity",
                                'assignee': olga.id,
                                'planned_date': dt.datetime(2026, 1, 2),
                                }] * 3)
                    Model.write([record], {'tracking': own.id})
                    self.assertEqual(Model(record.id).party, own.party)
                    for record, tracking, error in zip(
                            records, [other, closed],
                            [AccessError, ClosedTrackingError]):
                        with self.subTest(
                                model=Model.__name__, error=error), \
                                self.assertRaises(error):
                            Model.write(
                                [record], {'tracking': tracking.id})

    @with_transaction()
    def test_operator_left(self):
        "Test that nothing is planned for an operator who has left"
        pool = Pool()
        Call = pool.get('sale.call')
        Employee = pool.get('company.employee')
        company = self.create_company()
        operator = create_employee(company, "Olga")
        with set_company(company), freeze(2026, 1, 1):
            tracking = self.create_tracking(company, operator=operator.id)
            with patch.object(Employee, 'warn_work'):
                Employee.write(
                    [operator], {'end_date': dt.date(2025, 12, 31)})
            call, = Call.create([{
                        'tracking': tracking.id,
                        'planned_date': dt.datetime(2026, 1, 2),
                        }])
            self.assertIsNone(call.assignee)

    @with_transaction()
    def test_order(self):
        "Test that the tabs begin with what is due first or was done last"
        pool = Pool()
        ActionWindow = pool.get('ir.action.act_window')
        Activity = pool.get('sale.activity')
        company = self.create_company()
        employee = create_employee(company, "Olga")
        with set_company(company), freeze(2026, 1, 1):
            for Model in Activity.activity_models():
                records = Model.create([{
                            'summary': "Activity",
                            'assignee': employee.id,
                            'planned_date': dt.datetime(2026, 1, day),
                            } for day in range(2, 10)])
                result = {'done_by': employee.id}
                if Model.__name__ == 'sale.call':
                    result['outcome'] = 'answered'
                if Model.__name__ == 'sale.task':
                    Model.write(records[4:6], {
                            'status': 'waiting',
                            'reason': "Mail",
                            })
                for record in records[:4:2]:
                    Model.write([record], {
                            **result,
                            'state': 'done',
                            'done_date': record.planned_date
                            - dt.timedelta(days=5),
                            })
        models = [Activity, *Activity.activity_models()]
        seen = set()
        with set_company(company), freeze(2026, 1, 4), \
                Transaction().set_context(employee=employee.id):
            decoder = PYSONDecoder(Transaction().context)
            for action in ActionWindow.search([
                        ('res_model', 'in', [m.__name__ for m in models]),
                        ]):
                Model = pool.get(action.res_model)
                for tab in action.act_window_domains:
                    with self.subTest(action=action.name, tab=tab.name):
                        records = Model.search([
                                decoder.decode(action.pyson_domain),
                                [decoder.decode(tab.domain or '[]')],
                                ], order=decoder.decode(action.pyson_order))
                        dates = [r.date for r in records]
                        pending = {r.state for r in records} == {'pending'}
                        self.assertEqual(
                            dates, sorted(dates, reverse=not pending))
                        if len(dates) > 1:
                            seen.add((Model.__name__, pending))
        self.assertEqual(
            seen, {(m.__name__, p) for m in models for p in [True, False]})

    @with_transaction()
    def test_result_button(self):
        "Test that the result can be recorded wherever an activity is shown"
        pool = Pool()
        Activity = pool.get('sale.activity')
        View = pool.get('ir.ui.view')
        for Model in [Activity, *Activity.activity_models()]:
            views = View.search([
                    ('model', '=', Model.__name__),
                    ('type', 'in', ['tree', 'form']),
                    # The dialogs have their own buttons
                    ('name', 'not in', [
                            'activity_list_work',
                            'task_form_create',
                            'tracking_close_activity_list']),
                    ])
            self.assertGreaterEqual(len(views), 3)
            for view in views:
                with self.subTest(view=view.name):
                    arch = Model.fields_view_get(view.id)['arch']
                    self.assertEqual(
                        arch.count('<button name="record_result"'), 1)

    @with_transaction()
    def test_windows(self):
        "Test that each window of activities can show one of them"
        pool = Pool()
        ActionWindow = pool.get('ir.action.act_window')
        windows = ActionWindow.search([('res_model', '=', 'sale.activity')])
        self.assertGreaterEqual(len(windows), 7)
        for window in windows:
            with self.subTest(window=window.rec_name):
                self.assertIn('form', [type_ for _, type_ in window.views])

    @with_transaction()
    def test_assignee_color(self):
        "Test that each assignee has a color of their own"
        pool = Pool()
        Activity = pool.get('sale.activity')
        company = self.create_company()
        with set_company(company), freeze(2026, 1, 1):
            for number in range(8):
                employee = create_employee(company, f"Employee {number}")
                for _ in range(2):
                    self.create(
                        'sale.task', company=company.id, summary="Task",
                        assignee=employee.id)
            tasks = Activity.search([])
            colors = {t.assignee: t.assignee_color for t in tasks}
            self.assertEqual(len(set(colors.values())), 8)
            for task in tasks:
                color = task.assignee_color
                self.assertEqual(color, colors[task.assignee])
                # White text is legible on it
                red, green, blue = (
                    v / 12.92 if v <= .03928 else ((v + .055) / 1.055) ** 2.4
                    for v in (
                        int(color[i:i + 2], 16) / 255 for i in [1, 3, 5]))
                luminance = .2126 * red + .7152 * green + .0722 * blue
                self.assertGreaterEqual(1.05 / (luminance + .05), 4.5)

    @with_transaction()
    def test_move(self):
        "Test that moving a line moves the activity"
        pool = Pool()
        Activity = pool.get('sale.activity')
        Call = pool.get('sale.call')
        company = self.create_company()
        with set_company(company), freeze(2026, 1, 1):
            tracking = self.create_tracking(company)
            call = self.create(
                'sale.call', tracking=tracking.id,
                planned_date=dt.datetime(2026, 1, 2))
            line, = tracking.activities
            # What has no end takes a short slot
            slot = dt.timedelta(minutes=30)
            self.assertEqual(line.end_date, line.calendar_date)
            self.assertEqual(line.calendar_end, line.calendar_date + slot)
            # The clients set the end before the start to move forward
            self.assertFalse(
                Activity.fields_get(['calendar_end'])['calendar_end'].get(
                    'on_change_with'))
            date = dt.datetime(2026, 1, 5, 10)
            # As the calendar does, which moves the end too
            Activity.write([line], {
                    'calendar_date': date,
                    'calendar_end': date + slot,
                    })
            self.assertEqual(Call(call.id).planned_date, date)
            self.assertEqual(
                tracking.__class__(tracking.id).next_activity, date)
            # A call has no end that may be dragged
            with self.assertRaises(AccessError):
                Activity.write([line], {
                        'calendar_end': date + dt.timedelta(hours=1),
                        })
            self.assertEqual(Call(call.id).planned_date, date)
            with self.assertRaises(PlannedDateError):
                Activity.write([line], {'date': dt.datetime(2025, 12, 31)})
            with self.assertRaises(AccessError):
                Activity.write([line], {'summary': "Other"})

    @with_transaction()
    def test_open_meeting(self):
        "Test that a line of the meetings opens as a form"
        pool = Pool()
        ActionWindow = pool.get('ir.action.act_window')
        windows = ActionWindow.search([('res_model', '=', 'sale.meeting')])
        self.assertTrue(windows)
        for window in windows:
            with self.subTest(window=window.name):
                types = [v.view.type for v in window.act_window_views]
                # The clients open a line in the view that follows
                self.assertEqual(set(types[:2]), {'tree', 'form'})

    @with_transaction()
    def test_assignee(self):
        "Test that nothing is planned for who has left"
        company = self.create_company()
        employee, left = [
            create_employee(company, name) for name in ["Employee", "Left"]]
        left.end_date = dt.date(2025, 1, 1)
        left.save()
        with set_company(company), freeze(2026, 1, 1):
            for name in ['sale.call', 'sale.task', 'sale.meeting']:
                Model = Pool().get(name)
                values = {
                    'company': company.id,
                    'planned_date': dt.datetime(2026, 1, 2),
                    'summary': "Summary",
                    }
                with self.subTest(model=name):
                    record = self.create(
                        name, assignee=employee.id, **values)
                    with self.assertRaises(AssigneeError):
                        self.create(name, assignee=left.id, **values)
                    with self.assertRaises(AssigneeError):
                        Model.write([record], {'assignee': left.id})

    @with_transaction()
    def test_party(self):
        "Test that the party is the one of the tracking"
        pool = Pool()
        Call = pool.get('sale.call')
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        company = self.create_company()
        with set_company(company), freeze(2026, 1, 1):
            tracking = self.create_tracking(company)
            other, = Party.create([{'name': "Other"}])
            call = self.create(
                'sale.call', party=other.id, summary="Call",
                planned_date=dt.datetime(2026, 1, 2))
            Call.write([call], {'tracking': tracking.id})
            self.assertEqual(call.party, tracking.party)
            with self.assertRaises(ActivityPartyError):
                Call.write([call], {'party': other.id})
            Tracking.write([tracking], {'party': other.id})
            self.assertEqual(Call(call.id).party, other)

    @with_transaction()
    def test_tracking_later(self):
        "Test that what stands alone may become part of a tracking"
        pool = Pool()
        Activity = pool.get('sale.activity')
        Party = pool.get('party.party')
        company = self.create_company()
        with set_company(company), freeze(2026, 1, 1):
            tracking = self.create_tracking(company)
            other, = Party.create([{'name': "Other"}])
            for Model in Activity.activity_models():
                field = Model._fields['tracking']
                readonly = PYSONEncoder().encode(field.states['readonly'])
                domain = PYSONEncoder().encode(field.domain)
                for values, expected, parties in [
                        ({'id': -1, 'tracking': None}, False, [None]),
                        ({'id': -1, 'tracking': tracking.id}, False, [None]),
                        ({'id': 1, 'tracking': None}, False, [None]),
                        ({'id': 1, 'tracking': None, 'party': other.id},
                            False, [other.id]),
                        ({'id': 1, 'tracking': tracking.id}, True, [None]),
                        ({'id': 1, 'tracking': None, 'state': 'done'},
                            True, [None]),
                        ]:
                    with self.subTest(model=Model.__name__, values=values):
                        decoder = PYSONDecoder({
                                'state': 'pending', 'company': company.id,
                                **values})
                        self.assertEqual(decoder.decode(readonly), expected)
                        clauses = decoder.decode(domain)
                        self.assertEqual([
                                c[2] for c in clauses
                                if c and c[0] == 'party'] or [None], parties)
                record = self.create(
                    Model.__name__, company=company.id, summary="Alone",
                    party=tracking.party.id, assignee=create_employee(
                        company, Model.__name__).id,
                    planned_date=dt.datetime(2026, 1, 2))
                Model.write([record], {'tracking': tracking.id})
                self.assertIn(record, Activity.get_activities(
                        tracking.__class__(tracking.id).activities))

    @with_transaction()
    def test_phone_number(self):
        "Test that the line of a call tells the number to call"
        pool = Pool()
        Activity = pool.get('sale.activity')
        Record = pool.get('sale.activity.record', type='wizard')
        RecordStart = pool.get('sale.activity.record.start')
        company = self.create_company()
        with set_company(company), freeze(2026, 1, 1):
            self.create(
                'sale.call', summary="Call back",
                description="They asked for prices",
                phone_number="+57 310 555 1234",
                planned_date=dt.datetime(2026, 1, 2))
            self.create(
                'sale.task', summary="Task",
                planned_date=dt.datetime(2026, 1, 3))
            line, = Activity.search([('phone', 'ilike', "310 555 1234")])
            self.assertEqual(line.summary, "Call back")
            self.assertEqual(line.phone, "+57 310 5551234")
            without, = Activity.search([('phone', '=', None)])
            self.assertEqual(without.summary, "Task")
            session_id, _, _ = Record.create()
            with Transaction().set_context(
                    active_model='sale.activity', active_id=line.id,
                    active_ids=[line.id]):
                view = Record.execute(session_id, {}, 'start')['view']
            start = RecordStart(
                tracking=None, party=None, activity=None,
                call=view['defaults']['call'])
            self.assertEqual(
                start.on_change_with_phone(), "+57 310 5551234")
            self.assertEqual(
                start.on_change_with_plan(),
                "Call back\nThey asked for prices")

    @with_transaction()
    def test_outcome(self):
        "Test that the history tells what each call ended with"
        pool = Pool()
        Activity = pool.get('sale.activity')
        company = self.create_company()
        employee = create_employee(company)
        with set_company(company), freeze(2026, 1, 2):
            tracking = self.create_tracking(company)
            for day, values in enumerate([
                        {'direction': 'incoming', 'outcome': 'missed'},
                        {'direction': 'incoming', 'outcome': 'answered',
                            'interest': '1'},
                        {'outcome': 'answered', 'interest': '1'},
                        {'outcome': 'voicemail', 'interest': '0'},
                        ], 1):
                self.create(
                    'sale.call', tracking=tracking.id, state='done',
                    done_by=employee.id,
                    done_date=dt.datetime(2025, 1, day), **values)
            self.create(
                'sale.call', tracking=tracking.id,
                planned_date=dt.datetime(2026, 1, 3))
            self.create(
                'sale.task', tracking=tracking.id, summary="Task",
                planned_date=dt.datetime(2026, 1, 4))
            self.assertEqual(
                [line.outcome for line in Activity.search(
                        [], order=[('date', 'ASC')])],
                ["Incoming, Missed", "Incoming, No Interest", "No Interest",
                    "No Answer", None, None])

    @with_transaction()
    def test_record_next(self):
        "Test that what comes next can be entered in any order"
        pool = Pool()
        RecordStart = pool.get('sale.activity.record.start')
        required = PYSONEncoder().encode(
            RecordStart.next_date.states['required'])
        for summary, conclude, expected in [
                ("", False, False),
                ("Ask", False, True),
                ("Ask", True, False),
                ]:
            with self.subTest(summary=summary, conclude=conclude):
                self.assertEqual(
                    PYSONDecoder({
                            'next_summary': summary,
                            'close_tracking': conclude,
                            }).decode(required), expected)
        start = RecordStart(
            next_date=dt.datetime(2026, 1, 3), next_summary="Ask")
        start.on_change_next_date()
        self.assertEqual(start.next_summary, "Ask")
        start.next_date = None
        start.on_change_next_date()
        self.assertIsNone(start.next_summary)

    @with_transaction()
    def test_record_steps(self):
        "Test the dates of what comes next in the time zone of the company"
        pool = Pool()
        Configuration = pool.get('sale.configuration')
        RecordStart = pool.get('sale.activity.record.start')
        company = self.create_company()
        for time, day, hour, dates in [
                (dt.time(9), 2, 20, {
                    'hour': dt.datetime(2026, 1, 2, 21),
                    'afternoon': dt.datetime(2026, 1, 2, 21),
                    'tomorrow': dt.datetime(2026, 1, 3, 14),
                    'days': dt.datetime(2026, 1, 5, 14),
                    'week': dt.datetime(2026, 1, 9, 14),
                    }),
                # In the company it is the day before
                (dt.time(10, 30), 3, 2, {
                    'hour': dt.datetime(2026, 1, 3, 3),
                    'afternoon': dt.datetime(2026, 1, 3, 3),
                    'tomorrow': dt.datetime(2026, 1, 3, 15, 30),
                    'days': dt.datetime(2026, 1, 5, 15, 30),
                    'week': dt.datetime(2026, 1, 9, 15, 30),
                    }),
                ]:
            with set_company(company), freeze(2026, 1, day, hour):
                configuration = Configuration(1)
                configuration.planning_time = time
                configuration.save()
                for step, date in dates.items():
                    with self.subTest(step=step, time=time):
                        start = RecordStart(company=company, next_step=step)
                        start.on_change_next_step()
                        self.assertEqual(start.next_date, date)
                        self.assertEqual(start.next_step, step)
                start.next_step = 'other'
                start.on_change_next_step()
                self.assertEqual(start.next_date, date)
                start.next_step = None
                start.on_change_next_step()
                self.assertIsNone(start.next_date)

    @with_transaction()
    def test_record_without_hour(self):
        "Test that what is typed without an hour is planned at the set time"
        pool = Pool()
        RecordStart = pool.get('sale.activity.record.start')
        company = self.create_company()
        with set_company(company):
            for typed, date in [
                    # Midnight of the company
                    (dt.datetime(2026, 1, 5, 5), dt.datetime(2026, 1, 5, 14)),
                    (dt.datetime(2026, 1, 5), dt.datetime(2026, 1, 5)),
                    ]:
                start = RecordStart(
                    company=company, next_date=typed, task_date=typed)
                start.on_change_next_date()
                start.on_change_task_date()
                self.assertEqual(start.next_date, date)
                self.assertEqual(start.next_step, 'other')
                self.assertEqual(start.task_date, date)

    @with_transaction()
    def test_record_retry(self):
        "Test that to call again is proposed when there was no answer"
        pool = Pool()
        RecordStart = pool.get('sale.activity.record.start')
        company = self.create_company()
        with set_company(company), freeze(2026, 1, 2, 20):
            start = RecordStart(company=company, next_kind='task')
            start.outcome = 'missed'
            start.on_change_outcome()
            self.assertEqual(start.next_kind, 'call')
            self.assertEqual(start.next_step, 'hour')
            self.assertEqual(start.next_date, dt.datetime(2026, 1, 2, 21))
            self.assertTrue(start.next_summary)
            start.interest = '2'
            start.on_change_interest()
            self.assertEqual(start.outcome, 'answered')
            self.assertIsNone(start.next_step)
            self.assertIsNone(start.next_date)
            self.assertIsNone(start.next_summary)
            # What the user planned stays
            for date, summary, conclude in [
                    (dt.datetime(2026, 1, 5, 14), "Ask", False),
                    (None, None, True),
                    ]:
                start = RecordStart(
                    company=company, next_date=date, next_summary=summary,
                    close_tracking=conclude)
                for outcome in ['voicemail', 'answered']:
                    start.outcome = outcome
                    start.on_change_outcome()
                    self.assertEqual(start.next_date, date)
                    self.assertEqual(start.next_summary, summary)

    @with_transaction()
    def test_record_groups(self):
        "Test that who concludes is not asked what comes next"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        RecordStart = pool.get('sale.activity.record.start')
        view = RecordStart.fields_view_get(ModelData.get_id(
                'sale_opportunity_management',
                'activity_record_start_view_form'))
        tree = etree.fromstring(view['arch'])
        for name in ['next', 'task']:
            group, = tree.xpath(f'//group[@id="{name}"]')
            for conclude in [False, True]:
                with self.subTest(group=name, conclude=conclude):
                    states = PYSONDecoder({
                            'close_tracking': conclude,
                            }).decode(group.get('states'))
                    self.assertEqual(states['invisible'], conclude)

    @with_transaction()
    def test_record(self):
        "Test recording the result of what has no tracking"
        pool = Pool()
        Call = pool.get('sale.call')
        Record = pool.get('sale.activity.record', type='wizard')
        Task = pool.get('sale.task')
        company = self.create_company()
        employee = create_employee(company)
        with set_company(company), freeze(2026, 1, 2), \
                Transaction().set_context(employee=employee.id):
            task = self.create(
                'sale.task', summary="Task", assignee=employee.id,
                planned_date=dt.datetime(2026, 1, 3))

            def record(**values):
                session_id, _, _ = Record.create()
                with Transaction().set_context(
                        active_model='sale.task', active_id=task.id,
                        active_ids=[task.id]):
                    view = Record.execute(session_id, {}, 'start')['view']
                    defaults = {
                        name: value
                        for name, value in view['defaults'].items()
                        if not name.endswith('.')}
                    Record.execute(session_id, {
                            'start': {**defaults, **values},
                            }, 'save')
                # The list and the numbers on its tabs are read again
                self.assertEqual(Record.delete(session_id), 'reload')
            record(
                description="Sent", next_kind='call', next_summary="Ask",
                next_date=dt.datetime(2026, 1, 4))
            task = Task(task.id)
            self.assertEqual(task.state, 'done')
            self.assertEqual(task.done_by, employee)
            self.assertEqual(task.done_date, dt.datetime(2026, 1, 2))
            call, = Call.search([])
            self.assertEqual(call.summary, "Ask")
            self.assertEqual(call.assignee, employee)
            self.assertIsNone(call.tracking)
            with self.assertRaises(AlreadyRecordedError):
                record()
