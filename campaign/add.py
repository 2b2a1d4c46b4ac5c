# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
from collections import Counter

from sql import Null

from trytond.i18n import gettext, ngettext
from trytond.model import ModelView, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard

from ..moment import to_utc
from ..party import PHONE_TYPES
from .exceptions import CampaignError
from .tracking import PRIORITIES

ADD_SIZE = 500


class Campaign(metaclass=PoolMeta):
    __name__ = 'sale.campaign'

    @classmethod
    def add_parties(cls, campaign, parties, again=False, **values):
        """Add a tracking of each party to the campaign

        parties is a list of records or ids, again whether those are added
        that the campaign has finished and values what else to write on each
        tracking, such as the priority.
        Left out are those that are in the campaign, those with another open
        tracking of the same business unit and those that must not be called.
        The first are added at once and the rest by a job.
        Return a Counter with the numbers of those added and of those left
        out for each reason: double, working and blocked."""
        ids = list(dict.fromkeys(map(int, parties)))
        refused = campaign._refused_parties(ids, again)
        ids = [id_ for id_ in ids if id_ not in refused]
        cls._add('_add_parties', campaign, ids, again=again, values=values)
        return Counter(refused.values(), added=len(ids))

    @classmethod
    def _add(cls, method, campaign, ids, **arguments):
        pool = Pool()
        Job = pool.get('sale.job')
        arguments['campaign'] = campaign.id
        if len(ids) <= ADD_SIZE:
            getattr(cls, method)(ids, **arguments)
        else:
            name = gettext(
                'sale_opportunity_management.msg_campaign_add_job',
                campaign=campaign.rec_name)
            Job.begin(
                name, campaign.company, cls, method, ids, ADD_SIZE,
                **arguments)

    @classmethod
    def _add_parties(cls, ids, campaign, again, values):
        pool = Pool()
        Configuration = pool.get('sale.configuration')
        Tracking = pool.get('sale.tracking')
        campaign = cls(campaign)
        with Transaction().set_context(
                company=campaign.company.id, _skip_warnings=True):
            cls.lock([campaign])
            refused = campaign._refused_parties(ids, again)
            parties = [id_ for id_ in ids if id_ not in refused]
            if not parties:
                return 0
            sequence = Configuration(1).get_multivalue(
                'tracking_sequence', company=campaign.company.id)
            Tracking.create([{
                        'number': number,
                        'party': party,
                        'company': campaign.company.id,
                        'business_unit': campaign.business_unit.id,
                        'campaign': campaign.id,
                        'operator': None,
                        **values}
                    for party, number in zip(
                        parties, sequence.get_many(len(parties)))])
        return len(parties)

    def _refused_parties(self, ids, again=False):
        pool = Pool()
        DoNotCall = pool.get('sale.do_not_call')
        Tracking = pool.get('sale.tracking')
        cursor = Transaction().connection.cursor()
        refused = dict.fromkeys(
            DoNotCall.blocked(self.company, ids), 'blocked')
        for sub_ids in grouped_slice(ids, 1000):
            table = Tracking.__table__()
            is_open = table.state == 'open'
            working = (
                is_open
                & (table.company == self.company.id)
                & (table.business_unit == self.business_unit.id))
            double = table.campaign == self.id
            if again:
                double &= is_open
            cursor.execute(*table.select(
                    table.party, table.campaign,
                    where=fields.SQL_OPERATORS['in'](
                        table.party, list(sub_ids))
                    & (working | double)))
            for party, campaign in cursor:
                if campaign == self.id:
                    refused[party] = 'double'
                elif refused.get(party) != 'double':
                    refused[party] = 'working'
        return refused

    @classmethod
    def add_trackings(cls, campaign, trackings, **values):
        """Add the open trackings to the campaign

        trackings is a list of records or ids and values what else to write
        on each.  Left out are those of a campaign and those of customers who
        are in the campaign or must not be called.
        Return a Counter as add_parties, with also the reason closed."""
        ids = list(dict.fromkeys(map(int, trackings)))
        refused = campaign._refused_trackings(ids)
        ids = [id_ for id_ in ids if id_ not in refused]
        cls._add('_add_trackings', campaign, ids, values=values)
        return Counter(refused.values(), added=len(ids))

    @classmethod
    def _add_trackings(cls, ids, campaign, values):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        campaign = cls(campaign)
        cls.lock([campaign])
        refused = campaign._refused_trackings(ids)
        trackings = Tracking.browse(
            [id_ for id_ in ids if id_ not in refused])
        Tracking.write(trackings, {'campaign': campaign.id, **values})
        return len(trackings)

    def _refused_trackings(self, ids):
        pool = Pool()
        DoNotCall = pool.get('sale.do_not_call')
        Tracking = pool.get('sale.tracking')
        cursor = Transaction().connection.cursor()
        refused = {}
        for sub_ids in grouped_slice(ids, 1000):
            table = Tracking.__table__()
            cursor.execute(*table.select(
                    table.id, table.party, table.campaign, table.state,
                    where=fields.SQL_OPERATORS['in'](table.id, list(sub_ids)),
                    order_by=[table.start_date, table.id]))
            rows = cursor.fetchall()
            parties = {party for _, party, _, _ in rows}
            blocked = DoNotCall.blocked(self.company, parties)
            table = Tracking.__table__()
            cursor.execute(*table.select(
                    table.party,
                    where=fields.SQL_OPERATORS['in'](
                        table.party, list(parties))
                    & (table.campaign == self.id)
                    & (table.state == 'open')))
            added = {party for party, in cursor}
            for id_, party, campaign, state in rows:
                if state != 'open':
                    refused[id_] = 'closed'
                elif party in added:
                    refused[id_] = 'double'
                elif campaign is not None:
                    refused[id_] = 'working'
                elif party in blocked:
                    refused[id_] = 'blocked'
                else:
                    added.add(party)
        return refused


