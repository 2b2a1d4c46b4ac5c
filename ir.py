# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.pool import Pool, PoolMeta

# The models whose rules look at the employees and channels of the user
RULE_MODELS = {
    'sale.tracking',
    'sale.call',
    'sale.campaign',
    'sale.task',
    'sale.activity',
    'sale.call.reporting.done',
    'sale.call.reporting.pending',
    'sale.call.reporting.potential',
    'sale.tracking.reporting.assignment',
    'sale.tracking.reporting.customer',
    }


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
