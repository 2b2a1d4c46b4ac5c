# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from .activity import ActivityMixin


class Task(ActivityMixin):
    __name__ = 'sale.task'
    _history = True
    _rec_name = 'summary'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.summary.required = True

    def get_rec_name(self, name):
        return self.summary

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('summary', *clause[1:])]
