# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from sql import Cast
from sql.aggregate import Sum
from sql.conditionals import Case, NullIf

from trytond.model import fields


def contact_counts(call):
    "Return the SQL expressions of the outgoing calls and of those answered"
    def count(condition):
        return Sum(Case((condition, 1), else_=0))
    is_outgoing = call.direction == 'outgoing'
    return (
        count(is_outgoing), count(is_outgoing & (call.outcome == 'answered')))


def contact_rate(outgoing, reached):
    return reached / outgoing if outgoing else None


class ContactRateMixin:
    __slots__ = ()

    outgoing = fields.Integer("Outgoing")
    reached = fields.Integer(
        "Reached", help="The outgoing calls that were answered.")
    contact_rate = fields.Float(
        "Contact Rate", digits=(1, 4),
        help="The part of the outgoing calls that was answered.")

    @classmethod
    def _contact_columns(cls, call):
        outgoing, reached = contact_counts(call)
        return [
            outgoing.as_('outgoing'),
            reached.as_('reached'),
            (Cast(reached, cls.contact_rate.sql_type().base)
                / NullIf(outgoing, 0)).as_('contact_rate'),
            ]
