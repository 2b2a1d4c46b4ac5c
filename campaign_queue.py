# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from sql import Null

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, fields
from trytond.model.exceptions import AccessError
from trytond.pyson import Eval, Id
from trytond.transaction import Transaction

from .activity import this_minute

PRIORITIES = [
    ('1', "Low"),
    ('2', "Normal"),
    ('3', "High"),
    ('4', "Urgent"),
    ]


class CampaignTrackingMixin(ModelSQL):
    "The place of a tracking in the queue of its campaign"

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
        "The fields on which the place in the queue depends"
        return {'campaign', 'operator', 'state'}

    def _campaign_queue_values(self, field_names):
        "Return the place in the queue after a change outside of the queue"
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
        "The fields that only administrators and the queue change"
        return {
            'campaign', 'result', 'attempts', 'last_attempt', 'next_attempt',
            'callback_date', 'reserved_for', 'taken_by', 'taken_date'}

    @classmethod
    def share_reserved(cls, operators):
        """Share out what was reserved for the operators

        operators is a dictionary of the ids of the operators by campaign.
        What they promised comes to the others once it is due."""
        cursor = Transaction().connection.cursor()
        for campaign, ids in operators.items():
            table = cls.__table__()
            cursor.execute(*table.update(
                    [table.reserved_for], [Null],
                    where=(table.campaign == campaign)
                    & (table.state == 'open')
                    & (table.callback_date == Null)
                    & fields.SQL_OPERATORS['in'](table.reserved_for, ids)))
        # What was read before is not true any more
        transaction = Transaction()
        transaction.counter += 1
        for cache in transaction.cache.values():
            if cls.__name__ in cache:
                cache[cls.__name__].clear()

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


class CampaignCallMixin(ModelSQL):
    "What a call of a campaign ended with"

    result = fields.Many2One(
        'sale.campaign.result', "Result", ondelete='RESTRICT', readonly=True,
        states={
            'invisible': ~Eval('result'),
            },
        help="What the call of the campaign ended with.")
    attend_duration = fields.TimeDelta(
        "Time Attended", readonly=True,
        states={
            'invisible': ~Eval('attend_duration'),
            },
        help="How long the operator worked on the customer, "
        "until the result was saved.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t,
                (t.result, Index.Range()),
                (t.tracking, Index.Equality()),
                where=t.result != Null))

    @classmethod
    def _facts(cls):
        return super()._facts() | {'result', 'attend_duration'}

    @classmethod
    def copy(cls, calls, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('result')
        default.setdefault('attend_duration')
        return super().copy(calls, default=default)
