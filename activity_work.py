# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .activity_record import RecordMixin
from .exceptions import AlreadyRecordedError, WorkError
from .moment import format_moment, now
from .party import PHONE_TYPES

_SOON = dt.timedelta(minutes=30)
_HISTORY = 20


class Work(Wizard):
    "Go through what the user has to do now, one after the other"
    __name__ = 'sale.activity.work'

    start = StateTransition()
    result = StateView(
        'sale.activity.work.record',
        'sale_opportunity_management.activity_work_record_view_form', [
            Button("Leave", 'end', 'tryton-exit'),
            Button("Pass Over", 'skip', 'tryton-undo', validate=False),
            Button("Only Save", 'save', 'tryton-save'),
            Button("Save and Next", 'save_next', 'tryton-forward',
                default=True),
            ])
    skip = StateTransition()
    save = StateTransition()
    save_next = StateTransition()
    nothing = StateView(
        'sale.activity.work.nothing',
        'sale_opportunity_management.activity_work_nothing_view_form', [
            Button("Close", 'end', 'tryton-close'),
            Button("Try Again", 'start', 'tryton-refresh', default=True),
            ])

    @check_access
    def transition_start(self):
        pool = Pool()
        Activity = pool.get('sale.activity')
        Record = pool.get('sale.activity.work.record')
        if self.model == Activity and self.record:
            origin, reason = Record.find_chosen(self.record)
            if origin:
                self.result = Record(
                    origin=origin, reason=reason, skipped=None)
                return 'result'
        return self._next([])

    def _next(self, skipped):
        pool = Pool()
        Record = pool.get('sale.activity.work.record')
        origin, reason = Record.find_next(skipped)
        if not origin:
            self.nothing.skipped = len(skipped)
            return 'nothing'
        self.result = Record(
            origin=origin, reason=reason, skipped='\n'.join(skipped))
        return 'result'

    @check_access
    def default_result(self, fields):
        return self.result.get_values()

    @check_access
    def default_nothing(self, fields):
        pool = Pool()
        User = pool.get('res.user')
        number = self.nothing.skipped
        if not User.get_current_employee():
            text = gettext(
                'sale_opportunity_management.msg_work_no_employee')
        elif number:
            text = gettext(
                'sale_opportunity_management.msg_work_skipped', number=number)
        else:
            text = gettext('sale_opportunity_management.msg_work_done')
        return {'text': text, 'skipped': number}

    @check_access
    def transition_skip(self):
        return self._next([
                *self.result.get_skipped(), str(self.result.origin)])

    @check_access
    def transition_save(self):
        self.result.save_once()
        return 'end'

    @check_access
    def transition_save_next(self):
        self.result.save_once()
        return self._next(self.result.get_skipped())

    def end(self):
        return 'reload'


