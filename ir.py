# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from functools import wraps

from trytond.i18n import gettext
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, check_access


class Cron(metaclass=PoolMeta):
    __name__ = 'ir.cron'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.method.selection.extend([
                ('sale.activity|send_reminders', "Send Activity Reminders"),
                ('sale.job|resume_dead', "Resume Interrupted Jobs"),
                ('sale.outgoing_email|send_waiting', "Send Waiting E-Mails"),
                ('company.employee|leave_teams',
                    "Take Employees Who Left out of Teams"),
                ])


class Rule(metaclass=PoolMeta):
    __name__ = 'ir.rule'

    @classmethod
    def _own_models(cls):
        "Return the models whose rules look at who the user is"
        return {
            'sale.tracking',
            'sale.call',
            'sale.task',
            'sale.task-sale.tracking',
            'sale.activity',
            }

    @classmethod
    def _get_context(cls, model_name):
        pool = Pool()
        Channel = pool.get('sale.channel')
        User = pool.get('res.user')
        context = super()._get_context(model_name)
        if model_name in cls._own_models():
            context['employees'] = User.get_working_employees()
            context['managed_channels'] = Channel.get_managed()
            context['managed_team'] = Channel.get_managed_team()
        if model_name == 'sale.job':
            context['user_id'] = Transaction().user
        return context

    @classmethod
    def check(cls, model_name, ids, mode='read'):
        with Transaction().set_context(_datetime=None):
            super().check(model_name, ids, mode=mode)

    @classmethod
    def _get_cache_key(cls, model_names):
        pool = Pool()
        Channel = pool.get('sale.channel')
        User = pool.get('res.user')
        key = super()._get_cache_key(model_names)
        if model_names & cls._own_models():
            key = (
                *key, User.get_working_employees(),
                Channel.get_managed(), Channel.get_managed_team())
        if 'sale.job' in model_names:
            key = (*key, Transaction().user)
        return key


class ChatChannel(metaclass=PoolMeta):
    __name__ = 'ir.chat.channel'

    @classmethod
    def __setup__(cls):
        super().__setup__()

        def as_user(func):
            @wraps(func)
            def wrapper(*args, **kwargs):
                transaction = Transaction()
                # The context may name another user
                with transaction.set_context(user=transaction.user):
                    return func(*args, **kwargs)
            return wrapper

        cls.__rpc__['post'].decorator = as_user

    @classmethod
    @check_access
    def check_access(cls, resource):
        pool = Pool()
        super().check_access(resource)
        model, id_ = str(resource).split(',')
        pool.get(model).read([int(id_)], ['id'])

    @classmethod
    def subscribe_email(cls, resource, email):
        pool = Pool()
        cls.check_access(resource)
        model, _ = str(resource).split(',')
        cls._check_subscribe_email(pool.get(model))
        super().subscribe_email(resource, email)

    @classmethod
    def _check_subscribe_email(cls, Model):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        # The messages leave the house
        if Model.__name__ == 'sale.tracking' and not Tracking.is_manager():
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_chat_email'))
