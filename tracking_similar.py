# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.i18n import gettext, ngettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, without_check_access

from .exceptions import SimilarTrackingWarning


class Tracking(metaclass=PoolMeta):
    __name__ = 'sale.tracking'

    @fields.depends(
        'id', 'company', 'party', 'business_unit', 'state',
        methods=['_search_similar'])
    def on_change_notify(self):
        notifications = super().on_change_notify()
        if (self.state == 'open'
                and self.company and self.party and self.business_unit):
            for similar in self._search_similar([self]):
                notifications.append(('warning', self._similar_text(similar)))
        return notifications

    @classmethod
    def check_modification(
            cls, mode, trackings, values=None, external=False):
        super().check_modification(
            mode, trackings, values=values, external=external)
        if mode == 'create':
            cls._warn_similar(trackings)

    @classmethod
    def _search_similar(cls, trackings):
        ids = [t.id for t in trackings if t.id is not None and t.id >= 0]
        similar = []
        with without_check_access():
            for sub_trackings in grouped_slice(trackings, 100):
                similar += cls.search([
                        ('state', '=', 'open'),
                        ('id', 'not in', ids),
                        ['OR', *([
                                    ('company', '=', t.company.id),
                                    ('party', '=', t.party.id),
                                    ('business_unit', '=', t.business_unit.id),
                                    ] for t in sub_trackings)],
                        ], order=[('start_date', 'ASC'), ('id', 'ASC')])
        return similar

    @classmethod
    def _warn_similar(cls, trackings):
        pool = Pool()
        Warning = pool.get('res.user.warning')
        transaction = Transaction()
        if not transaction.user or transaction.context.get('_skip_warnings'):
            return
        similar = cls._search_similar(trackings)
        first = {}
        for tracking in trackings:
            key = (tracking.company, tracking.party, tracking.business_unit)
            if first.setdefault(key, tracking) != tracking:
                similar.append(first[key])
        if similar:
            key = Warning.format('tracking_similar', similar)
            if Warning.check(key):
                text = cls._similar_text(similar[0])
                if number := len(similar) - 1:
                    text += '\n' + ngettext(
                        'sale_opportunity_management'
                        '.msg_tracking_similar_more',
                        number, number=number)
                raise SimilarTrackingWarning(key, text)

    @classmethod
    def _similar_text(cls, similar):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        with without_check_access():
            similar = cls(similar.id)
            if similar.operator:
                operator = similar.operator.rec_name
            else:
                operator = gettext(
                    'sale_opportunity_management.msg_tracking_unassigned')
            return gettext(
                'sale_opportunity_management.msg_tracking_similar',
                tracking=similar.rec_name,
                business_unit=similar.business_unit.rec_name,
                operator=operator,
                date=lang.strftime(similar.start_date))
