# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import csv
import datetime as dt
import heapq
import itertools
import os
import random
from decimal import Decimal
from zoneinfo import ZoneInfo

import data
from common import TIMEZONE, clock, local, progress, ref, workday
from proteus import Model, Wizard

from trytond.modules.sale_opportunity_management.scripts import import_contacts

# XML id of the business unit, file, number of contacts, days before today
IMPORTS = [
    ('business_unit_optics', 'opticas', 70, 56),
    ('business_unit_brigade', 'brigadas', 60, 35),
    ('business_unit_equipment', 'equipos', 50, 14),
    ]


class History:
    """What the users did from the first import until now

    The actions are done in the order of their moments, and each plans those
    that follow from it."""

    def __init__(self, database, sessions, employees, channels, folder):
        self.database = database
        self.sessions = sessions
        self.employees = employees
        self.logins = {e.id: login for login, e in employees.items()}
        self.channels = channels
        self.folder = folder
        self.contacts = data.Contacts(2026)
        self.random = random.Random(2026)
        self.now = dt.datetime.now(dt.timezone.utc).replace(
            tzinfo=None, microsecond=0)
        self.today = dt.datetime.now(ZoneInfo(TIMEZONE)).date()
        self.agenda = []
        self.count = itertools.count()

    def plan(self, moment, action, *args):
        heapq.heappush(
            self.agenda, (moment, next(self.count), action, args))

    def moment(self, day, first=8, last=17):
        "Return some moment of the day in the working hours, in UTC"
        return local(
            day, self.random.randrange(first, last),
            5 * self.random.randrange(12))

    def run(self):
        for business_unit, name, number, days in IMPORTS:
            day = workday(self.today - dt.timedelta(days=days))
            self.plan(
                local(day, 9), self.import_contacts, business_unit, name,
                number)
            self.plan(local(day, 10), self.share_out, business_unit)
        for login in ['operador1', 'operador2', 'operador3']:
            for days in [40, 24, 9, 2]:
                day = workday(self.today - dt.timedelta(days=days))
                self.plan(self.moment(day), self.register, login)
            for days in [33, 19, 12, 8, 6, 5, 3, 2, 1, 1]:
                day = workday(self.today - dt.timedelta(days=days))
                self.plan(self.moment(day), self.answer, login)
            day = workday(self.today - dt.timedelta(days=4))
            self.plan(self.moment(day), self.plan_general, login)
        for login in ['operador1', 'operador3']:
            day = workday(self.today - dt.timedelta(days=4))
            self.plan(self.moment(day), self.link_task, login)
        for days, action in [
                (12, self.meet_team), (5, self.meet_team), (5, self.train)]:
            day = workday(self.today - dt.timedelta(days=days))
            self.plan(local(day, 8, 15), action)
        day = workday(self.today - dt.timedelta(days=20))
        self.plan(local(day, 7, 30), self.hand_over)
        day = workday(self.today - dt.timedelta(days=6))
        self.plan(local(day, 8), self.start_campaign)
        while self.agenda:
            moment, _, action, args = heapq.heappop(self.agenda)
            if moment < self.now:
                with clock(self.database, moment):
                    action(moment, *args)
        with clock(self.database, self.now):
            for login in ['operador1', 'operador2', 'operador3']:
                self.promise(login)

    def model(self, login, name):
        return Model.get(name, config=self.sessions[login])

    def wizard(self, login, name, records=None):
        return Wizard(name, records, config=self.sessions[login])

    def find_unit(self, login, name):
        return self.model(login, 'sale.business_unit')(ref(name))

    def import_contacts(self, moment, business_unit, name, number):
        path = os.path.join(self.folder, f'{name}.csv')
        progress(f"Import of {number} contacts from {os.path.relpath(path)}")
        self.write_file(path, business_unit, number)
        result = import_contacts.import_contacts(
            path, trackings=True, business_unit=ref(business_unit))
        if result['rejects']:
            rejects = os.path.relpath(result['rejects'])
            progress(f"rejected: {result['rejected']}, in {rejects}")

    def write_file(self, path, business_unit, number):
        "Write a file of contacts as they come out of a spreadsheet"
        headings = {
            'name': "Razón social",
            'identifier': "NIT",
            'street': "Dirección",
            'city': "Ciudad",
            'subdivision': "Departamento",
            'phone': "Teléfono",
            'mobile': "Celular del contacto",
            'email': "Correo electrónico",
            'contact': "Contacto",
            'job_title': "Cargo",
            }
        rows = [self.contacts.draw(business_unit) for _ in range(number)]
        # What is wrong in such files: the importer tells why it is refused
        rows.append({**self.contacts.draw(business_unit), 'phone': "12-34"})
        rows.append({**self.contacts.draw(business_unit), 'name': ""})
        with open(path, 'w', newline='', encoding='utf-8-sig') as fp:
            writer = csv.DictWriter(fp, headings, delimiter=';')
            writer.writerow(headings)
            writer.writerows(rows)

    def share_out(self, moment, business_unit):
        "Give the imported trackings to channels, then most to operators"
        login = 'responsable'
        Tracking = self.model(login, 'sale.tracking')
        unit = self.find_unit(login, business_unit)
        trackings = Tracking.find([
                ('business_unit', '=', unit.id),
                ('channel', '=', None),
                ])
        medellin = {
            city for city, code, _ in data.CITIES
            if code in {'CO-ANT', 'CO-CAL', 'CO-RIS'}}
        for code, operators in [
                ('BOG', ['operador1', 'operador2']), ('MDE', ['operador3'])]:
            records = [
                t for t in trackings
                if (t.city in medellin) == (code == 'MDE')]
            wizard = self.wizard(login, 'sale.tracking.reassign', records)
            wizard.form.channel = self.same(
                login, self.channels[code])
            wizard.execute('assign')
            wizard.execute('end')
            wizard = self.wizard(login, 'sale.tracking.assign')
            wizard.form.business_unit = unit
            wizard.form.channel = self.same(login, self.channels[code])
            wizard.form.number = int(len(records) * .9)
            for operator in operators:
                wizard.form.operators.append(
                    self.same(login, self.employees[operator]))
            wizard.execute('assign')
            wizard.execute('end')
        for tracking in Tracking.find([
                    ('business_unit', '=', unit.id),
                    ('operator', '!=', None),
                    ('next_activity', '=', None),
                    ('last_activity', '=', None),
                    ]):
            # They are called one after the other, in three weeks or so
            day = workday(self.today_at(moment), self.random.randrange(0, 24))
            self.plan(self.moment(day, 9), self.call, tracking.id)

    def start_campaign(self, moment):
        "Offer equipment to the opticians, by two operators"
        login = 'responsable'
        Campaign = self.model(login, 'sale.campaign')
        Employee = self.model(login, 'company.employee')
        Typology = self.model(login, 'sale.campaign.typology')
        campaign = Campaign(name=data.CAMPAIGN)
        campaign.typology = Typology(ref('campaign_typology_sales'))
        campaign.business_unit = self.find_unit(
            login, 'business_unit_equipment')
        campaign.end_date = self.today + dt.timedelta(days=21)
        campaign.goal = 10
        campaign.script = data.SCRIPT
        campaign.supervisor = Employee(self.employees['gerente'].id)
        for operator in ['operador1', 'operador2']:
            campaign.operators.append(Employee(self.employees[operator].id))
        campaign.save()
        progress(f"Campaign {campaign.name}")
        wizard = campaign.click('add_customers')
        wizard.form.business_unit = self.find_unit(
            login, 'business_unit_optics')
        wizard.execute('add')
        campaign.click('run')
        for operator in ['operador1', 'operador2']:
            day = self.today_at(moment)
            for days in range(2):
                start = local(workday(day, days), 9 + days)
                for i in range(11):
                    self.plan(
                        start + dt.timedelta(minutes=9 * i),
                        self.attend, operator, campaign.id)

    def attend(self, moment, login, campaign):
        "Attend the next customer of the campaign"
        config_ = self.sessions[login]
        Campaign = self.model(login, 'sale.campaign')
        Tracking = self.model(login, 'sale.tracking')
        tracking = Campaign._proxy.next(
            campaign, config_.context)['tracking']
        if tracking is None:
            return
        names = list(data.RESULTS)
        name, = self.random.choices(
            names, [weight for weight, _ in data.RESULTS.values()])
        _, comments = data.RESULTS[name]
        comment = self.random.choice(comments) if comments else None
        duration = dt.timedelta(
            seconds=self.random.randrange(60, 420) if comments
            else self.random.randrange(20, 50))
        callback_date = None
        if name == 'call_back':
            callback_date = self.moment(workday(
                    self.today_at(moment), self.random.randrange(1, 9)))
        Tracking._proxy.attend(
            tracking, comment, ref(f'campaign_result_sales_{name}'),
            callback_date, duration, moment - duration, config_.context)

    def hand_over(self, moment):
        "The manager moves some trackings from one operator to another"
        login = 'gerente'
        wizard = self.wizard(login, 'sale.tracking.reassign')
        wizard.form.operator = self.same(login, self.employees['operador1'])
        wizard.form.number = 5
        wizard.form.operators.append(
            self.same(login, self.employees['operador2']))
        wizard.execute('assign')
        wizard.execute('end')

    def meet_team(self, moment):
        "The manager plans the meeting of the team in the next week"
        meeting = self.team_meeting(data.TEAM_MEETING)
        meeting.planned_date = local(
            workday(self.today_at(moment), 7), 8)
        meeting.duration = dt.timedelta(minutes=45)
        meeting.save()
        self.accept(meeting, ['operador1', 'operador2'])
        self.plan(
            meeting.end_date + dt.timedelta(minutes=5), self.hold_meeting,
            'gerente', meeting.id, data.TEAM_MINUTES)

    def train(self, moment):
        "The manager plans a training that takes the whole day"
        meeting = self.team_meeting(data.TRAINING)
        meeting.whole_day = True
        meeting.first_day = workday(self.today_at(moment), 12)
        meeting.last_day = meeting.first_day
        meeting.save()
        self.accept(meeting, ['operador2'])

    def team_meeting(self, texts):
        "Return the meeting without tracking of the manager and the operators"
        login = 'gerente'
        Meeting = self.model(login, 'sale.meeting')
        summary, place, agenda = texts
        meeting = Meeting(summary=summary, place=place, agenda=agenda)
        for operator in ['operador1', 'operador2']:
            meeting.attendees.new(
                employee=self.same(login, self.employees[operator]))
        return meeting

    def accept(self, meeting, logins):
        for login in logins:
            Meeting = self.model(login, 'sale.meeting')
            Meeting(meeting.id).click('accept')

    def same(self, login, record):
        "Return the record for the user"
        return self.model(login, record.__class__.__name__)(record.id)

    def today_at(self, moment):
        return (moment
            .replace(tzinfo=dt.timezone.utc)
            .astimezone(ZoneInfo(TIMEZONE))
            .date())

    def register(self, moment, login):
        "Register a customer who was met, or called in"
        Country = self.model(login, 'country.country')
        Subdivision = self.model(login, 'country.subdivision')
        Tracking = self.model(login, 'sale.tracking')
        business_unit = self.random.choice(list(data.KINDS))
        contact = self.contacts.draw(business_unit)
        wizard = self.wizard(login, 'party.register')
        form = wizard.form
        form.name = contact['name']
        form.street = contact['street']
        form.city = contact['city']
        form.country, = Country.find([('code', '=', 'CO')])
        form.subdivision, = Subdivision.find([
                ('code', '=', contact['subdivision'])])
        form.mechanisms.new(type='phone', value=contact['phone'])
        form.contacts.new(
            name=contact['contact'], job_title=contact['job_title'],
            mobile=contact['mobile'], email=contact['email'])
        form.business_unit = self.find_unit(login, business_unit)
        wizard.execute('check')
        if 'register' in wizard.states:
            wizard.execute('register')
        tracking, = Tracking.find([], order=[('id', 'DESC')], limit=1)
        self.plan(
            moment + dt.timedelta(minutes=20), self.call, tracking.id)

    def call(self, moment, tracking_id):
        "Record a call, the planned one if any, and plan the next"
        Tracking = self.model('responsable', 'sale.tracking')
        tracking = Tracking(tracking_id)
        if tracking.state != 'open' or not tracking.operator:
            return
        login = self.logins[tracking.operator.id]
        choice = self.random.choice
        path = tracking.interest_path.split(' → ') if tracking.calls else []
        last = path[-1] if path else None
        weights = {
            '2': [20, 15, 40, 25],
            '3': [15, 5, 30, 50],
            }.get(last, [30, 20, 32, 18])
        interest, = self.random.choices('0123', weights)

        wizard = self.wizard(login, 'sale.activity.record', [
                self.model(login, 'sale.tracking')(tracking_id)])
        form = wizard.form
        form.interest = interest
        form.description = choice(data.SAID[interest])
        if 'buzón de voz' in form.description:
            form.outcome = 'voicemail'
        form.duration = dt.timedelta(
            seconds=self.random.randrange(15, 40) if interest == '0'
            else self.random.randrange(60, 600))
        if interest != '0':
            form.rating = str(min(5, int(interest) + choice([1, 1, 2])))
        sold = interest == last == '3' and self.random.random() < .6
        lost = interest == '1' and self.random.random() < .75
        if sold or lost or len(path) >= 6:
            form.close_tracking = True
        elif self.random.random() < .92:
            days = {'0': 1, '1': 20, '2': 5, '3': 2}[interest]
            next_ = self.moment(workday(
                    self.today_at(moment),
                    self.random.randrange(days, 3 * days)))
            form.next_date = next_
            form.next_summary = choice(data.NEXT[interest])
            # Some are forgotten, so that they are overdue
            if self.random.random() < .93:
                late = dt.timedelta(minutes=5 * self.random.randrange(-3, 12))
                self.plan(
                    max(next_ + late, moment + dt.timedelta(hours=1)),
                    self.call, tracking_id)
            if interest in {'2', '3'} and self.random.random() < .25:
                form.task_summary = choice(data.TASKS)
                form.task_date = moment + dt.timedelta(days=1)
                if self.random.random() < .9:
                    self.plan(
                        moment + dt.timedelta(hours=2), self.do_task, login,
                        tracking_id)
            if interest == '3' and self.random.random() < .3:
                self.plan(
                    moment + dt.timedelta(minutes=5), self.meeting, login,
                    tracking_id)
            if self.random.random() < .08:
                self.plan(
                    moment + dt.timedelta(minutes=10), self.incident, login,
                    tracking_id)
        wizard.execute('save')
        if sold:
            self.create_opportunity(tracking_id, moment)

    def meeting(self, moment, login, tracking_id):
        "Plan a visit to a customer with a colleague"
        Meeting = self.model(login, 'sale.meeting')
        Tracking = self.model(login, 'sale.tracking')
        trackings = Tracking.find([
                ('id', '=', tracking_id),
                ('state', '=', 'open'),
                ])
        if not trackings:
            return
        tracking, = trackings
        colleague = self.random.choice(
            [c for c in ['operador1', 'operador2', 'gerente'] if c != login])
        meeting = Meeting(
            tracking=tracking,
            summary=self.random.choice(data.MEETINGS),
            place=tracking.city,
            agenda=data.AGENDA)
        meeting.planned_date = self.moment(workday(
                self.today_at(moment), self.random.randrange(3, 9)))
        meeting.duration = dt.timedelta(hours=1)
        meeting.attendees.new(
            employee=self.same(login, self.employees[colleague]))
        for contact in tracking.party.contacts[:1]:
            meeting.attendees.new(contact=contact)
        meeting.save()
        if self.random.random() < .7:
            self.accept(meeting, [colleague])
        if self.random.random() < .7 and any(
                a.email for a in meeting.attendees):
            meeting.click('invite')
            self.plan(
                moment + dt.timedelta(minutes=40), self.answer_invitation,
                meeting.id)
        self.plan(
            meeting.end_date + dt.timedelta(minutes=10), self.hold_meeting,
            login, meeting.id)

    def answer_invitation(self, moment, meeting_id):
        "The customer answers with the link of the invitation"
        from trytond.pool import Pool
        from trytond.transaction import Transaction
        from trytond.worker import run_task
        with Transaction().start(self.database, 0) as transaction:
            Attendee = Pool().get('sale.meeting.attendee')
            Attendee.__queue__.give_answer(
                Attendee.search([
                        ('meeting', '=', meeting_id),
                        ('employee', '=', None),
                        ]),
                self.random.choice(['accepted', 'accepted', 'tentative']))
        while transaction.tasks:
            run_task(self.database, transaction.tasks.pop())

    def hold_meeting(self, moment, login, meeting_id, minutes=data.MINUTES):
        "Write the minutes of the meeting"
        Meeting = self.model(login, 'sale.meeting')
        meetings = Meeting.find([
                ('id', '=', meeting_id),
                ('state', '=', 'pending'),
                ])
        if not meetings:
            return
        wizard = self.wizard(login, 'sale.activity.record', meetings)
        wizard.form.description = self.random.choice(minutes)
        wizard.execute('save')

    def answer(self, moment, login):
        "Take the call of a customer or of somebody who is not known"
        Tracking = self.model(login, 'sale.tracking')
        choice = self.random.choice
        trackings = Tracking.find([
                ('operator', '=', self.employee_id(login)),
                ('state', '=', 'open'),
                ('last_activity', '!=', None),
                ])
        wizard = self.wizard(login, 'sale.call.register')
        form = wizard.form
        if trackings and self.random.random() < .75:
            tracking = choice(trackings)
            form.caller = tracking.phone or tracking.party.name
            form.party = tracking.party
        else:
            form.caller = self.contacts.draw(
                choice(list(data.KINDS)))['phone']
        form.outcome, = self.random.choices(
            ['answered', 'missed', 'voicemail'], [60, 28, 12])
        if form.outcome == 'answered':
            form.summary, form.description = choice(data.CALLED)
            form.duration = dt.timedelta(
                seconds=self.random.randrange(40, 400))
            if form.tracking:
                form.interest = choice('23')
        elif self.random.random() < .5:
            form.next_date = form.next_summary = None
        wizard.execute('save')

    def plan_general(self, moment, login):
        "Plan a call to somebody who is no customer and make it"
        Call = self.model(login, 'sale.call')
        call = Call(
            summary=self.random.choice(data.GENERAL),
            planned_date=self.moment(workday(
                    self.today_at(moment), self.random.randrange(1, 9))),
            reminder=dt.timedelta(minutes=10))
        call.save()
        if self.random.random() < .7:
            self.plan(
                call.planned_date + dt.timedelta(minutes=5),
                self.make_general, login, call.id)

    def make_general(self, moment, login, call_id):
        wizard = self.wizard(login, 'sale.activity.record', [
                self.model(login, 'sale.call')(call_id)])
        form = wizard.form
        form.outcome = self.random.choice(['answered', 'voicemail'])
        form.duration = dt.timedelta(seconds=self.random.randrange(20, 300))
        wizard.execute('save')

    def promise(self, login):
        "Plan calls soon, with a reminder, whatever time it is"
        Call = self.model(login, 'sale.call')
        Tracking = self.model(login, 'sale.tracking')
        trackings = Tracking.find([
                ('operator', '=', self.employee_id(login)),
                ('state', '=', 'open'),
                ('indicator', '=', 'in_progress'),
                ], order=[('start_date', 'DESC')], limit=len(data.PROMISES))
        for tracking, (summary, hours) in zip(trackings, data.PROMISES):
            Call(
                tracking=tracking, summary=summary,
                planned_date=self.now.replace(second=0) + dt.timedelta(
                    hours=hours),
                reminder=dt.timedelta(minutes=10)).save()

    def employee_id(self, login):
        return next(id_ for id_, l in self.logins.items() if l == login)

    def incident(self, moment, login, tracking_id):
        "Register what went wrong for a customer"
        Task = self.model(login, 'sale.task')
        TaskType = self.model(login, 'sale.task.type')
        Tracking = self.model(login, 'sale.tracking')
        trackings = Tracking.find([
                ('id', '=', tracking_id),
                ('state', '=', 'open'),
                ])
        if not trackings:
            return
        title, type_, priority = self.random.choice(data.INCIDENTS)
        wizard = self.wizard(
            login, 'sale.tracking.create_incident', trackings)
        wizard.form.summary = title
        wizard.form.type = TaskType(ref(type_))
        wizard.form.priority = priority
        wizard.form.planned_date = moment + dt.timedelta(days=4)
        wizard.execute('create_')
        incident, = Task.find([], order=[('id', 'DESC')], limit=1)
        if self.random.random() < .6:
            incident.click('start')

    def link_task(self, moment, login):
        "Plan a task that is about several customers"
        Task = self.model(login, 'sale.task')
        Tracking = self.model(login, 'sale.tracking')
        task = Task(
            summary=data.COMMON_TASK, priority='high',
            planned_date=self.moment(workday(
                    self.today_at(moment), self.random.randrange(4, 8))))
        task.save()
        for tracking in Tracking.find([
                    ('operator', '=', self.employee_id(login)),
                    ('state', '=', 'open'),
                    ('interest', 'in', ['2', '3']),
                    ], limit=3):
            wizard = self.wizard(
                login, 'sale.tracking.link_task', [tracking])
            wizard.form.tasks.append(Task(task.id))
            wizard.execute('link')

    def do_task(self, moment, login, tracking_id):
        Task = self.model(login, 'sale.task')
        for task in Task.find([
                    ('tracking', '=', tracking_id),
                    ('kind', '=', 'task'),
                    ('state', '=', 'pending'),
                    ]):
            wizard = self.wizard(login, 'sale.activity.record', [task])
            wizard.execute('save')

    def create_opportunity(self, tracking_id, moment):
        "Create the opportunity of a tracking that was won"
        login = 'responsable'
        Sale = self.model(login, 'sale.sale')
        Tracking = self.model(login, 'sale.tracking')
        tracking = Tracking(tracking_id)
        self.wizard(login, 'sale.opportunity.open', [tracking])
        tracking.reload()
        opportunity = tracking.opportunity
        opportunity.amount = Decimal(
            self.random.randrange(2, 90) * 500_000)
        opportunity.save()
        if self.random.random() < .5:
            opportunity.click('convert')
            sale, = Sale.find([
                    ('origin', '=', f'sale.opportunity,{opportunity.id}'),
                    ])
            sale.lines.new(
                type='comment', description=tracking.business_unit.name)
            sale.click('quote')
            self.follow_up(moment, login, sale, tracking.operator)

    def follow_up(self, moment, login, sale, operator):
        "Plan what comes next after the quotation"
        wizard = self.wizard(login, 'sale.tracking.follow_up', [sale])
        wizard.form.operator = operator
        wizard.form.date = self.moment(workday(
                self.today_at(moment), self.random.randrange(2, 20)))
        wizard.form.summary = self.random.choice(data.NEXT['3'])
        wizard.execute('follow')
