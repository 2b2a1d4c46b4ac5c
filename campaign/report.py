# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from ..report import ListReport, PrintWizard, Total


class CampaignTotal(Total):

    @property
    def per_hour(self):
        if self.duration:
            return self.number * 3600 / self.duration.total_seconds()


class _CampaignReport(ListReport):
    _context_model = 'sale.campaign.reporting.context'
    _group = 'campaign'
    _group_order = 'campaign.name'
    _parameter_names = [
        'from_date', 'to_date', 'campaigns', 'operators', 'business_units',
        'channels']

    _total_fields = ['number']

    @classmethod
    def _total(cls):
        return CampaignTotal(number=0)

    @classmethod
    def _add(cls, total, values):
        total.number += values['number']


class CampaignOperator(_CampaignReport):
    __name__ = 'sale.campaign.reporting.operator'
    _fields = [
        'campaign', 'done_by', 'number', 'answered', 'missed', 'outgoing',
        'reached', 'contact_rate', 'won', 'attend_duration', 'per_hour']

    _total_fields = [
        'number', 'answered', 'missed', 'won', 'outgoing', 'reached',
        'attend_duration']

    @classmethod
    def _total(cls):
        total = super()._total()
        for name in ['answered', 'missed', 'won', 'outgoing', 'reached']:
            setattr(total, name, 0)
        total.duration = dt.timedelta()
        return total

    @classmethod
    def _add(cls, total, values):
        super()._add(total, values)
        for name in ['answered', 'missed', 'won', 'outgoing', 'reached']:
            setattr(total, name, getattr(total, name) + values[name])
        if values['attend_duration']:
            total.duration += values['attend_duration']


class CampaignResult(_CampaignReport):
    __name__ = 'sale.campaign.reporting.result'
    _fields = ['campaign', 'done_by', 'result', 'number']


class PrintCampaignOperator(PrintWizard):
    __name__ = 'sale.campaign.reporting.operator.print'
    _context_model = 'sale.campaign.reporting.context'


class PrintCampaignResult(PrintWizard):
    __name__ = 'sale.campaign.reporting.result.print'
    _context_model = 'sale.campaign.reporting.context'
