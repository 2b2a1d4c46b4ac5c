# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

SAO_ROOT = os.environ.get('TRYTON_SAO_ROOT')
CHROMIUM = os.environ.get('CHROMIUM')
DATABASE = 'browser'
CONFIGURATION = """\
[database]
uri = sqlite://
path = {path}
[web]
listen = 127.0.0.1:{port}
root = {root}
[password]
length = 4
entropy = 0
"""
# It is run in a process of its own as each has only one configuration
SET_UP = """\
import datetime as dt
import zoneinfo
from proteus import Model
from trytond.modules.sale_opportunity_management.tests.tools import (
    create_team, freeze, get_user)
from trytond.tests.tools import activate_modules
activate_modules('sale_opportunity_management', create_team)
Item = Model.get('ir.module.config_wizard.item')
for item in Item.find([('state', '=', 'open')]):
    item.state = 'done'
    item.save()
for login in ['ana', 'olga', 'oscar', 'pablo']:
    user = get_user(login)
    user.password = 'password of ' + login
    user.save()
BusinessUnit = Model.get('sale.business_unit')
Campaign = Model.get('sale.campaign')
Typology = Model.get('sale.campaign.typology')
Call = Model.get('sale.call')
Employee = Model.get('company.employee')
Meeting = Model.get('sale.meeting')
Party = Model.get('party.party')
Tracking = Model.get('sale.tracking')
unit = BusinessUnit.find([])[0]
Campaign = Model.get('sale.campaign')
Typology = Model.get('sale.campaign.typology')
olga, = Employee.find([('party.name', '=', "Olga Operator")])
for name, operator in [
        ("Customer of Olga", olga),
        ("Customer of Nobody", None),
        ("Another of Nobody", None)]:
    party = Party(name=name)
    mechanism = party.contact_mechanisms.new(type='phone')
    mechanism.value = '+573105551234'
    party.save()
    Tracking(party=party, business_unit=unit, operator=operator).save()
pablo, = Employee.find([('party.name', '=', "Pablo Outside")])
for name in ["Day One", "Day Two", "Day Three"]:
    party = Party(name=name)
    party.save()
    Tracking(party=party, business_unit=unit, operator=pablo).save()
party = Party(name="Late Customer")
party.save()
tracking = Tracking(party=party, business_unit=unit, operator=olga)
tracking.save()
before = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=2)
with freeze(*before.timetuple()[:5]):
    Call(
        tracking=tracking, summary="Ask about the quotation",
        planned_date=dt.datetime(*before.timetuple()[:5])
        + dt.timedelta(hours=1)).save()
typology, = Typology.find([('name', '=', "Sales")])
oscar, = Employee.find([('party.name', '=', "Oscar Operator")])
# On the Monday of the next week of the browser, which begins on Sunday
today = dt.datetime.now(zoneinfo.ZoneInfo('America/Bogota')).date()
monday = today + dt.timedelta(days=8 - today.isoweekday() % 7)
Meeting(
    summary="Visit the shop", place="Calle 72", assignee=oscar,
    planned_date=dt.datetime.combine(monday, dt.time(15))).save()
campaign = Campaign(name="Frames", typology=typology, business_unit=unit)
campaign.operators.append(oscar)
campaign.save()
campaign.click('run')
for i in range(10):
    party = Party(name="To Call %d" % i)
    mechanism = party.contact_mechanisms.new(type='phone')
    mechanism.value = '+57310555200%d' % i
    party.save()
    Tracking(party=party, business_unit=unit, campaign=campaign).save()
"""


