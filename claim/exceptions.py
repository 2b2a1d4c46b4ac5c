# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.exceptions import UserError, UserWarning
from trytond.model.exceptions import ValidationError


class ClaimDeadlineError(ValidationError):
    pass


class ClaimResponsibleError(ValidationError):
    pass


class ClaimOriginError(ValidationError):
    pass


class ClaimCloseError(ValidationError):
    pass


class SimilarClaimWarning(UserWarning):
    pass


class ClaimPauseError(UserError):
    pass


class ClaimPauseWarning(UserWarning):
    pass
