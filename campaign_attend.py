# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from sql import Null
from sql.aggregate import Count

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.rpc import RPC
from trytond.transaction import Transaction, without_check_access

from .exceptions import AttendError
from .moment import now, this_minute


class AttendMixin(ModelSQL):
    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__rpc__.update({
                'attend': RPC(readonly=False, instantiate=0),
                'skip': RPC(readonly=False, instantiate=0),
                'leave_comment': RPC(readonly=False, instantiate=0),
                'save_draft': RPC(readonly=False, instantiate=0),
                })

    @classmethod
    def attend(
            cls, tracking, comment=None, result=None, callback_date=None,
            duration=None, start=None):
        """Save what the user did with the customer and give it back

        result is the result of the call, or its id, and callback_date the
        moment that was promised to call again.  Without result only the
        comment is left and no call recorded.
        duration is how long the call lasted, by default the time since start
        that is when the operator began, by default when it was taken."""
        pool = Pool()
        Result = pool.get('sale.campaign.result')
        employee = tracking._get_attendant()
        comment = (comment or '').strip()
        with without_check_access():
            if result is not None:
                result = Result(int(result))
            tracking._check_attend(comment, result, callback_date)
            tracking = tracking._hold(employee)
            if not result:
                tracking._add_note(comment)
                tracking._leave(worked=True)
            else:
                tracking._save_attended(
                    employee, comment, result, callback_date, duration, start)

    def _check_attend(self, comment, result, callback_date):
        tracking = self.__class__(self.id)
        if not result:
            if not comment:
                raise AttendError(gettext(
                        'sale_opportunity_management'
                        '.msg_campaign_attend_empty'))
            return
        if result.typology != tracking.campaign.typology:
            raise AttendError(gettext(
                    'sale_opportunity_management.msg_campaign_result_typology',
                    result=result.rec_name,
                    campaign=tracking.campaign.rec_name))
        if not result.callback:
            if callback_date:
                raise AttendError(gettext(
                        'sale_opportunity_management'
                        '.msg_campaign_callback_result',
                        result=result.rec_name))
        elif not callback_date:
            raise AttendError(gettext(
                    'sale_opportunity_management'
                    '.msg_campaign_callback_required',
                    result=result.rec_name))
        elif callback_date < this_minute():
            raise AttendError(gettext(
                    'sale_opportunity_management.msg_campaign_callback_past',
                    date=tracking._format_moment(callback_date)))

    def _save_attended(
            self, employee, comment, result, callback_date, duration, start):
        pool = Pool()
        Call = pool.get('sale.call')
        DoNotCall = pool.get('sale.do_not_call')
        cls = self.__class__
        start = start or self.taken_date
        attended = max(now() - start, dt.timedelta()) if start else None
        values = {
            'done_date': this_minute(),
            'done_by': employee.id,
            'description': comment,
            'interest': result.interest,
            'duration': attended if duration is None else duration,
            'result': result.id,
            'attend_duration': attended,
            'state': 'done',
            }
        with Transaction().set_context(
                _campaign_queue=True, _skip_warnings=True,
                company=self.company.id):
            if call := self.next_call:
                Call.write([call], values)
            else:
                Call.create([{
                            'tracking': self.id,
                            'company': self.company.id,
                            'assignee': employee.id,
                            **values}])
            if result.opportunity:
                cls.make_opportunity(
                    [self], employee=employee.id,
                    description=self.campaign.rec_name)
            if result.do_not_call:
                DoNotCall.register(
                    self.company, [self.party], reason=comment)
            cls._write_queue(
                [self], self._attended_values(employee, result, callback_date))
            if self._is_finished_by(result):
                cls.close([self])
            elif result.callback:
                Call.create([{
                            'tracking': self.id,
                            'company': self.company.id,
                            'assignee': employee.id,
                            'planned_date': callback_date,
                            'summary': gettext(
                                'sale_opportunity_management'
                                '.msg_campaign_callback_summary',
                                campaign=self.campaign.rec_name),
                            }])

    def _attended_values(self, employee, result, callback_date):
        minute = this_minute()
        values = {
            'result': result.id,
            'attempts': self.attempts + 1,
            'last_attempt': minute,
            'callback_date': None,
            'taken_by': None,
            'taken_date': None,
            'draft': None,
            }
        if self.operator != employee:
            values['operator'] = employee.id
        if result.callback:
            callback_date = callback_date.replace(second=0, microsecond=0)
            values['callback_date'] = callback_date
            values['next_attempt'] = callback_date
            values['reserved_for'] = employee.id
        else:
            if self.callback_date:
                # The promise is kept
                values['reserved_for'] = None
            delay = result.retry
            if delay is None:
                delay = self.campaign.return_delay
            values['next_attempt'] = minute + delay
        return values

    def _is_finished_by(self, result):
        pool = Pool()
        Call = pool.get('sale.call')
        if result.finishes:
            return True
        if not result.max_attempts:
            return False
        call = Call.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*call.select(
                Count(call.id),
                where=(call.tracking == self.id)
                & (call.result == result.id)
                & (call.state == 'done')))
        number, = cursor.fetchone()
        return number >= result.max_attempts

    def _add_note(self, comment):
        pool = Pool()
        Note = pool.get('ir.note')
        Note.create([{
                    'resource': str(self),
                    'message': comment,
                    }])

    def _leave(self, worked=False):
        cls = self.__class__
        cls._write_queue([self], {'draft': None})
        self._give_back(
            this_minute() + self.campaign.return_delay, worked=worked)

    @classmethod
    def skip(cls, tracking, reason):
        "Give the tracking back without having worked on it"
        employee = tracking._get_attendant()
        reason = (reason or '').strip()
        with without_check_access():
            if not reason:
                raise AttendError(gettext(
                        'sale_opportunity_management'
                        '.msg_campaign_skip_reason'))
            tracking = tracking._hold(employee)
            tracking._add_note(gettext(
                    'sale_opportunity_management.msg_campaign_skipped',
                    reason=reason))
            tracking._leave()

    @classmethod
    def leave_comment(cls, tracking, comment):
        "Save the comment and keep the tracking"
        employee = tracking._get_attendant()
        comment = (comment or '').strip()
        with without_check_access():
            tracking._check_attend(comment, None, None)
            tracking = tracking._hold(employee)
            tracking._add_note(comment)
            cls._write_queue([tracking], {'draft': None})
            tracking._take(employee)

    @classmethod
    def save_draft(cls, tracking, draft):
        """Keep what was typed until the tracking is attended again

        When somebody else has taken it meanwhile or the user does not work
        for the campaign any more, it becomes a comment.
        Whatever the state of the campaign is, nothing is lost."""
        pool = Pool()
        User = pool.get('res.user')
        draft = (draft or '').strip()
        with without_check_access():
            tracking = cls(tracking.id)
            try:
                employee = tracking._get_member()
            except AttendError:
                if (not tracking.operator
                        or tracking.operator.id not in User.get_employees()):
                    raise
                if draft:
                    tracking._add_note(draft)
                return
            try:
                tracking = tracking._hold(employee)
            except AttendError:
                if draft:
                    tracking._add_note(draft)
            else:
                cls._write_queue([tracking], {'draft': draft or None})

    @classmethod
    def update_callbacks(cls, trackings):
        "Follow what happened to the planned calls outside of the campaign"
        for tracking in trackings:
            if (not tracking or not tracking.callback_date
                    or tracking.state != 'open'):
                continue
            call = tracking.next_call
            date = call.date if call else None
            if date != tracking.callback_date:
                cls._write_queue([tracking], {
                        'callback_date': date,
                        'next_attempt': date or (
                            this_minute() + tracking.campaign.return_delay),
                        })


