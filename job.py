# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import json
import logging
from contextlib import contextmanager

from trytond import backend
from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import (
    Transaction, TransactionError, check_access, without_check_access)

from .moment import this_minute
from .savepoint import savepoint

logger = logging.getLogger(__name__)
# After how long without progress the worker of a job is taken for dead
_DEAD = dt.timedelta(minutes=5)


class Job(ModelSQL, ModelView):
    __name__ = 'sale.job'

    name = fields.Char("Name", required=True, readonly=True)
    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True)
    user = fields.Many2One(
        'res.user', "User", required=True, readonly=True,
        help="Who began the job and with whose rights it is done.")
    number = fields.Integer(
        "Records", required=True, readonly=True,
        help="How many records there are to do.")
    position = fields.Integer("Position", required=True, readonly=True)
    done = fields.Integer(
        "Done", required=True, readonly=True,
        help="How many records are done.")
    left_out = fields.Function(
        fields.Integer(
            "Left Out",
            help="How many records were not done "
            "because they had changed in the meantime."),
        'on_change_with_left_out')
    to_do = fields.Function(
        fields.Integer(
            "To Do",
            help="How many records are still to be done."),
        'on_change_with_to_do')
    progress = fields.Function(
        fields.Float("Progress"), 'on_change_with_progress')
    last_date = fields.DateTime(
        "Last Progress", format='%H:%M', required=True, readonly=True,
        help="When something was done the last time.")
    error = fields.Text(
        "Error", readonly=True,
        states={
            'invisible': Eval('state') != 'stopped',
            },
        help="Why the job has stopped.")
    model = fields.Char("Model", required=True, readonly=True)
    method = fields.Char("Method", required=True, readonly=True)
    size = fields.Integer("Size", required=True, readonly=True)
    checked = fields.Boolean("Checked", readonly=True)
    context = fields.Dict(None, "Context", readonly=True)
    arguments = fields.Dict(None, "Arguments", readonly=True)
    records = fields.Binary("Records to Do", readonly=True)
    state = fields.Selection([
            ('running', "Running"),
            ('stopped', "Stopped"),
            ('done', "Done"),
            ], "State", required=True, readonly=True, sort=False)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t,
                (t.last_date, Index.Range()),
                where=t.state == 'running'))
        cls._order = [('id', 'DESC')]
        cls._buttons.update({
                'resume': {
                    'invisible': Eval('state') != 'stopped',
                    'depends': ['state'],
                    },
                })

    @fields.depends('position', 'done')
    def on_change_with_left_out(self, name=None):
        return (self.position or 0) - (self.done or 0)

    @fields.depends('number', 'position')
    def on_change_with_to_do(self, name=None):
        return (self.number or 0) - (self.position or 0)

    @fields.depends('number', 'position')
    def on_change_with_progress(self, name=None):
        return self.position / self.number if self.number else 1

    @classmethod
    def begin(cls, name, company, Model, method, ids, size, **arguments):
        """Do a long work slice by slice, each one in a transaction

        method is the name of a class method of the Model that is called with
        a slice of the ids and the arguments and returns how many it did.
        Once all are done the method with the suffix _done, if there is one, is
        called with all the ids, how many were done and the arguments.
        The first slice is done at once."""
        transaction = Transaction()
        with without_check_access():
            job, = cls.create([{
                        'name': name,
                        'company': company.id,
                        'user': transaction.user,
                        'number': len(ids),
                        'position': 0,
                        'done': 0,
                        'last_date': this_minute(),
                        'model': Model.__name__,
                        'method': method,
                        'size': size,
                        'checked': transaction.check_access,
                        'context': {
                            'company': company.id,
                            'employee': transaction.context.get('employee'),
                            },
                        'arguments': arguments,
                        'records': json.dumps(ids).encode(),
                        'state': 'running',
                        }])
            if job._do_slice():
                cls.__queue__.process([job])
        return job

    @classmethod
    @ModelView.button
    def resume(cls, jobs):
        with without_check_access():
            jobs = [j for j in cls.browse(jobs) if j.state == 'stopped']
            cls.write(jobs, {'state': 'running', 'error': None})
            cls.__queue__.process(jobs)

    @classmethod
    def resume_dead(cls):
        """Go on with the jobs whose worker died

        It is called by the cron task."""
        domain = [
            ('state', '=', 'running'),
            ('last_date', '<', this_minute() - _DEAD),
            ]
        if (company := Transaction().context.get('company')) is not None:
            domain.append(('company', '=', company))
        for job in cls.search(domain, order=[('id', 'ASC')]):
            cls.__queue__.process([job])

    @classmethod
    @without_check_access
    def process(cls, jobs):
        transaction = Transaction()
        for job in jobs:
            going_on = True
            while going_on:
                try:
                    with savepoint():
                        going_on = job._do_slice()
                except (TransactionError, backend.DatabaseOperationalError):
                    raise
                except Exception as e:
                    logger.exception("job %s has stopped", job.id)
                    job._stop(e)
                    going_on = False
                transaction.commit()

    def _lock(self):
        "Return the job unless another process works on it or did its last"
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        table = self.__table__()
        query = table.select(
            table.id,
            where=(table.id == self.id) & (table.state == 'running'))
        if transaction.database.has_select_for():
            For = transaction.database.get_select_for_skip_locked()
            query.for_ = For('UPDATE')
        cursor.execute(*query)
        return self.__class__(self.id) if cursor.fetchone() else None

    def _do_slice(self):
        "Do the next slice and return if there is something left"
        pool = Pool()
        Job = self.__class__
        if not (job := self._lock()):
            return False
        Model = pool.get(job.model)
        ids = json.loads(job.records)
        end = job.position + job.size
        with job._as_user():
            done = getattr(Model, job.method)(
                ids[job.position:end], **(job.arguments or {}))
        values = {
            'position': min(end, len(ids)),
            'done': job.done + done,
            'last_date': this_minute(),
            }
        if going_on := end < len(ids):
            Job.write([job], values)
        else:
            Job.write([job], {**values, 'state': 'done', 'records': None})
            job._end(ids)
        return going_on

    @contextmanager
    def _as_user(self):
        transaction = Transaction()
        with transaction.set_user(self.user.id), \
                transaction.set_context(self.context, _skip_warnings=True), \
                check_access(_access=self.checked):
            yield

    def _end(self, ids):
        pool = Pool()
        Model = pool.get(self.model)
        if done := getattr(Model, f'{self.method}_done', None):
            with self._as_user():
                done(ids, self.done, **(self.arguments or {}))
        self._tell('msg_job_done')

    def _stop(self, error):
        self.__class__.write([self], {
                'state': 'stopped',
                'error': str(error),
                'last_date': this_minute(),
                })
        self._tell('msg_job_stopped')

    def _tell(self, message):
        with self.user.set_language():
            self.__class__.notify_user(
                [self], 'tryton-launch', gettext(
                    f'sale_opportunity_management.{message}',
                    job=self.name, number=self.number, done=self.done,
                    left_out=self.left_out),
                user=self.user)
