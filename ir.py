# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

import trytond.config as config
from trytond.pool import Pool, PoolMeta
from trytond.transaction import without_check_access

# Not from __init__: the scripts import the package before they load the
# configuration, which the routes need
from . import routes  # noqa: F401

# The models whose rules look at the employees and channels of the user
RULE_MODELS = {
    'sale.tracking',
    'sale.call',
    'sale.campaign',
    'sale.task',
    'sale.task-sale.tracking',
    'sale.activity',
    'sale.meeting',
    'sale.meeting.attendee',
    'sale.call.reporting.done',
    'sale.call.reporting.pending',
    'sale.call.reporting.potential',
    'sale.tracking.reporting.assignment',
    'sale.tracking.reporting.customer',
    'sale.tracking.reporting.unattended',
    }


class Cron(metaclass=PoolMeta):
    __name__ = 'ir.cron'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.method.selection.extend([
                ('sale.tracking|give_back_expired',
                    "Give Back Customers of Campaigns"),
                ('sale.activity|send_reminders', "Send Activity Reminders"),
                ('sale.meeting|send_missing_invitations',
                    "Send Missing Meeting Invitations"),
                ('company.employee|leave_teams',
                    "Take Employees Who Left out of Teams"),
                ])


class Session(metaclass=PoolMeta):
    __name__ = 'ir.session'

    @classmethod
    def on_delete(cls, sessions):
        callbacks = super().on_delete(sessions)
        # Each request deletes the sessions that are over, if any
        if users := {s.create_uid.id for s in sessions if s.create_uid}:
            callbacks.append(lambda: cls._give_back_customers(users))
        return callbacks

    @classmethod
    def _give_back_customers(cls, users):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        UserEmployee = pool.get('res.user-company.employee')
        with without_check_access():
            # One left open in another browser does not count for ever
            since = dt.datetime.now() - dt.timedelta(
                seconds=config.getint('session', 'timeout'))
            users = users - {
                s.create_uid.id for s in cls.search([
                        ('create_uid', 'in', list(users)),
                        ], order=[])
                if s.last_modified_at >= since}
            employees = [
                u.employee for u in UserEmployee.search([
                        ('user', 'in', list(users)),
                        ], order=[])]
            if employees:
                Tracking.give_back_employees(employees)


class Rule(metaclass=PoolMeta):
    __name__ = 'ir.rule'

    @classmethod
    def _get_context(cls, model_name):
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        Channel = pool.get('sale.channel')
        User = pool.get('res.user')
        context = super()._get_context(model_name)
        if model_name in RULE_MODELS:
            context['employees'] = User.get_employees()
            context['managed_channels'] = Channel.get_managed()
            context['managed_team'] = Channel.get_managed_team()
            context['supervised_campaigns'] = Campaign.get_supervised()
        return context

    @classmethod
    def _get_cache_key(cls, model_names):
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        Channel = pool.get('sale.channel')
        User = pool.get('res.user')
        key = super()._get_cache_key(model_names)
        if model_names & RULE_MODELS:
            key = (
                *key, User.get_employees(),
                Channel.get_managed(), Channel.get_managed_team(),
                Campaign.get_supervised())
        return key
