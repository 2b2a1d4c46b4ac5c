# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import json
import uuid
from email.utils import parseaddr
from urllib.parse import quote, urljoin

from sql import Null

import trytond.config as config
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval
from trytond.report import Report, get_email
from trytond.sendmail import send_message_transactional
from trytond.tools.email_ import format_address, set_from_header
from trytond.transaction import Transaction, without_check_access
from trytond.url import http_base

from ..moment import this_minute, to_local
from ..outgoing_email import EmailDataManager
from .exceptions import InvitationError


class Meeting(metaclass=PoolMeta):
    __name__ = 'sale.meeting'

    uid = fields.Char(
        "UID", required=True, readonly=True, strip=False,
        help="What identifies the meeting in the calendars of the attendees.")
    sequence = fields.Integer(
        "Sequence", required=True, readonly=True,
        help="The version of what is sent to the attendees.")
    invited = fields.DateTime(
        "Invited On", format='%H:%M', readonly=True,
        help="When the attendees were invited.\n"
        "Since then they are told of each change.")

    @classmethod
    def __setup__(cls):
        cls.uid.search_unaccented = False
        super().__setup__()
        cls._buttons.update({
                'invite': {
                    'invisible': (
                        (Eval('state') != 'pending')
                        | Bool(Eval('invited'))
                        | Eval('only_attended', False)),
                    'readonly': ~Eval('attendees', [-1]),
                    'depends': [
                        'state', 'invited', 'only_attended', 'attendees'],
                    },
                })

    @classmethod
    def default_sequence(cls):
        return 0

    @fields.depends('state', 'attendees')
    def on_change_notify(self):
        notifications = super().on_change_notify()
        if (self.state == 'pending'
                and (missing := [
                        a.person.rec_name for a in self.attendees or []
                        if a.person
                        and not getattr(a, 'email', None)
                        and not a.users])):
            notifications.append(('warning', gettext(
                        'sale_opportunity_management'
                        '.msg_meeting_attendee_no_email',
                        attendees=', '.join(missing))))
        return notifications

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if mode == 'create' and not values.get('uid'):
            values['uid'] = str(uuid.uuid4())
        return values

    @classmethod
    def _invitation_fields(cls):
        return cls._period_fields() | {
            'summary', 'assignee', 'place', 'link', 'agenda', 'state'}

    @classmethod
    def _period_fields(cls):
        return {'planned_date', 'end_date', 'whole_day'}

    @property
    def is_announced(self):
        "Whether the attendees have the meeting in front of them"
        return bool(
            self.invited
            and self.state == 'pending'
            and self.end_date > this_minute())

    @classmethod
    def on_write(cls, meetings, values):
        callbacks = super().on_write(meetings, values)
        names = cls._invitation_fields()
        if values.keys() & names:
            before = {
                m.id: {n: getattr(m, n) for n in names}
                for m in meetings if m.is_announced}
            if before:
                callbacks.append(lambda: cls._tell_changes(before))
        if values.get('state') == 'pending':
            if cancelled := [
                    m.id for m in meetings
                    if m.state == 'cancelled' and m.invited]:
                callbacks.append(
                    lambda: cls._invite_again(cls.browse(cancelled)))
        return callbacks

    @classmethod
    def _tell_changes(cls, before):
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        to_write, to_send = [], []
        for meeting in cls.browse(list(before)):
            changed = {
                n for n, v in before[meeting.id].items()
                if getattr(meeting, n) != v}
            if not changed or meeting.state == 'done':
                continue
            to_send.append(meeting)
            if any(
                    meeting.sequence in {a.sent_sequence, a.notified_sequence}
                    for a in meeting.attendees):
                to_write.extend([[meeting], {
                            'sequence': meeting.sequence + 1,
                            }])
            if changed & cls._period_fields():
                with without_check_access():
                    Attendee.write(list(meeting.attendees), {
                            'answer': Attendee.default_answer(),
                            'answer_date': None,
                            })
        if to_write:
            with without_check_access():
                cls.write(*to_write)
        cls.queue_invitations(to_send)

    @classmethod
    def _invite_again(cls, meetings):
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        meetings = [m for m in meetings if m.is_announced]
        to_write = []
        for meeting in meetings:
            to_write.extend([[meeting], {'sequence': meeting.sequence + 1}])
        if to_write:
            with without_check_access():
                cls.write(*to_write)
                Attendee.write(
                    [a for m in meetings for a in m.attendees],
                    Attendee._answer_fields())
        cls.queue_invitations(meetings)

    @classmethod
    def check_modification(
            cls, mode, meetings, values=None, external=False):
        super().check_modification(
            mode, meetings, values=values, external=external)
        if mode == 'delete':
            for meeting in meetings:
                if meeting.is_announced:
                    raise AccessError(gettext(
                            'sale_opportunity_management'
                            '.msg_meeting_delete_invited',
                            meeting=meeting.rec_name))

    @classmethod
    def copy(cls, meetings, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('uid')
        default.setdefault('sequence', cls.default_sequence())
        default.setdefault('invited')
        return super().copy(meetings, default=default)

    @classmethod
    @ModelView.button
    def invite(cls, meetings):
        cls.check_organise(meetings)
        meetings = [
            m for m in meetings if m.state == 'pending' and not m.invited]
        for meeting in meetings:
            if not any(
                    a.email or a.users for a in meeting.attendees
                    if a.employee != meeting.assignee):
                raise InvitationError(gettext(
                        'sale_opportunity_management.msg_meeting_invite_none',
                        meeting=meeting.rec_name))
        cls.write(meetings, {'invited': this_minute()})
        cls.queue_invitations(meetings)

    @classmethod
    def queue_invitations(cls, meetings):
        "Send what the attendees have not got once the transaction is done"
        for meeting in meetings:
            # The screen does not wait for the mail server
            cls.__queue__.notify_invitations([meeting])
            cls.__queue__.send_invitations([meeting])

    @classmethod
    def notify_invitations(cls, meetings):
        """Notify the users who attend and do not know the current version

        Each attendee keeps the version, so that nothing is notified twice when
        it is called again."""
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        Notification = pool.get('res.notification')
        cls.lock(meetings)
        notifications, notified = [], []
        for meeting in cls.browse(meetings):
            if not meeting.invited or meeting.state == 'done':
                continue
            for attendee in meeting.attendees:
                if not (meeting._to_tell(attendee, attendee.notified_sequence)
                        and attendee.users):
                    continue
                notifications.extend(
                    meeting.invitation_notifications(attendee))
                notified.extend([[attendee], {
                            'notified_sequence': meeting.sequence,
                            }])
        if notified:
            Attendee.write(*notified)
        Notification.save(notifications)

    @classmethod
    def send_invitations(cls, meetings):
        """Send the current version to the attendees who have not got it

        Each attendee keeps the version that was sent, so that nothing is
        sent twice when it is called again."""
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        cls.lock(meetings)
        sent = []
        for meeting in cls.browse(meetings):
            if not meeting.invited or meeting.state == 'done':
                continue
            for attendee in meeting.attendees:
                if not meeting._to_send(attendee):
                    continue
                send_message_transactional(
                    meeting.invitation_message(attendee),
                    datamanager=EmailDataManager())
                sent.extend([[attendee], {
                            'sent_sequence': meeting.sequence,
                            'sent_texts': meeting.invitation_texts(attendee),
                            }])
        if sent:
            Attendee.write(*sent)

    @classmethod
    def send_missing_invitations(cls):
        """Send what could not be sent before, by lack of a mail server

        It is called by the cron task."""
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        table = cls.__table__()
        attendee = Attendee.__table__()
        invite = (
            (attendee.sent_sequence == Null) & (table.state == 'pending'))
        change = (
            (attendee.sent_sequence < table.sequence)
            & table.state.in_(['pending', 'cancelled']))
        where = (
            (table.invited != Null)
            & (table.end_date > this_minute())
            & (attendee.email != Null)
            & ((attendee.employee == Null)
                | (attendee.employee != table.assignee))
            & (invite | change))
        if (company := transaction.context.get('company')) is not None:
            where &= table.company == company
        cursor.execute(*table
            .join(attendee, condition=attendee.meeting == table.id)
            .select(table.id, where=where, group_by=table.id))
        cls.queue_invitations(cls.browse([id_ for id_, in cursor]))

    def _to_send(self, attendee):
        return bool(attendee.email) and self._to_tell(
            attendee, attendee.sent_sequence)

    def _to_tell(self, attendee, sequence):
        "Return whether the attendee who knows the sequence is to be told"
        if attendee.employee == self.assignee:
            return False
        if sequence is None:
            return self.state == 'pending'
        return sequence < self.sequence

    @property
    def reply_address(self):
        "The address that the answers are sent to"
        pool = Pool()
        Configuration = pool.get('sale.configuration')
        return (
            Configuration(1).get_multivalue(
                'meeting_reply_to', company=self.company.id)
            or self._employee_email(self.assignee)
            or self._system_address())

    @staticmethod
    def _system_address():
        _, address = parseaddr(config.get('email', 'from'))
        return address

    @staticmethod
    def _employee_email(employee):
        mechanism = employee.party.contact_mechanism_get('email')
        return mechanism.value if mechanism else None

    def invitation_message(self, attendee, method=None):
        "Return the message about the meeting for the attendee"
        if method is None:
            method = self._invitation_method
        url = answer_url(attendee) if method != 'CANCEL' else None
        # The user may write the meeting without reading its attendees
        with Transaction().set_user(0), Transaction().set_context(
                company=self.company.id, meeting_method=method,
                meeting_url=url):
            message, _ = get_email(
                'sale.meeting.invitation', attendee, [attendee.lang])
        with Transaction().set_context(language=attendee.lang.code):
            subject = self._invitation_subject(attendee.sent_sequence, method)
        if not message.is_multipart():
            message.make_alternative()
        calendar = self.invitation_calendar(attendee, method)
        message.add_alternative(
            calendar.decode(), subtype='calendar',
            params={'method': method})
        message.add_attachment(
            calendar, maintype='application', subtype='ics',
            filename='invite.ics')
        from_ = config.get('email', 'from')
        set_from_header(message, from_, format_address(
                self._employee_email(self.assignee)
                or self._system_address(),
                self.assignee.rec_name))
        if not message['Reply-To']:
            message['Reply-To'] = format_address(
                self.reply_address, self.assignee.rec_name)
        message['To'] = format_address(
            attendee.email, attendee.rec_name if attendee.person else None)
        message['Subject'] = subject
        return message

    def invitation_texts(self, attendee):
        "Return what the message tells the attendee"
        with Transaction().set_context(language=attendee.lang.code):
            return {
                'summary': self.summary,
                'organiser': self.assignee.rec_name,
                'period': self.period,
                'place': self.place or '',
                'link': self.link or '',
                'agenda': self.agenda or '',
                }

    @without_check_access
    def invitation_notifications(self, attendee, method=None):
        """Return the notifications about the meeting for the attendee

        Neither the organiser nor who makes the change is notified."""
        pool = Pool()
        Notification = pool.get('res.notification')
        if method is None:
            method = self._invitation_method
        notifications = []
        for user in attendee.users:
            if (user.id == Transaction().user
                    or self.assignee in user.employees):
                continue
            with user.set_language():
                notifications.append(Notification(
                        user=user,
                        label=self._invitation_subject(
                            attendee.notified_sequence, method),
                        description=', '.join(filter(None, [
                                    self.local_period,
                                    self.place,
                                    self.assignee.rec_name])),
                        icon='tryton-sale-meeting',
                        model=self.__name__,
                        records=json.dumps([self.id])))
        return notifications

    @property
    def _invitation_method(self):
        return 'CANCEL' if self.state == 'cancelled' else 'REQUEST'

    def _invitation_subject(self, sequence, method):
        return gettext(
            'sale_opportunity_management.msg_meeting_%s'
            % self.invitation_kind(sequence, method),
            meeting=self.summary)

    @staticmethod
    def invitation_kind(sequence, method):
        """Return what is told to who knows the sequence

        It is an invitation, a change or a cancellation."""
        if method == 'CANCEL':
            return 'cancellation'
        elif sequence is None:
            return 'invitation'
        return 'change'

    @property
    def period(self):
        "When the meeting is, as people write it to those outside"
        period = self.local_period
        if not self.whole_day:
            period += f" ({self.company.timezone or 'UTC'})"
        return period

    @property
    def local_period(self):
        "When the meeting is, as people write it to their colleagues"
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        start = to_local(self.company, self.planned_date)
        if self.whole_day:
            first, last = (
                lang.strftime(d, f'%A {lang.date}')
                for d in [self.first_day, self.last_day])
            return first if first == last else f'{first} – {last}'
        end = to_local(self.company, self.end_date)
        same = start.date() == end.date()
        return '{} – {}'.format(
            lang.strftime(start, f'%A {lang.date} %H:%M'),
            lang.strftime(end, '%H:%M' if same else f'{lang.date} %H:%M'))

    @classmethod
    def notify_answers(cls, meeting, attendees):
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')

        def describe(attendee):
            attendee = Attendee(attendee.id)
            return gettext(
                'sale_opportunity_management.msg_meeting_answer',
                attendee=attendee.rec_name,
                answer=attendee.answer_string)

        for attendee in attendees:
            meeting.assignee.notify(
                [meeting], 'tryton-sale-meeting', lambda: meeting.summary,
                lambda: describe(attendee))


def answer_url(attendee):
    pool = Pool()
    Token = pool.get('sale.meeting.attendee.token')
    return urljoin(
        config.get(
            'sale_opportunity_management', 'meeting_base',
            default=http_base()),
        quote('/%(database)s/sale_opportunity_management/meeting/%(token)s' % {
                'database': Transaction().database.name,
                'token': Token.add(attendee),
                }))


class InvitationReport(Report):
    __name__ = 'sale.meeting.invitation'

    @classmethod
    def get_context(cls, records, header, data):
        context = super().get_context(records, header, data)
        attendee, = records
        meeting = context['meeting'] = attendee.meeting
        context['kind'] = meeting.invitation_kind(
            attendee.sent_sequence,
            Transaction().context.get('meeting_method'))
        context['texts'] = texts = meeting.invitation_texts(attendee)
        context['before'] = {
            n: t for n, t in (attendee.sent_texts or {}).items()
            if context['kind'] == 'change' and t != texts.get(n)}
        # Only the message has the link, whoever runs the report has not
        context['url'] = Transaction().context.get('meeting_url')
        return context


class AnswerReport(Report):
    __name__ = 'sale.meeting.answer'

    @classmethod
    def get_context(cls, records, header, data):
        context = super().get_context(records, header, data)
        context['language'] = (
            Transaction().language or 'en').replace('_', '-')
        context['answered'] = data['answered']
        context['wanted'] = context['meeting'] = None
        context['open'] = False
        if records:
            attendee, = records
            context['meeting'] = attendee.meeting
            context['open'] = attendee.meeting.is_announced
            context['wanted'] = (
                data['answer'] if not data['answered'] else None)
        return context
