# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from sql import Null
from sql.conditionals import Case

from trytond.i18n import gettext, ngettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.transaction import Transaction, check_access

from .moment import to_local

# How many conflicts are told one by one, as they cover the form
_SHOWN = 3


class ConflictMixin(ModelView):

    @fields.depends('state', methods=['_busy'])
    def on_change_notify(self):
        notifications = super().on_change_notify()
        if self.state == 'pending' and (texts := self._busy()):
            # One below the other would hide the form
            notifications.append(('warning', '\n'.join(texts)))
        return notifications

    @fields.depends(
        'id', 'company', 'planned_date', 'end_date', 'whole_day', 'assignee',
        'attendees')
    def _busy(self):
        pool = Pool()
        Employee = pool.get('company.employee')
        if not self.company or not self.planned_date or not self.end_date:
            return []
        employees = {
            a.employee for a in self.attendees or []
            if getattr(a, 'employee', None)}
        if self.assignee:
            employees.add(self.assignee)
        if not employees:
            return []
        conflicts = self._search_conflicts(
            [e.id for e in employees], self.planned_date, self.end_date,
            self.id)
        shown, more = conflicts[:_SHOWN], len(conflicts[_SHOWN:])
        # What the other meeting is about is for those who may read it
        with check_access():
            readable = {
                m.id: m.summary for m in self.__class__.search([
                        ('id', 'in', [c[0] for c in shown]),
                        ])}
        texts = []
        for meeting, employee, start, end, whole_day in shown:
            values = {
                'employee': Employee(employee).rec_name,
                'period': self._format_period(start, end, whole_day),
                }
            if summary := readable.get(meeting):
                texts.append(gettext(
                        'sale_opportunity_management.msg_meeting_busy_with',
                        meeting=summary, **values))
            else:
                texts.append(gettext(
                        'sale_opportunity_management.msg_meeting_busy',
                        **values))
        if more:
            texts.append(ngettext(
                    'sale_opportunity_management.msg_meeting_busy_more', more,
                    number=more))
        return texts

    def _format_period(self, start, end, whole_day):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        if whole_day:
            # It ends where the last day does
            end -= dt.timedelta(minutes=1)
        start, end = (
            to_local(self.company, start), to_local(self.company, end))
        if start.date() != end.date():
            format_ = lang.date if whole_day else f'{lang.date} %H:%M'
            return gettext(
                'sale_opportunity_management.msg_meeting_busy_period',
                start=lang.strftime(start, format_),
                end=lang.strftime(end, format_))
        day = lang.strftime(start, lang.date)
        if whole_day:
            return gettext(
                'sale_opportunity_management.msg_meeting_busy_day', day=day)
        return gettext(
            'sale_opportunity_management.msg_meeting_busy_hours',
            day=day,
            start=lang.strftime(start, '%H:%M'),
            end=lang.strftime(end, '%H:%M'))

    @classmethod
    def _search_conflicts(cls, employees, start, end, meeting=None):
        """Return the other meetings of the employees in the period

        A list of id, employee, start, end and if it takes whole days."""
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        table = cls.__table__()
        attendee = Attendee.__table__()
        cursor = Transaction().connection.cursor()
        of_attendee = (
            attendee.employee.in_(employees)
            & (attendee.answer != 'declined'))
        where = (
            (table.state == 'pending')
            & (table.planned_date < end)
            & (table.end_date > start)
            & (table.assignee.in_(employees) | of_attendee))
        if meeting is not None and meeting >= 0:
            where &= table.id != meeting
        cursor.execute(*table
            .join(attendee, 'LEFT',
                condition=attendee.meeting == table.id)
            .select(
                table.id, table.assignee,
                Case((of_attendee, attendee.employee), else_=Null),
                table.planned_date, table.end_date, table.whole_day,
                where=where))
        conflicts = set()
        for id_, organiser, employee, start, end, whole_day in cursor:
            start, end = map(cls._sql_datetime, [start, end])
            for busy in [organiser, employee]:
                if busy in employees:
                    conflicts.add((id_, busy, start, end, bool(whole_day)))
        return sorted(conflicts, key=lambda c: (c[2], c[1], c[0]))

    @staticmethod
    def _sql_datetime(value):
        # SQLite loses the type of what is joined
        if isinstance(value, str):
            value = dt.datetime.fromisoformat(value)
        return value
