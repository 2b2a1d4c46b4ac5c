# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import json

from trytond.model import ModelSQL, ModelView, Unique, fields
from trytond.transaction import Transaction

from .heading import normalize_heading


class Mapping(ModelSQL, ModelView):
    __name__ = 'party.contact.import.mapping'

    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True,
        ondelete='CASCADE')
    name = fields.Char("Name")
    headings = fields.Text("Headings", required=True, readonly=True)
    columns = fields.Text("Columns", required=True, readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('headings_unique', Unique(t, t.company, t.headings),
                'sale_opportunity_management'
                '.msg_contact_import_mapping_unique'),
            ]
        cls._order = [('name', 'ASC'), ('id', 'DESC')]

    @classmethod
    def find(cls, headings):
        "Return what was chosen for files with the same headings, if anything"
        mappings = cls.search([
                ('company', '=', Transaction().context.get('company')),
                ('headings', '=', cls._get_key(headings)),
                ])
        return mappings[0] if mappings else None

    @classmethod
    def remember(cls, headings, columns, name=None):
        mapping = cls.find(headings) or cls(
            company=Transaction().context['company'],
            headings=cls._get_key(headings))
        mapping.columns = json.dumps(columns)
        mapping.name = name
        mapping.save()

    @classmethod
    def _get_key(cls, headings):
        return json.dumps([normalize_heading(h) for h in headings])

    def get_columns(self):
        return json.loads(self.columns)
