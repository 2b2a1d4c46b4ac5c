# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.model import ModelView
from trytond.pyson import Eval

from .activity import ActivityMixin


class Task(ActivityMixin):
    __name__ = 'sale.task'
    _history = True
    _rec_name = 'summary'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.summary.required = True
        cls._buttons.update({
                'do': {
                    'invisible': Eval('state') != 'pending',
                    'depends': ['state'],
                    },
                })

    def get_rec_name(self, name):
        return self.summary

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('summary', *clause[1:])]

    @classmethod
    @ModelView.button
    def do(cls, tasks):
        super().do(tasks)
