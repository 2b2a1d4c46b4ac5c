# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.pool import PoolMeta


class ContactImport(metaclass=PoolMeta):
    __name__ = 'party.contact.import'

    @classmethod
    def _prepare_trackings(cls, trackings, options):
        trackings = super()._prepare_trackings(trackings, options)
        return [{'origin': 'template', **t} for t in trackings]
