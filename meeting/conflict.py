# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
from collections import defaultdict

from sql import Column
from sql.operators import Or

from trytond.i18n import gettext, ngettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction

from ..access import readable
from ..moment import this_minute, to_local
from .exceptions import MeetingConflictWarning

# How many conflicts are told one by one, as they cover the form
_SHOWN = 3


class Meeting(metaclass=PoolMeta):
    __name__ = 'sale.meeting'

    @fields.depends('state', methods=['_conflicts'])
    def on_change_notify(self):
        notifications = super().on_change_notify()
        if self.state == 'pending' and (conflicts := self._conflicts()):
            notifications.append(('warning', self._conflicts_text(conflicts)))
        return notifications

    @fields.depends(
        'id', 'company', 'planned_date', 'end_date', 'whole_day', 'assignee',
        'attendees')
    def _conflicts(self):
        """Return the other meetings at the same time of who takes part

        A list of id, name, start, end, if it takes whole days and, for who may
        read it, the summary."""
        if not self.company or not self.planned_date or not self.end_date:
            return []
        names = {}
        if self.assignee:
            names['employee', self.assignee.id] = self.assignee.rec_name
        for attendee in self.attendees or []:
            for identity in attendee.identities:
                names[identity] = attendee.get_rec_name('rec_name')
        if not names:
            return []
        conflicts = self._search_conflicts(
            names.keys(), self.planned_date, self.end_date, self.id)
        summaries = {
            m.id: m.summary for m in self.__class__.browse(
                readable(self.__class__, {c[0] for c in conflicts}))}
        told = {
            (id_, names[identity], *period, summaries.get(id_))
            for id_, identity, *period in conflicts
            # Customers of others are not for everybody
            if identity[0] == 'employee' or id_ in summaries}
        return sorted(told, key=lambda c: (c[2], c[1], c[0]))

    def _conflicts_text(self, conflicts):
        shown, more = conflicts[:_SHOWN], len(conflicts[_SHOWN:])
        texts = []
        for _, name, start, end, whole_day, summary in shown:
            values = {
                'employee': name,
                'period': self._format_period(start, end, whole_day),
                }
            if summary:
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
        return '\n'.join(texts)

    @classmethod
    def on_modification(cls, mode, meetings, field_names=None):
        super().on_modification(mode, meetings, field_names=field_names)
        if (mode == 'create'
                or (mode == 'write'
                    and field_names & cls._conflict_fields())):
            cls._warn_conflicts(meetings)

    @classmethod
    def copy(cls, meetings, default=None):
        with Transaction().set_context(_skip_warnings=True):
            return super().copy(meetings, default=default)

    @classmethod
    def _conflict_fields(cls):
        return {
            'planned_date', 'end_date', 'duration', 'whole_day', 'attendees'}

    @classmethod
    def _warn_conflicts(cls, meetings):
        pool = Pool()
        Warning = pool.get('res.user.warning')
        transaction = Transaction()
        if not transaction.user or transaction.context.get('_skip_warnings'):
            return
        now = this_minute()
        for meeting in meetings:
            if (meeting.state != 'pending'
                    or meeting.end_date <= now
                    or not (conflicts := meeting._conflicts())):
                continue
            # A new meeting gets another id when it is saved again
            key = Warning.format(
                'meeting_conflict', cls.browse([c[0] for c in conflicts]))
            if Warning.check(key):
                raise MeetingConflictWarning(key, gettext(
                        'sale_opportunity_management.msg_meeting_conflict',
                        meeting=meeting.rec_name)
                    + '\n' + meeting._conflicts_text(conflicts))

    def _format_period(self, start, end, whole_day):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        if whole_day:
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
    def _search_conflicts(cls, identities, start, end, meeting=None):
        """Return the other meetings of who has the identities in the period

        A set of id, identity, start, end and if it takes whole days."""
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        table = cls.__table__()
        attendee = Attendee.__table__()
        cursor = Transaction().connection.cursor()
        values = defaultdict(list)
        for name, value in identities:
            values[name].append(value)
        where = (
            (table.state == 'pending')
            & (table.planned_date < end)
            & (table.end_date > start)
            & (Or(Column(attendee, n).in_(v) for n, v in values.items())
                | (table.assignee.in_(values['employee'] or [None]))))
        if meeting is not None and meeting >= 0:
            where &= table.id != meeting
        cursor.execute(*table
            .join(attendee, 'LEFT',
                condition=(attendee.meeting == table.id)
                & (attendee.answer != 'declined'))
            .select(
                table.id, table.planned_date, table.end_date, table.whole_day,
                table.assignee,
                attendee.employee, attendee.contact, attendee.email,
                where=where))
        conflicts = set()
        for id_, start, end, whole_day, organiser, *attending in cursor:
            start, end = map(cls._sql_datetime, [start, end])
            for identity in [
                    ('employee', organiser),
                    *zip(['employee', 'contact', 'email'], attending)]:
                if identity in identities:
                    conflicts.add((id_, identity, start, end, bool(whole_day)))
        return conflicts

    @staticmethod
    def _sql_datetime(value):
        # SQLite loses the type of what is joined
        if isinstance(value, str):
            value = dt.datetime.fromisoformat(value)
        return value