@unittest.skipUnless(SAO_ROOT, "TRYTON_SAO_ROOT names no web client")
@unittest.skipUnless(CHROMIUM, "CHROMIUM names no browser")
class BrowserTestCase(unittest.TestCase):
    "Test the module in the web client"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = tempfile.TemporaryDirectory()
        path = cls.directory.name
        with socket.socket() as sock:
            sock.bind(('127.0.0.1', 0))
            port = sock.getsockname()[1]
        configuration = os.path.join(path, 'trytond.conf')
        with open(configuration, 'w') as file:
            file.write(CONFIGURATION.format(
                    path=path, port=port, root=SAO_ROOT))
        environ = {
            **os.environ, 'TRYTOND_CONFIG': configuration, 'DB_NAME': DATABASE}
        environ.pop('TRYTOND_DATABASE_URI', None)
        subprocess.run([sys.executable, '-c', SET_UP], env=environ, check=True)
        server = os.path.join(os.path.dirname(sys.executable), 'trytond')
        cls.server = subprocess.Popen(
            [server, '-d', DATABASE], env=environ)
        cls.url = f'http://127.0.0.1:{port}'
        for _ in range(120):
            try:
                urllib.request.urlopen(cls.url).close()
                break
            except OSError:
                time.sleep(.5)

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.wait()
        cls.directory.cleanup()
        super().tearDownClass()

    def sao(self):
        from .sao import Sao
        return Sao(self.url, DATABASE, CHROMIUM)

    def test_operator(self):
        "Test that an operator records a call and plans the next one"
        tomorrow = dt.datetime.now() + dt.timedelta(days=1)
        with self.sao() as sao:
            sao.login('olga', 'password of olga')
            sao.menu("Trackings", "My Trackings")
            sao.open("Customer of Olga")
            sao.button("Record Call")
            self.assertEqual(
                sao.field('phone').input_value(), '+57 310 5551234')
            sao.fill('interest', "High Interest, Make the Sale")
            sao.fill('description', "Buys ten frames")
            sao.fill('duration', '0:05')
            sao.fill('rating', "★★★★")
            sao.fill('next_date', tomorrow.strftime('%m/%d/%Y 10:30'))
            sao.fill('next_summary', "Confirm the order")
            sao.button("Save")
            planned, done = sao.rows()
            self.assertIn("Confirm the order", planned)
            self.assertIn("10:30", planned)
            self.assertIn("Buys ten frames", done)
            self.assertEqual(sao.field('interest_path').input_value(), '3')
            sao.tab("Calls")
            planned, done = sao.rows()
            self.assertIn("Follow-up Call", planned)
            self.assertIn("First Call", done)
            self.assertIn("Answered", done)
            sao.check()

    def test_daily_work(self):
        "Test that an operator works off what is due and concludes"
        next_week = dt.datetime.now() + dt.timedelta(days=8)
        with self.sao() as sao:
            sao.login('olga', 'password of olga')
            sao.menu("Trackings", "My Work")
            row, = sao.rows()
            self.assertIn("Ask about the quotation", row)
            sao.row_button("Late Customer", "Result")
            sao.fill('interest', "Some Interest, Send More Information")
            sao.fill('description', "The price is too high")
            sao.fill('next_kind', "Task")
            sao.fill('next_date', next_week.strftime('%m/%d/%Y 09:00'))
            sao.fill('next_summary', "Send a new quotation")
            sao.button("Save")
            # A line stays in front of the user until another tab is selected
            sao.tab("Later")
            row, = sao.rows()
            self.assertIn("Send a new quotation", row)
            sao.row_button("Late Customer", "Result")
            sao.fill('description', "Sent, does not want it")
            sao.check_box('close_tracking')
            sao.button("Save")
            sao.tab("Pending")
            self.assertEqual(sao.rows(), [])
            sao.menu("Trackings", "My Trackings")
            sao.tab("Closed")
            row, = sao.rows()
            self.assertIn("Late Customer", row)
            sao.check()

    def test_day(self):
        "Test that a customer takes at most five keys, and one by the mouse"
        with self.sao() as sao:
            sao.login('pablo', 'password of pablo')
            sao.menu("Trackings", "My Day")
            sao.page.evaluate('''() => {
                window.presses = 0;
                for (const type of ['keydown', 'mousedown']) {
                    window.addEventListener(
                        type, () => window.presses++, true);
                }
                }''')
            # High interest and to call tomorrow, then nobody answers
            for customer, keys in [
                    ("Day One", ['h', 'Tab', 'i']), ("Day Two", ['n'])]:
                sao.wait_focus('interest')
                self.assertEqual(sao.value('party'), customer)
                sao.page.evaluate('window.presses = 0')
                sao.press(*keys)
                sao.press_access('s')
                presses = sao.page.evaluate('window.presses')
                self.assertEqual(presses, len(keys) + 1)
                self.assertLessEqual(presses, 5)
            self.assertEqual(sao.value('party'), "Day Three")
            sao.fill('interest', "Some Interest, Send More Information")
            sao.fill('next_step', "In 1 Week")
            sao.button("Save and Next")
            self.assertIn("nothing to do", sao.value('text'))
            sao.button("Close")
            sao.menu("Trackings", "My Work")
            sao.tab("Pending")
            self.assertEqual(len(sao.rows()), 3)
            sao.check()

    def test_campaign(self):
        "Test that an operator attends ten customers with the keyboard only"
        yesterday = dt.datetime.now() - dt.timedelta(days=1)
        tomorrow = dt.datetime.now() + dt.timedelta(days=1)
        results = [
            "Buys", "Not Interested", "Wrong Number", "Has Another Supplier",
            "Call Back Later"] * 2
        with self.sao() as sao:
            sao.login('oscar', 'password of oscar')
            # The search box finds customers and actions
            sao.search("Attend Next")
            attended = []
            for i, result in enumerate(results):
                sao.wait_focus('comment')
                sao.wait()
                customer = sao.value('party')
                attended.append(customer)
                if i == 1:
                    # The buttons have a key each, also from the comment
                    sao.write('comment', "Calls back at once")
                    sao.press_access('o')
                    sao.wait_focus('comment')
                    self.assertEqual(sao.value('party'), customer)
                    self.assertIn("Calls back at once", sao.rows()[-1])
                sao.write('comment', f"Talked with {customer}")
                sao.press('Tab')
                sao.wait_focus('result')
                sao.type(result)
                sao.press('Tab')
                if result == "Call Back Later":
                    sao.wait_focus('callback_date')
                    if i < 5:
                        # It is refused and nothing is lost
                        sao.type(yesterday.strftime('%m/%d/%Y 10:30'))
                        sao.press('Enter')
                        self.assertIn("in the past", sao.scope.inner_text())
                        sao.press('Enter')
                        self.assertEqual(
                            sao.field('comment').input_value(),
                            f"Talked with {customer}")
                        sao.field('callback_date').focus()
                        sao.press('Control+a')
                    sao.type(tomorrow.strftime('%m/%d/%Y 10:30'))
                    sao.press('Tab')
                sao.wait_focus('duration')
                sao.type('0:03')
                # The default button saves and brings the next one
                if i % 2:
                    sao.press('Enter')
                else:
                    sao.press_access('s')
            self.assertEqual(
                sorted(attended), [f"To Call {i}" for i in range(10)])
            self.assertIn(
                "Nobody is to be called", sao.field('text').input_value())
            sao.press('Tab', 'Escape')
            sao.menu("Trackings", "Panel")
            sao.tab("Retry Later")
            self.assertEqual(len(sao.rows()), 2)
            self.assertIn("Call Back Later", sao.rows()[0])
            sao.menu("Trackings", "My Trackings")
            sao.tab("Closed")
            self.assertEqual(len(sao.rows()), 8)
            sao.check()

    def test_agenda(self):
        "Test that a meeting is dragged to a later day of the agenda"
        with self.sao() as sao:
            sao.login('oscar', 'password of oscar')
            sao.menu("Trackings", "My Agenda")
            sao.scope.locator('.fc-next-button').click()
            sao.wait()
            day = sao.move_event("Visit the shop", 2)
            day = dt.date.fromisoformat(day).strftime('%m/%d/%Y')
            sao.menu("Trackings", "My Meetings")
            sao.tab("All")
            row, = sao.rows()
            self.assertIn(day, row)
            self.assertIn("10:00", row)
            sao.check()

    def test_meetings(self):
        "Test that a meeting of the list opens as a form"
        with self.sao() as sao:
            sao.login('oscar', 'password of oscar')
            sao.menu("Trackings", "My Meetings")
            sao.tab("All")
            sao.open("Visit the shop")
            for name, value in [
                    ('summary', "Visit the shop"),
                    ('place', "Calle 72"),
                    ('assignee', "Oscar Operator"),
                    ]:
                self.assertEqual(sao.field(name).input_value(), value)
            sao.check()

    def test_administrator(self):
        "Test that an administrator assigns and prints a report"
        with self.sao() as sao:
            sao.login('ana', 'password of ana')
            sao.menu("Trackings", "Assign Trackings")
            sao.fill('number', '2')
            sao.add("To Operators", "Olga Operator")
            sao.button("Assign")
            self.assertEqual(
                sao.field('text').input_value(), "Olga Operator: 2")
            sao.button("OK")
            sao.menu("Trackings", "Reporting", "Print", "Calls Done")
            sao.button("Print as PDF")
            for _ in range(60):
                if sao.downloads:
                    break
                sao.page.wait_for_timeout(1000)
            download, = sao.downloads
            with open(download.path(), 'rb') as file:
                self.assertEqual(file.read(4), b'%PDF')
            sao.check()
