# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
from collections import defaultdict

from sql import Column, Null
from sql.aggregate import Min
from sql.conditionals import Case, Coalesce

from trytond.i18n import gettext, ngettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction, check_access

from .channel import has_role
from .moment import days_since, now
from .tools import accepted_domain

# The moment that sorts what has none last
datetime_max = dt.datetime.max.replace(microsecond=0)
# Lists show the lines after each other
_SEPARATOR = ' ·'


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
        # The lists show the icon of the indicator with the text
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
        # Domains on the columns that are indexed
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


class FollowUpMixin(IndicatorMixin):
    # The number of pending activities that are told
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
                & (activity.role != 'attendee')
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
            t.id: f'{_SEPARATOR}\n'.join(t._follow_up_texts(
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


class FollowedMixin(IndicatorMixin):
    # _tracking_field is the name of the field of the tracking and
    # _follow_states are the states in which it is followed up.

    _tracking_field = None
    _follow_states = []
    # In the order of the rank
    _indicators = ['overdue', 'in_progress', 'concluded']

    trackings = fields.One2Many(
        'sale.tracking', None, "Trackings",
        domain=[
            ('company', '=', Eval('company', -1)),
            ('party', '=', Eval('party', -1)),
            ],
        states={
            'readonly': ~Eval('party'),
            })
    activities = fields.Function(
        fields.Many2Many(
            'sale.activity', None, None, "Activities",
            help="What was done and what is planned in the trackings."),
        'get_activities')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.trackings.field = cls._tracking_field
        cls._buttons.update({
                'follow': {
                    'invisible': (
                        ~Eval('state').in_(cls._follow_states)
                        | ~has_role('group_tracking')),
                    'readonly': ~Eval('party'),
                    'depends': ['state', 'party'],
                    },
                })

    @classmethod
    def _indicator_query(cls):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        tracking = Tracking.__table__()
        record = Column(tracking, cls._tracking_field)
        return tracking.select(
            record.as_('record'),
            Min(Tracking._indicator_rank(tracking)).as_('rank'),
            where=record != Null,
            group_by=[record])

    @classmethod
    def _linked_query(cls, where=None):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        tracking = Tracking.__table__()
        record = Column(tracking, cls._tracking_field)
        query = tracking.select(record, where=record != Null)
        if where:
            query.where &= where(tracking)
        return query

    @classmethod
    def order_indicator(cls, tables):
        table, _ = tables[None]
        if 'indicator' not in tables:
            query = cls._indicator_query()
            tables['indicator'] = {
                None: (query, query.record == table.id),
                }
        else:
            query, _ = tables['indicator'][None]
        # Those without tracking after the others on any database
        return [Coalesce(query.rank, len(cls._indicators))]

    @classmethod
    def get_indicator(cls, records, name):
        cursor = Transaction().connection.cursor()
        indicators = {r.id: None for r in records}
        query = cls._indicator_query()
        query.where &= fields.SQL_OPERATORS['in'](
            query.group_by[0], list(indicators))
        cursor.execute(*query)
        for id_, rank in cursor:
            indicators[id_] = cls._indicators[rank]
        return indicators

    @classmethod
    def search_indicator(cls, name, clause):
        # By indexes instead of ranking all the trackings
        overdue = cls._linked_query(
            lambda tracking: (tracking.state == 'open')
            & (tracking.next_activity < now()))
        open_ = cls._linked_query(lambda tracking: tracking.state == 'open')
        linked = cls._linked_query()
        return accepted_domain(clause, {
                'overdue': [('id', 'in', overdue)],
                'in_progress': [
                    ('id', 'in', open_),
                    ('id', 'not in', overdue),
                    ],
                'concluded': [
                    ('id', 'in', linked),
                    ('id', 'not in', open_),
                    ],
                None: [('id', 'not in', linked)],
                })

    @classmethod
    def _read_trackings(cls, records):
        """Return the trackings of the records that the user may read

        The most urgent come first."""
        pool = Pool()
        ModelAccess = pool.get('ir.model.access')
        Tracking = pool.get('sale.tracking')
        with check_access():
            if not ModelAccess.check('sale.tracking', raise_exception=False):
                return []
            return Tracking.search([
                    (cls._tracking_field, 'in', [r.id for r in records]),
                    ], order=[('indicator', 'ASC'), ('id', 'ASC')])

    @classmethod
    def get_follow_up(cls, records, name):
        texts = defaultdict(list)
        for tracking in cls._read_trackings(records):
            record = getattr(tracking, cls._tracking_field)
            texts[record.id].append(tracking.follow_up)
        # Who may not read the trackings is told what the icon shows
        return {
            r.id: (
                f'{_SEPARATOR}\n\n'.join(texts[r.id])
                or r.indicator_string or None)
            for r in records}

    @classmethod
    def get_activities(cls, records, name):
        pool = Pool()
        Activity = pool.get('sale.activity')
        activities = {r.id: [] for r in records}
        trackings = {
            t.id: getattr(t, cls._tracking_field).id
            for t in cls._read_trackings(records)}
        if not trackings:
            return activities
        with check_access():
            for activity in Activity.search_read([
                        ('tracking', 'in', list(trackings)),
                        ('role', '!=', 'attendee'),
                        ], fields_names=['tracking'],
                    order=[('date', 'DESC'), ('id', 'DESC')]):
                activities[trackings[activity['tracking']]].append(
                    activity['id'])
        return activities

    @classmethod
    def copy(cls, records, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('trackings')
        return super().copy(records, default=default)

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_tracking_follow_up')
    def follow(cls, records):
        pass
