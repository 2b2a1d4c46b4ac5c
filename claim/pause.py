# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from collections import defaultdict

from sql import Literal

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, check_access, without_check_access

from ..campaign.exceptions import AttendError
from .exceptions import ClaimPauseError, ClaimPauseWarning


class Claim(metaclass=PoolMeta):
    __name__ = 'sale.claim'

    @classmethod
    def get_pause(cls, company):
        "Return what calls to the customers with open claims are: a selection"
        pool = Pool()
        Configuration = pool.get('sale.configuration')
        return Configuration(1).get_multivalue(
            'claim_pause', company=int(company))

    @classmethod
    def pausing_query(cls, company):
        """Return the query of the open claims that pause calls

        Its columns are the party and the responsible of the claim."""
        pool = Pool()
        Type = pool.get('sale.claim.type')
        claim = cls.__table__()
        type_ = Type.__table__()
        return claim.join(type_, condition=claim.type == type_.id).select(
            claim.party.as_('party'),
            claim.responsible.as_('responsible'),
            where=(claim.company == int(company))
            & (claim.kind == 'customer')
            & (claim.state == 'open')
            & (type_.pauses_calls == Literal(True)))

    @classmethod
    def get_paused(cls, company, parties):
        """Return the parties with an open claim that pauses calls

        As a dictionary of the ids of the responsible employees by party."""
        cursor = Transaction().connection.cursor()
        paused = defaultdict(set)
        for sub_ids in grouped_slice(list({int(p) for p in parties}), 1000):
            query = cls.pausing_query(company)
            cursor.execute(*query.select(
                    query.party, query.responsible,
                    where=fields.SQL_OPERATORS['in'](
                        query.party, list(sub_ids))))
            for party, responsible in cursor:
                paused[party].add(responsible)
        return dict(paused)


class Call(metaclass=PoolMeta):
    __name__ = 'sale.call'

    @classmethod
    def validate_fields(cls, calls, field_names):
        super().validate_fields(calls, field_names)
        cls.check_claim(calls, field_names)

    @classmethod
    def check_claim(cls, calls, field_names=None):
        pool = Pool()
        Claim = pool.get('sale.claim')
        Warning = pool.get('res.user.warning')
        if (field_names is not None
                and not field_names & {'planned_date', 'party'}):
            return
        # What was promised to the customer at the phone is kept
        if Transaction().context.get('_campaign_queue'):
            return
        by_company = defaultdict(list)
        for call in calls:
            if (call.state == 'pending' and call.direction == 'outgoing'
                    and call.party):
                by_company[call.company].append(call)
        for company, calls in by_company.items():
            paused = Claim.get_paused(company, {c.party for c in calls})
            pause = Claim.get_pause(company) if paused else 'off'
            if pause == 'off':
                continue
            for call in calls:
                responsibles = paused.get(call.party.id)
                # Who solves the claim has to talk about it
                if not responsibles or (
                        call.assignee and call.assignee.id in responsibles):
                    continue
                if pause == 'refuse':
                    raise ClaimPauseError(gettext(
                            'sale_opportunity_management'
                            '.msg_claim_pause_refused',
                            party=call.party.rec_name))
                key = Warning.format('claim_pause', [call.party])
                if Warning.check(key):
                    raise ClaimPauseWarning(key, gettext(
                            'sale_opportunity_management'
                            '.msg_claim_pause_warning',
                            party=call.party.rec_name))


class Tracking(metaclass=PoolMeta):
    __name__ = 'sale.tracking'

    @classmethod
    def _queue_parts(cls, campaign, employee):
        pool = Pool()
        Claim = pool.get('sale.claim')
        parts = super()._queue_parts(campaign, employee)
        if Claim.get_pause(campaign.company) != 'refuse':
            return parts

        def wait(where):
            def condition(table):
                paused = Claim.pausing_query(campaign.company)
                return where(table) & ~table.party.in_(
                    paused.select(paused.party))
            return condition
        return [
            (rank, is_away, wait(where)) for rank, is_away, where in parts]

    @classmethod
    def take(cls, tracking):
        tracking._check_claim(tracking._get_attendant())
        return super().take(tracking)

    @without_check_access
    def _check_claim(self, employee):
        pool = Pool()
        Claim = pool.get('sale.claim')
        tracking = self.__class__(self.id)
        if (tracking.taken_by != employee
                and Claim.get_pause(tracking.company) == 'refuse'
                and Claim.get_paused(tracking.company, [tracking.party])):
            raise AttendError(gettext(
                    'sale_opportunity_management.msg_claim_pause_refused',
                    party=tracking.party.rec_name))

    @classmethod
    def _plan_texts(cls, trackings):
        pool = Pool()
        Claim = pool.get('sale.claim')
        by_company = defaultdict(list)
        for tracking in trackings:
            by_company[tracking.company].append(tracking)
        for company, c_trackings in by_company.items():
            paused = Claim.get_paused(company, {t.party for t in c_trackings})
            if not paused or Claim.get_pause(company) == 'off':
                continue
            for tracking in c_trackings:
                if tracking.party.id in paused:
                    yield tracking.id, gettext(
                        'sale_opportunity_management.msg_claim_plan')
        yield from super()._plan_texts(trackings)


class Campaign(metaclass=PoolMeta):
    __name__ = 'sale.campaign'

    def _refused_parties(self, ids, again=False):
        pool = Pool()
        Claim = pool.get('sale.claim')
        refused = super()._refused_parties(ids, again=again)
        if Claim.get_pause(self.company) == 'refuse':
            for party in Claim.get_paused(self.company, ids):
                refused.setdefault(party, 'claim')
        return refused

    def _refused_trackings(self, ids):
        pool = Pool()
        Claim = pool.get('sale.claim')
        Tracking = pool.get('sale.tracking')
        refused = super()._refused_trackings(ids)
        if Claim.get_pause(self.company) == 'refuse':
            cursor = Transaction().connection.cursor()
            for sub_ids in grouped_slice(ids, 1000):
                table = Tracking.__table__()
                paused = Claim.pausing_query(self.company)
                cursor.execute(*table.select(
                        table.id,
                        where=fields.SQL_OPERATORS['in'](
                            table.id, list(sub_ids))
                        & table.party.in_(paused.select(paused.party))))
                for id_, in cursor:
                    refused.setdefault(id_, 'claim')
        return refused


class Add(metaclass=PoolMeta):
    __name__ = 'sale.campaign.add'

    @check_access
    def transition_add(self):
        self._warn_claims()
        return super().transition_add()

    def _warn_claims(self):
        pool = Pool()
        Claim = pool.get('sale.claim')
        Tracking = pool.get('sale.tracking')
        Warning = pool.get('res.user.warning')
        campaign = self.start.campaign
        if Claim.get_pause(campaign.company) != 'warn':
            return
        if self.start.source == 'filter':
            parties = self.start.search_parties()
        elif self.model == Tracking:
            Tracking.read([t.id for t in self.records], ['id'])
            parties = [t.party.id for t in self.records]
        else:
            parties = [p.id for p in self.records]
        if number := len(Claim.get_paused(campaign.company, parties)):
            key = Warning.format('claim_pause_add', [campaign])
            if Warning.check(key):
                raise ClaimPauseWarning(key, gettext(
                        'sale_opportunity_management.msg_claim_pause_add',
                        number=number))

    @classmethod
    def _reasons(cls):
        return [*super()._reasons(), 'claim']

    @classmethod
    def _reason_text(cls, reason, number):
        if reason == 'claim':
            return gettext(
                'sale_opportunity_management.msg_claim_left_out',
                number=number)
        return super()._reason_text(reason, number)
