# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.exceptions import UserError, UserWarning
from trytond.model.exceptions import ValidationError


class MeetingDateError(ValidationError):
    pass


class MeetingConflictWarning(UserWarning):
    pass


class AttendeeError(ValidationError):
    pass


class InvitationError(UserError):
    pass


class AgendaFeedError(UserError):
    pass
