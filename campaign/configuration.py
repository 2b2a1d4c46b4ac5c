# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from trytond.model import ModelSQL, fields
from trytond.modules.company.model import CompanyValueMixin
from trytond.pool import Pool, PoolMeta

_campaign_release_delay = fields.TimeDelta(
    "Give Back After",
    domain=[
        ('campaign_release_delay', '>', dt.timedelta()),
        ],
    help="How long the operators of new campaigns keep a customer "
    "without saving.")
_campaign_return_delay = fields.TimeDelta(
    "Come Again After",
    domain=[
        ('campaign_return_delay', '>=', dt.timedelta()),
        ],
    help="How long a customer of new campaigns waits "
    "when the operator skipped it or left only a comment.")


class Configuration(metaclass=PoolMeta):
    __name__ = 'sale.configuration'

    campaign_release_delay = fields.MultiValue(_campaign_release_delay)
    campaign_return_delay = fields.MultiValue(_campaign_return_delay)

    @classmethod
    def multivalue_model(cls, field):
        pool = Pool()
        if field in {'campaign_release_delay', 'campaign_return_delay'}:
            return pool.get('sale.configuration.campaign')
        return super().multivalue_model(field)

    @classmethod
    def default_campaign_release_delay(cls, **pattern):
        return cls.multivalue_model(
            'campaign_release_delay').default_campaign_release_delay()

    @classmethod
    def default_campaign_return_delay(cls, **pattern):
        return cls.multivalue_model(
            'campaign_return_delay').default_campaign_return_delay()


class ConfigurationCampaign(ModelSQL, CompanyValueMixin):
    __name__ = 'sale.configuration.campaign'

    campaign_release_delay = _campaign_release_delay
    campaign_return_delay = _campaign_return_delay

    @classmethod
    def default_campaign_release_delay(cls):
        return dt.timedelta(minutes=10)

    @classmethod
    def default_campaign_return_delay(cls):
        return dt.timedelta(minutes=30)
