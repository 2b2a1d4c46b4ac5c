# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
from collections import defaultdict

from sql.conditionals import Case, Coalesce

from trytond.i18n import gettext, ngettext
from trytond.model import ModelSQL, fields
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction

from .activity import TRACKING_ROLES
from .moment import days_since, now
from .tools import accepted_domain

datetime_max = dt.datetime.max.replace(microsecond=0)
LINE_END = ' ·'


class IndicatorMixin(ModelSQL):
    # It needs the fields state, which is open until it is closed, and
    # next_activity.

    indicator = fields.Function(
        fields.Selection([
                (None, ""),
                ('overdue', "Overdue"),
                ('in_progress', "In Process"),
                ('concluded', "Concluded"),
                ], "Indicator", sort=False,
            help="Yellow is in process, blue is concluded and red is overdue: "
            "the next activity should have been done already."),
        'get_indicator', searcher='search_indicator')
    indicator_string = indicator.translated('indicator')
    indicator_icon = fields.Function(
        fields.Char("Indicator Icon"), 'get_indicator_icon')
    follow_up = fields.Function(
        fields.Text(
            "Follow-up",
            help="How late it is, what was done last, what comes next "
            "and when to be reminded."),
        'get_follow_up')

    @classmethod
    def _indicator_rank(cls, table):
        return Case(
            (table.state == 'closed', 2),
            (table.next_activity < now(), 0),
            else_=1)

    @classmethod
    def order_indicator(cls, tables):
        table, _ = tables[None]
        return [
            cls._indicator_rank(table),
            Coalesce(table.next_activity, datetime_max),
            ]

    @classmethod
    def order_follow_up(cls, tables):
        return cls.order_indicator(tables)

    @classmethod
    def get_indicator(cls, records, name):
        moment = now()

        def indicator(record):
            if record.state == 'closed':
                return 'concluded'
            elif record.next_activity and record.next_activity < moment:
                return 'overdue'
            return 'in_progress'
        return {r.id: indicator(r) for r in records}

    @classmethod
    def search_indicator(cls, name, clause):
        moment = now()
        return accepted_domain(clause, {
            'overdue': [
                ('state', '=', 'open'),
                ('next_activity', '<', moment),
                ],
            'in_progress': [
                ('state', '=', 'open'),
                ['OR',
                    ('next_activity', '=', None),
                    ('next_activity', '>=', moment),
                    ],
                ],
            'concluded': [('state', '=', 'closed')],
            })

    @classmethod
    def get_indicator_icon(cls, records, name):
        return {
            r.id: (r.indicator and (
                    'tryton-sale-tracking-' + r.indicator.replace('_', '-')))
            for r in records}


class Tracking(IndicatorMixin, metaclass=PoolMeta):
    __name__ = 'sale.tracking'

    _follow_up_limit = 3

    @classmethod
    def get_follow_up(cls, trackings, name):
        pool = Pool()
        Activity = pool.get('sale.activity')
        activity = Activity.__table__()
        cursor = Transaction().connection.cursor()
        last, next_ = {}, defaultdict(list)
        cursor.execute(*activity.select(
                activity.tracking, activity.id, activity.state,
                where=fields.SQL_OPERATORS['in'](
                    activity.tracking, [t.id for t in trackings])
                & activity.role.in_(TRACKING_ROLES)
                & activity.state.in_(['pending', 'done']),
                order_by=[activity.date, activity.id]))
        for tracking, id_, state in cursor:
            if state == 'done':
                last[tracking] = id_
            elif len(next_[tracking]) < cls._follow_up_limit:
                next_[tracking].append(id_)
        lines = Activity.browse([
                *last.values(), *(i for ids in next_.values() for i in ids)])
        activities = dict(
            zip(map(int, lines), Activity.get_activities(lines)))
        return {
            t.id: f'{LINE_END}\n'.join(t._follow_up_texts(
                    activities.get(last.get(t.id)),
                    [activities[i] for i in next_[t.id]]))
            for t in trackings}

    def _follow_up_texts(self, last, next_):
        texts = [self._indicator_text(next_)]
        if last:
            texts.append(self._activity_text('last', last))
        for name, activity in zip(
                ['next'] + ['then'] * len(next_), next_):
            texts.append(self._activity_text(name, activity))
            if reminder_date := getattr(activity, 'reminder_date', None):
                texts.append(gettext(
                        'sale_opportunity_management.msg_follow_up_reminder',
                        date=activity._format_date(reminder_date)))
        for name in ['opportunity', 'sale']:
            if state := getattr(self, f'{name}_state_string'):
                texts.append(gettext(
                        f'sale_opportunity_management.msg_follow_up_{name}',
                        state=state))
        return texts

    def _indicator_text(self, next_):
        if self.indicator == 'overdue' and next_:
            if days := days_since(self.company, next_[0].date):
                return ngettext(
                    'sale_opportunity_management.msg_follow_up_overdue',
                    days, days=days)
            return gettext(
                'sale_opportunity_management.msg_follow_up_overdue_today')
        return self.indicator_string

    def _activity_text(self, name, activity):
        return gettext(
            f'sale_opportunity_management.msg_follow_up_{name}',
            date=activity._format_date(activity.date),
            activity=activity.text)