class CampaignCallMixin(ModelSQL):
    result = fields.Many2One(
        'sale.campaign.result', "Result", ondelete='RESTRICT', readonly=True,
        states={
            'invisible': ~Eval('result'),
            },
        help="What the call of the campaign ended with.")
    attend_duration = fields.TimeDelta(
        "Time Attended", readonly=True,
        states={
            'invisible': ~Eval('attend_duration'),
            },
        help="How long the operator worked on the customer, "
        "until the result was saved.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t,
                (t.result, Index.Range()),
                (t.tracking, Index.Equality()),
                where=t.result != Null))

    @classmethod
    def on_modification(cls, mode, calls, field_names=None):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        super().on_modification(mode, calls, field_names=field_names)
        if (mode == 'write'
                and (field_names is None
                    or {'planned_date', 'state'} & field_names)
                and not Transaction().context.get('_campaign_queue')):
            Tracking.update_callbacks({c.tracking for c in calls})

    @classmethod
    def _facts(cls):
        return super()._facts() | {'result', 'attend_duration'}

    @classmethod
    def copy(cls, calls, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('result')
        default.setdefault('attend_duration')
        return super().copy(calls, default=default)

    @classmethod
    def cancel_closed(cls, calls):
        # What was promised comes back with the tracking
        with Transaction().set_context(_campaign_queue=True):
            super().cancel_closed(calls)
