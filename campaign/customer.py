# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import json

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval
from trytond.transaction import Transaction, without_check_access

from ..moment import to_local
from ..party_register import MechanismLineMixin
from .exceptions import AttendError

_ADDRESS = ['street', 'postal_code', 'city', 'country', 'subdivision']


class AttendCustomer(ModelView):
    __name__ = 'sale.campaign.attend.customer'

    tracking = fields.Many2One('sale.tracking', "Tracking", readonly=True)
    company = fields.Many2One('company.company', "Company", readonly=True)
    party = fields.Many2One(
        'party.party', "Customer", readonly=True,
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    campaign = fields.Many2One('sale.campaign', "Campaign", readonly=True)
    typology = fields.Many2One(
        'sale.campaign.typology', "Typology", readonly=True)
    reason = fields.Char(
        "Why Now", readonly=True,
        help="Why this customer comes now.")
    last_result = fields.Many2One(
        'sale.campaign.result', "Last Result", readonly=True,
        states={
            'invisible': ~Eval('last_result'),
            },
        help="What the last attempt ended with.")
    attempts = fields.Integer(
        "Attempts", readonly=True,
        help="How many times the customer was called before.")
    script = fields.Text(
        "Script", readonly=True,
        states={
            'invisible': ~Eval('script'),
            },
        help="What to read out.")
    start = fields.DateTime("Start", readonly=True)
    turn = fields.Integer("Turn", readonly=True)
    commented = fields.Boolean("Commented", readonly=True)
    comment = fields.Text(
        "Comment",
        help="What was said or, to skip the customer, why.")
    result = fields.Selection(
        'get_results', "Result", sort=False,
        help="What the call ended with.\n"
        "Leave empty to leave only a comment.")
    promises = fields.Function(
        fields.Boolean("Promises a Call-back"), 'on_change_with_promises')
    callback_date = fields.DateTime(
        "Call Back On", format='%H:%M',
        states={
            'invisible': ~Eval('promises', False),
            'required': Eval('promises', False),
            },
        help="When the customer wants to be called again.")
    duration = fields.TimeDelta(
        "Duration",
        domain=['OR',
            ('duration', '=', None),
            ('duration', '>=', dt.timedelta()),
            ],
        help="How long the call lasted.\n"
        "Leave empty to count since the customer was shown.")
    mechanisms = fields.One2Many(
        'sale.campaign.attend.mechanism', None, "Whom to Call",
        context={
            'attended_party': Eval('party', -1),
            },
        depends={'party'})
    contacts = fields.One2Many(
        'sale.campaign.attend.contact', None, "Contacts")
    name = fields.Char("Name", required=True)
    street = fields.Text("Street")
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
    shown = fields.Text(
        "Shown", readonly=True,
        help="The customer's data as it was shown first.")
    history = fields.One2Many(
        'sale.campaign.attend.line', None, "History", readonly=True)
    plan = fields.Char(
        "Plan Data", readonly=True,
        states={
            'invisible': ~Eval('plan'),
            },
        help="What the customer has already.")
    sales = fields.Many2Many(
        'sale.sale', None, None, "Sales", readonly=True)
    opportunities = fields.Many2Many(
        'sale.opportunity', None, None, "Opportunities", readonly=True)
    attachments = fields.Many2Many(
        'ir.attachment', None, None, "Files", readonly=True)
    files = fields.One2Many(
        'sale.campaign.attend.file', None, "Add Files",
        help="The recording of the call, pictures or any other file.")

    @fields.depends('typology', 'result')
    def get_results(self):
        results = self.typology.results if self.typology else []
        results = [(None, "")] + [(str(r.id), r.rec_name) for r in results]
        # The web client fills the options again each time that something
        # changes, and what is pressed then sends the first one
        results.sort(key=lambda r: r[0] != self.result)
        return results

    @property
    def selected_result(self):
        pool = Pool()
        Result = pool.get('sale.campaign.result')
        if self.result:
            return Result(int(self.result))

    @fields.depends('result')
    def on_change_with_promises(self, name=None):
        result = self.selected_result
        return bool(result and result.callback)

    def get_values(self):
        tracking = self.tracking.__class__(self.tracking.id)
        tracking.__class__.read([tracking.id], ['id'])
        values = {
            'tracking': tracking.id,
            'company': tracking.company.id,
            'party': tracking.party.id,
            'campaign': tracking.campaign.id,
            'typology': tracking.campaign.typology.id,
            'last_result': tracking.result.id if tracking.result else None,
            'attempts': tracking.attempts,
            'script': tracking.campaign.script,
            'plan': tracking.plan,
            'reason': self.reason,
            'start': self.start,
            'turn': self.turn,
            'commented': self.commented,
            'comment': self.comment,
            'callback_date': self.callback_date,
            'duration': self.duration,
            'files': [],
            }
        values.update(self._get_customer(tracking.party))
        if self.result:
            values['result'] = self.result
            values['promises'] = self.on_change_with_promises()
        values['history'] = self._get_history(tracking)
        values.update(self._get_relations(tracking))
        return values

    def _get_customer(self, party):
        address = party.address_get()
        values = {name: None for name in _ADDRESS}
        if address:
            values = {
                'street': address.street or None,
                'postal_code': address.postal_code,
                'city': address.city,
                'country': address.country.id if address.country else None,
                'subdivision': (
                    address.subdivision.id if address.subdivision else None),
                }
        values['name'] = party.name
        mechanisms, contacts = [], []
        shown = {
            'values': values.copy(),
            'address': address.id if address else None,
            'mechanisms': {},
            'contacts': {},
            }
        for mechanism in party.contact_mechanisms:
            contact = mechanism.contact
            line = {
                'contact': contact.id if contact else None,
                'type': mechanism.type,
                'value': mechanism.value,
                }
            shown['mechanisms'][mechanism.id] = line
            mechanisms.append({
                    **line,
                    'party': party.id,
                    'mechanism': mechanism.id,
                    'dial_url': mechanism.dial_url,
                    })
            if contact:
                mechanisms[-1]['contact.'] = {'rec_name': contact.rec_name}
        for contact in party.contacts:
            line = {
                'name': contact.name,
                'job_title': contact.job_title,
                }
            shown['contacts'][contact.id] = line
            contacts.append({
                    **line,
                    'contact': contact.id,
                    'phone': contact.phone,
                    })
        return {
            **values,
            'mechanisms': mechanisms,
            'contacts': contacts,
            'shown': json.dumps(shown),
            }

    def _get_history(self, tracking, limit=50):
        pool = Pool()
        Activity = pool.get('sale.activity')
        Call = pool.get('sale.call')
        Note = pool.get('ir.note')
        Tracking = pool.get('sale.tracking')
        lines = []
        states = dict(Activity.fields_get(['state'])['state']['selection'])
        domain = [
            ('party', '=', tracking.party.id),
            ('company', '=', tracking.company.id),
            ('role', '=', 'main'),
            ]
        order = [('date', 'DESC'), ('id', 'DESC')]
        readable = set(Activity.search(domain, order=order, limit=limit))
        # Of what colleagues called only who, when and with what result
        with without_check_access():
            activities = Activity.search(domain + [['OR',
                    ('id', 'in', [a.id for a in readable]),
                    [('kind', '=', 'call'), ('state', '=', 'done')],
                    ]], order=order, limit=limit)
            for line, activity in zip(
                    activities, Activity.get_activities(activities)):
                person = line.done_by or line.assignee
                result = (
                    activity.result if isinstance(activity, Call) else None)
                texts = [result.rec_name if result else activity.outcome_text]
                if line in readable:
                    texts += [line.summary, line.description]
                lines.append((line.date, {
                            'icon': line.kind_icon,
                            'kind': line.kind_string,
                            'person': person.rec_name if person else None,
                            'state': (
                                None if line.state == 'done'
                                else states[line.state]),
                            'text': self._join(texts),
                            }))
        kind = gettext('sale_opportunity_management.msg_campaign_comment')
        trackings = Tracking.search([
                ('party', '=', tracking.party.id),
                ('company', '=', tracking.company.id),
                ])
        for note in Note.search([
                    ('resource', 'in', [str(t) for t in trackings]),
                    ], order=[('create_date', 'DESC')], limit=limit):
            lines.append((note.create_date, {
                        'icon': 'tryton-note',
                        'kind': kind,
                        'person': note.create_uid.rec_name,
                        'text': self._join([note.message]),
                        }))
        lines.sort(key=lambda line: line[0], reverse=True)
        return [
            {'date': date.replace(microsecond=0), **line}
            for date, line in lines[:limit]]

    @classmethod
    def _join(cls, texts):
        return ' - '.join(' '.join(t.split()) for t in texts if t)

    def _get_relations(self, tracking):
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        ModelAccess = pool.get('ir.model.access')
        values = {
            'attachments': [a.id for a in Attachment.search([
                        ('resource', 'in', [
                                str(tracking), str(tracking.party)]),
                        ])],
            }
        for name, model in [
                ('sales', 'sale.sale'),
                ('opportunities', 'sale.opportunity'),
                ]:
            Model = pool.get(model)
            if ModelAccess.check(model, raise_exception=False):
                values[name] = [r.id for r in Model.search([
                            ('party', '=', tracking.party.id),
                            ('company', '=', tracking.company.id),
                            ], order=[('id', 'DESC')], limit=50)]
        return values

    def leave(self):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        self.save_customer()
        try:
            Tracking.save_draft(
                self.tracking, self.comment, result=self.selected_result,
                callback_date=self.callback_date)
        except AttendError:
            if (self.comment or '').strip():
                raise

    def skip(self):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        if not self._was_saved(Tracking.get_skip_note(self.comment)):
            self.save_customer()
            Tracking.skip(self.tracking, self.comment, turn=self.turn)

    def save(self):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        has_comment = bool((self.comment or '').strip())
        if not self._was_saved(self.comment):
            changed = self.save_customer()
            if has_comment:
                Tracking.leave_comment(
                    self.tracking, self.comment, turn=self.turn)
            elif changed:
                Tracking.keep(self.tracking, turn=self.turn)
            else:
                raise AttendError(gettext(
                        'sale_opportunity_management'
                        '.msg_campaign_attend_nothing'))
        if has_comment:
            self.comment = None
            self.commented = True
        with without_check_access():
            self.turn = Tracking(self.tracking.id).attend_turn

    def finish(self):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        if self._was_saved(self.comment, self.selected_result):
            return
        self.save_customer()
        if (self.commented and not self.result
                and not (self.comment or '').strip()):
            Tracking.put_back(self.tracking, turn=self.turn)
        else:
            callback_date = self.callback_date
            if not self.on_change_with_promises():
                callback_date = None
            Tracking.attend(
                self.tracking, comment=self.comment,
                result=self.selected_result, callback_date=callback_date,
                duration=self.duration, start=self.start, turn=self.turn)

    def _was_saved(self, comment, result=None):
        return self.tracking.was_saved(self.turn, comment, result)

    def save_customer(self):
        """Write what was corrected and add the files

        Return if there was something.  What somebody else has corrected
        meanwhile is kept unless it was corrected here too, and what is there
        since the customer was shown is not added again, as the button may be
        pressed twice."""
        shown = json.loads(self.shown)
        party = self.tracking.party
        party = party.__class__(party.id)
        changes = [
            # The country of the address is needed to read the numbers
            self._save_address(party, shown),
            self._save_name(party, shown),
            self._save_contacts(party, shown['contacts']),
            self._save_mechanisms(party, shown['mechanisms']),
            self._save_files(),
            ]
        return any(changes)

    def _changed(self, shown, names):
        values = {}
        for name in names:
            value = getattr(self, name)
            if name in {'country', 'subdivision'}:
                value = value.id if value else None
            if (value or None) != (shown['values'][name] or None):
                values[name] = value
        return values

    def _save_name(self, party, shown):
        values = self._changed(shown, ['name'])
        if values:
            party.__class__.write([party], values)
        return bool(values)

    def _save_address(self, party, shown):
        pool = Pool()
        Address = pool.get('party.address')
        values = self._changed(shown, _ADDRESS)
        if values:
            if shown['address'] is not None:
                Address.write([Address(shown['address'])], values)
            elif not Address.search([
                        ('party', '=', party.id),
                        *((n, '=', v) for n, v in values.items()),
                        ], limit=1):
                Address.create([{**values, 'party': party.id}])
        return bool(values)

    def _save_contacts(self, party, shown):
        pool = Pool()
        Contact = pool.get('party.contact')
        ContactMechanism = pool.get('party.contact_mechanism')

        def values(line):
            return {
                'name': line.name or None,
                'job_title': line.job_title or None,
                }
        changed, added, removed = self._compare(
            Contact, self.contacts, 'contact', values, shown)
        to_write = [v for pair in changed for v in pair]
        if removed:
            to_write.extend([removed, {'active': False}])
        if to_write:
            Contact.write(*to_write)
        known = [values(c) for c in party.contacts if str(c.id) not in shown]
        added = [
            (line, new) for line, new in added
            if new['name'] and new not in known]
        for line, new in added:
            contact, = Contact.create([{**new, 'party': party.id}])
            if line.phone:
                ContactMechanism.create([{
                            'party': party.id,
                            'contact': contact.id,
                            'type': 'phone',
                            'value': line.phone,
                            }])
        return bool(to_write or added)

    def _save_mechanisms(self, party, shown):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')

        def values(line):
            return {
                'contact': line.contact.id if line.contact else None,
                'type': line.type,
                'value': line.value or None,
                }
        changed, added, removed = self._compare(
            ContactMechanism, self.mechanisms, 'mechanism', values, shown)
        removed += [m for (m,), v in changed if v.get('value', '') is None]
        changed = [
            (m, v) for m, v in changed if v.get('value', '') is not None]
        to_write = [v for pair in changed for v in pair]
        if removed:
            to_write.extend([removed, {'active': False}])
        if to_write:
            ContactMechanism.write(*to_write)
        known = [values(m) for m in party.contact_mechanisms
            if str(m.id) not in shown]
        formatter = ContactMechanism(party=party)
        added = [
            {**new, 'party': party.id} for _, new in added if new['value']
            and {**new, 'value': formatter.format_value(
                    new['value'], new['type'])} not in known]
        if added:
            ContactMechanism.create(added)
        return bool(to_write or added)

    @classmethod
    def _compare(cls, Model, lines, name, get_values, shown):
        changed, added = [], []
        removed = {int(id_) for id_ in shown}
        for line in lines or []:
            values = get_values(line)
            id_ = getattr(line, name)
            if id_ is None:
                added.append((line, values))
                continue
            removed.discard(id_)
            before = shown[str(id_)]
            values = {
                n: v for n, v in values.items() if v != (before[n] or None)}
            if values:
                changed.append(([Model(id_)], values))
        return changed, added, [Model(id_) for id_ in removed]

    def _save_files(self):
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Lang = pool.get('ir.lang')
        files = []
        name = Lang.get().strftime(
            to_local(self.company, self.start), '%Y-%m-%d %H:%M')
        for file in self.files or []:
            values = {
                'resource': str(self.tracking),
                'type': 'data',
                'name': file.name or name,
                }
            known = Attachment.search([(n, '=', v) for n, v in values.items()])
            if file.data and all(a.data != file.data for a in known):
                files.append({**values, 'data': file.data})
        if files:
            Attachment.create(files)
        # The session would keep them
        self.files = []
        return bool(files)


class AttendMechanism(MechanismLineMixin):
    __name__ = 'sale.campaign.attend.mechanism'

    mechanism = fields.Integer("Contact Mechanism", readonly=True)
    party = fields.Integer("Party", readonly=True)
    contact = fields.Many2One(
        'party.contact', "Contact",
        domain=[
            ('party', '=', Eval('party', -1)),
            ],
        help="The person who is reached by it.")
    dial_url = fields.Char(
        "Dial", readonly=True,
        help="Call the number or write to the address.")

    @classmethod
    def default_party(cls):
        return Transaction().context.get('attended_party')


class AttendContact(ModelView):
    __name__ = 'sale.campaign.attend.contact'

    contact = fields.Integer("Contact", readonly=True)
    name = fields.Char("Name", required=True)
    job_title = fields.Char("Job Title")
    phone = fields.Char(
        "Phone",
        states={
            'readonly': Bool(Eval('contact')),
            },
        help="Correct the numbers under whom to call.")


class AttendLine(ModelView):
    __name__ = 'sale.campaign.attend.line'

    date = fields.DateTime("Date", format='%H:%M', readonly=True)
    icon = fields.Char("Icon", readonly=True)
    kind = fields.Char("Kind", readonly=True)
    person = fields.Char("Who", readonly=True)
    state = fields.Char("State", readonly=True)
    text = fields.Text("Description", readonly=True)


class AttendFile(ModelView):
    __name__ = 'sale.campaign.attend.file'

    name = fields.Char("Name")
    data = fields.Binary("File", filename='name')
