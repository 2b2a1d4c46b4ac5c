# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import json
from email.message import EmailMessage

from sql import Null

import trytond.config as config
from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.tools.email_ import format_address
from trytond.transaction import Transaction

from .moment import this_minute

_LATE = dt.timedelta(hours=1)


class ReminderMixin(ModelSQL):
    _reminder_icon = None

    reminder = fields.TimeDelta(
        "Reminder",
        domain=['OR',
            ('reminder', '=', None),
            ('reminder', '>=', dt.timedelta()),
            ],
        states={
            'readonly': Eval('state') != 'pending',
            },
        help="How long before the planned date to be reminded.\n"
        "Leave empty for no reminder.")
    reminder_date = fields.DateTime(
        "Reminder Date", format='%H:%M', readonly=True,
        help="When the reminder is sent.")
    reminded = fields.DateTime(
        "Reminded On", format='%H:%M', readonly=True,
        help="When the reminder was sent.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t,
                (t.reminder_date, Index.Range()),
                where=(t.state == 'pending') & (t.reminded == Null)
                & (t.reminder_date != Null)))

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        if field_names is None or field_names & self._reminder_fields():
            start = values.get('planned_date', self.planned_date)
            date = None
            if start and self.reminder is not None:
                date = self._reminder_start(start) - self.reminder
            if self.reminder_date != date:
                values['reminder_date'] = date
                if self.reminded:
                    values['reminded'] = None
        return values

    @classmethod
    def _reminder_fields(cls):
        return {'planned_date', 'reminder'}

    def _reminder_start(self, start):
        return start

    @classmethod
    def copy(cls, activities, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('reminder_date')
        default.setdefault('reminded')
        return super().copy(activities, default=default)

    @classmethod
    def _to_remind(cls, limit=100):
        """Lock and return the ids of the activities to remind of

        Those that another process works on are left to it."""
        transaction = Transaction()
        database = transaction.database
        cursor = transaction.connection.cursor()
        table = cls.__table__()
        now = this_minute()
        query = table.select(
            table.id,
            where=(table.state == 'pending')
            & (table.reminded == Null)
            & (table.reminder_date <= now)
            & (table.date >= now - _LATE),
            order_by=[table.reminder_date, table.id],
            limit=limit)
        if (company := transaction.context.get('company')) is not None:
            query.where &= table.company == company
        # Without it there is one writer at a time, who has locked the cron
        if database.has_select_for():
            For = database.get_select_for_skip_locked()
            query.for_ = For('UPDATE')
        cursor.execute(*query)
        return [id_ for id_, in cursor]

    @classmethod
    def send_reminders(cls):
        while ids := cls._to_remind():
            activities = cls.browse(ids)
            cls._send_reminders(activities)
            cls.write(activities, {'reminded': this_minute()})

    @classmethod
    def _send_reminders(cls, activities):
        pool = Pool()
        Notification = pool.get('res.notification')
        OutgoingEmail = pool.get('sale.outgoing_email')
        User = pool.get('res.user')
        employees = {e for a in activities for e in a.reminded_employees()}
        users = User.get_by_employee(employees)
        notifications, messages = [], []
        for activity in activities:
            for employee in activity.reminded_employees():
                for user in users[employee]:
                    notifications.append(activity._reminder_notification(user))
                if message := activity._reminder_message(employee):
                    messages.append((message, activity.date + _LATE))
        Notification.save(notifications)
        OutgoingEmail.add(messages)

    def reminded_employees(self):
        "Return the employees who are reminded"
        return [e for e in self._reminder_employees() if e.active]

    def _reminder_employees(self):
        return [self.assignee] if self.assignee else []

    def _reminder_notification(self, user):
        pool = Pool()
        Notification = pool.get('res.notification')
        with user.set_language():
            return Notification(
                user=user,
                # The clients cut long labels
                label=gettext(
                    'sale_opportunity_management.msg_reminder_notification',
                    activity=self.reminder_subject),
                description=', '.join(filter(None, [
                            self._format_date(self.planned_date),
                            self.reminder_details])),
                icon=self._reminder_icon,
                model=self.__name__,
                records=json.dumps([self.id]))

    def _reminder_message(self, employee):
        mechanism = employee.party.contact_mechanism_get('email')
        if not mechanism:
            return
        language = employee.party.lang or self.company.party.lang
        with Transaction().set_context(
                language=language.code if language else None):
            message = EmailMessage()
            message['From'] = config.get('email', 'from')
            message['To'] = format_address(
                mechanism.value, employee.rec_name)
            message['Subject'] = gettext(
                'sale_opportunity_management.msg_reminder',
                date=self._format_date(self.planned_date),
                activity=self.reminder_subject)
            message.set_content('\n'.join(filter(None, [
                            message['Subject'], self.reminder_details])))
        return message

    @property
    def reminder_subject(self):
        "The subject of the reminder, in one line"
        return ' - '.join(filter(None, [
                    self.summary, self.party.rec_name if self.party else None
                    ]))

    @property
    def reminder_details(self):
        "The details of the reminder"
        return self.phone
