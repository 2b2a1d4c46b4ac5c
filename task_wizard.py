# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard


class Wait(Wizard):
    __name__ = 'sale.task.wait'

    start = StateView(
        'sale.task.wait.start',
        'sale_opportunity_management.task_wait_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Wait", 'wait', 'tryton-ok', default=True),
            ])
    wait = StateTransition()

    @check_access
    def transition_wait(self):
        pool = Pool()
        Task = pool.get('sale.task')
        Task.set_status(self.records, 'waiting', reason=self.start.reason)
        return 'end'


class WaitStart(ModelView):
    __name__ = 'sale.task.wait.start'

    reason = fields.Char(
        "Reason", required=True,
        help="What it waits for.")


class Postpone(Wizard):
    __name__ = 'sale.task.postpone'

    start = StateView(
        'sale.task.postpone.start',
        'sale_opportunity_management.task_postpone_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Postpone", 'postpone', 'tryton-ok', default=True),
            ])
    postpone = StateTransition()

    def default_start(self, fields):
        return {'date': max(t.planned_date for t in self.records)}

    @check_access
    def transition_postpone(self):
        pool = Pool()
        Task = pool.get('sale.task')
        Task.set_status(
            self.records, 'postponed',
            planned_date=self.start.date, reason=self.start.reason)
        return 'end'


class PostponeStart(ModelView):
    __name__ = 'sale.task.postpone.start'

    date = fields.DateTime(
        "New Date", format='%H:%M', required=True,
        help="Until when it has to be done now.")
    reason = fields.Char(
        "Reason",
        help="Why it is postponed.")


class CreateTask(Wizard):
    __name__ = 'sale.tracking.create_task'
    _kind = 'task'

    start = StateView(
        'sale.task', 'sale_opportunity_management.task_view_form_create', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Create", 'create_', 'tryton-ok', default=True),
            ])
    create_ = StateTransition()

    def default_start(self, fields):
        tracking = self.record
        values = {
            'kind': self._kind,
            'company': tracking.company.id,
            'tracking': tracking.id,
            'party': tracking.party.id,
            }
        if tracking.operator:
            values['assignee'] = tracking.operator.id
        return values

    @check_access
    def transition_create_(self):
        pool = Pool()
        Task = pool.get('sale.task')
        # The fields that are not on the form get their default value
        values = {
            name: value for name, value in self.start._save_values().items()
            if value is not None}
        Task.create([values])
        return 'end'


class CreateIncident(CreateTask):
    __name__ = 'sale.tracking.create_incident'
    _kind = 'incident'


class LinkTask(Wizard):
    __name__ = 'sale.tracking.link_task'

    start = StateView(
        'sale.tracking.link_task.start',
        'sale_opportunity_management.tracking_link_task_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Link", 'link', 'tryton-ok', default=True),
            ])
    link = StateTransition()

    def default_start(self, fields):
        return {
            'company': self.record.company.id,
            'tracking': self.record.id,
            }

    @check_access
    def transition_link(self):
        pool = Pool()
        Task = pool.get('sale.task')
        Task.write(list(self.start.tasks), {
                'linked_trackings': [('add', [self.record.id])],
                })
        return 'end'


class LinkTaskStart(ModelView):
    __name__ = 'sale.tracking.link_task.start'

    company = fields.Many2One('company.company', "Company", readonly=True)
    tracking = fields.Many2One('sale.tracking', "Tracking", readonly=True)
    tasks = fields.Many2Many(
        'sale.task', None, None, "Tasks", required=True,
        domain=[
            ('company', '=', Eval('company', -1)),
            ('state', '=', 'pending'),
            ['OR',
                ('tracking', '=', None),
                ('tracking', '!=', Eval('tracking', -1)),
                ],
            ('linked_trackings', '!=', Eval('tracking', -1)),
            ],
        help="The tasks and incidents to show on the tracking.")
