# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from collections import defaultdict

from sql import Null
from sql.aggregate import Count, Max

from trytond import backend
from trytond.i18n import gettext, ngettext
from trytond.model import Index, ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.tools import sqlite_apply_types
from trytond.transaction import Transaction, check_access, without_check_access
from trytond.wizard import (
    Button, StateAction, StateTransition, StateView, Wizard)

from .exceptions import AttendError
from .moment import now
from .party import PHONE_TYPES


class PanelMixin(ModelSQL, ModelView):
    plan = fields.Function(
        fields.Char(
            "Plan Data",
            help="What the customer has already."),
        'get_plan')
    dial_url = fields.Function(
        fields.Char("Dial", help="Call the phone number."),
        'get_dial_url')
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

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t,
                (t.operator, Index.Equality()),
                (t.next_attempt, Index.Range()),
                (t.id, Index.Range()),
                where=(t.state == 'open') & (t.campaign != Null)))
        cls._buttons.update({
                'attend_customer': {
                    'invisible': (
                        ~Eval('campaign') | (Eval('state') != 'open')),
                    'depends': ['campaign', 'state'],
                    },
                })

    @classmethod
    def get_plan(cls, trackings, name):
        texts = defaultdict(list)
        # It tells how much the customer has but nothing of it
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
    def _moved_values(cls):
        return {
            **super()._moved_values(),
            'draft_result': None,
            'draft_callback_date': None,
            }

    @classmethod
    def copy(cls, trackings, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('draft_result')
        default.setdefault('draft_callback_date')
        return super().copy(trackings, default=default)

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_campaign_attend_open')
    def attend_customer(cls, trackings):
        pass

    @classmethod
    def save_draft(
            cls, tracking, draft, result=None, callback_date=None):
        super().save_draft(tracking, draft)
        with without_check_access():
            tracking = cls(tracking.id)
            try:
                tracking = tracking._hold(tracking._get_member())
            except AttendError:
                # It is with somebody else now
                return
            tracking._write_draft(result, callback_date)

    def _write_draft(self, result=None, callback_date=None):
        if (self.draft_result, self.draft_callback_date) != (
                result, callback_date):
            self._write_queue([self], {
                    'draft_result': result.id if result else None,
                    'draft_callback_date': callback_date,
                    })

    def _leave(self, **kwargs):
        super()._leave(**kwargs)
        self._write_draft()

    def _attended_values(self, *args):
        values = super()._attended_values(*args)
        values['draft_result'] = None
        values['draft_callback_date'] = None
        return values

    @classmethod
    def keep(cls, tracking):
        "Keep the tracking that the user works on"
        employee = tracking._get_attendant()
        with without_check_access():
            tracking = tracking._hold(employee)
            tracking._take(employee)

    @classmethod
    def put_back(cls, tracking):
        "Give the tracking back after a comment was left"
        employee = tracking._get_attendant()
        with without_check_access():
            tracking = tracking._hold(employee)
            tracking._leave(worked=True)


class AttendOpen(Wizard):
    # The clients read the records of a wizard again when it ends, but when the
    # dialog ends the first tracking may be with somebody else already.
    __name__ = 'sale.campaign.attend.open'

    start = StateAction('sale_opportunity_management.wizard_campaign_attend')

    def do_start(self, action):
        return action, {
            'model': self.model.__name__,
            'id': self.record.id,
            'ids': [],
            }


class Attend(Wizard):
    __name__ = 'sale.campaign.attend'

    start = StateTransition()
    choose = StateView(
        'sale.campaign.attend.choose',
        'sale_opportunity_management.campaign_attend_choose_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Attend", 'chosen', 'tryton-sale-campaign-attend',
                default=True),
            ])
    chosen = StateTransition()
    # The web client makes the access keys of the first letters of the labels
    # but d, e, f, i, n, t and w: each needs another one in every language
    attend = StateView(
        'sale.campaign.attend.customer',
        'sale_opportunity_management.campaign_attend_customer_view_form', [
            Button("Leave", 'leave', 'tryton-exit', validate=False),
            Button(
                "Give Reason and Skip", 'skip', 'tryton-undo',
                validate=False),
            Button("Only Save", 'save', 'tryton-save'),
            Button("Apply and Finish", 'finish', 'tryton-ok'),
            Button("Save and Next", 'save_next', 'tryton-forward',
                default=True),
            ])
    leave = StateTransition()
    skip = StateTransition()
    save = StateTransition()
    finish = StateTransition()
    save_next = StateTransition()
    nobody = StateView(
        'sale.campaign.attend.nobody',
        'sale_opportunity_management.campaign_attend_nobody_view_form', [
            Button("Close", 'end', 'tryton-close'),
            Button("Other Campaign", 'other', 'tryton-sale-campaign',
                states={
                    'invisible': ~Eval('other', False),
                    }),
            Button("Try Again", 'again', 'tryton-refresh', default=True),
            ])
    again = StateTransition()
    other = StateTransition()

    @classmethod
    def check_access(cls):
        # The customer on which the dialog was opened may be given to somebody
        # else while the dialog shows the next ones, each is checked when used
        with Transaction().set_context(active_id=None, active_ids=[]):
            super().check_access()

    def end(self):
        # The trackings moved to other tabs of the panel
        return 'reload'

    def transition_start(self):
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        Tracking = pool.get('sale.tracking')
        if self.model == Tracking:
            with check_access():
                Tracking.read([self.record.id], ['id'])
            return self._attend(self.record)
        elif self.model == Campaign:
            return self._next(self.record)
        return self._choose()

    def _choose(self):
        campaigns = self._get_campaigns()
        if not campaigns:
            self.nobody.text = gettext(
                'sale_opportunity_management.msg_campaign_attend_no_campaign')
            return 'nobody'
        elif len(campaigns) == 1:
            campaign, = campaigns
            return self._next(campaign)
        self.choose.campaigns = campaigns
        return 'choose'

    def default_choose(self, fields):
        campaigns = self.choose.campaigns
        self._check_campaigns(campaigns)
        return {
            'campaigns': [c.id for c in campaigns],
            'campaign': campaigns[0].id,
            }

    def transition_chosen(self):
        return self._next(self.choose.campaign)

    @classmethod
    def _get_campaigns(cls):
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        Date = pool.get('ir.date')
        employee = Transaction().context.get('employee')
        if employee is None:
            return []
        today = Date.today()
        with check_access():
            return Campaign.search([
                    ('state', '=', 'running'),
                    ('operators', '=', employee),
                    ('start_date', '<=', today),
                    ['OR',
                        ('end_date', '=', None),
                        ('end_date', '>=', today),
                        ],
                    ])

    @classmethod
    def _check_campaigns(cls, campaigns):
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        with check_access():
            Campaign.read([c.id for c in campaigns], ['id'])

    def _attend(self, tracking):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        with without_check_access():
            reason = Tracking(tracking.id)._reason()
        self._show(Tracking.take(tracking), reason)
        return 'attend'

    def _next(self, campaign):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        tracking, reason = Tracking.take_next(campaign)
        if not tracking:
            self.nobody.campaign = campaign
            self.nobody.text = reason
            return 'nobody'
        self._show(tracking, reason)
        return 'attend'

    def _show(self, tracking, reason):
        pool = Pool()
        Customer = pool.get('sale.campaign.attend.customer')
        with without_check_access():
            tracking = tracking.__class__(tracking.id)
            self.attend = Customer(
                tracking=tracking,
                campaign=tracking.campaign,
                reason=reason,
                start=now(),
                comment=tracking.draft,
                result=(
                    str(tracking.draft_result.id)
                    if tracking.draft_result else None),
                callback_date=tracking.draft_callback_date,
                duration=None,
                commented=False)

    def default_attend(self, fields):
        return self.attend.get_values()

    def default_nobody(self, fields):
        if self.nobody.campaign:
            self._check_campaigns([self.nobody.campaign])
        return {
            'campaign': self.nobody.campaign,
            'text': self.nobody.text,
            'other': (
                bool(self.nobody.campaign) and len(self._get_campaigns()) > 1),
            }

    def transition_leave(self):
        self.attend.leave()
        return 'end'

    def transition_skip(self):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.attend.save_customer()
        Tracking.skip(self.attend.tracking, self.attend.comment)
        return self._next(self.attend.campaign)

    def transition_save(self):
        self.attend.save()
        return 'attend'

    def transition_finish(self):
        if not self.attend.result:
            raise AttendError(gettext(
                    'sale_opportunity_management'
                    '.msg_campaign_attend_result'))
        self.attend.finish()
        return 'end'

    def transition_save_next(self):
        self.attend.finish()
        return self._next(self.attend.campaign)

    def transition_again(self):
        if self.nobody.campaign:
            return self._next(self.nobody.campaign)
        return self._choose()

    def transition_other(self):
        return self._choose()


class AttendChoose(ModelView):
    __name__ = 'sale.campaign.attend.choose'

    campaigns = fields.Many2Many(
        'sale.campaign', None, None, "Campaigns", readonly=True)
    campaign = fields.Many2One(
        'sale.campaign', "Campaign", required=True,
        domain=[
            ('id', 'in', Eval('campaigns', [])),
            ],
        help="The campaign to call for.")


class AttendNobody(ModelView):
    __name__ = 'sale.campaign.attend.nobody'

    campaign = fields.Many2One('sale.campaign', "Campaign", readonly=True)
    text = fields.Text("Nobody to Call", readonly=True)
    other = fields.Boolean("Other Campaign", readonly=True)
