# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest
from unittest.mock import patch

from trytond.exceptions import UserError
from trytond.modules.company.tests import create_employee
from trytond.modules.sale_opportunity_management.campaign.exceptions import (
    AttendError, CampaignError)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from . import tools
from .test_campaign import CampaignMixin

START = dt.datetime(2026, 3, 2, 15, 0)


def freeze(moment):
    "Stop the clock at the moment in UTC"
    return tools.freeze(*moment.timetuple()[:6])


def minutes(number):
    return START + dt.timedelta(minutes=number)


class CampaignQueueTestCase(CampaignMixin, unittest.TestCase):
    "Test the queue of the campaigns"

    def set_up(self):
        super().set_up()
        with freeze(START):
            self.campaign = self.create_campaign(
                start_date=dt.date(2026, 1, 1))

    def create(self, number=1, moment=START, **values):
        with freeze(moment):
            return self.create_trackings(self.campaign, number, **values)

    def next(self, name, moment):
        "Take the next one and return its id and why it comes"
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        with self.as_user(name), freeze(moment):
            result = Campaign.next(Campaign(self.campaign.id))
        return result['tracking'], result['reason'].replace(
            '\N{NO-BREAK SPACE}', ' ')

    def attend(self, name, tracking, moment, result=None, **values):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        if isinstance(result, str):
            result = self.result(result).id
        with self.as_user(name), freeze(moment):
            Tracking.attend(
                Tracking(int(tracking)), result=result, **values)
        return Tracking(int(tracking))

    def call(self, name, method, tracking, moment, *args):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        with self.as_user(name), freeze(moment):
            return getattr(Tracking, method)(Tracking(int(tracking)), *args)

    def notes(self, tracking):
        pool = Pool()
        Note = pool.get('ir.note')
        return [
            n.message for n in Note.search(
                [('resource', '=', str(tracking))], order=[('id', 'ASC')])]

    @with_transaction()
    def test_order(self):
        "Test that they come by priority and age"
        self.set_up()
        normal, = self.create(moment=minutes(0))
        older, = self.create(moment=minutes(-10))
        low, = self.create(moment=minutes(-20), priority='1')
        urgent, = self.create(moment=minutes(1), priority='4')
        later, = self.create(moment=minutes(60), priority='4')
        for i, tracking in enumerate([urgent, older, normal, low]):
            id_, reason = self.next('operator', minutes(10 + i))
            self.assertEqual(id_, tracking.id)
            self.assertTrue(reason.startswith("Not called yet"), msg=reason)
            self.attend('operator', id_, minutes(10 + i), 'sold')
        id_, reason = self.next('operator', minutes(20))
        self.assertEqual(id_, None)
        self.assertIn("before 03/02/2026 11:00", reason)
        id_, _ = self.next('operator', minutes(60))
        self.assertEqual(id_, later.id)
        self.attend('operator', id_, minutes(60), 'sold')
        id_, reason = self.next('operator', minutes(61))
        self.assertEqual(id_, None)
        self.assertIn("Nobody is left", reason)

    @with_transaction()
    def test_taken_once(self):
        "Test that two operators never get the same"
        self.set_up()
        first, second = self.create(2)
        id_, _ = self.next('operator', minutes(1))
        self.assertEqual(id_, first.id)
        self.assertEqual(first.operator, self.employees['operator'])
        self.assertEqual(first.taken_by, self.employees['operator'])
        # Whoever holds one gets it again
        id_, reason = self.next('operator', minutes(2))
        self.assertEqual(id_, first.id)
        self.assertEqual(
            reason,
            "You took it on 03/02/2026 10:01 and did not finish it")
        id_, _ = self.next('colleague', minutes(2))
        self.assertEqual(id_, second.id)
        with self.assertRaises(AttendError):
            self.call('colleague', 'take', first, minutes(3))

    @with_transaction()
    def test_read(self):
        "Test that an operator reads only what was taken"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.set_up()
        self.create(2)
        with self.as_user('operator'):
            self.assertFalse(Tracking.search([]))
        id_, _ = self.next('operator', minutes(1))
        with self.as_user('operator'):
            tracking, = Tracking.search([])
            self.assertEqual(tracking.id, id_)
            self.assertEqual(tracking.campaign.rec_name, "Campaign")

    @with_transaction()
    def test_give_back(self):
        "Test that what is not saved in time comes to another operator"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, = self.create()
        self.next('operator', minutes(0))
        id_, _ = self.next('colleague', minutes(9))
        self.assertEqual(id_, None)
        with freeze(minutes(11)):
            Tracking.give_back_expired()
        tracking = Tracking(tracking.id)
        self.assertEqual((tracking.taken_by, tracking.operator), (None, None))
        id_, _ = self.next('operator', minutes(12))
        self.assertEqual(id_, tracking.id)
        # A comment keeps it
        self.call(
            'operator', 'leave_comment', tracking, minutes(20), "Waiting")
        self.assertEqual(self.next('colleague', minutes(29))[0], None)
        # To ask for the next is enough to get it back
        self.assertEqual(
            self.next('colleague', minutes(31))[0], tracking.id)
        with self.assertRaises(AttendError) as cm:
            self.attend('operator', tracking, minutes(32), 'sold')
        self.assertIn("Colleague", str(cm.exception))
        self.assertEqual(self.notes(tracking), ["Waiting"])

    @with_transaction()
    def test_give_back_planned(self):
        "Test that what is planned stays with who planned it"
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        Session = pool.get('ir.session')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        employee = self.employees['operator']

        def logout():
            with Transaction().set_user(self.users['operator'].id):
                sessions = Session.create([{}])
            Session.delete(sessions)

        for days, give_back in enumerate([
                    Tracking.give_back_expired, logout,
                    lambda: self.next('colleague', minutes(600))], 3):
            with freeze(START):
                self.campaign = self.create_campaign(
                    start_date=dt.date(2026, 1, 1))
            tracking, = self.create()
            self.next('operator', minutes(0))
            with self.as_user('operator'), freeze(minutes(1)):
                meeting, = Meeting.create([{
                            'tracking': tracking.id,
                            'summary': "Visit",
                            'planned_date': minutes(days * 24 * 60),
                            }])
            # The colleague takes this one
            self.create(priority='4')
            with freeze(minutes(600)):
                give_back()
            tracking = Tracking(tracking.id)
            self.assertIsNone(tracking.taken_by)
            self.assertEqual(tracking.operator, employee)
            self.assertEqual(Meeting(meeting.id).assignee, employee)

    @with_transaction()
    def test_give_back_refused(self):
        "Test that one that cannot be given back does not keep the others"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.set_up()
        trackings = self.create(2)
        for tracking in trackings:
            with self.as_user('operator'), freeze(minutes(0)):
                Tracking.take(tracking)
        refused = trackings[0]
        give_back = Tracking._give_back

        def _give_back(tracking, *args):
            give_back(tracking, *args)
            if tracking == refused:
                raise UserError("Refused")

        with patch.object(Tracking, '_give_back', _give_back), \
                freeze(minutes(600)), \
                self.assertLogs(
                    'trytond.modules.sale_opportunity_management'
                    '.campaign', 'ERROR'):
            Tracking.give_back_expired()
        self.assertEqual(
            [t.taken_by for t in Tracking.browse(trackings)],
            [self.employees['operator'], None])

    @with_transaction()
    def test_moved(self):
        "Test that a tracking begins anew in another campaign"
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        attended, promised, held = self.create(3)
        campaign = self.campaign
        other = self.create_campaign(
            start_date=dt.date(2026, 1, 1),
            typology=self.record('campaign_typology_scoring').id)
        self.call('operator', 'take', attended, minutes(0))
        self.attend('operator', attended, minutes(1), 'no_answer')
        self.call('operator', 'take', promised, minutes(2))
        self.attend(
            'operator', promised, minutes(3), 'call_back',
            callback_date=minutes(500))
        self.call('operator', 'take', held, minutes(4))
        self.call(
            'operator', 'save_draft', held, minutes(5), "Draft",
            self.result('no_answer'))
        trackings = Tracking.browse([attended, promised, held])
        # What stays where it is stays as it is
        with freeze(minutes(6)):
            Tracking.write(trackings, {'campaign': campaign.id})
        self.assertEqual(
            [(t.attempts, bool(t.result)) for t in trackings],
            [(1, True), (1, True), (0, False)])
        with freeze(minutes(7)):
            Tracking.write(trackings, {'campaign': other.id})
        for tracking in Tracking.browse(trackings):
            with self.subTest(tracking=tracking.rec_name):
                self.assertEqual(tracking.attempts, 0)
                self.assertEqual(tracking.next_attempt, minutes(7))
                for name in [
                        'result', 'last_attempt', 'callback_date', 'taken_by',
                        'taken_date', 'draft_result', 'draft_callback_date']:
                    self.assertIsNone(getattr(tracking, name), msg=name)
        self.campaign = Campaign(other.id)
        self.assertIn(
            self.next('operator', minutes(8))[0], list(map(int, trackings)))

    @with_transaction()
    def test_moved_later(self):
        "Test that a draft keeps no result of the campaign that it left"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, = self.create()
        result = self.result('no_answer')
        other = self.create_campaign(
            start_date=dt.date(2026, 1, 1),
            typology=self.record('campaign_typology_scoring').id)
        self.call('operator', 'take', tracking, minutes(0))
        self.call(
            'operator', 'save_draft', tracking, minutes(1), "Draft", result)
        self.assertEqual(Tracking(int(tracking)).draft_result, result)
        for campaign in [None, other.id]:
            with freeze(minutes(2)):
                Tracking.write(
                    [Tracking(int(tracking))], {'campaign': campaign})
            moved = Tracking(int(tracking))
            self.assertEqual(moved.draft, "Draft")
            self.assertIsNone(moved.draft_result)
        self.call('operator', 'take', tracking, minutes(3))
        self.call(
            'operator', 'save_draft', tracking, minutes(4), "Draft", result)
        self.assertIsNone(Tracking(int(tracking)).draft_result)

    @with_transaction()
    def test_session(self):
        "Test that the end of the session gives back"
        pool = Pool()
        Session = pool.get('ir.session')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, = self.create()
        user = self.users['operator']
        with Transaction().set_user(user.id):
            keys = [Session.new(), Session.new()]
        self.next('operator', minutes(0))
        with Transaction().set_user(0):
            Session.remove(keys[0])
            self.assertTrue(Tracking(tracking.id).taken_by)
            Session.remove(keys[1])
        self.assertEqual(Tracking(tracking.id).taken_by, None)

    @with_transaction()
    def test_callback(self):
        "Test that a promised call-back comes first and to who promised it"
        pool = Pool()
        Session = pool.get('ir.session')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        promised, other = self.create(2)
        self.call('operator', 'take', promised, minutes(0))
        Tracking.write([other], {'priority': '4'})
        self.attend(
            'operator', promised, minutes(5), 'call_back',
            comment="At noon", callback_date=minutes(120))
        promised = Tracking(promised.id)
        self.assertEqual(promised.callback_date, minutes(120))
        self.assertEqual(promised.taken_by, None)
        call = promised.next_call
        self.assertEqual(call.assignee, self.employees['operator'])
        self.assertEqual(call.planned_date, minutes(120))
        # It is of nobody else as long as the operator is there
        with Transaction().set_user(self.users['operator'].id):
            Session.new()
        session = Session.__table__()
        cursor = Transaction().connection.cursor()

        def use(moment):
            cursor.execute(*session.update(
                    [session.create_date, session.write_date],
                    [moment, moment]))
        use(minutes(118))
        self.assertEqual(self.next('colleague', minutes(121))[0], other.id)
        id_, reason = self.next('operator', minutes(121))
        self.assertEqual(id_, promised.id)
        self.assertEqual(reason, "Call-back promised for 03/02/2026 12:00")
        # To skip it does not lose the promise
        self.call('operator', 'skip', promised, minutes(122), "Lunch")
        self.assertEqual(self.notes(promised)[-1], "Skipped: Lunch")
        self.attend('colleague', other, minutes(122), 'sold')
        self.assertEqual(
            self.next('colleague', minutes(153))[0], promised.id)
        reason = self.next('colleague', minutes(154))[1]
        self.assertTrue(reason.startswith("You took it"), msg=reason)

    @with_transaction()
    def test_work(self):
        "Test that promised calls come first in the day and no others"
        pool = Pool()
        Call = pool.get('sale.call')
        WorkRecord = pool.get('sale.activity.work.record')
        self.set_up()
        promised, taken = self.create(2)
        self.call('operator', 'take', promised, minutes(0))
        self.attend(
            'operator', promised, minutes(5), 'call_back',
            callback_date=minutes(60))
        self.call('operator', 'take', taken, minutes(10))
        with freeze(START):
            overdue, = Call.create([{
                        'company': self.campaign.company.id,
                        'summary': "General",
                        'assignee': self.employees['operator'].id,
                        'planned_date': minutes(30),
                        }])
        call = promised.__class__(promised.id).next_call
        with self.as_user('operator'), freeze(minutes(61)):
            origins, skipped = [], []
            while found := WorkRecord.find_next(skipped)[0]:
                origins.append(found)
                skipped.append(str(found))
            self.assertEqual(origins, [call, overdue])
            _, reason = WorkRecord.find_next([])
            self.assertIn("promised", reason)

    @with_transaction()
    def test_callback_away(self):
        "Test that the call-back of who is away comes to another"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, new = self.create(2)
        self.call('operator', 'take', tracking, minutes(0))
        self.attend(
            'operator', tracking, minutes(5), 'call_back',
            callback_date=minutes(60))
        id_, reason = self.next('colleague', minutes(61))
        self.assertEqual(id_, tracking.id)
        self.assertIn('"Operator", who is away', reason)
        tracking = Tracking(tracking.id)
        self.assertEqual(tracking.operator, self.employees['colleague'])
        # The pending call follows
        self.assertEqual(
            tracking.next_call.assignee, self.employees['colleague'])
        # Given back it is of who promised it
        with freeze(minutes(80)):
            Tracking.give_back_expired()
        self.assertEqual(
            Tracking(tracking.id).operator, self.employees['operator'])
        self.assertEqual(
            self.next('operator', minutes(81))[0], tracking.id)
        self.attend('operator', tracking, minutes(82), 'sold')
        tracking = Tracking(tracking.id)
        self.assertEqual(tracking.state, 'closed')
        self.assertEqual(
            [c.state for c in tracking.calls], ['done', 'done'])
        self.assertEqual(
            {c.result.name for c in tracking.calls},
            {"Buys", "Call Back Later"})

    @with_transaction()
    def test_callback_moved(self):
        "Test that the queue follows the planned call"
        pool = Pool()
        Call = pool.get('sale.call')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, = self.create()
        self.attend(
            'operator', tracking, minutes(5), 'call_back',
            callback_date=minutes(60))
        call = tracking.next_call
        with freeze(minutes(10)):
            Call.write([call], {'planned_date': minutes(90)})
            tracking = Tracking(tracking.id)
            self.assertEqual(
                (tracking.callback_date, tracking.next_attempt),
                (minutes(90), minutes(90)))
            Call.cancel([call])
        tracking = Tracking(tracking.id)
        self.assertEqual(
            (tracking.callback_date, tracking.next_attempt),
            (None, minutes(40)))

    @with_transaction()
    def test_callback_reopen(self):
        "Test that what was promised comes back with the tracking"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, = self.create()
        self.attend(
            'operator', tracking, minutes(5), 'call_back',
            callback_date=minutes(60))
        call = tracking.next_call
        with freeze(minutes(10)):
            with Transaction().set_context(_skip_warnings=True):
                Tracking.close([Tracking(tracking.id)])
            self.assertIsNone(Tracking(tracking.id).next_call)
        with freeze(minutes(20)):
            Tracking.reopen([Tracking(tracking.id)])
        tracking = Tracking(tracking.id)
        self.assertEqual(tracking.next_call, call)
        self.assertEqual(
            (tracking.callback_date, tracking.next_attempt),
            (minutes(60), minutes(60)))

    @with_transaction()
    def test_retry(self):
        "Test that no answer comes again until the attempts are over"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, = self.create()
        moment = START
        for attempt in range(1, 6):
            id_, reason = self.next('operator', moment)
            self.assertEqual(id_, tracking.id)
            if attempt > 1:
                self.assertTrue(
                    reason.startswith(
                        f'Attempt {attempt}, after the result "No Answer"'),
                    msg=reason)
            self.attend('operator', tracking, moment, 'no_answer')
            tracking = Tracking(tracking.id)
            self.assertEqual(tracking.attempts, attempt)
            self.assertEqual(
                self.next('operator', moment + dt.timedelta(hours=3.9))[0],
                None)
            moment += dt.timedelta(hours=4)
        self.assertEqual(tracking.state, 'closed')
        self.assertEqual(tracking.result.name, "No Answer")
        self.assertEqual(self.campaign.contact_rate, 0)
        # Other results do not count
        tracking, = self.create(phone='+573105551111')
        for result in ['busy', 'no_answer', 'sent', 'no_answer']:
            self.attend('operator', tracking, moment, result)
        self.assertEqual(Tracking(tracking.id).state, 'open')
        self.assertEqual(Tracking(tracking.id).attempts, 4)

    @with_transaction()
    def test_retry_shared(self):
        "Test that a retry comes to any operator"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, = self.create()
        self.next('operator', minutes(0))
        self.attend('operator', tracking, minutes(1), 'busy')
        self.assertEqual(
            Tracking(tracking.id).operator, self.employees['operator'])
        self.assertEqual(
            self.next('colleague', minutes(31))[0], tracking.id)
        self.assertEqual(
            Tracking(tracking.id).operator, self.employees['colleague'])

    @with_transaction()
    def test_reserved(self):
        "Test that what was given to an operator comes to nobody else"
        self.set_up()
        given, = self.create(operator=self.employees['operator'].id)
        shared, = self.create(moment=minutes(1))
        self.assertEqual(self.next('colleague', minutes(2))[0], shared.id)
        self.assertEqual(self.next('operator', minutes(2))[0], given.id)
        self.attend('operator', given, minutes(3), 'busy')
        self.attend('colleague', shared, minutes(3), 'sold')
        self.assertEqual(self.next('colleague', minutes(60))[0], None)
        self.assertEqual(self.next('operator', minutes(60))[0], given.id)

    @with_transaction()
    def test_attend(self):
        "Test what attending records"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, = self.create()
        self.next('operator', minutes(0))
        self.attend(
            'operator', tracking, minutes(7), 'sold', comment=" Two boxes ")
        tracking = Tracking(tracking.id)
        call, = tracking.calls
        self.assertEqual(call.state, 'done')
        self.assertEqual(call.done_by, self.employees['operator'])
        self.assertEqual(call.done_date, minutes(7))
        self.assertEqual(call.description, "Two boxes")
        self.assertEqual(call.interest, '3')
        self.assertEqual(call.result, self.result('sold'))
        self.assertEqual(call.attend_duration, dt.timedelta(minutes=7))
        self.assertEqual(call.duration, dt.timedelta(minutes=7))
        self.assertEqual(tracking.state, 'closed')
        self.assertEqual(tracking.result, self.result('sold'))
        self.assertEqual(tracking.taken_by, None)
        opportunity = tracking.opportunity
        self.assertEqual(opportunity.state, 'opportunity')
        self.assertEqual(opportunity.party, tracking.party)
        self.assertEqual(opportunity.employee, self.employees['operator'])
        self.assertEqual(
            (self.campaign.won, self.campaign.calls,
                self.campaign.contact_rate), (1, 1, 1))

    @with_transaction()
    def test_attend_duration(self):
        "Test that the time on the phone may be told"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, = self.create()
        self.attend(
            'operator', tracking, minutes(7), 'busy', start=minutes(4),
            duration=dt.timedelta(minutes=1))
        call, = Tracking(tracking.id).calls
        self.assertEqual(call.duration, dt.timedelta(minutes=1))
        self.assertEqual(call.attend_duration, dt.timedelta(minutes=3))

    @with_transaction()
    def test_comment(self):
        "Test that a comment without result gives back for a while"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, = self.create()
        self.next('operator', minutes(0))
        self.call('operator', 'save_draft', tracking, minutes(1), "Half")
        self.assertEqual(Tracking(tracking.id).draft, "Half")
        self.attend('operator', tracking, minutes(2), comment="Hears badly")
        tracking = Tracking(tracking.id)
        self.assertEqual(self.notes(tracking), ["Hears badly"])
        self.assertFalse(tracking.calls)
        self.assertEqual(tracking.attempts, 0)
        self.assertEqual(tracking.draft, None)
        # It is still seen by who left the comment
        self.assertEqual(tracking.operator, self.employees['operator'])
        self.assertEqual(self.next('operator', minutes(31))[0], None)
        self.assertEqual(self.next('operator', minutes(32))[0], tracking.id)

    @with_transaction()
    def test_draft_taken(self):
        "Test that a draft is not lost when somebody else has the customer"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, = self.create()
        self.next('operator', minutes(0))
        self.next('colleague', minutes(20))
        self.call('operator', 'save_draft', tracking, minutes(21), "Half")
        tracking = Tracking(tracking.id)
        self.assertEqual(tracking.draft, None)
        self.assertEqual(tracking.taken_by, self.employees['colleague'])
        self.assertEqual(self.notes(tracking), ["Half"])

    @with_transaction()
    def test_do_not_call(self):
        "Test that who does not want to be called does not come any more"
        pool = Pool()
        DoNotCall = pool.get('sale.do_not_call')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, = self.create(phone='+573105559999')
        same, = self.create(phone='+57 310 555 99 99')
        other, = self.create(moment=minutes(1), phone='+573105558888')
        self.attend(
            'operator', tracking, minutes(2), 'do_not_call', comment="Angry")
        self.assertEqual(Tracking(tracking.id).state, 'closed')
        do_not_call, = DoNotCall.search([])
        self.assertEqual(do_not_call.number, '+573105559999')
        self.assertEqual(do_not_call.reason, "Angry")
        with self.assertRaises(AttendError):
            self.call('operator', 'take', same, minutes(3))
        self.assertEqual(self.next('operator', minutes(3))[0], other.id)
        self.assertEqual(self.campaign.blocked, 1)
        self.assertIsNone(Tracking(same.id).next_attempt)

        # Whose number is changed or taken off the list comes again
        with freeze(minutes(4)):
            DoNotCall.write([do_not_call], {'number': '+573105557777'})
        self.assertEqual(Tracking(same.id).next_attempt, minutes(4))
        with freeze(minutes(5)):
            DoNotCall.write([do_not_call], {'number': '+573105559999'})
        self.assertIsNone(Tracking(same.id).next_attempt)
        with freeze(minutes(6)):
            DoNotCall.delete([do_not_call])
        self.assertEqual(Tracking(same.id).next_attempt, minutes(6))
        self.assertIsNone(Tracking(tracking.id).next_attempt)
        self.call('colleague', 'take', same, minutes(7))

    @with_transaction()
    def test_delay(self):
        "Test that nobody comes again before the delay is over"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, skipped = self.create(2)
        moment = minutes(1) + dt.timedelta(seconds=59)
        self.attend('operator', tracking, moment, 'no_answer')
        self.call('operator', 'take', skipped, moment)
        self.call('operator', 'skip', skipped, moment, "Lunch")
        self.assertEqual(
            Tracking(tracking.id).next_attempt,
            minutes(2) + dt.timedelta(hours=4))
        self.assertEqual(
            Tracking(skipped.id).next_attempt,
            minutes(2) + self.campaign.return_delay)

    @with_transaction()
    def test_errors(self):
        "Test that what is refused changes nothing"
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, = self.create()
        self.next('operator', minutes(0))

        def refuse(error, text, name='operator', result='sold', **values):
            with self.subTest(text=text):
                with self.assertRaises(error) as cm:
                    self.attend(
                        name, tracking, minutes(1), result, comment="Typed",
                        **values)
                self.assertIn(text, str(cm.exception))
                record = Tracking(tracking.id)
                self.assertFalse(record.calls)
                self.assertEqual(
                    record.taken_by, self.employees['operator'])
        refuse(AttendError, "is not one of the campaign",
            result=self.result('paid', 'collections').id)
        refuse(AttendError, "in the past", result='call_back',
            callback_date=minutes(0))
        refuse(AttendError, "when to call again", result='call_back')
        refuse(AttendError, "does not promise", callback_date=minutes(5))
        # Who may not read it is told nothing about it
        refuse(AttendError, "is not with you", name='colleague')
        refuse(AttendError, "is not with you", name='outsider')
        with self.assertRaises(AttendError):
            self.attend('operator', tracking, minutes(1), comment=" ")
        with self.assertRaises(AttendError):
            self.call('operator', 'skip', tracking, minutes(1), " ")
        waiting, = self.create()
        for state in ['paused', 'done']:
            Campaign.write([self.campaign], {'state': state})
            with self.assertRaises(CampaignError) as cm:
                self.attend('operator', waiting, minutes(1), 'sold')
            self.assertIn(state.title(), str(cm.exception))
            with self.assertRaises(CampaignError):
                self.next('operator', minutes(1))
            # What was typed is kept
            self.call('operator', 'save_draft', tracking, minutes(1), state)
            self.assertEqual(Tracking(tracking.id).draft, state)
        # What was begun is finished
        self.attend('operator', tracking, minutes(1), 'sold')
        Campaign.write([self.campaign], {'state': 'running'})
        with self.assertRaises(AttendError) as cm:
            self.attend('operator', tracking, minutes(2), 'sold')
        self.assertIn("was closed meanwhile", str(cm.exception))

    @with_transaction()
    def test_reassigned(self):
        "Test that the operator goes on when the customer is reassigned"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.set_up()
        tracking, other = self.create(2)
        self.assertEqual(self.next('operator', minutes(0))[0], tracking.id)
        with freeze(minutes(1)):
            Tracking.write([Tracking(tracking.id)], {
                    'operator': self.employees['colleague'].id,
                    })
        self.assertIsNone(Tracking(tracking.id).taken_by)
        with self.assertRaises(AttendError):
            self.attend('operator', tracking, minutes(2), 'sold')
        self.assertEqual(self.next('operator', minutes(2))[0], other.id)
        self.assertEqual(self.next('colleague', minutes(3))[0], tracking.id)

    @with_transaction()
    def test_dates(self):
        "Test that nobody is called before or after the campaign"
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        Date = pool.get('ir.date')
        self.set_up()
        self.create()
        # The day of the company, not of UTC
        moment = dt.datetime(2026, 3, 2, 3, 0)
        for values, allowed in [
                ({'start_date': dt.date(2026, 3, 2)}, False),
                ({'start_date': dt.date(2026, 3, 1)}, True),
                ({'end_date': dt.date(2026, 3, 1)}, True),
                ({'end_date': dt.date(2026, 2, 28)}, False),
                ]:
            Campaign.write([self.campaign], {
                    'start_date': dt.date(2026, 1, 1), 'end_date': None,
                    **values})
            with self.subTest(values=values), \
                    patch.object(
                        Date, 'today', return_value=dt.date(2026, 3, 1)):
                if allowed:
                    self.next('operator', moment)
                else:
                    with self.assertRaises(CampaignError):
                        self.next('operator', moment)

    @with_transaction()
    def test_employee(self):
        "Test that nobody works in the name of somebody else"
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        self.set_up()
        self.create()
        with self.as_user('operator'):
            for employee in [None, self.employees['colleague'].id]:
                with Transaction().set_context(employee=employee), \
                        self.assertRaises(AttendError):
                    Campaign.next(Campaign(self.campaign.id))

    @with_transaction()
    def test_one_operator(self):
        "Test that a customer is with one operator whatever the campaign"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.set_up()
        campaigns = [self.create_campaign() for _ in range(2)]
        here, = self.create_trackings(campaigns[0])
        there, other = self.create_trackings(campaigns[1], 2)
        Tracking.write([there], {'party': here.party.id})
        with self.as_user('operator'):
            tracking, _ = Tracking.take_next(campaigns[0])
            self.assertEqual(tracking, here)
            # Neither the own one of the other campaign
            tracking, _ = Tracking.take_next(campaigns[1])
            self.assertEqual(tracking, other)
            Tracking.skip(tracking, "Later")
        with self.as_user('colleague'):
            self.assertIsNone(Tracking.take_next(campaigns[1])[0])
        with self.as_user('supervisor'):
            with self.assertRaises(AttendError):
                Tracking.take(there)
        with self.as_user('operator'):
            Tracking.attend(here, result=self.result('no_answer'))
        with self.as_user('colleague'):
            tracking, _ = Tracking.take_next(campaigns[1])
            self.assertEqual(tracking, there)

    @with_transaction()
    def test_merge_taken(self):
        "Test that merged customers are with one operator"
        pool = Pool()
        Replace = pool.get('party.replace', type='wizard')
        Tracking = pool.get('sale.tracking')
        self.set_up()
        campaign = self.create_campaign()
        source, destination = self.create_trackings(campaign, 2)
        for name, tracking in [
                ('operator', source), ('colleague', destination)]:
            with self.as_user(name):
                Tracking.take_next(campaign)
        with Transaction().set_context(
                active_model='party.party',
                active_id=source.party.id, active_ids=[source.party.id],
                _skip_warnings=True):
            session_id, _, _ = Replace.create()
            wizard = Replace(session_id)
            wizard.ask.source = source.party
            wizard.ask.destination = destination.party
            wizard.transition_replace()
        self.assertEqual(
            Tracking.search([
                    ('party', '=', destination.party.id),
                    ('taken_by', '=', self.employees['colleague'].id),
                    ]),
            [destination])
        self.assertEqual(
            Tracking.search([
                    ('party', '=', destination.party.id),
                    ('taken_by', '=', None),
                    ]),
            [source])
        # What was begun is saved
        with self.as_user('operator'):
            Tracking.attend(
                source, result=self.result('no_answer'),
                turn=source.attend_turn)

    @with_transaction()
    def test_operators(self):
        "Test that the supervisor may take, others may not"
        self.set_up()
        self.create(2)
        self.assertTrue(self.next('supervisor', minutes(0))[0])
        self.assertTrue(self.next('administrator', minutes(0))[0])
        with self.assertRaises(UserError):
            self.next('outsider', minutes(0))
        # Only as an employee of the company
        foreign = create_employee(self.company, "Foreign")
        self.assertNotIn(foreign, self.campaign.operators)
