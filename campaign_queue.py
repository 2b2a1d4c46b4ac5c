# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import logging
import random

from sql import For, Literal, Null, Union
from sql.conditionals import Coalesce

from trytond import backend
from trytond.exceptions import UserError, UserWarning
from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval, Id
from trytond.rpc import RPC
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, without_check_access

from .exceptions import AttendError
from .moment import now, this_minute, to_local
from .savepoint import savepoint

logger = logging.getLogger(__name__)

PRIORITIES = [
    ('1', "Low"),
    ('2', "Normal"),
    ('3', "High"),
    ('4', "Urgent"),
    ]


class QueueMixin(ModelSQL):
    _campaign_states = {
        'invisible': ~Eval('campaign'),
        }

    campaign = fields.Many2One(
        'sale.campaign', "Campaign", ondelete='RESTRICT',
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'readonly': (
                (Eval('state') == 'closed')
                | ~Id('sale_opportunity_management', 'group_tracking_admin')
                .in_(Eval('context', {}).get('groups', []))),
            })
    priority = fields.Selection(
        PRIORITIES, "Priority", sort=False,
        states={
            'invisible': _campaign_states['invisible'],
            'readonly': Eval('state') == 'closed',
            'required': ~~Eval('campaign'),
            },
        help="Those with a higher priority come first.")
    priority_string = priority.translated('priority')
    result = fields.Many2One(
        'sale.campaign.result', "Result", ondelete='RESTRICT', readonly=True,
        states=_campaign_states,
        help="The result of the last attempt.")
    attempts = fields.Integer(
        "Attempts", readonly=True, states=_campaign_states,
        help="How many times the customer was called for the campaign.")
    last_attempt = fields.DateTime(
        "Last Attempt", format='%H:%M', readonly=True,
        states=_campaign_states,
        help="When the customer was called last for the campaign.")
    next_attempt = fields.DateTime(
        "Next Attempt", format='%H:%M', readonly=True,
        states=_campaign_states,
        help="From when on the customer comes next.")
    callback_date = fields.DateTime(
        "Call-back", format='%H:%M', readonly=True,
        states=_campaign_states,
        help="When the operator promised to call again.")
    reserved_for = fields.Many2One(
        'company.employee', "Reserved For", ondelete='RESTRICT',
        readonly=True, states=_campaign_states,
        help="The operator who promised to call again "
        "or to whom the tracking was given.")
    taken_by = fields.Many2One(
        'company.employee', "Taken By", ondelete='RESTRICT', readonly=True,
        states=_campaign_states,
        help="The operator who works on the customer now.")
    taken_date = fields.DateTime(
        "Taken At", readonly=True, states=_campaign_states,
        help="When the operator took the customer or saved last.")
    draft = fields.Text(
        "Draft", readonly=True, states=_campaign_states,
        help="What was typed but not saved yet.")

    del _campaign_states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        is_waiting = (t.state == 'open') & (t.taken_by == Null)
        cls._sql_indexes.update({
                # What is shared by the operators, as the queue takes it
                Index(
                    t,
                    (t.campaign, Index.Equality()),
                    (t.priority, Index.Equality()),
                    (t.next_attempt, Index.Range()),
                    (t.id, Index.Range()),
                    where=is_waiting & (t.reserved_for == Null)),
                # What is given to an operator
                Index(
                    t,
                    (t.campaign, Index.Equality()),
                    (t.reserved_for, Index.Equality()),
                    (t.priority, Index.Equality()),
                    (t.next_attempt, Index.Range()),
                    (t.id, Index.Range()),
                    where=is_waiting & (t.reserved_for != Null)
                    & (t.callback_date == Null)),
                # What is promised by an operator
                Index(
                    t,
                    (t.campaign, Index.Equality()),
                    (t.reserved_for, Index.Equality()),
                    (t.next_attempt, Index.Range()),
                    (t.id, Index.Range()),
                    where=is_waiting & (t.callback_date != Null)),
                # What is promised by anybody
                Index(
                    t,
                    (t.campaign, Index.Equality()),
                    (t.next_attempt, Index.Range()),
                    (t.id, Index.Range()),
                    where=is_waiting & (t.callback_date != Null)),
                Index(
                    t,
                    (t.taken_by, Index.Equality()),
                    (t.taken_date, Index.Range()),
                    where=t.taken_by != Null),
                Index(
                    t,
                    (t.campaign, Index.Range()),
                    (t.party, Index.Equality()),
                    where=t.campaign != Null),
                Index(
                    t,
                    (t.result, Index.Range()),
                    where=t.result != Null),
                })
        cls.__rpc__.update({
                'take': RPC(readonly=False, instantiate=0, result=int),
                })

    @classmethod
    def default_priority(cls):
        return '2'

    @classmethod
    def default_attempts(cls):
        return 0

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        if not Transaction().context.get('_campaign_queue'):
            if (field_names is None
                    or field_names & self._campaign_queue_fields()):
                for name, value in self._campaign_queue_values(
                        field_names).items():
                    if getattr(self, name, None) != value:
                        values[name] = value
        return values

    @classmethod
    def _campaign_queue_fields(cls):
        return {'campaign', 'operator', 'state'}

    def _campaign_queue_values(self, field_names):
        if not self.campaign:
            return {
                'result': None,
                'attempts': 0,
                'last_attempt': None,
                'next_attempt': None,
                'callback_date': None,
                'reserved_for': None,
                'taken_by': None,
                'taken_date': None,
                }
        values = {}
        if self.state == 'closed':
            values.update(taken_by=None, taken_date=None)
        elif field_names is None or {'campaign', 'state'} & field_names:
            values['next_attempt'] = self.callback_date or this_minute()
        if field_names is None or {'campaign', 'operator'} & field_names:
            # What is given by hand to an operator is not for the others
            operator = getattr(self, 'operator', None)
            if operator and operator in self.campaign.operators:
                values['reserved_for'] = operator
            else:
                values['reserved_for'] = None
        return values

    @classmethod
    def check_modification(
            cls, mode, trackings, values=None, external=False):
        super().check_modification(
            mode, trackings, values=values, external=external)
        if external and not cls.is_administrator():
            if mode == 'create':
                changed = any(t.campaign for t in trackings)
            else:
                changed = (
                    mode == 'write'
                    and values.keys() & cls._campaign_protected_fields())
            if changed:
                tracking, *_ = trackings
                raise AccessError(gettext(
                        'sale_opportunity_management'
                        '.msg_campaign_queue_denied',
                        tracking=tracking.rec_name))

    @classmethod
    def _campaign_protected_fields(cls):
        return {
            'campaign', 'result', 'attempts', 'last_attempt', 'next_attempt',
            'callback_date', 'reserved_for', 'taken_by', 'taken_date'}

    @classmethod
    def on_write(cls, trackings, values):
        callbacks = super().on_write(trackings, values)
        if values.get('campaign'):
            moved = [
                t.id for t in trackings
                if t.campaign and t.campaign.id != values['campaign']]
            if moved:
                values = {
                    n: v for n, v in cls._moved_values().items()
                    if n not in values}
                callbacks.append(
                    lambda: cls._write_queue(cls.browse(moved), values))
        return callbacks

    @classmethod
    def _moved_values(cls):
        return {
            'result': None,
            'attempts': 0,
            'last_attempt': None,
            'next_attempt': this_minute(),
            'callback_date': None,
            'taken_by': None,
            'taken_date': None,
            }

    @classmethod
    def copy(cls, trackings, default=None):
        default = default.copy() if default is not None else {}
        for name in [
                'campaign', 'result', 'last_attempt', 'next_attempt',
                'callback_date', 'reserved_for', 'taken_by', 'taken_date',
                'draft']:
            default.setdefault(name)
        default.setdefault('attempts', 0)
        default.setdefault('priority', cls.default_priority())
        return super().copy(trackings, default=default)

    @classmethod
    def share_reserved(cls, operators):
        """Share out what was reserved for the operators

        operators is a dictionary of the ids of the operators by campaign.
        What they promised comes to the others once it is due."""
        with without_check_access():
            for campaign, ids in operators.items():
                trackings = cls.search([
                        ('campaign', '=', campaign),
                        ('state', '=', 'open'),
                        ('callback_date', '=', None),
                        ('reserved_for', 'in', ids),
                        ], order=[])
                for sub_trackings in grouped_slice(trackings, 500):
                    cls._write_queue(
                        list(sub_trackings), {'reserved_for': None})

    @classmethod
    def take_next(cls, campaign):
        """Take for the user the customer of the campaign that comes next

        First comes what the operator has already taken, then the call-backs
        that the operator promised, those promised by who is away and at last
        the others by priority and from when on they wait.
        Return the tracking and the reason why it comes.  The tracking is None
        when there is nobody to call now."""
        employee = campaign.get_attendant()
        with without_check_access():
            moment = now()
            if held := cls._get_held(campaign, employee):
                return held, gettext(
                    'sale_opportunity_management.msg_campaign_next_held',
                    date=held._format_moment(held.taken_date))
            cls.give_back_expired([campaign])
            for tracking, is_away in cls._pick(campaign, employee, moment):
                if not tracking._may_be_called():
                    # It does not come again
                    cls._write_queue([tracking], {'next_attempt': None})
                    continue
                promised_by = tracking.reserved_for if is_away else None
                tracking._take(employee)
                return tracking, tracking._reason(promised_by)
            return None, cls._nobody(campaign, employee, moment)

    @classmethod
    def take(cls, tracking):
        "Take the tracking for the user"
        employee = tracking._get_attendant()
        with without_check_access():
            tracking = tracking._hold(employee)
            if not tracking._may_be_called():
                raise AttendError(gettext(
                        'sale_opportunity_management'
                        '.msg_campaign_do_not_call',
                        customer=tracking.party.rec_name))
            tracking._take(employee)
        return tracking

    @classmethod
    def _get_held(cls, campaign, employee):
        trackings = cls.search([
                ('campaign', '=', campaign.id),
                ('taken_by', '=', employee.id),
                ('taken_date', '>=', now() - campaign.release_delay),
                ('state', '=', 'open'),
                ], order=[('taken_date', 'ASC'), ('id', 'ASC')], limit=1)
        for tracking in trackings:
            return tracking

    @classmethod
    def _pick(cls, campaign, employee, moment):
        """Yield in their order the trackings that nobody else has taken

        Each is locked and given with whether who it is reserved for is away.
        """
        cursor = Transaction().connection.cursor()
        tried, error, is_contended = set(), None, False
        for limit in [1, 20, 100, 1000]:
            cursor.execute(
                *cls._queue_query(campaign, employee, moment, limit))
            rows = cursor.fetchall()
            if is_contended:
                # Not to meet again at each of the next ones
                rows.sort(key=lambda row: (row[1], random.random()))
            for id_, _, is_away in rows:
                if id_ in tried:
                    continue
                tried.add(id_)
                try:
                    locked = cls._lock_waiting(id_)
                except backend.DatabaseOperationalError as e:
                    locked, error = False, e
                if locked:
                    yield cls(id_), bool(is_away)
                else:
                    # Somebody else was first
                    is_contended = True
        if error:
            # What was changed since the transaction began cannot be seen
            raise error

    @classmethod
    def _queue_query(cls, campaign, employee, moment, limit):
        """Return the query of the ids with their rank, in their order

        It looks only at the first ones of each part of the queue, that is
        what an index gives in its order."""
        parts = []
        for rank, is_away, where in cls._queue_parts(campaign, employee):
            table = cls.__table__()
            part = table.select(
                table.id, table.next_attempt,
                where=(table.campaign == campaign.id)
                & (table.state == 'open')
                & (table.taken_by == Null)
                & (table.next_attempt <= moment)
                & where(table),
                order_by=[table.next_attempt, table.id],
                limit=limit)
            parts.append(part.select(
                    part.id.as_('id'),
                    part.next_attempt.as_('next_attempt'),
                    Literal(rank).as_('rank'),
                    Literal(int(is_away)).as_('is_away')))
        query = Union(*parts, all_=True)
        return query.select(
            query.id, query.rank, query.is_away,
            order_by=[query.rank, query.next_attempt, query.id])

    @classmethod
    def _queue_parts(cls, campaign, employee):
        """Return the parts of the queue that the employee takes from

        As a list of tuples of their rank, if they are of who is away and a
        function that returns their condition on the table."""
        present = cls._present_query(campaign)
        parts = [
            (0, False, lambda t:
                (t.callback_date != Null)
                & (t.reserved_for == employee.id)),
            (1, True, lambda t:
                (t.callback_date != Null)
                & (Coalesce(t.reserved_for, -1) != employee.id)
                & ~Coalesce(t.reserved_for, -1).in_(present)),
            ]
        for rank, (priority, _) in enumerate(reversed(PRIORITIES), 2):
            parts.extend([
                    (rank, False, lambda t, p=priority:
                        (t.reserved_for == Null) & (t.priority == p)),
                    (rank, False, lambda t, p=priority:
                        (t.reserved_for == employee.id)
                        & (t.callback_date == Null) & (t.priority == p)),
                    ])
        return parts

    @classmethod
    def _present_query(cls, campaign):
        """Return the query of the employees who are not away

        That are the operators of the campaign who, within the time after
        which a customer is given back, used a session or took a customer.
        """
        pool = Pool()
        CampaignOperator = pool.get('sale.campaign-company.employee')
        Session = pool.get('ir.session')
        UserEmployee = pool.get('res.user-company.employee')
        operator = CampaignOperator.__table__()
        session = Session.__table__()
        table = cls.__table__()
        user = UserEmployee.__table__()
        since = now() - campaign.release_delay
        return operator.select(
            operator.employee,
            where=(operator.campaign == campaign.id)
            & (operator.employee.in_(user.join(
                        session,
                        condition=session.create_uid == user.user
                        ).select(
                        user.employee,
                        where=Coalesce(
                            session.write_date, session.create_date)
                        >= since))
                | operator.employee.in_(table.select(
                        table.taken_by,
                        where=(table.campaign == campaign.id)
                        & (table.taken_by != Null)
                        & (table.taken_date >= since)))))

    @classmethod
    def _lock_waiting(cls, id_):
        table = cls.__table__()
        return cls._lock(
            table, (table.id == id_)
            & (table.state == 'open')
            & (table.taken_by == Null))

    @classmethod
    def _lock_taken(cls, id_):
        table = cls.__table__()
        return cls._lock(
            table, (table.id == id_) & (table.taken_by != Null))

    @classmethod
    def _lock(cls, table, where):
        transaction = Transaction()
        database = transaction.database
        cursor = transaction.connection.cursor()
        if not database.has_select_for():
            # To write makes the others wait
            cursor.execute(*table.update([table.id], [table.id], where=where))
            return cursor.rowcount > 0
        # What another transaction changed meanwhile is an error that must not
        # spoil this one
        cursor.execute('SAVEPOINT campaign_queue')
        try:
            cursor.execute(*table.select(
                    table.id, where=where,
                    for_=database.get_select_for_skip_locked()('UPDATE')))
            locked = cursor.fetchone() is not None
        except backend.DatabaseOperationalError:
            cursor.execute('ROLLBACK TO SAVEPOINT campaign_queue')
            raise
        cursor.execute('RELEASE SAVEPOINT campaign_queue')
        return locked

    def _may_be_called(self):
        "Return if the customer may be called"
        pool = Pool()
        DoNotCall = pool.get('sale.do_not_call')
        return not DoNotCall.blocked(self.company, [self.party])

    def _take(self, employee):
        values = {
            'taken_by': employee.id,
            'taken_date': now(),
            }
        if self.operator != employee:
            values['operator'] = employee.id
        self._write_queue([self], values)

    @classmethod
    def _write_queue(cls, *args):
        with without_check_access(), Transaction().set_context(
                _campaign_queue=True, _notify_assigned=False):
            cls.write(*args)

    def _get_campaign(self):
        tracking = self.__class__(self.id)
        if not tracking.campaign:
            raise AttendError(gettext(
                    'sale_opportunity_management.msg_campaign_none',
                    tracking=tracking.rec_name))
        return tracking.campaign

    def _get_attendant(self):
        with without_check_access():
            return self._get_campaign().get_attendant()

    def _get_member(self):
        with without_check_access():
            return self._get_campaign().get_member()

    def _hold(self, employee):
        """Lock the tracking if the employee may work on it

        Return it as it is now."""
        cls = self.__class__
        transaction = Transaction()
        table = cls.__table__()
        cursor = transaction.connection.cursor()
        query = table.select(
            table.state, table.taken_by, table.reserved_for,
            where=table.id == self.id)
        if transaction.database.has_select_for():
            query.for_ = For('UPDATE')
        else:
            # To write makes the others wait
            cursor.execute(*table.update(
                    [table.id], [table.id], where=table.id == self.id))
        cursor.execute(*query)
        state, taken_by, reserved_for = cursor.fetchone()
        if state != 'open':
            raise AttendError(gettext(
                    'sale_opportunity_management.msg_campaign_closed',
                    tracking=self.rec_name))
        taken_by = taken_by or reserved_for
        if taken_by not in {None, employee.id}:
            raise AttendError(gettext(
                    'sale_opportunity_management.msg_campaign_taken',
                    tracking=self.rec_name,
                    operator=employee.__class__(taken_by).rec_name))
        return cls(self.id)

    def _reason(self, promised_by=None):
        if self.callback_date:
            if promised_by:
                return gettext(
                    'sale_opportunity_management.msg_campaign_next_away',
                    operator=promised_by.rec_name,
                    date=self._format_moment(self.callback_date))
            return gettext(
                'sale_opportunity_management.msg_campaign_next_callback',
                date=self._format_moment(self.callback_date))
        elif self.last_attempt:
            return gettext(
                'sale_opportunity_management.msg_campaign_next_retry',
                result=self.result.rec_name if self.result else '',
                date=self._format_moment(self.last_attempt),
                number=self.attempts + 1)
        return gettext(
            'sale_opportunity_management.msg_campaign_next_new',
            priority=self.priority_string,
            date=self._format_moment(self.next_attempt))

    @classmethod
    def _nobody(cls, campaign, employee, moment):
        trackings = cls.search([
                ('campaign', '=', campaign.id),
                ('state', '=', 'open'),
                ('taken_by', '=', None),
                ('reserved_for', 'in', [None, employee.id]),
                ('next_attempt', '>', moment),
                ], order=[('next_attempt', 'ASC')], limit=1)
        for tracking in trackings:
            return gettext(
                'sale_opportunity_management.msg_campaign_next_later',
                campaign=campaign.rec_name,
                date=tracking._format_moment(tracking.next_attempt))
        return gettext(
            'sale_opportunity_management.msg_campaign_next_none',
            campaign=campaign.rec_name)

    def _format_moment(self, moment):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        return lang.strftime(
            to_local(self.company, moment), f'{lang.date} %H:%M')

    @classmethod
    def give_back_expired(cls, campaigns=None):
        "Give back what was not saved within the time of its campaign"
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        cursor = Transaction().connection.cursor()
        with without_check_access():
            if campaigns is None:
                table = cls.__table__()
                cursor.execute(*table.select(
                        table.campaign,
                        where=table.taken_by != Null,
                        group_by=table.campaign))
                campaigns = Campaign.browse([id_ for id_, in cursor])
            for campaign in campaigns:
                table = cls.__table__()
                cursor.execute(*table.select(
                        table.id,
                        where=(table.taken_by != Null)
                        & (table.campaign == campaign.id)
                        & (table.taken_date < now() - campaign.release_delay)))
                cls.give_back([id_ for id_, in cursor])

    @classmethod
    def give_back(cls, ids, next_attempt=None):
        """Give the taken trackings back to the queue of their campaign

        Those that somebody else is changing or that are refused are left.
        next_attempt is the moment from which they come again."""
        with without_check_access():
            for id_ in ids:
                try:
                    locked = cls._lock_taken(id_)
                except backend.DatabaseOperationalError:
                    continue
                if not locked:
                    continue
                try:
                    with savepoint():
                        cls(id_)._give_back(next_attempt)
                except (UserError, UserWarning):
                    # One must not keep the others from who waits for them
                    logger.exception("give back %s,%s", cls.__name__, id_)

    def _give_back(self, next_attempt=None, worked=False):
        values = {
            'taken_by': None,
            'taken_date': None,
            }
        if next_attempt:
            values['next_attempt'] = next_attempt
        if self.reserved_for:
            operator = self.reserved_for
        elif not (self.attempts or worked or self._is_planned()):
            operator = None
        else:
            operator = self.operator
        if operator != self.operator:
            values['operator'] = operator.id if operator else None
        self._write_queue([self], values)

    def _is_planned(self):
        pool = Pool()
        Activity = pool.get('sale.activity')
        return bool(self.operator and any(
                Model.search([
                        ('tracking', '=', self.id),
                        ('assignee', '=', self.operator.id),
                        ('state', '=', 'pending'),
                        ], order=[], limit=1)
                for Model in Activity.activity_models()))

    @classmethod
    def give_back_employees(cls, employees):
        "Give back what the employees have taken"
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.id,
                where=fields.SQL_OPERATORS['in'](
                    table.taken_by, list(map(int, employees)))))
        cls.give_back([id_ for id_, in cursor])
