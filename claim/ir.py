# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.i18n import gettext
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta


class Rule(metaclass=PoolMeta):
    __name__ = 'ir.rule'

    @classmethod
    def _own_models(cls):
        return super()._own_models() | {
            'sale.claim', 'sale.claim-sale.claim.cause', 'sale.claim.origin',
            'sale.claim.event'}


class ChatChannel(metaclass=PoolMeta):
    __name__ = 'ir.chat.channel'

    @classmethod
    def _check_subscribe_email(cls, Model):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        super()._check_subscribe_email(Model)
        if Model.__name__ == 'sale.claim' and not Tracking.is_manager():
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_claim_chat_email'))
