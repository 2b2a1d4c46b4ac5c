# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

import trytond.config as config
from trytond.pool import Pool, PoolMeta
from trytond.transaction import without_check_access


class Cron(metaclass=PoolMeta):
    __name__ = 'ir.cron'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.method.selection.append(
            ('sale.tracking|give_back_expired',
                "Give Back Customers of Campaigns"))


class Rule(metaclass=PoolMeta):
    __name__ = 'ir.rule'

    @classmethod
    def _own_models(cls):
        return super()._own_models() | {'sale.campaign'}

    @classmethod
    def _get_context(cls, model_name):
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        context = super()._get_context(model_name)
        if model_name in cls._own_models():
            context['supervised_campaigns'] = Campaign.get_supervised()
        return context

    @classmethod
    def _get_cache_key(cls, model_names):
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        key = super()._get_cache_key(model_names)
        if model_names & cls._own_models():
            key = (*key, Campaign.get_supervised())
        return key


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
