# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from trytond.model import (
    DeactivableMixin, ModelSQL, ModelView, fields, sequence_ordered)
from trytond.pyson import Eval

KINDS = [
    ('customer', "Customer"),
    ('supplier', "Supplier"),
    ]


class _Classification(
        sequence_ordered(), DeactivableMixin, ModelSQL, ModelView):

    name = fields.Char("Name", required=True, translate=True)
    kind = fields.Selection([
            *KINDS,
            ('both', "Both"),
            ], "Kind", required=True, sort=False,
        help="The claims for which it can be chosen.")
    company = fields.Many2One(
        'company.company', "Company",
        help="Leave empty to share it between all companies.")

    @classmethod
    def default_kind(cls):
        return 'both'


class Type(_Classification):
    __name__ = 'sale.claim.type'

    term = fields.TimeDelta(
        "Term",
        domain=['OR',
            ('term', '=', None),
            ('term', '>=', dt.timedelta()),
            ],
        help="How long after it is reported a claim has to be closed.\n"
        "Leave empty for no deadline.")
    pauses_calls = fields.Boolean(
        "Pauses Calls",
        states={
            'invisible': Eval('kind') == 'supplier',
            },
        help="Check if nobody should call to sell to a customer "
        "with an open claim of the type.")

    @classmethod
    def default_pauses_calls(cls):
        return True


class Cause(_Classification):
    __name__ = 'sale.claim.cause'


class Resolution(_Classification):
    __name__ = 'sale.claim.resolution'
