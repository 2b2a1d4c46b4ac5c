# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import re

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval
from trytond.transaction import Transaction, check_access
from trytond.wizard import (
    Button, StateAction, StateTransition, StateView, Wizard)

from .channel import has_role
from .exceptions import RegisterError
from .party import PHONE_TYPES, RATINGS, normalize_name


class RegisterParty(Wizard):
    __name__ = 'party.register'

    start = StateView(
        'party.register.start',
        'sale_opportunity_management.register_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Register", 'check', 'tryton-ok', default=True),
            ])
    check = StateTransition()
    similar = StateView(
        'party.register.similar',
        'sale_opportunity_management.register_similar_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Back", 'start', 'tryton-back'),
            Button("Register Anyway", 'register', 'tryton-create'),
            Button("Use Selected", 'use', 'tryton-ok', default=True),
            ])
    use = StateTransition()
    register = StateTransition()
    open_tracking = StateAction(
        'sale_opportunity_management.act_tracking_open')
    open_party = StateAction('party.act_party_form')

    def transition_check(self):
        if self.start.find_similar():
            return 'similar'
        return 'register'

    def default_similar(self, fields):
        parties = self.start.find_similar()
        return {
            'parties': [p.id for p in parties],
            'party': parties[0].id if len(parties) == 1 else None,
            }

    @check_access
    def transition_register(self):
        return self._open(*self.start.register())

    @check_access
    def transition_use(self):
        if not self.similar.party:
            raise RegisterError(gettext(
                    'sale_opportunity_management.msg_register_select'))
        return self._open(*self.start.register(self.similar.party))

    def _open(self, party, tracking):
        self.similar.party = party
        self.similar.tracking = tracking
        return 'open_tracking' if tracking else 'open_party'

    def do_open_tracking(self, action):
        return action, {'res_id': self.similar.tracking.id}

    def do_open_party(self, action):
        action['views'].reverse()
        return action, {'res_id': self.similar.party.id}


