# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction, check_access
from trytond.wizard import (
    Button, StateAction, StateTransition, StateView, Wizard)

from ..moment import now
from .exceptions import AttendError, CampaignError


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
    # They may be given to somebody else meanwhile, each is checked when used
    _checked_fields = {'tracking', 'campaign', 'campaigns'}

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

    @check_access
    def transition_start(self):
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        Tracking = pool.get('sale.tracking')
        if self.model == Tracking:
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

    @check_access
    def default_choose(self, fields):
        campaigns = self.choose.campaigns
        self._check_campaigns(campaigns)
        return {
            'campaigns': [c.id for c in campaigns],
            'campaign': campaigns[0].id,
            }

    @check_access
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
        Campaign.read([c.id for c in campaigns], ['id'])

    def _attend(self, tracking):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
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
        tracking = tracking.__class__(tracking.id)
        self.attend = Customer(
            tracking=tracking,
            campaign=tracking.campaign,
            reason=reason,
            start=now(),
            turn=tracking.attend_turn or 0,
            comment=tracking.draft,
            result=(
                str(tracking.draft_result.id)
                if tracking.draft_result else None),
            callback_date=tracking.draft_callback_date,
            duration=None,
            commented=False)

    @check_access
    def default_attend(self, fields):
        return self.attend.get_values()

    @check_access
    def default_nobody(self, fields):
        if self.nobody.campaign:
            self._check_campaigns([self.nobody.campaign])
        return {
            'campaign': self.nobody.campaign,
            'text': self.nobody.text,
            'other': (
                bool(self.nobody.campaign) and len(self._get_campaigns()) > 1),
            }

    @check_access
    def transition_leave(self):
        self.attend.leave()
        return 'end'

    @check_access
    def transition_skip(self):
        self.attend.skip()
        return self._go_on()

    @check_access
    def transition_save(self):
        self.attend.save()
        return 'attend'

    @check_access
    def transition_finish(self):
        if not self.attend.result:
            raise AttendError(gettext(
                    'sale_opportunity_management'
                    '.msg_campaign_attend_result'))
        self.attend.finish()
        return 'end'

    @check_access
    def transition_save_next(self):
        self.attend.finish()
        return self._go_on()

    def _go_on(self):
        try:
            return self._next(self.attend.campaign)
        except CampaignError as error:
            self.nobody.campaign = self.attend.campaign
            self.nobody.text = error.message
        except AttendError as error:
            self.nobody.campaign = None
            self.nobody.text = error.message
        return 'nobody'

    @check_access
    def transition_again(self):
        if self.nobody.campaign:
            return self._next(self.nobody.campaign)
        return self._choose()

    @check_access
    def transition_other(self):
        return self._choose()

    def end(self):
        return 'reload'

    @classmethod
    def check_access(cls):
        # The customer on which the dialog was opened may be given to somebody
        # else while the dialog shows the next ones, each is checked when used
        with Transaction().set_context(active_id=None, active_ids=[]):
            super().check_access()


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
