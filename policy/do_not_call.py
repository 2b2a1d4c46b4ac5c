# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from sql import Literal

from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import SQLConstraintError
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..exceptions import PhoneNumberError
from ..moment import this_minute
from ..party import PHONE_TYPES
from ..savepoint import savepoint


class DoNotCall(ModelSQL, ModelView):
    __name__ = 'sale.do_not_call'
    _rec_name = 'number'

    company = fields.Many2One(
        'company.company', "Company", required=True,
        states={
            'readonly': Eval('id', -1) >= 0,
            })
    number = fields.Char(
        "Number", required=True,
        help="The phone number that must not be called.\n"
        "It is kept whatever happens to the customers that have it.")
    date = fields.DateTime("Date", format='%H:%M', required=True)
    reason = fields.Text("Reason")
    registered_by = fields.Many2One(
        'company.employee', "Registered By", readonly=True,
        domain=[
            ('company', '=', Eval('company', -1)),
            ])

    @classmethod
    def __setup__(cls):
        cls.number.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('number_company_unique', Unique(t, t.number, t.company),
                'sale_opportunity_management.msg_do_not_call_unique'),
            ]
        cls._order = [('date', 'DESC'), ('id', 'DESC')]

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_date(cls):
        return this_minute()

    @classmethod
    def default_registered_by(cls):
        return Transaction().context.get('employee')

    @classmethod
    def preprocess_values(cls, mode, values):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        values = super().preprocess_values(mode, values)
        if values.get('number'):
            number = ContactMechanism.compact_phone(values['number'])
            if not number:
                raise PhoneNumberError(gettext(
                        'sale_opportunity_management.msg_do_not_call_number',
                        number=values['number']))
            values['number'] = number
        return values

    @classmethod
    def register(cls, company, parties, reason=None):
        "Never call again the phone numbers that the parties have now"
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        numbers = {
            m.value_compact for m in ContactMechanism.search([
                    ('party', 'in', [p.id for p in parties]),
                    ('type', 'in', list(PHONE_TYPES)),
                    ], order=[]) if m.value_compact}
        known = {
            r.number for r in cls.search([
                    ('company', '=', company.id),
                    ('number', 'in', list(numbers)),
                    ], order=[])}
        records = []
        for number in sorted(numbers - known):
            try:
                with savepoint():
                    records += cls.create([{
                                'company': company.id,
                                'number': number,
                                'reason': reason,
                                }])
            except SQLConstraintError:
                pass
        return records

    @classmethod
    def blocked(cls, company, parties):
        "Return the ids of the parties with a number that must not be called"
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        table = cls.__table__()
        mechanism = ContactMechanism.__table__()
        cursor = Transaction().connection.cursor()
        blocked = set()
        for sub_ids in grouped_slice(list(map(int, parties)), 1000):
            cursor.execute(*mechanism.join(
                    table, condition=mechanism.value_compact == table.number
                    ).select(
                    mechanism.party,
                    where=fields.SQL_OPERATORS['in'](
                        mechanism.party, list(sub_ids))
                    & mechanism.type.in_(list(PHONE_TYPES))
                    & (mechanism.active == Literal(True))
                    & (table.company == int(company))))
            blocked.update(id_ for id_, in cursor)
        return blocked
