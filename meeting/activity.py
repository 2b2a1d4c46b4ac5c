# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.wizard import StateAction


class Activity(metaclass=PoolMeta):
    __name__ = 'sale.activity'

    organiser = fields.Many2One(
        'company.employee', "Organiser", readonly=True,
        help="The employee who invites to the meeting.")
    only_attended = fields.Function(
        fields.Boolean(
            "Only Attended",
            help="The user takes part in the meeting but may not change it."),
        'get_only_attended')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.kind.selection.append(('meeting', "Meeting"))
        cls.role.selection.append(('attendee', "Attendee"))
        for name in ['date', 'calendar_date', 'end_date', 'calendar_end']:
            field = getattr(cls, name)
            field.states = {
                **field.states,
                'readonly': (
                    field.states['readonly'] | Eval('only_attended', False)),
                }
        cls._calendar_colors = {
            **cls._calendar_colors,
            'meeting': '#3f7d3f',
            }
        button = cls._buttons['record_result']
        button['invisible'] |= Eval('only_attended', False)
        button['depends'] = [*button['depends'], 'only_attended']

    @classmethod
    def union_models(cls):
        return super().union_models() + [
            'sale.meeting', 'sale.meeting.attendee']

    @classmethod
    def get_only_attended(cls, lines, name):
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        only_attended = {line.id: False for line in lines}
        meetings = [
            line for line in lines
            if line.kind == 'meeting' and line.state == 'pending']
        activities = cls.get_activities(meetings)
        values = Meeting.get_only_attended(activities, name)
        only_attended.update(
            (line.id, values[activity.id])
            for line, activity in zip(meetings, activities))
        return only_attended


class Open(metaclass=PoolMeta):
    __name__ = 'sale.activity.open'

    meeting = StateAction('sale_opportunity_management.act_meeting_open')

    def do_meeting(self, action):
        return self._do_open(action)


class _KindMixin:
    __slots__ = ()

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.kind.selection.append(('meeting', "Meeting"))


class RecordStart(_KindMixin, metaclass=PoolMeta):
    __name__ = 'sale.activity.record.start'


class RegisterCallStart(_KindMixin, metaclass=PoolMeta):
    __name__ = 'sale.call.register.start'
