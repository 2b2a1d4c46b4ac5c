# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from collections import defaultdict

from trytond.i18n import gettext, ngettext
from trytond.model import ModelView, Workflow, fields
from trytond.modules.company.model import reset_employee, set_employee
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, check_access, without_check_access
from trytond.wizard import (
    Button, StateAction, StateTransition, StateView, Wizard)

from .activity import TRACKING_ROLES
from .exceptions import CloseTrackingError, PendingActivityWarning


class Tracking(metaclass=PoolMeta):
    __name__ = 'sale.tracking'

    conclusion = fields.Text(
        "Conclusion",
        states={
            'readonly': Eval('state') == 'closed',
            'invisible': ~Eval('conclusion'),
            },
        help="How the work on the customer ended.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update({
                'conclude': {
                    'invisible': Eval('state') != 'open',
                    'depends': ['state'],
                    },
                'close': {
                    'invisible': Eval('state') != 'open',
                    'depends': ['state'],
                    },
                'reopen': {
                    'invisible': Eval('state') != 'closed',
                    'depends': ['state'],
                    },
                })

    @classmethod
    def search_pending(cls, trackings):
        pool = Pool()
        Activity = pool.get('sale.activity')
        pending = {Model: [] for Model in Activity.activity_models()}
        for Model, activities in pending.items():
            for sub_trackings in grouped_slice(trackings, 500):
                activities += Model.search([
                        ('tracking', 'in', [t.id for t in sub_trackings]),
                        ('state', '=', 'pending'),
                        ], order=[('date', 'ASC'), ('id', 'ASC')])
        return pending

    @classmethod
    def keep_pending(cls, trackings):
        """Take what may stand alone out of the trackings

        They are the pending activities but the calls."""
        pool = Pool()
        Call = pool.get('sale.call')
        for Model, activities in cls.search_pending(trackings).items():
            if issubclass(Model, Call):
                continue
            # The activities left alone may be out of reach for the user
            with Transaction().set_context(_leave_tracking=True), \
                    without_check_access():
                by_assignee = defaultdict(list)
                for activity in activities:
                    # An activity without tracking is seen by its assignee only
                    by_assignee[
                        activity.assignee or activity.tracking.operator
                        or Transaction().context.get('employee')
                        ].append(activity)
                for assignee, a_activities in by_assignee.items():
                    Model.write(a_activities, {
                            'tracking': None,
                            'assignee': assignee and int(assignee),
                            })
        cls.update_activities(trackings)

    @classmethod
    def cancel_pending(cls, trackings):
        "Cancel what is pending, until the trackings are reopened"
        for Model, activities in cls.search_pending(trackings).items():
            Model.cancel_closed(activities)

    @classmethod
    def restore_pending(cls, trackings):
        "Bring back what was cancelled by closing the trackings"
        pool = Pool()
        Activity = pool.get('sale.activity')
        with without_check_access():
            for Model in Activity.activity_models():
                for sub_trackings in grouped_slice(trackings, 500):
                    Model.restore_closed(Model.search([
                                ('tracking', 'in', [
                                        t.id for t in sub_trackings]),
                                ('state', '=', 'cancelled'),
                                ('state_before_close', '!=', None),
                                ], order=[]))

    @classmethod
    def search_without_result(cls, trackings):
        "Return the trackings whose last activity does not say how it ended"
        pool = Pool()
        Activity = pool.get('sale.activity')
        cursor = Transaction().connection.cursor()
        last = {}
        for sub_trackings in grouped_slice(trackings, 500):
            activity = Activity.__table__()
            cursor.execute(*activity.select(
                    activity.tracking, activity.id,
                    where=fields.SQL_OPERATORS['in'](
                        activity.tracking, [t.id for t in sub_trackings])
                    & (activity.state == 'done')
                    & activity.role.in_(TRACKING_ROLES),
                    order_by=[activity.date, activity.id]))
            last.update(cursor)
        lines = Activity.browse(list(last.values()))
        activities = dict(zip(last, Activity.get_activities(lines)))
        return [
            t for t in trackings
            if t.id not in activities or not activities[t.id].has_result]

    @classmethod
    def copy(cls, trackings, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('conclusion')
        return super().copy(trackings, default=default)

    @classmethod
    @ModelView.button_action(
        'sale_opportunity_management.wizard_tracking_close')
    def conclude(cls, trackings):
        pass

    @classmethod
    @ModelView.button
    @Workflow.transition('closed')
    @set_employee('closed_by')
    def close(cls, trackings):
        pool = Pool()
        Date = pool.get('ir.date')
        cls._cancel_pending(trackings)
        by_company = defaultdict(list)
        for tracking in trackings:
            by_company[tracking.company].append(tracking)
        for company, c_trackings in by_company.items():
            with Transaction().set_context(company=company.id):
                today = Date.today()
            cls.write(c_trackings, {'end_date': today})

    @classmethod
    def _cancel_pending(cls, trackings):
        pool = Pool()
        Warning = pool.get('res.user.warning')
        pending = cls.search_pending(trackings)
        activities = [a for p in pending.values() for a in p]
        if activities:
            key = Warning.format('tracking_close_pending', activities)
            if Warning.check(key):
                raise PendingActivityWarning(key, ngettext(
                        'sale_opportunity_management'
                        '.msg_tracking_close_pending',
                        len(activities),
                        tracking=activities[0].tracking.rec_name,
                        activity=activities[0].rec_name,
                        number=len(activities)))
        cls.cancel_pending(trackings)

    @classmethod
    @ModelView.button
    def reopen(cls, trackings):
        cls._reopen(trackings)
        cls.restore_pending(trackings)

    @classmethod
    @Workflow.transition('open')
    @reset_employee('closed_by')
    def _reopen(cls, trackings):
        cls._warn_similar(trackings)
        cls.write(trackings, {'end_date': None, 'conclusion': None})


class Close(Wizard):
    __name__ = 'sale.tracking.close'
    start_state = 'check'

    check = StateTransition()
    start = StateView(
        'sale.tracking.close.start',
        'sale_opportunity_management.tracking_close_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Close", 'close', 'tryton-ok', default=True),
            ])
    close = StateTransition()
    result = StateAction(
        'sale_opportunity_management.wizard_activity_record_conclude')

    @property
    def _trackings(self):
        return [t for t in self.records if t.state == 'open']

    def transition_check(self):
        trackings = self._trackings
        pending = self.model.search_pending(trackings)
        if (any(pending.values())
                or self.model.search_without_result(trackings)):
            return 'start'
        with check_access():
            self.model.close(self.model.browse(trackings))
        return 'end'

    def default_start(self, fields):
        pool = Pool()
        Activity = pool.get('sale.activity')
        trackings = self._trackings
        activities = sorted((
                a for activities
                in self.model.search_pending(trackings).values()
                for a in activities),
            key=lambda a: (a.date, a.id))
        lines = [
            Activity.union_shard(a.id, a.__name__) for a in activities]
        values = {
            'number': len(trackings),
            'activities': lines,
            'activities_number': len(lines),
            'without_result': bool(
                self.model.search_without_result(trackings)),
            'pending': 'cancel' if lines else None,
            }
        if len(trackings) == 1:
            values['tracking'] = trackings[0].id
            if lines:
                values['activity'] = lines[0]
        return values

    @check_access
    def transition_close(self):
        if self.start.pending == 'record':
            return 'result'
        trackings = self.model.browse(self._trackings)
        pending = {
            (Model, a.id) for Model, activities
            in self.model.search_pending(trackings).items()
            for a in activities}
        if len(pending) != (self.start.activities_number or 0):
            raise CloseTrackingError(gettext(
                    'sale_opportunity_management'
                    '.msg_tracking_close_changed'))
        if self.start.pending == 'keep':
            self.model.keep_pending(trackings)
        self.model.cancel_pending(trackings)
        if self.start.conclusion:
            self.model.write(
                trackings, {'conclusion': self.start.conclusion})
        self.model.close(self.model.browse(trackings))
        return 'end'

    def do_result(self, action):
        return action, {
            'model': 'sale.activity',
            'id': self.start.activity.id,
            'ids': [self.start.activity.id],
            }

    def end(self):
        return 'reload'


