# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.exceptions import UserError, UserWarning
from trytond.model.exceptions import ValidationError


class PlannedDateError(ValidationError):
    pass


class DoneDateError(ValidationError):
    pass


class DurationError(ValidationError):
    pass


class ActivityPartyError(ValidationError):
    pass


class CallerError(ValidationError):
    pass


class CallOutcomeError(ValidationError):
    pass


class CallOpportunityError(UserError):
    pass


class IncomingCallError(ValidationError):
    pass


class AlreadyRecordedError(UserError):
    pass


class ResultRequiredError(ValidationError):
    pass


class OperatorError(ValidationError):
    pass


class ClosedTrackingError(ValidationError):
    pass


class SimilarTrackingWarning(UserWarning):
    pass


class PendingActivityWarning(UserWarning):
    pass


class CloseTrackingError(UserError):
    pass


class EmployeeWorkWarning(UserWarning):
    pass


class HandOverError(UserError):
    pass


class PhoneNumberError(ValidationError):
    pass


class TaskStatusError(UserError):
    pass


class TaskPostponeError(ValidationError):
    pass


class TaskDateError(ValidationError):
    pass


class LinkError(ValidationError):
    pass


class AssigneeError(ValidationError):
    pass


class AssignError(UserError):
    pass


class RegisterError(UserError):
    pass


class LongReportWarning(UserWarning):
    pass


class ReplaceError(UserError):
    pass


class WorkError(UserError):
    pass
