# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
from collections import defaultdict

from sql import Column, Literal, Null
from sql.aggregate import Min
from sql.conditionals import Case, Coalesce

from trytond.model import ModelSQL, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction, check_access

from .activity import now

# The moment that sorts what has none last
datetime_max = dt.datetime.max.replace(microsecond=0)


class IndicatorMixin(ModelSQL):
    """Where the follow-up of a record stands

    It needs the fields state, which is closed when it is concluded, and
    next_activity."""

    indicator = fields.Function(
        fields.Selection([
                (None, ""),
                ('overdue', "Overdue"),
                ('in_progress', "In Process"),
                ('concluded', "Concluded"),
                ], "Indicator", sort=False),
        'get_indicator', searcher='search_indicator')
    indicator_string = indicator.translated('indicator')
    indicator_icon = fields.Function(
        fields.Char("Indicator Icon"), 'get_indicator_icon')

    @classmethod
    def _indicator_rank(cls, table):
        "Return the SQL expression of the place of the indicator"
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
        _, operator, value = clause
        moment = now()
        # Domains on the columns that are indexed
        domains = {
            'overdue': [
                ('state', '!=', 'closed'),
                ('next_activity', '<', moment),
                ],
            'in_progress': [
                ('state', '!=', 'closed'),
                ['OR',
                    ('next_activity', '=', None),
                    ('next_activity', '>=', moment),
                    ],
                ],
            'concluded': [('state', '=', 'closed')],
            }
        Operator = {
            '=': lambda key: key == value,
            '!=': lambda key: key != value,
            'in': lambda key: key in value,
            'not in': lambda key: key not in value,
            }[operator]
        domains = [d for key, d in domains.items() if Operator(key)]
        return ['OR', *domains] if domains else [('id', '=', None)]

    @classmethod
    def get_indicator_icon(cls, records, name):
        return {
            r.id: (r.indicator and (
                    'tryton-sale-tracking-' + r.indicator.replace('_', '-')))
            for r in records}


class FollowedMixin(IndicatorMixin):
    """Where the trackings of a record stand: the most urgent one counts

    _tracking_field is the name of the field of the tracking."""

    _tracking_field = None
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
    follow_up = fields.Function(
        fields.Text(
            "Follow-up",
            help="What was done last, what comes next and how late it is."),
        'get_follow_up')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.trackings.field = cls._tracking_field

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
    def order_indicator(cls, tables):
        table, _ = tables[None]
        if 'indicator' not in tables:
            query = cls._indicator_query()
            tables['indicator'] = {
                None: (query, query.record == table.id),
                }
        else:
            query, _ = tables['indicator'][None]
        return [query.rank]

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
        _, operator, value = clause
        values = set(value) if isinstance(value, (list, tuple)) else {value}
        query = cls._indicator_query()
        if ranks := [
                i for i, n in enumerate(cls._indicators) if n in values]:
            query.having = query.columns[1].expression.in_(ranks)
        elif None not in values:
            query.where &= Literal(False)
        ids = query.select(query.record)
        if None in values:
            without = cls._indicator_query()
            domain = [('id', 'not in', without.select(without.record))]
            if ranks:
                domain = ['OR', domain, ('id', 'in', ids)]
        else:
            domain = [('id', 'in', ids)]
        if operator in {'!=', 'not in'}:
            table = cls.__table__()
            matching = cls.search(domain, order=[], query=True)
            domain = [('id', 'not in', table.select(
                        table.id, where=table.id.in_(matching)))]
        return domain

    @classmethod
    def get_follow_up(cls, records, name):
        pool = Pool()
        ModelAccess = pool.get('ir.model.access')
        Tracking = pool.get('sale.tracking')
        texts = defaultdict(list)
        # It tells no more than what the user may read
        with check_access():
            trackings = []
            if ModelAccess.check('sale.tracking', raise_exception=False):
                trackings = Tracking.search([
                        (cls._tracking_field, 'in', [r.id for r in records]),
                        ])
        for tracking in trackings:
            if tracking.follow_up:
                record = getattr(tracking, cls._tracking_field)
                texts[record.id].append(tracking.follow_up)
        return {r.id: '\n\n'.join(texts[r.id]) or None for r in records}

    @classmethod
    def copy(cls, records, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('trackings')
        return super().copy(records, default=default)