class CloseStart(ModelView):
    __name__ = 'sale.tracking.close.start'

    tracking = fields.Many2One(
        'sale.tracking', "Tracking", readonly=True,
        states={
            'invisible': ~Eval('tracking'),
            })
    number = fields.Integer(
        "Trackings", readonly=True,
        states={
            'invisible': Bool(Eval('tracking')),
            },
        help="How many open trackings are selected.")
    activities = fields.Many2Many(
        'sale.activity', None, None, "Pending Activities", readonly=True,
        states={
            'invisible': ~Eval('activities_number'),
            },
        help="What is still to be done.")
    activities_number = fields.Integer("Number of Activities", readonly=True)
    pending = fields.Selection(
        'get_pending', "What to Do with Them", sort=False,
        states={
            'invisible': ~Eval('activities_number'),
            'required': Bool(Eval('activities_number')),
            },
        help="What happens to the pending activities.")
    activity = fields.Many2One(
        'sale.activity', "Record the Result of",
        domain=[
            ('id', 'in', Eval('activities', [])),
            ],
        states={
            'invisible': Eval('pending') != 'record',
            'required': Eval('pending') == 'record',
            },
        help="Its result is asked next, where the tracking can be "
        "concluded too.")
    without_result = fields.Boolean("Without Result", readonly=True)
    conclusion = fields.Text(
        "Conclusion",
        states={
            'invisible': Eval('pending') == 'record',
            'required': (
                Bool(Eval('without_result'))
                & (Eval('pending') != 'record')),
            },
        help="How the work on the customer ended.")

    @fields.depends('tracking')
    def get_pending(self):
        choices = [
            (None, ''),
            ('cancel', gettext(
                    'sale_opportunity_management.msg_close_cancel')),
            ('keep', gettext(
                    'sale_opportunity_management.msg_close_keep')),
            ]
        if self.tracking:
            choices.append(('record', gettext(
                        'sale_opportunity_management.msg_close_record')))
        return choices
