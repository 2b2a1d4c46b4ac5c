# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.exceptions import UserError


class ContactImportError(UserError):
    pass


class FileError(Exception):
    "The file as a whole cannot be read: name is the reason"

    def __init__(self, name, text, **variables):
        super().__init__(text % variables)
        self.name = name
        self.variables = variables


class CellError(Exception):
    "A cell cannot be read: name is the reason"

    def __init__(self, name, column=None, position=None, **variables):
        super().__init__(name)
        self.name = name
        self.column = column
        self.position = position
        self.variables = variables
