# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import logging
import random
from collections import defaultdict

from sql import For, Literal, Null, Union
from sql.aggregate import Count, Max
from sql.conditionals import Coalesce
from sql.operators import Equal

import trytond.config as config
from trytond import backend
from trytond.exceptions import UserError, UserWarning
from trytond.i18n import gettext, ngettext
from trytond.model import Exclude, Index, ModelView, fields
from trytond.model.exceptions import AccessError, SQLConstraintError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval, Id
from trytond.rpc import RPC
from trytond.tools import grouped_slice, sqlite_apply_types
from trytond.transaction import Transaction, without_check_access

from ..moment import format_moment, minute_after, now, this_minute
from ..party import PHONE_TYPES
from ..savepoint import savepoint
from .exceptions import AttendError

logger = logging.getLogger(__name__)

PRIORITIES = [
    ('1', "Low"),
    ('2', "Normal"),
    ('3', "High"),
    ('4', "Urgent"),
    ]

_LATELY = dt.timedelta(days=1)
_NO_DRAFT = {
    'draft': None,
    'draft_result': None,
    'draft_callback_date': None,
    }


class Tracking(metaclass=PoolMeta):
    __name__ = 'sale.tracking'

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
    attend_turn = fields.Integer(
        "Saved", readonly=True, states=_campaign_states,
        help="How many times what was done with the customer was saved.")
    draft = fields.Text(
        "Draft", readonly=True, states=_campaign_states,
        help="What was typed but not saved yet.")
    draft_result = fields.Many2One(
        'sale.campaign.result', "Draft Result", ondelete='SET NULL',
        readonly=True,
        states={
            'invisible': ~Eval('draft_result'),
            },
        help="The result that was selected but not saved yet.")
    draft_callback_date = fields.DateTime(
        "Draft Call-back", format='%H:%M', readonly=True,
        states={
            'invisible': ~Eval('draft_callback_date'),
            },
        help="The call-back that was typed but not saved yet.")
    plan = fields.Function(
        fields.Char(
            "Plan Data",
            help="What the customer has already."),
        'get_plan')
    dial_url = fields.Function(
        fields.Char("Dial", help="Call the phone number."),
        'get_dial_url')

    del _campaign_states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        is_waiting = (t.state == 'open') & (t.taken_by == Null)
        cls._sql_constraints.append((
                'customer_taken_exclude',
                Exclude(
                    t, (t.party, Equal), (t.company, Equal),
                    where=t.taken_by != Null),
                'sale_opportunity_management.msg_campaign_customer_taken'))
        cls._sql_indexes.update({
                Index(
                    t,
                    (t.campaign, Index.Equality()),
                    (t.priority, Index.Equality()),
                    (t.next_attempt, Index.Range()),
                    (t.id, Index.Range()),
                    where=is_waiting & (t.reserved_for == Null)),
                Index(
                    t,
                    (t.campaign, Index.Equality()),
                    (t.reserved_for, Index.Equality()),
                    (t.priority, Index.Equality()),
                    (t.next_attempt, Index.Range()),
                    (t.id, Index.Range()),
                    where=is_waiting & (t.reserved_for != Null)
                    & (t.callback_date == Null)),
                Index(
                    t,
                    (t.campaign, Index.Equality()),
                    (t.reserved_for, Index.Equality()),
                    (t.next_attempt, Index.Range()),
                    (t.id, Index.Range()),
                    where=is_waiting & (t.callback_date != Null)),
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
                Index(
                    t,
                    (t.operator, Index.Equality()),
                    (t.next_attempt, Index.Range()),
                    (t.id, Index.Range()),
                    where=(t.state == 'open') & (t.campaign != Null)),
                })
        cls.__rpc__.update({
                'take': RPC(readonly=False, instantiate=0, result=int),
                'attend': RPC(readonly=False, instantiate=0),
                'skip': RPC(readonly=False, instantiate=0),
                'leave_comment': RPC(readonly=False, instantiate=0),
                'save_draft': RPC(readonly=False, instantiate=0),
                })
        cls._buttons.update({
                'attend_customer': {
                    'invisible': (
                        ~Eval('campaign') | (Eval('state') != 'open')),
                    'depends': ['campaign', 'state'],
                    },
                })

    @classmethod
    def _rule_columns(cls, table):
        return [*super()._rule_columns(table), table.campaign]

    @classmethod
    def default_priority(cls):
        return '2'

    @classmethod
    def default_attempts(cls):
        return 0

    @classmethod
    def default_attend_turn(cls):
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
            return {**self._unworked_values(), 'reserved_for': None}
        values = {}
        if self.state == 'closed':
            values.update(taken_by=None, taken_date=None)
        elif field_names is None or {'campaign', 'state'} & field_names:
            values['next_attempt'] = self.callback_date or this_minute()
        if field_names is None or {'campaign', 'operator'} & field_names:
            operator = getattr(self, 'operator', None)
            if operator and operator in self.campaign.operators:
                values['reserved_for'] = operator
            else:
                values['reserved_for'] = None
            if self.taken_by and self.taken_by != operator:
                values.update(taken_by=None, taken_date=None)
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

    def _may_be_assigned(self, channel, operator):
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        if (self.campaign and self.campaign.id in Campaign.get_supervised()
                and channel == self.channel):
            return not operator or operator in self.campaign.operators
        return super()._may_be_assigned(channel, operator)

    @classmethod
    def _campaign_protected_fields(cls):
        return {
            'campaign', 'result', 'attempts', 'last_attempt', 'next_attempt',
            'callback_date', 'reserved_for', 'taken_by', 'taken_date',
            'attend_turn', *_NO_DRAFT}

    @classmethod
    def on_write(cls, trackings, values):
        callbacks = super().on_write(trackings, values)
        if values.get('campaign'):
            moved = [
                t.id for t in trackings
                if t.campaign and t.campaign.id != values['campaign']]
            if moved:
                values = {
                    n: v for n, v in {
                        **cls._unworked_values(),
                        'next_attempt': this_minute(),
                        }.items()
                    if n not in values}
                callbacks.append(
                    lambda: cls._write_queue(cls.browse(moved), values))
        return callbacks

    @classmethod
    def _unworked_values(cls):
        return {
            'result': None,
            'attempts': 0,
            'last_attempt': None,
            'next_attempt': None,
            'callback_date': None,
            'taken_by': None,
            'taken_date': None,
            'draft_result': None,
            'draft_callback_date': None,
            }

    @classmethod
    def copy(cls, trackings, default=None):
        default = default.copy() if default is not None else {}
        for name, value in {
                **cls._unworked_values(),
                'campaign': None,
                'reserved_for': None,
                'attend_turn': 0,
                'draft': None,
                'priority': cls.default_priority(),
                }.items():
            default.setdefault(name, value)
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
                    cls._write_queue([tracking], {'next_attempt': None})
                    continue
                promised_by = tracking.reserved_for if is_away else None
                try:
                    tracking._take(employee)
                except AttendError:
                    continue
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
    def follow_do_not_call(cls, company, numbers):
        """Take the customers with the phone numbers out of the queue

        Those who may be called again come back."""
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        DoNotCall = pool.get('sale.do_not_call')
        with without_check_access():
            for sub_numbers in grouped_slice(list(numbers), 500):
                parties = {
                    m.party.id for m in ContactMechanism.search([
                            ('value_compact', 'in', list(sub_numbers)),
                            ('type', 'in', PHONE_TYPES),
                            ], order=[])}
                trackings = cls.search([
                        ('company', '=', company.id),
                        ('campaign', '!=', None),
                        ('state', '=', 'open'),
                        ('party', 'in', list(parties)),
                        ], order=[])
                blocked = DoNotCall.blocked(
                    company, {t.party for t in trackings})
                for tracking in trackings:
                    if tracking.party.id not in blocked:
                        date = (
                            tracking.next_attempt or tracking.callback_date
                            or this_minute())
                    else:
                        date = None
                    if tracking.next_attempt != date:
                        cls._write_queue([tracking], {'next_attempt': date})

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
                    is_contended = True
        if error:
            # Changes since the transaction began cannot be seen
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
        # The use of a session is written only each tenth of its time-out
        session_since = since - dt.timedelta(
            seconds=config.getint('session', 'timeout') // 10)
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
                        >= session_since))
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
        # A concurrent change is an error, which must not spoil the transaction
        with savepoint():
            cursor.execute(*table.select(
                    table.id, where=where,
                    for_=database.get_select_for_skip_locked()('UPDATE')))
            return cursor.fetchone() is not None

    def _may_be_called(self):
        "Return if the customer may be called"
        pool = Pool()
        DoNotCall = pool.get('sale.do_not_call')
        return not DoNotCall.blocked(self.company, [self.party])

    def _is_customer_taken(self):
        "Return if somebody works on the customer in another tracking"
        return bool(self.search([
                    ('party', '=', self.party.id),
                    ('company', '=', self.company.id),
                    ('taken_by', '!=', None),
                    ('id', '!=', self.id),
                    ], order=[], limit=1))

    def _take(self, employee):
        if self._is_customer_taken():
            raise AttendError(gettext(
                    'sale_opportunity_management.msg_campaign_customer_taken'))
        values = {
            'taken_by': employee.id,
            'taken_date': now(),
            }
        if self.operator != employee:
            values['operator'] = employee.id
        try:
            with savepoint():
                self._write_queue([self], values)
        except SQLConstraintError as error:
            raise AttendError(error.message) from error

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

    def _check_reach(self):
        """Check that the user reads the tracking or that it waits for them

        Whoever may not work on it is told nothing about it."""
        pool = Pool()
        ModelAccess = pool.get('ir.model.access')
        cls = self.__class__
        ModelAccess.check(cls.__name__, 'read')
        if (not cls.search([('id', '=', self.id)], limit=1)
                and not cls(self.id)._is_waiting()):
            raise AttendError(gettext(
                    'sale_opportunity_management.msg_campaign_reach'))

    def _is_waiting(self):
        """Return if the tracking waits for the user

        That is what is reserved for them, what they took lately and what
        comes next."""
        pool = Pool()
        User = pool.get('res.user')
        cursor = Transaction().connection.cursor()
        employee = User.get_current_employee()
        if not employee or not self.campaign:
            return False
        if employee in {self.taken_by, self.reserved_for}:
            return True
        history = self.__table_history__()
        cursor.execute(*history.select(
                history.id,
                where=(history.id == self.id)
                & (history.taken_by == employee.id)
                & (history.taken_date >= now() - _LATELY),
                limit=1))
        if cursor.fetchone():
            return True
        if employee not in self.campaign.operators:
            return False
        cursor.execute(
            *self._queue_query(self.campaign, employee, now(), 1))
        return any(id_ == self.id for id_, *_ in cursor.fetchmany(1))

    def _get_attendant(self):
        self._check_reach()
        campaign = self._get_campaign()
        employee = campaign.get_member()
        # Begun work can be finished whatever became of the campaign
        if self.__class__(self.id).taken_by == employee:
            return employee
        return campaign.get_attendant()

    def _get_member(self):
        self._check_reach()
        return self._get_campaign().get_member()

    def _hold(self, employee, turn=None):
        """Lock the tracking if the employee may work on it

        turn is how many times it was saved when it was shown.
        Return it as it is now."""
        cls = self.__class__
        transaction = Transaction()
        table = cls.__table__()
        cursor = transaction.connection.cursor()
        query = table.select(
            table.state, table.taken_by, table.reserved_for,
            table.attend_turn, where=table.id == self.id)
        if transaction.database.has_select_for():
            query.for_ = For('UPDATE')
        else:
            cursor.execute(*table.update(
                    [table.id], [table.id], where=table.id == self.id))
        cursor.execute(*query)
        state, taken_by, reserved_for, saved = cursor.fetchone()
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
        if turn not in {None, saved or 0}:
            raise AttendError(gettext(
                    'sale_opportunity_management.msg_campaign_saved',
                    tracking=self.rec_name))
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
        return format_moment(self.company, moment)

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
                    # One must not keep back the others
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
    def give_back_merged(cls, source, destination):
        """Give back what is taken of the source party if somebody works on
        the destination party too"""
        taken = defaultdict(dict)
        with without_check_access():
            for tracking in cls.search([
                        ('party', 'in', [source.id, destination.id]),
                        ('taken_by', '!=', None),
                        ]):
                taken[tracking.company][tracking.party] = tracking
        cls.give_back([
                trackings[source].id for trackings in taken.values()
                if len(trackings) > 1])

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

    @classmethod
    def attend(
            cls, tracking, comment=None, result=None, callback_date=None,
            duration=None, start=None, turn=None):
        """Save what the user did with the customer and give it back

        result is the result of the call, or its id, and callback_date the
        moment that was promised to call again.  Without result only the
        comment is left and no call recorded.
        duration is how long the call lasted, by default the time since start
        that is when the operator began, by default when it was taken.
        turn is the attend_turn of the tracking when it was shown: with it the
        same is never saved twice."""
        pool = Pool()
        Result = pool.get('sale.campaign.result')
        comment = (comment or '').strip()
        if result is not None:
            result = Result(int(result))
        if tracking.was_saved(turn, comment, result):
            return
        employee = tracking._get_attendant()
        with without_check_access():
            tracking._check_attend(comment, result, callback_date)
            tracking = tracking._hold(employee, turn)
            if not result:
                tracking._add_note(comment)
                tracking._leave(worked=True)
            else:
                tracking._save_attended(
                    employee, comment, result, callback_date, duration, start)

    def was_saved(self, turn, comment=None, result=None):
        """Return if the user saved the same when it was shown

        It is pressed again when the answer of the server was lost.
        turn is the attend_turn of the tracking when it was shown."""
        pool = Pool()
        Call = pool.get('sale.call')
        Note = pool.get('ir.note')
        if turn is None:
            return False
        employee = self._get_member()
        comment = (comment or '').strip()
        with without_check_access():
            tracking = self.__class__(self.id)
            if turn >= (tracking.attend_turn or 0):
                return False
            if result:
                return any(
                    (c.description or '').strip() == comment
                    for c in Call.search([
                            ('tracking', '=', tracking.id),
                            ('attend_turn', '=', turn),
                            ('done_by', '=', employee.id),
                            ('result', '=', result.id),
                            ]))
            elif comment:
                return bool(Note.search([
                            ('resource', '=', str(tracking)),
                            ('message', '=', comment),
                            ('create_uid', '=', Transaction().user),
                            ], limit=1))
            return True

    def _check_attend(self, comment, result, callback_date):
        tracking = self.__class__(self.id)
        if not result:
            if not comment:
                raise AttendError(gettext(
                        'sale_opportunity_management'
                        '.msg_campaign_attend_empty'))
            return
        if result.typology != tracking.campaign.typology:
            raise AttendError(gettext(
                    'sale_opportunity_management.msg_campaign_result_typology',
                    result=result.rec_name,
                    campaign=tracking.campaign.rec_name))
        if not result.callback:
            if callback_date:
                raise AttendError(gettext(
                        'sale_opportunity_management'
                        '.msg_campaign_callback_result',
                        result=result.rec_name))
        elif not callback_date:
            raise AttendError(gettext(
                    'sale_opportunity_management'
                    '.msg_campaign_callback_required',
                    result=result.rec_name))
        elif callback_date < this_minute():
            raise AttendError(gettext(
                    'sale_opportunity_management.msg_campaign_callback_past',
                    date=tracking._format_moment(callback_date)))

    def _save_attended(
            self, employee, comment, result, callback_date, duration, start):
        pool = Pool()
        Call = pool.get('sale.call')
        DoNotCall = pool.get('sale.do_not_call')
        cls = self.__class__
        start = start or self.taken_date
        attended = max(now() - start, dt.timedelta()) if start else None
        values = {
            'done_date': this_minute(),
            'done_by': employee.id,
            'description': comment,
            'interest': result.interest,
            'duration': attended if duration is None else duration,
            'result': result.id,
            'attend_duration': attended,
            'attend_turn': self.attend_turn or 0,
            'state': 'done',
            }
        with Transaction().set_context(
                _campaign_queue=True, _skip_warnings=True,
                company=self.company.id):
            if call := self.next_call:
                Call.write([call], values)
            else:
                Call.create([{
                            'tracking': self.id,
                            'company': self.company.id,
                            'assignee': employee.id,
                            **values}])
            if result.opportunity:
                cls.make_opportunity(
                    [self], employee=employee.id,
                    description=self.campaign.rec_name)
            if result.do_not_call:
                DoNotCall.register(
                    self.company, [self.party], reason=comment)
            cls._write_queue(
                [self], self._attended_values(employee, result, callback_date))
            if self._is_finished_by(result):
                cls.close([self])
            elif result.callback:
                Call.create([{
                            'tracking': self.id,
                            'company': self.company.id,
                            'assignee': employee.id,
                            'planned_date': callback_date,
                            'summary': gettext(
                                'sale_opportunity_management'
                                '.msg_campaign_callback_summary',
                                campaign=self.campaign.rec_name),
                            }])

    def _attended_values(self, employee, result, callback_date):
        values = {
            'result': result.id,
            'attempts': self.attempts + 1,
            'last_attempt': this_minute(),
            'callback_date': None,
            'taken_by': None,
            'taken_date': None,
            'attend_turn': self._next_turn(),
            **_NO_DRAFT,
            }
        if self.operator != employee:
            values['operator'] = employee.id
        if result.callback:
            callback_date = callback_date.replace(second=0, microsecond=0)
            values['callback_date'] = callback_date
            values['next_attempt'] = callback_date
            values['reserved_for'] = employee.id
        else:
            if self.callback_date:
                values['reserved_for'] = None
            if result.do_not_call:
                values['next_attempt'] = None
            else:
                delay = result.retry
                if delay is None:
                    delay = self.campaign.return_delay
                values['next_attempt'] = minute_after(delay)
        return values

    def _is_finished_by(self, result):
        pool = Pool()
        Call = pool.get('sale.call')
        if result.finishes:
            return True
        if not result.max_attempts:
            return False
        call = Call.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*call.select(
                Count(call.id),
                where=(call.tracking == self.id)
                & (call.result == result.id)
                & (call.state == 'done')))
        number, = cursor.fetchone()
        return number >= result.max_attempts

    @without_check_access
    def _add_note(self, comment):
        pool = Pool()
        Note = pool.get('ir.note')
        Note.create([{
                    'resource': str(self),
                    'message': comment,
                    }])

    @without_check_access
    def _keep_draft(self, draft):
        pool = Pool()
        Note = pool.get('ir.note')
        # It is pressed again when the answer of the server was lost
        if draft and not Note.search([
                    ('resource', '=', str(self)),
                    ('message', '=', draft),
                    ('create_uid', '=', Transaction().user),
                    ], limit=1):
            self._add_note(draft)

    def _next_turn(self):
        return (self.attend_turn or 0) + 1

    def _leave(self, worked=False):
        self._write_queue([self], {
                'attend_turn': self._next_turn(),
                **_NO_DRAFT,
                })
        self._give_back(
            minute_after(self.campaign.return_delay), worked=worked)

    @classmethod
    def skip(cls, tracking, reason, turn=None):
        """Give the tracking back without having worked on it

        turn is that of attend."""
        reason = (reason or '').strip()
        note = cls.get_skip_note(reason)
        if tracking.was_saved(turn, note):
            return
        employee = tracking._get_attendant()
        with without_check_access():
            if not reason:
                raise AttendError(gettext(
                        'sale_opportunity_management'
                        '.msg_campaign_skip_reason'))
            tracking = tracking._hold(employee, turn)
            tracking._add_note(note)
            tracking._leave()

    @classmethod
    def get_skip_note(cls, reason):
        return gettext(
            'sale_opportunity_management.msg_campaign_skipped',
            reason=(reason or '').strip())

    @classmethod
    def leave_comment(cls, tracking, comment, turn=None):
        """Save the comment and keep the tracking

        turn is that of attend."""
        comment = (comment or '').strip()
        if tracking.was_saved(turn, comment):
            return
        employee = tracking._get_attendant()
        with without_check_access():
            tracking._check_attend(comment, None, None)
            tracking = tracking._hold(employee, turn)
            tracking._add_note(comment)
            cls._write_queue([tracking], {
                    'attend_turn': tracking._next_turn(),
                    'draft': None,
                    })
            tracking._take(employee)

    @classmethod
    def save_draft(cls, tracking, draft, result=None, callback_date=None):
        """Keep what was typed until the tracking is attended again

        result is the result of the call, or its id, and callback_date the
        moment to call again, which are left when they are of another typology.
        When somebody else has taken it meanwhile or the user does not work
        for the campaign any more, the text becomes a comment.
        Whatever the state of the campaign is, nothing is lost."""
        pool = Pool()
        Result = pool.get('sale.campaign.result')
        User = pool.get('res.user')
        draft = (draft or '').strip()
        tracking = cls(tracking.id)
        try:
            employee = tracking._get_member()
        except AttendError:
            if (not tracking.operator
                    or tracking.operator.id
                    not in User.get_working_employees()):
                raise
            tracking._keep_draft(draft)
            return
        with without_check_access():
            try:
                tracking = tracking._hold(employee)
            except AttendError:
                tracking._keep_draft(draft)
                return
            if result is not None:
                result = Result(int(result))
                if result.typology != tracking.campaign.typology:
                    result = callback_date = None
            cls._write_queue([tracking], {
                    'draft': draft or None,
                    'draft_result': result.id if result else None,
                    'draft_callback_date': callback_date,
                    })

    @classmethod
    def update_callbacks(cls, trackings):
        "Follow what happened to the planned calls outside of the campaign"
        for tracking in trackings:
            if (not tracking or not tracking.callback_date
                    or tracking.state != 'open'):
                continue
            call = tracking.next_call
            date = call.date if call else None
            if date != tracking.callback_date:
                cls._write_queue([tracking], {
                        'callback_date': date,
                        'next_attempt': date or minute_after(
                            tracking.campaign.return_delay),
                        })

    @classmethod
    def keep(cls, tracking, turn=None):
        """Keep the tracking that the user works on

        turn is that of attend."""
        if tracking.was_saved(turn):
            return
        employee = tracking._get_attendant()
        with without_check_access():
            tracking = tracking._hold(employee, turn)
            cls._write_queue(
                [tracking], {'attend_turn': tracking._next_turn()})
            tracking._take(employee)

    @classmethod
    def put_back(cls, tracking, turn=None):
        """Give the tracking back after a comment was left

        turn is that of attend."""
        if tracking.was_saved(turn):
            return
        employee = tracking._get_attendant()
        with without_check_access():
            tracking = tracking._hold(employee, turn)
            tracking._leave(worked=True)

    @classmethod
    def get_plan(cls, trackings, name):
        texts = defaultdict(list)
        with without_check_access():
            for id_, text in cls._plan_texts(trackings):
                texts[id_].append(text)
        return {t.id: ' · '.join(texts[t.id]) or None for t in trackings}

    @classmethod
    def _plan_texts(cls, trackings):
        pool = Pool()
        Lang = pool.get('ir.lang')
        Opportunity = pool.get('sale.opportunity')
        Sale = pool.get('sale.sale')
        cursor = Transaction().connection.cursor()
        lang = Lang.get()
        by_party = defaultdict(list)
        for tracking in trackings:
            by_party[tracking.party.id, tracking.company.id].append(
                tracking.id)
        parties = list({party for party, _ in by_party})
        sale = Sale.__table__()
        query = sale.select(
            sale.party, sale.company, Count(sale.id),
            Max(sale.sale_date).as_('date'),
            where=fields.SQL_OPERATORS['in'](sale.party, parties)
            & sale.state.in_(['confirmed', 'processing', 'done']),
            group_by=[sale.party, sale.company])
        if backend.name == 'sqlite':
            sqlite_apply_types(query, [None, None, None, 'DATE'])
        cursor.execute(*query)
        for party, company, number, date in cursor.fetchall():
            for id_ in by_party[party, company]:
                yield id_, ngettext(
                    'sale_opportunity_management.msg_campaign_plan_sales',
                    number,
                    number=number,
                    date=lang.strftime(date) if date else '')
        opportunity = Opportunity.__table__()
        cursor.execute(*opportunity.select(
                opportunity.party, opportunity.company, Count(opportunity.id),
                where=fields.SQL_OPERATORS['in'](opportunity.party, parties)
                & opportunity.state.in_(['lead', 'opportunity']),
                group_by=[opportunity.party, opportunity.company]))
        for party, company, number in cursor.fetchall():
            for id_ in by_party[party, company]:
                yield id_, ngettext(
                    'sale_opportunity_management'
                    '.msg_campaign_plan_opportunities',
                    number, number=number)

    @classmethod
    def get_dial_url(cls, trackings, name):
        def dial_url(tracking):
            mechanism = tracking.contact_mechanism
            if not mechanism and tracking.party:
                mechanism = tracking.party.contact_mechanism_get(
                    set(PHONE_TYPES))
            return mechanism.dial_url if mechanism else None
        return {t.id: dial_url(t) for t in trackings}

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_campaign_attend_open')
    def attend_customer(cls, trackings):
        pass
