# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.i18n import gettext
from trytond.modules.party.exceptions import EraseError
from trytond.pool import Pool, PoolMeta


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('sale.claim', 'party'),
            ]


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def check_erase_company(self, party, company):
        pool = Pool()
        Claim = pool.get('sale.claim')
        super().check_erase_company(party, company)
        for claim in Claim.search([
                    ('party', '=', party.id),
                    ('company', '=', company.id),
                    ('state', 'in', ['draft', 'open']),
                    ], limit=1):
            raise EraseError(gettext(
                    'sale_opportunity_management.msg_erase_party_claim',
                    party=party.rec_name,
                    claim=claim.rec_name))

    def to_erase(self, party_id):
        pool = Pool()
        Claim = pool.get('sale.claim')
        Event = pool.get('sale.claim.event')
        return super().to_erase(party_id) + [
            (Claim, [('party', '=', party_id)], True,
                ['subject', 'reference', 'description', 'analysis',
                    'resolution'],
                ['****'] + [None] * 4),
            (Event, [('claim.party', '=', party_id)], False,
                ['text'], ['****']),
            ]