class WorkRecord(RecordMixin):
    __name__ = 'sale.activity.work.record'

    origin = fields.Reference(
        "Origin", selection='get_origins', readonly=True)
    reason = fields.Char("Why Now", readonly=True)
    left = fields.Char(
        "Left", readonly=True,
        help="What there is to do now, this one included.")
    skipped = fields.Text("Skipped", readonly=True)
    mechanisms = fields.Many2Many(
        'party.contact_mechanism', None, None, "Whom to Call", readonly=True,
        states={
            'invisible': ~Eval('mechanisms'),
            },
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    activities = fields.Many2Many(
        'sale.activity', None, None, "History", readonly=True,
        states={
            'invisible': ~Eval('party'),
            })

    @classmethod
    def get_origins(cls):
        pool = Pool()
        Model = pool.get('ir.model')
        return cls.get_activity_models() + [
            ('sale.tracking', Model.get_name('sale.tracking'))]

    @classmethod
    def find_next(cls, skipped):
        "Return what the user has to do next that is not skipped and why"
        pool = Pool()
        User = pool.get('res.user')
        employee = User.get_current_employee()
        if not employee:
            return None, None
        for name, model, domain, order in cls._parts(employee):
            Model = pool.get(model)
            offset = 0
            while records := Model.search(
                    domain, order=order, offset=offset, limit=20):
                for record in records:
                    origin, date = cls._get_origin(record)
                    if str(origin) not in skipped:
                        return origin, gettext(
                            f'sale_opportunity_management.msg_work_{name}',
                            date=format_moment(origin.company, date))
                offset += len(records)
        return None, None

    @classmethod
    def find_chosen(cls, line):
        "Return what the user chose, if they have to do it, and why"
        pool = Pool()
        Activity = pool.get('sale.activity')
        User = pool.get('res.user')
        employee = User.get_current_employee()
        if not employee or not Activity.search([
                    ('id', '=', line.id),
                    *cls._pending_domain(employee),
                    ]):
            return None, None
        origin, date = cls._get_origin(line)
        return origin, gettext(
            'sale_opportunity_management.msg_work_overdue',
            date=format_moment(origin.company, date))

    @classmethod
    def _get_origin(cls, record):
        pool = Pool()
        Activity = pool.get('sale.activity')
        if isinstance(record, Activity):
            return record.result_origin, record.date
        return record, record.assign_date

    @classmethod
    def _parts(cls, employee):
        """Return the parts of the work of the employee in their order

        Each is a tuple of its name, of the name of its model, of its domain
        and of its order."""
        order = [('date', 'ASC'), ('id', 'ASC')]
        pending = cls._pending_domain(employee)
        moment = now()
        return [
            ('overdue', 'sale.activity', [
                    *pending, ('date', '<', moment)], order),
            ('new', 'sale.tracking', cls._new_domain(employee),
                [('assign_date', 'ASC'), ('id', 'ASC')]),
            ('soon', 'sale.activity', [
                    *pending,
                    ('date', '>=', moment), ('date', '<', moment + _SOON)],
                order),
            ]

    @classmethod
    def _pending_domain(cls, employee):
        return [
            ('assignee', '=', employee.id),
            ('state', '=', 'pending'),
            ('role', '=', 'main'),
            ('kind', 'in', ['call', 'task', 'incident']),
            ]

    @classmethod
    def _new_domain(cls, employee):
        "Return the domain of the trackings that nobody has called yet"
        return [
            ('operator', '=', employee.id),
            ('state', '=', 'open'),
            ('last_activity', '=', None),
            ('next_activity', '=', None),
            ]

    def get_skipped(self):
        return (self.skipped or '').splitlines()

    def _check_origin(self):
        # It may be with somebody else meanwhile
        if not self.origin:
            raise WorkError(gettext(
                    'sale_opportunity_management.msg_work_gone'))

    def get_values(self):
        self._check_origin()
        origin = self.origin
        origin.__class__.read([origin.id], ['id'])
        values = self.record_values(origin)
        party = origin.party
        return {
            **values,
            'origin': str(origin),
            'reason': self.reason,
            'left': self._get_left(),
            'skipped': self.skipped,
            'mechanisms': [
                m.id for m in party.contact_mechanisms
                if m.type in PHONE_TYPES] if party else [],
            'activities': self._get_activities(origin),
            }

    @classmethod
    def _get_left(cls):
        pool = Pool()
        User = pool.get('res.user')
        numbers = {
            name: pool.get(model).search(domain, limit=1000, count=True)
            for name, model, domain, _ in cls._parts(
                User.get_current_employee())}
        return gettext(
            'sale_opportunity_management.msg_work_left', **numbers)

    @classmethod
    def _get_activities(cls, origin):
        pool = Pool()
        Activity = pool.get('sale.activity')
        if not origin.party:
            return []
        return [a.id for a in Activity.search([
                    ('party', '=', origin.party.id),
                    ('company', '=', origin.company.id),
                    ('role', '=', 'main'),
                    ('state', '=', 'done'),
                    ], order=[('date', 'DESC'), ('id', 'DESC')],
                limit=_HISTORY)]

    def save_once(self):
        """Save the result if it is not saved yet

        It may be pressed again when the answer of the server was lost."""
        pool = Pool()
        Call = pool.get('sale.call')
        self._check_origin()
        activity = self.call if self.kind == 'call' else self.activity
        done = []
        if activity:
            activity = activity.__class__(activity.id)
            if activity.state == 'done':
                done = [activity]
        elif self.tracking:
            done = Call.search([
                    ('tracking', '=', self.tracking.id),
                    ('state', '=', 'done'),
                    ], order=[('date', 'DESC'), ('id', 'DESC')], limit=1)
        for activity in done:
            if all(getattr(activity, name) == value for name, value in [
                        ('done_date', self.done_date),
                        ('done_by', self.done_by),
                        ('description', self.description or None),
                        ]):
                return
        if self.origin.__name__ == 'sale.tracking' and done:
            raise AlreadyRecordedError(gettext(
                    'sale_opportunity_management.msg_activity_recorded',
                    activity=done[0].rec_name))
        self.save_result()


class WorkNothing(ModelView):
    __name__ = 'sale.activity.work.nothing'

    text = fields.Text("Nothing to Do", readonly=True)
    skipped = fields.Integer("Skipped", readonly=True)