class Add(Wizard):
    __name__ = 'sale.campaign.add'

    start = StateView(
        'sale.campaign.add.start',
        'sale_opportunity_management.campaign_add_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Add", 'add', 'tryton-ok', default=True),
            ])
    add = StateTransition()
    result = StateView(
        'sale.campaign.add.result',
        'sale_opportunity_management.campaign_add_result_view_form', [
            Button("OK", 'end', 'tryton-ok', default=True),
            ])

    def default_start(self, fields):
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        values = {'source': 'filter', 'selected': 0}
        if self.model == Campaign:
            values['campaign'] = self.record.id
            values['company'] = self.record.company.id
        else:
            values['source'] = 'selected'
            values['selected'] = len(self.records)
        return values

    @check_access
    def transition_add(self):
        pool = Pool()
        Campaign = pool.get('sale.campaign')
        Tracking = pool.get('sale.tracking')
        campaign = self.start.campaign
        values = {'priority': self.start.priority}
        if campaign.state == 'done':
            raise CampaignError(gettext(
                    'sale_opportunity_management.msg_campaign_add_done',
                    campaign=campaign.rec_name))
        if self.start.source == 'filter':
            numbers = Campaign.add_parties(
                campaign, self.start.search_parties(),
                again=self.start.again, **values)
        elif self.model == Tracking:
            numbers = Campaign.add_trackings(
                campaign, [t.id for t in self.records], **values)
        else:
            numbers = Campaign.add_parties(
                campaign, [p.id for p in self.records],
                again=self.start.again, **values)
        self.result.text = self._text(numbers)
        return 'result'

    def _text(self, numbers):
        lines = [ngettext(
                'sale_opportunity_management.msg_campaign_added',
                numbers['added'], number=numbers['added'])]
        for reason in self._reasons():
            if number := numbers[reason]:
                lines.append(self._reason_text(reason, number))
        if numbers['added'] > ADD_SIZE:
            lines.append(gettext(
                    'sale_opportunity_management.msg_campaign_added_queued'))
        return '\n'.join(lines)

    @classmethod
    def _reasons(cls):
        "Return the reasons for which customers are left out"
        return ['double', 'working', 'blocked', 'closed']

    @classmethod
    def _reason_text(cls, reason, number):
        return ngettext(
            f'sale_opportunity_management.msg_campaign_added_{reason}',
            number, number=number)

    def default_result(self, fields):
        return {'text': self.result.text}


