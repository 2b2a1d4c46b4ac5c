# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
from types import SimpleNamespace

from ..contact_rate import contact_rate
from ..report import ListReport, PrintWizard


class _CampaignReport(ListReport):
    _context_model = 'sale.campaign.reporting.context'
    _group = 'campaign'
    _group_order = 'campaign.name'
    _parameter_names = [
        'from_date', 'to_date', 'campaigns', 'operators', 'business_units',
        'channels']

    @classmethod
    def _totals(cls, rows):
        return SimpleNamespace(number=sum(r.number for r in rows))


class CampaignOperator(_CampaignReport):
    __name__ = 'sale.campaign.reporting.operator'
    _fields = [
        'campaign', 'done_by', 'number', 'answered', 'missed', 'outgoing',
        'reached', 'contact_rate', 'won', 'attend_duration', 'per_hour']

    @classmethod
    def _totals(cls, rows):
        total = super()._totals(rows)
        for name in ['answered', 'missed', 'won', 'outgoing', 'reached']:
            setattr(total, name, sum(getattr(r, name) for r in rows))
        total.rate = contact_rate(total.outgoing, total.reached) or 0
        total.duration = sum(
            (r.attend_duration for r in rows if r.attend_duration),
            dt.timedelta())
        total.per_hour = None
        if total.duration:
            total.per_hour = (
                total.number * 3600 / total.duration.total_seconds())
        return total


class CampaignResult(_CampaignReport):
    __name__ = 'sale.campaign.reporting.result'
    _fields = ['campaign', 'done_by', 'result', 'number']


class PrintCampaignOperator(PrintWizard):
    __name__ = 'sale.campaign.reporting.operator.print'
    _context_model = 'sale.campaign.reporting.context'


class PrintCampaignResult(PrintWizard):
    __name__ = 'sale.campaign.reporting.result.print'
    _context_model = 'sale.campaign.reporting.context'
