# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import base64
import datetime as dt
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import unittest
from collections import Counter, defaultdict
from contextlib import contextmanager
from unittest.mock import patch

import trytond.config as config
from trytond import backend
from trytond.modules.company.tests import create_company, create_employee
from trytond.pool import Pool
from trytond.protocols.jsonrpc import JSONDecoder, JSONEncoder
from trytond.tests.test_tryton import DB_NAME, activate_module, drop_db
from trytond.transaction import Transaction

PASSWORD = 'secret of the operators'
# The sessions, the customers, how many sessions and servers are killed, the
# records of a long job and the rows of an import
SIZES = {
    'short': (6, 60, 2, 400, 4000),
    'long': (20, 2000, 10, 20000, 20000),
    }
SIZE = os.environ.get('FAULTS', 'short')
SESSIONS, CUSTOMERS, KILLS, RECORDS, ROWS = SIZES[SIZE]


class Lost(Exception):
    "The answer of the server was lost"


class Refused(Exception):
    "The server answered with an error"


class Process:
    "A process of Tryton that may be killed at any time"

    def __init__(self, command, *arguments, **environ):
        environ = {
            'TRYTOND_CACHE__CLEAN_TIMEOUT': '0',
            **{f'TRYTOND_{n}': v for n, v in environ.items()}}
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [os.path.join(sysconfig.get_path('scripts'), command),
                '-d', DB_NAME, *arguments],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={**os.environ, **environ}, start_new_session=True)

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()


class Server(Process):

    def __init__(self):
        with socket.socket() as sock:
            sock.bind(('127.0.0.1', 0))
            self.port = sock.getsockname()[1]
        super().__init__(
            'trytond', WEB__LISTEN=f'127.0.0.1:{self.port}')
        self.wait()

    def wait(self, timeout=120):
        end = time.monotonic() + timeout
        while True:
            try:
                socket.create_connection(('127.0.0.1', self.port), 1).close()
                break
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    self.log.seek(0)
                    raise RuntimeError(self.log.read().decode())
                time.sleep(0.1)


class Worker(Process):

    def __init__(self):
        super().__init__('trytond-worker', '-n', '1', QUEUE__WORKER='True')


@contextmanager
def worker_queue():
    "Leave the tasks of the queue to the workers"
    before = config.getboolean('queue', 'worker', default=False)
    config.set('queue', 'worker', 'True')
    try:
        yield
    finally:
        config.set('queue', 'worker', str(before))


class Servers:
    "Two servers of which one can be killed at a time"

    def __init__(self):
        self.servers = [Server(), Server()]

    def kill(self):
        index = random.randrange(len(self.servers))
        self.servers[index].kill()
        self.servers[index] = Server()

    def close(self):
        for server in self.servers:
            server.kill()