class AddStart(ModelView):
    __name__ = 'sale.campaign.add.start'

    _filter = {
        'invisible': Eval('source') != 'filter',
        }

    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True)
    campaign = fields.Many2One(
        'sale.campaign', "Campaign", required=True,
        domain=[
            ('company', '=', Eval('company', -1)),
            ('state', '!=', 'done'),
            ],
        states={
            'readonly': Eval('source') == 'filter',
            })
    source = fields.Selection([
            ('selected', "Selected"),
            ('filter', "Filter"),
            ], "Customers", required=True, readonly=True, sort=False)
    selected = fields.Integer(
        "Selected", readonly=True,
        states={
            'invisible': Eval('source') != 'selected',
            },
        help="How many are selected.")
    category = fields.Many2One(
        'party.category', "Category", states=_filter,
        help="Leave empty for customers of any category.")
    country = fields.Many2One(
        'country.country', "Country", states=_filter)
    subdivision = fields.Many2One(
        'country.subdivision', "Subdivision", states=_filter,
        domain=[
            ('country', '=', Eval('country', -1)),
            ])
    city = fields.Char(
        "City", states=_filter,
        help="Leave empty for customers of any city.")
    business_unit = fields.Many2One(
        'sale.business_unit', "Business Unit", states=_filter,
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        help="Only the customers that have had a tracking of it.")
    not_contacted_since = fields.Date(
        "Not Contacted Since", states=_filter,
        help="Only the customers with whom nothing was done since that day.")
    with_phone = fields.Boolean(
        "With Phone", states=_filter,
        help="Check to add only the customers who have a phone number.")
    again = fields.Boolean(
        "Finished Ones Again",
        help="Check to add also the customers "
        "that the campaign has finished already.")
    priority = fields.Selection(
        PRIORITIES, "Priority", required=True, sort=False,
        help="Those with a higher priority come first.")
    found = fields.Function(
        fields.Integer(
            "Found", states=_filter,
            help="How many customers the filter finds."),
        'on_change_with_found')

    del _filter

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_with_phone(cls):
        return True

    @classmethod
    def default_again(cls):
        return False

    @classmethod
    def default_priority(cls):
        return '2'

    @fields.depends('country', 'subdivision')
    def on_change_country(self):
        if self.subdivision and self.subdivision.country != self.country:
            self.subdivision = None

    @fields.depends(
        'source', 'company', 'category', 'country', 'subdivision', 'city',
        'business_unit', 'not_contacted_since', 'with_phone')
    @check_access
    def on_change_with_found(self, name=None):
        pool = Pool()
        Party = pool.get('party.party')
        if self.source == 'filter' and self.company:
            return Party.search(self._domain(), count=True)

    def search_parties(self):
        pool = Pool()
        Party = pool.get('party.party')
        cursor = Transaction().connection.cursor()
        cursor.execute(*Party.search(
                self._domain(), order=[('id', 'ASC')], query=True))
        return [id_ for id_, *_ in cursor]

    def _domain(self):
        pool = Pool()
        Activity = pool.get('sale.activity')
        Company = pool.get('company.company')
        Employee = pool.get('company.employee')
        Tracking = pool.get('sale.tracking')
        domain = []
        for Model in [Company, Employee]:
            # Our own people are no customers
            table = Model.__table__()
            domain.append(('id', 'not in', table.select(table.party)))
        if self.category:
            domain.append(
                ('categories', 'child_of', [self.category.id], 'parent'))
        address = []
        if self.country:
            address.append(('country', '=', self.country.id))
        if self.subdivision:
            address.append(
                ('subdivision', 'child_of', [self.subdivision.id], 'parent'))
        if self.city and (city := self.city.strip()):
            address.append(('city', 'ilike', city))
        if address:
            domain.append(('addresses', 'where', address))
        if self.business_unit:
            table = Tracking.__table__()
            domain.append(('id', 'in', table.select(
                        table.party,
                        where=(table.company == self.company.id)
                        & (table.business_unit == self.business_unit.id))))
        if self.not_contacted_since:
            since = to_utc(self.company, dt.datetime.combine(
                    self.not_contacted_since, dt.time()))
            for Model in Activity.activity_models():
                table = Model.__table__()
                domain.append(('id', 'not in', table.select(
                            table.party,
                            where=(table.company == self.company.id)
                            & (table.party != Null)
                            & (table.state == 'done')
                            & (table.date >= since))))
        if self.with_phone:
            domain.append(('contact_mechanisms', 'where', [
                        ('type', 'in', PHONE_TYPES),
                        ]))
        return domain


class AddResult(ModelView):
    __name__ = 'sale.campaign.add.result'

    text = fields.Text("Added", readonly=True)
