# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.i18n import gettext
from trytond.model import fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval
from trytond.transaction import Transaction


class _OptionsMixin:
    __slots__ = ()

    campaign = fields.Many2One(
        'sale.campaign', "Campaign",
        domain=[
            ('company', '=', Eval('company', -1)),
            ('state', '!=', 'done'),
            ],
        help="The campaign to which the customers are added, but for those "
        "that are in it and those that must not be called.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        has_campaign = Bool(Eval('campaign'))
        for field in [cls.trackings, cls.business_unit]:
            field.states['invisible'] = (
                field.states.get('invisible', False) | has_campaign)

    @classmethod
    def option_names(cls):
        return super().option_names() + ['campaign']


class ContactImport(_OptionsMixin, metaclass=PoolMeta):
    __name__ = 'party.contact.import'

    @classmethod
    def _check_access(cls, options):
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        super()._check_access(options)
        campaign = options.get('campaign')
        if campaign is not None and not Campaign.search([
                    ('id', '=', campaign),
                    ('company', '=', Transaction().context['company']),
                    ('state', '!=', 'done'),
                    ]):
            raise AccessError(gettext(
                    'sale_opportunity_management.msg_contact_import_denied'))

    @classmethod
    def _get_business_unit(cls, options):
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        if (campaign := options.get('campaign')) is not None:
            return Campaign(campaign).business_unit.id
        return super()._get_business_unit(options)

    @classmethod
    def _prepare_trackings(cls, trackings, options):
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        trackings = super()._prepare_trackings(trackings, options)
        if (campaign := options.get('campaign')) is not None:
            refused = Campaign(campaign)._refused_parties(
                [t['party'] for t in trackings])
            trackings = [
                {**t, 'campaign': campaign} for t in trackings
                if t['party'] not in refused]
        return trackings


class ImportContactsStart(_OptionsMixin, metaclass=PoolMeta):
    __name__ = 'party.import_contacts.start'
