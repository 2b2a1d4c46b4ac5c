# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from collections import defaultdict

from sql import Column, Literal, Null
from sql.operators import Or

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.transaction import Transaction, without_check_access

from ..access_token import AccessTokenMixin
from ..activity_mixin import STATES
from ..moment import this_minute
from ..tools import is_email
from .exceptions import AttendeeError

ANSWERS = [
    ('needs_action', "No Answer"),
    ('accepted', "Accepted"),
    ('tentative', "Tentative"),
    ('declined', "Declined"),
    ]


class Attendee(ModelSQL, ModelView):
    __name__ = 'sale.meeting.attendee'

    _states = {
        'readonly': Eval('id', -1) >= 0,
        }

    meeting = fields.Many2One(
        'sale.meeting', "Meeting", required=True, ondelete='CASCADE',
        states=_states)
    company = fields.Function(
        fields.Many2One('company.company', "Company"),
        'on_change_with_company')
    employee = fields.Many2One(
        'company.employee', "Employee", ondelete='CASCADE',
        states={
            'readonly': _states['readonly'],
            'invisible': Bool(Eval('party')),
            },
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="The employee who takes part.")
    party = fields.Many2One(
        'party.party', "Party", ondelete='RESTRICT',
        states={
            'readonly': _states['readonly'],
            'invisible': Bool(Eval('employee')),
            },
        context={
            'company': Eval('company', -1),
            },
        depends={'company'},
        help="The customer or other party who takes part.")
    contact = fields.Many2One(
        'party.contact', "Contact", ondelete='RESTRICT',
        states={
            'readonly': _states['readonly'],
            'invisible': Bool(Eval('employee')),
            },
        domain=[
            If(Bool(Eval('party')),
                ('party', '=', Eval('party', -1)),
                ()),
            ],
        help="The person of the party who takes part.")
    email = fields.Char(
        "E-Mail",
        states={
            'readonly': _states['readonly'],
            'required': ~Eval('employee') & ~Eval('party'),
            },
        help="Where the invitation is sent to.")
    # Kept from the meeting so that one index finds what is in an agenda
    date = fields.DateTime(
        "Date", format='%H:%M', readonly=True,
        help="When the activity was done or, until then, is planned.")
    state = fields.Selection(STATES, "State", readonly=True, sort=False)
    answer = fields.Selection(
        ANSWERS, "Answer", required=True, readonly=True, sort=False)
    answer_string = answer.translated('answer')
    answer_date = fields.DateTime(
        "Answered On", format='%H:%M', readonly=True)
    sent_sequence = fields.Integer(
        "Sent Sequence", readonly=True,
        help="The version of the meeting that was sent to the attendee.")
    sent_texts = fields.Dict(None, "Sent Texts", readonly=True)
    notified_sequence = fields.Integer(
        "Notified Sequence", readonly=True,
        help="The version of the meeting that the users of the employee "
        "were notified of.")

    invitation = fields.Function(
        fields.Selection([
                (None, ""),
                ('to_send', "To Send"),
                ('sent', "Sent"),
                ], "Invitation", sort=False,
            help="If the attendee was told how the meeting is now."),
        'get_invitation')
    invitation_string = invitation.translated('invitation')

    del _states

    @classmethod
    def __setup__(cls):
        cls.email.search_unaccented = False
        super().__setup__()
        cls.__access__.add('meeting')
        t = cls.__table__()
        cls._sql_constraints += [
            ('employee_unique', Unique(t, t.meeting, t.employee),
                'sale_opportunity_management.msg_attendee_unique'),
            ('contact_unique', Unique(t, t.meeting, t.contact),
                'sale_opportunity_management.msg_attendee_unique'),
            ('email_unique', Unique(t, t.meeting, t.email),
                'sale_opportunity_management.msg_attendee_unique'),
            ]
        cls._sql_indexes.update({
                Index(
                    t,
                    (t.employee, Index.Equality()),
                    (t.meeting, Index.Range()),
                    where=t.employee != Null),
                Index(
                    t,
                    (t.employee, Index.Equality()),
                    (t.date, Index.Range()),
                    where=t.employee != Null),
                Index(
                    t,
                    (t.employee, Index.Equality()),
                    (t.date, Index.Range()),
                    where=(t.employee != Null) & (t.state == 'pending')),
                Index(
                    t, (t.party, Index.Equality()), where=t.party != Null),
                Index(
                    t, (t.contact, Index.Equality()),
                    where=t.contact != Null),
                })

    @classmethod
    def default_answer(cls):
        return 'needs_action'

    @fields.depends('meeting', '_parent_meeting.company')
    def on_change_with_company(self, name=None):
        return self.meeting.company if self.meeting else None

    @fields.depends('employee', methods=['_set_email'])
    def on_change_employee(self):
        self._set_email()

    @fields.depends('party', 'contact', methods=['_set_email'])
    def on_change_party(self):
        if self.contact and self.contact.party != self.party:
            self.contact = None
        self._set_email()

    @fields.depends('party', 'contact', methods=['_set_email'])
    def on_change_contact(self):
        if self.contact and not self.party:
            self.party = self.contact.party
        self._set_email()

    @fields.depends('employee', 'party', 'contact')
    def _set_email(self):
        self.email = self._find_email(
            self.employee, self.party, self.contact)

    @classmethod
    def _find_email(cls, employee, party, contact):
        if contact and contact.email:
            return contact.email
        party = employee.party if employee else party
        if party and (mechanism := party.contact_mechanism_get('email')):
            return mechanism.value

    @property
    def person(self):
        "The person of the attendee, who may be only an e-mail address"
        return (
            getattr(self, 'employee', None)
            or getattr(self, 'contact', None)
            or getattr(self, 'party', None))

    @property
    def identities(self):
        "The key that the attendee has in all meetings"
        if employee := getattr(self, 'employee', None):
            return [('employee', employee.id)]
        identities = []
        if contact := getattr(self, 'contact', None):
            identities.append(('contact', contact.id))
        if email := getattr(self, 'email', None):
            identities.append(('email', email.strip().lower()))
        return identities

    @property
    def users(self):
        "The users of the employee who attends"
        pool = Pool()
        User = pool.get('res.user')
        employee = getattr(self, 'employee', None)
        if not employee:
            return []
        return User.get_by_employee([employee])[employee]

    @property
    def lang(self):
        pool = Pool()
        Configuration = pool.get('ir.configuration')
        Lang = pool.get('ir.lang')
        party = self.employee.party if self.employee else self.party
        for party in [party, self.meeting.company.party]:
            if party and party.lang:
                return party.lang
        lang, = Lang.search([
                ('code', '=', Configuration.get_language()),
                ], limit=1)
        return lang

    def get_invitation(self, name):
        meeting = self.meeting
        if (not meeting.invited
                or self.employee == meeting.assignee
                or not (self.email or self.users)):
            return None
        sequence = (
            self.sent_sequence if self.email else self.notified_sequence)
        if not meeting._to_tell(self, sequence):
            return 'sent' if sequence is not None else None
        elif meeting.state != 'done' and meeting.end_date > this_minute():
            return 'to_send'

    def get_rec_name(self, name):
        if person := self.person:
            return person.name if person == getattr(
                self, 'contact', None) else person.rec_name
        return getattr(self, 'email', None) or ''

    @classmethod
    def search_rec_name(cls, name, clause):
        _, operator, *extra = clause
        if operator.startswith('!') or operator.startswith('not '):
            bool_op = 'AND'
        else:
            bool_op = 'OR'
        return [bool_op,
            ('employee.party.name', operator, *extra),
            ('contact.name', operator, *extra),
            ('party.name', operator, *extra),
            ('email', operator, *extra),
            ]

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('answer') == 'accepted', 'success',
                    If(Eval('answer') == 'declined', 'danger',
                        If(Eval('answer') == 'tentative', 'warning', '')))),
            ]

    @classmethod
    def preprocess_values(cls, mode, values):
        pool = Pool()
        Contact = pool.get('party.contact')
        Employee = pool.get('company.employee')
        Meeting = pool.get('sale.meeting')
        Party = pool.get('party.party')
        values = super().preprocess_values(mode, values)
        if values.get('meeting'):
            with without_check_access():
                meeting = Meeting(values['meeting'])
                values.update(date=meeting.date, state=meeting.state)
        if mode == 'create':
            contact = values.get('contact') and Contact(values['contact'])
            if contact and not values.get('party'):
                values['party'] = contact.party.id
            if not values.get('email'):
                with without_check_access():
                    values['email'] = cls._find_email(
                        values.get('employee')
                        and Employee(values['employee']),
                        values.get('party') and Party(values['party']),
                        contact)
        if values.get('email'):
            values['email'] = values['email'].strip().lower()
        return values

    @classmethod
    def update_meetings(cls, meetings):
        "Update what the attendees keep from the meetings"
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        meeting = Meeting.__table__()
        columns = ['date', 'state']
        where = (
            (table.meeting == meeting.id)
            & fields.SQL_OPERATORS['in'](
                table.meeting, [m.id for m in meetings])
            & Or(Column(table, c) != Column(meeting, c) for c in columns))
        # Only the lines of sale.activity read them: nothing is to validate
        cursor.execute(*table.update(
                [Column(table, c) for c in columns],
                [Column(meeting, c) for c in columns],
                from_=[meeting], where=where))

    @classmethod
    def validate_fields(cls, attendees, field_names):
        super().validate_fields(attendees, field_names)
        cls.check_email(attendees, field_names)

    @classmethod
    def check_email(cls, attendees, field_names=None):
        if field_names is not None and 'email' not in field_names:
            return
        for attendee in attendees:
            if attendee.email and not is_email(attendee.email):
                raise AttendeeError(gettext(
                        'sale_opportunity_management'
                        '.msg_attendee_email_invalid',
                        email=attendee.email))

    @classmethod
    def check_modification(
            cls, mode, attendees, values=None, external=False):
        super().check_modification(
            mode, attendees, values=values, external=external)
        if external and mode in {'create', 'delete'}:
            for attendee in attendees:
                if attendee.meeting.state != 'pending':
                    raise AccessError(gettext(
                            'sale_opportunity_management'
                            '.msg_attendee_meeting_over',
                            meeting=attendee.meeting.rec_name))
        if external and mode in {'create', 'write'}:
            answer = cls._answer_fields()
            for attendee in attendees:
                if (values.keys() & answer.keys() if mode == 'write'
                        else any(
                            getattr(attendee, n) != v
                            for n, v in answer.items())):
                    raise AccessError(gettext(
                            'sale_opportunity_management.msg_attendee_answer',
                            attendee=attendee.rec_name))

    @classmethod
    def _answer_fields(cls):
        """The fields that say what the attendee was told and has answered

        With the values of who was not told yet."""
        return {
            'answer': cls.default_answer(),
            'answer_date': None,
            'sent_sequence': None,
            'sent_texts': None,
            'notified_sequence': None,
            }

    @classmethod
    def on_modification(cls, mode, attendees, field_names=None):
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        super().on_modification(mode, attendees, field_names=field_names)
        if mode == 'create':
            if meetings := {a.meeting for a in attendees if a.meeting.invited}:
                Meeting.queue_invitations(list(meetings))

    @classmethod
    def on_delete(cls, attendees):
        pool = Pool()
        Notification = pool.get('res.notification')
        OutgoingEmail = pool.get('sale.outgoing_email')
        callbacks = super().on_delete(attendees)
        messages, notifications = [], []
        for attendee in attendees:
            meeting = attendee.meeting
            if not meeting.is_announced:
                continue
            if attendee.notified_sequence is not None:
                notifications.extend(meeting.invitation_notifications(
                        attendee, method='CANCEL'))
            if attendee.sent_sequence is not None:
                messages.append((
                        meeting.invitation_message(attendee, method='CANCEL'),
                        meeting.end_date))

        def send():
            Notification.save(notifications)
            OutgoingEmail.add(messages)
        callbacks.append(send)
        return callbacks

    @classmethod
    def activity_lines(cls):
        "The meetings in the agenda of the employees who attend them"
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        table = cls.__table__()
        meeting = Meeting.__table__()
        columns = Meeting.activity_columns(meeting)
        columns['id'] = table.id
        columns['role'] = Literal('attendee')
        columns['assignee'] = table.employee
        columns['date'] = table.date
        columns['state'] = table.state
        return table.join(
            meeting,
            condition=(table.meeting == meeting.id)
            & (table.employee != Null)
            & (table.employee != meeting.assignee)
            & (table.answer != 'declined')), columns

    @property
    def activity(self):
        return self.meeting

    @classmethod
    def copy(cls, attendees, default=None):
        default = default.copy() if default is not None else {}
        for name, value in cls._answer_fields().items():
            default.setdefault(name, value)
        return super().copy(attendees, default=default)

    @classmethod
    def give_answer(cls, attendees, answer):
        "Record the answer and tell the organiser"
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        cls.lock(attendees)
        attendees = [
            a for a in cls.browse(attendees)
            if a.answer != answer and a.meeting.state == 'pending']
        with without_check_access():
            cls.write(attendees, {
                    'answer': answer,
                    'answer_date': this_minute(),
                    })
        by_meeting = defaultdict(list)
        for attendee in attendees:
            by_meeting[attendee.meeting].append(attendee)
        for meeting, m_attendees in by_meeting.items():
            Meeting.notify_answers(meeting, m_attendees)


class AttendeeToken(AccessTokenMixin):
    __name__ = 'sale.meeting.attendee.token'

    attendee = fields.Many2One(
        'sale.meeting.attendee', "Attendee", required=True,
        ondelete='CASCADE')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(Index(t, (t.attendee, Index.Equality())))

    def get_rec_name(self, name):
        return self.attendee.rec_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('attendee.rec_name', *clause[1:])]

    @classmethod
    def add(cls, attendee):
        "Return a new token of the attendee"
        return cls.create_token(attendee=attendee.id)

    @classmethod
    def get(cls, token):
        "Return the attendee of the token"
        tokens = cls.search_token(token)
        return tokens[0].attendee if tokens else None