class RegisterPartyStart(ModelView):
    __name__ = 'party.register.start'

    name = fields.Char(
        "Name", required=True,
        help="The name of the company or person.")
    identifier_type = fields.Selection(
        'get_identifier_types', "Identifier Type",
        states={
            'required': Bool(Eval('identifier_code')),
            })
    identifier_code = fields.Char("Identifier")
    street = fields.Char("Street")
    postal_code = fields.Char("Postal Code")
    city = fields.Char("City")
    country = fields.Many2One('country.country', "Country")
    subdivision = fields.Many2One(
        'country.subdivision', "Subdivision",
        domain=[
            ('country', '=', Eval('country', -1)),
            ],
        states={
            'readonly': ~Eval('country'),
            })
    mechanisms = fields.One2Many(
        'party.register.mechanism', None, "Contact Mechanisms")
    contacts = fields.One2Many(
        'party.register.contact', None, "Contacts")
    company = fields.Many2One(
        'company.company', "Company", readonly=True, required=True)
    business_unit = fields.Many2One(
        'sale.business_unit', "Business Unit",
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        help="What the customer is going to be called about.\n"
        "Leave empty to register the customer without tracking.")
    channel = fields.Many2One(
        'sale.channel', "Channel",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'invisible': ~Eval('business_unit'),
            })
    operator = fields.Many2One(
        'company.employee', "Operator",
        domain=[
            ('company', '=', Eval('company', -1)),
            ('active', '=', True),
            ],
        states={
            'invisible': ~Eval('business_unit'),
            'readonly': ~has_role('group_tracking_manager'),
            },
        help="Leave empty to assign the tracking later.")
    rating = fields.Selection(RATINGS, "Rating", sort=False)
    rating_comment = fields.Text("Rating Comment")
    similar = fields.Many2Many(
        'party.party', None, None, "Similar Customers", readonly=True,
        states={
            'invisible': ~Eval('similar'),
            },
        context={
            'company': Eval('company', -1),
            },
        depends={'company'},
        help="The customers that exist already and look like this one.")

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_country(cls):
        pool = Pool()
        Company = pool.get('company.company')
        if (company := cls.default_company()) is not None:
            for address in Company(company).party.addresses:
                if address.country:
                    return address.country.id

    @classmethod
    def default_channel(cls):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        return Tracking.default_channel()

    @classmethod
    def default_operator(cls):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        return Tracking.default_operator()

    @classmethod
    def get_identifier_types(cls):
        pool = Pool()
        Identifier = pool.get('party.identifier')
        return Identifier.get_types()

    @fields.depends('country', 'subdivision')
    def on_change_country(self):
        if self.subdivision and self.subdivision.country != self.country:
            self.subdivision = None

    @fields.depends('name', 'identifier_code', 'mechanisms', 'contacts')
    def on_change_with_similar(self):
        return [p.id for p in self.find_similar()]

    @fields.depends('name', 'identifier_code', 'mechanisms', 'contacts')
    def find_similar(self):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        Party = pool.get('party.party')
        codes = set()
        if self.identifier_code:
            codes |= {
                self.identifier_code,
                re.sub(r'[\W_]', '', self.identifier_code)}
        values = set()
        for _, value in self._all_mechanisms():
            values.add(ContactMechanism.compact_phone(value) or value)
        if not (self.name or codes or values):
            return []
        return Party.search_similar(self.name, codes, values)

    @fields.depends('mechanisms', 'contacts')
    def _all_mechanisms(self):
        for mechanism in self.mechanisms or []:
            if getattr(mechanism, 'value', None):
                yield mechanism.type, mechanism.value
        for contact in self.contacts or []:
            yield from contact.mechanisms

    def register(self, party=None):
        """Create what the dialog describes and return party and tracking

        When the party exists already, what it lacks is added to it."""
        pool = Pool()
        Address = pool.get('party.address')
        Contact = pool.get('party.contact')
        Identifier = pool.get('party.identifier')
        Party = pool.get('party.party')
        # Only create and write check the access, save does not
        if not party:
            party, = Party.create([{'name': self.name, 'addresses': []}])
        # The country of the address is needed to read the phone numbers
        address = self._address_values()
        if any(address.values()) and not any(
                a.city or a.street for a in party.addresses):
            Address.create([{**address, 'party': party.id}])
        if self.identifier_code and not any(
                i.code == self.identifier_code for i in party.identifiers):
            Identifier.create([{
                        'party': party.id,
                        'type': self.identifier_type,
                        'code': self.identifier_code,
                        }])
        typification = {
            name: value for name in ['rating', 'rating_comment']
            if (value := getattr(self, name))}
        if typification:
            Party.write([party], typification)
        party = Party(party.id)
        self._save_mechanisms(
            party, None, [(m.type, m.value) for m in self.mechanisms])
        contacts = {normalize_name(c.name): c for c in party.contacts}
        for line in self.contacts:
            if not (contact := contacts.get(normalize_name(line.name))):
                contact, = Contact.create([{
                            'party': party.id,
                            'name': line.name,
                            'job_title': line.job_title,
                            }])
            self._save_mechanisms(party, contact, line.mechanisms)
        return party, self._save_tracking(party)

    def _address_values(self):
        return {
            'street_unstructured': self.street,
            'postal_code': self.postal_code,
            'city': self.city,
            'country': self.country.id if self.country else None,
            'subdivision': self.subdivision.id if self.subdivision else None,
            }

    def _save_mechanisms(self, party, contact, mechanisms):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        known = {m.value_compact for m in ContactMechanism.search([
                    ('party', '=', party.id)])}
        to_create = []
        for type_, value in mechanisms:
            mechanism = ContactMechanism(party=party)
            compact = mechanism.format_value_compact(value, type_)
            if compact not in known:
                known.add(compact)
                to_create.append({
                        'party': party.id,
                        'contact': contact.id if contact else None,
                        'type': type_,
                        'value': value,
                        })
        ContactMechanism.create(to_create)

    def _save_tracking(self, party):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        Tracking = pool.get('sale.tracking')
        if not self.business_unit:
            return
        values = {
            'party': party.id,
            'company': self.company.id,
            'business_unit': self.business_unit.id,
            'channel': self.channel.id if self.channel else None,
            'operator': self.operator.id if self.operator else None,
            }
        if mechanisms := ContactMechanism.search([
                    ('party', '=', party.id),
                    ('type', 'in', PHONE_TYPES),
                    ], limit=1):
            mechanism, = mechanisms
            values['contact_mechanism'] = mechanism.id
            if mechanism.contact:
                values['contact'] = mechanism.contact.id
        tracking, = Tracking.create([values])
        return tracking


class MechanismLineMixin(ModelView):
    type = fields.Selection(
        'get_types', "Type", required=True, sort=False)
    value = fields.Char("Value")

    @classmethod
    def default_type(cls):
        return 'phone'

    @classmethod
    def get_types(cls):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        return ContactMechanism.fields_get(['type'])['type']['selection']


class RegisterMechanism(MechanismLineMixin):
    __name__ = 'party.register.mechanism'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.value.required = True


class RegisterContact(ModelView):
    __name__ = 'party.register.contact'

    name = fields.Char("Name", required=True)
    job_title = fields.Char("Job Title")
    phone = fields.Char("Phone")
    mobile = fields.Char("Mobile")
    email = fields.Char("E-Mail")

    @property
    def mechanisms(self):
        for type_ in ['phone', 'mobile', 'email']:
            if value := getattr(self, type_, None):
                yield type_, value


class RegisterSimilar(ModelView):
    __name__ = 'party.register.similar'

    parties = fields.Many2Many(
        'party.party', None, None, "Similar Customers", readonly=True)
    party = fields.Many2One(
        'party.party', "Customer",
        domain=[
            ('id', 'in', Eval('parties', [])),
            ],
        help="The existing customer that the registered one is.")
    tracking = fields.Many2One('sale.tracking', "Tracking", readonly=True)