class Client:
    "A client that goes to the other server when the answer is lost"

    def __init__(self, servers, login):
        self.servers = servers
        self.index = random.randrange(len(servers.servers))
        self.headers = {'Content-Type': 'application/json'}
        user, session, *_ = self.insist(
            'common.db.login', login, {'password': PASSWORD}, 'en')
        token = base64.b64encode(f'{login}:{user}:{session}'.encode()).decode()
        self.headers['Authorization'] = f'Session {token}'
        self.context = self.insist(
            'model.res.user.get_preferences', True, {})

    def call(self, method, *params):
        server = self.servers.servers[self.index]
        connection = http.client.HTTPConnection(
            '127.0.0.1', server.port, timeout=60)
        try:
            connection.request(
                'POST', f'/{DB_NAME}/rpc/', json.dumps(
                    {'id': 1, 'method': method, 'params': params},
                    cls=JSONEncoder),
                self.headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as e:
            self.index = (self.index + 1) % len(self.servers.servers)
            raise Lost from e
        finally:
            connection.close()
        if response.status != 200:
            raise Refused(response.status)
        answer = json.loads(body, object_hook=JSONDecoder())
        if 'error' in answer:
            raise Refused(answer['error'])
        return answer['result']

    def insist(self, method, *params):
        "Press again until there is an answer"
        while True:
            try:
                return self.call(method, *params)
            except Lost:
                time.sleep(0.1)

    def execute(self, name, session, data, state, **context):
        return self.insist(
            f'wizard.{name}.execute', session, data, state,
            {**self.context, **context})


class Operator(threading.Thread):
    "Somebody who attends the customers of a campaign until there is nobody"

    def __init__(self, servers, login, action, results):
        super().__init__(name=login)
        self.servers = servers
        self.action = action
        self.results = results
        self.number = 0
        self.shown = []         # (tracking, when)
        self.saved = []         # (text, tracking, when shown, when saved)
        self.refused = []       # (text, error)
        self.gone = False
        self.error = None

    def run(self):
        try:
            client = Client(self.servers, self.name)
            while not self.gone:
                self.attend(client)
                time.sleep(0.2)
        except Exception as e:
            self.error = e

    def attend(self, client):
        "Attend until there is nobody to call or something is refused"
        name = 'sale.campaign.attend'
        session, state, _ = client.insist(
            f'wizard.{name}.create', client.context)
        data, text, tracking, shown = {}, None, None, None
        while not self.gone:
            try:
                view = client.execute(
                    name, session, data, state,
                    action_id=self.action).get('view')
            except Refused as e:
                if text:
                    self.refused.append((text, e))
                    return
                raise
            moment = time.monotonic()
            if text:
                self.saved.append((text, tracking, shown, moment))
            if not view or view['state'] != 'attend':
                return
            values = {
                n: v for n, v in view['defaults'].items() if '.' not in n}
            tracking, shown = values['tracking'], moment
            self.shown.append((tracking, shown))
            self.number += 1
            text = f"{self.name} {self.number}."
            result = self.results[self.number % len(self.results)]
            state, data = 'save_next', {
                'attend': {
                    **values,
                    'comment': text,
                    'result': str(result),
                    'duration': dt.timedelta(minutes=3),
                    }}


@unittest.skipUnless(
    backend.name == 'postgresql', "SQLite has one writer at a time")
class FaultsTestCase(unittest.TestCase):
    "Test what is left when servers, workers and sessions are killed"

    @classmethod
    def setUpClass(cls):
        activate_module('sale_opportunity_management')
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        drop_db()

    @contextmanager
    def start(self):
        with Transaction().start(DB_NAME, 1) as transaction:
            User = Pool().get('res.user')
            with transaction.set_context(
                    User.get_preferences(context_only=True)):
                yield Pool()

    def set_up(self, *names, group='group_tracking'):
        "Return the ids of a company and of employees with a user each"
        with Transaction().start(DB_NAME, 1):
            pool = Pool()
            ModelData = pool.get('ir.model.data')
            User = pool.get('res.user')
            company = create_company()
            group = ModelData.get_id('sale_opportunity_management', group)
            employees = [create_employee(company, name) for name in names]
            User.create([{
                        'name': name,
                        'login': name,
                        'password': PASSWORD,
                        'companies': [('add', [company.id])],
                        'company': company.id,
                        'employees': [('add', [employee.id])],
                        'employee': employee.id,
                        'groups': [('add', [group])],
                        } for name, employee in zip(names, employees)])
            User.write([User(1)], {
                    'companies': [('add', [company.id])],
                    'company': company.id,
                    })
            return company.id, [e.id for e in employees]

    def create_campaign(self, company, operators):
        """Return the ids of the action to attend, of the campaign and of the
        results of its calls"""
        with self.start() as pool:
            ActionWizard = pool.get('ir.action.wizard')
            BusinessUnit = pool.get('sale.business_unit')
            Campaign = pool.get('sale.campaign')
            ModelData = pool.get('ir.model.data')
            Party = pool.get('party.party')
            Tracking = pool.get('sale.tracking')
            Typology = pool.get('sale.campaign.typology')
            typology, = Typology.create([{
                        'name': "Typology",
                        'company': company,
                        'results': [('create', [{
                                        'name': "Buys",
                                        'interest': '3',
                                        'finishes': True,
                                        }, {
                                        'name': "Busy",
                                        'interest': '0',
                                        'retry': dt.timedelta(days=1),
                                        }])],
                        }])
            unit, *_ = BusinessUnit.search([])
            campaign, = Campaign.create([{
                        'name': "Campaign",
                        'company': company,
                        'typology': typology.id,
                        'business_unit': unit.id,
                        'start_date': dt.date(2020, 1, 1),
                        'release_delay': dt.timedelta(hours=1),
                        'operators': [('add', operators)],
                        'state': 'running',
                        }])
            Tracking.create([{
                        'company': company,
                        'business_unit': unit.id,
                        'party': party.id,
                        'campaign': campaign.id,
                        } for party in Party.create([
                            {'name': f"Customer {i}"}
                            for i in range(CUSTOMERS)])])
            action = ActionWizard(ModelData.get_id(
                    'sale_opportunity_management', 'wizard_campaign_attend'))
            return action.action.id, campaign.id, [
                r.id for r in typology.results]

    def insist(self, function):
        "Call the function with the pool until no other was first"
        while True:
            try:
                with self.start() as pool:
                    return function(pool)
            except backend.DatabaseOperationalError:
                time.sleep(0.1)

    def count(self, campaign, gone):
        """Return how many customers are to be called and how many are taken

        The time passes after which what the gone operators hold comes back."""

        def count(pool):
            Campaign = pool.get('sale.campaign')
            Tracking = pool.get('sale.tracking')
            now = dt.datetime.now()
            domain = [('campaign', '=', campaign), ('state', '=', 'open')]
            Tracking.write(Tracking.search(domain + [
                        ('taken_by.rec_name', 'in', gone),
                        ]), {'taken_date': dt.datetime(2020, 1, 1)})
            Tracking.give_back_expired([Campaign(campaign)])
            taken = domain + [('taken_by', '!=', None)]
            waiting = domain + [
                ('taken_by', '=', None), ('next_attempt', '<=', now)]
            return (
                Tracking.search(waiting, count=True),
                Tracking.search(taken, count=True))
        return self.insist(count)

    def change(self, campaign, operators):
        "Pause the campaign for a moment and reassign what is held"

        def pause(pool):
            Campaign = pool.get('sale.campaign')
            Tracking = pool.get('sale.tracking')
            Campaign.pause([Campaign(campaign)])
            held = Tracking.search([
                    ('campaign', '=', campaign),
                    ('taken_by', '!=', None),
                    ], limit=2)
            for tracking in held:
                Tracking.write([tracking], {
                        'operator': random.choice(operators),
                        })

        def run(pool):
            Campaign = pool.get('sale.campaign')
            Campaign.run([Campaign(campaign)])

        self.insist(pause)
        time.sleep(0.5)
        self.insist(run)

    def test_campaign(self):
        "Test that each customer is attended once by one operator"
        names = [f"operator_{i}" for i in range(SESSIONS)]
        company, employees = self.set_up(*names)
        action, campaign, results = self.create_campaign(company, employees)
        servers = Servers()
        self.addCleanup(servers.close)
        operators = [
            Operator(servers, name, action, results)
            for name in names]
        for operator in operators:
            operator.start()
        gone = []
        try:
            while sum(self.count(campaign, gone)):
                time.sleep(0.2)
                for operator in operators:
                    if operator.error:
                        raise operator.error
                saved = sum(len(o.saved) for o in operators)
                if (len(gone) < KILLS
                        and saved > CUSTOMERS // (KILLS + 1) * (
                            len(gone) + 1)):
                    operator = operators[len(gone)]
                    operator.gone = True
                    gone.append(operator.name)
                    servers.kill()
                    # Who is gone does not get them
                    self.change(campaign, employees[KILLS:])
        finally:
            for operator in operators:
                operator.gone = True
            for operator in operators:
                operator.join()
        self.assertEqual(len(gone), KILLS)

        with self.start() as pool:
            Call = pool.get('sale.call')
            calls = Call.search([('tracking.campaign', '=', campaign)])
            done = Counter(c.description for c in calls)
            attended = Counter(c.tracking.id for c in calls)
        saved = {text for o in operators for text, *_ in o.saved}
        refused = {text for o in operators for text, _ in o.refused}
        # None is lost and none is twice
        self.assertEqual(len(attended), CUSTOMERS)
        self.assertEqual(set(attended.values()), {1})
        self.assertEqual(set(done.values()), {1})
        # What was acknowledged is done and what was refused is not
        self.assertFalse(saved - set(done))
        self.assertFalse(refused & set(done))
        # Nobody is shown a customer while another attends it
        shown = defaultdict(list)
        for operator in operators:
            for tracking, moment in operator.shown:
                shown[tracking].append((moment, operator.name))
        for operator in operators:
            for text, tracking, begin, end in operator.saved:
                self.assertFalse([
                        name for moment, name in shown[tracking]
                        if begin < moment < end and name != operator.name],
                    msg=text)
        if SIZE == 'long':
            print(
                f"{len(saved)} acknowledged and {len(refused)} refused saves "
                f"of {len(operators)} sessions, {len(gone)} sessions and "
                f"servers killed: {len(calls)} calls of "
                f"{CUSTOMERS} customers", file=sys.stderr)

    def test_job(self):
        "Test that a long job is complete when its worker is killed"
        company, operators = self.set_up("operator", "colleague")
        with self.start() as pool:
            BusinessUnit = pool.get('sale.business_unit')
            Party = pool.get('party.party')
            Tracking = pool.get('sale.tracking')
            unit, *_ = BusinessUnit.search([])
            Tracking.create([{
                        'company': company,
                        'business_unit': unit.id,
                        'party': party.id,
                        } for party in Party.create([{}] * RECORDS)])
        domain = [('company', '=', company)]
        worker = Worker()
        self.addCleanup(worker.kill)

        def assign(pool):
            Employee = pool.get('company.employee')
            Tracking = pool.get('sale.tracking')
            # Enough slices to be killed between
            with patch(
                    'trytond.modules.sale_opportunity_management'
                    '.tracking_assign.ASSIGN_SIZE', RECORDS // 20):
                Tracking.assign(
                    Tracking.search(domain), Employee.browse(operators))

        def get_jobs(pool):
            Job = pool.get('sale.job')
            jobs = Job.search([])
            return (
                {j.state for j in jobs},
                sum(j.position for j in jobs), sum(j.done for j in jobs))

        def get_errors(pool):
            Job = pool.get('sale.job')
            return [j.error for j in Job.search([])]

        def resume(pool):
            "Let the time pass after which a worker is taken for dead"
            Job = pool.get('sale.job')
            Job.write(Job.search([]), {
                    'last_date': dt.datetime(2020, 1, 1),
                    })
            Job.resume_dead()

        def get_assigned(pool):
            Notification = pool.get('res.notification')
            Tracking = pool.get('sale.tracking')
            return (
                Counter(t.operator.id for t in Tracking.search(domain)),
                [n.label for n in Notification.search([
                            ('user.employee', 'in', operators),
                            ])])

        with worker_queue():
            self.insist(assign)
            while self.insist(get_jobs)[1] < RECORDS // 4:
                time.sleep(0.05)
            worker.kill()
            states, position, done = self.insist(get_jobs)
            self.assertIn('running', states)
            self.assertLess(position, RECORDS)
            self.assertEqual(done, position)
            worker = Worker()
            self.addCleanup(worker.kill)
            # Twice is as good as once
            self.insist(resume)
            self.insist(resume)
            while 'running' in states:
                time.sleep(0.1)
                states, position, done = self.insist(get_jobs)
        self.assertEqual(
            (states, position, done), ({'done'}, RECORDS, RECORDS),
            msg=self.insist(get_errors))
        assigned, labels = self.insist(get_assigned)
        self.assertEqual(assigned, dict.fromkeys(operators, RECORDS // 2))
        # Both are told once how many they got
        self.assertEqual(len(labels), 2)
        for label in labels:
            self.assertIn(str(RECORDS // 2), label)

    def test_import(self):
        "Test that an import is complete when its worker is killed"
        company, _ = self.set_up("importer", group='group_tracking_admin')
        worker = Worker()
        self.addCleanup(worker.kill)

        def begin(pool):
            ContactImport = pool.get('party.contact.import')
            User = pool.get('res.user')
            user, = User.search([('login', '=', 'importer')])
            lines = [f"Imported {i};+5731055{i:05}" for i in range(ROWS)]
            import_, = ContactImport.create([{
                        'company': company,
                        'user': user.id,
                        'file': '\n'.join(["Name;Mobile", *lines]).encode(),
                        'file_name': "contacts.csv",
                        'headings': json.dumps(["Name", "Mobile"]),
                        'size': ROWS,
                        'duplicates': 'skip',
                        }])
            ContactImport.resume([import_])

        def get_import(pool):
            ContactImport = pool.get('party.contact.import')
            import_, = ContactImport.search([])
            return import_.state, import_.position, import_.created

        def resume(pool):
            "Let the time pass after which a worker is taken for dead"
            ContactImport = pool.get('party.contact.import')
            table = ContactImport.__table__()
            then = dt.datetime(2020, 1, 1)
            Transaction().connection.cursor().execute(*table.update(
                    [table.create_date, table.write_date], [then, then]))
            ContactImport.resume_dead()

        def get_names(pool):
            Party = pool.get('party.party')
            return Counter(p.name for p in Party.search([
                        ('name', 'like', "Imported %"),
                        ]))

        with worker_queue():
            self.insist(begin)
            while not self.insist(get_import)[1]:
                time.sleep(0.05)
            worker.kill()
            state, position, created = self.insist(get_import)
            self.assertEqual(state, 'running')
            self.assertLess(position, ROWS)
            self.assertEqual(created, position)
            worker = Worker()
            self.addCleanup(worker.kill)
            # Twice is as good as once
            self.insist(resume)
            self.insist(resume)
            while state == 'running':
                time.sleep(0.1)
                state, position, created = self.insist(get_import)
        self.assertEqual((state, position, created), ('done', ROWS, ROWS))
        names = self.insist(get_names)
        self.assertEqual(len(names), ROWS)
        self.assertEqual(set(names.values()), {1})
