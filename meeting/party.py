# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.pool import Pool, PoolMeta
from trytond.transaction import inactive_records


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('sale.meeting', 'party'),
            ('sale.meeting.attendee', 'party'),
            ]


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        Meeting = pool.get('sale.meeting')
        return super().to_erase(party_id) + [
            (Meeting, [('party', '=', party_id)], True,
                ['summary', 'description', 'agenda', 'place', 'link'],
                ['****'] + [None] * 4),
            (Attendee, self._domain_attendees(party_id), False,
                ['email'], [None]),
            (Attendee, ['OR',
                    ('meeting.party', '=', party_id),
                    self._domain_attendees(party_id),
                    ], False,
                ['sent_texts'], [None]),
            ]

    @classmethod
    def _get_notified(cls, party_id):
        pool = Pool()
        Attendee = pool.get('sale.meeting.attendee')
        Meeting = pool.get('sale.meeting')
        notified = super()._get_notified(party_id)
        notified[Meeting].update(
            a.meeting.id
            for a in Attendee.search(cls._domain_attendees(party_id)))
        return notified

    @classmethod
    def _domain_attendees(cls, party_id):
        return ['OR',
            ('party', '=', party_id),
            ('employee.party', '=', party_id),
            ('email', 'in', cls._get_emails(party_id)),
            ]

    @classmethod
    def _get_emails(cls, party_id):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        with inactive_records():
            return [
                m.value.lower() for m in ContactMechanism.search([
                        ('party', '=', party_id),
                        ('type', '=', 'email'),
                        ]) if m.value]
