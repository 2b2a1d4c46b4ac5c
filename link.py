# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from urllib.parse import urlsplit

from trytond.i18n import gettext
from trytond.model import ModelStorage

from .exceptions import LinkError


class LinkMixin(ModelStorage):
    @classmethod
    def validate_fields(cls, records, field_names):
        super().validate_fields(records, field_names)
        cls.check_link(records, field_names)

    @classmethod
    def check_link(cls, records, field_names=None):
        if field_names is not None and 'link' not in field_names:
            return

        def is_valid(link):
            try:
                url = urlsplit(link)
            except ValueError:
                return False
            return (
                url.scheme in {'http', 'https'} and url.hostname
                and not any(c.isspace() for c in link))

        for record in records:
            if record.link and not is_valid(record.link):
                raise LinkError(gettext(
                        'sale_opportunity_management.msg_link',
                        record=record.rec_name,
                        link=record.link))
